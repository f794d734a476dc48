"""Regions as loops over blocks of rows, with a few small arrays for what is computed in between.

    exp_1 = np.empty(1000000)
    sum_1 = {}
    def work(first, last, block):
        buffer_1 = np.empty(block)
        for start in range(first, last, block):
            here = slice(start, min(start + block, last))
            if start + block > last:
                buffer_1 = buffer_1[:last - start]
            rows_1 = exp_1[here]
            multiply_1 = np.multiply(x[here], 0.5, out=rows_1)
            np.exp(multiply_1, out=rows_1)
            square_1 = np.square(rows_1, out=buffer_1)
            sum_1[start] = np.add.reduce(square_1, axis=None)
    in_blocks(work, 1000000, 24448, threads())
    sum_1 = combined(np.add, sum_1)

No array of the full size is made but those that are used after the loop. What one of these is made of in place, step by
step, is computed there from the first step on, which takes no buffer and no copy. Buffers belong to the call, or to one
thread of it (see `threads`). A loop with little work is written without a function around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import final

from covector.compile.buffers import Buffers, empty
from covector.compile.expressions import array_expression, shown_index, with_dtypes, writing_expression
from covector.compile.puts import Puts, Target
from covector.compile.reductions import reduction_expression
from covector.compile.regions import Region, rowwise_inputs
from covector.core.broadcasting import Reshape, SumTo
from covector.core.families import Elementwise
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Variable
from covector.ops.axes import Sum, Triangle
from covector.ops.indexing import PutSlice
from covector.ops.reduction import Extremum

OFTEN = 2
"""Readings from which the block of an array has a name, for slicing takes time as well."""

LARGE_PART = 64
"""Entries from which what a block is reduced to is added to the part of the block before at once."""


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
        self.puts = Puts(region, targets)
        self.equations = self.puts.in_order(region.equations)
        self.buffers = Buffers(region, self.equations, lambda: named(None, "buffer"))
        self.before: list[str] = []
        self.body: list[str] = []
        self.after: list[str] = []
        self.whole: set[Atom] = set()
        self.copies: dict[Atom, str] = {}
        self.views: dict[Atom, str] = {}
        self.makers: dict[Atom, Equation] = {e.outputs[0]: e for e in self.equations}
        self.reads = Counter(atom for equation in self.equations for atom in rowwise_inputs(equation))
        self.placed = self._placed()
        self.replaceable = self._replaceable()
        self.homes = self._homes()
        self.start, self.here = named(None, "start"), named(None, "here")
        threaded = region.worth_threads and self.puts.separable
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
            home = self.homes.get(out)
            buffer = self.buffers.taken(position, equation, in_place=True) if home is None else self._rows(home)
            return writing_expression(equation, texts, f"out={buffer}")
        if isinstance(primitive, (Sum, SumTo, Extremum)) and out.type.dtype == equation.inputs[0].type.dtype:
            written, reduction = self._expression(equation, texts), reduction_expression(equation, texts)
            if written == reduction:
                buffer = self.buffers.taken(position, equation, in_place=False)
                return f"{written.removesuffix(')')}, out={buffer})"
        return None

    def _compute_whole(self, position: int, equation: Equation, texts: list[str]) -> None:
        """Computes a block of an array that is used after the loop, in the place of one that is not."""
        (out,) = equation.outputs
        place = self.views.get(out) or f"{self._whole(out, self._replaced(position, equation))}[{self.here}]"
        self.whole.add(out)
        elementwise = isinstance(equation.primitive, Elementwise)
        written = writing_expression(equation, texts, f"out={place}") if elementwise else None
        self.body.append(written or f"{place} = {self._expression(equation, texts)}")

    def _whole(self, out: Variable, replaced: Atom | None = None) -> str:
        """The name of the array for what is used after the loop, which may be one that is not."""
        name = self.named(out, self.makers[out].primitive.name)
        source = empty(out.type.shape, out.type.dtype) if replaced is None else self.operand(replaced)
        self.before.append(f"{name} = {source}")
        return name

    def _rows(self, out: Variable) -> str:
        """The block of the array that an output will be in, by name."""
        if out not in self.views:
            array = self._view(self.placed[out], out) if out in self.placed else self._whole(out)
            self.views[out] = self.named(None, "rows")
            self.body.append(f"{self.views[out]} = {array}[{self.here}]")
        return self.views[out]

    def _homes(self) -> dict[Atom, Variable]:
        """What is computed where an output will be, for that is computed in its place: by what is computed there."""
        homes: dict[Atom, Variable] = {}
        for position in reversed(range(len(self.equations))):
            equation = self.equations[position]
            (out,) = equation.outputs
            if (out in homes or self._is_new(out)) and _is_written(equation) and not self.buffers.narrow:
                for atom in equation.inputs:
                    if atom.type == out.type and self.buffers.last[atom] == position and self._is_temporary(atom):
                        homes[atom] = homes.get(out, out)
                        break
        return homes

    def _is_new(self, out: Variable) -> bool:
        """Whether an output is computed in an array that nothing was in before."""
        return out in self.placed or (out in self.inner and self.lives(out) and not self.replaceable.get(out.type))

    def _is_temporary(self, atom: Atom) -> bool:
        """Whether a variable would have a buffer."""
        inner = atom in self.inner and not self.lives(self.makers[atom].outputs[0]) and atom not in self.placed
        return inner and _is_written(self.makers[atom])

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
        if not _is_written(equation):
            del self.placed[out]
            return False
        place = self.views.get(out) or f"{self._view(put, out)}[{self.here}]"
        self.whole.add(out)
        written = writing_expression(equation, texts, f"out={place}")
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
        """An operand of which a block is read; one that is read often gets a name."""
        text = self.operand(atom)
        if atom in self.inner and atom not in self.whole:
            return text
        if atom not in self.views and self.reads[atom] < OFTEN:
            return f"{text}[{self.here}]"
        if atom not in self.views:
            self.views[atom] = self.named(None, "rows")
            self.body.append(f"{self.views[atom]} = {text}[{self.here}]")
        return self.views[atom]

    def _expression(self, equation: Equation, texts: list[str]) -> str:
        if isinstance(equation.primitive, Reshape):
            return f"{texts[0]}.reshape({(-1, *equation.outputs[0].type.shape[1:])})"
        if isinstance(equation.primitive, Triangle):
            half = "tril" if equation.primitive.lower else "triu"
            return f"np.{half}({texts[0]}, {self.start} + {equation.primitive.offset})"
        if self.buffers.narrow and isinstance(equation.primitive, (Sum, SumTo, Extremum)):
            return reduction_expression(equation, texts)
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


def _is_written(equation: Equation) -> bool:
    """Whether the operation can write into an array."""
    elementwise = isinstance(equation.primitive, Elementwise)
    return elementwise and writing_expression(equation, ["x"] * len(equation.inputs), "") is not None
