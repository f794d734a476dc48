"""Compiled code gives NumPy's values at zero, infinity and NaN, in NumPy's dtypes, and as numbers of one's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import covector as cv

INFINITE, SINGLE = np.array([np.inf, 1.0]), np.array([0.5, 2.0], np.float32)


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> None:
    """Not here: first calls and later ones are compared."""


def _one(x: Any) -> float:
    return 1.0


def _same(x: Any) -> Any:
    return x


def _zero(x: Any) -> Any:
    return np.zeros(())


def _reshaped(x: Any) -> Any:
    return np.reshape(x, ())


def _pushed(function: Any, x: Any) -> Any:
    return cv.jvp(cv.grad(function), (x,), (np.ones_like(x),))


def _means(x: Any) -> Any:
    return np.mean(x) * np.float32(0.5) + np.mean(x)


def _two(x: Any) -> Any:
    return np.sum(np.linalg.inv(x)), np.reshape(x[:1, :1], ())


def compiled(function: Callable[..., Any], *args: Any) -> Callable[..., Any]:
    """The function as it runs after it has been called."""
    fast = cv.jit(function)
    fast(*args)
    return fast


class TestSpecialValues:
    def test_the_sign_of_infinity(self) -> None:
        def branching(x: Any) -> Any:
            return 1.0 / x if np.sign(x) > 0 else -3.0 / x + 1.0

        fast = compiled(lambda x: np.where(np.sign(x) > 0, 1.0, -1.0), 2.0)
        assert [fast(np.inf), fast(-np.inf), fast(np.nan)] == [1.0, -1.0, -1.0]
        assert np.isnan(compiled(np.sign, 2.0)(np.nan))
        taken = compiled(branching, 2.0)
        assert [taken(np.inf), taken(-np.inf)] == [0.0, 1.0]

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    @pytest.mark.parametrize(
        "function",
        [
            lambda x: np.pad(x, 1) * np.log(np.pad(x, 1)),
            lambda x: np.concatenate([x, np.zeros(1)]) * x[0],
            lambda x: np.triu(np.outer(x, x)) @ x,
            lambda x: np.pad(1.0 / x, 1)[:-1] / np.pad(x, 1)[1:],
        ],
    )
    @pytest.mark.parametrize("entry", [np.inf, np.nan, 0.0])
    def test_a_zero_that_was_filled_in_times_infinity_is_nan(self, function: Any, entry: float) -> None:
        x = np.array([entry, 1.0])
        np.testing.assert_array_equal(compiled(function, np.ones(2))(x), function(x))

    def test_the_gradient_of_a_maximum_of_complex_numbers(self) -> None:
        z = np.array([1.0 + 2.0j, 0.25 - 1.0j, 1.0 + 0.5j])

        def function(x: Any) -> Any:
            return np.sum(np.real(np.maximum(x * z, np.sqrt(x) + 0j) * np.array([1.0, 2.0, 3.0])))

        for x in (np.array([0.5, 2.0, 1.5]), np.array([3.0, 0.1, 0.2])):
            steps = 1e-6 * np.eye(3)
            slopes = [(function(x + step) - function(x - step)) / 2e-6 for step in steps]
            np.testing.assert_allclose(compiled(cv.grad(function), x)(x), slopes, rtol=1e-6)

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    @pytest.mark.parametrize("number", [np.float32(np.inf), np.float32(np.nan), complex(np.nan, -np.inf), np.inf])
    def test_numbers_that_are_not_finite_can_be_written(self, number: Any) -> None:
        def function(x: Any) -> Any:
            return x * number, np.sum(x) + number

        module: dict[str, Any] = {}
        exec(cv.export(cv.jit(function), SINGLE), module)
        for found in (compiled(function, SINGLE)(SINGLE), module["function"](SINGLE)):
            for a, b in zip(found, function(SINGLE), strict=True):
                np.testing.assert_array_equal(a, b)
                assert a.dtype == b.dtype


class TestDTypes:
    @pytest.mark.parametrize("x", [np.float32(0.5), SINGLE, np.ones(100_000, np.float32), np.int8(3), np.arange(3)])
    @pytest.mark.parametrize(
        "function",
        [
            lambda x: np.float64(0.1) + x,
            lambda x: x / np.float64(3.0),
            lambda x: np.maximum(np.float64(0.1), np.sin(x * 1.0)),
            lambda x: np.where(x > 1, np.float64(0.1), x),
            lambda x: np.where(x > 1, np.float64(0.1), np.float32(0.2)),
            lambda x: np.sin(x * np.int64(2)) + np.float64(0.1) * x,
            lambda x: x * np.complex128(2.0) + 1.0,
            lambda x: np.full(3, np.float32(0.5)) * np.sum(x),
        ],
    )
    def test_a_number_of_numpys_keeps_its_precision(self, function: Any, x: Any) -> None:
        found, expected = compiled(function, x)(x), function(x)
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6 if expected.dtype.char in "fF" else 1e-15)

    def test_numbers_that_are_combined_are_not_wider_than_what_they_came_from(self) -> None:
        def function(x: Any) -> Any:
            return np.sum(np.maximum(x, 0.5)) + np.mean(x) * 1.5 + np.sum(x * x) * np.float32(0.5)

        x = np.array([1.0, 2.0, 3.0], np.float32)
        push: Any = compiled(partial(_pushed, function), x)
        assert [part.dtype for part in push(x)] == [np.float32, np.float32]
        assert compiled(cv.grad(_means), x)(x).dtype == np.float32


NUMBERS: list[tuple[Any, Any]] = [
    (cv.grad(_one), np.float64(2.0)),
    (_same, np.array(2.0)),
    (_zero, np.ones(2)),
    (_reshaped, np.ones(1)),
    (_two, np.eye(2)),
]


class TestNumbersAsResults:
    """What has no axes is a number in every call, never an array that someone else may write into."""

    @pytest.mark.parametrize(("function", "x"), NUMBERS)
    def test_in_the_first_call_and_later(self, function: Any, x: Any) -> None:
        fast = cv.jit(function)
        for _ in range(3):
            found = fast(x)
            assert all(isinstance(y, np.generic) for y in (found if isinstance(found, tuple) else (found,)))


def test_a_triangle_of_one_row_among_large_arrays() -> None:
    def function(x: Any) -> Any:
        return np.sum(np.tril(x[:1, :3]) * 2.0) + np.sum(np.sin(x) * x)

    x = np.linspace(0.0, 1.0, 90_000).reshape(300, 300)
    np.testing.assert_allclose(compiled(cv.grad(function), x)(x), cv.grad(function)(x), rtol=1e-12)


def test_a_number_of_python_is_not_adapted_to_half_precision() -> None:
    def function(x: Any) -> Any:
        return np.where(x > 0.3, np.sqrt(x > 0.1), np.arctan(x)) + np.float32(2.0) * np.arctan(x)

    for x in (0.2, np.float64(0.2), np.float64(0.4)):
        np.testing.assert_allclose(compiled(function, x)(x), function(x), rtol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "entries"), [(np.float32, (1e15, 1e20, 1e-25)), (np.float64, (1e300, 1e200, 1e-200))]
)
def test_a_quotient_times_a_number_does_not_underflow(dtype: Any, entries: tuple[float, ...]) -> None:
    def function(x: Any, y: Any, z: Any) -> Any:
        return x / y * z

    for shape in ((), (3,), (70_000,)):
        args = [np.full(shape, entry, dtype)[()] for entry in entries]
        np.testing.assert_allclose(compiled(function, *args)(*args), function(*args), rtol=1e-6)


@pytest.mark.parametrize("x", [-0.0, 0.0, -0.5, 0.5, -1.0, 1.5, 1e300])
@pytest.mark.parametrize("function", [np.floor, np.ceil, np.trunc, np.rint, np.sign, np.fabs])
def test_steps_keep_the_sign_of_a_zero(function: Any, x: float) -> None:
    fast = cv.jit(lambda x: function(x))
    for found in (fast(x), fast(x)):
        np.testing.assert_array_equal([found, np.copysign(1.0, found)], [function(x), np.copysign(1.0, function(x))])


@pytest.mark.parametrize("name", ["masked_multiply", "ratio", "print", "np"])
def test_a_function_may_have_the_name_of_what_its_program_calls(name: str) -> None:
    def function(x: Any) -> Any:
        return np.sum(np.sqrt(x) * np.sqrt(2.0 * x))

    function.__name__ = name
    fast, x = cv.jit(cv.grad(function)), np.linspace(0.0, 1.0, 100)
    for _ in range(2):
        np.testing.assert_allclose(fast(x), cv.grad(function)(x))
    module: dict[str, Any] = {}
    exec(cv.export(cv.grad(function), x), module)
    np.testing.assert_allclose(module["function"](x), cv.grad(function)(x))
