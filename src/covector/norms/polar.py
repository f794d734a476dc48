"""The polar factor U V^T of a matrix U diag(s) V^T: the direction of steepest descent in the spectral norm.

Singular values that are zero to rounding count as zero, so that a matrix of rank r has a factor of rank r.

    >>> POLAR_FACTOR(np.array([[0.0, -3.0], [2.0, 0.0]])) + 0.0
    array([[ 0., -1.],
           [ 1.,  0.]])

A large matrix x of n columns is not decomposed: its Gram matrix x^T x = V diag(s^2) V^T is, in double precision, which
takes less than half as long. Then U V^T = x V diag(1/s) V^T. Squaring costs digits, s^2 being known to the rounding
error of the largest: so only the part of V with s^2 above `KEPT` of the largest is used. What x is on the rest of V,
made orthogonal to what is done, is a matrix with fewer columns and a smaller norm, whose polar factor is found in the
same way; if it is nothing but rounding, it is zero. No inverse of a small number is ever taken relative to a large one:
the error is at most about rounding / KEPT, 1e-10, for every condition number, and that of the slope <x, factor>, which
is largest at the factor, is its square. If most of x would be left, a decomposition is faster.

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
from covector.norms.layout import moderate
from covector.ops.counts import of_matrices
from covector.ops.linalg_decompositions import Decomposition, SingularValueDecomposition

KEPT = 1e-6
"""The part of the largest eigenvalue of a Gram matrix from which on eigenvalues are divided by."""

LARGE = 96
"""The number of columns from which on the Gram matrix of a square matrix is worth the work."""

SMALL = 1e-6
"""The part of the largest eigenvalue of a Gram matrix that the geometric mean of all has to reach for parts to pay."""

FLAT = 0.25
"""The share of the singular values that has to be of the order of the largest for a Gram matrix to need no closer look.

Measured by (sum s^2)^2 / sum s^4, the number of them if they are equal.
"""

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
        rows, columns = x.shape[-2:]
        factors = _of_tall(x) if rows >= columns else np.swapaxes(_of_tall(np.swapaxes(x, -1, -2)), -1, -2)
        return factors.astype(x.dtype, copy=False)

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


# --- matrices with at least as many rows as columns -----------------------------------------------------------


def _of_tall(x: Array) -> Array:
    *leading, rows, columns = x.shape
    zero = rounding((rows, columns), x.dtype)
    if columns < LARGE:
        return _of_small(x.reshape(-1, rows, columns), zero).reshape(x.shape)
    if not leading:
        return _of_large(x, zero)
    return np.stack([_of_large(each, zero) for each in x.reshape(-1, rows, columns)]).reshape(x.shape)


# --- a stack of small ones ------------------------------------------------------------------------------------


def _of_small(stack: Array, zero: float) -> Array:
    _, rows, columns = stack.shape
    sizes = np.max(np.abs(stack), axis=(1, 2), keepdims=True)
    unit = np.asarray(stack / np.where(sizes > 0, sizes, 1.0), dtype=float)
    return _by_gram(unit, zero) if rows >= SLENDER * columns else _by_svd(unit, zero)


def _by_svd(stack: Array, zero: float, least: float = 0.0) -> Array:
    left, values, right = np.linalg.svd(stack, full_matrices=False)
    used = values > np.maximum(zero * values[..., :1], least)
    factors: Array = (left * used[..., None, :]) @ right
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


def _spectral_function(squares: Array, vectors: Array, out: Array | None = None) -> Array:
    """V diag(s^2)^(-1/2) V^T, as the product of a matrix with its transpose, which takes half the work.

    V is overwritten: new memory costs time, and that of a large matrix is asked for anew at each call.
    """
    vectors *= (squares**-0.25)[..., None, :]
    product: Array = np.matmul(vectors, np.swapaxes(vectors, -1, -2), out=out)
    return product


# --- one large matrix -----------------------------------------------------------------------------------------


def _of_large(x: Array, zero: float) -> Array:
    """It is divided by its largest entry only if squares need it; one that is not finite has no factor."""
    x = x.astype(float, copy=False)
    if moderate(np.vdot(x, x)):
        return _by_parts(x, zero)
    size = np.max(np.abs(x))
    if not np.isfinite(size):
        return np.full_like(x, np.nan)
    return _by_parts(x / size, zero) if size > 0 else np.zeros_like(x)


def _by_parts(x: Array, zero: float, least: float = 0.0) -> Array:
    """The part of large singular values, then what is left; those up to zero * the largest, or `least`, are dropped."""
    gram = x.T @ x
    total = float(np.vdot(x, x))
    if total <= least**2:
        return np.zeros_like(x)
    if _mostly_small(gram, total):
        return _by_svd(x, zero, least)
    squares, vectors = np.linalg.eigh(gram, UPLO="U")  # a little faster than the lower part
    least = max(least, zero * squares[-1] ** 0.5)
    if not squares[-1] > least**2:
        return np.zeros_like(x)
    rest = int(np.searchsorted(squares, KEPT * squares[-1], side="right"))
    factor: Array = x @ _spectral_function(squares[rest:], vectors[:, rest:], out=gram)
    if rest:
        others = vectors[:, :rest]
        more = _by_parts(_beside(factor, x @ others), zero, least)
        if squares[0] < KEPT**2 * squares[-1]:  # it has parts itself, so small that rounding in what was left counts
            more = _beside(factor, more)
        factor += more @ others.T
    return factor


def _mostly_small(gram: Array, total: float) -> bool:
    """Whether the geometric mean of the eigenvalues, which is that of the pivots, is below `SMALL` of the largest.

    `total` is their sum.
    """
    size = float(np.vdot(gram, gram)) ** 0.5
    if total**2 > FLAT * len(gram) * size**2:
        return False
    try:
        pivots = np.diagonal(np.linalg.cholesky(gram))
    except np.linalg.LinAlgError:
        return True
    return bool(2.0 * np.mean(np.log(pivots)) < np.log(SMALL * size))


def _beside(factor: Array, columns: Array) -> Array:
    """What is left of columns orthogonal to those of a polar factor."""
    columns -= factor @ (factor.T @ columns)
    return columns
