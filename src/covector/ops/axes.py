"""Linear maps that move, drop, repeat, join or split whole axes without looking at the entries.

They come in pairs that are each other's transpose (or are their own): Concatenate and Split, Stack and Unstack,
Diagonal and FromDiagonal, a roll and the roll back. Axis parameters are non-negative and normalized before a
primitive is made (see `covector.numpy`).

    >>> Concatenate(0)(np.array([1.0, 2.0]), np.array([3.0]))
    array([1., 2., 3.])
    >>> Split(0, (2, 1))(np.array([1.0, 2.0, 3.0]))
    (array([1., 2.]), array([3.]))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np

from covector.core.broadcasting import BroadcastTo, Linear, Reshape, reduce
from covector.core.families import SCALARS
from covector.core.parameters import AlongAxis, OverAxes
from covector.core.primitive import as_tuple, moved_to_front, parametrized
from covector.core.types import Array, ArrayType, Shape, typeof
from covector.ops.counts import reduced

# --- one array to one array -------------------------------------------------------------------------------


@final
class Permute(OverAxes, Linear):
    """Axis i of the output is axis axes[i] of the input."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> Array:
        return np.transpose(x, self.axes)

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(tuple(x.shape[i] for i in self.axes), x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Permute(tuple(int(i) for i in np.argsort(self.axes)))(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Permute((0, *(i + 1 for i in self.axes)))(inputs[0])


@final
class Sum(OverAxes, Linear):
    """The sum over the given axes, which are dropped; booleans and small integers become default integers."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return reduced(inputs, outputs)

    def evaluate(self, x: Array) -> Array:
        return np.add.reduce(x, axis=self.axes)

    def output_type(self, x: ArrayType) -> ArrayType:
        shape = tuple(n for i, n in enumerate(x.shape) if i not in self.axes)
        return ArrayType(shape, _summed_dtype(x.dtype))

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        if len(self.axes) == len(x.shape):
            return BroadcastTo(x.shape)(cotangent)
        kept = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))
        return BroadcastTo(x.shape)(Reshape(kept)(cotangent))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Sum(tuple(i + 1 for i in self.axes))(inputs[0])


def _summed_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which NumPy sums."""
    default = np.dtype(np.uintp if dtype.kind == "u" else np.intp)
    return default if dtype.kind in "biu" and dtype.itemsize < default.itemsize else dtype


@final
class Flip(OverAxes, Linear):
    """The entries in reverse order along the given axes; its own transpose."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> Array:
        return np.flip(x, self.axes)

    def output_type(self, x: ArrayType) -> ArrayType:
        return x.strong()

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return self(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Flip(tuple(i + 1 for i in self.axes))(inputs[0])


@final
@parametrized
class Roll(Linear):
    """The entries moved on by shifts[i] places along axes[i], those pushed over the end put at the start."""

    shifts: tuple[int, ...]
    axes: tuple[int, ...]

    def evaluate(self, x: Array) -> Array:
        return np.roll(x, self.shifts, self.axes)

    def output_type(self, x: ArrayType) -> ArrayType:
        return x.strong()

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Roll(tuple(-shift for shift in self.shifts), self.axes)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Roll(self.shifts, tuple(i + 1 for i in self.axes))(inputs[0])


@final
@parametrized
class Triangle(Linear):
    """The lower (or upper) triangle of the last two axes, zeros elsewhere; its own transpose."""

    lower: bool
    offset: int = 0

    def evaluate(self, x: Array) -> Array:
        return np.tril(x, self.offset) if self.lower else np.triu(x, self.offset)

    def output_type(self, x: ArrayType) -> ArrayType:
        return x.strong()

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return self(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


@final
@parametrized
class Diagonal(Linear):
    """The entries x[..., i, i + offset] of the last two axes."""

    offset: int = 0
    view = True

    def evaluate(self, x: Array) -> Array:
        return np.diagonal(x, self.offset, -2, -1)

    def output_type(self, x: ArrayType) -> ArrayType:
        *leading, rows, columns = x.shape
        return ArrayType((*leading, diagonal_length(rows, columns, self.offset)), x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return FromDiagonal(self.offset, x.shape[-2], x.shape[-1])(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


@final
@parametrized
class FromDiagonal(Linear):
    """Matrices of the given shape with the last axis as their diagonal, zeros elsewhere."""

    offset: int
    rows: int
    columns: int

    def evaluate(self, x: Array) -> Array:
        matrices = zeros_of(x, (*np.shape(x)[:-1], self.rows, self.columns))
        i = np.arange(diagonal_length(self.rows, self.columns, self.offset))
        matrices[..., i + max(-self.offset, 0), i + max(self.offset, 0)] = x
        return matrices

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType((*x.shape[:-1], self.rows, self.columns), x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Diagonal(self.offset)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


def diagonal_length(rows: int, columns: int, offset: int) -> int:
    """How many entries x[i, i + offset] a matrix has."""
    return max(0, min(rows + min(offset, 0), columns - max(offset, 0)))


def zeros_of(x: Array, shape: Shape) -> Array:
    """Zeros of the dtype of x, in the array library of x."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.zeros(shape, x.dtype)
    return np.zeros_like(x, shape=shape)


# --- several arrays to one, and one to several ------------------------------------------------------------


@final
class Concatenate(AlongAxis, Linear):
    """The inputs one after the other along an axis."""

    __slots__ = ()
    operands = slice(None)

    def evaluate(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        before, after = inputs[0].shape[: self.axis], inputs[0].shape[self.axis + 1 :]
        length = sum(x.shape[self.axis] for x in inputs)
        return ArrayType((*before, length, *after), _common_dtype(inputs))

    def transpose(self, cotangent: Array, *inputs: Array | ArrayType) -> tuple[Array | None, ...]:
        parts = Split(self.axis, tuple(typeof(x).shape[self.axis] for x in inputs))(cotangent)
        return _wanted(parts, inputs)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Concatenate(self.axis + 1)(*_all_to_front(inputs, batched, size))


@final
@parametrized
class Split(Linear):
    """Consecutive parts of the given sizes along an axis."""

    axis: int
    sizes: tuple[int, ...]
    view = True

    def evaluate(self, x: Array) -> tuple[Array, ...]:
        whole = (slice(None),) * self.axis
        return tuple(x[(*whole, part)] for part in self._parts())

    def output_type(self, x: ArrayType) -> tuple[ArrayType, ...]:
        before, after = x.shape[: self.axis], x.shape[self.axis + 1 :]
        return tuple(ArrayType((*before, size, *after), x.dtype) for size in self.sizes)

    def transpose(self, cotangent: Any, x: ArrayType) -> Array:
        return Concatenate(self.axis)(*as_tuple(cotangent))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        parts: tuple[Array, ...] = Split(self.axis + 1, self.sizes)(inputs[0])
        return parts

    def _parts(self) -> Iterator[slice]:
        start = 0
        for size in self.sizes:
            yield slice(start, start + size)
            start += size


@final
class Stack(AlongAxis, Linear):
    """The inputs, of one shape, side by side along a new axis."""

    __slots__ = ()
    operands = slice(None)

    def evaluate(self, *inputs: Array) -> Array:
        if all(type(x) in SCALARS for x in inputs):
            return np.array(inputs)
        return np.stack(inputs, self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        shape = inputs[0].shape
        return ArrayType((*shape[: self.axis], len(inputs), *shape[self.axis :]), _common_dtype(inputs))

    def transpose(self, cotangent: Array, *inputs: Array | ArrayType) -> tuple[Array | None, ...]:
        return _wanted(Unstack(self.axis)(cotangent), inputs)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Stack(self.axis + 1)(*_all_to_front(inputs, batched, size))


@final
class Unstack(AlongAxis, Linear):
    """The slices along an axis, of which there is at least one."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> tuple[Array, ...]:
        order = (self.axis, *range(self.axis), *range(self.axis + 1, np.ndim(x)))
        return tuple(np.transpose(x, order) if self.axis else x)

    def output_type(self, x: ArrayType) -> tuple[ArrayType, ...]:
        part = ArrayType((*x.shape[: self.axis], *x.shape[self.axis + 1 :]), x.dtype)
        return (part,) * x.shape[self.axis]

    def transpose(self, cotangent: Any, x: ArrayType) -> Array:
        return Stack(self.axis)(*as_tuple(cotangent))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        parts: tuple[Array, ...] = Unstack(self.axis + 1)(inputs[0])
        return parts


def _common_dtype(inputs: Sequence[ArrayType]) -> np.dtype[Any]:
    return np.result_type(*dict.fromkeys(x.dtype for x in inputs))


def _wanted(parts: Sequence[Array], inputs: Sequence[Array | ArrayType]) -> tuple[Array | None, ...]:
    return tuple(
        reduce(part, x.shape, x.dtype) if isinstance(x, ArrayType) else None
        for part, x in zip(parts, inputs, strict=True)
    )


def _all_to_front(inputs: Sequence[Array], batched: Sequence[bool], size: int) -> list[Array]:
    return [moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True)]
