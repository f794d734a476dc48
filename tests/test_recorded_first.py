"""Where jit records a derivative, it records the function first, and differentiates the loops found in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcreteValueError, LeakedTracerError, TracerConversionError
from covector.transforms.control.scanning import Scan
from covector.trees import flatten

RNG = np.random.default_rng(0)


def steps(x: Any) -> Any:
    """A thousand operations in a loop."""
    for _ in range(350):
        x = np.tanh(1.02 * x) + 0.01
    return x


def cube_of_steps(x: Any) -> Any:
    """With a branch on the value."""
    return steps(x) ** 3 if x > 0 else -steps(x)


DERIVATIVES: dict[str, Any] = {
    "grad": cv.grad,
    "value_and_grad": cv.value_and_grad,
    "jvp": lambda f: lambda x: cv.jvp(f, (x,), (1.0,)),
    "vjp": lambda f: lambda x: cv.vjp(f, x)[1](1.0),
    "linearize": lambda f: lambda x: cv.linearize(f, x)[1](1.0),
    "jacfwd": cv.jacfwd,
    "grad of grad": lambda f: cv.grad(cv.grad(f)),
    "jvp of grad": lambda f: lambda x: cv.jvp(cv.grad(f), (x,), (1.0,)),
    "vmap of grad": lambda f: lambda x: cv.vmap(cv.grad(f))(np.stack([x, 2 * x])),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_the_loop_is_differentiated_not_its_steps(name: str) -> None:
    derivative = DERIVATIVES[name](steps)
    lowered = cv.jit(derivative).lower(0.4)
    assert len(lowered.graph.equations) < 60
    assert any(isinstance(e.primitive, Scan) for e in lowered.graph.equations)
    for found, expected in zip(*(flatten(x)[0] for x in (cv.jit(derivative)(0.4), derivative(0.4))), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in DERIVATIVES if name != "vmap of grad"])
def test_every_branch_has_its_derivative(name: str) -> None:
    derivative = DERIVATIVES[name](cube_of_steps)
    compiled = cv.jit(derivative)
    for x in (0.4, -0.3, 0.5, -0.2, 0.4):
        for found, expected in zip(*(flatten(y)[0] for y in (compiled(x), derivative(x))), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert compiled.cache_info().specializations == 2


def test_a_branch_in_a_batch_is_refused_in_the_words_of_vmap() -> None:
    with pytest.raises(ConcreteValueError, match=r"bool\(\).*stands for 2 values.*vmap"):
        cv.jit(cv.vmap(cv.grad(cube_of_steps)))(np.array([0.3, -0.4]))


def test_a_branch_on_a_type_is_refused_in_the_words_of_jit() -> None:
    with pytest.raises(ConcreteValueError, match=r"being recorded by jit"):
        cv.jit(cv.grad(cube_of_steps)).lower(cv.ArrayType((), np.float64))


def test_a_branch_on_what_is_closed_over() -> None:
    def outer(x: Any, y: Any) -> Any:
        return cv.grad(lambda z: z * z * y if y > 1.0 else z)(x)

    compiled = cv.jit(outer)
    for x, y in ((2.0, 3.0), (2.0, 0.5), (1.5, 4.0)):
        assert compiled(x, y) == outer(x, y)


def test_variables_of_an_outer_function_are_constants_of_the_inner_one() -> None:
    def nested(x: Any) -> Any:
        return cv.grad(lambda z: cv.grad(lambda y: np.sin(x * y) * z)(x + z))(x)

    assert cv.jit(cv.grad(nested))(0.7) == pytest.approx(cv.grad(nested)(0.7), rel=1e-14)


def test_what_the_function_prints_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    def printing(x: Any) -> Any:
        cv.debug_print("x is {}", x)
        return x * x if x > 0 else x

    compiled = cv.jit(cv.grad(printing))
    for _ in range(3):
        compiled(2.0)
    assert capsys.readouterr().out == "x is 2.0\n" * 3


def test_errors_that_the_function_catches_are_caught() -> None:
    def repaired(a: Any) -> Any:
        try:
            return np.sum(np.linalg.cholesky(a))
        except np.linalg.LinAlgError:
            return np.sum(a * a)

    compiled = cv.jit(cv.grad(repaired))
    for a in (np.eye(2), -np.eye(2), 2 * np.eye(2), -3 * np.eye(2)):
        np.testing.assert_allclose(compiled(a), cv.grad(repaired)(a))


def test_errors_that_nobody_catches_are_raised() -> None:
    compiled = cv.jit(cv.grad(lambda a: np.sum(np.linalg.inv(a))))
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            compiled(np.zeros((2, 2)))


def test_auxiliary_outputs() -> None:
    seen = np.arange(3.0)

    def function(x: Any) -> Any:
        return np.sum(x * x), {"twice": 2 * x, "seen": seen, "name": "aux"}

    gradient, aux = cv.jit(lambda x: _without_name(cv.grad(function, has_aux=True)(x)))(np.ones(3))
    np.testing.assert_array_equal(gradient, 2 * np.ones(3))
    np.testing.assert_array_equal(aux["twice"], 2 * np.ones(3))
    np.testing.assert_array_equal(aux["seen"], seen)


def _without_name(result: Any) -> Any:
    gradient, aux = result
    assert aux.pop("name") == "aux"
    return gradient, aux


def test_a_closed_over_array_may_be_changed_between_calls() -> None:
    weights = np.array([1.0, 2.0])
    compiled = cv.jit(cv.grad(lambda x: np.sum(weights * x * x)))
    for factor in (1.0, 3.0, 5.0):
        weights[:] = factor
        np.testing.assert_array_equal(compiled(np.ones(2)), 2 * weights)


def test_a_leaked_value_is_named() -> None:
    kept = []

    def leaking(x: Any) -> Any:
        kept.append(x)
        return x * x

    with pytest.raises(LeakedTracerError, match="grad of"):
        cv.jit(lambda x: cv.grad(leaking)(x) + kept[0])(2.0)


def test_what_loses_the_derivative_is_refused() -> None:
    with pytest.raises(TracerConversionError, match=r"float\(\)"):
        cv.jit(cv.grad(lambda x: float(x) * x))(2.0)


@pytest.mark.parametrize("transformed", ["jit", "eager"])
def test_rules_of_the_user_are_used(transformed: str) -> None:
    @cv.custom_jvp
    def half(x: Any) -> Any:
        return x * x

    half.defjvp(lambda primals, tangents: (half(*primals), 0.5 * primals[0] * tangents[0]))
    derivative = cv.grad(lambda x: half(x) + x)
    assert (cv.jit(derivative) if transformed == "jit" else derivative)(3.0) == 2.5


def test_many_layers_of_their_own_arrays_are_not_stacked() -> None:
    weights = [RNG.normal(size=(20, 20)) / 5 for _ in range(12)]

    def loss(parameters: Any) -> Any:
        x = np.ones(20)
        for w in parameters:
            x = np.tanh(x @ w)
        return np.sum(x)

    lowered = cv.jit(cv.grad(loss)).lower(weights)
    assert not any(isinstance(e.primitive, Scan) for e in lowered.simplified.equations)
    for found, expected in zip(cv.jit(cv.grad(loss))(weights), cv.grad(loss)(weights), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


SERIES, NOISE = RNG.normal(size=(2, 40, 30))


def filtered(rate: Any, series: Any, noise: Any) -> Any:
    """A recursion over rows that are not differentiated."""
    state = np.zeros(30)
    for i in range(40):
        state = np.tanh(rate * state + series[i]) + np.sin(noise[i]) * 0.1
    return np.sum(state**2)


def test_elements_of_what_is_not_differentiated_belong_to_the_steps() -> None:
    lowered = cv.jit(cv.grad(filtered)).lower(0.4, SERIES, NOISE)
    assert len(lowered.graph.equations) < 200
    assert sum(isinstance(e.primitive, Scan) for e in lowered.simplified.equations) == 2
    expected = cv.grad(filtered)(0.4, SERIES, NOISE)
    np.testing.assert_allclose(cv.jit(cv.grad(filtered))(0.4, SERIES, NOISE), expected, rtol=1e-12)


def test_so_do_those_of_what_is_closed_over_where_gradients_are_nested() -> None:
    def nested(rate: Any, series: Any, noise: Any) -> Any:
        first = cv.grad(lambda a: filtered(a, series, noise))
        return cv.grad(lambda b: first(b) * series[0, 0] + np.sum(noise[3] * b))(rate) + first(rate)

    compiled = cv.jit(nested)
    expected = nested(0.4, SERIES, NOISE)
    for _ in range(2):
        np.testing.assert_allclose(compiled(0.4, SERIES, NOISE), expected, rtol=1e-11)


def test_what_is_computed_of_constants_may_be_kept_for_later() -> None:
    """It is recorded further out, where it stays known."""

    def remembering(x: Any, y: Any) -> Any:
        kept: dict[str, Any] = {}

        def inner(z: Any) -> Any:
            kept.setdefault("norm", np.sqrt(np.sum(y * y)))
            return z * z * kept["norm"]

        return cv.grad(inner)(x) + kept["norm"]

    compiled = cv.jit(remembering)
    y = np.array([3.0, 4.0])
    for _ in range(2):
        assert compiled(2.0, y) == 25.0
