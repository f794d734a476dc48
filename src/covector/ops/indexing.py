"""Linear maps that pick entries out of an array by index, and put them back into one.

Basic indexing (integers, slices, None, Ellipsis) is static: `Slice(key)`, whose transpose `PutSlice` writes
into zeros. Indexing by integer arrays is dynamic, for the index arrays are further inputs, which may be
traced: `Gather`, whose transpose `ScatterAdd` accumulates where an index occurs twice. `SetSlice` and
`SetEntries` are the functional forms of x[key] = value.

Every advanced index that NumPy knows is a composition of these and of permutations
(see `covector.numpy.indexing`).

    >>> x = np.arange(10.0, 16.0)
    >>> Slice(((1, None, 2),))(x)
    array([11., 13., 15.])
    >>> Gather()(x, np.array([0, 0, -1]))
    array([10., 10., 15.])
    >>> ScatterAdd((6,))(np.ones(3), np.array([0, 0, -1]))
    array([2., 0., 0., 0., 0., 1.])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, final

import numpy as np
from attrs import field

from covector.core.broadcasting import Linear, Reshape, aligned
from covector.core.primitive import Primitive, moved_to_front, parametrized
from covector.core.types import PYTHON_DTYPES, Array, ArrayType, Shape, typeof, zeros
from covector.ops.axes import Permute, zeros_of
from covector.ops.comparison import SELECT
from covector.ops.scattering import scatter_add

Key = tuple[Any, ...]
"""A basic index: integers, None, Ellipsis, and (start, stop, step) for a slice, since those are hashable."""

WHOLE = (None, None, None)
"""The key entry of the slice `:`."""


def index_of(key: Key) -> Any:
    """The index that Python's brackets take."""
    if len(key) == 1 and type(key[0]) is int:
        return key[0]
    return tuple(slice(*entry) if type(entry) is tuple else entry for entry in key)


Places = list[int | range]
"""What a key picks, axis by axis: an integer for an axis that it drops."""


def places_of(key: Key, shape: Shape) -> Places | None:
    """The places that a key picks along each axis; None if it makes new axes."""
    if None in key:
        return None
    place = key.index(Ellipsis) if Ellipsis in key else len(key)
    rest = (WHOLE,) * (len(shape) - len(key) + (Ellipsis in key))
    entries = (*key[:place], *rest, *key[place + 1 :])
    return [
        range(n)[slice(*entry)] if type(entry) is tuple else range(n)[entry]
        for n, entry in zip(shape, entries, strict=True)
    ]


def key_of(places: Places, shape: Shape) -> Key:
    """The key that picks these places along the axes of a shape, as one would write it."""
    return tuple(
        place if isinstance(place, int) else _entry_of(place, n) for place, n in zip(places, shape, strict=True)
    )


def _entry_of(places: range, size: int) -> tuple[int | None, int | None, int | None]:
    if not places:
        return (0, 0, None)
    start, stop, step = places[0], places[-1] + places.step, places.step
    if step > 0:
        return (start or None, stop if stop < size else None, step if step > 1 else None)
    return (start if start < size - 1 else None, stop if stop >= 0 else None, step)


def shown(key: Key) -> str:
    """The key as it is written between brackets."""
    return f"[{', '.join(map(_shown_entry, key))}]"


def _shown_entry(entry: Any) -> str:
    if type(entry) is not tuple:
        return "..." if entry is Ellipsis else str(entry)
    start, stop, step = ("" if bound is None else str(bound) for bound in entry)
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


@lru_cache(maxsize=8192)
def sliced_shape(shape: Shape, key: Key) -> Shape:
    """The shape of x[key]; raises IndexError as NumPy does."""
    found: Shape = np.broadcast_to(np.empty(()), shape)[index_of(key)].shape
    return found


# --- basic indexing ---------------------------------------------------------------------------------------


@final
@parametrized
class Slice(Linear):
    """x[key] for a basic index."""

    accumulates = True

    key: Key = field(repr=shown)
    view = True

    def evaluate(self, x: Array) -> Array:
        if type(x) in PYTHON_DTYPES:
            x = np.asarray(x)
        return x[index_of(self.key)]

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(sliced_shape(x.shape, self.key), x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return PutSlice(self.key, x.shape)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Slice((WHOLE, *self.key))(inputs[0])

    def accumulate(self, buffer: np.ndarray[Any, Any], cotangent: Array) -> None:
        """Adds the transpose of a plain cotangent to a buffer in place, touching only the entries of the key."""
        buffer[index_of(self.key)] += cotangent


@final
@parametrized
class PutSlice(Linear):
    """Zeros of the given shape with y[key] = x; the transpose of `Slice`."""

    key: Key = field(repr=shown)
    shape: Shape

    def evaluate(self, x: Array) -> Array:
        x = np.asarray(x) if type(x) in PYTHON_DTYPES else x
        out = zeros_of(x, self.shape)
        out[index_of(self.key)] = x
        return out

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(self.shape, x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Slice(self.key)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return PutSlice((WHOLE, *self.key), (size, *self.shape))(inputs[0])


@final
@parametrized
class SetSlice(Linear):
    """x with x[key] = value, for a value of the shape and dtype of x[key]; linear in both."""

    key: Key = field(repr=shown)
    operands = slice(0, 2)

    def evaluate(self, *inputs: Array) -> Array:
        x, value = inputs
        out = np.array(x)
        out[index_of(self.key)] = value
        return out

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array | None, Array | None]:
        x, value = inputs
        return (
            self(cotangent, zeros(typeof(value))) if isinstance(x, ArrayType) else None,
            Slice(self.key)(cotangent) if isinstance(value, ArrayType) else None,
        )

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        x, value = (moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True))
        return SetSlice((WHOLE, *self.key))(x, value)


# --- indexing by integer arrays ---------------------------------------------------------------------------


@final
@parametrized
class Gather(Linear):
    """x[:, ..., i, j, ...], where integer arrays i, j, ... follow `start` whole axes.

    The index arrays are the further inputs, broadcast together. `unique` promises that no entry is picked
    twice (a mask, a permutation), which makes the transpose faster.
    """

    accumulates = True

    start: int = 0
    unique: bool = False

    def evaluate(self, *inputs: Array) -> Array:
        x, *indices = inputs
        if len(indices) == 1:
            return np.take(x, indices[0], axis=self.start)
        return x[(slice(None),) * self.start + tuple(indices)]

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        x, *indices = inputs
        picked = np.broadcast_shapes(*(index.shape for index in indices))
        return ArrayType((*x.shape[: self.start], *picked, *x.shape[self.start + len(indices) :]), x.dtype)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Array:
        x, *indices = inputs
        return ScatterAdd(typeof(x).shape, self.start, self.unique)(cotangent, *indices)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        # x alone: one more whole axis in front. Indices alone: their batch axis comes out at `start`. Both: the
        # batch axis of x is moved to `start` too, and is picked in step by an index array 0, 1, 2, ...
        x, *indices = inputs
        if not any(batched[1:]):
            return Gather(self.start + 1, self.unique)(x, *indices)
        indices = _aligned_indices(indices, batched[1:])
        if batched[0]:
            x, indices = moved_axis(x, 0, self.start), [_counter(size, indices), *indices]
        return moved_axis(Gather(self.start, self.unique and batched[0])(x, *indices), self.start, 0)

    def accumulate(self, buffer: np.ndarray[Any, Any], cotangent: Array, *indices: Array) -> None:
        """Adds the transpose of a plain cotangent to a buffer in place."""
        index: Any = (slice(None),) * self.start + indices
        if self.unique:
            buffer[index] += cotangent
        elif np.size(cotangent) <= max(64, buffer.size // 8):
            np.add.at(buffer, index, cotangent)
        else:
            buffer += ScatterAdd(buffer.shape, self.start).evaluate(cotangent, *indices)


@final
@parametrized
class ScatterAdd(Linear):
    """Zeros of the given shape, to which x is added at [:, ..., i, j, ...]; the transpose of `Gather`."""

    shape: Shape
    start: int = 0
    unique: bool = False

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 0 if self.unique else inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        x, *indices = inputs
        if self.unique:
            out = zeros_of(x, self.shape)
            out[(slice(None),) * self.start + tuple(indices)] = x
            return out
        return scatter_add(np.asarray(x), self.shape, self.start, *map(np.asarray, indices))

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(self.shape, inputs[0].dtype)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Array:
        return Gather(self.start, self.unique)(cotangent, *inputs[1:])

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        x, *indices = inputs
        x = moved_to_front(x, batched[0], size)
        if not any(batched[1:]):
            return ScatterAdd((size, *self.shape), self.start + 1, self.unique)(x, *indices)
        indices = _aligned_indices(indices, batched[1:])
        shape = (*self.shape[: self.start], size, *self.shape[self.start :])
        scatter = ScatterAdd(shape, self.start, self.unique)
        return moved_axis(scatter(moved_axis(x, 0, self.start), _counter(size, indices), *indices), self.start, 0)


@final
@parametrized
class SetEntries(Linear):
    """x with x[positions] = values, where all three have one axis; linear in x and values.

    Where a position occurs twice, the last value stays, as in NumPy, and the others have derivative zero.
    """

    unique: bool = False
    operands = slice(0, 2)

    def evaluate(self, *inputs: Array) -> Array:
        x, values, positions = inputs
        out = np.array(x)
        out[positions] = values
        return out

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array | None, Array | None]:
        x, values, positions = inputs
        return (
            self(cotangent, zeros(typeof(values)), positions) if isinstance(x, ArrayType) else None,
            self._values_cotangent(cotangent, positions) if isinstance(values, ArrayType) else None,
        )

    def _values_cotangent(self, cotangent: Array, positions: Array) -> Array:
        picked = Gather(0, self.unique)(cotangent, positions)
        if self.unique:
            return picked
        stays = LastWrite(typeof(cotangent).size)(positions)
        return SELECT(stays, picked, zeros(typeof(picked)))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        x, values, positions = (moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True))
        length = typeof(x).shape[1]
        flat = map(_flattened, (x, values, _offset(positions, size, length)))
        return Reshape((size, length))(SetEntries(self.unique)(*flat))


@final
@parametrized
class LastWrite(Primitive):
    """Whether each of the positions is the last of its kind, so that the value written there stays."""

    size: int

    def evaluate(self, *inputs: Array) -> Array:
        (positions,) = inputs
        order = np.arange(len(positions))
        last = np.zeros(self.size, np.int64)
        last[positions] = order
        return last[positions] == order

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, bool)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return self(*primals), None

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        (positions,) = inputs
        flat = _flattened(_offset(positions, size, self.size))
        return Reshape(typeof(positions).shape)(LastWrite(size * self.size)(flat))


# --- helpers ----------------------------------------------------------------------------------------------


def moved_axis(x: Array, source: int, target: int) -> Array:
    """The array with one axis moved, the others in order."""
    if source == target:
        return x
    axes = [i for i in range(typeof(x).ndim) if i != source]
    axes.insert(target, source)
    return Permute(tuple(axes))(x)


def _flattened(x: Array) -> Array:
    return Reshape((typeof(x).size,))(x)


def _aligned_indices(indices: Sequence[Array], batched: Sequence[bool]) -> list[Array]:
    ndim = max(typeof(index).ndim - b for index, b in zip(indices, batched, strict=True))
    return [aligned(index, ndim) if b else index for index, b in zip(indices, batched, strict=True)]


def _counter(size: int, indices: Sequence[Array]) -> Array:
    ndim = max(typeof(index).ndim for index in indices)
    return np.arange(size).reshape((size, *(1,) * (ndim - 1)))


def _offset(positions: Array, size: int, length: int) -> Array:
    return positions + np.arange(0, size * length, length)[:, None]
