"""The functions that rearrange one array: reshape, transpose, flip, roll, broadcast, triangles and diagonals.

    >>> import covector as cv
    >>> cv.grad(lambda x: np.reshape(x, (2, 2)).T[0, 1])(np.arange(4.0))
    array([0., 0., 1., 0.])
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from covector.core.broadcasting import BroadcastTo, Reshape
from covector.core.types import Array, Shape, typeof
from covector.errors import UnsupportedArgumentError
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.axes import Diagonal, Flip, FromDiagonal, Permute, Roll, Triangle
from covector.ops.indexing import moved_axis

Axes = int | Sequence[int]

# --- helpers for all that follow --------------------------------------------------------------------------


def reshaped(x: Array, shape: Shape) -> Array:
    """The entries in C order in another shape of the same size."""
    kind = typeof(x)
    return x if kind.shape == shape and not kind.weak else Reshape(shape)(x)


def permuted(x: Array, axes: Sequence[int]) -> Array:
    """The array with its axes in another order."""
    order = tuple(axes)
    return x if order == tuple(range(len(order))) else Permute(order)(x)


def broadcasted(x: Array, shape: Shape) -> Array:
    """The array repeated along new and unit axes."""
    kind = typeof(x)
    return x if kind.shape == shape and not kind.weak else BroadcastTo(shape)(x)


def as_shape(shape: Axes) -> tuple[int, ...]:
    """A shape, or an axis tuple, as a tuple of Python integers, from an integer or a sequence of them."""
    several: Any = shape if isinstance(shape, (tuple, list)) or np.ndim(shape) else (shape,)
    return tuple(map(operator.index, several))


def flattened(x: Array) -> Array:
    """The entries in C order along one axis."""
    return reshaped(x, (typeof(x).size,))


# --- shape ------------------------------------------------------------------------------------------------


@implements(np.reshape)
def reshape(a: Any, /, shape: Axes, order: str = "C", *, copy: bool | None = None) -> Array:
    """The entries in another shape; -1 stands for whatever length fits."""
    if copy is False:
        refuse(np.reshape, copy=copy)
    a = operand(a)
    target = _resolved(as_shape(shape), typeof(a).size)
    if _is_fortran(a, order):
        reverse = range(typeof(a).ndim)[::-1]
        return permuted(reshaped(permuted(a, reverse), target[::-1]), range(len(target))[::-1])
    return reshaped(a, target)


@implements(methods=("reshape",))
def reshape_method(a: Array, /, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
    """x.reshape(2, 3) or x.reshape((2, 3))."""
    return reshape(a, shape[0] if len(shape) == 1 else shape, order, copy=copy)


@implements(np.ravel, methods=("ravel", "flatten"))
def ravel(a: Any, order: str = "C") -> Array:
    """The entries along one axis."""
    return reshape(a, -1, order)


@implements(attributes=("flat",))
def flat(a: Array) -> Array:
    """The entries along one axis, which can be indexed and iterated over like NumPy's iterator."""
    return flattened(a)


def _resolved(shape: Shape, size: int) -> Shape:
    if shape.count(-1) > 1:
        raise ValueError("can only specify one unknown dimension")
    if any(n < -1 for n in shape):
        raise ValueError("negative dimensions not allowed")
    known = prod(n for n in shape if n != -1)
    found = tuple(size // max(known, 1) if n == -1 else n for n in shape)
    if prod(found) != size or (known == 0 and -1 in shape):
        raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
    return found


def _is_fortran(x: Array, order: str) -> bool:
    if order in ("A", "K") and typeof(x).ndim > 1:
        raise UnsupportedArgumentError(
            f"order={order!r} asks for the memory layout of a traced array, which has none; pass order='C' or 'F'"
        )
    if order not in ("C", "F", "A", "K"):
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    return order == "F"


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Axes) -> Array:
    """The array with new axes of length one at the given places."""
    a = operand(a)
    shape = list(typeof(a).shape)
    axes = as_shape(axis)
    for place in sorted(normalize_axis_tuple(axes, len(shape) + len(axes))):
        shape.insert(place, 1)
    return reshaped(a, tuple(shape))


@implements(np.squeeze, methods=("squeeze",))
def squeeze(a: Any, axis: Axes | None = None) -> Array:
    """The array without its axes of length one, or without the given ones of them."""
    a = operand(a)
    shape = typeof(a).shape
    if axis is None:
        return reshaped(a, tuple(n for n in shape if n != 1))
    axes = normalize_axis_tuple(axis, len(shape))
    if any(shape[i] != 1 for i in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshaped(a, tuple(n for i, n in enumerate(shape) if i not in axes))


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """The arrays with at least one axis."""
    return _each(_with_one_axis, arys)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """The arrays with at least two axes, new ones in front."""
    return _each(_with_two_axes, arys)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """The arrays with at least three axes."""
    return _each(_with_three_axes, arys)


def _each(function: Any, arys: Sequence[Any]) -> Any:
    found = tuple(function(operand(x)) for x in arys)
    return found[0] if len(found) == 1 else found


def _with_one_axis(x: Array) -> Array:
    return reshaped(x, typeof(x).shape or (1,))


def _with_two_axes(x: Array) -> Array:
    shape = typeof(x).shape
    return reshaped(x, (1,) * (2 - len(shape)) + shape)


def _with_three_axes(x: Array) -> Array:
    shape = typeof(x).shape
    return reshaped(x, {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}.get(len(shape), shape))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Axes, subok: bool = False) -> Array:
    """The array repeated along new and unit axes."""
    array = operand(array)
    target, found = as_shape(shape), typeof(array).shape
    matches = all(n in (1, m) for n, m in zip(found[::-1], target[::-1], strict=False))
    if len(found) > len(target) or not matches:
        raise ValueError(f"cannot broadcast an array of shape {found} to shape {target}")
    return broadcasted(array, target)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    """The arrays repeated to their common shape."""
    arrays = [operand(x) for x in args]
    shape = np.broadcast_shapes(*(typeof(x).shape for x in arrays))
    return tuple(broadcasted(x, shape) for x in arrays)


# --- the order of axes ------------------------------------------------------------------------------------


@implements(np.transpose)
def transpose(a: Any, axes: Sequence[int] | None = None) -> Array:
    """The axes in reverse order, or in the given one."""
    a = operand(a)
    ndim = typeof(a).ndim
    if axes is None:
        return permuted(a, range(ndim)[::-1])
    if len(axes) != ndim:
        raise ValueError(f"transpose was given {len(axes)} axes for an array with {ndim}")
    return permuted(a, normalize_axis_tuple(axes, ndim))


@implements(methods=("transpose",))
def transpose_method(a: Array, /, *axes: Any) -> Array:
    """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
    return transpose(a, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None)


@implements(attributes=("T",))
def transposed(a: Array) -> Array:
    """x.T: the axes in reverse order."""
    return permuted(a, range(a.ndim)[::-1])


@implements(np.matrix_transpose, np.linalg.matrix_transpose, attributes=("mT",))
def matrix_transpose(x: Any, /) -> Array:
    """The last two axes exchanged."""
    x = operand(x)
    if typeof(x).ndim < 2:
        raise ValueError(f"the matrix transpose needs two axes at least; this is {typeof(x)}")
    return swapaxes(x, -1, -2)


@implements(np.swapaxes, methods=("swapaxes",))
def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    a = operand(a)
    order = list(range(typeof(a).ndim))
    i, j = normalize_axis_index(axis1, len(order)), normalize_axis_index(axis2, len(order))
    order[i], order[j] = j, i
    return permuted(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Axes, destination: Axes) -> Array:
    """Axes moved to other places, the others in order."""
    a = operand(a)
    ndim = typeof(a).ndim
    sources = normalize_axis_tuple(source, ndim, "source")
    destinations = normalize_axis_tuple(destination, ndim, "destination")
    if len(sources) != len(destinations):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [i for i in range(ndim) if i not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return permuted(a, order)


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """An axis moved to before the axis `start`."""
    a = operand(a)
    ndim = typeof(a).ndim
    axis = normalize_axis_index(axis, ndim)
    place = start + ndim if start < 0 else start
    if not 0 <= place <= ndim:
        raise np.exceptions.AxisError(f"'start' arg requires {-ndim} <= start < {ndim + 1}, but {start} was passed in")
    return moved_axis(a, axis, place - 1 if axis < place else place)


# --- the order of entries ---------------------------------------------------------------------------------


@implements(np.flip)
def flip(m: Any, axis: Axes | None = None) -> Array:
    """The entries in reverse order along all or the given axes."""
    m = operand(m)
    ndim = typeof(m).ndim
    axes = tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)
    return Flip(tuple(sorted(axes)))(m) if axes else m


@implements(np.flipud)
def flipud(m: Any) -> Array:
    """The rows in reverse order."""
    return _flipped(m, 0)


@implements(np.fliplr)
def fliplr(m: Any) -> Array:
    """The columns in reverse order."""
    return _flipped(m, 1)


def _flipped(m: Any, axis: int) -> Array:
    m = operand(m)
    if typeof(m).ndim <= axis:
        raise ValueError(f"Input must be >= {axis + 1}-d.")
    return Flip((axis,))(m)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    """The plane of two axes turned k times by 90 degrees, from the first axis towards the second."""
    m = operand(m)
    first, second = normalize_axis_tuple(axes, typeof(m).ndim)
    turns = k % 4
    if turns == 0:
        return m
    if turns == 2:
        return Flip(tuple(sorted((first, second))))(m)
    if turns == 1:
        return swapaxes(Flip((second,))(m), first, second)
    return Flip((second,))(swapaxes(m, first, second))


@implements(np.roll)
def roll(a: Any, shift: Axes, axis: Axes | None = None) -> Array:
    """The entries moved on along axes (or along the flattened array), those pushed over the end put first."""
    a = operand(a)
    if axis is None:
        return reshaped(roll(flattened(a), sum(as_shape(shift)), 0), typeof(a).shape)
    axes = normalize_axis_tuple(axis, typeof(a).ndim, allow_duplicate=True)
    shifts, places = np.broadcast_arrays(as_shape(shift), axes)
    if shifts.ndim != 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    return Roll(tuple(shifts.tolist()), tuple(places.tolist()))(a)


# --- triangles and diagonals ------------------------------------------------------------------------------


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Array:
    """The lower triangle, zeros above the k-th diagonal."""
    return Triangle(True, operator.index(k))(_matrices(m))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Array:
    """The upper triangle, zeros below the k-th diagonal."""
    return Triangle(False, operator.index(k))(_matrices(m))


def _matrices(m: Any) -> Array:
    """A vector is repeated as the rows of a square matrix, as np.tril and np.triu do."""
    m = operand(m)
    shape = typeof(m).shape
    if not shape:
        raise TypeError("the triangle of a 0-d array was asked for; it needs at least one axis")
    return broadcasted(m, shape * 2) if len(shape) == 1 else m


@implements(np.diagonal, methods=("diagonal",))
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The entries whose index along axis2 is their index along axis1 plus the offset; they form the last axis."""
    a = operand(a)
    ndim = typeof(a).ndim
    if ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    first, second = normalize_axis_index(axis1, ndim), normalize_axis_index(axis2, ndim)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    rest = [i for i in range(ndim) if i not in (first, second)]
    return Diagonal(operator.index(offset))(permuted(a, [*rest, first, second]))


@implements(np.linalg.diagonal)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The diagonals of the matrices in the last two axes."""
    return diagonal(x, offset, -2, -1)


@implements(np.trace, methods=("trace",))
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Array:
    """The sum of the diagonal."""
    refuse(np.trace, out=out)
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.linalg.trace)
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of the matrices in the last two axes."""
    return trace(x, offset, -2, -1, dtype)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Array:
    """The diagonal of a matrix, or the diagonal matrix of a vector."""
    v, k = operand(v), operator.index(k)
    shape = typeof(v).shape
    if len(shape) == 2:
        return Diagonal(k)(v)
    if len(shape) != 1:
        raise ValueError("Input must be 1- or 2-d.")
    side = shape[0] + abs(k)
    return FromDiagonal(k, side, side)(v)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Array:
    """The diagonal matrix of the flattened array."""
    return diag(flattened(operand(v)), k)
