"""Python loops that are easy to compile wrongly: their compiled versions compute what the loops did, to the type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.graph.graph import Graph
from covector.transforms.control import repetition
from covector.transforms.control.scanning import Scan

STEPS = 300
GRID = (np.arange(STEPS) * 0.01).astype(np.float32)


def scans(graph: Graph) -> int:
    """How many loops there are."""
    return sum(isinstance(equation.primitive, Scan) for equation in graph.equations)


def same(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Equal to rounding, and of one dtype and shape; integers are equal to the last digit."""
    for x, y in zip(cv.trees.flatten(found)[0], cv.trees.flatten(expected)[0], strict=True):
        assert (np.asarray(x).dtype, np.shape(x)) == (np.asarray(y).dtype, np.shape(y))
        if np.asarray(y).dtype.kind in "iubO":
            assert np.all(x == y)
        else:
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def compiled_is_the_same(function: Callable[..., Any], *args: Any) -> Any:
    """Compares several calls of the compiled function with the function itself."""
    fast = cv.jit(function)
    for _ in range(3):
        same(fast(*args), function(*args))
    return fast


# --- numbers of Python's, which are no arrays -------------------------------------------------------------


def steps_with_numbers(x: Any) -> Any:
    """In each step, single precision is compared with another number."""
    count = x * 0
    for i in range(STEPS):
        count = count + (x > i * 0.01) * np.float32(1) + (x >= i * 0.01) * np.float32(2)
    return count


def steps_with_a_carried_number(x: Any, bound: Any) -> Any:
    """The number grows from step to step."""
    count = x * 0
    for _ in range(STEPS):
        bound = bound + 0.01
        count = count + (x > bound) * np.float32(1) + (x >= bound) * np.float32(2)
    return count


def steps_with_a_number_in_a_branch(x: Any, is_strict: Any, bound: Any) -> Any:
    """The comparison is in a branch."""
    count = x * 0

    def strictly(bound: Any) -> Any:
        return (x > bound) * np.float32(1)

    def loosely(bound: Any) -> Any:
        return (x >= bound) * np.float32(1)

    for _ in range(STEPS):
        bound = bound + 0.01
        count = count + cv.cond(is_strict, strictly, loosely, bound)
    return count


def test_comparisons_of_single_precision_with_numbers_are_made_in_single_precision() -> None:
    sums = np.cumsum(np.full(STEPS, 0.01)).astype(np.float32)
    compiled_is_the_same(steps_with_numbers, GRID)
    compiled_is_the_same(steps_with_a_carried_number, sums, 0.0)
    for is_strict in (True, False):
        compiled_is_the_same(steps_with_a_number_in_a_branch, sums, is_strict, 0.0)


def powers_of_three(n: Any) -> Any:
    """An integer of more than a hundred digits."""
    for _ in range(STEPS):
        n = n * 3 + 1
    return n


def huge_bounds(x: Any, n: Any) -> Any:
    """What is compared with is soon too large for 64 bits."""
    for _ in range(STEPS):
        x = x + (x > n) * 1.0
        n = n * 2 + 1
    return x


def huge_coefficients(x: Any) -> Any:
    """The powers of ten up to 10^299, as integers."""
    y = 1.0
    for i in range(STEPS):
        y = y * x + 10**i
    return y


def squares_of_huge_integers(x: Any, n: Any) -> Any:
    """Integers that do not depend on the step before, but are too large for 64 bits."""
    for i in range(STEPS):
        x = x + (n * (i + 10**17) > 2**63) * 1.0
        x = x * 0.5
    return x


def test_integers_of_python_have_no_bounds() -> None:
    fast = compiled_is_the_same(powers_of_three, 3)
    assert type(fast(3)) is int
    compiled_is_the_same(huge_bounds, np.arange(3.0), 1)
    compiled_is_the_same(huge_coefficients, 0.3)
    compiled_is_the_same(squares_of_huge_integers, np.arange(3.0), 3 * 10**3)


def test_integers_of_numpy_are_still_looped_over() -> None:
    with np.errstate(over="ignore"):
        fast = compiled_is_the_same(powers_of_three, np.int64(3))
    assert scans(fast.lower(np.int64(3)).simplified) == 1


# --- everything that is repeated is a loop ----------------------------------------------------------------


@pytest.fixture
def eager_to_roll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is repeated a few times becomes a loop."""
    monkeypatch.setattr(repetition, "FEWEST_STEPS", 3)
    monkeypatch.setattr(repetition, "FEWEST_NUMBERS", 4)
    monkeypatch.setattr(repetition, "WINDOW", 2)
    monkeypatch.setattr(repetition, "MIXING", np.array([1, 1_000_003]))


def linear_steps(x: Any) -> Any:
    """The derivative is the same everywhere: simplification finds a loop on numbers alone, with one result."""
    found = []
    for _ in range(9):
        x = x + 0.5
        found.append(x)
    return np.sum(np.array(found)) * 0.1


def lists_in_each_other(x: Any, y: Any) -> Any:
    """Loops that take the values of others, in order, in reverse, one late, and every second one."""
    a, b = [], []
    for i in range(20):
        x = np.sin(x) + 0.01 * i
        a.append(x)
    for i in range(20):
        y = np.cos(y + a[i])
        b.append(y)
    for i in reversed(range(20)):
        x = x * 0.5 + a[i] * b[i]
    for i in range(1, 20):
        x = x * 0.5 + a[i] * b[i - 1]
    for i in range(0, 20, 2):
        y = y * 0.5 + a[i] * b[19 - i]
    return np.sum(x + y)


def substitution(diagonal: Any) -> Any:
    """Thomas's algorithm: forwards, then backwards through a list that grows at its front."""
    n = len(diagonal)
    ratios, values = [0.3 / diagonal[0]], [1.0 / diagonal[0]]
    for i in range(1, n):
        pivot = diagonal[i] - 0.2 * ratios[i - 1]
        ratios.append(0.3 / pivot)
        values.append((1.0 + 0.1 * i - 0.2 * values[i - 1]) / pivot)
    solution = [values[-1]]
    for i in range(n - 2, -1, -1):
        solution.insert(0, values[i] - ratios[i] * solution[0])
    return np.sum(np.array(solution) ** 2)


def lattice(price: Any) -> Any:
    """Cox, Ross and Rubinstein's: loops that are one step shorter each time."""
    values = [np.maximum(price * 1.02 ** (2 * j - 12) - 1.0, 0.0) for j in range(13)]
    for _ in range(12):
        values = [0.99 * (0.5 * values[j] + 0.5 * values[j + 1]) for j in range(len(values) - 1)]
    return values[0]


def descent(x: Any) -> Any:
    """Adam, of which the corrections depend on the number of the step."""
    data, mean, square = np.cos(np.arange(60.0)).reshape(20, 3), np.zeros(3), np.zeros(3)

    for i in range(1, 20):
        row = data[i]
        slope = cv.grad(error)(x, row)
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope * slope
        x = x - 0.1 * (mean / (1 - 0.9**i)) / (np.sqrt(square / (1 - 0.99**i)) + 1e-8)
    return np.sum(x)


def error(x: Any, row: Any) -> Any:
    """The square error of a row."""
    return (row @ x - 1.0) ** 2 + 0.1 * np.sum(x**4)


def factors_in_turn(x: Any) -> Any:
    """Unshifted iterations of the algorithm for eigenvalues: two results of one operation."""
    for i in range(8):
        orthogonal, triangular = np.linalg.qr(x)
        x = triangular @ orthogonal + 0.01 * i * np.eye(3)
    return np.sum(np.diagonal(x) ** 2)


def stacks_of_many_kinds(x: Any) -> Any:
    """The values of steps between other numbers, backwards, twice and by halves."""
    found = []
    for _ in range(9):
        x = x * 1.1 + 0.01
        found.append(x)
    mixed = np.stack([0.5, *found[::-1], 1])
    return np.sum(mixed[2:4] * mixed[-3]) + np.stack(found + found)[11] + np.sum(np.stack(found[1:8:2]) ** 2)


PROGRAMS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (linear_steps, (0.3,)),
    (linear_steps, (np.float64(0.3),)),
    (lists_in_each_other, (0.3, 0.4)),
    (lists_in_each_other, (np.array([0.3, -0.7]), np.array([0.4, 0.1]))),
    (substitution, (2.0 + 0.1 * np.cos(np.arange(15.0)),)),
    (lattice, (1.1,)),
    (descent, (np.array([0.3, -0.7, 1.1]),)),
    (factors_in_turn, (np.array([[4.0, 1.0, 0.2], [1.0, 3.0, 0.3], [0.2, 0.3, 2.0]]),)),
    (stacks_of_many_kinds, (0.4,)),
    (stacks_of_many_kinds, (np.float64(0.4),)),
]


@pytest.mark.usefixtures("eager_to_roll")
@pytest.mark.parametrize(("function", "args"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
def test_loops_that_take_from_each_other(function: Any, args: Any) -> None:
    argnums = tuple(range(len(args)))
    derivative = cv.value_and_grad(function, argnums)
    assert scans(compiled_is_the_same(function, *args).lower(*args).simplified) >= 1
    compiled_is_the_same(derivative, *args)
    same(cv.grad(cv.jit(function), argnums)(*args), cv.grad(function, argnums)(*args))
    batch = [np.stack([x, 0.9 * np.asarray(x)]) for x in args]
    same(cv.jit(cv.vmap(derivative))(*batch), cv.vmap(derivative)(*batch))


@pytest.mark.usefixtures("eager_to_roll")
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int64, bool])
def test_values_of_steps_stacked_with_numbers_have_the_dtype_of_numpy(dtype: Any) -> None:
    def stacked(x: Any) -> Any:
        found = []
        for _ in range(9):
            x = x * x + x
            found.append(x)
        return np.stack([0.5, *found]), np.stack([*found, 1]), np.stack([True, *found[::-1]]), found[3]

    x = np.asarray(1, dtype)[()]
    with np.errstate(over="ignore"):
        compiled_is_the_same(stacked, x)


@pytest.mark.usefixtures("eager_to_roll")
def test_arrays_that_change_between_calls_are_read_again() -> None:
    rows = [np.cos(np.arange(3.0) + i) for i in range(12)]
    table = np.stack(rows)

    def walked(x: Any) -> Any:
        for i in range(12):
            x = np.sin(x + rows[i] * table[i])
        return np.sum(x)

    gradient = cv.value_and_grad(walked)
    fast, x = cv.jit(gradient), np.array([0.3, -0.7, 1.1])
    for _ in range(3):
        same(fast(x), gradient(x))
        rows[4] += 1.0
        table[7] -= 0.5


@pytest.mark.usefixtures("eager_to_roll")
def test_a_branch_in_the_middle_of_a_loop_is_watched() -> None:
    def bent(x: Any) -> Any:
        for i in range(12):
            x = np.sin(x) * 1.3
            if i == 6 and x[0] > 0.2:
                x = x * 0.5
        return np.sum(x)

    gradient = cv.value_and_grad(bent)
    fast, x = cv.jit(gradient), np.array([0.3, -0.7])
    for sign in (1, -1, 1, -1, 1):
        same(fast(sign * x), gradient(sign * x))
