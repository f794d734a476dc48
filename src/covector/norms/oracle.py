"""A norm asked for its value and a subgradient again and again, and what searches within a search remember.

A search evaluates the same small program hundreds of times. After the first few it is compiled: recorded for vectors of
that length, simplified, so that what the norm and its subgradient share is computed once, and run as NumPy source. A
function that branches on its argument cannot be recorded, and runs as it is.

A norm may itself have to be searched for, at every vector of an outer search: such as hypot(minkowski(N1, N2), N3).
While the outer search runs, the inner ones share a `Memory`: they keep their compiled programs, begin where the last
one ended, and give the value and the subgradient at one vector by one search.

    >>> import numpy as np
    >>> oracle = Oracle(lambda v: [np.sqrt(v @ v), v / np.sqrt(v @ v)], ())
    >>> [oracle(np.array([3.0, 4.0]))[0] for _ in range(AFTER + 1)][-1]
    5.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, final

import numpy as np

from covector.compile.compiled import CompiledGraph
from covector.compile.simplify import simplified
from covector.core.types import Array, typeof
from covector.errors import CovectorError
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.staging import record_flat
from covector.norms.layout import magnitude

Program = Callable[..., Sequence[Array]]
"""program(v, *values): the norm of v and a subgradient there; the values are what the norm refers to."""

AFTER = 25
"""How many evaluations there are before a program is worth compiling."""


@final
class Repeated:
    """A flat function of plain arrays of one type each, compiled after some calls, if it can be recorded."""

    def __init__(self, function: Callable[..., Sequence[Array]]) -> None:
        self.function, self.calls = function, 0
        self._run = function

    def __call__(self, *inputs: Array) -> Sequence[Array]:
        self.calls += 1
        if self.calls == AFTER:
            self._run = self._compiled(inputs)
        return self._run(*inputs)

    def _compiled(self, inputs: Sequence[Array]) -> Callable[..., Sequence[Array]]:
        try:
            graph = record_flat(self.function, [typeof(x) for x in inputs], "a norm")
        except CovectorError:
            return self.function
        return CompiledGraph(simplified(graph), "norm").program.function


@final
class Oracle:
    """The value of a norm over `unit` and a subgradient, and products with the Hessian of half its square.

    A unit of None is the power of two next to the first value, so that a norm of values near 1e150 is one near 1.
    """

    def __init__(self, program: Program, values: Sequence[Array], unit: float | None = 1.0) -> None:
        self.values = tuple(values)      # to keep them alive
        self._unit = unit
        self._pair = Repeated(lambda vector: program(vector, *values))
        self._image = Repeated(lambda vector, direction: half_square_hessian(program, vector, direction, *values))

    @property
    def unit(self) -> float:
        """The unit of the values."""
        return 1.0 if self._unit is None else self._unit

    def __call__(self, vector: Array) -> tuple[float, Array]:
        length, slope = self._pair(vector)
        if self._unit is None and 0 < length < np.inf:
            self._unit = float(magnitude(np.asarray(length, float)))
        return float(length) / self.unit, np.asarray(slope) / self.unit

    def hessian(self, vector: Array, direction: Array) -> Array:
        """F'(vector) times a direction, for F = grad(N^2 / 2)."""
        (image,) = self._image(vector, direction)
        return np.asarray(image) / self.unit / self.unit


def half_square_gradient(program: Program, vector: Array, *values: Array) -> Array:
    """F(v) = N(v) s(v)."""
    length, slope = program(vector, *values)
    return length * slope


def half_square_hessian(program: Program, vector: Array, direction: Array, *values: Array) -> Sequence[Array]:
    """F'(v) times a direction."""
    _, (image,) = jvp_flat(
        lambda v: [half_square_gradient(program, v, *values)], [vector], [direction], "the Hessian of a norm"
    )
    return [np.zeros_like(vector) if image is None else image]


@final
class Memory:
    """What is known of each norm that is searched for: its oracle, and the last search."""

    def __init__(self) -> None:
        self._known: dict[Any, Known] = {}

    def of(self, program: Program, values: Sequence[Array]) -> Known:
        """What is known of a norm."""
        key = (program, *map(id, values))      # the oracle keeps the values alive
        return self._known.setdefault(key, Known(Oracle(program, values, None)))


@final
class Known:
    """An oracle, the covector of the last search with it, and what that found."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.covector: Array | None = None
        self.found: Any = None


_MEMORY: ContextVar[Memory | None] = ContextVar("the memory of the search that is running", default=None)


@contextmanager
def shared_memory() -> Iterator[Memory]:
    """The memory of the search that is running; a new one if none is."""
    memory = _MEMORY.get()
    if memory is not None:
        yield memory
        return
    memory = Memory()
    token = _MEMORY.set(memory)
    try:
        yield memory
    finally:
        _MEMORY.reset(token)
