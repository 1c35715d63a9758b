"""Where MNIST is on the network."""

from __future__ import annotations

__all__ = ["MIRRORS"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Public copies of the four files, tried one after the other."""
