"""Sorting and selecting by order: a sort moves each tangent along with its entry.

Equal entries could have been put in any order, so their tangents are shared equally between their places:
`np.sort(x)[-1]` has the derivative of `np.max(x)`.

    >>> import numpy as np
    >>> TieMean(0)(np.array([1.0, 3.0, 5.0]), RunStarts(0)(np.array([7.0, 7.0, 8.0])))
    array([2., 2., 5.])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np

from covector.core.broadcasting import Linear
from covector.core.parameters import AlongAxis
from covector.core.primitive import Primitive, moved_to_front, parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.ops.comparison import PiecewiseConstant
from covector.ops.counts import sorting

# --- sorting ----------------------------------------------------------------------------------------------


@final
class Sort(AlongAxis):
    """The entries along an axis in increasing order, NaN last."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return sorting(inputs[0], self.axis)

    def evaluate(self, *inputs: Array) -> Array:
        return np.sort(inputs[0], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        moved = Rearrange(self.axis)(tangent, ArgSort(self.axis)(x))
        return out, TieMean(self.axis)(moved, RunStarts(self.axis)(out))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Sort(self.axis + 1)(*inputs)


@final
@parametrized
class Partition(Primitive):
    """The entries along an axis with those at the places `kth` where a sort puts them, smaller ones before them.

    The order of the others is NumPy's affair, so the derivative finds each entry again by its rank.
    """

    kth: tuple[int, ...]
    axis: int

    def evaluate(self, *inputs: Array) -> Array:
        return np.partition(inputs[0], self.kth, axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        order, rearrange = ArgSort(self.axis), Rearrange(self.axis)
        ranked = TieMean(self.axis)(rearrange(tangent, order(x)), RunStarts(self.axis)(Sort(self.axis)(x)))
        return out, rearrange(ranked, order(order(out)))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Partition(self.kth, self.axis + 1)(*inputs)


# --- the linear maps behind them --------------------------------------------------------------------------


@final
class Rearrange(AlongAxis, Linear):
    """The entries of x along an axis at `order`, which is a permutation along it; its transpose is the inverse."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        return np.take_along_axis(inputs[0], inputs[1], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Any:
        return self(cotangent, ArgSort(self.axis)(inputs[1]))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Rearrange(self.axis + 1)(*map(moved_to_front, inputs, batched, [size] * 2))


@final
class TieMean(AlongAxis, Linear):
    """x with each entry replaced by the mean over its run along an axis; a run begins at each start. Symmetric."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 2 * inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        x, starts = inputs
        if starts.all():
            return x
        x, starts = np.moveaxis(x, self.axis, -1), np.moveaxis(starts, self.axis, -1).copy()
        starts[..., 0] = True
        first = np.flatnonzero(starts)
        counts = np.diff(first, append=starts.size)
        means = np.add.reduceat(x.ravel(), first) / counts.astype(x.real.dtype)
        return np.moveaxis(np.repeat(means, counts).reshape(x.shape), -1, self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Any:
        return self(cotangent, inputs[1])

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return TieMean(self.axis + 1)(*map(moved_to_front, inputs, batched, [size] * 2))


# --- runs, orders and places, which are constant on pieces ------------------------------------------------------


@final
class RunStarts(AlongAxis, PiecewiseConstant):
    """Whether an entry differs from the one before it along an axis, as the first one does."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        later = (slice(None),) * self.axis + (slice(1, None),)
        earlier = (slice(None),) * self.axis + (slice(None, -1),)
        starts = np.ones(inputs[0].shape, bool)
        starts[later] = inputs[0][later] != inputs[0][earlier]
        return starts

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, np.bool_)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return RunStarts(self.axis + 1)(*inputs)


@final
@parametrized
class ArgSort(PiecewiseConstant):
    """The indices that sort along an axis; equal entries keep their order, but for another `kind` of sort."""

    axis: int
    kind: Literal["quicksort", "heapsort", "stable"] = "stable"

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return sorting(inputs[0], self.axis)

    def evaluate(self, *inputs: Array) -> Array:
        return np.argsort(inputs[0], axis=self.axis, kind=self.kind)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, np.intp)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return ArgSort(self.axis + 1, self.kind)(*inputs)


@final
@parametrized
class ArgPartition(PiecewiseConstant):
    """The indices that partition along an axis."""

    kth: tuple[int, ...]
    axis: int

    def evaluate(self, *inputs: Array) -> Array:
        return np.argpartition(inputs[0], self.kth, axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, np.intp)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return ArgPartition(self.kth, self.axis + 1)(*inputs)


@final
class LexSort(AlongAxis, PiecewiseConstant):
    """The indices that sort by several keys, stacked along the first axis, the last of which decides first."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return sorting(inputs[0], self.axis + 1)

    def evaluate(self, *inputs: Array) -> Array:
        return np.lexsort(inputs[0], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape[1:], np.intp)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return LexSort(self.axis + 1)(np.swapaxes(inputs[0], 0, 1))


@final
@parametrized
class SearchSorted(PiecewiseConstant):
    """Where each value belongs in a sorted vector: how many of its entries are smaller (or equal, on the right)."""

    right: bool = False

    def evaluate(self, *inputs: Array) -> Array:
        vector, values = inputs
        return np.searchsorted(vector, values, side="right" if self.right else "left")

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[1].shape, np.intp)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        """Searches one vector as it is; of many vectors it counts the entries before each value."""
        if not batched[0]:
            return self(*inputs)
        vectors, values = map(moved_to_front, inputs, batched, [size] * 2)
        kind = typeof(values)
        vectors = np.reshape(vectors, (size, *(1,) * (kind.ndim - 1), typeof(vectors).shape[-1]))
        values = np.reshape(values, (*kind.shape, 1))
        return np.sum(vectors <= values if self.right else vectors < values, axis=-1)
