"""Norms composed three deep keep every law: twenty of them, drawn with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector import norms
from covector.norms.layout import pairing, ravel
from covector.norms.norm import Norm
from covector.trees import map_leaves

SIZE = 4
Maker = Callable[[Any, Norm, Norm], Norm]


def matrix(rng: Any) -> Any:
    return rng.normal(size=(SIZE, SIZE)) + 3 * np.eye(SIZE)


def positive_definite(rng: Any) -> Any:
    root = matrix(rng)
    return root @ root.T


def of_vectors(rng: Any) -> Norm:
    """A norm of the catalogue."""
    makers: list[Callable[[], Norm]] = [
        norms.l1, norms.l2, norms.linf, lambda: norms.lp(3), lambda: norms.lp(1.5), lambda: norms.k_support(2),
        lambda: norms.sparse_sign(2), lambda: norms.oscar(SIZE), lambda: norms.quadratic(positive_definite(rng)),
    ]  # fmt: skip
    maker: Callable[[], Norm] = makers[rng.integers(len(makers))]
    return maker()


COMBINED: list[Maker] = [
    lambda rng, one, two: one + two,
    lambda rng, one, two: one | two,
    lambda rng, one, two: norms.minkowski(one, two),
    lambda rng, one, two: norms.infimal_convolution(one, two),
    lambda rng, one, two: one @ matrix(rng),
    lambda rng, one, two: 2.5 * two,
    lambda rng, one, two: one.dual,
    lambda rng, one, two: norms.hypot(one, two),
]
OUTER = ("l1", "l2", "linf")


def composed(seed: int) -> Norm:
    """Two operations on norms of vectors, and a product over a tree around them."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(2):
        first = COMBINED[rng.integers(len(COMBINED))](rng, of_vectors(rng), of_vectors(rng))
        exact = first.traits.exact and first.traits.exact_norm      # a search in a search takes seconds
        rules = COMBINED if exact else COMBINED[4:7]
        parts.append(rules[rng.integers(len(rules))](rng, first, of_vectors(rng)))
    return norms.tree({"a": parts[0], "b": [parts[1], of_vectors(rng)]}, OUTER[rng.integers(3)])


@cache
def norm_of(seed: int) -> Norm:
    return composed(seed)


def drawn(seed: int) -> Any:
    rng = np.random.default_rng(100 + seed)
    return {"a": rng.normal(size=SIZE), "b": [rng.normal(size=SIZE), rng.normal(size=SIZE)]}


each_norm = pytest.mark.parametrize("seed", range(20))


@each_norm
def test_maximizers_and_subgradients_attain(seed: int) -> None:
    norm, g = norm_of(seed), drawn(seed)
    v = norm.maximizer(g)
    assert norm.norm(v) == pytest.approx(1.0, rel=1e-7)
    assert pairing(g, v) == pytest.approx(norm.dual_norm(g), rel=1e-8)
    s = norm.subgradient(g)
    assert norm.dual_norm(s) == pytest.approx(1.0, rel=1e-7)
    assert pairing(s, g) == pytest.approx(norm.norm(g), rel=1e-8)


@each_norm
def test_pairings_are_bounded_by_norms(seed: int) -> None:
    norm, g = norm_of(seed), drawn(seed)
    steepness = float(norm.dual_norm(g))
    for other in range(3):
        v = drawn(50 + other)
        assert pairing(g, v) <= steepness * norm.norm(v) * (1 + 1e-8)


@each_norm
def test_the_dual_of_the_dual_is_the_norm(seed: int) -> None:
    norm, v = norm_of(seed), drawn(seed)
    assert norm.dual.dual == norm
    assert norm.dual.dual.norm(v) == pytest.approx(norm.norm(v), rel=1e-9)
    assert norm.dual.norm(v) == pytest.approx(norm.dual_norm(v), rel=1e-9)


@each_norm
def test_the_gradient_of_the_dual_norm_is_a_maximizer(seed: int) -> None:
    norm, g = norm_of(seed), drawn(seed)
    gradient = cv.grad(norm.dual_norm)(g)
    assert norm.norm(gradient) <= 1 + 1e-7
    assert pairing(g, gradient) == pytest.approx(norm.dual_norm(g), rel=1e-8)


@each_norm
def test_every_scale_is_as_good_and_zero_is_zero(seed: int) -> None:
    norm, g = norm_of(seed), drawn(seed)
    steepness, direction = norm.dual_norm(g), ravel(norm.maximizer(g))[0]
    for scale in (1e-150, 1e150):
        small = map_leaves(lambda x, s=scale: s * x, g)
        assert norm.dual_norm(small) / scale == pytest.approx(steepness, rel=1e-7)
        assert pairing(g, norm.maximizer(small)) == pytest.approx(steepness, rel=1e-7)
    zero = map_leaves(np.zeros_like, g)
    assert norm.norm(zero) == norm.dual_norm(zero) == 0
    assert not np.any(ravel(norm.maximizer(zero))[0])
    assert np.any(direction)
