"""NumPy's elementwise functions that are not ufuncs: clip, round, sinc, angle, nan_to_num, unwrap, interp.

>>> interp(2.5, np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 40.0]))
np.float64(30.0)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import frozen
from numpy.lib.array_utils import normalize_axis_index

from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive
from covector.core.protocol import table
from covector.core.types import Array, ArrayType, typeof
from covector.errors import UnsupportedArgumentError
from covector.numpy.indexing import take
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.numpy.ufuncs import conjugate, is_complex
from covector.ops.comparison import EQUAL, ISNAN, LOWER_BOUND, SELECT, TRUNC, UPPER_BOUND, Round, cast
from covector.ops.elementary import ARCTAN2, DEGREES
from covector.ops.parts import IMAGINARY_PART, REAL_PART
from covector.ops.sorting import ArgSort, SearchSorted
from covector.ops.windows import MODIFIED_BESSEL, SINC

NOT_GIVEN: Any = np._NoValue

# --- bounds and rounding ----------------------------------------------------------------------------------


@implements(np.clip)
def clip(
    a: Any, a_min: Any = NOT_GIVEN, a_max: Any = NOT_GIVEN, out: None = None, *,
    min: Any = NOT_GIVEN, max: Any = NOT_GIVEN, **options: Any,
) -> Array:  # fmt: skip
    """The entries, or the bound where they lie beyond it; on the bounds the derivative is the entry's."""
    refuse(np.clip, out=out, **options)
    if (a_min is not NOT_GIVEN or a_max is not NOT_GIVEN) and (min is not NOT_GIVEN or max is not NOT_GIVEN):
        raise ValueError("Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden.")
    x = operand(a)
    for bound, lower, upper in ((LOWER_BOUND, a_min, min), (UPPER_BOUND, a_max, max)):
        limit = upper if lower is NOT_GIVEN else lower
        if limit is not NOT_GIVEN and limit is not None:
            x = bound(x, operand(limit))
    return x


@implements(methods=("clip",))
def _clip_method(a: Any, min: Any = None, max: Any = None, out: None = None, **options: Any) -> Array:
    return clip(a, min, max, out, **options)


@implements(np.round, np.around, methods=("round",))
def round_(a: Any, decimals: int = 0, out: None = None) -> Array:
    """The entries rounded to a number of decimals, which is constant on pieces."""
    refuse(np.round, out=out)
    return Round(int(decimals))(operand(a))


@implements(np.fix)
def fix(x: Any, out: None = None) -> Array:
    """The entries rounded towards zero, which is constant on pieces."""
    refuse(np.fix, out=out)
    return TRUNC(operand(x))


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """The entries, with numbers in place of NaN and infinity; their derivative is zero there."""
    refuse(np.nan_to_num, copy=None if copy else copy)
    x = operand(x)
    kind = typeof(x)
    if not kind.differentiable:
        return x
    if kind.dtype.kind == "c":
        options = {"nan": nan, "posinf": posinf, "neginf": neginf}
        return nan_to_num(REAL_PART(x), **options) + nan_to_num(IMAGINARY_PART(x), **options) * 1j
    limits = np.finfo(kind.dtype)
    largest = limits.max if posinf is None else posinf
    smallest = limits.min if neginf is None else neginf
    replacements = ((ISNAN(x), nan), (x == np.inf, largest), (x == -np.inf, smallest))
    for replaced, value in replacements:
        x = SELECT(replaced, cast(operand(value), kind.dtype), x)
    return x


@implements(np.isposinf)
def isposinf(x: Any, out: None = None) -> Array:
    """Whether an entry is plus infinity."""
    refuse(np.isposinf, out=out)
    return operand(x) == np.inf


@implements(np.isneginf)
def isneginf(x: Any, out: None = None) -> Array:
    """Whether an entry is minus infinity."""
    refuse(np.isneginf, out=out)
    return operand(x) == -np.inf


# --- complex numbers --------------------------------------------------------------------------------------


@implements(np.real, attributes=("real",))
def real(val: Any) -> Array:
    """The real part."""
    x = operand(val)
    return REAL_PART(x) if is_complex(x) else x


@implements(np.imag, attributes=("imag",))
def imag(val: Any) -> Array:
    """The imaginary part."""
    x = operand(val)
    kind = typeof(x)
    return IMAGINARY_PART(x) if is_complex(x) else np.zeros(kind.shape, kind.dtype)[()]


table.methods |= {"conjugate": conjugate, "conj": conjugate}


@implements(np.iscomplex)
def iscomplex(x: Any) -> Array:
    """Whether an entry has an imaginary part that is not zero."""
    return imag(x) != 0


@implements(np.isreal)
def isreal(x: Any) -> Array:
    """Whether an entry has an imaginary part of zero."""
    return imag(x) == 0


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Array:
    """The angle of a complex number in the plane."""
    z = operand(z)
    result = ARCTAN2(IMAGINARY_PART(z), REAL_PART(z)) if is_complex(z) else ARCTAN2(0, z)
    return DEGREES(result) if deg else result


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Array:
    """The real part if all imaginary parts are within `tol` (times the precision, if above 1) of zero."""
    z = operand(a)
    if not is_complex(z):
        return z
    bound = tol * np.finfo(typeof(z).dtype).eps if tol > 1 else tol
    return REAL_PART(z) if np.all(np.absolute(IMAGINARY_PART(z)) < bound) else z


# --- special functions that NumPy has ---------------------------------------------------------------------


@implements(np.sinc)
def sinc(x: Any) -> Array:
    """sin(pi x) / (pi x), smooth at 0."""
    return SINC(_as_float(operand(x)))


@implements(np.i0)
def i0(x: Any) -> Array:
    """The modified Bessel function of the first kind and order 0."""
    return MODIFIED_BESSEL(_as_float(operand(x)))


def _as_float(x: Array) -> Array:
    return x if typeof(x).differentiable else cast(x, np.float64)


# --- functions of a whole axis ----------------------------------------------------------------------------


@final
@frozen
class Unwrap(Primitive):
    """Adds multiples of the period so that no step along an axis is larger than half of it (or `discont`)."""

    discont: float | None
    axis: int
    period: float

    def evaluate(self, *inputs: Array) -> Array:
        return np.unwrap(inputs[0], self.discont, self.axis, period=self.period)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType(inputs[0].shape, np.result_type(inputs[0].dtype, self.period))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """What is added is constant on pieces."""
        return self(*primals), tangents[0]

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Unwrap(self.discont, self.axis + 1, self.period)(*inputs)


@implements(np.unwrap)
def unwrap(p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Array:
    """Angles along an axis made continuous by adding multiples of the period."""
    if any(isinstance(option, Tracer) for option in (period, discont)):
        raise UnsupportedArgumentError("numpy.unwrap needs plain numbers for period= and discont=; one is traced")
    x = operand(p)
    return Unwrap(discont, normalize_axis_index(axis, typeof(x).ndim), period)(x)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """Piecewise linear interpolation between the points (xp, fp), differentiable in all of them."""
    dtype = np.complex128 if is_complex(operand(fp)) else np.float64
    x, xp, fp = cast(operand(x), np.float64), cast(operand(xp), np.float64), cast(operand(fp), dtype)
    if period is not None:
        x, xp, fp = _periodic(x, xp, fp, abs(operand(period)))
        left = right = None
    left = fp[0] if left is None else operand(left)
    right = fp[-1] if right is None else operand(right)
    last = typeof(xp).shape[0] - 1
    inside = _interpolated(x, xp, fp) if last else np.broadcast_to(fp[0], typeof(x).shape)
    return SELECT(x < xp[0], left, SELECT(x > xp[last], right, inside))


def _interpolated(x: Array, xp: Array, fp: Array) -> Array:
    place = SearchSorted(right=True)(xp, x) - 1
    place = np.clip(place, 0, typeof(xp).shape[0] - 2)
    start, value = take(xp, place), take(fp, place)
    slope = (take(fp, place + 1) - value) / (take(xp, place + 1) - start)
    # at a point itself an infinite slope would make NaN of the value
    at_infinite = np.logical_and(EQUAL(x, start), np.isinf(slope))
    return value + SELECT(at_infinite, 0.0, slope) * (x - start)


def _periodic(x: Array, xp: Array, fp: Array, period: Array) -> tuple[Array, Array, Array]:
    """The points within one period in order, and one more on either side."""
    x, xp = x % period, xp % period
    order = ArgSort(0)(xp)
    xp, fp = take(xp, order), take(fp, order)
    xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
    return x, xp, np.concatenate((fp[-1:], fp, fp[:1]))
