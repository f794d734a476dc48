"""Plain programs: without the care that derivatives take of values where they are infinite.

A partial derivative such as 1 / (2 sqrt x) is computed without a warning, and multiplied so that zero wins over
infinity. Nearly always nothing is infinite. So a program can be written with plain divisions and products, run while
floating-point errors raise, and be left for the careful one when one does, or when an output is not finite:

    divide[quiet=True] 0.5 a              divide 0.5 a
    masked_multiply c b           =>      multiply c b
    share (maximum a b) a b               0.5 + 0.5 sign(a - b)

The bodies of loops are written so, too: what is NaN in one step shows in its outputs, or in those of a later one.

No output differs. Infinity times zero is an error that is raised; NaN can also come from the inputs, and then reaches
an output, or else the product that would not have let it through stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import cache

import numpy as np
from attrs import evolve

from covector.compile.normalized import with_normalized_sums
from covector.compile.structured import Stepped
from covector.compile.terms import WEAK
from covector.core.broadcasting import Linear
from covector.core.families import Elementwise, MaskedMultiply
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import ADD, DIVIDE, LOG, MULTIPLY, POWER, SUBTRACT, Divide, Log, Power
from covector.ops.comparison import SIGN, Bound, Extreme, Heaviside, Same, Select, Share, StepFunction
from covector.ops.contraction import Contract
from covector.ops.parts import CopySign

PLAIN: dict[type, Elementwise] = {Divide: DIVIDE, Power: POWER, Log: LOG, MaskedMultiply: MULTIPLY}

STOPS_NAN = frozenset({Bound, CopySign, Extreme, Heaviside, Power, Same, Share, StepFunction})
"""Elementwise operations of NaN whose result may be something else, or be that when written for Python's floats."""


def is_careful(graph: Graph, of_numbers: bool = True) -> bool:
    """Whether the program has anything that a plain one has not, of arrays or `of_numbers` too."""
    return any(_takes_care(e) and (of_numbers or e.outputs[0].type.shape) for e in graph.equations)


def _takes_care(equation: Equation) -> bool:
    primitive = equation.primitive
    if isinstance(primitive, Stepped):
        return any(map(is_careful, primitive.graphs))
    if isinstance(primitive, Share):
        return bool(equation.outputs[0].type.shape)
    return PLAIN.get(type(primitive), primitive) != primitive


def plain(graph: Graph) -> Graph:
    """The graph with plain operations, where errors and the outputs tell if it must not be used."""
    if not is_careful(graph):
        return graph
    return _rewritten(graph, _unseen(graph))


def _rewritten(graph: Graph, unseen: set[Atom]) -> Graph:
    makers: dict[Atom, Equation] = {v: e for e in graph.equations if type(e.primitive) is Extreme for v in e.outputs}
    equations: list[Equation] = []
    for equation in graph.equations:
        equations += _plain(equation, unseen, makers)
    return evolve(graph, equations=tuple(equations))


def lets_nan_through(graph: Graph) -> bool:
    """Whether NaN can reach an output of the plain graph that has none of the careful one's."""
    return any(map(_lets_nan_through, graph.equations))


def _lets_nan_through(equation: Equation) -> bool:
    primitive = equation.primitive
    if isinstance(primitive, Stepped):
        return any(map(lets_nan_through, primitive.graphs))
    return isinstance(primitive, (MaskedMultiply, Share))


def _plain(equation: Equation, unseen: set[Atom], makers: dict[Atom, Equation]) -> Sequence[Equation]:
    if isinstance(equation.primitive, Stepped):
        return [_plain_loop(equation, equation.primitive, unseen)] if _takes_care(equation) else [equation]
    if type(equation.primitive) is Share and unseen.isdisjoint(equation.outputs):
        return _share(equation, makers.get(equation.inputs[0])) or [equation]
    primitive = PLAIN.get(type(equation.primitive))
    if primitive is None or (primitive is MULTIPLY and not unseen.isdisjoint(equation.outputs)):
        return [equation]
    return [Equation(primitive, equation.inputs, equation.outputs)]


def _plain_loop(equation: Equation, loop: Stepped, unseen: set[Atom]) -> Equation:
    (graph,) = loop.graphs
    body = with_normalized_sums(_rewritten(graph, _unseen_inside(loop, equation.outputs, unseen)))
    return Equation(loop.with_graph(body), equation.inputs, equation.outputs)


def _share(equation: Equation, maker: Equation | None) -> list[Equation] | None:
    """The part of x in max(x, y), (1 + sign(x - y)) / 2; of arrays, for Python's numbers have a form of their own."""
    (out,), inputs = equation.outputs, [_as_float(atom) for atom in equation.inputs[1:]]
    real = out.type.dtype.kind == "f" and all(a.type == WEAK or a.type.dtype == out.type.dtype for a in inputs)
    if maker is None or not out.type.shape or not real:
        return None
    larger = isinstance(maker.primitive, Extreme) and maker.primitive.ufunc in (np.maximum, np.fmax)
    difference = _applied(SUBTRACT, *inputs)
    sign = _applied(SIGN, *difference.outputs)
    half = _applied(MULTIPLY, *sign.outputs, Literal(0.5 if larger else -0.5, WEAK))
    return [difference, sign, half, Equation(ADD, (*half.outputs, Literal(0.5, WEAK)), (out,))]


def _as_float(atom: Atom) -> Atom:
    """The atom, a Python number as a float that adapts to the dtype of what it meets."""
    number = isinstance(atom, Literal) and atom.type.weak and atom.type.dtype.kind in "iuf"
    return Literal(float(atom.value), WEAK) if isinstance(atom, Literal) and number else atom


def _applied(primitive: Elementwise, *inputs: Atom) -> Equation:
    return Equation(primitive, inputs, (Variable(primitive.output_type(*(atom.type for atom in inputs))),))


def _unseen(graph: Graph, outputs: Set[Atom] = frozenset()) -> set[Atom]:
    """The variables that may be NaN though every output is finite but for some `outputs`."""
    unseen = set(outputs)
    for equation in reversed(graph.equations):
        if isinstance(equation.primitive, Stepped):
            inside = _unseen_inside(equation.primitive, equation.outputs, unseen)
            given = zip(equation.inputs, equation.primitive.graphs[0].inputs, strict=True)
            unseen.update([atom for atom, inner in given if inner in inside and isinstance(atom, Variable)])
            continue
        kind = type(equation.primitive)
        if kind is Select:
            unseen.add(equation.inputs[0])
        if not _passes_nan(kind) or not unseen.isdisjoint(equation.outputs):
            unseen.update([atom for atom in equation.inputs if isinstance(atom, Variable)])
    return unseen


def _unseen_inside(loop: Stepped, outputs: Sequence[Variable], unseen: set[Atom]) -> set[Atom]:
    """The variables of a loop's graph that may be NaN though what is seen of its outputs is finite."""
    (graph,) = loop.graphs
    hidden = {i for i, variable in enumerate(outputs) if variable in unseen}
    while True:
        inside = _unseen(graph, {graph.outputs[i] for i in hidden})
        grown = hidden | {out for out, into in loop.fed_back.items() if graph.inputs[into] in inside}
        if grown == hidden:
            return inside
        hidden = grown


@cache
def _passes_nan(kind: type) -> bool:
    """Whether every operation of a kind gives NaN where an input is NaN."""
    elementwise = issubclass(kind, Elementwise) and kind not in STOPS_NAN
    return elementwise or issubclass(kind, (Contract, Linear))
