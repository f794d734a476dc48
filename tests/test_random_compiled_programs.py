"""Random NumPy programs of mixed shapes and dtypes: compiled code gives what the program gives, in value and type.

The first call records, the later ones run compiled code, also where entries are tied, zero, infinite or NaN, and where
arrays are large enough to be worked on block by block and by two threads. Operations for which the sign of a zero
matters are left out, for that may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.trees import flatten

Operation = Callable[[Any, Any], Any]

OPERATIONS: list[Operation] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    np.divide,
    lambda x, y: np.maximum(x, y),
    lambda x, y: np.fmin(x, y),
    lambda x, y: np.where(x > y, x, y * y),
    lambda x, y: np.where((x > 0) & (y < 1), np.sqrt(abs(x)), y),
    lambda x, y: np.hypot(x, y),
    lambda x, y: np.logaddexp(x, y),
    lambda x, y: np.clip(x, -0.5, 1.0) - y,
    lambda x, _: np.sin(x),
    lambda x, _: np.exp(-x),
    lambda x, _: np.log1p(abs(x)),
    lambda x, _: np.sign(x) * 0.5,
    lambda x, _: np.floor(2.0 * x),
    lambda x, _: 1.0 / x,
    lambda x, _: np.float64(1.5) + x,
    lambda x, _: np.float32(0.5) * x,
    lambda x, _: 2 - x,
    lambda x, _: x * x - 1.0,
    lambda x, _: (x > 0.5) * 2.0,
    lambda x, _: x.astype(np.float32),
    lambda x, _: np.floor(np.clip(x, -9.0, 9.0)).astype(np.int64),
    lambda x, _: np.sum(x),
    lambda x, _: np.mean(x, axis=0),
    lambda x, _: np.max(x, axis=-1, keepdims=True),
    lambda x, _: np.cumsum(x, axis=0),
    lambda x, _: np.sort(x),
    lambda x, _: np.sqrt(np.sum(x * x, axis=-1)),
    lambda x, _: x[1:],
    lambda x, _: x[:-1] * 0.5,
    lambda x, _: x[..., -1],
    lambda x, _: x[::-1],
    lambda x, _: x.T,
    lambda x, _: np.pad(x, 1),
    lambda x, _: np.roll(x, 1),
    lambda x, _: np.tril(x) if np.ndim(x) > 1 else x,
    lambda x, _: x[..., None],
    lambda x, _: x.reshape(-1),
    lambda x, _: x[::-2][:3],
    lambda x, _: np.moveaxis(x, 0, -1),
    lambda x, _: np.flip(x, 0),
    lambda x, _: x[np.array([0, -1, 0])],
    lambda x, _: x**5,
    lambda x, _: x**-2.0,
    lambda x, _: sum(np.split(x, 2)) if len(x) % 2 == 0 else x,
    lambda x, y: np.stack([x, y]),
    lambda x, y: np.concatenate([x, y]),
    lambda x, y: x @ y,
    lambda x, _: x * 2.0 if np.sum(x) > 0.3 else x - 1.0,
]

KINDS: dict[str, list[tuple[tuple[int, ...], Any]]] = {
    "numbers": [((), np.float64), ((), np.float64), ((), np.float64)],
    "small": [((3,), np.float64), ((), np.float64), ((2, 3), np.float64), ((3, 3), np.float64)],
    "single precision": [((3,), np.float32), ((), np.float32), ((3, 3), np.float32), ((3,), np.float64)],
    "complex": [((3,), np.complex128), ((), np.float64), ((3, 3), np.float64)],
    "large": [((300, 256), np.float64), ((256,), np.float64), ((), np.float64), ((300, 1), np.float64)],
    "large and single precision": [((70_000,), np.float32), ((70_000,), np.float32), ((), np.float64)],
}


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> None:
    """Not here: the first call records, as it does for users."""


class RandomProgram:
    """Operations on the values so far, by position; a function of the arguments."""

    def __init__(self, rng: np.random.Generator, arguments: Sequence[Any], length: int) -> None:
        self.steps: list[tuple[Operation, int, int]] = []
        values = list(arguments)
        while len(self.steps) < length:
            operation = OPERATIONS[rng.integers(len(OPERATIONS))]
            i, j = (int(k) for k in rng.integers(len(values), size=2))
            if operation is np.divide and i == j:  # nothing but rounding is left of the derivative of x / x
                continue
            try:
                value = operation(values[i], values[j])
            except (TypeError, ValueError, IndexError):  # shapes or dtypes that do not fit
                continue
            if 0 < np.size(value) <= 200_000 and np.ndim(value) < 4:
                values.append(value)
                self.steps.append((operation, i, j))

    def __call__(self, *arguments: Any) -> Any:
        """The last values."""
        values = list(arguments)
        for operation, i, j in self.steps:
            values.append(operation(values[i], values[j]))
        return tuple(values[-3:])

    def total(self, *arguments: Any) -> Any:
        """A number made of the last values."""
        return sum(np.sum(np.real(x)) * (0.5 + i) for i, x in enumerate(self(*arguments)))


def points(rng: np.random.Generator, kinds: Sequence[tuple[tuple[int, ...], Any]]) -> list[list[Any]]:
    """Arguments: ordinary ones twice, of any sign, with ties and zeros, and with an entry that is none of these."""
    drawn: list[Callable[[Any], Any]] = [
        lambda shape: rng.uniform(0.2, 1.5, shape),
        lambda shape: rng.uniform(0.2, 1.5, shape),
        lambda shape: rng.normal(size=shape),
        lambda shape: rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0], shape),
        lambda shape: with_an_entry(rng.uniform(0.2, 1.5, shape), rng.choice([np.inf, -np.inf, np.nan])),
    ]
    return [[np.asarray(draw(shape)).astype(dtype)[()] for shape, dtype in kinds] for draw in drawn]


def with_an_entry(x: Any, value: float) -> Any:
    """The array with another first entry."""
    x = np.asarray(x)
    x.flat[0] = value
    return x


def same(found: Any, expected: Any) -> None:
    """Of one type, infinite and NaN in the same places, equal otherwise to rounding."""
    for a, b in zip(flatten(found)[0], flatten(expected)[0], strict=True):
        assert (np.shape(a), np.asarray(a).dtype) == (np.shape(b), np.asarray(b).dtype)
        finite = np.abs(np.where(np.isfinite(b), b, 0)).max()
        tolerance = 2e-4 if np.asarray(b).dtype.char in "fF" else 1e-6
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * finite)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_compiled_code_is_the_program(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arguments = points(rng, KINDS[kind])
    program = RandomProgram(rng, arguments[0], length=2 + seed % 6)
    differentiable = tuple(i for i, (_, dtype) in enumerate(KINDS[kind]) if dtype != np.complex128)
    derivative = cv.value_and_grad(program.total, differentiable)
    fast: list[Any] = [cv.jit(program), cv.jit(derivative), cv.value_and_grad(cv.jit(program.total), differentiable)]
    for point in arguments:
        expected = program(*point), derivative(*point), derivative(*point)
        for function, value in zip(fast, expected, strict=True):
            with cv.config.using(threads=2):
                same(function(*point), value)
