"""A graph as text: one equation a line, a short name for each variable."""

from __future__ import annotations

from covector.core.primitive import Primitive
from covector.graph.parts import Atom, Equation, Program, Variable, inner_programs


def shown(graph: Program) -> str:
    """The graph as text, one equation a line, types and equal signs aligned; graphs inside an operation indented."""
    names = variable_names(graph)
    rows = [(names[v], str(v.type), "") for v in graph.inputs]
    rows += [(names[v], str(v.type), "constant") for v, _ in graph.constants]
    rows += [_equation_row(equation, names) for equation in graph.equations]
    name_width = max((len(name) for name, _, _ in rows), default=0)
    type_width = max((len(kind) for _, kind, right in rows if right), default=0)
    indent = " " * (name_width + type_width + 5)
    lines = [
        f"{name + ':':<{name_width + 1}} " + (f"{kind:<{type_width}} = {right}" if right else kind)
        if name
        else f"{indent}{right}"
        for name, kind, right in rows
    ]
    before = len(rows) - len(graph.equations)
    for position in range(len(graph.equations) - 1, -1, -1):
        lines[before + position + 1 : before + position + 1] = _nested(graph.equations[position].primitive)
    return "\n".join([*lines, f"return {', '.join(atom_name(a, names) for a in graph.outputs)}"])


def _nested(primitive: Primitive) -> list[str]:
    """The lines of the graphs among the parameters of an operation, under their names."""
    lines = []
    for label, inner in inner_programs(primitive).items():
        lines += [f"    {label}:", *(f"        {line}" for line in shown(inner).splitlines())]
    return lines


def variable_names(graph: Program) -> dict[Variable, str]:
    """A short name for each variable: a, b, ..., z, aa, ab, ..."""
    defined = [*graph.inputs, *(v for v, _ in graph.constants), *(v for e in graph.equations for v in e.outputs)]
    return {variable: _letters(i) for i, variable in enumerate(defined)}


def atom_name(atom: Atom, names: dict[Variable, str]) -> str:
    """The name of a variable, or a literal written out."""
    return names[atom] if isinstance(atom, Variable) else f"{atom.value}"


def _equation_row(equation: Equation, names: dict[Variable, str]) -> tuple[str, str, str]:
    left = ", ".join(names[v] for v in equation.outputs)
    kinds = ", ".join(str(v.type) for v in equation.outputs)
    inputs = "".join(f" {atom_name(atom, names)}" for atom in equation.inputs)
    return left, kinds, f"{equation.primitive.signature}{inputs}"


def _letters(i: int) -> str:
    letters = ""
    i += 1
    while i:
        i, digit = divmod(i - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return letters
