"""Which of several steepest directions is taken, by norms given as functions, points, rows, projections and sums.

The referees are told the face of maximizers in their own words: the least vector of a hull by Lawson and Hanson's
method of SciPy, of a ball by CVXPY; extreme points by the rank of what is active, or by enumeration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

import covector as cv
from covector import norms
from covector.norms.norm import Norm

RNG = np.random.default_rng(1)
TALL, SQUARE = RNG.normal(size=(20, 12)), RNG.normal(size=(12, 12))
WEIGHTS = np.arange(1.0, 13.0)
SMALL_WEIGHTS = np.array([1.0, 2.0, 4.0])
FIXED = (1.0, 1e150, 1e-150)


def close(found: Any, wanted: Any, tolerance: float) -> None:
    assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted), (found, wanted)


def weighted(v: Any) -> Any:
    return np.sum(SMALL_WEIGHTS * np.abs(v))


def l2_of(v: Any) -> Any:
    return np.sqrt(np.sum(v * v))


def row_of_ones(v: Any) -> Any:
    return np.max(np.abs(v)) + np.abs(np.sum(v))


# --- against a conic solver -----------------------------------------------------------------------------------

FACES: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any], Any]] = {
    "rows": (
        lambda v: np.max(np.abs(TALL @ v)),
        lambda cp, x: cp.max(cp.abs(TALL @ x)), TALL[0] + 2 * TALL[1] - TALL[2],
    ),
    "coordinates": (
        lambda v: np.max(np.abs(SQUARE @ v)),
        lambda cp, x: cp.max(cp.abs(SQUARE @ x)), SQUARE[0] - SQUARE[3],
    ),
    "weighted l1": (
        lambda v: np.sum(WEIGHTS * np.abs(v)),
        lambda cp, x: cp.sum(cp.multiply(WEIGHTS, cp.abs(x))), WEIGHTS * np.where(np.arange(12) < 5, 1.0, 0.5),
    ),
    "sum": (
        lambda v: np.sum(np.abs(v)) + np.max(np.abs(v)) / 2,
        lambda cp, x: cp.norm1(x) + cp.norm_inf(x) / 2, np.repeat([1.0, 0.0], [3, 9]),
    ),
    "larger": (
        lambda v: np.maximum(np.sum(np.abs(v)) / 3, np.max(np.abs(v))),
        lambda cp, x: cp.maximum(cp.norm1(x) / 3, cp.norm_inf(x)), np.repeat([1.0, -1.0], 6),
    ),
    "zero group": (
        lambda v: np.maximum(l2_of(v[:6]), l2_of(v[6:]) + 0.1 * l2_of(v)),
        lambda cp, x: cp.maximum(cp.norm(x[:6]), cp.norm(x[6:]) + 0.1 * cp.norm(x)), np.repeat([1.0, 0.0], [6, 6]),
    ),
    "ball and cube": (
        lambda v: np.maximum(l2_of(v) / 3, np.max(np.abs(v))),
        lambda cp, x: cp.maximum(cp.norm(x) / 3, cp.norm_inf(x)), np.append([3.0, 2.0, 1.0], np.zeros(9)),
    ),
    "spectral": (
        lambda v: np.maximum(np.linalg.norm(v, 2), l2_of(v) / 1.8),
        lambda cp, x: cp.maximum(cp.norm(x, 2), cp.norm(x, "fro") / 1.8), np.diag([3.0, 1.0, 0.0, 0.0])[:3],
    ),
    "nuclear": (
        lambda v: np.maximum(np.linalg.norm(v, "nuc"), 2 * np.max(np.abs(v))),
        lambda cp, x: cp.maximum(cp.norm(x, "nuc"), 2 * cp.max(cp.abs(x))), np.eye(4),
    ),
}  # fmt: skip
"""A norm as a function, the same in the words of the solver, and a gradient with many maximizers."""

SOLVER = {"solver": "CLARABEL", "tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}


@pytest.mark.parametrize("name", FACES)
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")
def test_the_least_maximizer_of_a_function_is_that_of_a_conic_solver(name: str) -> None:
    cp: Any = pytest.importorskip("cvxpy", reason='the referee is not installed: pip install -e ".[referee]"')
    function, ball, g = FACES[name]
    norm = norms.define(norm=function)
    v, x = norm.maximizer(g), cp.Variable(g.shape)
    gain = cp.sum(cp.multiply(g, x))
    cp.Problem(cp.Maximize(gain), [ball(cp, x) <= 1]).solve(**SOLVER)
    steepness = gain.value
    cp.Problem(cp.Minimize(cp.sum_squares(x)), [ball(cp, x) <= 1, gain >= (1 - 1e-10) * steepness]).solve(**SOLVER)
    close(np.sum(g * v), steepness, 1e-9)
    assert function(v) <= 1 + 1e-10
    close(v, x.value, 1e-5)      # what the solver leaves
    for scale in FIXED:
        close(norm.maximizer(scale * g), v, 1e-9)


# --- hulls of points ------------------------------------------------------------------------------------------


def facet_of_points(rng: Any, size: int = 6, on: int = 5) -> tuple[Any, Any]:
    """Points of which the first `on` are best for a covector."""
    points = rng.normal(size=(12, size))
    g = np.linalg.lstsq(points[:on], np.ones(on), rcond=None)[0]
    points[on:] *= 0.7 / np.max(np.abs(points[on:] @ g))
    return points, g


def least_of_hull(points: Any) -> Any:
    """By least squares over numbers that are not negative, of SciPy."""
    weights = nnls(np.vstack([points.T, np.ones(len(points))]), np.append(np.zeros(points.shape[1]), 1.0))[0]
    return weights @ points / np.sum(weights)


@pytest.mark.parametrize("seed", range(6))
def test_the_least_maximizer_over_a_hull_of_points_is_exact(seed: int) -> None:
    points, g = facet_of_points(np.random.default_rng(seed))
    wanted = least_of_hull(points[:5])
    close(norms.from_vertices(points).maximizer(g), wanted, 1e-13)
    close(norms.from_dual(lambda h: np.max(np.abs(points @ h))).maximizer(g), wanted, 1e-13)


@pytest.mark.parametrize("ties", ["vertex", "random"])
@pytest.mark.parametrize("seed", range(3))
def test_an_extreme_point_of_a_hull_is_one_of_the_points(seed: int, ties: str) -> None:
    points, g = facet_of_points(np.random.default_rng(seed))
    points = np.vstack([(points[0] + points[1]) / 2, points])      # a point of an edge, and the first
    for norm in (norms.from_vertices(points, ties), norms.from_dual(lambda h: np.max(np.abs(points @ h)))):
        v = norm.with_ties(ties).maximizer(g)
        assert min(np.linalg.norm(v - point) for point in points[1:6]) <= 1e-12


@pytest.mark.parametrize("ties", ["vertex", "random"])
def test_an_extreme_point_of_a_polytope_of_rows_lies_on_as_many_faces_as_there_are_entries(ties: str) -> None:
    g = TALL[0] + 2 * TALL[1] - TALL[2]
    for norm in (norms.from_facets(TALL, ties), norms.define(norm=FACES["rows"][0]).with_ties(ties)):
        v = norm.maximizer(g)
        products = TALL @ v
        close(products[:3], np.array([1.0, 1.0, -1.0]), 1e-10)
        active = TALL[np.abs(np.abs(products) - 1) <= 1e-9]
        assert np.linalg.matrix_rank(active) == 12
        assert np.max(np.abs(products)) <= 1 + 1e-10


def test_rows_and_their_function_have_one_least_maximizer() -> None:
    g = TALL[0] + 2 * TALL[1] - TALL[2]
    close(norms.from_facets(TALL).maximizer(g), norms.define(norm=FACES["rows"][0]).maximizer(g), 1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_the_least_maximizer_over_the_hull_of_two_balls_is_exact(seed: int) -> None:
    points, g = facet_of_points(np.random.default_rng(seed))
    hull = norms.infimal_convolution(norms.from_vertices(points[::2]), norms.from_vertices(points[1::2]))
    close(hull.maximizer(g), least_of_hull(points[:5]), 1e-12)
    close(cv.jit(hull.maximizer)(g), least_of_hull(points[:5]), 1e-12)


# --- other representations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [
    norms.from_prox(lambda x, t: np.sign(x) * np.maximum(np.abs(x) - t, 0.0)),
    norms.from_projection(lambda x: norms.l1().project(x)), norms.from_dual(lambda g: np.max(np.abs(g))),
    norms.define(norm=lambda v: np.sum(np.abs(v))),
], ids=["prox", "projection", "dual", "function"])  # fmt: skip
def test_l1_shares_a_step_among_equal_entries_however_it_is_given(norm: Norm) -> None:
    np.testing.assert_allclose(norm.maximizer(np.array([2.0, -2.0, 1.0])), [0.5, -0.5, 0.0], atol=1e-8)


def test_linf_leaves_entries_of_gradient_zero() -> None:
    g, wanted = np.array([2.0, 0.0, -1.0, 0.0]), [1.0, 0.0, -1.0, 0.0]
    given: list[Norm] = [
        norms.define(norm=lambda v: np.max(np.abs(v))), norms.from_dual(lambda g: np.sum(np.abs(g))),
        norms.from_projection(lambda x: np.clip(x, -1.0, 1.0)), norms.from_facets(np.eye(4)),
        norms.define(norm=lambda v: np.maximum(np.max(np.abs(v)), 0.3 * l2_of(v))),
    ]  # fmt: skip
    for norm in given:
        np.testing.assert_allclose(norm.maximizer(g), wanted, atol=1e-8)


def test_sums_and_maxima_of_norms_take_their_least_maximizer() -> None:
    """max(linf, lp(3) / 2) at one entry: the others are free, and (linf + lp(3) / 9): nothing is."""
    g = np.eye(1, 5)[0]
    linf, l3 = norms.linf(), norms.lp(3)
    for norm in (linf | 0.5 * l3, linf + l3 / 9, norms.hypot(linf, l3)):
        v = norm.maximizer(g)
        np.testing.assert_allclose(v[1:], 0.0, atol=1e-7)
        assert norm.dual_norm(g) == pytest.approx(v[0], rel=1e-9)


def test_single_precision_keeps_to_the_policy() -> None:
    v = norms.define(norm=weighted).maximizer(SMALL_WEIGHTS.astype(np.float32))
    assert v.dtype == np.float32
    close(v, SMALL_WEIGHTS / 21, 1e-6)


def test_trees_keep_to_the_policy() -> None:
    norm = norms.define(norm=lambda t: np.max(np.abs(t["a"])) + np.max(np.abs(t["a"] + t["b"])))
    v = norm.maximizer({"a": np.array([1.0, 1.0, 0.0]), "b": np.zeros(3)})
    np.testing.assert_allclose(v["a"], [1.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(v["b"], [-1.0, -1.0, 0.0], atol=1e-9)


def test_policies_of_a_function_are_those_of_the_closed_form() -> None:
    norm = norms.define(norm=weighted)
    wanted = {"min_norm": SMALL_WEIGHTS / 21, "vertex": np.eye(3)[0], "split": np.array([1 / 3, 1 / 6, 1 / 12])}
    for ties, v in wanted.items():
        close(norm.with_ties(ties).maximizer(SMALL_WEIGHTS), v, 1e-13)
    assert np.count_nonzero(norm.with_ties("random").maximizer(SMALL_WEIGHTS)) == 1


@pytest.mark.parametrize("ties", norms.norm.TIES)
@pytest.mark.parametrize("function", [weighted, row_of_ones])
def test_ties_are_settled_alike_when_recorded_and_in_batches(function: Callable[[Any], Any], ties: str) -> None:
    norm = norms.define(norm=function).with_ties(ties)
    batch = np.array([[1.0, 2.0, 4.0], [1.0, 0.0, 0.0], [3.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
    wanted = np.stack([norm.maximizer(g) for g in batch])
    np.testing.assert_allclose(cv.vmap(norm.maximizer)(batch), wanted, atol=1e-9)
    fast = cv.jit(norm.maximizer)
    np.testing.assert_allclose(np.stack([fast(g) for g in batch]), wanted, atol=1e-9)


def test_a_settled_direction_of_a_dual_norm_has_the_derivative_of_the_one_it_began_with() -> None:
    norm, way = norms.define(norm=weighted), np.array([0.3, -0.1, 0.2])
    v, turn = cv.jvp(norm.maximizer, (SMALL_WEIGHTS,), (way,))
    close(v, SMALL_WEIGHTS / 21, 1e-13)
    assert not np.any(turn)
    np.testing.assert_allclose(cv.grad(norm.dual_norm)(SMALL_WEIGHTS), [1 / 3, 1 / 6, 1 / 12])

    def learned(w: Any) -> Any:
        return norms.define(norm=lambda v: np.sum(w * np.abs(v))).maximizer(np.array([1.0, 0.0, 0.0]))[0]

    close(cv.grad(learned)(SMALL_WEIGHTS), [-1.0, 0.0, 0.0], 1e-13)


def test_a_single_maximizer_is_left_alone() -> None:
    """The policy "split" takes what the search ends at."""
    g = RNG.normal(size=20)
    for norm in (norms.lp(3), norms.lp(1.5), norms.linf() @ RNG.normal(size=(20, 20)), norms.l2() + norms.linf()):
        wanted = norms.solve.attained(norm.norm, norm.subgradient, g, "split")[0]
        for ties in norms.norm.TIES:
            close(norms.solve.attained(norm.norm, norm.subgradient, g, ties)[0], wanted, 1e-7)


# --- closed forms and compositions ----------------------------------------------------------------------------

SHEARED = np.eye(6) + np.diag(np.linspace(0.5, -0.5, 5), 1) + 0.3 * np.eye(6, k=-3)
SCALES = np.array([1.0, 2.0, 4.0, 3.0, 0.5, 1.5])
GRID = np.linspace(1.0, 2.0, 12).reshape(4, 3)
FALLING = np.array([3.0, 2.0, 1.0, 1.0, 0.5, 0.0])
STEPS = np.eye(6) - np.eye(6, k=-1)
TIED = (
    np.ones(6), np.array([2.0, -2.0, 1.0, 0.0, 0.0, 1.0]), np.eye(1, 6)[0], np.array([3.0, 2.0, 2.0, 2.0, 1.0, 1.0]),
    np.array([2.0, 1.0, 1.0, 0.0, 0.0, 0.0]), FALLING,
)  # fmt: skip
TURN, TURN_BACK = np.linalg.qr(RNG.normal(size=(4, 4)))[0], np.linalg.qr(RNG.normal(size=(3, 3)))[0]
TIED_MATRICES = (
    np.eye(4, 3), TURN[:, :3] @ np.diag([2.0, 2.0, 1.0]) @ TURN_BACK, np.outer([1.0, 1.0, 0.0, 0.0], np.ones(3)),
    np.array([[2.0, 1.0, 0.0], [3.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]), np.ones((4, 3)),
)  # fmt: skip


def within(ball: Callable[[Any, Any], Any], weights: Any) -> Callable[[Any, Any], Any]:
    """The norm of what is multiplied entry by entry."""
    return lambda cp, x: ball(cp, cp.multiply(weights, x))


def l1_ball(cp: Any, x: Any) -> Any:
    return cp.sum(cp.abs(x))


def linf_ball(cp: Any, x: Any) -> Any:
    return cp.max(cp.abs(x))


def spectral_ball(cp: Any, x: Any) -> Any:
    return cp.sigma_max(x)


def group_ball(cp: Any, x: Any) -> Any:
    return cp.sum(cp.norm(x, 2, axis=1))


def rows_of_linf(cp: Any, x: Any) -> Any:
    return cp.sum(cp.max(cp.abs(x), axis=1))


def ordered_ball(cp: Any, x: Any) -> Any:
    steps = FALLING - np.append(FALLING[1:], 0.0)
    return sum(float(step) * cp.sum_largest(cp.abs(x), j + 1) for j, step in enumerate(steps))


def sum_of_balls(cp: Any, x: Any) -> Any:
    part = cp.Variable(x.shape)
    return cp.maximum(l1_ball(cp, part), linf_ball(cp, SHEARED @ (x - part)))


def scaled_by(weights: Any, covectors: Any) -> list[Any]:
    return [weights * g for g in covectors]


COMPOSITIONS: dict[str, tuple[Norm, Callable[[Any, Any], Any], Any]] = {
    "weighted l1": (norms.l1() @ norms.Diagonal(SCALES), within(l1_ball, SCALES), scaled_by(SCALES, TIED)),
    "weighted l1 again": (
        2 * norms.l1() @ norms.Diagonal(SCALES) @ norms.Diagonal(-SCALES),
        within(l1_ball, 2 * SCALES**2), scaled_by(SCALES**2, TIED),
    ),
    "interpolated": (
        norms.interpolate(norms.l1(), norms.l1() @ norms.Diagonal(SCALES), 0.5),
        within(l1_ball, SCALES**0.5), scaled_by(SCALES**0.5, TIED),
    ),
    "weighted l1 as a dual": (
        (norms.linf() @ norms.Diagonal(SCALES)).dual, within(l1_ball, 1 / SCALES), scaled_by(1 / SCALES, TIED)
    ),
    "sheared l1": (norms.l1() @ SHEARED, lambda cp, x: l1_ball(cp, SHEARED @ x), [SHEARED.T @ g for g in TIED]),
    "sheared linf": (norms.linf() @ SHEARED, lambda cp, x: linf_ball(cp, SHEARED @ x), [SHEARED.T @ g for g in TIED]),
    "sheared, its dual": (
        (norms.l1() @ SHEARED).dual, lambda cp, x: linf_ball(cp, np.linalg.inv(SHEARED).T @ x),
        [np.linalg.inv(SHEARED) @ g for g in TIED],
    ),
    "differences": (
        norms.l1() @ norms.Difference(), lambda cp, x: l1_ball(cp, STEPS @ x), [STEPS.T @ g for g in TIED]
    ),
    "largest difference": (
        norms.linf() @ norms.Difference(), lambda cp, x: linf_ball(cp, STEPS @ x), [STEPS.T @ g for g in TIED]
    ),
    "owl": (norms.owl(FALLING), ordered_ball, TIED),
    "weighted owl": (
        norms.owl(FALLING) @ norms.Diagonal(SCALES), within(ordered_ball, SCALES), scaled_by(SCALES, TIED)
    ),
    "sum of l1 and linf": (
        norms.l1() + 2 * norms.linf(), lambda cp, x: l1_ball(cp, x) + 2 * linf_ball(cp, x),
        (*TIED, np.array([3.0, 1.0, 1.0, 1.0, 1.0, 1.0])),
    ),
    "larger of l1 and l2, weighted": (
        (norms.l1() | 2 * norms.l2()) @ norms.Diagonal(SCALES),
        within(lambda cp, x: cp.maximum(l1_ball(cp, x), 2 * cp.norm2(x)), SCALES), [SCALES],
    ),
    "largest two": (norms.sparse_sign(2).dual, lambda cp, x: cp.sum_largest(cp.abs(x), 2), TIED),
    "nuclear": (norms.nuclear(), lambda cp, x: cp.normNuc(x), TIED_MATRICES),
    "weighted nuclear": (
        norms.nuclear() @ norms.Diagonal(GRID), within(lambda cp, x: cp.normNuc(x), GRID),
        scaled_by(GRID, TIED_MATRICES[:2]),
    ),
    "weighted spectral": (
        norms.spectral() @ norms.Diagonal(GRID), within(spectral_ball, GRID), scaled_by(GRID, TIED_MATRICES)
    ),
    "weighted group": (
        norms.group(2, 1) @ norms.Diagonal(GRID), within(group_ball, GRID), scaled_by(GRID, TIED_MATRICES)
    ),
    "rows": (norms.group(np.inf, 1), rows_of_linf, TIED_MATRICES),
    "weighted rows": (
        norms.blockwise("l2", norms.l1() @ norms.Diagonal(SCALES[:4])),
        lambda cp, x: cp.sum(cp.multiply(SCALES[:4], cp.norm(x, 2, axis=1))),
        scaled_by(SCALES[:4, None], TIED_MATRICES),
    ),
    "rows, two at a time": (
        norms.blockwise("linf", norms.sparse_sign(2)),
        lambda cp, x: cp.maximum(linf_ball(cp, x), rows_of_linf(cp, x) / 2), TIED_MATRICES,
    ),
    "reshaped rows": (
        norms.reshaped(norms.group(np.inf, 1), (3, 2)),
        lambda cp, x: sum(cp.norm_inf(x[i : i + 2]) for i in (0, 2, 4)), TIED,
    ),
    "two balls": (
        norms.minkowski(norms.l1(), norms.linf() @ SHEARED), sum_of_balls, [*TIED, *(SHEARED.T @ g for g in TIED)]
    ),
    "some entries": (
        norms.restrict(norms.l1() @ norms.Diagonal(SCALES), np.array([True, True, False, True, False, True])),
        lambda cp, x: within(l1_ball, SCALES)(cp, x) + cp.transforms.indicator([x[2] == 0, x[4] == 0]),
        scaled_by(SCALES, TIED),
    ),
}  # fmt: skip
"""A norm, the same in the words of the solver, and gradients with many maximizers."""

CURVED = {
    "nuclear", "weighted nuclear", "weighted spectral", "weighted group", "weighted rows",
    "larger of l1 and l2, weighted",
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSITIONS)
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")
def test_the_least_maximizer_of_a_composition_is_that_of_a_conic_solver(name: str) -> None:
    cp: Any = pytest.importorskip("cvxpy", reason='the referee is not installed: pip install -e ".[referee]"')
    norm, ball, covectors = COMPOSITIONS[name]
    for g in covectors:
        v, steepness, x = norm.maximizer(g), norm.dual_norm(g), cp.Variable(g.shape)
        gain = cp.sum(cp.multiply(g, x))
        cp.Problem(cp.Minimize(cp.sum_squares(x)), [ball(cp, x) <= 1, gain >= (1 - 1e-10) * steepness]).solve(**SOLVER)
        close(np.sum(g * v), steepness, 1e-12)
        close(norm.norm(v), 1.0, 1e-9)
        # The solver may be shorter by what it is allowed to lose: on curved balls by its root.
        assert np.linalg.norm(v) <= (1 + (1e-3 if name in CURVED else 1e-6)) * np.linalg.norm(x.value)
        for scale in FIXED:
            close(norm.maximizer(scale * g), v, 1e-6 if name in CURVED else 1e-9)


def of_parts(outer: Any, share: Any) -> tuple[Any, Any, Any]:
    return norms.tree({"a": "linf", "b": "l2"}, outer), {"a": np.ones(3), "b": np.array([3.0, 0.0])}, share


@pytest.mark.parametrize(("norm", "g", "share"), [
    of_parts("l1", 0.25), of_parts("linf", 1.0), of_parts(norms.sparse_sign(1), 0.25),
    (norms.per_leaf("linf", "l1"), {"a": np.ones(3), "b": np.array([3.0, 0.0])}, 0.25),
    (norms.tree({"a": "l1", "b": "l2"}, "linf").dual, {"a": np.ones(3), "b": np.array([3.0, 0.0])}, 0.25),
    (norms.per_leaf("linf", "l1") @ norms.Diagonal({"a": 2.0, "b": 1.0}),
     {"a": 2 * np.ones(3), "b": np.array([3.0, 0.0])}, 4 / 7),
], ids=["sum", "largest", "sparse", "per leaf", "dual", "weighted"])  # fmt: skip
def test_parts_share_a_step_by_their_lengths(norm: Norm, g: Any, share: float) -> None:
    """Three signs and one, equally steep: 3 a^2 / w^2 + (1 - a)^2 is least for a = w^2 / (w^2 + 3); a / w is taken."""
    v = norm.maximizer(g)
    weight = norm.norm({"a": np.ones(3), "b": np.zeros(2)})
    np.testing.assert_allclose(v["a"], share / weight, rtol=1e-12)
    np.testing.assert_allclose(v["b"], [1.0 if share == 1.0 else 1 - share, 0.0], rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in COMPOSITIONS if name not in CURVED])
def test_compositions_are_settled_alike_when_recorded_and_in_batches(name: str) -> None:
    norm, _, covectors = COMPOSITIONS[name]
    batch = np.stack([*covectors, 0.0 * covectors[0], np.random.default_rng(2).normal(size=covectors[0].shape)])
    wanted = np.stack([norm.maximizer(g) for g in batch])
    np.testing.assert_allclose(cv.vmap(norm.maximizer)(batch), wanted, atol=1e-8)
    fast = cv.jit(norm.maximizer)
    np.testing.assert_allclose(np.stack([fast(g) for g in batch]), wanted, atol=1e-8)


def test_single_precision_weights_tie_too() -> None:
    g = SCALES.astype(np.float32)
    for norm in (norms.l1() @ norms.Diagonal(SCALES), norms.l1() @ np.diag(SCALES)):
        v = norm.maximizer(g)
        assert v.dtype == np.float32
        close(v, SCALES / np.sum(SCALES**2), 1e-6)


@pytest.mark.parametrize("ties", ["vertex", "split"])
def test_other_policies_of_a_composition_are_those_of_its_parts(ties: str) -> None:
    wanted = {"vertex": np.eye(3)[0], "split": np.array([1 / 3, 1 / 6, 1 / 12])}[ties]
    for weights in (norms.Diagonal(SMALL_WEIGHTS), np.diag(SMALL_WEIGHTS)):
        for norm in ((norms.l1() @ weights).with_ties(ties), norms.l1(ties) @ weights):
            close(norm.maximizer(SMALL_WEIGHTS), wanted, 1e-13)


def test_equal_singular_values_share_a_step_though_rounding_tells_them_apart() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        left, right = (np.linalg.qr(random.normal(size=(n, n)))[0] for n in (5, 3))
        g = left[:, :3] @ np.diag([2.0, 2.0, 1.0]) @ right
        close(norms.nuclear().maximizer(g), left[:, :2] @ right[:2] / 2, 1e-12)


def test_a_norm_of_a_class_of_its_own_takes_part_in_compositions() -> None:
    class Euclidean(Norm):
        def norm(self, vector: Any) -> Any:
            return np.sqrt(np.sum(vector * vector))

        def dual_norm(self, covector: Any) -> Any:
            return self.norm(covector)

        def maximizer(self, covector: Any) -> Any:
            return covector / self.norm(covector)

        def subgradient(self, vector: Any) -> Any:
            return self.maximizer(vector)

        @property
        def traits(self) -> norms.Traits:
            return norms.Traits()

    g = np.array([3.0, 4.0])
    for weights in (norms.Diagonal(np.array([1.0, 2.0])), np.diag([1.0, 2.0])):
        close((Euclidean() @ weights).maximizer(g), (norms.l2() @ weights).maximizer(g), 1e-12)
