"""Adding at places: the transpose of picking entries by index arrays.

    >>> scatter_add(np.array([1.0, 2.0, 3.0]), (4,), 0, np.array([0, -1, 0]))
    array([4., 0., 0., 2.])

Compiled programs call these functions too, and exported ones have a copy of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from covector.core.types import Array, Shape


def scatter_add(x: Array, shape: Shape, start: int, *indices: Array) -> Array:
    """Zeros of a shape, with x added at the entries picked by index arrays, which follow `start` whole axes."""
    size = math.prod(shape)
    if not size:
        return np.zeros(shape, x.dtype)
    stop = start + len(indices)
    positions = places(shape[start:stop], math.prod(shape[stop:]), indices)
    wanted = (*shape[:start], *positions.shape[:-1], *shape[stop:])
    if start:
        positions = np.add.outer(np.arange(0, size, math.prod(shape[start:])), positions)
    values = x if np.shape(x) == wanted else np.broadcast_to(x, wanted)
    return added_at(positions.ravel(), values.ravel(), size).reshape(shape)


def places(sizes: Shape, after: int, indices: Sequence[Array]) -> Array:
    """Where the rows of `after` entries that index arrays pick lie in the flattened array.

    They are picked from a table, which counts from the end and refuses what is outside as NumPy does; of all entries
    if it has not many more rows than are picked, of the first entry of each row otherwise.
    """
    rows = math.prod(sizes)
    width = after if rows <= 1000 + max(index.size for index in indices) else 1
    table = np.arange(0, rows * after, after // width).reshape(*sizes, width)
    picked = table.take(indices[0], axis=0) if len(indices) == 1 else table[tuple(indices)]
    return picked if width == after else picked + np.arange(after)


def added_at(positions: Array, values: Array, size: int) -> Array:
    """A vector of zeros with values added at positions; np.bincount is the fastest way, in double precision."""
    if values.dtype.kind == "c":
        out = np.zeros(size, values.dtype)
        out.real, out.imag = added_at(positions, values.real, size), added_at(positions, values.imag, size)
        return out
    if values.dtype.kind == "f" and values.dtype.itemsize <= 8:
        return np.bincount(positions, values, size).astype(values.dtype, copy=False)
    out = np.zeros(size, values.dtype)
    np.add.at(out, positions, values)
    return out
