"""The functions of index arrays, and those that apply a user's function along axes or by places.

    >>> import covector as cv
    >>> cv.grad(lambda w: np.bincount([0, 2, 2], w)[2])(np.array([1.0, 2.0, 3.0]))
    array([0., 1., 1.])
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.types import Array, typeof
from covector.numpy.creation import cast
from covector.numpy.indexing import index
from covector.numpy.inquiries import known
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.numpy.shapes import as_shape, reshaped
from covector.ops.axes import Stack, Unstack
from covector.ops.indexing import ScatterAdd, moved_axis

# --- index arrays -----------------------------------------------------------------------------------------


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Array, ...]:
    """Vectors of indices, or masks, as index arrays that span their product."""
    vectors = [_as_places(operand(x)) for x in args]
    return tuple(
        reshaped(x, tuple(typeof(x).size if i == axis else 1 for i in range(len(vectors))))
        for axis, x in enumerate(vectors)
    )


def _as_places(x: Array) -> Array:
    if typeof(x).ndim != 1:
        raise ValueError("Cross index must be 1 dimensional")
    return np.flatnonzero(x) if typeof(x).dtype == bool else x


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Array, ...]:
    """Indices into the flattened array as one index array for each axis; negative ones count from the end."""
    lengths = as_shape(shape)
    rest = index(np.arange(prod(lengths)), operand(indices))
    steps = [prod(lengths[:i] if order == "F" else lengths[i + 1 :]) for i in range(len(lengths))]
    first = len(lengths) - 1 if order == "F" else 0
    return tuple(
        np.floor_divide(rest, step) if i == first else np.remainder(np.floor_divide(rest, step), n)
        for i, (step, n) in enumerate(zip(steps, lengths, strict=True))
    )


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Array:
    """One index array for each axis as indices into the flattened array; negative ones count from the end."""
    if mode != "raise":
        refuse(np.ravel_multi_index, mode=mode)
    lengths = as_shape(dims)
    numbers = np.arange(prod(lengths))
    return index(numbers.reshape(lengths, order="F" if order == "F" else "C"), tuple(multi_index))


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Array:
    """How often each number occurs, or the sum of the weights of its occurrences."""
    numbers = known(x, "np.bincount, whose answer's shape depends on the numbers,")
    if weights is None:
        return np.bincount(numbers, minlength=minlength)
    weights = cast(operand(weights), np.float64, "safe")
    length = np.bincount(numbers, minlength=minlength).size
    if typeof(weights).shape != np.shape(numbers):
        raise ValueError("The weights and list don't have the same length.")
    return ScatterAdd((length,))(weights, numbers)


# --- a function applied -----------------------------------------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Array:
    """The results of a function of the vectors along an axis, in its place."""
    arr = operand(arr)
    axis = normalize_axis_index(axis, typeof(arr).ndim)
    *outer, length = typeof(moved_axis(arr, axis, typeof(arr).ndim - 1)).shape
    if prod(outer) == 0:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    vectors = Unstack(0)(reshaped(moved_axis(arr, axis, len(outer)), (prod(outer), length)))
    results = Stack(0)(*(operand(func1d(vector, *args, **kwargs)) for vector in vectors))
    inner = typeof(results).shape[1:]
    results = reshaped(results, (*outer, *inner))
    order = [*range(axis), *range(len(outer), len(outer) + len(inner)), *range(axis, len(outer))]
    return np.transpose(results, order)


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Array:
    """The result of func(func(a, axis), axis) for each of the axes, which are kept."""
    value = operand(a)
    ndim = typeof(value).ndim
    for axis in as_shape(axes):
        reduced = operand(func(value, normalize_axis_index(axis, ndim)))
        value = reduced if typeof(reduced).ndim == ndim else np.expand_dims(reduced, axis)
        if typeof(value).ndim != ndim:
            raise ValueError("function is not returning an array of the correct shape")
    return value


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """The powers of the entries, one column for each."""
    x = operand(x)
    if typeof(x).ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = typeof(x).size if N is None else N
    powers = [np.ones(typeof(x).shape, np.promote_types(typeof(x).dtype, int))][:count]
    while len(powers) < count:
        powers.append(powers[-1] * x)
    columns = Stack(1)(*powers) if powers else np.zeros((typeof(x).size, 0), typeof(x).dtype)
    return columns if increasing else np.fliplr(columns)
