"""How exactly directions are found, where they have to be searched for.

A norm that knows its maximizer is asked for it. One whose dual is found by optimization (see `covector.norms.solve`)
may be asked for less: a v with <g, v> >= (1 - gap) dual_norm(g), beginning with what the last search knew. Steps along
such directions lose a factor (1 - gap)^2 of what the descent lemma promises, and cost a few evaluations of the norm.
"""

from __future__ import annotations

from typing import Any, final

from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.norm import Norm
from covector.norms.solve import WarmStart, warm_maximizer, warm_start
from covector.optimize.momentum import zeros_of
from covector.trees import Tree


@final
@frozen(eq=False)
class Found:
    """A direction of norm 1, a bound of the dual norm from above if that is not <g, direction>, and what to begin with.

    The direction is factor * vector; `fresh` tells whether nobody else has the arrays of the vector.
    """

    factor: Array
    vector: Tree
    upper: Array | None
    search: Any
    fresh: bool


@final
@frozen
class Directions:
    """How far, relative to the dual norm, directions that have to be searched for may be from the best."""

    gap: float = 0.0

    def initial(self, norm: Norm, params: Tree) -> WarmStart | None:
        """What the first search begins with; None if directions are not searched for, or as well as can be."""
        if not self.gap or norm.searched_dual(zeros_of(params)) is None:
            return None
        return warm_start(params)

    def find(self, norm: Norm, covector: Tree, search: WarmStart | None) -> Found:
        """The maximizer of a covector, or one that is nearly one."""
        if search is None:
            factor, vector = norm.as_multiple(covector)
            return Found(factor, vector, None, None, norm.fresh and vector is not covector)
        vector, _, upper, after = warm_maximizer(norm, covector, search, self.gap)
        return Found(1.0, vector, upper, after, True)


def exactness(gap: Any) -> Directions:
    """Directions within a gap. Raises ArgumentError unless it is at least 0 and less than 1."""
    if not 0 <= gap < 1:
        raise ArgumentError(f"lmo_gap must be at least 0 and less than 1; found {gap!r}")
    return Directions(float(gap))
