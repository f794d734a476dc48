"""The operations behind checkpoint, custom rules and stop_gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from covector.core.broadcasting import SumTo
from covector.core.types import ArrayType
from covector.interpreters.staging import record_flat
from covector.transforms.checkpoint import Checkpoint, CheckpointDerivative
from covector.transforms.custom import CustomCall, CustomDerivative, Rules
from covector.transforms.stop import STOP_GRADIENT
from tests.catalogue.instance import Instance

VECTOR, SCALAR = ArrayType((3,), np.dtype(np.float64)), ArrayType((), np.dtype(np.float64))
X, Y = np.array([0.5, -1.0, 2.0]), np.float64(1.5)
DX, DY = np.array([1.0, 0.3, -0.7]), np.float64(0.4)


def _function(inputs: Sequence[Any]) -> list[Any]:
    x, y = inputs
    return [np.sin(x) * y, y * y]


def _jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    (x, y), (dx, dy) = primals, tangents
    return _function(primals), [np.cos(x) * y * dx + np.sin(x) * dy, 2.0 * y * dy]


def _forward(inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    x, y = inputs
    return _function(inputs), [np.cos(x) * y, np.sin(x), y]


def _backward(residuals: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    (slope, sine, y), (first, second) = residuals, cotangents
    return [slope * first, SumTo(())(sine * first) + 2.0 * y * second]


def _rules(*kinds: str) -> Rules:
    forward, backward = (_forward, _backward) if "reverse" in kinds else (None, None)
    return Rules(" and ".join(kinds), _function, _jvp if "forward" in kinds else None, forward, backward)


_GRAPH = record_flat(lambda x, y: _function((x, y)), [VECTOR, SCALAR], "the catalogue")
_RESIDUALS = _forward((X, Y))[1]

INSTANCES: list[Instance] = [
    Instance(Checkpoint(_GRAPH), X, Y, name="checkpoint"),
    Instance(CheckpointDerivative(_GRAPH, (0, 1)), X, Y, DX, DY, name="checkpoint_derivative"),
    Instance(CheckpointDerivative(_GRAPH, (1,)), X, Y, DY, name="checkpoint_derivative_in_one"),
    Instance(CustomCall(_rules("forward")), X, Y, name="custom_jvp"),
    Instance(CustomCall(_rules("reverse")), X, Y, name="custom_vjp"),
    Instance(CustomCall(_rules("forward", "reverse")), X, Y, name="custom_both"),
    Instance(
        CustomDerivative(_rules("reverse"), 3, (VECTOR, SCALAR), (0, 1), (VECTOR, SCALAR)),
        *_RESIDUALS, X, Y, DX, DY, name="custom_derivative",
    ),
    Instance(
        CustomDerivative(_rules("forward", "reverse"), 3, (VECTOR, SCALAR), (0,), (VECTOR, SCALAR)),
        *_RESIDUALS, X, Y, DX, name="custom_derivative_in_one", differentiable=(5,),
    ),
    Instance(STOP_GRADIENT, X, name="stop_gradient", differentiable=()),
]  # fmt: skip
