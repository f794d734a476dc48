"""Many tangents pushed forward at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given

import covector as cv
from tests.functions import POINT, directions, each_vector
from tests.strategies import Program, programs


@each_vector
def test_the_columns_of_the_jacobian(function: Any) -> None:
    columns = cv.vmap(lambda v: cv.jvp(function, (POINT,), (v,))[1], out_axes=-1)(np.eye(3))
    np.testing.assert_allclose(columns, cv.jacfwd(function)(POINT), rtol=1e-12)


@each_vector
def test_primals_and_tangents_mapped_together(function: Any) -> None:
    xs, vs = np.stack(directions(4)), np.stack(directions(4, seed=5))
    outputs, tangents = cv.vmap(lambda x, v: cv.jvp(function, (x,), (v,)))(xs, vs)
    for i in range(4):
        out, tangent = cv.jvp(function, (xs[i],), (vs[i],))
        np.testing.assert_allclose(outputs[i], out, rtol=1e-12)
        np.testing.assert_allclose(tangents[i], tangent, rtol=1e-12)


@each_vector
def test_primals_mapped_with_one_tangent(function: Any) -> None:
    xs, (v,) = np.stack(directions(4)), directions(1, seed=5)
    tangents = cv.vmap(lambda x: cv.jvp(function, (x,), (v,))[1])(xs)
    np.testing.assert_allclose(tangents, [cv.jvp(function, (x,), (v,))[1] for x in xs], rtol=1e-12)


def test_a_tangent_that_is_zero_for_the_whole_batch() -> None:
    found = cv.vmap(lambda x: cv.jvp(lambda y: x * 2.0, (1.0,), (1.0,))[1])(np.arange(3.0))
    np.testing.assert_array_equal(found, np.zeros(3))


@given(programs(length=12, branches=False))
def test_random_programs(program: Program) -> None:
    x, t = program.point
    vs = np.random.default_rng(0).standard_normal((3, *x.shape))

    def push(v: Any) -> Any:
        return cv.jvp(program, (x, t), (v, 0.5))[1]

    np.testing.assert_allclose(cv.vmap(push)(vs), [push(v) for v in vs], rtol=1e-9, atol=1e-11)
