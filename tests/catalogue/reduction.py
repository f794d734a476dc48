"""Reductions and accumulations."""

from __future__ import annotations

import numpy as np

from covector.ops.accumulation import (
    CumulativeExtremum,
    CumulativeLogSumExp,
    CumulativeProduct,
    CumulativeSum,
    Recurrence,
    Shift,
)
from covector.ops.reduction import (
    ArgExtremum,
    Extremum,
    LogSumExp,
    Product,
    ProductOfOthers,
    Softmax,
    TieShare,
    Truth,
    Variance,
)
from tests.catalogue.instance import Instance

X = np.array([[[0.7, -1.4], [2.3, 0.4]], [[1.1, 0.6], [-0.8, 1.9]], [[0.2, -0.5], [1.5, -1.1]]])
Y = X[::-1, ::-1] * 0.5
WITH_ZEROS = np.array([[0.0, 1.5], [2.0, 0.0], [0.0, -0.7]])
EMPTY = np.ones((2, 0))
Z = X[..., 0] + 1j * X[..., 1]
WIDE = np.cos(np.arange(60.0)).reshape(3, 20)

INSTANCES: list[Instance] = [
    *(Instance(Extremum(ufunc, (0, 2)), X) for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin)),
    Instance(Extremum(np.maximum, ()), X),
    Instance(Extremum(np.maximum, ()), 0.7),
    Instance(TieShare((0,), np.dtype(np.float64)), np.array([[True, True, False], [True, False, True], [True] * 3])),
    *(Instance(CumulativeExtremum(ufunc, 1), X) for ufunc in (np.maximum, np.minimum)),
    Instance(Product(1), X),
    Instance(Product(0), WITH_ZEROS),
    Instance(Product(1), EMPTY),
    Instance(Product(0), Z),
    *(Instance(ProductOfOthers(0), x) for x in (X, WITH_ZEROS, Z)),
    Instance(Variance((0, 2)), X),
    Instance(Variance((1,), 1.0), X),
    *(Instance(CumulativeProduct(0, reverse), x) for reverse in (False, True) for x in (X, Z, WITH_ZEROS)),
    *(Instance(CumulativeSum(axis, reverse), X) for axis in (0, 2) for reverse in (False, True)),
    Instance(CumulativeSum(1), EMPTY),
    Instance(LogSumExp((0, 2)), X),
    Instance(Softmax((1,)), X),
    Instance(CumulativeLogSumExp(0), X),
    *(Instance(Shift(axis, reverse), X) for axis in (0, 2) for reverse in (False, True)),
    *(Instance(Recurrence(axis, reverse), X, Y) for axis in (0, 2) for reverse in (False, True)),
    Instance(Recurrence(0), WIDE, WIDE[::-1]),
    Instance(ArgExtremum(np.argmax, 1), X, differentiable=()),
    Instance(Truth(np.logical_and, (0, 1)), X > 0),
    Instance(Truth(np.logical_or, (2,)), X, differentiable=()),
]
