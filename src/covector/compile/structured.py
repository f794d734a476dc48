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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from covector.compile.scalars import scalar_expression
from covector.core.families import MaskedMultiply
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops import arithmetic
from covector.ops.comparison import Select, StepFunction

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

    @abstractmethod
    def needing(self, outputs: Sequence[int]) -> tuple[Structured, Sequence[int]]:
        """An operation of the same inputs with these outputs, and others only if it must; and which it has."""

    @abstractmethod
    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        """The statements, and the names of the outputs, which nothing else is called."""


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


# --- before emission ------------------------------------------------------------------------------------


def expanded(graph: Graph) -> Graph:
    """The graph with the expansions of its composite operations in their places."""
    if not any(isinstance(equation.primitive, Composite) for equation in graph.equations):
        return graph
    replaced: dict[Atom, Atom] = {}
    equations: list[Equation] = []
    constants = list(graph.constants)
    used = {*graph.outputs, *(atom for equation in graph.equations for atom in equation.inputs)}
    for equation in graph.equations:
        equation = _needed(equation, used)
        inputs = tuple(replaced.get(atom, atom) for atom in equation.inputs)
        primitive = equation.primitive
        inner = primitive.expansion(*(a.type for a in inputs)) if isinstance(primitive, Composite) else None
        if inner is None:
            equations.append(Equation(primitive, inputs, equation.outputs))
            continue
        replaced |= zip(equation.outputs, spliced(inner, inputs, equations), strict=True)
        constants += inner.constants
    outputs = tuple(replaced.get(atom, atom) for atom in graph.outputs)
    return Graph(graph.inputs, tuple(equations), outputs, tuple(dict(constants).items()), graph.structure)


def _needed(equation: Equation, used: set[Atom]) -> Equation:
    """The equation without outputs that nothing uses."""
    if not isinstance(equation.primitive, Structured) or used.issuperset(equation.outputs):
        return equation
    needed = [i for i, variable in enumerate(equation.outputs) if variable in used]
    primitive, kept = equation.primitive.needing(needed)
    return Equation(primitive, equation.inputs, tuple(equation.outputs[i] for i in kept))


def spliced(inner: Graph, inputs: Sequence[Atom], equations: list[Equation]) -> tuple[Atom, ...]:
    """Adds the equations of a graph, with variables of their own, to others; the atoms that stand for its outputs."""
    values: dict[Atom, Atom] = dict(zip(inner.inputs, inputs, strict=True))
    for equation in inner.equations:
        atoms = [values.get(atom, atom) for atom in equation.inputs]
        outputs = tuple(Variable(v.type) for v in equation.outputs)
        equations.append(Equation(equation.primitive, tuple(atoms), outputs))
        values |= zip(equation.outputs, outputs, strict=True)
    return tuple(values.get(atom, atom) for atom in inner.outputs)


def applied(primitive: Primitive, inputs: Sequence[Atom], equations: list[Equation]) -> tuple[Variable, ...]:
    """Adds an equation to others; its outputs."""
    kinds = as_tuple(primitive.output_type(*(atom.type for atom in inputs)))
    equations.append(Equation(primitive, tuple(inputs), tuple(map(Variable, kinds))))
    return equations[-1].outputs


# --- Python's numbers -----------------------------------------------------------------------------------

ON_INTEGERS = (
    arithmetic.Add, arithmetic.Subtract, arithmetic.Multiply, arithmetic.Negative, StepFunction, Select, MaskedMultiply
)  # fmt: skip
"""The operations that are the same for Python's integers as for NumPy's."""

CONVERSIONS: dict[str, str] = {"f": "float", "i": "int", "b": "bool"}


def is_on_numbers(graph: Graph) -> bool:
    """Whether a graph can be computed on Python's numbers."""
    return not graph.constants and all(map(_is_number, graph.inputs)) and all(map(_is_scalar, graph.equations))


def _is_number(variable: Variable) -> bool:
    return variable.type.shape == () and variable.type.dtype in (np.float64, np.bool_, np.int64)


def _is_scalar(equation: Equation) -> bool:
    """Whether an operation can be computed on Python's numbers."""
    primitive, atoms = equation.primitive, (*equation.inputs, *equation.outputs)
    if not all(map(_is_number, equation.outputs)):
        return False
    if isinstance(primitive, Structured):
        return all(map(_is_number, (a for a in equation.inputs if isinstance(a, Variable)))) and all(
            map(is_on_numbers, primitive.graphs)
        )
    integers = any(isinstance(a, Variable) and a.type.dtype == np.int64 for a in atoms)
    fits = isinstance(primitive, ON_INTEGERS) or not integers
    return len(equation.outputs) == 1 and fits and scalar_expression(equation, ["x"] * len(equation.inputs)) is not None


def to_python(text: str, kind: ArrayType) -> str:
    """A number as one of Python's."""
    return f"{CONVERSIONS[kind.dtype.kind]}({text})"


def to_numpy(text: str, kind: ArrayType) -> str:
    """A number as one of NumPy's, unless it is weak."""
    return text if kind.weak or kind.shape else f"np.{kind.dtype.type.__name__}({text})"


def strong_operand(scope: Scope, atom: Atom) -> str:
    """A variable, or a literal as one of NumPy's numbers."""
    text = scope.operand(atom)
    return to_numpy(text, atom.type) if isinstance(atom, Literal) and not scope.numbers else text


def indented(lines: Lines) -> Lines:
    """The statements of a block."""
    return [f"    {line}" for line in lines or ["pass"]]


def assigned(names: Sequence[str], values: Sequence[str]) -> Lines:
    """One assignment of several values, without those that stay what they are."""
    pairs = [(name, value) for name, value in zip(names, values, strict=True) if name != value]
    if not pairs:
        return []
    return [f"{', '.join(name for name, _ in pairs)} = {', '.join(value for _, value in pairs)}"]


Write = Callable[[bool], tuple[Lines, list[str]]]
"""Writes an operation on Python's numbers or on NumPy's: the statements, and the outputs as source."""


def in_one_way(scope: Scope, equation: Equation, graphs: Sequence[Graph], write: Write) -> tuple[Lines, list[str]]:
    """A structured operation, on Python's numbers if these graphs can be computed on them."""
    if scope.numbers:
        return write(True)
    if not scope.attempts or not all(map(is_on_numbers, graphs)):
        return write(False)
    scope.attempted.append(equation)
    lines, texts = write(True)
    names = [scope.fresh(equation.primitive.name) for _ in texts]
    converted = [to_numpy(text, v.type) for text, v in zip(texts, equation.outputs, strict=True)]
    return [*lines, *assigned(names, converted)], names
