"""Long chains, exceptions, threads, huge and empty inputs."""

from __future__ import annotations

import gc
import math
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import CovectorError, LeakedTracerError
from tests.functions import POINT, SCALAR_FUNCTIONS

LENGTH = 100_000


def chain(x: Any) -> Any:
    """100,000 operations, of which the derivative is a product of as many factors."""
    for _ in range(LENGTH // 2):
        x = x * 1.00001 + 1e-6
    return x


SLOPE = 1.00001 ** (LENGTH // 2)


class TestLongChains:
    def test_forward(self) -> None:
        assert cv.jvp(chain, (1.0,), (1.0,))[1] == pytest.approx(SLOPE)

    def test_reverse(self) -> None:
        assert cv.grad(chain)(1.0) == pytest.approx(SLOPE)

    def test_reverse_of_arrays(self) -> None:
        np.testing.assert_allclose(cv.grad(lambda x: np.sum(chain(x)))(np.ones(2)), SLOPE)

    def test_a_linear_map(self) -> None:
        _, derivative = cv.linearize(chain, 1.0)
        assert derivative(1.0) == pytest.approx(SLOPE)
        assert derivative.T(1.0)[0] == pytest.approx(SLOPE)
        del derivative
        gc.collect()

    def test_second_order(self) -> None:
        short = LENGTH // 10

        def squares(x: Any) -> Any:
            for _ in range(short):
                x = np.sin(x) + 1e-3 * x
            return x

        forward = cv.jvp(cv.grad(squares), (0.5,), (1.0,))[1]
        assert forward == pytest.approx(cv.grad(cv.grad(squares))(0.5), rel=1e-9)

    def test_a_batch(self) -> None:
        np.testing.assert_allclose(cv.vmap(chain)(np.zeros(3)), chain(0.0))

    def test_a_graph(self) -> None:
        graph = cv.make_graph(chain)(1.0)
        assert len(graph.equations) == LENGTH
        assert graph(1.0) == chain(1.0)
        assert len(str(graph).splitlines()) == LENGTH + 2

    def test_a_wide_sum(self) -> None:
        """One value used 100,000 times accumulates as many cotangents."""

        def wide(x: Any) -> Any:
            total = 0.0
            for _ in range(LENGTH // 2):
                total = total + x * 2.0
            return total

        assert cv.grad(wide)(1.0) == LENGTH

    def test_the_recursion_limit_was_not_touched(self) -> None:
        before = sys.getrecursionlimit()
        cv.grad(chain)(1.0)
        assert sys.getrecursionlimit() == before


class Interruption(Exception):
    """Thrown in the middle."""


TRANSFORMATIONS: dict[str, Any] = {
    "grad": lambda f: lambda: cv.grad(f)(1.0),
    "jvp": lambda f: lambda: cv.jvp(f, (1.0,), (1.0,)),
    "vjp": lambda f: lambda: cv.vjp(f, 1.0),
    "linearize": lambda f: lambda: cv.linearize(f, 1.0),
    "vmap": lambda f: lambda: cv.vmap(f)(np.ones(2)),
    "hessian": lambda f: lambda: cv.hessian(f)(1.0),
    "jacfwd": lambda f: lambda: cv.jacfwd(f)(1.0),
    "make_graph": lambda f: lambda: cv.make_graph(f)(1.0),
    "jit": lambda f: lambda: cv.jit(f)(1.0),
    "grad of jit": lambda f: lambda: cv.grad(cv.jit(f))(1.0),
    "jit of grad": lambda f: lambda: cv.jit(cv.grad(f))(1.0),
    "checkpoint": lambda f: lambda: cv.grad(cv.checkpoint(f))(1.0),
    "grad of vmap": lambda f: lambda: cv.grad(lambda x: np.sum(cv.vmap(f)(x)))(np.ones(2)),
    "vmap of grad": lambda f: lambda: cv.vmap(cv.grad(f))(np.ones(2)),
    "grad of grad of grad": lambda f: lambda: cv.grad(cv.grad(cv.grad(f)))(1.0),
    "jvp of grad": lambda f: lambda: cv.jvp(cv.grad(f), (1.0,), (1.0,)),
    "linear_transpose": lambda f: lambda: cv.linear_transpose(f, 1.0),
}
each_transformation = pytest.mark.parametrize("name", TRANSFORMATIONS)


class TestExceptions:
    @each_transformation
    def test_one_in_the_middle_leaves_nothing_behind(self, name: str) -> None:
        leaked: list[Any] = []

        def interrupted(x: Any) -> Any:
            y = 2.0 * x
            leaked.append(y)
            raise Interruption

        for _ in range(3):
            with pytest.raises(Interruption):
                TRANSFORMATIONS[name](interrupted)()
        assert cv.grad(np.sin)(0.5) == np.cos(0.5)
        assert cv.jvp(cv.grad(np.sin), (0.5,), (1.0,))[1] == -np.sin(0.5)
        np.testing.assert_array_equal(cv.vmap(np.sin)(np.ones(2)), np.sin(np.ones(2)))
        for value in leaked:
            with pytest.raises(LeakedTracerError):
                np.sin(value)

    @each_transformation
    def test_a_leaked_tracer_is_refused_by_name(self, name: str) -> None:
        leaked: list[Any] = []

        def leaking(x: Any) -> Any:
            leaked.append(3.0 * x)
            return leaked[-1] * 2.0

        TRANSFORMATIONS[name](leaking)()
        for operation in (np.sin, lambda x: x + 1.0, lambda x: 1.0 * x, lambda x: x + np.ones(2), np.sum):
            with pytest.raises(LeakedTracerError, match=r"leaking|checkpoint|jit") as caught:
                operation(leaked[0])
            assert "which has ended" in str(caught.value)
            assert isinstance(caught.value, TypeError)

    @pytest.mark.parametrize("question", [bool, int, math.floor])
    def test_a_leaked_value_of_a_recording_answers_no_question(self, question: Any) -> None:
        """It would be the answer of the first call for ever."""
        leaked: list[Any] = []
        cv.jit(leaked.append)(2.0)
        with pytest.raises(LeakedTracerError, match=r"was given a value traced by jit .* which has ended"):
            question(leaked[0])
        assert "float64[]" in repr(leaked[0])

    def test_a_leaked_tracer_is_refused_by_the_transformations_too(self) -> None:
        leaked: list[Any] = []

        def leaking(x: Any) -> Any:
            leaked.append(x)
            return x

        cv.grad(leaking)(1.0)
        with pytest.raises(LeakedTracerError):
            cv.grad(lambda y: y * leaked[0])(1.0)
        with pytest.raises(LeakedTracerError):
            cv.grad(lambda y: y * y)(leaked[0])

    def test_one_caught_inside_the_function_is_the_functions_business(self) -> None:
        def function(x: Any) -> Any:
            try:
                cv.grad(lambda y: (_ for _ in ()).throw(Interruption))(x)
            except Interruption:
                return x * x
            return x

        assert cv.grad(function)(3.0) == 6.0

    def test_an_error_of_covector_inside_a_function_can_be_caught_there(self) -> None:
        def function(x: Any) -> Any:
            try:
                return x * float(x)
            except CovectorError:
                return x**3

        assert cv.grad(function)(2.0) == pytest.approx(12.0)

    def test_an_interrupted_inner_transformation_does_not_disturb_the_outer_one(self) -> None:
        def outer(x: Any) -> Any:
            def inner(y: Any) -> Any:
                raise Interruption

            for transformation in (cv.grad, cv.jacfwd, cv.make_graph, cv.checkpoint):
                with pytest.raises(Interruption):
                    transformation(inner)(x)
            return np.sin(x)

        assert cv.grad(outer)(0.3) == np.cos(0.3)


class TestThreads:
    def test_eight_threads_differentiate_at_once(self) -> None:
        functions = [*SCALAR_FUNCTIONS, lambda x: np.sum(np.sin(x)), lambda x: np.sum(x**3)]
        expected = [(cv.grad(f)(POINT), cv.hessian(f)(POINT)) for f in functions]
        start = threading.Barrier(len(functions))

        def work(number: int) -> tuple[list[Any], list[Any]]:
            start.wait()
            function = functions[number]
            return (
                [cv.grad(function)(POINT) for _ in range(30)],
                [cv.vmap(cv.hessian(function))(np.stack([POINT, POINT])) for _ in range(5)],
            )

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            with ThreadPoolExecutor(len(functions)) as pool:
                results = list(pool.map(work, range(len(functions))))
        finally:
            sys.setswitchinterval(interval)
        for (gradients, hessians), (gradient, hessian) in zip(results, expected, strict=True):
            for found in gradients:
                np.testing.assert_array_equal(found, gradient)
            for found in hessians:
                np.testing.assert_allclose(found, [hessian, hessian], rtol=1e-10, atol=1e-12)

    def test_one_pullback_is_shared_by_threads(self) -> None:
        _, pullback = cv.vjp(lambda x: np.sin(x) * np.sum(x * x), POINT)
        expected = [pullback(np.eye(3)[i])[0] for i in range(3)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: pullback(np.eye(3)[i % 3])[0], range(200)))
        for i, x in enumerate(found):
            np.testing.assert_array_equal(x, expected[i % 3])

    def test_one_jitted_function_is_shared_by_threads(self) -> None:
        """While it is being recorded for several shapes and branches."""

        def function(x: Any) -> Any:
            return np.sum(np.sin(x) * x) if np.sum(x) > 0 else np.sum(x**2)

        fast, gradient = cv.jit(function), cv.jit(cv.grad(function))
        inputs = [sign * np.linspace(0.1, 1.0, n) for n in (2, 3, 4) for sign in (1.0, -1.0)]
        with ThreadPoolExecutor(8) as pool:
            values = list(pool.map(lambda i: fast(inputs[i % 6]), range(240)))
            gradients = list(pool.map(lambda i: gradient(inputs[i % 6]), range(240)))
        for i, (value, slope) in enumerate(zip(values, gradients, strict=True)):
            assert value == pytest.approx(function(inputs[i % 6]), rel=1e-13)
            np.testing.assert_allclose(slope, cv.grad(function)(inputs[i % 6]), rtol=1e-12)

    def test_a_thread_started_inside_a_traced_function(self) -> None:
        """Tracers carry their interpreter with them, so a value may cross threads."""

        def function(x: Any) -> Any:
            with ThreadPoolExecutor(2) as pool:
                return sum(pool.map(np.sin, [x, 2.0 * x]))

        assert cv.grad(function)(0.4) == pytest.approx(np.cos(0.4) + 2.0 * np.cos(0.8))


class TestSizes:
    def test_a_million_entries(self) -> None:
        x = np.linspace(0.0, 1.0, 1_000_000)
        found = cv.grad(lambda x: np.sum(np.sin(x) * x))(x)
        np.testing.assert_allclose(found, np.cos(x) * x + np.sin(x))
        (tangent,) = cv.jvp(lambda x: (np.tanh(x),), (x,), (np.ones_like(x),))[1]
        np.testing.assert_allclose(tangent, 1.0 - np.tanh(x) ** 2)

    @pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 4)])
    def test_empty_arrays(self, shape: tuple[int, ...]) -> None:
        x = np.zeros(shape)
        assert cv.grad(lambda x: np.sum(np.sin(x) * 2.0))(x).shape == shape
        assert cv.jvp(np.exp, (x,), (x,))[1].shape == shape
        assert cv.vjp(np.exp, x)[1](x)[0].shape == shape
        assert cv.jacfwd(lambda x: np.exp(x))(x).shape == shape * 2
        assert cv.jacrev(lambda x: np.exp(x))(x).shape == shape * 2
        assert cv.hessian(lambda x: np.sum(x**2))(x).shape == shape * 2
        np.testing.assert_array_equal(cv.vmap(lambda row: row * 2.0)(x), x)

    def test_jacobians_to_and_from_nothing(self) -> None:
        assert cv.jacfwd(lambda x: x[:0])(POINT).shape == (0, 3)
        assert cv.jacrev(lambda x: x[:0])(POINT).shape == (0, 3)
        assert cv.jacrev(lambda x: np.ones(2) * np.sum(x))(np.zeros(0)).shape == (2, 0)

    def test_no_arguments_in_a_tree(self) -> None:
        assert cv.grad(lambda tree, x: x * x)({}, 3.0) == {}
        assert cv.grad(lambda tree, x: x * x, (0, 1))((), 3.0) == ((), 6.0)

    def test_many_leaves(self) -> None:
        tree = {f"w{i}": np.full(2, float(i)) for i in range(500)}
        found = cv.grad(lambda t: sum(np.sum(x * x) for x in t.values()))(tree)
        assert all(np.array_equal(found[name], 2.0 * x) for name, x in tree.items())

    @pytest.mark.parametrize("size", [3, 10_000])
    def test_nothing_is_kept_alive_after_the_call(self, size: int) -> None:
        """Constants and intermediate values are freed at once: there are no cycles of references."""
        kept: list[weakref.ref[Any]] = []

        def function(x: Any) -> Any:
            constant = np.full(size, 2.0)
            kept.append(weakref.ref(constant))
            return np.sum(np.sin(x * constant) * np.take(constant, [0, 1]).sum())

        gc.disable()
        try:
            cv.grad(function)(1.0)
            cv.jvp(function, (1.0,), (1.0,))
            cv.hessian(function)(1.0)
            assert [reference() for reference in kept] == [None] * len(kept)
        finally:
            gc.enable()
