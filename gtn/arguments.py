"""Arguments that are numbers, checked by name before a kernel or a comparison meets them."""

from __future__ import annotations

from numbers import Real
from operator import index
from typing import Any

import numpy as np
import torch

__all__ = ["real_number", "whole_number"]


def whole_number(value: Any, name: str) -> int:
    """Return an argument that is a whole number, of Python, numpy or torch, as Python's.

    Raises:
        TypeError: anything else, truth values too, naming the argument.

    >>> whole_number(np.int64(3), "count")
    3
    >>> whole_number(2.5, "count")
    Traceback (most recent call last):
        ...
    TypeError: count=2.5; it is a whole number
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return index(value)
    except (TypeError, ValueError, RuntimeError):  # tensors raise all of these
        raise TypeError(f"{name}={value!r}; it is a whole number") from None


def real_number(value: Any, name: str) -> float:
    """Return an argument that is a number, of Python, numpy or torch, as a float.

    Raises:
        TypeError: anything else, truth values too, naming the argument.

    >>> real_number(torch.tensor(0.5), "beam"), real_number(2, "beam")
    (0.5, 2.0)
    >>> real_number(False, "beam")
    Traceback (most recent call last):
        ...
    TypeError: beam=False; it is a number
    """
    given: Any = value
    if isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0:
        given = None if getattr(value, "is_meta", False) else value.item()
    if isinstance(given, bool | np.bool_) or not isinstance(given, Real):
        raise TypeError(f"{name}={value!r}; it is a number")
    return float(given)
