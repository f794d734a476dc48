"""Sorting and searching: derivatives move with their entries, and tied entries share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.errors import UnsupportedArgumentError, UnsupportedFunctionError
from tests.agreement import check_function, check_values

Function = Callable[..., Any]

RNG = np.random.default_rng(0)
VECTOR, VALUES = np.array([1.0, 2.0, 2.0, 4.0]), np.array([[0.5, 2.0], [5.0, 4.0]])
X = RNG.permutation(np.linspace(-2.0, 2.5, 24)).reshape(2, 3, 4)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
@pytest.mark.parametrize(
    "function",
    [
        np.sort,
        np.argsort,
        lambda x, axis: np.partition(x, 1, axis=axis),
        lambda x, axis: np.partition(x, (0, -1), axis=axis),
        lambda x, axis: np.argpartition(x, 1, axis=axis),
        lambda x, axis: np.sort(x, axis, kind="stable"),
    ],
)
def test_every_axis(function: Function, axis: int | None) -> None:
    check_function(lambda x: function(x, axis=axis), X)


@pytest.mark.parametrize("function", [np.sort, np.argsort, np.sort_complex, lambda x: np.partition(x, 2), np.unique])
def test_dtypes(function: Function) -> None:
    for x in (X[0].astype(np.float32), np.array([[3, 1, 2]], np.int8), X[0] + 1j * X[1]):
        if function is not np.unique:
            check_values(function, x)


def test_complex_numbers_sort_by_their_real_parts() -> None:
    check_function(np.sort, X[0] + 1j * X[1])
    check_function(np.sort_complex, X[0, 0])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=7))
def test_tied_entries_share_equally(entries: list[int]) -> None:
    """The derivative of the k-th entry is the mean of the derivatives of all entries equal to it."""
    x = np.array(entries, float)
    ordered = np.sort(x)
    expected = [(x == value) / np.sum(x == value) for value in ordered]
    np.testing.assert_allclose(cv.jacfwd(np.sort)(x), expected, rtol=1e-15)
    np.testing.assert_allclose(cv.jacrev(np.sort)(x), expected, rtol=1e-15)
    np.testing.assert_allclose(cv.grad(lambda x: np.sort(x)[-1])(x), cv.grad(np.max)(x))
    np.testing.assert_allclose(cv.grad(lambda x: np.sort(x)[0])(x), cv.grad(np.min)(x))
    k = len(x) // 2
    np.testing.assert_allclose(cv.jacrev(lambda x: np.partition(x, k)[k])(x), expected[k])


def test_ties_along_several_lines_at_once() -> None:
    x = np.array([[1.0, 2.0, 1.0, 1.0], [3.0, 3.0, 2.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    weights = np.arange(12.0).reshape(3, 4)
    gradient = cv.grad(lambda x, weights, axis: np.sum(np.sort(x, axis) * weights))
    rows = [gradient(line, weight, 0) for line, weight in zip(x, weights, strict=True)]
    np.testing.assert_allclose(gradient(x, weights, 1), rows)
    columns = [gradient(line, weight, 0) for line, weight in zip(x.T, weights.T, strict=True)]
    np.testing.assert_allclose(gradient(x, weights, 0), np.transpose(columns))


def test_nan_and_infinity_sort_last() -> None:
    x = np.array([np.nan, 1.0, np.inf, -np.inf, np.nan])
    check_values(np.sort, x)
    np.testing.assert_array_equal(cv.grad(lambda x: np.sort(x)[1])(x), [0.0, 1.0, 0.0, 0.0, 0.0])


def test_the_median_of_tied_entries() -> None:
    np.testing.assert_allclose(cv.grad(np.median)(np.array([1.0, 2.0, 2.0, 3.0])), [0.0, 0.5, 0.5, 0.0])


def test_second_derivatives_of_what_is_sorted() -> None:
    x = X[0, 0]
    hessian = cv.hessian(lambda x: np.sum(np.sort(x) ** 3))(x)
    np.testing.assert_allclose(hessian, np.diag(6 * x))
    np.testing.assert_allclose(cv.jacfwd(cv.jacfwd(lambda x: np.sum(np.partition(x, 2) ** 3)))(x), np.diag(6 * x))


@pytest.mark.parametrize("side", ["left", "right"])
def test_searching_from_either_side(side: Literal["left", "right"]) -> None:
    check_function(lambda a, v: np.searchsorted(a, v, side=side), VECTOR, VALUES, batching=False)
    check_function(lambda a, v: np.searchsorted(a, v, side=side), VECTOR, np.array([0.51, 1.7, 9.0]))


def test_searching() -> None:
    check_values(lambda a, v: np.searchsorted(a, v, sorter=np.array([3, 2, 1, 0])), VECTOR[::-1].copy(), VALUES)
    check_values(lambda a, v: a.searchsorted(v), VECTOR, 3.0)
    anything: Any = "middle"
    with pytest.raises(ValueError, match="side"):
        cv.grad(lambda v: np.searchsorted(VECTOR, v, side=anything))(2.5)


def test_orders_by_several_keys() -> None:
    check_function(lambda x, y: np.lexsort((x, y)), np.array([3.0, 1.0, 2.0, 0.5]), np.array([0.0, 0.0, 1.0, 1.0]))
    check_function(lambda x: np.lexsort(x, axis=0), X)


def test_equal_entries_come_in_the_order_of_the_kind_of_sort() -> None:
    x = np.random.default_rng(0).integers(0, 5, 200).astype(float)
    kinds: tuple[Any, ...] = (None, "quicksort", "heapsort", "stable", "mergesort")
    for kind in kinds:
        order = cv.jit(lambda x, kind=kind: np.argsort(x, kind=kind))
        for _ in range(2):
            np.testing.assert_array_equal(order(x), np.argsort(x, kind=kind))
        rows = x.reshape(4, 50)
        np.testing.assert_array_equal(cv.vmap(order)(rows), np.argsort(rows, kind=kind))


def test_a_kind_of_sort_that_there_is_not_is_refused_as_numpy_does() -> None:
    wrong: Any = "nonsense"
    for function in (np.sort, np.argsort):
        with pytest.raises(ValueError, match="sort kind must be"):
            cv.jit(lambda x, function=function: function(x, kind=wrong))(np.ones(2))
        with pytest.raises(ValueError, match="can't be provided at the same time"):
            cv.jit(lambda x, function=function: function(x, kind="stable", stable=True))(np.ones(2))


def test_what_sorts_in_place_is_refused() -> None:
    for function in (lambda x: x.sort(), lambda x: x.partition(1)):
        with pytest.raises(UnsupportedArgumentError, match=r"x = np\.sort\(x\)"):
            cv.jvp(function, (X,), (X,))


def test_what_depends_on_values_for_its_shape_is_refused() -> None:
    with pytest.raises(UnsupportedFunctionError, match=r"numpy\.unique"):
        cv.jvp(np.unique, (X,), (X,))


def test_places_out_of_range_raise_as_numpy_does() -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        cv.jvp(lambda x: np.partition(x, 4), (X,), (X,))
