"""Gradients: one pull of the cotangent 1 through the derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from covector.core.interpreter import Tracer, origin_of
from covector.core.types import Array, typeof
from covector.errors import NonScalarOutputError, NotDifferentiableError
from covector.interpreters.linearizing import linearize_flat
from covector.interpreters.staging import recorded_first
from covector.interpreters.tape import pull
from covector.ops.comparison import ONE_LIKE
from covector.transforms.arguments import FlatFunction, Results, Selection, Selector, is_scalar, owned
from covector.transforms.transformed import transformed

P = ParamSpec("P")
R = TypeVar("R")


def grad(
    function: Callable[P, Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[P, Any]:
    """The function that computes the gradient of a scalar function.

    Args:
        function: a function of arrays, numbers or trees of them, whose output is one real number.
        argnums: which positional argument(s) to differentiate with respect to; the first by default.
        argnames: which keyword argument(s) to differentiate with respect to.
        has_aux: the function returns (output, aux); the gradient function then returns (gradient, aux).
        holomorphic: the function is holomorphic: complex inputs, complex output.

    Returns:
        A function of the same arguments. Its result has the structure, shapes and dtypes of the argument, or is
        a tuple of such for several. For complex z = x + iy the gradient of a real function is df/dx - i df/dy.

    Raises:
        NonScalarOutputError: the output is not one number, or is complex without `holomorphic`.
        NotDifferentiableError: a selected argument is integer or boolean.
        ArgumentError: argnums or argnames do not fit the call.

    Law: `<grad(f)(x), v> = jvp(f, (x,), (v,))[1]`.

    Example:
        >>> import numpy as np
        >>> grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
        array([2., 4.])
        >>> float(grad(grad(np.sin))(np.pi / 2))
        -1.0
    """
    derivative = _value_and_grad(function, argnums, argnames, has_aux, holomorphic)

    def gradient(*args: P.args, **kwargs: P.kwargs) -> Any:
        value, result = derivative(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    result: Callable[P, Any] = transformed(gradient, grad, function, argnums, argnames, has_aux, holomorphic)
    return result


def value_and_grad(
    function: Callable[P, R],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[P, tuple[R, Any]]:
    """The function that computes a scalar function's value together with its gradient.

    Args, errors and conventions are those of `grad`. The function returns (value, gradient), or
    ((value, aux), gradient) with `has_aux`.

    Example:
        >>> import numpy as np
        >>> value, gradient = value_and_grad(lambda x: x * x)(3.0)
        >>> float(value), float(gradient)
        (9.0, 6.0)
    """
    derivative = _value_and_grad(function, argnums, argnames, has_aux, holomorphic)
    result: Callable[P, tuple[R, Any]] = transformed(
        derivative, value_and_grad, function, argnums, argnames, has_aux, holomorphic
    )
    return result


def _value_and_grad(
    function: Callable[P, R],
    argnums: int | Sequence[int] | None,
    argnames: str | Sequence[str] | None,
    has_aux: bool,
    holomorphic: bool,
) -> Callable[P, tuple[R, Any]]:
    if argnums is None and argnames is None:
        argnums = 0
    origin, selector = origin_of("grad", function), Selector(argnums, argnames)

    def value_and_gradient(*args: P.args, **kwargs: P.kwargs) -> tuple[R, Any]:
        selection = Selection(selector, args, kwargs)
        leaves = selection.differentiable("grad")
        if holomorphic:
            _check_complex(selection, leaves)
        flat = FlatFunction(function, selection.build, has_aux)
        outputs, tape, indices = linearize_flat(recorded_first(flat, leaves, origin), leaves, origin)
        values, aux = flat.restore(outputs)
        seed = _seed(flat, values, holomorphic)
        value = owned(values[0])
        seeds = [] if indices[0] is None else [(indices[0], seed)]
        cotangents = pull(tape, seeds, len(leaves), consume=True)
        gradient = selection.result(_gradients(cotangents, leaves, seed))
        found: Any = (value, aux) if has_aux else value
        return found, gradient

    return value_and_gradient


def _gradients(cotangents: Sequence[Array | None], primals: Sequence[Array], seed: Array) -> list[Array]:
    results = Results([seed])
    return [
        np.float64(c)
        if type(p) is float and type(c) in (float, np.float64)
        else results.make(c, typeof(p).strong(), is_scalar(p))
        for c, p in zip(cotangents, primals, strict=True)
    ]


def _seed(flat: FlatFunction, values: Sequence[Array], holomorphic: bool) -> Array:
    """The cotangent 1 of the output's dtype, if it is the output of a function that has a gradient."""
    if len(values) != 1:
        raise NonScalarOutputError(
            f"grad needs a function with one scalar output; the output is {flat.tree(['*'] * len(values))}. Use "
            "has_aux=True for extra outputs, or jacrev for the derivative of all of them."
        )
    (value,) = values
    if type(value) in (float, np.float64) and not holomorphic:
        return 1.0
    kind = typeof(value)
    if kind.shape != ():
        raise NonScalarOutputError(
            f"grad needs a scalar output; the output is {kind}. Sum it (np.sum), or use jacrev, jacfwd or vjp."
        )
    if kind.dtype.kind == "c" and not holomorphic:
        raise NonScalarOutputError(
            f"grad needs a real output; the output is {kind}. Take a real part, or pass holomorphic=True if the "
            "function is holomorphic."
        )
    if holomorphic and kind.dtype.kind != "c":
        raise NotDifferentiableError(f"holomorphic=True needs a complex output; the output is {kind}")
    if kind.dtype.kind not in "fc":
        raise NotDifferentiableError(f"grad needs a floating-point output; the output is {kind}")
    if kind.weak:
        return 1.0
    # jit records where the seed comes from, so that what follows from it is recorded as numbers too
    compiled = isinstance(value, Tracer) and value.lift(_MARKER) is not _MARKER
    return ONE_LIKE(value) if compiled else kind.dtype.type(1)


_MARKER = np.ones(())


def _check_complex(selection: Selection, leaves: Sequence[Array]) -> None:
    for i, leaf in enumerate(leaves):
        if np.result_type(typeof(leaf).dtype).kind != "c":
            raise NotDifferentiableError(
                f"holomorphic=True needs complex inputs; {selection.path(i)} is {typeof(leaf)}. Write "
                f"{selection.path(i)} + 0j."
            )
