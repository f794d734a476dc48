"""Random programs out of NumPy functions, control flow and broadcasting: every mode against differences and loops."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import covector as cv
from covector.testing import check_grads
from tests.strategies import Program, programs


@given(programs())
def test_forward_and_reverse_mode_are_difference_quotients(program: Program) -> None:
    check_grads(program, program.point, order=1)


@given(programs(length=8))
def test_second_derivatives_are_difference_quotients(program: Program) -> None:
    check_grads(program, program.point, order=2)


@given(programs(length=5))
def test_third_derivatives_are_difference_quotients(program: Program) -> None:
    check_grads(program, program.point, order=3, modes=("rev",))


@given(programs(length=30))
def test_forward_mode_is_reverse_mode(program: Program) -> None:
    x, t = program.point
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    dx, dt = cv.grad(program, (0, 1))(x, t)
    _, tangent = cv.jvp(program, (x, t), (v, 0.3))
    assert tangent == pytest.approx(np.sum(dx * v) + 0.3 * dt, rel=1e-9, abs=1e-10)


@given(programs())
def test_values_are_those_of_the_program(program: Program) -> None:
    x, t = program.point
    value = program(x, t)
    assert cv.value_and_grad(program)(x, t)[0] == pytest.approx(value, rel=1e-14)
    assert cv.jvp(program, (x, t), (x, t))[0] == pytest.approx(value, rel=1e-14)
    assert cv.make_graph(program, concrete=True)(x, t)(x, t) == pytest.approx(value, rel=1e-14)


@given(programs(branches=False))
def test_a_batch_is_a_loop(program: Program) -> None:
    x, t = program.point
    xs, ts = np.stack([x, 0.5 - x, 1.5 * x]), np.array([t, -0.2, 0.4])
    for in_axes, args in (((0, 0), (xs, ts)), ((0, None), (xs, t)), ((None, 0), (x, ts))):
        found = cv.vmap(program, in_axes)(*args)
        looped = [program(xs[i] if in_axes[0] == 0 else x, ts[i] if in_axes[1] == 0 else t) for i in range(3)]
        np.testing.assert_allclose(found, looped, rtol=1e-11, atol=1e-12)


@given(programs(branches=False))
def test_a_recorded_program_has_the_same_derivatives(program: Program) -> None:
    x, t = program.point
    graph = cv.make_graph(program)(x, t)
    np.testing.assert_allclose(cv.grad(graph)(x, t), cv.grad(program)(x, t), rtol=1e-12, atol=1e-13)
    gradient = cv.make_graph(cv.grad(program))(x, t)
    np.testing.assert_allclose(gradient(x, t), cv.grad(program)(x, t), rtol=1e-12, atol=1e-13)


@given(programs())
def test_jit_changes_nothing(program: Program) -> None:
    x, t = program.point
    size = 1.0 + abs(program(x, t))
    fast = cv.jit(program)
    for point in ((x, t), (-x, t), (0.1 * x, 2.0), (x, t)):
        assert fast(*point) == pytest.approx(program(*point), rel=1e-12, abs=1e-12 * size)
        expected = cv.grad(program, (0, 1))(*point)
        scale = 1.0 + np.max(np.abs(expected[0])) + abs(expected[1])
        for gradient in (cv.grad(fast, (0, 1)), cv.jit(cv.grad(program, (0, 1)))):
            found = gradient(*point)
            np.testing.assert_allclose(found[0], expected[0], atol=1e-11 * scale)
            np.testing.assert_allclose(found[1], expected[1], atol=1e-11 * scale)


@given(programs(length=10))
def test_checkpoints_change_nothing(program: Program) -> None:
    x, t = program.point
    np.testing.assert_allclose(cv.grad(cv.checkpoint(program))(x, t), cv.grad(program)(x, t), rtol=1e-12, atol=1e-13)
    plain, checked = (cv.hvp(partial(f, t=t), (x,), (np.ones_like(x),)) for f in (program, cv.checkpoint(program)))
    np.testing.assert_allclose(checked, plain, rtol=1e-9, atol=1e-10)


@given(programs(length=10))
def test_single_precision(program: Program) -> None:
    """Same derivatives to single precision; dtypes stay."""
    x, t = program.point
    found: Any = cv.grad(program, (0, 1))(x.astype(np.float32), np.float32(t))
    expected = cv.grad(program, (0, 1))(x, t)
    assert found[0].dtype == np.float32
    assert type(found[1]) is np.float32
    size = 1.0 + np.max(np.abs(expected[0])) + abs(expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=2e-4 * size)
    np.testing.assert_allclose(found[1], expected[1], atol=2e-4 * size)
