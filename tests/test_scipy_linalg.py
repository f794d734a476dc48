"""covector.scipy.linalg: the twins have SciPy's signatures, values and derivatives (difference quotients of SciPy)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import covector as cv
import covector.scipy.linalg as twins
from covector.errors import DTypeMismatchError, ShapeMismatchError, UnsupportedArgumentError
from covector.testing import check_batching, check_grads
from tests.test_contractions import array, assert_same, complex_array
from tests.test_linalg import positive, positive_complex, regular, regular_complex, spread

Function = Callable[..., Any]
ANY: Any = twins  # for calls that the type checker would refuse too
A, B, C = regular(4, 4), array(4, 2), array(4)
Z = regular_complex(3, 3)


def same(x: Any) -> Any:
    return x


def oriented(pair: Any) -> Any:
    """Eigenvalues, and eigenvectors with a positive first entry."""
    w, v = pair
    return w, v * np.sign(v[:1])


def band(lower: int, upper: int, size: int) -> Any:
    entries = array(lower + upper + 1, size)
    entries[upper] += 5.0
    return entries


CASES: list[tuple[str, str, tuple[Any, ...], dict[str, Any], Function]] = [
    *((f"triangular {trans} {lower} {unit}", "solve_triangular", (A, B),
       {"trans": trans, "lower": lower, "unit_diagonal": unit}, same)
      for trans in (0, "T", 2) for lower in (False, True) for unit in (False, True)),
    ("triangular vector", "solve_triangular", (A, C), {"lower": True}, same),
    ("triangular complex", "solve_triangular", (Z, complex_array(3)), {"trans": "C"}, same),
    *((f"banded {lower} {upper}", "solve_banded", ((lower, upper), band(lower, upper, 4), B), {}, same)
      for lower, upper in ((1, 2), (0, 0), (2, 0), (0, 1), (3, 3))),
    ("banded vector", "solve_banded", ((1, 1), band(1, 1, 4), C), {}, same),
    ("sylvester", "solve_sylvester", (A, regular(2, 2), B), {}, same),
    ("sylvester complex", "solve_sylvester", (Z, regular(2, 2), array(3, 2)), {}, same),
    ("sqrtm", "sqrtm", (positive(3, 3),), {}, same),
    ("sqrtm complex", "sqrtm", (Z,), {}, same),
    ("expm", "expm", (0.3 * A,), {}, same),
    ("expm complex", "expm", (0.3 * Z,), {}, same),
    ("expm_frechet", "expm_frechet", (0.3 * A, array(4, 4)), {}, same),
    ("expm_frechet alone", "expm_frechet", (0.3 * A, array(4, 4)), {"compute_expm": False}, same),
    ("solve", "solve", (A, B), {}, same),
    ("solve vector", "solve", (A, C), {"transposed": True}, same),
    ("solve symmetric", "solve", (A, B), {"assume_a": "sym", "lower": True}, same),
    ("solve positive", "solve", (positive(4, 4), C), {"assume_a": "pos"}, same),
    ("solve triangular", "solve", (A, C), {"assume_a": "upper triangular"}, same),
    ("inv", "inv", (A,), {}, same),
    ("det", "det", (A,), {}, same),
    ("cholesky", "cholesky", (positive(3, 3),), {}, same),
    ("cholesky lower", "cholesky", (positive_complex(3),), {"lower": True}, same),
    ("cho_factor", "cho_factor", (positive(3, 3),), {}, lambda pair: np.triu(pair[0])),
    ("lu", "lu", (A,), {}, same),
    ("lu tall", "lu", (array(3, 2) + 2.0 * np.eye(3, 2),), {"permute_l": True}, same),
    ("lu wide", "lu", (array(2, 3) + 2.0 * np.eye(2, 3),), {"p_indices": True}, lambda out: out[1:]),
    ("lu_factor", "lu_factor", (A,), {}, lambda out: out[0]),
    ("lu_factor tall", "lu_factor", (regular(4, 4)[:, :3],), {}, lambda out: out[0]),
    ("lu_factor wide", "lu_factor", (regular(4, 4)[:3],), {}, lambda out: out[0]),
    ("qr", "qr", (regular(3, 2),), {}, same),
    ("qr economic", "qr", (array(4, 2),), {"mode": "economic"}, same),
    ("qr r", "qr", (A,), {"mode": "r"}, same),
    ("svd", "svd", (spread(3, 2),), {"full_matrices": False}, same),
    ("svd values", "svd", (spread(3, 3),), {"compute_uv": False}, same),
    ("eigh", "eigh", (positive(3, 3),), {}, oriented),
    ("eigh upper", "eigh", (positive(3, 3),), {"lower": False, "subset_by_index": [1, 2]}, oriented),
    ("eigh generalized", "eigh", (positive(3, 3), regular(3, 3) @ regular(3, 3).T), {}, oriented),
    ("eigh generalized upper", "eigh", (positive(3, 3), 4.0 * np.eye(3) + positive(3, 3)), {"lower": False}, oriented),
    ("eigh values", "eigh", (positive_complex(3),), {"eigvals_only": True}, same),
    ("block_diag", "block_diag", (array(2, 3), array(2), np.float64(1.5)), {}, same),
    ("toeplitz", "toeplitz", (array(3),), {}, same),
    ("toeplitz row", "toeplitz", (array(3), array(4)), {}, same),
    ("toeplitz complex", "toeplitz", (complex_array(3),), {}, same),
    ("hankel", "hankel", (array(3),), {}, same),
    ("hankel row", "hankel", (array(3), array(2)), {}, same),
    ("circulant", "circulant", (array(4),), {}, same),
    ("companion", "companion", (array(4),), {}, same),
    *((f"convolution_matrix {mode} {n}", "convolution_matrix", (array(3), n), {"mode": mode}, same)
      for mode in ("full", "same", "valid") for n in (2, 4)),
    ("fiedler", "fiedler", (array(3),), {}, same),
    *((f"fiedler_companion {n}", "fiedler_companion", (array(n),), {}, same) for n in (2, 3, 5, 6)),
    ("leslie", "leslie", (array(3), array(2)), {}, same),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "options", "post"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_twins(name: str, args: tuple[Any, ...], options: dict[str, Any], post: Function) -> None:
    """A twin of traced arrays, and of plain ones, is SciPy's function; so are its derivatives, and vmap stacks."""
    traced = [i for i, x in enumerate(args) if isinstance(x, (np.ndarray, np.floating))]

    def function(*values: Any) -> Any:
        full = list(args)
        for i, x in zip(traced, values, strict=True):
            full[i] = x
        return post(getattr(twins, name)(*full, **options))

    values = tuple(args[i] for i in traced)
    expected = post(getattr(scipy.linalg, name)(*args, **options))
    assert_same(function(*values), expected, 1e-9)
    assert_same(cv.jvp(function, values, values)[0], expected, 1e-9)
    assert_same(cv.make_graph(function)(*values)(*values), expected, 1e-9)
    check_grads(function, values)
    check_batching(function, values)


@pytest.mark.parametrize("name", [n for n in twins.__all__ if n != "sqrtm"])
def test_signatures_are_scipys(name: str) -> None:
    """All parameters of a twin are SciPy's, in SciPy's order; SciPy of other versions may have more of them."""
    ours = list(inspect.signature(getattr(twins, name)).parameters)
    theirs = [p for p in inspect.signature(getattr(scipy.linalg, name)).parameters if p in ours]
    assert theirs == [p for p in ours if p in theirs]
    assert ours[0] in theirs


@pytest.mark.parametrize("b", [array(3), array(3, 2)], ids=["vector", "matrix"])
@pytest.mark.parametrize("lower", [False, True])
def test_solving_with_cholesky_factors(lower: bool, b: Any) -> None:
    def solve(k: Any, b: Any) -> Any:
        return twins.cho_solve(twins.cho_factor(k, lower=lower), b)

    k = positive(3, 3)
    np.testing.assert_allclose(solve(k, b), np.linalg.solve(k, b), atol=1e-12)
    check_grads(solve, (k, b))
    check_batching(solve, (k, b))


@pytest.mark.parametrize("b", [array(3), array(3, 2)], ids=["vector", "matrix"])
@pytest.mark.parametrize(("trans", "a"), [(0, Z), (1, Z.T), (2, Z.conj().T)])
def test_solving_with_triangular_factors(trans: int, a: Any, b: Any) -> None:
    def solve(z: Any, b: Any) -> Any:
        return twins.lu_solve(twins.lu_factor(z), b, trans=trans)

    np.testing.assert_allclose(solve(Z, b), np.linalg.solve(a, b), atol=1e-12)
    check_grads(solve, (Z, b))
    check_batching(solve, (Z, b))


def test_factors_and_pivots_are_scipys() -> None:
    a = array(6, 6)
    factors, pivots = cv.jvp(twins.lu_factor, (a,), (a,))[0]
    expected = scipy.linalg.lu_factor(a)
    np.testing.assert_allclose(factors, expected[0], atol=1e-12)
    np.testing.assert_array_equal(pivots, expected[1])
    np.testing.assert_allclose(twins.lu_solve(expected, a), np.eye(6), atol=1e-12)


def test_the_square_root_solves_its_equation_also_in_the_derivative() -> None:
    a, direction = positive(3, 3), array(3, 3)
    root, change = cv.jvp(twins.sqrtm, (a,), (direction,))
    np.testing.assert_allclose(root @ root, a, atol=1e-12)
    np.testing.assert_allclose(root @ change + change @ root, direction, atol=1e-12)
    np.testing.assert_allclose(cv.jvp(twins.sqrtm, (np.eye(2),), (np.ones((2, 2)),))[1], np.full((2, 2), 0.5))


def test_banded_systems_are_those_with_the_whole_matrix() -> None:
    entries, b = band(1, 2, 5), array(5)
    dense = sum(np.diag(entries[2 - k, max(k, 0) : 5 + min(k, 0)], k) for k in range(-1, 3))
    np.testing.assert_allclose(cv.grad(lambda b: np.sum(twins.solve_banded((1, 2), entries, b)))(b),
                               np.linalg.inv(dense).sum(axis=0), atol=1e-12)  # fmt: skip
    corners = cv.grad(lambda e: np.sum(twins.solve_banded((1, 2), e, b)))(entries)
    assert (corners[0, :2] == 0.0).all()
    assert corners[3, -1] == corners[1, 0] == 0.0


def test_arguments_are_never_overwritten() -> None:
    a, b = regular(3, 3), array(3)
    before = a.copy(), b.copy()
    twins.solve(a, b, overwrite_a=True, overwrite_b=True)
    twins.lu_factor(a, overwrite_a=True)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


def test_lists_are_arrays() -> None:
    np.testing.assert_allclose(twins.solve_triangular([[2.0, 0.0], [1.0, 4.0]], [2, 5], lower=True), [1.0, 1.0])
    assert twins.block_diag([1, 2], 3).dtype == np.int64
    gradient = cv.grad(lambda t: np.sum(twins.toeplitz(np.array([t, 2.0 * t]))))(1.0)
    np.testing.assert_allclose(gradient, 6.0)


REFUSED: list[tuple[str, Function, type[Exception]]] = [
    ("trans", lambda a: ANY.solve_triangular(a, a, trans="X"), ValueError),
    ("rows", lambda a: twins.solve_triangular(a, np.ones(3)), ShapeMismatchError),
    ("bands", lambda a: twins.solve_banded((1, 1), a, np.ones(2)), ShapeMismatchError),
    ("infinity", lambda a: twins.solve(a, np.array([np.inf, 0.0])), ValueError),
    ("assume_a", lambda a: twins.solve(a, a, assume_a="banded"), UnsupportedArgumentError),
    ("pivoting", lambda a: twins.qr(a, pivoting=True), UnsupportedArgumentError),
    ("qr mode", lambda a: twins.qr(a, mode="raw"), UnsupportedArgumentError),
    ("svd driver", lambda a: twins.svd(a, lapack_driver="gesvd"), UnsupportedArgumentError),
    ("eigh type", lambda a: twins.eigh(a, a, type=2), UnsupportedArgumentError),
    ("eigh by value", lambda a: ANY.eigh(a, subset_by_value=(0.0, 1.0)), UnsupportedArgumentError),
    ("eigh by index", lambda a: twins.eigh(a, subset_by_index=(1, 5)), ValueError),
    ("lu_solve trans", lambda a: twins.lu_solve((a, np.array([0, 1])), a, trans=3), UnsupportedArgumentError),
    ("expm_frechet method", lambda a: twins.expm_frechet(a, a, method="SPS"), UnsupportedArgumentError),
    ("expm_frechet shapes", lambda a: twins.expm_frechet(a, np.eye(3)), ShapeMismatchError),
    ("sqrtm of a negative matrix", lambda a: twins.sqrtm(-a), DTypeMismatchError),
    ("toeplitz of a matrix", lambda a: twins.toeplitz(a), ShapeMismatchError),
    ("block_diag of a stack", lambda a: twins.block_diag(a[None]), ShapeMismatchError),
    ("companion of a number", lambda a: twins.companion(a[0, :1]), ShapeMismatchError),
    ("convolution_matrix length", lambda a: twins.convolution_matrix(a[0], 0), ValueError),
    ("convolution_matrix mode", lambda a: twins.convolution_matrix(a[0], 2, "half"), ValueError),
    ("leslie", lambda a: twins.leslie(a[0], a[0]), ShapeMismatchError),
]


@pytest.mark.parametrize(("function", "error"), [(f, e) for _, f, e in REFUSED], ids=[n for n, _, _ in REFUSED])
def test_what_is_not_honoured_is_refused(function: Function, error: type[Exception]) -> None:
    a = np.array([[2.0, 0.5], [0.5, 3.0]])
    with pytest.raises(error):
        cv.jvp(function, (a,), (a,))
