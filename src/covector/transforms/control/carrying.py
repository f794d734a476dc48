"""What loops carry from step to step: trees of arrays whose structure, shapes and dtypes stay the same.

A Python number adapts: if the step turns it into a float32, it is one from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import final

import numpy as np

from covector.core.types import Array, ArrayType, typeof
from covector.errors import DTypeMismatchError, ShapeMismatchError, TreeMismatchError
from covector.transforms.arguments import LEAF, PLAIN_LEAVES, as_leaf
from covector.transforms.control.bodies import strengthened
from covector.trees import Tree, flatten, leaf_paths, unflatten


@final
class Carry:
    """The first carry of a loop, `what` its name in errors; `kinds` are the types its leaves have to keep.

    The first `counters` leaves stay Python numbers if they are.
    """

    def __init__(self, what: str, tree: Tree, counters: int = 0) -> None:
        self.what, self.counters = what, counters
        found, structure = flatten(tree)
        self.structure = LEAF if structure == LEAF else structure
        self.paths = leaf_paths(tree, "carry")
        self.leaves = [as_leaf(x, partial(self.paths.__getitem__, i)) for i, x in enumerate(found)]
        self.kinds = [typeof(x) for x in self.leaves]

    def tree(self, leaves: Sequence[Array]) -> Tree:
        """The carry with these leaves."""
        return leaves[0] if self.structure is LEAF else unflatten(self.structure, leaves)

    def flattened(self, tree: Tree) -> list[Array]:
        """The leaves of a carry that a step returned."""
        if self.structure is LEAF and type(tree) in PLAIN_LEAVES:
            return [tree]
        leaves, structure = flatten(tree)
        if structure != self.structure:
            raise TreeMismatchError(
                f"the carry of {self.what} must keep its tree structure, {self.structure}; a step returned {structure}"
            )
        return [as_leaf(x, partial(self.paths.__getitem__, i)) for i, x in enumerate(leaves)]

    def settle(self, outputs: Sequence[ArrayType]) -> bool:
        """Gives Python numbers the dtypes that a step returned; whether that makes it necessary to repeat it."""
        kinds = self.kinds[: self.counters]
        kinds += map(_adapted, self.kinds[self.counters :], outputs[self.counters :])
        changed = kinds != self.kinds
        if changed:
            self.leaves = [strengthened(x, kind) for x, kind in zip(self.leaves, kinds, strict=True)]
            self.kinds = kinds
        return changed

    def kept(self, leaves: Sequence[Array]) -> list[Array]:
        """The carry after a step, in the types that it had before."""
        found = list(map(typeof, leaves))
        if found == self.kinds:
            self.kinds = found  # the same objects as at the next step, so that they are quick to compare
            return list(leaves)
        self.check(found)
        return [strengthened(x, kind) for x, kind in zip(leaves, self.kinds, strict=True)]

    def check(self, outputs: Sequence[ArrayType]) -> None:
        """Raises if a step changed the type of the carry; a Python number in it takes the type that it has to have."""
        for found, kind, path in zip(outputs, self.kinds, self.paths, strict=True):
            adapts = found.weak and np.can_cast(found.dtype, kind.dtype, "same_kind")
            if found.shape != kind.shape or not (adapts or found.dtype == kind.dtype):
                error = ShapeMismatchError if found.shape != kind.shape else DTypeMismatchError
                raise error(
                    f"the carry of {self.what} must keep its type; {path} is {kind} before a step and {found} after "
                    f"it. {_advice(kind, found)}"
                )


def _adapted(kind: ArrayType, output: ArrayType) -> ArrayType:
    """The type that a Python number takes on when a step makes this of it."""
    fits = output.shape == () and np.can_cast(kind.dtype, output.dtype, "same_kind")
    return output.strong() if kind.weak and fits else kind.strong()


def _advice(kind: ArrayType, found: ArrayType) -> str:
    if kind.shape != found.shape:
        return "Start from an array of the final shape."
    return f"Start from {found.dtype}, or write .astype('{kind.dtype}') in the step."
