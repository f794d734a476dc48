"""Who owns which array: what outlives a call owns its arrays, and results belong to the caller."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import MutationError

Array = np.ndarray[Any, np.dtype[Any]]

SMALL, MIDDLE, LARGE = 4, 5_000, 50_000
"""Entries of arrays of which a constant is copied at every use, copied once, and kept by reference and checked."""

SIZES = [SMALL, MIDDLE, LARGE]

each_size = pytest.mark.parametrize("size", SIZES)


def spoil(*arrays: Array) -> None:
    """Changes arrays in place, as a caller is free to do."""
    for array in arrays:
        array[...] = 1_000 if array.dtype.kind == "f" else 0


def leaves_of(result: Any) -> list[Array]:
    return [x for x in (result if isinstance(result, (tuple, list)) else [result]) if isinstance(x, np.ndarray)]


# --- what outlives the call -----------------------------------------------------------------------------------


FUNCTIONS: dict[str, Callable[[Any, Array, Array], Any]] = {
    "a product with a constant": lambda x, c, i: x * c,
    "a constant on the left": lambda x, c, i: c * x,
    "a quotient": lambda x, c, i: c / x + x / c,
    "a power": lambda x, c, i: x**c,
    "a matrix product": lambda x, c, i: np.outer(c[:3], c[:3]) @ x[:3] + c[:3] @ x[:3],
    "an inner product": lambda x, c, i: x @ c,
    "a selection": lambda x, c, i: np.where(c > 1.5, x * x, -x),
    "an index array": lambda x, c, i: x[i] * x[i],
    "a scatter": lambda x, c, i: x.at[i].add(x[i] * c[i]),
    "a maximum": lambda x, c, i: np.maximum(x * x, c),
    "functions of the input alone": lambda x, c, i: np.exp(x) * np.sin(x) * x,
    "a linear map of the input": lambda x, c, i: np.cumsum(x) * x,
    "the input itself": lambda x, c, i: x,
    "einsum": lambda x, c, i: np.einsum("i,i->", x, c) * x,
    "a view of a constant": lambda x, c, i: x * c[::-1],
    "a constant used twice": lambda x, c, i: x * c + x * x * c,
    "a sum with a constant": lambda x, c, i: np.sin(x + c),
    "clipping": lambda x, c, i: np.clip(x, -c, c) * x,
    "hypot": lambda x, c, i: np.hypot(x, c),
}
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def problem(name: str, size: int) -> tuple[Callable[[Any], Any], Array, Array, Array]:
    """A function of x that closes over c and i."""
    rng = np.random.default_rng(0)
    x, c, i = rng.uniform(1.0, 2.0, size), rng.uniform(1.0, 2.0, size), rng.integers(0, size, size)
    function = FUNCTIONS[name]
    return lambda x: function(x, c, i), x, c, i


@each_size
@each_function
def test_a_pullback_does_not_notice_later_changes(name: str, size: int) -> None:
    function, x, c, i = problem(name, size)
    value, pullback = cv.vjp(function, x)
    w = np.ones_like(value)
    expected = pullback(w)[0].copy()
    spoil(x, c, i, *leaves_of(value))
    np.testing.assert_array_equal(pullback(w)[0], expected)


@each_size
@each_function
def test_a_linear_map_does_not_notice_later_changes(name: str, size: int) -> None:
    function, x, c, i = problem(name, size)
    value, derivative = cv.linearize(function, x)
    v = np.ones(size)
    expected = np.copy(derivative(v))
    spoil(x, c, i, *leaves_of(value))
    np.testing.assert_array_equal(derivative(v), expected)


@each_size
@each_function
def test_a_pullback_through_compiled_code_does_not_notice_later_changes(name: str, size: int) -> None:
    """Compiled code refers to the arrays it closes over, because the next call has to see changes."""
    function, x, c, i = problem(name, size)
    fast = cv.jit(function)
    value, pullback = cv.vjp(fast, x)
    w = np.ones_like(value)
    expected = pullback(w)[0].copy()
    np.testing.assert_allclose(expected, cv.vjp(function, x)[1](w)[0], rtol=1e-12)
    spoil(x, c, i, *leaves_of(value))
    np.testing.assert_array_equal(pullback(w)[0], expected)
    point = np.full(size, 1.5)
    np.testing.assert_allclose(cv.vjp(fast, point)[1](w)[0], cv.vjp(function, point)[1](w)[0], rtol=1e-12)


@each_size
def test_a_linear_transpose_does_not_notice_later_changes(size: int) -> None:
    rng = np.random.default_rng(0)
    c, i = rng.uniform(1.0, 2.0, size), rng.integers(0, size, size)
    for function in (lambda x: x * c, lambda x: x[i], lambda x: np.where(c > 1.5, x, 0.0), lambda x: c @ x):
        transposed = cv.linear_transpose(function, np.zeros(size))
        w = np.ones(np.shape(function(np.zeros(size))))[()]
        expected = transposed(w)[0].copy()
        kept = c.copy(), i.copy()
        spoil(c, i)
        np.testing.assert_array_equal(transposed(w)[0], expected)
        c[...], i[...] = kept


@each_size
@each_function
def test_a_graph_does_not_notice_later_changes(name: str, size: int) -> None:
    function, x, c, i = problem(name, size)
    graph = cv.make_graph(function)(x)
    point = x.copy()
    expected = np.copy(graph(point))
    spoil(x, c, i)
    np.testing.assert_array_equal(graph(point), expected)


@each_size
def test_pulling_back_twice_gives_the_same_answer(size: int) -> None:
    """Cotangents are not accumulated into arrays of the tape or of the caller."""
    x = np.linspace(1.0, 2.0, size)
    _, pullback = cv.vjp(lambda x: np.sin(x) * x + x * x + x, x)
    w = np.linspace(-1.0, 1.0, size)
    before = w.copy()
    first = pullback(w)[0]
    kept = first.copy()
    spoil(first)
    np.testing.assert_array_equal(pullback(w)[0], kept)
    np.testing.assert_array_equal(w, before)


# --- results ----------------------------------------------------------------------------------------------------


def _aliasing(x: Any, y: Any, c: Any) -> list[Any]:
    """Outputs whose cotangents pass through untouched, as views, or are shared."""
    return [x, x + y, y, np.reshape(x, (-1, 1)), x[::-1], np.sum(x) + y, c + x, -y, np.where(c > 0, x, y), x - y]


RESULTS: dict[str, Callable[..., Any]] = {
    "grad": lambda f, x, y, w: cv.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(x, y),
    "vjp": lambda f, x, y, w: cv.vjp(f, x, y)[1](w),
    "jvp": lambda f, x, y, w: cv.jvp(f, (x, y), (x, y))[1],
    "linearize": lambda f, x, y, w: cv.linearize(f, x, y)[1](x, y),
    "linearize.T": lambda f, x, y, w: cv.linearize(f, x, y)[1].T(w),
    "hvp": lambda f, x, y, w: cv.hvp(lambda x, y: np.sum(f(x, y) ** 2), (x, y), (x, y)),
    "checkpoint": lambda f, x, y, w: cv.vjp(cv.checkpoint(f), x, y)[1](w),
    "value of linearize": lambda f, x, y, w: cv.linearize(f, x, y)[0],
    "jacrev": lambda f, x, y, w: cv.jacrev(f, (0, 1))(x, y),
    "jacfwd": lambda f, x, y, w: cv.jacfwd(f, (0, 1))(x, y),
    "value_and_grad": lambda f, x, y, w: cv.value_and_grad(lambda x, y: np.sum(f(x, y)), (0, 1))(x, y)[1],
    "jit of grad": lambda f, x, y, w: cv.jit(cv.grad(lambda x, y: np.sum(f(x, y)), (0, 1)))(x, y),
    "value of jit": lambda f, x, y, w: cv.jit(lambda x, y: (f(x, y), f(x, y)))(x, y),
    "grad of jit": lambda f, x, y, w: cv.grad(cv.jit(lambda x, y: np.sum(f(x, y))), (0, 1))(x, y),
    "vmap of grad": lambda f, x, y, w: cv.vmap(
        cv.grad(lambda x, y: np.sum(f(x, y)), (0, 1)), (None, None), axis_size=2
    )(x, y),
}


@pytest.mark.parametrize("output", range(10))
@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("size", [3, LARGE])
def test_results_are_writable_and_share_no_memory(name: str, output: int, size: int) -> None:
    if name.startswith("jac") and size > 3:
        return
    x, y, c = np.linspace(1.0, 2.0, size), np.linspace(2.0, 3.0, size), np.linspace(-1.0, 1.0, size)

    def function(x: Any, y: Any) -> Any:
        return _aliasing(x, y, c)[output]

    w = np.ones(np.shape(function(x, y)))
    results = leaves_of(RESULTS[name](function, x, y, w))
    assert results
    for result in results:
        assert result.flags.writeable
        assert not any(np.shares_memory(result, given) for given in (x, y, c, w))
    assert not any(np.shares_memory(a, b) for a, b in combinations(results, 2))


def test_gradients_of_leaves_of_a_tree_are_different_arrays() -> None:
    tree = {"a": np.ones(3), "b": np.ones(3), "c": np.ones(3)}
    found = cv.grad(lambda t: np.sum(t["a"] + t["b"]))(tree)
    assert not any(np.shares_memory(x, y) for x, y in combinations(found.values(), 2))
    found["a"][:] = 7.0
    np.testing.assert_array_equal(found["b"], np.ones(3))
    np.testing.assert_array_equal(found["c"], np.zeros(3))


def test_one_array_as_two_arguments_gets_two_gradients() -> None:
    x = np.ones(3)
    first, second = cv.grad(lambda x, y: np.sum(x + y), (0, 1))(x, x)
    assert not np.shares_memory(first, second)


def test_a_broadcast_cotangent_is_made_an_array() -> None:
    """The gradient of a sum is a broadcast 1 on the inside."""
    found = cv.grad(np.sum)(np.zeros((2, 3)))
    found[0, 0] = 5.0
    assert found[1, 2] == 1.0


def test_inputs_are_not_changed() -> None:
    x, w = np.linspace(1.0, 2.0, 5), np.linspace(0.0, 1.0, 5)
    before = x.copy(), w.copy()
    _, pullback = cv.vjp(lambda x: x * np.sin(x) + x, x)
    pullback(w)
    cv.grad(lambda x: np.sum(x * x) + np.sum(x))(x)
    cv.jvp(lambda x: x + x, (x,), (w,))
    np.testing.assert_array_equal((x, w), before)


# --- changes while the function runs ------------------------------------------------------------------------------


def _reusing(buffer: Array) -> Callable[[Any], Any]:
    """A function that works in a buffer of its own, overwriting it between uses."""

    def function(x: Any) -> Any:
        buffer[...] = 2.0
        first = np.sum(x * buffer)
        buffer[...] = 5.0
        return first + np.sum(x * x * buffer)

    return function


@pytest.mark.parametrize("size", [SMALL, MIDDLE])
def test_a_small_buffer_changed_between_uses_is_right(size: int) -> None:
    x = np.linspace(1.0, 2.0, size)
    np.testing.assert_allclose(cv.grad(_reusing(np.zeros(size)))(x), 2.0 + 10.0 * x)
    np.testing.assert_allclose(cv.vjp(_reusing(np.zeros(size)), x)[1](1.0)[0], 2.0 + 10.0 * x)


def test_a_large_buffer_changed_between_uses_is_right_or_refused() -> None:
    x = np.linspace(1.0, 2.0, LARGE)
    np.testing.assert_allclose(cv.vjp(_reusing(np.zeros(LARGE)), x)[1](1.0)[0], 2.0 + 10.0 * x)
    with pytest.raises(MutationError, match=r"an array of shape \(50000,\) was changed in place") as caught:
        cv.grad(_reusing(np.zeros(LARGE)))(x)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.int64, np.bool_])
@pytest.mark.parametrize("index", [0, 7, 31_117, -1])
def test_one_changed_entry_of_a_large_buffer_is_noticed(index: int, dtype: Any) -> None:
    buffer = np.ones(600_000, dtype)

    def function(x: Any) -> Any:
        result = np.sum(np.real(x * buffer))
        buffer[index] = 0
        return result

    with pytest.raises(MutationError):
        cv.grad(function)(np.ones(600_000))


def test_a_reordered_large_buffer_is_noticed() -> None:
    buffer = np.arange(float(LARGE))

    def function(x: Any) -> Any:
        result = np.sum(x * buffer)
        buffer[:] = buffer[::-1].copy()
        return result

    with pytest.raises(MutationError):
        cv.grad(function)(np.ones(LARGE))


@each_size
@pytest.mark.parametrize(
    "use",
    [
        lambda x, b: np.sum(x * b), lambda x, b: x @ b, lambda x, b: np.sum(x[b.astype(int)] * x),
        lambda x, b: np.sum(x / b),
        lambda x, b: np.sum(np.where(b > 1.5, x * x, x)), lambda x, b: np.sum(np.hypot(x, b)),
        lambda x, b: np.sum(np.exp(x * b) * b), lambda x, b: np.einsum("i,i,i->", x, x, b),
    ],
)  # fmt: skip
def test_whatever_uses_a_changed_buffer_is_right_or_refused(use: Any, size: int) -> None:
    x, buffer = np.linspace(0.1, 0.2, size), np.zeros(size)

    def function(x: Any) -> Any:
        buffer[...] = 2.0
        result = use(x, buffer)
        buffer[...] = 1.0
        return result

    expected = cv.grad(lambda x: use(x, np.full(size, 2.0)))(x)
    try:
        found = cv.grad(function)(x)
    except MutationError:
        assert size == LARGE
    else:
        np.testing.assert_allclose(found, expected)


@each_size
def test_forward_mode_follows_the_changes(size: int) -> None:
    x = np.linspace(1.0, 2.0, size)
    found = cv.jvp(_reusing(np.zeros(size)), (x,), (np.ones(size),))[1]
    assert found == pytest.approx(np.sum(2.0 + 10.0 * x))


@each_size
def test_a_stopped_value_may_be_written_to(size: int) -> None:
    """It is a plain array, and the derivative refers to the original."""

    def function(x: Any) -> Any:
        y = np.exp(x)
        stopped = cv.stop_gradient(y)
        stopped *= 100.0
        return np.sum(y * y)

    x = np.linspace(0.1, 0.2, size)
    np.testing.assert_allclose(cv.grad(function)(x), 2.0 * np.exp(2.0 * x))
    np.testing.assert_allclose(cv.vjp(function, x)[1](1.0)[0], 2.0 * np.exp(2.0 * x))


@each_size
def test_aux_outputs_may_be_written_to(size: int) -> None:
    def function(x: Any) -> Any:
        y = np.exp(x)
        return np.sum(y * y), {"y": y, "x": x}

    x = np.linspace(0.1, 0.2, size)
    before = x.copy()
    expected = 2.0 * np.exp(2.0 * x)
    for transformation in (cv.vjp, cv.linearize):
        _, derivative, aux = transformation(function, x, has_aux=True)
        spoil(aux["y"])
        found = derivative(1.0)[0] if transformation is cv.vjp else derivative.T(1.0)[0]
        np.testing.assert_allclose(found, expected)
    spoil(aux["x"])
    np.testing.assert_array_equal(x, before)


def test_in_place_operators_on_traced_values_make_new_values() -> None:
    """x += y rebinds the name; whoever else holds the old value is not affected."""

    def function(x: Any) -> Any:
        y = x * 1.0
        before = y
        y += x
        y *= 2.0
        return np.sum(before * y)

    np.testing.assert_allclose(cv.grad(function)(np.array([1.0, 2.0])), [8.0, 16.0])


@each_size
def test_custom_rules_own_the_arrays_they_close_over(size: int) -> None:
    weights = np.linspace(1.0, 2.0, size)

    @cv.custom_jvp
    def by_jvp(x: Any) -> Any:
        return weights @ x

    by_jvp.defjvp(lambda primals, tangents: (by_jvp(*primals), weights @ tangents[0]))

    @cv.custom_vjp
    def by_vjp(x: Any) -> Any:
        return weights @ x

    by_vjp.defvjp(lambda x: (by_vjp(x), weights), lambda residual, cotangent: (residual * cotangent,))
    for function in (by_jvp, by_vjp, cv.checkpoint(lambda x: weights @ x)):
        weights[:] = np.linspace(1.0, 2.0, size)
        _, pullback = cv.vjp(function, np.ones(size))
        expected = weights.copy()
        spoil(weights)
        np.testing.assert_allclose(pullback(1.0)[0], expected)


def test_a_large_buffer_whose_entries_change_places_is_noticed() -> None:
    buffer = np.arange(50_000.0)

    def function(x: Any) -> Any:
        result = np.sum(x * buffer)
        buffer[[1, 2]] = buffer[[2, 1]]
        return result

    with pytest.raises(MutationError):
        cv.grad(function)(np.ones(50_000))
