"""Writing structured operations on Python's numbers: whether their graphs allow it, and pieces of statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from covector.compile.scalars import scalar_expression
from covector.compile.structured import Lines, Scope, Structured
from covector.core.families import MaskedMultiply
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops import arithmetic
from covector.ops.comparison import Select, StepFunction

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
