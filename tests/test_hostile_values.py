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


# --- text made of values ------------------------------------------------------------------------------------------

TEXTS: dict[str, Callable[[Any], str]] = {
    "format": lambda x: f"{x:.1f}",
    "format with braces": lambda x: format(x, "{<9.1f").strip("{"),
    "format of an entry": lambda x: f"{(x * np.ones(2))[1]:.1f}",
    "format with a width": lambda x: "{:>{width}.1f}".format(x, width=8).strip(),
    "percent of an integer": lambda x: "%d.5" % x,  # noqa: UP031  # what is tested
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_branch_on_the_text_of_a_value_is_watched(name: str) -> None:
    def tenfold(x: Any) -> Any:
        return x * 10.0 if TEXTS[name](x) == "1.5" else -x

    value, gradient, inner = cv.jit(tenfold), cv.jit(cv.grad(tenfold)), cv.grad(cv.jit(tenfold))
    for x in (1.5, 2.5, 1.5, 2.5, 1.5):
        assert value(x) == tenfold(x)
        assert gradient(x) == inner(x) == (10.0 if x == 1.5 else -1.0)
    assert value.cache_info().specializations == 2


def test_the_text_of_a_recorded_value_without_a_format_does_not_show_it() -> None:
    """So that what depends on the text does not depend on the value; `repr` shows it, to people."""
    texts: list[str] = []

    def shown(x: Any) -> Any:
        texts.extend([str(x), f"{x}", "%s" % x, repr(x)])  # noqa: UP031  # what is tested
        return x * 2.0

    cv.jit(shown)(1.5)
    assert len(set(texts[:3])) == 1
    assert "1.5" not in texts[0]
    assert "1.5" in texts[3]
    texts.clear()
    cv.grad(shown)(1.5)
    assert all("1.5" in text for text in texts)


def test_too_many_texts_are_refused_with_what_to_do_instead() -> None:
    spoken = cv.jit(lambda x: x * len(f"{x:.3f}"))
    for k in range(16):
        assert spoken(float(k)) == k * len(f"{k:.3f}")
    with pytest.warns(RuntimeWarning, match=r"the text of a value at .* is not '0\.000' \(covector\.debug_print"):
        assert spoken(16.0) == 96.0


# --- NumPy's functions of Python's numbers ------------------------------------------------------------------------

BINARY = (np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.minimum, np.fmax, np.bitwise_and)
NUMBERS: list[tuple[Any, Any]] = [(True, True), (True, False), (2, 3), (True, 2), (2.0, 3), (2.0, 0.5)]


@pytest.mark.parametrize("ufunc", BINARY)
@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_functions_of_two_numbers_give_what_numpy_gives(ufunc: Any, numbers: tuple[Any, Any]) -> None:
    """np.add(True, True) is True, as an operator of Python's True + True is 2."""
    compiled = cv.jit(lambda x, y: ufunc(x, y))
    with np.errstate(divide="ignore"):
        try:
            expected = ufunc(*numbers)
        except TypeError as error:
            with pytest.raises(type(error)):
                compiled(*numbers)
            return
        for found in (compiled(*numbers), compiled(*numbers)):
            assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a: np.add(x, 1.0) * a, lambda x, a: np.multiply(x, x) * a, lambda x, a: -np.negative(x) * a,
        lambda x, a: np.power(x, 2) * a, lambda x, a: np.divide(x, 2) * a, lambda x, a: np.subtract(x, 2) * a,
        lambda x, a: np.add(x, a), lambda x, a: (x + 1.0) * x**2 * a,
    ],
)  # fmt: skip
def test_what_numpys_functions_make_of_numbers_no_longer_adapts(function: Any) -> None:
    a = np.ones(2, np.float32)
    expected = function(2.0, a)
    compiled = cv.jit(lambda x: function(x, a))
    for found in (compiled(2.0), compiled(2.0), cv.jvp(lambda x: function(x, a), (2.0,), (1.0,))[0]):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


# --- infinite exponents, signs, condition numbers -------------------------------------------------------------------

EXPONENTS = (np.inf, -np.inf, 0.0, 0.5, 1.0, 2.0, -1.0)


@pytest.mark.parametrize("x", [0.0, 0.5, 1.0, 2.0, np.inf])
@pytest.mark.parametrize("y", EXPONENTS)
def test_the_gradient_of_a_power_is_the_same_compiled_or_not(x: float, y: float) -> None:
    derivative = cv.grad(lambda x, y: np.sum(x**y), (0, 1))
    numbers, arrays = (x, y), (np.full(3, x), np.full(3, y))
    with np.errstate(all="ignore"):
        expected = np.array(derivative(*numbers))
        compiled = cv.jit(derivative)
        for found in (compiled(*numbers), compiled(*numbers), cv.grad(cv.jit(lambda x, y: x**y), (0, 1))(*numbers)):
            np.testing.assert_array_equal(found, expected)
        for found in (derivative(*arrays), compiled(*arrays), compiled(*arrays)):
            np.testing.assert_array_equal(np.array(found)[:, 0], expected)


@pytest.mark.parametrize(("x", "y"), [(0.0, np.inf), (0.5, np.inf), (2.0, -np.inf), (np.inf, -np.inf)])
def test_a_power_with_an_infinite_exponent_is_flat_where_it_is_zero(x: float, y: float) -> None:
    for derivative in (cv.grad(np.power), cv.jit(cv.grad(np.power)), cv.grad(cv.jit(np.power))):
        assert derivative(x, y) == 0.0


@pytest.mark.parametrize("z", [np.inf + 1j, 1.0 - np.inf * 1j, -np.inf + 0j, complex(np.nan, 1.0), 0j, 3.0 - 4.0j])
def test_the_sign_of_infinite_complex_numbers_is_numpys(z: complex) -> None:
    compiled = cv.jit(np.sign)
    with np.errstate(invalid="ignore"):
        for found in (compiled(z), compiled(z), cv.jvp(np.sign, (z,), (1j,))[0], cv.vmap(np.sign)(np.array([z]))[0]):
            np.testing.assert_allclose(found, np.sign(z), rtol=1e-15)
    if np.isinf(z):
        assert cv.jvp(np.sign, (z,), (1.0 + 0j,))[1] == 0.0


@pytest.mark.parametrize("order", ["fro", 1, -1, np.inf, -np.inf])
def test_the_condition_number_of_singular_matrices_is_infinite(order: Any) -> None:
    matrices = np.stack([np.ones((2, 2)), np.diag([1.0, 4.0]), np.array([[1.0, 2.0], [3.0, 4.0]])])
    compiled = cv.jit(lambda a: np.linalg.cond(a, order))
    for a in (matrices, matrices, matrices[0], matrices[1], matrices.astype(np.float32)):
        expected = np.linalg.cond(a, order)
        np.testing.assert_allclose(compiled(a), expected, rtol=1e-5)
        assert compiled(a).dtype == expected.dtype
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(cv.grad(lambda a: np.linalg.cond(a, order))(matrices[0])).any()
