"""How far off an entry may be, and the error that shows the one that is furthest off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array, typeof
from covector.errors import DerivativeMismatchError
from covector.testing.differences import Vector

TOLERANCES = {2: 5e-2, 4: 2e-3, 8: 1e-6, 16: 1e-6}
"""The default tolerance for real numbers of so many bytes."""


def default_tolerance(dtypes: Sequence[np.dtype[Any]]) -> float:
    """The tolerance for values that come from numbers of these dtypes."""
    return max(TOLERANCES[np.finfo(dtype).bits // 8] for dtype in dtypes)


@final
@frozen
class Tolerance:
    """How far off an entry may be, and the first step of the differences."""

    atol: float | None
    rtol: float | None
    eps: float | None

    def allowed(self, expected: Vector, dtypes: Sequence[np.dtype[Any]], size: float) -> Vector:
        """By how much each entry may be off, for values that come from numbers of these dtypes and magnitude."""
        default = default_tolerance(dtypes)
        atol = default * max(1.0, size) if self.atol is None else self.atol
        return atol + (default if self.rtol is None else self.rtol) * np.abs(expected)


def compare(found: Array, expected: Array, allowed: Vector, what: str, uncertain: Array) -> None:
    """Raises about the worst entry if one differs by more than is allowed."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        raise DerivativeMismatchError(f"{what} has shape {found.shape}; expected {expected.shape}")
    difference = np.abs(found - expected)
    if np.all(difference <= allowed):
        return
    allowed, uncertain = np.broadcast_to(allowed, found.shape), np.broadcast_to(uncertain, found.shape)
    off = int(np.sum(~(difference <= allowed)))
    worst = np.unravel_index(
        np.argmax(np.where(difference <= allowed, 0.0, np.nan_to_num(difference, nan=np.inf))), found.shape
    )
    index = [int(i) for i in worst]
    raise DerivativeMismatchError(
        f"{what}{f'{index}' if index else ''}: found {found[worst]}, expected {expected[worst]}, difference "
        f"{difference[worst]:.3g}, tolerance {allowed[worst]:.3g} ({off} of {found.size} entries are off; the expected "
        f"value is a difference quotient with an error of about {uncertain[worst]:.1g})"
    )


def check_type(found: Array, like: Array, what: str) -> None:
    """Raises if two values differ in shape or dtype."""
    if typeof(found).strong() != typeof(like).strong():
        raise DerivativeMismatchError(f"{what} has type {typeof(found)}; expected {typeof(like)}")
