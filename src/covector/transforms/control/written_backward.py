"""Pullbacks of loops as source: steps from the last to the first, through carries that were kept or are made again.

    for (carry_2,) in reversed(kept_1):
        cos_1 = math.cos(carry_2)
        cotangent_1 = cotangent_1 * cos_1

    def advance_1(i_1, state_1):
        (carry_3,) = state_1
        sin_1 = math.sin(carry_3)
        return (sin_1,)
    for i_2, (carry_2,) in backward_states(1000, 10, (x,), advance_1):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

from attrs import frozen

from covector.compile.on_numbers import assigned, in_one_way, indented, to_numpy, to_python
from covector.compile.structured import Lines, Scope
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.transforms.control.written import (
    Written,
    carried,
    counted,
    new_array,
    singles,
    tupled,
    while_statement,
)


@final
@frozen
class _Backward:
    """One step backward as a graph: of constants, running values, sums over the steps, a carry, and more."""

    adjoint: Graph
    constants: int
    cotangents: Sequence[Atom]
    sums: Sequence[ArrayType]

    def first(self, scope: Scope, numbers: bool) -> Written:
        """The first running values and sums."""
        running = self.adjoint.inputs[self.constants :]
        lines, names = carried(scope, self.cotangents, running[: len(self.cotangents)], numbers, "cotangent")
        totals = [scope.fresh("total") for _ in self.sums]
        zeros = [zero(kind, numbers) for kind in self.sums]
        return [*lines, *assigned(totals, zeros)], [*names, *totals]

    def turned(self, names: Sequence[str]) -> list[str]:
        """The outputs of a pullback: sums, which are of constants, come first."""
        count = len(self.cotangents)
        return [*names[count:], *names[:count]]


def zero(kind: ArrayType, numbers: bool) -> str:
    """Zeros of a type."""
    if kind.shape:
        return new_array(kind, "zeros")
    return "0.0" if numbers else to_numpy("0.0", kind)


# --- while loops ----------------------------------------------------------------------------------------


def written_while_pullback(scope: Scope, equation: Equation) -> Written:
    """The statements that step backward through the carries of a while loop."""
    pullback: Any = equation.primitive
    return in_one_way(scope, equation, pullback.graphs, partial(_while_backward, scope, pullback, equation.inputs))


def _while_backward(scope: Scope, pullback: Any, atoms: Sequence[Atom], numbers: bool) -> Written:
    loop, count = pullback.loop, len(pullback.loop.body.inputs)
    of_constants = loop.body.inputs[: loop.constants]
    kinds = [loop.body.inputs[i].type.strong() for i in pullback.active if i < loop.constants]
    adjoint = pullback.graphs[2]
    backward = _Backward(adjoint, loop.constants, atoms[count:], kinds)
    before, fixed = singles(scope, atoms[: loop.constants], of_constants, numbers)
    first, names = backward.first(scope, numbers)
    carry = [scope.fresh("carry") for _ in range(loop.carries)]
    states = _revisited_while if loop.slots else _kept_while
    visits, source = states(scope, loop, atoms[:count], numbers)
    body, outputs = scope.block(adjoint, [*fixed, *names, *carry], numbers)
    body += assigned(names, outputs)
    target = f"_, {tupled(carry)}" if loop.slots else tupled(carry)
    return [*before, *first, *visits, f"for {target} in {source}:", *indented(body)], backward.turned(names)


def _kept_while(scope: Scope, loop: Any, atoms: Sequence[Atom], numbers: bool) -> tuple[Lines, str]:
    """All carries."""
    lines, kept = _kept(scope, loop, atoms, numbers)
    return lines, f"reversed({kept})"


def _revisited_while(scope: Scope, loop: Any, atoms: Sequence[Atom], numbers: bool) -> tuple[Lines, str]:
    """The carries, made again from a few of them."""
    of_constants, of_carry = loop.body.inputs[: loop.constants], loop.body.inputs[loop.constants :]
    lines, count = _kept(scope, loop, atoms, numbers)
    before, fixed = singles(scope, atoms[: loop.constants], of_constants, numbers)
    start, first = carried(scope, atoms[loop.constants :], of_carry, numbers, "first")

    def step(_: str, carry: Sequence[str]) -> Written:
        return scope.block(loop.graphs[1], [*fixed, *carry], numbers)

    advance, source = _revisiting(scope, count, loop.slots, first, step)
    return [*lines, *before, *start, *advance], source


def _kept(scope: Scope, loop: Any, atoms: Sequence[Atom], numbers: bool) -> tuple[Lines, str]:
    """What the loop itself has kept, or keeps when it is run again: its carries, or the number of its steps."""
    kept = scope.kept.get((loop, tuple(atoms)))
    if kept is not None:
        return [], kept
    kept = scope.fresh("count" if loop.slots else "kept")
    return while_statement(scope, loop, atoms, numbers, kept)[0], kept


Step = Callable[[str, Sequence[str]], Written]
"""Writes the step from a carry to the next: of the name of its position, and those of the carry."""


def _revisiting(scope: Scope, length: str, slots: int, first: Sequence[str], step: Step) -> tuple[Lines, str]:
    """The definition of a step, and the iterator that goes back through the carries."""
    advance, position, state = scope.fresh("advance"), scope.fresh("i"), scope.fresh("state")
    carry = [scope.fresh("carry") for _ in first]
    lines, outputs = step(position, carry)
    inner = [f"{tupled(carry)} = {state}", *lines, f"return {tupled(outputs)}"]
    source = f"backward_states({length}, {slots}, {tupled(first)}, {advance})"
    return [f"def {advance}({position}, {state}):", *indented(inner)], source


# --- scans ----------------------------------------------------------------------------------------------


def written_revolving_pullback(scope: Scope, equation: Equation) -> Written:
    """The statements that step backward through a scan, from a few carries."""
    pullback: Any = equation.primitive
    return in_one_way(scope, equation, pullback.graphs, partial(_scan_backward, scope, pullback, equation.inputs))


def _scan_backward(scope: Scope, pullback: Any, atoms: Sequence[Atom], numbers: bool) -> Written:
    scan, stored = pullback.derivative.scan, pullback.derivative.stored
    count = len(scan.body.inputs)
    constants, carry_atoms, xs = scan.split_inputs(atoms[:count])
    of_constants, of_carry, of_xs = scan.split_inputs(scan.body.inputs)
    active = stored.split_active([scan.body.inputs[i].type.strong() for i in stored.active])
    step, adjoint = pullback.graphs
    ys = atoms[count + len(active[1]) :]
    backward = _Backward(adjoint, scan.constants, atoms[count : count + len(active[1])], active[0])
    before, fixed = singles(scope, constants, of_constants, numbers)
    start, first = carried(scope, carry_atoms, of_carry, numbers, "first")
    begin, names = backward.first(scope, numbers)
    pulled = [scope.fresh("pulled") for _ in active[2]]
    made = [f"{p} = {new_array(kind.batched(scan.length))}" for p, kind in zip(pulled, active[2], strict=True)]

    def entries(i: str) -> list[str]:
        return [_entry(scope, atom, v, i, numbers) for atom, v in zip(xs, of_xs, strict=True)]

    def forward(position: str, carry: Sequence[str]) -> Written:
        lines, columns = _located(scope, scan, position, entries)
        inner, outputs = scope.block(step, [*fixed, *carry, *columns], numbers)
        return [*lines, *inner], outputs

    advance, source = _revisiting(scope, str(scan.length), scan.slots, first, forward)
    position, carry = scope.fresh("i"), [scope.fresh("carry") for _ in first]
    of_ys = adjoint.inputs[len(adjoint.inputs) - len(ys) :]

    def all_entries(i: str) -> list[str]:
        return [*entries(i), *(_entry(scope, atom, v, i, numbers) for atom, v in zip(ys, of_ys, strict=True))]

    lines, columns = _located(scope, scan, position, all_entries)
    inner, outputs = scope.block(adjoint, [*fixed, *names, *carry, *columns], numbers)
    place = _place(scan, position)
    lines += [*inner, *(f"{p}[{place}] = {x}" for p, x in zip(pulled, outputs[len(names) :], strict=True))]
    head = f"for {position}, {tupled(carry)} in {source}:"
    loop = [head, *indented([*lines, *assigned(names, outputs[: len(names)])])]
    return [*before, *start, *begin, *made, *advance, *loop], [*backward.turned(names), *pulled]


def _located(scope: Scope, scan: Any, position: str, entries: Callable[[str], list[str]]) -> Written:
    """Names for what a step takes from arrays."""
    texts = entries(_place(scan, position))
    names = [scope.fresh("x") for _ in texts]
    return [f"{name} = {text}" for name, text in zip(names, texts, strict=True)], names


def _place(scan: Any, position: str) -> str:
    return f"{scan.length - 1} - {position}" if scan.reverse else position


def _entry(scope: Scope, atom: Atom, variable: Variable, i: str, numbers: bool) -> str:
    """An entry of an array, as a Python number where one is needed."""
    text = scope.operand(atom)
    whole = counted(scope, text) if variable.type.weak else None
    if whole is not None:
        return f"{whole.start} + {i}" if whole.start else i
    if numbers:
        return to_python(f"{text}[{i}]", variable.type)
    return f"{text}[{i}].item()" if variable.type.weak else f"{text}[{i}]"
