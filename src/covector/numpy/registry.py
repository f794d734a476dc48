"""Registers what a tracer does when a NumPy function, or an array method, meets it.

    @implements(np.cumsum, methods=("cumsum",))
    def cumsum(a, axis=None, dtype=None, out=None): ...

An implementation has the signature of the NumPy function, and is written with primitives and with other
NumPy functions. An option it does not honour is refused by name, never ignored: `refuse(np.cumsum, out=out)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from covector.core.protocol import table
from covector.errors import UnsupportedArgumentError, UnsupportedFunctionError

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""The implementation of each covered NumPy function (ufuncs are in `table.ufuncs`)."""

INSTEAD: dict[Any, str] = {}
"""What to write instead of a function that cannot have a rule, for the error message."""


def implements(*functions: Any, methods: Sequence[str] = (), attributes: Sequence[str] = ()) -> Callable[[F], F]:
    """Registers an implementation for NumPy functions, and for array methods and attributes of these names."""

    def register(implementation: F) -> F:
        FUNCTIONS.update(dict.fromkeys(functions, implementation))
        table.methods.update(dict.fromkeys(methods, implementation))
        table.attributes.update(dict.fromkeys(attributes, implementation))
        return implementation

    return register


def newer(*names: str) -> tuple[Any, ...]:
    """The functions of these names in the `numpy` namespace that the installed NumPy (2.0 or later) has."""
    return tuple(getattr(np, name) for name in names if hasattr(np, name))


def refuse(function: Any, **options: Any) -> None:
    """Raises if any of the options was given: is neither None nor NumPy's "not given"."""
    for option, value in options.items():
        if value is not None and value is not np._NoValue:
            raise UnsupportedArgumentError(f"{qualified_name(function)} of a traced array does not support {option}=")


def refuse_function(function: Any) -> NoReturn:
    """Raises the error about a function that has no rule."""
    if function in INSTEAD:
        raise UnsupportedFunctionError(
            f"{qualified_name(function)} writes into an array, which neither a traced array nor a plain one given "
            f"traced values allows. Write {INSTEAD[function]}; covector.at(x) has .at for a plain array."
        )
    raise UnsupportedFunctionError(
        f"{qualified_name(function)} has no rule for traced arrays. covector.supported() lists the covered functions; "
        "covector.custom_jvp or custom_vjp gives a function of yours a rule; covector.stop_gradient(x) makes x a "
        "constant."
    )


def qualified_name(function: Any) -> str:
    """The name a user knows a function by: numpy.linalg.svd."""
    if isinstance(function, np.ufunc):
        name: str = function.__name__
        if getattr(np, name, None) is function:
            return f"numpy.{name}"
        return name if name.endswith("(vectorized)") else f"scipy.special.{name}"
    path = str(getattr(function, "__module__", "")).split(".")
    module = ".".join(part for part in path if not part.startswith("_"))
    return f"{module}.{getattr(function, '__qualname__', None) or function.__name__}"


def _array_function(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    implementation = FUNCTIONS.get(function)
    if implementation is None:
        refuse_function(function)
    return implementation(*args, **kwargs)


table.array_function = _array_function
