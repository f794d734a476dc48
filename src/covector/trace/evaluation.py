"""A recorded function evaluated: every variable with its value and its symbol, every equation in order.

    >>> import numpy as np
    >>> from covector.transforms.recording import make_graph
    >>> graph = make_graph(lambda x: np.sin(x) * x)(2.0)
    >>> evaluation = evaluated(graph, [2.0], ["x"], "depth")
    >>> [str(round(float(value), 3)) for value in evaluation.values.values()]
    ['2.0', '0.909', '1.819']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final

from attrs import frozen

from covector.core.types import Array
from covector.graph.graph import Atom, Equation, Graph, Variable, run_equations, value_of
from covector.trace.expressions import Expression, Number, Symbol

Order = Literal["depth", "program"]


@final
@frozen(eq=False, repr=False)
class Evaluation:
    """A graph with its equations in the order of the trace, and a value and a symbol for every variable.

    `inputs` and `outputs` are the names of the function's arguments and results.
    """

    graph: Graph
    equations: tuple[Equation, ...]
    values: dict[Variable, Array]
    symbols: dict[Variable, Symbol]
    inputs: tuple[Symbol, ...]
    outputs: tuple[Symbol, ...]

    def value(self, atom: Atom) -> Array:
        """The value of a variable or literal."""
        return value_of(atom, self.values)

    def expression(self, atom: Atom) -> Expression:
        """The symbol of a variable, the number of a literal."""
        return self.symbols[atom] if isinstance(atom, Variable) else Number(atom.value)


def evaluated(graph: Graph, leaves: Sequence[Array], names: Sequence[str], order: Order) -> Evaluation:
    """The evaluation of a graph for these inputs, whose names are given."""
    equations = by_depth(graph) if order == "depth" else graph.equations
    values = dict(zip(graph.inputs, leaves, strict=True)) | dict(graph.constants)
    run_equations(equations, values)
    symbols = _symbols(graph, equations)
    return Evaluation(graph, equations, values, symbols, tuple(map(Symbol, names)), _outputs(graph, names))


def by_depth(graph: Graph) -> tuple[Equation, ...]:
    """The equations by their distance from the inputs, those of one distance in the order in which they ran."""
    depths: dict[Variable, int] = {}
    found: dict[Equation, int] = {}
    for equation in graph.equations:
        before = (depths.get(x, 0) for x in equation.inputs if isinstance(x, Variable))
        found[equation] = 1 + max(before, default=0)
        depths.update(dict.fromkeys(equation.outputs, found[equation]))
    return tuple(sorted(found, key=found.__getitem__))


def _symbols(graph: Graph, equations: Sequence[Equation]) -> dict[Variable, Symbol]:
    """v_(1-n), ..., v_0 for the inputs, v_1, v_2, ... for the working variables, c_1, ... for constant arrays."""
    variables = [*graph.inputs, *(v for equation in equations for v in equation.outputs)]
    symbols = {v: Symbol("v", str(i + 1 - len(graph.inputs))) for i, v in enumerate(variables)}
    return symbols | {v: Symbol("c", str(i + 1)) for i, (v, _) in enumerate(graph.constants)}


def _outputs(graph: Graph, names: Sequence[str]) -> tuple[Symbol, ...]:
    """y, or y1, y2, ...; another letter if an input has that name."""
    count = len(graph.outputs)
    for letter in ("y", "z", "w"):
        found = [letter] if count == 1 else [f"{letter}{i + 1}" for i in range(count)]
        if not set(found) & set(names):
            break
    return tuple(map(Symbol, found))
