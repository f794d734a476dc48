"""The linear map as a value that is itself differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import POINT, directions, each_scalar, numerical_hessian


@each_scalar
def test_the_gradient_of_a_pushed_tangent(function: Any) -> None:
    (v,) = directions(1)
    found = cv.grad(lambda x: cv.linearize(function, x)[1](v))(POINT)
    np.testing.assert_allclose(found, numerical_hessian(function, POINT) @ v, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, cv.hvp(function, (POINT,), (v,)), rtol=1e-10, atol=1e-12)


@each_scalar
def test_the_gradient_of_a_pulled_back_cotangent(function: Any) -> None:
    (v,) = directions(1)
    found = cv.grad(lambda x: np.sum(cv.linearize(function, x)[1].T(1.0)[0] * v))(POINT)
    np.testing.assert_allclose(found, cv.hvp(function, (POINT,), (v,)), rtol=1e-10, atol=1e-12)


def test_the_gradient_of_the_determinant_of_a_jacobian() -> None:
    """Polar coordinates: the determinant is r, its gradient (1, 0)."""

    def determinant(p: Any) -> Any:
        matrix = cv.jacfwd(lambda q: np.stack([q[0] * np.cos(q[1]), q[0] * np.sin(q[1])]))(p)
        return matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]

    np.testing.assert_allclose(cv.grad(determinant)(np.array([2.0, 0.7])), [1.0, 0.0], atol=1e-14)


def test_a_map_made_outside_is_linear_inside() -> None:
    """The gradient in the vector of |A v|^2 / 2 is A^T A v."""
    _, derivative = cv.linearize(lambda x: np.sin(x) * x[0], POINT)
    (v,) = directions(1)
    matrix = derivative.matrix()
    found = cv.grad(lambda v: np.sum(derivative(v) ** 2) / 2.0)(v)
    np.testing.assert_allclose(found, matrix.T @ matrix @ v, rtol=1e-12)


def test_a_map_that_closes_over_the_traced_value() -> None:
    found = cv.grad(lambda s: cv.linearize(lambda x: s * x * x, 3.0)[1](1.0))(2.0)
    assert found == pytest.approx(6.0)
