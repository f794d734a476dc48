"""Rolled arrays and sums at indexed places, as compiled programs write them, are NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.ops.scattering import scatter_add

RNG = np.random.default_rng(0)
ARRAYS: dict[str, Any] = {
    "vector": RNG.normal(size=7),
    "matrix": RNG.normal(size=(4, 5)),
    "Fortran": np.asfortranarray(RNG.normal(size=(4, 5, 3))),
    "strided": RNG.normal(size=(8, 15))[::2, ::-3],
    "single": RNG.normal(size=(4, 5)).astype(np.float32),
    "integers": np.arange(20).reshape(4, 5),
    "booleans": RNG.random((4, 5)) < 0.5,
    "complex": RNG.normal(size=(4, 5)) + 1j,
    "empty": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)),
    "one": np.ones((1, 1)),
    "nan": np.array([[np.nan, np.inf], [1.0, -0.0]]),
    "large": RNG.normal(size=(300, 300)),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("shift", [0, 1, -1, 3, 5, -12, 100])
@pytest.mark.parametrize("axis", [0, -1, None])
def test_a_compiled_roll_is_that_of_numpy(name: str, shift: int, axis: int | None) -> None:
    x = ARRAYS[name]
    found, expected = cv.jit(lambda x: np.roll(x, shift, axis))(x), np.roll(x, shift, axis)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_a_rolled_array_is_the_callers_own() -> None:
    x = np.arange(4.0)
    found = cv.jit(lambda x: np.roll(x, 4))(x)
    found[0] = 7.0
    assert x[0] == 0.0


def test_a_roll_along_two_axes_is_that_of_numpy() -> None:
    x = ARRAYS["Fortran"]
    np.testing.assert_array_equal(cv.jit(lambda x: np.roll(x, (1, 2), (0, 2)))(x), np.roll(x, (1, 2), (0, 2)))


def added(x: Any, shape: tuple[int, ...], start: int, indices: Any) -> Any:
    """The sums, entry by entry of NumPy's own."""
    out = np.zeros(shape, x.dtype)
    np.add.at(out, (slice(None),) * start + tuple(indices), x)
    return out


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.int64])
@pytest.mark.parametrize(
    ("shape", "start", "picked"),
    [
        ((6,), 0, [(9,)]), ((6, 3), 0, [(9,)]), ((3, 6), 1, [(9,)]), ((2, 6, 3), 1, [(9,)]), ((6, 3), 0, [(2, 4)]),
        ((6, 5), 0, [(9,), (9,)]), ((6, 5, 2), 0, [(4, 1), (3,)]), ((2, 6, 5, 3), 1, [(4,), (4,)]), ((6, 3), 0, [()]),
        ((6, 3), 0, [(0,)]), ((6, 0), 0, [(9,)]), ((2, 3, 6), 2, [(9,)]), ((5000, 3), 0, [(4,)]),
        ((2, 70, 60, 3), 1, [(4,), (4,)]),
    ],
)  # fmt: skip
def test_sums_at_places_are_those_of_numpy(
    dtype: Any, shape: tuple[int, ...], start: int, picked: list[tuple[int, ...]]
) -> None:
    rng = np.random.default_rng(1)
    indices = [rng.integers(-n, n, size) for n, size in zip(shape[start:], picked, strict=False)]
    whole = np.broadcast_shapes(*picked)
    x = rng.integers(-9, 9, (*shape[:start], *whole, *shape[start + len(picked) :])).astype(dtype)
    found = scatter_add(x, shape, start, *map(np.asarray, indices))
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, added(x, shape, start, indices))


def test_nan_and_infinity_stay_where_they_are_added() -> None:
    x = np.array([[np.nan, 1.0], [np.inf, 2.0], [3.0, -np.inf], [4.0, 5.0]])
    i = np.array([0, 1, 1, 2])
    np.testing.assert_array_equal(scatter_add(x, (3, 2), 0, i), added(x, (3, 2), 0, [i]))


@pytest.mark.parametrize("index", [6, -7])
def test_a_place_outside_is_an_error(index: int) -> None:
    for start, shape in ((0, (6, 3)), (1, (3, 6))):
        x = np.ones((1, 3) if start == 0 else (3, 1))
        with pytest.raises(IndexError, match="out of bounds"):
            scatter_add(x, shape, start, np.array([index]))
