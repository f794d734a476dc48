"""Random nests of scans, while loops, counted loops and branches: what they and their derivatives give is what the
plain Python loops give, compiled and not, in batches, and exported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv

Body = Callable[[Any, Any, Any], Any]
"""A function of the library of loops, a value, and a number."""


class InPython:
    """The loops that the functions of covector stand for."""

    @staticmethod
    def scan(f: Any, carry: Any, xs: Any, length: int, reverse: bool, checkpoint: Any) -> Any:
        """A loop over xs."""
        ys: list[Any] = [None] * length
        for k in reversed(range(length)) if reverse else range(length):
            carry, ys[k] = f(carry, None if xs is None else xs[k])
        return carry, np.stack(ys) if ys else np.zeros((0, 1))

    @staticmethod
    def repeat(holds: Any, body: Any, carry: Any, checkpoint: Any) -> Any:
        """A loop while a condition holds."""
        while holds(carry):
            carry = body(carry)
        return carry

    @staticmethod
    def count(length: int, body: Any, carry: Any) -> Any:
        """A loop over indices."""
        for i in range(length):
            carry = body(i, carry)
        return carry

    @staticmethod
    def choose(holds: Any, first: Any, second: Any, x: Any) -> Any:
        """A branch."""
        return first(x) if holds else second(x)


class Structured:
    """The functions of covector."""

    choose = staticmethod(cv.cond)

    @staticmethod
    def scan(f: Any, carry: Any, xs: Any, length: int, reverse: bool, checkpoint: Any) -> Any:
        """A scan."""
        return cv.scan(f, carry, xs, length, reverse, checkpoint=checkpoint)

    @staticmethod
    def repeat(holds: Any, body: Any, carry: Any, checkpoint: Any) -> Any:
        """A while loop."""
        return cv.while_loop(holds, body, carry, checkpoint=checkpoint)

    @staticmethod
    def count(length: int, body: Any, carry: Any) -> Any:
        """A loop over indices."""
        return cv.fori_loop(0, length, body, carry)


LEAVES: list[Body] = [
    lambda _, x, p: np.sin(x) * p,
    lambda _, x, p: x * 0.5 + p,
    lambda _, x, p: np.where(x > 0.2, x * x, p * x),
    lambda _, x, p: np.tanh(x - p),
    lambda _, x, p: x / (1.0 + x * x) + p * p,
    lambda _, x, p: np.sqrt(1.0 + x * x) * 0.7,
]
POLICIES = ["every", "sqrt", 2, cv.Binomial(3)]


def random_body(rng: np.random.Generator, depth: int) -> Body:
    """A function made of nested loops and branches."""
    if not depth:
        return LEAVES[rng.integers(len(LEAVES))]
    first, second = random_body(rng, depth - 1), random_body(rng, depth - 1)
    length = int(rng.choice([0, 1, 3, 9, 60] if depth < 3 else [1, 3, 9]))
    reverse, policy = bool(rng.integers(2)), POLICIES[rng.integers(len(POLICIES))]
    xs = rng.uniform(-1.0, 1.0, length)

    def scanned(loops: Any, x: Any, p: Any) -> Any:
        last, ys = loops.scan(lambda c, _: (first(loops, c, p), second(loops, c, p)), x, None, length, reverse, policy)
        return last + 0.01 * np.sum(ys, axis=0)

    def scanned_over(loops: Any, x: Any, p: Any) -> Any:
        last, ys = loops.scan(lambda c, y: (first(loops, c * y, p), c + p * y), x, xs, length, reverse, "every")
        return last + 0.01 * np.sum(np.sin(ys), axis=0)

    def repeated(loops: Any, x: Any, p: Any) -> Any:
        slots = "every" if reverse else cv.Binomial(2)
        step = lambda c: (c[0] + 1, first(loops, c[1], p) + 0.01 * c[0])  # noqa: E731
        return loops.repeat(lambda c: c[0] < length, step, (0, x), slots)[1]

    def counted(loops: Any, x: Any, p: Any) -> Any:
        return loops.count(length, lambda i, c: second(loops, first(loops, c, p) * (1.0 + 0.01 * i), p), x)

    def chosen(loops: Any, x: Any, p: Any) -> Any:
        return loops.choose(p > 0.3, lambda x: first(loops, x, p), lambda x: second(loops, x, p), x)

    leaf = random_body(rng, 0)
    kinds: list[Body] = [scanned, scanned_over, repeated, counted, chosen, leaf]
    return kinds[rng.integers(len(kinds))]


def same(found: Any, expected: Any) -> None:
    """Equal to rounding."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of branches and steps that a batch computes for all elements
@pytest.mark.parametrize("seed", range(24))
def test_nested_loops_are_pythons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    body = random_body(rng, 3)
    x = np.float64(rng.uniform(-1.0, 1.0)) if seed % 2 else rng.uniform(-1.0, 1.0, 3)
    p = np.float64(rng.uniform(0.0, 0.8))
    tangents = (np.ones_like(x) * 1.0, np.float64(0.5))

    def of(loops: Any) -> Callable[..., Any]:
        return lambda x, p: np.sum(body(loops, x, p))

    value, gradients = cv.value_and_grad(of(InPython), (0, 1))(x, p)
    slope = np.sum(gradients[0] * tangents[0]) + 0.5 * gradients[1]
    ours = of(Structured)
    compiled = cv.jit(cv.value_and_grad(ours, (0, 1)))
    for found in (cv.value_and_grad(ours, (0, 1))(x, p), compiled(x, p), compiled(x, p)):
        same([found[0], *found[1]], [value, *gradients])
    same(cv.grad(cv.jit(ours), (0, 1))(x, p), gradients)
    same(cv.jvp(ours, (x, p), tangents), (value, slope))
    pushed = cv.jit(lambda x, p: cv.jvp(ours, (x, p), tangents))
    same([*pushed(x, p), *pushed(x, p)], [value, slope, value, slope])
    batch = cv.jit(cv.vmap(cv.grad(ours), (0, None)))
    same([batch(np.stack([x, x]), p), batch(np.stack([x, x]), p)], [np.stack([gradients[0]] * 2)] * 2)
    module: dict[str, Any] = {}
    exec(cv.export(compiled, x, p), module)
    found = module[module["__all__"][0]](x, p)
    same([found[0], *found[1]], [value, *gradients])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(24, 32))
def test_second_derivatives_of_nested_loops_are_pythons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    body, x, p = random_body(rng, 2), rng.uniform(-1.0, 1.0, 3), 0.4

    def hessian(loops: Any) -> Callable[[Any], Any]:
        return cv.hessian(lambda x: np.sum(body(loops, x, p)))

    expected, compiled = hessian(InPython)(x), cv.jit(hessian(Structured))
    same([hessian(Structured)(x), compiled(x), compiled(x)], [expected] * 3)
