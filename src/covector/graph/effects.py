"""Effects: what a program does besides computing its outputs. Programs that are run again do without them.

A derivative that computes values anew, of a loop's step or a checkpointed function, must not print them again:

    >>> import numpy as np
    >>> from covector import debug_print, make_graph
    >>> graph = make_graph(lambda x: (debug_print("{}", x), np.sin(x))[1])(1.0)
    >>> has_effects(graph), has_effects(without_effects(graph))
    (True, False)
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from covector.core.primitive import Primitive, parameters
from covector.graph.graph import Equation, Graph


def has_effects(graph: Graph) -> bool:
    """Whether an operation in the graph has an effect."""
    return any(equation.primitive.effect for equation in graph.equations)


def without_effects(graph: Graph) -> Graph:
    """The graph that computes the same outputs and does nothing else."""
    if not has_effects(graph):
        return graph
    kept = tuple(map(_quiet, (e for e in graph.equations if e.outputs or not e.primitive.effect)))
    return evolve(graph, equations=kept)


def _quiet(equation: Equation) -> Equation:
    primitive = equation.primitive
    return Equation(_quiet_primitive(primitive), equation.inputs, equation.outputs) if primitive.effect else equation


def _quiet_primitive(primitive: Primitive) -> Primitive:
    """The operation with graphs without effects among its parameters."""
    changes = {name: _quiet_parameter(value) for name, value in parameters(primitive).items()}
    quiet: Primitive = evolve(primitive, **changes)  # type: ignore[misc]  # it has parameters, so it is an attrs class
    return quiet


def _quiet_parameter(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_quiet_parameter, value))
    return without_effects(value) if isinstance(value, Graph) else value
