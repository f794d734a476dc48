"""x[key] for every key NumPy knows, and the functions that pick entries: take, take_along_axis, choose, where.

An index by integers, slices, None and Ellipsis is one `Slice`. Any other is taken apart into a `Slice` (for the
static entries), a permutation that brings the axes of index arrays together, a `Gather`, and a permutation that
puts the picked axes where NumPy wants them. Index arrays may be traced; a boolean mask, which decides the shape
of the answer, must have a known value.

    >>> import covector as cv
    >>> cv.grad(lambda x: np.sum(x[[0, 0, 2]] * x[1]))(np.array([1.0, 2.0, 3.0]))
    array([4., 5., 2.])
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.interpreter import Tracer
from covector.core.protocol import table
from covector.core.types import Array, Shape, typeof
from covector.numpy.creation import converted
from covector.numpy.inquiries import known, nonzero, promoted
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.numpy.shapes import broadcasted, flattened, permuted, reshaped
from covector.ops.comparison import SELECT
from covector.ops.indexing import WHOLE, Gather, Key, Slice, sliced_shape

MASK = "a boolean mask as an index, whose number of True entries is a shape (np.where(mask, x, 0) has none),"

# --- basic indexing ---------------------------------------------------------------------------------------


def getitem(x: Tracer, key: Any) -> Array:
    """x[key]."""
    if type(key) is int:
        return x.interpreter.process(Slice((key,)), (x,))
    return index(x, key)


table.getitem = getitem


def index(x: Array, key: Any) -> Array:
    """x[key], where x or an index array in the key may be traced."""
    basic = basic_key(key)
    if basic is not None:
        return _sliced(x, basic)
    if type(key) is not tuple:
        array = _entry(key)
        if not _is_mask(array) and np.ndim(array) and typeof(x).ndim:
            return Gather()(x, array)
    return _gathered(x, _expanded(key, typeof(x).shape))


def basic_key(key: Any) -> Key | None:
    """The key as a hashable tuple, or None if it has an index array in it."""
    found: list[Any] = []
    for entry in key if type(key) is tuple else (key,):
        if type(entry) is int or entry is None or entry is Ellipsis:
            found.append(entry)
        elif type(entry) is slice:
            found.append(_bounds(entry))
        elif isinstance(entry, np.integer):
            found.append(int(entry))
        else:
            return None
    return tuple(found)


def _bounds(entry: slice) -> tuple[int | None, int | None, int | None]:
    return _bound(entry.start), _bound(entry.stop), _bound(entry.step)


def _bound(bound: Any) -> int | None:
    return bound if bound is None or type(bound) is int else operator.index(bound)


def _sliced(x: Array, key: Key) -> Array:
    """The slice, or a reshape where all entries are kept."""
    for entry in key:
        if not (entry is None or entry is Ellipsis or entry == WHOLE):
            return Slice(key)(x)
    return reshaped(x, sliced_shape(typeof(x).shape, key))


# --- advanced indexing ------------------------------------------------------------------------------------


def _expanded(key: Any, shape: Shape) -> list[Any]:
    """The key with one entry for each axis and each None: an integer, bounds, None, or an index array.

    A mask becomes the index arrays of its True entries.
    """
    entries = [_entry(each) for each in (key if type(key) is tuple else (key,))]
    count = sum(map(_axes_of, entries))
    if count > len(shape):
        raise IndexError(
            f"too many indices for array: array is {len(shape)}-dimensional, but {count} were indexed"
        )
    rest = [WHOLE] * (len(shape) - count)
    places = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    place = places[0] if places else len(entries)
    return _without_masks([*entries[:place], *rest, *entries[place + 1 :]], shape)


def _entry(entry: Any) -> Any:
    """An entry of a key as an integer, bounds, None, Ellipsis, or an array of integers or booleans."""
    simple = basic_key((entry,))
    if simple is not None:
        return simple[0]
    array = operand(entry)
    if isinstance(entry, (list, tuple)) and typeof(array).size == 0:
        array = converted(array, np.int64)
    kind = typeof(array)
    if kind.dtype.kind not in "iub":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays "
            f"are valid indices; found {array!r}"
        )
    if kind.dtype.kind == "b":
        return np.asarray(known(array, MASK))
    return int(array) if kind.ndim == 0 and not isinstance(array, Tracer) else array


def _axes_of(entry: Any) -> int:
    if entry is None or entry is Ellipsis:
        return 0
    return entry.ndim if _is_mask(entry) else 1


def _is_mask(entry: Any) -> bool:
    return isinstance(entry, np.ndarray) and entry.dtype == bool


class _Mask:
    """An index array that comes from a mask: it picks no entry twice. Without axes it makes a new one."""

    __slots__ = ("new_axis", "places")

    def __init__(self, places: np.ndarray[Any, Any], new_axis: bool) -> None:
        self.places, self.new_axis = places, new_axis


def _without_masks(entries: Sequence[Any], shape: Shape) -> list[Any]:
    found: list[Any] = []
    axis = 0
    for entry in entries:
        if not _is_mask(entry):
            found.append(entry)
        elif entry.ndim == 0:
            found.append(_Mask(np.zeros(int(entry), np.int64), new_axis=True))
        else:
            _check_mask(entry, shape, axis)
            found += [_Mask(places, new_axis=False) for places in entry.nonzero()]
        axis += _axes_of(entry)
    return found


def _check_mask(mask: np.ndarray[Any, Any], shape: Shape, axis: int) -> None:
    for i, (found, length) in enumerate(zip(mask.shape, shape[axis:], strict=False)):
        if found != length:
            raise IndexError(
                f"boolean index did not match indexed array along axis {axis + i}; size of axis is {length} but "
                f"size of corresponding boolean axis is {found}"
            )


def _gathered(x: Array, entries: Sequence[Any]) -> Array:
    """The static entries as a slice, then the index arrays as a gather."""
    key, arrays, places = _parts(entries)
    x = _sliced(x, key)
    if not arrays:
        return x
    start = places[0]
    if places != list(range(start, start + len(places))):
        x = permuted(x, [*places, *(i for i in range(typeof(x).ndim) if i not in places)])
        start = 0
    out = Gather(start, unique=_is_unique(entries, len(arrays)))(x, *arrays)
    if start == 0 or not _is_separated(entries):
        return out
    picked = len(np.broadcast_shapes(*(typeof(array).shape for array in arrays)))
    ndim = typeof(out).ndim
    return permuted(out, [*range(start, start + picked), *range(start), *range(start + picked, ndim)])


def _parts(entries: Sequence[Any]) -> tuple[Key, list[Array], list[int]]:
    """The key of the slice, the index arrays, and which axes of the slice they index."""
    key: list[Any] = []
    arrays: list[Array] = []
    places: list[int] = []
    axis = 0
    for entry in entries:
        static = entry is None or type(entry) is tuple or type(entry) is int
        if not static:
            arrays.append(entry.places if isinstance(entry, _Mask) else entry)
            places.append(axis)
        key.append(entry if static else None if isinstance(entry, _Mask) and entry.new_axis else WHOLE)
        axis += type(entry) is not int
    return tuple(key), arrays, places


def _is_unique(entries: Sequence[Any], count: int) -> bool:
    """Whether all index arrays come from masks, so that no entry is picked twice."""
    return sum(isinstance(entry, _Mask) for entry in entries) == count


def _is_separated(entries: Sequence[Any]) -> bool:
    """Whether a slice or None stands between index arrays or integers; then the picked axes come first."""
    advanced = [i for i, entry in enumerate(entries) if not (entry is None or type(entry) is tuple)]
    return advanced[-1] - advanced[0] >= len(advanced)


# --- functions that pick ----------------------------------------------------------------------------------


@implements(np.take, methods=("take",))
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Array:
    """The entries (or slices along an axis) at the indices."""
    refuse(np.take, out=out)
    a, indices = operand(a), operand(indices)
    if axis is None:
        a, axis = flattened(a), 0
    axis = normalize_axis_index(axis, typeof(a).ndim)
    if typeof(indices).dtype.kind not in "iub":
        raise TypeError(f"np.take needs integer indices, not {typeof(indices)}")
    return Gather(axis)(a, _in_range(converted(indices, np.int64), typeof(a).shape[axis], mode))


def _in_range(indices: Array, length: int, mode: str) -> Array:
    if mode == "wrap":
        return np.remainder(indices, length)
    if mode == "clip":
        return np.minimum(np.maximum(indices, 0), length - 1)
    if mode != "raise":
        raise ValueError(f"mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return indices


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    """The entries at the indices along an axis, position by position along the others."""
    arr, indices = operand(arr), operand(indices)
    if axis is None:
        if typeof(indices).ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        arr, axis = flattened(arr), 0
    kind, shape = typeof(indices), typeof(arr).shape
    if kind.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if kind.ndim != len(shape):
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    axis = normalize_axis_index(axis, len(shape))
    places = [_counter(n, i, len(shape)) if i != axis else indices for i, n in enumerate(shape)]
    return Gather(0)(arr, *places)


def _counter(length: int, axis: int, ndim: int) -> Array:
    return np.arange(length).reshape([-1 if i == axis else 1 for i in range(ndim)])


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Array:
    """The entries (or slices along an axis) where a condition holds."""
    refuse(np.compress, out=out)
    a, condition = operand(a), known(condition, "np.compress, whose answer's shape depends on the condition,")
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    if axis is None:
        a, axis = flattened(a), 0
    return Gather(normalize_axis_index(axis, typeof(a).ndim), unique=True)(a, np.flatnonzero(condition))


@implements(methods=("compress",))
def compress_method(a: Array, /, condition: Any, axis: int | None = None, out: Any = None) -> Array:
    """x.compress(condition)."""
    return compress(condition, a, axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Array:
    """The entries where a condition holds."""
    found = nonzero(flattened(operand(condition)))[0]
    return Gather(0, unique=True)(flattened(operand(arr)), found)


# --- functions that select --------------------------------------------------------------------------------


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """x where the condition holds and y elsewhere; without these, the indices where it holds."""
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    return SELECT(operand(condition), operand(x), operand(y))


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    """The first of the choices whose condition holds, entry by entry."""
    conditions, choices = [operand(c) for c in condlist], [operand(c) for c in (*choicelist, default)]
    if len(conditions) != len(choices) - 1:
        raise ValueError("list of cases must be same length as list of conditions")
    if not conditions:
        raise ValueError("select with an empty condition list is not possible")
    for i, condition in enumerate(conditions):
        if typeof(condition).dtype != bool:
            raise TypeError(f"invalid entry {i} in condlist: should be boolean ndarray")
    dtype = promoted(*choices)
    shapes = (typeof(x).shape for x in (*conditions, *choices))
    out = broadcasted(converted(choices.pop(), dtype), np.broadcast_shapes(*shapes))
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        out = SELECT(condition, converted(choice, dtype), out)
    return out


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Array:
    """The entries of the a-th of the choices, position by position."""
    refuse(np.choose, out=out)
    a = operand(a)
    options = [operand(x) for x in choices]
    shape = np.broadcast_shapes(*(typeof(x).shape for x in (a, *options)))
    dtype = promoted(*options)
    stacked = np.stack([broadcasted(converted(x, dtype), shape) for x in options])
    number = broadcasted(_choice_numbers(a, len(options), mode), shape)
    return take_along_axis(stacked, reshaped(number, (1, *shape)), 0)[0]


def _choice_numbers(a: Array, count: int, mode: str) -> Array:
    if typeof(a).dtype.kind not in "iub":
        raise TypeError(f"np.choose needs integers to choose by, not {typeof(a)}")
    a = _in_range(converted(a, np.int64), count, mode)
    if not isinstance(a, Tracer) and np.size(a) and (np.min(a) < 0 or np.max(a) >= count):
        raise ValueError("invalid entry in choice array")
    return SELECT(np.less(a, 0), count, a)  # a negative one of unknown value is out of range too


@implements(methods=("choose",))
def choose_method(a: Array, /, choices: Any, out: Any = None, mode: str = "raise") -> Array:
    """x.choose(choices) for integers x."""
    return choose(a, choices, out, mode)
