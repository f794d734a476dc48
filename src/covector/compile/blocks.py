"""Regions as loops over blocks of rows, with a few small arrays for what is computed in between.

    exp_1 = np.empty(1000000)
    sum_1 = {}
    def work(first, last, block):
        buffer_1 = np.empty(block)
        for start in range(first, last, block):
            here = slice(start, min(start + block, last))
            if start + block > last:
                buffer_1 = buffer_1[:last - start]
            multiply_1 = np.multiply(x[here], 0.5, out=buffer_1)
            np.exp(multiply_1, out=exp_1[here])
            sum_1[start] = np.add.reduce(exp_1[here], axis=None)
    in_blocks(work, 1000000, 16192, threads())
    sum_1 = combined(np.add, sum_1)

No array of the full size is made but those that are used after the loop. Buffers belong to the call, or to one
thread of it (see `threads`). A loop with little work is written without a function around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from attrs import frozen

from covector.compile.buffers import Buffers, empty, zeros
from covector.compile.expressions import array_expression, shown_index, with_dtypes, writing_expression
from covector.compile.regions import Region, rowwise_inputs
from covector.core.broadcasting import Reshape, SumTo
from covector.core.families import Elementwise
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Variable
from covector.ops.axes import Sum, Triangle
from covector.ops.indexing import PutSlice, index_of
from covector.ops.reduction import Extremum

WORTH_THREADS = 2**21
"""Entries to compute from which a loop may run on several threads: about a millisecond."""

LARGE_PART = 64
"""Entries from which what a block is reduced to is added to the part of the block before at once."""


@final
@frozen
class Target:
    """The array that a slice is put into; `new` if that begins with this slice."""

    name: str
    kind: ArrayType
    new: bool


@final
class BlockWriter:
    """Writes one region.

    `named(variable, stem)` names a variable; `operand(atom)` is its text; `lives(variable)` says whether it is used
    after the region, `free(variable)` whether it is an array that may be overwritten once the region has read it.
    `targets` are the arrays for slices, by the output of `PutSlice`.
    """

    def __init__(
        self,
        region: Region,
        named: Callable[[Variable | None, str], str],
        operand: Callable[[Atom], str],
        lives: Callable[[Variable], bool],
        free: Callable[[Atom], bool],
        targets: dict[Variable, Target],
    ) -> None:
        self.region, self.named, self.operand, self.lives, self.free = region, named, operand, lives, free
        self.inner = region.inner
        self.puts = _Puts(region, targets)
        self.equations = self.puts.in_order(region.equations)
        self.buffers = Buffers(region, self.equations, lambda: named(None, "buffer"))
        self.before: list[str] = []
        self.body: list[str] = []
        self.after: list[str] = []
        self.whole: set[Atom] = set()
        self.copies: dict[Atom, str] = {}
        self.placed = self._placed()
        self.replaceable = self._replaceable()
        self.start, self.here = named(None, "start"), named(None, "here")
        threaded = region.work >= WORTH_THREADS and self.puts.separable
        self.first = named(None, "first") if threaded else None
        self.later = named(None, "later") if threaded and self.puts.most_shared else None

    def lines(self) -> list[str]:
        """The source."""
        for position, equation in enumerate(self.equations):
            if isinstance(equation.primitive, PutSlice):
                self._put(equation)
            elif equation.outputs[0] in self.inner:
                self._compute(position, equation)
            else:
                self._reduce(equation)
            self.buffers.release(position, equation)
        loop = self._loop() if self.first is None else self._work(self.first)
        return [*self.puts.allocations(), *self.before, *loop, *self.after]

    # --- what is in the loop ----------------------------------------------------------------------------

    def _compute(self, position: int, equation: Equation) -> None:
        (out,) = equation.outputs
        texts = self._texts(equation)
        if self.lives(out):
            self._compute_whole(position, equation, texts)
            return
        if out in self.placed and self._compute_in_place(equation, texts):
            return
        written = self._buffered(position, equation, texts) or self._expression(equation, texts)
        self.body.append(f"{self.named(out, equation.primitive.name)} = {written}")

    def _buffered(self, position: int, equation: Equation, texts: list[str]) -> str | None:
        """The operation with its result in a buffer, if it takes one."""
        (out,), primitive = equation.outputs, equation.primitive
        if isinstance(primitive, Elementwise):
            if writing_expression(equation, texts, "") is None:
                return None
            buffer = self.buffers.taken(position, equation, in_place=True)
            return writing_expression(equation, texts, f"out={buffer}")
        if isinstance(primitive, (Sum, SumTo, Extremum)) and out.type.dtype == equation.inputs[0].type.dtype:
            buffer = self.buffers.taken(position, equation, in_place=False)
            return f"{self._expression(equation, texts).removesuffix(')')}, out={buffer})"
        return None

    def _compute_whole(self, position: int, equation: Equation, texts: list[str]) -> None:
        """Computes a block of an array that is used after the loop, in the place of one that is not."""
        (out,) = equation.outputs
        replaced = self._replaced(position, equation)
        source = empty(out.type.shape, out.type.dtype) if replaced is None else self.operand(replaced)
        name = self.named(out, equation.primitive.name)
        self.before.append(f"{name} = {source}")
        self.whole.add(out)
        place = f"{name}[{self.here}]"
        elementwise = isinstance(equation.primitive, Elementwise)
        written = writing_expression(equation, texts, f"out={place}") if elementwise else None
        self.body.append(written or f"{place} = {self._expression(equation, texts)}")

    def _placed(self) -> dict[Atom, Equation]:
        """What is put into a new array, and may be computed there: it has been read before anything is added to it."""
        found: dict[Atom, Equation] = {}
        for equation in self.puts.assigned:
            (x,) = equation.inputs
            added = map(self.equations.index, self.puts.others(equation))
            if x in self.inner and all(position > self.buffers.last[x] for position in added):
                found[x] = equation
        return found

    def _compute_in_place(self, equation: Equation, texts: list[str]) -> bool:
        """Computes a block of a slice in the array that it is put into, if the operation can be."""
        (out,), put = equation.outputs, self.placed[equation.outputs[0]]
        if not isinstance(equation.primitive, Elementwise) or writing_expression(equation, texts, "") is None:
            del self.placed[out]
            return False
        view = self._view(put, out)
        self.whole.add(out)
        written = writing_expression(equation, texts, f"out={view}[{self.here}]")
        assert written is not None
        self.body.append(written)
        return True

    def _replaced(self, position: int, equation: Equation) -> Atom | None:
        """An array from outside that can be overwritten, for its blocks have been read when this one is computed."""
        if isinstance(equation.primitive, Elementwise):
            for atom in self.replaceable.get(equation.outputs[0].type, []):
                if self.buffers.last[atom] <= position:
                    self.replaceable[atom.type].remove(atom)
                    return atom
        return None

    def _replaceable(self) -> dict[ArrayType, list[Atom]]:
        unsliced = {a for e in self.equations for a in set(e.inputs) - set(rowwise_inputs(e))}
        found: dict[ArrayType, list[Atom]] = {}
        for atom in self.region.inputs:
            if atom not in unsliced and self.free(atom):
                found.setdefault(atom.type, []).append(atom)
        return found

    def _reduce(self, equation: Equation) -> None:
        """Reduces a block: small parts are kept until the end, in order; large ones are combined at once."""
        (out,) = equation.outputs
        written = self._expression(equation, self._texts(equation))
        primitive = equation.primitive
        ufunc = f"np.{primitive.ufunc.__name__}" if isinstance(primitive, Extremum) else "np.add"
        name = self.named(out, primitive.name)
        self.before.append(f"{name} = {{}}")
        if out.type.size < LARGE_PART:
            self.body.append(f"{name}[{self.start}] = {written}")
        else:
            self.body.append(f"gathered({ufunc}, {name}, {self.first or 0}, {written})")
        self.after.append(f"{name} = combined({ufunc}, {name})")

    def _put(self, equation: Equation) -> None:
        if self.placed.get(equation.inputs[0]) is equation:
            return
        shared, x, view = self.puts.shared(equation), self._texts(equation)[0], self._view(equation)
        if equation in self.puts.assigned:
            self.body.append(f"{view}[{self.here}] = {x}")
        elif self.later is None or not shared:
            self.body.append(f"{view}[{self.here}] += {x}")
        else:
            also_others = f"{shared} if {self.start} == {self.first} > 0 else 0"
            self.body.append(f"added({view}, {self.here}, {x}, {also_others}, {self.later})")

    def _view(self, equation: Equation, variable: Variable | None = None) -> str:
        """The name of the part of an array that a slice is put into, and of the slice itself if that is given."""
        target, primitive = self.puts.targets[equation.outputs[0]], equation.primitive
        assert isinstance(primitive, PutSlice)
        view = self.named(variable, f"{target.name}_part")
        self.before.append(f"{view} = {target.name}[{shown_index(primitive.key)}]")
        return view

    def _texts(self, equation: Equation) -> list[str]:
        sliced = set(rowwise_inputs(equation))
        texts = [self._block(a) if a in sliced else self._entire(a) for a in equation.inputs]
        return with_dtypes(equation, texts)

    def _entire(self, atom: Atom) -> str:
        """An operand that every block reads whole."""
        if not self.buffers.rearranged(atom):
            return self.operand(atom)
        if atom not in self.copies:
            self.copies[atom] = self.named(None, "columns")
            self.before.append(f"{self.copies[atom]} = np.asfortranarray({self.operand(atom)})")
        return self.copies[atom]

    def _block(self, atom: Atom) -> str:
        text = self.operand(atom)
        return text if atom in self.inner and atom not in self.whole else f"{text}[{self.here}]"

    def _expression(self, equation: Equation, texts: list[str]) -> str:
        if isinstance(equation.primitive, Reshape):
            return f"{texts[0]}.reshape({(-1, *equation.outputs[0].type.shape[1:])})"
        if isinstance(equation.primitive, Triangle):
            half = "tril" if equation.primitive.lower else "triu"
            return f"np.{half}({texts[0]}, {self.start} + {equation.primitive.offset})"
        written = array_expression(equation, texts)
        assert written is not None
        return written

    # --- the loop ---------------------------------------------------------------------------------------

    def _work(self, first: str) -> list[str]:
        """The loop as a function of a range of rows and the rows of a block, and its calls."""
        name, last, block = (self.named(None, stem) for stem in ("work", "last", "block"))
        threads = "threads()" if self.buffers.block >= 2 * self.puts.most_shared else "1"
        here, start = self.here, self.start
        head = [f"{here} = slice({start}, min({start} + {block}, {last}))"]
        if self.buffers.kinds:
            shortened = self.buffers.shortened(f"{last} - {start}")
            head += [f"if {start} + {block} > {last}:", *(f"    {line}" for line in shortened)]
        loop = [*self.buffers.allocations(block), f"for {start} in range({first}, {last}, {block}):"]
        loop += [f"    {line}" for line in (*head, *self.body)]
        return [
            *([f"{self.later} = []"] if self.later else []),
            f"def {name}({first}, {last}, {block}):",
            *(f"    {line}" for line in loop),
            f"in_blocks({name}, {self.region.rows}, {self.buffers.block}, {threads})",
            *([f"finish({self.later})"] if self.later else []),
        ]

    def _loop(self) -> list[str]:
        """The loop on one thread."""
        rows, block, start = self.region.rows, self.buffers.block, self.start
        head = [f"{self.here} = slice({start}, {start} + {block})"]
        if rows % block and self.buffers.kinds:
            head.append(f"if {start} == {rows - rows % block}:")
            head += [f"    {line}" for line in self.buffers.shortened(str(rows % block))]
        loop = [f"for {start} in range(0, {rows}, {block}):", *(f"    {line}" for line in (*head, *self.body))]
        return [*self.buffers.allocations(str(block)), *loop]


# --- slices ---------------------------------------------------------------------------------------------


@final
class _Puts:
    """The slices that a loop puts into arrays.

    Slices x[1:] and x[:-1] of one array share rows: the first row of one block and the last one of the block before.
    If the array is new, the slice that begins last is assigned, before the others of the block are added to it; what
    that does not reach is set to zero. Several threads leave the rows that they share for the end.
    """

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
