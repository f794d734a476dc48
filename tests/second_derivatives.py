"""Many compositions of transformations that compute one second derivative, <u, H v>, of a scalar function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import covector as cv
from covector.core.broadcasting import Cast, SumTo
from covector.core.types import Array

Scalar = Callable[[Any], Any]


def real_sum(x: Array) -> Array:
    """The real part of the sum of the entries."""
    return SumTo(())(Cast(np.dtype(np.float64))(x))


def dot(x: Sequence[Array], y: Sequence[Array]) -> Array:
    """The sum of products of entries of two tuples of arrays."""
    return sum((SumTo(())(a * b) for a, b in zip(x, y, strict=True)), 0.0)


def _forward_over_forward(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return cv.jvp(lambda x: cv.jvp(f, (x,), (u,))[1], (x,), (v,))[1]


def _forward_over_reverse(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return dot(cv.jvp(cv.grad(f), (x,), (v,))[1], u)


def _reverse_over_forward(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return dot(cv.grad(lambda x: cv.jvp(f, (x,), (u,))[1])(x), v)


def _reverse_over_reverse(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return dot(cv.grad(lambda x: dot(cv.grad(f)(x), u))(x), v)


def _hvp(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return dot(cv.hvp(f, (x,), (v,)), u)


def _linearized_gradient(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return dot(cv.linearize(cv.grad(f), x)[1](v), u)


def _transposed_linearized_gradient(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return dot(cv.linearize(cv.grad(f), x)[1].T(v)[0], u)


def _pullback_of_jvp(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    value, pullback = cv.vjp(lambda x: cv.jvp(f, (x,), (u,))[1], x)
    return dot(pullback(np.ones_like(value))[0], v)


def _jvp_of_linearize(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    return cv.jvp(lambda x: cv.linearize(f, x)[1](u), (x,), (v,))[1]


def _blocks(outer: Any, inner: Any) -> Callable[..., Array]:
    def compute(f: Scalar, x: Any, u: Any, v: Any) -> Array:
        rows = outer(inner(f))(x)
        return sum(
            (np.sum(np.multiply.outer(a, b) * block) for a, row in zip(u, rows, strict=True)
             for b, block in zip(v, row, strict=True)), 0.0,
        )  # fmt: skip

    return compute


def _batched_directions(f: Scalar, x: Any, u: Any, v: Any) -> Array:
    """Both directions at once: H [u, v] by vmap, of which <u, H v> is one entry."""
    stacked = tuple(np.stack([a, b]) for a, b in zip(u, v, strict=True))
    images = cv.vmap(lambda w: cv.jvp(cv.grad(f), (x,), (w,))[1])(stacked)
    return dot([image[1] for image in images], u)


COMPOSITIONS: dict[str, Callable[[Scalar, Any, Any, Any], Array]] = {
    "forward over forward": _forward_over_forward,
    "forward over reverse": _forward_over_reverse,
    "reverse over forward": _reverse_over_forward,
    "reverse over reverse": _reverse_over_reverse,
    "hvp": _hvp,
    "linearize of grad": _linearized_gradient,
    "transpose of linearize of grad": _transposed_linearized_gradient,
    "vjp of jvp": _pullback_of_jvp,
    "jvp of linearize": _jvp_of_linearize,
    "jacfwd of jacrev": _blocks(cv.jacfwd, cv.jacrev),
    "jacrev of jacfwd": _blocks(cv.jacrev, cv.jacfwd),
    "jacrev of grad": _blocks(cv.jacrev, cv.grad),
    "vmap of jvp of grad": _batched_directions,
}
