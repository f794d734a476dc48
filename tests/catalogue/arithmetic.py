"""The arithmetic of entries."""

from __future__ import annotations

import numpy as np

from covector.core.families import MASKED_MULTIPLY
from covector.ops.arithmetic import (
    ADD,
    DIVIDE,
    LOG,
    MULTIPLY,
    NEGATIVE,
    POSITIVE,
    POWER,
    QUIET_LOG,
    QUIET_POWER,
    RATIO,
    RECIPROCAL,
    REMAINDER,
    SQUARE,
    SUBTRACT,
)
from tests.catalogue.instance import Instance

X = np.array([[0.7, -1.4, 2.3], [1.1, 0.6, -0.8]])
Y = np.array([1.6, -0.9, 0.5])
POINT = np.array([0.4, 1.3, 2.7])
Z = np.array([0.4 + 0.3j, -1.2 + 0.8j, 0.5 - 0.7j])

INSTANCES: list[Instance] = [
    *(Instance(primitive, X, Y) for primitive in (ADD, SUBTRACT, MULTIPLY, DIVIDE, RATIO, MASKED_MULTIPLY, REMAINDER)),
    *(Instance(primitive, Z, Z[::-1]) for primitive in (ADD, SUBTRACT, MULTIPLY, DIVIDE)),
    *(Instance(primitive, X, 1.5) for primitive in (ADD, SUBTRACT, MULTIPLY, DIVIDE)),
    *(Instance(primitive, POINT, Y) for primitive in (POWER, QUIET_POWER)),
    Instance(POWER, X, 3),
    Instance(POWER, POINT, 2.0),
    Instance(POWER, X, np.array([0, 1, 3])),
    Instance(POWER, 1.7, X),
    Instance(POWER, Z, 2.5),
    *(Instance(primitive, X) for primitive in (NEGATIVE, POSITIVE, RECIPROCAL, SQUARE)),
    *(Instance(primitive, Z) for primitive in (NEGATIVE, RECIPROCAL, SQUARE, LOG)),
    *(Instance(primitive, POINT) for primitive in (LOG, QUIET_LOG)),
    Instance(LOG, 0.6),
]
