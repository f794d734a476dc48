"""A tape is the record of a derivative, which is a linear map: a Wengert list of linear steps.

Vertex 0, 1, ... are the tangents of the inputs, and each operation appends one. An entry says how its vertex
follows from earlier ones:

    (0, c, 1, None)          v = c * v_0 + v_1, with implicit broadcasting and casting; None is the identity,
                             and a coefficient may be a tuple of factors
    Application(...)         v = a linear primitive of earlier vertices, or several outputs at once

Pushing a tangent runs the tape forwards; pulling a cotangent runs it backwards, transposing each step. Both
are loops, so a chain of any length works, and a vertex's cotangent is freed as it leaves the vertex.

    f(x, y) = sin(x) * y at (0, 3):  v_2 = cos(0) * v_0           (0, 1.0)
                                     v_3 = 3 * v_2 + sin(0) * v_1 (2, 3.0, 1, 0.0)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, final

import numpy as np

from covector.core.broadcasting import expand, reduce
from covector.core.families import SCALARS, MaskingFactor, is_finite, masked_multiply
from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import PYTHON_DTYPES, Array, ArrayType, Shape, zeros

VertexType = tuple[Shape, np.dtype[Any]]

#: the vertex types of numbers, which need no look at their attributes
SCALAR_TYPES: dict[type, VertexType] = {kind: ((), dtype) for kind, dtype in PYTHON_DTYPES.items()}
SCALAR_TYPES |= {t: ((), np.dtype(t)) for t in (np.float64, np.float32, np.complex128)}
_PLAIN = SCALARS | {np.ndarray}


def vertex_type(value: Array) -> VertexType:
    """The shape and dtype of a value, as the tape keeps them."""
    known = SCALAR_TYPES.get(type(value))
    if known is not None:
        return known
    kind = value.type if isinstance(value, Tracer) else value
    return kind.shape, kind.dtype


@final
class Tape:
    """The steps of a linear map as they are recorded: `entries[i]` makes vertex i, of type `types[i]`."""

    __slots__ = ("entries", "types")

    def __init__(self, types: Sequence[VertexType]) -> None:
        self.types: list[VertexType] = list(types)
        self.entries: list[Any] = [()] * len(self.types)

    def append(self, entry: Any, kind: VertexType) -> int:
        """Records a step and returns the index of its vertex."""
        self.types.append(kind)
        self.entries.append(entry)
        return len(self.types) - 1

    def apply(self, application: Application, kinds: Sequence[VertexType]) -> range:
        """Records an application and returns the indices of its outputs' vertices.

        The entry stands at the last of them: when the tape runs backwards, all their cotangents are complete there.
        """
        first = len(self.types)
        self.types += kinds
        self.entries += [None] * (len(kinds) - 1) + [application]
        return range(first, first + len(kinds))


@final
class Masked:
    """A coefficient that is infinite or NaN somewhere, where a zero tangent or cotangent wins."""

    __slots__ = ("coefficient",)

    def __init__(self, coefficient: Array) -> None:
        self.coefficient = coefficient


@final
class Application:
    """A linear primitive applied to vertices and constants; its outputs are consecutive vertices.

    `inputs` holds the constants, and the types of the inputs that come from vertices: `sources` maps the
    position of each of these to its vertex. `linear` are the positions that the primitive's transpose answers for.
    `count` is the number of outputs of a primitive that returns a tuple, None for one that returns an array.
    """

    __slots__ = ("count", "inputs", "linear", "primitive", "sources")

    def __init__(
        self, primitive: Primitive, inputs: list[Any], sources: dict[int, int], linear: Sequence[int], count: int | None
    ) -> None:
        self.primitive, self.inputs, self.sources, self.linear = primitive, inputs, sources, linear
        self.count = count

    def push(self, values: Sequence[Array | None]) -> Any:
        """The primitive of the tangents of the sources, of which at least one is not None (zero)."""
        inputs = [zeros(x) if isinstance(x, ArrayType) else x for x in self.inputs]
        for position, source in self.sources.items():
            if values[source] is not None:
                inputs[position] = values[source]
        return self.primitive(*inputs)

    def pull(self, cotangent: Any) -> Iterable[tuple[int, Array]]:
        """Each source with its cotangent."""
        found = self.primitive.transpose(cotangent, *self.inputs)
        if len(self.linear) == 1 and type(found) is not tuple:
            return ((self.sources[self.linear[0]], found),)
        found = as_tuple(found)
        return [(self.sources[i], c) for i, c in zip(self.linear, found, strict=True) if i in self.sources]


def piece_of(coefficient: Array) -> Any:
    """A coefficient that may be infinite or NaN, as the tape keeps it."""
    kind = type(coefficient)
    if kind is tuple:
        return tuple(map(piece_of, coefficient))
    if (kind is float or kind is np.float64) and isfinite(coefficient):
        return coefficient
    if kind is MaskingFactor:
        factor = coefficient.factor
        return factor if type(factor) in _PLAIN and np.logical_and.reduce(factor, axis=None) else coefficient
    return coefficient if kind in _PLAIN and is_finite(coefficient) else Masked(coefficient)


def times(vector: Array, piece: Any) -> Array:
    """The tangent or cotangent times a coefficient, or times each of a tuple of factors."""
    if type(piece) is Masked:
        return masked_multiply(vector, piece.coefficient)
    if type(piece) is MaskingFactor:
        return masked_multiply(piece.factor, vector)
    if type(piece) is tuple:
        product = times(vector, piece[0])
        for factor in piece[1:]:
            in_place = type(product) is np.ndarray and type(factor) in SCALARS
            product = np.multiply(product, factor, out=product) if in_place else times(product, factor)
        return product
    if isinstance(piece, Tracer):
        return piece if type(vector) is float and vector == 1.0 else piece * vector
    return vector * piece


# --- forwards -------------------------------------------------------------------------------------------


def push(tape: Tape, tangents: Sequence[Array | None], outputs: Sequence[int]) -> list[Array | None]:
    """The tangents of the output vertices, for tangents of the input vertices; None is zero."""
    entries = tape.entries
    values: list[Array | None] = [*tangents, *[None] * (len(entries) - len(tangents))]
    last_use = _last_uses(tape, outputs)
    for index in range(len(tangents), len(entries)):
        entry = entries[index]
        if entry is None or last_use[index] is None:
            continue
        sources = _sources(entry)
        if type(entry) is tuple:
            values[index] = _push_sum(tape, index, entry, values)
        elif any(values[s] is not None for s in sources):
            results = as_tuple(entry.push(values))
            values[index - len(results) + 1 : index + 1] = results
        for source in sources:
            if last_use[source] == index:
                values[source] = None
    return [values[i] for i in outputs]


def _last_uses(tape: Tape, outputs: Sequence[int]) -> list[int | None]:
    """For each vertex the last vertex that follows from it, after which its tangent can be freed.

    None where no output follows from it, so that its tangent is never needed.
    """
    last: list[int | None] = [None] * len(tape.entries)
    for index in outputs:
        last[index] = len(last)
    for index in range(len(last) - 1, -1, -1):
        entry = tape.entries[index]
        if last[index] is None and isinstance(entry, Application) and entry.count is not None:
            siblings = last[index - entry.count + 1 : index + 1]  # outputs of one application are pushed together
            last[index] = index if any(use is not None for use in siblings) else None
        if last[index] is not None and entry is not None:
            for source in _sources(entry):
                last[source] = index if last[source] is None else last[source]
    return last


def _sources(entry: Any) -> tuple[int, ...]:
    """The vertices that an entry's vertex follows from."""
    return entry[::2] if type(entry) is tuple else tuple(entry.sources.values())


def _push_sum(tape: Tape, index: int, entry: Any, values: list[Array | None]) -> Array | None:
    kind = tape.types[index]
    total = None
    for source, piece in zip(entry[::2], entry[1::2], strict=True):
        tangent = values[source]
        if tangent is None:
            continue
        term = tangent if piece is None else times(tangent, piece)
        if tape.types[source] != kind:
            term = expand(term, *kind)
        total = term if total is None else total + term
    return total


# --- backwards ------------------------------------------------------------------------------------------


def pull(tape: Tape, cotangents: Sequence[tuple[int, Array]], inputs: int, *, consume: bool) -> list[Array | None]:
    """The cotangents of the first `inputs` vertices, for cotangents of output vertices; None is zero.

    With `consume` the tape is emptied on the way, so that memory is freed as early as it can be.
    """
    held: list[Any] = [None] * len(tape.entries)
    owned = [False] * len(held)  # whether held[i] is an array nobody else refers to
    for index, cotangent in cotangents:
        held[index] = cotangent if held[index] is None else held[index] + cotangent
    entries, types = tape.entries, tape.types
    for index in range(len(entries) - 1, inputs - 1, -1):
        entry = entries[index]
        if consume:
            entries[index] = None
        if type(entry) is not tuple:
            _pull_application(tape, index, entry, held, owned)
            continue
        cotangent = held[index]
        if cotangent is None:
            continue
        held[index] = None
        kind = types[index]
        owner, last = owned[index], len(entry) - 2
        for k in range(0, last + 1, 2):
            source, piece = entry[k], entry[k + 1]
            same, fresh = types[source] == kind, True
            if piece is None:
                term = cotangent
                fresh = owner and k == last
                owner = False
            elif type(piece) not in _PLAIN:
                term = times(cotangent, piece)
            elif owner and k == last and same:
                term = np.multiply(cotangent, piece, out=cotangent)
            else:
                term = cotangent * piece
            if not same:
                term = reduce(term, *types[source])
            if held[source] is None:
                held[source] = term
                owned[source] = fresh and type(term) is np.ndarray
            else:
                _accumulate(held, owned, source, term, fresh)
    return held[:inputs]


def _accumulate(held: list[Any], owned: list[bool], source: int, term: Array, fresh: bool) -> None:
    before = held[source]
    if before is None:
        held[source] = term
        owned[source] = fresh and type(term) is np.ndarray
    elif owned[source] and type(term) is np.ndarray:
        np.add(before, term, out=before)
    else:
        held[source] = before = before + term
        owned[source] = type(before) is np.ndarray


def _pull_application(tape: Tape, index: int, entry: Any, held: list[Any], owned: list[bool]) -> None:
    if entry is None:  # an earlier output of an application with several
        return
    cotangent: Any
    if entry.count is not None:
        first = index - entry.count + 1
        cotangent = _joined(tape, first, held[first : index + 1])
        held[first : index + 1] = [None] * entry.count
    else:
        cotangent = held[index]
        held[index] = None
    if cotangent is None:
        return
    if entry.primitive.accumulates and _accumulate_in_place(tape, entry, cotangent, held, owned):
        return
    for source, term in entry.pull(cotangent):
        fresh = type(term) is np.ndarray and term.base is None and term.flags.writeable and term is not cotangent
        if fresh and entry.count is not None:
            fresh = not any(term is c for c in cotangent)
        _accumulate(held, owned, source, term, fresh)


def _joined(tape: Tape, first: int, cotangents: list[Array | None]) -> tuple[Array, ...] | None:
    """The cotangents of several outputs, with arrays of zeros for None; None if they all are zero."""
    if all(c is None for c in cotangents):
        return None
    kinds = tape.types[first : first + len(cotangents)]
    return tuple(zeros(ArrayType(*kind)) if c is None else c for c, kind in zip(cotangents, kinds, strict=True))


def _accumulate_in_place(
    tape: Tape, entry: Application, cotangent: Array, held: list[Any], owned: list[bool]
) -> bool:
    """Adds a cotangent into a part of its source's buffer, as the transpose of an indexing operation does.

    The buffer is made once, so n reads of parts of one array cost n parts, not n arrays.
    """
    source, constants = entry.sources[0], entry.inputs[1:]
    shape, dtype = tape.types[source]
    if isinstance(cotangent, Tracer) or any(isinstance(c, Tracer) for c in constants):
        return False
    before = held[source]
    if before is None:
        before = np.zeros(shape, dtype)
    elif isinstance(before, Tracer):
        return False
    elif not owned[source]:
        before = np.array(before)
    entry.primitive.accumulate(before, cotangent, *constants)
    held[source], owned[source] = before, True
    return True
