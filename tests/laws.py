"""The laws that every primitive obeys, as functions of an `Instance`.

A law that fails raises an AssertionError. Nothing here knows a derivative formula: expected values are values
of the primitive itself, difference quotients of them, and loops over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import covector as cv
from covector.core.broadcasting import Cast
from covector.core.families import Elementwise
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import Array, ArrayType, typeof
from covector.errors import NonlinearError
from covector.graph.graph import Graph, run_equations, value_of
from covector.testing import check_batching, check_grads, difference_quotient
from tests.catalogue.instance import Instance
from tests.second_derivatives import COMPOSITIONS, dot, real_sum


def rounding(instance: Instance) -> float:
    """A generous bound on the relative rounding errors of the operation: its coarsest dtype decides."""
    values = [*instance.inputs, *as_tuple(instance.primitive(*instance.inputs))]
    return 1e4 * max(float(np.finfo(typeof(x).dtype).eps) for x in values if typeof(x).differentiable)


# --- law (i): the declared output type is the type of the output ------------------------------------------------


def output_type_law(instance: Instance) -> None:
    declared = as_tuple(instance.primitive.output_type(*(typeof(x) for x in instance.inputs)))
    outputs = as_tuple(instance.primitive(*instance.inputs))
    found = [typeof(x) for x in outputs]
    assert [t.strong() for t in declared] == [t.strong() for t in found], f"declared {declared}, found {found}"


# --- law (ii): jvp = difference quotient, and reverse mode its transpose ---------------------------------------


def derivative_law(instance: Instance) -> None:
    outputs = as_tuple(instance.primitive(*instance.inputs))
    if instance.differentiable and any(typeof(x).differentiable for x in outputs):
        check_grads(function_of(instance), arguments_of(instance), order=1)


def function_of(instance: Instance) -> Callable[..., Any]:
    """The operation as a function of its differentiable inputs."""

    def function(*values: Array) -> Any:
        return instance.primitive(*with_inputs(instance, instance.differentiable, values))

    function.__qualname__ = repr(instance)
    return function


def arguments_of(instance: Instance) -> tuple[Array, ...]:
    """The differentiable inputs."""
    return tuple(instance.inputs[i] for i in instance.differentiable)


def with_inputs(instance: Instance, positions: Sequence[int], values: Sequence[Array]) -> list[Array]:
    """The inputs with some replaced."""
    inputs = list(instance.inputs)
    for i, value in zip(positions, values, strict=True):
        inputs[i] = value
    return inputs


def partial_law(instance: Instance) -> None:
    """The derivative in one input is the part of the derivative in all of them."""
    positions, point = instance.differentiable, arguments_of(instance)
    outputs = instance.primitive(*instance.inputs)
    if len(positions) < 2 or not all(typeof(x).differentiable for x in as_tuple(outputs)):
        return
    tangents = random_like(point, 10)
    cotangents = mirrored(outputs, random_like(as_tuple(outputs), 11))
    _, whole = cv.linearize(function_of(instance), *point)
    for k, position in enumerate(positions):
        alone = function_of(
            Instance(instance.primitive, *instance.inputs, name=instance.name, differentiable=(position,))
        )
        zeros = [np.zeros_like(t) for t in tangents]
        zeros[k] = tangents[k]
        pushed = as_tuple(cv.jvp(alone, (point[k],), (tangents[k],))[1])
        for x, y in zip(pushed, as_tuple(whole(*zeros)), strict=True):
            _assert_close(x, y, rounding(instance))
        _assert_close(cv.vjp(alone, point[k])[1](cotangents)[0], whole.T(cotangents)[k], rounding(instance))


# --- law (iii): <w, A v> = <transpose(A) w, v> ------------------------------------------------------------------


def linearization_law(instance: Instance) -> None:
    """Of the derivative: pushing forward and pulling back are transposes of each other."""
    if not instance.differentiable:
        return
    outputs, derivative = cv.linearize(function_of(instance), *arguments_of(instance))
    if not all(typeof(x).differentiable for x in as_tuple(outputs)):
        return
    tangents = tuple(random_like(arguments_of(instance), 1))
    cotangents = mirrored(outputs, random_like(as_tuple(outputs), 2))
    pushed, pulled = derivative(*tangents), derivative.T(cotangents)
    _check_types(as_tuple(pushed), as_tuple(outputs))
    _check_types(pulled, arguments_of(instance))
    assert_pairings_agree(as_tuple(cotangents), as_tuple(pushed), pulled, tangents, rounding(instance))


def transposition_law(instance: Instance) -> None:
    """Of the operation itself, in every set of inputs it is linear in."""
    for positions in linear_sets(instance):
        fixed = [_zero_like(x) if _affine(instance, positions, i) else x for i, x in enumerate(instance.inputs)]
        linear = Instance(instance.primitive, *fixed, differentiable=positions)
        vectors = random_like([fixed[i] for i in positions], 3)
        image = instance.primitive(*with_inputs(linear, positions, vectors))
        cotangents = mirrored(image, random_like(as_tuple(image), 4))
        pulled = _transposed(linear, cotangents)
        _check_types(pulled, vectors)
        assert_pairings_agree(as_tuple(cotangents), as_tuple(image), pulled, vectors, rounding(instance))


def linear_sets(instance: Instance) -> list[tuple[int, ...]]:
    """The sets of inputs in which the operation declares itself linear: single ones, and whole ones jointly."""
    count = len(instance.inputs)
    single = tuple(i for i in instance.differentiable if _declared_linear(instance.primitive, (i,), count))
    joint = [(i for i in instance.primitive.linear_inputs((i,), count) if i in instance.differentiable) for i in single]
    found = dict.fromkeys([*((i,) for i in single), *map(tuple, joint)])
    if _declared_linear(instance.primitive, single, count):
        found[single] = None
    return list(found)


def _declared_linear(primitive: Primitive, positions: tuple[int, ...], count: int) -> bool:
    try:
        return bool(positions) and bool(primitive.linear_inputs(positions, count))
    except NonlinearError:
        return False


def _transposed(instance: Instance, cotangents: Any) -> tuple[Array, ...]:
    positions = instance.differentiable
    if isinstance(instance.primitive, Elementwise):
        like = [instance.inputs[i] for i in positions]
        return tuple(cv.linear_transpose(function_of(instance), *like)(cotangents))
    given = [typeof(x).strong() if i in positions else x for i, x in enumerate(instance.inputs)]
    answered = instance.primitive.linear_inputs(positions, len(given))
    found = as_tuple(instance.primitive.transpose(cotangents, *given))
    assert len(found) == len(answered), f"{len(found)} cotangents for {len(answered)} linear inputs"
    by_position = dict(zip(answered, found, strict=True))
    return tuple(by_position[i] for i in positions)


def _affine(instance: Instance, linear: Sequence[int], position: int) -> bool:
    """Whether a nonzero constant in this input would make the operation affine rather than linear in the others."""
    primitive, count = instance.primitive, len(instance.inputs)
    if isinstance(primitive, Elementwise):
        return primitive.jointly and position not in linear
    return position in primitive.linear_inputs(linear, count) and position not in linear


def _zero_like(x: Array) -> Array:
    return type(x)(0) if isinstance(x, (float, complex)) else np.zeros_like(x)


def _check_types(found: Sequence[Array], like: Sequence[Array]) -> None:
    types = [typeof(x).strong() for x in found], [typeof(x).strong() for x in like]
    assert types[0] == types[1], f"types {types[0]}, expected {types[1]}"


def assert_pairings_agree(
    cotangents: Sequence[Array], images: Sequence[Array], pulled: Sequence[Array], vectors: Sequence[Array], rtol: float
) -> None:
    """<cotangents, images> = <pulled, vectors>, in the real part, which determines a real-linear map's transpose."""
    left, left_size = pairing(cotangents, images)
    right, right_size = pairing(pulled, vectors)
    assert abs(left - right) <= rtol * (1.0 + left_size + right_size), f"<w, A v> = {left}, <A.T w, v> = {right}"


def pairing(cotangents: Sequence[Array], tangents: Sequence[Array]) -> tuple[float, float]:
    """The real part of the sum of products of entries, and the sum of their absolute values."""
    products = [np.multiply(x, y) for x, y in zip(cotangents, tangents, strict=True)]
    return float(sum(np.sum(p.real) for p in products)), float(sum(np.sum(np.abs(p)) for p in products))


def random_like(arrays: Sequence[Array], seed: int) -> list[Array]:
    """Random arrays of the same types."""
    rng = np.random.default_rng(seed)
    found = []
    for x in arrays:
        kind = typeof(x)
        values = rng.standard_normal(kind.shape)
        if kind.dtype.kind == "c":
            values = values + 1j * rng.standard_normal(kind.shape)
        found.append(kind.dtype.type(values) if kind.shape == () else values.astype(kind.dtype))
    return found


def mirrored(outputs: Any, values: Sequence[Array]) -> Any:
    """The values as the outputs are given: one array, or a tuple of them."""
    return tuple(values) if isinstance(outputs, tuple) else values[0]


# --- law (iv): batching = stacking ----------------------------------------------------------------------------


def batching_law(instance: Instance, *, size: int = 3) -> None:
    """For every nonempty set of batched inputs, indices and masks among them."""

    def function(*values: Array) -> Any:
        return instance.primitive(*values)

    function.__qualname__ = repr(instance)
    check_batching(function, instance.inputs, size=size)


def empty_batch_law(instance: Instance) -> None:
    """A batch of nothing has the type of a batch."""
    single = as_tuple(instance.primitive(*instance.inputs))
    batches = [np.stack([x, x])[:0] for x in instance.inputs]
    found = as_tuple(cv.vmap(lambda *x: instance.primitive(*x))(*batches))
    _check_types(found, [typeof(x).batched(0) for x in single])


def batched_derivative_law(instance: Instance) -> None:
    """Of the derivative: the rows of the matrix pulled back, and its columns pushed forward, all at once."""
    if not instance.differentiable:
        return
    _, point = _real_problem(instance)
    _, derivative = cv.linearize(lambda *x: real_outputs(instance, x), *point)
    rows, columns = derivative.domain.dimension, derivative.codomain.dimension
    if rows and columns:
        found, expected = derivative.T.matrix().T, derivative.matrix()
        size = 1.0 + float(np.max(np.abs(expected), initial=0.0))
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=100.0 * rounding(instance) * size)


def batched_modes_law(instance: Instance) -> None:
    """Of forward and reverse mode at a batch of points, along a batch of tangents or cotangents, and both."""
    function, point = function_of(instance), arguments_of(instance)
    outputs = as_tuple(function(*point))
    if not point or not all(typeof(x).differentiable for x in outputs):
        return

    def push(primals: Sequence[Array], tangents: Sequence[Array]) -> tuple[Array, ...]:
        return as_tuple(cv.jvp(function, primals, tangents)[1])

    def pull(primals: Sequence[Array], cotangents: Sequence[Array]) -> Any:
        values, pullback = cv.vjp(function, *primals)
        return pullback(mirrored(values, cotangents))

    points = tuple(
        np.stack([x, (1.0 + 1e-2 * np.sin(np.ones(np.shape(x)))) * x]).astype(typeof(x).dtype) for x in point
    )
    for mode, vectors in ((push, point), (pull, outputs)):
        directions = tuple(
            np.stack(pair) for pair in zip(random_like(vectors, 8), random_like(vectors, 9), strict=True)
        )
        for in_axes in ((0, 0), (0, None), (None, 0)):
            args = (points if in_axes[0] == 0 else point, directions if in_axes[1] == 0 else _elements(directions, 0))
            found = cv.vmap(mode, in_axes)(*args)
            for k in range(2):
                single = mode(
                    _elements(points, k) if in_axes[0] == 0 else point,
                    _elements(directions, k if in_axes[1] == 0 else 0),
                )
                for x, y in zip(_elements(found, k), single, strict=True):
                    _assert_close(x, y, 100.0 * rounding(instance))


def _elements(batches: Sequence[Array], number: int) -> tuple[Array, ...]:
    return tuple(batch[number] for batch in batches)


def _assert_close(found: Array, expected: Array, rtol: float) -> None:
    _check_types([found], [expected])
    size = 1.0 + float(np.max(np.abs(expected), initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=rtol * size)


# --- law (v): record and run = run --------------------------------------------------------------------------------


def recording_law(instance: Instance) -> None:
    """Every recorded value has the type that its variable declares, and the outputs are those of the operation."""

    def function(*values: Array) -> Any:
        return instance.primitive(*values)

    expected = as_tuple(instance.primitive(*instance.inputs))
    graph = cv.make_graph(function)(*instance.inputs)
    found = as_tuple(graph(*instance.inputs))
    _check_types(found, expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)
    if instance.differentiable and typeof(expected[0]).differentiable:
        scalar, point = _real_problem(instance)
        check_variables(cv.make_graph(cv.grad(scalar))(tuple(point)), point)


def check_variables(graph: Graph, inputs: Sequence[Array]) -> None:
    """Runs a graph, comparing the type of every value with the type of its variable."""
    values = dict(graph.constants) | dict(zip(graph.inputs, inputs, strict=True))
    for equation in graph.equations:
        run_equations([equation], values)
        for variable in equation.outputs:
            assert typeof(values[variable]).strong() == variable.type.strong(), (
                f"{equation.primitive} declared {variable}"
            )
    assert all(typeof(value_of(x, values)).strong() == x.type.strong() for x in graph.outputs)


# --- law (vi): jit = no jit, to rounding ------------------------------------------------------------------------


def compiled_law(instance: Instance) -> None:
    """Of the operation, and of its gradient as a fused program."""

    def function(*values: Array) -> Any:
        return instance.primitive(*values)

    expected = as_tuple(instance.primitive(*instance.inputs))
    for x, y in zip(as_tuple(cv.jit(function)(*instance.inputs)), expected, strict=True):
        _assert_close(x, y, 1e-3 * rounding(instance) if typeof(y).differentiable else 0.0)
    if instance.differentiable:
        scalar, point = _real_problem(instance)
        gradient = cv.grad(scalar)
        for x, y in zip(cv.jit(gradient)(tuple(point)), gradient(tuple(point)), strict=True):
            _assert_close(x, y, rounding(instance))


# --- law (vii): one second derivative, many compositions -------------------------------------------------------


def second_order_law(instance: Instance) -> None:
    if not instance.differentiable:
        return
    rtol = max(1e-8, rounding(instance))
    function, point = _real_problem(instance)
    u, v = random_like(point, 5), random_like(point, 6)
    expected = float(difference_quotient(lambda x: dot(cv.grad(function)(x), u), (tuple(point),), (tuple(v),)))
    second = {
        name: float(compute(function, tuple(point), tuple(u), tuple(v))) for name, compute in COMPOSITIONS.items()
    }
    size = 1.0 + max(map(abs, second.values()))
    reference = second["forward over reverse"]
    off = {name: value for name, value in second.items() if not abs(value - reference) <= rtol * size}
    assert not off, f"second derivatives disagree: {second}"
    assert abs(reference - expected) <= max(1e-5, rtol) * size, (
        f"the second derivative is {reference}, the quotient {expected}"
    )


def _real_problem(instance: Instance) -> tuple[Callable[[Any], Any], list[Array]]:
    """A real function of a tuple of real arrays that is nonlinear in the outputs of the operation.

    A complex input z is given by two real ones, z = x + iy, so that all that is differentiated is real.
    """
    point: list[Array] = []
    for x in arguments_of(instance):
        point += [np.real(x), np.imag(x)] if np.iscomplexobj(x) else [x]

    def function(values: Sequence[Array]) -> Any:
        smooth = smooth_outputs(instance, values)
        weights = random_like([ArrayType(typeof(x).shape, np.dtype(np.complex128)) for x in smooth], 7)
        return sum((real_sum(x * w + x * x * w) for x, w in zip(smooth, weights, strict=True)), 0.0)

    return function, [np.asarray(x, np.float64)[()] for x in point]


def smooth_outputs(instance: Instance, values: Sequence[Array]) -> list[Array]:
    """The floating-point outputs, as a function of real arrays that stand for the differentiable inputs."""
    rest = iter(values)
    inputs = [next(rest) + 1j * next(rest) if np.iscomplexobj(x) else next(rest) for x in arguments_of(instance)]
    return [x for x in as_tuple(function_of(instance)(*inputs)) if typeof(x).differentiable]


def real_outputs(instance: Instance, values: Sequence[Array]) -> tuple[Array, ...]:
    """The real and imaginary parts of the floating-point outputs."""
    parts: list[Array] = []
    for x in smooth_outputs(instance, values):
        real = Cast(typeof(x).dtype.type(0).real.dtype)
        parts += [real(x), real(-1j * x)] if typeof(x).dtype.kind == "c" else [x]
    return tuple(parts)
