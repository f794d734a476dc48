"""The maps that pick entries and put them back."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.ops.indexing import WHOLE, Gather, LastWrite, PutSlice, ScatterAdd, SetEntries, SetSlice, Slice
from tests.catalogue.instance import Instance

_RNG = np.random.default_rng(2)


def _array(*shape: int) -> np.ndarray[Any, Any]:
    return np.asarray(_RNG.uniform(0.5, 2.0, shape) * _RNG.choice([-1.0, 1.0], shape))


def _complex(*shape: int) -> np.ndarray[Any, Any]:
    return _array(*shape) + 1j * _array(*shape)


ROWS, COLUMNS = np.array([[0, 2], [2, -1]]), np.array([1, 0])

INSTANCES: list[Instance] = [
    Instance(Slice((1,)), _array(3)),
    Instance(Slice((-1, (None, None, -1))), _array(2, 3)),
    Instance(Slice(((1, None, 2), None, Ellipsis, 0)), _array(4, 2, 3)),
    Instance(Slice(()), np.float64(1.5), name="slice_of_scalar"),
    Instance(Slice(((3, 1, None),)), _array(4), name="empty_slice"),
    Instance(Slice((WHOLE, 1)), _complex(2, 3), name="slice_complex"),
    Instance(PutSlice((1,), (3,)), np.float64(1.5)),
    Instance(PutSlice((0,), (2, 3)), _array(3)),
    Instance(PutSlice(((None, None, 2), None), (5,)), _array(3, 1)),
    Instance(SetSlice((1,)), _array(3), np.float64(0.5)),
    Instance(SetSlice(((0, 2, None), Ellipsis, 1)), _array(3, 2, 2), _array(2, 2)),
    Instance(SetSlice((WHOLE,)), _complex(2), _complex(2), name="set_all_complex"),
    Instance(Gather(), _array(3), np.array([0, 2, 2, -1])),
    Instance(Gather(), _array(3, 2), np.int64(1), name="gather_one_row"),
    Instance(Gather(1), _array(2, 3, 2), ROWS),
    Instance(Gather(1), _array(2, 3, 2), ROWS, COLUMNS, name="gather_two_axes"),
    Instance(Gather(0), _complex(3, 2), ROWS, COLUMNS, name="gather_complex"),
    Instance(Gather(0, unique=True), _array(4), np.array([3, 0, 2])),
    Instance(Gather(0), _array(3), np.zeros(0, np.int64), name="gather_nothing"),
    Instance(ScatterAdd((3,)), _array(4), np.array([0, 2, 2, -1])),
    Instance(ScatterAdd((3, 2)), _array(2), np.int64(1), name="add_one_row"),
    Instance(ScatterAdd((2, 3, 2), 1), _array(2, 2, 2, 2), ROWS),
    Instance(ScatterAdd((2, 3, 2), 1), _array(2, 2, 2), ROWS, COLUMNS, name="add_at_two_axes"),
    Instance(ScatterAdd((3, 2)), _complex(2, 2), ROWS, COLUMNS, name="add_complex"),
    Instance(ScatterAdd((4,), unique=True), _array(3), np.array([3, 0, 2])),
    Instance(SetEntries(), _array(4), _array(3), np.array([0, 2, 0])),
    Instance(SetEntries(unique=True), _array(4), _array(3), np.array([0, 2, 3])),
    Instance(SetEntries(), _complex(2), _complex(3), np.array([0, 0, 0]), name="set_complex"),
    Instance(LastWrite(4), np.array([0, 2, 0, 3])),
]
