"""Programs: which versions of a graph are written, and what runs when.

*Python floats.* A graph of single double-precision numbers, or of arrays of a few (see `unrolling`), is written for
Python floats and the `math` module, several times as fast as NumPy on single numbers. Where Python raises (a domain
error, an overflow, a division by zero), or an output is not finite, the NumPy version runs instead, so that results
and warnings are NumPy's.

*Plain NumPy.* Where derivatives take care of infinite values and of ties, which costs as much as the arithmetic, the
graph is written without it (see `plain`) and runs while floating-point errors raise; if one does, or an output is not
finite, the careful version runs instead. That includes the bodies of loops, and what cancels (see `normalized`).

*NumPy.* Any other graph is written once, but loops over single numbers are written for Python floats first, in a
function on arrays. An alternative is written when it is first needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, final

import numpy as np

from covector.compile.algebra import with_terms_combined
from covector.compile.emit import Writer
from covector.compile.expansion import expanded
from covector.compile.expressions import array_expression, number_text
from covector.compile.guards import Guard, GuardFailedError
from covector.compile.lowering import LARGE, lowered
from covector.compile.normalized import with_normalized_sums
from covector.compile.numbers import Names, NumberWriter
from covector.compile.on_numbers import indented
from covector.compile.plain import is_careful, lets_nan_through, plain
from covector.compile.prints import has_prints
from covector.compile.runtime import HELPERS
from covector.compile.scalars import is_mathematical, plain_expression
from covector.compile.storage import OWN_MODULES
from covector.compile.structured import Stepped, Structured
from covector.compile.unrolling import Entries, Unrolled, unrolled
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Variable

RAISING = '@np.errstate(divide="raise", over="raise", invalid="raise")'


@final
class Program:
    """The source of a function, and the function it defines: of the graph's inputs, returning a list of outputs."""

    def __init__(self, graph: Graph, name: str, arguments: Sequence[str]) -> None:
        self._graph, self._name, self._arguments = graph, name, list(arguments)
        self.namespace: dict[str, Any] = {"np": np, "GuardFailedError": GuardFailedError, **HELPERS}
        self.namespace["special"] = sys.modules.get("scipy.special")  # imported by whoever used a function of it
        self._first = self._fastest()
        self._alone = f"{name}_in_numpy" not in self.namespace
        self._define(self._first)
        self.function: Callable[..., list[Any]] = self.namespace[name]

    @property
    def source(self) -> str:
        """The text of the function, and of the one that it calls where it cannot be used."""
        return self._first if self._alone else f"{self._first}\n\n{self._in_numpy}"

    def _fastest(self) -> str:
        numbers = unrolled(self._graph)
        if numbers is not None:
            self.namespace[f"{self._name}_in_numpy"] = self._alternative
            return self._in_python(numbers)
        given = self._graph
        loops = _with_plain_loops(given)
        graph = expanded(loops)
        if loops is not given or _gains(graph):
            self.namespace[f"{self._name}_in_numpy"] = self._alternative
            return self._in_plain_numpy(graph, unmasked=lets_nan_through(given) or lets_nan_through(graph))
        if any(isinstance(e.primitive, Structured) for e in graph.equations) and not has_prints(graph):
            return self._with_loops_on_numbers(graph)
        return self._in_numpy

    @cached_property
    def _in_numpy(self) -> str:
        """The function on NumPy's arrays, which has the name of the program if there is no faster one."""
        graph = expanded(self._graph)
        name = f"{self._name}_in_numpy"
        if name in self.namespace:
            graph = lowered(graph)
        else:
            name = self._name
            graph = lowered(with_terms_combined(graph), combined=True) if _is_small(graph) else lowered(graph)
        writer = Writer(graph, name, self._arguments, array_expression, namespace=self.namespace)
        return self._function(name, [*writer.lines(), f"return [{', '.join(writer.outputs())}]"])

    def _alternative(self, *inputs: Any) -> list[Any]:
        """What has the name of the alternative until it is called."""
        self._define(self._in_numpy)
        outputs: list[Any] = self.namespace[f"{self._name}_in_numpy"](*inputs)
        return outputs

    def _define(self, source: str) -> None:
        exec(compile(source, f"<jit of {self._name}>", "exec"), self.namespace)

    # --- versions ---------------------------------------------------------------------------------------

    def _in_python(self, numbers: Unrolled) -> str:
        """The function on Python's floats."""
        unpacking, names = self._unpacked(numbers.inputs)
        graph = with_terms_combined(plain(numbers.graph))
        writer = NumberWriter(graph, names, Names((*names, *self._arguments)))
        lines = [*unpacking, *writer.lines]
        texts = map(writer.operand, graph.outputs)
        outputs = [
            _packed(np.array([next(texts) for _ in entries.flat], object).reshape(entries.shape), atom.type)
            for entries, atom in zip(numbers.outputs, self._graph.outputs, strict=True)
        ]
        returned = f"return [{', '.join(outputs)}]"
        finite = [writer.operand(a) for a in dict.fromkeys(graph.outputs) if _may_be_infinite(a)]
        checked = [f"if {_finite(finite)}:", f"    {returned}"] if finite else [returned]
        return self._function(self._name, [*self._attempted([*lines, *checked]), self._fallback()])

    def _with_loops_on_numbers(self, graph: Graph) -> str:
        """The function on NumPy's arrays with loops on Python's floats, where there are any."""
        writer = Writer(lowered(graph), self._name, self._arguments, array_expression, namespace=self.namespace)
        writer.attempts = True
        lines = [*writer.lines(), f"return [{', '.join(writer.outputs())}]"]
        if not writer.attempted:
            return self._function(self._name, lines)
        self.namespace[f"{self._name}_in_numpy"] = self._alternative
        return self._function(self._name, [*self._attempted(lines), self._fallback()])

    def _in_plain_numpy(self, graph: Graph, unmasked: bool) -> str:
        """The function on NumPy's arrays without care for infinite values; `unmasked` if NaN may come through."""
        name = f"{self._name}_in_plain_numpy"
        graph = lowered(with_normalized_sums(with_terms_combined(plain(graph))), combined=True)
        expression = plain_expression if _is_double(graph) else array_expression
        writer = Writer(graph, name, self._arguments, expression, namespace=self.namespace)
        writer.attempts = True
        lines, outputs = writer.lines(), writer.outputs()
        finite = _products({t: a.type for t, a in zip(outputs, graph.outputs, strict=True) if _may_be_infinite(a)})
        if unmasked and finite:
            lines += [f"if not {_finite(finite)}:", "    raise FloatingPointError"]
        converted = [_converted(t, a.type) for t, a in zip(outputs, graph.outputs, strict=True)]
        body = self._function(name, [*lines, f"return [{', '.join(converted)}]"])
        call = f"return {name}({', '.join(self._arguments)})"
        outer = self._function(self._name, [*self._attempted([call]), self._fallback()])
        return f"{RAISING}\n{body}\n\n{outer}"

    def _unpacked(self, inputs: Sequence[Entries]) -> tuple[list[str], list[str]]:
        """Statements that take the entries of the arguments and constants, and their names."""
        lines, names = [], []
        constants = [f"constant_{i + 1}" for i in range(len(self._graph.constants))]
        self.namespace |= zip(constants, (x for _, x in self._graph.constants), strict=True)
        given = [*(v.type for v in self._graph.inputs), *(v.type for v, _ in self._graph.constants)]
        for name, kind, entries in zip((*self._arguments, *constants), given, inputs, strict=True):
            if kind.weak:
                names.append(name)
                continue
            own = [f"{name}_{i + 1}" for i in range(entries.size)]
            own = [_distinct(text, (*self._arguments, *constants)) for text in own]
            names += own
            lines.append(f"{', '.join(own)}{',' * (kind.size == 1 and bool(kind.shape))} = {_entries(name, kind)}")
        return lines, names

    # --- text -------------------------------------------------------------------------------------------

    def _function(self, name: str, body: Sequence[str]) -> str:
        inputs = [f"{x}: {v.type}" for x, v in zip(self._arguments, self._graph.inputs, strict=True)]
        types = f"{', '.join(inputs)} -> {', '.join(str(a.type) for a in self._graph.outputs)}"
        lines = [f"def {name}({', '.join(self._arguments)}):", *indented([f'"""{types}"""', *body]), ""]
        return "\n".join(lines)

    def _fallback(self) -> str:
        return f"return {self._name}_in_numpy({', '.join(self._arguments)})"

    def _attempted(self, lines: Sequence[str]) -> list[str]:
        return ["try:", *indented(list(lines)), "except (ArithmeticError, ValueError):", "    pass"]


def emitted(graph: Graph, name: str, arguments: Sequence[str]) -> Program:
    """The program of a graph, its inputs named by `arguments`."""
    return Program(graph, name, arguments)


# --- whether a plain version is faster ------------------------------------------------------------------


def _gains(graph: Graph) -> bool:
    """Whether the care for infinite values costs much, and all operations are known to do no more than compute."""
    small = _is_small(graph)
    worth = is_careful(graph, of_numbers=small) or (small and any(map(is_mathematical, graph.equations)))
    return worth and all(map(_is_pure, graph.equations))


def _with_plain_loops(graph: Graph) -> Graph:
    """The graph with plain loops, which are made in stages afterwards, if all is known to do no more than compute."""
    loops = [e.primitive for e in graph.equations if isinstance(e.primitive, Stepped)]
    careful = any(is_careful(inner) for loop in loops for inner in loop.graphs)
    return plain(graph) if careful and all(map(_is_pure, graph.equations)) else graph


def _is_small(graph: Graph) -> bool:
    """Whether all arrays are too small to be worked on block by block."""
    return all(a.type.size < LARGE for a in (*graph.inputs, *(v for e in graph.equations for v in e.outputs)))


def _is_double(graph: Graph) -> bool:
    """Whether nothing is of a lower precision, which a Python float in the place of a NumPy number would adapt to."""
    kinds = {a.type.dtype for e in graph.equations for a in (*e.inputs, *e.outputs)}
    return all(kind.kind not in "fc" or kind in (np.float64, np.complex128) for kind in kinds)


def _is_pure(equation: Equation) -> bool:
    primitive = equation.primitive
    if primitive.effect:
        return isinstance(primitive, Guard)
    if isinstance(primitive, Structured):
        return all(_is_pure(inner) for graph in primitive.graphs for inner in expanded(graph).equations)
    return type(primitive).__module__.startswith(OWN_MODULES)


# --- pieces of text -------------------------------------------------------------------------------------


def _distinct(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"{name}_"
    return name


def _entries(name: str, kind: ArrayType) -> str:
    """The entries of an argument as Python's numbers."""
    if not kind.shape:
        return f"{'bool' if kind.dtype == np.bool_ else 'float'}({name})"
    return f"{name}.tolist()" if kind.ndim == 1 else f"{name}.ravel().tolist()"


def _packed(texts: Any, kind: ArrayType) -> str:
    """An output made of Python's numbers."""
    if not kind.shape:
        return _converted(texts.item(), kind)
    dtype = ", bool" if kind.dtype == np.bool_ else ""
    return f"np.array({_nested(texts.tolist())}{dtype})"


def _nested(texts: Any) -> str:
    return texts if isinstance(texts, str) else f"[{', '.join(map(_nested, texts))}]"


def _converted(text: str, kind: ArrayType) -> str:
    """A number as the NumPy scalar that it is declared to be."""
    return text if kind.weak or kind.shape else number_text(text, kind.dtype)


def _may_be_infinite(atom: Atom) -> bool:
    return isinstance(atom, Variable) and atom.type.dtype.kind in "fc"


def _finite(texts: Sequence[str]) -> str:
    return f"math.isfinite({' + '.join(texts)})"


def _products(kinds: dict[str, ArrayType]) -> list[str]:
    """Numbers that are finite only if all entries of some arrays are: scalar products of two arrays of one type."""
    found, waiting = [], dict[ArrayType, str]()
    for text, kind in kinds.items():
        if not kind.shape:
            found.append(f"abs({text})" if kind.dtype.kind == "c" else text)
        elif kind in waiting:
            found.append(_product(waiting.pop(kind), text, kind))
        else:
            waiting[kind] = text
    return [*found, *(_product(text, text, kind) for kind, text in waiting.items())]


def _product(x: str, y: str, kind: ArrayType) -> str:
    if kind.dtype.kind == "c":
        return f"abs(np.vdot({x}, {y}))"
    return f"{x}.dot({y})" if kind.ndim == 1 else f"np.vdot({x}, {y})"
