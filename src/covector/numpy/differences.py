"""Differences of neighbouring entries: diff, ediff1d and gradient, differentiable in the spacings too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.numpy.creation import converted
from covector.numpy.operands import operand
from covector.numpy.registry import implements
from covector.numpy.shapes import flattened, reshaped
from covector.ops.axes import Concatenate
from covector.ops.indexing import WHOLE, Slice


def part(x: Array, axis: int, start: int | None, stop: int | None = None) -> Array:
    """The entries from start to stop along one axis."""
    return Slice((*(WHOLE,) * axis, (start, stop, None)))(x)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue) -> Array:
    """The n-th differences of neighbours along an axis, after joining `prepend` and `append` to it."""
    a = operand(a)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if typeof(a).ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, typeof(a).ndim)
    pieces = [_as_slab(x, a, axis) for x in (prepend, a, append) if x is not np._NoValue]
    a = Concatenate(axis)(*pieces) if len(pieces) > 1 else a
    subtract = np.not_equal if typeof(a).dtype == bool else np.subtract
    for _ in range(n):
        a = subtract(part(a, axis, 1), part(a, axis, None, -1))
    return a


def _as_slab(x: Any, like: Array, axis: int) -> Array:
    x = operand(x)
    if typeof(x).ndim:
        return x
    shape = typeof(like).shape
    return np.broadcast_to(x, (*shape[:axis], 1, *shape[axis + 1 :]))


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """The differences of neighbours in the flattened array, between `to_begin` and `to_end`."""
    a = flattened(operand(ary))
    differences = part(a, 0, 1) - part(a, 0, None, -1)
    dtype = typeof(a).dtype
    before, after = _extra("to_begin", to_begin, dtype), _extra("to_end", to_end, dtype)
    pieces = [x for x in (before, differences, after) if x is not None]
    return Concatenate(0)(*pieces) if len(pieces) > 1 else differences


def _extra(name: str, x: Any, dtype: np.dtype[Any]) -> Array | None:
    if x is None:
        return None
    x = operand(x)
    if not np.can_cast(typeof(x).dtype, dtype, casting="same_kind"):
        raise TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
    return converted(flattened(x), dtype)


# --- gradient ---------------------------------------------------------------------------------------------


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences inside, one-sided ones of first or second order at the ends, along each axis.

    The spacing is a number or an array of coordinates, for all axes or for each.
    """
    f = operand(f)
    axes = tuple(range(typeof(f).ndim)) if axis is None else normalize_axis_tuple(axis, typeof(f).ndim)
    if edge_order not in (1, 2):
        raise ValueError(f"'edge_order' must be 1 or 2, not {edge_order!r}")
    if typeof(f).dtype.kind in "iub":
        f = converted(f, np.float64)
    spacings = _spacings(f, varargs, axes)
    slopes = tuple(_slopes(f, i, h, edge_order) for i, h in zip(axes, spacings, strict=True))
    return slopes[0] if len(axes) == 1 else slopes


def _spacings(f: Array, given: Sequence[Any], axes: Sequence[int]) -> list[Array]:
    """For each axis the step, a number, or the steps between neighbours."""
    if not given:
        return [1.0] * len(axes)
    steps = [operand(x) for x in given]
    if len(steps) == 1 and typeof(steps[0]).ndim == 0:
        return steps * len(axes)
    if len(steps) != len(axes):
        raise TypeError(f"np.gradient was given {len(steps)} spacings for {len(axes)} axes")
    return [_steps(x, typeof(f).shape[i]) for x, i in zip(steps, axes, strict=True)]


def _steps(coordinates: Array, length: int) -> Array:
    shape = typeof(coordinates).shape
    if not shape:
        return coordinates
    if len(shape) > 1:
        raise ValueError("distances must be either scalars or 1d")
    if shape[0] != length:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    if typeof(coordinates).dtype.kind in "iu":
        coordinates = converted(coordinates, np.float64)
    steps = np.diff(coordinates)
    if isinstance(steps, Tracer) or not (steps == steps[0]).all():
        return steps
    return steps[0]


def _slopes(f: Array, axis: int, steps: Array, edge_order: int) -> Array:
    length = typeof(f).shape[axis]
    if length < edge_order + 1:
        raise ValueError(
            f"np.gradient needs edge_order + 1 = {edge_order + 1} entries at least along axis {axis}; it has {length}"
        )
    if typeof(steps).ndim == 0:
        before, after = _ends_of_uniform(f, axis, steps, edge_order)
        middle = (part(f, axis, 2) - part(f, axis, None, -2)) / (2.0 * steps)
    else:
        steps = reshaped(steps, tuple(length - 1 if i == axis else 1 for i in range(typeof(f).ndim)))
        before, after = _ends(f, axis, steps, edge_order)
        middle = _inner(f, axis, steps)
    return converted(Concatenate(axis)(before, middle, after), typeof(f).dtype)


def _ends_of_uniform(f: Array, axis: int, h: Array, edge_order: int) -> tuple[Array, Array]:
    first, second = part(f, axis, 0, 1), part(f, axis, 1, 2)
    last, previous = part(f, axis, -1), part(f, axis, -2, -1)
    if edge_order == 1:
        return (second - first) / h, (last - previous) / h
    third, earlier = part(f, axis, 2, 3), part(f, axis, -3, -2)
    return (
        -1.5 / h * first + 2.0 / h * second + -0.5 / h * third,
        0.5 / h * earlier + -2.0 / h * previous + 1.5 / h * last,
    )


def _ends(f: Array, axis: int, steps: Array, edge_order: int) -> tuple[Array, Array]:
    first, second = part(f, axis, 0, 1), part(f, axis, 1, 2)
    last, previous = part(f, axis, -1), part(f, axis, -2, -1)
    if edge_order == 1:
        return (second - first) / part(steps, axis, 0, 1), (last - previous) / part(steps, axis, -1)
    third, earlier = part(f, axis, 2, 3), part(f, axis, -3, -2)
    h, k = part(steps, axis, 0, 1), part(steps, axis, 1, 2)
    before = -(2.0 * h + k) / (h * (h + k)) * first + (h + k) / (h * k) * second - h / (k * (h + k)) * third
    h, k = part(steps, axis, -2, -1), part(steps, axis, -1)
    after = k / (h * (h + k)) * earlier - (k + h) / (h * k) * previous + (2.0 * k + h) / (k * (h + k)) * last
    return before, after


def _inner(f: Array, axis: int, steps: Array) -> Array:
    """The derivative at the middle of the parabola through three neighbours at distances h and k."""
    h, k = part(steps, axis, None, -1), part(steps, axis, 1)
    below, here, above = part(f, axis, None, -2), part(f, axis, 1, -1), part(f, axis, 2)
    return -k / (h * (h + k)) * below + (k - h) / (h * k) * here + h / (k * (h + k)) * above
