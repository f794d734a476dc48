"""Statements on Python's numbers: one for each equation of a graph without arrays.

    a: float64[] = sin x                 sin_1 = math.sin(x)
    b: float64[] = multiply a 2.0        multiply_1 = sin_1 * 2.0

Nothing here needs to be freed, shared or written into, so this takes a third of the time that `emit` takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import final

import numpy as np

from covector.compile.guards import Guard
from covector.compile.scalars import scalar_form
from covector.core.types import Array
from covector.graph.graph import Atom, Graph, Variable


@final
class Names:
    """The names of one program: none of those `taken`, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = frozenset(taken)
        self._counts: dict[str, int] = {}

    def fresh(self, stem: str) -> str:
        """A name that is not used yet."""
        stem = stem if stem.isidentifier() else re.sub(r"\W+", "_", stem)
        count = self._counts[stem] = self._counts.get(stem, 0) + 1
        name = f"{stem}_{count}"
        return self.fresh(stem) if name in self.taken else name


@final
class NumberWriter:
    """The statements of a graph, and the names of its values; `arguments` are those of the inputs."""

    def __init__(self, graph: Graph, arguments: Sequence[str], names: Names) -> None:
        self.names: dict[Atom, str] = dict(zip(graph.inputs, arguments, strict=True))
        self.lines: list[str] = []
        for equation in graph.equations:
            inputs = [self.operand(atom) for atom in equation.inputs]
            primitive = equation.primitive
            if type(primitive) is Guard:
                self.lines += guard_lines(primitive, inputs[0])
                continue
            form = scalar_form(equation)
            assert form is not None
            name = self.names[equation.outputs[0]] = names.fresh(primitive.name)
            self.lines.append(f"{name} = {form.format(*inputs)}")

    def operand(self, atom: Atom) -> str:
        """A variable or literal as source."""
        return self.names[atom] if type(atom) is Variable else number_literal(atom.value)


def guard_lines(guard: Guard, asked: str) -> list[str]:
    """The statement that checks a guard."""
    return [f"if not {guard.condition.format(asked)}:", f"    raise GuardFailedError({guard.complaint!r})"]


NAMED: Mapping[str, str] = {"inf": "math.inf", "-inf": "(-math.inf)", "nan": "math.nan"}


def number_literal(value: Array) -> str:
    """A number as one of Python's, as source."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    text = NAMED.get(text, text)
    return f"({text})" if text.startswith("-") else text
