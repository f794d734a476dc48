"""Running a scan on plain values: in blocks of steps, each in three stages (see `stages`), or simply step by step.

The recurrence itself is a loop over a step, written out as one Python function (see `written`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array, ArrayType
from covector.graph.graph import Graph, Variable, run
from covector.transforms.control.bodies import batched, compiled, output_types, remembered
from covector.transforms.control.stages import Stages, stages, summing
from covector.transforms.control.written import number, written_loop

WORTH_COMPILING, WORTH_STAGING = 48, 8
"""Steps of a body, in all its loops, from which it is compiled; and steps of a loop from which it is made in stages."""


@final
@frozen
class Problem:
    """A scan to run: its body, the numbers of constants and carries, its length and direction."""

    body: Graph
    constants: int
    carries: int
    length: int
    reverse: bool

    @property
    def scanned(self) -> tuple[Variable, ...]:
        """The inputs of the body that are scanned over."""
        return self.body.inputs[self.constants + self.carries :]

    def run(self, constants: Sequence[Array], carry: Sequence[Array], xs: Sequence[Array]) -> list[Array]:
        """The last carry, and the stacked ys."""
        steps = _steps_made(self.body)
        steps[0] += self.length
        often = steps[0] >= WORTH_COMPILING
        parts = stages(self.body, self.constants, self.carries) if often and self.length >= WORTH_STAGING else None
        if parts is not None:
            return self._staged(parts, constants, carry, xs)
        columns = [column(x, variable.type) for x, variable in zip(xs, self.scanned, strict=True)]
        step = compiled(self.body) if often else partial(_interpreted, self.body)
        last, ys = stepped(step, output_types(self.body), [*constants], carry, columns, self.order)
        return [*last, *ys]

    @property
    def order(self) -> range:
        """The steps in the order in which they are made."""
        return range(self.length - 1, -1, -1) if self.reverse else range(self.length)

    def _staged(
        self, parts: Stages, constants: Sequence[Array], carry: Sequence[Array], xs: Sequence[Array]
    ) -> list[Array]:
        current = list(carry)
        kinds = output_types(self.body)[self.carries :]
        ys = [np.empty((self.length, *kind.shape), kind.dtype) for kind in kinds]
        for start, stop in _blocks(self.length, parts.block, self.reverse):
            inputs = [*constants, *(x[start:stop] for x in xs)]
            found, sums = self._block(parts, inputs, [current[i] for i in parts.carried], stop - start)
            for i, value in zip(parts.carried, found[: len(parts.carried)], strict=True):
                current[i] = value
            for i, value in zip(parts.summed, sums, strict=True):
                current[i] = current[i] + value
            for y, value in zip(ys, found[len(parts.carried) :], strict=True):
                y[start:stop] = value
        return [*current, *ys]

    def _block(
        self, parts: Stages, inputs: Sequence[Array], carry: Sequence[Array], size: int
    ) -> tuple[list[Array], list[Array]]:
        """The next carry and the ys of a block of steps, and the sums of terms over them."""
        flags = (*[False] * self.constants, *[True] * (len(inputs) - self.constants))
        before, hoisted_flags = batched(parts.before, flags, size)
        hoisted = compiled(before)(*inputs) if before.equations else []
        core, singles, columns = recurrence(parts.core, self.constants, len(carry), hoisted_flags)
        pool = [*inputs, *hoisted]
        last, stored = list(carry), list[Array]()
        if core.equations or parts.stored:
            shown = [column(pool[i], core.inputs[len(singles) + len(carry) + k].type) for k, i in enumerate(columns)]
            last, stored = looped(core, [pool[i] for i in singles], carry, shown, size, self.reverse)
        flags = (*flags, *hoisted_flags, *[True] * len(stored))
        after, _ = summing(parts.after, flags, size, len(parts.summed))
        found = compiled(after)(*pool, *stored)
        count = len(found) - len(parts.summed)
        return [*last, *found[:count]], found[count:]


def _blocks(length: int, size: int, reverse: bool) -> Iterator[tuple[int, int]]:
    starts = range(0, length, size)
    for start in reversed(starts) if reverse else starts:
        yield start, min(start + size, length)


def column(x: Array, kind: ArrayType) -> Any:
    """What a step takes its input from: an array, or a list of Python's numbers."""
    return x.tolist() if kind.weak else x


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


# --- loops ----------------------------------------------------------------------------------------------


def looped(
    core: Graph, singles: Sequence[Array], carry: Sequence[Array], columns: Sequence[Any], size: int, reverse: bool
) -> tuple[list[Array], list[Array]]:
    """The last carry and the stacked further outputs, on Python floats if that is possible."""
    kinds = output_types(core)
    turned = [x[::-1] for x in columns] if reverse else columns
    in_python = written_loop(core, len(singles), len(carry), True)
    if in_python is not None:
        lists = [x if isinstance(x, list) else x.tolist() for x in turned]
        rows: Any = [[] for _ in kinds[len(carry) :]]
        try:
            last = in_python([number(x) for x in singles], [number(x) for x in carry], lists, rows, range(size))
            stacked = [np.array(x, kind.dtype) for x, kind in zip(rows, kinds[len(carry) :], strict=True)]
            numbers = [kind.dtype.type(x) for x, kind in zip(last, kinds, strict=False)]
        except (ArithmeticError, ValueError):  # NumPy has a value and a warning where Python raises
            pass
        else:
            return numbers, [x[::-1] for x in stacked] if reverse else stacked
    loop = written_loop(core, len(singles), len(carry), False)
    assert loop is not None
    stacked = [np.empty((size, *kind.shape), kind.dtype) for kind in kinds[len(carry) :]]
    last = loop(singles, carry, turned, [x[::-1] for x in stacked] if reverse else stacked, range(size))
    return [np.array(x)[()] for x in last], stacked


def stepped(
    step: Callable[..., Sequence[Array]],
    kinds: Sequence[ArrayType],
    constants: Sequence[Array],
    carry: Sequence[Array],
    columns: Sequence[Any],
    order: range,
) -> tuple[list[Array], list[Array]]:
    """The last carry and the stacked ys, step by step."""
    count = len(carry)
    stacked = [np.empty((len(order), *kind.shape), kind.dtype) for kind in kinds[count:]]
    current: Sequence[Array] = carry
    for i in order:
        outputs = step(*constants, *current, *[x[i] for x in columns])
        current = outputs[:count]
        for buffer, value in zip(stacked, outputs[count:], strict=True):
            buffer[i] = value
    return [np.array(x)[()] for x in current], stacked


def _interpreted(body: Graph, *inputs: Array) -> list[Array]:
    return run(body, inputs)


@remembered
def _steps_made(body: Graph) -> list[int]:
    return [0]
