"""Sums of weights that were divided by their sum, which are known before they are taken.

The exponentials of softmax and of the logarithm of a sum are taken after a maximum has been subtracted, which changes
nothing. So its derivative is zero, but reverse mode computes it as a difference that cancels:

    s = sum[axes=(1,)] e
    q = divide c s                   the weights are c e / s, so their sum is c
    r = reshape[shape=(n, 1)] q
    w = multiply e r
    t = sum_to[shape=(n, 1)] w       c
    d = subtract c t                 zero, and so is the share of each entry in the maximum
    p = multiply d share
    g = add w p                =>    w

This holds where nothing is infinite or NaN, so it is for programs that are left when something is (see `plain`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

from attrs import evolve, frozen

from covector.compile.dead_code import without_dead_code
from covector.core.broadcasting import BroadcastTo, Reshape, SumTo
from covector.core.types import Shape
from covector.graph.graph import Atom, Equation, Graph, Literal
from covector.ops.arithmetic import Add, Divide, Multiply, Negative, Subtract
from covector.ops.axes import Sum
from covector.ops.contraction import Contract
from covector.ops.reduction import TieShare


def with_normalized_sums(graph: Graph) -> Graph:
    """The graph without shares in extremes of amounts that cancel."""
    if not any(isinstance(e.primitive, TieShare) for e in graph.equations):
        return graph
    normalizer = _Normalizer()
    equations = tuple(map(normalizer.replaced, graph.equations))
    same = normalizer.same
    outputs = tuple(same.get(atom, atom) for atom in graph.outputs)
    return without_dead_code(evolve(graph, equations=equations, outputs=outputs)) if same else graph


@final
@frozen
class _Quotient:
    """factor * over / under, up to axes of length 1: of a variable, or of 1, by a sum, or by 1."""

    factor: float
    over: Atom | None = None
    under: Atom | None = None


@final
class _Normalizer:
    """What is known about the variables so far."""

    def __init__(self) -> None:
        self.same: dict[Atom, Atom] = {}
        self.quotients: dict[Atom, _Quotient] = {}
        self.repeated: dict[Atom, Atom] = {}
        self.sums: dict[Atom, tuple[Atom, Shape]] = {}  # of what, and the shape with the axes kept
        self.weights: dict[Atom, tuple[_Quotient, Shape]] = {}  # numbers over the sum of what they are multiplied by
        self.zeros: set[Atom] = set()
        self.shares: set[Atom] = set()

    def replaced(self, equation: Equation) -> Equation:
        """The equation, of what its inputs are the same as."""
        if not self.same.keys().isdisjoint(equation.inputs):
            inputs = tuple(self.same.get(atom, atom) for atom in equation.inputs)
            equation = Equation(equation.primitive, inputs, equation.outputs)
        note = RULES.get(type(equation.primitive))
        if note is not None:
            note(self, equation)
        return equation

    def quotient(self, atom: Atom) -> _Quotient:
        """The atom as a quotient."""
        if isinstance(atom, Literal):
            return _Quotient(float(atom.value)) if atom.type.dtype.kind == "f" else _Quotient(1.0, atom)
        return self.quotients.get(atom) or _Quotient(1.0, atom)

    def cancels(self, x: Atom, y: Atom, sign: int) -> bool:
        """Whether x is known to be minus `sign` times y, to rounding."""
        one, other = self.quotient(x), self.quotient(y)
        if (one.over, one.under) != (other.over, other.under):
            return False
        if one.over is not None and x.type.shape != y.type.shape:
            return False
        return abs(one.factor + sign * other.factor) <= 1e-15 * abs(one.factor)


def _sum(known: _Normalizer, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    kept = _kept(equation)
    known.sums[out] = x, kept
    quotient, shape = known.weights.get(x, (None, ()))
    if quotient is not None and shape == kept:
        known.quotients[out] = evolve(quotient, under=None)


def _kept(equation: Equation) -> Shape:
    """The shape of a sum with the axes kept."""
    shape = equation.inputs[0].type.shape
    if isinstance(equation.primitive, Sum):
        return tuple(1 if i in equation.primitive.axes else n for i, n in enumerate(shape))
    out = equation.outputs[0].type.shape
    return (1,) * (len(shape) - len(out)) + out


def _divide(known: _Normalizer, equation: Equation) -> None:
    (x, y), (out,) = equation.inputs, equation.outputs
    dividend, divisor = known.quotient(x), known.quotient(known.repeated.get(y, y))
    if divisor.over not in known.sums or divisor.under is not None or not divisor.factor:
        return
    even = out.type.size == y.type.size and (dividend.over is None or out.type.size == x.type.size)
    if even and dividend.under is None and y not in known.repeated:
        known.quotients[out] = _Quotient(dividend.factor / divisor.factor, dividend.over, divisor.over)
    if x is known.sums[divisor.over][0]:
        _weigh(known, equation, x, y, _Quotient(1 / divisor.factor, None, divisor.over))


def _multiply(known: _Normalizer, equation: Equation) -> None:
    (x, y), (out,) = equation.inputs, equation.outputs
    _share(known, equation)
    for array, factor in ((x, y), (y, x)):
        quotient = known.quotient(known.repeated.get(factor, factor))
        if isinstance(array, Literal) and array.type.dtype.kind == "f":
            if factor not in known.repeated:
                known.quotients[out] = evolve(quotient, factor=quotient.factor * float(array.value))
        elif quotient.under is not None and known.sums[quotient.under][0] is array:
            _weigh(known, equation, array, factor, quotient)
        elif quotient.under is not None and quotient.over is None and out.type.size == x.type.size == y.type.size:
            other = known.quotient(array)
            if other.under is None and array not in known.repeated:
                known.quotients[out] = _Quotient(quotient.factor * other.factor, other.over, quotient.under)


def _weigh(known: _Normalizer, equation: Equation, array: Atom, factor: Atom, quotient: _Quotient) -> None:
    """Notes weights: an array times the inverse of its sum, in the place of that, and of nothing that varies more."""
    (out,) = equation.outputs
    assert quotient.under is not None
    kept = known.sums[quotient.under][1]
    shape = known.repeated.get(factor, factor).type.shape
    whole = (1,) * (len(kept) - len(shape)) + shape
    even = quotient.over is None or math.prod(quotient.over.type.shape) == math.prod(kept)
    if out.type == array.type and whole == kept and even:
        known.weights[out] = quotient, kept


def _negative(known: _Normalizer, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    quotient = known.quotient(x)
    known.quotients[out] = evolve(quotient, factor=-quotient.factor)
    if x in known.weights:
        quotient, kept = known.weights[x]
        known.weights[out] = evolve(quotient, factor=-quotient.factor), kept
    if x in known.zeros:
        known.zeros.add(out)


def _reshape(known: _Normalizer, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    if [n for n in x.type.shape if n != 1] == [n for n in out.type.shape if n != 1]:
        known.quotients[out] = known.quotient(x)
        if x in known.zeros:
            known.zeros.add(out)


def _broadcast(known: _Normalizer, equation: Equation) -> None:
    (x,), (out,) = equation.inputs, equation.outputs
    known.repeated[out] = known.repeated.get(x, x)
    quotient = known.quotient(x)
    if quotient.over is None and quotient.under is None:
        known.quotients[out] = quotient


def _subtract(known: _Normalizer, equation: Equation) -> None:
    (x, y), (out,) = equation.inputs, equation.outputs
    if known.cancels(x, y, -1):
        known.zeros.add(out)
    elif y in known.zeros and x.type == out.type:
        known.same[out] = x


def _add(known: _Normalizer, equation: Equation) -> None:
    (x, y), (out,) = equation.inputs, equation.outputs
    if known.cancels(x, y, 1):
        known.zeros.add(out)
        return
    for array, zero in ((x, y), (y, x)):
        if zero in known.zeros and array.type == out.type:
            known.same[out] = array
            return


def _share(known: _Normalizer, equation: Equation) -> None:
    """Notes that the share in an amount that is zero is zero."""
    amounts = known.zeros.intersection(equation.inputs)
    if amounts and not known.shares.isdisjoint(equation.inputs):
        known.zeros.update(equation.outputs)


def _tie_share(known: _Normalizer, equation: Equation) -> None:
    known.shares.update(equation.outputs)


RULES: dict[type, Callable[[_Normalizer, Equation], None]] = {
    Sum: _sum, SumTo: _sum, Divide: _divide, Multiply: _multiply, Negative: _negative, Reshape: _reshape,
    BroadcastTo: _broadcast, Subtract: _subtract, Add: _add, Contract: _share, TieShare: _tie_share,
}  # fmt: skip
