"""Sums of arrays that are zero but for a slice, as reverse mode makes them of x[1:] and x[:-1].

    z = zeros; z[1:] = a            put_slice_1 = np.zeros(n)
    y = zeros; y[:-1] = b    =>     put_slice_1[1:] = a
    w = z + y                       put_slice_1[:-1] += b

Each sum of additions that end in at least two `PutSlice`s becomes one array, into which every term is written
where it is computed. Terms for the same slice are added before they are written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import final

from attrs import define, evolve, field

from covector.core.primitive import Primitive
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.arithmetic import ADD, Add
from covector.ops.indexing import Places, PutSlice, places_of

MOST_PARTS = 32
"""Parts of an accumulator that are compared with another one."""


@final
@define(eq=False)
class Accumulator:
    """An array to which terms are added; `result` is the variable that stands for it when all have been."""

    result: Variable
    members: list[Variable] = field(factory=list)
    slices: int = 0
    written: list[Places] | None = field(factory=list)
    """The parts that have been written to; None once they may be anywhere."""

    def takes(self, put: PutSlice) -> bool:
        """Whether nothing has been written to a slice, so that it can be assigned to; from now on something is."""
        part = places_of(put.key, put.shape)
        if self.written is None or part is None or len(self.written) == MOST_PARTS:
            self.written = None
            return False
        fresh = all(any(map(are_apart, part, other)) for other in self.written)
        self.written.append(part)
        return fresh


def are_apart(one: int | range, other: int | range) -> bool:
    """Whether the places of one end before those of the other begin."""
    first, second = _ends(one), _ends(other)
    return not (first and second) or first[1] < second[0] or second[1] < first[0]


def _ends(place: int | range) -> list[int]:
    if isinstance(place, int):
        return [place, place]
    return sorted((place[0], place[-1])) if place else []


def accumulators(graph: Graph) -> dict[Variable, Accumulator]:
    """The accumulator of each variable that is part of one: sums of slices, and partial sums."""
    uses = use_counts(graph)
    parts = _accumulating(graph, uses)
    found: dict[Variable, Accumulator] = {}
    for equation in reversed(graph.equations):
        (out,) = equation.outputs if len(equation.outputs) == 1 else (None,)
        if out is None or out not in parts or not (isinstance(equation.primitive, Add) or out in found):
            continue
        accumulator = found.setdefault(out, Accumulator(out))
        accumulator.members.append(out)
        if isinstance(equation.primitive, PutSlice):
            accumulator.slices += 1
            continue
        for atom in equation.inputs:
            if isinstance(atom, Variable) and atom in parts and uses[atom] == 1:
                found[atom] = accumulator
    return {v: accumulator for v, accumulator in found.items() if accumulator.slices > 1}


def use_counts(graph: Graph) -> Counter[Atom]:
    """How often each variable is an input or an output."""
    atoms = [atom for equation in graph.equations for atom in equation.inputs]
    return Counter(atom for atom in (*atoms, *graph.outputs) if isinstance(atom, Variable))


def _accumulating(graph: Graph, uses: Counter[Atom]) -> set[Atom]:
    """The outputs of PutSlice that are used once, and the sums with them."""
    found: set[Atom] = set()
    for equation in graph.equations:
        if isinstance(equation.primitive, PutSlice):
            if uses[equation.outputs[0]] == 1 and equation.primitive.shape:
                found.add(equation.outputs[0])
        elif isinstance(equation.primitive, Add) and _is_sum_with(equation, found, uses):
            found.add(equation.outputs[0])
    return found


def _is_sum_with(equation: Equation, found: set[Atom], uses: Counter[Atom]) -> bool:
    kind = equation.outputs[0].type
    alike = all(isinstance(atom, Variable) and atom.type == kind for atom in equation.inputs)
    return alike and any(atom in found and uses[atom] == 1 for atom in equation.inputs)


# --- terms for the same slice -----------------------------------------------------------------------------


def with_slices_merged(graph: Graph) -> Graph:
    """The graph with one `PutSlice` for all terms of a sum that go into the same slice."""
    found = accumulators(graph)
    puts = [e for e in graph.equations if isinstance(e.primitive, PutSlice) and e.outputs[0] in found]
    last = {_place(e, found): e for e in puts}
    if len(last) == len(puts):
        return graph
    merging = _Merging(found, last)
    equations = tuple(new for equation in graph.equations for new in merging.merged(equation))
    outputs = tuple(merging.same.get(atom, atom) or atom for atom in graph.outputs)
    return evolve(graph, equations=equations, outputs=outputs)


def _place(equation: Equation, found: dict[Variable, Accumulator]) -> tuple[Accumulator, Primitive]:
    return found[equation.outputs[0]], equation.primitive


@final
class _Merging:
    """Collects the terms for each place, up to the last; until then they are left out of the sum."""

    def __init__(self, found: dict[Variable, Accumulator], last: dict[tuple[Accumulator, Primitive], Equation]) -> None:
        self.found, self.last = found, last
        self.terms: defaultdict[tuple[Accumulator, Primitive], list[Atom]] = defaultdict(list)
        self.same: dict[Atom, Atom | None] = {}  # None: left out

    def merged(self, equation: Equation) -> list[Equation]:
        """The equations for an equation."""
        (out,) = equation.outputs if len(equation.outputs) == 1 else (None,)
        if out is None or out not in self.found:
            present = tuple(self._present(atom) for atom in equation.inputs)
            return [Equation(equation.primitive, present, equation.outputs)]
        if isinstance(equation.primitive, PutSlice):
            return self._put(equation)
        inputs = [x for x in (self.same.get(atom, atom) for atom in equation.inputs) if x is not None]
        if len(inputs) == 2:
            return [Equation(equation.primitive, tuple(inputs), equation.outputs)]
        self.same[out] = inputs[0] if inputs else None
        return []

    def _present(self, atom: Atom) -> Atom:
        present = self.same.get(atom, atom)
        assert present is not None  # the last term for a place is in the sum
        return present

    def _put(self, equation: Equation) -> list[Equation]:
        place = _place(equation, self.found)
        terms = self.terms[place]
        terms.append(self._present(equation.inputs[0]))
        if self.last[place] is not equation:
            self.same[equation.outputs[0]] = None
            return []
        sums: list[Equation] = []
        for term in terms[1:]:
            total = Variable(term.type)
            sums.append(Equation(ADD, (sums[-1].outputs[0] if sums else terms[0], term), (total,)))
        source = sums[-1].outputs[0] if sums else terms[0]
        return [*sums, Equation(equation.primitive, (source,), equation.outputs)]
