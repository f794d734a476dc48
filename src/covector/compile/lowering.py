"""Lowering: operations in terms of those that NumPy does well, before a graph is written as source.

Broadcasting is kept implicit: reverse mode repeats the cotangent of a sum to the shape of what was summed, but a
product with an array of that shape does not need it written out. A product with a number, whatever its axes are
called, is elementwise. Of large arrays, the sum of a scaled one is the scaled sum, and the shares of the entries
that attain a maximum are a quotient, which can be computed block by block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from attrs import evolve

from covector.compile.accumulators import use_counts, with_slices_merged
from covector.compile.algebra import with_terms_combined
from covector.compile.contractions import with_cheaper_products
from covector.compile.dead_code import without_dead_code
from covector.compile.factors import with_symmetric_cotangents
from covector.compile.scalings import with_scalings_gathered
from covector.compile.shares import AddShare, with_shares_added
from covector.core.broadcasting import BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import Elementwise
from covector.core.primitive import Primitive, as_tuple
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import DIVIDE, MULTIPLY, NEGATIVE, Divide, Multiply, Negative, Subtract
from covector.ops.axes import Sum
from covector.ops.comparison import Select
from covector.ops.contraction import Contract
from covector.ops.reduction import TieShare

LARGE = 65_536
"""Entries from which an array is worth working on block by block."""


def lowered(graph: Graph, combined: bool = False) -> Graph:
    """The graph with simpler operations, of the same outputs; `combined` if its terms are (see `algebra`)."""
    graph = with_scalings_gathered(with_cheaper_products(with_symmetric_cotangents(graph)))
    graph = with_slices_merged(evolve(graph, equations=tuple(map(_scaling, graph.equations))))
    graph = graph if combined else with_terms_combined(graph)
    graph = without_dead_code(with_shares_added(graph, LARGE))
    graph = evolve(graph, equations=tuple(simpler for equation in graph.equations for simpler in _shares(equation)))
    return without_dead_code(_with_implicit_repetition(graph))


def _with_implicit_repetition(graph: Graph) -> Graph:
    """Leaves broadcasting to NumPy, and takes sums of large arrays once."""
    sources: dict[Atom, Atom] = {}
    sums = _Sums(graph)
    equations: list[Equation] = []
    for equation in graph.equations:
        equation = Equation(equation.primitive, sums.replaced(equation.inputs), equation.outputs)
        if isinstance(equation.primitive, BroadcastTo):
            sources[equation.outputs[0]] = sources.get(equation.inputs[0], equation.inputs[0])
        equations += sums.simplified(_without_repetition(equation, sources))
    outputs = sums.replaced(graph.outputs)
    return evolve(graph, equations=tuple(equations), outputs=outputs)


@final
class _Sums:
    """Takes factors and signs out of sums of all entries of large arrays, and takes equal sums once.

    So the sum of x (c / sum x) is sum x (c / sum x), which is c: that of weights which were divided by their sum. The
    maximum that is subtracted before exponentials are taken has the derivative c - c then, and no entry has a share.
    The weights must be used otherwise, too: where the sum is no divisor, they show it.
    """

    def __init__(self, graph: Graph) -> None:
        self.uses = use_counts(graph)
        self.scaled: dict[Atom, tuple[Atom, Atom | None]] = {}
        self.known: dict[Atom, Variable] = {}
        self.same: dict[Atom, Atom] = {}
        self.quotients: dict[Atom, tuple[float, Atom]] = {}
        self.normalized: set[Atom] = set()  # numbers that were found to be such sums

    def replaced(self, atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
        """The atoms, sums that are known already in the place of equal ones."""
        return tuple(self.same.get(a, a) for a in atoms) if self.same else atoms

    def simplified(self, equation: Equation) -> Sequence[Equation]:
        """The equations for one equation."""
        if len(equation.outputs) != 1:
            return [equation]
        if _is_whole_sum(equation):
            return self._sum(equation.inputs[0], equation.outputs[0])
        (out,) = equation.outputs
        if not out.type.shape:
            self._note_quotient(equation)
        if self._cancels(equation):
            self.same[out] = Literal(out.type.dtype.type(0), out.type)
            return []
        if isinstance(equation.primitive, AddShare) and _is_zero(equation.inputs[2]):
            self.same[out] = equation.inputs[0]
            return []
        if isinstance(equation.primitive, Negative):
            self.scaled[out] = equation.inputs[0], None
        elif isinstance(equation.primitive, Multiply):
            for x, factor in (equation.inputs, equation.inputs[::-1]):
                if x.type == out.type and not factor.type.shape:
                    self.scaled[out] = x, factor
        return [equation]

    def _sum(self, x: Atom, out: Variable) -> Sequence[Equation]:
        if x in self.scaled:
            shown = self.uses[x] > 1
            x, factor = self.scaled[x]
            total = Variable(out.type)
            equations = self._sum(x, total)
            inputs = self.replaced((total,) if factor is None else (total, factor))
            number, divisor = self.quotients.get(inputs[-1], (0.0, None))
            if divisor is inputs[0] and shown:
                self.same[out] = Literal(out.type.dtype.type(number), out.type)
                self.normalized.add(self.same[out])
                return equations
            return [*equations, Equation(NEGATIVE if factor is None else MULTIPLY, inputs, (out,))]
        if x in self.known:
            self.same[out] = self.known[x]
            return []
        self.known[x] = out
        return [Equation(Sum(tuple(range(x.type.ndim))), (x,), (out,))]

    def _note_quotient(self, equation: Equation) -> None:
        """Notes a number divided by a variable, or a multiple of that."""
        if any(atom.type.dtype.kind == "c" for atom in equation.inputs):
            return
        x, y = equation.inputs if len(equation.inputs) == 2 else (None, None)
        if isinstance(equation.primitive, Divide) and isinstance(x, Literal) and y is not None:
            self.quotients[equation.outputs[0]] = float(x.value), y
        elif isinstance(equation.primitive, Multiply) and x in self.quotients and isinstance(y, Literal):
            number, divisor = self.quotients[x]
            self.quotients[equation.outputs[0]] = number * float(y.value), divisor

    def _cancels(self, equation: Equation) -> bool:
        """Whether the operation takes c from the sum of what was divided so that its sum is c."""
        if not isinstance(equation.primitive, Subtract) or self.normalized.isdisjoint(equation.inputs):
            return False
        x, y = equation.inputs
        return isinstance(x, Literal) and isinstance(y, Literal) and bool(x.value == y.value)


def _is_zero(atom: Atom) -> bool:
    return isinstance(atom, Literal) and atom.value == 0


def _is_whole_sum(equation: Equation) -> bool:
    x, out = equation.inputs[0].type if equation.inputs else None, equation.outputs[0].type
    if x is None or out.shape or x.size < LARGE or not x.differentiable:
        return False
    return isinstance(equation.primitive, (Sum, SumTo)) and x.dtype == out.dtype


def _without_repetition(equation: Equation, sources: dict[Atom, Atom]) -> Equation:
    """The elementwise operation on what was repeated, if its result is the same."""
    if not isinstance(equation.primitive, (Elementwise, Select)) or sources.keys().isdisjoint(equation.inputs):
        return equation
    for position, atom in enumerate(equation.inputs):
        if isinstance(atom, Variable) and atom in sources:
            inputs = (*equation.inputs[:position], sources[atom], *equation.inputs[position + 1 :])
            found = as_tuple(equation.primitive.output_type(*(x.type for x in inputs)))
            if found == tuple(v.type for v in equation.outputs):
                equation = Equation(equation.primitive, inputs, equation.outputs)
    return equation


def _scaling(equation: Equation) -> Equation:
    """The product as an elementwise one, if one operand is a number."""
    if not isinstance(equation.primitive, Contract):
        return equation
    primitive = equation.primitive
    labels = primitive.left + primitive.right
    scales = () in (primitive.left, primitive.right) and labels == primitive.out
    types = [atom.type for atom in equation.inputs]
    same = scales and MULTIPLY.output_type(*types) == equation.outputs[0].type
    return Equation(MULTIPLY, equation.inputs, equation.outputs) if same else equation


def _shares(equation: Equation) -> Sequence[Equation]:
    """Attained / sum of attained, over the axes of an extreme of a large array."""
    primitive = equation.primitive
    if not isinstance(primitive, TieShare) or equation.outputs[0].type.size < LARGE:
        return [equation]
    (attained,) = equation.inputs
    kept = tuple(1 if i in primitive.axes else n for i, n in enumerate(attained.type.shape))
    counted = _applied(Sum(primitive.axes), attained)
    reshaped = _applied(Reshape(kept), counted.outputs[0])
    if primitive.dtype == np.float64:
        return [counted, reshaped, Equation(DIVIDE, (attained, reshaped.outputs[0]), equation.outputs)]
    quotient = _applied(DIVIDE, attained, reshaped.outputs[0])
    return [counted, reshaped, quotient, Equation(Cast(primitive.dtype), quotient.outputs, equation.outputs)]


def _applied(primitive: Primitive, *inputs: Atom) -> Equation:
    return Equation(primitive, inputs, (Variable(primitive.output_type(*(atom.type for atom in inputs))),))
