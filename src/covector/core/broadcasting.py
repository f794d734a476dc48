"""The linear maps that NumPy applies without being asked: broadcasting and casting.

`x + y` with shapes (3,) and (2, 3), or dtypes float32 and float64, first expands its inputs to the output's
type. Differentiating it meets that expansion (pushing a tangent forward) and its transpose (pulling a
cotangent back: sum over the new axes, cast back). These are the only operations the kernel itself must know;
`AsPythonNumber`, which makes of a number one that adapts again, is with them as the opposite of a cast.

    >>> import numpy as np
    >>> BroadcastTo((2, 3))(np.arange(3.0))
    array([[0., 1., 2.],
           [0., 1., 2.]])
    >>> SumTo((3,))(np.ones((2, 3)))
    array([2., 2., 2.])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, ClassVar, final

import numpy as np
from attrs import field, frozen

from covector.core.parameters import ToShape
from covector.core.primitive import Family, Primitive, instantiate
from covector.core.types import Array, ArrayType, Shape, as_dtype, typeof
from covector.errors import NonlinearError


class Linear(Primitive):
    """A map that is jointly linear in the inputs selected by `operands`; the others are constants.

    States `evaluate`, `output_type`, `transpose` and `batch`; its derivative is itself. `transpose` is given
    the types of the linear inputs and the values of the constants, and returns one cotangent for each linear
    input: an array for one, a tuple for several.
    """

    __slots__ = ()
    family = Family.LINEAR
    operands: ClassVar[slice] = slice(0, 1)

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        """None, as it moves entries; a map that adds or multiplies says so."""
        return 0

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        """The map of the primals and the map of the tangents, which are the same map."""
        out = self(*primals)
        linear = range(len(primals))[self.operands]
        if all(tangents[i] is None for i in linear):
            return out, None
        directions = list(primals)
        for i in linear:
            directions[i] = instantiate(tangents[i], primals[i])
        return out, self(*directions)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        """All of the operands, if the traced inputs are among them."""
        linear = range(count)[self.operands]
        for i in traced:
            if i not in linear:
                raise NonlinearError(f"{self.name} is not linear in input {i}")
        return linear


SMALL = 4096
"""Entries up to which a broadcast array is written out."""


@final
class BroadcastTo(ToShape, Linear):
    """Repeats along new and unit axes until the shape is `shape`."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> Array:
        if not isinstance(x, (np.ndarray, np.generic, float)) or prod(self.shape) > SMALL:
            return np.broadcast_to(x, self.shape)
        repeated = np.empty(self.shape, np.asarray(x).dtype)  # quicker than a view as long as it is small
        repeated[...] = x
        return repeated

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(self.shape, x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return SumTo(x.shape)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return BroadcastTo((size, *self.shape))(aligned(inputs[0], len(self.shape)))


NARROW = 256
"""Entries of a row up to which NumPy takes longer to begin with it than to add it up."""


def ones(length: int, dtype: type = np.float64) -> Array:
    """A vector of ones, with which a product is a sum; it is not to be written into."""
    if length > 65_536:
        return np.ones(length, dtype)
    return remembered_ones(length, dtype)


@lru_cache(maxsize=64)
def remembered_ones(length: int, dtype: type) -> Array:
    """A vector of ones that is made once."""
    return np.ones(length, dtype)


@final
class SumTo(ToShape, Linear):
    """Sums over the axes along which `shape` would be broadcast to the input's shape."""

    __slots__ = ()
    view = True

    def operations(self, inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
        return max(inputs[0].size - outputs[0].size, 0)

    def evaluate(self, x: Array) -> Array:
        shape = np.shape(x)
        if len(shape) == 2 and type(x) is np.ndarray and x.dtype.char in "fd":  # by BLAS, if rows are short
            if self.shape == shape[1:] and shape[1] <= NARROW:
                return ones(shape[0], x.dtype.type).dot(x)
            if self.shape == (shape[0], 1) and 1 < shape[1] <= NARROW // 2:
                return x.dot(ones(shape[1], x.dtype.type)).reshape(self.shape)
        extra = len(shape) - len(self.shape)
        if extra:
            x = np.add.reduce(x, axis=tuple(range(extra)))
        unit = tuple(i for i, n in enumerate(self.shape) if n == 1 and shape[extra + i] != 1)
        return np.add.reduce(x, axis=unit, keepdims=True) if unit else x

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(self.shape, x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return BroadcastTo(x.shape)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        (x,) = inputs
        extra = len(typeof(x).shape) - 1 - len(self.shape)
        padded = SumTo((size, *(1,) * extra, *self.shape))(x)
        return reshaped(padded, (size, *self.shape))


@final
class Reshape(ToShape, Linear):
    """The same entries in C order in another shape."""

    __slots__ = ()
    view = True

    def evaluate(self, x: Array) -> Array:
        return np.reshape(x, self.shape)

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(self.shape, x.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Reshape(x.shape)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return Reshape((size, *self.shape))(inputs[0])


@final
@frozen(eq=False, repr=False)
class Cast(Linear):
    """The entries in another floating-point dtype; from complex to real, their real part."""

    dtype: np.dtype[Any] = field(converter=as_dtype)

    def evaluate(self, x: Array) -> Array:
        x = np.asarray(x) if isinstance(x, (bool, int, float, complex)) else x
        if x.dtype.kind == "c" and self.dtype.kind != "c":
            x = x.real
        return x.astype(self.dtype)[()]

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType(x.shape, self.dtype)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return Cast(x.dtype)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(inputs[0])


@final
class AsPythonNumber(Linear):
    """A number as one of Python's, which adapts to the dtype of what it meets."""

    __slots__ = ()

    def evaluate(self, x: Array) -> Array:
        return x.item() if isinstance(x, (np.generic, np.ndarray)) else x

    def output_type(self, x: ArrayType) -> ArrayType:
        return ArrayType((), as_dtype(type(x.dtype.type(0).item())), weak=True)

    def transpose(self, cotangent: Array, x: ArrayType) -> Array:
        return cotangent if typeof(cotangent).dtype == x.dtype else Cast(x.dtype)(cotangent)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return inputs[0]


AS_PYTHON_NUMBER = AsPythonNumber()


def aligned(x: Array, ndim: int) -> Array:
    """A batched input with unit axes after its batch axis, so that it broadcasts against `ndim` trailing axes."""
    shape = typeof(x).shape
    missing = ndim - (len(shape) - 1)
    return reshaped(x, (shape[0], *(1,) * missing, *shape[1:]))


def reshaped(x: Array, shape: Shape) -> Array:
    """The same entries in another shape; the same array if it has that shape."""
    return x if typeof(x).shape == shape else Reshape(shape)(x)


def expand(x: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Broadcasts and casts: what NumPy did to an input on its way to an output of this type."""
    kind = typeof(x)
    if kind.dtype != dtype:
        x = Cast(dtype)(x)
    return BroadcastTo(shape)(x) if kind.shape != shape else x


def reduce(x: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """The transpose of `expand`: sums over what was broadcast and casts back."""
    kind = x if type(x) is np.ndarray else typeof(x)
    if kind.shape != shape:
        x = SumTo(shape).evaluate(x) if kind is x else SumTo(shape)(x)
    return Cast(dtype)(x) if kind.dtype != dtype else x
