"""A Python loop is recorded step by step, compiled as a loop, and computes what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.graph.graph import Graph, check
from covector.transforms.control import repetition, rolling
from covector.transforms.control.rolling import rolled
from covector.transforms.control.scanning import Scan

RNG = np.random.default_rng(0)


# --- plain Python loops -----------------------------------------------------------------------------------


def forced(x: Any) -> Any:
    """A force that depends on the number of the step."""
    y = 0.0
    for i in range(300):
        t = i * 0.01
        y = y + 0.01 * (np.sin(t * x) - y * np.cos(t))
    return y


def two_steps_back(x: Any) -> Any:
    """Verlet's method, which takes the last two positions."""
    before, now = x, x * 1.01
    for _ in range(300):
        before, now = now, 2 * now - before - 0.001 * np.sin(now)
    return now


def loops_in_loops(x: Any) -> Any:
    """A loop of loops."""
    total = x
    for _ in range(12):
        for _ in range(90):
            total = total + 0.01 * np.sin(total * x)
        total = total * 0.5 + x
    return total


def lotka_volterra(prey: Any, predators: Any, growth: Any) -> Any:
    """Runge and Kutta's method on two numbers."""

    def change(x: Any, y: Any) -> tuple[Any, Any]:
        return growth * x - 0.4 * x * y, 0.1 * x * y - 0.4 * y

    x, y = prey, predators
    for _ in range(60):
        a, b = change(x, y)
        c, d = change(x + 0.05 * a, y + 0.05 * b)
        x, y = x + 0.1 * c, y + 0.1 * d
    return x + y


def layers(*args: Any) -> Any:
    """A network with a matrix for each of its layers."""
    *weights, x = args
    for weight in weights:
        x = np.tanh(x @ weight)
    return np.sum(x)


def recurrent(weights: Any, inputs: Any, start: Any) -> Any:
    """A network that reads the rows of an array."""
    state = start
    for t in range(len(inputs)):
        state = np.tanh(state @ weights + inputs[t])
    return np.sum(state * state)


def trajectory(x: Any) -> Any:
    """All positions, and not just the last one."""
    positions = []
    for _ in range(200):
        x = x + 0.01 * np.cos(x) * x
        positions.append(x)
    return np.sum(np.stack(positions) ** 2)


def later_positions(x: Any) -> Any:
    """The positions after the first hundred steps."""
    positions = [x]
    for _ in range(300):
        positions.append(3.1 * positions[-1] * (1 - positions[-1]))
    return np.mean(np.stack(positions[100:]))


def horner(coefficients: Any, x: Any) -> Any:
    """A polynomial, from the first coefficient on."""
    y = np.zeros_like(x)
    for i in range(300):
        y = y * x + coefficients[i]
    return np.sum(y)


def horner_from_the_end(coefficients: Any, x: Any) -> Any:
    """A polynomial, from the last coefficient on."""
    y = np.zeros_like(x)
    for i in range(300):
        y = y * x + coefficients[-1 - i]
    return np.sum(y)


def one_after_the_other(x: Any, y: Any) -> Any:
    """Three loops, of which the last takes what the others made."""
    for _ in range(200):
        x = x + 0.01 * np.sin(x)
    for _ in range(200):
        y = y + 0.01 * np.sin(y)
    for _ in range(200):
        x = x + 0.01 * np.sin(x * y)
    return x * y


def single_precision(x: Any) -> Any:
    """Numbers of Python's that adapt to single precision."""
    for _ in range(200):
        x = x * 1.001 + np.float32(0.1) * np.sin(x)
    return np.sum(x)


def matrices(a: Any) -> Any:
    """A gradient flow towards orthogonal matrices."""
    for _ in range(120):
        a = a - 0.01 * (a @ a.T - np.eye(3)) @ a
    return np.sum(a)


def heat(u: Any) -> Any:
    """The heat equation with fixed ends."""
    for _ in range(150):
        u = np.concatenate([u[:1], u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]), u[-1:]])
    return np.sum(u * u)


def complex_numbers(x: Any) -> Any:
    """Complex numbers within."""
    z = x + 0j
    for _ in range(150):
        z = z * z * 0.3 + (0.1 + 0.2j) * x
    return np.abs(z) ** 2


def kalman(observed: Any, drift: Any, noise: Any) -> Any:
    """The likelihood of a random walk."""
    mean, variance, likelihood = 0.0, 1.0, 0.0
    for t in range(len(observed)):
        variance = variance + drift
        total = variance + noise
        gain, error = variance / total, observed[t] - mean
        likelihood = likelihood - 0.5 * (np.log(2 * np.pi * total) + error * error / total)
        mean, variance = mean + gain * error, (1 - gain) * variance
    return likelihood


def elements_twice(x: Any) -> Any:
    """Elements that are used more than once, and one that is used in all steps."""
    total = 0.0
    for i in range(140):
        total = total + x[i] * x[i] * np.sin(x[i]) + x[0]
    return total


def largest(x: Any) -> Any:
    """A maximum with ties to come."""
    for _ in range(200):
        x = np.maximum(x * 0.99, 0.1 * np.roll(x, 1))
    return np.sum(x)


def now_and_then(x: Any) -> Any:
    """Positions from the middle of a loop."""
    total, y = 0.0, x
    for i in range(400):
        y = np.sin(y) + 0.01 * x
        if i in (3, 200, 398):
            total = total + y
    return total + y


MATRICES = [RNG.normal(size=(3, 3)) * 0.5 for _ in range(260)]

PROGRAMS: list[tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]]] = [
    (forced, (0.7,), (0,)),
    (two_steps_back, (0.7,), (0,)),
    (loops_in_loops, (0.7,), (0,)),
    (lotka_volterra, (1.0, 0.5, 1.1), (0, 1, 2)),
    (layers, (*MATRICES, RNG.normal(size=3)), (0, 5, 259, 260)),
    (recurrent, (RNG.normal(size=(4, 4)) * 0.3, RNG.normal(size=(180, 4)), np.zeros(4)), (0, 1, 2)),
    (trajectory, (0.4,), (0,)),
    (later_positions, (0.3,), (0,)),
    (horner, (RNG.normal(size=300), RNG.uniform(-0.9, 0.9, 5)), (0, 1)),
    (horner_from_the_end, (RNG.normal(size=300), RNG.uniform(-0.9, 0.9, 5)), (0, 1)),
    (one_after_the_other, (0.3, 0.4), (0, 1)),
    (single_precision, (RNG.normal(size=6).astype(np.float32),), (0,)),
    (matrices, (np.eye(3) + RNG.normal(size=(3, 3)) * 0.1,), (0,)),
    (heat, (RNG.normal(size=20),), (0,)),
    (complex_numbers, (0.3,), (0,)),
    (kalman, (RNG.normal(size=150), 0.1, 0.2), (0, 1, 2)),
    (elements_twice, (RNG.normal(size=140),), (0,)),
    (largest, (RNG.uniform(size=9),), (0,)),
    (now_and_then, (0.3,), (0,)),
]


def loops(graph: Graph) -> int:
    """How many loops a graph has, those in loops not counted."""
    return sum(isinstance(equation.primitive, Scan) for equation in graph.equations)


def same(found: Any, expected: Any) -> None:
    """Equal to rounding, and of one type: one of Python's numbers where it was one."""
    for x, y in zip(cv.trees.flatten(found)[0], cv.trees.flatten(expected)[0], strict=True):
        assert (np.asarray(x).dtype, np.shape(x)) == (np.asarray(y).dtype, np.shape(y))
        tolerance = 2e-4 if np.asarray(y).dtype == np.float32 else 1e-9
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(1.0, np.max(np.abs(y))))


@pytest.mark.parametrize(("function", "args", "argnums"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
class TestPythonLoops:
    def test_values(self, function: Any, args: Any, argnums: Any) -> None:
        fast = cv.jit(function)
        assert loops(fast.lower(*args).simplified) >= 1
        same(fast(*args), function(*args))

    def test_gradients(self, function: Any, args: Any, argnums: Any) -> None:
        gradient = cv.value_and_grad(function, argnums)
        fast = cv.jit(gradient)
        assert loops(fast.lower(*args).simplified) >= 2
        same(fast(*args), gradient(*args))

    def test_gradients_of_the_compiled_function(self, function: Any, args: Any, argnums: Any) -> None:
        same(cv.grad(cv.jit(function), argnums)(*args), cv.grad(function, argnums)(*args))

    def test_second_derivatives(self, function: Any, args: Any, argnums: Any) -> None:
        directions = tuple(np.ones_like(args[i]) for i in argnums)

        def derivative(*chosen: Any) -> Any:
            given = list(args)
            for i, x in zip(argnums, chosen, strict=True):
                given[i] = x
            return cv.grad(function, argnums)(*given)

        def product(*chosen: Any) -> Any:
            return cv.jvp(derivative, chosen, directions)[1]

        chosen = tuple(np.asarray(args[i])[()] for i in argnums)
        same(cv.jit(product)(*chosen), product(*chosen))


# --- steps that are no loop -------------------------------------------------------------------------------


def test_branches_on_values_stay() -> None:
    def collatz_like(x: Any) -> Any:
        for _ in range(400):
            x = x * 0.5 if x > 1.0 else x * 3.0 + 0.1
        return x

    fast = cv.jit(cv.value_and_grad(collatz_like))
    for x in (0.3, 0.3, 7.0, 0.3):
        same(fast(x), cv.value_and_grad(collatz_like)(x))
    assert loops(fast.lower(0.3).simplified) == 0


def test_a_short_loop_is_written_out() -> None:
    def short(x: Any) -> Any:
        for _ in range(20):
            x = np.sin(x) * x
        return x

    assert loops(cv.jit(short).lower(0.3).simplified) == 0


def test_numbers_stay_numbers_of_python() -> None:
    def long(x: Any) -> Any:
        for _ in range(500):
            x = x * 0.999 + 0.01 * x
        return x

    fast = cv.jit(long)
    assert [type(fast(0.3)) for _ in range(3)] == [float] * 3
    assert type(fast(np.float32(0.3))) is np.float32


def test_a_sum_that_is_needed_on_the_way_stays() -> None:
    def partial_sums(x: Any) -> Any:
        total = np.zeros(300)
        found = []
        for i in range(300):
            total = total + cv.at(np.zeros(300))[i].set(np.sin(x[i]))
            found.append(np.sum(total) * total[0])
        return np.sum(np.stack(found))

    x = RNG.normal(size=300)
    same(cv.jit(cv.value_and_grad(partial_sums))(x), cv.value_and_grad(partial_sums)(x))


def test_batches_of_loops() -> None:
    x = RNG.uniform(0.2, 0.9, 5)
    same(cv.vmap(cv.jit(cv.grad(trajectory)))(x), np.array([cv.grad(trajectory)(e) for e in x]))
    same(cv.jit(cv.vmap(cv.grad(trajectory)))(x), np.array([cv.grad(trajectory)(e) for e in x]))


def test_an_exported_loop_needs_no_covector() -> None:
    source = cv.export(cv.jit(cv.grad(trajectory)), 0.4)
    module: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), module)
    assert "import covector" not in source
    assert source.count("for ") >= 2
    same(module[module["__all__"][0]](0.4), cv.grad(trajectory)(0.4))


# --- random repetitions -----------------------------------------------------------------------------------


def random_loop(seed: int) -> Callable[..., Any]:
    """Steps of random operations on a few values that are carried, some of them kept, some changed now and then."""
    rng = np.random.default_rng(seed)
    operations: list[Callable[[Any, Any], Any]] = [
        lambda x, y: x + 0.5 * y, lambda x, y: np.sin(x) * y, lambda x, y: x - np.cos(y), lambda x, y: x * y * 0.3,
        lambda x, y: np.maximum(x, y), lambda x, y: x / (1.0 + y * y), lambda x, _: np.tanh(x), lambda _, y: -y,
    ]  # fmt: skip
    plan = [(operations[k], *rng.integers(0, 4, 3)) for k in rng.integers(0, len(operations), rng.integers(2, 6))]
    steps, odd, kept = int(rng.integers(6, 15)), int(rng.integers(0, 14)), rng.random() < 0.5

    def program(*args: Any) -> Any:
        values, found = [*args], []
        for step in range(steps):
            for operation, i, j, target in plan:
                values[target] = operation(values[i], values[j])
            if step == odd:
                values[0] = values[0] * 2.0 + args[1]
            if kept:
                found.append(values[plan[0][3]])
        return np.sum(sum(values) + (sum(found[::2]) + np.sum(np.stack(found)) if kept else 0.0))

    return program


@pytest.fixture
def eager_to_roll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is repeated a few times becomes a loop."""
    for module in (repetition, rolling):
        monkeypatch.setattr(module, "FEWEST_STEPS", 3)
    monkeypatch.setattr(repetition, "FEWEST_NUMBERS", 4)
    monkeypatch.setattr(repetition, "WINDOW", 2)
    monkeypatch.setattr(repetition, "MIXING", np.array([1, 1_000_003]))


@pytest.mark.usefixtures("eager_to_roll")
@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("seed", [*range(40), 1050])
def test_random_repetitions_compute_the_same(seed: int, shape: tuple[int, ...]) -> None:
    program = random_loop(seed)
    args = [x[()] for x in np.random.default_rng(seed).uniform(0.2, 1.2, (4, *shape))]
    derivative = cv.value_and_grad(program, (0, 1, 2, 3))
    graph = cv.make_graph(derivative)(*args)
    looped = check(rolled(graph))
    same(looped(*args), derivative(*args))
    same(cv.jit(derivative)(*args), derivative(*args))
    batches = [np.stack([x, 1.1 * x]) for x in args]
    for function in (derivative, cv.grad(program)):
        same(cv.jit(cv.vmap(function))(*batches), cv.vmap(function)(*batches))


@pytest.mark.usefixtures("eager_to_roll")
def test_most_random_repetitions_become_loops() -> None:
    graphs = [cv.make_graph(random_loop(seed))(0.3, 0.5, 0.7, 1.1) for seed in range(40)]
    assert sum(loops(rolled(graph)) > 0 for graph in graphs) >= 30
