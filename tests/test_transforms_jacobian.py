"""jacfwd, jacrev, jacobian, hessian and hvp as functions of arrays, trees and options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import (
    MATRIX,
    POINT,
    counted,
    curve,
    each_scalar,
    each_vector,
    numerical_hessian,
    numerical_jacobian,
)

JACOBIANS: dict[str, Any] = {"jacfwd": cv.jacfwd, "jacrev": cv.jacrev, "jacobian": cv.jacobian}
each_jacobian = pytest.mark.parametrize("name", JACOBIANS)


@each_jacobian
@each_vector
def test_vector_functions(function: Any, name: str) -> None:
    found = JACOBIANS[name](function)(POINT)
    np.testing.assert_allclose(found, numerical_jacobian(function, POINT), rtol=1e-7, atol=1e-8)


@each_jacobian
@each_scalar
def test_scalar_functions_have_their_gradient(function: Any, name: str) -> None:
    np.testing.assert_allclose(JACOBIANS[name](function)(POINT), cv.grad(function)(POINT), rtol=1e-12)


@each_jacobian
def test_functions_of_a_number(name: str) -> None:
    found = JACOBIANS[name](curve)(0.4)
    expected = [-np.sin(0.4), np.cos(0.4) * 0.4 + np.sin(0.4), -np.exp(-0.4)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.shape(JACOBIANS[name](np.sin)(0.4)) == ()


@each_jacobian
def test_axes_of_the_output_come_first(name: str) -> None:
    x = np.linspace(0.1, 1.0, 6).reshape(2, 3)
    found = JACOBIANS[name](lambda x: x.T[..., None] * np.ones(4))(x)
    assert found.shape == (3, 2, 4, 2, 3)
    np.testing.assert_allclose(found, numerical_jacobian(lambda x: x.T[..., None] * np.ones(4), x), atol=1e-9)


@each_jacobian
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
def test_chunks_change_nothing(name: str, chunk_size: int) -> None:
    def function(x: Any) -> Any:
        return np.stack([x * x[0], np.sin(x)])

    found = JACOBIANS[name](function, chunk_size=chunk_size)(POINT)
    np.testing.assert_array_equal(found, JACOBIANS[name](function)(POINT))


@each_jacobian
def test_argnums(name: str) -> None:
    dx, dy = JACOBIANS[name](lambda x, y: x * np.sum(y), argnums=(0, 1))(POINT, np.ones(2))
    np.testing.assert_allclose(dx, 2.0 * np.eye(3))
    np.testing.assert_allclose(dy, np.stack([POINT, POINT], axis=1))
    np.testing.assert_allclose(JACOBIANS[name](lambda x, y: x * y, argnums=-1)(POINT, 2.0), POINT)


@each_jacobian
def test_trees_of_outputs_and_inputs(name: str) -> None:
    def function(p: Any) -> Any:
        return {"s": np.sum(p["a"]) * p["b"], "v": [p["a"] * p["b"]]}

    found = JACOBIANS[name](function)({"a": POINT, "b": 2.0})
    np.testing.assert_allclose(found["s"]["a"], np.full(3, 2.0))
    np.testing.assert_allclose(found["s"]["b"], np.sum(POINT))
    np.testing.assert_allclose(found["v"][0]["a"], 2.0 * np.eye(3))
    np.testing.assert_allclose(found["v"][0]["b"], POINT)


@each_jacobian
def test_aux(name: str) -> None:
    found, aux = JACOBIANS[name](lambda x: (x * x, {"x": x, "text": "t"}), has_aux=True)(POINT)
    np.testing.assert_allclose(found, np.diag(2.0 * POINT))
    np.testing.assert_array_equal(aux["x"], POINT)
    assert aux["text"] == "t"


@each_jacobian
def test_the_function_runs_once(name: str) -> None:
    function, calls = counted(np.sin)
    JACOBIANS[name](function)(POINT)
    assert len(calls) == 1


def test_the_mode_is_chosen_by_size() -> None:
    """Counted by what the derivative rule is asked for: one batch of pushes, or of pulls."""
    seen: list[str] = []

    @cv.custom_vjp
    def watched(x: Any) -> Any:
        return x

    def backward(_: None, cotangent: Any) -> Any:
        seen.append("pull")
        return (cotangent,)

    watched.defvjp(lambda x: (x, None), backward)
    cv.jacobian(lambda x: np.sum(watched(x)))(POINT)
    assert seen == ["pull"]


def test_sparse_structure_is_dense_zeros() -> None:
    found = cv.jacfwd(lambda x: x[1:] - x[:-1])(np.arange(4.0))
    np.testing.assert_array_equal(found, np.eye(3, 4, 1) - np.eye(3, 4))


class TestHessian:
    @each_scalar
    def test_values(self, function: Any) -> None:
        np.testing.assert_allclose(
            cv.hessian(function)(POINT), numerical_hessian(function, POINT), rtol=1e-5, atol=1e-5
        )

    def test_of_vector_functions(self) -> None:
        found = cv.hessian(lambda x: MATRIX @ x**3)(POINT)
        expected = np.zeros((3, 3, 3))
        expected[:, range(3), range(3)] = 6.0 * MATRIX * POINT
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_aux(self) -> None:
        found, aux = cv.hessian(lambda x: (np.sum(x**3), "aux"), has_aux=True)(POINT)
        np.testing.assert_allclose(found, np.diag(6.0 * POINT))
        assert aux == "aux"

    def test_of_trees(self) -> None:
        found = cv.hessian(lambda p: np.sum(p["a"] ** 2) * p["b"])({"a": POINT, "b": 2.0})
        np.testing.assert_allclose(found["a"]["a"], 4.0 * np.eye(3))
        np.testing.assert_allclose(found["a"]["b"], 2.0 * POINT)
        np.testing.assert_allclose(found["b"]["a"], 2.0 * POINT)
        assert found["b"]["b"] == 0.0


class TestHvp:
    def test_it_is_the_hessian_times_a_vector(self) -> None:
        (v,) = np.random.default_rng(0).standard_normal((1, 3))
        found = cv.hvp(lambda x: np.sum(np.exp(x) * x[0]), (POINT,), (v,))
        np.testing.assert_allclose(found, cv.hessian(lambda x: np.sum(np.exp(x) * x[0]))(POINT) @ v, rtol=1e-12)

    def test_several_arguments(self) -> None:
        dx, dy = cv.hvp(lambda x, y: np.sum(x) ** 2 * y, (POINT, 3.0), (np.ones(3), 1.0))
        total = np.sum(POINT)
        np.testing.assert_allclose(dx, np.full(3, 6.0 * 3.0 + 2.0 * total))
        assert dy == pytest.approx(2.0 * total * 3.0)

    def test_trees(self) -> None:
        found = cv.hvp(lambda p: np.sum(p["a"] ** 3), ({"a": POINT},), ({"a": np.ones(3)},))
        np.testing.assert_allclose(found["a"], 6.0 * POINT)
