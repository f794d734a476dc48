"""NumPy's polynomials, in their coefficients, their arguments and their roots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ArgumentError, ConcreteValueError, UnsupportedArgumentError
from tests.agreement import check_function, check_values

Function = Callable[..., Any]

P = np.array([1.5, -0.7, 2.0, 0.3])
Q = np.array([0.8, 1.1])
X = np.array([-1.2, 0.1, 0.9, 2.3, 3.1])


@pytest.mark.parametrize("function", [np.polyadd, np.polysub, np.polymul, np.polydiv])
def test_arithmetic(function: Function) -> None:
    check_function(function, P, Q, batching=function in (np.polyadd, np.polysub))
    check_function(function, Q, P, batching=False)
    check_values(function, np.array([0.0, 1.0, 2.0]), Q)
    check_values(function, P.astype(np.float32), np.array([1, 2]))


def test_values() -> None:
    check_function(np.polyval, P, X)
    check_function(np.polyval, P, 0.7)
    check_values(np.polyval, np.array([1, 2]), X.astype(np.float32))


def test_derivatives_and_antiderivatives() -> None:
    check_function(np.polyder, P)
    check_function(lambda p: np.polyder(p, 2), P)
    check_function(np.polyint, P)
    check_function(lambda p: np.polyint(p, 2, [1.0, 2.0]), P)
    check_function(lambda p, k: np.polyint(p, 2, k) * np.sum(k), P, 1.5, order=1)
    for function in (np.polyder, np.polyint):
        with pytest.raises(ValueError, match="positive"):
            cv.jvp(lambda p, f=function: f(p, -1), (P,), (P,))


def test_roots() -> None:
    check_function(np.poly, X)
    check_function(lambda p: np.sort(np.roots(p).real), np.poly([0.5, 1.5, -2.0]), batching=False)
    check_function(lambda p: np.sort_complex(np.roots(p)), np.array([1.0, 0.2, 1.3, 0.0]), order=1, batching=False)
    check_values(np.roots, np.array([2.0]))
    with pytest.raises(ArgumentError, match=r"np\.roots\(p\[1:\]\)"):
        cv.jvp(np.roots, (np.array([0.0, 2.0, 1.0]),), (np.ones(3),))
    check_values(np.poly, np.array([1.0 + 2.0j, 1.0 - 2.0j]))
    check_function(np.poly, np.array([[2.0, 1.0], [0.5, 3.0]]), order=1, batching=False)


def test_roots_undo_poly() -> None:
    zeros = np.array([-2.0, 0.5, 1.5])
    jacobian = cv.jacfwd(lambda z: np.sort(np.roots(np.poly(z)).real))(zeros)
    np.testing.assert_allclose(jacobian, np.eye(3), atol=1e-12)


def test_fits() -> None:
    y = np.sin(X)
    check_function(lambda x, y: np.polyfit(x, y, 2), X, y)
    check_function(lambda y: np.polyfit(X, y, 2), np.stack([y, y**2], axis=1))
    check_function(
        lambda w: np.polyfit(X, y, 1, w=w + y * 0), np.array([1.0, 2.0, 1.5, 0.5, 1.0]), batching=False, order=1
    )
    with pytest.raises(UnsupportedArgumentError, match="full="):
        cv.grad(lambda y: np.polyfit(X, y, 2, full=True)[0][0])(y)


def test_leading_zeros_are_dropped_in_compiled_code() -> None:
    """How many there are is a branch: each number of zeros is compiled on its own."""
    product = cv.jit(lambda p, q: np.polymul(p, q))
    divisor = np.array([1.0, -1.0])
    for coefficients in ([0.0, 2.0, 1.0], [3.0, 2.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, -2.0, 1.0]):
        p = np.array(coefficients)
        np.testing.assert_allclose(product(p, divisor), np.polymul(p, divisor))
    assert product.cache_info().specializations == 4
    with pytest.raises(ConcreteValueError, match=r"np\.trim_zeros"):
        cv.vmap(lambda p: np.polymul(p, divisor))(np.ones((2, 3)))


def test_a_polynomial_object_in_compiled_code() -> None:
    compiled = cv.jit(cv.grad(lambda p: (np.poly1d(p) * np.poly1d([1.0, 2.0]))(3.0)))
    for p in (np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 3.0])):
        np.testing.assert_allclose(compiled(p), [45.0, 15.0, 5.0] if p[0] else [0.0, 15.0, 5.0])
