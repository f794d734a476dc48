"""Norms from what a user has of them: corners or faces of the ball, a projection, a prox, the dual, a maximizer.

| given | derived |
|---|---|
| `from_vertices(points)` | dual_norm(g) = largest abs <a_i, g>, attained at that point |
| `from_facets(rows)` | norm(v) = largest abs <a_i, v> |
| `from_projection(project)` | maximizer(g) = project(t g) for large t |
| `from_prox(prox)` | the projection on the dual ball is x - prox(x, 1) |
| `from_dual(dual_norm)` | maximizer = its gradient |
| `from_maximizer(maximizer)` | dual_norm(g) = <g, maximizer(g)> |

What none of these gives, such as the norm itself for points that span the ball, is searched for.

    >>> square = from_vertices(np.array([[1.0, 1.0], [1.0, -1.0]]))
    >>> square.maximizer(np.array([3.0, 1.0]))
    array([1., 1.])

Derivation for projections: the least |x - t g|^2 over the ball is the largest <g, x> - |x|^2 / (2 t); as t grows its
solution becomes the maximizer of least Euclidean norm, at finite t for polytopes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.norms.define import Defined, define
from covector.norms.layout import combined, doubles, magnitude, pairing, ravel, typed_like
from covector.norms.norm import Norm
from covector.norms.registration import registered
from covector.norms.solve import Bracket, attained
from covector.norms.subspaces import image
from covector.norms.traits import Traits
from covector.norms.vectors import l1
from covector.trees import Tree

FAR, NEAR = 2.0**26, 2.0**13
"""How far from the ball, relative to its size, points are projected: first far, then near, where rounding matters less.

Each projection of x + t g lowers what is missing by a factor that is about 1 / t for a curved ball.
"""


def from_vertices(points: Any, ties: str = "min_norm") -> Norm:
    """The norm whose unit ball is the convex hull of points, the rows of a matrix, and their negatives.

    Raises ArgumentError if the points do not span the space.

    Example:
        >>> float(from_vertices(np.array([[2.0, 0.0], [0.0, 1.0]])).dual_norm(np.array([3.0, 4.0])))
        6.0
    """
    return image(np.transpose(points), l1(ties)).with_ties(ties)


def from_facets(rows: Any, ties: str = "min_norm") -> Norm:
    """The norm whose unit ball is abs(rows @ v) <= 1: the largest of the |entries| of rows @ v.

    Raises ArgumentError if the rows do not span the space, so that the ball is not bounded.

    Example:
        >>> norm = from_facets(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        >>> float(norm.norm(np.array([1.0, 2.0]))), round(float(norm.dual_norm(np.array([1.0, 1.0]))), 9)
        (3.0, 1.0)
    """
    return from_vertices(rows, ties).dual


def from_dual(dual_norm: Callable[[Tree], Any]) -> Defined:
    """The norm with this dual norm, a NumPy function whose gradient is the maximizer.

    Example:
        >>> from_dual(lambda g: np.sum(np.abs(g))).maximizer(np.array([3.0, -4.0]))
        array([ 1., -1.])
    """
    return define(dual_norm=dual_norm)


def from_maximizer(maximizer: Callable[[Tree], Tree]) -> Defined:
    """The norm with this maximizer, a function g -> v with v in the unit ball and <g, v> largest.

    Example:
        >>> from_maximizer(np.sign).dual_norm(np.array([3.0, -4.0]))
        np.float64(7.0)
    """
    return define(maximizer=maximizer)


def from_projection(project: Callable[[Tree], Tree]) -> Projected:
    """The norm whose unit ball is what `project` projects on: a function x -> the nearest point of the ball.

    Directions are exact to about 1e-11, but for the effect of entries of the gradient 1e-8 times smaller than others.

    Example:
        >>> from_projection(lambda x: np.clip(x, -1.0, 1.0)).maximizer(np.array([3.0, 0.0, -4.0]))
        array([ 1.,  0., -1.])
    """
    return Projected(project)


def from_prox(prox: Callable[[Tree, float], Tree]) -> Norm:
    """The norm with this prox, a function (x, t) -> the minimizer of t norm(y) + |y - x|^2 / 2.

    Example:
        >>> norm = from_prox(lambda x, t: np.sign(x) * np.maximum(np.abs(x) - t, 0.0))
        >>> float(norm.norm(np.array([3.0, -4.0])))
        7.0
    """

    def project(vector: Tree) -> Tree:
        return combined((1.0, vector), (-1.0, prox(vector, 1.0)))

    return Projected(project).dual


@registered
@final
@frozen(eq=False)
class Projected(Norm):
    """The norm of a ball on which one can project."""

    given_projection: Callable[[Tree], Tree]
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        return self.searched_primal(vector)[1]

    def dual_norm(self, covector: Tree) -> Array:
        return pairing(covector, self.maximizer(covector))

    def maximizer(self, covector: Tree) -> Tree:
        flat, restore = doubles(covector)
        unit = flat / magnitude(flat)
        size = magnitude(ravel(self.given_projection(restore(FAR * unit)))[0])
        point = np.zeros_like(unit)
        for distance in (FAR, NEAR, NEAR):
            point, _ = ravel(self.given_projection(restore(point + distance * size * unit)))
        return typed_like(covector, restore(np.where(np.any(flat != 0), point, 0.0)))

    def subgradient(self, vector: Tree) -> Tree:
        return self.searched_primal(vector)[0]

    def searched_primal(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self.maximizer, vector, self.ties)

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        flat, restore = ravel(vector)
        near, _ = ravel(self.given_projection(restore(flat / radius)))
        return restore(radius * near)

    @property
    def traits(self) -> Traits:
        return Traits(exact_norm=False)
