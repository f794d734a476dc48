"""Loops written out as one Python function each: over NumPy arrays, or over Python's numbers.

If all values of a loop are single numbers, Python's floats, integers and booleans are ten times as fast as NumPy's.
Where Python raises (a domain error, an overflow, a division by zero) whoever runs the loop falls back to NumPy's.

    def loop(singles, carry, columns, rows, places):
        [v0] = singles
        [v1] = carry
        [into0] = [x.append for x in rows]
        for [i, v2] in zip(places, *columns):
            v3 = v0 * v1
            v4 = v3 + v2
            into0(v1)
            v1 = v4
        return [v1]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from covector.compile.emit import written_literal
from covector.compile.expressions import array_expression, scalar_expression
from covector.compile.runtime import HELPERS
from covector.core.families import MaskedMultiply
from covector.core.types import Array
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops import arithmetic
from covector.ops.comparison import Select, StepFunction
from covector.transforms.control.bodies import Split, remembered, simpler

ON_INTEGERS = (
    arithmetic.Add, arithmetic.Subtract, arithmetic.Multiply, arithmetic.Negative, StepFunction, Select, MaskedMultiply
)  # fmt: skip
"""The operations that are the same for Python's integers as for NumPy's."""


@remembered
def written_loop(core: Graph, singles: int, carries: int, numbers: bool) -> Callable[..., Any] | None:
    """The loop of a scan; None if it should work on Python's numbers and cannot.

    Of (singles, carry, columns, rows, places): the last carry. What else a step returns goes into the rows, which are
    lists that it is appended to, or arrays.
    """
    core = simpler(core)
    if numbers and not is_scalar(core):
        return None
    writer = _Writer(core.inputs, numbers)
    single, carry, columns = Split((singles, carries, len(core.inputs) - singles - carries))(writer.of(core.inputs))
    statements = writer.statements(core)
    outputs = writer.of(core.outputs)
    following, stored = outputs[:carries], outputs[carries:]
    into = [f"into{i}" for i in range(len(stored))]
    lines = _unpacked(single, "singles") + _unpacked(carry, "carry")
    lines += _unpacked(into, "[x.append for x in rows]" if numbers else "rows")
    lines.append(f"for [{', '.join(['i', *columns])}] in zip(places, *columns):")
    for target, name in zip(into, stored, strict=True):
        statements.append(f"{target}({name})" if numbers else f"{target}[i] = {name}")
    statements += _assigned(carry, following)
    lines += [f"    {line}" for line in statements or ["pass"]]
    return writer.function(["singles", "carry", "columns", "rows", "places"], [*lines, f"return [{', '.join(carry)}]"])


@remembered
def written_while(body: Graph, condition: Graph, constants: int, keep: bool) -> Callable[..., Any] | None:
    """The loop of a while loop on Python's numbers; None if it needs NumPy.

    Of (singles, carry, rows): the last carry. With `keep`, the carry before each step is appended to the rows.
    """
    body, condition = simpler(body), simpler(condition)
    if not is_scalar(body) or not is_scalar(condition):
        return None
    writer = _Writer(body.inputs, True)
    names = writer.of(body.inputs)
    writer.names |= dict(zip(condition.inputs, names, strict=True))
    single, carry = names[:constants], names[constants:]
    questions = writer.statements(condition)
    (holds,) = writer.of(condition.outputs)
    statements = writer.statements(body)
    into = [f"into{i}" for i in range(len(carry))] if keep else []
    lines = _unpacked(single, "singles") + _unpacked(carry, "carry") + _unpacked(into, "[x.append for x in rows]")
    inner = [*questions, f"if not {holds}:", "    break"]
    inner += [f"{target}({name})" for target, name in zip(into, carry, strict=False)]
    inner += [*statements, *_assigned(carry, writer.of(body.outputs))]
    lines += ["while True:", *(f"    {line}" for line in inner), f"return [{', '.join(carry)}]"]
    return writer.function(["singles", "carry", "rows"], lines)


def number(x: Array) -> Any:
    """A scalar as Python's number."""
    return x.item() if isinstance(x, (np.generic, np.ndarray)) else x


def is_scalar(graph: Graph) -> bool:
    """Whether a graph can be computed on Python's numbers."""
    kinds = [v.type for v in (*graph.inputs, *(v for e in graph.equations for v in e.outputs))]
    known = all(k.shape == () and k.dtype in (np.float64, np.bool_, np.int64) for k in kinds)
    return known and not graph.constants and all(_is_number(e) for e in graph.equations)


def _is_number(equation: Equation) -> bool:
    atoms = (*equation.inputs, *equation.outputs)
    integers = any(isinstance(a, Variable) and a.type.dtype == np.int64 for a in atoms)
    fits = isinstance(equation.primitive, ON_INTEGERS) or not integers
    return len(equation.outputs) == 1 and fits and scalar_expression(equation, ["x"] * len(equation.inputs)) is not None


def _unpacked(names: Sequence[str], source: str) -> list[str]:
    return [f"[{', '.join(names)}] = {source}"] if names else []


def _assigned(names: Sequence[str], values: Sequence[str]) -> list[str]:
    return [f"{', '.join(names)} = {', '.join(values)}"] if names else []


@final
class _Writer:
    """Writes equations as statements, and gives their variables names."""

    def __init__(self, inputs: Sequence[Variable], numbers: bool) -> None:
        self.names: dict[Variable, str] = {v: f"v{i}" for i, v in enumerate(inputs)}
        self.numbers = numbers
        self.namespace: dict[str, Any] = {"np": np, "special": sys.modules.get("scipy.special"), **HELPERS}

    def of(self, atoms: Sequence[Atom]) -> list[str]:
        """The names of variables, and literals written out."""
        return [written_literal(atom) if isinstance(atom, Literal) else self.names[atom] for atom in atoms]

    def statements(self, graph: Graph) -> list[str]:
        """One statement for each equation of a graph."""
        for variable, value in graph.constants:
            self.names[variable] = name = f"constant{len(self.names)}"
            self.namespace[name] = value
        return [self._statement(equation) for equation in graph.equations]

    def _statement(self, equation: Equation) -> str:
        operands = self.of(equation.inputs)
        written = (scalar_expression if self.numbers else array_expression)(equation, operands)
        for variable in equation.outputs:
            self.names[variable] = f"v{len(self.names)}"
        if written is None:
            name = f"operation{len(self.names)}"
            self.namespace[name] = equation.primitive.evaluate
            written = f"{name}({', '.join(operands)})"
        single = isinstance(equation.primitive.output_type(*(atom.type for atom in equation.inputs)), tuple)
        return f"{', '.join(self.of(equation.outputs))}{',' * single} = {written}"

    def function(self, arguments: Sequence[str], lines: Sequence[str]) -> Callable[..., Any]:
        """The function of these lines."""
        source = "\n".join([f"def loop({', '.join(arguments)}):", *(f"    {line}" for line in lines)])
        exec(compile(source, "<loop>", "exec"), self.namespace)
        loop: Callable[..., Any] = self.namespace["loop"]
        return loop
