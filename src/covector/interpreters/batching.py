"""Batching: every value carries a leading batch axis that the function does not see.

`vmap` moves the mapped axes to the front, runs the function on tracers that hide them, and moves them where
they are wanted in the end. A primitive's `batch` rule does the whole batch with one call.

    >>> import numpy as np
    >>> outputs, batched = batch_flat(lambda x, y: [x @ y], [np.eye(3), np.arange(3.0)], [True, False], 3, "vmap")
    >>> outputs[0]
    array([0., 1., 2.])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from covector.core.interpreter import Interpreter, Tracer, lifted
from covector.core.primitive import Primitive, map_outputs
from covector.core.source_lines import instead_of, user_line
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ConcreteValueError


@final
class BatchingInterpreter(Interpreter):
    """Processes whole batches behind the function's back."""

    __slots__ = ("size",)

    def __init__(self, origin: str, size: int) -> None:
        super().__init__(origin)
        self.size = size

    def process(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        """The batch of outputs."""
        if self.ended:
            self.refuse_leaked(primitive.name)
        pairs = [self.split(x) for x in inputs]
        outputs = primitive.batch(self.size, lifted([x for x, _ in pairs]), [b for _, b in pairs])
        return map_outputs(lambda out: BatchTracer(self, out), outputs)

    def split(self, x: Array) -> tuple[Array, bool]:
        """The value, and whether it has a batch axis."""
        if type(x) is BatchTracer and x.interpreter is self:
            return x.value, True
        return x, False


@final
class BatchTracer(Tracer):
    """One element of a batch, whichever it is; `value` is the batch."""

    __slots__ = ("value",)

    def __init__(self, interpreter: BatchingInterpreter, value: Array) -> None:
        self.interpreter, self.value = interpreter, value

    @property
    def type(self) -> ArrayType:
        kind = typeof(self.value)
        return ArrayType(kind.shape[1:], kind.dtype)

    @property
    def beneath(self) -> Any:
        return self.value

    def concrete(self, asked: str) -> Any:
        raise ConcreteValueError(
            f"{asked} was asked at {user_line()} of {self.described}, which stands for {self.interpreter.size} values "
            f"at once, so under vmap Python cannot act on one of them. {instead_of(asked)}"
        )


def batch_flat(
    function: Callable[..., Sequence[Array]],
    inputs: Sequence[Array],
    batched: Sequence[bool],
    size: int,
    origin: str,
) -> tuple[list[Array], list[bool]]:
    """The outputs of a flat function, and which of them have a leading batch axis."""
    interpreter = BatchingInterpreter(origin, size)
    try:
        outputs = function(
            *(BatchTracer(interpreter, x) if b else x for x, b in zip(inputs, batched, strict=True))
        )
        pairs = [interpreter.split(x) for x in outputs]
    finally:
        interpreter.ended = True
    return [x for x, _ in pairs], [b for _, b in pairs]
