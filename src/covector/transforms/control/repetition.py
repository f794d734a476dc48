"""Repetition: stretches of a graph in which the same operations come again and again, as a Python loop records them.

    b = multiply a 2.0        token 0
    c = sin b                 token 1
    d = multiply c 2.0        token 0          a stretch of period 2
    e = sin d                 token 1

Equal tokens mean equal operations on inputs of equal types. What the operations are applied to is the business of
`rolling`. The token is the same for each element x[0], x[1], ... of an array, whether it is taken or put.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.compile.structured import Structured
from covector.core.primitive import Primitive
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, identity_of
from covector.graph.parts import inner_programs
from covector.ops.arithmetic import Add, Power
from covector.ops.indexing import PutSlice, Slice

FEWEST_STEPS = 8
"""Steps from which a repetition is worth a loop."""

FEWEST_NUMBERS = 500
"""Equations on numbers from which it is: fewer are quicker one after the other than in a loop."""

ARRAY = 10
"""What an equation on arrays counts: its call takes longer than a loop's step, wherever it stands."""

ENTRIES = 16
"""Entries from which it does; arrays of fewer may be computed entry by entry."""

WINDOW = 8
"""Tokens that are compared with what came before to guess a period."""

MIXING = np.cumprod(np.full(WINDOW, 0x9E3779B97F4A7C15 - 2**64, np.int64))
"""What makes one number of the tokens in a window; if it makes the same of two windows, a guess is wrong."""

MOST_PERIODS = 32
"""How many guesses are tried."""

Integers = np.ndarray[Any, Any]


@final
@frozen
class Stretch:
    """The equations from `start` on: `steps` times a `period` of them, of which each weighs `weight`."""

    start: int
    period: int
    steps: int
    weight: int

    @property
    def stop(self) -> int:
        """The equation after the last."""
        return self.start + self.period * self.steps

    def between(self, first: int, last: int) -> Stretch:
        """Only the steps from `first` up to `last`."""
        return evolve(self, start=self.start + first * self.period, steps=max(last - first, 0))

    @property
    def is_worth_a_loop(self) -> bool:
        """Whether it is long enough."""
        return self.steps >= FEWEST_STEPS and self.steps * self.weight >= FEWEST_NUMBERS


def stretches(graph: Graph, strict: bool) -> list[Stretch]:
    """The stretches of a graph that are worth a loop, in order; of the same numbers in each step, if `strict`."""
    if not _may_be_worth_a_loop(graph):
        return []
    tokens = _tokens(graph, strict)
    often = np.count_nonzero(np.bincount(tokens)[tokens] >= FEWEST_STEPS)
    if not often or (often * ARRAY < FEWEST_NUMBERS and not _has_structure(graph)):
        return []
    _, examples = np.unique(tokens, return_index=True)  # tokens count from 0, and equal ones weigh the same
    weights = np.cumsum([0, *np.array([_weight(graph.equations[i]) for i in examples])[tokens]])
    if weights[-1] < FEWEST_NUMBERS:
        return []
    free = np.ones(len(tokens), bool)
    found = []
    for period in _periods(tokens):
        for run in _runs(tokens, period):
            start, stop = _trimmed(free, *run)
            if stop - start < period:
                continue
            weight = int(weights[start + period] - weights[start])
            stretch = Stretch(start, period, (stop - start) // period, weight)
            if stretch.is_worth_a_loop:
                free[start:stop] = False
                found.append(stretch)
    return sorted(found, key=lambda stretch: stretch.start)


def _may_be_worth_a_loop(graph: Graph) -> bool:
    """A first look, so that most graphs take no time."""
    count = len(graph.equations)
    if count >= FEWEST_NUMBERS or _has_structure(graph):
        return True
    computed = [variable.type for equation in graph.equations for variable in equation.outputs]
    given = [variable.type for variable in (*graph.inputs, *(variable for variable, _ in graph.constants))]
    return ARRAY * count >= FEWEST_NUMBERS and any(k.shape and k.size >= ENTRIES for k in (*given, *computed))


def _has_structure(graph: Graph) -> bool:
    """Whether it has loops or branches, which may weigh more than an operation on arrays."""
    return any(isinstance(equation.primitive, Structured) for equation in graph.equations)


def _trimmed(free: Integers, start: int, stop: int) -> tuple[int, int]:
    """The part of a run between those that are taken already; nothing, if they are in its middle."""
    (inside,) = np.nonzero(free[start:stop])
    if not inside.size or inside[-1] - inside[0] + 1 != inside.size:
        return start, start
    return start + int(inside[0]), start + int(inside[-1]) + 1


def _weight(equation: Equation) -> int:
    """How many equations on numbers it counts as; taking an element is not worth a loop, nor is putting it back."""
    if isinstance(equation.primitive, Slice):
        return 0
    if isinstance(equation.primitive, (PutSlice, Add)):
        return 1
    if not isinstance(equation.primitive, Structured):
        atoms = (*equation.inputs, *equation.outputs)
        return ARRAY if any(atom.type.size >= ENTRIES for atom in atoms) else 1
    return 1 + sum(len(program.equations) for program in inner_programs(equation.primitive).values())


# --- tokens ---------------------------------------------------------------------------------------------


def _tokens(graph: Graph, strict: bool) -> Integers:
    """A number for each equation, the same for those that steps may have in common; effects are unlike all others.

    What is the same is looked up by its identity, which takes less time.
    """
    same: dict[tuple[int, ...], int] = {}
    equal: dict[Any, int] = {}
    tokens = []
    for i, equation in enumerate(graph.equations):
        primitive = equation.primitive
        place = (id(primitive), *[id(a.type) if type(a) is Variable else ~id(a) for a in equation.inputs])
        token = same.get(place)
        if token is None:
            token = equal.setdefault(i if primitive.effect else _likeness(equation, strict), len(equal))
            if not primitive.effect:
                same[place] = token
        tokens.append(token)
    return np.array(tokens, np.int64)


def _likeness(equation: Equation, strict: bool) -> tuple[Any, ...]:
    """What equations have in common that may be the same in each step: numbers too, if `strict`, and exponents."""
    primitive = equation.primitive
    operation = with_key(primitive, None) if element_index(primitive) is not None else primitive
    exact = strict or type(primitive) is Power
    inputs: list[Any] = [
        a.type if type(a) is Variable else (Literal, a.type, identity_of(a) if exact else None) for a in equation.inputs
    ]
    return operation, *inputs


def element_index(primitive: Primitive) -> int | None:
    """The integer i with which x[i] or x[i, ...] begins, whether it is taken or put."""
    if not isinstance(primitive, (Slice, PutSlice)) or not primitive.key or type(primitive.key[0]) is not int:
        return None
    return primitive.key[0]


def with_key(primitive: Primitive, entry: Any) -> Primitive:
    """The operation on elements with another first entry of the key."""
    element: Any = primitive
    changed: Primitive = evolve(element, key=(entry, *element.key[1:]))
    return changed


# --- periods --------------------------------------------------------------------------------------------


def _periods(tokens: Integers) -> list[int]:
    """The likely periods, the shortest first: the distances at which the same few tokens come again."""
    if len(tokens) <= WINDOW:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(tokens, WINDOW) @ MIXING
    order = np.argsort(windows, kind="stable")
    again = np.diff(windows[order]) == 0
    periods, counts = np.unique(np.diff(order)[again], return_counts=True)
    likely = counts >= FEWEST_STEPS - 2
    periods, counts = periods[likely], counts[likely]
    return sorted(periods[np.argsort(-counts * periods, kind="stable")][:MOST_PERIODS].tolist())


def _runs(tokens: Integers, period: int) -> Iterator[tuple[int, int]]:
    """Where each token is the one a period before, for long enough."""
    if len(tokens) < FEWEST_STEPS * period:
        return
    same = np.concatenate([[False], tokens[period:] == tokens[:-period], [False]])
    (edges,) = np.nonzero(np.diff(same))
    for first, last in edges.reshape(-1, 2).tolist():
        if last - first >= (FEWEST_STEPS - 1) * period:
            yield first, last + period


# --- values ---------------------------------------------------------------------------------------------


@final
class Values:
    """The values of a graph by number, in the order in which they are computed, and what each equation takes.

    Codes from 0 on are such numbers; those below stand for other atoms, inputs, constants and literals.
    """

    def __init__(self, graph: Graph) -> None:
        self.numbers: dict[Atom, int] = {}
        self.variables: list[Variable] = []
        self.others: list[Atom] = []
        self._others: dict[Variable | str, int] = {}
        self.starts, self.slots = [0], [0]
        taken: list[int] = []
        for equation in graph.equations:
            for atom in equation.inputs:
                number = self.numbers.get(atom)
                taken.append(self.code(atom) if number is None else number)
            for variable in equation.outputs:
                self.numbers[variable] = len(self.variables)
                self.variables.append(variable)
            self.starts.append(len(self.variables))
            self.slots.append(len(taken))
        self.taken = np.array(taken, np.int64)
        self._slots = np.array(self.slots)

    def code(self, atom: Atom) -> int:
        """The code of an atom."""
        number = self.numbers.get(atom)
        if number is not None:
            return number
        other = self._others.setdefault(identity_of(atom), len(self.others))
        if other == len(self.others):
            self.others.append(atom)
        return -1 - other

    def atom(self, code: int) -> Atom:
        """The atom of a code."""
        return self.variables[code] if code >= 0 else self.others[-1 - code]

    def maker(self, code: int) -> int:
        """The equation that computes the value of a code."""
        return bisect_right(self.starts, code) - 1

    def is_literal(self, code: int) -> bool:
        """Whether it is the code of a number."""
        return code < 0 and isinstance(self.others[-1 - code], Literal)

    def are_bounded(self, codes: Integers) -> bool:
        """Whether values of one type fit into arrays; integers of Python's may not."""
        kind = self.atom(int(codes[0])).type
        if not kind.weak or kind.dtype.kind != "i":
            return True
        atoms = [self.atom(code) for code in codes.tolist()]
        return all(isinstance(atom, Literal) and -(2**63) <= atom.value < 2**63 for atom in atoms)

    def columns(self, stretch: Stretch) -> Integers:
        """What the steps take: a row of codes for each step."""
        first, last = self.slots[stretch.start], self.slots[stretch.stop]
        return self.taken[first:last].reshape(stretch.steps, -1)

    def first_of(self, stretch: Stretch) -> tuple[int, int]:
        """The number of the first value that a stretch computes, and how many each step computes."""
        first = self.starts[stretch.start]
        return first, self.starts[stretch.start + stretch.period] - first

    def rotated(self, stretch: Stretch) -> Stretch:
        """The stretch started so late that the fewest values have to be carried from step to step."""
        middle = stretch.between(stretch.steps // 2, stretch.steps // 2 + 1)
        later = int(np.argmin(self._crossings(middle)))
        return evolve(stretch, start=stretch.start + later, steps=stretch.steps - bool(later))

    def _crossings(self, step: Stretch) -> Integers:
        """How many of the values of a step are used in or after the step that begins at each of its equations."""
        changes = np.zeros(4 * step.period, np.int64)
        for producer in range(step.start, step.stop):
            last = self._last_use(producer, producer + 2 * step.period)
            changes[producer + 1 - step.start] += 1
            changes[last + 1 - step.start] -= 1
        crossings: Integers = np.cumsum(changes).reshape(-1, step.period).sum(axis=0)
        return crossings

    def _last_use(self, producer: int, stop: int) -> int:
        """The last equation before `stop` that takes a value of an equation."""
        first, last = self.starts[producer], self.starts[producer + 1]
        begin = self.slots[producer]
        codes = self.taken[begin : self.slots[min(stop, len(self.slots) - 1)]]
        (places,) = np.nonzero((codes >= first) & (codes < last))
        if not places.size:
            return producer
        return int(np.searchsorted(self._slots, begin + places[-1], side="right")) - 1
