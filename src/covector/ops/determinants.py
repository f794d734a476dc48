"""Determinants, and their derivatives up to the second at every matrix, singular or not.

The derivative of det A is the pairing with the adjugate, adj A = det(A) A^-1, which is a polynomial in the
entries of A and exists where the inverse does not. So does the derivative of the adjugate. Both are
operations of their own here, computed from the inverse where that is accurate, and from the singular values
where it is not.

    >>> import numpy as np
    >>> ADJUGATE(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Reshape, reduce
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.errors import NonlinearError
from covector.ops.counts import of_matrices
from covector.ops.linalg_solve import INVERSE
from covector.ops.matrices import (
    aligned_stacks,
    imaginary_part,
    is_complex,
    matrices_type,
    paired,
    real_part,
    transposed,
)
from covector.ops.parts import real_dtype


@final
class Determinant(Primitive):
    """det A; derivative tr(adj(A) dA)."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=2 / 3)

    def evaluate(self, *inputs: Array) -> Array:
        return np.linalg.det(inputs[0])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape[:-2], inputs[0].dtype)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        return self(a), None if da is None else paired(transposed(ADJUGATE(a)), da)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
class SignAndLogDeterminant(Primitive):
    """(det A / |det A|, ln |det A|); with t = tr(A^-1 dA), the derivatives are i Im(t) times the sign, and Re t."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=2 / 3)

    def evaluate(self, *inputs: Array) -> tuple[Array, Array]:
        sign, logarithm = np.linalg.slogdet(inputs[0])
        return sign, logarithm

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType]:
        shape, dtype = inputs[0].shape[:-2], inputs[0].dtype
        return ArrayType(shape, dtype), ArrayType(shape, real_dtype(dtype))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        sign, logarithm = self(a)
        if da is None:
            return (sign, logarithm), (None, None)
        change = paired(transposed(INVERSE(a)), da)
        turn = imaginary_part(change) * (1j * sign) if is_complex(change) else None
        return (sign, logarithm), (turn, real_part(change))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return self(*inputs)


@final
class Adjugate(Primitive):
    """adj A, with A adj A = det(A) 1: entry (i, j) is the cofactor (j, i)."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=16.0, cubed=8.0)

    def evaluate(self, *inputs: Array) -> Array:
        (a,) = inputs
        inverse = _accurate_inverse(a)
        if inverse is not None:
            return np.linalg.det(a)[..., None, None] * inverse
        # A = U S V^H, so adj A = adj(V^H) adj(S) adj(U) = det(U V^H) V adj(S) U^H
        left, s, right, phase = _unitary_factors(a)
        return phase * (right * _products_without_one(s)[..., None, :]) @ left

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        return self(a), None if da is None else ADJUGATE_CHANGE(a, da)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
class AdjugateChange(Primitive):
    """The derivative of adj at A in the direction E, det(A) (tr(X E) X - X E X) with X = A^-1; linear in E."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], wide=20.0, cubed=8.0)

    def evaluate(self, *inputs: Array) -> Array:
        a, e = inputs
        x = _accurate_inverse(a)
        if x is not None:
            xe = x @ e
            trace = np.trace(xe, axis1=-2, axis2=-1)[..., None, None]
            return np.linalg.det(a)[..., None, None] * (trace * x - xe @ x)
        # In the bases of A = U S V^H the direction is F = U^H E V, and the derivative of adj at S is, off the
        # diagonal, -F_ij times the product of all s but s_i, s_j; on it, the sum of F_jj times such products.
        left, s, right, phase = _unitary_factors(a)
        f = left @ e @ right
        products = _products_without_two(s)
        diagonal = products @ np.diagonal(f, axis1=-2, axis2=-1)[..., None]
        change = diagonal * np.eye(a.shape[-1], dtype=a.dtype) - products * f
        return phase * (right @ change @ left)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return matrices_type(inputs[0].shape[-2:], *inputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a, e), (da, de) = primals, tangents
        out = self(a, e)
        terms = [] if de is None else [self(a, de)]
        if da is not None:
            terms.append(_second_change(a, e, da))
        return out, sum(terms[1:], terms[0]) if terms else None

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        if tuple(traced) != (1,):
            raise NonlinearError(f"{self.name} is linear in its direction only")
        return (1,)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Array:
        # adj(A)^T is the gradient of det A, so its derivative, the Hessian of det, is symmetric:
        # <W, adj'(A) E> = <W^T, Hess E> = <Hess W^T, E> with Hess E = (adj'(A) E)^T
        a, e = inputs
        return reduce(transposed(self(a, transposed(cotangent))), e.shape, e.dtype)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*aligned_stacks(inputs, batched))


def _second_change(a: Array, e: Array, d: Array) -> Array:
    """The derivative of det(A) (tr(X E) X - X E X) with respect to A in the direction D, where A is regular."""
    x, determinant = INVERSE(a), Determinant()(a)
    xe, xd = x @ e, x @ d
    xex, xdx = xe @ x, xd @ x
    trace_e, trace_d = (_scalar(paired(transposed(x), z)) for z in (e, d))
    trace_de = _scalar(paired(transposed(xd), xe))
    inner = (trace_d * trace_e - trace_de) * x - trace_d * xex - trace_e * xdx + xd @ xex + xe @ xdx
    return _scalar(determinant) * inner


def _scalar(x: Array) -> Array:
    """A number for each matrix of a stack, as a 1 x 1 matrix."""
    return Reshape((*typeof(x).shape, 1, 1))(x)


# --- plain matrices ---------------------------------------------------------------------------------------


def _accurate_inverse(a: Array) -> Array | None:
    """The inverses, or None if one of the matrices is closer to a singular one than half of the digits tell."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    largest = np.abs(a).max(axis=(-2, -1), initial=0.0) * np.abs(inverse).max(axis=(-2, -1), initial=0.0)
    return inverse if np.all(largest * np.sqrt(np.finfo(a.dtype).eps) < 1.0) else None


def _unitary_factors(a: Array) -> tuple[Array, Array, Array, Array]:
    """U^H, s, V and det(U V^H) with A = U diag(s) V^H."""
    u, s, vh = np.linalg.svd(a)
    phase = np.linalg.det(u) * np.linalg.det(vh)
    left, right = (np.conjugate(np.swapaxes(z, -1, -2)) for z in (u, vh))
    return left, s, right, phase[..., None, None]


def _products_without_one(s: Array) -> Array:
    """For each i the product of all s_k with k not i."""
    return np.where(np.eye(s.shape[-1], dtype=bool), 1.0, s[..., None, :]).prod(axis=-1, dtype=s.dtype)


def _products_without_two(s: Array) -> Array:
    """For each i, j the product of all s_k with k neither i nor j; 0 for i = j.

    The product over k < i, that over i < k < j (a cumulative one along row i), and that over k > j.
    """
    n = s.shape[-1]
    ones = np.ones((*s.shape[:-1], 1), s.dtype)
    before = np.concatenate([ones, np.cumprod(s[..., :-1], axis=-1)], axis=-1)
    after = np.concatenate([ones, np.cumprod(s[..., :0:-1], axis=-1)], axis=-1)[..., ::-1]
    beyond = np.where(np.tri(n, dtype=bool), s.dtype.type(1), s[..., None, :])
    between = np.cumprod(np.concatenate([np.ones_like(beyond[..., :1]), beyond[..., :-1]], axis=-1), axis=-1)
    upper = np.triu(before[..., :, None] * between * after[..., None, :], 1)
    return upper + np.swapaxes(upper, -1, -2)


DETERMINANT, SLOGDET = Determinant(), SignAndLogDeterminant()
ADJUGATE, ADJUGATE_CHANGE = Adjugate(), AdjugateChange()
