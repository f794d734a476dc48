"""What a loop combines with its carry one after the other is combined before the loop, and once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.accumulators import Accumulator
from covector.core.types import Array, ArrayType
from covector.graph.graph import Variable
from covector.ops.indexing import PutSlice

RNG = np.random.default_rng(5)
XS, W = RNG.normal(size=(40, 6)), RNG.normal(size=(6, 6)) * 0.4
A, B = RNG.uniform(0.5, 1.5, size=(2, 40, 6))


def chain(carry: Array, x: Any) -> Array:
    """One product after the other with what is known before, and its negative."""
    a, b, column = x
    return np.tanh(-(carry * a * b) + column)


def bundle(carry: Array, x: Any) -> Array:
    """Two multiples of one carry, added up."""
    a, b, column = x
    s = np.sin(carry)
    return s * a + s * b + column


def gates(carry: Array, x: Any) -> Array:
    """Slices of one product, each with a function of its own: those of the derivative are put next to each other."""
    a, _, column = x
    z = np.concatenate([W @ carry, W @ (carry * a)]) + np.concatenate([column, column])
    return 1.0 / (1.0 + np.exp(-z[:6])) * np.tanh(z[6:])


def run(step: Callable[[Array, Any], Array], first: Array) -> Array:
    """The sum of squares of the carries."""

    def body(carry: Array, x: Any) -> tuple[Array, Array]:
        found = step(carry, x)
        return found, found

    return np.sum(cv.scan(body, first, (A, B, XS))[1] ** 2)


@pytest.mark.parametrize("step", [chain, bundle, gates])
def test_gradients_are_those_of_a_loop_in_python(step: Callable[[Array, Any], Array]) -> None:
    def in_python(first: Array) -> Array:
        total, carry = 0.0, first
        for x in zip(A, B, XS, strict=True):
            carry = step(carry, x)
            total = total + np.sum(carry**2)
        return total

    first = RNG.normal(size=6)
    compiled = cv.jit(cv.grad(lambda c: run(step, c)))
    compiled(first)
    expected = cv.grad(in_python)(first)
    np.testing.assert_allclose(compiled(first), expected, rtol=1e-10)
    small = 1e-6 * RNG.normal(size=6)
    change = (in_python(first + small) - in_python(first - small)) / 2
    np.testing.assert_allclose(np.dot(compiled(first), small), change, rtol=1e-5)


@pytest.mark.parametrize(("step", "most"), [(chain, 1), (bundle, 1)])
def test_one_product_is_left_for_the_loop(step: Callable[[Array, Any], Array], most: int) -> None:
    compiled = cv.jit(lambda c: run(step, c))
    source = compiled.source(RNG.normal(size=6))
    (body,) = re.findall(r"    for .*?:\n((?:        .*\n)+)", source.split("\ndef ")[0])
    products = re.findall(r" \* |\*=|np\.multiply|np\.negative| -\w", body)
    assert len(products) == most, body


def part(*key: Any) -> PutSlice:
    return PutSlice(key, (6, 4))


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        (part((None, 3, None)), part((3, None, None)), True),
        (part((None, 3, None)), part((2, None, None)), False),
        (part((None, None, 2)), part((1, None, 2)), False),  # they are, but one does not end before the other
        (part(0), part(-1), True),
        (part(5), part(-1), False),
        (part(Ellipsis, 0), part(Ellipsis, (1, None, None)), True),
        (part(Ellipsis, 0), part(2), False),
        (part((4, None, -1)), part((5, None, None)), True),
        (part((2, 2, None)), part((None, None, None)), True),
    ],
)
def test_slices_that_lie_apart_are_assigned(first: PutSlice, second: PutSlice, apart: bool) -> None:
    accumulator = Accumulator(Variable(ArrayType((6, 4), np.float64)))
    assert accumulator.takes(first)
    assert accumulator.takes(second) == apart
    covered = np.zeros((2, 6, 4), bool)
    for place, put in zip(covered, (first, second), strict=True):
        place[tuple(slice(*e) if isinstance(e, tuple) else e for e in put.key)] = True
    assert not (apart and np.any(covered[0] & covered[1]))


@pytest.mark.parametrize("columns", [3, 700])
def test_what_is_the_same_in_all_steps_is_computed_before(columns: int) -> None:
    noise = RNG.normal(size=(12, columns))

    def final(p: Array, x: Array) -> Array:
        def step(carry: Array, z: Array) -> tuple[Array, None]:
            scale = np.sqrt(1.0 - np.tanh(p[0]) ** 2)
            return carry + scale * z * np.cos(p[1]) * carry, None

        return np.sum(cv.scan(step, x, noise)[0] ** 2)

    first = RNG.normal(size=columns)
    p = np.array([0.3, 0.4])
    source = cv.jit(final).source(p, first).split("\n\n\n")[0]
    before, loop = source.split("for ")[0], source.split("for ")[1]
    assert all(name in before for name in ("sqrt", "tanh", "cos"))
    assert not re.search(r"(sqrt|tanh|cos)\(", loop.split("\n    return")[0])
    expected = final(p, first)
    np.testing.assert_allclose(cv.jit(final)(p, first), expected, rtol=1e-12)
    derivative = cv.grad(final, (0, 1))
    compiled = cv.jit(derivative)
    compiled(p, first)
    for found, right in zip(compiled(p, first), derivative(p, first), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-10)
