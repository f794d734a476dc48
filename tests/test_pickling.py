"""Pickling and copying: graphs and transformed functions come back as what they were, also in another process."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.primitive import parameters
from covector.graph.graph import Graph, check
from covector.trees import flatten
from tests.collection import catalogue
from tests.functions import POINT, griewank

MATRIX = np.linspace(-1.0, 1.0, 6).reshape(2, 3)


def looped(x: Any) -> Any:
    def step(carry: Any, a: Any) -> Any:
        return cv.cond(a > 0.0, np.sin, lambda c: MATRIX[0, 0] * c, carry) * a, carry

    return cv.scan(step, x, np.linspace(-1.0, 1.0, 5))


def summed(x: Any) -> Any:
    return np.sum(np.sin(x) ** 2)


def branching(x: Any) -> Any:
    return x**2 if x > 0 else -x


PROGRAMS = [
    pytest.param(griewank, (2.0, 5.0), id="scalars"),
    pytest.param(lambda x: MATRIX @ np.sin(x * MATRIX[0]), (POINT,), id="constants"),
    pytest.param(cv.hessian(summed), (POINT,), id="hessian"),
    pytest.param(lambda x: {"a": [x.astype(np.float32)], "b": (np.argmax(x), None)}, (POINT,), id="trees"),
    pytest.param(lambda x: np.fft.fft(np.sort(x)) * np.linalg.norm(x, 3), (POINT,), id="parameters"),
    pytest.param(looped, (0.7,), id="nested"),
    pytest.param(cv.grad(lambda x: looped(x)[0]), (0.7,), id="derivative of nested"),
    pytest.param(lambda x: x * np.float32(1.5) + 2, (np.float32(1.0),), id="literals"),
]

COPIES = [
    pytest.param(lambda x: pickle.loads(pickle.dumps(x)), id="pickle"),
    pytest.param(lambda x: pickle.loads(pickle.dumps(x, 2)), id="old protocol"),
    pytest.param(copy.deepcopy, id="deepcopy"),
    pytest.param(copy.copy, id="copy"),
]


def same(found: Any, expected: Any) -> None:
    found, expected = flatten(found), flatten(expected)
    assert found[1] == expected[1]
    for a, b in zip(found[0], expected[0], strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize(("function", "args"), PROGRAMS)
def test_a_graph_comes_back(function: Any, args: Any, copied: Any) -> None:
    graph = cv.make_graph(function)(*args)
    found = copied(graph)
    assert isinstance(found, Graph)
    assert str(check(found)) == str(graph)
    same(found(*args), graph(*args))


def test_a_variable_is_one_object_wherever_it_is_used() -> None:
    graph = pickle.loads(pickle.dumps(cv.make_graph(lambda x: x * np.sin(x))(1.0)))
    (x,), (sine, product) = graph.inputs, graph.equations
    assert sine.inputs[0] is x
    assert product.inputs == (x, sine.outputs[0])
    assert graph.outputs == product.outputs


def test_a_pickled_graph_is_independent() -> None:
    weights = np.ones(3)
    graph = cv.make_graph(lambda x: x * weights)(POINT)
    other = copy.deepcopy(graph)
    other.constants[0][1][:] = 5.0
    np.testing.assert_array_equal(graph(POINT), POINT)


def test_a_pickled_graph_is_differentiated_and_compiled() -> None:
    graph = pickle.loads(pickle.dumps(cv.make_graph(summed)(POINT)))
    np.testing.assert_allclose(cv.grad(graph)(POINT), np.sin(2 * POINT))
    fast = cv.jit(cv.grad(graph))
    for _ in range(2):
        np.testing.assert_allclose(fast(POINT), np.sin(2 * POINT))


@pytest.mark.parametrize("instance", catalogue(), ids=repr)
def test_every_operation_comes_back(instance: Any) -> None:
    """Equal, unless a function that cannot be pickled, a rule of the user's, is among its parameters."""
    try:
        text = pickle.dumps(instance.primitive)
    except (AttributeError, pickle.PicklingError) as error:
        if not re.search("<locals>|<lambda>", str(error)):
            raise
        return
    found = pickle.loads(text)
    assert type(found) is type(instance.primitive)
    assert found.signature == instance.primitive.signature
    names = [name for name, value in parameters(found).items() if isinstance(value, (int, float, str, np.dtype))]
    assert [getattr(found, name) for name in names] == [getattr(instance.primitive, name) for name in names]


TRANSFORMATIONS = [
    cv.grad, cv.value_and_grad, cv.jacfwd, cv.jacrev, cv.jacobian, cv.hessian, cv.vmap, cv.jit, cv.checkpoint,
    cv.make_graph,
]  # fmt: skip


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("transform", TRANSFORMATIONS, ids=lambda transform: transform.__name__)
def test_a_transformed_function_comes_back(transform: Any, copied: Any) -> None:
    function = np.sin if transform is cv.vmap else summed
    found = copied(transform(function))(POINT)
    expected = transform(function)(POINT)
    if isinstance(found, Graph):
        found, expected = found(POINT), expected(POINT)
    same(found, expected)


def test_options_are_kept() -> None:
    def returned(transformed: Any) -> Any:
        return pickle.loads(pickle.dumps(transformed))(*args)

    args: Any = (2.0, 5.0)
    same(returned(cv.grad(griewank, (0, 1))), cv.grad(griewank, (0, 1))(*args))
    same(returned(cv.jacobian(griewank, 1, "reverse")), cv.jacobian(griewank, 1)(*args))
    args = (MATRIX, POINT)
    same(returned(cv.vmap(np.multiply, (1, 0), 1)), cv.vmap(np.multiply, (1, 0), 1)(*args))
    fast = pickle.loads(pickle.dumps(cv.jit(pow, static_argnums=1)))
    assert (fast(2.0, 3), fast(2.0, 4)) == (8.0, 16.0)


def test_recordings_stay_behind() -> None:
    fast = cv.jit(branching)
    fast(1.0)
    assert pickle.loads(pickle.dumps(fast)).cache_info() == (0, 0, 0)


def test_nested_transformations_in_another_process(tmp_path: Path) -> None:
    functions: list[Any] = [cv.grad(cv.grad(np.sin)), cv.jit(cv.grad(np.tanh)), cv.grad(cv.jit(np.exp))]
    functions.append(cv.hessian(np.cos))
    (tmp_path / "functions").write_bytes(pickle.dumps(functions))
    program = "import pickle, sys; print(*[float(f(0.5)) for f in pickle.load(open(sys.argv[1], 'rb'))])"
    command = [sys.executable, "-c", program, str(tmp_path / "functions")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    np.testing.assert_allclose(np.array(done.stdout.split(), float), np.array([f(0.5) for f in functions]))


class TestTransformedFunctions:
    def test_they_look_like_the_function(self) -> None:
        transform: Any
        for transform in TRANSFORMATIONS:
            transformed: Any = transform(griewank)
            assert transformed.__name__ == "griewank"
            assert list(inspect.signature(transformed).parameters) == list(inspect.signature(griewank).parameters)
            assert "griewank" in repr(transformed)

    def test_they_are_methods_where_functions_are(self) -> None:
        class Model:
            def __init__(self) -> None:
                self.scale = 3.0

            @staticmethod
            def loss(scale: Any, x: Any) -> Any:
                return scale * x**2

            slope = cv.grad(lambda self, x: self.scale * x**2, 1)
            value = cv.jit(lambda self, x: self.scale * x**2, static_argnums=0)

        model: Any = Model()
        assert model.slope(2.0) == 12.0
        assert (model.value(2.0), model.value(2.0)) == (12.0, 12.0)
        assert Model.slope(model, 2.0) == 12.0

    def test_a_function_that_cannot_be_pickled_is_named(self) -> None:
        def local(x: Any) -> Any:
            return x

        with pytest.raises((pickle.PicklingError, AttributeError), match="local"):
            pickle.dumps(cv.grad(local))
