"""Norms as values: arithmetic, equality, duals, what is refused, and what a learner may differentiate."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector import norms
from covector.errors import ArgumentError, ShapeMismatchError, TreeMismatchError
from covector.norms.bundle import Bundle
from covector.norms.layout import magnitude
from covector.norms.norm import Norm
from covector.norms.oracle import Oracle
from covector.norms.search import solve

RNG = np.random.default_rng(3)
MATRIX = RNG.normal(size=(3, 3)) + 3 * np.eye(3)
GRADIENT = np.array([3.0, -1.0, 0.5])


def made() -> dict[str, Norm]:
    """The same norms, made anew at every call."""
    return {
        "l1": norms.l1(), "l1 vertex": norms.l1("vertex"), "l2": norms.l2(), "l3": norms.lp(3), "rms": norms.rms(),
        "quadratic": norms.quadratic(MATRIX @ MATRIX.T), "diagonal": norms.quadratic(diagonal=np.arange(1.0, 4.0)),
        "sobolev": norms.sobolev(2.0), "sparse sign": norms.sparse_sign(2), "owl": norms.oscar(3),
        "sum": norms.l1() + norms.l2(), "hypot": norms.hypot(norms.l1(), norms.l2()),
        "minkowski": norms.minkowski(norms.lp(3), norms.l1()), "scaled": 2.0 * norms.l1(),
        "matrix": norms.l1() @ MATRIX,
        "vertices": norms.from_vertices(MATRIX), "facets": norms.from_facets(MATRIX), "spectral": norms.spectral(),
        "restricted": norms.restrict(norms.l1(), np.array([True, True, False])), "group": norms.group(2, 1),
        "tree": norms.tree({"a": "l1", "b": 3 * norms.l2()}), "kernel": norms.reshaped(norms.spectral(), (3, 1)),
        "function": norms.as_norm(np.linalg.norm),
    }  # fmt: skip


def test_norms_are_equal_if_they_are_made_alike() -> None:
    first, second = made(), made()
    for name, norm in first.items():
        assert [other for other, found in second.items() if found == norm] == [name]
        assert hash(norm) == hash(second[name])
        assert norm.dual == second[name].dual
        assert norm.dual.dual == norm
        assert pickle.loads(pickle.dumps(norm)) == norm
    assert 2 * norms.l1() == 2.0 * norms.l1() != 3 * norms.l1()
    assert norms.l1() != "l1"


def test_a_hash_does_not_change_with_the_entries_of_a_parameter() -> None:
    weights = np.ones(3)
    norm = norms.l1() @ norms.Diagonal(weights)
    before = hash(norm)
    weights[0] = 2.0
    assert hash(norm) == before
    assert norm != norms.l1() @ norms.Diagonal(np.ones(3))


def test_duals_of_the_catalogue_are_in_the_catalogue() -> None:
    assert norms.l1().dual == norms.linf()
    assert norms.linf("vertex").dual == norms.l1("vertex")
    assert norms.l2().dual == norms.l2()
    assert norms.nuclear().dual == norms.spectral()
    assert norms.low_rank_hull(2).dual == norms.ky_fan(2)
    assert norms.tree({"a": "l1", "b": "spectral"}, "l1").dual == norms.tree({"a": "linf", "b": "nuclear"})
    assert norms.group(1, 2).dual == norms.group(np.inf, 2)
    assert norms.per_leaf("l1").dual == norms.per_leaf("linf", "l1")


def test_norms_are_scaled_by_numbers_of_every_kind_from_both_sides() -> None:
    for factor in (2, 2.0, np.float64(2), np.float32(2), np.array(2.0)):
        assert float((factor * norms.l1()).norm(GRADIENT)) == float((norms.l1() * factor).norm(GRADIENT)) == 9.0
    for wrong in (-1.0, 0.0, np.nan, np.ones(3), "2"):
        with pytest.raises(ArgumentError, match="factor of a norm"):
            wrong * norms.l1()


def test_a_factor_is_learned() -> None:
    """2 N* = N*(g) / c: the derivative in c is -N*(g) / c^2, and jit and vmap agree."""

    def dual_norm(factor: Any) -> Any:
        return (factor * norms.l1()).dual_norm(GRADIENT)

    assert cv.grad(dual_norm)(2.0) == -0.75
    assert cv.jit(cv.grad(dual_norm))(2.0) == -0.75
    np.testing.assert_allclose(cv.vmap(dual_norm)(np.array([1.0, 2.0])), [3.0, 1.5])
    with pytest.raises(TypeError):
        cv.grad(lambda x: x * object())(2.0)


def test_norms_in_a_dict_are_arguments_of_compiled_functions() -> None:
    metric = {"a": norms.quadratic(diagonal=np.array([1.0, 4.0, 9.0])), "b": norms.l1()}

    def both(metric: Any, gradient: Any) -> Any:
        return metric["a"].dual_norm(gradient) + metric["b"].norm(gradient)

    assert cv.jit(both)(metric, GRADIENT) == pytest.approx(float(both(metric, GRADIENT)), rel=1e-15)


def test_the_share_of_an_interpolation_is_batched_and_learned() -> None:
    def length(share: Any) -> Any:
        return norms.interpolate(norms.l1(), norms.lp(4), share).norm(GRADIENT)

    step = 1e-6
    assert cv.grad(length)(0.5) == pytest.approx(float(length(0.5 + step) - length(0.5 - step)) / (2 * step), rel=1e-7)
    np.testing.assert_allclose(cv.vmap(length)(np.array([0.25, 0.5])), [length(0.25), length(0.5)])


@pytest.mark.parametrize("name", ["l1", "l2", "linf", "l3", "owl", "matrix", "vertices", "differences"])
def test_a_gradient_with_nan_has_no_quiet_direction(name: str) -> None:
    norm = {**made(), "linf": norms.linf(), "differences": norms.l1() @ norms.Difference()}[name]
    gradient = np.array([1.0, np.nan, 2.0])
    assert np.isnan(norm.dual_norm(gradient))
    assert np.any(np.isnan(norm.maximizer(gradient)))


EMPTY = {
    "l1": norms.l1(), "l3": norms.lp(3), "rms": norms.rms(), "sparse sign": norms.sparse_sign(2),
    "k-support": norms.k_support(2), "differences": norms.l1() @ norms.Difference(), "sobolev": norms.sobolev(1.0),
    "sum": norms.l1() + norms.l2(), "hypot": norms.hypot(norms.l1(), norms.l2()),
    "minkowski": norms.minkowski(norms.lp(3), norms.l1()), "function": norms.as_norm(lambda v: np.sum(np.abs(v))),
}  # fmt: skip


@pytest.mark.parametrize("norm", EMPTY.values(), ids=list(EMPTY))
def test_empty_vectors_have_length_zero(norm: Norm) -> None:
    nothing = np.zeros(0)
    assert norm.norm(nothing) == norm.dual_norm(nothing) == 0.0
    assert norm.maximizer(nothing).shape == norm.subgradient(nothing).shape == (0,)


@pytest.mark.parametrize("outer", ["l1", "l2", "linf"])
def test_a_tree_without_parts_has_length_zero(outer: str) -> None:
    norm = norms.tree({}, outer)
    assert norm.norm({}) == norm.dual_norm({}) == 0.0
    assert norm.maximizer({}) == norm.subgradient({}) == {}


@pytest.mark.parametrize("inner", [norms.l1(), norms.lp(3), norms.l1() @ np.array([[2.0, 1.0], [0.0, 1.0]])], ids=str)
def test_a_mask_that_keeps_nothing_gives_no_direction(inner: Norm) -> None:
    norm = norms.restrict(inner, np.zeros(2, bool))
    assert norm.dual_norm(np.ones(2)) == 0.0
    assert norm.maximizer(np.ones(2)).tolist() == [0.0, 0.0]
    assert norm.norm(np.zeros(2)) == 0.0


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 4), (4, 1), (1, 1)])
@pytest.mark.parametrize(
    "norm", [norms.spectral(), norms.nuclear(), norms.ky_fan(2), norms.schatten(3), norms.low_rank_hull(2)], ids=str
)
def test_matrices_without_rows_and_with_one(norm: Norm, shape: tuple[int, ...]) -> None:
    gradient = np.ones(shape)
    direction = norm.maximizer(gradient)
    assert direction.shape == shape
    assert np.sum(direction * gradient) == pytest.approx(float(norm.dual_norm(gradient)))


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a maker": (lambda: norms.as_norm(norms.l1), ArgumentError, r"write norms\.l1\("),
    "a maker with arguments": (lambda: norms.as_norm(norms.schatten), ArgumentError, r"write norms\.schatten\("),
    "a true exponent": (lambda: norms.lp(True), ArgumentError, "exponent"),
    "schatten below 1": (lambda: norms.schatten(0.9), ArgumentError, r"^schatten needs an exponent of at least 1"),
    "group below 1": (lambda: norms.group(2, 0.5), ArgumentError, r"^group needs an exponent of at least 1"),
    "a true number of values": (lambda: norms.ky_fan(True), ArgumentError, "positive integer"),
    "weights that are nan": (lambda: norms.owl([np.nan, 1.0]), ArgumentError, "owl needs"),
    "half an entry": (lambda: norms.oscar(2.5), ArgumentError, "size must be a positive integer"),  # type: ignore[arg-type]
    "complex matrix": (lambda: norms.quadratic(np.eye(2) * (1 + 0j)), ArgumentError, "real matrix"),
    "products of an indefinite matrix": (
        lambda: norms.quadratic(product=np.negative).norm(GRADIENT), ArgumentError, "positive definite H; <v, H v> is -"
    ),
    "products that lose entries": (
        lambda: norms.quadratic(product=lambda x: x[:2]).norm(GRADIENT), ShapeMismatchError, "is given, 3; found 2"
    ),
    "axes that are equal": (lambda: norms.blockwise("l2", axes=(0, 0)), ArgumentError, "different"),
    "axes that turn out equal": (
        lambda: norms.blockwise("l2", axes=(1, -1)).norm(np.ones((2, 2))), ArgumentError, "two are the same"
    ),
    "half an axis": (lambda: norms.blockwise("l2", axes=0.5), ArgumentError, "integer"),  # type: ignore[arg-type]
    "another size": (
        lambda: norms.reshaped(norms.spectral(), (2, -1)).norm(GRADIENT), ShapeMismatchError, r"\(2, -1\) to an array"
    ),
    "vertices that are nan": (lambda: norms.from_vertices(np.full((3, 3), np.nan)), ArgumentError, "rank"),
    "text exponent": (lambda: norms.lp("2"), ArgumentError, "exponent"),
    "singular factor": (lambda: norms.quadratic(cholesky=np.zeros((3, 3))), ArgumentError, "invertible factor"),
    "factor that is no matrix": (lambda: norms.quadratic(cholesky=np.ones(3)), ArgumentError, "square factor"),
    "weights": (
        lambda: norms.quadratic(diagonal={"a": np.ones(4)}).dual_norm({"a": GRADIENT}), ShapeMismatchError,
        r"argument\['a'\], of shape \(3,\)",
    ),
    "vertices": (lambda: norms.from_vertices(MATRIX).dual_norm(np.ones(4)), ShapeMismatchError, "of 3 entries"),
    "another tree": (lambda: norms.tree({"a": "l1"}).norm({"b": GRADIENT}), TreeMismatchError, "prefix"),
    "weights that broadcast": (
        lambda: norms.quadratic(diagonal=np.ones((2, 3))).norm(GRADIENT), ShapeMismatchError, "do not fit"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_norm_or_does_not_fit_is_refused(call: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


@pytest.mark.parametrize("scale", [1e-290, 1e-150, 1e150, 1e290])
def test_a_norm_written_by_its_user_is_as_exact_at_every_scale(scale: float) -> None:
    """Powers of what is measured would vanish or overflow; norms know that they are homogeneous."""

    def powers(v: Any) -> Any:
        return np.sum(np.abs(v) ** 3) ** (1 / 3) + np.sqrt(v @ v)

    def along(g: Any) -> Any:
        return g / np.sqrt(g @ g)

    for norm in (norms.as_norm(powers), norms.from_dual(powers), norms.from_maximizer(along)):
        for measured in (norm.norm, norm.dual_norm):
            np.testing.assert_allclose(measured(scale * GRADIENT) / scale, measured(GRADIENT), rtol=1e-9)
        np.testing.assert_allclose(norm.maximizer(scale * GRADIENT), norm.maximizer(GRADIENT), rtol=1e-6)


WIDE = RNG.normal(size=(9, 10))

SEMINORMS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "oblique": (lambda v: np.abs(v[0] + v[1]) + np.sum(np.abs(v[2:])), np.zeros(5)),
    "random kernel": (lambda v: np.max(np.abs(WIDE @ v)), np.zeros(10)),
    "of matrices": (lambda m: np.linalg.norm(m @ np.array([[1.0, 2.0], [2.0, 4.0]])), np.zeros((3, 2))),
    "of a tree": (lambda t: np.abs(t["a"] - 3 * t["b"][0]) + np.abs(t["b"][1]), {"a": 0.0, "b": np.zeros(2)}),
}  # fmt: skip


@pytest.mark.parametrize(("function", "like"), SEMINORMS.values(), ids=list(SEMINORMS))
def test_a_seminorm_is_refused_with_a_vector_of_length_zero(function: Any, like: Any) -> None:
    with pytest.raises(ArgumentError, match=r"N\(v\) is .* for the vector"):
        norms.check_norm(function, like)


def test_what_is_hardly_not_convex_is_refused_with_a_gradient() -> None:
    """The geometric mean of l1 and linf passes the triangle inequality at few random pairs."""
    with pytest.raises(ArgumentError, match="not convex"):
        norms.check_norm(lambda v: np.sqrt(np.sum(np.abs(v)) * np.max(np.abs(v))), np.zeros(5))


NORMS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "badly scaled": (lambda v: np.sum(np.abs(v * 10.0 ** np.arange(-4, 4))), np.zeros(8)),
    "largest of a hundred": (lambda v: np.max(np.abs(v)), np.zeros(100)),
    "nearly a seminorm": (lambda v: np.abs(v[0] + v[1]) + 1e-5 * np.abs(v[0] - v[1]), np.zeros(2)),
    "that cannot be differentiated": (lambda v: float(np.sum(np.abs(v))), np.zeros(5)),
    "of a rank-one face": (lambda m: np.linalg.norm(m, "nuc"), np.zeros((4, 6))),
    "single": (lambda v: np.sum(np.abs(v)) + np.linalg.norm(v), np.zeros(30, np.float32)),
}  # fmt: skip


@pytest.mark.parametrize(("function", "like"), NORMS.values(), ids=list(NORMS))
def test_norms_pass(function: Any, like: Any) -> None:
    norms.check_norm(function, like)


# --- certificates ---------------------------------------------------------------------------------------------

CURVED: dict[str, tuple[Norm, tuple[int, ...]]] = {
    "nuclear": (norms.nuclear(), (6, 6)), "ky fan": (norms.ky_fan(2), (6, 5)), "spectral": (norms.spectral(), (5, 6)),
    "k-support": (norms.k_support(4), (30,)), "sum": (norms.l1() + 2 * norms.linf(), (30,)),
}  # fmt: skip


@pytest.mark.parametrize(("norm", "shape"), CURVED.values(), ids=list(CURVED))
def test_both_bounds_of_a_black_box_are_tight_where_its_ball_is_curved(norm: Norm, shape: tuple[int, ...]) -> None:
    """Against the closed form, of which the search sees values and subgradients alone."""
    gradient = np.random.default_rng(1).normal(size=shape)

    def program(vector: Any) -> list[Any]:
        x = np.reshape(vector, shape)
        return [norm.norm(x), np.ravel(norm.subgradient(x))]

    found: Bundle = solve(Oracle(program, ()), np.ravel(gradient))
    steepness = float(norm.dual_norm(gradient))
    assert found.lower == pytest.approx(steepness, rel=1e-10)
    assert steepness * (1 - 1e-12) <= found.upper <= steepness * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("name", ["muon_norm", "rms_to_rms", "row_rms", "column_rms"])
def test_matrices_without_entries_have_norm_zero(name: str, shape: tuple[int, int]) -> None:
    norm, empty = getattr(norms, name)(), np.zeros(shape)
    assert norm.norm(empty) == norm.dual_norm(empty) == 0.0
    assert norm.maximizer(empty).shape == shape


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_unit_of_a_vector_is_a_power_of_two_within_range(dtype: Any) -> None:
    """Next to a power of two logarithms are rounded, and next to the end of the range their powers overflow."""
    info = np.finfo(dtype)
    for entry in (info.max, info.tiny, info.smallest_subnormal, np.nextafter(dtype(8), dtype(0)), dtype(-3)):
        unit = magnitude(np.array([0, entry], dtype))
        assert unit.dtype == dtype
        assert unit <= abs(entry) < 2 * np.longdouble(unit)
        assert np.isfinite(cv.vmap(magnitude)(np.array([[0, entry]], dtype))[0])
    assert magnitude(np.zeros(2, dtype)) == 1


@pytest.mark.parametrize("factor", [1e-150, 1e150])
def test_a_searched_norm_may_have_values_of_any_scale(factor: float) -> None:
    def small(v: Any) -> Any:
        return np.sqrt(v @ v) + np.max(np.abs(v))

    plain, far = norms.as_norm(small), norms.as_norm(lambda v: factor * small(v))
    np.testing.assert_allclose(far.dual_norm(GRADIENT) * factor, plain.dual_norm(GRADIENT), rtol=1e-9)
    np.testing.assert_allclose(far.maximizer(GRADIENT) * factor, plain.maximizer(GRADIENT), rtol=1e-6)
    warm, usual = norms.warm_start(GRADIENT), norms.warm_start(GRADIENT)
    for step in range(3):
        g = GRADIENT + 0.1 * step
        vector, lower, upper, warm = norms.warm_maximizer(far, g, warm, 0.1)
        _, _, wanted, usual = norms.warm_maximizer(plain, g, usual, 0.1)
        assert g @ vector >= 0.9 * upper
        np.testing.assert_allclose([far.norm(vector), lower / upper], [1.0, 1.0], rtol=0.1)
        np.testing.assert_allclose(upper * factor, wanted, rtol=0.1)
