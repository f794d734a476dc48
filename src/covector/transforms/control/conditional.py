"""cond and switch: a choice between functions that may depend on traced values.

A choice that is known is made at once, as Python's `if` would. One that is not, because it is being recorded by
`jit` or differs between the elements of a batch, becomes a single operation that holds all the branches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer, origin_of
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, DTypeMismatchError, ShapeMismatchError, TreeMismatchError
from covector.graph.graph import Graph
from covector.transforms.arguments import PLAIN_LEAVES, FlatFunction, as_leaf, owned
from covector.transforms.control.bodies import known_value, recorded, retyped, with_all_constants
from covector.transforms.control.branching import Cond
from covector.trees import Tree, TreeDefinition, flatten, leaf_paths, map_leaves, unflatten


def cond(pred: Any, true_fun: Callable[..., Tree], false_fun: Callable[..., Tree], *operands: Tree) -> Tree:
    """true_fun(*operands) if pred, else false_fun(*operands).

    Args:
        pred: a boolean, or a number that is compared with 0.
        true_fun: a function of the operands.
        false_fun: another one, that returns a tree of the same structure, shapes and dtypes.
        operands: arrays, numbers or trees of them.

    Raises:
        ArgumentError: `pred` is not a scalar.
        TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the branches return different types.

    Under `vmap` with a batch of predicates both branches are computed, and each element gets its own.

    Law: every derivative of cond is that of the branch taken.

    Example:
        >>> from covector import vmap
        >>> safe_root = lambda x: cond(x > 0.0, np.sqrt, lambda x: 0.0 * x, x)
        >>> safe_root(4.0)
        np.float64(2.0)
        >>> vmap(safe_root)(np.array([4.0, -1.0, 9.0]))
        array([ 2., -0.,  3.])
    """
    predicate = scalar(pred, "cond", "pred")
    if typeof(predicate).dtype != bool:
        predicate = predicate != 0
    return _chosen("cond", predicate, ("false_fun", "true_fun"), (false_fun, true_fun), operands)


def switch(index: Any, branches: Sequence[Callable[..., Tree]], *operands: Tree) -> Tree:
    """`branches[index](*operands)`, with the index clamped into range.

    Args:
        index: an integer.
        branches: functions of the operands that return trees of one structure, shapes and dtypes.
        operands: arrays, numbers or trees of them.

    Raises:
        ArgumentError: `index` is not an integer scalar, or there are no branches.
        TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the branches return different types.

    Example:
        >>> float(switch(1, [np.sin, np.exp, np.cos], 0.0)), float(switch(7, [np.sin, np.exp, np.cos], 0.0))
        (1.0, 1.0)
    """
    branches = tuple(branches)
    if not branches:
        raise ArgumentError("switch needs at least one branch; found none")
    place = scalar(index, "switch", "index")
    if typeof(place).dtype.kind not in "iu":
        raise ArgumentError(f"switch needs an integer index; found {typeof(place)}")
    place = np.clip(place, 0, len(branches) - 1)
    names = tuple(f"branches[{i}]" for i in range(len(branches)))
    return _chosen("switch", place, names, branches, operands)


def scalar(value: Any, what: str, name: str) -> Array:
    """The value, checked to be a single number."""
    leaf = as_leaf(value, lambda: f"{what}'s {name}")
    if typeof(leaf).shape:
        raise ArgumentError(f"{what} needs a scalar {name}; found {typeof(leaf)}")
    return leaf


def _chosen(
    what: str, index: Array, names: Sequence[str], branches: Sequence[Callable[..., Tree]], operands: tuple[Tree, ...]
) -> Tree:
    known = known_value(index)
    if not isinstance(known, Tracer):
        found = branches[int(known)](*operands)
        return owned(found) if type(found) in PLAIN_LEAVES else map_leaves(owned, found)
    leaves, structure = flatten(operands)
    paths = leaf_paths(operands, "operands")
    leaves = [as_leaf(x, partial(paths.__getitem__, i)) for i, x in enumerate(leaves)]
    kinds = [typeof(x) for x in leaves]
    flats = [FlatFunction(branch, lambda found: (unflatten(structure, found), {})) for branch in branches]
    found = [recorded(flat, kinds, origin_of(what, f)) for flat, f in zip(flats, branches, strict=True)]
    graphs = _agreeing([graph for graph, _ in found], [flat.structure for flat in flats], what, names)
    closed = [len(values) for _, values in found]
    constants = [value for _, values in found for value in values]
    outputs = Cond(with_all_constants(graphs, closed))(index, *constants, *leaves)
    return flats[0].tree(outputs)


def _agreeing(
    graphs: Sequence[Graph], structures: Sequence[TreeDefinition], what: str, names: Sequence[str]
) -> list[Graph]:
    """The graphs with outputs of the same types: a weak type gives way to a strong one."""
    for name, structure in zip(names, structures, strict=True):
        if structure != structures[0]:
            raise TreeMismatchError(
                f"the branches of {what} must return one tree structure; {names[0]} returns {structures[0]}, "
                f"{name} returns {structure}"
            )
    columns = zip(*([atom.type for atom in graph.outputs] for graph in graphs), strict=True)
    paths = leaf_paths(unflatten(structures[0], [0.0] * len(graphs[0].outputs)), "output")
    complaints = [partial(_disagreement, what, names, path) for path in paths]
    kinds = list(map(_common, columns, complaints))
    return [retyped(graph, kinds) for graph in graphs]


def _common(kinds: Sequence[ArrayType], complain: Callable[[Sequence[ArrayType]], Exception]) -> ArrayType:
    strong = [kind for kind in kinds if not kind.weak]
    common = strong[0] if strong else max(kinds, key=lambda kind: "biufc".index(kind.dtype.kind)).strong()
    for kind in kinds:
        adapts = kind.weak and np.can_cast(kind.dtype, common.dtype, "same_kind")
        if kind.shape != common.shape or not (adapts or kind.dtype == common.dtype):
            raise complain(kinds)
    return common


def _disagreement(what: str, names: Sequence[str], path: str, kinds: Sequence[ArrayType]) -> Exception:
    shown = ", ".join(f"{kind} from {name}" for kind, name in zip(kinds, names, strict=True))
    error = ShapeMismatchError if len({kind.shape for kind in kinds}) > 1 else DTypeMismatchError
    return error(f"the branches of {what} must return one type; {path} is {shown}")
