"""Unrolling: a graph of small arrays as a graph of single numbers, one for each entry.

    x: float64[2]                      x_1: float64[]
    a: float64[2] = sin x              x_2: float64[]
    b: float64[]  = sum a       =>     a_1: float64[] = sin x_1
    return b                           a_2: float64[] = sin x_2
                                       b:   float64[] = add a_1 a_2
                                       return b

A Python float takes a twentieth of the time that a call of NumPy takes, so arrays of a few entries are quicker one by
one; and what only moves entries (an index, a reshape, a stack) costs nothing. Zeros that an operation fills in are
known to be zero, and so are their products, if the other factor is finite: one that may be infinite or NaN while all
outputs are finite becomes an output of its own, to be looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.compile.guards import Guard
from covector.compile.scalars import scalar_form
from covector.core.broadcasting import BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import MaskedMultiply
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import Array, ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops import axes
from covector.ops.arithmetic import ADD, MULTIPLY, Add, Multiply, Negative, Subtract
from covector.ops.comparison import OneLike
from covector.ops.contraction import Contract
from covector.ops.indexing import PutSlice, SetSlice, Slice

CALLING, MOVING, UNPACKING, PACKING = 14, 5, 5, 14
"""The time of a call of NumPy that computes or that moves, of `tolist`, and of `np.array`, by operations on a float."""

MOST_NUMBERS = 20_000
"""How many numbers a program may compute, so that writing it does not take long."""

DOUBLE, BOOL = np.dtype(np.float64), np.dtype(np.bool_)
FLOAT, BOOLEAN = ArrayType((), DOUBLE, weak=True), ArrayType((), BOOL, weak=True)
ZERO, ONE = Literal(0.0, FLOAT), Literal(1.0, FLOAT)

Entries = Any
"""An object array of atoms, of the shape of the array whose entries they stand for."""


@final
@frozen
class Unrolled:
    """A graph of numbers; `inputs` and `outputs` are its atoms by the arrays of the given graph, in their shapes.

    The graph's further outputs are what has to be finite, besides the given ones.
    """

    graph: Graph
    inputs: tuple[Entries, ...]
    outputs: tuple[Entries, ...]


def unrolled(graph: Graph) -> Unrolled | None:
    """The graph by entries; None if an operation or a dtype has no form on Python's numbers, or arrays are large."""
    constant = {atom.type.dtype for atom in graph.outputs if isinstance(atom, Literal)}
    if not graph.equations or not constant <= {DOUBLE, BOOL} or not _is_small(graph) or _has_complex_numbers(graph):
        return None
    unroller = _Unroller(graph)
    if not all(map(unroller.add, graph.equations)):
        return None
    given = (*graph.inputs, *(variable for variable, _ in graph.constants))
    inputs, outputs = ([unroller.read(atom) for atom in atoms] for atoms in (given, graph.outputs))
    equations, results = tuple(unroller.equations), tuple(_atoms(outputs))
    shown = _shown(equations, results) if unroller.ignored else set()
    checked = [atom for atom in unroller.ignored if atom not in shown]
    return Unrolled(Graph(tuple(_atoms(inputs)), equations, (*results, *checked)), tuple(inputs), tuple(outputs))


def _shown(equations: Sequence[Equation], outputs: Sequence[Atom]) -> set[Atom]:
    """The variables that are finite if all outputs are, for they are outputs, or terms and factors of what is."""
    shown = set(outputs)
    for equation in reversed(equations):
        if isinstance(equation.primitive, SHOWING) and not shown.isdisjoint(equation.outputs):
            shown.update(equation.inputs)
    return shown


def _atoms(arrays: Sequence[Entries]) -> Iterator[Any]:
    for array in arrays:
        yield from array.flat


def _has_complex_numbers(graph: Graph) -> bool:
    """Whether a real value meets a complex literal, as in a comparison."""
    atoms = (atom for equation in graph.equations for atom in equation.inputs)
    return any(isinstance(atom, Literal) and atom.type.dtype.kind == "c" for atom in atoms)


def _is_small(graph: Graph) -> bool:
    """Whether all is real or boolean, and computing entry by entry is quicker."""
    given = [v.type for v in (*graph.inputs, *(v for v, _ in graph.constants))]
    counts = Counter([*given, *[v.type for e in graph.equations for v in e.outputs]])
    if any(k.dtype not in (DOUBLE, BOOL) or not k.size for k in counts):
        return False
    if sum([k.size * count for k, count in counts.items()]) > MOST_NUMBERS:
        return False
    return not any(k.shape for k in counts) or _cost_by_entries(graph, given) <= _cost_by_arrays(graph)


def _cost_by_entries(graph: Graph, given: Sequence[ArrayType]) -> int:
    """The time for the entries, in operations on Python's numbers: to unpack, compute and pack them."""
    unpacked = sum([UNPACKING + k.size // 2 for k in given if k.shape])
    packed = sum([PACKING + a.type.size for a in graph.outputs if a.type.shape])
    return unpacked + packed + sum([_operations(e) for e in graph.equations if type(e.primitive) not in MOVES])


def _operations(equation: Equation) -> int:
    """How many operations on numbers it is, at least one for each entry."""
    entries = sum([variable.type.size for variable in equation.outputs])
    if type(equation.primitive) not in SUMMING:
        return entries
    inputs, outputs = ([atom.type for atom in atoms] for atoms in (equation.inputs, equation.outputs))
    return max(equation.primitive.operations(inputs, outputs), entries)


def _cost_by_arrays(graph: Graph) -> int:
    """The time for the operations on arrays, in operations on Python's numbers."""
    return sum([MOVING if type(e.primitive) in MOVES else CALLING for e in graph.equations])


@final
class _Unroller:
    """The equations so far, and the entries of each variable."""

    def __init__(self, graph: Graph) -> None:
        self.equations: list[Equation] = []
        self.ignored: dict[Atom, None] = {}  # factors of what is zero
        given = (*graph.inputs, *(variable for variable, _ in graph.constants))
        self.numbers: dict[Atom, Atom] = {v: Variable(_kind(v.type)) for v in given if not v.type.shape}
        self.entries: dict[Atom, Entries] = {v: _variables(v.type) for v in given if v.type.shape}

    def add(self, equation: Equation) -> bool:
        """Adds what an equation computes; False if it cannot be computed on Python's numbers."""
        rule = RULES.get(type(equation.primitive), _elementwise)
        if rule is _elementwise and len(equation.outputs) == 1 and not equation.outputs[0].type.shape:
            return self._add_number(equation, equation.outputs[0])
        found = rule(self, equation)
        if found is None:
            return False
        for variable, entries in zip(equation.outputs, found, strict=True):
            if variable.type.shape:
                self.entries[variable] = np.reshape(entries, variable.type.shape)
            else:
                self.numbers[variable] = entries.item()
        return True

    def _add_number(self, equation: Equation, out: Variable) -> bool:
        """Adds an elementwise operation on numbers."""
        if scalar_form(equation) is None:
            return False
        numbers = self.numbers
        inputs = [numbers[atom] if atom in numbers else self.number(atom) for atom in equation.inputs]
        numbers[out] = self.computed(equation.primitive, inputs, _kind(out.type))
        return True

    def number(self, atom: Atom) -> Atom:
        """What stands for a variable or literal without axes."""
        return _number(atom.value) if isinstance(atom, Literal) else self.numbers[atom]

    def read(self, atom: Atom) -> Entries:
        """The entries of a variable or literal."""
        return self.entries[atom] if atom.type.shape else _array(self.number(atom))

    def operands(self, equation: Equation) -> list[Entries]:
        """The entries of the inputs."""
        return [self.read(atom) for atom in equation.inputs]

    def computed(self, primitive: Primitive, inputs: Sequence[Atom], kind: ArrayType = FLOAT) -> Atom:
        """An operation on numbers."""
        if ZERO in inputs:
            if type(primitive) in ABSORBING:
                return self._zero(primitive, inputs)
            if isinstance(primitive, Add):
                return inputs[0] if inputs[1] is ZERO else inputs[1]
        out = Variable(kind)
        self.equations.append(Equation(primitive, tuple(inputs), (out,)))
        return out

    def _zero(self, primitive: Primitive, inputs: Sequence[Atom]) -> Atom:
        """The product with a zero, whose other factor must be finite, unless zero wins."""
        if not (isinstance(primitive, MaskedMultiply) and inputs[0] == ZERO):
            self.ignored |= dict.fromkeys(atom for atom in inputs if isinstance(atom, Variable))
        return ZERO

    def total(self, atoms: Sequence[Atom]) -> Atom:
        """The sum of numbers."""
        return reduce(self._sum, atoms)

    def _sum(self, x: Atom, y: Atom) -> Atom:
        return self.computed(ADD, (x, y))


ABSORBING = frozenset({Multiply, MaskedMultiply, Negative})
"""Operations of which one zero makes the output zero."""

SHOWING = (Add, Subtract, Multiply, Negative)
"""Operations whose output is finite only if all inputs are."""


def _kind(kind: ArrayType) -> ArrayType:
    return BOOLEAN if kind.dtype == BOOL else FLOAT


def _variables(kind: ArrayType) -> Entries:
    entry = _kind(kind)
    entries = np.empty(kind.shape, object)
    for index in np.ndindex(kind.shape):
        entries[index] = Variable(entry)
    return entries


def _array(atom: Atom) -> Entries:
    entries = np.empty((), object)
    entries[()] = atom
    return entries


def _number(value: Array) -> Literal:
    if np.asarray(value).dtype == np.bool_:
        return Literal(bool(value), BOOLEAN)
    return Literal(float(value), FLOAT)


# --- rules: the entries of the outputs, or None -----------------------------------------------------------

Found = Sequence[Entries] | None


def _elementwise(unroller: _Unroller, equation: Equation) -> Found:
    if len(equation.outputs) != 1 or scalar_form(equation) is None:
        return None
    (out,) = equation.outputs
    kind = _kind(out.type)
    entries = np.empty(out.type.shape, object)
    operands = np.broadcast_arrays(*unroller.operands(equation))
    for index in np.ndindex(out.type.shape):
        inputs: list[Any] = [x[index] for x in operands]
        entries[index] = unroller.computed(equation.primitive, inputs, kind)
    return [entries]


def _ones(unroller: _Unroller, equation: Equation) -> Found:
    return [np.full(equation.outputs[0].type.shape, ONE)]


def _guard(unroller: _Unroller, equation: Equation) -> Found:
    (entries,) = unroller.operands(equation)
    if entries.size != 1:
        return None
    unroller.equations.append(Equation(equation.primitive, (entries.item(),), ()))
    return []


def _moved(unroller: _Unroller, equation: Equation) -> Found:
    """Moves the positions of entries as the operation moves the entries; what it fills in has none."""
    primitive: Any = equation.primitive
    operands = unroller.operands(equation)
    pool: list[Any] = [ZERO, *_atoms(operands)]
    positions, start = [], 1
    for operand in operands:
        positions.append(np.arange(start, start + operand.size).reshape(operand.shape))
        start += operand.size
    moved = as_tuple(primitive.evaluate(*positions))
    return [_picked(pool, np.asarray(x)) for x in moved]


def _picked(pool: Sequence[Any], positions: Array) -> Entries:
    entries = np.empty(positions.shape, object)
    for index, position in np.ndenumerate(positions):
        entries[index] = pool[position]
    return entries


def _cast(unroller: _Unroller, equation: Equation) -> Found:
    if equation.inputs[0].type.dtype == equation.outputs[0].type.dtype:
        return unroller.operands(equation)
    return _elementwise(unroller, equation)


def _sum(unroller: _Unroller, equation: Equation) -> Found:
    primitive: Any = equation.primitive
    (x,) = unroller.operands(equation)
    if equation.inputs[0].type.dtype == np.bool_:
        return None
    kept = [i for i in range(x.ndim) if i not in primitive.axes]
    shape = equation.outputs[0].type.shape
    rows = np.transpose(x, (*kept, *primitive.axes)).reshape(equation.outputs[0].type.size, -1)
    return [_column([unroller.total(list(row)) for row in rows]).reshape(shape)]


def _sum_to(unroller: _Unroller, equation: Equation) -> Found:
    """Sums the entries that a broadcast of positions puts into the same place."""
    (x,) = unroller.operands(equation)
    kind = equation.outputs[0].type
    places = np.broadcast_to(np.arange(kind.size).reshape(kind.shape), x.shape)
    return [_column([unroller.total(list(x[places == i])) for i in range(kind.size)]).reshape(kind.shape)]


def _contract(unroller: _Unroller, equation: Equation) -> Found:
    primitive: Any = equation.primitive
    x, y = unroller.operands(equation)
    sizes = dict(zip(primitive.left, x.shape, strict=True)) | dict(zip(primitive.right, y.shape, strict=True))
    summed = tuple(label for label in sizes if label not in primitive.out)
    if np.prod([sizes[label] for label in (*primitive.out, *summed)]) > MOST_NUMBERS:
        return None
    entries = np.empty(equation.outputs[0].type.shape, object)
    for index in np.ndindex(entries.shape):
        place = dict(zip(primitive.out, index, strict=True))
        terms = []
        for inner in np.ndindex(*(sizes[label] for label in summed)):
            place |= zip(summed, inner, strict=True)
            factors = [z[tuple(place[i] for i in labels)] for z, labels in ((x, primitive.left), (y, primitive.right))]
            terms.append(unroller.computed(MULTIPLY, factors))
        entries[index] = unroller.total(terms)
    return [entries]


def _column(atoms: Sequence[Atom]) -> Entries:
    entries: Any = np.empty(len(atoms), object)
    entries[:] = atoms
    return entries


MOVES = frozenset({
    BroadcastTo, Reshape, axes.Permute, axes.Concatenate, axes.Stack, axes.Split, axes.Unstack, axes.Flip, axes.Roll,
    axes.Triangle, axes.Diagonal, axes.FromDiagonal, Slice, PutSlice, SetSlice,
})  # fmt: skip
"""Operations that move entries, whatever they are, and fill in zeros."""

SUMMING = frozenset({axes.Sum, SumTo, Contract})
"""Operations that take more than one operation for an entry."""

RULES: dict[type, Callable[[_Unroller, Equation], Found]] = {
    **dict.fromkeys(MOVES, _moved), OneLike: _ones, Guard: _guard, Cast: _cast, axes.Sum: _sum, SumTo: _sum_to,
    Contract: _contract,
}  # fmt: skip
