"""Programs as people write them have the derivatives that difference quotients say, in every mode, compiled or not.

The programs are in `tests/wild`. The oracle is the program itself, run by NumPy at neighbouring points: no rule of
covector's takes part in it. Compiled code is compared with eager derivatives at several points in turn, so that
recordings of other branches are met, and from call to call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.trees import flatten, unflatten
from tests.wild import (  # noqa: F401  # the modules register their programs
    PROGRAMS,
    Function,
    Point,
    Program,
    algorithms,
    learning,
    mechanics,
    statistics,
    waves,
)

CALLS = 4
"""The first call records, the second compiles, the third may take a shorter path; the fourth has to equal it."""

NOT_EXPORTED = {"matrix_exponential", "selections_and_picks"}
"""Programs with an operation that has no form of its own in NumPy: a matrix exponential, a product with zeros."""

each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


def mixed(function: Function) -> Function:
    """The function with all entries of its output added up, each with a weight of its own."""

    def scalar(*args: Any) -> Any:
        return sum(np.sum(part * weights) for part, weights in _weighed(function(*args)))

    return scalar


def _weighed(out: Any) -> Iterator[tuple[Any, Any]]:
    for k, leaf in enumerate(flatten(out)[0]):
        yield leaf, np.cos(1.7 * np.arange(1, np.size(leaf) + 1) + k).reshape(np.shape(leaf))


def direction(point: Point, seed: int) -> Point:
    """A direction in which to move a point."""
    rng = np.random.default_rng(seed)

    def like(x: Any) -> Any:
        v = rng.normal(size=np.shape(x)) + (1j * rng.normal(size=np.shape(x)) if np.iscomplexobj(x) else 0.0)
        return v if isinstance(x, np.ndarray) else type(x)(v)

    return on_leaves(like, point)


def moved(point: Point, along: Point, step: float) -> Point:
    return on_leaves(lambda x, v: x + step * v, point, along)


def on_leaves(function: Callable[..., Any], *trees: Point) -> Point:
    structure = flatten(trees[0])[1]
    result: Point = unflatten(structure, [function(*x) for x in zip(*(flatten(t)[0] for t in trees), strict=True)])
    return result


def paired(gradient: Any, along: Point) -> float:
    """What a gradient says the function changes by along a direction."""
    both = zip(flatten(gradient)[0], flatten(along)[0], strict=True)
    return float(sum(np.sum(np.real(x * v)) for x, v in both))


def quotient(curve: Callable[[float], Any], scale: float) -> Any:
    """The derivative of a curve at 0, by central differences of five steps, extrapolated."""
    rows = [(np.asarray(curve(h)) - np.asarray(curve(-h))) / (2 * h) for h in scale * 0.5 ** np.arange(5)]
    order = 1
    while len(rows) > 1:
        rows, order = [(4**order * narrow - wide) / (4**order - 1) for wide, narrow in pairwise(rows)], order + 1
    return rows[0]


def vector(tree: Any) -> Any:
    return np.concatenate([np.ravel(x) for x in flatten(tree)[0]])


def assert_close(found: Any, expected: Any, tolerance: float) -> None:
    scale = 1.0 + np.max(np.abs(expected), initial=0.0)
    assert np.shape(found) == np.shape(expected)
    assert np.max(np.abs(np.asarray(found) - expected), initial=0.0) <= tolerance * scale


def gradient_of(program: Program) -> Function:
    return cv.value_and_grad(mixed(program.function), tuple(range(len(program.points[0]))))


@each_program
def test_gradients_are_difference_quotients(program: Program) -> None:
    scalar, gradient = mixed(program.function), gradient_of(program)
    for point in program.points:
        value, found = gradient(*point)
        assert_close(value, scalar(*point), 1e-12)
        for seed in range(3):
            along = direction(point, seed)
            slope = quotient(lambda h, p=point, v=along: float(scalar(*moved(p, v, h))), program.scale)  # type: ignore[misc]
            assert_close(paired(found, along), slope, 1e-6)


@each_program
def test_modes_agree(program: Program) -> None:
    scalar, gradient = mixed(program.function), gradient_of(program)
    for point in program.points:
        along = direction(point, 3)
        value, found = gradient(*point)
        _, slope = cv.jvp(scalar, point, along)
        _, linear = cv.linearize(scalar, *point)
        assert_close(slope, paired(found, along), 1e-10)
        assert_close(linear(*along), paired(found, along), 1e-10)
        assert_close(vector(linear.T(np.ones_like(value))), vector(found), 1e-10)


@each_program
def test_jacobians_agree(program: Program) -> None:
    point, numbers = program.points[0], tuple(range(len(program.points[0])))
    if any(np.iscomplexobj(x) for x in flatten(point)[0]):
        with pytest.raises(cv.errors.NotDifferentiableError):
            cv.jacfwd(program.function, numbers)(*point)
        return
    forward, reverse = (jacobian(program.function, numbers)(*point) for jacobian in (cv.jacfwd, cv.jacrev))
    assert_close(vector(forward), vector(reverse), 1e-10)


@each_program
@pytest.mark.parametrize("composed", ["jit of grad", "grad of jit"])
def test_compiled_gradients_are_the_eager_ones(program: Program, composed: str) -> None:
    numbers = tuple(range(len(program.points[0])))
    scalar = mixed(program.function)
    compiled = cv.jit(gradient_of(program)) if composed == "jit of grad" else cv.value_and_grad(cv.jit(scalar), numbers)
    if not program.compiled:
        with pytest.raises(cv.errors.ConcreteValueError):
            compiled(*program.points[0])
        return
    expected = [gradient_of(program)(*point) for point in program.points]
    before: list[Any] = []
    for call in range(CALLS):
        found = [compiled(*point) for point in program.points]
        for one, other in zip(found, expected, strict=True):
            assert_close(vector(one), vector(other), 1e-9)
        if call == CALLS - 1:
            assert all(np.array_equal(vector(x), vector(y)) for x, y in zip(found, before, strict=True))
        before = found


@each_program
def test_second_derivatives_are_difference_quotients(program: Program) -> None:
    scalar, point = mixed(program.function), program.points[0]
    gradient = cv.grad(scalar, tuple(range(len(point))))
    along = direction(point, 4)

    def product(*p: Any) -> Any:
        return cv.jvp(gradient, p, along)[1]

    found = vector(product(*point))
    assert_close(found, quotient(lambda h: vector(gradient(*moved(point, along, h))), program.scale), 1e-5)
    if program.compiled:
        compiled = cv.jit(product)
        for _ in range(2):
            assert_close(vector(compiled(*point)), found, 1e-8)


@each_program
def test_batches_are_loops(program: Program) -> None:
    gradient = cv.grad(mixed(program.function), tuple(range(len(program.points[0]))))
    batch = on_leaves(lambda *x: np.stack([np.asarray(y) for y in x]), *program.points)
    if program.branching:
        with pytest.raises(cv.errors.ConcreteValueError):
            cv.vmap(gradient)(*batch)
        return
    expected = on_leaves(lambda *x: np.stack([np.asarray(y) for y in x]), *(gradient(*p) for p in program.points))
    assert_close(vector(cv.vmap(gradient)(*batch)), vector(expected), 1e-9)
    compiled = cv.jit(cv.vmap(gradient))
    for _ in range(2):
        assert_close(vector(compiled(*batch)), vector(expected), 1e-9)


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.compiled][::3], ids=lambda program: program.name)
def test_exported_modules_compute_the_same(program: Program) -> None:
    point, gradient = program.points[0], gradient_of(program)
    if program.name in NOT_EXPORTED:
        with pytest.raises(cv.errors.UnsupportedFunctionError):
            cv.export(cv.jit(gradient), *point)
        return
    module: dict[str, Any] = {}
    exec(cv.export(cv.jit(gradient), *point), module)
    (name,) = module["__all__"]
    assert_close(vector(module[name](*point)), vector(gradient(*point)), 1e-9)
