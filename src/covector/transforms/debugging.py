"""debug_print: printing a value when it is computed, under every transformation."""

from __future__ import annotations

from functools import partial
from string import Formatter
from typing import Any

from covector.errors import ArgumentError
from covector.ops.debugging import DebugPrint
from covector.transforms.arguments import as_leaf
from covector.trees import flatten, leaf_paths


def debug_print(message: str, *args: Any, **kwargs: Any) -> None:
    """Prints `message.format(*args, **kwargs)` whenever the values are computed.

    Args:
        message: a format string, as of `str.format`.
        *args: arrays, numbers, texts or trees of them; `{}` and `{0}` in the message.
        **kwargs: the same by name; `{name}` in the message.

    Raises:
        ArgumentError: the message has a place for an argument that is not given.
        NonlinearError: the value is a tangent that reverse mode is recording, which has no value yet.

    Plain `print` of a traced value shows a tracer, and jit runs it only while it records. This one shows the value: of
    the primal, once, under `jvp` and `grad`; of each element in turn under `vmap`; at every run under `jit`, in
    `scan` and `while_loop`, and in the module that `export` writes. A jitted function that branches on values prints
    when it is done. Where Python sees no traced value at all, as in `debug_print("here")`, this is `print`.

    Law: a function that prints has the values and derivatives of the one that does not.

    Example:
        >>> import numpy as np
        >>> from covector import grad, vmap
        >>> def square(x):
        ...     debug_print("x = {:.1f}", x)
        ...     return x**2
        >>> float(grad(square)(3.0))
        x = 3.0
        6.0
        >>> vmap(square)(np.array([1.0, 2.0]))
        x = 1.0
        x = 2.0
        array([1., 4.])
    """
    _check_places(message, args, kwargs)
    leaves, structure = flatten((args, kwargs))
    paths = leaf_paths(args, "args") + leaf_paths(kwargs, "kwargs")
    texts = tuple(x if isinstance(x, str) else None for x in leaves)
    inputs = [as_leaf(x, partial(paths.__getitem__, i)) for i, x in enumerate(leaves) if texts[i] is None]
    DebugPrint(message, structure, texts)(*inputs)


def _check_places(message: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises if the message has a place for an argument that is not there."""
    count = 0
    for _, field, _, _ in Formatter().parse(message):
        if field is None:
            continue
        name = field.split(".")[0].split("[")[0]
        if not name:
            name, count = str(count), count + 1
        if not (name in kwargs or (name.isdecimal() and int(name) < len(args))):
            raise ArgumentError(
                f"the message of debug_print, {message!r}, has a place for argument {name!r}; found {len(args)} "
                f"positional arguments and the names {list(kwargs)}"
            )
