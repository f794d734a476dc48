"""What NumPy makes of traced numbers by itself: arrays of objects, indices and masks, and the errors that it raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.agreement import check_function, check_values

Function = Callable[..., Any]

MATRIX = np.random.default_rng(3).normal(size=(3, 4))


def test_an_array_of_objects_may_end_as_plain_numbers() -> None:
    """np.clip of an array of traced numbers puts its bounds there: at the last point nothing traced is left."""

    def clipped(x: Any) -> Any:
        return np.clip(np.array([1.0 * x[0], 1.0 * x[1]]), -0.5, 0.5)

    for point in (np.array([0.1, 0.2]), np.array([0.1, 3.0]), np.array([2.0, 3.0])):
        inside = np.diag((np.abs(point) < 0.5).astype(float))
        np.testing.assert_array_equal(cv.jacrev(clipped)(point), inside)
        np.testing.assert_array_equal(cv.jacfwd(clipped)(point), inside)
        np.testing.assert_array_equal(cv.jit(clipped)(point), np.clip(point, -0.5, 0.5))
        np.testing.assert_allclose(cv.grad(lambda x: clipped(x) @ x)(point), np.clip(point, -0.5, 0.5) + inside @ point)


def test_an_array_of_other_objects_is_refused() -> None:
    with pytest.raises(cv.errors.DTypeMismatchError, match=r"args\[0\] is an array of objects"):
        cv.grad(np.sum)(np.array([1.0, None]))
    with pytest.raises(cv.errors.DTypeMismatchError, match="holds str"):
        cv.grad(lambda x: np.sum(x * np.array(["a", "b"], object)))(np.ones(2))


@pytest.mark.parametrize("compare", [np.greater, np.less_equal, np.equal])
def test_comparisons_with_arrays_of_traced_numbers_are_recorded(compare: Function) -> None:
    """The array of objects is an operand, and not a constant that outlives the recording."""

    def larger(x: Any) -> Any:
        other = np.array([x[0], x[0] ** 2])
        return np.sum(np.where(compare(x, other), x, other * other))

    compiled = cv.jit(cv.grad(larger))
    for x in (np.array([2.0, 1.0]), np.array([0.3, 0.5]), np.array([0.5, 0.1])) * 2:
        np.testing.assert_allclose(compiled(x), cv.grad(larger)(x))


@pytest.mark.parametrize("inner", [np.sin, lambda x: x * x + x, cv.grad(lambda x: np.sum(np.cos(x) * x))])
def test_a_jitted_function_takes_arrays_of_traced_numbers(inner: Function) -> None:
    compiled, x = cv.jit(inner), np.array([0.3, 0.7])
    expected = cv.grad(lambda x: np.sum(inner(np.stack([x[0], 2.0 * x[1]]))))(x)
    for _ in range(3):
        found = cv.grad(lambda x: np.sum(compiled(np.array([x[0], 2.0 * x[1]]))))(x)
        np.testing.assert_allclose(found, expected)
    assert compiled.cache_info().misses == 1


def test_numpy_calls_binary_functions_of_the_entries() -> None:
    def entries(x: Any) -> Any:
        pair = np.array([x[0], x[1]])
        return np.fmod(pair, -0.7), np.hypot(pair, 2.0 * pair), np.arctan2(pair, pair + 1.0)

    check_values(entries, np.array([0.9, -2.0]))


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (lambda x: np.sum(np.exp(np.array([x, 1.0]))), "np.stack"),
        (lambda x: np.linalg.det(np.array([[x, 1.0], [2.0, x]])), "np.stack"),
        (lambda x: np.arange(3.0)[x.astype(int) + np.zeros(2, int)].sum() * x, "covector.at(table)"),
        (lambda x: np.take(np.arange(3.0), x.astype(int)) * x, "covector.at(table)"),
        (lambda x: sum(entry * x for entry in np.nditer(np.ones(2) * x)), "x.flat"),
        (lambda x: len({x, 2.0 * x}) * x, "unhashable"),
    ],
)
def test_errors_of_numpy_have_a_note_on_what_to_write(function: Function, advice: str) -> None:
    with pytest.raises((TypeError, ValueError, IndexError)) as caught:
        cv.jit(cv.grad(function))(1.0)
    (note,) = caught.value.__notes__
    assert note.startswith("covector: ")
    assert advice in note


def test_errors_of_the_users_own_have_no_note() -> None:
    def failing(x: Any) -> Any:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck") as caught:
        cv.grad(failing)(1.0)
    assert not hasattr(caught.value, "__notes__")


# --- masks and bins -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["set", "add", "subtract", "multiply", "divide", "min", "max"])
@pytest.mark.parametrize("rows", [False, True])
def test_a_recorded_mask_takes_a_single_value(update: str, rows: bool) -> None:
    """How many entries a mask picks is not known under jit and vmap, and for one value need not be."""

    def updated(x: Any, value: Any) -> Any:
        mask = x[:, 0] > 0.1 if rows else x > 0.1
        return np.sum(np.cos(np.arange(12.0)).reshape(3, 4) * getattr(cv.at(x)[mask], update)(value))

    gradient = cv.grad(updated, (0, 1))
    points = [(MATRIX, 0.7), (-MATRIX, 0.3), (MATRIX - 9.0, 0.5)]
    compiled = cv.jit(gradient)
    for x, value in points * 2:
        for found, expected in zip(compiled(x, value), gradient(x, value), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-14)
    batch = cv.vmap(gradient)(np.stack([x for x, _ in points]), np.array([value for _, value in points]))
    for i, point in enumerate(points):
        for found, expected in zip(batch, gradient(*point), strict=True):
            np.testing.assert_allclose(found[i], expected, atol=1e-14)


def test_a_recorded_mask_takes_no_array() -> None:
    with pytest.raises(cv.errors.ConcreteValueError, match="boolean mask"):
        cv.jit(lambda x: cv.at(x)[x > 0].set(np.ones(3)))(MATRIX)
    with pytest.raises(cv.errors.DTypeMismatchError, match="complex128"):
        cv.jit(lambda x: cv.at(x)[x > 0].set(1j))(MATRIX)


def test_unselected_entries_spoil_no_derivative() -> None:
    def rooted(x: Any) -> Any:
        return np.sum(cv.at(x)[x > 0].apply(np.sqrt))

    with np.errstate(invalid="ignore", divide="ignore"):
        found = cv.jit(cv.grad(rooted))(np.array([0.0, 4.0, -1.0]))
    np.testing.assert_array_equal(found, [1.0, 0.25, 1.0])


@pytest.mark.parametrize("edges", [[-1.0, 0.0, 0.5], [0.5, 0.0, -1.0], [0.3], [0.5, 0.5], []])
@pytest.mark.parametrize("right", [False, True])
def test_digitize(edges: list[float], right: bool) -> None:
    check_values(lambda x: np.digitize(x, edges, right), np.array([[-2.0, -1.0, 0.5], [np.nan, np.inf, 0.2]]))


def test_digitize_refuses_edges_in_disorder() -> None:
    with pytest.raises(ValueError, match="monotonically"):
        cv.grad(lambda x: x * np.digitize(x, [1.0, 3.0, 2.0]))(1.5)


@pytest.mark.parametrize("others", [[1.0, np.nan], [[1.0], [2.0]], 1.0, []])
@pytest.mark.parametrize("invert", [False, True])
def test_isin(others: Any, invert: bool) -> None:
    check_function(lambda x: np.isin(x, others, invert=invert), np.array([[1.0, 2.0], [np.nan, 3.0]]))


@pytest.mark.parametrize("window", [((2, 3),), (2, 1), ((2, 2), (0, 0)), ((1, 4), (1, 0))])
def test_sliding_window_view(window: Any) -> None:
    shape = MATRIX.T if window == ((1, 4), (1, 0)) else MATRIX
    check_function(lambda x: np.lib.stride_tricks.sliding_window_view(x, *window), shape)


def test_sliding_window_view_cannot_be_written_to() -> None:
    with pytest.raises(cv.errors.UnsupportedArgumentError, match=r"sliding_window_view .* writeable="):
        cv.grad(lambda x: np.sum(np.lib.stride_tricks.sliding_window_view(x, 2, writeable=True)))(np.ones(3))


def test_geomspace_is_recorded() -> None:
    compiled = cv.jit(cv.grad(lambda x: np.sum(np.geomspace(x, 9.0, 5) ** 2)))
    for x in (1.0, 4.0, 2.0):
        expected = sum(2.0 * (1.0 - k / 4) * x ** (1.0 - k / 2) * 9.0 ** (k / 2) for k in range(5))  # by hand
        np.testing.assert_allclose(compiled(x), expected)
    with pytest.raises(ValueError, match="cannot include zero"):
        compiled(0.0)


# --- dtypes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0.3, [0.3, 0.9], np.float32(0.25), np.array([0.25], np.float32)], ids=repr)
@pytest.mark.parametrize("method", ["linear", "lower", "midpoint", "hazen"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_quantiles_have_the_dtype_that_numpy_gives(part: Any, method: Any, dtype: type) -> None:
    x: Any = np.array([[3, 1, 5], [2, 1, 7]], dtype)
    check_values(lambda x: np.quantile(x, part, axis=1, method=method), x)
    check_values(lambda x: np.nanquantile(x, part, axis=1), x)


def test_a_batch_of_complex_products_is_an_array() -> None:
    """Python's complex times NumPy's float64 is a complex of Python's, but a batch of them is not."""
    compiled, x = cv.jit(cv.vmap(lambda x: ((1 + 0j) * x) / (2j * x + 1.0))), np.array([0.5, 0.6])
    for _ in range(2):
        np.testing.assert_allclose(compiled(x), x / (2j * x + 1.0))
