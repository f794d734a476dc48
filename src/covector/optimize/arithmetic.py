"""Sums and multiples of trees, in as few passes over memory as NumPy allows.

A tree of parameters may fill the memory, so that what an optimizer costs is how often it reads and writes it. Here a
product makes one new array, further terms are added into it, and numbers are cast to the array's dtype beforehand.

    >>> mixture((1.0, {"a": np.ones(2)}), (-0.5, {"a": np.array([2.0, 4.0])}))
    {'a': array([ 0., -1.])}
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, NotDifferentiableError, ShapeMismatchError, TreeMismatchError
from covector.norms.calculus import Product, mismatches
from covector.norms.norm import Norm
from covector.trees import Tree, flatten, flatten_like, leaf_path, leaf_paths, unflatten


def mixture(*terms: tuple[Any, Tree], reuse: bool = False) -> Tree:
    """The sum of factor * tree over the (factor, tree) pairs, in the dtypes of the first tree.

    With `reuse` it is computed into the arrays of the first tree, where they can be written into.
    """
    (factor, first), *rest = terms
    leaves, structure = flatten(first)
    totals = [_times(x, factor) if reuse and _writable(x) else _product(factor, x, _dtype(x)) for x in leaves]
    for factor, tree in rest:
        others = flatten_like(structure, tree, "a term of a sum", "the first")
        totals = [_plus(total, _product(factor, x, _dtype(total))) for total, x in zip(totals, others, strict=True)]
    return unflatten(structure, totals)


def _dtype(x: Any) -> Any:
    return typeof(x).dtype


def _product(factor: Any, leaf: Any, dtype: Any) -> Array:
    if not isinstance(factor, Tracer) and np.ndim(factor) == 0:
        factor = float(factor)  # a Python number is weak: the product has the leaf's dtype, with no second pass
    product = np.multiply(leaf, factor)
    return product if dtype.kind != "f" or product.dtype == dtype else product.astype(dtype)


def _writable(x: Any) -> bool:
    return type(x) is np.ndarray and x.ndim > 0 and x.dtype.kind == "f" and x.flags.writeable


def _times(leaf: Array, factor: Any) -> Array:
    if is_number(factor, 1.0):
        return leaf
    return leaf * factor if isinstance(factor, Tracer) else np.multiply(leaf, float(factor), out=leaf)


def _plus(total: Array, term: Array) -> Array:
    """The sum, into the memory of `total`, which nobody else has."""
    if type(total) is np.ndarray and type(term) is np.ndarray and total.ndim and total.shape == term.shape:
        return np.add(total, term, out=total)
    return total + term


def selected(condition: Array, first: Tree, second: Tree) -> Tree:
    """The first tree where a scalar condition holds, the second elsewhere."""
    leaves, structure = flatten(first)
    others = flatten_like(structure, second, "a tree to choose from", "the other")
    return unflatten(structure, [np.where(condition, x, y) for x, y in zip(leaves, others, strict=True)])


def all_finite(tree: Tree) -> bool:
    """Whether all entries of arrays that are known are finite.

    A sum of squares is finite only if all its terms are, and is found in one reading. Only if it overflows is more
    asked.
    """
    return all(_finite(x) for x in flatten(tree)[0])


def _finite(leaf: Any) -> bool:
    flat = np.reshape(leaf, -1)
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.dot(flat, flat))) or bool(np.all(np.isfinite(flat)))


# --- trees from elsewhere ---------------------------------------------------------------------------------------


def as_arrays(tree: Tree, name: str) -> Tree:
    """The tree with its leaves as NumPy arrays or numbers: those of JAX, PyTorch or autograd are converted.

    Raises NotDifferentiableError, with the path of the leaf, for what cannot be, and for what is not real.
    """
    leaves, structure = flatten(tree)
    return unflatten(structure, [_as_array(tree, name, i, x) for i, x in enumerate(leaves)])


def _as_array(tree: Tree, name: str, index: int, leaf: Any) -> Any:
    plain = isinstance(leaf, (Tracer, np.ndarray, np.generic))
    try:
        array = leaf if plain else np.asarray(leaf)
    except (RuntimeError, TypeError, ValueError) as error:  # a tensor on a device, or one that requires a gradient
        raise NotDifferentiableError(
            f"{leaf_path(tree, name, index)} is a {type(leaf).__name__} that NumPy cannot read: {error}. Give an array "
            "in the memory of the host, such as tensor.detach().cpu().numpy()"
        ) from error
    kind = array.dtype.kind
    if kind not in "fiub":
        advice = "; descend on a pair of its real and its imaginary part" if kind == "c" else ""
        found = "an array" if plain else f"a {type(leaf).__name__}"
        raise NotDifferentiableError(
            f"{leaf_path(tree, name, index)} is {found} of dtype {array.dtype}; expected real numbers{advice}"
        )
    return array if plain or array.ndim else array[()]


def floating(tree: Tree, name: str) -> Tree:
    """The tree, if its leaves are floating-point numbers; else NotDifferentiableError, with the path of the leaf."""
    for i, leaf in enumerate(flatten(tree)[0]):
        if leaf.dtype.kind != "f":
            path = leaf_path(tree, name, i)
            raise NotDifferentiableError(
                f"{path} has dtype {leaf.dtype}, and cannot move by parts of one. Write {path}.astype(float), or a "
                "number with a decimal point"
            )
    return tree


def alike(gradient: Tree, params: Tree) -> Tree:
    """The gradient in the dtypes of its parameters.

    Raises TreeMismatchError or ShapeMismatchError, with the path, unless it fits them.
    """
    check_fits("gradient", gradient, "params", params)
    leaves, structure = flatten(gradient)
    return unflatten(structure, [_in_dtype(x, y.dtype) for x, y in zip(leaves, flatten(params)[0], strict=True)])


def check_fits(name: str, tree: Tree, other_name: str, other: Tree) -> None:
    """Raises TreeMismatchError or ShapeMismatchError, with the path, unless two trees have one structure and shapes."""
    leaves, structure = flatten(tree)
    others, wanted = flatten(other)
    if structure != wanted:
        difference = _difference(name, tree, other_name, other)
        raise TreeMismatchError(f"{name} must have the structure of {other_name}: {difference}")
    for i, (x, y) in enumerate(zip(leaves, others, strict=True)):
        if np.shape(x) != np.shape(y):
            raise ShapeMismatchError(
                f"{leaf_path(tree, name, i)} has shape {np.shape(x)}, but "
                f"{leaf_path(other, other_name, i)} has {np.shape(y)}"
            )


def _in_dtype(x: Any, dtype: Any) -> Any:
    if x.dtype == dtype:
        return x
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is reported as such
        return x.astype(dtype)


def _difference(name: str, tree: Tree, other_name: str, other: Tree) -> str:
    found, wanted = (leaf_paths(x, "") for x in (tree, other))
    missing = [f"{name}{path} is missing" for path in wanted if path not in found]
    extra = [f"{name}{path} has no partner in {other_name}" for path in found if path not in wanted]
    return "; ".join(missing + extra) or "their containers are of different kinds"


def check_measures(norm: Norm, params: Tree) -> None:
    """Raises TreeMismatchError, with the path, if a tree of norms is not a prefix of the parameters."""
    if not isinstance(norm, Product):
        return
    problems = mismatches(norm.structure, params, "params")
    if problems:
        raise TreeMismatchError(f"a tree of norms must be a prefix of the parameters: {'; '.join(problems)}")


def same(first: Tree, second: Tree) -> bool:
    """Whether all entries of two trees of one structure are equal."""
    return all(bool(np.array_equal(x, y)) for x, y in zip(flatten(first)[0], flatten(second)[0], strict=True))


def known(tree: Tree) -> bool:
    """Whether no leaf of a tree is traced."""
    return not any(isinstance(x, Tracer) for x in flatten(tree)[0])


def is_number(value: Any, number: float) -> bool:
    """Whether an option is known to be this number; a traced one is not."""
    return not isinstance(value, Tracer) and bool(value == number)


def check_number(name: str, number: Any, wanted: str = "a number") -> None:
    """Raises ArgumentError unless an option is a real number, which may be traced."""
    if isinstance(number, Tracer):
        return
    if isinstance(number, (str, bool)) or np.ndim(number) != 0 or np.asarray(number).dtype.kind not in "fiu":
        raise ArgumentError(f"{name} must be {wanted}; found {number!r}")


def check_numbers(**options: Any) -> None:
    """Raises ArgumentError unless all are real numbers."""
    for name, number in options.items():
        check_number(name, number)


def check_not_negative(name: str, number: Any) -> None:
    """Raises ArgumentError unless an option is a number that is not negative."""
    check_number(name, number)
    if not isinstance(number, Tracer) and not number >= 0:
        raise ArgumentError(f"{name} must not be negative; found {number!r}")


def check_count(name: str, number: Any) -> None:
    """Raises ArgumentError unless an option is a whole number that is not negative."""
    if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or number < 0:
        raise ArgumentError(f"{name} must be a whole number that is not negative; found {number!r}")


def check_positive(name: str, number: Any) -> None:
    """Raises ArgumentError unless an option is None or a positive number."""
    if number is None:
        return
    check_number(name, number)
    if not isinstance(number, Tracer) and not number > 0:
        raise ArgumentError(f"{name} must be positive; found {number!r}")
