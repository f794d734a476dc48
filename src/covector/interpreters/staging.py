"""Recording: runs a function on types instead of values and keeps what it did, as a `Graph`.

If the values of the inputs are known, a Python branch on a recorded value computes it, on demand, from the
equations recorded so far; otherwise such a branch is refused. `run_flat` computes every value as it is recorded, so
that the function's result is there when the recording is.

While jit records a derivative of a function, `recorded_first` records the function itself before: the steps of a
Python loop become one loop, which is differentiated instead of every step.

    >>> import numpy as np
    >>> print(record_flat(lambda x: [np.exp(x) + 1.0], [ArrayType((3,), np.float64)], "example"))
    a: float64[3]
    b: float64[3] = exp a
    c: float64[3] = add b 1.0
    return c
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, final

import numpy as np

from covector.core.families import SCALARS
from covector.core.interpreter import Interpreter, Tracer
from covector.core.primitive import Primitive
from covector.core.source_lines import SHOWING, instead_of, user_line
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ConcreteValueError, UnsupportedFunctionError
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, check, run, run_equations
from covector.interpreters.constants import ConstantKeeper
from covector.ops.debugging import held_back

Watch = Callable[[Variable, str, Callable[[], Array]], tuple[Array, list[Equation]]]
"""Given a variable, the question that Python asks of it and what finds its value: that, and equations to record."""

Condense = Callable[[Graph], Graph]
"""Makes loops of repeated equations."""

Given = Callable[[str], Iterable[tuple[Variable, Array]]]
"""The inputs with their values, or an error saying that a question needs them."""

CATCHABLE = (FloatingPointError, IndexError, np.linalg.LinAlgError, Warning)
"""What an operation may raise for some values and not for others; the function may be prepared for it."""


class CaughtFailureError(UnsupportedFunctionError):
    """The function went on after an operation had raised: for other values it does not, so there is no recording."""


@final
class StagingInterpreter(Interpreter):
    """Records an equation for each primitive.

    `listeners` are the recordings of functions within this one that have not ended; the last of them hears of what is
    recorded here meanwhile, and `heard` is what it has heard.
    """

    __slots__ = (
        "_constants", "_evaluated", "_given", "_keeper", "_literals", "_types", "_values",
        "condense", "equations", "heard", "listeners", "raised", "runs", "watch",
    )  # fmt: skip

    def __init__(
        self,
        origin: str,
        given: Given | None,
        watch: Watch | None = None,
        condense: Condense | None = None,
        runs: bool = False,
    ) -> None:
        super().__init__(origin)
        self.watch, self.condense, self.runs = watch, condense, runs
        self.listeners: list[StagingInterpreter] = []
        self.heard: list[tuple[int, Equation, Sequence[Array]]] = []
        self.equations: list[Equation] = []
        self.raised: Exception | None = None
        self._given = given
        self._values: dict[Variable, Array] = {}
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
            self.refuse_leaked(primitive.name)
        atoms: list[Atom] = []
        known = [id(primitive)]
        for x in inputs:
            atom = x.variable if type(x) is StagingTracer and x.interpreter is self else self.atom(x)
            atoms.append(atom)
            known.append(id(atom.type))
        key = tuple(known)
        kinds = self._types.get(key)
        if kinds is None:
            kinds = self._types[key] = primitive.output_type(*[atom.type for atom in atoms])
        if type(kinds) is not tuple:
            variable = Variable(kinds)
            self.equations.append(Equation(primitive, tuple(atoms), (variable,)))
            if self.listeners and self.listeners[-1] is not self:
                self.listeners[-1].hear(self.equations[-1], inputs)
            return StagingTracer(self, variable, self._run(primitive, inputs) if self.runs else None)
        variables = tuple([Variable(kind) for kind in kinds])
        self.equations.append(Equation(primitive, tuple(atoms), variables))
        if self.listeners and self.listeners[-1] is not self:
            self.listeners[-1].hear(self.equations[-1], inputs)
        values = self._run(primitive, inputs) if self.runs else [None] * len(variables)
        return tuple([StagingTracer(self, variable, value) for variable, value in zip(variables, values, strict=True)])

    def _run(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        """The values of the outputs."""
        try:
            return primitive(*map(self.known, inputs))
        except Exception as error:
            self.raised = error
            raise

    def hear(self, equation: Equation, inputs: Sequence[Array]) -> None:
        """Notes what is recorded further out meanwhile: it may belong to a step of a loop."""
        if not equation.primitive.effect:
            self.heard.append((len(self.equations), equation, inputs))

    def known(self, x: Array) -> Array:
        """The value of an input or output, where values are computed as they are recorded."""
        return x.value if type(x) is StagingTracer and x.interpreter is self else x

    def atom(self, x: Array) -> Atom:
        """The variable or literal that stands for a value; arrays become constants of the graph."""
        if type(x) is StagingTracer and x.interpreter is self:
            return x.variable
        if type(x) in SCALARS or isinstance(x, np.generic):
            return self._literal(x)
        kept = self._keeper.copy(x) if type(x) is np.ndarray and self.watch is None else x
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
        if self.watch is None:
            return constant
        atom = self.atom(constant)
        return StagingTracer(self, atom, constant) if isinstance(atom, Variable) else constant

    def answer(self, tracer: StagingTracer, asked: str) -> Array:
        """The value of a tracer of which Python asks something; the question is put on record."""
        if self.ended and asked != SHOWING:
            self.refuse_leaked(asked)
        if self.watch is None:
            return tracer.glimpse(asked)
        try:
            value, equations = self.watch(tracer.variable, asked, partial(tracer.glimpse, asked))
        except (OverflowError, ValueError) as error:  # infinity is no whole number, which the function may catch
            self.raised = error
            raise
        self.equations += equations
        self._evaluated = len(self.equations)
        return value

    def computed(self, variable: Variable, asked: str) -> Array:
        """The value of a variable, computed from the values of the inputs if they are known."""
        if self._given is None:
            raise ConcreteValueError(
                f"{asked} was asked at {user_line()} of a value of type {variable.type} that is being recorded by "
                f"{self.origin}, so it has no value yet. {instead_of(asked)}"
            )
        if not self._values:
            self._values.update(self._given(asked))
        self._values.update((constant, _glimpsed(x, asked)) for constant, x in self.constants)
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

    def __str__(self) -> str:
        """Without the value, which `repr` shows: a program may act on the text, and the value be another next time."""
        return self.described

    def concrete(self, asked: str) -> Any:
        return self.interpreter.answer(self, asked)

    def glimpse(self, asked: str) -> Any:
        interpreter = self.interpreter
        return self.value if interpreter.runs else interpreter.computed(self.variable, asked)


def _glimpsed(x: Array, asked: str) -> Array:
    return x.glimpse(asked) if isinstance(x, Tracer) else x


def record_flat(
    function: Callable[..., Sequence[Array]],
    kinds: Sequence[ArrayType],
    origin: str,
    values: Sequence[Array] | None = None,
    watch: Watch | None = None,
    condense: Condense | None = None,
) -> Graph:
    """The graph of a flat function on inputs of these types.

    `values` lets Python branch on what is recorded. `watch` is told of each question that is asked, and gives
    equations that say what was answered; with it, constant arrays are referred to instead of copied. `condense` is for
    what is recorded first.
    """
    inputs = [Variable(kind) for kind in kinds]
    given = None if values is None else partial(_glimpses, inputs, values)
    interpreter = StagingInterpreter(origin, given, watch, condense)
    return _recorded(interpreter, function, [StagingTracer(interpreter, variable) for variable in inputs])[0]


def _glimpses(inputs: Sequence[Variable], values: Sequence[Array], asked: str) -> Iterable[tuple[Variable, Array]]:
    return [(variable, _glimpsed(x, asked)) for variable, x in zip(inputs, values, strict=True)]


def run_flat(
    function: Callable[..., Sequence[Array]],
    values: Sequence[Array],
    origin: str,
    watch: Watch,
    condense: Condense,
) -> tuple[Graph, list[Array]]:
    """The graph of a flat function on inputs like these, and its outputs for them, from running it once."""
    interpreter = StagingInterpreter(origin, None, watch, condense, runs=True)
    inputs = [StagingTracer(interpreter, Variable(typeof(x)), x) for x in values]
    graph, outputs = _recorded(interpreter, function, inputs)
    return graph, [interpreter.known(x) for x in outputs]


def recorded_first(
    function: Callable[..., Sequence[Array]], leaves: Sequence[Array], origin: str
) -> Callable[..., Sequence[Array]]:
    """The function; while jit is recording, what runs the graph of it, with its repeated equations made into loops."""
    outer = next((found for x in leaves if (found := _recorder(x)) is not None), None)
    if outer is None or outer.condense is None:
        return function
    inputs = [Variable(typeof(x)) for x in leaves]
    interpreter = StagingInterpreter(origin, partial(_glimpses, inputs, leaves), outer.watch, outer.condense)
    interpreter.listeners = outer.listeners
    interpreter.listeners.append(interpreter)
    try:
        graph, _ = _recorded(interpreter, function, [StagingTracer(interpreter, variable) for variable in inputs])
    finally:
        interpreter.listeners.pop()
    return partial(_run_again, outer.condense(_with_heard(graph, interpreter)))


def _with_heard(graph: Graph, interpreter: StagingInterpreter) -> Graph:
    """The graph with what was recorded further out meanwhile, of values that were known there, as far as it needs it.

    `x + y[i]` takes an element in each step, though y is a constant to what is differentiated in x.
    """
    made = {variable for _, equation, _ in interpreter.heard for variable in equation.outputs}
    replaced: dict[Atom, Atom] = {
        constant: x.variable for constant, x in graph.constants if type(x) is StagingTracer and x.variable in made
    }
    if not replaced:
        return graph
    needed = set(replaced.values())
    merged: list[Equation] = []
    stop = len(graph.equations)
    for position, equation, inputs in reversed(interpreter.heard):
        if needed.isdisjoint(equation.outputs):
            continue
        merged += [_replacing(replaced, e) for e in reversed(graph.equations[position:stop])]
        stop = position
        atoms = [x.variable if type(x) is StagingTracer and x.variable in made else interpreter.atom(x) for x in inputs]
        needed.update(atoms)
        merged.append(Equation(equation.primitive, tuple(atoms), equation.outputs))
    merged += [_replacing(replaced, e) for e in reversed(graph.equations[:stop])]
    outputs = tuple(replaced.get(atom, atom) for atom in graph.outputs)
    constants = tuple(pair for pair in interpreter.constants if pair[0] not in replaced)
    return check(Graph(graph.inputs, tuple(reversed(merged)), outputs, constants), typed=frozenset(merged))


def _replacing(replaced: Mapping[Atom, Atom], equation: Equation) -> Equation:
    if replaced.keys().isdisjoint(equation.inputs):
        return equation
    return Equation(equation.primitive, tuple(replaced.get(atom, atom) for atom in equation.inputs), equation.outputs)


def _recorder(x: Array) -> StagingInterpreter | None:
    """What records an array, behind whatever else traces it."""
    while isinstance(x, Tracer):
        if type(x) is StagingTracer:
            return x.interpreter  # type: ignore[no-any-return]
        x = x.beneath
    return None


def _run_again(graph: Graph, *inputs: Array) -> list[Array]:
    """Runs what was recorded without values; what raises now, the function may have caught."""
    try:
        return run(graph, inputs)
    except CATCHABLE as error:
        raise CaughtFailureError(str(error)) from error


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
