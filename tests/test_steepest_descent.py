"""steepest_descent: its laws, its step rules, and known optimizers against independent code."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import polar
from scipy.optimize import minimize as scipy_minimize

import covector as cv
from covector import norms, optimize
from covector.errors import ArgumentError
from covector.norms.layout import combined, ravel
from covector.norms.norm import Norm
from covector.optimize import SteepestDescent, steepest_descent

RNG = np.random.default_rng(2)
ROOT = RNG.normal(size=(8, 6))
HESSIAN = ROOT.T @ ROOT + 0.1 * np.eye(6)
TARGET = RNG.normal(size=6)
START = RNG.normal(size=6)


def bowl(x: Any) -> Any:
    return 0.5 * x @ HESSIAN @ x - TARGET @ x


def rosenbrock(x: Any) -> Any:
    return np.sum(10.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(np.max(np.abs(wanted), initial=0)))


def trajectory(optimizer: SteepestDescent, function: Any, x: Any, steps: int = 50) -> list[Any]:
    """The parameters after each step."""
    derivative, state, found = cv.value_and_grad(function), optimizer.init(x), []
    for _ in range(steps):
        value, gradient = derivative(x)
        updates, state = optimizer.update(gradient, state, x, value=value, function=function)
        x = combined((1.0, x), (1.0, updates))
        found.append(x)
    return found


# --- known optimizers, written out ----------------------------------------------------------------------------

Step = Callable[[Any, Any, Any], tuple[Any, Any]]


def plain_gradient(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.01 * g, m


def plain_heavy_ball(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    m = 0.9 * m + g
    return x - 0.005 * m, m


def plain_normalized(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.05 * g / np.sqrt(np.sum(g * g)), m


def plain_sign(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.05 * np.sign(g), m


def plain_signum(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    m = 0.8 * m + 0.2 * g
    return x - 0.05 * np.sign(m), m


def plain_lion(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    """Program 1 of Chen et al. (2023): update = sign(interp(g, m, beta1)); m = interp(g, m, beta2)."""
    update = np.sign(0.9 * m + 0.1 * g)
    m = 0.99 * m + 0.01 * g
    return x - 0.02 * (update + 0.3 * x), m


def plain_coordinate(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    i = max(range(len(g)), key=lambda j: abs(g[j]))
    x = x.copy()
    x[i] -= g[i] / max(HESSIAN.diagonal())
    return x, m


def plain_weighted_coordinate(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    lipschitz = HESSIAN.diagonal()
    i = max(range(len(g)), key=lambda j: abs(g[j]) / lipschitz[j] ** 0.5)
    x = x.copy()
    x[i] -= g[i] / lipschitz[i]
    return x, m


def plain_top_k(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    x = x.copy()
    for i in np.argsort(-np.abs(g))[:2]:
        x[i] -= 0.05 * (1.0 if g[i] > 0 else -1.0)
    return x, m


def plain_newton(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.3 * np.linalg.solve(HESSIAN + 0.5 * np.eye(6), g), m


OPTIMIZERS: dict[str, tuple[SteepestDescent, Step]] = {
    "gradient descent": (optimize.gradient_descent(0.01), plain_gradient),
    "heavy ball": (optimize.gradient_descent(0.005, beta=0.9), plain_heavy_ball),
    "normalized gradient": (optimize.normalized_gradient(0.05), plain_normalized),
    "sign descent": (optimize.sign_descent(0.05), plain_sign),
    "signum": (optimize.signum(0.05, beta=0.8), plain_signum),
    "lion": (optimize.lion(0.02, 0.9, 0.99, weight_decay=0.3), plain_lion),
    "Gauss-Southwell": (optimize.coordinate_descent(float(np.max(np.diag(HESSIAN)))), plain_coordinate),
    "Gauss-Southwell-Lipschitz": (optimize.coordinate_descent(np.diag(HESSIAN).copy()), plain_weighted_coordinate),
    "top-k sign": (optimize.top_k_sign(2, 0.05), plain_top_k),
    "damped Newton": (optimize.newton(bowl, damping=0.5, step=0.3), plain_newton),
}


@pytest.mark.parametrize(("optimizer", "step"), OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_fifty_steps_of_the_published_algorithm(optimizer: SteepestDescent, step: Step) -> None:
    x, memory = START.copy(), np.zeros(6)
    for found in trajectory(optimizer, bowl, START):
        x, memory = step(x, HESSIAN @ x - TARGET, memory)
        close(found, x, 1e-9)


def test_fifty_steps_of_muon() -> None:
    """K. Jordan's code, with SciPy's polar decomposition in place of the Newton-Schulz steps."""
    shapes, beta, rate, decay = [(6, 3), (3, 5)], 0.95, 0.02, 0.1
    rng = np.random.default_rng(0)
    targets = [rng.normal(size=s) for s in shapes]
    mixing = [rng.normal(size=(s[0], s[0])) for s in shapes]

    def loss(weights: Any) -> Any:
        return sum(np.sum((m @ w - t) ** 2) for m, w, t in zip(mixing, weights, targets, strict=True))

    start = [rng.normal(size=s) for s in shapes]
    weights, buffers = [w.copy() for w in start], [np.zeros(s) for s in shapes]
    for found in trajectory(optimize.muon(rate, beta, decay), loss, start):
        for i in range(2):
            g = 2 * mixing[i].T @ (mixing[i] @ weights[i] - targets[i])
            buffers[i] = beta * buffers[i] + g
            update = polar(g + beta * buffers[i])[0]
            update = update * max(1, g.shape[0] / g.shape[1]) ** 0.5
            weights[i] = weights[i] * (1 - rate * decay) - rate * update
            close(found[i], weights[i], 1e-8)


def test_fifty_steps_of_frank_wolfe_on_the_l1_ball() -> None:
    """The textbook algorithm, and a gap that bounds the distance to the minimum in the ball."""
    radius = 0.5
    x = np.zeros(6)
    optimizer = optimize.frank_wolfe("l1", radius)
    for k, found in enumerate(trajectory(optimizer, bowl, np.zeros(6))):
        g = HESSIAN @ x - TARGET
        vertex = np.zeros(6)
        i = int(np.argmax(np.abs(g)))
        vertex[i] = -radius * np.sign(g[i])
        x = x + 2.0 / (k + 2.0) * (vertex - x)
        close(found, x, 1e-10)
        assert np.abs(found).sum() <= radius * (1 + 1e-12)
    split = scipy_minimize(
        lambda z: bowl(z[:6] - z[6:]), np.full(12, 0.01), method="SLSQP", bounds=[(0, None)] * 12,
        constraints={"type": "ineq", "fun": lambda z: radius - z.sum()}, options={"ftol": 1e-12},
    )  # fmt: skip
    gap = float(optimizer.measure(HESSIAN @ x - TARGET, x))
    assert -1e-9 <= bowl(x) - split.fun <= gap * (1 + 1e-6)


def test_lion_with_weight_decay_stays_in_the_ball() -> None:
    """Decoupled weight decay w bounds the parameters by 1 / w in linf."""
    for x in trajectory(optimize.lion(0.1, weight_decay=2.0), bowl, 0.1 * START, 200):
        assert np.max(np.abs(x)) <= 0.5 * (1 + 1e-12)


# --- laws -----------------------------------------------------------------------------------------------------

MEASURES: dict[str, Norm] = {
    "l1": norms.l1(), "l2": norms.l2(), "linf": norms.linf(), "l3": norms.lp(3), "quadratic": norms.quadratic(HESSIAN),
    "k-support": norms.k_support(2), "differences": norms.l1() @ norms.Difference(),
    "function": norms.as_norm(lambda v: np.abs(ROOT[:6] @ v).max()),
    "hull": norms.infimal_convolution(norms.l1(), norms.l2()),
}  # fmt: skip
each_norm = pytest.mark.parametrize("norm", MEASURES.values(), ids=list(MEASURES))


@each_norm
def test_unit_and_dual_steps_have_the_lengths_they_promise(norm: Norm) -> None:
    g = bowl_gradient(START)
    steepness = norm.dual_norm(g)
    unit, _ = steepest_descent(norm, 0.3).update(g, steepest_descent(norm, 0.3).init(START), START)
    close(g @ unit, -0.3 * steepness)
    optimizer = steepest_descent(norm, 0.3, mode="dual")
    dual, _ = optimizer.update(g, optimizer.init(START), START)
    close(dual, steepness * unit)
    if norm is not MEASURES["hull"]:
        close(norm.norm(unit), 0.3)


def bowl_gradient(x: Any) -> Any:
    return HESSIAN @ x - TARGET


def lipschitz(norm: Norm) -> float:
    """The largest <v, H v> over the unit ball, by its vertices where there are few: an upper bound otherwise."""
    rng = np.random.default_rng(0)
    ascent = 0.0
    for v in rng.normal(size=(50, 6)):
        for _ in range(100):
            v = norm.maximizer(HESSIAN @ v)
        ascent = max(ascent, float(v @ HESSIAN @ v))
    return ascent


@each_norm
def test_steps_of_one_over_l_lower_the_function_as_the_descent_lemma_says(norm: Norm) -> None:
    bound = lipschitz(norm)
    x = START
    for after in trajectory(steepest_descent(norm, optimize.inverse_lipschitz(bound)), bowl, START, 20):
        promised = float(norm.dual_norm(bowl_gradient(x))) ** 2 / (2 * bound)
        assert bowl(after) <= bowl(x) - promised + 1e-9 * (1 + abs(bowl(x)))
        x = after


@each_norm
def test_minimize_reaches_the_tolerance_in_the_dual_norm(norm: Norm) -> None:
    optimizer = steepest_descent(norm, optimize.exact_quadratic())
    result = cv.minimize(bowl, START, optimizer, tol=1e-4, max_iterations=20_000)
    assert result.success, result.message
    assert norm.dual_norm(bowl_gradient(result.x)) <= 1e-4
    close(result.x, np.linalg.solve(HESSIAN, TARGET), 1e-3)


def test_newton_with_a_line_search_solves_rosenbrock() -> None:
    optimizer = optimize.newton(rosenbrock, step=optimize.armijo())
    result = cv.minimize(rosenbrock, np.zeros(4), optimizer, max_iterations=50)
    assert result.success
    close(result.x, np.ones(4), 1e-8)


def test_the_quadratic_norm_of_the_hessian_converges_in_one_step() -> None:
    optimizer = steepest_descent(norms.quadratic(HESSIAN), optimize.inverse_lipschitz(1.0))
    result = cv.minimize(bowl, START, optimizer, tol=1e-10)
    assert result.nit == 1
    assert result.success


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


def test_schedules_clipping_and_weight_decay() -> None:
    g = np.array([3.0, -4.0])
    x = np.array([1.0, 2.0])
    optimizer = steepest_descent("l2", lambda k: 1.0 / (k + 1), mode="dual", max_step=2.0, weight_decay=0.0)
    state = optimizer.init(x)
    first, state = optimizer.update(g, state, x)
    close(np.linalg.norm(first), 2.0)
    optimizer = steepest_descent("linf", 0.1, weight_decay=0.5)
    updates, _ = optimizer.update(g, optimizer.init(x), x)
    close(updates, -0.1 * np.sign(g) - 0.05 * x)


def test_parameters_of_mixed_kinds_and_dtypes() -> None:
    params = {"weights": RNG.normal(size=(30, 20)).astype(np.float32), "bias": np.zeros(20), "scale": 1.0}
    norm = {"weights": "spectral", "bias": "linf", "scale": "l2"}
    optimizer = steepest_descent(norm, 0.1, momentum=optimize.ema(0.9), weight_decay=0.01)
    gradient = {"weights": RNG.normal(size=(30, 20)).astype(np.float32), "bias": np.ones(20), "scale": -2.0}
    updates, state = optimizer.update(gradient, optimizer.init(params), params)
    assert updates["weights"].dtype == np.float32
    assert updates["bias"].dtype == np.float64
    close(updates["scale"], 0.1 - 0.001)
    assert state.count == 1


# --- purity and states ----------------------------------------------------------------------------------------


def test_update_changes_nothing_it_is_given() -> None:
    optimizer = optimize.lion(0.1, weight_decay=0.1)
    x, g = START.copy(), TARGET.copy()
    state = optimizer.init(x)
    memory = state.memory.copy()
    first = optimizer.update(g, state, x)
    second = optimizer.update(g, state, x)
    close(first[0], second[0])
    assert np.array_equal(x, START)
    assert np.array_equal(g, TARGET)
    assert np.array_equal(state.memory, memory)


def test_states_are_plain_trees_that_can_be_saved() -> None:
    optimizer = steepest_descent("linf", optimize.armijo(), momentum=optimize.heavy_ball(0.5))
    x, state = START, optimizer.init(START)
    g = bowl_gradient(x)
    _, state = optimizer.update(g, state, x, function=bowl)
    leaves, restore = ravel(state)
    file = io.BytesIO()
    np.savez(file, leaves=leaves)
    file.seek(0)
    again = restore(np.load(file)["leaves"])
    wanted, _ = optimizer.update(g, state, x, function=bowl)
    found, _ = optimizer.update(g, again, x, function=bowl)
    close(found, wanted)


def test_updates_are_batched_over_runs() -> None:
    optimizer = steepest_descent(norms.lp(3), 0.1, momentum=optimize.nesterov(0.9))
    starts, gradients = RNG.normal(size=(2, 4, 6))

    def run(x: Any, g: Any) -> Any:
        state = optimizer.init(x)
        updates, state = optimizer.update(g, state, x)
        return optimizer.update(g + updates, state, x)[0]

    close(cv.vmap(run)(starts, gradients), np.stack([run(x, g) for x, g in zip(starts, gradients, strict=True)]))


def test_updates_are_compiled() -> None:
    mine = steepest_descent(lambda v: np.abs(v).max(), 0.1)
    for optimizer in (optimize.lion(0.1), optimize.top_k_sign(3, 0.1), mine):
        state = optimizer.init(START)
        close(cv.jit(optimizer.update)(TARGET, state, START)[0], optimizer.update(TARGET, state, START)[0])


def test_minimize_goes_on_from_a_state() -> None:
    optimizer = steepest_descent("l2", optimize.armijo(), momentum=None)
    whole = cv.minimize(rosenbrock, np.zeros(3), optimizer, tol=0, max_iterations=20)
    half = cv.minimize(rosenbrock, np.zeros(3), optimizer, tol=0, max_iterations=8)
    rest = cv.minimize(rosenbrock, half.x, optimizer, tol=0, max_iterations=12, state=half.state)
    close(rest.x, whole.x)
    assert rest.state.count == 20


def test_results_have_scipys_names_and_a_history() -> None:
    seen = []
    result = cv.minimize(
        bowl, START, steepest_descent("l2", optimize.exact_quadratic()), tol=1e-6, callback=lambda x, r: seen.append(r)
    )
    assert result["fun"] == result.fun == result.history[-1].value
    assert result.nit == len(result.history) - 1 == len(seen) - 1
    assert result.history[-1].measure <= 1e-6 < result.history[-2].measure
    assert result.njev == len(result.history)
    with pytest.raises(KeyError):
        result["nothing"]
    stopped = cv.minimize(bowl, START, steepest_descent("l2", 0.01), callback=lambda x, r: r.iteration == 3)
    assert (stopped.nit, stopped.status, stopped.success) == (3, 4, False)


def test_trees_are_minimized() -> None:
    def loss(p: Any) -> Any:
        return np.sum((p["a"] - 1.0) ** 2) + (p["b"] + 2.0) ** 2

    start = {"a": np.zeros(3), "b": 0.0}
    result = cv.minimize(loss, start, steepest_descent(norms.per_leaf("l2", "l2"), optimize.armijo()), tol=1e-6)
    assert result.success
    close(result.x["a"], np.ones(3), 1e-5)
    close(result.x["b"], -2.0, 1e-5)


# --- bad input ------------------------------------------------------------------------------------------------


def test_bad_options_are_refused() -> None:
    for make in (
        lambda: steepest_descent("l2", 0.1, mode="other"),
        lambda: steepest_descent("l2", 0.1, mode="dual", radius=1.0),
        lambda: steepest_descent("l2", 0.1, radius=1.0, weight_decay=0.1),
        lambda: steepest_descent("l2", 0.1, radius=-1.0),
        lambda: steepest_descent("l2", 0.1, max_step=0.0),
        lambda: steepest_descent("l2", 0.1, weight_decay=-1.0),
        lambda: steepest_descent("l2", "big"),
        lambda: optimize.armijo(sufficient=2.0),
        lambda: optimize.ema(1.0),
        lambda: cv.minimize(bowl, START, steepest_descent("l2", 0.1), tol=-1.0),
    ):
        with pytest.raises(ArgumentError):
            make()


def test_step_rules_say_what_they_miss() -> None:
    for rule, name in ((optimize.armijo(), "function"), (optimize.exact_quadratic(), "product")):
        optimizer = steepest_descent("l2", rule)
        with pytest.raises(ArgumentError, match=name):
            optimizer.update(TARGET, optimizer.init(START), START)


def test_gradients_that_are_not_finite_are_refused_by_path() -> None:
    optimizer = steepest_descent("linf", 0.1)
    params = {"a": np.zeros(2), "b": np.zeros(3)}
    bad = {"a": np.zeros(2), "b": np.array([0.0, np.nan, np.inf])}
    with pytest.raises(ArgumentError, match=r"gradient\['b'\] has 2 entries"):
        optimizer.update(bad, optimizer.init(params), params)
    result = cv.minimize(lambda x: np.inf * np.sum(x), START, optimizer)
    assert result.status == 3


def test_functions_that_are_not_norms_are_refused_at_the_start() -> None:
    optimizer = steepest_descent(lambda v: np.sum(v**2), 0.1)
    with pytest.raises(ArgumentError, match="not a norm"):
        optimizer.init(START)


def test_a_search_without_success_ends() -> None:
    result = cv.minimize(lambda x: np.abs(x[0]), np.zeros(1) + 1e-300, steepest_descent("l2", optimize.armijo()), tol=0)
    assert result.status in (1, 2)
