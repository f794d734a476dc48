"""The derivative of a curve at 0, from values of the curve: by extrapolated differences, or by a complex step.

    >>> import numpy as np
    >>> derivative, error = extrapolated_difference(lambda t: np.array([np.sin(2.0 * t)]))
    >>> bool(abs(derivative[0] - 2.0) < 1e-9), bool(error[0] < 1e-9)
    (True, True)
    >>> complex_step(lambda t: np.array([np.sin(2.0 * t)]))
    array([2.])

Sources: W. Squire, G. Trapp, Using complex variables to estimate derivatives of real functions (1998);
C. J. F. Ridders, Accurate computation of F'(x) and F'(x) F''(x) (1982).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Vector = np.ndarray[Any, np.dtype[Any]]

COMPLEX_STEP = 1e-30
FIRST_STEP, STEP_RATIO, LEVELS = 0.05, 3.0, 9
ENOUGH = 1e-11
"""The relative error at which a difference quotient needs no smaller steps."""


def extrapolated_difference(curve: Callable[[float], Vector], step: float = FIRST_STEP) -> tuple[Vector, Vector]:
    """The derivative of a curve at 0 and an estimate of its error, entry by entry.

    Three central differences with steps in the ratio 3 cancel the terms of second and fourth order of the
    error. Of the values for ever smaller steps, each entry takes the one that changed least: before it the
    truncation error dominates (or a kink is within the step), after it rounding.
    """
    quotients: list[Vector] = []
    before: Vector | None = None
    best = error = np.zeros(0)
    for _ in range(LEVELS):
        quotients.append((curve(step) - curve(-step)) / (2.0 * step))
        step /= STEP_RATIO
        if len(quotients) < 3:
            continue
        value = _extrapolated(*quotients[-3:])
        if before is None:
            best, error = value, np.full(value.shape, np.inf)
        else:
            change = np.abs(value - before)
            better = change < error
            best, error = np.where(better, value, best), np.where(better, change, error)
        before = value
        if np.all(error <= ENOUGH * (1.0 + np.abs(best))):
            break
    return best, error


def _extrapolated(wide: Vector, middle: Vector, narrow: Vector) -> Vector:
    second, fourth = STEP_RATIO**2, STEP_RATIO**4
    first = (second * middle - wide) / (second - 1.0)
    return (fourth * (second * narrow - middle) / (second - 1.0) - first) / (fourth - 1.0)


def complex_step(curve: Callable[[complex], Vector]) -> Vector | None:
    """The derivative of a real curve that is analytic, or None if it does not take complex numbers.

    A curve that is not analytic may give anything, so compare with `extrapolated_difference`.
    """
    try:
        moved = curve(COMPLEX_STEP * 1j)
    except Exception:  # whatever a function does that was not written for complex numbers
        return None
    return np.asarray(moved.imag / COMPLEX_STEP) if moved.dtype.kind == "c" else None
