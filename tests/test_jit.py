"""jit: compiled code gives what the function gives, takes the branch the values ask for, and is never stale."""

from __future__ import annotations

import math
import re
import warnings
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.guards import Guard
from covector.compile.simplify import PASSES, simplified
from covector.core.primitive import as_tuple
from covector.errors import ArgumentError, ConcreteValueError, UnsupportedFunctionError
from covector.graph.graph import check
from covector.trees import flatten
from tests.collection import catalogue

X = np.linspace(0.3, 1.7, 5)


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def textbook(x: Any, y: Any) -> Any:
    return np.log(x) + x * y - np.sin(y)


def programs() -> list[Any]:
    weights = np.linspace(-1.0, 1.0, 25).reshape(5, 5)
    return [
        pytest.param(rosenbrock, (X,), id="rosenbrock"),
        pytest.param(cv.grad(rosenbrock), (X,), id="gradient"),
        pytest.param(cv.hessian(rosenbrock), (X,), id="hessian"),
        pytest.param(cv.grad(textbook, (0, 1)), (2.0, 5.0), id="scalars"),
        pytest.param(cv.grad(cv.grad(textbook)), (2.0, 5.0), id="second derivative"),
        pytest.param(cv.jacrev(lambda x: np.tanh(weights @ np.sin(x))), (X,), id="jacobian"),
        pytest.param(cv.vmap(cv.grad(textbook)), (X, X), id="vmap of grad"),
        pytest.param(lambda p: {"a": p["w"] @ p["w"].T, "b": (p["c"], None)}, ({"w": weights, "c": 2.0},), id="trees"),
        pytest.param(lambda x: np.linalg.solve(np.eye(5) + np.outer(x, x), x), (X,), id="solve"),
        pytest.param(lambda x: np.where(x > 1.0, np.sqrt(x), x**3), (X.astype(np.float32),), id="float32"),
        pytest.param(lambda x: x * 2 + 1, (3,), id="integers"),
        pytest.param(lambda z: np.exp(z) * z.conj(), (X + 1j,), id="complex"),
    ]


def same(found: Any, expected: Any) -> None:
    found, expected = flatten(found), flatten(expected)
    assert found[1] == expected[1]
    for a, b in zip(found[0], expected[0], strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12 if np.asarray(b).dtype.itemsize >= 8 else 1e-5, atol=1e-13)


@pytest.mark.parametrize(("function", "args"), programs())
def test_compiled_is_uncompiled(function: Any, args: Any) -> None:
    fast = cv.jit(function)
    for _ in range(2):
        same(fast(*args), function(*args))
    assert fast.cache_info()[:2] == (1, 1)


@pytest.mark.parametrize("instance", catalogue(), ids=repr)
def test_compiling_a_primitive_changes_nothing(instance: Any) -> None:
    def function(*inputs: Any) -> Any:
        return list(as_tuple(instance.primitive(*inputs)))

    same(cv.jit(function)(*instance.inputs), function(*instance.inputs))


@pytest.mark.parametrize(("function", "args"), programs())
def test_each_pass_keeps_the_outputs(function: Any, args: Any) -> None:
    graph = cv.make_graph(function)(*args)
    for simplify in PASSES:
        graph = check(simplify(graph))
        same(graph(*args), function(*args))


class TestSimplification:
    def test_common_subexpressions_are_computed_once(self) -> None:
        graph = simplified(cv.make_graph(lambda x: np.sin(x) * np.cos(x) + np.sin(x))(1.0))
        assert [e.primitive.name for e in graph.equations].count("sin") == 1

    def test_dead_code_goes(self) -> None:
        def function(x: Any) -> Any:
            np.exp(x)
            return x + 1.0

        assert len(simplified(cv.make_graph(function)(1.0)).equations) == 1

    def test_zeros_of_different_sign_stay_apart(self) -> None:
        def function(x: Any) -> Any:
            return np.arctan2(0.0, x), np.arctan2(-0.0, x)

        same(cv.jit(function)(-1.0), function(-1.0))

    def test_factors_of_one_and_double_casts_go(self) -> None:
        graph = simplified(cv.make_graph(lambda x: (x * 1.0).reshape(5) / 1.0)(X))
        assert graph.equations == ()


class TestBranches:
    def test_a_stale_branch_is_never_run(self) -> None:
        fast = cv.jit(lambda x: x * 2.0 if x > 0 else -x)
        assert [float(fast(x)) for x in (1.0, -1.0, 2.0, -3.0)] == [2.0, 1.0, 4.0, 3.0]
        assert fast.cache_info() == (2, 2, 2)

    def test_loops_on_values(self) -> None:
        def root(a: Any) -> Any:
            x = 1.0
            while abs(x * x - a) > 1e-12:
                x = x - (x * x - a) / (2 * x)
            return x

        fast = cv.jit(cv.grad(root))
        for a in (2.0, 3.0, 1e4, 1e-4):
            np.testing.assert_allclose(fast(a), 0.5 / np.sqrt(a), rtol=1e-6)

    def test_integers_and_rounding_are_guarded(self) -> None:
        fast = cv.jit(lambda x, n: sum(x**k for k in range(int(n))) + int(x))
        for x, n in ((1.5, 2.0), (2.5, 2.0), (2.5, 4.0)):
            assert fast(x, n) == sum(x**k for k in range(int(n))) + int(x)

    def test_a_guard_survives_simplification(self) -> None:
        graph = cv.jit(lambda x: 1.0 if x > 0 else 2.0).lower(3.0).simplified
        assert any(isinstance(e.primitive, Guard) for e in graph.equations)

    def test_too_many_branches_run_uncompiled_with_a_warning(self) -> None:
        fast = cv.jit(lambda x: x + int(x))
        for i in range(16):
            fast(float(i))
        with pytest.warns(RuntimeWarning, match="more than 16 different branches"):
            assert fast(20.0) == 40.0


class TestClosures:
    def test_an_array_changed_in_place_is_seen(self) -> None:
        weights = np.array([1.0, 2.0, 3.0])
        fast = cv.jit(cv.grad(lambda x: np.sum(np.sin(weights * x) / weights)))
        x = np.ones(3)
        for _ in range(3):
            np.testing.assert_allclose(fast(x), np.cos(weights * x))
            weights *= 1.5

    def test_what_numpy_computed_from_it_is_computed_anew(self) -> None:
        weights = np.array([1.0, 2.0, 3.0])
        fast = cv.jit(lambda x: np.sum(x * (2.0 * weights)))
        assert fast(np.ones(3)) == 12.0
        weights[:] = 1.0
        assert fast(np.ones(3)) == 6.0

    def test_numbers_and_branches_made_from_it(self) -> None:
        weights = np.array([1.0, 2.0, 3.0])
        first, total = cv.jit(lambda x: x * weights[0]), cv.jit(lambda x: x * float(weights.sum()))
        branch = cv.jit(lambda x: x if weights.sum() > 5.0 else -x)
        assert (first(2.0), total(2.0), branch(2.0)) == (2.0, 12.0, 2.0)
        weights[:] = 0.5
        assert (first(2.0), total(2.0), branch(2.0)) == (1.0, 3.0, -2.0)

    def test_texts_and_records_are_watched_too(self) -> None:
        names, table = np.array(["a", "bcd"]), np.array([(1.0, 2)], dtype=[("x", float), ("n", int)])
        fast = cv.jit(lambda x: x * len(names[1]) * float(table["x"][0]))
        assert fast(2.0) == 6.0
        names[1], table["x"] = "e", 5.0
        assert fast(2.0) == 10.0

    def test_through_objects_and_other_functions(self) -> None:
        class Model:
            def __init__(self) -> None:
                self.weights = np.ones(2)

            def scaled(self) -> Any:
                return 3.0 * self.weights

        model = Model()
        fast = cv.jit(lambda x: np.sum(x * model.scaled()))
        assert fast(np.ones(2)) == 6.0
        model.weights[0] = 5.0
        assert fast(np.ones(2)) == 18.0


class TestScalars:
    def test_numpys_result_and_warning_where_python_would_raise(self) -> None:
        fast = cv.jit(np.log)
        assert fast(1.0) == 0.0
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            assert fast(0.0) == -np.inf
        with pytest.warns(RuntimeWarning, match="overflow"):
            assert cv.jit(np.exp)(1e4) == np.inf

    def test_the_partial_at_a_singular_point(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert cv.jit(cv.grad(np.sqrt))(0.0) == np.inf

    def test_the_source_is_plain_python(self) -> None:
        source = cv.jit(cv.grad(textbook, (0, 1))).source(2.0, 5.0)
        assert "math.cos(y)" in source
        assert "operation_" not in source


class TestShapesThatDependOnValues:
    """Refused by name: each answer would be a program of its own."""

    @pytest.mark.parametrize(
        ("function", "name"),
        [
            (lambda x: x[x > 0], "a boolean mask as an index"),
            (lambda x: x[np.nonzero(x)], "np.nonzero"),
            (lambda x: np.flatnonzero(x > 0), "nonzero"),
            (lambda x: np.argwhere(x > 0), "np.argwhere"),
            (lambda x: np.unique(x), "numpy.unique"),
        ],
    )
    @pytest.mark.parametrize("transform", [lambda f: f, lambda f: cv.grad(lambda x: np.sum(f(x)))])
    def test_refused(self, function: Any, name: str, transform: Any) -> None:
        fast = cv.jit(transform(function))
        for _ in range(2):
            with pytest.raises((ConcreteValueError, UnsupportedFunctionError), match=re.escape(name)):
                fast(X)

    def test_they_work_outside_and_select_inside(self) -> None:
        x = np.array([1.0, -2.0, 3.0])
        fast = cv.jit(cv.grad(lambda x: np.sum(np.where(x > 0, x**2, 0.0))))
        for _ in range(2):
            np.testing.assert_array_equal(fast(x), [2.0, 0.0, 6.0])
        positive = np.flatnonzero(x > 0)
        np.testing.assert_array_equal(cv.jit(lambda x: x[positive])(x), [1.0, 3.0])


class TestStaticArguments:
    @staticmethod
    def power(x: Any, n: Any, *, flip: bool = False) -> Any:
        return -(x**n) if flip else x**n

    def test_by_position_and_by_name_alike(self) -> None:
        for options in ({"static_argnums": 1}, {"static_argnums": -1}, {"static_argnames": "n"}):
            fast = cv.jit(self.power, **options)
            assert [fast(2.0, 3), fast(2.0, n=3), fast(2.0, 4)] == [8.0, 8.0, 16.0]
            assert "x ** 3" in fast.source(2.0, 3) or "3" in str(fast.lower(2.0, 3).graph)

    def test_equal_values_of_different_types_are_different(self) -> None:
        fast = cv.jit(lambda x, n: x * n, static_argnums=1)
        for n in (1, 1.0, True, np.float32(1.0), -0.0, 0.0):
            for _ in range(2):
                same(fast(2, n), 2 * n)
        scaled = cv.jit(lambda x, pair: x * pair[0], static_argnums=1)
        same([scaled(2, (1,)), scaled(2, (1.0,))], [2, 2.0])

    def test_a_default_is_static_too(self) -> None:
        fast = cv.jit(lambda x, n=2: x**n, static_argnums=1)
        assert [fast(3.0), fast(3.0, 3)] == [9.0, 27.0]


class TestCalls:
    def test_static_arguments(self) -> None:
        fast = cv.jit(lambda x, n, flip=False: x**n if not flip else -(x**n), static_argnums=1, static_argnames="flip")
        assert [fast(2.0, 3), fast(2.0, 4), fast(2.0, 3, flip=True)] == [8.0, 16.0, -8.0]
        with pytest.raises(ArgumentError, match="must be hashable"):
            fast(2.0, [3])

    def test_another_shape_or_dtype_is_another_recording(self) -> None:
        fast = cv.jit(lambda x: x.sum())
        for x in (np.ones(2), np.ones((2, 2)), np.ones(2, np.float32), np.ones(2)):
            same(fast(x), x.sum())
        assert fast.cache_info() == (1, 3, 3)

    def test_results_are_the_callers(self) -> None:
        weights = np.ones(3)
        found = cv.jit(cv.grad(lambda x: weights @ x))(np.ones(3))
        found += 1.0
        np.testing.assert_array_equal(weights, 1.0)
        first, second = cv.jit(lambda x: (x.T, x.T))(np.ones((2, 3)))
        first += 1.0
        np.testing.assert_array_equal(second, 1.0)

    def test_under_other_transformations(self) -> None:
        fast = cv.jit(textbook)
        np.testing.assert_allclose(cv.grad(fast, (0, 1))(2.0, 5.0), cv.grad(textbook, (0, 1))(2.0, 5.0))
        np.testing.assert_allclose(cv.vmap(fast)(X, X), textbook(X, X))
        np.testing.assert_allclose(cv.jit(cv.vmap(cv.grad(fast)))(X, X), cv.vmap(cv.grad(textbook))(X, X))
        np.testing.assert_allclose(cv.jit(fast)(2.0, 5.0), textbook(2.0, 5.0))

    def test_as_a_decorator_it_keeps_the_name(self) -> None:
        assert cv.jit(textbook).__name__ == "textbook"


class TestDerivativesOfCompiledCode:
    @pytest.mark.parametrize(
        ("function", "args"),
        [
            (rosenbrock, (X,)),
            (textbook, (2.0, 5.0)),
            (lambda x: np.sum(np.linalg.inv(np.outer(x, x) + np.eye(5))), (X,)),
        ],
    )
    def test_every_derivative_is_that_of_the_function(self, function: Any, args: Any) -> None:
        fast = cv.jit(function)
        directions = tuple(np.ones_like(x) if isinstance(x, np.ndarray) else 1.0 for x in args)
        derivatives = (cv.grad, cv.jacfwd, cv.jacrev, cv.hessian, lambda f: cv.grad(lambda *a: cv.grad(f)(*a).sum()))
        for derivative in derivatives:
            np.testing.assert_allclose(derivative(fast)(*args), derivative(function)(*args), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(cv.jvp(fast, args, directions), cv.jvp(function, args, directions))
        assert fast.cache_info().specializations <= 2  # Python floats, and NumPy's in the nested derivatives

    def test_the_forward_part_and_the_pullback_run_compiled(self) -> None:
        calls = []

        def function(x: Any) -> Any:
            calls.append(x)
            return np.sum(np.sin(x) ** 2)

        gradient = cv.grad(cv.jit(function))
        for _ in range(3):
            np.testing.assert_allclose(gradient(X), np.sin(2 * X))
        assert len(calls) == 1

    def test_branches_are_taken_by_value(self) -> None:
        fast = cv.jit(lambda x: x**2 if x > 0 else -x)
        assert [float(cv.grad(fast)(x)) for x in (3.0, -2.0, 4.0)] == [6.0, -1.0, 8.0]
        assert fast.cache_info() == (1, 2, 2)

    def test_several_outputs_and_constant_ones(self) -> None:
        fast = cv.jit(lambda p: {"a": p["x"] * p["y"], "b": 3.0, "n": np.argmax(p["x"])})
        _, pullback = cv.vjp(lambda p: {k: v for k, v in fast(p).items() if k != "n"}, {"x": X, "y": 2.0})
        (found,) = pullback({"a": np.ones(5), "b": 1.0})
        np.testing.assert_allclose(found["x"], 2.0)
        np.testing.assert_allclose(found["y"], X.sum())


class TestConstantsAndQuestions:
    @pytest.mark.parametrize("constant", [2 + 3j, np.complex128(3j), 7, 2**53 + 1, np.float32(0.1), True, np.int64(4)])
    def test_an_output_that_is_a_number_keeps_its_type(self, constant: Any) -> None:
        fast = cv.jit(lambda x: (x[0] * x[1], constant))
        for _ in range(3):
            found = fast(np.ones(2))[1]
            assert (found, type(found)) == (constant, type(constant))

    @pytest.mark.parametrize("question", [math.floor, math.ceil])
    @pytest.mark.parametrize("shape", [(), (1,), (60, 60)])
    def test_what_math_asks_is_a_branch(self, question: Any, shape: Any) -> None:
        def function(x: Any) -> Any:
            return np.sum(x) * question(np.max(x))

        fast = cv.jit(function)
        for value in (1.3, 1.3, 1.4, 2.5, 2.6, 1.3):
            x = np.full(shape, value)[()]
            same(fast(x), function(x))
        assert fast.cache_info().misses == 2

    @pytest.mark.parametrize("question", [int, math.floor, math.ceil, math.trunc])
    @pytest.mark.parametrize("first", [1.5, math.inf, math.nan])
    def test_what_has_no_answer_may_be_caught(self, question: Any, first: float) -> None:
        """Infinity is no whole number: `int` raises, and a branch of the function's own answers it."""

        def function(x: Any) -> Any:
            try:
                return x * question(x)
            except (OverflowError, ValueError):
                return -x

        fast, slope = cv.jit(function), cv.jit(cv.grad(function))
        for x in (first, 1.5, math.inf, -0.5, -2.5, math.nan, 2.0, 1.5, -math.inf, 1e300, -0.0, 1.75):
            same(fast(x), function(x))
            same(slope(x), cv.grad(function)(x))

    def test_an_index_out_of_range_may_be_caught(self) -> None:
        def function(x: Any, i: Any) -> Any:
            try:
                return x[i] ** 2
            except IndexError:
                return -x[0]

        fast, slope = cv.jit(function), cv.jit(cv.grad(function))
        for i in (0, 1, 7, 0, -9, 4):
            same(fast(X, i), function(X, i))
            same(slope(X, i), cv.grad(function)(X, i))

    def test_whole_numbers_stay_whole_beside_arrays(self) -> None:
        fast = cv.jit(lambda x: np.ldexp(x, 2))
        for _ in range(3):
            same(fast(X), 4.0 * X)

    @pytest.mark.parametrize("x", [2.0, np.float32(0.5), 1.0 + 2.0j, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2j])])
    @pytest.mark.parametrize(
        "function",
        [
            lambda x: 1j / x,
            lambda x: 2.0 * (1j / x),
            lambda x: (1.0 / x) * 2j,
            lambda x: np.sum(x / (1.0 + 1j * x)),
            lambda x: np.where(x == 1j, x, 2.0 * x),
            lambda x: x * (x != 1j),
        ],
    )
    def test_complex_numbers_beside_values(self, function: Any, x: Any) -> None:
        fast = cv.jit(function)
        for _ in range(3):
            same(fast(x), function(x))
