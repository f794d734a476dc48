"""grad and value_and_grad."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import POINT, WEIGHTS, each_scalar, griewank, network, numerical_jacobian


@each_scalar
def test_it_is_the_vector_of_partial_derivatives(function: Any) -> None:
    found = cv.grad(function)(POINT)
    assert found.shape == POINT.shape
    np.testing.assert_allclose(found, numerical_jacobian(function, POINT), rtol=1e-7, atol=1e-7)


def test_the_worked_example() -> None:
    assert cv.grad(griewank)(2.0, 5.0) == pytest.approx(5.5)
    assert cv.grad(griewank, 1)(2.0, 5.0) == pytest.approx(1.716, abs=5e-4)


class TestArguments:
    def test_argnums(self) -> None:
        def function(x: Any, y: Any, z: Any) -> Any:
            return x * y**2 * z**3

        assert cv.grad(function, 0)(2.0, 3.0, 1.0) == 9.0
        assert cv.grad(function, 1)(2.0, 3.0, 1.0) == 12.0
        assert cv.grad(function, -1)(2.0, 3.0, 1.0) == 54.0
        assert cv.grad(function, (0, 2))(2.0, 3.0, 1.0) == (9.0, 54.0)
        assert cv.grad(function, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
        assert cv.grad(function, [1])(2.0, 3.0, 1.0) == (12.0,)
        assert cv.grad(function, (1,))(2.0, 3.0, 1.0) == (12.0,)

    def test_keyword_arguments_are_constants(self) -> None:
        assert cv.grad(lambda x, *, n: x**n)(2.0, n=3) == 12.0

    def test_argnames(self) -> None:
        def function(x: Any, *, scale: Any, shift: Any = 1.0) -> Any:
            return np.sum(x * scale + shift**2)

        np.testing.assert_array_equal(cv.grad(function)(POINT, scale=2.0), np.full(3, 2.0))
        assert cv.grad(function, argnames="scale")(POINT, scale=2.0) == pytest.approx(np.sum(POINT))
        assert cv.grad(function, argnames=("scale", "shift"))(POINT, scale=2.0, shift=2.0) == (
            pytest.approx(np.sum(POINT)), pytest.approx(12.0),
        )  # fmt: skip
        dx, dscale = cv.grad(function, argnums=0, argnames="scale")(POINT, scale=2.0)
        np.testing.assert_array_equal(dx, np.full(3, 2.0))
        assert dscale == pytest.approx(np.sum(POINT))

    def test_any_other_arguments(self) -> None:
        """Strings, functions and objects may be passed along."""
        assert cv.grad(lambda x, name, f, options: f(x) if name == "f" else x)(3.0, "f", np.square, object()) == 6.0

    def test_callables_of_every_kind(self) -> None:
        class Model:
            def __call__(self, x: Any) -> Any:
                return x * x

            def method(self, x: Any) -> Any:
                return 3.0 * x

        assert cv.grad(Model())(2.0) == 4.0
        assert cv.grad(Model().method)(2.0) == 3.0
        assert cv.grad(partial(griewank, y=5.0))(2.0) == pytest.approx(5.5)
        assert cv.grad(np.exp)(0.0) == 1.0

    def test_defaults(self) -> None:
        assert cv.grad(lambda x, y=3.0: x * y)(2.0) == 3.0


class TestResults:
    def test_aux(self) -> None:
        gradient, aux = cv.grad(lambda x: (np.sum(x**2), {"x": x, "n": 3, "text": "t"}), has_aux=True)(POINT)
        np.testing.assert_allclose(gradient, 2.0 * POINT)
        np.testing.assert_array_equal(aux["x"], POINT)
        assert (aux["n"], aux["text"]) == (3, "t")

    def test_value_and_grad(self) -> None:
        value, gradient = cv.value_and_grad(lambda x: np.sum(x**2))(POINT)
        assert value == pytest.approx(np.sum(POINT**2))
        np.testing.assert_allclose(gradient, 2.0 * POINT)
        (value, aux), gradient = cv.value_and_grad(lambda x: (x**2, [x]), has_aux=True)(3.0)
        assert (value, aux, gradient) == (9.0, [3.0], 6.0)

    def test_an_output_of_shape_one_in_a_tree(self) -> None:
        """The output may be a tree with one number in it."""
        assert cv.grad(lambda x: [x * x])(3.0) == 6.0

    def test_trees(self) -> None:
        gradient = cv.grad(network)(WEIGHTS, POINT)
        flat, structure = cv.trees.flatten(WEIGHTS)
        for leaf, (path, expected) in zip(cv.trees.flatten(gradient)[0], enumerate(flat), strict=True):

            def moved(x: Any, path: int = path) -> Any:
                leaves = list(flat)
                leaves[path] = x
                return network(cv.trees.unflatten(structure, leaves), POINT)

            np.testing.assert_allclose(leaf, numerical_jacobian(moved, np.asarray(expected)), rtol=1e-7, atol=1e-8)

    def test_metadata_of_the_function_is_kept(self) -> None:
        assert cv.grad(griewank).__name__ == "griewank"
        assert cv.grad(griewank).__doc__ == griewank.__doc__


class TestPrograms:
    """Plain NumPy code of the kinds people have."""

    def test_loops_and_recursion(self) -> None:
        def horner(x: Any, coefficients: tuple[float, ...]) -> Any:
            total = 0.0
            for c in coefficients:
                total = total * x + c
            return total

        def fibonacci(x: Any, n: int) -> Any:
            return x if n < 2 else fibonacci(x, n - 1) + fibonacci(x, n - 2) * x

        assert cv.grad(horner)(2.0, (3.0, -1.0, 4.0)) == pytest.approx(11.0)
        step = 1e-6
        expected = (fibonacci(0.5 + step, 8) - fibonacci(0.5 - step, 8)) / (2 * step)
        assert cv.grad(fibonacci)(0.5, 8) == pytest.approx(expected, rel=1e-7)

    def test_iteration_unpacking_and_len(self) -> None:
        def function(x: Any) -> Any:
            a, b, c = x
            return a * b + sum(x) * len(x) + c * np.sum([entry**2 for entry in x])

        np.testing.assert_allclose(cv.grad(function)(POINT), numerical_jacobian(function, POINT), rtol=1e-8)

    def test_methods_and_attributes(self) -> None:
        def function(x: Any) -> Any:
            assert x.shape == (2, 3)
            assert x.ndim == 2
            assert x.size == 6
            assert x.dtype == np.float64
            return (
                (x.T @ x).trace()
                + x.sum(axis=0).max()
                + x.reshape(-1)[1:].mean()
                + x[0].dot(x[1])
                + (x**2).ravel().std()
            )

        x = np.linspace(0.1, 1.0, 6).reshape(2, 3)
        np.testing.assert_allclose(cv.grad(function)(x), numerical_jacobian(function, x), rtol=1e-7)

    def test_functional_updates(self) -> None:
        found = cv.grad(lambda x: np.sum(x.at[0].set(x[1] ** 2).at[2].add(3.0 * x[0]) ** 2))(POINT)

        def same(x: Any) -> Any:
            return np.sum(np.array([x[1] ** 2, x[1], x[2] + 3.0 * x[0]]) ** 2)

        np.testing.assert_allclose(found, numerical_jacobian(same, POINT), rtol=1e-7)

    def test_an_array_on_the_left(self) -> None:
        found = cv.grad(
            lambda x: np.sum((POINT + x) * POINT / x - POINT @ (x * np.float64(2.0)) + np.float64(1.0) / x)
        )(POINT**2)
        expected = numerical_jacobian(
            lambda x: np.sum((POINT + x) * POINT / x - POINT @ (x * np.float64(2.0)) + np.float64(1.0) / x), POINT**2
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_ufunc_methods(self) -> None:
        def function(x: Any) -> Any:
            return (
                np.add.reduce(x) * np.multiply.reduce(x)
                + np.sum(np.add.accumulate(x) * x)
                + np.sum(np.multiply.outer(x, x) ** 2)
            )

        np.testing.assert_allclose(cv.grad(function)(POINT), numerical_jacobian(function, POINT), rtol=1e-7)

    def test_logistic_regression(self) -> None:
        rng = np.random.default_rng(0)
        features, labels = rng.standard_normal((50, 3)), rng.integers(0, 2, 50)

        def loss(w: Any) -> Any:
            margins = np.where(labels == 1, 1.0, -1.0) * (features @ w)
            return np.mean(np.logaddexp(0.0, -margins)) + 0.1 * w @ w

        signs = np.where(labels == 1, 1.0, -1.0)
        expected = features.T @ (-signs / (1.0 + np.exp(signs * (features @ POINT)))) / 50 + 0.2 * POINT
        np.testing.assert_allclose(cv.grad(loss)(POINT), expected, rtol=1e-12)

    def test_a_differential_equation(self) -> None:
        """The derivative of a Runge-Kutta solution in the initial value and the rate: y = y0 exp(k t)."""

        def solve(initial: Any, rate: Any) -> Any:
            y, h = initial, 0.01
            for _ in range(100):
                k1 = rate * y
                k2 = rate * (y + 0.5 * h * k1)
                k3 = rate * (y + 0.5 * h * k2)
                k4 = rate * (y + h * k3)
                y = y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            return y

        initial, rate = cv.grad(solve, (0, 1))(2.0, -0.7)
        assert initial == pytest.approx(np.exp(-0.7), rel=1e-9)
        assert rate == pytest.approx(2.0 * np.exp(-0.7), rel=1e-9)
