"""Norms known by their values alone: bounds that hold, warm starts, and the search as one differentiable operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, nnls

import covector as cv
from benchmarks import warm_directions as descent
from covector import norms
from covector.errors import ArgumentError, MissingRuleError, ShapeMismatchError
from covector.norms.bundle import SPARE, empty_warm_start
from covector.norms.implicit import solve_symmetric
from covector.norms.nonnegative import nonnegative_least_squares
from covector.norms.norm import Norm
from covector.norms.oracle import shared_memory
from covector.norms.search import search
from covector.norms.solve import attained
from covector.trees import flatten, unflatten

RNG = np.random.default_rng(3)
SQUARE = RNG.normal(size=(50, 50)) / 4 + np.tril(np.ones((50, 50))) / 5
SMALL = RNG.normal(size=(5, 5)) + 3 * np.eye(5)


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(np.max(np.abs(wanted), initial=0)))


def black_box(v: Any) -> Any:
    """l3 in other coordinates plus l2: smooth, and outside the grammar of dualize, since v is used twice."""
    return np.sum(np.abs(SMALL @ v) ** 3) ** (1 / 3) + np.sqrt(v @ v)


# --- accuracy -------------------------------------------------------------------------------------------------

SMOOTH: dict[str, Norm] = {
    "l3": norms.lp(3), "l1.5": norms.lp(1.5), "quadratic": norms.quadratic(SQUARE @ SQUARE.T + 0.1 * np.eye(50)),
    "differences": norms.lp(3) @ norms.Difference(), "mixed": norms.group(3, 1.5, axes=1),
    "schatten": norms.schatten(3),
}  # fmt: skip
KINKED: dict[str, Norm] = {
    "l1": norms.l1(), "linf": norms.linf(), "oscar": norms.oscar(50),
    "total variation": norms.l1() @ norms.Difference(),
    "matrix": norms.linf() @ SQUARE, "largest": norms.sparse_sign(3), "group": norms.group(2, np.inf, axes=1),
    "spectral": norms.spectral(), "nuclear": norms.nuclear(), "ky fan": norms.ky_fan(3),
    "k-support": norms.k_support(7),
}  # fmt: skip
MATRICES = ("mixed", "schatten", "group", "spectral", "nuclear", "ky fan")


def searched(name: str, norm: Norm) -> tuple[Any, Any, Any, Any]:
    g = np.random.default_rng(0).normal(size=(10, 5) if name in MATRICES else 50)
    return g, *attained(norm.norm, norm.subgradient, g)


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_norms_of_fifty_entries_are_dualized_to_ten_digits(name: str) -> None:
    norm = SMOOTH[name]
    g, v, lower, upper = searched(name, norm)
    close(lower, norm.dual_norm(g), 1e-12)
    close(v, norm.maximizer(g), 1e-10)
    assert norm.dual_norm(g) * (1 - 1e-12) <= upper <= norm.dual_norm(g) * (1 + 1e-9)


@pytest.mark.parametrize("name", KINKED)
def test_norms_of_fifty_entries_with_kinks_are_dualized_to_ten_digits(name: str) -> None:
    norm = KINKED[name]
    g, v, lower, upper = searched(name, norm)
    close(lower, norm.dual_norm(g), 1e-10)
    close(norm.norm(v), 1.0)
    assert norm.dual_norm(g) * (1 - 1e-12) <= upper <= norm.dual_norm(g) * (1 + 2e-2)
    if norm.traits.polyhedral:
        close(upper, lower, 1e-9)


def test_a_smooth_norm_of_a_thousand_entries_is_dualized_without_a_matrix() -> None:
    g = np.random.default_rng(0).normal(size=1000)
    v, lower, upper = attained(norms.lp(3).norm, norms.lp(3).subgradient, g)
    close(lower, norms.lp(3).dual_norm(g), 1e-10)
    close(v, norms.lp(3).maximizer(g), 1e-6)
    assert upper >= lower


# --- warm starts ----------------------------------------------------------------------------------------------

BOXES, Counted = descent.BOXES, descent.Counted


@pytest.mark.parametrize("name", BOXES)
def test_a_descent_along_warm_directions_takes_ten_norm_gradients_a_step_and_no_more_steps(name: str) -> None:
    """Logistic regression with an Armijo search to a tenth, a twentieth, a hundredth of the first gap; bounds hold."""
    function, norm, shape = BOXES[name]
    share = []
    for seed in range(10 if name == "group" else 5):      # where descents are short their lengths vary
        problem = descent.logistic_regression(seed, shape)
        warm = descent.WarmDirections(function, shape, gap=0.1)
        steps = descent.steps_of_descent(*problem, shape, warm)
        share.append(np.divide(steps, descent.steps_of_descent(*problem, shape, norm.maximizer)))
        assert max(warm.gradients[1:]) <= 10
        for g, v, lower, upper in warm.found:
            exact = norm.dual_norm(g)
            assert lower <= exact * (1 + 1e-12)
            assert upper >= exact * (1 - 1e-12)
            close(np.sum(g * v), lower, 1e-9)
    assert np.mean(share) <= 1.0


@pytest.mark.parametrize(("name", "gap"), [("max", 0.3), ("max", 0.1), ("group", 0.1), ("max", 0.01), ("linf", 1e-9)])
def test_a_gap_that_is_asked_for_is_proved(name: str, gap: float) -> None:
    box, shape = Counted(BOXES[name][0]), BOXES[name][2]
    g = np.random.default_rng(1).normal(size=shape)
    _, lower, upper, warm = norms.warm_maximizer(box, g, norms.warm_start(g), gap, budget=300)
    assert 0 <= upper - lower <= gap * upper
    before = box.calls
    again = norms.warm_maximizer(box, g, warm, gap)
    assert box.calls - before <= 1 + SPARE
    assert again[2] - again[1] <= gap * again[2]


def test_without_a_proof_the_upper_bound_is_nearly_the_best_that_the_atoms_prove() -> None:
    """That is min sum |c| over atoms.T @ c = g, by a linear program. Ten subgradients a step are too few here."""
    rng, box, shape = np.random.default_rng(0), Counted(BOXES["group"][0]), BOXES["group"][2]
    warm, ratios = norms.warm_start(np.zeros(shape)), []
    for _ in range(12):
        g = rng.normal(size=shape)
        _, lower, upper, warm = norms.warm_maximizer(box, g, warm, 0.02)
        atoms = np.vstack([warm.atoms, -warm.atoms])
        best = linprog(np.ones(len(atoms)), A_eq=atoms.T, b_eq=np.ravel(g), method="highs").fun
        ratios.append(upper / best)
        assert upper - lower > 0.02 * upper or not ratios[1:]
    assert min(ratios) >= 1 - 1e-9
    assert np.mean(ratios) <= 1.02


def test_a_warm_start_is_a_tree_of_arrays_of_fixed_shapes() -> None:
    g = {"a": np.arange(3.0), "b": np.ones((2, 2))}
    warm = norms.warm_start(g, capacity=12)
    shapes = [np.shape(x) for x in flatten(warm)[0]]
    box = Counted(lambda t: np.sum(np.abs(t["a"])) + np.sqrt(np.sum(t["a"] ** 2) + np.sum(t["b"] ** 2)))
    for factor in (1.0, 2.0, -1.0):
        v, _, _, warm = norms.warm_maximizer(box, {"a": factor * g["a"], "b": g["b"]}, warm, 0.1)
        assert [np.shape(x) for x in flatten(warm)[0]] == shapes
        assert v["b"].shape == (2, 2)


def test_an_exact_norm_needs_no_search() -> None:
    g, warm = np.array([3.0, -4.0]), norms.warm_start(np.zeros(2))
    v, lower, upper, after = norms.warm_maximizer(norms.linf(), g, warm, 0.1)
    assert v.tolist() == [1.0, -1.0]
    assert lower == upper == 7.0
    assert after is warm


def test_more_entries_than_atoms_give_directions_without_an_upper_bound() -> None:
    g = np.random.default_rng(0).normal(size=30)
    v, lower, upper, _ = norms.warm_maximizer(Counted(BOXES["linf"][0]), g, empty_warm_start(30, 8), 0.1)
    assert lower > 0
    assert upper == np.inf
    close(np.max(np.abs(v)), 1.0)


def test_zero_gradients_and_scales() -> None:
    box = Counted(black_box)
    g = RNG.normal(size=5)
    warm = norms.warm_start(g)
    v, lower, upper, _ = norms.warm_maximizer(box, 0 * g, warm, 0.1)
    assert not np.any(v)
    assert lower == upper == 0
    big, small = (norms.warm_maximizer(box, scale * g, warm, 0.1) for scale in (1e150, 1e-150))
    close(big[0], small[0])
    close(big[1] / 1e150, small[1] / 1e-150)


def test_bad_arguments_are_refused() -> None:
    box, g = Counted(black_box), np.ones(5)
    with pytest.raises(ArgumentError, match="gap"):
        norms.warm_maximizer(box, g, norms.warm_start(g), 0.0)
    with pytest.raises(ShapeMismatchError, match="warm start"):
        norms.warm_maximizer(box, g, norms.warm_start(np.ones(4)), 0.1)
    with pytest.raises(MissingRuleError, match="maximizer"):
        cv.grad(lambda g: norms.warm_maximizer(box, g, norms.warm_start(g), 0.1)[1])(g)


# --- under transformations ------------------------------------------------------------------------------------

DEFINED = norms.define(norm=black_box)
G = RNG.normal(size=5)


def quotient(function: Callable[[Any], Any], x: Any, direction: Any, step: float = 1e-5) -> Any:
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


def test_the_gradient_of_a_searched_dual_norm_is_its_maximizer() -> None:
    close(cv.grad(DEFINED.dual_norm)(G), DEFINED.maximizer(G), 1e-10)


def test_a_searched_direction_is_differentiated_implicitly() -> None:
    direction = RNG.normal(size=5)
    _, found = cv.jvp(DEFINED.maximizer, (G,), (direction,))
    close(found, quotient(DEFINED.maximizer, G, direction), 1e-6)
    hessian = cv.hessian(DEFINED.dual_norm)(G)
    close(hessian, hessian.T, 1e-8)
    close(hessian @ direction, found, 1e-8)
    np.testing.assert_allclose(hessian @ G, 0, atol=1e-8)


def test_half_squares_of_a_black_box_and_its_dual_have_inverse_hessians() -> None:
    dual = cv.hessian(lambda g: DEFINED.dual_norm(g) ** 2 / 2)(G)
    primal = cv.hessian(lambda v: black_box(v) ** 2 / 2)(DEFINED.duality_map(G))
    close(dual @ primal, np.eye(5), 1e-7)


def test_single_precision_stays_single_outside_and_is_double_inside() -> None:
    v, lower, upper = DEFINED.bracket(G.astype(np.float32))
    assert v.dtype == lower.dtype == upper.dtype == DEFINED.dual_norm(G.astype(np.float32)).dtype == np.float32
    close(v, DEFINED.maximizer(G), 1e-6)
    gradient = cv.grad(DEFINED.dual_norm)(G.astype(np.float32))
    assert gradient.dtype == np.float32
    close(gradient, DEFINED.maximizer(G), 1e-6)


def test_parameters_of_a_black_box_are_learned() -> None:
    """Through a closure, for the dual norm and for an entry of the direction."""

    def norm_of(matrix: Any) -> Any:
        return norms.define(norm=lambda v: np.sum(np.abs(matrix @ v) ** 3) ** (1 / 3) + np.sqrt(v @ v))

    change = RNG.normal(size=(5, 5))
    for function in (lambda a: norm_of(a).dual_norm(G), lambda a: norm_of(a).maximizer(G)[2]):
        found = np.sum(cv.grad(function)(SMALL) * change)
        close(found, quotient(function, SMALL, change), 1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_vertices_are_learned_as_linear_programming_has_it(seed: int) -> None:
    """The least sum |c| with c @ points = x changes by -c_i <y, d point_i>, y being the solution of the dual program.

    The norm is found where many of its functions meet, so that each point counts by its multiplier.
    """
    rng = np.random.default_rng(seed)
    points, x = rng.normal(size=(16, 12)), rng.normal(size=12)
    solved = linprog(np.ones(32), A_eq=np.hstack([points.T, -points.T]), b_eq=x, method="highs-ds")
    shares, dual = solved.x[:16] - solved.x[16:], solved.eqlin.marginals

    def by_vertices(a: Any) -> Any:
        return norms.from_vertices(a).norm(x)

    def by_facets(a: Any) -> Any:
        return norms.from_facets(a).dual_norm(x)

    for function in (by_vertices, by_facets):
        close(function(points), solved.fun, 1e-7)
        close(cv.grad(function)(points), -np.outer(shares, dual), 1e-7)


@pytest.mark.parametrize("g", [np.array([1.0, -2.0, 0.5, 0.3]), np.array([2.0, 1.0, 0.1, -1.0])])
def test_parameters_are_learned_where_curved_functions_meet(g: Any) -> None:
    def hull(c: Any) -> Any:
        return norms.infimal_convolution(norms.l2(), norms.lp(3) @ norms.Diagonal(c)).norm(g)

    def total(c: Any) -> Any:
        return (norms.lp(3) + norms.l1() @ norms.Diagonal(c)).dual_norm(g)

    at, change = np.array([0.7, 1.4, 1.1, 0.9]), np.array([0.3, -0.2, 0.1, 0.4])
    for function in (hull, total):
        close(np.sum(cv.grad(function)(at) * change), quotient(function, at, change, 1e-4), 1e-6)


def test_learning_at_a_kink_is_recorded_and_batched_and_its_second_derivative_refused() -> None:
    points, g = RNG.normal(size=(7, 4)), RNG.normal(size=4)

    def length(a: Any) -> Any:
        return norms.from_facets(a).dual_norm(g)

    gradient = cv.grad(length)(points)
    close(cv.jit(cv.grad(length))(points), gradient, 1e-9)
    close(cv.vmap(cv.grad(length))(np.stack([points, 2 * points]))[0], gradient, 1e-9)
    for hessian in (cv.hessian(length), cv.jit(cv.hessian(length))):
        with pytest.raises(ArgumentError, match="second derivative of a dual norm"):
            hessian(points)


def test_second_derivatives_by_parameters_of_a_smooth_norm_are_recorded() -> None:
    def length(c: Any) -> Any:
        return (norms.lp(3) + c[0] * norms.lp(1.5)).dual_norm(G)

    at = np.array([1.3])
    found = cv.hessian(length)(at)
    close(found[0, 0], quotient(lambda c: cv.grad(length)(c)[0], at, np.ones(1)), 1e-6)
    close(cv.jit(cv.hessian(length))(at), found, 1e-10)


def test_a_corner_of_a_searched_ball_is_exact() -> None:
    """The maximizer over a polytope is a vertex, where as many faces meet as there are entries."""
    for seed in (2, 3, 9):
        rng = np.random.default_rng(seed)
        rows, g = rng.normal(size=(16, 12)), rng.normal(size=12)
        faces = np.sort(np.abs(rows @ norms.from_facets(rows).maximizer(g)))[-12:]
        close(faces, np.ones(12), 1e-12)


def test_parameters_of_searched_sums_are_leaves() -> None:
    norm = norms.lp(3) + 0.5 * norms.quadratic(diagonal=np.arange(1.0, 6.0))
    gradient = cv.grad(lambda n: n.dual_norm(G))(norm)
    leaves, structure = flatten(norm)
    for i, (leaf, found) in enumerate(zip(leaves, flatten(gradient)[0], strict=True)):
        def moved(shift: Any, i: int = i) -> Any:
            return unflatten(structure, [x + shift * (i == j) for j, x in enumerate(leaves)]).dual_norm(G)

        close(np.sum(found * np.ones_like(leaf)), quotient(moved, 0.0, 1.0), 1e-6)


def test_searches_are_batched_as_a_loop_and_recorded() -> None:
    batch = RNG.normal(size=(3, 5))
    close(cv.vmap(DEFINED.maximizer)(batch), np.stack([DEFINED.maximizer(g) for g in batch]))
    close(cv.vmap(cv.grad(DEFINED.dual_norm))(batch), np.stack([DEFINED.maximizer(g) for g in batch]))
    close(cv.jit(DEFINED.dual_norm)(G), DEFINED.dual_norm(G))
    close(cv.jit(cv.grad(DEFINED.dual_norm))(G), DEFINED.maximizer(G), 1e-10)
    close(cv.make_graph(DEFINED.maximizer)(G)(G), DEFINED.maximizer(G))
    close(cv.grad(lambda g: np.sum(cv.vmap(DEFINED.dual_norm)(g) ** 2))(batch),
          np.stack([2 * DEFINED.duality_map(g) for g in batch]), 1e-9)  # fmt: skip


def test_warm_searches_are_batched_and_recorded() -> None:
    batch, norm = RNG.normal(size=(2, 5)), norms.lp(3) + norms.l1()
    warm = norms.warm_start(batch[0])

    def nearly(g: Any, warm: Any) -> Any:
        return norms.warm_maximizer(norm, g, warm, 0.1)

    wanted = [nearly(g, warm) for g in batch]
    close(cv.vmap(nearly, in_axes=(0, None))(batch, warm)[0], np.stack([w[0] for w in wanted]))
    found = cv.jit(nearly)(batch[1], warm)
    close(found[0], wanted[1][0])
    close(found[3].atoms, wanted[1][3].atoms)


def test_the_derivative_of_a_direction_at_a_kink_is_refused() -> None:
    norm = norms.define(norm=lambda v: np.max(np.abs(v)) + np.sqrt(v @ v))
    close(cv.grad(norm.dual_norm)(G), norm.maximizer(G), 1e-9)
    with pytest.raises(ArgumentError, match="kink"):
        cv.grad(lambda g: norm.maximizer(g)[0])(G)


def test_a_black_box_may_branch_in_python() -> None:
    def norm(v: Any) -> Any:
        one, other = np.sqrt(v @ v), np.max(np.abs(v)) * 1.5
        return one if one > other else other

    defined = norms.define(norm=norm)
    wanted = (norms.l2() | 1.5 * norms.linf()).dual_norm(G)
    close(defined.bracket(G)[1], wanted, 1e-9)


# --- linear systems -------------------------------------------------------------------------------------------


def test_symmetric_systems_are_differentiated_as_systems() -> None:
    matrix = SMALL @ SMALL.T

    def solution(a: Any, b: Any) -> Any:
        return solve_symmetric(lambda x: a @ x, b)

    close(solution(matrix, G), np.linalg.solve(matrix, G), 1e-10)
    da, db = np.ones((5, 5)), np.arange(5.0)
    _, found = cv.jvp(solution, (matrix, G), (da, db))
    x = np.linalg.solve(matrix, G)
    close(found, np.linalg.solve(matrix, db - da @ x), 1e-9)
    weights = RNG.normal(size=5)
    by_a, by_b = cv.grad(lambda a, b: weights @ solution(a, b), argnums=(0, 1))(matrix, G)
    adjoint = np.linalg.solve(matrix, weights)
    close(by_b, adjoint, 1e-9)
    close(by_a, -np.outer(adjoint, x), 1e-9)
    close(cv.vmap(solution, in_axes=(None, 0))(matrix, np.eye(5)), np.linalg.inv(matrix), 1e-9)
    close(cv.jit(solution)(matrix, G), x, 1e-10)


def test_a_quadratic_norm_by_products_is_differentiated_in_what_the_product_refers_to() -> None:
    matrix = SMALL @ SMALL.T

    def first(a: Any) -> Any:
        return norms.quadratic(product=lambda v: a @ v).duality_map(G)[0]

    inverse = np.linalg.inv(matrix)
    close(cv.grad(first)(matrix), -np.outer(inverse[0], inverse @ G), 1e-9)
    close(cv.hessian(norms.quadratic(product=lambda v: matrix @ v).dual_norm)(G),
          cv.hessian(norms.quadratic(matrix).dual_norm)(G), 1e-8)  # fmt: skip


@given(st.integers(0, 1000))
def test_bounds_of_a_searched_dual_hold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    g, v = rng.normal(size=(2, 5))
    g = np.round(g) if seed % 2 else g
    direction, lower, upper = DEFINED.bracket(g)
    if not np.any(g):
        assert lower == upper == 0
        return
    assert lower <= upper * (1 + 1e-14)
    assert g @ v <= upper * black_box(v) * (1 + 1e-12)
    close(black_box(direction), 1.0, 1e-9)
    close(upper, lower, 1e-6)


def test_a_search_in_a_search_gives_value_and_subgradient_at_once() -> None:
    """hypot(minkowski(l1, l3), linf): the inner norm is asked for three times at each vector, and searched for once."""
    g = np.array([1.0, -2.0, 0.5, 3.0])
    inner, calls = norms.minkowski(norms.l1(), norms.lp(3)), []
    norm = norms.hypot(inner, norms.linf())
    v, lower, upper = norm.bracket(g)
    close(np.sum(g * v), lower, 1e-9)
    close(np.hypot(inner.norm(v), np.max(np.abs(v))), 1.0, 1e-6)
    assert lower <= upper <= lower * (1 + 1e-5)

    def program(v: Any) -> Any:
        calls.append(v)
        return [np.sum(np.abs(v)), np.sign(v)]

    with shared_memory():
        first = search(program, g)
        count = len(calls)
        again = search(program, g)
    assert len(calls) == count
    assert all(x is y for x, y in zip(first, again, strict=True))


def test_least_squares_over_numbers_that_are_not_negative_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for trial in range(60):
        rows, columns = rng.integers(1, 25, 2)
        matrix, target = rng.normal(size=(rows, columns)), rng.normal(size=rows)
        matrix = np.hstack([matrix, matrix]) if trial % 3 == 0 else matrix
        start = np.maximum(rng.normal(size=matrix.shape[1]), 0.0) * (trial % 2)
        x = nonnegative_least_squares(matrix, target, start)
        assert np.all(x >= 0)
        assert np.linalg.norm(matrix @ x - target) == pytest.approx(nnls(matrix, target)[1], abs=1e-10)


@pytest.mark.parametrize("scale", [1, 2, 5, 30])
@pytest.mark.parametrize("seed", range(3))
def test_equal_entries_and_zeros_do_not_stop_a_search(scale: int, seed: int) -> None:
    """They begin it on a kink of l2 + linf, which is neither smooth nor polyhedral."""
    covector = np.round(scale * np.random.default_rng(seed).normal(size=50))
    searched = norms.define(norm=lambda v: np.sqrt(np.sum(v * v)) + np.max(np.abs(v)))
    exact = norms.l2() + norms.linf()
    np.testing.assert_allclose(searched.dual_norm(covector), exact.dual_norm(covector), rtol=1e-7)
    np.testing.assert_allclose(np.dot(covector, searched.maximizer(covector)), exact.dual_norm(covector), rtol=1e-7)
