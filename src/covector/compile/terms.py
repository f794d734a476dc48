"""Terms: what the values of a graph are while its products, quotients and sums are rearranged (see `algebra`).

A term is factor * scale * over / under. The factor is a number, the scale a variable without axes that multiplies an
array, and `over` and `under` are variables. `Terms` holds the equations written so far and the terms that are not
written yet; a term is written when something needs the value, or needs it twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

import numpy as np

from covector.core.broadcasting import BroadcastTo, Cast, Linear
from covector.core.families import Elementwise, broadcast_shape
from covector.core.primitive import Primitive
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, identities
from covector.ops.arithmetic import ADD, DIVIDE, MULTIPLY, NEGATIVE, SQUARE, SUBTRACT, Add, Divide, Multiply, Subtract
from covector.ops.comparison import Select
from covector.ops.contraction import Contract

LARGEST_FACTOR, SMALLEST_FACTOR = 2.0**60, 2.0**-60
"""Numbers are combined while they are between these."""

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
COMMUTATIVE = frozenset({Add, Multiply})

WEAK = ArrayType((), DOUBLE, weak=True)


class Term(NamedTuple):
    """factor * scale * over / under; what is None is not there."""

    factor: float
    scale: Atom | None = None
    over: Atom | None = None
    under: Atom | None = None

    def times(self, number: float) -> Term:
        """The term with another factor."""
        return Term(self.factor * number, self.scale, self.over, self.under)

    @property
    def is_uniform(self) -> bool:
        """Whether all entries are equal: there is nothing but the factor and the scale."""
        return self.over is None and self.under is None

    @property
    def is_scaled(self) -> bool:
        """Whether it is a number times a variable."""
        return self.over is not None and self.under is None and self.scale is None


Rule = Callable[["Terms", Equation], Term | None]
"""The term of an operation, or None where it is written as it is."""


@final
class Terms:
    """The equations written so far, and the terms that are not written yet."""

    def __init__(self, graph: Graph, rules: Mapping[type, Rule]) -> None:
        self.rules = rules
        self.equations: list[Equation] = []
        self.uses = Counter([atom for e in graph.equations for atom in _read(e) if type(atom) is Variable])
        self.uses.update(atom for atom in graph.outputs if isinstance(atom, Variable))
        self.terms: dict[Atom, Term] = {}
        self.values: dict[Atom, Atom] = {}
        self.known: defaultdict[Primitive, dict[tuple[Any, ...], Variable]] = defaultdict(dict)
        self.products = self.known[MULTIPLY]
        self.definitions: dict[Atom, Equation] = {}
        self.partners = _partners(graph)
        self.numerators: defaultdict[Atom, list[Atom]] = defaultdict(list)  # of quotients to come, by denominator

    def add(self, equation: Equation) -> None:
        """Makes a term of an equation, or writes it as it is."""
        rule = self.rules.get(type(equation.primitive))
        term = rule(self, equation) if rule is not None and _is_real(equation) else None
        if term is None:
            self._keep(equation)
            return
        (out,) = equation.outputs
        if term.over is None and term.under is not None:
            self.numerators[term.under] += self.partners.get(out, ())
        if self.uses[out] <= 1 or _is_free(term):
            self.terms[out] = term
        elif term.factor < 0:
            self.terms[out] = Term(-1.0, None, self.written(term.times(-1.0), out.type))
        else:
            self.values[out] = self.written(term, out.type)

    def _keep(self, equation: Equation) -> None:
        inputs = tuple(map(self.value, equation.inputs))
        if isinstance(equation.primitive, (Elementwise, Linear, Contract)) and len(equation.outputs) == 1:
            (out,) = equation.outputs
            found = self.applied(equation.primitive, inputs, out)
            if found is not out:
                self.values[out] = found
        else:
            self.equations.append(Equation(equation.primitive, inputs, equation.outputs))

    # --- reading ------------------------------------------------------------------------------------------

    def value(self, atom: Atom) -> Atom:
        """What stands for a variable of the given graph, written out."""
        found = self.values.get(atom)
        if found is None:
            term = self.terms.get(atom)
            if term is None:
                return atom
            found = self.values[atom] = self.written(term, atom.type)
        return found

    def term(self, atom: Atom) -> Term:
        """The term that stands for a variable of the given graph."""
        term = self.terms.get(atom)
        if term is not None:
            return term
        if isinstance(atom, Literal):
            value = float(atom.value)
            return Term(value) if is_moderate(value) else Term(1.0, None, atom)
        return Term(1.0, None, self.values.get(atom, atom))

    def whole(self, term: Term) -> Atom | None:
        """over / under, written."""
        if term.under is None:
            return term.over
        return self.arithmetic(DIVIDE, term.over or _number(1.0), term.under)

    # --- writing ------------------------------------------------------------------------------------------

    def written(self, term: Term, kind: ArrayType) -> Atom:
        """A variable of the given type for a term."""
        found = self._written(term)
        if found.type == kind:
            return found
        if isinstance(found, Literal):
            value = kind.dtype.type(found.value)
            found = Literal(value.item() if kind.weak else value, ArrayType((), kind.dtype, kind.weak))
            if not kind.shape:
                return found
        if found.type.shape != kind.shape:
            return self.applied(BroadcastTo(kind.shape), (found,), Variable(kind))
        return self.applied(Cast(kind.dtype), (found,), Variable(kind))

    def _written(self, term: Term) -> Atom:
        factor, scale, over, under = term
        if scale is not None and abs(factor) != 1.0:
            factor, scale = 1.0, self.arithmetic(MULTIPLY, scale, _number(factor))
        if over is None and under is not None and scale is None:
            return self.arithmetic(DIVIDE, _number(factor), under)
        found = self.whole(term)
        if found is None:
            if scale is None:
                return _number(factor)
            return self.negated(scale) if factor == -1.0 else scale
        if scale is not None:
            found = self.arithmetic(MULTIPLY, found, scale)
        if factor == -1.0:
            return self.negated(found)
        return found if factor == 1.0 else self.arithmetic(MULTIPLY, found, _number(factor))

    def negated(self, atom: Atom) -> Atom:
        """-x; of a difference, the difference the other way round."""
        equation = self.definitions.get(atom)
        if equation is not None and type(equation.primitive) is Subtract:
            return self.arithmetic(SUBTRACT, *reversed(equation.inputs))
        return self.applied(NEGATIVE, (atom,), Variable(atom.type))

    def arithmetic(self, primitive: Primitive, x: Atom, y: Atom) -> Atom:
        """An operation on two real operands of one dtype."""
        if primitive is MULTIPLY:
            if x is y and not x.type.weak:
                return self.applied(SQUARE, (x,), Variable(x.type))
            x, y = self._regrouped(x, y)
        return self.applied(primitive, (x, y), Variable(_common_type(x.type, y.type)))

    def _regrouped(self, x: Atom, y: Atom) -> tuple[Atom, Atom]:
        """The factors of (a b) c as (a c) and b, if a c is known: then a b need not be."""
        for product, other in ((x, y), (y, x)):
            equation = self.definitions.get(product)
            if equation is not None and type(equation.primitive) is Multiply:
                a, b = equation.inputs
                if (known := self._known_product(a, other)) is not None:
                    return known, b
                if (known := self._known_product(b, other)) is not None:
                    return known, a
        return x, y

    def _known_product(self, x: Atom, y: Atom) -> Variable | None:
        key = identities((x, y))
        return self.products.get(key) or self.products.get(key[::-1])

    def applied(self, primitive: Primitive, inputs: tuple[Atom, ...], out: Variable) -> Variable:
        """The output of an operation, which is written unless it is known."""
        known, key = self.known[primitive], identities(inputs)
        found = known.get(key)
        if found is None and type(primitive) in COMMUTATIVE:
            found = known.get(key[::-1])
        if found is not None and found.type == out.type:
            return found
        known[key] = out
        equation = self.definitions[out] = Equation(primitive, inputs, (out,))
        self.equations.append(equation)
        return out

    # --- arithmetic of terms ------------------------------------------------------------------------------

    def product(self, x: Term, y: Term, out: ArrayType) -> Term | None:
        """x y."""
        factor = x.factor * y.factor
        if not is_moderate(factor) or isinstance(x.over, Literal) or isinstance(y.over, Literal):
            return None
        for uniform, other in ((x, y), (y, x)) if x.over is None or y.over is None else ():
            if uniform.is_uniform and (out.shape or uniform.scale is None):
                if shape_of(other) != out.shape and not other.is_uniform:
                    return None
                return Term(factor, self._scales(x.scale, y.scale), other.over, other.under)
        if out.shape:
            if not shape_of(x):
                x, y = y, x
            if not shape_of(y):  # a scale
                return Term(factor, self._scales(x.scale, self.whole(y)), x.over, x.under)
        scale = self._scales(x.scale, y.scale)
        if x.under is not None:
            x, y = y, x
        if x.under is not None:
            x = Term(1.0, None, self.whole(x))
        over = self._quotient(x.over, y, out) if y.under is not None else None
        if over is not None:
            return Term(factor, scale, over.over, over.under)
        return self._plain_product(x, Term(factor, scale, self.whole(y)), out)

    def _quotient(self, x: Atom | None, y: Term, out: ArrayType) -> Term | None:
        """x (over / under), the factor and scale of y aside."""
        assert x is not None
        assert y.under is not None
        if y.over is None:
            return Term(1.0, None, x, y.under)
        if not self._is_wanted(x, y.under):
            return None
        return Term(1.0, None, self.arithmetic(MULTIPLY, self.arithmetic(DIVIDE, x, y.under), y.over))

    def _is_wanted(self, x: Atom, under: Atom) -> bool:
        """Whether x / under is computed anyway: else it might underflow where over / under does not."""
        known = identities((x, under)) in self.known[DIVIDE]
        return known or any(self.values.get(atom, atom) is x for atom in self.numerators[under])

    def _plain_product(self, x: Term, y: Term, out: ArrayType) -> Term:
        """x y without denominators; the factor and scale of y go with the smaller one, if that is smaller."""
        left, right = x.over, y.over
        assert left is not None
        assert right is not None
        small, large = (left, right) if left.type.size < right.type.size else (right, left)
        if left.type.shape == right.type.shape or small.type.size == out.size:
            return Term(y.factor, y.scale, self.arithmetic(MULTIPLY, left, right))
        small = self.written(Term(y.factor, y.scale, small), small.type)
        return Term(1.0, None, self.arithmetic(MULTIPLY, large, small))

    def _scales(self, x: Atom | None, y: Atom | None) -> Atom | None:
        if x is None or y is None:
            return x if y is None else y
        return self.arithmetic(MULTIPLY, x, y)

    def sum(self, equation: Equation, sign: float) -> Term | None:
        """x + y, or x - y."""
        kind = equation.outputs[0].type
        x, y = map(self.term, equation.inputs)
        y = y if sign > 0 else y.times(-1.0)
        for zero, other in ((x.over, y), (y.over, x)):
            if type(zero) is Literal and zero.value == 0 and shape_of(other) == kind.shape:
                return other
        if x.over is None and x[1:] == y[1:] == (None, None, None):
            number = x.factor + y.factor
            return Term(number) if is_moderate(number) else None
        if x.over is not None and y.over is not None and x.over.type.shape == y.over.type.shape == kind.shape:
            if abs(x.factor) == abs(y.factor) and x.scale is y.scale and x.under is y.under:
                if x.over is y.over:
                    return x._replace(factor=x.factor + y.factor) if x.factor == y.factor else None
                return x._replace(over=self.arithmetic(ADD if x.factor == y.factor else SUBTRACT, x.over, y.over))
            ratio = y.factor / x.factor
            if abs(x.factor) != 1.0 != abs(y.factor) and ratio.is_integer() and ratio * x.factor == y.factor:
                total = self._signed_sum(Term(1.0, *x[1:]), Term(ratio, *y[1:]))
                return total.times(x.factor)
        return self._signed_sum(x, y)

    def _magnitude(self, term: Term) -> Atom:
        """The term written without its sign."""
        if term.is_scaled and abs(term.factor) == 1.0 and term.over is not None:
            return term.over
        return self._written(term if term.factor > 0 else term.times(-1.0))

    def _signed_sum(self, x: Term, y: Term) -> Term:
        """x + y, the signs in the choice of the operation."""
        left, right = self._magnitude(x), self._magnitude(y)
        if x.factor > 0:
            return Term(1.0, None, self.arithmetic(ADD if y.factor > 0 else SUBTRACT, left, right))
        if y.factor > 0:
            return Term(1.0, None, self.arithmetic(SUBTRACT, right, left))
        return Term(-1.0, None, self.arithmetic(ADD, left, right))


# --- what is a term -------------------------------------------------------------------------------------


def _read(equation: Equation) -> tuple[Atom, ...]:
    """The inputs; that of x + x or x * x once, for it is one term."""
    inputs = equation.inputs
    return inputs[:1] if len(inputs) == 2 and inputs[0] is inputs[1] else inputs


def _partners(graph: Graph) -> dict[Atom, list[Atom]]:
    """By quotient, what it is multiplied with."""
    found: dict[Atom, list[Atom]] = {}
    for equation in graph.equations:
        kind = type(equation.primitive)
        if kind is Divide:
            found[equation.outputs[0]] = []
        elif kind is Multiply and found:
            x, y = equation.inputs
            for quotient, other in ((x, y), (y, x)):
                if quotient in found:
                    found[quotient].append(other)
    return found


def _is_real(equation: Equation) -> bool:
    """Whether all is of one real floating-point dtype, numbers aside, which adapt."""
    if len(equation.outputs) != 1:
        return False
    dtype = equation.outputs[0].type.dtype
    if dtype is not DOUBLE and dtype not in (DOUBLE, SINGLE):
        return False
    for atom in equation.inputs[1:] if type(equation.primitive) is Select else equation.inputs:
        kind = atom.type
        if kind.dtype is dtype or kind.dtype == dtype:
            continue
        if not (kind.weak and isinstance(atom, Literal) and kind.dtype.kind in "if"):
            return False
    return True


def is_moderate(value: float) -> bool:
    """Whether a number can be combined with others."""
    return SMALLEST_FACTOR < abs(value) < LARGEST_FACTOR


def _is_free(term: Term) -> bool:
    """Whether writing the term more than once costs nothing, for what uses it absorbs it: a number, -x and 1 / x."""
    single = term.scale is None and (term.over is None) != (term.under is None)
    return term.is_uniform or (single and abs(term.factor) == 1.0)


def _number(value: float) -> Literal:
    return Literal(value, WEAK)


def _common_type(x: ArrayType, y: ArrayType) -> ArrayType:
    shape = x.shape if x.shape == y.shape else broadcast_shape(x.shape, y.shape)
    strong = y if x.weak else x
    return strong if strong.shape == shape else ArrayType(shape, strong.dtype)


def shape_of(term: Term) -> tuple[int, ...]:
    """The shape of what is not a number."""
    shapes = [a.type.shape for a in (term.over, term.under) if a is not None]
    return broadcast_shape(*shapes) if shapes else ()
