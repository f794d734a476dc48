"""Simplification: small functions from graph to graph, each linear in the size of the graph.

Every pass walks the equations once, in order, with a substitution from variables to the atoms that replace
them. `simplified` runs all passes and checks the graph after each. The outputs stay what they were, for every
input, to rounding; equations with effects (guards, prints) are kept where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from covector.compile.identities import with_identities_applied
from covector.core.broadcasting import BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import MASKED_MULTIPLY, Elementwise
from covector.core.primitive import Primitive
from covector.core.types import Array, typeof
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, check
from covector.ops.arithmetic import DIVIDE, MULTIPLY, NEGATIVE, POWER, RATIO, SQUARE
from covector.ops.axes import Permute
from covector.ops.comparison import OneLike

Substitution = dict[Atom, Atom]


def simplified(graph: Graph) -> Graph:
    """The graph after all passes."""
    for simplify in PASSES:
        graph = check(simplify(graph), typed=frozenset(graph.equations))
    return graph


# --- passes ---------------------------------------------------------------------------------------------


def with_constants_folded(graph: Graph) -> Graph:
    """Computes the equations whose inputs are numbers, unless NumPy would warn."""
    return _rewritten(graph, _folded)


def with_uniform_arrays_as_numbers(graph: Graph) -> Graph:
    """Uses the number in place of an array of equal numbers where broadcasting does the rest."""
    uniform: dict[Atom, Literal] = {}

    def rule(equation: Equation) -> Sequence[Atom] | Equation:
        if len(equation.outputs) != 1 or not equation.inputs:
            return equation
        (out,) = equation.outputs
        first = _number_of(equation.inputs[0], uniform)
        if type(equation.primitive) is OneLike:
            one = out.type.dtype.type(1)
            first = Literal(one, typeof(one))
            if not out.type.shape:
                return [first]
        if isinstance(equation.primitive, (BroadcastTo, Reshape, OneLike)) and first is not None:
            equation = Equation(BroadcastTo(out.type.shape), (first,), equation.outputs)
            uniform[out] = first
        elif isinstance(equation.primitive, Elementwise):
            equation = _with_numbers(equation, uniform)
        return equation

    return _rewritten(graph, rule)


def with_simpler_operations(graph: Graph) -> Graph:
    """Removes factors of one, casts and reshapes that change nothing, and other operations with a simpler form."""
    return _rewritten(graph, _simpler)


def with_common_subexpressions_shared(graph: Graph) -> Graph:
    """Computes equal operations on equal inputs once."""
    known: dict[Any, tuple[Variable, ...]] = {}

    def shared(equation: Equation) -> Sequence[Atom] | Equation:
        if equation.primitive.effect:
            return equation
        key = (equation.primitive, *map(_identity, equation.inputs))
        return known.setdefault(key, equation.outputs)

    return _rewritten(graph, shared)


def without_dead_code(graph: Graph) -> Graph:
    """Leaves out equations on which no output and no effect depends, and unused constants."""
    needed = {atom for atom in graph.outputs if isinstance(atom, Variable)}
    kept = []
    for equation in reversed(graph.equations):
        if equation.primitive.effect or not needed.isdisjoint(equation.outputs):
            kept.append(equation)
            needed |= {atom for atom in equation.inputs if isinstance(atom, Variable)}
    constants = tuple((variable, value) for variable, value in graph.constants if variable in needed)
    return Graph(graph.inputs, tuple(reversed(kept)), graph.outputs, constants, graph.structure)


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    without_dead_code,
    with_constants_folded,
    with_uniform_arrays_as_numbers,
    with_identities_applied,
    with_simpler_operations,
    with_common_subexpressions_shared,
    without_dead_code,
)
"""The passes in the order in which `simplified` runs them."""


# --- how a pass rewrites --------------------------------------------------------------------------------


def _rewritten(graph: Graph, rule: Callable[[Equation], Sequence[Atom] | Equation]) -> Graph:
    """The graph with each equation replaced by another one, or by the atoms that stand for its outputs."""
    replaced: Substitution = {}
    equations = []
    for equation in graph.equations:
        if not replaced.keys().isdisjoint(equation.inputs):
            inputs = tuple([replaced.get(atom, atom) for atom in equation.inputs])
            equation = Equation(equation.primitive, inputs, equation.outputs)
        result = rule(equation)
        if isinstance(result, Equation):
            equations.append(result)
        elif result is equation.outputs:
            equations.append(equation)
        else:
            replaced.update(zip(equation.outputs, result, strict=True))
    outputs = tuple([replaced.get(atom, atom) for atom in graph.outputs])
    return Graph(graph.inputs, tuple(equations), outputs, graph.constants, graph.structure)


def _identity(atom: Atom) -> Any:
    """What makes two atoms the same: for a number its digits and type, so that 0.0, -0.0 and 0 differ."""
    return atom if isinstance(atom, Variable) else (repr(atom.value), atom.type)


# --- rules ----------------------------------------------------------------------------------------------


def _folded(equation: Equation) -> Sequence[Atom] | Equation:
    if not equation.inputs or not all(isinstance(atom, Literal) for atom in equation.inputs):
        return equation
    if equation.primitive.effect or any(v.type.shape for v in equation.outputs) or len(equation.outputs) > 1:
        return equation
    values = [atom.value for atom in equation.inputs if isinstance(atom, Literal)]
    value = _value(equation.primitive, values)
    if value is None or typeof(value) != equation.outputs[0].type:
        return equation
    return [Literal(value, typeof(value))]


def _value(primitive: Primitive, values: Sequence[Array]) -> Array | None:
    """What an operation on numbers gives; None if NumPy would warn."""
    try:
        with np.errstate(all="raise"):
            return primitive.evaluate(*values)
    except ArithmeticError:
        return None


def _number_of(atom: Atom, uniform: dict[Atom, Literal]) -> Literal | None:
    return atom if isinstance(atom, Literal) else uniform.get(atom)


def _with_numbers(equation: Equation, uniform: dict[Atom, Literal]) -> Equation:
    """An elementwise operation with numbers for uniform inputs, if the output stays what it is."""
    if uniform.keys().isdisjoint(equation.inputs):
        return equation
    (out,) = equation.outputs
    numbers = [_number_of(atom, uniform) for atom in equation.inputs]
    if all(number is not None for number in numbers):
        value = _value(equation.primitive, [number.value for number in numbers if number is not None])
        if value is None or not out.type.shape or typeof(value).dtype != out.type.dtype:
            return equation
        uniform[out] = Literal(value, typeof(value))
        return Equation(BroadcastTo(out.type.shape), (uniform[out],), equation.outputs)
    inputs = tuple(n if n is not None else atom for n, atom in zip(numbers, equation.inputs, strict=True))
    kind = equation.primitive.output_type(*(atom.type for atom in inputs))
    return Equation(equation.primitive, inputs, equation.outputs) if kind == out.type else equation


def _simpler(equation: Equation) -> Sequence[Atom] | Equation:
    primitive, inputs, (out,) = equation.primitive, equation.inputs, equation.outputs[:1] or (None,)
    if out is None or len(equation.outputs) > 1:
        return equation
    if primitive in (MULTIPLY, MASKED_MULTIPLY):
        return _simpler_product(equation, out)
    if primitive in (DIVIDE, RATIO) and _is_number(inputs[1], 1) and inputs[0].type == out.type:
        return [inputs[0]]
    if primitive == POWER and _is_number(inputs[1], 1) and inputs[0].type == out.type:
        return [inputs[0]]
    if primitive == POWER and _is_number(inputs[1], 2) and inputs[0].type.strong() == out.type:
        return Equation(SQUARE, inputs[:1], equation.outputs)
    if isinstance(primitive, (BroadcastTo, Cast, Reshape, SumTo)) and inputs[0].type == out.type:
        return [inputs[0]]
    if isinstance(primitive, Permute) and primitive.axes == tuple(range(len(primitive.axes))):
        return [inputs[0]]
    return equation


def _simpler_product(equation: Equation, out: Variable) -> Sequence[Atom] | Equation:
    left, right = equation.inputs
    for factor, other in ((left, right), (right, left)):
        if _is_number(factor, 1) and other.type == out.type:
            return [other]
        if _is_number(factor, -1) and other.type == out.type:
            return Equation(NEGATIVE, (other,), equation.outputs)
    if equation.primitive == MASKED_MULTIPLY and isinstance(left, Literal) and left.value != 0:
        return Equation(MULTIPLY, equation.inputs, equation.outputs)
    return equation


def _is_number(atom: Atom, number: int) -> bool:
    return isinstance(atom, Literal) and not atom.type.shape and bool(atom.value == number)

