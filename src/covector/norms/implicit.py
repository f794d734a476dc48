"""Linear systems with a symmetric positive definite matrix of which only products are known.

They are solved by conjugate gradients. The solution is differentiated as one, never through the iterations: A x = b
gives A dx = db - dA x. What the product refers to, a point at which a Hessian is taken or parameters of it, is found by
recording it, so that derivatives reach those values too.

    >>> matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> solve_symmetric(lambda x: matrix @ x, np.array([5.0, 10.0])).round(12)
    array([1., 3.])

Source: M. Hestenes and E. Stiefel, Methods of conjugate gradients for solving linear systems (1952).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import Primitive, as_tuple
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import ArgumentError, ConcreteValueError, NonlinearError
from covector.graph.graph import Graph, run
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.staging import record_flat

Product = Callable[[Array], Array]


@final
@frozen(eq=False)
class Recorded:
    """A flat function, and the values it refers to: `program(*inputs, *values)` are its outputs."""

    program: Callable[..., Sequence[Array]]
    values: tuple[Array, ...]


def recorded(function: Callable[..., Sequence[Array]], kinds: Sequence[ArrayType], origin: str) -> Recorded:
    """The function as a program of its inputs and of all values it refers to, traced ones too.

    A function that branches on its inputs cannot be recorded, and is its own program without values.
    """
    try:
        graph = record_flat(function, kinds, origin)
    except ConcreteValueError:
        return Recorded(function, ())
    inputs = (*graph.inputs, *(variable for variable, _ in graph.constants))
    closed = Graph(inputs, graph.equations, graph.outputs)
    return Recorded(lambda *leaves: run(closed, leaves), tuple(value for _, value in graph.constants))


def looped(primitive: Primitive, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
    """The outputs of an operation on each element of a batch, stacked."""
    rows = [
        as_tuple(primitive(*(x[i] if b else x for x, b in zip(inputs, batched, strict=True)))) for i in range(size)
    ]
    if not rows:
        kinds = [typeof(x) for x in inputs]
        kinds = [ArrayType(k.shape[1:], k.dtype) if b else k for k, b in zip(kinds, batched, strict=True)]
        found = primitive.output_type(*kinds)
        empty = tuple(zeros(ArrayType((0, *kind.shape), kind.dtype)) for kind in as_tuple(found))
        return empty if isinstance(found, tuple) else empty[0]
    columns = tuple(np.stack(column) for column in zip(*rows, strict=True))
    return columns if isinstance(primitive.output_type(*_types_of_one(inputs, batched)), tuple) else columns[0]


def _types_of_one(inputs: Sequence[Array], batched: Sequence[bool]) -> list[ArrayType]:
    kinds = [typeof(x) for x in inputs]
    return [ArrayType(k.shape[1:], k.dtype) if b else k for k, b in zip(kinds, batched, strict=True)]


# --- the primitive --------------------------------------------------------------------------------------------


@final
@frozen
class SymmetricSolve(Primitive):
    """The x with A x = b, where program(x, *values) is A x; inputs are b and the values."""

    program: Callable[..., Sequence[Array]]
    tolerance: float

    @property
    def signature(self) -> str:
        return self.name

    def evaluate(self, *inputs: Array) -> Array:
        target, *values = inputs
        return conjugate_gradients(lambda x: self.program(x, *values)[0], np.asarray(target), self.tolerance)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, inputs[0].dtype)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """A dx = db - dA x."""
        (_, *values), (change, *moves) = primals, tangents
        solution = self(*primals)
        if any(move is not None for move in moves):
            _, (turn,) = jvp_flat(
                lambda *leaves: self.program(solution, *leaves), values, moves, "the derivative of a linear solve"
            )
            if turn is not None:
                change = -turn if change is None else change - turn
        return solution, None if change is None else self(change, *values)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        if tuple(traced) != (0,):
            raise NonlinearError(f"{self.name} is linear in its right-hand side only")
        return (0,)

    def transpose(self, cotangent: Any, *inputs: Any) -> Array:
        return self(cotangent, *inputs[1:])

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return looped(self, size, inputs, batched)


def solve_symmetric(product: Product, target: Array, tolerance: float = 1e-12) -> Array:
    """The x with product(x) = target, to a residual of `tolerance` relative to the target.

    Raises ArgumentError if a direction of no positive curvature turns up, or the tolerance is not reached in ten
    times as many products as there are entries.
    """
    kind = typeof(target).strong()
    found = recorded(lambda x: [product(x)], [kind], "a linear solve")
    return SymmetricSolve(found.program, tolerance)(target, *found.values)


def conjugate_gradients(product: Product, target: Array, tolerance: float) -> Array:
    """The same for plain arrays."""
    solution, residual, direction = np.zeros_like(target), target, target
    square = float(np.dot(residual, residual))
    goal = tolerance**2 * square
    for _ in range(10 * len(target)):
        if square <= goal:
            return solution
        image = product(direction)
        curvature = float(np.dot(direction, image))
        if not curvature > 0:
            raise ArgumentError(f"a linear solve needs a positive definite matrix; one direction has {curvature:.3g}")
        solution = solution + (square / curvature) * direction
        residual = residual - (square / curvature) * image
        square, previous = float(np.dot(residual, residual)), square
        direction = residual + (square / previous) * direction
    if square <= max(goal, 1e-20 * float(np.dot(target, target))):
        return solution
    raise ArgumentError(
        f"conjugate gradients did not reach a residual of {tolerance:.0e}; the matrix is too badly conditioned"
    )
