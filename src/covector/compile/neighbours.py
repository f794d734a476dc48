"""Equal operations on neighbouring slices of an array, as one operation.

    b = slice[:16] a
    c = slice[16:32] a            f = slice[:32] a
    d = exp b              =>     g = exp f
    e = exp c                     d, e = slice[:16] g, slice[16:32] g

Calls on a few entries take as long as calls on twice as many: the gates of a recurrent network are of this kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

from attrs import evolve, frozen

from covector.core.families import Elementwise
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Variable, identity_of
from covector.ops.axes import Split
from covector.ops.indexing import Slice, key_of, places_of

MOST_ENTRIES = 4096
"""Entries up to which the time of a call does not depend much on their number."""

Source = Any
"""An array that is sliced: a variable, or the key of one that would be computed of whole arrays."""


@final
@frozen
class Piece:
    """The places from `start` to `stop` of an array, along an axis."""

    source: Source
    axis: int
    start: int
    stop: int


@final
@frozen(eq=False)
class Joined:
    """Neighbouring pieces of an array that is computed in one operation, as a variable."""

    start: int
    stop: int
    variable: Variable


def with_neighbours_joined(graph: Graph) -> Graph:
    """The graph with one operation for equal elementwise ones on neighbouring slices of small arrays."""
    if sum(type(equation.primitive) in SLICING for equation in graph.equations) < 2:
        return graph
    joiner = _Joiner(graph)
    return evolve(graph, equations=tuple(joiner.equations())) if joiner.runs else graph


SLICING = frozenset({Slice, Split})


@final
class _Joiner:
    """The pieces that the variables of a graph are, and the runs of neighbours that are computed together."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.pieces: dict[Atom, Piece] = {}
        self.members: dict[Source, dict[int, Equation]] = {}
        for equation in graph.equations:
            self._note(equation)
        self.runs: dict[Equation, list[Equation]] = {}
        for members in self.members.values():
            self.runs |= {e: run for run in self._neighbours(members) for e in run}
        self.joined: dict[Source, list[Joined]] = {}

    # --- pieces -----------------------------------------------------------------------------------------

    def _note(self, equation: Equation) -> None:
        primitive: Any = equation.primitive
        if type(primitive) is Slice:
            self._note_slice(equation)
        elif type(primitive) is Split:
            start = 0
            for size, variable in zip(primitive.sizes, equation.outputs, strict=True):
                self.pieces[variable] = Piece(equation.inputs[0], primitive.axis, start, start + size)
                start += size
        elif isinstance(primitive, Elementwise):
            self._note_operation(equation)

    def _note_slice(self, equation: Equation) -> None:
        primitive: Any = equation.primitive
        source = equation.inputs[0]
        places = places_of(primitive.key, source.type.shape)
        ranges = [place for place in places or () if not isinstance(place, int) and place.step == 1]
        if len(ranges) < source.type.ndim:
            return
        parts = [i for i, (place, n) in enumerate(zip(ranges, source.type.shape, strict=True)) if len(place) < n]
        if len(parts) == 1:
            place = ranges[parts[0]]
            self.pieces[equation.outputs[0]] = Piece(source, parts[0], place.start, place.stop)

    def _note_operation(self, equation: Equation) -> None:
        """Of pieces at the same places, and of numbers."""
        found = [self.pieces.get(atom) for atom in equation.inputs]
        places = {(x.axis, x.start, x.stop) for x in found if x is not None}
        (out,) = equation.outputs
        if len(places) != 1 or any(
            atom.type.shape != (() if x is None else out.type.shape)
            for atom, x in zip(equation.inputs, found, strict=True)
        ):
            return
        ((axis, start, stop),) = places
        sources = [_known(a) if x is None else x.source for a, x in zip(equation.inputs, found, strict=True)]
        source = (equation.primitive, axis, tuple(x is None for x in found), *sources)
        self.pieces[out] = Piece(source, axis, start, stop)
        self.members.setdefault(source, {}).setdefault(start, equation)

    def _neighbours(self, members: dict[int, Equation]) -> Iterator[list[Equation]]:
        """The runs of members of which each begins where the one before ends."""
        run: list[Equation] = []
        entries = 0
        for start in sorted(members):
            (out,) = members[start].outputs
            if not run or self._piece(run[-1]).stop != start or entries + out.type.size > MOST_ENTRIES:
                if len(run) > 1:
                    yield run
                run, entries = [], 0
            run.append(members[start])
            entries += out.type.size
        if len(run) > 1:
            yield run

    def _piece(self, equation: Equation) -> Piece:
        return self.pieces[equation.outputs[0]]

    # --- writing ----------------------------------------------------------------------------------------

    def equations(self) -> Iterator[Equation]:
        """Those of the graph; what is joined is computed where the first of it was."""
        done: set[Equation] = set()
        for equation in self.graph.equations:
            run = self.runs.get(equation)
            if run is None:
                yield equation
                continue
            if equation not in done:
                done.update(run)
                yield from self._join(run)
            piece = self._piece(equation)
            yield self._slice(self._whole(piece), piece, equation.outputs[0])

    def _join(self, run: Sequence[Equation]) -> Iterator[Equation]:
        """The operation on the whole run."""
        first, last = self._piece(run[0]), self._piece(run[-1])
        whole = evolve(first, stop=last.stop)
        inputs: list[Atom] = []
        for atom in run[0].inputs:
            piece = self.pieces.get(atom)
            if piece is None:
                inputs.append(atom)
                continue
            wanted = evolve(whole, source=piece.source)
            found = self._whole(wanted)
            if (found.start, found.stop) != (wanted.start, wanted.stop):
                sliced = Variable(_resized(found.variable.type, whole.axis, whole.stop - whole.start))
                yield self._slice(found, wanted, sliced)
                found = Joined(wanted.start, wanted.stop, sliced)
            inputs.append(found.variable)
        out = Variable(_resized(run[0].outputs[0].type, whole.axis, whole.stop - whole.start))
        self.joined.setdefault(first.source, []).append(Joined(whole.start, whole.stop, out))
        yield Equation(run[0].primitive, tuple(inputs), (out,))

    def _whole(self, piece: Piece) -> Joined:
        """The array that a piece is taken of."""
        if isinstance(piece.source, Variable):
            return Joined(0, piece.source.type.shape[piece.axis], piece.source)
        return next(x for x in self.joined[piece.source] if x.start <= piece.start and piece.stop <= x.stop)

    def _slice(self, whole: Joined, piece: Piece, out: Variable) -> Equation:
        shape = whole.variable.type.shape
        places: list[int | range] = [range(n) for n in shape]
        places[piece.axis] = range(piece.start - whole.start, piece.stop - whole.start)
        return Equation(Slice(key_of(places, shape)), (whole.variable,), (out,))


def _known(atom: Atom) -> Any:
    return identity_of(atom), atom.type


def _resized(kind: ArrayType, axis: int, size: int) -> ArrayType:
    return ArrayType((*kind.shape[:axis], size, *kind.shape[axis + 1 :]), kind.dtype, kind.weak)
