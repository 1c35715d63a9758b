"""What can be chosen by name on the command line, and the defaults.

Only names, so that a command line is parsed without loading what they stand for. The modules that
build these things repeat the names; a test keeps the two in step.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["BASELINES", "RESULTS", "ROWS", "SIZES"]

ROWS = ("lenet-1", "lenet-4", "lenet-5", "lenet-5-distortions", "lenet-5-best", "boosted-lenet-4")
"""The rows of the table that are LeNets (:mod:`demos.mnist.recipes`)."""

BASELINES = (
    "linear",
    "linear-deslanted",
    "pairwise-linear",
    "knn",
    "knn-deslanted",
    "pca-quadratic",
    "rbf",
    "tangent-distance",
    "svm-4",
    "rs-svm-5",
    "v-svm-9",
    "mlp-300",
    "mlp-300-distortions",
    "mlp-300-deslanted",
    "mlp-1000",
    "mlp-1000-distortions",
    "mlp-300-100",
    "mlp-300-100-distortions",
    "mlp-500-150",
    "mlp-500-150-distortions",
    "lenet-4-knn",
    "lenet-4-local",
)
"""The other rows (:mod:`demos.mnist.baselines`)."""

SIZES = (15_000, 30_000, 60_000)
"""Numbers of training digits in Fig. 6."""

RESULTS = Path("results") / "mnist"
"""Folder of the results, from the root of the project."""
