"""Which of several maximizers is taken where they come from a dual norm: as its gradients, or as corners of a ball.

Where the dual norm D has a kink at g, its derivative there is one of the maximizers, and its derivatives at g + t d,
for small t, are those of them that have the largest <d, v>. For v to be the least, <v, w> >= |v|^2 for all maximizers
w, so that D(g - t v) = D(g) - t |v|^2 but for the curvature of D: one more value of D tells. If it is more, the
derivative at g - t v is another maximizer, the least combination of the two is the next v, and so on until none is
better. An extreme point is the derivative at g + t d for a d that is like no other.

    >>> def corner(g):                          # of the ball 1 |v_0| + 2 |v_1| <= 1
    ...     sizes = np.abs(g) / np.array([1.0, 2.0])
    ...     return np.sign(g) * (sizes == np.max(sizes)) / np.array([1.0, 2.0]) / np.sum(sizes == np.max(sizes))
    >>> corner(np.array([1.0, 2.0])), least(corner, np.array([1.0, 2.0]), "min_norm")
    (array([0.5 , 0.25]), array([0.2, 0.4]))

Source: P. Wolfe, Finding the nearest point in a polytope (1976).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.norms.exposed import aimed_at
from covector.norms.implicit import looped, recorded
from covector.norms.layout import doubles, either, magnitude, ratio, ravel
from covector.norms.nonnegative import DEPENDENT, nonnegative_least_squares
from covector.norms.oracle import Program
from covector.transforms.stop import stop_gradient
from covector.trees import Tree

NUDGE, UNSURE = 1e-8, 1e-7
"""How far from the covector the dual norm is asked for, relative to it, and by how much, in terms of the same, it may
be more than it should before the maximizer is doubted."""

ASIDE, LOSS = 1e-7, 1e-12
"""How far from the covector other maximizers are looked for, and what they may lose of the dual norm."""

BETTER = 1e-12
"""By how much another maximizer must point away from the best so far."""

CORNERS, FEW, NUMBERS = 200, 20, 2**20
"""How many maximizers are combined, at most; of long ones as many as have so many entries, but no fewer than a few.

A few come near the least one of a curved face: for spectral norms ten are within a thousandth of its length.
"""


def settled(
    length: Callable[[Tree], Array], steepest: Callable[[Tree], Tree], covector: Tree, vector: Tree, ties: str,
    single: Any = False,
) -> Tree:  # fmt: skip
    """A maximizer, or another one that the policy prefers; its derivative is that of the former.

    `length` is the dual norm, and `steepest` gives any of the maximizers; they are asked in double precision, and not
    at all if it is known that there is a `single` one.
    """
    if ties == "split" or (not isinstance(single, Tracer) and single):
        return vector
    flat, restore = doubles(covector)
    if typeof(flat).size == 0:
        return vector
    found, back = ravel(vector)
    near, point = stop_gradient(flat) / magnitude(flat), stop_gradient(found)

    def none(near: Array, point: Array) -> Array:
        return np.zeros(())

    def some(near: Array, point: Array) -> Array:
        return _doubt(lambda h: length(restore(h)), near, point, ties).astype(float)

    doubt = either(single, none, some, near, point)
    if not isinstance(doubt, Tracer) and not doubt > UNSURE:
        return vector

    def corner(h: Array) -> Array:
        return ravel(steepest(restore(h)))[0]

    if not any(isinstance(x, Tracer) for x in (doubt, flat, found)):
        return back(least(corner, near, ties).astype(found.dtype))
    program = recorded(lambda h: [corner(h)], [typeof(near).strong()], "a maximizer")
    return back(Settled(program.program, ties)(found, near, doubt, *program.values))


def _doubt(length: Callable[[Array], Array], covector: Array, vector: Array, ties: str) -> Array:
    """By how much D(g + t d) exceeds D(g) + t <d, v>, relative to t |d| |v|; d is -v, or where an extreme point is."""
    steepness = np.dot(covector, vector) if typeof(vector).dtype == np.dtype(float) else length(covector)
    way = -vector if ties == "min_norm" else _random_like(covector, ties)
    share = ratio(NUDGE * steepness, np.sqrt(np.dot(vector, vector) * np.dot(way, way)))
    excess = length(covector + share * way) - steepness - share * np.dot(way, vector)
    return ratio(excess, NUDGE * steepness)


def _random_like(covector: Array, ties: str) -> Array:
    """The direction in which a policy's extreme point is."""
    known = np.zeros(typeof(covector).size) if isinstance(covector, Tracer) else covector
    return aimed_at(ties, known, 1.0)


def least(steepest: Callable[[Array], Array], covector: Array, ties: str) -> Array:
    """The maximizer that a policy takes, from a function that gives any."""
    vector = np.asarray(steepest(covector), float)
    steepness, size = float(np.dot(covector, vector)), float(np.linalg.norm(vector))

    def further(way: Array) -> Array | None:
        """The maximizer that is furthest in a direction."""
        share = ASIDE * steepness / (size * float(np.linalg.norm(way)))
        found = np.asarray(steepest(covector + share * way), float)
        return found if np.dot(covector, found) >= (1.0 - LOSS) * steepness else None

    if not steepness > 0:
        return vector
    if ties == "min_norm":
        return _least_combination(further, vector)
    found = further(aimed_at(ties, covector, 1.0))
    return vector if found is None else found


def _least_combination(further: Callable[[Array], Array | None], point: Array) -> Array:
    """The least vector among a maximizer and those that `further` finds, and their combinations."""
    corners, shares, basis = point[None], np.ones(1), _with_direction(np.zeros((0, len(point))), point)
    for _ in range(min(CORNERS, max(FEW, NUMBERS // len(point)))):
        corner = further(-point)
        if corner is None or not np.dot(point, corner) < (1.0 - BETTER) * np.dot(point, point):
            break
        corners, basis = np.vstack([corners, corner]), _with_direction(basis, corner)
        size = float(np.linalg.norm(point))
        # With weights w >= 0, |w @ corners|^2 + size^2 (1 - sum w)^2 is least at a multiple of the least combination.
        stacked, target = np.vstack([basis @ corners.T, np.full(len(corners), size)]), np.zeros(len(basis) + 1)
        target[-1] = size
        weights = nonnegative_least_squares(stacked, target, np.append(shares, 0.0))
        shares = weights / np.sum(weights)
        point = shares @ corners
    return point


def _with_direction(basis: Array, vector: Array) -> Array:
    """Orthonormal rows with another one, in the direction of what is left of a vector orthogonal to them."""
    rest = vector - (basis @ vector) @ basis
    rest -= (basis @ rest) @ basis      # what rounding left in the span
    size = float(np.linalg.norm(rest))
    return np.vstack([basis, rest / size]) if size > DEPENDENT * float(np.linalg.norm(vector)) else basis


@final
@frozen
class Settled(Primitive):
    """The maximizer that a policy takes, beginning with any; a constant step from that to every derivative.

    Inputs are a maximizer, the covector, how much it is doubted, and the values that the program refers to.
    """

    program: Program
    ties: str

    @property
    def signature(self) -> str:
        return f"{self.name}[ties={self.ties}]"

    def evaluate(self, *inputs: Array) -> Array:
        vector, covector, doubt, *values = inputs
        if not doubt > UNSURE:
            return vector
        return least(lambda h: self.program(h, *values)[0], covector, self.ties).astype(vector.dtype)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return self(*primals), tangents[0]

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return looped(self, size, inputs, batched)
