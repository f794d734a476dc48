"""np.pad: an array with a margin, made axis by axis; and sliding_window_view, which looks at it through a window.

Along an axis the margin is either a selection of the entries (edge, reflect, symmetric, wrap), or a slab made
from them: a constant, a ramp, a statistic. A selection is one `Gather` whose indices NumPy computes by padding
0, 1, 2, ... in the same mode.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from covector.core.types import Array, typeof
from covector.errors import UnsupportedArgumentError
from covector.numpy.creation import converted
from covector.numpy.differences import part
from covector.numpy.inquiries import known
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.axes import Concatenate, Flip
from covector.ops.indexing import Gather, PutSlice

Pair = tuple[Any, Any]

STATISTICS: dict[str, Callable[..., Any]] = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}

OPTIONS = {
    "constant": "constant_values", "linear_ramp": "end_values", "reflect": "reflect_type", "symmetric": "reflect_type",
    "maximum": "stat_length", "minimum": "stat_length", "mean": "stat_length", "median": "stat_length",
    "edge": None, "wrap": None, "empty": None,
}  # fmt: skip
"""The modes, each with the option it takes."""


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    """The array with a margin of the given widths on both sides of each axis."""
    array = operand(array)
    option = _option(mode, kwargs)
    widths = _widths(pad_width, typeof(array).ndim)
    if mode == "empty" or (mode == "constant" and option is None):
        return _framed(array, widths)
    if mode != "constant":
        _refuse_empty(typeof(array).shape, widths)
    options = _pairs(option, typeof(array).ndim)
    for axis, width in enumerate(widths):
        if any(width):
            array = _padded(array, axis, width, mode, options[axis])
    return array


def _option(mode: Any, given: dict[str, Any]) -> Any:
    """The value of the only option a mode has, None if it is not given."""
    if callable(mode):
        raise UnsupportedArgumentError(
            "np.pad of a traced array does not support a function as mode=, for it would write into the array; "
            "join the margin with np.concatenate"
        )
    if mode not in OPTIONS:
        raise ValueError(f"mode '{mode}' is not supported")
    unknown = set(given) - {OPTIONS[mode]}
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    return next(iter(given.values()), None)


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[axis] = (width, width) if np.ndim(width) == 0 else width
        pad_width = pairs or 0
    widths = np.asarray(known(pad_width, "np.pad, whose answer's shape depends on the widths,"))
    if widths.dtype.kind not in "iu":
        raise TypeError("`pad_width` must be of integral type.")
    if widths.size and widths.min() < 0:
        raise ValueError("index can't contain negative values")
    return [(operator.index(before), operator.index(after)) for before, after in _pairs(widths, ndim)]


def _pairs(x: Any, ndim: int) -> list[Pair]:
    """One value for all, one pair for all axes, or one pair for each axis, as one pair for each axis."""
    if x is None or isinstance(x, str):
        return [(x, x)] * ndim
    x = operand(x)
    kind = typeof(x)
    if kind.size == 1:
        only = np.reshape(x, ())
        return [(only, only)] * ndim
    if kind.size == 2 and kind.shape != (2, 1):
        x = np.reshape(x, (2,))
    rows = np.broadcast_to(x, (ndim, 2))
    return [(rows[i, 0], rows[i, 1]) for i in range(ndim)]


def _framed(x: Array, widths: list[tuple[int, int]]) -> Array:
    """The array in a frame of zeros."""
    lengths = typeof(x).shape
    key = tuple((before, before + n, None) for (before, _), n in zip(widths, lengths, strict=True))
    shape = tuple(before + n + after for (before, after), n in zip(widths, lengths, strict=True))
    return PutSlice(key, shape)(x)


def _refuse_empty(shape: tuple[int, ...], widths: list[tuple[int, int]]) -> None:
    for axis, (length, width) in enumerate(zip(shape, widths, strict=True)):
        if length == 0 and any(width):
            raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")


def _padded(x: Array, axis: int, width: tuple[int, int], mode: str, option: Pair) -> Array:
    if mode in ("edge", "wrap"):
        return Gather(axis)(x, np.pad(np.arange(typeof(x).shape[axis]), width, mode))  # type: ignore[call-overload]
    if mode in ("reflect", "symmetric"):
        return _reflected(x, axis, width, mode, option[0] or "even")
    before, after = _slabs(x, axis, width, mode, option)
    dtype = typeof(x).dtype
    return Concatenate(axis)(converted(before, dtype), x, converted(after, dtype))


def _slabs(x: Array, axis: int, width: tuple[int, int], mode: str, option: Pair) -> tuple[Array, Array]:
    """What comes before and after, made from constants or from the entries."""
    if mode == "constant":
        return tuple(_repeated(value, x, axis, n) for value, n in zip(option, width, strict=True))
    if mode == "linear_ramp":
        first, last = part(x, axis, 0, 1), part(x, axis, -1)
        after = _ramp(option[1], last, axis, width[1], typeof(x).dtype)
        return _ramp(option[0], first, axis, width[0], typeof(x).dtype), Flip((axis,))(after)
    statistics = (_statistic(x, axis, mode, length, side) for length, side in zip(option, (0, 1), strict=True))
    return tuple(_repeated(value, x, axis, n) for value, n in zip(statistics, width, strict=True))


def _repeated(value: Array, like: Array, axis: int, count: int) -> Array:
    shape = typeof(like).shape
    return np.broadcast_to(value, (*shape[:axis], count, *shape[axis + 1 :]))


def _ramp(end: Array, edge: Array, axis: int, count: int, dtype: np.dtype[Any]) -> Array:
    edge = np.squeeze(edge, axis)
    return np.linspace(0 if end is None else end, edge, count, endpoint=False, dtype=dtype, axis=axis)


def _statistic(x: Array, axis: int, mode: str, length: Any, side: int) -> Array:
    """The statistic of the entries next to one side, over the axis, which is kept."""
    available = typeof(x).shape[axis]
    length = available if length is None else min(int(length), available)
    if length == 0 and mode in ("maximum", "minimum"):
        raise ValueError("stat_length of 0 yields no value for padding")
    chunk = part(x, axis, available - length) if side else part(x, axis, 0, length)
    value = STATISTICS[mode](chunk, axis=axis, keepdims=True)
    return np.round(value) if typeof(x).dtype.kind in "iu" else value


def _reflected(x: Array, axis: int, width: tuple[int, int], mode: str, kind: str) -> Array:
    """Mirrored at the edges; for the odd kind every mirror image is also turned upside down about its edge."""
    length = typeof(x).shape[axis]
    if length == 1:
        return _padded(x, axis, width, "edge", (None, None))
    places = np.pad(np.arange(length), width, mode)  # type: ignore[call-overload]  # one of two modes
    even = Gather(axis)(x, places)
    if kind == "even":
        return even
    if kind != "odd":
        raise ValueError(f"reflect_type must be 'even' or 'odd', not {kind!r}")
    # An odd image is sign * x[place] + first * x[0] + last * x[-1], with a sign that alternates from image to
    # image. Padding the constant 1 gives 1, and padding 0, 1, 2, ... goes on beyond the edges as NumPy computes
    # it, which determines the two other coefficients.
    period = length - 1 if mode == "reflect" else length
    sign = 1 - 2 * (np.arange(-width[0], length + width[1]) // period % 2)
    line = np.pad(np.arange(length), width, mode, reflect_type="odd")  # type: ignore[call-overload]
    last = (line - sign * places) // (length - 1)
    weights = [_along(w, axis, x) for w in (sign, 1 - sign - last, last)]
    return weights[0] * even + weights[1] * part(x, axis, 0, 1) + weights[2] * part(x, axis, -1)


def _along(weights: Array, axis: int, like: Array) -> Array:
    kind = typeof(like)
    return weights.reshape([-1 if i == axis else 1 for i in range(kind.ndim)]).astype(kind.dtype)


@implements(sliding_window_view)
def windows(x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False) -> Array:
    """The entries in a window at each of its places, the axes of the window last; NumPy says where they come from."""
    refuse(sliding_window_view, subok=subok or None, writeable=writeable or None)
    x = operand(x)
    kind = typeof(x)
    places = np.arange(kind.size).reshape(kind.shape)
    return Gather()(np.ravel(x), sliding_window_view(places, window_shape, axis))
