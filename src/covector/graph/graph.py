"""A program as data: inputs, equations in order, outputs, and the constants it closes over.

    x: float64[3]
    a: float64[3] = multiply x 2.0
    b: float64[]  = sum[axes=(0,)] a
    return b

Everything is frozen. A `Variable` is known by identity; a `Literal` is a number written in place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import as_tuple
from covector.core.types import Array, typeof
from covector.errors import GraphError
from covector.graph.parts import Atom, Equation, Literal, Program, Variable, identities, identity_of
from covector.graph.showing import shown
from covector.trees import Tree, flatten, unflatten

if TYPE_CHECKING:
    from covector.graph.cost import Cost

__all__ = [
    "Atom", "Equation", "Graph", "Literal", "Variable", "check", "identities", "identity_of", "run",
    "run_equations", "value_of",
]  # fmt: skip


@final
@frozen(eq=False, repr=False)
class Graph(Program):
    """A program: `inputs` and `constants` to `outputs`, by `equations` in order.

    `constants` pairs variables with the arrays they stand for. `structure` is the tree of the outputs.

    Example:
        >>> import numpy as np
        >>> from covector.transforms.recording import make_graph
        >>> graph = make_graph(lambda x: np.sin(x) * 2.0)(1.0)
        >>> print(graph)
        a: float64[]
        b: float64[] = sin a
        c: float64[] = multiply b 2.0
        return c
        >>> round(float(graph(1.0)), 6)
        1.682942
    """

    def __call__(self, *args: Tree) -> Tree:
        """The outputs for these arguments, in the structure of the recorded function's output."""
        leaves, _ = flatten(args)
        _check_inputs(self, leaves)
        # an output may be an input, a constant, or a view
        outputs = [x.copy() if isinstance(x, np.ndarray) else x for x in run(self, leaves)]
        if self.structure is None:
            return outputs
        return unflatten(self.structure, outputs)

    def __str__(self) -> str:
        return shown(self)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.inputs)} inputs, {len(self.equations)} equations, {len(self.outputs)} outputs>"

    def _repr_html_(self) -> str:
        text: str = _loaded("drawing").preformatted(shown(self))
        return text

    def to_dot(self) -> str:
        """The graph in the language of Graphviz: `dot -Tsvg` draws it."""
        draws = _loaded("drawing")
        drawn: str = draws.dot(draws.drawing(self))
        return drawn

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart, which Markdown pages draw."""
        draws = _loaded("drawing")
        drawn: str = draws.mermaid(draws.drawing(self))
        return drawn

    def cost(self) -> Cost:
        """What running the graph takes, operation by operation: arithmetic, memory traffic and peak memory.

        Example:
            >>> from covector import make_graph
            >>> print(make_graph(lambda x: np.sum(np.sin(x) * x))(np.ones(1000)).cost())
                      equations  operations  bytes read  bytes written
            sin               1       1,000       8,000          8,000
            multiply          1       1,000      16,000          8,000
            sum               1         999       8,000              8
            total             3       2,999      32,000         16,008
            peak memory: 24,000 bytes, of which 8,000 are inputs and constants
        """
        counted: Cost = _loaded("cost").cost(self)
        return counted


def _loaded(name: str) -> Any:
    """A module beside this one, loaded when it is first used: most programs neither draw graphs nor price them."""
    return import_module(f"covector.graph.{name}")


# --- running --------------------------------------------------------------------------------------------


def run(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The outputs for these inputs: plain arrays, or tracers, so that a graph is differentiated like a function."""
    if len(inputs) != len(graph.inputs):
        raise GraphError(f"the graph has {len(graph.inputs)} inputs; found {len(inputs)}")
    values: dict[Variable, Array] = dict(graph.constants)
    values.update(zip(graph.inputs, inputs, strict=True))
    run_equations(graph.equations, values)
    return [value_of(atom, values) for atom in graph.outputs]


def _check_inputs(graph: Graph, inputs: Sequence[Array]) -> None:
    """Raises if an input is not of the type for which the graph was recorded; a Python number adapts its dtype."""
    for i, (variable, x) in enumerate(zip(graph.inputs, inputs, strict=False)):
        kind, found = variable.type, typeof(x)
        adapts = found.weak and np.can_cast(found.dtype, kind.dtype, "same_kind")
        if found.shape != kind.shape or not (adapts or found.dtype == kind.dtype):
            raise GraphError(
                f"input {i} of the graph was recorded as {kind}; found {found}. Record "
                "a graph for this type."
            )


def run_equations(equations: Sequence[Equation], values: dict[Variable, Array]) -> None:
    """Adds the value of each equation's outputs to `values`."""
    for equation in equations:
        results = equation.primitive(*(value_of(atom, values) for atom in equation.inputs))
        values.update(zip(equation.outputs, as_tuple(results), strict=True))


def value_of(atom: Atom, values: dict[Variable, Array]) -> Array:
    """The value of a variable or literal."""
    return atom.value if isinstance(atom, Literal) else values[atom]


# --- checking -------------------------------------------------------------------------------------------


def check(graph: Graph, typed: Collection[Equation] = ()) -> Graph:
    """The graph itself, if every variable is defined once, before its use, and every output has its type.

    The types of the equations in `typed`, of a graph from which this one was made, are known to be right.
    """
    known: set[Atom] = set()
    for variable in (*graph.inputs, *(v for v, _ in graph.constants)):
        _define(variable, known)
    for variable, value in graph.constants:
        if typeof(value).strong() != variable.type.strong():
            raise GraphError(f"a constant of type {typeof(value)} stands for a variable of type {variable.type}")
    for equation in graph.equations:
        for atom in equation.inputs:
            if type(atom) is Variable and atom not in known:
                raise GraphError(f"an input of {equation.primitive.name} is used before it is defined")
        if equation not in typed:
            _check_types(equation)
        for variable in equation.outputs:
            _define(variable, known)
    if any(isinstance(atom, Variable) and atom not in known for atom in graph.outputs):
        raise GraphError("an output is used before it is defined")
    return graph


def _check_types(equation: Equation) -> None:
    declared = as_tuple(equation.primitive.output_type(*[atom.type for atom in equation.inputs]))
    found = tuple([v.type for v in equation.outputs])
    if declared != found:
        name = equation.primitive.name
        raise GraphError(f"{name} has outputs of types {declared}, but its equation says {found}")


def _define(variable: Variable, known: set[Atom]) -> None:
    if variable in known:
        raise GraphError(f"a variable of type {variable.type} is defined twice")
    known.add(variable)
