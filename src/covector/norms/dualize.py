"""dualize: the program of a norm, rewritten operation by operation into the program of its dual norm.

    >>> import numpy as np
    >>> weights = np.array([1.0, 2.0, 4.0])
    >>> def norm(v):
    ...     return np.max(weights * np.abs(v))
    >>> g = np.array([1.0, -2.0, 8.0])
    >>> float(dualize(norm)(g))                   # sum |g| / weights
    4.0
    >>> from covector import grad
    >>> -grad(dualize(norm))(g)                   # the direction of steepest descent
    array([-1.  ,  0.5 , -0.25])

A disciplined norm uses every entry of its argument once: invertible linear maps, then `abs` or singular values, then
any nesting of sums, maxima, powers with their roots, and positive weights, over disjoint parts. Each of its values is
a norm of a part of the argument, and each operation makes a norm of norms. So the dual program runs the same graph
with each operation exchanged for its dual:

| norm | dual |
|---|---|
| invertible linear map A | solve with A^T |
| abs, singular values, reshape, transpose, concatenate, stack | the same |
| sum, add | max, maximum |
| max, maximum | sum, add |
| (sum x^p)^(1/p), hypot | (sum y^q)^(1/q), hypot, with 1/p + 1/q = 1 |
| c x for c > 0 | y / c |
| N(x) for a norm N of the catalogue, of a linear function or absolute | N.dual_norm(y) |
| sqrt(x^T H x) for a positive definite H | sqrt(y^T H^-1 y) |
| sum of sorted x with increasing weights w (the k largest too) | largest (sum of j largest y) / (sum of j largest w) |

The dual program is made of NumPy functions, so it is differentiated, batched and recorded like any other. Where the
dual norm has several subgradients its derivative is one of them; at zero it is zero.

Source: R. T. Rockafellar, Convex Analysis (1970), sections 15 and 16; the grammar is that of disciplined convex
programming (M. Grant, S. Boyd, Y. Ye, 2006) for gauges whose parts are disjoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import as_tuple
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, ConcreteValueError, CovectorError, TracerConversionError
from covector.graph.graph import Equation, Graph, Literal, Variable, value_of
from covector.norms.calls import norms_kept_whole
from covector.norms.disciplined import check_shapes, rule_for, settled
from covector.norms.layout import magnitude, ravel
from covector.norms.linear_part import dual_linear_part
from covector.norms.normal_form import normal_form
from covector.norms.parts import Part, taken_apart
from covector.norms.uses import Uses
from covector.transforms.recording import make_graph
from covector.trees import Tree, flatten, map_leaves


def dualize(norm: Callable[[Tree], Any]) -> Callable[[Tree], Array]:
    """The dual norm of a norm that is written as a NumPy function.

    Args:
        norm: a function of one array or tree of arrays that is a disciplined norm (see this module).

    Returns:
        The function g -> max <g, v> over norm(v) <= 1, of arguments of the same structure and shapes.

    Raises:
        MissingRuleError: an operation leaves the grammar; the message names it. Use a norm of the catalogue, or
            give the dual with `norms.define(dual_norm=...)`.
        ArgumentError: the function is not a norm: negative weights, a singular map, entries that are never used.

    Law: `dualize(dualize(norm)) = norm`, and `grad(dualize(norm))(g)` attains the maximum.

    Example:
        >>> import numpy as np
        >>> A = np.array([[2.0, 0.0], [1.0, 1.0]])
        >>> float(dualize(lambda v: np.abs(A @ v).max())(np.array([1.0, 1.0])))
        1.0
    """
    return norm.primal if isinstance(norm, DualProgram) else DualProgram(norm)


@final
@frozen
class DualProgram:
    """The dual of a function that is a norm; its program is made anew for each type of argument."""

    primal: Callable[[Tree], Any]

    @property
    def __name__(self) -> str:
        return f"dualize({getattr(self.primal, '__name__', repr(self.primal))})"

    def __call__(self, covector: Tree) -> Array:
        vector, restore = ravel(covector)
        if typeof(vector).size == 0:
            return np.sum(vector)
        unit = magnitude(vector)
        near = restore(vector / unit)
        return unit * self.recorded(near)(near)

    def recorded(self, like: Tree) -> Callable[[Tree], Array]:
        """The same function, its program made once for all arguments of the types of an example, of moderate size."""
        if typeof(ravel(like)[0]).size == 0:
            return self
        graph = self._graph(like)

        def dual(covector: Tree) -> Array:
            return run_dual(graph, flatten(covector)[0])

        return dual

    def _graph(self, like: Tree) -> Graph:
        try:
            with norms_kept_whole():
                graph = make_graph(self.primal)(map_leaves(_type_of, like))
            return normal_form(graph)
        except (ConcreteValueError, TracerConversionError) as error:
            raise type(error)(
                "dualize records the program of a norm, so that it cannot branch in Python, and the built-in max does. "
                f"Write np.maximum(a, b) for max(a, b). {error}"
            ) from None


def _type_of(leaf: Array) -> ArrayType:
    return typeof(leaf).strong()


def run_dual(graph: Graph, covectors: list[Array]) -> Array:
    """The value of the dual program: each equation in order, by its dual rule."""
    uses = Uses(graph)
    constants = dict(graph.constants)
    values: dict[Variable, Part] = {}
    linear = dual_linear_part(graph, uses, covectors)
    values.update({variable: Part(value, "linear") for variable, value in linear.items()})
    for equation in uses.equations:
        if equation.outputs[0] in uses.linear:
            continue
        operands = [_operand(atom, values, constants, equation) for atom in equation.inputs]
        parts = as_tuple(check_shapes(equation, rule_for(equation.primitive)(equation, operands)))
        if uses.leaves_entries(equation):
            raise _incomplete(equation, operands[0], graph)
        values.update(zip(equation.outputs, parts, strict=True))
    return _result(graph, values)


def _incomplete(equation: Equation, part: Part, graph: Graph) -> CovectorError:
    """The error for norms of parts of the argument that are not all used."""
    if part.alike is not None:
        return taken_apart(equation)
    return ArgumentError(
        f"dualize: `slice` leaves entries unused, so that changing them has length zero: this is a seminorm, not a "
        f"norm.\n{graph}"
    )


def _operand(atom: Any, values: dict[Variable, Part], constants: dict[Variable, Array], equation: Equation) -> Any:
    """The dual of an operand that depends on the argument, or a constant as it is."""
    if isinstance(atom, Literal) or atom in constants:
        return value_of(atom, constants)
    return values.get(atom)


def _result(graph: Graph, values: dict[Variable, Part]) -> Array:
    (output,) = graph.outputs if len(graph.outputs) == 1 else (None,)
    part = values.get(output) if isinstance(output, Variable) else None
    if part is not None and part.kind == "sorted":
        part = settled(graph.equations[-1], part)
    if part is None or output is None or output.type.shape != ():
        raise ArgumentError(f"dualize needs a function whose output is one number, a norm of its argument:\n{graph}")
    if part.kind != "gauge":
        raise ArgumentError(f"dualize: the output is not a norm but {part.description}:\n{graph}")
    return part.value
