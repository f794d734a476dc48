"""Cotangents of matrices from those of their Cholesky factors, where they can be had without solving for them.

With L L^T = A, and H the lower triangle of ones with halves on its diagonal, reverse mode makes of the cotangent L' of
L that of the lower triangle of A,

    A' = H * (S + S^T)    for    S = L^-T (H * L^T L') L^-1,

two systems of equations with n right-hand sides. If the lower triangle of L^T L' is that of a symmetric matrix M, the
sum is L^-T M L^-1, as H * M and its transpose add up to M. Likelihoods make such M of two kinds:

    logarithms of determinants, L' = diagonal(1 / diagonal(L))      M = 1            H * A^-1
    quadratic forms, L' = L^-T v w^T                                M = v w^T        H * (L^-T v) (L^-T w)^T

The second kind is symmetric where v and w are multiples of each other (as in |L^-1 b|^2, where both are L^-1 b), or
where M has w v^T, too (as in b^T A^-1 c). With symmetric terms alone no system is solved that was not solved before,
and A^-1 takes two thirds of the operations of one of the two systems.

    S. P. Smith, Differentiation of the Cholesky algorithm (1995). I. Murray, Differentiation of the Cholesky
    decomposition, arXiv:1602.07527 (2016).

Systems with a matrix that is known to be triangular are solved by substitution, whichever function was asked to.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from math import isclose
from typing import Any, NamedTuple, final

import numpy as np
from attrs import evolve

from covector.compile.dead_code import without_dead_code
from covector.compile.identities import is_fixed
from covector.compile.multiples import Factor, Matrix, Multiple, Origins, is_vector
from covector.compile.terms import WEAK
from covector.core.broadcasting import Reshape
from covector.core.families import MaskedMultiply
from covector.core.primitive import Primitive
from covector.core.types import Array
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import ADD, MULTIPLY, NEGATIVE, SUBTRACT, Add, Divide, Multiply, Subtract
from covector.ops.axes import Diagonal, FromDiagonal, Triangle
from covector.ops.contraction import Contract, contract
from covector.ops.linalg_decompositions import Cholesky, halved_triangle
from covector.ops.linalg_solve import GRAM_INVERSE, Solve, TriangularSolve
from covector.ops.matrices import LOWER, STRICTLY_LOWER, UPPER

UPPER_SOLVE = TriangularSolve(lower=False)

SAME = 1e-13
"""The relative difference up to which two numbers are equal but for rounding."""


def with_symmetric_cotangents(graph: Graph) -> Graph:
    """The graph with cotangents of factored matrices in closed form, where their middles are symmetric."""
    if not any(isinstance(equation.primitive, Cholesky) for equation in graph.equations):
        return graph
    factors = _Factors(_with_substitution(graph))
    for equation in factors.graph.equations:
        factors.add(equation)
    return without_dead_code(evolve(graph, equations=tuple(factors.equations)))


def _with_substitution(graph: Graph) -> Graph:
    """Systems with Cholesky factors, or their transposes, as the triangular ones they are."""
    origins = Origins(graph)
    equations = []
    for equation in graph.equations:
        if isinstance(equation.primitive, Solve) and all(_is_real_matrix(atom) for atom in equation.inputs):
            factor = origins.matrix(equation.inputs[0])
            if origins.made(factor.root, Cholesky) is not None:
                solve = TriangularSolve(lower=not factor.is_transposed)
                equation = Equation(solve, equation.inputs, equation.outputs)
        equations.append(equation)
    return evolve(graph, equations=tuple(equations))


def _is_real_matrix(atom: Atom) -> bool:
    return atom.type.ndim == 2 and atom.type.dtype in (np.float32, np.float64)


class Pullback(NamedTuple):
    """A cotangent of A in the making: of A's factor, its transpose as a variable, and the cotangent of the factor."""

    factor: Atom
    transposed: Atom
    half: Atom
    weight: Factor
    cotangent: Matrix


Sides = tuple[Factor, Multiple, Multiple]
"""A factor, v and w."""

Signed = tuple[float, Atom]
"""A number of which the sign counts, and a matrix."""


@final
class _Middle:
    """A sum of multiples of the identity, and of v w^T for vectors, or matrices, of which keys are known."""

    def __init__(self) -> None:
        self.identity: dict[Hashable, Factor] = {}
        self.outer: dict[tuple[Hashable, Hashable, Hashable], Factor] = {}
        self.sides: dict[Hashable, Multiple] = {}

    def add_identity(self, factor: Factor) -> None:
        """Adds a multiple of the identity."""
        _add(self.identity, factor.kind, factor)

    def add_outer(self, weight: Factor, left: Multiple, right: Multiple) -> None:
        """Adds a multiple of v w^T."""
        factor = weight * left.whole * right.whole
        _add(self.outer, (left.key, right.key, factor.kind), factor)
        for side in (left, right):
            if side.within.is_number:
                self.sides.setdefault(side.key, side)

    @property
    def dtypes(self) -> set[np.dtype[Any]]:
        """The dtypes of the variables among the factors, but of those that adapt."""
        factors = (*self.identity.values(), *self.outer.values())
        return {x.type.dtype for factor in factors for x in factor.scalars if not x.type.weak}

    @property
    def is_symmetric(self) -> bool:
        """Whether there is, for each v w^T, as much of w v^T; False if a multiple of v can be written for no v."""
        return all(
            left in self.sides and isclose(factor.number, self._mirrored(left, right, kind), rel_tol=SAME)
            for (left, right, kind), factor in self.outer.items()
        )

    def _mirrored(self, left: Hashable, right: Hashable, kind: Hashable) -> float:
        return self.outer.get((right, left, kind), Factor(0.0)).number


def _add(factors: dict[Any, Factor], key: Any, factor: Factor) -> None:
    known = factors.get(key)
    factors[key] = factor if known is None else Factor(known.number + factor.number, known.scalars)


@final
class _Factors:
    """The equations so far, and the systems of equations with transposed factors that have been solved."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.origins = Origins(graph)
        self.equations: list[Equation] = []
        self.halves = {variable for variable, value in graph.constants if _is_half(value)}
        self.solved: dict[Hashable, tuple[Atom, float]] = {}

    def add(self, equation: Equation) -> None:
        """Takes the next equation."""
        pullback = self._pullback(equation) if isinstance(equation.primitive, Add) else None
        middle = None if pullback is None else self._middle(pullback)
        if pullback is not None and middle is not None:
            self._write(pullback, middle, equation.outputs[0])
            return
        self.equations.append(equation)
        if equation.primitive == UPPER_SOLVE and equation.outputs[0].type.ndim == 2:
            self._note(equation)

    def _note(self, equation: Equation) -> None:
        """Remembers the solution of a system of equations."""
        side = self.origins.multiple(equation.inputs[1])
        if side.whole.is_number and not side.root.is_transposed:
            key = self.origins.matrix(equation.inputs[0]), side.key
            self.solved.setdefault(key, (equation.outputs[0], side.whole.number))

    # --- what is recognized -----------------------------------------------------------------------------

    def _pullback(self, equation: Equation) -> Pullback | None:
        """Of the lower triangle of S plus the strictly lower triangle of S^T."""
        for whole, rest in (equation.inputs, equation.inputs[::-1]):
            first, second = self.origins.made(whole, Triangle), self.origins.made(rest, Triangle)
            if first is None or second is None:
                return None
            if (first[0], second[0]) == (LOWER, STRICTLY_LOWER):
                s, s_transposed = self.origins.matrix(first[1][0]), self.origins.matrix(second[1][0])
                return self._solved(s) if s == s_transposed.transposed else None
        return None

    def _solved(self, s: Matrix) -> Pullback | None:
        """Of S = L^-T B L^-1 for B = H * L^T L', or of the transpose, which has the same sum with its transpose."""
        outer = self.origins.made(s.root, TriangularSolve)
        if outer is None or outer[0] != UPPER_SOLVE:
            return None
        (transposed, given), factor = outer[1], self.origins.matrix(outer[1][0])
        weight, inside = self.origins.peeled(given)
        inner = self.origins.made(inside.root, TriangularSolve)
        if inner is None or inner[0] != UPPER_SOLVE or self.origins.matrix(inner[1][0]) != factor:
            return None
        is_known = self.origins.made(factor.root, Cholesky) is not None and factor.is_transposed
        if not is_known or not _is_real_matrix(factor.root) or factor.root.type.size < 2:
            return None
        step, b = self.origins.peeled(inner[1][1])
        return self._halved(factor.root, transposed, weight * step, b.root)

    def _halved(self, factor: Atom, transposed: Atom, weight: Factor, b: Atom) -> Pullback | None:
        """Of a multiple of B = H * L^T L', or of its transpose."""
        product = self.origins.made(b, Multiply)
        if product is None:
            return None
        for half, other in (product[1], product[1][::-1]):
            if half in self.halves:
                step, middle = self.origins.peeled(other)
                cotangent = None if middle.is_transposed else self._cotangent(middle.root, factor)
                return cotangent and Pullback(factor, transposed, half, weight * step, cotangent)
        return None

    def _cotangent(self, product: Atom, factor: Atom) -> Matrix | None:
        """L' of L^T L'."""
        made = self.origins.made(product, Contract)
        if made is None or len(made[0].left) != 2 or len(made[0].right) != 2:
            return None
        row, column = made[0].out
        operands = tuple(zip((made[0].left, made[0].right), made[1], strict=True))
        for (labels, x), (other_labels, other) in (operands, operands[::-1]):
            matrix = self.origins.matrix(x)
            inner, last = labels[::-1] if matrix.is_transposed else labels
            if matrix.root is factor and last == row and inner != row and set(other_labels) == {inner, column}:
                return Matrix(other, other_labels[0] != inner)
        return None

    # --- the terms of the middle ------------------------------------------------------------------------

    def _middle(self, pullback: Pullback) -> _Middle | None:
        """The middle, if it is symmetric."""
        middle = _Middle()
        waiting = [(pullback.weight, pullback.cotangent)]
        while waiting:
            weight, matrix = waiting.pop()
            if matrix.root.type.dtype != pullback.factor.type.dtype:
                return None
            step, inside = self.origins.peeled(matrix.root)
            weight, matrix = weight * step, inside.transposed if matrix.is_transposed else inside
            parts = list(self._parts(matrix))
            waiting += [(weight * factor, part) for factor, part in parts]
            if not parts and not self._take(pullback, weight, matrix, middle):
                return None
        is_of_one_kind = middle.dtypes <= {pullback.factor.type.dtype}
        return middle if is_of_one_kind and middle.is_symmetric else None

    def _parts(self, matrix: Matrix) -> Iterator[tuple[Factor, Matrix]]:
        """The terms of a sum, or of a vector on a diagonal; the upper triangle of the cotangent of L does not count."""
        equation = self.origins.makers.get(matrix.root)
        if equation is None:
            return
        primitive, inputs = equation.primitive, equation.inputs
        if primitive == (UPPER if matrix.is_transposed else LOWER):
            yield Factor(), Matrix(inputs[0], matrix.is_transposed)
        elif isinstance(primitive, (Add, Subtract)) and all(x.type == matrix.root.type for x in inputs):
            yield Factor(), Matrix(inputs[0], matrix.is_transposed)
            yield Factor(-1.0 if isinstance(primitive, Subtract) else 1.0), Matrix(inputs[1], matrix.is_transposed)
        elif isinstance(primitive, FromDiagonal) and primitive.offset == 0:
            yield Factor(), Matrix(inputs[0])
        elif (
            isinstance(primitive, MaskedMultiply) and inputs[1].type == matrix.root.type and matrix.root.type.ndim == 1
        ):
            factor = self.origins.number(inputs[0])
            if factor is not None:
                yield factor, Matrix(inputs[1])

    def _take(self, pullback: Pullback, weight: Factor, matrix: Matrix, middle: _Middle) -> bool:
        """Adds a term of the cotangent to the middle, if it is of one of the two kinds."""
        quotient, outer = self.origins.made(matrix.root, Divide), self.origins.made(matrix.root, Contract)
        if quotient is not None and matrix.root.type.ndim == 1:
            factor, diagonal = self.origins.number(quotient[1][0]), self.origins.made(quotient[1][1], Diagonal)
            if factor is None or diagonal is None or diagonal[0].offset:
                return False
            middle.add_identity(weight * factor)
            return self.origins.matrix(diagonal[1][0]).root is pullback.factor
        sides = None if outer is None else self._sides(outer, matrix.is_transposed, pullback.factor)
        if sides is not None:
            middle.add_outer(weight * sides[0], sides[1], sides[2])
        return sides is not None

    def _sides(self, made: tuple[Contract, tuple[Atom, ...]], is_transposed: bool, factor: Atom) -> Sides | None:
        """v and w of a multiple of L^-T v w^T, and of which."""
        primitive, (x, y) = made
        rows, columns = primitive.out[:: -1 if is_transposed else 1]
        left, right = (primitive.left, x), (primitive.right, y)
        if rows not in primitive.left:
            left, right = right, left
        inner = set(left[0]) - {rows}
        if rows not in left[0] or inner != set(right[0]) - {columns} or columns in inner or len(inner) > 1:
            return None
        weight, solution = self.origins.peeled(left[1])
        solve = self.origins.made(solution.root, TriangularSolve)
        if solve is None or solve[0] != UPPER_SOLVE or self.origins.matrix(solve[1][0]) != Matrix(factor, True):
            return None
        sides = self.origins.multiple(solve[1][1]), self.origins.multiple(right[1])
        turned = (solution, left[0][0] != rows), (sides[0].root, False), (sides[1].root, right[0][0] != columns)
        if any(matrix.is_transposed != turn and not is_vector(matrix.root) for matrix, turn in turned):
            return None
        return weight, *sides

    # --- writing ----------------------------------------------------------------------------------------

    def _write(self, pullback: Pullback, middle: _Middle, out: Variable) -> None:
        """H * L^-T M L^-1."""
        terms = [*self._inverses(pullback, middle), *self._outer_products(pullback, middle)]
        (first, total), *rest = sorted(terms, key=_is_negative)
        for sign, term in rest:
            total = self._applied(ADD if (sign < 0) == (first < 0) else SUBTRACT, total, term)
        if first < 0:
            total = self._applied(NEGATIVE, total)
        self.equations.append(Equation(MULTIPLY, (total, pullback.half), (out,)))

    def _inverses(self, pullback: Pullback, middle: _Middle) -> Iterator[Signed]:
        """Multiples of A^-1."""
        if middle.identity:
            inverse = self._applied(GRAM_INVERSE, pullback.factor)
        for factor in middle.identity.values():
            yield factor.number, self._scaled(inverse, factor)

    def _outer_products(self, pullback: Pullback, middle: _Middle) -> Iterator[Signed]:
        """Multiples of (L^-T v) (L^-T w)^T."""
        for (left, right, _), factor in middle.outer.items():
            (v, within_v), (w, within_w) = (self._solution(pullback, middle.sides[key]) for key in (left, right))
            factor = factor.times(1.0 / (within_v * within_w))
            yield factor.number, self._applied(contract((0, 2), (1, 2), (0, 1)), self._scaled(v, factor), w)

    def _solution(self, pullback: Pullback, side: Multiple) -> tuple[Atom, float]:
        """L^-T times a multiple of what a key stands for, and that multiple."""
        key = Matrix(pullback.factor, True), side.key
        if key not in self.solved:
            given, rows = side.root.root, pullback.factor.type.shape[0]
            if given.type.ndim != 2 or given.type.shape[0] != rows:
                given = self._applied(Reshape((rows, given.type.size // max(rows, 1))), given)
            self.solved[key] = self._applied(UPPER_SOLVE, pullback.transposed, given), side.within.number
        return self.solved[key]

    def _scaled(self, x: Atom, factor: Factor) -> Atom:
        """The array times a factor, but for its sign."""
        for scalar in factor.scalars:
            x = self._applied(MULTIPLY, x, scalar)
        return x if abs(factor.number) == 1.0 else self._applied(MULTIPLY, x, Literal(abs(factor.number), WEAK))

    def _applied(self, primitive: Primitive, *inputs: Atom) -> Variable:
        out = Variable(primitive.output_type(*(atom.type for atom in inputs)))
        self.equations.append(Equation(primitive, inputs, (out,)))
        return out


def _is_half(value: Array) -> bool:
    """Whether a constant is H, for good."""
    if not is_fixed(value) or value.ndim != 2 or value.dtype.kind != "f":
        return False
    half = halved_triangle(len(value), value.dtype)
    return value is half or (value.size > 0 and value[0, 0] == 0.5 and np.array_equal(value, half))


def _is_negative(term: Signed) -> bool:
    return term[0] < 0
