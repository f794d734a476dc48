"""The functions that ask about arrays, whose answers carry no derivative: shape, dtype, closeness, where nonzero.

The shape and dtype of a traced array are always known. Its entries are known under forward and reverse mode,
but neither under vmap nor while a graph is recorded; there `np.nonzero`, whose answer's shape depends on them,
raises ConcreteValueError.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, ArrayType, typeof
from covector.errors import TracerConversionError
from covector.numpy.operands import operand
from covector.numpy.registry import implements
from covector.numpy.shapes import flattened
from covector.ops.comparison import cast


def known(x: Any, asked: str) -> Any:
    """The value of an array that must not be traced without one; `asked` names the need for the error."""
    x = operand(x)
    return x.concrete(asked) if isinstance(x, Tracer) else x


def example(kind: ArrayType) -> Any:
    """What stands for a type in NumPy's promotion: its dtype, or a Python number for a weak one."""
    return kind.dtype.type(0).item() if kind.weak else kind.dtype


def promoted(*operands: Array) -> np.dtype[Any]:
    """The dtype that NumPy gives operands meeting each other; Python numbers are weak."""
    return np.result_type(*(example(typeof(x)) for x in operands))


# --- shape and dtype --------------------------------------------------------------------------------------


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """The lengths of the axes."""
    return typeof(operand(a)).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    """The number of axes."""
    return typeof(operand(a)).ndim


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """The number of entries, or of places along the given axes."""
    lengths = typeof(operand(a)).shape
    if axis is None:
        return typeof(operand(a)).size
    axes = np.lib.array_utils.normalize_axis_tuple(axis, len(lengths))
    return prod(lengths[i] for i in axes)


@implements(attributes=("itemsize",))
def itemsize(a: Array) -> int:
    """The bytes of one entry."""
    return int(a.dtype.itemsize)


@implements(attributes=("nbytes",))
def nbytes(a: Array) -> int:
    """The bytes of all entries."""
    return int(a.dtype.itemsize * a.size)


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The dtype NumPy's promotion gives."""
    return np.result_type(*(example(x.type) if isinstance(x, Tracer) else x for x in arrays_and_dtypes))


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Whether NumPy may cast from one dtype to another."""
    source = from_.dtype if isinstance(from_, Tracer) else from_
    return np.can_cast(source, to.dtype if isinstance(to, Tracer) else to, casting)  # type: ignore[arg-type]


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """The floating-point type common to the arrays."""
    return np.common_type(*(np.empty(0, typeof(operand(x)).dtype) for x in arrays))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex."""
    return typeof(operand(x)).dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex."""
    return not iscomplexobj(x)


@implements(np.may_share_memory, np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: int | None = None) -> bool:
    """Whether both are the same traced array: traced arrays are values, which never overlap otherwise."""
    return a is b


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """The indices of the lower triangle of a matrix."""
    rows, columns = _matrix_shape(arr)
    return np.tril_indices(rows, k, columns)


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """The indices of the upper triangle of a matrix."""
    rows, columns = _matrix_shape(arr)
    return np.triu_indices(rows, k, columns)


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """The indices of the main diagonal of an array with sides of one length."""
    return np.diag_indices_from(np.broadcast_to(np.empty(()), typeof(operand(arr)).shape))


def _matrix_shape(x: Any) -> tuple[int, int]:
    lengths = typeof(operand(x)).shape
    if len(lengths) != 2:
        raise ValueError(f"input array must be 2-d, but it has shape {lengths}")
    return lengths


# --- values -----------------------------------------------------------------------------------------------


@implements(np.nonzero, methods=("nonzero",))
def nonzero(a: Any) -> tuple[np.ndarray[Any, Any], ...]:
    """The indices of the entries that are not zero, one array for each axis; constants."""
    return np.nonzero(known(a, "np.nonzero, whose answer's shape depends on the entries,"))


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    """The indices of the entries that are not zero, one row for each; constants."""
    return np.argwhere(known(a, "np.argwhere, whose answer's shape depends on the entries,"))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """The indices into the flattened array of the entries that are not zero; constants."""
    return nonzero(flattened(operand(a)))[0]


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether |a - b| <= atol + rtol |b|, entry by entry."""
    a, b = operand(a), operand(b)
    b = cast(b, np.float64) if typeof(b).dtype.kind == "b" else b  # as NumPy does, because booleans have no difference
    with np.errstate(invalid="ignore"):
        near = np.less_equal(np.abs(a - b), atol + rtol * np.abs(b))
        close = np.logical_or(np.logical_and(near, np.isfinite(b)), np.equal(a, b))
    if equal_nan:
        close = np.logical_or(close, np.logical_and(np.isnan(a), np.isnan(b)))
    return close


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all entries are close."""
    return _truth(np.all(isclose(a, b, rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether the shapes and all entries are equal."""
    a1, a2 = operand(a1), operand(a2)
    if typeof(a1).shape != typeof(a2).shape:
        return False
    same = np.equal(a1, a2)
    if equal_nan:
        same = np.logical_or(same, np.logical_and(np.isnan(a1), np.isnan(a2)))
    return _truth(np.all(same))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """Whether all entries are equal after broadcasting."""
    a1, a2 = operand(a1), operand(a2)
    try:
        np.broadcast_shapes(typeof(a1).shape, typeof(a2).shape)
    except ValueError:
        return False
    return _truth(np.all(np.equal(a1, a2)))


def _truth(x: Any) -> Any:
    """A Python truth value, or a traced one where the value is not known."""
    return x if isinstance(x, Tracer) else bool(x)


# --- conversion to Python objects -------------------------------------------------------------------------


@implements(methods=("item",))
def item(a: Array, *args: int) -> Any:
    """The only entry, or the one at an index, of an integer or boolean array as a Python number."""
    if a.dtype.kind not in "iub":
        raise TracerConversionError(
            f"item() was asked of {a!r}, which would lose its derivative; x[i] and x.reshape(()) keep it"
        )
    return known(a, "item()").item(*args)


@implements(methods=("tolist",))
def tolist(a: Array) -> Any:
    """The entries as nested lists of traced numbers."""
    return [tolist(row) for row in a] if a.ndim else a
