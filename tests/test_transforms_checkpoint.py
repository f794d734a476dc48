"""checkpoint: the same derivatives, with less kept."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.testing import check_grads
from tests.functions import MATRIX, POINT, WEIGHTS, each_scalar, each_vector, network


@each_scalar
def test_every_derivative_is_that_of_the_function(function: Any) -> None:
    block = cv.checkpoint(function)
    np.testing.assert_allclose(cv.grad(block)(POINT), cv.grad(function)(POINT), rtol=1e-12)
    np.testing.assert_allclose(cv.hessian(block)(POINT), cv.hessian(function)(POINT), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(
        cv.jvp(block, (POINT,), (POINT,))[1], cv.jvp(function, (POINT,), (POINT,))[1], rtol=1e-12
    )
    np.testing.assert_allclose(
        cv.vmap(cv.grad(block))(np.stack([POINT, POINT]))[1], cv.grad(function)(POINT), rtol=1e-11
    )


@each_vector
def test_differences(function: Any) -> None:
    check_grads(cv.checkpoint(function), (POINT,), order=2)


def test_plain_calls_are_plain() -> None:
    np.testing.assert_array_equal(cv.checkpoint(lambda x: np.sin(x))(POINT), np.sin(POINT))


def test_trees_and_keywords() -> None:
    block = cv.checkpoint(lambda w, *, x: {"y": network(w, x)})
    found = cv.grad(lambda w: block(w, x=POINT)["y"])(WEIGHTS)
    np.testing.assert_allclose(found["hidden"], cv.grad(network)(WEIGHTS, POINT)["hidden"])


def test_traced_values_in_the_closure() -> None:
    found = cv.grad(lambda s: np.sum(cv.checkpoint(lambda x: np.sin(s * x))(POINT * s)))(0.5)
    expected = cv.grad(lambda s: np.sum(np.sin(s * POINT * s)))(0.5)
    assert found == pytest.approx(expected)


def test_control_flow_on_known_values() -> None:
    block = cv.checkpoint(lambda x: x**2 if x > 1 else -x)
    assert cv.grad(block)(2.0) == 4.0
    assert cv.grad(block)(0.5) == -1.0
    assert cv.grad(cv.grad(block))(2.0) == 2.0


def test_an_error_that_the_function_catches() -> None:
    def block(a: Any) -> Any:
        try:
            return np.sum(np.linalg.cholesky(a))
        except np.linalg.LinAlgError:
            return -np.sum(a)

    for matrix in (np.eye(2), -np.eye(2)):
        np.testing.assert_allclose(cv.grad(cv.checkpoint(block))(matrix), cv.grad(block)(matrix))


def test_an_error_of_a_rule_is_seen() -> None:
    """Running the function once more would hide that a rule is broken."""

    @cv.custom_jvp
    def doubled(x: Any) -> Any:
        return 2.0 * x

    @doubled.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        raise ValueError("a broken rule")

    runs = []

    def block(x: Any) -> Any:
        runs.append(x)
        return doubled(x)

    with pytest.raises(ValueError, match="a broken rule"):
        cv.grad(cv.checkpoint(block))(1.0)
    assert len(runs) == 1


def test_nested() -> None:
    inner = cv.checkpoint(lambda x: np.sin(MATRIX @ x))
    outer = cv.checkpoint(lambda x: np.sum(inner(inner(x))))
    plain = cv.grad(lambda x: np.sum(np.sin(MATRIX @ np.sin(MATRIX @ x))))(POINT)
    np.testing.assert_allclose(cv.grad(outer)(POINT), plain, rtol=1e-12)


def test_less_memory_is_kept() -> None:
    """A chain of blocks keeps the inputs of the blocks only."""

    def block(x: Any) -> Any:
        for _ in range(20):
            x = np.sin(x) * 1.01
        return x

    def peak(step: Any) -> int:
        def chain(x: Any) -> Any:
            for _ in range(10):
                x = step(x)
            return np.sum(x)

        x = np.ones(20_000)
        tracemalloc.start()
        cv.grad(chain)(x)
        (_, peak) = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert peak(cv.checkpoint(block)) < 0.4 * peak(block)
