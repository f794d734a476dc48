"""Taking numbers apart and putting them together: real and imaginary parts, absolute value, sign, exponent.

The parts of a complex number are linear over the real numbers only. The cotangent of a real output is
real, and the transposes are those of the pairing Re sum(w v): Re has the transpose t, Im has -i t, and the
conjugate has the conjugate.

    >>> float(COMPLEX_ABSOLUTE(3.0 - 4.0j))
    5.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import field

from covector.core.broadcasting import Cast, Linear
from covector.core.families import ZERO, Binary, LocallyConstant, Unary
from covector.core.primitive import Primitive, parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.ops.arithmetic import RATIO
from covector.ops.comparison import EQUAL, RINT, SELECT, SIGN, callable_name

# --- complex numbers --------------------------------------------------------------------------------------


@final
class RealPart(Linear):
    """Re z."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> Array:
        return np.real(x)

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(x.shape, real_dtype(x.dtype))

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Cast(x.dtype)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


@final
class ImaginaryPart(Linear):
    """Im z; its transpose multiplies by -i."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> Array:
        return np.imag(x)

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(x.shape, real_dtype(x.dtype))

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Cast(x.dtype)(cotangent) * -1j

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


@final
class Conjugate(Linear):
    """The complex conjugate; its own transpose."""

    __slots__ = ()

    def evaluate(self, x: Array) -> Array:
        return np.conjugate(x)

    def output_type(self, x: ArrayType) -> ArrayType:
        return x.strong()

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return self(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


@final
class ComplexAbsolute(Primitive):
    """|z|; derivative Re(conj(z) dz) / |z|, 0 at 0."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        return np.absolute(inputs[0])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, real_dtype(inputs[0].dtype))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (z,), (tangent,) = primals, tangents
        out = self(z)
        if tangent is None:
            return out, None
        return out, REAL_PART(SELECT(EQUAL(out, 0), 0.0, RATIO(CONJUGATE(z), out)) * tangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


def real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the parts of a complex number; any other dtype is its own."""
    return np.zeros((), dtype).real.dtype


# --- sign and magnitude -----------------------------------------------------------------------------------


@final
@parametrized
class Absolute(Unary):
    """|x| of a real number, by `np.absolute` or by Python's `abs`; derivative sign x, 0 at 0."""

    ufunc: Any = field(repr=callable_name)
    unshown = frozenset({"ufunc"})

    def derivative(self, out: Array, x: Array) -> Array:
        return SIGN(x)


@final
class Fabs(Unary):
    """|x| as a floating-point number; derivative sign x, 0 at 0."""

    __slots__ = ()
    ufunc = np.fabs

    def derivative(self, out: Array, x: Array) -> Array:
        return SIGN(x)


@final
class CopySign(Binary):
    """|x| with the sign of y; derivative sign x sign y in x, 0 at x = 0."""

    __slots__ = ()
    ufunc = np.copysign

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return SIGN(x) * COPYSIGN(SIGN(x), y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return ZERO


# --- integer and fractional part, significand and exponent ------------------------------------------------


@final
class FractionalPart(Unary):
    """The first part of `np.modf`: x - trunc x."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array) -> Array:
        """With the sign of x."""
        return np.modf(x)[0]

    def derivative(self, out: Array, x: Array) -> Array:
        return 1.0


@final
class Significand(Unary):
    """The first part of `np.frexp`: x / 2^exponent, in [1/2, 1)."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array) -> Array:
        """With the sign of x."""
        return np.frexp(x)[0]

    def derivative(self, out: Array, x: Array) -> Array:
        return LDEXP(_one(x), -EXPONENT(x))


@final
class Exponent(LocallyConstant):
    """The second part of `np.frexp`: the power of two above |x|."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array) -> Array:
        """As an integer."""
        return np.frexp(x)[1]


@final
class Ldexp(Binary):
    """x 2^y for an integer y; linear in x."""

    __slots__ = ()
    ufunc = np.ldexp
    linear_in = (0,)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return LDEXP(_one(x), y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return ZERO


@final
class Fmod(Binary):
    """The remainder of x / y with the sign of x: x - y trunc(x / y)."""

    __slots__ = ()
    ufunc = np.fmod

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1.0

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return -RINT(RATIO(x - out, y))


@final
class Nextafter(Binary):
    """The number next to x towards y, which moves with x."""

    __slots__ = ()
    ufunc = np.nextafter

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1.0

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return ZERO


def _one(x: Array) -> Array:
    return typeof(x).dtype.type(1)


REAL_PART, IMAGINARY_PART, CONJUGATE, COMPLEX_ABSOLUTE = RealPart(), ImaginaryPart(), Conjugate(), ComplexAbsolute()
ABSOLUTE, FABS, COPYSIGN = Absolute(np.absolute), Fabs(), CopySign()
FRACTIONAL_PART, SIGNIFICAND, EXPONENT, LDEXP = FractionalPart(), Significand(), Exponent(), Ldexp()
FMOD, NEXTAFTER = Fmod(), Nextafter()
