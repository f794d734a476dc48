"""A primitive is an operation: its fields are the static parameters, its methods are its rules.

A primitive with parameters is `parametrized`: a frozen attrs class. Equality, hashing and printing come from its
fields, so `Sum((0,)) == Sum((0,))`, which is what caching, common subexpressions and readable graphs need. One
without parameters needs no decorator: it equals every other of its class.

Inputs and outputs mirror NumPy: a primitive returns an array, or a tuple of arrays where the NumPy function
does (`np.linalg.svd`, `divmod`). `transpose` mirrors the linear inputs in the same way.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from enum import IntEnum
from functools import cache
from typing import Any, ClassVar, TypeVar, dataclass_transform, final

import numpy as np
from attrs import field, fields, frozen, has
from attrs.exceptions import FrozenInstanceError

from covector.core.interpreter import Tracer, latest
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import MissingRuleError, NonlinearError

Kind = TypeVar("Kind")


class Family(IntEnum):
    """What is known of a primitive by its family; reverse mode has a short path for each but the general one."""

    GENERAL = 0
    UNARY = 1
    BINARY = 2
    LINEAR = 3
    BILINEAR = 4


class PrimitiveMeta(ABCMeta):
    """Requires abstract methods to be defined; classes are what they inherit from, which is found out quickly."""

    __instancecheck__ = type.__instancecheck__


class Primitive(metaclass=PrimitiveMeta):
    """An operation with its rules; calling it binds it to the interpreter in charge of its inputs."""

    __slots__ = ()
    family: ClassVar[Family] = Family.GENERAL
    accumulates: ClassVar[bool] = False
    """Whether the transpose can add into a buffer: `accumulate(buffer, cotangent, *constants)`."""
    view: ClassVar[bool] = False
    """Whether the outputs may share the memory of the first input."""
    unshown: ClassVar[frozenset[str]] = frozenset()
    """Parameters that graphs do not show, since the name tells them."""

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and _values(self) == _values(other))

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        shown = (f"{f.name}={_shown(f.repr, getattr(self, f.name))}" for f in _fields(type(self)) if f.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError

    def __call__(self, *inputs: Array) -> Any:
        """The outputs under the latest-started interpreter among the inputs, NumPy's if there is none."""
        if len(inputs) == 1:
            x = inputs[0]
            return x.interpreter.process(self, inputs) if isinstance(x, Tracer) else self.evaluate(x)
        interpreter = latest(inputs)
        return self.evaluate(*inputs) if interpreter is None else interpreter.process(self, inputs)

    @property
    def name(self) -> str:
        """The name in graphs and error messages."""
        return _snake_case(type(self).__name__)

    @property
    def signature(self) -> str:
        """The name with the static parameters, as graphs show it: sum[axes=(0,)]."""
        known = [(name, value) for name, value in parameters(self).items() if name not in self.unshown]
        shown = ", ".join(f"{name}={value}" for name, value in known if value is not False)
        return f"{self.name}[{shown}]" if shown else self.name

    @property
    def effect(self) -> bool:
        """Whether it does more than compute its outputs, so that it is kept, and in order, if nobody uses them."""
        return False

    @abstractmethod
    def evaluate(self, *inputs: Any) -> Any:
        """The outputs for plain arrays, computed by public NumPy functions."""

    @abstractmethod
    def output_type(self, *inputs: Any) -> Any:
        """The types of the outputs, from the `ArrayType`s of the inputs."""

    @abstractmethod
    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The outputs and their tangents; a tangent that is None is zero, in and out.

        Written with primitives and operators, linear in the tangents. An output's tangent may be `Deferred`.
        """

    @abstractmethod
    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        """The outputs, all with a leading batch axis of `size`, for inputs of which the batched ones have one."""

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        """How many operations on numbers this is: by default one for each entry of the largest input or output."""
        return max((kind.size for kind in (*inputs, *outputs)), default=0)

    def programs(self, inputs: Sequence[ArrayType]) -> Sequence[tuple[Any, int]]:
        """The graphs that this runs for inputs of these types, each with how often; none if it is NumPy that runs."""
        return ()

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """The inputs (of `count`) this is jointly linear in, given that it must be so in the traced ones."""
        raise NonlinearError(f"{self.name} is not linear in input {traced[0]}")

    def accumulate(self, buffer: Array, cotangent: Array, *constants: Array) -> None:
        """Adds the transpose of the cotangent to a plain array of the type of the only linear input, the first."""
        raise MissingRuleError(f"{self.name} has no rule for accumulating in place")

    def transpose(self, cotangent: Any, *inputs: Any) -> Any:
        """The cotangents of the linear inputs: an array for one, a tuple for several.

        Inputs whose cotangent is wanted are given as types, all others as values; for a linear input given as
        a value (a zero) anything, say None, may be returned.
        For a linear map A and all v, w: <w, A v> = <transpose(w), v>, with <w, v> = sum(w * v), no conjugate.
        """
        raise MissingRuleError(f"{self.name} has no transpose rule")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def parametrized(kind: type[Kind]) -> type[Kind]:
    """The primitive as a frozen class whose fields are its parameters, compared and shown as `Primitive` says.

    `attrs.frozen` alone would write a comparison, a hash and a repr for each class whenever covector is imported.
    """
    made = frozen(eq=False, repr=False)(kind)
    made.__hash__ = _hash_of_values  # type: ignore[method-assign, assignment]
    return made


def _hash_of_values(primitive: Primitive) -> int:
    return hash((type(primitive), *_values(primitive)))


@cache
def _fields(kind: Hashable) -> tuple[Any, ...]:
    known: Any = kind
    return tuple(fields(known)) if has(known) else ()


def _values(primitive: Primitive) -> tuple[Any, ...]:
    return tuple([getattr(primitive, field.name) for field in _fields(type(primitive))])


def _shown(as_text: Any, value: Any) -> str:
    return as_text(value) if callable(as_text) else repr(value)


@final
class Deferred:
    """A tangent that a jvp rule leaves to be computed, once, if it is used: `rule(*arguments)`."""

    __slots__ = ("_arguments", "_rule", "_value")

    def __init__(self, rule: Callable[..., Any], *arguments: Any) -> None:
        self._rule: Callable[..., Any] | None = rule
        self._arguments = arguments
        self._value: Any = None

    def value(self) -> Any:
        """The tangent."""
        if self._rule is not None:
            self._value = self._rule(*self._arguments)
            self._rule, self._arguments = None, ()
        return self._value


def map_outputs(function: Callable[..., Any], *outputs: Any) -> Any:
    """The function of each output: of an array, or of the arrays of a tuple."""
    if isinstance(outputs[0], tuple):
        return tuple(map(function, *outputs))
    return function(*outputs)


def as_tuple(outputs: Any) -> tuple[Any, ...]:
    """The outputs as a tuple, whether there are one or several."""
    return outputs if isinstance(outputs, tuple) else (outputs,)


def instantiate(tangent: Array | None, primal: Array) -> Array:
    """The tangent as an array: zeros of the primal's type where it is None."""
    return zeros(typeof(primal)) if tangent is None else tangent


def parameters(primitive: Primitive) -> dict[str, Any]:
    """The static parameters by name, in the order of the fields."""
    return {field.name: getattr(primitive, field.name) for field in _fields(type(primitive))}


def moved_to_front(x: Array, batched: bool, size: int) -> Array:
    """The input of a batch rule with a leading batch axis: its own, or one along which it is repeated."""
    return x if batched else np.broadcast_to(x, (size, *typeof(x).shape))


@cache
def _snake_case(name: str) -> str:
    starts = [i for i, c in enumerate(name) if c.isupper() and (i == 0 or not name[i - 1].isupper())]
    return "_".join(name[i:j].lower() for i, j in zip(starts, [*starts[1:], len(name)], strict=True))
