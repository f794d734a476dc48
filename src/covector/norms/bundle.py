"""Bounds of a dual norm from both sides, by combining points of the dual ball.

Every subgradient s of a norm N has dual norm 1: call it an atom. If a covector is a combination of atoms,
g = sum of c_i s_i, then dual_norm(g) <= sum of |c_i|, a bound from above; any vector v bounds it from below by
<g, v> / N(v). The combination and the vector are found together: over c >= 0, for atoms S and their negatives,

    (sum c)^2 / 2 + |g + epsilon u - S c|^2 / (2 epsilon),       u the best vector so far, times its <g, v> / N(v),

is least where v = u + (g - S c) / epsilon has <s_i, v> = sum c for every s_i in use and less for the others: v is best
for the norm that the atoms describe, but for a penalty on the distance from u. The subgradient of N at v is the next
atom. Distances are measured in coordinates in which the atoms are spread evenly, S S^T = m 1 for m atoms: there, what
is left over, g - S c, costs at most epsilon N(v - u), so that the gap fixes epsilon, and a badly scaled norm needs no
more atoms than others.

Atoms serve every covector, so that a sequence of slowly changing ones needs few new atoms each: a `WarmStart` carries
them along, in arrays of fixed shapes.

    >>> def oracle(v):                                          # the norm l1 + l2
    ...     return float(np.sum(np.abs(v)) + np.sqrt(v @ v)), np.sign(v) + v / np.sqrt(v @ v)
    >>> bundle = Bundle(oracle, np.array([3.0, -1.0, 0.5]), empty_warm_start(3))
    >>> bundle.span()
    >>> bundle.approach(gap=0.01, budget=20)
    >>> bool(bundle.lower <= 1.5 <= bundle.upper <= 1.01 * bundle.lower)
    True

Source: J. E. Kelley, The cutting-plane method (1960); C. Lemarechal, bundle methods (1975).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, final

import numpy as np

from covector.core.types import Array
from covector.norms.nonnegative import nonnegative_least_squares

Evaluation = Callable[[Array], tuple[float, Array]]
"""The value of a norm at a vector other than zero, and a gradient or subgradient there."""

LARGEST_METRIC = 400
"""The number of entries up to which coordinates are made even by a matrix; beyond, by a factor for each entry."""

MANY, FEW, MOST_NUMBERS = 10, 64, 2**22
"""How many atoms are kept, for each entry or where they cannot span all covectors, and how many numbers they may take.
"""

RELAXATION, EASING = 10.0, 1.0
"""The epsilon of the method, at least, relative to the gap asked for and to the gap reached."""

SPARE, SMALLER, TIGHTER = 3, 0.3, 3.0
"""Once the gap is proved: how many more atoms are worth asking for, towards which part of it, by which RELAXATION."""

RADII, TRIES, CORRECTIVE = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5), 30, 1e-6
"""Around the best vector: how far, relative to its length, how often, and the epsilon of the combinations there."""

SLACK = 0.1
"""By how much, relative to the gap asked for, a new vector may be too long for the norm that the atoms describe."""

ROUNDING = 1e-12
"""By how much more than the gap asks for is aimed at, so that rounding does not spoil the proof."""

PATIENCE = 20
"""How many new atoms may be of no use before the search ends."""


class WarmStart(NamedTuple):
    """Atoms of a norm's dual ball for searches to come: a tree of arrays of fixed shapes.

    atoms: one in each row; unused rows are zero. weights: how much of each the last covector took, with its sign.
    used: when each was last of use. vector: the last direction.
    """

    atoms: Array
    weights: Array
    used: Array
    vector: Array

    def in_units(self, unit: float) -> WarmStart:
        """The same for the norm divided by a unit."""
        return WarmStart(self.atoms / unit, self.weights * unit, self.used, self.vector * unit)


def empty_warm_start(size: int, capacity: int | None = None) -> WarmStart:
    """No atoms yet, and room for `capacity` of them, for vectors of `size` entries."""
    few = max(8, min(FEW, MOST_NUMBERS // max(size, 1)))
    rows = capacity or (MANY * size + 20 if size <= LARGEST_METRIC else few)
    return WarmStart(np.zeros((rows, size)), np.zeros(rows), np.zeros(rows), np.zeros(size))


# --- coordinates ------------------------------------------------------------------------------------------------


class Coordinates(ABC):
    """Coordinates in which atoms are spread evenly."""

    @abstractmethod
    def even(self, covectors: Array) -> Array:
        """Covectors, the columns of a matrix, in these coordinates."""

    @abstractmethod
    def back(self, rest: Array) -> Array:
        """The vector that a covector in these coordinates stands for."""

    @abstractmethod
    def forth(self, vector: Array) -> Array:
        """The inverse of `back`."""

    @abstractmethod
    def bound(self, rest: Array) -> float:
        """A bound of the dual norm of a covector in these coordinates; infinite if the atoms do not span it."""


@final
class Whitened(Coordinates):
    """By the matrix that makes S S^T = R^T R a multiple of 1, for atoms S^T = Q R that span all covectors."""

    def __init__(self, atoms: Array) -> None:
        _, triangle = np.linalg.qr(atoms)
        self.inverse = triangle.T / np.sqrt(len(atoms))
        self.matrix = np.linalg.inv(self.inverse)
        self.parts = atoms @ self.matrix.T / len(atoms)

    def even(self, covectors: Array) -> Array:
        return self.matrix @ covectors

    def back(self, rest: Array) -> Array:
        return self.matrix.T @ rest

    def forth(self, vector: Array) -> Array:
        return self.inverse.T @ vector

    def bound(self, rest: Array) -> float:
        # r = S S^T r / m, so that the entries of S^T r / m are coefficients of r; what rounding leaves is added.
        first = self.parts @ rest
        left = rest - len(self.parts) * (first @ self.parts)
        return float(np.sum(np.abs(first)) + np.sum(np.abs(self.parts @ left)))


@final
class Rescaled(Coordinates):
    """By a factor for each entry."""

    def __init__(self, atoms: Array) -> None:
        sizes = np.sqrt(np.mean(atoms * atoms, axis=0))
        self.sizes = np.where(sizes > 0, sizes, np.max(sizes))

    def even(self, covectors: Array) -> Array:
        return (covectors.T / self.sizes).T

    def back(self, rest: Array) -> Array:
        return rest / self.sizes

    def forth(self, vector: Array) -> Array:
        return vector * self.sizes

    def bound(self, rest: Array) -> float:
        return np.inf if np.any(rest) else 0.0


def coordinates_of(atoms: Array) -> Coordinates:
    """Even coordinates for the atoms that are not zero."""
    atoms = atoms[np.any(atoms != 0, axis=1)]
    return Whitened(atoms) if _spans(atoms) else Rescaled(atoms)


def _spans(atoms: Array) -> bool:
    """Whether atoms are worth a matrix of coordinates, and every covector is a combination of them."""
    count, size = atoms.shape
    return bool(size <= LARGEST_METRIC and count >= size and np.linalg.matrix_rank(atoms) == size)


# --- the method -----------------------------------------------------------------------------------------------


@final
class Bundle:
    """A search: its atoms, and the best vector and bounds so far."""

    def __init__(self, oracle: Evaluation, covector: Array, warm: WarmStart) -> None:
        self.oracle, self.covector = oracle, covector
        self.atoms, self.weights = np.array(warm.atoms, dtype=float), np.array(warm.weights, dtype=float)
        self.used = np.array(warm.used, dtype=float)
        self.clock = float(np.max(self.used)) + 1.0
        pairing = float(np.dot(covector, warm.vector))
        self.vector, self.lower, self.upper = np.sign(pairing) * warm.vector, abs(pairing), np.inf
        self.atom = np.zeros_like(covector)
        self.candidate, self.asked = np.zeros_like(covector), 0

    @property
    def warm(self) -> WarmStart:
        """What the next search can begin with."""
        return WarmStart(self.atoms, self.weights, self.used, self.vector)

    def visit(self, vector: Array) -> tuple[float, Array]:
        """The norm and a subgradient, which becomes an atom, at a vector, which may be the best so far."""
        length, atom = self.oracle(vector)
        self.asked += 1
        if not (length > 0 and np.isfinite(length)):
            return np.inf, np.zeros_like(vector)
        pairing = float(np.dot(self.covector, vector))
        if abs(pairing) > self.lower * length:
            self.lower, self.vector = abs(pairing) / length, np.sign(pairing) * vector / length
            self.atom = np.sign(pairing) * atom
        self._keep(atom)
        return length, atom

    def search(self, gap: float, budget: int, relaxation: float = RELAXATION) -> None:
        """New atoms until the bounds are within the gap of each other, relative to the upper one, or none helps."""
        last = self.asked + budget
        coordinates, useless = coordinates_of(self.atoms), 0
        self._bound_by_one_atom(coordinates)
        while True:
            bounds = self.lower, self.upper
            vector = self._best_of_atoms(coordinates, max(relaxation * gap, EASING * self.gap()), SLACK * gap)
            self.candidate = vector
            if self.gap() <= gap or not np.any(vector) or self.asked >= last:
                return
            self.visit(vector / np.max(np.abs(vector)))
            helped = self.lower > bounds[0] * (1 + gap / 8) or self.upper < bounds[1] * (1 - gap / 8)
            useless = 0 if helped else useless + 1
            if useless > PATIENCE:
                return

    def approach(self, gap: float, budget: int) -> None:
        """A search that is to be cheap: first for a proof of the gap, then for a better direction than it asks for.

        A direction that is better than need be lets `linger` stay nearer to the last one. Where the budget is at its
        end before the gap is proved, the upper bound is made the best that the atoms can prove.
        """
        last = self.asked + budget
        self.search(gap, budget)
        if self.gap() <= gap:
            self.search(SMALLER * gap, min(SPARE, last - self.asked), TIGHTER)
        else:
            self._best_of_atoms(coordinates_of(self.atoms), SLACK * gap)

    def linger(self, gap: float, before: Array, budget: int) -> None:
        """Moves the best vector towards one of norm 1, as far as the gap allows.

        Of all directions that are good enough one near the last is best for descent: it zigzags less. Where the gap is
        not proved, the best that has been found counts as the best there is. What the atoms take for best, and nobody
        has tried, is moved instead if it keeps what it promises.
        """
        best, other = self.lower, float(np.dot(self.covector, before))
        goal = (1.0 - gap) * (self.upper if self.gap() <= gap else best)
        aim = goal * (1.0 + ROUNDING)
        if not other < aim < best:
            return
        share = (best - aim) / (best - other)
        for vector in (self.candidate, self.vector)[: max(budget, 0)]:
            promised = float(np.dot(self.covector, vector))
            if promised > 0 and self._settle((1.0 - share) * (best / promised) * vector + share * before, goal):
                return

    def _settle(self, vector: Array, goal: float) -> bool:
        """Makes a vector the best one if it is as good as asked for."""
        length, _ = self.visit(vector)
        steepness = float(np.dot(self.covector, vector)) / length
        if steepness < goal:
            return False
        self.vector, self.lower = vector / length, steepness
        return True

    def close(self, gap: float) -> None:
        """Atoms from nearer and nearer around the best vector, until the bounds are within the gap.

        If v is best, g is a combination of subgradients at v, of which the norm returns one. The others are limits of
        subgradients at v + t w. The one with the largest <s, w> is asked for, where w is g less the best combination so
        far: fully corrective conditional gradients on the face of the dual ball that v exposes. What these atoms take
        for best is tried too: for a polyhedral norm that is a corner of the ball, exact to rounding.
        """
        coordinates = coordinates_of(self.atoms)
        self._bound_by_one_atom(coordinates)
        for radius in RADII:
            useless = 0
            for _ in range(TRIES):
                if self.gap() <= gap:
                    return
                before = self.upper - self.lower
                corner = self._best_of_atoms(coordinates, CORRECTIVE)
                if self.gap() > gap and np.any(corner):
                    self.visit(corner / np.max(np.abs(corner)))
                turn = coordinates.back(coordinates.even(self.covector - self.weights @ self.atoms))
                if not np.any(turn):
                    return
                useless = useless + 1 if self.upper - self.lower > 0.9 * before else 0
                if useless > PATIENCE // 4:
                    break
                self.visit(self.vector / np.linalg.norm(self.vector) + radius * turn / np.linalg.norm(turn))

    def _bound_by_one_atom(self, coordinates: Coordinates) -> None:
        rest = coordinates.even(self.covector - self.lower * self.atom)      # small if the norm is smooth there
        self.upper = min(self.upper, self.lower + coordinates.bound(rest))

    def gap(self) -> float:
        """How far the bounds are apart, relative to the upper one."""
        return 1.0 - self.lower / self.upper if self.upper < np.inf else 1.0

    def _best_of_atoms(self, coordinates: Coordinates, epsilon: float, slack: float = 0.0) -> Array:
        """The vector that is best for the norm that the atoms describe; lowers the upper bound on the way."""
        even, target = coordinates.even(self.atoms.T), coordinates.even(self.covector)
        columns = np.hstack([even, -even])
        penalized = np.vstack([columns, np.full(columns.shape[1], np.sqrt(epsilon))])
        start = np.maximum(np.concatenate([self.weights, -self.weights]), 0.0)
        center = epsilon * self.lower * coordinates.forth(self.vector)
        slack = epsilon * self.lower * slack      # what is left of a gain is epsilon times what is left of a length
        coefficients = nonnegative_least_squares(penalized, np.append(target + center, 0.0), start, slack)
        self.weights = coefficients[: len(self.atoms)] - coefficients[len(self.atoms) :]
        self.used[self.weights != 0] = self.clock
        rest = target - even @ self.weights
        total = float(np.sum(coefficients))
        self.upper = min(self.upper, total + coordinates.bound(rest))
        chosen = columns[:, coefficients > 0]
        vector = (rest + center) / epsilon
        unmet = total - chosen.T @ vector      # zero but for rounding, which epsilon magnifies
        vector = vector + (np.linalg.lstsq(chosen.T, unmet, rcond=None)[0] if epsilon < 1e-3 and total else 0.0)
        return coordinates.back(vector)

    def span(self) -> None:
        """Atoms for vectors with one large entry each, and some more if they do not span all covectors.

        At a vector v to which all atoms are orthogonal the next one is not, <s, v> = N(v), so that the rank grows.
        """
        size, room = len(self.covector), len(self.atoms)
        rng = np.random.default_rng(0)
        for direction in np.eye(min(size, room // 2), size):
            self.visit(2.0 * direction + rng.uniform(-1.0, 1.0, size))
        self.visit(self.covector)
        for _ in range(size if size <= min(room, LARGEST_METRIC) else 0):
            values, right = np.linalg.svd(self.atoms)[1:]
            missing = right[values <= 1e-10 * values[0]]
            if not len(missing):
                return
            for vector in missing:
                self.visit(vector)

    def _keep(self, atom: Array) -> None:
        """In the row that has been of no use for longest, unless it is there already; empty rows never were of use.

        Otherwise the few subgradients of a polyhedral norm would push out those that the others need to span the space.
        """
        self.clock += 1.0
        known = np.all(self.atoms == atom, axis=1) | np.all(self.atoms == -atom, axis=1)
        if np.any(known):
            self.used[known] = self.clock
            return
        row = int(np.argmin(self.used))
        self.atoms[row], self.weights[row], self.used[row] = atom, 0.0, self.clock
