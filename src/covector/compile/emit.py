"""Emission: a graph as the source of one Python function, straight-line NumPy that a reader can follow.

Two styles. A graph whose values are all single double-precision numbers is written for Python floats and the
`math` module, ten times as fast as NumPy on scalars; where Python would raise (a domain error, an overflow, a
division by zero) the NumPy version runs instead, so that results and warnings are NumPy's. Any other graph
is written for NumPy arrays: a `del` after the last use of each array, results written into arrays that nothing
uses any more, and elementwise work on large arrays block by block (see `blocks`).

An operation that has no form of its own in NumPy is called by name from the function's namespace.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.compile.accumulators import Accumulator, accumulators
from covector.compile.blocks import BlockWriter, zeros
from covector.compile.expressions import (
    Expression,
    array_expression,
    dtype_name,
    is_array,
    scalar_expression,
    shown_index,
    writing_expression,
)
from covector.compile.guards import Guard, GuardFailedError
from covector.compile.lowering import lowered
from covector.compile.regions import Region, Step, scheduled
from covector.compile.runtime import HELPERS
from covector.compile.storage import Storage
from covector.core.families import SCALARS
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.ops.indexing import PutSlice, SetSlice

RESERVED = frozenset({"np", "special", "GuardFailedError", *HELPERS})
"""Names that emitted code uses, which its arguments must not have."""

LOOP_NAMES = ("start", "here")
"""Names in loops over blocks, which are used again in the next loop."""

WORTH_REUSING = 16_384
"""Bytes from which writing into an array that is no longer used is faster than making a new one."""


@final
@frozen
class Program:
    """The source of a function, and the function it defines: of the graph's inputs, returning a list of outputs."""

    source: str
    function: Callable[..., list[Any]]


def emitted(graph: Graph, name: str, arguments: list[str]) -> Program:
    """The program of a graph, its inputs named by `arguments`."""
    if _is_scalar(graph):
        in_numpy = _Writer(graph, f"{name}_in_numpy", arguments, array_expression).text()
        in_python = _Writer(graph, name, arguments, scalar_expression)
        return _compiled(graph, name, f"{in_python.text(fallback=True)}\n\n{in_numpy}")
    graph = lowered(graph)
    return _compiled(graph, name, _Writer(graph, name, arguments, array_expression).text())


def _compiled(graph: Graph, name: str, source: str) -> Program:
    namespace: dict[str, Any] = {"np": np, "GuardFailedError": GuardFailedError, **HELPERS}
    namespace["special"] = sys.modules.get("scipy.special")  # imported by whoever used a function of it
    namespace |= {f"constant_{i}": value for i, (_, value) in enumerate(graph.constants)}
    namespace |= {f"operation_{i}": e.primitive.evaluate for i, e in enumerate(graph.equations)}
    exec(compile(source, f"<jit of {name}>", "exec"), namespace)
    return Program(source, namespace[name])


def _is_scalar(graph: Graph) -> bool:
    if graph.constants or not graph.equations:
        return False
    kinds = [v.type for v in (*graph.inputs, *(v for e in graph.equations for v in e.outputs))]
    return all(k.shape == () and k.dtype in (np.float64, np.bool_) for k in kinds) and all(
        isinstance(e.primitive, Guard) or scalar_expression(e, ["x"] * len(e.inputs)) is not None
        for e in graph.equations
    )


@final
class _Writer:
    """Writes one function."""

    def __init__(self, graph: Graph, name: str, arguments: list[str], expression: Expression) -> None:
        self.graph, self.name, self.arguments, self.expression = graph, name, arguments, expression
        self.names: dict[Variable, str] = dict(zip(graph.inputs, arguments, strict=True))
        self.names |= {variable: f"constant_{i}" for i, (variable, _) in enumerate(graph.constants)}
        self.counts: dict[str, int] = {}
        self.storage = Storage(graph)
        self.accumulators = accumulators(graph)
        self.started: dict[Accumulator, str] = {}
        self.steps = scheduled(graph, self.accumulators)
        self.places = {equation: i for i, equation in enumerate(graph.equations)}
        self.dying = _last_uses(graph, self.steps, self.accumulators)
        self.last_reads = _last_reads(graph, self.steps, self.storage.root)
        self.last_direct_reads = _last_reads(graph, self.steps, lambda variable: variable)

    def text(self, fallback: bool = False) -> str:
        """The source of the function; with `fallback`, its NumPy version runs where Python floats would raise."""
        header = [f"def {self.name}({', '.join(self.arguments)}):", f'    """{self._types()}"""']
        body = [line for i, step in enumerate(self.steps) for line in self._statements(i, step)]
        body.append(f"return [{', '.join(self._outputs(fallback))}]")
        if fallback:
            body = ["try:", *(f"    {line}" for line in body), "except (ArithmeticError, ValueError):"]
            body.append(f"    return {self.name}_in_numpy({', '.join(self.arguments)})")
        return "\n".join([*header, *(f"    {line}" for line in body), ""])

    def _types(self) -> str:
        inputs = [f"{self.names[v]}: {v.type}" for v in (*self.graph.inputs, *(v for v, _ in self.graph.constants))]
        return f"{', '.join(inputs)} -> {', '.join(str(a.type) for a in self.graph.outputs)}"

    # --- statements -------------------------------------------------------------------------------------

    def _statements(self, index: int, step: Step) -> list[str]:
        lines = self._looped(index, step) if isinstance(step, Region) else self._written(index, step)
        dying = [self.names[v] for v in self.dying.get(index, [])]
        return [*lines, f"del {', '.join(dying)}"] if dying else lines

    def _written(self, index: int, equation: Equation) -> list[str]:
        primitive, inputs = equation.primitive, [self._operand(atom) for atom in equation.inputs]
        if isinstance(primitive, Guard):
            question = f"{primitive.question.__name__}({inputs[0]})"
            return [f"if {question} != {primitive.answer}:", "    raise GuardFailedError"]
        if equation.outputs and equation.outputs[0] in self.accumulators:
            return self._accumulated(equation, inputs)
        if isinstance(primitive, PutSlice) and primitive.shape:
            return [
                *self._start(equation),
                f"{self.names[equation.outputs[0]]}[{shown_index(primitive.key)}] = {inputs[0]}",
            ]
        if isinstance(primitive, SetSlice) and is_array(equation):
            return self._set(index, equation, inputs)
        reused = self._reused(index, equation)
        written = None if reused is None else writing_expression(equation, inputs, reused)
        written = written or self.expression(equation, inputs)
        written = written or f"operation_{self.places[equation]}({', '.join(inputs)})"
        return [f"{self._targets(equation)} = {written}"]

    def _targets(self, equation: Equation) -> str:
        names = ", ".join([self._name(equation, i) for i in range(len(equation.outputs))])
        single = len(equation.outputs) == 1 and isinstance(output_types(equation), tuple)
        return f"{names}," if single else names

    def _reused(self, index: int, equation: Equation) -> str | None:
        """The name of an array that the result of an elementwise operation can be written into."""
        kind = equation.outputs[0].type if len(equation.outputs) == 1 else None
        if kind is None or kind.size * kind.dtype.itemsize < WORTH_REUSING:
            return None
        alike = [atom for atom in equation.inputs if atom.type == kind]
        return next((self._operand(atom) for atom in alike if self._is_free(index, equation, atom)), None)

    def _is_free(self, index: int, step: Step, atom: Atom) -> bool:
        """Whether an input is an array of the program's own that nothing else here or later reads."""
        if not isinstance(atom, Variable) or not self.storage.overwritable(atom) or self.last_reads[atom] != index:
            return False
        return all(a is atom or self.storage.root(a) is not atom for a in step.inputs if isinstance(a, Variable))

    def _accumulated(self, equation: Equation, inputs: Sequence[str]) -> list[str]:
        """Adds a slice, or the terms of a sum that are no slices, to an accumulator."""
        accumulator = self.accumulators[equation.outputs[0]]
        first = accumulator not in self.started
        lines = self._start(equation)
        name = self.names[equation.outputs[0]]
        if isinstance(equation.primitive, PutSlice):
            return [*lines, f"{name}[{shown_index(equation.primitive.key)}] {'=' if first else '+='} {inputs[0]}"]
        terms = zip(equation.inputs, inputs, strict=True)
        return [*lines, *(f"{name} += {x}" for atom, x in terms if self._accumulator(atom) is not accumulator)]

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
        """A loop over blocks; the arrays that slices are put into come first."""
        lines, targets = [], {}
        for equation in region.equations:
            if isinstance(equation.primitive, PutSlice):
                (out,) = equation.outputs
                lines += self._start(equation)
                targets[out] = self.names[out], out in self.accumulators
        free = partial(self._is_free, index, region)
        writer = BlockWriter(region, self._named, self._operand, self._lives(index), free)
        return [*lines, *writer.lines(targets)]

    def _lives(self, index: int) -> Callable[[Variable], bool]:
        def lives(variable: Variable) -> bool:
            return self.last_direct_reads.get(variable, -1) > index

        return lives

    def _set(self, index: int, equation: Equation, inputs: Sequence[str]) -> list[str]:
        """Writes into the array itself if nothing else uses it, else into a copy."""
        primitive: Any = equation.primitive
        source = inputs[0] if self._is_free(index, equation, equation.inputs[0]) else f"{inputs[0]}.copy()"
        name = self._name(equation)
        return [f"{name} = {source}", f"{name}[{shown_index(primitive.key)}] = {inputs[1]}"]

    # --- names ------------------------------------------------------------------------------------------

    def _name(self, equation: Equation, output: int = 0) -> str:
        """A new name for an output of an equation."""
        name = self.names[equation.outputs[output]] = self._fresh(equation.primitive.name)
        return name

    def _named(self, variable: Variable | None, stem: str) -> str:
        """A name for a variable in a loop, or for one that is not in the graph."""
        name = stem if stem in LOOP_NAMES and stem not in self.arguments else self._fresh(stem)
        if variable is not None:
            self.names[variable] = name
        return name

    def _fresh(self, stem: str) -> str:
        stem = re.sub(r"\W+", "_", stem)
        self.counts[stem] = self.counts.get(stem, 0) + 1
        name = f"{stem}_{self.counts[stem]}"
        return self._fresh(stem) if name in self.arguments else name

    def _operand(self, atom: Atom) -> str:
        return written_literal(atom) if isinstance(atom, Literal) else self.names[atom]

    # --- outputs ----------------------------------------------------------------------------------------

    def _outputs(self, fallback: bool) -> list[str]:
        counts = Counter(self.storage.root(atom) for atom in self.graph.outputs if isinstance(atom, Variable))
        return [self._output(atom, fallback, counts) for atom in self.graph.outputs]

    def _output(self, atom: Atom, fallback: bool, counts: Counter[Variable]) -> str:
        written = self._operand(atom)
        if fallback:
            return written if atom.type.weak else f"{dtype_name(atom.type.dtype)}({written})"
        if not atom.type.shape or not isinstance(atom, Variable):
            return written
        alone = counts[self.storage.root(atom)] == 1 and self.storage.returnable(atom)
        return written if alone else f"np.array({written})"


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
        return f"np.{type(value).__name__}({value.item()!r})"
    text = {"inf": "np.inf", "-inf": "(-np.inf)", "nan": "np.nan"}.get(repr(value), repr(value))
    return f"({text})" if text.startswith("-") else text
