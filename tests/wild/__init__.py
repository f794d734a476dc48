"""Programs as people write them: plain NumPy, each with points at which to differentiate it.

A program is a function of arrays, numbers and trees of them, registered by `@program(*points)`. The points of one
program have the same types, so that they make a batch, and take different branches where the program has branches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

Function = Callable[..., Any]
Point = tuple[Any, ...]

PROGRAMS: list[Program] = []

_RNG = np.random.default_rng(7)


@frozen
class Program:
    """A function with points.

    `branching` if Python branches on values, so that a batch has to be refused; not `compiled` if shapes depend on
    values, so that jit refuses it, too. `scale` is the distance over which it changes little, for difference quotients.
    """

    function: Function
    points: tuple[Point, ...]
    branching: bool
    compiled: bool
    scale: float

    @property
    def name(self) -> str:
        return self.function.__name__


def program(
    *points: Point, branching: bool = False, compiled: bool = True, scale: float = 1e-2
) -> Callable[[Function], Function]:
    """Registers a function with the points at which to differentiate it."""

    def register(function: Function) -> Function:
        PROGRAMS.append(Program(function, points, branching or not compiled, compiled, scale))
        return function

    return register


def normal(*shape: int) -> Any:
    """Numbers drawn from the normal distribution."""
    return _RNG.normal(size=shape)


def normal_complex(*shape: int) -> Any:
    """Complex numbers whose parts are drawn from the normal distribution."""
    return normal(*shape) + 1j * normal(*shape)


def uniform(low: float, high: float, *shape: int) -> Any:
    """Numbers drawn uniformly from an interval."""
    return _RNG.uniform(low, high, size=shape)
