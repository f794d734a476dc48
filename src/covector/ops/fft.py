"""Discrete Fourier transforms, which are multiplications by symmetric matrices.

The complex transform is its own transpose (not its adjoint: the pairing has no conjugate). The real one,
which keeps the non-negative frequencies only, has a transpose that is the inverse of the real one up to
weights: the frequencies it leaves out are the conjugates of those it keeps, so they count twice.

    >>> import numpy as np
    >>> FourierTransform((0,))(np.array([1.0, 0.0, 0.0, 0.0]))
    array([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    >>> RealFourierTransform(0).transpose(np.array([1.0j, 1.0, 0.0]), ArrayType((4,), np.float64))
    array([ 1.,  0., -1.,  0.])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np

from covector.core.broadcasting import Cast, Linear
from covector.core.primitive import parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.ops.counts import fourier
from covector.ops.indexing import WHOLE, PutSlice, Slice
from covector.ops.parts import CONJUGATE, real_dtype

Normalization = Literal["backward", "ortho", "forward"]

REVERSED: dict[Normalization, Normalization] = {"backward": "forward", "forward": "backward", "ortho": "ortho"}
"""The normalization of the transform in the other direction that scales it as this one is scaled."""


@final
@parametrized
class FourierTransform(Linear):
    """y[k] = sum of x[j] exp(-2 pi i j k / n) along the axes (with +i for the inverse), scaled as `norm` says."""

    axes: tuple[int, ...]
    inverse: bool = False
    norm: Normalization = "backward"

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return fourier(inputs[0].shape, self.axes, inputs[0].dtype.kind != "c")

    def evaluate(self, x: Array) -> Array:
        transform = np.fft.ifftn if self.inverse else np.fft.fftn
        return transform(x, axes=self.axes, norm=self.norm)

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(x.shape, np.result_type(x.dtype, np.complex64))

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        transformed = self(cotangent)
        return transformed if typeof(transformed).dtype == x.dtype else Cast(x.dtype)(transformed)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return FourierTransform(tuple(axis + 1 for axis in self.axes), self.inverse, self.norm)(inputs[0])


@final
@parametrized
class RealFourierTransform(Linear):
    """The non-negative frequencies 0, ..., n // 2 of the transform of a real array along an axis."""

    axis: int
    norm: Normalization = "backward"

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return fourier(inputs[0].shape, (self.axis,), real=True)

    def evaluate(self, x: Array) -> Array:
        return np.fft.rfft(x, axis=self.axis, norm=self.norm)

    def output_type(self, x: ArrayType) -> ArrayType:
        kept = x.shape[self.axis] // 2 + 1
        shape = (*x.shape[: self.axis], kept, *x.shape[self.axis + 1 :])
        return ArrayType(shape, np.result_type(x.dtype, np.complex64))

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        # Re sum over k of c[k] exp(-2 pi i j k / n) = Re sum over k of conj(c[k]) exp(2 pi i j k / n), k <= n / 2;
        # the inverse transform adds such a sum over all k, in which every frequency but 0 and n / 2 occurs twice.
        n = x.shape[self.axis]
        inverse = InverseRealFourierTransform(self.axis, n, REVERSED[self.norm])
        return inverse(CONJUGATE(cotangent) * _shaped(1 / _multiplicity(n, x.dtype), self.axis, x.ndim))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return RealFourierTransform(self.axis + 1, self.norm)(inputs[0])


@final
@parametrized
class InverseRealFourierTransform(Linear):
    """The real array of length n along an axis of which these are the non-negative frequencies."""

    axis: int
    length: int
    norm: Normalization = "backward"

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return fourier(outputs[0].shape, (self.axis,), real=True)

    def evaluate(self, x: Array) -> Array:
        return np.fft.irfft(x, self.length, self.axis, self.norm)

    def output_type(self, x: ArrayType) -> ArrayType:
        shape = (*x.shape[: self.axis], self.length, *x.shape[self.axis + 1 :])
        return ArrayType(shape, real_dtype(x.dtype))

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        weights = _shaped(_multiplicity(self.length, real_dtype(x.dtype)), self.axis, x.ndim)
        transformed = CONJUGATE(RealFourierTransform(self.axis, REVERSED[self.norm])(cotangent)) * weights
        return transformed if x.dtype.kind == "c" else Cast(x.dtype)(transformed)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return InverseRealFourierTransform(self.axis + 1, self.length, self.norm)(inputs[0])


def _multiplicity(n: int, dtype: np.dtype[Any]) -> Array:
    """How often each of the frequencies 0, ..., n // 2 occurs, up to sign, among the n frequencies."""
    counts = np.full(n // 2 + 1, 2.0, dtype)
    counts[0] = 1.0
    if n % 2 == 0:
        counts[-1] = 1.0
    return counts


def _shaped(weights: Array, axis: int, ndim: int) -> Array:
    return weights.reshape((-1, *(1,) * (ndim - axis - 1)))


def resized(x: Array, axis: int, length: int) -> Array:
    """The array cut off at a length along an axis, or filled with zeros up to it."""
    shape = typeof(x).shape
    if shape[axis] == length:
        return x
    whole = (WHOLE,) * axis
    if length < shape[axis]:
        return Slice((*whole, (0, length, None)))(x)
    return PutSlice((*whole, (0, shape[axis], None)), (*shape[:axis], length, *shape[axis + 1 :]))(x)
