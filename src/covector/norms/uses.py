"""What a recorded norm does with each of its values: which equations matter, and which are linear.

A disciplined norm uses each value once. Two idioms look like more: a product of a value with itself is a square, and
`np.where(x == 0, ...)` around a root, as `np.linalg.norm` records it, only guards against dividing by zero. Values
that slices take apart count as used once if the slices take every entry once.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

from covector.core.broadcasting import Linear
from covector.errors import ArgumentError, MissingRuleError
from covector.graph.graph import Equation, Graph, Literal, Variable
from covector.ops.comparison import Select
from covector.ops.indexing import Slice

LINEAR_IN_ONE = ("multiply", "contract")
SUMS = ("add", "subtract", "negative")
SORTED = ("sort", "partition", "singular_values")
GUARDS = ("equal", "not_equal", "significant")


@final
class Uses:
    """The equations that the output depends on, in order, the linear values, and who uses what."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.constants: dict[Variable, Any] = dict(graph.constants)
        self.equations = _reached(graph)
        self.producers = {variable: equation for equation in graph.equations for variable in equation.outputs}
        self.users: dict[Variable, list[Equation]] = {}
        for equation in self.equations:
            for variable in _operands_counted(equation):
                self.users.setdefault(variable, []).append(equation)
        self.linear = linear_values(graph)
        self._check()

    def dependent(self, equation: Equation) -> list[Variable]:
        """The operands of an equation that depend on the argument of the norm."""
        return [v for v in values_used(equation) if v not in self.constants]

    def _check(self) -> None:
        unused = [i for i, v in enumerate(self.graph.inputs) if v not in self.users and v.type.size]
        if unused:
            raise ArgumentError(
                f"dualize: leaf {unused[0]} of the argument is never used, so that changing it has length zero: this "
                f"is a seminorm, not a norm.\n{self.graph}"
            )
        for variable, users in self.users.items():
            if variable not in self.constants and variable not in self.linear:
                self._check_once(variable, users)
        for equation in self.equations:
            if isinstance(equation.primitive, Select):
                self._check_guard(equation)

    def _check_once(self, variable: Variable, users: list[Equation]) -> None:
        if len(users) > 1 and not partitioned(variable, users):
            raise used_twice(users, self.graph)

    def leaves_entries(self, equation: Equation) -> bool:
        """Whether an equation, and those like it, slice a value so that entries are left over.

        What is sorted counts by its order: those at the end may be left.
        """
        if not isinstance(equation.primitive, Slice):
            return False
        (variable,) = values_used(equation)
        return not self._is_sorted(variable) and not partitioned(variable, self.users[variable])

    def _is_sorted(self, variable: Variable) -> bool:
        producer = self.producers[variable]
        if producer.primitive.name in ("slice", "flip"):
            return self._is_sorted(values_used(producer)[0])
        return producer.primitive.name in SORTED and len(producer.outputs[0].type.shape) == 1

    def _check_guard(self, equation: Equation) -> None:
        """A `Select` must replace zeros by a constant, or keep what is not zero."""
        condition = equation.inputs[0]
        producer = self.producers.get(condition) if isinstance(condition, Variable) else None
        if producer is None or producer.primitive.name not in GUARDS or len(self.dependent(equation)) != 1:
            raise MissingRuleError(
                "dualize: `select` (np.where) chooses between values by a condition, which disciplined norms do not.\n"
                f"{self.graph}"
            )


def linear_values(graph: Graph) -> set[Variable]:
    """The values that are linear functions of the argument, the argument itself among them."""
    constants = {variable for variable, _ in graph.constants}
    linear = set(graph.inputs)
    for equation in graph.equations:
        operands = [v for v in values_used(equation) if v not in constants]
        if operands and all(v in linear for v in operands) and _is_linear(equation, operands):
            linear.update(equation.outputs)
    return linear


def _is_linear(equation: Equation, operands: list[Variable]) -> bool:
    """Whether an equation is linear in operands that are."""
    primitive, name = equation.primitive, equation.primitive.name
    if name in SUMS:
        return len(operands) == sum(isinstance(atom, (Variable, Literal)) for atom in equation.inputs)
    if name == "divide":
        return len(operands) == 1 and equation.inputs[0] is operands[0]
    if name == "solve":
        return len(operands) == 1 and equation.inputs[1] is operands[0]
    if name in LINEAR_IN_ONE:
        return len(operands) == 1
    return isinstance(primitive, Linear) and not isinstance(primitive, Select)


def used_twice(users: list[Equation], graph: Graph) -> MissingRuleError:
    """The error for a value that several operations use."""
    names = " and ".join(f"`{e.primitive.name}`" for e in users)
    return MissingRuleError(
        f"dualize: a value is used by {names}. A disciplined norm uses every value once; a sum or maximum of two norms "
        f"of one variable has no dual in closed form. norms.define(norm=...) finds its directions by optimization."
        f"{_advice(graph)}\n{graph}"
    )


def _advice(graph: Graph) -> str:
    inlined = any(e.primitive.name == "stop_gradient" for e in graph.equations)
    return " A norm of the catalogue is kept whole if it is called: write norm(v), not norm.norm(v)." if inlined else ""


def _operands_counted(equation: Equation) -> list[Variable]:
    """The variables an equation uses, each as often as it does; the product of a value with itself uses it once."""
    found = values_used(equation)
    return list(dict.fromkeys(found)) if equation.primitive.name in LINEAR_IN_ONE else found


def values_used(equation: Equation) -> list[Variable]:
    """The variables an equation uses; the condition of a `Select` does not count."""
    inputs = equation.inputs[1:] if isinstance(equation.primitive, Select) else equation.inputs
    return [atom for atom in inputs if isinstance(atom, Variable)]


def _reached(graph: Graph) -> list[Equation]:
    """The equations that values of the output flow through."""
    wanted = {atom for atom in graph.outputs if isinstance(atom, Variable)}
    found = []
    for equation in reversed(graph.equations):
        if wanted.intersection(equation.outputs):
            found.append(equation)
            wanted.update(values_used(equation))
    return found[::-1]


def partitioned(variable: Variable, users: list[Equation]) -> bool:
    """Whether the users are slices that together take every entry of a value exactly once."""
    if not all(isinstance(e.primitive, Slice) for e in users):
        return False
    numbers = np.arange(variable.type.size).reshape(variable.type.shape)
    taken = [np.ravel(e.primitive.evaluate(numbers)) for e in users]
    return bool(np.array_equal(np.sort(np.concatenate(taken)), np.arange(variable.type.size)))
