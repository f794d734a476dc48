"""The evaluation trace of a function: every variable on the way from its inputs to its outputs, as a table.

The notation is that of Griewank and Walther, in three parts: the inputs are v_(1-n), ..., v_0, the working
variables v_1, v_2, ..., and the outputs y. Beside it, on request, stands the derivative: the tangents, computed
in the same order, or the adjoints, computed in the opposite order.

    >>> import numpy as np
    >>> trace = evaluation_trace(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2))(2.0, 5.0)
    >>> print(trace.tangent((1.0, 0.0)))
    Forward primal trace       │ Forward tangent trace
    ───────────────────────────┼─────────────────────────────────────
    v_-1 = x1         = 2      │ v̇_-1 = ẋ1                      = 1
    v_0  = x2         = 5      │ v̇_0  = ẋ2                      = 0
    ───────────────────────────┼─────────────────────────────────────
    v_1  = ln v_-1    = 0.693  │ v̇_1  = v̇_-1 / v_-1             = 0.5
    v_2  = v_-1 × v_0 = 10     │ v̇_2  = v̇_-1 × v_0 + v̇_0 × v_-1 = 5
    v_3  = sin v_0    = -0.959 │ v̇_3  = v̇_0 × cos v_0           = 0
    v_4  = v_1 + v_2  = 10.693 │ v̇_4  = v̇_1 + v̇_2               = 5.5
    v_5  = v_4 - v_3  = 11.652 │ v̇_5  = v̇_4 - v̇_3               = 5.5
    ───────────────────────────┼─────────────────────────────────────
    y    = v_5        = 11.652 │ ẏ    = v̇_5                     = 5.5
    >>> print(trace.adjoint())
    Forward primal trace       │ Reverse adjoint trace (read upwards)
    ───────────────────────────┼────────────────────────────────────────────────────────────
    v_-1 = x1         = 2      │ x̄1   = v̄_-1                                        = 5.5
    v_0  = x2         = 5      │ x̄2   = v̄_0                                         = 1.716
    ───────────────────────────┼────────────────────────────────────────────────────────────
    v_1  = ln v_-1    = 0.693  │ v̄_-1 = v̄_-1 + v̄_1 · ∂v_1/∂v_-1 = v̄_-1 + v̄_1 / v_-1 = 5.5
    v_2  = v_-1 × v_0 = 10     │ v̄_0  = v̄_0 + v̄_2 · ∂v_2/∂v_0   = v̄_0 + v̄_2 × v_-1  = 1.716
                               │ v̄_-1 = v̄_2 · ∂v_2/∂v_-1        = v̄_2 × v_0         = 5
    v_3  = sin v_0    = -0.959 │ v̄_0  = v̄_3 · ∂v_3/∂v_0         = v̄_3 × cos v_0     = -0.284
    v_4  = v_1 + v_2  = 10.693 │ v̄_2  = v̄_4 · ∂v_4/∂v_2         = v̄_4 × 1           = 1
                               │ v̄_1  = v̄_4 · ∂v_4/∂v_1         = v̄_4 × 1           = 1
    v_5  = v_4 - v_3  = 11.652 │ v̄_3  = v̄_5 · ∂v_5/∂v_3         = v̄_5 × (-1)        = -1
                               │ v̄_4  = v̄_5 · ∂v_5/∂v_4         = v̄_5 × 1           = 1
    ───────────────────────────┼────────────────────────────────────────────────────────────
    y    = v_5        = 11.652 │ v̄_5  = ȳ                                           = 1

A trace is a view of the recorded `Graph` of the function: its values are what the operations and their rules
compute, and the formulas of the derivative are read off what the same rules do when they are recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.core.interpreter import origin_of
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, NotDifferentiableError
from covector.graph.graph import Graph
from covector.interpreters.staging import record_flat
from covector.trace.derivatives import ORIGIN
from covector.trace.evaluation import Evaluation, Order, evaluated
from covector.trace.rendering import Mode, Row, Step, html_table, latex_table, markdown_table, text_table
from covector.trace.rows import adjoint_rows, primal_rows, tangent_rows
from covector.transforms.arguments import FlatFunction, as_leaf, conforming_leaves, owned
from covector.trees import Tree, TreeDefinition, flatten, leaf_paths, unflatten

DIGITS = 3


def evaluation_trace(function: Callable[..., Tree], *, order: Order = "depth") -> Callable[..., EvaluationTrace]:
    """The function that evaluates a function and tells how: its trace, a table of variables and their values.

    Args:
        function: a function of arrays, numbers or trees of them. Python may branch on their values: the trace
            is that of the branches taken.
        order: "depth" lists the operations by their distance from the inputs, as textbooks do; "program" in
            the order in which they ran.

    Returns:
        A function of the same arguments, which returns an `EvaluationTrace`. Keyword arguments are constants.

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), section 2.2; A. G. Baydin, B. A. Pearlmutter,
    A. A. Radul, J. M. Siskind, Automatic differentiation in machine learning: a survey (2018), tables 2 and 3.

    Example:
        >>> print(evaluation_trace(lambda x1, x2: (x1 + x2) * 2.0)(1.0, 3.0))
        Forward primal trace
        ─────────────────────
        v_-1 = x1         = 1
        v_0  = x2         = 3
        ─────────────────────
        v_1  = v_-1 + v_0 = 4
        v_2  = v_1 × 2    = 8
        ─────────────────────
        y    = v_2        = 8
    """
    if order not in ("depth", "program"):
        raise ArgumentError(f"order must be 'depth' or 'program'; found {order!r}")

    @wraps(function)
    def traced(*args: Tree, **kwargs: Tree) -> EvaluationTrace:
        given, structure = flatten(args)
        names = input_names(function, args)
        leaves = [owned(as_leaf(x, partial(names.__getitem__, i))) for i, x in enumerate(given)]

        def build(found: Sequence[Array]) -> tuple[Any, Any]:
            return unflatten(structure, found), kwargs

        flat = FlatFunction(function, build)
        recorded = record_flat(flat, [typeof(x) for x in leaves], origin_of(ORIGIN, function), leaves)
        graph = evolve(recorded, structure=flat.structure)
        evaluation = evaluated(graph, leaves, names, order)
        return EvaluationTrace(evaluation, structure, "primal", tuple(primal_rows(evaluation)))

    return traced


@final
@frozen(eq=False, repr=False)
class EvaluationTrace:
    """What happened when a function was evaluated: a table of variables, with their tangents or adjoints on request.

    `rows` are its rows from top to bottom, `primal` and `derivative` the steps of each half in the order of
    evaluation. Printing gives aligned text; notebooks show a table; `text`, `markdown`, `latex` and `html` give
    the table in these formats, with so many decimals.

    Example:
        >>> trace = evaluation_trace(lambda x: x * x)(3.0).adjoint()
        >>> print(trace)
        Forward primal trace │ Reverse adjoint trace (read upwards)
        ─────────────────────┼────────────────────────────────────────────────
        v_0 = x         = 3  │ x̄   = v̄_0                                   = 6
        ─────────────────────┼────────────────────────────────────────────────
        v_1 = v_0 × v_0 = 9  │ v̄_0 = v̄_0 + v̄_1 · ∂_2 v_1 = v̄_0 + v̄_1 × v_0 = 6
                             │ v̄_0 = v̄_1 · ∂_1 v_1       = v̄_1 × v_0       = 3
        ─────────────────────┼────────────────────────────────────────────────
        y   = v_1       = 9  │ v̄_1 = ȳ                                     = 1
        >>> [(step.name, step.expression, float(step.value)) for step in trace.primal]
        [('v_0', 'x', 3.0), ('v_1', 'v_0 × v_0', 9.0), ('y', 'v_1', 9.0)]
    """

    _evaluation: Evaluation
    _arguments: TreeDefinition
    mode: Mode
    rows: tuple[Row, ...]

    @property
    def graph(self) -> Graph:
        """The recorded function."""
        return self._evaluation.graph

    @property
    def primal(self) -> tuple[Step, ...]:
        """The steps of the primal trace, in the order of evaluation."""
        return tuple(row.primal for row in self.rows if row.primal is not None)

    @property
    def derivative(self) -> tuple[Step, ...]:
        """The steps of the tangent or adjoint trace, in the order of evaluation; none for a primal trace."""
        rows = list(self.rows)
        if self.mode == "adjoint":
            inputs = [row for row in rows if row.section == "input"]
            rows = rows[: len(inputs) - 1 : -1] + inputs
        return tuple(row.derivative for row in rows if row.derivative is not None)

    def tangent(self, tangents: Sequence[Tree]) -> EvaluationTrace:
        """The trace with the tangent of each variable beside it.

        Args:
            tangents: the direction, a tuple with one entry for each argument, of its structure, shapes and
                dtypes; an integer argument has tangent 0.

        Raises:
            TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the tangents do not fit the arguments.
            NotDifferentiableError: an integer or boolean argument has a tangent that is not 0.

        Law: the last tangents are those of `jvp`.
        """
        kinds = [v.type for v in self.graph.inputs]
        seeds = _seeds(self._arguments, tuple(tangents), kinds, ("tangents", "the arguments"))
        return evolve(self, mode="tangent", rows=tuple(tangent_rows(self._evaluation, seeds)))

    def adjoint(self, cotangent: Tree = None) -> EvaluationTrace:
        """The trace with what each operation contributes to the adjoints beside it, to be read upwards.

        Args:
            cotangent: the adjoint of the output, of its structure, shapes and dtypes; 1 if the output is one number.

        Raises:
            TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the cotangent does not fit the output.
            ArgumentError: no cotangent was given, and the output is not one floating-point number.

        Law: the last adjoints are those of `vjp`.
        """
        kinds = [atom.type for atom in self.graph.outputs]
        seeds: list[Array | None] = [_one(kinds)] if cotangent is None else self._cotangents(cotangent, kinds)
        return evolve(self, mode="adjoint", rows=tuple(adjoint_rows(self._evaluation, seeds)))

    def _cotangents(self, cotangent: Tree, kinds: Sequence[ArrayType]) -> list[Array | None]:
        structure = self.graph.structure
        assert structure is not None
        return _seeds(structure, cotangent, kinds, ("cotangent", "the output"))

    def text(self, digits: int = DIGITS) -> str:
        """The table as text, aligned for a terminal."""
        return text_table(self.rows, self.mode, digits)

    def markdown(self, digits: int = DIGITS) -> str:
        """The table in Markdown."""
        return markdown_table(self.rows, self.mode, digits)

    def latex(self, digits: int = DIGITS) -> str:
        """The table as a LaTeX array, for mathematics mode."""
        return latex_table(self.rows, self.mode, digits)

    def html(self, digits: int = DIGITS) -> str:
        """The table in HTML."""
        return html_table(self.rows, self.mode, digits)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


# --- names and seeds ------------------------------------------------------------------------------------


def input_names(function: Callable[..., Any], args: Sequence[Tree]) -> list[str]:
    """The name of each leaf of the arguments: that of its parameter, with the path to the leaf."""
    named = zip(_parameter_names(function, args), args, strict=True)
    return [path for name, arg in named for path in leaf_paths(arg, name)]


def _parameter_names(function: Callable[..., Any], args: Sequence[Tree]) -> list[str]:
    """The names of the positional parameters, x1, x2, ... if the function does not tell."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ["x"] if len(args) == 1 else [f"x{i + 1}" for i in range(len(args))]
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "x")
    return [*names, *(f"{rest}[{i}]" for i in range(len(args) - len(names)))][: len(args)]


def _seeds(
    structure: TreeDefinition, tree: Tree, kinds: Sequence[ArrayType], names: tuple[str, str]
) -> list[Array | None]:
    """The tangents or cotangents to start from; None where integers or booleans have none."""
    leaves = conforming_leaves(structure, tree, kinds, names)
    for leaf, kind, path in zip(leaves, kinds, leaf_paths(tree, names[0]), strict=True):
        if not kind.differentiable and np.any(leaf):
            raise NotDifferentiableError(f"{path} belongs to a value of type {kind}, so it must be 0; found {leaf!r}")
    return [owned(leaf) if kind.differentiable else None for leaf, kind in zip(leaves, kinds, strict=True)]


def _one(kinds: Sequence[ArrayType]) -> Array:
    """The cotangent 1 of an output that is one number."""
    if len(kinds) != 1 or kinds[0].shape or not kinds[0].differentiable:
        found = ", ".join(map(str, kinds))
        raise ArgumentError(f"adjoint() needs a cotangent, of the structure of the output, which has type {found}")
    return kinds[0].dtype.type(1)
