"""The one inversion of the layers: what tracers look up when NumPy or Python's operators meet them.

A tracer is defined below the operations, yet `x * y` on tracers has to reach the multiplication, and
`np.sin(x)` the sine. So a tracer looks its answer up in `table`, and `covector.numpy` fills the table
once, when covector is imported. Nothing else is looked up this way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

Function = Callable[..., Any]


@final
class ProtocolTable:
    """The functions behind a tracer's operators, methods and NumPy protocols."""

    __slots__ = (
        "absolute", "add", "array_function", "attributes", "bitwise_and", "bitwise_or", "bitwise_xor",
        "conjugate", "divide", "divmod", "equal", "floor_divide", "getitem", "greater",
        "greater_equal", "invert", "iterate", "left_shift", "less", "less_equal", "matmul", "methods",
        "multiply", "negative", "not_equal", "operand", "positive", "power", "remainder",
        "right_shift", "round", "subtract", "ufunc_fallback", "ufuncs",
    )  # fmt: skip

    absolute: Function
    add: Function
    array_function: Function
    bitwise_and: Function
    bitwise_or: Function
    bitwise_xor: Function
    conjugate: Function
    divide: Function
    divmod: Function
    equal: Function
    floor_divide: Function
    getitem: Function
    greater: Function
    greater_equal: Function
    invert: Function
    iterate: Function
    left_shift: Function
    less: Function
    less_equal: Function
    matmul: Function
    multiply: Function
    negative: Function
    not_equal: Function
    operand: Function
    positive: Function
    power: Function
    remainder: Function
    right_shift: Function
    round: Function
    subtract: Function
    ufunc_fallback: Function
    attributes: dict[str, Function]
    methods: dict[str, Function]
    ufuncs: dict[Any, Function]

    def __init__(self) -> None:
        self.attributes, self.methods, self.ufuncs = {}, {}, {}


table = ProtocolTable()
