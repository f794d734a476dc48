"""Accumulations: running sums, products and extremes along an axis, and the recurrences they obey.

A running product obeys a linear recurrence, and so does its derivative, and that of the recurrence, to every order:

    p_k = x_k p_(k-1)          dp_k = x_k dp_(k-1) + p_(k-1) dx_k

So nothing is divided, and zeros need no special case.

    >>> import numpy as np
    >>> Recurrence(0)(np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0]))
    array([1., 3., 7.])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import field

from covector.core.broadcasting import Linear
from covector.core.parameters import AlongAxis, FromEitherEnd
from covector.core.primitive import Primitive, moved_to_front, parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.ops.comparison import EQUAL, SELECT, cast
from covector.ops.elementary import LOGISTIC

FEW = 16
"""Up to how many lines in parallel a recurrence is computed with Python's numbers rather than NumPy's rows."""

# --- running sums, products and extremes ------------------------------------------------------------------


@final
class CumulativeSum(FromEitherEnd, Linear):
    """The sum of the entries so far along an axis, from its end if `reverse`."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return inputs[0].size

    def evaluate(self, x: Array) -> Array:
        return _accumulated(np.add, x, self.axis, self.reverse)

    def output_type(self, x: ArrayType) -> ArrayType:
        return x.strong()

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return CumulativeSum(self.axis, not self.reverse)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return CumulativeSum(self.axis + 1, self.reverse)(inputs[0])


@final
class CumulativeProduct(FromEitherEnd):
    """The product of the entries so far along an axis, from its end if `reverse`."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        return _accumulated(np.multiply, inputs[0], self.axis, self.reverse)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        before = exclusive(out, self.axis, self.reverse, 1)
        return out, Recurrence(self.axis, self.reverse)(x, before * tangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return CumulativeProduct(self.axis + 1, self.reverse)(*inputs)


@final
@parametrized
class CumulativeExtremum(Primitive):
    """The largest or smallest entry so far along an axis; shared equally by those that attained it so far."""

    ufunc: Any = field(repr=lambda ufunc: ufunc.__name__)
    axis: int

    def evaluate(self, *inputs: Array) -> Array:
        return self.ufunc.accumulate(inputs[0], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """Averages, by a recurrence that starts anew where the extreme changes, the tangents that attained it."""
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        attained = cast(EQUAL(x, out), typeof(out).dtype)
        unchanged = cast(EQUAL(out, Shift(self.axis)(out)), typeof(out).dtype)
        running = Recurrence(self.axis)
        return out, running(unchanged, attained * tangent) / running(unchanged, attained)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return CumulativeExtremum(self.ufunc, self.axis + 1)(*inputs)


@final
class CumulativeLogSumExp(AlongAxis):
    """log sum exp of the entries so far along an axis: out_k = log(exp out_(k-1) + exp x_k)."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 4 * inputs[0].size

    def evaluate(self, *inputs: Array) -> Array:
        return np.logaddexp.accumulate(inputs[0], axis=self.axis)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        out = self(x)
        if tangent is None:
            return out, None
        before = exclusive(out, self.axis, False, -np.inf)
        weight = SELECT(_first(typeof(out), self.axis), 1.0, LOGISTIC(x, before))
        return out, Recurrence(self.axis)(LOGISTIC(before, x), weight * tangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return CumulativeLogSumExp(self.axis + 1)(*inputs)


# --- recurrences ------------------------------------------------------------------------------------------


@final
class Shift(FromEitherEnd, Linear):
    """Every entry moved on by one along an axis, a zero in front; back, with a zero at the end, if `reverse`."""

    __slots__ = ()

    def evaluate(self, x: Array) -> Array:
        later = (slice(None),) * self.axis + (slice(1, None),)
        earlier = (slice(None),) * self.axis + (slice(None, -1),)
        out = np.zeros_like(x)
        if self.reverse:
            out[earlier] = x[later]
        else:
            out[later] = x[earlier]
        return out

    def output_type(self, x: ArrayType) -> ArrayType:
        return x.strong()

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Shift(self.axis, not self.reverse)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Shift(self.axis + 1, self.reverse)(inputs[0])


@final
class Recurrence(FromEitherEnd):
    """y_k = a_k y_(k-1) + b_k along an axis from y_(-1) = 0, or y_k = a_k y_(k+1) + b_k if `reverse`; linear in b."""

    __slots__ = ()

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return 2 * inputs[1].size

    def evaluate(self, *inputs: Array) -> Array:
        a, b = (np.moveaxis(_oriented(x, self.axis, self.reverse), self.axis, 0) for x in inputs)
        if b.size == 0:
            return inputs[1].astype(np.result_type(a, b))
        rows = _solve_recurrence(a.reshape(len(a), -1), b.reshape(len(b), -1))
        return _oriented(np.moveaxis(rows.reshape(b.shape), 0, self.axis), self.axis, self.reverse)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[1].shape, np.result_type(inputs[0].dtype, inputs[1].dtype))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """Differentiated: dy_k = a_k dy_(k-1) + (y_(k-1) da_k + db_k), the same recurrence."""
        (a, b), (da, db) = primals, tangents
        out = self(a, b)
        if da is None and db is None:
            return out, None
        if da is None:
            return out, self(a, db)
        source = Shift(self.axis, self.reverse)(out) * da
        return out, self(a, source if db is None else source + db)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        return traced if tuple(traced) == (1,) else super().linear_inputs(traced, count)

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Any:
        """Runs the other way: w_k = cotangent_k + a_(k+1) w_(k+1)."""
        return Recurrence(self.axis, not self.reverse)(Shift(self.axis, not self.reverse)(inputs[0]), cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Recurrence(self.axis + 1, self.reverse)(*map(moved_to_front, inputs, batched, [size] * 2))


def _solve_recurrence(a: Array, b: Array) -> Array:
    """The solution, row after row; few columns in a plain loop over Python numbers, which is faster.

    Where the products P_k = a_1 ... a_k neither vanish nor overflow, y_k = P_k (b_0 / P_0 + ... + b_k / P_k).
    """
    with np.errstate(all="ignore"):
        products = np.multiply.accumulate(np.concatenate([np.ones_like(a[:1]), a[1:]]), axis=0)
    size, limits = np.abs(products), np.finfo(products.dtype)
    if np.all((size > limits.tiny**0.5) & (size < limits.max**0.5)):
        return products * np.add.accumulate(b / products, axis=0)
    out = np.empty(b.shape, np.result_type(a, b))
    if b.shape[1] <= FEW:
        for column in range(b.shape[1]):
            out[:, column] = _recurrence_of_numbers(a[:, column].tolist(), b[:, column].tolist())
        return out
    out[0] = b[0]
    for k in range(1, len(out)):
        np.multiply(a[k], out[k - 1], out=out[k])
        out[k] += b[k]
    return out


def _recurrence_of_numbers(a: list[Any], b: list[Any]) -> list[Any]:
    value, values = b[0], [b[0]]
    for k in range(1, len(b)):
        value = a[k] * value + b[k]
        values.append(value)
    return values


def exclusive(accumulated: Array, axis: int, reverse: bool, first: float) -> Array:
    """What had been accumulated before each entry: `first` (the neutral element) before the first one."""
    kind = typeof(accumulated)
    start = np.where(_first(kind, axis, reverse), kind.dtype.type(first), kind.dtype.type(0))
    return Shift(axis, reverse)(accumulated) + start


def _first(kind: ArrayType, axis: int, reverse: bool = False) -> Array:
    """Whether an entry is the first along an axis, in a shape that broadcasts; the last if `reverse`."""
    place = np.arange(kind.shape[axis]).reshape(-1, *(1,) * (kind.ndim - axis - 1))
    return place == (kind.shape[axis] - 1 if reverse else 0)


def _oriented(x: Array, axis: int, reverse: bool) -> Array:
    return np.flip(x, axis) if reverse else x


def _accumulated(ufunc: Any, x: Array, axis: int, reverse: bool) -> Array:
    return _oriented(ufunc.accumulate(_oriented(x, axis, reverse), axis=axis), axis, reverse)
