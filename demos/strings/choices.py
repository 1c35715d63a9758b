"""What can be chosen by name on the command line, and the defaults.

Only names and numbers, so that a command line is parsed without loading what they stand for.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["FORMS", "NETWORKS", "RECIPES", "RESULTS", "TEST_STRINGS"]

NETWORKS = ("line", "lenet5", "lenet5-rbf")
"""The networks that are swept over a line, by name."""

RECIPES = ("paper", "free")
"""How digits stand on composed lines (:mod:`demos.strings.evaluate`)."""

TEST_STRINGS = 10_000
"""Strings of the fixed test."""

FORMS = ("svg", "png")
"""Of pictures."""

RESULTS = Path("results/strings")
"""Folder of the results, from the root of the project."""
