"""Prints as source: a call of `print`, in a comprehension over the elements of a batch.

    print('x = {:.3f}'.format(x_1))
    [print('{}: {}'.format('loss', x_1[i])) for i in range(100)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from covector.compile.guards import Guard
from covector.graph.graph import Equation, Graph

INDICES = ("i", "j", "k", "l", "m", "n")
"""The names of the elements of nested batches."""


def print_expression(equation: Equation, inputs: Sequence[str]) -> str | None:
    """A debug_print of the inputs; None if its arguments are in containers that source cannot write."""
    primitive: Any = equation.primitive
    indices = INDICES[: len(primitive.levels)]
    if len(indices) < len(primitive.levels):
        return None
    columns = [flags for _, flags in primitive.levels]
    places = [
        text + "".join(f"[{i}]" for i, flags in zip(indices, columns, strict=True) if flags[k])
        for k, text in enumerate(inputs)
    ]
    args, kwargs = primitive.arguments([_Source(place) for place in places])
    written = [_written(x) for x in args] + [_named(name, x) for name, x in kwargs.items()]
    if any(x is None for x in written):
        return None
    call = f"print({primitive.message!r}.format({', '.join(map(str, written))}))"
    loops = " ".join(f"for {i} in range({size})" for i, (size, _) in zip(indices, primitive.levels, strict=True))
    return f"[{call} {loops}]" if loops else call


def has_prints(graph: Graph) -> bool:
    """Whether running the graph has an effect that can be seen; a guard has none."""
    return any(e.primitive.effect and not isinstance(e.primitive, Guard) for e in graph.equations)


class _Source(str):
    """The source of an input, as opposed to a text that is printed."""

    __slots__ = ()


def _named(name: str, tree: Any) -> str | None:
    written = _written(tree)
    return None if written is None or not name.isidentifier() else f"{name}={written}"


def _written(tree: Any) -> str | None:
    """A tree of sources as source."""
    if isinstance(tree, _Source):
        return str(tree)
    if tree is None or isinstance(tree, str):
        return repr(tree)
    if type(tree) not in (list, tuple, dict):
        return None
    members = [_written(x) for x in (tree.values() if isinstance(tree, dict) else tree)]
    if any(x is None for x in members):
        return None
    texts = list(map(str, members))
    if isinstance(tree, dict):
        return f"{{{', '.join(f'{key!r}: {x}' for key, x in zip(tree, texts, strict=True))}}}"
    inner = ", ".join(texts)
    return f"[{inner}]" if isinstance(tree, list) else f"({inner}{',' * (len(texts) == 1)})"
