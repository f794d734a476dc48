"""What transformations return: functions that can be pickled, if the function that was transformed can be.

A closure cannot be pickled; but the transformation and what it was given can, and they make the same function again:

    >>> import pickle
    >>> import numpy as np
    >>> from covector import grad
    >>> pickle.loads(pickle.dumps(grad(grad(np.sin))))(0.0)
    np.float64(-0.0)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from types import MethodType
from typing import Any, final


@final
class Transformed(partial[Any]):
    """A transformed function. It is a `partial` because that is called without Python code in between."""

    transformation: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __reduce__(self) -> Any:
        return self.transformation, self.arguments

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        function, *_ = self.arguments
        return f"<{self.transformation.__name__} of {getattr(function, '__qualname__', repr(function))}>"


def transformed(
    closure: Callable[..., Any], transformation: Callable[..., Any], function: Callable[..., Any], *options: Any
) -> Any:
    """The closure, which is what `transformation(function, *options)` is to return, with the name of the function."""
    found = Transformed(closure)
    update_wrapper(found, function)
    found.transformation, found.arguments = transformation, (function, *options)
    return found
