"""Norms made of norms, and duals of programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

import covector as cv
from covector import norms
from covector.errors import ArgumentError, CovectorError, MissingRuleError
from covector.norms.layout import ravel
from covector.norms.norm import Norm

RNG = np.random.default_rng(11)
SQUARE = RNG.normal(size=(5, 5)) + 2 * np.eye(5)
WEIGHTS = RNG.uniform(0.5, 2.0, 5)
seeds = st.integers(0, 10_000)
pairing = norms.pairing


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(np.max(np.abs(wanted), initial=0)))


def close_trees(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    close(ravel(found)[0], ravel(wanted)[0], tolerance)


def tree(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(size=4), "b": rng.normal(size=(3, 2)), "c": (rng.normal(size=2), float(rng.normal()))}


NORMS_OF_TREES: dict[str, Norm] = {
    "largest": norms.tree({"a": "l1", "b": "spectral", "c": "l2"}),
    "sum": norms.tree({"a": "l2", "b": "nuclear", "c": ("linf", "l2")}, outer="l1"),
    "weighted": norms.tree({"a": 2 * norms.l2(), "b": norms.rms_to_rms(), "c": norms.lp(3)}, outer=norms.lp(3)),
    "modular": norms.tree({"a": "l2", "b": norms.tree([norms.l2()], "l1").parts[0], "c": "linf"}, outer="l2"),
    "per leaf": norms.per_leaf("l2", outer="l1"),
    "nested": norms.tree({"a": "l1", "b": "l2", "c": norms.tree(("l2", "l1"), outer="l2")}, outer="linf"),
    "scaled": 3.0 * norms.per_leaf("linf") / 2.0,
}
each_tree = pytest.mark.parametrize("norm", NORMS_OF_TREES.values(), ids=list(NORMS_OF_TREES))


@each_tree
@given(seeds)
def test_laws_of_norms_of_trees(norm: Norm, seed: int) -> None:
    g, u, v = tree(seed), tree(seed + 1), tree(seed + 2)
    for each in (norm, norm.dual):
        best = each.maximizer(g)
        close(each.norm(best), 1.0)
        close(pairing(g, best), each.dual_norm(g))
        assert pairing(g, v) <= each.dual_norm(g) * each.norm(v) * (1 + 1e-12)
        both = {"a": u["a"] + v["a"], "b": u["b"] + v["b"], "c": (u["c"][0] + v["c"][0], u["c"][1] + v["c"][1])}
        assert each.norm(both) <= (each.norm(u) + each.norm(v)) * (1 + 1e-12)


@each_tree
def test_directions_of_trees_are_gradients_of_the_dual(norm: Norm) -> None:
    g = tree(0)
    close_trees(cv.grad(norm.dual_norm)(g), norm.maximizer(g))


@given(seeds)
def test_products_are_associative(seed: int) -> None:
    g = tree(seed)
    for outer in ("l1", "l2", "linf"):
        flat = norms.tree({"a": "l1", "b": "spectral", "c": ("l2", "l2")}, outer)
        nested = norms.tree({"a": "l1", "b": "spectral", "c": norms.tree(("l2", "l2"), outer)}, outer)
        close(flat.dual_norm(g), nested.dual_norm(g))
        close(flat.norm(g), nested.norm(g))
        close_trees(flat.maximizer(g), nested.maximizer(g))


def test_blocks_of_an_array_are_the_leaves_of_a_tree() -> None:
    stack = RNG.normal(size=(3, 4, 2))
    leaves = list(stack)
    for outer in ("l1", "l2", "linf"):
        blocks = norms.blockwise("spectral", outer, axes=(1, 2))
        close(blocks.dual_norm(stack), norms.per_leaf("spectral", outer).dual_norm(leaves))
        close(blocks.maximizer(stack), np.stack(norms.per_leaf("spectral", outer).maximizer(leaves)))
        moved = norms.blockwise("spectral", outer, axes=(0, 2))
        close(moved.maximizer(np.moveaxis(stack, 0, 1)), np.moveaxis(blocks.maximizer(stack), 0, 1))


# --- two norms of one variable --------------------------------------------------------------------------------


PAIRS = [(norms.l1(), norms.l2()), (norms.l2(), 2 * norms.linf()), (norms.lp(3), norms.l1() @ np.diag(WEIGHTS))]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_de_morgan(first: Norm, second: Norm) -> None:
    """Sums and maxima are dual to Minkowski sums and convex hulls of balls."""
    v = RNG.normal(size=5)
    close((first + second).norm(v), first.norm(v) + second.norm(v))
    close((first | second).norm(v), max(first.norm(v), second.norm(v)))
    close((first + second).dual.dual_norm(v), norms.minkowski(first.dual, second.dual).dual_norm(v))
    close((first | second).dual.maximizer(v), norms.infimal_convolution(first.dual, second.dual).maximizer(v))
    close(norms.minkowski(first, second).dual_norm(v), first.dual_norm(v) + second.dual_norm(v))
    close(norms.infimal_convolution(first, second).dual_norm(v), max(first.dual_norm(v), second.dual_norm(v)))


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_directions_of_combined_balls_attain(first: Norm, second: Norm) -> None:
    """The sum of the balls: v = a + b with a, b in the balls. The convex hull: v in one of the balls."""
    g = RNG.normal(size=5)
    both = norms.minkowski(first, second)
    close(both.maximizer(g), first.maximizer(g) + second.maximizer(g))
    close(g @ both.maximizer(g), both.dual_norm(g))
    hull = norms.infimal_convolution(first, second)
    v = hull.maximizer(g)
    close(g @ v, hull.dual_norm(g))
    assert min(first.norm(v), second.norm(v)) <= 1 + 1e-12


def test_a_scaled_norm_has_the_dual_divided() -> None:
    g = RNG.normal(size=5)
    close((2.5 * norms.lp(3)).dual_norm(g), norms.lp(3).dual_norm(g) / 2.5)
    close((norms.lp(3) / 2.5).dual_norm(g), norms.lp(3).dual_norm(g) * 2.5)


def test_precomposition_solves_with_the_transpose() -> None:
    g = RNG.normal(size=5)
    norm = norms.l1() @ SQUARE
    close(norm.dual_norm(g), np.abs(np.linalg.solve(SQUARE.T, g)).max())
    twice = norms.l1() @ SQUARE @ np.diag(WEIGHTS)
    close(twice.maximizer(g), (norms.l1() @ (SQUARE @ np.diag(WEIGHTS))).maximizer(g), 1e-11)


def test_a_maximizer_alone_measures_steps_by_a_search() -> None:
    close(norms.define(maximizer=np.sign).norm(np.array([1.0, -3.0, 2.0])), 3.0, 1e-10)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("seed", range(2))
def test_duals_of_sums_and_maxima_by_optimization(first: Norm, second: Norm, seed: int) -> None:
    g, v = np.random.default_rng(seed).normal(size=(2, 5))
    for norm in (first + second, first | second, norms.minkowski(first, second).dual):
        direction, lower, upper = norm.bracket(g)
        close(norm.norm(direction), 1.0, 1e-10)
        close(g @ direction, lower, 1e-12)
        assert lower <= upper * (1 + 1e-12)
        assert upper <= lower * (1 + 1e-2)
        close(norm.dual_norm(1e150 * g), 1e150 * norm.dual_norm(g), 1e-9)
        close(cv.grad(norm.dual_norm)(g), norm.maximizer(g))
        assert g @ v <= norm.dual_norm(g) * norm.norm(v) * (1 + 1e-6)
        assert norm.dual_norm(0 * g) == 0


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_dual_of_a_maximum_is_an_infimal_convolution(first: Norm, second: Norm) -> None:
    """The least first.dual_norm(a) + second.dual_norm(g - a), which any a bounds from above."""
    g = np.random.default_rng(7).normal(size=5)

    def split(a: Any) -> float:
        return float(first.dual_norm(a) + second.dual_norm(g - a))

    least = min(
        minimize(split, start, method="Nelder-Mead", options={"maxfev": 4000, "xatol": 1e-9, "fatol": 1e-12}).fun
        for start in (0 * g, g, g / 2, first.subgradient(g))
    )
    found = (first | second).dual_norm(g)
    assert found <= least * (1 + 1e-9)
    assert found >= least * (1 - 1e-3)


def test_the_dual_of_l1_or_linf_by_optimization_is_that_of_the_closed_form() -> None:
    g = np.random.default_rng(4).normal(size=30)
    close((norms.linf() | norms.l1() / 3).dual_norm(g), norms.sparse_sign(3).dual_norm(g), 1e-8)


def test_a_norm_outside_the_grammar_is_dualized_by_optimization() -> None:
    """l2 + l2 in other coordinates, against a general solver."""
    g = RNG.normal(size=5)

    def norm(v: Any) -> Any:
        return np.sqrt(v @ v) + np.sqrt(np.sum((SQUARE @ v) ** 2))

    defined = norms.define(norm=norm)
    direction, lower, upper = defined.bracket(g)
    close(norm(direction), 1.0, 1e-10)
    assert lower <= upper <= lower * (1 + 1e-2)
    found = minimize(lambda v: -(g @ v) / norm(v), g, method="BFGS", options={"gtol": 1e-10})
    close(-found.fun, defined.dual_norm(g), 1e-9)


def test_any_one_of_the_three_functions_is_enough() -> None:
    g = RNG.normal(size=5)
    by_norm = norms.define(norm=lambda v: np.max(np.abs(v)))
    by_dual = norms.define(dual_norm=lambda g: np.sum(np.abs(g)))
    by_maximizer = norms.define(maximizer=np.sign)
    for norm in (by_norm, by_dual, by_maximizer):
        close(norm.dual_norm(g), np.abs(g).sum())
        close(norm.maximizer(g), np.sign(g))
        close(norm.maximizer(0 * g), 0 * g)
    for norm in (by_norm, by_dual):
        close(norm.norm(g), np.abs(g).max())
        close(np.sum(norm.subgradient(g) * g), np.abs(g).max())


# --- dualize --------------------------------------------------------------------------------------------------


def nested_means(v: Any) -> Any:
    return np.sqrt(np.mean(np.max(np.abs(v.reshape(2, 3, 2)), axis=1) ** 2))


VECTOR, MATRIX = np.arange(1.0, 6.0), np.arange(1.0, 13.0).reshape(4, 3)
TREE = {"a": VECTOR, "b": MATRIX}

PROGRAMS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "l1": (lambda v: np.abs(v).sum(), VECTOR),
    "l2": (lambda v: np.sqrt(v @ v), VECTOR),
    "l2 by squares": (lambda v: np.sqrt(np.sum(v**2)), VECTOR),
    "linalg": (np.linalg.norm, VECTOR),
    "linalg 3": (lambda v: np.linalg.norm(v, 3), VECTOR),
    "l4": (lambda v: np.sum(v**4) ** 0.25, VECTOR),
    "l1.5": (lambda v: np.sum(np.abs(v) ** 1.5) ** (1 / 1.5), VECTOR),
    "weights": (lambda v: np.sum(WEIGHTS * np.abs(v)), VECTOR),
    "weights dot": (lambda v: WEIGHTS @ np.abs(v), VECTOR),
    "weighted squares": (lambda v: np.sqrt(np.sum(WEIGHTS * v**2)), VECTOR),
    "scale": (lambda v: 3 * np.max(np.abs(v / WEIGHTS)) / 2, VECTOR),
    "matrix": (lambda v: np.abs(SQUARE @ v).max(), VECTOR),
    "matrix right": (lambda v: np.abs(v @ SQUARE).sum(), VECTOR),
    "two matrices": (lambda v: np.linalg.norm(SQUARE @ (WEIGHTS * (SQUARE.T @ v)), 3), VECTOR),
    "einsum": (lambda v: np.abs(np.einsum("ji,j->i", SQUARE, v)).sum(), VECTOR),
    "columns": (lambda v: np.abs(SQUARE[:4, :4] @ v).sum(axis=0).max(), MATRIX),
    "rows": (lambda v: np.abs(v @ SQUARE[:3, :3]).max(axis=1).sum(), MATRIX),
    "differences": (lambda v: np.abs(np.diff(v, prepend=0.0)).sum(), VECTOR),
    "cumulative": (lambda v: np.abs(np.cumsum(v)).max(), VECTOR),
    "mean": (lambda v: np.mean(np.abs(v)), VECTOR),
    "rms": (lambda v: np.sqrt(np.mean(v**2)), VECTOR),
    "reversed": (lambda v: np.abs(np.roll(v[::-1], 2) * WEIGHTS).max(), VECTOR),
    "nested": (nested_means, MATRIX),
    "group": (lambda v: np.sum(np.linalg.norm(v, axis=1)), MATRIX),
    "group max": (lambda v: np.max(np.linalg.norm(v, axis=0)), MATRIX),
    "operator 1": (lambda v: np.linalg.norm(v, 1), MATRIX),
    "operator inf": (lambda v: np.linalg.norm(v, np.inf), MATRIX),
    "spectral": (lambda v: np.linalg.norm(v, 2), MATRIX),
    "nuclear": (lambda v: np.linalg.norm(v, "nuc"), MATRIX),
    "schatten": (lambda v: np.sum(np.linalg.svd(v, compute_uv=False) ** 3) ** (1 / 3), MATRIX),
    "rms to rms": (lambda v: np.sqrt(3 / 4) * np.linalg.norm(v, 2), MATRIX),
    "whitened": (lambda v: np.linalg.norm(SQUARE[:4, :4] @ v, "nuc"), MATRIX),
    "top k": (lambda v: np.sort(np.abs(v))[-2:].sum(), VECTOR),
    "slope": (lambda v: np.arange(5.0) @ np.sort(np.abs(v)), VECTOR),
    "ky fan": (lambda v: np.sort(np.linalg.svd(v, compute_uv=False))[-2:].sum(), MATRIX),
    "top groups": (lambda v: np.sort(np.linalg.norm(v, axis=1))[-2:].sum(), MATRIX),
    "parts": (lambda v: np.hypot(np.abs(v[:2]).sum(), np.abs(v[2:]).max()), VECTOR),
    "tree max": (lambda t: np.maximum(np.abs(t["a"]).sum(), 2 * np.linalg.norm(t["b"], 2)), TREE),
    "tree sum": (lambda t: np.linalg.norm(t["a"]) + 0.5 * np.linalg.norm(t["b"], axis=1).max(), TREE),
    "tree squares": (lambda t: np.sqrt(np.sum(t["a"] ** 2) + np.linalg.norm(t["b"], 2) ** 2), TREE),
    "tree stack": (lambda t: np.max(np.stack([np.abs(t["a"]).sum(), np.abs(t["b"]).sum()])), TREE),
}
each_program = pytest.mark.parametrize(("norm", "like"), PROGRAMS.values(), ids=list(PROGRAMS))


def drawn(like: Any, seed: int) -> Any:
    flat, restore = ravel(like)
    values = np.random.default_rng(seed).normal(size=flat.size)
    return restore(np.round(2 * values) if seed % 3 == 1 else values)


@each_program
@given(seeds)
def test_the_dual_program_satisfies_hoelder_and_its_gradient_attains(norm: Any, like: Any, seed: int) -> None:
    g, v = drawn(like, seed), drawn(like, seed + 1)
    if not np.any(ravel(g)[0]):
        return
    steepness = norms.dualize(norm)(g)
    direction = norms.define(norm=norm).maximizer(g)
    close(norm(direction), 1.0, 1e-11)
    close(pairing(g, direction), steepness, 1e-11)
    assert pairing(g, v) <= steepness * norm(v) * (1 + 1e-11)


@each_program
@given(seeds)
def test_gradients_of_the_norm_have_dual_norm_one(norm: Any, like: Any, seed: int) -> None:
    """The gradient s of a norm at v is in the dual ball and attains <s, v> = N(v)."""
    v = drawn(like, 3 * seed)
    close(norms.dualize(norm)(cv.grad(norm)(v)), 1.0, 1e-10)


def random_norm(seed: int) -> Callable[[Any], Any]:
    """A disciplined norm of arrays of shape (2, 3, 4): linear maps, abs or singular values, nested reductions."""
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=(n, n)) + 2 * np.eye(n) for n in (2, 3, 4)]
    signed, kinds = rng.uniform(0.5, 2, (2, 3, 4)) * rng.choice([-1, 1], (2, 3, 4)), rng.integers(0, 4, 8)
    exponents, spectral = rng.uniform(1.2, 4.0, 3), bool(rng.integers(0, 2))
    outer, order = rng.uniform(0.5, 2, 2), rng.permutation(3)

    def reduced(x: Any, i: int) -> Any:
        if kinds[i] == 0:
            return np.sum(x, axis=-1)
        if kinds[i] == 1:
            return np.max(x, axis=-1)
        if kinds[i] == 2:
            return np.sum(x ** exponents[i], axis=-1) ** (1 / exponents[i])
        return np.sort(x)[-1:].sum() + 0 if x.ndim == 1 else np.mean(x, axis=-1)

    def norm(v: Any) -> Any:
        x = np.einsum("ij,jkl->ikl", maps[0], v) if kinds[3] % 2 else v * signed
        x = x @ maps[2] if kinds[4] % 2 else -x
        x = np.einsum("ij,kjl->kil", maps[1], x) if kinds[5] % 2 else x / 3
        if spectral:
            return reduced(outer * reduced(np.linalg.svd(x, compute_uv=False), 0), 1)
        x = np.abs(np.transpose(x, order))
        return reduced(2 * reduced(reduced(x, 0), 1), 2)

    return norm


@pytest.mark.parametrize("seed", range(40))
def test_random_compositions_are_dualized(seed: int) -> None:
    norm = random_norm(seed)
    g, v = np.random.default_rng(seed).normal(size=(2, 2, 3, 4))
    dual = norms.dualize(norm)
    direction = cv.grad(dual)(g)
    close(norm(direction), 1.0, 1e-10)
    close(np.sum(g * direction), dual(g), 1e-12)
    close(dual(cv.grad(norm)(v)), 1.0, 1e-10)
    assert np.sum(g * v) <= dual(g) * norm(v) * (1 + 1e-12)


@each_program
def test_the_dual_of_the_dual_program_is_the_program(norm: Any, like: Any) -> None:
    assert norms.dualize(norms.dualize(norm)) is norm


@each_program
@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_dual_programs_at_every_scale(norm: Any, like: Any, scale: float) -> None:
    flat, restore = ravel(drawn(like, 0))
    close(norms.dualize(norm)(restore(scale * flat)) / scale, norms.dualize(norm)(restore(flat)))


@each_program
def test_zero_has_dual_norm_zero_and_direction_zero(norm: Any, like: Any) -> None:
    flat, restore = ravel(like)
    zero = restore(0 * flat)
    assert norms.dualize(norm)(zero) == 0
    assert not np.any(ravel(norms.define(norm=norm).maximizer(zero))[0])
    assert not np.any(ravel(cv.grad(norms.dualize(norm))(zero))[0])


AGREEMENTS = [
    ("l1.5", norms.lp(1.5)), ("linalg 3", norms.lp(3)), ("group", norms.group(2, 1, 1)), ("spectral", norms.spectral()),
    ("nuclear", norms.nuclear()), ("top k", norms.sparse_sign(2).dual), ("ky fan", norms.ky_fan(2)),
    ("differences", norms.l1() @ norms.Difference()), ("rms to rms", norms.rms_to_rms()),
    ("matrix", norms.linf() @ SQUARE), ("schatten", norms.schatten(3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "norm"), AGREEMENTS)
def test_dual_programs_agree_with_the_catalogue(name: str, norm: Norm) -> None:
    function, like = PROGRAMS[name]
    g = drawn(like, 0)
    close(norms.dualize(function)(g), norm.dual_norm(g))
    close(cv.grad(norms.dualize(function))(g), norm.maximizer(g), 1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_dual_programs_against_linear_programs(seed: int) -> None:
    """max <g, v> over |M v|_inf <= 1, over |M v|_1 <= 1, and over nested sums and maxima."""
    g = np.random.default_rng(seed).normal(size=5)
    rows = np.vstack([SQUARE, -SQUARE])
    box = linprog(-g, A_ub=rows, b_ub=np.ones(10), bounds=(None, None))
    close(norms.dualize(lambda v: np.abs(SQUARE @ v).max())(g), -box.fun, 1e-9)
    lifted = np.block([[SQUARE, -np.eye(5)], [-SQUARE, -np.eye(5)], [np.zeros(5), np.ones(5)]])
    diamond = linprog(np.r_[-g, np.zeros(5)], A_ub=lifted, b_ub=np.r_[np.zeros(10), 1.0], bounds=(None, None))
    close(norms.dualize(lambda v: np.abs(SQUARE @ v).sum())(g), -diamond.fun, 1e-9)


@pytest.mark.parametrize("name", ["weighted squares", "l1.5", "two matrices", "schatten", "l4", "linalg 3", "rms"])
def test_dual_programs_against_a_general_solver(name: str) -> None:
    function, like = PROGRAMS[name]
    flat, restore = ravel(drawn(like, 0))
    found = minimize(
        lambda v: -float(v @ flat), flat / float(function(restore(flat))), jac=lambda v: -flat, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda v: 1.0 - float(function(restore(v)))},
        options={"ftol": 1e-13, "maxiter": 1000},
    )  # fmt: skip
    close(-found.fun, norms.dualize(function)(restore(flat)), 1e-5)


def test_a_dual_program_is_recorded_batched_and_differentiated_twice() -> None:
    dual = norms.dualize(PROGRAMS["l4"][0])
    g = drawn(VECTOR, 0)
    graph = cv.make_graph(dual)(g)
    close(graph(g), dual(g))
    close(cv.vmap(dual)(np.stack([g, 2 * g])), [dual(g), 2 * dual(g)])
    hessian = cv.hessian(dual)(g)
    np.testing.assert_allclose(hessian @ g, 0, atol=1e-10)


def test_half_squares_of_a_norm_and_its_dual_have_inverse_hessians() -> None:
    """At v = J(g): the Hessian of dual_norm^2 / 2 at g is the inverse of that of norm^2 / 2 at v."""
    function = PROGRAMS["two matrices"][0]
    g = drawn(VECTOR, 0)
    v = norms.define(norm=function).duality_map(g)
    dual = cv.hessian(lambda g: norms.dualize(function)(g) ** 2 / 2)(g)
    primal = cv.hessian(lambda v: function(v) ** 2 / 2)(v)
    close(dual @ primal, np.eye(5), 1e-9)


def test_a_matrix_inside_a_program_is_learned() -> None:
    g = drawn(VECTOR, 0)

    def steepness(matrix: Any) -> Any:
        return norms.dualize(lambda v: np.sqrt(np.sum((matrix @ v) ** 2)))(g)

    found = cv.grad(steepness)(SQUARE)
    wanted = cv.grad(lambda a: np.sqrt(np.sum(np.linalg.solve(a.T, g) ** 2)))(SQUARE)
    close(found, wanted, 1e-10)


REFUSED: list[tuple[Any, Any, type[Exception], str]] = [
    (lambda v: np.sum(np.exp(np.abs(v))), VECTOR, MissingRuleError, "`exp`"),
    (lambda v: np.abs(v).min(), VECTOR, MissingRuleError, "`extremum` is a minimum"),
    (lambda v: np.abs(v).sum() + np.sqrt(v @ v), VECTOR, MissingRuleError, "used by `absolute` and `contract`"),
    (lambda v: np.maximum(np.abs(v).sum(), np.abs(v).max()), VECTOR, MissingRuleError, "by optimization"),
    (lambda v: np.sum(np.abs(v) ** 3) ** (1 / 2), VECTOR, ArgumentError, "a power of a norm"),
    (lambda v: np.sum(np.abs(v) ** 0.5) ** 2, VECTOR, MissingRuleError, "not convex"),
    (lambda v: np.sum(v**2), VECTOR, ArgumentError, "a power of a norm"),
    (lambda v: np.sum(v**3) ** (1 / 3), VECTOR, MissingRuleError, "needs abs first"),
    (lambda v: np.sum(v), VECTOR, ArgumentError, "linear function"),
    (lambda v: np.sum(np.abs(v[1:])), VECTOR, ArgumentError, "seminorm"),
    (lambda v: np.sum(np.abs(v)[1:]), VECTOR, ArgumentError, "seminorm"),
    (lambda v: np.abs(np.diff(v)).sum(), VECTOR, ArgumentError, "seminorm"),
    (lambda v: np.abs(np.ones((5, 5)) @ v).sum(), VECTOR, ArgumentError, "rank 1 of 5"),
    (lambda v: np.abs(v - np.roll(v, 1)).sum(), VECTOR, ArgumentError, "rank 4 of 5"),
    (lambda v: np.sum((WEIGHTS - 1.0) * np.abs(v)), VECTOR, ArgumentError, "positive"),
    (lambda v: np.abs(v + 1.0).sum(), VECTOR, MissingRuleError, "`add`"),
    (lambda v: np.abs(v).sum() + 1.0, VECTOR, MissingRuleError, "constant"),
    (lambda v: np.sum(np.where(v > 0, v, -v)), VECTOR, MissingRuleError, "`select`"),
    (lambda v: np.abs(v), VECTOR, ArgumentError, "one number"),
    (lambda v: v[0], np.ones(1), ArgumentError, "linear function"),
    (lambda v: np.sort(np.abs(v))[:2].sum(), VECTOR, MissingRuleError, "increase"),
    (lambda v: np.max(np.ones((5, 5)) @ np.abs(v)), VECTOR, MissingRuleError, "more than once"),
    (lambda v: np.max(np.ones((5, 1)) * np.abs(v)), VECTOR, MissingRuleError, "broadcasting"),
    (lambda t: np.abs(t["a"]).sum(), TREE, ArgumentError, "never used"),
    (lambda t: np.sum(np.abs(t["a"] + t["b"][:, 0].sum())), TREE, ArgumentError, "seminorm"),
]


@pytest.mark.parametrize(("function", "like", "error", "message"), REFUSED)
def test_what_leaves_the_grammar_is_refused_by_name(
    function: Any, like: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        norms.dualize(function)(like)


TREE_OF_NORMS = {"a": {"x": "l1", "y": "spectral"}, "b": ["l2", "linf"]}
MISFITS: dict[str, tuple[Any, str]] = {
    "missing": ({"a": {"x": np.ones(2)}, "b": [np.ones(2), 1.0]}, r"argument\['a'\]\['y'\] is missing"),
    "extra": ({"a": {"x": 1.0, "y": np.eye(2), "z": 1.0}, "b": [1.0, 1.0]}, r"argument\['a'\]\['z'\] has no norm"),
    "longer": ({"a": {"x": 1.0, "y": np.eye(2)}, "b": [1.0, 1.0, 1.0]}, r"argument\['b'\]\[2\] has no norm"),
    "another kind": ({"a": {"x": 1.0, "y": np.eye(2)}, "b": (1.0, 1.0)}, r"argument\['b'\] is a tuple.*list of 2"),
    "an array": ({"a": np.ones(2), "b": [1.0, 1.0]}, r"argument\['a'\] is float64\[2\].*dict of 2"),
    "a wrong shape": (
        {"a": {"x": 1.0, "y": np.ones(3)}, "b": [1.0, 1.0]}, r"in argument\['a'\]\['y'\]: a norm of a matrix"
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["norm", "dual_norm", "maximizer", "lmo", "subgradient"])
@pytest.mark.parametrize(("tree", "message"), MISFITS.values(), ids=list(MISFITS))
def test_a_tree_that_does_not_fit_the_norms_is_refused_by_its_path(tree: Any, message: str, method: str) -> None:
    with pytest.raises(CovectorError, match=message):
        getattr(norms.tree(TREE_OF_NORMS), method)(tree)


@pytest.mark.parametrize("weight", [0.0, np.nan, np.inf])
def test_weights_without_an_inverse_are_refused(weight: float) -> None:
    with pytest.raises(ArgumentError, match="finite and not zero"):
        norms.l1() @ norms.Diagonal(np.array([1.0, weight]))
