"""What Python's operators give for traced numbers of Python's: numbers of Python's.

NumPy's ufuncs make float64 and int64 of them, which no longer adapt to what they meet: `abs(x) * a` with a Python
float x and a float32 array a is float32, `np.abs(x) * a` is float64. And Python's integers have no largest one. So an
operator whose inputs are all numbers of Python's is computed by Python. Where it would raise for a float, by NumPy.

    >>> remainder_of_numbers(7.5, 2), quotient_of_numbers(2**70, 3) == 2**70 // 3
    (1.5, True)
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import final

import numpy as np

from covector.core.broadcasting import AS_PYTHON_NUMBER
from covector.core.families import LocallyConstant
from covector.core.interpreter import Tracer
from covector.core.primitive import parametrized
from covector.core.protocol import table
from covector.core.types import PYTHON_DTYPES, Array, typeof, zeros
from covector.numpy.elementwise import imag, real, round_
from covector.numpy.ufuncs import absolute, conjugate, is_complex, is_number
from covector.ops.arithmetic import Positive, Remainder
from covector.ops.comparison import StepFunction
from covector.ops.parts import Absolute


@final
@parametrized
class RoundNumber(LocallyConstant):
    """A number of Python's as `round` gives it: an integer, or with `digits` decimals."""

    digits: int | None

    def ufunc(self, x: Array) -> Array:
        """Python's `round`; of an array NumPy's, of which integers are made without digits."""
        if type(x) in PYTHON_DTYPES:
            return round(x, self.digits)
        rounded = np.round(x, self.digits or 0)
        return np.asarray(rounded).astype(np.int64)[()] if self.digits is None else rounded


def quotient_of_numbers(x: Array, y: Array) -> Array:
    """x // y of Python's numbers."""
    return np.floor_divide(x, y).item() if _is_zero(y) else x // y


def remainder_of_numbers(x: Array, y: Array) -> Array:
    """x % y of Python's numbers."""
    return np.remainder(x, y).item() if _is_zero(y) else x % y


def _is_zero(y: Array) -> bool:
    return isinstance(y, (int, float)) and y == 0


FLOOR_DIVIDE_NUMBERS = StepFunction(quotient_of_numbers, "floor_divide")
REMAINDER_OF_NUMBERS = Remainder(remainder_of_numbers)
ABSOLUTE_NUMBER = Absolute(abs)


def absolute_number(x: Array) -> Array:
    """|x| as a number of Python's."""
    return AS_PYTHON_NUMBER(absolute(x)) if is_complex(x) else ABSOLUTE_NUMBER(x)


def divmod_of_numbers(x: Array, y: Array) -> tuple[Array, Array]:
    """The floored quotient and the remainder of Python's numbers."""
    return FLOOR_DIVIDE_NUMBERS(x, y), REMAINDER_OF_NUMBERS(x, y)


def _unary(of_arrays: Callable[..., Array], of_numbers: Callable[..., Array]) -> Callable[..., Array]:
    def applied(x: Tracer) -> Array:
        return of_numbers(x) if x.weak else of_arrays(x)

    return applied


def _binary(of_arrays: Callable[..., Array], of_numbers: Callable[..., Array]) -> Callable[..., Array]:
    def applied(x: Array, y: Array) -> Array:
        return of_numbers(x, y) if is_number(x) and is_number(y) else of_arrays(x, y)

    return applied


def _rounded(x: Tracer, digits: int | None) -> Array:
    return RoundNumber(digits)(x) if x.weak and not is_complex(x) else round_(x, digits or 0)


def real_of_number(x: Array) -> Array:
    """The real part as a number of Python's."""
    return AS_PYTHON_NUMBER(real(x)) if is_complex(x) else x


def imaginary_of_number(x: Array) -> Array:
    """The imaginary part as a number of Python's."""
    return AS_PYTHON_NUMBER(imag(x)) if is_complex(x) else zeros(typeof(x))


def conjugate_of_number(x: Array) -> Array:
    """The complex conjugate as a number of Python's."""
    return AS_PYTHON_NUMBER(conjugate(x)) if is_complex(x) else x


table.absolute = _unary(table.absolute, absolute_number)
table.positive = _unary(table.positive, Positive(operator.pos))
table.invert = _unary(table.invert, StepFunction(operator.invert))
table.floor_divide = _binary(table.floor_divide, FLOOR_DIVIDE_NUMBERS)
table.remainder = _binary(table.remainder, REMAINDER_OF_NUMBERS)
table.divmod = _binary(table.divmod, divmod_of_numbers)
table.left_shift = _binary(table.left_shift, StepFunction(operator.lshift, "left_shift"))
table.right_shift = _binary(table.right_shift, StepFunction(operator.rshift, "right_shift"))
table.bitwise_and = _binary(table.bitwise_and, StepFunction(operator.and_, "bitwise_and"))
table.bitwise_or = _binary(table.bitwise_or, StepFunction(operator.or_, "bitwise_or"))
table.bitwise_xor = _binary(table.bitwise_xor, StepFunction(operator.xor, "bitwise_xor"))
table.round = _rounded
table.less = _binary(table.less, StepFunction(operator.lt, "less"))
table.less_equal = _binary(table.less_equal, StepFunction(operator.le, "less_equal"))
table.greater = _binary(table.greater, StepFunction(operator.gt, "greater"))
table.greater_equal = _binary(table.greater_equal, StepFunction(operator.ge, "greater_equal"))
table.equal = _binary(table.equal, StepFunction(operator.eq, "equal"))
table.not_equal = _binary(table.not_equal, StepFunction(operator.ne, "not_equal"))
table.attributes |= {"real": _unary(real, real_of_number), "imag": _unary(imag, imaginary_of_number)}
table.methods["conjugate"] = _unary(conjugate, conjugate_of_number)
