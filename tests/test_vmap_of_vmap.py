"""Batches of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

import covector as cv
from tests.functions import MATRIX, directions, each_scalar, each_vector
from tests.strategies import Program, programs

GRID = np.random.default_rng(4).standard_normal((2, 4, 3))


@each_vector
def test_two_mapped_axes_are_two_loops(function: Any) -> None:
    found = cv.vmap(cv.vmap(function))(GRID)
    np.testing.assert_allclose(found, [[function(x) for x in row] for row in GRID], rtol=1e-12)


@pytest.mark.parametrize(("outer", "inner"), [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (-1, -1)])
def test_any_two_axes(outer: int, inner: int) -> None:
    found = cv.vmap(cv.vmap(np.sin, inner), outer)(GRID)
    moved = np.moveaxis(GRID, outer, 0)
    np.testing.assert_allclose(found, np.sin(np.moveaxis(moved, inner % 2 + 1, 1)))


def test_an_outer_product_of_arguments() -> None:
    xs, ys = np.stack(directions(3)), np.stack(directions(2, seed=5))
    pairwise = cv.vmap(cv.vmap(lambda x, y: x @ MATRIX @ y, (None, 0)), (0, None))
    np.testing.assert_allclose(pairwise(xs, ys), xs @ MATRIX @ ys.T, rtol=1e-12)


def test_the_inner_function_closes_over_the_outer_batch() -> None:
    found = cv.vmap(lambda a: cv.vmap(lambda b: a * b + 1.0)(np.arange(3.0)))(np.arange(2.0))
    np.testing.assert_array_equal(found, np.outer(np.arange(2.0), np.arange(3.0)) + 1.0)


def test_the_inner_result_depends_on_the_outer_batch_alone() -> None:
    found = cv.vmap(lambda a: cv.vmap(lambda b: np.sin(a))(np.arange(3.0)))(np.arange(2.0))
    np.testing.assert_allclose(found, np.repeat(np.sin([[0.0], [1.0]]), 3, axis=1))


@each_scalar
def test_gradients_of_a_grid(function: Any) -> None:
    found = cv.vmap(cv.vmap(cv.grad(function)))(GRID)
    np.testing.assert_allclose(found, [[cv.grad(function)(x) for x in row] for row in GRID], rtol=1e-11, atol=1e-12)


@given(programs(length=12, branches=False))
def test_random_programs(program: Program) -> None:
    x, _ = program.point
    xs, ts = np.stack([x, 1.0 - x]), np.array([0.1, 0.5, 0.9])
    found = cv.vmap(cv.vmap(program, (None, 0)), (0, None))(xs, ts)
    np.testing.assert_allclose(found, [[program(x, t) for t in ts] for x in xs], rtol=1e-10)
