"""Norms of the entries of a tree, taken as one vector: l1, l2, linf and lp.

| norm | dual norm | maximizer |
|---|---|---|
| `l1` | largest abs g | sign of the largest entry, shared at a tie |
| `l2` | l2 | g / l2(g) |
| `linf` | sum abs g | sign(g) |
| `lp(p)` | lq, 1/p + 1/q = 1 | sign(g) (abs g / lq(g))^(q - 1) |

    >>> lp(3).maximizer(np.array([0.0, 0.0]))
    array([0., 0.])
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.layout import magnitude, ratio, ravel, root
from covector.norms.norm import Norm, Traits, tie_policy
from covector.norms.registration import PARAMETER, registered
from covector.trees import Tree


class VectorNorm(Norm):
    """A norm of all entries as one vector; subclasses see vectors whose largest entry is between 1 and 2, or zero."""

    @abstractmethod
    def length(self, vector: Array) -> Array:
        """The norm of a vector."""

    @abstractmethod
    def steepness(self, covector: Array) -> Array:
        """The dual norm of a vector."""

    @abstractmethod
    def steepest(self, covector: Array) -> Array:
        """A maximizer."""

    @abstractmethod
    def slope(self, vector: Array) -> Array:
        """A subgradient."""

    def norm(self, vector: Tree) -> Array:
        return _homogeneous(self.length, vector)

    def dual_norm(self, covector: Tree) -> Array:
        return _homogeneous(self.steepness, covector)

    def maximizer(self, covector: Tree) -> Tree:
        return _scale_free(self.steepest, covector)

    def subgradient(self, vector: Tree) -> Tree:
        return _scale_free(self.slope, vector)


def _homogeneous(function: Callable[[Array], Array], tree: Tree) -> Array:
    vector, _ = ravel(tree)
    unit = magnitude(vector)
    return unit * function(vector / unit)


def _scale_free(function: Callable[[Array], Array], tree: Tree) -> Tree:
    vector, restore = ravel(tree)
    return restore(function(vector / magnitude(vector)))


# --- l1, l2, linf, lp -----------------------------------------------------------------------------------------


def _signs(x: Array, ties: str) -> Array:
    """A maximizer of <x, v> over max |v| <= 1; zeros of x are free."""
    signs = np.sign(x)
    return np.where((signs == 0) & np.any(x != 0), 1.0, signs) if ties == "vertex" else signs


def largest_entries(x: Array, ties: str) -> Array:
    """A maximizer of <x, v> over sum |v| <= 1; the largest entries share it or the first takes it."""
    if np.size(x) == 0:
        return x
    sizes = np.abs(x)
    if ties == "vertex":
        return np.where(np.arange(np.size(x)) == np.argmax(sizes), np.sign(x), 0.0)
    attained = (sizes == np.max(sizes)) & (sizes > 0)
    return np.where(attained, np.sign(x), 0.0) / np.maximum(np.sum(attained), 1)


def largest(x: Array) -> Array:
    """The largest |entry|, zero if there is none."""
    return np.max(np.abs(x)) if np.size(x) else np.zeros(())


@registered
@final
@frozen(eq=False)
class L1(VectorNorm):
    """The sum of |entries|."""

    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        return np.sum(np.abs(vector))

    def steepness(self, covector: Array) -> Array:
        return largest(covector)

    def steepest(self, covector: Array) -> Array:
        return largest_entries(covector, self.ties)

    def slope(self, vector: Array) -> Array:
        return _signs(vector, self.ties)

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, absolute=True)


@registered
@final
@frozen(eq=False)
class LInf(VectorNorm):
    """The largest |entry|."""

    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        return largest(vector)

    def steepness(self, covector: Array) -> Array:
        return np.sum(np.abs(covector))

    def steepest(self, covector: Array) -> Array:
        return _signs(covector, self.ties)

    def slope(self, vector: Array) -> Array:
        return largest_entries(vector, self.ties)

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, absolute=True)


@registered
@final
@frozen(eq=False)
class L2(VectorNorm):
    """The Euclidean norm, its own dual; of a matrix, the Frobenius norm."""

    def length(self, vector: Array) -> Array:
        return root(np.dot(vector, vector), 2)

    def steepness(self, covector: Array) -> Array:
        return self.length(covector)

    def steepest(self, covector: Array) -> Array:
        return ratio(covector, self.length(covector))

    def slope(self, vector: Array) -> Array:
        return self.steepest(vector)

    @property
    def traits(self) -> Traits:
        return Traits(smooth=True, strictly_convex=True, absolute=True, unitarily_invariant=True)


@registered
@final
@frozen(eq=False)
class Lp(VectorNorm):
    """(sum |v|^p)^(1/p) for 1 < p < infinity."""

    p: Any = field(metadata=PARAMETER)

    def length(self, vector: Array) -> Array:
        return root(np.sum(np.abs(vector) ** self.p), self.p)

    def steepness(self, covector: Array) -> Array:
        conjugate = self.p / (self.p - 1.0)
        return root(np.sum(np.abs(covector) ** conjugate), conjugate)

    def steepest(self, covector: Array) -> Array:
        return np.sign(covector) * ratio(np.abs(covector), self.steepness(covector)) ** (1.0 / (self.p - 1.0))

    def slope(self, vector: Array) -> Array:
        return np.sign(vector) * ratio(np.abs(vector), self.length(vector)) ** (self.p - 1.0)

    @property
    def traits(self) -> Traits:
        return Traits(smooth=True, strictly_convex=True, absolute=True)


# --- what users call ------------------------------------------------------------------------------------------


def l1(ties: str = "min_norm") -> L1:
    """The sum of |entries|: steepest descent moves the coordinate of the largest gradient entry.

    Args:
        ties: "min_norm": the largest entries share the step; "vertex": the first takes it.

    Example:
        >>> l1().maximizer(np.array([1.0, -3.0, 2.0]))
        array([ 0., -1.,  0.])
    """
    return L1(tie_policy(ties))


def l2() -> L2:
    """The Euclidean norm: steepest descent is along the gradient.

    Example:
        >>> l2().maximizer(np.array([3.0, 4.0]))
        array([0.6, 0.8])
    """
    return L2()


def linf(ties: str = "min_norm") -> LInf:
    """The largest |entry|: steepest descent moves every coordinate equally far, by the sign of its entry.

    Args:
        ties: a zero entry of the gradient does not move ("min_norm"), or counts as positive ("vertex").

    Example:
        >>> linf().maximizer(np.array([3.0, 0.0, -4.0]))
        array([ 1.,  0., -1.])
    """
    return LInf(tie_policy(ties))


def lp(p: Any) -> Norm:
    """(sum |v|^p)^(1/p), for p at least 1, infinity included; the dual is lq with 1/p + 1/q = 1.

    Raises ArgumentError for p < 1, which is not a norm.

    Example:
        >>> round(float(lp(3).norm(np.array([1.0, 2.0, 3.0]))), 12) == round(36 ** (1 / 3), 12)
        True
    """
    if isinstance(p, Tracer):
        return Lp(p)
    if not p >= 1:
        raise ArgumentError(f"lp needs an exponent of at least 1; found {p!r}, for which it is not a norm")
    special: dict[float, Norm] = {1.0: L1(), 2.0: L2(), np.inf: LInf()}
    return special.get(float(p)) or Lp(float(p))
