"""Factors of matrices: Cholesky, eigenvalues and eigenvectors, singular values and vectors, QR.

A rule differentiates the equation that defines the factors, and solves it for their tangents. Gaps between
eigenvalues (or singular values) occur in denominators, but only in tangents of the vectors; where they are zero
`degeneracy` says what happens. The tangents of the values never meet a gap, so that functions of the values alone
keep their first derivative, and those of the vectors are deferred: where only values are used, they never exist.

    M. B. Giles, An extended collection of matrix derivative results for forward and reverse mode algorithmic
    differentiation (2008). C. Boeddeker et al., On the computation of complex-valued gradients with application
    to statistically optimum beamforming (2017).

Matrices that LAPACK takes to be Hermitian are read from one triangle, and differentiated as they are read:
the derivative with respect to an entry that is not read is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Cast
from covector.core.primitive import Deferred, Primitive, parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.ops.axes import Concatenate, Sum
from covector.ops.comparison import PiecewiseConstant
from covector.ops.counts import of_matrices
from covector.ops.degeneracy import DEPENDENT, Degenerate, over_gaps
from covector.ops.indexing import WHOLE, PutSlice
from covector.ops.linalg_solve import INVERSE, SOLVE, TriangularSolve
from covector.ops.matrices import (
    DIAGONAL,
    STRICTLY_LOWER,
    UPPER,
    adjoint,
    as_column,
    as_row,
    block,
    conjugated,
    hermitian,
    imaginary_part,
    is_complex,
    real_part,
    transposed,
)
from covector.ops.parts import real_dtype

ALL = (None, None)


class Decomposition(Primitive):
    """A primitive with one matrix as its input, which NumPy computes for a whole stack of matrices."""

    __slots__ = ()

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        """The factors of a larger stack."""
        return self(*inputs)


# --- Cholesky ---------------------------------------------------------------------------------------------


@final
class Cholesky(Decomposition):
    """Lower triangular L with L L^H = A, of which the lower triangle is read."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=1 / 3)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.cholesky(inputs[0])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # L^-1 dA L^-H = L^-1 dL + (L^-1 dL)^H, the sum of a lower triangle and its adjoint
        (a,), (da,) = primals, tangents
        factor = self(a)
        if da is None:
            return factor, None
        solve = TriangularSolve(lower=True)
        both = solve(factor, adjoint(solve(factor, hermitian(da, lower=True))))
        return factor, factor @ (both * halved_triangle(typeof(a).shape[-1], real_dtype(typeof(a).dtype)))


@lru_cache(maxsize=16)
def halved_triangle(n: int, dtype: np.dtype[Any]) -> Array:
    """The matrix that, entry by entry, turns the sum of a lower triangle and its adjoint into the triangle."""
    weights = np.tri(n, dtype=dtype)
    weights[np.diag_indices(n)] = 0.5
    weights.flags.writeable = False
    return weights


# --- eigenvalues ------------------------------------------------------------------------------------------


@final
@parametrized
class HermitianEigen(Decomposition):
    """Ascending eigenvalues w and orthonormal eigenvectors V, A V = V diag(w), from the lower or upper triangle."""

    lower: bool

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=9.0)

    def evaluate(self, *inputs: Array) -> tuple[Array, Array]:
        w, v = np.linalg.eigh(inputs[0], "L" if self.lower else "U")
        return w, v

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType]:
        (a,) = inputs
        return ArrayType(a.shape[:-1], real_dtype(a.dtype)), a.strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # With V^H dV = W skew-Hermitian: V^H dA V = diag(dw) + W diag(w) - diag(w) W
        (a,), (da,) = primals, tangents
        w, v = self(a)
        if da is None:
            return (w, v), (None, None)
        change = adjoint(v) @ (hermitian(da, self.lower) @ v)
        return (w, v), (real_part(DIAGONAL(change)), Deferred(_vectors_change, w, v, change, "eigh"))


def _vectors_change(w: Array, v: Array, change: Array, situation: str) -> Array:
    """V W with W_ij = change_ij / (w_j - w_i), 0 on the diagonal."""
    return v @ over_gaps(change, as_row(w) - as_column(w), w, situation)


@final
@parametrized
class HermitianEigenvalues(Decomposition):
    """Ascending eigenvalues of a Hermitian matrix, read from its lower or upper triangle."""

    lower: bool

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=4 / 3)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.eigvalsh(inputs[0], "L" if self.lower else "U")

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape[:-1], real_dtype(inputs[0].dtype))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        if da is None:
            return self(a), None
        w, v = HermitianEigen(self.lower)(a)
        return w, real_part(_column_products(conjugated(v), hermitian(da, self.lower) @ v))


@final
class Eigen(Decomposition):
    """Eigenvalues w and eigenvectors V of a general matrix, A V = V diag(w); always complex.

    The columns of V have norm 1, and the entry of largest absolute value is real.
    """

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=25.0)

    def evaluate(self, *inputs: Array) -> tuple[Array, Array]:
        dtype = _complex_dtype(inputs[0].dtype)
        w, v = np.linalg.eig(inputs[0])
        return w.astype(dtype), v.astype(dtype)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType]:
        shape, dtype = inputs[0].shape, _complex_dtype(inputs[0].dtype)
        return ArrayType(shape[:-1], dtype), ArrayType(shape, dtype)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # With dV = V W: V^-1 dA V = diag(dw) + W diag(w) - diag(w) W, which leaves the diagonal of W free
        (a,), (da,) = primals, tangents
        w, v = self(a)
        if da is None:
            return (w, v), (None, None)
        change = SOLVE(v, _in_basis(v, da))
        return (w, v), (DIAGONAL(change), Deferred(_normalized_change, w, v, change))


def _in_basis(v: Array, da: Array) -> Array:
    """dA V, which warns if the eigenvectors are not a basis."""
    return Degenerate("defective")(Cast(typeof(v).dtype)(da) @ v, DEPENDENT(v))


def _normalized_change(w: Array, v: Array, change: Array) -> Array:
    """The tangent of the eigenvectors as they are normalized."""
    dv = _vectors_change(w, v, change, "eig")
    return dv + v * as_row(_normalization(v, dv))


def _normalization(v: Array, dv: Array) -> Array:
    """The multiples c of the columns of V so that dV + V diag(c) keeps norm 1 and the reference entry real.

    Re(v^H (dv + c v)) = 0 gives Re c = -Re(v^H dv), and Im(dv_k + c v_k) = 0 gives Im c = -Im(dv_k) / v_k.
    """
    reference = LARGEST_ENTRY(v)
    size = real_part(_column_products(reference, v))
    lengthening = real_part(_column_products(conjugated(v), dv))
    turning = imaginary_part(_column_products(reference, dv))
    return -(lengthening + turning * (1j / size))


@final
class LargestEntry(PiecewiseConstant):
    """1 at the entry of largest absolute value in each column, 0 elsewhere."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        magnitudes = np.abs(inputs[0])
        if magnitudes.size == 0:
            return magnitudes
        chosen = np.argmax(magnitudes, axis=-2, keepdims=True)
        return (np.arange(magnitudes.shape[-2])[:, None] == chosen).astype(magnitudes.dtype)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, real_dtype(inputs[0].dtype))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
class Eigenvalues(Decomposition):
    """The eigenvalues of a general matrix, always complex; with eigenvectors V, dw = diag(V^-1 dA V)."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=10.0)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.eigvals(inputs[0]).astype(_complex_dtype(inputs[0].dtype))

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape[:-1], _complex_dtype(inputs[0].dtype))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        if da is None:
            return self(a), None
        w, v = Eigen()(a)
        return w, _column_products(transposed(INVERSE(v)), _in_basis(v, da))


def _complex_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64)


def _column_products(x: Array, y: Array) -> Array:
    """The sums of x y over each column."""
    return Sum((typeof(y).ndim - 2,))(x * y)


# --- singular values --------------------------------------------------------------------------------------


@final
@parametrized
class SingularValueDecomposition(Decomposition):
    """Orthonormal U, descending s and orthonormal V^H with A = U diag(s) V^H; U and V square if `full`."""

    full: bool

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=14.0, cubed=8.0)

    def evaluate(self, *inputs: Array) -> tuple[Array, Array, Array]:
        u, s, vh = np.linalg.svd(inputs[0], full_matrices=self.full)
        return u, s, vh

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType, ArrayType]:
        (a,) = inputs
        *leading, m, n = a.shape
        k = min(m, n)
        u, vh = ((m, m), (n, n)) if self.full else ((m, k), (k, n))
        return (
            ArrayType((*leading, *u), a.dtype),
            ArrayType((*leading, k), real_dtype(a.dtype)),
            ArrayType((*leading, *vh), a.dtype),
        )

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        u, s, vh = self(a)
        if da is None:
            return (u, s, vh), (None, None, None)
        k, v = typeof(s).shape[-1], adjoint(vh)
        left, right = block(u, ALL, (0, k)), block(v, ALL, (0, k))
        change = adjoint(left) @ da @ right
        turns = Deferred(_turns, s, change)
        du = Deferred(_left_change, u, s, right, da, turns)
        dvh = Deferred(_right_change, v, s, left, da, turns)
        return (u, s, vh), (du, real_part(DIAGONAL(change)), dvh)


def _turns(s: Array, change: Array) -> tuple[Array, Array]:
    """W_U and W_V, with W_U = U^H dU and W_V = V^H dV, both skew-Hermitian.

    U and V are cut to k = min(m, n) columns, and E = U^H dA V = W_U diag(s) + diag(ds) - diag(s) W_V. The Hermitian
    part H and the skew part K of E give, entry by entry,

        W_U = H / (s_j - s_i) + K / (s_j + s_i),    W_V = H / (s_j - s_i) - K / (s_j + s_i):

    only H meets the gap, so that U V^H, say, keeps its derivative at equal singular values.
    """
    mirrored = adjoint(change)
    turn = over_gaps((change + mirrored) * 0.5, as_row(s) - as_column(s), s, "svd")
    twist = over_gaps((change - mirrored) * 0.5, as_row(s) + as_column(s), s, "svd", diagonal=is_complex(change))
    return turn + twist, turn - twist


def _left_change(u: Array, s: Array, right: Array, da: Array, turns: Deferred) -> Array:
    """The tangent of U."""
    left = block(u, ALL, (0, typeof(s).shape[-1]))
    return _beyond(u, s, left @ turns.value()[0], da @ right)


def _right_change(v: Array, s: Array, left: Array, da: Array, turns: Deferred) -> Array:
    """The tangent of V^H."""
    right = block(v, ALL, (0, typeof(s).shape[-1]))
    return adjoint(_beyond(v, s, right @ turns.value()[1], adjoint(da) @ left))


def _beyond(u: Array, s: Array, inside: Array, moved: Array) -> Array:
    """The tangent of U from `inside`, its part in the span of the first k columns, and `moved`, which is dA V.

    If U is not square, the part of dU that leaves the span is that of dA V diag(1/s). If it is square and k is less
    than its size, the other columns U' move so that U'^H dU = -(dU'^H U), and do not turn among themselves.
    """
    rows, columns = typeof(u).shape[-2:]
    k = typeof(s).shape[-1]
    if rows == k:
        return inside
    moved = over_gaps(moved, as_row(s), s, "svd", diagonal=True)
    first = block(u, ALL, (0, k))
    if columns == k:
        return inside + moved - first @ (adjoint(first) @ moved)
    rest = block(u, ALL, (k, None))
    outward = adjoint(rest) @ moved
    return _side_by_side(inside + rest @ outward, -(first @ adjoint(outward)))


def _side_by_side(x: Array, y: Array) -> Array:
    return Concatenate(typeof(x).ndim - 1)(x, y)


@final
class SingularValues(Decomposition):
    """The singular values in descending order; ds = Re diag(U^H dA V)."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=4.0, cubed=-4 / 3)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.svd(inputs[0], compute_uv=False)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        *leading, m, n = inputs[0].shape
        return ArrayType((*leading, min(m, n)), real_dtype(inputs[0].dtype))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        if da is None:
            return self(a), None
        u, s, vh = SingularValueDecomposition(full=False)(a)
        return s, real_part(_column_products(conjugated(u), da @ adjoint(vh)))


# --- triangular factors -----------------------------------------------------------------------------------


@final
@parametrized
class QR(Decomposition):
    """Orthonormal Q and upper triangular R with A = Q R; Q square if `complete`, else of min(m, n) columns."""

    complete: bool

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=4.0, cubed=-4 / 3)

    def evaluate(self, *inputs: Array) -> tuple[Array, Array]:
        q, r = np.linalg.qr(inputs[0], "complete" if self.complete else "reduced")
        return q, r

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType]:
        (a,) = inputs
        *leading, m, n = a.shape
        inner = m if self.complete else min(m, n)
        return ArrayType((*leading, m, inner), a.dtype), ArrayType((*leading, inner, n), a.dtype)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # With R cut to its first k = min(m, n) rows and columns, dA to k columns, and W = Q^H dQ skew-Hermitian:
        #     E = Q^H dA R^-1 = W + dR R^-1,
        # of which the last term is upper triangular with a real diagonal: W is, below its diagonal, E.
        (a,), (da,) = primals, tangents
        q, r = self(a)
        if da is None:
            return (q, r), (None, None)
        k = min(typeof(a).shape[-2:])
        factor = transposed(block(r, (0, k), (0, k)))
        moved = transposed(TriangularSolve(lower=True)(factor, transposed(block(da, ALL, (0, k)))))
        change = adjoint(q) @ moved
        turn = _skew(change)
        square = typeof(q).shape[-1] == typeof(q).shape[-2]
        dq = q @ turn if square else q @ (turn - change) + moved
        return (q, r), (dq, UPPER(adjoint(q) @ da - turn @ r))


def _skew(change: Array) -> Array:
    """The skew-Hermitian matrix with these entries below the diagonal, and their imaginary parts on it."""
    *_, rows, columns = typeof(change).shape
    if rows > columns:
        whole = (WHOLE,) * (typeof(change).ndim - 1)
        change = PutSlice((*whole, (0, columns, None)), (*typeof(change).shape[:-1], rows))(change)
    below = STRICTLY_LOWER(change)
    skew = below - adjoint(below)
    if not is_complex(change):
        return skew
    diagonal = change * np.eye(rows, dtype=typeof(change).dtype)
    return skew + imaginary_part(diagonal) * 1j


CHOLESKY, EIGEN, EIGENVALUES, SINGULAR_VALUES = Cholesky(), Eigen(), Eigenvalues(), SingularValues()
LARGEST_ENTRY = LargestEntry()
