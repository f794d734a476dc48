"""Products."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.ops.contraction import Contract
from tests.catalogue.instance import Instance

_RNG = np.random.default_rng(4)


def _array(*shape: int) -> np.ndarray[Any, Any]:
    return _RNG.standard_normal(shape)


def _complex(*shape: int) -> np.ndarray[Any, Any]:
    return _array(*shape) + 1j * _array(*shape)


INSTANCES: list[Instance] = [
    Instance(Contract((0,), (0,), ()), _array(3), _array(3), name="dot"),
    Instance(Contract((0, 1), (1,), (0,)), _array(2, 3), _array(3), name="matrix_times_vector"),
    Instance(Contract((0,), (0, 1), (1,)), _array(2), _array(2, 3), name="vector_times_matrix"),
    Instance(Contract((0, 1), (1, 2), (0, 2)), _array(2, 3), _array(3, 2), name="matrix_product"),
    Instance(Contract((0, 1), (0, 2), (2, 1)), _array(3, 2), _array(3, 2), name="transposed_product"),
    Instance(Contract((0, 1), (1, 2), (0, 2)), _complex(2, 3), _array(3, 2), name="complex_times_real"),
    Instance(Contract((0, 1), (1, 2), (0, 2)), _array(2, 0), _array(0, 3), name="empty_product"),
    Instance(Contract((0, 1), (1,), (0,)), _array(2, 3), np.arange(3), name="times_integers"),
    Instance(Contract((0, 1), (1,), (0,)), _array(2, 3).astype(np.float32), _array(3), name="mixed_precision"),
    Instance(Contract((0,), (1,), (1, 0)), _array(2), _array(3), name="outer"),
    Instance(Contract((0, 1), (0,), (0, 1)), _array(2, 3), _array(2), name="scaled_rows"),
    Instance(Contract((0, 1, 2), (0, 2, 3), (0, 1, 3)), _array(2, 2, 3), _array(2, 3, 2), name="stack_of_products"),
    Instance(Contract((0, 1, 2), (2, 0), (1, 0)), _array(2, 3, 2), _array(2, 2), name="batch_axis_last"),
    Instance(Contract((0, 1, 2), (2, 1, 3), (3, 0)), _array(2, 3, 2), _array(2, 3, 2), name="two_axes_contracted"),
    Instance(Contract((0, 1), (1, 2), ()), _array(2, 3), _array(3, 2), name="sum_of_all_products"),
    Instance(Contract((0, 1, 2), (2, 3), (3, 1)), _array(2, 3, 2), _array(2, 2), name="summed_left_axis"),
    Instance(Contract((), (0,), (0,)), np.float64(1.5), _array(2), name="number_times_vector"),
]
