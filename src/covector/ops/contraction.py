"""Products of two arrays, all of them one operation: label the axes, multiply, and sum over some labels.

A matrix product gives the axes of its operands the labels (0, 1) and (1, 2) and keeps (0, 2):

    >>> import numpy as np
    >>> Contract((0, 1), (1, 2), (0, 2))(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1., 2.],
           [3., 4.]])

Dot, outer, inner, matrix and tensor products differ only in their labels. So do their transposes (exchange
the output's labels with an operand's) and their batched forms (one more label), which is why this is the
only product there is. `evaluate` finds, once for given labels, the call of `np.dot`, `np.matmul` or
`np.multiply` that does the work; BLAS takes transposed views, so nothing is copied that need not be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, final

import numpy as np

from covector.core.broadcasting import BroadcastTo, Cast, Reshape
from covector.core.families import Bilinear
from covector.core.primitive import parametrized
from covector.core.types import Array, ArrayType, Shape, typeof
from covector.errors import ShapeMismatchError
from covector.ops.axes import Permute, Sum
from covector.ops.indexing import PutSlice, Slice

Labels = tuple[int, ...]


@final
@parametrized
class Contract(Bilinear):
    """out[o] = sum of left[l] right[r] over the labels not in `out`; no label twice in one operand.

    Made by `contract`, which numbers the labels in the order in which they occur.
    """

    left: Labels
    right: Labels
    out: Labels

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        """A multiplication for each combination of labels, and one addition less than these for each entry."""
        sizes = dict(zip(self.left, inputs[0].shape, strict=True)) | dict(zip(self.right, inputs[1].shape, strict=True))
        products = math.prod(sizes.values())
        return products + max(products - outputs[0].size, 0)

    @property
    def signature(self) -> str:
        return f"contract[{_letters(self.left)},{_letters(self.right)}->{_letters(self.out)}]"

    def evaluate(self, *inputs: Array) -> Array:
        return _lowering(self.left, self.right, self.out)(*inputs)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        x, y = inputs
        sizes = dict(zip(self.left, x.shape, strict=True))
        for label, size in zip(self.right, y.shape, strict=True):
            if sizes.setdefault(label, size) != size:
                raise ShapeMismatchError(
                    f"a product of shapes {x.shape} and {y.shape} pairs axes of lengths {sizes[label]} and {size}"
                )
        return ArrayType(tuple(sizes[label] for label in self.out), product_dtype(x, y))

    def left_transpose(self, cotangent: Array, x: ArrayType, y: Array) -> Array:
        product, lonely = _left_transpose(self.left, self.right, self.out)
        return _fitted(product(cotangent, y), lonely, x)

    def right_transpose(self, cotangent: Array, x: Array, y: ArrayType) -> Array:
        product, lonely = _left_transpose(self.right, self.left, self.out)
        return _fitted(product(cotangent, x), lonely, y)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        operands = [(-1, *labels) if b else labels for labels, b in zip((self.left, self.right), batched, strict=True)]
        return contract(operands[0], operands[1], (-1, *self.out))(*inputs)


def _letters(labels: Labels) -> str:
    return "".join(chr(ord("i") + label) for label in labels)


@lru_cache(maxsize=4096)
def contract(left: Labels, right: Labels, out: Labels) -> Contract:
    """The product with these labels, renumbered in the order in which they occur."""
    number: dict[int, int] = {}
    for label in left + right:
        number.setdefault(label, len(number))
    return Contract(*(tuple(number[label] for label in labels) for labels in (left, right, out)))


def product_dtype(x: ArrayType, y: ArrayType) -> np.dtype[Any]:
    """The dtype of a product: NumPy's promotion, in which Python numbers are weak."""
    if x.dtype == y.dtype:
        return x.dtype
    return np.result_type(*(kind.dtype.type(0).item() if kind.weak else kind.dtype for kind in (x, y)))


@lru_cache(maxsize=4096)
def _left_transpose(left: Labels, right: Labels, out: Labels) -> tuple[Contract, Labels]:
    """The product of cotangent and right operand, and which axes of the left operand it lacks.

    A label that occurs in the left operand only, and not in the output, is summed over: its transpose repeats.
    """
    lonely = tuple(i for i, label in enumerate(left) if label not in out and label not in right)
    return contract(out, right, _without(left, lonely)), lonely


def _fitted(cotangent: Array, lonely: Labels, kind: ArrayType) -> Array:
    """The cotangent repeated along the axes that were summed over, in the operand's dtype."""
    if lonely:
        unit = tuple(1 if i in lonely else size for i, size in enumerate(kind.shape))
        cotangent = BroadcastTo(kind.shape)(Reshape(unit)(cotangent))
    return cotangent if cotangent.dtype == kind.dtype else Cast(kind.dtype)(cotangent)


# --- how NumPy computes it ------------------------------------------------------------------------------

Product = Callable[[Array, Array], Array]


@lru_cache(maxsize=4096)
def _lowering(left: Labels, right: Labels, out: Labels) -> Product:
    """The function of two plain arrays that computes the product."""
    lonely_left = tuple(i for i, label in enumerate(left) if label not in right and label not in out)
    lonely_right = tuple(i for i, label in enumerate(right) if label not in left and label not in out)
    if lonely_left or lonely_right:
        rest = _lowering(_without(left, lonely_left), _without(right, lonely_right), out)
        return partial(_summed, lonely_left, lonely_right, rest)
    contracted = tuple(label for label in left if label in right and label not in out)
    if not contracted:
        return _outer_lowering(left, right, out)
    batch = tuple(label for label in out if label in left and label in right)
    first = next((label for label in out if label not in batch), None)
    if first is not None and first in right:
        return partial(_exchanged, _lowering(right, left, out))
    rows = tuple(label for label in left if label in out and label not in right)
    columns = tuple(label for label in right if label in out and label not in left)
    if not batch and len(contracted) == 1 and len(rows) <= 1 and len(columns) <= 1:
        return _DOTS[left == rows + contracted, right == contracted + columns]
    return partial(
        _fused if batch else _flattened,
        _positions(left, batch + rows + contracted),
        _positions(right, batch + contracted + columns),
        (len(batch), len(contracted)),
        _positions(batch + rows + columns, out),
    )


def _without(labels: Labels, axes: Iterable[int]) -> Labels:
    return tuple(label for i, label in enumerate(labels) if i not in axes)


def _positions(labels: Labels, wanted: Labels) -> Labels | None:
    """The permutation that brings axes with `labels` into the order `wanted`, None for the identity."""
    return None if labels == wanted else tuple(labels.index(label) for label in wanted)


def _summed(left: Labels, right: Labels, product: Product, x: Array, y: Array) -> Array:
    x = np.add.reduce(x, axis=left, dtype=x.dtype) if left else x
    y = np.add.reduce(y, axis=right, dtype=y.dtype) if right else y
    return product(x, y)


def _exchanged(product: Product, x: Array, y: Array) -> Array:
    return product(y, x)


def _transposed_dot(x: Array, y: Array) -> Array:
    return np.dot(x.T, y)


def _dot_transposed(x: Array, y: Array) -> Array:
    return np.dot(x, y.T)


def _transposed_dot_transposed(x: Array, y: Array) -> Array:
    return np.dot(x.T, y.T)


#: the products of matrices and vectors, by whether the left and the right operand are in order
_DOTS: dict[tuple[bool, bool], Product] = {
    (True, True): np.dot,
    (False, True): _transposed_dot,
    (True, False): _dot_transposed,
    (False, False): _transposed_dot_transposed,
}


def _flattened(
    left: Labels | None, right: Labels | None, counts: tuple[int, int], order: Labels | None, x: Array, y: Array
) -> Array:
    """A product without batch axes as a product of matrices: each group of axes becomes one axis."""
    x, y = _permuted(x, left), _permuted(y, right)
    contracted = counts[1]
    rows, columns = x.shape[: x.ndim - contracted], y.shape[contracted:]
    inner = _size(y.shape[:contracted])
    flat_x = x.reshape((_size(rows), inner) if rows else (inner,))
    flat_y = y.reshape((inner, _size(columns)) if columns else (inner,))
    result = np.dot(flat_x, flat_y)
    return _permuted(result.reshape(rows + columns), order) if rows or columns else result


def _fused(
    left: Labels | None, right: Labels | None, counts: tuple[int, int], order: Labels | None, x: Array, y: Array
) -> Array:
    """A product with batch axes as a stack of products of matrices."""
    x, y = _permuted(x, left), _permuted(y, right)
    batch, contracted = counts
    rows, columns = x.shape[batch : x.ndim - contracted], y.shape[batch + contracted :]
    inner = _size(y.shape[batch : batch + contracted])
    flat_x = x.reshape((*x.shape[:batch], _size(rows), inner))
    flat_y = y.reshape((*y.shape[:batch], inner, _size(columns)))
    return _permuted(np.matmul(flat_x, flat_y).reshape(x.shape[:batch] + rows + columns), order)


def _permuted(x: Array, axes: Labels | None) -> Array:
    return x if axes is None else x.transpose(axes)


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def _outer_lowering(left: Labels, right: Labels, out: Labels) -> Product:
    arrange_left, arrange_right = _arrangement(left, out), _arrangement(right, out)
    if arrange_left is None and arrange_right is None:
        return np.multiply
    return partial(_arranged_product, arrange_left, arrange_right)


def _arrangement(labels: Labels, out: Labels) -> tuple[Labels | None, tuple[slice | None, ...]] | None:
    """How to bring an operand into the order of the output: a permutation, then an index that adds unit axes."""
    present = tuple(label for label in out if label in labels)
    index = tuple(slice(None) if label in labels else None for label in out)
    while index and index[0] is None:
        index = index[1:]
    order = _positions(labels, present)
    return (order, index) if order is not None or None in index else None


def _arranged_product(
    left: tuple[Labels | None, tuple[slice | None, ...]] | None,
    right: tuple[Labels | None, tuple[slice | None, ...]] | None,
    x: Array,
    y: Array,
) -> Array:
    if left is not None:
        x = _permuted(x, left[0])[left[1]]
    if right is not None:
        y = _permuted(y, right[0])[right[1]]
    return np.multiply(x, y)


# --- products as the rest of the operations want them ---------------------------------------------------

_MATRIX_PRODUCTS = {
    (1, 1): contract((0,), (0,), ()),
    (1, 2): contract((0,), (0, 1), (1,)),
    (2, 1): contract((0, 1), (1,), (0,)),
    (2, 2): contract((0, 1), (1, 2), (0, 2)),
}


def matrix_product(x: Array, y: Array) -> Array:
    """x @ y by NumPy's rules: a vector is a row on the left and a column on the right, leading axes broadcast."""
    left, right = x.shape, y.shape
    product = _MATRIX_PRODUCTS.get((len(left), len(right)))
    if product is not None:
        return product(x, y)
    labels = _matrix_labels(len(left), len(right))
    if left[-1] != right[max(-2, -len(right))]:
        raise ShapeMismatchError(f"matmul: shapes {left} and {right} pair axes of different lengths")
    return broadcast_product(x, y, *labels)


@lru_cache(maxsize=256)
def _matrix_labels(left: int, right: int) -> tuple[Labels, Labels, Labels]:
    """The labels of a matrix product of operands with so many axes: -1 is summed, -2 rows, -3 columns."""
    if left == 0 or right == 0:
        raise ValueError("matmul: an operand does not have enough dimensions: it has 0, a matrix product needs 1")
    leading = tuple(range(max(left, right) - 2))
    rows, columns = (-2,) if left > 1 else (), (-3,) if right > 1 else ()
    left_leading, right_leading = (leading[len(leading) - max(n - 2, 0) :] for n in (left, right))
    return (*left_leading, *rows, -1), (*right_leading, -1, *columns), (*leading, *rows, *columns)


def broadcast_product(x: Array, y: Array, left: Labels, right: Labels, out: Labels) -> Array:
    """The product with these labels, in which an axis of length 1 meets any length with the same label."""
    sizes = dict(zip(left, x.shape, strict=True))
    other = dict(zip(right, y.shape, strict=True))
    unit_left = tuple(i for i, label in enumerate(left) if sizes[label] == 1 and other.get(label, 1) != 1)
    unit_right = tuple(i for i, label in enumerate(right) if other[label] == 1 and sizes.get(label, 1) != 1)
    return contract(_without(left, unit_left), _without(right, unit_right), out)(
        without_axes(x, unit_left), without_axes(y, unit_right)
    )


def without_axes(x: Array, axes: Sequence[int]) -> Array:
    """The array without these axes of length 1."""
    return Reshape(_without(x.shape, axes))(x) if axes else x


def summed_and_permuted(x: Array, labels: Labels, out: Labels) -> Array:
    """The product with one operand only: sums over the labels not in `out` and orders the others."""
    if typeof(x).dtype.kind not in "fc":  # a sum of integers would be of a wider type
        return contract(labels, (), out)(x, np.ones((), typeof(x).dtype))
    lonely = tuple(i for i, label in enumerate(labels) if label not in out)
    x = Sum(lonely)(x) if lonely else x
    order = _positions(_without(labels, lonely), out)
    return x if order is None else Permute(order)(x)


def convolution(short: Array, long: Array) -> Array:
    """The sums of short[k] long[n - k] over k, for all n where there is one: the antidiagonal sums of products."""
    return diagonal_sums(contract((0,), (1,), (0, 1))(short, long))


def diagonal_sums(x: Array) -> Array:
    """out[n, ...] = sum over r of x[r, n - r, ...], for all n where there is an entry.

    Rows padded to one entry more than the output has, and cut to that length again without regard to where
    they began: that moves row r to the right by r places.
    """
    kind = typeof(x)
    rows, columns, *rest = kind.shape
    length = rows + columns - 1
    padded = PutSlice(((None, None, None), (0, columns, None)), (rows, length + 1, *rest))(x)
    flat = Reshape((rows * (length + 1), *rest))(padded)
    return Sum((0,))(Reshape((rows, length, *rest))(Slice(((0, rows * length, None),))(flat)))
