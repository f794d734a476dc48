"""Repeated steps: what each operand of a stretch of equal operations is, from step to step.

    the same                            a constant of the loop
    computed in the same step           a value of the step
    computed some steps before          a carry
    an element x[i] of an array         scanned over
    anything else                       scanned over, once it is stacked: the steps of another loop, which keeps
                                        them, the elements of an array, or numbers and arrays of a few entries

A sum of arrays that are zero but for the i-th element, which is how a derivative comes back to the array whose
elements were taken, is put together after the loop. The first and the last steps of a stretch, in which operands may
be something else, do not belong to the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import as_tuple
from covector.core.types import Array, ArrayType, typeof
from covector.errors import CovectorError
from covector.graph.graph import Graph, Literal, Variable
from covector.interpreters.staging import record_flat
from covector.ops.arithmetic import Add
from covector.ops.axes import Unstack
from covector.ops.indexing import PutSlice, Slice
from covector.transforms.control.repetition import ENTRIES, Integers, Stretch, Values, element_index

LONGEST_DELAY = 4
"""From how many steps before a step may take a value."""


@final
@frozen
class Same:
    """What is the same in each step."""

    code: int


@final
@frozen
class Inner:
    """A value of the same step, by its place among them."""

    place: int


@final
@frozen
class Carried:
    """The value at a place some steps before; `first` are those of the first steps."""

    place: int
    delay: int
    first: tuple[int, ...]


@final
@frozen
class Column:
    """What is another thing in each step."""

    codes: tuple[int, ...]


@final
@frozen
class Element:
    """The element of an array at an index that goes from step to step, and the rest of the key."""

    code: int
    indices: range
    rest: tuple[Any, ...]
    type: ArrayType


@final
@frozen
class Placed:
    """What the steps put into an array at an index that goes from step to step, for a sum that they carry.

    `value`, `sums` and `total` are the places of what is put, of the sums on the way and of the one that is carried.
    """

    value: int
    sums: tuple[int, ...]
    total: int
    indices: range
    primitive: PutSlice


Operand = Same | Inner | Carried | Column
Entering = Same | Carried | Column | Element
"""What is an input of a step."""


class Unfit(Exception):
    """No error: the steps from `first` up to `last` may be a loop, the others not; none of them, if that is nothing."""

    def __init__(self, first: int = 0, last: int = 0) -> None:
        super().__init__()
        self.first, self.last = first, last


# --- loops ----------------------------------------------------------------------------------------------


@final
class Loop:
    """A stretch whose operands are known; `body` computes all values of a step from its inputs."""

    def __init__(self, graph: Graph, values: Values, stretch: Stretch, loops: Sequence[Loop]) -> None:
        self.stretch, self.steps = stretch, stretch.steps
        self.first, self.count = values.first_of(stretch)
        self.equations = graph.equations[stretch.start : stretch.start + stretch.period]
        self.places = [values.starts[stretch.start + i] - self.first for i in range(stretch.period)]
        indices = self._indices(graph)
        columns = iter(values.columns(stretch).T)
        taken = [[next(columns) for _ in equation.inputs] for equation in self.equations]
        self.elements = {i: self._element(i, x, taken[i][0]) for i, x in indices.items() if not self._puts(i)}
        self.operands = [
            [] if i in self.elements else [self._operand(codes, graph, values, loops) for codes in row]
            for i, row in enumerate(taken)
        ]
        self.placed = [self._placed(i, x) for i, x in indices.items() if self._puts(i)]
        self.inputs = list(dict.fromkeys(self._entering(values)))
        self.body = self._recorded(values)
        self.reverse = self._runs_backwards(loops)

    def has(self, code: int) -> bool:
        """Whether it is the code of a value of this loop."""
        return self.first <= code < self.first + self.steps * self.count

    def place(self, code: int) -> tuple[int, int]:
        """The step and the place of a value of this loop."""
        return divmod(code - self.first, self.count)

    @property
    def order(self) -> range:
        """The steps in the order of what is scanned over."""
        return range(self.steps - 1, -1, -1) if self.reverse else range(self.steps)

    @property
    def given(self) -> dict[int, Element]:
        """The values that are elements of arrays, by their places."""
        return {self.places[i]: element for i, element in self.elements.items()}

    # --- elements ---------------------------------------------------------------------------------------

    def _puts(self, i: int) -> bool:
        return isinstance(self.equations[i].primitive, PutSlice)

    def _indices(self, graph: Graph) -> dict[int, range]:
        """The indices of elements of arrays that go from step to step, by equation."""
        found = {}
        start, period = self.stretch.start, self.stretch.period
        for i, equation in enumerate(self.equations):
            if element_index(equation.primitive) is None:
                continue
            steps = range(start + i, self.stretch.stop, period)
            indices = [element_index(graph.equations[step].primitive) or 0 for step in steps]
            if indices.count(indices[0]) == len(indices):
                continue
            kind = (equation.outputs if self._puts(i) else equation.inputs)[0].type
            indices = [index % kind.shape[0] for index in indices]
            move = indices[1] - indices[0]
            found[i] = range(indices[0], indices[-1] + move, move or 1)
            if list(found[i]) != indices:
                raise Unfit
        return found

    def _element(self, i: int, indices: range, codes: Integers) -> Element:
        """The element that an equation takes, of an array that is the same in each step."""
        equation: Any = self.equations[i]
        code = int(codes[0])
        if (codes != code).any() or code >= self.first:
            raise Unfit
        return Element(code, indices, equation.primitive.key[1:], equation.outputs[0].type)

    def _placed(self, i: int, indices: range) -> Placed:
        """What an equation puts into an array of zeros, that only a sum takes, which only the next step's sum takes."""
        primitive: Any = self.equations[i].primitive
        put, kind = self.places[i], self.equations[i].outputs[0].type
        adding, _ = self._only_user(put)
        sums, place, total = list[int](), adding, None
        while place not in sums:
            if self.equations[self.places.index(place)].outputs[0].type != kind:
                raise Unfit
            sums.append(place)
            following, operand = self._only_user(place)
            if isinstance(operand, Carried):
                total = place
            place = following
        if place != adding or total is None:
            raise Unfit
        added = self.places.index(adding)
        self.operands[added] = [x for x in self.operands[added] if x != Inner(put)]
        return Placed(put, tuple(sums), total, indices, primitive)

    def _only_user(self, place: int) -> tuple[int, Inner | Carried]:
        """The place of the only sum that takes a value, of this step or the one before, and how it does."""
        found = [
            (i, x)
            for i, operands in enumerate(self.operands)
            for x in operands
            if isinstance(x, (Inner, Carried)) and x.place == place
        ]
        if len(found) != 1 or not isinstance(self.equations[found[0][0]].primitive, Add):
            raise Unfit
        ((i, operand),) = found
        if isinstance(operand, Carried) and operand.delay != 1:
            raise Unfit
        return self.places[i], operand

    # --- operands ---------------------------------------------------------------------------------------

    def _operand(self, codes: Integers, graph: Graph, values: Values, loops: Sequence[Loop]) -> Operand:
        first = int(codes[0])
        if (codes == first).all():
            if first >= self.first:
                raise Unfit((first - self.first) // self.count + 1, self.steps)
            return Same(first)
        if codes[-1] >= self.first:
            return self._carried(codes)
        if (codes >= self.first).any() or not values.are_bounded(codes):
            raise Unfit
        if not self._are_steps(codes, loops) and not _are_stacked_quickly(codes.tolist(), graph, values):
            raise Unfit
        return Column(tuple(codes.tolist()))

    def _carried(self, codes: Integers) -> Inner | Carried:
        """A value of this step, or of one before."""
        distances = codes - self.first - np.arange(self.steps) * self.count
        delay, place = divmod(int(distances[-1]), self.count)
        delay = -delay
        (irregular,) = np.nonzero(distances != distances[-1])
        begin = int(irregular[-1]) + 1 if irregular.size else 0
        if delay > LONGEST_DELAY:
            raise Unfit
        if begin > delay:
            raise Unfit(begin - delay, self.steps)
        if (codes[:delay] >= self.first).any():
            raise Unfit(1, self.steps)
        return Carried(place, delay, tuple(codes[:delay].tolist())) if delay else Inner(place)

    def _are_steps(self, codes: Integers, loops: Sequence[Loop]) -> bool:
        """Whether they are the steps of another loop, one after the other, which either all or none are."""
        for loop in loops:
            places = codes - loop.first
            inside = (places >= 0) & (places < loop.steps * loop.count)
            if not inside.any():
                continue
            (steps,) = np.nonzero(inside)
            first, last = int(steps[0]), int(steps[-1]) + 1
            if last - first < self.steps:
                raise Unfit(first, last)
            if set(np.diff(places).tolist()) not in ({loop.count}, {-loop.count}):
                raise Unfit
            return True
        return False

    def _runs_backwards(self, loops: Sequence[Loop]) -> bool:
        """Whether most of what the steps take from other loops comes in the opposite order."""
        columns = [x.codes for x in self.inputs if isinstance(x, Column)]
        turned = [(codes[1] < codes[0]) != loop.reverse for codes in columns for loop in loops if loop.has(codes[0])]
        return 2 * sum(turned) > len(turned)

    # --- the body ---------------------------------------------------------------------------------------

    def _entering(self, values: Values) -> list[Entering]:
        """The operands that are inputs of a step: constants, then carries, then what is scanned over."""
        used = [*(x for operands in self.operands for x in operands), *self.elements.values()]
        same = [x for x in used if isinstance(x, Same) and not values.is_literal(x.code)]
        carried = [
            Carried(x.place, delay, x.first[x.delay - delay :])
            for x in used
            if isinstance(x, Carried)
            for delay in range(1, x.delay + 1)
        ]
        return [*same, *carried, *(x for x in used if isinstance(x, (Column, Element)))]

    def kind(self, entering: Entering, values: Values) -> ArrayType:
        """The type of an input of a step; what is not the same in each is no Python number."""
        if isinstance(entering, Same):
            return values.atom(entering.code).type
        if isinstance(entering, Column):
            return values.atom(entering.codes[0]).type.strong()
        if isinstance(entering, Element):
            return entering.type
        return values.variables[self.first + entering.place].type.strong()

    def _recorded(self, values: Values) -> Graph:
        """A step: from the inputs to all values that it computes, which have to be of the types they had."""
        kinds = [self.kind(x, values) for x in self.inputs]

        def step(*inputs: Array) -> list[Array]:
            return self._computed(values, dict(zip(self.inputs, inputs, strict=True)))

        try:
            with np.errstate(all="ignore"):  # of operations on numbers alone, which are computed here
                graph = record_flat(step, kinds, "a loop")
        except CovectorError:
            raise Unfit from None
        put = {x.value for x in self.placed}
        for place, atom in enumerate(graph.outputs):
            if place not in put and not _stands_for(atom.type, values.variables[self.first + place].type):
                raise Unfit
        return graph

    def _computed(self, values: Values, given: dict[Any, Array]) -> list[Array]:
        """The values of a step; where something is put into an array, what is put, which no sum takes then."""
        found: list[Array] = []
        put = {x.value for x in self.placed}
        for i, (equation, operands) in enumerate(zip(self.equations, self.operands, strict=True)):
            inputs = [self._value(x, values, given, found) for x in operands]
            if i in self.elements:
                found.append(given[self.elements[i]])
            elif self.places[i] in put or len(inputs) < len(equation.inputs):
                found += inputs
            elif _precision(inputs) != _precision(equation.inputs):
                raise Unfit
            else:
                found += as_tuple(equation.primitive(*inputs))
        return found

    def _value(self, operand: Operand, values: Values, given: dict[Any, Array], found: Sequence[Array]) -> Array:
        if isinstance(operand, Inner):
            return found[operand.place]
        if isinstance(operand, Same):
            atom = values.atom(operand.code)
            return atom.value if isinstance(atom, Literal) else given[operand]
        return given[operand]


def _are_stacked_quickly(codes: Sequence[int], graph: Graph, values: Values) -> bool:
    """Whether to stack them takes no time: they are small, or were one array before."""
    if values.atom(codes[0]).type.size < ENTRIES:
        return True
    return min(codes) >= 0 and all(isinstance(graph.equations[values.maker(code)].primitive, TAKING) for code in codes)


TAKING = (Unstack, Slice)
"""What takes the elements of an array."""


def _stands_for(kind: ArrayType, wanted: ArrayType) -> bool:
    """Whether a value of a type may be one of another that adapts; integers of Python's have no bounds."""
    return kind == wanted or (kind.strong() == wanted.strong() and not (wanted.weak and wanted.dtype.kind == "i"))


def _precision(values: Sequence[Any]) -> np.dtype[Any]:
    """The dtype in which an operation compares or computes, which a number of Python's has no part in."""
    kinds = [value.type if isinstance(value, (Literal, Variable)) else typeof(value) for value in values]
    return np.result_type(*(kind.dtype.type(0).item() if kind.weak else kind.dtype for kind in kinds))
