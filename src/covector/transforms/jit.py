"""jit: record a function once, simplify the recording, write it as NumPy source, and run that.

A function is recorded for each combination of tree structure, shapes, dtypes and static values. The first call
computes while it records and returns that result; a recording is compiled when it is used again. Python may branch on
values: each branch taken is a guard in the compiled code, and a call that fails the guards of all known
specializations records another one. Arrays the function closes over are referred to, not copied, so changing them
in place is seen by the next call.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial, update_wrapper
from keyword import iskeyword
from operator import itemgetter
from types import MethodType
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, cast, final, overload

import numpy as np

from covector.compile.closures import unchanged, watched
from covector.compile.emit import RESERVED
from covector.compile.guards import GuardFailedError, guarding
from covector.compile.storage import Storage
from covector.core.families import SCALARS
from covector.core.interpreter import Tracer, origin_of
from covector.core.protocol import table
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ConcreteValueError, DTypeMismatchError
from covector.graph.graph import Graph, run
from covector.interpreters.staging import CATCHABLE, CaughtFailureError, record_flat, run_flat
from covector.ops.debugging import held_back
from covector.transforms.arguments import LEAF, FlatFunction, as_leaf
from covector.transforms.control.rolling import rolled
from covector.transforms.log import logger
from covector.transforms.specialization import Lowered, Specialization
from covector.transforms.static_arguments import StaticArguments
from covector.trees import TreeDefinition, flatten, leaf_paths, unflatten

P = ParamSpec("P")
R = TypeVar("R")

MOST_SPECIALIZATIONS = 16
"""How many branches of one function are compiled before it runs uncompiled."""


class CacheInfo(NamedTuple):
    """How often a jitted function ran a recording, and how often it recorded."""

    hits: int
    misses: int
    specializations: int


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
        self._static = StaticArguments(function, static_argnums, static_argnames)
        self._cache: dict[Any, list[Specialization]] = {}
        self._ready: dict[Any, tuple[Callable[..., list[Any]], Callable[[list[Any]], Any]]] = {}
        self._hits = self._misses = 0
        update_wrapper(self, function, updated=())  # the function may carry attributes with the names of ours

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's output, from compiled code where there are no traced values among the arguments."""
        if not kwargs:  # the short path: one leaf per argument, and the branch that was taken last
            kinds: tuple[Any, ...] = () if args and type(args[0]) is _ARRAY else tuple(map(type, args))
            if not kinds or _ARRAY in kinds:
                kinds = tuple([(x.shape, x.dtype) if type(x) is _ARRAY else type(x) for x in args])
            ready = self._ready.get(kinds)
            if ready is not None:
                try:
                    result = ready[1](ready[0](*args))
                except (GuardFailedError, *CATCHABLE):
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
        reason = "the first call with arguments of these types"
        for position, specialization in enumerate(tuple(known)):
            if specialization.watched and not unchanged(specialization.watched):
                reason = "an array that it closes over has changed"
                known.clear()
                break
            try:
                outputs = specialization.run(leaves, traced)
            except GuardFailedError as failure:
                logger.debug("%s: guard failed, %s", self._origin, failure)
                reason = f"a branch that no recording takes, {failure}"
                continue
            except CATCHABLE as failure:
                return self._interrupted(args, kwargs, failure)
            self._hits += 1
            if position:
                known.insert(0, known.pop(position))
            self._make_ready(key, specialization)
            return specialization.pack(outputs)
        if len(known) >= MOST_SPECIALIZATIONS:
            return self._uncompiled(args, kwargs, reason)
        self._misses += 1
        try:
            specialization, outputs = self._first(args, kwargs, leaves, traced)
        except CaughtFailureError as failure:
            return self._interrupted(args, kwargs, failure)
        number, types, seconds = len(known) + 1, _types(specialization.graph), 1e3 * specialization.seconds
        logger.info("%s: recording %d for (%s), %.1f ms: %s", self._origin, number, types, seconds, reason)
        self._keep(specialization, known)
        return specialization.pack(outputs)

    def _keep(self, specialization: Specialization, known: list[Specialization]) -> None:
        """Keeps a recording for later calls, unless it refers to values that are traced in this call only."""
        if not any(isinstance(value, Tracer) for _, value in specialization.graph.constants):
            known.insert(0, specialization)

    def _make_ready(self, key: tuple[Any, ...], specialization: Specialization) -> None:
        """Puts a specialization on the short path, if calls like this one can take it."""
        plain = key[-1] == len(key) - 1  # nothing but one leaf per positional argument
        if plain and not specialization.watched and not specialization.halting and not self._static.numbers:
            self._ready[key[:-1]] = specialization.function, _packer(specialization.structure)

    def lower(self, *args: P.args, **kwargs: P.kwargs) -> Lowered:
        """What jit makes of the function for these arguments: graphs, source and compile times.

        For `ArrayType`s in the place of arrays, too, if Python does not branch on values.
        """
        leaves, rest = self._leaves(args, kwargs)
        if any(isinstance(x, ArrayType) for x in leaves):
            return self._recorded(args, kwargs, leaves).lowered
        known = self._cache.setdefault((*map(_leaf_key, leaves), rest), [])
        if len(known) == 1 and not known[0].guarded and unchanged(known[0].watched):
            return known[0].lowered
        specialization = self._recorded(args, kwargs, leaves)
        if not known:
            self._misses += 1
            self._keep(specialization, known)
        return specialization.lowered

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
        return self._static.dynamic(args, kwargs)

    def __repr__(self) -> str:
        return f"<{self._origin}: {self.cache_info()}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        return jit, (self.function, self._static.numbers, self._static.names)

    def _leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Array], Any]:
        """The traced leaves of a call, and a hashable account of everything else about it."""
        if not kwargs and not self._static.numbers:
            for x in args:
                if type(x) not in _PLAIN or (type(x) is np.ndarray and x.dtype.hasobject):
                    break
            else:
                return list(args), len(args)
        fixed: tuple[Any, ...] = ()
        dynamic: Any = (args, kwargs)
        if self._static.numbers or self._static.names:
            fixed = self._static.values(args, kwargs)
            positional, named = self.recorded_arguments(args, kwargs)
            dynamic = (tuple(positional.values()), named)
        found, structure = flatten(dynamic)
        leaves = [table.operand(x) if _holds_tracers(x) else x for x in found]
        return leaves, (structure, fixed, *_key_orders(dynamic))

    # --- recording --------------------------------------------------------------------------------------

    def _first(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: Sequence[Any], traced: bool
    ) -> tuple[Specialization, Sequence[Array]]:
        """A recording, and the outputs of the call that it was made for, without compiling anything."""
        if traced:
            specialization = self._recorded(args, kwargs, leaves)
            try:
                return specialization, run(specialization.graph, leaves)
            except CATCHABLE as failure:
                raise CaughtFailureError(str(failure)) from failure
        start = time.perf_counter()
        flat = FlatFunction(self.function, self._rebuild(args, kwargs))
        values = self._values(args, kwargs, leaves)
        graph, outputs = run_flat(flat, values, self._origin, guarding, rolled)
        specialization = self._specialization(graph, flat.structure, time.perf_counter() - start)
        outputs = [x if type(x) is not np.ndarray or x.shape else x[()] for x in outputs]
        if any(atom.type.shape for atom in graph.outputs):
            shared = Storage(graph).shared(graph.outputs)
            outputs = [np.array(x) if copy else x for x, copy in zip(outputs, shared, strict=True)]
        return specialization, outputs

    def _recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: Sequence[Any]) -> Specialization:
        """A recording for arguments like these, which computes values only where Python asks for them."""
        start = time.perf_counter()
        flat = FlatFunction(self.function, self._rebuild(args, kwargs))
        values = self._values(args, kwargs, leaves)
        abstract = any(isinstance(x, ArrayType) for x in values)
        known = None if abstract else [x.concrete("jit") if isinstance(x, Tracer) else x for x in values]
        with held_back():
            graph = record_flat(flat, [typeof(x) for x in values], self._origin, known, guarding, rolled)
        return self._specialization(graph, flat.structure, time.perf_counter() - start)

    def _specialization(self, graph: Graph, structure: TreeDefinition, seconds: float) -> Specialization:
        called = usable_name(self.function, RESERVED), _program_arguments(self._static, len(graph.inputs))
        specialization = Specialization(self._origin, graph, structure, called, seconds)
        specialization.watched = watched(self.function)
        return specialization

    def _values(self, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: Sequence[Any]) -> list[Array]:
        """The leaves, checked to be arrays or numbers, or types of them."""
        path = partial(self._path, args, kwargs)
        try:
            return [x if isinstance(x, ArrayType) else as_leaf(x, partial(path, i)) for i, x in enumerate(leaves)]
        except DTypeMismatchError as error:
            raise DTypeMismatchError(f"{error}, or else a static argument (static_argnums, static_argnames)") from None

    def _path(self, args: tuple[Any, ...], kwargs: dict[str, Any], index: int) -> str:
        """The name of a leaf in error messages."""
        positional, named = self.recorded_arguments(args, kwargs)
        paths = [path for i, x in positional.items() for path in leaf_paths(x, self._static.name(i))]
        return [*paths, *(path for name in sorted(named) for path in leaf_paths(named[name], name))][index]

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

    def _uncompiled(self, args: tuple[Any, ...], kwargs: dict[str, Any], reason: str) -> Any:
        message = (
            f"{self._origin} took more than {MOST_SPECIALIZATIONS} different branches, so it runs uncompiled; now came "
            f"{reason}. Select with np.where, or choose with covector.cond, instead of branching on values."
        )
        logger.warning("%s", message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)
        return self.function(*args, **kwargs)

    def _interrupted(self, args: tuple[Any, ...], kwargs: dict[str, Any], failure: Exception) -> Any:
        """What the function does when one of its operations raises: it may have an `except` of its own for that."""
        logger.info("%s: runs uncompiled, for an operation raised %r", self._origin, failure)
        return self.function(*args, **kwargs)


def _packer(structure: TreeDefinition) -> Callable[[list[Any]], Any]:
    """What makes the output tree of a list of leaves; quick for a leaf and for a tuple of leaves."""
    if structure is LEAF:
        return itemgetter(0)
    flat_tuple = flatten((0.0,) * structure.num_leaves)[1]
    return tuple if structure == flat_tuple else partial(unflatten, structure)


_ARRAY = np.ndarray  # a global is found sooner than an attribute of a module
_PLAIN = SCALARS | {_ARRAY}


def _key_orders(arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The keys of the dictionaries in arguments: a function may go through them in order; structures have none."""
    positional, named = arguments
    found: list[tuple[Any, ...]] = [tuple(named)] if named else []
    trees = [*positional, *named.values()]
    for tree in trees:  # which grow on the way
        if type(tree) in _PLAIN:
            continue
        if isinstance(tree, dict):
            found.append(tuple(tree))
            trees += tree.values()
        elif isinstance(tree, (tuple, list)):
            trees += tree
    return found


def _leaf_key(x: Any) -> Any:
    if type(x) is np.ndarray:
        return x.shape, x.dtype
    if not isinstance(x, Tracer):
        return type(x)
    kind = typeof(x)
    if kind.shape:
        return kind.shape, kind.dtype
    return type(kind.dtype.type(0).item()) if kind.weak else kind.dtype.type


def _holds_tracers(x: Any) -> bool:
    """Whether this is an array of objects with traced values in it, which stands for a traced array."""
    return type(x) is np.ndarray and x.dtype.hasobject and any(isinstance(entry, Tracer) for entry in x.flat)


def _is_recorded(leaves: Sequence[Any]) -> bool:
    """Whether a value has no value yet: another recording, or a batch, runs the function itself."""
    try:
        for x in leaves:
            if isinstance(x, Tracer):
                x.concrete("jit")
    except ConcreteValueError:
        return True
    return False


def _types(graph: Graph) -> str:
    return ", ".join(str(variable.type) for variable in graph.inputs)


def _program_arguments(static: StaticArguments, count: int) -> list[str]:
    """The names of the inputs of the program: those of the parameters, if each of them is one array or number."""
    names = [static.parameters[i] for i in range(len(static.parameters)) if i not in static.numbers]
    usable = len(names) == count and RESERVED.isdisjoint(names)
    return names if usable else [f"x{i + 1}" for i in range(count)]


def usable_name(function: Callable[..., Any], reserved: frozenset[str]) -> str:
    """The name of a function, if emitted code can have it."""
    name: str = getattr(function, "__name__", "function")
    return name if name.isidentifier() and not iskeyword(name) and name not in reserved else "function"


@overload
def jit(
    function: Callable[P, R], static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = ()
) -> JittedFunction[P, R]: ...


@overload
def jit(
    *, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = ()
) -> Callable[[Callable[P, R]], JittedFunction[P, R]]: ...


def jit(
    function: Any = None, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = ()
) -> Any:
    """The function, recorded at its first call and run as straight-line NumPy from then on.

    Args:
        function: a function of arrays, numbers or trees of them; without it, a decorator is returned.
        static_argnums: positional arguments that are not recorded but compiled in; hashable.
        static_argnames: the same for keyword arguments.

    Returns:
        A function of the same arguments, with `lower`, `source` and `cache_info` to look inside. It can be pickled if
        `function` can; recordings are not.

    Raises:
        ArgumentError: a static argument is not a parameter, or not hashable.

    Law: jit(f)(*args) = f(*args), to rounding.

    Example:
        >>> from covector import grad
        >>> fast = jit(grad(lambda x, y: np.log(x) + x * y - np.sin(y)))
        >>> round(float(fast(2.0, 5.0)), 6)
        5.5
        >>> @jit(static_argnums=1)
        ... def power(x, exponent):
        ...     return x**exponent
        >>> float(power(2.0, 3))
        8.0
    """
    if function is None:
        return partial(JittedFunction, static_argnums=static_argnums, static_argnames=static_argnames)
    return JittedFunction(function, static_argnums, static_argnames)
