"""The derivative as a linear map, in its three guises: pushed forward, pulled back, and as an object.

`jvp` pushes one tangent through f, `vjp` returns a function that pulls cotangents back, and `linearize`
returns the `LinearMap` itself, of which the other two are applications.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar, overload

from covector.core.interpreter import origin_of
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.linearizing import linearize_flat, record_linear_flat
from covector.interpreters.staging import recorded_first
from covector.interpreters.tape import Tape, pull, push
from covector.transforms.arguments import (
    FlatFunction,
    Results,
    conforming_leaves,
    differentiable_leaf,
    is_scalar,
    owned,
    positional,
)
from covector.transforms.linear_map import LinearMap, Space
from covector.trees import Tree, TreeDefinition

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")


@overload
def jvp(
    function: Callable[P, R], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: Literal[False] = False
) -> tuple[R, R]: ...


@overload
def jvp(
    function: Callable[P, tuple[R, A]], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: Literal[True]
) -> tuple[R, R, A]: ...


def jvp(function: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: bool = False) -> Any:
    """The output of a function and its directional derivative, by forward mode.

    Args:
        function: a function of arrays, numbers or trees of them.
        primals: its positional arguments, a tuple or list; floating-point leaves.
        tangents: the direction, with the structure, shapes and dtypes of `primals`.
        has_aux: the function returns (output, aux), and aux is passed through undifferentiated.

    Returns:
        (output, tangent), or (output, tangent, aux). The tangent has the structure, shapes and dtypes of the output.

    Raises:
        NotDifferentiableError: a primal is integer or boolean.
        TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the tangents do not fit the primals.

    Law: `jvp(f, x, v)` is linear in v, and equals the limit of `(f(x + h v) - f(x)) / h`.

    Example:
        >>> import numpy as np
        >>> y, dy = jvp(np.sin, (0.0,), (2.0,))
        >>> float(y), float(dy)
        (0.0, 2.0)
    """
    selection = positional(_as_arguments(primals, "primals"))
    leaves = selection.differentiable("jvp")
    kinds = [typeof(x) for x in leaves]
    given = _as_arguments(tangents, "tangents")
    directions = conforming_leaves(selection.tree_structure(), given, kinds, ("tangents", "primals"))
    flat = FlatFunction(function, selection.build, has_aux)
    origin = origin_of("jvp", function)
    outputs, derivatives = jvp_flat(recorded_first(flat, leaves, origin), leaves, directions, origin)
    out, aux = flat.restore(outputs)
    results = Results([*directions, *leaves])
    tangents_out = zip(out, derivatives[: len(out)], strict=True)
    made = [results.make(t, typeof(p).strong(), is_scalar(p)) for p, t in tangents_out]
    # what has no tangent may be closed over
    values = [owned(x) if t is None else results.keep(x) for x, t in zip(out, derivatives, strict=False)]
    pair = flat.tree(values), flat.tree(made)
    return (*pair, aux) if has_aux else pair


@overload
def linearize(function: Callable[P, R], *primals: Tree, has_aux: Literal[False] = False) -> tuple[R, LinearMap]: ...


@overload
def linearize(function: Callable[P, tuple[R, A]], *primals: Tree, has_aux: Literal[True]) -> tuple[R, LinearMap, A]: ...


def linearize(function: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> Any:
    """The output of a function and its derivative at the primals, a `LinearMap`.

    The function runs once; the map can be applied to any number of tangents, transposed, and made a matrix,
    and stays valid whatever happens to the primals.

    Args:
        function: a function of arrays, numbers or trees of them.
        *primals: its positional arguments; floating-point leaves.
        has_aux: the function returns (output, aux).

    Returns:
        (output, linear_map), or (output, linear_map, aux).

    Raises:
        NotDifferentiableError: a primal is integer or boolean.

    Law: `linearize(f, x)[1](v) = jvp(f, (x,), (v,))[1]`.

    Example:
        >>> import numpy as np
        >>> y, derivative = linearize(lambda x: x * x, np.array([1.0, 2.0]))
        >>> derivative(np.array([1.0, 1.0]))
        array([2., 4.])
    """
    selection = positional(primals)
    leaves = [owned(x) for x in selection.differentiable("linearize")]
    flat = FlatFunction(function, selection.build, has_aux)
    origin = origin_of("linearize", function)
    outputs, tape, indices = linearize_flat(recorded_first(flat, leaves, origin), leaves, origin, own=True)
    out, aux = flat.restore(outputs)
    out = [owned(x) for x in out]
    domain = _space(selection.tree_structure(), leaves, spread=True)
    codomain = _space(flat.structure, out, spread=False)
    linear_map = recorded_map(tape, indices[: len(out)], domain, codomain)
    value = flat.tree(out)
    return (value, linear_map, aux) if has_aux else (value, linear_map)


@overload
def vjp(function: Callable[P, R], *primals: Tree, has_aux: Literal[False] = False) -> tuple[R, LinearMap]: ...


@overload
def vjp(function: Callable[P, tuple[R, A]], *primals: Tree, has_aux: Literal[True]) -> tuple[R, LinearMap, A]: ...


def vjp(function: Callable[..., Any], *primals: Tree, has_aux: bool = False) -> Any:
    """The output of a function, and the function that pulls cotangents back to its arguments, by reverse mode.

    Args:
        function: a function of arrays, numbers or trees of them.
        *primals: its positional arguments; floating-point leaves.
        has_aux: the function returns (output, aux).

    Returns:
        (output, pullback), or (output, pullback, aux). `pullback(cotangent)` takes a cotangent of the structure,
        shapes and dtypes of the output, any number of times, and returns a tuple with one cotangent per primal.

    Raises:
        NotDifferentiableError: a primal is integer or boolean.

    Law: `<w, jvp(f, x, v)> = <pullback(w), v>`, where `<w, v>` is the sum of products, without a conjugate.

    Example:
        >>> import numpy as np
        >>> y, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
        >>> tuple(map(float, pullback(1.0)))
        (4.0, 3.0)
    """
    if has_aux:
        value, linear_map, aux = linearize(function, *primals, has_aux=True)
        return value, linear_map.transpose(), aux
    value, linear_map = linearize(function, *primals)
    return value, linear_map.transpose()


def linear_transpose(function: Callable[..., Tree], *primals: Tree) -> LinearMap:
    """The transpose of a function that is linear, as a `LinearMap` from cotangents to a tuple of cotangents.

    Args:
        function: a linear function of arrays or trees of them.
        *primals: example arguments; only their shapes and dtypes matter, so `ArrayType`s will do.

    Raises:
        NonlinearError: the function is not linear.

    Law: `<w, f(v)> = <linear_transpose(f, v)(w), v>`.

    Example:
        >>> import numpy as np
        >>> linear_transpose(np.cumsum, np.zeros(3))(np.array([1.0, 1.0, 1.0]))
        (array([3., 2., 1.]),)
    """
    selection = positional(primals)
    kinds = [
        x
        if isinstance(x, ArrayType)
        else typeof(differentiable_leaf(x, partial(selection.path, i), "linear_transpose"))
        for i, x in enumerate(selection.leaves)
    ]
    flat = FlatFunction(function, selection.build)
    tape, indices, types = record_linear_flat(flat, kinds, origin_of("linear_transpose", function))
    domain = Space(selection.tree_structure(), tuple(kinds), (False,) * len(kinds), spread=True)
    codomain = Space(flat.structure, tuple(types), (False,) * len(types), spread=False)
    return recorded_map(tape, indices, domain, codomain).transpose()


def recorded_map(tape: Tape, indices: Sequence[int | None], domain: Space, codomain: Space) -> LinearMap:
    """The linear map that a tape records, between the given spaces."""

    def forward(tangents: Sequence[Array | None]) -> Sequence[Array | None]:
        pushed = push(tape, tangents, [i for i in indices if i is not None])
        rest = iter(pushed)
        return [None if i is None else next(rest) for i in indices]

    def backward(cotangents: Sequence[Array | None]) -> Sequence[Array | None]:
        seeds = [(i, c) for i, c in zip(indices, cotangents, strict=True) if i is not None and c is not None]
        return pull(tape, seeds, len(domain.types), consume=False)

    return LinearMap(domain, codomain, forward, backward)


def _space(structure: TreeDefinition, leaves: Sequence[Array], *, spread: bool) -> Space:
    kinds = tuple(typeof(x) for x in leaves)
    return Space(structure, kinds, tuple(map(is_scalar, leaves)), spread)


def _as_arguments(values: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(values, (tuple, list)):
        raise ArgumentError(f"{name} must be a tuple or list, one entry per argument; found {type(values).__name__}")
    return tuple(values)
