"""Comparisons, rounding and logic, whose derivative is zero wherever it exists, and selection between values.

Under forward and reverse mode the outputs of comparisons are plain values, so Python can branch on them.
Selecting passes the derivative of what was selected: `Select` by a condition, `Extreme` (the larger or the
smaller of two) shared equally at a tie, `Bound` (one side of `np.clip`) with the bound itself inside.

    >>> import numpy as np
    >>> SHARE(np.maximum([1.0, 2.0, 3.0], 2.0), np.array([1.0, 2.0, 3.0]), 2.0)
    array([0. , 0.5, 1. ])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.broadcasting import Cast, aligned, reduce
from covector.core.families import ZERO, Binary, Linear, LocallyConstant, MaskingFactor
from covector.core.primitive import Primitive, map_outputs, parametrized
from covector.core.types import Array, ArrayType, as_dtype, typeof


def callable_name(function: Any) -> str:
    """What a function is called, to show an operation by."""
    return str(function.__name__)


@final
@parametrized
class StepFunction(LocallyConstant):
    """A NumPy ufunc that is constant on pieces, named by its ufunc: `np.floor`, `np.greater`, ...

    `label` is the name where the function is one of Python's, such as `operator.lshift`.
    """

    ufunc: Any = field(repr=callable_name)
    label: str = field(default="", repr=False)
    unshown = frozenset({"ufunc", "label"})

    @property
    def name(self) -> str:
        return self.label or callable_name(self.ufunc)


EQUAL, NOT_EQUAL = StepFunction(np.equal), StepFunction(np.not_equal)
LESS, LESS_EQUAL = StepFunction(np.less), StepFunction(np.less_equal)
GREATER, GREATER_EQUAL = StepFunction(np.greater), StepFunction(np.greater_equal)
SIGN, FLOOR = StepFunction(np.sign), StepFunction(np.floor)
TRUNC, RINT = StepFunction(np.trunc), StepFunction(np.rint)
FLOOR_DIVIDE, ISNAN = StepFunction(np.floor_divide), StepFunction(np.isnan)
LOGICAL_NOT, LOGICAL_AND = StepFunction(np.logical_not), StepFunction(np.logical_and)

STEP_UFUNCS = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.sign, np.floor, np.ceil,
    np.trunc, np.rint, np.floor_divide, np.isnan, np.isinf, np.isfinite, np.signbit, np.logical_not,
    np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert,
    np.left_shift, np.right_shift, np.spacing, np.gcd, np.lcm, np.bitwise_count,
)  # fmt: skip
"""The ufuncs that are locally constant."""


class PiecewiseConstant(Primitive):
    """A function of whole arrays whose derivative is zero wherever it exists: an order, a count, an index."""

    __slots__ = ()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The outputs, and no tangents."""
        out = self(*primals)
        return out, map_outputs(_no_tangent, out)


@final
@frozen(eq=False, repr=False)
class ToInteger(PiecewiseConstant):
    """The entries cast to an integer or boolean dtype."""

    dtype: np.dtype[Any] = field(converter=as_dtype)

    def evaluate(self, *inputs: Array) -> Array:
        return np.asarray(inputs[0]).astype(self.dtype)[()]

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, self.dtype)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


@final
@parametrized
class Round(LocallyConstant):
    """The entries rounded to a number of decimals, halves to even."""

    decimals: int = 0
    view = True

    def ufunc(self, x: Array) -> Array:
        """`np.round`."""
        return np.round(x, self.decimals)


@final
class Select(Linear):
    """x where the condition holds, y elsewhere; linear in x and y, all three broadcast."""

    __slots__ = ()
    operands = slice(1, 3)

    def evaluate(self, *inputs: Array) -> Array:
        condition, x, y = inputs
        selected: Array = np.where(condition, x, y)
        return selected[()]

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        condition, x, y = inputs
        shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
        return ArrayType(shape, np.result_type(*map(_promotable, (x, y))))

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Any:
        condition, x, y = inputs
        return (
            reduce(self(condition, cotangent, 0.0), x.shape, x.dtype) if isinstance(x, ArrayType) else None,
            reduce(self(condition, 0.0, cotangent), y.shape, y.dtype) if isinstance(y, ArrayType) else None,
        )

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        ndim = max(len(typeof(x).shape) - b for x, b in zip(inputs, batched, strict=True))
        return self(*(aligned(x, ndim) if b else x for x, b in zip(inputs, batched, strict=True)))


@final
class Same(LocallyConstant):
    """Whether entries are equal, or both NaN."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array, y: Array) -> Array:
        """Looks for NaN only if there is one."""
        equal = np.equal(x, y)
        known = np.logical_and.reduce(np.equal(y, y), axis=None)  # np.all takes twice as long
        return equal if known else equal | (np.isnan(x) & np.isnan(y))


@final
class Share(LocallyConstant):
    """Of out = max(x, y), say, the part that is x's: 1 where out is x alone, 0 where it is y alone, 1/2 at a tie."""

    __slots__ = ()

    @staticmethod
    def ufunc(out: Array, x: Array, y: Array) -> Array:
        """Compares both candidates with the result; NaN is NaN's."""
        from_x, from_y = np.equal(x, out), np.equal(y, out)
        if np.logical_and.reduce(np.not_equal(from_x, from_y), axis=None):  # no ties and no NaN
            return from_x.astype(typeof(out).dtype)[()]
        from_x, from_y = SAME.ufunc(x, out), SAME.ufunc(y, out)
        return (from_x / np.maximum(np.add(from_x, from_y, dtype=np.int8), 1)).astype(typeof(out).dtype)[()]


SAME, SHARE = Same(), Share()


@final
@parametrized
class Extreme(Binary):
    """The larger or the smaller of x and y: `np.maximum`, `np.minimum`, and `np.fmax`, `np.fmin`, which ignore NaN."""

    ufunc: Any = field(repr=callable_name)
    unshown = frozenset({"ufunc"})

    @property
    def name(self) -> str:
        return str(self.ufunc.__name__)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return MaskingFactor(SHARE(out, x, y))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return MaskingFactor(SHARE(out, y, x))


MAXIMUM, MINIMUM, FMAX, FMIN = Extreme(np.maximum), Extreme(np.minimum), Extreme(np.fmax), Extreme(np.fmin)


@final
@parametrized
class Bound(Binary):
    """The value x, or the bound where x lies beyond it; all of the derivative is x's where they are equal."""

    upper: bool

    def ufunc(self, x: Array, bound: Array) -> Array:
        """Bounded from above or from below."""
        return np.minimum(x, bound) if self.upper else np.maximum(x, bound)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return MaskingFactor(cast(LESS_EQUAL(x, y) if self.upper else GREATER_EQUAL(x, y), typeof(out).dtype))

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return MaskingFactor(cast(GREATER(x, y) if self.upper else LESS(x, y), typeof(out).dtype))


@final
class Heaviside(Binary):
    """The unit step at x, with the value y at x = 0."""

    __slots__ = ()
    ufunc = np.heaviside

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return ZERO

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return cast(EQUAL(x, 0), typeof(out).dtype)


@final
class OneLike(LocallyConstant):
    """Ones of the type of the input: the cotangent that a gradient starts from.

    An operation, so that what is recorded shows a number rather than arrays computed from one.
    """

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array) -> Array:
        """Ones."""
        return np.ones_like(x)[()]


SELECT, HEAVISIDE, ONE_LIKE = Select(), Heaviside(), OneLike()
LOWER_BOUND, UPPER_BOUND = Bound(upper=False), Bound(upper=True)


def cast(x: Array, dtype: Any) -> Array:
    """The entries in another dtype, whatever its kind; x itself if that is its dtype."""
    dtype, kind = np.dtype(dtype), typeof(x)
    if kind.dtype == dtype and not kind.weak:
        return x
    return Cast(dtype)(x) if dtype.kind in "fc" else ToInteger(dtype)(x)


def _no_tangent(out: Array) -> None:
    return None


def _promotable(kind: ArrayType) -> Any:
    return kind.dtype.type(0).item() if kind.weak else kind.dtype
