"""Gradients per example, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given

import covector as cv
from tests.functions import POINT, WEIGHTS, each_scalar, network
from tests.strategies import Program, programs

BATCH = np.random.default_rng(3).standard_normal((5, 3))


@each_scalar
def test_it_stacks_the_gradients(function: Any) -> None:
    found = cv.vmap(cv.grad(function))(BATCH)
    np.testing.assert_allclose(found, [cv.grad(function)(x) for x in BATCH], rtol=1e-11, atol=1e-12)
    assert found.shape == BATCH.shape


@each_scalar
def test_it_stacks_the_hessians(function: Any) -> None:
    found = cv.vmap(cv.hessian(function))(BATCH)
    np.testing.assert_allclose(found, [cv.hessian(function)(x) for x in BATCH], rtol=1e-10, atol=1e-11)


def test_gradients_per_example_of_shared_weights() -> None:
    """Arguments that are not mapped still get one gradient per example."""
    found = cv.vmap(cv.grad(network), (None, 0))(WEIGHTS, BATCH)
    assert found["hidden"].shape == (5, 4, 3)
    assert found["out"][1].shape == (5,)
    for i, x in enumerate(BATCH):
        one = cv.grad(network)(WEIGHTS, x)
        np.testing.assert_allclose(found["hidden"][i], one["hidden"], rtol=1e-11)
        np.testing.assert_allclose(found["out"][0][i], one["out"][0], rtol=1e-11)


def test_gradients_at_one_point_of_mapped_functions() -> None:
    found = cv.vmap(lambda s: cv.grad(lambda x: s * np.sum(x**2))(POINT))(np.arange(3.0))
    np.testing.assert_allclose(found, np.outer(np.arange(3.0), 2.0 * POINT))


def test_other_axes() -> None:
    found = cv.vmap(cv.grad(lambda x: np.sum(x**3)), in_axes=1, out_axes=-1)(BATCH)
    np.testing.assert_allclose(found, 3.0 * BATCH**2)


def test_the_value_comes_along() -> None:
    values, gradients = cv.vmap(cv.value_and_grad(lambda x: np.sum(np.sin(x))))(BATCH)
    np.testing.assert_allclose(values, np.sum(np.sin(BATCH), axis=1))
    np.testing.assert_allclose(gradients, np.cos(BATCH))


def test_an_empty_batch() -> None:
    found = cv.vmap(cv.grad(lambda x: np.sum(np.sin(x) * x)))(np.zeros((0, 3)))
    assert found.shape == (0, 3)


@given(programs(length=12, branches=False))
def test_random_programs(program: Program) -> None:
    x, t = program.point
    xs, ts = np.stack([x, -0.5 * x, x + 0.25]), np.array([t, 0.1, -1.0])
    found = cv.vmap(cv.grad(program, (0, 1)))(xs, ts)
    looped = [cv.grad(program, (0, 1))(*each) for each in zip(xs, ts, strict=True)]
    np.testing.assert_allclose(found[0], [dx for dx, _ in looped], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found[1], [dt for _, dt in looped], rtol=1e-9, atol=1e-11)
