"""How an operation is written for Python's numbers: with operators, and with the functions of `math`.

Where NumPy would warn, `math` raises. These are the forms for programs that are left for NumPy's where something
raises or is not finite in the end (see `programs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from covector.compile.expressions import COMPARISONS, array_expression
from covector.core.broadcasting import AsPythonNumber, Cast
from covector.core.families import Elementwise, MaskedMultiply
from covector.graph.graph import Equation, Variable
from covector.ops import arithmetic, elementary, parts
from covector.ops.comparison import Bound, Extreme, Select, Share, StepFunction

MATH: dict[type, str] = {
    elementary.Exp: "exp", elementary.Expm1: "expm1", elementary.Log1p: "log1p", elementary.Log2: "log2",
    elementary.Log10: "log10", elementary.Sqrt: "sqrt", elementary.Sin: "sin", elementary.Cos: "cos",
    elementary.Tan: "tan", elementary.Arcsin: "asin", elementary.Arccos: "acos", elementary.Arctan: "atan",
    elementary.Sinh: "sinh", elementary.Cosh: "cosh", elementary.Tanh: "tanh", elementary.Arcsinh: "asinh",
    elementary.Arccosh: "acosh", elementary.Arctanh: "atanh", arithmetic.Log: "log", elementary.RootOfSquares: "sqrt",
}  # fmt: skip
MATH_OF_TWO: dict[type, str] = {elementary.Hypot: "hypot", elementary.Arctan2: "atan2"}
MATH_BY_UFUNC = {"erf": "math.erf({0})", "erfc": "math.erfc({0})"}
"""The functions of `math` for numbers, by operation and by the name of SciPy's ufunc."""

STEPS = {
    "sign": "1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else 0.0 * abs({0})",
    "floor": "math.copysign(math.floor({0}), {0})",
    "ceil": "math.copysign(math.ceil({0}), {0})",
    "isnan": "{0} != {0}",
    "logical_not": "not {0}",
    "logical_and": "{0} and {1}",
    "logical_or": "{0} or {1}",
} | {name: f"{{0}} {operator} {{1}}" for name, operator in COMPARISONS.items()}
"""Piecewise constant functions of Python's floats, by the name of the ufunc."""

SCALAR_FORMS: dict[type, str] = {
    arithmetic.Add: "{0} + {1}", arithmetic.Subtract: "{0} - {1}", arithmetic.Multiply: "{0} * {1}",
    arithmetic.Negative: "-{0}", arithmetic.Positive: "+{0}", arithmetic.Divide: "{0} / {1}",
    arithmetic.Power: "math.pow({0}, {1})", arithmetic.Square: "{0} * {0}", arithmetic.Reciprocal: "1.0 / {0}",
    MaskedMultiply: "{0} * {1} if {0} else 0.0", Select: "{1} if {0} else {2}", parts.Absolute: "abs({0})",
    parts.Fabs: "abs({0})", AsPythonNumber: "{0}", elementary.Logistic: "1.0 / (1.0 + math.exp({1} - {0}))",
    Share: "(0.5 if {2} == {0} else 1.0) if {1} == {0} else 0.0 if {2} == {0} else math.sqrt(-1.0)",
    **{kind: f"math.{name}({{0}})" for kind, name in MATH.items()},
    **{kind: f"math.{name}({{0}}, {{1}})" for kind, name in MATH_OF_TWO.items()},
}  # fmt: skip
"""Functions of Python's floats; they raise, or give NaN, where they are not NumPy's: the part of NaN in a maximum."""

FLOATING = ("math.", "float", "/", ".0")
"""What a form has that is not for integers."""


def scalar_expression(equation: Equation, inputs: Sequence[str]) -> str | None:
    """The operation on Python's numbers."""
    form = scalar_form(equation)
    if form is None or (_is_integer(equation) and any(part in form for part in FLOATING)):
        return None
    return form.format(*inputs)


def scalar_form(equation: Equation) -> str | None:
    """The operation on Python's numbers, with places for its inputs."""
    primitive: Any = equation.primitive
    kind = type(primitive)
    form = SCALAR_FORMS.get(kind)
    if form is not None:
        return form
    if kind is StepFunction:
        return _step(equation, primitive.name)
    if kind is Bound or (kind is Extreme and primitive.ufunc in (np.maximum, np.minimum)):
        smaller = primitive.upper if kind is Bound else primitive.ufunc is np.minimum
        return f"{{0}} if {{0}} {'<=' if smaller else '>='} {{1}} or {{0}} != {{0}} else {{1}}"
    if kind is Cast:
        return _cast(equation.inputs[0].type.dtype, equation.outputs[0].type.dtype)
    return MATH_BY_UFUNC.get(getattr(primitive.ufunc, "__name__", "")) if isinstance(primitive, Elementwise) else None


def _step(equation: Equation, name: str) -> str | None:
    if name in ("logical_and", "logical_or") and any(a.type.dtype != np.bool_ for a in equation.inputs):
        return None
    return STEPS.get(name)


def _cast(given: np.dtype[Any], wanted: np.dtype[Any]) -> str | None:
    if given == wanted:
        return "{0}"
    return "float({0})" if given == np.bool_ and wanted == np.float64 else None


def _is_integer(equation: Equation) -> bool:
    return any(atom.type.dtype.kind == "i" for atom in equation.inputs if isinstance(atom, Variable))


# --- numbers among arrays -------------------------------------------------------------------------------


def plain_expression(equation: Equation, inputs: Sequence[str]) -> str | None:
    """The operation on NumPy arrays, and that on Python's floats for numbers; either may raise."""
    written = scalar_expression(equation, inputs) if is_mathematical(equation) else None
    return written or array_expression(equation, inputs)


def is_mathematical(equation: Equation) -> bool:
    """Whether it is a function of a number that NumPy takes several times as long for as `math`."""
    kind = equation.outputs[0].type if len(equation.outputs) == 1 else None
    if kind is None or kind.shape or kind.dtype != np.float64:
        return False
    form = scalar_form(equation)
    return form is not None and "math." in form and all(a.type.dtype.kind in "fib" for a in equation.inputs)
