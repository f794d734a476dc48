"""Frozen attrs classes as trees: fields marked `PARAMETER` are children, the others are structure.

    >>> from covector.trees import flatten
    >>> from covector.norms.vectors import lp
    >>> flatten(2.0 * lp(3))[0]
    [3.0, 2.0]

They are compared by value (see `same`), and hashed by what is not a parameter, which cannot change.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs
import numpy as np
import optree

from covector.core.interpreter import Tracer
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


def same(one: Any, other: Any) -> bool:
    """Whether two values of one type are equal field by field, arrays with their dtypes, shapes and entries."""
    if one is other:
        return True
    if isinstance(one, (int, float, np.number)) and isinstance(other, (int, float, np.number)):
        return bool(one == other)
    if type(one) is not type(other) or isinstance(one, Tracer):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if attrs.has(type(one)):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in attrs.fields(type(one)))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(x, other[key]) for key, x in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def structural_hash(value: Any) -> int:
    """A hash of the type and of what is not a parameter: parameters may be arrays, whose entries may change."""
    fields = attrs.fields(type(value))
    return hash((type(value), *(getattr(value, f.name) for f in fields if not f.metadata.get("leaf"))))
