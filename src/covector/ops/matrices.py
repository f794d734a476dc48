"""What the rules of linear algebra are written with: transposes, adjoints, triangles, stacks of matrices.

A matrix is the last two axes of an array; all other axes stack matrices, and broadcast.

    >>> import numpy as np
    >>> hermitian(np.array([[1.0, 9.0], [2.0, 3.0]]), lower=True)
    array([[1., 2.],
           [2., 3.]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Reshape, aligned
from covector.core.primitive import map_outputs, moved_to_front
from covector.core.types import Array, ArrayType, Shape, typeof, zeros
from covector.ops.axes import Diagonal, FromDiagonal, Permute, Sum, Triangle
from covector.ops.comparison import PiecewiseConstant
from covector.ops.indexing import WHOLE, Slice
from covector.ops.parts import CONJUGATE, IMAGINARY_PART, REAL_PART

LOWER, UPPER = Triangle(lower=True), Triangle(lower=False)
STRICTLY_LOWER, STRICTLY_UPPER = Triangle(lower=True, offset=-1), Triangle(lower=False, offset=1)
DIAGONAL = Diagonal()

# --- one matrix -------------------------------------------------------------------------------------------


def is_complex(x: Array) -> bool:
    """Whether the dtype is complex."""
    return typeof(x).dtype.kind == "c"


def transposed(x: Array) -> Array:
    """The transposed matrix."""
    return Permute(_exchange(typeof(x).ndim))(x)


@lru_cache(maxsize=64)
def _exchange(ndim: int) -> tuple[int, ...]:
    return (*range(ndim - 2), ndim - 1, ndim - 2)


def conjugated(x: Array) -> Array:
    """The complex conjugate; a real array is its own."""
    return CONJUGATE(x) if is_complex(x) else x


def adjoint(x: Array) -> Array:
    """The conjugate transpose."""
    return transposed(conjugated(x))


def real_part(x: Array) -> Array:
    """The real part; a real array is its own."""
    return REAL_PART(x) if is_complex(x) else x


def imaginary_part(x: Array) -> Array:
    """The imaginary part of a complex array."""
    return IMAGINARY_PART(x)


def hermitian(x: Array, lower: bool) -> Array:
    """The Hermitian matrix with this lower (or upper) triangle, as LAPACK reads it: with a real diagonal."""
    strict = STRICTLY_LOWER(x) if lower else STRICTLY_UPPER(x)
    if not is_complex(x):
        return (LOWER(x) if lower else UPPER(x)) + transposed(strict)
    n = typeof(x).shape[-1]
    return strict + FromDiagonal(0, n, n)(REAL_PART(DIAGONAL(x))) + adjoint(strict)


def block(x: Array, rows: tuple[int | None, int | None], columns: tuple[int | None, int | None]) -> Array:
    """The entries between (start, stop) in rows and in columns."""
    return Slice((*(WHOLE,) * (typeof(x).ndim - 2), (*rows, None), (*columns, None)))(x)


def as_column(x: Array) -> Array:
    """The last axis as a matrix with one column."""
    return Reshape((*typeof(x).shape, 1))(x)


def as_row(x: Array) -> Array:
    """The last axis as a matrix with one row."""
    shape = typeof(x).shape
    return Reshape((*shape[:-1], 1, shape[-1]))(x)


def paired(x: Array, y: Array) -> Array:
    """The sum of x y over the entries of each matrix, which for x = transposed(a) is the trace of a y."""
    ndim = max(typeof(x).ndim, typeof(y).ndim)
    return Sum((ndim - 2, ndim - 1))(x * y)


@final
class Significant(PiecewiseConstant):
    """Whether |x| is more than a rounding error of the numbers along the last axis of the other input (or NaN)."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        x, numbers = inputs
        relative = 4 * numbers.shape[-1] * np.finfo(x.dtype).eps
        return ~(np.abs(x) <= relative * np.abs(numbers).max(axis=-1, initial=0.0)[..., None, None])

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, np.bool_)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*(moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True)))


SIGNIFICANT = Significant()

# --- stacks of matrices -----------------------------------------------------------------------------------


def matrices_type(shape: Shape, *operands: ArrayType) -> ArrayType:
    """The type of matrices of a shape, one for each in the stacks of the operands broadcast together."""
    leading = np.broadcast_shapes(*(x.shape[:-2] for x in operands))
    return ArrayType((*leading, *shape), np.result_type(*(x.dtype for x in operands)))


def aligned_stacks(inputs: Sequence[Array], batched: Sequence[bool]) -> list[Array]:
    """The inputs of a batch rule, so that the leading axes of each broadcast together, batch axis first."""
    ndim = max(typeof(x).ndim - b for x, b in zip(inputs, batched, strict=True))
    return [aligned(x, ndim) if b else x for x, b in zip(inputs, batched, strict=True)]


def over_stack(function: Callable[..., Any], outputs: Any, *arrays: Array) -> Any:
    """A function of matrices for each of the stacked plain matrices, where a library has it for one only.

    `outputs` are the types of the outputs for the whole stack, which may be empty.
    """
    if all(x.ndim == 2 for x in arrays):
        return function(*arrays)
    if any(0 in x.shape[:-2] for x in arrays):
        return map_outputs(zeros, outputs)
    leading = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    stacks = [np.broadcast_to(x, (*leading, *x.shape[-2:])) for x in arrays]
    results = [function(*(x[index] for x in stacks)) for index in np.ndindex(*leading)]
    if isinstance(results[0], tuple):
        return tuple(_stacked(leading, part) for part in zip(*results, strict=True))
    return _stacked(leading, results)


def _stacked(leading: Shape, parts: Sequence[Array]) -> Array:
    return np.stack(parts).reshape((*leading, *parts[0].shape))


# --- SciPy ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def optional_scipy() -> Any:
    """The module scipy.linalg, or None where SciPy is not installed."""
    try:
        import scipy.linalg
    except ImportError:
        return None
    return scipy.linalg


def required_scipy(purpose: str) -> Any:
    """The module scipy.linalg; raises ImportError where SciPy is not installed."""
    module = optional_scipy()
    if module is None:
        raise ImportError(f"{purpose} needs SciPy; install it, for example with `pip install covector[scipy]`")
    return module
