"""NumPy's polynomials as arrays of coefficients, the highest power first.

What NumPy decides by looking at coefficients (leading zeros are dropped) is decided here in the same way, so
those functions need known values: under vmap they raise.

    >>> polyval(np.array([1.0, 0.0, -2.0]), 3.0)
    np.float64(7.0)
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from covector.core.types import Array, typeof
from covector.errors import ArgumentError
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.comparison import cast

# --- arithmetic -------------------------------------------------------------------------------------------


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Array:
    """The value at x, by Horner's rule."""
    p, x = operand(p), operand(x)
    return reduce(lambda value, coefficient: value * x + coefficient, p, np.zeros_like(x))


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Array:
    """The sum."""
    first, second = _padded(a1, a2)
    return first + second


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Array:
    """The difference."""
    first, second = _padded(a1, a2)
    return first - second


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Array:
    """The product."""
    return np.convolve(_trimmed(a1), _trimmed(a2))


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Array, Array]:
    """The quotient and the remainder."""
    rest, divisor = np.atleast_1d(operand(u)) + 0.0, np.atleast_1d(operand(v)) + 0.0
    scale, length = 1.0 / divisor[0], _length(divisor)
    quotient = []
    for _ in range(_length(rest) - length + 1):
        quotient.append(scale * rest[0])
        rest = np.concatenate([rest[1:length] - quotient[-1] * divisor[1:], rest[length:]])
    rest = _pad(rest, max(_length(rest), 1))
    while _length(rest) > 1 and np.allclose(rest[0], 0, rtol=1e-14):
        rest = rest[1:]
    return np.stack(quotient) if quotient else np.zeros(1, typeof(rest).dtype), rest


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Array:
    """The m-th derivative."""
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    coefficients = operand(p)
    for _ in range(int(m)):
        coefficients = coefficients[:-1] * np.arange(_length(coefficients) - 1, 0, -1)
    return coefficients


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    """The m-th antiderivative, with the integration constants k."""
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.atleast_1d(operand(0.0 if k is None else k))
    if _length(constants) == 1:
        constants = np.broadcast_to(constants, (int(m),))
    if _length(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    coefficients = operand(p)
    for i in range(int(m)):
        terms = coefficients / np.arange(_length(coefficients), 0, -1)
        coefficients = np.concatenate([terms, constants[i : i + 1]])
    return coefficients


# --- roots and fits ---------------------------------------------------------------------------------------


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Array:
    """The polynomial with the given zeros, or the characteristic polynomial of a matrix."""
    zeros = np.atleast_1d(operand(seq_of_zeros))
    if not typeof(zeros).differentiable:
        zeros = cast(zeros, np.float64)
    if typeof(zeros).ndim == 2:
        zeros = np.linalg.eigvals(zeros)
    if typeof(zeros).ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    one = np.ones(1, typeof(zeros).dtype)
    coefficients = reduce(lambda a, zero: np.convolve(a, np.stack([one[0], -zero])), zeros, one)
    if typeof(zeros).dtype.kind == "c" and np.all(np.sort(zeros) == np.sort(np.conjugate(zeros))):
        return np.real(coefficients)
    return coefficients


@implements(np.roots)
def roots(p: Any) -> Array:
    """The zeros, as the eigenvalues of the companion matrix; a zero at 0 is an eigenvalue like the others."""
    coefficients = np.atleast_1d(operand(p))
    if typeof(coefficients).ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    if np.any(coefficients[:1] == 0):
        raise ArgumentError(
            "numpy.roots of a traced array has a leading coefficient of zero, so that a zero is at infinity; leave "
            "that coefficient out: np.roots(p[1:])"
        )
    coefficients = coefficients + 0.0
    degree = _length(coefficients) - 1
    if degree < 1:
        return np.array([])
    below = np.eye(degree - 1, degree, dtype=typeof(coefficients).dtype)
    return np.linalg.eigvals(np.concatenate([(-coefficients[1:] / coefficients[0])[None, :], below]))


@implements(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Array:
    """The polynomial of degree `deg` that fits the points best, in the sense of weighted least squares."""
    refuse(np.polyfit, full=full or None, cov=cov or None)
    x, y = operand(x) + 0.0, operand(y) + 0.0
    matrix = np.vander(x, int(deg) + 1)
    if w is not None:
        weights = operand(w)
        matrix = matrix * weights[:, None]
        y = y * (weights[:, None] if typeof(y).ndim == 2 else weights)
    scale = np.sqrt(np.sum(matrix * matrix, axis=0))
    rcond = typeof(x).shape[0] * np.finfo(typeof(x).dtype).eps if rcond is None else rcond
    solution = np.linalg.lstsq(matrix / scale, y, rcond)[0]
    return (solution.T / scale).T


def _length(p: Array) -> int:
    return int(typeof(p).shape[0])


def _pad(p: Array, length: int) -> Array:
    missing = length - _length(p)
    return np.concatenate([np.zeros(missing, typeof(p).dtype), p]) if missing > 0 else p


def _padded(a1: Any, a2: Any) -> tuple[Array, Array]:
    first, second = np.atleast_1d(operand(a1)), np.atleast_1d(operand(a2))
    length = max(_length(first), _length(second))
    return _pad(first, length), _pad(second, length)


def _trimmed(p: Any) -> Array:
    trimmed = np.trim_zeros(np.atleast_1d(operand(p)), "f")
    return trimmed if _length(trimmed) else np.zeros(1, typeof(trimmed).dtype)
