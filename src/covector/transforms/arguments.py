"""From a user's function of trees to a flat function of arrays, and back.

Interpreters see flat lists of arrays. This module selects the arguments to transform, flattens them, checks
each leaf (naming its path in the error), and puts results back into trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Number
from typing import Any, final

import numpy as np

from covector.core.broadcasting import Cast, expand
from covector.core.families import SCALARS
from covector.core.interpreter import Tracer
from covector.core.protocol import table
from covector.core.types import PYTHON_DTYPES, Array, ArrayType, is_refused, typeof, zeros
from covector.errors import (
    ArgumentError,
    DTypeMismatchError,
    NotDifferentiableError,
    ShapeMismatchError,
    TreeMismatchError,
)
from covector.transforms.explanations import explain
from covector.trees import Tree, TreeDefinition, flatten, flatten_like, leaf_path, leaf_paths, unflatten


@final
class FlatFunction:
    """A function of leaves in place of a function of trees; remembers the structure of what it returned.

    With `has_aux` the traced leaves of aux are appended to the outputs, so that whoever called the flat
    function takes its tracers off them too; `restore` puts everything back together.
    """

    __slots__ = ("aux_leaves", "aux_structure", "build", "count", "function", "has_aux", "structure")

    structure: TreeDefinition
    aux_structure: TreeDefinition

    def __init__(
        self, function: Callable[..., Any], build: Callable[[Sequence[Array]], tuple[Any, Any]], has_aux: bool = False
    ) -> None:
        self.function, self.build, self.has_aux = function, build, has_aux
        self.aux_leaves: list[Any] = []
        self.count = 1

    def __call__(self, *leaves: Array) -> list[Array]:
        args, kwargs = self.build(leaves)
        try:
            out = self.function(*args, **kwargs)
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            explain(error)
            raise
        if self.has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise TreeMismatchError(f"with has_aux=True the function must return (output, aux); found {out!r}")
            out, aux = out
            return self._output_leaves(out) + self._traced_aux(aux)
        return self._output_leaves(out)

    def _output_leaves(self, out: Tree) -> list[Array]:
        if type(out) in SCALARS or isinstance(out, Tracer):
            self.structure = LEAF
            return [out]
        found, self.structure = flatten(out)
        self.count = len(found)
        return [as_leaf(x, partial(leaf_path, out, "output", i)) for i, x in enumerate(found)]

    def _traced_aux(self, aux: Tree) -> list[Array]:
        found, self.aux_structure = flatten(aux)
        self.aux_leaves = [table.operand(x) if isinstance(x, np.ndarray) else x for x in found]
        return [x for x in self.aux_leaves if isinstance(x, Tracer)]

    def restore(self, outputs: Sequence[Array]) -> tuple[list[Array], Tree]:
        """The output leaves, and the aux tree, from what calling this has become under an interpreter.

        The arrays of aux are copies, because they may be arguments, closed over, or views of the same array.
        """
        rest = iter(outputs[self.count :])
        aux = [owned(next(rest) if isinstance(x, Tracer) else x) for x in self.aux_leaves]
        return list(outputs[: self.count]), unflatten(self.aux_structure, aux) if self.has_aux else None

    def tree(self, leaves: Sequence[Array]) -> Tree:
        """The output tree with these leaves."""
        return unflatten(self.structure, leaves)


LEAF: TreeDefinition = flatten(0.0)[1]


def as_leaf(x: Any, path: Callable[[], str]) -> Array:
    """The leaf as a number, array or tracer, or an error that names its path."""
    if type(x) in SCALARS or isinstance(x, (Tracer, np.generic)):
        return x
    if is_refused(x):
        raise DTypeMismatchError(f"{path()} is a {type(x).__name__}; pass a plain array, np.asarray({path()})")
    if isinstance(x, np.ndarray):
        if x.dtype.hasobject and not all(isinstance(entry, (Tracer, Number)) for entry in x.flat):
            raise DTypeMismatchError(f"{path()} is an array of objects; expected a number or an array of numbers")
        x = table.operand(x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("=")))
        return x if type(x) is np.ndarray or isinstance(x, Tracer) else np.asarray(x)
    if hasattr(x, "__array_function__") and hasattr(x, "dtype"):
        return x
    raise DTypeMismatchError(f"{path()} is a {type(x).__name__}, {x!r}; expected a number or an array")


def differentiable_leaf(x: Any, path: Callable[[], str], what: str) -> Array:
    """The leaf, checked to be of real or complex floating-point numbers."""
    if type(x) is float:
        return x
    x = as_leaf(x, path)
    dtype = PYTHON_DTYPES.get(type(x)) or x.dtype
    if dtype.kind in "fc":
        return x
    advice = f"float({path()})" if typeof(x).shape == () else f"{path()}.astype(float)"
    raise NotDifferentiableError(
        f"{what} needs floating-point numbers; {path()} has type {typeof(x)}. Write {advice}, or leave it out of "
        "the differentiated arguments (argnums)."
    )


@final
class Selector:
    """Which arguments to transform: argnums and argnames, checked once."""

    __slots__ = ("names", "numbers", "one")

    def __init__(self, argnums: int | Sequence[int] | None, argnames: str | Sequence[str] | None = None) -> None:
        self.numbers: tuple[int, ...] = () if argnums is None else _as_tuple(argnums, int)
        self.names: tuple[str, ...] = () if argnames is None else _as_tuple(argnames, str)
        self.one = isinstance(argnums, int) != isinstance(argnames, str) and len(self.numbers + self.names) == 1

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tree]:
        """The selected arguments of a call."""
        try:
            chosen = [args[i] for i in self.numbers] + [kwargs[name] for name in self.names]
        except IndexError:
            raise ArgumentError(
                f"argnums is {self.numbers}, but the function was called with {len(args)} positional argument(s)"
                + (f"; argnames selects from the keyword arguments {list(kwargs)}" if kwargs else "")
            ) from None
        except KeyError as error:
            raise ArgumentError(
                f"argnames has {error}, but the call has the keyword arguments {list(kwargs)}"
            ) from None
        if len(self.numbers) > 1 and len({i % len(args) for i in self.numbers}) < len(self.numbers):
            raise ArgumentError(f"argnums is {self.numbers}, which has an argument twice")
        return chosen


_DOUBLE = np.dtype(np.float64)
"""The dtype of most leaves, of which there is one object; others take the longer way."""


@final
class Selection:
    """The selected arguments of one call, flattened; the others are held fixed.

    `structure` is None in the common case that every selected argument is one leaf.
    """

    __slots__ = ("args", "kwargs", "leaves", "selector", "structure")

    def __init__(self, selector: Selector, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.selector, self.args, self.kwargs = selector, args, kwargs
        chosen = selector.arguments(args, kwargs)
        self.leaves, self.structure = chosen, None
        for x in chosen:
            if type(x) not in PLAIN_LEAVES:
                self.leaves, self.structure = flatten(tuple(chosen))
                break

    def differentiable(self, what: str) -> list[Array]:
        """The leaves, checked to be of floating-point numbers."""
        return [
            x
            if type(x) is float or (type(x) is np.ndarray and x.dtype is _DOUBLE)
            else differentiable_leaf(x, partial(self.path, i), what)
            for i, x in enumerate(self.leaves)
        ]

    def path(self, index: int) -> str:
        """The name of a leaf in error messages."""
        paths: list[str] = []
        for number in self.selector.numbers:
            paths += leaf_paths(self.args[number], f"args[{number % len(self.args)}]")
        for name in self.selector.names:
            paths += leaf_paths(self.kwargs[name], name)
        return paths[index]

    def tree_structure(self) -> TreeDefinition:
        """The structure of the tuple of selected arguments."""
        return flatten(tuple(self.leaves))[1] if self.structure is None else self.structure

    def values(self, leaves: Sequence[Array]) -> Sequence[Tree]:
        """One tree for each selected argument, with these leaves."""
        return leaves if self.structure is None else unflatten(self.structure, leaves)

    def build(self, leaves: Sequence[Array]) -> tuple[Any, Any]:
        """The arguments of the call with the selected leaves replaced."""
        values = self.values(leaves)
        numbers, names = self.selector.numbers, self.selector.names
        args = list(self.args)
        for number, value in zip(numbers, values):  # noqa: B905  # names come after the numbers
            args[number] = value
        return args, self.kwargs | dict(zip(names, values[len(numbers) :], strict=True)) if names else self.kwargs

    def result(self, leaves: Sequence[Array]) -> Tree:
        """Results for the leaves in the structure of the argument, or a tuple for several arguments."""
        values = self.values(leaves)
        return values[0] if self.selector.one else tuple(values)


PLAIN_LEAVES = frozenset({float, np.float64, np.float32, np.ndarray})
"""Types of arguments that are leaves for certain."""


def _as_tuple(value: Any, kind: type) -> tuple[Any, ...]:
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not items or not all(isinstance(item, kind) for item in items):
        name = "argnums" if kind is int else "argnames"
        raise ArgumentError(f"{name} must be {kind.__name__} or a non-empty tuple or list of them; found {value!r}")
    return items


def positional(args: tuple[Any, ...]) -> Selection:
    """All positional arguments."""
    if not args:
        raise ArgumentError("no primal was given: pass at least one argument to differentiate with respect to")
    return Selection(Selector(tuple(range(len(args)))), args, {})


# --- tangents and cotangents against the types they must have -------------------------------------------


def conforming(value: Array, kind: ArrayType, name: Callable[[], str], what: str) -> Array:
    """The tangent or cotangent, checked to be of the type `kind`; a Python number takes its dtype."""
    found = typeof(as_leaf(value, name))
    if found.shape != kind.shape:
        raise ShapeMismatchError(f"{name()} must have the shape of {what}, {kind}; found {found}")
    if found.dtype == kind.dtype and not found.weak:
        return value.item() if kind.weak and isinstance(value, np.generic) else value
    if not found.weak:
        raise DTypeMismatchError(
            f"{name()} must have the dtype of {what}, {kind}; found {found}. Write {name()}.astype('{kind.dtype}')"
        )
    if found.dtype.kind == "c" and kind.dtype.kind != "c":
        raise DTypeMismatchError(f"{name()} is complex, but {what} is {kind}")
    if isinstance(value, Tracer):
        return expand(value, kind.shape, kind.dtype)
    return kind.dtype.type(value).item() if kind.weak else kind.dtype.type(value)


def conforming_leaves(
    structure: TreeDefinition, tree: Tree, kinds: Sequence[ArrayType], names: tuple[str, str]
) -> list[Array]:
    """The leaves of a tangent or cotangent tree, checked against the structure and types they must have."""
    what, like = names
    leaves = flatten_like(structure, tree, what, like)
    return [
        conforming(leaf, kind, partial(leaf_path, tree, what, i), f"its part of {like}")
        for i, (leaf, kind) in enumerate(zip(leaves, kinds, strict=True))
    ]


# --- results that the user may keep and change ----------------------------------------------------------


_NUMBERS = frozenset({float, np.float64, np.float32})


@final
class Results:
    """Makes results out of tangents and cotangents: of the right type, writable, and sharing no memory."""

    __slots__ = ("taken",)

    def __init__(self, given: Sequence[Any] = ()) -> None:
        self.taken = {id(x) for x in given}

    def make(self, value: Array | None, kind: ArrayType, scalar: bool) -> Array:
        """The value as a result of type `kind`: a NumPy scalar if `scalar`, an array otherwise."""
        if scalar and type(value) in _NUMBERS:
            return kind.dtype.type(value)
        if value is None:
            value = zeros(kind.strong())
        elif not _is_of_type(value, kind):
            value = expand(value, kind.shape, kind.dtype)
        if isinstance(value, Tracer):  # which is one of NumPy's numbers too, and not one that adapts to what it meets
            return Cast(kind.dtype)(value) if value.weak and not kind.weak else value
        if scalar:
            return kind.dtype.type(value)
        if not isinstance(value, np.ndarray):
            return np.array(value) if isinstance(value, (float, complex, np.generic)) else value
        return self.keep(value)

    def keep(self, value: Array) -> Array:
        """A value that the function returned; a copy of it, where it may be a view or was given."""
        if not isinstance(value, np.ndarray):
            return value
        if value.base is not None or not value.flags.writeable or id(value) in self.taken:
            value = value.copy()
        self.taken.add(id(value))
        return value


def _is_of_type(value: Array, kind: ArrayType) -> bool:
    if type(value) is np.ndarray:
        return bool(value.dtype == kind.dtype and value.shape == kind.shape)
    return typeof(value) == kind


def is_scalar(x: Array) -> bool:
    """Whether a value is a number rather than an array, so that derivatives in it are NumPy scalars."""
    return isinstance(x, (float, complex, np.generic)) or (isinstance(x, Tracer) and is_scalar(x.beneath))


def owned(x: Array) -> Array:
    """A copy of a plain array, so that later changes to it do not matter; anything else unchanged."""
    return x.copy() if isinstance(x, np.ndarray) else x

