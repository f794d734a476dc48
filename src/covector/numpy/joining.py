"""The functions that join arrays and take them apart: concatenate, stack, split, repeat, tile, insert, delete.

    >>> import covector as cv
    >>> cv.grad(lambda x: np.concatenate([x, 3 * x])[2])(np.array([1.0, 2.0]))
    array([3., 0.])
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.protocol import table
from covector.core.types import Array, Shape, typeof
from covector.errors import ConcreteValueError
from covector.numpy.creation import cast, converted
from covector.numpy.inquiries import known
from covector.numpy.operands import operand
from covector.numpy.registry import implements, newer, refuse
from covector.numpy.shapes import as_shape, broadcasted, flattened, reshaped
from covector.ops.axes import Concatenate, Split, Stack, Unstack
from covector.ops.indexing import Gather, moved_axis

# --- joining ----------------------------------------------------------------------------------------------


def stack_entries(entries: Sequence[Array], shape: Shape) -> Array:
    """Numbers, traced or not, as one array: what `np.array([x * y, z])` means."""
    return reshaped(Stack(0)(*map(operand, entries)), shape)


table.methods["stack_entries"] = stack_entries


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Array:
    """The arrays one after the other along an axis; flattened first if it is None."""
    refuse(np.concatenate, out=out)
    pieces = _cast_all([operand(x) for x in arrays], dtype, casting)
    if axis is None:
        pieces, axis = [flattened(x) for x in pieces], 0
    shapes = [typeof(x).shape for x in pieces]
    if not shapes:
        raise ValueError("need at least one array to concatenate")
    if not shapes[0]:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    axis = normalize_axis_index(axis, len(shapes[0]))
    if len({(len(s), *s[:axis], *s[axis + 1 :]) for s in shapes}) > 1:
        raise ValueError(f"arrays to concatenate along axis {axis} must agree in the others; their shapes are {shapes}")
    return Concatenate(axis)(*pieces)


@implements(np.stack)
def stack(
    arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Array:
    """The arrays, of one shape, side by side along a new axis."""
    refuse(np.stack, out=out)
    pieces = _cast_all([operand(x) for x in arrays], dtype, casting)
    shapes = {typeof(x).shape for x in pieces}
    if not pieces:
        raise ValueError("need at least one array to stack")
    if len(shapes) > 1:
        raise ValueError(f"all input arrays must have the same shape; found {sorted(shapes)}")
    return Stack(normalize_axis_index(axis, len(shapes.pop()) + 1))(*pieces)


def _cast_all(pieces: list[Array], dtype: Any, casting: str) -> list[Array]:
    return pieces if dtype is None else [cast(x, dtype, casting) for x in pieces]


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """The arrays side by side: along the second axis, the first for vectors."""
    pieces = [np.atleast_1d(operand(x)) for x in tup]
    vectors = bool(pieces) and typeof(pieces[0]).ndim == 1
    return concatenate(pieces, 0 if vectors else 1, dtype=dtype, casting=casting)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Array:
    """The arrays on top of each other, vectors as rows."""
    return concatenate([np.atleast_2d(operand(x)) for x in tup], 0, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Array:
    """The arrays one behind the other, along the third axis."""
    return concatenate([np.atleast_3d(operand(x)) for x in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Array:
    """The arrays side by side, vectors as columns."""
    return concatenate([_as_columns(operand(x)) for x in tup], 1)


def _as_columns(x: Array) -> Array:
    shape = typeof(x).shape
    return reshaped(x, (*shape, 1) if len(shape) == 1 else shape or (1, 1))


@implements(np.block)
def block(arrays: Any) -> Array:
    """The array assembled from nested lists of blocks."""
    depth = _list_depth(arrays)
    ndim = max(depth, *(typeof(x).ndim for x in _blocks(arrays)))
    return _assembled(arrays, depth, ndim)


def _list_depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        return 0
    depths = {_list_depth(x) for x in arrays}
    if len(depths) != 1:
        raise ValueError(f"np.block needs lists nested to one depth, none of them empty; found depths {sorted(depths)}")
    return depths.pop() + 1


def _blocks(arrays: Any) -> Iterator[Array]:
    if isinstance(arrays, list):
        for x in arrays:
            yield from _blocks(x)
    else:
        yield operand(arrays)


def _assembled(arrays: Any, depth: int, ndim: int) -> Array:
    if not isinstance(arrays, list):
        shape = typeof(operand(arrays)).shape
        return reshaped(operand(arrays), (1,) * (ndim - len(shape)) + shape)
    return concatenate([_assembled(x, depth - 1, ndim) for x in arrays], ndim - depth)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Array:
    """The values after the array along an axis; both flattened if it is None."""
    return concatenate([operand(arr), operand(values)], axis)


# --- taking apart -----------------------------------------------------------------------------------------


def iterate(x: Array) -> Iterator[Array]:
    """The entries or rows along the first axis."""
    return iter(Unstack(0)(x) if x.shape[0] else ())


table.iterate = iterate


@implements(*newer("unstack"))
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices along an axis."""
    x = operand(x)
    shape = typeof(x).shape
    if not shape:
        raise ValueError("Input array must be at least 1-d.")
    axis = normalize_axis_index(axis, len(shape))
    slices: tuple[Array, ...] = Unstack(axis)(x) if shape[axis] else ()
    return slices


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts between the given places along an axis, or so many parts whose lengths differ by one at most."""
    ary = operand(ary)
    axis = normalize_axis_index(axis, typeof(ary).ndim)
    length = typeof(ary).shape[axis]
    return _split_at(ary, _places(indices_or_sections, length), axis)


def _places(indices_or_sections: Any, length: int) -> list[int]:
    if np.ndim(indices_or_sections):
        return [operator.index(i) for i in indices_or_sections]
    count = operator.index(indices_or_sections)
    if count <= 0:
        raise ValueError("number sections must be larger than 0.")
    each, longer = divmod(length, count)
    return [i * each + min(i, longer) for i in range(1, count)]


def _split_at(x: Array, places: Sequence[int], axis: int) -> list[Array]:
    """x[:i], x[i:j], x[j:]; where these overlap (i > j) as slices, else as one split."""
    length = typeof(x).shape[axis]
    bounds = [slice(i, j).indices(length)[:2] for i, j in pairwise([0, *places, length])]
    starts = [i for i, _ in bounds]
    sizes = [max(0, j - i) for i, j in bounds]
    following = [*starts[1:], length]
    if all(start + size == end for start, size, end in zip(starts, sizes, following, strict=True)):
        return list(Split(axis, tuple(sizes))(x))
    whole = (slice(None),) * axis
    return [x[(*whole, slice(i, i + n))] for i, n in zip(starts, sizes, strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts between the given places along an axis, or so many equal parts."""
    ary = operand(ary)
    if np.ndim(indices_or_sections) == 0:
        length = typeof(ary).shape[normalize_axis_index(axis, typeof(ary).ndim)]
        if length % indices_or_sections:
            raise ValueError(f"an axis of length {length} does not split into {indices_or_sections} equal parts")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """Parts along the second axis, the first of a vector."""
    ary = _at_least(operand(ary), 1)
    return split(ary, indices_or_sections, 1 if typeof(ary).ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """Parts along the first axis."""
    return split(_at_least(operand(ary), 2), indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Array]:
    """Parts along the third axis."""
    return split(_at_least(operand(ary), 3), indices_or_sections, 2)


def _at_least(x: Array, ndim: int) -> Array:
    if typeof(x).ndim < ndim:
        raise ValueError(f"{'hvd'[ndim - 1]}split only works on arrays of {ndim} or more dimensions")
    return x


# --- repeating --------------------------------------------------------------------------------------------


@implements(np.repeat, methods=("repeat",))
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Array:
    """Every entry along an axis repeated, each equally often or each its own number of times."""
    a = operand(a)
    if axis is None:
        a, axis = flattened(a), 0
    shape = typeof(a).shape
    axis = normalize_axis_index(axis, len(shape))
    counts = np.asarray(known(repeats, "np.repeat, whose answer's shape depends on the repeats,"))
    if counts.size != 1:
        return Gather(axis)(a, np.repeat(np.arange(shape[axis]), counts))
    count = _count(counts)
    before, after = shape[: axis + 1], shape[axis + 1 :]
    repeated = broadcasted(reshaped(a, (*before, 1, *after)), (*before, count, *after))
    return reshaped(repeated, (*shape[:axis], shape[axis] * count, *after))


def _count(counts: np.ndarray[Any, Any]) -> int:
    count = operator.index(counts.reshape(())[()])
    if count < 0:
        raise ValueError("repeats may not contain negative values.")
    return count


@implements(np.tile)
def tile(A: Any, reps: Any) -> Array:
    """The whole array repeated side by side along each axis."""
    a = operand(A)
    counts = as_shape(reps)
    shape = typeof(a).shape
    ndim = max(len(shape), len(counts))
    counts, shape = (1,) * (ndim - len(counts)) + counts, (1,) * (ndim - len(shape)) + shape
    between = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    spread = reshaped(a, tuple(n for m in shape for n in (1, m)))
    return reshaped(broadcasted(spread, between), tuple(c * n for c, n in zip(counts, shape, strict=True)))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Array:
    """The entries in C order, over and over, in another shape."""
    a = flattened(operand(a))
    target = as_shape(new_shape)
    if any(n < 0 for n in target):
        raise ValueError("all elements of `new_shape` must be non-negative")
    size, total = typeof(a).size, prod(target)
    if size == 0 or total == 0:
        return np.zeros(target, typeof(a).dtype)
    return reshaped(Gather(0)(a, np.arange(total) % size), target)


# --- inserting and deleting -------------------------------------------------------------------------------


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    """The array without some of its slices along an axis."""
    arr, axis = _along(arr, axis)
    kept = np.delete(np.arange(typeof(arr).shape[axis]), _static(obj))
    return Gather(axis, unique=True)(arr, kept)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """The array with slices inserted along an axis before the given places."""
    # The numbers 0, 1, ... of the slices of arr, with those of the values (counted on from there) inserted by
    # NumPy itself, say which slice of [arr, values] comes where.
    arr, axis = _along(arr, axis)
    places, length = _static(obj), typeof(arr).shape[axis]
    values = _slabs(operand(values), arr, axis, np.ndim(places) == 0 and not isinstance(places, slice))
    count = _inserted(places, length, typeof(values).shape[axis])
    shape = tuple(count if i == axis else n for i, n in enumerate(typeof(arr).shape))
    values = converted(np.broadcast_to(values, shape), typeof(arr).dtype)
    order = np.insert(np.arange(length), places, length + np.arange(count))
    return Gather(axis, unique=True)(Concatenate(axis)(arr, values), order)


def _along(arr: Any, axis: int | None) -> tuple[Array, int]:
    arr = operand(arr)
    if axis is None:
        return flattened(arr), 0
    return arr, normalize_axis_index(axis, typeof(arr).ndim)


def _static(obj: Any) -> Any:
    if isinstance(obj, slice):
        return obj
    found = known(obj, "an index that decides the shape of the answer")
    empty = np.size(found) == 0 and not isinstance(obj, np.ndarray)
    return found.astype(np.int64) if empty else found


def _slabs(values: Array, arr: Array, axis: int, at_one_place: bool) -> Array:
    """The values with as many axes as the array; for one place their first axis is the one to insert along."""
    shape = typeof(values).shape
    values = reshaped(values, (1,) * (typeof(arr).ndim - len(shape)) + shape)
    return moved_axis(values, 0, axis) if at_one_place else values


def _inserted(places: Any, length: int, given: int) -> int:
    """How many slices are inserted: at one place all that are given, else one at each."""
    if isinstance(places, slice):
        count = len(range(*places.indices(length)))
    else:
        places = np.asarray(places)
        count = int(np.count_nonzero(places)) if places.dtype == bool else places.size
    return given if count == 1 else count


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Array:
    """The array without the zeros at its ends."""
    filt = operand(filt)
    if set(trim.lower()) - {"f", "b"}:
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    try:
        return filt[_trimmed(filt, trim.lower(), axis)]
    except ConcreteValueError:
        known(filt, "np.trim_zeros, whose answer's shape depends on the entries,")  # a message that names the function
        raise


def _trimmed(filt: Array, trim: str, axis: Any) -> tuple[slice, ...]:
    """What is left along each axis. The numbers of zeros are asked for one by one, so that jit can watch them."""
    found = np.not_equal(filt, 0)
    ndim = typeof(filt).ndim
    axes = range(ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, ndim)
    if not np.any(found):
        return tuple(slice(0, 0) if i in axes else slice(None) for i in range(ndim))
    kept = [slice(None)] * ndim
    for i in axes:
        filled = np.any(found, axis=tuple(k for k in range(ndim) if k != i))
        first = int(np.argmax(filled)) if "f" in trim else 0
        last = int(np.argmax(np.flip(filled))) if "b" in trim else 0
        kept[i] = slice(first, typeof(filt).shape[i] - last)
    return tuple(kept)
