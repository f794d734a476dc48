"""What hypothesis draws: shapes, dtypes, axes, arrays, and whole programs.

A `Program` is straight-line NumPy source with loops and branches in it, made from a seed, so that a failing
example prints as a function one can paste into an interpreter.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import field, frozen
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Shape = tuple[int, ...]
Array = np.ndarray[Any, np.dtype[Any]]

REAL = [np.dtype(np.float32), np.dtype(np.float64)]
COMPLEX = [np.dtype(np.complex64), np.dtype(np.complex128)]
FIXED = [np.dtype(np.int64), np.dtype(np.int32), np.dtype(np.uint8), np.dtype(bool)]
"""Dtypes that are never differentiated."""


# --- shapes, axes, arrays ---------------------------------------------------------------------------------


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> st.SearchStrategy[Shape]:
    """Shapes, empty and scalar ones among them."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


@st.composite
def broadcastable_shapes(draw: st.DrawFn, count: int = 2) -> tuple[Shape, ...]:
    """Shapes that broadcast against each other."""
    found = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=3, min_side=0))
    return found.input_shapes


def dtypes(complex_too: bool = True) -> st.SearchStrategy[np.dtype[Any]]:
    """Floating-point dtypes."""
    return st.sampled_from([*REAL, *COMPLEX] if complex_too else REAL)


def axes(ndim: int) -> st.SearchStrategy[int | tuple[int, ...] | None]:
    """What a reduction takes for axis=: None, an integer of either sign, or a tuple of different ones."""
    if ndim == 0:
        return st.sampled_from([None, ()])
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(one, min_size=0, max_size=ndim, unique_by=lambda axis: axis % ndim).map(tuple)
    return st.one_of(st.none(), one, several)


@st.composite
def arrays(draw: st.DrawFn, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """An array with entries of either sign between a half and two, all different."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    if dtype.kind not in "fc":
        return np.asarray(rng.integers(0, 2, shape)).astype(dtype)
    values = rng.uniform(0.5, 2.0, (2, *shape)) * rng.choice([-1.0, 1.0], (2, *shape))
    return np.asarray(values[0] + 1j * values[1] if dtype.kind == "c" else values[0]).astype(dtype)


@st.composite
def operands(draw: st.DrawFn, shape: Shape) -> Any:
    """One operand of a binary operation: an array, a NumPy scalar or a Python number."""
    kind = draw(st.sampled_from(["array", "array", "numpy scalar", "python"]))
    if kind == "python":
        return draw(st.sampled_from([2, 1.5, -0.5, True]))
    array = draw(arrays(() if kind == "numpy scalar" else shape, draw(st.sampled_from([*REAL, *FIXED]))))
    return array[()] if kind == "numpy scalar" else array


# --- programs -----------------------------------------------------------------------------------------------

UNARY = [
    "np.sin({x})", "np.cos({x})", "np.tanh({x})", "np.exp(-{x} * {x})", "np.log(1.5 + {x} * {x})",
    "np.sqrt(1.0 + np.square({x}))", "{x} ** 2 * 0.5", "{x} ** 3 * 0.1", "-{x}", "2.0 / (3.0 + np.cos({x}))",
    "np.arctan({x})", "1.0 - {x}", "np.where(np.arange({x}.size).reshape({x}.shape) % 2 == 0, {x}, np.sin({x}))",
]  # fmt: skip
BINARY = [
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} / (2.0 + {y} * {y})", "np.hypot(1.0 + {x}, 2.0 + {y})",
    "np.arctan2({x}, 2.0 + np.tanh({y}))", "np.logaddexp({x}, {y})", "(1.5 + np.sin({x})) ** np.tanh({y})",
]  # fmt: skip
REDUCING = ["np.sum({x}, axis={axis})", "np.mean({x}, axis={axis})", "np.sum({x} * {x}, axis={axis}, keepdims=True)"]
MOVING = [
    "{x}[::-1]",
    "{x}[..., :1]",
    "{x}.T",
    "{x}.reshape(-1)",
    "np.expand_dims({x}, 0)",
    "np.cumsum({x}, axis={axis})",
]
JOINING = ["np.stack([{x}, np.sin({x})])", "np.concatenate([{x}, {x} * 0.5])"]
LOOPS = ["iterated({x}, {number})", "recursive({x}, {number})"]
BRANCHES = ["(np.sin({x}) if np.sum({x}) > 0.3 else 2.0 * {x})", "shrunk({x})"]
"""Control flow that looks at values, which a batch does not have."""

PRELUDE = """
def iterated(x, count):
    for i in range(count):
        x = np.sin(x) + 0.1 * i * x
    return x

def recursive(x, depth):
    return x if depth == 0 else np.cos(recursive(x, depth - 1)) * x

def shrunk(x):
    while np.sum(x * x) > 4.0:
        x = 0.5 * x
    return x
"""


@final
@frozen(repr=False)
class Program:
    """A scalar function of an array and a number, as source; `branches` says whether it looks at values."""

    source: str
    shape: Shape
    seed: int
    branches: bool
    function: Callable[..., Any] = field(eq=False)

    def __call__(self, x: Any, t: Any) -> Any:
        return self.function(x, t)

    def __repr__(self) -> str:
        return f"# x of shape {self.shape}, seed {self.seed}\n{self.source}"

    @property
    def point(self) -> tuple[Array, float]:
        """Arguments."""
        return np.random.default_rng(self.seed).uniform(-1.0, 1.0, self.shape), 0.7


def make_program(seed: int, length: int = 15, branches: bool = True) -> Program:
    """A program of so many operations, the same one for the same seed."""
    rng = np.random.default_rng(seed)
    shape = [(3,), (2, 3), (2, 1, 2), (4,)][rng.integers(4)]
    writer = _Writer(rng, branches, shape)
    for _ in range(length):
        writer.write()
    source = writer.source()
    names: dict[str, Any] = {"np": np}
    exec(builtins.compile(PRELUDE + source, f"<program {seed}>", "exec"), names)
    return Program(source, shape, seed, branches, names["program"])


def programs(length: int = 15, branches: bool = True) -> st.SearchStrategy[Program]:
    """Random programs."""
    return st.integers(0, 10_000).map(lambda seed: make_program(seed, length, branches))


class _Writer:
    """Writes a program line by line, running it on an example so that shapes are known."""

    def __init__(self, rng: np.random.Generator, branches: bool, shape: Shape) -> None:
        self.rng, self.branches = rng, branches
        self.lines: list[str] = []
        self.names = ["x", "t"]
        self.namespace: dict[str, Any] = {"np": np}
        exec(PRELUDE, self.namespace)
        self.namespace |= {"x": rng.uniform(-1.0, 1.0, shape), "t": np.float64(0.7)}

    def write(self) -> None:
        expression = self.expression()
        name = f"v{len(self.lines)}"
        self.namespace[name] = eval(expression, self.namespace)
        self.names.append(name)
        self.lines.append(f"    {name} = {expression}")

    def source(self) -> str:
        total = " + ".join(f"np.mean({name})" for name in self.names[-4:])
        return "\n".join(["def program(x, t):", *self.lines, f"    return {total} + t * np.sum(x)"])

    def expression(self) -> str:
        while True:
            kind = self.rng.choice(["unary", "binary", "binary", "reduce", "move", "join", "loop", "branch"])
            found = getattr(self, f"_{kind}")()
            if found is not None:
                return str(found)

    def _value(self) -> tuple[str, Any]:
        recent = self.names[-6:] if self.rng.random() < 0.8 else self.names
        name = str(recent[self.rng.integers(len(recent))])
        return name, self.namespace[name]

    def _pick(self, templates: list[str]) -> str:
        return templates[self.rng.integers(len(templates))]

    def _unary(self) -> str | None:
        name, value = self._value()
        template = self._pick(UNARY)
        return template.format(x=name) if np.ndim(value) or ".size" not in template else None

    def _binary(self) -> str | None:
        (x, left), (y, right) = self._value(), self._value()
        try:
            shape = np.broadcast_shapes(np.shape(left), np.shape(right))
        except ValueError:
            return None
        return self._pick(BINARY).format(x=x, y=y) if np.prod(shape) <= 64 else None

    def _reduce(self) -> str | None:
        name, value = self._value()
        ndim = np.ndim(value)
        return self._pick(REDUCING).format(x=name, axis=self.rng.integers(-ndim, ndim)) if ndim else None

    def _move(self) -> str | None:
        name, value = self._value()
        ndim = np.ndim(value)
        return self._pick(MOVING).format(x=name, axis=self.rng.integers(-ndim, ndim)) if ndim else None

    def _join(self) -> str | None:
        name, value = self._value()
        return self._pick(JOINING).format(x=name) if 0 < np.size(value) <= 12 and 0 < np.ndim(value) < 3 else None

    def _loop(self) -> str:
        return self._pick(LOOPS).format(x=self._value()[0], number=self.rng.integers(1, 4))

    def _branch(self) -> str | None:
        return self._pick(BRANCHES).format(x=self._value()[0]) if self.branches else None
