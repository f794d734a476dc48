"""The ufunc protocol beyond plain calls: options, methods, in-place operators, unknown ufuncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import covector as cv
from covector.core.protocol import table
from covector.errors import CovectorError, UnsupportedArgumentError, UnsupportedFunctionError
from covector.testing import check_grads
from tests.agreement import check_function, check_values

Function = Callable[..., Any]

RNG = np.random.default_rng(0)
X = RNG.permutation(np.linspace(-2.0, 2.5, 24)).reshape(2, 3, 4)
Y = np.array([0.5, -1.5, 2.5])
MASK = np.arange(24).reshape(2, 3, 4) % 5 != 2


# --- methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.add.reduce(x),
        lambda x: np.add.reduce(x, axis=(0, 2), keepdims=True),
        lambda x: np.add.reduce(x, axis=None),
        lambda x: np.multiply.reduce(x, axis=1),
        lambda x: np.multiply.reduce(x, axis=(1, 2), initial=3.0),
        lambda x: np.maximum.reduce(x),
        lambda x: np.minimum.reduce(x, axis=-1),
        lambda x: np.fmax.reduce(x, axis=1),
        lambda x: np.fmin.reduce(x, axis=1),
        lambda x: np.logaddexp.reduce(x, axis=1),
        lambda x: np.logaddexp.reduce(x, axis=(0, 2), keepdims=True),
        lambda x: np.logaddexp.reduce(x, axis=None),
        lambda x: np.add.reduce(x, axis=1, where=MASK),
        lambda x: np.logical_and.reduce(x > 0, axis=1),
        lambda x: np.logical_or.reduce(x > 0),
        lambda x: np.add.reduce(x, dtype=np.float32),
        lambda x: np.logaddexp.reduce(x, axis=1, where=MASK, initial=-1.0),
    ],
)
def test_reduce(function: Function) -> None:
    check_function(function, X)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.logaddexp])
def test_accumulate(ufunc: Any) -> None:
    check_function(lambda x: ufunc.accumulate(x), X[:, 0])
    check_function(lambda x: ufunc.accumulate(x, axis=-1), X[:, 0])
    check_values(lambda x: ufunc.accumulate(x), X[:, 0].astype(np.float32))


def test_running_extremes_share_among_those_that_attained_them() -> None:
    x = np.array([1.0, 2.0, 2.0, 0.0, 2.0, 3.0])
    third = [0.0, 1 / 3, 1 / 3, 0.0, 1 / 3, 0.0]
    expected = [
        [1.0, 0, 0, 0, 0, 0],
        [0, 1.0, 0, 0, 0, 0],
        [0, 0.5, 0.5, 0, 0, 0],
        [0, 0.5, 0.5, 0, 0, 0],
        third,
        [0, 0, 0, 0, 0, 1.0],
    ]
    np.testing.assert_allclose(cv.jacrev(np.maximum.accumulate)(x), expected)
    np.testing.assert_allclose(cv.jacfwd(np.minimum.accumulate)(-x), expected)


def test_log_sum_exp_of_infinities() -> None:
    x = np.array([-np.inf, -np.inf])
    assert np.logaddexp.reduce(x) == cv.vjp(np.logaddexp.reduce, x)[0]
    np.testing.assert_array_equal(cv.grad(np.logaddexp.reduce)(x), [0.5, 0.5])
    np.testing.assert_array_equal(cv.grad(np.logaddexp.reduce)(np.array([-np.inf, 0.0])), [0.0, 1.0])
    np.testing.assert_array_equal(
        cv.jacrev(np.logaddexp.accumulate)(np.array([-np.inf, 0.0])), [[1.0, 0.0], [0.0, 1.0]]
    )


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.arctan2, np.maximum, np.power, np.less])
def test_outer(ufunc: Any) -> None:
    check_function(lambda x, y: ufunc.outer(np.abs(x), y), X[0, :2], Y, order=1)
    check_values(lambda x: ufunc.outer(x, 2.0), np.abs(X[0]))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: np.subtract.reduce(x), r"numpy\.subtract\.reduce"),
        (lambda x: np.hypot.accumulate(x), r"numpy\.hypot\.accumulate"),
        (lambda x: np.add.reduceat(x, [0, 1]), r"numpy\.add\.reduceat"),
        (lambda x: np.add.at(x, [0], 1.0), r"x\.at\[indices\]"),
        (lambda x: np.add.at(np.zeros(3), [0], x[0, 0, 0]), r"x\.at\[indices\]"),
    ],
)
def test_other_methods_are_refused_by_name(function: Function, name: str) -> None:
    with pytest.raises(UnsupportedFunctionError, match=name):
        cv.jvp(function, (X,), (X,))


# --- options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.add(x, 1.0, dtype=np.float32),
        lambda x: np.sin(x, dtype=np.float32),
        lambda x: np.add(x, 1, dtype=complex),
        lambda x: np.multiply(x, Y.astype(np.float32)[0], dtype=np.float64),
        lambda x: np.exp(x, where=True, casting="same_kind"),
        lambda x: np.sqrt(np.abs(x), order="K", subok=True),
    ],
)
def test_options_that_are_honoured(function: Function) -> None:
    check_values(function, X)
    check_values(lambda x: np.less(x, 1.0, dtype=bool), X)
    check_grads(function, (X,), order=1)


def test_dtypes_that_numpy_would_not_cast_to_raise_its_error() -> None:
    with pytest.raises(TypeError, match="same_kind"):
        cv.jvp(lambda x: np.add(x, 1.0, dtype=np.int64), (X,), (X,))


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (lambda x: np.sin(x, out=np.zeros_like(X)), r"y = numpy\.sin"),
        (lambda x: np.sin(X, out=x), "changed in place"),
        (lambda x: np.log(x, where=MASK), r"np\.where\(mask, numpy\.log"),
        (lambda x: np.exp(x, casting="unsafe"), "casting="),
        (lambda x: np.add.reduce(x, out=np.zeros((3, 4))), "out="),
        (lambda x: np.maximum.accumulate(x, dtype=np.float32), "astype"),
        (lambda x: np.exp(x, order="F"), "order="),
    ],
)
def test_options_that_are_refused(function: Function, advice: str) -> None:
    with pytest.raises(UnsupportedArgumentError, match=advice):
        cv.jvp(function, (X,), (X,))


def test_adding_into_a_plain_array_is_refused_with_what_to_write() -> None:
    def function(x: Any) -> Any:
        total = np.zeros(3)
        total += x
        return np.sum(total)

    with pytest.raises(UnsupportedArgumentError, match=r"write a = a \+ x"):
        cv.grad(function)(Y)


def test_in_place_operators_on_traced_temporaries_make_new_values() -> None:
    def function(x: Any) -> Any:
        y = x * 2.0
        z = y
        y += x
        y *= y
        return np.sum(y + z)

    np.testing.assert_allclose(cv.grad(function)(Y), 18.0 * Y + 2.0)


# --- other ufuncs -----------------------------------------------------------------------------------------


def test_ufuncs_without_a_rule_are_refused_by_name() -> None:
    mine = np.frompyfunc(abs, 1, 1)
    for function, name in ((mine, "abs"), (scipy.special.airy, "airy"), (scipy.special.ellipk, "ellipk")):
        with pytest.raises(UnsupportedFunctionError, match=name):
            cv.grad(lambda x, f=function: f(x))(1.0)


def test_functions_written_with_frompyfunc_see_traced_entries() -> None:
    with pytest.raises(CovectorError):
        cv.grad(lambda x: np.frompyfunc(lambda t: t, 1, 1)(x))(1.0)


def test_scipy_ufuncs_take_options_too() -> None:
    check_values(lambda x: scipy.special.erf(x, dtype=np.float32), X)
    with pytest.raises(UnsupportedArgumentError, match="out="):
        cv.grad(lambda x: scipy.special.erf(x, out=np.zeros(())))(1.0)


def test_every_ufunc_of_numpy_is_covered() -> None:
    ufuncs = {f for f in vars(np).values() if isinstance(f, np.ufunc)} - {np.isnat}
    assert not [f.__name__ for f in ufuncs if f not in table.ufuncs]
