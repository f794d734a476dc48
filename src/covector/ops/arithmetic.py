"""The arithmetic of entries: +, -, *, /, **, log, %, and their relatives.

Python's operators are used where they mean what NumPy means, because on Python floats and NumPy scalars they
cost a tenth of a ufunc call; division and powers fall back to NumPy where Python would raise.
"""

from __future__ import annotations

import operator
from typing import Any, final

import numpy as np
from attrs import field

from covector.core.families import Binary, Unary, is_finite
from covector.core.interpreter import Tracer
from covector.core.primitive import parametrized
from covector.core.types import Array, typeof
from covector.ops.comparison import EQUAL, FLOOR_DIVIDE, LOWER_BOUND, SELECT, UPPER_BOUND, callable_name


@final
class Add(Binary):
    """x + y."""

    __slots__ = ()
    ufunc = staticmethod(operator.add)
    linear_in = (0, 1)
    jointly = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1.0

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1.0


@final
class Subtract(Binary):
    """x - y."""

    __slots__ = ()
    ufunc = staticmethod(operator.sub)
    linear_in = (0, 1)
    jointly = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1.0

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return -1.0


@final
class Multiply(Binary):
    """x y."""

    __slots__ = ()
    ufunc = staticmethod(operator.mul)
    linear_in = (0, 1)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return y

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return x


@final
class Negative(Unary):
    """-x."""

    __slots__ = ()
    ufunc = staticmethod(operator.neg)
    linear_in = (0,)

    def derivative(self, out: Array, x: Array) -> Array:
        return -1.0


@final
@parametrized
class Positive(Unary):
    """x, copied; by `np.positive`, or by Python's operator for a number of Python's, which it stays."""

    ufunc: Any = field(repr=callable_name)
    linear_in = (0,)
    unshown = frozenset({"ufunc"})

    def derivative(self, out: Array, x: Array) -> Array:
        return 1.0


@final
@parametrized
class Divide(Binary):
    """x / y; `quiet` for a partial derivative, which may be infinite without a warning."""

    quiet: bool = False
    singular = True
    linear_in = (0,)

    def ufunc(self, x: Array, y: Array) -> Array:
        """x / y as NumPy defines it, also for Python numbers."""
        if isinstance(y, (int, float, complex)) and y != 0:
            return x / y
        if not self.quiet:
            return np.divide(x, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.divide(x, y)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(1.0, y)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return RATIO(-out, y)


@final
@parametrized
class Power(Binary):
    """x ** y; d/dx = y x^(y-1), d/dy = x^y ln x, which is 0 at x = 0 for y > 0."""

    quiet: bool = False
    singular = True

    def ufunc(self, x: Array, y: Array) -> Array:
        """x ** y as NumPy defines it: NaN for a negative base and a fractional exponent."""
        if self.quiet:
            with np.errstate(divide="ignore", invalid="ignore"):
                return _power(x, y)
        return _power(x, y)

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        if type(y) in (int, float):
            if y == 2:
                return x, 2
            if y in (0, 1):
                return float(y)
            return QUIET_POWER(x, y - 1), _finite(y)
        return _finite(y), QUIET_POWER(x, y - 1)  # in this order: where y is 0, an infinite power has no part in it

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return out * QUIET_LOG(SELECT(EQUAL(x, 0), 1, x))


def _finite(y: Array) -> Array:
    """The exponent as a factor, within the finite numbers: its product with x^(y-1) is 0 wherever that is."""
    kind = typeof(y)
    if kind.dtype.kind != "f" or (not isinstance(y, Tracer) and is_finite(y)):
        return y
    largest = float(np.finfo(kind.dtype).max)
    return UPPER_BOUND(LOWER_BOUND(y, -largest), largest)


def _power(x: Array, y: Array) -> Array:
    if type(x) in (int, float, complex) and type(y) in (int, float, complex):
        return _python_power(x, y)
    return x**y


def _python_power(x: complex, y: complex) -> complex:
    try:
        power: complex = x**y
    except (ZeroDivisionError, OverflowError):
        power = np.power(1.0 * x, 1.0 * y).item()
    real = type(x) is not complex and type(y) is not complex
    return float(np.power(x, y)) if real and type(power) is complex else power


@final
@parametrized
class Log(Unary):
    """ln x; `quiet` for a partial derivative, which may be infinite without a warning."""

    quiet: bool = False
    singular = True

    def ufunc(self, x: Array) -> Array:
        """The natural logarithm."""
        if not self.quiet:
            return np.log(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(x)

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(1.0, x)


@final
@parametrized
class Remainder(Binary):
    """x mod y with the sign of y: x - y floor(x / y); by `np.remainder`, or as Python's operator for its numbers."""

    ufunc: Any = field(repr=callable_name)
    unshown = frozenset({"ufunc"})

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return 1.0

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return -FLOOR_DIVIDE(x, y)


@final
class Square(Unary):
    """x^2."""

    __slots__ = ()
    ufunc = np.square

    def derivative(self, out: Array, x: Array) -> Array:
        return x, 2


@final
class Reciprocal(Unary):
    """1 / x; derivative -1 / x^2, written as a quotient so that zero wins over its own derivatives too."""

    __slots__ = ()
    ufunc = np.reciprocal
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return RATIO(-1.0, x * x)


ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER = Add(), Subtract(), Multiply(), Divide(), Power()
NEGATIVE, POSITIVE, SQUARE, RECIPROCAL = Negative(), Positive(np.positive), Square(), Reciprocal()
REMAINDER, LOG = Remainder(np.remainder), Log()


def power(x: Array, y: Array) -> Array:
    """x ** y; a square where the exponent is the number 2, as NumPy's operator does it.

    The square of a Python number is one: it adapts to the dtype of what it meets, and an integer does not overflow.
    """
    if type(y) is int and y == 2:
        return MULTIPLY(x, x) if typeof(x).weak else SQUARE(x)
    return POWER(x, y)


RATIO, QUIET_POWER, QUIET_LOG = Divide(quiet=True), Power(quiet=True), Log(quiet=True)
