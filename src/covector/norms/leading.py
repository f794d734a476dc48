"""The leading singular values and vectors of a large matrix, by products with vectors, and the proof that they lead.

    >>> x = np.diag(np.arange(300.0) + np.r_[np.zeros(299), 100.0])
    >>> left, values, right = leading(x, 1)
    >>> float(values[0].round(9)), int(np.argmax(np.abs(right)))
    (399.0, 299)

Golub and Kahan's bidiagonalization makes, step by step, orthonormal U and V and a bidiagonal B with x V = U B, whose
largest singular values become those of x. It costs two products with x a step, where a decomposition costs thousands;
but from inside a Krylov space nobody can see what it has missed, such as a second copy of an equal singular value. So
the result is certified: with y = x without what was found, a Cholesky factorization shows that
(1 - `GAP`)^2 s_k^2 - y^T y is positive definite, so that the next singular value is smaller than s_k by `GAP`. That
bounds the error of the vectors too, by residual / (`GAP` s_k). What is not proved within `STEPS` is left to others.

Source: G. Golub and W. Kahan, Calculating the singular values and pseudo-inverse of a matrix (1965); P.-A. Wedin,
Perturbation bounds in connection with singular value decomposition (1972).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.types import Array

LARGE = 192
"""The smaller number of rows or columns from which on this is worth the work."""

STEPS = 96
"""The most vectors that are made."""

GAP = 1e-3
"""How much smaller, relatively, the next singular value has to be."""

RESIDUAL = 1e-13
"""The residual, relative to the largest singular value, at which singular vectors are good enough."""

Leading = tuple[Array, Array, Array]


def leading(x: Array, count: int) -> Leading | None:
    """U (m, k), s (k,) and V^T (k, n) of the k largest singular values, or None if they could not be proved to lead."""
    if min(x.shape) < LARGE or count > STEPS // 4:
        return None
    found = _bidiagonalized(np.asarray(x, dtype=float), count)
    return found if found is not None and _certified(x, *found) else None


def _bidiagonalized(x: Array, count: int) -> Leading | None:
    """Steps until the singular vectors are good enough; each new vector is made orthogonal to all earlier ones."""
    lefts, rights = np.zeros((STEPS, x.shape[0])), np.zeros((STEPS + 1, x.shape[1]))
    diagonal, above = np.zeros(STEPS), np.zeros(STEPS)
    rights[0], _ = _orthonormal(x.T @ (x @ np.random.default_rng(0).normal(size=x.shape[1])), rights[:0])
    for step in range(STEPS):
        lefts[step], diagonal[step] = _orthonormal(x @ rights[step], lefts[:step])
        rights[step + 1], above[step] = _orthonormal(x.T @ lefts[step], rights[: step + 1])
        if not (np.isfinite(above[step]) and diagonal[step] > 0):
            return None
        ended = above[step] <= RESIDUAL * np.max(diagonal)
        if (step % 4 == 3 or ended) and step + 1 >= count:
            inner, values, outer = np.linalg.svd(_bidiagonal(diagonal, above, step + 1))
            if np.all(above[step] * np.abs(inner[-1, :count]) <= RESIDUAL * values[0]):
                left = lefts[: step + 1].T @ inner[:, :count]
                return left, values[:count], outer[:count] @ rights[: step + 1]
    return None


def _orthonormal(vector: Array, others: Array) -> tuple[Array, Any]:
    """The unit vector in the direction of what is left of a vector beside orthonormal rows, and its length.

    Twice is enough (B. Parlett, The symmetric eigenvalue problem (1980), section 6-9).
    """
    for _ in range(2):
        vector = vector - (others @ vector) @ others
    length = np.linalg.norm(vector)
    return (vector / length if length > 0 else vector), length


def _bidiagonal(diagonal: Array, above: Array, size: int) -> Array:
    return np.diag(diagonal[:size]) + np.diag(above[: size - 1], 1)


def _certified(x: Array, left: Array, values: Array, right: Array) -> bool:
    rest = x - (left * values) @ right
    rest = rest if rest.shape[0] >= rest.shape[1] else rest.T
    bound = ((1.0 - GAP) * values[-1]) ** 2
    try:
        np.linalg.cholesky(bound * np.eye(rest.shape[1]) - rest.T @ rest)
    except np.linalg.LinAlgError:
        return False
    return True
