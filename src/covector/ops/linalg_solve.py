"""Systems of linear equations and inverses: X with A X = B for general, triangular and banded A.

The solution is linear in B, which makes the rules short: a tangent is solved for with the same matrix,
and the transpose is a system with the transposed matrix.

    >>> import numpy as np
    >>> SOLVE(np.array([[2.0, 0.0], [0.0, 4.0]]), np.ones((2, 1)))
    array([[0.5 ],
           [0.25]])
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Reshape, reduce
from covector.core.primitive import Primitive, parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.errors import NonlinearError
from covector.ops.axes import Flip
from covector.ops.contraction import diagonal_sums
from covector.ops.counts import of_matrices
from covector.ops.indexing import PutSlice, Slice, moved_axis
from covector.ops.matrices import (
    LOWER,
    STRICTLY_LOWER,
    STRICTLY_UPPER,
    UPPER,
    adjoint,
    aligned_stacks,
    hermitian,
    matrices_type,
    optional_scipy,
    over_stack,
    required_scipy,
    transposed,
)


class LinearSolve(Primitive):
    """X with A X = B, where a matrix or some of its entries, `a`, stand for A; linear in B.

    A X = B implies A dX = dB - dA X, so that a rule has to know the product dA X, and what A^T is.
    """

    __slots__ = ()

    @abstractmethod
    def product(self, a: Array, x: Array) -> Array:
        """A X."""

    @abstractmethod
    def solve_transposed(self, a: Array, b: Array) -> Array:
        """X with A^T X = B."""

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        """Matrices like those of B, one for each in the stacks of A and B."""
        a, b = inputs
        return matrices_type(b.shape[-2:], a, b)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """X, and dX with A dX = dB - dA X."""
        (a, b), (da, db) = primals, tangents
        x = self(a, b)
        if da is None:
            return x, None if db is None else self(a, db)
        change = self.product(da, x)
        return x, self(a, -change if db is None else db - change)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """B."""
        if tuple(traced) != (1,):
            raise NonlinearError(f"{self.name} is linear in its right-hand side only")
        return (1,)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Array:
        """The solution of the transposed system."""
        a, b = inputs
        return reduce(self.solve_transposed(a, cotangent), b.shape, b.dtype)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        """A stack of systems, or, if they all have the same A, one system with more columns."""
        a, b = inputs
        if batched[0]:
            return self(*aligned_stacks(inputs, batched))
        *leading, rows, columns = typeof(b).shape[1:]
        wide = Reshape((*leading, rows, size * columns))(moved_axis(b, 0, len(leading) + 1))
        x = self(a, wide)
        unfolded = Reshape((*typeof(x).shape[:-1], size, columns))(x)
        return moved_axis(unfolded, typeof(unfolded).ndim - 2, 0)


@final
class Solve(LinearSolve):
    """A^-1 B."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        """2/3 n**3 for the factors, 2 n**2 for each column."""
        return of_matrices(inputs[0], cubed=2 / 3) + 2 * inputs[0].shape[-1] * outputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.solve(*inputs)

    def product(self, a: Array, x: Array) -> Array:
        return a @ x

    def solve_transposed(self, a: Array, b: Array) -> Array:
        return self(transposed(a), b)


@final
@parametrized
class TriangularSolve(LinearSolve):
    """A^-1 B for the lower or upper triangle A of a matrix, with ones on its diagonal if it is `unit`."""

    lower: bool
    unit: bool = False

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return inputs[0].shape[-1] * outputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        a, b = inputs
        scipy = optional_scipy() if a.ndim == b.ndim == 2 and type(a) is type(b) is np.ndarray else None
        if scipy is not None and b.size:
            return scipy.solve_triangular(a, b, lower=self.lower, unit_diagonal=self.unit, check_finite=False)
        return np.linalg.solve(self._triangle(a), b)

    def _triangle(self, a: Array) -> Array:
        if not self.unit:
            return np.tril(a) if self.lower else np.triu(a)
        return (np.tril(a, -1) if self.lower else np.triu(a, 1)) + np.eye(a.shape[-1], dtype=a.dtype)

    def product(self, a: Array, x: Array) -> Array:
        """Of a tangent: the ones of a unit diagonal do not change, so the product is with the rest only."""
        if self.unit:
            return (STRICTLY_LOWER(a) if self.lower else STRICTLY_UPPER(a)) @ x
        return (LOWER(a) if self.lower else UPPER(a)) @ x

    def solve_transposed(self, a: Array, b: Array) -> Array:
        return TriangularSolve(not self.lower, self.unit)(transposed(a), b)


@final
@parametrized
class BandedSolve(LinearSolve):
    """A^-1 B for A with `lower` diagonals below and `upper` above the main one: A[i, j] = a[upper + i - j, j]."""

    lower: int
    upper: int

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 2 * (self.lower + self.upper + 1) * outputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        return over_stack(self._solve, self.output_type(*map(typeof, inputs)), *inputs)

    def _solve(self, a: Array, b: Array) -> Array:
        solve = required_scipy("solve_banded").solve_banded
        return solve((self.lower, self.upper), a, b, check_finite=False)

    def product(self, a: Array, x: Array) -> Array:
        """(A X)[i] = sum over r of z[r, i + upper - r] with z[r, j] = a[r, j] X[j]: sums along antidiagonals."""
        ndim = max(typeof(a).ndim, typeof(x).ndim)
        products = Reshape((*typeof(a).shape, 1))(a) * _with_axis(x, -3)
        sums = diagonal_sums(_axes_to_front(products, ndim - 2))
        size = typeof(x).shape[-2]
        return _axis_from_front(Slice(((self.upper, self.upper + size, None),))(sums), ndim - 2)

    def solve_transposed(self, a: Array, b: Array) -> Array:
        return BandedSolve(self.upper, self.lower)(self._transposed_band(a), b)

    def _transposed_band(self, a: Array) -> Array:
        """The band of A^T: t[r, i] = a[lower + upper - r, i + r - lower], 0 where there is no such entry.

        Rows reversed and padded to length n + lower + upper, then cut to one entry more without regard to where
        they began: that moves row r to the left by r places.
        """
        *leading, rows, size = typeof(a).shape
        whole, length = ((None, None, None),) * len(leading), size + rows - 1
        padded = PutSlice((Ellipsis, (self.lower, self.lower + size, None)), (*leading, rows, length))(
            Flip((len(leading),))(a)
        )
        flat = Reshape((*leading, rows * length))(padded)
        longer = PutSlice((*whole, (0, rows * length, None)), (*leading, rows * (length + 1)))(flat)
        shifted = Reshape((*leading, rows, length + 1))(longer)
        return Slice((Ellipsis, (0, size, None)))(shifted)


def _with_axis(x: Array, position: int) -> Array:
    """The array with a new axis of length 1 at a (negative) position."""
    shape = list(typeof(x).shape)
    shape.insert(len(shape) + 1 + position, 1)
    return Reshape(tuple(shape))(x)


def _axes_to_front(x: Array, leading: int) -> Array:
    """The array with its two axes after `leading` ones moved to the front."""
    return moved_axis(moved_axis(x, leading, 0), leading + 1, 1)


def _axis_from_front(x: Array, leading: int) -> Array:
    """The array with its first axis moved behind `leading` ones."""
    return moved_axis(x, 0, leading)


# --- inverses -------------------------------------------------------------------------------------------


@final
class Inverse(Primitive):
    """A^-1; derivative -A^-1 dA A^-1."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=2.0)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.inv(inputs[0])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        inverse, (da,) = self(*primals), tangents
        return inverse, None if da is None else -(inverse @ da @ inverse)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
@parametrized
class PseudoInverse(Primitive):
    """The Moore-Penrose inverse, with singular values of at most `rtol` times the largest as zeros."""

    rtol: float

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=16.0, cubed=8.0)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.pinv(inputs[0], self.rtol)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        (a,) = inputs
        return matrices_type((a.shape[-1], a.shape[-2]), a)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # G. H. Golub, V. Pereyra (1973), equation 4.12, for constant rank, with P the pseudoinverse of A:
        # dP = -P dA P + P P^H dA^H (1 - A P) + (1 - P A) dA^H P^H P
        (a,), (da,) = primals, tangents
        p = self(a)
        if da is None:
            return p, None
        if self._cuts(typeof(a)):
            return p, _cut_off(a, p, da)
        left, right = adjoint(p) @ p, p @ adjoint(p)
        right_term, left_term = right @ adjoint(da), adjoint(da) @ left
        return p, left_term - p @ (a @ left_term) + right_term - (right_term @ a) @ p - p @ da @ p

    def _cuts(self, kind: ArrayType) -> bool:
        """Whether it takes more for zeros than rounding leaves of zeros."""
        return bool(self.rtol > 100 * max(kind.shape[-2:]) * np.finfo(kind.dtype).eps)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


DOUBLINGS = 20
"""Enough for a million terms of the series: singular values on both sides of the threshold, equal to five digits."""


def _cut_off(a: Array, p: Array, da: Array) -> Array:
    """The change of the pseudoinverse P of A where A - A P A, which is cut off, is not negligible."""
    # With U and V the singular vectors, s_i kept and s_j cut off, and E = U^H dA V: P is V f(S) U^H with
    # f(s_i) = 1 / s_i and f(s_j) = 0, and (V^H dP U)_ij = (conj(E_ji) + s_j / s_i E_ij) / (s_i^2 - s_j^2), which is a
    # geometric series in s_j^2 / s_i^2 (V. Noferini, A formula for the Frechet derivative of a generalized matrix
    # function, 2017).
    rest, adjoint_da = a - a @ p @ a, adjoint(da)
    left, right = adjoint(p) @ p, p @ adjoint(p)
    across = right @ (adjoint_da + p @ da @ adjoint(rest))
    down = (adjoint_da + adjoint(rest) @ da @ p) @ left
    kept_rows = _series(across - across @ a @ p, right, rest @ adjoint(rest))
    kept_columns = adjoint(_series(adjoint(down - p @ (a @ down)), left, adjoint(rest) @ rest))
    return kept_rows + kept_columns - p @ da @ p


def _series(first: Array, left: Array, right: Array) -> Array:
    """The sum of left^k first right^k, twice as many terms in each turn; what is scaled on one side is on the other."""
    for _ in range(DOUBLINGS):
        size = np.sum(np.abs(left), axis=(-2, -1), keepdims=True)
        scale = np.where(size > 0, size, 1.0).astype(typeof(left).dtype)
        left, right = left / scale, right * scale
        first = first + left @ first @ right
        left, right = left @ left, right @ right
    return first


# --- inverses from factors ------------------------------------------------------------------------------


@final
class GramInverse(Primitive):
    """The lower triangle of (L L^H)^-1 for a lower triangular L; the upper triangle of L is not read."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        """The inverse of L takes 1/3 n**3, the lower triangle of its product with itself as much."""
        return of_matrices(inputs[0], cubed=2 / 3)

    def evaluate(self, *inputs: Array) -> Array:
        (factor,) = inputs
        is_plain = factor.ndim == 2 and type(factor) is np.ndarray and factor.dtype.kind == "f" and factor.size
        scipy = optional_scipy() if is_plain else None  # LAPACK's complex factors have real diagonals
        if scipy is None:
            inverse = np.linalg.inv(np.tril(factor))
            return np.tril(np.conj(np.swapaxes(inverse, -1, -2)) @ inverse)
        potri = scipy.get_lapack_funcs("potri", (factor,))
        transposed_inverse, failure = potri(factor.T, lower=0)  # LAPACK's arrays are in column-major order
        if failure:
            raise np.linalg.LinAlgError("Singular matrix")
        return np.multiply(transposed_inverse.T, _lower_mask(len(factor), factor.dtype), out=transposed_inverse.T)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # W = A^-1 for A = L L^H: dW = -W dA W, dA = L dL^H + its adjoint
        (factor,), (change,) = primals, tangents
        lower = self(factor)
        if change is None:
            return lower, None
        inverse, half = hermitian(lower, lower=True), LOWER(factor) @ adjoint(LOWER(change))
        return lower, LOWER(-(inverse @ (half + adjoint(half)) @ inverse))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@lru_cache(maxsize=16)
def _lower_mask(n: int, dtype: np.dtype[Any]) -> Array:
    return np.tri(n, dtype=dtype)


SOLVE, INVERSE, GRAM_INVERSE = Solve(), Inverse(), GramInverse()
