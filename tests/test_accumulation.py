"""Cotangents that meet: values used many times, as wholes, as parts and as views, and outputs that share values.

Reverse mode adds cotangents up, in place where it owns the buffer; these programs are made of little else.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import covector as cv
from tests.functions import POINT

SIZE = 4
WEIGHTS = np.array([0.5, -1.0, 2.0, 1.5])
INDICES = np.array([3, 0, 0, 2])

STEPS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x + x,
    lambda x, y: x * y,
    lambda x, y: x * x,
    lambda x, y: -x,
    lambda x, y: +x,
    lambda x, y: x * 2.0,
    lambda x, y: x * WEIGHTS,
    lambda x, y: x[::-1],
    lambda x, y: x[INDICES],
    lambda x, y: np.concatenate([x[:2], y[2:]]),
    lambda x, y: np.concatenate([y[3:], x[1:3], x[:1]]),
    lambda x, y: np.stack([x[0], y[1], x[0], x[3]]),
    lambda x, y: np.array([x[0], 1.0, y[2], x[2] * y[0]]),
    lambda x, y: np.reshape(np.reshape(x, (2, 2)).T, 4),
    lambda x, y: np.broadcast_to(x, (3, 4)).sum(axis=0),
    lambda x, y: np.sum(np.stack([x, y, x]), axis=0),
    lambda x, y: np.where(WEIGHTS > 1.0, x, y),
    lambda x, y: x.at[1].set(y[0]),
    lambda x, y: x.at[INDICES].add(y),
    lambda x, y: x.at[1:3].multiply(2.0),
    lambda x, y: np.cumsum(x),
    lambda x, y: np.sin(x),
    lambda x, y: np.dot(x, y) * x,
    lambda x, y: x + y[0],
    lambda x, y: np.tile(x[:2], 2) + np.repeat(y[2:], 2),
    lambda x, y: sum(x) * y,
    lambda x, y: np.roll(x, 1) + np.flip(y),
    lambda x, y: np.outer(x, y)[1],
    lambda x, y: x,
]


@st.composite
def shared_programs(draw: st.DrawFn) -> Callable[..., tuple[Any, ...]]:
    """A function of two vectors to three of the values it computes, often the same ones."""
    steps = draw(
        st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=10)
    )
    outputs = draw(st.lists(st.integers(0, 3), min_size=3, max_size=3))

    def function(x: Any, y: Any) -> tuple[Any, ...]:
        values = [x, y]
        for step, first, second in steps:
            values.append(step(values[first % len(values)], values[second % len(values)]))
        return tuple(values[-1 - number % len(values)] for number in outputs)

    return function


@given(shared_programs())
@settings(max_examples=150)
def test_cotangents_add_up(function: Callable[..., tuple[Any, ...]]) -> None:
    x, y = np.array([0.3, -0.8, 1.2, 0.6]), np.array([1.1, 0.4, -0.7, 0.2])
    rows = cv.jacfwd(lambda x, y: np.concatenate(function(x, y)), (0, 1))(x, y)
    values, pullback = cv.vjp(function, x, y)
    shared = np.linspace(-1.0, 1.0, SIZE)
    cotangents = (shared, WEIGHTS.copy(), shared)  # one array for two outputs
    expected = [np.concatenate(cotangents) @ row for row in rows]
    for _ in range(2):
        found = pullback(cotangents)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(cotangents, (np.linspace(-1.0, 1.0, SIZE), WEIGHTS, shared))
        for first, second in combinations([*found, *cotangents, x, y, *values], 2):
            assert not np.shares_memory(first, second) or first is second
        for result in found:
            result[...] = 1e6
    gradients = cv.grad(
        lambda x, y: sum(np.sum(v * w) for v, w in zip(function(x, y), cotangents, strict=True)), (0, 1)
    )(x, y)
    np.testing.assert_allclose(gradients, expected, rtol=1e-10, atol=1e-10)


def test_one_value_as_several_outputs() -> None:
    _, pullback = cv.vjp(lambda x: (x, x, x * 2.0, x), POINT)
    w = np.ones(3)
    np.testing.assert_array_equal(pullback((w, w, w, w))[0], np.full(3, 5.0))
    np.testing.assert_array_equal(w, np.ones(3))


def test_an_input_used_in_every_position() -> None:
    _, pullback = cv.vjp(lambda x: np.stack([x] * 5).sum(axis=0) + x + x[::-1][::-1], POINT)
    np.testing.assert_array_equal(pullback(np.ones(3))[0], np.full(3, 7.0))


def test_reading_every_entry_of_a_long_array_costs_linear_memory() -> None:
    """Each read adds one entry to one buffer, not an array of its own."""
    found = cv.grad(lambda x: sum(x[i] * i for i in range(len(x))))(np.zeros(3_000))
    np.testing.assert_array_equal(found, np.arange(3_000.0))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_mixed_dtypes_meet(dtype: Any) -> None:
    x = POINT.astype(dtype)
    found = cv.grad(lambda x: np.real(np.sum(x * 2.0 + x.astype(np.complex128) * 1j + x * POINT)))(x)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, (2.0 + (1j if dtype is np.complex128 else 0.0) + POINT).astype(dtype), rtol=1e-6)
