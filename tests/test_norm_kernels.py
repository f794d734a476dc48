"""The kernels of norms: polar factors, leading singular values, the l1 ball; at ties, zeros, any rank and any scale."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from benchmarks.norms import projected_by_sorting
from covector import norms
from covector.norms import leading as leading_module
from covector.norms import polar as polar_module
from covector.norms.l1_ball import level
from covector.norms.leading import leading
from covector.norms.polar import POLAR_FACTOR
from covector.norms.ties import signs_times
from covector.testing import check_grads


def orthonormal(rows: int, columns: int, seed: int) -> Any:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(rows, columns)))[0]


def matrix(values: Any, rows: int | None = None) -> tuple[Any, Any]:
    """A matrix with these singular values, and its polar factor."""
    columns = len(values)
    left, right = orthonormal(rows or columns, columns, 0), orthonormal(columns, columns, 1)
    return (left * values) @ right.T, (left * np.sign(values)) @ right.T


SIZE = 120
SPECTRA: dict[str, Any] = {
    "condition 10": np.geomspace(1, 0.1, SIZE), "condition 1e3": np.geomspace(1, 1e-3, SIZE),
    "condition 1e6": np.geomspace(1, 1e-6, SIZE), "condition 1e9": np.geomspace(1, 1e-9, SIZE),
    "one small": np.append(np.linspace(2, 1, SIZE - 1), 1e-9), "half small": np.repeat([1.0, 1e-5], SIZE // 2),
    "power law": np.arange(1.0, SIZE + 1) ** -1.5, "rank one": np.eye(SIZE)[0], "all equal": np.full(SIZE, 3.0),
    "half zero": np.repeat([1.0, 0.0], SIZE // 2), "pairs": np.repeat(np.geomspace(1, 1e-2, SIZE // 2), 2),
    "three levels": np.repeat([1.0, 1e-4, 1e-8], SIZE // 3), "levels and zeros": np.repeat([1.0, 1e-4, 0.0], SIZE // 3),
}  # fmt: skip
each_spectrum = pytest.mark.parametrize("values", SPECTRA.values(), ids=list(SPECTRA))


def conditioning(values: Any) -> float:
    return float(np.max(values) / np.min(values[values > 0]))


@each_spectrum
@pytest.mark.parametrize("rows", [SIZE, SIZE + 50, 4 * SIZE])
def test_large_polar_factors_are_as_accurate_as_the_decomposition(values: Any, rows: int) -> None:
    """The factor is known to the condition number times rounding; its singular values are 1 or 0 in any case."""
    x, wanted = matrix(values, rows)
    factor, tolerance = POLAR_FACTOR(x), 1e-14 * conditioning(values) + 1e-10
    assert np.max(np.abs(factor - wanted)) < tolerance
    found = np.linalg.svd(factor, compute_uv=False)
    assert np.max(np.abs(found - np.sort(np.sign(values))[::-1])) < 1e-10
    np.testing.assert_allclose(np.sum(factor * x), np.sum(values), rtol=1e-12)
    assert np.max(np.abs(POLAR_FACTOR(x.T) - wanted.T)) < tolerance


@pytest.mark.parametrize("scale", [1e-150, 1e150, 1e-300])
@pytest.mark.parametrize("shape", [(5, 3), (40, 8), (SIZE, SIZE)])
def test_polar_factors_do_not_depend_on_the_scale(scale: float, shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(norms.spectral().maximizer(scale * x), norms.spectral().maximizer(x), atol=1e-11)


@each_spectrum
def test_in_single_precision_the_gram_matrix_is_double(values: Any) -> None:
    """In single precision the squares of a condition of 1e3 would be nothing but rounding."""
    x, wanted = matrix(values)
    factor = POLAR_FACTOR(x.astype(np.float32))
    assert factor.dtype == np.float32
    if conditioning(values) < 1e4:
        assert np.max(np.abs(factor - wanted)) < 3e-7 * conditioning(values)


def test_polar_factors_of_zero_and_of_nothing() -> None:
    for shape in [(3, 2), (SIZE, SIZE), (4, SIZE, SIZE)]:
        assert not np.any(POLAR_FACTOR(np.zeros(shape)))
    for empty in [(0, 3), (3, 0), (0, 2, 2)]:
        assert POLAR_FACTOR(np.zeros(empty)).shape == empty


@pytest.mark.parametrize("shape", [(5, 30, 4), (5, 4, 30), (7, 3, 3), (2, 3, 20, 5), (2, SIZE, SIZE)])
def test_a_stack_is_done_as_its_matrices_are(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    x[0] *= 0.0
    x[1, ..., 0] *= 1e-7  # too badly conditioned for its Gram matrix
    flat = x.reshape(-1, *shape[-2:])
    left, values, right = np.linalg.svd(flat, full_matrices=False)
    used = values > 1e-12 * np.maximum(values[:, :1], 1e-300)
    wanted = ((left * used[:, None, :]) @ right).reshape(shape)
    np.testing.assert_allclose(POLAR_FACTOR(x), wanted, atol=1e-8)
    np.testing.assert_allclose(cv.vmap(norms.spectral().maximizer)(flat), wanted.reshape(flat.shape), atol=1e-8)


def test_no_matrix_of_a_small_stack_is_visited_by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """One decomposition for all: the number of calls of LAPACK's wrappers does not depend on how many there are."""
    calls = counted(monkeypatch, np.linalg, "eigh"), counted(monkeypatch, np.linalg, "svd")
    cv.vmap(norms.spectral().maximizer)(np.random.default_rng(0).normal(size=(500, 12, 4)))
    assert max(map(len, calls)) <= 1


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """Replaces a function by one that notes its calls in the list that is returned."""
    calls: list[int] = []
    original: Callable[..., Any] = getattr(module, name)

    def counting(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return original(*args, **options)

    monkeypatch.setattr(module, name, counting)
    return calls


def test_a_well_conditioned_matrix_is_not_decomposed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, np.linalg, "svd")
    POLAR_FACTOR(matrix(SPECTRA["one small"])[0])
    assert not calls


def test_entries_that_are_not_numbers_are_not_taken_for_zeros() -> None:
    for entry in (np.nan, np.inf):
        x = matrix(SPECTRA["condition 10"])[0]
        x[3, 4] = entry
        assert np.all(np.isnan(POLAR_FACTOR(x)))


def test_parts_of_parts_stay_orthogonal_to_the_first() -> None:
    """Columns that are 1e-9 of the largest, next to rounding errors of those that are a hundredth of it."""
    values = np.concatenate([np.ones(SIZE // 2), np.geomspace(1e-2, 1e-9, SIZE // 2)])
    x, wanted = matrix(values)
    assert not polar_module._mostly_small(x.T @ x, float(np.sum(x**2)))
    factor = POLAR_FACTOR(x)
    assert np.max(np.abs(factor.T @ factor - np.eye(SIZE))) < 1e-11
    assert np.max(np.abs(factor - wanted)) < 1e-14 * conditioning(values)
    product = factor.T @ x
    assert np.max(np.abs(product - product.T)) < 1e-13


def test_the_guard_hands_matrices_with_many_small_values_to_the_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, np.linalg, "svd")
    POLAR_FACTOR(matrix(SPECTRA["condition 1e9"])[0])
    assert calls


def test_without_the_parts_a_large_condition_would_spoil_the_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What KEPT protects from: dividing by all eigenvalues of the Gram matrix alike."""
    monkeypatch.setattr(polar_module, "KEPT", 1e-30)
    factor = POLAR_FACTOR(matrix(np.append(np.linspace(2, 1, SIZE - 3), [1e-6, 2e-6, 3e-6]))[0])
    assert not np.max(np.abs(np.linalg.svd(factor, compute_uv=False) - 1.0)) < 1e-7


def test_large_polar_factors_are_differentiated() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    check_grads(POLAR_FACTOR, (x,), order=2)
    weights = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    large, change = matrix(SPECTRA["condition 10"])[0], np.random.default_rng(2).normal(size=(SIZE, SIZE))

    def weighted(z: Any) -> Any:
        return np.sum(weights * norms.spectral().maximizer(z))

    slope = (weighted(large + 1e-6 * change) - weighted(large - 1e-6 * change)) / 2e-6
    np.testing.assert_allclose(np.sum(cv.grad(weighted)(large) * change), slope, rtol=1e-5)


# --- leading singular values ----------------------------------------------------------------------------------

LARGE = 200


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("rows", [LARGE, LARGE + 100])
def test_leading_singular_vectors_are_those_of_the_decomposition(count: int, rows: int) -> None:
    x, _ = matrix(np.arange(1.0, LARGE + 1) ** -0.7, rows)
    for each in (x, x.T.copy()):
        found = leading(each, count)
        assert found is not None
        left, values, right = np.linalg.svd(each, full_matrices=False)
        np.testing.assert_allclose(found[1], values[:count], rtol=1e-12)
        np.testing.assert_allclose(found[0] @ found[2], left[:, :count] @ right[:count], atol=1e-10)


UNPROVABLE = {
    "a tie": np.append([1.0, 1.0], np.linspace(0.5, 0.1, LARGE - 2)),
    "nearly a tie": np.append([1.0, 1.0 - 1e-5], np.linspace(0.5, 0.1, LARGE - 2)),
    "all equal": np.ones(LARGE), "zero": np.zeros(LARGE),
}  # fmt: skip


@pytest.mark.parametrize("values", UNPROVABLE.values(), ids=list(UNPROVABLE))
def test_what_cannot_be_proved_is_left_to_the_decomposition(values: Any) -> None:
    x, _ = matrix(values)
    assert leading(x, 1) is None
    norm = norms.nuclear()
    direction = norm.maximizer(x)
    np.testing.assert_allclose(np.sum(direction * x), np.max(values), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(norm.norm(direction), np.sign(np.max(values)), rtol=1e-10)


def test_a_larger_value_that_the_search_cannot_see_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start in a subspace that the matrix keeps to itself: all looks well from inside, and the certificate fails."""
    x = np.diag(np.append(np.linspace(5.0, 1.0, LARGE - 1), 9.0))
    inside = np.append(np.random.default_rng(0).normal(size=LARGE - 1), 0.0)

    class Start:
        def normal(self, size: int) -> Any:
            return inside

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Start())
    found = leading_module._bidiagonalized(x, 1)
    assert found is not None
    np.testing.assert_allclose(found[1], [5.0])
    assert leading(x, 1) is None


def test_rank_one_matrices() -> None:
    x = np.outer(np.arange(1.0, 251.0), np.ones(220))
    left, right = norms.nuclear().factors(x)
    assert (left.shape, right.shape) == ((250, 1), (1, 220))
    np.testing.assert_allclose(np.linalg.norm(x) * left @ right, x, rtol=1e-12)


FACTORED = {
    "nuclear": norms.nuclear(), "hull": norms.low_rank_hull(3), "spectral": norms.spectral(), "fan": norms.ky_fan(2),
}  # fmt: skip


@pytest.mark.parametrize("norm", FACTORED.values(), ids=list(FACTORED))
@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e150])
def test_the_factors_multiply_to_the_maximizer(norm: Any, scale: float) -> None:
    x = scale * matrix(np.arange(1.0, LARGE + 1) ** -0.7, LARGE + 20)[0]
    left, right = norm.factors(x)
    np.testing.assert_allclose(left @ right, norm.maximizer(x), atol=1e-10)
    np.testing.assert_allclose(np.sum((x @ right.T) * left), norm.dual_norm(x), rtol=1e-10)
    assert left.shape[1] == np.linalg.matrix_rank(left @ right, tol=1e-6)


# --- the l1 ball ----------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(1e-6, 2.0), st.sampled_from([1, 2, 50, 5000, 20_000]))
def test_michelots_projection_is_the_one_by_sorting(seed: int, part: float, size: int) -> None:
    random = np.random.default_rng(seed)
    draws: list[Callable[[], Any]] = [
        partial(random.normal, size=size), partial(random.standard_cauchy, size=size),
        lambda: np.round(random.normal(size=size)), lambda: random.normal(size=size) * (random.random(size) < 0.01),
        lambda: np.full(size, 2.0), lambda: np.zeros(size),
    ]  # fmt: skip
    x = draws[seed % len(draws)]()
    total = float(np.sum(np.abs(x)))
    radius = part * total if total else 1.0
    found = norms.l1().project(x, radius)
    wanted = projected_by_sorting(x, radius) if total > radius else x
    np.testing.assert_allclose(found, wanted, atol=1e-12 * max(float(np.max(np.abs(x))), 1e-300))


@pytest.mark.parametrize("part", [1e-9, 1e-3, 0.05, 0.2, 0.6, 0.95, 1 - 1e-9])
@pytest.mark.parametrize("power", [1, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_level_leaves_the_total_whatever_part_stays_above_it(part: float, power: int, dtype: Any) -> None:
    """Few entries above the level, which are copied, and many, which are bounded; even and heavy-tailed ones."""
    sizes = np.abs(np.random.default_rng(0).normal(size=300_000) ** power).astype(dtype)
    total = part * float(np.sum(sizes, dtype=float))
    t = level(sizes, total)
    excess = np.maximum(sizes.astype(float) - t, 0.0)
    error = abs(np.sum(excess) - total) / np.count_nonzero(excess)
    assert error < 20 * np.finfo(dtype).eps * max(t, float(np.mean(sizes)))


def test_entries_on_the_level_itself() -> None:
    """Whether they count as above changes with the last digit of the level, and nothing else."""
    for seed in range(200):
        sizes = np.abs(np.random.default_rng(seed).normal(size=9))
        total = float(np.sum(np.maximum(sizes - sizes[4], 0.0)))
        if total:
            np.testing.assert_allclose(level(sizes, total), sizes[4], atol=1e-14)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_projection_does_not_depend_on_the_scale(scale: float) -> None:
    x = np.random.default_rng(0).normal(size=10_000)
    found = norms.l1().project(scale * x, scale * 3.0) / scale
    np.testing.assert_allclose(found, norms.l1().project(x, 3.0), atol=1e-13)


def test_a_sample_that_misleads_is_found_out() -> None:
    """Every 64th entry, which the sample consists of, is far larger than all others."""
    sizes = np.where(np.arange(10_000) % 64 == 0, 100.0, 1.0)
    for total in (1.0, 100.0, 15_000.0, 20_000.0):
        t = level(sizes, total)
        np.testing.assert_allclose(np.sum(np.maximum(sizes - t, 0.0)), total, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("factor", [-0.5, 3.0, 0.1])
def test_signs_by_their_bits(dtype: Any, factor: float) -> None:
    limits = np.finfo(dtype)
    numbers = [0.0, -0.0, 1.0, -2.0, limits.max, limits.min, limits.smallest_subnormal, -limits.tiny, np.inf, -np.inf]
    x = np.array([numbers, numbers[::-1]], dtype)
    for each in (x, x[:, ::3], x.T, x[:, 2:6], x[:0]):
        before = each.copy()
        found = signs_times(each, factor)
        np.testing.assert_array_equal(found, dtype(factor) * np.sign(each))
        assert found.dtype == dtype
        np.testing.assert_array_equal(each, before)


@pytest.mark.parametrize("options", [{}, {"mode": "dual"}, {"max_step": 0.05}, {"weight_decay": 0.1}, {"radius": 9.0}])
@pytest.mark.parametrize("step", [0.1, 0.0, lambda count: 0.5 / (count + 1.0)])
def test_a_step_of_signs_is_the_signs_times_the_step(options: Any, step: Any) -> None:
    """Both written out by hand, whether or not the length of the step is known before its direction."""
    gradient = {"a": np.array([[3.0, 0.0], [-1e-310, -2.0]]), "b": np.float64(-1.0)}
    params: dict[str, Any] = {"a": np.array([[1.0, 2.0], [0.5, -3.0]]), "b": np.float64(2.0)}
    optimizer = cv.steepest_descent("linf", step, **options)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    length = step(0) if callable(step) else step
    for name, x in params.items():
        towards, sign = length * options.get("radius", 1.0), np.sign(np.asarray(gradient[name]))
        if "max_step" in options:
            towards = min(length, options["max_step"])
        elif "mode" in options:
            towards = length * 6.0
        wanted = -towards * sign - length * (options.get("weight_decay", 0.0) + ("radius" in options)) * x
        np.testing.assert_allclose(updates[name], wanted, rtol=1e-15)


def test_the_projection_is_a_new_array() -> None:
    x = np.ones(3)
    inside = norms.l1().project(x, 10.0)
    inside[0] = 5.0
    assert x[0] == 1.0
