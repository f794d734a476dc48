"""Contractions: products of arrays in the order, and of the parts, that cost least.

    transpose(L) @ (a @ transpose(b))       (transpose(L) @ a) @ transpose(b)       the order of a chain
    eye(n) @ x                              x                                       a product with the identity
    diagonal(d) @ x                         d[:, None] * x                          or with a diagonal matrix
    x @ (diagonal(d) + a @ transpose(b))    x * d + (x @ a) @ transpose(b)          a sum of such

Reverse mode makes them: the basis that a Jacobian is pulled back with is the identity, the cotangent of a quadratic
form is an outer product, that of a logarithm of a determinant is diagonal. A rule is used where it saves products of
numbers, of which a contraction takes as many as the sizes of all its axes multiply to.

A triangle is not cut out of a matrix if nothing reads the other half: that of x in the lower half of U @ x, for an
upper triangular U, is multiplied with zeros of U alone. So the rules see the matrix itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.compile.accumulators import use_counts
from covector.compile.identities import is_fixed, is_identity
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.arithmetic import ADD, Add, Multiply, Negative, Subtract
from covector.ops.axes import FromDiagonal, Permute, Triangle
from covector.ops.contraction import Contract, Labels, contract
from covector.ops.linalg_decompositions import Cholesky

DEEPEST = 4
"""How many products and sums a rule looks through."""

GAIN = 0.75
"""The part of the cost that a rearrangement may have at most."""


def with_cheaper_products(graph: Graph) -> Graph:
    """The graph with its contractions rearranged."""
    if not any(isinstance(equation.primitive, Contract) for equation in graph.equations):
        return graph
    products = _Products(_without_unread_triangles(graph))
    for equation in products.graph.equations:
        products.add(equation)
    outputs = tuple(products.same.get(atom, atom) for atom in graph.outputs)
    return evolve(graph, equations=tuple(products.equations), outputs=outputs)


# --- plans ----------------------------------------------------------------------------------------------


@final
@frozen
class Operand:
    """An array and the labels of its axes."""

    atom: Atom
    labels: Labels

    @property
    def sizes(self) -> dict[int, int]:
        """The length of each axis."""
        return dict(zip(self.labels, self.atom.type.shape, strict=True))


@final
@frozen
class Plan:
    """A way to compute an array: how many products it takes, and what writes it."""

    cost: int
    write: Callable[[], Operand]


@final
class _Products:
    """The equations so far, and what is known of the arrays in them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.equations: list[Equation] = []
        self.makers: dict[Atom, Equation] = {}
        self.same: dict[Atom, Atom] = {}
        self.uses: Counter[Atom] = use_counts(graph)
        self.identities = {variable for variable, value in graph.constants if is_identity(value)}
        self.next_label = -1

    def add(self, equation: Equation) -> None:
        """Takes the next equation."""
        inputs = tuple(self.same.get(atom, atom) for atom in equation.inputs)
        equation = Equation(equation.primitive, inputs, equation.outputs)
        primitive = equation.primitive
        if isinstance(primitive, Contract) and len({a.type.dtype for a in inputs}) == 1:
            x, y = Operand(inputs[0], primitive.left), Operand(inputs[1], primitive.right)
            plan = self.plan(x, y, primitive.out, DEEPEST)
            if plan is not None:
                self.same[equation.outputs[0]] = self.permuted(plan.write(), primitive.out).atom
                return
        self._keep(equation)

    def _keep(self, equation: Equation) -> None:
        self.equations.append(equation)
        self.makers.update(dict.fromkeys(equation.outputs, equation))

    def plan(self, x: Operand, y: Operand, out: Labels, depth: int) -> Plan | None:
        """The best way to take a product, if it is better than to take it as it stands."""
        if depth == 0 or not _is_plain(x, y, out):
            return None
        rules = (self._by_identity, self._by_diagonal, self._by_chain, self._by_sum)
        plans = [rule(*pair, out, depth) for rule in rules for pair in ((x, y), (y, x))]
        best = min((plan for plan in plans if plan is not None), key=_cost, default=None)
        return best if best is not None and best.cost <= GAIN * _products(x, y) else None

    def planned(self, x: Operand, y: Operand, out: Labels, depth: int) -> Plan:
        """The best way to take a product."""

        def write() -> Operand:
            return self.applied(contract(x.labels, y.labels, out), out, x.atom, y.atom)

        return self.plan(x, y, out, depth) or Plan(_products(x, y), write)

    def applied(self, primitive: Primitive, labels: Labels, *inputs: Atom) -> Operand:
        """The output of a primitive."""
        out = Variable(primitive.output_type(*(atom.type for atom in inputs)))
        self._keep(Equation(primitive, inputs, (out,)))
        return Operand(out, labels)

    def permuted(self, x: Operand, labels: Labels) -> Operand:
        """The array with its axes in this order."""
        if x.labels == labels:
            return x
        return self.applied(Permute(tuple(x.labels.index(label) for label in labels)), labels, x.atom)

    # --- rules: x is what is looked at, y the other operand ---------------------------------------------

    def _by_identity(self, x: Operand, y: Operand, out: Labels, depth: int) -> Plan | None:
        found, _ = self._seen(x)
        if found.atom not in self.identities:
            return None
        left, right = found.labels
        inner, outer = (left, right) if left in y.labels else (right, left)
        if inner not in y.labels or inner in out or outer in y.labels:
            return None
        renamed = Operand(y.atom, _renamed(y.labels, inner, outer))
        return Plan(0, lambda: renamed)

    def _by_diagonal(self, x: Operand, y: Operand, out: Labels, depth: int) -> Plan | None:
        found, maker = self._seen(x)
        if maker is None or not _is_diagonal(maker.primitive) or found.atom.type.ndim != 2:
            return None
        label, other = found.labels
        labels, after = _renamed(y.labels, other, label), _renamed(out, other, label)
        if len(set(labels)) < len(labels) or len(set(after)) < len(after):
            return None
        plan = self.planned(Operand(maker.inputs[0], (label,)), Operand(y.atom, labels), after, depth - 1)
        return Plan(plan.cost, lambda: Operand(self.permuted(plan.write(), after).atom, out))

    def _by_chain(self, x: Operand, y: Operand, out: Labels, depth: int) -> Plan | None:
        """(u v) y as (u y) v or (v y) u."""
        found, maker = self._seen(x)
        if maker is None or not isinstance(maker.primitive, Contract) or not self._is_alone(found, x):
            return None
        if any(atom.type.dtype != found.atom.type.dtype for atom in maker.inputs):
            return None
        u, v = self._factors(found, maker)
        saved = prod({**u.sizes, **v.sizes}.values())
        plans = [plan for plan in (self._chained(u, y, v, out), self._chained(v, y, u, out)) if plan is not None]
        best = min(plans, key=_cost, default=None)
        return None if best is None else Plan(max(0, best.cost - saved), best.write)

    def _chained(self, u: Operand, y: Operand, v: Operand, out: Labels) -> Plan | None:
        wanted = set(v.labels) | set(out)
        kept = tuple(label for label in dict.fromkeys((*u.labels, *y.labels)) if label in wanted)
        if not _is_plain(u, y, kept):
            return None
        sizes = {**u.sizes, **y.sizes}
        cost = _products(u, y) + prod({**v.sizes, **{label: sizes[label] for label in kept}}.values())

        def write() -> Operand:
            first = self.applied(contract(u.labels, y.labels, kept), kept, u.atom, y.atom)
            return self.applied(contract(first.labels, v.labels, out), out, first.atom, v.atom)

        return Plan(cost, write)

    def _by_sum(self, x: Operand, y: Operand, out: Labels, depth: int) -> Plan | None:
        """(u + v) y as u y + v y."""
        found, maker = self._seen(x)
        if maker is None or not isinstance(maker.primitive, Add) or not self._is_alone(found, x):
            return None
        if any(atom.type != found.atom.type for atom in maker.inputs):
            return None
        u, v = (self.planned(Operand(atom, found.labels), y, out, depth - 1) for atom in maker.inputs)

        def write() -> Operand:
            terms = self.permuted(u.write(), out), self.permuted(v.write(), out)
            return self.applied(ADD, out, terms[0].atom, terms[1].atom)

        return Plan(u.cost + v.cost + prod(found.atom.type.shape), write)

    # --- what an operand is -----------------------------------------------------------------------------

    def _seen(self, x: Operand) -> tuple[Operand, Equation | None]:
        """The operand before its axes were permuted, and the equation that made it."""
        maker = self.makers.get(x.atom)
        while maker is not None and isinstance(maker.primitive, Permute):
            labels = dict(zip(maker.primitive.axes, x.labels, strict=True))
            x = Operand(maker.inputs[0], tuple(labels[axis] for axis in range(len(labels))))
            maker = self.makers.get(x.atom)
        return x, maker

    def _is_alone(self, found: Operand, x: Operand) -> bool:
        """Whether an operand is used nowhere else, so that it need not be computed."""
        return self.uses[found.atom] <= 1 and self.uses[x.atom] <= 1

    def _factors(self, found: Operand, maker: Equation) -> tuple[Operand, Operand]:
        """The operands of a product, their labels in terms of the result's."""
        primitive: Any = maker.primitive
        names = dict(zip(primitive.out, found.labels, strict=True))
        for label in (*primitive.left, *primitive.right):
            if label not in names:
                self.next_label -= 1
                names[label] = self.next_label
        left, right = (tuple(names[label] for label in labels) for labels in (primitive.left, primitive.right))
        return Operand(maker.inputs[0], left), Operand(maker.inputs[1], right)


def _cost(plan: Plan) -> int:
    return plan.cost


def _products(x: Operand, y: Operand) -> int:
    return prod({**x.sizes, **y.sizes}.values())


def _is_plain(x: Operand, y: Operand, out: Labels) -> bool:
    """Whether no label is summed over in one operand alone."""
    return set(x.labels) ^ set(y.labels) <= set(out)


def _renamed(labels: Labels, old: int, new: int) -> Labels:
    return tuple(new if label == old else label for label in labels)


def _is_diagonal(primitive: Primitive) -> bool:
    return isinstance(primitive, FromDiagonal) and primitive.offset == 0 and primitive.rows == primitive.columns


# --- triangles ------------------------------------------------------------------------------------------


def _without_unread_triangles(graph: Graph) -> Graph:
    """Leaves out the cutting of lower triangles from matrices of which only the lower triangle is read."""
    if not any(isinstance(e.primitive, Triangle) for e in graph.equations):
        return graph
    read_whole = _read_whole(graph)
    same: dict[Atom, Atom] = {}
    equations = []
    for equation in graph.equations:
        inputs = tuple(same.get(atom, atom) for atom in equation.inputs)
        if _cuts_lower(equation.primitive) and equation.outputs[0] not in read_whole:
            same[equation.outputs[0]] = inputs[0]
        else:
            equations.append(Equation(equation.primitive, inputs, equation.outputs))
    return evolve(graph, equations=tuple(equations))


def _cuts_lower(primitive: Primitive) -> bool:
    return isinstance(primitive, Triangle) and primitive.lower and primitive.offset >= 0


def _read_whole(graph: Graph) -> set[Atom]:
    """The variables that are read above the diagonal too."""
    lower, upper = _triangular(graph)
    found: set[Atom] = set(graph.outputs)
    for equation in reversed(graph.equations):
        for position, atom in enumerate(equation.inputs):
            if not _is_square(atom.type) or not _reads_lower(equation, position, found, lower, upper):
                found.add(atom)
    return found


def _is_square(kind: ArrayType) -> bool:
    return kind.ndim == 2 and kind.shape[0] == kind.shape[1]


def _reads_lower(equation: Equation, position: int, read_whole: set[Atom], lower: set[Atom], upper: set[Atom]) -> bool:
    """Whether an input is read on and below the diagonal alone."""
    primitive: Any = equation.primitive
    if isinstance(primitive, Triangle):
        return primitive.lower and primitive.offset <= 0
    out, x = equation.outputs[0], equation.inputs[position]
    if isinstance(primitive, Multiply) and equation.inputs[1 - position] in lower:
        return True
    if out in read_whole or out.type.shape != x.type.shape:
        return False
    if not isinstance(primitive, Contract):
        return isinstance(primitive, (Add, Subtract, Negative, Multiply))
    labels = (primitive.left, primitive.right)[position], (primitive.left, primitive.right)[1 - position]
    if len(labels[1]) != 2 or len(primitive.out) != 2:
        return False
    row, inner, column = primitive.out[0], labels[0][0], primitive.out[1]  # out[row, column] = U[row, inner] x
    other = equation.inputs[1 - position]
    is_upper = (labels[1] == (row, inner) and other in upper) or (labels[1] == (inner, row) and other in lower)
    return labels[0] == (inner, column) and is_upper


def _triangular(graph: Graph) -> tuple[set[Atom], set[Atom]]:
    """The lower and the upper triangular matrices among the variables."""
    lower: set[Atom] = {v for v, value in graph.constants if _is_lower(value)}
    upper: set[Atom] = set()
    for equation in graph.equations:
        primitive = equation.primitive
        if isinstance(primitive, Cholesky) or _cuts_to(primitive, lower=True):
            lower.add(equation.outputs[0])
        elif _cuts_to(primitive, lower=False):
            upper.add(equation.outputs[0])
        elif isinstance(primitive, Permute) and primitive.axes == (1, 0):
            for known, transposed in ((lower, upper), (upper, lower)):
                if equation.inputs[0] in known:
                    transposed.add(equation.outputs[0])
    return lower, upper


def _cuts_to(primitive: Primitive, lower: bool) -> bool:
    """Whether the output is triangular."""
    if not isinstance(primitive, Triangle) or primitive.lower != lower:
        return False
    return primitive.offset <= 0 if lower else primitive.offset >= 0


def _is_lower(value: Array) -> bool:
    """Whether a constant is lower triangular for good."""
    if not is_fixed(value) or value.ndim != 2:
        return False
    return not np.triu(value, 1).any()
