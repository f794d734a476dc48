"""Operations with a simpler form: a rule of simplification that looks at one equation alone.

    multiply x 1.0 = x        power x 2 = square x        add x 0.0 = x        permute[(0, 1)] x = x
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from covector.core.broadcasting import BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import MASKED_MULTIPLY, MaskedMultiply
from covector.core.types import typeof
from covector.graph.graph import Atom, Equation, Literal, Variable
from covector.ops.arithmetic import MULTIPLY, NEGATIVE, POWER, SQUARE, Add, Divide, Multiply, Power, Subtract
from covector.ops.axes import Permute
from covector.ops.indexing import PutSlice, Slice

Result = Sequence[Atom] | Equation
"""What takes the place of an equation: another one, or the atoms that stand for its outputs."""

Rule = Callable[[Equation], Result]


def simpler(equation: Equation) -> Result:
    """Removes factors of one, zero terms, casts and reshapes that change nothing, and the like."""
    rule = SIMPLER.get(type(equation.primitive))
    return equation if rule is None else rule(equation)


def _simpler_product(equation: Equation) -> Result:
    left, right = equation.inputs
    if isinstance(left, Variable) and isinstance(right, Variable):
        return equation
    (out,) = equation.outputs
    complex_ = out.type.dtype.kind == "c"  # NumPy multiplies infinite ones by 1 + 0i, which makes them NaN
    for factor, other in () if complex_ else ((left, right), (right, left)):
        if _is_number(factor, 1) and other.type == out.type:
            return [other]
        if _is_number(factor, -1) and other.type == out.type:
            return Equation(NEGATIVE, (other,), equation.outputs)
    if equation.primitive == MASKED_MULTIPLY and isinstance(left, Literal):
        if left.value == 0:
            return _filled(0, equation)
        return Equation(MULTIPLY, equation.inputs, equation.outputs)
    return equation


def _filled(number: int, equation: Equation) -> Result:
    """A number for all entries."""
    kind = equation.outputs[0].type
    value = kind.dtype.type(number)
    literal = Literal(value, typeof(value))
    if kind.shape:
        return Equation(BroadcastTo(kind.shape), (literal,), equation.outputs)
    return [literal] if literal.type == kind else equation


def _simpler_sum(equation: Equation) -> Result:
    """Without a zero; that of a sum of zeros may change its sign."""
    (x, y), (out,) = equation.inputs, equation.outputs
    if _is_number(y, 0) and x.type == out.type:
        return [x]
    return [y] if _is_number(x, 0) and y.type == out.type else equation


def _simpler_difference(equation: Equation) -> Result:
    (x, y), (out,) = equation.inputs, equation.outputs
    if _is_number(y, 0) and x.type == out.type:
        return [x]
    negative = _is_number(x, 0) and y.type == out.type
    return Equation(NEGATIVE, (y,), equation.outputs) if negative else equation


def _simpler_quotient(equation: Equation) -> Result:
    x, y = equation.inputs
    return [x] if _is_number(y, 1) and x.type == equation.outputs[0].type else equation


def _simpler_power(equation: Equation) -> Result:
    (x, exponent), (out,) = equation.inputs, equation.outputs
    if equation.primitive == POWER and _is_number(exponent, 0) and out.type.differentiable:
        return _filled(1, equation)
    if equation.primitive == POWER and _is_number(exponent, 1) and x.type == out.type:
        return [x]
    if equation.primitive == POWER and _is_number(exponent, 2) and x.type.strong() == out.type:
        return Equation(SQUARE, (x,), equation.outputs)
    return equation


def _without_effect_on_type(equation: Equation) -> Result:
    """What changes nothing but the type does nothing if it keeps it."""
    return equation.inputs if equation.inputs[0].type == equation.outputs[0].type else equation


def _simpler_permutation(equation: Equation) -> Result:
    primitive: Any = equation.primitive
    return equation.inputs if primitive.axes == tuple(range(len(primitive.axes))) else equation


def _simpler_slice(equation: Equation) -> Result:
    """A slice of all entries in their order, or zeros of which none is left, is a reshape."""
    primitive: Any = equation.primitive
    given, wanted = equation.inputs[0].type, equation.outputs[0].type
    forward = all(type(entry) is not tuple or entry[2] in (None, 1) for entry in primitive.key)
    if given.size != wanted.size or not given.size or not forward:
        return equation
    return equation.inputs if given == wanted else Equation(Reshape(wanted.shape), equation.inputs, equation.outputs)


SIMPLER: Mapping[type, Rule] = {
    Multiply: _simpler_product, MaskedMultiply: _simpler_product, Divide: _simpler_quotient,
    Power: _simpler_power, Add: _simpler_sum, Subtract: _simpler_difference, Permute: _simpler_permutation,
    Slice: _simpler_slice, PutSlice: _simpler_slice,
    **dict.fromkeys((BroadcastTo, Cast, Reshape, SumTo), _without_effect_on_type),
}  # fmt: skip
"""The simpler form of operations, by their type."""


def _is_number(atom: Atom, number: int) -> bool:
    return isinstance(atom, Literal) and not atom.type.shape and bool(atom.value == number)
