"""custom_jvp and custom_vjp: rules of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.testing import check_batching, check_grads
from tests.functions import POINT


def with_forward_rule() -> Any:
    """sin with a forward rule."""

    @cv.custom_jvp
    def sine(x: Any) -> Any:
        return np.sin(x)

    @sine.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return sine(primals[0]), np.cos(primals[0]) * tangents[0]

    return sine


def with_reverse_rule() -> Any:
    """sin with a reverse rule."""

    @cv.custom_vjp
    def sine(x: Any) -> Any:
        return np.sin(x)

    def forward(x: Any) -> Any:
        return sine(x), {"slope": np.cos(x)}

    sine.defvjp(forward, lambda residuals, cotangent: (residuals["slope"] * cotangent,))
    return sine


def with_both_rules() -> Any:
    """sin with both."""
    sine = with_forward_rule()
    sine.defvjp(lambda x: (np.sin(x), x), lambda x, cotangent: (np.cos(x) * cotangent,))
    return sine


KINDS = {"forward": with_forward_rule, "reverse": with_reverse_rule, "both": with_both_rules}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
class TestOneArgument:
    def test_derivatives_in_both_modes_and_any_order(self, kind: str) -> None:
        check_grads(KINDS[kind](), (POINT,), order=3)
        check_grads(KINDS[kind](), (0.5,), order=3)

    def test_batches(self, kind: str) -> None:
        sine = KINDS[kind]()
        check_batching(sine, (POINT,))
        check_batching(cv.grad(sine), (0.5,))
        check_batching(lambda x: cv.jvp(sine, (x,), (x,))[1], (POINT,))
        check_batching(lambda x: cv.grad(cv.grad(sine))(x), (0.5,))

    def test_jacobians_and_hessians(self, kind: str) -> None:
        sine = KINDS[kind]()
        for jacobian in (cv.jacfwd, cv.jacrev):
            np.testing.assert_allclose(jacobian(sine)(POINT), np.diag(np.cos(POINT)), rtol=1e-12)
        np.testing.assert_allclose(
            cv.hessian(lambda x: np.sum(sine(x)))(POINT), np.diag(-np.sin(POINT)), rtol=1e-12, atol=1e-15
        )

    def test_recorded(self, kind: str) -> None:
        sine = KINDS[kind]()
        graph = cv.make_graph(lambda x: sine(x) * 2.0)(POINT)
        np.testing.assert_allclose(graph(POINT), 2.0 * np.sin(POINT))
        assert "sine" in str(graph)
        np.testing.assert_allclose(cv.grad(lambda x: np.sum(graph(x)))(POINT), 2.0 * np.cos(POINT))

    def test_linearized(self, kind: str) -> None:
        _, derivative = cv.linearize(KINDS[kind](), POINT)
        np.testing.assert_allclose(derivative(POINT), np.cos(POINT) * POINT)
        np.testing.assert_allclose(derivative.T(POINT)[0], np.cos(POINT) * POINT)

    def test_checkpointed(self, kind: str) -> None:
        assert cv.grad(cv.checkpoint(KINDS[kind]()))(0.5) == pytest.approx(np.cos(0.5))

    def test_plain_calls_are_plain(self, kind: str) -> None:
        assert type(KINDS[kind]()(0.5)) is np.float64
        assert KINDS[kind]().__name__ == "sine"


class TestTheRuleThatIsUsed:
    def test_the_custom_rule_not_the_true_derivative(self) -> None:
        lying = cv.custom_jvp(lambda x: x)
        lying.defjvp(lambda primals, tangents: (primals[0], 7.0 * tangents[0]))
        assert cv.grad(lying)(1.0) == 7.0
        assert cv.jvp(lying, (1.0,), (1.0,))[1] == 7.0
        lying = cv.custom_vjp(lambda x: x)
        lying.defvjp(lambda x: (x, None), lambda residuals, cotangent: (7.0 * cotangent,))
        assert cv.grad(lying)(1.0) == 7.0
        assert cv.jvp(lying, (1.0,), (1.0,))[1] == 7.0

    def test_each_mode_uses_its_own(self) -> None:
        function = cv.custom_jvp(lambda x: x)
        function.defjvp(lambda primals, tangents: (primals[0], 2.0 * tangents[0]))
        function.defvjp(lambda x: (x, None), lambda residuals, cotangent: (3.0 * cotangent,))
        assert cv.jvp(function, (1.0,), (1.0,))[1] == 2.0
        assert cv.grad(function)(1.0) == 3.0

    def test_gradient_clipping(self) -> None:
        """A rule that is not a derivative at all."""
        clip = cv.custom_vjp(lambda x: x)
        clip.defvjp(lambda x: (x, None), lambda residuals, cotangent: (np.clip(cotangent, -1.0, 1.0),))
        assert cv.grad(lambda x: 5.0 * clip(x))(2.0) == 1.0
        np.testing.assert_array_equal(cv.grad(lambda x: np.sum(clip(x) * POINT))(POINT), np.clip(POINT, -1.0, 1.0))

    def test_values_in_the_rule_may_be_branched_on(self) -> None:
        root = cv.custom_jvp(np.sqrt)

        @root.defjvp
        def rule(primals: Any, tangents: Any) -> Any:
            (x,), (dx,) = primals, tangents
            return np.sqrt(x), (0.5 / np.sqrt(x) if x > 0 else 0.0) * dx

        assert cv.grad(root)(0.0) == 0.0
        assert cv.grad(root)(4.0) == 0.25


class TestArguments:
    @pytest.mark.parametrize("kind", ["forward", "reverse"])
    def test_trees(self, kind: str) -> None:
        function: Any
        if kind == "forward":
            function = cv.custom_jvp(lambda p, y: {"out": p["a"] * y})
            function.defjvp(
                lambda primals, tangents: (
                    {"out": primals[0]["a"] * primals[1]},
                    {"out": tangents[0]["a"] * primals[1] + primals[0]["a"] * tangents[1]},
                )
            )
        else:
            function = cv.custom_vjp(lambda p, y: {"out": p["a"] * y})
            function.defvjp(
                lambda p, y: ({"out": p["a"] * y}, (p, y)),
                lambda residuals, cotangent: (
                    {"a": cotangent["out"] * residuals[1]}, np.sum(cotangent["out"] * residuals[0]["a"]),
                ),
            )  # fmt: skip
        check_grads(function, ({"a": POINT}, 2.0), order=2)
        da, dy = cv.grad(lambda p, y: np.sum(function(p, y)["out"]), (0, 1))({"a": POINT}, 2.0)
        np.testing.assert_allclose(da["a"], np.full(3, 2.0))
        assert dy == pytest.approx(np.sum(POINT))

    def test_arguments_that_are_not_differentiated(self) -> None:
        function = cv.custom_vjp(lambda f, x, n: f(x) * n, nondiff_argnums=(0, 2))
        function.defvjp(lambda f, x, n: (f(x) * n, x), lambda f, n, x, cotangent: (np.cos(x) * n * cotangent,))
        assert cv.grad(lambda x: function(np.sin, x, 3))(0.5) == pytest.approx(3.0 * np.cos(0.5))
        forward = cv.custom_jvp(lambda f, x: f(x), nondiff_argnums=(0,))
        forward.defjvp(lambda f, primals, tangents: (f(primals[0]), np.cos(primals[0]) * tangents[0]))
        assert cv.grad(lambda x: forward(np.sin, x))(0.5) == pytest.approx(np.cos(0.5))

    def test_zero_cotangents_may_be_none(self) -> None:
        function = cv.custom_vjp(lambda x, y: x * y)
        function.defvjp(lambda x, y: (x * y, y), lambda y, cotangent: (y * cotangent, None))
        assert cv.grad(function, (0, 1))(2.0, 3.0) == (3.0, 0.0)

    def test_one_rule_for_each_argument(self) -> None:
        function = cv.custom_jvp(lambda x, y: x * y)
        function.defjvps(lambda t, out, x, y: t * y, lambda t, out, x, y: t * x)
        check_grads(function, (2.0, 3.0), order=2)
        partly = cv.custom_jvp(lambda x, y: x * y)
        partly.defjvps(lambda t, out, x, y: t * y, None)
        assert cv.grad(partly, (0, 1))(2.0, 3.0) == (3.0, 0.0)

    def test_keywords_and_defaults(self) -> None:
        function = cv.custom_jvp(lambda x, y=2.0: x * y)
        function.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
        assert cv.grad(lambda x: function(x))(3.0) == 2.0
        assert cv.grad(lambda x: function(x, y=x))(3.0) == 6.0

    def test_integer_arguments(self) -> None:
        function = cv.custom_vjp(lambda x, i: x[i])

        def backward(residuals: Any, cotangent: Any) -> Any:
            x, i = residuals
            return np.where(np.arange(x.size) == i, cotangent, 0.0), None

        function.defvjp(lambda x, i: (x[i], (x, i)), backward)
        np.testing.assert_array_equal(cv.grad(lambda x: function(x, 1))(POINT), [0.0, 1.0, 0.0])

    def test_several_outputs(self) -> None:
        function = cv.custom_jvp(lambda x: (np.sin(x), np.cos(x)))
        function.defjvp(lambda p, t: ((np.sin(p[0]), np.cos(p[0])), (np.cos(p[0]) * t[0], -np.sin(p[0]) * t[0])))
        check_grads(function, (POINT,), order=2)

    def test_a_rule_that_uses_other_transformations(self) -> None:
        """The derivative of a fixed point by the implicit function theorem: x = cos(a x)."""

        @cv.custom_vjp
        def fixed_point(a: Any) -> Any:
            x = 0.5
            for _ in range(200):
                x = np.cos(a * x)
            return x

        def backward(residuals: Any, cotangent: Any) -> Any:
            a, x = residuals
            slope_a, slope_x = cv.grad(lambda a, x: np.cos(a * x), (0, 1))(a, x)
            return (cotangent * slope_a / (1.0 - slope_x),)

        fixed_point.defvjp(lambda a: ((x := fixed_point(a)), (a, x)), backward)
        step = 1e-6
        expected = (fixed_point(0.9 + step) - fixed_point(0.9 - step)) / (2.0 * step)
        assert cv.grad(fixed_point)(0.9) == pytest.approx(expected, rel=1e-7)
        check_batching(cv.grad(fixed_point), (0.9,))
