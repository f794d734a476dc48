"""What is known of a value before its entries are: its shape and its dtype.

    >>> import numpy as np
    >>> typeof(np.zeros((2, 3), np.float32))
    ArrayType(float32[2,3])
    >>> typeof(1.5)                        # a Python number is weak: it adapts to what it meets
    ArrayType(float64[], weak)
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Array = Any
"""A NumPy array or scalar, a Python number, a tracer, or another array speaking NumPy's protocols."""

Shape = tuple[int, ...]

PYTHON_DTYPES: dict[type, np.dtype[Any]] = {
    bool: np.dtype(bool),
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    complex: np.dtype(np.complex128),
}
"""The dtypes of Python's own numbers."""


def is_refused(value: object) -> bool:
    """Whether this is a matrix or a masked array, subclasses of arrays whose arithmetic means something else."""
    kind = type(value)
    return kind is not np.ndarray and isinstance(value, np.ndarray) and not REFUSED_SUBCLASSES.isdisjoint(_names(kind))


def _names(kind: type) -> set[str]:
    return {base.__name__ for base in kind.__mro__ if base.__module__.startswith("numpy")}


REFUSED_SUBCLASSES = frozenset({"matrix", "MaskedArray"})
"""By name, because the module of masked arrays is slow to import and seldom used."""


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The dtype that NumPy makes of a dtype, a type or a name."""
    return np.dtype(dtype)


@frozen(repr=False, cache_hash=True)
class ArrayType:
    """The shape and dtype of an array; weak for a Python number, which takes the dtype of what it meets."""

    shape: Shape
    dtype: np.dtype[Any] = field(converter=as_dtype)
    weak: bool = False

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        return f"ArrayType({self}, weak)" if self.weak else f"ArrayType({self})"

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return prod(self.shape)

    @property
    def differentiable(self) -> bool:
        """Whether the entries are real or complex floating-point numbers."""
        return self.dtype.kind in "fc"

    def strong(self) -> ArrayType:
        """The same type, no longer adapting to others."""
        return ArrayType(self.shape, self.dtype) if self.weak else self

    def batched(self, size: int) -> ArrayType:
        """The type of `size` such arrays stacked along a new leading axis."""
        return ArrayType((size, *self.shape), self.dtype)


_NUMBER_TYPES: dict[type, ArrayType] = {kind: ArrayType((), dtype, weak=True) for kind, dtype in PYTHON_DTYPES.items()}
_NUMBER_TYPES |= {kind: ArrayType((), kind) for kind in (np.float64, np.float32, np.complex128, np.int64, np.bool_)}


def typeof(value: Array) -> ArrayType:
    """The type of an array, a number or a tracer."""
    if type(value) is np.ndarray:
        return _known_type(value.shape, value.dtype)
    known = _NUMBER_TYPES.get(type(value))
    if known is not None:
        return known
    kind = value if isinstance(value, ArrayType) else getattr(value, "type", None)
    return kind if isinstance(kind, ArrayType) else _known_type(value.shape, value.dtype)


_known_type = lru_cache(maxsize=4096)(ArrayType)


def zeros(kind: ArrayType) -> Array:
    """The zero of a type: a Python number for a weak one, so that dtypes stay what NumPy makes them."""
    if kind.weak:
        return kind.dtype.type(0).item()
    return np.zeros(kind.shape, kind.dtype) if kind.shape else kind.dtype.type(0)
