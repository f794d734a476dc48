"""The derivatives of the longer problems as a person would write them; see `by_hand.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.by_hand import Array

STEP = 0.01
SOFTENING = 0.1


def gaussian_process_gradient(parameters: Array, points: Array, targets: Array) -> Array:
    """Return 1/2 sum_ij (K^-1 - a a^T)_ij dK_ij for each parameter, a = K^-1 y (Rasmussen and Williams, 5.9)."""
    from scipy.linalg import cho_solve

    noise = np.exp(parameters[-1])
    scaled = points / np.exp(parameters[1:-1])
    squares = np.sum(scaled * scaled, axis=1)
    signal = np.exp(parameters[0] - 0.5 * (squares[:, None] + squares - 2.0 * (scaled @ scaled.T)))
    identity = np.eye(len(points))
    factor = np.linalg.cholesky(signal + noise * identity), True
    weight = cho_solve(factor, identity, check_finite=False)
    solution = weight @ targets
    weight -= np.outer(solution, solution)
    trace = np.trace(weight)
    weight *= signal
    # sum_ij W_ij (z_i - z_j)^2 = 2 sum_i z_i^2 (W 1)_i - 2 z^T W z, for the symmetric W.
    rows = weight.sum(axis=1)
    lengths = rows @ (scaled * scaled) - np.sum(scaled * (weight @ scaled), axis=0)
    return np.array([0.5 * rows.sum(), *lengths, 0.5 * noise * trace])


def forces(positions: Array, masses: Array) -> Array:
    """Return the sums of m_i m_j (x_j - x_i) / d^3."""
    difference = positions[:, None, :] - positions[None, :, :]
    squares = np.sum(difference * difference, axis=-1) + SOFTENING**2
    pull = masses[:, None] * masses / (squares * np.sqrt(squares))
    total: Array = -np.sum(pull[:, :, None] * difference, axis=1)
    return total


def predation_gradient(steps: int) -> Callable[..., tuple[float, ...]]:
    """Return the gradient by the adjoint of each Runge-Kutta step, last to first, over Python floats."""

    def slope_adjoint(
        rates: tuple[float, ...], state: tuple[float, float], adjoint: tuple[float, float], sums: list[float]
    ) -> tuple[float, float]:
        (birth, catch, growth, death), (x, y), (p, q) = rates, state, adjoint
        product = x * y
        sums[0] += p * x
        sums[1] -= p * product
        sums[2] += q * product
        sums[3] -= q * y
        return p * (birth - catch * y) + q * growth * y, q * (growth * x - death) - p * catch * x

    def gradient(
        prey: float, predators: float, birth: float, catch: float, growth: float, death: float
    ) -> tuple[float, ...]:
        x, y = prey, predators
        half, sixth, third = 0.5 * STEP, STEP / 6.0, STEP / 3.0
        stages = []
        for _ in range(steps):
            x1, y1 = birth * x - catch * x * y, growth * x * y - death * y
            xa, ya = x + half * x1, y + half * y1
            x2, y2 = birth * xa - catch * xa * ya, growth * xa * ya - death * ya
            xb, yb = x + half * x2, y + half * y2
            x3, y3 = birth * xb - catch * xb * yb, growth * xb * yb - death * yb
            xc, yc = x + STEP * x3, y + STEP * y3
            x4, y4 = birth * xc - catch * xc * yc, growth * xc * yc - death * yc
            stages.append((x, y, xa, ya, xb, yb, xc, yc))
            x, y = x + sixth * (x1 + 2.0 * (x2 + x3) + x4), y + sixth * (y1 + 2.0 * (y2 + y3) + y4)
        rates, sums, p, q = (birth, catch, growth, death), [0.0] * 4, 1.0, 1.0
        for x, y, xa, ya, xb, yb, xc, yc in reversed(stages):
            pc, qc = slope_adjoint(rates, (xc, yc), (sixth * p, sixth * q), sums)
            pb, qb = slope_adjoint(rates, (xb, yb), (third * p + STEP * pc, third * q + STEP * qc), sums)
            pa, qa = slope_adjoint(rates, (xa, ya), (third * p + half * pb, third * q + half * qb), sums)
            pf, qf = slope_adjoint(rates, (x, y), (sixth * p + half * pa, sixth * q + half * qa), sums)
            p, q = p + pc + pb + pa + pf, q + qc + qb + qa + qf
        return (p, q, *sums)

    return gradient


def recurrence_gradient(weights: Array, inputs: Array, bias: Array, state: Array, rows: Array) -> Any:
    """Return the gradients in weights, inputs and bias by back-propagation through time."""
    states = np.empty((len(rows) + 1, len(state)))
    states[0] = state
    driven = rows @ inputs + bias
    for i in range(len(rows)):
        np.tanh(states[i] @ weights + driven[i], out=states[i + 1])
    slopes = 1.0 - states[1:] ** 2
    errors = np.empty_like(slopes)
    error, transposed = 2.0 * states[-1], weights.T.copy()
    for i in range(len(rows) - 1, -1, -1):
        np.multiply(error, slopes[i], out=errors[i])
        error = errors[i] @ transposed
    return states[:-1].T @ errors, rows.T @ errors, errors.sum(axis=0)
