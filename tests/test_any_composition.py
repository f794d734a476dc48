"""Any order and depth: chains of transformations that each compute a derivative, or change nothing.

Third derivatives of a function of a number, by three different transformations with wrappers in between, are
all the same number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import covector as cv

Function = Callable[[Any], Any]
T = 0.4


def function(t: Any) -> Any:
    """A function with arrays, reductions, indexing and control flow inside; its derivatives are known by hand."""
    x = np.sin(np.array([1.0, 2.0, 3.0]) * t)
    total = x[0]
    for i in range(1, 3):
        total = total + x[i] * 1.0
    return total + np.sum(np.exp(t) * np.ones((2, 2))) / 4.0


def derivative(order: int) -> float:
    """The derivative of `function` of an order, at T."""
    k = np.array([1.0, 2.0, 3.0])
    return float(np.sum(k**order * np.sin(k * T + order * np.pi / 2)) + np.exp(T))


def _one_like(t: Any) -> Any:
    return np.ones_like(t)


DERIVATIVES: dict[str, Callable[[Function], Function]] = {
    "jvp": lambda f: lambda t: cv.jvp(f, (t,), (_one_like(t),))[1],
    "grad": cv.grad,
    "grad of a tree": lambda f: lambda t: cv.grad(lambda tree: f(tree["t"][0]))({"t": [t]})["t"][0],
    "vjp": lambda f: lambda t: cv.vjp(f, t)[1](_one_like(f(t)))[0],
    "linearize": lambda f: lambda t: cv.linearize(f, t)[1](_one_like(t)),
    "transposed linearize": lambda f: lambda t: cv.linearize(f, t)[1].T(_one_like(f(t)))[0],
    "transposed jvp": lambda f: (
        lambda t: cv.linear_transpose(lambda v: cv.jvp(f, (t,), (v,))[1], t)(_one_like(f(t)))[0]
    ),
    "jacfwd": cv.jacfwd,
    "jacrev": cv.jacrev,
    "jacrev of a vector": lambda f: lambda t: cv.jacrev(lambda x: np.stack([f(x[0]), x[1]]))(np.stack([t, t]))[0, 0],
    "vmap of grad": lambda f: lambda t: cv.vmap(cv.grad(f))(np.stack([t, 2.0 * t]))[0],
    "grad of vmap": lambda f: lambda t: cv.grad(lambda x: np.sum(cv.vmap(f)(x)))(np.stack([t, 0.5 * t]))[0],
    "vmap of jvp in the tangent": lambda f: (
        lambda t: cv.vmap(lambda v: cv.jvp(f, (t,), (v,))[1])(np.array([1.0, 2.0]))[0]
    ),
}


def _custom_jvp(f: Function) -> Function:
    wrapped = cv.custom_jvp(f)
    wrapped.defjvp(lambda primals, tangents: cv.jvp(f, primals, tangents))
    return wrapped


def _custom_vjp(f: Function) -> Function:
    wrapped = cv.custom_vjp(f)
    wrapped.defvjp(lambda t: (f(t), t), lambda t, cotangent: (cv.grad(f)(t) * cotangent,))
    return wrapped


WRAPPERS: dict[str, Callable[[Function], Function]] = {
    "checkpoint": cv.checkpoint,
    "make_graph": lambda f: lambda t: cv.make_graph(f)(t)(t),
    "jit": cv.jit,
    "vmap": lambda f: lambda t: cv.vmap(f)(np.stack([t, t + 1.0]))[0],
    "vmap of vmap": lambda f: lambda t: cv.vmap(cv.vmap(f))(np.stack([[t, 0.0 * t]]))[0, 0],
    "unmapped vmap": lambda f: lambda t: cv.vmap(f, None, axis_size=2)(t)[1],
    "custom_jvp": _custom_jvp,
    "custom_vjp": _custom_vjp,
    "primal of jvp": lambda f: lambda t: cv.jvp(f, (t,), (_one_like(t),))[0],
    "value of value_and_grad": lambda f: lambda t: cv.value_and_grad(f)(t)[0],
    "aux of grad": lambda f: lambda t: cv.grad(lambda s: (s * 1.0, f(t)), has_aux=True)(t)[1],
    "traced aux of grad": lambda f: lambda t: cv.grad(lambda s: (s * 1.0, f(s)), has_aux=True)(t)[1],
    "selection": lambda f: lambda t: np.where(t > -10.0, f(t), 0.0),
    "mean": lambda f: lambda t: 0.25 * f(t) + 0.75 * f(t),
    "stopped and restored": lambda f: lambda t: f(t) + cv.stop_gradient(t) - cv.stop_gradient(t),
}

ALL = {**DERIVATIVES, **WRAPPERS}


def applied(names: list[str]) -> Function:
    """The function with these transformations applied, the first one innermost."""
    result: Function = function
    for name in names:
        result = ALL[name](result)
    return result


@pytest.mark.parametrize("name", DERIVATIVES)
def test_each_derivative(name: str) -> None:
    assert applied([name])(T) == pytest.approx(derivative(1), rel=1e-12)


@pytest.mark.parametrize("name", WRAPPERS)
def test_each_wrapper(name: str) -> None:
    assert applied([name])(T) == pytest.approx(derivative(0), rel=1e-12)


@pytest.mark.parametrize("outer", ALL)
@pytest.mark.parametrize("inner", ALL)
def test_each_pair(outer: str, inner: str) -> None:
    order = (outer in DERIVATIVES) + (inner in DERIVATIVES)
    assert applied([inner, outer])(T) == pytest.approx(derivative(order), rel=1e-11)


@given(st.lists(st.sampled_from(sorted(ALL)), min_size=3, max_size=5))
@settings(max_examples=150)
def test_chains(names: list[str]) -> None:
    order = sum(name in DERIVATIVES for name in names)
    found = applied(names)(T)
    assert np.shape(found) == ()
    assert found == pytest.approx(derivative(order), rel=1e-9)
