"""Reverse over forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import POINT, directions, each_scalar, each_vector, numerical_hessian


@each_scalar
def test_it_is_the_hessian_times_the_tangent(function: Any) -> None:
    (v,) = directions(1)
    found = cv.grad(lambda x: cv.jvp(function, (x,), (v,))[1])(POINT)
    np.testing.assert_allclose(found, numerical_hessian(function, POINT) @ v, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, cv.hvp(function, (POINT,), (v,)), rtol=1e-10, atol=1e-12)


@each_scalar
def test_the_gradient_in_the_tangent_is_the_gradient(function: Any) -> None:
    """jvp(f, x, v) is linear in v, with the gradient as its coefficients."""
    (v,) = directions(1)
    found = cv.grad(lambda w: cv.jvp(function, (POINT,), (w,))[1])(v)
    np.testing.assert_allclose(found, cv.grad(function)(POINT), rtol=1e-12)


@each_vector
def test_the_cotangent_of_the_tangent_is_the_vjp(function: Any) -> None:
    """Transposing forward mode by reverse mode gives reverse mode."""
    value, pullback = cv.vjp(function, POINT)
    w = np.linspace(1.0, 2.0, value.size)
    found = cv.vjp(lambda v: cv.jvp(function, (POINT,), (v,))[1], np.zeros(3))[1](w)
    np.testing.assert_allclose(found[0], pullback(w)[0], rtol=1e-12)


def test_a_tangent_that_depends_on_the_point() -> None:
    """grad of |f'(x) x|^2 with f = sin: 2 cos(x) x (cos x - x sin x)."""
    x = 0.9

    def function(x: Any) -> Any:
        tangent = cv.jvp(np.sin, (x,), (x,))[1]
        return tangent * tangent

    assert cv.grad(function)(x) == pytest.approx(2.0 * np.cos(x) * x * (np.cos(x) - x * np.sin(x)))
