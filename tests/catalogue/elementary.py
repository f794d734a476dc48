"""The elementary functions."""

from __future__ import annotations

import numpy as np

from covector.ops import elementary, windows
from covector.ops.windows import ModifiedBessel, Sinc
from tests.catalogue.instance import Instance

X = np.array([[0.7, -1.4], [2.3, -0.8]])
INSIDE = np.array([0.3, -0.6, 0.9])
POSITIVE = np.array([0.4, 1.3, 2.7])
ABOVE_ONE = np.array([1.2, 2.0, 3.5])
Y = np.array([1.6, -0.9])
Z = np.array([0.3 + 0.4j, -0.5 + 0.2j])

ENTIRE = [
    elementary.EXP, elementary.EXP2, elementary.EXPM1, elementary.SIN, elementary.COS, elementary.TAN, windows.SINC,
    elementary.SINH, elementary.COSH, elementary.TANH, elementary.ARCTAN, elementary.ARCSINH, Sinc(2),
]  # fmt: skip
ON_POSITIVE = [elementary.LOG1P, elementary.LOG2, elementary.LOG10, elementary.SQRT]
ON_INTERVAL = [elementary.ARCSIN, elementary.ARCCOS, elementary.ARCTANH]
OF_TWO = [elementary.LOGISTIC, elementary.LOGADDEXP, elementary.LOGADDEXP2, elementary.HYPOT, elementary.ARCTAN2]

INSTANCES: list[Instance] = [
    *(Instance(primitive, X) for primitive in ENTIRE),
    *(Instance(primitive, POSITIVE) for primitive in ON_POSITIVE),
    *(Instance(primitive, INSIDE) for primitive in ON_INTERVAL),
    *(Instance(primitive, Z) for primitive in [*ENTIRE, *ON_POSITIVE, *ON_INTERVAL, elementary.ARCCOSH]),
    *(Instance(primitive, X, Y) for primitive in OF_TWO),
    *(Instance(primitive, 0.7, Y) for primitive in OF_TWO),
    Instance(elementary.ROOT_OF_SQUARES, POSITIVE),
    Instance(elementary.CBRT, X),
    Instance(elementary.ARCCOSH, ABOVE_ONE),
    Instance(elementary.DEGREES, X),
    Instance(elementary.RADIANS, X),
    Instance(windows.MODIFIED_BESSEL, X),
    Instance(ModifiedBessel(2), X),
    Instance(elementary.SIN, 0.7),
    Instance(Sinc(3), np.array([0.0, 0.3, 1.4, 7.0])),
]
