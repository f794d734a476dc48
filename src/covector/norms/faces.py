"""How a dual norm depends on the parameters of its norm where the norm has a kink.

Let v be the maximizer for g. Where N is smooth at v, dual_norm(g) changes by -dual_norm(g) dN(v). At a kink N is the
largest of several functions, of which all that are active at v count, each by its share: g is a combination of their
gradients, g = sum of c_i s_i with c_i >= 0, and dual_norm(g) changes by -sum of c_i dN_i(v). A function N_i is met
where N is smooth, at v + t w_i for small t. So its change at v is that of 2 N(v + t w_i) - N(v + 2 t w_i), but for
terms of the order of t^2, and its gradient in the same way.

The shares are found by conjugate gradients on the face of the dual ball that v exposes: the next w is what the best
combination leaves of g, and the gradient there is the one with the largest <s, w>.

    >>> def program(v, a):                          # the larger of |a v_0| and |v_1|
    ...     first, second = np.abs(a * v[0]), np.abs(v[1])
    ...     return [np.maximum(first, second), np.where(first > second, [a * np.sign(v[0]), 0.0], [0.0, np.sign(v[1])])]
    >>> steps, shares = Face(program)(np.array([3.0, 4.0]), np.array([0.5, 1.0]), 7.0, 1.0, 2.0)
    >>> float(np.sum(shares).round(9))
    5.5

Source: J. Danskin, The theory of max-min (1967); for kinks, Lagrange's multipliers of the active functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError
from covector.interpreters.jvp import jvp_flat
from covector.norms.bundle import FEW, LARGEST_METRIC
from covector.norms.implicit import looped
from covector.norms.nonnegative import nonnegative_least_squares
from covector.norms.oracle import Program
from covector.transforms.vectorize import vmap

SMOOTH = 1e-4
"""How well a subgradient at the maximizer must match the covector, relative to it, for the norm to be smooth there."""

NEAR = 1e-5
"""The t of v + t w, relative to v."""

EXACT = 1e-11
"""The part of a covector that a combination may leave."""


@final
@frozen
class Smooth(Primitive):
    """1 if a mismatch says that a norm is smooth; else it raises."""

    def evaluate(self, *inputs: Array) -> Array:
        if not np.all(inputs[0] <= SMOOTH):
            raise ArgumentError(
                "the second derivative of a dual norm by parameters of the norm was asked for, but the norm has a kink "
                "at the maximizer, so that it is not determined. Give the norm in closed form"
            )
        return np.float64(1.0)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType((), np.dtype(float))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return self(*primals), None

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return looped(self, size, inputs, batched)


@final
@frozen
class Face(Primitive):
    """Steps t w from the maximizer to where the active functions are met, and their shares of the covector.

    Inputs are the covector, the maximizer, the dual norm, the mismatch, and the values the program refers to. Where
    the norm is smooth the first step is zero, with the dual norm for a share.
    """

    program: Program

    @property
    def signature(self) -> str:
        return self.name

    def evaluate(self, *inputs: Array) -> tuple[Array, Array]:
        covector, vector, steepness, mismatch, *values = inputs
        steps, shares = np.zeros((most_active(len(vector)), len(vector))), np.zeros(most_active(len(vector)))
        if mismatch <= SMOOTH:
            shares[0] = steepness
            return steps, shares
        found, of_each = _active(lambda v: self.program(v, *values)[1], np.asarray(covector), np.asarray(vector))
        steps[: len(found)], shares[: len(found)] = found, of_each
        return steps, shares

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType]:
        (size,) = inputs[1].shape
        number = np.dtype(float)
        return ArrayType((most_active(size), size), number), ArrayType((most_active(size),), number)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        steps, shares = self(*primals)
        change = tangents[2]
        first = np.eye(1, typeof(shares).size)[0] * Smooth()(primals[3])
        return (steps, shares), (None, None if change is None else change * first)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return looped(self, size, inputs, batched)


def most_active(size: int) -> int:
    """How many active functions are looked for: as many as gradients can be independent, or few of large vectors."""
    return size if size <= LARGEST_METRIC else FEW


def _active(slope: Callable[[Array], Array], covector: Array, vector: Array) -> tuple[Array, Array]:
    """The steps and the shares, those that are not zero."""
    far, whole = NEAR * float(np.linalg.norm(vector)), float(np.linalg.norm(covector))
    steps, atoms = np.zeros((0, len(vector))), np.zeros((0, len(vector)))
    shares, rest, missing = np.zeros(0), covector, whole
    for _ in range(4 * most_active(len(vector))):
        step = (far / missing) * rest
        atom = 2.0 * np.asarray(slope(vector + step)) - np.asarray(slope(vector + 2.0 * step))
        if np.any(np.all(atoms == atom, axis=1)):
            break
        steps, atoms = np.vstack([steps, step]), np.vstack([atoms, atom])
        shares = nonnegative_least_squares(atoms.T, covector, np.append(shares, 0.0))
        rest = covector - shares @ atoms
        missing = float(np.linalg.norm(rest))
        if missing <= EXACT * whole:
            break
    used = shares > 0
    if missing > SMOOTH * whole or np.sum(used) > most_active(len(vector)):
        raise ArgumentError(
            "the derivative of a dual norm by parameters of the norm was asked for, but the norm has a kink at the "
            f"maximizer, and {len(atoms)} subgradients around it did not make up the covector. Give the norm, or its "
            "dual, in closed form"
        )
    return steps[used], shares[used]


def change_at_kink(
    program: Program, face: tuple[Array, Array], vector: Array, values: Sequence[Array], moves: Sequence[Array | None]
) -> Array | None:
    """The sum of c_i dN_i(v)."""
    steps, shares = face

    def lengths(*leaves: Array) -> Sequence[Array]:
        def extrapolated(step: Array) -> Array:
            return 2.0 * program(vector + step, *leaves)[0] - program(vector + 2.0 * step, *leaves)[0]

        return [np.dot(shares, vmap(extrapolated)(steps))]

    _, (change,) = jvp_flat(lengths, values, moves, "a dual norm")
    return change
