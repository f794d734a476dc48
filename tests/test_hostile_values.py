"""Programs with something unusual: operations that raise, infinite entries, Python's integers, names, shared memory.

What NumPy and Python do without covector is the oracle, at every call, whichever branch came first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ArgumentError, UnsupportedFunctionError
from tests.agreement import check_ownership

Array = np.ndarray[Any, np.dtype[Any]]

# --- operations that raise, in functions that are prepared for it -----------------------------------------------

DEFINITE, INDEFINITE = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 2.0], [2.0, -5.0]])
WEIGHTS = np.array([[1.0, 0.0], [2.0, 3.0]])


def repaired_factor(a: Any) -> Any:
    """A Cholesky factor, of a matrix with a larger diagonal if there is none."""
    try:
        factor = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        factor = np.linalg.cholesky(a + 10.0 * np.eye(2))
    return np.sum(WEIGHTS * factor)


def logarithm_or_nothing(x: Any) -> Any:
    try:
        with np.errstate(all="raise"):
            return 2.0 * np.log(x)
    except FloatingPointError:
        return 0.0 * x - 1.0


def branching_repair(a: Any) -> Any:
    """Asks for a value of the factor, which is when an operation that was only recorded is computed."""
    try:
        factor = np.linalg.cholesky(a)
        return np.sum(factor) if factor[0, 0] > 0.0 else 0.0 * a[0, 0]
    except np.linalg.LinAlgError:
        return 7.0 * a[0, 0]


def pushed(function: Any, x: Any) -> Any:
    return cv.jvp(function, (x,), (x,))


COMPOSITIONS: dict[str, Callable[[Any], tuple[Callable[..., Any], Callable[..., Any]]]] = {
    "jit": lambda f: (cv.jit(f), f),
    "jit of grad": lambda f: (cv.jit(cv.grad(f)), cv.grad(f)),
    "grad of jit": lambda f: (cv.grad(cv.jit(f)), cv.grad(f)),
    "jit of jit": lambda f: (cv.jit(cv.jit(f)), f),
    "jvp of jit": lambda f: (partial(pushed, cv.jit(f)), partial(pushed, f)),
    "jit of hvp": lambda f: (cv.jit(lambda x: cv.hvp(f, (x,), (x,))), lambda x: cv.hvp(f, (x,), (x,))),
}


@pytest.mark.parametrize("function", [repaired_factor, branching_repair])
@pytest.mark.parametrize("points", [*permutations((DEFINITE, INDEFINITE))], ids=("raises second", "raises first"))
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_an_error_that_the_function_catches_is_caught_at_every_call(name: str, points: Any, function: Any) -> None:
    compiled, expected = COMPOSITIONS[name](function)
    for _ in range(3):
        for point in points:
            found, wanted = (cv.trees.flatten(f(point))[0] for f in (compiled, expected))
            for x, y in zip(found, wanted, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-12)


def test_what_follows_a_caught_error_is_not_recorded() -> None:
    compiled = cv.jit(repaired_factor)
    compiled(INDEFINITE)
    assert compiled.cache_info().specializations == 0
    compiled(DEFINITE)
    compiled(DEFINITE)
    assert compiled.cache_info() == (1, 2, 1)


def test_the_first_call_may_catch_a_floating_point_error() -> None:
    compiled = cv.jit(logarithm_or_nothing)
    assert compiled(0.0) == -1.0
    assert compiled(1.0) == 0.0


def test_a_branch_of_a_caught_error_is_not_exported() -> None:
    """An export is for other values too."""
    with pytest.raises(UnsupportedFunctionError, match=r"what the function does after it caught LinAlgError"):
        cv.export(branching_repair, INDEFINITE)


def test_an_error_of_compiled_code_points_to_the_line_of_the_function() -> None:
    compiled = cv.jit(lambda a: np.linalg.inv(a))
    compiled(DEFINITE)
    compiled(DEFINITE)
    with pytest.raises(np.linalg.LinAlgError) as caught:
        compiled(np.zeros((2, 2)))
    assert any("np.linalg.inv(a)" in str(entry.statement) for entry in caught.traceback[1:])


# --- infinite entries -------------------------------------------------------------------------------------------

INFINITE = [
    [np.inf, 1.0, 2.0], [-np.inf, np.inf, 0.0], [1.0, 2.0, np.inf, np.inf], [1.0, 2.0, 3.0, np.inf],
    [np.inf, np.inf, np.inf], [-np.inf, 5.0], [1e308, 1e308, 1e308],
]  # fmt: skip

QUANTILES: dict[str, Callable[[Any], Any]] = {
    "median": np.median,
    "nanmedian": np.nanmedian,
    "the second quarter": lambda x: np.quantile(x, 0.25),
    "a place between": lambda x: np.quantile(x, 0.4),
    "beyond the middle": lambda x: np.quantile(x, 0.8),
    "the entry below": lambda x: np.quantile(x, 0.4, method="lower"),
    "the entry above": lambda x: np.quantile(x, 0.4, method="higher"),
    "the nearest entry": lambda x: np.quantile(x, 0.4, method="nearest"),
    "interpolated at a point": lambda x: np.interp(1.0, np.arange(len(x)), x),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("entries", INFINITE, ids=str)
@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles_beside_infinite_entries_are_those_of_numpy(name: str, entries: list[float]) -> None:
    function, x = QUANTILES[name], np.array(entries)
    if name == "interpolated at a point" and np.isinf(x[:2]).any():
        return  # NumPy has a rule of its own for an infinite start
    expected = function(x)
    np.testing.assert_array_equal(cv.jvp(function, (x,), (np.ones_like(x),))[0], expected)
    compiled = cv.jit(function)
    for _ in range(3):
        np.testing.assert_array_equal(compiled(x), expected)


def test_the_slope_of_an_interpolation_at_a_point_is_that_on_its_right() -> None:
    assert cv.grad(lambda t: np.interp(t, np.arange(3.0), np.array([0.0, 1.0, 5.0])))(1.0) == 4.0


# --- Python's numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [3, -3, 2**40, 2**63 - 1, True])
def test_the_square_of_a_python_integer_does_not_overflow(number: int) -> None:
    compiled = cv.jit(lambda n: n**2)
    for _ in range(3):
        assert compiled(number) == number**2
        assert type(compiled(number)) is int


def test_the_square_of_a_python_number_takes_the_dtype_of_what_it_meets() -> None:
    single = np.ones(3, np.float32)
    compiled = cv.jit(lambda x, a: x**2 * a)
    for _ in range(3):
        assert compiled(2.5, single).dtype == np.float32
    assert cv.jvp(lambda x: x**2 * single, (2.5,), (1.0,))[0].dtype == np.float32
    assert cv.grad(lambda x: np.sum(x**2 * single))(2.5) == pytest.approx(15.0)


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "args"), [(abs, (-2.5,)), (max, (np.array([3.0, 4.0]),)), (pow, (3.0, 2.0))])
def test_functions_of_python_can_be_compiled(function: Any, args: Any) -> None:
    compiled = cv.jit(function)
    for _ in range(3):
        assert compiled(*args) == function(*args)


def test_parameters_may_have_the_names_of_functions_of_python() -> None:
    def clipped(x: Any, abs: Any, float: Any) -> Any:
        return np.abs(x) * abs + np.maximum(x, float)

    compiled = cv.jit(cv.grad(clipped))
    for _ in range(3):
        assert compiled(-2.5, 3.0, 0.5) == -3.0


# --- the order of keys ------------------------------------------------------------------------------------------


def test_the_order_of_keys_belongs_to_an_argument() -> None:
    def weighed(tree: Any) -> Any:
        return sum(i * x for inner in tree for i, x in enumerate(inner.values()))

    first, second = {"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}
    compiled, gradient = cv.jit(weighed), cv.jit(cv.grad(weighed))
    for _ in range(3):
        assert (compiled([first]), compiled([second])) == (2.0, 1.0)
        assert (gradient([first])[0]["a"], gradient([second])[0]["a"]) == (0.0, 1.0)


# --- shared memory ----------------------------------------------------------------------------------------------

VIEWS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda x: x,
    "twice": lambda x: (x, x),
    "turned": lambda x: x.T,
    "a part": lambda x: x[1:],
    "flat": lambda x: np.reshape(x, -1),
    "repeated": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "views of a result": lambda x: [*map(np.sin(x).__getitem__, (slice(None), 0, slice(1, None)))],
}

EAGER: dict[str, Callable[[Any, Any], Any]] = {
    "vmap": lambda f, x: cv.vmap(f)(x),
    "vmap to another axis": lambda f, x: cv.vmap(f, out_axes=-1)(x),
    "vmap of nothing mapped": lambda f, x: cv.vmap(f, in_axes=None, axis_size=2)(x),
    "the value of jvp": lambda f, x: cv.jvp(f, (x,), (x.copy(),))[0],
    "the carry of scan": lambda f, x: cv.scan(lambda c, y: (y, f(c)), x, x[None]),
    "the carry of while_loop": lambda f, x: cv.while_loop(lambda c: c[0, 0] > 1e9, lambda c: 2.0 * c, x),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", EAGER)
def test_results_share_no_memory_with_arguments_or_each_other(name: str, view: str) -> None:
    x = np.array([[0.5, 1.0], [1.5, 2.0]])
    check_ownership(EAGER[name](VIEWS[view], x), x)


def test_a_step_that_writes_into_its_carry_leaves_the_first_carry_alone() -> None:
    def step(carry: Any, x: Any) -> Any:
        carry += x
        return carry, carry

    start, steps = np.zeros(2), np.ones((3, 2))
    runs: list[Callable[..., Any]] = [lambda c: cv.scan(step, c, steps), cv.jit(lambda c: cv.scan(step, c, steps))]
    for run in runs:
        last, sums = run(start)
        np.testing.assert_array_equal(last, [3.0, 3.0])
        np.testing.assert_array_equal(sums[:, 0], [1.0, 2.0, 3.0])
        np.testing.assert_array_equal(start, [0.0, 0.0])


def test_a_while_loop_may_write_into_its_carry_and_ends_if_nothing_changes() -> None:
    def increased(carry: Any) -> Any:
        carry += 1.0
        return carry

    start = np.zeros(2)
    for _ in range(2):
        np.testing.assert_array_equal(cv.while_loop(lambda c: c[0] < 3.0, increased, start), [3.0, 3.0])
    with pytest.raises(ArgumentError, match="would never end"):
        cv.while_loop(lambda c: c[0] < 3.0, lambda c: c, start)


def test_keywords_keep_the_order_of_the_call() -> None:
    joined = cv.jit(lambda **named: np.stack(list(named.values())))
    for _ in range(2):
        np.testing.assert_array_equal(joined(a=1.0, b=2.0), [1.0, 2.0])
        np.testing.assert_array_equal(joined(b=2.0, a=1.0), [2.0, 1.0])
