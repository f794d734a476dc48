"""Numerical algorithms, dynamic programming, finance and images; Python branches, lists and loops."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.special import erf

import covector as cv
from covector.scipy.linalg import expm
from tests.wild import normal, program, uniform

SHOCKS = np.sin(1.0 + 7.0 * np.arange(120.0) ** 2).reshape(2, 3, 20)
KNOTS = np.array([0.0, 1.0, 2.5, 3.0])


@program((1.0, 2.5), (3.0, 0.5), (2.0, 7.0), branching=True)
def root_by_newton_with_early_return(a: Any, b: Any) -> Any:
    x = 1.0
    for _ in range(100):
        value = x**3 + a * x - b
        if abs(value) < 1e-13:
            return x
        try:
            x = x - value / (3 * x**2 + a)
        except ZeroDivisionError:
            x = x + 0.1
    raise RuntimeError("no convergence")


@program((2.0,), (9.0,), (0.3,))
def root_by_while_loop(a: Any) -> Any:
    return cv.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)


@program((normal(3, 3), normal(3)), (normal(3, 3), normal(3)), branching=True)
def conjugate_gradients(raw: Any, b: Any) -> Any:
    a = raw @ raw.T + 3.0 * np.eye(3)
    x, residual, count = np.zeros(3), b, 0
    direction = residual
    while np.sqrt(residual @ residual) > 1e-9 and count < 2:
        along = a @ direction
        step = (residual @ residual) / (direction @ along)
        x, after = x + step * direction, residual - step * along
        direction = after + (after @ after) / (residual @ residual) * direction
        residual, count = after, count + 1
    return x


@program((normal(4), normal(5) + 5, normal(4), normal(5)), (normal(4), normal(5) - 6, normal(4), normal(5)))
def tridiagonal_elimination(lower: Any, middle: Any, upper: Any, right: Any) -> Any:
    ratio, value = [upper[0] / middle[0]], [right[0] / middle[0]]
    for i in range(1, len(right)):
        pivot = middle[i] - lower[i - 1] * ratio[-1]
        value.append((right[i] - lower[i - 1] * value[-1]) / pivot)
        if i < len(upper):
            ratio.append(upper[i] / pivot)
    x = [value.pop()]
    while value:
        x.insert(0, value.pop() - ratio.pop() * x[0])
    return np.array(x)


@program((normal(3, 3),), (normal(3, 3),))
def elimination_by_functional_updates(a: Any) -> Any:
    a = a + 4.0 * np.eye(3)
    for k in range(2):
        a = cv.at(a)[k + 1 :, k].divide(a[k, k])
        a = cv.at(a)[k + 1 :, k + 1 :].subtract(np.outer(a[k + 1 :, k], a[k, k + 1 :]))
    return a


@program((normal(4, 3),), (normal(4, 3),))
def gram_schmidt(a: Any) -> Any:
    basis: list[Any] = []
    for v in a.T:
        for q in basis:
            v = v - (q @ v) * q
        basis.append(v / np.linalg.norm(v))
    return np.column_stack(basis)


@program((normal(3, 3),), (normal(3, 3),))
def power_iteration(raw: Any) -> Any:
    a = raw + raw.T
    v = np.ones(3)
    for _ in range(6):
        v = a @ a @ v + 3.0 * v
        v /= np.sqrt(v @ v)
    return v @ a @ v


@program((normal(4), np.array([0.3, 1.2, 2.7])), (normal(4), np.array([2.9, 0.2, 1.7])))
def cubic_spline(y: Any, t: Any) -> Any:
    h = np.diff(KNOTS)
    sides = np.diag(np.r_[0, h[1:]], 1) + np.diag(np.r_[h[:-1], 0], -1)
    matrix = np.diag(np.r_[1.0, 2.0 * (h[:-1] + h[1:]), 1.0]) + sides
    bend = np.linalg.solve(matrix, np.concatenate([[0.0], 6.0 * np.diff(np.diff(y) / h), [0.0]]))
    i = np.clip(np.searchsorted(KNOTS, t) - 1, 0, 2)
    width, d = cv.at(h)[i].get(), t - cv.at(KNOTS)[i].get()
    slope = (y[i + 1] - y[i]) / width - width * (2 * bend[i] + bend[i + 1]) / 6
    return y[i] + slope * d + bend[i] / 2 * d**2 + (bend[i + 1] - bend[i]) / (6 * width) * d**3


@program((normal(3), normal(4)), (normal(3), normal(4)))
def soft_time_warping(x: Any, y: Any) -> Any:
    @cache
    def cost(i: int, j: int) -> Any:
        if i == 0 or j == 0:
            return 0.0 if i == j else np.inf
        before = np.stack([-cost(i - 1, j - 1), -cost(i - 1, j), -cost(i, j - 1)])
        largest = np.max(before)
        return (x[i - 1] - y[j - 1]) ** 2 - np.log(np.sum(np.exp(before - largest))) - largest

    return cost(len(x), len(y))


@program((normal(3, 3),), (normal(3, 3),), branching=True)
def sequence_alignment(scores: Any) -> Any:
    best: dict[tuple[int, int], Any] = {}
    for i in range(4):
        for j in range(4):
            if i == 0 or j == 0:
                best[i, j] = -0.5 * (i + j)
            else:
                matched = best[i - 1, j - 1] + scores[i - 1, j - 1]
                best[i, j] = max(matched, best[i - 1, j] - 0.5, best[i, j - 1] - 0.5)
    return best[3, 3]


@program((100.0, 95.0, 0.5, 0.02, 0.3), (90.0, 95.0, 1.5, 0.01, 0.2))
def black_scholes(spot: Any, strike: Any, time: Any, rate: Any, volatility: Any) -> Any:
    d = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / (volatility * np.sqrt(time))

    def below(z: Any) -> Any:
        return 0.5 * (1.0 + erf(z / np.sqrt(2.0)))

    return spot * below(d) - strike * np.exp(-rate * time) * below(d - volatility * np.sqrt(time))


@program((97.3, 0.25, 0.05), (110.0, 0.4, 0.03), scale=1e-3)
def american_option_on_a_lattice(spot: Any, volatility: Any, rate: Any) -> Any:
    n = 6
    up = np.exp(volatility * np.sqrt(1 / n))
    chance = (np.exp(rate / n) - 1 / up) / (up - 1 / up)
    prices = spot * up ** np.arange(n, -1, -1) * (1 / up) ** np.arange(0, n + 1)
    values = np.maximum(100.0 - prices, 0.0)
    for _ in range(n):
        prices = prices[:-1] / up
        values = np.maximum(np.exp(-rate / n) * (chance * values[:-1] + (1 - chance) * values[1:]), 100.0 - prices)
    return values[0]


@program((2.0, 0.04, 0.3, -0.5, 0.09), (1.0, 0.09, 0.2, 0.3, 0.16), scale=1e-4)
def heston_by_simulation(reversion: Any, level: Any, wobble: Any, correlation: Any, start: Any) -> Any:
    spot, variance = 100.0 * np.ones(20), start * np.ones(20)
    for first, second in zip(*SHOCKS, strict=True):
        second = correlation * first + np.sqrt(1 - correlation**2) * second
        positive = np.maximum(variance, 0)
        spot = spot * np.exp(-0.05 * positive + np.sqrt(0.1 * positive) * first)
        variance = variance + 0.1 * reversion * (level - positive) + wobble * np.sqrt(0.1 * positive) * second
    return np.mean(np.maximum(spot - 100, 0)), np.mean(np.minimum(variance, 0.1))


@program((1.0, 0.3), (1.1, 0.2), scale=1e-5)
def american_option_by_regression(spot: Any, volatility: Any) -> Any:
    paths = spot * np.exp(np.cumsum(-0.125 * volatility**2 + 0.5 * volatility * SHOCKS[0], axis=0))
    values = np.maximum(1.0 - paths[-1], 0.0)
    for path in paths[-2::-1]:
        exercised = np.maximum(1.0 - path, 0.0)
        features = np.stack([np.ones(20), path, path**2], 1)
        coefficients, *_ = np.linalg.lstsq(features, values, rcond=None)
        values = np.where((exercised > features @ coefficients) & (exercised > 0), exercised, values)
    return values.mean()


@program((normal(3, 4),), (normal(3, 4),))
def total_variation(x: Any) -> Any:
    across, down = np.diff(x, axis=0, append=x[-1:]), np.diff(x, axis=1, append=x[:, -1:])
    p = np.pad(x, ((1, 1), (1, 1)), mode="edge")
    bend = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * x
    return 0.5 * np.sum(x**2) + 0.1 * np.sum(np.sqrt(across**2 + down**2 + 1e-2)), np.sum(bend**2)


@program((normal(5, 5), 0.2), (normal(5, 5), 0.9), scale=1e-4)
def tomography_of_a_turned_image(image: Any, angle: Any) -> Any:
    y, x = np.mgrid[0:5, 0:5] - 2.0
    across, down = np.cos(angle) * x - np.sin(angle) * y + 5.0, np.sin(angle) * x + np.cos(angle) * y + 5.0
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    padded, right, lower = np.pad(image, 3), across - left, down - top
    upper_row = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    lower_row = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    return (upper_row * (1 - lower) + lower_row * lower).sum(axis=0)


@program((normal(4, 4), normal(4)), (normal(4, 4), normal(4)))
def mean_field_fixed_point(couplings: Any, field: Any) -> Any:
    m = np.full(4, 0.1)
    for _ in range(8):
        m = 0.5 * m + 0.5 * np.tanh(0.3 * (couplings + couplings.T) @ m + field)
    return m


@program((normal(3, 3), 0.5), (normal(3, 3), 1.5))
def matrix_exponential(a: Any, time: Any) -> Any:
    return expm(a * time) @ np.ones(3)


@program((uniform(1.0, 2.0, 5),), (uniform(1.0, 2.0, 5),))
def vibration_modes(stiffness: Any) -> Any:
    matrix = np.diag(stiffness[:-1] + stiffness[1:]) - np.diag(stiffness[1:-1], 1) - np.diag(stiffness[1:-1], -1)
    squares, modes = np.linalg.eigh(matrix)
    return np.sqrt(squares), modes[0] ** 2


@program((np.array([0.5, -0.3, 1.2]),), (np.array([1.5, 0.7, -0.2]),), compiled=False)
def boolean_masks(x: Any) -> Any:
    return np.sum(x[x > 0] ** 2) + np.extract(x < 1.0, x).prod() + x[np.nonzero(x > 0)].sum() * np.median(x[x < 1.0])


@program((np.array([0.5, -0.3, 1.2]),), (np.array([1.5, 0.7, -0.2]),))
def selections_and_picks(x: Any) -> Any:
    chosen = np.choose([0, 1, 0], [x, x**2]).sum() + np.compress([True, False, True], x).prod()
    selected = np.select([x < -0.1, x < 1.0], [x**2, np.sin(x)], np.cos(x)).sum()
    joined = np.delete(x, 1).sum() * np.insert(x, 1, x[0] ** 2).prod()
    binned = cv.at(np.array([1.0, 4.0, 9.0])[:, None])[np.digitize(x, [0.0, 1.0])].get()[:, 0] @ x
    among = np.sum(np.where(np.isin(np.floor(x), [0.0, 2.0]), x**3, x))
    return chosen, selected, joined, binned, among, x[np.argmax(x)] ** 2


@program((1.5, np.array(0.3)), (2.5, np.array(-0.3)))
def scalars_of_every_kind(a: Any, b: Any) -> Any:
    total = np.float64(2.0) * a + np.array(3.0) * b
    total = np.asarray(total)[()] * np.array([1.0, 2.0]).sum()
    return (total + np.zeros(())).reshape(1)[0] * np.ones((1, 1))[0, 0] + np.squeeze(total[None]) ** 2


@program((np.array([0.4, -0.9, 2.0]), 0.3), (np.array([-0.4, 0.9, -2.0]), -0.7))
def clamped_by_masked_updates(x: Any, floor: Any) -> Any:
    x = cv.at(x)[x < 0].set(floor)
    return cv.at(x)[x > 1.0].multiply(floor) ** 2


@program((np.array([0.2, -0.9, 1.7]), 0.5), (np.array([2.0, -1.4, 0.1]), 1.2))
def material_law_by_pieces(strain: Any, limit: Any) -> Any:
    """Each piece is given entries that it is made for: the root of what is below the limit would be NaN."""
    above, below = strain > limit, strain < -limit

    def hardened(s: Any, sign: Any) -> Any:
        return sign * (limit + np.sqrt(sign * s - limit))

    pieces = [lambda s: hardened(s, 1.0), lambda s: hardened(s, -1.0), lambda s: s + s**3]
    return np.piecewise(strain, [above, below], pieces)


@program((np.array([1.0, 0.5, -2.0]),), (np.array([0.3, -1.0, 0.7]),), branching=True)
def transfer_function_by_polynomials(p: Any) -> Any:
    loop = np.polyadd(np.polymul(p, [1.0, 2.0]), [0.5, 1.0])
    quotient, rest = np.polydiv(loop, np.array([1.0, 3.0]))
    return np.polyval(np.polyder(loop), 0.7), np.polyval(np.polyint(quotient, 2), 0.4), rest, np.poly1d(p)(1.5)
