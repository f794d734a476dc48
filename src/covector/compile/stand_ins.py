"""What an exported module has in the place of a few things of covector of which it needs less than they are."""

from __future__ import annotations

from typing import Any

import numpy as np


class GuardFailedError(Exception):
    """Python would branch differently for these arguments than for those of the export."""

    def __str__(self) -> str:
        return f"{self.__doc__} {self.args[0]}."


class Tracer:
    """Nothing is one here."""


class ArrayType:
    """The shape and dtype of an array."""

    weak = False

    def __init__(self, shape: tuple[int, ...], dtype: Any, weak: bool = False) -> None:
        self.shape, self.dtype, self.ndim = shape, np.dtype(dtype), len(shape)
        self.size = int(np.prod(shape))

    def strong(self) -> ArrayType:
        """The same."""
        return self


def typeof(x: Any) -> ArrayType:
    """The shape and dtype of an array or number."""
    return ArrayType(np.shape(x), np.asarray(x).dtype)


def optional_scipy() -> Any:
    """None: what NumPy can do without SciPy is done without it."""
    return None


def required_scipy(purpose: str) -> Any:
    """The module scipy.linalg, of what NumPy cannot do."""
    import scipy.linalg

    return scipy.linalg
