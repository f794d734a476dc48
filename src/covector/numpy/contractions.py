"""NumPy's products of arrays: dot, matmul, inner, outer, tensordot, vecdot, kron, cross, convolve, ...

Each only has to say which axes of its operands are paired; `covector.ops.contraction` does the rest.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from covector.core.broadcasting import Reshape
from covector.core.protocol import table
from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.axes import Concatenate
from covector.ops.comparison import cast
from covector.ops.contraction import (
    Labels,
    broadcast_product,
    contract,
    convolution,
    matrix_product,
)
from covector.ops.indexing import WHOLE, Slice, moved_axis
from covector.ops.parts import CONJUGATE

# --- the array products with an operator or ufunc of their own ------------------------------------------


def matmul(x1: Any, x2: Any) -> Array:
    """x1 @ x2."""
    return matrix_product(operand(x1), operand(x2))


def vecdot(x1: Any, x2: Any) -> Array:
    """The sum of conj(x1) x2 over the last axis."""
    x, y = conjugated(operand(x1)), operand(x2)
    leading = _leading("vecdot", (x, 1), (y, 1))
    _check_paired("vecdot", x, -1, y, -1)
    return broadcast_product(x, y, (*leading[0], -1), (*leading[1], -1), leading[2])


def matvec(x1: Any, x2: Any) -> Array:
    """Matrices times vectors: the sum of x1[..., i, k] x2[..., k] over k."""
    x, y = operand(x1), operand(x2)
    leading = _leading("matvec", (x, 2), (y, 1))
    _check_paired("matvec", x, -1, y, -1)
    return broadcast_product(x, y, (*leading[0], -2, -1), (*leading[1], -1), (*leading[2], -2))


def vecmat(x1: Any, x2: Any) -> Array:
    """Vectors times matrices: the sum of conj(x1[..., k]) x2[..., k, j] over k."""
    x, y = conjugated(operand(x1)), operand(x2)
    leading = _leading("vecmat", (x, 1), (y, 2))
    _check_paired("vecmat", x, -1, y, -2)
    return broadcast_product(x, y, (*leading[0], -1), (*leading[1], -1, -2), (*leading[2], -2))


def _leading(name: str, *operands: tuple[Array, int]) -> tuple[Labels, ...]:
    """The labels of the leading axes of two operands and of their product: those not of the core."""
    counts = [typeof(x).ndim - core for x, core in operands]
    if min(counts) < 0:
        raise ShapeMismatchError(f"{name}: an operand does not have enough dimensions")
    leading = tuple(range(max(counts)))
    return (*(leading[len(leading) - n :] for n in counts), leading)


def _check_paired(name: str, x: Array, axis_x: int, y: Array, axis_y: int) -> None:
    if x.shape[axis_x] != y.shape[axis_y]:
        raise ShapeMismatchError(f"{name}: shapes {x.shape} and {y.shape} pair axes of different lengths")


def conjugated(x: Array) -> Array:
    """The complex conjugate; a real array is its own."""
    return CONJUGATE(x) if typeof(x).dtype.kind == "c" else x


table.matmul = matmul
table.ufuncs[np.matmul] = matmul
for _name, _product in (("vecdot", vecdot), ("matvec", matvec), ("vecmat", vecmat)):
    if hasattr(np, _name):  # NumPy 2.0 has vecdot, 2.2 all three
        table.ufuncs[getattr(np, _name)] = _product


@implements(np.linalg.matmul)
def _linalg_matmul(x1: Any, x2: Any, /) -> Array:
    return matmul(x1, x2)


@implements(np.linalg.vecdot)
def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    x, y = operand(x1), operand(x2)
    return vecdot(*(moved_axis(z, normalize_axis_index(axis, typeof(z).ndim), typeof(z).ndim - 1) for z in (x, y)))


# --- the other products ---------------------------------------------------------------------------------


@implements(np.dot, methods=("dot",))
def dot(a: Any, b: Any, out: None = None) -> Array:
    """The sum product over the last axis of a and the last but one of b (the last of a vector)."""
    refuse(np.dot, out=out)
    x, y = operand(a), operand(b)
    ndim_x, ndim_y = typeof(x).ndim, typeof(y).ndim
    if ndim_x == 0 or ndim_y == 0:
        return _of_dtype(x) * _of_dtype(y)
    return _paired("dot", x, y, [ndim_x - 1], [max(ndim_y - 2, 0)])


def _of_dtype(x: Array) -> Array:
    """The array that NumPy makes of a number, which has a dtype and does not adapt."""
    return cast(x, typeof(x).dtype)


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Array:
    """The sum product over the last axes."""
    x, y = operand(a), operand(b)
    ndim_x, ndim_y = typeof(x).ndim, typeof(y).ndim
    if ndim_x == 0 or ndim_y == 0:
        return _of_dtype(x) * _of_dtype(y)
    return _paired("inner", x, y, [ndim_x - 1], [ndim_y - 1])


@implements(np.outer)
def outer(a: Any, b: Any, out: None = None) -> Array:
    """All products of an entry of a and an entry of b."""
    refuse(np.outer, out=out)
    return contract((0,), (1,), (0, 1))(_flat(a), _flat(b))


@implements(np.linalg.outer)
def _linalg_outer(x1: Any, x2: Any, /) -> Array:
    x, y = operand(x1), operand(x2)
    if typeof(x).ndim != 1 or typeof(y).ndim != 1:
        raise ShapeMismatchError(
            f"numpy.linalg.outer takes two vectors, not arrays with {typeof(x).ndim} and {typeof(y).ndim} axes"
        )
    return outer(x, y)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Array:
    """The sum of conj(a) b over all entries."""
    return _paired("vdot", conjugated(_flat(a)), _flat(b), [0], [0])


def _flat(x: Any) -> Array:
    return Reshape((typeof(operand(x)).size,))(operand(x))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """The sum product over the given axes of a and of b, or over the last `axes` of a and the first of b."""
    x, y = operand(a), operand(b)
    ndim_x, ndim_y = typeof(x).ndim, typeof(y).ndim
    if isinstance(axes, (int, np.integer)) or getattr(axes, "ndim", 1) == 0:
        number = operator.index(axes)
        return _paired("tensordot", x, y, range(ndim_x - number, ndim_x), range(number))
    axes_x, axes_y = (tuple(np.atleast_1d(side)) for side in axes)
    if len(axes_x) != len(axes_y):
        raise ShapeMismatchError(f"tensordot: {len(axes_x)} axes of a are paired with {len(axes_y)} of b")
    return _paired("tensordot", x, y, normalize_axis_tuple(axes_x, ndim_x), normalize_axis_tuple(axes_y, ndim_y))


@implements(np.linalg.tensordot)
def _linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    return tensordot(x1, x2, axes)


def _paired(name: str, x: Array, y: Array, axes_x: Sequence[int], axes_y: Sequence[int]) -> Array:
    """The product summed over pairs of axes, the others in order: those of x, then those of y."""
    kind_x, kind_y = typeof(x), typeof(y)
    number = count(kind_x.ndim)
    left = tuple(range(kind_x.ndim))
    partner = dict(zip(axes_y, axes_x, strict=True))
    if any(kind_x.shape[i] != kind_y.shape[j] for j, i in partner.items()):
        raise ShapeMismatchError(
            f"{name}: shapes {kind_x.shape} and {kind_y.shape} are not aligned along axes {[*axes_x]} and {[*axes_y]}"
        )
    right = tuple(partner[j] if j in partner else next(number) for j in range(kind_y.ndim))
    out = (*(i for i in left if i not in partner.values()), *(i for i in right if i >= kind_x.ndim))
    return contract(left, right, out)(x, y)


@implements(np.kron)
def kron(a: Any, b: Any) -> Array:
    """Blocks of b, one for each entry of a, multiplied by it."""
    x, y = operand(a), operand(b)
    ndim = max(typeof(x).ndim, typeof(y).ndim)
    x, y = (Reshape((1,) * (ndim - typeof(z).ndim) + typeof(z).shape)(z) for z in (x, y))
    evens, odds = tuple(range(0, 2 * ndim, 2)), tuple(range(1, 2 * ndim, 2))
    product = contract(evens, odds, tuple(range(2 * ndim)))(x, y)
    shape = tuple(m * n for m, n in zip(typeof(x).shape, typeof(y).shape, strict=True))
    return Reshape(shape)(product)


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """The cross product of vectors with 3 components; a vector with 2 has a third one that is zero."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _vectors(a, axisa, "axisa"), _vectors(b, axisb, "axisb")
    planar = [z.shape[-1] == 2 for z in (x, y)]
    if any(planar):
        warnings.warn(
            "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors instead.",
            DeprecationWarning,
            stacklevel=2,
        )
    if all(planar):
        return _component(x, 0) * _component(y, 1) - _component(x, 1) * _component(y, 0)
    x, y = (_with_third(z) if flat else z for z, flat in zip((x, y), planar, strict=True))
    product = _rolled(x, 1) * _rolled(y, 2) - _rolled(x, 2) * _rolled(y, 1)
    ndim = typeof(product).ndim
    return moved_axis(product, ndim - 1, normalize_axis_index(axisc, ndim, "axisc"))


@implements(np.linalg.cross)
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    x, y = operand(x1), operand(x2)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ShapeMismatchError(
            f"numpy.linalg.cross takes vectors with 3 components, not {x.shape[axis]} and {y.shape[axis]}"
        )
    return cross(x, y, axis=axis)


def _vectors(x: Any, axis: int, name: str) -> Array:
    """The operand with the axis of its 2 or 3 components last."""
    x = operand(x)
    ndim = typeof(x).ndim
    x = moved_axis(x, normalize_axis_index(axis, ndim, name), ndim - 1)
    if x.shape[-1] not in (2, 3):
        raise ShapeMismatchError("incompatible dimensions for cross product: a vector has 2 or 3 components")
    return x


def _component(x: Array, i: int) -> Array:
    return Slice((Ellipsis, i))(x)


def _with_third(x: Array) -> Array:
    kind = typeof(x)
    return Concatenate(kind.ndim - 1)(x, np.zeros((*kind.shape[:-1], 1), kind.dtype))


def _rolled(x: Array, shift: int) -> Array:
    """The components (0, 1, 2) in the order (shift, shift + 1, shift + 2) modulo 3."""
    axis = typeof(x).ndim - 1
    whole = (WHOLE,) * axis
    return Concatenate(axis)(Slice((*whole, (shift, 3, None)))(x), Slice((*whole, (0, shift, None)))(x))


# --- convolutions ---------------------------------------------------------------------------------------


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    """The sums of a[k] v[n - k] over k."""
    x, y = _sequence(a), _sequence(v)
    if x.shape[0] < y.shape[0]:
        x, y = y, x
    return _windowed(_convolution(y, x), x.shape[0], y.shape[0], mode)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    """The sums of a[n + k] conj(v[k]) over k."""
    x, y = _sequence(a), conjugated(_sequence(v))
    backwards = Slice(((None, None, -1),))
    if x.shape[0] >= y.shape[0]:
        return _windowed(_convolution(backwards(y), x), x.shape[0], y.shape[0], mode)
    return backwards(_windowed(_convolution(backwards(x), y), y.shape[0], x.shape[0], mode))


def _convolution(short: Array, long: Array) -> Array:
    """The convolution in the dtype of the products, in which NumPy adds them up: small integers wrap around."""
    return cast(convolution(short, long), np.result_type(typeof(short).dtype, typeof(long).dtype))


def _sequence(x: Any) -> Array:
    x = operand(x)
    if typeof(x).ndim == 0:
        x = Reshape((1,))(x)
    if typeof(x).ndim != 1:
        raise ShapeMismatchError(f"a convolution takes sequences, not an array of shape {x.shape}")
    if x.shape[0] == 0:
        raise ShapeMismatchError("a convolution takes sequences that are not empty")
    return x


def _windowed(full: Array, long: int, short: int, mode: str) -> Array:
    """The part of a full convolution that the mode asks for."""
    if mode == "full":
        return full
    if mode == "same":
        start = (short - 1) // 2
        return Slice(((start, start + long, None),))(full)
    if mode == "valid":
        return Slice(((short - 1, long, None),))(full)
    raise ValueError(f"mode of a convolution is 'full', 'same' or 'valid', not {mode!r}")
