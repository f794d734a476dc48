"""The operation behind `scan`: a loop of a known number of steps over the leading axis of arrays.

    carry, y[i] = body(constants, carry, x[i])      for each i, from the first to the last or in reverse

Its derivative is a scan, too. Forward mode scans tangents along with the values. Reverse mode keeps the carry
before each step, and scans in the opposite direction with the cotangent of the carry as its carry: each step
computes the body again and pulls the cotangent back through it.

What is kept for that can be less: see `revolving` for binomial checkpointing; a scan of scans, which is what
`scan(..., checkpoint=k)` makes, keeps one carry in k.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
from attrs import astuple, evolve, frozen

from covector.compile.structured import Lines, Reduced, Scope, Stepped, Structured
from covector.core.primitive import moved_to_front
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.graph.effects import has_effects
from covector.graph.graph import Equation, Graph, run
from covector.interpreters.batching import batch_flat
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.linearizing import TangentTracer
from covector.interpreters.staging import record_flat
from covector.ops.axes import Permute
from covector.transforms.control.bodies import (
    Derivative,
    Indices,
    Split,
    active_inputs,
    at_zero,
    batched,
    check_linear,
    compiled_alone,
    input_types,
    often_made,
    output_types,
    pushed,
    quiet,
    remembered,
    simpler,
    spread,
)
from covector.transforms.control.stages import WORTH_STAGING, block_of, in_stages, with_fixed_values_first
from covector.transforms.control.steps import (
    adjoint_body,
    jointly,
    keeping_carries,
    needed_of_step,
    only_outputs,
    scan_activity,
)
from covector.transforms.control.written import written_scan
from covector.transforms.control.written_backward import written_revolving_pullback


@final
@frozen
class Scan(Stepped):
    """carry, y[i] = body(*constants, *carry, *x[i]); inputs: constants, first carry, xs; outputs: last carry, ys.

    `carries` and `scanned` count the inputs of the body that are carried and scanned over. With `slots`, reverse
    mode keeps that many carries and recomputes the others; with 0 it keeps all.
    """

    body: Graph
    length: int
    carries: int
    scanned: int
    reverse: bool = False
    slots: int = 0

    @property
    def effect(self) -> bool:
        return has_effects(self.body)

    @property
    def signature(self) -> str:
        options = ", reverse=True" * self.reverse + f", slots={self.slots}" * bool(self.slots)
        return f"{self.name}[length={self.length}, carries={self.carries}{options}]"

    @property
    def constants(self) -> int:
        """The number of inputs of the body that are the same at each step."""
        return len(self.body.inputs) - self.carries - self.scanned

    @property
    def split_inputs(self) -> Split:
        """Constants, carry and scanned inputs."""
        return Split((self.constants, self.carries, self.scanned))

    @property
    def order(self) -> range:
        """The steps in the order in which they are made."""
        return range(self.length - 1, -1, -1) if self.reverse else range(self.length)

    @property
    def shared(self) -> int:
        return self.carries

    @property
    def graphs(self) -> Sequence[Graph]:
        return (simpler(self.body),)

    @property
    def fed_back(self) -> Mapping[int, int]:
        return {i: self.constants + i for i in range(self.carries)}

    def with_graph(self, graph: Graph) -> Scan:
        return evolve(self, body=graph)

    def expansion(self, *inputs: ArrayType) -> Graph | None:
        """In three stages, if it is worth it and takes no more memory than a block may; else after fixed values."""
        block = block_of(self.body, self.constants, self.carries)
        if self.length < WORTH_STAGING:
            return None
        if block is None:
            return with_fixed_values_first(self)
        if self.length > block:
            return None
        return self.in_stages(self.length)

    def in_stages(self, size: int) -> Graph:
        """A graph of that many steps in three stages."""
        return _in_stages(self.body, size, self.carries, self.scanned, self.reverse)

    def needing(self, outputs: Sequence[int]) -> Reduced | None:
        body, entering, leaving = needed_of_step(self.body, self.constants, self.carries, tuple(outputs))
        if body is None:
            return None
        carries = sum(i < self.carries for i in leaving)
        scanned = sum(i >= self.constants + self.carries for i in entering)
        return evolve(self, body=body, carries=carries, scanned=scanned), entering, leaving

    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        return written_scan(scope, equation)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        if often_made(self.body, self.length):
            program = _program(self.body, self.length, self.carries, self.scanned, self.reverse)
            return tuple(program(*inputs))
        return self._interpreted(inputs)

    def _interpreted(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        constants, carry, xs = self.split_inputs(inputs)
        kinds = self.split_inputs(input_types(self.body))[2]
        columns = [x.tolist() if kind.weak else x for x, kind in zip(xs, kinds, strict=True)]
        stacked = [np.empty(kind.shape, kind.dtype) for kind in self.output_type()[self.carries :]]
        for i in self.order:
            outputs = run(self.body, [*constants, *carry, *(x[i] for x in columns)])
            carry = outputs[: self.carries]
            for ys, y in zip(stacked, outputs[self.carries :], strict=True):
                ys[i] = y
        return (*(np.array(x)[()] for x in carry), *stacked)

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        return ((self.body, self.length),)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        kinds = output_types(self.body)
        return (*kinds[: self.carries], *(kind.batched(self.length) for kind in kinds[self.carries :]))

    # --- derivatives ------------------------------------------------------------------------------------

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        active, outputs = scan_activity(self.body, self.constants, self.carries, active_inputs(primals, tangents))
        if not outputs:
            values = self(*primals)
            return values, (None,) * len(values)
        directions = [instantiated(tangents[i], primals[i]) for i in active]
        if not any(isinstance(t, TangentTracer) for t in tangents):
            return self._side_by_side(primals, directions, active, outputs)
        again = evolve(self, body=quiet(self.body))
        if self.slots:
            values = self(*primals)
            found = RevolvingDerivative(again, active, outputs)(*primals, *directions)
        else:
            values, kept = self.with_carries(primals)
            found = ScanDerivative(again, active, outputs)(*kept, *directions)
        return values, spread(found, outputs, len(values))

    def with_carries(self, inputs: Sequence[Array]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """The outputs, and the inputs with the carry before each step in place of the first carry."""
        constants, _, xs = self.split_inputs(inputs)
        found = evolve(self, body=keeping_carries(self.body, self.constants, self.carries), slots=0)(*inputs)
        count = len(found) - self.carries
        return found[:count], (*constants, *found[count:], *xs)

    def _side_by_side(
        self, primals: Sequence[Array], directions: Sequence[Array], active: Indices, outputs: Indices
    ) -> tuple[Any, Any]:
        """One scan of values and tangents."""
        count, size = len(self.body.inputs), len(self.body.outputs)
        body = pushed(self.body, active, outputs, True)
        groups = self.split_inputs(range(count))
        where = {i: count + k for k, i in enumerate(active)}
        order = [j for group in groups for j in (*group, *(where[i] for i in group if i in where))]
        carried = [i for i in outputs if i < self.carries]
        leaving = [*range(self.carries), *(size + k for k in range(len(carried))), *range(self.carries, size)]
        leaving += range(size + len(carried), size + len(outputs))
        body = jointly(body, tuple(order), tuple(leaving))
        carries = self.carries + len(carried)
        scanned = self.scanned + sum(1 for i in active if i in groups[2])
        everything = [*primals, *directions]
        found = Scan(body, self.length, carries, scanned, self.reverse)(*(everything[j] for j in order))
        by_place = dict(zip(leaving, found, strict=True))
        tangents = [by_place[size + k] for k in range(len(outputs))]
        return tuple(by_place[i] for i in range(size)), spread(tangents, outputs, size)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """The traced inputs and what they enter, if the body is linear in them together."""
        active, outputs = scan_activity(self.body, self.constants, self.carries, tuple(traced))
        check_linear(self.body, active, outputs, self.name)
        return active

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        """That of the derivative at zero, which is the scan itself."""
        active = self.linear_inputs([i for i, x in enumerate(inputs) if isinstance(x, ArrayType)], len(inputs))
        _, kept = self.with_carries(at_zero(inputs))
        derivative = ScanDerivative(self, tuple(active), tuple(range(len(self.body.outputs))))
        return derivative.transpose(cotangent, *kept, *(typeof(inputs[i]) for i in active))

    # --- batches ----------------------------------------------------------------------------------------

    def batch(self, size: int, inputs: Sequence[Array], batched_inputs: Sequence[bool]) -> tuple[Array, ...]:
        constants, carry, xs = self.split_inputs(inputs)
        flags, out_flags, body = self._batched_body(size, tuple(batched_inputs))
        _, carry_flags, x_flags = self.split_inputs(flags)
        _, given, _ = self.split_inputs(batched_inputs)
        first = [
            moved_to_front(x, own, size) if flag else x for x, own, flag in zip(carry, given, carry_flags, strict=True)
        ]
        steps_first = [_swapped(x) if flag else x for x, flag in zip(xs, x_flags, strict=True)]
        found = evolve(self, body=body)(*constants, *first, *steps_first)
        outputs = []
        for i, (x, flag) in enumerate(zip(found, out_flags, strict=True)):
            outputs.append(_swapped(x) if flag and i >= self.carries else moved_to_front(x, flag, size))
        return tuple(outputs)

    def _batched_body(self, size: int, flags: tuple[bool, ...]) -> tuple[tuple[bool, ...], tuple[bool, ...], Graph]:
        """A carry that is batched after a step is batched from the start."""
        start = self.constants
        while True:
            forced = tuple(i for i in range(self.carries) if flags[start + i])
            body, out_flags = batched(self.body, flags, size, forced)
            grown = (*flags[:start], *out_flags[: self.carries], *flags[start + self.carries :])
            if grown == flags:
                return flags, out_flags, body
            flags = grown


@remembered
def _in_stages(body: Graph, size: int, carries: int, scanned: int, reverse: bool) -> Graph:
    return in_stages(Scan(body, size, carries, scanned, reverse))


@remembered
def _program(body: Graph, length: int, carries: int, scanned: int, reverse: bool) -> Callable[..., list[Array]]:
    scan = Scan(evolve(body), length, carries, scanned, reverse)  # of a copy, lest the body never be freed
    constants, carry, xs = scan.split_inputs(input_types(body))
    return compiled_alone(scan, [*constants, *carry, *(kind.batched(length) for kind in xs)])


def instantiated(tangent: Array | None, primal: Array) -> Array:
    """The tangent, or zeros of the primal's type."""
    return zeros(typeof(primal).strong()) if tangent is None else tangent


def _swapped(x: Array) -> Array:
    return Permute((1, 0, *range(2, typeof(x).ndim)))(x)


# --- the derivative -------------------------------------------------------------------------------------


@final
@frozen
class ScanDerivative(Derivative):
    """The derivative of a scan; inputs: constants, the carry before each step, xs, tangents of the inputs `active`.

    `active` and `outputs` are inputs and outputs of the body, and complete: the same carries are in both.
    """

    scan: Scan
    active: Indices
    outputs: Indices

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.scan.signature}, active={self.active}]"

    @property
    def primal_count(self) -> int:
        return len(self.scan.body.inputs)

    @property
    def split_active(self) -> Split:
        """The tangents of constants, carry and scanned inputs."""
        groups = self.scan.split_inputs(range(self.primal_count))
        return Split(tuple(sum(1 for i in self.active if i in group) for group in groups))

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        scan, count = self.scan, self.primal_count
        body = pushed(scan.body, self.active, self.outputs)
        constants, rest = range(scan.constants), range(scan.constants, count)
        of_constants, of_carry, of_xs = self.split_active(range(count, count + len(self.active)))
        order = (*constants, *of_constants, *of_carry, *rest, *of_xs)
        step = jointly(body, order, tuple(range(len(self.outputs))))
        derivative = Scan(step, scan.length, len(of_carry), len(rest) + len(of_xs), scan.reverse)
        found: tuple[Array, ...] = derivative(*(inputs[j] for j in order))
        return found

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        kinds = self.scan.output_type()
        return tuple(kinds[i] for i in self.outputs)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        scan, count = self.scan, self.primal_count
        body = adjoint_body(scan.body, scan.constants, self.active, self.outputs, self.split_active.lengths)
        constants, rest = inputs[: scan.constants], inputs[scan.constants : count]
        of_constants, of_carry, _ = self.split_active.lengths
        carry, ys = cotangent[:of_carry], cotangent[of_carry:]
        sums = [zeros(scan.body.inputs[i].type.strong()) for i in self.active[:of_constants]]
        adjoint = Scan(body, scan.length, of_carry + of_constants, len(rest) + len(ys), not scan.reverse)
        found = adjoint(*constants, *carry, *sums, *rest, *ys)
        return (*found[of_carry : of_carry + of_constants], *found[:of_carry], *found[of_carry + of_constants :])


# --- with less memory -----------------------------------------------------------------------------------


@final
@frozen
class RevolvingDerivative(Derivative):
    """The derivative of a scan that keeps few carries; inputs: those of the scan, tangents of the inputs `active`."""

    scan: Scan
    active: Indices
    outputs: Indices

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.scan.signature}, active={self.active}]"

    @property
    def primal_count(self) -> int:
        return len(self.scan.body.inputs)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        _, kept = self.scan.with_carries(inputs[: self.primal_count])
        found: tuple[Array, ...] = self.stored(*kept, *inputs[self.primal_count :])
        return found

    @property
    def stored(self) -> ScanDerivative:
        """The same derivative, with all carries kept."""
        return ScanDerivative(self.scan, self.active, self.outputs)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return self.stored.output_type(*inputs)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        pull = RevolvingPullback(self)
        found: tuple[Array, ...] = pull(*inputs[: self.primal_count], *cotangent)
        return found


@final
@frozen
class RevolvingPullback(Structured):
    """The transpose of a `RevolvingDerivative`; inputs: those of the scan, cotangents of the outputs."""

    derivative: RevolvingDerivative

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.derivative.scan.signature}, active={self.derivative.active}]"

    @property
    def shared(self) -> int:
        return sum(self.derivative.stored.split_active.lengths[:2])

    @property
    def graphs(self) -> Sequence[Graph]:
        """A step of the carry, and a step backward."""
        scan, stored = self.derivative.scan, self.derivative.stored
        lengths = stored.split_active.lengths
        backward = adjoint_body(scan.body, scan.constants, stored.active, stored.outputs, lengths)
        return simpler(only_outputs(scan.body, tuple(range(scan.carries)))), simpler(backward)

    def expansion(self, *inputs: ArrayType) -> None:
        return None

    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        return written_revolving_pullback(scope, equation)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        derivative = self.derivative
        fields = astuple(derivative.scan, recurse=False)[1:]
        return tuple(_revolving_program(derivative.scan.body, fields, derivative.active, derivative.outputs)(*inputs))

    def equivalent(self, *inputs: Array) -> tuple[Array, ...]:
        """The same outputs, from all carries."""
        derivative, count = self.derivative, self.derivative.primal_count
        _, kept = derivative.scan.with_carries(inputs[:count])
        given = [derivative.scan.body.inputs[i].type.strong() for i in derivative.active]
        return derivative.stored.transpose(inputs[count:], *kept, *given)

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        """As if all carries were kept."""
        return ((record_flat(self.equivalent, inputs, self.name), 1),)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(inputs[i].strong() for i in self.derivative.active)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        outputs, derivatives = jvp_flat(self.equivalent, primals, tangents, self.name)
        return tuple(outputs), tuple(derivatives)

    def batch(self, size: int, inputs: Sequence[Array], batched_inputs: Sequence[bool]) -> tuple[Array, ...]:
        outputs, flags = batch_flat(self.equivalent, inputs, batched_inputs, size, self.name)
        return tuple(moved_to_front(x, flag, size) for x, flag in zip(outputs, flags, strict=True))


@remembered
def _revolving_program(
    body: Graph, fields: tuple[Any, ...], active: Indices, outputs: Indices
) -> Callable[..., list[Array]]:
    scan = Scan(evolve(body), *fields)
    constants, carry, xs = scan.split_inputs(input_types(body))
    kinds = [*constants, *carry, *(kind.batched(scan.length) for kind in xs)]
    cotangents = [scan.output_type()[i] for i in outputs]
    pullback = RevolvingPullback(RevolvingDerivative(scan, active, outputs))
    return compiled_alone(pullback, [*kinds, *cotangents])
