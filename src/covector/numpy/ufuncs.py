"""Which primitive stands behind which ufunc and which operator.

`table.ufuncs` maps a ufunc to a function of its inputs: to the primitive itself where one does, or to a
function that chooses (the absolute value of a complex number is another operation than that of a real one) or
returns several (`np.modf`). Every unary ufunc is also a method, `x.exp()`, because that is what NumPy calls on
the entries of an object array: `np.exp(np.array([x, y]))` with traced x and y.

    >>> table.ufuncs[np.divmod](7.5, 2.0)
    (np.float64(3.0), np.float64(1.5))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive
from covector.core.protocol import table
from covector.core.types import PYTHON_DTYPES, Array, typeof
from covector.numpy.operands import operand
from covector.ops import arithmetic, comparison, elementary, parts
from covector.ops.comparison import StepFunction

# --- ufuncs that choose or combine primitives -----------------------------------------------------------


def absolute(x: Any) -> Array:
    """|x|, real or complex."""
    x = operand(x)
    return parts.COMPLEX_ABSOLUTE(x) if is_complex(x) else parts.ABSOLUTE(x)


def sign(x: Any) -> Array:
    """The sign of a real number, which is constant on pieces; z / |z| of a complex one, and 0 at 0."""
    x = operand(x)
    if not is_complex(x):
        return comparison.SIGN(x)
    infinite = np.isinf(x)  # where the sign is constant, too
    finite = comparison.SELECT(infinite, 1, x)
    sign = finite / comparison.SELECT(comparison.EQUAL(x, 0), 1, parts.COMPLEX_ABSOLUTE(finite))
    return comparison.SELECT(infinite, comparison.SIGN(x), sign)


def conjugate(x: Any) -> Array:
    """The complex conjugate; a real number is its own."""
    x = operand(x)
    return parts.CONJUGATE(x) if is_complex(x) else x


def conjugate_ufunc(x: Any) -> Array:
    """The complex conjugate as `np.conjugate` gives it, whose booleans are small integers; `x.conj()` leaves them."""
    x = operand(x)
    return comparison.cast(x, np.int8) if typeof(x).dtype.kind == "b" else conjugate(x)


def divmod_(x: Any, y: Any) -> tuple[Array, Array]:
    """The floored quotient, which is constant on pieces, and the remainder."""
    return comparison.FLOOR_DIVIDE(x, y), arithmetic.REMAINDER(x, y)


def modf(x: Any) -> tuple[Array, Array]:
    """The fractional part and the integer part, which is constant on pieces."""
    x = operand(x)
    return parts.FRACTIONAL_PART(x), comparison.cast(comparison.TRUNC(x), np.result_type(typeof(x).dtype, np.float16))


def frexp(x: Any) -> tuple[Array, Array]:
    """The significand and the exponent, which is constant on pieces."""
    return parts.SIGNIFICAND(x), parts.EXPONENT(x)


def float_power(x: Any, y: Any) -> Array:
    """x ** y in double precision at least."""
    x, y = operand(x), operand(y)
    dtype = np.result_type(typeof(x).dtype, typeof(y).dtype, np.float64)
    return arithmetic.POWER(comparison.cast(x, dtype), comparison.cast(y, dtype))


def is_complex(x: Array) -> bool:
    """Whether the entries are complex numbers."""
    return typeof(x).dtype.kind == "c"


# --- the table ------------------------------------------------------------------------------------------

table.ufuncs |= {ufunc: StepFunction(ufunc) for ufunc in comparison.STEP_UFUNCS}
table.ufuncs |= {
    np.add: arithmetic.ADD,
    np.subtract: arithmetic.SUBTRACT,
    np.multiply: arithmetic.MULTIPLY,
    np.divide: arithmetic.DIVIDE,
    np.power: arithmetic.power,
    np.float_power: float_power,
    np.negative: arithmetic.NEGATIVE,
    np.positive: arithmetic.POSITIVE,
    np.square: arithmetic.SQUARE,
    np.reciprocal: arithmetic.RECIPROCAL,
    np.remainder: arithmetic.REMAINDER,
    np.divmod: divmod_,
    np.log: arithmetic.LOG,
    np.log1p: elementary.LOG1P,
    np.log2: elementary.LOG2,
    np.log10: elementary.LOG10,
    np.exp: elementary.EXP,
    np.exp2: elementary.EXP2,
    np.expm1: elementary.EXPM1,
    np.logaddexp: elementary.LOGADDEXP,
    np.logaddexp2: elementary.LOGADDEXP2,
    np.sqrt: elementary.SQRT,
    np.cbrt: elementary.CBRT,
    np.hypot: elementary.HYPOT,
    np.sin: elementary.SIN,
    np.cos: elementary.COS,
    np.tan: elementary.TAN,
    np.arcsin: elementary.ARCSIN,
    np.arccos: elementary.ARCCOS,
    np.arctan: elementary.ARCTAN,
    np.arctan2: elementary.ARCTAN2,
    np.sinh: elementary.SINH,
    np.cosh: elementary.COSH,
    np.tanh: elementary.TANH,
    np.arcsinh: elementary.ARCSINH,
    np.arccosh: elementary.ARCCOSH,
    np.arctanh: elementary.ARCTANH,
    np.degrees: elementary.DEGREES,
    np.rad2deg: elementary.DEGREES,
    np.radians: elementary.RADIANS,
    np.deg2rad: elementary.RADIANS,
    np.maximum: comparison.MAXIMUM,
    np.minimum: comparison.MINIMUM,
    np.fmax: comparison.FMAX,
    np.fmin: comparison.FMIN,
    np.heaviside: comparison.HEAVISIDE,
    np.sign: sign,
    np.absolute: absolute,
    np.fabs: parts.FABS,
    np.conjugate: conjugate_ufunc,
    np.copysign: parts.COPYSIGN,
    np.nextafter: parts.NEXTAFTER,
    np.fmod: parts.FMOD,
    np.modf: modf,
    np.frexp: frexp,
    np.ldexp: parts.LDEXP,
}

OPERATORS = (
    "absolute", "add", "bitwise_and", "bitwise_or", "bitwise_xor", "conjugate", "divide", "divmod", "equal",
    "floor_divide", "greater", "greater_equal", "invert", "left_shift", "less", "less_equal", "multiply", "negative",
    "not_equal", "positive", "power", "remainder", "right_shift", "subtract",
)  # fmt: skip
"""What Python's operators on tracers mean, of the ufuncs of the same names."""

for _name in OPERATORS:
    _function = table.ufuncs[getattr(np, _name)]
    # a bound method is called faster than an instance with a __call__
    setattr(table, _name, _function.__call__ if isinstance(_function, Primitive) else _function)

# --- ufuncs of nothing but Python's numbers ----------------------------------------------------------------
#
# The operators above leave Python's numbers Python's: True + True is 2. NumPy's functions make NumPy's of them first:
# np.add(True, True) is True, and np.multiply(2.0, 3.0) is a float64 that no longer adapts to what it meets.


def is_number(x: Any) -> bool:
    """Whether a value is, or stands for, a number of Python's."""
    return type(x) in PYTHON_DTYPES or (isinstance(x, Tracer) and x.weak)


def _numpys(x: Array) -> Array:
    """A number as NumPy's functions take it."""
    return comparison.cast(x, typeof(x).dtype)


def add(x: Any, y: Any) -> Array:
    """x + y."""
    return arithmetic.ADD(_numpys(x), _numpys(y)) if is_number(x) and is_number(y) else arithmetic.ADD(x, y)


def subtract(x: Any, y: Any) -> Array:
    """x - y."""
    return arithmetic.SUBTRACT(_numpys(x), _numpys(y)) if is_number(x) and is_number(y) else arithmetic.SUBTRACT(x, y)


def multiply(x: Any, y: Any) -> Array:
    """x y."""
    return arithmetic.MULTIPLY(_numpys(x), _numpys(y)) if is_number(x) and is_number(y) else arithmetic.MULTIPLY(x, y)


def divide(x: Any, y: Any) -> Array:
    """x / y."""
    return arithmetic.DIVIDE(_numpys(x), _numpys(y)) if is_number(x) and is_number(y) else arithmetic.DIVIDE(x, y)


def power(x: Any, y: Any) -> Array:
    """x ** y."""
    return arithmetic.POWER(_numpys(x), _numpys(y)) if is_number(x) and is_number(y) else arithmetic.power(x, y)


def negative(x: Any) -> Array:
    """-x."""
    return arithmetic.NEGATIVE(_numpys(x) if is_number(x) else x)


table.ufuncs |= {
    np.add: add,
    np.subtract: subtract,
    np.multiply: multiply,
    np.divide: divide,
    np.power: power,
    np.negative: negative,
}
table.methods |= {ufunc.__name__: function for ufunc, function in table.ufuncs.items() if ufunc.nin == 1}
table.methods |= {"arctan2": elementary.ARCTAN2, "conj": conjugate, "fmod": parts.FMOD, "hypot": elementary.HYPOT}
