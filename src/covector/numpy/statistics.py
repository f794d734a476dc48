"""NumPy's statistics: average, median, percentile, quantile, cov, corrcoef, trapezoid.

A quantile is a mean of two neighbours in sorted order. Which two, and how far between them, depends on the
number of entries and the method alone, so NumPy itself answers it: the quantile of 0, 1, ..., n - 1 is the
place, and the fraction between two places.

    >>> quantile(np.array([3.0, 1.0, 2.0, 10.0]), 0.5)
    np.float64(2.5)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError, UnsupportedArgumentError
from covector.numpy.operands import operand
from covector.numpy.reductions import NOT_GIVEN, axes_of, merged
from covector.numpy.registry import implements, refuse
from covector.ops.comparison import EQUAL, ISNAN, SELECT, cast
from covector.ops.sorting import Sort

# --- averages ---------------------------------------------------------------------------------------------


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    """The weighted mean, with the sum of the weights if `returned`."""
    x = operand(a)
    if weights is None:
        result = np.mean(x, axis=axis, keepdims=_kept(keepdims))
        total: Array = typeof(x).size // max(typeof(result).size, 1)
    else:
        w = _weights_like(x, operand(weights), axis)
        total = np.sum(w, axis=axis, keepdims=_kept(keepdims))
        if not isinstance(total, Tracer) and np.any(total == 0.0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = np.sum(x * w, axis=axis, keepdims=_kept(keepdims)) / total
    if not returned:
        return result
    kind = typeof(result)
    return result, np.broadcast_to(cast(operand(total), kind.dtype), kind.shape)


def _kept(keepdims: Any) -> bool:
    return bool(keepdims) and keepdims is not NOT_GIVEN


def _weights_like(x: Array, weights: Array, axis: Any) -> Array:
    """The weights in a shape that broadcasts against x: they may cover only the averaged axes."""
    kind, found = typeof(x), typeof(weights)
    if found.shape == kind.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = np.lib.array_utils.normalize_axis_tuple(axis, kind.ndim)
    if found.shape != tuple(kind.shape[i] for i in axes):
        raise ShapeMismatchError(
            f"weights of shape {found.shape} do not cover axes {axes} of an array of shape {kind.shape}"
        )
    weights = np.transpose(weights, np.argsort(axes))
    return np.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(kind.shape)))


# --- quantiles --------------------------------------------------------------------------------------------


@implements(np.median)
def median(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: Any = False) -> Array:
    """The middle entry, or the mean of the two middle entries."""
    refuse(np.median, out=out)
    return _quantile(operand(a), axis, _Asked(_median, 0.5, keepdims))


@implements(np.quantile)
def quantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: Any = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """The value below which a part q of the entries lies."""
    refuse(np.quantile, out=out, weights=weights)
    return _quantile(operand(a), axis, _Asked(np.quantile, q, keepdims, method))


@implements(np.percentile)
def percentile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: Any = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """The value below which q percent of the entries lie."""
    refuse(np.percentile, out=out, weights=weights)
    return _quantile(operand(a), axis, _Asked(np.percentile, q, keepdims, method))


@implements(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: Any = False
) -> Array:
    """The median of the entries that are not NaN."""
    refuse(np.nanmedian, out=out)
    return _nan_quantile(operand(a), axis, _Asked(_median, 0.5, keepdims))


@implements(np.nanquantile)
def nanquantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: Any = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """The quantile of the entries that are not NaN."""
    refuse(np.nanquantile, out=out, weights=weights, method=None if method == "linear" else method)
    return _nan_quantile(operand(a), axis, _Asked(np.quantile, q, keepdims))


@implements(np.nanpercentile)
def nanpercentile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
    keepdims: Any = False, *, weights: None = None,
) -> Array:  # fmt: skip
    """The percentile of the entries that are not NaN."""
    refuse(np.nanpercentile, out=out, weights=weights, method=None if method == "linear" else method)
    return _nan_quantile(operand(a), axis, _Asked(np.percentile, q, keepdims))


DISCRETE = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")
"""Methods by which a quantile is an entry."""


class _Asked(NamedTuple):
    """A quantile as NumPy was asked for it: by which of its functions, and with what."""

    function: Callable[..., Any]
    q: Any
    keepdims: Any
    method: str = "linear"

    @property
    def part(self) -> Array:
        """The part of the entries that lie below: q, or a hundredth of it."""
        if isinstance(self.q, Tracer) or (isinstance(self.q, np.ndarray) and self.q.dtype.hasobject):
            raise UnsupportedArgumentError("a quantile's q= has to be a plain number or array; it is traced")
        return np.asarray(self.q, np.float64) / (100.0 if self.function is np.percentile else 1.0)

    @property
    def is_of_entries(self) -> bool:
        """Whether the answer is an entry or the mean of two, whatever q is."""
        return self.function is _median or self.method in DISCRETE

    def answer_dtype(self, x: Array) -> np.dtype[Any]:
        """The dtype of NumPy's answer, on which the dtype of q has a part unless that is one of Python's numbers."""
        kind = float if type(self.q) in (int, float) else np.asarray(self.q).dtype
        return _example_dtype(self.function, typeof(x).dtype, kind, self.method)


@lru_cache(maxsize=256)
def _example_dtype(function: Callable[..., Any], dtype: np.dtype[Any], kind: Any, method: str) -> np.dtype[Any]:
    part = 0.0 if kind is float else np.zeros(1, kind)
    answer: np.dtype[Any] = function(np.zeros(1, dtype), part, method=method).dtype
    return answer


def _median(a: Array, q: Any, method: str) -> Array:
    return np.median(a)


def _quantile(x: Array, axis: Any, asked: _Asked) -> Array:
    q, dtype = asked.part, asked.answer_dtype(x)
    x = cast(x, dtype if dtype.kind in "fc" else np.float64)
    axes = axes_of(x, axis)
    ordered = _sorted_last(merged(x, axes))
    last = typeof(ordered).shape[-1] - 1
    if last < 0:
        raise ValueError("a quantile of no entries was asked for")
    place = _place(last + 1, q, asked.method)
    below = np.floor(place).astype(np.intp)
    start, end = (np.take(ordered, index, axis=-1) for index in (below, np.minimum(below + 1, last)))
    value = _between(start, end, (place - below).astype(typeof(x).dtype), asked.is_of_entries)
    largest = ordered[..., last]
    value = SELECT(*_nan_first(largest, np.ndim(q)), value)
    return _leading(cast(value, dtype), np.ndim(q), (x, axes, asked.keepdims))


def _place(count: int, q: Any, method: str) -> Array:
    """Where in sorted order a quantile lies."""
    return _place_of_number(count, float(q), method) if np.ndim(q) == 0 else _numpy_place(count, q, method)


def _numpy_place(count: int, q: Any, method: Any) -> Array:
    return np.quantile(np.arange(float(count)), q, method=method)


_place_of_number = lru_cache(maxsize=1024)(_numpy_place)


def _nan_quantile(x: Array, axis: Any, asked: _Asked) -> Array:
    """Linear interpolation at q (n - 1) in each line, n being its number of entries that are not NaN."""
    q, x = asked.part, cast(x, asked.answer_dtype(x))
    axes = axes_of(x, axis)
    lines = merged(x, axes)
    valid = np.sum(EQUAL(lines, lines), axis=-1, keepdims=True)
    ordered = Sort(typeof(lines).ndim - 1)(SELECT(ISNAN(lines), np.inf, lines))
    places = np.maximum(valid - 1, 0) * np.ravel(q)
    below = np.floor(places).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(valid - 1, 0))
    start, end = (np.take_along_axis(ordered, index, axis=-1) for index in (below, above))
    value = _between(start, end, (places - below).astype(typeof(x).dtype), asked.is_of_entries)
    value = SELECT(valid == 0, np.nan, value)
    value = np.reshape(value, (*typeof(value).shape[:-1], *q.shape))
    return _leading(value, q.ndim, (x, axes, asked.keepdims))


def _between(start: Array, end: Array, fraction: Array, of_entries: bool) -> Array:
    """A fraction of the way from start to end: an entry or the mean of both, or else as NumPy interpolates.

    Infinite entries are why these are not one formula: NumPy's median of 1, 2, inf is 2, its 0.5-quantile NaN.
    """
    if of_entries:
        middle = EQUAL(fraction, 0)
        return SELECT(middle, start, (start + SELECT(middle, start, end)) * 0.5)
    way = end - start
    return SELECT(fraction < 0.5, start + way * fraction, end - way * (1.0 - fraction))


def _sorted_last(lines: Array) -> Array:
    return Sort(typeof(lines).ndim - 1)(lines)


def _nan_first(largest: Array, ndim: int) -> tuple[Array, Array]:
    """Where a line has a NaN, which sorts last, and that NaN, for quantiles along `ndim` trailing axes."""
    largest = np.reshape(largest, (*typeof(largest).shape, *(1,) * ndim))
    return ISNAN(largest), largest


def _leading(value: Array, ndim: int, reduction: tuple[Array, tuple[int, ...], Any]) -> Array:
    """The axes of q moved to the front, and the reduced axes kept if they are asked for."""
    x, axes, keepdims = reduction
    kept = typeof(value).ndim - ndim
    if ndim and kept:
        value = np.moveaxis(value, range(kept, kept + ndim), range(ndim))
    if not _kept(keepdims):
        return value
    shape = typeof(value).shape[:ndim]
    whole = (*shape, *(1 if i in axes else n for i, n in enumerate(typeof(x).shape)))
    return np.reshape(value, whole)


# --- covariance -------------------------------------------------------------------------------------------


@implements(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Array:  # fmt: skip
    """The covariance matrix of variables in rows (or columns), observed in columns (or rows)."""
    x = _variables(operand(m), y, rowvar, dtype)
    ddof = int(not bias) if ddof is None else ddof
    weights, count = _observation_weights(typeof(x).shape[1], fweights, aweights, ddof)
    center = np.mean(x, axis=1) if weights is None else np.sum(x * weights, axis=1) / np.sum(weights)
    deviation = x - center[:, None]
    weighted = deviation if weights is None else deviation * weights
    return np.squeeze(np.matmul(deviation, np.conjugate(weighted.T)) / count)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """The matrix of correlation coefficients."""
    covariance = cov(x, y, rowvar, dtype=dtype)
    if typeof(covariance).ndim == 0:
        return covariance / covariance
    deviation = np.sqrt(np.real(np.diagonal(covariance)))
    coefficient = covariance / deviation[:, None] / deviation[None, :]
    if typeof(coefficient).dtype.kind == "c":
        return np.clip(np.real(coefficient), -1, 1) + np.clip(np.imag(coefficient), -1, 1) * 1j
    return np.clip(coefficient, -1, 1)


def _variables(m: Array, y: Any, rowvar: bool, dtype: Any) -> Array:
    """The observations as a matrix with one row for each variable."""
    operands = [m] if y is None else [m, operand(y)]
    dtype = np.result_type(*(typeof(x).dtype for x in operands), np.float64) if dtype is None else dtype
    rows = []
    for x in operands:
        if typeof(x).ndim > 2:
            raise ValueError("numpy.cov takes arrays with at most 2 dimensions")
        row = np.reshape(x, (1, -1)) if typeof(x).ndim < 2 else x
        rows.append(cast(row.T if not rowvar and typeof(row).shape[0] != 1 else row, dtype))
    return np.concatenate(rows, axis=0) if len(rows) > 1 else rows[0]


def _observation_weights(count: int, fweights: Any, aweights: Any, ddof: int) -> tuple[Any, Any]:
    """The weight of each observation (None for equal ones), and what the sum of products is divided by."""
    if fweights is None and aweights is None:
        return None, count - ddof
    repeats = np.ones(count) if fweights is None else np.asarray(fweights, float)
    weights = repeats if aweights is None else repeats * operand(aweights)
    total = np.sum(weights)
    if aweights is None or ddof == 0:
        return weights, total - ddof
    return weights, total - ddof * np.sum(weights * operand(aweights)) / total


# --- integrals --------------------------------------------------------------------------------------------


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral of samples along an axis by the trapezoid rule."""
    y = operand(y)
    axis = normalize_axis_index(axis, typeof(y).ndim)
    if x is None:
        width: Array = operand(dx)
    else:
        x = operand(x)
        width = np.diff(x) if typeof(x).ndim == 1 else np.diff(x, axis=axis)
        if typeof(x).ndim == 1:
            width = np.reshape(width, (-1, *(1,) * (typeof(y).ndim - 1 - axis)))
    whole = (slice(None),) * axis
    pairs = y[(*whole, slice(1, None))] + y[(*whole, slice(None, -1))]
    return np.sum(width * pairs / 2.0, axis=axis)
