"""jvp: forward mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.testing import difference_quotient
from tests.functions import POINT, WEIGHTS, counted, directions, each_scalar, each_vector, griewank, network


@each_scalar
def test_it_is_the_directional_derivative_of_scalar_functions(function: Any) -> None:
    (v,) = directions(1)
    value, tangent = cv.jvp(function, (POINT,), (v,))
    assert value == pytest.approx(function(POINT), rel=1e-14)
    assert tangent == pytest.approx(difference_quotient(function, (POINT,), (v,)), rel=1e-9, abs=1e-9)


@each_vector
def test_it_is_the_directional_derivative_of_vector_functions(function: Any) -> None:
    (v,) = directions(1)
    _, tangent = cv.jvp(function, (POINT,), (v,))
    np.testing.assert_allclose(tangent, difference_quotient(function, (POINT,), (v,)), rtol=1e-9, atol=1e-9)


@each_vector
def test_it_is_linear_in_the_tangent(function: Any) -> None:
    u, v = directions(2)

    def push(w: Any) -> Any:
        return cv.jvp(function, (POINT,), (w,))[1]

    np.testing.assert_allclose(push(2.0 * u - 3.0 * v), 2.0 * push(u) - 3.0 * push(v), rtol=1e-11, atol=1e-12)


def test_the_worked_example() -> None:
    """Baydin et al., Automatic differentiation in machine learning, table 2: y = 11.652, dy/dx1 = 5.5."""
    value, tangent = cv.jvp(griewank, (2.0, 5.0), (1.0, 0.0))
    assert value == pytest.approx(11.652, abs=5e-4)
    assert tangent == pytest.approx(5.5)


def test_trees_in_and_out() -> None:
    value, tangent = cv.jvp(lambda w, x: {"y": network(w, x), "w": w["bias"]}, (WEIGHTS, POINT), (WEIGHTS, POINT))
    expected = difference_quotient(network, (WEIGHTS, POINT), (WEIGHTS, POINT))
    assert tangent["y"] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_array_equal(tangent["w"], WEIGHTS["bias"])
    assert value["y"] == pytest.approx(network(WEIGHTS, POINT))


def test_aux_is_passed_through() -> None:
    value, tangent, aux = cv.jvp(lambda x: (x**2, {"half": x / 2.0, "name": "aux"}), (3.0,), (1.0,), has_aux=True)
    assert (value, tangent) == (9.0, 6.0)
    assert aux == {"half": 1.5, "name": "aux"}
    assert isinstance(aux["half"], float)


def test_the_function_is_called_once() -> None:
    function, calls = counted(np.sin)
    cv.jvp(function, (1.0,), (1.0,))
    assert len(calls) == 1


def test_lists_serve_as_tuples() -> None:
    assert cv.jvp(np.multiply, [2.0, 3.0], [1.0, 1.0]) == (6.0, 5.0)


def test_constant_outputs_have_zero_tangents() -> None:
    value, tangent = cv.jvp(lambda x: (x, 1.0, np.arange(2)), (2.0,), (1.0,))
    assert tangent[0] == 1.0
    assert tangent[1] == 0.0
    np.testing.assert_array_equal(tangent[2], [0, 0])
    assert value[1] == 1.0


def test_python_control_flow() -> None:
    def power(x: Any, n: int) -> Any:
        if n == 0:
            return 1.0
        half = power(x, n // 2)
        return half * half * x if n % 2 else half * half

    def newton(a: Any) -> Any:
        """The square root by iteration until it stops changing."""
        x = a
        while abs(x * x - a) > 1e-12:
            x = 0.5 * (x + a / x)
        return x

    assert cv.jvp(lambda x: power(x, 11), (1.3,), (1.0,))[1] == pytest.approx(11 * 1.3**10)
    assert cv.jvp(newton, (2.0,), (1.0,))[1] == pytest.approx(0.5 / np.sqrt(2.0))
    assert cv.jvp(lambda x: x**2 if x > 1 else -x, (0.5,), (1.0,))[1] == -1.0


@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_numbers(x: float, v: float) -> None:
    assert cv.jvp(np.sin, (x,), (v,)) == (np.sin(x), pytest.approx(np.cos(x) * v, rel=1e-12))


def test_keyword_options_of_the_function_by_closure() -> None:
    found = cv.jvp(lambda x: np.sum(x, axis=1, keepdims=True), (np.ones((2, 3)),), (np.ones((2, 3)),))[1]
    np.testing.assert_array_equal(found, [[3.0], [3.0]])
