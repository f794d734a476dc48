"""What scales an array is multiplied, or added, before it meets the array, and the results stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.compile.algebra import with_terms_combined
from covector.compile.lowering import lowered
from covector.compile.plain import plain
from covector.compile.scalings import with_scalings_gathered
from covector.graph.graph import Graph, check
from covector.ops.arithmetic import Add, Multiply, Subtract

Function = Callable[..., Any]


def array(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).uniform(0.5, 2.0, size=shape)


X, ROW, OTHER, COLUMN = array(0, 6, 4), array(1, 4), array(2, 4), array(3, 6, 1)
NUMBER = np.float64(1.7)


def large(graph: Graph, size: int = 24) -> int:
    """How many products and sums are of so many entries, which are as many as X has."""
    of_interest = (e for e in graph.equations if isinstance(e.primitive, (Multiply, Add, Subtract)))
    return sum(e.outputs[0].type.size == size for e in of_interest)


def gathered(function: Function, *arguments: Any) -> tuple[int, int]:
    """Checks that the outputs stay what they are; the large operations before and after."""
    graph = cv.make_graph(function)(*arguments)
    after = check(with_scalings_gathered(graph))
    for found, expected in zip(after(*arguments), graph(*arguments), strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-5 if found.dtype == np.float32 else 1e-13)
    return large(graph), large(after)


GATHERED: dict[str, tuple[Function, tuple[Any, ...], int]] = {
    "rows": (lambda x, v, w: x * v * w, (X, ROW, OTHER), 2),
    "rows from the left": (lambda x, v, w: w * (v * x), (X, ROW, OTHER), 2),
    "columns": (lambda x, v: x * v * v * v, (X, COLUMN), 3),
    "a number of a row": (lambda x, v: x * v * 3.0, (X, ROW), 2),
    "a row of a number": (lambda x, v, s: x * s * v, (X, ROW, NUMBER), 2),
    "a repeated row": (lambda x, v, w: x * np.broadcast_to(v, X.shape) * w, (X, ROW, OTHER), 2),
    "a sum": (lambda x, v, w: x * v + w * x, (X, ROW, OTHER), 3),
    "a difference": (lambda x, v, w: x * v - x * w * 2.0, (X, ROW, OTHER), 4),
    "of single precision": (lambda x, v: x * v * v * 2.0, (X.astype(np.float32), ROW.astype(np.float32)), 3),
}


@pytest.mark.parametrize("name", GATHERED)
def test_scalings_are_gathered(name: str) -> None:
    function, arguments, before = GATHERED[name]
    assert gathered(function, *arguments) == (before, 1)


KEPT: dict[str, tuple[Function, tuple[Any, ...]]] = {
    "a row and a column, which are as many factors": (lambda x, v, w: x * v * w, (X, ROW, COLUMN)),
    "what is used twice": (lambda x, v, w: (y := x * v, y * w), (X, ROW, OTHER)),
    "a sum of two arrays": (lambda x, v, w: x * v + np.sin(x) * w, (X, ROW, OTHER)),
    "a sum with a row": (lambda x, v, w: x * v + w, (X, ROW, OTHER)),
    "a number alone": (lambda x: x * 2.0 * 3.0, (X,)),
    "integers": (lambda x, v: x * v * v, (np.arange(24).reshape(6, 4), np.arange(4))),
    "of two precisions": (lambda x, v, w: x * v * w, (X, ROW.astype(np.float32), OTHER.astype(np.float32))),
    "of a wider result": (lambda x, v, w: x * v * w, (X.astype(np.float32), ROW, OTHER)),
}


@pytest.mark.parametrize("name", KEPT)
def test_others_stay(name: str) -> None:
    function, arguments = KEPT[name]
    before, after = gathered(function, *arguments)
    assert before == after


def test_the_hessian_of_a_regression_scales_its_data_once() -> None:
    rows, labels = array(4, 30, 5), (array(5, 30) > 1.2).astype(float)

    def loss(weights: Any) -> Any:
        score = rows @ weights
        return np.mean(np.maximum(score, 0.0) + np.log1p(np.exp(-np.abs(score))) - labels * score)

    fast, weights = cv.jit(cv.hessian(loss)), array(6, 5) - 1.0
    probability = 1.0 / (1.0 + np.exp(-rows @ weights))
    expected = (rows.T * (probability * (1.0 - probability) / 30)) @ rows
    for _ in range(2):
        np.testing.assert_allclose(fast(weights), expected, rtol=1e-10)
    graph = lowered(with_terms_combined(plain(fast.lower(weights).simplified)), combined=True)
    assert large(graph, rows.size) == 1


@given(st.lists(st.tuples(st.sampled_from("*+-~"), st.integers(0, 5)), min_size=1, max_size=8))
def test_random_chains_stay_what_they_are(steps: list[tuple[str, int]]) -> None:
    def function(x: Any, *scalings: Any) -> Any:
        values = [x, x * scalings[0]]
        for step, which in steps:
            scaled = values[-1] * scalings[which]
            if step == "*":
                values.append(scaled)
            elif step == "~":
                values.append(values[which % len(values)] * scalings[-1 - which])
            else:
                other = values[which % len(values)]
                values.append(scaled + other if step == "+" else scaled - 0.5 * other)
        return values[-1], values[len(values) // 2]

    arguments = (X, ROW, COLUMN, OTHER, NUMBER, array(7, 1, 1), array(8, 6, 4))
    graph = cv.make_graph(function)(*arguments)
    after = check(with_scalings_gathered(graph))
    for found, expected in zip(after(*arguments), graph(*arguments), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
