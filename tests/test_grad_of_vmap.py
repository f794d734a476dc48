"""Gradients of functions that map over a batch inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import MATRIX, POINT, WEIGHTS, each_scalar, each_vector, network

BATCH = np.random.default_rng(3).standard_normal((5, 3))


@each_scalar
def test_the_gradient_of_a_sum_over_the_batch_has_the_gradients_as_rows(function: Any) -> None:
    found = cv.grad(lambda xs: np.sum(cv.vmap(function)(xs)))(BATCH)
    np.testing.assert_allclose(found, [cv.grad(function)(x) for x in BATCH], rtol=1e-11, atol=1e-12)


@each_vector
def test_the_jacobian_of_a_batch_is_block_diagonal(function: Any) -> None:
    found = cv.jacrev(cv.vmap(function))(BATCH[:2])
    assert not np.any(found[0, :, 1])
    assert not np.any(found[1, :, 0])
    for i in range(2):
        np.testing.assert_allclose(found[i, :, i], cv.jacfwd(function)(BATCH[i]), rtol=1e-11, atol=1e-12)


def test_an_argument_that_is_not_mapped_sums_over_the_batch() -> None:
    def loss(weights: Any) -> Any:
        return np.sum(cv.vmap(network, (None, 0))(weights, BATCH) ** 2)

    found = cv.grad(loss)(WEIGHTS)
    looped = cv.grad(lambda weights: sum(network(weights, x) ** 2 for x in BATCH))(WEIGHTS)
    np.testing.assert_allclose(found["hidden"], looped["hidden"], rtol=1e-11)
    np.testing.assert_allclose(found["bias"], looped["bias"], rtol=1e-11)
    np.testing.assert_allclose(found["out"][0], looped["out"][0], rtol=1e-11)
    assert found["out"][1] == pytest.approx(looped["out"][1])
    assert isinstance(found["out"][1], np.float64)


def test_a_traced_value_in_the_closure_of_the_mapped_function() -> None:
    """The inner function closes over what the outer gradient traces."""
    found = cv.grad(lambda s: np.sum(cv.vmap(lambda x: s * x @ MATRIX @ x)(BATCH)))(2.0)
    assert found == pytest.approx(sum(x @ MATRIX @ x for x in BATCH))


def test_a_batch_whose_output_does_not_depend_on_the_mapped_argument() -> None:
    found = cv.grad(lambda s: np.sum(cv.vmap(lambda x: np.sin(s))(BATCH)))(0.3)
    assert found == pytest.approx(5.0 * np.cos(0.3))


def test_second_derivatives_through_a_batch() -> None:
    def total(x: Any) -> Any:
        return np.sum(cv.vmap(lambda y: np.sum(np.sin(x * y)))(BATCH))

    expected = -sum(np.sin(POINT * y) * y**2 for y in BATCH)
    np.testing.assert_allclose(cv.hessian(total)(POINT), np.diag(expected), rtol=1e-10, atol=1e-12)
