"""Graphs that are derived from the step of a loop: what a tangent reaches, the step backward, and others.

A step is a graph of constants, the carry and xs, to the next carry and ys.
"""

from __future__ import annotations

import numpy as np

from covector.compile.dead_code import needed_inputs, restricted, without_dead_code
from covector.compile.expansion import applied
from covector.graph.graph import Graph, Literal, Variable, check
from covector.ops.arithmetic import ADD
from covector.transforms.control.bodies import Indices, Split, dependent, pulled, rearranged, remembered, with_outputs


@remembered
def scan_activity(body: Graph, constants: int, carries: int, active: Indices) -> tuple[Indices, Indices]:
    """The inputs of the body that have a tangent at some step, and the outputs, given those that have one at first."""
    while True:
        found = dependent(body, active)
        grown = tuple(sorted({*active, *(constants + i for i in found if i < carries)}))
        if grown == active:
            carried = {i - constants for i in active if constants <= i < constants + carries}
            return active, tuple(sorted({*found, *carried}))
        active = grown


@remembered
def keeping_carries(body: Graph, constants: int, carries: int) -> Graph:
    """The step that also returns the carry it was given."""
    return with_outputs(body, (*body.outputs, *body.inputs[constants : constants + carries]))


@remembered
def jointly(body: Graph, order: Indices, leaving: Indices) -> Graph:
    """The step with inputs and outputs in another order."""
    found = rearranged(body, order)
    return with_outputs(found, [found.outputs[i] for i in leaving])


@remembered
def only_outputs(body: Graph, outputs: Indices) -> Graph:
    """The step with these outputs only."""
    return without_dead_code(with_outputs(body, [body.outputs[i] for i in outputs]))


@remembered
def needed_of_step(
    body: Graph, constants: int, carries: int, outputs: Indices, inputs: Indices = ()
) -> tuple[Graph | None, Indices, Indices]:
    """The step with what these outputs need at some step, these inputs and effects; its inputs and its outputs.

    None in place of the step if that is all of it. A carry that is needed is an input and an output.
    """
    needed, entering = set(outputs), set[int]()
    while True:
        entering = needed_inputs(body, needed).union(inputs)
        grown = needed | {i - constants for i in entering if constants <= i < constants + carries}
        if grown == needed:
            break
        needed = grown
    entering |= {constants + i for i in needed if i < carries}
    order, leaving = tuple(sorted(entering)), tuple(sorted(needed))
    whole = len(order) == len(body.inputs) and len(leaving) == len(body.outputs)
    return None if whole else restricted(body, order, leaving), order, leaving


@remembered
def adjoint_body(body: Graph, constants: int, active: Indices, outputs: Indices, lengths: Indices) -> Graph:
    """One step of the scan in the opposite direction.

    Inputs: constants; cotangents of the carry, sums of cotangents of the constants; the carry, xs, cotangents of ys.
    Outputs: the same carry one step on; cotangents of xs.
    """
    pull, count = pulled(body, active, outputs), len(body.inputs)
    of_constants, of_carry, _ = lengths
    fixed, rest, carry, ys = Split((constants, count - constants, of_carry, len(outputs) - of_carry))(pull.inputs)
    terms, following, of_xs = Split((of_constants, of_carry, len(active) - of_constants - of_carry))(pull.outputs)
    sums = [Variable(atom.type.strong()) for atom in terms]
    totals, equations = list(sums), list(pull.equations)
    nothing = {variable for variable, value in pull.constants if not np.any(value)}
    for i, (total, term) in enumerate(zip(sums, terms, strict=True)):
        if term not in nothing and not (isinstance(term, Literal) and term.value == 0):
            (totals[i],) = applied(ADD, [total, term], equations)
    inputs, returned = (*fixed, *carry, *sums, *rest, *ys), (*following, *totals, *of_xs)
    return check(Graph(inputs, tuple(equations), returned, pull.constants), typed=frozenset(pull.equations))
