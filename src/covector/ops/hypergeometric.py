"""Hypergeometric functions, and what they describe without cancellation (needs SciPy).

Differentiating a hypergeometric function shifts its parameters. That gives smooth derivatives, of every order, to
quotients such as (e^x - 1) / x that a formula would divide by zero.

    >>> float(EXPREL.derivative(1.0, 0.0))
    0.5
"""

from __future__ import annotations

from typing import NoReturn, final

from scipy import special

from covector.core.families import Binary, Nary, Unary
from covector.core.types import Array
from covector.errors import MissingRuleError
from covector.ops.arithmetic import QUIET_LOG, QUIET_POWER
from covector.ops.elementary import LOG1P


def refuse_partial(function: str, argument: str) -> NoReturn:
    """Raises the error about an argument in which the derivative is not known."""
    raise MissingRuleError(
        f"scipy.special.{function} has no derivative rule in its argument {argument}; hold it constant: "
        f"covector.stop_gradient({argument}), or leave it out of the differentiated arguments"
    )


@final
class Hyp0f1(Binary):
    """0F1(; b; x); derivative 0F1(; b + 1; x) / b in x."""

    __slots__ = ()
    ufunc = special.hyp0f1

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        refuse_partial("hyp0f1", "v")

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return HYP0F1(x + 1, y) / x


@final
class Hyp1f1(Nary):
    """1F1(a; b; x), Kummer's function; derivative (a / b) 1F1(a + 1; b + 1; x) in x."""

    __slots__ = ()
    ufunc = special.hyp1f1

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        a, b, x = inputs
        if argument < 2:
            refuse_partial("hyp1f1", "ab"[argument])
        return HYP1F1(a + 1, b + 1, x) * (a / b)


@final
class Hyp2f1(Nary):
    """2F1(a, b; c; x), Gauss's function; derivative (a b / c) 2F1(a + 1, b + 1; c + 1; x) in x."""

    __slots__ = ()
    ufunc = special.hyp2f1

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        a, b, c, x = inputs
        if argument < 3:
            refuse_partial("hyp2f1", "abc"[argument])
        return HYP2F1(a + 1, b + 1, c + 1, x) * (a * b / c)


@final
class Exprel(Unary):
    """(e^x - 1) / x = 1F1(1; 2; x); derivative 1F1(2; 3; x) / 2."""

    __slots__ = ()
    ufunc = special.exprel

    def derivative(self, out: Array, x: Array) -> Array:
        return HYP1F1(2.0, 3.0, x) * 0.5


@final
class Spence(Unary):
    """The dilogarithm of 1 - x; derivative ln x / (1 - x) = -2F1(1, 1; 2; 1 - x)."""

    __slots__ = ()
    ufunc = special.spence
    singular = True

    def derivative(self, out: Array, x: Array) -> Array:
        return -HYP2F1(1.0, 1.0, 2.0, 1 - x)


# The Box-Cox transform (x^y - 1) / y is L exprel(y L) with L = ln x: smooth at y = 0, where it is ln x.


@final
class Boxcox(Binary):
    """(x^y - 1) / y; derivatives x^(y - 1) in x and L^2 exprel'(y L) in y, with L = ln x."""

    __slots__ = ()
    ufunc = special.boxcox
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return QUIET_POWER(x, y - 1)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        logarithm = QUIET_LOG(x)
        return logarithm * logarithm * EXPREL.derivative(out, y * logarithm)


@final
class Boxcox1p(Binary):
    """((1 + x)^y - 1) / y; derivatives (1 + x)^(y - 1) in x and L^2 exprel'(y L) in y, with L = ln(1 + x)."""

    __slots__ = ()
    ufunc = special.boxcox1p
    singular = True

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return QUIET_POWER(1 + x, y - 1)

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        logarithm = LOG1P(x)
        return logarithm * logarithm * EXPREL.derivative(out, y * logarithm)


HYP0F1, HYP1F1, HYP2F1 = Hyp0f1(), Hyp1f1(), Hyp2f1()
EXPREL, SPENCE, BOXCOX, BOXCOX1P = Exprel(), Spence(), Boxcox(), Boxcox1p()
