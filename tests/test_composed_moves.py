"""What only moves entries is composed: one move is left of several, and none if the entries are where they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.types import Array
from covector.ops.indexing import key_of, places_of

X = np.linspace(0.5, 2.0, 60).reshape(3, 4, 5)
Function = Callable[[Array], Array]

NOTHING_LEFT: dict[str, Function] = {
    "transposed twice": lambda x: x.T.T,
    "reshaped and back": lambda x: x.reshape(12, 5).reshape(60).reshape(3, 4, 5),
    "axes moved and back": lambda x: np.moveaxis(np.moveaxis(x, 0, 2), 2, 0),
    "axes exchanged three times": lambda x: x.transpose(1, 2, 0).transpose(1, 2, 0).transpose(1, 2, 0),
    "expanded and squeezed": lambda x: np.squeeze(x[None], 0),
    "split and joined": lambda x: np.concatenate(np.split(x, 2, axis=1), axis=1),
    "unstacked and stacked": lambda x: np.stack(list(x)),
    "stacked and taken": lambda x: np.stack([x, 2 * x])[0],
    "joined and taken": lambda x: np.concatenate([x, 2 * x], axis=1)[:, :4],
    "padded and cut": lambda x: np.pad(x, ((0, 0), (2, 1), (0, 3)))[:, 2:-1, :-3],
    "turned twice": lambda x: np.flip(np.flip(x, 1), 1),
    "turned twice by slices": lambda x: x[::-1, :, ::-1][::-1, :, ::-1],
    "negated twice": lambda x: -np.negative(x),
    "nothing added": lambda x: 0.0 + x - 0.0,
    "first power over one": lambda x: (x**1 / 1.0) * 1.0,
}

ONE_LEFT: dict[str, Function] = {
    "slice of a slice": lambda x: x[1:, ::-1][:, 1:3][-1],
    "slice of an index": lambda x: x[2][1:][::2, 3],
    "permutations": lambda x: x.transpose(2, 0, 1).transpose(0, 2, 1),
    "reshapes": lambda x: x.reshape(4, 15).reshape(5, 12),
    "slice of what was put": lambda x: np.pad(x, ((0, 0), (2, 1), (0, 0)))[:, 3:5],
    "slice of a part": lambda x: np.concatenate([x[:1], x], axis=0)[2:],
    "zeroth power": lambda x: x**0,
}


def operations(function: Function) -> list[str]:
    """The names of the operations that are left of a function."""
    return [e.primitive.name for e in cv.jit(function).lower(X).simplified.equations]


@pytest.mark.parametrize("name", NOTHING_LEFT)
def test_nothing_is_left(name: str) -> None:
    assert operations(lambda x: np.sin(NOTHING_LEFT[name](x))) == ["sin"]


@pytest.mark.parametrize("name", ONE_LEFT)
def test_one_operation_is_left(name: str) -> None:
    assert len(operations(ONE_LEFT[name])) == 1


@pytest.mark.parametrize("name", [*NOTHING_LEFT, *ONE_LEFT])
def test_values_and_gradients_stay(name: str) -> None:
    function = (NOTHING_LEFT | ONE_LEFT)[name]
    compiled = cv.jit(function)
    for x in (X, -X, X[::-1].copy()):
        np.testing.assert_array_equal(compiled(x), function(x))
        assert not np.shares_memory(compiled(x), x)
        gradient = cv.grad(lambda y: np.sum(np.sin(function(y)) * np.cos(y[0, 0, 0])))
        np.testing.assert_allclose(cv.jit(gradient)(x), gradient(x), rtol=1e-13)


def random_move(rng: np.random.Generator, x: Array) -> Array:
    """The array after some move."""
    ndim, axis = len(x.shape), int(rng.integers(len(x.shape)))
    length = x.shape[axis]
    start, stop = sorted(rng.integers(0, length + 1, 2).tolist())
    whole: Any = (slice(None),) * axis
    moves: list[Callable[[], Array]] = [
        lambda: x.transpose(rng.permutation(ndim).tolist()),
        lambda: x.reshape(-1, *x.shape[1:-1]) if ndim > 1 and x.size else x,
        lambda: x.reshape((1, *x.shape)),
        lambda: x[(*whole, slice(start, max(stop, start + 1)))],
        lambda: x[(*whole, slice(None, None, -1))],
        lambda: x[(*whole, slice(None, None, -2))],
        lambda: x[(*whole, int(rng.integers(-length, length)))] if ndim > 1 and length else x,
        lambda: np.concatenate([x, 2.0 * x], axis=axis)[(*whole, slice(start, start + max(1, length - 1)))],
        lambda: np.stack([x, 3.0 * x, -x], axis=axis)[(*whole, int(rng.integers(3)))],
        lambda: np.pad(x, [(1, 2)] * ndim)[(*whole, slice(1, -1))],
        lambda: np.concatenate(np.split(x, [start, stop], axis=axis), axis=axis),
        lambda: np.flip(x, axis),
        lambda: -x,
    ]
    return moves[int(rng.integers(len(moves)))]()


@pytest.mark.parametrize("seed", range(60))
def test_random_moves_are_numpys(seed: int) -> None:
    def moved(x: Array) -> Array:
        rng = np.random.default_rng(seed)
        for _ in range(8):
            x = random_move(rng, x)
        return x

    compiled, gradient = cv.jit(moved), cv.jit(cv.grad(lambda x: np.sum(np.sin(moved(x)))))
    for x in (X, X + 1.0):
        expected = moved(x)
        found = compiled(x)
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(gradient(x), cv.grad(lambda y: np.sum(np.sin(moved(y))))(x), rtol=1e-12)


def test_parts_of_other_dtypes_are_joined_first() -> None:
    def joined(x: Array, y: Array) -> Array:
        both = np.stack([x, y])
        return both[0] / 3.0, np.concatenate([x, y])[:1] / 3.0

    x, y = np.array([1.0, 2.0], np.float32), np.array([3.0, 4.0])
    compiled = cv.jit(joined)
    for _ in range(2):
        for found, expected in zip(compiled(x, y), joined(x, y), strict=True):
            assert found.dtype == expected.dtype == np.float64
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("power", [-7, -3, 0, 5, 6, 12, 31, 64])
def test_whole_powers_are_products(power: int) -> None:
    x = np.concatenate([np.linspace(-1.5, -0.5, 60), np.linspace(0.5, 1.5, 60)])
    compiled = cv.jit(lambda y: np.sin(y) ** power)
    np.testing.assert_allclose(compiled(x), np.sin(x) ** power, rtol=1e-13)
    np.testing.assert_allclose(compiled(x), np.sin(x) ** power, rtol=1e-13)
    assert "power" not in compiled.source(x)
    gradient = cv.jit(cv.grad(lambda y: np.sum(y**power)))
    np.testing.assert_allclose(gradient(x), power * x ** (power - 1.0), rtol=1e-13)


@pytest.mark.parametrize("power", [-3, 0, 5, 8])
def test_whole_powers_of_what_is_not_finite_are_numpys(power: int) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e200, -1e-200, 2.0] * 20)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(cv.jit(lambda y: y**power)(x), x**power, rtol=1e-14)


@pytest.mark.parametrize(
    "key",
    [
        (1, (None, None, None)), ((None, None, -1), 2), ((1, None, None), (None, -1, None)), (Ellipsis, 0),
        ((2, 0, -1), (None, None, 3)), ((3, 1, None), (None, None, None)), ((None, None, -2), Ellipsis), (),
    ],
)  # fmt: skip
def test_a_key_is_its_places(key: tuple[Any, ...]) -> None:
    index: Any = tuple(slice(*e) if isinstance(e, tuple) else e for e in key)
    x = np.arange(35).reshape(5, 7)
    places = places_of(key, x.shape)
    assert places is not None
    again: Any = tuple(slice(*e) if isinstance(e, tuple) else e for e in key_of(places, x.shape))
    np.testing.assert_array_equal(x[again], x[index])
