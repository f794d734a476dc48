"""Minimization by the BFGS method, which converges in practice on functions with kinks too.

Up to its length, the direction for g minimizes the convex function N(v)^2 / 2 - <g, v>. Up to `LARGEST` variables the
estimate of the inverse Hessian is a matrix; beyond, it is that of the last few steps.

    >>> path = []
    >>> def bowl(x):
    ...     path.append(x)
    ...     return float(np.sum(np.array([1.0, 100.0]) * x * x)) / 2, np.array([1.0, 100.0]) * x
    >>> quasi_newton(bowl, np.array([1.0, 1.0]))
    >>> bool(np.max(np.abs(path[-1])) < 1e-6)
    True

Source: A. Lewis and M. Overton, Nonsmooth optimization via quasi-Newton methods (2013); J. Nocedal, Updating
quasi-Newton matrices with limited storage (1980).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import numpy as np

from covector.core.types import Array

Function = Callable[[Array], tuple[float, Array]]
"""The value of a function, and a gradient or subgradient."""

LARGEST = 500
"""Variables up to which the inverse Hessian is a matrix."""

MEMORY = 20
"""Steps that are remembered beyond."""


class InverseHessian(ABC):
    """An estimate of the inverse Hessian from the steps taken."""

    @abstractmethod
    def times(self, gradient: Array) -> Array:
        """Its product with a gradient."""

    @abstractmethod
    def update(self, change: Array, turn: Array) -> None:
        """Learns that a step changed the gradient so; <change, turn> is positive."""


@final
class Dense(InverseHessian):
    """A matrix."""

    def __init__(self, size: int) -> None:
        self.matrix = np.eye(size)
        self.fresh = True

    def times(self, gradient: Array) -> Array:
        return self.matrix @ gradient

    def update(self, change: Array, turn: Array) -> None:
        curvature = float(np.dot(change, turn))
        if self.fresh:
            self.matrix, self.fresh = self.matrix * (curvature / float(np.dot(turn, turn))), False
        image = self.matrix @ turn
        scale = 1.0 + float(np.dot(turn, image)) / curvature
        cross = np.outer(image, change)
        self.matrix = self.matrix + (scale * np.outer(change, change) - cross - cross.T) / curvature


@final
class LimitedMemory(InverseHessian):
    """The last steps and what they did to the gradient."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Array, Array, float]] = []

    def times(self, gradient: Array) -> Array:
        shares = []
        for change, turn, curvature in reversed(self.pairs):
            shares.append(float(np.dot(change, gradient)) / curvature)
            gradient = gradient - shares[-1] * turn
        if self.pairs:
            _, turn, curvature = self.pairs[-1]
            gradient = gradient * (curvature / float(np.dot(turn, turn)))
        for change, turn, curvature in self.pairs:
            gradient = gradient + (shares.pop() - float(np.dot(turn, gradient)) / curvature) * change
        return gradient

    def update(self, change: Array, turn: Array) -> None:
        self.pairs = [*self.pairs[1 - MEMORY :], (change, turn, float(np.dot(change, turn)))]


def quasi_newton(function: Function, start: Array) -> None:
    """BFGS steps from a starting point until none lowers the function; the function sees all points."""
    size = len(start)
    hessian: InverseHessian = Dense(size) if size <= LARGEST else LimitedMemory()
    point, (value, gradient) = start, function(start)
    for _ in range(40 * size + 200 if size <= LARGEST else 1000):
        direction = -hessian.times(gradient)
        slope = float(np.dot(gradient, direction))
        if not slope < 0:
            return
        step, after, new = weak_wolfe(function, point, direction, value, slope)
        change, turn = step * direction, new - gradient
        if not after < value or not float(np.dot(change, turn)) > 0:
            return
        hessian.update(change, turn)
        point, value, gradient = point + change, after, new


def weak_wolfe(
    function: Function, point: Array, direction: Array, value: float, slope: float
) -> tuple[float, float, Array]:
    """A step that lowers the function enough and after which the slope has risen, by bisection and doubling."""
    low, high, step = 0.0, np.inf, 1.0
    after, gradient = function(point + direction)
    for _ in range(60):
        if after > value + 1e-4 * step * slope:
            high = step
        elif float(np.dot(gradient, direction)) < 0.5 * slope:
            low = step
        else:
            break
        step = (low + high) / 2 if high < np.inf else 2 * step
        after, gradient = function(point + step * direction)
    return step, after, gradient
