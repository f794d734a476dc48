"""Regions as loops over blocks of rows, with a few small arrays for what is computed in between.

    buffer_1 = np.empty(16384)
    exp_1 = np.empty(1000000)
    sum_1 = []
    for start in range(0, 1000000, 16384):
        here = slice(start, start + 16384)
        if start == 999424:
            buffer_1 = buffer_1[:576]
        multiply_1 = np.multiply(x[here], 0.5, out=buffer_1)
        np.exp(multiply_1, out=exp_1[here])
        sum_1.append(np.add.reduce(exp_1[here], axis=None))
    sum_1 = np.add.reduce(sum_1, axis=0)

No array of the full size is made but those that are used after the loop. Buffers are assigned by liveness, as
registers are, and belong to the call, so that threads may run the function at the same time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, final

import numpy as np

from covector.compile.expressions import array_expression, dtype_name, shown_index, writing_expression
from covector.compile.regions import Region, rowwise_inputs
from covector.core.broadcasting import Reshape
from covector.core.families import Elementwise
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Variable
from covector.ops.indexing import PutSlice
from covector.ops.reduction import Extremum

Buffer = tuple[tuple[int, ...], np.dtype[Any]]
"""The kind of a buffer: the shape of a row, and the dtype."""


@final
class BlockWriter:
    """Writes one region.

    `named(variable, stem)` names a variable; `operand(atom)` is its text; `lives(variable)` says whether it is used
    after the region, `free(variable)` whether it is an array that may be overwritten once the region has read it.
    """

    def __init__(
        self,
        region: Region,
        named: Callable[[Variable | None, str], str],
        operand: Callable[[Atom], str],
        lives: Callable[[Variable], bool],
        free: Callable[[Atom], bool],
    ) -> None:
        self.region, self.named, self.operand, self.lives, self.free = region, named, operand, lives, free
        self.inner = region.inner
        self.before: list[str] = []
        self.body: list[str] = []
        self.after: list[str] = []
        self.whole: set[Atom] = set()
        self.held: dict[Atom, str] = {}
        self.spare: defaultdict[Buffer, list[str]] = defaultdict(list)
        self.buffers: dict[str, Buffer] = {}
        self.roots: dict[Atom, Atom] = {}
        self.last = self._last_uses()
        self.replaceable = self._replaceable()
        self.start, self.here = named(None, "start"), named(None, "here")

    def lines(self, targets: dict[Variable, tuple[str, bool]]) -> list[str]:
        """The source; `targets` are the arrays for slices, by the output of `PutSlice`, and whether they are added."""
        for position, equation in enumerate(self.region.equations):
            if isinstance(equation.primitive, PutSlice):
                self._put(equation, *targets[equation.outputs[0]])
            elif equation.outputs[0] in self.inner:
                self._compute(position, equation)
            else:
                self._reduce(equation)
            self._release(position, equation)
        return [*self._allocations(), *self.before, *self._loop(), *self.after]

    # --- what is in the loop ----------------------------------------------------------------------------

    def _compute(self, position: int, equation: Equation) -> None:
        (out,) = equation.outputs
        texts = self._texts(equation)
        if self.lives(out):
            self._compute_whole(position, equation, texts)
            return
        buffer = None
        if isinstance(equation.primitive, Elementwise):
            buffer = self._buffer(position, equation)
        elif isinstance(equation.primitive, Reshape) and equation.inputs[0] in self.inner:
            self.roots[out] = self.roots.get(equation.inputs[0], equation.inputs[0])
        written = self._expression(equation, texts, buffer)
        self.body.append(f"{self.named(out, equation.primitive.name)} = {written}")

    def _compute_whole(self, position: int, equation: Equation, texts: list[str]) -> None:
        """Computes a block of an array that is used after the loop, in the place of one that is not."""
        (out,) = equation.outputs
        replaced = self._replaced(position, equation)
        source = _empty(out.type.shape, out.type.dtype) if replaced is None else self.operand(replaced)
        name = self.named(out, equation.primitive.name)
        self.before.append(f"{name} = {source}")
        self.whole.add(out)
        place = f"{name}[{self.here}]"
        written = writing_expression(equation, texts, place) if isinstance(equation.primitive, Elementwise) else None
        self.body.append(written or f"{place} = {self._expression(equation, texts, None)}")

    def _replaced(self, position: int, equation: Equation) -> Atom | None:
        """An array from outside that can be overwritten, for its blocks have been read when this one is computed."""
        if isinstance(equation.primitive, Elementwise):
            for atom in self.replaceable.get(equation.outputs[0].type, []):
                if self.last[atom] <= position:
                    self.replaceable[atom.type].remove(atom)
                    return atom
        return None

    def _replaceable(self) -> dict[ArrayType, list[Atom]]:
        unsliced = {a for e in self.region.equations for a in set(e.inputs) - set(rowwise_inputs(e))}
        found: dict[ArrayType, list[Atom]] = {}
        for atom in self.region.inputs:
            if atom not in unsliced and self.free(atom):
                found.setdefault(atom.type, []).append(atom)
        return found

    def _reduce(self, equation: Equation) -> None:
        (out,) = equation.outputs
        written = self._expression(equation, self._texts(equation), None)
        primitive = equation.primitive
        combined = primitive.ufunc.__name__ if isinstance(primitive, Extremum) else "add"
        name = self.named(out, primitive.name)
        self.before.append(f"{name} = []")
        self.body.append(f"{name}.append({written})")
        self.after.append(f"{name} = np.{combined}.reduce({name}, axis=0)")

    def _put(self, equation: Equation, target: str, added: bool) -> None:
        primitive: Any = equation.primitive
        view = self.named(None, f"{target}_part")
        self.before.append(f"{view} = {target}[{shown_index(primitive.key)}]")
        self.body.append(f"{view}[{self.here}] {'+=' if added else '='} {self._texts(equation)[0]}")

    def _texts(self, equation: Equation) -> list[str]:
        sliced = set(rowwise_inputs(equation))
        return [self._block(a) if a in sliced else self.operand(a) for a in equation.inputs]

    def _block(self, atom: Atom) -> str:
        text = self.operand(atom)
        return text if atom in self.inner and atom not in self.whole else f"{text}[{self.here}]"

    def _expression(self, equation: Equation, texts: list[str], buffer: str | None) -> str:
        if isinstance(equation.primitive, Reshape):
            return f"{texts[0]}.reshape({(-1, *equation.outputs[0].type.shape[1:])})"
        written = None if buffer is None else writing_expression(equation, texts, buffer)
        written = written or array_expression(equation, texts)
        assert written is not None
        return written

    # --- buffers ----------------------------------------------------------------------------------------

    def _last_uses(self) -> dict[Atom, int]:
        """The last equation that reads each variable, directly or reshaped."""
        last: dict[Atom, int] = {}
        roots: dict[Atom, Atom] = {}
        for position, equation in enumerate(self.region.equations):
            for atom in equation.inputs:
                last[atom] = last[roots.get(atom, atom)] = position
            if isinstance(equation.primitive, Reshape):
                roots[equation.outputs[0]] = roots.get(equation.inputs[0], equation.inputs[0])
        return last

    def _buffer(self, position: int, equation: Equation) -> str | None:
        """The buffer for an output: that of an input that dies here, a spare one, or a new one."""
        (out,) = equation.outputs
        if writing_expression(equation, [""] * len(equation.inputs), "") is None:
            return None
        kind = out.type.shape[1:], out.type.dtype
        for atom in equation.inputs:
            dies = atom in self.held and self.last[atom] == position  # not one that is reshaped, which holds none
            if dies and self.buffers[self.held[atom]] == kind:
                self.held[out] = self.held.pop(atom)
                return self.held[out]
        self.held[out] = self.spare[kind].pop() if self.spare[kind] else self.named(None, "buffer")
        self.buffers[self.held[out]] = kind
        return self.held[out]

    def _release(self, position: int, equation: Equation) -> None:
        for atom in dict.fromkeys(equation.inputs):
            root = self.roots.get(atom, atom)
            if root in self.held and self.last[root] <= position:
                buffer = self.held.pop(root)
                self.spare[self.buffers[buffer]].append(buffer)

    def _allocations(self) -> list[str]:
        rows = self.region.block
        return [f"{name} = {_empty((rows, *shape), dtype)}" for name, (shape, dtype) in self.buffers.items()]

    def _loop(self) -> list[str]:
        rows, block = self.region.rows, self.region.block
        head = [f"{self.here} = slice({self.start}, {self.start} + {block})"]
        if rows % block and self.buffers:
            head.append(f"if {self.start} == {rows - rows % block}:")
            head += [f"    {name} = {name}[:{rows % block}]" for name in self.buffers]
        return [f"for {self.start} in range(0, {rows}, {block}):", *(f"    {line}" for line in (*head, *self.body))]


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    shown = shape[0] if len(shape) == 1 else shape
    return f"np.empty({shown})" if dtype == np.float64 else f"np.empty({shown}, {dtype_name(dtype)})"


def zeros(kind: ArrayType) -> str:
    """Zeros of a type as source."""
    return _empty(kind.shape, kind.dtype).replace("np.empty", "np.zeros", 1)
