"""make_graph: a function's program as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import evolve

from covector.core.interpreter import origin_of
from covector.core.types import Array, ArrayType, typeof
from covector.graph.graph import Graph
from covector.interpreters.staging import record_flat
from covector.transforms.arguments import FlatFunction, as_leaf
from covector.transforms.transformed import transformed
from covector.trees import Tree, flatten, leaf_paths, unflatten


def make_graph(function: Callable[..., Tree], *, concrete: bool = False) -> Callable[..., Graph]:
    """The function that records what a function does with arguments of given types, as a `Graph`.

    Args:
        function: a function of arrays, numbers or trees of them.
        concrete: let Python branch on recorded values: the graph is then that of the branches taken for
            these arguments.

    Returns:
        A function of the same arguments, of which only the types matter (unless `concrete`), so they may be
        `ArrayType`s.

    Raises:
        ConcreteValueError: the function branches on a value and `concrete` is false.

    Law: `make_graph(f)(*args)(*args) = f(*args)`.

    Example:
        >>> import numpy as np
        >>> from covector import grad
        >>> print(make_graph(grad(np.sin))(1.0))
        a: float64[]
        b: float64[] = sin a
        c: float64[] = cos a
        d: float64[] = multiply c 1.0
        return d
    """

    def recorded(*args: Tree, **kwargs: Tree) -> Graph:
        leaves, structure = flatten((args, kwargs))
        names = leaf_paths(args, "args") + leaf_paths(kwargs, "kwargs")
        leaves = [
            x if isinstance(x, ArrayType) else as_leaf(x, partial(names.__getitem__, i)) for i, x in enumerate(leaves)
        ]

        def build(found: Sequence[Array]) -> tuple[Any, Any]:
            args, kwargs = unflatten(structure, found)
            return args, kwargs

        flat = FlatFunction(function, build)
        kinds = [typeof(x) for x in leaves]
        graph = record_flat(flat, kinds, origin_of("make_graph", function), leaves if concrete else None)
        return evolve(graph, structure=flat.structure)

    recorder: Callable[..., Graph] = transformed(recorded, _make_graph, function, concrete)
    return recorder


def _make_graph(function: Callable[..., Tree], concrete: bool) -> Callable[..., Graph]:
    return make_graph(function, concrete=concrete)
