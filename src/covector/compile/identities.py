"""Products with identity matrices, with which the dense Jacobians of a program begin.

The basis of a Jacobian is one batch of vectors, an identity matrix I. What an elementwise function makes of it is
diagonal, I * v, and a product of matrices with that is only a scaling of rows or columns:

    a = multiply I v
    b = contract[ij,jk->ik] a w        =>        b = contract[i,ik->ik] v w

Only arrays that cannot be written into are known to be identities. Where an entry of v is infinite the product of
matrices would be NaN off the diagonal, for it multiplies infinity by zero; the scaling has zeros there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import evolve

from covector.core.families import MaskedMultiply
from covector.core.types import Array
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import MULTIPLY, NEGATIVE, Multiply, Negative
from covector.ops.axes import Permute
from covector.ops.contraction import Contract, Labels, contract

Diagonal = Atom | None
"""The diagonal of a matrix, None for ones."""


def with_identities_applied(graph: Graph) -> Graph:
    """The graph with products with diagonal matrices as scalings."""
    identities = [variable for variable, value in graph.constants if is_identity(value)]
    if not identities:
        return graph
    applied = _Applied(identities)
    for equation in graph.equations:
        applied.add(equation)
    return evolve(graph, equations=tuple(applied.equations))


def is_identity(value: Array) -> bool:
    """Whether a constant is an identity matrix for good."""
    if not is_fixed(value) or value.ndim != 2 or value.dtype.kind not in "fc" or value.shape[0] != value.shape[1]:
        return False
    return bool((np.diagonal(value) == 1.0).all()) and np.count_nonzero(value) == len(value)


def is_fixed(value: Array) -> bool:
    """Whether an array cannot be written into, nor what it is a view of."""
    while type(value) is np.ndarray and not value.flags.writeable:
        if value.base is None:
            return True
        value = value.base
    return False


@final
class _Applied:
    """The equations so far, and the diagonals of the matrices that are diagonal."""

    def __init__(self, identities: Sequence[Variable]) -> None:
        self.equations: list[Equation] = []
        self.diagonals: dict[Atom, Diagonal] = dict.fromkeys(identities)

    def add(self, equation: Equation) -> None:
        """Adds an equation, or what is quicker."""
        primitive = equation.primitive
        if isinstance(primitive, Contract):
            for i in (0, 1):
                if equation.inputs[i] in self.diagonals:
                    equation = self._scaling(equation, primitive, i) or equation
                    break
        elif isinstance(primitive, Negative) and equation.inputs[0] in self.diagonals:
            self._negative(equation.inputs[0], equation.outputs[0])
        elif isinstance(primitive, (Multiply, MaskedMultiply)):
            for x, y in (equation.inputs, equation.inputs[::-1]):
                if x in self.diagonals:
                    self._product(x, y, equation.outputs[0])
                    break
        self.equations.append(equation)

    def _negative(self, x: Atom, out: Variable) -> None:
        diagonal = self.diagonals[x]
        if diagonal is not None:
            self.diagonals[out] = self._computed(Equation(NEGATIVE, (diagonal,), (Variable(diagonal.type),)))

    def _product(self, x: Atom, y: Atom, out: Variable) -> None:
        """Notes the diagonal of a diagonal matrix times a row, whose entries scale the columns."""
        if out.type != x.type or y.type.ndim != 1 or y.type.dtype != x.type.dtype or isinstance(y, Literal):
            return
        diagonal = self.diagonals[x]
        if diagonal is not None:
            y = self._computed(Equation(MULTIPLY, (diagonal, y), (Variable(y.type),)))
        self.diagonals[out] = y

    def _computed(self, equation: Equation) -> Variable:
        self.equations.append(equation)
        return equation.outputs[0]

    def _scaling(self, equation: Equation, primitive: Contract, position: int) -> Equation | None:
        """The product of a diagonal matrix and another operand, if it is over one axis of the former."""
        other = equation.inputs[1 - position]
        labels, kept = (primitive.left, primitive.right)[:: 1 if position == 0 else -1]
        summed = [label for label in labels if label in kept and label not in primitive.out]
        free = [label for label in labels if label not in kept and label in primitive.out]
        if len(summed) != 1 or len(free) != 1 or other.type.dtype != equation.outputs[0].type.dtype:
            return None
        renamed = tuple(free[0] if label == summed[0] else label for label in kept)
        diagonal = self.diagonals[equation.inputs[position]]
        if diagonal is None:
            return _arranged(other, renamed, primitive.out, equation)
        return Equation(contract((free[0],), renamed, primitive.out), (diagonal, other), equation.outputs)


def _arranged(x: Atom, labels: Labels, out: Labels, equation: Equation) -> Equation | None:
    """The axes of an operand in the order of the output's."""
    if sorted(labels) != sorted(out):
        return None
    primitive: Any = Permute(tuple(labels.index(label) for label in out))
    return Equation(primitive, (x,), equation.outputs)
