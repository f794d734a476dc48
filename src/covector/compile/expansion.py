"""Expansion: composite operations are replaced by the operations that they stand for, with variables of their own."""

from __future__ import annotations

from collections.abc import Sequence

from covector.compile.dead_code import without_dead_code
from covector.compile.structured import Composite
from covector.core.primitive import Primitive, as_tuple
from covector.graph.graph import Atom, Equation, Graph, Variable


def expanded(graph: Graph) -> Graph:
    """The graph with the expansions of its composite operations in their places."""
    if not any(isinstance(equation.primitive, Composite) for equation in graph.equations):
        return graph
    graph = without_dead_code(graph)
    replaced: dict[Atom, Atom] = {}
    equations: list[Equation] = []
    constants = list(graph.constants)
    for equation in graph.equations:
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
