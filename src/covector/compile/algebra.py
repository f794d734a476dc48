"""Algebra: products, quotients and sums rearranged so that fewer operations are left.

A value is held as a *term*, factor * scale * over / under, until something needs it written out: the factor is a
number, the scale a variable without axes, and `over` and `under` are what a product or quotient of arrays is made of.
So numbers meet and become one, a sign disappears in a difference, and a partial derivative 1 / y that multiplies
c becomes c / y, which is shared with the other partial derivative, -(x / y) / y.

    a = multiply x 2.0
    b = negative a               d = multiply x y
    c = multiply b y       =>    e = multiply d 6.0
    d = multiply c 3.0           f = subtract z e
    e = add z d

What is used twice is written out once, so that nothing is computed twice. The results are equal to rounding, with
these exceptions: the sign of a zero may differ, and a product may overflow or underflow where the factors in another
order would not, if it is within `LARGEST_FACTOR` of doing so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import evolve

from covector.compile.dead_code import without_dead_code
from covector.compile.terms import DOUBLE, Rule, Term, Terms, is_moderate, shape_of
from covector.core.broadcasting import BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import MaskedMultiply, broadcast_shape
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import (
    DIVIDE,
    MULTIPLY,
    SQUARE,
    Add,
    Divide,
    Multiply,
    Negative,
    Power,
    Square,
    Subtract,
)
from covector.ops.axes import Permute, Sum
from covector.ops.comparison import Select
from covector.ops.contraction import Contract
from covector.ops.elementary import Sqrt
from covector.ops.indexing import Slice

MOST_FACTORS = 64
"""The largest power of an array that is computed by squaring: a power takes as long as forty products."""

MOST_DOTTED = 4096
"""The entries up to which the sum of a product is a dot product: NumPy's own sum is more accurate for many."""


def with_terms_combined(graph: Graph) -> Graph:
    """The graph with its arithmetic rearranged."""
    terms = Terms(graph, RULES)
    for equation in graph.equations:
        terms.add(equation)
    outputs = tuple(map(terms.value, graph.outputs))
    return without_dead_code(evolve(graph, equations=tuple(terms.equations), outputs=outputs))


# --- rules ----------------------------------------------------------------------------------------------


def _negative(terms: Terms, equation: Equation) -> Term:
    return terms.term(equation.inputs[0]).times(-1.0)


def _add(terms: Terms, equation: Equation) -> Term | None:
    return terms.sum(equation, 1.0)


def _subtract(terms: Terms, equation: Equation) -> Term | None:
    return terms.sum(equation, -1.0)


def _multiply(terms: Terms, equation: Equation) -> Term | None:
    x, y = map(terms.term, equation.inputs)
    return terms.product(x, y, equation.outputs[0].type)


def _masked(terms: Terms, equation: Equation) -> Term | None:
    """A product with a number is plain, for that is neither zero nor infinite; other factors are taken out."""
    x, y = map(terms.term, equation.inputs)
    kind, factor = equation.outputs[0].type, x.factor * y.factor
    if any(t.is_uniform and t.scale is None for t in (x, y)):
        return terms.product(x, y, kind)
    if not (x.is_scaled and y.is_scaled and is_moderate(factor)):
        return None
    bases = tuple(t.over for t in (x, y) if t.over is not None)
    if any(a.type.size < kind.size for a in bases) or broadcast_shape(*(a.type.shape for a in bases)) != kind.shape:
        return None
    return Term(factor, None, terms.applied(equation.primitive, bases, Variable(kind)))


def _divide(terms: Terms, equation: Equation) -> Term | None:
    x, y = map(terms.term, equation.inputs)
    factor = x.factor / y.factor
    if equation.primitive != DIVIDE or not is_moderate(factor):
        return None
    if y.is_uniform and y.scale is None:
        return x._replace(factor=factor) if x.is_uniform or shape_of(x) == equation.outputs[0].type.shape else None
    if y.is_uniform:
        return None
    if y.scale is not None or y.under is not None:
        y = Term(1.0, None, terms.written(y._replace(factor=1.0), equation.inputs[1].type))
    return Term(factor, x.scale, terms.whole(x), y.over)


def _square(terms: Terms, equation: Equation) -> Term | None:
    term = terms.term(equation.inputs[0])
    factor = term.factor * term.factor
    if term.scale is not None or term.over is None or not is_moderate(factor):
        return None
    whole = terms.whole(term)
    assert whole is not None
    return Term(factor, None, terms.applied(SQUARE, (whole,), Variable(whole.type)))


def _power(terms: Terms, equation: Equation) -> Term | None:
    primitive: Any = equation.primitive
    (x, exponent), kind = equation.inputs, equation.outputs[0].type
    if not isinstance(exponent, Literal) or x.type.strong() != kind:
        return None
    number = abs(float(exponent.value))
    whole = number.is_integer() and 1 <= number <= (MOST_FACTORS if kind.shape else 4)
    warns = not whole or float(exponent.value) < 0
    if not (whole or number in (0.5, 1.5)) or (warns and primitive.quiet):
        return None
    base = terms.value(x)
    found = _whole_power(terms, base, int(number), kind)
    if number != int(number):
        root = terms.applied(Sqrt(), (base,), Variable(kind))
        found = root if found is None else terms.arithmetic(MULTIPLY, found, root)
    return Term(1.0, None, found) if float(exponent.value) > 0 else Term(1.0, None, None, found)


def _whole_power(terms: Terms, base: Atom, number: int, kind: ArrayType) -> Atom | None:
    """A power by squaring; None for the power of zero."""
    found = None
    while number:
        if number % 2:
            found = base if found is None else terms.arithmetic(MULTIPLY, found, base)
        number //= 2
        if number:
            base = terms.applied(SQUARE, (base,), Variable(kind))
    return found


def _moved(terms: Terms, equation: Equation) -> Term | None:
    """A factor is taken out of what has at most as many entries afterwards."""
    term, (out,) = terms.term(equation.inputs[0]), equation.outputs
    whole = terms.whole(term)
    if whole is None or whole.type.size < out.type.size or whole.type.shape != equation.inputs[0].type.shape:
        return None
    product = _dotted(terms, equation, whole)
    over = product or terms.applied(equation.primitive, (whole,), Variable(out.type))
    if out.type.shape or term.scale is None:
        return Term(term.factor, term.scale, over)
    return Term(term.factor, None, terms.arithmetic(MULTIPLY, over, term.scale))


def _selected(terms: Terms, equation: Equation) -> Term | None:
    """A number where a condition holds and zero elsewhere is the number times the condition."""
    condition, x, y = equation.inputs
    (out,) = equation.outputs
    number, zero = terms.term(x), terms.term(y).over
    if not number.is_uniform or number.scale is not None or not isinstance(zero, Literal) or zero.value != 0:
        return None
    if condition.type.shape != out.type.shape or condition.type.dtype != np.bool_:
        return None
    ones = terms.applied(Cast(out.type.dtype), (terms.value(condition),), Variable(out.type))
    return Term(number.factor, None, ones)


def _repeated(terms: Terms, equation: Equation) -> Term | None:
    """A number, or a variable without axes, is one entry for all."""
    term = terms.term(equation.inputs[0])
    if equation.inputs[0].type.shape or not equation.outputs[0].type.shape or isinstance(term.over, Literal):
        return None
    return term if term.is_uniform else Term(term.factor, terms.whole(term))


def _dotted(terms: Terms, equation: Equation, summed: Atom) -> Variable | None:
    """The sum of a product of vectors as a dot product."""
    factors, kind = terms.definitions.get(summed), summed.type
    whole = isinstance(equation.primitive, (Sum, SumTo)) and not equation.outputs[0].type.shape
    if not whole or factors is None or kind.ndim != 1 or kind.size > MOST_DOTTED or kind.dtype != DOUBLE:
        return None
    if not isinstance(factors.primitive, (Multiply, Square)) or any(a.type != kind for a in factors.inputs):
        return None
    inputs = (factors.inputs[0], factors.inputs[-1])
    return terms.applied(Contract((0,), (0,), ()), inputs, Variable(equation.outputs[0].type))


def _contract(terms: Terms, equation: Equation) -> Term | None:
    x, y = map(terms.term, equation.inputs)
    kind, factor = equation.outputs[0].type, x.factor * y.factor
    inputs = [t.over for t in (x, y) if t.over is not None and t.is_scaled]
    if [a.type for a in inputs] != [a.type for a in equation.inputs] or not is_moderate(factor):
        return None
    sizes = [a.type.size for a in inputs]
    if min(sizes) < kind.size:
        smaller = sizes.index(min(sizes))
        inputs[smaller] = terms.written(Term(factor, None, inputs[smaller]), inputs[smaller].type)
        factor = 1.0
    return Term(factor, None, terms.applied(equation.primitive, tuple(inputs), Variable(kind)))


RULES: dict[type, Rule] = {
    Negative: _negative, Add: _add, Subtract: _subtract, Multiply: _multiply, MaskedMultiply: _masked, Divide: _divide,
    Square: _square, Power: _power, Sum: _moved, SumTo: _moved, Reshape: _moved, Permute: _moved, Slice: _moved,
    BroadcastTo: _repeated, Contract: _contract, Select: _selected,
}  # fmt: skip
"""The term of each operation, or None where it is written as it is."""
