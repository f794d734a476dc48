"""The first call of a jitted function computes while it records; lower shows what later calls run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcreteValueError
from covector.ops.linalg_decompositions import Cholesky
from covector.scipy.linalg import solve_triangular
from covector.trees import flatten
from tests.test_jit import programs, same, textbook


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> None:
    """Not here: the first call is what is tested."""


class TestFirstCall:
    """It computes while it records, and compiles nothing."""

    @pytest.mark.parametrize(("function", "args"), programs())
    def test_it_gives_what_the_function_gives_and_is_the_callers(self, function: Any, args: Any) -> None:
        found = cv.jit(function)(*args)
        same(found, function(*args))
        again = cv.jit(function)(*args)
        for x in flatten(again)[0]:
            if isinstance(x, np.ndarray):
                assert not any(np.shares_memory(x, y) for y in flatten(args)[0])
                x[...] = 0
        same(found, function(*args))

    @pytest.mark.parametrize("transform", [lambda f: f, cv.grad, cv.jacfwd])
    def test_nothing_is_compiled_for_one_call(self, transform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any) -> Any:
            raise AssertionError("compiled")

        fast = transform(cv.jit(textbook))
        monkeypatch.setattr("covector.compile.compiled.emitted", fail)
        np.testing.assert_allclose(fast(2.0, 5.0), transform(textbook)(2.0, 5.0))
        with pytest.raises(AssertionError, match="compiled"):
            fast(2.0, 5.0)

    def test_the_function_runs_once(self) -> None:
        calls = []

        def function(x: Any) -> Any:
            calls.append(1)
            return np.sin(x) if x > 0 else x

        fast = cv.jit(cv.grad(function))
        for _ in range(3):
            fast(1.0)
        assert len(calls) == 1

    def test_arrays_changed_while_it_runs_have_the_entries_of_the_moment(self) -> None:
        state = np.ones(2)

        def function(x: Any) -> Any:
            y = x * state
            state[:] += 1.0
            return y + x * state

        assert cv.jit(function)(1.0).tolist() == [3.0, 3.0]

    def test_errors_come_from_the_users_line(self) -> None:
        def function(x: Any) -> Any:
            return np.linalg.inv(x)

        with pytest.raises(np.linalg.LinAlgError) as caught:
            cv.jit(function)(np.zeros((2, 2)))
        assert "return np.linalg.inv(x)" in str(caught.getrepr())

    def test_what_is_traced_outside_is_no_part_of_a_recording_that_is_kept(self) -> None:
        outside: list[Any] = [1.0]
        fast = cv.jit(lambda x: x * outside[0])

        def function(s: Any) -> Any:
            outside[0] = s
            return fast(2.0)

        for s in (3.0, 4.0):
            assert cv.grad(function)(s) == 2.0
        outside[0] = 5.0
        assert fast(2.0) == 10.0


class TestLower:
    def test_it_has_the_graphs_before_and_after_the_source_and_the_times(self) -> None:
        lowered = cv.jit(cv.grad(textbook)).lower(2.0, 5.0)
        assert len(lowered.graph.equations) > len(lowered.simplified.equations)
        for graph in (lowered.graph, lowered.simplified):
            np.testing.assert_allclose(graph(2.0, 5.0), [5.5])
        assert lowered.source.startswith("def textbook(x, y):")
        assert 0.0 < lowered.recording_seconds < 10.0
        assert 0.0 < lowered.emission_seconds < 10.0
        assert lowered.simplified.cost().operations == len(lowered.simplified.equations)

    def test_what_it_made_runs(self) -> None:
        calls = []

        def function(x: Any) -> Any:
            calls.append(1)
            return np.sin(x)

        fast = cv.jit(function)
        assert fast.source(1.0) == fast.source(2.0) == fast.lower(3.0).source
        assert fast(1.0) == np.sin(1.0)
        assert fast.cache_info() == (1, 1, 1)
        assert len(calls) == 1

    def test_types_in_the_place_of_arrays(self) -> None:
        kind = cv.ArrayType((1000, 1000), np.dtype(np.float32))
        lowered = cv.jit(lambda x: x @ x).lower(kind)
        assert lowered.graph.cost().operations == 1000 * 1000 * 1999
        with pytest.raises(ConcreteValueError, match=r"bool\(\) was asked at .*test_jit_first_call.py"):
            cv.jit(lambda x: x if x[0, 0] > 0 else -x).lower(kind)

    def test_it_computes_only_what_python_may_be_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """SciPy's question whether all entries are finite has no answer that compiled code could depend on."""

        def fail(*inputs: Any) -> Any:
            raise AssertionError("computed")

        def function(x: Any) -> Any:
            return np.sum(solve_triangular(np.linalg.cholesky(x), np.ones(2), lower=True))

        with monkeypatch.context() as patched:
            patched.setattr(Cholesky, "evaluate", fail)
            lowered = cv.jit(cv.grad(function)).lower(np.eye(2))
            with pytest.raises(AssertionError, match="computed"):
                cv.jit(lambda x: x if function(x) > 0 else -x).lower(np.eye(2))
        assert lowered.graph(np.eye(2))[0].shape == (2, 2)

    def test_it_shows_the_branch_of_its_arguments(self) -> None:
        fast = cv.jit(lambda x: x * 2.0 if x > 0 else -x)
        fast(1.0)
        assert "* 2.0" in fast.source(1.0)
        assert "* 2.0" not in fast.source(-1.0)
