"""One Hessian, many ways to compute it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import covector as cv
from tests.functions import POINT, each_scalar, numerical_hessian
from tests.strategies import Program, programs

Way = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]


def _basis(x: Any) -> Any:
    return np.eye(np.size(x)).reshape(np.size(x), *np.shape(x))


def _shaped(columns: Any, x: Any) -> Any:
    return np.reshape(np.stack(list(columns)), np.shape(x) * 2)


def _derivative_along(function: Any, x: Any, u: Any, v: Any) -> Any:
    return cv.jvp(lambda y: cv.jvp(function, (y,), (u,))[1], (x,), (v,))[1]


WAYS: dict[str, Way] = {
    "hessian": cv.hessian,
    "hessian in chunks": lambda f: cv.hessian(f, chunk_size=2),
    "jacfwd of jacrev": lambda f: cv.jacfwd(cv.jacrev(f)),
    "jacrev of jacfwd": lambda f: cv.jacrev(cv.jacfwd(f)),
    "jacfwd of jacfwd": lambda f: cv.jacfwd(cv.jacfwd(f)),
    "jacrev of jacrev": lambda f: cv.jacrev(cv.jacrev(f)),
    "jacobian of grad": lambda f: cv.jacobian(cv.grad(f)),
    "grad of entries of grad": lambda f: (
        lambda x: _shaped([cv.grad(lambda y, e=e: np.sum(cv.grad(f)(y) * e))(x) for e in _basis(x)], x)
    ),
    "grad of jvp": lambda f: (
        lambda x: _shaped([cv.grad(lambda y, e=e: cv.jvp(f, (y,), (e,))[1])(x) for e in _basis(x)], x)
    ),
    "hvp in a loop": lambda f: lambda x: _shaped([cv.hvp(f, (x,), (e,)) for e in _basis(x)], x),
    "vmap of hvp": lambda f: lambda x: _shaped(cv.vmap(lambda e: cv.hvp(f, (x,), (e,)))(_basis(x)), x),
    "vmap of vmap of jvp of jvp": lambda f: (
        lambda x: _shaped(cv.vmap(lambda u: cv.vmap(lambda v: _derivative_along(f, x, u, v))(_basis(x)))(_basis(x)), x)
    ),
    "matrix of the linear map of grad": lambda f: lambda x: _shaped(cv.linearize(cv.grad(f), x)[1].matrix(), x),
    "matrix of its transpose": lambda f: lambda x: _shaped(cv.linearize(cv.grad(f), x)[1].T.matrix(), x),
    "vmap of the linear map of grad": lambda f: (
        lambda x: _shaped(cv.vmap(cv.linearize(cv.grad(f), x)[1])(_basis(x)), x)
    ),
    "vmap of vjp of grad": lambda f: lambda x: _shaped(cv.vmap(cv.vjp(cv.grad(f), x)[1])(_basis(x))[0], x),
    "jacfwd of vjp": lambda f: lambda x: cv.jacfwd(lambda y: cv.vjp(f, y)[1](np.float64(1.0))[0])(x),
    "jacrev of linearize": lambda f: (
        lambda x: cv.jacrev(lambda y: np.stack([cv.linearize(f, y)[1](e) for e in _basis(y)]))(x)
    ),
    "jit of hessian": lambda f: cv.jit(cv.hessian(f)),
    "hessian of jit": lambda f: cv.hessian(cv.jit(f)),
    "jit of jacfwd of jit of jacrev": lambda f: cv.jit(cv.jacfwd(cv.jit(cv.jacrev(f)))),
    "recorded": lambda f: lambda x: cv.make_graph(cv.hessian(f))(x)(x),
    "hessian of the recorded function": lambda f: lambda x: cv.hessian(cv.make_graph(f)(x))(x),
    "checkpointed": lambda f: cv.hessian(cv.checkpoint(f)),
}

each_way = pytest.mark.parametrize("way", WAYS)


@each_way
@each_scalar
def test_many_ways_to_one_hessian(function: Any, way: str) -> None:
    found = WAYS[way](function)(POINT)
    np.testing.assert_allclose(found, numerical_hessian(function, POINT), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, cv.hessian(function)(POINT), rtol=1e-10, atol=1e-11)


@given(programs(length=8, branches=False))
@settings(max_examples=10)
def test_many_ways_agree_on_random_programs(program: Program) -> None:
    x, t = program.point
    flat = np.ravel(x)

    def function(y: Any) -> Any:
        return program(np.reshape(y, x.shape), t)

    hessians = {name: way(function)(flat) for name, way in WAYS.items()}
    scale = 1.0 + np.max(np.abs(hessians["hessian"]))
    for name, found in hessians.items():
        np.testing.assert_allclose(found, hessians["hessian"], atol=1e-9 * scale, err_msg=name)


def test_the_hessian_of_a_matrix_argument() -> None:
    x = np.arange(6.0).reshape(2, 3) / 6.0
    found = cv.hessian(lambda x: np.sum(np.sin(x @ x.T)))(x)
    assert found.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(found, numerical_hessian(lambda x: np.sum(np.sin(x @ x.T)), x), atol=1e-6)


def test_the_hessian_of_a_number_is_a_number() -> None:
    found = cv.hessian(lambda x: x**4)(2.0)
    assert np.shape(found) == ()
    assert found == pytest.approx(48.0)


def test_of_two_arguments_there_are_four_blocks() -> None:
    blocks = cv.hessian(lambda x, y: np.sum(x) ** 2 * y, argnums=(0, 1))(np.ones(2), 3.0)
    np.testing.assert_allclose(blocks[0][0], np.full((2, 2), 6.0))
    np.testing.assert_allclose(blocks[0][1], np.full(2, 4.0))
    np.testing.assert_allclose(blocks[1][0], np.full(2, 4.0))
    np.testing.assert_allclose(blocks[1][1], 0.0)


def test_a_linear_function_has_the_zero_hessian() -> None:
    np.testing.assert_array_equal(cv.hessian(np.sum)(POINT), np.zeros((3, 3)))


@pytest.mark.parametrize("name", ["hessian", *(name for name in WAYS if " of jac" in name)])
@pytest.mark.parametrize("x", [2.0, np.float64(2.0), np.float32(2.0)], ids=["float", "float64", "float32"])
def test_in_a_number_it_is_a_number_compiled_or_not(name: str, x: Any) -> None:
    for function in (lambda x: x**4, lambda x: 3.0 * x * x, lambda x: x):
        plain = WAYS[name](function)
        compiled = cv.jit(plain)
        for found in (plain(x), compiled(x), compiled(x)):
            assert type(found) is (np.float32 if type(x) is np.float32 else np.float64)
            assert found == pytest.approx(float(plain(float(x))), rel=1e-5)
