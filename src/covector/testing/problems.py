"""A function to be checked: of the floating-point leaves of its arguments, with its difference quotients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array, typeof
from covector.errors import ArgumentError, CovectorError
from covector.numpy.operands import operand
from covector.testing.comparison import check_type, compare, default_tolerance
from covector.testing.differences import FIRST_STEP, Vector, complex_step, extrapolated_difference
from covector.transforms.derivatives import jvp, vjp
from covector.trees import Tree, TreeDefinition, flatten, leaf_paths, unflatten

SEED = 20_170_317
"""Seeds the random directions, so that a check that passes once passes always."""


def difference_quotient(
    function: Callable[..., Tree], args: Sequence[Tree], tangents: Sequence[Tree], eps: float | None = None
) -> Tree:
    """The derivative of a function along a direction, from values of the function alone.

    Args:
        function: a function of arrays, numbers or trees of them; it is called with plain arrays only.
        args: its positional arguments; floating-point leaves.
        tangents: the direction, a tree like `args`.
        eps: the largest step of the central differences.

    Returns:
        The quotients, of the structure of the output, in double precision.

    Example:
        >>> import numpy as np
        >>> float(difference_quotient(np.sin, (0.0,), (2.0,)))
        2.0
    """
    problem = Problem.of(function, args)
    quotients, _ = problem.quotient(flatten(tuple(tangents))[0], eps)
    return unflatten(flatten(function(*args))[1], quotients)


@final
@frozen(eq=False)
class Problem:
    """A function of a list of floating-point arrays, with the point at which it is checked.

    Called with such arrays it returns the floating-point leaves of the output as a list.
    """

    function: Callable[..., Tree]
    name: str
    structure: TreeDefinition
    all_leaves: tuple[Array, ...]
    floating: tuple[int, ...]
    input_paths: tuple[str, ...]
    values: tuple[Vector, ...]
    output_paths: tuple[str, ...]

    @classmethod
    def of(cls, function: Callable[..., Tree], args: Sequence[Tree], name: str | None = None) -> Problem:
        """The problem of checking a function at its arguments."""
        args = tuple(args)
        found, structure = flatten(args)
        leaves = tuple(map(operand, found))
        floating = tuple(i for i, x in enumerate(leaves) if typeof(x).differentiable)
        if not floating:
            raise ArgumentError("no argument has floating-point entries, so there is no derivative to check")
        names = leaf_paths(args, "args")
        out = function(*args)
        outputs = [operand(x) for x in flatten(out)[0]]
        kept = [i for i, x in enumerate(outputs) if typeof(x).differentiable]
        if not kept:
            raise ArgumentError("no output has floating-point entries, so there is no derivative to check")
        paths = leaf_paths(out, "output")
        return cls(
            function, name or str(getattr(function, "__qualname__", function)), structure, leaves, floating,
            tuple(names[i] for i in floating), tuple(np.asarray(outputs[i]) for i in kept),
            tuple(paths[i] for i in kept),
        )  # fmt: skip

    def __call__(self, *values: Array) -> list[Array]:
        leaves = list(self.all_leaves)
        for i, value in zip(self.floating, values, strict=True):
            leaves[i] = value
        outputs = flatten(self.function(*unflatten(self.structure, leaves)))[0]
        return [x for x in map(operand, outputs) if typeof(x).differentiable]

    @property
    def leaves(self) -> tuple[Array, ...]:
        """The floating-point leaves of the arguments."""
        return tuple(self.all_leaves[i] for i in self.floating)

    @property
    def dtypes(self) -> list[np.dtype[Any]]:
        """The dtypes that decide how exact the derivatives are."""
        return [typeof(x).dtype for x in (*self.leaves, *self.values)]

    @property
    def magnitude(self) -> float:
        """The absolute value of the largest entry of the output, on which rounding errors depend."""
        return max(float(np.max(np.abs(x), initial=0.0)) for x in self.values)

    def directions(self) -> list[Array]:
        """A random tangent for each leaf."""
        return random_like(self.leaves, SEED)

    def basis(self) -> Iterator[tuple[int, list[Vector], Any]]:
        """Unit tangents, imaginary ones too for complex leaves: which leaf, the tangents, which entry."""
        for i, leaf in enumerate(self.leaves):
            for index in np.ndindex(np.shape(leaf)):
                for unit in (1.0, 1j) if typeof(leaf).dtype.kind == "c" else (1.0,):
                    tangents = [np.zeros(np.shape(x), typeof(x).dtype) for x in self.leaves]
                    tangents[i][index] = unit
                    yield i, tangents, index

    def check_values(self, values: Sequence[Array]) -> None:
        """Raises if the function gave other outputs to traced arguments than to plain ones."""
        for x, y, path in zip(values, self.values, self.output_paths, strict=True):
            check_type(x, y, f"{path} of {self.name} under differentiation")
            allowed = 1e-3 * default_tolerance([y.dtype]) * (1.0 + np.abs(y))
            compare(x, y, np.asarray(allowed), f"the value of {self.name} under differentiation at {path}", 0.0)

    def pushed_forward(self) -> Problem:
        """Its jvp, as a function of primals and tangents."""
        count = len(self.leaves)

        def pushed(*values: Array) -> Any:
            return jvp(self, values[:count], values[count:])[1]

        return Problem.of(pushed, (*self.leaves, *self.directions()), f"jvp of {self.name}")

    def pulled_back(self) -> Problem:
        """Its vjp, as a function of primals and cotangents."""
        count = len(self.leaves)

        def pulled(*values: Array) -> Any:
            return vjp(self, *values[:count])[1](list(values[count:]))

        return Problem.of(pulled, (*self.leaves, *random_like(self.values, SEED + 2)), f"vjp of {self.name}")

    def quotient(self, tangents: Sequence[Array], eps: float | None) -> tuple[list[Vector], list[Vector]]:
        """The derivative along the tangents, and an estimate of its error, for each output."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            quotients, errors = self._quotient(tangents, FIRST_STEP if eps is None else eps)
        ends = np.cumsum([x.size for x in self.values])[:-1]
        return (
            [x.reshape(v.shape) for x, v in zip(np.split(quotients, ends), self.values, strict=True)],
            [x.reshape(v.shape) for x, v in zip(np.split(errors, ends), self.values, strict=True)],
        )

    def _quotient(self, tangents: Sequence[Array], eps: float) -> tuple[Vector, Vector]:
        primals = [np.asarray(x, np.result_type(typeof(x).dtype, np.float64)) for x in self.leaves]
        try:
            found = extrapolated_difference(self._curve(primals, tangents), eps)
        except CovectorError:  # the function insists on the dtypes that it was given
            primals = [np.asarray(x) for x in self.leaves]
            found = extrapolated_difference(self._curve(primals, tangents), eps)
        if any(x.dtype.kind == "c" for x in (*primals, *self.values)):
            return found
        exact = complex_step(self._curve(primals, tangents))
        if exact is None or not np.all(np.abs(exact - found[0]) <= 1e-6 * (1.0 + np.abs(exact)) + 10.0 * found[1]):
            return found
        return exact, np.full(exact.shape, np.finfo(float).eps)

    def _curve(self, primals: Sequence[Vector], tangents: Sequence[Array]) -> Callable[[complex], Vector]:
        def curve(step: complex) -> Vector:
            moved = [(x + step * np.asarray(v)).astype(np.result_type(x, step), copy=False)[()]
                     for x, v in zip(primals, tangents, strict=True)]  # fmt: skip
            return np.concatenate([np.ravel(x) for x in self(*moved)])

        return curve


def random_like(leaves: Sequence[Array], seed: int) -> list[Array]:
    """Random directions with the shapes and dtypes of the leaves."""
    rng = np.random.default_rng(seed)
    return [_direction(rng, np.shape(x), typeof(x).dtype) for x in leaves]


def _direction(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Entries of either sign between a half and one, in real and in imaginary part."""
    parts = rng.uniform(0.5, 1.0, (2, *shape)) * rng.choice([-1.0, 1.0], (2, *shape))
    return (parts[0] + 1j * parts[1] if dtype.kind == "c" else parts[0]).astype(dtype)[()]
