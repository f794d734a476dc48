"""numpy.fft: all transforms in one, two and more dimensions, with lengths, axes and normalizations.

An array is first cut or padded to the lengths asked for; the n-dimensional real transforms are a real one
along the last axis, and complex ones along the others.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.types import Array, typeof
from covector.errors import DTypeMismatchError
from covector.numpy.linalg import floating
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.fft import (
    REVERSED,
    FourierTransform,
    InverseRealFourierTransform,
    Normalization,
    RealFourierTransform,
    resized,
)
from covector.ops.matrices import conjugated

Lengths = Sequence[int] | None

# --- along one axis -------------------------------------------------------------------------------------


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    """The discrete Fourier transform."""
    refuse(np.fft.fft, out=out)
    return _complex_transform(a, [n], [axis], norm, inverse=False)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    """The inverse discrete Fourier transform."""
    refuse(np.fft.ifft, out=out)
    return _complex_transform(a, [n], [axis], norm, inverse=True)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    """The non-negative frequencies of the transform of a real array."""
    refuse(np.fft.rfft, out=out)
    return _real_transform(a, n, axis, norm)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    """The real array with these non-negative frequencies."""
    refuse(np.fft.irfft, out=out)
    return _inverse_real_transform(a, n, axis, norm)


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    """The real transform of an array that is the conjugate of its mirror image, of which a is the first half."""
    refuse(np.fft.hfft, out=out)
    return _inverse_real_transform(conjugated(operand(a)), n, axis, REVERSED[_normalization(norm)])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Array:
    """The first half of the inverse transform of a real array."""
    refuse(np.fft.ihfft, out=out)
    return conjugated(_real_transform(a, n, axis, REVERSED[_normalization(norm)]))


# --- along several axes ---------------------------------------------------------------------------------


@implements(np.fft.fftn)
def fftn(a: Any, s: Lengths = None, axes: Lengths = None, norm: str | None = None, out: None = None) -> Array:
    """The transform along several axes, by default all of them."""
    refuse(np.fft.fftn, out=out)
    return _complex_transform(a, *_lengths_and_axes(a, s, axes), norm, inverse=False)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Lengths = None, axes: Lengths = None, norm: str | None = None, out: None = None) -> Array:
    """The inverse transform along several axes."""
    refuse(np.fft.ifftn, out=out)
    return _complex_transform(a, *_lengths_and_axes(a, s, axes), norm, inverse=True)


@implements(np.fft.fft2)
def fft2(a: Any, s: Lengths = None, axes: Lengths = (-2, -1), norm: str | None = None, out: None = None) -> Array:
    """The transform along two axes."""
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Lengths = None, axes: Lengths = (-2, -1), norm: str | None = None, out: None = None) -> Array:
    """The inverse transform along two axes."""
    return ifftn(a, s, axes, norm, out)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Lengths = None, axes: Lengths = None, norm: str | None = None, out: None = None) -> Array:
    """The transform of a real array along several axes; non-negative frequencies only along the last."""
    refuse(np.fft.rfftn, out=out)
    lengths, axes = _lengths_and_axes(a, s, axes)
    real = _real_transform(a, lengths[-1], axes[-1], norm)
    return _complex_transform(real, lengths[:-1], axes[:-1], norm, inverse=False)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Lengths = None, axes: Lengths = None, norm: str | None = None, out: None = None) -> Array:
    """The real array with these frequencies, non-negative only along the last axis."""
    refuse(np.fft.irfftn, out=out)
    lengths, axes = _lengths_and_axes(a, s, axes)
    halfway = _complex_transform(a, lengths[:-1], axes[:-1], norm, inverse=True)
    return _inverse_real_transform(halfway, None if s is None else lengths[-1], axes[-1], norm)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Lengths = None, axes: Lengths = (-2, -1), norm: str | None = None, out: None = None) -> Array:
    """The transform of a real array along two axes."""
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Lengths = None, axes: Lengths = (-2, -1), norm: str | None = None, out: None = None) -> Array:
    """The real array with these frequencies along two axes."""
    return irfftn(a, s, axes, norm, out)


# --- the order of frequencies ---------------------------------------------------------------------------


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Array:
    """Moves frequency zero to the middle."""
    x = operand(x)
    axes = _shifted_axes(x, axes)
    return np.roll(x, [x.shape[axis] // 2 for axis in axes], axes)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Array:
    """Moves frequency zero from the middle to the start."""
    x = operand(x)
    axes = _shifted_axes(x, axes)
    return np.roll(x, [-(x.shape[axis] // 2) for axis in axes], axes)


def _shifted_axes(x: Array, axes: Any) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(typeof(x).ndim))
    return (operator.index(axes),) if np.ndim(axes) == 0 else tuple(axes)


# --- what they share ------------------------------------------------------------------------------------


def _complex_transform(
    a: Any, lengths: Sequence[int | None], axes: Sequence[int], norm: str | None, *, inverse: bool
) -> Array:
    x, normalization = floating(a), _normalization(norm)
    for length, axis in zip(lengths, axes, strict=True):
        x = _resized(x, length, axis)
    ndim = typeof(x).ndim
    return FourierTransform(tuple(normalize_axis_index(axis, ndim) for axis in axes), inverse, normalization)(x)


def _real_transform(a: Any, n: int | None, axis: int, norm: str | None) -> Array:
    x = floating(a)
    if typeof(x).dtype.kind == "c":
        raise DTypeMismatchError("a real Fourier transform takes a real array, not a complex one; take fft, or x.real")
    x = _resized(x, n, axis)
    return RealFourierTransform(normalize_axis_index(axis, typeof(x).ndim), _normalization(norm))(x)


def _inverse_real_transform(a: Any, n: int | None, axis: int, norm: str | None) -> Array:
    x = floating(a)
    axis = normalize_axis_index(axis, typeof(x).ndim)
    length = 2 * (x.shape[axis] - 1) if n is None else operator.index(n)
    _check_length(length)
    x = resized(x, axis, length // 2 + 1)
    return InverseRealFourierTransform(axis, length, _normalization(norm))(x)


def _resized(x: Array, length: int | None, axis: int) -> Array:
    axis = normalize_axis_index(axis, typeof(x).ndim)
    length = x.shape[axis] if length is None else operator.index(length)
    _check_length(length)
    return resized(x, axis, length)


def _check_length(length: int) -> None:
    if length < 1:
        raise ValueError(f"Invalid number of FFT data points ({length}) specified.")


def _normalization(norm: str | None) -> Normalization:
    for name in REVERSED:
        if norm == name:
            return name
    if norm is None:
        return "backward"
    raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')


def _lengths_and_axes(a: Any, s: Lengths, axes: Lengths) -> tuple[list[int], list[int]]:
    """The length and the axis of each transform: the last axes for lengths alone, all axes for neither."""
    shape = typeof(operand(a)).shape
    if axes is None:
        axes = range(len(shape)) if s is None else range(-len(s), 0)
    lengths = [-1] * len(axes) if s is None else list(s)
    if len(lengths) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    return [shape[i] if n == -1 else operator.index(n) for n, i in zip(lengths, axes, strict=True)], list(axes)
