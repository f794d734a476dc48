"""Linearizing: computes the primal now and records the derivative, a linear map, on a tape.

A tracer is a primal with the index of its tangent's vertex. Elementwise operations record their partial
derivatives directly; any other operation runs its `jvp` rule on *tangent tracers*, and what that rule does
to them, which is linear, is what gets recorded. Pulling a cotangent back through the tape is reverse mode.

    >>> import numpy as np
    >>> outputs, tape, indices = linearize_flat(lambda x: [np.sin(x) * x], [1.0], "example")
    >>> [round(float(v), 6) for v in outputs]
    [0.841471]
    >>> tape.entries[1:]                                   # v_1 = cos(1) v_0, v_2 = 1 v_1 + sin(1) v_0
    [(0, np.float64(0.5403023058681398)), (1, None, 0, np.float64(0.8414709848078965))]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from covector.core.families import ZERO, Elementwise, MaskingFactor
from covector.core.interpreter import Interpreter, Tracer, lifted
from covector.core.primitive import Deferred, Family, Primitive, as_tuple, instantiate
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import NonlinearError
from covector.interpreters.constants import ConstantKeeper
from covector.interpreters.tape import SCALAR_TYPES, Application, Tape, piece_of, vertex_type

ONLY = (0,)
GENERAL, UNARY, BINARY, BILINEAR = Family.GENERAL, Family.UNARY, Family.BINARY, Family.BILINEAR


@final
class LinearizingInterpreter(Interpreter):
    """Computes primals and records the linear map of tangents."""

    __slots__ = ("constants", "recorder", "tape")

    def __init__(self, origin: str, tape: Tape, constants: ConstantKeeper) -> None:
        super().__init__(origin)
        self.tape = tape
        self.constants = constants
        self.recorder = TangentRecorder(origin, tape, constants)

    def process(self, primitive: Any, inputs: Sequence[Array]) -> Any:
        """The primal outputs, traced if an input is: also where a partial is 0, so that `s = 0.0 * x; s += x` works.

        The branches for one and two elementwise inputs are written out: they are the hot path of reverse mode.
        """
        if self.ended:
            self.refuse_leaked(primitive.name)
        family = primitive.family
        if family is BINARY:
            x, y = inputs
            own_x = type(x) is LinearizingTracer and x.interpreter is self
            own_y = type(y) is LinearizingTracer and y.interpreter is self
            left, right = x.primal if own_x else x, y.primal if own_y else y
            traced = isinstance(left, Tracer) or isinstance(right, Tracer)
            if traced:
                left, right = lifted((left, right))
            out = primitive(left, right) if traced else primitive.ufunc(left, right)
            if own_x:
                partial = primitive.left_partial(out, left, right)
                if type(right) is np.ndarray and not own_y:
                    partial = self._kept(partial, right)
                entry = self._edge(primitive, x.index, partial, None if own_y else right)
                if own_y:
                    entry += self._edge(primitive, y.index, primitive.right_partial(out, left, right))
            else:
                partial = primitive.right_partial(out, left, right)
                if type(left) is np.ndarray:
                    partial = self._kept(partial, left)
                entry = self._edge(primitive, y.index, partial, left)
        elif family is UNARY:
            (x,) = inputs
            primal = x.primal
            out = primitive(primal) if isinstance(primal, Tracer) else primitive.ufunc(primal)
            entry = self._edge(primitive, x.index, primitive.derivative(out, primal))
        else:
            return self._general(primitive, inputs) if family is GENERAL else self._linear(primitive, inputs)
        types = self.tape.types
        self.tape.entries.append(entry)
        types.append(SCALAR_TYPES.get(type(out)) or vertex_type(out))
        return LinearizingTracer(self, out, len(types) - 1)

    def _kept(self, partial: Array, constant: np.ndarray[Any, Any]) -> Array:
        """The partial, with the constant that it refers to, if it does, kept."""
        if partial is constant:
            return self.constants.keep(constant)
        if type(partial) is tuple:
            return tuple(self._kept(factor, constant) for factor in partial)
        if type(partial) is MaskingFactor and partial.factor is constant:
            return MaskingFactor(self.constants.keep(constant))
        return partial

    def _edge(self, primitive: Any, source: int, partial: Array, constant: Array = None) -> tuple[Any, ...]:
        """The tape's entry for a partial; nothing for `ZERO`, and for a number 0.0 that is the `constant` operand."""
        if primitive.singular:
            return (source, piece_of(partial))
        if type(partial) is float:
            if partial == 1.0:
                return (source, None)
            if partial is ZERO or (partial is constant and partial == 0.0):
                return ()
        return (source, partial)

    def _linear(self, primitive: Any, inputs: Sequence[Array]) -> Any:
        """A linear or bilinear primitive, which is its own derivative: recorded without running its jvp rule."""
        if len(inputs) == 1:
            x = inputs[0].primal
            out = primitive(x) if isinstance(x, Tracer) else primitive.evaluate(x)
            return self._recorded(out, primitive, [typeof(x)], {0: inputs[0].index}, ONLY)
        sources = {i: x.index for i, x in enumerate(inputs) if type(x) is LinearizingTracer and x.interpreter is self}
        primals = list(lifted([x.primal if i in sources else x for i, x in enumerate(inputs)]))
        out = primitive(*primals)
        if primitive.family is not BILINEAR:  # a traced condition or key is a constant to what it governs
            sources = {i: sources[i] for i in range(len(inputs))[primitive.operands] if i in sources}
            if not sources:
                return out
        for i, x in enumerate(primals):
            if x is inputs[i] and type(x) is np.ndarray:
                primals[i] = self.constants.keep(x)
        if len(sources) == 2 and primitive.family is BILINEAR:
            left, right = (self._apply(primitive, primals, {i: source}, out) for i, source in sources.items())
            index = self.tape.append((left.index, None, right.index, None), vertex_type(out))
            return LinearizingTracer(self, out, index)
        return self._apply(primitive, primals, sources, out)

    def _apply(self, primitive: Primitive, primals: list[Array], sources: dict[int, int], out: Any) -> Any:
        linear = primitive.linear_inputs(tuple(sources), len(primals))
        given = list(primals)
        for i in linear:
            given[i] = typeof(primals[i]) if i in sources else zeros(typeof(primals[i]))
        return self._recorded(out, primitive, given, sources, linear)

    def _recorded(
        self, out: Any, primitive: Primitive, given: list[Any], sources: dict[int, int], linear: Sequence[int]
    ) -> Any:
        if type(out) is not tuple:
            index = self.tape.append(Application(primitive, given, sources, linear, None), vertex_type(out))
            return LinearizingTracer(self, out, index)
        application = Application(primitive, given, sources, linear, len(out))
        indices = self.tape.apply(application, [vertex_type(x) for x in out])
        return tuple(LinearizingTracer(self, x, i) for x, i in zip(out, indices, strict=True))

    def _general(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        primals: list[Array] = []
        tangents: list[TangentTracer | None] = []
        for x in inputs:
            own = type(x) is LinearizingTracer and x.interpreter is self
            primals.append(x.primal if own else x)
            tangents.append(TangentTracer(self.recorder, x.index) if own else None)
        kept = [
            self.constants.keep(p) if t is None and type(p) is np.ndarray else p
            for p, t in zip(lifted(primals), tangents, strict=True)
        ]
        out, tangent = primitive.jvp(kept, tangents)
        if isinstance(out, tuple):
            return tuple(map(self._paired, out, tangent))
        return self._paired(out, tangent)

    def _paired(self, out: Array, tangent: Any) -> Any:
        if tangent is None:
            return out
        if type(tangent) is Deferred:
            tangent = tangent.value()
        if isinstance(tangent, TangentTracer) and tangent.interpreter is self.recorder:
            if isinstance(out, Tracer) and out.interpreter.tag >= self.tag:
                self.refuse_closure()
            return LinearizingTracer(self, out, tangent.index)
        if np.any(tangent):
            raise NonlinearError("a rule gave a tangent that does not depend linearly on the input tangents")
        return out


@final
class LinearizingTracer(Tracer):
    """A primal, and the vertex of its tangent."""

    __slots__ = ("index", "primal")

    def __init__(self, interpreter: LinearizingInterpreter, primal: Array, index: int) -> None:
        self.interpreter, self.primal, self.index = interpreter, primal, index

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


@final
class TangentRecorder(Interpreter):
    """Records linear operations on tangents; refuses others.

    While `keeps` is true, `constants` keeps the arrays they are combined with, which the user may change; a rule
    of ours makes new arrays, which nobody else has.
    """

    __slots__ = ("constants", "keeps", "tape")

    def __init__(self, origin: str, tape: Tape, constants: ConstantKeeper, keeps: bool = False) -> None:
        super().__init__(origin)
        self.tape = tape
        self.constants = constants
        self.keeps = keeps

    def process(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        """A vertex for each output."""
        if self.ended:
            self.refuse_leaked(primitive.name)
        sources = {i: x.index for i, x in enumerate(inputs) if isinstance(x, TangentTracer) and x.interpreter is self}
        if self.keeps:
            inputs = [self.constants.keep(x) if type(x) is np.ndarray else x for x in inputs]
        linear = primitive.linear_inputs(tuple(sources), len(inputs))
        self._check_constants(primitive, inputs, sources, linear)
        types = [typeof(x) for x in inputs]
        outputs = primitive.output_type(*types)
        if isinstance(primitive, Elementwise):
            return self._sum(primitive, inputs, sources, outputs)
        given = [types[i] if i in sources else x for i, x in enumerate(inputs)]
        count = len(outputs) if isinstance(outputs, tuple) else None
        return self._apply(Application(primitive, given, sources, linear, count), as_tuple(outputs))

    def zero(self, kind: ArrayType) -> TangentTracer:
        """A tangent that is zero: the sum of nothing."""
        return TangentTracer(self, self.tape.append((), (kind.shape, kind.dtype)))

    def _sum(self, primitive: Elementwise, inputs: Sequence[Array], sources: dict[int, int], kind: ArrayType) -> Any:
        entry: list[Any] = []
        for i, source in sources.items():
            partial = primitive.partial(i, None, *inputs)
            identity = type(partial) is float and partial == 1.0
            entry += (source, None if identity else piece_of(partial) if primitive.singular else partial)
        return TangentTracer(self, self.tape.append(tuple(entry), (kind.shape, kind.dtype)))

    def _apply(self, application: Application, outputs: Sequence[ArrayType]) -> Any:
        indices = self.tape.apply(application, [(kind.shape, kind.dtype) for kind in outputs])
        tracers = tuple(TangentTracer(self, i) for i in indices)
        return tracers[0] if application.count is None else tracers

    def _check_constants(
        self, primitive: Primitive, inputs: Sequence[Array], sources: dict[int, int], linear: Sequence[int]
    ) -> None:
        if isinstance(primitive, Elementwise) and not primitive.jointly:
            return
        affine = [inputs[i] for i in linear if i not in sources] if not isinstance(primitive, Elementwise) else [
            x for i, x in enumerate(inputs) if i not in sources
        ]
        if any(isinstance(x, Tracer) or np.any(x) for x in affine):
            raise NonlinearError(f"{primitive.name} adds a constant to a tangent, so the rule is not linear in it")


@final
class TangentTracer(Tracer):
    """A tangent: a vertex of the tape."""

    __slots__ = ("index",)

    def __init__(self, interpreter: TangentRecorder, index: int) -> None:
        self.interpreter, self.index = interpreter, index

    @property
    def type(self) -> ArrayType:
        return ArrayType(*self.interpreter.tape.types[self.index])

    def concrete(self, asked: str) -> Any:
        raise NonlinearError(f"{asked} was asked of a tangent; a derivative rule has to be linear in its tangents")


def filled_tangents(tangents: Sequence[Array | None], primals: Sequence[Array]) -> list[Array]:
    """The tangents with zeros for None; among tangents that are being recorded, a zero is a vertex with no sources."""
    recorder = next((t.interpreter for t in tangents if isinstance(t, TangentTracer)), None)
    if recorder is None:
        return [instantiate(t, p) for t, p in zip(tangents, primals, strict=True)]
    return [recorder.zero(typeof(p)) if t is None else t for t, p in zip(tangents, primals, strict=True)]


@contextmanager
def keeping_constants(tangents: Sequence[Array | None]) -> Iterator[None]:
    """Keeps the arrays that a user's rule combines the tangents with, if these are being recorded."""
    recorder = next((t.interpreter for t in tangents if isinstance(t, TangentTracer)), None)
    if recorder is None:
        yield
        return
    before, recorder.keeps = recorder.keeps, True
    try:
        yield
    finally:
        recorder.keeps = before


# --- entry ----------------------------------------------------------------------------------------------


def linearize_flat(
    function: Callable[..., Sequence[Array]], primals: Sequence[Array], origin: str, *, own: bool = False
) -> tuple[list[Array], Tape, list[int | None]]:
    """The outputs of a flat function, the tape, and the vertex of each output (None where it is constant).

    With `own` the tape keeps copies of constants, so that it outlives changes to them.
    """
    tape = Tape([vertex_type(x) for x in primals])
    constants = ConstantKeeper(own)
    interpreter = LinearizingInterpreter(origin, tape, constants)
    try:
        outputs = function(*(LinearizingTracer(interpreter, x, i) for i, x in enumerate(primals)))
        found = [_split(interpreter, x) for x in outputs]
    finally:
        interpreter.ended = interpreter.recorder.ended = True
    constants.check()
    return [p for p, _ in found], tape, [i for _, i in found]


def _split(interpreter: LinearizingInterpreter, x: Array) -> tuple[Array, int | None]:
    if type(x) is LinearizingTracer and x.interpreter is interpreter:
        return x.primal, x.index
    return x, None


def record_linear_flat(
    function: Callable[..., Sequence[Array]], kinds: Sequence[ArrayType], origin: str
) -> tuple[Tape, list[int | None], list[ArrayType]]:
    """The tape of a linear function, recorded on tangents alone: with the vertex and type of each output."""
    tape = Tape([(kind.shape, kind.dtype) for kind in kinds])
    recorder = TangentRecorder(origin, tape, ConstantKeeper(own=True), keeps=True)
    try:
        outputs = function(*(TangentTracer(recorder, i) for i in range(len(kinds))))
    finally:
        recorder.ended = True
    return tape, [_vertex(recorder, x) for x in outputs], [typeof(x) for x in outputs]


def _vertex(recorder: TangentRecorder, x: Array) -> int | None:
    if isinstance(x, TangentTracer) and x.interpreter is recorder:
        return x.index
    if isinstance(x, Tracer) or np.any(x):
        raise NonlinearError("an output does not depend on the input, and is not zero")
    return None
