"""Operations whose parameters are graphs, written into the emitted source as the Python that they stand for.

A loop becomes a `for`, a branch an `if`; what they repeat or choose between is written as the program around it is:

    carry_1 = x
    ys_1 = np.empty(1000)
    for i_1, x_1 in zip(range(1000), xs):
        ys_1[i_1] = carry_1
        sin_1 = np.sin(carry_1)
        carry_1 = sin_1 + x_1

If all its values are single numbers, the loop works on Python's numbers. Where Python raises, an alternative of the
whole program runs, in which it works on NumPy's.

The operations themselves are defined where users call them. Here is what the emitter asks of them, and the
`Scope` in which they are written.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from covector.core.primitive import Primitive
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph

Lines = list[str]


class Scope(Protocol):
    """The place in a program at which a structured operation is written."""

    numbers: bool
    """Whether the values are Python's numbers rather than NumPy's."""

    attempts: bool
    """Whether a loop may work on Python's numbers, because something else runs where Python raises."""

    attempted: list[Equation]
    """The loops that do."""

    equations: tuple[Equation, ...]
    """The equations of the graph that the operation is in."""

    kept: dict[Any, str]
    """Where loops that were written before have kept what their reverse needs."""

    def fresh(self, stem: str) -> str:
        """A name that is not used yet."""

    def refer(self, stem: str, value: Any) -> str:
        """The name under which the program finds a value."""

    def operand(self, atom: Atom) -> str:
        """A variable or literal as source."""

    def known(self, text: str) -> Any:
        """The value that the program finds under a name; None if it is no such name."""

    def block(self, graph: Graph, arguments: Sequence[str], numbers: bool) -> tuple[Lines, list[str]]:
        """The statements of a graph whose inputs are the arguments, and its outputs as source."""


class Composite(Primitive):
    """An operation that may be written in terms of others, which take its place in the graph before it is emitted."""

    __slots__ = ()

    @abstractmethod
    def expansion(self, *inputs: ArrayType) -> Graph | None:
        """The graph of the operation, for inputs of these types; None if it is to be written itself."""


class Structured(Composite):
    """An operation that is written as statements."""

    __slots__ = ()

    @property
    @abstractmethod
    def shared(self) -> int:
        """How many outputs may be anyone's arrays; those that come after them are new ones."""

    @property
    @abstractmethod
    def graphs(self) -> Sequence[Graph]:
        """The graphs that are written in place."""

    def needing(self, outputs: Sequence[int]) -> Reduced | None:
        """What computes no more than these outputs need; None if that is the operation itself."""
        return None

    @abstractmethod
    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        """The statements, and the names of the outputs, which nothing else is called."""


Reduced = tuple[Structured, Sequence[int], Sequence[int]]
"""An operation, and which inputs and outputs of another one it has."""


class Stepped(Structured):
    """A loop of one graph, whose outputs belong to those of the loop, and some to the inputs of the next step."""

    __slots__ = ()

    @property
    @abstractmethod
    def fed_back(self) -> Mapping[int, int]:
        """The inputs of the graph that come from the step before, by the outputs that they are there."""

    @abstractmethod
    def with_graph(self, graph: Graph) -> Stepped:
        """The loop of another graph of the same inputs and outputs."""
