"""What a graph is made of: variables, literals and equations, and the fields of a program.

`Program` is what `Graph` is to the modules that `Graph` itself is made with: those that show, draw and price it.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable
from typing import Any, TypeVar, dataclass_transform, final

from attrs import define, field, frozen

from covector.core.primitive import Primitive, parameters
from covector.core.types import Array, ArrayType
from covector.trees import TreeDefinition

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True, eq_default=False)
def part(kind: type[Kind]) -> type[Kind]:
    """A class whose instances nobody changes, as type checkers see to.

    To refuse it at run time, as `attrs.frozen` does, would take twice the time of making one; programs are made of
    thousands, and every pass over a program makes them anew.
    """
    return define(eq=False)(kind)


@final
@part
class Variable:
    """A value in a graph, known by its identity; only its type is known."""

    type: ArrayType


@final
@part
class Literal:
    """A number written where it is used."""

    value: Any
    type: ArrayType


Atom = Variable | Literal


def identity_of(atom: Atom) -> Variable | str:
    """What makes two atoms the same: for a number its digits and type, so that 0.0, -0.0 and 0 differ."""
    return atom if type(atom) is Variable else repr(atom.value)


def identities(atoms: Iterable[Atom]) -> tuple[Variable | str, ...]:
    """What makes atoms the same as others, in order."""
    return tuple([atom if type(atom) is Variable else repr(atom.value) for atom in atoms])


@final
@part
class Equation:
    """The application of a primitive: outputs = primitive(inputs)."""

    primitive: Primitive
    inputs: tuple[Atom, ...]
    outputs: tuple[Variable, ...]


@frozen(eq=False, repr=False)
class Program(ABC):
    """Inputs and constants to outputs, by equations in order; its only kind is `Graph`."""

    inputs: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Atom, ...]
    constants: tuple[tuple[Variable, Array], ...] = ()
    structure: TreeDefinition | None = field(default=None)


def inner_programs(primitive: Primitive) -> dict[str, Program]:
    """The programs among the parameters of an operation, by name: `body`, `branches[0]`."""
    found: dict[str, Program] = {}
    for name, value in parameters(primitive).items():
        members = {f"{name}[{i}]": x for i, x in enumerate(value)} if isinstance(value, tuple) else {name: value}
        found |= {label: inner for label, inner in members.items() if isinstance(inner, Program)}
    return found
