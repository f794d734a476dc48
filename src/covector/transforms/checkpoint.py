"""checkpoint: store a function's inputs instead of its intermediate values, and recompute when pulling back.

The function is recorded as a graph; traced values it closes over become inputs, so their derivatives are
right too. Its derivative is a linear primitive that keeps the inputs and runs the graph again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar, final

from attrs import frozen

from covector.compile.expansion import expanded
from covector.compile.on_numbers import assigned, strong_operand
from covector.compile.structured import Composite, Lines, Scope, Structured
from covector.core.interpreter import Tracer, origin_of
from covector.core.primitive import as_tuple, instantiate, moved_to_front
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import ConcreteValueError, NonlinearError
from covector.graph.effects import has_effects, without_effects
from covector.graph.graph import Equation, Graph, run
from covector.interpreters.batching import batch_flat
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.linearizing import linearize_flat
from covector.interpreters.staging import CATCHABLE, CaughtFailureError, record_flat
from covector.interpreters.tape import pull
from covector.transforms.arguments import FlatFunction, as_leaf
from covector.transforms.transformed import transformed
from covector.trees import Tree, flatten, leaf_paths, unflatten

P = ParamSpec("P")
R = TypeVar("R")


def checkpoint(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, which reverse mode recomputes instead of storing what it computed on the way.

    Saves memory for time: a chain of k checkpointed blocks stores k inputs, and pulls back at the cost of
    about one more evaluation. Recorded once per call, so Python control flow may depend on known values. If an
    operation raises, the function is run as it is, because it may catch the error; then everything is stored.

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), chapter 12.

    Law: every derivative of checkpoint(f) is that of f.

    Example:
        >>> import numpy as np
        >>> from covector import grad
        >>> block = checkpoint(lambda x: np.sin(np.sin(x)))
        >>> float(grad(block)(0.0))
        1.0
    """
    origin = origin_of("checkpoint", function)

    def checkpointed(*args: P.args, **kwargs: P.kwargs) -> R:
        leaves, structure = flatten((args, kwargs))
        arrays = [i for i, x in enumerate(leaves) if isinstance(x, Tracer)]
        if not arrays:
            return function(*args, **kwargs)
        names = leaf_paths(args, "args") + leaf_paths(kwargs, "kwargs")

        def build(found: Sequence[Array]) -> Tree:
            filled = list(leaves)
            for i, x in zip(arrays, found, strict=True):
                filled[i] = x
            return unflatten(structure, filled)

        inputs = [as_leaf(leaves[i], partial(names.__getitem__, i)) for i in arrays]
        flat = FlatFunction(function, build)
        try:
            graph = record_flat(flat, [typeof(x) for x in inputs], origin, _known_values(inputs))
        except CaughtFailureError:
            return function(*args, **kwargs)
        operation, constants = Checkpoint(close_over(graph)), [value for _, value in graph.constants]
        try:
            outputs = operation(*constants, *inputs)
        except CATCHABLE:  # which the function may catch
            return function(*args, **kwargs)
        result: R = flat.tree(outputs)
        return result

    repeated: Callable[P, R] = transformed(checkpointed, checkpoint, function)
    return repeated


def close_over(graph: Graph) -> Graph:
    """The graph with its constants as leading inputs."""
    return Graph((*(variable for variable, _ in graph.constants), *graph.inputs), graph.equations, graph.outputs)


def _known_values(inputs: Sequence[Array]) -> list[Array] | None:
    try:
        return [x.concrete("checkpoint") if isinstance(x, Tracer) else x for x in inputs]
    except ConcreteValueError:
        return None


@final
@frozen
class Checkpoint(Structured):
    """Runs a graph whose intermediate values are not kept for the derivative."""

    graph: Graph

    @property
    def effect(self) -> bool:
        return has_effects(self.graph)

    @property
    def signature(self) -> str:
        return self.name

    @property
    def shared(self) -> int:
        return len(self.graph.outputs)

    @property
    def graphs(self) -> Sequence[Graph]:
        return (self.graph,)

    def expansion(self, *inputs: ArrayType) -> None:
        return None

    def statements(self, scope: Scope, equation: Equation) -> tuple[Lines, list[str]]:
        """Those of the graph, kept apart so that no value is shared with what computes it again."""
        arguments = [strong_operand(scope, atom) for atom in equation.inputs]
        lines, outputs = scope.block(self.graph, arguments, scope.numbers)
        names = [scope.fresh(self.name) for _ in outputs]
        return [*lines, *assigned(names, outputs)], names

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return tuple(run(self.graph, inputs))

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        return ((self.graph, 1),)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(atom.type for atom in self.graph.outputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        outputs = self(*primals)
        active = tuple(i for i, t in enumerate(tangents) if t is not None)
        push = CheckpointDerivative(without_effects(self.graph), active)
        derivatives = iter(push(*primals, *(tangents[i] for i in active)))
        return outputs, tuple(next(derivatives) if atom.type.differentiable else None for atom in self.graph.outputs)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        def whole(*leaves: Array) -> list[Array]:
            outputs, flags = batch_flat(lambda *xs: run(self.graph, xs), leaves, batched, size, "vmap of checkpoint")
            return [moved_to_front(x, flag, size) for x, flag in zip(outputs, flags, strict=True)]

        kinds = [typeof(x) for x in inputs]
        graph = record_flat(whole, kinds, "vmap of checkpoint")
        return as_tuple(Checkpoint(close_over(graph))(*(value for _, value in graph.constants), *inputs))


@final
@frozen
class CheckpointDerivative(Composite):
    """The derivative of a graph in the inputs `active`: of all primals, and linear in the tangents after them."""

    graph: Graph
    active: tuple[int, ...]

    @property
    def signature(self) -> str:
        return f"{self.name}[active={self.active}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        count = len(self.graph.inputs)
        tangents: list[Array | None] = [None] * count
        for i, tangent in zip(self.active, inputs[count:], strict=True):
            tangents[i] = tangent
        outputs, derivatives = jvp_flat(lambda *xs: run(self.graph, xs), inputs[:count], tangents, "checkpoint")
        return tuple(
            instantiate(t, p) for p, t in zip(outputs, derivatives, strict=True) if typeof(p).differentiable
        )

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Graph, int]]:
        return ((record_flat(self.evaluate, inputs, "checkpoint"), 1),)

    def expansion(self, *inputs: ArrayType) -> Graph:
        return expanded(record_flat(self.evaluate, inputs, self.name))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return tuple(atom.type.strong() for atom in self.graph.outputs if atom.type.differentiable)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        outputs, derivatives = jvp_flat(self.evaluate, primals, tangents, "checkpoint")
        return tuple(outputs), tuple(derivatives)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        linear = range(len(self.graph.inputs), count)
        if any(i not in linear for i in traced):
            raise NonlinearError("the derivative of a checkpointed function is not linear in its primals")
        return linear

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        count = len(self.graph.inputs)
        primals = [inputs[i] for i in self.active]

        def of_active(*leaves: Array) -> list[Array]:
            filled = list(inputs[:count])
            for i, x in zip(self.active, leaves, strict=True):
                filled[i] = x
            outputs = run(self.graph, filled)
            return [x for x, atom in zip(outputs, self.graph.outputs, strict=True) if atom.type.differentiable]

        _, tape, indices = linearize_flat(of_active, primals, "checkpoint")
        seeds = [(i, c) for i, c in zip(indices, cotangent, strict=True) if i is not None]
        pulled = pull(tape, seeds, len(primals), consume=True)
        return tuple(zeros(typeof(p).strong()) if c is None else c for p, c in zip(primals, pulled, strict=True))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        outputs, flags = batch_flat(self.evaluate, inputs, batched, size, "vmap of checkpoint")
        return tuple(moved_to_front(x, flag, size) for x, flag in zip(outputs, flags, strict=True))
