"""Factors of matrices by Gaussian elimination, as SciPy computes them: rows in another order, L and U."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Cast
from covector.core.primitive import parametrized
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.ops.comparison import EQUAL, PiecewiseConstant
from covector.ops.linalg_decompositions import ALL, Decomposition
from covector.ops.linalg_solve import TriangularSolve
from covector.ops.matrices import STRICTLY_LOWER, UPPER, as_column, block, over_stack, required_scipy, transposed


@final
class LU(Decomposition):
    """The permutation p, unit lower L and upper U of A = L[p] U, as `scipy.linalg.lu(a, p_indices=True)`."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> tuple[Array, Array, Array]:
        if 0 in inputs[0].shape[:-2]:
            p_type, lower_type, upper_type = self.output_type(typeof(inputs[0]))
            return zeros(p_type), zeros(lower_type), zeros(upper_type)
        p, lower, upper = required_scipy("lu").lu(inputs[0], p_indices=True, check_finite=False)
        return p.astype(np.int64), lower, upper

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ArrayType, ArrayType]:
        (a,) = inputs
        *leading, m, n = a.shape
        k = min(m, n)
        return (
            ArrayType((*leading, m), np.int64),
            ArrayType((*leading, m, k), a.dtype),
            ArrayType((*leading, k, n), a.dtype),
        )

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        # With D the tangent of A with its rows in order, and L, U cut to squares of size k = min(m, n):
        #     E = L^-1 D U^-1 = L^-1 dL + dU U^-1, a strictly lower and an upper triangle.
        # Outside of the squares dL follows from D = dL U + L dU, and so does dU.
        (a,), (da,) = primals, tangents
        p, lower, upper = self(a)
        if da is None:
            return (p, lower, upper), (None, None, None)
        ordered = _rows_in_order(da, p)
        k = min(typeof(a).shape[-2:])
        lower_solve = TriangularSolve(lower=True, unit=True)
        lower_square, upper_square = transposed(block(upper, ALL, (0, k))), block(lower, (0, k), ALL)
        right = transposed(TriangularSolve(lower=True)(lower_square, transposed(block(ordered, ALL, (0, k)))))
        change = lower_solve(upper_square, block(right, (0, k), ALL))
        dlower = right - lower @ UPPER(change)
        dupper = lower_solve(upper_square, block(ordered, (0, k), ALL)) - STRICTLY_LOWER(change) @ upper
        return (p, lower, upper), (None, STRICTLY_LOWER(dlower), UPPER(dupper))


def _rows_in_order(x: Array, p: Array) -> Array:
    """The rows put so that row p[i] is row i of x: the transpose of the permutation matrix times x."""
    size = typeof(p).shape[-1]
    matrix = EQUAL(as_column(p), np.arange(size))
    return transposed(Cast(typeof(x).dtype)(matrix)) @ x


@final
@parametrized
class PivotsOfPermutation(PiecewiseConstant):
    """The first `count` exchanges of rows that order them by p: row i is exchanged with row pivots[i] >= i."""

    count: int

    def evaluate(self, *inputs: Array) -> Array:
        return over_stack(self._pivots, self.output_type(typeof(inputs[0])), inputs[0][..., None])

    def _pivots(self, p: Array) -> Array:
        wanted, rows = np.argsort(p[:, 0]), np.arange(len(p))
        pivots = np.empty(self.count, np.int32)
        for i in range(self.count):
            j = int(np.nonzero(rows == wanted[i])[0][0])
            pivots[i], rows[i], rows[j] = j, rows[j], rows[i]
        return pivots

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType((*inputs[0].shape[:-1], self.count), np.int32)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
class OrderOfPivots(PiecewiseConstant):
    """The order of rows that results from exchanging row i with row pivots[i], for each i in turn."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        return over_stack(_order, self.output_type(typeof(inputs[0])), inputs[0][..., None])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, np.int64)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


def _order(pivots: Array) -> Array:
    rows = np.arange(len(pivots))
    for i, j in enumerate(pivots[:, 0]):
        rows[i], rows[j] = rows[j], rows[i]
    return rows


LU_FACTORS, ORDER_OF_PIVOTS = LU(), OrderOfPivots()
