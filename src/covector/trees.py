"""Trees: nested tuples, lists, dicts, namedtuples, None and registered classes, and the arrays at their leaves.

optree does the flattening; this module fixes its namespace and adds the paths that error messages name.
None is an empty tree. Register a class of your own with `optree.register_pytree_node(..., namespace="covector")`
or in optree's global namespace.

    >>> leaves, tree = flatten({"b": 2.0, "a": (1.0, None)})
    >>> leaves
    [1.0, 2.0]
    >>> unflatten(tree, [10.0, 20.0])
    {'b': 20.0, 'a': (10.0, None)}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from covector.errors import TreeMismatchError

NAMESPACE = "covector"

Tree = Any
TreeDefinition = optree.PyTreeSpec


def flatten(tree: Tree) -> tuple[list[Any], TreeDefinition]:
    """The leaves in order, and the structure that puts them back together."""
    return optree.tree_flatten(tree, namespace=NAMESPACE)


def unflatten(structure: TreeDefinition, leaves: Sequence[Any]) -> Tree:
    """The tree of this structure with these leaves."""
    return optree.tree_unflatten(structure, leaves)


def map_leaves(function: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """The tree of the function of corresponding leaves."""
    return optree.tree_map(function, tree, *rest, namespace=NAMESPACE)


def leaf_paths(tree: Tree, name: str) -> list[str]:
    """The Python expression of each leaf, starting from `name`: `params['weights'][0]`."""
    accessors, _, _ = optree.tree_flatten_with_accessor(tree, namespace=NAMESPACE)
    return [accessor.codify(name) for accessor in accessors]


def leaf_path(tree: Tree, name: str, index: int) -> str:
    """The Python expression of one leaf."""
    return leaf_paths(tree, name)[index]


def flatten_like(structure: TreeDefinition, tree: Tree, what: str, like: str) -> list[Any]:
    """The leaves of a tree that must have the given structure."""
    leaves, found = flatten(tree)
    if found != structure:
        raise TreeMismatchError(
            f"{what} must have the tree structure of {like}, {_shown(structure)}; found {_shown(found)}"
        )
    return leaves


def flatten_prefix(prefix: Tree, tree: Tree, what: str, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """One entry of `prefix`, which may be None, for each leaf of `tree`, of which `prefix` is a prefix."""
    leaves = optree.tree_leaves(tree, is_leaf=is_leaf, none_is_leaf=True, namespace=NAMESPACE)
    try:
        entries = optree.broadcast_prefix(prefix, tree, is_leaf=is_leaf, none_is_leaf=True, namespace=NAMESPACE)
        return [entry for entry, leaf in zip(entries, leaves, strict=True) if leaf is not None]
    except ValueError as error:
        raise TreeMismatchError(f"{what} must be a prefix of the tree it describes: {error}") from error


def _shown(structure: TreeDefinition) -> str:
    return str(structure).removeprefix("PyTreeSpec(").removesuffix(f", namespace='{NAMESPACE}')").removesuffix(")")
