"""What a subtracted maximum adds to the derivative of softmax cancels, and compiled programs leave it out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv

Function = Callable[..., Any]


def logsumexp(x: Any, axis: Any = -1) -> Any:
    """The logarithm of the sum of exponentials, written as users do."""
    m = np.max(x, axis=axis, keepdims=True)
    return np.squeeze(m, axis) + np.log(np.sum(np.exp(x - m), axis=axis))


def softmax(x: Any, axis: Any = -1) -> Any:
    """Exponentials divided by their sum."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def misaligned(x: Any) -> Any:
    """Exponentials divided by the sums of other rows than their own."""
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1)


CANCELLING: dict[str, Function] = {
    "rows": lambda x: np.mean(logsumexp(x)),
    "columns": lambda x: np.sum(logsumexp(x, 0)),
    "all": lambda x: logsumexp(x, (0, 1)),
    "weighted rows": lambda x: np.sum(logsumexp(x) * np.arange(1.0, 1.0 + len(x))),
    "of differences": lambda x: np.mean(logsumexp(x[:, None] - x[None]) - np.sum(x * x, axis=1)),
    "both axes": lambda x: np.mean(logsumexp(x, 0)) + np.mean(logsumexp(x, 1)),
    "a loss": lambda x: np.mean(logsumexp(x) - x[:, 0]),
    "three axes": lambda x: np.sum(logsumexp(np.stack([x, 2 * x]), (0, 2)) * np.arange(len(x))),
    "dependent weights": lambda x: np.sum(np.sin(logsumexp(x))),
}
REMAINING: dict[str, Function] = {
    "another maximum": lambda x: np.sum(np.exp(x - np.max(x, axis=1, keepdims=True))),
    "half of it": lambda x: np.sum(0.5 * np.max(x, 1) + np.log(np.sum(np.exp(x - np.max(x, 1)[:, None]), axis=1))),
    "the other axis": lambda x: np.sum(np.max(x, 0)) + np.sum(np.log(np.sum(np.exp(x), axis=0))),
    "square": lambda x: np.sum(np.max(x, axis=1) ** 2) + np.sum(softmax(x) ** 2),
    "misaligned": lambda x: np.sum(misaligned(x) ** 2) + np.sum(misaligned(x), axis=0)[0],
    "crossed": lambda x: np.sum(np.log(np.sum(np.exp(x), axis=1)) * np.max(x, axis=0)),
}
FUNCTIONS = CANCELLING | REMAINING

INPUTS = {
    "random": np.random.default_rng(0).normal(size=(5, 5)),
    "ties": np.round(np.random.default_rng(1).normal(size=(5, 5))),
    "equal": np.ones((5, 5)),
    "one": np.full((1, 1), 0.3),
    "Fortran": np.asfortranarray(np.random.default_rng(2).normal(size=(5, 5))),
    "strided": np.random.default_rng(3).normal(size=(10, 15))[::2, ::3],
    "single": np.random.default_rng(4).normal(size=(5, 5)).astype(np.float32),
    "large": np.random.default_rng(5).normal(size=(5, 5)) * 1e3,
    "nan": np.array([[1.0, np.nan], [2.0, 3.0]]),
    "infinite": np.array([[1.0, np.inf], [2.0, 3.0]]),
    "minus infinity": np.array([[1.0, -np.inf], [2.0, 3.0]]),
}


def first_program(function: Function, x: Any) -> str:
    """What is run of the compiled gradient, unless something is infinite or NaN."""
    source: str = cv.jit(cv.grad(function)).lower(x).program.source
    return source.split("_in_numpy(")[0]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", INPUTS)
def test_a_compiled_gradient_is_that_of_the_function(name: str, kind: str) -> None:
    """Also of ties, and where something is infinite or NaN."""
    function, x = FUNCTIONS[name], INPUTS[kind]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = cv.grad(function)(x)
        found = cv.jit(cv.grad(function))(x)
    single = x.dtype == np.float32
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4 if single else 1e-9, atol=1e-5 if single else 1e-12)


@pytest.mark.parametrize("name", CANCELLING)
def test_no_share_is_computed_of_what_cancels(name: str) -> None:
    assert "tie_share" not in first_program(CANCELLING[name], INPUTS["random"])


@pytest.mark.parametrize("name", REMAINING)
def test_a_share_of_what_does_not_cancel_stays(name: str) -> None:
    assert "tie_share" in first_program(REMAINING[name], INPUTS["random"])


def test_there_may_be_no_rows() -> None:
    assert cv.jit(cv.grad(lambda x: np.sum(logsumexp(x))))(np.ones((0, 3))).shape == (0, 3)


def test_the_logarithm_of_a_sum_has_softmax_as_its_derivative() -> None:
    """The closed form, far from zero, where exponentials that nothing is subtracted from overflow."""
    x = np.random.default_rng(6).normal(size=(7, 4)) + 900.0
    expected = np.exp(x - 900.0) / np.sum(np.exp(x - 900.0), axis=1, keepdims=True)
    np.testing.assert_allclose(cv.jit(cv.grad(lambda x: np.sum(logsumexp(x))))(x), expected, rtol=1e-12)


def test_a_derivative_can_be_taken_of_the_compiled_gradient() -> None:
    function = CANCELLING["a loss"]
    x = INPUTS["random"]
    found = cv.jit(cv.hessian(function))(x)
    np.testing.assert_allclose(found, cv.hessian(function)(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cv.hessian(cv.jit(function))(x), found, rtol=1e-9, atol=1e-12)
