"""The linear maps and the masked product of the kernel itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.broadcasting import AS_PYTHON_NUMBER, BroadcastTo, Cast, Reshape, SumTo
from covector.core.families import MASKED_MULTIPLY
from tests.catalogue.instance import Instance

RNG = np.random.default_rng(0)


def _array(*shape: int) -> Any:
    return RNG.uniform(0.5, 2.0, shape) * RNG.choice([-1.0, 1.0], shape)


INSTANCES: list[Instance] = [
    Instance(BroadcastTo((2, 3)), _array(3)),
    Instance(BroadcastTo((4, 2, 3)), _array(2, 1)),
    Instance(BroadcastTo((3,)), np.float64(1.5), name="broadcast_scalar"),
    Instance(BroadcastTo((2, 0)), _array(2, 1), name="broadcast_to_empty"),
    Instance(SumTo((3,)), _array(2, 3)),
    Instance(SumTo((2, 1)), _array(4, 2, 3)),
    Instance(SumTo(()), _array(2, 3), name="sum_to_scalar"),
    Instance(SumTo((1,)), _array(0), name="sum_of_nothing"),
    Instance(SumTo((2, 3)), _array(2, 3), name="sum_to_itself"),
    Instance(Reshape((3, 2)), _array(2, 3)),
    Instance(Reshape(()), _array(1, 1), name="reshape_to_scalar"),
    Instance(Reshape((0, 4)), _array(2, 0), name="reshape_empty"),
    Instance(Cast(np.dtype(np.float32)), _array(2)),
    Instance(Cast(np.dtype(np.float64)), _array(2).astype(np.float32), name="widen"),
    Instance(Cast(np.dtype(np.complex128)), _array(2, 2), name="to_complex"),
    Instance(Cast(np.dtype(np.float64)), _array(3) + 1j * _array(3), name="real_part"),
    Instance(AS_PYTHON_NUMBER, np.float64(1.5)),
    Instance(MASKED_MULTIPLY, _array(2, 3), _array(3)),
    Instance(MASKED_MULTIPLY, _array(2), 1.5, name="masked_multiply_number"),
    Instance(MASKED_MULTIPLY, _array(2) + 1j * _array(2), _array(2), name="masked_multiply_complex"),
]
