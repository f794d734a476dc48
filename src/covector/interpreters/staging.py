"""Recording: runs a function on types instead of values and keeps what it did, as a `Graph`.

If the values of the inputs are known, a Python branch on a recorded value computes it, on demand, from the
equations recorded so far; otherwise such a branch is refused.

    >>> import numpy as np
    >>> print(record_flat(lambda x: [np.exp(x) + 1.0], [ArrayType((3,), np.float64)], "example"))
    a: float64[3]
    b: float64[3] = exp a
    c: float64[3] = add b 1.0
    return c
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from covector.core.families import SCALARS
from covector.core.interpreter import Interpreter, Tracer
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ConcreteValueError
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, check, run_equations
from covector.interpreters.constants import ConstantKeeper

Watch = Callable[[Variable, str, Array], list[Equation]]
"""Given a variable, the question that Python asks of it and its value: the equations to record."""


@final
class StagingInterpreter(Interpreter):
    """Records an equation for each primitive."""

    __slots__ = ("_constants", "_evaluated", "_keeper", "_values", "_watch", "equations")

    def __init__(self, origin: str, values: dict[Variable, Array] | None, watch: Watch | None = None) -> None:
        super().__init__(origin)
        self._watch = watch
        self.equations: list[Equation] = []
        self._values = values
        self._evaluated = 0
        self._constants: dict[int, tuple[Variable, Array]] = {}
        self._keeper = ConstantKeeper(own=True)

    def process(self, primitive: Primitive, inputs: Sequence[Array]) -> Any:
        """A traced variable for each output."""
        if self.ended:
            self.refuse_leaked(primitive)
        atoms = tuple(self.atom(x) for x in inputs)
        kinds = primitive.output_type(*(atom.type for atom in atoms))
        outputs = tuple(Variable(kind) for kind in as_tuple(kinds))
        self.equations.append(Equation(primitive, atoms, outputs))
        tracers = tuple(StagingTracer(self, variable) for variable in outputs)
        return tracers if isinstance(kinds, tuple) else tracers[0]

    def atom(self, x: Array) -> Atom:
        """The variable or literal that stands for a value; arrays become constants of the graph."""
        if type(x) is StagingTracer and x.interpreter is self:
            return x.variable
        if type(x) in SCALARS or isinstance(x, np.generic):
            return Literal(x, typeof(x))
        kept = self._keeper.copy(x) if type(x) is np.ndarray and self._watch is None else x
        if id(kept) not in self._constants:
            self._constants[id(kept)] = (Variable(typeof(kept)), kept)
        return self._constants[id(kept)][0]

    def lift(self, constant: np.ndarray[Any, Any]) -> Array:
        """A constant as a variable, if constants are referred to; itself if they are copied."""
        if self._watch is None:
            return constant
        atom = self.atom(constant)
        return StagingTracer(self, atom) if isinstance(atom, Variable) else constant

    def value(self, variable: Variable, asked: str) -> Array:
        """The value of a variable, computed from the values of the inputs if they are known."""
        if self._values is None:
            raise ConcreteValueError(
                f"{asked} was asked of a value of type {variable.type} that is being recorded by {self.origin}, so "
                "it has no value yet. Select with np.where(condition, a, b) instead of branching in Python."
            )
        self._values.update(self.constants)
        run_equations(self.equations[self._evaluated :], self._values)
        self._evaluated = len(self.equations)
        value = self._values[variable]
        if self._watch is not None:
            self.equations += self._watch(variable, asked, value)
            self._evaluated = len(self.equations)
        return value

    @property
    def constants(self) -> tuple[tuple[Variable, Array], ...]:
        """The constants met so far, with their variables."""
        return tuple(self._constants.values())


@final
class StagingTracer(Tracer):
    """A value that is being recorded: a variable."""

    __slots__ = ("variable",)

    def __init__(self, interpreter: StagingInterpreter, variable: Variable) -> None:
        self.interpreter, self.variable = interpreter, variable

    @property
    def type(self) -> ArrayType:
        return self.variable.type

    def lift(self, constant: np.ndarray[Any, Any]) -> Array:
        return self.interpreter.lift(constant)

    def concrete(self, asked: str) -> Any:
        return self.interpreter.value(self.variable, asked)


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
    try:
        outputs = function(*(StagingTracer(interpreter, variable) for variable in inputs))
        atoms = tuple(interpreter.atom(x) for x in outputs)
    finally:
        interpreter.ended = True
    return check(Graph(inputs, tuple(interpreter.equations), atoms, interpreter.constants))
