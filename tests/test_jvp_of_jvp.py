"""Forward mode of forward mode."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import covector as cv
from tests.functions import POINT, SCALAR_FUNCTIONS, directions, each_scalar, numerical_hessian
from tests.strategies import Program, programs


def derivative(function: Any) -> Any:
    """The derivative of a function of a number, by forward mode."""
    return lambda x: cv.jvp(function, (x,), (1.0,))[1]


@pytest.mark.parametrize("order", range(1, 7))
def test_nth_derivatives_of_a_number(order: int) -> None:
    nth: Any = lambda x: np.sin(2.0 * x)  # noqa: E731
    power: Any = lambda x: x**6 / 720.0  # noqa: E731
    for _ in range(order):
        nth, power = derivative(nth), derivative(power)
    assert nth(0.4) == pytest.approx(2.0**order * np.sin(0.8 + order * np.pi / 2), rel=1e-12)
    assert power(1.5) == pytest.approx(1.5 ** (6 - order) / math.factorial(6 - order), rel=1e-12)


@each_scalar
def test_it_is_the_bilinear_form_of_the_hessian(function: Any) -> None:
    u, v = directions(2)

    def along(first: Any, second: Any) -> Any:
        return cv.jvp(lambda x: cv.jvp(function, (x,), (first,))[1], (POINT,), (second,))[1]

    expected = u @ numerical_hessian(function, POINT) @ v
    assert along(u, v) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert along(u, v) == pytest.approx(along(v, u), rel=1e-11)


def test_it_is_bilinear_in_the_tangents() -> None:
    function = SCALAR_FUNCTIONS[0]
    u, v, w = directions(3)

    def along(first: Any, second: Any) -> Any:
        return cv.jvp(lambda x: cv.jvp(function, (x,), (first,))[1], (POINT,), (second,))[1]

    assert along(u + 2.0 * w, v) == pytest.approx(along(u, v) + 2.0 * along(w, v), rel=1e-11)
    assert along(u, v + 2.0 * w) == pytest.approx(along(u, v) + 2.0 * along(u, w), rel=1e-11)


def test_the_tangent_may_depend_on_the_outer_primal() -> None:
    """d/dx of f'(x) x^2 with f = sin is cos(x) 2x - sin(x) x^2."""
    found = cv.jvp(lambda x: cv.jvp(np.sin, (x,), (x * x,))[1], (0.7,), (1.0,))[1]
    assert found == pytest.approx(np.cos(0.7) * 1.4 - np.sin(0.7) * 0.49)


@given(programs(length=12))
def test_random_programs(program: Program) -> None:
    """The second derivative along a line is the derivative of the first, by differences."""
    x, t = program.point
    u = np.linspace(-1.0, 1.0, x.size).reshape(x.shape)

    def slope(s: Any) -> Any:
        return cv.jvp(lambda r: program(x + r * u, t), (s,), (1.0,))[1]

    found = cv.jvp(slope, (0.0,), (1.0,))[1]
    step = 1e-4
    expected = (8 * (slope(step) - slope(-step)) - (slope(2 * step) - slope(-2 * step))) / (12 * step)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * (1.0 + abs(slope(0.0))))
