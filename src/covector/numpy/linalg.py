"""numpy.linalg: equations, inverses, determinants and decompositions; norms are in `norms`.

Functions with several results return the named tuples that NumPy's return.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from covector.core.broadcasting import Reshape
from covector.core.interpreter import Tracer
from covector.core.types import Array, Shape, typeof
from covector.errors import ConcreteValueError, UnsupportedArgumentError
from covector.numpy.contractions import dot
from covector.numpy.operands import operand
from covector.numpy.reductions import squared_magnitude
from covector.numpy.registry import implements, refuse
from covector.ops.axes import Permute, Sum
from covector.ops.comparison import cast
from covector.ops.determinants import DETERMINANT, SLOGDET
from covector.ops.linalg_decompositions import (
    CHOLESKY,
    EIGEN,
    EIGENVALUES,
    QR,
    SINGULAR_VALUES,
    HermitianEigen,
    HermitianEigenvalues,
    SingularValueDecomposition,
)
from covector.ops.linalg_solve import INVERSE, SOLVE, PseudoInverse
from covector.ops.matrices import adjoint, as_column, as_row, hermitian, real_part

_ONE = np.ones((1, 1))
EigResult: Any = type(np.linalg.eig(_ONE))
EighResult: Any = type(np.linalg.eigh(_ONE))
SVDResult: Any = type(np.linalg.svd(_ONE))
QRResult: Any = type(np.linalg.qr(_ONE))
SlogdetResult: Any = type(np.linalg.slogdet(_ONE))

# --- operands -------------------------------------------------------------------------------------------


def floating(x: Any) -> Array:
    """The operand; integers and booleans become double precision."""
    x = operand(x)
    return x if typeof(x).differentiable else cast(x, np.float64)


def matrices(a: Any) -> Array:
    """The operand as a stack of matrices."""
    a = floating(a)
    ndim = typeof(a).ndim
    if ndim < 2:
        raise LinAlgError(f"{ndim}-dimensional array given. Array must be at least two-dimensional")
    return a


def squares(a: Any) -> Array:
    """The operand as a stack of square matrices."""
    a = matrices(a)
    if a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"the last two axes of the array must have one length, not {a.shape[-2]} and {a.shape[-1]}")
    return a


def _reads_lower(uplo: str) -> bool:
    if uplo.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo.upper() == "L"


# --- equations and inverses -----------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Array:
    """x with a x = b; b is a vector, or a stack of matrices."""
    a, b = squares(a), floating(b)
    if typeof(b).ndim == 0:
        raise LinAlgError("0-dimensional array given. Array must be at least one-dimensional")
    if typeof(b).ndim > 1:
        return SOLVE(a, b)
    x = SOLVE(a, as_column(b))
    return Reshape(x.shape[:-1])(x)


@implements(np.linalg.inv)
def inv(a: Any) -> Array:
    """The inverses of square matrices."""
    return INVERSE(squares(a))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Array:
    """The Moore-Penrose inverses; Hermitian matrices are read from their lower triangle."""
    a = matrices(a)
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    if rcond is None and rtol is None:
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype).eps
    elif rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    if np.ndim(rcond):
        raise UnsupportedArgumentError("numpy.linalg.pinv of a traced array supports one number as rcond= or rtol=")
    return PseudoInverse(float(rcond))(_hermitian(a) if hermitian else a)


def _hermitian(a: Array) -> Array:
    return hermitian(squares(a), lower=True)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Array, Array, Array, Array]:
    """The least-squares solution, the sums of squared residuals, the rank and the singular values of a.

    The residuals are empty where NumPy's are: for rank below the number of columns, or no more rows than
    columns. Under vmap, where the rank is not known, it is taken to be full.
    """
    a, b = matrices(a), floating(b)
    if typeof(a).ndim != 2:
        raise LinAlgError(f"{typeof(a).ndim}-dimensional array given. Array must be two-dimensional")
    m, n = a.shape
    if rcond is None:
        rcond = max(m, n) * np.finfo(a.dtype).eps
    columns = b if typeof(b).ndim == 2 else as_column(b)
    x = PseudoInverse(float(rcond))(a) @ columns
    s = SINGULAR_VALUES(a)
    rank = np.sum(s > rcond * np.max(s, initial=0.0), dtype=np.int32)
    if m > n and _known(rank, n) == n:
        residuals = Sum((0,))(squared_magnitude(columns - a @ x))
    else:
        residuals = np.zeros(0, real_part(a).dtype)
    return x if typeof(b).ndim == 2 else Reshape((n,))(x), residuals, rank, s


def _known(value: Array, otherwise: int) -> int:
    """The value of an integer, or another where a transformation has no one value for it."""
    if not isinstance(value, Tracer):
        return int(value)
    try:
        return int(value.concrete("the rank"))
    except ConcreteValueError:
        return otherwise


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Array:
    """x with tensordot(a, x, x.ndim) = b."""
    a, b = operand(a), operand(b)
    ndim = typeof(a).ndim
    if axes is not None:
        last = [axis % ndim for axis in axes]
        a = Permute((*(i for i in range(ndim) if i not in last), *last))(a)
    shape = a.shape[typeof(b).ndim :]
    size = int(np.prod(shape, dtype=np.intp))
    if typeof(a).size != size**2:
        raise LinAlgError("Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])")
    return Reshape(shape)(solve(Reshape((size, size))(a), Reshape((size,))(b)))


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Array:
    """The inverse of a as a map from its last axes to its first `ind`."""
    a = operand(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    first, last = a.shape[:ind], a.shape[ind:]
    size = int(np.prod(last, dtype=np.intp))
    return Reshape(last + first)(inv(Reshape((size, typeof(a).size // max(size, 1)))(a)))


# --- determinants ---------------------------------------------------------------------------------------


@implements(np.linalg.det)
def det(a: Any) -> Array:
    """The determinants of square matrices."""
    return DETERMINANT(squares(a))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """The signs and the logarithms of the absolute values of determinants."""
    return SlogdetResult(*SLOGDET(squares(a)))


# --- decompositions -------------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Array:
    """L with L L^H = a, from the lower triangle of a, or the adjoint of L, from the upper."""
    a = squares(a)
    return adjoint(CHOLESKY(adjoint(a))) if upper else CHOLESKY(a)


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """Ascending eigenvalues and orthonormal eigenvectors of Hermitian matrices, from one triangle."""
    return EighResult(*HermitianEigen(_reads_lower(UPLO))(squares(a)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Array:
    """Ascending eigenvalues of Hermitian matrices, from one triangle."""
    return HermitianEigenvalues(_reads_lower(UPLO))(squares(a))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and eigenvectors; real if all are, and if that is known: under vmap they are complex.

    In forward mode the real part of the vectors is taken whether they are used or not, so that their derivative warns
    at equal eigenvalues; that of `eigvals` does not.
    """
    a = squares(a)
    w, v = EIGEN(a)
    if _all_real(a, w):
        w, v = real_part(w), real_part(v)
    return EigResult(w, v)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Array:
    """Eigenvalues; real if all are, and if that is known: under vmap they are complex."""
    a = squares(a)
    w = EIGENVALUES(a)
    return real_part(w) if _all_real(a, w) else w


def _all_real(a: Array, w: Array) -> bool:
    """Whether NumPy gives the eigenvalues w of a as real numbers."""
    if typeof(a).dtype.kind == "c":
        return False
    try:
        values = w.concrete("whether all eigenvalues are real") if isinstance(w, Tracer) else w
    except ConcreteValueError:
        return False
    return bool(np.all(values.imag == 0.0))


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Singular vectors and descending singular values, or the values alone."""
    a = matrices(a)
    if hermitian:
        return _hermitian_svd(squares(a), compute_uv)
    if not compute_uv:
        return SINGULAR_VALUES(a)
    return SVDResult(*SingularValueDecomposition(bool(full_matrices))(a))


def _hermitian_svd(a: Array, compute_uv: bool) -> Any:
    """The singular values as the absolute values of the eigenvalues, in descending order."""
    if not compute_uv:
        return np.flip(np.sort(np.abs(eigvalsh(a)), axis=-1), -1)
    w, v = eigh(a)
    order = np.flip(np.argsort(np.abs(w), axis=-1), -1)
    w, v = np.take_along_axis(w, order, -1), np.take_along_axis(v, as_row(order), -1)
    return SVDResult(v, np.abs(w), adjoint(v * as_row(np.sign(w))))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Array:
    """The singular values in descending order."""
    return SINGULAR_VALUES(matrices(x))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Orthonormal Q and upper triangular R, or R alone."""
    if mode not in ("reduced", "complete", "r"):
        raise UnsupportedArgumentError(
            f"numpy.linalg.qr of a traced array supports mode='reduced', 'complete' and 'r', not {mode!r}"
        )
    q, r = QR(complete=mode == "complete")(matrices(a))
    return r if mode == "r" else QRResult(q, r)


# --- products and powers --------------------------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Array:
    """The n-th power of square matrices, by repeated squaring."""
    a, n = operand(a), operator.index(n)
    if typeof(a).ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise LinAlgError(f"the last two axes of the array must have one length; its shape is {a.shape}")
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape).copy()
    square = inv(a) if n < 0 else a
    bits = bin(abs(n))[:1:-1]
    factors = []
    for bit in bits:
        factors += [square] if bit == "1" else []
        square = square @ square if len(factors) < bits.count("1") else square
    return reduce(operator.matmul, factors)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Any], *, out: None = None) -> Array:
    """The product of matrices in the order that takes the fewest multiplications."""
    refuse(np.linalg.multi_dot, out=out)
    chain = [operand(x) for x in arrays]
    if len(chain) < 2:
        raise ValueError("Expecting at least two arrays.")
    ends = typeof(chain[0]).ndim, typeof(chain[-1]).ndim
    chain[0] = as_row(chain[0]) if ends[0] == 1 else chain[0]
    chain[-1] = as_column(chain[-1]) if ends[1] == 1 else chain[-1]
    if any(typeof(x).ndim != 2 for x in chain):
        raise LinAlgError(f"multi_dot takes matrices; the shapes are {[x.shape for x in arrays]}")
    product = _product(chain, _splits([x.shape for x in chain]), 0, len(chain) - 1)
    shape = (*product.shape[ends[0] == 1 : 1], *product.shape[1 : 1 + (ends[1] != 1)])
    return product if len(shape) == 2 else Reshape(shape)(product)


def _splits(shapes: Sequence[Shape]) -> dict[tuple[int, int], int]:
    """Where best to split the product of matrices i to j (T. H. Cormen et al., Introduction to Algorithms, 14.2)."""
    sizes = [shapes[0][0], *(shape[1] for shape in shapes)]
    costs = {(i, i): 0 for i in range(len(shapes))}
    splits = {}
    for length in range(1, len(shapes)):
        for i in range(len(shapes) - length):
            j = i + length
            options = [(costs[i, k] + costs[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            costs[i, j], splits[i, j] = min(options)
    return splits


def _product(chain: Sequence[Array], splits: dict[tuple[int, int], int], i: int, j: int) -> Array:
    if i == j:
        return chain[i]
    k = splits[i, j]
    return dot(_product(chain, splits, i, k), _product(chain, splits, k + 1, j))
