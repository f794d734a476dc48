"""Sums and extremes of short rows are written in quicker ways, and are what NumPy makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv

SHAPES = [(5, 3), (300, 5), (1, 4), (4, 1), (300, 33), (7, 200), (6, 4, 3), (40, 2, 2), (3, 1, 5), (70_000, 3), (0, 4)]


def axes_of(shape: tuple[int, ...]) -> list[Any]:
    """All axes and pairs of them."""
    single = [*range(len(shape)), -1]
    return [*single, *([(0, 1), (1, 2), (0, 2)] if len(shape) == 3 else [])]


CASES = [(shape, axis) for shape in SHAPES for axis in axes_of(shape)]


def array(shape: tuple[int, ...], dtype: Any, order: str) -> Any:
    """Numbers of all sizes, some of them equal."""
    found = np.random.default_rng(1).normal(size=shape).round(1).astype(dtype)
    if order == "strided":
        return np.repeat(found, 2, axis=-1)[..., ::2]
    return np.asfortranarray(found) if order == "columns" else found


@pytest.mark.parametrize("order", ["rows", "columns", "strided"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.int64])
@pytest.mark.parametrize(("shape", "axis"), CASES)
def test_sums(shape: Any, axis: Any, dtype: Any, keepdims: bool, order: str) -> None:
    x = array(shape, dtype, order)
    fast = cv.jit(lambda x: np.sum(x * 2, axis=axis, keepdims=keepdims))
    expected = np.sum(x * 2, axis=axis, keepdims=keepdims)
    for _ in range(2):
        found = fast(x)
        assert (found.shape, found.dtype, found.flags.writeable) == (expected.shape, expected.dtype, True)
        rtol, atol = (1e-4, 1e-3) if dtype == np.float32 else (1e-12, 1e-10)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("order", ["rows", "columns", "strided"])
@pytest.mark.parametrize("extreme", [np.max, np.min])
@pytest.mark.parametrize(("shape", "axis"), [case for case in CASES if 0 not in case[0]])
def test_extremes_and_their_gradients(shape: Any, axis: Any, extreme: Any, order: str) -> None:
    x = array(shape, np.float64, order)

    def function(x: Any) -> Any:
        return np.sum(extreme(x, axis=axis) ** 2)

    fast = cv.jit(cv.value_and_grad(function))
    for _ in range(2):
        for found, expected in zip(fast(x), cv.value_and_grad(function)(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_not_finite_stays_in_its_row(value: float, axis: int) -> None:
    x = np.ones((50, 4))
    x[7, 2] = value
    fast = cv.jit(lambda x: (np.sum(x, axis=axis), np.max(x, axis=axis)))
    for _ in range(2):
        for found, expected in zip(fast(x), (np.sum(x, axis=axis), np.max(x, axis=axis)), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_softmax_of_few_classes_is_written_with_products() -> None:
    def softmax(x: Any) -> Any:
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    source = cv.jit(softmax).source(np.ones((300, 10)))
    assert ".dot(ones(10))" in source
    assert "row_extremum(np.maximum" in source
