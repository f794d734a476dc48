"""Scalings: what multiplies the rows or columns of an array is multiplied, or added, before it meets the array.

    a = multiply x v
    b = multiply a w        =>        s = multiply v w        b = multiply x s
    c = multiply x u
    d = add b c             =>        t = add s u             d = multiply x t

for v, w and u that are broadcast to x. The rows of a Hessian come so: the same data, scaled by factor after factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from attrs import evolve

from covector.compile.accumulators import use_counts
from covector.compile.dead_code import without_dead_code
from covector.core.broadcasting import BroadcastTo
from covector.core.primitive import Primitive
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import MULTIPLY, Add, Multiply, Subtract


def with_scalings_gathered(graph: Graph) -> Graph:
    """The graph with products of few factors before those of many."""
    scalings = _Scalings(graph)
    for equation in graph.equations:
        scalings.equations += scalings.gathered(equation)
    if len(scalings.equations) == len(graph.equations):
        return graph
    return without_dead_code(evolve(graph, equations=tuple(scalings.equations)))


@final
class _Scalings:
    """The equations so far, and the arrays and scalings that scaled arrays are products of."""

    def __init__(self, graph: Graph) -> None:
        self.uses = use_counts(graph)
        self.equations: list[Equation] = []
        self.scaled: dict[Atom, tuple[Atom, Atom]] = {}
        self.sources: dict[Atom, Atom] = {}  # of what is broadcast

    def gathered(self, equation: Equation) -> list[Equation]:
        """The equations for one equation."""
        if isinstance(equation.primitive, Multiply):
            return self._product(equation)
        if isinstance(equation.primitive, (Add, Subtract)):
            return self._sum(equation)
        if isinstance(equation.primitive, BroadcastTo):
            self.sources[equation.outputs[0]] = equation.inputs[0]
        return [equation]

    def _product(self, equation: Equation) -> list[Equation]:
        (out,) = equation.outputs
        for x, scaling in self._scalings(equation):
            base, other = self._alone(x)
            combined = None if other is None else _combined(MULTIPLY, other, scaling, out)
            self.scaled[out] = (x, scaling) if combined is None else (base, combined.outputs[0])
            if combined is not None:
                return [combined, Equation(MULTIPLY, self.scaled[out], (out,))]
        return [equation]

    def _sum(self, equation: Equation) -> list[Equation]:
        (out,), (x, y) = equation.outputs, equation.inputs
        (base, v), (other_base, w) = self._alone(x), self._alone(y)
        combined = None
        if v is not None and w is not None and base is other_base and x.type == y.type == out.type:
            combined = _combined(equation.primitive, v, w, out)
        if combined is None:
            return [equation]
        self.scaled[out] = base, combined.outputs[0]
        return [combined, Equation(MULTIPLY, self.scaled[out], (out,))]

    def _scalings(self, equation: Equation) -> Iterator[tuple[Atom, Atom]]:
        """The operands, an array and what is broadcast to it, in either order."""
        (out,) = equation.outputs
        for x, y in (equation.inputs, equation.inputs[::-1]):
            scaling = self.sources.get(y, y)
            if x.type == out.type and scaling.type.size < out.type.size and out.type.dtype.kind == "f":
                yield x, scaling

    def _alone(self, x: Atom) -> tuple[Atom, Atom | None]:
        """What an array is a product of, if nothing else uses it: then it need not be computed."""
        return self.scaled[x] if x in self.scaled and self.uses[x] == 1 else (x, None)


def _combined(primitive: Primitive, v: Atom, w: Atom, out: Variable) -> Equation | None:
    """The scalings' product or sum, if that has fewer entries than what is scaled, and the same dtype."""
    if isinstance(v, Literal) and isinstance(w, Literal):
        return None
    kind = primitive.output_type(v.type, w.type)
    fits = kind.size < out.type.size and not kind.weak and kind.dtype == out.type.dtype
    return Equation(primitive, (v, w), (Variable(kind),)) if fits else None
