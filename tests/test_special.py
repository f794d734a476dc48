"""SciPy's special functions, through its own ufuncs and through the twins of its plain functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import covector as cv
from covector.core.protocol import table
from covector.errors import MissingRuleError, UnsupportedArgumentError
from covector.scipy import special as twins
from covector.testing import check_grads, difference_quotient
from tests.agreement import assert_same, check_function, check_values

Function = Callable[..., Any]

X = np.array([0.4, 0.8, 0.15])
WIDE = np.array([-2.3, 0.7, 3.1])
POSITIVE = np.array([0.6, 1.9, 4.2])

UNARY: list[tuple[Any, Any]] = [
    *(
        (f, WIDE)
        for f in (
            special.erf,
            special.erfc,
            special.erfcx,
            special.erfi,
            special.dawsn,
            special.ndtr,
            special.log_ndtr,
            special.expit,
            special.log_expit,
            special.gamma,
            special.gammaln,
            special.rgamma,
            special.psi,
            special.i0,
            special.i1,
            special.i0e,
            special.i1e,
            special.j0,
            special.j1,
            special.exprel,
            special.expi,
            special.exp2,
            special.expm1,
            special.exp10,
            special.cbrt,
            special.wofz,
        )
    ),
    *((f, X) for f in (special.erfinv, special.erfcinv, special.logit, special.ndtri)),
    *(
        (f, POSITIVE)
        for f in (
            special.y0,
            special.y1,
            special.k0,
            special.k1,
            special.k0e,
            special.k1e,
            special.entr,
            special.exp1,
            special.loggamma,
            special.spence,
            special.log1p,
            special.fresnel,
            special.sici,
        )
    ),
]
BINARY: list[tuple[Any, Any, Any]] = [
    *(
        (f, POSITIVE, X + 1)
        for f in (
            special.beta,
            special.betaln,
            special.xlogy,
            special.xlog1py,
            special.rel_entr,
            special.kl_div,
            special.boxcox,
            special.boxcox1p,
            special.owens_t,
            special.poch,
            special.gammainc,
            special.gammaincc,
        )
    ),
    (special.binom, POSITIVE + 1, X),
    (special.gammaincinv, POSITIVE, X),
    (special.gammainccinv, POSITIVE, X),
]
TERNARY: list[Any] = [special.betainc, special.betaincc, special.betaincinv, special.betainccinv]
OF_ORDER: list[tuple[Any, tuple[Any, ...], Any]] = [
    *(
        (f, (order,), POSITIVE)
        for order in (0, 1, 3)
        for f in (
            special.jv,
            special.yv,
            special.yn,
            special.iv,
            special.kv,
            special.kn,
            special.ive,
            special.kve,
        )
    ),
    *(
        (f, (1.7,), POSITIVE)
        for f in (special.jv, special.yv, special.iv, special.kv, special.hankel1, special.hankel2)
    ),
    *((special.expn, (order,), POSITIVE) for order in (0, 1, 4)),
    (special.hyp0f1, (1.3,), WIDE),
    (special.hyp1f1, (0.7, 1.9), WIDE),
    (special.hyp2f1, (0.7, 1.1, 1.9), X),
]


@pytest.mark.parametrize(("function", "x"), UNARY)
def test_unary_functions(function: Function, x: Any) -> None:
    check_function(function, x, order=3)
    check_function(function, float(x[1]))
    check_values(function, x.astype(np.float32))


@pytest.mark.parametrize(("function", "x", "y"), BINARY)
def test_binary_functions(function: Function, x: Any, y: Any) -> None:
    check_function(function, x, y, order=3)
    check_function(function, x[:, None], float(y[0]), batching=False)
    check_values(function, x.astype(np.float32), y.astype(np.float32))


@pytest.mark.parametrize("function", TERNARY)
def test_incomplete_beta_functions(function: Function) -> None:
    check_function(function, POSITIVE, X + 1, X)


@pytest.mark.parametrize(("function", "order", "x"), OF_ORDER)
def test_functions_with_a_constant_order(function: Function, order: tuple[Any, ...], x: Any) -> None:
    check_function(lambda x: function(*order, x), x, order=3)
    check_values(lambda x: function(*order, x), x.astype(np.float32))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (special.jv, (1.5, 2.0)),
        (special.ive, (1.5, 2.0)),
        (special.hyp1f1, (1.5, 2.0, 0.3)),
        (special.hyp2f1, (1.5, 2.0, 0.7, 0.3)),
        (twins.zeta, (2.5, 1.5)),
        (special.hyp0f1, (1.5, 0.2)),
    ],
)
def test_derivatives_in_an_order_are_refused(function: Function, arguments: Sequence[float]) -> None:
    with pytest.raises(MissingRuleError, match="stop_gradient"):
        cv.grad(function, argnums=tuple(range(len(arguments))))(*arguments)


@pytest.mark.parametrize(
    "function", [special.erf, special.erfc, special.dawsn, special.wofz, special.gamma, special.loggamma]
)
def test_complex_numbers(function: Function) -> None:
    check_grads(function, (np.array([0.4 + 0.3j, 1.2 - 0.8j]),), order=1)


def test_complex_arguments_of_bessel_functions() -> None:
    check_grads(lambda z: special.jv(1.5, z), (np.array([0.4 + 0.3j]),), order=2)
    with pytest.raises(MissingRuleError, match="complex"):
        cv.jvp(lambda z: special.ive(1, z), (0.4 + 0.3j,), (1.0 + 0.0j,))


# --- known values and edges -------------------------------------------------------------------------------


def test_bessel_functions_at_zero() -> None:
    assert cv.grad(special.j1)(0.0) == 0.5
    assert cv.grad(special.i1)(0.0) == 0.5
    assert cv.grad(cv.grad(special.j0))(0.0) == -0.5
    assert cv.grad(lambda x: special.jv(2, x))(0.0) == 0.0


def test_the_reciprocal_gamma_function_at_the_poles_of_gamma() -> None:
    """There its derivative is (-1)^n n!, and its second derivative -2 (-1)^n n! psi(n + 1)."""
    for n in range(6):
        sign = (-1.0) ** n * special.gamma(n + 1.0)
        np.testing.assert_allclose(cv.grad(special.rgamma)(-float(n)), sign, rtol=1e-13)
        np.testing.assert_allclose(
            cv.grad(cv.grad(special.rgamma))(-float(n)), -2 * sign * special.psi(n + 1.0), rtol=1e-12
        )


@pytest.mark.parametrize("x", [-1e3, -300.0, -30.0, -5.0])
def test_the_lower_tail_of_the_normal_distribution(x: float) -> None:
    """The hazard of the tail is that of Mills: between -x and -x - 1/x, and its slope between -1 and 0."""
    slope = cv.grad(special.log_ndtr)(x)
    assert -x < slope < -x - 1 / x
    assert -1.0 < cv.grad(cv.grad(special.log_ndtr))(x) < 0.0


def test_logits_saturate_without_losing_their_tails() -> None:
    np.testing.assert_allclose(cv.grad(special.expit)(-700.0), np.exp(-700.0), rtol=1e-12)
    np.testing.assert_allclose(cv.grad(special.expit)(700.0), np.exp(-700.0), rtol=1e-12)
    np.testing.assert_allclose(cv.grad(special.log_expit)(-700.0), 1.0)


def test_masking_wins_at_zero() -> None:
    for function in (special.entr, lambda x: special.xlogy(x, x), lambda x: special.rel_entr(x, 1.0)):
        assert cv.grad(lambda x, f=function: np.where(x > 0, f(x), 0.0))(0.0) == 0.0


def test_the_boxcox_transform_is_smooth_at_zero() -> None:
    x = 2.5
    logarithm = np.log(x)
    np.testing.assert_allclose(cv.grad(special.boxcox, argnums=1)(x, 0.0), logarithm**2 / 2)
    np.testing.assert_allclose(cv.grad(cv.grad(special.boxcox, argnums=1), argnums=1)(x, 0.0), logarithm**3 / 3)


def test_sine_integrals_at_zero() -> None:
    assert cv.grad(lambda x: special.sici(x)[0])(0.0) == 1.0
    np.testing.assert_allclose(cv.grad(cv.grad(lambda x: special.sici(x)[0]))(0.0), 0.0)


# --- incomplete functions in their parameters -------------------------------------------------------------


@given(st.floats(-2.0, 4.0), st.floats(-3.0, 3.0))
def test_the_incomplete_gamma_function_of_integer_shapes(log_shape: float, place: float) -> None:
    """Its recurrence P(a + 1, x) = P(a, x) - x^a e^(-x) / gamma(a + 1), differentiated in a."""
    a = 10.0**log_shape
    x = a * np.exp(place / np.sqrt(max(a, 0.3)))

    def left(a: Any) -> Any:
        return special.gammainc(a + 1, x)

    def right(a: Any) -> Any:
        return special.gammainc(a, x) - np.exp(a * np.log(x) - x - special.gammaln(a + 1))

    for derivative in (cv.grad, lambda f: cv.grad(cv.grad(f))):
        scale = 1.0 + special.polygamma(1, a) * (derivative is not cv.grad) + abs(special.psi(a))
        np.testing.assert_allclose(derivative(left)(a), derivative(right)(a), atol=2e-9 * scale)


@pytest.mark.parametrize("a", [0.01, 0.4, 1.0, 7.0, 300.0, 1e5])
def test_tails_of_the_gamma_distribution_keep_relative_accuracy(a: float) -> None:
    """Far in a tail d log Q / da, by its difference quotient, though Q itself may be tiny."""
    for x, function in ((a + 12 * np.sqrt(a) + 20, special.gammaincc), (a / (1 + 3 / np.sqrt(a)), special.gammainc)):
        found = cv.grad(lambda a, f=function, x=x: np.log(f(a, x)))(a)
        expected = difference_quotient(lambda a, f=function, x=x: np.log(f(a, x)), (a,), (1.0,), eps=1e-3 * a)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(st.floats(-1.5, 3.0), st.floats(-1.5, 3.0), st.floats(0.001, 0.999))
def test_the_incomplete_beta_function_and_its_mirror_image(log_a: float, log_b: float, x: float) -> None:
    """I_x(a, b) = 1 - I_(1-x)(b, a), differentiated in both parameters."""
    a, b = 10.0**log_a, 10.0**log_b
    gradient = cv.grad(special.betainc, argnums=(0, 1, 2))(a, b, x)
    mirrored = cv.grad(special.betainc, argnums=(1, 0, 2))(b, a, 1 - x)
    np.testing.assert_allclose(gradient[:2], [-mirrored[0], -mirrored[1]], rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(gradient[2], mirrored[2], rtol=1e-6, atol=1e-12)


@given(st.floats(0.05, 50.0), st.floats(0.02, 0.98))
def test_the_incomplete_beta_function_with_a_parameter_of_one(a: float, x: float) -> None:
    """I_x(a, 1) = x^a."""
    np.testing.assert_allclose(cv.grad(special.betainc)(a, 1.0, x), x**a * np.log(x), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(
        cv.grad(cv.grad(special.betainc))(a, 1.0, x), x**a * np.log(x) ** 2, rtol=1e-8, atol=1e-300
    )


def test_incomplete_functions_at_the_ends() -> None:
    for function in (special.gammainc, special.gammaincc):
        assert cv.grad(function)(2.0, 0.0) == 0.0
        assert cv.grad(function)(2.0, np.inf) == 0.0
        assert cv.grad(function, argnums=1)(2.0, 0.0) == 0.0
    for x in (0.0, 1.0):
        assert cv.grad(special.betainc, argnums=(0, 1))(2.0, 3.0, x) == (0.0, 0.0)
    assert np.isnan(cv.grad(special.gammainc)(-1.0, 2.0))


def test_incomplete_functions_keep_single_precision() -> None:
    gradient = cv.grad(special.gammainc)(np.float32(2.0), np.float32(1.5))
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, cv.grad(special.gammainc)(2.0, 1.5), rtol=1e-5)


# --- twins ------------------------------------------------------------------------------------------------

A = np.array([[0.3, -1.2, 2.0], [1.1, 0.4, -0.6]])
B = np.array([[1.0, -2.0, 0.5], [0.3, 2.0, 1.0]])


@pytest.mark.parametrize(
    "options", [{}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": -1, "keepdims": True}]
)
def test_logsumexp(options: dict[str, Any]) -> None:
    assert_same(twins.logsumexp(A, **options), special.logsumexp(A, **options))
    assert_same(twins.logsumexp(A, b=np.abs(B), **options), special.logsumexp(A, b=np.abs(B), **options))
    assert_same(
        twins.logsumexp(A, b=B, return_sign=True, **options), special.logsumexp(A, b=B, return_sign=True, **options)
    )
    check_function(lambda a: twins.logsumexp(a, **options), A)
    check_function(lambda a, b: twins.logsumexp(a, b=b, **options), A, np.abs(B))
    check_function(lambda a, b: twins.logsumexp(a, b=b, return_sign=True, **options), A, B)


def test_logsumexp_of_complex_and_of_single_precision_and_infinite_numbers() -> None:
    check_function(twins.logsumexp, A + 1j * B)
    assert_same(twins.logsumexp(A + 1j * B), special.logsumexp(A + 1j * B))
    check_values(twins.logsumexp, A.astype(np.float32))
    check_values(twins.logsumexp, np.array([1, 2, 3]))
    np.testing.assert_array_equal(cv.grad(twins.logsumexp)(np.array([-np.inf, 2.0])), [0.0, 1.0])
    np.testing.assert_allclose(
        cv.grad(lambda b: twins.logsumexp(np.array([0.0, 1.0]), b=b))(np.array([1.0, 0.0])), [1.0, np.e]
    )
    np.testing.assert_allclose(twins.logsumexp(np.array([1000.0, 1000.0])), 1000.0 + np.log(2.0))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str) -> None:
    twin, original = getattr(twins, name), getattr(special, name)
    for axis in (None, 0, -1, (0, 1)):
        assert_same(twin(A, axis=axis), original(A, axis=axis))
        check_function(lambda x, axis=axis: twin(x, axis=axis), A)
    check_values(twin, A.astype(np.float32))


def test_functions_of_the_gamma_family() -> None:
    for n in (0, 1, 3, np.array([0, 1, 2])):
        assert_same(twins.polygamma(n, POSITIVE), special.polygamma(n, POSITIVE))
        check_function(lambda x, n=n: twins.polygamma(n, x), POSITIVE)
    assert_same(twins.multigammaln(POSITIVE + 2, 3), special.multigammaln(POSITIVE + 2, 3))
    check_function(lambda a: twins.multigammaln(a, 3), POSITIVE + 2)
    assert_same(twins.zeta(2.5, POSITIVE), special.zeta(2.5, POSITIVE))
    check_function(lambda q: twins.zeta(2.5, q), POSITIVE)
    np.testing.assert_allclose(twins.zeta(2.0), special.zeta(2.0), rtol=1e-15)


def test_counting_functions() -> None:
    for repetition in (False, True):
        found = twins.comb(POSITIVE + 2, X, repetition=repetition)
        assert_same(found, special.comb(POSITIVE + 2, X, repetition=repetition))
        check_function(partial(twins.comb, repetition=repetition), POSITIVE + 2, X)
    assert_same(twins.comb(np.array([2.0, 3.0, -1.0]), np.array([3.0, -1.0, 0.0])), np.zeros(3))
    assert_same(twins.factorial(POSITIVE), special.factorial(POSITIVE))
    check_function(twins.factorial, POSITIVE)
    assert twins.factorial(-1.5) == 0.0
    with pytest.raises(UnsupportedArgumentError, match="exact="):
        cv.grad(lambda n: twins.factorial(n, exact=True))(3.0)


@pytest.mark.parametrize(("degree", "order"), [(0, 0), (1, 0), (2, 1), (3, -2), (3, 3), (4, -4)])
def test_spherical_harmonics(degree: int, order: int) -> None:
    if hasattr(special, "sph_harm_y"):  # SciPy 1.15
        assert_same(twins.sph_harm_y(degree, order, X, WIDE), special.sph_harm_y(degree, order, X, WIDE))
    check_function(lambda theta, phi: twins.sph_harm_y(degree, order, theta, phi), X, WIDE)
    assert np.isfinite(cv.grad(lambda theta: twins.sph_harm_y(degree, order, theta, 0.3).real)(0.0))


def test_other_names_are_scipys_own() -> None:
    assert twins.erf is special.erf
    with pytest.raises(AttributeError):
        twins.no_such_function  # noqa: B018


def test_the_functions_promised_are_all_there() -> None:
    ufuncs = (
        "beta", "betainc", "betaln", "erf", "erfc", "erfcinv", "erfinv", "expit", "gamma", "gammainc", "gammaincc",
        "gammaln", "i0", "i1", "iv", "ive", "j0", "j1", "jv", "logit", "psi", "rgamma", "y0", "y1", "yn",
    )  # fmt: skip
    assert all(getattr(special, name) in table.ufuncs for name in ufuncs)
    assert all(
        getattr(twins, name) is not getattr(special, name) for name in ("logsumexp", "multigammaln", "polygamma")
    )
