"""Entries that a norm's program must treat alike, because which is which depends on the argument.

Singular values come sorted. A norm of a matrix is a norm of them only if it treats them all alike: `s.sum()` and
`(s**3).sum()` do, `(w * s).sum()` and `s[0] + 2 * s[1]` do not (the first is a norm of sorted entries if the weights
fall; see `covector.norms.disciplined`). So each entry carries the number of its matrix until a sum or maximum takes all
the values of that matrix together.

    >>> stack = Alike.of((2, 3))                      # three singular values of each of two matrices
    >>> reduced_alike(stack, (1,)), reduced_alike(stack, (0, 1)), reduced_alike(stack, (0,))
    (True, True, False)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.primitive import as_tuple
from covector.core.types import Array


@final
@frozen(eq=False)
class Alike:
    """For each entry of an array the number of its group, and how many entries that group has, here and elsewhere."""

    groups: Array
    sizes: Array

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Alike | None:
        """A group for each index of all axes but the last; None if groups have one entry at most."""
        if not shape or shape[-1] < 2 or not np.prod(shape):
            return None
        numbers = np.arange(np.prod(shape[:-1], dtype=int)).reshape(shape[:-1])
        return cls(np.broadcast_to(numbers[..., None], shape), np.full(shape, shape[-1]))


def varies_within(weights: Any, groups: Array) -> bool:
    """Whether the entries of a group may be given different weights; traced ones are compared by where they are."""
    shape = np.shape(weights)
    given = np.arange(np.prod(shape, dtype=int)).reshape(shape) if isinstance(weights, Tracer) else weights
    given, groups = np.ravel(np.broadcast_to(given, groups.shape)), np.ravel(groups)
    order = np.argsort(groups, kind="stable")
    return bool(np.any((np.diff(groups[order]) == 0) & (np.diff(given[order]) != 0)))


def reduced_alike(alike: Alike, axes: tuple[int, ...]) -> bool:
    """Whether a reduction along some axes takes each group as a whole."""
    shape = alike.groups.shape
    axes = tuple(axis % len(shape) for axis in axes)
    left = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    results = np.arange(np.prod(left, dtype=int)).reshape(left)
    if varies_within(results, alike.groups):
        return False
    counts = np.bincount(np.ravel(alike.groups))
    return bool(np.all(counts[alike.groups] == alike.sizes))


def rearranged_alike(primitive: Any, operands: Sequence[tuple[Alike | None, tuple[int, ...]]]) -> list[Alike | None]:
    """The groups of the results of an operation that moves entries, for operands given by their groups and shapes.

    Groups of different operands stay different, so that parts of one that were taken apart are never whole again.
    """
    numbered, first = [], 0
    for alike, shape in operands:
        count = int(np.prod(shape, dtype=int))
        each = Alike(np.arange(count).reshape(shape), np.ones(shape, int)) if alike is None else alike
        numbered.append(Alike(each.groups + first, each.sizes))
        first += count
    groups = as_tuple(primitive.evaluate(*(x.groups for x in numbered)))
    sizes = as_tuple(primitive.evaluate(*(x.sizes for x in numbered)))
    return [Alike(x, y) if np.any(y > 1) else None for x, y in zip(groups, sizes, strict=True)]
