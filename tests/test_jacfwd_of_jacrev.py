"""Hessians as Jacobians of Jacobians, of arrays and of trees."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import POINT, each_scalar, each_vector, griewank, numerical_hessian

JACOBIANS: dict[str, Any] = {"fwd": cv.jacfwd, "rev": cv.jacrev}
each_pair = pytest.mark.parametrize(("outer", "inner"), list(product(JACOBIANS, JACOBIANS)))


@each_pair
@each_scalar
def test_of_an_array(function: Any, outer: str, inner: str) -> None:
    found = JACOBIANS[outer](JACOBIANS[inner](function))(POINT)
    np.testing.assert_allclose(found, numerical_hessian(function, POINT), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, np.swapaxes(found, -1, -2), rtol=1e-11, atol=1e-12)


@each_pair
@each_vector
def test_of_a_vector_function(function: Any, outer: str, inner: str) -> None:
    found = JACOBIANS[outer](JACOBIANS[inner](function))(POINT)
    assert found.shape == (*function(POINT).shape, 3, 3)
    np.testing.assert_allclose(found, numerical_hessian(function, POINT), rtol=1e-5, atol=1e-5)


@each_pair
def test_of_two_arguments(outer: str, inner: str) -> None:
    ((xx, xy), (yx, yy)) = JACOBIANS[outer](JACOBIANS[inner](griewank, (0, 1)), (0, 1))(2.0, 5.0)
    np.testing.assert_allclose([xx, xy, yx, yy], [-0.25, 1.0, 1.0, np.sin(5.0)], rtol=1e-12)


@each_pair
def test_of_a_tree(outer: str, inner: str) -> None:
    def function(tree: Any) -> Any:
        return {"s": np.sum(tree["x"]) * tree["y"] ** 2, "v": tree["x"] * tree["y"]}

    point = {"x": np.array([1.0, 2.0]), "y": np.float64(3.0)}
    found = JACOBIANS[outer](JACOBIANS[inner](function))(point)
    np.testing.assert_allclose(found["s"]["x"]["y"], [6.0, 6.0])
    np.testing.assert_allclose(found["s"]["y"]["x"], [6.0, 6.0])
    np.testing.assert_allclose(found["s"]["y"]["y"], 6.0)
    np.testing.assert_allclose(found["s"]["x"]["x"], np.zeros((2, 2)))
    np.testing.assert_allclose(found["v"]["x"]["y"], np.eye(2))
    np.testing.assert_allclose(found["v"]["y"]["x"], np.eye(2))
    assert found["v"]["x"]["x"].shape == (2, 2, 2)
    assert found["v"]["y"]["y"].shape == (2,)
