"""The conventions of DESIGN, section 5: dtypes, scalars, zeros, kinks, masks, complex numbers, trees."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from tests import strategies as own

Pair = namedtuple("Pair", "x y")


# --- dtypes and scalars ---------------------------------------------------------------------------------------------


class TestScalars:
    """A Python float, a NumPy scalar and a 0-d array are different things."""

    @pytest.mark.parametrize("x", [0.5, np.float64(0.5)])
    def test_numbers_have_numpy_scalars_as_gradients(self, x: Any) -> None:
        assert type(cv.grad(np.sin)(x)) is np.float64
        assert type(cv.grad(lambda x: x * x)(x)) is np.float64
        assert type(cv.grad(lambda x: 3.0)(x)) is np.float64
        assert type(cv.grad(lambda x: np.sum(x * np.ones(3)))(x)) is np.float64
        assert type(cv.grad(cv.grad(np.sin))(x)) is np.float64
        assert type(cv.vjp(np.sin, x)[1](1.0)[0]) is np.float64
        assert type(cv.jvp(np.sin, (x,), (1.0,))[1]) is np.float64

    @pytest.mark.parametrize(
        "derivative",
        [
            lambda x: cv.grad(lambda x: x * x)(x),
            lambda x: cv.grad(cv.grad(lambda x: x * x * x))(x),
            lambda x: cv.jvp(lambda x: x * x, (x,), (1.0,))[1],
            lambda x: cv.vjp(lambda x: x * x, x)[1](1.0)[0],
            lambda x: cv.linearize(lambda x: x * x, x)[1](1.0),
            lambda x: cv.hessian(lambda x: x**3)(x),
        ],
    )
    def test_derivatives_in_python_numbers_are_numpys_also_while_they_are_traced(self, derivative: Any) -> None:
        """So a single-precision array that meets one becomes double, compiled or not."""

        def scaled(x: Any) -> Any:
            return derivative(x) * np.ones(2, np.float32)

        fast, rate = cv.jit(scaled), cv.jit(derivative)
        assert scaled(2.0).dtype == np.float64
        for _ in range(3):
            assert fast(2.0).dtype == np.float64
            assert type(rate(2.0)) is np.float64
        np.testing.assert_array_equal(fast(2.0), scaled(2.0))

    def test_single_precision_scalars(self) -> None:
        x = np.float32(0.5)
        assert type(cv.grad(np.sin)(x)) is np.float32
        assert type(cv.grad(lambda x: x * 2.0)(x)) is np.float32
        assert type(cv.grad(lambda x: np.float64(2.0) * x)(x)) is np.float32
        assert type(cv.jvp(np.sin, (x,), (np.float32(1.0),))[1]) is np.float32

    def test_0d_arrays_have_0d_arrays_as_gradients(self) -> None:
        found = cv.grad(lambda x: np.sin(x))(np.array(0.5))
        assert type(found) is np.ndarray
        assert found.shape == ()

    def test_values_are_what_numpy_returns(self) -> None:
        for x in (0.5, np.float64(0.5), np.array(0.5), np.array([0.5]), np.float32(0.5), np.array([0.5], np.float32)):
            for function in (np.sin, lambda x: x * 2.0, lambda x: x * x + 1, np.exp, lambda x: x / 3):
                expected = function(x)
                value = cv.jvp(function, (x,), (np.ones_like(x),))[0]
                assert np.asarray(value).dtype == np.asarray(expected).dtype
                assert np.shape(value) == np.shape(expected)
                assert np.all(value == expected)

    def test_functions_of_numbers_that_return_python_numbers(self) -> None:
        value, gradient = cv.value_and_grad(lambda x: x * 2.0 + 1.0)(3.0)
        assert value == 7.0
        assert gradient == 2.0


class TestDTypes:
    @pytest.mark.parametrize("kind", ["?", "i1", "u1", "u2", "i4", "f2", "f4", "c8"])
    def test_what_sums_or_measures_small_numbers_has_numpys_dtype_and_wraps_around_like_it(self, kind: str) -> None:
        x = (60 * np.arange(5)).astype(kind)
        angle: Any = np.angle
        functions: list[Any] = [np.convolve, np.correlate]
        for function in functions:
            found, expected = cv.jit(function)(x, x[:3]), function(x, x[:3])
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
        assert cv.jit(angle)(x).dtype == angle(x).dtype

    @given(st.data())
    def test_elementwise_operations_promote_as_numpy_does(self, data: st.DataObject) -> None:
        """For all shapes and dtypes that broadcast, under every transformation."""
        shapes = data.draw(own.broadcastable_shapes())
        x = data.draw(own.arrays(shapes[0], data.draw(own.dtypes())))
        y = data.draw(st.one_of(own.operands(shapes[1]), own.arrays(shapes[1], data.draw(own.dtypes()))))
        function = data.draw(st.sampled_from([np.add, np.subtract, np.multiply, np.divide, np.arctan2, np.maximum]))
        if function in (np.arctan2, np.maximum):
            x, y = np.real(x), np.real(y)
        expected = function(x, y)
        value, tangent = cv.jvp(lambda x: function(x, y), (x,), (np.ones_like(x),))
        assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
        assert (tangent.dtype, tangent.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(value, expected)
        value, pullback = cv.vjp(lambda x: function(x, y), x)
        (cotangent,) = pullback(np.ones_like(value))
        assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
        assert (np.asarray(cotangent).dtype, np.shape(cotangent)) == (x.dtype, x.shape)
        graph = cv.make_graph(function)(x, y)
        assert (graph.outputs[0].type.dtype, graph.outputs[0].type.shape) == (expected.dtype, expected.shape)

    @given(st.data())
    def test_pushing_and_pulling_are_transposes_through_broadcasting(self, data: st.DataObject) -> None:
        first, second = data.draw(own.broadcastable_shapes())
        x = data.draw(own.arrays(first, np.dtype(np.float64)))
        y = data.draw(own.arrays(second, np.dtype(np.float64)))
        v, w = np.cos(x), np.sin(y)
        value, derivative = cv.linearize(lambda x, y: (x + y) * np.tanh(x) - y / (2.0 + x * x), x, y)
        cotangent = np.cos(np.arange(value.size)).reshape(value.shape)
        dx, dy = derivative.T(cotangent)
        left, right = np.sum(cotangent * derivative(v, w)), np.sum(dx * v) + np.sum(dy * w)
        assert left == pytest.approx(right, rel=1e-10, abs=1e-10)

    @given(st.data())
    def test_reductions_over_any_axes(self, data: st.DataObject) -> None:
        x = data.draw(
            own.arrays(data.draw(own.shapes(min_dims=1, min_side=1)), data.draw(own.dtypes(complex_too=False)))
        )
        axis, keepdims = data.draw(own.axes(x.ndim)), data.draw(st.booleans())
        for function in (np.sum, np.mean, np.max, np.prod):
            expected = function(x, axis=axis, keepdims=keepdims)
            value, pullback = cv.vjp(lambda x, f=function: f(x, axis=axis, keepdims=keepdims), x)
            assert (np.asarray(value).dtype, np.shape(value)) == (np.asarray(expected).dtype, np.shape(expected))
            np.testing.assert_allclose(value, expected, rtol=1e-6)
            assert pullback(np.ones_like(value))[0].dtype == x.dtype
        total = cv.grad(lambda x: np.sum(np.sum(x, axis=axis, keepdims=keepdims)))(x)
        np.testing.assert_array_equal(total, np.ones_like(x))

    def test_single_precision_stays(self) -> None:
        x = np.array([0.5, 1.5], np.float32)
        assert cv.grad(lambda x: np.sum(np.sin(x) * 2.0 + x**2 / 3 + np.exp(x) * np.pi))(x).dtype == np.float32
        assert cv.jacfwd(lambda x: x * np.sum(x))(x).dtype == np.float32
        assert cv.hessian(lambda x: np.sum(x**3))(x).dtype == np.float32
        assert cv.vmap(lambda x: x * 2.0)(x).dtype == np.float32
        assert cv.vjp(np.tanh, x)[1](x)[0].dtype == np.float32

    def test_gradients_have_the_dtype_of_their_own_input(self) -> None:
        x, y = np.ones(2, np.float32), np.ones(2)
        dx, dy = cv.grad(lambda x, y: np.sum(x * y), (0, 1))(x, y)
        assert (dx.dtype, dy.dtype) == (np.float32, np.float64)
        da, db = cv.jacrev(lambda x, y: x * y, (0, 1))(x, y)
        assert (da.dtype, db.dtype) == (np.float32, np.float64)

    def test_half_precision(self) -> None:
        x = np.ones(3, np.float16)
        assert cv.grad(lambda x: np.sum(x * x))(x).dtype == np.float16

    def test_integer_arguments_elsewhere_are_constants(self) -> None:
        n, i = np.array([1, 2, 3]), np.array([2, 0])
        assert cv.grad(lambda x, n: np.sum(x * n))(1.5, n) == 6.0
        np.testing.assert_array_equal(cv.grad(lambda x, i: np.sum(x[i]))(np.ones(3), i), [1.0, 0.0, 1.0])
        assert cv.grad(lambda x, n: x**n)(2.0, 3) == 12.0
        assert cv.grad(lambda x, flag: x if flag else -x)(2.0, True) == 1.0

    def test_integer_outputs_have_zero_tangents_and_take_no_cotangent(self) -> None:
        value, tangent = cv.jvp(lambda x: (np.argmax(x), x * 2.0), (np.array([1.0, 3.0]),), (np.ones(2),))
        assert value[0] == 1
        assert tangent[0] == 0
        np.testing.assert_array_equal(tangent[1], [2.0, 2.0])


# --- zeros ----------------------------------------------------------------------------------------------------------


class TestZeros:
    def test_a_constant_function_has_a_zero_gradient_of_the_right_type(self) -> None:
        x = np.ones((2, 3), np.float32)
        found = cv.grad(lambda x: 1.0)(x)
        assert (found.shape, found.dtype) == (x.shape, x.dtype)
        assert not np.any(found)
        assert not np.any(cv.jvp(lambda x: np.ones(3), (x,), (x,))[1])
        assert not np.any(cv.vjp(lambda x: np.ones(3), x)[1](np.ones(3))[0])
        assert cv.jacfwd(lambda x: np.ones(4))(x).shape == (4, 2, 3)
        assert cv.jacrev(lambda x: np.ones(4))(x).shape == (4, 2, 3)

    def test_locally_constant_functions(self) -> None:
        x = np.array([0.3, 1.7])
        for function in (np.floor, np.ceil, np.sign, np.rint, np.trunc, cv.stop_gradient):
            np.testing.assert_array_equal(cv.grad(lambda x, f=function: np.sum(f(x)))(x), np.zeros(2))
            np.testing.assert_array_equal(cv.jvp(function, (x,), (x,))[1], np.zeros(2))

    def test_comparisons_are_plain_values(self) -> None:
        def function(x: Any) -> Any:
            assert type(x > 1.0) is np.bool_ or isinstance(x > 1.0, bool)
            return x * (x > 1.0)

        assert cv.grad(function)(2.0) == 1.0
        assert cv.grad(function)(0.5) == 0.0


# --- kinks ----------------------------------------------------------------------------------------------------------


class TestKinks:
    """The derivative there is the documented subgradient, in both modes."""

    @staticmethod
    def both(function: Any, x: Any) -> Any:
        reverse = cv.jacrev(function)(x)
        np.testing.assert_array_equal(reverse, cv.jacfwd(function)(x))
        return reverse

    def test_abs_at_zero(self) -> None:
        for function in (np.abs, np.fabs, abs):
            assert self.both(function, 0.0) == 0.0

    def test_ties_of_maximum_and_minimum_share_equally(self) -> None:
        for function in (np.maximum, np.minimum, np.fmax, np.fmin):
            assert cv.grad(function, (0, 1))(1.0, 1.0) == (0.5, 0.5)
            assert cv.jvp(function, (1.0, 1.0), (1.0, 3.0))[1] == 2.0

    def test_ties_of_reductions_share_equally(self) -> None:
        x = np.array([2.0, 1.0, 2.0, 2.0])
        np.testing.assert_allclose(self.both(np.max, x), np.array([1.0, 0.0, 1.0, 1.0]) / 3.0)
        np.testing.assert_allclose(self.both(np.min, -x), np.array([1.0, 0.0, 1.0, 1.0]) / 3.0)
        rows = np.array([[1.0, 1.0], [0.0, 3.0]])
        found = cv.grad(lambda x: np.sum(np.max(x, axis=1)))(rows)
        np.testing.assert_allclose(found, [[0.5, 0.5], [0.0, 1.0]])

    def test_ties_of_sort_share_equally(self) -> None:
        x = np.array([2.0, 1.0, 2.0])
        np.testing.assert_allclose(self.both(np.sort, x), [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.5, 0.0, 0.5]])

    def test_clip_passes_the_gradient_inside_the_closed_interval(self) -> None:
        x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
        found = np.diag(self.both(lambda x: np.clip(x, -1.0, 1.0), x))
        np.testing.assert_array_equal(found, [0.0, 1.0, 1.0, 1.0, 0.0])

    def test_norm_at_the_origin(self) -> None:
        np.testing.assert_array_equal(self.both(np.linalg.norm, np.zeros(3)), np.zeros(3))
        np.testing.assert_array_equal(
            self.both(lambda x: np.linalg.norm(x, axis=0), np.zeros((3, 2))), np.zeros((2, 3, 2))
        )

    def test_the_absolute_value_of_complex_zero(self) -> None:
        assert cv.grad(np.abs)(0j) == 0.0


# --- masks ------------------------------------------------------------------------------------------------------------


MASKED: dict[str, tuple[Any, Any]] = {
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.5),
    "sqrt of negative numbers": (lambda x: np.where(x > 0, np.sqrt(x - 0.4), 0.0), 0.5),
    "log": (lambda x: np.where(x > 0, np.log(x), 0.0), 0.5),
    "log1p": (lambda x: np.where(x > 0, np.log1p(x - 1.0), 0.0), 0.5),
    "power": (lambda x: np.where(x > 0, x**0.3, 0.0), 0.5),
    "power with an array": (lambda x: np.where(x > 0, x ** np.array([0.3, -2.0]), 0.0), 0.5),
    "quotient": (lambda x: np.where(x > 0, 1.0 / x, 0.0), 0.5),
    "reciprocal": (lambda x: np.where(x > 0, np.reciprocal(x), 0.0), 0.5),
    "quotient of both": (lambda x: np.where(x > 0, np.sin(x) / x, 1.0), 0.5),
    "arcsin": (lambda x: np.where(x > 0, np.arcsin(x), 0.0), 0.5),
    "arccos at the edge": (lambda x: np.where(x > 0, np.arccos(1.0 - x), 0.0), 0.5),
    "arctanh": (lambda x: np.where(x > 0, np.arctanh(1.0 - x), 0.0), 0.5),
    "arccosh": (lambda x: np.where(x > 0, np.arccosh(1.0 + x), 0.0), 0.5),
    "cbrt": (lambda x: np.where(x > 0, np.cbrt(x), 0.0), 0.5),
    "tan": (lambda x: np.where(x > 0, np.tan(x), 0.0), 0.5),
    "hypot": (lambda x: np.where(x > 0, np.hypot(x, x), 0.0), 0.5),
    "norm": (lambda x: np.where(x > 0, np.sqrt(x**2 + x**4), 0.0), 0.5),
    "log2": (lambda x: np.where(x > 0, np.log2(x) + np.log10(x), 0.0), 0.5),
    "arctan2": (lambda x: np.where(x > 0, np.arctan2(x, x), 0.0), 0.5),
}


@pytest.mark.parametrize("name", MASKED)
class TestMaskingWins:
    """At [0, 1/2] the first entry is masked: its derivatives are 0, the second one's are undisturbed."""

    @staticmethod
    def quiet(compute: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # those of the function itself, at the masked entry
            return compute()

    def test_first_order(self, name: str) -> None:
        function, smooth = MASKED[name]
        x = np.array([0.0, smooth])
        reverse = self.quiet(lambda: cv.grad(lambda x: np.sum(function(x)))(x))
        forward = self.quiet(lambda: cv.jvp(function, (x,), (np.ones(2),))[1])
        assert reverse[0] == 0.0
        assert forward[0] == 0.0
        step = np.array([0.0, 1e-6])
        slope = self.quiet(lambda: (function(x + step) - function(x - step)) / 2e-6)[1]
        assert reverse[1] == pytest.approx(slope, rel=1e-6)
        assert forward[1] == pytest.approx(slope, rel=1e-6)

    def test_second_order(self, name: str) -> None:
        function, smooth = MASKED[name]
        x = np.array([0.0, smooth])

        def total(x: Any) -> Any:
            return np.sum(function(x))

        step = np.array([0.0, 1e-5])
        curvature = self.quiet(lambda: (cv.grad(total)(x + step) - cv.grad(total)(x - step)) / 2e-5)[1]
        for outer in (cv.jacfwd, cv.jacrev):
            for inner in (cv.jacfwd, cv.jacrev):
                found = self.quiet(lambda outer=outer, inner=inner: outer(inner(total))(x))
                np.testing.assert_array_equal(found[0], np.zeros(2))
                assert found[1, 1] == pytest.approx(curvature, rel=1e-4, abs=1e-8)

    def test_in_a_batch(self, name: str) -> None:
        function, smooth = MASKED[name]
        x = np.array([[0.0, smooth], [smooth, 0.0]])
        found = self.quiet(lambda: cv.vmap(cv.grad(lambda x: np.sum(function(x))))(x))
        looped = [self.quiet(lambda row=row: cv.grad(lambda x: np.sum(function(x)))(row)) for row in x]
        np.testing.assert_array_equal(found, looped)
        assert np.all(np.isfinite(found))


def test_an_unmasked_singularity_is_infinite() -> None:
    """And the only warnings are those of the function itself."""
    assert cv.grad(np.sqrt)(0.0) == np.inf
    assert cv.jvp(np.sqrt, (0.0,), (1.0,))[1] == np.inf
    with np.errstate(divide="ignore"):
        assert cv.grad(np.log)(0.0) == np.inf
        assert cv.grad(lambda x: 1.0 / x)(np.float64(0.0)) == -np.inf


@pytest.mark.parametrize("kind", [float, np.float64, np.array])
@pytest.mark.parametrize("function", [lambda x: 1.0 / x**2, lambda x: 1.0 / (x * x), lambda x: np.log(np.cos(x) - 1.0)])
def test_a_partial_that_happens_to_be_zero_hides_no_singularity(function: Any, kind: Any) -> None:
    """There is no derivative at a pole: not zero, whatever kind of number the argument is."""
    with np.errstate(all="ignore"):
        assert np.isnan(cv.grad(function)(kind(0.0)))
        fast = cv.jit(cv.grad(function))
        assert all(np.isnan(fast(kind(0.0))) for _ in range(3))


def test_a_constant_factor_of_zero_leaves_no_derivative() -> None:
    assert cv.grad(lambda x: np.sqrt(0.0 * x))(2.0) == 0.0
    assert cv.grad(lambda x: np.sqrt(np.floor(x)))(0.5) == 0.0
    assert cv.jvp(lambda x: 0.0 * np.sqrt(x), (0.0,), (1.0,))[1] == 0.0


def test_derivatives_at_masked_entries_do_not_warn() -> None:
    """sqrt is fine at 0; only its derivative is infinite there, and nobody asked for that."""
    np.testing.assert_allclose(
        cv.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(np.array([0.0, 4.0])), [0.0, 0.25]
    )


def test_powers_at_zero() -> None:
    assert cv.grad(lambda x: x**2)(0.0) == 0.0
    assert cv.grad(lambda x: x**1)(0.0) == 1.0
    assert cv.grad(lambda x: x**0)(0.0) == 0.0
    assert cv.grad(lambda x: x**3.0)(np.float64(0.0)) == 0.0
    assert cv.grad(cv.grad(lambda x: x**2))(0.0) == 2.0
    assert cv.grad(cv.grad(lambda x: x**3))(0.0) == 0.0
    assert cv.grad(lambda y: 0.0**y)(2.0) == 0.0
    np.testing.assert_array_equal(
        cv.grad(lambda x: np.sum(x ** np.array([0.0, 1.0, 2.0])))(np.zeros(3)), [0.0, 1.0, 0.0]
    )
    np.testing.assert_array_equal(
        cv.hessian(lambda x: np.sum(x ** np.array([1.0, 2.0, 3.0])))(np.zeros(3)), np.diag([0.0, 2.0, 0.0])
    )


@pytest.mark.parametrize("x", [0.0, np.inf, complex(0.0), complex(np.inf), complex(np.inf, np.nan), np.zeros(3)])
def test_an_exponent_of_zero_leaves_no_derivative(x: Any) -> None:
    """Whether the exponent is a number, an array, or one that a compiled program learns when it is called."""
    one = x * 0.0 + 1.0 if isinstance(x, np.ndarray) else type(x)(1.0)
    compiled = cv.jit(lambda x, y, dx: cv.jvp(lambda x: x**y, (x,), (dx,)))
    for y in (0, 0.0, np.zeros(3)):
        for tangent in (cv.jvp(lambda x, y=y: x**y, (x,), (one,))[1], *(compiled(x, y, one)[1] for _ in range(2))):
            np.testing.assert_array_equal(tangent, np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y))))


@pytest.mark.parametrize("transform", [lambda f: f, cv.jit])
def test_second_derivatives_of_powers_where_the_exponent_is_zero(transform: Any) -> None:
    """d/dx x^y = y x^(y - 1), whose slope in y is 1 / x where y is 0, in whichever order the derivatives are taken."""
    assert transform(cv.grad(lambda y: cv.grad(lambda x: x**y)(2.0)))(0.0) == pytest.approx(0.5)
    assert transform(cv.grad(lambda x: cv.grad(lambda y: x**y)(0.0)))(2.0) == pytest.approx(0.5)


# --- complex numbers ----------------------------------------------------------------------------------------------


class TestComplex:
    Z = 0.6 - 0.8j

    def test_the_gradient_of_a_real_function_is_the_covector(self) -> None:
        """df/dx - i df/dy, without a conjugate slipped in."""
        assert cv.grad(lambda z: np.abs(z) ** 2)(self.Z) == pytest.approx(2.0 * np.conjugate(self.Z))
        assert cv.grad(np.real)(self.Z) == 1.0
        assert cv.grad(np.imag)(self.Z) == -1j
        assert cv.grad(lambda z: np.real(z * z))(self.Z) == pytest.approx(2.0 * self.Z)

    def test_the_gradient_from_partial_derivatives(self) -> None:
        def function(z: Any) -> Any:
            return np.real(np.exp(z) * np.conjugate(z)) + np.abs(z)

        dx = cv.grad(lambda x: function(x + 1j * self.Z.imag))(self.Z.real)
        dy = cv.grad(lambda y: function(self.Z.real + 1j * y))(self.Z.imag)
        assert cv.grad(function)(self.Z) == pytest.approx(dx - 1j * dy)

    def test_forward_mode_is_the_directional_derivative(self) -> None:
        for function in (np.exp, np.conjugate, np.real, np.abs, lambda z: z * np.conjugate(z)):
            for v in (1.0 + 0j, 1j, 0.3 - 2.0j):
                found = cv.jvp(function, (self.Z,), (v,))[1]
                expected = (function(self.Z + 1e-6 * v) - function(self.Z - 1e-6 * v)) / 2e-6
                assert found == pytest.approx(expected, rel=1e-8, abs=1e-8)

    def test_pulling_back_is_linear_in_the_cotangent(self) -> None:
        for function in (np.exp, lambda z: z * z, np.sin):
            _, pullback = cv.vjp(function, self.Z)
            assert pullback(2j + 1)[0] == pytest.approx((2j + 1) * pullback(1.0 + 0j)[0])

    def test_holomorphic_derivatives(self) -> None:
        assert cv.grad(np.exp, holomorphic=True)(self.Z) == pytest.approx(np.exp(self.Z))
        assert cv.grad(cv.grad(np.sin, holomorphic=True), holomorphic=True)(self.Z) == pytest.approx(-np.sin(self.Z))
        z = np.array([self.Z, 1j])
        for jacobian in (cv.jacfwd, cv.jacrev):
            found = jacobian(lambda z: z * z[0], holomorphic=True)(z)
            np.testing.assert_allclose(found, [[2.0 * z[0], 0.0], [z[1], z[0]]])
        np.testing.assert_allclose(cv.hessian(lambda z: np.sum(z**3), holomorphic=True)(z), np.diag(6.0 * z))

    def test_real_inputs_of_complex_intermediates_have_real_gradients(self) -> None:
        x = np.array([0.3, 0.7])
        found = cv.grad(lambda x: np.sum(np.abs(np.exp(1j * x) + x) ** 2))(x)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, 2.0 * x + 2.0 * np.cos(x) - 2.0 * x * np.sin(x))

    def test_single_precision(self) -> None:
        found = cv.grad(lambda z: np.sum(np.real(z * z)))(np.array([1j, 2.0], np.complex64))
        assert found.dtype == np.complex64

    def test_a_descent_direction_is_the_conjugate(self) -> None:
        z = self.Z
        gradient = cv.grad(lambda z: np.abs(z - 1j) ** 2)(z)
        step = z - 0.5 * np.conjugate(gradient)
        assert step == pytest.approx(1j)


# --- trees and object arrays --------------------------------------------------------------------------------------


class TestTrees:
    @pytest.mark.parametrize(
        "tree",
        [
            (1.0, 2.0), [1.0, 2.0], {"x": 1.0, "y": 2.0}, Pair(1.0, 2.0), OrderedDict(y=1.0, x=2.0),
            {"a": (1.0, [2.0, None])}, (np.ones(2), {"b": [np.ones((1, 2))]}), ((), 3.0),
            {1: 2.0, 2: Pair(1.0, (4.0,))},
        ],
    )  # fmt: skip
    def test_gradients_have_the_structure_of_the_argument(self, tree: Any) -> None:
        def total(tree: Any) -> Any:
            leaves, _ = cv.trees.flatten(tree)
            return sum(np.sum(x * x) for x in leaves)

        found = cv.grad(total)(tree)
        leaves, structure = cv.trees.flatten(tree)
        found_leaves, found_structure = cv.trees.flatten(found)
        assert found_structure == structure
        assert type(found) is type(tree)
        for x, y in zip(found_leaves, leaves, strict=True):
            np.testing.assert_array_equal(x, 2.0 * y)

    def test_outputs_of_every_kind(self) -> None:
        def function(x: Any) -> Any:
            return {"pair": Pair(x, x * x), "none": None, "list": [2.0, x[0]]}

        value, tangent = cv.jvp(function, (np.array([1.0, 2.0]),), (np.ones(2),))
        assert isinstance(tangent["pair"], Pair)
        np.testing.assert_array_equal(tangent["pair"].y, [2.0, 4.0])
        assert tangent["none"] is None
        assert tangent["list"] == [0.0, 1.0]
        assert value["list"][1] == 1.0

    def test_arrays_of_traced_numbers(self) -> None:
        """np.array([x * y, z]) is stacked when it meets a traced value, a function, or the end."""

        def function(x: Any) -> Any:
            stacked = np.array([x[0] * x[1], 3.0, np.sin(x[1])])
            nested = np.array([[x[0], 1.0], [x[1], x[0]]])
            return np.sum(stacked * x[0]) + np.sum(nested @ np.array([x[0], x[1]]))

        x = np.array([0.5, 0.7])
        step = 1e-6 * np.eye(2)
        expected = [(function(x + h) - function(x - h)) / 2e-6 for h in step]
        np.testing.assert_allclose(cv.grad(function)(x), expected, rtol=1e-8)
        np.testing.assert_allclose(cv.jacfwd(lambda x: np.array([x[0] * x[1], x[1]]))(x), [[0.7, 0.5], [0.0, 1.0]])
        np.testing.assert_allclose(
            cv.jacrev(lambda x: np.array([[x[0], 2.0], [x[1], 0.0]]))(x)[..., 0], [[1.0, 0.0], [0.0, 0.0]]
        )
        np.testing.assert_allclose(cv.vmap(lambda r: np.array([r[1], 1.0, r[0]]))(np.ones((2, 2))), np.ones((2, 3)))
