"""Simplification: small functions from graph to graph, each linear in the size of the graph.

A pass walks the equations once, in order. Most of what is simplified is simplified by a *rule*: it looks at one
equation, whose inputs are simplified already, and gives another one, or the atoms that stand for its outputs. All
rules are applied to an equation, one after the other, in a single walk. `simplified` runs all passes and checks the
graph after each. The outputs stay what they were, for every input, to rounding; equations with effects (guards,
prints) are kept where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve

from covector.compile.dead_code import without_dead_code
from covector.compile.identities import with_identities_applied
from covector.compile.moves import composing
from covector.compile.neighbours import with_neighbours_joined
from covector.compile.simpler import Result, Rule, simpler
from covector.core.broadcasting import BroadcastTo, Reshape
from covector.core.families import Elementwise
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import Array, typeof
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, check, identities
from covector.ops.comparison import OneLike


def simplified(graph: Graph) -> Graph:
    """The graph after all passes."""
    for simplify in PASSES:
        given, graph = graph, simplify(graph)
        if graph is not given:
            check(graph, typed=frozenset(given.equations))
    return graph


# --- passes ---------------------------------------------------------------------------------------------


def with_rules_applied(graph: Graph) -> Graph:
    """Applies all rules, one after the other, to each equation."""
    rules: tuple[Rule, ...] = (folded, using_numbers(), simpler, composing(), sharing())
    replaced: dict[Atom, Atom] = {}
    equations = []
    for equation in graph.equations:
        if not replaced.keys().isdisjoint(equation.inputs):
            inputs = tuple([replaced.get(atom, atom) for atom in equation.inputs])
            equation = Equation(equation.primitive, inputs, equation.outputs)
        outputs = equation.outputs
        for rule in rules:
            result = rule(equation)
            if not isinstance(result, Equation):
                replaced.update(zip(outputs, result, strict=True))
                break
            equation = result
        else:
            equations.append(equation)
    atoms = tuple([replaced.get(atom, atom) for atom in graph.outputs])
    return evolve(graph, equations=tuple(equations), outputs=atoms)


PASSES: tuple[Callable[[Graph], Graph], ...] = (
    without_dead_code,
    with_identities_applied,
    with_rules_applied,
    with_neighbours_joined,
    without_dead_code,
)
"""The passes in the order in which `simplified` runs them."""


# --- rules ----------------------------------------------------------------------------------------------


def using_numbers() -> Rule:
    """The rule that uses the number in place of an array of equal numbers where broadcasting does the rest."""
    uniform: dict[Atom, Literal] = {}

    def rule(equation: Equation) -> Result:
        primitive = equation.primitive
        if type(primitive) not in SPREADING:
            return _with_numbers(equation, uniform) if uniform else equation
        (out,) = equation.outputs
        number = _number_of(equation.inputs[0], uniform)
        if type(primitive) is OneLike:
            one = out.type.dtype.type(1)
            number = Literal(one, typeof(one))
            if not out.type.shape:
                return [number]
        if number is None:
            return equation
        uniform[out] = number
        return Equation(BroadcastTo(out.type.shape), (number,), equation.outputs)

    return rule


SPREADING = frozenset({BroadcastTo, Reshape, OneLike})
"""Operations that fill an array with a number, if they are given a number."""


def sharing() -> Rule:
    """The rule that computes equal operations on equal inputs once."""
    known: dict[Any, tuple[Variable, ...]] = {}

    def rule(equation: Equation) -> Result:
        if equation.primitive.effect:
            return equation
        outputs = known.setdefault((equation.primitive, *identities(equation.inputs)), equation.outputs)
        return equation if outputs is equation.outputs else outputs

    return rule


def folded(equation: Equation) -> Result:
    """Computes operations on numbers, unless NumPy would warn."""
    for atom in equation.inputs:
        if type(atom) is Variable:
            return equation
    if not equation.inputs or equation.primitive.effect or len(equation.outputs) != 1:
        return equation
    (out,) = equation.outputs
    value = None if out.type.shape else _value(equation.primitive, equation.inputs)
    if value is None or typeof(value) != out.type:
        return equation
    return [Literal(value, typeof(value))]


def _value(primitive: Primitive, numbers: Sequence[Atom | None]) -> Array | None:
    """What an operation on numbers gives; None if NumPy would warn."""
    try:
        with np.errstate(all="raise"):
            values = primitive.evaluate(*(number.value for number in numbers if isinstance(number, Literal)))
            value = as_tuple(values)[0]
            return value[()] if type(value) is np.ndarray and not value.shape else value
    except ArithmeticError:
        return None


def _number_of(atom: Atom, uniform: dict[Atom, Literal]) -> Literal | None:
    return atom if isinstance(atom, Literal) else uniform.get(atom)


def _with_numbers(equation: Equation, uniform: dict[Atom, Literal]) -> Equation:
    """An elementwise operation with numbers for uniform inputs, if the output stays what it is."""
    if not isinstance(equation.primitive, Elementwise) or uniform.keys().isdisjoint(equation.inputs):
        return equation
    (out,) = equation.outputs
    numbers = [_number_of(atom, uniform) for atom in equation.inputs]
    if None not in numbers:
        value = _value(equation.primitive, numbers)
        if value is None or not out.type.shape or typeof(value).dtype != out.type.dtype:
            return equation
        uniform[out] = Literal(value, typeof(value))
        return Equation(BroadcastTo(out.type.shape), (uniform[out],), equation.outputs)
    inputs = tuple(n if n is not None else atom for n, atom in zip(numbers, equation.inputs, strict=True))
    kind = equation.primitive.output_type(*(atom.type for atom in inputs))
    return Equation(equation.primitive, inputs, equation.outputs) if kind == out.type else equation
