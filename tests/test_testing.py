"""The checks themselves: they accept right derivatives, and show where a wrong one is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ArgumentError, BatchingMismatchError, DerivativeMismatchError
from covector.testing import check_batching, check_grads, check_jvp, check_vjp, difference_quotient

X = np.array([0.5, -1.0, 2.0])


def with_slope(slope: Callable[[Any], Any]) -> Callable[..., Any]:
    """The sine, with a derivative to be checked."""

    @cv.custom_jvp
    def sine(x: Any) -> Any:
        return np.sin(x)

    @sine.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return np.sin(primals[0]), slope(primals[0]) * tangents[0]

    return sine


def with_pullback(slope: Callable[[Any], Any]) -> Callable[..., Any]:
    """The sine, with a reverse rule to be checked."""

    @cv.custom_vjp
    def sine(x: Any) -> Any:
        return np.sin(x)

    sine.defvjp(lambda x: (np.sin(x), x), lambda x, cotangent: (slope(x) * cotangent,))
    return sine


def test_right_derivatives_pass() -> None:
    check_jvp(with_slope(np.cos), (X,))
    check_vjp(with_pullback(np.cos), (X,))
    check_grads(with_slope(np.cos), (X,), order=3)
    check_grads(with_pullback(np.cos), (X,), order=3, modes=("rev",))


@pytest.mark.parametrize("check", [check_jvp, check_grads])
def test_a_wrong_forward_rule_is_found_and_its_worst_entry_shown(check: Any) -> None:
    wrong = with_slope(lambda x: np.cos(x) + np.array([0.0, 1e-4, 1e-3]))
    with pytest.raises(
        DerivativeMismatchError,
        match=r"jvp of .*sine at output\[2\]: found \S+, expected \S+, difference 0.000\S+, tolerance .* \(2 of 3",
    ):
        check(wrong, (X,))


def test_a_wrong_reverse_rule_is_found_and_located() -> None:
    sine = with_pullback(lambda x: np.cos(x) * np.array([1.0, 1.0, 1.001]))
    with pytest.raises(DerivativeMismatchError, match=r"the cotangent of args\[0\]\['x'\]\[2\]: found"):
        check_vjp(lambda tree: sine(tree["x"]) * tree["y"], ({"x": X, "y": 2.0},))


def test_a_wrong_second_derivative_is_found() -> None:
    constant_slope = with_slope(lambda x: cv.stop_gradient(np.cos(x)))
    check_grads(constant_slope, (X,), order=1)
    with pytest.raises(DerivativeMismatchError, match="jvp of jvp of"):
        check_grads(constant_slope, (X,), order=2, modes=("fwd",))
    with pytest.raises(DerivativeMismatchError, match="vjp of vjp of"):
        check_grads(constant_slope, (X,), order=2, modes=("rev",))


def test_a_value_that_changes_under_differentiation_is_found() -> None:
    @cv.custom_jvp
    def identity(x: Any) -> Any:
        return x

    identity.defjvp(lambda primals, tangents: (primals[0] + 1e-3, tangents[0]))
    with pytest.raises(DerivativeMismatchError, match="the value of"):
        check_jvp(identity, (X,))


def test_trees_and_several_outputs() -> None:
    def function(tree: Any, scale: float) -> Any:
        return {"a": np.sin(tree["x"]) * scale, "b": (tree["y"] * tree["x"], 3.0 * scale)}

    check_grads(function, ({"x": X, "y": np.float64(0.3)}, 1.5))


def test_integer_arguments_are_held_fixed() -> None:
    check_grads(lambda x, n: x**n, (X, 3))
    with pytest.raises(ArgumentError, match="no argument has floating-point entries"):
        check_grads(lambda n: n * 2.0, (3,))


def test_functions_without_floating_point_outputs_have_nothing_to_check() -> None:
    with pytest.raises(ArgumentError, match="no output has floating-point entries"):
        check_grads(np.argmax, (X,))


def test_single_precision_passes_with_its_own_tolerance() -> None:
    check_grads(lambda x: np.sin(x) * x, (X.astype(np.float32),))
    with pytest.raises(DerivativeMismatchError):
        check_jvp(with_slope(lambda x: np.cos(x) * np.float32(1.1)), (X.astype(np.float32),))


@pytest.mark.parametrize("z", [1.0 + 2.0j, np.array([0.3 - 1.0j, 2.0 + 0.5j])])
def test_complex_arguments(z: Any) -> None:
    check_grads(lambda z: z * z * np.exp(z), (z,))
    check_grads(lambda z: z * z.conjugate(), (z,))


def test_a_wrong_complex_cotangent_is_located() -> None:
    square = cv.custom_vjp(lambda z: z * z)
    square.defvjp(lambda z: (z * z, z), lambda z, cotangent: (2.0 * np.conjugate(z) * cotangent,))
    with pytest.raises(DerivativeMismatchError, match=r"the cotangent of args\[0\]\[1\]"):
        check_vjp(square, (np.array([2.0 + 0.0j, 1.0 + 1.0j]),))


def test_differences_of_functions_that_are_not_analytic() -> None:
    """The complex step would be wrong for these, and is not believed."""
    z = 1.5
    assert difference_quotient(lambda x: abs(x) * x, (z,), (1.0,)) == pytest.approx(2 * z, rel=1e-9)
    assert difference_quotient(lambda x: x * np.conjugate(x), (z,), (1.0,)) == pytest.approx(2 * z, rel=1e-9)
    assert difference_quotient(lambda x: x * np.real(x), (z,), (1.0,)) == pytest.approx(2 * z, rel=1e-9)


def test_differences_near_the_edge_of_the_domain() -> None:
    assert difference_quotient(np.sqrt, (1e-3,), (1.0,)) == pytest.approx(0.5 / np.sqrt(1e-3), rel=1e-9)
    assert difference_quotient(lambda x: np.log(abs(x)), (1e-3,), (1.0,)) == pytest.approx(1e3, rel=1e-5)


def test_differences_along_a_tree() -> None:
    found = difference_quotient(lambda p: {"y": p["x"] * p["x"]}, ({"x": X},), ({"x": np.ones(3)},))
    np.testing.assert_allclose(found["y"], 2.0 * X, rtol=1e-12)


def test_batching_passes() -> None:
    check_batching(lambda x, i, y: np.sin(np.take_along_axis(x, i, 0)) * y, (X, np.array([2, 0]), 3.0))
    check_batching(lambda tree: {"out": tree["x"] + tree["y"]}, ({"x": X, "y": 1.0},))


def test_wrong_batching_is_found() -> None:
    calls = 0.0

    def remembering(x: Any) -> Any:
        nonlocal calls
        calls += 1.0
        return x * calls

    with pytest.raises(BatchingMismatchError, match=r"in_axes=\(0,\) at output\[0, 0\]: found"):
        check_batching(remembering, (X,))


def test_unknown_modes_and_orders_are_refused() -> None:
    with pytest.raises(ArgumentError, match="modes"):
        check_grads(np.sin, (1.0,), modes=("forward",))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="order"):
        check_grads(np.sin, (1.0,), order=0)
