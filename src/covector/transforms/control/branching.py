"""The operation behind `cond` and `switch`: runs one of several graphs, chosen by its first input.

Its derivative runs the derivative of the graph that is chosen. For a batch of choices all graphs run on the
whole batch, and each element's outputs are selected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.compile.dead_code import needed_inputs, restricted
from covector.compile.structured import Lines, Reduced, Scope, Structured
from covector.core.broadcasting import reshaped
from covector.core.types import Array, ArrayType, typeof
from covector.graph.effects import has_effects
from covector.graph.graph import Equation, Graph, run
from covector.ops.comparison import SELECT
from covector.transforms.control.bodies import (
    Derivative,
    Indices,
    active_inputs,
    at_zero,
    batched,
    check_linear,
    dependent,
    executed,
    output_types,
    pulled,
    pushed,
    quiet,
    simpler,
    spread,
)
from covector.transforms.control.written import written_cond


@final
@frozen
class Cond(Structured):
    """branches[index](*operands), the index being a boolean or an integer in range; inputs: index, *operands."""

    branches: tuple[Graph, ...]

    @property
    def effect(self) -> bool:
        return any(map(has_effects, self.branches))

    @property
    def signature(self) -> str:
        return f"cond[branches={len(self.branches)}]"

    @property
    def shared(self) -> int:
        return len(self.branches[0].outputs)

    @property
    def graphs(self) -> Sequence[Graph]:
        return [simpler(branch) for branch in self.branches]

    def expansion(self, *inputs: ArrayType) -> None:
        return None

    def needing(self, outputs: Sequence[int]) -> Reduced | None:
        entering = sorted(set[int]().union(*(needed_inputs(branch, outputs) for branch in self.branches)))
        if len(outputs) == self.shared and len(entering) == len(self.branches[0].inputs):
            return None
        branches = tuple(restricted(branch, entering, outputs) for branch in self.branches)
        return Cond(branches), (0, *(i + 1 for i in entering)), outputs

    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        return written_cond(scope, equation)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return tuple(executed(self.branches[int(inputs[0])], inputs[1:]))

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        """The dearest branch."""
        return ((max(self.branches, key=_operations), 1),)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(output_types(self.branches[0]))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        active = active_inputs(primals[1:], tangents[1:])
        outputs = tuple(sorted({i for branch in self.branches for i in dependent(branch, active)}))
        values = self(*primals)
        if not outputs:
            return values, (None,) * len(values)
        derivative = CondDerivative(tuple(map(quiet, self.branches)), active, outputs)
        found = derivative(*primals, *(tangents[i + 1] for i in active))
        return values, spread(found, outputs, len(values))

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """The traced operands, if every branch is linear in them together."""
        active = tuple(i - 1 for i in traced)
        for branch in self.branches:
            check_linear(branch, active, dependent(branch, active), self.name)
        return traced

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        """That of the branch that is taken, at zero."""
        active = tuple(i for i, x in enumerate(inputs[1:]) if isinstance(x, ArrayType))
        outputs = tuple(range(len(self.branches[0].outputs)))
        pull = Cond(tuple(pulled(branch, active, outputs) for branch in self.branches))
        found: tuple[Array, ...] = pull(*at_zero(inputs), *cotangent)
        return found

    def batch(self, size: int, inputs: Sequence[Array], batched_inputs: Sequence[bool]) -> tuple[Array, ...]:
        index, *operands = inputs
        everything = tuple(range(len(self.branches[0].outputs)))
        flags = tuple(batched_inputs[1:])
        branches = tuple(batched(branch, flags, size, everything)[0] for branch in self.branches)
        if not batched_inputs[0]:
            found: tuple[Array, ...] = Cond(branches)(index, *operands)
            return found
        with np.errstate(all="ignore"):  # of what a branch gives for elements that are not its own
            outputs = [run(branch, operands) for branch in branches]
        return tuple(_selected(index, choices) for choices in zip(*outputs, strict=True))


def _operations(branch: Graph) -> int:
    return branch.cost().operations


def _selected(index: Array, choices: Sequence[Array]) -> Array:
    """For each element of the batch the choice that its index names."""
    column = reshaped(index, (typeof(index).shape[0], *(1,) * (typeof(choices[0]).ndim - 1)))
    found = choices[0]
    for i, choice in enumerate(choices[1:], start=1):
        found = SELECT(column == i, choice, found)
    return found


@final
@frozen
class CondDerivative(Derivative):
    """The derivative of `Cond` in the operands `active`, of these outputs; inputs: index, *operands, *tangents."""

    branches: tuple[Graph, ...]
    active: Indices
    outputs: Indices

    @property
    def signature(self) -> str:
        return f"cond_derivative[branches={len(self.branches)}, active={self.active}]"

    @property
    def primal_count(self) -> int:
        return 1 + len(self.branches[0].inputs)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        found: tuple[Array, ...] = Cond(tuple(pushed(b, self.active, self.outputs) for b in self.branches))(*inputs)
        return found

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        kinds = output_types(self.branches[0])
        return tuple(kinds[i] for i in self.outputs)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        primals = inputs[: self.primal_count]
        pull = Cond(tuple(pulled(branch, self.active, self.outputs) for branch in self.branches))
        found: tuple[Array, ...] = pull(*primals, *cotangent)
        return found
