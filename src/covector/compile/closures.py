"""The arrays a function closes over, and whether they have been changed in place.

`jit` refers to an array that a recorded operation meets, so its present entries are used at every call. But
what plain NumPy and Python compute from closed-over arrays while the function is recorded (`x * (2 * w)`,
`x * w[0]`, `if w.sum() > 1:`) is nothing that covector sees. So the arrays that the function can see are
fingerprinted, and a changed one means recording anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.interpreters.constants import Fingerprint, fingerprint
from covector.trees import flatten

DEPTH = 4
"""How many functions deep to look."""

Watched = tuple[tuple[Array, Fingerprint], ...]


def watched(function: Callable[..., Any]) -> Watched:
    """The arrays to compare before the recording of a function is used again, with their fingerprints."""
    visible = {id(x): x for x in visible_arrays(function) if not x.dtype.hasobject}
    return tuple((x, fingerprint(x)) for x in visible.values())


def unchanged(arrays: Watched) -> bool:
    """Whether the arrays have the entries they had."""
    return all(fingerprint(x) == expected for x, expected in arrays)


def visible_arrays(function: Any, depth: int = DEPTH) -> Iterator[Array]:
    """The arrays that a function can see: in its closure, globals, defaults, bound object, and its functions'."""
    seen: dict[int, Any] = {}
    reached = [function]
    for _ in range(depth + 1):
        new = {id(found): found for found in map(_unwrapped, reached) if id(found) not in seen}
        seen |= new
        leaves = [leaf for found in new.values() for value in _values(found) for leaf in _leaves(value)]
        yield from (leaf for leaf in leaves if isinstance(leaf, np.ndarray))
        reached = [leaf for leaf in leaves if callable(leaf) and not isinstance(leaf, (type, np.ufunc, np.ndarray))]


def _unwrapped(function: Any) -> Any:
    return getattr(function, "func", function)  # functools.partial


def _values(function: Any) -> Iterator[Any]:
    bound = getattr(function, "__self__", None)
    if bound is not None and hasattr(bound, "__dict__"):
        yield from vars(bound).values()
    yield from (getattr(function, "__wrapped__", None), getattr(function, "__defaults__", None))
    code = getattr(function, "__code__", None)
    if code is None or (function.__module__ or "").partition(".")[0] in ("numpy", "covector"):
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # an empty cell: a name that is not assigned yet
            continue
    yield from (function.__globals__[name] for name in _names(code) if name in function.__globals__)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _leaves(value: Any) -> list[Any]:
    if callable(value):
        return [value]
    leaves, _ = flatten(value)
    inside = [x for leaf in leaves if hasattr(leaf, "__dict__") and not isinstance(leaf, type) for x in _fields(leaf)]
    return leaves + inside


def _fields(value: Any) -> list[Any]:
    return [] if type(value).__name__ == "module" else flatten(list(vars(value).values()))[0]
