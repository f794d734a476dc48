"""Functions to descend on, and what descent does, for the tests of optimizers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import covector as cv
from covector.optimize import Optimizer
from covector.optimize.arithmetic import mixture

RNG = np.random.default_rng(2)
ROOT = RNG.normal(size=(8, 6))
HESSIAN = ROOT.T @ ROOT + 0.1 * np.eye(6)
TARGET = RNG.normal(size=6)
START = RNG.normal(size=6)


def bowl(x: Any) -> Any:
    return 0.5 * x @ HESSIAN @ x - TARGET @ x


def bowl_gradient(x: Any) -> Any:
    return HESSIAN @ x - TARGET


def rosenbrock(x: Any) -> Any:
    return np.sum(10.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(np.max(np.abs(wanted), initial=0)))


def hessian_product(function: Any, x: Any, v: Any) -> Any:
    return cv.hvp(function, (x,), (v,))


def trajectory(optimizer: Optimizer, function: Any, x: Any, steps: int = 50) -> list[Any]:
    """The parameters after each step."""
    derivative, state, found = cv.value_and_grad(function), optimizer.init(x), []
    for _ in range(steps):
        value, gradient = derivative(x)
        product = partial(hessian_product, function, x)
        updates, state = optimizer.update(gradient, state, x, value=value, function=function, product=product)
        x = mixture((1.0, x), (1.0, updates))
        found.append(x)
    return found
