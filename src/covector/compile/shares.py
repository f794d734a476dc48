"""Shares of an extreme, added where they are: few entries of a large array attain its largest one.

    s = tie_share m                  1 / n for the n entries that attain the maximum, 0 for the others
    t = multiply s a         =>      b = add_share x m a
    b = add x t

Three passes over the array become a search for the entries that are marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from attrs import evolve

from covector.core.primitive import Primitive, moved_to_front
from covector.core.types import Array, ArrayType, typeof
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.arithmetic import NEGATIVE, Add, Multiply, Subtract
from covector.ops.reduction import TieShare


def add_share(x: Array, attained: Array, amount: Array) -> None:
    """Adds an amount to an array, in equal parts to the marked entries."""
    places = np.nonzero(attained)
    x[places] += amount / max(1, len(places[0]))


@final
class AddShare(Primitive):
    """The array with an amount added, in equal parts to the marked entries."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        x, attained, amount = inputs
        out = np.array(x)
        add_share(out, attained, amount)
        return out

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0]

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Array, Array | None]:
        """Linear in the array and the amount."""
        out, (dx, _, change) = self(*primals), tangents
        spread = None if change is None else _equal_parts(primals[1], 0) * change
        return out, dx if spread is None else spread if dx is None else dx + spread

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        x, attained, amount = (moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True))
        ndim = typeof(x).ndim
        return x + _equal_parts(attained, 1) * np.reshape(amount, (size,) + (1,) * (ndim - 1))


def _equal_parts(attained: Array, first: int) -> Array:
    """For the marked entries one divided by their number, over the axes from the first; 0 for the others."""
    axes = tuple(range(first, typeof(attained).ndim))
    marked = np.where(attained, 1.0, 0.0)
    return marked / np.maximum(1.0, np.sum(marked, axis=axes, keepdims=True))


ADD_SHARE = AddShare()


def with_shares_added(graph: Graph, least: int) -> Graph:
    """The graph with shares added in place, in arrays of at least so many entries."""
    makers: dict[Atom, Equation] = {}
    equations: list[Equation] = []
    for equation in graph.equations:
        found = _added(equation, makers) if equation.outputs and equation.outputs[0].type.size >= least else None
        equations += found or [equation]
        makers.update(dict.fromkeys(equation.outputs, equation))
    return evolve(graph, equations=tuple(equations))


def _added(equation: Equation, makers: dict[Atom, Equation]) -> list[Equation] | None:
    if not isinstance(equation.primitive, (Add, Subtract)):
        return None
    (out,), (x, y) = equation.outputs, equation.inputs
    for array, term in ((x, y), (y, x)) if isinstance(equation.primitive, Add) else ((x, y),):
        share = _share(term, makers)
        if share is None or array.type != out.type or term.type != out.type:
            continue
        attained, amount = share
        if isinstance(equation.primitive, Add):
            return [Equation(ADD_SHARE, (array, attained, amount), (out,))]
        negative = Variable(NEGATIVE.output_type(amount.type))
        return [
            Equation(NEGATIVE, (amount,), (negative,)),
            Equation(ADD_SHARE, (array, attained, negative), (out,)),
        ]
    return None


def _share(term: Atom, makers: dict[Atom, Equation]) -> tuple[Atom, Atom] | None:
    """What marks the entries of an extreme of the whole array, and the amount that they share."""
    product = makers.get(term)
    if product is None or not isinstance(product.primitive, Multiply):
        return None
    for share, amount in (product.inputs, product.inputs[::-1]):
        maker = makers.get(share)
        if maker is None or amount.type.shape or share.type != term.type:
            continue
        if isinstance(maker.primitive, TieShare) and len(maker.primitive.axes) == share.type.ndim:
            return maker.inputs[0], amount
    return None
