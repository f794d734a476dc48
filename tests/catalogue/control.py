"""The operations behind branches and loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.types import ArrayType
from covector.interpreters.staging import record_flat
from covector.transforms.control.branching import Cond, CondDerivative
from covector.transforms.control.looping import While, WhileDerivative, WhilePullback
from covector.transforms.control.scanning import RevolvingDerivative, RevolvingPullback, Scan, ScanDerivative
from covector.transforms.control.unrolling import UnrolledDerivative, UnrolledPullback
from tests.catalogue.instance import Instance

VECTOR, SCALAR, INTEGER = (ArrayType(shape, dtype) for shape, dtype in (((3,), float), ((), float), ((), np.int64)))
X, Y = np.array([0.5, -1.0, 1.2]), np.float64(0.8)
DX, DY = np.array([1.0, 0.3, -0.7]), np.float64(0.4)
XS, DXS = (np.array([[0.2, -0.4, 0.9], [1.1, 0.3, -0.6], [0.5, 0.8, 0.1], [-0.3, 0.6, 0.7]]) * k for k in (1.0, 0.3))


def _step(y: Any, carry: Any, count: Any, x: Any) -> list[Any]:
    """A step with one constant, two carries (one of which has no derivative) and one scanned input."""
    new = np.sin(carry * y) + x
    return [new, count + 1, np.sum(new * x), count * 2]


_BODY = record_flat(_step, [SCALAR, VECTOR, INTEGER, VECTOR], "the catalogue")
_SCAN = Scan(_BODY, 4, 2, 1)
_BACKWARD = Scan(_BODY, 4, 2, 1, reverse=True)
_REVOLVING = Scan(_BODY, 4, 2, 1, slots=2)
_FLOATING = record_flat(lambda y, c, x: _step(y, c, 1, x)[:3:2], [SCALAR, VECTOR, VECTOR], "the catalogue")
_ACTIVE, _OUTPUTS = (0, 1, 3), (0, 2)
_KEPT = _SCAN.with_carries((Y, X, np.int64(0), XS))[1]
_KEPT_BACKWARD = _BACKWARD.with_carries((Y, X, np.int64(0), XS))[1]
_REVOLVED = RevolvingDerivative(_REVOLVING, _ACTIVE, _OUTPUTS)

_LINEAR = record_flat(lambda y, c, x: [y * c - x, np.sum(c) + x[0]], [SCALAR, VECTOR, VECTOR], "the catalogue")
_LINEAR_BRANCHES = tuple(
    record_flat(f, [SCALAR, VECTOR], "the catalogue") for f in (lambda y, x: [y * x], lambda y, x: [x * 2.0])
)

_LOOP = While(
    record_flat(lambda y, c, i: [i < 3], [SCALAR, VECTOR, INTEGER], "the catalogue"),
    record_flat(lambda y, c, i: [np.sin(c * y) + y, i + 1], [SCALAR, VECTOR, INTEGER], "the catalogue"),
)
_FEW = While(_LOOP.condition, _LOOP.body, slots=2)
_PULLBACK = WhilePullback(_LOOP, (0, 1), (0,))

_BRANCHES = tuple(
    record_flat(f, [VECTOR, SCALAR], "the catalogue")
    for f in (lambda x, y: [np.sin(x) * y, y * y], lambda x, y: [x * x, 2.0 * y], lambda x, y: [x, np.sum(x)])
)

INSTANCES: list[Instance] = [
    Instance(Cond(_BRANCHES[:2]), np.bool_(True), X, Y, name="cond"),
    Instance(Cond(_BRANCHES), np.int64(2), X, Y, name="switch"),
    Instance(CondDerivative(_BRANCHES, (0, 1), (0, 1)), np.int64(0), X, Y, DX, DY, name="cond_derivative"),
    Instance(_SCAN, Y, X, np.int64(0), XS, name="scan"),
    Instance(_BACKWARD, Y, X, np.int64(0), XS, name="scan_in_reverse"),
    Instance(_REVOLVING, Y, X, np.int64(0), XS, name="revolving_scan"),
    Instance(Scan(_FLOATING, 4, 1, 1), Y, X, XS, name="scan_of_floats"),
    Instance(Scan(_FLOATING, 4, 1, 1, slots=2), Y, X, XS, name="revolving_scan_of_floats"),
    Instance(Scan(_LINEAR, 4, 1, 1), Y, X, XS, name="linear_scan"),
    Instance(Scan(_LINEAR, 4, 1, 1, reverse=True), Y, X, XS, name="linear_scan_in_reverse"),
    Instance(Cond(_LINEAR_BRANCHES), np.bool_(False), Y, X, name="linear_cond"),
    Instance(ScanDerivative(_SCAN, _ACTIVE, _OUTPUTS), *_KEPT, DY, DX, DXS, name="scan_derivative"),
    Instance(
        ScanDerivative(_BACKWARD, _ACTIVE, _OUTPUTS), *_KEPT_BACKWARD, DY, DX, DXS, name="derivative_of_scan_in_reverse"
    ),
    Instance(_REVOLVED, Y, X, np.int64(0), XS, DY, DX, DXS, name="revolving_derivative"),
    Instance(RevolvingPullback(_REVOLVED), Y, X, np.int64(0), XS, DX, DXS[:, 0], name="revolving_pullback"),
    Instance(_LOOP, Y, X, np.int64(0), name="while"),
    Instance(WhileDerivative(_LOOP, (0, 1), (0,)), Y, X, np.int64(0), DY, DX, name="while_derivative"),
    Instance(_PULLBACK, Y, X, np.int64(0), DX, name="while_pullback"),
    Instance(WhilePullback(_FEW, (0, 1), (0,)), Y, X, np.int64(0), DX, name="while_pullback_with_slots"),
    Instance(UnrolledDerivative(_PULLBACK, 4, (0, 1)), Y, X, np.int64(0), DX, DY, DX, name="unrolled_derivative"),
    Instance(UnrolledPullback(_PULLBACK, 4, (0, 3)), Y, X, np.int64(0), DX, DY, DX, name="unrolled_pullback"),
]  # fmt: skip
