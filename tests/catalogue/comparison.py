"""Comparisons, rounding and selection."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.numpy.operators import RoundNumber
from covector.ops import comparison
from covector.ops.comparison import STEP_UFUNCS, Round, StepFunction, ToInteger
from tests.catalogue.instance import Instance

X = np.array([[0.7, -1.4, 2.3], [1.1, 0.6, -0.8]])
Y = np.array([1.6, -0.9, 0.5])
COUNTS = np.array([[3, 1, 2], [4, 5, 6]])
INTEGER = {
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.gcd, np.lcm,
    np.bitwise_count,
}  # fmt: skip


def _step(ufunc: Any) -> Instance:
    """The ufunc where it is smooth; a derivative is asked for only if its values are floating-point numbers."""
    inputs = [COUNTS, COUNTS[::-1]] if ufunc in INTEGER else [X, Y]
    floating = np.asarray(ufunc(*inputs[: ufunc.nin])).dtype.kind == "f"
    return Instance(StepFunction(ufunc), *inputs[: ufunc.nin], differentiable=None if floating else ())


INSTANCES: list[Instance] = [
    *map(_step, STEP_UFUNCS),
    Instance(Round(1), X),
    Instance(RoundNumber(1), 2.345),
    Instance(RoundNumber(None), 2.345, differentiable=()),
    Instance(ToInteger(np.int32), X, differentiable=()),
    Instance(ToInteger(np.bool_), COUNTS),
    Instance(comparison.ONE_LIKE, 2.0),
    Instance(comparison.ONE_LIKE, np.float32(2.0)),
    Instance(comparison.SELECT, X > 0, X, Y),
    Instance(comparison.SELECT, X > 0, X, 1.5),
    Instance(comparison.SAME, COUNTS, COUNTS[::-1]),
    Instance(comparison.SHARE, np.maximum(X, Y), X, Y),
    *(Instance(p, X, Y) for p in (comparison.MAXIMUM, comparison.MINIMUM, comparison.FMAX, comparison.FMIN)),
    Instance(comparison.MAXIMUM, X, 0.9),
    Instance(comparison.LOWER_BOUND, X, Y),
    Instance(comparison.UPPER_BOUND, X, 0.9),
    Instance(comparison.HEAVISIDE, X, Y),
    Instance(comparison.HEAVISIDE, np.zeros(3), Y, differentiable=(1,)),
]
