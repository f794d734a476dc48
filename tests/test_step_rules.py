"""Step rules: what each of them promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector import norms, optimize
from covector.errors import ArgumentError
from covector.optimize import steepest_descent
from tests.descent import HESSIAN, START, TARGET, bowl, bowl_gradient, close, rosenbrock, trajectory

MEASURES = {"l1": norms.l1(), "linf": norms.linf(), "l3": norms.lp(3)}


def test_armijo_asks_for_the_slope_along_the_actual_direction() -> None:
    for name in ("l1", "linf", "l3"):
        x = START
        for after in trajectory(steepest_descent(MEASURES[name], optimize.armijo(sufficient=0.2)), rosenbrock, x, 30):
            slope = float(cv.grad(rosenbrock)(x) @ (after - x))
            assert slope < 0
            assert rosenbrock(after) <= rosenbrock(x) + 0.2 * slope + 1e-14 * abs(rosenbrock(x))
            x = after


def test_exact_quadratic_steps_minimize_along_the_line() -> None:
    result = cv.minimize(bowl, START, steepest_descent("linf", optimize.exact_quadratic()), max_iterations=5, tol=0)
    x = START
    for _ in range(5):
        d = -np.sign(bowl_gradient(x))
        x = x - (bowl_gradient(x) @ d) / (d @ HESSIAN @ d) * d
    close(result.x, x, 1e-9)


def test_polyak_steps_reach_a_known_minimum() -> None:
    least = float(bowl(np.linalg.solve(HESSIAN, TARGET)))
    result = cv.minimize(bowl, START, steepest_descent("l2", optimize.polyak(least)), tol=1e-5, max_iterations=20_000)
    assert result.success


def test_step_rules_are_made_of_numbers() -> None:
    for make in (
        lambda: optimize.armijo(start="a"),  # type: ignore[arg-type]
        lambda: optimize.armijo(most=1.5),  # type: ignore[arg-type]
        lambda: optimize.adaptive(most=1.5),  # type: ignore[arg-type]
        lambda: optimize.trust_region(largest="a"),  # type: ignore[arg-type]
        lambda: optimize.polyak("a"),
        lambda: optimize.polyak(np.nan),
        lambda: optimize.schedule(3),  # type: ignore[arg-type]
    ):
        with pytest.raises(ArgumentError):
            make()


def test_step_rules_say_what_they_miss() -> None:
    for rule, name in ((optimize.armijo(), "function"), (optimize.exact_quadratic(), "product")):
        optimizer = steepest_descent("l2", rule)
        with pytest.raises(ArgumentError, match=name):
            optimizer.update(TARGET, optimizer.init(START), START)


@pytest.mark.parametrize("name", ["l1", "l2", "linf"])
def test_adaptive_steps_find_the_constant_of_the_gradient(name: str) -> None:
    """M is at most twice the Lipschitz constant, and each step falls by dual_norm^2 / (2 M)."""
    norm = norms.as_norm(name)
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1).T
    constant = {
        "l1": np.max(np.diag(HESSIAN)), "l2": np.linalg.eigvalsh(HESSIAN)[-1],
        "linf": np.max(np.sum((corners @ HESSIAN) * corners, axis=1)),
    }[name]  # fmt: skip
    optimizer = steepest_descent(norm, optimize.adaptive(start=1e-3))
    x, state = START, optimizer.init(START)
    for _ in range(30):
        g = bowl_gradient(x)
        updates, state = optimizer.update(g, state, x, value=bowl(x), function=bowl)
        assert state.rule <= 2 * constant * (1 + 1e-9)
        assert bowl(x + updates) <= bowl(x) - float(norm.dual_norm(g)) ** 2 / (2 * state.rule) + 1e-12 * abs(bowl(x))
        x = x + updates


def test_the_short_step_of_frank_and_wolfe() -> None:
    """t = min(1, gap / (L |d|^2)) in closed form, towards the vertex of the l1 ball."""
    radius, bound = 0.5, float(np.max(np.diag(HESSIAN)))
    optimizer = optimize.frank_wolfe("l1", radius, step=optimize.inverse_lipschitz(bound))
    x = np.zeros(6)
    for found in trajectory(optimizer, bowl, x):
        g = bowl_gradient(x)
        i = int(np.argmax(np.abs(g)))
        d = -x
        d[i] -= radius * np.sign(g[i])
        x = x + min(1.0, -(g @ d) / (bound * np.sum(np.abs(d)) ** 2)) * d
        close(found, x, 1e-9)


@pytest.mark.parametrize("step", [None, optimize.adaptive(), optimize.armijo(), optimize.exact_quadratic()])
def test_every_rule_brings_the_gap_of_frank_and_wolfe_down(step: Any) -> None:
    """And the gap bounds the distance to the minimum in the ball."""
    optimizer = optimize.frank_wolfe("l2", 0.3, step=step)
    result = cv.minimize(bowl, np.zeros(6), optimizer, tol=1e-3, max_iterations=5000)
    assert result.success
    values, vectors = np.linalg.eigh(HESSIAN)
    low, high = 0.0, 1e4
    for _ in range(200):  # the multiplier with |(H + m)^-1 b| = 0.3
        middle = (low + high) / 2
        inside = np.linalg.norm((vectors.T @ TARGET) / (values + middle)) < 0.3
        low, high = (low, middle) if inside else (middle, high)
    best = bowl(np.linalg.solve(HESSIAN + low * np.eye(6), TARGET))
    assert -1e-9 <= result.fun - best <= result.measure + 1e-12


def test_a_schedule_is_any_function_of_the_count() -> None:
    class Halving:
        def __call__(self, count: Any) -> Any:
            return 0.5**count

    path = [START, *trajectory(steepest_descent("l2", Halving()), bowl, START, 4)]
    close(np.linalg.norm(np.diff(path, axis=0), axis=1), 0.5 ** np.arange(4), 1e-9)


RULES = {
    "armijo": optimize.armijo(), "adaptive": optimize.adaptive(), "trust region": optimize.trust_region(),
    "exact": optimize.exact_quadratic(), "1/L": optimize.inverse_lipschitz(2.0), "polyak": optimize.polyak(),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_at_a_minimum_the_step_is_zero_without_a_warning(rule: Any) -> None:
    x = np.zeros(2)
    optimizer = steepest_descent("l2", rule)
    updates, _ = optimizer.update(
        np.zeros(2), optimizer.init(x), x, value=0.0, function=lambda x: x @ x, product=lambda v: 2 * v
    )
    assert not np.any(updates)


def test_clipping_is_in_the_norm() -> None:
    for name in ("l1", "linf", "l2"):
        optimizer = steepest_descent(name, 100.0, mode="dual", max_step=0.25)
        updates, _ = optimizer.update(TARGET, optimizer.init(START), START)
        close(norms.as_norm(name).norm(updates), 0.25)
        small = steepest_descent(name, 1e-3, mode="dual", max_step=0.25)
        free = steepest_descent(name, 1e-3, mode="dual")
        close(small.update(TARGET, small.init(START), START)[0], free.update(TARGET, free.init(START), START)[0])


def test_directions_that_do_not_descend_are_not_searched() -> None:
    """With momentum the direction may rise; the step is zero, and the momentum goes on."""
    optimizer = steepest_descent("l2", optimize.armijo(), momentum=optimize.heavy_ball(0.9))
    x, calls = START, []

    def counted(x: Any) -> Any:
        calls.append(x)
        return bowl(x)

    state = optimizer.init(x)._replace(memory=-100 * bowl_gradient(x))
    updates, after = optimizer.update(bowl_gradient(x), state, x, value=bowl(x), function=counted)
    assert not np.any(updates)
    assert len(calls) <= 1
    assert np.any(after.memory != state.memory)


def test_a_line_search_survives_overflow_far_away() -> None:
    optimizer = steepest_descent("l2", optimize.armijo(start=1e4))
    result = cv.minimize(lambda x: np.sum(np.exp(x) - x), np.full(3, 5.0), optimizer, tol=1e-6)
    assert result.success
    assert np.max(np.abs(result.x)) < 1e-6


def test_curvature_that_is_not_positive_needs_a_limit() -> None:
    def saddle(x: Any) -> Any:
        return x[0] ** 2 - x[1] ** 2

    x = np.array([0.1, 1.0])
    optimizer = steepest_descent("l2", optimize.exact_quadratic())
    with pytest.raises(ArgumentError, match="curvature"):
        cv.minimize(saddle, x, optimizer)
    limited = steepest_descent("l2", optimize.exact_quadratic(), max_step=0.5)
    first = trajectory(limited, saddle, x, 1)[0]
    close(np.linalg.norm(first - x), 0.5)
    region = trajectory(optimize.cauchy_point("l2", optimize.trust_region(start=0.5)), saddle, x, 1)[0]
    close(np.linalg.norm(region - x), 0.5)


SEARCHES = {"armijo": optimize.armijo(), "adaptive": optimize.adaptive()}
each_search = pytest.mark.parametrize("rule", SEARCHES.values(), ids=list(SEARCHES))


@each_search
@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("name", ["l1", "l2", "linf"])
def test_searches_begin_at_any_scale(rule: Any, scale: float, name: str) -> None:
    """Of the values, and of the parameters: a first step of 1 is far too long or far too short."""
    stiff, start = np.array([1.0, 2.0, 3.0]), np.array([1.0, -2.0, 3.0])
    optimizer = steepest_descent(name, rule)
    high = cv.minimize(lambda x: scale * np.sum(stiff * x * x), start, optimizer, tol=1e-6 * scale)
    far = cv.minimize(lambda x: np.sum(stiff * (x / scale) ** 2), scale * start, optimizer, tol=1e-6 / scale)
    assert high.success
    assert far.success


@pytest.mark.parametrize("rule", [*SEARCHES.values(), optimize.trust_region()], ids=[*SEARCHES, "trust region"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_searches_allow_for_rounding_in_the_dtype_of_the_function(rule: Any, dtype: Any) -> None:
    """So that they get as near to the minimum as its values can tell, the root of rounding, with an offset too."""
    rows = np.random.default_rng(0).normal(size=(20, 8)).astype(dtype)

    def fit(w: Any) -> Any:
        return np.mean(np.logaddexp(dtype(0), -(rows @ w))) + dtype(0.05) * np.sum(w * w) + dtype(3)

    tolerance = 3 * float(np.finfo(dtype).eps) ** 0.5
    result = cv.minimize(fit, np.zeros(8, dtype), steepest_descent("l2", rule), tol=tolerance, max_iterations=300)
    assert result.success
    assert result.x.dtype == dtype
