"""Contractions are rearranged to cost less, and stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.algebra import with_terms_combined
from covector.compile.contractions import with_cheaper_products
from covector.compile.dead_code import without_dead_code
from covector.graph.graph import Graph, check
from covector.ops.contraction import Contract

N = 40


def array(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def constant_identity(n: int) -> Any:
    eye = np.eye(n)
    eye.flags.writeable = False
    return eye


def products(graph: Graph) -> int:
    """How many products of numbers the contractions take."""
    total = 0
    for equation in graph.equations:
        primitive = equation.primitive
        if isinstance(primitive, Contract):
            sizes = dict(zip(primitive.left, equation.inputs[0].type.shape, strict=True))
            sizes |= dict(zip(primitive.right, equation.inputs[1].type.shape, strict=True))
            total += prod(sizes.values())
    return total


def rearranged(function: Callable[..., Any], *arguments: Any) -> tuple[int, int]:
    """Checks that the outputs stay what they are; the products before and after."""
    graph = cv.make_graph(function)(*arguments)
    cheaper = check(without_dead_code(with_cheaper_products(graph)))
    for found, expected in zip(cheaper(*arguments), graph(*arguments), strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-4 if found.dtype == np.float32 else 1e-10, atol=1e-9)
    return products(graph), products(cheaper)


A, B, U, V = array(1, N, N), array(2, N, N), array(3, N, 1), array(4, N, 1)
EYE = constant_identity(N)


def test_a_chain_is_multiplied_in_the_cheapest_order() -> None:
    before, after = rearranged(lambda x, u, v: (x @ (u @ v.T), (u @ v.T) @ x, x @ (u @ v.T).T), A, U, V)
    assert before == 3 * (N**3 + N**2)
    assert after == 3 * 2 * N**2


def test_a_product_that_is_used_elsewhere_is_kept() -> None:
    before, after = rearranged(lambda x, u, v: (x @ (w := u @ v.T), w), A, U, V)
    assert before == after


def test_the_identity_is_not_multiplied_with() -> None:
    def function(x: Any) -> tuple[Any, ...]:
        return EYE @ x, x @ EYE, np.einsum("ij,kj->ik", EYE, x), EYE[:, :] @ (EYE @ x.T)

    fast = cv.jit(function)
    assert not any(call in fast.source(A) for call in ("np.dot(", "np.matmul("))
    for _ in range(2):
        for found, expected in zip(fast(A), function(A), strict=True):
            np.testing.assert_array_equal(found, expected)
            assert not np.shares_memory(found, A)


def test_an_identity_that_can_be_changed_is_multiplied_with() -> None:
    eye = np.eye(3)
    fast = cv.jit(lambda x: eye @ x)
    x = array(5, 3, 3)
    np.testing.assert_array_equal(fast(x), x)
    eye[0, 0] = 2.0
    np.testing.assert_array_equal(fast(x), eye @ x)
    view = eye.view()
    view.flags.writeable = False
    through = cv.jit(lambda x: view @ x)
    through(x)
    eye[...] = 3.0
    np.testing.assert_array_equal(through(x), view @ x)


def test_a_jacobian_needs_no_product_with_its_basis() -> None:
    x, matrix = array(6, N), array(7, 3 * N, N)
    for jacobian in (cv.jacrev, cv.jacfwd):
        fast = cv.jit(jacobian(lambda x: np.tanh(matrix @ np.sin(x))))
        value = np.tanh(matrix @ np.sin(x))
        np.testing.assert_allclose(fast(x), (1.0 - value * value)[:, None] * matrix * np.cos(x), rtol=1e-12)
        assert fast.source(x).count("np.dot(") == 1


def test_diagonal_matrices_scale() -> None:
    d = array(8, N)
    before, after = rearranged(
        lambda d, x: (np.diag(d) @ x, x @ np.diag(d), np.diag(d).T @ x.T, np.diag(d) @ x[:, 0], x @ (np.diag(d) + x)),
        d, A,
    )  # fmt: skip
    assert after < 0.4 * before
    rearranged(lambda d: np.einsum("ij,ij->ij", np.diag(d), np.diag(d)), d)
    rearranged(lambda d, x: (np.einsum("ij,ij->", np.diag(d), x), np.einsum("ij,jk->ki", np.diag(d), x)), d, A)


def test_a_sum_is_split_where_its_terms_are_cheap() -> None:
    before, after = rearranged(lambda x, d, u, v: x @ (np.diag(d) + u @ v.T), A, array(8, N), U, V)
    assert before == N**3 + N**2
    assert after == 3 * N**2
    before, after = rearranged(lambda x, y: x @ (x + y), A, B)
    assert before == after


@pytest.mark.parametrize("order", list(permutations("ijk"))[::2])
@pytest.mark.parametrize("inner", ["ai,ja->ij", "i,j->ij", "ia,a->i", "aij,a->ij", "ij,k->kij"])
def test_products_of_products_with_any_labels(inner: str, order: tuple[str, ...]) -> None:
    sizes = {"a": 2, "i": 7, "j": 8, "k": 9, "b": 3}
    left, right, result = *inner.split("->")[0].split(","), inner.split("->")[1]
    others = "".join(label for label in order if label in result) + "b"
    x, y, z = (array(i, *(sizes[label] for label in labels)) for i, labels in enumerate((left, right, others)))
    for out in ("b", "b" + result[0], result[0] + "b"):
        rearranged(
            lambda x, y, z, out=out: (np.einsum(f"{result},{others}->{out}", np.einsum(inner, x, y), z),), x, y, z
        )


def test_mixed_dtypes_keep_theirs() -> None:
    single = U.astype(np.float32)
    rearranged(lambda x, u, v: (x @ (u @ v.T), x.T @ (u @ u.T), u.T @ (v @ v.T)), A, single, V)
    rearranged(lambda x, u: (x @ (u @ u.T),), A.astype(np.float32), single)


# --- Cholesky factors -------------------------------------------------------------------------------------


def likelihood(k: Any, y: Any) -> Any:
    """Half of y^T K^-1 y + log det K."""
    factor = np.linalg.cholesky(k)
    whitened = np.linalg.solve(factor, y)
    return 0.5 * np.sum(whitened * whitened) + np.sum(np.log(np.diag(factor)))


def test_the_gradient_of_a_gaussian_likelihood() -> None:
    """(K^-1 - a a^T) / 2 with a = K^-1 y, of which the lower triangle is read twice (Rasmussen and Williams, 5.9)."""
    k, y = A @ A.T + N * np.eye(N), array(9, N)
    found = cv.jit(cv.grad(likelihood))(k, y)
    solution = np.linalg.solve(k, y)
    inner = 0.5 * (np.linalg.inv(k) - np.outer(solution, solution))
    np.testing.assert_allclose(found, np.tril(inner) + np.tril(inner, -1), rtol=1e-9, atol=1e-12)


def test_no_large_products_are_left_in_it() -> None:
    """The pullback of the factor is triangular solves and outer products."""
    k, y = A @ A.T + N * np.eye(N), array(9, N)
    before, after = rearranged(lambda k, y: (cv.grad(likelihood)(k, y),), k, y)
    assert before > N**3 > after


def test_triangles_that_are_read_are_cut_out() -> None:
    lower = np.tri(N)
    rearranged(lambda x: (np.tril(x), np.tril(x) @ x, np.tril(x) * lower, np.tril(x.T @ np.tril(x))), A)
    rearranged(lambda x: (np.tril(np.triu(x) @ np.tril(x)), np.tril(np.tril(x) @ np.triu(x)), np.tril(x, -1).T), A)
    rearranged(lambda x: (np.tril(np.tril(x).T @ np.tril(x)), np.tril(np.tril(x) @ np.tril(x).T)), A)


# --- signs ------------------------------------------------------------------------------------------------


def test_the_sign_of_a_repeated_number_is_kept() -> None:
    def function(c: Any, x: Any) -> tuple[Any, ...]:
        negative = -np.broadcast_to(c, (N, N))
        return negative @ x, x.T @ negative, negative

    graph = cv.make_graph(function)(np.float64(2.0), A)
    for found, expected in zip(with_terms_combined(graph)(np.float64(2.0), A), function(2.0, A), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
