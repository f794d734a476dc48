"""numpy.linalg: values and results are NumPy's, derivatives exist wherever they do, vmap is stacking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import DegenerateWarning, UnsupportedArgumentError
from covector.ops import matrices
from covector.ops.determinants import ADJUGATE, ADJUGATE_CHANGE
from covector.ops.linalg_solve import GRAM_INVERSE, TriangularSolve
from covector.ops.matrices import hermitian
from covector.testing import check_batching, check_grads, difference_quotient
from tests.test_contractions import array, assert_same, check, complex_array

Function = Callable[..., Any]

RNG = np.random.default_rng(21)
ANY: Any = np.linalg  # for calls that NumPy's types do not know, or rightly refuse
TOLERANCE = 1e-9


def regular(*shape: int) -> Any:
    """Matrices far from singular ones."""
    return 0.4 * array(*shape) + 2.0 * np.eye(shape[-2], shape[-1])


def regular_complex(*shape: int) -> Any:
    return 0.3 * complex_array(*shape) + (2.0 + 0.5j) * np.eye(shape[-2], shape[-1])


def positive(*shape: int) -> Any:
    """Positive definite matrices with eigenvalues apart."""
    m = 0.2 * array(*shape)
    return np.diag(1.5 * np.arange(1.0, shape[-1] + 1.0)) + m + np.swapaxes(m, -1, -2)


def positive_complex(n: int) -> Any:
    m = 0.2 * complex_array(n, n)
    return np.diag(2.0 * np.arange(1.0, n + 1.0)) + m + m.conj().T


def spread(m: int, n: int) -> Any:
    """A matrix with singular values apart."""
    return np.eye(m, n) * np.arange(3.0, 3.0 + 2 * n, 2.0) + 0.2 * array(m, n)


def orthogonal(n: int) -> Any:
    return np.linalg.qr(array(n, n))[0]


# --- all functions, at points where they are smooth ---------------------------------------------------------

FUNCTIONS: list[tuple[str, Function, tuple[Any, ...]]] = [
    ("solve", np.linalg.solve, (regular(3, 3), array(3, 2))),
    ("solve vector", np.linalg.solve, (regular(3, 3), array(3))),
    ("solve vector for stack", np.linalg.solve, (regular(2, 3, 3), array(3))),
    ("solve broadcast", np.linalg.solve, (regular(2, 1, 2, 2), array(3, 2, 1))),
    ("solve complex", np.linalg.solve, (regular_complex(2, 2), array(2, 2))),
    ("inv", np.linalg.inv, (regular(2, 3, 3),)),
    ("inv complex", np.linalg.inv, (regular_complex(2, 2),)),
    ("pinv tall", np.linalg.pinv, (array(4, 2),)),
    ("pinv wide", np.linalg.pinv, (array(2, 2, 3),)),
    ("pinv complex", lambda a: ANY.pinv(a, rtol=None), (complex_array(3, 2),)),
    ("pinv hermitian", lambda a: np.linalg.pinv(a, hermitian=True), (positive(3, 3),)),
    ("det", np.linalg.det, (regular(2, 3, 3),)),
    ("det complex", np.linalg.det, (regular_complex(3, 3),)),
    ("det of a number", np.linalg.det, (array(1, 1),)),
    ("slogdet", np.linalg.slogdet, (regular(2, 2, 2),)),
    ("slogdet complex", np.linalg.slogdet, (regular_complex(3, 3),)),
    ("cholesky", np.linalg.cholesky, (positive(2, 3, 3),)),
    ("cholesky upper", lambda a: np.linalg.cholesky(a, upper=True), (positive(3, 3),)),
    ("cholesky complex", np.linalg.cholesky, (positive_complex(3),)),
    ("eigh", np.linalg.eigh, (positive(3, 3),)),
    ("eigh of a stack, upper", lambda a: np.linalg.eigh(a, UPLO="U"), (positive(2, 2, 2),)),
    ("eigvalsh", np.linalg.eigvalsh, (positive(2, 3, 3),)),
    ("eigvalsh complex", lambda a: np.linalg.eigvalsh(a, "u"), (positive_complex(3),)),
    ("svd", np.linalg.svd, (spread(3, 3),)),
    ("svd tall", np.linalg.svd, (spread(3, 2),)),
    ("svd wide", np.linalg.svd, (spread(2, 3),)),
    ("svd reduced", lambda a: np.linalg.svd(a, full_matrices=False), (spread(4, 2),)),
    ("svd values", lambda a: np.linalg.svd(a, compute_uv=False), (spread(2, 4),)),
    ("svd hermitian", lambda a: np.linalg.svd(a, hermitian=True), (positive(3, 3) - 3.0 * np.eye(3),)),
    ("svd values hermitian", lambda a: np.linalg.svd(a, True, False, True), (positive(3, 3),)),
    ("svdvals complex", np.linalg.svdvals, (spread(3, 2) + 0.2j * array(3, 2),)),
    ("qr", np.linalg.qr, (array(2, 4, 2),)),
    ("qr wide", np.linalg.qr, (regular(2, 4),)),
    ("qr complete", lambda a: np.linalg.qr(a, mode="complete"), (regular(3, 2),)),
    ("qr r", lambda a: np.linalg.qr(a, mode="r"), (regular(3, 3),)),
    ("qr complex", np.linalg.qr, (regular_complex(3, 2),)),
    ("tensorinv", np.linalg.tensorinv, (array(2, 2, 4),)),
    ("tensorinv ind", lambda a: np.linalg.tensorinv(a, ind=1), (array(4, 2, 2),)),
    ("tensorsolve", np.linalg.tensorsolve, (array(2, 2, 4), array(2, 2))),
    ("tensorsolve axes", lambda a, b: np.linalg.tensorsolve(a, b, (0, 2)), (array(2, 4, 2), array(4))),
    ("trace", np.linalg.trace, (array(2, 3, 3),)),
    ("matrix_transpose", np.linalg.matrix_transpose, (array(2, 3, 2),)),
    ("cond", np.linalg.cond, (regular(2, 3, 3),)),
    ("cond -2", lambda a: np.linalg.cond(a, -2), (spread(3, 2),)),
    ("cond 1", lambda a: np.linalg.cond(a, 1), (regular(3, 3),)),
    ("cond fro", lambda a: np.linalg.cond(a, "fro"), (regular_complex(2, 2),)),
]


@pytest.mark.parametrize(("function", "args"), [(f, a) for _, f, a in FUNCTIONS], ids=[n for n, _, _ in FUNCTIONS])
def test_functions(function: Function, args: tuple[Any, ...]) -> None:
    check(function, *args, tolerance=TOLERANCE)


def phase_free(w: Any, v: Any) -> Any:
    """Eigenvalues, and the eigenvectors as what does not depend on their phases."""
    return w, v[..., :, None, :] * v[..., None, :, :].conj()


COMPLEX_FACTORS: list[tuple[str, Function, Any]] = [
    ("eigh", lambda a: phase_free(*np.linalg.eigh(a)), positive_complex(3)),
    ("svd", lambda a: phase_free(*np.linalg.svd(a)[1::-1]), spread(3, 3) + 0.2j * array(3, 3)),
    ("svd right", lambda a: phase_free(np.linalg.svd(a)[1], np.linalg.svd(a)[2].mT), spread(2, 3) + 0.2j * array(2, 3)),
]


@pytest.mark.parametrize(("function", "a"), [c[1:] for c in COMPLEX_FACTORS], ids=[c[0] for c in COMPLEX_FACTORS])
def test_complex_vectors_up_to_their_phase(function: Function, a: Any) -> None:
    check(function, a, tolerance=TOLERANCE)


def test_full_singular_vectors_up_to_a_rotation_of_those_without_values() -> None:
    def projections(a: Any) -> Any:
        u, s, vh = np.linalg.svd(a)
        return u[:, 2:] @ u[:, 2:].T, (u[:, :2] * s) @ vh

    check(projections, spread(4, 2))


def test_complete_orthonormal_factors_up_to_a_rotation_of_those_beyond_the_span() -> None:
    def factors(a: Any) -> Any:
        q, r = np.linalg.qr(a, mode="complete")
        return q[:, 2:] @ q[:, 2:].T, q[:, :2], r

    check(factors, array(4, 2))


# --- eigenvalues of general matrices ------------------------------------------------------------------------

ROTATION = np.array([[0.5, 1.0], [-2.0, 1.0]])
REAL_SPECTRUM = np.array([[1.0, 0.3, 0.2], [0.1, 2.5, 0.4], [-0.2, 0.3, 4.0]])


@pytest.mark.parametrize("a", [ROTATION, REAL_SPECTRUM, np.diag([1.0, 3.0]) + 0.2 * complex_array(2, 2)])
def test_eigenvalues_and_eigenvectors_are_numpys_also_in_their_normalization(a: Any) -> None:
    check(np.linalg.eig, a, static=False, tolerance=TOLERANCE)
    check(np.linalg.eigvals, a, static=False, tolerance=TOLERANCE)


def test_eigenvalues_are_complex_where_values_are_not_known() -> None:
    stack = np.stack([ROTATION, ROTATION.T, np.diag([1.0, 2.0])])
    w, v = cv.vmap(np.linalg.eig)(stack)
    assert w.dtype == v.dtype == cv.vmap(np.linalg.eigvals)(stack).dtype == np.complex128
    for i, a in enumerate(stack):
        expected = np.linalg.eig(a)
        np.testing.assert_allclose(w[i], expected.eigenvalues, atol=1e-12)
        np.testing.assert_allclose(v[i], expected.eigenvectors, atol=1e-12)


def test_the_sum_of_eigenvalues_is_the_trace() -> None:
    np.testing.assert_allclose(cv.grad(lambda a: np.sum(np.linalg.eigvals(a)).real)(ROTATION), np.eye(2), atol=1e-12)


# --- what LAPACK does not read ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "read"),
    [
        (np.linalg.cholesky, np.tril),
        (lambda a: np.linalg.cholesky(a, upper=True), np.triu),
        (np.linalg.eigvalsh, np.tril),
        (lambda a: np.linalg.eigh(a, "U").eigenvectors, np.triu),
    ],
)
def test_the_derivative_in_a_triangle_that_is_not_read_is_zero(function: Function, read: Function) -> None:
    gradient = cv.grad(lambda a: np.sum(function(a) ** 3))(positive(3, 3))
    np.testing.assert_array_equal(gradient, read(gradient))


def test_a_symmetric_argument_gives_a_symmetric_gradient() -> None:
    a = positive(3, 3)
    gradient = cv.grad(lambda a: 2.0 * np.sum(np.log(np.diagonal(np.linalg.cholesky((a + a.T) / 2.0)))))(a)
    np.testing.assert_allclose(gradient, np.linalg.inv(a), atol=1e-12)


# --- equal eigenvalues and singular values --------------------------------------------------------------------

BASIS = orthogonal(3)
REPEATED = {
    "identity": np.eye(3),
    "two of three": BASIS @ np.diag([1.0, 3.0, 3.0]) @ BASIS.T,
    "the other two": BASIS @ np.diag([1.0, 1.0, 3.0]) @ BASIS.T,
}


def polar_factor(a: Any) -> Any:
    u, _, vh = ANY.svd(a)
    return u @ vh


OF_VALUES: dict[str, Function] = {
    "sum of squares": lambda a: np.sum(np.linalg.eigvalsh(a) ** 2),
    "log determinant": lambda a: np.sum(np.log(np.linalg.eigh(a).eigenvalues)),
    "squares, general": lambda a: np.sum(np.linalg.eigvals(a) ** 2).real,
    "cubes of singular values": lambda a: np.sum(np.linalg.svd(a)[1] ** 3),
    "nuclear norm": lambda a: np.linalg.norm(a, "nuc"),
}


def symmetric(n: int) -> Any:
    m = array(n, n)
    return m + m.T


def assert_derivative(function: Function, a: Any, direction: Any) -> None:
    """In forward and in reverse mode, by a difference quotient."""
    expected = difference_quotient(function, (a,), (direction,))
    np.testing.assert_allclose(cv.jvp(function, (a,), (direction,))[1], expected, atol=1e-6)
    weights = array(*np.shape(expected)) if np.ndim(expected) else np.float64(1.0)
    (pulled,) = cv.vjp(function, a)[1](weights)
    np.testing.assert_allclose(np.sum(pulled * direction), np.sum(weights * expected), atol=1e-6)


@pytest.mark.parametrize("a", REPEATED.values(), ids=REPEATED)
@pytest.mark.parametrize("function", OF_VALUES.values(), ids=OF_VALUES)
def test_functions_of_repeated_values_have_first_derivatives_without_a_warning(function: Function, a: Any) -> None:
    assert_derivative(function, (a + a.T) / 2.0, symmetric(3))


@pytest.mark.parametrize("function", OF_VALUES.values(), ids=OF_VALUES)
def test_values_alone_do_not_warn_in_any_mode(function: Function) -> None:
    for derivative in (cv.jacfwd(function), cv.jacrev(function), cv.jit(cv.grad(function))):
        derivative(np.eye(3))
    cv.vmap(cv.grad(function))(np.stack([np.eye(3), np.diag([1.0, 2.0, 2.0])]))


@pytest.mark.parametrize("a", REPEATED.values(), ids=REPEATED)
def test_the_polar_factor_has_its_derivative_at_repeated_values(a: Any) -> None:
    with pytest.warns(DegenerateWarning, match="svd was differentiated"):
        assert_derivative(polar_factor, (a + a.T) / 2.0, symmetric(3))


@pytest.mark.parametrize(("name", "together"), [("two of three", slice(1, 3)), ("the other two", slice(0, 2))])
def test_the_projection_on_an_eigenspace_of_equal_eigenvalues_has_its_derivative(name: str, together: slice) -> None:
    def projection(a: Any) -> Any:
        v = np.linalg.eigh(a).eigenvectors[:, together]
        return v @ v.T

    with pytest.warns(DegenerateWarning, match="eigh was differentiated"):
        assert_derivative(projection, (REPEATED[name] + REPEATED[name].T) / 2.0, symmetric(3))


def test_an_isolated_eigenvalue_has_its_second_derivative_where_others_are_equal() -> None:
    a, direction = REPEATED["two of three"], symmetric(3)

    def smallest(t: Any) -> Any:
        return np.linalg.eigvalsh((a + a.T) / 2.0 + t * direction)[0]

    with pytest.warns(DegenerateWarning, match="only to first order"):
        second = cv.grad(cv.grad(smallest))(0.0)
    np.testing.assert_allclose(second, difference_quotient(cv.grad(smallest), (0.0,), (1.0,)), atol=1e-5)


def of_eigenvalues(f: Function) -> Function:
    """The symmetric matrix V diag(f(w)) V^T."""

    def function(a: Any) -> Any:
        w, v = np.linalg.eigh(a)
        return (v * f(w)) @ v.T

    return function


def of_general_eigenvalues(a: Any) -> Any:
    w, v = np.linalg.eig(a)
    return ((v * w) @ np.linalg.inv(v)).real


def of_singular_values(a: Any) -> Any:
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return (u * s) @ vh


OF_VECTORS: list[tuple[str, Function, Any, str]] = [
    ("exponential", of_eigenvalues(np.exp), np.eye(2), "eigh"),
    ("logarithm at the identity, where it is 0", of_eigenvalues(np.log), np.eye(2), "eigh"),
    ("identity at the origin", of_eigenvalues(lambda w: w), np.zeros((2, 2)), "eigh"),
    ("identity at a matrix of rank 1", of_eigenvalues(lambda w: w), np.ones((3, 3)), "eigh"),
    ("eigenvectors", lambda a: np.linalg.eigh(a, "U").eigenvectors, np.eye(2), "eigh"),
    ("general", of_general_eigenvalues, 2.0 * np.eye(2), "eig"),
    ("singular", of_singular_values, np.eye(2), "svd"),
    ("singular at the origin", of_singular_values, np.zeros((2, 2)), "svd"),
    ("singular of rank 1", of_singular_values, np.ones((3, 2)), "svd"),
    ("singular of a complex number 0", of_singular_values, np.zeros((1, 1), complex), "svd"),
    ("hermitian", lambda a: np.linalg.svd(a, hermitian=True)[0], np.eye(2), "eigh"),
]


MODES: dict[str, Function] = {
    "jvp": lambda f, a: cv.jvp(f, (a,), (direction_at(a),)),
    "vjp": lambda f, a: cv.vjp(f, a)[1](np.ones(a.shape, a.dtype)),
    "linearize": lambda f, a: cv.linearize(f, a)[1](direction_at(a)),
    "vmap of vjp": lambda f, a: cv.vmap(lambda a: cv.vjp(f, a)[1](np.ones(a.shape, a.dtype)))(a[None]),
}


def direction_at(a: Any) -> Any:
    return complex_array(*a.shape) if a.dtype.kind == "c" else array(*a.shape)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("function", "a", "name"), [c[1:] for c in OF_VECTORS], ids=[c[0] for c in OF_VECTORS])
def test_a_derivative_through_the_vectors_of_equal_values_warns(mode: str, function: Any, a: Any, name: str) -> None:
    """Also where the cotangents of the vectors are zero because f(w) is: f'(w) is not."""
    with pytest.warns(DegenerateWarning, match=f"^{name} was differentiated through the (eigen|singular )vectors"):
        MODES[mode](function, a)


SECOND_DERIVATIVES: dict[str, Function] = {
    "hessian": lambda f, a: cv.hessian(f)(a),
    "jacfwd of jacfwd": lambda f, a: cv.jacfwd(cv.jacfwd(f))(a),
    "jacrev of grad": lambda f, a: cv.jacrev(cv.grad(f))(a),
    "hvp": lambda f, a: cv.hvp(f, (a,), (np.ones((2, 2)),)),
    "jvp of jvp": lambda f, a: cv.jvp(lambda a: cv.jvp(f, (a,), (np.ones((2, 2)),))[1], (a,), (np.ones((2, 2)),)),
    "grad of jvp": lambda f, a: cv.grad(lambda a: cv.jvp(f, (a,), (np.ones((2, 2)),))[1])(a),
}


@pytest.mark.parametrize("compute", SECOND_DERIVATIVES.values(), ids=SECOND_DERIVATIVES)
@pytest.mark.parametrize("a", [np.eye(2), np.zeros((2, 2))], ids=["identity", "origin"])
def test_a_second_derivative_at_equal_values_warns(compute: Function, a: Any) -> None:
    for function, name in (
        (lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), "eigh"),
        (lambda a: np.sum(np.linalg.eigh(a)[0] ** 2), "eigh"),
        (lambda a: np.sum(np.linalg.eigvals(a) ** 2).real, "eig"),
        (lambda a: np.sum(np.linalg.svdvals(a) ** 2), "svd"),
    ):
        with pytest.warns(DegenerateWarning, match=f"^{name} was"):
            compute(function, a)


def test_eigenvalues_of_general_matrices_with_their_vectors() -> None:
    """In forward mode eig warns although only eigenvalues are used, since it takes the real part of real vectors."""

    def cubes(a: Any) -> Any:
        return np.sum(np.linalg.eig(a).eigenvalues ** 3).real

    np.testing.assert_allclose(cv.grad(cubes)(2.0 * np.eye(2)), 12.0 * np.eye(2), atol=1e-12)
    with pytest.warns(DegenerateWarning, match="^eig was"):
        tangent = cv.jvp(cubes, (2.0 * np.eye(2),), (np.ones((2, 2)),))[1]
    np.testing.assert_allclose(tangent, 24.0, atol=1e-12)


def test_a_direction_that_keeps_the_eigenvectors_does_not_warn() -> None:
    """Then nothing is missing: the derivative of exp A in the direction D that commutes with it is exp(A) D."""
    a, direction = np.diag([1.0, 1.0, 2.0]), np.diag([3.0, 4.0, 5.0])
    tangent = cv.jvp(of_eigenvalues(np.exp), (a,), (direction,))[1]
    np.testing.assert_allclose(tangent, np.exp(np.diagonal(a)) * direction, atol=1e-12)
    a = (REPEATED["two of three"] + REPEATED["two of three"].T) / 2.0
    np.testing.assert_allclose(cv.jvp(of_eigenvalues(lambda w: w), (a,), (a,))[1], a, atol=1e-12)


def test_the_vectors_of_one_zero_singular_value_of_a_square_matrix_have_derivatives() -> None:
    def projections(a: Any) -> Any:
        u, _, vh = np.linalg.svd(a)
        return u[:, 2:] @ u[:, 2:].T, vh[2:].T @ vh[2:]

    check_grads(projections, (of_rank(2, 3),), order=1)


def test_a_defective_matrix_warns() -> None:
    """Its eigenvalues have no derivative; the sum of their squares has one, 2 A^T, which is not found."""
    a = np.array([[1.0, 1.0], [0.0, 1.0]])
    for function in (
        lambda a: np.sum(np.linalg.eigvals(a) ** 2).real,
        lambda a: np.sum(np.linalg.eig(a).eigenvalues ** 2).real,
    ):
        for derivative in (cv.grad(function), cv.jacfwd(function), lambda a, f=function: cv.vmap(cv.grad(f))(a[None])):
            with pytest.warns(DegenerateWarning, match="defective"):
                derivative(a)


def test_the_warning_points_to_the_line_that_asked_for_the_derivative() -> None:
    with pytest.warns(DegenerateWarning) as caught:
        cv.grad(lambda a: np.sum(of_eigenvalues(np.exp)(a)))(np.eye(2))
    assert [warning.filename for warning in caught] == [__file__]


def test_compiled_derivatives_warn_when_they_run() -> None:
    gradient = cv.jit(cv.grad(lambda a: np.sum(of_eigenvalues(np.exp)(a))))
    gradient(np.diag([1.0, 2.0]))
    with pytest.warns(DegenerateWarning, match="eigh"):
        gradient(np.eye(2))


@pytest.mark.parametrize("gap", [1e-3, 1e-6])
def test_nearly_equal_eigenvalues_have_large_derivatives_and_no_warning(gap: float) -> None:
    """First-order perturbation theory: v_0 turns towards v_1 by direction_01 / (w_0 - w_1)."""
    a, direction = np.diag([1.0, 1.0 + gap]), np.array([[0.0, 1.0], [1.0, 0.0]])
    v = np.linalg.eigh(a).eigenvectors
    tangent = cv.jvp(lambda a: np.linalg.eigh(a).eigenvectors, (a,), (direction,))[1]
    np.testing.assert_allclose(tangent, v @ np.array([[0.0, 1.0], [-1.0, 0.0]]) / gap, rtol=1e-8)


def test_singular_values_never_divide_by_their_gaps() -> None:
    for a in (np.eye(3), np.zeros((3, 2)), np.ones((2, 3))):
        with np.errstate(all="raise"):
            gradient = cv.grad(lambda a: np.sum(np.linalg.svdvals(a) ** 2))(a)
        np.testing.assert_allclose(gradient, 2.0 * a, atol=1e-12)


# --- determinants of singular matrices ------------------------------------------------------------------------


def of_rank(rank: int, n: int = 4, complex_valued: bool = False) -> Any:
    make = complex_array if complex_valued else array
    return make(n, rank) @ make(rank, n)


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("complex_valued", [False, True])
def test_determinants_have_both_derivatives_at_every_rank(rank: int, complex_valued: bool) -> None:
    check_grads(np.linalg.det, (of_rank(rank, 4, complex_valued),), order=2)


def test_the_adjugate_is_made_of_cofactors() -> None:
    for a in (of_rank(3), of_rank(2), array(4, 4), np.zeros((4, 4))):
        cofactors = np.empty((4, 4))
        for i, j in np.ndindex(4, 4):
            minor = np.delete(np.delete(a, i, 0), j, 1)
            cofactors[i, j] = (-1.0) ** (i + j) * np.linalg.det(minor)
        np.testing.assert_allclose(ADJUGATE(a), cofactors.T, atol=1e-12)


def test_the_adjugate_of_a_stack_with_a_singular_matrix() -> None:
    stack = np.stack([array(3, 3), of_rank(2, 3), of_rank(1, 3)])
    direction = array(3, 3)
    for i, a in enumerate(stack):
        np.testing.assert_allclose(ADJUGATE(stack)[i], ADJUGATE(a), atol=1e-12)
        np.testing.assert_allclose(ADJUGATE_CHANGE(stack, direction)[i], ADJUGATE_CHANGE(a, direction), atol=1e-12)


def test_the_third_derivative_of_the_determinant_of_a_regular_matrix() -> None:
    check_grads(np.linalg.det, (regular(3, 3),), order=3, rtol=1e-3, atol=1e-3)


def test_the_gradient_of_the_determinant_of_small_matrices() -> None:
    np.testing.assert_array_equal(cv.grad(np.linalg.det)(np.zeros((1, 1))), [[1.0]])
    np.testing.assert_allclose(cv.grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])), [[4.0, -2.0], [-2.0, 1.0]])


# --- least squares ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "n"), [(4, 2), (2, 4), (3, 3)])
@pytest.mark.parametrize("right", [(), (2,)])
def test_least_squares(m: int, n: int, right: tuple[int, ...]) -> None:
    a, b = array(m, n), array(m, *right)
    assert_same(cv.jvp(np.linalg.lstsq, (a, b), (a, b))[0], np.linalg.lstsq(a, b), TOLERANCE)
    smooth = [0, 1, 3] if m > n else [0, 3]
    check_grads(lambda a, b: tuple(np.linalg.lstsq(a, b)[i] for i in smooth), (a, b))
    check_batching(lambda a, b: np.linalg.lstsq(a, b)[:2], (a, b))


def test_least_squares_of_a_matrix_without_full_rank() -> None:
    a, b = of_rank(2, 4), array(4)
    found, expected = cv.jvp(lambda b: np.linalg.lstsq(a, b, 1e-10), (b,), (b,))[0], np.linalg.lstsq(a, b, 1e-10)
    assert_same(found, expected, TOLERANCE)
    assert found[1].shape == (0,)


# --- norms --------------------------------------------------------------------------------------------------------

NORMS: list[tuple[str, Function, Any]] = [
    *((f"vector {p}", lambda x, p=p: np.linalg.norm(x, p), array(4))
      for p in (None, 1, 2, 3, 0.5, 1.5, -1, -2, np.inf, -np.inf)),
    *((f"matrix {p}", lambda x, p=p: np.linalg.norm(x, p), spread(3, 2))
      for p in (None, "fro", "f", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
    *((f"complex {p}", lambda x, p=p: np.linalg.norm(x, p), complex_array(3, 2)) for p in (None, "nuc", 1, 2)),
    *((f"complex vector {p}", lambda x, p=p: np.linalg.norm(x, p), complex_array(3)) for p in (None, 1, 3, np.inf)),
    ("number", np.linalg.norm, np.float64(-1.5)),
    ("all entries", np.linalg.norm, array(2, 2, 2)),
    ("all entries kept", lambda x: ANY.norm(x, keepdims=True), array(2, 2)),
    ("axis", lambda x: np.linalg.norm(x, axis=0), array(3, 2)),
    ("axis kept", lambda x: np.linalg.norm(x, 3, axis=-2, keepdims=True), array(3, 2)),
    ("two axes", lambda x: np.linalg.norm(x, "nuc", axis=(2, 0)), array(2, 2, 3)),
    ("two axes kept", lambda x: np.linalg.norm(x, 1, axis=(-1, 0), keepdims=True), array(2, 2, 3)),
    ("vector_norm", np.linalg.vector_norm, array(2, 3)),
    ("vector_norm axes", lambda x: np.linalg.vector_norm(x, axis=(0, 2), ord=3, keepdims=True), array(2, 2, 2)),
    ("vector_norm axis", lambda x: np.linalg.vector_norm(x, axis=1, ord=1), array(2, 3)),
    ("matrix_norm", np.linalg.matrix_norm, array(2, 2, 3)),
    ("matrix_norm ord", lambda x: np.linalg.matrix_norm(x, ord=-np.inf, keepdims=True), array(2, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "x"), [(f, x) for _, f, x in NORMS], ids=[n for n, _, _ in NORMS])
def test_norms(function: Function, x: Any) -> None:
    check(function, x, tolerance=TOLERANCE)


def test_the_norm_that_counts_is_locally_constant() -> None:
    x = np.array([0.0, 1.5, -2.0])
    value, tangent = cv.jvp(lambda x: np.linalg.norm(x, 0), (x,), (np.ones(3),))
    assert value == 2.0
    assert tangent == 0.0


@pytest.mark.parametrize("order", [None, 1, 2, 3, 1.5, np.inf])
def test_the_derivative_of_a_vector_norm_at_the_origin_is_zero(order: Any) -> None:
    x = np.zeros(3)
    np.testing.assert_array_equal(cv.grad(lambda x: np.linalg.norm(x, order))(x), x)
    assert cv.jvp(lambda x: np.linalg.norm(x, order), (x,), (np.ones(3),))[1] == 0.0
    rows = cv.grad(lambda x: np.sum(np.linalg.norm(x, order, axis=1)))(np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(rows[0], 0.0)
    assert np.all(np.isfinite(rows))


@pytest.mark.parametrize("order", [None, 1, 2, "nuc", np.inf])
def test_the_derivative_of_a_matrix_norm_at_the_origin_is_zero_or_a_subgradient(order: Any) -> None:
    gradient = cv.grad(lambda x: np.linalg.norm(x, order))(np.zeros((2, 2)))
    assert np.isfinite(gradient).all()
    assert np.linalg.norm(gradient, "nuc" if order == 2 else 2) <= 1.0 + 1e-12


def test_the_gradient_of_the_nuclear_norm_ignores_directions_without_singular_values() -> None:
    u, v = np.array([1.0, 2.0, 2.0]) / 3.0, np.array([3.0, 4.0]) / 5.0
    gradient = cv.grad(lambda a: np.linalg.norm(a, "nuc"))(7.0 * np.outer(u, v))
    np.testing.assert_allclose(gradient, np.outer(u, v), atol=1e-12)


def test_the_largest_singular_values_share_the_gradient_of_the_spectral_norm() -> None:
    np.testing.assert_allclose(cv.grad(lambda a: np.linalg.norm(a, 2))(np.eye(2)), np.eye(2) / 2.0, atol=1e-12)


def test_the_condition_number_of_a_singular_matrix_is_infinite() -> None:
    for a in (np.zeros((2, 2)), np.diag([1.0, 0.0])):
        assert cv.jvp(np.linalg.cond, (a,), (a,))[0] == np.inf
    assert np.isnan(cv.vmap(lambda x: np.linalg.norm(x, "nuc"), in_axes=0)(np.zeros((1, 2, 2)))).sum() == 0


def test_ranks_are_integers_without_a_derivative() -> None:
    a = np.stack([of_rank(2), of_rank(3)])
    assert_same(cv.jvp(lambda a: np.linalg.matrix_rank(a), (a,), (a,))[0], np.linalg.matrix_rank(a))
    np.testing.assert_array_equal(cv.vmap(np.linalg.matrix_rank)(a), [2, 3])
    assert cv.grad(lambda a: np.linalg.matrix_rank(a, tol=1e-8) * a[0, 0])(a[0])[0, 0] == 2.0
    b = positive(3, 3)
    for options in ({"rtol": 1e-3}, {"hermitian": True}, {"tol": 10.0}):
        found = cv.jvp(lambda b, o=options: ANY.matrix_rank(b, **o), (b,), (b,))[0]
        assert found == ANY.matrix_rank(b, **options)
    assert cv.jvp(np.linalg.matrix_rank, (a[0, 0],), (a[0, 0],))[0] == 1


# --- shapes and dtypes ----------------------------------------------------------------------------------------------


OF_EMPTY = [
    np.linalg.inv,
    np.linalg.det,
    np.linalg.cholesky,
    np.linalg.eigh,
    np.linalg.qr,
    np.linalg.svd,
    np.linalg.eig,
]


@pytest.mark.parametrize("function", OF_EMPTY)
@pytest.mark.parametrize("shape", [(0, 2, 2), (0, 0), (2, 0, 0)])
def test_empty_stacks_and_matrices(function: Function, shape: tuple[int, ...]) -> None:
    a = np.zeros(shape)
    assert_same(cv.jvp(function, (a,), (a,))[0], function(a))
    outputs, pullback = cv.vjp(function, a)
    assert pullback(outputs)[0].shape == shape


def test_integer_matrices_are_computed_with_in_double_precision() -> None:
    a, b = np.array([[2, 1], [1, 3]]), array(2)
    np.testing.assert_allclose(cv.grad(lambda b: np.sum(np.linalg.solve(a, b)))(b), np.linalg.inv(a).sum(axis=0))
    graph = cv.make_graph(lambda a: (np.linalg.inv(a), np.linalg.norm(a), np.linalg.det(a)))(a)
    assert_same(graph(a), (np.linalg.inv(a), np.linalg.norm(a), np.linalg.det(a)))


def test_one_system_with_many_right_hand_sides_is_one_solve() -> None:
    a, b = regular(3, 3), array(5, 3, 2)
    graph = cv.make_graph(cv.vmap(lambda b: np.linalg.solve(a, b)))(b)
    assert str(graph).count("solve") == 1
    np.testing.assert_allclose(graph(b), np.linalg.solve(a, b), atol=1e-12)


def test_triangular_systems_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = regular(3, 3), array(3, 2)
    options = [(lower, unit) for lower in (True, False) for unit in (True, False)]
    expected = [TriangularSolve(*option)(a, b) for option in options]
    monkeypatch.setattr("covector.ops.linalg_solve.optional_scipy", lambda: None)
    for option, x in zip(options, expected, strict=True):
        np.testing.assert_allclose(TriangularSolve(*option)(a, b), x, atol=1e-12)
    check_grads(np.linalg.cholesky, (positive(3, 3),))


def test_inverses_from_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    factors = [np.tril(regular(3, 3)), np.tril(regular(3, 3)).astype(np.float32), np.tril(regular_complex(3, 3))]
    for _ in range(2):
        for factor in (*factors, np.zeros((0, 0))):
            inverse = np.tril(np.linalg.inv(factor @ factor.conj().T))
            for x in (factor, np.asfortranarray(factor), factor + np.triu(array(*factor.shape), 1)):
                found = GRAM_INVERSE(x.astype(factor.dtype))
                assert found.dtype == factor.dtype
                np.testing.assert_allclose(found, inverse, rtol=1e-4 if factor.dtype == np.float32 else 1e-10)
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            GRAM_INVERSE(np.diag([1.0, 0.0, 2.0]))
        monkeypatch.setattr("covector.ops.linalg_solve.optional_scipy", lambda: None)


def test_functions_that_need_scipy_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "optional_scipy", lambda: None)
    with pytest.raises(ImportError, match="expm needs SciPy"):
        matrices.required_scipy("expm")


def test_hermitian_matrices_are_read_as_lapack_reads_them() -> None:
    a = complex_array(3, 3)
    np.testing.assert_allclose(np.linalg.eigvalsh(hermitian(a, True), "U"), np.linalg.eigvalsh(a, "L"))
    np.testing.assert_allclose(np.linalg.eigvalsh(hermitian(a, False), "L"), np.linalg.eigvalsh(a, "U"))


def test_named_results_are_numpys() -> None:
    a = positive(3, 3)
    for function in (np.linalg.eigh, np.linalg.eig, np.linalg.svd, np.linalg.qr, np.linalg.slogdet):
        assert type(cv.jvp(function, (a,), (a,))[0]) is type(function(a))


def test_a_gaussian_log_likelihood_has_its_closed_form_gradient() -> None:
    """d/dK of (y^T K^-1 y + ln det K) / 2 is (K^-1 - alpha alpha^T) / 2 with alpha = K^-1 y."""
    k, y = positive(4, 4), array(4)

    def by_cholesky(k: Any) -> Any:
        factor = np.linalg.cholesky((k + k.T) / 2.0)
        whitened = np.linalg.solve(factor, y)
        return whitened @ whitened / 2.0 + np.sum(np.log(np.diagonal(factor)))

    def by_determinant(k: Any) -> Any:
        return y @ np.linalg.solve(k, y) / 2.0 + np.linalg.slogdet(k).logabsdet / 2.0

    alpha = np.linalg.solve(k, y)
    expected = (np.linalg.inv(k) - np.outer(alpha, alpha)) / 2.0
    np.testing.assert_allclose(cv.grad(by_cholesky)(k), expected, atol=1e-12)
    np.testing.assert_allclose(cv.grad(by_determinant)(k), expected, atol=1e-12)


REFUSED: list[tuple[str, Function, type[Exception]]] = [
    ("inv of a vector", lambda a: np.linalg.inv(a[0]), np.linalg.LinAlgError),
    ("inv of a wide matrix", lambda a: np.linalg.inv(a[:1]), np.linalg.LinAlgError),
    ("inv of a singular matrix", lambda a: np.linalg.inv(a * 0.0), np.linalg.LinAlgError),
    ("solve a number", lambda a: np.linalg.solve(a, 1.0), np.linalg.LinAlgError),
    ("solve lengths", lambda a: np.linalg.solve(a, np.ones(3)), ValueError),
    ("cholesky of an indefinite matrix", lambda a: np.linalg.cholesky(-a), np.linalg.LinAlgError),
    ("UPLO", lambda a: ANY.eigh(a, UPLO="X"), ValueError),
    ("qr raw", lambda a: ANY.qr(a, mode="raw"), UnsupportedArgumentError),
    ("pinv both", lambda a: ANY.pinv(a, rcond=1.0, rtol=1.0), ValueError),
    ("pinv many", lambda a: np.linalg.pinv(a, rcond=np.ones(2)), UnsupportedArgumentError),
    ("matrix_rank both", lambda a: np.linalg.matrix_rank(a, tol=1.0, rtol=1.0), ValueError),
    ("multi_dot out", lambda a: np.linalg.multi_dot([a, a], out=np.zeros((2, 2))), UnsupportedArgumentError),
    ("norm of words", lambda a: np.linalg.norm(a[0], "fro"), ValueError),
    ("norm of matrices", lambda a: np.linalg.norm(a, 3), ValueError),
    ("norm axes", lambda a: np.linalg.norm(a, axis=(0, 0)), ValueError),
    ("norm many axes", lambda a: np.linalg.norm(a[None], 2, axis=(0, 1, 2)), ValueError),
    ("norm axis", lambda a: ANY.norm(a, axis="x"), TypeError),
    ("norm axis out of bounds", lambda a: np.linalg.norm(a, axis=2), np.exceptions.AxisError),
    ("cond of nothing", lambda a: np.linalg.cond(a[:0]), np.linalg.LinAlgError),
    ("tensorinv", lambda a: np.linalg.tensorinv(a, ind=0), ValueError),
    ("tensorsolve", lambda a: np.linalg.tensorsolve(a[:1], np.ones(1)), np.linalg.LinAlgError),
    ("lstsq of a stack", lambda a: np.linalg.lstsq(a[None], np.ones(2)), np.linalg.LinAlgError),
]


@pytest.mark.parametrize(("function", "error"), [(f, e) for _, f, e in REFUSED], ids=[n for n, _, _ in REFUSED])
def test_what_cannot_be_computed_is_refused_as_numpy_refuses_it(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.jvp(function, (np.eye(2),), (np.eye(2),))
