"""Derivatives of operations that are loops at run time: computed when they run, step by step.

An operation with a method `unrolled` computes itself in primitives, in a Python loop that needs to know values.
Its derivative is an operation, too, which differentiates that loop when it is evaluated: there all values are
known, whatever was known when it was recorded. So is the derivative of the derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, final

import numpy as np
from attrs import frozen

from covector.core.primitive import Primitive, as_tuple, instantiate
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import NonlinearError
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.linearizing import linearize_flat
from covector.interpreters.tape import pull
from covector.transforms.control.bodies import Indices, active_inputs


class Unrolled(Protocol):
    """An operation of floating-point outputs that can compute itself in primitives."""

    def __call__(self, *inputs: Array) -> Any:
        """The outputs."""

    def unrolled(self, *inputs: Array) -> tuple[Array, ...]:
        """The outputs, in primitives."""

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        """The types of the outputs."""


def unrolled_jvp(
    operation: Unrolled, primals: Sequence[Array], tangents: Sequence[Array | None]
) -> tuple[tuple[Array, ...], Any]:
    """The jvp rule of an operation that can be unrolled."""
    active = active_inputs(primals, tangents)
    outputs = operation(*primals)
    if not active:
        return outputs, (None,) * len(outputs)
    return outputs, UnrolledDerivative(operation, len(primals), active)(*primals, *(tangents[i] for i in active))


def stacked_batch(
    operation: Primitive, size: int, inputs: Sequence[Array], batched: Sequence[bool]
) -> tuple[Array, ...]:
    """The outputs for each element of a batch, one after the other."""
    if not size:
        whole = [typeof(x) for x in inputs]
        kinds = [ArrayType(k.shape[1:], k.dtype) if b else k for k, b in zip(whole, batched, strict=True)]
        return tuple(zeros(kind.batched(0)) for kind in as_tuple(operation.output_type(*kinds)))
    rows = [operation(*(x[i] if b else x for x, b in zip(inputs, batched, strict=True))) for i in range(size)]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


@final
@frozen
class UnrolledDerivative(Primitive):
    """The derivative of an operation of `count` inputs; inputs: primals, tangents of the inputs `active`."""

    operation: Any
    count: int
    active: Indices

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.operation.signature}, active={self.active}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return self.unrolled(*inputs)

    def unrolled(self, *inputs: Array) -> tuple[Array, ...]:
        """The same, in primitives."""
        tangents: list[Array | None] = [None] * self.count
        for i, tangent in zip(self.active, inputs[self.count :], strict=True):
            tangents[i] = tangent
        primals = inputs[: self.count]
        outputs, found = jvp_flat(self.operation.unrolled, primals, tangents, self.name)
        return tuple(instantiate(t, x) for t, x in zip(found, outputs, strict=True))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(kind.strong() for kind in self.operation.output_type(*inputs[: self.count]))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return unrolled_jvp(self, primals, tangents)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        linear = range(self.count, count)
        if any(i not in linear for i in traced):
            raise NonlinearError(f"{self.name} is linear in the tangents only, not in the primals")
        return linear

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        pullback = UnrolledPullback(self.operation, self.count, self.active)
        found: tuple[Array, ...] = pullback(*inputs[: self.count], *cotangent)
        return found

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        return stacked_batch(self, size, inputs, batched)


@final
@frozen
class UnrolledPullback(Primitive):
    """The transpose of an `UnrolledDerivative`; inputs: primals, cotangents."""

    operation: Any
    count: int
    active: Indices

    @property
    def signature(self) -> str:
        return f"{self.name}[{self.operation.signature}, active={self.active}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return self.unrolled(*inputs)

    def unrolled(self, *inputs: Array) -> tuple[Array, ...]:
        """The same, in primitives."""

        def of_active(*leaves: Array) -> Sequence[Array]:
            filled = list(inputs[: self.count])
            for i, x in zip(self.active, leaves, strict=True):
                filled[i] = x
            found: tuple[Array, ...] = self.operation.unrolled(*filled)
            return found

        primals = [inputs[i] for i in self.active]
        _, tape, indices = linearize_flat(of_active, primals, self.name)
        seeds = [(i, c) for i, c in zip(indices, inputs[self.count :], strict=True) if i is not None]
        found = pull(tape, seeds, len(primals), consume=True)
        return tuple(zeros(typeof(p).strong()) if c is None else c for p, c in zip(primals, found, strict=True))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(inputs[i].strong() for i in self.active)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return unrolled_jvp(self, primals, tangents)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        return stacked_batch(self, size, inputs, batched)
