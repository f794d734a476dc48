"""Sums and extremes of NumPy arrays, as they are written: reductions, and what is quicker for short rows.

NumPy takes some 20 ns to begin with a row, ten times as long as to add two numbers. So the sums of short or narrow rows
are written as products with ones, by BLAS, and their extremes as those of whole columns:

    np.add.reduce(x, axis=1)           x.dot(ones(5))
    np.add.reduce(x, axis=0)           ones(len(x)).dot(x)
    np.maximum.reduce(x, axis=1)       row_extremum(np.maximum, x)

Longer rows stay with NumPy, whose sum of many numbers is more accurate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from covector.core.broadcasting import NARROW, SumTo
from covector.core.types import ArrayType, Shape
from covector.graph.graph import Equation
from covector.ops import axes

SHORT_ROW, SHORT_SUM = 32, 128
"""Entries of a row up to which NumPy takes longer to begin with it than to find its extreme or its sum."""


def sum_expression(equation: Equation, inputs: Sequence[str]) -> str:
    """The sum over some axes."""
    primitive: Any = equation.primitive
    kind = equation.inputs[0].type
    if kind.dtype == np.bool_ and kind.shape and len(primitive.axes) == kind.ndim:
        return f"np.int64(np.count_nonzero({inputs[0]}))"
    product = _product_with_ones(inputs[0], kind, primitive.axes, equation.outputs[0].type.shape)
    return product or reduction_expression(equation, inputs)


def extremum_expression(equation: Equation, inputs: Sequence[str]) -> str:
    """The maximum or minimum over some axes, or whether all or any entries are true."""
    primitive: Any = equation.primitive
    kind = equation.inputs[0].type
    last = primitive.axes == (kind.ndim - 1,) and kind.ndim > 1
    if last and primitive.ufunc in (np.maximum, np.minimum) and 2 <= kind.shape[-1] <= SHORT_ROW < kind.size:
        return f"row_extremum(np.{primitive.ufunc.__name__}, {inputs[0]})"
    return reduction_expression(equation, inputs)


def reduction_expression(equation: Equation, inputs: Sequence[str]) -> str:
    """A sum or an extreme as the reduction of a ufunc, which is not the fastest for short rows."""
    primitive: Any = equation.primitive
    if isinstance(primitive, SumTo):
        return _reduction_to(equation, inputs)
    ufunc = "add" if isinstance(primitive, axes.Sum) else primitive.ufunc.__name__
    return f"np.{ufunc}.reduce({inputs[0]}, axis={shown_axes(primitive.axes, equation.inputs[0].type.ndim)})"


def _product_with_ones(x: str, kind: ArrayType, reduced: tuple[int, ...], target: Shape) -> str | None:
    """A sum over a few entries, or of narrow rows, as a product with ones, by BLAS.

    The text does not depend on the number of rows, so that it is right for a block of them.
    """
    first, last = (reduced[0], reduced[-1]) if reduced else (0, -1)
    length, after = math.prod(kind.shape[first : last + 1]), math.prod(kind.shape[last + 1 :])
    if kind.dtype.char not in "fd" or not kind.size or len(reduced) in (0, kind.ndim) or length == 1:
        return None
    if reduced != tuple(range(first, last + 1)) or first == 0 < last:
        return None
    if after > NARROW or (after == 1 and length > SHORT_SUM):
        return None
    dtype = "" if kind.dtype == np.float64 else ", np.float32"
    shape: Shape
    if first == 0:
        flat = x if kind.ndim == 2 else f"{x}.reshape(-1, {after})"
        found, shape = f"ones(len({x}){dtype}).dot({flat})", (after,)
    elif after == 1:
        flat = x if (first, kind.ndim) == (1, 2) else f"{x}.reshape(-1, {length})"
        found, shape, target = f"{flat}.dot(ones({length}{dtype}))", (-1,), (-1, *target[1:])
    else:
        flat = x if (first, kind.ndim) == (1, 3) else f"{x}.reshape(-1, {length}, {after})"
        found, shape, target = f"np.matmul(ones({length}{dtype}), {flat})", (-1, after), (-1, *target[1:])
    return found if shape == target else f"{found}.reshape({target})"


def shown_axes(reduced: tuple[int, ...], ndim: int) -> str:
    """The axes of a reduction as source."""
    if len(reduced) == ndim:
        return "None"
    return str(reduced[0]) if len(reduced) == 1 else str(reduced)


def sum_to_axes(shape: Shape, target: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes that a sum from one shape to another drops, and those that it keeps with length 1."""
    extra = len(shape) - len(target)
    return tuple(range(extra)), tuple(extra + i for i, n in enumerate(target) if n == 1 and shape[extra + i] != 1)


def sum_to_expression(equation: Equation, inputs: Sequence[str]) -> str:
    """The sum to a shape that could be broadcast to the given one."""
    kind, target = equation.inputs[0].type, equation.outputs[0].type.shape
    extra, unit = sum_to_axes(kind.shape, target)
    product = _product_with_ones(inputs[0], kind, tuple(sorted(extra + unit)), target)
    return product or _reduction_to(equation, inputs)


def _reduction_to(equation: Equation, inputs: Sequence[str]) -> str:
    shape, target = equation.inputs[0].type.shape, equation.outputs[0].type.shape
    extra, unit = sum_to_axes(shape, target)
    if not extra and not unit:
        return inputs[0]
    written = f"np.add.reduce({inputs[0]}, axis={shown_axes(extra + unit, len(shape))}"
    if not extra:
        return f"{written}, keepdims=True)"
    return f"np.reshape({written}), {target})" if unit else f"{written})"
