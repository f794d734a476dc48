"""cond, switch, loops and scans: the values and derivatives of the Python they stand for, in every composition."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
import covector.transforms.control.bodies
import covector.transforms.control.stages
from covector.compile.schedules import backward_states
from covector.errors import (
    ArgumentError,
    BatchAxisError,
    ConcreteValueError,
    DTypeMismatchError,
    NonlinearError,
    ShapeMismatchError,
    TreeMismatchError,
)
from covector.testing import check_batching, check_grads
from covector.trees import flatten, map_leaves
from tests.functions import MATRIX, POINT

XS = np.random.default_rng(3).standard_normal((7, 3))
WEIGHTS = 0.4 * MATRIX

Function = Callable[..., Any]

TRANSFORMATIONS: dict[str, Callable[[Function], Function]] = {
    "value": lambda f: f,
    "grad": lambda f: cv.grad(f, (0, 1)),
    "jit": lambda f: _twice(cv.jit(f)),
    "jit of grad": lambda f: _twice(cv.jit(cv.grad(f, (0, 1)))),
    "grad of jit": lambda f: cv.grad(cv.jit(f), (0, 1)),
    "jvp": lambda f: lambda *x: cv.jvp(f, x, tuple(map(np.cos, x))),
    "jit of jvp": lambda f: _twice(cv.jit(lambda *x: cv.jvp(f, x, tuple(map(np.cos, x))))),
    "linearize": lambda f: lambda *x: cv.linearize(f, *x)[1](*map(np.cos, x)),
    "jacfwd": lambda f: cv.jacfwd(f, (0, 1)),
    "hessian": cv.hessian,
    "reverse over reverse": lambda f: cv.jacrev(cv.grad(f)),
    "forward over forward": lambda f: cv.jacfwd(cv.jacfwd(f)),
    "reverse over forward": lambda f: cv.jacrev(cv.jacfwd(f)),
    "jit of hessian": lambda f: _twice(cv.jit(cv.hessian(f))),
    "vmap": lambda f: lambda *x: cv.vmap(f)(*map(_pair, x)),
    "vmap of grad": lambda f: lambda *x: cv.vmap(cv.grad(f, (0, 1)))(*map(_pair, x)),
    "vmap over one argument": lambda f: lambda x, y: cv.vmap(cv.grad(f, (0, 1)), (0, None))(_pair(x), y),
    "vmap over the other": lambda f: lambda x, y: cv.vmap(cv.grad(f, (0, 1)), (None, 0))(x, _pair(y)),
    "grad of vmap": lambda f: lambda *x: cv.grad(lambda *y: np.sum(cv.vmap(f)(*y)), (0, 1))(*map(_pair, x)),
    "jit of vmap of grad": lambda f: lambda *x: _twice(cv.jit(cv.vmap(cv.grad(f, (0, 1)))))(*map(_pair, x)),
    "checkpoint": lambda f: cv.grad(cv.checkpoint(f), (0, 1)),
    "graph": lambda f: lambda *x: cv.make_graph(cv.grad(f, (0, 1)))(*x)(*x),
}

each_transformation = pytest.mark.parametrize("transformation", TRANSFORMATIONS)


def _pair(x: Any) -> Any:
    return np.stack([x, 0.9 * x])


def _twice(function: Function) -> Function:
    """Compiled code runs from the second call on."""

    def called(*args: Any) -> Any:
        function(*args)
        return function(*args)

    return called


def assert_same(found: Any, expected: Any) -> None:
    leaves, structure = flatten(found)
    expected_leaves, expected_structure = flatten(expected)
    assert structure == expected_structure
    for x, y in zip(leaves, expected_leaves, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)
        assert np.asarray(x).dtype == np.asarray(y).dtype


# --- scan ------------------------------------------------------------------------------------------------


def python_scan(f: Any, init: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
    """The loop that scan stands for."""
    ys: list[Any] = [None] * len(xs)
    for i in reversed(range(len(xs))) if reverse else range(len(xs)):
        init, ys[i] = f(init, xs[i])
    return init, map_leaves(lambda *y: np.stack(y), *ys)


def network_loss(loop: Function, **options: Any) -> Function:
    """A recurrent network with a tree as carry and as output, and weights that the step closes over."""

    def loss(weights: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            hidden = np.tanh(weights @ carry["hidden"] + x)
            return {"hidden": hidden, "count": carry["count"] + 1}, (hidden * 2.0, np.sum(hidden) * carry["count"])

        last, (outputs, sums) = loop(step, {"hidden": np.zeros(3), "count": 0}, xs, **options)
        return np.sum(last["hidden"] ** 2) + np.sum(np.sin(outputs)) + np.sum(sums**2) + last["count"]

    return loss


OPTIONS: dict[str, dict[str, Any]] = {
    "plainly": {},
    "every third carry": {"checkpoint": 3},
    "the square root": {"checkpoint": "sqrt"},
    "two slots": {"checkpoint": cv.Binomial(2)},
    "one slot": {"checkpoint": cv.Binomial(1)},
    "written out": {"unroll": 3},
    "wholly written out": {"unroll": True},
    "all of it": {"unroll": 2, "checkpoint": 4},
}


@each_transformation
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_is_its_loop(transformation: str, reverse: bool) -> None:
    transform = TRANSFORMATIONS[transformation]
    found = transform(network_loss(cv.scan, reverse=reverse))(WEIGHTS, XS)
    assert_same(found, transform(network_loss(python_scan, reverse=reverse))(WEIGHTS, XS))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("transformation", ["value", "jvp", "grad", "jit of grad", "hessian", "vmap of grad", "graph"])
def test_no_option_of_scan_changes_a_result(transformation: str, options: str, reverse: bool) -> None:
    transform = TRANSFORMATIONS[transformation]
    found = transform(network_loss(cv.scan, reverse=reverse, **OPTIONS[options]))(WEIGHTS, XS)
    assert_same(found, transform(network_loss(python_scan, reverse=reverse))(WEIGHTS, XS))


def test_the_derivatives_of_a_scan_are_difference_quotients() -> None:
    check_grads(network_loss(cv.scan), (WEIGHTS, XS), order=2)
    check_batching(network_loss(cv.scan), (WEIGHTS, XS))


@each_transformation
def test_scans_nest(transformation: str) -> None:
    def nested(loop: Function) -> Function:
        def loss(weights: Any, xs: Any) -> Any:
            def inner(total: Any, entry: Any) -> Any:
                return total * np.sin(entry) + weights[0, 0], total

            def outer(carry: Any, x: Any) -> Any:
                last, totals = loop(inner, carry, x)
                return np.cos(last), np.sum(totals)

            last, sums = loop(outer, weights[1, 2], xs)
            return last + np.sum(sums)

        return loss

    transform = TRANSFORMATIONS[transformation]
    assert_same(transform(nested(cv.scan))(WEIGHTS, XS), transform(nested(python_scan))(WEIGHTS, XS))


def test_a_scan_without_xs_counts_its_steps() -> None:
    carry, ys = cv.scan(lambda c, _: (c * 2.0, c), 1.0, None, length=4)
    assert carry == 16.0
    np.testing.assert_array_equal(ys, [1.0, 2.0, 4.0, 8.0])
    assert cv.grad(lambda x: cv.scan(lambda c, _: (c * x, None), 1.0, length=4)[0])(2.0) == 32.0


@pytest.mark.parametrize(
    "wrapped", [lambda f: f, cv.jit, lambda f: lambda x: map_leaves(lambda y: y[0], cv.vmap(f)(x[None]))]
)
def test_a_scan_of_no_steps(wrapped: Any) -> None:
    function = wrapped(lambda x: cv.scan(lambda c, y: (c + y, (c, np.float32(1.0))), np.sum(x), np.zeros(0)))
    carry, (ys, ones) = function(POINT)
    assert carry == pytest.approx(np.sum(POINT))
    assert ys.shape == ones.shape == (0,)
    assert ones.dtype == np.float32
    np.testing.assert_array_equal(cv.grad(lambda x: function(x)[0])(POINT), np.ones(3))


def test_python_numbers_adapt_to_the_dtype_of_the_loop() -> None:
    xs = np.ones(3, np.float32)
    for function in (lambda x: x, cv.jit):
        total, before = function(lambda xs: cv.scan(lambda c, x: (c + x, c), 0, xs))(xs)
        assert total.dtype == before.dtype == np.float32
        counted = function(lambda x: cv.fori_loop(0, 3, lambda i, c: c + i * x, 0.0))(xs[0])
        assert counted == 3.0
        assert counted.dtype == np.float32
    gradient = cv.grad(lambda xs: cv.scan(lambda c, x: (c * x, None), 1, xs)[0])(xs)
    assert gradient.dtype == np.float32


def test_ten_thousand_steps() -> None:
    def loop(x: Any) -> Any:
        for _ in range(10_000):
            x = np.sin(x) * 1.01 + 0.1
        return x

    def scanned(x: Any, **options: Any) -> Any:
        return cv.scan(lambda c, _: (np.sin(c) * 1.01 + 0.1, None), x, None, 10_000, **options)[0]

    expected = cv.grad(loop)(0.5)
    for options in ({}, {"checkpoint": "sqrt"}, {"checkpoint": cv.Binomial(30)}):
        np.testing.assert_allclose(cv.grad(lambda x, o=options: scanned(x, **o))(0.5), expected, rtol=1e-10)


def test_a_scan_leaves_what_it_is_given_alone() -> None:
    init, xs = np.zeros(3), XS.copy()
    carry, _ = cv.scan(lambda c, x: (c, x), init, xs)
    carry += 1.0
    np.testing.assert_array_equal(init, np.zeros(3))
    carry, ys = cv.jit(lambda init, xs: cv.scan(lambda c, x: (c, x), init, xs))(init, xs)
    carry += 1.0
    ys += 1.0
    np.testing.assert_array_equal(init, np.zeros(3))
    np.testing.assert_array_equal(xs, XS)


def test_an_array_that_a_step_closes_over_may_change_between_calls() -> None:
    factors = np.ones(3)
    function = cv.jit(lambda xs: cv.scan(lambda c, x: (c + np.sum(x * factors), None), 0.0, xs)[0])
    before = function(XS)
    factors *= 2.0
    assert function(XS) == pytest.approx(2.0 * before)


def test_a_linear_scan_has_a_transpose() -> None:
    def function(xs: Any) -> Any:
        return cv.scan(lambda c, x: (0.5 * c + x, cv.cond(MATRIX[0, 0] > 0.0, lambda: c, lambda: -c)), np.zeros(3), xs)

    (found,) = cv.linear_transpose(function, XS)(function(2.0 * XS))
    (expected,) = cv.vjp(function, XS)[1](function(2.0 * XS))
    np.testing.assert_allclose(found, expected)
    with pytest.raises(NonlinearError):
        cv.linear_transpose(lambda x: cv.scan(lambda c, y: (c * y, None), x[0], x)[0], POINT)(1.0)
    with pytest.raises(NonlinearError):
        cv.linear_transpose(lambda x: cv.scan(lambda c, y: (c + 1.0, y), 0.0, x), POINT)((1.0, POINT))


def test_custom_rules_may_scan_tangents() -> None:
    @cv.custom_jvp
    def cumulative(x: Any) -> Any:
        return np.cumsum(x)

    @cumulative.defjvp
    def cumulative_jvp(primals: Any, tangents: Any) -> Any:
        return cumulative(*primals), cv.scan(lambda c, t: (c + t, c + t), 0.0, tangents[0])[1]

    found = cv.grad(lambda x: np.sum(np.sin(cumulative(x))))(POINT)
    np.testing.assert_allclose(found, cv.grad(lambda x: np.sum(np.sin(np.cumsum(x))))(POINT))


def test_what_is_derived_from_a_body_is_freed_with_it() -> None:
    function = lambda x: cv.scan(lambda c, y: (np.sin(c * y), c), 1.0, x)[0]  # noqa: E731
    remembered = covector.transforms.control.bodies._memory
    counts = []
    for _ in range(3):
        cv.hessian(function)(np.ones(60))
        gc.collect()
        counts.append(len(remembered))
    assert counts[0] == counts[2]


def test_a_scan_is_one_equation() -> None:
    graph = cv.make_graph(lambda x: cv.scan(lambda c, y: (np.sin(c) + y, c), x[0], x)[0])(np.ones(1000))
    assert len(graph.equations) < 10
    assert "scan[length=1000, carries=1]" in str(graph)
    assert "        b: float64[] = sin a" not in str(graph)
    assert "= sin a" in str(graph)


def peak(function: Function, *args: Any) -> int:
    """The most memory that is used at one time, in bytes."""
    function(*args)
    tracemalloc.start()
    function(*args)
    (_, most) = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_checkpoints_save_memory() -> None:
    """Of 400 carries of 80 kB each: all, about 2 sqrt(400), or as many as there are slots, plus less than 20."""
    size, length = 80_000, 400

    def gradient(**options: Any) -> Function:
        return cv.grad(lambda x: np.sum(cv.scan(lambda c, _: (np.sin(c), None), x, None, length, **options)[0]))

    x = np.ones(size // 8)
    assert peak(gradient(), x) > length * size
    assert peak(gradient(checkpoint="sqrt"), x) < (40 + 20) * size
    assert peak(gradient(checkpoint=50), x) < (58 + 20) * size
    assert peak(gradient(checkpoint=cv.Binomial(10)), x) < (10 + 20) * size


def test_a_long_loop_is_reversed_in_little_memory() -> None:
    """Of 30,000 carries of one number each: all, about 2 sqrt(30,000) = 346, or 15."""

    def step(c: Any, _: Any) -> Any:
        return c + 1e-3 * np.sin(c), None

    def gradient(**options: Any) -> Function:
        return cv.jit(cv.grad(lambda x: cv.scan(step, x, None, 30_000, **options)[0]))

    assert peak(gradient(), 1.0) > 30_000 * 8
    assert peak(gradient(checkpoint="sqrt"), 1.0) < 40_000
    assert peak(gradient(checkpoint=cv.Binomial(15)), 1.0) < 10_000


@pytest.mark.parametrize(("length", "slots"), [(0, 1), (1, 1), (7, 1), (10, 2), (35, 4), (999, 8), (50, 100)])
def test_a_backward_schedule_visits_every_state_with_few_of_them_kept(length: int, slots: int) -> None:
    steps = 0

    def advance(i: int, state: int) -> int:
        nonlocal steps
        assert i == state
        steps += 1
        return state + 1

    assert list(backward_states(length, slots, 0, advance)) == [(i, i) for i in reversed(range(length))]
    repetitions = next(r for r in range(length + 1) if _reach(slots, r) >= length)
    assert steps <= repetitions * length


def _reach(slots: int, repetitions: int) -> int:
    """C(slots + repetitions, slots), as a product."""
    reach = 1
    for i in range(1, repetitions + 1):
        reach = reach * (slots + i) // i
    return reach


# --- scans in stages -------------------------------------------------------------------------------------


def everything_loss(loop: Function, **options: Any) -> Function:
    """Terms that can be computed before the loop, in it and after it, sums, counters, and a branch."""

    def loss(weights: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            hidden, total, count, fixed = carry
            before = np.sin(weights @ x) + weights[0]
            hidden = np.tanh(weights @ hidden + x + before + weights[1])
            term = cv.cond(x[0] > 0.0, lambda x: np.log(x[0]), lambda x: x[1] * hidden[0], x)
            after = np.cos(hidden) * before
            return (hidden, total - hidden * x, count + 1, fixed), (after, term, before, count, 1.0)

        start = (np.zeros(3), xs[0], 0, weights[2, 0])
        (hidden, total, count, fixed), ys = loop(step, start, xs, **options)
        return sum(np.sum(np.sin(y)) for y in (hidden, total, count * fixed, *ys))

    return loss


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("transformation", ["jit", "grad", "jit of grad", "jvp", "hessian", "vmap of grad"])
@pytest.mark.parametrize("block", [1, 1 << 22])
def test_a_scan_in_stages_is_its_loop(
    transformation: str, block: int, reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 50 steps, all at once or in blocks of 16."""
    monkeypatch.setattr(covector.transforms.control.stages, "BLOCK_BYTES", block)
    xs = 0.5 * np.random.default_rng(5).standard_normal((50, 3))
    expected = cv.grad(everything_loss(in_python, reverse=reverse), (0, 1))(WEIGHTS, xs)
    assert_same(cv.jit(cv.grad(everything_loss(cv.scan, reverse=reverse), (0, 1)))(WEIGHTS, xs), expected)
    if transformation == "hessian":
        xs = xs[:20]
    transform = TRANSFORMATIONS[transformation]
    if "vmap" in transformation:
        with np.errstate(invalid="ignore"):  # a batch computes both branches for all elements
            found = transform(everything_loss(cv.scan, reverse=reverse))(WEIGHTS, xs)
        assert_same(map_leaves(lambda leaf: leaf[0], found), expected)
        return
    expected = transform(everything_loss(in_python, reverse=reverse))(WEIGHTS, xs)
    assert_same(transform(everything_loss(cv.scan, reverse=reverse))(WEIGHTS, xs), expected)


def in_python(f: Any, init: Any, xs: Any, reverse: bool = False) -> Any:
    """The loop, with numbers for the outputs that are."""
    carry, ys = python_scan(f, init, xs, reverse)
    return carry, ys


def test_numbers_that_python_refuses_are_numpys() -> None:
    """Logarithms of negative numbers and divisions by zero, in a loop that runs on Python's floats."""
    function = cv.jit(lambda x, xs: cv.scan(lambda c, y: (np.log(c - y), 1.0 / c), x, xs))
    _, ys = function(5.0, np.zeros(60)[:2])
    np.testing.assert_allclose(ys, [0.2, 1.0 / np.log(5.0)])
    with pytest.warns(RuntimeWarning):
        last, ys = function(5.0, np.zeros(60))
    assert np.isnan(last)
    np.testing.assert_allclose(ys[:2], [0.2, 1.0 / np.log(5.0)])


def test_a_branch_in_a_scan_runs_for_its_own_steps_only() -> None:
    """No warning is issued for the logarithm of a negative number that is not taken."""

    def function(xs: Any) -> Any:
        return cv.scan(lambda c, x: (c + cv.cond(x > 0.0, np.log, lambda x: x, x), None), 0.0, xs)[0]

    xs = np.linspace(-1.0, 1.0, 60)
    expected = np.where(xs > 0.0, 1.0 / xs, 1.0)
    np.testing.assert_allclose(cv.grad(function)(xs), expected)
    np.testing.assert_allclose(cv.jit(cv.grad(function))(xs), expected)


def test_single_precision_stays_single_in_stages() -> None:
    def function(x: Any) -> Any:
        return cv.fori_loop(0, 60, lambda i, c: c * x + i * 0.1, np.float32(0.0))

    x = np.float32(0.5)
    for wrapped in (function, cv.jit(function), cv.grad(function), cv.jit(cv.grad(function))):
        assert wrapped(x).dtype == np.float32
    np.testing.assert_allclose(cv.jit(function)(x), function(x), rtol=1e-6)


# --- map and associative_scan ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3, 7, 100])
def test_map_is_a_loop(batch_size: int | None) -> None:
    def mapped(w: Any, xs: Any) -> Any:
        return cv.map(lambda x: {"y": np.sin(w @ x)}, xs, batch_size=batch_size)["y"]

    expected = np.stack([np.sin(WEIGHTS @ x) for x in XS])
    np.testing.assert_allclose(mapped(WEIGHTS, XS), expected)
    np.testing.assert_allclose(cv.jit(mapped)(WEIGHTS, XS), expected)
    found = cv.grad(lambda w, xs: np.sum(mapped(w, xs)), (0, 1))(WEIGHTS, XS)
    assert_same(found, cv.grad(lambda w, xs: np.sum(np.sin(xs @ w.T)), (0, 1))(WEIGHTS, XS))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_associative_scan_is_scan(length: int, reverse: bool, axis: int) -> None:
    """Of affine maps, which compose associatively but do not commute."""
    slopes, offsets = np.random.default_rng(4).standard_normal((2, length, 2))

    def after(first: Any, second: Any) -> Any:
        return second[0] * first[0], second[0] * first[1] + second[1]

    def scanned(elems: Any) -> Any:
        start = (np.ones(2), np.zeros(2))
        return cv.scan(lambda c, x: (after(c, x),) * 2, start, elems, reverse=reverse)[1]

    def associatively(elems: Any) -> Any:
        turned = tuple(np.swapaxes(x, 0, axis) for x in elems)
        return tuple(np.swapaxes(x, 0, axis) for x in cv.associative_scan(after, turned, reverse=reverse, axis=axis))

    elems = (slopes, offsets)
    assert_same(associatively(elems), scanned(elems))
    assert_same(cv.jit(associatively)(elems), scanned(elems))
    found, expected = (cv.grad(lambda e, f=f: np.sum(np.sin(f(e)[1])))(elems) for f in (associatively, scanned))
    assert_same(found, expected)


# --- cond and switch -------------------------------------------------------------------------------------


def chosen_in_python(pred: Any, true_fun: Any, false_fun: Any, *operands: Any) -> Any:
    return true_fun(*operands) if pred else false_fun(*operands)


def conditional_loss(choose: Function, sign: float = 1.0) -> Function:
    def loss(x: Any, y: Any) -> Any:
        found = choose(
            sign * np.sum(x) > 0.0,
            lambda x, y: {"a": np.sin(x) * y[0], "b": np.sum(y**2) * scale},
            lambda x, y: {"a": x * x, "b": y[1] * 1.0},
            x,
            y,
        )
        return np.sum(found["a"] ** 2) + found["b"]

    scale = 3.0
    return loss


@each_transformation
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_cond_is_its_branch(transformation: str, sign: float) -> None:
    transform = TRANSFORMATIONS[transformation]
    try:
        expected = transform(conditional_loss(chosen_in_python, sign))(POINT, XS[0])
    except ConcreteValueError:  # Python cannot branch there, but both elements of the batch take one branch
        branch = (lambda p, t, f, *x: t(*x)) if sign * np.sum(POINT) > 0 else (lambda p, t, f, *x: f(*x))
        expected = transform(conditional_loss(branch, sign))(POINT, XS[0])
    assert_same(transform(conditional_loss(cv.cond, sign))(POINT, XS[0]), expected)


def test_each_element_of_a_batch_takes_its_branch() -> None:
    def function(i: Any, x: Any) -> Any:
        return cv.switch(i, [np.sin, np.exp, lambda x: x * factor], x)

    factor, indices, points = 2.0, np.array([-3, 0, 1, 2, 9]), np.linspace(0.1, 2.0, 5)
    expected = np.array([np.sin(0.1), np.sin(points[1]), np.exp(points[2]), 2.0 * points[3], 2.0 * points[4]])
    np.testing.assert_allclose(cv.vmap(function)(indices, points), expected)
    np.testing.assert_allclose(cv.jit(cv.vmap(function))(indices, points), expected)
    slopes = np.array([np.cos(0.1), np.cos(points[1]), np.exp(points[2]), 2.0, 2.0])
    np.testing.assert_allclose(cv.vmap(cv.grad(function, 1))(indices, points), slopes)
    np.testing.assert_allclose(cv.grad(lambda x: np.sum(cv.vmap(function)(indices, x)))(points), slopes)


def test_a_recorded_choice_is_made_at_every_call() -> None:
    recordings = []

    def function(x: Any) -> Any:
        recordings.append(x)
        return cv.cond(x > 0.0, np.sqrt, lambda x: -x, x)

    compiled = cv.jit(function)
    assert [compiled(x) for x in (4.0, -3.0, 9.0)] == [2.0, 3.0, 3.0]
    assert len(recordings) == 1
    assert [cv.jit(cv.grad(function))(x) for x in (4.0, -3.0)] == [0.25, -1.0]


def test_a_branch_that_is_not_taken_is_not_computed() -> None:
    function = cv.jit(cv.grad(lambda x: cv.cond(x > 0.0, np.log, lambda x: x, x)))
    assert function(-1.0) == 1.0
    assert function(2.0) == 0.5


def test_branches_close_over_traced_values() -> None:
    def function(x: Any, y: Any) -> Any:
        return cv.cond(x > 0.0, lambda: x * y, lambda: y)

    for wrapped in (function, cv.jit(function)):
        assert cv.grad(wrapped, (0, 1))(2.0, 3.0) == (3.0, 2.0)
        assert cv.grad(wrapped, (0, 1))(-2.0, 3.0) == (0.0, 1.0)


# --- while_loop and fori_loop ----------------------------------------------------------------------------


def python_while(cond_fun: Any, body_fun: Any, carry: Any, **options: Any) -> Any:
    while cond_fun(carry):
        carry = body_fun(carry)
    return carry


def newton_loss(loop: Function, **options: Any) -> Function:
    """The root of x + damping * x**3 = target, by Newton's method, with the number of iterations in the carry."""

    def loss(target: Any, damping: Any) -> Any:
        def residual(x: Any) -> Any:
            return x + damping * x**3 - target

        def step(carry: Any) -> Any:
            x, steps = carry
            return x - residual(x) / (1.0 + 3.0 * damping * x**2), steps + 1

        root, steps = loop(lambda c: abs(residual(c[0])) > 1e-13, step, (target, 0), **options)
        return root**2 + 0.0 * steps

    return loss


@each_transformation
@pytest.mark.parametrize("options", [{}, {"checkpoint": cv.Binomial(2)}])
def test_a_while_loop_is_its_loop(transformation: str, options: dict[str, Any]) -> None:
    transform = TRANSFORMATIONS[transformation]
    target, damping = np.float64(2.0), np.float64(0.3)
    if "vmap" in transformation:
        found = transform(newton_loss(cv.while_loop, **options))(target, damping)
        for i, factor in enumerate((1.0, 0.9)):
            x = target * (1.0 if "other" in transformation else factor)
            y = damping * (1.0 if "one" in transformation else factor)
            python = newton_loss(python_while)
            expected = python(x, y) if transformation == "vmap" else cv.grad(python, (0, 1))(x, y)
            assert_same(map_leaves(lambda leaf, i=i: leaf[i], found), expected)
    else:
        in_python = TRANSFORMATIONS["grad"] if transformation == "graph" else transform
        expected = in_python(newton_loss(python_while))(target, damping)
        assert_same(transform(newton_loss(cv.while_loop, **options))(target, damping), expected)


def test_third_derivatives_of_a_while_loop() -> None:
    found, expected = (cv.grad(cv.grad(cv.grad(newton_loss(f))))(2.0, 0.3) for f in (cv.while_loop, python_while))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_each_element_of_a_batch_makes_its_number_of_steps() -> None:
    def power(n: Any, x: Any) -> Any:
        return cv.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * x), (0, 1.0))[1]

    counts = np.array([0, 5, 2])
    for wrapped in (cv.vmap(power, (0, None)), cv.jit(cv.vmap(power, (0, None)))):
        np.testing.assert_array_equal(wrapped(counts, 2.0), [1.0, 32.0, 4.0])
    np.testing.assert_array_equal(cv.vmap(cv.grad(power, 1), (0, None))(counts, 2.0), [0.0, 80.0, 4.0])


def test_a_recorded_loop_makes_as_many_steps_as_it_takes() -> None:
    """jit records it once; the derivative is compiled, too."""

    def halvings(x: Any) -> Any:
        return cv.while_loop(lambda c: c[0] > 1.0, lambda c: (c[0] / 2.0, c[1] + 1), (x, 0))

    compiled = cv.jit(halvings)
    assert [int(compiled(x)[1]) for x in (0.5, 8.0, 1000.0)] == [0, 3, 10]
    assert compiled.cache_info().misses == 1
    gradient = cv.jit(cv.grad(lambda x: halvings(x)[0]))
    assert [gradient(x) for x in (0.5, 8.0, 1000.0)] == [1.0, 0.125, 2.0**-10]


def test_integers_that_overflow_wrap_around_as_numpys_do() -> None:
    function = cv.jit(lambda x: cv.while_loop(lambda c: c[0] < 50, lambda c: (c[0] + 1, c[1] * 3), (0, x))[1])
    with pytest.warns(RuntimeWarning, match="overflow"):
        found = function(np.int64(3))
    assert found == (3**51 + 2**63) % 2**64 - 2**63


@each_transformation
def test_a_fori_loop_is_its_loop(transformation: str) -> None:
    def loss(loop: Function) -> Function:
        def function(x: Any, y: Any) -> Any:
            return np.sum(loop(2, 6, lambda i, c: np.sin(c * y) + x[i % 3] * i, np.zeros(3)))

        return function

    def python_fori(lower: int, upper: int, body: Any, carry: Any) -> Any:
        for i in range(lower, upper):
            carry = body(i, carry)
        return carry

    transform = TRANSFORMATIONS[transformation]
    assert_same(transform(loss(cv.fori_loop))(POINT, XS[0]), transform(loss(python_fori))(POINT, XS[0]))


def test_bounds_may_be_traced() -> None:
    triangle = cv.jit(lambda n, x: cv.fori_loop(0, n, lambda i, c: c + i * x, 0.0))
    assert [triangle(n, 2.0) for n in (0, 3, 5)] == [0.0, 6.0, 20.0]
    assert triangle.cache_info().misses == 1
    gradient = cv.jit(cv.grad(triangle, 1))
    assert [gradient(n, 2.0) for n in (0, 3, 5)] == [0.0, 3.0, 10.0]


# --- laws at the edges -----------------------------------------------------------------------------------

EDGES: dict[str, Callable[[Function, Any], Any]] = {
    "no steps": lambda loop, x: loop(lambda c, y: (np.sin(c) * y, c), x, x[:0]),
    "one step": lambda loop, x: loop(lambda c, y: (np.sin(c) * y, c), x, x[:1]),
    "no carry": lambda loop, x: loop(lambda c, y: (None, np.exp(y)), None, x),
    "None among the carries": lambda loop, x: loop(lambda c, y: ((c[0] * y, None), c[0]), (x[0], None), x),
    "an integer carry": lambda loop, x: loop(lambda c, y: ((c[0] + 1, c[1] * y), c[0] * c[1]), (2, x[0]), x),
    "a boolean carry": lambda loop, x: loop(
        lambda c, y: ((~c[0], np.where(c[0], c[1], y)), c[1]), (x[0] > 0.0, x[1]), x
    ),
    "carries that change places": lambda loop, x: loop(lambda c, y: ((c[1], c[0] * y), c[0]), (x[0], x[1]), x),
    "the last of the xs": lambda loop, x: loop(lambda c, y: (y, c), x[0], x),
    "a carry that does not change": lambda loop, x: loop(lambda c, y: (c, c[0] * y), x, x),
    "a carry that grows from nothing": lambda loop, x: loop(lambda c, y: (c + y, 1.0), 0, x),
    "no outputs": lambda loop, x: loop(lambda c, y: (c * np.cos(y), None), x[0], x),
    "a single precision carry": lambda loop, x: loop(
        lambda c, y: (c * np.float32(0.5), c + y), x[0].astype(np.float32), x
    ),
}


def python_loop(f: Any, init: Any, xs: Any) -> Any:
    """The loop, of outputs that may be empty or None; a Python number in the first carry adapts."""
    ys = []
    for i in range(np.shape(xs)[0]):
        init, y = f(init, xs[i])
        ys.append(y)
    if not ys or ys[0] is None:
        return init, (np.zeros((0, *np.shape(init))) if not ys else None)
    return init, np.stack(ys)


def _total(tree: Any) -> Any:
    return sum(np.sum(np.sin(leaf * 1.0)) for leaf in flatten(tree)[0])


EDGE_TRANSFORMATIONS = ["value", "grad", "jit", "jit of grad", "grad of jit", "jvp", "hessian", "vmap of grad"]


@pytest.mark.parametrize("steps", [3, 60])
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("transformation", EDGE_TRANSFORMATIONS)
def test_scans_of_every_kind_are_loops(transformation: str, edge: str, steps: int) -> None:
    """Of few steps, which are interpreted, and of many, which are compiled."""
    x = np.random.default_rng(8).uniform(0.5, 1.0, 12 if transformation == "hessian" else steps)

    def function(loop: Function) -> Function:
        return lambda x, y: _total(EDGES[edge](loop, x * y[0]))

    transform = TRANSFORMATIONS[transformation]
    found, expected = (transform(function(loop))(x, POINT) for loop in (cv.scan, python_loop))
    for a, b in zip(flatten(found)[0], flatten(expected)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5 if "single" in edge else 1e-9, atol=1e-9)


@pytest.mark.parametrize("wrapped", [lambda f: f, cv.jit, lambda f: lambda *x: cv.make_graph(f)(*x)(*x)])
def test_loops_of_no_trips_return_what_they_are_given(wrapped: Any) -> None:
    def looped(x: Any, n: Any) -> Any:
        start = {"x": x, "n": None}
        ended = cv.while_loop(lambda c: c["x"] < 0.0, lambda c: {"x": c["x"] + 1.0, "n": None}, start)["x"]
        return ended * cv.fori_loop(2, n, lambda i, c: c * i, x)

    for n in (2, 1):
        assert wrapped(looped)(3.0, n) == 9.0
        assert wrapped(cv.grad(looped))(3.0, n) == 6.0
    assert cv.grad(wrapped(looped))(3.0, 2) == 6.0


def test_a_loop_runs_once_for_its_value_and_gradient() -> None:
    """Eagerly, and in compiled code, which has one `while` for both."""
    calls = 0

    def counted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return np.sin(x)

    counting = cv.custom_jvp(counted)
    counting.defjvp(lambda primals, tangents: (np.sin(primals[0]), np.cos(primals[0]) * tangents[0]))

    def function(x: Any, steps: int) -> Any:
        first = 0, x * np.ones(2)
        return cv.while_loop(lambda c: c[0] < steps, lambda c: (c[0] + 1, counting(c[1]) * np.ones(2)), first)[1]

    totals = []
    for steps in (5, 25):
        calls = 0
        cv.value_and_grad(lambda x, n=steps: np.sum(function(x, n)))(1.0)
        totals.append(calls)
    assert totals[1] - totals[0] == 20
    for checkpoint in ("every", cv.Binomial(2)):
        root = cv.jit(cv.value_and_grad(lambda a, c=checkpoint: newton(a, checkpoint=c)))
        source = root.source(2.0)
        assert source.split("_in_numpy(")[0].count("while ") == 1
        np.testing.assert_allclose(root(2.0), (np.sqrt(2.0), 0.5 / np.sqrt(2.0)), rtol=1e-7)


def newton(a: Any, **options: Any) -> Any:
    """The square root, by Newton's iteration."""
    return cv.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a, **options)


# --- the source of loops ---------------------------------------------------------------------------------


def test_loops_and_branches_are_written_in_place() -> None:
    def function(x: Any, xs: Any) -> Any:
        def step(c: Any, y: Any) -> Any:
            return cv.cond(y > 0.0, np.sin, lambda c: c * y, c), c

        last, ys = cv.scan(step, x, xs)
        return np.sum(ys) + newton(last * last + 1.0)

    for transformed in (function, cv.grad(function), cv.jacfwd(function), cv.vmap(function, (0, None))):
        first = np.ones(3) if "vmap" in repr(transformed) else 1.0
        source = cv.jit(transformed).source(first, np.linspace(-1.0, 1.0, 60))
        assert "operation_" not in source
        assert "for " in source
        assert "while " in source


def test_loops_over_single_numbers_use_python_floats_and_others_numpy() -> None:
    numbers = cv.jit(lambda x: cv.scan(lambda c, _: (np.sin(c), None), x, None, 100)[0]).source(1.0)
    assert "math.sin" in numbers.split("_in_numpy(")[0]
    arrays = cv.jit(lambda x: cv.scan(lambda c, _: (np.sin(c), None), x, None, 100)[0]).source(np.ones(3))
    assert "math.sin" not in arrays
    assert "for _ in range(100):" in arrays


def test_indices_of_a_loop_are_a_range() -> None:
    source = cv.jit(lambda x: cv.fori_loop(3, 90, lambda i, c: c * i, x)).source(1.0)
    assert "range(3, 90)" in source
    assert "constant" not in source


# --- errors ----------------------------------------------------------------------------------------------


def _traced(function: Function) -> Function:
    return lambda: cv.make_graph(lambda x: function(x))(1.0)


def _plain(function: Function) -> Function:
    return lambda: function(1.0)


both = pytest.mark.parametrize("call", [_plain, _traced])


@both
def test_a_carry_that_changes_its_shape_is_named(call: Any) -> None:
    def function(x: Any) -> Any:
        return cv.scan(lambda c, _: ({"a": np.ones(2) * c["b"], "b": x}, None), {"a": np.ones(3), "b": x}, length=2)

    with pytest.raises(ShapeMismatchError, match=r"carry\['a'\] is float64\[3\] before a step and float64\[2\] after"):
        call(function)()


@both
def test_a_carry_that_changes_its_dtype_is_named(call: Any) -> None:
    with pytest.raises(DTypeMismatchError, match=r"carry is float32\[\] before a step and float64\[\] after"):
        call(lambda x: cv.while_loop(lambda c: c < 9.0, lambda c: c + np.float64(1.0) * x, np.float32(0.0)))()
    with pytest.raises(DTypeMismatchError, match=r"carry is int64\[\] before a step and float64\[\] after"):
        call(lambda x: cv.fori_loop(0, 3, lambda i, c: c + 0.5 * x, np.int64(0)))()


@both
def test_a_carry_that_changes_its_structure_is_refused(call: Any) -> None:
    with pytest.raises(TreeMismatchError, match="the carry of scan must keep its tree structure"):
        call(lambda x: cv.scan(lambda c, _: ((c, x), None), x, length=2))()


@both
def test_a_step_of_scan_must_return_a_pair(call: Any) -> None:
    with pytest.raises(TreeMismatchError, match=r"must return \(carry, y\)"):
        call(lambda x: cv.scan(lambda c, _: c, x, length=2))()


def test_lengths_must_agree() -> None:
    with pytest.raises(ShapeMismatchError, match=r"xs\[0\] has 3, xs\[1\] has 4"):
        cv.scan(lambda c, x: (c, None), 0.0, (np.ones(3), np.ones(4)))
    with pytest.raises(ShapeMismatchError, match="length has 5, xs has 3"):
        cv.scan(lambda c, x: (c, None), 0.0, np.ones(3), 5)
    with pytest.raises(ShapeMismatchError, match="has no axis"):
        cv.scan(lambda c, x: (c, None), 0.0, 1.0)
    with pytest.raises(ArgumentError, match="how many steps"):
        cv.scan(lambda c, x: (c, None), 0.0)
    with pytest.raises(ShapeMismatchError, match="one length along axis 0"):
        cv.associative_scan(lambda a, b: a, (np.ones(3), np.ones(4)))


@pytest.mark.parametrize("checkpoint", ["all", 0, -1, 2.5, True, None])
def test_an_unknown_policy_is_refused(checkpoint: Any) -> None:
    with pytest.raises(ArgumentError, match="scan knows checkpoint="):
        cv.scan(lambda c, x: (c, None), 0.0, np.ones(3), checkpoint=checkpoint)
    with pytest.raises(ArgumentError, match="while_loop knows checkpoint="):
        cv.while_loop(lambda c: c < 1.0, lambda c: c + 1.0, 0.0, checkpoint=checkpoint)


def test_outputs_of_a_plain_scan_must_have_one_type() -> None:
    with pytest.raises(ShapeMismatchError, match="scan stacks the outputs"):
        cv.scan(lambda c, _: (c + 1, np.ones(int(c) + 1)), 0, length=2)


def test_branches_must_agree() -> None:
    def recorded(first: Any, second: Any) -> Any:
        return cv.make_graph(lambda x: cv.cond(x > 0.0, first, second, x))(np.float64(1.0))

    with pytest.raises(TreeMismatchError, match="the branches of cond must return one tree structure"):
        recorded(lambda x: (x, x), lambda x: x)
    with pytest.raises(ShapeMismatchError, match=r"output\[0\] is float64\[\] from .*, float64\[2\] from true"):
        recorded(lambda x: (x * np.ones(2),), lambda x: (x,))
    with pytest.raises(DTypeMismatchError, match=r"float64\[\] from false_fun, float32\[\] from true_fun"):
        recorded(lambda x: x.astype(np.float32), lambda x: x)
    recorded(lambda x: 0.0, lambda x: x)


def test_predicates_and_indices_are_scalars() -> None:
    with pytest.raises(ArgumentError, match="cond needs a scalar pred; found bool"):
        cv.cond(np.ones(2, bool), np.sin, np.cos, 1.0)
    with pytest.raises(ArgumentError, match="switch needs an integer index"):
        cv.switch(1.0, [np.sin], 1.0)
    with pytest.raises(ArgumentError, match="at least one branch"):
        cv.switch(0, [], 1.0)
    with pytest.raises(ArgumentError, match="fori_loop needs integer bounds; upper is float64"):
        cv.fori_loop(0, 2.0, lambda i, c: c, 1.0)
    assert cv.cond(2, np.sin, np.cos, 0.0) == 0.0


@both
def test_a_condition_is_a_boolean_scalar(call: Any) -> None:
    with pytest.raises(ArgumentError, match=r"must be a boolean scalar; found float64\[\]"):
        call(lambda x: cv.while_loop(lambda c: c, lambda c: c * x, x))()
    with pytest.raises(ArgumentError, match=r"must be a boolean scalar; found bool\[2\]"):
        call(lambda x: cv.while_loop(lambda c: c > 0.0, lambda c: c * x, x * np.ones(2)))()


@both
def test_a_loop_that_cannot_end_is_refused(call: Any) -> None:
    with pytest.raises(ArgumentError, match="would never end"):
        call(lambda x: cv.while_loop(lambda c: c[0] < 1.0, lambda c: c, (0.0 * x, x)))()
    with pytest.raises(ArgumentError, match="would never end"):
        cv.make_graph(lambda x: cv.while_loop(lambda c: c[1] > 0.0, lambda c: (c[0] * x, c[1]), (x, x)))(1.0)
    call(lambda x: cv.while_loop(lambda c: False, lambda c: c, x))()


def test_python_cannot_branch_in_a_recorded_step() -> None:
    with pytest.raises(ConcreteValueError):
        cv.grad(lambda x: cv.scan(lambda c, _: (c if c > 0.0 else -c, None), x, length=2)[0])(1.0)


def test_a_batch_axis_of_another_size_is_refused() -> None:
    with pytest.raises(BatchAxisError):
        cv.vmap(lambda c, x: cv.scan(lambda c, y: (c + y, c), c, x))(np.ones(2), np.ones((3, 4)))
