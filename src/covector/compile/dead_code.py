"""Dead code: what no output and no effect depends on, of a graph and of the loops and branches in it.

    a, b, c = scan[carries=2] x y z             a = scan[carries=1] x z
        body:                                       body:
            d = multiply x z                            d = multiply x z
            e = add y 1.0                 =>            return d
            return d, e, y                      return a
    return a
"""

from __future__ import annotations

from collections.abc import Iterable

from covector.compile.structured import Structured
from covector.graph.graph import Atom, Equation, Graph


def without_dead_code(graph: Graph) -> Graph:
    """Leaves out equations on which no output and no effect depends, parts of others, and unused constants."""
    kept, needed = _alive(graph, graph.outputs)
    if kept == graph.equations and all(variable in needed for variable, _ in graph.constants):
        return graph
    constants = tuple((variable, value) for variable, value in graph.constants if variable in needed)
    return Graph(graph.inputs, kept, graph.outputs, constants, graph.structure)


def needed_inputs(graph: Graph, outputs: Iterable[int]) -> set[int]:
    """The inputs on which these outputs of a graph depend, or an effect."""
    _, needed = _alive(graph, [graph.outputs[i] for i in outputs])
    return {i for i, variable in enumerate(graph.inputs) if variable in needed}


def restricted(graph: Graph, inputs: Iterable[int], outputs: Iterable[int]) -> Graph:
    """The graph of these outputs, which depend on no other inputs."""
    kept = Graph(
        tuple(graph.inputs[i] for i in inputs),
        graph.equations,
        tuple(graph.outputs[i] for i in outputs),
        graph.constants,
    )
    return without_dead_code(kept)


def _alive(graph: Graph, outputs: Iterable[Atom]) -> tuple[tuple[Equation, ...], set[Atom]]:
    """The equations on which outputs or effects depend, and all that they and the outputs take."""
    needed = set(outputs)
    kept = []
    for equation in reversed(graph.equations):
        if not needed.isdisjoint(equation.outputs) or equation.primitive.effect:
            if isinstance(equation.primitive, Structured):
                equation = _reduced(equation, equation.primitive, needed)
            kept.append(equation)
            needed.update(equation.inputs)
    return tuple(reversed(kept)), needed


def _reduced(equation: Equation, primitive: Structured, needed: set[Atom]) -> Equation:
    """The equation without the outputs that nothing needs, and without what only they need."""
    found = primitive.needing([i for i, variable in enumerate(equation.outputs) if variable in needed])
    if found is None:
        return equation
    smaller, inputs, outputs = found
    return Equation(smaller, tuple(equation.inputs[i] for i in inputs), tuple(equation.outputs[i] for i in outputs))
