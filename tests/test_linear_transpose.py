"""Transposing functions that are linear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import NonlinearError, ShapeMismatchError
from tests.functions import MATRIX, POINT, directions, each_vector

LINEAR: dict[str, Callable[[Any], Any]] = {
    "matrix": lambda x: MATRIX @ x,
    "cumsum": np.cumsum,
    "reversed": lambda x: x[::-1] * 2.0,
    "gather": lambda x: x[np.array([0, 0, 2, 1])],
    "sum and broadcast": lambda x: np.sum(x) + np.zeros(2),
    "reshape": lambda x: np.reshape(x, (3, 1)) @ np.ones((1, 2)),
    "select": lambda x: np.where(np.array([True, False, True]), x, 0.0),
    "stack": lambda x: np.stack([x, -x, 3.0 * x]),
}


@pytest.mark.parametrize("name", LINEAR)
def test_it_is_the_transposed_matrix(name: str) -> None:
    function = LINEAR[name]
    outputs = np.stack([np.ravel(function(e)) for e in np.eye(3)], axis=1)
    transposed = cv.linear_transpose(function, POINT)
    w = np.random.default_rng(0).standard_normal(function(POINT).shape)
    np.testing.assert_allclose(transposed(w)[0], outputs.T @ np.ravel(w), rtol=1e-12)


@pytest.mark.parametrize("name", LINEAR)
def test_the_transpose_of_the_transpose_is_the_function(name: str) -> None:
    function = LINEAR[name]
    (v,) = directions(1)
    once = cv.linear_transpose(function, POINT)
    twice = cv.linear_transpose(lambda w: once(w)[0], function(POINT))
    np.testing.assert_allclose(twice(v)[0], function(v), rtol=1e-12)
    np.testing.assert_allclose(once.T(v), function(v), rtol=1e-12)


@each_vector
def test_of_a_derivative_it_is_the_vjp(function: Any) -> None:
    value, pullback = cv.vjp(function, POINT)
    transposed = cv.linear_transpose(lambda v: cv.jvp(function, (POINT,), (v,))[1], POINT)
    np.testing.assert_allclose(transposed(value)[0], pullback(value)[0], rtol=1e-12)


def test_only_types_matter() -> None:
    transposed = cv.linear_transpose(np.cumsum, cv.ArrayType((3,), np.dtype(np.float64)))
    np.testing.assert_array_equal(transposed(np.ones(3))[0], [3.0, 2.0, 1.0])


def test_trees() -> None:
    transposed = cv.linear_transpose(lambda p: {"z": p["x"] + MATRIX @ p["y"]}, {"x": POINT, "y": POINT})
    (found,) = transposed({"z": POINT})
    np.testing.assert_allclose(found["x"], POINT)
    np.testing.assert_allclose(found["y"], MATRIX.T @ POINT)


def test_several_arguments() -> None:
    first, second = cv.linear_transpose(lambda x, y: x + 2.0 * y, POINT, POINT)(POINT)
    np.testing.assert_allclose(first, POINT)
    np.testing.assert_allclose(second, 2.0 * POINT)


def test_an_argument_that_is_not_used_gets_zeros() -> None:
    first, second = cv.linear_transpose(lambda x, y: x * 2.0, POINT, np.ones((2, 2)))(POINT)
    np.testing.assert_array_equal(second, np.zeros((2, 2)))
    assert first.shape == (3,)


@pytest.mark.parametrize(
    "function", [np.sin, lambda x: x * x, lambda x: x + 1.0, lambda x: np.ones(3), lambda x: 1.0 / x, np.abs]
)
def test_functions_that_are_not_linear_are_refused(function: Any) -> None:
    with pytest.raises(NonlinearError):
        cv.linear_transpose(function, POINT)


def test_a_cotangent_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeMismatchError):
        cv.linear_transpose(np.cumsum, POINT)(np.ones(4))


def test_inside_other_transformations() -> None:
    """d/ds of the transpose of s A applied to w is A^T w."""
    found = cv.jvp(lambda s: cv.linear_transpose(lambda x: s * (MATRIX @ x), POINT)(POINT)[0], (2.0,), (1.0,))[1]
    np.testing.assert_allclose(found, MATRIX.T @ POINT)
    mapped = cv.vmap(lambda w: cv.linear_transpose(lambda x: MATRIX @ x, POINT)(w)[0])(np.eye(3))
    np.testing.assert_allclose(mapped, MATRIX)
