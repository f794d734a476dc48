"""Loops over blocks compute what the plain program does, whatever the shapes, dtypes and layouts."""

from __future__ import annotations

import random
import re
import warnings
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.shares import AddShare

ROWS = [65_536, 65_537, 100_003, 131_072]


def point(shape: tuple[int, ...], dtype: Any = float, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape).astype(dtype)


def agree(found: Any, expected: Any) -> None:
    """Equal to rounding, of equal dtype and shape."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    tolerance = 1e-4 if expected.dtype.itemsize == 4 else 1e-11
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.max(np.abs(expected), initial=0))


def quietly(function: Any, *arguments: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*arguments)


def compiled_agrees(function: Any, *arguments: Any, blocks: bool = True) -> None:
    """The value and the gradient, on as many threads as there may be."""
    for program in (function, cv.grad(function)):
        fast = cv.jit(program)
        for count in (1, 2, 3):
            with cv.config.using(threads=count):
                agree(quietly(fast, *arguments), quietly(program, *arguments))
    assert not blocks or "for start in range(" in cv.jit(cv.grad(function)).source(*arguments)


# --- shapes, dtypes, layouts ------------------------------------------------------------------------------


def wave(x: Any) -> Any:
    return np.sum(np.exp(np.sin(x) * np.cos(x)) ** 2 / (1.0 + x * x) - np.tanh(x))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_that_are_no_multiple_of_a_block(rows: int, dtype: Any) -> None:
    compiled_agrees(wave, point((rows,), dtype))


@pytest.mark.parametrize("shape", [(0,), (0, 70_000), (70_000, 0), (1, 70_000), (70_000, 1), (3, 50_000), (50_000, 3)])
def test_shapes_that_are_nearly_vectors(shape: tuple[int, ...]) -> None:
    compiled_agrees(lambda x: wave(x) + np.sum(np.mean(x, axis=-1) ** 2), point(shape), blocks=False)


@pytest.mark.parametrize("step", [(slice(None, None, 2),), (slice(None, None, -1),), (slice(None), slice(None, 40))])
def test_views_that_are_not_contiguous(step: Any) -> None:
    x = point((3_000, 80))[step]
    compiled_agrees(lambda x: wave(x) + np.sum(x.sum(axis=0) * x.T[:, 0]), x)
    compiled_agrees(wave, np.asfortranarray(x))


def test_integers_and_booleans_beside_the_point() -> None:
    n = np.arange(100_003) % 7
    compiled_agrees(lambda x: np.sum(np.where(n > 3, x * n, x**2) * (n % 2 == 0) * np.exp(x)), point((100_003,)))


def test_complex_entries() -> None:
    compiled_agrees(lambda x: np.sum(np.abs(np.exp(1j * x) * x + x * x * 2.0) ** 2), point((100_003,)))


# --- rows, columns, narrow axes ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2_001, 51), (9_001, 11), (31, 5_003), (40_001, 3)])
def test_rows_and_columns_that_are_repeated(shape: tuple[int, ...]) -> None:
    row, column = point(shape[1:], seed=1), point((shape[0], 1), seed=2)

    def function(x: Any) -> Any:
        scaled = (x - row) * column + x[0] * np.max(x, axis=1, keepdims=True)
        return np.sum(np.exp(-scaled) * row) + np.sum(np.mean(scaled, axis=0) ** 3)

    compiled_agrees(function, point(shape))


@pytest.mark.parametrize("width", [1, 2, 3, 16, 17])
def test_pairs_of_points_in_few_dimensions(width: int) -> None:
    mass = point((301,), seed=1)

    def energy(x: Any) -> Any:
        separation = x[:, None, :] - x[None, :, :]
        return np.sum(mass[:, None] * mass / np.sqrt(np.sum(separation**2, axis=-1) + 0.01))

    compiled_agrees(energy, point((301, width)))
    columns = "np.asfortranarray" in cv.jit(cv.grad(energy)).source(point((301, width)))
    assert columns == (2 <= width <= 16)


def test_narrow_arrays_from_outside() -> None:
    weights = point((400, 300, 3), seed=1)
    compiled_agrees(lambda x: np.sum((x[:, None, :] * weights + x[0]) ** 2), point((400, 3)))


# --- slices -----------------------------------------------------------------------------------------------

SLICES = [
    lambda x: np.sum((x[1:] - x[:-1]) ** 3),
    lambda x: np.sum(np.sin(x[2:] - 2.0 * x[1:-1] + x[:-2]) * x[1:-1]),
    lambda x: np.sum(np.sin(x[5:-3]) * x[1:-7] * x[:-8] + x[3:-5] ** 2),
    lambda x: np.sum(np.sin(x[::2][:-1]) * x[1:-1:2] ** 2) if x.size % 2 else np.sum(np.sin(x[::2]) * x[1::2]),
    lambda x: np.sum(np.sin(x[: x.size // 2]) * x[x.size // 2 : 2 * (x.size // 2)] ** 2),
    lambda x: np.sum(np.exp(x[:-1]) * x[1:]) + np.sum(x[10:] * x[:-10]) + np.sum(np.cos(x) * x[::-1]),
    lambda x: np.sum(np.exp(x[2:-2]) ** 2) + np.sum(x) * x[0],
]


@pytest.mark.parametrize("rows", [200_001, 400_000])
@pytest.mark.parametrize("function", SLICES)
def test_slices_that_share_rows(function: Any, rows: int) -> None:
    compiled_agrees(function, point((rows,)))


def test_slices_of_rows_and_columns() -> None:
    """A Laplacian: the gradient adds five shifted arrays."""

    def roughness(u: Any) -> Any:
        middle = u[1:-1, 1:-1]
        return np.sum((u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * middle) ** 2 * np.exp(middle))

    compiled_agrees(roughness, point((601, 403)))


def test_a_slice_alone_leaves_zeros() -> None:
    x = point((150_001,))
    found = cv.jit(cv.grad(lambda x: np.sum(np.exp(x[7:-9]) * np.sin(x[7:-9]))))(x)
    assert not found[:7].any()
    assert not found[-9:].any()
    agree(found[7:-9], np.exp(x[7:-9]) * (np.sin(x[7:-9]) + np.cos(x[7:-9])))


@pytest.mark.parametrize("shape", [(601, 403), (403, 601)])
def test_triangles_of_blocks(shape: tuple[int, ...]) -> None:
    compiled_agrees(lambda x: np.sum(np.exp(np.tril(x, 2)) * np.triu(x * x, -5) + np.sin(np.tril(x)) * x), point(shape))


# --- extremes ---------------------------------------------------------------------------------------------


def log_sum_exp(x: Any) -> Any:
    return np.max(x) + np.log(np.sum(np.exp(x - np.max(x))))


@pytest.mark.parametrize("shape", [(100_003,), (400, 251)])
@pytest.mark.parametrize("ties", [1, 2, 100, 100_000])
def test_an_extreme_is_shared_by_all_that_attain_it(shape: tuple[int, ...], ties: int) -> None:
    x = point(shape)
    x.flat[:ties] = 2.0
    compiled_agrees(log_sum_exp, x)
    gradient = cv.jit(cv.grad(lambda x: 3.0 * np.max(x) + np.sum(np.sin(x)) - np.min(x)))
    expected = np.cos(x) + 3.0 * (x == 2.0) / ties
    expected.flat[int(np.argmin(x))] -= 1.0
    agree(gradient(x), expected)
    graph = cv.jit(cv.grad(log_sum_exp)).source(x)
    assert "add_share(" in graph
    assert "tie_share(" not in graph


def test_an_extreme_that_is_not_a_number() -> None:
    x = point((100_003,))
    x[5] = np.nan
    assert np.isnan(quietly(cv.jit(cv.grad(log_sum_exp)), x)).all()


def test_shares_go_to_the_marked_entries() -> None:
    x = np.zeros(4)
    shares = AddShare()(x, np.array([True, False, True, False]), 3.0)
    np.testing.assert_array_equal(shares, [1.5, 0.0, 1.5, 0.0])
    assert not x.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_shift_that_does_not_matter_has_no_share(dtype: Any) -> None:
    x = point((100_003,), dtype)
    x[[3, 70_000]] = 2.0  # a tie

    def log_sum_exp(x: Any) -> Any:
        shift = np.max(x)
        return 3.0 * (shift + np.log(np.sum(np.exp(x - shift))))

    fast = cv.jit(cv.grad(log_sum_exp))
    assert "share" not in fast.source(x)
    exact = np.exp(x.astype(float))
    np.testing.assert_allclose(fast(x), 3.0 * exact / exact.sum(), rtol=1e-4 if dtype == np.float32 else 1e-12)


def test_a_share_of_what_is_left_stays() -> None:
    x = point((100_003,))
    x[[3, 70_000]] = 2.0
    fast = cv.jit(cv.grad(lambda x: np.log(np.sum(np.exp(x - np.max(x))))))
    exact = np.exp(x)
    np.testing.assert_allclose(fast(x), exact / exact.sum() - np.where(x == 2.0, 0.5, 0.0), rtol=1e-12)


# --- slices -----------------------------------------------------------------------------------------------


def test_a_slice_is_computed_where_it_is_put() -> None:
    def function(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2)

    assert re.search(
        r"(rows_\d) = put_slice_1_part_1\[here\].*out=\1\)", cv.jit(cv.grad(function)).source(point((100_003,))), re.S
    )
    compiled_agrees(function, point((100_003,)))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_slice_that_is_read_after_others_were_added(steps: int) -> None:
    def function(x: Any) -> Any:
        slope = np.sin(x[steps:]) * x[:-steps]
        return np.sum(slope * np.cos(slope * x[steps:]) + slope * x[1 : x.shape[0] - steps + 1])

    compiled_agrees(function, point((100_003,)))


def test_a_sum_that_is_no_divisor_is_seen() -> None:
    """Of many weights only their sum is wanted: where there are none it is NaN, as in NumPy."""

    def total(x: Any) -> Any:
        return np.sum(x / np.sum(x))

    fast = cv.jit(total)
    assert fast(np.ones(100_000)) == pytest.approx(1.0)
    assert np.isnan(quietly(fast, np.zeros(100_000)))


# --- one operation alone ------------------------------------------------------------------------------------

MANY = 2**19 + 7

ALONE: list[tuple[str, Any]] = [
    ("largest", lambda x: np.max(x)),
    ("smallest of columns", lambda x: np.min(np.reshape(x, (-1, 1)), axis=0)),
    ("sum", lambda x: np.sum(x)),
    ("sine", lambda x: np.sin(x)),
    ("comparison", lambda x: x > 1.0),
    ("number on the left", lambda x: 2 - x),
    ("reshaped", lambda x: np.reshape(x, (MANY, 1))),
    ("largest, subtracted", lambda x: x - np.max(x)),
    ("softmax", lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x)))),
]


NOT_OF_BOOLEANS = ("number on the left", "largest, subtracted", "softmax")

CASES = [
    pytest.param(name, function, dtype, id=f"{name}-{dtype.__name__}")
    for name, function in ALONE
    for dtype in (np.float64, np.float32, np.int32, np.bool_)
    if dtype != np.bool_ or name not in NOT_OF_BOOLEANS
]


@pytest.mark.parametrize(("name", "function", "dtype"), CASES)
def test_one_operation_on_several_threads(name: str, function: Any, dtype: Any) -> None:
    x = point((MANY,), dtype)
    fast = cv.jit(function)
    assert ("in_blocks(" in fast.source(x)) is (name != "reshaped")
    for count in (1, 2, 3):
        with cv.config.using(threads=count):
            for _ in range(2):
                agree(fast(x), function(x))


@pytest.mark.parametrize("place", [0, MANY // 2, MANY - 1])
@pytest.mark.parametrize("reduce", [np.max, np.min, np.sum])
def test_what_is_no_number_is_seen_in_any_block(reduce: Any, place: int) -> None:
    x = point((MANY,))
    x[place] = np.nan
    with cv.config.using(threads=2):
        assert np.isnan(cv.jit(lambda x: reduce(x))(x))


def test_an_argument_is_not_written_into() -> None:
    x = point((MANY,))
    before = x.copy()
    fast = cv.jit(lambda x: np.sqrt(x))
    found = fast(x)
    assert not np.shares_memory(found, x)
    assert not np.shares_memory(fast(x), found)
    np.testing.assert_array_equal(x, before)


# --- several outputs ----------------------------------------------------------------------------------------

STEPS = [np.add, np.subtract, np.multiply, np.maximum, np.hypot, np.sin, np.negative, np.square, np.tanh, np.cos]


@pytest.mark.parametrize("seed", range(25))
def test_outputs_are_what_they_are_without_blocks(seed: int) -> None:
    """Any of what is computed may be an output: read later, the sum of slices, computed where another one is kept."""

    def program(x: Any, y: Any) -> list[Any]:
        choice = random.Random(seed)
        known = [x[1:], x[:-1], y[1:], y[:-1]]
        for _ in range(choice.randrange(4, 16)):
            left, right = (choice.choice(known[-6:]) for _ in range(2))
            step = choice.choice(STEPS)
            known.append(0.5 * (step(left, right) if step.nin == 2 else step(left)))
        return [*choice.sample(known[4:], 3), np.sum(known[-2]), known[-1] - np.mean(known[-1])]

    def gradient(x: Any, y: Any) -> Any:
        return list(cv.grad(lambda x, y: program(x, y)[3] + np.sum(program(x, y)[4] ** 2), argnums=(0, 1))(x, y))

    x, y = point((100_003,), seed=seed), point((100_003,), seed=seed + 100)
    for function in (program, gradient):
        expected, fast = function(x, y), cv.jit(function)
        for count in (1, 2, 2):
            with cv.config.using(threads=count):
                for found, wanted in zip(fast(x, y), expected, strict=True):
                    agree(found, wanted)
