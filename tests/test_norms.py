"""Every norm of the catalogue: its value by a formula, its dual and direction by the laws that define them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import permutations, product
from typing import Any, final

import numpy as np
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import polar
from scipy.optimize import linprog, minimize

import covector as cv
from covector import norms
from covector.core.interpreter import Tracer
from covector.errors import ArgumentError, NotDifferentiableError, ShapeMismatchError, TreeMismatchError
from covector.norms.layout import magnitude, ravel
from covector.norms.norm import Norm
from covector.norms.polar import POLAR_FACTOR
from covector.trees import flatten, unflatten

RNG = np.random.default_rng(5)
SQUARE = RNG.normal(size=(6, 6)) + 3 * np.eye(6)
POSITIVE = SQUARE @ SQUARE.T
WEIGHTS = RNG.uniform(0.5, 2.0, 6)
FALLING = np.sort(RNG.uniform(0.0, 1.0, 6))[::-1].copy()
DIFFERENCES = np.eye(6) - np.eye(6, k=-1)
LAPLACIAN = -(DIFFERENCES[1:].T @ DIFFERENCES[1:])


def singular_values(x: Any) -> Any:
    return np.linalg.svd(x, compute_uv=False)


def k_support_by_dual(k: int, v: Any) -> float:
    """By its definition as a minimum: sum v^2 / t over 0 < t <= 1 with sum t <= k; t = min(1, |v| / c)."""
    sizes = np.abs(v)
    low, high = 0.0, float(sizes.sum())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(1, sizes / middle).sum() > k else (low, middle)
    t = np.minimum(1, sizes / high)
    return float(np.sqrt(np.sum(sizes[t > 0] ** 2 / t[t > 0])))


@final
@frozen
class Member:
    """A norm, the shape of what it measures, and its value by another way."""

    norm: Norm
    shape: tuple[int, ...]
    value: Callable[[Any], Any]


VECTOR, MATRIX = (6,), (5, 3)

CATALOGUE: dict[str, Member] = {
    "l1": Member(norms.l1(), VECTOR, lambda v: np.abs(v).sum()),
    "l1 vertex": Member(norms.l1("vertex"), VECTOR, lambda v: np.abs(v).sum()),
    "l2": Member(norms.l2(), VECTOR, np.linalg.norm),
    "linf": Member(norms.linf(), VECTOR, lambda v: np.abs(v).max()),
    "linf vertex": Member(norms.linf("vertex"), VECTOR, lambda v: np.abs(v).max()),
    "l1.5": Member(norms.lp(1.5), VECTOR, partial(np.linalg.norm, ord=1.5)),
    "l3": Member(norms.lp(3), VECTOR, partial(np.linalg.norm, ord=3)),
    "l10": Member(norms.lp(10), VECTOR, partial(np.linalg.norm, ord=10)),
    "weighted l3": Member(norms.lp(3) @ norms.Diagonal(WEIGHTS), VECTOR, lambda v: np.linalg.norm(WEIGHTS * v, 3)),
    "quadratic": Member(norms.quadratic(POSITIVE), VECTOR, lambda v: np.sqrt(v @ POSITIVE @ v)),
    "cholesky": Member(
        norms.quadratic(cholesky=np.linalg.cholesky(POSITIVE)), VECTOR, lambda v: np.sqrt(v @ POSITIVE @ v)
    ),
    "diagonal": Member(norms.quadratic(diagonal=WEIGHTS), VECTOR, lambda v: np.sqrt(np.sum(WEIGHTS * v * v))),
    "products": Member(
        norms.quadratic(product=lambda v: POSITIVE @ v), VECTOR, lambda v: np.sqrt(v @ POSITIVE @ v)
    ),
    "group": Member(norms.group(2, 1, axes=1), MATRIX, lambda v: np.linalg.norm(v, axis=1).sum()),
    "group max": Member(norms.group(2, np.inf, axes=0), MATRIX, lambda v: np.linalg.norm(v, axis=0).max()),
    "mixed": Member(
        norms.group(3, 1.5, axes=1), MATRIX, lambda v: np.linalg.norm(np.linalg.norm(v, 3, axis=1), 1.5)
    ),
    "spectral": Member(norms.spectral(), MATRIX, partial(np.linalg.norm, ord=2)),
    "spectral vertex": Member(norms.spectral("vertex"), MATRIX, partial(np.linalg.norm, ord=2)),
    "nuclear": Member(norms.nuclear(), MATRIX, partial(np.linalg.norm, ord="nuc")),
    "schatten 3": Member(norms.schatten(3), MATRIX, lambda v: np.linalg.norm(singular_values(v), 3)),
    "ky fan": Member(norms.ky_fan(2), MATRIX, lambda v: singular_values(v)[:2].sum()),
    "low-rank hull": Member(
        norms.low_rank_hull(2), MATRIX, lambda v: max(singular_values(v)[0], singular_values(v).sum() / 2)
    ),
    "rms to rms": Member(norms.rms_to_rms(), MATRIX, lambda v: np.sqrt(3 / 5) * singular_values(v)[0]),
    "muon": Member(norms.muon_norm(), (3, 5), lambda v: singular_values(v)[0]),
    "singular values": Member(
        norms.of_singular_values(norms.k_support(2)), MATRIX, lambda v: k_support_by_dual(2, singular_values(v))
    ),
    "sparse sign": Member(norms.sparse_sign(3), VECTOR, lambda v: max(np.abs(v).max(), np.abs(v).sum() / 3)),
    "k-support": Member(norms.k_support(3), VECTOR, partial(k_support_by_dual, 3)),
    "owl": Member(norms.owl(FALLING), VECTOR, lambda v: FALLING @ np.sort(np.abs(v))[::-1]),
    "oscar": Member(
        norms.oscar(6), VECTOR,
        lambda v: sum(max(abs(a), abs(b)) for i, a in enumerate(v) for b in v[:i]) + np.abs(v).sum(),
    ),
    "differences": Member(norms.l1() @ norms.Difference(), VECTOR, lambda v: np.abs(DIFFERENCES @ v).sum()),
    "differences 3": Member(norms.lp(3) @ DIFFERENCES, VECTOR, lambda v: np.linalg.norm(DIFFERENCES @ v, 3)),
    "sobolev": Member(norms.sobolev(2.0), VECTOR, lambda v: np.sqrt(v @ v - 2 * v @ LAPLACIAN @ v)),
    "sobolev 2-d": Member(
        norms.sobolev(2.0), MATRIX,
        lambda v: np.sqrt(np.sum(v**2) + 2 * np.sum(np.diff(v, axis=0) ** 2) + 2 * np.sum(np.diff(v, axis=1) ** 2)),
    ),
    "sobolev dirichlet": Member(
        norms.sobolev(2.0, "dirichlet"), VECTOR,
        lambda v: np.sqrt(v @ v + 2 * np.sum(np.diff(v, prepend=0, append=0) ** 2)),
    ),
    "sobolev periodic": Member(
        norms.sobolev(2.0, "periodic"), VECTOR, lambda v: np.sqrt(v @ v + 2 * np.sum((v - np.roll(v, 1)) ** 2))
    ),
    "largest of k": Member(norms.sparse_sign(2).dual, VECTOR, lambda v: np.sort(np.abs(v))[-2:].sum()),
    "defined": Member(
        norms.define(norm=lambda v: np.max(np.abs(SQUARE @ v))), VECTOR, lambda v: np.abs(SQUARE @ v).max()
    ),
    "defined dual": Member(
        norms.define(dual_norm=lambda g: np.sum(np.abs(g) * WEIGHTS)), VECTOR, lambda v: np.max(np.abs(v) / WEIGHTS)
    ),
}  # fmt: skip

each_member = pytest.mark.parametrize("member", CATALOGUE.values(), ids=list(CATALOGUE))
seeds = st.integers(0, 10_000)


def drawn(member: Member, seed: int, count: int = 1) -> Any:
    """Arrays of the member's shape; some with zeros and ties."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(count, *member.shape))
    if seed % 3 == 1:
        found = np.round(found)
    return found if count > 1 else found[0]


def close(found: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * float(np.max(np.abs(wanted), initial=0)))


# --- values and laws ------------------------------------------------------------------------------------------


@each_member
@given(seeds)
def test_the_value_is_that_of_the_formula(member: Member, seed: int) -> None:
    v = drawn(member, seed)
    close(member.norm.norm(v), member.value(v))


@each_member
@given(seeds)
def test_the_maximizer_has_length_one_and_attains_the_dual_norm(member: Member, seed: int) -> None:
    g = drawn(member, seed)
    if not np.any(g):
        return
    for norm in (member.norm, member.norm.dual):
        v = norm.maximizer(g)
        close(norm.norm(v), 1.0)
        close(np.sum(g * v), norm.dual_norm(g))


@each_member
@given(seeds)
def test_hoelder_homogeneity_and_the_triangle_inequality(member: Member, seed: int) -> None:
    u, v, g = drawn(member, seed, 3)
    for norm in (member.norm, member.norm.dual):
        assert np.sum(g * v) <= norm.dual_norm(g) * norm.norm(v) * (1 + 1e-12)
        assert norm.norm(u + v) <= (norm.norm(u) + norm.norm(v)) * (1 + 1e-12)
        close(norm.norm(-3.0 * v), 3.0 * norm.norm(v))


@each_member
def test_the_dual_norm_is_the_largest_pairing_that_a_solver_finds(member: Member) -> None:
    """A certificate from above is Hoelder's inequality; here a general solver climbs from several starts."""
    g = drawn(member, 3)
    wanted = float(member.norm.dual_norm(g))

    def negative(v: Any) -> float:
        return -float(np.sum(g.ravel() * v)) / float(member.value(v.reshape(member.shape)))

    starts = [np.ravel(g), np.ravel(member.norm.maximizer(g)) + 0.01]
    best = max(-minimize(negative, start, method="Nelder-Mead", options={"maxfev": 300}).fun for start in starts)
    assert 0.5 * wanted <= best <= wanted * (1 + 1e-9)


@each_member
@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_scale_of_the_numbers_does_not_matter(member: Member, scale: float) -> None:
    g = drawn(member, 2)
    close(member.norm.dual_norm(scale * g) / scale, member.norm.dual_norm(g))
    close(member.norm.norm(scale * g) / scale, member.norm.norm(g))
    close(member.norm.maximizer(scale * g), member.norm.maximizer(g), 1e-11)


@each_member
def test_a_zero_gradient_gives_a_zero_direction(member: Member) -> None:
    zero = np.zeros(member.shape)
    for norm in (member.norm, member.norm.dual):
        assert norm.dual_norm(zero) == 0
        assert not np.any(norm.maximizer(zero))
        assert not np.any(norm.duality_map(zero))


@each_member
def test_the_direction_is_the_gradient_of_the_dual_norm(member: Member) -> None:
    """Where the dual norm is differentiable, which it is at random points."""
    g = drawn(member, 0)
    if member.norm is not CATALOGUE["products"].norm:
        close(cv.grad(member.norm.dual_norm)(g), member.norm.maximizer(g), 1e-11)
    close(cv.grad(member.norm.norm)(g), member.norm.subgradient(g), 1e-11)


@each_member
def test_the_dual_of_the_dual_is_the_norm(member: Member) -> None:
    twice, v = member.norm.dual.dual, drawn(member, 3)
    assert type(twice) is type(member.norm)
    close(twice.norm(v), member.norm.norm(v))
    close(twice.dual_norm(v), member.norm.dual_norm(v))


@each_member
def test_duality_map_and_bracket(member: Member) -> None:
    g = drawn(member, 3)
    steepness = member.norm.dual_norm(g)
    image = member.norm.duality_map(g)
    close(np.sum(g * image), steepness**2)
    close(member.norm.norm(image), steepness)
    v, lower, upper = member.norm.bracket(g)
    close(np.sum(g * v), lower)
    assert lower <= steepness * (1 + 1e-12)
    close(upper, lower)


@each_member
def test_directions_are_batched_as_a_loop(member: Member) -> None:
    if member.norm is CATALOGUE["products"].norm:
        return
    g = drawn(member, 3, 4)
    close(cv.vmap(member.norm.maximizer)(g), np.stack([member.norm.maximizer(x) for x in g]), 1e-11)


@each_member
def test_single_precision_stays_single(member: Member) -> None:
    g = drawn(member, 3).astype(np.float32)
    norm, v = member.norm, member.norm.maximizer(g)
    close(v, norm.maximizer(g.astype(float)), 2e-4)
    found = v, norm.subgradient(g), norm.duality_map(g), norm.norm(g), norm.dual_norm(g), *norm.bracket(g)
    zeros = [method(0 * g) for method in (norm.norm, norm.dual_norm, norm.maximizer, norm.subgradient)]
    assert {x.dtype for x in (*found, *zeros)} == {np.dtype(np.float32)}


# --- referees -------------------------------------------------------------------------------------------------


def by_linear_program(facets: Any, g: Any) -> float:
    """The largest <g, v> over facets @ v <= 1."""
    found = linprog(-g, A_ub=facets, b_ub=np.ones(len(facets)), bounds=(None, None), method="highs")
    return -float(found.fun)


def signs(n: int) -> Any:
    return np.array(list(product([-1.0, 1.0], repeat=n)))


@pytest.mark.parametrize("seed", range(3))
def test_polyhedral_duals_by_linear_programs(seed: int) -> None:
    g = np.random.default_rng(seed).normal(size=4)
    weights = FALLING[:4]
    differences = np.eye(4) - np.eye(4, k=-1)
    cases: list[tuple[Norm, Any]] = [
        (norms.l1(), signs(4)),
        (norms.linf(), np.vstack([np.eye(4), -np.eye(4)])),
        (norms.sparse_sign(2), np.vstack([np.eye(4), -np.eye(4), signs(4) / 2])),
        (norms.owl(weights), np.vstack([signs(4) * np.array(w) for w in permutations(weights)])),
        (norms.l1() @ norms.Difference(), signs(4) @ differences),
        (norms.linf() @ SQUARE[:4, :4], np.vstack([SQUARE[:4, :4], -SQUARE[:4, :4]])),
    ]
    for norm, facets in cases:
        close(norm.dual_norm(g), by_linear_program(facets, g), 1e-9)


@pytest.mark.parametrize("name", ["l3", "l1.5", "mixed", "schatten 3", "k-support", "sobolev", "quadratic"])
def test_smooth_duals_by_a_general_solver(name: str) -> None:
    """max <g, v> subject to N(v) <= 1, with N by its formula."""
    member = CATALOGUE[name]
    g = drawn(member, 0)

    def room(v: Any) -> float:
        return 1.0 - float(member.value(v.reshape(member.shape)))

    start = np.ravel(g) / float(member.value(g))
    found = minimize(
        lambda v: -float(v @ np.ravel(g)), start, jac=lambda v: -np.ravel(g), method="SLSQP",
        constraints={"type": "ineq", "fun": room}, options={"ftol": 1e-13, "maxiter": 500},
    )  # fmt: skip
    close(-found.fun, member.norm.dual_norm(g), 1e-6)


# --- ties, zeros, rank ----------------------------------------------------------------------------------------


def test_ties_of_least_norm_and_vertices() -> None:
    g = np.array([2.0, -2.0, 0.0])
    close(norms.l1().maximizer(g), [0.5, -0.5, 0.0])
    close(norms.l1("vertex").maximizer(g), [1.0, 0.0, 0.0])
    close(norms.linf().maximizer(g), [1.0, -1.0, 0.0])
    close(norms.linf("vertex").maximizer(g), [1.0, -1.0, 1.0])
    close(norms.sparse_sign(1).maximizer(g), [0.5, -0.5, 0.0])
    close(norms.k_support(1).maximizer(g), [0.5, -0.5, 0.0])
    close(norms.owl(np.array([3.0, 2.0, 1.0])).maximizer(g), [0.2, -0.2, 0.0])


@pytest.mark.parametrize("shape", [(4, 4), (6, 4), (4, 6)])
def test_spectral_directions_at_any_rank(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(shape[0], 2)), rng.normal(size=(2, shape[1]))
    low = left @ right
    direction = norms.spectral().maximizer(low)
    close(singular_values(direction)[:2], [1.0, 1.0])
    assert singular_values(direction)[2] < 1e-12
    close(np.sum(low * direction), singular_values(low).sum())
    full = norms.spectral("vertex").maximizer(low)
    close(singular_values(full), np.ones(4))
    close(np.sum(low * full), singular_values(low).sum())


def test_repeated_singular_values() -> None:
    close(norms.nuclear().maximizer(np.eye(3)), np.eye(3) / 3)
    close(norms.nuclear("vertex").norm(norms.nuclear("vertex").maximizer(np.eye(3))), 1.0)
    close(norms.spectral().maximizer(5 * np.eye(3)), np.eye(3))
    close(norms.schatten(3).dual_norm(np.eye(3)), 3 ** (2 / 3))


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5, 1e9])
@pytest.mark.parametrize("shape", [(60, 60), (80, 60), (60, 80)])
def test_the_polar_factor_to_ten_digits(condition: float, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    rank = min(shape)
    left, right = np.linalg.qr(rng.normal(size=(shape[0], rank)))[0], np.linalg.qr(rng.normal(size=(shape[1], rank)))[0]
    x = (left * np.geomspace(1, 1 / condition, rank)) @ right.T
    tolerance = 1e-10 if condition < 1e8 else 1e-6
    assert np.max(np.abs(POLAR_FACTOR(x) - left @ right.T)) < tolerance
    if shape[0] >= shape[1]:
        assert np.max(np.abs(POLAR_FACTOR(x) - polar(x)[0])) < tolerance


def test_group_norms_with_a_group_of_zeros() -> None:
    g = np.array([[0.0, 0.0], [3.0, 4.0]])
    close(norms.group(2, np.inf, axes=1).maximizer(g), [[0.0, 0.0], [0.6, 0.8]])
    close(norms.group(2, 1, axes=1).maximizer(g), [[0.0, 0.0], [0.6, 0.8]])


def test_empty_arrays_have_length_zero() -> None:
    for norm in (norms.l1(), norms.l2(), norms.linf(), norms.lp(3)):
        assert norm.norm(np.zeros(0)) == 0
        assert norm.maximizer(np.zeros(0)).shape == (0,)


# --- trees and parameters -------------------------------------------------------------------------------------


def test_a_norm_of_a_tree_is_that_of_all_its_entries() -> None:
    tree = {"a": np.array([3.0, -4.0]), "b": (np.array([[12.0]]), 0.0)}
    assert norms.l2().norm(tree) == 13.0
    direction = norms.linf().maximizer(tree)
    assert direction["a"].tolist() == [1.0, -1.0]
    assert direction["b"][0].shape == (1, 1)
    assert isinstance(direction["b"][1], float)


def test_parameters_are_leaves_and_can_be_learned() -> None:
    norm = 2.0 * (norms.lp(3) @ norms.Diagonal(WEIGHTS))
    leaves, structure = flatten(norm)
    assert [np.shape(x) for x in leaves] == [(), (6,), ()]
    v = drawn(CATALOGUE["l3"], 0)
    gradient = cv.grad(lambda n: n.norm(v))(norm)
    step = 1e-6
    for i, leaf in enumerate(leaves):
        shifted = [x + step * (i == j) for j, x in enumerate(leaves)]
        back = [x - step * (i == j) for j, x in enumerate(leaves)]
        difference = (unflatten(structure, shifted).norm(v) - unflatten(structure, back).norm(v)) / (2 * step)
        close(np.sum(flatten(gradient)[0][i] * np.ones_like(leaf)), difference, 1e-7)


def test_a_metric_is_differentiated_through_the_direction() -> None:
    g = drawn(CATALOGUE["l3"], 0)

    def first_entry(matrix: Any) -> Any:
        return norms.quadratic(matrix).duality_map(g)[0]

    found = cv.grad(first_entry)(POSITIVE)
    inverse = np.linalg.inv(POSITIVE)
    wanted = -np.outer(inverse[0], inverse @ g)
    close(found + found.T, wanted + wanted.T, 1e-9)


@given(seeds)
def test_dividing_by_the_magnitude_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=4) * 10.0 ** float(rng.integers(-300, 300))
    unit = float(magnitude(vector))
    assert np.array_equal(vector / unit * unit, vector)
    assert 1 <= np.max(np.abs(vector)) / unit < 2


# --- refusals -------------------------------------------------------------------------------------------------


def test_bad_parameters_are_refused() -> None:
    makers: list[Callable[[], Any]] = [
        lambda: norms.lp(0.5), lambda: norms.l1("any"), lambda: norms.owl(np.array([1.0, 2.0])),
        lambda: norms.sparse_sign(0), lambda: norms.quadratic(-np.eye(2)), lambda: -1.0 * norms.l2(),
        lambda: norms.quadratic(np.eye(2), diagonal=np.ones(2)), lambda: norms.l2() @ np.ones((2, 2)),
        lambda: norms.quadratic(diagonal=np.array([1.0, 0.0])), lambda: norms.l2() @ np.ones((2, 3)),
        lambda: norms.as_norm("l7"), lambda: norms.as_norm(3), lambda: norms.define(), lambda: norms.sobolev(-1.0),
        lambda: norms.sobolev(1.0, "open"), lambda: norms.per_leaf("l2", outer="spectral"),
        lambda: norms.of_singular_values(norms.spectral()),
    ]  # fmt: skip
    for make in makers:
        with pytest.raises(ArgumentError):
            make()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeMismatchError, match="blockwise"):
        norms.spectral().norm(np.zeros((2, 2, 2)))
    with pytest.raises(TreeMismatchError, match="per_leaf"):
        norms.spectral().norm([np.eye(2), np.eye(2)])
    with pytest.raises(TreeMismatchError, match="prefix"):
        norms.as_norm({"a": "l1"}).norm({"b": np.zeros(2)})
    with pytest.raises(ShapeMismatchError, match="weights"):
        norms.owl(np.ones(3)).norm(np.zeros(2))
    with pytest.raises(NotDifferentiableError, match="real"):
        norms.l2().norm(np.zeros(2, complex))
    with pytest.raises(ArgumentError, match="positive definite"):
        norms.quadratic(product=lambda v: -v).dual_norm(np.ones(2))


@pytest.mark.parametrize(
    ("function", "evidence"),
    [
        (lambda v: np.sum(v**2), "N\\(2 v\\)"),
        (lambda v: np.sum(v), "not a norm"),
        (lambda v: np.sum(np.abs(v) ** 0.5) ** 2, "N\\(u \\+ v\\)"),
        (lambda v: 0.0 * np.sum(v), "is 0 for the vector"),
        (lambda v: np.max(v) + np.sum(np.abs(v)), "N\\(-1 v\\)"),
    ],
)
def test_functions_that_are_not_norms_are_refused_with_evidence(function: Any, evidence: str) -> None:
    with pytest.raises(ArgumentError, match=evidence):
        norms.check_norm(function, np.zeros(5))


def test_checking_a_norm_is_silent() -> None:
    norms.check_norm(norms.lp(3), {"a": np.zeros(3), "b": np.zeros((2, 2))})


def test_ravel_keeps_tracers() -> None:
    def inside(x: Any) -> Any:
        flat, restore = ravel({"a": x})
        assert isinstance(restore(flat)["a"], Tracer)
        return np.sum(flat)

    close(cv.grad(inside)(np.ones((2, 2))), np.ones((2, 2)))
