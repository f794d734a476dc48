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

from collections.abc import Callable, Sequence
from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, ShapeMismatchError, TreeMismatchError
from covector.norms.layout import magnitude, real_leaf
from covector.norms.leading import leading
from covector.norms.norm import Norm, tie_policy
from covector.norms.ordered import KSupport, SparseSign, sparse_sign
from covector.norms.polar import POLAR_FACTOR, rounding, significant
from covector.norms.registration import PARAMETER, registered
from covector.norms.traits import Traits
from covector.norms.vectors import L1, LInf, l1, linf, of_exponent
from covector.transforms.stop import stop_gradient
from covector.trees import Tree, flatten, unflatten


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
        x, restore = matrix(covector)
        if isinstance(self.inner, LInf) and self.inner.ties in ("min_norm", "split"):
            return restore(POLAR_FACTOR(x))
        found = self._leading_factors(x)
        if found is not None:
            return restore(found[0] @ found[1])
        return self._spectral_function(self.inner.maximizer, covector)

    def factors(self, covector: Tree) -> tuple[Array, Array]:
        """The maximizer as a product left @ right, with as many columns and rows as its rank.

        For a matrix of shape (m, n) that takes rank * (m + n) numbers, and for a large one and a norm that looks only
        at the largest singular values, such as `nuclear()`, a small part of the work of a decomposition.

        Example:
            >>> left, right = nuclear().factors(np.diag([3.0, 2.0, 1.0]))
            >>> left.shape, right.shape, float((left @ right)[0, 0])
            ((3, 1), (1, 3), 1.0)
        """
        x, _ = matrix(covector)
        found = self._leading_factors(x)
        if found is not None:
            return found
        left, values, right = np.linalg.svd(x / magnitude(x), full_matrices=False)
        weights = self.inner.maximizer(_levelled(values, typeof(x).shape))
        if isinstance(weights, Tracer):
            return left * weights, right
        used = np.flatnonzero(weights)
        return left[:, used] * weights[used], right[used]

    def _leading_factors(self, x: Array) -> tuple[Array, Array] | None:
        """The same, if few singular values decide and those are found without a decomposition."""
        count = deciding(self.inner)
        found = None if count is None or isinstance(x, Tracer) else leading(x / magnitude(x), count)
        if found is None:
            return None
        left, values, right = found
        return (left * self.inner.maximizer(values)).astype(x.dtype, copy=False), right.astype(x.dtype, copy=False)

    def subgradient(self, vector: Tree) -> Tree:
        return self._spectral_function(self.inner.subgradient, vector)

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self._each_value(lambda values: self.inner.project(values, radius), vector)

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self._each_value(lambda values: self.inner.project_dual(values, radius), covector)

    @property
    def traits(self) -> Traits:
        return attrs.evolve(self.inner.traits, polyhedral=False, absolute=False, unitarily_invariant=True)

    def _each_value(self, function: Callable[[Array], Array], tree: Tree) -> Tree:
        x, restore = matrix(tree)
        left, values, right = np.linalg.svd(x, full_matrices=False)
        return restore((left * function(values)) @ right)

    def _of_singular_values(self, function: Callable[[Array], Array], tree: Tree) -> Array:
        x, _ = matrix(tree)
        unit = magnitude(x)
        return unit * function(significant(np.linalg.svd(x / unit, compute_uv=False), typeof(x).shape))

    def _spectral_function(self, function: Callable[[Array], Array], tree: Tree) -> Tree:
        x, restore = matrix(tree)
        left, values, right = np.linalg.svd(x / magnitude(x), full_matrices=False)
        return restore((left * function(_levelled(values, typeof(x).shape))) @ right)


def _levelled(values: Array, shape: Sequence[int]) -> Array:
    """Singular values, those that are equal to rounding made equal, and those that are zero to it zero.

    Each keeps a derivative of its own.
    """
    if typeof(values).size == 0:
        return values
    below = rounding(shape, typeof(values).dtype) * np.max(values)
    apart = np.concatenate([np.ones(1, bool), values[:-1] - values[1:] > below])
    first = np.maximum.accumulate(np.where(apart, np.arange(typeof(values).size), 0))
    return significant(values + stop_gradient(np.take(values, first) - values), shape)


def deciding(norm: Norm) -> int | None:
    """How many of the largest entries a maximizer depends on, if it is zero at all others."""
    if isinstance(norm, (SparseSign, KSupport)):
        return norm.k
    return 1 if isinstance(norm, L1) else None


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

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self.inner.project(vector, radius / self._factor(vector))

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self.inner.project_dual(covector, radius * self._factor(covector))

    @property
    def traits(self) -> Traits:
        return self.inner.traits

    def _factor(self, tree: Tree) -> float:
        outputs, inputs = typeof(matrix(tree)[0]).shape
        root = float(np.sqrt(inputs / outputs)) if inputs and outputs else 1.0
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

    Raises ArgumentError for p < 1.
    """
    return SingularValueNorm(of_exponent(p, "schatten"))


def ky_fan(k: int, ties: str = "min_norm") -> SingularValueNorm:
    """The sum of the k largest singular values.

    Example:
        >>> float(ky_fan(2).norm(np.diag([3.0, 2.0, 1.0])))
        5.0
    """
    return SingularValueNorm(sparse_sign(k, ties).dual)


def low_rank_hull(k: int, ties: str = "min_norm") -> SingularValueNorm:
    """max(spectral, nuclear / k), whose dual is the Ky Fan norm; directions U_k V_k^T have rank k.

    Source: K. Ahn et al., Dion: distributed orthonormalized updates (2025).
    """
    return SingularValueNorm(sparse_sign(k, ties))


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
