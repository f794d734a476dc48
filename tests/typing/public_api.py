"""The public API as a type checker sees it: what a program may rely on when it is only type-checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import covector as cv

Vector = NDArray[np.float64]


def energy(x: Vector, scale: float = 1.0) -> np.float64:
    return np.float64(scale * np.sum(x * x))


def scaled(x: Vector) -> Vector:
    return 2.0 * x


def with_aux(x: Vector) -> tuple[np.float64, dict[str, Vector]]:
    return np.float64(np.sum(x)), {"x": x}


def forward_mode(x: Vector) -> None:
    assert_type(cv.jvp(scaled, (x,), (x,)), tuple[Vector, Vector])
    assert_type(cv.jvp(with_aux, (x,), (x,), has_aux=True), tuple[np.float64, np.float64, dict[str, Vector]])
    value, derivative = cv.linearize(scaled, x)
    assert_type(value, Vector)
    assert_type(derivative, cv.LinearMap)
    assert_type(derivative.T, cv.LinearMap)
    assert_type(derivative @ derivative.transpose(), cv.LinearMap)


def reverse_mode(x: Vector) -> None:
    value, pullback = cv.vjp(scaled, x)
    assert_type(value, Vector)
    assert_type(pullback, cv.LinearMap)
    same, _, aux = cv.vjp(with_aux, x, has_aux=True)
    assert_type(same, np.float64)
    assert_type(aux, dict[str, Vector])
    assert_type(cv.value_and_grad(energy)(x, scale=2.0), tuple[np.float64, Any])
    assert_type(cv.linear_transpose(scaled, x), cv.LinearMap)


def arguments_are_those_of_the_function(x: Vector) -> None:
    gradient = cv.grad(energy)
    gradient(x)
    gradient(x, 2.0)
    gradient(x, scale=2.0)
    gradient("x")  # type: ignore[arg-type]
    gradient(x, size=2.0)  # type: ignore[call-arg]
    cv.jacfwd(scaled)(x, x)  # type: ignore[call-arg]
    cv.hessian(energy, argnums=(0, 1))(x, 1.0)
    cv.grad(energy, argnums="x")(x)  # type: ignore[arg-type]
    cv.jacobian(scaled, mode="sideways")  # type: ignore[arg-type]


def wrappers_keep_their_functions_types(x: Vector) -> None:
    assert_type(cv.checkpoint(scaled)(x), Vector)
    assert_type(cv.stop_gradient(x), Vector)
    assert_type(cv.stop_gradient({"x": x}), dict[str, Vector])

    @cv.custom_jvp
    def half(x: Vector) -> Vector:
        return 0.5 * x

    assert_type(half(x), Vector)
    half(1, 2)  # type: ignore[call-arg, arg-type]


def batches_have_types_of_their_own(x: Vector) -> None:
    def of_a_number(t: float) -> float:
        return 2.0 * t

    mapped: Callable[..., Any] = cv.vmap(of_a_number, in_axes=0, out_axes=-1, axis_size=3)
    mapped(x)


def records(x: Vector) -> None:
    graph = cv.make_graph(energy)(x)
    assert_type(graph, cv.Graph)
    assert_type(str(graph), str)
    cv.make_graph(energy)(cv.ArrayType((3,), np.float64))
    cv.ArrayType((3,), "float32")
    assert_type(cv.ArrayType((3,), np.dtype(np.float64)).shape, tuple[int, ...])


def checks(x: Vector) -> None:
    cv.check_grads(energy, (x,), order=2, modes=("fwd", "rev"))
    cv.check_grads(energy, (x,), modes=("forward",))  # type: ignore[arg-type]
    cv.check_jvp(energy, (x,), atol=1e-6)
    cv.check_vjp(energy, (x,), rtol=1e-6)
    cv.check_batching(energy, (x, 1.0), size=2)
