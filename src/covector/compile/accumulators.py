"""Sums of arrays that are zero but for a slice, as reverse mode makes them of x[1:] and x[:-1].

    z = zeros; z[1:] = a            put_slice_1 = np.zeros(n)
    y = zeros; y[:-1] = b    =>     put_slice_1[1:] = a
    w = z + y                       put_slice_1[:-1] += b

Each sum of additions that end in at least two `PutSlice`s becomes one array, into which every term is written
where it is computed.
"""

from __future__ import annotations

from collections import Counter
from typing import final

from attrs import define, field

from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.arithmetic import Add
from covector.ops.indexing import PutSlice


@final
@define(eq=False)
class Accumulator:
    """An array to which terms are added; `result` is the variable that stands for it when all have been."""

    result: Variable
    members: list[Variable] = field(factory=list)
    slices: int = 0


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
