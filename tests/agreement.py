"""One check for a function of NumPy's or SciPy's: traced, it gives the same, and its derivatives are right.

"The same" is shape, dtype and entries, whichever interpreter traces; "right" is agreement with difference
quotients of the plain function to second order, in forward and reverse mode, and of vmap with a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import covector as cv
from covector.core.primitive import as_tuple
from covector.core.types import typeof
from covector.testing import check_batching, check_grads
from covector.trees import flatten

Function = Callable[..., Any]

ROUNDING = {"e": 2e-3, "f": 1e-5, "F": 1e-5, "d": 1e-12, "D": 1e-12}
"""How far apart results may be that were computed in another order."""


def check_function(function: Function, *args: Any, order: int = 2, batching: bool = True) -> None:
    """Values, types, derivatives and batching of a function at a point where it is smooth."""
    check_values(function, *args)
    smooth = [i for i, out in enumerate(as_tuple(function(*args))) if typeof(out).differentiable]
    if smooth and any(np.asarray(x).dtype.kind in "fc" for x in flatten(args)[0]):
        check_grads(lambda *values: [as_tuple(function(*values))[i] for i in smooth], args, order=order)
    if batching:
        check_batching(function, args)


def check_values(function: Function, *args: Any) -> None:
    """The function of traced arguments gives what it gives for plain ones."""
    expected = function(*args)
    floating = [i for i, x in enumerate(args) if np.asarray(x).dtype.kind in "fc"]

    def of_floating(*values: Any) -> Any:
        filled = list(args)
        for i, value in zip(floating, values, strict=True):
            filled[i] = value
        return function(*filled)

    if floating:
        primals = tuple(args[i] for i in floating)
        assert_same(cv.linearize(of_floating, *primals)[0], expected)
    graph = cv.make_graph(lambda *values: function(*values), concrete=True)(*args)
    assert_same(graph(*args), expected)


def assert_same(found: Any, expected: Any) -> None:
    """Equal shapes, dtypes and, to rounding, entries."""
    assert isinstance(found, tuple) == isinstance(expected, (tuple, list)), f"found {found!r}, expected {expected!r}"
    plain = tuple(expected) if isinstance(expected, (tuple, list)) else (expected,)
    for x, y in zip(as_tuple(found), plain, strict=True):
        assert typeof(x).strong() == typeof(y).strong(), f"found {typeof(x)}, expected {typeof(y)}"
        rtol = ROUNDING.get(np.dtype(typeof(y).dtype).char, 0.0)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol, equal_nan=True)


def check_ownership(results: Any, *given: Any) -> None:
    """There are arrays among the results; all are writable and share no memory with given ones or with each other."""
    found = [x for x in flatten(results)[0] if isinstance(x, np.ndarray)]
    assert found
    for i, result in enumerate(found):
        assert result.flags.writeable
        assert not any(np.shares_memory(result, other) for other in (*given, *found[:i]))
