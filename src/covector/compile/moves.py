"""What only moves entries, one after the other, as one move, or none.

    b = reshape[(2, 3)] a         d = permute[(1, 0)] c         f, g = split[(2, 3)] e        i = slice[1:] h
    c = reshape[(6,)] b           e = permute[(1, 0)] d         h = concatenate f g           j = slice[2:] i

become a, c, e and slice[3:] h. A slice of a join is taken of the part that it lies in, and a slice of what was put
into zeros of what was put.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from covector.compile.simpler import Result, Rule
from covector.core.broadcasting import Reshape
from covector.graph.graph import Atom, Equation
from covector.ops.arithmetic import Negative
from covector.ops.axes import Concatenate, Flip, Permute, Split, Stack, Unstack
from covector.ops.indexing import Places, PutSlice, Slice, key_of, places_of


def composing() -> Rule:
    """The rule that composes a move with the one that made its input."""
    makers: dict[Atom, Equation] = {}

    def rule(equation: Equation) -> Result:
        while type(equation.primitive) in MOVING:
            maker = makers.get(equation.inputs[0]) if equation.inputs else None
            compose = None if maker is None else COMPOSED.get((type(equation.primitive), type(maker.primitive)))
            found = None if maker is None or compose is None else compose(equation, maker)
            if found is None:
                makers.update(dict.fromkeys(equation.outputs, equation))
                break
            if not isinstance(found, Equation):
                kept = [atom.type for atom in found] == [v.type for v in equation.outputs]
                return found if kept else equation
            equation = found
        return equation

    return rule


Composed = Result | None
"""What takes the place of the later one of two moves; None if it stays."""


def _undone(outer: Equation, inner: Equation) -> Composed:
    """An operation that is its own inverse, twice."""
    return inner.inputs if outer.primitive == inner.primitive else None


def _reshaped(outer: Equation, inner: Equation) -> Composed:
    same = inner.inputs[0].type == outer.outputs[0].type
    return inner.inputs if same else Equation(outer.primitive, inner.inputs, outer.outputs)


def _permuted(outer: Equation, inner: Equation) -> Composed:
    later, earlier = _axes(outer), _axes(inner)
    axes = tuple(earlier[i] for i in later)
    return inner.inputs if axes == tuple(range(len(axes))) else Equation(Permute(axes), inner.inputs, outer.outputs)


def _axes(equation: Equation) -> tuple[int, ...]:
    primitive: Any = equation.primitive
    axes: tuple[int, ...] = primitive.axes
    return axes


# --- slices ---------------------------------------------------------------------------------------------------


def _places(equation: Equation) -> Places | None:
    primitive: Any = equation.primitive
    return places_of(primitive.key, equation.inputs[0].type.shape)


def _sliced(equation: Equation, atom: Atom, places: Places) -> Composed:
    """The places of an atom, of the same dtype, instead of those that an equation picks."""
    if atom.type.dtype != equation.outputs[0].type.dtype:
        return None
    whole = places == [range(n) for n in atom.type.shape]
    return [atom] if whole else Equation(Slice(key_of(places, atom.type.shape)), (atom,), equation.outputs)


def _of_slice(outer: Equation, inner: Equation) -> Composed:
    later, earlier = _places(outer), _places(inner)
    if later is None or earlier is None:
        return None
    rest = iter(later)
    places = [place if isinstance(place, int) else _picked(place, next(rest)) for place in earlier]
    return _sliced(outer, inner.inputs[0], places)


def _picked(places: range, picked: int | range) -> int | range:
    """The places at some of the positions in a range of places."""
    if isinstance(picked, int):
        return places[picked]
    if not picked:
        return range(0)
    step = places.step * picked.step
    return range(places[picked[0]], places[picked[-1]] + (1 if step > 0 else -1), step)


def _of_stack(outer: Equation, inner: Equation) -> Composed:
    """Of one operand."""
    primitive: Any = inner.primitive
    places = _places(outer)
    if places is None or not isinstance(places[primitive.axis], int):
        return None
    chosen: Any = places.pop(primitive.axis)
    return _sliced(outer, inner.inputs[chosen], places)


def _of_concatenation(outer: Equation, inner: Equation) -> Composed:
    """Of the operand that has all its places."""
    primitive: Any = inner.primitive
    places = _places(outer)
    place = None if places is None else places[primitive.axis]
    if places is None or place is None or not _is_filled(place):
        return None
    begin = 0
    for atom in inner.inputs:
        size = atom.type.shape[primitive.axis]
        moved = _moved(place, begin, size)
        if moved is not None:
            places[primitive.axis] = moved
            return _sliced(outer, atom, places)
        begin += size
    return None


def _moved(place: int | range, begin: int, size: int) -> int | range | None:
    """The places as counted from a beginning, if they are within a size of it."""
    first, last = (place, place) if isinstance(place, int) else (place[0], place[-1])
    if min(first, last) < begin or max(first, last) >= begin + size:
        return None
    return place - begin if isinstance(place, int) else range(place.start - begin, place.stop - begin, place.step)


def _of_put(outer: Equation, inner: Equation) -> Composed:
    """Of what was put into zeros, if it covers the slice."""
    primitive: Any = inner.primitive
    wanted, put = _places(outer), places_of(primitive.key, primitive.shape)
    if wanted is None or put is None:
        return None
    found: Places = []
    for place, into in zip(wanted, put, strict=True):
        if isinstance(into, int):
            if place != into:
                return None
            continue
        moved = _moved(place, into.start, len(into)) if into.step == 1 and _is_filled(place) else None
        if moved is None:
            return None
        found.append(moved)
    return _sliced(outer, inner.inputs[0], found)


def _is_filled(place: int | range) -> bool:
    return isinstance(place, int) or bool(place)


# --- joins ----------------------------------------------------------------------------------------------------


def _taken_apart(outer: Equation, inner: Equation) -> Composed:
    """The parts of what was joined from parts of the same sizes."""
    apart: Any = outer.primitive
    join: Any = inner.primitive
    alike = apart.axis == join.axis and [a.type for a in inner.inputs] == [v.type for v in outer.outputs]
    return inner.inputs if alike else None


def _joined(outer: Equation, inner: Equation) -> Composed:
    """What was taken apart and is joined from all its parts."""
    join: Any = outer.primitive
    apart: Any = inner.primitive
    whole = apart.axis == join.axis and outer.inputs == inner.outputs
    return inner.inputs if whole else None


COMPOSED: dict[tuple[type, type], Callable[[Equation, Equation], Composed]] = {
    (Negative, Negative): _undone, (Flip, Flip): _undone, (Reshape, Reshape): _reshaped, (Permute, Permute): _permuted,
    (Slice, Slice): _of_slice, (Slice, Stack): _of_stack, (Slice, Concatenate): _of_concatenation,
    (Slice, PutSlice): _of_put, (Unstack, Stack): _taken_apart, (Split, Concatenate): _taken_apart,
    (Stack, Unstack): _joined, (Concatenate, Split): _joined,
}  # fmt: skip
"""How a move is composed with the one before."""

MOVING = frozenset({kind for pair in COMPOSED for kind in pair})
"""The moves that are composed."""
