"""Invertible linear maps, to measure a vector in other coordinates: `(N @ A).norm(v) = N.norm(A v)`.

A map has four forms: itself, its inverse, its transpose, and the inverse of its transpose. Steps come back through
the inverse; gradients go through the inverse of the transpose.

    >>> float(Difference().apply(np.array([1.0, 3.0, 6.0]))[1])
    2.0
    >>> Difference().solve(np.array([1.0, 2.0, 3.0]))
    array([1., 3., 6.])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import reduce
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.layout import real_leaf
from covector.norms.registration import PARAMETER, registered
from covector.trees import Tree, flatten, flatten_prefix, leaf_path, map_leaves, unflatten


class InvertibleMap(ABC):
    """A linear map of trees onto trees of the same form, with its inverse and both transposes."""

    @abstractmethod
    def apply(self, vector: Tree) -> Tree:
        """A v."""

    @abstractmethod
    def solve(self, vector: Tree) -> Tree:
        """The x with A x = v."""

    @abstractmethod
    def transpose(self, covector: Tree) -> Tree:
        """A^T g."""

    @abstractmethod
    def transpose_solve(self, covector: Tree) -> Tree:
        """The x with A^T x = g."""


@registered
@final
@frozen(eq=False)
class Matrix(InvertibleMap):
    """v -> matrix @ v for one array; the matrix is square and invertible."""

    matrix: Any = field(metadata=PARAMETER)

    def apply(self, vector: Tree) -> Tree:
        return map_leaves(self._product, vector)

    def solve(self, vector: Tree) -> Tree:
        return map_leaves(self._quotient, vector)

    def transpose(self, covector: Tree) -> Tree:
        return Matrix(np.transpose(self.matrix)).apply(covector)

    def transpose_solve(self, covector: Tree) -> Tree:
        return Matrix(np.transpose(self.matrix)).solve(covector)

    def _product(self, x: Array) -> Array:
        return self.matrix @ self._checked(x)

    def _quotient(self, x: Array) -> Array:
        return np.linalg.solve(self.matrix, self._checked(x))

    def _checked(self, x: Array) -> Array:
        if typeof(x).ndim not in (1, 2) or typeof(x).shape[0] != self.matrix.shape[0]:
            raise ShapeMismatchError(f"a matrix of shape {self.matrix.shape} cannot be applied to an array {typeof(x)}")
        return x


@registered
@final
@frozen(eq=False)
class Diagonal(InvertibleMap):
    """v -> weights * v, entry by entry; weights are a number, an array, or a tree prefix of them."""

    weights: Any = field(metadata=PARAMETER)

    def apply(self, vector: Tree) -> Tree:
        return self._map(np.multiply, vector)

    def solve(self, vector: Tree) -> Tree:
        return self._map(np.divide, vector)

    def transpose(self, covector: Tree) -> Tree:
        return self.apply(covector)

    def transpose_solve(self, covector: Tree) -> Tree:
        return self.solve(covector)

    def _map(self, operation: Any, vector: Tree) -> Tree:
        leaves, structure = flatten(vector)
        leaves = [real_leaf(vector, i, x) for i, x in enumerate(leaves)]
        weights = flatten_prefix(self.weights, vector, "the weights of a norm")
        for i, (x, w) in enumerate(zip(leaves, weights, strict=True)):
            if not _fits(np.shape(w), np.shape(x)):
                path = leaf_path(vector, "argument", i)
                raise ShapeMismatchError(f"weights of shape {np.shape(w)} do not fit {path}, of shape {np.shape(x)}")
        return unflatten(structure, [operation(x, w) for x, w in zip(leaves, weights, strict=True)])


def is_diagonal(map: InvertibleMap) -> bool:
    """Whether a map multiplies each entry by a number of its own."""
    return isinstance(map, Diagonal) or (isinstance(map, Contragredient) and is_diagonal(map.map))


def _fits(weights: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether NumPy broadcasts an array of weights to a shape."""
    last = shape[len(shape) - len(weights) :]
    return len(weights) <= len(shape) and all(w in (1, n) for w, n in zip(weights, last, strict=True))


@registered
@final
@frozen(eq=False)
class Contragredient(InvertibleMap):
    """A^-T, which maps gradients where A maps steps: the same four forms, exchanged."""

    map: InvertibleMap = field(metadata=PARAMETER)

    def apply(self, vector: Tree) -> Tree:
        return self.map.transpose_solve(vector)

    def solve(self, vector: Tree) -> Tree:
        return self.map.transpose(vector)

    def transpose(self, covector: Tree) -> Tree:
        return self.map.solve(covector)

    def transpose_solve(self, covector: Tree) -> Tree:
        return self.map.apply(covector)


@registered
@final
@frozen(eq=False)
class Difference(InvertibleMap):
    """v -> (v_0, v_1 - v_0, v_2 - v_1, ...) along an axis; its inverse is the cumulative sum."""

    axis: int = 0

    def apply(self, vector: Tree) -> Tree:
        return map_leaves(self._differences, vector)

    def solve(self, vector: Tree) -> Tree:
        return map_leaves(self._sums, vector)

    def transpose(self, covector: Tree) -> Tree:
        return map_leaves(lambda x: np.flip(self._differences(np.flip(x, self.axis)), self.axis), covector)

    def transpose_solve(self, covector: Tree) -> Tree:
        return map_leaves(lambda x: np.flip(self._sums(np.flip(x, self.axis)), self.axis), covector)

    def _differences(self, x: Array) -> Array:
        if typeof(x).size == 0:
            return x
        first = np.zeros_like(np.take(x, [0], axis=self.axis))
        return np.diff(np.concatenate([first, x], axis=self.axis), axis=self.axis)

    def _sums(self, x: Array) -> Array:
        return np.cumsum(x, axis=self.axis)


@registered
@final
@frozen(eq=False)
class SobolevRoot(InvertibleMap):
    """(1 - alpha Laplacian)^(1/2) on a grid of spacing 1, over all axes, by fast Fourier transforms; symmetric.

    At the boundary the grid function is continued with slope zero ("neumann"), as an odd function that vanishes one
    step outside ("dirichlet"), or periodically ("periodic").
    """

    alpha: Any = field(metadata=PARAMETER)
    boundary: str = "neumann"

    def apply(self, vector: Tree) -> Tree:
        return map_leaves(lambda x: self._filtered(x, 0.5), vector)

    def solve(self, vector: Tree) -> Tree:
        return map_leaves(lambda x: self._filtered(x, -0.5), vector)

    def transpose(self, covector: Tree) -> Tree:
        return self.apply(covector)

    def transpose_solve(self, covector: Tree) -> Tree:
        return self.solve(covector)

    def _filtered(self, x: Array, exponent: float) -> Array:
        """The Laplacian of the continued function is diagonal in its Fourier coefficients."""
        shape = typeof(x).shape
        if not shape or 0 in shape:
            return x  # no neighbours
        axes = tuple(range(len(shape)))
        continued = reduce(self._continued, axes, x)
        sizes = typeof(continued).shape
        multiplier = (1.0 + self.alpha * _laplacian(sizes)) ** exponent
        filtered = np.fft.irfftn(multiplier * np.fft.rfftn(continued, axes=axes), s=sizes, axes=axes)
        start = 1 if self.boundary == "dirichlet" else 0
        return filtered[tuple(slice(start, start + n) for n in shape)]

    def _continued(self, x: Array, axis: int) -> Array:
        if self.boundary == "periodic":
            return x
        if self.boundary == "neumann":
            return np.concatenate([x, np.flip(x, axis)], axis=axis)
        zero = np.zeros_like(np.take(x, [0], axis=axis))
        return np.concatenate([zero, x, zero, -np.flip(x, axis)], axis=axis)


def _laplacian(sizes: tuple[int, ...]) -> Array:
    """The eigenvalues of minus the second difference, summed over axes, in the layout of `rfftn`."""
    lengths = [*sizes[:-1], sizes[-1] // 2 + 1]
    grids = np.meshgrid(*(np.arange(m) / n for m, n in zip(lengths, sizes, strict=True)), indexing="ij")
    return sum((4.0 * np.sin(np.pi * frequency) ** 2 for frequency in grids), np.zeros(()))


def as_map(value: Any) -> InvertibleMap:
    """A map, or the map that a square matrix is. Raises ArgumentError for a matrix or weights without an inverse."""
    if isinstance(value, Diagonal):
        _check_weights(value.weights)
    if isinstance(value, InvertibleMap):
        return value
    shape = np.shape(value)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ArgumentError(f"a norm is composed with an invertible map or a square matrix; found shape {shape}")
    if isinstance(value, Tracer):
        return Matrix(value)
    matrix = np.asarray(value, dtype=float)
    rank = int(np.linalg.matrix_rank(matrix)) if np.all(np.isfinite(matrix)) else -1
    if rank < len(matrix):
        found = f"its rank is {rank}" if rank >= 0 else "it has entries that are not finite"
        raise ArgumentError(f"a norm is composed with an invertible matrix; of one of shape {shape} {found}")
    return Matrix(matrix)


def _check_weights(weights: Tree) -> None:
    for i, weight in enumerate(flatten(weights)[0]):
        if not isinstance(weight, Tracer) and not np.all(np.isfinite(weight) & (np.asarray(weight) != 0)):
            path = leaf_path(weights, "weights", i)
            raise ArgumentError(f"the weights of a norm must be finite and not zero; {path} is {weight!r}")
