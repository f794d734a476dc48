"""Many cotangents pulled back at once, and pullbacks made inside a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

import covector as cv
from tests.functions import POINT, directions, each_vector


@each_vector
def test_the_rows_of_the_jacobian(function: Any) -> None:
    value, pullback = cv.vjp(function, POINT)
    (rows,) = cv.vmap(pullback)(np.eye(value.size))
    np.testing.assert_allclose(rows, cv.jacrev(function)(POINT), rtol=1e-12)


@each_vector
def test_a_pullback_made_inside_the_batch(function: Any) -> None:
    xs = np.stack(directions(4))
    cotangent = np.cos(np.arange(function(POINT).size))

    def pulled(x: Any) -> Any:
        return cv.vjp(function, x)[1](cotangent)[0]

    np.testing.assert_allclose(cv.vmap(pulled)(xs), [pulled(x) for x in xs], rtol=1e-12)


@each_vector
def test_points_and_cotangents_mapped_together(function: Any) -> None:
    xs = np.stack(directions(4))
    cotangents = np.random.default_rng(0).standard_normal((4, function(POINT).size))

    def pulled(x: Any, w: Any) -> Any:
        return cv.vjp(function, x)[1](w)[0]

    expected = [pulled(x, w) for x, w in zip(xs, cotangents, strict=True)]
    np.testing.assert_allclose(cv.vmap(pulled)(xs, cotangents), expected, rtol=1e-12)


def test_cotangents_mapped_at_one_point() -> None:
    """The tape is recorded once, outside, and replayed for the batch."""
    calls = 0

    def function(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return np.sin(x)

    _, pullback = cv.vjp(function, POINT)
    found = cv.vmap(lambda w: pullback(w)[0])(np.eye(3))
    np.testing.assert_allclose(found, np.diag(np.cos(POINT)))
    assert calls == 1
