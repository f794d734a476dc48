"""Slices that a loop over blocks puts into arrays, as reverse mode makes them of x[1:] and x[:-1].

    put_slice_1 = np.empty(1000000)
    put_slice_1[:1] = 0
    for start in ...:
        put_slice_1[1:][here] = a
        put_slice_1[:-1][here] += b

The slices share rows: the first row of one block and the last one of the block before. If the array is new, the slice
that begins last is assigned, before the others of the block are added to it; what that does not reach is set to zero.
Several threads leave the rows that they share for the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from attrs import frozen

from covector.compile.buffers import empty, zeros
from covector.compile.regions import Region
from covector.core.types import ArrayType
from covector.graph.graph import Equation, Variable
from covector.ops.indexing import PutSlice, index_of


@final
@frozen
class Target:
    """The array that a slice is put into; `new` if that begins with this slice."""

    name: str
    kind: ArrayType
    new: bool


@final
class Puts:
    """The slices of one region; `targets` are the arrays for them, by the output of `PutSlice`."""

    def __init__(self, region: Region, targets: dict[Variable, Target]) -> None:
        self.rows, self.targets = region.rows, targets
        self.equations = [e for e in region.equations if isinstance(e.primitive, PutSlice)]
        self.offsets = {e: _offset(e, targets[e.outputs[0]].kind) for e in self.equations}
        self.separable = None not in self.offsets.values()
        groups: dict[str, list[Equation]] = {}
        for equation in self.equations:
            groups.setdefault(self._target(equation), []).append(equation)
        self.new = {target.name for target in targets.values() if target.new}
        self.last = {name: max(group, key=self._start) for name, group in groups.items()}
        self.assigned = [e for name, e in self.last.items() if self._is_assigned(e, groups[name])]

    def _start(self, equation: Equation) -> int:
        return self.offsets[equation] or 0

    def _is_assigned(self, last: Equation, group: Sequence[Equation]) -> bool:
        """Whether the array is new, and has no other axes that are sliced."""
        target = self.targets[last.outputs[0]]
        whole = all(e.inputs[0].type.shape[1:] == target.kind.shape[1:] for e in group)
        return target.name in self.new and whole and all(self.offsets[e] is not None for e in group)

    def others(self, equation: Equation) -> list[Equation]:
        """The other equations that put a slice into the same array."""
        return [e for e in self.equations if e is not equation and self._target(e) == self._target(equation)]

    def _target(self, equation: Equation) -> str:
        return self.targets[equation.outputs[0]].name

    def shared(self, equation: Equation) -> int:
        """How many rows at the beginning of a block belong to the block before as well."""
        return self._start(self.last[self._target(equation)]) - self._start(equation)

    @property
    def most_shared(self) -> int:
        """The most rows that blocks share."""
        return max(map(self.shared, self.equations), default=0)

    def in_order(self, equations: Sequence[Equation]) -> list[Equation]:
        """The equations, with what is assigned before what is added to it."""
        ordered, waiting = list[Equation](), list[Equation]()
        for equation in equations:
            first = self._assigned_first(equation)
            if first is not None and first is not equation and first not in ordered:
                waiting.append(equation)
                continue
            ordered.append(equation)
            ready = [e for e in waiting if self._assigned_first(e) is equation]
            waiting = [e for e in waiting if e not in ready]
            ordered += ready
        return ordered

    def _assigned_first(self, equation: Equation) -> Equation | None:
        if not isinstance(equation.primitive, PutSlice):
            return None
        last = self.last[self._target(equation)]
        return last if last in self.assigned else None

    def allocations(self) -> list[str]:
        """The statements that make the new arrays."""
        lines = []
        for name, equation in self.last.items():
            target = self.targets[equation.outputs[0]]
            if equation in self.assigned:
                start = self._start(equation)
                lines.append(f"{name} = {empty(target.kind.shape, target.kind.dtype)}")
                lines += [f"{name}[:{start}] = 0"] if start else []
                lines += [f"{name}[{start + self.rows}:] = 0"] if start + self.rows < target.kind.shape[0] else []
            elif name in self.new:
                lines.append(f"{name} = {zeros(target.kind)}")
        return lines


def _offset(equation: Equation, kind: ArrayType) -> int | None:
    """The first row of a slice, if its rows are neighbours."""
    primitive: Any = equation.primitive
    index = index_of(primitive.key)
    entry = index[0] if isinstance(index, tuple) and index else index
    if entry is Ellipsis:
        return 0 if len(index) == 1 or equation.inputs[0].type.shape[0] == kind.shape[0] else None
    if not isinstance(entry, slice):
        return None
    start, _, step = entry.indices(kind.shape[0])
    return start if step == 1 else None
