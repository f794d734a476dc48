"""Tangents of functions that map over a batch inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.functions import MATRIX, directions, each_vector

BATCH, TANGENTS = np.stack(directions(4)), np.stack(directions(4, seed=5))


@each_vector
def test_it_pushes_each_example(function: Any) -> None:
    outputs, tangents = cv.jvp(cv.vmap(function), (BATCH,), (TANGENTS,))
    np.testing.assert_allclose(outputs, [function(x) for x in BATCH], rtol=1e-12)
    expected = [cv.jvp(function, (x,), (v,))[1] for x, v in zip(BATCH, TANGENTS, strict=True)]
    np.testing.assert_allclose(tangents, expected, rtol=1e-12)


def test_a_closure_over_the_traced_value() -> None:
    found = cv.jvp(lambda s: cv.vmap(lambda x: np.sin(s * x) @ MATRIX)(BATCH), (0.5,), (1.0,))[1]
    np.testing.assert_allclose(found, (np.cos(0.5 * BATCH) * BATCH) @ MATRIX, rtol=1e-12)


def test_the_mapped_axis_of_the_tangent_moves_with_the_primal() -> None:
    mapped = cv.vmap(lambda x: np.sum(x**2) * x, in_axes=1, out_axes=-1)
    outputs, tangents = cv.jvp(mapped, (BATCH.T,), (TANGENTS.T,))
    expected = [2.0 * (x @ v) * x + (x @ x) * v for x, v in zip(BATCH, TANGENTS, strict=True)]
    np.testing.assert_allclose(tangents.T, expected, rtol=1e-12)
    assert outputs.shape == (3, 4)


def test_only_one_of_two_mapped_arguments_has_a_tangent() -> None:
    found = cv.jvp(lambda x: cv.vmap(lambda a, b: a * np.sum(b))(x, BATCH), (np.arange(4.0),), (np.ones(4),))[1]
    np.testing.assert_allclose(found, BATCH.sum(axis=1))


def test_second_tangents() -> None:
    def along(r: Any) -> Any:
        return np.sum(cv.vmap(lambda x: np.sum(np.sin(x)))(BATCH + r * TANGENTS))

    second = cv.jvp(lambda r: cv.jvp(along, (r,), (1.0,))[1], (0.0,), (1.0,))[1]
    assert second == pytest.approx(-np.sum(np.sin(BATCH) * TANGENTS**2))
