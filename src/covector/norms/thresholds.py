"""Sums and maxima of l1, l2 and linf, whose duals have closed forms.

The direction for g is, up to its length, g with a threshold t taken from its entries,
soft(g, t) = sign(g) max(|g| - t, 0), or g cut at a threshold, clip(g, t), or signs of the largest entries:

| norm | up to its length, the maximizer | the threshold solves |
|---|---|---|
| a l1 + b l2 | soft(g, t) | a l2(soft(g, t)) = b t |
| max(a l1, b l2) | soft(g, t) | a l1(soft(g, t)) = b l2(soft(g, t)) |
| a l2 + b linf | clip(g, t) | a l1(soft(g, t)) = b l2(clip(g, t)) |
| max(a l2, b linf) | clip(g, t) | a l2(clip(g, t)) = b t |
| a l1 + b linf | signs of the j largest, j with the largest (sum of the j largest) / (a j + b) | |
| max(a l1, b linf) | signs of the b / a largest, the last one in part | |

Between two consecutive |entries| each equation is quadratic in t, and one side less the other is monotone: sorting
finds the interval, and a formula the root. There is no iteration.

    >>> from covector.norms.vectors import l1, l2
    >>> (l1() + l2()).maximizer(np.array([3.0, 1.0])).round(12)
    array([0.5, 0. ])

Derivation for a l1 + b l2: its dual ball is the sum of the balls a linf* and b l2*, so that dual_norm(g) = s for the
least s with l2(soft(g, a s)) <= b s. The others follow in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.types import Array
from covector.norms.layout import ratio, root
from covector.norms.matrices import SingularValueNorm
from covector.norms.norm import JOINING, Dual, Norm, Scaled
from covector.norms.registration import PARAMETER, registered
from covector.norms.ties import (
    best_partial_sum,
    descending,
    entry,
    largest,
    largest_entries,
    shared,
    shares,
    signs,
    steeper,
)
from covector.norms.traits import Traits
from covector.norms.vectors import L1, L2, LInf, VectorNorm

KINDS: dict[type[Norm], str] = {L1: "l1", L2: "l2", LInf: "linf"}


@registered
@final
@frozen(eq=False)
class Threshold(VectorNorm):
    """first_factor * first + second_factor * second, or the larger, of two of l1, l2 and linf."""

    first_factor: Any = field(metadata=PARAMETER)
    second_factor: Any = field(metadata=PARAMETER)
    kinds: tuple[str, str]
    how: str
    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        one, two = self._lengths(vector)
        return one + two if self.how == "sum" else np.maximum(one, two)

    def steepness(self, covector: Array) -> Array:
        return np.dot(covector, self.steepest(covector))

    def steepest(self, covector: Array) -> Array:
        if np.size(covector) == 0:
            return covector
        rule = DIRECTIONS[self.kinds, self.how]
        direction = rule(_Sorted(covector), self.second_factor / self.first_factor, self.ties)
        return ratio(direction, self.length(direction))

    def slope(self, vector: Array) -> Array:
        one, two = (SLOPES[kind](vector, self.ties) for kind in self.kinds)
        first, second = self.first_factor * one, self.second_factor * two
        return first + second if self.how == "sum" else steeper(*self._lengths(vector), first, second, self.ties)

    def _lengths(self, vector: Array) -> tuple[Array, Array]:
        one, two = (LENGTHS[kind](vector) for kind in self.kinds)
        return self.first_factor * one, self.second_factor * two

    @property
    def traits(self) -> Traits:
        polyhedral = "l2" not in self.kinds
        return Traits(strictly_convex=not polyhedral and self.how == "sum", polyhedral=polyhedral, absolute=True)


def l1_length(vector: Array) -> Array:
    """The sum of |entries|."""
    return np.sum(np.abs(vector))


def l2_length(vector: Array) -> Array:
    """The Euclidean length."""
    return root(np.dot(vector, vector), 2)


def l2_slope(vector: Array, ties: str) -> Array:
    """Its gradient, which no tie makes ambiguous."""
    return ratio(vector, l2_length(vector))


LENGTHS: dict[str, Callable[[Array], Array]] = {"l1": l1_length, "l2": l2_length, "linf": largest}
SLOPES: dict[str, Callable[[Array, str], Array]] = {"l1": signs, "l2": l2_slope, "linf": largest_entries}

# --- directions up to their lengths ---------------------------------------------------------------------------
#
# Of the k largest |entries| s_1 >= ... >= s_k, let P1 be the sum, P2 that of their squares, T2 that of the squares of
# all others; r = b / a. Then, for t between s_{k+1} and s_k, l1(soft(g, t)) = P1 - k t,
# l2(soft(g, t))^2 = P2 - 2 t P1 + k t^2 and l2(clip(g, t))^2 = k t^2 + T2. Which k it is, the equation at
# t = s_1, s_2, ... tells.


@final
class _Sorted:
    """The descending |entries| with their partial sums."""

    def __init__(self, covector: Array) -> None:
        self.covector = covector
        self.sizes = descending(covector)
        self.places = np.arange(1.0, np.size(covector) + 1.0)
        squares = self.sizes**2
        self.sums, self.squares = np.cumsum(self.sizes), np.cumsum(squares)
        self.tails = np.concatenate([np.flip(np.cumsum(np.flip(squares)))[1:], np.zeros(1)])
        self.gaps = self.sizes[0] - self.sizes      # of which sums lose nothing where entries nearly tie
        self.gap_sums, self.gap_squares = np.cumsum(self.gaps), np.cumsum(self.gaps**2)
        self.soft_sums = np.maximum(self.places * self.gaps - self.gap_sums, 0.0)
        soft_squares = self.places * self.gaps**2 - 2 * self.gaps * self.gap_sums + self.gap_squares
        self.soft_squares = np.maximum(soft_squares, 0.0)

    def at(self, places: Array) -> tuple[Array, Array, Array]:
        """P1, P2 and T2 for a number of places from 1 on."""
        last = places.astype(int) - 1
        return entry(self.sums, last), entry(self.squares, last), entry(self.tails, last)

    def soft(self, threshold: Array) -> Array:
        """The entries, nearer to zero by the threshold."""
        return np.sign(self.covector) * np.maximum(np.abs(self.covector) - threshold, 0.0)

    def top(self, depth: Array) -> Array:
        """The entries, nearer to zero by all but a depth of the largest."""
        return np.sign(self.covector) * np.maximum(depth - (self.sizes[0] - np.abs(self.covector)), 0.0)

    def clipped(self, threshold: Array) -> Array:
        """The entries, cut at the threshold."""
        return np.sign(self.covector) * np.minimum(np.abs(self.covector), threshold)


def sum_l1_l2(x: _Sorted, r: Array, ties: str) -> Array:
    """(k - r^2) t^2 - 2 P1 t + P2 = 0, the smaller root."""
    places = np.maximum(np.sum(x.soft_squares < (r * x.sizes) ** 2), 1.0)
    sums, squares, _ = x.at(places)
    return x.soft(ratio(squares, sums + root(np.maximum(sums**2 - (places - r**2) * squares, 0.0), 2)))


def max_l1_l2(x: _Sorted, r: Array, ties: str) -> Array:
    """(P1 - k t)^2 = r^2 (P2 - 2 t P1 + k t^2); none for r too small, when l1 decides alone.

    It is the same equation for s_1 - s_i and s_1 - t, of which those that nearly tie keep more digits.
    """
    below = x.soft_sums < r * np.sqrt(x.soft_squares)
    places = np.max(np.where(below, x.places, 0.0))
    last = np.maximum(places, 1.0).astype(int) - 1
    sums, squares = entry(x.gap_sums, last), entry(x.gap_squares, last)
    spread = np.maximum(places * squares - sums**2, 0.0)
    free = places <= r**2
    depth = (sums + r * root(spread / np.where(free, 1.0, places - r**2), 2)) / np.maximum(places, 1.0)
    direction = x.top(np.where(free, x.sizes[0], np.minimum(depth, x.sizes[0])))
    return np.where(np.any(direction != 0) & (places > 0), direction, _decided_by_l1(x.covector, r, ties))


def _decided_by_l1(covector: Array, r: Array, ties: str) -> Array:
    """Shares of the largest entries, which tie.

    Equal ones are short enough for l2. Extreme points have l1 = 1 and l2 = 1 / r: of the first k = ceil(r^2) entries
    all but the last have the share a, with (k - 1) a^2 + (1 - (k - 1) a)^2 = 1 / r^2.
    """
    if ties not in ("vertex", "random"):
        return largest_entries(covector, ties)
    count = np.maximum(np.ceil(r**2), 1.0)
    a = (1.0 + root(np.maximum(count / r**2 - 1.0, 0.0) / np.maximum(count - 1.0, 1.0), 2)) / count
    tied = np.abs(covector) == largest(covector)
    all_but_one = shared(tied, count - 1.0, ties)
    last = shared(tied, count, ties) - all_but_one
    return np.sign(covector) * (a * all_but_one + (1.0 - (count - 1.0) * a) * last)


def sum_l2_linf(x: _Sorted, r: Array, ties: str) -> Array:
    """(k^2 - r^2 k) t^2 - 2 k P1 t + P1^2 - r^2 T2 = 0, the smaller root."""
    places = np.maximum(np.sum(x.soft_sums**2 < r**2 * (x.places * x.sizes**2 + x.tails)), 1.0)
    sums, _, tails = x.at(places)
    inside = places * r**2 * np.maximum(sums**2 + (places - r**2) * tails, 0.0)
    return x.clipped(ratio(sums**2 - r**2 * tails, places * sums + root(inside, 2)))


def max_l2_linf(x: _Sorted, r: Array, ties: str) -> Array:
    """k t^2 + T2 = r^2 t^2; g itself if no entry is cut, its signs if all are.

    Then zeros of g are free up to l2 = r t: for an extreme point, as many as fit are t, and one is what is left.
    """
    places = np.sum(x.places * x.sizes**2 + x.tails < (r * x.sizes) ** 2) + 0.0
    _, _, tails = x.at(np.maximum(places, 1.0))
    cut = root(tails / np.where(places < r**2, r**2 - places, 1.0), 2)
    zero = x.covector == 0
    free = np.sqrt(shared(zero, np.maximum(r**2 - places, 0.0), ties)) if ties in ("vertex", "random") else 0.0
    direction = np.where(tails > 0, x.clipped(cut), signs(x.covector, ties) * np.where(zero, free, 1.0))
    return np.where(places == 0, x.covector, direction)


def sum_l1_linf(x: _Sorted, r: Array, ties: str) -> Array:
    """The signs of the j largest entries, with the largest P1 / (j + r): an ordered norm of weights r + 1, 1, 1, ..."""
    return best_partial_sum(x.covector, x.sums, x.places + r, ties)


def max_l1_linf(x: _Sorted, r: Array, ties: str) -> Array:
    """The signs of the r largest entries, the last in part."""
    return signs(x.covector, ties) * shares(x.covector, np.clip(r, 1.0, 1.0 * np.size(x.covector)), ties)


DIRECTIONS: dict[tuple[tuple[str, str], str], Callable[[_Sorted, Array, str], Array]] = {
    (("l1", "l2"), "sum"): sum_l1_l2, (("l1", "l2"), "max"): max_l1_l2,
    (("l2", "linf"), "sum"): sum_l2_linf, (("l2", "linf"), "max"): max_l2_linf,
    (("l1", "linf"), "sum"): sum_l1_linf, (("l1", "linf"), "max"): max_l1_linf,
}  # fmt: skip


# --- which pairs of norms they are ----------------------------------------------------------------------------


def of_vectors(first: Norm, second: Norm, how: str) -> Norm | None:
    """The sum or the larger of two multiples of l1, l2 and linf."""
    found = [x for x in (_known(first), _known(second)) if x is not None]
    if len(found) < 2 or how == "hypot":
        return None
    (a, one), (b, two) = sorted(found, key=_place)
    if type(one) is type(two):
        return Scaled(one, a + b if how == "sum" else np.maximum(a, b))
    ties = next(norm.ties for norm in (one, two) if isinstance(norm, (L1, LInf)))
    return Threshold(a, b, (KINDS[type(one)], KINDS[type(two)]), how, ties)


def _place(pair: tuple[Any, Norm]) -> int:
    return list(KINDS).index(type(pair[1]))


def _known(norm: Norm) -> tuple[Any, Norm] | None:
    """A norm as a factor and one of l1, l2 and linf."""
    if isinstance(norm, Scaled):
        found = _known(norm.inner)
        return None if found is None else (norm.factor * found[0], found[1])
    if isinstance(norm, Dual):
        found = _known(norm.inner)
        return None if found is None else (1.0 / found[0], _dual(found[1]))
    return (1.0, norm) if type(norm) in KINDS else None


def _dual(norm: Norm) -> Norm:
    if isinstance(norm, L1):
        return LInf(norm.ties)
    return L1(norm.ties) if isinstance(norm, LInf) else norm


def of_matrices(first: Norm, second: Norm, how: str) -> Norm | None:
    """The same for norms of singular values, of which l2 is one too."""
    one, two = _of_singular_values(first), _of_singular_values(second)
    inner = None if one is None or two is None else of_vectors(one, two, how)
    return None if inner is None else SingularValueNorm(inner)


def _of_singular_values(norm: Norm) -> Norm | None:
    """The norm of singular values that a norm of matrices is."""
    if isinstance(norm, SingularValueNorm):
        return norm.inner
    if isinstance(norm, (Scaled, Dual)):
        inner = _of_singular_values(norm.inner)
        return None if inner is None else attrs.evolve(norm, inner=inner)
    return norm if isinstance(norm, L2) else None


JOINING[:0] = [of_vectors, of_matrices]
