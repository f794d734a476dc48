"""Reductions: extremes, products, moments, and what can be said of a whole axis.

`Sum` lives with its transpose in `axes`. A maximum is shared equally by the entries that attain it; a product's
derivative is the product of the other entries.

    >>> import numpy as np
    >>> ProductOfOthers(0)(np.array([2.0, 0.0, 5.0]))
    array([ 0., 10.,  0.])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import field

from covector.core.broadcasting import Reshape
from covector.core.parameters import AlongAxis, OverAxes
from covector.core.primitive import Primitive, parametrized
from covector.core.types import Array, ArrayType, Shape, typeof
from covector.ops.accumulation import CumulativeProduct, Recurrence, Shift, exclusive
from covector.ops.axes import Sum
from covector.ops.comparison import SAME, PiecewiseConstant
from covector.ops.contraction import contract
from covector.ops.counts import reduced
from covector.ops.parts import real_dtype

# --- extremes ---------------------------------------------------------------------------------------------


@final
@parametrized
class Extremum(Primitive):
    """The largest or smallest entry over the given axes, by `np.maximum`, `np.minimum`, `np.fmax` or `np.fmin`."""

    ufunc: Any = field(repr=lambda ufunc: ufunc.__name__)
    axes: tuple[int, ...]

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return reduced(inputs, outputs)

    def evaluate(self, *inputs: Array) -> Array:
        return self.ufunc.reduce(inputs[0], axis=self.axes)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return _reduced(inputs[0], self.axes)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        kind = typeof(x)
        attained = SAME(x, restore(out, kind.shape, self.axes))
        return out, weighted_sum(TieShare(self.axes, real_dtype(kind.dtype))(attained), tangent, self.axes)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Extremum(self.ufunc, _inner(self.axes))(*inputs)


@final
@parametrized
class TieShare(PiecewiseConstant):
    """The part of each entry in an extreme that the marked entries attain: 1 / n for each of n, 0 for the others."""

    axes: tuple[int, ...]
    dtype: np.dtype[Any]

    def evaluate(self, *inputs: Array) -> Array:
        (attained,) = inputs
        counts = np.add.reduce(attained, axis=self.axes, keepdims=True, dtype=np.intp)
        untied = np.logical_and.reduce(np.equal(counts, 1), axis=None)  # np.all takes twice as long
        shares = attained if untied else np.divide(attained, counts)
        return shares.astype(self.dtype)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, self.dtype)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return TieShare(_inner(self.axes), self.dtype)(*inputs)


# --- products ---------------------------------------------------------------------------------------------


@final
class Product(AlongAxis):
    """The product of the entries along an axis."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return reduced(inputs, outputs)

    def evaluate(self, *inputs: Array) -> Array:
        return np.multiply.reduce(inputs[0], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return _reduced(inputs[0], (self.axis,))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        if tangent is None:
            return self(x), None
        return self(x), weighted_sum(ProductOfOthers(self.axis)(x), tangent, (self.axis,))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Product(self.axis + 1)(*inputs)


@final
class ProductOfOthers(AlongAxis):
    """For each entry the product of the others along an axis: of those before it and those after it."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 2 * inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        """By division where nothing is zero and nothing overflows."""
        (x,) = inputs
        product = np.multiply.reduce(x, axis=self.axis, keepdims=True)
        size, limits = np.abs(product), np.finfo(x.dtype)
        if np.all((size > limits.tiny) & (size < limits.max)):
            return product / x
        before, after = self._sides(x)
        return before * after

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """Differentiates the running products from both sides, each by its recurrence."""
        (x,), (tangent,) = primals, tangents
        if tangent is None:
            return self(x), None
        before, after = self._sides(x)
        changes = (
            Shift(self.axis, reverse)(Recurrence(self.axis, reverse)(x, side * tangent))
            for side, reverse in ((before, False), (after, True))
        )
        return before * after, next(changes) * after + before * next(changes)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return ProductOfOthers(self.axis + 1)(*inputs)

    def _sides(self, x: Array) -> tuple[Array, Array]:
        return (
            exclusive(CumulativeProduct(self.axis)(x), self.axis, False, 1),
            exclusive(CumulativeProduct(self.axis, reverse=True)(x), self.axis, True, 1),
        )


# --- moments ----------------------------------------------------------------------------------------------


@final
@parametrized
class Variance(Primitive):
    """The sum of squared deviations from the mean over the given axes, divided by the count less ddof; of real x.

    Its derivative is 2 (x - mean) dx / (count - ddof), summed: the mean moves too, but deviations sum to zero.
    """

    axes: tuple[int, ...]
    ddof: float = 0.0

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 4 * inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        return np.var(inputs[0], axis=self.axes, ddof=self.ddof)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return _reduced(inputs[0], self.axes)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        shape = typeof(x).shape
        count = int(np.prod([shape[axis] for axis in self.axes], dtype=np.intp))
        if tangent is None or count <= self.ddof:
            return self(x), None if tangent is None else Sum(self.axes)(tangent) * np.nan
        deviation = x - restore(Sum(self.axes)(x) / count, shape, self.axes)
        weight = deviation * (2 / (count - self.ddof))
        return weighted_sum(weight, deviation, self.axes) * 0.5, weighted_sum(weight, tangent, self.axes)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Variance(_inner(self.axes), self.ddof)(*inputs)


# --- sums of exponentials ---------------------------------------------------------------------------------


@final
class LogSumExp(OverAxes):
    """log sum exp x over the given axes without overflow; its derivative is the softmax."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 4 * inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        largest = np.maximum.reduce(np.real(x), axis=self.axes, keepdims=True, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, np.zeros((), largest.dtype))
        with np.errstate(divide="ignore"):
            logarithm = np.log(np.add.reduce(np.exp(x - largest), axis=self.axes))
        return logarithm + np.squeeze(largest, axis=self.axes)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return _reduced(inputs[0], self.axes)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        if tangent is None:
            return self(x), None
        return self(x), weighted_sum(Softmax(self.axes)(x), tangent, self.axes)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return LogSumExp(_inner(self.axes))(*inputs)


@final
class Softmax(OverAxes):
    """exp x / sum exp x over the given axes; infinite entries share equally, as equal ones do."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 5 * inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        largest = np.maximum.reduce(x, axis=self.axes, keepdims=True, initial=-np.inf)
        with np.errstate(invalid="ignore"):
            weights = np.exp(np.where(np.equal(x, largest), np.zeros((), typeof(x).dtype), x - largest))
        return weights / np.add.reduce(weights, axis=self.axes, keepdims=True)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        weighted = out * tangent
        return out, weighted - out * restore(Sum(self.axes)(weighted), typeof(x).shape, self.axes)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Softmax(_inner(self.axes))(*inputs)


# --- what is constant on pieces ---------------------------------------------------------------------------


@final
@parametrized
class ArgExtremum(PiecewiseConstant):
    """Where the extreme along an axis is: `np.argmax`, `np.argmin`, `np.nanargmax`, `np.nanargmin`."""

    function: Any = field(repr=lambda function: function.__name__)
    axis: int

    @property
    def name(self) -> str:
        return str(self.function.__name__)

    def evaluate(self, *inputs: Array) -> Array:
        return self.function(inputs[0], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(_reduced(inputs[0], (self.axis,)).shape, np.intp)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return ArgExtremum(self.function, self.axis + 1)(*inputs)


@final
@parametrized
class Truth(PiecewiseConstant):
    """Whether all or any entries over the given axes are true: `np.logical_and`, `np.logical_or`, `np.logical_xor`."""

    ufunc: Any = field(repr=lambda ufunc: ufunc.__name__)
    axes: tuple[int, ...]

    def evaluate(self, *inputs: Array) -> Array:
        return self.ufunc.reduce(inputs[0], axis=self.axes)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(_reduced(inputs[0], self.axes).shape, np.bool_)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Truth(self.ufunc, _inner(self.axes))(*inputs)


# --- weights and shapes -----------------------------------------------------------------------------------------------


def weighted_sum(weights: Array, x: Array, axes: tuple[int, ...]) -> Array:
    """The sum over axes of products of entries, made without storing the products."""
    labels = tuple(range(typeof(x).ndim))
    return contract(labels, labels, tuple(i for i in labels if i not in axes))(weights, x)


def restore(reduced: Array, shape: Shape, axes: tuple[int, ...]) -> Array:
    """A reduction of an array of this shape, with the reduced axes kept at length one."""
    return Reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))(reduced)


def _reduced(kind: ArrayType, axes: tuple[int, ...]) -> ArrayType:
    return ArrayType(tuple(n for i, n in enumerate(kind.shape) if i not in axes), kind.dtype)


def _inner(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)
