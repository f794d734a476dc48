"""numpy.linalg's norms, condition numbers and ranks.

A norm is not differentiable at the origin; its derivative there is 0, the middle of its subgradients. Where
several entries, columns or singular values are the largest, they share the derivative equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.linalg import LinAlgError

from covector.core.types import Array, typeof
from covector.numpy.linalg import eigvalsh, floating, inv, matrices, squares, svdvals
from covector.numpy.operands import operand
from covector.numpy.reductions import finished, merged, squared_magnitude
from covector.numpy.registry import implements
from covector.ops.arithmetic import RATIO
from covector.ops.axes import Sum
from covector.ops.comparison import EQUAL, NOT_EQUAL, SELECT, cast
from covector.ops.elementary import ROOT_OF_SQUARES
from covector.ops.indexing import Slice, moved_axis
from covector.ops.matrices import SIGNIFICANT, as_row
from covector.ops.parts import real_dtype
from covector.transforms.stop import stop_gradient

Order = float | str | None


@implements(np.linalg.norm)
def norm(x: Any, ord: Order = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of vectors along one axis, of matrices along two, or of all entries."""
    x = floating(x)
    ndim = typeof(x).ndim
    if axis is None and (ord is None or (ord in ("f", "fro") and ndim == 2) or (ord == 2 and ndim == 1)):
        axes = tuple(range(ndim))
        return finished(_euclidean(x, axes), x, axes, keepdims)
    axes = tuple(range(ndim)) if axis is None else _axes(axis, ndim)
    if len(axes) == 1:
        return finished(_vector_norm(x, ord, axes[0]), x, axes, keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    if axes[0] == axes[1]:
        raise ValueError("Duplicate axes given.")
    return finished(_matrix_norm(x, ord, axes), x, axes, keepdims)


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if not isinstance(axis, tuple):
        try:
            axis = (int(axis),)
        except Exception as error:
            raise TypeError("'axis' must be None, an integer or a tuple of integers") from error
    return tuple(normalize_axis_index(each, ndim) for each in axis)


def _euclidean(x: Array, axes: tuple[int, ...]) -> Array:
    return ROOT_OF_SQUARES(Sum(axes)(squared_magnitude(x)))


def _vector_norm(x: Array, order: Order, axis: int) -> Array:
    if order is None or order == 2:
        return _euclidean(x, (axis,))
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    if order == 0:
        return Sum((axis,))(cast(NOT_EQUAL(x, 0), real_dtype(typeof(x).dtype)))
    magnitudes = np.abs(x)
    if order == np.inf:
        return np.max(magnitudes, axis=axis)
    if order == -np.inf:
        return np.min(magnitudes, axis=axis)
    if order == 1:
        return Sum((axis,))(magnitudes)
    return _root(Sum((axis,))(magnitudes ** float(order)), float(order))


def _root(total: Array, order: float) -> Array:
    """total ** (1 / order), with derivative 0 at 0."""
    if order < 0:
        return total ** (1.0 / order)
    origin = EQUAL(total, 0)
    return SELECT(origin, 0.0, SELECT(origin, 1.0, total) ** (1.0 / order))


def _matrix_norm(x: Array, order: Order, axes: tuple[int, int]) -> Array:
    if order in (None, "fro", "f"):
        return _euclidean(x, axes)
    ndim = typeof(x).ndim
    column = axes[1] - (axes[1] > axes[0])
    x = moved_axis(moved_axis(x, axes[0], ndim - 1), column, ndim - 1)
    if order in (2, -2, "nuc"):
        return _norm_of_singular_values(svdvals(x), order)
    if order not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    sums = Sum((ndim - 2 if abs(float(order)) == 1 else ndim - 1,))(np.abs(x))
    return np.max(sums, axis=-1) if float(order) > 0 else np.min(sums, axis=-1)


def _norm_of_singular_values(s: Array, order: Order) -> Array:
    if order == 2:
        return np.max(s, axis=-1)
    if order == -2:
        return np.min(s, axis=-1)
    # The vectors of singular values that are zero have any direction: such values count as constants.
    return np.sum(SELECT(SIGNIFICANT(as_row(s), s), as_row(s), 0.0), axis=(-2, -1))


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    """The norm of the entries along any number of axes, as one vector."""
    x = floating(x)
    ndim = typeof(x).ndim
    axes = tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)
    together = merged(x, axes)
    return finished(_vector_norm(together, ord, typeof(together).ndim - 1), x, axes, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Order = "fro") -> Array:
    """The norm of the matrices in the last two axes."""
    return norm(matrices(x), ord, (-2, -1), keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Order = None) -> Array:
    """The condition number of matrices: the norm of each times the norm of its inverse."""
    x = matrices(x)
    if typeof(x).size == 0:
        raise LinAlgError("cond is not defined on empty arrays")
    if p in (None, 2, -2):
        s = svdvals(x)
        largest, smallest = Slice((Ellipsis, 0))(s), Slice((Ellipsis, -1))(s)
        ratio = RATIO(smallest, largest) if p == -2 else RATIO(largest, smallest)
    else:
        ratio = _norm_times_inverse(x, p)
    spoiled = np.isnan(ratio) & ~np.any(np.isnan(x), axis=(-2, -1))
    return SELECT(spoiled, np.inf, ratio)


def _norm_times_inverse(x: Array, p: Order) -> Array:
    """The norm of matrices times that of their inverses, which is infinite where elimination meets a zero pivot."""
    regular = np.not_equal(np.linalg.slogdet(stop_gradient(squares(x)))[0], 0)[..., None, None]
    inverse = inv(SELECT(regular, x, np.eye(typeof(x).shape[-1], dtype=typeof(x).dtype)))
    infinite = cast(np.where(regular, 0.0, np.inf), real_dtype(typeof(x).dtype))
    return norm(x, p, (-2, -1)) * norm(inverse + infinite, p, (-2, -1))


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    """How many singular values are larger than the tolerance."""
    a = operand(A)
    if rtol is not None and tol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    if typeof(a).ndim < 2:
        return np.any(a != 0).astype(np.int64)
    s = np.abs(eigvalsh(squares(a))) if hermitian else svdvals(a)
    if tol is None:
        relative = max(a.shape[-2:]) * np.finfo(typeof(s).dtype).eps if rtol is None else np.asarray(rtol)[..., None]
        threshold = np.max(s, axis=-1, keepdims=True) * relative
    else:
        threshold = np.asarray(tol)[..., None]
    return np.count_nonzero(s > threshold, axis=-1)
