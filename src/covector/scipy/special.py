"""scipy.special for traced and plain arrays.

SciPy's ufuncs reach a tracer by themselves (`scipy.special.erf(x)`), once this module has told covector which
primitive stands behind each; that happens when the first one is met. Functions of SciPy's that are not ufuncs
(`logsumexp`, `softmax`, `polygamma`, ...) would turn a tracer into a plain array: use their twins here, which
have the same signatures and results. Every other name of scipy.special is SciPy's own.

    >>> logsumexp(np.array([0.0, 0.0])) == np.log(2.0)
    np.True_
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from covector.core.families import masked_multiply
from covector.core.protocol import table
from covector.core.types import Array, typeof
from covector.errors import UnsupportedArgumentError
from covector.numpy.operands import operand
from covector.numpy.reductions import axes_of, finished
from covector.numpy.registry import implements, refuse
from covector.numpy.ufuncs import is_complex
from covector.ops import bessel, elementary, gamma, hypergeometric, incomplete
from covector.ops import special as functions
from covector.ops.comparison import GREATER_EQUAL, LESS_EQUAL, LOGICAL_AND, NOT_EQUAL, SELECT, StepFunction, cast
from covector.ops.elementary import LN10
from covector.ops.reduction import LogSumExp, Softmax
from covector.transforms.stop import STOP_GRADIENT

# --- functions that are not ufuncs ------------------------------------------------------------------------


@implements(scipy.special.logsumexp)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """The log of the sum over axes of b exp(a), without overflow; its derivative is the softmax.

    With `return_sign` the log of the absolute value of the sum, and the sum's sign.
    """
    x = _floating(operand(a))
    if b is None and not return_sign and not is_complex(x):
        axes = axes_of(x, axis)
        return finished(LogSumExp(axes)(x), x, axes, keepdims)
    weights = 1.0 if b is None else operand(b)
    x, weights = x + weights * 0, weights + x * 0 if b is not None else weights
    axes = axes_of(x, axis)
    largest = STOP_GRADIENT(np.max(SELECT(NOT_EQUAL(weights, 0), np.real(x), -np.inf), axis=axes, keepdims=True))
    largest = SELECT(np.isfinite(largest), largest, 0)
    total = np.sum(masked_multiply(weights, elementary.EXP(x - largest)), axis=axes, keepdims=True)
    sign = np.sign(total)
    result = np.log(np.absolute(total) if return_sign else total) + largest
    results = (result, sign) if return_sign else (result,)
    results = results if keepdims else tuple(np.squeeze(part, axis=axes) for part in results)
    return results if return_sign else results[0]


@implements(scipy.special.softmax)
def softmax(x: Any, axis: Any = None) -> Array:
    """exp(x) over its sum over axes."""
    x = _floating(operand(x))
    return Softmax(axes_of(x, axis))(x)


@implements(scipy.special.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Array:
    """The log of the softmax, accurate where that is tiny."""
    x = _floating(operand(x))
    return x - logsumexp(x, axis=axis, keepdims=True)


@implements(scipy.special.multigammaln)
def multigammaln(a: Any, d: int) -> Array:
    """The log of the multivariate gamma function of dimension d."""
    a = operand(a)
    constant = d * (d - 1) * 0.25 * math.log(math.pi)
    return sum((gamma.GAMMALN(a - j / 2) for j in range(d)), constant)


@implements(scipy.special.polygamma)
def polygamma(n: Any, x: Any) -> Array:
    """The n-th derivative of psi, differentiable in x."""
    return gamma.POLYGAMMA(operand(n), operand(x))


@implements(scipy.special.zeta)
def zeta(x: Any, q: Any = None, out: None = None) -> Array:
    """Hurwitz's zeta function, differentiable in q; Riemann's without q, which has no derivative rule."""
    refuse(scipy.special.zeta, out=out)
    return gamma.ZETA(operand(x), 1.0 if q is None else operand(q))


@implements(scipy.special.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Array:
    """The number of ways to take k of N things, as a differentiable function of both."""
    refuse(scipy.special.comb, exact=exact or None)
    if repetition:
        return comb(operand(N) + operand(k) - 1, k)
    count, taken = operand(N), operand(k)
    possible = LOGICAL_AND(LESS_EQUAL(taken, count), LOGICAL_AND(GREATER_EQUAL(count, 0), GREATER_EQUAL(taken, 0)))
    return SELECT(possible, gamma.BINOM(count, taken), 0.0)


@implements(scipy.special.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Array:
    """gamma(n + 1), zero for negative n."""
    refuse(scipy.special.factorial, exact=exact or None)
    if extend != "zero":
        raise UnsupportedArgumentError(f"scipy.special.factorial of a traced array has no rule for extend={extend!r}")
    n = operand(n)
    return SELECT(GREATER_EQUAL(n, 0), gamma.GAMMA(n + 1), 0.0)


@implements(*([scipy.special.sph_harm_y] if hasattr(scipy.special, "sph_harm_y") else []))
def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any) -> Array:
    """The spherical harmonic of degree n and order m, differentiable in both angles."""
    return bessel.SPHERICAL_HARMONIC(operand(n), operand(m), operand(theta), operand(phi))


def exp10(x: Any) -> Array:
    """10^x."""
    return elementary.EXP(operand(x) * LN10)


def _floating(x: Array) -> Array:
    return x if typeof(x).differentiable else cast(x, np.float64)


# --- ufuncs -----------------------------------------------------------------------------------------------

table.ufuncs |= {
    scipy.special.beta: gamma.BETA,
    scipy.special.betainc: incomplete.LOWER_BETA,
    scipy.special.betaincc: incomplete.UPPER_BETA,
    scipy.special.betaincinv: incomplete.LOWER_BETA_INVERSE,
    scipy.special.betainccinv: incomplete.UPPER_BETA_INVERSE,
    scipy.special.betaln: gamma.BETALN,
    scipy.special.binom: gamma.BINOM,
    scipy.special.boxcox: hypergeometric.BOXCOX,
    scipy.special.boxcox1p: hypergeometric.BOXCOX1P,
    scipy.special.cbrt: elementary.CBRT,
    scipy.special.dawsn: functions.DAWSN,
    scipy.special.entr: functions.ENTR,
    scipy.special.erf: functions.ERF,
    scipy.special.erfc: functions.ERFC,
    scipy.special.erfcinv: functions.ERFCINV,
    scipy.special.erfcx: functions.ERFCX,
    scipy.special.erfi: functions.ERFI,
    scipy.special.erfinv: functions.ERFINV,
    scipy.special.exp1: functions.EXP1,
    scipy.special.exp10: exp10,
    scipy.special.exp2: elementary.EXP2,
    scipy.special.expi: functions.EXPI,
    scipy.special.expit: functions.EXPIT,
    scipy.special.expm1: elementary.EXPM1,
    scipy.special.expn: functions.EXPN,
    scipy.special.exprel: hypergeometric.EXPREL,
    scipy.special.fresnel: functions.fresnel,
    scipy.special.gamma: gamma.GAMMA,
    scipy.special.gammainc: incomplete.LOWER_GAMMA,
    scipy.special.gammaincc: incomplete.UPPER_GAMMA,
    scipy.special.gammaincinv: incomplete.LOWER_GAMMA_INVERSE,
    scipy.special.gammainccinv: incomplete.UPPER_GAMMA_INVERSE,
    scipy.special.gammaln: gamma.GAMMALN,
    scipy.special.gammasgn: StepFunction(scipy.special.gammasgn),
    scipy.special.hankel1: bessel.HANKEL1,
    scipy.special.hankel2: bessel.HANKEL2,
    scipy.special.hyp0f1: hypergeometric.HYP0F1,
    scipy.special.hyp1f1: hypergeometric.HYP1F1,
    scipy.special.hyp2f1: hypergeometric.HYP2F1,
    scipy.special.i0: bessel.I0,
    scipy.special.i0e: bessel.I0E,
    scipy.special.i1: bessel.I1,
    scipy.special.i1e: bessel.I1E,
    scipy.special.iv: bessel.IV,
    scipy.special.ive: bessel.IVE,
    scipy.special.j0: bessel.J0,
    scipy.special.j1: bessel.J1,
    scipy.special.jv: bessel.JV,
    scipy.special.k0: bessel.K0,
    scipy.special.k0e: bessel.K0E,
    scipy.special.k1: bessel.K1,
    scipy.special.k1e: bessel.K1E,
    scipy.special.kl_div: functions.KL_DIV,
    scipy.special.kn: bessel.KN,
    scipy.special.kv: bessel.KV,
    scipy.special.kve: bessel.KVE,
    scipy.special.log1p: elementary.LOG1P,
    scipy.special.log_expit: functions.LOG_EXPIT,
    scipy.special.log_ndtr: functions.LOG_NDTR,
    scipy.special.loggamma: gamma.LOGGAMMA,
    scipy.special.logit: functions.LOGIT,
    scipy.special.ndtr: functions.NDTR,
    scipy.special.ndtri: functions.NDTRI,
    scipy.special.owens_t: functions.OWENS_T,
    scipy.special.poch: gamma.POCH,
    scipy.special.psi: gamma.PSI,
    scipy.special.rel_entr: functions.REL_ENTR,
    scipy.special.rgamma: gamma.RGAMMA,
    scipy.special.sici: functions.sici,
    scipy.special.spence: hypergeometric.SPENCE,
    scipy.special.wofz: functions.WOFZ,
    scipy.special.xlog1py: functions.XLOG1PY,
    scipy.special.xlogy: functions.XLOGY,
    scipy.special.y0: bessel.Y0,
    scipy.special.y1: bessel.Y1,
    scipy.special.yn: bessel.YN,
    scipy.special.yv: bessel.YV,
}


def __getattr__(name: str) -> Any:
    """SciPy's own function for every name that has no twin here."""
    return getattr(scipy.special, name)
