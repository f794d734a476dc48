"""steepest_descent: its laws, for any norm; what its states are; and what it refuses."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize as scipy_minimize

import covector as cv
from covector import norms, optimize
from covector.errors import ArgumentError, NotDifferentiableError, ShapeMismatchError, TreeMismatchError
from covector.norms.norm import Norm
from covector.optimize import Optimizer, armijo, steepest_descent
from covector.trees import flatten, map_leaves, unflatten
from tests.descent import HESSIAN, RNG, ROOT, START, TARGET, bowl, bowl_gradient, close, trajectory

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


@pytest.mark.parametrize("step", [0.1, lambda k: 0.1 / (k + 1)])
def test_weight_decay_does_not_depend_on_the_gradient(step: Any) -> None:
    """It goes on where the gradient is zero, and clipping does not shorten it; also for a batch of runs."""
    x = np.array([1.0, 2.0])
    for g in (np.zeros(2), np.array([30.0, -40.0])):
        for mode in ("unit", "dual"):
            plain = steepest_descent("l2", step, mode=mode, max_step=0.05)
            decayed = steepest_descent("l2", step, mode=mode, max_step=0.05, weight_decay=0.5)
            wanted = plain.update(g, plain.init(x), x)[0] - 0.05 * x
            close(decayed.update(g, decayed.init(x), x)[0], wanted)
            states = cv.vmap(decayed.init)(np.stack([x, x]))
            both, _ = cv.vmap(decayed.update)(np.stack([g, g]), states, np.stack([x, x]))
            close(both[1], wanted)


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


STATEFUL: dict[str, Optimizer] = {
    "plain": steepest_descent("linf", 0.1),
    "Armijo, heavy ball": steepest_descent("linf", optimize.armijo(), momentum=optimize.heavy_ball(0.5)),
    "adaptive": steepest_descent("l2", optimize.adaptive()),
    "trust region": optimize.cauchy_point("l1"),
    "Adam": optimize.adam(0.1),
    "Shampoo": optimize.shampoo(0.1),
    "mirror": optimize.mirror_descent(norms.lp(1.5), 0.1),
    "Frank-Wolfe": optimize.frank_wolfe("l2", 10.0, step=optimize.adaptive()),
}
each_stateful = pytest.mark.parametrize("optimizer", STATEFUL.values(), ids=list(STATEFUL))


def one_step(optimizer: Optimizer, state: Any, x: Any) -> tuple[Any, Any]:
    updates, state = optimizer.update(
        bowl_gradient(x), state, x, value=bowl(x), function=bowl, product=lambda v: HESSIAN @ v
    )
    return x + updates, state


@each_stateful
def test_states_are_plain_trees_that_can_be_saved(optimizer: Optimizer) -> None:
    x, state = one_step(optimizer, optimizer.init(START), START)
    leaves, structure = flatten(state)
    file = io.BytesIO()
    np.savez(file, *leaves)
    file.seek(0)
    saved = np.load(file)
    again = unflatten(structure, [saved[f"arr_{i}"] for i in range(len(leaves))])
    for _ in range(5):
        x_wanted, state = one_step(optimizer, state, x)
        x_found, again = one_step(optimizer, again, x)
        assert np.array_equal(x_found, x_wanted)
        x = x_wanted


def three_steps(optimizer: Optimizer, x: Any) -> Any:
    state = optimizer.init(x)
    for _ in range(3):
        x, state = one_step(optimizer, state, x)
    return x


@each_stateful
def test_updates_are_batched_over_runs(optimizer: Optimizer) -> None:
    starts = 0.5 * RNG.normal(size=(4, 6))
    found = cv.vmap(lambda x: three_steps(optimizer, x))(starts)
    close(found, np.stack([three_steps(optimizer, x) for x in starts]), 1e-9)


@each_stateful
def test_updates_are_compiled(optimizer: Optimizer) -> None:
    close(cv.jit(lambda x: three_steps(optimizer, x))(START), three_steps(optimizer, START), 1e-9)


def test_compiled_updates_take_states_and_give_them_back() -> None:
    mine = steepest_descent(lambda v: np.abs(v).max(), 0.1)
    for optimizer in (optimize.lion(0.1), optimize.top_k_sign(3, 0.1), optimize.adam(0.1), mine):
        compiled, state = cv.jit(optimizer.update), optimizer.init(START)
        for _ in range(2):
            found = compiled(TARGET, state, START)
            updates, state = optimizer.update(TARGET, state, START)
            close(found[0], updates)
            for one, other in zip(flatten(found[1])[0], flatten(state)[0], strict=True):
                close(one, other)


def test_hyperparameters_are_differentiated() -> None:
    """The derivative of the loss after three steps with respect to the step and the metric, by difference quotients."""

    def after(step: Any, weights: Any) -> Any:
        optimizer = steepest_descent(norms.quadratic(diagonal=weights), step, mode="dual")
        return bowl(three_steps(optimizer, START))

    cv.check_grads(after, (0.05, np.linspace(1.0, 2.0, 6)), order=1)


SWEEPS = {
    "step": lambda t: steepest_descent("l2", t),
    "weight decay": lambda t: steepest_descent("linf", 0.1, weight_decay=t),
    "radius": lambda t: steepest_descent("l2", 0.5, radius=20 + t),
    "largest step": lambda t: steepest_descent("l2", 0.1, mode="dual", max_step=t),
    "mean": lambda t: steepest_descent("linf", 0.1, momentum=optimize.ema(t)),
    "Nesterov": lambda t: steepest_descent("linf", 0.1, momentum=optimize.nesterov(t)),
    "Adam": lambda t: optimize.adam(0.1, beta2=t),
}  # fmt: skip


@pytest.mark.parametrize("make", SWEEPS.values(), ids=list(SWEEPS))
def test_hyperparameters_are_batched(make: Any) -> None:
    values = np.array([0.1, 0.4, 0.9])
    found = cv.vmap(lambda t: three_steps(make(t), START))(values)
    close(found, np.stack([three_steps(make(float(t)), START) for t in values]), 1e-9)


class Tensor:
    """An array of another library, which NumPy can read."""

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.numbers, dtype=dtype)


def test_gradients_come_from_anywhere() -> None:
    optimizer = steepest_descent({"a": "l2", "b": "linf"}, 0.1, momentum=optimize.ema(0.5))
    params = {"a": np.ones(3), "b": np.ones(2)}
    gradient = {"a": np.array([3.0, 0.0, 4.0]), "b": np.array([-1.0, 2.0])}
    wanted, _ = optimizer.update(gradient, optimizer.init(params), params)
    tensors = {name: Tensor(x) for name, x in gradient.items()}
    found, _ = optimizer.update(tensors, optimizer.init(params), params)
    close(found["a"], wanted["a"])
    close(found["b"], wanted["b"])


@pytest.mark.parametrize("library", ["autograd", "jax", "torch"])
def test_gradients_of_other_libraries_are_used_as_they_are(library: str) -> None:
    module = pytest.importorskip(library, reason="a peer, installed for benchmarks only")
    if library in ("autograd", "jax"):
        gradient = module.grad(lambda x: ((x - 2.0) ** 4).sum())(START)
    else:
        x = module.tensor(START, requires_grad=True)
        ((x - 2.0) ** 4).sum().backward()
        gradient = x.grad
    optimizer = steepest_descent("l2", 0.1)
    updates, _ = optimizer.update(gradient, optimizer.init(START), START)
    wanted = 4 * (START - 2.0) ** 3
    close(updates, -0.1 * wanted / np.linalg.norm(wanted), 1e-6)


# --- norms that are given in other ways -------------------------------------------------------------------------


def test_a_function_of_parameters_and_state_is_a_changing_norm() -> None:
    """Here the weights of l2 grow with the number of steps; a function of one argument is a norm itself."""
    optimizer = steepest_descent(lambda params, state: float(state.count) * norms.l2(), 1.0)
    state, lengths = optimizer.init(START), []
    for _ in range(3):
        updates, state = optimizer.update(TARGET, state, START)
        lengths.append(np.linalg.norm(updates))
    close(np.array(lengths), 1 / np.arange(1, 4))
    plain = steepest_descent(lambda v: 2 * np.sqrt(np.sum(v * v)), 1.0)
    close(np.linalg.norm(plain.update(TARGET, plain.init(START), START)[0]), 0.5)


def test_the_policy_for_ties_reaches_every_part_of_a_norm() -> None:
    params = {"a": np.zeros(3), "b": np.zeros(2)}
    gradient = {"a": np.array([1.0, -1.0, 1.0]), "b": np.array([2.0, 2.0])}
    for ties, a, b in (("min_norm", [1 / 3, -1 / 3, 1 / 3], [1 / 2, 1 / 2]), ("vertex", [1, 0, 0], [1, 0])):
        optimizer = steepest_descent({"a": "l1", "b": 1 * norms.l1()}, 1.0, ties=ties)
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        close(updates["a"], -np.array(a))
        close(updates["b"], -np.array(b))


@pytest.mark.parametrize("scale", [1e-150, 1e-300, 1e150])
def test_directions_do_not_depend_on_the_scale_of_the_gradient(scale: float) -> None:
    for name in ("l1", "l2", "linf"):
        optimizer = steepest_descent(name, 0.1)
        found, _ = optimizer.update(scale * TARGET, optimizer.init(START), START)
        wanted, _ = optimizer.update(TARGET, optimizer.init(START), START)
        close(found, wanted)


def test_float32_stays_float32() -> None:
    x, g = START.astype(np.float32), TARGET.astype(np.float32)
    for optimizer in (*STATEFUL.values(), optimize.muon(0.1)):
        params, gradient = ([x.reshape(2, 3)], [g.reshape(2, 3)]) if optimizer not in STATEFUL.values() else (x, g)
        updates, _ = optimizer.update(
            gradient, optimizer.init(params), params, value=1.0, function=lambda p: np.sum(p), product=lambda v: v
        )
        assert all(leaf.dtype == np.float32 for leaf in flatten(updates)[0])


def test_gradients_take_the_dtypes_of_the_parameters() -> None:
    """Those of JAX are float32: momentum is not kept in less than the parameters have, nor updates in more."""
    optimizer = optimize.adam(0.1)
    for params, gradient in ((START, TARGET.astype(np.float32)), (START.astype(np.float32), TARGET)):
        updates, state = optimizer.update(gradient, optimizer.init(params), params)
        assert updates.dtype == state.memory.dtype == state.statistics.dtype == params.dtype
    plain = steepest_descent("l2", 0.1)
    whole, _ = plain.update(np.array([3, -4]), plain.init(np.zeros(2)), np.zeros(2))
    close(whole, np.array([-0.06, 0.08]))
    tiny = np.zeros(2, np.float32)
    with pytest.raises(ArgumentError, match="gradient has 1 entries that are not finite"):
        optimizer.update(np.array([1e300, 1.0]), optimizer.init(tiny), tiny)


def test_parameters_that_cannot_move_are_refused_by_path() -> None:
    optimizer = steepest_descent("l2", 0.1)
    for bad in (np.arange(3), 1, True, np.ones(2, complex)):
        with pytest.raises(NotDifferentiableError, match=r"params\['a'\]"):
            optimizer.init({"a": bad})
    params = {"a": np.zeros(2)}
    state = optimizer.init(params)
    with pytest.raises(NotDifferentiableError, match=r"gradient\['a'\] .*a pair of its real and its imaginary part"):
        optimizer.update({"a": np.ones(2, complex)}, state, params)
    with pytest.raises(NotDifferentiableError, match=r"params\['a'\]\.astype\(float\)"):
        optimizer.update({"a": np.ones(2)}, state, {"a": np.zeros(2, int)})


def test_arrays_that_a_norm_keeps_are_not_written_into() -> None:
    kept = np.array([1.0, 0.0])
    norm = norms.define(maximizer=lambda g: kept)
    same = norms.define(maximizer=lambda g: g)
    for each in (norm, same):
        optimizer = steepest_descent(each, 0.5)
        gradient = np.array([1.0, 0.0])
        first, state = optimizer.update(gradient, optimizer.init(np.zeros(2)), np.zeros(2))
        second, _ = optimizer.update(gradient, state, np.zeros(2))
        assert np.array_equal(first, second)
        assert np.array_equal(kept, [1.0, 0.0])
        assert np.array_equal(gradient, [1.0, 0.0])


# --- directions that are searched for ---------------------------------------------------------------------------


def largest_or_root(v: Any) -> Any:
    """The larger of linf and half of l2, which is no disciplined norm: v is used twice."""
    return np.maximum(np.max(np.abs(v)), np.sqrt(v @ v) / 2)


def test_inexact_directions_miss_at_most_the_gap() -> None:
    """The exact dual norm by SciPy; the state carries what a search knows, and can be saved."""
    optimizer = steepest_descent(largest_or_root, 1.0, lmo_gap=0.1)
    state = optimizer.init(START)
    for k in range(4):
        g = TARGET + 0.05 * k * START
        updates, state = optimizer.update(g, state, START)
        assert largest_or_root(updates) <= 1 + 1e-12
        cone = scipy_minimize(
            lambda v, g=g: -g @ v, np.zeros(6), bounds=[(-1, 1)] * 6, method="SLSQP", tol=1e-12,
            constraints={"type": "ineq", "fun": lambda v: 4.0 - v @ v},
        )  # fmt: skip
        assert 0.9 * -cone.fun <= -(g @ updates) <= -cone.fun * (1 + 1e-9)
    leaves, structure = flatten(state)
    again = unflatten(structure, [np.array(x) for x in leaves])
    assert np.array_equal(optimizer.update(g, again, START)[0], optimizer.update(g, state, START)[0])


def test_minimize_stops_on_a_proven_bound_with_inexact_directions() -> None:
    optimizer = steepest_descent(largest_or_root, optimize.armijo(), lmo_gap=0.1)
    result = cv.minimize(bowl, START, optimizer, tol=1e-3, max_iterations=2000)
    assert result.success
    signs = np.sign(bowl_gradient(result.x))
    lower = float(signs @ bowl_gradient(result.x)) / largest_or_root(signs)
    assert lower <= result.measure <= 1e-3


def smaller_balls(v: Any) -> Any:
    """No disciplined norm either."""
    return np.max(np.abs(v)) + np.sqrt(v @ v)


IN_PARTS: dict[str, Any] = {
    "tree": {"a": largest_or_root, "b": {"c": smaller_balls, "d": "spectral"}},
    "of l2": norms.tree({"a": largest_or_root, "b": {"c": 3 * norms.as_norm(smaller_balls), "d": "nuclear"}}, "l2"),
    "of l1": norms.tree({"a": "linf", "b": {"c": largest_or_root, "d": norms.l2()}}, "l1"),
    "in other coordinates": {
        "a": norms.as_norm(largest_or_root) @ (ROOT.T @ ROOT + np.eye(6)), "b": {"c": "l1", "d": "rms"},
    },
    "all alike": norms.per_leaf(lambda v: largest_or_root(np.reshape(v, -1)), "l2"),
}  # fmt: skip


@pytest.mark.parametrize("norm", IN_PARTS.values(), ids=list(IN_PARTS))
def test_parts_of_a_tree_are_searched_within_the_gap(norm: Any) -> None:
    """The bounds are proven for the whole tree; the state is a plain tree; jit and vmap change nothing."""
    rng = np.random.default_rng(5)
    params = {"a": np.zeros(6), "b": {"c": np.zeros(4), "d": np.zeros((2, 3))}}
    optimizer, exact = steepest_descent(norm, 1.0, lmo_gap=0.1), norms.as_norm(norm)
    state = optimizer.init(params)
    assert state.search is not None
    for _ in range(6):
        g = map_leaves(lambda x: 1.0 + 0.3 * rng.normal(size=x.shape), params)
        compiled, _ = cv.jit(optimizer.update)(g, state, params)
        aim = optimizer.aim(g, state, params)
        updates, state = optimizer.update(g, state, params)
        steepness = -float(norms.pairing(g, updates))
        best = float(exact.dual_norm(g))
        assert exact.norm(updates) <= 1 + 1e-9
        assert 0.9 * best * (1 - 1e-6) <= steepness <= best * (1 + 1e-6) <= float(optimizer.measure(aim)) * (1 + 2e-6)
        for one, other in zip(flatten(compiled)[0], flatten(updates)[0], strict=True):
            close(one, other, 1e-9)
    both = cv.vmap(lambda x: optimizer.update(x, state, params)[0])(map_leaves(lambda x: np.stack([x, -x]), g))
    for one, other in zip(flatten(both)[0], flatten(optimizer.update(g, state, params)[0])[0], strict=True):
        close(one[0], other, 1e-9)


def calls_in_each_step(function: Any, momentum: Any, size: int) -> tuple[list[int], Any]:
    """How often `minimize` asks for the norm in each step: once for each value or gradient."""
    calls = [0]

    def counted(v: Any) -> Any:
        calls[-1] += 1
        return function(v)

    bounds = np.linspace(0.05, 1.0, size)
    optimizer = steepest_descent(counted, optimize.armijo(), momentum=momentum, lmo_gap=0.1)
    result = cv.minimize(
        lambda x: np.sum(bounds * np.cosh(x - 1.0)), np.zeros(size), optimizer, tol=1e-3, max_iterations=500,
        callback=lambda x, record: calls.append(0),
    )  # fmt: skip
    return calls[2:-1], result


BLACK_BOXES = {
    "linf": lambda v: np.maximum(np.max(np.abs(v)), np.max(np.abs(v)) / 2),
    "group": lambda v: np.maximum(grouped(v), grouped(v) / 2),
    "max": lambda v: np.maximum(np.max(np.abs(v)), np.sqrt(v @ v) / 3),
}


def grouped(v: Any) -> Any:
    return np.max(np.sqrt(np.sum(np.reshape(v, (10, 5)) ** 2, axis=1)))


@pytest.mark.parametrize("function", BLACK_BOXES.values(), ids=list(BLACK_BOXES))
@pytest.mark.parametrize("momentum", [None, optimize.ema(0.5)], ids=["", "with momentum"])
def test_a_step_asks_for_at_most_ten_gradients_of_the_norm_after_the_first(function: Any, momentum: Any) -> None:
    """Each is one value and one gradient, two calls of the norm; with momentum the measure has a search of its own."""
    calls, result = calls_in_each_step(function, momentum, 50)
    assert result.success
    searches = 1 if momentum is None else 2
    assert max(calls) <= searches * 2 * 10


def test_norms_that_know_their_directions_are_not_searched() -> None:
    exact, inexact = (steepest_descent("linf", 0.1, lmo_gap=gap) for gap in (0.0, 0.5))
    assert inexact.init(START).search is None
    close(inexact.update(TARGET, inexact.init(START), START)[0], exact.update(TARGET, exact.init(START), START)[0])
    parts = steepest_descent({"a": "spectral", "b": 2 * norms.l1()}, 0.1, lmo_gap=0.5)
    assert parts.init({"a": np.zeros((2, 2)), "b": np.zeros(3)}).search is None


def test_the_weights_of_a_norm_that_is_a_plain_function_are_learned() -> None:
    """They are traced, so that whether the function is a norm cannot be checked, nor need be."""

    def after(weights: Any) -> Any:
        optimizer = steepest_descent(lambda v: np.sum((weights * np.abs(v)) ** 3) ** (1 / 3), 0.1)
        return bowl(three_steps(optimizer, START))

    weights = np.linspace(1.0, 2.0, 6)
    cv.check_grads(after, (weights,), order=1)
    close(cv.vmap(after)(np.stack([weights, 2 * weights])), np.array([after(weights), after(2 * weights)]), 1e-9)


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


def test_policies_for_gradients_that_are_not_finite() -> None:
    bad, good = np.where(np.arange(6) == 2, np.nan, TARGET), TARGET
    for policy in ("skip", "report"):
        optimizer = steepest_descent("linf", 0.1, momentum=optimize.ema(0.5), nonfinite=policy)
        state = optimizer.init(START)
        if policy == "report":
            with pytest.warns(RuntimeWarning, match="gradient has 1 entries that are not finite"):
                updates, after = optimizer.update(bad, state, START)
        else:
            updates, after = optimizer.update(bad, state, START)
        assert not np.any(updates)
        assert (after.skipped, after.count) == (1, 0)
        wanted, _ = optimizer.update(good, state, START)
        close(optimizer.update(good, after, START)[0], wanted)


@pytest.mark.parametrize(
    "optimizer",
    [steepest_descent("linf", 0.1), steepest_descent("l1", armijo()), optimize.mirror_descent("l2", 0.1)],
    ids=["signs", "search", "mirror"],
)
@pytest.mark.parametrize("entry", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_raises_under_every_transformation(optimizer: Optimizer, entry: float) -> None:
    params = {"a": np.ones(3), "b": np.ones(2)}
    state = optimizer.init(params)
    good = {"a": np.array([1.0, -2.0, 3.0]), "b": np.ones(2)}

    def value(x: Any) -> Any:
        return np.sum(np.cosh(x["a"])) + np.sum(np.cosh(x["b"]))

    def updated(b: Any) -> Any:
        return optimizer.update({**good, "b": b}, state, params, value=value(params), function=value)[0]

    bad = np.array([1.0, entry])
    batch = np.stack([good["b"], bad])
    runs: list[Callable[[], Any]] = [
        lambda: cv.jit(updated)(bad), lambda: cv.vmap(updated)(batch), lambda: cv.jit(cv.vmap(updated))(batch),
        lambda: cv.vmap(cv.vmap(updated))(batch[None]), lambda: cv.grad(lambda b: np.sum(updated(b)["a"]))(bad),
        lambda: cv.scan(lambda carry, b: (carry, updated(b)), 0.0, batch),
        lambda: cv.jit(lambda b: cv.scan(lambda carry, row: (carry, updated(row)), 0.0, b))(batch),
    ]  # fmt: skip
    for run in runs:
        with pytest.raises(ArgumentError, match=r"gradient\['b'\] has .*entries that are not finite"):
            run()
    wanted = updated(good["b"])
    close(cv.jit(updated)(good["b"])["a"], wanted["a"])
    close(cv.vmap(updated)(batch[:1])["a"][0], wanted["a"])


def test_runs_with_bad_gradients_are_skipped_within_a_batch() -> None:
    optimizer = steepest_descent("l2", 0.1, momentum=optimize.ema(0.5), nonfinite="skip")
    gradients = np.stack([TARGET, np.full(6, np.inf), -TARGET])
    state = optimizer.init(START)
    updates, after = cv.vmap(lambda g: optimizer.update(g, state, START))(gradients)
    close(updates, np.stack([optimizer.update(g, state, START)[0] for g in gradients]))
    assert np.array_equal(after.skipped, [0, 1, 0])
    assert np.array_equal(after.count, [1, 0, 1])
    compiled = cv.jit(optimizer.update)
    close(compiled(gradients[1], state, START)[0], np.zeros(6))
    close(compiled(gradients[0], state, START)[0], updates[0])


def test_trees_that_do_not_match_are_refused_by_path() -> None:
    params = {"w": {"a": np.zeros(2), "b": np.zeros(3)}}
    optimizer = steepest_descent({"w": {"a": "l2", "b": "linf"}}, 0.1)
    state = optimizer.init(params)
    with pytest.raises(TreeMismatchError, match=r"gradient\['w'\]\['b'\] is missing; gradient\['w'\]\['c'\] has no"):
        optimizer.update({"w": {"a": np.zeros(2), "c": np.zeros(3)}}, state, params)
    with pytest.raises(ShapeMismatchError, match=r"gradient\['w'\]\['b'\] has shape \(4,\)"):
        optimizer.update({"w": {"a": np.zeros(2), "b": np.zeros(4)}}, state, params)
    with pytest.raises(TreeMismatchError, match=r"params\['w'\]\['b'\] is missing"):
        optimizer.init({"w": {"a": np.zeros(2)}})
    with pytest.raises(TreeMismatchError, match=r"params is float64\[2\], where the norms are a dict of 1"):
        optimizer.init(np.zeros(2))


def test_parameters_that_numpy_cannot_read_are_refused_by_path() -> None:
    optimizer = steepest_descent("l2", 0.1)
    for bad in ("text", 1j, object()):
        with pytest.raises(NotDifferentiableError, match=r"params\['a'\]"):
            optimizer.init({"a": bad})


def test_what_is_mistaken_for_a_state_or_a_rule_is_named() -> None:
    optimizer = steepest_descent("l2", 0.1, momentum=optimize.ema(0.9))
    with pytest.raises(ArgumentError, match=r"state must be what init\(params\)"):
        optimizer.update(TARGET, None, START)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="no memory for momentum"):
        optimizer.update(TARGET, steepest_descent("l2", 0.1).init(START), START)
    with pytest.raises(ArgumentError, match=r"write armijo\(\)"):
        steepest_descent("l2", optimize.armijo)


def test_frank_wolfe_begins_in_the_ball() -> None:
    with pytest.raises(ArgumentError, match=r"have norm 7\."):
        optimize.frank_wolfe("l2", 1.0).init(np.array([5.0, 5.0]))


def test_a_metric_is_symmetric_entry_by_entry_but_for_rounding() -> None:
    """Relative to its diagonal, as sums of products of rows are rounded; entries may cancel, and scales differ."""
    unit = np.eye(3) + np.array([[0.0, 1e-20, 0.0], [3e-20, 0.0, 0.0], [0.0, 0.0, 0.0]])
    close(norms.quadratic(unit).duality_map(np.ones(3)), np.ones(3))
    scaled = np.array([[1e20, 0.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.4, 1.0]])
    with pytest.raises(ArgumentError, match=r"found 0\.5 at \(1, 2\) and 0\.4 at \(2, 1\)"):
        norms.quadratic(scaled)


def test_parameters_of_norms_are_checked() -> None:
    for make in (
        lambda: norms.lp(0.5),
        lambda: norms.quadratic(diagonal=np.array([1.0, -1.0])),
        lambda: norms.quadratic(np.diag([1.0, -1.0])),
        lambda: -1.0 * norms.l2(),
        lambda: steepest_descent("l3", 0.1),
        lambda: steepest_descent("l2", np.nan),
        lambda: steepest_descent("l2", 0.1, momentum=0.9),  # type: ignore[arg-type]
        lambda: steepest_descent("l2", 0.1, ties="other"),
        lambda: steepest_descent("l2", 0.1, nonfinite="ignore"),
        lambda: steepest_descent("l2", 0.1, lmo_gap=1.0),
        lambda: steepest_descent(lambda a, b, c: a, 0.1),
        lambda: optimize.inverse_lipschitz(0.0),
        lambda: optimize.adaptive(shrink=2.0),
        lambda: optimize.trust_region(start=2.0, largest=1.0),
        lambda: steepest_descent("l2", None),
        lambda: steepest_descent("l2", 0.1, weight_decay="0.1"),  # type: ignore[arg-type]
        lambda: steepest_descent("l2", 0.1, radius="1"),  # type: ignore[arg-type]
        lambda: steepest_descent("l2", 0.1, lmo_gap="0.1"),  # type: ignore[arg-type]
        lambda: optimize.ema("0.9"),
        lambda: cv.minimize(bowl, START, steepest_descent("l2", 0.1), tol=None),  # type: ignore[arg-type]
    ):
        with pytest.raises(ArgumentError):
            make()


# --- states and steps that do not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [
    cv.steepest_descent("l2", 0.1, momentum=optimize.ema(0.9)), optimize.adam(0.1), optimize.shampoo(0.1),
], ids=["momentum", "adam", "shampoo"])  # fmt: skip
def test_a_state_of_other_parameters_is_refused_with_the_path(optimizer: Any) -> None:
    params = {"a": np.ones(3), "b": np.ones((2, 2))}
    shapes = optimizer.init({"a": np.ones(4), "b": np.ones((2, 2))})
    with pytest.raises(ShapeMismatchError, match=r"state\.(memory|statistics)\['a'\].* has shape \(4"):
        optimizer.update(params, shapes, params)
    with pytest.raises(ShapeMismatchError, match=r"state\.(memory|statistics)\['a'\]"):
        cv.minimize(lambda t: np.sum(t["a"] ** 2) + np.sum(t["b"] ** 2), params, optimizer, state=shapes)
    with pytest.raises(TreeMismatchError, match=r"state\.(memory|statistics)\['b'\].* is missing"):
        optimizer.update(params, optimizer.init({"a": np.ones(3)}), params)


def test_a_search_of_other_parameters_is_refused() -> None:
    optimizer = cv.steepest_descent(lambda v: np.sum(np.abs(v)) + np.sqrt(np.sum(v * v)), 0.1, lmo_gap=0.1)
    with pytest.raises(ShapeMismatchError, match=r"state\.search is for 4 entries, but the gradient has 3"):
        optimizer.update(np.ones(3), optimizer.init(np.ones(4)), np.ones(3))


@pytest.mark.parametrize("step", [-1.0, np.inf, np.nan, -np.inf])
def test_a_constant_step_that_is_negative_or_not_finite_is_refused(step: float) -> None:
    for make in (lambda: cv.steepest_descent("l2", step), lambda: optimize.constant(step)):
        with pytest.raises(ArgumentError, match="step must"):
            make()
