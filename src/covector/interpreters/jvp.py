"""Forward mode: every value carries its tangent along.

    >>> import numpy as np
    >>> primals, tangents = jvp_flat(lambda x: [np.sin(x) * x], [1.0], [1.0], "example")
    >>> float(tangents[0] - (np.cos(1.0) * 1.0 + np.sin(1.0)))
    0.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from covector.core.interpreter import Interpreter, Tracer, lifted
from covector.core.primitive import Deferred, Primitive
from covector.core.types import Array, ArrayType, typeof


@final
class JVPInterpreter(Interpreter):
    """Computes primals and tangents side by side."""

    __slots__ = ()

    def process(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        """The outputs with their tangents; an output whose tangent is zero is a plain value."""
        if self.ended:
            self.refuse_leaked(primitive.name)
        pairs = [self.split(x) for x in inputs]
        out, tangent = primitive.jvp(lifted([p for p, _ in pairs]), [t for _, t in pairs])
        if isinstance(out, tuple):
            return tuple(map(self.join, out, tangent))
        return self.join(out, tangent)

    def split(self, x: Array) -> tuple[Array, Array | None]:
        """The primal and the tangent; None, a zero tangent, for anything but a tracer of ours."""
        if type(x) is JVPTracer and x.interpreter is self:
            if type(x.tangent) is Deferred:
                x.tangent = x.tangent.value()
            return x.primal, x.tangent
        return x, None

    def join(self, primal: Array, tangent: Array | None) -> Array:
        """A tracer, or the primal alone where the tangent is zero."""
        if tangent is None:
            return primal
        if isinstance(primal, Tracer) and primal.interpreter.tag >= self.tag:
            self.refuse_closure()
        return JVPTracer(self, primal, tangent)


@final
class JVPTracer(Tracer):
    """A primal and its tangent."""

    __slots__ = ("primal", "tangent")

    def __init__(self, interpreter: JVPInterpreter, primal: Array, tangent: Array) -> None:
        self.interpreter, self.primal, self.tangent = interpreter, primal, tangent

    @property
    def type(self) -> ArrayType:
        return typeof(self.primal)

    @property
    def beneath(self) -> Any:
        return self.primal

    def concrete(self, asked: str) -> Any:
        primal = self.primal
        return primal.concrete(asked) if isinstance(primal, Tracer) else primal

    def glimpse(self, asked: str) -> Any:
        primal = self.primal
        return primal.glimpse(asked) if isinstance(primal, Tracer) else primal


def jvp_flat(
    function: Callable[..., Sequence[Array]],
    primals: Sequence[Array],
    tangents: Sequence[Array | None],
    origin: str,
) -> tuple[list[Array], list[Array | None]]:
    """The outputs of a flat function and their tangents, None where they are zero."""
    interpreter = JVPInterpreter(origin)
    try:
        outputs = function(*map(interpreter.join, primals, tangents))
        pairs = [interpreter.split(x) for x in outputs]
    finally:
        interpreter.ended = True
    return [p for p, _ in pairs], [t for _, t in pairs]
