"""The functions that make arrays: from a dtype (astype), like another (zeros_like), or from endpoints (linspace).

What does not depend on the entries of its traced argument (`np.zeros_like(x)`) is a plain array.

    >>> import covector as cv
    >>> cv.grad(lambda stop: np.linspace(0.0, stop, 5)[2])(8.0)
    np.float64(0.5)
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from covector.core.broadcasting import Cast
from covector.core.types import Array, Shape, typeof
from covector.errors import DTypeMismatchError
from covector.numpy.inquiries import promoted
from covector.numpy.operands import operand
from covector.numpy.registry import implements, newer, refuse
from covector.numpy.shapes import as_shape, broadcasted, reshaped
from covector.ops.comparison import SELECT, ToInteger
from covector.ops.indexing import moved_axis

# --- dtypes -----------------------------------------------------------------------------------------------


def converted(x: Array, dtype: Any) -> Array:
    """The entries in another dtype: to an integer one they lose their derivative, to a real one the imaginary part."""
    dtype = np.dtype(dtype)
    kind = typeof(x)
    if kind.dtype == dtype and not kind.weak:
        return x
    if dtype.kind in "fc":
        return Cast(dtype)(x)
    if dtype.kind in "iub":
        return ToInteger(dtype)(x)
    raise DTypeMismatchError(f"{kind} cannot be converted to {dtype}, which is not a dtype of numbers")


def cast(x: Array, dtype: Any, casting: str) -> Array:
    """The entries in another dtype, if the casting rule allows it."""
    found = typeof(x).dtype
    if not np.can_cast(found, dtype, casting):  # type: ignore[arg-type]  # a str; NumPy checks it
        raise TypeError(f"cannot cast from {found!r} to {np.dtype(dtype)!r} according to the rule {casting!r}")
    return converted(x, dtype)


@implements(*newer("astype"))
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """The entries in another dtype."""
    _check_device(np.astype, device)
    return converted(operand(x), dtype)


@implements(methods=("astype",))
def astype_method(
    a: Array, /, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
) -> Array:
    """x.astype(dtype): the entries in another dtype."""
    return cast(a, dtype, casting)


@implements(np.copy, methods=("copy",))
def copy(a: Any, order: str = "K", subok: bool = False) -> Array:
    """The array itself: a traced array is a value, which nothing can change."""
    return operand(a)


@implements(methods=("__deepcopy__",))
def deepcopy(a: Array, memo: Any) -> Array:
    """copy.deepcopy(x): the array itself, which must stay the one its interpreter knows."""
    return a


def _check_device(function: Any, device: Any) -> None:
    if device not in (None, "cpu"):
        refuse(function, device=device)


# --- constants and copies of one value --------------------------------------------------------------------


@implements(np.zeros_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Zeros of the same shape and dtype; a plain array."""
    return np.zeros(*_like(np.zeros_like, a, dtype, shape, device))


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Ones of the same shape and dtype; a plain array."""
    return np.ones(*_like(np.ones_like, a, dtype, shape, device))


@implements(np.empty_like)
def empty_like(
    prototype: Any, /, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """An array of the same shape and dtype with arbitrary entries; a plain array."""
    return np.empty(*_like(np.empty_like, prototype, dtype, shape, device))


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Array:
    """An array of the same shape and dtype filled with one value, which may be traced."""
    target, kind = _like(np.full_like, a, dtype, shape, device)
    return np.broadcast_to(converted(operand(fill_value), kind), target)


def _like(function: Any, a: Any, dtype: Any, shape: Any, device: Any) -> tuple[Shape, np.dtype[Any]]:
    _check_device(function, device)
    found = typeof(operand(a))
    return found.shape if shape is None else as_shape(shape), found.dtype if dtype is None else np.dtype(dtype)


# --- sequences --------------------------------------------------------------------------------------------


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """Evenly spaced numbers from start to stop, entry by entry where these are arrays.

    Like NumPy, counts up from start and sets the last one to stop exactly.
    """
    _check_device(np.linspace, device)
    num = _count(num)
    start, stop = operand(start), operand(stop)
    inexact = promoted(start, stop, float(num))
    start, stop = converted(start, inexact), converted(stop, inexact)
    span = stop - start
    places = np.arange(num, dtype=inexact).reshape((-1,) + (1,) * typeof(span).ndim)
    intervals = num - 1 if endpoint else num
    samples = start + (places * (span / intervals) if intervals > 0 else places * span)
    if endpoint and num > 1:
        samples = SELECT(places == num - 1, stop, samples)
    samples = moved_axis(samples, 0, axis % typeof(samples).ndim)
    samples = _rounded_down(samples, inexact if dtype is None else np.dtype(dtype))
    return (samples, span / intervals if intervals > 0 else np.nan) if retstep else samples


def _rounded_down(samples: Array, dtype: np.dtype[Any]) -> Array:
    return converted(np.floor(samples) if dtype.kind in "iu" else samples, dtype)


def _count(num: Any) -> int:
    count = operator.index(num)
    if count < 0:
        raise ValueError(f"Number of samples, {count}, must be non-negative.")
    return count


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Array:
    """Numbers whose logarithms are evenly spaced: base ** linspace(start, stop)."""
    start, stop, base = operand(start), operand(stop), operand(base)
    if typeof(base).ndim:
        ndim = max(typeof(x).ndim for x in (start, stop, base))
        start, stop, base = (_with_axes(x, ndim) for x in (start, stop, base))
        base = np.expand_dims(base, axis)
    samples = np.power(base, np.linspace(start, stop, num=num, endpoint=endpoint, axis=axis))
    return samples if dtype is None else converted(samples, dtype)


def _with_axes(x: Array, ndim: int) -> Array:
    shape = typeof(x).shape
    return reshaped(x, (1,) * (ndim - len(shape)) + shape)


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    """Numbers in geometric progression from start to stop, both of one sign (or complex).

    The first is start and the last is stop exactly. Start is turned to the positive real axis before logarithms
    are taken, and the result turned back, so that both may be negative.
    """
    num = _count(num)
    start, stop = operand(start), operand(stop)
    _refuse_zero(start, stop)
    kind = promoted(start, stop, float(num), np.zeros((), dtype))
    start, stop = converted(start, kind), converted(stop, kind)
    turn = start / np.abs(start) if kind.kind == "c" else np.sign(start)
    logarithms = np.log10(start / turn), np.log10(stop / turn)
    samples = np.power(10.0, np.linspace(*logarithms, num=num, endpoint=endpoint)) * turn
    places = np.arange(num).reshape((-1,) + (1,) * (typeof(samples).ndim - 1))
    samples = SELECT(places == 0, start, samples)
    if endpoint and num > 1:
        samples = SELECT(places == num - 1, stop, samples)
    return converted(moved_axis(samples, 0, axis % typeof(samples).ndim), kind if dtype is None else dtype)


def _refuse_zero(*ends: Array) -> None:
    for end in ends:
        if np.any(np.equal(end, 0)):  # under jit a guard
            raise ValueError("Geometric sequence cannot include zero")


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of the points of a grid."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    count = len(xi)
    places = list(range(count))
    if indexing == "xy" and count > 1:
        places[:2] = [1, 0]
    arrays = [operand(x) for x in xi]
    grids = [
        reshaped(x, tuple(typeof(x).size if i == place else 1 for i in range(count)))
        for x, place in zip(arrays, places, strict=True)
    ]
    if sparse:
        return tuple(grids)
    shape = np.broadcast_shapes(*(typeof(x).shape for x in grids))
    return tuple(broadcasted(x, shape) for x in grids)
