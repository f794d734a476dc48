"""Directions of a norm whose dual has no closed form: searched for, exactly or within a gap.

`attained` finds the direction to many digits. An optimizer that takes many steps needs less: `warm_maximizer` finds a
v with <g, v> >= (1 - gap) dual_norm(g), with a proof, from the subgradients of the norm that earlier searches met. They
are kept in a `WarmStart`, a tuple of arrays of fixed shapes, which can be part of an optimizer's state.

    >>> import numpy as np
    >>> from covector.norms.vectors import l1, lp
    >>> norm, g = l1() + lp(3), np.array([3.0, -1.0, 0.5])
    >>> warm = warm_start(g)
    >>> vector, lower, upper, warm = warm_maximizer(norm, g, warm, gap=0.1)
    >>> bool(upper - lower <= 0.1 * upper), bool(abs(norm.norm(vector) - 1.0) < 1e-12)
    (True, True)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
from attrs import field, frozen

from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.bundle import WarmStart, empty_warm_start
from covector.norms.layout import doubles, number_like, ravel, typed_like
from covector.norms.search import search, warm_search
from covector.trees import Tree, TreeDefinition, flatten

if TYPE_CHECKING:
    from covector.norms.norm import Norm

__all__ = ["Bracket", "WarmStart", "attained", "warm_maximizer", "warm_start"]

Bracket = tuple[Tree, Array, Array]
"""A vector of norm 1, and a lower and an upper bound of the dual norm."""

BUDGET = 10
"""How many subgradients a warm search asks for, at most."""


def attained(
    norm: Callable[[Tree], Array], subgradient: Callable[[Tree], Tree], covector: Tree, ties: str = "min_norm"
) -> Bracket:
    """The maximizer of a norm known by its value and subgradient, and the bounds of its dual norm.

    Where there are several maximizers, `ties` says which (see `covector.norms.exposed`). The lower bound is
    differentiated by the envelope theorem, the maximizer implicitly; see `covector.norms.search`.
    """
    flat, restore = doubles(covector)
    vector, lower, upper, _ = search(_flat(norm, subgradient, covector, restore), flat, ties)
    return typed_like(covector, restore(vector)), number_like(covector, lower), number_like(covector, upper)


def warm_start(like: Tree, capacity: int | None = None) -> WarmStart:
    """What the first `warm_maximizer` of covectors like this one begins with.

    Args:
        like: a tree of arrays of the shapes of the covectors.
        capacity: how many subgradients to keep; None is ten times the number of entries up to 400 entries, and 64
            beyond (fewer if they would take more than 32 MB), which are too few to prove upper bounds.

    Example:
        >>> warm_start(np.zeros((2, 2)), capacity=10).atoms.shape
        (10, 4)
    """
    return empty_warm_start(len(ravel(like)[0]), capacity)


def warm_maximizer(
    norm: Norm, gradient: Tree, warm: WarmStart, gap: float, budget: int = BUDGET
) -> tuple[Tree, Array, Array, WarmStart]:
    """A vector v of norm 1 that is nearly best for a gradient, two bounds of the dual norm, and the next warm start.

    Of the directions within the gap it is one near the last: descent along such directions zigzags less, and so takes
    fewer steps than along the best ones.

    Args:
        norm: a norm of which `norm.norm` and `norm.subgradient` are known; of one whose dual is known too (see
            `Traits.exact`) the maximizer is returned.
        gradient: a tree of arrays.
        warm: from `warm_start` or the last call.
        gap: the search ends when lower >= (1 - gap) upper.
        budget: or when it has asked for so many subgradients; the first search asks for two for each entry besides.

    Returns:
        v, the lower bound <gradient, v>, an upper bound (infinite if there are not enough atoms yet to prove one), and
        what to begin the next search with, of the same shapes.

    Raises:
        ArgumentError: gap is not between 0 and 1.
        ShapeMismatchError: the warm start is for another number of entries.

    Law: `lower <= dual_norm(gradient) <= upper`.
    """
    if not 0 < gap < 1:
        raise ArgumentError(f"gap must be between 0 and 1; found {gap!r}")
    if norm.traits.exact:
        vector = norm.maximizer(gradient)
        steepness = norm.dual_norm(gradient)
        return vector, steepness, steepness, warm
    flat, restore = doubles(gradient)
    if np.shape(warm.vector) != np.shape(flat):
        raise ShapeMismatchError(f"the warm start is for {np.size(warm.vector)} entries; the gradient has {len(flat)}")
    function = _flat(norm.norm, norm.some_subgradient, gradient, restore)
    vector, lower, upper, *arrays = warm_search(function, flat, warm, gap, budget)
    bounds = number_like(gradient, lower), number_like(gradient, upper)
    return typed_like(gradient, restore(vector)), *bounds, WarmStart(*arrays)


@final
@frozen
class FlatNorm:
    """A norm and its subgradient as a function of a vector; equal for the same methods of the same norm."""

    norm: Callable[[Tree], Array]
    subgradient: Callable[[Tree], Tree]
    kinds: tuple[ArrayType, ...]
    structure: TreeDefinition
    restore: Callable[[Array], Tree] = field(eq=False)

    def __call__(self, vector: Array) -> Sequence[Array]:
        tree = self.restore(vector)
        return [self.norm(tree), ravel(self.subgradient(tree))[0]]


def _flat(
    norm: Callable[[Tree], Array], subgradient: Callable[[Tree], Tree], like: Tree, restore: Callable[[Array], Tree]
) -> FlatNorm:
    leaves, structure = flatten(like)
    return FlatNorm(norm, subgradient, tuple(typeof(leaf) for leaf in leaves), structure, restore)
