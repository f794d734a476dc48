"""Functions of matrices as matrices, and the Sylvester equation that their derivatives solve.

These are computed by SciPy, one matrix of a stack after the other where it has no routine for stacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Reshape, reduce
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.errors import DTypeMismatchError, NonlinearError
from covector.ops.contraction import broadcast_product
from covector.ops.counts import of_matrices
from covector.ops.indexing import Slice
from covector.ops.matrices import aligned_stacks, matrices_type, over_stack, required_scipy, transposed


@final
class SylvesterSolve(Primitive):
    """X with A X + X B = Q; linear in Q. A tangent solves A dX + dX B = dQ - dA X - X dB."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=58.0)

    def evaluate(self, *inputs: Array) -> Array:
        solve, kind = required_scipy("solve_sylvester").solve_sylvester, self.output_type(*map(typeof, inputs))
        # of matrices of which some are complex, SciPy takes the real ones' Schur form for triangular, which it is not
        return over_stack(solve, kind, *(np.asarray(x, kind.dtype) for x in inputs))

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return matrices_type(inputs[2].shape[-2:], *inputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a, b, q), (da, db, dq) = primals, tangents
        x = self(a, b, q)
        terms = [] if dq is None else [dq]
        if da is not None:
            terms.append(-(da @ x))
        if db is not None:
            terms.append(-(x @ db))
        return x, self(a, b, sum(terms[1:], terms[0])) if terms else None

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        if tuple(traced) != (2,):
            raise NonlinearError(f"{self.name} is linear in its right-hand side only")
        return (2,)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Array:
        # <W, X> with A X + X B = Q equals <Y, Q> where A^T Y + Y B^T = W
        a, b, q = inputs
        return reduce(self(transposed(a), transposed(b), cotangent), q.shape, q.dtype)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*aligned_stacks(inputs, batched))


@final
class MatrixSquareRoot(Primitive):
    """The principal X with X X = A; a tangent solves X dX + dX X = dA."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=28.0)

    def evaluate(self, *inputs: Array) -> Array:
        return over_stack(_square_root, self.output_type(*map(typeof, inputs)), *inputs)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        root, (da,) = self(*primals), tangents
        return root, None if da is None else SYLVESTER_SOLVE(root, root, da)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


def _square_root(a: Array) -> Array:
    root = required_scipy("sqrtm").sqrtm(a)
    if root.dtype.kind == "c" and a.dtype.kind != "c":
        raise DTypeMismatchError(
            "sqrtm of a real matrix with negative eigenvalues is complex, so its dtype would depend on values; "
            "pass the matrix as a complex one: sqrtm(a.astype(complex))"
        )
    return root


@final
class MatrixExponential(Primitive):
    """exp A = 1 + A + A^2 / 2 + ..."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=15.0)

    def evaluate(self, *inputs: Array) -> Array:
        return required_scipy("expm").expm(inputs[0])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (a,), (da,) = primals, tangents
        return self(a), None if da is None else MATRIX_EXPONENTIAL_CHANGE(a, da)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
class MatrixExponentialChange(Primitive):
    """The derivative of exp at A in the direction E, which is linear in E.

    exp [[A, E], [0, A]] = [[exp A, exp'(A) E], [0, exp A]]   (N. J. Higham, Functions of Matrices, theorem 3.6).
    """

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return of_matrices(inputs[0], cubed=45.0)

    def evaluate(self, *inputs: Array) -> Array:
        a, e = inputs
        return _upper_right(required_scipy("expm").expm(_doubled(a, e)))

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return matrices_type(inputs[0].shape[-2:], *inputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # The second derivative is the first of the block matrix, in the direction [[dA, 0], [0, dA]].
        (a, e), (da, de) = primals, tangents
        out = self(a, e)
        terms = [] if de is None else [self(a, de)]
        if da is not None:
            terms.append(_upper_right(self(_doubled(a, e), _doubled(da, None))))
        return out, sum(terms[1:], terms[0]) if terms else None

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        if tuple(traced) != (1,):
            raise NonlinearError(f"{self.name} is linear in its direction only")
        return (1,)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Array:
        # exp'(A) E is a sum of products A^i E A^j with coefficients symmetric in i and j.
        a, e = inputs
        return reduce(self(transposed(a), cotangent), e.shape, e.dtype)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*aligned_stacks(inputs, batched))


def _doubled(a: Array, e: Array | None) -> Array:
    """The block matrix [[A, E], [0, A]], and with no E [[A, 0], [0, A]]."""
    doubled = _kronecker(np.eye(2), a)
    return doubled if e is None else doubled + _kronecker(np.eye(2, k=1), e)


def _kronecker(small: Array, a: Array) -> Array:
    """The blocks small[i, j] a, for each a of a stack."""
    *leading, n, _ = typeof(a).shape
    labels = tuple(range(len(leading)))
    small = small.astype(typeof(a).dtype)
    product = broadcast_product(small, a, (-1, -2), (*labels, -3, -4), (*labels, -1, -3, -2, -4))
    return Reshape((*leading, 2 * n, 2 * n))(product)


def _upper_right(x: Array) -> Array:
    half = typeof(x).shape[-1] // 2
    return Slice((Ellipsis, (None, half, None), (half, None, None)))(x)


SYLVESTER_SOLVE, MATRIX_SQUARE_ROOT = SylvesterSolve(), MatrixSquareRoot()
MATRIX_EXPONENTIAL, MATRIX_EXPONENTIAL_CHANGE = MatrixExponential(), MatrixExponentialChange()
