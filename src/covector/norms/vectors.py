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
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, MissingRuleError
from covector.norms.l1_ball import nearest_in_l1
from covector.norms.layout import magnitude, moderate, number_like, ratio, ravel, root
from covector.norms.norm import DUALS, Norm, tie_policy
from covector.norms.registration import PARAMETER, registered
from covector.norms.ties import TIED, has_sign_bits, largest, largest_entries, largest_entries_by, signs, signs_times
from covector.norms.traits import Traits
from covector.trees import Tree, flatten, unflatten


class VectorNorm(Norm):
    """A norm of all entries as one vector; subclasses see vectors whose largest entry is between 1 and 2, or zero.

    That takes two passes over memory, which subclasses can do without: `largest_power` says of which powers of entries
    they take sums (None is any power), `directions_compare` that their directions only compare entries.
    """

    fresh = True
    largest_power: ClassVar[int | None] = None
    directions_compare: ClassVar[bool] = False

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
        return self._homogeneous(self.length, vector)

    def dual_norm(self, covector: Tree) -> Array:
        return self._homogeneous(self.steepness, covector)

    def maximizer(self, covector: Tree) -> Tree:
        return self._scale_free(self.steepest, covector)

    def subgradient(self, vector: Tree) -> Tree:
        return self._scale_free(self.slope, vector)

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        flat, restore = ravel(vector)
        return restore(self.nearest(flat, radius))

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        flat, restore = ravel(covector)
        return restore(self.nearest_dual(flat, radius))

    def nearest(self, vector: Array, radius: Any) -> Array:
        """The projection of a vector on the ball, if it is known."""
        raise MissingRuleError(f"the projection on the ball of {type(self).__name__} is not known")

    def nearest_dual(self, covector: Array, radius: Any) -> Array:
        """The same for the dual ball."""
        raise MissingRuleError(f"the projection on the dual ball of {type(self).__name__} is not known")

    def _homogeneous(self, function: Callable[[Array], Array], tree: Tree) -> Array:
        vector, _ = ravel(tree)
        if typeof(vector).size == 0:
            return np.sum(vector)
        if self._moderate(vector):
            return number_like(vector, function(vector))
        unit = magnitude(vector)
        return number_like(vector, unit * function(vector / unit))

    def _scale_free(self, function: Callable[[Array], Array], tree: Tree) -> Tree:
        vector, restore = ravel(tree)
        if typeof(vector).size == 0:
            return restore(vector)
        if self.directions_compare or self._moderate(vector):
            return restore(function(vector))
        return restore(function(vector / magnitude(vector)))

    def _moderate(self, vector: Array) -> bool:
        """Whether the sums that are taken can neither overflow nor lose digits to underflow as the entries are."""
        if self.largest_power is None or isinstance(vector, Tracer):
            return False
        with np.errstate(over="ignore", under="ignore"):
            square = np.dot(vector, vector)
        return moderate(square)


def _entries_of(tree: Callable[[], Tree]) -> Array:
    return ravel(tree())[0]


# --- l1, l2, linf, lp -----------------------------------------------------------------------------------------


@registered
@final
@frozen(eq=False)
class L1(VectorNorm):
    """The sum of |entries|."""

    largest_power = 1
    directions_compare = True

    ties: str = "min_norm"

    def length(self, vector: Array) -> Array:
        return np.sum(np.abs(vector))

    def steepness(self, covector: Array) -> Array:
        return largest(covector)

    def steepest(self, covector: Array) -> Array:
        return largest_entries(covector, self.ties)

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        if self.ties != "min_norm":
            return self.maximizer(covector)
        flat, restore = ravel(covector)
        return restore(largest_entries_by(partial(_entries_of, scales), flat))

    def single(self, covector: Tree) -> Any:
        sizes = np.abs(ravel(covector)[0])
        return np.sum(sizes >= (1.0 - TIED) * np.max(sizes, initial=0.0)) == 1

    def slope(self, vector: Array) -> Array:
        return signs(vector, self.ties)

    def nearest(self, vector: Array, radius: Any) -> Array:
        return nearest_in_l1(vector, radius)

    def nearest_dual(self, covector: Array, radius: Any) -> Array:
        return np.clip(covector, -radius, radius)

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, absolute=True)


@registered
@final
@frozen(eq=False)
class LInf(VectorNorm):
    """The largest |entry|."""

    largest_power = 1
    directions_compare = True

    ties: str = "min_norm"

    def as_multiple(self, covector: Tree, wanted: float = 1.0) -> tuple[Array, Tree]:
        """The multiple that is wanted, made from the bits of the signs."""
        leaves, structure = flatten(covector)
        if self.ties in ("min_norm", "split") and all(has_sign_bits(x) for x in leaves):
            return wanted, unflatten(structure, [signs_times(x, wanted) for x in leaves])
        return 1.0, self.maximizer(covector)

    def length(self, vector: Array) -> Array:
        return largest(vector)

    def steepness(self, covector: Array) -> Array:
        return np.sum(np.abs(covector))

    def steepest(self, covector: Array) -> Array:
        return signs(covector, self.ties)

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        return self.maximizer(covector)

    def single(self, covector: Tree) -> Any:
        sizes = np.abs(ravel(covector)[0])
        return np.min(sizes, initial=np.inf) > TIED * np.max(sizes, initial=0.0)

    def slope(self, vector: Array) -> Array:
        return largest_entries(vector, self.ties)

    def nearest(self, vector: Array, radius: Any) -> Array:
        return np.clip(vector, -radius, radius)

    def nearest_dual(self, covector: Array, radius: Any) -> Array:
        return nearest_in_l1(covector, radius)

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, absolute=True)


@registered
@final
@frozen(eq=False)
class L2(VectorNorm):
    """The Euclidean norm, its own dual; of a matrix, the Frobenius norm."""

    largest_power = 2

    def as_multiple(self, covector: Tree, wanted: float = 1.0) -> tuple[Array, Tree]:
        """The covector itself, which is its length times the maximizer; without another pass over memory."""
        leaves = flatten(covector)[0]
        if leaves and all(not isinstance(x, Tracer) and typeof(x).dtype.kind == "f" for x in leaves):
            with np.errstate(over="ignore", under="ignore"):
                square = sum(np.dot(flat, flat) for flat in (np.reshape(x, -1) for x in leaves))
            if moderate(square):
                return np.sqrt(square), covector
        return 1.0, self.maximizer(covector)

    def length(self, vector: Array) -> Array:
        return root(np.dot(vector, vector), 2)

    def steepness(self, covector: Array) -> Array:
        return self.length(covector)

    def steepest(self, covector: Array) -> Array:
        return ratio(covector, self.length(covector))

    def slope(self, vector: Array) -> Array:
        return self.steepest(vector)

    def nearest(self, vector: Array, radius: Any) -> Array:
        unit = magnitude(vector)
        length = unit * self.length(vector / unit)
        return np.where(length > radius, radius * self.steepest(vector / unit), vector)

    def nearest_dual(self, covector: Array, radius: Any) -> Array:
        return self.nearest(covector, radius)

    @property
    def traits(self) -> Traits:
        return Traits(smooth=True, strictly_convex=True, absolute=True, unitarily_invariant=True)


def _dual_of_l1(norm: L1) -> LInf:
    return LInf(norm.ties)


def _dual_of_linf(norm: LInf) -> L1:
    return L1(norm.ties)


def _dual_of_l2(norm: L2) -> L2:
    return norm


DUALS.update({L1: _dual_of_l1, LInf: _dual_of_linf, L2: _dual_of_l2})


@registered
@final
@frozen(eq=False)
class RMS(VectorNorm):
    """The root of the mean square of the entries: l2 over the root of their number."""

    def length(self, vector: Array) -> Array:
        return L2().length(vector) / _root_of_size(vector)

    def steepness(self, covector: Array) -> Array:
        return L2().length(covector) * _root_of_size(covector)

    def steepest(self, covector: Array) -> Array:
        return L2().steepest(covector) * _root_of_size(covector)

    def slope(self, vector: Array) -> Array:
        return L2().steepest(vector) / _root_of_size(vector)

    def nearest(self, vector: Array, radius: Any) -> Array:
        return L2().nearest(vector, radius * _root_of_size(vector))

    def nearest_dual(self, covector: Array, radius: Any) -> Array:
        return L2().nearest(covector, radius / _root_of_size(covector))

    @property
    def traits(self) -> Traits:
        return Traits(smooth=True, strictly_convex=True, absolute=True, unitarily_invariant=True)


def _root_of_size(x: Array) -> float:
    return float(np.sqrt(max(np.size(x), 1)))


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


def rms() -> RMS:
    """The root of the mean square of the entries, which does not depend on how many there are.

    Example:
        >>> float(rms().norm(np.array([3.0, -3.0, 3.0, 3.0])))
        3.0
    """
    return RMS()


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
    return of_exponent(p, "lp")


def of_exponent(p: Any, name: str) -> Norm:
    """lp, for the function of this name."""
    if isinstance(p, Tracer):
        return Lp(p)
    if not isinstance(p, (int, float, np.integer, np.floating)) or isinstance(p, bool) or not p >= 1:
        raise ArgumentError(f"{name} needs an exponent of at least 1; found {p!r}, for which it is not a norm")
    special: dict[float, Norm] = {1.0: L1(), 2.0: L2(), np.inf: LInf()}
    return special.get(float(p)) or Lp(float(p))
