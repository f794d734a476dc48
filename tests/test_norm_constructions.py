"""Norms made of other norms, of vertices, projections and subspaces: laws, and independent referees."""

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
from covector.errors import ArgumentError, MissingRuleError, ShapeMismatchError
from covector.norms.layout import ravel
from covector.norms.norm import TIES, Norm
from covector.norms.pairs import general

RNG = np.random.default_rng(2)
POINTS = RNG.normal(size=(12, 4))
WIDE = RNG.normal(size=(4, 7))
WEIGHTS, OTHERS = RNG.uniform(0.5, 2.0, (2, 4))
MATRIX = RNG.normal(size=(4, 4)) + 3 * np.eye(4)
PLANE = RNG.normal(size=(2, 4))
MASK = np.array([True, False, True, True])
seeds = st.integers(0, 10_000)
pairing = norms.pairing


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(np.max(np.abs(wanted), initial=0)))


def drawn(shape: tuple[int, ...], seed: int) -> Any:
    """An array; every third has integers, with ties and zeros."""
    found = np.random.default_rng(seed).normal(size=shape)
    return np.round(2 * found) if seed % 3 == 1 else found


# --- laws -----------------------------------------------------------------------------------------------------

VECTOR, SQUARE = (4,), (3, 3)
EXACT: dict[str, tuple[Norm, tuple[int, ...]]] = {
    "l1 + l2": (2 * norms.l1() + norms.l2(), VECTOR),
    "l1 | l2": (norms.l1() | 1.5 * norms.l2(), VECTOR),
    "l2 + linf": (norms.l2() + 0.7 * norms.linf(), VECTOR),
    "l2 | linf": (norms.l2() | 1.4 * norms.linf(), VECTOR),
    "l1 + linf": (norms.l1() + 2 * norms.linf(), VECTOR),
    "l1 | linf": (norms.l1() | 2.5 * norms.linf(), VECTOR),
    "minkowski": (norms.minkowski(norms.l1(), norms.l2()), VECTOR),
    "hull": (norms.infimal_convolution(norms.linf(), norms.l2()), VECTOR),
    "spectral + frobenius": (norms.spectral() + norms.l2(), SQUARE),
    "nuclear | spectral": (norms.nuclear() | 2 * norms.spectral(), SQUARE),
    "hypot": (norms.hypot(norms.quadratic(MATRIX @ MATRIX.T), norms.quadratic(diagonal=WEIGHTS)), VECTOR),
    "hypot diagonal": (norms.hypot(2 * norms.l2(), norms.quadratic(diagonal=WEIGHTS)), VECTOR),
    "masked": (norms.restrict(norms.lp(3), np.ones(4, bool)), VECTOR),
    "interpolated": (norms.interpolate(norms.l1() @ norms.Diagonal(WEIGHTS), norms.lp(4), 0.3), VECTOR),
    "reshaped": (norms.reshaped(norms.spectral(), (2, -1)), VECTOR),
    "rms": (norms.rms(), VECTOR),
    "row rms": (norms.row_rms(), SQUARE),
    "column rms": (norms.column_rms("l1"), SQUARE),
}  # fmt: skip
SEARCHED: dict[str, tuple[Norm, tuple[int, ...]]] = {
    "lp + quadratic": (norms.lp(3) + norms.quadratic(MATRIX @ MATRIX.T), VECTOR),
    "hypot of curved norms": (norms.hypot(norms.lp(3), norms.l2()), VECTOR),
    "hypot with a kink": (norms.hypot(norms.l1(), norms.l2()), VECTOR),
    "image": (norms.image(WIDE, norms.lp(3)), VECTOR),
    "vertices": (norms.from_vertices(POINTS), VECTOR),
    "facets": (norms.from_facets(POINTS), VECTOR),
    "maximizer": (norms.from_maximizer(lambda g: np.sign(g) * WEIGHTS), VECTOR),
    "dual outside the grammar": (norms.from_dual(lambda g: np.sqrt(g @ g) + np.max(np.abs(g))), VECTOR),
    "projection": (norms.from_projection(lambda x: np.clip(x, -WEIGHTS, WEIGHTS)), VECTOR),
    "prox": (norms.from_prox(lambda x, t: x - np.clip(x, -t, t)), VECTOR),
    "tree of sums": (
        norms.reshaped(norms.blockwise(norms.lp(3) + norms.lp(1.5), "l1", axes=1), (2, 2)), VECTOR
    ),
}  # fmt: skip
EVERY = EXACT | SEARCHED


@pytest.mark.parametrize("name", EVERY)
def test_single_precision_stays_single_and_is_as_good_as_it_can_be(name: str) -> None:
    norm, shape = EVERY[name]
    for g in (drawn(shape, 0).astype(np.float32), np.eye(4, dtype=np.float32)[1].reshape(-1)[:4]):
        g = np.resize(g, shape)
        v, s = norm.maximizer(g), norm.subgradient(g)
        found = v, s, norm.norm(g), norm.dual_norm(g), *norm.bracket(g), norm.maximizer(0 * g), norm.norm(0 * g)
        assert {x.dtype for x in found} == {np.dtype(np.float32)}
        close(norm.norm(v.astype(float)), 1.0, 2e-6)
        close(np.sum(g * v), norm.dual_norm(g.astype(float)), 2e-6)
        close(norm.dual_norm(s.astype(float)), 1.0, 2e-6)
        close(np.sum(g * s), norm.norm(g.astype(float)), 2e-6)


@pytest.mark.parametrize("name", EXACT)
@given(seeds)
def test_laws_to_rounding(name: str, seed: int) -> None:
    norm, shape = EXACT[name]
    assert_laws(norm, shape, seed, 1e-11)


@pytest.mark.parametrize("name", SEARCHED)
@pytest.mark.parametrize("seed", range(2))
def test_laws_of_searched_norms(name: str, seed: int) -> None:
    norm, shape = SEARCHED[name]
    assert_laws(norm, shape, seed, 1e-8)


def assert_laws(norm: Norm, shape: tuple[int, ...], seed: int, tolerance: float) -> None:
    """Hoelder, homogeneity, the triangle inequality, and that both maxima are attained."""
    g, u, v = drawn(shape, seed), drawn(shape, seed + 1), drawn(shape, seed + 2)
    for each in (norm, norm.dual):
        assert np.sum(g * v) <= each.dual_norm(g) * each.norm(v) * (1 + tolerance) + 1e-300
        assert each.norm(u + v) <= (each.norm(u) + each.norm(v)) * (1 + tolerance)
        close(each.norm(-3.0 * v), 3.0 * each.norm(v), tolerance)
        if np.any(g):
            best = each.maximizer(g)
            close(each.norm(best), 1.0, tolerance)
            close(np.sum(g * best), each.dual_norm(g), tolerance)
    close(norm.dual.dual.norm(v), norm.norm(v), tolerance)


@pytest.mark.parametrize("name", EVERY)
def test_scales_zeros_and_brackets(name: str) -> None:
    norm, shape = EVERY[name]
    g = drawn(shape, 0)
    tolerance = 1e-10 if name in EXACT else 1e-6
    for scale in (1e-150, 1e150):
        close(norm.dual_norm(scale * g) / scale, norm.dual_norm(g), tolerance)
        close(norm.norm(scale * g) / scale, norm.norm(g), tolerance)
    for each in (norm, norm.dual):
        assert each.dual_norm(0 * g) == 0
        assert not np.any(each.maximizer(0 * g))
        _, lower, upper = each.bracket(g)
        assert lower <= upper
        close(upper, lower, 1e-2)


@pytest.mark.parametrize("name", EVERY)
def test_traits_say_what_is_exact(name: str) -> None:
    norm, _ = EVERY[name]
    exact = (norm.traits.exact, norm.traits.exact_norm)
    assert norm.dual.traits.exact_norm == exact[0]
    if name in EXACT:
        assert exact[0]
    else:
        assert not all(exact)


@pytest.mark.parametrize("name", EXACT)
def test_gradients_of_the_dual_and_batches(name: str) -> None:
    norm, shape = EXACT[name]
    g = drawn(shape, 0)
    close(cv.grad(norm.dual_norm)(g), norm.maximizer(g), 1e-10)
    batch = np.stack([g, drawn(shape, 2), drawn(shape, 1)])
    close(cv.vmap(norm.maximizer)(batch), np.stack([norm.maximizer(x) for x in batch]), 1e-11)
    close(cv.jit(norm.maximizer)(g), norm.maximizer(g), 1e-11)


# --- two norms of one variable --------------------------------------------------------------------------------

KINDS: dict[str, Norm] = {"l1": norms.l1(), "l2": norms.l2(), "linf": norms.linf()}


@pytest.mark.parametrize("pair", [("l1", "l2"), ("l2", "linf"), ("linf", "l1"), ("l2", "l2")])
@pytest.mark.parametrize("how", ["sum", "max"])
@given(seeds)
def test_closed_forms_lie_in_the_bounds_that_a_search_proves(pair: tuple[str, str], how: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (float(np.exp(1.5 * rng.normal())) * KINDS[kind] for kind in pair)
    g = drawn((int(rng.integers(1, 6)),), seed)
    closed = first + second if how == "sum" else first | second
    assert closed.traits.exact
    _, lower, upper = general(first, second, how).bracket(g)
    assert lower * (1 - 1e-12) <= closed.dual_norm(g) <= upper * (1 + 1e-12)
    close(lower, closed.dual_norm(g), 1e-6)
    close(upper, lower, 1e-4)
    value = first.norm(g) + second.norm(g) if how == "sum" else max(first.norm(g), second.norm(g))
    close(closed.norm(g), value)
    assert not np.any(np.isnan(cv.grad(closed.dual_norm)(g)))


def test_hypot_of_quadratics_adds_their_matrices() -> None:
    one, two, g = MATRIX @ MATRIX.T, MATRIX.T @ MATRIX, drawn(VECTOR, 0)
    found = norms.hypot(norms.quadratic(one), 2 * norms.quadratic(two))
    close(found.dual_norm(g), np.sqrt(g @ np.linalg.solve(one + 4 * two, g)), 1e-11)
    close(norms.hypot(norms.l2(), norms.quadratic(one)).norm(g), np.sqrt(g @ g + g @ one @ g))


def test_the_dual_of_a_hypot_is_the_least_hypot_of_duals() -> None:
    first, second, g = norms.lp(3), norms.l1(), drawn(VECTOR, 0)

    def split(a: Any) -> float:
        return float(np.hypot(first.dual_norm(a), second.dual_norm(g - a)))

    best = min(
        minimize(split, start, method="Nelder-Mead", options={"maxfev": 6000, "xatol": 1e-10, "fatol": 1e-14}).fun
        for start in (0 * g, g / 2, g)
    )
    found = norms.hypot(first, second).dual_norm(g)
    assert best * (1 - 1e-4) <= found <= best * (1 + 1e-9)


def test_a_norm_is_joined_with_a_norm() -> None:
    with pytest.raises(ArgumentError, match="as_norm"):
        norms.l1() + np.linalg.norm  # type: ignore[operator]


# --- images, subspaces ----------------------------------------------------------------------------------------


def test_norms_by_vertices_and_facets_against_linear_programs() -> None:
    g, rows = drawn(VECTOR, 0), np.vstack([POINTS, -POINTS])
    close(norms.from_vertices(POINTS).dual_norm(g), np.max(rows @ g))
    gauge = linprog(np.ones(24), A_eq=rows.T, b_eq=g, bounds=(0, None))
    close(norms.from_vertices(POINTS).norm(g), gauge.fun, 1e-9)
    box = linprog(-g, A_ub=rows, b_ub=np.ones(24), bounds=(None, None))
    close(norms.from_facets(POINTS).dual_norm(g), -box.fun, 1e-9)
    close(norms.from_facets(POINTS).norm(g), np.max(rows @ g))


def test_the_norm_of_an_image_is_the_least_norm_of_what_is_mapped_there() -> None:
    v = drawn(VECTOR, 0)
    start = np.linalg.lstsq(WIDE, v, rcond=None)[0]
    free = np.linalg.svd(WIDE)[2][4:]
    found = minimize(lambda z: np.linalg.norm(start + z @ free, 3), np.zeros(3), method="BFGS", options={"gtol": 1e-9})
    close(norms.image(WIDE, norms.lp(3)).norm(v), found.fun, 1e-7)


INNER: dict[str, Norm] = {
    "l1": norms.l1(), "l3": norms.lp(3), "linf": norms.linf(), "quadratic": norms.quadratic(MATRIX @ MATRIX.T)
}  # fmt: skip


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("subspace", [MASK, PLANE], ids=["mask", "plane"])
def test_a_restricted_dual_norm_is_the_least_over_the_complement(name: str, subspace: Any) -> None:
    inner, g = INNER[name], drawn(VECTOR, 0)
    norm = norms.restrict(inner, subspace)
    rows = np.eye(4)[MASK] if subspace is MASK else PLANE
    complement = np.linalg.svd(rows)[2][len(rows) :]

    def length(z: Any) -> float:
        return float(inner.dual_norm(g + z @ complement))

    starts = RNG.normal(size=(4, len(complement)))
    options = {"maxfev": 4000, "xatol": 1e-11, "fatol": 1e-13}
    least = min(minimize(length, z, method="Nelder-Mead", options=options).fun for z in starts)
    close(norm.dual_norm(g), least, 1e-7)
    v = norm.maximizer(g)
    np.testing.assert_allclose(complement @ v, 0.0, atol=1e-14)
    close(norm.norm(v), 1.0, 1e-9)
    close(g @ v, norm.dual_norm(g), 1e-9)
    assert norm.traits.exact == (subspace is MASK and name != "quadratic")


@given(seeds)
def test_symmetric_matrices_move_along_symmetric_directions(seed: int) -> None:
    g = drawn(SQUARE, seed)
    for inner in (norms.spectral(), norms.nuclear(), norms.schatten(3)):
        norm = norms.restrict(inner, "symmetric")
        v = norm.maximizer(g)
        close(v, v.T)
        close(np.sum(g * v), norm.dual_norm(g), 1e-11)
        if np.any(g + g.T):
            close(inner.norm(v), 1.0, 1e-11)
        assert norm.dual_norm(g) <= inner.dual_norm(g) * (1 + 1e-12)


def test_symmetric_matrices_by_coordinates_where_no_closed_form_is_known() -> None:
    g = drawn(SQUARE, 0)
    searched = norms.restrict(norms.lp(3), "symmetric")
    assert not searched.traits.exact
    v = searched.maximizer(g)
    close(v, v.T)
    close(norms.lp(3).norm(v), 1.0, 1e-9)
    close(searched.dual_norm(g), norms.lp(3).dual_norm((g + g.T) / 2), 1e-9)


def test_a_quotient_makes_moves_along_a_subspace_free() -> None:
    constants, v = np.ones((1, 4)), np.array([3.0, -1.0, 0.0, 1.0])
    norm = norms.quotient(norms.linf(), constants)
    close(norm.norm(v + 5.0), (v.max() - v.min()) / 2, 1e-9)
    g = np.array([2.0, -1.0, -1.0, 0.0])
    close(norm.dual_norm(g), 4.0)
    np.testing.assert_allclose(np.sum(norm.maximizer(g)), 0.0, atol=1e-12)
    with pytest.raises(ArgumentError, match="subspace"):
        norm.dual_norm(np.ones(4))
    close(norms.quotient(norms.l2(), MASK).norm(v), 1.0)


def test_refusals_of_subspaces_and_images() -> None:
    with pytest.raises(ArgumentError, match="away"):
        norms.restrict(norms.l1(), MASK).norm(np.ones(4))
    with pytest.raises(ArgumentError, match="independent"):
        norms.image(WIDE.T, norms.l1())
    with pytest.raises(ArgumentError, match="independent"):
        norms.restrict(norms.l1(), np.ones((2, 4)))
    with pytest.raises(ArgumentError, match="mask"):
        norms.restrict(norms.l1(), np.array(["a"]))
    with pytest.raises(ShapeMismatchError):
        norms.restrict(norms.l1(), MASK).dual_norm(np.ones(3))
    with pytest.raises(ShapeMismatchError, match="square"):
        norms.restrict(norms.spectral(), "symmetric").dual_norm(np.ones((2, 3)))


# --- interpolation, shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "shape"),
    [
        (norms.l1(), norms.linf(), VECTOR), (3 * norms.lp(3), norms.l2() / 2, VECTOR),
        (norms.l1() @ norms.Diagonal(WEIGHTS), norms.linf() @ norms.Diagonal(OTHERS), VECTOR),
        (norms.l2(), norms.quadratic(diagonal=WEIGHTS), VECTOR), (norms.nuclear(), norms.spectral(), SQUARE),
        (norms.group(2, 1), norms.group(1, np.inf), SQUARE),
    ],
)  # fmt: skip
@given(seeds)
def test_interpolated_norms_lie_between(first: Norm, second: Norm, shape: tuple[int, ...], seed: int) -> None:
    v = drawn(shape, seed)
    share = float(np.random.default_rng(seed).uniform())
    between = norms.interpolate(first, second, share)
    for one, two, norm in ((first, second, between), (first.dual, second.dual, between.dual)):
        assert norm.norm(v) <= one.norm(v) ** (1 - share) * two.norm(v) ** share * (1 + 1e-12)
    close(norms.interpolate(first, second, 0).norm(v), first.norm(v))
    close(norms.interpolate(first, second, 1).norm(v), second.norm(v))


def test_between_weighted_l2_norms_lies_the_geometric_mean_of_weights() -> None:
    v = drawn(VECTOR, 0)
    found = norms.interpolate(norms.quadratic(diagonal=WEIGHTS), norms.quadratic(diagonal=OTHERS), 0.25)
    close(found.norm(v), np.sqrt(np.sum(WEIGHTS**0.75 * OTHERS**0.25 * v * v)))


def test_what_cannot_be_interpolated_is_refused() -> None:
    with pytest.raises(ArgumentError, match="lp norms"):
        norms.interpolate(norms.l1(), norms.oscar(4), 0.5)
    with pytest.raises(ArgumentError, match="share"):
        norms.interpolate(norms.l1(), norms.l2(), 1.5)


def test_fused_weights_and_kernels_are_measured_in_parts() -> None:
    fused = RNG.normal(size=(6, 4))
    parts = norms.reshaped(norms.blockwise("spectral", "linf", axes=(1, 2)), (3, 2, 4))
    wanted = np.vstack([norms.spectral().maximizer(fused[i : i + 2]) for i in (0, 2, 4)])
    close(parts.maximizer(fused), wanted, 1e-10)
    kernel = RNG.normal(size=(5, 2, 3, 3))
    close(norms.reshaped(norms.nuclear(), (5, -1)).norm(kernel), np.linalg.norm(kernel.reshape(5, 18), "nuc"))
    moved = norms.reshaped(norms.nuclear(), (2, -1), order=(1, 0, 2, 3))
    close(moved.norm(kernel), np.linalg.norm(kernel.transpose(1, 0, 2, 3).reshape(2, 45), "nuc"))
    assert moved.maximizer(kernel).shape == kernel.shape


def test_a_bracket_of_a_tree_with_a_searched_part_is_proved() -> None:
    norm = norms.tree({"a": norms.lp(3) + norms.quadratic(MATRIX @ MATRIX.T), "b": "l1"}, outer="l2")
    g = {"a": drawn(VECTOR, 0), "b": drawn((3,), 0)}
    assert not norm.traits.exact
    v, lower, upper = norm.bracket(g)
    close(pairing(g, v), lower, 1e-9)
    assert lower <= upper <= lower * (1 + 1e-6)


# --- projections ----------------------------------------------------------------------------------------------

PROJECTED: dict[str, tuple[Norm, tuple[int, ...]]] = {
    "l1": (norms.l1(), VECTOR), "l2": (norms.l2(), VECTOR), "linf": (norms.linf(), VECTOR),
    "rms": (norms.rms(), VECTOR), "nuclear": (norms.nuclear(), SQUARE), "spectral": (norms.spectral(), SQUARE),
    "scaled": (3 * norms.l1(), VECTOR), "dual": (norms.l1().dual, VECTOR), "group": (norms.group(2, 1), SQUARE),
    "group max": (norms.group(2, np.inf), SQUARE),
    "rms to rms": (norms.rms_to_rms(), (2, 3)),
    "reshaped": (norms.reshaped(norms.spectral(), (2, 2)), VECTOR),
}  # fmt: skip


@pytest.mark.parametrize("name", PROJECTED)
@given(seeds)
def test_projections_are_nearest_points(name: str, seed: int) -> None:
    """x - P(x) makes no acute angle with any y - P(x), for which the y that is best is a maximizer."""
    norm, shape = PROJECTED[name]
    x, radius = drawn(shape, seed), float(np.random.default_rng(seed).uniform(0.1, 4.0))
    for each in (norm, norm.dual):
        nearest = each.project(x, radius)
        rest = x - nearest
        assert each.norm(nearest) <= radius * (1 + 1e-12)
        assert radius * each.dual_norm(rest) <= np.sum(rest * nearest) + 1e-11 * (1 + np.sum(x * x))
        close(each.prox(x, radius) + each.dual.project(x, radius), x)


def test_projections_of_blocks_by_themselves() -> None:
    x = drawn(SQUARE, 0)
    found = norms.blockwise("l1", "linf").project(x, 0.5)
    close(found, np.stack([norms.l1().project(row, 0.5) for row in x]))


def test_projections_of_trees() -> None:
    x = {"a": np.array([3.0, 4.0]), "b": np.array([-2.0, 0.0])}
    by_part = norms.tree({"a": "l1", "b": "linf"}).project(x, 1.0)
    close(by_part["a"], [0.0, 1.0])
    close(by_part["b"], [-1.0, 0.0])
    together = norms.per_leaf("l2", "l1").project(x, 3.0)
    close(together["a"], [1.8, 2.4])
    close(together["b"], [0.0, 0.0])
    soft = norms.per_leaf("l2", "l1").prox(x, 2.5)
    close(soft["a"], [1.5, 2.0])
    close(soft["b"], [0.0, 0.0])


def test_unknown_projections_are_refused_by_name() -> None:
    for norm in (norms.lp(3), norms.l1() + norms.l2(), norms.quadratic(MATRIX @ MATRIX.T)):
        with pytest.raises(MissingRuleError, match="projection"):
            norm.project(np.ones(4))
        with pytest.raises(MissingRuleError, match="projection"):
            norm.prox(np.ones(4))


@pytest.mark.parametrize("kind", ["linf", "l2", "l1"])
def test_norms_by_projection_and_prox_are_those_of_the_catalogue(kind: str) -> None:
    norm, g = KINDS[kind], np.array([3.0, -1.0, 0.5, 0.0])
    for found in (norms.from_projection(norm.project), norms.from_prox(norm.prox)):
        close(found.dual_norm(g), norm.dual_norm(g), 1e-8)
        close(found.norm(g), norm.norm(g), 1e-8)
        close(found.maximizer(g), norm.maximizer(g), 1e-7)


# --- ties -----------------------------------------------------------------------------------------------------

TIED: list[tuple[Norm, Any]] = [
    (norms.l1(), np.array([2.0, -2.0, 0.0, 2.0])), (norms.linf(), np.array([2.0, 0.0, 0.0, -1.0])),
    (norms.sparse_sign(2), np.array([1.0, 1.0, -1.0, 0.0])), (norms.k_support(2), np.array([1.0, 1.0, -1.0, 2.0])),
    (norms.owl(np.array([2.0, 1.0, 1.0, 0.0])), np.array([1.0, 1.0, -1.0, 1.0])),
    (norms.sparse_sign(3), np.eye(4)[0]),
    (norms.nuclear(), np.eye(3)), (norms.spectral(), np.diag([1.0, 0.0, 0.0])), (norms.ky_fan(2), np.eye(3)),
    (norms.low_rank_hull(2), np.eye(3)), (norms.group(2, 1), np.ones((3, 2))),
    (norms.group(1, np.inf), np.ones((3, 2))),
    (norms.infimal_convolution(norms.l1(), 2 * norms.linf()), np.array([1.0, 1.0, 0.0, 0.0])),
    (norms.l1() + norms.linf(), np.array([1.0, -1.0, 0.0, 0.0])), (norms.l1() | 3 * norms.linf(), np.ones(4)),
    (norms.from_vertices(np.eye(4)), np.ones(4)), (2 * norms.l1() @ norms.Diagonal(2.0), np.ones(4)),
    (norms.infimal_convolution(norms.lp(3), norms.lp(4) @ np.eye(4)), np.array([1.0, 0.0, 0.0, 0.0])),
    *((norms.l1() | factor * norms.l2(), np.array([2.0, -2.0, 2.0, 2.0])) for factor in (0.5, 1.0, 1.3, 2**0.5, 1.9)),
    *((norms.l2() | factor * norms.linf(), np.array([2.0, 0.0, 0.0, 0.0])) for factor in (1.0, 1.2, 2**0.5, 1.9, 3.0)),
    (norms.spectral() | 0.7 * norms.l2(), np.diag([1.0, 0.0, 0.0])),
]  # fmt: skip


@pytest.mark.parametrize(("norm", "g"), TIED)
@pytest.mark.parametrize("ties", TIES)
def test_whatever_settles_a_tie_attains(norm: Norm, g: Any, ties: str) -> None:
    norm = norm.with_ties(ties)
    v = norm.maximizer(g)
    close(norm.norm(v), 1.0, 1e-8)
    close(np.sum(g * v), norm.dual_norm(g), 1e-11)
    s = norm.subgradient(g)
    close(norm.dual_norm(s), 1.0, 1e-8)
    close(np.sum(g * s), norm.norm(g), 1e-8)
    assert np.linalg.norm(norm.with_ties("min_norm").maximizer(g)) <= np.linalg.norm(v) * (1 + 1e-9)
    close(cv.vmap(norm.maximizer)(np.stack([g, 2 * g]))[1], v, 1e-9)


def test_extreme_points_of_a_maximum_with_l2_are_as_long_as_it_allows() -> None:
    """They solve l1 = 1, l2 = 1 / r, and linf = t, l2 = r t, in the first entries."""
    both = norms.l1("vertex") | 1.3 * norms.l2()
    v = both.maximizer(np.ones(4))
    close([np.sum(v), np.sqrt(v @ v)], [1.0, 1 / 1.3], 1e-12)
    assert np.count_nonzero(v) == 2
    other = norms.l2() | 1.5 * norms.linf("vertex")
    close(other.maximizer(np.array([3.0, 0.0, 0.0, 0.0])), np.array([1.0, 1.0, 0.5, 0.0]) / 1.5, 1e-12)


def test_policies_for_ties() -> None:
    g = np.array([1.0, -1.0, 1.0, 0.0])
    close(norms.l1("vertex").maximizer(g), [1, 0, 0, 0])
    close(norms.l1("split").maximizer(g), np.array([1, -1, 1, 0]) / 3)
    assert np.sum(np.abs(norms.l1("random").maximizer(g)) == 1) == 1
    assert np.all(np.abs(norms.linf("random").maximizer(g)) == 1)
    close(norms.sparse_sign(2, "vertex").maximizer(g), [1, -1, 0, 0])
    singular_values = np.linalg.svd(norms.spectral("random").maximizer(np.diag([1.0, 0.0, 0.0])), compute_uv=False)
    close(singular_values, np.ones(3))
    hull = norms.infimal_convolution(norms.lp(3) / 2, norms.lp(3) / 2)
    close(hull.with_ties("split").dual_norm(g), hull.dual_norm(g))
    with pytest.raises(ArgumentError, match="ties"):
        norms.l1().with_ties("first")


# --- functions that are norms, or are not ---------------------------------------------------------------------


def used_twice(v: Any) -> Any:
    return np.sum(np.abs(v)) + np.sum(np.abs(v) ** 3) ** (1 / 3)


def test_a_search_is_allowed_forbidden_and_said() -> None:
    g = drawn(VECTOR, 0)
    assert norms.define(norm=lambda v: np.max(np.abs(v)), like=g).traits.exact
    assert not norms.define(norm=used_twice, like=g).traits.exact
    assert not norms.define(norm=used_twice).traits.exact
    assert norms.as_norm(lambda v: np.max(np.abs(v)), like=g).traits.exact
    close(norms.define(norm=used_twice).dual_norm(g), (norms.l1() + norms.lp(3)).dual_norm(g), 1e-8)
    strict = norms.define(norm=used_twice, search=False)
    assert strict.norm(g) == used_twice(g)
    with pytest.raises(MissingRuleError, match="search=False"):
        strict.dual_norm(g)
    with pytest.raises(MissingRuleError, match="`absolute`"):
        norms.as_norm(used_twice, like=g, search=False)


@pytest.mark.parametrize(
    ("function", "evidence"),
    [
        (lambda v: np.abs(np.diff(v)).sum(), r"is 0 for the vector array\(\[1\., 1\., 1\., 1\.\]\)"),
        (lambda v: np.abs(v[1:]).sum(), r"is 0 for the vector array\(\[1\., 0\., 0\., 0\.\]\)"),
        (lambda v: np.sum(v**2), r"N\(2 v\)"), (lambda v: -np.max(np.abs(v)), "not a norm: N\\(v\\) is -"),
        (lambda v: np.sum(np.abs(v) ** 0.5) ** 2, "not convex"), (np.abs, "real number"),
        (lambda v: np.sqrt(np.sum(v * v)) + 1e-3, r"N\(2 v\)"),
    ],
)  # fmt: skip
def test_what_is_no_norm_is_refused_with_the_evidence(function: Callable[[Any], Any], evidence: str) -> None:
    with pytest.raises(ArgumentError, match=evidence):
        norms.define(norm=function, like=np.zeros(4))


def test_a_metric_is_learned_for_many_at_once() -> None:
    """Norms are trees: a batch of metrics is mapped over, and differentiated."""
    diagonals, g = RNG.uniform(0.5, 2.0, (3, 4)), drawn(VECTOR, 0)
    batch = norms.quadratic(diagonal=diagonals)
    close(cv.vmap(lambda norm: norm.dual_norm(g))(batch), np.sqrt(np.sum(g * g / diagonals, axis=1)))
    gradients = cv.vmap(cv.grad(lambda norm: norm.dual_norm(g)))(batch)
    roots = np.sqrt(diagonals)
    wanted = -(g * g / roots**3) / np.sqrt(np.sum(g * g / diagonals, axis=1, keepdims=True))
    close(gradients.map.weights, wanted)
    exponents = cv.vmap(lambda p: norms.lp(p).norm(g))(np.array([1.5, 3.0]))
    close(exponents, [np.linalg.norm(g, 1.5), np.linalg.norm(g, 3)])


def test_descent_learns_a_metric_that_matches_given_directions() -> None:
    """The weights of a quadratic norm, from ten gradients and the directions it gave them."""
    truth = np.array([1.0, 4.0, 0.5, 2.0])
    gradients = RNG.normal(size=(10, 4))
    wanted = cv.vmap(norms.quadratic(diagonal=truth).duality_map)(gradients)

    def loss(weights: Any) -> Any:
        norm = norms.quadratic(diagonal=np.exp(weights))
        return np.mean((cv.vmap(norm.duality_map)(gradients) - wanted) ** 2)

    found = minimize(lambda w: float(loss(w)), np.zeros(4), jac=cv.grad(loss), method="BFGS", options={"gtol": 1e-10})
    close(np.exp(found.x), truth, 1e-5)


# --- random compositions --------------------------------------------------------------------------------------


def composed(rng: np.random.Generator, depth: int) -> Norm:
    """A random norm of arrays of shape (3, 4) whose dual has a closed form."""
    if depth == 0:
        leaves: list[Callable[[], Norm]] = [
            norms.l1, norms.l2, norms.linf, norms.spectral, norms.nuclear, norms.rms, lambda: norms.lp(1.7),
            lambda: norms.schatten(3), lambda: norms.group(2, 1), lambda: norms.sparse_sign(5),
            lambda: norms.row_rms("l1"), lambda: norms.ky_fan(2), lambda: norms.l1() + norms.l2(),
            lambda: norms.l2() | 2 * norms.linf(), lambda: norms.k_support(4), lambda: norms.oscar(12),
        ]  # fmt: skip
        return leaves[int(rng.integers(len(leaves)))]()
    inner = composed(rng, depth - 1)
    kinds: list[Callable[[], Norm]] = [
        lambda: inner.dual, lambda: float(rng.uniform(0.3, 3)) * inner,
        lambda: inner @ norms.Diagonal(rng.uniform(0.5, 2, (3, 4))), lambda: inner @ norms.Difference(),
        lambda: inner @ (rng.normal(size=(3, 3)) + 3 * np.eye(3)),
        lambda: norms.reshaped(inner, (3, 4)),
    ]  # fmt: skip
    return kinds[int(rng.integers(len(kinds)))]()


@given(seeds)
def test_laws_of_random_compositions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm = composed(rng, int(rng.integers(1, 5)))
    assert norm.traits.exact
    assert norm.traits.exact_norm
    assert_laws(norm, (3, 4), 3 * seed, 1e-10)
    g = drawn((3, 4), 3 * seed)
    flat = ravel(cv.grad(norm.dual_norm)(g))[0]
    close(np.sum(flat * g.ravel()), norm.dual_norm(g), 1e-10)
    close(norm.norm(cv.grad(norm.dual_norm)(g)), 1.0, 1e-8)


def test_weights_between_two_norms_are_of_the_sizes_of_theirs() -> None:
    """A negative weight measures as its opposite does, and has no power between."""
    signed, sizes = (norms.l1() @ norms.Diagonal(w) for w in (np.array([2.0, -3.0]), np.array([2.0, 3.0])))
    v = np.array([1.0, -0.5])
    close(norms.interpolate(signed, norms.linf(), 0.4).norm(v), norms.interpolate(sizes, norms.linf(), 0.4).norm(v))
