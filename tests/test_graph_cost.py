"""Graph.cost: hand counts, counts of textbook algorithms, and memory that is measured."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.primitive import as_tuple
from covector.core.types import typeof
from covector.graph.cost import Cost, OperationCost
from covector.graph.graph import Graph, Variable, value_of
from covector.interpreters.staging import record_flat
from tests.collection import catalogue


def cost_of(function: Any, *args: Any) -> Cost:
    return cv.make_graph(function)(*args).cost()


class TestHandCounts:
    def test_elementwise(self) -> None:
        found = cost_of(lambda x: np.sin(x) * x + 1.0, np.ones(1000, np.float32))
        assert found.by_operation["sin"] == OperationCost(1, 1000, 4000, 4000)
        assert found.by_operation["multiply"] == OperationCost(1, 1000, 8000, 4000)
        assert found.total == OperationCost(3, 3000, 16_000, 12_000)

    def test_broadcasting_counts_the_entries_of_the_output(self) -> None:
        found = cost_of(np.add, np.ones((10, 1)), np.ones(7))
        assert found.total == OperationCost(1, 70, 80 + 56, 560)

    @pytest.mark.parametrize(
        ("function", "shapes", "operations"),
        [
            (np.dot, [(5,), (5,)], 2 * 5 - 1),
            (np.matmul, [(4, 5), (5,)], 4 * (2 * 5 - 1)),
            (np.matmul, [(3, 4), (4, 5)], 3 * 5 * (2 * 4 - 1)),
            (np.matmul, [(2, 3, 4), (2, 4, 5)], 2 * 3 * 5 * (2 * 4 - 1)),
            (np.outer, [(3,), (4,)], 12),
            (np.sum, [(6, 7)], 41),
            (lambda x: np.sum(x, axis=0), [(6, 7)], 7 * 5),
            (np.max, [(9,)], 8),
            (np.prod, [(9,)], 8),
            (np.cumsum, [(9,)], 9),
            (np.mean, [(8,)], 7 + 1),
            (lambda x: x.reshape(6, 2).T[1:, ::-1], [(3, 4)], 0),
            (lambda x: np.concatenate([x, x]), [(5,)], 0),
        ],
    )
    def test_operations(self, function: Any, shapes: Any, operations: int) -> None:
        assert cost_of(function, *(np.ones(shape) for shape in shapes)).operations == operations

    def test_views_move_nothing(self) -> None:
        found = cost_of(lambda x: np.swapaxes(x.reshape(4, 3), 0, 1)[1:], np.ones(12))
        assert (found.bytes_read, found.bytes_written, found.peak_bytes) == (0, 0, 96)

    def test_peak_memory_with_arrays_freed_after_their_last_use(self) -> None:
        array = 8 * 1000

        def peak(function: Any) -> float:
            found = cost_of(function, np.ones(1000))
            assert found.resident_bytes == array
            return (found.peak_bytes - array) / array

        assert peak(np.sin) == 1
        assert peak(lambda x: np.sin(np.cos(np.exp(np.tan(x))))) == 2
        assert peak(lambda x: (np.sin(x), np.cos(x), np.exp(x))) == 3

        def late(x: Any) -> Any:
            y = np.sin(x)
            return np.tan(np.cos(np.exp(y))) + y.reshape(10, 100).reshape(1000)

        assert peak(late) == 3

    def test_constants_are_resident(self) -> None:
        weights = np.ones((30, 20))
        found = cost_of(lambda x: weights @ x, np.ones(20))
        assert found.resident_bytes == 8 * 620
        assert found.peak_bytes == 8 * 650


class TestNested:
    def test_a_scan_counts_its_steps(self) -> None:
        def function(x: Any) -> Any:
            return cv.scan(lambda carry, a: (np.sin(carry) * a, None), x, np.ones(100))[0]

        found = cost_of(function, np.float64(1.0))
        assert found.by_operation["sin"] == OperationCost(100, 100, 800, 800)
        assert found.operations == 200

    def test_its_derivative_is_a_scan_too(self) -> None:
        def function(x: Any) -> Any:
            return cv.scan(lambda carry, a: (np.sin(carry) * a, None), x, np.ones(100))[0]

        found = cost_of(cv.grad(function), np.float64(1.0))
        assert found.by_operation["cos"].operations == 100
        assert found.by_operation["sin"].operations in (100, 200)

    def test_scans_of_scans(self) -> None:
        def inner(carry: Any, _: Any) -> Any:
            return cv.scan(lambda c, _: (np.sin(c), None), carry, None, 7)[0], None

        assert cost_of(lambda x: cv.scan(inner, x, None, 5)[0], np.float64(1.0)).operations == 35

    def test_a_choice_counts_its_dearest_branch(self) -> None:
        def function(x: Any) -> Any:
            return cv.cond(x > 0.0, np.sin, lambda x: np.exp(np.cos(x)), x)

        found = cost_of(function, np.float64(1.0))
        assert set(found.by_operation) == {"greater", "cos", "exp"}

    def test_a_while_loop_counts_one_step(self) -> None:
        found = cost_of(lambda x: cv.while_loop(lambda c: c < 9.0, lambda c: c * 2.0, x), np.float64(1.0))
        assert {name: each.operations for name, each in found.by_operation.items()} == {"less": 1, "multiply": 1}

    def test_checkpoint_counts_what_it_repeats(self) -> None:
        def function(x: Any) -> Any:
            return np.sin(np.sin(x))

        once, again = cost_of(cv.grad(function), 1.0), cost_of(cv.grad(cv.checkpoint(function)), 1.0)
        assert again.by_operation["sin"].operations == 2 * once.by_operation["sin"].operations

    def test_memory_inside_a_loop_is_part_of_the_peak(self) -> None:
        def function(x: Any) -> Any:
            return cv.scan(lambda c, _: (np.sum(np.outer(c, c), axis=0), None), x, None, 3)[0]

        assert cost_of(function, np.ones(50)).peak_bytes > 8 * 50 * 50


# --- against measurements and textbook algorithms -----------------------------------------------------


def run_with_frees(graph: Graph, inputs: Sequence[Any]) -> list[Any]:
    """The outputs, every array freed after its last use."""
    last = {a: i for i, e in enumerate(graph.equations) for a in e.inputs if isinstance(a, Variable)}
    values: dict[Variable, Any] = dict(graph.constants) | dict(zip(graph.inputs, inputs, strict=True))
    for i, equation in enumerate(graph.equations):
        found = as_tuple(equation.primitive(*(value_of(a, values) for a in equation.inputs)))
        values.update(zip(equation.outputs, found, strict=True))
        del found
        for atom in {a for a in (*equation.inputs, *equation.outputs) if isinstance(a, Variable)}:
            if last.get(atom, i) == i and atom not in graph.inputs and atom not in graph.outputs:
                del values[atom]
    return [value_of(a, values) for a in graph.outputs]


def test_the_peak_is_what_memory_tracing_measures() -> None:
    def chain(x: Any) -> Any:
        y = np.sin(x)
        for _ in range(4):
            y = np.exp(-(y**2)) + x
        return np.sum(y * x.reshape(-1)[::-1])

    for function in (chain, cv.grad(chain), lambda x: cv.jvp(chain, (x,), (x,))):
        x = np.linspace(0.0, 1.0, 100_000)
        graph = cv.make_graph(function)(x)
        cost = graph.cost()
        tracemalloc.start()
        run_with_frees(graph, [x])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert cost.peak_bytes - cost.resident_bytes == pytest.approx(peak, rel=0.02)


def cholesky_operations(n: int) -> int:
    """Those of the algorithm that subtracts products, column by column."""
    count = 0
    for j in range(n):
        count += 2 * j + 1  # the root of the diagonal entry less its squares
        count += (n - j - 1) * (2 * j + 1)
    return count


def elimination_operations(n: int, columns: int) -> int:
    """Those of Gaussian elimination and of solving with the factors."""
    count = sum((n - k - 1) * (1 + 2 * (n - k - 1)) for k in range(n))
    return count + columns * sum(2 * k for k in range(n)) + columns * sum(2 * k + 1 for k in range(n))


def test_linear_algebra_against_textbook_loops() -> None:
    n = 200
    matrix = np.eye(n)
    assert cost_of(np.linalg.cholesky, matrix).operations == pytest.approx(cholesky_operations(n), rel=0.03)
    for columns in (1, 30):
        found = cost_of(np.linalg.solve, matrix, np.ones((n, columns))).operations
        assert found == pytest.approx(elimination_operations(n, columns), rel=0.03)
    assert cost_of(np.linalg.det, matrix).operations == pytest.approx(elimination_operations(n, 0), rel=0.03)


def test_a_reverse_mode_gradient_costs_a_few_evaluations() -> None:
    """A. Griewank, A. Walther (2008), section 3.3: at most 4 or 5 times the operations of the function."""
    weights = np.ones((50, 50))

    def network(x: Any) -> Any:
        return np.sum(np.tanh(weights @ np.tanh(weights @ x)) ** 2)

    x = np.ones(50)
    assert 1.0 < cost_of(cv.grad(network), x).operations / cost_of(network, x).operations < 5.0


@pytest.mark.parametrize("instance", catalogue(), ids=repr)
def test_every_operation_has_a_cost(instance: Any) -> None:
    def function(*inputs: Any) -> Any:
        return list(as_tuple(instance.primitive(*inputs)))

    found = record_flat(function, [typeof(x) for x in instance.inputs], "the catalogue").cost()
    assert found.operations >= 0
    assert found.peak_bytes >= found.resident_bytes
    assert all(isinstance(n, int) for n in (found.operations, found.bytes_read, found.bytes_written))


def test_it_prints_as_a_table() -> None:
    found = cost_of(lambda x: np.sum(np.sin(x)), np.ones(1000))
    rows = [line.split() for line in str(found).splitlines()]
    assert ["sin", "1", "1,000", "8,000", "8,000"] in rows
    assert ["total", "2", "1,999", "16,000", "8,008"] in rows
    assert len({len(line) for line in str(found).splitlines()[:-1]}) == 1
    assert "<td>1,999</td>" in found._repr_html_()
    assert cv.make_graph(lambda x: x)(1.0).cost().total == OperationCost()
