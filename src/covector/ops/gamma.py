"""The gamma and beta functions and their logarithms, and the polygamma and zeta functions (needs SciPy).

The derivatives of log gamma are the polygamma functions psi_n, each the derivative of the one before.

    >>> round(float(PSI.derivative(0.0, 1.0) * 6 / math.pi**2), 12)
    1.0
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from scipy import special

from covector.core.families import Binary, Unary
from covector.core.types import Array, typeof
from covector.errors import MissingRuleError
from covector.ops.comparison import GREATER, SELECT
from covector.ops.elementary import COS, SIN
from covector.ops.hypergeometric import refuse_partial


@final
class Gamma(Unary):
    """The gamma function; derivative out psi(x)."""

    __slots__ = ()
    ufunc = special.gamma
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return out * PSI(x)


@final
class Gammaln(Unary):
    """log |gamma x|; derivative psi(x)."""

    __slots__ = ()
    ufunc = special.gammaln
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return PSI(x)


@final
class Loggamma(Unary):
    """The principal branch of log gamma, also of complex numbers; derivative psi(x)."""

    __slots__ = ()
    ufunc = special.loggamma
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return PSI(x)


@final
class Rgamma(Unary):
    """1 / gamma(x), entire; derivative -psi(x) / gamma(x).

    At the poles of gamma that is infinity times zero. For x below 1/2 the reflection formula
    1 / gamma(x) = sin(pi x) gamma(1 - x) / pi has no poles, so its derivative is taken instead.
    """

    __slots__ = ()
    ufunc = special.rgamma

    def derivative(self, out: Array, x: Array) -> Array:
        right = GREATER(np.real(x), 0.5)
        above, below = SELECT(right, x, 1), SELECT(right, 0, x)
        mirrored = GAMMA(1 - below)
        reflected = mirrored * (COS(below * math.pi) - SIN(below * math.pi) * PSI(1 - below) * (1 / math.pi))
        return SELECT(right, -PSI(above) * RGAMMA(above), reflected)


@final
class Psi(Unary):
    """The digamma function, the derivative of log gamma; derivative psi_1(x)."""

    __slots__ = ()
    ufunc = special.psi
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        if typeof(x).dtype.kind == "c":
            raise MissingRuleError("scipy.special.psi has no derivative at complex numbers: SciPy has no psi_1 there")
        return POLYGAMMA(1, x)


@final
class Polygamma(Binary):
    """The derivative psi_x(y) of psi, of integer order x; its own derivative is psi_(x+1)(y)."""

    __slots__ = ()
    singular = True

    @staticmethod
    def ufunc(x: Array, y: Array) -> Array:
        """As SciPy computes it."""
        return special.polygamma(x, y)[()]

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        refuse_partial("polygamma", "n")

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return POLYGAMMA(x + 1, y)


@final
class Zeta(Binary):
    """Hurwitz's zeta(x, q), the sum of (q + k)^(-x); derivative -x zeta(x + 1, q) in q."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array, y: Array) -> Array:
        """As SciPy computes it."""
        return special.zeta(x, y)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        refuse_partial("zeta", "x")

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return ZETA(x + 1, y) * -x


@final
class Beta(Binary):
    """gamma(x) gamma(y) / gamma(x + y); derivative out (psi(x) - psi(x + y)) in x."""

    __slots__ = ()
    ufunc = special.beta
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * (PSI(x) - PSI(x + y))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * (PSI(y) - PSI(x + y))


@final
class Betaln(Binary):
    """log |beta(x, y)|; derivative psi(x) - psi(x + y) in x."""

    __slots__ = ()
    ufunc = special.betaln
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return PSI(x) - PSI(x + y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return PSI(y) - PSI(x + y)


@final
class Poch(Binary):
    """The rising factorial gamma(x + y) / gamma(x)."""

    __slots__ = ()
    ufunc = special.poch
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * (PSI(x + y) - PSI(x))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * PSI(x + y)


@final
class Binom(Binary):
    """The binomial coefficient gamma(x + 1) / (gamma(y + 1) gamma(x - y + 1))."""

    __slots__ = ()
    ufunc = special.binom
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * (PSI(x + 1) - PSI(x - y + 1))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * (PSI(x - y + 1) - PSI(y + 1))


GAMMA, GAMMALN, LOGGAMMA, RGAMMA, PSI = Gamma(), Gammaln(), Loggamma(), Rgamma(), Psi()
POLYGAMMA, ZETA, BETA, BETALN, POCH, BINOM = Polygamma(), Zeta(), Beta(), Betaln(), Poch(), Binom()
