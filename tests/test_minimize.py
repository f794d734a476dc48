"""minimize: results, interruptions, progress, pictures; norm_report and best_of."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

import covector as cv
from covector import norms, optimize
from covector.errors import ArgumentError
from covector.optimize import best_of, norm_report, steepest_descent
from covector.optimize.plots import ball
from tests.descent import HESSIAN, START, TARGET, bowl, bowl_gradient, close, rosenbrock


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


def test_a_search_without_success_ends() -> None:
    """The value rises where the gradient says that it falls."""
    for rule in (optimize.armijo(), optimize.adaptive(), optimize.trust_region()):
        result = cv.minimize(lambda x: x[0] - cv.stop_gradient(3 * x[0]) + 2, np.ones(1), steepest_descent("l2", rule))
        assert (result.status, result.nit) == (2, 0)


def test_a_step_of_zero_is_not_the_end_while_something_changes() -> None:
    """A warm-up begins at zero; momentum that leads uphill turns, until it is steepest descent itself."""
    warm = cv.minimize(bowl, START, optimize.gradient_descent(lambda k: min(0.01 * k, 0.05)), tol=1e-6)
    assert warm.success
    optimizer = steepest_descent("l2", optimize.armijo(), momentum=optimize.ema(0.9))
    state = optimizer.init(START)._replace(memory=-3 * bowl_gradient(START))
    assert cv.minimize(bowl, START, optimizer, tol=1e-5, state=state).success
    mirror = optimize.mirror_descent("l2", lambda k: min(0.01 * k, 0.05))
    assert cv.minimize(bowl, START, mirror, tol=1e-6).success


OPTIMIZERS = {
    "Armijo, Nesterov": steepest_descent("l2", optimize.armijo(start=1e-3), momentum=optimize.nesterov(0.5)),
    "adaptive linf": steepest_descent("linf", optimize.adaptive()),
    "Adam": optimize.adam(0.05),
    "trust region": optimize.cauchy_point("l2"),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=list(OPTIMIZERS))
@pytest.mark.parametrize("moment", [1, 7, 20, 33])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(optimizer: Any, moment: int) -> None:
    """Ctrl-C at any evaluation of the function: the iterates after it are bit for bit those of one run."""
    whole = cv.minimize(rosenbrock, np.zeros(3), optimizer, tol=0, max_iterations=15, keep_path=True)
    calls = 0

    def interrupted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == moment + 1:
            raise KeyboardInterrupt
        return rosenbrock(x)

    first = cv.minimize(interrupted, np.zeros(3), optimizer, tol=0, max_iterations=15, keep_path=True)
    if first.status != 5:
        assert first.nit == whole.nit
        return
    assert not first.success
    assert "state=result.state" in first.message
    assert first.fun == rosenbrock(first.x)
    rest = cv.minimize(
        rosenbrock, first.x, optimizer, tol=0, max_iterations=15 - first.nit, state=first.state, keep_path=True
    )
    path = [*first.path[:-1], *rest.path]
    assert len(path) == len(whole.path)
    for found, wanted in zip(path, whole.path, strict=True):
        assert np.array_equal(found, wanted)


def test_an_interrupt_before_the_first_value_is_passed_on() -> None:
    def interrupted(x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cv.minimize(interrupted, np.zeros(3), steepest_descent("l2", 0.1))


def test_minimize_wants_an_optimizer() -> None:
    with pytest.raises(ArgumentError, match="steepest_descent"):
        cv.minimize(bowl, START, "l2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_iterations": 1.5}, "max_iterations must be a whole number"),
        ({"max_iterations": np.inf}, "max_iterations must be a whole number"),
        ({"max_iterations": True}, "max_iterations must be a whole number"),
        ({"max_iterations": -1}, "max_iterations must be a whole number"),
        ({"tol": -1.0}, "tol must not be negative"),
        ({"callback": 3}, "callback must be a function"),
        ({"state": 3}, "state must be the state of an earlier result"),
    ],
)
def test_options_of_minimize_that_mean_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        cv.minimize(bowl, START, steepest_descent("l2", 0.1), **options)


def test_integers_begin_as_floats() -> None:
    result = cv.minimize(lambda x: np.sum((x - 0.5) ** 2), np.array([1, 2]), optimize.gradient_descent(0.5))
    close(result.x, np.array([0.5, 0.5]))


# --- progress -----------------------------------------------------------------------------------------------------


class Terminal:
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


class Bar:
    """Stands in for tqdm's bar and rich's, and remembers what it was told."""

    seen: ClassVar[list[Any]] = []
    n = 0

    def __init__(self, **options: Any) -> None:
        Bar.seen = [options]

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *details: Any) -> None:
        Bar.seen.append("closed")

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        Bar.seen.append(text)

    def add_task(self, name: str, total: int) -> int:
        return 0

    def update(self, *count: int, **options: Any) -> None:
        Bar.seen.append(options or count)


def a_module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


@pytest.mark.parametrize("library", ["tqdm", "rich"])
def test_progress_is_shown_on_a_terminal_only(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None if library == "rich" else a_module("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", None if library == "rich" else a_module("tqdm.auto", tqdm=Bar))
    progress = a_module("rich.progress", Progress=Bar)
    monkeypatch.setitem(sys.modules, "rich", a_module("rich", progress=progress))
    monkeypatch.setitem(sys.modules, "rich.progress", progress)
    Bar.seen = []
    optimizer = optimize.gradient_descent(0.01)
    cv.minimize(bowl, START, optimizer, max_iterations=3)
    assert not Bar.seen
    monkeypatch.setattr(sys, "stderr", Terminal())
    cv.minimize(bowl, START, optimizer, max_iterations=3, progress=False)
    assert not Bar.seen
    cv.minimize(bowl, START, optimizer, max_iterations=3)
    assert Bar.seen[-1] == "closed"
    assert any("f = " in str(seen) for seen in Bar.seen)


def test_progress_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tqdm", "tqdm.auto", "rich"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert cv.minimize(bowl, START, optimize.gradient_descent(0.01), max_iterations=3).nit == 3


def test_a_notebook_counts_as_a_place_to_show_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", a_module("IPython", get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "tqdm", a_module("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", a_module("tqdm.auto", tqdm=Bar))
    cv.minimize(bowl, START, optimize.gradient_descent(0.01), max_iterations=3)
    assert Bar.seen[-1] == "closed"


# --- pictures -----------------------------------------------------------------------------------------------------


def test_results_draw_themselves() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="pictures are optional")
    matplotlib.use("Agg")
    start = {"a": 0.0, "b": np.zeros(1)}
    result = cv.minimize(
        lambda p: (p["a"] - 1.1) ** 2 + np.sum((p["b"] + 2.3) ** 4), start,
        steepest_descent("linf", optimize.armijo()), max_iterations=8, tol=0, keep_path=True,
    )  # fmt: skip
    axes = result.plot_convergence()
    assert [line.get_label() for line in axes.get_lines()] == ["dual norm of the gradient", "value above the least"]
    close(axes.get_lines()[0].get_ydata()[0], result.history[0].measure)
    picture = result.plot_path(lambda p: (p["a"] - 1.1) ** 2 + np.sum((p["b"] + 2.3) ** 4), balls=3)
    path, *balls = picture.get_lines()
    close(path.get_xdata(), np.array([p["a"] for p in result.path]))
    assert len(balls) == 3
    around = np.array(balls[0].get_data()).T - [result.path[0]["a"], result.path[0]["b"][0]]
    step = max(abs(result.path[1]["a"]), abs(result.path[1]["b"][0]))
    close(np.max(np.abs(around), axis=1), np.full(len(around), step))
    matplotlib.pyplot.close("all")


def test_the_ball_of_a_norm_has_the_norm_one() -> None:
    for name in ("l1", "linf", "l2"):
        lengths = [norms.as_norm(name).norm(v) for v in ball(norms.as_norm(name).norm, lambda v: v)]
        close(np.array(lengths), np.ones(361))


def test_paths_that_cannot_be_drawn_say_why() -> None:
    kept = cv.minimize(bowl, START, optimize.gradient_descent(0.01), max_iterations=3, keep_path=True)
    with pytest.raises(ArgumentError, match="two parameters; found 6"):
        kept.plot_path()
    lost = cv.minimize(bowl, START, optimize.gradient_descent(0.01), max_iterations=3)
    with pytest.raises(ArgumentError, match="keep_path=True"):
        lost.plot_path()


def test_pictures_without_matplotlib_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    result = cv.minimize(bowl, START, optimize.gradient_descent(0.01), max_iterations=3)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        result.plot_convergence()


def test_results_show_as_tables_in_notebooks() -> None:
    result = cv.minimize(bowl, START, optimize.gradient_descent(0.01), max_iterations=3)
    text = result._repr_html_()
    assert text.startswith("<table>")
    assert "max_iterations were made" in text
    assert all(result[name] is not None for name in result.keys())  # noqa: SIM118  # a result is no mapping
    report = norm_report(bowl, START, {"<b>": "l2"})._repr_html_()
    assert "&lt;b&gt;" in report


# --- which norm ---------------------------------------------------------------------------------------------------


def test_the_report_of_a_quadratic_is_what_happens() -> None:
    """For a quadratic function the predicted decrease is that of the exact step."""
    for name, candidate in zip(("l1", "l2", "linf"), norm_report(bowl, START, ["l1", "l2", "linf"]), strict=True):
        result = cv.minimize(bowl, START, steepest_descent(name, optimize.exact_quadratic()), max_iterations=1, tol=0)
        close(bowl(START) - result.fun, candidate.decrease, 1e-9)
        close(norms.as_norm(name).norm(result.x - START), candidate.step, 1e-9)
        close(candidate.dual_norm, float(norms.as_norm(name).dual_norm(bowl_gradient(START))))


def test_the_report_does_not_depend_on_the_scale_of_a_norm() -> None:
    one, other = norm_report(bowl, START, {"one": "l1", "other": 7 * norms.l1()})
    close(one.decrease, other.decrease)
    close(other.step, 7 * one.step)


def test_curvature_has_a_floor() -> None:
    """Along e_0 the function is linear: its promise is bounded by the curvature of the others."""
    report = norm_report(lambda x: x[0] + 0.1 * x[1] + x[1] ** 2, np.array([0.0, 1.0]), {"first": "l1", "all": "l2"})
    assert all(np.isfinite(candidate.decrease) for candidate in report)
    flat = norm_report(lambda x: x[0] + 0.1 * x[1], np.zeros(2), ["l1", "l2"])
    assert all(candidate.decrease == np.inf for candidate in flat)
    still = norm_report(lambda x: np.sum(x**2), np.zeros(2), ["l1", "l2"])
    assert all(candidate.decrease == 0 for candidate in still)


def test_the_best_norm_is_chosen_at_every_step() -> None:
    candidates = {"l1": norms.l1(), "l2": norms.l2(), "linf": norms.linf()}
    optimizer = steepest_descent(best_of(candidates), optimize.exact_quadratic())
    result = cv.minimize(bowl, START, optimizer, max_iterations=10, tol=0, keep_path=True)
    for before, after in zip(result.path[:-1], result.path[1:], strict=True):
        falls = []
        for norm in candidates.values():
            d = -norm.maximizer(bowl_gradient(before))
            falls.append((bowl_gradient(before) @ d) ** 2 / (2 * d @ HESSIAN @ d))
        close(bowl(before) - bowl(after), max(falls), 1e-7)


def test_the_best_norm_needs_hessian_products() -> None:
    optimizer = steepest_descent(best_of(["l1", "l2"]), 0.1)
    with pytest.raises(ArgumentError, match="product"):
        optimizer.update(TARGET, optimizer.init(START), START)
    bads: list[Any] = [[], "l2", 3]
    for bad in bads:
        with pytest.raises(ArgumentError):
            best_of(bad)


def test_the_best_norm_is_chosen_under_jit_vmap_and_grad() -> None:
    """Each run of a batch has its own choice."""
    optimizer = steepest_descent(best_of({"l1": norms.l1("vertex"), "l2": norms.l2(), "linf": norms.linf()}), 0.1)
    product = partial(np.matmul, HESSIAN)

    def step(g: Any) -> Any:
        return optimizer.update(g, optimizer.init(START), START, product=product)[0]

    gradients = np.stack([HESSIAN @ np.eye(6)[0], bowl_gradient(START), np.linalg.eigh(HESSIAN)[1][:, -1]])
    each = np.stack([step(g) for g in gradients])
    lengths = [[float(np.linalg.norm(x, order)) for order in (1, 2, np.inf)] for x in each]
    assert {int(np.argmin(np.abs(np.array(row) - 0.1))) for row in lengths} >= {0, 1}
    close(cv.vmap(step)(gradients), each)
    close(np.stack([cv.jit(step)(g) for g in gradients]), each)
    cv.check_grads(lambda g: step(g) @ TARGET, (gradients[1],), order=1)
