"""vmap: a function of one example becomes a function of a batch, without a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ParamSpec

from covector.core.broadcasting import BroadcastTo
from covector.core.interpreter import origin_of
from covector.core.types import Array, typeof
from covector.errors import BatchAxisError
from covector.interpreters.batching import batch_flat
from covector.ops.axes import Permute
from covector.transforms.arguments import FlatFunction, Results, as_leaf
from covector.transforms.transformed import transformed
from covector.trees import flatten, flatten_prefix, leaf_paths, unflatten

P = ParamSpec("P")


def vmap(
    function: Callable[P, Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_size: int | None = None,
) -> Callable[..., Any]:
    """The function applied to every element along an axis, all at once.

    Args:
        function: a function of arrays, numbers or trees of them.
        in_axes: which axis of each positional argument to map over: an int, None (not mapped), or a tuple
            or tree prefix of those, one entry for each argument. Negative axes count from the end.
            Keyword arguments are mapped over axis 0.
        out_axes: where the mapped axis goes in each output: an int or a tree prefix; None for an output
            that does not depend on the mapped arguments.
        axis_size: the size of the mapped axis; needed only if nothing is mapped.

    Returns:
        A function of the batched arguments.

    Raises:
        BatchAxisError: an axis is out of range, or the sizes of the mapped axes disagree.
        ConcreteValueError: the function branches on a mapped value; use np.where.

    Law: `vmap(f)(xs) = np.stack([f(x) for x in xs])`.

    Example:
        >>> import numpy as np
        >>> vmap(np.dot)(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]))
        array([1., 4.])
        >>> vmap(lambda x, y: x * y, in_axes=(0, None))(np.arange(3.0), 2.0)
        array([0., 2., 4.])
    """
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)

    origin = origin_of("vmap", function)

    def batched_function(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        axes = _input_axes(in_axes, args, kwargs)
        names = leaf_paths(args, "args") + leaf_paths(kwargs, "kwargs")
        leaves = [as_leaf(x, partial(names.__getitem__, i)) for i, x in enumerate(leaves)]
        size = _batch_size(leaves, axes, names, axis_size)
        inputs = [x if axis is None else _to_front(x, axis) for x, axis in zip(leaves, axes, strict=True)]
        flat = FlatFunction(function, lambda found: unflatten(structure, found))
        outputs, batched = batch_flat(flat, inputs, [a is not None for a in axes], size, origin)
        places = flatten_prefix(out_axes, flat.tree(range(flat.count)), "out_axes")
        results = Results([*leaves, *inputs])
        return flat.tree([results.keep(_placed(*each, size)) for each in zip(outputs, batched, places, strict=True)])

    result: Callable[..., Any] = transformed(batched_function, vmap, function, in_axes, out_axes, axis_size)
    return result


def _input_axes(in_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int | None]:
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise BatchAxisError(
            f"in_axes has {len(in_axes)} entries, but the function was called with {len(args)} arguments"
        )
    return flatten_prefix(in_axes, args, "in_axes") + [0] * len(flatten(kwargs)[0])


def _batch_size(leaves: Sequence[Array], axes: Sequence[Any], names: Sequence[str], given: int | None) -> int:
    sizes: dict[str, int] = {} if given is None else {"axis_size": given}
    for leaf, axis, name in zip(leaves, axes, names, strict=True):
        if axis is None:
            continue
        shape = typeof(leaf).shape
        if not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
            raise BatchAxisError(f"vmap cannot map axis {axis!r} of {name}, which is {typeof(leaf)}")
        sizes[name] = shape[axis]
    if not sizes:
        raise BatchAxisError("vmap has nothing to map over: every in_axes is None; pass axis_size=")
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise BatchAxisError(f"vmap needs mapped axes of one size: {shown}")
    return next(iter(sizes.values()))


def _to_front(x: Array, axis: int) -> Array:
    ndim = typeof(x).ndim
    axis %= ndim
    return Permute((axis, *(i for i in range(ndim) if i != axis)))(x) if axis else x


def _placed(x: Array, batched: bool, place: Any, size: int) -> Array:
    if place is None:
        if batched:
            raise BatchAxisError("out_axes is None for an output that depends on the mapped arguments")
        return x
    kind = typeof(x)
    ndim = kind.ndim if batched else kind.ndim + 1
    if not isinstance(place, int) or not -ndim <= place < ndim:
        raise BatchAxisError(f"out_axes has {place}, but the batched output has {ndim} axes")
    if not batched:
        x = BroadcastTo((size, *kind.shape))(x)
    place %= ndim
    return Permute((*range(1, place + 1), 0, *range(place + 1, ndim)))(x) if place else x
