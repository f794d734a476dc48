r"""Two norms of one variable: sums, maxima, and what is dual to them.

| made by | norm of v | dual norm of g | maximizer |
|---|---|---|---|
| `minkowski(N1, N2)` | inf over v = a + b of max(N1(a), N2(b)) | N1*(g) + N2*(g) | vmax1(g) + vmax2(g) |
| `infimal_convolution(N1, N2)` | inf over v = a + b of N1(a) + N2(b) | max(N1*(g), N2*(g)) | the steeper of the two |
| `N1 + N2` | N1(v) + N2(v) | inf over g = a + b of max(N1*(a), N2*(b)) | searched for |
| `N1 \| N2` | max(N1(v), N2(v)) | inf over g = a + b of N1*(a) + N2*(b) | searched for |
| `hypot(N1, N2)` | sqrt(N1(v)^2 + N2(v)^2) | sqrt(inf over g = a + b of N1*(a)^2 + N2*(b)^2) | searched for |

The unit ball of `minkowski` is the sum of the two balls, that of `infimal_convolution` the convex hull of their union.
What is searched for has a closed form for some pairs, such as l1 and l2: see `covector.norms.thresholds`.

    >>> from covector.norms.vectors import l2, linf
    >>> minkowski(l2(), linf()).maximizer(np.array([3.0, 4.0]))
    array([1.6, 1.8])
"""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.types import Array
from covector.norms.layout import combined, ratio, ravel
from covector.norms.norm import JOINING, Norm, joined
from covector.norms.registration import PARAMETER, registered
from covector.norms.solve import Bracket, attained
from covector.norms.tied import settled
from covector.norms.ties import TIED, share_of_hull
from covector.norms.traits import Traits
from covector.trees import Tree


@registered
@final
@frozen(eq=False)
class Minkowski(Norm):
    """The norm whose unit ball is the sum of two unit balls; its dual is the sum of the two duals."""

    first: Norm = field(metadata=PARAMETER)
    second: Norm = field(metadata=PARAMETER)
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        return self.searched_primal(vector)[1]

    def dual_norm(self, covector: Tree) -> Array:
        return self.first.dual_norm(covector) + self.second.dual_norm(covector)

    def maximizer(self, covector: Tree) -> Tree:
        found = combined((1.0, self.first.maximizer(covector)), (1.0, self.second.maximizer(covector)))
        single = self.first.single(covector) & self.second.single(covector)
        return settled(self.dual_norm, self.some_maximizer, covector, found, self.ties, single)

    def dual_bound(self, covector: Tree) -> Array:
        return self.first.dual_bound(covector) + self.second.dual_bound(covector)

    def subgradient(self, vector: Tree) -> Tree:
        return self.searched_primal(vector)[0]

    def searched_primal(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self.some_maximizer, vector, self.ties)

    @property
    def traits(self) -> Traits:
        one, two = self.first.traits, self.second.traits
        smooth = one.smooth or two.smooth
        return attrs.evolve(one & two, smooth=smooth, exact_norm=False)


@registered
@final
@frozen(eq=False)
class InfimalConvolution(Norm):
    """The norm whose unit ball is the convex hull of two unit balls; its dual is the larger of the two duals."""

    first: Norm = field(metadata=PARAMETER)
    second: Norm = field(metadata=PARAMETER)
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        return self.searched_primal(vector)[1]

    def dual_norm(self, covector: Tree) -> Array:
        return np.maximum(self.first.dual_norm(covector), self.second.dual_norm(covector))

    def maximizer(self, covector: Tree) -> Tree:
        one, two = self.first.dual_norm(covector), self.second.dual_norm(covector)
        single = ~(abs(one - two) <= TIED * (one + two))
        found = self._steeper(covector, one, two)
        return settled(self.dual_norm, self.some_maximizer, covector, found, self.ties, single)

    def _steeper(self, covector: Tree, one: Array, two: Array) -> Tree:
        """The maximizer of the steeper norm, or of both."""
        left, right = self.first.maximizer(covector), self.second.maximizer(covector)
        tied = share_of_hull(ravel(left)[0], ravel(right)[0], self.ties)
        share = np.where(one > two, 1.0, np.where(one == two, tied, 0.0))
        return combined((share, left), (1.0 - share, right))

    def dual_bound(self, covector: Tree) -> Array:
        return np.maximum(self.first.dual_bound(covector), self.second.dual_bound(covector))

    def subgradient(self, vector: Tree) -> Tree:
        return self.searched_primal(vector)[0]

    def searched_primal(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self.some_maximizer, vector, self.ties)

    @property
    def traits(self) -> Traits:
        both = self.first.traits & self.second.traits
        return attrs.evolve(both, strictly_convex=False, smooth=False, exact_norm=False)


@registered
@final
@frozen(eq=False)
class Hypot(Norm):
    """sqrt(N1(v)^2 + N2(v)^2) of one variable; its dual is searched for."""

    first: Norm = field(metadata=PARAMETER)
    second: Norm = field(metadata=PARAMETER)
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        return np.hypot(self.first.norm(vector), self.second.norm(vector))

    def dual_norm(self, covector: Tree) -> Array:
        return self.searched_dual(covector)[1]

    def maximizer(self, covector: Tree) -> Tree:
        return self.searched_dual(covector)[0]

    def subgradient(self, vector: Tree) -> Tree:
        one, two = self.first.norm(vector), self.second.norm(vector)
        both = np.hypot(one, two)
        left, right = self.first.subgradient(vector), self.second.subgradient(vector)
        return combined((ratio(one, both), left), (ratio(two, both), right))

    def searched_dual(self, covector: Tree) -> Bracket:
        return attained(self.norm, self.some_subgradient, covector, self.ties)

    def bound(self, vector: Tree) -> Array:
        return np.hypot(self.first.bound(vector), self.second.bound(vector))

    @property
    def traits(self) -> Traits:
        one, two = self.first.traits, self.second.traits
        return attrs.evolve(
            one & two, strictly_convex=one.strictly_convex or two.strictly_convex, polyhedral=False, exact=False
        )


# --- what users call ------------------------------------------------------------------------------------------


def general(first: Norm, second: Norm, how: str) -> Norm:
    """The "sum", the larger ("max") or the "hypot" of any two norms."""
    if how == "hypot":
        return Hypot(first, second)
    kind: Any = Minkowski if how == "sum" else InfimalConvolution
    dual: Norm = kind(first.dual, second.dual)
    return dual.dual


JOINING.append(general)


def minkowski(first: Norm, second: Norm) -> Norm:
    """The norm whose unit ball is the sum of two unit balls: its directions add up.

    Law: `minkowski(N1, N2) = (N1.dual + N2.dual).dual`.

    Example:
        >>> from covector.norms.vectors import l2, linf
        >>> minkowski(l2(), linf()).maximizer(np.array([3.0, 4.0]))
        array([1.6, 1.8])
    """
    return joined(first.dual, second.dual, "sum").dual


def infimal_convolution(first: Norm, second: Norm) -> Norm:
    """The norm whose unit ball is the convex hull of two unit balls: its direction is the steeper of the two.

    Law: `infimal_convolution(N1, N2) = (N1.dual | N2.dual).dual`.

    Example:
        >>> from covector.norms.vectors import l1, l2
        >>> infimal_convolution(2 * l1(), 3 * l2()).maximizer(np.array([3.0, 4.0]))
        array([0. , 0.5])
    """
    return joined(first.dual, second.dual, "max").dual


def hypot(first: Norm, second: Norm) -> Norm:
    """sqrt(N1^2 + N2^2); of two quadratic norms the quadratic norm of the sum of their matrices.

    Example:
        >>> from covector.norms.quadratic import quadratic
        >>> both = hypot(quadratic(np.diag([1.0, 4.0])), quadratic(np.diag([8.0, 5.0])))
        >>> both.duality_map(np.array([9.0, 9.0])).round(12)
        array([1., 1.])
    """
    return joined(first, second, "hypot")
