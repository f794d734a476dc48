"""The operations behind jit: calls of compiled graphs, and of their derivatives."""

from __future__ import annotations

import numpy as np

from covector.compile.compiled import CompiledCall, CompiledGraph, CompiledLinear
from covector.compile.shares import ADD_SHARE
from covector.core.types import ArrayType
from covector.interpreters.staging import record_flat
from tests.catalogue.instance import Instance

VECTOR, SCALAR = ArrayType((3,), np.float64), ArrayType((), np.float64)
X, Y = np.array([0.5, -1.0, 2.0]), np.float64(1.5)
DX, DY = np.array([1.0, 0.3, -0.7]), np.float64(0.4)

ARRAYS = CompiledGraph(
    record_flat(lambda x, y: [np.sin(x) * y, y * y + np.sum(x), x > 0.0], [VECTOR, SCALAR], "the catalogue"), "arrays"
)
NUMBERS = CompiledGraph(record_flat(lambda x, y: [np.sin(x) * y + x**3], [SCALAR, SCALAR], "the catalogue"), "numbers")
DERIVATIVE = ARRAYS.derivative((0, 1))
RESIDUALS = CompiledCall(DERIVATIVE.forward)(X, Y)[3:]

INSTANCES: list[Instance] = [
    Instance(CompiledCall(ARRAYS), X, Y, name="compiled_arrays"),
    Instance(CompiledCall(NUMBERS), Y, DY, name="compiled_numbers"),
    Instance(CompiledCall(DERIVATIVE.forward), X, Y, name="compiled_forward"),
    Instance(
        CompiledLinear(DERIVATIVE.push, DERIVATIVE.pull, len(RESIDUALS)), *RESIDUALS, DX, DY, name="compiled_push"
    ),
    Instance(
        CompiledLinear(DERIVATIVE.pull, DERIVATIVE.push, len(RESIDUALS)), *RESIDUALS, DX, DY, name="compiled_pull"
    ),
    Instance(ADD_SHARE, X, np.array([True, False, True]), DY, name="add_share"),
    Instance(ADD_SHARE, X.reshape(1, 3), np.zeros((1, 3), bool), DY, name="add_share_none"),
]
