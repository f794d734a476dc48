"""NumPy's reductions: sum, prod, max, mean, var, cumsum, all, argmax and their relatives.

Each has NumPy's signature. `where` masks entries with the neutral element (or the `initial` value) before
reducing; `out` is refused, because a traced result is a new value.

    >>> mean(np.array([[1.0, 2.0], [3.0, 6.0]]), axis=0)
    array([2., 4.])
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from covector.core.broadcasting import BroadcastTo, Reshape, SumTo
from covector.core.interpreter import Tracer
from covector.core.types import Array, ArrayType, typeof
from covector.numpy.operands import operand
from covector.numpy.registry import implements, newer, refuse
from covector.numpy.ufuncs import is_complex
from covector.ops.accumulation import CumulativeProduct, CumulativeSum
from covector.ops.axes import Permute, Sum
from covector.ops.comparison import NOT_EQUAL, SELECT, Extreme, cast
from covector.ops.elementary import ROOT_OF_SQUARES
from covector.ops.parts import IMAGINARY_PART, REAL_PART
from covector.ops.reduction import ArgExtremum, Extremum, LogSumExp, Product, Truth, Variance, restore

NOT_GIVEN: Any = np._NoValue

# --- axes, masks and dtypes -------------------------------------------------------------------------------


def axes_of(x: Array, axis: Any) -> tuple[int, ...]:
    """The axes to reduce, sorted and non-negative; all of them for None."""
    ndim = typeof(x).ndim
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if axis is None or (ndim == 0 and axis in (0, -1)):  # NumPy reduces a number along what would be its axis
        return tuple(range(ndim))
    return tuple(sorted(normalize_axis_tuple(axis, ndim)))


def merged(x: Array, axes: tuple[int, ...]) -> Array:
    """The given axes as one axis, moved to the end."""
    kind = typeof(x)
    kept = tuple(i for i in range(kind.ndim) if i not in axes)
    moved = x if (*kept, *axes) == tuple(range(kind.ndim)) else Permute((*kept, *axes))(x)
    shape = (*(kind.shape[i] for i in kept), count_of(x, axes))
    return moved if typeof(moved).shape == shape else Reshape(shape)(moved)


def count_of(x: Array, axes: tuple[int, ...]) -> int:
    """How many entries are reduced to one."""
    shape = typeof(x).shape
    return math.prod(shape[i] for i in axes)


def finished(out: Array, x: Array, axes: tuple[int, ...], keepdims: Any) -> Array:
    """The reduction of x, with its axes kept if they are asked for."""
    return restore(out, typeof(x).shape, axes) if keepdims and keepdims is not NOT_GIVEN else out


def _total(x: Array, axes: tuple[int, ...], keepdims: Any) -> Array:
    """The sum over axes; one operation also where these are kept."""
    kind = typeof(x)
    if keepdims and keepdims is not NOT_GIVEN and kind.differentiable:
        return SumTo(tuple(1 if i in axes else n for i, n in enumerate(kind.shape)))(x)
    return finished(Sum(axes)(x), x, axes, keepdims)


def masked(x: Array, where: Any, neutral: Any) -> Array:
    """The entries that count, the neutral element in place of the others."""
    if where is True or where is NOT_GIVEN:
        return x
    return SELECT(operand(where), x, neutral)


def counted(x: Array, axes: tuple[int, ...], where: Any) -> Array:
    """How many entries count in each sum."""
    if where is True or where is NOT_GIVEN:
        return count_of(x, axes)
    kind = typeof(x)
    return Sum(axes)(BroadcastTo(kind.shape)(cast(operand(where), kind.dtype)))


def _summable(x: Array, dtype: Any) -> Array:
    """Cast to the dtype that NumPy sums and multiplies in: small integers and booleans become default integers."""
    if dtype is not None:
        return cast(x, dtype)
    kind = typeof(x).dtype
    if kind.kind in "biu" and kind.itemsize < np.dtype(np.intp).itemsize:
        return cast(x, np.uintp if kind.kind == "u" else np.intp)
    return x


def _floating(x: Array, dtype: Any) -> Array:
    """Cast to the dtype of means and variances: integers become double precision."""
    if dtype is not None:
        return cast(x, dtype)
    return x if typeof(x).differentiable else cast(x, np.float64)


def _first(initial: Any, x: Array) -> Array:
    """The number that a reduction starts from, in its dtype; NumPy's error if it does not fit."""
    initial, dtype = operand(initial), typeof(x).dtype
    return cast(initial, dtype) if isinstance(initial, Tracer) else np.asarray(initial, dtype)[()]


# --- sums and products ------------------------------------------------------------------------------------


@implements(np.sum, methods=("sum",))
def sum_(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
    initial: Any = NOT_GIVEN, where: Any = True,
) -> Array:  # fmt: skip
    """The sum over axes."""
    refuse(np.sum, out=out)
    x = masked(_summable(operand(a), dtype), where, 0)
    axes = axes_of(x, axis)
    total = _total(x, axes, keepdims)
    return total if initial is NOT_GIVEN else total + _first(initial, total)


@implements(np.prod, methods=("prod",))
def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
    initial: Any = NOT_GIVEN, where: Any = True,
) -> Array:  # fmt: skip
    """The product over axes."""
    refuse(np.prod, out=out)
    x = masked(_summable(operand(a), dtype), where, 1)
    axes = axes_of(x, axis)
    product = Product(axes[0])(x) if len(axes) == 1 else _product_of_several(x, axes)
    product = finished(product, x, axes, keepdims)
    return product if initial is NOT_GIVEN else product * _first(initial, product)


def _product_of_several(x: Array, axes: tuple[int, ...]) -> Array:
    return Product(typeof(x).ndim - len(axes))(merged(x, axes))


@implements(np.cumsum, methods=("cumsum",))
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """The sums of the entries so far along an axis."""
    refuse(np.cumsum, out=out)
    x, index = _along(_summable(operand(a), dtype), axis)
    return CumulativeSum(index)(x)


@implements(np.cumprod, methods=("cumprod",))
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """The products of the entries so far along an axis."""
    refuse(np.cumprod, out=out)
    x, index = _along(_summable(operand(a), dtype), axis)
    return CumulativeProduct(index)(x)


@implements(*newer("cumulative_sum"))
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, out: None = None, include_initial: bool = False
) -> Array:
    """The sums of the entries so far, from zero if `include_initial`."""
    refuse(np.cumulative_sum, out=out)
    x, axis = _only_axis(operand(x), axis)
    sums = cumsum(x, axis, dtype)
    return _with_initial(sums, axis, 0) if include_initial else sums


@implements(*newer("cumulative_prod"))
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, out: None = None, include_initial: bool = False
) -> Array:
    """The products of the entries so far, from one if `include_initial`."""
    refuse(np.cumulative_prod, out=out)
    x, axis = _only_axis(operand(x), axis)
    products = cumprod(x, axis, dtype)
    return _with_initial(products, axis, 1) if include_initial else products


def _along(x: Array, axis: Any) -> tuple[Array, int]:
    """The array and the axis to accumulate along; flattened for None."""
    kind = typeof(x)
    if axis is None:
        return (x, 0) if kind.ndim == 1 else (Reshape((kind.size,))(x), 0)
    if kind.ndim == 0:
        x, kind = Reshape((1,))(x), ArrayType((1,), kind.dtype)
    return x, normalize_axis_index(axis, kind.ndim)


def _only_axis(x: Array, axis: int | None) -> tuple[Array, int]:
    if typeof(x).ndim == 0:
        x = Reshape((1,))(x)
    if axis is None:
        if typeof(x).ndim > 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        return x, 0
    return x, normalize_axis_index(axis, typeof(x).ndim)


def _with_initial(x: Array, axis: int, initial: int) -> Array:
    kind = typeof(x)
    shape = tuple(1 if i == axis else n for i, n in enumerate(kind.shape))
    return np.concatenate([np.full(shape, initial, kind.dtype), x], axis=axis)


# --- extremes ---------------------------------------------------------------------------------------------


@implements(np.max, np.amax, methods=("max",))
def max_(
    a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = NOT_GIVEN, where: Any = True
) -> Array:
    """The largest entry over axes; its derivative is shared equally by entries that tie."""
    refuse(np.max, out=out)
    return extreme(np.maximum, operand(a), axis, (keepdims, initial, where))


@implements(np.min, np.amin, methods=("min",))
def min_(
    a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = NOT_GIVEN, where: Any = True
) -> Array:
    """The smallest entry over axes; its derivative is shared equally by entries that tie."""
    refuse(np.min, out=out)
    return extreme(np.minimum, operand(a), axis, (keepdims, initial, where))


def extreme(ufunc: np.ufunc, x: Array, axis: Any, options: tuple[Any, Any, Any]) -> Array:
    """The extreme over axes by a ufunc, with the options keepdims, initial and where."""
    keepdims, initial, where = options
    axes = axes_of(x, axis)
    if initial is NOT_GIVEN:
        if not (where is True or where is NOT_GIVEN):
            raise ValueError(f"a where= mask for the {ufunc.__name__} needs the value initial= for an empty selection")
        return finished(Extremum(ufunc, axes)(x), x, axes, keepdims)
    initial = _first(initial, x)
    chosen = masked(x, where, initial)
    if count_of(chosen, axes) == 0:
        kept = [n for i, n in enumerate(typeof(x).shape) if i not in axes]
        return finished(BroadcastTo(tuple(kept))(initial), x, axes, keepdims)
    return finished(Extreme(ufunc)(Extremum(ufunc, axes)(chosen), initial), x, axes, keepdims)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: None = None, keepdims: Any = False) -> Array:
    """The largest entry minus the smallest."""
    refuse(np.ptp, out=out)
    return max_(a, axis, keepdims=keepdims) - min_(a, axis, keepdims=keepdims)


def logaddexp_reduce(
    a: Any, axis: Any = None, keepdims: Any = False, initial: Any = NOT_GIVEN, where: Any = True
) -> Array:
    """`np.logaddexp.reduce`: log sum exp."""
    x = masked(_floating(operand(a), None), where, -np.inf)
    axes = axes_of(x, axis)
    total = finished(LogSumExp(axes)(x), x, axes, keepdims)
    return total if initial is NOT_GIVEN else np.logaddexp(total, operand(initial))


# --- moments ----------------------------------------------------------------------------------------------


@implements(np.mean, methods=("mean",))
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, *, where: Any = True
) -> Array:
    """The mean over axes."""
    refuse(np.mean, out=out)
    x = _floating(operand(a), dtype)
    kind = typeof(x)
    if kind.dtype == np.float16 and dtype is None:  # summed in single precision, as NumPy does
        return cast(mean(x, axis, np.float32, keepdims=keepdims, where=where), np.float16)
    axes = axes_of(x, axis)
    if where is True or where is NOT_GIVEN:
        return _total(x, axes, keepdims) / count_of(x, axes)
    return finished(Sum(axes)(masked(x, where, 0)) / counted(x, axes, where), x, axes, keepdims)


@implements(np.var, methods=("var",))
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
    where: Any = True, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
) -> Array:  # fmt: skip
    """The mean squared deviation from the mean over axes, with count - ddof in place of the count."""
    refuse(np.var, out=out)
    x = _floating(operand(a), dtype)
    if typeof(x).dtype == np.float16 and dtype is None:
        options = {"where": where, "mean": mean, "correction": correction}
        return cast(var(cast(x, np.float32), axis, None, None, ddof, keepdims, **options), np.float16)
    axes, ddof = axes_of(x, axis), _ddof(ddof, correction)
    if mean is NOT_GIVEN and (where is True or where is NOT_GIVEN) and not is_complex(x):
        return finished(Variance(axes, ddof)(x), x, axes, keepdims)
    center = _mean(x, axes, where) if mean is NOT_GIVEN else operand(mean)
    squares = masked(squared_magnitude(x - center), where, 0)
    average = Sum(axes)(squares) / _degrees(squares, axes, where, ddof)
    return finished(average, x, axes, keepdims)


@implements(np.std, methods=("std",))
def std(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
    where: Any = True, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
) -> Array:  # fmt: skip
    """The square root of the variance; its derivative is 0 where the variance is 0."""
    refuse(np.std, out=out)
    return ROOT_OF_SQUARES(var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction))


def squared_magnitude(x: Array) -> Array:
    """|x|^2, real or complex."""
    if not is_complex(x):
        return x * x
    real, imaginary = REAL_PART(x), IMAGINARY_PART(x)
    return real * real + imaginary * imaginary


def _mean(x: Array, axes: tuple[int, ...], where: Any) -> Array:
    return mean(x, axes, keepdims=True, where=where)


def _ddof(ddof: float, correction: Any) -> float:
    if correction is NOT_GIVEN:
        return ddof
    if ddof != 0:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    return float(correction)


def _degrees(x: Array, axes: tuple[int, ...], where: Any, ddof: float) -> Array:
    """The count minus ddof, but not less than zero."""
    count = counted(x, axes, where)
    return max(count - ddof, 0) if isinstance(count, int) else np.maximum(count - ddof, 0)


# --- truth, counts and places -----------------------------------------------------------------------------


@implements(np.all, methods=("all",))
def all_(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, *, where: Any = True) -> Array:
    """Whether all entries over axes are true."""
    refuse(np.all, out=out)
    return _truth(np.logical_and, masked(operand(a), where, True), axis, keepdims)


@implements(np.any, methods=("any",))
def any_(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, *, where: Any = True) -> Array:
    """Whether any entry over axes is true."""
    refuse(np.any, out=out)
    return _truth(np.logical_or, masked(operand(a), where, False), axis, keepdims)


def _truth(ufunc: np.ufunc, x: Array, axis: Any, keepdims: Any) -> Array:
    axes = axes_of(x, axis)
    return finished(Truth(ufunc, axes)(x), x, axes, keepdims)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """How many entries over axes are not zero."""
    return sum_(NOT_EQUAL(operand(a), 0), axis, np.intp, keepdims=keepdims)


@implements(np.argmax, methods=("argmax",))
def argmax(a: Any, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Array:
    """Where the largest entry is."""
    return place(np.argmax, operand(a), axis, (out, keepdims))


@implements(np.argmin, methods=("argmin",))
def argmin(a: Any, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Array:
    """Where the smallest entry is."""
    return place(np.argmin, operand(a), axis, (out, keepdims))


def place(function: Any, x: Array, axis: Any, options: tuple[Any, Any]) -> Array:
    """Where the extreme along an axis, or in all of the array, is, with the options out and keepdims."""
    out, keepdims = options
    refuse(function, out=out)
    kind = typeof(x)
    if axis is None:
        found = ArgExtremum(function, 0)(Reshape((kind.size,))(x))
        return finished(found, x, tuple(range(kind.ndim)), keepdims)
    index = normalize_axis_index(axis, kind.ndim)
    return finished(ArgExtremum(function, index)(x), x, (index,), keepdims)
