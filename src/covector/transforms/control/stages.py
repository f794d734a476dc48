"""Splitting the body of a scan into what has to run step by step, and what can run for many steps at once.

A value that no carry enters is computed *before* the loop, for a whole block of steps; one that enters no carry is
computed *after* it; and so is a carry that only adds up terms, whose sum is all that is needed:

    h = tanh(W h + U x)          before: U x, one matrix product       the loop: tanh(W h + ...)
    dW = dW + z h'               after: one matrix product over all steps

What remains in the *core* is the recurrence itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.compile.dead_code import without_dead_code
from covector.compile.expansion import applied, spliced
from covector.core.broadcasting import BroadcastTo
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType
from covector.graph.effects import has_effects
from covector.graph.graph import Atom, Equation, Graph, Variable, check, run_equations, value_of
from covector.interpreters.staging import record_flat
from covector.ops.arithmetic import ADD, MULTIPLY, NEGATIVE, Add, Multiply, Negative
from covector.ops.axes import Permute, Sum
from covector.ops.contraction import Contract, contract
from covector.transforms.control.bodies import Indices, Split, batched, input_types, remembered, simpler, with_types
from covector.transforms.control.fewer_calls import with_fewer_calls, with_products_of_joins

MOST_ENTRIES = 512
"""Entries up to which a value is worth computing for many steps at once: what that saves is the cost of a call."""

BLOCK_BYTES = 4_194_304
"""About how much memory the values of a block of steps may take."""


@final
@frozen(eq=False)
class Stages:
    """The parts of a body, as graphs of the values that are named here.

    before: constants, xs -> hoisted
    core:   constants, carry (those in `carried`), xs, hoisted -> next carry, stored
    after:  constants, xs, hoisted, stored -> ys, terms of the sums (the carries in `summed`)

    `block` is the number of steps to make at a time.
    """

    before: Graph
    core: Graph
    after: Graph
    carried: Indices
    summed: Indices
    hoisted: tuple[Variable, ...]
    stored: tuple[Variable, ...]
    block: int


@remembered
def stages(body: Graph, constants: int, carries: int) -> Stages | None:
    """The stages of a body; None if its values are large, so that there is nothing to gain, or if it prints."""
    if has_effects(body):
        return None
    body = _rearranged(body, constants, carries)
    sums = _sums(body, constants, carries)
    additions = {equation for equation, _ in sums.values()}
    equations = [e for e in body.equations if e not in additions]
    varying = _dependent(equations, body.inputs[constants:])
    made = [v for e in equations if e in varying and not isinstance(e.primitive, Contract) for v in e.outputs]
    if any(v.type.size > MOST_ENTRIES for v in (*made, *body.inputs[constants + carries :])):
        return None
    carried = tuple(i for i in range(carries) if i not in sums)
    terms = [term for _, term in sums.values()]
    fixed, xs = body.inputs[:constants], body.inputs[constants + carries :]
    first = [body.inputs[constants + i] for i in carried]
    following = [body.outputs[i] for i in carried]
    results = [*body.outputs[carries:], *terms]

    late = _dependent(equations, first)
    core = _needed([e for e in equations if e in late], [*following, *_pinned(equations)])
    after = _needed([e for e in equations if e in late and e not in core], results)
    before = [e for e in equations if e not in late]
    hoisted = _crossing(before, [], [*core, *after], [*following, *results])
    stored = _crossing(core, first, after, results)
    sizes = [v.type.size * v.type.dtype.itemsize for e in (*before, *after) if e in varying for v in e.outputs]
    return Stages(
        Graph((*fixed, *xs), tuple(before), hoisted, body.constants),
        Graph((*fixed, *first, *xs, *hoisted), tuple(core), (*following, *stored), body.constants),
        Graph((*fixed, *xs, *hoisted, *stored), tuple(after), tuple(results), body.constants),
        carried,
        tuple(sums),
        hoisted,
        stored,
        max(16, BLOCK_BYTES // max(1, sum(sizes) + 8 * len(stored))),
    )


def _rearranged(given: Graph, constants: int, carries: int) -> Graph:
    """The body with fewer operations and fewer calls in the loop."""
    body = with_fewer_calls(given, constants, carries)
    body = _regrouped(body, body.inputs[constants : constants + carries])
    body = with_products_of_joins(body, constants, carries)
    return body if body is given else check(body, typed=frozenset(given.equations))


def _sums(body: Graph, constants: int, carries: int) -> dict[int, tuple[Equation, Atom]]:
    """The carries that only add up terms: with the equation that does it, and the term."""
    uses: dict[Atom, int] = {}
    for atom in (*(a for e in body.equations for a in e.inputs), *body.outputs):
        uses[atom] = uses.get(atom, 0) + 1
    found = {}
    for equation in body.equations:
        if equation.primitive != ADD or equation.outputs[0] not in body.outputs[:carries]:
            continue
        i = body.outputs.index(equation.outputs[0])
        carry, once = body.inputs[constants + i], uses[equation.outputs[0]] == 1
        others = [atom for atom in equation.inputs if atom is not carry]
        if (
            once
            and len(others) == 1
            and uses[carry] == 1
            and carry.type == others[0].type
            and carry.type.differentiable
        ):
            found[i] = equation, others[0]
    return found


def _regrouped(body: Graph, carry: Sequence[Variable]) -> Graph:
    """The body with sums and products made ready before the loop, where only c depends on a carry.

        (c + x) + y = c + (x + y)        (c x) y = c (x y)        -(c x) = c (-x)        c x + c y = c (x + y)

    Of a chain or a bundle of partial derivatives one product is left for the loop. It is vertex elimination, as in
    `covector.interpreters.condensing`: x y may overflow or underflow where (c x) y would not.
    """
    late: set[Atom] = set(carry)
    late.update(v for e in _dependent(body.equations, carry) for v in e.outputs)
    makers: dict[Atom, Equation] = {}
    equations: list[Equation] = []
    for equation in body.equations:
        if type(equation.primitive) in REGROUPED:
            found = None if late.isdisjoint(equation.inputs) else _made_ready(equation, makers, late)
            if found is not None:
                before, equation = found
                equations.append(before)
            makers[equation.outputs[0]] = equation
        equations.append(equation)
    if len(equations) == len(body.equations):
        return body
    return without_dead_code(Graph(body.inputs, tuple(equations), body.outputs, body.constants))


REGROUPED = frozenset({Add, Multiply, Negative})
"""The operations of which a part is made ready before the loop."""


def _made_ready(equation: Equation, makers: dict[Atom, Equation], late: set[Atom]) -> tuple[Equation, Equation] | None:
    """An operation that need not wait for the loop, and the one that is left of an equation."""
    primitive, kind = equation.primitive, equation.outputs[0].type
    waiting = [makers.get(a) for a in equation.inputs if a in late]
    others = [a for a in equation.inputs if a not in late]
    bundle = len(waiting) == 2 and primitive == ADD
    inner = MULTIPLY if bundle or primitive == NEGATIVE else primitive
    made = [maker for maker in waiting if maker is not None and maker.primitive == inner]
    pairs = [pair for maker in made for pair in _late_and_early(maker, late, kind)]
    firsts = {first for first, _ in pairs}
    alike = all(a.type == kind for a in others) and len(firsts) == 1
    if not alike or len(pairs) != len(waiting) or len(waiting) > 1 + bundle:
        return None
    together = Variable(kind)
    before = Equation(primitive, (*(early for _, early in pairs), *others), (together,))
    return before, Equation(inner, (*firsts, together), equation.outputs)


def _late_and_early(maker: Equation, late: set[Atom], kind: ArrayType) -> list[tuple[Atom, Atom]]:
    """The operand that the loop makes with the one that it does not, if there is one of each and both have the type."""
    x, y = maker.inputs if maker.inputs[0] in late else maker.inputs[::-1]
    return [(x, y)] if x in late and y not in late and x.type == y.type == kind else []


def _dependent(equations: Sequence[Equation], variables: Iterable[Variable]) -> set[Equation]:
    """The equations that depend on these variables, and those that must be run step by step for other reasons."""
    reached: set[Atom] = set(variables)
    found = set()
    for equation in equations:
        if _is_pinned(equation.primitive) or not reached.isdisjoint(equation.inputs):
            found.add(equation)
            reached.update(equation.outputs)
    return found


def _is_pinned(primitive: Primitive) -> bool:
    """Whether a primitive is a program of its own, such as a branch: it should not run for more than it has to."""
    return type(primitive).__module__.startswith(("covector.transforms", "covector.compile"))


def _pinned(equations: Sequence[Equation]) -> list[Atom]:
    return [v for e in equations if _is_pinned(e.primitive) for v in e.outputs]


def _needed(equations: Sequence[Equation], atoms: Iterable[Atom]) -> list[Equation]:
    """Those of the equations on which the atoms depend, in order."""
    wanted = set(atoms)
    found = []
    for equation in reversed(equations):
        if not wanted.isdisjoint(equation.outputs):
            found.append(equation)
            wanted.update(equation.inputs)
    return found[::-1]


def _crossing(
    equations: Sequence[Equation], given: Sequence[Variable], users: Sequence[Equation], outputs: Sequence[Atom]
) -> tuple[Variable, ...]:
    """The variables, given or made by the equations, that the users or outputs refer to."""
    used = {*(a for e in users for a in e.inputs), *outputs}
    return tuple(v for v in (*given, *(v for e in equations for v in e.outputs)) if v in used)


# --- for many steps at once -----------------------------------------------------------------------------


WORTH_STAGING = 8
"""Steps of a loop from which it is made in stages."""


@remembered
def block_of(body: Graph, constants: int, carries: int) -> int | None:
    """How many steps of a body to make at a time; None if nothing can be done for many steps at once."""
    parts = stages(body, constants, carries)
    if parts is None or not (parts.before.equations or parts.after.equations or parts.summed):
        return None
    return parts.block


def in_stages(scan: Any) -> Graph:
    """A scan as a graph: what can be computed before, a scan of the core, and what can be computed after it."""
    body, constants, size, split, kinds = scan.body, scan.constants, scan.length, scan.split_inputs, scan.output_type()
    parts = stages(body, constants, scan.carries)
    assert parts is not None
    flags = (*[False] * (len(body.inputs) - scan.scanned - scan.carries), *[True] * scan.scanned)
    before, hoisted_flags = batched(parts.before, flags, size)
    core, singles, columns = recurrence(parts.core, constants, len(parts.carried), hoisted_flags)
    flags = (*flags, *hoisted_flags, *[True] * len(parts.stored))
    after, _ = summing(parts.after, flags, size, len(parts.summed))
    loop = evolve(scan, body=core, carries=len(parts.carried), scanned=len(columns))
    constant_kinds, carry_kinds, x_kinds = split(input_types(body))
    inputs = tuple(map(Variable, [*constant_kinds, *carry_kinds, *(kind.batched(size) for kind in x_kinds)]))
    fixed, carry, xs = split(inputs)

    equations: list[Equation] = []
    pool = [*fixed, *xs, *spliced(before, [*fixed, *xs], equations)]
    found: tuple[Atom, ...] = tuple(carry[i] for i in parts.carried)
    if core.outputs != loop.split_inputs(core.inputs)[1]:
        found = applied(loop, [*(pool[i] for i in singles), *found, *(pool[i] for i in columns)], equations)
    results = spliced(after, [*pool, *found[len(parts.carried) :]], equations)
    ys, sums = Split((len(body.outputs) - scan.carries, len(parts.summed)))(results)
    last = dict(zip(parts.carried, found, strict=False))
    for i, total in zip(parts.summed, sums, strict=True):
        (last[i],) = applied(ADD, [carry[i], total], equations)
    outputs = (*(last[i] for i in range(scan.carries)), *ys)
    constants_of_both = dict((*before.constants, *after.constants))
    return simpler(with_types(Graph(inputs, tuple(equations), outputs, tuple(constants_of_both.items())), kinds))


def with_fixed_values_first(scan: Any) -> Graph | None:
    """A scan as a graph in which what is the same in all steps is computed before; None if nothing is."""
    body, constants = simpler(scan.body), scan.constants
    varying = _dependent(body.equations, body.inputs[constants:])
    first = [e for e in body.equations if e not in varying and not isinstance(e.primitive, BroadcastTo)]
    if not first or has_effects(body):
        return None
    before = set(first)
    rest = [e for e in body.equations if e not in before]
    fixed = _crossing(first, [], rest, body.outputs)
    given, entering = body.inputs[:constants], body.inputs[constants:]
    core = evolve(scan, body=Graph((*given, *fixed, *entering), tuple(rest), body.outputs, body.constants))
    constant_kinds, carry_kinds, x_kinds = scan.split_inputs(input_types(body))
    kinds = [*constant_kinds, *carry_kinds, *(kind.batched(scan.length) for kind in x_kinds)]
    inputs = tuple(map(Variable, kinds))
    equations: list[Equation] = []
    found = spliced(Graph(given, tuple(first), fixed, body.constants), inputs[:constants], equations)
    outputs = applied(core, [*inputs[:constants], *found, *inputs[constants:]], equations)
    return without_dead_code(Graph(inputs, tuple(equations), outputs, body.constants))


@remembered
def recurrence(
    core: Graph, constants: int, carries: int, hoisted_flags: tuple[bool, ...]
) -> tuple[Graph, tuple[int, ...], tuple[int, ...]]:
    """The core with inputs in the order (singles, carry, columns), without those that it does not need.

    And the positions among (constants, xs, hoisted values) of the singles, which are the same at each step, and of
    the columns, which are not.
    """
    carry = core.inputs[constants : constants + carries]
    pool = (*core.inputs[:constants], *core.inputs[constants + carries :])
    scanned = len(pool) - constants - len(hoisted_flags)
    differs = (*[False] * constants, *[True] * scanned, *hoisted_flags)
    used = {*(a for e in core.equations for a in e.inputs), *core.outputs}
    singles = tuple(i for i, v in enumerate(pool) if v in used and not differs[i])
    columns = tuple(i for i, v in enumerate(pool) if v in used and differs[i])
    inputs = (*(pool[i] for i in singles), *carry, *(pool[i] for i in columns))
    return Graph(inputs, core.equations, core.outputs, core.constants), singles, columns


@remembered
def summing(after: Graph, flags: tuple[bool, ...], size: int, sums: int) -> tuple[Graph, tuple[bool, ...]]:
    """The last stage for a block of steps, whose last outputs are the sums of the terms; and which ys differ."""
    graph, out_flags = batched(after, flags, size)
    makers = {v: e for e in graph.equations for v in e.outputs}
    ys = len(graph.outputs) - sums

    def outputs(*inputs: Array) -> list[Array]:
        values: dict[Variable, Array] = dict(graph.constants)
        values.update(zip(graph.inputs, inputs, strict=True))
        run_equations(graph.equations, values)

        def total(atom: Atom) -> Array:
            """The sum over the steps; of a product it is a product over one axis more."""
            maker = makers.get(atom) if isinstance(atom, Variable) else None
            primitive = None if maker is None else maker.primitive
            if isinstance(primitive, Contract) and maker is not None:
                product = contract(primitive.left, primitive.right, primitive.out[1:])
                return product(*(value_of(a, values) for a in maker.inputs))
            if primitive == ADD and maker is not None and all(a.type == atom.type for a in maker.inputs):
                return total(maker.inputs[0]) + total(maker.inputs[1])
            if primitive == NEGATIVE and maker is not None:
                return -total(maker.inputs[0])
            if isinstance(primitive, Permute) and maker is not None and primitive.axes[0] == 0:
                return Permute(tuple(axis - 1 for axis in primitive.axes[1:]))(total(maker.inputs[0]))
            return Sum((0,))(value_of(atom, values))

        results = [value_of(atom, values) for atom in graph.outputs[:ys]]
        for atom, flag in zip(graph.outputs[ys:], out_flags[ys:], strict=True):
            results.append(total(atom) if flag else np.multiply(value_of(atom, values), float(size)))
        return results

    return without_dead_code(record_flat(outputs, input_types(graph), "scan")), out_flags[:ys]
