"""Emitted source computes what the graph does: every form, with reused arrays, accumulators and blocks."""

from __future__ import annotations

import time
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.numpy.updates import at
from tests.strategies import make_program

DTYPES = [np.float32, np.float64, np.complex128]


def same(found: Any, expected: Any) -> None:
    """Equal to rounding, of equal dtype and shape."""
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        scale = float(np.max(np.abs(b), initial=1e-300))
        tolerance = 2e-4 if b.dtype.itemsize < 8 or b.dtype == np.complex64 else 1e-9
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def array(seed: int, shape: tuple[int, ...], dtype: Any) -> Any:
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.5, 1.5, shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.uniform(-0.5, 0.5, shape)
    return values.astype(dtype)


# --- random programs --------------------------------------------------------------------------------------

ELEMENTWISE = [
    "np.sin({x})", "np.exp(-{x} * {x})", "{x} * 0.5", "-{x}", "{x} ** 2", "{x} ** 3", "{x} + {y}", "{x} - {y}",
    "{x} * {y}", "{x} / (3.0 + {y} * {y})", "np.tanh({x})", "np.where({x}.real > 1.0, {x}, {y})", "1.0 / (4.0 + {x})",
    "np.sqrt(2.0 + {x})", "{x} * np.sum({y})", "{x} + np.mean({y}, axis=-1, keepdims=True)",
    "{x} - np.mean({x}, axis=0)",
    "np.log(3.0 + {x})", "{x}[::-1] * {y}", "np.concatenate([{x}[1:], {x}[:1]]) * {y}",
    "{x} + 0.1 * {y}.T.reshape({x}.shape)", "{x} - np.sum(-{y} * 2.0)",
]  # fmt: skip


def random_program(seed: int, length: int) -> Any:
    """A function of two arrays of one shape, of random operations that keep the shape."""
    rng = np.random.default_rng(seed)
    names, lines = ["x", "y"], []
    for i in range(length):
        a, b = (names[k] for k in rng.integers(max(0, len(names) - 5), len(names), 2))
        lines.append(f"    v{i} = {ELEMENTWISE[rng.integers(len(ELEMENTWISE))].format(x=a, y=b)} / 2.0")
        names.append(f"v{i}")
    returned = ", ".join(str(name) for name in rng.choice(names, 3))
    namespace: dict[str, Any] = {"np": np}
    lines.append(f"    return {names[-1]}, {returned}, np.sum(np.abs({names[-2]}))")
    exec("\n".join(["def program(x, y):", *lines]), namespace)
    return namespace["program"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 3), (130, 40), (70_001,), (300, 250), (0, 3), (3, 0)])
@pytest.mark.parametrize("seed", range(4))
def test_random_programs(seed: int, shape: tuple[int, ...], dtype: Any) -> None:
    program = random_program(seed, 14)
    x, y = array(1, shape, dtype), array(2, shape, dtype)
    expected = [np.array(a) for a in _quietly(program, x, y)]
    fast = cv.jit(program)
    before = x.copy(), y.copy()
    for arguments in ((x, y), (np.asfortranarray(x), np.repeat(y, 2, axis=-1)[..., ::2]), (x, x)):
        found = _quietly(fast, *arguments)
        same(found, expected if arguments[1] is not x else _quietly(program, x, x))
    same((x, y), before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 3), (70_001,), (300, 250)])
@pytest.mark.parametrize("seed", range(4, 8))
def test_gradients_of_random_programs(seed: int, shape: tuple[int, ...], dtype: Any) -> None:
    program = random_program(seed, 10)

    def value(x: Any, y: Any) -> Any:
        first, second, *_ = program(x, y)
        return np.sum(first) + np.mean(second * second)

    x, y = array(1, shape, dtype), array(2, shape, dtype)
    gradient = cv.grad(value, (0, 1))
    same(_quietly(cv.jit(gradient), x, y), _quietly(gradient, x, y))


@pytest.mark.parametrize("seed", range(20))
def test_derivatives_of_programs_of_every_kind(seed: int) -> None:
    program = make_program(seed, branches=False)
    x, t = program.point
    for derivative in (cv.grad(program, (0, 1)), cv.jacfwd(cv.grad(program))):
        same(np.atleast_1d(_leaves(cv.jit(derivative)(x, t))), np.atleast_1d(_leaves(derivative(x, t))))


def _leaves(values: Any) -> Any:
    return np.concatenate([np.ravel(v) for v in values]) if isinstance(values, tuple) else np.ravel(values)


def _quietly(function: Any, *arguments: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*arguments)


# --- forms ------------------------------------------------------------------------------------------------

A, B, V, W = array(1, (4, 3), float), array(2, (3, 5), float), array(3, (3,), float), array(4, (4,), float)
T = array(5, (2, 4, 3), float)
FORMS: list[tuple[Any, tuple[Any, ...]]] = [
    (lambda x, y: x @ y, (A, B)),
    (lambda x, y: x.T @ y, (A, A)),
    (lambda x, y: x @ y.T, (A, A)),
    (lambda x, y: x.T @ y.T, (B, A)),
    (lambda x, y: x @ y, (T, B)),
    (lambda x, y: x @ np.swapaxes(y, 1, 2), (T, T)),
    (np.outer, (V, W)),
    (lambda x, y: np.einsum("bij,bij->", x, y), (T, T)),
    (lambda x, y: np.einsum("bij,bkj->ki", x, y), (T, T)),
    (lambda x, y: np.einsum("bij,ij->jb", x, y), (T, A)),
    (lambda x, y: np.einsum("ij,k->jk", x, y), (A, W)),
    (lambda x, y: np.tensordot(x, y, 2), (T, A)),
    (lambda x: np.concatenate([x, 2 * x], axis=1), (A,)),
    (lambda x: np.stack([x, 2 * x], axis=1), (A,)),
    (lambda x: np.stack([x[0, 0], x[1, 1]]), (A,)),
    (lambda x: np.split(x, [1, 3]), (A,)),
    (lambda x: x.astype(np.float32) + 1.0, (A,)),
    (lambda x: np.sum(x).astype(np.float32), (A,)),
    (lambda x: x[[0, 2, 0]] * x[:, [1]][0], (A,)),
    (lambda x: np.max(x, axis=0) + np.min(x), (A,)),
    (lambda x: np.where(np.sum(x) > 0, np.sum(x), 2.0), (A,)),
    (lambda x: np.flip(np.roll(np.tril(x), 1, 0), 1), (A,)),
    (lambda x: np.cumsum(x, axis=1) + np.diagonal(x @ x.T)[:, None], (A,)),
    (lambda x: np.clip(np.round(x, 1), 0.6, 1.2), (A,)),
    (lambda x: np.maximum(x, 1.0) + np.abs(x), (A,)),
    (lambda x: list(x.T), (A,)),
    (lambda z: z.real * z.imag + np.abs(z) + np.conj(z), (A + 1j * A,)),
    (lambda x: np.logaddexp(x, 2.0) + np.hypot(x, 1.0), (A,)),
]


@pytest.mark.parametrize(("function", "arguments"), FORMS)
def test_forms_and_their_derivatives(function: Any, arguments: Any) -> None:
    same(_list(cv.jit(function)(*arguments)), _list(function(*arguments)))
    if arguments[0].dtype.kind == "c":
        return

    def total(*inputs: Any) -> Any:
        return sum(np.sum(np.sin(part)) for part in _list(function(*inputs)))

    gradient = cv.grad(total, tuple(range(len(arguments))))
    same(cv.jit(gradient)(*arguments), gradient(*arguments))


def _list(found: Any) -> Any:
    return found if isinstance(found, (tuple, list)) else [found]


def test_common_operations_have_a_form() -> None:
    def function(x: Any, y: Any) -> Any:
        z = x[1:] @ y + np.max(x @ y, axis=0)
        return np.sum(np.concatenate([z, z[:1]])[[0, 1]] * np.abs(z[:2])) + np.mean(np.stack([z, z]), axis=1).sum()

    assert "operation_" not in cv.jit(cv.grad(function, (0, 1))).source(A, B)


def test_a_sum_of_slices_is_one_array() -> None:
    gradient = cv.grad(lambda x: np.sum(np.sin(x[1:]) * x[:-1] + x[1:-1].sum() * x[0]))
    source = cv.jit(gradient).source(V)
    assert source.count("np.zeros") == 1
    same([cv.jit(gradient)(V)], [gradient(V)])


# --- blocks -----------------------------------------------------------------------------------------------

ROWS = array(7, (2_000, 60), float)
LONG = array(8, (100_003,), float)


def softmax(x: Any) -> Any:
    weights = np.exp(x - np.max(x, axis=1, keepdims=True))
    return np.sum((weights / np.sum(weights, axis=1, keepdims=True) - 0.1 * x[0]) ** 2)


def log_sum_exp(x: Any) -> Any:
    return np.max(x) + np.log(np.sum(np.exp(x - np.max(x))))


def differences(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def distances(x: Any) -> Any:
    separation = x[:300, None, :4] - x[None, :300, :4]
    return np.sum(1.0 / np.sqrt(np.sum(separation * separation, axis=2) + 1.0))


BLOCKWISE = [
    (softmax, ROWS), (log_sum_exp, LONG), (log_sum_exp, np.ones_like(LONG)), (differences, LONG), (distances, ROWS),
    (lambda x: np.sum(np.sin(x) * x[::-1] / np.sum(x * x)), LONG), (lambda x: np.sin(x) @ np.cos(x), LONG),
    (lambda x: np.sum(np.cos(x.sum(axis=0) * x - x.mean(axis=1)[:, None])), ROWS),
    (lambda x: np.sum(np.where(x > 1.0, np.sqrt(x - 1.0), 0.0) + np.abs(x - 1.0) * np.maximum(x, 1.0)), LONG),
    (lambda x: np.sum(np.exp(x).astype(np.float32) * 2.0), LONG),
]  # fmt: skip


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2]])
@pytest.mark.parametrize(("function", "point"), BLOCKWISE)
def test_blocks_of_large_arrays(function: Any, point: Any, layout: Any) -> None:
    gradient = cv.grad(function)
    assert "for start in range(" in cv.jit(gradient).source(point)
    same([_quietly(cv.jit(function), layout(point))], [_quietly(function, point)])
    same([_quietly(cv.jit(gradient), layout(point))], [_quietly(gradient, point)])


def test_infinite_partials_are_masked_in_blocks() -> None:
    def function(x: Any) -> Any:
        return np.sum(np.where(x > 1.0, np.sqrt(x), 0.0)) + np.sum(np.sqrt(x) * 0.0)

    point = np.where(LONG > 1.0, LONG, 0.0)
    found = cv.jit(cv.grad(function))(point)
    np.testing.assert_allclose(found, np.where(point > 1.0, 0.5 / np.sqrt(np.maximum(point, 1.0)), 0.0))


def test_large_arrays_are_tried_without_care() -> None:
    def function(x: Any) -> Any:
        return np.sum(np.where(x > 0.0, np.sqrt(x), x))

    fast = cv.jit(cv.grad(function))
    assert "in_plain_numpy" in fast.source(LONG)
    for point in (LONG, np.where(np.arange(LONG.size) == 100_000, 0.0, LONG)):
        slope = 0.5 / np.sqrt(np.where(point > 0.0, point, 1.0))
        np.testing.assert_allclose(fast(point), np.where(point > 0.0, slope, 1.0))


def test_no_whole_temporaries() -> None:
    fast = cv.jit(cv.grad(lambda x: np.sum(np.exp(np.sin(x) * np.cos(x)) ** 2)))
    fast(LONG)
    tracemalloc.start()
    try:
        fast(LONG)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * LONG.nbytes


def test_threads_share_nothing() -> None:
    gradient = cv.jit(cv.grad(differences))
    points = [LONG * scale for scale in (1.0, 2.0, 3.0, 4.0)]
    expected = [gradient(point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            same(list(pool.map(gradient, points)), expected)


# --- memory -----------------------------------------------------------------------------------------------

LARGE = array(6, (5_000,), float)


def test_dead_arrays_are_written_into() -> None:
    source = cv.jit(lambda x: np.exp(np.sin(x) * 2.0) + 1.0).source(LARGE)
    assert "sin_1 *= n2_0" in source
    assert "np.exp(sin_1, sin_1)" in source
    assert "exp_1 += n1_0" in source


def test_arrays_that_are_still_used_are_not_written_into() -> None:
    def function(x: Any, y: Any) -> Any:
        sine = np.sin(x)
        left, right = y - sine, sine / y
        return left * right, sine - left, 2.0 / (right - x), sine.reshape(-1, 4) * 3.0

    for size in (20, 5_000):
        x, y = array(6, (size,), float), array(7, (size,), float)
        same(cv.jit(function)(x, y), function(x, y))
        assert "= y - sin_1" in cv.jit(function).source(x, y)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x, x),
        lambda x: (np.sin(x), np.sin(x)),
        lambda x: (x[1:], x[::-1], x.reshape(2, -1)),
        lambda x: ((y := np.sin(x)), y + 1.0, y[1:] * 2.0, y.reshape(-1, 2)),
        lambda x: (np.broadcast_to(x[:1], x.shape), np.split(x, 2), np.real(x)),
        lambda x: ((y := np.cos(x)) + y[::-1], y.reshape(2, -1).T),
    ],
)
def test_results_share_no_memory(function: Any) -> None:
    """Neither with the inputs nor with each other, and the inputs stay what they were."""
    x = LARGE.copy()
    found, _ = cv.trees.flatten(cv.jit(function)(x))
    expected, _ = cv.trees.flatten(function(LARGE))
    same(found, expected)
    np.testing.assert_array_equal(x, LARGE)
    for i, a in enumerate(found):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in (x, *found[:i]))


def test_a_functional_update_copies_only_what_is_still_used() -> None:
    def function(x: Any) -> Any:
        y = np.sin(x)
        for i in range(3):
            y = at(y)[i].set(y[i] * 2.0)
        return y, at(x)[1:].set(y[1:]), y + 1.0

    x = LARGE.copy()
    same(cv.jit(function)(x), function(LARGE))
    np.testing.assert_array_equal(x, LARGE)


def test_functions_with_rules_of_their_own_keep_their_arrays() -> None:
    kept = []

    @cv.custom_jvp
    def function(x: Any) -> Any:
        kept.append(x)
        return x

    function.defjvp(lambda primals, tangents: (primals[0], tangents[0]))
    same([cv.jit(lambda x: function(np.sin(x)) * 2.0)(LARGE)], [np.sin(LARGE) * 2.0])


def test_a_hundred_thousand_equations_are_written_in_seconds() -> None:
    def function(x: Any) -> Any:
        for _ in range(25_000):
            x = np.sin(x) * 0.5 + x[::-1] - 0.1
        return x

    start = time.perf_counter()
    graph = cv.make_graph(function)(np.ones(3))
    recorded = time.perf_counter() - start
    emission = cv.jit(graph).lower(np.ones(3)).emission_seconds
    assert emission < 20 * max(recorded, 1.0)
