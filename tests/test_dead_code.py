"""What no output needs is not computed, in loops and branches too; what is left computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.dead_code import without_dead_code
from covector.graph.graph import Graph, check
from covector.transforms.control.branching import Cond
from covector.transforms.control.looping import While
from covector.transforms.control.scanning import Scan
from covector.trees import flatten

X = np.linspace(0.2, 0.9, 4)


def reduced(function: Any, *args: Any) -> tuple[Graph, Any]:
    """The graph without dead code, and its only loop or branch; the outputs are what they were."""
    graph = cv.make_graph(function)(*args)
    found = check(without_dead_code(graph))
    for x, y in zip(*(flatten(g(*args))[0] for g in (found, graph)), strict=True):
        np.testing.assert_array_equal(x, y)
    (primitive,) = (e.primitive for e in found.equations if isinstance(e.primitive, (Scan, While, Cond)))
    return found, primitive


def test_a_carry_that_only_it_needs_is_dropped() -> None:
    def function(x: Any) -> Any:
        (kept, _), _ = cv.scan(lambda c, _: ((np.sin(c[0]), c[1] * c[0]), None), (x, x), None, 5)
        return kept

    _, scan = reduced(function, X)
    assert (scan.carries, len(scan.body.equations)) == (1, 1)


def test_a_carry_that_another_needs_stays() -> None:
    def function(x: Any) -> Any:
        (_, product), _ = cv.scan(lambda c, _: ((np.sin(c[0]), c[1] * c[0]), None), (x, x), None, 5)
        return product

    _, scan = reduced(function, X)
    assert scan.carries == 2


def test_a_chain_of_carries_is_followed() -> None:
    """The last is needed, which takes the one before it at each step, and so on; the first is not."""

    def function(x: Any) -> Any:
        carry, _ = cv.scan(lambda c, _: ((c[0] + 1, c[2] + 0, c[3] + 0, 2 * c[3]), None), (x, x, x, x), None, 6)
        return carry[1]

    _, scan = reduced(function, X)
    assert scan.carries == 3


def test_what_is_scanned_over_and_kept_is_dropped() -> None:
    def function(x: Any, used: Any, unused: Any) -> Any:
        def step(c: Any, xs: Any) -> Any:
            return c * xs[0], (c + xs[1], c - 1)

        carry, (_, differences) = cv.scan(step, x, (used, unused))
        return carry, differences

    graph, scan = reduced(function, 2.0, X, X + 1)
    assert (scan.scanned, len(scan.body.outputs)) == (1, 2)
    assert graph.inputs[2] not in {atom for e in graph.equations for atom in e.inputs}


def test_what_made_the_dropped_inputs_is_dropped() -> None:
    def function(x: Any) -> Any:
        carry, _ = cv.scan(lambda c, xs: ((c[0] * xs[0], c[1] + xs[1]), None), (1.0, 0.0), (x, np.exp(x)))
        return carry[0]

    graph, _ = reduced(function, X)
    assert [e.primitive.name for e in graph.equations] == ["scan"]


def test_a_constant_that_nothing_needs_is_dropped() -> None:
    def function(x: Any, scale: Any) -> Any:
        carry, _ = cv.scan(lambda c, _: ((c[0] * 2, c[1] * scale), None), (x, x), None, 4)
        return carry[0]

    _, scan = reduced(function, X, 3.0)
    assert scan.constants == 0


def test_what_a_loop_prints_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    def function(x: Any) -> Any:
        def step(c: Any, _: Any) -> Any:
            cv.debug_print("{}", c[1])
            return (c[0] * 2, c[1] + 1), None

        return cv.scan(step, (x, 0.0), None, 3)[0][0]

    graph = check(without_dead_code(cv.make_graph(function)(1.0)))
    capsys.readouterr()
    assert graph(1.0) == 8.0
    assert capsys.readouterr().out == "0.0\n1.0\n2.0\n"


def test_what_decides_when_a_loop_ends_is_needed() -> None:
    def function(x: Any) -> Any:
        _, kept, _ = cv.while_loop(lambda c: c[0] < 5, lambda c: (c[0] + 1, c[1] * 1.5, c[2] + c[1]), (0, x, x))
        return kept

    _, loop = reduced(function, X)
    assert loop.carries == 2


def test_branches_compute_what_is_needed() -> None:
    def function(x: Any, y: Any) -> Any:
        first, _ = cv.cond(x[0] > 0, lambda a, b: (a + 1, a * b), lambda a, b: (a - 1, b), x, y)
        return first

    graph, branch = reduced(function, X, X + 1)
    assert [len(b.equations) for b in branch.branches] == [1, 1]
    assert len(branch.branches[0].inputs) == 1
    assert graph.inputs[1] not in {atom for e in graph.equations for atom in e.inputs}


def test_nothing_is_copied_where_nothing_is_dead() -> None:
    graph = cv.make_graph(lambda x: cv.scan(lambda c, v: (c * v, c), 1.0, x))(X)
    assert without_dead_code(graph) is graph


def test_the_derivative_of_a_linear_loop_needs_one_loop() -> None:
    """A Hessian-vector product of a quadratic function: the trajectory of values does not matter."""

    def energy(u: Any) -> Any:
        for _ in range(40):
            u = u + 0.1 * (np.roll(u, 1) - 2 * u + np.roll(u, -1))
        return np.sum(u**2)

    u, v = np.random.default_rng(0).normal(size=(2, 20))
    product = cv.jit(lambda u, v: cv.jvp(cv.grad(energy), (u,), (v,))[1])
    scans = [e.primitive for e in product.lower(u, v).simplified.equations if isinstance(e.primitive, Scan)]
    assert [scan.carries for scan in scans] == [1, 1]
    np.testing.assert_allclose(product(u, v), cv.hessian(energy)(u) @ v, atol=1e-12)
