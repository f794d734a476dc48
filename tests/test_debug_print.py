"""debug_print: shows values when they are computed, once each, and changes nothing, under every transformation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ArgumentError, DTypeMismatchError, NonlinearError
from covector.graph.effects import has_effects, without_effects
from covector.trees import flatten

Printed = Callable[[], list[str]]
X = np.array([1.0, 2.0])


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """The lines printed since the last time."""
    return lambda: capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> None:
    """Not here: the first call is what is tested."""


def square(x: Any) -> Any:
    cv.debug_print("x = {}", x)
    return x**2


def scanned(x: Any) -> Any:
    def step(carry: Any, a: Any) -> Any:
        cv.debug_print("{carry} {a}", carry=carry, a=a)
        return carry * a, None

    return cv.scan(step, x, np.array([3.0, 5.0]))[0]


def doubled(x: Any) -> Any:
    def step(carry: Any) -> Any:
        cv.debug_print("{}", carry)
        return carry * 2.0

    return cv.while_loop(lambda carry: carry < 7.0, step, x)


def chosen(x: Any) -> Any:
    def negative(x: Any) -> Any:
        cv.debug_print("negative {}", x)
        return -x

    def positive(x: Any) -> Any:
        cv.debug_print("positive {}", x)
        return 2.0 * x

    return cv.cond(x > 0.0, positive, negative, x)


def branching(x: Any) -> Any:
    cv.debug_print("before {}", x)
    if x > 0.0:
        return 2.0 * x
    cv.debug_print("after {}", x)
    return -x


FUNCTIONS = [
    pytest.param(square, ["x = {}"], id="plain"),
    pytest.param(scanned, ["{} 3.0", "{3} 5.0"], id="scan"),
    pytest.param(doubled, ["{}", "{2}"], id="while"),
    pytest.param(chosen, ["positive {}"], id="cond"),
    pytest.param(branching, ["before {}"], id="if"),
]


def lines(templates: list[str], x: float) -> list[str]:
    """The templates with multiples of x for their places."""
    return [re.sub(r"\{(\d*)\}", lambda found: str(x * int(found[1] or 1)), line) for line in templates]


class TestOnce:
    """One line for each time that the primal is computed."""

    @pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
    @pytest.mark.parametrize(
        "transform",
        [
            lambda f: f,
            cv.grad,
            cv.jacfwd,
            cv.jacrev,
            lambda f: lambda x: cv.jvp(f, (x,), (1.0,)),
            lambda f: lambda x: cv.vjp(f, x)[1](1.0),
            lambda f: cv.grad(cv.grad(f)),
            cv.hessian,
            lambda f: cv.grad(cv.checkpoint(f)),
        ],
        ids=["eager", "grad", "jacfwd", "jacrev", "jvp", "vjp", "grad grad", "hessian", "checkpoint"],
    )
    def test_without_jit(self, function: Any, expected: list[str], transform: Any, printed: Printed) -> None:
        transform(function)(2.0)
        assert printed() == lines(expected, 2.0)

    @pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
    @pytest.mark.parametrize(
        "transform",
        [cv.jit, lambda f: cv.jit(cv.grad(f)), lambda f: cv.grad(cv.jit(f)), lambda f: cv.jit(cv.jit(f))],
        ids=["jit", "jit grad", "grad jit", "jit jit"],
    )
    def test_at_each_run_of_compiled_code(
        self, function: Any, expected: list[str], transform: Any, printed: Printed
    ) -> None:
        fast = transform(function)
        for x in (2.0, 2.5, 3.0):
            fast(x)
            assert printed() == lines(expected, x)

    def test_a_branch_that_is_left_prints_nothing(self, printed: Printed) -> None:
        fast = cv.jit(branching)
        for x in (1.0, 2.0, -1.0, -2.0, 3.0, -3.0):
            assert fast(x) == (2.0 * x if x > 0 else -x)
            assert printed() == [f"before {x}"] + ([f"after {x}"] if x < 0 else [])

    def test_lowering_prints_nothing(self, printed: Printed) -> None:
        fast = cv.jit(branching)
        assert "print('before {}'.format(x))" in fast.source(1.0)
        assert printed() == []

    def test_order_is_kept_among_large_arrays(self, printed: Printed) -> None:
        def function(x: Any) -> Any:
            y = np.sin(x)
            cv.debug_print("sum {:.1f}", np.sum(y))
            z = np.cos(x)
            cv.debug_print("last {:.1f}", z[-1])
            return np.sum(y * z)

        fast = cv.jit(function)
        for _ in range(2):
            fast(np.zeros(300_000))
            assert printed() == ["sum 0.0", "last 1.0"]

    def test_equal_prints_are_not_one(self, printed: Printed) -> None:
        def twice(x: Any) -> Any:
            cv.debug_print("{}", x)
            cv.debug_print("{}", x)
            return x

        fast = cv.jit(twice)
        for _ in range(2):
            fast(1.0)
            assert printed() == ["1.0", "1.0"]


class TestBatches:
    def test_once_for_each_element(self, printed: Printed) -> None:
        for transform in (cv.vmap, lambda f: cv.vmap(cv.grad(f)), lambda f: cv.jit(cv.vmap(f))):
            fast = transform(square)
            for _ in range(2):
                fast(X)
                assert printed() == ["x = 1.0", "x = 2.0"]

    def test_nested_batches_in_order(self, printed: Printed) -> None:
        rows = np.arange(6.0).reshape(2, 3)
        for function in (cv.vmap(cv.vmap(square)), cv.jit(cv.vmap(cv.vmap(square)))):
            for _ in range(2):
                function(rows)
                assert printed() == [f"x = {entry}" for entry in rows.ravel()]

    def test_what_is_shared_is_printed_with_each_element(self, printed: Printed) -> None:
        def pair(x: Any, y: Any) -> Any:
            cv.debug_print("{} {}", x, y)
            return x * y

        cv.vmap(pair, (0, None))(X, 5.0)
        assert printed() == ["1.0 5.0", "2.0 5.0"]
        cv.vmap(cv.vmap(pair, (None, 0)), (0, None))(X, np.array([7.0, 8.0]))
        assert printed() == ["1.0 7.0", "1.0 8.0", "2.0 7.0", "2.0 8.0"]

    def test_in_a_scan(self, printed: Printed) -> None:
        for function in (cv.vmap(scanned), cv.jit(cv.vmap(scanned))):
            for _ in range(2):
                function(X)
                assert printed() == ["1.0 3.0", "2.0 3.0", "3.0 5.0", "6.0 5.0"]


class TestExport:
    @pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
    def test_the_module_prints(self, function: Any, expected: list[str], printed: Printed) -> None:
        source = cv.export(cv.grad(function), 2.0)
        assert "import covector" not in source
        module: dict[str, Any] = {}
        exec(source, module)
        (name,) = module["__all__"]
        module[name](3.0)
        assert printed() == lines(expected, 3.0)

    def test_batches_and_trees_are_written_in_python(self, printed: Printed) -> None:
        def function(tree: Any) -> Any:
            cv.debug_print("{what} {tree} {0}", tree["a"], what="tree", tree=[tree, (tree["b"],), None])
            return tree["a"]

        batch = {"a": X, "b": X[::-1].copy()}
        source = cv.export(cv.vmap(function), batch)
        module: dict[str, Any] = {"__name__": "exported"}
        exec(source, module)
        module["function"](batch)
        found = printed()
        cv.vmap(function)(batch)
        assert found == printed()
        assert len(found) == 2


class TestMessages:
    def test_formats_texts_and_trees(self, printed: Printed) -> None:
        cv.debug_print("{0:.2f} {name} {tree} {1}", 1.0, "text", name="loss", tree={"a": [1, None]})
        assert printed() == ["1.00 loss {'a': [1, None]} text"]

    def test_attributes_and_entries(self, printed: Printed) -> None:
        def function(x: Any) -> Any:
            cv.debug_print("{0.shape} {0[1]} {{}}", x)
            return x

        fast = cv.jit(function)
        for _ in range(2):
            fast(X)
            assert printed() == ["(2,) 2.0 {}"]

    def test_a_place_without_an_argument(self) -> None:
        for message, named in (("{} {}", {}), ("{y}", {"x": 1.0})):
            with pytest.raises(ArgumentError, match=r"has a place for argument '[1y]'"):
                cv.debug_print(message, 1.0, **named)

    def test_what_cannot_be_traced(self) -> None:
        with pytest.raises(DTypeMismatchError, match=r"kwargs\['x'\] is a object"):
            cv.debug_print("{x}", x=object())

    def test_tangents_have_values_in_forward_mode_only(self, printed: Printed) -> None:
        @cv.custom_jvp
        def cube(x: Any) -> Any:
            return x**3

        @cube.defjvp
        def cube_jvp(primals: Any, tangents: Any) -> Any:
            cv.debug_print("{}", tangents[0])
            return primals[0] ** 3, 3.0 * primals[0] ** 2 * tangents[0]

        cv.jvp(cube, (2.0,), (0.5,))
        assert printed() == ["0.5"]
        with pytest.raises(NonlinearError, match="debug_print was given a tangent"):
            cv.grad(cube)(2.0)


class TestNothingElseChanges:
    @pytest.mark.parametrize(("function", "expected"), FUNCTIONS)
    def test_derivatives_are_those_of_the_silent_function(
        self, function: Any, expected: list[str], printed: Printed
    ) -> None:
        cv.check_grads(function, (2.0,), order=2)
        printed()

    def test_a_graph_without_effects_computes_the_same(self, printed: Printed) -> None:
        for function in (square, scanned, chosen, doubled):
            graph = cv.make_graph(cv.value_and_grad(function))(1.5)
            assert has_effects(graph)
            silent = without_effects(graph)
            assert not has_effects(silent)
            printed()
            found = silent(1.5)
            assert printed() == []
            assert flatten(found) == flatten(graph(1.5))

    def test_an_exception_shows_what_was_printed_before(self, printed: Printed) -> None:
        def function(x: Any) -> Any:
            cv.debug_print("{}", x[0])
            scale = 1.0 if x[0] > 0.0 else 2.0
            return np.linalg.inv(x[0] * scale * np.zeros((2, 2)))

        fast = cv.jit(function)
        for _ in range(2):
            with pytest.raises(np.linalg.LinAlgError):
                fast(X)
            assert printed() == ["1.0"]
