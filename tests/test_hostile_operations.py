"""Python's operators on traced numbers, shared memory, errors caught under checkpoint, options of operations.

What Python and NumPy give without covector is the oracle for values, and difference quotients for derivatives.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from tests.agreement import check_ownership
from tests.test_hostile_values import branching_repair

Array = np.ndarray[Any, np.dtype[Any]]

SINGLE = np.ones(2, np.float32)

# --- Python's operators on Python's numbers ---------------------------------------------------------------------

UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": abs,
    "+": lambda x: +x,
    "-": lambda x: -x,
    "round": lambda x: round(x),
    "round to one digit": lambda x: round(x, 1),
    "round to tens": lambda x: round(x, -1),
    "//": lambda x: x // 2,
    "%": lambda x: x % 3,
    "divmod": lambda x: divmod(x, 2),
    "divided by": lambda x: 7 // x + 7 % x,
    "real part": lambda x: x.real,
    "imaginary part": lambda x: x.imag,
    "conjugate": lambda x: x.conjugate(),
}
OF_INTEGERS: dict[str, Callable[[Any], Any]] = {
    "~": lambda n: ~n,
    "<<": lambda n: n << 70,
    ">>": lambda n: n >> 1,
    "shifted": lambda n: 1 << (n & 127),
    "&": lambda n: n & 5,
    "|": lambda n: n | 8,
    "^": lambda n: n ^ 12,
}
FLOATS, INTEGERS, COMPLEX = (-2.5, 2.5, 0.75, 1e300), (3, -3, True, 2**63 - 1, -(2**63)), (3.0 - 4.0j,)

CASES = [
    *((name, f, x) for name, f in UNARY.items() for x in FLOATS + INTEGERS),
    *((name, f, n) for name, f in OF_INTEGERS.items() for n in INTEGERS),
    *((name, UNARY[name], z) for name in ("abs", "+", "real part", "imaginary part", "conjugate") for z in COMPLEX),
]
CASES = [case for case in CASES if not (case[2] is True and ("part" in case[0] or case[0] == "conjugate"))]


@pytest.mark.parametrize(("name", "function", "number"), CASES, ids=lambda x: str(x) if not callable(x) else "")
def test_operators_give_for_traced_numbers_what_python_gives(name: str, function: Any, number: Any) -> None:
    expected = function(number)
    compiled = cv.jit(function)
    for _ in range(3):
        found = compiled(number)
        assert found == expected
        assert repr(found) == repr(expected)  # of the same types, and the same zeros


@pytest.mark.parametrize("name", [name for name in UNARY if name != "divmod"])
def test_operators_leave_numbers_that_adapt_their_dtype(name: str) -> None:
    function = UNARY[name]

    def scaled(x: Any) -> Any:
        return function(x) * SINGLE

    value, tangent = cv.jvp(scaled, (2.5,), (1.0,))
    assert value.dtype == tangent.dtype == scaled(2.5).dtype == np.float32
    np.testing.assert_array_equal(value, scaled(2.5))
    compiled = cv.jit(scaled)
    for _ in range(3):
        assert compiled(2.5).dtype == np.float32


def test_numpys_functions_of_numbers_still_give_numbers_of_numpys() -> None:
    functions: list[Callable[[Any], Any]] = [np.abs, np.round, lambda x: np.remainder(x, 2.0)]
    for function in functions:
        assert cv.jvp(lambda x, f=function: f(x) * SINGLE, (2.5,), (1.0,))[0].dtype == np.float64


def test_derivatives_of_operators_on_numbers() -> None:
    def function(x: Any) -> Any:
        return abs(x) * (x % 1.3) * (x // 1.3) + round(x) * x

    step = 1e-6
    expected = (function(-2.7 + step) - function(-2.7 - step)) / (2 * step)
    for derivative in (cv.grad(function), cv.jit(cv.grad(function)), cv.grad(cv.jit(function))):
        for _ in range(3):
            assert derivative(-2.7) == pytest.approx(expected, rel=1e-6)


def test_operators_on_numbers_in_a_loop() -> None:
    def mixed(n: Any) -> Any:
        for _ in range(100):
            n = (n << 1) | (abs(-n) & 1)
        return n

    def damped(x: Any) -> Any:
        for _ in range(100):
            x = abs(x) * 0.99 + x % 1.3 * (x // 2) + round(x) * 0.01
        return x

    for function, number in ((mixed, 3), (damped, 3.0)):
        compiled = cv.jit(function)
        for _ in range(3):
            assert compiled(number) == pytest.approx(function(number), rel=1e-12)


def test_a_floored_quotient_by_zero_is_that_of_numpy() -> None:
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert cv.jvp(lambda x: x // 0.0, (2.0,), (1.0,))[0] == np.inf


# --- shared memory ----------------------------------------------------------------------------------------------

CLOSED_OVER = np.array([[5.0, 6.0], [7.0, 8.0]])

VIEWS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda x: x,
    "twice": lambda x: (x, x),
    "turned": lambda x: x.T,
    "a part": lambda x: {"part": x[1:], "nothing": None},
    "repeated": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "diagonal": np.diagonal,
    "closed over": lambda x: (CLOSED_OVER, CLOSED_OVER.T, x * 2.0),
}

RESULTS: dict[str, Callable[[Any, Any], Any]] = {
    "aux of value_and_grad": lambda f, x: cv.value_and_grad(lambda x: (np.sum(x), f(x)), has_aux=True)(x),
    "aux of another argument": lambda f, x: cv.grad(lambda t, x: (t * t, f(x)), has_aux=True)(1.0, x),
    "jvp": lambda f, x: cv.jvp(f, (x,), (x.copy(),)),
    "aux of jvp": lambda f, x: cv.jvp(lambda x: (x * x, f(x)), (x,), (x.copy(),), has_aux=True),
    "aux of linearize": lambda f, x: cv.linearize(lambda x: (x, f(x)), x, has_aux=True)[::2],
    "aux of jacrev": lambda f, x: cv.jacrev(lambda x: (x * x, f(x)), has_aux=True)(x),
    "cond": lambda f, x: cv.cond(True, f, f, x),
    "switch": lambda f, x: cv.switch(0, [f, f], x),
    "a graph": lambda f, x: cv.make_graph(f)(x)(x),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", RESULTS)
def test_results_share_no_memory(name: str, view: str) -> None:
    x = np.array([[0.5, 1.0], [1.5, 2.0]])
    check_ownership(RESULTS[name](VIEWS[view], x), x, CLOSED_OVER)


def test_the_value_beside_a_gradient_is_not_the_argument() -> None:
    x = np.array(2.0)
    value, gradient = cv.value_and_grad(lambda x: x)(x)
    assert value is not x
    assert (value, gradient) == (2.0, 1.0)


def test_results_of_a_graph_are_not_its_constants() -> None:
    graph = cv.make_graph(lambda x: (CLOSED_OVER, x))(1.0)
    graph(1.0)[0][...] = 0.0
    np.testing.assert_array_equal(graph(1.0)[0], CLOSED_OVER)


# --- errors that a checkpointed function catches ----------------------------------------------------------------

DEFINITE, INDEFINITE = np.array([[4.0, 1.0], [1.0, 3.0]]), np.array([[1.0, 2.0], [2.0, -5.0]])


def repaired_factor(a: Any) -> Any:
    try:
        factor = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        factor = np.linalg.cholesky(a + 10.0 * np.eye(2))
    return factor[0, 0] + 2.0 * factor[1, 0] + 3.0 * factor[1, 1]


CHECKPOINTED: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, a: cv.grad(f)(a),
    "hessian": lambda f, a: cv.hessian(f)(a),
    "jvp": lambda f, a: cv.jvp(f, (a,), (a,)),
    "vmap": lambda f, a: cv.vmap(cv.grad(f))(np.stack([a, a])),
    "twice": lambda f, a: cv.grad(cv.checkpoint(f))(a),
    "a closure": lambda f, a: cv.grad(lambda t: f(t * a))(1.5),
}


@pytest.mark.parametrize("matrix", [DEFINITE, INDEFINITE], ids=("definite", "indefinite"))
@pytest.mark.parametrize("function", [repaired_factor, branching_repair])
@pytest.mark.parametrize("name", CHECKPOINTED)
def test_a_checkpointed_function_catches_its_errors(name: str, function: Any, matrix: Array) -> None:
    if name == "vmap" and function is branching_repair:
        return  # no branches on values there
    derive = CHECKPOINTED[name]
    expected, found = (cv.trees.flatten(derive(f, matrix))[0] for f in (function, cv.checkpoint(function)))
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_a_checkpointed_function_under_jit_catches_its_errors() -> None:
    compiled, expected = cv.jit(cv.grad(cv.checkpoint(repaired_factor))), cv.grad(repaired_factor)
    for matrix in (DEFINITE, INDEFINITE, DEFINITE, INDEFINITE):
        np.testing.assert_allclose(compiled(matrix), expected(matrix), rtol=1e-12)


def test_an_error_that_a_checkpointed_function_does_not_catch_is_raised() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        cv.grad(cv.checkpoint(lambda a: np.sum(np.linalg.cholesky(a))))(INDEFINITE)


# --- infinite cotangents ----------------------------------------------------------------------------------------

BOUNDED: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "maximum": (lambda x: np.sqrt(np.maximum(x, 0.0)), [0.0, 0.25]),
    "minimum": (lambda x: np.sqrt(-np.minimum(-x, 0.0)), [0.0, 0.25]),
    "fmax": (lambda x: np.sqrt(np.fmax(0.0, x)), [0.0, 0.25]),
    "clip": (lambda x: np.sqrt(np.clip(x, 0.0, 9.0)), [0.0, 0.25]),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_what_a_bound_does_not_select_has_no_part_in_an_infinite_cotangent(name: str) -> None:
    """The function is constant there, and forward mode says so too; nothing warns."""
    function, expected = BOUNDED[name]
    x = np.array([-1.0, 4.0])
    for derivative in (cv.grad(lambda x: np.sum(function(x))), cv.jit(cv.grad(lambda x: np.sum(function(x))))):
        for _ in range(3):
            np.testing.assert_array_equal(derivative(x), expected)
    np.testing.assert_array_equal(cv.jvp(function, (x,), (np.ones(2),))[1], expected)
    assert cv.grad(function)(-1.0) == 0.0


def test_the_warning_of_the_value_itself_stays() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert cv.grad(lambda x: np.log(np.maximum(x, 0.0)))(-1.0) == 0.0
    assert [str(w.message) for w in caught] == ["divide by zero encountered in log"]


# --- options and dtypes that NumPy has a say in -----------------------------------------------------------------

REAL = np.random.default_rng(0).normal(size=(3, 4))
COMPLEX_ARRAY = REAL + 1j * np.random.default_rng(1).normal(size=(3, 4))
WHOLE, TRUTHS, NARROW = np.array([[1, -2, 3], [4, 0, -6]]), REAL > 0.0, REAL.astype(np.float32)

VALUES: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "the median of complex numbers": (lambda x: np.median(x, axis=1), COMPLEX_ARRAY),
    "the median of two complex numbers": (lambda x: np.median(x, axis=0, keepdims=True), COMPLEX_ARRAY[:2]),
    "padding with the median of complex numbers": (lambda x: np.pad(x, 1, mode="median"), COMPLEX_ARRAY),
    "a wider number to start a sum from": (lambda x: np.sum(x, axis=1, initial=np.float64(3.0)), NARROW),
    "a wider number to start a product from": (lambda x: np.prod(x, initial=np.float64(3.0)), NARROW),
    "a fraction to start a maximum of integers from": (lambda x: np.max(x, axis=0, initial=0.5), WHOLE),
    "a fraction to start a minimum of integers from": (lambda x: np.min(x, initial=-0.5, where=WHOLE > 0), WHOLE),
    "closeness of booleans": (lambda x: np.isclose(x, x[::-1]), TRUTHS),
    "the polynomial with whole zeros": (lambda x: np.poly(x[0]), WHOLE),
    "a number times an array, as dot": (lambda x: np.dot(2.0, x), NARROW),
    "an array times a number, as inner": (lambda x: np.inner(x, 2.0), NARROW),
    "the conjugate of booleans": (lambda x: np.conjugate(x) @ x.T, TRUTHS),
    "the conjugate method of booleans": (lambda x: x.conj() @ x.conjugate().T, TRUTHS),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_and_dtypes_are_those_of_numpy(name: str) -> None:
    function, x = VALUES[name]
    expected, compiled = np.asarray(function(x)), cv.jit(function)
    for found in (compiled(x), compiled(x), cv.vmap(function)(np.stack([x, x]))[1]):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_derivative_of_the_median_of_complex_numbers() -> None:
    direction = COMPLEX_ARRAY[::-1] * (1.0 + 0.5j)
    step = 1e-6
    expected = (np.median(COMPLEX_ARRAY + step * direction, 1) - np.median(COMPLEX_ARRAY - step * direction, 1)) / 2e-6
    found = cv.jvp(lambda x: np.median(x, axis=1), (COMPLEX_ARRAY,), (direction,))[1]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_what_does_not_fit_into_integers_starts_no_minimum_of_them() -> None:
    with pytest.raises(OverflowError):
        cv.jit(lambda x: np.min(x, initial=np.inf))(WHOLE)


@pytest.mark.parametrize("complex_operand", range(3))
def test_a_sylvester_equation_of_real_and_complex_matrices(complex_operand: int) -> None:
    """SciPy's own answer does not solve the equation."""
    scipy_linalg = pytest.importorskip("covector.scipy.linalg")
    operands = [np.random.default_rng(i).normal(size=(4, 4)) for i in range(3)]
    operands[complex_operand] = operands[complex_operand] + 1j * REAL[0]
    a, b, q = operands
    x = scipy_linalg.solve_sylvester(a, b, q)
    np.testing.assert_allclose(a @ x + x @ b, q, atol=1e-10)
    direction = np.eye(4)[::-1] + 0.5
    _, tangent = cv.jvp(lambda t: scipy_linalg.solve_sylvester(a + t, b, q), (np.zeros((4, 4)),), (direction,))
    np.testing.assert_allclose(a @ tangent + tangent @ b, -direction @ x, atol=1e-9)


@pytest.mark.parametrize("values", [(2.0, 3.0), (-1.0, 0.5), (0.0, 0.0), (3, 2)])
def test_comparisons_of_pythons_numbers_count(values: tuple[Any, Any]) -> None:
    """They are Python's booleans, which add up to 2 and can be subtracted; NumPy's cannot."""

    def weight(a: Any, b: Any) -> Any:
        return (a < b) + (b >= 1) + (a != b) + (a == b) + (a <= b) + ((a > 0) - (a < 0))

    def function(a: Any, b: Any) -> Any:
        return weight(a, b) * a * 1.5

    compiled = cv.jit(function)
    for _ in range(3):
        found = compiled(*values)
        assert (type(found), found) == (type(function(*values)), function(*values))
    floats = tuple(map(float, values))
    assert cv.grad(function)(*floats) == cv.jit(cv.grad(function))(*floats) == 1.5 * weight(*values)
