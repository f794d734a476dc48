"""vjp and linearize: the derivative as a function of cotangents, and as an object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ArgumentError, ShapeMismatchError, TreeMismatchError
from tests.functions import (
    MATRIX,
    POINT,
    WEIGHTS,
    counted,
    directions,
    each_scalar,
    each_vector,
    griewank,
    network,
    numerical_jacobian,
)


@each_vector
def test_it_pulls_cotangents_back(function: Any) -> None:
    value, pullback = cv.vjp(function, POINT)
    np.testing.assert_allclose(value, function(POINT), rtol=1e-14)
    w = np.cos(np.arange(value.size))
    np.testing.assert_allclose(pullback(w)[0], w @ numerical_jacobian(function, POINT), rtol=1e-7, atol=1e-8)


@each_vector
def test_it_is_the_transpose_of_forward_mode(function: Any) -> None:
    value, pullback = cv.vjp(function, POINT)
    w, (v,) = np.sin(1.0 + np.arange(value.size)), directions(1)
    assert np.sum(pullback(w)[0] * v) == pytest.approx(np.sum(w * cv.jvp(function, (POINT,), (v,))[1]), rel=1e-12)


def test_several_arguments_get_one_cotangent_each() -> None:
    value, pullback = cv.vjp(griewank, 2.0, 5.0)
    assert value == pytest.approx(11.652, abs=5e-4)
    assert pullback(1.0) == (pytest.approx(5.5), pytest.approx(2.0 - np.cos(5.0)))


def test_trees() -> None:
    value, pullback = cv.vjp(lambda w, x: {"a": network(w, x), "b": [x * 2.0, None]}, WEIGHTS, POINT)
    dw, dx = pullback({"a": 1.0, "b": [np.ones(3), None]})
    expected = cv.grad(network, (0, 1))(WEIGHTS, POINT)
    np.testing.assert_allclose(dw["hidden"], expected[0]["hidden"])
    np.testing.assert_allclose(dx, expected[1] + 2.0)
    assert value["b"][1] is None


def test_aux() -> None:
    value, pullback, aux = cv.vjp(lambda x: (x**2, ("aux", x)), 3.0, has_aux=True)
    assert (value, pullback(1.0)[0], aux) == (9.0, 6.0, ("aux", 3.0))


def test_a_pullback_may_be_called_many_times() -> None:
    _, pullback = cv.vjp(lambda x: np.sin(x) * x, POINT)
    first = [pullback(e)[0] for e in np.eye(3)]
    second = [pullback(e)[0] for e in np.eye(3)]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.sum(first, axis=0), np.cos(POINT) * POINT + np.sin(POINT))


def test_the_function_runs_once() -> None:
    function, calls = counted(np.sin)
    _, pullback = cv.vjp(function, 1.0)
    pullback(1.0)
    pullback(2.0)
    assert len(calls) == 1


class TestLinearMap:
    @each_scalar
    def test_it_is_a_function_of_tangents(self, function: Any) -> None:
        value, derivative = cv.linearize(function, POINT)
        (v,) = directions(1)
        assert value == pytest.approx(function(POINT), rel=1e-14)
        assert derivative(v) == pytest.approx(cv.jvp(function, (POINT,), (v,))[1], rel=1e-12)

    @each_vector
    def test_its_matrix_is_the_jacobian(self, function: Any) -> None:
        _, derivative = cv.linearize(function, POINT)
        expected = numerical_jacobian(function, POINT)
        np.testing.assert_allclose(derivative.matrix(), expected, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(derivative.T.matrix(), expected.T, rtol=1e-7, atol=1e-8)

    def test_the_matrix_of_trees_has_raveled_leaves(self) -> None:
        _, derivative = cv.linearize(lambda p: (p["x"] * p["y"], np.sum(p["x"])), {"x": POINT, "y": 2.0})
        expected = np.block([[2.0 * np.eye(3), POINT[:, None]], [np.ones((1, 3)), np.zeros((1, 1))]])
        np.testing.assert_allclose(derivative.matrix(), expected)
        np.testing.assert_allclose(derivative.T.matrix(), expected.T)

    def test_matrices_between_real_and_complex_spaces(self) -> None:
        """The real basis is used, so no imaginary part gets lost."""
        _, up = cv.linearize(lambda x: np.stack([x[0] + 1j * x[1], 1j * x[2]])[:1], POINT)
        np.testing.assert_array_equal(up.matrix(), [[1.0, 1j, 0.0]])
        _, down = cv.linearize(lambda z: np.real(z * 1j), np.ones(2) + 0j)
        np.testing.assert_array_equal(down.matrix(), 1j * np.eye(2))

    def test_transposing_twice(self) -> None:
        _, derivative = cv.linearize(lambda x: np.sin(x) * x[0], POINT)
        (v,) = directions(1)
        np.testing.assert_array_equal(derivative.T.T(v), derivative(v))
        np.testing.assert_array_equal(derivative.transpose()(v)[0], derivative.T(v)[0])

    def test_composition(self) -> None:
        middle, inner = cv.linearize(np.sin, POINT)
        _, outer = cv.linearize(lambda y: MATRIX[:2] @ (y * y), middle)
        both = outer @ inner
        _, expected = cv.linearize(lambda x: MATRIX[:2] @ np.sin(x) ** 2, POINT)
        np.testing.assert_allclose(both.matrix(), expected.matrix(), rtol=1e-12)
        np.testing.assert_allclose(both.T(np.ones(2))[0], expected.T(np.ones(2))[0], rtol=1e-12)
        with pytest.raises(ShapeMismatchError, match=r"float64\[3\]"):
            inner @ outer

    def test_it_prints_its_spaces(self) -> None:
        _, derivative = cv.linearize(lambda x, y: x * np.sum(y), POINT, np.ones((2, 2), np.float32))
        assert repr(derivative) == "LinearMap((float64[3], float32[2,2]) -> float64[3])"

    def test_several_arguments(self) -> None:
        value, derivative = cv.linearize(lambda x, y: x * y, 2.0, 3.0)
        assert (value, derivative(1.0, 1.0)) == (6.0, 5.0)
        with pytest.raises(TreeMismatchError):
            derivative(1.0)
        with pytest.raises(ArgumentError):
            derivative.T(1.0, 1.0)

    def test_aux(self) -> None:
        value, derivative, aux = cv.linearize(lambda x: (x * x, "aux"), 3.0, has_aux=True)
        assert (value, derivative(1.0), aux) == (9.0, 6.0, "aux")

    def test_a_map_of_nothing(self) -> None:
        _, derivative = cv.linearize(lambda x: x * 2.0, np.zeros(0))
        assert derivative.matrix().shape == (0, 0)
        assert derivative(np.zeros(0)).shape == (0,)

    def test_a_constant_function(self) -> None:
        _, derivative = cv.linearize(lambda x: np.ones(2), POINT)
        np.testing.assert_array_equal(derivative.matrix(), np.zeros((2, 3)))
        np.testing.assert_array_equal(derivative(POINT), np.zeros(2))
        np.testing.assert_array_equal(derivative.T(np.ones(2))[0], np.zeros(3))
