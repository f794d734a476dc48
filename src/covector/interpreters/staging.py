"""Recording: runs a function on types instead of values and keeps what it did, as a `Graph`.

If the values of the inputs are known, a Python branch on a recorded value computes it, on demand, from the
equations recorded so far; otherwise such a branch is refused. `run_flat` computes every value as it is recorded, so
that the function's result is there when the recording is.

    >>> import numpy as np
    >>> print(record_flat(lambda x: [np.exp(x) + 1.0], [ArrayType((3,), np.float64)], "example"))
    a: float64[3]
    b: float64[3] = exp a
    c: float64[3] = add b 1.0
    return c
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import numpy as np

from covector.core.families import SCALARS
from covector.core.interpreter import Interpreter, Tracer
from covector.core.primitive import Primitive
from covector.core.source_lines import instead_of, user_line
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ConcreteValueError, UnsupportedFunctionError
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, check, run_equations
from covector.interpreters.constants import ConstantKeeper
from covector.ops.debugging import held_back

Watch = Callable[[Variable, str, Callable[[], Array]], tuple[Array, list[Equation]]]
"""Given a variable, the question that Python asks of it and what finds its value: that, and equations to record."""


class CaughtFailureError(UnsupportedFunctionError):
    """The function went on after an operation had raised: for other values it does not, so there is no recording."""


@final
class StagingInterpreter(Interpreter):
    """Records an equation for each primitive."""

    __slots__ = (
        "_constants", "_evaluated", "_keeper", "_literals", "_types", "_values", "_watch",
        "equations", "raised", "runs",
    )  # fmt: skip

    def __init__(
        self, origin: str, values: dict[Variable, Array] | None, watch: Watch | None = None, runs: bool = False
    ) -> None:
        super().__init__(origin)
        self._watch = watch
        self.runs = runs
        self.equations: list[Equation] = []
        self.raised: Exception | None = None
        self._values = values
        self._evaluated = 0
        self._constants: dict[int, tuple[Variable, Array]] = {}
        self._keeper = ConstantKeeper(own=True)
        self._literals: dict[tuple[type, Any], Literal] = {}
        self._types: dict[tuple[int, ...], Any] = {}

    def process(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        """A traced variable for each output.

        What types the outputs have is remembered by identity: the equations keep the primitive and types alive.
        """
        if self.ended:
            self.refuse_leaked(primitive)
        atoms, values = [], []
        for x in inputs:
            own = type(x) is StagingTracer and x.interpreter is self
            atoms.append(x.variable if own else self.atom(x))
            values.append(x.value if own else x)
        key = (id(primitive), *[id(atom.type) for atom in atoms])
        kinds = self._types.get(key)
        if kinds is None:
            kinds = self._types[key] = primitive.output_type(*[atom.type for atom in atoms])
        single = type(kinds) is not tuple
        variables = (Variable(kinds),) if single else tuple([Variable(kind) for kind in kinds])
        self.equations.append(Equation(primitive, tuple(atoms), variables))
        try:
            found: Any = primitive(*values) if self.runs else None if single else (None,) * len(variables)
        except Exception as error:
            self.raised = error
            raise
        if single:
            return StagingTracer(self, variables[0], found)
        return tuple([StagingTracer(self, variable, value) for variable, value in zip(variables, found, strict=True)])

    def known(self, x: Array) -> Array:
        """The value of an input or output, where values are computed as they are recorded."""
        return x.value if type(x) is StagingTracer and x.interpreter is self else x

    def atom(self, x: Array) -> Atom:
        """The variable or literal that stands for a value; arrays become constants of the graph."""
        if type(x) is StagingTracer and x.interpreter is self:
            return x.variable
        if type(x) in SCALARS or isinstance(x, np.generic):
            return self._literal(x)
        kept = self._keeper.copy(x) if type(x) is np.ndarray and self._watch is None else x
        if id(kept) not in self._constants:
            self._constants[id(kept)] = (Variable(typeof(kept)), kept)
        return self._constants[id(kept)][0]

    def _literal(self, x: Array) -> Literal:
        """The same literal for the same number; zeros are apart, since 0.0 == -0.0."""
        key = (type(x), x)
        found = self._literals.get(key)
        if found is None:
            found = Literal(x, typeof(x))
            if x:
                self._literals[key] = found
        return found

    def lift(self, constant: np.ndarray[Any, Any]) -> Array:
        """A constant as a variable, if constants are referred to; itself if they are copied."""
        if self._watch is None:
            return constant
        atom = self.atom(constant)
        return StagingTracer(self, atom, constant) if isinstance(atom, Variable) else constant

    def answer(self, tracer: StagingTracer, asked: str) -> Array:
        """The value of a tracer of which Python asks something; the question is put on record."""
        if self._watch is None:
            return self._value(tracer, asked)
        value, equations = self._watch(tracer.variable, asked, partial(self._value, tracer, asked))
        self.equations += equations
        self._evaluated = len(self.equations)
        return value

    def _value(self, tracer: StagingTracer, asked: str) -> Array:
        return tracer.value if self.runs else self._computed(tracer.variable, asked)

    def _computed(self, variable: Variable, asked: str) -> Array:
        """The value of a variable, computed from the values of the inputs if they are known."""
        if self._values is None:
            raise ConcreteValueError(
                f"{asked} was asked at {user_line()} of a value of type {variable.type} that is being recorded by "
                f"{self.origin}, so it has no value yet. {instead_of(asked)}"
            )
        self._values.update(self.constants)
        try:
            with held_back():  # whoever runs the graph will print
                run_equations(self.equations[self._evaluated :], self._values)
        except Exception as error:
            self.raised = error
            raise
        self._evaluated = len(self.equations)
        return self._values[variable]

    @property
    def constants(self) -> tuple[tuple[Variable, Array], ...]:
        """The constants met so far, with their variables."""
        return tuple(self._constants.values())


@final
class StagingTracer(Tracer):
    """A value that is being recorded: a variable, and the value itself where it is computed at once."""

    __slots__ = ("value", "variable")

    def __init__(self, interpreter: StagingInterpreter, variable: Variable, value: Array = None) -> None:
        self.interpreter, self.variable, self.value = interpreter, variable, value

    @property
    def type(self) -> ArrayType:
        return self.variable.type

    def lift(self, constant: np.ndarray[Any, Any]) -> Array:
        return self.interpreter.lift(constant)

    def concrete(self, asked: str) -> Any:
        return self.interpreter.answer(self, asked)


def record_flat(
    function: Callable[..., Sequence[Array]],
    kinds: Sequence[ArrayType],
    origin: str,
    values: Sequence[Array] | None = None,
    watch: Watch | None = None,
) -> Graph:
    """The graph of a flat function on inputs of these types.

    `values` lets Python branch on what is recorded. `watch` is told of each question that is asked, and gives
    equations that say what was answered; with it, constant arrays are referred to instead of copied.
    """
    inputs = tuple(Variable(kind) for kind in kinds)
    interpreter = StagingInterpreter(origin, None if values is None else dict(zip(inputs, values, strict=True)), watch)
    return _recorded(interpreter, function, [StagingTracer(interpreter, variable) for variable in inputs])[0]


def run_flat(
    function: Callable[..., Sequence[Array]], values: Sequence[Array], origin: str, watch: Watch
) -> tuple[Graph, list[Array]]:
    """The graph of a flat function on inputs like these, and its outputs for them, from running it once."""
    interpreter = StagingInterpreter(origin, None, watch, runs=True)
    inputs = [StagingTracer(interpreter, Variable(typeof(x)), x) for x in values]
    graph, outputs = _recorded(interpreter, function, inputs)
    return graph, [interpreter.known(x) for x in outputs]


def _recorded(
    interpreter: StagingInterpreter, function: Callable[..., Sequence[Array]], inputs: Sequence[StagingTracer]
) -> tuple[Graph, Sequence[Array]]:
    """The graph of what the function does with the inputs, and the traced outputs."""
    try:
        outputs = function(*inputs)
        atoms = tuple(interpreter.atom(x) for x in outputs)
    finally:
        interpreter.ended = True
    if interpreter.raised is not None:
        raise CaughtFailureError(
            f"{interpreter.origin} cannot record what the function does after it caught {interpreter.raised!r}, which "
            "an operation raised for these values only. Test the values before instead, or call it without jit."
        ) from interpreter.raised
    variables = tuple(x.variable for x in inputs)
    equations = tuple(interpreter.equations)  # whose types are what the primitives declare, by `process`
    return check(Graph(variables, equations, atoms, interpreter.constants), typed=frozenset(equations)), outputs
