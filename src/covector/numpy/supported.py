"""Which functions are covered: read off the tables and the primitives that the implementations reach.

    >>> supported()["numpy.sin"]
    Rules(jvp=True, transpose=True, batching=True)
    >>> "numpy.linalg.svd" in supported()
    True
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import CodeType, MappingProxyType
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import Primitive
from covector.core.protocol import table
from covector.numpy.operands import stacked
from covector.numpy.registry import FUNCTIONS, qualified_name

THROUGH_OBJECT_ARRAYS = ("numpy.array", "numpy.asarray", "numpy.full", "numpy.r_", "numpy.c_", "numpy.vectorize")
"""Functions that NumPy lets nobody override: they make object arrays of traced entries, which are stacked."""


@final
@frozen
class Rules:
    """Which rules a function's primitives have.

    `jvp`: forward mode; `transpose`: reverse mode, by transposing what the jvp rules do; `batching`: vmap.
    """

    jvp: bool
    transpose: bool
    batching: bool


def supported() -> Mapping[str, Rules]:
    """The covered functions, by fully qualified name, with the rules that exist for each.

    Generated from the tables through which NumPy's functions reach the primitives, and from the primitives
    that each implementation uses. SciPy's functions are listed if SciPy is installed.

    Example:
        >>> supported()["numpy.matmul"].batching
        True
    """
    if importlib.util.find_spec("scipy") is not None:
        importlib.import_module("covector.scipy.special")
        importlib.import_module("covector.scipy.linalg")
    return MappingProxyType({name: rules_of(function) for name, function in sorted(entries().items())})


def entries() -> dict[str, Any]:
    """The covered functions by name: each NumPy or SciPy function, or what implements it."""
    found = {qualified_name(f): f for f in (*table.ufuncs, *FUNCTIONS)}
    return found | dict.fromkeys(THROUGH_OBJECT_ARRAYS, stacked)


def rules_of(function: Any) -> Rules:
    """The rules that all primitives behind a NumPy or SciPy function have."""
    kinds = primitives_of(function)
    return Rules(
        jvp=all(_has(kind, "jvp") for kind in kinds),
        transpose=all(_has(kind, "jvp") and _transposable(kind) for kind in kinds),
        batching=all(_has(kind, "batch") for kind in kinds),
    )


def primitives_of(function: Any) -> set[type[Primitive]]:
    """The classes of the primitives that a NumPy or SciPy function is made of."""
    return {type(p) if isinstance(p, Primitive) else p for p in _reached(function)}


def _has(kind: type[Primitive], rule: str) -> bool:
    return rule not in kind.__abstractmethods__


def _transposable(kind: type[Primitive]) -> bool:
    """Whether linear uses of the primitive have a transpose: elementwise ones are scaled, others state it."""
    linear = kind.linear_inputs is not Primitive.linear_inputs
    return not linear or hasattr(kind, "partial") or kind.transpose is not Primitive.transpose


@cache
def _reached(function: Any) -> frozenset[Any]:
    """The primitives that an implementation refers to, directly or through functions of covector's."""
    found, seen, waiting = set(), set(), [function]
    while waiting:
        item = waiting.pop()
        item = table.ufuncs.get(item, FUNCTIONS.get(item, item)) if _hashable(item) else item
        if isinstance(item, Primitive) or (inspect.isclass(item) and issubclass(item, Primitive)):
            found.add(item)
        elif inspect.isfunction(item) and item.__module__.startswith("covector.") and id(item) not in seen:
            seen.add(id(item))
            waiting += _referenced(item)
    return frozenset(found)


def _referenced(function: Callable[..., Any]) -> Iterator[Any]:
    names = set(_names(function.__code__))
    namespace = function.__globals__
    yield from (namespace[name] for name in names if name in namespace)
    for module in filter(inspect.ismodule, map(namespace.get, names)):
        if module.__name__.startswith("covector."):
            yield from (vars(module)[name] for name in names if name in vars(module))
    for module in (np, np.linalg, np.fft):
        yield from (found for name in names if (found := vars(module).get(name)) in FUNCTIONS)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _hashable(item: Any) -> bool:
    return type(item).__hash__ is not None
