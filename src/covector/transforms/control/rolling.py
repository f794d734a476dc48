"""Rolling: the steps of a Python loop, which are recorded one after the other, as a `Scan`.

    b = multiply a 2.0
    c = sin b                           c, d, ... = scan[length=100] a
    d = multiply c 2.0           =>         carry -> sin (multiply carry 2.0)
    e = sin d
    ...

It takes a fraction of the time to simplify and to write one step instead of all, and what can be computed for many
steps at once is. `repetition` finds the stretches of equal operations, and `repeated` what their operands are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np

from covector.compile.dead_code import without_dead_code
from covector.core.broadcasting import AS_PYTHON_NUMBER, BroadcastTo, Cast
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, identity_of
from covector.ops.arithmetic import ADD
from covector.ops.axes import Concatenate, Stack, Unstack
from covector.ops.indexing import Slice
from covector.transforms.control.bodies import retyped
from covector.transforms.control.repeated import Carried, Column, Element, Loop, Placed, Same, Unfit
from covector.transforms.control.repetition import FEWEST_STEPS, Stretch, Values, stretches, with_key
from covector.transforms.control.scanning import Scan

STACK = Stack(0)

DEEPEST = 4
"""How many loops in each other are found."""


def rolled(graph: Graph) -> Graph:
    """The graph with loops for its repeated equations, those of nested loops from the inside to the outside."""
    bodies: dict[Any, Graph] = {}
    for strict in (True, False):
        for _ in range(DEEPEST):
            given, graph = graph, _rolled(graph, strict, bodies)
            if graph is given:
                break
    return graph


def _rolled(graph: Graph, strict: bool, bodies: dict[Any, Graph]) -> Graph:
    found = stretches(graph, strict)
    if not found:
        return graph
    values = Values(graph)
    loops: list[Loop] = []
    for stretch in found:
        _find_loops(graph, values, values.rotated(stretch), loops)
    while loops:
        roller = _Roller(graph, values, loops, bodies)
        unfit = roller.unfit()
        if not unfit:
            return roller.rolled()
        loops = [loop for loop in loops if loop not in unfit]
    return graph


def _find_loops(graph: Graph, values: Values, stretch: Stretch, loops: list[Loop]) -> None:
    """Adds the loops in a stretch, in order."""
    if not stretch.is_worth_a_loop:
        return
    try:
        loops.append(Loop(graph, values, stretch, loops))
    except Unfit as unfit:
        if unfit.first < unfit.last:
            for first, last in ((0, unfit.first), (unfit.first, unfit.last), (unfit.last, stretch.steps)):
                _find_loops(graph, values, stretch.between(first, last), loops)


# --- the graph with loops -------------------------------------------------------------------------------


@final
class _Needs:
    """What is needed of a loop's values after it: at the last step, at others, and of all steps."""

    def __init__(self) -> None:
        self.last: dict[int, None] = {}
        self.single: dict[tuple[int, int], None] = {}
        self.all: dict[int, None] = {}

    @property
    def kept(self) -> set[int]:
        """The places whose values are kept, of all steps."""
        return {*self.all, *(place for _, place in self.single)}


@final
class _Roller:
    """The equations written so far, and what stands for values that loops compute."""

    def __init__(self, graph: Graph, values: Values, loops: Sequence[Loop], bodies: dict[Any, Graph]) -> None:
        self.graph, self.values, self.loops, self.bodies = graph, values, loops, bodies
        self.equations: list[Equation] = []
        self.found: dict[int, Atom] = {}
        self.kept: dict[tuple[int, int], Atom] = {}
        self.constants: dict[Any, tuple[Variable, Array]] = {}
        self.owners = np.full(len(values.variables), -1)
        for i, loop in enumerate(loops):
            self.owners[loop.first : loop.first + loop.steps * loop.count] = i
        unstacking = [e for e in graph.equations if isinstance(e.primitive, Unstack)]
        self.makers: dict[Atom, Equation] = {v: e for e in unstacking for v in e.outputs}
        self.needs = [_Needs() for _ in loops]
        self.stacked = {e: found for e in self._outside() if (found := self._stacked(e))}
        self._find_needs()

    def unfit(self) -> list[Loop]:
        """The loops that put sums together of which more is needed than the last."""
        return [
            loop
            for loop, needs in zip(self.loops, self.needs, strict=True)
            for x in loop.placed
            if not {x.value, *x.sums}.isdisjoint(needs.kept | needs.last.keys() - {x.total})
        ]

    def rolled(self) -> Graph:
        """The graph."""
        start = 0
        for i, loop in enumerate(self.loops):
            self._copy(start, loop.stretch.start)
            self._write(i, loop)
            start = loop.stretch.stop
        self._copy(start, len(self.graph.equations))
        outputs = tuple(self._atom(self.values.code(atom)) for atom in self.graph.outputs)
        constants = (*self.graph.constants, *self.constants.values())
        return Graph(self.graph.inputs, tuple(self.equations), outputs, constants, self.graph.structure)

    # --- what is needed ---------------------------------------------------------------------------------

    def _outside(self) -> Iterator[Equation]:
        """The equations that are not in loops."""
        start = 0
        for stretch in [loop.stretch for loop in self.loops]:
            yield from self.graph.equations[start : stretch.start]
            start = stretch.stop
        yield from self.graph.equations[start:]

    def _stacked(self, equation: Equation) -> tuple[int, int] | None:
        """Which of the inputs of a stack are the values of a loop's steps, one after the other."""
        if equation.primitive != STACK or len(equation.inputs) < FEWEST_STEPS:
            return None
        codes = np.array([self.values.code(atom) for atom in equation.inputs])
        owners = np.where(codes < 0, -1, self.owners[np.maximum(codes, 0)])
        (inside,) = np.nonzero(owners == owners.max())
        first, last = int(inside[0]), int(inside[-1]) + 1
        if owners.max() < 0 or last - first < FEWEST_STEPS or (owners[first:last] != owners.max()).any():
            return None
        count = self.loops[owners.max()].count
        return (first, last) if set(np.diff(codes[first:last]).tolist()) in ({count}, {-count}) else None

    def _find_needs(self) -> None:
        """Notes what is needed by the equations that are not in loops, by the outputs, and by the loops."""
        for equation in self._outside():
            codes = [self.values.numbers.get(atom, -1) for atom in equation.inputs]
            if equation in self.stacked:
                first, last = self.stacked[equation]
                self._need_steps(codes[first])
                codes = [*codes[:first], *codes[last:]]
            for code in codes:
                self._need(code)
        for atom in self.graph.outputs:
            self._need(self.values.code(atom))
        for loop in self.loops:
            self._need_inputs(loop)

    def _need_steps(self, code: int) -> None:
        """That the values at the place of this one are needed, of all steps."""
        owner = self.owners[code]
        self.needs[owner].all[self.loops[owner].place(code)[1]] = None

    def _need(self, code: int) -> None:
        if code < 0 or self.owners[code] < 0:
            return
        owner = self.owners[code]
        step, place = self.loops[owner].place(code)
        if step == self.loops[owner].steps - 1:
            self.needs[owner].last[place] = None
        else:
            self.needs[owner].single[step, place] = None

    def _need_inputs(self, loop: Loop) -> None:
        for entering in loop.inputs:
            if isinstance(entering, Column):
                owner = self._source(entering)
                if owner is None:
                    for code in entering.codes:
                        self._need(code)
                else:
                    self._need_steps(entering.codes[0])
            else:
                self._need(entering.first[0] if isinstance(entering, Carried) else entering.code)

    def _source(self, column: Column) -> int | None:
        """The loop whose steps a column is."""
        first = column.codes[0]
        return int(self.owners[first]) if first >= 0 and self.owners[first] >= 0 else None

    # --- writing ----------------------------------------------------------------------------------------

    def _copy(self, start: int, stop: int) -> None:
        """The equations outside of loops."""
        for equation in self.graph.equations[start:stop]:
            if equation in self.stacked:
                self.found[self.values.numbers[equation.outputs[0]]] = self._stack(equation, *self.stacked[equation])
                continue
            codes = [self.values.numbers.get(atom, -1) for atom in equation.inputs]
            if not self.found.keys().isdisjoint(codes):
                inputs = tuple(self.found.get(c, a) for c, a in zip(codes, equation.inputs, strict=True))
                equation = Equation(equation.primitive, inputs, equation.outputs)
            self.equations.append(equation)

    def _atom(self, code: int) -> Atom:
        found = self.found.get(code)
        return self.values.atom(code) if found is None else found

    def _applied(self, primitive: Primitive, *inputs: Atom) -> Variable:
        variable = Variable(primitive.output_type(*(atom.type for atom in inputs)))
        self.equations.append(Equation(primitive, inputs, (variable,)))
        return variable

    def _write(self, number: int, loop: Loop) -> None:
        """A scan in place of the equations, and what else is needed of its values."""
        needs, given = self.needs[number], loop.given
        carried = [x for x in loop.inputs if isinstance(x, Carried)]
        columns = {x: self._column(x, loop) for x in loop.inputs if isinstance(x, (Column, Element))}
        known = {x.place for x in carried if x.delay == 1} | given.keys()
        leaving = [place for place in needs.last if place not in known]
        stored = sorted((needs.kept | {x.value for x in loop.placed}) - given.keys())
        body = self._body(loop, carried, leaving, stored)
        scan = Scan(body, loop.steps, len(carried) + len(leaving), len(columns), loop.reverse)
        inputs = [
            *(self._constant(value) for _, value in loop.body.constants),
            *(self._atom(x.code) for x in loop.inputs if isinstance(x, Same)),
            *(self._strong(self._atom(x.first[0])) for x in carried),
            *(self._zero(self._kind(loop, place)) for place in leaving),
            *columns.values(),
        ]
        outputs = tuple(map(Variable, scan.output_type()))
        self.equations.append(Equation(scan, tuple(inputs), outputs))
        kept: dict[int, Atom] = {place: columns[x] for place, x in given.items()}
        kept |= zip(stored, outputs[scan.carries :], strict=True)
        self.kept |= {(number, place): atom for place, atom in kept.items()}
        last: dict[int, Atom] = {x.place: v for x, v in zip(carried, outputs, strict=False) if x.delay == 1}
        last |= zip(leaving, outputs[len(carried) : scan.carries], strict=True)
        for x in loop.placed:
            last[x.total] = self._applied(ADD, last[x.total], self._put(loop, x, kept[x.value]))
        self._find_all(loop, needs, last, kept)

    def _put(self, loop: Loop, placed: Placed, values: Atom) -> Atom:
        """An array with what the steps put into it."""
        indices = _slice([placed.indices[step] for step in loop.order])
        return self._applied(with_key(placed.primitive, indices), values)

    def _find_all(self, loop: Loop, needs: _Needs, last: dict[int, Atom], kept: dict[int, Atom]) -> None:
        """Notes what stands for the values that are needed."""
        for place in needs.last:
            if place not in last:
                last[place] = self._applied(Slice((loop.order.index(loop.steps - 1),)), kept[place])
            self._find(loop, loop.steps - 1, place, last[place])
        for step, place in needs.single:
            self._find(loop, step, place, self._applied(Slice((loop.order.index(step),)), kept[place]))

    def _kind(self, loop: Loop, place: int) -> ArrayType:
        return self.values.variables[loop.first + place].type.strong()

    def _find(self, loop: Loop, step: int, place: int, atom: Atom) -> None:
        """Notes what stands for a value, of the type that it had."""
        code = loop.first + step * loop.count + place
        self.found[code] = self._applied(AS_PYTHON_NUMBER, atom) if self.values.variables[code].type.weak else atom

    def _body(self, loop: Loop, carried: Sequence[Carried], leaving: Sequence[int], kept: Sequence[int]) -> Graph:
        """The step: what goes in and out in the order of a scan."""
        whole = loop.body
        variables = dict(zip(loop.inputs, whole.inputs, strict=True))
        fixed = [*(v for v, _ in whole.constants), *(variables[x] for x in loop.inputs if isinstance(x, Same))]
        first = [variables[x] for x in carried]
        unused = [Variable(self._kind(loop, place)) for place in leaving]
        over = [variables[x] for x in loop.inputs if isinstance(x, (Column, Element))]
        following: list[Atom] = [
            whole.outputs[x.place] if x.delay == 1 else variables[Carried(x.place, x.delay - 1, x.first[1:])]
            for x in carried
        ]
        outputs = [*following, *(whole.outputs[place] for place in (*leaving, *kept))]
        body = Graph((*fixed, *first, *unused, *over), whole.equations, tuple(outputs))
        kinds = [*(v.type for v in (*first, *unused)), *(self._kind(loop, place) for place in kept)]
        body = retyped(without_dead_code(body), kinds)
        return self.bodies.setdefault(_structure(body), body)

    # --- the inputs of a loop ---------------------------------------------------------------------------

    def _strong(self, atom: Atom) -> Atom:
        """The value as one that does not adapt to others."""
        if not atom.type.weak:
            return atom
        if isinstance(atom, Literal):
            return Literal(atom.type.dtype.type(atom.value), atom.type.strong())
        return self._applied(Cast(atom.type.dtype), atom)

    def _zero(self, kind: ArrayType) -> Atom:
        """Anything of a type: it is not read."""
        zero = Literal(kind.dtype.type(0), ArrayType((), kind.dtype))
        return self._applied(BroadcastTo(kind.shape), zero) if kind.shape else zero

    def _constant(self, value: Array) -> Atom:
        """An array of the program's own, each once."""
        key = (value.shape, value.dtype, value.tobytes())
        if key not in self.constants:
            value = np.array(value)
            value.flags.writeable = False
            self.constants[key] = (Variable(typeof(value)), value)
        return self.constants[key][0]

    def _column(self, entering: Column | Element, loop: Loop) -> Atom:
        """What is scanned over."""
        if isinstance(entering, Element):
            indices = [entering.indices[step] for step in loop.order]
            return self._applied(Slice((_slice(indices), *entering.rest)), self._atom(entering.code))
        codes = [entering.codes[step] for step in loop.order]
        owner = self._source(entering)
        if owner is not None:
            return self._steps_of(owner, codes)
        atoms = [self._atom(code) for code in codes]
        numbers = [atom.value for atom in atoms if isinstance(atom, Literal)]
        if len(numbers) == len(atoms):
            return self._constant(np.array(numbers, atoms[0].type.dtype))
        whole = self._unstacked(codes)
        return self._applied(STACK, *atoms) if whole is None else whole

    def _unstacked(self, codes: Sequence[int]) -> Atom | None:
        """The part of an array that these are the elements of, one after the other, if they are."""
        maker = self.makers.get(self.values.atom(codes[0]))
        if maker is None or maker.primitive != Unstack(0) or set(np.diff(codes).tolist()) not in ({1}, {-1}):
            return None
        indices = [code - self.values.numbers[maker.outputs[0]] for code in codes]
        if not 0 <= indices[-1] < len(maker.outputs):
            return None
        return self._applied(Slice((_slice(indices),)), self._atom(self.values.code(maker.inputs[0])))

    def _stack(self, equation: Equation, first: int, last: int) -> Atom:
        """A stack of which some inputs are the values of a loop's steps."""
        codes = [self.values.code(atom) for atom in equation.inputs]
        steps = self._steps_of(int(self.owners[codes[first]]), codes[first:last])
        ends = [[self._atom(code) for code in part] for part in (codes[:first], codes[last:])]
        before, after = ([self._applied(STACK, *atoms)] if atoms else [] for atoms in ends)
        parts = [*before, steps, *after]
        return self._applied(Concatenate(0), *parts) if len(parts) > 1 else steps

    def _steps_of(self, owner: int, codes: Sequence[int]) -> Atom:
        """The values of another loop's steps, as that has kept them."""
        source = self.loops[owner]
        kept = self.kept[owner, source.place(codes[0])[1]]
        steps = [source.order.index(source.place(code)[0]) for code in codes]
        return kept if steps == list(range(source.steps)) else self._applied(Slice((_slice(steps),)), kept)


def _slice(indices: Sequence[int]) -> tuple[int, int | None, int]:
    """The slice of equally distant indices."""
    step = indices[1] - indices[0]
    stop = indices[-1] + step
    return indices[0], stop if stop >= 0 else None, step


def _structure(graph: Graph) -> Any:
    """What equal graphs have in common."""
    numbers: dict[Any, int] = {}
    known = [(numbers.setdefault(v, len(numbers)), v.type) for v in graph.inputs]
    equations: list[Any] = []
    for e in graph.equations:
        equations.append((e.primitive, *(_named(atom, numbers) for atom in e.inputs)))
        numbers |= {v: len(numbers) + i for i, v in enumerate(e.outputs)}
    return (*known, *equations, *(_named(a, numbers) for a in graph.outputs))


def _named(atom: Atom, numbers: dict[Any, int]) -> Any:
    return (identity_of(atom), atom.type) if isinstance(atom, Literal) else numbers[atom]
