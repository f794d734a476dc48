"""A recorded norm, with several ways of writing squares and singular values brought into one form each.

A disciplined norm uses every value once, but people write squared lengths with the argument twice: `(A @ v) @ (A @ v)`
and `v @ H @ v`. Linear values that are computed twice are computed once, so that the first is the product of a value
with itself. A product of two different linear functions of one value x is a quadratic form x^T Q x; with Q = L L^T it
is |L^T x|^2. Of a singular value decomposition, whoever measures with it uses the values alone. Zero that is added,
as Python's `sum` does, changes nothing.

    >>> from covector.transforms.recording import make_graph
    >>> H = np.array([[4.0, 0.0], [0.0, 9.0]])
    >>> form = normal_form(make_graph(lambda v: v @ H @ v)(np.zeros(2)))
    >>> form(np.array([1.0, 1.0])), form.equations[-1].primitive.name
    (np.float64(13.0), 'contract')
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable, identity_of, run_equations, value_of
from covector.interpreters.staging import record_flat
from covector.norms.uses import linear_values
from covector.ops.arithmetic import Multiply
from covector.ops.axes import Sum
from covector.ops.contraction import Contract
from covector.ops.linalg_decompositions import SingularValueDecomposition, SingularValues
from covector.transforms.vectorize import vmap


def normal_form(graph: Graph) -> Graph:
    """The graph with equal linear values shared, products of different ones as squares, and no singular vectors."""
    shared = _with_linear_values_shared(_without_singular_vectors(_without_identities(graph)))
    linear = linear_values(shared)
    equations: list[Equation] = []
    constants = list(shared.constants)
    for equation in shared.equations:
        operands = _factors(equation, shared, linear)
        source = None if operands is None else _source(operands, shared)
        if operands is None or source is None:
            equations.append(equation)
            continue
        root = _root(operands, source, shared)
        variable = Variable(typeof(root))
        constants.append((variable, root))
        equations += _squared_length(source, variable, equation.outputs)
    return attrs.evolve(shared, equations=tuple(equations), constants=tuple(constants))


def _without_identities(graph: Graph) -> Graph:
    """Without `+x`, `x + 0` and `x - 0`."""
    constants = dict(graph.constants)
    same: dict[Atom, Atom] = {}
    kept = []
    for equation in graph.equations:
        inputs = tuple(same.get(atom, atom) for atom in equation.inputs)
        unchanged = _unchanged(equation, inputs, constants)
        if unchanged is None:
            kept.append(Equation(equation.primitive, inputs, equation.outputs))
        else:
            same[equation.outputs[0]] = unchanged
    return attrs.evolve(graph, equations=tuple(kept), outputs=tuple(same.get(atom, atom) for atom in graph.outputs))


def _unchanged(equation: Equation, inputs: Sequence[Atom], constants: dict[Variable, Array]) -> Atom | None:
    """The input that is the output too, if an equation says no more."""
    name, kind = equation.primitive.name, equation.outputs[0].type
    if name not in ("positive", "add", "subtract"):
        return None
    zeros = [_is_zero(atom, constants) for atom in inputs]
    if name == "add" and zeros[0]:
        inputs, zeros = inputs[::-1], zeros[::-1]
    same_type = (inputs[0].type.shape, inputs[0].type.dtype) == (kind.shape, kind.dtype)
    return inputs[0] if same_type and all(zeros[1:]) else None


def _is_zero(atom: Atom, constants: dict[Variable, Array]) -> bool:
    """Whether an operand is known to be zero."""
    if not isinstance(atom, Literal) and atom not in constants:
        return False
    value = value_of(atom, constants)
    return not isinstance(value, Tracer) and not np.any(value)


def _without_singular_vectors(graph: Graph) -> Graph:
    used = {atom for equation in graph.equations for atom in equation.inputs}.union(graph.outputs)
    return attrs.evolve(graph, equations=tuple(_values_alone(equation, used) for equation in graph.equations))


def _values_alone(equation: Equation, used: set[Atom]) -> Equation:
    if not isinstance(equation.primitive, SingularValueDecomposition):
        return equation
    left, values, right = equation.outputs
    return equation if left in used or right in used else Equation(SingularValues(), equation.inputs, (values,))


def _with_linear_values_shared(graph: Graph) -> Graph:
    linear = linear_values(graph)
    first: dict[int, Variable] = {}
    same: dict[Atom, Variable] = {v: first.setdefault(id(value), v) for v, value in graph.constants}
    seen: dict[object, tuple[Variable, ...]] = {}
    kept = []
    for equation in graph.equations:
        inputs: tuple[Atom, ...] = tuple(same.get(atom, atom) for atom in equation.inputs)
        if all(v in linear for v in equation.outputs):
            known = seen.setdefault((equation.primitive, *map(identity_of, inputs)), equation.outputs)
            if known is not equation.outputs:
                same.update(zip(equation.outputs, known, strict=True))
                continue
        kept.append(Equation(equation.primitive, inputs, equation.outputs))
    outputs: tuple[Atom, ...] = tuple(same.get(atom, atom) for atom in graph.outputs)
    return attrs.evolve(graph, equations=tuple(kept), outputs=outputs)


def _factors(equation: Equation, graph: Graph, linear: set[Variable]) -> tuple[Variable, Variable] | None:
    """Two different linear values of which an equation makes the sum of products of corresponding entries."""
    product, primitive = equation, equation.primitive
    if isinstance(primitive, Sum):
        product = next((e for e in graph.equations if equation.inputs[0] in e.outputs), equation)
        if not isinstance(product.primitive, Multiply):
            return None
    elif not isinstance(primitive, Contract) or primitive.left != primitive.right:
        return None
    left, right = product.inputs
    if equation.outputs[0].type.shape or left is right or left.type.shape != right.type.shape:
        return None
    if isinstance(left, Variable) and isinstance(right, Variable) and left in linear and right in linear:
        return left, right
    return None


# --- quadratic forms ------------------------------------------------------------------------------------------


def _source(operands: Sequence[Variable], graph: Graph) -> Variable | None:
    """The last value of which all operands are functions."""
    made = [v for equation in graph.equations for v in equation.outputs]
    candidates = [v for v in (*graph.inputs, *made) if v.type.dtype.kind == "f"]
    return next((v for v in reversed(candidates) if _between(v, operands, graph) is not None), None)


def _between(source: Variable, operands: Sequence[Variable], graph: Graph) -> list[Equation] | None:
    """The equations that make the operands of the source; None if they need more of the argument."""
    wanted: set[Atom] = set(operands)
    used, found = source in wanted, []
    for equation in reversed(graph.equations):
        if source not in equation.outputs and wanted.intersection(equation.outputs):
            found.append(equation)
            wanted.update(equation.inputs)
            used = used or source in equation.inputs
    others = wanted.intersection(graph.inputs) - {source}
    return found[::-1] if used and not others else None


def _root(operands: tuple[Variable, Variable], source: Variable, graph: Graph) -> Array:
    """The matrix L^T for which the product of the operands is |L^T x|^2."""
    equations = _between(source, operands, graph) or []

    def factors(vector: Array) -> tuple[Array, Array]:
        values: dict[Variable, Array] = dict(graph.constants)
        values[source] = np.reshape(vector, source.type.shape)
        run_equations(equations, values)
        left, right = operands
        return np.reshape(values[left], -1), np.reshape(values[right], -1)

    left, right = vmap(factors)(np.eye(source.type.size, dtype=source.type.dtype))
    form = left @ np.transpose(right)
    form = (form + np.transpose(form)) / 2
    if not isinstance(form, Tracer):
        _check_positive_definite(form)
    return np.transpose(np.linalg.cholesky(form))


def _check_positive_definite(form: Array) -> None:
    values = np.linalg.eigvalsh(form)
    if not values[0] > len(form) * np.finfo(form.dtype).eps * np.max(np.abs(values)):
        raise ArgumentError(
            f"dualize: a product of two linear functions is the quadratic form of a matrix with the eigenvalue "
            f"{values[0]:.3g}, not positive definite, so that its root is not a norm"
        )


def _squared_length(source: Variable, root: Variable, outputs: tuple[Variable, ...]) -> list[Equation]:
    """The equations of |L^T x|^2."""

    def squared_length(x: Array, matrix: Array) -> Sequence[Array]:
        image = matrix @ np.reshape(x, -1)
        return [image @ image]

    recorded = record_flat(squared_length, [source.type, root.type], "a quadratic form")
    names: dict[Atom, Variable] = dict(zip(recorded.inputs, (source, root), strict=True))
    names.update((atom, v) for atom, v in zip(recorded.outputs, outputs, strict=True))
    return [
        Equation(
            e.primitive, tuple(names.get(atom, atom) for atom in e.inputs),
            tuple(names.get(v, v) for v in e.outputs),
        )
        for e in recorded.equations
    ]  # fmt: skip
