"""The linear beginning of a norm's program, x -> A x, and what its dual does instead: g -> A^-T g.

If every operation in it is invertible by itself, each is exchanged for the inverse of its transpose: shapes and orders
stay, weights divide, a matrix product becomes a solve. Otherwise (differences, cumulative sums, transforms) the matrix
of the whole linear part is made, and one solve with its transpose takes its place.

    >>> from covector.norms.dualize import dualize
    >>> differences = lambda v: np.sum(np.abs(np.diff(v, prepend=0.0)))
    >>> float(dualize(differences)(np.array([1.0, 1.0, 1.0])))         # the largest sum of last entries
    3.0
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.primitive import as_tuple
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, MissingRuleError
from covector.graph.graph import Equation, Graph, Variable, run_equations, value_of
from covector.norms.uses import Uses, partitioned, used_twice
from covector.transforms.vectorize import vmap

SELF_DUAL = (
    "reshape", "permute", "flip", "roll", "slice", "split", "unstack", "concatenate", "stack", "negative", "cast"
)  # fmt: skip
"""Operations that move entries or change signs: each is the inverse of its transpose."""

LARGEST = 5000
"""The number of entries up to which the matrix of a linear part is made: 200 MB."""


def dual_linear_part(graph: Graph, uses: Uses, covectors: list[Array]) -> dict[Variable, Array]:
    """The duals of the values at which the linear part ends."""
    equations = [e for e in uses.equations if e.outputs[0] in uses.linear]
    if all(_invertible(e, uses) for e in equations) and _used_once(equations, uses):
        return _each_inverted(graph, equations, uses, covectors)
    return _solved(graph, equations, uses, covectors)


def _used_once(equations: list[Equation], uses: Uses) -> bool:
    return all(
        (len(users) == 1 and not _slices(users)) or partitioned(variable, users)
        for variable, users in uses.users.items()
        if variable in uses.linear
    )


def _slices(users: list[Equation]) -> bool:
    return any(e.primitive.name == "slice" for e in users)


# --- operation by operation -----------------------------------------------------------------------------------


def _invertible(equation: Equation, uses: Uses) -> bool:
    name, operands = equation.primitive.name, uses.dependent(equation)
    if name in SELF_DUAL:
        return len(operands) == len(equation.inputs)
    if name in ("multiply", "divide"):
        return operands[0].type.shape == equation.outputs[0].type.shape
    return name == "contract" and _matrix_labels(equation, operands[0]) is not None


def _matrix_labels(equation: Equation, operand: Variable) -> tuple[int, int] | None:
    """The labels of the matrix's output and input axes, if the product is that of a square matrix and one axis."""
    primitive: Any = equation.primitive
    own, other = primitive.left, primitive.right
    matrix = equation.inputs[1]
    if equation.inputs[1] is operand:
        own, other, matrix = other, own, equation.inputs[0]
    if len(other) != 2 or matrix.type.shape[0] != matrix.type.shape[1]:
        return None
    made, summed = [x for x in other if x not in own], [x for x in other if x in own and x not in primitive.out]
    return (made[0], summed[0]) if len(made) == len(summed) == 1 and made[0] in primitive.out else None


def _each_inverted(
    graph: Graph, equations: list[Equation], uses: Uses, covectors: list[Array]
) -> dict[Variable, Array]:
    values: dict[Variable, Array] = dict(graph.constants)
    values.update(zip(graph.inputs, covectors, strict=True))
    for equation in equations:
        operands = [value_of(atom, values) for atom in equation.inputs]
        values.update(zip(equation.outputs, as_tuple(_inverse_transpose(equation, operands, uses)), strict=True))
    return {variable: values[variable] for variable in uses.linear if variable in values}


def _inverse_transpose(equation: Equation, operands: list[Any], uses: Uses) -> Any:
    name = equation.primitive.name
    if name in SELF_DUAL:
        return equation.primitive(*operands)
    (variable,) = uses.dependent(equation)
    first = equation.inputs[0] is variable
    value, constant = operands if first else operands[::-1]
    if name == "contract":
        return _solve_axis(equation, variable, value, constant)
    if not isinstance(constant, Tracer) and not np.all((np.asarray(constant) != 0) & np.isfinite(constant)):
        raise ArgumentError(f"dualize: `{name}` by a weight that is zero or not finite gives a seminorm, not a norm")
    return value / constant if name == "multiply" else value * constant


def _solve_axis(equation: Equation, variable: Variable, value: Array, matrix: Array) -> Array:
    """out_j = sum M_jk v_k becomes the solution of sum M_jk x_j = g_k."""
    primitive: Any = equation.primitive
    own, other = primitive.left, primitive.right
    if equation.inputs[1] is variable:
        own, other = other, own
    made, summed = _matrix_labels(equation, variable) or (0, 0)
    by_rows = matrix if other == (made, summed) else np.transpose(matrix)
    check_rank(by_rows, f"the matrix of `{primitive.name}`")
    moved = np.moveaxis(value, own.index(summed), 0)
    shape = typeof(moved).shape
    solved = np.reshape(np.linalg.solve(np.transpose(by_rows), np.reshape(moved, (shape[0], -1))), shape)
    labels = [made, *(label for label in own if label != summed)]
    return np.transpose(solved, [labels.index(label) for label in primitive.out])


# --- all at once ----------------------------------------------------------------------------------------------


def _solved(graph: Graph, equations: list[Equation], uses: Uses, covectors: list[Array]) -> dict[Variable, Array]:
    """One solve with the transposed matrix of the linear part."""
    ends = _ends(equations, uses, graph)
    bounds = np.cumsum([0, *(v.type.size for v in graph.inputs)]).tolist()

    def linear_part(vector: Array) -> Array:
        parts = [vector[i:j] for i, j in pairwise(bounds)]
        values: dict[Variable, Array] = dict(graph.constants)
        values.update((v, np.reshape(x, v.type.shape)) for v, x in zip(graph.inputs, parts, strict=True))
        run_equations(equations, values)
        return np.concatenate([np.reshape(values[v], -1) for v in ends])

    rows = sum(v.type.size for v in ends)
    _check_real_and_small(ends, bounds[-1], equations)
    if rows != bounds[-1]:
        raise _not_square(rows, bounds[-1], equations, uses, graph)
    dtype = np.result_type(*(typeof(x).dtype for x in covectors))
    transposed = vmap(linear_part)(np.eye(bounds[-1], dtype=dtype))
    offset = linear_part(np.zeros(bounds[-1], dtype))
    if not isinstance(offset, Tracer) and np.any(offset != 0):
        raise ArgumentError("dualize: a constant other than zero is joined to the argument, so that this is not a norm")
    check_rank(transposed, "the linear part " + _names(equations))
    solved = np.linalg.solve(transposed, np.concatenate([np.reshape(x, -1) for x in covectors]))
    stops = np.cumsum([0, *(v.type.size for v in ends)]).tolist()
    return {v: np.reshape(solved[i:j], v.type.shape) for v, (i, j) in zip(ends, pairwise(stops), strict=True)}


def _ends(equations: list[Equation], uses: Uses, graph: Graph) -> list[Variable]:
    """The linear values that an operation that is not linear uses; two such operations are one too many."""
    inside = set(map(id, equations))
    found = []
    for variable in (v for v in uses.users if v in uses.linear):
        users = [e for e in uses.users[variable] if id(e) not in inside]
        if len(users) > 1:
            raise used_twice(users, graph)
        found += [variable] * len(users)
    return found


def _check_real_and_small(ends: list[Variable], columns: int, equations: list[Equation]) -> None:
    if any(v.type.dtype.kind == "c" for v in ends):
        raise MissingRuleError(
            f"dualize: the linear part {_names(equations)} has complex values, of which disciplined norms know nothing"
        )
    if columns > LARGEST:
        raise MissingRuleError(
            f"dualize: the linear part {_names(equations)} of {columns} numbers is not made of operations that are "
            f"invertible one by one, and its matrix would be too large (the most is {LARGEST}). Use an invertible map, "
            "norm @ A, such as norms.Difference() for differences, or norms.define(dual_norm=...)"
        )


def _not_square(rows: int, columns: int, equations: list[Equation], uses: Uses, graph: Graph) -> Exception:
    if not rows:
        return ArgumentError(
            f"dualize: the output is a linear function of the argument, by {_names(equations)}: a norm is the same at "
            "-v as at v. Take abs or singular values first."
        )
    if rows < columns:
        return ArgumentError(
            f"dualize: the linear part {_names(equations)} maps {columns} numbers to {rows}: some vectors other than "
            "zero have length zero, this is a seminorm, not a norm. Add what is lost, for example an end value."
        )
    if all(len(users) < 2 for v, users in uses.users.items() if v in uses.linear):
        return MissingRuleError(
            f"dualize: the linear part {_names(equations)} maps {columns} numbers to {rows}, without inverse. Such a "
            "norm has no dual in closed form; norms.define(norm=...) finds its directions by optimization."
        )
    twice = next((users for v, users in uses.users.items() if v in uses.linear and len(users) > 1), [])
    return used_twice(twice or equations, graph)


def _names(equations: list[Equation]) -> str:
    return "(" + ", ".join(dict.fromkeys(e.primitive.name for e in equations)) + ")"


def check_rank(matrix: Array, what: str) -> None:
    """Raises ArgumentError for a singular matrix, unless it is traced."""
    if isinstance(matrix, Tracer):
        return
    rank = int(np.linalg.matrix_rank(matrix))
    if rank < len(matrix):
        raise ArgumentError(
            f"dualize: {what} has rank {rank} of {len(matrix)}, so that some vectors other than zero have length zero: "
            "this is a seminorm, not a norm"
        )
