"""NumPy's functions that sort and search.

>>> order = lexsort(([3.0, 1.0, 2.0], [0.0, 0.0, 1.0]))
>>> order
array([1, 0, 2])
"""

from __future__ import annotations

from typing import Any, Literal, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.broadcasting import Reshape
from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError, UnsupportedArgumentError
from covector.numpy.indexing import take
from covector.numpy.inquiries import known
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.comparison import cast
from covector.ops.sorting import ArgPartition, ArgSort, LexSort, Partition, SearchSorted, Sort


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, order: None = None, *, stable: Any = None) -> Array:
    """The entries in increasing order; equal entries share their derivatives equally."""
    refuse(np.sort, order=order)
    _kind(kind, stable)
    x, index = along(operand(a), axis)
    return Sort(index)(x)


@implements(np.argsort, methods=("argsort",))
def argsort(a: Any, axis: int | None = -1, kind: Any = None, order: None = None, *, stable: Any = None) -> Array:
    """The indices that sort; equal entries are in the order in which NumPy has them."""
    refuse(np.argsort, order=order)
    x, index = along(operand(a), axis)
    return ArgSort(index, _kind(kind, stable))(x)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None) -> Array:
    """The entries with the kth where a sort puts it, smaller ones before it."""
    refuse(np.partition, order=order)
    x, index = along(operand(a), axis)
    return Partition(_places(kth, typeof(x).shape[index]), index)(x)


@implements(np.argpartition, methods=("argpartition",))
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: None = None) -> Array:
    """The indices that partition."""
    refuse(np.argpartition, order=order)
    x, index = along(operand(a), axis)
    return ArgPartition(_places(kth, typeof(x).shape[index]), index)(x)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Array:
    """The entries sorted by their real parts, then by their imaginary parts, as complex numbers."""
    x = sort(a)
    kind = typeof(x)
    return x if kind.dtype.kind == "c" else cast(x, np.complex64 if kind.dtype.char in "bhBH" else np.complex128)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Array:
    """The indices that sort by the last key, then by the last but one, and so on."""
    stacked = np.stack([operand(key) for key in keys]) if isinstance(keys, (tuple, list)) else operand(keys)
    return LexSort(normalize_axis_index(axis, typeof(stacked).ndim - 1))(stacked)


@implements(np.searchsorted, methods=("searchsorted",))
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Array:
    """The places where values belong in a sorted vector."""
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    vector = operand(a)
    if typeof(vector).ndim != 1:
        raise ShapeMismatchError(f"numpy.searchsorted needs a vector to search in, not an array of {typeof(vector)}")
    if sorter is not None:
        vector = take(vector, operand(sorter))
    return SearchSorted(side == "right")(vector, operand(v))


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """The numbers of the bins that the entries fall into; the edges rise, or fall, throughout."""
    edges = np.asarray(known(bins, "np.digitize, which has to see whether the edges rise or fall,"))
    np.digitize(0.0, edges, right)  # NumPy's complaint if they do neither
    side: Any = "left" if right else "right"
    if edges.size and edges[-1] < edges[0]:
        return edges.size - searchsorted(edges[::-1], x, side)
    return searchsorted(edges, x, side)


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Array:
    """Whether each entry is among the entries of the other array."""
    entries, others = operand(element), np.ravel(operand(test_elements))
    found = np.any(np.equal(np.expand_dims(entries, -1), others), axis=-1)
    return np.logical_not(found) if invert else found


@implements(methods=("sort", "partition"))
def _in_place(*arguments: Any, **options: Any) -> NoReturn:
    raise UnsupportedArgumentError(
        "x.sort() and x.partition() change an array in place, which a traced array cannot; "
        "write x = np.sort(x), x = np.partition(x, kth)"
    )


def along(x: Array, axis: int | None) -> tuple[Array, int]:
    """The array and its axis, non-negative; flattened for None."""
    kind = typeof(x)
    if axis is None:
        return (x, 0) if kind.ndim == 1 else (Reshape((kind.size,))(x), 0)
    return x, normalize_axis_index(axis, kind.ndim)


def _kind(kind: Any, stable: Any) -> Literal["quicksort", "heapsort", "stable"]:
    """Which of NumPy's ways to sort is asked for; raises NumPy's complaint about one that there is not."""
    np.sort(np.zeros(0), kind=kind, stable=stable)
    if stable or (kind and kind[0] in "msMS"):
        return "stable"
    return "heapsort" if kind and kind[0] in "hH" else "quicksort"


def _places(kth: Any, length: int) -> tuple[int, ...]:
    places = tuple(int(k) for k in np.ravel(kth))
    for k in places:
        if not -length <= k < length:
            raise ValueError(f"kth(={k}) out of bounds ({length})")
    return tuple(k % length for k in places)
