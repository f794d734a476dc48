"""The special functions that NumPy itself has, which windows are made of: `np.sinc` and `np.i0`.

Both are even and entire, and their derivatives of every order are integrals over a bounded family of cosines or
exponentials, so they are computed to rounding everywhere, without SciPy and without dividing by zero.

    >>> round(float(Sinc(2)(0.0) * -3 / math.pi**2), 12), round(float(ModifiedBessel(2)(1.0)), 12)
    (1.0, 0.135747669767)
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, final

import numpy as np

from covector.core.families import Unary
from covector.core.primitive import parametrized
from covector.core.types import Array


@final
@parametrized
class Sinc(Unary):
    """The derivative of the given order of sin(u) / u at u = pi x, times pi^order; `np.sinc` for order 0.

    From f(u) = integral of cos(s u) over s in (0, 1), the n-th derivative is that of s^n cos(s u + n pi / 2),
    bounded by 1 / (n + 1). Integrating by parts, u f_n = sin(u + n pi / 2) - n f_(n-1), which is accurate for
    |u| > n; for smaller u the power series is.
    """

    order: int = 0

    def ufunc(self, x: Array) -> Array:
        """By recurrence away from 0, by the power series near it."""
        if self.order == 0:
            return np.sinc(x)
        u = np.multiply(x, math.pi)
        near = np.abs(u) <= self.order + 1
        value = np.where(near, _sinc_series(np.where(near, u, 0), self.order), 0)
        value = np.where(near, value, _sinc_recurrence(np.where(near, 1, u), self.order))
        return (value * math.pi**self.order).astype(u.dtype)[()]

    def derivative(self, out: Array, x: Array) -> Array:
        return Sinc(self.order + 1)(x)


def _sinc_recurrence(u: Array, order: int) -> Array:
    value = np.sin(u) / u
    for n in range(1, order + 1):
        value = (np.sin(u + n * (math.pi / 2)) - n * value) / u
    return value


def _sinc_series(u: Array, order: int) -> Array:
    first = (order + 1) // 2  # the lowest power 2m of u that survives `order` derivatives
    value = np.zeros_like(u)
    for m in range(first + 20 + 2 * order, first - 1, -1):
        coefficient = (-1.0) ** m / (math.factorial(2 * m - order) * (2 * m + 1))
        value = value * (u * u) + coefficient
    return value * u ** (2 * first - order)


@final
@parametrized
class ModifiedBessel(Unary):
    """The modified Bessel function of the first kind of an integer order, `np.i0` for order 0, without SciPy.

    I_n(x) is the mean over a of exp(x cos a) cos(n a), which the trapezoid rule computes to rounding, because
    the integrand is periodic; I_n' = (I_(n-1) + I_(n+1)) / 2.
    """

    order: int = 0

    def ufunc(self, x: Array) -> Array:
        """`np.i0`, or the trapezoid rule."""
        if self.order == 0:
            return np.i0(x)[()]
        x = np.asarray(x)
        largest = float(np.max(np.abs(x), initial=0.0)) if np.all(np.isfinite(x)) else 800.0
        angles, weights = _half_circle(32 + self.order + 8 * math.isqrt(int(min(largest, 800.0)) + 1))
        weights = weights * np.cos(self.order * angles)
        out = np.tensordot(np.exp(np.multiply.outer(x, np.cos(angles))), weights, 1)
        return out.astype(np.result_type(x, np.float16))[()]

    def derivative(self, out: Array, x: Array) -> Array:
        if self.order == 0:
            return ModifiedBessel(1)(x)
        return (ModifiedBessel(self.order - 1)(x) + ModifiedBessel(self.order + 1)(x)) * 0.5


@cache
def _half_circle(count: int) -> tuple[Any, Any]:
    """Angles from 0 to pi, and the weights of the trapezoid rule for the mean over them."""
    weights = np.full(count + 1, 1.0 / count)
    weights[[0, -1]] /= 2
    return np.linspace(0.0, math.pi, count + 1), weights


SINC, MODIFIED_BESSEL = Sinc(), ModifiedBessel()
