"""The arrays a function closes over, and whether they have been changed in place.

`jit` refers to an array that a recorded operation meets, so its present entries are used at every call. But
what plain NumPy and Python compute from closed-over arrays while the function is recorded (`x * (2 * w)`,
`x * w[0]`, `if w.sum() > 1:`) is nothing that covector sees. So the arrays that the function can see are
fingerprinted, and a changed one means recording anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.interpreters.constants import Fingerprint, fingerprint
from covector.trees import flatten

DEPTH = 8
"""How many steps from the function to look: to what it calls, to the fields of objects, into containers."""

Watched = tuple[tuple[Array, Fingerprint], ...]


def watched(function: Callable[..., Any]) -> Watched:
    """The arrays to compare before the recording of a function is used again, with their fingerprints."""
    visible = {id(x): x for x in visible_arrays(function) if not x.dtype.hasobject}
    return tuple((x, fingerprint(x)) for x in visible.values())


def unchanged(arrays: Watched) -> bool:
    """Whether the arrays have the entries they had."""
    return all(fingerprint(x) == expected for x, expected in arrays)


def visible_arrays(function: Any, depth: int = DEPTH) -> Iterator[Array]:
    """The arrays that a function can see: in its closure, globals, defaults, bound object, and what these refer to."""
    seen: dict[int, Any] = {}
    reached = [function]
    for _ in range(depth + 1):
        reached = [leaf for value in reached for leaf in flatten(value)[0]]
        new = {id(found): found for found in reached if id(found) not in seen and not isinstance(found, IMMUTABLE)}
        seen |= new
        yield from (found for found in new.values() if isinstance(found, np.ndarray))
        reached = [value for found in new.values() if not isinstance(found, np.ndarray) for value in _values(found)]


IMMUTABLE = (str, bytes, int, float, complex, np.generic, np.ufunc, np.dtype, BuiltinFunctionType, type(None))
"""What refers to no arrays."""

LIBRARIES = ("numpy", "scipy", "covector")
"""Whose functions and classes are not looked into."""


def _values(found: Any) -> Iterator[Any]:
    """What a function or an object refers to."""
    if isinstance(found, FunctionType):
        yield from _seen_by(found)
    elif isinstance(found, MethodType):
        yield from (found.__self__, found.__func__)
    elif isinstance(found, partial):
        yield from (found.func, found.args, found.keywords)
    elif not isinstance(found, (type, ModuleType)):
        yield from _fields(found)


def _seen_by(function: FunctionType) -> Iterator[Any]:
    yield from (getattr(function, "__wrapped__", None), function.__defaults__, function.__kwdefaults__)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # an empty cell: a name that is not assigned yet
            continue
    if _is_of_library(function):
        return
    names = list(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        yield value
        if isinstance(value, (type, ModuleType)) and not _is_of_library(value):  # what is written after the dot
            yield from (vars(value)[attribute] for attribute in names if attribute in vars(value))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _fields(found: Any) -> Iterator[Any]:
    """What an object has, and its methods."""
    if _is_of_library(type(found)) and hasattr(found, "__wrapped__"):  # a transformed function, with its recordings
        yield found.__wrapped__
        return
    yield from getattr(found, "__dict__", {}).values()
    for kind in type(found).__mro__:
        if not _is_of_library(kind):
            slots = kind.__dict__.get("__slots__", ())
            yield from (getattr(found, name, None) for name in ((slots,) if isinstance(slots, str) else slots))
            yield from (value for value in vars(kind).values() if isinstance(value, (FunctionType, np.ndarray)))


def _is_of_library(found: Any) -> bool:
    module = found.__name__ if isinstance(found, ModuleType) else found.__module__
    return (module or "").partition(".")[0] in LIBRARIES
