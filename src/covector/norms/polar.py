"""The polar factor U V^T of a matrix U diag(s) V^T: the direction of steepest descent in the spectral norm.

Singular values that are zero to rounding count as zero, so that a matrix of rank r has a factor of rank r.

    >>> POLAR_FACTOR(np.array([[0.0, -3.0], [2.0, 0.0]])) + 0.0
    array([[ 0., -1.],
           [ 1.,  0.]])

A large matrix x of n columns is not decomposed: its Gram matrix x^T x = V diag(s^2) V^T is, in double precision, which
takes less than half as long. Then U V^T = x V diag(1/s) V^T. Squaring costs digits, s^2 being known to the rounding
error of the largest: so only the part of V with s^2 above `KEPT` of the largest is used. What x is on the rest of V,
made orthogonal to what is done, is a matrix with fewer columns and a smaller norm, whose polar factor is found in the
same way. No inverse of a small number is ever taken relative to a large one: the error is about rounding / KEPT for
every condition number.

Derivation of the error: let V1 be what is kept and V2 the rest. eigh gives orthonormal V with V1^T (x^T x) V2 = E,
|E| about rounding * s_max^2. The factor found, P, is orthogonal and P^T x differs from a symmetric matrix by at most
|E| / (KEPT^(1/2) s_max); turning P by that over s_i + s_j >= KEPT^(1/2) s_max makes it the polar factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from covector.core.primitive import Deferred
from covector.core.types import Array, ArrayType, typeof
from covector.ops.counts import of_matrices
from covector.ops.linalg_decompositions import Decomposition, SingularValueDecomposition

KEPT = 1e-4
"""The part of the largest eigenvalue of a Gram matrix from which on eigenvalues are divided by."""

LARGE = 96
"""The number of columns from which on the Gram matrix of a square matrix is worth the work."""

MOST_LEFT = 0.7
"""The part of the singular values that may be below the root of `KEPT`; with more, a decomposition is faster."""

SLENDER = 2
"""Rows per column from which on matrices are mostly so well conditioned that one look at the Gram matrix is enough."""


@final
class PolarFactor(Decomposition):
    """U V^T over the singular values that are not zero, of a matrix or of each in a stack."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=8.0, cubed=9.0)

    def evaluate(self, *inputs: Array) -> Array:
        (x,) = inputs
        if x.size == 0:
            return x
        *leading, rows, columns = x.shape
        stack = x.reshape(-1, rows, columns)
        factors = _of_tall(stack) if rows >= columns else np.swapaxes(_of_tall(np.swapaxes(stack, 1, 2)), 1, 2)
        return factors.reshape(*leading, rows, columns).astype(x.dtype, copy=False)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, inputs[0].dtype)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The tangents of U and V; zero singular values stay zero."""
        (x,), (tangent,) = primals, tangents
        if tangent is None:
            return self(x), None
        (left, values, right), (left_change, _, right_change) = SingularValueDecomposition(full=False).jvp(
            (x,), (tangent,)
        )
        used = np.sign(significant(values, typeof(x).shape[-2:]))[..., None, :]
        change = (_value(left_change) * used) @ right + (left * used) @ _value(right_change)
        return (left * used) @ right, change


POLAR_FACTOR = PolarFactor()


def _value(tangent: Any) -> Array:
    return tangent.value() if isinstance(tangent, Deferred) else tangent


def significant(values: Array, shape: Sequence[int]) -> Array:
    """Singular values, with those that are zero to rounding made zero (and constant)."""
    if typeof(values).size == 0:
        return values
    least = rounding(shape, typeof(values).dtype) * np.max(values, axis=-1, keepdims=True)
    return np.where(values > least, values, 0.0)


def rounding(shape: Sequence[int], dtype: Any) -> float:
    """The relative error below which a singular value counts as zero."""
    return max(shape) * float(np.finfo(dtype).eps)


# --- a stack of matrices with at least as many rows as columns ------------------------------------------------


def _of_tall(stack: Array) -> Array:
    _, rows, columns = stack.shape
    zero = rounding((rows, columns), stack.dtype)
    sizes = np.max(np.abs(stack), axis=(1, 2), keepdims=True)
    unit = np.asarray(stack / np.where(sizes > 0, sizes, 1.0), dtype=float)
    if columns >= LARGE:
        return np.stack([_by_parts(x, zero) for x in unit])
    return _by_gram(unit, zero) if rows >= SLENDER * columns else _by_svd(unit, zero)


def _by_svd(stack: Array, zero: float, least: float = 0.0) -> Array:
    left, values, right = np.linalg.svd(stack, full_matrices=False)
    used = (values > np.maximum(zero * values[:, :1], least))[:, None, :]
    factors: Array = (left * used) @ right
    return factors


def _by_gram(stack: Array, zero: float) -> Array:
    """All at once; those whose condition is too bad are done again."""
    squares, vectors = np.linalg.eigh(np.swapaxes(stack, 1, 2) @ stack)
    bad = ~(squares[:, 0] > KEPT * squares[:, -1])
    squares[bad] = 1.0
    factors: Array = stack @ _spectral_function(squares, vectors)
    if np.any(bad):
        factors[bad] = _by_svd(stack[bad], zero)
    return factors


def _spectral_function(squares: Array, vectors: Array) -> Array:
    """V diag(s^2)^(-1/2) V^T, as the product of a matrix with its transpose, which takes half the work."""
    half = vectors * (squares**-0.25)[..., None, :]
    product: Array = half @ np.swapaxes(half, -1, -2)
    return product


# --- one large matrix -----------------------------------------------------------------------------------------


def _by_parts(x: Array, zero: float, least: float = 0.0) -> Array:
    """The part of large singular values, then what is left; those up to zero * the largest, or `least`, are dropped."""
    squares, vectors = np.linalg.eigh(x.T @ x)
    rest = int(np.searchsorted(squares, KEPT * squares[-1], side="right"))
    if rest > MOST_LEFT * len(squares):
        return _by_svd(x[None], zero, least)[0]
    least = max(least, zero * squares[-1] ** 0.5)
    if not squares[-1] > least**2:
        return np.zeros_like(x)
    kept, others = vectors[:, rest:], vectors[:, :rest]
    factor: Array = x @ _spectral_function(squares[rest:], kept)
    if rest:
        left = x @ others
        left -= x @ ((kept / squares[rest:]) @ (kept.T @ (x.T @ left)))
        factor += _by_parts(left, zero, least) @ others.T
    return factor
