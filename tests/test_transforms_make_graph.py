"""make_graph: recording programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcreteValueError, GraphError, TreeMismatchError
from tests.functions import POINT, WEIGHTS, each_scalar, each_vector, griewank, network
from tests.laws import check_variables


@each_scalar
def test_running_the_record_is_running_the_function(function: Any) -> None:
    graph = cv.make_graph(function)(POINT)
    assert graph(POINT) == pytest.approx(function(POINT), rel=1e-14)
    other = POINT * 0.5 + 0.1
    assert graph(other) == pytest.approx(function(other), rel=1e-14)


@each_vector
def test_a_recorded_derivative(function: Any) -> None:
    for transform in (cv.jacfwd, cv.jacrev):
        graph = cv.make_graph(transform(function))(POINT)
        np.testing.assert_allclose(graph(POINT), transform(function)(POINT), rtol=1e-13)
        check_variables(graph, [POINT])


@each_scalar
def test_a_recorded_batch(function: Any) -> None:
    batch = np.stack([POINT, 0.5 * POINT])
    graph = cv.make_graph(cv.vmap(function))(batch)
    np.testing.assert_allclose(graph(batch), cv.vmap(function)(batch), rtol=1e-13)
    check_variables(graph, [batch])


@each_scalar
def test_transforming_the_record(function: Any) -> None:
    graph = cv.make_graph(function)(POINT)
    np.testing.assert_allclose(cv.grad(graph)(POINT), cv.grad(function)(POINT), rtol=1e-13)
    np.testing.assert_allclose(cv.hessian(graph)(POINT), cv.hessian(function)(POINT), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(cv.vmap(graph)(np.stack([POINT])), [function(POINT)], rtol=1e-13)


def test_it_prints() -> None:
    text = str(cv.make_graph(griewank)(2.0, 5.0))
    assert [line.split("=")[-1].strip() for line in text.splitlines()] == [
        "a: float64[]", "b: float64[]", "log a", "multiply a b", "add c d", "sin b", "subtract e f", "return g",
    ]  # fmt: skip
    assert "6 equations" not in repr(cv.make_graph(griewank)(2.0, 5.0))
    assert "5 equations" in repr(cv.make_graph(griewank)(2.0, 5.0))


def test_types_are_enough() -> None:
    graph = cv.make_graph(lambda x: x @ x)(cv.ArrayType((3,), np.dtype(np.float64)))
    assert graph(POINT) == pytest.approx(POINT @ POINT)


def test_trees() -> None:
    graph = cv.make_graph(lambda w, x: {"y": network(w, x), "x": [x]})(WEIGHTS, POINT)
    found = graph(WEIGHTS, POINT)
    assert found["y"] == pytest.approx(network(WEIGHTS, POINT))
    np.testing.assert_array_equal(found["x"][0], POINT)


def test_arguments_of_another_kind_are_refused() -> None:
    graph = cv.make_graph(lambda w, x: network(w, x))(WEIGHTS, POINT)
    with pytest.raises((GraphError, TreeMismatchError)):
        graph(WEIGHTS)
    graph = cv.make_graph(np.sin)(POINT)
    for other in (np.ones(4), POINT.astype(np.float32), np.ones((1, 3)), 1.0, np.arange(3)):
        with pytest.raises((GraphError, TypeError, ValueError)):
            graph(other)


def test_branches_need_values() -> None:
    def function(x: Any) -> Any:
        return x**2 if np.sum(x) > 0 else -x

    with pytest.raises(ConcreteValueError):
        cv.make_graph(function)(POINT)
    graph = cv.make_graph(function, concrete=True)(POINT)
    np.testing.assert_array_equal(graph(POINT), POINT**2)
    np.testing.assert_array_equal(cv.make_graph(function, concrete=True)(-POINT)(POINT), -POINT)


def test_constants_are_part_of_the_graph() -> None:
    weights = np.arange(3.0)
    graph = cv.make_graph(lambda x: x * weights + weights)(POINT)
    assert len(graph.constants) == 1
    weights[:] = 100.0
    np.testing.assert_array_equal(graph(POINT), POINT * np.arange(3.0) + np.arange(3.0))


def test_traced_values_of_an_outer_transformation_are_constants() -> None:
    def function(s: Any) -> Any:
        graph = cv.make_graph(lambda x: s * np.sin(x))(0.5)
        return graph(0.5)

    assert cv.grad(function)(2.0) == pytest.approx(np.sin(0.5))


def test_integers_and_booleans() -> None:
    graph = cv.make_graph(lambda n, b: (n + 1, np.logical_not(b), n * 0.5))(np.arange(3), True)
    a, b, c = graph(np.arange(3), False)
    np.testing.assert_array_equal(a, [1, 2, 3])
    assert b
    np.testing.assert_array_equal(c, [0.0, 0.5, 1.0])


def test_every_variable_has_its_declared_type_in_mixed_dtypes() -> None:
    def function(x: Any, y: Any, n: Any) -> Any:
        return np.sum((x * y + n) / 2, axis=0) * 3 + np.mean(x) ** 2 + (x > 0) * y

    args = (POINT.astype(np.float32), np.ones((2, 3)), np.arange(3))
    check_variables(cv.make_graph(function)(*args), args)
    check_variables(cv.make_graph(cv.vmap(function, (None, 0, None)))(*args), args)
    both = cv.make_graph(lambda x, y: cv.jacrev(function, (0, 1))(x, y, args[2]))
    check_variables(both(*args[:2]), args[:2])
