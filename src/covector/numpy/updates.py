"""Functional updates: x.at[index].set(value) is what `x[index] = value` would make of x, as a new array.

Traced arrays are values and cannot be written into. `x.at` is their attribute; `at(x)` does the same for any
array, which is needed where x is a plain one and the value or the index is traced.

    >>> at(np.zeros(3))[1].set(5.0)
    array([0., 5., 0.])
    >>> at(np.zeros(3))[[0, 0, 2]].add(1.0)           # every repetition of an index counts
    array([2., 0., 1.])
    >>> import covector as cv
    >>> cv.grad(lambda v: np.sum(at(np.ones(3))[1:].multiply(v) ** 2))(3.0)
    np.float64(12.0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, final

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, Shape, typeof
from covector.errors import ConcreteValueError, DTypeMismatchError, TracerConversionError
from covector.numpy.creation import converted
from covector.numpy.indexing import basic_key, index
from covector.numpy.operands import operand
from covector.numpy.registry import INSTEAD, implements
from covector.numpy.shapes import flattened, reshaped
from covector.ops.indexing import Gather, PutSlice, ScatterAdd, SetEntries, SetSlice, sliced_shape

Operation = Callable[..., Array]


@final
class Updatable:
    """An array, waiting for the index at which it is to be updated."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array

    def __getitem__(self, key: Any) -> Update:
        return Update(self.array, key)


@implements(attributes=("at",))
def at(x: Any) -> Updatable:
    """Functional updates of an array: `at(x)[index].set(value)` returns x with the entries at the index replaced.

    Args:
        x: a plain or traced array.

    Returns:
        An object to be indexed by any NumPy index; the result has the methods `set`, `add`, `subtract`,
        `multiply`, `divide`, `power`, `min`, `max`, `apply` and `get`. Each returns a new array with the shape
        and dtype of x. An index that occurs twice takes part twice (`set`: the last value stays, as in NumPy).

    Raises:
        IndexError: an index is out of range.
        DTypeMismatchError: the values cannot be cast to the dtype of x without loss of kind.
        ConcreteValueError: a boolean mask for more than a single value, or the repetitions of an index array, must be
            known and are not.

    Example:
        >>> at(np.arange(4.0))[::2].add(10.0)
        array([10.,  1., 12.,  3.])
    """
    return Updatable(operand(x))


@final
class Update:
    """An array and an index, waiting for what is to be done to the entries there."""

    __slots__ = ("array", "basic", "key")

    def __init__(self, array: Array, key: Any) -> None:
        self.array, self.key = array, key
        self.basic = basic_key(key)

    def get(self) -> Array:
        """The entries."""
        return index(self.array, self.key)

    def set(self, values: Any) -> Array:
        """The array with the values in place of the entries."""
        if self._is_selection(values):
            return self._selected(values)
        if self.basic is not None:
            return SetSlice(self.basic)(self.array, self._fitted(values, sliced_shape(self._shape, self.basic)))
        places = self._places()
        values = self._fitted(values, typeof(places).shape)
        return self._replaced(flattened(self.array), values, places, unique=False)

    def add(self, values: Any) -> Array:
        """The array with the values added to the entries."""
        if self._is_selection(values):
            return self._selected(np.add(self.array, self._fitted(values, ())))
        if self.basic is not None:
            values = self._fitted(values, sliced_shape(self._shape, self.basic))
            return self.array + PutSlice(self.basic, self._shape)(values)
        places = self._places()
        values = self._fitted(values, typeof(places).shape)
        total = ScatterAdd((typeof(self.array).size,))(flattened(values), flattened(places))
        return self.array + reshaped(total, self._shape)

    def subtract(self, values: Any) -> Array:
        """The array with the values subtracted from the entries."""
        return self.add(np.negative(operand(values)))

    def multiply(self, values: Any) -> Array:
        """The array with the entries multiplied by the values."""
        return self._combined(np.multiply, values)

    def divide(self, values: Any) -> Array:
        """The array with the entries divided by the values."""
        return self._combined(np.divide, values)

    def power(self, values: Any) -> Array:
        """The array with the entries raised to the powers given by the values."""
        return self._combined(np.power, values)

    def min(self, values: Any) -> Array:
        """The array with the lesser of entries and values."""
        return self._combined(np.minimum, values)

    def max(self, values: Any) -> Array:
        """The array with the greater of entries and values."""
        return self._combined(np.maximum, values)

    def apply(self, function: Operation) -> Array:
        """The array with the function, an elementwise one, of the entries."""
        return self._combined(function)

    @property
    def _shape(self) -> Shape:
        return typeof(self.array).shape

    def _is_selection(self, *values: Any) -> bool:
        """Whether the index is a traced mask and each value a single one, which fits any number of entries."""
        if not isinstance(self.key, Tracer) or self.key.dtype != bool:
            return False
        return self.key.shape == self._shape[: self.key.ndim] and not any(typeof(operand(x)).shape for x in values)

    def _selected(self, values: Array) -> Array:
        """The array with the values where the mask is True."""
        mask = reshaped(self.key, self.key.shape + (1,) * (len(self._shape) - self.key.ndim))
        return np.where(mask, self._fitted(values, self._shape), self.array)

    def _fitted(self, values: Any, shape: Shape) -> Array:
        """The values in the dtype of the array and the shape of the entries."""
        values = operand(values)
        found, wanted = typeof(values).dtype, typeof(self.array).dtype
        if not np.can_cast(found, wanted, "same_kind"):
            raise DTypeMismatchError(
                f"an update of an array of dtype {wanted} was given values of dtype {found}, which do not fit into "
                f"it; convert the array first: x.astype({found})"
            )
        return np.broadcast_to(converted(values, wanted), shape)

    def _places(self) -> Array:
        """Where in the flattened array the entries are."""
        return index(np.arange(typeof(self.array).size).reshape(self._shape), self.key)

    def _replaced(self, flat: Array, values: Array, places: Array, unique: bool) -> Array:
        out = SetEntries(unique)(flat, flattened(values), flattened(places))
        return reshaped(out, self._shape)

    def _combined(self, operation: Operation, *values: Any) -> Array:
        """The operation of the entries and the values, one after the other where an index is repeated."""
        if self._is_selection(*values):
            return self._selected(operation(self.array, *values))
        if self.basic is not None:
            return self.set(operation(self.get(), *values))
        places = self._places()
        shape, count = typeof(places).shape, typeof(places).size
        others = [flattened(np.broadcast_to(operand(x), shape)) for x in values]
        flat, places = flattened(self.array), flattened(places)
        for turn in _turns(places):
            now = places if turn is None else places[turn]
            given = others if turn is None else [x[turn] for x in others]
            entries = operation(Gather(0, unique=True)(flat, now), *given)
            entries = self._fitted(entries, (count if turn is None else len(turn),))
            flat = SetEntries(unique=True)(flat, entries, now)
        return reshaped(flat, self._shape)


def _turns(places: Array) -> Iterator[np.ndarray[Any, Any] | None]:
    """Which places to update in each turn, so that none is updated twice in one; None for all at once."""
    if typeof(places).size <= 1:
        yield None
        return
    if isinstance(places, Tracer):
        raise ConcreteValueError(
            "an update by multiply, divide, power, min, max or apply was asked for at traced indices, whose "
            "repetitions are not known; use .set or .add, or gather and combine the values first"
        )
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.searchsorted(ordered, ordered)
    turn = np.empty_like(order)
    turn[order] = np.arange(len(order)) - starts
    for number in range(int(turn.max()) + 1):
        yield np.flatnonzero(turn == number)


# --- NumPy's functions that write in place ----------------------------------------------------------------


INSTEAD.update({
    np.put: "x = x.at[np.unravel_index(indices, x.shape)].set(values)",
    np.place: "x = np.where(mask, values, x)",
    np.putmask: "x = np.where(mask, values, x)",
    np.copyto: "x = np.where(where, values, x), or np.broadcast_to(values, x.shape)",
    np.put_along_axis: "x = x.at[index].set(values)",
    np.fill_diagonal: "i = np.arange(min(x.shape)) and x = x.at[i, i].set(value)",
})  # fmt: skip


def _refuse_in_place(method: str, advice: str) -> NoReturn:
    raise TracerConversionError(f"{method} writes into an array, which a traced array does not allow. Write {advice}.")


@implements(methods=("fill",))
def fill(a: Array, value: Any) -> NoReturn:
    """x.fill(value), refused."""
    _refuse_in_place("x.fill", "x = np.full_like(x, value)")


@implements(methods=("put",))
def put(a: Array, *args: Any, **kwargs: Any) -> NoReturn:
    """x.put(indices, values), refused."""
    _refuse_in_place("x.put", INSTEAD[np.put])


@implements(methods=("resize",))
def resize(a: Array, *args: Any, **kwargs: Any) -> NoReturn:
    """x.resize(shape), refused."""
    _refuse_in_place("x.resize", "x = np.resize(x, shape)")
