"""How an operation is written for NumPy arrays; `scalars` has the forms for Python's numbers.

An expression is a function of an equation and the texts of its inputs; None says that the style has no form
for the operation. The texts of inputs are names or numbers, so that they need no parentheses.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from covector.compile import vectorized
from covector.compile.lowering import LARGE
from covector.compile.prints import print_expression
from covector.compile.products import product
from covector.compile.reductions import extremum_expression, sum_expression, sum_to_expression
from covector.core.broadcasting import AsPythonNumber, BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import Elementwise, MaskedMultiply
from covector.graph.graph import Equation, Literal, Variable
from covector.ops import arithmetic, axes, elementary, parts
from covector.ops.accumulation import CumulativeSum
from covector.ops.comparison import Bound, Round, Same, Select, Share, StepFunction, ToInteger
from covector.ops.contraction import Contract
from covector.ops.debugging import DebugPrint
from covector.ops.indexing import Gather, ScatterAdd, Slice, index_of
from covector.ops.reduction import Extremum, TieShare, Truth

Expression = Callable[[Equation, Sequence[str]], str | None]

INFIX: dict[type, str] = {
    arithmetic.Add: "+",
    arithmetic.Subtract: "-",
    arithmetic.Multiply: "*",
}
COMPARISONS = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
CALLS: dict[type, str] = {
    arithmetic.Add: "np.add",
    arithmetic.Subtract: "np.subtract",
    arithmetic.Multiply: "np.multiply",
    arithmetic.Negative: "np.negative",
    MaskedMultiply: "masked_multiply",
}
"""Elementwise operations as functions that take out=."""

VECTORIZED = {name.replace("fast_", "special."): name for name in vectorized.HELPERS}
"""What is called for large arrays, by the function of SciPy that it is faster than."""


def array_expression(equation: Equation, inputs: Sequence[str]) -> str | None:
    """The operation on NumPy arrays and scalars."""
    primitive = equation.primitive
    operator = INFIX.get(type(primitive))
    if operator is not None:
        return f"{inputs[0]} {operator} {inputs[1]}"
    write = FORMS.get(type(primitive))
    if write is not None:
        return write(equation, inputs)
    called = called_function(equation)
    return None if called is None else f"{called}({', '.join(inputs)})"


def writing_expression(equation: Equation, inputs: Sequence[str], out: str) -> str | None:
    """An elementwise operation whose result is written into `out`: an array, or `out=array`, which takes longer."""
    if isinstance(equation.primitive, arithmetic.Power) and isinstance(equation.inputs[1], Literal):
        return None  # the operator is faster for some exponents
    called = called_function(equation)
    return None if called is None else f"{called}({', '.join(inputs)}, {out})"


def called_function(equation: Equation) -> str | None:
    """The function of the inputs, taking out=, by which an elementwise operation can be written."""
    primitive: Any = equation.primitive
    if not isinstance(primitive, Elementwise):
        return None
    if type(primitive) in CALLS:
        return CALLS[type(primitive)]
    if isinstance(primitive, arithmetic.Divide):
        return "ratio" if primitive.quiet else "np.divide"
    if isinstance(primitive, arithmetic.Power):
        return None if _all_weak(equation) else "quiet_power" if primitive.quiet else "np.power"
    if isinstance(primitive, arithmetic.Log):
        return "quiet_log" if primitive.quiet else "np.log"
    if isinstance(primitive, Bound):
        return "np.minimum" if primitive.upper else "np.maximum"
    called = _ufunc_name(primitive.ufunc)
    large = equation.outputs[0].type.size >= LARGE
    return VECTORIZED.get(called, called) if large and called else called


def _ufunc_name(ufunc: Any) -> str | None:
    if not isinstance(ufunc, np.ufunc) or ufunc.nout != 1:
        return None
    function = ufunc.__name__
    for module, name in ((np, "np"), (sys.modules.get("scipy.special"), "special")):
        if getattr(module, function, None) is ufunc:
            return f"{name}.{function}"
    return None


def _all_weak(equation: Equation) -> bool:
    return all(atom.type.weak for atom in equation.inputs)


def is_array(equation: Equation) -> bool:
    """Whether the first input is an array at run time, rather than a number."""
    return isinstance(equation.inputs[0], Variable) and bool(equation.inputs[0].type.shape)


# --- numbers ----------------------------------------------------------------------------------------------


def with_dtypes(equation: Equation, inputs: Sequence[str]) -> list[str]:
    """The inputs, numbers as NumPy's where Python's would adapt to the other inputs and change the result's dtype."""
    chosen = equation.inputs[1:] if isinstance(equation.primitive, Select) else ()
    if len({atom.type.dtype for atom in chosen}) == 1 or all(isinstance(atom, Variable) for atom in equation.inputs):
        return list(inputs)
    dtypes = {a.type.dtype for a in equation.inputs if isinstance(a, Variable) and not a.type.weak}
    return [
        number_text(text, atom.type.dtype) if isinstance(atom, Literal) and _adapts(atom, dtypes) else text
        for text, atom in zip(inputs, equation.inputs, strict=True)
    ]


def _adapts(number: Literal, dtypes: set[np.dtype[Any]]) -> bool:
    """Whether a number that is written as Python's would take a dtype that is not its own, nor a wider one."""
    dtype = number.type.dtype
    plain = not number.type.weak and dtype in (np.float64, np.int64, np.complex128, np.bool_)
    return plain and not any(np.promote_types(dtype, other) == other for other in dtypes)


def number_text(text: str, dtype: np.dtype[Any]) -> str:
    """A number converted to a NumPy scalar."""
    return f"{dtype_name(dtype)}({text})"


# --- elementwise ------------------------------------------------------------------------------------------


def _negative(equation: Equation, inputs: Sequence[str]) -> str:
    return f"-{inputs[0]}"


def _division(equation: Equation, inputs: Sequence[str]) -> str:
    if getattr(equation.primitive, "quiet", False):
        return f"ratio({', '.join(inputs)})"
    return f"quotient({', '.join(inputs)})" if _all_weak(equation) else f"{inputs[0]} / {inputs[1]}"


def _power(equation: Equation, inputs: Sequence[str]) -> str | None:
    called = called_function(equation)
    return f"{inputs[0]} ** {inputs[1]}" if called == "np.power" else called and f"{called}({', '.join(inputs)})"


def _selection(equation: Equation, inputs: Sequence[str]) -> str:
    return f"np.where({', '.join(inputs)}){'' if equation.outputs[0].type.shape else '[()]'}"


def _comparison(equation: Equation, inputs: Sequence[str]) -> str | None:
    primitive: Any = equation.primitive
    operator = COMPARISONS.get(primitive.name)
    if operator is None or (_all_weak(equation) and isinstance(primitive.ufunc, np.ufunc)):
        called = _ufunc_name(primitive.ufunc)
        return None if called is None else f"{called}({', '.join(inputs)})"
    return f"{inputs[0]} {operator} {inputs[1]}"


def _cast(equation: Equation, inputs: Sequence[str]) -> str:
    kind, dtype = equation.inputs[0].type, equation.outputs[0].type.dtype
    x = f"{inputs[0]}.real" if kind.dtype.kind == "c" and dtype.kind in "f" else inputs[0]
    if dtype.kind in "biu" and not is_array(equation):
        return f"np.asarray({x}).astype(np.{dtype.name})[()]"
    name = dtype_name(dtype)
    return f"{x}.astype({name})" if is_array(equation) else f"{name}({x})"


def _python_number(equation: Equation, inputs: Sequence[str]) -> str:
    return f"{type(equation.outputs[0].type.dtype.type(0).item()).__name__}({inputs[0]})"


def _rounding(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    return f"np.round({inputs[0]}, {primitive.decimals})"


def dtype_name(dtype: np.dtype[Any]) -> str:
    """A dtype as source."""
    return f"np.{dtype.type.__name__}"


# --- whole axes -------------------------------------------------------------------------------------------


def _reshape(equation: Equation, inputs: Sequence[str]) -> str:
    shape = equation.outputs[0].type.shape
    if is_array(equation):
        return f"{inputs[0]}.reshape({shape})"
    return f"np.array({'[' * len(shape)}{inputs[0]}{']' * len(shape)})"


def _permute(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    if not is_array(equation):
        return f"np.transpose({inputs[0]}, {primitive.axes})"
    reverses = primitive.axes == tuple(reversed(range(len(primitive.axes))))
    return f"{inputs[0]}.T" if reverses else f"{inputs[0]}.transpose({primitive.axes})"


def _broadcast(equation: Equation, inputs: Sequence[str]) -> str:
    return f"broadcast({inputs[0]}, {equation.outputs[0].type.shape})"


def _concatenate(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    return f"np.concatenate([{', '.join(inputs)}], axis={primitive.axis})"


def _stack(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    together = f"[{', '.join(inputs)}]"
    alike = len({atom.type.dtype for atom in equation.inputs}) == 1
    if primitive.axis == 0 and (alike or all(atom.type.weak for atom in equation.inputs)):
        return f"np.array({together})"
    return f"{'stacked' if alike else 'np.stack'}({together}, axis={primitive.axis})"


def _split(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    bounds = np.cumsum((0, *primitive.sizes)).tolist()
    whole = ":, " * primitive.axis
    parts_of_x = [f"{inputs[0]}[{whole}{start}:{stop}]" for start, stop in pairwise(bounds)]
    return f"({', '.join(parts_of_x)},)"


def _unstack(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    ndim, axis = equation.inputs[0].type.ndim, primitive.axis
    order = (axis, *range(axis), *range(axis + 1, ndim))
    return f"tuple({inputs[0]})" if axis == 0 else f"tuple({inputs[0]}.transpose({order}))"


def _flip(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    if not is_array(equation):
        return f"np.flip({inputs[0]}, {primitive.axes})"
    last = max(primitive.axes, default=0)
    return f"{inputs[0]}[{', '.join('::-1' if i in primitive.axes else ':' for i in range(last + 1))}]"


def _roll(equation: Equation, inputs: Sequence[str]) -> str:
    """Along one axis two slices, joined: `np.roll` takes longer to begin."""
    primitive: Any = equation.primitive
    if len(primitive.axes) != 1:
        return f"np.roll({inputs[0]}, {primitive.shifts}, {primitive.axes})"
    (axis,), (shift,) = primitive.axes, primitive.shifts
    length = equation.inputs[0].type.shape[axis]
    place = length - shift % length if length else 0
    whole = ":, " * axis
    last, first = f"{inputs[0]}[{whole}{place}:]", f"{inputs[0]}[{whole}:{place}]"
    return f"np.concatenate([{last}, {first}], axis={axis})"


def _triangle(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    return f"np.{'tril' if primitive.lower else 'triu'}({inputs[0]}, {primitive.offset})"


def _diagonal(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    return f"np.diagonal({inputs[0]}, {primitive.offset}, -2, -1)"


def _cumulative_sum(equation: Equation, inputs: Sequence[str]) -> str | None:
    primitive: Any = equation.primitive
    written = f"np.add.accumulate({inputs[0]}, axis={primitive.axis})"
    return None if primitive.reverse else written


# --- entries ----------------------------------------------------------------------------------------------


def _slice(equation: Equation, inputs: Sequence[str]) -> str | None:
    primitive: Any = equation.primitive
    return f"{inputs[0]}[{shown_index(primitive.key)}]" if is_array(equation) else None


def _gather(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    x, *indices = inputs
    if len(indices) == 1:
        return f"np.take({x}, {indices[0]}, axis={primitive.start})"
    return f"{x}[{', '.join([':'] * primitive.start + indices)}]"


def _scatter_add(equation: Equation, inputs: Sequence[str]) -> str | None:
    primitive: Any = equation.primitive
    if primitive.unique or not primitive.shape or any(not atom.type.shape for atom in equation.inputs):
        return None
    return f"scatter_add({inputs[0]}, {primitive.shape}, {primitive.start}, {', '.join(inputs[1:])})"


def shown_index(key: Any) -> str:
    """A basic index as it is written between brackets."""
    index = index_of(key)
    if not isinstance(index, tuple):
        return str(index)
    return ", ".join(_shown_entry(entry) for entry in index) or "()"


def _shown_entry(entry: Any) -> str:
    if isinstance(entry, slice):
        bounds = ["" if part is None else str(part) for part in (entry.start, entry.stop)]
        return ":".join(bounds if entry.step is None else [*bounds, str(entry.step)])
    return "..." if entry is Ellipsis else str(entry)


# --- helpers and parts ------------------------------------------------------------------------------------


def _tie_share(equation: Equation, inputs: Sequence[str]) -> str:
    primitive: Any = equation.primitive
    return f"tie_share({inputs[0]}, {primitive.axes}, {dtype_name(primitive.dtype)})"


def _by_name(name: str) -> Expression:
    def write(equation: Equation, inputs: Sequence[str]) -> str:
        return f"{name}({', '.join(inputs)})"

    return write


FORMS: dict[type, Expression] = {
    arithmetic.Negative: _negative, arithmetic.Divide: _division, arithmetic.Power: _power, Select: _selection,
    StepFunction: _comparison, Cast: _cast, ToInteger: _cast, Round: _rounding,
    axes.Sum: sum_expression, Extremum: extremum_expression, Truth: extremum_expression, SumTo: sum_to_expression,
    Reshape: _reshape, axes.Permute: _permute, BroadcastTo: _broadcast, Contract: product,
    AsPythonNumber: _python_number,
    axes.Concatenate: _concatenate, axes.Stack: _stack, axes.Split: _split, axes.Unstack: _unstack, axes.Flip: _flip,
    axes.Roll: _roll, axes.Triangle: _triangle, axes.Diagonal: _diagonal, CumulativeSum: _cumulative_sum,
    Slice: _slice, Gather: _gather, ScatterAdd: _scatter_add, TieShare: _tie_share, Same: _by_name("same"),
    Share: _by_name("share"), elementary.Logistic: _by_name("logistic"), parts.RealPart: _by_name("np.real"),
    parts.ImaginaryPart: _by_name("np.imag"), parts.Conjugate: _by_name("np.conjugate"),
    parts.ComplexAbsolute: _by_name("np.absolute"), DebugPrint: print_expression,
}  # fmt: skip
"""How each operation is written that is not simply the call of a ufunc."""
