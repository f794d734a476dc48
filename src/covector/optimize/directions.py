"""How exactly directions are found, where they have to be searched for.

A norm that knows its maximizer is asked for it. One whose dual is found by optimization (see `covector.norms.solve`)
may be asked for less: a v with <g, v> >= (1 - gap) dual_norm(g), beginning with what the last search knew. Steps along
such directions lose a factor (1 - gap)^2 of what the descent lemma promises, and cost a few evaluations of the norm.

The parts of a tree, and norms within multiples and other coordinates, are searched each for itself. With v_i within
the gap for every part, their lower bounds l_i and upper bounds u_i have l_i >= (1 - gap) u_i, so that for the absolute
outer norm too, outer.dual_norm(l) >= (1 - gap) outer.dual_norm(u).

    >>> from covector.norms import l1, l2, lp, tree
    >>> norm, g = tree({"a": l1() + lp(3), "b": l2()}), {"a": np.array([3.0, -1.0]), "b": np.array([2.0])}
    >>> directions = Directions(gap=0.1)
    >>> found = directions.find(norm, g, directions.initial(norm, g))
    >>> bool(0.9 * found.upper <= pairing(g, found.vector) <= norm.dual_norm(g) <= found.upper)
    True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.calculus import PerLeaf, Product, product
from covector.norms.layout import pairing, ravel, scaled
from covector.norms.norm import Norm, Precomposed, Scaled
from covector.norms.solve import Bracket, WarmStart, warm_maximizer, warm_start
from covector.optimize.arithmetic import check_number
from covector.optimize.state import zeros_of
from covector.trees import Tree, map_leaves, unflatten

Search = Any
"""What searches begin with: a `WarmStart`, a tuple of them for the parts of a tree, None where nothing is searched."""


@final
@frozen(eq=False)
class Found:
    """A direction of norm 1, a bound of the dual norm from above if that is not <g, direction>, and what to begin with.

    The direction is vector / multiple; `fresh` tells whether nobody else has the arrays of the vector.
    """

    multiple: Array
    vector: Tree
    upper: Array | None
    search: Search
    fresh: bool


@final
@frozen
class Directions:
    """How far, relative to the dual norm, directions that have to be searched for may be from the best."""

    gap: float = 0.0

    def initial(self, norm: Norm, params: Tree) -> Search:
        """What the first search begins with; None if directions are not searched for, or as well as can be."""
        return _start(norm, zeros_of(params)) if self.gap else None

    def find(self, norm: Norm, covector: Tree, search: Search, wanted: float = 1.0) -> Found:
        """The maximizer of a covector, or one that is nearly one; a multiple that is wanted if it costs nothing."""
        if search is None:
            multiple, vector = norm.as_multiple(covector, wanted)
            return Found(multiple, vector, None, None, norm.fresh and vector is not covector)
        (vector, _, upper), after = _nearly(norm, covector, search, self.gap)
        return Found(1.0, vector, upper, after, True)


def _start(norm: Norm, zeros: Tree) -> Search:
    if isinstance(norm, Scaled):
        return _start(norm.inner, zeros)
    if isinstance(norm, Precomposed):
        return _start(norm.inner, norm.map.transpose_solve(zeros))
    if isinstance(norm, (Product, PerLeaf)):
        parts = _parts(norm, zeros)
        starts = tuple(_start(part, x) for part, x in zip(parts.parts, _split(parts, zeros), strict=True))
        return None if all(start is None for start in starts) else starts
    return None if norm.searched_dual(zeros) is None else warm_start(zeros)


def _nearly(norm: Norm, covector: Tree, search: Search, gap: float) -> tuple[Bracket, Search]:
    """A vector within the gap, with bounds of the dual norm, and what the next search begins with."""
    if search is None:
        vector = norm.maximizer(covector)
        steepness = pairing(covector, vector)
        return (vector, steepness, steepness), None
    if isinstance(norm, Scaled):
        (vector, lower, upper), after = _nearly(norm.inner, covector, search, gap)
        return (scaled(1.0 / norm.factor, vector), lower / norm.factor, upper / norm.factor), after
    if isinstance(norm, Precomposed):
        (vector, lower, upper), after = _nearly(norm.inner, norm.map.transpose_solve(covector), search, gap)
        return (norm.map.solve(vector), lower, upper), after
    if isinstance(norm, (Product, PerLeaf)):
        return _nearly_in_parts(_parts(norm, covector), covector, search, gap)
    _check_start(search, len(ravel(covector)[0]), "entries")
    vector, lower, upper, after = warm_maximizer(norm, covector, search, gap)
    return (vector, lower, upper), after


def _nearly_in_parts(
    norm: Product, covector: Tree, searches: Sequence[Search], gap: float
) -> tuple[Bracket, Search]:
    _check_start(searches, len(norm.parts), "parts")
    each = zip(norm.parts, _split(norm, covector), searches, strict=True)
    brackets, after = zip(*(_nearly(part, x, search, gap) for part, x, search in each), strict=True)
    vectors, lowers, uppers = zip(*brackets, strict=True)
    lower, upper = np.stack(lowers), np.stack(uppers)
    shares, known = norm.outer.maximizer(lower), np.isfinite(upper)
    vector = unflatten(norm.structure, [scaled(shares[i], v) for i, v in enumerate(vectors)])
    bound = np.where(np.all(known), norm.outer.dual_norm(np.where(known, upper, 0.0)), np.inf)
    return (vector, norm.outer.dual_norm(lower), bound), after


def _check_start(search: Search, wanted: int, of: str) -> None:
    """Raises ShapeMismatchError unless a state's search is for so many "entries", or "parts" of a tree."""
    found = {"entries": len(search.vector)} if isinstance(search, WarmStart) else {"parts": len(search)}
    if found != {of: wanted}:
        ((other, count),) = found.items()
        raise ShapeMismatchError(
            f"state.search is for {count} {other}, but the gradient has {wanted} {of}: begin with init(params)"
        )


def _parts(norm: Product | PerLeaf, like: Tree) -> Product:
    return product(map_leaves(lambda _: norm.inner, like), norm.outer) if isinstance(norm, PerLeaf) else norm


def _split(norm: Product, tree: Tree) -> list[Tree]:
    return norm.structure.flatten_up_to(tree)


def exactness(gap: Any) -> Directions:
    """Directions within a gap. Raises ArgumentError unless it is at least 0 and less than 1."""
    check_number("lmo_gap", gap)
    if not 0 <= gap < 1:
        raise ArgumentError(f"lmo_gap must be at least 0 and less than 1; found {gap!r}")
    return Directions(float(gap))
