"""Programs with rearranged arithmetic, unrolled arrays and no care for infinity compute what the function does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.algebra import with_terms_combined
from covector.compile.identities import with_identities_applied
from covector.compile.plain import plain
from covector.compile.simplify import simplified
from covector.compile.unrolling import unrolled
from covector.core.broadcasting import BroadcastTo
from covector.core.families import MASKED_MULTIPLY
from covector.core.types import ArrayType
from covector.graph.graph import Equation, Graph, Literal, Variable, check, run
from covector.ops.arithmetic import MULTIPLY
from covector.transforms.recording import make_graph

SMALL, LONG = np.linspace(0.5, 1.5, 3), np.linspace(0.5, 1.5, 50)
SIZES = [(), (3,), (2, 2), (60,), (20, 30)]

OPERATIONS = [
    "{x} * 2.0", "-{x}", "0.5 * {x}", "{x} / 3.0", "{x} / ({y} + 5.0)", "{x} * {y}", "{x} + {y}", "{x} - {y}",
    "{x} - (-{y})", "{x} ** 2", "{x} ** 3", "{x} ** -1", "{x} ** 0.5", "{x} ** 1.5", "{x} ** 4", "{x} ** -2.0",
    "{x} * {x}", "({x} * {y}) / {y}", "2.0 / {x}", "({x} / {y}) * ({y} / {x})", "np.sqrt({x}) * {y}",
    "np.log({x}) * 0.1 + 2.0", "np.exp(-{x}) + 1.0", "np.sin({x}) + np.cos({x}) + 3.0", "np.where({x} > {y}, {x}, 1.5)",
    "np.where({x} > 1.0, 1.0, 0.0) * {y} + 1.0", "np.maximum({x}, {y})", "np.abs({x} - 1.0) + 0.5",
    "np.sum({x}) * 0.01 + {y}", "{x} * (np.sum({x} * {y}) * 0.01)", "np.tanh({x}) + {y}", "0.0 + {x}", "{x} * 1.0",
    "3.0 * {x} + 0.5 * {y}", "np.sign({x} - 1.0) * {y} + 4.0", "np.hypot({x}, {y})", "np.mean({x} - {y}) + {y}",
]  # fmt: skip
"""Operations on numbers near one, which keep the shape."""


def random_program(seed: int, length: int = 12) -> Any:
    """A function of x and y, two arrays or numbers of one shape."""
    rng = np.random.default_rng(seed)
    names, lines = ["x", "y"], []
    for i in range(length):
        a, b = (names[k] for k in rng.integers(max(0, len(names) - 4), len(names), 2))
        operation = OPERATIONS[rng.integers(len(OPERATIONS))].format(x=a, y=b)
        lines.append(f"    v{i} = np.abs({operation}) / 4.0 + 0.75")
        names.append(f"v{i}")
    namespace: dict[str, Any] = {"np": np}
    exec("\n".join(["def program(x, y):", *lines, f"    return {names[-1]}, {names[-3]} - {names[-2]}"]), namespace)
    return namespace["program"]


def total(program: Any) -> Any:
    """The gradient of the sum of a program's outputs."""

    def value(x: Any, y: Any) -> Any:
        first, second = program(x, y)
        return np.sum(first * second) + np.sum(first)

    return cv.grad(value, (0, 1))


def arguments(seed: int, shape: tuple[int, ...], dtype: Any = np.float64) -> tuple[Any, Any]:
    """Two arrays near one; numbers for no axes."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.6, 1.8, shape), rng.uniform(0.6, 1.8, shape)
    return (float(x), float(y)) if shape == () else (x.astype(dtype), y.astype(dtype))


def same(found: Any, expected: Any, tolerance: float = 1e-10) -> None:
    """Equal to rounding, with equal types."""
    for a, b in zip(cv.trees.flatten(found)[0], cv.trees.flatten(expected)[0], strict=True):
        assert (np.asarray(a).dtype, np.shape(a)) == (np.asarray(b).dtype, np.shape(b))
        scale = np.max(np.abs(b), initial=1.0, where=np.isfinite(b))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def graph_of(function: Any, *inputs: Any) -> Graph:
    """The simplified graph."""
    graph: Graph = cv.jit(function).lower(*inputs).simplified
    return graph


# --- each pass, on random programs ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("seed", range(12))
def test_combined_terms_compute_the_same(seed: int, shape: tuple[int, ...], dtype: Any) -> None:
    inputs = arguments(seed, shape, dtype)
    program = random_program(seed)
    for function in (program, total(program)):
        graph = graph_of(function, *inputs)
        combined = check(with_terms_combined(graph))
        same(run(combined, inputs), run(graph, inputs), 1e-10 if dtype is np.float64 else 1e-4)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
@pytest.mark.parametrize("seed", range(12))
def test_unrolled_programs_compute_the_same(seed: int, shape: tuple[int, ...]) -> None:
    inputs = arguments(seed, shape)
    graph = graph_of(total(random_program(seed)), *inputs)
    by_entries = unrolled(graph)
    assert by_entries is not None
    given = (*inputs, *(value for _, value in graph.constants))
    entries = [entry for x in given for entry in np.ravel(x).tolist()]
    found = np.array(run(by_entries.graph, entries), float)
    same(found, np.concatenate([np.ravel(x) for x in run(graph, inputs)]))


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("seed", range(12))
def test_plain_programs_compute_the_same(seed: int, shape: tuple[int, ...]) -> None:
    inputs = arguments(seed, shape)
    graph = graph_of(total(random_program(seed)), *inputs)
    same(run(check(plain(graph)), inputs), run(graph, inputs))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("seed", range(12))
def test_compiled_gradients_are_eager_gradients(seed: int, shape: tuple[int, ...], dtype: Any) -> None:
    inputs = arguments(seed, shape, dtype)
    gradient = total(random_program(seed))
    fast = cv.jit(gradient)
    fast(*inputs)
    same(fast(*inputs), gradient(*inputs), 1e-9 if dtype is np.float64 else 1e-3)


# --- infinite and undefined values ------------------------------------------------------------------------

EDGES = [0.0, -0.0, 1.0, -1.0, 2.5, np.inf, -np.inf, np.nan, 1e308, 1e-308, 5e-324]

ROOTS = [lambda x: x**0.5, lambda x: x**1.5]
SINGULAR = [
    *ROOTS,
    np.sqrt, np.log, np.abs, np.tanh, np.exp, np.expm1, np.log1p, np.arcsin, np.arctanh, np.sign, np.arctan,
    lambda x: x**3, lambda x: x**-1, lambda x: x**-2.0, lambda x: x**2.5,
    lambda x: 1.0 / x, lambda x: x / (x - 1.0), lambda x: x * 1e300 * 1e300, lambda x: np.sqrt(x) * x,
    lambda x: np.where(x > 0, np.sqrt(x), x), lambda x: np.where(x > 0, np.log(x), 0.0), lambda x: np.maximum(x, 0.0),
    lambda x: np.maximum(x, x * x), lambda x: np.hypot(x, 1.0), lambda x: np.hypot(x, x), lambda x: np.sqrt(x * x),
    lambda x: np.minimum(np.sqrt(x), 1.0), lambda x: np.exp(x) / (1.0 + np.exp(x)), lambda x: 0.0 * np.sqrt(x),
    lambda x: np.where(np.sqrt(x) * 0.0 > -1.0, x, -x), lambda x: np.clip(1.0 / x, -2.0, 2.0),
]  # fmt: skip
"""Functions that are infinite, or whose derivatives are, somewhere among the edges."""


def quietly(function: Any, *inputs: Any) -> Any:
    """What a function returns, without its warnings."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(*inputs)


@pytest.mark.parametrize("edge", EDGES, ids=str)
@pytest.mark.parametrize("function", SINGULAR)
@pytest.mark.parametrize("size", [0, 1, 40])
def test_infinite_values_and_partials_are_those_of_eager_code(function: Any, edge: float, size: int) -> None:
    """For a number, an array that is unrolled, and one that is not, with ordinary entries beside the edge."""
    if np.isneginf(edge) and function in ROOTS:
        return  # NumPy itself takes square roots of arrays, and has pow(-inf, 1/2) = inf for numbers
    point = np.float64(edge) if not size else np.concatenate([[edge], np.linspace(0.1, 0.9, size)])
    gradient = cv.grad(lambda x: np.sum(function(x)))
    for each in (function, gradient):
        fast = cv.jit(each)
        quietly(fast, point)
        found, expected = quietly(fast, point), quietly(each, point)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def caught(function: Any, point: Any) -> set[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function(point)
    return {str(warning.message).partition(" encountered")[0] for warning in found}


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (np.log, 0.0),
        (np.log, -1.0),
        (np.exp, 1e4),
        (lambda x: 1.0 / x, 0.0),
        (lambda x: x * x, 1e200),
        (lambda x: x - np.inf, np.inf),
        (np.sqrt, -1.0),
    ],
)
@pytest.mark.parametrize("size", [0, 2, 40])
def test_warnings_are_those_of_numpy(function: Any, point: float, size: int) -> None:
    at = np.float64(point) if not size else np.full(size, point)
    expected = caught(function, at)
    fast = cv.jit(lambda x: np.sum(function(x) / 2.0))
    quietly(fast, at)
    assert expected
    assert caught(fast, at) == expected


@pytest.mark.parametrize("size", [0, 2, 40])
def test_partials_warn_of_nothing(size: int) -> None:
    at = 0.0 if not size else np.zeros(size)
    fast = cv.jit(cv.grad(lambda x: np.sum(np.where(x > 0, 1.0, 0.0) * np.sqrt(x))))
    for _ in range(3):
        np.testing.assert_array_equal(fast(at), np.zeros_like(at))


def test_complex_partials_are_checked_too() -> None:
    def function(z: Any) -> Any:
        return np.sum((np.sqrt(z) / (z + 2.0)).real)

    gradient = cv.grad(function)
    fast = cv.jit(gradient)
    for point in (LONG + 1j, np.zeros_like(LONG) + 0j, LONG + 1j):
        same(quietly(fast, point), quietly(gradient, point))


# --- what is written --------------------------------------------------------------------------------------


def written(function: Any, *inputs: Any) -> str:
    """The first function of the source, whose statements are those of the fast version."""
    source: str = cv.jit(function).source(*inputs)
    return source.partition("\n\n\n")[0]


@pytest.mark.parametrize(
    ("function", "wanted", "unwanted"),
    [
        (lambda x: 2.0 * (3.0 * x), "6", "* n3"),
        (lambda x: 1.0 - (-x), "n1_0 + x", "-x"),
        (lambda x: x[1:] + (-x[:-1]), " - ", "-slice"),
        (lambda x: -(x[1:] - x[:-1]), " - ", "-subtract"),
        (lambda x: x**3, "np.square(x)", "**"),
        (lambda x: x**-0.5, "np.sqrt(x)", "**"),
        (lambda x: np.sum(x * np.sin(x)), "np.dot(", "reduce"),
        (lambda x: x * np.float64(2.0) / 8.0, "n0_25", "/"),
        (cv.grad(lambda x: np.sum(np.sqrt(x))), "np.divide(n0_5, sqrt_1, out=sqrt_1)", "ratio"),
        (cv.grad(lambda x: np.sum(np.where(x > 1.0, 3.0 * x, 0.0))), "astype", "np.where"),
    ],
)
def test_a_simpler_form_is_written(function: Any, wanted: str, unwanted: str) -> None:
    text = written(function, LONG)
    body = text.partition('"""\n')[2]
    assert wanted in body
    assert unwanted not in body


def test_a_quotient_is_shared_by_its_partials() -> None:
    def quotient(x: Any, y: Any) -> Any:
        return np.sin(x / y)

    text = written(cv.grad(quotient, (0, 1)), 2.0, 3.0)
    assert text.count(" / ") == 2


def test_small_arrays_are_numbers() -> None:
    def function(x: Any) -> Any:
        return np.sin(x[0]) * x[1] + np.sum(x**2)

    text = written(cv.grad(function), SMALL)
    assert "x_1, x_2, x_3 = x.tolist()" in text
    assert text.count("np.") == 1
    same(cv.jit(cv.grad(function))(SMALL), cv.grad(function)(SMALL))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.linalg.norm(x) * np.stack([x[0, 1], x[1, 0]]),
        lambda x: (x @ x.T, np.trace(x), np.outer(x[0], x[1])),
        lambda x: np.concatenate([x[:1], np.flip(x)], axis=0),
        lambda x: np.einsum("ij,jk->ik", x, x) * np.triu(x) > 0.1,
        lambda x: (np.roll(x, 1, 0) - np.diagonal(x)[:, None], np.sum(x, axis=0), np.mean(x, axis=1, keepdims=True)),
        lambda x: np.max(np.stack([x, 2.0 * x]), axis=0),
        lambda x: (x[0, 0], x[:1], np.broadcast_to(x[0], (3, 2)), x.reshape(4)),
    ],
)
def test_operations_on_two_by_two_matrices(function: Any) -> None:
    x = np.array([[0.5, -1.5], [2.0, 0.25]])
    for point in (x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        fast = cv.jit(function)
        fast(point)
        same(fast(point), function(point))


def test_guards_hold_in_unrolled_programs() -> None:
    fast = cv.jit(lambda x: np.sum(x) if x[0] > 0 else np.sum(x * x))
    for sign in (1.0, -1.0, 1.0, -1.0):
        point = sign * SMALL
        same(fast(point), np.sum(point) if sign > 0 else np.sum(point * point))


def test_closed_over_small_arrays_are_read_at_every_call() -> None:
    weights = np.array([1.0, 2.0])
    fast = cv.jit(cv.grad(lambda x: np.sum(weights * x * x)))
    for scale in (1.0, 1.0, 5.0, 7.0):
        weights[:] = scale
        same(fast(SMALL[:2]), 2 * scale * SMALL[:2])


# --- identity matrices ------------------------------------------------------------------------------------

MATRIX = np.random.default_rng(1).normal(size=(30, 40))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: MATRIX @ np.sin(x),
        lambda x: np.tanh(MATRIX @ x) * 2.0,
        lambda x: np.exp(-x) * x,
        lambda x: np.tanh(MATRIX @ (MATRIX.T @ x[:30])),
        lambda x: np.sum(np.cos(x) @ MATRIX.T),
    ],
)
@pytest.mark.parametrize("derivative", [cv.jacrev, cv.jacfwd, cv.hessian])
def test_dense_derivatives(derivative: Any, function: Any) -> None:
    point = np.linspace(-1.0, 1.0, 40)
    same(cv.jit(derivative(function))(point), derivative(function)(point))


def test_a_jacobian_does_not_multiply_by_the_identity() -> None:
    def function(x: Any) -> Any:
        return np.tanh(MATRIX @ np.sin(x))

    text = written(cv.jacrev(function), np.linspace(-1.0, 1.0, 40))
    assert text.count("np.dot") == 1


def test_an_identity_that_can_be_changed_is_not_relied_on() -> None:
    base = np.eye(3)
    view = base[:]
    view.flags.writeable = False
    fast = cv.jit(lambda x: view @ x)
    same(fast(SMALL), SMALL)
    base[0, 0] = 5.0
    same(fast(SMALL), SMALL * [5.0, 1.0, 1.0])


def test_only_graphs_with_identities_change() -> None:
    graph = make_graph(np.sin)(SMALL)
    assert with_identities_applied(graph) is graph


@pytest.mark.parametrize("extreme", [np.maximum, np.minimum, np.fmax, np.fmin])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("copies", [10, 10_000])
def test_shares_of_extremes_are_signs(extreme: Any, dtype: Any, copies: int) -> None:
    values = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 1e-310, 1e30], dtype)
    x, y = (np.tile(z.ravel(), copies) for z in np.meshgrid(values, values))
    fast = cv.jit(cv.grad(lambda x, y: np.sum(np.sin(extreme(x, y)) / 2.0), (0, 1)))
    assert "np.sign" in fast.source(x, y).partition("def <lambda>_in_numpy(")[0]
    sign = np.sign(x.astype(float) - y) * (1.0 if extreme in (np.maximum, np.fmax) else -1.0)
    slope = np.cos(extreme(x, y)) / 2.0
    for found, part in zip(fast(x, y), (1.0 + sign, 1.0 - sign), strict=True):
        np.testing.assert_allclose(found, slope * part / 2.0, rtol=1e-5)


def test_shares_where_there_is_no_number() -> None:
    x = np.tile([np.nan, 1.0, np.inf, -np.inf, 2.0], 20)
    gradient = cv.grad(lambda x: np.sum(np.maximum(x, 1.0) * np.sqrt(np.arange(100.0))))
    np.testing.assert_array_equal(gradient(x), np.sqrt(np.arange(100.0)) * np.tile([1.0, 0.5, 1.0, 0.0, 1.0], 20))
    fast = cv.jit(gradient)
    np.testing.assert_allclose(fast(x), gradient(x))
    np.testing.assert_allclose(fast(x), gradient(x))


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
@pytest.mark.parametrize("bound", [0, 0.0, 1, -0.5, np.float32(0.5), np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_share_of_a_bounded_array_is_that_of_the_careful_program(name: str, bound: Any, dtype: Any) -> None:
    """Also where the bound is an integer, and at ties, infinity and NaN."""
    x = np.array([[0.0, 1.0, -0.5, 0.5], [-2.0, 3.0, -0.0, 0.25]], dtype)
    special = np.array([[np.nan, np.inf], [-np.inf, 0.0]], dtype)

    def function(x: Any, scale: Any) -> Any:
        return np.sum(getattr(np, name)(x, bound) * scale)

    gradient = cv.grad(function)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for array in (x, special, np.asfortranarray(x), x[:, ::2], x[:0]):
            expected, found = gradient(array, dtype(2)), cv.jit(gradient)(array, dtype(2))
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_axes_of_length_one_are_kept() -> None:
    """A number that is repeated once, squared or multiplied: nothing tells it from an array but its shape."""

    def function(x: Any, y: Any) -> Any:
        once = np.broadcast_to(x * 2.5, (1,)) - np.broadcast_to(y * 1.5, (1,))
        return MASKED_MULTIPLY(once, y), np.square(once) * 2.0, np.square(np.broadcast_to(x * 2.0, (1,)))

    graph = make_graph(function)(np.float64(1.0), np.float64(2.0))
    combined = check(with_terms_combined(graph))
    assert [atom.type for atom in combined.outputs] == [atom.type for atom in graph.outputs]
    for found, expected in zip(run(combined, [3.0, 4.0]), run(graph, [3.0, 4.0]), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


def test_folded_numbers_without_axes_are_numbers() -> None:
    x, number, product = (Variable(ArrayType(shape, np.float32)) for shape in ((3,), (), (3,)))
    given = Literal(np.float32(2.5), number.type)
    equations = Equation(BroadcastTo(()), (given,), (number,)), Equation(MULTIPLY, (number, x), (product,))
    (left,) = simplified(Graph((x,), equations, (product,))).equations
    (folded,) = (atom for atom in left.inputs if isinstance(atom, Literal))
    assert type(folded.value) is np.float32
