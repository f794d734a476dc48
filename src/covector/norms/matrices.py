"""Norms of a matrix by its singular values: spectral, nuclear, Schatten-p, Ky Fan, and any other.

With g = U diag(s) V^T, an absolute and symmetric norm of s gives a norm of matrices, whose dual is the dual norm of s
and whose maximizer is U diag(maximizer(s)) V^T. The spectral norm is linf of s, so that its direction is U V^T, the
orthogonal factor of the polar decomposition; singular values that are zero to rounding count as zero.

    >>> spectral().maximizer(np.diag([3.0, -2.0])) + 0.0
    array([[ 1.,  0.],
           [ 0., -1.]])
    >>> float(nuclear().norm(np.diag([3.0, -2.0])))
    5.0

Source: A. Lewis, The convex analysis of unitarily invariant matrix functions (1995).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, ShapeMismatchError, TreeMismatchError
from covector.norms.layout import magnitude, real_leaf
from covector.norms.norm import Norm, Traits, tie_policy
from covector.norms.ordered import sparse_sign
from covector.norms.registration import PARAMETER, registered
from covector.norms.vectors import LInf, l1, linf, lp
from covector.trees import Tree, flatten, unflatten

SMALLEST_EIGENVALUE = 1e-8
"""The ratio of extreme eigenvalues of the Gram matrix down to which it gives the polar factor to about 1e-10."""


@registered
@final
@frozen(eq=False)
class SingularValueNorm(Norm):
    """A symmetric norm of the singular values of a matrix."""

    inner: Norm = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return self._of_singular_values(self.inner.norm, vector)

    def dual_norm(self, covector: Tree) -> Array:
        return self._of_singular_values(self.inner.dual_norm, covector)

    def maximizer(self, covector: Tree) -> Tree:
        if isinstance(self.inner, LInf) and self.inner.ties == "min_norm":
            x, restore = matrix(covector)
            return restore(polar_factor(x))
        return self._spectral_function(self.inner.maximizer, covector)

    def subgradient(self, vector: Tree) -> Tree:
        return self._spectral_function(self.inner.subgradient, vector)

    @property
    def traits(self) -> Traits:
        return attrs.evolve(self.inner.traits, polyhedral=False, absolute=False, unitarily_invariant=True)

    def _of_singular_values(self, function: Callable[[Array], Array], tree: Tree) -> Array:
        x, _ = matrix(tree)
        unit = magnitude(x)
        return unit * function(significant(np.linalg.svd(x / unit, compute_uv=False), typeof(x).shape))

    def _spectral_function(self, function: Callable[[Array], Array], tree: Tree) -> Tree:
        x, restore = matrix(tree)
        left, values, right = np.linalg.svd(x / magnitude(x), full_matrices=False)
        return restore((left * function(significant(values, typeof(x).shape))) @ right)


def matrix(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """The only leaf of a tree, which must be a matrix, and the way back."""
    leaves, structure = flatten(tree)
    if len(leaves) != 1:
        raise TreeMismatchError(f"a norm of a matrix measures one array; found {len(leaves)}. Use per_leaf(norm)")
    leaf = real_leaf(tree, 0, leaves[0])
    kind = typeof(leaf)
    if kind.ndim != 2:
        raise ShapeMismatchError(
            f"a norm of a matrix measures an array with two axes; found {kind}. For a stack of matrices use "
            "blockwise(norm, outer, axes=(-2, -1))"
        )

    def restore(x: Array) -> Tree:
        return unflatten(structure, [x if x.dtype == kind.dtype else x.astype(kind.dtype)])

    return leaf, restore


def significant(values: Array, shape: tuple[int, ...]) -> Array:
    """Singular values, with those that are zero to rounding made zero (and constant)."""
    if typeof(values).size == 0:
        return values
    tolerance = max(shape) * np.finfo(typeof(values).dtype).eps
    return np.where(values > tolerance * np.max(values, axis=-1, keepdims=True), values, 0.0)


# --- the polar factor -------------------------------------------------------------------------------------------


def polar_factor(x: Array) -> Array:
    """U V^T of the singular value decomposition, over the singular values that are not zero.

    From the eigenvectors of the smaller Gram matrix in double precision, which is about twice as fast as from a
    decomposition of x: x V diag(s)^-1 V^T with x^T x = V diag(s^2) V^T, then one Newton-Schulz step. The error grows
    with the square of the condition number, hence the guard.
    """
    rows, columns = typeof(x).shape
    if rows < columns:
        return np.transpose(polar_factor(np.transpose(x)))
    if isinstance(x, Tracer) or x.size == 0:
        return _truncated_polar_factor(x)
    unit = np.asarray(x / magnitude(x), dtype=float)
    eigenvalues, vectors = np.linalg.eigh(unit.T @ unit)
    if not eigenvalues[0] >= SMALLEST_EIGENVALUE * eigenvalues[-1] > 0:
        return _truncated_polar_factor(x)
    factor = unit @ ((vectors / np.sqrt(eigenvalues)) @ vectors.T)
    polished = 1.5 * factor - 0.5 * factor @ (factor.T @ factor)
    return polished.astype(x.dtype, copy=False)


def _truncated_polar_factor(x: Array) -> Array:
    left, values, right = np.linalg.svd(x / magnitude(x), full_matrices=False)
    return (left * np.sign(significant(values, typeof(x).shape))) @ right


# --- norms scaled by the shape of the matrix --------------------------------------------------------------------


@registered
@final
@frozen(eq=False)
class ShapeScaled(Norm):
    """A norm of matrices times a power of (inputs / outputs), for weights of shape (outputs, inputs)."""

    inner: Norm = field(metadata=PARAMETER)
    at_most_one: bool = False

    def norm(self, vector: Tree) -> Array:
        return self._factor(vector) * self.inner.norm(vector)

    def dual_norm(self, covector: Tree) -> Array:
        return self.inner.dual_norm(covector) / self._factor(covector)

    def maximizer(self, covector: Tree) -> Tree:
        x, restore = matrix(self.inner.maximizer(covector))
        return restore(x / self._factor(covector))

    def subgradient(self, vector: Tree) -> Tree:
        x, restore = matrix(self.inner.subgradient(vector))
        return restore(x * self._factor(vector))

    @property
    def traits(self) -> Traits:
        return self.inner.traits

    def _factor(self, tree: Tree) -> float:
        outputs, inputs = typeof(matrix(tree)[0]).shape
        root = float(np.sqrt(inputs / outputs))
        return min(root, 1.0) if self.at_most_one else root


# --- what users call ------------------------------------------------------------------------------------------


def spectral(ties: str = "min_norm") -> SingularValueNorm:
    """The largest singular value; steepest descent moves along U V^T.

    Args:
        ties: what to do for a matrix that is not of full rank: move within its row and column spaces ("min_norm"),
            or complete U V^T to a matrix with all singular values one ("vertex").
    """
    return SingularValueNorm(linf(tie_policy(ties)))


def nuclear(ties: str = "min_norm") -> SingularValueNorm:
    """The sum of the singular values; steepest descent moves along u v^T of the largest one.

    Example:
        >>> nuclear().maximizer(np.diag([3.0, 2.0])).round(12) + 0.0
        array([[1., 0.],
               [0., 0.]])
    """
    return SingularValueNorm(l1(tie_policy(ties)))


def schatten(p: Any) -> SingularValueNorm:
    """lp of the singular values: 1 is nuclear, 2 Frobenius, infinity spectral.

    Example:
        >>> float(schatten(2).norm(np.array([[3.0, 0.0], [0.0, 4.0]])).round(12))
        5.0
    """
    return SingularValueNorm(lp(p))


def ky_fan(k: int) -> SingularValueNorm:
    """The sum of the k largest singular values.

    Example:
        >>> float(ky_fan(2).norm(np.diag([3.0, 2.0, 1.0])))
        5.0
    """
    return SingularValueNorm(sparse_sign(k).dual)


def low_rank_hull(k: int) -> SingularValueNorm:
    """max(spectral, nuclear / k), whose dual is the Ky Fan norm; directions U_k V_k^T have rank k.

    Source: K. Ahn et al., Dion: distributed orthonormalized updates (2025).
    """
    return SingularValueNorm(sparse_sign(k))


def of_singular_values(norm: Norm) -> SingularValueNorm:
    """The norm of matrices that a symmetric and absolute norm of vectors gives.

    Raises ArgumentError if the norm is not known to be absolute. That it is symmetric, the same for entries in any
    order, is taken on trust.
    """
    if not norm.traits.absolute:
        raise ArgumentError(f"a norm of singular values must be absolute and symmetric, as lp(3) is; found {norm!r}")
    return SingularValueNorm(norm)


def rms_to_rms(ties: str = "min_norm") -> ShapeScaled:
    """The operator norm between root-mean-square norms: sqrt(inputs / outputs) times the largest singular value.

    It measures by how much a weight matrix of shape (outputs, inputs) can enlarge the typical size of an entry.

    Source: G. Yang, J. Simon and J. Bernstein, A spectral condition for feature learning (2023).

    Example:
        >>> float(rms_to_rms().norm(np.ones((1, 4)) / 2))
        2.0
    """
    return ShapeScaled(spectral(ties))


def muon_norm() -> ShapeScaled:
    """min(1, sqrt(inputs / outputs)) times the largest singular value: directions sqrt(max(1, outputs / inputs)) U V^T.

    Source: K. Jordan et al., Muon (2024).
    """
    return ShapeScaled(spectral(), at_most_one=True)
