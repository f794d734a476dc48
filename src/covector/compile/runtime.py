"""The few functions that emitted code calls besides NumPy's; each needs nothing but NumPy and the others.

Those that are elementwise take `out`, like a ufunc.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from covector.compile import threads, vectorized
from covector.compile.schedules import backward_states
from covector.compile.shares import add_share
from covector.core.broadcasting import ones, remembered_ones
from covector.core.types import Array, Shape
from covector.ops.debugging import shown
from covector.ops.scattering import added_at, places, scatter_add


def quotient(x: Array, y: Array) -> Array:
    """x / y of Python numbers: NumPy's where Python would raise."""
    return x / y if y else np.divide(x, y)


def ratio(x: Array, y: Array, out: Array | None = None) -> Array:
    """x / y without a warning: a partial derivative may be infinite where it is not used."""
    if out is None and type(y) in (int, float) and y != 0:
        return x / y
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(x, y, out=out)


def quiet_power(x: Array, y: Array, out: Array | None = None) -> Array:
    """x ** y without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return x**y if out is None else np.power(x, y, out=out)


def quiet_log(x: Array, out: Array | None = None) -> Array:
    """log x without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x, out=out)


def masked_multiply(x: Array, y: Array, out: Array | None = None) -> Array:
    """x * y, but 0 where x is 0, whatever y is."""
    if all_finite(y):
        return x * y if out is None else np.multiply(x, y, out=out)
    zero = np.equal(x, 0)
    with np.errstate(invalid="ignore"):
        product = np.asarray(np.multiply(x, y, out=out))
    if np.any(zero):
        product[np.broadcast_to(zero, product.shape)] = 0
    return product if product.shape or out is not None else product[()]


def all_finite(x: Array) -> bool:
    """Whether no entry is infinite or NaN; the square is finite unless an entry is not, or is huge."""
    if type(x) is np.ndarray and x.dtype.char in "fd" and math.isfinite(np.vdot(x, x)):
        return True
    return bool(np.isfinite(x).all())


def same(x: Array, y: Array) -> Array:
    """Whether entries are equal, or both NaN."""
    equal = np.equal(x, y)
    return equal if np.all(np.equal(y, y)) else equal | (np.isnan(x) & np.isnan(y))


def share(extreme: Array, x: Array, y: Array) -> Array:
    """The part of max(x, y), say, that is x's: 1 where it is x alone, 0 where it is y alone, 1/2 at a tie."""
    from_x, from_y = np.equal(x, extreme), np.equal(y, extreme)
    dtype = np.asarray(extreme).dtype
    if np.logical_and.reduce(np.not_equal(from_x, from_y), axis=None):  # no ties and no NaN
        return from_x.astype(dtype)[()]
    from_x, from_y = same(x, extreme), same(y, extreme)
    return (from_x / np.maximum(np.add(from_x, from_y, dtype=np.int8), 1)).astype(dtype)[()]


def tie_share(attained: Array, axes: tuple[int, ...], dtype: type) -> Array:
    """The part of each entry in an extreme that the marked entries attain: 1 / n for each of n, 0 for the others."""
    if np.count_nonzero(attained) * math.prod([attained.shape[i] for i in axes]) == attained.size:  # each has one
        return attained.astype(dtype)
    return np.divide(attained, np.add.reduce(attained, axis=axes, keepdims=True, dtype=np.intp)).astype(dtype)


def logistic(x: Array, y: Array) -> Array:
    """1 / (1 + exp(y - x)), and 1/2 where x = y, also at infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        out = 1 / (1 + np.exp(np.subtract(y, x)))
    return out if np.all(np.equal(out, out)) else np.where(np.equal(x, y), out.dtype.type(0.5), out)[()]


def broadcast(x: Array, shape: Shape) -> Array:
    """x repeated to a shape: written out while that is quicker than a view."""
    if math.prod(shape) > 4096:
        return np.broadcast_to(x, shape)
    repeated = np.empty(shape, np.asarray(x).dtype)
    repeated[...] = x
    return repeated


def stacked(arrays: Sequence[Array], axis: int) -> Array:
    """Arrays of one shape and dtype along a new axis; `np.stack` takes four times as long to begin."""
    shape = arrays[0].shape
    out: Array = np.empty((*shape[:axis], len(arrays), *shape[axis:]), arrays[0].dtype)
    for i, x in enumerate(arrays):
        out[(*(slice(None),) * axis, i)] = x
    return out


def row_extremum(ufunc: Any, x: Array) -> Array:
    """The extreme of each of many short rows: of whole columns, for NumPy takes long to begin with a row."""
    rows = x.reshape(-1, x.shape[-1])
    if x.shape[-1] > 4:
        return ufunc.reduce(np.ascontiguousarray(rows.T), axis=0).reshape(x.shape[:-1])
    out = rows[:, 0].copy()
    for column in rows.T[1:]:
        ufunc(out, column, out=out)
    return out.reshape(x.shape[:-1])


HELPERS: dict[str, Any] = {
    "print": shown, "ones": ones, "remembered_ones": remembered_ones, "row_extremum": row_extremum,
    "stacked": stacked,
    "math": math, "quotient": quotient, "ratio": ratio, "quiet_power": quiet_power, "quiet_log": quiet_log,
    "masked_multiply": masked_multiply, "all_finite": all_finite, "same": same, "share": share, "tie_share": tie_share,
    "logistic": logistic, "broadcast": broadcast, "scatter_add": scatter_add, "places": places, "added_at": added_at,
    "backward_states": backward_states, "add_share": add_share, **vectorized.HELPERS, **threads.HELPERS,
}  # fmt: skip
"""What emitted code may call, by name; in a module of its own `print` is Python's."""
