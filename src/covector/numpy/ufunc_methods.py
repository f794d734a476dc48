"""What is left of the ufunc protocol: options (`dtype=`, `where=`, `out=`) and methods (`reduce`, `outer`, ...).

A plain call, `np.sin(x)`, does not come here. Options that can be honoured without writing into an array are;
the others are refused with what to write instead. SciPy's ufuncs are looked up when the first one is met.

    >>> reduced(np.add, np.array([[1.0, 2.0], [3.0, 4.0]]), keepdims=True)
    array([[4., 6.]])
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from covector.core.broadcasting import Reshape
from covector.core.interpreter import Tracer
from covector.core.protocol import table
from covector.core.types import Array, typeof
from covector.errors import UnsupportedArgumentError, UnsupportedFunctionError
from covector.numpy.nan_reductions import nanmax, nanmin
from covector.numpy.operands import operand
from covector.numpy.reductions import all_, any_, cumprod, cumsum, logaddexp_reduce, max_, min_, prod, sum_
from covector.numpy.registry import qualified_name, refuse, refuse_function
from covector.ops.accumulation import CumulativeExtremum, CumulativeLogSumExp
from covector.ops.comparison import cast

DEFAULTS: dict[str, Any] = {"where": True, "casting": "same_kind", "order": "K", "subok": True}
"""Options that may be given as long as they say what would happen anyway."""

REDUCTIONS: dict[Any, Callable[..., Array]] = {
    np.add: sum_,
    np.multiply: prod,
    np.maximum: max_,
    np.minimum: min_,
    np.fmax: nanmax,
    np.fmin: nanmin,
    np.logical_and: all_,
    np.logical_or: any_,
    np.logaddexp: logaddexp_reduce,
}

ACCUMULATIONS: dict[Any, Callable[[int], Callable[..., Array]]] = {
    np.maximum: partial(CumulativeExtremum, np.maximum),
    np.minimum: partial(CumulativeExtremum, np.minimum),
    np.logaddexp: CumulativeLogSumExp,
}


def called(ufunc: np.ufunc, *inputs: Any, **options: Any) -> Any:
    """A call with options."""
    dtype = options.pop("dtype", None)
    _refuse_out(ufunc, inputs, options.pop("out", None))
    _refuse_masked(ufunc, options)
    _refuse_other(ufunc, options)
    operands = [operand(x) for x in inputs]
    if dtype is not None:
        operands = _as_loop_inputs(ufunc, operands, np.dtype(dtype))
    return _function(ufunc)(*operands)


def reduced(ufunc: np.ufunc, array: Any, axis: Any = 0, **options: Any) -> Array:
    """`ufunc.reduce`: over the first axis unless another is named."""
    reduction = REDUCTIONS.get(ufunc)
    if reduction is None:
        _refuse_method(ufunc, "reduce", "it covers the reduce method of " + _names(REDUCTIONS))
    _refuse_out(ufunc, (array,), options.pop("out", None))
    options = {name: value for name, value in options.items() if value is not None}
    if "dtype" in options and ufunc not in (np.add, np.multiply):
        _refuse_dtype(ufunc, "reduce")
    return reduction(array, axis=axis, **options)


def accumulated(ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Array:
    """`ufunc.accumulate`: along the first axis unless another is named."""
    _refuse_out(ufunc, (array,), out)
    if ufunc is np.add:
        return cumsum(array, axis=axis, dtype=dtype)
    if ufunc is np.multiply:
        return cumprod(array, axis=axis, dtype=dtype)
    if ufunc not in ACCUMULATIONS:
        _refuse_method(ufunc, "accumulate", f"it covers add, multiply, {_names(ACCUMULATIONS)}")
    if dtype is not None:
        _refuse_dtype(ufunc, "accumulate")
    x = operand(array)
    return ACCUMULATIONS[ufunc](normalize_axis_index(axis, typeof(x).ndim))(x)


def outer(ufunc: np.ufunc, left: Any, right: Any, **options: Any) -> Any:
    """`ufunc.outer`: the ufunc of every entry of the one and every entry of the other."""
    x, y = operand(left), operand(right)
    kind = typeof(x)
    if typeof(y).ndim:
        x = Reshape((*kind.shape, *(1,) * typeof(y).ndim))(x)
    return called(ufunc, x, y, **options) if options else _function(ufunc)(x, y)


METHODS: dict[str, Callable[..., Any]] = {
    "__call__": called,
    "reduce": reduced,
    "accumulate": accumulated,
    "outer": outer,
}


def ufunc_fallback(ufunc: np.ufunc, method: str, inputs: Sequence[Any], options: dict[str, Any]) -> Any:
    """What a tracer does with a ufunc that the table does not answer at once."""
    _function(ufunc)
    if method == "at":
        _refuse_method(ufunc, method, "write x.at[indices].add(values) for np.add.at(x, indices, values)")
    if method not in METHODS:
        _refuse_method(ufunc, method, "reduce slices, x[start:stop], instead")
    if method == "__call__" and not options:
        return _function(ufunc)(*inputs)
    return METHODS[method](ufunc, *inputs, **options)


table.ufunc_fallback = ufunc_fallback


def _function(ufunc: np.ufunc) -> Callable[..., Any]:
    """The function of a ufunc; if it may be one of SciPy's, after those have been registered."""
    if ufunc not in table.ufuncs and "scipy.special" in sys.modules:
        import_module("covector.scipy.special")
    if ufunc not in table.ufuncs:
        refuse_function(ufunc)
    return table.ufuncs[ufunc]


def _as_loop_inputs(ufunc: np.ufunc, operands: Sequence[Array], dtype: np.dtype[Any]) -> list[Array]:
    """The inputs cast as NumPy casts them for a loop with results of this dtype; NumPy's error if it would not."""
    kinds = [typeof(x) for x in operands]
    given = [kind.dtype.type(0).item().__class__ if kind.weak else kind.dtype for kind in kinds]
    signature = (*[None] * ufunc.nin, *[dtype] * ufunc.nout)
    loop = ufunc.resolve_dtypes((*given, *[None] * ufunc.nout), signature=signature, casting="same_kind")
    return [cast(x, kind) for x, kind in zip(operands, loop[: ufunc.nin], strict=True)]


# --- refusals ---------------------------------------------------------------------------------------------


def _refuse_out(ufunc: np.ufunc, inputs: Sequence[Any], out: Any) -> None:
    targets = [] if out is None else [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
    if not targets:
        return
    name = qualified_name(ufunc)
    if any(isinstance(x, Tracer) for x in targets):
        raise UnsupportedArgumentError(f"out= of {name} is a traced array, which cannot be changed in place")
    in_place = any(target is x for target in targets for x in inputs)
    advice = (
        "an operator such as a += x writes into the plain array a; write a = a + x"
        if in_place
        else f"use the result: y = {name}(...)"
    )
    raise UnsupportedArgumentError(
        f"{name} of a traced array cannot write into the plain array given as out=, which would lose the "
        f"derivative: {advice}"
    )


def _refuse_masked(ufunc: np.ufunc, options: dict[str, Any]) -> None:
    if options.get("where", True) is not True:
        name = qualified_name(ufunc)
        raise UnsupportedArgumentError(
            f"where= of {name} leaves the other entries of the result undefined; write np.where(mask, {name}(x), other)"
        )


def _refuse_other(ufunc: np.ufunc, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value != DEFAULTS.get(option):
            refuse(ufunc, **{option: value})


def _refuse_dtype(ufunc: np.ufunc, method: str) -> NoReturn:
    raise UnsupportedArgumentError(
        f"{qualified_name(ufunc)}.{method} of a traced array does not support dtype=; write x.astype(dtype) first"
    )


def _refuse_method(ufunc: np.ufunc, method: str, advice: str) -> NoReturn:
    raise UnsupportedFunctionError(
        f"{qualified_name(ufunc)}.{method} has no rule for traced arrays: {advice}. "
        "covector.supported() lists the covered functions."
    )


def _names(ufuncs: dict[Any, Any]) -> str:
    return ", ".join(ufunc.__name__ for ufunc in ufuncs)
