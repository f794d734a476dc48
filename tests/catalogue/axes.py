"""The maps that move, join and split whole axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.ops.axes import (
    Concatenate,
    Diagonal,
    Flip,
    FromDiagonal,
    Permute,
    Roll,
    Split,
    Stack,
    Sum,
    Triangle,
    Unstack,
)
from tests.catalogue.instance import Instance

_RNG = np.random.default_rng(1)


def _array(*shape: int) -> np.ndarray[Any, Any]:
    return np.asarray(_RNG.uniform(0.5, 2.0, shape) * _RNG.choice([-1.0, 1.0], shape))


def _complex(*shape: int) -> np.ndarray[Any, Any]:
    return _array(*shape) + 1j * _array(*shape)


INSTANCES: list[Instance] = [
    Instance(Permute((2, 0, 1)), _array(2, 3, 4)),
    Instance(Permute((1, 0)), _array(0, 3), name="permute_empty"),
    Instance(Permute(()), np.float64(1.5), name="permute_scalar"),
    Instance(Sum((0, 2)), _array(2, 3, 2)),
    Instance(Sum(()), _array(2), name="sum_over_no_axis"),
    Instance(Sum((1,)), _array(2, 0), name="sum_over_empty_axis"),
    Instance(Sum((0,)), np.array([[True, False], [True, True]]), name="sum_of_booleans"),
    Instance(Sum((1,)), np.array([[200, 100]], np.uint8), name="sum_of_small_integers"),
    Instance(Flip((0, 1)), _array(2, 3)),
    Instance(Flip((1,)), _complex(2, 3)),
    Instance(Roll((1, -2), (0, 1)), _array(2, 3)),
    Instance(Roll((1, 1), (0, 0)), _array(4), name="roll_one_axis_twice"),
    Instance(Roll((5,), (0,)), _array(0), name="roll_empty"),
    Instance(Triangle(True), _array(3, 3)),
    Instance(Triangle(False, -1), _array(2, 3, 2)),
    Instance(Diagonal(), _array(3, 3)),
    Instance(Diagonal(1), _array(2, 3, 4)),
    Instance(Diagonal(5), _array(2, 3), name="diagonal_outside"),
    Instance(FromDiagonal(0, 2, 3), _array(2)),
    Instance(FromDiagonal(-1, 3, 3), _array(2, 2)),
    Instance(FromDiagonal(4, 2, 2), _array(0), name="from_empty_diagonal"),
    Instance(Concatenate(0), _array(2), _array(3)),
    Instance(Concatenate(1), _array(2, 1), _array(2, 3), _array(2, 0)),
    Instance(Concatenate(0), _array(2), _array(2).astype(np.float32), name="concatenate_dtypes"),
    Instance(Concatenate(0), _complex(2), _array(2), name="concatenate_complex"),
    Instance(Concatenate(0), _array(2), name="concatenate_one"),
    Instance(Split(1, (1, 0, 2)), _array(2, 3)),
    Instance(Split(0, (3,)), _array(3), name="split_into_one"),
    Instance(Stack(0), _array(2), _array(2)),
    Instance(Stack(1), _array(2, 3), _array(2, 3), _array(2, 3)),
    Instance(Stack(0), 1.5, np.float64(-0.5), 2.5, name="stack_numbers"),
    Instance(Stack(0), np.float64(2.0), np.float32(3.0), name="stack_dtypes"),
    Instance(Stack(2), _complex(2, 2), _array(2, 2), name="stack_complex"),
    Instance(Unstack(0), _array(3)),
    Instance(Unstack(1), _array(2, 2, 2)),
    Instance(Unstack(0), _array(1, 2), name="unstack_one"),
]
