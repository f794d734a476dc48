"""Which entries are largest, and who takes a share where several are.

The policies for ties (see `covector.norms.norm.TIES`) come down to two questions: what is the sign of zero, and which
of the entries that tie for the last places get them.

    >>> x = np.array([2.0, -2.0, 2.0, 0.0])
    >>> shares(x, 2, "min_norm").round(3), shares(x, 2, "vertex")
    (array([0.667, 0.667, 0.667, 0.   ]), array([1., 1., 0., 0.]))
    >>> signs(x, "min_norm"), signs(x, "vertex")
    (array([ 1., -1.,  1.,  0.]), array([ 1., -1.,  1.,  1.]))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array


def signs(x: Array, ties: str) -> Array:
    """A maximizer of <x, v> over max |v| <= 1; zeros of x are free: zero, or for an extreme point 1 or random."""
    found = np.sign(x)
    if ties not in ("vertex", "random"):
        return found
    free = 1.0 if ties == "vertex" else 2.0 * np.random.default_rng(0).integers(0, 2, np.size(x)) - 1.0
    return np.where((found == 0) & np.any(x != 0), free, found)


BITS = {np.dtype(f"f{size}"): np.dtype(f"u{size}") for size in (2, 4, 8)}
"""The floating-point numbers whose highest bit is their sign, and the integers of those bits."""


def has_sign_bits(x: Any) -> bool:
    """Whether `signs_times` can be used."""
    return type(x) is np.ndarray and x.ndim > 0 and x.dtype in BITS


def signs_times(x: Array, factor: float) -> Array:
    """factor * np.sign(x), of entries that are not nan: the sign bit is flipped in the factor, faster than np.sign."""
    unsigned = BITS[x.dtype]
    bits = np.bitwise_and(x.view(unsigned), x.dtype.type(-0.0).view(unsigned))
    found: Array = np.bitwise_xor(bits, x.dtype.type(factor).view(unsigned), out=bits).view(x.dtype)
    if not np.all(x != 0):
        found[x == 0] = 0.0
    return found


def shares(x: Array, count: Any, ties: str) -> Array:
    """1 for the `count` largest |entries|, a real number of them; those that tie share the last places."""
    sizes = np.abs(x)
    if np.size(x) == 0:
        return sizes
    threshold = entry(descending(x), np.ceil(count).astype(int) - 1)
    above = sizes > threshold
    return np.where(above, 1.0, shared(sizes == threshold, count - np.sum(above), ties))


def shared(tied: Array, places: Array, ties: str) -> Array:
    """Places for those that tie: equal shares, or for an extreme point whole ones for the first, or for random ones."""
    if ties not in ("vertex", "random"):
        return np.where(tied, places / np.maximum(np.sum(tied), 1), 0.0)
    order = np.arange(np.size(tied)) if ties == "vertex" else np.random.default_rng(0).permutation(np.size(tied))
    before = np.cumsum(np.take(tied * 1.0, order)) - 1.0
    return np.where(tied, np.clip(places - np.take(before, np.argsort(order)), 0.0, 1.0), 0.0)


def descending(x: Array) -> Array:
    """The |entries|, the largest first."""
    return np.flip(np.sort(np.abs(x)))


def entry(values: Array, index: Any) -> Array:
    """values[index], for an index that may be traced, or indices."""
    if not isinstance(index, Tracer):
        return np.take(values, index)
    chosen = np.arange(np.size(values)) == index[..., None]
    return np.sum(np.where(chosen, values, 0.0), axis=-1)


def largest_entries(x: Array, ties: str) -> Array:
    """A maximizer of <x, v> over sum |v| <= 1; the largest entries share it, or one takes it."""
    if np.size(x) == 0:
        return x
    sizes = np.abs(x)
    share = shared((sizes == np.max(sizes)) & (sizes > 0), 1.0, ties)
    return np.where((share > 0) | np.isnan(x), np.sign(x), 0.0) * share


def largest(x: Array) -> Array:
    """The largest |entry|, zero if there is none."""
    return np.max(np.abs(x)) if np.size(x) else np.zeros(())
