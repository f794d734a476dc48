"""The incomplete gamma and beta functions, differentiable in all arguments, to every order (needs SciPy).

P(a, x) is the integral of the density p(t) = t^(a-1) e^(-t) / gamma(a) up to x. A primitive here is a derivative
of given order in the parameters, the integral of that of the density; of order 0 it is the function itself,
which SciPy computes. With L = log p, the derivatives of p are p times polynomials (Bell's) in those of L,

    p' = p L'      p'' = p (L'^2 + L'')      L' = ln t - psi(a)     L'' = -psi_1(a)

so the derivative is a tail probability times the mean of the polynomial over the tail, by quadrature. In
v = ln t (for the beta function v = logit t) the density is log-concave, and on the tail that lies away from its
mode it falls off as e^(-phi(s)), phi convex, at a distance s from x. Substituting s = sigma exp(u - e^(-u)) with
phi(sigma) = 1 makes the trapezoid rule converge double exponentially, whatever the parameters. Where x lies on
the other side of the mode, the complement has the same derivatives with the opposite sign.

    >>> round(float(LOWER_GAMMA.left_partial(0.0, 1.0, 1.0)), 10)
    -0.4317297106

Sources: H. Takahasi, M. Mori, Double exponential formulas for numerical integration (1974), section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any, final

import numpy as np
from scipy import special

from covector.core.families import Binary, Nary
from covector.core.primitive import parametrized
from covector.core.types import Array
from covector.ops.arithmetic import QUIET_LOG, RATIO
from covector.ops.elementary import EXP
from covector.ops.gamma import BETALN, GAMMALN, POLYGAMMA, PSI
from covector.ops.special import XLOG1PY, XLOGY

NODES = np.arange(-3.625, 3.9, 0.0625)
DISTANCES = np.exp(NODES - np.exp(-NODES))
WEIGHTS = DISTANCES * (1.0 + np.exp(-NODES))
"""The nodes u of the quadrature, and what s / sigma and its differential are there."""

Cumulant = Callable[[int, int], Array]
Function = Callable[[Array], Array]


def bell_polynomial(orders: tuple[int, int], cumulant: Cumulant) -> Array:
    """The derivative of e^L, of given orders in two variables, over e^L; `cumulant` gives the derivatives of L."""
    j, k = orders
    if j == 0:
        return bell_polynomial((k, 0), lambda r, s: cumulant(s, r)) if k else 1.0
    total: Array = 0.0
    for r in range(j):
        for s in range(k + 1):
            rest = bell_polynomial((j - 1 - r, k - s), cumulant)
            total = total + cumulant(r + 1, s) * rest * (comb(j - 1, r) * comb(k, s))
    return total


# --- the incomplete gamma functions -----------------------------------------------------------------------


@final
@parametrized
class IncompleteGamma(Binary):
    """P(x, y), or Q(x, y) if `upper`, with the shape x; or its derivative of an order in x."""

    upper: bool
    order: int = 0
    singular = True

    def ufunc(self, x: Array, y: Array) -> Array:
        """SciPy's function, or its derivative."""
        if self.order == 0:
            return special.gammaincc(x, y) if self.upper else special.gammainc(x, y)
        derivative = _in_precision(_gamma_derivative, self.order, x, y)
        return -derivative if self.upper else derivative

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return IncompleteGamma(self.upper, self.order + 1)(x, y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        def cumulant(order: int, _: int) -> Array:
            return QUIET_LOG(y) - PSI(x) if order == 1 else -POLYGAMMA(order - 1, x)

        derivative = gamma_density(x, y)
        if self.order:
            derivative = derivative * bell_polynomial((self.order, 0), cumulant)
        return -derivative if self.upper else derivative


@final
@parametrized
class IncompleteGammaInverse(Binary):
    """The y at which P(x, y), or Q(x, y) if `upper`, has a given value."""

    upper: bool
    singular = True

    def ufunc(self, x: Array, y: Array) -> Array:
        """SciPy's function."""
        return special.gammainccinv(x, y) if self.upper else special.gammaincinv(x, y)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(-IncompleteGamma(upper=False, order=1)(x, out), gamma_density(x, out))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(-1.0 if self.upper else 1.0, gamma_density(x, out))


def gamma_density(a: Array, x: Array) -> Array:
    """x^(a-1) e^(-x) / gamma(a)."""
    return EXP(XLOGY(a - 1, x) - x - GAMMALN(a))


def _gamma_derivative(order: int, a: Array, x: Array) -> Array:
    """The derivative of P, from the tail that lies away from the mode of ln t, which is ln a."""
    lower = x <= a
    out = np.empty_like(x)
    out[lower] = _gamma_tail(order, a[lower], x[lower], -1.0)
    out[~lower] = -_gamma_tail(order, a[~lower], x[~lower], 1.0)
    return out


def _gamma_tail(order: int, a: Array, x: Array, sign: float) -> Array:
    """The derivative of the probability of the tail from x, upwards for sign 1."""
    tail = special.gammaincc(a, x) if sign > 0 else special.gammainc(a, x)
    inside = (x > 0) & np.isfinite(x) & (a > 0) & np.isfinite(a)
    a, x = np.where(inside, a, 1.0), np.where(inside, x, 1.0)

    def decay(s: Array) -> Array:  # phi = x (e^v - 1) - a v at v = ln t - ln x
        return x * np.expm1(sign * s) - sign * a * s

    def slope(s: Array) -> Array:
        return sign * (x * np.exp(sign * s) - a)

    constants = [-special.polygamma(r, a) for r in range(order)]
    log_x = np.log(x)

    def factor(s: Array) -> Array:
        return bell_polynomial((order, 0), lambda r, _: constants[r - 1] + (log_x + sign * s if r == 1 else 0.0))

    start = np.sqrt(2 / x) if sign > 0 else (1 + x) / a
    mean = _mean_over_tail(decay, slope, start, factor)
    return np.where(inside, tail * mean, np.where((tail == 0) | (tail == 1), 0.0, np.nan))


# --- the incomplete beta functions ------------------------------------------------------------------------


@final
@parametrized
class IncompleteBeta(Nary):
    """I_x(a, b), or its complement if `upper`; or its derivative of orders in a and in b."""

    upper: bool
    orders: tuple[int, int] = (0, 0)
    singular = True

    def ufunc(self, a: Array, b: Array, x: Array) -> Array:
        """SciPy's function, or its derivative."""
        if self.orders == (0, 0):
            return special.betaincc(a, b, x) if self.upper else special.betainc(a, b, x)
        derivative = _in_precision(_beta_derivative, self.orders, a, b, x)
        return -derivative if self.upper else derivative

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        j, k = self.orders
        if argument == 2:
            return self._density(*inputs)
        return IncompleteBeta(self.upper, (j + 1, k) if argument == 0 else (j, k + 1))(*inputs)

    def _density(self, a: Array, b: Array, x: Array) -> Array:
        def cumulant(r: int, s: int) -> Array:
            if r + s == 1:
                return QUIET_LOG(x if r else 1 - x) - PSI(a if r else b) + PSI(a + b)
            both = POLYGAMMA(r + s - 1, a + b)
            return both if r and s else both - POLYGAMMA(r + s - 1, a if r else b)

        density = beta_density(a, b, x)
        if self.orders != (0, 0):
            density = density * bell_polynomial(self.orders, cumulant)
        return -density if self.upper else density


@final
@parametrized
class IncompleteBetaInverse(Nary):
    """The x at which I_x(a, b), or its complement if `upper`, has a given value."""

    upper: bool
    singular = True

    def ufunc(self, a: Array, b: Array, y: Array) -> Array:
        """SciPy's function."""
        return special.betainccinv(a, b, y) if self.upper else special.betaincinv(a, b, y)

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        a, b, _ = inputs
        density = beta_density(a, b, out)
        if argument == 2:
            return RATIO(-1.0 if self.upper else 1.0, density)
        return RATIO(-IncompleteBeta(upper=False, orders=(1 - argument, argument))(a, b, out), density)


def beta_density(a: Array, b: Array, x: Array) -> Array:
    """x^(a-1) (1 - x)^(b-1) / beta(a, b)."""
    return EXP(XLOGY(a - 1, x) + XLOG1PY(b - 1, -x) - BETALN(a, b))


def _beta_derivative(orders: tuple[int, int], a: Array, b: Array, x: Array) -> Array:
    """The derivative of I_x(a, b), from the tail that lies away from the mode of logit t, which is logit a / (a + b).

    The upper tail is the lower one with the parameters exchanged, seen from the other end.
    """
    lower = x <= a / (a + b)
    upper = ~lower
    out = np.empty_like(x)
    out[lower] = _beta_tail(orders, a[lower], b[lower], (x[lower], 1 - x[lower]))
    out[upper] = -_beta_tail(orders[::-1], b[upper], a[upper], (1 - x[upper], x[upper]))
    return out


def _beta_tail(orders: tuple[int, int], a: Array, b: Array, point: tuple[Array, Array]) -> Array:
    """The derivative of the probability of (0, x); `point` is x and 1 - x."""
    x, y = point
    tail = np.where(x <= y, special.betainc(a, b, x), special.betaincc(b, a, y))
    inside = (x > 0) & (y > 0) & (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    a, b, x, y = (np.where(inside, z, 0.5) for z in (a, b, x, y))

    def spread(s: Array) -> Array:  # ln of x e^(-s) + y, the denominator of t at logit t = logit x - s
        return np.log1p(x * np.expm1(-s))

    def decay(s: Array) -> Array:  # phi = a (ln x - ln t) + b (ln y - ln(1 - t))
        return a * s + (a + b) * spread(s)

    def slope(s: Array) -> Array:
        return a - (a + b) * x * np.exp(-s - spread(s))

    constants = _cumulants_of_beta(orders, a, b)
    log_x, log_y = np.log(x), np.log(y)

    def factor(s: Array) -> Array:
        log_denominator = spread(s)
        logarithms = {(1, 0): log_x - s - log_denominator, (0, 1): log_y - log_denominator}
        return bell_polynomial(orders, lambda r, s: constants[r, s] + logarithms.get((r, s), 0.0))

    mean = _mean_over_tail(decay, slope, (1 - (a + b) * log_y) / a, factor)
    return np.where(inside, tail * mean, np.where((tail == 0) | (tail == 1), 0.0, np.nan))


def _cumulants_of_beta(orders: tuple[int, int], a: Array, b: Array) -> dict[tuple[int, int], Array]:
    """The derivatives in a and b of minus the log of the beta function."""
    found = {}
    for r in range(orders[0] + 1):
        for s in range(orders[1] + 1):
            if r + s:
                own = special.polygamma(r + s - 1, a if r else b)
                found[r, s] = special.polygamma(r + s - 1, a + b) - (0.0 if r and s else own)
    return found


# --- quadrature -------------------------------------------------------------------------------------------


def _mean_over_tail(decay: Function, slope: Function, start: Array, factor: Function) -> Array:
    """The mean of `factor` over s > 0 with the weight e^(-decay(s)); decay(start) is at least 1."""
    scale = start
    for _ in range(25):  # Newton's method; decay is convex, so it descends to decay(scale) = 1
        scale = scale - (decay(scale) - 1) / slope(scale)
    total: Array = 0.0
    moment: Array = 0.0
    for distance, weight in zip(DISTANCES.tolist(), WEIGHTS.tolist(), strict=True):
        density = weight * np.exp(-decay(scale * distance))
        total = total + density
        moment = moment + density * factor(scale * distance)
    return moment / total


def _in_precision(derivative: Callable[..., Array], order: Any, *inputs: Array) -> Array:
    """The derivative computed in double precision, in the precision of SciPy's functions of these inputs."""
    dtype = np.float32 if all(np.asarray(x).dtype == np.float32 for x in inputs) else np.float64
    shape = np.broadcast_shapes(*map(np.shape, inputs))
    arrays = [np.broadcast_to(np.asarray(x, np.float64), shape).ravel() for x in inputs]
    with np.errstate(all="ignore"):
        return derivative(order, *arrays).reshape(shape).astype(dtype)[()]


LOWER_GAMMA, UPPER_GAMMA = IncompleteGamma(upper=False), IncompleteGamma(upper=True)
LOWER_GAMMA_INVERSE, UPPER_GAMMA_INVERSE = IncompleteGammaInverse(upper=False), IncompleteGammaInverse(upper=True)
LOWER_BETA, UPPER_BETA = IncompleteBeta(upper=False), IncompleteBeta(upper=True)
LOWER_BETA_INVERSE, UPPER_BETA_INVERSE = IncompleteBetaInverse(upper=False), IncompleteBetaInverse(upper=True)
