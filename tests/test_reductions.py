"""Reductions and accumulations: axes, options, ties, zeros, NaN, and statistics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.errors import UnsupportedArgumentError
from covector.testing import check_grads
from tests.agreement import check_function, check_values
from tests.strategies import arrays, axes, shapes

Function = Callable[..., Any]

RNG = np.random.default_rng(0)
X = RNG.permutation(np.linspace(-2.0, 2.5, 24)).reshape(2, 3, 4)
MASK = np.arange(24).reshape(2, 3, 4) % 5 != 2
WITH_NAN = np.where(MASK, X, np.nan)
REDUCTIONS = [np.sum, np.prod, np.max, np.min, np.amax, np.amin, np.mean, np.var, np.std, np.ptp, np.median]
NAN_REDUCTIONS = [np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.nanmedian]
COUNTS = [np.all, np.any, np.count_nonzero]


# --- axes and keepdims ------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from([*REDUCTIONS, *NAN_REDUCTIONS, *COUNTS]), st.booleans())
def test_axes_and_keepdims(data: st.DataObject, function: Function, keepdims: bool) -> None:
    shape = data.draw(shapes(min_side=1))
    x = data.draw(arrays(shape, np.dtype(np.float64)))
    axis = data.draw(axes(len(shape)))
    if axis == () and function in (np.median, np.nanmedian, np.count_nonzero):
        return
    check_values(lambda x: function(x, axis=axis, keepdims=keepdims), x)


@given(st.data(), st.sampled_from(REDUCTIONS), st.booleans())
def test_derivatives_over_axes(data: st.DataObject, function: Function, keepdims: bool) -> None:
    shape = data.draw(shapes(min_side=2))
    x = data.draw(arrays(shape, np.dtype(np.float64)))
    axis = data.draw(axes(len(shape)))
    if axis == () or (shape == () and function in (np.std, np.ptp)):
        return
    check_function(lambda x: function(x, axis=axis, keepdims=keepdims), x)


@given(st.data(), st.sampled_from([np.sum, np.prod, np.cumsum, np.cumprod, np.all, np.any]))
def test_empty_arrays(data: st.DataObject, function: Function) -> None:
    shape = data.draw(shapes(min_dims=1, min_side=0))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    check_values(lambda x: function(x, axis=axis), np.ones(shape))
    assert cv.vjp(lambda x: np.sum(function(x, axis=axis) * 1.0), np.ones(shape))[1](1.0)[0].shape == shape


@pytest.mark.parametrize("function", [*REDUCTIONS, *NAN_REDUCTIONS, *COUNTS, np.argmax, np.argmin])
def test_dtypes(function: Function) -> None:
    for x in (X.astype(np.float32), X.astype(np.float16), np.arange(6, dtype=np.int8).reshape(2, 3), X > 0, X):
        if x.dtype == bool and function is np.ptp:
            continue
        check_values(lambda x: function(x, axis=0), x)
    check_values(function, 2.5)


@pytest.mark.parametrize(
    "function", [np.sum, np.prod, np.mean, np.var, np.std, np.cumsum, np.cumprod, np.nansum, np.nanmean]
)
def test_complex_numbers(function: Function) -> None:
    z = X[0] + 1j * X[1]
    check_function(lambda z: function(z, axis=1), z)
    check_values(function, z.astype(np.complex64))


@pytest.mark.parametrize(
    "function", [np.sum, np.prod, np.max, np.mean, np.cumsum, np.argmax, np.std, np.median, np.sort]
)
def test_axes_that_do_not_exist_raise_as_numpy_does(function: Function) -> None:
    with pytest.raises(np.exceptions.AxisError):
        cv.jvp(lambda x: function(x, axis=3), (X,), (X,))


def test_repeated_axes_raise() -> None:
    with pytest.raises(ValueError, match="repeated axis"):
        cv.jvp(lambda x: np.sum(x, axis=(0, 0)), (X,), (X,))


# --- options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(x, axis=1, where=MASK),
        lambda x: np.sum(x, where=MASK[0, 0], initial=2.0),
        lambda x: np.prod(x, axis=(0, 2), where=MASK, initial=0.5),
        lambda x: np.mean(x, axis=0, where=MASK),
        lambda x: np.var(x, where=MASK, axis=2, ddof=1),
        lambda x: np.std(x, where=MASK, keepdims=True, axis=2),
        lambda x: np.max(x, axis=1, where=MASK, initial=-9.0),
        lambda x: np.min(x, initial=0.1),
        lambda x: np.max(x, axis=1, initial=0.7),
        lambda x: np.var(x, axis=1, ddof=2),
        lambda x: np.std(x, correction=1),
        lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)),
        lambda x: np.nanmean(x, axis=0, where=MASK),
        lambda x: np.all(x, axis=1, where=MASK),
        lambda x: np.any(x > 1, axis=1, where=MASK, keepdims=True),
        lambda x: np.sum(x, dtype=np.float32),
        lambda x: np.mean(x, axis=1, dtype=np.float32),
        lambda x: x.sum(1),
        lambda x: x.prod(axis=2),
        lambda x: x.max(0),
        lambda x: x.min(axis=(0, 1)),
        lambda x: x.mean(1, keepdims=True),
        lambda x: x.std(ddof=1),
        lambda x: x.var(axis=0),
        lambda x: x.cumsum(2),
        lambda x: x.cumprod(axis=0),
        lambda x: x.argmax(1),
        lambda x: x.argmin(axis=2),
        lambda x: x.any(),
        lambda x: x.all(axis=1),
        lambda x: np.argmax(x, axis=1, keepdims=True),
        lambda x: np.argmin(x, keepdims=True),
    ],
)
def test_options_and_methods(function: Function) -> None:
    check_function(function, X)


def test_a_mask_without_initial_value_is_refused_for_extremes() -> None:
    with pytest.raises(ValueError, match="initial"):
        cv.jvp(lambda x: np.max(x, where=MASK), (X,), (X,))


def test_extremes_of_nothing() -> None:
    check_values(lambda x: np.max(x, axis=1, initial=3.0), np.ones((2, 0)))
    with pytest.raises(ValueError, match="zero-size"):
        cv.jvp(np.max, (np.ones(0),), (np.ones(0),))


@pytest.mark.parametrize(
    "function", [np.sum, np.max, np.cumsum, np.mean, np.std, np.all, np.argmax, np.nansum, np.median]
)
def test_out_is_refused(function: Function) -> None:
    with pytest.raises(UnsupportedArgumentError, match="out="):
        cv.jvp(lambda x: function(x, out=np.zeros(())), (X,), (X,))


# --- ties, zeros, kinks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [np.max, np.min, lambda x: -np.sort(-x)[0], np.nanmax])
def test_ties_share_equally(function: Function) -> None:
    np.testing.assert_array_equal(cv.grad(function)(np.array([2.0, 2.0, 2.0])), np.full(3, 1 / 3))


def test_extremes_follow_nan() -> None:
    x = np.array([1.0, np.nan, 2.0])
    np.testing.assert_array_equal(cv.grad(np.max)(x), [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(cv.grad(np.nanmax)(x), [0.0, 0.0, 1.0])


@given(st.lists(st.sampled_from([0.0, 1.5, -2.0, 0.5]), min_size=1, max_size=6))
def test_products_with_any_number_of_zeros(entries: list[float]) -> None:
    """Against the products of the others, which are what the derivatives are."""
    x = np.array(entries)
    gradient = [np.prod(np.delete(x, i)) for i in range(len(x))]
    np.testing.assert_allclose(cv.grad(np.prod)(x), gradient, rtol=1e-14)
    hessian = [[0.0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(len(x))] for i in range(len(x))]
    np.testing.assert_allclose(cv.hessian(np.prod)(x), hessian, rtol=1e-14)
    np.testing.assert_allclose(cv.jacrev(cv.grad(np.prod))(x), hessian, rtol=1e-14)


@given(st.lists(st.sampled_from([0.0, 1.5, -2.0, 0.5]), min_size=1, max_size=5))
def test_running_products_with_any_number_of_zeros(entries: list[float]) -> None:
    x = np.array(entries)
    expected = [[np.prod(np.delete(x[: k + 1], i)) if i <= k else 0.0 for i in range(len(x))] for k in range(len(x))]
    np.testing.assert_allclose(cv.jacrev(np.cumprod)(x), expected, rtol=1e-14)
    np.testing.assert_allclose(cv.jacfwd(np.cumprod)(x), expected, rtol=1e-14)
    check_grads(np.cumprod, (x,), order=3)


def test_long_products_are_computed_in_one_sweep() -> None:
    x = RNG.uniform(0.9, 1.1, 20_000)
    np.testing.assert_allclose(cv.grad(lambda x: np.prod(x))(x), np.prod(x) / x, rtol=1e-10)
    np.testing.assert_allclose(cv.grad(lambda x: np.cumprod(x)[-1])(x), np.prod(x) / x, rtol=1e-10)
    wide = RNG.uniform(0.9, 1.1, (50, 30))
    np.testing.assert_allclose(
        cv.grad(lambda x: np.sum(np.cumprod(x, axis=0)))(wide),
        np.stack([cv.grad(lambda x: np.sum(np.cumprod(x)))(column) for column in wide.T], axis=1),
    )


def test_standard_deviations_of_equal_entries_have_derivative_zero() -> None:
    functions: list[Function] = [np.std, np.nanstd, lambda x: x.std()]
    for function in functions:
        np.testing.assert_array_equal(cv.grad(function)(np.ones(3)), np.zeros(3))
        np.testing.assert_array_equal(cv.jvp(function, (np.ones(3),), (np.arange(3.0),))[1], 0.0)
        assert np.all(np.isfinite(cv.hessian(function)(np.ones(3))))


@pytest.mark.parametrize("function", NAN_REDUCTIONS)
def test_nan_is_ignored(function: Function) -> None:
    check_values(function, WITH_NAN)
    check_values(lambda x: function(x, axis=1), WITH_NAN)
    check_values(lambda x: function(x, axis=(0, 2), keepdims=True), WITH_NAN)
    gradient = cv.grad(lambda x: np.sum(function(x, axis=(0, 1))))(WITH_NAN)
    assert np.all(gradient[np.isnan(WITH_NAN)] == 0.0)
    assert np.all(np.isfinite(gradient))


def test_nan_reductions_differentiate_as_the_others_do() -> None:
    twins: list[tuple[Function, Function]] = [
        (np.nanmean, np.mean),
        (np.nanstd, np.std),
        (np.nanmedian, np.median),
        (np.nanprod, np.prod),
    ]
    for nan_function, function in twins:
        found = cv.grad(nan_function)(np.append(X[0, 0], np.nan))
        np.testing.assert_allclose(found[:-1], cv.grad(function)(X[0, 0]), rtol=1e-13)


@pytest.mark.parametrize("function", [np.cumulative_sum, np.cumulative_prod, np.nancumsum, np.nancumprod])
def test_other_running_sums_and_products(function: Function) -> None:
    check_function(lambda x: function(x, axis=1), X)


def test_running_sums_and_products_with_their_initial_value() -> None:
    check_function(lambda x: np.cumulative_sum(x, axis=1, include_initial=True), X)
    check_function(lambda x: np.cumulative_prod(x, include_initial=True), X[0, 0])
    with pytest.raises(ValueError, match="axis"):
        cv.jvp(np.cumulative_sum, (X,), (X,))


# --- statistics -------------------------------------------------------------------------------------------

METHODS = [
    "linear",
    "lower",
    "higher",
    "nearest",
    "midpoint",
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
]


@pytest.mark.parametrize("method", METHODS)
def test_quantiles_by_every_method(method: Any) -> None:
    for q in (0.0, 0.37, 1.0, np.array([0.2, 0.5]), np.array([[0.1, 0.9, 0.4]])):
        check_values(partial(np.quantile, q=q, axis=1, method=method), X)
    check_function(lambda x: np.quantile(x, np.array([0.2, 0.5]), axis=(0, 2), method=method, keepdims=True), X)
    check_values(lambda x: np.percentile(x, 30, method=method), X)


def test_quantiles_of_what_has_nan() -> None:
    for q in (0.5, np.array([0.2, 0.9])):
        check_values(partial(np.quantile, q=q, axis=1), WITH_NAN)
        check_values(partial(np.nanquantile, q=q, axis=1), WITH_NAN)
        check_values(partial(np.nanpercentile, q=q * 100, axis=(0, 2), keepdims=True), WITH_NAN)
    with pytest.raises(UnsupportedArgumentError, match="q="):
        cv.grad(lambda q: np.quantile(X, q))(0.3)
    with pytest.raises(UnsupportedArgumentError, match="weights="):
        cv.grad(lambda x: np.quantile(x, 0.5, weights=np.ones(3), method="inverted_cdf"))(np.ones(3))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.average(x),
        lambda x: np.average(x, axis=1, weights=np.array([1.0, 2.0, 0.5])),
        lambda x: np.average(x, weights=np.exp(x), axis=0),
        lambda x: np.average(x, axis=(2, 0), weights=np.ones((4, 2)) + x[:, 0].T),
        lambda x: np.average(x, axis=1, weights=np.abs(x), returned=True),
        lambda x: np.average(x, axis=1, keepdims=True),
        lambda x: np.trapezoid(x),
        lambda x: np.trapezoid(x, dx=0.3, axis=0),
        lambda x: np.trapezoid(x, np.exp(x), axis=1),
        lambda x: np.trapezoid(x, np.array([0.0, 1.0, 4.0]), axis=1),
    ],
)
def test_averages_and_integrals(function: Function) -> None:
    check_function(function, X)


def test_average_raises_where_numpy_does() -> None:
    with pytest.raises(TypeError, match="Axis must be specified"):
        cv.grad(lambda x: np.average(x, weights=np.ones(2)))(X)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.cov(x),
        lambda x: np.cov(x, rowvar=False),
        lambda x: np.cov(x[0], x[1]),
        lambda x: np.cov(x, bias=True),
        lambda x: np.cov(x, fweights=np.array([1, 2, 1, 3])),
        lambda x: np.cov(x, aweights=np.array([1.0, 0.5, 2.0, 1.5])),
        lambda x: np.cov(x, ddof=0, aweights=np.array([1.0, 0.5, 2.0, 1.5])),
        lambda x: np.cov(x[0]),
        lambda x: np.corrcoef(x),
        lambda x: np.corrcoef(x[0], x[1]),
        lambda x: np.corrcoef(x, rowvar=False),
    ],
)
def test_covariances(function: Function) -> None:
    x = RNG.standard_normal((3, 4))
    check_function(function, x)
    check_values(function, x + 1j * x[::-1] ** 2)
