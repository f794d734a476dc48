"""Compiled graphs as primitives, so that what jit compiled can be differentiated and batched without it.

The derivative of a compiled graph is compiled too. Linearizing the graph while recording gives one graph of
primals, tangents and cotangents; what depends on the primals alone goes into a *forward* graph, which
also returns the values that the rest needs (the residuals), and the rest into a *push* and a *pull* graph:

    forward(primals) -> outputs, residuals        push(residuals, tangents) -> tangents of the outputs
                                                  pull(residuals, cotangents) -> cotangents of the inputs
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, final

from attrs import frozen

from covector.compile.guards import Guard, guarding
from covector.compile.programs import Program, emitted
from covector.compile.simplify import simplified
from covector.compile.structured import Composite
from covector.core.primitive import as_tuple, moved_to_front
from covector.core.types import Array, ArrayType, zeros
from covector.errors import NonlinearError
from covector.graph.graph import Equation, Graph, Literal, Variable, run
from covector.interpreters.batching import batch_flat
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.linearizing import linearize_flat
from covector.interpreters.staging import record_flat
from covector.interpreters.tape import pull, push


@final
class CompiledGraph:
    """A graph with its program, and the compiled graphs derived from it; known by its identity."""

    def __init__(self, graph: Graph, name: str, arguments: Sequence[str] | None = None) -> None:
        self.graph, self.name = graph, name
        self.arguments = [f"x{i + 1}" for i in range(len(graph.inputs))] if arguments is None else list(arguments)
        self._derivatives: dict[tuple[int, ...], Derivative] = {}

    def __reduce__(self) -> Any:
        return CompiledGraph, (self.graph, self.name, self.arguments)

    @cached_property
    def program(self) -> Program:
        """The emitted program."""
        return emitted(self.graph, self.name, self.arguments)

    def derivative(self, active: tuple[int, ...]) -> Derivative:
        """The compiled derivative in the inputs `active`."""
        if active not in self._derivatives:
            self._derivatives[active] = _derived(self, active)
        return self._derivatives[active]


@final
@frozen(eq=False)
class Derivative:
    """The three compiled parts of a derivative; `outputs` are the positions of the differentiable outputs."""

    forward: CompiledGraph
    push: CompiledGraph
    pull: CompiledGraph
    outputs: tuple[int, ...]


@final
@frozen
class CompiledCall(Composite):
    """A call of a compiled graph."""

    compiled: CompiledGraph

    @property
    def signature(self) -> str:
        return f"compiled[{self.compiled.name}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return tuple(self.compiled.program.function(*inputs))

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        return ((self.compiled.graph, 1),)

    def expansion(self, *inputs: ArrayType) -> Graph:
        return self.compiled.graph

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(atom.type for atom in self.compiled.graph.outputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        active = tuple(i for i, t in enumerate(tangents) if t is not None)
        derivative = self.compiled.derivative(active)
        count = len(self.compiled.graph.outputs)
        found = CompiledCall(derivative.forward)(*primals)
        outputs, residuals = found[:count], found[count:]
        linear = CompiledLinear(derivative.push, derivative.pull, len(residuals))
        pushed = iter(linear(*residuals, *(tangents[i] for i in active)))
        return outputs, tuple(next(pushed) if i in derivative.outputs else None for i in range(count))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        return _batched(self.compiled.graph, size, inputs, batched)


@final
@frozen
class CompiledLinear(Composite):
    """A compiled linear map of vectors, given residuals: `forward(residuals, vectors)`; `backward` is its transpose."""

    forward: CompiledGraph
    backward: CompiledGraph
    residual_count: int

    @property
    def signature(self) -> str:
        return f"compiled[{self.forward.name}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return tuple(self.forward.program.function(*inputs))

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        return ((self.forward.graph, 1),)

    def expansion(self, *inputs: ArrayType) -> Graph:
        return self.forward.graph

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(atom.type for atom in self.forward.graph.outputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        outputs, derivatives = jvp_flat(_runner(self.forward.graph), primals, tangents, self.forward.name)
        return tuple(outputs), tuple(derivatives)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        linear = range(self.residual_count, count)
        if any(i not in linear for i in traced):
            raise NonlinearError("a compiled derivative is not linear in its residuals")
        return linear

    def transpose(self, cotangent: Any, *inputs: Any) -> tuple[Array, ...]:
        transposed = CompiledLinear(self.backward, self.forward, self.residual_count)
        return as_tuple(transposed(*inputs[: self.residual_count], *cotangent))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        return _batched(self.forward.graph, size, inputs, batched)


def _runner(graph: Graph) -> Callable[..., list[Array]]:
    def runner(*inputs: Array) -> list[Array]:
        return run(graph, inputs)

    return runner


def _batched(graph: Graph, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
    outputs, flags = batch_flat(_runner(graph), inputs, batched, size, "vmap of a compiled function")
    return tuple(moved_to_front(x, flag, size) for x, flag in zip(outputs, flags, strict=True))


# --- derivatives ----------------------------------------------------------------------------------------


def _derived(compiled: CompiledGraph, active: tuple[int, ...]) -> Derivative:
    graph = compiled.graph
    kinds = [variable.type for variable in graph.inputs]
    tangent_kinds = [kinds[i].strong() for i in active]
    outputs = tuple(i for i, atom in enumerate(graph.outputs) if atom.type.differentiable)
    cotangent_kinds = [graph.outputs[i].type.strong() for i in outputs]
    counts = len(kinds), len(active)

    def linearized(*inputs: Array) -> list[Array]:
        primals, rest = inputs[: counts[0]], inputs[counts[0] :]
        return _linearized(graph, primals, active, outputs, (rest[: counts[1]], rest[counts[1] :]))

    # with a watch, constants are referred to: their present entries count at every call
    recorded = record_flat(linearized, [*kinds, *tangent_kinds, *cotangent_kinds], compiled.name, watch=guarding)
    whole = simplified(recorded)
    return _split(compiled, whole, (len(graph.inputs), len(active), len(graph.outputs), len(outputs)), outputs)


def _linearized(
    graph: Graph,
    primals: Sequence[Array],
    active: Sequence[int],
    outputs: Sequence[int],
    vectors: tuple[Sequence[Array], Sequence[Array]],
) -> list[Array]:
    """Outputs, tangents of the differentiable outputs, and cotangents of the active inputs."""
    tangents, cotangents = vectors

    def of_active(*leaves: Array) -> list[Array]:
        filled = list(primals)
        for i, x in zip(active, leaves, strict=True):
            filled[i] = x
        return run(graph, filled)

    values, tape, indices = linearize_flat(of_active, [primals[i] for i in active], "jit")
    live = [i for i in outputs if indices[i] is not None]
    pushed = dict(zip(live, push(tape, tangents, [_index(indices, i) for i in live]), strict=True))
    seeds = [(_index(indices, i), c) for i, c in zip(outputs, cotangents, strict=True) if i in pushed]
    pulled = pull(tape, seeds, len(active), consume=False)
    return [
        *values,
        *(_filled(pushed.get(i), graph.outputs[i].type) for i in outputs),
        *(_filled(c, graph.inputs[i].type) for c, i in zip(pulled, active, strict=True)),
    ]


def _index(indices: Sequence[int | None], i: int) -> int:
    index = indices[i]
    assert index is not None
    return index


def _filled(vector: Array | None, kind: ArrayType) -> Array:
    return zeros(kind.strong()) if vector is None else vector


def _split(
    compiled: CompiledGraph, whole: Graph, counts: tuple[int, int, int, int], outputs: tuple[int, ...]
) -> Derivative:
    inputs, active, results, differentiable = counts
    vectors = set(whole.inputs[inputs:])
    known, unknown = _partitioned(whole.equations, vectors)
    constants = {variable for variable, _ in whole.constants}  # residuals too: they may be changed before the pull
    available = {v for e in known for v in e.outputs} | set(whole.inputs[:inputs]) | constants
    residuals = _needed(unknown, whole.outputs[results:], available)
    forward = Graph(whole.inputs[:inputs], known, (*whole.outputs[:results], *residuals), whole.constants)
    middle, end = results + differentiable, inputs + active
    push_graph = _restricted(unknown, (*residuals, *whole.inputs[inputs:end]), whole.outputs[results:middle])
    pull_graph = _restricted(unknown, (*residuals, *whole.inputs[end:]), whole.outputs[middle:])
    return Derivative(
        CompiledGraph(simplified(forward), f"{compiled.name}_forward", compiled.arguments),
        CompiledGraph(simplified(push_graph), f"{compiled.name}_push"),
        CompiledGraph(simplified(pull_graph), f"{compiled.name}_pull"),
        outputs,
    )


def _restricted(equations: Sequence[Equation], inputs: Sequence[Variable], outputs: Sequence[Any]) -> Graph:
    """The graph of the equations on which the outputs depend."""
    wanted = {atom for atom in outputs if isinstance(atom, Variable)}
    kept = []
    for equation in reversed(equations):
        if not wanted.isdisjoint(equation.outputs):
            kept.append(equation)
            wanted.update(atom for atom in equation.inputs if isinstance(atom, Variable))
    return Graph(tuple(inputs), tuple(reversed(kept)), tuple(outputs))


def _partitioned(
    equations: Sequence[Equation], vectors: set[Variable]
) -> tuple[tuple[Equation, ...], tuple[Equation, ...]]:
    """The equations that do not depend on the vectors, and those that do."""
    dependent, known, unknown = set(vectors), [], []
    for equation in equations:
        if dependent.isdisjoint(equation.inputs) or isinstance(equation.primitive, Guard):
            known.append(equation)
        else:
            unknown.append(equation)
            dependent.update(equation.outputs)
    return tuple(known), tuple(unknown)


def _needed(unknown: Sequence[Equation], outputs: Sequence[Any], available: set[Variable]) -> tuple[Variable, ...]:
    """The values of the forward part that the rest uses, each once, in order."""
    atoms = [atom for equation in unknown for atom in equation.inputs] + list(outputs)
    return tuple(dict.fromkeys(a for a in atoms if not isinstance(a, Literal) and a in available))
