"""Products of arrays: values, dtypes and errors are NumPy's, derivatives are difference quotients, vmap stacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.core.types import ArrayType, typeof
from covector.errors import ShapeMismatchError, UnsupportedArgumentError
from covector.ops.contraction import Contract, contract, convolution, diagonal_sums
from covector.testing import check_batching, check_grads

Function = Callable[..., Any]

RNG = np.random.default_rng(20)
ANY: Any = np  # for calls that NumPy's types do not know


def array(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def complex_array(*shape: int) -> Any:
    return array(*shape) + 1j * array(*shape)


def assert_same(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """One type of container, and arrays of equal shapes, dtypes and entries."""
    several = isinstance(expected, tuple)
    assert not several or type(found) is type(expected)
    pairs = zip(found, expected, strict=True) if several else [(found, expected)]
    for x, y in pairs:
        assert (np.shape(x), np.asarray(x).dtype) == (np.shape(y), np.asarray(y).dtype)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def check(function: Function, *args: Any, order: int = 2, static: bool = True, tolerance: float = 1e-12) -> None:
    """Traced in each way the value is NumPy's; derivatives are difference quotients; vmap is stacking.

    With `static=False` the type of the output depends on values, so that nothing is recorded or batched.
    """
    expected = function(*args)
    assert_same(cv.jvp(function, args, args)[0], expected, tolerance)
    check_grads(function, args, order=order)
    if static:
        assert_same(cv.make_graph(function)(*args)(*args), expected, tolerance)
        if all(np.size(x) for x in args):
            check_batching(function, args)
    if all(np.asarray(x).dtype == np.float64 for x in args):
        single = [np.asarray(x, np.float32) for x in args]
        assert_same(cv.vjp(function, *single)[0], function(*single), 1e-3)


# --- the operation behind them ----------------------------------------------------------------------------


@st.composite
def products(draw: st.DrawFn) -> tuple[Contract, Any, Any]:
    """A contraction of operands with up to three axes, and operands with lengths from 0 to 3."""
    labels = st.lists(st.integers(0, 4), max_size=3, unique=True).map(tuple)
    left, right = draw(labels), draw(labels)
    out = draw(st.lists(st.sampled_from(sorted({*left, *right})), unique=True).map(tuple)) if left or right else ()
    sizes = draw(st.lists(st.integers(0, 3), min_size=5, max_size=5))
    x, y = (np.asarray(array(*(sizes[i] for i in side))) for side in (left, right))
    return Contract(left, right, out), x, y


@given(products())
def test_a_contraction_is_the_einsum_with_the_same_labels(product: tuple[Contract, Any, Any]) -> None:
    operation, x, y = product
    expected = np.einsum(x, [*operation.left], y, [*operation.right], [*operation.out])
    assert_same(operation(x, y), expected)
    assert operation.output_type(typeof(x), typeof(y)) == ArrayType(expected.shape, expected.dtype)


@given(products())
def test_the_transposes_of_a_contraction_satisfy_their_law(product: tuple[Contract, Any, Any]) -> None:
    operation, x, y = product
    weights = np.asarray(array(*np.shape(operation(x, y))))
    total = np.sum(weights * operation(x, y))
    for transposed, operand in (
        (operation.transpose(weights, typeof(x), y), x),
        (operation.transpose(weights, x, typeof(y)), y),
    ):
        assert transposed.shape == operand.shape
        np.testing.assert_allclose(np.sum(transposed * operand), total, rtol=1e-10, atol=1e-10)


@given(products(), st.sampled_from([(True, True), (True, False), (False, True)]))
def test_batching_a_contraction_is_stacking(product: tuple[Contract, Any, Any], batched: tuple[bool, bool]) -> None:
    operation, x, y = product
    xs, ys = (array(2, *z.shape) if b else z for z, b in zip((x, y), batched, strict=True))
    loop = [operation(xs[i] if batched[0] else x, ys[i] if batched[1] else y) for i in range(2)]
    assert_same(operation.batch(2, [xs, ys], batched), np.stack(loop))


def test_labels_are_numbered_in_the_order_in_which_they_occur() -> None:
    assert contract((7, -1), (-1, 3), (3, 7)) == Contract((0, 1), (1, 2), (2, 0))


def test_a_contraction_refuses_axes_of_different_lengths() -> None:
    with pytest.raises(ShapeMismatchError, match="lengths 3 and 2"):
        contract((0,), (0,), ()).output_type(typeof(array(3)), typeof(array(2)))


def test_products_take_transposed_views_without_copying() -> None:
    x = array(3, 4)
    np.testing.assert_array_equal(contract((0, 1), (0, 2), (1, 2))(x, x), x.T @ x)
    np.testing.assert_array_equal(contract((0, 1), (2, 1), (0, 2))(x, x), x @ x.T)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (4, 2)])
def test_diagonal_sums_add_entries_with_the_same_sum_of_indices(rows: int, columns: int) -> None:
    x = array(rows, columns, 2)
    expected = np.zeros((rows + columns - 1, 2))
    for i, j in np.ndindex(rows, columns):
        expected[i + j] += x[i, j]
    np.testing.assert_allclose(diagonal_sums(x), expected)


def test_a_convolution_is_the_product_of_polynomials() -> None:
    x, y = array(3), array(5)
    np.testing.assert_allclose(convolution(x, y), np.polymul(x, y))


# --- matrix products --------------------------------------------------------------------------------------

MATRIX_SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)), ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((1, 2, 3), (5, 3, 2)), ((1, 1), (1, 1)),
]  # fmt: skip

EMPTY_SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0,), (0,)), ((4, 0, 2, 3), (1, 1, 3, 5)), ((0, 2, 3), (3, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), MATRIX_SHAPES)
def test_matmul_of_all_shapes(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(np.matmul, array(*left), array(*right))


@pytest.mark.parametrize(("left", "right"), EMPTY_SHAPES)
def test_matmul_of_empty_arrays(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    check(np.matmul, array(*left), array(*right), order=1)


def test_the_operator_works_with_a_plain_array_on_either_side() -> None:
    a, x = array(3, 3), array(3)
    np.testing.assert_allclose(cv.grad(lambda x: x @ (a @ x))(x), (a + a.T) @ x)
    np.testing.assert_allclose(cv.grad(lambda x: [1.0, 2.0, 3.0] @ x)(x), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(cv.grad(lambda x: x @ [1.0, 2.0, 3.0])(x), [1.0, 2.0, 3.0])


def test_the_gradient_of_a_bilinear_form_has_the_operands_dtypes() -> None:
    a, x = array(2, 3).astype(np.float32), array(3)
    da, dx = cv.grad(lambda a, x: np.sum(a @ x), argnums=(0, 1))(a, x)
    assert (da.dtype, dx.dtype) == (np.float32, np.float64)


def test_the_gradient_in_a_real_factor_of_a_complex_product_is_real() -> None:
    a, x = complex_array(2, 3), array(3)
    gradient = cv.grad(lambda x: np.sum((a @ x).real))(x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, a.real.sum(axis=0))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool])
def test_products_with_integers_and_booleans_promote_as_numpy(dtype: Any) -> None:
    counts, x = np.array([[1, 0, 2], [0, 1, 1]]).astype(dtype), array(3).astype(np.float32)
    for function in (np.matmul, np.dot, lambda c, x: np.einsum("ij,j->i", c, x)):
        assert_same(cv.jvp(lambda x, f=function: f(counts, x), (x,), (x,))[0], function(counts, x), 1e-6)


def test_integer_products_of_traced_values_keep_numpys_dtype() -> None:
    x = np.array([[1, 2], [3, 4]], np.int8)
    graph = cv.make_graph(lambda x: (x @ x, np.einsum("ij->i", x), np.einsum("ij,ij->", x, x)))(x)
    assert_same(graph(x), (x @ x, np.einsum("ij->i", x), np.einsum("ij,ij->", x, x)))


def test_matmul_refuses_numbers_and_unequal_lengths() -> None:
    for left, right in (((), (3,)), ((3,), ()), ((2, 3), (2, 3)), ((2, 2, 3), (2, 2, 1)), ((4, 2, 3), (3, 3, 2))):
        with pytest.raises(ValueError):  # noqa: PT011  # NumPy's message or covector's
            cv.jvp(np.matmul, (np.ones(left), np.ones(right)), (np.ones(left), np.ones(right)))


# --- every other product -----------------------------------------------------------------------------------

PRODUCTS: list[tuple[str, Function, tuple[Any, ...]]] = [
    ("dot numbers", np.dot, (np.float64(2.0), np.float64(3.0))),
    ("dot number array", np.dot, (np.float64(2.0), array(2, 3))),
    ("dot vectors", np.dot, (array(3), array(3))),
    ("dot stacks", np.dot, (array(5, 2, 3), array(2, 3, 4))),
    ("dot stack vector", np.dot, (array(4, 2, 3), array(3))),
    ("method dot", lambda x, y: x.dot(y), (array(2, 3), array(3, 2))),
    ("inner", np.inner, (array(4, 2, 3), array(2, 3))),
    ("inner number", np.inner, (array(2, 3), np.float64(2.0))),
    ("outer", np.outer, (array(2, 2), array(3))),
    ("outer numbers", np.outer, (np.float64(1.5), np.float64(2.5))),
    ("linalg outer", np.linalg.outer, (array(2), array(3))),
    ("vdot", np.vdot, (array(2, 3), array(3, 2))),
    ("vdot complex", np.vdot, (complex_array(2, 2), complex_array(4))),
    ("tensordot", np.tensordot, (array(2, 3, 4), array(3, 4, 2))),
    ("tensordot 0", lambda x, y: np.tensordot(x, y, 0), (array(2), array(3, 2))),
    ("tensordot axis", lambda x, y: np.tensordot(x, y, (1, 0)), (array(2, 3, 2), array(3, 2))),
    ("tensordot axes", lambda x, y: np.tensordot(x, y, ((0, 1), (-1, 0))), (array(2, 3, 4), array(3, 5, 2))),
    ("linalg tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=([-1], [0])), (array(2, 3), array(3, 2))),
    ("linalg matmul", np.linalg.matmul, (array(2, 2, 3), array(3, 2))),
    ("vecdot", np.vecdot, (array(4, 1, 3), array(2, 3))),
    ("vecdot complex", np.vecdot, (complex_array(2, 3), complex_array(3))),
    ("linalg vecdot", lambda x, y: ANY.linalg.vecdot(x, y, axis=0), (array(3, 2), array(3, 2))),
    ("kron", np.kron, (array(2, 3), array(3, 2))),
    ("kron vector matrix", np.kron, (array(3), array(2, 2))),
    ("kron number", np.kron, (np.float64(2.0), array(2, 2))),
    ("cross", np.cross, (array(2, 3), array(3))),
    ("cross axis", lambda x, y: np.cross(x, y, axis=0), (array(3, 2), array(3, 2))),
    ("cross axes", lambda x, y: np.cross(x, y, axisa=0, axisb=1, axisc=0), (array(3, 2), array(2, 3))),
    ("linalg cross", lambda x, y: np.linalg.cross(x, y, axis=0), (array(3, 2), array(3, 2))),
    ("multi_dot", lambda *x: np.linalg.multi_dot(x), (array(2, 5), array(5, 3), array(3, 4))),
    ("multi_dot vectors", lambda *x: np.linalg.multi_dot(x), (array(2), array(2, 3), array(3))),
    ("multi_dot two", lambda *x: np.linalg.multi_dot(x), (array(2, 3), array(3))),
    ("matrix_power 0", lambda x: np.linalg.matrix_power(x, 0) + x, (array(2, 2),)),
    ("matrix_power 1", lambda x: np.linalg.matrix_power(x, 1), (array(2, 2),)),
    ("matrix_power 5", lambda x: np.linalg.matrix_power(x, 5), (array(2, 2, 2),)),
    ("matrix_power -2", lambda x: np.linalg.matrix_power(x, -2), (array(2, 2) + 3 * np.eye(2),)),
]


@pytest.mark.parametrize(("function", "args"), [(f, a) for _, f, a in PRODUCTS], ids=[n for n, _, _ in PRODUCTS])
def test_products(function: Function, args: tuple[Any, ...]) -> None:
    check(function, *args)


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="NumPy has matvec and vecmat from 2.2 on")
def test_matvec_and_vecmat() -> None:
    check(np.matvec, array(4, 2, 3), array(3))
    check(np.vecmat, complex_array(4, 3), complex_array(3, 2))


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")
def test_cross_products_of_vectors_in_the_plane() -> None:
    check(np.cross, array(4, 2), array(2))
    check(np.cross, array(4, 2), array(3))
    check(np.cross, array(2, 3), array(2))


def test_cross_products_in_the_plane_warn_as_numpys_do() -> None:
    with pytest.warns(DeprecationWarning, match="2-dimensional"):
        cv.jvp(lambda x: np.cross(x, x), (array(2),), (array(2),))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("long", "short"), [(5, 3), (3, 5), (4, 4), (6, 2), (2, 7), (3, 1)])
def test_convolve_and_correlate(mode: Any, long: int, short: int) -> None:
    check(lambda a, v: np.convolve(a, v, mode), array(long), array(short))
    check(lambda a, v: np.correlate(a, v, mode), complex_array(long), complex_array(short), order=1)


REFUSED: list[tuple[str, Function, type[Exception]]] = [
    ("dot out", lambda x: np.dot(x, x, out=np.zeros((2, 2))), UnsupportedArgumentError),
    ("outer out", lambda x: np.outer(x, x, out=np.zeros((4, 4))), UnsupportedArgumentError),
    ("einsum out", lambda x: np.einsum("ij->ji", x, out=np.zeros((2, 2))), UnsupportedArgumentError),
    ("einsum dtype", lambda x: np.einsum("ij->ji", x, dtype=np.float32), UnsupportedArgumentError),
    ("einsum order", lambda x: np.einsum("ij->ji", x, order="F"), UnsupportedArgumentError),
    ("tensordot lengths", lambda x: np.tensordot(x, np.ones((3, 3)), 1), ShapeMismatchError),
    ("tensordot axes", lambda x: np.tensordot(x, x, ((0, 1), (0,))), ShapeMismatchError),
    ("dot lengths", lambda x: np.dot(x, np.ones(3)), ShapeMismatchError),
    ("vecdot number", lambda x: np.vecdot(x, 2.0), ShapeMismatchError),
    ("vecdot lengths", lambda x: np.vecdot(x, np.ones(3)), ShapeMismatchError),
    ("linalg outer of matrices", lambda x: np.linalg.outer(x, x), ShapeMismatchError),
    ("cross of four", lambda x: np.cross(np.ones(4), x[0]), ShapeMismatchError),
    ("linalg cross of two", lambda x: np.linalg.cross(x, x), ShapeMismatchError),
    ("convolve matrices", lambda x: np.convolve(x, x), ShapeMismatchError),
    ("convolve mode", lambda x: np.convolve(x[0], x[0], "half"), ValueError),  # type: ignore[call-overload]
    ("multi_dot one", lambda x: np.linalg.multi_dot([x]), ValueError),
    ("multi_dot stack", lambda x: np.linalg.multi_dot([x, np.ones((2, 2, 2)), x]), np.linalg.LinAlgError),
    ("matrix_power", lambda x: np.linalg.matrix_power(x[:1], 2), np.linalg.LinAlgError),
]


@pytest.mark.parametrize(("function", "error"), [(f, e) for _, f, e in REFUSED], ids=[n for n, _, _ in REFUSED])
def test_what_is_not_honoured_is_refused(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.jvp(function, (np.ones((2, 2)),), (np.ones((2, 2)),))


# --- einsum -----------------------------------------------------------------------------------------------

EINSUMS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk", ((2, 3), (3, 4))), ("ij,jk->ki", ((2, 3), (3, 4))), ("ba", ((2, 3),)), ("ii->i", ((3, 3),)),
    ("ii", ((3, 3),)), ("iji->j", ((3, 2, 3),)), ("iii->i", ((2, 2, 2),)), ("aab,bcc->ac", ((2, 2, 3), (3, 2, 2))),
    ("i->", ((3,),)), ("i", ((3,),)), (" i j , j -> i", ((2, 3), (3,))), ("ij,ij->", ((2, 3), (2, 3))),
    ("...ij,...jk->...ik", ((2, 2, 3), (3, 4))), ("...ij,...jk", ((2, 2, 3), (1, 3, 2))), ("...", ((2, 3),)),
    ("i...->...", ((2, 3, 2),)), ("...i->i...", ((2, 3, 2),)), ("b...,b...->...", ((3, 2, 2), (3, 2, 2))),
    ("ij,ij->ij", ((2, 1), (2, 3))), ("ij,ij->", ((2, 1), (2, 3))), ("ij,ij->j", ((1, 1), (1, 1))),
    ("i,j,k->kji", ((2,), (3,), (1,))), ("i,i,i->i", ((3,), (3,), (3,))), ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
    ("abc,cd,bd,ae->e", ((2, 3, 2), (2, 2), (3, 2), (2, 2))), ("ij,kl->", ((2, 3), (2, 2))), (",i->i", ((), (3,))),
]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUMS)
def test_einsum(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    check(lambda *x: np.einsum(subscripts, *x), *(np.asarray(array(*shape)) for shape in shapes))


@pytest.mark.parametrize("optimize", [True, False, "greedy", "optimal", ["einsum_path", (0, 2), (0, 1)]])
def test_einsum_contracts_in_any_order(optimize: Any) -> None:
    args = array(2, 3), array(3, 4), array(4, 2)
    expected = np.einsum("ij,jk,kl->il", *args)
    found, _ = cv.jvp(lambda *x: np.einsum("ij,jk,kl->il", *x, optimize=optimize), args, args)
    assert_same(found, expected)


def test_einsum_with_lists_of_labels() -> None:
    check(lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), array(2, 3), array(3, 2))
    check(lambda x, y: np.einsum(x, [0, 30], y, [30, 1]), array(2, 3), array(3, 2))
    check(lambda x: np.einsum(x, [1, 0]), array(2, 3))
    check(lambda x, y: np.einsum(x, [..., 0], y, [..., 0], [...]), array(2, 3), array(2, 3))


def test_einsum_of_complex_numbers() -> None:
    check(lambda x, y: np.einsum("ij,j->i", x, y), complex_array(2, 3), array(3))


@pytest.mark.parametrize(
    "subscripts", ["ij->ik", "ij->ii", "i", "ijk", "ij,jk", "i...->i", "i1->i", "i....->i", "ij->i...j..."]
)
def test_einsum_refuses_subscripts_that_do_not_fit(subscripts: str) -> None:
    with pytest.raises(ValueError, match="einsum"):
        cv.jvp(lambda x: np.einsum(subscripts, x), (np.ones((2, 3)),), (np.ones((2, 3)),))


def test_einsum_refuses_one_label_for_two_lengths() -> None:
    for subscripts, shapes in (("i,i->", ((2,), (3,))), ("ii->i", ((2, 3),)), ("ii", ((1, 2),))):
        args = tuple(array(*shape) for shape in shapes)
        with pytest.raises(ShapeMismatchError, match="einsum"):
            cv.jvp(lambda *x, s=subscripts: np.einsum(s, *x), args, args)


def test_a_graph_shows_which_axes_a_product_pairs() -> None:
    assert "contract[ij,jk->ik]" in str(cv.make_graph(np.matmul)(array(2, 3), array(3, 2)))
