"""Twins of SciPy's constructors of matrices from vectors: Toeplitz, Hankel, block diagonal, companion, ...

Almost all of them pick entries of a vector by a constant array of indices. They are found in
`covector.scipy.linalg`, as SciPy's are in `scipy.linalg`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from covector.core.broadcasting import Reshape
from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError
from covector.numpy.operands import operand
from covector.numpy.registry import implements
from covector.ops.axes import Concatenate, FromDiagonal
from covector.ops.comparison import cast
from covector.ops.indexing import Gather, PutSlice, Slice
from covector.ops.matrices import as_column, as_row, conjugated

BACKWARDS = Slice(((None, None, -1),))


def vector(x: Any, name: str) -> Array:
    """The operand, which has to have one axis."""
    x = operand(x)
    if typeof(x).ndim != 1:
        raise ShapeMismatchError(f"{name} takes vectors, not an array of shape {typeof(x).shape}")
    return x


def _flat(x: Any) -> Array:
    x = operand(x)
    return Reshape((typeof(x).size,))(x)


def _after_first(x: Array) -> Array:
    return Slice(((1, None, None),))(x)


@implements(scipy.linalg.block_diag)
def block_diag(*arrs: Any) -> Array:
    """The matrices along the diagonal, zeros elsewhere; a vector is a matrix with one row."""
    blocks = [operand(x) for x in arrs or ([],)]
    blocks = [x if typeof(x).ndim == 2 else Reshape((1, typeof(x).size))(x) for x in blocks if _is_block(x)]
    dtype = np.result_type(*(typeof(x).dtype for x in blocks))
    width = sum(x.shape[1] for x in blocks)
    rows, start = [], 0
    for x in blocks:
        height, columns = x.shape
        rows.append(PutSlice(((None, None, None), (start, start + columns, None)), (height, width))(cast(x, dtype)))
        start += columns
    return Concatenate(0)(*rows)


def _is_block(x: Array) -> bool:
    if typeof(x).ndim > 2:
        raise ShapeMismatchError(f"block_diag takes matrices, not an array of shape {typeof(x).shape}")
    return True


@implements(scipy.linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Array:
    """The matrix with first column c and first row r (conj(c) by default, r[0] ignored), constant along diagonals."""
    c = vector(c, "toeplitz")
    r = conjugated(c) if r is None else vector(r, "toeplitz")
    m, n = c.shape[0], r.shape[0]
    values = Concatenate(0)(BACKWARDS(c), _after_first(r))
    return Gather()(values, np.arange(m - 1, -1, -1)[:, None] + np.arange(n))


@implements(scipy.linalg.hankel)
def hankel(c: Any, r: Any = None) -> Array:
    """The matrix with first column c and last row r (zeros by default, r[0] ignored), constant along antidiagonals."""
    c = _flat(c)
    r = np.zeros_like(c) if r is None else _flat(r)
    values = Concatenate(0)(c, _after_first(r))
    return Gather()(values, np.arange(c.shape[0])[:, None] + np.arange(typeof(r).shape[0]))


@implements(scipy.linalg.circulant)
def circulant(c: Any) -> Array:
    """The matrices whose column j is c moved on cyclically by j places."""
    c = operand(c)
    n = c.shape[-1]
    return Gather(typeof(c).ndim - 1)(c, (np.arange(n)[:, None] - np.arange(n)) % n)


@implements(scipy.linalg.companion)
def companion(a: Any) -> Array:
    """The matrix with first row -a[1:] / a[0] and ones below the diagonal: its characteristic polynomial is a."""
    a = vector(a, "companion")
    n = a.shape[0] - 1
    if n < 1:
        raise ShapeMismatchError("companion takes at least two coefficients")
    row = -_after_first(a) / (Slice((0,))(a) * 1.0)
    return Concatenate(0)(as_row(row), np.eye(n - 1, n, dtype=row.dtype))


@implements(scipy.linalg.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Array:
    """The matrix A with A @ v = np.convolve(a, v, mode) for every v of length n."""
    a = vector(a, "convolution_matrix")
    m = a.shape[0]
    if n <= 0 or m == 0:
        raise ValueError("n must be a positive integer, and a must not be empty")
    if mode not in ("full", "valid", "same"):
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    padded = PutSlice(((0, m, None),), (m + n - 1,))(a)
    full = toeplitz(padded, np.zeros(n, typeof(a).dtype))
    short, long = min(n, m), max(n, m)
    parts = {"full": (0, m + n - 1), "valid": (short - 1, long - short + 1), "same": ((short - 1) // 2, long)}
    start, length = parts[mode]
    return Slice(((start, start + length, None),))(full)


@implements(scipy.linalg.fiedler)
def fiedler(a: Any) -> Array:
    """The matrix of distances |a_i - a_j|."""
    a = operand(a)
    return np.abs(as_column(a) - as_row(a))


@implements(scipy.linalg.fiedler_companion)
def fiedler_companion(a: Any) -> Array:
    """The pentadiagonal matrix with the characteristic polynomial a.

    Coefficient a[k] stands, negative, at (k - 2, k - 1) for even k and at (k - 1, k - 2) for odd k; a[1] at (0, 0).
    """
    a = vector(a, "fiedler_companion")
    n = a.shape[0] - 1
    if n < 1:
        return np.zeros(0, a.dtype)
    quotients = -_after_first(a) / Slice((0,))(a)
    if n == 1:
        return as_row(quotients)
    zero = n
    index, ones = np.full((n, n), zero), np.zeros((n, n), quotients.dtype)
    index[0, 0], ones[1, 0] = 0, 1.0
    for k in range(2, n + 1):
        index[(k - 2, k - 1) if k % 2 == 0 else (k - 1, k - 2)] = k - 1
    for i in range(2, n):
        ones[(i - 2, i) if i % 2 == 0 else (i, i - 2)] = 1.0
    return Gather()(Concatenate(0)(quotients, np.zeros(1, quotients.dtype)), index) + ones


@implements(scipy.linalg.leslie)
def leslie(f: Any, s: Any) -> Array:
    """The matrix with first row f and s below the diagonal, of a population with these fertilities and survivals."""
    f, s = vector(f, "leslie"), vector(s, "leslie")
    n = f.shape[0]
    if s.shape[0] != n - 1 or n < 2:
        raise ShapeMismatchError(f"leslie takes n > 1 fertilities and n - 1 survivals, not {n} and {s.shape[0]}")
    return PutSlice((0,), (n, n))(f) + FromDiagonal(-1, n, n)(s)
