"""Loops that are compiled without care for infinity compute what the careful ones do, also where that matters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv

Function = Callable[..., Any]

LENGTH = 12


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def gated(w: Any, xs: Any) -> Any:
    """A gated recurrence, whose derivative divides by what may be infinite."""

    def step(h: Any, x: Any) -> Any:
        h = sigmoid(w * h + x) * h + np.tanh(x)
        return h, h

    return np.sum(cv.scan(step, np.zeros(3), xs)[1] ** 2)


def forward_algorithm(w: Any, xs: Any) -> Any:
    """Sums of products by the logarithm of sums of exponentials."""

    def step(a: Any, x: Any) -> Any:
        z = a[:, None] + np.outer(w, w)
        m = np.max(z, axis=0, keepdims=True)
        return m[0] + np.log(np.sum(np.exp(z - m), axis=0)) + x, 0.0

    return np.sum(np.sin(cv.scan(step, np.zeros(3), xs)[0]))


def with_roots(w: Any, xs: Any) -> Any:
    """A square root of what may be zero, which only a masked product hides."""

    def step(h: Any, x: Any) -> Any:
        positive = np.where(x > 0, x, 0.0)
        h = h * 0.5 + np.where(x > 0, np.sqrt(positive), 0.0) * w
        return h, np.maximum(h, x)

    last, ys = cv.scan(step, np.zeros(3), xs)
    return np.sum(last * w) + np.sum(ys)


def hidden(w: Any, xs: Any) -> Any:
    """A carry whose NaN a comparison hides from all outputs."""

    def step(carry: Any, x: Any) -> Any:
        h, r = carry
        return (h + np.where(r > 1.0, x * w, x), np.sqrt(np.abs(x)) * w * r), h * w

    (h, _), ys = cv.scan(step, (np.zeros(3), np.ones(3)), xs)
    return np.sum(h * w) + np.sum(ys)


def nested(w: Any, xs: Any) -> Any:
    """A loop in a loop."""

    def inner(h: Any, x: Any) -> Any:
        return np.log(1.0 + h * h) * w + x, 0.0

    def step(h: Any, x: Any) -> Any:
        h = cv.scan(inner, h, np.stack([x, 2 * x]))[0]
        return h, np.sqrt(np.abs(h))

    return np.sum(cv.scan(step, np.ones(3), xs)[1])


def written_out(w: Any, xs: Any) -> Any:
    """A plain Python loop."""
    h = np.zeros(3)
    for x in xs:
        h = np.sqrt(np.abs(h) * w * w + x * x) / (1.0 + np.exp(h))
    return np.sum(h)


FUNCTIONS: dict[str, Function] = {
    f.__name__: f for f in (gated, forward_algorithm, with_roots, hidden, nested, written_out)
}


def steps(kind: str) -> np.ndarray[Any, Any]:
    """What the loop is over."""
    xs = np.random.default_rng(1).normal(size=(LENGTH, 3))
    if kind == "Fortran":
        return np.asfortranarray(xs)
    if kind == "strided":
        return np.random.default_rng(2).normal(size=(2 * LENGTH, 9))[::2, ::3]
    if kind == "single":
        return xs.astype(np.float32)
    special = {"zeros": 0.0, "nan": np.nan, "infinite": np.inf, "minus infinity": -np.inf, "huge": 1e3}
    if kind in special:
        xs[4, 1] = special[kind]
        xs[LENGTH - 1, 2] = special[kind]
    return xs


KINDS = ["random", "zeros", "nan", "infinite", "minus infinity", "huge", "Fortran", "strided", "single"]
WEIGHTS = [np.array([0.5, -1.2, 0.8]), np.array([0.0, 1.0, -0.0]), np.array([np.nan, 0.3, 0.0])]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("w", WEIGHTS, ids=["ordinary", "zero", "nan"])
def test_a_compiled_loop_has_the_gradient_of_the_loop(name: str, kind: str, w: Any) -> None:
    function, xs = FUNCTIONS[name], steps(kind)
    w = w.astype(xs.dtype)
    gradient = cv.grad(function, argnums=(0, 1))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected, found = gradient(w, xs), cv.jit(gradient)(w, xs)
    rtol, atol = (2e-3, 1e-4) if kind == "single" else (1e-9, 1e-12)
    for x, y in zip(found, expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", ["gated", "forward_algorithm", "nested", "written_out"])
def test_loops_take_no_care_where_they_can_do_without(name: str) -> None:
    """The body is arithmetic; the careful one is written when it is needed."""
    lowered = cv.jit(cv.grad(FUNCTIONS[name], argnums=(0, 1))).lower(WEIGHTS[0], steps("random"))
    source = lowered.program.source.split("_in_numpy(w")[0]
    assert "masked_multiply" not in source
    assert "ratio(" not in source


def test_nan_that_nothing_shows_leaves_the_care_in_place() -> None:
    """Where the product that hides NaN matters to what a comparison gives, it is not replaced."""

    def function(w: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            r, t = carry
            return (cv.grad(lambda v: np.sum(np.sqrt(v) * t))(r) + x, t), np.sign(r)

        return cv.scan(step, (w, np.zeros(3)), xs)[1]

    w, xs = np.array([0.0, 4.0, 1.0]), np.abs(steps("random"))
    np.testing.assert_array_equal(cv.jit(function)(w, xs), function(w, xs))


def test_a_loop_that_prints_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    def function(x: Any) -> Any:
        def step(h: Any, _: Any) -> Any:
            cv.debug_print("{}", h)
            return np.sqrt(h), 0.0

        return cv.scan(step, x, np.zeros(3))[0]

    with np.errstate(all="ignore"):
        cv.jit(cv.grad(function))(0.0)
    assert len(capsys.readouterr().out.splitlines()) == 3
