"""What is known of a norm beside its values, and what that says of its dual.

    >>> Traits(smooth=True).dual().strictly_convex
    True
    >>> (Traits(smooth=True, absolute=True) & Traits(absolute=True)) == Traits(absolute=True)
    True
"""

from __future__ import annotations

from typing import final

import attrs
from attrs import frozen


@final
@frozen
class Traits:
    """What is known of a norm, for the algorithms that can use it.

    smooth: differentiable away from zero. strictly_convex: the ball has no flat parts, so that directions are
    unique and the dual is smooth. polyhedral: the ball is a polytope. absolute: depends on |entries| only.
    unitarily_invariant: depends on singular values only. exact: the dual norm and the maximizer are known, and not
    searched for; exact_norm: the norm and its subgradient are.
    """

    smooth: bool = False
    strictly_convex: bool = False
    polyhedral: bool = False
    absolute: bool = False
    unitarily_invariant: bool = False
    exact: bool = True
    exact_norm: bool = True

    def dual(self) -> Traits:
        """The traits of the dual norm."""
        return attrs.evolve(
            self, smooth=self.strictly_convex, strictly_convex=self.smooth,
            exact=self.exact_norm, exact_norm=self.exact,
        )  # fmt: skip

    def __and__(self, other: Traits) -> Traits:
        """What holds of both."""
        return Traits(*(a and b for a, b in zip(attrs.astuple(self), attrs.astuple(other), strict=True)))
