"""Which of several maximizers a search returns: the set of maximizers by cuts, and the point of it that a policy takes.

The maximizers of <g, v> over the unit ball of a norm N are a face of the ball. If g is a combination of atoms, with
coefficients c_i > 0 whose sum is the dual norm (see `covector.norms.bundle`), the face is

    <s_i, v> = 1 for those atoms,        <s, v> <= 1 for all other subgradients s of N,

and of the latter a search knows many. The least vector that keeps to those it knows is a small quadratic program. If it
is too long for N, the subgradient there is one more cut, until it is not: for a polyhedral norm after finitely many.

Mostly the face is a point, which costs little to see: there are as many independent atoms as entries; or the maximizer
is a combination of the atoms, and so is the least already; or N is smooth there and F = grad(N^2 / 2) has a derivative
with v = F'(v) y for some y, so that no v + d with F'(v) d = 0 is less.

    >>> def oracle(v):                                                       # max |v|
    ...     largest = int(np.argmax(np.abs(v)))
    ...     return float(np.abs(v[largest])), np.sign(v[largest]) * np.eye(1, 3, largest)[0]
    >>> face = Cuts(oracle, np.array([1.0, 0.7, 0.2]), np.eye(1, 3), np.eye(3))
    >>> face.nearest(np.zeros(3)), face.nearest(np.array([0.0, 9.0, -9.0]))
    (array([1., 0., 0.]), array([ 1.,  1., -1.]))

Source: C. Lawson and R. Hanson, Solving least squares problems (1974), chapter 23.4 (least distance programming).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import numpy as np

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.bundle import Bundle, Evaluation
from covector.norms.implicit import conjugate_gradients
from covector.norms.nonnegative import nonnegative_least_squares

CLOSED, ACTIVE = 1e-8, 1e-7
"""The gap at which the atoms in use are those of the face, and by how much one of those may miss its value."""

TOO_LONG = 1e-12
"""By how much a point may be too long for the norm."""

CUTS = 60
"""How many cuts are added, at most."""

LOSS, WORTH_A_LOSS, ROUNDING = 1e-10, 1e-4, 1e-14
"""What another maximizer may lose of the dual norm if it is so far away, relative to its length, and if it is not.

On a curved ball a vector that is no maximizer loses about the square of how far away it is.
"""

PARALLEL = 1e-9
"""The part of a cut across the face, relative to the cut, below which it is taken to be one of the face itself."""

OUTWARD = 1e4
"""How far away, relative to the maximizer, the point is to which an extreme point of the face is the nearest."""


def settle(bundle: Bundle, ties: str, hessian: Callable[[Array, Array], Array], smooth: bool) -> None:
    """Makes the best vector of a search the one that a policy takes, if several are best.

    `hessian(v, x)` is F'(v) x, and `smooth` says whether the norm is smooth at the best vector.
    """
    vector, size = bundle.vector, float(np.linalg.norm(bundle.vector))
    if ties == "split" or not size:
        return
    center = aimed_at(ties, bundle.covector, size)
    equal = _equalities(bundle)
    if _settled(equal, center - vector) or (smooth and _determined(hessian, vector, center - vector)):
        return
    atoms = bundle.atoms[np.any(bundle.atoms != 0, axis=1)]
    found = Cuts(bundle.oracle, vector, equal, atoms).nearest(center)
    if found is None:
        return
    length, atom = bundle.oracle(found)
    steepness = float(np.dot(bundle.covector, found)) / length
    loss = LOSS if np.linalg.norm(found - vector) > WORTH_A_LOSS * size else ROUNDING
    if steepness >= (1.0 - loss) * bundle.lower:
        bundle.vector, bundle.lower, bundle.atom = found / length, steepness, atom


def aimed_at(ties: str, covector: Array, size: float) -> Array:
    """The point to which the policy's maximizer is the nearest: zero for the least, a far one for an extreme one."""
    if ties not in ("vertex", "random"):
        return np.zeros(len(covector))
    rng, count = np.random.default_rng(0), len(covector)
    if ties == "random":
        return OUTWARD * size * rng.standard_normal(count)
    first = np.linspace(2.0, 1.0, count) + rng.uniform(0.0, 1e-2, count)      # the first index counts most
    return OUTWARD * size * np.where(covector < 0, -first, first)


def _equalities(bundle: Bundle) -> Array:
    """Covectors that are constant on the face, as rows."""
    row = bundle.covector[None] / bundle.lower
    if bundle.gap() > CLOSED:
        return row
    used = bundle.weights != 0
    atoms = np.sign(bundle.weights[used])[:, None] * bundle.atoms[used]
    found: Array = np.vstack([row, atoms[np.abs(atoms @ bundle.vector - 1.0) <= ACTIVE]])
    return found


def _settled(equal: Array, way: Array) -> bool:
    """Whether no way along the face leads nearer."""
    return float(np.linalg.norm(_across(_basis(equal), way))) <= PARALLEL * float(np.linalg.norm(way))


def _determined(hessian: Callable[[Array, Array], Array], vector: Array, way: Array) -> bool:
    """Whether F'(v) y = way has a solution, so that no flat direction d, F'(v) d = 0, leads nearer."""
    with np.errstate(all="ignore"):      # where F' is singular the iterates may grow without end
        try:
            conjugate_gradients(partial(hessian, vector), way, 1e-6)
        except ArgumentError:
            return False
    return True


def _basis(rows: Array) -> Array:
    """Orthonormal rows that span the same space."""
    if len(rows) == 1:
        return rows / np.linalg.norm(rows)
    _, values, right = np.linalg.svd(rows / np.linalg.norm(rows, axis=1, keepdims=True), full_matrices=False)
    basis: Array = right[values > PARALLEL * values[0]]
    return basis


def _across(basis: Array, rows: Array) -> Array:
    """The parts of vectors that are orthogonal to a basis."""
    parts = rows - (rows @ basis.T) @ basis
    again: Array = parts - (parts @ basis.T) @ basis
    return again


@final
class Cuts:
    """A face: the v near a given one with the same products with the rows of `equal`, and N(v) <= 1."""

    def __init__(self, oracle: Evaluation, vector: Array, equal: Array, atoms: Array) -> None:
        self.oracle, self.basis = oracle, _basis(equal)
        self.fixed = vector - _across(self.basis, vector)
        self.cuts = np.vstack([atoms, -atoms])
        self.weights = np.zeros(len(self.cuts))

    def nearest(self, center: Array) -> Array | None:
        """The point of the face that is nearest to a center; None if that takes too many cuts."""
        center = _across(self.basis, center)
        for _ in range(CUTS):
            point = self._nearest_by_cuts(center)
            length, atom = self.oracle(point)
            if length <= 1.0 + TOO_LONG or np.any(np.all(self.cuts == atom, axis=1)):
                return point
            self.cuts, self.weights = np.vstack([self.cuts, atom]), np.append(self.weights, 0.0)
        return None

    def _nearest_by_cuts(self, center: Array) -> Array:
        """The least d with <a, d> <= b for each cut, from the center to the point."""
        rows, unit = _across(self.basis, self.cuts), float(np.linalg.norm(self.fixed) + np.linalg.norm(center))
        room = 1.0 - self.cuts @ (self.fixed + center)
        kept = np.linalg.norm(rows, axis=1) > PARALLEL * np.linalg.norm(self.cuts, axis=1)
        step, self.weights[kept] = least_within(unit * rows[kept], room[kept], self.weights[kept])
        point, used = self.fixed + center + unit * step, kept & (self.weights > 0)
        left = 1.0 - self.cuts[used] @ point      # rounding, which a center that is far away makes large
        refined: Array = point + np.linalg.lstsq(rows[used], left, rcond=None)[0]
        return refined


def least_within(rows: Array, room: Array, start: Array) -> tuple[Array, Array]:
    """The least d with rows @ d <= room, and weights of the rows, with which the next such search can start.

    Derivation: d is a combination of rows, d = -rows.T @ u, and u >= 0 up to a factor makes [-rows.T; -room] u nearest
    to (0, ..., 0, 1). The rows in use determine d by equations, exact to rounding.
    """
    stacked = np.vstack([-rows.T, -room])
    target = np.eye(1, len(stacked), len(stacked) - 1)[0]
    weights = nonnegative_least_squares(stacked, target, start)
    return np.linalg.lstsq(rows[weights > 0], room[weights > 0], rcond=None)[0], weights
