"""Functions that many tests differentiate: plain NumPy, with points at which they are smooth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, np.dtype[Any]]

_RNG = np.random.default_rng(1)
POINT = np.array([0.3, -0.8, 1.2])
MATRIX = _RNG.standard_normal((3, 3))
WEIGHTS = {
    "hidden": _RNG.standard_normal((4, 3)),
    "bias": _RNG.standard_normal(4),
    "out": (_RNG.standard_normal(4), 0.3),
}


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def log_sum_exp(x: Any) -> Any:
    return np.log(np.sum(np.exp(x)))


def quadratic_form(x: Any) -> Any:
    return x @ MATRIX @ x


def bounded(x: Any) -> Any:
    return np.sum(np.tanh(MATRIX @ x) * np.cos(x)) / (1.0 + np.sum(x * x))


def product(x: Any) -> Any:
    return x[0] * x[1] * x[2] * np.exp(x[0])


def indexed(x: Any) -> Any:
    """Uses entries in several ways, so that cotangents meet in one place."""
    first, second, third = x
    return first * second + np.sin(third) * x[-1] ** 2 + np.sum(x[np.array([0, 0, 2])] * x)


def griewank(x: Any, y: Any) -> Any:
    """The example of evaluation traces, of two numbers."""
    return np.log(x) + x * y - np.sin(y)


def network(weights: Any, x: Any) -> Any:
    """One hidden layer, on a tree of weights; one output."""
    hidden = np.tanh(weights["hidden"] @ x + weights["bias"])
    last, offset = weights["out"]
    return hidden @ last + offset


def curve(t: Any) -> Any:
    """From numbers to vectors."""
    return np.stack([np.cos(t), np.sin(t) * t, np.exp(-t)])


def field(x: Any) -> Any:
    """From vectors to vectors of another length."""
    return np.array([x[0] * x[1], np.sin(x[2]), np.sum(x * x), x[0] / (2.0 + x[1] ** 2)])


SCALAR_FUNCTIONS: list[Callable[[Any], Any]] = [rosenbrock, log_sum_exp, quadratic_form, bounded, product, indexed]
VECTOR_FUNCTIONS: list[Callable[[Any], Any]] = [field, lambda x: MATRIX @ np.sin(x), lambda x: np.cumsum(x) * x]

each_scalar = pytest.mark.parametrize("function", SCALAR_FUNCTIONS, ids=lambda f: f.__name__)
each_vector = pytest.mark.parametrize("function", VECTOR_FUNCTIONS, ids=["field", "matrix of sin", "cumsum"])


def counted(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
    """The function, and a list that grows by the first argument whenever it is called."""
    calls: list[Any] = []

    def counting(*args: Any) -> Any:
        calls.append(args[0])
        return function(*args)

    return counting, calls


def directions(count: int, like: Array = POINT, seed: int = 2) -> list[Array]:
    """Random directions of the shape of an array."""
    return list(np.random.default_rng(seed).standard_normal((count, *like.shape)))


def numerical_jacobian(function: Callable[[Any], Any], x: Array, step: float = 1e-5) -> Array:
    """Central differences, column by column, with the error of their leading term removed."""
    columns = []
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = 1.0
        wide, narrow = (
            (np.asarray(function(x + h * unit)) - np.asarray(function(x - h * unit))) / (2.0 * h)
            for h in (100.0 * step, 50.0 * step)
        )
        columns.append((4.0 * narrow - wide) / 3.0)
    stacked = np.stack(columns, axis=-1)
    return stacked.reshape((*stacked.shape[:-1], *x.shape))


def numerical_hessian(function: Callable[[Any], Any], x: Array) -> Array:
    """Differences of differences."""
    return numerical_jacobian(lambda y: numerical_jacobian(function, y, 1e-4), x, 1e-4)
