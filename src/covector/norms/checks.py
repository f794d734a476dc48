"""Whether a function is a norm, by looking for evidence that it is not.

Random vectors show what is not homogeneous, not symmetric or not convex. What they do not show is a seminorm that is
zero only for multiples of one vector, such as |v_0 + v_1| + |v_2|. But its gradients are orthogonal to the vectors of
length zero, so that they do not span the space. `check_norm` collects gradients, and looks at the norm of a vector
orthogonal to all of them: if it is not zero, the gradient there is not orthogonal to that vector, and the rank grows.

    >>> check_norm(lambda v: np.abs(v[0] + v[1]) + np.abs(v[2]), np.zeros(3))
    Traceback (most recent call last):
    covector.errors.ArgumentError: not a norm: N(v) is ... for the vector ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from covector.core.types import Array, typeof
from covector.errors import ArgumentError, CovectorError
from covector.norms.layout import magnitude, ravel
from covector.transforms.gradient import grad
from covector.trees import Tree

LARGEST = 100
"""The number of entries up to which gradients are collected."""

ZERO = 1e-9
"""A length that is zero to rounding, relative to that of other vectors."""


def check_norm(norm: Callable[[Tree], Any], like: Tree, probes: int = 4, seed: int = 0) -> None:
    """Raises ArgumentError with the evidence if a function is seen not to be a norm of trees like the example.

    Looks, at random trees, single entries and constants, for a length that is not positive, N(2 v) != 2 N(v),
    N(-v) != N(v), and N(u + v) > N(u) + N(v). Up to 100 entries, also at its gradients s, for <s, v> > N(v) and for
    vectors of length zero.

    Example:
        >>> check_norm(lambda v: np.sum(v**2), np.zeros(3))
        Traceback (most recent call last):
        covector.errors.ArgumentError: not a norm: N(2 v) is ..., but 2 N(v) is ...
    """
    flat, restore = ravel(like)
    size = typeof(flat).size
    if size == 0:
        return
    rng = np.random.default_rng(seed)

    def length(vector: Array) -> float:
        found = norm(restore(vector))
        if np.shape(found) != () or np.asarray(found).dtype.kind not in "fiu":
            raise ArgumentError(f"not a norm: it must be a real number; of {restore(vector)!r} it is {found!r}")
        return float(found)

    for probe in range(probes):
        u, v = rng.standard_normal((2, size))
        _check_pair(length, restore, *((np.abs(u), np.abs(v)) if probe % 2 else (u, v)))
    typical = length(rng.standard_normal(size))
    for vector in _special(size):
        _check_positive(length, restore, vector, typical)
    if size <= LARGEST:
        _check_gradients(norm, length, restore, rng.standard_normal((size + 4, size)))


def gradient_of_norm(norm: Callable[[Tree], Any], vector: Tree) -> Tree:
    """The gradient of a norm, the same at every positive multiple of the vector; zero at zero."""
    flat, restore = ravel(vector)
    nonzero = np.any(flat != 0)
    unit = np.where(nonzero, flat / magnitude(flat), 1.0)
    gradient, _ = ravel(grad(norm)(restore(unit)))
    return restore(np.where(nonzero, gradient, 0.0))


# --- lengths --------------------------------------------------------------------------------------------------


def _check_pair(length: Callable[[Array], float], restore: Callable[[Array], Tree], u: Array, v: Array) -> None:
    one, other = length(u), length(v)
    slack = 1e-6 * (abs(one) + abs(other))
    if not one > 0:
        raise _not_positive(one, restore(u))
    for factor in (2.0, -1.0):
        found, wanted = length(factor * u), abs(factor) * one
        if not abs(found - wanted) <= slack:
            raise ArgumentError(
                f"not a norm: N({factor:g} v) is {found:.6g}, but {abs(factor):g} N(v) is {wanted:.6g}, for v = "
                f"{restore(u)!r}"
            )
    both = length(u + v)
    if not both <= one + other + slack:
        raise ArgumentError(
            f"not a norm: N(u + v) is {both:.6g}, more than N(u) + N(v) = {one + other:.6g}, for u = {restore(u)!r} "
            f"and v = {restore(v)!r}; its ball is not convex"
        )


def _special(size: int) -> list[Array]:
    """Vectors at which seminorms often vanish: single entries, constants, alternating signs, a ramp."""
    places = np.unique(np.linspace(0, size - 1, min(size, 8)).astype(int))
    ramp = np.arange(size) - (size - 1) / 2
    others = [np.ones(size), (-1.0) ** np.arange(size), ramp]
    return [np.eye(1, size, k=int(i))[0] for i in places] + [x for x in others if np.any(x)]


def _check_positive(
    length: Callable[[Array], float], restore: Callable[[Array], Tree], vector: Array, typical: float
) -> None:
    if not length(vector) > ZERO * typical * float(np.linalg.norm(vector)) / len(vector):
        raise _not_positive(length(vector), restore(vector))


def _not_positive(length: float, vector: Tree) -> ArgumentError:
    return ArgumentError(
        f"not a norm: N(v) is {length:.6g} for the vector {vector!r} other than zero. A seminorm becomes a norm by "
        "adding what it does not see, such as a small multiple of l2, or by norms.quotient"
    )


# --- gradients ------------------------------------------------------------------------------------------------


def _check_gradients(
    norm: Callable[[Tree], Any], length: Callable[[Array], float], restore: Callable[[Array], Tree], points: Array
) -> None:
    """Of a convex function that is homogeneous, <s, v> <= N(v) for each gradient s; those of a norm span the space."""

    def gradient(vector: Array) -> Array:
        return np.asarray(ravel(gradient_of_norm(norm, restore(vector)))[0], dtype=float)

    try:
        gradients = np.stack([gradient(point) for point in points])
    except CovectorError:
        return  # it calls what cannot be differentiated
    lengths = np.array([length(point) for point in points])
    _check_supports(restore, points, lengths, gradients)
    typical = float(np.mean(lengths))
    for _ in range(points.shape[1]):
        free = _orthogonal_to(gradients)
        if not len(free):
            return
        for vector in free:
            _check_positive(length, restore, vector, typical)
        gradients = np.concatenate([gradients, np.stack([gradient(vector) for vector in free])])


def _check_supports(restore: Callable[[Array], Tree], points: Array, lengths: Array, gradients: Array) -> None:
    pairings = gradients @ points.T
    excess = np.abs(pairings) - lengths
    at, of = np.unravel_index(np.argmax(excess), excess.shape)
    if not excess[at, of] <= 1e-5 * float(np.max(lengths)):
        raise ArgumentError(
            f"not a norm: N(v) is {lengths[of]:.6g}, less than <s, v> = {abs(pairings[at, of]):.6g} for its gradient s "
            f"at u, with u = {restore(points[at])!r} and v = {restore(points[of])!r}; its ball is not convex"
        )


def _orthogonal_to(gradients: Array) -> Array:
    """Rows of length one that are orthogonal to all gradients, in units in which these have entries of one size."""
    sizes = np.max(np.abs(gradients), axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    values, right = np.linalg.svd(gradients / sizes)[1:]
    rows = right[len(values) - int(np.sum(values <= ZERO * values[0])) :] / sizes
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
