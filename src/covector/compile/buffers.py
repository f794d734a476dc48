"""Buffers: the few small arrays that hold what a loop over blocks computes in between.

They are assigned by liveness, as registers are: an output takes the buffer of an input that is not read again, else
a spare one, else a new one. A block has as many rows as let all buffers fit into a processor's second-level cache.

A row of a narrow shape, such as (1000, 3), makes NumPy loop over three entries at a time wherever a (1000, 1) meets
it or a sum goes along it. The buffers of such loops have the narrow axes outermost in memory, so that NumPy's inner
loops are long; the shape, and what is computed, are the same.

    buffer_1 = np.empty((3, 10, 1000)).transpose(1, 2, 0)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, final

import numpy as np

from covector.compile.expressions import dtype_name
from covector.compile.regions import Region
from covector.core.broadcasting import Reshape
from covector.core.types import ArrayType, Shape
from covector.graph.graph import Atom, Equation

CACHE = 2**21
"""Bytes of all buffers: ten of doubles, of which those in use at one time fit into a second-level cache."""

NARROW = 16
"""The most entries along an axis that is too short for an inner loop."""

Kind = tuple[Shape, np.dtype[Any]]
"""The kind of a buffer: the shape of a row, and the dtype."""


@final
class Buffers:
    """The buffers of a region; `named()` gives a new name."""

    def __init__(self, region: Region, equations: Sequence[Equation], named: Callable[[], str]) -> None:
        self.region, self.named = region, named
        self.last, self.roots = last_uses(equations)
        self.narrow = any(map(_is_slow_when_narrow, equations)) and not any(map(self._reads_narrow, equations))
        self.held: dict[Atom, str] = {}
        self.spare: defaultdict[Kind, list[str]] = defaultdict(list)
        self.kinds: dict[str, Kind] = {}

    def _reads_narrow(self, equation: Equation) -> bool:
        """Whether blocks of narrow arrays are read that were made elsewhere, and have their narrow axes innermost."""
        outside = [a.type for a in equation.inputs if a not in self.region.inner and is_narrow(a.type)]
        return any(kind.shape == v.type.shape for kind in outside for v in equation.outputs)

    def rearranged(self, atom: Atom) -> bool:
        """Whether an array that every block reads whole is better copied to have its narrow axes outermost."""
        return self.narrow and is_narrow(atom.type)

    @property
    def block(self) -> int:
        """The rows of a block."""
        row = sum(prod(shape) * dtype.itemsize for shape, dtype in self.kinds.values())
        return self.region.even_block(min(self.region.block, max(1, CACHE // max(1, row))))

    def taken(self, position: int, equation: Equation, in_place: bool) -> str:
        """The buffer for the output of the equation at a position, if `in_place` one that it may read as well."""
        (out,) = equation.outputs
        kind = out.type.shape[1:], out.type.dtype
        for atom in equation.inputs if in_place else ():
            dies = atom in self.held and self.last[atom] == position  # not one that is reshaped, which holds none
            if dies and self.kinds[self.held[atom]] == kind:
                self.held[out] = self.held.pop(atom)
                return self.held[out]
        self.held[out] = self.spare[kind].pop() if self.spare[kind] else self.named()
        self.kinds[self.held[out]] = kind
        return self.held[out]

    def release(self, position: int, equation: Equation) -> None:
        """Makes the buffers of inputs that are not read again spare."""
        for atom in dict.fromkeys(equation.inputs):
            root = self.roots.get(atom, atom)
            if root in self.held and self.last[root] <= position:
                buffer = self.held.pop(root)
                self.spare[self.kinds[buffer]].append(buffer)

    def allocations(self, rows: str) -> list[str]:
        """The statements that make buffers of so many rows."""
        return [f"{name} = {self._empty(rows, shape, dtype)}" for name, (shape, dtype) in self.kinds.items()]

    def shortened(self, rows: str) -> list[str]:
        """The statements for a last block of fewer rows."""
        return [f"{name} = {name}[:{rows}]" for name in self.kinds]

    def _empty(self, rows: str, shape: Shape, dtype: np.dtype[Any]) -> str:
        sizes = (rows, *map(str, shape))
        narrow = [axis for axis, n in enumerate(shape, 1) if n <= NARROW] if self.narrow else []
        order = narrow + [axis for axis in range(len(sizes)) if axis not in narrow]
        if order == sorted(order):
            return empty(sizes, dtype)
        back = tuple(order.index(axis) for axis in range(len(sizes)))
        return f"{empty([sizes[axis] for axis in order], dtype)}.transpose{back}"


def _is_slow_when_narrow(equation: Equation) -> bool:
    """Whether the operation repeats along an axis, or reduces one, of an array with a narrow last axis."""
    types = [v.type for v in (*equation.inputs, *equation.outputs) if v.type.shape]
    widest = max(types, key=_ndim)
    return (
        is_narrow(widest)
        and not isinstance(equation.primitive, Reshape)
        and any(t.shape != widest.shape for t in types)
    )


def is_narrow(kind: ArrayType) -> bool:
    """Whether the last of several axes is short."""
    return kind.ndim > 1 and 1 < kind.shape[-1] <= NARROW


def _ndim(kind: ArrayType) -> int:
    return kind.ndim


def last_uses(equations: Sequence[Equation]) -> tuple[dict[Atom, int], dict[Atom, Atom]]:
    """The last equation that reads each variable, directly or reshaped; and what a reshaped one is a view of."""
    last: dict[Atom, int] = {}
    roots: dict[Atom, Atom] = {}
    for position, equation in enumerate(equations):
        for atom in equation.inputs:
            last[atom] = last[roots.get(atom, atom)] = position
        if isinstance(equation.primitive, Reshape):
            roots[equation.outputs[0]] = roots.get(equation.inputs[0], equation.inputs[0])
    return last, roots


def empty(sizes: Sequence[object], dtype: np.dtype[Any]) -> str:
    """An array that is not filled, as source."""
    shown = sizes[0] if len(sizes) == 1 else f"({', '.join(map(str, sizes))})"
    return f"np.empty({shown})" if dtype == np.float64 else f"np.empty({shown}, {dtype_name(dtype)})"


def zeros(kind: ArrayType) -> str:
    """Zeros of a type as source."""
    return empty(kind.shape, kind.dtype).replace("np.empty", "np.zeros", 1)
