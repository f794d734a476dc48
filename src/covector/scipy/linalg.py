"""Twins of scipy.linalg's functions, for traced and plain arrays.

The options `overwrite_a` and `overwrite_b` allow SciPy to destroy an argument; nothing is destroyed here.
`check_finite` checks whatever values are known: under vmap or in a recorded graph there may be none.

    >>> solve_triangular(np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([2.0, 5.0]), lower=True)
    array([1., 1.])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from covector.core.broadcasting import Reshape
from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ConcreteValueError, ShapeMismatchError, UnsupportedArgumentError
from covector.numpy.linalg import floating, matrices, squares
from covector.numpy.registry import implements
from covector.ops.comparison import EQUAL, cast
from covector.ops.determinants import DETERMINANT
from covector.ops.elimination import LU_FACTORS, ORDER_OF_PIVOTS, PivotsOfPermutation
from covector.ops.indexing import Slice
from covector.ops.linalg_decompositions import (
    CHOLESKY,
    QR,
    SINGULAR_VALUES,
    HermitianEigen,
    HermitianEigenvalues,
    SingularValueDecomposition,
)
from covector.ops.linalg_solve import INVERSE, SOLVE, BandedSolve, TriangularSolve
from covector.ops.matrices import (
    LOWER,
    STRICTLY_LOWER,
    UPPER,
    adjoint,
    as_column,
    block,
    conjugated,
    hermitian,
    transposed,
)
from covector.ops.matrix_functions import (
    MATRIX_EXPONENTIAL,
    MATRIX_EXPONENTIAL_CHANGE,
    MATRIX_SQUARE_ROOT,
    SYLVESTER_SOLVE,
)
from covector.scipy.special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    fiedler,
    fiedler_companion,
    hankel,
    leslie,
    toeplitz,
)

__all__ = [
    "solve_triangular", "solve_banded", "solve_sylvester", "solve", "inv", "det",
    "cholesky", "cho_factor", "cho_solve", "lu", "lu_factor", "lu_solve", "qr", "svd", "eigh",
    "sqrtm", "expm", "expm_frechet",
    "block_diag", "circulant", "companion", "convolution_matrix", "fiedler", "fiedler_companion", "hankel", "leslie",
    "toeplitz",
]  # fmt: skip

# --- operands -------------------------------------------------------------------------------------------


def _finite(check: bool, *arrays: Array) -> None:
    """Raises SciPy's error if a known value is infinite or NaN, and that is to be checked."""
    if not check:
        return
    for x in arrays:
        try:
            value = x.concrete("whether all entries are finite") if isinstance(x, Tracer) else x
        except ConcreteValueError:
            continue
        if not np.isfinite(value).all():
            raise ValueError("array must not contain infs or NaNs")


def _with_columns(solve: Callable[[Array], Array], b: Array) -> Array:
    """The solution for a vector b, or for each column of a matrix b."""
    if typeof(b).ndim != 1:
        return solve(b)
    x = solve(as_column(b))
    return Reshape(typeof(x).shape[:-1])(x)


def _check_rows(name: str, a: Array, b: Array) -> None:
    rows = b.shape[max(-2, -typeof(b).ndim)] if typeof(b).ndim else None
    if rows != a.shape[-1]:
        raise ShapeMismatchError(f"{name}: shapes {a.shape} and {b.shape} are incompatible")


def _refuse_unless(name: str, option: str, value: Any, allowed: Sequence[Any]) -> None:
    if value not in allowed:
        raise UnsupportedArgumentError(
            f"covector.scipy.linalg.{name} supports {option}={' or '.join(map(repr, allowed))}, not {value!r}"
        )


# --- equations and inverses -----------------------------------------------------------------------------


@implements(scipy.linalg.solve_triangular)
def solve_triangular(
    a: Any, b: Any, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, check_finite: bool = True,
) -> Array:  # fmt: skip
    """x with a x = b (trans=0), a^T x = b (1) or a^H x = b (2), reading one triangle of a."""
    a, b = squares(a), floating(b)
    _finite(check_finite, a, b)
    _check_rows("solve_triangular", a, b)
    a, lower = _transformed(a, trans, lower)
    solve = TriangularSolve(lower, bool(unit_diagonal))
    return _with_columns(lambda columns: solve(a, columns), b)


def _transformed(a: Array, trans: int | str, lower: bool) -> tuple[Array, bool]:
    """The matrix, its transpose or its adjoint, and whether that is lower triangular."""
    if trans in (0, "N"):
        return a, bool(lower)
    if trans in (1, "T"):
        return transposed(a), not lower
    if trans in (2, "C"):
        return adjoint(a), not lower
    raise ValueError(f"trans is 0, 1, 2, 'N', 'T' or 'C', not {trans!r}")


@implements(scipy.linalg.solve_banded)
def solve_banded(
    l_and_u: tuple[int, int], ab: Any, b: Any, overwrite_ab: bool = False, overwrite_b: bool = False,
    check_finite: bool = True,
) -> Array:  # fmt: skip
    """x with a x = b and a[i, j] = ab[u + i - j, j], for l diagonals below and u above the main one."""
    ab, b = matrices(ab), floating(b)
    _finite(check_finite, ab, b)
    _check_rows("solve_banded", ab, b)
    lower, upper = l_and_u
    if lower + upper + 1 != ab.shape[-2]:
        raise ShapeMismatchError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 ({lower + upper + 1}) "
            f"does not equal ab.shape[-2] ({ab.shape[-2]})"
        )
    solve = BandedSolve(int(lower), int(upper))
    return _with_columns(lambda columns: solve(ab, columns), b)


@implements(scipy.linalg.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Array:
    """x with a x + x b = q."""
    return SYLVESTER_SOLVE(squares(a), squares(b), matrices(q))


@implements(scipy.linalg.solve)
def solve(
    a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
    check_finite: bool = True, assume_a: str | None = None, transposed: bool = False,
) -> Array:  # fmt: skip
    """x with a x = b; symmetric, Hermitian, positive definite and triangular matrices are read from one triangle."""
    a, b = squares(a), floating(b)
    _finite(check_finite, a, b)
    _check_rows("solve", a, b)
    a = _assumed(a, assume_a, lower)
    if transposed:
        a = _transformed(a, "T", False)[0]
    return _with_columns(lambda columns: SOLVE(a, columns), b)


def _assumed(a: Array, assumption: str | None, lower: bool) -> Array:
    """The matrix that is meant by a, given what is assumed of it."""
    if assumption in (None, "gen", "general"):
        return a
    if assumption in ("sym", "symmetric"):
        strict = STRICTLY_LOWER(a) if lower else STRICTLY_LOWER(transposed(a))
        return (LOWER(a) if lower else LOWER(transposed(a))) + transposed(strict)
    if assumption in ("her", "hermitian", "pos", "positive definite"):
        return hermitian(a, bool(lower))
    if assumption in ("lower triangular", "upper triangular"):
        return LOWER(a) if assumption == "lower triangular" else UPPER(a)
    raise UnsupportedArgumentError(
        "covector.scipy.linalg supports assume_a=None, 'general', 'symmetric', 'hermitian', 'positive definite', "
        f"'lower triangular' and 'upper triangular', not {assumption!r}"
    )


@implements(scipy.linalg.inv)
def inv(
    a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: str | None = None, lower: bool = False
) -> Array:
    """The inverse."""
    a = squares(a)
    _finite(check_finite, a)
    return INVERSE(_assumed(a, assume_a, lower))


@implements(scipy.linalg.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The determinant."""
    a = squares(a)
    _finite(check_finite, a)
    return DETERMINANT(a)


# --- Cholesky -------------------------------------------------------------------------------------------


@implements(scipy.linalg.cholesky)
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """U with U^H U = a, from the upper triangle, or L with L L^H = a, from the lower."""
    a = squares(a)
    _finite(check_finite, a)
    return CHOLESKY(a) if lower else adjoint(CHOLESKY(adjoint(a)))


@implements(scipy.linalg.cho_factor)
def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    """The Cholesky factor for `cho_solve`, with zeros in the triangle that is not used, and `lower`."""
    return cholesky(a, lower, overwrite_a, check_finite), lower


@implements(scipy.linalg.cho_solve)
def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """x with a x = b, from the Cholesky factor of a."""
    c, lower = c_and_lower
    c, b = squares(c), floating(b)
    _finite(check_finite, c, b)
    _check_rows("cho_solve", c, b)
    first, second = (c, adjoint(c)) if lower else (adjoint(c), c)
    return _with_columns(
        lambda columns: TriangularSolve(lower=False)(second, TriangularSolve(lower=True)(first, columns)), b
    )


# --- elimination ----------------------------------------------------------------------------------------


@implements(scipy.linalg.lu)
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False
) -> tuple[Array, ...]:
    """P, L, U with a = P L U; P L and U if `permute_l`; p, L, U with a = L[p] U if `p_indices`."""
    a = matrices(a)
    _finite(check_finite, a)
    p, lower, upper = LU_FACTORS(a)
    if p_indices and not permute_l:
        return p, lower, upper
    matrix = cast(EQUAL(as_column(p), np.arange(p.shape[-1])), np.finfo(typeof(a).dtype).dtype)
    return (matrix @ lower, upper) if permute_l else (matrix, lower, upper)


@implements(scipy.linalg.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """L below the diagonal and U above it in one matrix, and the row that each row was exchanged with."""
    a = matrices(a)
    _finite(check_finite, a)
    p, lower, upper = LU_FACTORS(a)
    m, n = a.shape[-2:]
    strict = STRICTLY_LOWER(lower)
    return _joined(strict, upper, m, n), PivotsOfPermutation(min(m, n))(p)


def _joined(strict: Array, upper: Array, m: int, n: int) -> Array:
    """The triangles of L and U in one m x n matrix."""
    k = min(m, n)
    if m == n:
        return strict + upper
    if m > n:
        return np.concatenate([block(strict, (0, k), (None, None)) + upper, block(strict, (k, None), (None, None))], -2)
    return np.concatenate([strict + block(upper, (None, None), (0, k)), block(upper, (None, None), (k, None))], -1)


@implements(scipy.linalg.lu_solve)
def lu_solve(
    lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """x with a x = b (trans=0), a^T x = b (1) or a^H x = b (2), from what `lu_factor` gives for a."""
    factors, pivots = squares(lu_and_piv[0]), lu_and_piv[1]
    b = floating(b)
    _finite(check_finite, factors, b)
    _check_rows("lu_solve", factors, b)
    order = ORDER_OF_PIVOTS(pivots)
    if trans == 0:
        return _with_columns(lambda columns: _lu_solve(factors, _rows(columns, order)), b)
    _refuse_unless("lu_solve", "trans", trans, (0, 1, 2))
    factors = conjugated(factors) if trans == 2 else factors
    return _with_columns(lambda columns: _rows(_lu_solve_transposed(factors, columns), np.argsort(order)), b)


def _lu_solve(factors: Array, b: Array) -> Array:
    return TriangularSolve(lower=False)(factors, TriangularSolve(lower=True, unit=True)(factors, b))


def _lu_solve_transposed(factors: Array, b: Array) -> Array:
    flipped = transposed(factors)
    return TriangularSolve(lower=False, unit=True)(flipped, TriangularSolve(lower=True)(flipped, b))


def _rows(x: Array, order: Array) -> Array:
    """The rows in another order, which may differ from matrix to matrix of a stack."""
    return np.take_along_axis(x, as_column(order), -2)


# --- orthogonal factors ---------------------------------------------------------------------------------


@implements(scipy.linalg.qr)
def qr(
    a: Any, overwrite_a: bool = False, lwork: int | None = None, mode: str = "full", pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Array, ...]:  # fmt: skip
    """Q and R with a = Q R, Q square unless `mode` is "economic"; R alone for "r"."""
    _refuse_unless("qr", "pivoting", pivoting, (False,))
    _refuse_unless("qr", "mode", mode, ("full", "r", "economic"))
    a = matrices(a)
    _finite(check_finite, a)
    q, r = QR(complete=mode != "economic")(a)
    return (r,) if mode == "r" else (q, r)


@implements(scipy.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False,
    check_finite: bool = True, lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """U, s and V^H with a = U diag(s) V^H, or s alone."""
    _refuse_unless("svd", "lapack_driver", lapack_driver, ("gesdd",))
    a = matrices(a)
    _finite(check_finite, a)
    return SingularValueDecomposition(bool(full_matrices))(a) if compute_uv else SINGULAR_VALUES(a)


@implements(scipy.linalg.eigh)
def eigh(
    a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False, overwrite_a: bool = False,
    overwrite_b: bool = False, type: int = 1, check_finite: bool = True, subset_by_index: Sequence[int] | None = None,
    subset_by_value: None = None, driver: None = None,
) -> Any:  # fmt: skip
    """Ascending w and v with a v = v diag(w), or a v = b v diag(w) and v^H b v = 1 for positive definite b."""
    _refuse_unless("eigh", "type", type, (1,))
    _refuse_unless("eigh", "subset_by_value", subset_by_value, (None,))
    _refuse_unless("eigh", "driver", driver, (None,))
    a = squares(a)
    _finite(check_finite, a)
    factor = None if b is None else cholesky(b, lower, overwrite_b, check_finite)
    if factor is not None:
        # b = L L^H turns a v = b v w into (L^-1 a L^-H) (L^H v) = (L^H v) w
        factor = factor if lower else adjoint(factor)
        forwards = TriangularSolve(lower=True)
        a, lower = forwards(factor, adjoint(forwards(factor, hermitian(a, bool(lower))))), True
    if eigvals_only:
        return _subset(HermitianEigenvalues(bool(lower))(a), subset_by_index)
    w, v = HermitianEigen(bool(lower))(a)
    if factor is not None:
        v = TriangularSolve(lower=False)(adjoint(factor), v)
    return _subset(w, subset_by_index), _subset(v, subset_by_index)


def _subset(x: Array, indices: Sequence[int] | None) -> Array:
    """The entries along the last axis from the first index to the second, both included."""
    if indices is None:
        return x
    first, last = indices
    if not 0 <= first <= last < x.shape[-1]:
        raise ValueError(f"subset_by_index is 0 <= start <= stop < {x.shape[-1]}, not {tuple(indices)}")
    return Slice((Ellipsis, (int(first), int(last) + 1, None)))(x)


# --- functions of matrices ------------------------------------------------------------------------------


@implements(scipy.linalg.sqrtm)
def sqrtm(A: Any) -> Array:
    """The principal square root. That of a real matrix has to be real: cast to complex where it is not."""
    return MATRIX_SQUARE_ROOT(squares(A))


@implements(scipy.linalg.expm)
def expm(A: Any) -> Array:
    """The exponential 1 + A + A^2 / 2 + ..."""
    return MATRIX_EXPONENTIAL(squares(A))


@implements(scipy.linalg.expm_frechet)
def expm_frechet(
    A: Any, E: Any, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """The exponential of A and its derivative in the direction E, or the derivative alone."""
    _refuse_unless("expm_frechet", "method", method, (None, "blockEnlarge"))
    a, e = squares(A), squares(E)
    _finite(check_finite, a, e)
    if a.shape != e.shape:
        raise ShapeMismatchError(f"expm_frechet: A and E have shapes {a.shape} and {e.shape}, which should agree")
    change = MATRIX_EXPONENTIAL_CHANGE(a, e)
    return (MATRIX_EXPONENTIAL(a), change) if compute_expm else change
