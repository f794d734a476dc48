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


@pytest.mark.parametrize(("function", "x"), [c[1:] for c in PIECES], ids=[c[0] for c in PIECES])
def test_piecewise_is_compiled_and_batched(function: Function, x: Any) -> None:
    compiled, gradient = cv.jit(function), cv.jit(cv.grad(lambda x: np.sum(function(x) ** 2)))
    for inputs in (x, -x, 3.0 * x - 1.0):
        assert_same(compiled(inputs), function(inputs))
        np.testing.assert_allclose(gradient(inputs), cv.grad(lambda x: np.sum(function(x) ** 2))(inputs))
    check_batching(function, (x,))


def test_piecewise_gives_no_function_entries_that_are_not_its_own() -> None:
    """So that nothing warns, and no derivative is NaN: roots and logarithms of negative entries."""
    signed = cv.jit(cv.value_and_grad(lambda x: np.sum(np.piecewise(x, [x > 0, x < -9], [np.sqrt, np.log, 0.0]))))
    for _ in range(2):
        value, gradient = signed(np.array([-1.0, 4.0, -2.0]))
        assert value == 2.0
        np.testing.assert_array_equal(gradient, [0.0, 0.25, 0.0])


def test_piecewise_with_a_part_without_entries_has_no_derivative_from_it() -> None:
    """Of the part below -1 only in the second call, whose function is NaN everywhere else."""

    def energy(x: Any, scale: Any) -> Any:
        return np.sum(np.piecewise(x, [x < -1.0], [lambda v: scale * v * np.sqrt(-1.0 - v), lambda v: scale * v]))

    compiled = cv.jit(cv.grad(energy, (0, 1)))
    for x in (np.array([1.0, 2.0]), np.array([1.0, -2.0]), np.array([3.0, 2.0]), np.array([-5.0, -2.0])):
        for found, expected in zip(compiled(x, 0.5), cv.grad(energy, (0, 1))(x, 0.5), strict=True):
            np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "piece", [lambda v: v - np.mean(v), lambda v: v / len(v), np.sort, lambda v: v * np.arange(len(v))],
)  # fmt: skip
def test_piecewise_of_unknown_entries_takes_elementwise_functions_only(piece: Function) -> None:
    def centered(x: Any) -> Any:
        return np.piecewise(x, [x < 0], [piece, 1.0])

    assert_same(cv.jvp(centered, (M,), (M,))[0], centered(M))
    for transformed in (cv.jit(centered), cv.vmap(centered)):
        with pytest.raises(ConcreteValueError, match=r"np\.piecewise") as caught:
            transformed(M)
        assert "np.where" in caught.value.__notes__[0]


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
