"""Jacobians and Hessians: all basis vectors at once through one linear map.

The function runs once, under linearization. A Jacobian then pushes the basis of the inputs forward (columns)
or pulls the basis of the outputs back (rows), the whole basis as one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, ParamSpec

import numpy as np

from covector.core.interpreter import origin_of
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, NotDifferentiableError
from covector.interpreters.condensing import condensed
from covector.interpreters.linearizing import linearize_flat
from covector.interpreters.staging import recorded_first
from covector.ops.axes import Permute
from covector.transforms.arguments import FlatFunction, Selection, Selector, is_scalar
from covector.transforms.derivatives import jvp, recorded_map
from covector.transforms.gradient import grad
from covector.transforms.linear_map import LinearMap, Space, basis_images
from covector.transforms.transformed import transformed
from covector.trees import Tree, flatten

P = ParamSpec("P")
Mode = Literal["auto", "forward", "reverse"]
Argnums = int | Sequence[int]


def jacobian(
    function: Callable[P, Tree],
    argnums: Argnums = 0,
    mode: Mode = "auto",
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[P, Any]:
    """The function that computes the Jacobian, in the mode that needs fewer passes.

    Args:
        function: a function of arrays, numbers or trees of them.
        argnums: which positional argument(s) to differentiate with respect to.
        mode: "forward" costs one push for each input entry, "reverse" one pull for each output entry;
            "auto" takes the smaller number, forward at a tie.
        has_aux: the function returns (output, aux); the Jacobian function then returns (jacobian, aux).
        holomorphic: complex inputs are allowed, and the function is holomorphic in them.
        chunk_size: how many basis vectors to push or pull at once; all by default, fewer to save memory.

    Returns:
        A function of the same arguments. Its result is the output's tree, in which each leaf is the tree of
        the argument with leaves of shape `(*output.shape, *input.shape)`.

    Raises:
        NotDifferentiableError: a selected argument is integer or boolean, or complex without `holomorphic`.
        ArgumentError: argnums or mode do not fit.

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), sections 3.1 and 3.2.

    Example:
        >>> import numpy as np
        >>> jacobian(lambda x: x[0] * x)(np.array([2.0, 3.0]))
        array([[4., 0.],
               [3., 2.]])
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ArgumentError(f"mode must be 'auto', 'forward' or 'reverse'; found {mode!r}")
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError(f"chunk_size must be at least 1; found {chunk_size}")

    selector = Selector(argnums)

    origin = origin_of("jacobian", function)

    def jacobian_function(*args: P.args, **kwargs: P.kwargs) -> Any:
        selection = Selection(selector, args, kwargs)
        leaves = selection.differentiable("a Jacobian")
        _check_holomorphic(selection, leaves, holomorphic)
        flat = FlatFunction(function, selection.build, has_aux)
        outputs, tape, indices = linearize_flat(recorded_first(flat, leaves, origin), leaves, origin)
        out, aux = flat.restore(outputs)
        linear_map = recorded_map(condensed(tape), indices[: len(out)], _arrays(leaves), _arrays(out))
        _check_outputs(linear_map, mode, holomorphic)
        blocks = _blocks(linear_map, mode, chunk_size)
        rows = [selection.result(row) for row in blocks]
        return (flat.tree(rows), aux) if has_aux else flat.tree(rows)

    result: Callable[P, Any] = transformed(
        jacobian_function, jacobian, function, argnums, mode, has_aux, holomorphic, chunk_size
    )
    return result


def jacfwd(
    function: Callable[P, Tree],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[P, Any]:
    """The Jacobian by forward mode: right when there are fewer inputs than outputs. See `jacobian`.

    Example:
        >>> import numpy as np
        >>> jacfwd(lambda t: np.array([np.cos(t), np.sin(t)]))(0.0)
        array([-0.,  1.])
    """
    return jacobian(function, argnums, "forward", has_aux, holomorphic, chunk_size)


def jacrev(
    function: Callable[P, Tree],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[P, Any]:
    """The Jacobian by reverse mode: right when there are fewer outputs than inputs. See `jacobian`.

    Example:
        >>> import numpy as np
        >>> jacrev(np.sum)(np.array([1.0, 2.0]))
        array([1., 1.])
    """
    return jacobian(function, argnums, "reverse", has_aux, holomorphic, chunk_size)


def hessian(
    function: Callable[P, Tree],
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Callable[P, Any]:
    """The function that computes the Hessian, forward over reverse: jacfwd(jacrev(f)). See `jacobian`.

    Returns:
        For an array x and scalar output, an array of shape `(*x.shape, *x.shape)`; for trees, nested trees.

    Law: the Hessian of a twice continuously differentiable function is symmetric.

    Example:
        >>> import numpy as np
        >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([2.0, 3.0]))
        array([[6., 4.],
               [4., 0.]])
    """
    inner = jacrev(function, argnums, has_aux, holomorphic)
    return jacfwd(inner, argnums, has_aux, holomorphic, chunk_size)


def hvp(function: Callable[..., Any], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    """The Hessian of a scalar function times a vector, forward over reverse, without forming the Hessian.

    Args:
        function: a function whose output is one real number.
        primals: its positional arguments, a tuple or list.
        tangents: the vector, with the structure, shapes and dtypes of `primals`.

    Returns:
        The product, of the structure of the argument if there is one, a tuple if there are several.

    Law: `hvp(f, (x,), (v,)) = hessian(f)(x) @ v`, for about four times the cost of f.

    Example:
        >>> import numpy as np
        >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
        array([ 6., 12.])
    """
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(function, argnums), primals, tangents)[1]


def _arrays(leaves: Sequence[Array]) -> Space:
    kinds = tuple(typeof(x).strong() for x in leaves)
    return Space(flatten(list(leaves))[1], kinds, tuple(map(is_scalar, leaves)), spread=False)


def _check_outputs(linear_map: LinearMap, mode: Mode, holomorphic: bool) -> None:
    for kind in linear_map.codomain.types:
        if not kind.differentiable:
            raise NotDifferentiableError(f"a Jacobian needs floating-point outputs; the output has type {kind}")
        if holomorphic and kind.dtype.kind != "c":
            raise NotDifferentiableError(
                f"a Jacobian with holomorphic=True needs complex outputs; the output is {kind}"
            )
        if mode == "reverse" and not holomorphic and kind.dtype.kind == "c":
            raise NotDifferentiableError(
                f"jacrev needs real outputs, because a cotangent of a real input is real; the output is {kind}. "
                "Use jacfwd."
            )


def _blocks(linear_map: LinearMap, mode: Mode, chunk_size: int | None) -> list[list[Array]]:
    """Entry [i][j] is the derivative of output leaf i in input leaf j."""
    domain, codomain = linear_map.domain, linear_map.codomain
    smaller = codomain.dimension < domain.dimension and (codomain.is_real or not domain.is_real)
    if mode == "reverse" or (mode == "auto" and smaller):
        return basis_images(linear_map.backward, codomain, domain, chunk_size)
    columns = basis_images(linear_map.forward, domain, codomain, chunk_size)
    return [
        [_outputs_first(columns[j][i], x) for j, x in enumerate(domain.types)] for i in range(len(codomain.types))
    ]


def _outputs_first(block: Array, x: ArrayType) -> Array:
    ndim = typeof(block).ndim
    if x.ndim in (0, ndim):
        return block
    moved = Permute((*range(x.ndim, ndim), *range(x.ndim)))(block)
    return np.ascontiguousarray(moved) if isinstance(moved, np.ndarray) else moved


def _check_holomorphic(selection: Selection, leaves: Sequence[Array], holomorphic: bool) -> None:
    for i, leaf in enumerate(leaves):
        if (typeof(leaf).dtype.kind == "c") != holomorphic:
            wanted = "complex" if holomorphic else "real"
            raise NotDifferentiableError(
                f"a Jacobian with holomorphic={holomorphic} needs {wanted} inputs; {selection.path(i)} is "
                f"{typeof(leaf)}"
            )
