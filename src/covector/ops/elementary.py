"""The elementary functions of calculus, entry by entry: exp, log, powers, circular and hyperbolic functions.

Each states its derivative in terms of its output `out` and its input `x`, with operations that are themselves
differentiable, so derivatives of every order follow. Where a derivative is infinite at a point of the domain
(the square root at 0) the class is `singular`, and the partial is computed by the silent `RATIO`.

    >>> import numpy as np
    >>> TAN.derivative(np.tan(0.5), 0.5) == 1 + np.tan(0.5) ** 2
    np.True_
"""

from __future__ import annotations

import math
from typing import final

import numpy as np

from covector.core.families import Binary, Unary
from covector.core.types import Array
from covector.ops.arithmetic import RATIO
from covector.ops.comparison import EQUAL, SELECT

LN2, LN10, DEGREE = math.log(2.0), math.log(10.0), math.pi / 180.0

# --- exponentials and logarithms ------------------------------------------------------------------------


@final
class Exp(Unary):
    """e^x; its derivative is itself."""

    __slots__ = ()
    ufunc = np.exp

    def derivative(self, out: Array, x: Array) -> Array:
        return out


@final
class Exp2(Unary):
    """2^x; derivative 2^x ln 2."""

    __slots__ = ()
    ufunc = np.exp2

    def derivative(self, out: Array, x: Array) -> Array:
        return out * LN2


@final
class Expm1(Unary):
    """e^x - 1, accurate near 0; derivative e^x."""

    __slots__ = ()
    ufunc = np.expm1

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(x)


@final
class Log1p(Unary):
    """ln(1 + x), accurate near 0; derivative 1 / (1 + x)."""

    __slots__ = ()
    ufunc = np.log1p
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, 1 + x)


@final
class Log2(Unary):
    """The binary logarithm; derivative 1 / (x ln 2)."""

    __slots__ = ()
    ufunc = np.log2
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1 / LN2, x)


@final
class Log10(Unary):
    """The decimal logarithm; derivative 1 / (x ln 10)."""

    __slots__ = ()
    ufunc = np.log10
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1 / LN10, x)


@final
class Logistic(Binary):
    """1 / (1 + e^(y - x)), and 1/2 where x = y, also at infinity: the weight of x in log(e^x + e^y)."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array, y: Array) -> Array:
        """Repaired where infinity is subtracted from infinity."""
        with np.errstate(over="ignore", invalid="ignore"):
            out = 1 / (1 + np.exp(np.subtract(y, x)))
        return out if np.all(np.equal(out, out)) else np.where(np.equal(x, y), out.dtype.type(0.5), out)[()]

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * LOGISTIC(y, x)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return -out * LOGISTIC(y, x)


@final
class LogAddExp(Binary):
    """log(e^x + e^y) without overflow; shared equally where x = y, also at minus infinity."""

    __slots__ = ()
    ufunc = np.logaddexp

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return LOGISTIC(x, y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return LOGISTIC(y, x)


@final
class LogAddExp2(Binary):
    """log2(2^x + 2^y) without overflow; shared equally where x = y, also at minus infinity."""

    __slots__ = ()
    ufunc = np.logaddexp2

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return LOGISTIC(x * LN2, y * LN2)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return LOGISTIC(y * LN2, x * LN2)


# --- roots and distances --------------------------------------------------------------------------------


@final
class Sqrt(Unary):
    """The square root; derivative 1 / (2 sqrt x)."""

    __slots__ = ()
    ufunc = np.sqrt
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(0.5, out)


@final
class RootOfSquares(Unary):
    """The square root of a sum of squares, such as a variance: its derivative at 0 is 0, as that of |x| is."""

    __slots__ = ()
    ufunc = np.sqrt
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return SELECT(EQUAL(out, 0), 0.0, RATIO(0.5, out))


@final
class Cbrt(Unary):
    """The cube root; derivative 1 / (3 out^2)."""

    __slots__ = ()
    ufunc = np.cbrt
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1 / 3, out * out)


@final
class Hypot(Binary):
    """sqrt(x^2 + y^2); derivatives x / out and y / out, 0 at the origin."""

    __slots__ = ()
    ufunc = np.hypot
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return SELECT(EQUAL(out, 0), 0.0, RATIO(x, out))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return SELECT(EQUAL(out, 0), 0.0, RATIO(y, out))


# --- circular functions ---------------------------------------------------------------------------------


@final
class Sin(Unary):
    """The sine; derivative cos x."""

    __slots__ = ()
    ufunc = np.sin

    def derivative(self, out: Array, x: Array) -> Array:
        return COS(x)


@final
class Cos(Unary):
    """The cosine; derivative -sin x."""

    __slots__ = ()
    ufunc = np.cos

    def derivative(self, out: Array, x: Array) -> Array:
        return -SIN(x)


@final
class Tan(Unary):
    """The tangent; derivative 1 + tan^2 x."""

    __slots__ = ()
    ufunc = np.tan

    def derivative(self, out: Array, x: Array) -> Array:
        return 1 + out * out


@final
class Arcsin(Unary):
    """The inverse sine; derivative 1 / sqrt(1 - x^2)."""

    __slots__ = ()
    ufunc = np.arcsin
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, SQRT((1 - x) * (1 + x)))


@final
class Arccos(Unary):
    """The inverse cosine; derivative -1 / sqrt(1 - x^2)."""

    __slots__ = ()
    ufunc = np.arccos
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(-1.0, SQRT((1 - x) * (1 + x)))


@final
class Arctan(Unary):
    """The inverse tangent; derivative 1 / (1 + x^2)."""

    __slots__ = ()
    ufunc = np.arctan

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, 1 + x * x)


@final
class Arctan2(Binary):
    """The angle of the point (y, x), arctan2(x, y) in NumPy's order; not differentiable at the origin (NaN)."""

    __slots__ = ()
    ufunc = np.arctan2
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(y, x * x + y * y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(-x, x * x + y * y)


# --- hyperbolic functions -------------------------------------------------------------------------------


@final
class Sinh(Unary):
    """The hyperbolic sine; derivative cosh x."""

    __slots__ = ()
    ufunc = np.sinh

    def derivative(self, out: Array, x: Array) -> Array:
        return COSH(x)


@final
class Cosh(Unary):
    """The hyperbolic cosine; derivative sinh x."""

    __slots__ = ()
    ufunc = np.cosh

    def derivative(self, out: Array, x: Array) -> Array:
        return SINH(x)


@final
class Tanh(Unary):
    """The hyperbolic tangent; derivative 1 - tanh^2 x."""

    __slots__ = ()
    ufunc = np.tanh

    def derivative(self, out: Array, x: Array) -> Array:
        return 1 - out * out


@final
class Arcsinh(Unary):
    """The inverse hyperbolic sine; derivative 1 / sqrt(1 + x^2)."""

    __slots__ = ()
    ufunc = np.arcsinh

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, SQRT(1 + x * x))


@final
class Arccosh(Unary):
    """The inverse hyperbolic cosine; derivative 1 / (sqrt(x - 1) sqrt(x + 1))."""

    __slots__ = ()
    ufunc = np.arccosh
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, SQRT(x - 1) * SQRT(x + 1))


@final
class Arctanh(Unary):
    """The inverse hyperbolic tangent; derivative 1 / (1 - x^2)."""

    __slots__ = ()
    ufunc = np.arctanh
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, (1 - x) * (1 + x))


# --- angles -----------------------------------------------------------------------------------------------


@final
class Degrees(Unary):
    """Radians in degrees: 180 x / pi."""

    __slots__ = ()
    ufunc = np.degrees
    linear_in = (0,)

    def derivative(self, out: Array, x: Array) -> Array:
        return 1 / DEGREE


@final
class Radians(Unary):
    """Degrees in radians: pi x / 180."""

    __slots__ = ()
    ufunc = np.radians
    linear_in = (0,)

    def derivative(self, out: Array, x: Array) -> Array:
        return DEGREE


EXP, EXP2, EXPM1, LOG1P, LOG2, LOG10 = Exp(), Exp2(), Expm1(), Log1p(), Log2(), Log10()
LOGISTIC, LOGADDEXP, LOGADDEXP2 = Logistic(), LogAddExp(), LogAddExp2()
SQRT, ROOT_OF_SQUARES, CBRT, HYPOT = Sqrt(), RootOfSquares(), Cbrt(), Hypot()
SIN, COS, TAN = Sin(), Cos(), Tan()
ARCSIN, ARCCOS, ARCTAN, ARCTAN2 = Arcsin(), Arccos(), Arctan(), Arctan2()
SINH, COSH, TANH, ARCSINH, ARCCOSH, ARCTANH = Sinh(), Cosh(), Tanh(), Arcsinh(), Arccosh(), Arctanh()
DEGREES, RADIANS = Degrees(), Radians()
