"""Trees of arrays as vectors, and arithmetic that is the same at every scale.

A norm treats its argument as one long vector: `ravel` lays a tree out so, and gives the way back. Before powers are
taken, everything is divided by `magnitude`, the power of two next to the largest entry: that rounds nothing, so a
norm of numbers near 1e-150 or 1e150 is as accurate as one of numbers near 1, and there is no absolute tolerance.

    >>> vector, restore = ravel({"a": np.array([3.0, 4.0]), "b": 5.0})
    >>> vector
    array([3., 4., 5.])
    >>> float(magnitude(vector))
    4.0
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import frexp
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import NotDifferentiableError, ShapeMismatchError
from covector.transforms.control.conditional import cond
from covector.transforms.stop import stop_gradient
from covector.trees import Tree, flatten, flatten_like, leaf_path, map_leaves, unflatten


def ravel(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """The entries of a tree of real arrays as one vector, and the function that puts such a vector back in its form.

    Integers become floating-point numbers. Raises NotDifferentiableError for complex entries: a norm here is one of
    real vectors.
    """
    leaves, structure = flatten(tree)
    leaves = [real_leaf(tree, i, leaf) for i, leaf in enumerate(leaves)]
    kinds = [typeof(leaf) for leaf in leaves]
    if len(leaves) == 1:
        (kind,) = kinds

        def restore_one(vector: Array) -> Tree:
            return unflatten(structure, [_as_leaf(vector, kind.shape, kind.dtype)])

        return np.reshape(leaves[0], -1), restore_one
    bounds = np.cumsum([0, *(kind.size for kind in kinds)]).tolist()

    def restore(vector: Array) -> Tree:
        parts = [vector[start:stop] for start, stop in pairwise(bounds)]
        return unflatten(structure, [_as_leaf(x, k.shape, k.dtype) for x, k in zip(parts, kinds, strict=True)])

    flat = [np.reshape(leaf, -1) for leaf in leaves]
    return np.concatenate(flat) if flat else np.zeros(0), restore


def doubles(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """The entries as one vector of doubles, and the way back to one of doubles: for work that rounding would spoil."""
    flat, _ = ravel(tree)
    _, restore = ravel(map_leaves(_zeros, tree))
    return flat.astype(float), restore


def _zeros(leaf: Array) -> Array:
    return np.zeros(np.shape(leaf))


def _as_leaf(vector: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    leaf = np.reshape(vector, shape)
    leaf = leaf if leaf.dtype == dtype else leaf.astype(dtype)
    return leaf if shape or isinstance(leaf, Tracer) else leaf[()]


def real_leaf(tree: Tree, index: int, leaf: Any) -> Array:
    """The leaf as an array of floating-point numbers."""
    leaf = leaf if isinstance(leaf, (Tracer, np.ndarray, np.generic)) else np.asarray(leaf)
    kind = typeof(leaf).dtype.kind
    if kind == "f":
        return leaf
    if kind in "iub":
        return leaf.astype(float)
    raise NotDifferentiableError(f"a norm needs real numbers; {leaf_path(tree, 'argument', index)} is {typeof(leaf)}")


def magnitude(vector: Array) -> Array:
    """The largest power of two that is at most the largest |entry|; 1 if all are zero. Constant to every derivative.

    Law: `vector / magnitude(vector)` is exact, and its largest entry is between 1 and 2.
    """
    if typeof(vector).size == 0:
        return 1.0
    if not isinstance(vector, Tracer):
        return _power_of_two(np.max(np.abs(vector)))
    largest = np.max(np.abs(stop_gradient(vector)))
    exponent = np.floor(np.log2(np.where(largest > 0, largest, 1.0)))      # that of the largest number is rounded up
    exponent = np.where(largest < np.inf, np.minimum(exponent, np.finfo(largest.dtype).maxexp - 1), exponent)
    return np.exp2(exponent).astype(largest.dtype)


def _power_of_two(largest: Array) -> Array:
    """The same for a number that is known, from its bits."""
    if not 0 < largest < np.inf:
        return largest if largest > 0 else largest.dtype.type(1.0)
    return np.ldexp(largest.dtype.type(1.0), frexp(largest)[1] - 1)


def moderate(square: Any) -> bool:
    """Whether a sum of squares is so far from the limits of its dtype that it is as accurate as any."""
    limits = np.finfo(square.dtype)
    return bool(limits.tiny**0.5 < square < limits.max**0.5)


def ratio(numerator: Array, denominator: Array) -> Array:
    """The quotient, zero where the denominator is."""
    if not isinstance(denominator, Tracer) and np.ndim(denominator) == 0 and denominator != 0:
        return numerator / denominator
    zero = denominator == 0
    return np.where(zero, 0.0, numerator) / np.where(zero, 1.0, denominator)


def either(condition: Any, one: Callable[..., Tree], other: Callable[..., Tree], *operands: Tree) -> Tree:
    """What one function of the operands returns if a condition holds, else what the other does.

    Only that one runs, but when traced for what does not depend on the operands.
    """
    if isinstance(condition, Tracer):
        return cond(condition, one, other, *operands)
    return one(*operands) if condition else other(*operands)


def root(total: Array, order: Any) -> Array:
    """total ** (1 / order) for a total >= 0, with derivative zero at zero."""
    zero = total == 0
    safe = np.where(zero, 1.0, total)
    return np.where(zero, 0.0, np.sqrt(safe) if _is_two(order) else safe ** (1.0 / order))


def _is_two(order: Any) -> bool:
    return not isinstance(order, Tracer) and order == 2


def pairing(covector: Tree, vector: Tree) -> Array:
    """The number <g, v>: the sum of products of corresponding entries of two trees.

    Raises TreeMismatchError or ShapeMismatchError if their structures or shapes differ.

    Example:
        >>> float(pairing({"a": np.array([1.0, 2.0])}, {"a": np.array([3.0, 4.0])}))
        11.0
    """
    left, structure = flatten(covector)
    right = flatten_like(structure, vector, "the vector", "the covector")
    total: Array = 0.0
    for i, (x, y) in enumerate(zip(left, right, strict=True)):
        if np.shape(x) != np.shape(y):
            path = leaf_path(covector, "covector", i)
            raise ShapeMismatchError(f"{path} has shape {np.shape(x)}, its partner in the vector {np.shape(y)}")
        total = total + np.dot(np.reshape(x, -1), np.reshape(y, -1))
    return total


def typed_like(example: Tree, tree: Tree) -> Tree:
    """The tree with the floating-point dtypes of another of the same structure."""
    dtypes = [typeof(x).dtype for x in flatten(example)[0]]
    leaves, structure = flatten(tree)
    return unflatten(structure, [x.astype(d) if d.kind == "f" else x for x, d in zip(leaves, dtypes, strict=True)])


def number_like(example: Tree, number: Array) -> Array:
    """A number in the dtype that the floating-point entries of a tree have together.

    Parameters of a norm are double, and so would be all that it measures.
    """
    plain = isinstance(number, (np.ndarray, np.generic))
    if plain and isinstance(example, np.ndarray) and number.dtype == example.dtype:
        return number
    kinds = [typeof(x).dtype for x in flatten(example)[0]]
    if not (plain or isinstance(number, Tracer)) or not kinds or any(kind.kind != "f" for kind in kinds):
        return number
    dtype = np.result_type(*kinds)
    return number if number.dtype == dtype else number.astype(dtype)


def scaled(factor: Any, tree: Tree) -> Tree:
    """The tree multiplied by a number; leaves keep their dtypes."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [_scaled_leaf(factor, x) for x in leaves])


def _scaled_leaf(factor: Any, leaf: Any) -> Array:
    product = factor * np.asarray(leaf) if not isinstance(leaf, Tracer) else factor * leaf
    dtype = typeof(leaf).dtype
    return product if product.dtype == dtype or dtype.kind != "f" else product.astype(dtype)


def combined(*terms: tuple[Any, Tree]) -> Tree:
    """The sum of factor * tree over the (factor, tree) pairs, in the dtypes of the first tree."""
    (factor, first), *rest = terms
    leaves, structure = flatten(first)
    totals = [_scaled_leaf(factor, x) for x in leaves]
    for factor, tree in rest:
        others = flatten_like(structure, tree, "a term of a sum", "the first")
        totals = [total + _scaled_leaf(factor, x) for total, x in zip(totals, others, strict=True)]
    dtypes = [typeof(x).dtype for x in leaves]
    kept = [t if t.dtype == d or d.kind != "f" else t.astype(d) for t, d in zip(totals, dtypes, strict=True)]
    return unflatten(structure, kept)
