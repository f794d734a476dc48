"""The operation behind `while_loop`: a loop whose number of steps is known when it ends.

Forward mode carries tangents along. In reverse mode the number of steps is not known when the derivative is
recorded, so nothing can be kept for it: the pullback runs the loop again, keeps the carries of this run (or a few
of them: see `schedules`), and then steps backward through them.

A batch runs until the loop has ended for all its elements; those for which it has ended keep their carry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.compile.dead_code import needed_inputs, restricted
from covector.compile.structured import Lines, Reduced, Scope, Structured
from covector.core.broadcasting import reshaped
from covector.core.interpreter import Tracer
from covector.core.primitive import moved_to_front
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.graph.effects import has_effects
from covector.graph.graph import Equation, Graph, Variable, run
from covector.interpreters.linearizing import TangentTracer
from covector.interpreters.staging import record_flat
from covector.ops.comparison import SELECT
from covector.transforms.control.bodies import (
    Derivative,
    Indices,
    active_inputs,
    batched,
    compiled,
    compiled_alone,
    input_types,
    known_value,
    output_types,
    pushed,
    quiet,
    rearranged,
    remembered,
    simpler,
    spread,
)
from covector.transforms.control.scanning import Scan, ScanDerivative, instantiated
from covector.transforms.control.steps import adjoint_body, needed_of_step, scan_activity
from covector.transforms.control.unrolling import unrolled_jvp
from covector.transforms.control.written import written_while
from covector.transforms.control.written_backward import written_while_pullback


@final
@frozen
class While(Structured):
    """carry = body(*constants, *carry) while condition(*constants, *carry); inputs: constants, first carry.

    With `slots`, the pullback keeps that many carries and recomputes the others; with 0 it keeps all.
    """

    condition: Graph
    body: Graph
    slots: int = 0

    @property
    def name(self) -> str:
        return "while"

    @property
    def effect(self) -> bool:
        return has_effects(self.condition) or has_effects(self.body)

    @property
    def signature(self) -> str:
        return f"while[carries={self.carries}{f', slots={self.slots}' * bool(self.slots)}]"

    @property
    def carries(self) -> int:
        """The number of carried values."""
        return len(self.body.outputs)

    @property
    def constants(self) -> int:
        """The number of inputs that are the same at each step."""
        return len(self.body.inputs) - self.carries

    @property
    def shared(self) -> int:
        return self.carries

    @property
    def graphs(self) -> Sequence[Graph]:
        return simpler(self.condition), simpler(self.body)

    def expansion(self, *inputs: ArrayType) -> None:
        return None

    def needing(self, outputs: Sequence[int]) -> Reduced | None:
        """That, and what decides about the end."""
        deciding = needed_inputs(self.condition, (0,))
        carried = {i - self.constants for i in deciding if i >= self.constants}
        body, entering, leaving = needed_of_step(
            self.body, self.constants, self.carries, tuple(sorted(carried.union(outputs))), tuple(sorted(deciding))
        )
        if body is None:
            return None
        return evolve(self, condition=restricted(self.condition, entering, (0,)), body=body), entering, leaving

    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        return written_while(scope, equation)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return tuple(_program(self.body, self.condition, self.slots)(*inputs))

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        """One step, as their number is not known."""
        return ((self.condition, 1), (self.body, 1))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(atom.type for atom in self.body.outputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        active, outputs = scan_activity(self.body, self.constants, self.carries, active_inputs(primals, tangents))
        if not outputs:
            return self(*primals), (None,) * self.carries
        directions = [instantiated(tangents[i], primals[i]) for i in active]
        if any(isinstance(t, TangentTracer) for t in tangents):
            if not self.slots and not any(isinstance(x, Tracer) for x in primals):
                values, linear, kept = self._linearized(primals, active, outputs)
                return values, spread(linear(*kept, *directions), outputs, self.carries)
            again = evolve(self, condition=quiet(self.condition), body=quiet(self.body))
            derivative = WhileDerivative(again, active, outputs)
            return self(*primals), spread(derivative(*primals, *directions), outputs, self.carries)
        found = WhileDerivative(self, active, outputs).side_by_side(primals, directions)
        return found[: self.carries], spread(found[self.carries :], outputs, self.carries)

    def _linearized(
        self, inputs: Sequence[Array], active: Indices, outputs: Indices
    ) -> tuple[tuple[Array, ...], ScanDerivative, tuple[Array, ...]]:
        """The outputs for plain values, the derivative at them, and its constants: the carries, stacked."""
        constants, kinds = inputs[: self.constants], input_types(self.body)[self.constants :]
        pairs = zip(inputs[self.constants :], kinds, strict=True)
        carry = [x.item() if kind.weak and isinstance(x, np.generic) else x for x, kind in pairs]
        holds, step, kept = compiled(self.condition), compiled(self.body), []
        while holds(*constants, *carry)[0]:
            kept.append(carry)
            carry = step(*constants, *carry)
        columns = zip(*kept, strict=True) if kept else ((),) * self.carries
        stacked = [
            np.array(column, kind.dtype).reshape(len(kept), *kind.shape)
            for column, kind in zip(columns, kinds, strict=True)
        ]
        values = tuple(np.copy(x)[()] if isinstance(x, np.ndarray) else x for x in carry)
        derivative = ScanDerivative(Scan(quiet(self.body), len(kept), self.carries, 0), active, outputs)
        return values, derivative, (*constants, *stacked)

    def batch(self, size: int, inputs: Sequence[Array], batched_inputs: Sequence[bool]) -> tuple[Array, ...]:
        loop, flags = self.for_batch(size, tuple(batched_inputs))
        triples = zip(inputs, batched_inputs, flags, strict=True)
        found = loop(*(moved_to_front(x, own, size) if flag else x for x, own, flag in triples))
        carry_flags = flags[self.constants :]
        return tuple(moved_to_front(x, flag, size) for x, flag in zip(found, carry_flags, strict=True))

    def for_batch(self, size: int, flags: tuple[bool, ...]) -> tuple[While, tuple[bool, ...]]:
        """The loop of a batch, and which of its inputs are batched: a carry is from the start if it is after a step."""
        start = self.constants
        while True:
            forced = tuple(i for i in range(self.carries) if flags[start + i])
            body, out_flags = batched(self.body, flags, size, forced)
            condition, (differs,) = batched(self.condition, flags, size)
            grown = (*flags[:start], *(differs or flag for flag in out_flags))
            if grown == flags:
                break
            flags = grown
        if not differs:
            return While(condition, body, self.slots), flags
        return While(_any(condition), _masked(body, condition, start), self.slots), flags


@remembered
def _any(condition: Graph) -> Graph:
    return record_flat(lambda *xs: [np.any(run(condition, xs)[0])], input_types(condition), "vmap of while_loop")


@remembered
def _masked(body: Graph, condition: Graph, constants: int) -> Graph:
    """A step of those elements of the batch for which the condition holds."""

    def step(*inputs: Array) -> list[Array]:
        (running,) = run(condition, inputs)
        found = []
        for new, old in zip(run(body, inputs), inputs[constants:], strict=True):
            mask = reshaped(running, (*typeof(running).shape, *(1,) * (typeof(old).ndim - 1)))
            found.append(SELECT(mask, new, old))
        return found

    return record_flat(step, input_types(body), "vmap of while_loop")


@final
@frozen
class WhileDerivative(Derivative):
    """The derivative of a while loop; inputs: those of the loop, tangents of the inputs `active`.

    `outputs` are the carries that have a tangent; they are the same as the active ones.
    """

    loop: While
    active: Indices
    outputs: Indices

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.loop.signature}, active={self.active}]"

    @property
    def primal_count(self) -> int:
        return len(self.loop.body.inputs)

    @property
    def constants(self) -> int:
        """The number of constants that have a tangent."""
        return len(self.active) - len(self.outputs)

    def side_by_side(self, primals: Sequence[Array], tangents: Sequence[Array]) -> tuple[Array, ...]:
        """One loop of values and tangents."""
        count, constants = self.primal_count, self.loop.constants
        places = range(count, count + len(self.active))
        order = (*range(constants), *places[: self.constants], *range(constants, count), *places[self.constants :])
        body = _in_order(pushed(self.loop.body, self.active, self.outputs, True), order)
        kinds = tuple(body.inputs[order.index(i)].type for i in places)
        inputs = [*primals, *tangents]
        loop = While(_extended(self.loop.condition, kinds, order), body)
        found: tuple[Array, ...] = loop(*(inputs[i] for i in order))
        return found

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return self.side_by_side(inputs[: self.primal_count], inputs[self.primal_count :])[self.loop.carries :]

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        kinds = output_types(self.loop.body)
        return tuple(kinds[i] for i in self.outputs)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        pull = WhilePullback(self.loop, self.active, self.outputs)
        found: tuple[Array, ...] = pull(*inputs[: self.primal_count], *cotangent)
        return found


@remembered
def _in_order(graph: Graph, order: Indices) -> Graph:
    return rearranged(graph, order)


@remembered
def _extended(graph: Graph, kinds: tuple[ArrayType, ...], order: Indices) -> Graph:
    """The graph with further inputs, which it does not use, all in another order."""
    inputs = (*graph.inputs, *map(Variable, kinds))
    return Graph(tuple(inputs[i] for i in order), graph.equations, graph.outputs, graph.constants)


@final
@frozen
class WhilePullback(Structured):
    """The transpose of a `WhileDerivative`; inputs: those of the loop, cotangents of the outputs."""

    loop: While
    active: Indices
    outputs: Indices

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.loop.signature}, active={self.active}]"

    @property
    def shared(self) -> int:
        return len(self.active)

    @property
    def graphs(self) -> Sequence[Graph]:
        """The condition, a step, and a step backward."""
        return *self.loop.graphs, simpler(self.adjoint)

    def expansion(self, *inputs: ArrayType) -> None:
        return None

    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        return written_while_pullback(scope, equation)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        loop = self.loop
        return tuple(_pullback_program(loop.body, loop.condition, loop.slots, self.active, self.outputs)(*inputs))

    @property
    def adjoint(self) -> Graph:
        """One step backward: from constants, running values and a carry to the next running values."""
        loop, lengths = self.loop, (len(self.active) - len(self.outputs), len(self.outputs), 0)
        return adjoint_body(loop.body, loop.constants, self.active, self.outputs, lengths)

    def _first(self, cotangents: Sequence[Array]) -> list[Array]:
        """The cotangents of the last carry, and sums of cotangents of the constants."""
        constants = self.active[: len(self.active) - len(self.outputs)]
        return [*cotangents, *(zeros(self.loop.body.inputs[i].type.strong()) for i in constants)]

    def unrolled(self, *inputs: Array) -> tuple[Array, ...]:
        """The same, step by step in primitives; the number of steps must be known."""
        loop, count = self.loop, len(self.loop.body.inputs)
        constants, running = inputs[: loop.constants], self._first(inputs[count:])
        kept: list[Sequence[Array]] = []
        carry: Sequence[Array] = inputs[loop.constants : count]
        while _holds(run(loop.condition, [*constants, *carry])[0]):
            kept.append(carry)
            carry = run(loop.body, [*constants, *carry])
        for before in reversed(kept):
            running = run(self.adjoint, [*constants, *running, *before])
        return (*running[len(self.outputs) :], *running[: len(self.outputs)])

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        """One step, there and back."""
        return ((self.loop.condition, 1), (self.loop.body, 1), (self.adjoint, 1))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(inputs[i].strong() for i in self.active)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return unrolled_jvp(self, primals, tangents)

    def batch(self, size: int, inputs: Sequence[Array], batched_inputs: Sequence[bool]) -> tuple[Array, ...]:
        """The pullback of the loop of the batch.

        All active inputs are batched in it, lest their cotangents be added up.
        """
        count = len(self.loop.body.inputs)
        flags = tuple(flag or i in self.active for i, flag in enumerate(batched_inputs[:count]))
        loop, grown = self.loop.for_batch(size, flags)
        filled = [
            moved_to_front(x, own, size) if flag else x
            for x, own, flag in zip(inputs, batched_inputs, (*grown, *[True] * len(self.outputs)), strict=True)
        ]
        found: tuple[Array, ...] = evolve(self, loop=loop)(*filled)
        return found


@remembered
def _program(body: Graph, condition: Graph, slots: int) -> Callable[..., list[Array]]:
    return compiled_alone(While(condition, evolve(body), slots), input_types(body))


@remembered
def _pullback_program(
    body: Graph, condition: Graph, slots: int, active: Indices, outputs: Indices
) -> Callable[..., list[Array]]:
    kinds = output_types(body)
    pullback = WhilePullback(While(condition, evolve(body), slots), active, outputs)
    return compiled_alone(pullback, [*input_types(body), *(kinds[i] for i in outputs)])


def _holds(value: Array) -> bool:
    known = known_value(value)
    if isinstance(known, Tracer):
        return bool(known.concrete("the condition of while_loop"))
    return bool(known)
