"""Emission: a graph as the source of one Python function, straight-line NumPy that a reader can follow.

A graph is written for NumPy arrays: a `del` after the last use of each array, results written into arrays that
nothing uses any more, and elementwise work on large arrays block by block (see `blocks`). An operation that has no
form of its own in NumPy is called by name from the function's namespace.

Branches and loops are written in place (see `structured`); those on single numbers for Python floats and the `math`
module, by `numbers` where what they repeat is straight-line code.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import numpy as np

from covector.compile.accumulators import Accumulator, accumulators
from covector.compile.algebra import with_terms_combined
from covector.compile.blocks import BlockWriter
from covector.compile.buffers import zeros
from covector.compile.expansion import expanded
from covector.compile.expressions import (
    Expression,
    array_expression,
    called_function,
    is_array,
    number_text,
    shown_index,
    with_dtypes,
    writing_expression,
)
from covector.compile.guards import Guard
from covector.compile.lowering import lowered
from covector.compile.numbers import Names, NumberWriter, guard_lines
from covector.compile.puts import Target
from covector.compile.regions import Region, Step, scheduled
from covector.compile.runtime import HELPERS
from covector.compile.scalars import scalar_expression
from covector.compile.shares import AddShare
from covector.compile.storage import Storage
from covector.compile.structured import Structured
from covector.core.families import SCALARS
from covector.core.types import Array
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.arithmetic import Add, Divide, Multiply, Power, Subtract
from covector.ops.indexing import PutSlice, SetSlice
from covector.ops.parts import Ldexp

RESERVED = frozenset({"np", "special", "GuardFailedError", *HELPERS, *dir(builtins)})
"""Names that emitted code uses, which it and its arguments must not have."""

LOOP_NAMES = ("start", "here", "work", "first", "last", "block", "later")
"""Names in loops over blocks, which are used again in the next loop."""

CHANGES: dict[type, str] = {Add: "+=", Subtract: "-=", Multiply: "*=", Divide: "/="}
"""Operations that an operator writes into the array on its left."""

WORTH_TAKING_UP = 16_384
"""Entries from which it does not matter how long NumPy takes to make an array of a number."""


@final
class Writer:
    """Writes one function, or a block of the function that `outer` writes."""

    def __init__(
        self,
        graph: Graph,
        name: str,
        arguments: Sequence[str],
        expression: Expression,
        outer: Writer | None = None,
        namespace: dict[str, Any] | None = None,
    ) -> None:
        self.graph, self.name, self.arguments, self.expression = graph, name, arguments, expression
        self.numbers, self.equations, self.kept = expression is scalar_expression, graph.equations, dict[Any, str]()
        self.attempts: bool = outer is not None and outer.attempts
        self.attempted: list[Equation] = [] if outer is None else outer.attempted
        self.free: Names = Names(arguments) if outer is None else outer.free
        self.namespace: dict[str, Any] = {} if namespace is None else namespace
        self.names: dict[Variable, str] = dict(zip(graph.inputs, arguments, strict=True))
        self.names |= {variable: self.refer("constant", value) for variable, value in graph.constants}
        self.given = frozenset(self.names)
        self.storage = Storage(graph)
        self.accumulators = accumulators(graph)
        self.started: dict[Accumulator, str] = {}
        self.steps = scheduled(graph, self.accumulators)
        self.dying = _last_uses(graph, self.steps, self.accumulators)
        self.last_reads = _last_reads(graph, self.steps, self.storage.root)
        self.last_direct_reads = _last_reads(graph, self.steps, lambda variable: variable)

    # --- blocks inside: see `structured.Scope` ----------------------------------------------------------

    def lines(self) -> list[str]:
        """The statements."""
        return [line for i, step in enumerate(self.steps) for line in self._statements(i, step)]

    def block(self, graph: Graph, arguments: Sequence[str], numbers: bool) -> tuple[list[str], list[str]]:
        """The statements of a graph whose inputs are the arguments, and its outputs as source."""
        graph = with_terms_combined(graph) if numbers else lowered(expanded(graph))
        if numbers and not any(isinstance(e.primitive, Structured) for e in graph.equations):
            writer = NumberWriter(graph, arguments, self.free)
            return writer.lines, list(map(writer.operand, graph.outputs))
        expression = scalar_expression if numbers else array_expression
        inner = Writer(graph, self.name, arguments, expression, self, self.namespace)
        lines = inner.lines()
        return lines, [inner.operand(atom) for atom in graph.outputs]

    def refer(self, stem: str, value: Any) -> str:
        """The name under which the program finds a value."""
        name = self.fresh(stem)
        while self.namespace.setdefault(name, value) is not value:
            name = self.fresh(stem)
        return name

    def known(self, text: str) -> Any:
        """The value that the program finds under a name."""
        return self.namespace.get(text)

    # --- statements -------------------------------------------------------------------------------------

    def _statements(self, index: int, step: Step) -> list[str]:
        lines = self._looped(index, step) if isinstance(step, Region) else self._written(index, step)
        kept = {self.names.get(v) for v in step.outputs} if isinstance(step, Equation) else set()
        dying = [self.names[v] for v in self.dying.get(index, []) if self.names[v] not in kept]
        return [*lines, f"del {', '.join(dying)}"] if dying else lines

    def _written(self, index: int, equation: Equation) -> list[str]:
        primitive, inputs = equation.primitive, self._inputs(equation)
        if isinstance(primitive, Guard):
            return guard_lines(primitive, inputs[0])
        if isinstance(primitive, Structured):
            lines, names = primitive.statements(self, equation)
            self.names.update(zip(equation.outputs, names, strict=True))
            return lines
        if equation.outputs and equation.outputs[0] in self.accumulators:
            return self._accumulated(equation, inputs)
        if isinstance(primitive, PutSlice) and primitive.shape:
            return [
                *self._start(equation),
                f"{self.names[equation.outputs[0]]}[{shown_index(primitive.key)}] = {inputs[0]}",
            ]
        if isinstance(primitive, (AddShare, SetSlice)) and is_array(equation):
            return self._set(index, equation, inputs)
        reused = self._reused(index, equation)
        changed = None if reused is None else self._changed(equation, inputs, reused)
        if changed is not None:
            return [changed]
        written = None if reused is None else _rewriting(equation, inputs, self.operand(reused))
        written = written or self.expression(equation, inputs)
        written = written or f"{self.refer('operation', primitive.evaluate)}({', '.join(inputs)})"
        return [f"{self._targets(equation)} = {written}" if equation.outputs else written]

    def _inputs(self, equation: Equation) -> list[str]:
        """The inputs as source; a number beside a small array is one of the program's, without axes."""
        texts = [self.operand(atom) for atom in equation.inputs]
        if self.numbers:
            return texts
        if _takes_arrays(equation):
            return [
                self._array_of(text, atom.value) if isinstance(atom, Literal) else text
                for text, atom in zip(texts, equation.inputs, strict=True)
            ]
        return with_dtypes(equation, texts)

    def _array_of(self, text: str, value: Array) -> str:
        """The name of a number as an array."""
        name = f"n{re.sub(r'[()+]', '', text).replace('.', '_').replace('-', 'minus_')}"
        if name in self.free.taken or not np.isfinite(value):
            return text
        self.namespace.setdefault(name, np.array(value, np.float64))
        return name

    def _targets(self, equation: Equation) -> str:
        names = ", ".join([self._name(equation, i) for i in range(len(equation.outputs))])
        single = len(equation.outputs) == 1 and isinstance(output_types(equation), tuple)
        return f"{names}," if single else names

    def _reused(self, index: int, equation: Equation) -> Atom | None:
        """An array that the result of an elementwise operation can be written into."""
        kind = equation.outputs[0].type if len(equation.outputs) == 1 else None
        if kind is None or not kind.shape:
            return None
        return next((a for a in equation.inputs if a.type == kind and self._is_free(index, equation, a)), None)

    def _changed(self, equation: Equation, inputs: Sequence[str], reused: Atom) -> str | None:
        """The operation as a change of an array, which keeps its name: the quickest form, whatever the size."""
        place, operator = equation.inputs.index(reused), CHANGES.get(type(equation.primitive))
        if operator is None or getattr(equation.primitive, "quiet", False):
            return None
        if place == 1 and not isinstance(equation.primitive, (Add, Multiply)):
            return None
        name = self.names[equation.outputs[0]] = inputs[place]
        return f"{name} {operator} {inputs[1 - place]}"

    def _is_free(self, index: int, step: Step, atom: Atom) -> bool:
        """Whether an input is an array of the program's own that nothing else here or later reads."""
        if not isinstance(atom, Variable) or not self.storage.overwritable(atom) or self.last_reads[atom] != index:
            return False
        return all(a is atom or self.storage.root(a) is not atom for a in step.inputs if isinstance(a, Variable))

    def _accumulated(self, equation: Equation, inputs: Sequence[str]) -> list[str]:
        """Adds a slice, or the terms of a sum that are no slices, to an accumulator."""
        accumulator = self.accumulators[equation.outputs[0]]
        lines = self._start(equation)
        name = self.names[equation.outputs[0]]
        if isinstance(equation.primitive, PutSlice):
            operator = "=" if accumulator.takes(equation.primitive) else "+="
            return [*lines, f"{name}[{shown_index(equation.primitive.key)}] {operator} {inputs[0]}"]
        terms = zip(equation.inputs, inputs, strict=True)
        added = [f"{name} += {x}" for atom, x in terms if self._accumulator(atom) is not accumulator]
        if added:
            accumulator.written = None
        return [*lines, *added]

    def _start(self, equation: Equation) -> list[str]:
        """Makes the array for a slice, unless it is that of an accumulator that has been made."""
        (out,) = equation.outputs
        accumulator = self._accumulator(out)
        if accumulator in self.started:
            self.names[out] = self.started[accumulator]
            return []
        name = self._name(equation)
        if accumulator is not None:
            self.started[accumulator] = name
        return [f"{name} = {zeros(out.type)}"]

    def _accumulator(self, atom: Atom) -> Accumulator | None:
        return self.accumulators.get(atom) if isinstance(atom, Variable) else None

    def _looped(self, index: int, region: Region) -> list[str]:
        """A loop over blocks."""
        targets = {}
        for equation in region.equations:
            if isinstance(equation.primitive, PutSlice):
                (out,) = equation.outputs
                new = bool(self._start(equation))
                if out in self.accumulators:
                    self.accumulators[out].written = None
                targets[out] = Target(self.names[out], out.type, new)
        free = partial(self._is_free, index, region)
        return BlockWriter(region, self._named, self.operand, self._lives(index), free, targets).lines()

    def _lives(self, index: int) -> Callable[[Variable], bool]:
        def lives(variable: Variable) -> bool:
            return self.last_direct_reads.get(variable, -1) > index

        return lives

    def _set(self, index: int, equation: Equation, inputs: Sequence[str]) -> list[str]:
        """Writes into the array itself if nothing else uses it, else into a copy."""
        primitive: Any = equation.primitive
        source = inputs[0] if self._is_free(index, equation, equation.inputs[0]) else f"{inputs[0]}.copy()"
        name = self._name(equation)
        if isinstance(primitive, AddShare):
            return [f"{name} = {source}", f"add_share({name}, {inputs[1]}, {inputs[2]})"]
        return [f"{name} = {source}", f"{name}[{shown_index(primitive.key)}] = {inputs[1]}"]

    # --- names ------------------------------------------------------------------------------------------

    def _name(self, equation: Equation, output: int = 0) -> str:
        """A new name for an output of an equation."""
        name = self.names[equation.outputs[output]] = self.fresh(equation.primitive.name)
        return name

    def _named(self, variable: Variable | None, stem: str) -> str:
        """A name for a variable in a loop, or for one that is not in the graph."""
        name = stem if stem in LOOP_NAMES and stem not in self.free.taken else self.fresh(stem)
        if variable is not None:
            self.names[variable] = name
        return name

    def fresh(self, stem: str) -> str:
        """A name that is not used yet."""
        return self.free.fresh(stem)

    def operand(self, atom: Atom) -> str:
        """A variable or literal as source."""
        return written_literal(atom) if isinstance(atom, Literal) else self.names[atom]

    # --- outputs ----------------------------------------------------------------------------------------

    def outputs(self) -> list[str]:
        """The outputs: arrays that are the caller's alone, and numbers of NumPy's."""
        outputs = self.graph.outputs
        return [self._output(*each) for each in zip(outputs, self.storage.shared(outputs), strict=True)]

    def _output(self, atom: Atom, shared: bool) -> str:
        written = self.operand(atom)
        given = isinstance(atom, Literal) or atom in self.given or atom in self.storage.roots
        if given and not (atom.type.shape or atom.type.weak) and atom.type.dtype.kind in "biufc":
            return number_text(written, atom.type.dtype)  # not an array without axes, which can be written into
        return f"np.array({written})" if shared else written


def _rewriting(equation: Equation, inputs: Sequence[str], out: str) -> str | None:
    """The operation with its result in an array; a ufunc takes that more quickly by position."""
    return writing_expression(equation, inputs, out if len(inputs) == 1 else f"out={out}")


def _takes_arrays(equation: Equation) -> bool:
    """Whether NumPy takes up numbers more slowly than it computes: small arrays, all in double precision."""
    particular = isinstance(equation.primitive, (Power, Ldexp))  # about the dtype of a number
    if len(equation.outputs) != 1 or called_function(equation) is None or particular:
        return False
    shape = equation.outputs[0].type.shape
    variables = [atom.type for atom in equation.inputs if isinstance(atom, Variable)]
    numbers = [atom.type.dtype.kind in "fi" for atom in equation.inputs if isinstance(atom, Literal)]
    small = shape and equation.outputs[0].type.size < WORTH_TAKING_UP
    return bool(small) and any(numbers) and all(numbers) and all(k.dtype == np.float64 and k.shape for k in variables)


def output_types(equation: Equation) -> Any:
    """The declared types of an equation's outputs: a tuple if the operation returns one."""
    return equation.primitive.output_type(*(atom.type for atom in equation.inputs))


def _last_uses(
    graph: Graph, steps: Sequence[Step], accumulated: dict[Variable, Accumulator]
) -> dict[int, list[Variable]]:
    """For each step the arrays computed before that nothing after it uses."""
    inner = {v for e in graph.equations for v in e.outputs if v.type.shape}
    inner -= {v for v, accumulator in accumulated.items() if v is not accumulator.result}
    seen = {atom for atom in graph.outputs if isinstance(atom, Variable)}
    dying: dict[int, list[Variable]] = {}
    for index in range(len(steps) - 1, -1, -1):
        for atom in steps[index].inputs:
            if isinstance(atom, Variable) and atom not in seen:
                seen.add(atom)
                if atom in inner:
                    dying.setdefault(index, []).append(atom)
    return dying


def _last_reads(graph: Graph, steps: Sequence[Step], root: Callable[[Variable], Variable]) -> dict[Variable, int]:
    """For each array the last step that reads it, through whatever view."""
    last: dict[Variable, int] = {}
    for index, step in enumerate(steps):
        last |= {root(atom): index for atom in step.inputs if isinstance(atom, Variable)}
    return last | {root(atom): len(steps) for atom in graph.outputs if isinstance(atom, Variable)}


def written_literal(literal: Literal) -> str:
    """A number as source."""
    value = literal.value
    if type(value) not in SCALARS or isinstance(value, np.generic):
        value = value.item() if value.dtype in (np.float64, np.int64, np.bool_, np.complex128) else value
    if isinstance(value, np.generic):
        return number_text(_python_literal(value.item()), value.dtype)
    return _python_literal(value)


def _python_literal(value: Any) -> str:
    if isinstance(value, complex) and not np.isfinite(value):
        return f"complex({_python_literal(value.real)}, {_python_literal(value.imag)})"
    text = {"inf": "np.inf", "-inf": "(-np.inf)", "nan": "np.nan"}.get(repr(value), repr(value))
    return f"({text})" if text.startswith("-") else text
