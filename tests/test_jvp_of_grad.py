"""Forward over reverse: Hessian-vector products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.testing import difference_quotient
from tests.functions import POINT, WEIGHTS, directions, each_scalar, network, numerical_hessian


@each_scalar
def test_it_is_the_hessian_times_the_tangent(function: Any) -> None:
    (v,) = directions(1)
    gradient, product = cv.jvp(cv.grad(function), (POINT,), (v,))
    np.testing.assert_allclose(gradient, cv.grad(function)(POINT), rtol=1e-12)
    np.testing.assert_allclose(product, numerical_hessian(function, POINT) @ v, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(cv.hvp(function, (POINT,), (v,)), product, rtol=1e-12)


def test_trees_of_weights() -> None:
    tangent = cv.grad(network)(WEIGHTS, POINT)
    _, product = cv.jvp(lambda w: cv.grad(network)(w, POINT), (WEIGHTS,), (tangent,))
    expected = difference_quotient(lambda w: cv.grad(network)(w, POINT), (WEIGHTS,), (tangent,))
    for name in ("hidden", "bias"):
        np.testing.assert_allclose(product[name], expected[name], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(product["out"][0], expected["out"][0], rtol=1e-8, atol=1e-9)
    assert product["out"][1] == pytest.approx(0.0)


def test_the_differentiated_point_and_the_tangent_of_a_closure() -> None:
    """d/ds of the gradient at x of s f(x) is the gradient of f."""

    def gradient(s: Any) -> Any:
        return cv.grad(lambda x: s * np.sum(np.sin(x)))(POINT)

    found = cv.jvp(gradient, (2.0,), (1.0,))[1]
    np.testing.assert_allclose(found, np.cos(POINT))


def test_value_and_grad_carries_both_tangents() -> None:
    (v,) = directions(1)
    (value, gradient), (dvalue, dgradient) = cv.jvp(cv.value_and_grad(lambda x: np.sum(x**3)), (POINT,), (v,))
    assert value == pytest.approx(np.sum(POINT**3))
    assert dvalue == pytest.approx(gradient @ v)
    np.testing.assert_allclose(dgradient, 6.0 * POINT * v)
