"""Turning what a user passes to a NumPy function into operands: numbers, arrays and tracers.

A list or an object array with tracers inside (`np.array([x * y, z])` makes one) is stacked here, the moment it
meets a tracer, a covector function or the end of a traced function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.families import SCALARS
from covector.core.interpreter import Tracer
from covector.core.protocol import table
from covector.core.types import Array, is_refused
from covector.errors import DTypeMismatchError


def operand(x: Any) -> Array:
    """A tracer, a Python number, or an array that NumPy can compute with."""
    if isinstance(x, Tracer) or type(x) in SCALARS:
        return x
    if isinstance(x, np.ndarray):
        if is_refused(x):
            raise DTypeMismatchError(
                f"the arithmetic of a {type(x).__name__} differs from that of arrays; pass a plain array, np.asarray(x)"
            )
        return stacked(x) if x.dtype.hasobject else x
    if hasattr(x, "__array_function__") and hasattr(x, "dtype"):
        return x
    array = np.array(x)
    return stacked(array) if array.dtype.hasobject else array


def stacked(x: np.ndarray[Any, Any]) -> Array:
    """An object array of tracers and numbers as one traced array, or as a plain one if it holds numbers only."""
    entries = x.ravel().tolist()
    if not any(isinstance(entry, Tracer) for entry in entries):
        return _numbers(entries).reshape(x.shape)
    if x.ndim == 0:
        return entries[0]
    return table.methods["stack_entries"](entries, x.shape)


def _numbers(entries: list[Any]) -> np.ndarray[Any, Any]:
    array = np.array(entries)
    if array.dtype.kind not in "biufc":
        raise DTypeMismatchError(f"an array of objects holds {type(entries[0]).__name__}; expected numbers")
    return array


table.operand = operand
