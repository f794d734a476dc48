"""Nested derivatives keep their perturbations apart.

The cases are those of the literature: J. M. Siskind, B. A. Pearlmutter, Perturbation confusion and referential
transparency (2005) and Nesting forward-mode AD in a functional framework (2008); O. Manzyuk et al., Perturbation
confusion in forward automatic differentiation of higher-order functions (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import covector as cv

Derivative = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]


def forward(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: cv.jvp(function, (x,), (1.0,))[1]


def pulled(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def derivative(x: Any) -> Any:
        value, pullback = cv.vjp(function, x)
        return pullback(np.ones_like(value))[0]

    return derivative


def linearized(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: cv.linearize(function, x)[1](1.0)


def mapped(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Through a batch of one."""
    return lambda x: cv.vmap(cv.grad(function))(np.reshape(x, (1,)))[0]


DERIVATIVES: dict[str, Derivative] = {
    "jvp": forward,
    "grad": cv.grad,
    "vjp": pulled,
    "linearize": linearized,
    "jacfwd": cv.jacfwd,
    "jacrev": cv.jacrev,
    "vmap of grad": mapped,
}

each_pair = pytest.mark.parametrize(("outer", "inner"), list(product(DERIVATIVES, DERIVATIVES)))


@each_pair
def test_the_constant_one(outer: str, inner: str) -> None:
    """d/dx of x (d/dy of x + y at y = 1) at x = 1 is 1; confused systems say 2."""
    d1, d2 = DERIVATIVES[outer], DERIVATIVES[inner]
    assert d1(lambda x: x * d2(lambda y: x + y)(1.0))(1.0) == pytest.approx(1.0)


@each_pair
def test_a_product_of_both_variables(outer: str, inner: str) -> None:
    """d/dx of x (d/dy of x y at 2) = 2 x at 3."""
    d1, d2 = DERIVATIVES[outer], DERIVATIVES[inner]
    assert d1(lambda x: x * d2(lambda y: x * y)(2.0))(3.0) == pytest.approx(6.0)


@each_pair
def test_the_inner_point_is_the_outer_variable(outer: str, inner: str) -> None:
    """d/dx of (d/dy of sin(x y) at y = x) = d/dx of x cos(x^2)."""
    d1, d2 = DERIVATIVES[outer], DERIVATIVES[inner]
    x = 0.7
    found = d1(lambda x: d2(lambda y: np.sin(x * y))(x))(x)
    assert found == pytest.approx(np.cos(x * x) - 2.0 * x * x * np.sin(x * x))


@each_pair
def test_the_inner_derivative_of_a_constant_is_zero(outer: str, inner: str) -> None:
    d1, d2 = DERIVATIVES[outer], DERIVATIVES[inner]
    assert d1(lambda x: d2(lambda y: x * x)(1.0))(1.0) == 0.0
    assert d1(lambda x: x * d2(lambda y: x * 1.0)(1.0) + x)(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize("names", list(product(["jvp", "grad", "linearize"], repeat=3)))
def test_three_levels(names: tuple[str, ...]) -> None:
    """d/dx d/dy d/dz of x y z (x + y + z), each at its own point."""
    first, second, third = (DERIVATIVES[name] for name in names)

    def of_x(x: Any) -> Any:
        return second(lambda y: third(lambda z: x * y * z * (x + y + z))(3.0))(2.0)

    # d/dz: x y (x + y + 2 z); d/dy of that: x (x + 2 y + 2 z); d/dx: 2 x + 2 y + 2 z
    assert first(of_x)(1.0) == pytest.approx(12.0)


@pytest.mark.parametrize("name", ["jvp", "grad", "linearize", "vjp"])
def test_the_same_function_differentiated_inside_itself(name: str) -> None:
    """f = D g, where g itself uses D g at a shifted point."""
    derivative = DERIVATIVES[name]

    def cube(x: Any) -> Any:
        return x**3

    found = derivative(lambda x: x * derivative(cube)(x) + derivative(cube)(derivative(cube)(x)))(1.5)
    # x 3 x^2 + 3 (3 x^2)^2 = 3 x^3 + 27 x^4
    assert found == pytest.approx(9.0 * 1.5**2 + 108.0 * 1.5**3)


@pytest.mark.parametrize("name", ["jvp", "grad", "linearize"])
def test_a_curried_function(name: str) -> None:
    """Manzyuk et al.: the derivative of a function-valued function, applied twice."""
    derivative = DERIVATIVES[name]

    def shift(offset: Any) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        return lambda f: lambda x: f(x + offset)

    found = derivative(lambda s: derivative(lambda x: shift(s)(np.exp)(x) * s)(0.3))(0.5)
    assert found == pytest.approx(np.exp(0.8) * 1.5)


def test_a_tangent_is_not_visible_to_an_inner_transformation() -> None:
    """The inner jvp starts with its own tangent only."""

    def function(x: Any) -> Any:
        value, tangent = cv.jvp(lambda y: 3.0 * y + x, (x,), (2.0,))
        return value + tangent

    assert cv.jvp(function, (1.0,), (1.0,)) == (pytest.approx(10.0), pytest.approx(4.0))


def test_closures_over_several_outer_tracers() -> None:
    def function(a: Any, b: Any) -> Any:
        inner = cv.grad(lambda x: a * x**2 + b * x)
        return cv.grad(lambda t: inner(t * a) * b)(2.0)

    # inner(u) = 2 a u + b; d/dt of b (2 a^2 t + b) = 2 a^2 b
    assert cv.grad(function, 0)(3.0, 4.0) == pytest.approx(48.0)
    assert cv.grad(function, 1)(3.0, 4.0) == pytest.approx(18.0)
    assert cv.grad(cv.grad(function, 0), 1)(3.0, 4.0) == pytest.approx(12.0)


def test_an_outer_batch_inside_an_inner_gradient() -> None:
    scales = np.arange(1.0, 4.0)
    found = cv.vmap(lambda s: cv.grad(lambda x: cv.grad(lambda y: s * x * y**2)(x))(2.0))(scales)
    np.testing.assert_allclose(found, 4.0 * 2.0 * scales)


def test_a_value_in_a_mutable_closure() -> None:
    """A traced value of the outer derivative stored while the inner one runs belongs to the outer one."""
    box: list[Any] = []

    def outer(x: Any) -> Any:
        def inner(y: Any) -> Any:
            box.append(x * x)
            return y * box[-1]

        return cv.grad(inner)(5.0) + box[-1]

    assert cv.grad(outer)(3.0) == pytest.approx(12.0)
