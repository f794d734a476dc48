"""Images, restrictions and quotients of norms.

| made by | norm of v | dual norm of g |
|---|---|---|
| `image(A, N)`, A onto | least N(u) with A u = v | N*(A^T g) |
| `restrict(N, S)` | N(v), for v in the subspace S | least N*(g + z) over z orthogonal to S |
| `quotient(N, Z)` | least N(v + z) over z in Z | N*(g), for g orthogonal to Z |

The dual of a restriction is a quotient of the dual, by the orthogonal complement. What is a least value is searched
for, in coordinates of the subspace, with one exception: if the orthogonal projection P onto S does not lengthen any
vector, N(P v) <= N(v), then `P vmax(P g)` is the maximizer. That holds for coordinates set to zero and a norm that is
absolute, and for symmetric matrices and a norm of singular values.

    >>> from covector.norms.vectors import l1, linf
    >>> restrict(linf(), np.array([True, False, True])).maximizer(np.array([3.0, 4.0, -1.0]))
    array([ 1.,  0., -1.])
    >>> float(restrict(l1(), np.array([[1.0, 1.0]])).dual_norm(np.array([3.0, 1.0])))     # multiples of (1, 1)
    2.0
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.layout import doubles, number_like, ravel, typed_like
from covector.norms.norm import Norm
from covector.norms.registration import PARAMETER, registered
from covector.norms.solve import Bracket, attained
from covector.norms.tied import settled
from covector.norms.ties import TIED
from covector.norms.traits import Traits
from covector.norms.vectors import L1
from covector.trees import Tree, map_leaves

OUTSIDE = 1e-9
"""How far from a subspace a vector may be, relative to its length, to count as in it."""


# --- images ---------------------------------------------------------------------------------------------------


@registered
@final
@frozen(eq=False)
class Image(Norm):
    """The norm whose unit ball is the image of a unit ball under a matrix with independent rows."""

    matrix: Any = field(metadata=PARAMETER)
    inner: Norm = field(metadata=PARAMETER)
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        return self.searched_primal(vector)[1]

    def dual_norm(self, covector: Tree) -> Array:
        return number_like(covector, self.inner.dual_norm(self._above(covector)))

    def maximizer(self, covector: Tree) -> Tree:
        corner = self._only_corner(covector)
        if corner is not None:
            return typed_like(covector, corner)
        found = typed_like(covector, self.matrix @ self.inner.maximizer(self._above(covector)))
        if self.inner.traits.strictly_convex:
            return found
        return settled(self.dual_norm, self.some_maximizer, covector, found, self.ties)

    def _only_corner(self, covector: Tree) -> Array | None:
        """The maximizer, if the ball is the hull of points, and one of them is better than all others."""
        if type(self.inner) is not L1 or isinstance(covector, Tracer) or isinstance(self.matrix, Tracer):
            return None
        products = self._above(covector)
        sizes = np.abs(products)
        best = int(np.argmax(sizes))
        if np.count_nonzero(sizes >= (1.0 - TIED) * sizes[best]) != 1:
            return None
        corner: Array = np.sign(products[best]) * self.matrix[:, best]
        return corner

    def subgradient(self, vector: Tree) -> Tree:
        return self.searched_primal(vector)[0]

    def searched_primal(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self.some_maximizer, vector, self.ties)

    def dual_bound(self, covector: Tree) -> Array:
        return self.inner.dual_bound(self._above(covector))

    def _above(self, covector: Tree) -> Array:
        """A^T g, the covector of the space that is mapped from."""
        if np.shape(covector) != np.shape(self.matrix)[:1]:
            entries = np.shape(self.matrix)[0]
            raise ShapeMismatchError(f"the ball is of {entries} entries; the array has shape {np.shape(covector)}")
        return np.transpose(self.matrix) @ covector

    @property
    def traits(self) -> Traits:
        inner = self.inner.traits
        return attrs.evolve(inner, absolute=False, unitarily_invariant=False, exact_norm=False)


def image(matrix: Any, norm: Norm) -> Image:
    """The least norm(u) with matrix @ u = v: the norm whose unit ball is the image of the ball of `norm`.

    Raises ArgumentError for a matrix whose rows are dependent, so that some v are not reached.

    Law: `image(A, N).dual_norm(g) = N.dual_norm(A.T @ g)`.

    Example:
        >>> from covector.norms.vectors import l1
        >>> corners = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 2.0]])
        >>> image(corners, l1()).maximizer(np.array([1.0, 1.0]))
        array([2., 2.])
    """
    if isinstance(matrix, Tracer):
        return Image(matrix, norm)
    matrix = np.asarray(matrix, dtype=float)
    rank = np.linalg.matrix_rank(matrix) if matrix.ndim == 2 and np.all(np.isfinite(matrix)) else 0
    if matrix.ndim != 2 or rank < len(matrix):
        raise ArgumentError(f"image needs a matrix with independent rows; found shape {matrix.shape} of rank {rank}")
    return Image(matrix, norm)


# --- subspaces ------------------------------------------------------------------------------------------------


class Subspace(ABC):
    """A linear subspace of arrays, with coordinates in which the Euclidean distance is the same."""

    @abstractmethod
    def coordinates(self, vector: Tree) -> Array:
        """The coordinates of the orthogonal projection of a vector."""

    @abstractmethod
    def point(self, coordinates: Array, like: Tree) -> Tree:
        """The vector with these coordinates, in the form of another."""

    @abstractmethod
    def contracts(self, norm: Norm) -> bool:
        """Whether the orthogonal projection is known not to lengthen any vector."""


@registered
@final
@frozen(eq=False)
class Span(Subspace):
    """The combinations of orthonormal rows."""

    rows: Any = field(metadata=PARAMETER)

    def coordinates(self, vector: Tree) -> Array:
        flat, _ = ravel(vector)
        if typeof(flat).shape[0] != self.rows.shape[1]:
            raise ShapeMismatchError(f"the subspace is of {self.rows.shape[1]} entries; the vector has {flat.shape[0]}")
        return self.rows @ flat

    def point(self, coordinates: Array, like: Tree) -> Tree:
        return ravel(like)[1](np.transpose(self.rows) @ coordinates)

    def contracts(self, norm: Norm) -> bool:
        return False


@registered
@final
@frozen(eq=False)
class Coordinates(Subspace):
    """The arrays that are zero where a mask is false."""

    kept: tuple[int, ...]
    size: int

    def coordinates(self, vector: Tree) -> Array:
        flat, _ = ravel(vector)
        if typeof(flat).shape[0] != self.size:
            raise ShapeMismatchError(f"the mask has {self.size} entries; the vector has {flat.shape[0]}")
        return np.take(flat, np.array(self.kept, int))

    def point(self, coordinates: Array, like: Tree) -> Tree:
        places = np.full(self.size, len(self.kept))      # that of the zero behind the coordinates
        places[np.array(self.kept, int)] = np.arange(len(self.kept))
        return ravel(like)[1](np.take(np.concatenate([coordinates, np.zeros(1)]), places))

    def contracts(self, norm: Norm) -> bool:
        return norm.traits.absolute


@registered
@final
@frozen(eq=False)
class Symmetric(Subspace):
    """Symmetric matrices: coordinates are the diagonal, and sqrt(2) times what is above it."""

    def coordinates(self, vector: Tree) -> Array:
        size = self._size(vector)
        rows, columns = np.triu_indices(size)
        flat = np.reshape((vector + np.transpose(vector)) / 2, -1)
        return np.where(rows == columns, 1.0, np.sqrt(2.0)) * np.take(flat, rows * size + columns)

    def point(self, coordinates: Array, like: Tree) -> Tree:
        size = self._size(like)
        rows, columns = np.triu_indices(size)
        places = np.zeros((size, size), int)
        places[rows, columns] = places[columns, rows] = np.arange(len(rows))
        scales = np.where(np.eye(size) > 0, 1.0, np.sqrt(0.5))
        return scales * np.reshape(np.take(coordinates, places.ravel()), (size, size))

    def contracts(self, norm: Norm) -> bool:
        return norm.traits.unitarily_invariant

    def _size(self, vector: Tree) -> int:
        shape = np.shape(vector)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ShapeMismatchError(f"a symmetric matrix is square; found shape {shape}")
        return int(shape[0])


@registered
@final
@frozen(eq=False)
class Restricted(Norm):
    """A norm on a subspace; gradients count by what they are on it."""

    inner: Norm = field(metadata=PARAMETER)
    subspace: Subspace = field(metadata=PARAMETER)
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        return self.inner.norm(self._inside(vector))

    def dual_norm(self, covector: Tree) -> Array:
        if self.closed:
            return self.inner.dual_norm(self.projected(covector))
        return self.searched(covector)[1]

    def maximizer(self, covector: Tree) -> Tree:
        if self.closed:
            return self.projected(self.inner.maximizer(self.projected(covector)))
        return self.searched(covector)[0]

    def subgradient(self, vector: Tree) -> Tree:
        return self.projected(self.inner.subgradient(self._inside(vector)))

    def searched_dual(self, covector: Tree) -> Bracket | None:
        return None if self.closed else self.searched(covector)

    def searched(self, covector: Tree) -> Bracket:
        """By optimization over the coordinates, in double precision."""
        flat, restore = doubles(covector)
        like = restore(flat)

        def length(x: Array) -> Array:
            return self.inner.norm(self.subspace.point(x, like))

        def slope(x: Array) -> Array:
            return self.subspace.coordinates(self.inner.some_subgradient(self.subspace.point(x, like)))

        vector, lower, upper = attained(length, slope, self.subspace.coordinates(like), self.ties)
        point = self.subspace.point(vector, covector)
        return point, number_like(covector, lower), number_like(covector, upper)

    @property
    def closed(self) -> bool:
        """Whether the dual norm has a closed form."""
        return self.subspace.contracts(self.inner) and self.inner.traits.exact

    def projected(self, vector: Tree) -> Tree:
        """The nearest point of the subspace."""
        return self.subspace.point(self.subspace.coordinates(vector), vector)

    def _inside(self, vector: Tree) -> Tree:
        """The vector, if it is in the subspace. Traced ones are taken on trust, as their projections."""
        inside = self.projected(vector)
        flat, rest = ravel(vector)[0], ravel(map_leaves(np.subtract, vector, inside))[0]
        if not isinstance(rest, Tracer) and np.max(np.abs(rest), initial=0) > OUTSIDE * np.max(np.abs(flat), initial=0):
            raise ArgumentError(
                f"a restricted norm measures vectors of its subspace; this one is {np.linalg.norm(rest):.3g} away from "
                f"it, of a length of {np.linalg.norm(flat):.3g}"
            )
        return inside

    @property
    def traits(self) -> Traits:
        return attrs.evolve(self.inner.traits, absolute=False, unitarily_invariant=False, exact=self.closed)


def restrict(norm: Norm, subspace: Any) -> Restricted:
    """The norm on a subspace: steps stay in it, and the gradient counts by what it is there.

    Args:
        norm: the norm of the whole space.
        subspace: "symmetric" (matrices), a mask of booleans (entries where it is false stay zero), or a matrix whose
            rows span it.

    Raises:
        ArgumentError: the subspace is not one of those; later, a vector is measured that is not in it.

    Law: `restrict(N, S).dual_norm(g) <= N.dual_norm(g + z)` for all z orthogonal to S, with equality for one.

    Example:
        >>> from covector.norms.matrices import spectral
        >>> restrict(spectral(), "symmetric").maximizer(np.array([[1.0, 4.0], [0.0, -3.0]])).round(6)
        array([[ 0.707107,  0.707107],
               [ 0.707107, -0.707107]])
    """
    if isinstance(subspace, str) and subspace == "symmetric":
        return Restricted(norm, Symmetric())
    if not isinstance(subspace, Tracer):
        subspace = np.asarray(subspace)
        if subspace.dtype == bool:
            return Restricted(norm, Coordinates(tuple(np.flatnonzero(subspace).tolist()), subspace.size))
        if subspace.ndim != 2 or subspace.dtype.kind not in "fiu":
            raise ArgumentError(
                "restrict needs 'symmetric', a mask of booleans or a matrix of rows; found "
                f"{subspace.dtype} of shape {subspace.shape}"
            )
    return Restricted(norm, Span(orthonormal(subspace)))


def quotient(norm: Norm, subspace: Any) -> Norm:
    """The least norm(v + z) over z in a subspace: how long v is if moves along the subspace are free.

    Args:
        norm: the norm of the whole space.
        subspace: a mask of booleans (entries where it is true are free), or a matrix whose rows span it.

    Its vectors are given by the representative orthogonal to the subspace, and so are its maximizers. A gradient that
    is not orthogonal to the subspace has no maximizer, and raises ArgumentError: the function falls without end for
    free.

    Law: `quotient(N, Z) = restrict(N.dual, orthogonal complement of Z).dual`.

    Example:
        >>> from covector.norms.vectors import linf
        >>> round(float(quotient(linf(), np.array([[1.0, 1.0]])).norm(np.array([-3.0, 3.0]))), 9)
        3.0
    """
    free = np.asarray(subspace)
    if free.dtype == bool:
        return restrict(norm.dual, ~free).dual
    rows = orthonormal(free)
    complement = np.linalg.svd(rows)[2][len(rows) :]
    return restrict(norm.dual, complement).dual


def orthonormal(rows: Array) -> Array:
    """An orthonormal basis of the combinations of independent rows, as rows."""
    if not isinstance(rows, Tracer) and (rows.ndim != 2 or np.linalg.matrix_rank(rows) < len(rows)):
        raise ArgumentError(f"a subspace is given by independent rows; found an array of shape {rows.shape}")
    return np.transpose(np.linalg.qr(np.transpose(rows))[0])
