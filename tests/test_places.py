"""Functions of index arrays, and functions that apply a user's function along axes or by places."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcreteValueError, UnsupportedArgumentError
from covector.testing import check_batching, check_grads
from tests.test_shapes import assert_same, check

Function = Callable[..., Any]

RNG = np.random.default_rng(0)
V = RNG.standard_normal(4)
M = RNG.standard_normal((2, 3))
T = RNG.standard_normal((2, 3, 4))
ANY: Any = np  # for calls that the type checker would refuse too

APPLIED: list[tuple[str, Function, Any]] = [
    ("apply_along_axis", lambda x: np.apply_along_axis(lambda v: np.sum(v * v), 1, x), T),
    ("apply_along_axis vectors", lambda x: np.apply_along_axis(lambda v: v[:2] * v[0], 0, x), T),
    ("apply_along_axis matrices", lambda x: np.apply_along_axis(np.diag, -1, x), T),
    ("apply_along_axis options", lambda x: np.apply_along_axis(np.roll, 0, x, 1), M),
    ("apply_along_axis vector", lambda x: np.apply_along_axis(np.flip, 0, x), V),
    ("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, 2]), T),
    ("apply_over_axes one", lambda x: np.apply_over_axes(np.sum, x, 1), T),
    ("vander", lambda x: np.vander(x), V),
    ("vander increasing", lambda x: np.vander(x, 3, increasing=True), V),
    ("vander one", lambda x: np.vander(x, 1) * x[0], V),
    ("bincount", lambda x: np.bincount([0, 2, 2, 1], x, minlength=5) ** 2, V),
]


@pytest.mark.parametrize(("function", "x"), [c[1:] for c in APPLIED], ids=[c[0] for c in APPLIED])
def test_applying_agrees_with_numpy(function: Function, x: Any) -> None:
    if "bincount" in repr(function.__code__.co_names):
        check_grads(function, (x,))
        check_batching(function, (x,))
        assert_same(cv.vjp(function, x.astype(np.float32))[0], function(x.astype(np.float32)))
    else:
        check(lambda x: function(x), x)


PIECES: list[tuple[str, Function, Any]] = [
    ("two", lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda x: -(x**2), lambda x: x**3]), V),
    ("otherwise", lambda x: np.piecewise(x, [x < -1, x > 1], [np.sin, 2.0, lambda x: x * x]), 2 * V),
    ("options", lambda x: np.piecewise(x, [x > 0], [lambda x, a, b: a * x + b, 0.0], 2.0, b=3.0), M),
    ("one mask", lambda x: np.piecewise(x, x > 0, [np.sin, np.cos]), V),
    ("last wins", lambda x: np.piecewise(x, [x > -9, x > 0], [np.sin, np.cos]), V),
    ("number", lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda x: -x, lambda x: x * x]), np.float64(1.5)),
]


@pytest.mark.parametrize(("function", "x"), [c[1:] for c in PIECES], ids=[c[0] for c in PIECES])
def test_piecewise_agrees_with_numpy(function: Function, x: Any) -> None:
    assert_same(cv.jvp(lambda x: function(x), (x,), (x,))[0], function(x))
    check_grads(lambda x: function(x), (x,))


def test_piecewise_of_a_batch_is_refused() -> None:
    with pytest.raises(ConcreteValueError, match=r"np\.piecewise"):
        cv.vmap(lambda x: np.piecewise(x, [x < 0], [-1.0, 1.0]))(M)


def test_batched_places() -> None:
    i, j = np.array([0, 1, 1]), np.array([2, 0, 1])
    check_batching(lambda i: np.unravel_index(i, (2, 3)), (np.array([5, 0, 3]),))
    check_batching(lambda i: np.unravel_index(i, (2, 3, 4), order="F"), (np.array([5, 23, 3]),))
    check_batching(lambda i, j: np.ravel_multi_index((i, j), (2, 3)), (i, j))
    check_batching(lambda i, j: np.ravel_multi_index((i, j), (2, 3), order="F"), (i, j))
    check_batching(lambda i, j: np.ix_(i, j, [True, False, True]), (i, j))
    found = cv.vmap(lambda x: x[np.unravel_index(np.argmax(x), x.shape)])(np.stack([M, -M]))
    np.testing.assert_array_equal(found, [M.max(), (-M).max()])


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda i: ANY.unravel_index(i + 6, (2, 3)), IndexError),
        (lambda i: ANY.ravel_multi_index((i, i + 9), (2, 3)), IndexError),
        (lambda i: ANY.ravel_multi_index((i, i), (2, 3), mode="clip"), UnsupportedArgumentError),
        (lambda i: ANY.ix_(i[:, None]), ValueError),
        (lambda i: ANY.bincount(i), ConcreteValueError),
    ],
)
def test_wrong_places_are_refused(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.vmap(function)(np.array([[0, 1]]))


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda x: ANY.bincount([0, 1], x), ValueError),
        (lambda x: ANY.bincount([0, 1, 1, 0], x * 1j), TypeError),
        (lambda x: ANY.vander(x[None]), ValueError),
        (lambda x: ANY.apply_along_axis(np.sum, 0, x[:0].reshape(3, 0)), ValueError),
        (lambda x: ANY.apply_along_axis(np.sum, 1, x), np.exceptions.AxisError),
        (lambda x: ANY.apply_over_axes(lambda x, axis: x[None, None], x, 0), ValueError),
        (lambda x: ANY.piecewise(x, [x < 0], [1.0, 2.0, 3.0]), ValueError),
    ],
)
def test_what_numpy_refuses_is_refused(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.vjp(function, V)


def test_copies_of_traced_arrays_stay_traced() -> None:
    def function(parameters: Any) -> Any:
        first, second = copy.deepcopy(parameters), copy.copy(parameters["x"])
        return np.sum(first["x"] * second)

    np.testing.assert_array_equal(cv.grad(function)({"x": V})["x"], 2 * V)


def test_functions_of_indices_call_the_function_with_plain_ones() -> None:
    check(lambda x: np.fromfunction(lambda i, j: x[0] * i + x[1] * j, (2, 3)), V)
