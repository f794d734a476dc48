"""Reverse over reverse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import covector as cv
from covector.testing import difference_quotient
from tests.functions import POINT, WEIGHTS, directions, each_scalar, griewank, network, numerical_hessian
from tests.strategies import Program, programs


@pytest.mark.parametrize("order", range(1, 6))
def test_nth_derivatives_of_a_number(order: int) -> None:
    nth: Any = lambda x: np.exp(np.sin(x))  # noqa: E731
    reference: Any = nth
    power: Any = lambda x: x**5  # noqa: E731
    for _ in range(order):
        nth, power = cv.grad(nth), cv.grad(power)
        reference = (lambda f: lambda x: cv.jvp(f, (x,), (1.0,))[1])(reference)
    assert nth(0.4) == pytest.approx(reference(0.4), rel=1e-12)
    assert power(2.0) == pytest.approx(math.factorial(5) / math.factorial(5 - order) * 2.0 ** (5 - order), rel=1e-13)


@each_scalar
def test_the_gradient_of_the_gradient_along_a_vector(function: Any) -> None:
    (v,) = directions(1)
    found = cv.grad(lambda x: np.sum(cv.grad(function)(x) * v))(POINT)
    np.testing.assert_allclose(found, numerical_hessian(function, POINT) @ v, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, cv.hvp(function, (POINT,), (v,)), rtol=1e-10, atol=1e-12)


def test_the_gradient_of_the_norm_of_the_gradient() -> None:
    """grad |grad f|^2 / 2 = H grad f."""
    from_grad = cv.grad(lambda w: np.sum(cv.grad(network, 1)(w, POINT) ** 2) / 2.0)(WEIGHTS)
    expected = difference_quotient(lambda w: np.sum(cv.grad(network, 1)(w, POINT) ** 2) / 2.0, (WEIGHTS,), (from_grad,))
    squared = sum(np.sum(np.square(x)) for x in (from_grad["hidden"], from_grad["bias"], *from_grad["out"]))
    assert squared == pytest.approx(expected, rel=1e-8)


def test_mixed_partial_derivatives() -> None:
    """d2/dxdy of ln x + x y - sin y is 1, whichever comes first."""
    inner, outer = cv.grad(griewank, 0), cv.grad(griewank, 1)
    assert cv.grad(inner, 1)(2.0, 5.0) == pytest.approx(1.0)
    assert cv.grad(outer, 0)(2.0, 5.0) == pytest.approx(1.0)
    assert cv.grad(inner, 0)(2.0, 5.0) == pytest.approx(-0.25)
    assert cv.grad(outer, 1)(2.0, 5.0) == pytest.approx(np.sin(5.0))


def test_both_arguments_at_once() -> None:
    ((xx, xy), (yx, yy)) = (
        cv.grad(lambda x, y, i=i: cv.grad(griewank, (0, 1))(x, y)[i], (0, 1))(2.0, 5.0) for i in range(2)
    )
    np.testing.assert_allclose([xx, xy, yx, yy], [-0.25, 1.0, 1.0, np.sin(5.0)])


@given(programs(length=12))
def test_random_programs(program: Program) -> None:
    x, t = program.point
    v = np.cos(np.arange(x.size)).reshape(x.shape)

    def along(s: Any) -> Any:
        return np.sum(cv.grad(program)(x + s * v, t) * v)

    found = np.sum(cv.grad(lambda y: np.sum(cv.grad(program)(y, t) * v))(x) * v)
    step = 1e-4
    expected = (8 * (along(step) - along(-step)) - (along(2 * step) - along(-2 * step))) / (12 * step)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * (1.0 + abs(along(0.0))))
