"""The error function of large arrays, in passes over all entries.

SciPy computes one entry after another, and how depends on whether |x| is below 1: branches that no processor foresees
cost more than the arithmetic. Below 1, erf x is x P(x^2) / Q(x^2) with two short polynomials (Moshier 1989, *Methods
and Programs for Mathematical Functions*), which NumPy computes for several entries at once. SciPy is left with the
entries beyond, or with all if those are many.

    >>> from scipy import special
    >>> x = np.linspace(-0.9, 1.1, MANY)
    >>> bool(np.array_equal(erf(x), special.erf(x)))
    True

The polynomials are SciPy's own, and so is the order of operations: results are the same to the last bit or two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from covector.core.types import Array

P = (
    9.60497373987051638749, 90.0260197203842689217, 2232.00534594684319226, 7003.32514112805075473,
    55592.3013010394962768,
)  # fmt: skip
Q = (
    33.5617141647503099647, 521.357949780152679795, 4594.32382970980127987, 22629.0000613890934246,
    49267.3942608635921086,
)  # fmt: skip
"""Coefficients of the polynomials, the highest power first; that of Q has the coefficient one and is left out."""

MANY = 4096
"""Entries from which calls of NumPy take less time than they save."""

ROOT_HALF = math.sqrt(0.5)


def erf(x: Array, out: Array | None = None) -> Array:
    """The error function."""
    from scipy.special import erf as exact

    return like_erf(exact, 1.0, 1.0, 0.0, x, out)


def erfc(x: Array, out: Array | None = None) -> Array:
    """1 - erf x."""
    from scipy.special import erfc as exact

    return like_erf(exact, 1.0, -1.0, 1.0, x, out)


def ndtr(x: Array, out: Array | None = None) -> Array:
    """The normal distribution function, (1 + erf(x / sqrt 2)) / 2."""
    from scipy.special import ndtr as exact

    return like_erf(exact, ROOT_HALF, 0.5, 0.5, x, out)


def like_erf(
    exact: Callable[..., Array], scale: float, factor: float, offset: float, x: Array, out: Array | None
) -> Array:
    """The function factor * erf(scale * x) + offset, by an exact one where its argument is large."""
    if x.dtype != np.float64 or x.size < MANY:
        return exact(x, out=out)
    with np.errstate(all="ignore"):
        scaled = x if scale == 1.0 else np.multiply(x, scale)
        square = np.square(scaled)
        far = np.nonzero(square > 1.0)
        if 3 * len(far[0]) > x.size:
            return exact(x, out=out)
        values = exact(x[far])
        out = erf_near_zero(scaled, square, out)
        if factor != 1.0:
            out *= factor
        if offset:
            out += offset
    out[far] = values
    return out


def erf_near_zero(x: Array, square: Array, out: Array | None) -> Array:
    """The error function where the square is at most one."""
    work = np.multiply(square, P[0])
    for coefficient in P[1:-1]:
        work += coefficient
        work *= square
    work += P[-1]
    out = np.multiply(x, work, out=out)
    np.add(square, Q[0], out=work)
    for coefficient in Q[1:]:
        work *= square
        work += coefficient
    return np.divide(out, work, out=out)


HELPERS: dict[str, Any] = {"fast_erf": erf, "fast_erfc": erfc, "fast_ndtr": ndtr}
"""What programs call, by name, for the functions of SciPy that are called so without `fast_`."""
