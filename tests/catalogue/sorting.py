"""Sorting and searching."""

from __future__ import annotations

import numpy as np

from covector.ops.sorting import (
    ArgPartition,
    ArgSort,
    LexSort,
    Partition,
    Rearrange,
    RunStarts,
    SearchSorted,
    Sort,
    TieMean,
)
from tests.catalogue.instance import Instance

X = np.array([[[0.7, -1.4], [2.3, 0.4]], [[1.1, 0.6], [-0.8, 1.9]], [[0.2, -0.5], [1.5, -1.1]]])
STARTS = np.array([[True, True, False, False, True], [True, False, True, True, False]])

INSTANCES: list[Instance] = [
    *(Instance(Sort(axis), X) for axis in (0, 1, 2)),
    Instance(Sort(0), np.ones(0)),
    *(Instance(Partition((1,), axis), X) for axis in (0, 2)),
    Instance(Rearrange(1), X, np.argsort(X, axis=1)),
    Instance(TieMean(1), np.arange(10.0).reshape(2, 5), STARTS),
    Instance(TieMean(0), np.arange(10.0).reshape(5, 2) * (1 + 2j), STARTS.T),
    Instance(RunStarts(1), np.array([[1.0, 1.0, 2.0], [3.0, 2.0, 2.0]]), differentiable=()),
    Instance(ArgSort(0), X, differentiable=()),
    Instance(ArgPartition((1,), 0), X, differentiable=()),
    Instance(LexSort(1), X, differentiable=()),
    Instance(SearchSorted(), np.array([1.0, 2.0, 4.0]), np.array([[0.5, 2.51], [5.0, 1.7]]), differentiable=()),
    Instance(SearchSorted(right=True), np.array([1.0, 2.0, 4.0]), 2.51, differentiable=()),
]
