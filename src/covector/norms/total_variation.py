"""The least direction of the l1 norm of differences, `l1() @ Difference()`, in closed form.

The direction for g is a step where the sums of the last entries of g are largest, and several steps if they tie there:

    >>> from covector.norms import Difference, l1
    >>> (l1() @ Difference()).maximizer(np.array([0.0, 1.0, -2.0, 0.0, 1.0]))
    array([ 0. ,  0. , -0.4,  0. ,  0.2])

Derivation: a step at t is s_t at all places from t on, s_t the sign of the sum there. The least |v| of combinations of
them whose coefficients sum up to 1 is, but for a factor, that of |v|^2 / 2 less the sum of the coefficients, whose dual
problem is to make |v| least with s_t U_t >= 1 for all t, where U_t is the sum of v from t on: a string from 0, behind
the last place, past pegs at height s_t. It is straight between one peg and the next. Its slopes are v, and |v|^2 is the
sum of the coefficients.
"""

from __future__ import annotations

import numpy as np

from covector.core.types import Array, typeof
from covector.norms.layout import ratio, ravel, typed_like
from covector.norms.maps import Difference
from covector.norms.norm import LEAST
from covector.norms.ties import rounded_down
from covector.norms.vectors import L1
from covector.trees import Tree, map_leaves


def least_steps(norm: L1, map: Difference, above: Tree) -> Tree:
    """The least maximizer of norm @ map for a covector, from the sums of its last entries."""
    sums, _ = ravel(above)
    peak = rounded_down(np.max(np.abs(sums), initial=0.0))

    def slopes(x: Array) -> Array:
        return np.moveaxis(_slopes(np.moveaxis(_pegs(x, peak), map.axis, -1)), -1, map.axis)

    found = map_leaves(slopes, above)
    flat, restore = ravel(typed_like(above, found))
    return restore(ratio(flat, np.dot(flat, flat)))


def _pegs(sums: Array, peak: Array) -> Array:
    """The signs of those that tie; zero at all others, unless there is a nan."""
    return np.where(np.abs(sums) < peak, 0.0, np.sign(sums))


def _slopes(pegs: Array) -> Array:
    """Of the string, at each place of the last axis that is not before the first peg."""
    size = typeof(pegs).shape[-1]
    places = np.arange(size)
    last = np.maximum.accumulate(np.where(pegs != 0, places, -1), axis=-1)
    none = np.full((*typeof(pegs).shape[:-1], 1), size)
    first = np.flip(np.minimum.accumulate(np.flip(np.where(pegs != 0, places, size), -1), axis=-1), -1)
    after = np.concatenate([first[..., 1:], none], axis=-1)
    heights = np.concatenate([pegs, 0.0 * none], axis=-1)
    fall = np.take_along_axis(heights, np.maximum(last, 0), -1) - np.take_along_axis(heights, after, -1)
    return np.where(last >= 0, fall / (after - last), 0.0)


LEAST[L1, Difference] = least_steps
