"""associative_scan: all partial results of an associative operation, in a logarithmic number of operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from covector.core.types import Array, typeof
from covector.errors import ArgumentError, ShapeMismatchError
from covector.transforms.arguments import as_leaf
from covector.trees import Tree, flatten, flatten_like, leaf_paths, unflatten

Combine = Callable[[Sequence[Array], Sequence[Array]], list[Array]]


def associative_scan(fn: Callable[[Tree, Tree], Tree], elems: Tree, reverse: bool = False, axis: int = 0) -> Tree:
    """The partial results e0, fn(e0, e1), fn(fn(e0, e1), e2), ... of an associative function, along an axis.

    Args:
        fn: an associative function of two trees like `elems`, whose leaves are slices of any length along the
            axis: it must act on each position by itself, as NumPy's elementwise functions and `vmap` do.
        elems: an array or a tree of arrays with one length along the axis.
        reverse: from the last element to the first.
        axis: the axis to scan along.

    Raises:
        ShapeMismatchError: the lengths along the axis disagree.
        TreeMismatchError: `fn` returns another tree structure.

    About 2 log2(n) calls of `fn`, with n elements in each two of them: vectorized where `scan` is a loop.

    Source: G. Blelloch, Prefix Sums and Their Applications (1990).

    Law: for an associative fn, equal to `scan` with fn as its step, to rounding.

    Example:
        >>> associative_scan(np.multiply, np.array([1.0, 2.0, 3.0, 4.0]))
        array([ 1.,  2.,  6., 24.])
        >>> associative_scan(np.maximum, np.array([3, 1, 4, 1, 5]), reverse=True)
        array([5, 5, 5, 5, 5])
    """
    found, structure = flatten(elems)
    paths = leaf_paths(elems, "elems")
    leaves = [as_leaf(x, partial(paths.__getitem__, i)) for i, x in enumerate(found)]
    axes = [_normalized(axis, x, path) for x, path in zip(leaves, paths, strict=True)]
    lengths = {path: typeof(x).shape[i] for x, i, path in zip(leaves, axes, paths, strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{path} has {n}" for path, n in lengths.items())
        raise ShapeMismatchError(f"associative_scan needs one length along axis {axis}: {shown}")

    def in_place(side: Sequence[Array]) -> Tree:
        return unflatten(structure, [np.moveaxis(x, 0, i) for x, i in zip(side, axes, strict=True)])

    def combine(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
        result = fn(in_place(left), in_place(right))
        outputs = flatten_like(structure, result, "the result of fn", "elems")
        return [np.moveaxis(x, i, 0) for x, i in zip(outputs, axes, strict=True)]

    first = [np.moveaxis(x, i, 0) for x, i in zip(leaves, axes, strict=True)]
    results = _partial_results(combine, [x[::-1] for x in first] if reverse else first)
    results = [x[::-1] for x in results] if reverse else results
    return unflatten(structure, [_owned(np.moveaxis(x, 0, i)) for x, i in zip(results, axes, strict=True)])


def _partial_results(combine: Combine, elems: list[Array]) -> list[Array]:
    """Combines neighbours, scans these pairs, which are the results at odd places, and fills in the even ones."""
    length = typeof(elems[0]).shape[0] if elems else 0
    if length < 2:
        return elems
    odd = _partial_results(combine, combine([x[:-1:2] for x in elems], [x[1::2] for x in elems]))
    if length == 2:
        return [np.concatenate([x[:1], y]) for x, y in zip(elems, odd, strict=True)]
    before = odd if length % 2 else [x[:-1] for x in odd]
    even = combine(before, [x[2::2] for x in elems])
    return [_interleaved(np.concatenate([x[:1], y]), z) for x, y, z in zip(elems, even, odd, strict=True)]


def _interleaved(even: Array, odd: Array) -> Array:
    pairs, shape = typeof(odd).shape[0], typeof(odd).shape[1:]
    merged = np.stack([even[:pairs], odd], axis=1).reshape((2 * pairs, *shape))
    return merged if typeof(even).shape[0] == pairs else np.concatenate([merged, even[pairs:]])


def _normalized(axis: int, x: Array, path: str) -> int:
    ndim = typeof(x).ndim
    if not -ndim <= axis < ndim:
        raise ArgumentError(f"associative_scan has axis {axis}; {path} is {typeof(x)}")
    return axis % ndim


def _owned(x: Array) -> Array:
    return x.copy() if isinstance(x, np.ndarray) and x.base is not None else x
