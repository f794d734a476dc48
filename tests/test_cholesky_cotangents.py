"""Compiled derivatives of Cholesky factors are in closed form where that holds, and only there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.compile.algebra import with_terms_combined
from covector.compile.factors import with_symmetric_cotangents
from covector.compile.lowering import lowered
from covector.graph.graph import Graph, check
from covector.ops.linalg_solve import GramInverse, TriangularSolve
from covector.scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

Function = Callable[..., Any]
N = 6
lower_solve = partial(solve_triangular, lower=True)


def array(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def positive(seed: int, n: int = N) -> Any:
    root = array(seed, n, n)
    return root @ root.T + n * np.eye(n)


A, B, C, Y = positive(0), array(1, N), array(2, N), array(3, N, 3)


def programs(function: Function, *arguments: Any) -> list[Graph]:
    """The gradient's graph before it is written, and rearranged in both ways in which it may be."""
    graph = cv.jit(cv.grad(function)).lower(*arguments).simplified
    return [graph, *(check(with_symmetric_cotangents(g)) for g in (graph, with_terms_combined(graph)))]


def counts(graph: Graph) -> Counter[type]:
    """How many systems with as many columns as rows are solved, and how many factored matrices are inverted."""
    square = (e for e in graph.equations if e.outputs[0].type.shape == (e.inputs[:1] and e.inputs[0].type.shape))
    return Counter(type(e.primitive) for e in square if isinstance(e.primitive, (TriangularSolve, GramInverse)))


def derivative(function: Function, *arguments: Any, inversions: int) -> Any:
    """Checks that the derivative is one in closed form, and the same without being compiled."""
    before, *after = programs(function, *arguments)
    assert counts(before)[TriangularSolve] == 2
    for graph in after:
        assert counts(graph) == ({GramInverse: inversions} if inversions else {})
    return agreeing(function, *arguments)


def agreeing(function: Function, *arguments: Any) -> Any:
    """The derivative, compiled as at first."""
    expected = cv.grad(function)(*arguments)
    is_single = any(getattr(x, "dtype", None) == np.float32 for x in arguments)
    fast = cv.jit(cv.grad(function))
    for _ in range(2):
        found = fast(*arguments)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=2e-3 if is_single else 1e-9, atol=1e-6 if is_single else 1e-12)
    return found


def in_lower_triangle(cotangent: Any) -> Any:
    """The cotangent of a symmetric matrix as one of its lower triangle."""
    return np.tril(cotangent) + np.tril(cotangent.T, -1)


# --- what is recognized -----------------------------------------------------------------------------------


def test_the_derivative_of_a_logarithm_of_a_determinant_is_the_inverse() -> None:
    found = derivative(lambda a: 2.0 * np.sum(np.log(np.diag(np.linalg.cholesky(a)))), A, inversions=1)
    np.testing.assert_allclose(found, in_lower_triangle(np.linalg.inv(A)), rtol=1e-10)


@pytest.mark.parametrize("b", [B, B[:, None], Y], ids=["vector", "column", "matrix"])
def test_the_derivative_of_a_quadratic_form_needs_no_inverse(b: Any) -> None:
    found = derivative(lambda a: np.sum(np.square(lower_solve(np.linalg.cholesky(a), b))), A, inversions=0)
    solution = np.linalg.solve(A, b.reshape(N, -1))
    np.testing.assert_allclose(found, in_lower_triangle(-solution @ solution.T), rtol=1e-9)


def normal_density(a: Any, b: Any, mean: Any = 0.0) -> Any:
    """The logarithm of the density of a normal distribution."""
    factor = np.linalg.cholesky(a)
    whitened = lower_solve(factor, b - mean)
    return -0.5 * np.dot(whitened, whitened) - np.sum(np.log(np.diag(factor))) - 0.5 * len(b) * np.log(2.0 * np.pi)


def test_the_derivative_of_a_normal_density_is_in_closed_form() -> None:
    found = derivative(normal_density, A, B, inversions=1)
    solution = np.linalg.solve(A, B)
    np.testing.assert_allclose(found, in_lower_triangle(np.outer(solution, solution) - np.linalg.inv(A)) / 2, rtol=1e-9)


QUADRATIC: dict[str, Function] = {
    "by NumPy's general solver": lambda a: np.sum(np.linalg.solve(np.linalg.cholesky(a), B) ** 2),
    "by both factors": lambda a: B @ cho_solve(cho_factor(a, lower=True), B),
    "by upper factors": lambda a: B @ cho_solve(cho_factor(a, lower=False), B),
    "by an upper factor": lambda a: np.sum(solve_triangular(cholesky(a), B, trans="T") ** 2),
    "by general solvers twice": lambda a: (
        B @ np.linalg.solve((factor := np.linalg.cholesky(a)).T, np.linalg.solve(factor, B))
    ),
    "in two vectors": lambda a: B @ cho_solve(cho_factor(a, lower=True), C),
    "in matrices": lambda a: np.sum(Y * cho_solve(cho_factor(a, lower=True), Y)),
    "negative and scaled": lambda a: -np.sum((3.0 * lower_solve(np.linalg.cholesky(a), -B)) ** 2) / 7.0,
    "in a function": lambda a: np.exp(-0.1 * np.sum(lower_solve(np.linalg.cholesky(a), B) ** 2)),
    "of half a vector": lambda a: 0.5 * (w := lower_solve(np.linalg.cholesky(a), B)) @ w,
    "of a difference of multiples": lambda a: (3.0 * (w := lower_solve(np.linalg.cholesky(a), B)) - w) @ (w / 5.0 + w),
    "of a mean": lambda a: np.mean(np.square(lower_solve(np.linalg.cholesky(a), Y))),
    "of two": lambda a: (
        np.sum(lower_solve(factor := np.linalg.cholesky(a), B) ** 2) - np.sum(lower_solve(factor, C) ** 2)
    ),
}


@pytest.mark.parametrize("name", QUADRATIC)
def test_quadratic_forms_are_recognized_however_they_are_written(name: str) -> None:
    derivative(QUADRATIC[name], A, inversions=0)


DETERMINANTS: dict[str, Function] = {
    "of a transposed factor": lambda a: np.sum(np.log(np.diag(cholesky(a)))),
    "as a mean": lambda a: np.mean(np.log(np.diagonal(np.linalg.cholesky(a)))),
    "in a function": lambda a: np.tanh(0.1 * np.sum(np.log(np.diag(np.linalg.cholesky(a))))),
    "negative": lambda a: 3.0 - np.sum(np.log(np.diag(np.linalg.cholesky(a)))) / 5.0,
    "twice": lambda a: np.sum(np.log(d := np.diag(np.linalg.cholesky(a)))) + 0.5 * np.sum(np.log(d)),
    "with a quadratic form, in a function": lambda a: np.exp(0.1 * normal_density(a, B)),
}


@pytest.mark.parametrize("name", DETERMINANTS)
def test_determinants_are_recognized_however_they_are_written(name: str) -> None:
    derivative(DETERMINANTS[name], A, inversions=1)


# --- what is not ------------------------------------------------------------------------------------------

OTHERS: dict[str, Function] = {
    "a linear form": lambda a: C @ lower_solve(np.linalg.cholesky(a), B),
    "a weighted sum of squares": lambda a: np.sum(np.abs(C) * lower_solve(np.linalg.cholesky(a), B) ** 2),
    "another power": lambda a: np.sum(lower_solve(np.linalg.cholesky(a), B) ** 4),
    "another vector": lambda a: lower_solve(factor := np.linalg.cholesky(a), B) @ lower_solve(factor.T + factor, C),
    "a reversed vector": lambda a: (w := lower_solve(np.linalg.cholesky(a), B)) @ w[::-1],
    "a product in which rows are exchanged": lambda a: np.sum(
        (w := lower_solve(np.linalg.cholesky(a), Y)) * w[:, ::-1]
    ),
    "a sample": lambda a: np.sum(np.sin(np.linalg.cholesky(a) @ B)),
    "logarithms with weights": lambda a: np.sum(C * np.log(np.diag(np.linalg.cholesky(a)))),
    "another diagonal": lambda a: np.sum(np.log(np.abs(np.diag(np.linalg.cholesky(a), -1)))),
    "a sum of the diagonal": lambda a: np.sum(np.diag(np.linalg.cholesky(a)) ** 2),
    "a likelihood and a sample": lambda a: normal_density(a, B) + np.sum(np.linalg.cholesky(a) ** 3),
    "a solution below a diagonal of ones": lambda a: np.sum(
        solve_triangular(np.linalg.cholesky(a), B, lower=True, unit_diagonal=True) ** 2
    ),
    "a solution above": lambda a: np.sum(solve_triangular(np.linalg.cholesky(a) + A, B, lower=False) ** 2),
    "another factor": lambda a: np.sum(lower_solve(np.linalg.cholesky(a), lower_solve(np.linalg.cholesky(A), B)) ** 3),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_alike_stays_right(name: str) -> None:
    before, *after = programs(OTHERS[name], A)
    for graph in after:
        assert counts(graph) == counts(before)
    agreeing(OTHERS[name], A)


def test_a_form_that_is_symmetric_by_its_values_alone_stays_as_it_is() -> None:
    """The vectors are equal, but not for every argument of the compiled function."""
    function: Function = lambda a, b, c: lower_solve(f := np.linalg.cholesky(a), b) @ lower_solve(f, 2.0 * c)  # noqa: E731
    fast = cv.jit(cv.grad(function))
    for c in (B, C):
        np.testing.assert_allclose(fast(A, B, c), cv.grad(function)(A, B, c), rtol=1e-9)


# --- whole programs ---------------------------------------------------------------------------------------


def evidence(parameters: Any, rows: Any, targets: Any) -> Any:
    """The evidence of a Bayesian linear regression with n targets and few weights (Bishop, equation 3.86)."""
    alpha, beta = np.exp(parameters)
    precision = alpha * np.eye(rows.shape[1]) + beta * rows.T @ rows
    factor = np.linalg.cholesky(precision)
    projected = lower_solve(factor, beta * rows.T @ targets)
    fit = 0.5 * beta * targets @ targets - 0.5 * projected @ projected
    return (
        0.5 * rows.shape[1] * np.log(alpha) + 0.5 * len(targets) * np.log(beta) - fit - np.sum(np.log(np.diag(factor)))
    )


def filtered(parameters: Any, observations: Any) -> Any:
    """The likelihood of a Kalman filter for a body that moves in a plane and is seen with noise."""
    step = np.eye(4) + 0.1 * np.eye(4, k=2)
    seen = np.eye(2, 4)
    mean, covariance = np.zeros(4), np.eye(4)
    total = 0.0
    for observation in observations:
        mean, covariance = step @ mean, step @ covariance @ step.T + np.exp(parameters[0]) * np.eye(4)
        factor = np.linalg.cholesky(seen @ covariance @ seen.T + np.exp(parameters[1]) * np.eye(2))
        whitened = lower_solve(factor, observation - seen @ mean)
        total = total - 0.5 * whitened @ whitened - np.sum(np.log(np.diag(factor)))
        gain = lower_solve(factor, seen @ covariance)
        mean, covariance = mean + gain.T @ whitened, covariance - gain.T @ gain
    return total


def process(parameters: Any, points: Any, targets: Any) -> Any:
    """The likelihood of a Gaussian process, and how well it predicts at other points."""
    scaled = points * np.exp(parameters[1:])
    squares = np.sum(scaled**2, axis=1)
    covariance = np.exp(parameters[0] - 0.5 * (squares[:, None] + squares - 2.0 * scaled @ scaled.T))
    held = len(points) // 3
    factor = np.linalg.cholesky(covariance[held:, held:] + 0.1 * np.eye(len(points) - held))
    weights = cho_solve((factor, True), targets[held:])
    mean = covariance[:held, held:] @ weights
    spread = lower_solve(factor, covariance[held:, :held])
    variance = np.diag(covariance[:held, :held]) + 0.1 - np.sum(spread**2, axis=0)
    fit = 0.5 * targets[held:] @ weights + np.sum(np.log(np.diag(factor)))
    return fit + np.sum((targets[:held] - mean) ** 2 / variance + np.log(variance))


PROGRAMS: dict[str, tuple[Function, tuple[Any, ...]]] = {
    "evidence": (evidence, (np.array([0.3, -0.2]), array(4, 12, 5), array(5, 12))),
    "filter": (filtered, (np.array([-1.0, -0.5]), array(6, 7, 2))),
    "process": (process, (np.array([0.2, 0.1, -0.3]), array(7, 12, 2), array(8, 12))),
    "normal density": (lambda t: normal_density(A + np.outer(t, t), B, t), (C,)),
}


def difference_quotients(function: Function, x: Any, *rest: Any) -> Any:
    """The gradient by central differences of order six."""
    weights = {1: 45.0, 2: -9.0, 3: 1.0}
    return np.array([
        sum(c * (function(x + 1e-3 * k * e, *rest) - function(x - 1e-3 * k * e, *rest)) for k, c in weights.items())
        / 60e-3
        for e in np.eye(len(x))
    ])  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_differentiated_as_difference_quotients_do(name: str) -> None:
    function, arguments = PROGRAMS[name]
    np.testing.assert_allclose(
        agreeing(function, *arguments), difference_quotients(function, *arguments), rtol=1e-7, atol=1e-8
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_compositions_agree(name: str) -> None:
    function, (x, *rest) = PROGRAMS[name]
    several = np.stack([x, 0.9 * x, x + 0.05])
    one = cv.grad(lambda x: function(x, *rest))
    np.testing.assert_allclose(
        cv.jit(cv.vmap(one))(several), np.stack([one(x) for x in several]), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(cv.jit(cv.jacfwd(one))(x), cv.jacfwd(one)(x), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(cv.grad(cv.jit(lambda x: function(x, *rest)))(x), one(x), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 70])
def test_every_size(n: int) -> None:
    agreeing(lambda a: normal_density(a, array(1, n)), positive(9, n))


def test_single_precision_stays() -> None:
    function: Function = lambda a: normal_density(a, B.astype(np.float32), np.float32(0.1))  # noqa: E731
    assert derivative(function, A.astype(np.float32), inversions=1).dtype == np.float32


@pytest.mark.parametrize("scale", [np.float64(0.5), np.float32(0.5), 0.5, 1])
def test_mixed_precision_stays(scale: Any) -> None:
    for a, b in ((A.astype(np.float32), B), (A, B.astype(np.float32)), (A.astype(np.float32), B.astype(np.float32))):
        agreeing(lambda a, b, s: np.tanh(s) * normal_density(a, b), a, b, scale)


def test_complex_matrices_stay_as_they_are() -> None:
    matrix = A + 1j * (array(4, N, N) - array(4, N, N).T)

    def function(a: Any) -> Any:
        whitened = lower_solve(np.linalg.cholesky(a), B + 0j)
        return np.sum(np.abs(whitened) ** 2)

    np.testing.assert_allclose(cv.jit(cv.grad(function))(matrix), cv.grad(function)(matrix), rtol=1e-9)


@given(st.data())
def test_sums_of_terms_agree(data: st.DataObject) -> None:
    """Any of the functions above, in any multiples, of one factored matrix."""
    functions = [*QUADRATIC.values(), *DETERMINANTS.values(), *OTHERS.values()]
    chosen = data.draw(st.lists(st.sampled_from(functions), min_size=2, max_size=4))
    weights = data.draw(st.lists(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 1e-3, 0.0]), min_size=4, max_size=4))
    scaled = data.draw(st.booleans())

    def function(a: Any, s: Any) -> Any:
        return sum((s * w if scaled else w) * f(a) for f, w in zip(chosen, weights, strict=False))

    agreeing(function, A, np.float64(data.draw(st.sampled_from([0.0, -1.5, 1.0]))))


def test_systems_with_factors_are_solved_by_substitution() -> None:
    def function(a: Any) -> Any:
        factor = np.linalg.cholesky(a)
        return np.linalg.solve(factor.T, np.linalg.solve(factor, Y)), np.linalg.solve(factor + factor.T, Y)

    graph = lowered(cv.jit(function).lower(A).simplified)
    assert [e.primitive.name for e in graph.equations].count("triangular_solve") == 2
    assert [e.primitive.name for e in graph.equations].count("solve") == 1
    fast = cv.jit(function)
    for _ in range(2):
        for found, expected in zip(fast(A), function(A), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-11)
