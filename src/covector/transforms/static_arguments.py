"""Which arguments of a jitted function are compiled in rather than recorded, and what is wrong with them.

An argument is static by its position, or by its name; where the signature is known the one implies the other, so that
it does not matter how a call passes it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from covector.errors import ArgumentError

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@final
class StaticArguments:
    """The static arguments of one function, checked against its signature once."""

    __slots__ = ("names", "numbers", "parameters")

    def __init__(self, function: Callable[..., Any], numbers: int | Sequence[int], names: str | Sequence[str]) -> None:
        self.numbers: tuple[int, ...] = _as_tuple(numbers, int, "static_argnums")
        self.names: tuple[str, ...] = _as_tuple(names, str, "static_argnames")
        self.parameters = positional_names(function)
        if self.numbers or self.names:
            self._resolve(function)

    def _resolve(self, function: Callable[..., Any]) -> None:
        """Gives what is static by position its name, and the other way round."""
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # NumPy's functions do not all tell
            return
        kinds = {p.kind for p in parameters}
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            self.numbers = tuple(_in_range(i, len(self.parameters)) for i in self.numbers)
        known = [p.name for p in parameters]
        for name in self.names:
            if name not in known and inspect.Parameter.VAR_KEYWORD not in kinds:
                raise ArgumentError(f"static_argnames has {name!r}; the function has the parameters {', '.join(known)}")
        by_number = [self.parameters[i] for i in self.numbers if 0 <= i < len(self.parameters)]
        by_name = [self.parameters.index(name) for name in self.names if name in self.parameters]
        self.names = tuple(dict.fromkeys((*self.names, *by_number)))
        self.numbers = tuple(dict.fromkeys((*self.numbers, *by_name)))

    def positions(self, count: int) -> set[int]:
        """The static ones of so many positional arguments; one that is not among them has its default or is named."""
        found = {i + count if i < 0 else i for i in self.numbers}
        return {i for i in found if i < count}

    def values(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The static arguments of a call, all of them hashable."""
        given = {self.name(i): args[i] for i in sorted(self.positions(len(args)))}
        given |= {name: kwargs[name] for name in self.names if name in kwargs}
        for name, value in given.items():
            _check_hashable(name, value)
        return tuple((name, _identity(value)) for name, value in given.items())

    def dynamic(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[int, Any], dict[str, Any]]:
        """The arguments of a call that are not static, by position and by name."""
        static = self.positions(len(args))
        positional = {i: x for i, x in enumerate(args) if i not in static}
        return positional, {name: x for name, x in kwargs.items() if name not in self.names}

    def name(self, position: int) -> str:
        """What a positional argument is called."""
        return self.parameters[position] if position < len(self.parameters) else f"args[{position}]"


def positional_names(function: Callable[..., Any]) -> list[str]:
    """The names of the parameters that can be passed by position, as far as they are known."""
    try:
        return [p.name for p in inspect.signature(function).parameters.values() if p.kind in POSITIONAL]
    except (TypeError, ValueError):
        return []


def _in_range(number: int, count: int) -> int:
    if not -count <= number < count:
        raise ArgumentError(f"static_argnums has {number}; the function has {count} positional parameter(s)")
    return number % count


def _check_hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        raise ArgumentError(
            f"static arguments must be hashable, for they are cached by value; {name} is a {type(value).__name__}, "
            f"{value!r}. Pass a tuple or another hashable value, or do not make {name} static."
        ) from None


def _identity(value: Any) -> Any:
    """What distinguishes values that are equal: 2, 2.0 and True, or 0.0 and -0.0."""
    if isinstance(value, tuple):
        return type(value), *map(_identity, value)
    return type(value), repr(value) if isinstance(value, (float, complex)) else value


def _as_tuple(given: Any, kind: type, option: str) -> tuple[Any, ...]:
    items = (given,) if isinstance(given, kind) else tuple(given) if isinstance(given, (tuple, list, set)) else (None,)
    if not all(isinstance(item, kind) for item in items):
        raise ArgumentError(f"{option} must be {kind.__name__} or a sequence of them; found {given!r}")
    return items
