"""Pseudoinverses and least squares with singular values cut off that are not zero: `rcond` is part of the function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.testing import check_batching, check_grads

_RNG = np.random.default_rng(0)
WIDE, TALL, SQUARE = (_RNG.normal(size=shape) for shape in ((3, 4), (4, 3), (3, 3)))
COMPLEX = SQUARE + 1j * _RNG.normal(size=(3, 3))
EQUAL = np.diag([3.0, 3.0, 0.1])

each_matrix = pytest.mark.parametrize(
    "a", [WIDE, TALL, SQUARE, COMPLEX, EQUAL], ids=["3x4", "4x3", "3x3", "complex", "equal"]
)


@each_matrix
def test_pinv(a: Any) -> None:
    assert np.linalg.matrix_rank(np.linalg.pinv(a, rcond=0.5)) < 3
    check_grads(lambda x: np.linalg.pinv(x, rcond=0.5), (a,))
    check_batching(lambda x: np.linalg.pinv(x, rcond=0.5), (a,))


@each_matrix
def test_lstsq(a: Any) -> None:
    right = np.arange(1.0, 1.0 + len(a))
    check_grads(lambda x, b: np.linalg.lstsq(x, b, rcond=0.5)[0], (a, right), order=1)


@each_matrix
def test_a_small_cut_is_the_rule_for_constant_rank(a: Any) -> None:
    """Where nothing is cut off, the threshold does not matter."""
    full, cut = (cv.jacfwd(lambda x, r=r: np.linalg.pinv(x, rcond=r)) for r in (1e-15, 1e-6))
    np.testing.assert_allclose(cut(a.real), full(a.real), rtol=1e-9, atol=1e-9)


def test_the_zero_matrix() -> None:
    np.testing.assert_array_equal(
        cv.grad(lambda x: np.sum(np.linalg.pinv(x, rcond=0.5)))(np.zeros((2, 3))), np.zeros((2, 3))
    )


def test_compiled() -> None:
    gradient = cv.grad(lambda x: np.sum(np.sin(np.linalg.pinv(x, rcond=0.5))))
    compiled = cv.jit(gradient)
    for _ in range(2):
        np.testing.assert_allclose(compiled(WIDE), gradient(WIDE), rtol=1e-10)
