"""Plain programs: without the care that derivatives take of values where they are infinite.

A partial derivative such as 1 / (2 sqrt x) is computed without a warning, and multiplied so that zero wins over
infinity. Nearly always nothing is infinite. So a program can be written with plain divisions and products, run while
floating-point errors raise, and be left for the careful one when one does, or when an output is not finite:

    divide[quiet=True] 0.5 a              divide 0.5 a
    masked_multiply c b           =>      multiply c b

No output differs. Infinity times zero is an error that is raised; NaN can also come from the inputs, and then reaches
an output, or else the product that would not have let it through stays as it is.
"""

from __future__ import annotations

from covector.core.broadcasting import Linear
from covector.core.families import Elementwise, MaskedMultiply
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.arithmetic import DIVIDE, LOG, MULTIPLY, POWER, Divide, Log, Power
from covector.ops.comparison import Bound, Extreme, Heaviside, Same, Select, Share, StepFunction
from covector.ops.contraction import Contract
from covector.ops.parts import CopySign

PLAIN: dict[type, Elementwise] = {Divide: DIVIDE, Power: POWER, Log: LOG, MaskedMultiply: MULTIPLY}

STOPS_NAN = (Bound, CopySign, Extreme, Heaviside, Power, Same, Share, StepFunction)
"""Elementwise operations of NaN whose result may be something else, or be that when written for Python's floats."""


def is_careful(graph: Graph) -> bool:
    """Whether the program has anything that a plain one has not."""
    return any(type(e.primitive) in PLAIN and PLAIN[type(e.primitive)] != e.primitive for e in graph.equations)


def plain(graph: Graph) -> Graph:
    """The graph with plain operations, where errors and the outputs tell if it must not be used."""
    unseen = _unseen(graph)
    equations = tuple(_plain(equation, unseen) for equation in graph.equations)
    return Graph(graph.inputs, equations, graph.outputs, graph.constants, graph.structure)


def _plain(equation: Equation, unseen: set[Atom]) -> Equation:
    primitive = PLAIN.get(type(equation.primitive))
    if primitive is None or (primitive is MULTIPLY and not unseen.isdisjoint(equation.outputs)):
        return equation
    return Equation(primitive, equation.inputs, equation.outputs)


def _unseen(graph: Graph) -> set[Atom]:
    """The variables that may be NaN though every output is finite."""
    unseen: set[Atom] = set()
    for equation in reversed(graph.equations):
        if isinstance(equation.primitive, Select):
            unseen.add(equation.inputs[0])
        if not _passes_nan(equation) or not unseen.isdisjoint(equation.outputs):
            unseen.update(atom for atom in equation.inputs if isinstance(atom, Variable))
    return unseen


def _passes_nan(equation: Equation) -> bool:
    primitive = equation.primitive
    elementwise = isinstance(primitive, Elementwise) and not isinstance(primitive, STOPS_NAN)
    return elementwise or isinstance(primitive, (Contract, Linear))
