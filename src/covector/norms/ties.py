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

from collections.abc import Callable
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.norms.layout import either, ratio

TIED = 1e-7
"""How far from a tie entries or lengths must be, relative to the largest, to be seen at once to have one maximizer."""


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
    return _signed(x, shared((sizes == np.max(sizes)) & (sizes > 0), 1.0, ties))


def largest_entries_by(scales: Callable[[], Array], x: Array) -> Array:
    """The maximizer of <x, v> over sum |v| <= 1 with the least |scales * v|; they are asked for if several tie.

    Derivation: sum of s_i^2 v_i^2 is least, for a given sum of the v_i, where all s_i^2 v_i are equal.
    """
    if np.size(x) == 0:
        return x
    sizes = np.abs(x)
    tied = (sizes >= rounded_down(np.max(sizes))) & (sizes > 0)
    dtype = typeof(x).dtype

    def shared_by_scales() -> Array:
        units = np.abs(scales())
        units = np.where(tied, units, np.max(units))
        shares = np.where(tied, np.min(units) / units, 0.0) ** 2
        return ratio(shares, np.sum(shares)).astype(dtype)

    return _signed(x, either(np.sum(tied) == 1, lambda: tied.astype(dtype), shared_by_scales))


def _signed(x: Array, share: Array) -> Array:
    return np.where((share > 0) | np.isnan(x), np.sign(x), 0.0) * share


def rounded_down(value: Array) -> Array:
    """A positive number, less by what rounding of one that is equal may have lost."""
    return value * (1.0 - 8.0 * np.finfo(typeof(value).dtype).eps)


def best_partial_sum(x: Array, sums: Array, weights: Array, ties: str) -> Array:
    """A maximizer of <x, v> over the hull of j signs divided by weights[j - 1], for all j, which increase ever less.

    `sums` are those of the j largest |entries|; the best j have the largest sums / weights.

    Derivation for several of them: with W = weights, w_i = W_i - W_(i-1), the combinations of 1 / W_j at the first j
    places are the c that decrease, at these j only, with <w, c> = 1. Of these the least is a multiple of the means of w
    between one such j and the next, which decrease as w does.
    """
    quotients = sums / weights
    count = np.size(x) - np.argmax(np.flip(quotients))
    if ties != "min_norm":
        return signs(x, ties) * shares(x, count, ties) / entry(weights, count - 1)
    best = quotients >= rounded_down(np.max(quotients))

    def by_one(x: Array, best: Array, weights: Array) -> Array:
        return (shares(x, count, ties) / entry(weights, count - 1)).astype(float)

    def by_several(x: Array, best: Array, weights: Array) -> Array:
        means = _means_between(best, weights)
        order = np.argsort(np.argsort(-np.abs(x)))
        return np.take(ratio(means, np.dot(means, means)), order).astype(float)

    return np.sign(x) * either(np.sum(best) == 1, by_one, by_several, x, best, weights)


def _means_between(ends: Array, totals: Array) -> Array:
    """The means of the terms of increasing totals between one end and the next; zero after the last."""
    places = np.arange(1.0, np.size(totals) + 1.0)
    total, place = (_next(ends, x) - _before(ends, x) for x in (totals, places))
    return np.where(np.isfinite(place), total, 0.0) / np.where(np.isfinite(place), place, 1.0)


def _next(ends: Array, increasing: Array) -> Array:
    """For each place the value at the first end from there on; infinite if there is none."""
    return np.flip(np.minimum.accumulate(np.flip(np.where(ends, increasing, np.inf))))


def _before(ends: Array, increasing: Array) -> Array:
    """For each place the value at the last end before it; zero if there is none."""
    found = np.maximum.accumulate(np.where(ends, increasing, 0.0))
    return np.concatenate([np.zeros(1, typeof(found).dtype), found[:-1]])


def steeper(one: Array, two: Array, left: Array, right: Array, ties: str) -> Array:
    """Of the maximizers of two norms that of the steeper; if they are as steep, what a policy takes of the hull."""
    tied = (rounded_down(one) <= two) & (rounded_down(two) <= one)
    if not isinstance(tied, Tracer) and not tied:
        return left if one > two else right
    share = np.where(tied, share_of_hull(left, right, ties), np.where(one > two, 1.0, 0.0))
    return share * left + (1.0 - share) * right


def share_of_hull(left: Array, right: Array, ties: str) -> Array:
    """What the first of two points gets; for the least norm, <left - right, share left + (1 - share) right> = 0."""
    if ties != "min_norm":
        return 0.5 if ties == "split" else 1.0
    change = left - right
    return np.clip(ratio(-np.dot(change, right), np.dot(change, change)), 0.0, 1.0)


def largest(x: Array) -> Array:
    """The largest |entry|, zero if there is none."""
    return np.max(np.abs(x)) if np.size(x) else np.zeros(())
