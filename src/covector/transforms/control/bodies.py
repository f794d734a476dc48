"""The bodies of branches and loops are graphs; this module derives new bodies from them.

A loop's derivative is again a loop, whose body is derived from the loop's body: pushed (its tangents), pulled
(its cotangents) or batched. So is that of a branch. Each derived graph is made once and remembered as long as
the graph that it was derived from lives.

    >>> import numpy as np
    >>> body = record_flat(lambda x: [np.sin(x)], [ArrayType((), np.float64)], "example")
    >>> print(pulled(body, (0,), (0,)))
    a: float64[]
    b: float64[]
    c: float64[] = cos a
    d: float64[] = multiply c b
    return d
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from attrs import frozen

from covector.compile.dead_code import without_dead_code
from covector.compile.expansion import expanded
from covector.compile.programs import emitted
from covector.compile.simplify import PASSES
from covector.compile.structured import Composite
from covector.core.broadcasting import Cast, expand
from covector.core.families import LocallyConstant
from covector.core.interpreter import Tracer
from covector.core.primitive import Family, Primitive, as_tuple, instantiate, moved_to_front
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import NonlinearError
from covector.graph.effects import has_effects, without_effects
from covector.graph.graph import Atom, Equation, Graph, Variable, check, run
from covector.interpreters.batching import batch_flat
from covector.interpreters.jvp import JVPTracer, jvp_flat
from covector.interpreters.linearizing import LinearizingTracer, linearize_flat, record_linear_flat
from covector.interpreters.staging import record_flat
from covector.interpreters.tape import pull
from covector.transforms.checkpoint import close_over

R = TypeVar("R")
Indices = tuple[int, ...]

_memory: WeakKeyDictionary[Graph, dict[Any, Any]] = WeakKeyDictionary()


def remembered(function: Callable[..., R]) -> Callable[..., R]:
    """A function of a graph and hashable options, computed once for each as long as the graph lives.

    What it returns must not refer to the graph, or neither would ever be freed.
    """

    @wraps(function)
    def known(graph: Graph, *options: Any) -> R:
        memory = _memory.setdefault(graph, {})
        key = (known, *options)
        if key not in memory:
            memory[key] = function(graph, *options)
        result: R = memory[key]
        return result

    return known


# --- recording ------------------------------------------------------------------------------------------


def recorded(
    function: Callable[..., Sequence[Array]], kinds: Sequence[ArrayType], origin: str
) -> tuple[Graph, list[Array]]:
    """The graph of a flat function, and what the function closes over, which are the graph's leading inputs."""
    graph = record_flat(function, kinds, origin)
    return close_over(graph), [value for _, value in graph.constants]


def with_all_constants(graphs: Sequence[Graph], closed: Sequence[int]) -> tuple[Graph, ...]:
    """The graphs with the constants of all of them as their leading inputs."""
    result = []
    for k, graph in enumerate(graphs):
        groups = [[Variable(v.type) for v in other.inputs[:n]] for other, n in zip(graphs, closed, strict=True)]
        groups[k] = list(graph.inputs[: closed[k]])
        inputs = (*(v for group in groups for v in group), *graph.inputs[closed[k] :])
        result.append(Graph(inputs, graph.equations, graph.outputs, graph.constants))
    return tuple(result)


def rearranged(graph: Graph, order: Sequence[int]) -> Graph:
    """The graph with its inputs in another order."""
    return Graph(tuple(graph.inputs[i] for i in order), graph.equations, graph.outputs, graph.constants)


def with_outputs(graph: Graph, outputs: Sequence[Any]) -> Graph:
    """The graph with other outputs."""
    return Graph(graph.inputs, graph.equations, tuple(outputs), graph.constants)


def retyped(graph: Graph, kinds: Sequence[ArrayType]) -> Graph:
    """The graph with its outputs cast to the dtypes of these types, and no longer weak."""
    if [atom.type for atom in graph.outputs] == list(kinds):
        return graph
    return record_flat(lambda *xs: _strengthened(run(graph, xs), kinds), input_types(graph), "a cast")


def _strengthened(values: Sequence[Array], kinds: Sequence[ArrayType]) -> list[Array]:
    return [strengthened(x, kind) for x, kind in zip(values, kinds, strict=True)]


def with_types(graph: Graph, kinds: Sequence[ArrayType]) -> Graph:
    """The graph with its outputs broadcast and cast to these types."""
    if [atom.type for atom in graph.outputs] == list(kinds):
        return graph
    return record_flat(lambda *xs: list(map(typed, run(graph, xs), kinds)), input_types(graph), "a cast")


def strengthened(x: Array, kind: ArrayType) -> Array:
    """The value in the dtype of a type of its shape, and not weak."""
    if typeof(x) == kind:
        return x
    return Cast(kind.dtype)(x) if isinstance(x, Tracer) else kind.dtype.type(x)


def input_types(graph: Graph) -> list[ArrayType]:
    """The types of the inputs."""
    return [variable.type for variable in graph.inputs]


def output_types(graph: Graph) -> list[ArrayType]:
    """The types of the outputs, none of them weak."""
    return [atom.type.strong() for atom in graph.outputs]


def known_value(x: Array) -> Array:
    """The plain value behind a value that is being differentiated; a tracer if there is no single one."""
    while isinstance(x, (JVPTracer, LinearizingTracer)):
        x = x.primal
    return x


def quiet(graph: Graph) -> Graph:
    """The graph without effects, for a derivative that computes its values again."""
    return _quieted(graph) if has_effects(graph) else graph


@remembered
def _quieted(graph: Graph) -> Graph:
    return without_effects(graph)


# --- derived graphs -------------------------------------------------------------------------------------


@remembered
def dependent(graph: Graph, active: Indices) -> Indices:
    """The outputs that have a derivative in the active inputs, be it zero: those that these reach.

    What only rules of derivatives know, of custom derivatives say, is found out by differentiating.
    """
    reached: set[Atom] = {graph.inputs[i] for i in active}
    for equation in graph.equations:
        if reached.isdisjoint(equation.inputs) or isinstance(equation.primitive, LocallyConstant):
            continue
        if equation.primitive.family is Family.GENERAL:
            return _differentiated(graph, active)
        reached.update(v for v in equation.outputs if v.type.differentiable)
    return tuple(i for i, atom in enumerate(graph.outputs) if atom in reached)


def _differentiated(graph: Graph, active: Indices) -> Indices:
    """The outputs that have a tangent."""
    found: list[int] = []

    def outputs(*inputs: Array) -> list[Array]:
        primals, tangents = _with_tangents(graph, active, inputs)
        _, derivatives = jvp_flat(lambda *xs: run(graph, xs), primals, tangents, "a derivative")
        found.extend(i for i, t in enumerate(derivatives) if t is not None and graph.outputs[i].type.differentiable)
        return []

    record_flat(outputs, [*input_types(graph), *_strong(graph, active)], "a derivative")
    return tuple(found)


@remembered
def pushed(graph: Graph, active: Indices, outputs: Indices, primals_too: bool = False) -> Graph:
    """From all inputs, and tangents of the active ones, to tangents of these outputs; after the outputs, if wanted."""

    def tangents_of(*inputs: Array) -> list[Array]:
        primals, tangents = _with_tangents(graph, active, inputs)
        values, derivatives = jvp_flat(lambda *xs: run(graph, xs), primals, tangents, "a derivative")
        found = [typed(instantiate(derivatives[i], values[i]), graph.outputs[i].type) for i in outputs]
        return values + found if primals_too else found

    return without_dead_code(record_flat(tangents_of, [*input_types(graph), *_strong(graph, active)], "a derivative"))


def _with_tangents(
    graph: Graph, active: Indices, inputs: Sequence[Array]
) -> tuple[Sequence[Array], list[Array | None]]:
    count = len(graph.inputs)
    tangents: list[Array | None] = [None] * count
    for i, tangent in zip(active, inputs[count:], strict=True):
        tangents[i] = tangent
    return inputs[:count], tangents


@remembered
def pulled(graph: Graph, active: Indices, outputs: Indices) -> Graph:
    """From all inputs, and cotangents of these outputs, to cotangents of the active inputs."""
    count = len(graph.inputs)

    def cotangents_of(*inputs: Array) -> list[Array]:
        def of_active(*leaves: Array) -> list[Array]:
            filled = list(inputs[:count])
            for i, x in zip(active, leaves, strict=True):
                filled[i] = x
            values = run(graph, filled)
            return [values[i] for i in outputs]

        _, tape, indices = linearize_flat(of_active, [inputs[i] for i in active], "a derivative")
        seeds = [(i, c) for i, c in zip(indices, inputs[count:], strict=True) if i is not None]
        found = pull(tape, seeds, len(active), consume=True)
        kinds = _strong(graph, active)
        return [zeros(kind) if c is None else typed(c, kind) for c, kind in zip(found, kinds, strict=True)]

    kinds = [*input_types(graph), *(graph.outputs[i].type.strong() for i in outputs)]
    return without_dead_code(record_flat(cotangents_of, kinds, "a derivative"))


@remembered
def check_linear(graph: Graph, active: Indices, outputs: Indices, name: str) -> None:
    """Raises if these outputs, which have to be all, are not linear in the active inputs."""
    if len(outputs) != len(graph.outputs):
        raise NonlinearError(f"{name} has outputs that do not depend on what it should be linear in")

    def checked(*inputs: Array) -> list[Array]:
        def of_active(*leaves: Array) -> list[Array]:
            filled = list(inputs)
            for i, x in zip(active, leaves, strict=True):
                filled[i] = x
            return run(graph, filled)

        record_linear_flat(of_active, _strong(graph, active), name)
        return []

    record_flat(checked, input_types(graph), name)


@remembered
def batched(graph: Graph, flags: tuple[bool, ...], size: int, forced: Indices = ()) -> tuple[Graph, tuple[bool, ...]]:
    """The graph of a batch, and which outputs have a batch axis; those in `forced` get one in any case."""
    out_flags: list[bool] = []

    def whole(*inputs: Array) -> list[Array]:
        outputs, found = batch_flat(lambda *xs: run(graph, xs), inputs, flags, size, "vmap")
        out_flags[:] = [flag or i in forced for i, flag in enumerate(found)]
        return [
            typed(moved_to_front(x, own, size), atom.type.batched(size)) if flag else x
            for x, own, flag, atom in zip(outputs, found, out_flags, graph.outputs, strict=True)
        ]

    kinds = [k.batched(size) if flag else k for k, flag in zip(input_types(graph), flags, strict=True)]
    return without_dead_code(record_flat(whole, kinds, "vmap")), tuple(out_flags)


def _strong(graph: Graph, active: Indices) -> list[ArrayType]:
    return [graph.inputs[i].type.strong() for i in active]


def typed(x: Array, kind: ArrayType) -> Array:
    """The value broadcast and cast to a type."""
    x = x if isinstance(x, Tracer) or not typeof(x).weak else kind.dtype.type(x)
    return expand(x, kind.shape, kind.dtype)


# --- running --------------------------------------------------------------------------------------------


@remembered
def compiled(graph: Graph) -> Callable[..., list[Array]]:
    """The graph as a compiled function of plain values."""
    names = [f"x{i + 1}" for i in range(len(graph.inputs))]
    return emitted(simpler(graph), "body", names).function


def compiled_alone(primitive: Primitive, kinds: Sequence[ArrayType]) -> Callable[..., list[Array]]:
    """The program of a single operation, for inputs of these types."""
    inputs = tuple(map(Variable, kinds))
    outputs = tuple(map(Variable, as_tuple(primitive.output_type(*kinds))))
    graph = Graph(inputs, (Equation(primitive, inputs, outputs),), outputs)
    names = [f"x{i + 1}" for i in range(len(inputs))]
    return emitted(graph, f"run_{primitive.name}", names).function


@remembered
def simpler(graph: Graph) -> Graph:
    """The graph after all passes of simplification, checked once."""
    given = graph
    for simplify in PASSES:
        graph = simplify(graph)
    return check(graph, typed=frozenset(given.equations))


WORTH_COMPILING = 48
"""Steps of a body, in all its loops, from which it is compiled."""


def often_made(body: Graph, steps: int) -> bool:
    """Whether a body is worth compiling, when that many steps more are made."""
    made = _uses(body)
    made[0] += steps
    return made[0] >= WORTH_COMPILING


@remembered
def _uses(graph: Graph) -> list[int]:
    return [0]


def executed(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The outputs for plain values: interpreted the first time, compiled from the second time on."""
    uses = _uses(graph)
    uses[0] += 1
    if uses[0] > 1:
        return compiled(graph)(*inputs)
    shared = _shared(graph)
    return [np.copy(x)[()] if i in shared else x for i, x in enumerate(run(graph, inputs))]


@remembered
def _shared(graph: Graph) -> frozenset[int]:
    """The outputs that are an input, a constant or an earlier output, so that whoever owns one has to have a copy."""
    made = {variable for equation in graph.equations for variable in equation.outputs}
    arrays = [(i, atom) for i, atom in enumerate(graph.outputs) if atom.type.shape]
    return frozenset(i for i, atom in arrays if atom not in made or atom in graph.outputs[:i])


# --- derivatives as operations --------------------------------------------------------------------------


class Derivative(Composite):
    """The derivative of an operation: of primals, and linear in the tangents that come after them.

    Its `evaluate` is written in primitives, so its own derivative and its batches follow.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def primal_count(self) -> int:
        """The number of inputs before the tangents."""

    def expansion(self, *inputs: ArrayType) -> Graph:
        """By recording `evaluate`."""
        return expanded(record_flat(self.evaluate, inputs, self.name))

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        """By recording `evaluate`."""
        return ((record_flat(self.evaluate, inputs, self.name), 1),)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """By differentiating `evaluate`."""
        outputs, derivatives = jvp_flat(self.evaluate, primals, tangents, self.name)
        return tuple(outputs), tuple(derivatives)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """The tangents."""
        linear = range(self.primal_count, count)
        if any(i not in linear for i in traced):
            raise NonlinearError(f"{self.name} is linear in the tangents only, not in the primals")
        return linear

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        """By batching `evaluate`."""
        outputs, flags = batch_flat(self.evaluate, inputs, batched, size, self.name)
        return tuple(moved_to_front(x, flag, size) for x, flag in zip(outputs, flags, strict=True))


def at_zero(inputs: Sequence[Array | ArrayType]) -> list[Array]:
    """The inputs of a transpose rule, with zeros for the types."""
    return [zeros(x.strong()) if isinstance(x, ArrayType) else x for x in inputs]


def active_inputs(primals: Sequence[Array], tangents: Sequence[Array | None]) -> Indices:
    """The inputs with a tangent, among those that can have one."""
    return tuple(i for i, t in enumerate(tangents) if t is not None and typeof(primals[i]).differentiable)


def spread(values: Sequence[Array], places: Indices, count: int) -> tuple[Array | None, ...]:
    """The values at these places of a tuple of `count`, None elsewhere."""
    found: list[Array | None] = [None] * count
    for i, value in zip(places, values, strict=True):
        found[i] = value
    return tuple(found)


@frozen
class Split:
    """How the inputs or outputs of a body divide into parts, by their lengths."""

    lengths: Indices

    def __call__(self, values: Sequence[Any]) -> list[Sequence[Any]]:
        """The parts."""
        parts, start = [], 0
        for length in self.lengths:
            parts.append(values[start : start + length])
            start += length
        return parts
