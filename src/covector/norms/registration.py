"""Frozen attrs classes as trees: fields marked `PARAMETER` are children, the others are structure.

    >>> from covector.trees import flatten
    >>> from covector.norms.vectors import lp
    >>> flatten(2.0 * lp(3))[0]
    [3.0, 2.0]
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs
import optree

from covector.trees import NAMESPACE

T = TypeVar("T")


PARAMETER = {"leaf": True}
"""The metadata of a field that is a leaf or a subtree: a number, an array, a norm."""


def registered(kind: type[T]) -> type[T]:
    """The attrs class, made known to optree: fields marked `PARAMETER` are children, the others structure."""
    fields = attrs.fields(kind)  # type: ignore[arg-type, misc, unused-ignore]  # any attrs class
    children = tuple(f.name for f in fields if f.metadata.get("leaf"))
    static = tuple(f.name for f in fields if not f.metadata.get("leaf"))

    def flattened(value: Any) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[str, ...]]:
        return tuple(getattr(value, n) for n in children), tuple(getattr(value, n) for n in static), children

    def unflattened(structure: tuple[Any, ...], leaves: Any) -> T:
        return kind(**dict(zip(children, leaves, strict=True)), **dict(zip(static, structure, strict=True)))

    optree.register_pytree_node(
        kind, flattened, unflattened, path_entry_type=optree.GetAttrEntry, namespace=NAMESPACE  # type: ignore[arg-type, unused-ignore]
    )
    return kind
