"""Elementwise functions: NumPy's ufuncs and their relatives, their kinks, and their edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import covector as cv
from covector.errors import CovectorError, UnsupportedArgumentError
from tests.agreement import check_function, check_values

Function = Callable[..., Any]

INSIDE = np.array([0.3, -0.6, 0.9])
POSITIVE = np.array([0.4, 1.3, 2.7])
ABOVE_ONE = np.array([1.2, 2.0, 3.5])
OFF = np.array([0.7, -1.4, 2.3])

UNARY: list[tuple[Any, Any]] = [
    *((f, INSIDE) for f in (np.arcsin, np.arccos, np.arctanh)),
    *((f, POSITIVE) for f in (np.log, np.log2, np.log10, np.log1p, np.sqrt, np.cbrt, np.reciprocal)),
    (np.arccosh, ABOVE_ONE),
    *(
        (f, OFF)
        for f in (
            np.sin,
            np.cos,
            np.tan,
            np.arctan,
            np.sinh,
            np.cosh,
            np.tanh,
            np.arcsinh,
            np.exp,
            np.exp2,
            np.expm1,
            np.square,
            np.negative,
            np.positive,
            np.absolute,
            np.fabs,
            np.degrees,
            np.radians,
            np.deg2rad,
            np.rad2deg,
            np.conjugate,
            np.sinc,
            np.i0,
            np.real,
            np.imag,
            np.angle,
            np.nan_to_num,
            np.real_if_close,
            np.sign,
            np.floor,
            np.ceil,
            np.trunc,
            np.rint,
            np.fix,
            np.round,
            np.around,
            np.isnan,
            np.signbit,
            np.spacing,
        )
    ),
    (np.cbrt, -POSITIVE),
    *((f, OFF) for f in (np.modf, np.frexp)),
]
COMPLEX = np.array([0.3 + 0.4j, -0.5 + 0.2j, 0.1 - 0.6j])
HOLOMORPHIC = [
    np.sin,
    np.cos,
    np.tan,
    np.arcsin,
    np.arccos,
    np.arctan,
    np.sinh,
    np.cosh,
    np.tanh,
    np.arcsinh,
    np.arccosh,
    np.arctanh,
    np.exp,
    np.exp2,
    np.expm1,
    np.log,
    np.log2,
    np.log10,
    np.log1p,
    np.sqrt,
    np.square,
    np.reciprocal,
    np.negative,
    np.positive,
    np.sinc,
]
NOT_HOLOMORPHIC = [np.absolute, np.conjugate, np.real, np.imag, np.angle, np.sign]
BINARY: list[tuple[Any, Any, Any]] = [
    *(
        (f, OFF, np.array([1.6, 0.8, -0.5]))
        for f in (
            np.add,
            np.subtract,
            np.multiply,
            np.divide,
            np.hypot,
            np.arctan2,
            np.maximum,
            np.minimum,
            np.fmax,
            np.fmin,
            np.logaddexp,
            np.logaddexp2,
            np.copysign,
            np.fmod,
            np.remainder,
            np.divmod,
            np.floor_divide,
            np.heaviside,
            np.less,
            np.nextafter,
            np.logical_and,
        )
    ),
    (np.power, POSITIVE, OFF),
    (np.float_power, POSITIVE, OFF),
    (np.ldexp, OFF, np.array([1, -2, 3])),
]


@pytest.mark.parametrize(("function", "x"), UNARY)
def test_unary_functions(function: Function, x: Any) -> None:
    check_function(function, x)
    check_function(function, float(x[0]))


@pytest.mark.parametrize(("function", "x"), UNARY)
def test_unary_functions_in_single_precision_and_of_integers(function: Function, x: Any) -> None:
    check_values(function, x.astype(np.float32))
    if function not in (np.arctanh, np.frexp, np.reciprocal, np.spacing):
        check_values(function, np.array([1, 1]))


@pytest.mark.parametrize("function", [*HOLOMORPHIC, *NOT_HOLOMORPHIC])
def test_functions_of_complex_numbers(function: Function) -> None:
    check_function(function, COMPLEX)
    check_values(function, COMPLEX.astype(np.complex64))


@pytest.mark.parametrize(("function", "x", "y"), BINARY)
def test_binary_functions(function: Function, x: Any, y: Any) -> None:
    check_function(function, x, y)
    check_function(function, x[:, None], y, batching=False)
    check_function(function, float(x[0]), y)


@pytest.mark.parametrize(("function", "x", "y"), BINARY)
def test_binary_functions_in_mixed_precision(function: Function, x: Any, y: Any) -> None:
    check_values(function, x.astype(np.float32), y)
    check_values(function, x.astype(np.float32), y[0].item())
    if function is not np.ldexp:
        check_values(function, x[0].item(), y.astype(np.float32))


@given(st.floats(-6.0, 6.0), st.integers(0, 4))
def test_sinc_has_every_derivative_everywhere(x: float, order: int) -> None:
    """Against the integral of cos(pi x s) over s in (0, 1), differentiated under it, by Gauss quadrature."""
    function: Function = np.sinc
    for _ in range(order):
        function = cv.grad(function)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    angle = np.pi * x * (nodes + 1) / 2 + order * np.pi / 2
    expected = np.sum(weights / 2 * ((nodes + 1) / 2) ** order * np.cos(angle)) * np.pi**order
    np.testing.assert_allclose(function(x), expected, rtol=1e-11, atol=1e-11 * np.pi**order)


def test_absolute_values_have_derivative_zero_at_zero() -> None:
    for function in (
        np.abs,
        np.fabs,
        lambda x: np.hypot(x, 0.0),
        lambda x: np.abs(x + 0j),
        lambda x: np.copysign(x, 1.0),
    ):
        assert cv.grad(function)(0.0) == 0.0
        assert cv.jvp(function, (0.0,), (1.0,))[1] == 0.0
    np.testing.assert_allclose(cv.grad(np.abs)(3.0 - 4.0j), (3.0 + 4.0j) / 5.0)


def test_second_derivatives_at_the_origin_are_finite() -> None:
    assert np.all(np.isfinite(cv.hessian(lambda x: np.hypot(x[0], x[1]))(np.zeros(2))))


@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_share_equally(function: Function) -> None:
    assert cv.grad(function, argnums=(0, 1))(2.0, 2.0) == (0.5, 0.5)
    assert cv.grad(function, argnums=(0, 1))(np.inf, np.inf) == (0.5, 0.5)
    assert cv.grad(lambda x: function(x, x))(2.0) == 1.0


def test_nan_is_followed_or_ignored_as_numpy_does() -> None:
    assert cv.grad(np.maximum, argnums=(0, 1))(np.nan, 1.0) == (1.0, 0.0)
    assert cv.grad(np.fmax, argnums=(0, 1))(np.nan, 1.0) == (0.0, 1.0)
    assert cv.grad(np.minimum, argnums=(0, 1))(np.nan, np.nan) == (0.5, 0.5)


def test_shares_keep_single_precision() -> None:
    x = np.ones(3, np.float32)
    out, pullback = cv.vjp(np.maximum, x, np.float32(1.0))
    left, right = pullback(out)
    assert left.dtype == np.float32
    assert right == np.float32(1.5)


@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
def test_logaddexp_at_infinity(function: Function) -> None:
    gradient = cv.grad(function, argnums=(0, 1))
    assert gradient(-np.inf, -np.inf) == (0.5, 0.5)
    assert gradient(-np.inf, 1.0) == (0.0, 1.0)
    assert gradient(np.inf, 1.0) == (1.0, 0.0)
    assert gradient(-800.0, 800.0) == (0.0, 1.0)
    np.testing.assert_allclose(cv.hessian(lambda x: function(x[0], x[1]))(np.zeros(2)).sum(axis=1), 0.0, atol=1e-15)


def test_logaddexp_is_curved_at_ties() -> None:
    np.testing.assert_allclose(cv.grad(cv.grad(lambda x: np.logaddexp(x, 0.0)))(0.0), 0.25)


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [
        (0.0, 2.0, (0.0, 0.0)),
        (0.0, 1.0, (1.0, 0.0)),
        (0.0, 3.0, (0.0, 0.0)),
        (0.0, 0.0, (0.0, 0.0)),
        (2.0, 0.0, (0.0, np.log(2.0))),
        (-2.0, 3.0, (12.0, np.nan)),
        (0.0, 0.5, (np.inf, 0.0)),
    ],
)
def test_powers_at_their_edges(base: float, exponent: float, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(cv.grad(np.power, argnums=(0, 1))(base, exponent), expected)
    np.testing.assert_allclose(cv.grad(lambda x: x**exponent)(base), expected[0])


def test_powers_of_negative_numbers_and_zero_to_second_order() -> None:
    for exponent in (0, 1, 2, 3, 4.0, np.array(2), np.array(3.0)):
        for x in (0.0, -1.5):
            expected = exponent * (exponent - 1) * (x ** (exponent - 2) if exponent > 1 else 0.0)
            np.testing.assert_allclose(cv.grad(cv.grad(lambda x, n=exponent: x**n))(x), expected)


def test_complex_powers() -> None:
    check_function(np.power, COMPLEX, 2.5)
    check_function(np.power, COMPLEX, COMPLEX[::-1])


def test_clip_passes_the_closed_interval() -> None:
    x = np.array([-2.0, -1.0, 0.5, 1.0, 3.0])
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(np.clip(x, -1.0, 1.0)))(x), [0.0, 1.0, 1.0, 1.0, 0.0])
    low, high = cv.grad(lambda low, high: np.sum(np.clip(x, low, high)), argnums=(0, 1))(-1.0, 1.0)
    assert (low, high) == (1.0, 1.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.clip(x, -0.5, 0.6),
        lambda x: np.clip(x, None, 0.6),
        lambda x: np.clip(x, -0.5, None),
        lambda x: np.clip(x, min=-0.5, max=0.6),
        lambda x: x.clip(-0.5, 0.6),
        lambda x: x.clip(max=0.6),
        lambda x: np.clip(x, np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.1, 5.0])),
        lambda x: np.clip(x, 0.6, -0.5),
    ],
)
def test_forms_of_clip(function: Function) -> None:
    check_function(function, INSIDE)
    check_values(function, INSIDE.astype(np.float32))
    check_values(function, np.array([1, 2, 3]))


def test_clip_with_traced_bounds() -> None:
    check_function(np.clip, OFF, np.array([-0.5, -0.4, -0.3]), np.array([0.5, 1.4, 2.0]))


def test_rounding_is_constant_on_pieces() -> None:
    rounded = (lambda x: 1.0 * round(x), lambda x: x.round(1))
    for function in (np.round, np.floor, np.ceil, np.trunc, np.rint, np.sign, *rounded):
        assert cv.grad(function)(0.7) == 0.0
    check_values(lambda x: np.round(x, 1), OFF)
    check_values(lambda x: x.round(decimals=2), OFF)


def test_nan_to_num_has_derivative_zero_where_it_replaces() -> None:
    x = np.array([np.nan, 1.0, np.inf, -np.inf])
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(np.nan_to_num(x)))(x), [0.0, 1.0, 0.0, 0.0])
    check_values(lambda x: np.nan_to_num(x, nan=2.0, posinf=3.0), x)
    check_values(np.nan_to_num, np.array([np.nan + 1j, 1.0 + 2j, np.inf - 3j]))
    check_values(np.nan_to_num, x.astype(np.float32))
    with pytest.raises(UnsupportedArgumentError, match="copy="):
        cv.grad(lambda x: np.sum(np.nan_to_num(x, copy=False)))(x)


def test_parts_of_complex_numbers() -> None:
    check_function(lambda z: z.real * z.imag + np.abs(z) ** 2, COMPLEX)
    check_function(lambda z: np.angle(z, deg=True), COMPLEX)
    check_function(lambda z: (z * z.conj()).real, COMPLEX)
    assert cv.grad(lambda x: x.real * x.conjugate() + x.imag)(3.0) == 6.0
    check_values(np.real_if_close, np.array([1.0 + 1e-17j, 2.0]))
    check_values(np.real_if_close, np.array([1.0 + 1e-3j, 2.0]))


@pytest.mark.parametrize("function", [np.isposinf, np.isneginf, np.iscomplex, np.isreal])
def test_questions_about_entries(function: Function) -> None:
    check_values(function, np.array([1.0, np.inf, -np.inf, np.nan]))
    if function in (np.iscomplex, np.isreal):
        check_values(function, np.array([1.0 + 2.0j, 3.0 + 0.0j]))


def test_modf_frexp_and_divmod_at_special_points() -> None:
    check_values(np.modf, np.array([-0.0, 0.0, -3.0, np.inf]))
    check_values(np.frexp, np.array([0.0, 8.0, -0.3]))
    assert cv.grad(lambda x: np.frexp(x)[0])(6.0) == 0.125
    assert cv.grad(lambda x: divmod(x, 2.0)[1])(7.5) == 1.0
    check_function(lambda x, y: np.divmod(x, y)[1], np.array([7.5, -7.5]), np.array([2.0, -2.2]))


@given(st.floats(-20, 20), st.floats(0.1, 5))
def test_remainders_know_how_often_they_subtracted(x: float, y: float) -> None:
    """The derivative in the divisor is minus a whole number of times, the same by which the value was reduced."""
    for function in (np.fmod, np.remainder):
        times = -cv.grad(function, argnums=1)(x, y)
        assert times == np.round(times)
        np.testing.assert_allclose(x - times * y, function(x, y), atol=1e-12)


def test_unwrap() -> None:
    angles = np.array([[0.0, 3.0, 6.0, 9.5], [0.1, 5.0, 0.2, 4.0]])
    check_function(np.unwrap, angles)
    check_function(lambda x: np.unwrap(x, axis=0, period=2.0), angles)
    check_function(lambda x: np.unwrap(x, discont=4.0), angles)
    with pytest.raises(UnsupportedArgumentError, match="period"):
        cv.grad(lambda p: np.sum(np.unwrap(angles * p, period=p)))(6.0)


POINTS, VALUES = np.array([-1.0, 0.2, 1.5, 2.0]), np.array([0.3, 2.0, -1.0, 4.0])


@pytest.mark.parametrize("options", [{}, {"left": -5.0}, {"right": 7.0}, {"period": 2.6}])
def test_interp(options: dict[str, Any]) -> None:
    def interp(x: Any, xp: Any, fp: Any) -> Any:
        return np.interp(x, xp, fp, **options)

    check_function(interp, np.array([-3.0, -0.4, 0.7, 1.8, 5.0]), POINTS, VALUES, order=2)
    check_function(interp, 0.7, POINTS, VALUES)
    check_function(interp, 0.7, POINTS, VALUES + 1j * VALUES[::-1])
    check_values(interp, np.array([-1.0, 0.2, 2.0]), POINTS, VALUES)
    check_values(lambda x: np.interp(x, [1.0], [2.0]), np.array([0.0, 1.0, 2.0]))


def test_kaiser_window_in_its_parameter() -> None:
    check_function(lambda beta: np.kaiser(8, beta), 2.5)


@given(st.integers(-3000, 3000))
def test_the_derivatives_of_i0_are_bessel_functions(tenths: int) -> None:
    x, i0 = tenths / 10, cast(Function, np.i0)
    np.testing.assert_allclose(cv.grad(i0)(x), special.i1(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(cv.grad(cv.grad(i0))(x), (special.i0(x) + special.iv(2, x)) / 2, rtol=1e-12)


def test_heaviside_passes_its_value_at_zero() -> None:
    assert cv.grad(np.heaviside, argnums=1)(0.0, 0.5) == 1.0
    assert cv.grad(np.heaviside, argnums=(0, 1))(2.0, 0.5) == (0.0, 0.0)


def test_comparisons_of_traced_values_are_plain() -> None:
    def function(x: Any) -> Any:
        return x if x > 0 else -2.0 * x

    assert cv.grad(function)(-1.0) == -2.0


def test_object_arrays_of_traced_numbers_know_the_unary_functions() -> None:
    def function(x: Any) -> Any:
        pair = np.array([x[0] * x[1], x[1]])
        return np.sum(np.exp(np.sin(pair)) + np.sqrt(np.square(pair)) + np.log(np.absolute(pair)))

    x = np.array([0.4, 1.3])

    def plain(x: Any) -> Any:
        return function(x)

    np.testing.assert_allclose(cv.grad(function)(x), cv.grad(lambda x: _unrolled(x))(x))
    assert np.isfinite(plain(x))


def _unrolled(x: Any) -> Any:
    total = 0.0
    for value in (x[0] * x[1], x[1]):
        total = total + np.exp(np.sin(value)) + np.abs(value) + np.log(np.abs(value))
    return total


def test_every_error_here_is_one_of_ours() -> None:
    with pytest.raises(CovectorError):
        cv.grad(lambda x: np.clip(x, 0.0, 1.0, out=np.zeros(())))(0.5)
