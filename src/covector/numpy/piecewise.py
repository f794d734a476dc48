"""np.piecewise: a function for each part of an array.

NumPy hands each function the entries of its part. While a graph is recorded, and under vmap, nobody knows which these
are. An elementwise function does not mind getting others as well, as long as they are among those it is made for: so
it is given all entries, with one of its own in the place of each that is not, and none if none is its own.

    >>> import covector as cv
    >>> root = lambda x: np.piecewise(x, [x > 0.0], [np.sqrt, 0.0])
    >>> cv.jit(root)(np.array([-1.0, 4.0, 9.0]))
    array([0., 2., 3.])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from covector.core.broadcasting import Cast
from covector.core.families import Elementwise
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ConcreteValueError
from covector.graph.graph import Literal
from covector.interpreters.staging import record_flat
from covector.numpy.indexing import index
from covector.numpy.inquiries import known
from covector.numpy.operands import operand
from covector.numpy.registry import implements
from covector.numpy.updates import at
from covector.ops.comparison import ToInteger, cast
from covector.transforms.stop import stop_gradient

ASKED = "np.piecewise, which applies each function to the entries chosen by a condition,"


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """Each function of the entries for which its condition, the last one that holds, decides."""
    x = operand(x)
    conditions = _conditions(condlist, typeof(x).ndim)
    if len(funclist) == len(conditions) + 1:
        conditions.append(np.logical_not(np.any(np.stack(conditions), axis=0)))
    if len(funclist) != len(conditions):
        raise ValueError(f"with {len(conditions)} conditions, as many functions are expected, or one more")
    out: Array = np.zeros(typeof(x).shape, typeof(x).dtype)
    if not out.size:
        return out
    for condition, function in zip(conditions, funclist, strict=True):
        out = _with_piece(out, x, condition, partial(function, *args, **kw) if callable(function) else function)
    return out


def _conditions(condlist: Any, ndim: int) -> list[Array]:
    several = isinstance(condlist, (list, tuple)) and (ndim == 0 or any(np.ndim(c) for c in condlist))
    found = np.stack([operand(c) for c in condlist]) if several else operand(condlist)
    conditions = list(found) if typeof(found).ndim > ndim else [found]
    return [cast(condition, bool) for condition in conditions]


def _with_piece(out: Array, x: Array, condition: Array, piece: Any) -> Array:
    """The array with the values of a function, or with a number, where the condition holds."""
    if not callable(piece):
        return at(out)[condition].set(piece)
    try:
        places = known(condition, ASKED)
    except ConcreteValueError as error:
        _check_elementwise(piece, typeof(x), error)
        if _holds_nowhere(condition):
            return out
        values = piece(np.where(condition, x, _own_entry(x, condition)))
        return at(out)[...].set(np.where(condition, values, out))
    return at(out)[places].set(piece(index(x, places)))


def _holds_nowhere(condition: Array) -> bool:
    """Whether no entry is of the part: a branch, which jit watches; of a batch nobody knows."""
    try:
        return not np.any(condition)
    except ConcreteValueError:
        return False


def _own_entry(x: Array, condition: Array) -> Array:
    """An entry for which the condition holds; 1, which most functions are defined at, if a batch has none there."""
    return np.where(np.any(condition), stop_gradient(np.ravel(x)[np.argmax(condition)]), 1)


def _check_elementwise(function: Callable[..., Any], x: ArrayType, error: ConcreteValueError) -> None:
    """Raises the error, with an explanation, if what a function computes of an entry could depend on the others."""
    two, three = (_operations(function, ArrayType((length,), x.dtype)) for length in (2, 3))
    if two is None or two != three:
        error.add_note(
            "Where the entries are not known, np.piecewise takes functions of single entries only, such as np.sqrt; "
            "one of these functions is not of that kind. Select between values with np.where."
        )
        raise error


def _operations(function: Callable[..., Any], x: ArrayType) -> list[Any] | None:
    """The elementwise operations that a function consists of, and the numbers in them; None if there are others."""
    graph = record_flat(lambda v: [operand(function(v))], [x], "np.piecewise")
    if any(np.shape(value) for _, value in graph.constants):
        return None
    if not all(isinstance(e.primitive, (Elementwise, Cast, ToInteger)) for e in graph.equations):
        return None
    return [(e.primitive, *(a.value for a in e.inputs if isinstance(a, Literal))) for e in graph.equations]
