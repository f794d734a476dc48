"""x[key] for every key, x.at[key] updates, and the functions that pick and select entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import covector as cv
from covector.core.types import typeof
from covector.errors import (
    ConcreteValueError,
    DTypeMismatchError,
    TracerConversionError,
    UnsupportedArgumentError,
    UnsupportedFunctionError,
)
from covector.numpy.updates import at
from covector.ops.indexing import Gather, ScatterAdd, SetEntries, SetSlice, Slice
from covector.testing import check_batching, check_grads
from tests.test_shapes import assert_same, check, check_in_single_precision

Function = Callable[..., Any]

RNG = np.random.default_rng(0)
V = RNG.standard_normal(5)
M = RNG.standard_normal((3, 4))
T = RNG.standard_normal((3, 4, 2))
F = RNG.standard_normal((2, 3, 2, 3))
NUMBER = np.float64(0.7)
ANY: Any = np  # for calls that the type checker would refuse too
R, J = np.array([0, 2, -1]), np.array([1, 1, 0])
SQUARE = np.array([[0, 1], [2, 2]])

# --- every kind of key ------------------------------------------------------------------------------------

KEYS: list[tuple[Any, Any]] = [
    (V, 0),
    (V, -1),
    (V, np.int32(2)),
    (V, np.array(1)),
    (V, slice(1, None)),
    (V, slice(None, None, -2)),
    (V, slice(np.int64(1), np.array(3))),
    (V, slice(4, 2)),
    (V, Ellipsis),
    (V, ()),
    (V, None),
    (V, R),
    (V, [0, 0, 1]),
    (V, SQUARE),
    (V, V > 0),
    (V, [True, False, True, False, True]),
    (V, []),
    (V, np.zeros(5, bool)),
    (V, True),
    (V, False),
    (V, (None, True)),
    (M, (1, 2)),
    (M, (slice(None), 0)),
    (M, (Ellipsis, 0)),
    (M, (slice(None), slice(None))),
    (M, (slice(None), None)),
    (M, (R, J)),
    (M, (R, slice(None))),
    (M, (slice(None), J)),
    (M, (R, slice(1, 3))),
    (M, (0, J)),
    (M, (R, 1)),
    (M, (R[:, None], J)),
    (M, M > 0),
    (M, (M[:, 0] > 0, slice(1, None))),
    (M, (slice(None), np.array([True, False, True, True]))),
    (M, (np.array([True, False, True]), np.array([True, False, True, False]))),
    (M, np.ix_([0, 2], [1, 1, 3])),
    (M, (True, 0)),
    (M, (Ellipsis, SQUARE)),
    (T, (R, slice(None), J)),
    (T, (R, None, J)),
    (T, (slice(None), R, J)),
    (T, (0, slice(None), J)),
    (T, (J, slice(None), 0)),
    (T, (R, Ellipsis, J)),
    (T, (slice(None), 1, J)),
    (T, (slice(None), None, J)),
    (T, (Ellipsis, J, None)),
    (T, (T[..., 0] > 0)),
    (T, (slice(None), T[0] > 0)),
    (T, (T[:, :, 0] > 0, J[0])),
    (T, (SQUARE, slice(None, None, 2))),
    (T, (0, 1, 1)),
    (T, (0, Ellipsis, np.array(1))),
    (F, (J, slice(None), J, slice(None))),
    (F, (slice(None), R, J)),
    (F, (slice(None), R, slice(None), J)),
    (F, (J, 0, slice(None), R)),
    (F, (slice(None), R[:, None], J, None)),
    (F, (slice(1), R, 0, [[0], [2]])),
    (F, (0, slice(None), slice(None), R)),
    (np.zeros((0, 3)), (slice(None), R)),
    (NUMBER, ()),
    (NUMBER, None),
    (NUMBER, Ellipsis),
    (NUMBER, True),
]


def key_name(value: Any) -> str:
    return str(value).replace("slice(None, None, None)", ":").replace("\n", "")


@pytest.mark.parametrize(("x", "key"), KEYS, ids=[key_name(key) for _, key in KEYS])
def test_every_kind_of_index_picks_what_numpy_picks(x: Any, key: Any) -> None:
    check(lambda x: x[key], x, order=1)


def test_second_derivatives_pass_through_indexing() -> None:
    check_grads(lambda x: x[R, J] ** 2 * x[0, 1:] @ x[SQUARE][0, 0, 1:], (M,), order=3)


@st.composite
def keys(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """Keys that mix integers, slices, None, Ellipsis, index arrays and masks."""
    picked = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    entries: list[Any] = []
    for length in shape[: draw(st.integers(0, len(shape)))]:
        integers = st.integers(-length, length - 1)
        masks = hnp.arrays(bool, length) if picked == () else st.nothing()
        shapes = st.sampled_from([picked, picked[-1:], (1,) * len(picked)])
        arrays = hnp.arrays(np.int64, draw(shapes), elements=integers)
        entries.append(draw(st.one_of(integers, st.slices(length), arrays, masks)))
    if draw(st.booleans()):
        entries.insert(draw(st.integers(0, len(entries))), None)
    if sum(isinstance(e, np.ndarray) and e.dtype == bool for e in entries) > 1:
        return (Ellipsis,)
    if draw(st.booleans()) and len(entries) <= len(shape):
        entries.append(Ellipsis)
    return tuple(entries)


@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), st.data())
def test_random_indices_agree_with_numpy(shape: tuple[int, ...], data: st.DataObject) -> None:
    """The gradient of <w, x[key]> is w, accumulated at the key by NumPy."""
    key = data.draw(keys(shape))
    x = np.arange(float(np.prod(shape))).reshape(shape)
    expected = x[key]
    weights = np.arange(1.0, 1.0 + expected.size).reshape(expected.shape)
    found, pullback = cv.vjp(lambda x: x[key], x)
    assert_same(found, expected)
    accumulated = np.zeros(shape)
    np.add.at(accumulated, key, weights)
    np.testing.assert_array_equal(pullback(weights)[0], accumulated)
    np.testing.assert_array_equal(cv.vmap(lambda x: x[key])(np.stack([x, 2 * x])), np.stack([expected, 2 * expected]))


@given(hnp.array_shapes(min_dims=1, max_dims=4, max_side=3), st.data())
def test_random_updates_agree_with_assignments(shape: tuple[int, ...], data: st.DataObject) -> None:
    key = data.draw(keys(shape))
    x = np.arange(float(np.prod(shape))).reshape(shape)
    values = -np.arange(1.0, 1.0 + x[key].size).reshape(x[key].shape)
    assigned, added = x.copy(), x.copy()
    assigned[key] = values
    np.add.at(added, key, values)
    np.testing.assert_array_equal(cv.jvp(lambda x: x.at[key].set(values), (x,), (x,))[0], assigned)
    np.testing.assert_array_equal(cv.jvp(lambda x: x.at[key].add(values), (x,), (x,))[0], added)
    np.testing.assert_array_equal(at(x)[key].get(), x[key])


def test_trivial_indices_do_nothing() -> None:
    def function(x: Any) -> Any:
        assert x[:] is x
        assert x[...] is x
        assert x[:, :] is x
        return np.sum(x[()])

    cv.grad(function)(M)


# --- indices that are traced ------------------------------------------------------------------------------


def test_index_arrays_may_be_batched() -> None:
    check_batching(lambda x, i: at(x)[i].get(), (V, np.int64(2)))
    check_batching(lambda x, i: at(x)[i].get(), (M, R))
    check_batching(lambda x, i: at(x)[:, i].get(), (M, SQUARE))
    check_batching(lambda x, i, j: at(x)[i, j].get(), (M, R, J))
    check_batching(lambda x, i, j: at(x)[i, :, j].get(), (T, R, J))
    check_batching(lambda x, i, j: at(x)[:, i, j].get(), (F, R, np.int64(1)))
    check_batching(lambda x, i, j: at(x)[i, 0, :, j[:, None]].get(), (F, J, R))
    check_batching(lambda x, i: at(x)[0, :, i].get(), (T, J))


def test_derivatives_with_batched_indices() -> None:
    def first(x: Any, i: Any) -> Any:
        return at(x)[i].get() ** 3

    def second(x: Any, i: Any) -> Any:
        return at(x)[:, i, i - 1].get() ** 3

    def total(x: Any, i: Any) -> Any:
        return np.sum(first(x, i)) if x.ndim == 2 else np.sum(second(x, i))

    check_batching(cv.grad(total), (M, J))
    check_batching(cv.grad(total), (F, J))
    check_batching(cv.jacfwd(first), (M, J))
    check_batching(cv.jacfwd(second), (F, J))


def test_updates_at_batched_indices() -> None:
    def updated(name: str) -> Function:
        return lambda x, i, v: getattr(at(x)[i], name)(v)

    def loss(name: str) -> Function:
        return lambda x, i, v: np.sum(updated(name)(x, i, v) ** 2)

    def transposed(name: str) -> Function:
        return lambda x, i, v: updated(name)(x.T, i, v.T)

    for name in ("set", "add", "subtract"):
        check_batching(updated(name), (M, R, M))
        check_batching(transposed(name), (M, np.array([1, 3]), M[:, :2]))
        check_batching(cv.grad(loss(name), (0, 2)), (V, R, V[:3]))
    for name in ("multiply", "divide", "power", "min", "max"):
        check_batching(updated(name), (np.abs(V), np.int64(1), np.float64(2.0)))


def test_a_plain_array_is_indexed_by_a_traced_integer_through_at() -> None:
    with pytest.raises(IndexError):
        cv.vmap(lambda i: V[i])(np.array([1, 2]))
    np.testing.assert_array_equal(cv.vmap(lambda i: at(V)[i].get())(np.array([1, 2])), V[1:3])


def test_a_list_of_traced_indices() -> None:
    np.testing.assert_array_equal(cv.vmap(lambda i: at(V)[[i, 0]].get())(np.array([1, 2])), V[[[1, 0], [2, 0]]])


def test_a_traced_mask_says_what_to_write_instead() -> None:
    with pytest.raises(ConcreteValueError, match=r"boolean mask as an index.*np\.where"):
        cv.vmap(lambda x: x[x > 0])(M)
    with pytest.raises(ConcreteValueError, match=r"boolean mask as an index.*np\.where"):
        cv.make_graph(lambda x: x[x > 0])(V)


def test_a_slice_with_a_traced_bound_is_refused() -> None:
    with pytest.raises(ConcreteValueError, match="an index"):
        cv.vmap(lambda x, i: x[:i], (None, 0))(V, np.array([1, 2]))


def test_masks_of_values_that_are_known_work_in_every_mode() -> None:
    check_grads(lambda x: np.sum(x[x > 0] ** 2), (M,), order=2)


# --- wrong indices ----------------------------------------------------------------------------------------


WRONG: list[Any] = [5, -6, (0, 0), R + 9, (R, R), np.zeros(4, bool), (Ellipsis, Ellipsis), 1.0, "a", [1.5], V]


@pytest.mark.parametrize("key", WRONG, ids=key_name)
def test_wrong_indices_raise_index_errors_as_in_numpy(key: Any) -> None:
    with pytest.raises(IndexError):
        V[key]
    for transform in (cv.grad, cv.vmap, lambda f: lambda x: cv.jvp(f, (x,), (x,))):
        with pytest.raises(IndexError):
            transform(lambda x: np.sum(x[key]))(np.stack([V, V]) if transform is cv.vmap else V)
    with pytest.raises(IndexError):
        at(V)[key].set(1.0)


def test_batched_indices_out_of_range_raise() -> None:
    with pytest.raises(IndexError):
        cv.vmap(lambda x, i: x[i], (None, 0))(V, np.array([0, 5]))


# --- updates ----------------------------------------------------------------------------------------------

UPDATED: list[Any] = [2, (slice(1, None, 2),), [0, 3], np.array([[0], [4]]), V > 0, Ellipsis]


@pytest.mark.parametrize("key", UPDATED, ids=key_name)
@pytest.mark.parametrize("name", ["set", "add", "subtract", "multiply", "divide", "power", "min", "max"])
def test_updates_agree_with_numpy(name: str, key: Any) -> None:
    x = np.abs(V) + 0.5
    ufunc = {"min": "minimum", "max": "maximum"}.get(name, name)
    expected, value = x.copy(), 0.9
    if name == "set":
        expected[key] = value
    else:
        getattr(np, ufunc).at(expected, key, value)
    np.testing.assert_allclose(getattr(at(x)[key], name)(value), expected, rtol=1e-15)
    values = np.full(np.shape(x[key]), value) + 0.01 * np.arange(np.size(x[key])).reshape(np.shape(x[key]))

    def updated(x: Any, values: Any) -> Any:
        return getattr(at(x)[key], name)(values)

    check_grads(updated, (x, values))
    check_batching(updated, (x, values))
    check_in_single_precision(updated, x, values)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "min", "max"])
def test_repeated_indices_all_take_part(name: str) -> None:
    x, key, values = np.abs(V) + 0.5, np.array([0, 2, 0, 0, 2]), np.array([0.7, 1.1, 1.3, 0.6, 0.8])
    ufunc = {"min": "minimum", "max": "maximum"}.get(name, name)
    expected = x.copy()
    getattr(np, ufunc).at(expected, key, values)

    def updated(x: Any, values: Any) -> Any:
        return getattr(at(x)[key], name)(values)

    np.testing.assert_allclose(updated(x, values), expected, rtol=1e-15)
    check_grads(updated, (x, values))
    check_batching(updated, (x, values))


def test_of_repeated_indices_the_last_value_stays() -> None:
    key = np.array([0, 2, 0, 0, 2])

    def updated(x: Any, values: Any) -> Any:
        return at(x)[key].set(values)

    expected = V.copy()
    expected[key] = 2 * V
    np.testing.assert_array_equal(cv.jvp(updated, (V, 2 * V), (V, V))[0], expected)
    np.testing.assert_array_equal(cv.grad(lambda v: np.sum(updated(V * v[0] / v[0], v)))(V), [0, 0, 0, 1, 1])
    check_grads(updated, (V, 2 * V))
    check_batching(updated, (V, 2 * V))


def test_applying_a_function() -> None:
    check(lambda x: at(x)[1:].apply(np.sin), V)
    check(lambda x: at(x)[[0, 0, 1]].apply(np.sin), V)
    np.testing.assert_allclose(at(V)[[0, 0]].apply(np.sin)[0], np.sin(np.sin(V[0])))


def test_updates_of_plain_arrays_by_traced_values() -> None:
    check_grads(lambda v: at(np.zeros((3, 3)))[1].set(v) + at(np.ones((3, 3)))[[0, 0]].add(v), (V[:3],))


def test_updates_broadcast_and_keep_the_dtype() -> None:
    x = np.zeros((2, 3), np.float32)
    assert_same(at(x)[:, 1].set(1), np.array([[0, 1, 0], [0, 1, 0]], np.float32))
    assert_same(at(np.arange(3))[0].add(2), np.array([2, 1, 2]))


def test_updates_do_not_change_the_array() -> None:
    x = np.zeros(3)
    for update in (at(x)[0], at(x)[[0, 1]], at(x)[...]):
        assert update.set(1.0) is not x
        update.add(1.0)
        update.multiply(2.0)
    np.testing.assert_array_equal(x, np.zeros(3))


def test_values_that_do_not_fit_the_dtype_are_refused() -> None:
    with pytest.raises(DTypeMismatchError, match="astype"):
        cv.grad(lambda v: np.sum(at(np.zeros(3, int))[0].set(v)))(1.0)
    with pytest.raises(DTypeMismatchError, match="complex128"):
        at(np.zeros(3))[0].add(1j)
    with pytest.raises(ValueError, match="broadcast"):
        at(np.zeros(3))[:2].set(np.ones(3))


def test_repetitions_of_traced_indices_are_not_known() -> None:
    with pytest.raises(ConcreteValueError, match="repetitions"):
        cv.vmap(lambda x, i: at(x)[i].multiply(2.0), (None, 0))(V, np.array([[0, 1], [1, 1]]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.put(x, 0, 1.0),
        lambda x: np.place(x, x > 0, 1.0),
        lambda x: np.putmask(x, x > 0, 1.0),
        lambda x: np.copyto(np.zeros(5), x),
        lambda x: np.put_along_axis(x, np.array([0]), 1.0, 0),
        lambda x: np.fill_diagonal(x[None, :1], 1.0),
        lambda x: x.fill(1.0),
        lambda x: x.put(0, 1.0),
        lambda x: x.resize(3),
        lambda x: x.__setitem__(0, 1.0),
    ],
)
def test_writing_in_place_is_refused_with_what_to_write_instead(function: Function) -> None:
    with pytest.raises((TracerConversionError, UnsupportedFunctionError), match="x = "):
        cv.grad(lambda x: function(x))(V)


# --- functions --------------------------------------------------------------------------------------------

CONDITION = np.array([[True, False, True, True]])

FUNCTIONS: list[tuple[str, Function, tuple[Any, ...]]] = [
    ("take", lambda x: np.take(x, SQUARE), (M,)),
    ("take axis", lambda x: np.take(x, SQUARE, axis=1), (T,)),
    ("take scalar", lambda x: np.take(x, 1, axis=-1) + x.take(1, -1), (M,)),
    ("take list", lambda x: x.take([0, 0, 1], axis=0), (M,)),
    ("take wrap", lambda x: np.take(x, [-7, 8], axis=0, mode="wrap"), (M,)),
    ("take clip", lambda x: np.take(x, [-7, 8], axis=0, mode="clip"), (M,)),
    ("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(M, axis=1), axis=1), (M,)),
    ("take_along_axis first", lambda x: np.take_along_axis(x, np.array([[0, 2, 1, 1]]), axis=0), (M,)),
    ("take_along_axis broadcast", lambda x: np.take_along_axis(x, np.array([[1, 0]]), axis=-1), (M,)),
    ("take_along_axis flat", lambda x: np.take_along_axis(x, np.array([1, 0, 1]), axis=None), (M,)),
    ("compress", lambda x: np.compress([True, False, True], x, axis=1), (M,)),
    ("compress flat", lambda x: np.compress([True, False, True], x) + x.compress([False, True, True]), (M,)),
    ("extract", lambda x: np.extract(M > 0, x), (M,)),
    ("choose", lambda x, y: np.choose(np.array([0, 1, 1, 0]), [x, y]), (M, 2 * M)),
    ("choose wrap", lambda x: np.choose(np.array([[-1], [3], [1]]), [x, 2 * x], mode="wrap"), (M,)),
    ("choose clip", lambda x: np.choose(np.array([-1, 3, 1, 0]), x, mode="clip"), (M,)),
    ("choose number", lambda x: np.choose(1, [x, x * x, 1.0]), (V,)),
    ("where", lambda x, y: np.where(CONDITION, x, y), (M, M[0])),
    ("where number", lambda x: np.where(x > 0, x, 0.0), (M,)),
    ("where weak", lambda x: np.where(CONDITION, 2, x), (M,)),
    ("select", lambda x: np.select([x > 1, x > 0], [x, x**2], 0.5), (M,)),
    ("select default", lambda x, y: np.select([CONDITION, M > 0], [x, y[0]]), (M, M)),
    ("select broadcast", lambda x: np.select([np.array([True, False])], [x]), (NUMBER,)),
]


@pytest.mark.parametrize(("function", "args"), [c[1:] for c in FUNCTIONS], ids=[c[0] for c in FUNCTIONS])
def test_picking_and_selecting_agree_with_numpy(function: Function, args: tuple[Any, ...]) -> None:
    check(lambda *args: function(*args), *args)


def test_a_traced_condition_is_a_constant() -> None:
    x = np.array([1.0, 0.0, -2.0])
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(np.where(x, x * x, 5 * x)))(x), [2.0, 5.0, -4.0])
    assert not np.any(cv.grad(lambda x: np.sum(np.where(x, 1.0, 2.0)))(x))


def test_functions_with_batched_indices() -> None:
    x, i = np.stack([M, 2 * M]), np.stack([R, J])
    for mode, third in (("raise", 3), ("wrap", 3), ("clip", 0)):
        found = cv.vmap(lambda x, i, mode=mode: np.take(x, i, axis=1, mode=mode))(x, i)
        assert_same(found, np.stack([M[:, [0, 2, third]], 2 * M[:, J]]))
    check_batching(lambda x, i: np.take_along_axis(x, i, 1), (M, np.array([[1, 0], [2, 2], [0, 3]])))
    check_batching(lambda x, y, i: np.choose(i, [x, y]), (V, 2 * V, np.array([0, 1, 1, 0, 1])))
    check_batching(lambda x, c: np.where(c, x, 2 * x), (V, V > 0))
    check_batching(lambda i: i.choose([V, 2 * V]), (np.array([0, 1, 1, 0, 1]),))


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda x: ANY.take(x, 9), IndexError),
        (lambda x: ANY.take(x, 0.5), TypeError),
        (lambda x: ANY.take(x, 0, out=np.zeros(())), UnsupportedArgumentError),
        (lambda x: ANY.take(x, 0, mode="no"), ValueError),
        (lambda x: ANY.take_along_axis(x, np.zeros((1, 1), int), 0), ValueError),
        (lambda x: ANY.take_along_axis(x, np.zeros(1), 0), IndexError),
        (lambda x: ANY.take_along_axis(x[None], np.zeros((1, 1), int), None), ValueError),
        (lambda x: ANY.compress([[True]], x), ValueError),
        (lambda x: ANY.compress([True] * 9, x), IndexError),
        (lambda x: ANY.choose(2, [x, x]), ValueError),
        (lambda x: ANY.choose(-1, [x, x]), ValueError),
        (lambda x: ANY.choose(0.5, [x, x]), TypeError),
        (lambda x: ANY.where(True, x), ValueError),
        (lambda x: ANY.select([True], [x, x]), ValueError),
        (lambda x: ANY.select([], []), ValueError),
        (lambda x: ANY.select([x], [x]), TypeError),
    ],
)
def test_what_numpy_refuses_is_refused(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.vjp(function, V)


def test_a_batched_choice_out_of_range_is_refused() -> None:
    with pytest.raises(IndexError):
        cv.vmap(lambda i: np.choose(i, [V, V]))(np.array([0, -1]))


# --- reading many parts of one array ----------------------------------------------------------------------


def test_cotangents_are_accumulated_in_place_as_their_transposes_add_up() -> None:
    cases: list[tuple[Any, tuple[Any, ...]]] = [
        (Slice((1,)), ()),
        (Slice(((None, None, 2), 0)), ()),
        (Gather(), (R,)),
        (Gather(0), (np.tile(R, 40),)),
        (Gather(1), (np.array([[0, 0], [3, 1]]),)),
        (Gather(0, unique=True), (np.array([2, 0]),)),
        (Gather(), (R, J)),
    ]
    for primitive, indices in cases:
        buffer = M.copy()
        cotangent = np.asarray(primitive(M, *indices)) * 2.0
        primitive.accumulate(buffer, cotangent, *indices)
        np.testing.assert_allclose(buffer, M + primitive.transpose(cotangent, typeof(M), *indices), rtol=1e-14)


def test_sums_are_accumulated_in_every_dtype() -> None:
    index = np.array([0, 2, 0])
    for dtype in (np.float32, np.float64, np.complex64, np.complex128, np.longdouble, np.int64):
        values = np.array([1, 2, 3]).astype(dtype)
        assert_same(ScatterAdd((4,))(values, index), np.array([4, 0, 2, 0], dtype))


def test_gradients_do_not_alias() -> None:
    for function in (lambda x: x[:2], lambda x: x.reshape(5, 1), lambda x: np.concatenate([x]), lambda x: x[R]):
        out, pullback = cv.vjp(function, V)
        cotangent = np.ones_like(out)
        (found,) = pullback(cotangent)
        assert found.flags.writeable
        assert not np.shares_memory(found, cotangent)


def test_a_pullback_keeps_its_index() -> None:
    index = np.array([0, 1])
    _, pullback = cv.vjp(lambda x: x[index], V)
    index[:] = 4
    np.testing.assert_array_equal(pullback(np.ones(2))[0], [1, 1, 0, 0, 0])


def test_primitives_print_as_indices() -> None:
    assert repr(Slice((1, (None, None, 2), None, Ellipsis))) == "Slice(key=[1, ::2, None, ...])"
    assert repr(SetSlice(((0, 2, None),))) == "SetSlice(key=[0:2])"
    assert SetEntries() == SetEntries(unique=False)
