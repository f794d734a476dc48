"""Norms of the sorted entries of a tree, taken as one vector; their directions are sparse.

| norm | dual norm | maximizer |
|---|---|---|
| `sparse_sign(k)`: max(linf, l1 / k) | sum of the k largest abs g | signs of the k largest |
| `k_support(k)` | l2 of the k largest abs g | the k largest entries, normalized |
| `owl(w)`: w on the sorted abs v | largest (sum of j largest abs g) / (w_1 + ... + w_j) | signs of those j |

Entries that tie for the last places share them.

    >>> sparse_sign(2).maximizer(np.array([3.0, 1.0, -1.0]))
    array([ 1. ,  0.5, -0.5])
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.layout import ratio, root
from covector.norms.norm import tie_policy
from covector.norms.registration import PARAMETER, registered
from covector.norms.ties import best_partial_sum, descending, entry, largest, largest_entries, shares, signs, steeper
from covector.norms.traits import Traits
from covector.norms.vectors import VectorNorm


@registered
@final
@frozen(eq=False)
class SparseSign(VectorNorm):
    """max(linf, l1 / k), whose unit ball is the convex hull of the vectors of k signs."""

    k: int
    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        return np.maximum(largest(vector), np.sum(np.abs(vector)) / self._places(vector))

    def steepness(self, covector: Array) -> Array:
        return np.sum(descending(covector)[: self.k])

    def steepest(self, covector: Array) -> Array:
        return signs(covector, self.ties) * shares(covector, self._places(covector), self.ties)

    def slope(self, vector: Array) -> Array:
        places = self._places(vector)
        left, right = largest_entries(vector, self.ties), signs(vector, self.ties) / places
        return steeper(largest(vector), np.sum(np.abs(vector)) / places, left, right, self.ties)

    def _places(self, x: Array) -> int:
        return max(min(self.k, np.size(x)), 1)

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, absolute=True)


@registered
@final
@frozen(eq=False)
class KSupport(VectorNorm):
    """The norm whose unit ball is the convex hull of the k-sparse vectors in the Euclidean ball.

    Source: A. Argyriou, R. Foygel and N. Srebro, Sparse prediction with the k-support norm (2012), proposition 2.1.
    """

    k: int
    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        head, share, places = self._split(vector)
        sizes = descending(vector)
        kept = np.arange(np.size(vector)) < head
        return root(np.sum(np.where(kept, sizes, 0.0) ** 2) + places * share**2, 2)

    def steepness(self, covector: Array) -> Array:
        return root(np.sum(descending(covector)[: self.k] ** 2), 2)

    def steepest(self, covector: Array) -> Array:
        return ratio(covector * shares(covector, self._places(covector), self.ties), self.steepness(covector))

    def slope(self, vector: Array) -> Array:
        _, share, _ = self._split(vector)
        return ratio(np.sign(vector) * np.maximum(np.abs(vector), share), self.length(vector))

    def _places(self, x: Array) -> int:
        return max(min(self.k, np.size(x)), 1)

    def _split(self, vector: Array) -> tuple[Array, Array, Array]:
        """How many of the largest entries stand alone, and the mean share of the others in the places left."""
        sizes = descending(vector)
        places = np.arange(self._places(vector), 0, -1)
        tails = np.flip(np.cumsum(np.flip(sizes)))[: len(places)]
        head = np.argmax(sizes[: len(places)] <= tails / places)
        return head, entry(tails / places, head), entry(places, head)

    @property
    def traits(self) -> Traits:
        return Traits(absolute=True)


@registered
@final
@frozen(eq=False)
class OrderedL1(VectorNorm):
    """Ordered weighted l1 (OWL, SLOPE): the sum of w_i times the i-th largest |entry|, w decreasing and w_1 > 0.

    Source: M. Bogdan et al., SLOPE (2015); X. Zeng and M. Figueiredo, The ordered weighted l1 norm (2014).
    """

    weights: Any = field(metadata=PARAMETER)
    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        return np.dot(self._weights(vector), descending(vector))

    def steepness(self, covector: Array) -> Array:
        return np.max(np.cumsum(descending(covector)) / np.cumsum(self._weights(covector)))

    def steepest(self, covector: Array) -> Array:
        return best_partial_sum(
            covector, np.cumsum(descending(covector)), np.cumsum(self._weights(covector)), self.ties
        )

    def slope(self, vector: Array) -> Array:
        """Entries that tie share the weights of their places."""
        sizes = np.abs(vector)
        ascending = np.sort(sizes)
        above = np.size(vector) - np.searchsorted(ascending, sizes, side="right")
        until = np.size(vector) - np.searchsorted(ascending, sizes, side="left")
        totals = np.concatenate([np.zeros(1), np.cumsum(self._weights(vector))])
        return np.sign(vector) * (entry(totals, until) - entry(totals, above)) / (until - above)

    def _weights(self, x: Array) -> Array:
        if np.size(self.weights) != np.size(x):
            raise ShapeMismatchError(f"owl has {np.size(self.weights)} weights; the vector has {np.size(x)} entries")
        return self.weights

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, absolute=True)


# --- what users call ------------------------------------------------------------------------------------------


def sparse_sign(k: int, ties: str = "min_norm") -> SparseSign:
    """max(linf, l1 / k): steepest descent takes the signs of the k largest gradient entries; k = 1 is l1.

    Example:
        >>> sparse_sign(2).maximizer(np.array([1.0, -3.0, 2.0]))
        array([ 0., -1.,  1.])
    """
    return SparseSign(_count(k), tie_policy(ties))


def k_support(k: int, ties: str = "min_norm") -> KSupport:
    """The norm whose dual is the Euclidean norm of the k largest entries; k = 1 is l1.

    Example:
        >>> k_support(2).maximizer(np.array([1.0, -3.0, 4.0]))
        array([ 0. , -0.6,  0.8])
    """
    return KSupport(_count(k), tie_policy(ties))


def owl(weights: Any, ties: str = "min_norm") -> OrderedL1:
    """The sum of weights[i] times the i-th largest |entry|.

    Raises ArgumentError unless the weights decrease, are not negative, and the first is positive.

    Example:
        >>> float(owl(np.array([2.0, 1.0])).norm(np.array([1.0, -3.0])))
        7.0
    """
    if isinstance(weights, Tracer):
        return OrderedL1(weights, tie_policy(ties))
    weights = np.asarray(weights, dtype=float)
    fits = weights.ndim == 1 and weights.size and np.all(np.isfinite(weights))
    if not fits or np.any(np.diff(weights) > 0) or weights[-1] < 0 or weights[0] <= 0:
        raise ArgumentError(f"owl needs a vector of weights w_1 >= w_2 >= ... >= 0 with w_1 > 0; found {weights!r}")
    return OrderedL1(weights, tie_policy(ties))


def oscar(size: int, slope: Any = 1.0) -> OrderedL1:
    """OSCAR for vectors of `size` entries: weights 1 + slope * (size - i), which makes equal entries attractive.

    Source: H. Bondell and B. Reich, Simultaneous regression shrinkage, ... with OSCAR (2008).
    """
    return owl(1.0 + slope * np.arange(_count(size, "size") - 1, -1, -1))


def _count(k: Any, name: str = "k") -> int:
    if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
        raise ArgumentError(f"{name} must be a positive integer; found {k!r}")
    return int(k)
