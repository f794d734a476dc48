"""The projection on the l1 ball, which lowers all |entries| by as much, in a few passes over memory.

    >>> nearest_in_l1(np.array([3.0, 0.5, -2.0]), 3.0)
    array([ 2.,  0., -1.])

By how much, the level t, solves sum max(sizes - t, 0) = radius. The left side is convex, falls, and is linear between
sizes: Newton's steps (Michelot's method) come to the level from below, and are exact once no size is passed. Nothing
is sorted. Of many entries, a sample of every 64th tells nearly where. If few of all are above it, they are copied, and
the others are not looked at again. Else one step from there gives a lower bound, which errs by the square of what the
sample did; only sizes between it and a guessed upper bound are copied, and all that is kept of those above is their
sum and number. The level found is right if it is within the bounds.

Source: C. Michelot, A finite algorithm for finding the projection of a point onto the canonical simplex (1986);
J. Duchi et al., Efficient projections onto the l1-ball for learning in high dimensions (2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.norms.ties import descending, entry

SAMPLED = 4096
"""The number of entries from which on a sample of them tells where to begin."""

EVERY = 64
"""One of so many entries is in the sample."""

FEW = 1 / 16
"""The part of the entries up to which it costs less to copy them than to pass over all."""

BLOCK = 65536
"""The number of entries that are worked on at once, so that what is computed of them stays in the cache."""


def nearest_in_l1(x: Array, radius: Any) -> Array:
    """The nearest vector whose |entries| sum to at most the radius."""
    if np.size(x) == 0:
        return x
    if isinstance(x, Tracer) or isinstance(radius, Tracer):
        return _by_sorting(x, radius)
    sizes = np.abs(x)
    if not np.sum(sizes) > radius:
        return x.copy()
    cut = level(sizes, float(radius))
    return np.subtract(x, np.clip(x, -cut, cut, out=sizes), out=sizes)


def _by_sorting(x: Array, radius: Any) -> Array:
    """A program that can be differentiated and batched."""
    sizes = descending(x)
    excess = (np.cumsum(sizes) - radius) / np.arange(1.0, np.size(x) + 1.0)
    cut = entry(excess, np.sum(sizes > excess) - 1)
    return np.sign(x) * np.maximum(np.abs(x) - np.maximum(cut, 0.0), 0.0)


def level(sizes: Array, total: float) -> float:
    """The t with sum max(sizes - t, 0) = total, for sizes that are not negative and whose sum is more than that."""
    if len(sizes) <= SAMPLED:
        return _michelot(sizes, total, 0.0)
    guess = level(sizes[::EVERY].copy(), total / EVERY)
    low = 0.9 * guess
    above = sizes > low
    if np.count_nonzero(above) > FEW * len(sizes):
        return _within_bounds(sizes, total, guess)
    found = _michelot(sizes[above], total, 0.0)
    return found if found >= low else _michelot(sizes, total, 0.0)


def _michelot(sizes: Array, total: float, t: float, larger: int = 0, sum_of_larger: float = 0.0) -> float:
    """Newton's steps from t, until no size is passed; `larger` sizes, of which only the sum is known, never are."""
    room = np.empty_like(sizes)

    def step(t: float) -> tuple[float, int]:
        excess = np.maximum(np.subtract(sizes, t, out=room), 0.0, out=room)
        count = int(np.count_nonzero(excess)) + larger
        return t + float(np.sum(excess) + (sum_of_larger - larger * t) - total) / max(count, 1), count

    (t, _), before = step(t), len(sizes) + larger + 1
    further, count = step(t)
    while 0 < count < before:
        t, before = further, count
        further, count = step(t)
    return t


def _within_bounds(sizes: Array, total: float, guess: float) -> float:
    """The level from two passes, if it is near the guess."""
    excess, count = _above(sizes, guess)
    low = guess + (excess - total) / max(count, 1)
    high = low + 0.1 * abs(low - guess)
    excess, count = _above(sizes, high)
    parts = [part[np.flatnonzero((part > low) & (part <= high))] for part in _blocks(sizes)]
    found = _michelot(np.concatenate(parts), total, low, count, excess + count * high)
    return found if found <= high else _michelot(sizes, total, low)


def _above(sizes: Array, t: float) -> tuple[float, int]:
    """The sum of max(sizes - t, 0), to rounding of t for each size, and the number of sizes above t."""
    room, excess, count = np.empty(BLOCK, sizes.dtype), 0.0, 0
    for part in _blocks(sizes):
        raised = np.clip(part, t, None, out=room[: len(part)])
        excess += float(np.sum(raised, dtype=float)) - t * len(part)
        count += int(np.count_nonzero(part > t))
    return excess, count


def _blocks(sizes: Array) -> Iterator[Array]:
    return (sizes[start : start + BLOCK] for start in range(0, len(sizes), BLOCK))
