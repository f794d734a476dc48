"""stop_gradient: values as constants."""

from __future__ import annotations

from typing import Any

import numpy as np

import covector as cv
from tests.functions import POINT


def test_it_is_the_identity_with_a_zero_derivative() -> None:
    value, tangent = cv.jvp(lambda x: cv.stop_gradient(x), (POINT,), (POINT,))
    np.testing.assert_array_equal(value, POINT)
    np.testing.assert_array_equal(tangent, np.zeros(3))
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(cv.stop_gradient(x)))(POINT), np.zeros(3))


def test_only_one_factor_is_differentiated() -> None:
    assert cv.grad(lambda x: x * cv.stop_gradient(x))(3.0) == 3.0
    assert cv.grad(cv.grad(lambda x: x**2 * cv.stop_gradient(x)))(3.0) == 6.0


def test_every_level_is_stopped() -> None:
    assert cv.grad(lambda x: cv.grad(lambda y: y * cv.stop_gradient(x) * x)(1.0))(3.0) == 3.0


def test_trees() -> None:
    def function(t: Any) -> Any:
        stopped: Any = cv.stop_gradient({"a": t["a"], "rest": ["text", None, t["b"]]})
        return t["a"] * stopped["a"] + stopped["rest"][2]

    assert cv.grad(function)({"a": 3.0, "b": 2.0}) == {"a": 3.0, "b": 0.0}


def test_in_batches_and_graphs() -> None:
    np.testing.assert_array_equal(cv.vmap(cv.grad(lambda x: x * cv.stop_gradient(x)))(POINT), POINT)
    graph = cv.make_graph(lambda x: np.sum(cv.stop_gradient(x) * x))(POINT)
    np.testing.assert_array_equal(cv.grad(graph)(POINT), POINT)


def test_the_straight_through_estimator() -> None:
    found = cv.grad(lambda x: np.sum((x + cv.stop_gradient(np.round(x) - x)) ** 2))(POINT)
    np.testing.assert_allclose(found, 2.0 * np.round(POINT))


def test_plain_values_pass_through() -> None:
    assert cv.stop_gradient(POINT) is POINT
    assert cv.stop_gradient("text") == "text"
