"""A program as data: inputs, equations in order, outputs, and the constants it closes over.

    x: float64[3]
    a: float64[3] = multiply x 2.0
    b: float64[]  = sum[axes=(0,)] a
    return b

Everything is frozen. A `Variable` is known by identity; a `Literal` is a number written in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.primitive import Primitive, as_tuple, parameters
from covector.core.types import Array, ArrayType, typeof
from covector.errors import GraphError
from covector.trees import Tree, TreeDefinition, flatten, unflatten


@final
@frozen(eq=False)
class Variable:
    """A value in a graph, known by its identity; only its type is known."""

    type: ArrayType


@final
@frozen
class Literal:
    """A number written where it is used."""

    value: Any
    type: ArrayType


Atom = Variable | Literal


@final
@frozen(eq=False)
class Equation:
    """The application of a primitive: outputs = primitive(inputs)."""

    primitive: Primitive
    inputs: tuple[Atom, ...]
    outputs: tuple[Variable, ...]


@final
@frozen(eq=False, repr=False)
class Graph:
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

    inputs: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Atom, ...]
    constants: tuple[tuple[Variable, Array], ...] = ()
    structure: TreeDefinition | None = field(default=None)

    def __call__(self, *args: Tree) -> Tree:
        """The outputs for these arguments, in the structure of the recorded function's output."""
        leaves, _ = flatten(args)
        _check_inputs(self, leaves)
        outputs = run(self, leaves)
        if self.structure is None:
            return outputs
        return unflatten(self.structure, outputs)

    def __str__(self) -> str:
        return shown(self)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.inputs)} inputs, {len(self.equations)} equations, {len(self.outputs)} outputs>"

    def _repr_html_(self) -> str:
        escaped = str(self).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<pre>{escaped}</pre>"


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


def check(graph: Graph) -> Graph:
    """The graph itself, if every variable is defined once, before its use, and every output has its type."""
    known: set[Variable] = set()
    for variable in (*graph.inputs, *(v for v, _ in graph.constants)):
        _define(variable, known)
    for variable, value in graph.constants:
        if typeof(value).strong() != variable.type.strong():
            raise GraphError(f"a constant of type {typeof(value)} stands for a variable of type {variable.type}")
    for equation in graph.equations:
        _check_equation(equation, known)
    _check_known(graph.outputs, known, "an output")
    return graph


def _check_equation(equation: Equation, known: set[Variable]) -> None:
    name = equation.primitive.name
    _check_known(equation.inputs, known, f"an input of {name}")
    declared = as_tuple(equation.primitive.output_type(*(atom.type for atom in equation.inputs)))
    found = tuple(v.type for v in equation.outputs)
    if declared != found:
        raise GraphError(f"{name} has outputs of types {declared}, but its equation says {found}")
    for variable in equation.outputs:
        _define(variable, known)


def _check_known(atoms: Sequence[Atom], known: set[Variable], what: str) -> None:
    if any(isinstance(atom, Variable) and atom not in known for atom in atoms):
        raise GraphError(f"{what} is used before it is defined")


def _define(variable: Variable, known: set[Variable]) -> None:
    if variable in known:
        raise GraphError(f"a variable of type {variable.type} is defined twice")
    known.add(variable)


# --- showing --------------------------------------------------------------------------------------------


def shown(graph: Graph) -> str:
    """The graph as text, one equation a line, types and equal signs aligned; graphs inside an operation indented."""
    names = variable_names(graph)
    rows = [(names[v], str(v.type), "") for v in graph.inputs]
    rows += [(names[v], str(v.type), "constant") for v, _ in graph.constants]
    rows += [_equation_row(equation, names) for equation in graph.equations]
    name_width = max((len(name) for name, _, _ in rows), default=0)
    type_width = max((len(kind) for _, kind, right in rows if right), default=0)
    lines = [
        f"{name + ':':<{name_width + 1}} " + (f"{kind:<{type_width}} = {right}" if right else kind)
        for name, kind, right in rows
    ]
    before = len(rows) - len(graph.equations)
    for position in range(len(graph.equations) - 1, -1, -1):
        lines[before + position + 1 : before + position + 1] = _nested(graph.equations[position].primitive)
    return "\n".join([*lines, f"return {', '.join(atom_name(a, names) for a in graph.outputs)}"])


def _nested(primitive: Primitive) -> list[str]:
    """The lines of the graphs among the parameters of an operation, under their names."""
    lines = []
    for name, value in parameters(primitive).items():
        members = {f"{name}[{i}]": x for i, x in enumerate(value)} if isinstance(value, tuple) else {name: value}
        for label, inner in members.items():
            if isinstance(inner, Graph):
                lines += [f"    {label}:", *(f"        {line}" for line in shown(inner).splitlines())]
    return lines


def variable_names(graph: Graph) -> dict[Variable, str]:
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
