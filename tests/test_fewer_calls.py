"""Products with joined vectors, gates side by side: fewer calls in a step, the same values and derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.neighbours import with_neighbours_joined
from covector.graph.graph import check
from covector.transforms.control.fewer_calls import with_fewer_calls, with_products_of_joins

RNG = np.random.default_rng(3)
XS = RNG.normal(size=(30, 3))
STATE = RNG.normal(size=4)


def sigmoid(x: Any) -> Any:
    """From 0 to 1."""
    return 1.0 / (1.0 + np.exp(-x))


def lstm(w: Any, h: Any, x: Any) -> Any:
    """Four gates, slices of one product."""
    z = np.concatenate([x, h]) @ w[:, :16]
    return sigmoid(z[:4]) * np.tanh(z[12:]) + sigmoid(z[4:8]) * h * sigmoid(z[8:12])


def gru(w: Any, h: Any, x: Any) -> Any:
    """Two gates, products with one vector, and a third with another."""
    joined = np.concatenate([x, h])
    update, reset = sigmoid(w[:, :4].T @ joined), sigmoid(w[:, 4:8].T @ joined)
    return (1 - update) * h + update * np.tanh(w[:, 8:12].T @ np.concatenate([x, reset * h]))


def state_in_front(w: Any, h: Any, x: Any) -> Any:
    """The part that waits is the first; what is ready consists of two."""
    return np.tanh(np.concatenate([h, x, x[:1] * 2]) @ np.concatenate([w, w[:1]])[:, :4])


def state_in_the_middle(w: Any, h: Any, x: Any) -> Any:
    """Which stays as it is."""
    return np.tanh(np.concatenate([x[:2], h, x[2:]]) @ w[:, :4])


def several_matrices(w: Any, h: Any, x: Any) -> Any:
    """Products of one vector from both sides, with matrices of other widths, one of which changes from step to step."""
    u, v, s = w[:4, :4], w[:4, 4:10], np.outer(x, h)
    return np.tanh(h @ u + u @ h + np.sum(h @ v) * 0.1 + x @ s * 0.1) + v[:, :4] @ h


def matrices_of_states(w: Any, h: Any, x: Any) -> Any:
    """A join along the second axis."""
    joined = np.concatenate([np.outer(h, h), np.outer(h, x)], axis=1)
    return np.tanh(joined @ w[:, 0] + joined @ w[:, 1])


def neighbours_of_unequal_kinds(w: Any, h: Any, x: Any) -> Any:
    """Slices that overlap, that leave gaps, and with other functions and numbers."""
    z = h @ w[:4]
    a, b, c = np.exp(-z[:4]), np.exp(-z[4:8]), np.exp(-z[9:13])
    d, e = 2.0 * np.tanh(z[2:6]), 3.0 * np.tanh(z[6:10])
    return np.tanh(a - b + 0.1 * c + d * e + h + np.sum(x)) / (1 + a[0] ** 2)


CELLS = [
    lstm, gru, state_in_front, state_in_the_middle, several_matrices, matrices_of_states, neighbours_of_unequal_kinds
]  # fmt: skip
Cell = Callable[[Any, Any, Any], Any]
WEIGHTS = RNG.normal(size=(7, 16)) * 0.4


def scanned(cell: Cell, w: Any, h: Any, xs: Any) -> Any:
    """The states, as one number."""
    return np.sum(np.sin(cv.scan(lambda c, x: (cell(w, c, x),) * 2, h, xs)[1]))


def looped(cell: Cell, w: Any, h: Any, xs: Any) -> Any:
    """The same in Python."""
    total = 0.0
    for x in xs:
        h = cell(w, h, x)
        total = total + np.sum(np.sin(h))
    return total


@pytest.mark.parametrize("cell", CELLS)
class TestCells:
    def test_values(self, cell: Cell) -> None:
        compiled = cv.jit(lambda *args: scanned(cell, *args))
        for _ in range(2):
            np.testing.assert_allclose(compiled(WEIGHTS, STATE, XS), looped(cell, WEIGHTS, STATE, XS), rtol=1e-11)

    def test_gradients(self, cell: Cell) -> None:
        compiled = cv.jit(cv.grad(lambda *args: scanned(cell, *args), (0, 1, 2)))
        expected = cv.grad(lambda *args: looped(cell, *args), (0, 1, 2))(WEIGHTS, STATE, XS)
        compiled(WEIGHTS, STATE, XS)
        for found, right in zip(compiled(WEIGHTS, STATE, XS), expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-11)

    def test_loops_in_python(self, cell: Cell) -> None:
        compiled = cv.jit(cv.grad(lambda *args: looped(cell, *args)))
        compiled(WEIGHTS, STATE, XS)
        expected = cv.grad(lambda *args: looped(cell, *args))(WEIGHTS, STATE, XS)
        np.testing.assert_allclose(compiled(WEIGHTS, STATE, XS), expected, rtol=1e-9, atol=1e-11)

    def test_products_with_hessians(self, cell: Cell) -> None:
        def product(function: Any) -> Any:
            return lambda h, v: cv.jvp(cv.grad(lambda c: function(cell, WEIGHTS, c, XS)), (h,), (v,))[1]

        direction = RNG.normal(size=4)
        compiled = cv.jit(product(scanned))
        compiled(STATE, direction)
        np.testing.assert_allclose(
            compiled(STATE, direction), product(looped)(STATE, direction), rtol=1e-8, atol=1e-10
        )

    def test_batches(self, cell: Cell) -> None:
        states = np.stack([STATE, -STATE, 2 * STATE])
        compiled = cv.jit(cv.vmap(lambda h: scanned(cell, WEIGHTS, h, XS)))
        compiled(states)
        expected = [looped(cell, WEIGHTS, h, XS) for h in states]
        np.testing.assert_allclose(compiled(states), expected, rtol=1e-11)

    def test_steps_that_are_rearranged_compute_the_same(self, cell: Cell) -> None:
        body = check(cv.make_graph(lambda w, h, x: (cell(w, h, x), h * 2))(WEIGHTS, STATE, XS[0]))
        rearranged = check(with_products_of_joins(check(with_fewer_calls(body, 1, 1)), 1, 1))
        for found, right in zip(rearranged(WEIGHTS, STATE, XS[0]), body(WEIGHTS, STATE, XS[0]), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-12)


def calls_in_loops(source: str) -> list[int]:
    """How many statements the loops of the first function have."""
    counts: list[int] = []
    inside = False
    for line in source.split("\n\n\n")[0].splitlines():
        if line.lstrip().startswith("for "):
            inside, indent = True, len(line) - len(line.lstrip())
            counts.append(0)
        elif inside and len(line) - len(line.lstrip()) > indent:
            counts[-1] += not line.lstrip().startswith(("del ", "carry_"))
        else:
            inside = False
    return counts


def test_the_gates_of_an_lstm_are_computed_together() -> None:
    source = cv.jit(cv.grad(lambda *args: scanned(lstm, *args))).source(WEIGHTS, STATE, XS)
    forward, backward = calls_in_loops(source)
    assert forward <= 20
    assert backward <= 10
    assert source.split("\n\n\n")[0].count("np.exp(") <= 2


def test_one_product_for_one_vector() -> None:
    forward, _ = calls_in_loops(
        cv.jit(cv.grad(lambda *args: scanned(gru, *args))).source(WEIGHTS, STATE, XS)
    )
    assert forward <= 19


@pytest.mark.parametrize("seed", range(60))
def test_random_functions_of_slices(seed: int) -> None:
    """What is joined computes the same, whatever is sliced, and is well typed."""
    rng = np.random.default_rng(seed)

    def function(x: Any, y: Any) -> Any:
        pool: list[Any] = []
        width = 12 // int(rng.choice([2, 3, 4]))
        for _ in range(int(rng.integers(3, 9))):
            start = int(rng.integers(0, 3)) * width + int(rng.random() < 0.2)
            pool += [z[..., start : start + width] for z in (x, y)]
        for _ in range(14):
            kind, a, b = rng.integers(0, 5), *(pool[i] for i in rng.integers(0, len(pool), 2))
            if kind == 0:
                pool.append(np.tanh(a))
            elif kind == 1:
                pool.append(a * float(rng.integers(1, 3)))
            elif a.shape == b.shape:
                pool.append(a + b if kind == 2 else a * b)
            else:
                pool.append(np.sum(a) * b)
        return [np.sum(z) for z in pool], pool[-1]

    x, y = rng.normal(size=(2, *((12,) if seed % 2 else (2, 14)))) * 0.5
    rng = np.random.default_rng(seed)
    graph = cv.make_graph(function)(x, y)
    joined = check(with_neighbours_joined(graph))
    (sums, last), (expected, right) = joined(x, y), graph(x, y)
    np.testing.assert_allclose(sums, expected, rtol=1e-13)
    np.testing.assert_array_equal(last, right)


def test_neighbours_of_large_arrays_stay_apart() -> None:
    graph = cv.make_graph(lambda x: np.sin(x[:5000]) + np.sin(x[5000:]))(np.ones(10_000))
    assert with_neighbours_joined(graph) is graph
