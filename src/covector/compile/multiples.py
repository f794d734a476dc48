"""Multiples: arrays as a number times what they are a multiple of, seen through the operations between.

    b = reshape y; w = triangular_solve L b             w is 1.0 times [L b]
    v = add w w; u = negative v                         u is -2.0 times [L b]
    c = multiply s y; d = reshape c                     triangular_solve L d is s times [L b]

So arrays can be found to be proportional that were computed apart, as reverse mode computes what the program itself
has computed before. The origin of an array has a `key`, which two arrays share only if they are equal but for rounding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple, TypeVar, final

from attrs import frozen

from covector.compile.terms import is_moderate
from covector.core.broadcasting import BroadcastTo, Reshape
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import Add, Divide, Multiply, Negative, Subtract
from covector.ops.axes import Permute
from covector.ops.contraction import Contract
from covector.ops.linalg_solve import TriangularSolve

Operation = TypeVar("Operation")

DEEPEST = 8
"""How many systems of equations, and sums, are looked through."""


@final
@frozen
class Factor:
    """A number times variables without axes."""

    number: float = 1.0
    scalars: tuple[Variable, ...] = ()

    def __mul__(self, other: Factor) -> Factor:
        return Factor(self.number * other.number, self.scalars + other.scalars)

    def times(self, number: float) -> Factor:
        """The factor times a number."""
        return Factor(self.number * number, self.scalars)

    @property
    def kind(self) -> Hashable:
        """What two factors share that differ in the number alone: the variables, in whatever order."""
        return frozenset(Counter(self.scalars).items())

    @property
    def is_number(self) -> bool:
        """Whether it is a number by which one can divide."""
        return not self.scalars and is_moderate(self.number)


class Matrix(NamedTuple):
    """A variable, or its transpose."""

    root: Atom
    is_transposed: bool = False

    @property
    def transposed(self) -> Matrix:
        """The transpose."""
        return Matrix(self.root, not self.is_transposed)


class Multiple(NamedTuple):
    """factor times root, or its transpose; the variable is `within` times what the key stands for."""

    factor: Factor
    root: Matrix
    key: Hashable
    within: Factor

    @property
    def whole(self) -> Factor:
        """The factor of what the key stands for."""
        return self.factor * self.within


@final
class Origins:
    """What the variables of a graph are multiples of."""

    def __init__(self, graph: Graph) -> None:
        self.makers: dict[Atom, Equation] = {v: e for e in graph.equations for v in e.outputs}
        self.known: dict[tuple[Atom, int], Multiple] = {}

    def made(self, atom: Atom, kind: type[Operation]) -> tuple[Operation, tuple[Atom, ...]] | None:
        """The operation that made a variable and its inputs, if it is of a kind."""
        equation = self.makers.get(atom)
        if equation is None or not isinstance(equation.primitive, kind):
            return None
        return equation.primitive, equation.inputs

    def matrix(self, atom: Atom) -> Matrix:
        """The matrix before it was transposed."""
        found = Matrix(atom)
        while (made := self.made(found.root, Permute)) is not None and made[0].axes == (1, 0):
            found = Matrix(made[1][0], not found.is_transposed)
        return found

    def peeled(self, atom: Atom) -> tuple[Factor, Matrix]:
        """The array without factors and transpositions, and without axes of length one if it is a vector."""
        factor, found = Factor(), self.matrix(atom)
        while (step := self._inside(found.root)) is not None:
            factor, inner = factor * step[0], self.matrix(step[1])
            found = inner.transposed if found.is_transposed else inner
        return factor, Matrix(found.root) if is_vector(found.root) else found

    def multiple(self, atom: Atom, depth: int = DEEPEST) -> Multiple:
        """What an array is a multiple of."""
        if (atom, depth) not in self.known:
            factor, found = self.peeled(atom)
            inside = (self._sum(found.root, depth) or self._solution(found.root, depth)) if depth else None
            self.known[atom, depth] = Multiple(factor, found, *(inside or (found.root, Factor())))
        return self.known[atom, depth]

    def _solution(self, atom: Atom, depth: int) -> tuple[Hashable, Factor] | None:
        """Key and factor of the solution of triangular systems."""
        solve = self.made(atom, TriangularSolve)
        if solve is None:
            return None
        primitive, (matrix, given) = solve
        inner = self.multiple(given, depth - 1)
        return (primitive, self.matrix(matrix), inner.key, inner.root.is_transposed), inner.whole

    def _sum(self, atom: Atom, depth: int) -> tuple[Hashable, Factor] | None:
        """Key and factor of a sum or difference of multiples of one array."""
        equation = self.makers.get(atom)
        if equation is None or not isinstance(equation.primitive, (Add, Subtract)):
            return None
        if any(x.type != atom.type for x in equation.inputs):
            return None
        x, y = (self.multiple(term, depth - 1) for term in equation.inputs)
        if x.key != y.key or x.whole.kind != y.whole.kind or x.root.is_transposed or y.root.is_transposed:
            return None
        sign = -1.0 if isinstance(equation.primitive, Subtract) else 1.0
        return x.key, Factor(x.whole.number + sign * y.whole.number, x.whole.scalars)

    def _inside(self, atom: Atom) -> tuple[Factor, Atom] | None:
        """A factor and an array whose product the array is, of the same type but for axes of length one."""
        equation = self.makers.get(atom)
        if equation is None:
            return None
        primitive, inputs = equation.primitive, equation.inputs
        if isinstance(primitive, Reshape) and is_vector(inputs[0]) and is_vector(atom):
            return Factor(), inputs[0]
        if isinstance(primitive, Negative):
            return Factor(-1.0), inputs[0]
        if isinstance(primitive, Add) and inputs[0] is inputs[1]:
            return Factor(2.0), inputs[0]
        if isinstance(primitive, (Multiply, Contract)):
            return self._scaled(equation)
        if isinstance(primitive, Divide) and inputs[0].type == atom.type and isinstance(inputs[1], Literal):
            return (Factor(1.0 / float(inputs[1].value)), inputs[0]) if inputs[1].value else None
        return None

    def _scaled(self, equation: Equation) -> tuple[Factor, Atom] | None:
        """The factor and the array of a product with a number."""
        primitive, inputs = equation.primitive, equation.inputs
        is_scaling = not isinstance(primitive, Contract) or primitive.left + primitive.right == primitive.out
        for x, y in (inputs, inputs[::-1]):
            number = self.number(x) if is_scaling and y.type == equation.outputs[0].type else None
            if number is not None:
                return number, y
        return None

    def number(self, atom: Atom) -> Factor | None:
        """A real number, or one repeated to an array."""
        found, factor = atom, 1.0
        while (equation := self.makers.get(found)) is not None:
            if isinstance(equation.primitive, Negative):
                factor = -factor
            elif not isinstance(equation.primitive, (BroadcastTo, Reshape)):
                break
            (found,) = equation.inputs
        if found.type.shape or found.type.dtype.kind not in "if":
            return None
        return Factor(factor * float(found.value)) if isinstance(found, Literal) else Factor(factor, (found,))


def is_vector(atom: Atom) -> bool:
    """Whether at most one axis is longer than one."""
    return sum(n != 1 for n in atom.type.shape) <= 1
