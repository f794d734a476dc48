"""Shapes, joining, padding, creation and differences: values are NumPy's, derivatives and batches are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcreteValueError, TracerConversionError, UnsupportedArgumentError
from covector.testing import check_batching, check_grads

Function = Callable[..., Any]

RNG = np.random.default_rng(0)
V = RNG.standard_normal(4)
M = RNG.standard_normal((2, 3))
S = RNG.standard_normal((3, 3))
T = RNG.standard_normal((2, 3, 4))
E = np.zeros((0, 3))
NUMBER = np.float64(0.7)
GRID = np.array([0.0, 0.5, 0.8, 2.0])
ANY: Any = np  # for calls that the type checker would refuse too


def flattened(tree: Any) -> list[Any]:
    """The arrays in nested lists and tuples."""
    if isinstance(tree, (list, tuple)):
        return [x for part in tree for x in flattened(part)]
    return [tree]


def assert_same(found: Any, expected: Any) -> None:
    """Equal structure, shapes, dtypes and entries."""
    assert type(found) is type(expected) or not isinstance(expected, (list, tuple))
    for x, y in zip(flattened(found), flattened(expected), strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        tolerance = 1e-13 if np.asarray(y).dtype in (np.float64, np.int64, bool) else 2e-6
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def check(function: Function, *args: Any, order: int = 2) -> None:
    """The value traced in each way is NumPy's; derivatives are difference quotients; batching is stacking."""
    expected = function(*args)
    found, _ = cv.jvp(function, args, args)
    assert_same(found, expected)
    assert_same(cv.make_graph(function)(*args)(*args), expected)
    check_grads(function, args, order=order)
    check_batching(function, args)
    check_in_single_precision(function, *args)


def check_in_single_precision(function: Function, *args: Any) -> None:
    """Dtypes are NumPy's."""
    single = [x.astype(np.float32) for x in args]
    assert_same(cv.vjp(function, *single)[0], function(*single))


# --- one array in, rearranged -----------------------------------------------------------------------------

REARRANGED: list[tuple[str, Function, Any]] = [
    ("reshape", lambda x: np.reshape(x, (3, 2)), M),
    ("reshape unknown", lambda x: np.reshape(x, (4, -1)), T),
    ("reshape F", lambda x: np.reshape(x, (4, 3, 2), order="F"), T),
    ("reshape to scalar", lambda x: np.reshape(x, ()), np.ones((1, 1))),
    ("reshape number", lambda x: np.reshape(x, (1, 1)), NUMBER),
    ("reshape int", lambda x: np.reshape(x, 6), M),
    ("reshape empty", lambda x: np.reshape(x, (3, 0)), E),
    ("method reshape", lambda x: x.reshape(3, 2) + x.reshape((3, 2)) + x.reshape([3, 2], order="F"), M),
    ("method reshape -1", lambda x: x.reshape(-1), M),
    ("ravel", lambda x: np.ravel(x), M),
    ("ravel F", lambda x: x.ravel("F"), M),
    ("flatten", lambda x: x.flatten() + x.flatten(order="F"), M),
    ("flat", lambda x: x.flat[2] * x.flat[3], M),
    ("transpose", lambda x: np.transpose(x), T),
    ("transpose axes", lambda x: np.transpose(x, (1, -1, 0)), T),
    ("permute_dims", lambda x: np.permute_dims(x, [2, 0, 1]), T),
    ("method transpose", lambda x: x.transpose(1, 0, 2) + x.transpose((1, 0, 2)) + x.transpose([1, 0, 2]), T),
    ("method transpose none", lambda x: x.transpose() + x.transpose(None), T),
    ("T", lambda x: x.T, T),
    ("mT", lambda x: x.mT, T),
    ("matrix_transpose", lambda x: np.matrix_transpose(x) + np.linalg.matrix_transpose(x), T),
    ("swapaxes", lambda x: np.swapaxes(x, 0, -1) + x.swapaxes(-1, 0), T),
    ("moveaxis", lambda x: np.moveaxis(x, 0, -1), T),
    ("moveaxis several", lambda x: np.moveaxis(x, [0, 1], [-1, 0]), T),
    ("rollaxis", lambda x: np.rollaxis(x, 2), T),
    ("rollaxis start", lambda x: np.rollaxis(x, 0, 3), T),
    ("rollaxis same", lambda x: np.rollaxis(x, 1, 2), T),
    ("rollaxis negative", lambda x: np.rollaxis(x, -1, -2), T),
    ("expand_dims", lambda x: np.expand_dims(x, 1), M),
    ("expand_dims several", lambda x: np.expand_dims(x, (0, -1)), M),
    ("squeeze", lambda x: np.squeeze(x), np.ones((1, 3, 1))),
    ("squeeze axis", lambda x: x.squeeze(axis=-1) + np.squeeze(x, (2,)), np.ones((1, 3, 1))),
    ("atleast_1d", lambda x: np.atleast_1d(x), NUMBER),
    ("atleast_2d", lambda x: np.atleast_2d(x), V),
    ("atleast_3d 0", lambda x: np.atleast_3d(x), NUMBER),
    ("atleast_3d 1", lambda x: np.atleast_3d(x), V),
    ("atleast_3d 2", lambda x: np.atleast_3d(x), M),
    ("atleast_1d several", lambda x: np.atleast_1d(x, x[0]), V),
    ("broadcast_to", lambda x: np.broadcast_to(x, (2, 3)), np.ones((2, 1))),
    ("broadcast_to int", lambda x: np.broadcast_to(x, 3), NUMBER),
    ("flip", lambda x: np.flip(x), T),
    ("flip axis", lambda x: np.flip(x, axis=1), M),
    ("flip axes", lambda x: np.flip(x, axis=(0, -1)), T),
    ("fliplr", np.fliplr, M),
    ("flipud", np.flipud, V),
    ("rot90", lambda x: np.rot90(x), M),
    ("rot90 twice", lambda x: np.rot90(x, 2), M),
    ("rot90 back", lambda x: np.rot90(x, -1, axes=(1, 2)), T),
    ("rot90 none", lambda x: np.rot90(x, 4), M),
    ("roll", lambda x: np.roll(x, 2), M),
    ("roll axis", lambda x: np.roll(x, -1, axis=1), M),
    ("roll axes", lambda x: np.roll(x, (1, 2), axis=(0, 1)), T),
    ("roll one shift", lambda x: np.roll(x, 1, axis=(0, 1)), M),
    ("roll axis twice", lambda x: np.roll(x, (1, 1), axis=(0, 0)), S),
    ("tril", lambda x: np.tril(x), S),
    ("tril k", lambda x: np.tril(x, 1), T),
    ("triu", lambda x: np.triu(x, -1), M),
    ("triu of vector", lambda x: np.triu(x), V),
    ("diag of vector", lambda x: np.diag(x), V),
    ("diag of vector k", lambda x: np.diag(x, -2), V),
    ("diag of matrix", lambda x: np.diag(x, 1), M),
    ("diagonal", lambda x: np.diagonal(x), T),
    ("diagonal axes", lambda x: x.diagonal(1, axis1=2, axis2=0), T),
    ("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=-1), T),
    ("diagflat", lambda x: np.diagflat(x, 1), M),
    ("trace", lambda x: np.trace(x) + x.trace(), S),
    ("trace axes", lambda x: np.trace(x, 1, 2, 1), T),
    ("linalg.trace", lambda x: np.linalg.trace(x, offset=1), T),
    ("repeat", lambda x: np.repeat(x, 2), M),
    ("repeat axis", lambda x: x.repeat(3, axis=1), M),
    ("repeat each", lambda x: np.repeat(x, [2, 0, 1], axis=1), M),
    ("repeat none", lambda x: np.repeat(x, 0, axis=0), M),
    ("repeat number", lambda x: np.repeat(x, 3), NUMBER),
    ("tile", lambda x: np.tile(x, 2), M),
    ("tile more axes", lambda x: np.tile(x, (2, 1, 2)), M),
    ("tile fewer", lambda x: np.tile(x, [3]), M),
    ("tile number", lambda x: np.tile(x, (2, 2)), NUMBER),
    ("resize", lambda x: np.resize(x, (3, 5)), M),
    ("resize smaller", lambda x: np.resize(x, 2), M),
    ("copy", lambda x: np.copy(x) * x.copy(), M),
    ("tolist", lambda x: x.tolist()[1][0] * x[0, 0], M),
    ("iterate", lambda x: [row * i for i, row in enumerate(x)], M),
    ("unpack", lambda x: (lambda a, b, c, d: a * b + c / d)(*x), V),
    ("reversed", lambda x: list(reversed(x)), V),
]


@pytest.mark.parametrize(("function", "x"), [c[1:] for c in REARRANGED], ids=[c[0] for c in REARRANGED])
def test_rearranging_agrees_with_numpy(function: Function, x: Any) -> None:
    check(lambda x: function(x), x)


def test_flip_of_no_axes_of_a_number() -> None:
    check(lambda x: np.flip(x) * 2.0, NUMBER)


# --- joining and splitting --------------------------------------------------------------------------------

R = RNG.standard_normal((2, 3))

JOINED: list[tuple[str, Function, tuple[Any, ...]]] = [
    ("concatenate", lambda x, y: np.concatenate([x, y]), (M, R)),
    ("concatenate axis", lambda x, y: np.concatenate((x, y, x), axis=-1), (M, R)),
    ("concatenate flat", lambda x, y: np.concatenate([x, y], axis=None), (M, V)),
    ("concat with a list", lambda x: np.concat([x, [1.0, 2.0]]), (V,)),
    ("concatenate rows", lambda x: np.concatenate(x), (M,)),
    ("concatenate dtype", lambda x: np.concatenate([x, x], dtype=np.float32), (V,)),
    ("stack", lambda x, y: np.stack([x, y]), (M, R)),
    ("stack axis", lambda x, y: np.stack((x, y), axis=-1), (M, R)),
    ("stack numbers", lambda x: np.stack([x[0], x[1] * x[2], 2.0]), (V,)),
    ("stack rows", lambda x: np.stack(x, axis=1), (M,)),
    ("hstack", lambda x, y: np.hstack([x, y]), (M, R)),
    ("hstack vectors", lambda x: np.hstack([x, x[0], 1.0]), (V,)),
    ("vstack", lambda x, y: np.vstack([x, y, y[0]]), (M, R)),
    ("dstack", lambda x, y: np.dstack([x, y]), (M, R)),
    ("column_stack", lambda x, y: np.column_stack([x[0], y.T]), (M, R)),
    ("block", lambda x, y: np.block([[x, y], [np.ones((1, 6))]]), (M, R)),
    ("block of numbers", lambda x: np.block([x[0], x]), (V,)),
    ("block depth 0", lambda x: np.block(x), (M,)),
    ("block 3d", lambda x: np.block([[[x]], [[2 * x]]]), (M,)),
    ("append", lambda x, y: np.append(x, y), (M, V)),
    ("append axis", lambda x, y: np.append(x, y, axis=1), (M, R)),
    ("split", lambda x: np.split(x, 3, axis=1), (M,)),
    ("split at", lambda x: np.split(x, [1, 2, 2]), (V,)),
    ("split overlapping", lambda x: np.split(x, [3, 1]), (V,)),
    ("split negative", lambda x: np.split(x, [-1, 9]), (V,)),
    ("array_split", lambda x: np.array_split(x, 3), (V,)),
    ("array_split many", lambda x: np.array_split(x, 6), (V,)),
    ("hsplit", lambda x, v: np.hsplit(x, 3) + np.hsplit(v, 2), (M, V)),
    ("vsplit", lambda x: np.vsplit(x, [1]), (M,)),
    ("dsplit", lambda x: np.dsplit(x, 2), (T,)),
    ("unstack", lambda x: np.unstack(x, axis=1), (M,)),
    ("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y[:, None], 1.0), (V, V[:2])),
    ("meshgrid", lambda x, y: np.meshgrid(x, y), (V, M[0])),
    ("meshgrid ij", lambda x, y: np.meshgrid(x, y, x, indexing="ij", sparse=True), (V, M[0])),
    ("meshgrid one", lambda x: np.meshgrid(x), (V,)),
    ("delete", lambda x: np.delete(x, 1), (V,)),
    ("delete axis", lambda x: np.delete(x, [0, -1], axis=1), (M,)),
    ("delete slice", lambda x: np.delete(x, slice(None, None, 2)), (V,)),
    ("delete mask", lambda x: np.delete(x, [True, False, False, True]), (V,)),
    ("delete nothing", lambda x: np.delete(x, []), (V,)),
    ("insert", lambda x, y: np.insert(x, 1, y), (V, NUMBER)),
    ("insert several", lambda x, y: np.insert(x, [1, 3, 3], y), (V, M[0])),
    ("insert one value", lambda x, y: np.insert(x, [0, -1], y), (V, NUMBER)),
    ("insert row", lambda x, y: np.insert(x, 1, y, axis=0), (M, R[0])),
    ("insert rows", lambda x, y: np.insert(x, [1], y, axis=0), (M, R)),
    ("insert columns", lambda x, y: np.insert(x, 0, y.T, axis=1), (M, R)),
    ("insert mask", lambda x, y: np.insert(x, np.array([True, False, True, False]), y), (V, V[:2])),
    ("insert slice", lambda x, y: np.insert(x, slice(0, 2), y), (V, V[:2])),
    ("insert nothing", lambda x: np.insert(x, [], 1.0), (V,)),
    ("insert flat", lambda x, y: np.insert(x, 2, y), (M, V)),
]


@pytest.mark.parametrize(("function", "args"), [c[1:] for c in JOINED], ids=[c[0] for c in JOINED])
def test_joining_and_splitting_agree_with_numpy(function: Function, args: tuple[Any, ...]) -> None:
    check(lambda *args: function(*args), *args)


# --- object arrays, which NumPy makes of traced numbers ---------------------------------------------------

OBJECTS: list[tuple[str, Function, Any]] = [
    ("array", lambda x: np.array([x[0] * x[1], x[2]]), V),
    ("array of lists", lambda x: np.array([[x[0], x[1]], [2.0, x[2] * x[3]]]), V),
    ("array of rows", lambda x: np.array([x, x * x]), V),
    ("array of array", lambda x: np.array(x), M),
    ("asarray of number", lambda x: np.asarray(x), NUMBER),
    ("r_", lambda x: np.r_[x, np.float64(1.0), x[0] * x[1], x[1:3]], V),
    ("r_ axis", lambda x: np.r_["1", x, x], M),
    ("c_", lambda x: np.c_[x, x * x, np.ones(4)], V),
    ("full", lambda x: np.full(3, x[0] * x[1]), V),
    ("full rows", lambda x: np.full((2, 4), x), V),
    ("vectorize", lambda x: np.vectorize(lambda t: t * np.sin(t))(x), V),
    ("vectorize two", lambda x: np.vectorize(lambda s, t: s * t)(x, x[:, None]), V),
    ("fromiter", lambda x: np.stack([t * t for t in x]), V),
]


@pytest.mark.parametrize(("function", "x"), [c[1:] for c in OBJECTS], ids=[c[0] for c in OBJECTS])
def test_object_arrays_of_traced_numbers_become_arrays(function: Function, x: Any) -> None:
    def stacked(x: Any) -> Any:
        return function(x) * 1.0

    check(stacked, x)


def test_an_object_array_meeting_a_traced_array_is_stacked() -> None:
    check(lambda x: np.array([x[0], x[1] ** 2]) * x[2:] + x[0], V)


# --- padding ----------------------------------------------------------------------------------------------

PADDED: list[tuple[str, dict[str, Any], Any]] = [
    *[(mode, {}, 1) for mode in ("constant", "edge", "reflect", "symmetric", "wrap")],
    *[(mode, {}, ((1, 2), (0, 3))) for mode in ("constant", "edge", "reflect", "symmetric", "wrap")],
    *[(mode, {}, (2, 7)) for mode in ("edge", "reflect", "symmetric", "wrap")],
    *[("reflect", {"reflect_type": "odd"}, width) for width in (1, (1, 2), (2, 7), (9, 1))],
    *[("symmetric", {"reflect_type": "odd"}, width) for width in (1, (1, 2), (2, 7), (9, 1))],
    *[(mode, {}, ((1, 2), (2, 1))) for mode in ("linear_ramp", "maximum", "mean", "median", "minimum")],
    *[(mode, {"stat_length": 2}, 1) for mode in ("maximum", "mean", "median", "minimum")],
    ("mean", {"stat_length": ((1, 2), (3, 2))}, 2),
    ("constant", {"constant_values": 2.5}, 1),
    ("constant", {"constant_values": (1.0, -1.0)}, ((1, 0), (2, 2))),
    ("constant", {"constant_values": ((1, 2), (3, 4))}, 1),
    ("linear_ramp", {"end_values": ((1.0, -1.0), (2.0, 0.5))}, 3),
    ("constant", {}, {1: 2}),
    ("constant", {}, {-1: (1, 2)}),
    ("constant", {}, [[1], [2]]),
]


@pytest.mark.parametrize(("mode", "options", "width"), PADDED)
def test_padding_agrees_with_numpy(mode: str, options: dict[str, Any], width: Any) -> None:
    check(lambda x: np.pad(x, width, mode, **options), M)  # type: ignore[call-overload]


def test_padding_one_entry_by_reflection_repeats_it() -> None:
    check(lambda x: np.pad(x, 2, "reflect") + np.pad(x, 2, "symmetric", reflect_type="odd"), np.ones(1))


def test_padding_values_are_differentiable() -> None:
    check(lambda v: np.pad(v[1:], 1, constant_values=v[0]), V)
    check(lambda v: np.pad(v[1:], 1, "linear_ramp", end_values=v[0]), V)
    check(lambda v: np.pad(v[2:], 1, constant_values=v[:2]), V)


def test_padding_with_nothing_in_particular_keeps_the_entries() -> None:
    found, _ = cv.vjp(lambda x: np.pad(x, 1, "empty"), V)
    np.testing.assert_array_equal(found[1:-1], V)


def test_padding_an_empty_axis() -> None:
    check(lambda x: np.pad(x, ((1, 1), (0, 2))) * 2.0, E)
    with pytest.raises(ValueError, match="can't extend empty axis 0"):
        cv.vjp(lambda x: np.pad(x, 1, "edge"), E)


def test_padding_by_a_function_is_refused() -> None:
    with pytest.raises(UnsupportedArgumentError, match="concatenate"):
        cv.grad(lambda x: np.sum(np.pad(x, 1, lambda *args: None)))(V)


@pytest.mark.parametrize(
    ("width", "mode", "options", "error"),
    [
        (1.5, "constant", {}, TypeError),
        (-1, "constant", {}, ValueError),
        (1, "nonsense", {}, ValueError),
        (1, "edge", {"constant_values": 1}, ValueError),
        (1, "reflect", {"reflect_type": "strange"}, ValueError),
        (1, "maximum", {"stat_length": 0}, ValueError),
    ],
)
def test_wrong_padding_raises_as_in_numpy(width: Any, mode: Any, options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.vjp(lambda x: np.pad(x, width, mode, **options), V)


# --- creation ---------------------------------------------------------------------------------------------

CREATED: list[tuple[str, Function, tuple[Any, ...]]] = [
    ("linspace", lambda a, b: np.linspace(a, b, 5), (NUMBER, 2 * NUMBER)),
    ("linspace one", lambda a, b: np.linspace(a, b, 1), (NUMBER, 2 * NUMBER)),
    ("linspace none", lambda a, b: np.linspace(a, b, 0) * a, (NUMBER, 2 * NUMBER)),
    ("linspace open", lambda a, b: np.linspace(a, b, 4, endpoint=False), (NUMBER, 2 * NUMBER)),
    ("linspace retstep", lambda a, b: np.linspace(a, b, 4, retstep=True), (NUMBER, 2 * NUMBER)),
    ("linspace arrays", lambda a, b: np.linspace(a, b, 4, axis=-1), (M, M[0])),
    ("linspace plain start", lambda b: np.linspace(0, b, 4), (V,)),
    ("logspace", lambda a, b: np.logspace(a, b, 4), (NUMBER, 2 * NUMBER)),
    ("logspace base", lambda a, b: np.logspace(a, 2.0, 4, base=b), (NUMBER, 2 * NUMBER)),
    ("logspace bases", lambda a, b: np.logspace(a, 2.0, 4, base=b, axis=1), (NUMBER, np.array([2.0, 3.0]))),
    ("geomspace", lambda a, b: np.geomspace(a, b, 4), (NUMBER, 20 * NUMBER)),
    ("geomspace negative", lambda a, b: np.geomspace(-a, -b, 4), (NUMBER, 20 * NUMBER)),
    ("full_like", lambda x: np.full_like(x, x[0, 0]) * x, (M,)),
    ("full_like shape", lambda x: np.full_like(x, x[1], shape=(2, 3)) * x[0], (M,)),
    ("astype", lambda x: x.astype(np.float32) * 2, (V,)),
    ("np.astype", lambda x: np.astype(x, np.float32) * 2, (V,)),
    ("like", lambda x: x * np.ones_like(x) + np.zeros_like(x), (M,)),
    ("diff", lambda x: np.diff(x), (T,)),
    ("diff twice", lambda x: np.diff(x, 2, axis=0), (S,)),
    ("diff zero times", lambda x: np.diff(x, 0), (V,)),
    ("diff ends", lambda x, c: np.diff(x, prepend=c, append=x[..., :2]), (M, NUMBER)),
    ("ediff1d", lambda x: np.ediff1d(x), (M,)),
    ("ediff1d ends", lambda x, c: np.ediff1d(x, to_begin=c, to_end=[1.0, 2.0]), (V, NUMBER)),
    ("gradient", lambda x: np.gradient(x), (S,)),
    ("gradient 1d", lambda x: np.gradient(x, edge_order=2), (V,)),
    ("gradient step", lambda x, h: np.gradient(x, h), (V, NUMBER)),
    ("gradient steps", lambda x, h: np.gradient(x, h, 2 * h, axis=(1, 0)), (S, NUMBER)),
    ("gradient coordinates", lambda x, h: np.gradient(x, h), (V, GRID)),
    ("gradient coordinates 2", lambda x, h: np.gradient(x, h, axis=-1, edge_order=2), (T, GRID)),
    ("gradient plain grid", lambda x: np.gradient(x, np.arange(4)), (V,)),
    ("gradient plain uneven", lambda x: np.gradient(x, [0, 1, 3, 4], edge_order=2), (V,)),
]  # fmt: skip


@pytest.mark.parametrize(("function", "args"), [c[1:] for c in CREATED], ids=[c[0] for c in CREATED])
def test_creating_agrees_with_numpy(function: Function, args: tuple[Any, ...]) -> None:
    if "geomspace" in repr(function.__code__.co_names):
        check_grads(function, args)
        assert_same(cv.vjp(function, *args)[0], function(*args))
    else:
        check(lambda *args: function(*args), *args)


def test_what_is_like_a_traced_array_is_plain_if_it_does_not_depend_on_it() -> None:
    def function(x: Any) -> Any:
        made = [np.zeros_like(x), np.ones_like(x, np.int32), np.empty_like(x, shape=(2,)), np.zeros_like(x, shape=3)]
        assert all(type(each) is np.ndarray for each in made)
        assert [each.dtype.name for each in made] == ["float64", "int32", "float64", "float64"]
        assert [each.shape for each in made] == [(4,), (4,), (2,), (3,)]
        return np.sum(x)

    cv.grad(function)(V)
    cv.vmap(function)(np.stack([V, V]))


def test_casting_to_integers_loses_the_derivative() -> None:
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(x * x.astype(int)))(np.array([1.5, 2.5])), [1.0, 2.0])


def test_casting_to_real_keeps_the_real_part() -> None:
    np.testing.assert_array_equal(cv.grad(lambda z: np.sum(z.astype(float)))(np.array([1.0 + 2.0j])), [1.0])


def test_casting_rules_are_honoured() -> None:
    with pytest.raises(TypeError, match="according to the rule 'same_kind'"):
        cv.grad(lambda x: np.sum(np.concatenate([x, x], dtype=int)))(V)
    with pytest.raises(TypeError, match="according to the rule 'safe'"):
        cv.grad(lambda x: np.sum(x.astype(np.float32, casting="safe")))(V)


def test_geomspace_refuses_zero() -> None:
    with pytest.raises(ValueError, match="cannot include zero"):
        cv.grad(lambda x: np.sum(np.geomspace(x, 1.0)))(0.0)


# --- inquiries --------------------------------------------------------------------------------------------


def test_shapes_and_dtypes_are_known() -> None:
    def function(x: Any) -> Any:
        assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)) == ((2, 3), 2, 6, 3)
        assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes, len(x)) == ((2, 3), 2, 6, 8, 48, 2)
        assert np.result_type(x, np.float32) == np.float64
        assert np.can_cast(x.dtype, np.float64)
        assert not np.iscomplexobj(x)
        assert np.isrealobj(x)
        assert np.common_type(x) is np.float64
        assert not np.shares_memory(x, x * 2)
        assert not np.may_share_memory(x, np.ones(3))
        square = x[:, :2]
        diagonal = square[np.diag_indices_from(square)]
        return np.sum(x[np.tril_indices_from(x)] * x[np.triu_indices_from(x)][:3]) + np.sum(diagonal**2)

    check_grads(function, (M,))
    check_batching(function, (M,))


def test_comparisons_of_arrays_are_constants() -> None:
    def function(x: Any) -> Any:
        assert np.array_equal(x, V)
        assert not np.array_equal(x, V[1:])
        assert np.array_equal(x * np.nan, V * np.nan, equal_nan=True)
        assert np.array_equiv(x, np.stack([V, V]))
        assert not np.array_equiv(x, np.ones(3))
        assert np.allclose(x, V + 1e-12)
        assert not np.allclose(x, V + 1.0)
        assert np.isclose(x, V, equal_nan=True).all()
        return np.sum(x)

    np.testing.assert_array_equal(cv.grad(function)(V), np.ones(4))


def test_closeness_is_decided_for_each_element_of_a_batch() -> None:
    batch = np.stack([V, V + 1.0])
    np.testing.assert_array_equal(cv.vmap(lambda x: np.allclose(x, V))(batch), [True, False])
    np.testing.assert_array_equal(cv.vmap(lambda x: np.array_equal(x, V))(batch), [True, False])


def test_nonzero_places_are_constants() -> None:
    def function(x: Any) -> Any:
        assert_same(np.nonzero(x), np.nonzero(W))
        assert_same(x.nonzero(), np.nonzero(W))
        assert_same(np.argwhere(x), np.argwhere(W))
        assert_same(np.flatnonzero(x), np.flatnonzero(W))
        assert_same(np.where(x > 1.0), np.where(W > 1.0))
        return np.sum(np.trim_zeros(x) ** 2)

    W = np.array([0.0, 1.0, 0.0, 2.0, 0.0])
    np.testing.assert_array_equal(cv.grad(function)(W), 2 * W)


def test_nonzero_of_a_batch_says_what_to_write_instead() -> None:
    with pytest.raises(ConcreteValueError, match=r"(?s)np\.nonzero.*np\.where"):
        cv.vmap(lambda x: np.nonzero(x)[0])(M)


@pytest.mark.parametrize("trim", ["fb", "f", "b"])
def test_zeros_are_trimmed_as_in_numpy(trim: str) -> None:
    for x in (np.array([0.0, 1.0, 0.0, 2.0, 0.0]), np.zeros(3), np.array([1.0])):
        assert_same(cv.vjp(lambda x: np.trim_zeros(x, trim), x)[0], np.trim_zeros(x, trim))  # type: ignore[arg-type]


def test_item_is_refused_like_float_but_not_for_integers() -> None:
    with pytest.raises(TracerConversionError, match="lose its derivative"):
        cv.grad(lambda x: x.item() * 2)(1.0)
    assert cv.grad(lambda x: x * x.astype(int).item())(2.5) == 2.0


# --- what is wrong is said --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda x: ANY.reshape(x, (4, 2)), ValueError),
        (lambda x: ANY.reshape(x, (-1, -1)), ValueError),
        (lambda x: ANY.reshape(x, (-1, 4)), ValueError),
        (lambda x: ANY.reshape(x, (-2, 3)), ValueError),
        (lambda x: ANY.reshape(x, 6, order="Z"), ValueError),
        (lambda x: ANY.reshape(x, 6, order="A"), UnsupportedArgumentError),
        (lambda x: ANY.reshape(x, 6, copy=False), UnsupportedArgumentError),
        (lambda x: ANY.transpose(x, (0,)), ValueError),
        (lambda x: ANY.transpose(x, (0, 0)), ValueError),
        (lambda x: ANY.transpose(x, (0, 2)), np.exceptions.AxisError),
        (lambda x: ANY.swapaxes(x, 0, 2), np.exceptions.AxisError),
        (lambda x: ANY.moveaxis(x, 3, 0), np.exceptions.AxisError),
        (lambda x: ANY.moveaxis(x, (0, 1), 0), ValueError),
        (lambda x: ANY.rollaxis(x, 0, 5), np.exceptions.AxisError),
        (lambda x: ANY.squeeze(x, 0), ValueError),
        (lambda x: ANY.expand_dims(x, 4), np.exceptions.AxisError),
        (lambda x: ANY.broadcast_to(x, (3, 3)), ValueError),
        (lambda x: ANY.broadcast_to(x, 3), ValueError),
        (lambda x: ANY.matrix_transpose(x[0]), ValueError),
        (lambda x: ANY.fliplr(x[0]), ValueError),
        (lambda x: ANY.flip(x, 2), np.exceptions.AxisError),
        (lambda x: ANY.diag(x[None]), ValueError),
        (lambda x: ANY.diagonal(x[0]), ValueError),
        (lambda x: ANY.diagonal(x, axis1=1), ValueError),
        (lambda x: ANY.trace(x, out=np.zeros(())), UnsupportedArgumentError),
        (lambda x: ANY.concatenate([x, x[0]]), ValueError),
        (lambda x: ANY.concatenate([x, x.T]), ValueError),
        (lambda x: ANY.concatenate([x[0, 0], x[0, 0]]), ValueError),
        (lambda x: ANY.concatenate([x, x], out=np.zeros((4, 3))), UnsupportedArgumentError),
        (lambda x: ANY.stack([x, x.T]), ValueError),
        (lambda x: ANY.block([x, [x]]), ValueError),
        (lambda x: ANY.split(x, 4, axis=1), ValueError),
        (lambda x: ANY.array_split(x, 0), ValueError),
        (lambda x: ANY.vsplit(x[0], 1), ValueError),
        (lambda x: ANY.dsplit(x, 1), ValueError),
        (lambda x: ANY.hsplit(x[0, 0], 1), ValueError),
        (lambda x: ANY.unstack(x[0, 0]), ValueError),
        (lambda x: ANY.repeat(x, -1), ValueError),
        (lambda x: ANY.repeat(x, [1, 2], axis=1), ValueError),
        (lambda x: ANY.resize(x, (-1, 2)), ValueError),
        (lambda x: ANY.delete(x, 9, axis=0), IndexError),
        (lambda x: ANY.insert(x, 9, 1.0, axis=0), IndexError),
        (lambda x: ANY.linspace(x, x, -1), ValueError),
        (lambda x: ANY.meshgrid(x, x, indexing="no"), ValueError),
        (lambda x: ANY.diff(x, -1), ValueError),
        (lambda x: ANY.diff(x[0, 0]), ValueError),
        (lambda x: ANY.gradient(x, 1.0, 1.0, 1.0), TypeError),
        (lambda x: ANY.gradient(x, edge_order=3), ValueError),
        (lambda x: ANY.gradient(x[:1]), ValueError),
        (lambda x: ANY.gradient(x, np.ones(5), axis=0), ValueError),
        (lambda x: ANY.tril(x[0, 0]), TypeError),
    ],
)  # fmt: skip
def test_what_numpy_refuses_is_refused(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.vjp(function, M)
