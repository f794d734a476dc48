"""Families of primitives: each states only what mathematics does not determine.

`Unary` and `Binary` (elementwise) state a ufunc and its partial derivatives, `LocallyConstant` a ufunc alone,
`Linear` (in `broadcasting`) a map and its transpose, `Bilinear` a map and its two transposes; the
rules for every interpreter follow. An operation that is none of these states its `jvp`.

There are no reverse-mode rules anywhere: reverse mode linearizes and transposes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, ClassVar, Final, final

import numpy as np

from covector.core.broadcasting import Linear, aligned, expand
from covector.core.interpreter import Tracer
from covector.core.primitive import Family, Primitive, map_outputs
from covector.core.protocol import table
from covector.core.types import PYTHON_DTYPES, Array, ArrayType, Shape, typeof, zeros
from covector.errors import NonlinearError

__all__ = [
    "MASKED_MULTIPLY", "ZERO", "Bilinear", "Binary", "Elementwise", "Linear", "LocallyConstant", "MaskingFactor",
    "Nary", "Unary",
    "is_finite", "masked_multiply",
]  # fmt: skip

SCALARS = frozenset({bool, int, float, complex, np.float64, np.float32, np.complex128, np.int64, np.bool_})
"""Types of operands that need no conversion."""

ZERO: Final = 0.0
"""The partial that is zero everywhere, known by its identity: one that was computed may happen to be zero."""


class Elementwise(Primitive):
    """A function of corresponding entries, its inputs broadcast against each other.

    `ufunc` computes it. `partial(i, out, *inputs)` is its derivative in input i, as an array that
    multiplies tangents and cotangents. `ZERO` is the partial that is zero everywhere, and stops even infinite ones;
    a tuple means the product of its factors, for a partial such as (x, 2) that is cheaper to keep than to compute.
    `singular` says that a partial can be infinite or NaN where the function is finite or unused: then a
    zero tangent or cotangent stays zero (0 * inf = 0, "masking wins").
    `linear_in` are the inputs it is linear in, `jointly` whether in all of them at once.
    """

    __slots__ = ()
    ufunc: Any
    singular: ClassVar[bool] = False
    linear_in: ClassVar[tuple[int, ...]] = ()
    jointly: ClassVar[bool] = False

    def __call__(self, *inputs: Array) -> Any:
        """The outputs; a list, or an array of objects, with tracers inside is stacked."""
        for x in inputs:
            if type(x) not in SCALARS and not isinstance(x, Tracer) and not _is_plain_array(x):
                return Primitive.__call__(self, *map(table.operand, inputs))
        return Primitive.__call__(self, *inputs)

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        """One for each entry of the output, whatever the function."""
        return outputs[0].size

    @abstractmethod
    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        """The derivative in one input, from the output and the inputs."""

    def output_type(self, *inputs: ArrayType) -> Any:
        """The broadcast shape, with the dtype NumPy gives a one-entry example."""
        return _elementwise_type(self, *inputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The sum of partial times tangent."""
        out = self(*primals)
        kind = typeof(out)
        total = None
        for i, tangent in enumerate(tangents):
            if tangent is None:
                continue
            partial = self.partial(i, out, *primals)
            if type(partial) is float and partial == 0.0 and _is_constant(partial, primals, tangents):
                continue
            term = self._times_partial(tangent, partial)
            if term is not None:
                total = term if total is None else total + term
        if total is None and any(t is not None for t in tangents):
            return out, zeros(kind)
        return out, None if total is None else expand(total, kind.shape, kind.dtype)

    def _times_partial(self, tangent: Array, partial: Array) -> Array | None:
        if partial is ZERO:
            return None
        if type(partial) is float and partial == 1.0:
            return tangent
        if type(partial) is tuple:
            product: Array | None = tangent
            for factor in partial:
                product = None if product is None else self._times_partial(product, factor)
            return product
        if type(partial) is MaskingFactor:
            return masked_multiply(partial.factor, tangent)
        if self.singular:
            return masked_multiply(tangent, partial)
        return partial * tangent if isinstance(partial, Tracer) else tangent * partial

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """The traced inputs, if it is linear in them together."""
        for i in traced:
            if i not in self.linear_in:
                raise NonlinearError(f"{self.name} is not linear in input {i}")
        if len(traced) > 1 and not self.jointly:
            raise NonlinearError(f"{self.name} is linear in each input, but not in several at once")
        return traced

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        """The same function, each batched input aligned so that NumPy's broadcasting does the rest."""
        ndim = max(len(typeof(x).shape) - b for x, b in zip(inputs, batched, strict=True))
        return self(*(aligned(x, ndim) if b else x for x, b in zip(inputs, batched, strict=True)))


def _is_constant(partial: Array, primals: Sequence[Array], tangents: Sequence[Array | None]) -> bool:
    """Whether a partial is one of the inputs that do not vary, as in 0.0 * x."""
    return any(partial is x and t is None for x, t in zip(primals, tangents, strict=True))


class Unary(Elementwise):
    """An elementwise function of one input; states its `derivative`."""

    __slots__ = ()
    family = Family.UNARY

    def __call__(self, x: Array) -> Any:
        """The output."""
        if isinstance(x, Tracer):
            return x.interpreter.process(self, (x,))
        if type(x) in SCALARS or _is_plain_array(x):
            return self.ufunc(x)
        return super().__call__(table.operand(x))

    def evaluate(self, *inputs: Array) -> Any:
        """What the ufunc gives."""
        return self.ufunc(*inputs)

    @abstractmethod
    def derivative(self, out: Array, x: Array) -> Array:
        """The derivative, from the output and the input."""

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        """The derivative in the only input."""
        return self.derivative(out, *inputs)


class Binary(Elementwise):
    """An elementwise function of two inputs; states its `left_partial` and `right_partial`."""

    __slots__ = ()
    family = Family.BINARY

    def __call__(self, x: Array, y: Array) -> Any:
        """The output."""
        if isinstance(x, Tracer):
            interpreter = x.interpreter
            if isinstance(y, Tracer):
                if y.interpreter.tag > interpreter.tag:
                    interpreter = y.interpreter
                return interpreter.process(self, (x, y))
            if type(y) in SCALARS or _is_plain_array(y):
                return interpreter.process(self, (x, y))
        elif type(x) in SCALARS or _is_plain_array(x):
            if type(y) in SCALARS or _is_plain_array(y):
                return self.ufunc(x, y)
            if isinstance(y, Tracer):
                return y.interpreter.process(self, (x, y))
        return super().__call__(table.operand(x), table.operand(y))

    def evaluate(self, *inputs: Array) -> Any:
        """What the ufunc gives."""
        return self.ufunc(*inputs)

    @abstractmethod
    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        """The derivative in the first input."""

    @abstractmethod
    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        """The derivative in the second input."""

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        """The derivative in one of the two inputs."""
        return self.right_partial(out, *inputs) if argument else self.left_partial(out, *inputs)


class Nary(Elementwise):
    """An elementwise function of three or more inputs; states `partial` itself."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Any:
        """What the ufunc gives."""
        return self.ufunc(*inputs)


class LocallyConstant(Elementwise):
    """An elementwise function whose derivative is zero wherever it exists: comparisons, floor, sign."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Any:
        """What the ufunc gives."""
        return self.ufunc(*inputs)

    def partial(self, argument: int, out: Array, *inputs: Array) -> Array:
        """Zero."""
        return ZERO

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The output, and no tangent."""
        out = self(*primals)
        return out, map_outputs(lambda _: None, out)


class Bilinear(Primitive):
    """A map linear in each of its two inputs, such as a product; states the two transposes.

    `left_transpose(cotangent, x, y)` is given the type of x and the value of y, and returns x's cotangent.
    """

    __slots__ = ()
    family = Family.BILINEAR

    @abstractmethod
    def left_transpose(self, cotangent: Array, x: ArrayType, y: Array) -> Array:
        """The transpose of x -> self(x, y)."""

    @abstractmethod
    def right_transpose(self, cotangent: Array, x: Array, y: ArrayType) -> Array:
        """The transpose of y -> self(x, y)."""

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The product rule."""
        (x, y), (dx, dy) = primals, tangents
        terms = [] if dx is None else [self(dx, y)]
        if dy is not None:
            terms.append(self(x, dy))
        return self(x, y), sum(terms[1:], terms[0]) if terms else None

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """The traced input, if it is only one."""
        if len(traced) > 1:
            raise NonlinearError(f"{self.name} is linear in each input, but not in both at once")
        return traced

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> Any:
        """The transpose in the input that is given as a type."""
        x, y = inputs
        if isinstance(x, ArrayType):
            return self.left_transpose(cotangent, x, y)
        assert isinstance(y, ArrayType)
        return self.right_transpose(cotangent, x, y)


def _is_plain_array(x: Any) -> bool:
    return type(x) is np.ndarray and not x.dtype.hasobject


@lru_cache(maxsize=4096)
def broadcast_shape(*shapes: Shape) -> Shape:
    """The shape to which the given shapes are broadcast."""
    return np.broadcast_shapes(*shapes)


@lru_cache(maxsize=8192)
def _elementwise_type(primitive: Elementwise, *inputs: ArrayType) -> Any:
    """The types of the outputs of an elementwise function."""
    shape = broadcast_shape(*(x.shape for x in inputs))
    dtypes = _example_output(primitive, tuple((x.dtype, x.weak) for x in inputs))
    return map_outputs(lambda kind: ArrayType(shape, kind.dtype, kind.weak and not shape), dtypes)


@lru_cache(maxsize=4096)
def _example_output(primitive: Elementwise, dtypes: tuple[tuple[np.dtype[Any], bool], ...]) -> Any:
    """The types of the outputs for scalars of the given dtypes, by computing an example."""
    python_type = {dtype: kind for kind, dtype in PYTHON_DTYPES.items()}
    examples = [python_type[dtype](1) if weak else np.ones((), dtype)[()] for dtype, weak in dtypes]
    with np.errstate(all="ignore"):
        return map_outputs(typeof, primitive.evaluate(*examples))


# --- products in which zero wins ----------------------------------------------------------------------


def is_finite(x: Array) -> bool:
    """Whether a plain value has no infinite and no NaN entry."""
    if type(x) is np.ndarray and x.dtype.char in "fd":
        square = np.vdot(x, x)  # finite unless an entry is not, or is huge; a fifth of the time of isfinite and all
        if isfinite(square):
            return True
    return bool(np.logical_and.reduce(np.isfinite(x), axis=None))


@final
class MaskingFactor:
    """A partial derivative whose own zeros win: its product with an infinite tangent is 0 where it is 0."""

    __slots__ = ("factor",)

    def __init__(self, factor: Array) -> None:
        self.factor = factor


@final
class MaskedMultiply(Binary):
    """x * y, but 0 where x is 0, whatever y is: the product with a partial derivative that may be infinite.

    Where y is infinite its tangent may be too; the zeros of x win over that as well.
    """

    __slots__ = ()
    singular = True
    linear_in = (0, 1)

    @staticmethod
    def ufunc(x: Array, y: Array) -> Array:
        """Multiplies, and repairs the product only if y is not finite somewhere."""
        if is_finite(y):
            return x * y
        with np.errstate(invalid="ignore"):
            return np.where(np.equal(x, 0), np.zeros((), np.result_type(x, y)), x * y)[()]

    def left_partial(self, out: Array, x: Array, y: Array) -> Array:
        return y

    def right_partial(self, out: Array, x: Array, y: Array) -> Array:
        return MaskingFactor(x)


MASKED_MULTIPLY = MaskedMultiply()


def masked_multiply(x: Array, y: Array) -> Array:
    """x * y, but 0 where x is 0."""
    return MASKED_MULTIPLY(x, y)
