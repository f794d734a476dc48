"""The catalogue that the laws are tested over, and what is missing from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules, walk_packages

import numpy as np

import covector
import tests.catalogue
from covector.core.primitive import Primitive
from covector.core.types import PYTHON_DTYPES
from tests.catalogue.instance import Instance


def catalogue() -> list[Instance]:
    """All instances of all themes."""
    modules = sorted(module.name for module in iter_modules(tests.catalogue.__path__) if module.name != "instance")
    return [
        instance
        for name in modules
        for instance in import_module(f"tests.catalogue.{name}").INSTANCES
    ]  # fmt: skip


NO_OUTPUTS = frozenset({"covector.compile.guards.Guard", "covector.ops.debugging.DebugPrint"})
"""Primitives that compute nothing, so that the laws say nothing about them."""


@cache
def concrete_primitives() -> frozenset[str]:
    """The qualified name of every concrete primitive that covector defines."""
    for module in walk_packages(covector.__path__, "covector."):
        import_module(module.name)
    kinds = [kind for kind in _subclasses(Primitive) if kind.__module__.startswith("covector.")]
    families = {_qualified(base) for kind in kinds for base in kind.__mro__[1:]}
    found = {name for kind in kinds if (name := _qualified(kind)) not in families and not isabstract(kind)}
    return frozenset(found - NO_OUTPUTS)


def missing_primitives(instances: Sequence[Instance]) -> list[str]:
    """The concrete primitives of which there is no instance."""
    return sorted(concrete_primitives() - {_qualified(type(instance.primitive)) for instance in instances})


def _subclasses(kind: type) -> Iterator[type]:
    subclass: type
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def in_single_precision(instance: Instance) -> Instance | None:
    """The same operation on float32 and complex64 inputs, or None if it has no inputs in double precision.

    None also for an operation of the transformations, whose parameters fix the types of its inputs.
    """
    if type(instance.primitive).__module__.startswith(("covector.transforms.", "covector.compile.")):
        return None
    single = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
    inputs = [
        x if type(x) in PYTHON_DTYPES or x.dtype not in single else x.astype(single[x.dtype]) for x in instance.inputs
    ]
    if all(x is y for x, y in zip(inputs, instance.inputs, strict=True)):
        return None
    return Instance(instance.primitive, *inputs, name=instance.name, differentiable=instance.differentiable)
