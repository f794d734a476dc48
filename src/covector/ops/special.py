"""Special functions of probability and information, and integrals of elementary functions (needs SciPy).

The gamma and beta functions are in `gamma` and `incomplete`, Bessel functions in `bessel`.

    >>> float(ERF.derivative(0.0, 0.0)) == 2 / math.sqrt(math.pi)
    True
"""

from __future__ import annotations

import math
from typing import Any, final

from scipy import special

from covector.core.families import Binary, Unary
from covector.core.primitive import parametrized
from covector.core.types import Array
from covector.ops.arithmetic import QUIET_LOG, RATIO
from covector.ops.comparison import GREATER, MAXIMUM, SELECT
from covector.ops.elementary import COS, EXP, LOG1P, SIN
from covector.ops.hypergeometric import refuse_partial
from covector.ops.windows import SINC

ROOT_PI, ROOT_2, ROOT_2PI = math.sqrt(math.pi), math.sqrt(2.0), math.sqrt(2.0 * math.pi)

# --- error functions --------------------------------------------------------------------------------------


@final
class Erf(Unary):
    """The error function; derivative (2 / sqrt pi) e^(-x^2)."""

    __slots__ = ()
    ufunc = special.erf

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(-x * x) * (2 / ROOT_PI)


@final
class Erfc(Unary):
    """1 - erf x; derivative -(2 / sqrt pi) e^(-x^2)."""

    __slots__ = ()
    ufunc = special.erfc

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(-x * x) * (-2 / ROOT_PI)


@final
class Erfinv(Unary):
    """The inverse of erf; derivative (sqrt pi / 2) e^(out^2)."""

    __slots__ = ()
    ufunc = special.erfinv
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(out * out) * (ROOT_PI / 2)


@final
class Erfcinv(Unary):
    """The inverse of erfc; derivative -(sqrt pi / 2) e^(out^2)."""

    __slots__ = ()
    ufunc = special.erfcinv
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(out * out) * (-ROOT_PI / 2)


@final
class Erfcx(Unary):
    """e^(x^2) erfc x; derivative 2 x out - 2 / sqrt pi."""

    __slots__ = ()
    ufunc = special.erfcx

    def derivative(self, out: Array, x: Array) -> Array:
        return x * out * 2 - 2 / ROOT_PI


@final
class Erfi(Unary):
    """erf(i x) / i; derivative (2 / sqrt pi) e^(x^2)."""

    __slots__ = ()
    ufunc = special.erfi

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(x * x) * (2 / ROOT_PI)


@final
class Dawsn(Unary):
    """Dawson's integral; derivative 1 - 2 x out."""

    __slots__ = ()
    ufunc = special.dawsn

    def derivative(self, out: Array, x: Array) -> Array:
        return 1 - x * out * 2


@final
class Wofz(Unary):
    """Faddeeva's function e^(-z^2) erfc(-i z), complex; derivative -2 z out + 2 i / sqrt pi."""

    __slots__ = ()
    ufunc = special.wofz

    def derivative(self, out: Array, x: Array) -> Array:
        return x * out * -2 + 2j / ROOT_PI


# --- the normal and the logistic distribution -------------------------------------------------------------


@final
class Ndtr(Unary):
    """The normal distribution function; derivative e^(-x^2 / 2) / sqrt(2 pi)."""

    __slots__ = ()
    ufunc = special.ndtr

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(x * x * -0.5) * (1 / ROOT_2PI)


@final
class LogNdtr(Unary):
    """Its logarithm; derivative sqrt(2 / pi) / erfcx(-x / sqrt 2), which neither underflows nor cancels."""

    __slots__ = ()
    ufunc = special.log_ndtr

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(math.sqrt(2 / math.pi), ERFCX(x * (-1 / ROOT_2)))


@final
class Ndtri(Unary):
    """The normal quantile; derivative sqrt(2 pi) e^(out^2 / 2)."""

    __slots__ = ()
    ufunc = special.ndtri
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return EXP(out * out * 0.5) * ROOT_2PI


@final
class OwensT(Binary):
    """Owen's T(h, a), the integral over t in (0, a) of e^(-h^2 (1 + t^2) / 2) / (2 pi (1 + t^2))."""

    __slots__ = ()
    ufunc = special.owens_t

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return EXP(x * x * -0.5) * ERF(x * y * (1 / ROOT_2)) * (-0.5 / ROOT_2PI)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        slope = 1 + y * y
        return EXP(x * x * slope * -0.5) / (slope * (2 * math.pi))


@final
class Expit(Unary):
    """1 / (1 + e^(-x)); derivative expit(x) expit(-x), accurate in both tails."""

    __slots__ = ()
    ufunc = special.expit

    def derivative(self, out: Array, x: Array) -> Array:
        return out * EXPIT(-x)


@final
class LogExpit(Unary):
    """log expit x; derivative expit(-x)."""

    __slots__ = ()
    ufunc = special.log_expit

    def derivative(self, out: Array, x: Array) -> Array:
        return EXPIT(-x)


@final
class Logit(Unary):
    """log(x / (1 - x)); derivative 1 / (x (1 - x))."""

    __slots__ = ()
    ufunc = special.logit
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, x * (1 - x))


# --- information ------------------------------------------------------------------------------------------


@final
class Xlogy(Binary):
    """x log y, 0 at x = 0; derivatives log y and x / y."""

    __slots__ = ()
    ufunc = special.xlogy
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return QUIET_LOG(y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(x, y)


@final
class Xlog1py(Binary):
    """x log(1 + y), 0 at x = 0; derivatives log(1 + y) and x / (1 + y)."""

    __slots__ = ()
    ufunc = special.xlog1py
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return LOG1P(y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(x, 1 + y)


@final
class Entr(Unary):
    """-x log x; derivative -log x - 1."""

    __slots__ = ()
    ufunc = special.entr
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return -QUIET_LOG(x) - 1


@final
class RelEntr(Binary):
    """x log(x / y); derivatives log(x / y) + 1 and -x / y."""

    __slots__ = ()
    ufunc = special.rel_entr
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return QUIET_LOG(RATIO(x, y)) + 1

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(-x, y)


@final
class KlDiv(Binary):
    """x log(x / y) - x + y; derivatives log(x / y) and 1 - x / y."""

    __slots__ = ()
    ufunc = special.kl_div
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return QUIET_LOG(RATIO(x, y))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1 - RATIO(x, y)


# --- integrals of elementary functions --------------------------------------------------------------------


@final
class Expi(Unary):
    """The exponential integral Ei; derivative e^x / x."""

    __slots__ = ()
    ufunc = special.expi
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(EXP(x), x)


@final
class Exp1(Unary):
    """The exponential integral E1; derivative -e^(-x) / x."""

    __slots__ = ()
    ufunc = special.exp1
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(-EXP(-x), x)


@final
class Expn(Binary):
    """The exponential integral E_x(y) of integer order x; derivative -E_(x-1)(y), with E_0(y) = e^(-y) / y."""

    __slots__ = ()
    ufunc = special.expn
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        refuse_partial("expn", "n")

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        below_zero = RATIO(EXP(-y) * (1 + y), y * y)  # E_(-1)
        return -SELECT(GREATER(x, 0), EXPN(MAXIMUM(x - 1, 0), y), below_zero)


@final
class SineIntegral(Unary):
    """The first output of `sici`; derivative sin(x) / x."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array) -> Array:
        """Si(x)."""
        return special.sici(x)[0]

    def derivative(self, out: Array, x: Array) -> Array:
        return SINC(x * (1 / math.pi))


@final
class CosineIntegral(Unary):
    """The second output of `sici`; derivative cos(x) / x."""

    __slots__ = ()
    singular = True

    @staticmethod
    def ufunc(x: Array) -> Array:
        """Ci(x)."""
        return special.sici(x)[1]

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(COS(x), x)


@final
@parametrized
class FresnelIntegral(Unary):
    """An output of `fresnel`: the integral from 0 to x of the sine, or the cosine, of pi t^2 / 2."""

    cosine: bool = False

    def ufunc(self, x: Array) -> Array:
        """S(x) or C(x)."""
        return special.fresnel(x)[1 if self.cosine else 0]

    def derivative(self, out: Array, x: Array) -> Array:
        angle = x * x * (math.pi / 2)
        return COS(angle) if self.cosine else SIN(angle)


def sici(x: Any) -> tuple[Array, Array]:
    """The sine and cosine integrals."""
    return SINE_INTEGRAL(x), COSINE_INTEGRAL(x)


def fresnel(x: Any) -> tuple[Array, Array]:
    """The Fresnel integrals S and C."""
    return FRESNEL_SINE(x), FRESNEL_COSINE(x)


ERF, ERFC, ERFINV, ERFCINV, ERFCX, ERFI = Erf(), Erfc(), Erfinv(), Erfcinv(), Erfcx(), Erfi()
DAWSN, WOFZ, NDTR, LOG_NDTR, NDTRI, OWENS_T = Dawsn(), Wofz(), Ndtr(), LogNdtr(), Ndtri(), OwensT()
EXPIT, LOG_EXPIT, LOGIT = Expit(), LogExpit(), Logit()
XLOGY, XLOG1PY, ENTR, REL_ENTR, KL_DIV = Xlogy(), Xlog1py(), Entr(), RelEntr(), KlDiv()
EXPI, EXP1, EXPN, SINE_INTEGRAL, COSINE_INTEGRAL = Expi(), Exp1(), Expn(), SineIntegral(), CosineIntegral()
FRESNEL_SINE, FRESNEL_COSINE = FresnelIntegral(), FresnelIntegral(cosine=True)
