"""jit: record a function once, simplify the recording, write it as NumPy source, and run that.

A function is recorded for each combination of tree structure, shapes, dtypes and static values. Python may
branch on values: each branch taken is a guard in the compiled code, and a call that fails the guards of all
known specializations records another one. Arrays the function closes over are referred to, not copied, so
changing them in place is seen by the next call.
"""

from __future__ import annotations

import inspect
import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial, update_wrapper
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, cast, final

import numpy as np
from attrs import frozen

from covector.compile.closures import Watched, unchanged, watched
from covector.compile.compiled import CompiledCall, CompiledGraph
from covector.compile.emit import RESERVED
from covector.compile.guards import GuardFailedError, guarding
from covector.compile.simplify import simplified
from covector.core.families import SCALARS
from covector.core.interpreter import Tracer, origin_of
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, ConcreteValueError
from covector.graph.graph import Graph
from covector.interpreters.staging import record_flat
from covector.transforms.arguments import LEAF, FlatFunction, as_leaf
from covector.trees import TreeDefinition, flatten, unflatten

P = ParamSpec("P")
R = TypeVar("R")

MOST_SPECIALIZATIONS = 16
"""How many branches of one function are compiled before it runs uncompiled."""

logger = logging.getLogger("covector.jit")


class CacheInfo(NamedTuple):
    """How often a jitted function ran compiled code, and how often it recorded."""

    hits: int
    misses: int
    specializations: int


@final
@frozen
class Lowered:
    """What jit made of a function for arguments of given types."""

    graph: Graph
    simplified: Graph
    source: str
    structure: TreeDefinition
    recording_seconds: float
    emission_seconds: float


@final
@frozen
class _Specialization:
    """One recording, compiled."""

    lowered: Lowered
    compiled: CompiledGraph
    structure: TreeDefinition
    watched: Watched


    def run(self, leaves: Sequence[Array], traced: bool) -> Sequence[Array]:
        """The outputs; raises GuardFailedError if another specialization is needed."""
        outputs: Sequence[Array] = (
            CompiledCall(self.compiled)(*leaves) if traced else self.compiled.program.function(*leaves)
        )
        return outputs

    def pack(self, outputs: Sequence[Array]) -> Any:
        """The output tree."""
        return outputs[0] if self.structure is LEAF else unflatten(self.structure, outputs)


@final
class JittedFunction(Generic[P, R]):
    """A function that runs as compiled NumPy; made by `jit`."""

    __name__: str

    def __init__(
        self,
        function: Callable[P, R],
        static_argnums: int | Sequence[int] = (),
        static_argnames: str | Sequence[str] = (),
    ) -> None:
        self.function, self._origin = function, origin_of("jit", function)
        self._static_argnums = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
        self._static_argnames = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
        self._cache: dict[Any, list[_Specialization]] = {}
        self._ready: dict[Any, tuple[Callable[..., list[Any]], Callable[[list[Any]], Any]]] = {}
        self._hits = self._misses = 0
        update_wrapper(self, function, updated=())  # the function may carry attributes with the names of ours

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's output, from compiled code where there are no traced values among the arguments."""
        if not kwargs:  # the short path: one leaf per argument, and the branch that was taken last
            ready = self._ready.get(tuple([(x.shape, x.dtype) if type(x) is np.ndarray else type(x) for x in args]))
            if ready is not None:
                try:
                    result = ready[1](ready[0](*args))
                except GuardFailedError:
                    return cast(R, self._run(args, kwargs))
                self._hits += 1
                return cast(R, result)
        return cast(R, self._run(args, kwargs))

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, rest = self._leaves(args, kwargs)
        traced = any(isinstance(x, Tracer) for x in leaves)
        if traced and _is_recorded(leaves):
            return self.function(*args, **kwargs)
        key = (*map(_leaf_key, leaves), rest)
        known = self._cache.setdefault(key, [])
        for position, specialization in enumerate(tuple(known)):
            if specialization.watched and not unchanged(specialization.watched):
                logger.info("%s: an array it closes over has changed; recording again", self._origin)
                known.clear()
                break
            try:
                outputs = specialization.run(leaves, traced)
            except GuardFailedError:
                continue
            self._hits += 1
            if position:
                known.insert(0, known.pop(position))
            self._make_ready(key, specialization)
            return specialization.pack(outputs)
        if len(known) >= MOST_SPECIALIZATIONS:
            return self._uncompiled(args, kwargs)
        self._misses += 1
        specialization = self._specialized(args, kwargs, leaves)
        known.insert(0, specialization)
        self._make_ready(key, specialization)
        return specialization.pack(specialization.run(leaves, traced))

    def _make_ready(self, key: tuple[Any, ...], specialization: _Specialization) -> None:
        """Puts a specialization on the short path, if calls like this one can take it."""
        plain = key[-1] == len(key) - 1  # nothing but one leaf per positional argument
        if plain and not specialization.watched and not self._static_argnums:
            self._ready[key[:-1]] = specialization.compiled.program.function, specialization.pack

    def lower(self, *args: P.args, **kwargs: P.kwargs) -> Lowered:
        """What jit makes of the function for these arguments: graphs, source and compile times."""
        leaves, _ = self._leaves(args, kwargs)
        return self._specialized(args, kwargs, leaves).lowered

    def source(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The NumPy source that runs for these arguments."""
        return self.lower(*args, **kwargs).source

    def cache_info(self) -> CacheInfo:
        """How often compiled code ran, how often the function was recorded, and how many recordings are kept."""
        return CacheInfo(self._hits, self._misses, sum(map(len, self._cache.values())))

    def recorded_arguments(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[dict[int, Any], dict[str, Any]]:
        """The arguments of a call that are not static, by position and by name."""
        static = {i % len(args) for i in self._static_argnums} if args else set()
        positional = {i: x for i, x in enumerate(args) if i not in static}
        return positional, {k: v for k, v in kwargs.items() if k not in self._static_argnames}

    def _leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Array], Any]:
        """The traced leaves of a call, and a hashable account of everything else about it."""
        if not kwargs and not self._static_argnums:
            for x in args:
                if type(x) not in _PLAIN:
                    break
            else:
                return list(args), len(args)
        dynamic, dynamic_kwargs = self.recorded_arguments(args, kwargs)
        static = [x for i, x in enumerate(args) if i not in dynamic]
        fixed = (*static, *(kwargs[k] for k in self._static_argnames if k in kwargs))
        try:
            hash(fixed)
        except TypeError as error:
            raise ArgumentError(f"static arguments must be hashable, for they are cached by value: {error}") from None
        leaves, structure = flatten((tuple(dynamic.values()), dynamic_kwargs))
        return leaves, (structure, fixed)

    def _specialized(self, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: Sequence[Any]) -> _Specialization:
        start = time.perf_counter()
        names = _argument_names(self.function, len(leaves))
        values = [as_leaf(x, partial(str, name)) for x, name in zip(leaves, names, strict=True)]
        flat = FlatFunction(self.function, self._rebuild(args, kwargs))
        known = [x.concrete("jit") if isinstance(x, Tracer) else x for x in values]
        graph = record_flat(flat, [typeof(x) for x in values], self._origin, known, guarding)
        recorded = time.perf_counter()
        simpler = simplified(graph)
        compiled = CompiledGraph(simpler, _identifier(self.function), names)
        source = compiled.program.source
        lowered = Lowered(graph, simpler, source, flat.structure, recorded - start, time.perf_counter() - recorded)
        logger.info("%s: recorded %d operations, kept %d", self._origin, len(graph.equations), len(simpler.equations))
        return _Specialization(lowered, compiled, flat.structure, watched(self.function))

    def _rebuild(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Sequence[Array]], tuple[Any, Any]]:
        dynamic, dynamic_kwargs = self.recorded_arguments(args, kwargs)
        _, structure = flatten((tuple(dynamic.values()), dynamic_kwargs))

        def build(leaves: Sequence[Array]) -> tuple[Any, Any]:
            values, found = unflatten(structure, leaves)
            rebuilt = list(args)
            for i, value in zip(dynamic, values, strict=True):
                rebuilt[i] = value
            return rebuilt, {**kwargs, **found}

        return build

    def _uncompiled(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        warnings.warn(
            f"{self._origin} took more than {MOST_SPECIALIZATIONS} different branches; it runs uncompiled. Select with "
            "np.where instead of branching on values.",
            RuntimeWarning,
            stacklevel=4,
        )
        return self.function(*args, **kwargs)


_PLAIN = SCALARS | {np.ndarray}


def _leaf_key(x: Any) -> Any:
    if type(x) is np.ndarray:
        return x.shape, x.dtype
    if not isinstance(x, Tracer):
        return type(x)
    kind = typeof(x)
    if kind.shape:
        return kind.shape, kind.dtype
    return type(kind.dtype.type(0).item()) if kind.weak else kind.dtype.type


def _is_recorded(leaves: Sequence[Any]) -> bool:
    """Whether a value has no value yet: another recording, or a batch, runs the function itself."""
    try:
        for x in leaves:
            if isinstance(x, Tracer):
                x.concrete("jit")
    except ConcreteValueError:
        return True
    return False


def _argument_names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = [p for p in inspect.signature(function).parameters.values() if p.kind in (0, 1)]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters]
    usable = len(names) == count and RESERVED.isdisjoint(names)
    return names if usable else [f"x{i + 1}" for i in range(count)]


def _identifier(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", "function")
    return name if name.isidentifier() else "function"


def jit(
    function: Callable[P, R], static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = ()
) -> JittedFunction[P, R]:
    """The function, compiled to straight-line NumPy at its first call.

    Args:
        function: a function of arrays, numbers or trees of them.
        static_argnums: positional arguments that are not recorded but compiled in; hashable.
        static_argnames: the same for keyword arguments.

    Law: jit(f)(*args) = f(*args), to rounding.

    Example:
        >>> from covector import grad
        >>> fast = jit(grad(lambda x, y: np.log(x) + x * y - np.sin(y)))
        >>> round(float(fast(2.0, 5.0)), 6)
        5.5
    """
    return JittedFunction(function, static_argnums, static_argnames)
