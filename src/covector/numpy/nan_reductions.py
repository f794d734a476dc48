"""NumPy's reductions that ignore NaN: the others, with NaN masked.

>>> nanmean(np.array([1.0, np.nan, 3.0]))
np.float64(2.0)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.types import Array, typeof
from covector.numpy.operands import operand
from covector.numpy.reductions import NOT_GIVEN, cumprod, cumsum, extreme, mean, place, prod, sum_, var
from covector.numpy.registry import implements, refuse
from covector.ops.comparison import EQUAL, ISNAN, LOGICAL_AND, SELECT
from covector.ops.elementary import ROOT_OF_SQUARES


def without_nan(x: Array, replacement: float) -> Array:
    """The entries, with a constant in place of NaN."""
    return SELECT(ISNAN(x), replacement, x) if typeof(x).differentiable else x


def not_nan(x: Array, where: Any) -> Array:
    """Whether an entry counts: is neither NaN nor masked."""
    valid = EQUAL(x, x)
    return valid if where is True or where is NOT_GIVEN else LOGICAL_AND(valid, operand(where))


@implements(np.nansum)
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
    initial: Any = NOT_GIVEN, where: Any = True,
) -> Array:  # fmt: skip
    """The sum of the entries that are not NaN."""
    return sum_(without_nan(operand(a), 0), axis, dtype, out, keepdims, initial, where)


@implements(np.nanprod)
def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
    initial: Any = NOT_GIVEN, where: Any = True,
) -> Array:  # fmt: skip
    """The product of the entries that are not NaN."""
    return prod(without_nan(operand(a), 1), axis, dtype, out, keepdims, initial, where)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """The sums so far of the entries that are not NaN."""
    return cumsum(without_nan(operand(a), 0), axis, dtype, out)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Array:
    """The products so far of the entries that are not NaN."""
    return cumprod(without_nan(operand(a), 1), axis, dtype, out)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, *, where: Any = True
) -> Array:
    """The mean of the entries that are not NaN."""
    x = operand(a)
    return mean(without_nan(x, 0), axis, dtype, out, keepdims, where=not_nan(x, where))


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
    where: Any = True, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
) -> Array:  # fmt: skip
    """The variance of the entries that are not NaN; NaN where there are no more than ddof of them."""
    x = operand(a)
    options = {"where": not_nan(x, where), "mean": mean, "correction": correction}
    return var(without_nan(x, 0), axis, dtype, out, ddof, keepdims, **options)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: Any = False, *,
    where: Any = True, mean: Any = NOT_GIVEN, correction: Any = NOT_GIVEN,
) -> Array:  # fmt: skip
    """The standard deviation of the entries that are not NaN; its derivative is 0 where it is 0."""
    return ROOT_OF_SQUARES(nanvar(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction))


@implements(np.nanmax)
def nanmax(
    a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = NOT_GIVEN, where: Any = True
) -> Array:
    """The largest entry that is not NaN."""
    refuse(np.nanmax, out=out)
    return extreme(np.fmax, operand(a), axis, (keepdims, initial, where))


@implements(np.nanmin)
def nanmin(
    a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = NOT_GIVEN, where: Any = True
) -> Array:
    """The smallest entry that is not NaN."""
    refuse(np.nanmin, out=out)
    return extreme(np.fmin, operand(a), axis, (keepdims, initial, where))


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Array:
    """Where the largest entry that is not NaN is."""
    return place(np.nanargmax, operand(a), axis, (out, keepdims))


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Array:
    """Where the smallest entry that is not NaN is."""
    return place(np.nanargmin, operand(a), axis, (out, keepdims))
