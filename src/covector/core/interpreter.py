"""Interpreters give primitives their meaning; a tracer is a value flowing under one.

When `np.sin(x)` meets a tracer, the sine primitive is *bound*: among its inputs, the tracer whose
interpreter started last decides. That interpreter's `process` computes, usually in terms of primitives
bound one interpreter further out, until at the bottom no tracer is left and NumPy computes:

    grad(grad(f))(x)      tags 1 and 2: values are tracers of 2 around tracers of 1 around arrays
    np.sin(value)         2 processes, binds sin and cos on tracers of 1, which binds them on arrays

Tags come from one increasing counter, so there is no stack to push or pop, nothing to restore after an
exception, and nothing shared between threads. A tracer of any other interpreter is a constant to the one
that processes: that is all there is to avoiding perturbation confusion. An interpreter that has ended
refuses its escaped tracers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, NoReturn

import numpy as np

from covector.core.protocol import table
from covector.core.source_lines import FORMATTING, SHOWING
from covector.core.types import Array, ArrayType
from covector.errors import ArgumentError, DTypeMismatchError, LeakedTracerError, NonlinearError, TracerConversionError

_next_tag = count(1).__next__


class Interpreter(ABC):
    """Gives primitives their meaning. The latest-started one among a primitive's inputs acts."""

    __slots__ = ("ended", "origin", "tag")

    def __init__(self, origin: str) -> None:
        self.tag = _next_tag()
        self.origin = origin
        self.ended = False

    @abstractmethod
    def process(self, primitive: Any, inputs: Sequence[Array]) -> Any:
        """The primitive's outputs (an array or a tuple of arrays) for inputs among which is a tracer of ours."""

    def refuse_leaked(self, name: str) -> NoReturn:
        """Raises the error about a tracer that outlived this interpreter and was given to what has this name."""
        raise LeakedTracerError(
            f"{name} was given a value traced by {self.origin}, which has ended. "
            "Return the value from the function (has_aux=True carries extra outputs) instead of storing it "
            "in a global, an attribute or a closure."
        )

    def refuse_closure(self) -> NoReturn:
        """Raises the error about a custom rule whose result depends on a traced value behind its back."""
        raise LeakedTracerError(
            f"a function with a custom derivative rule closes over a value traced by {self.origin}; its rule cannot "
            "know the derivative in that value. Pass the value as an argument."
        )


def origin_of(transformation: str, function: Callable[..., Any]) -> str:
    """Where a tracer comes from, for error messages: the transformation, the function and its place."""
    if not callable(function):
        raise ArgumentError(f"{transformation} needs a function; found {function!r}")
    name = getattr(function, "__qualname__", None) or type(function).__name__
    code = getattr(_unwrapped(function), "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    return f"{transformation} of {name}{place}"


def _unwrapped(function: Any) -> Any:
    """The function of the user's, behind the transformations of it."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def latest(inputs: Sequence[Array]) -> Interpreter | None:
    """The interpreter that started last among those whose tracers are here."""
    found, tag = None, 0
    for x in inputs:
        if isinstance(x, Tracer) and x.interpreter.tag > tag:
            found = x.interpreter
            tag = found.tag
    return found


def lifted(values: Sequence[Array]) -> Sequence[Array]:
    """The values, with plain arrays as the tracers among the values see them (see `Tracer.lift`)."""
    for tracer in values:
        if isinstance(tracer, Tracer):
            return [tracer.lift(x) if type(x) is np.ndarray else x for x in values]
    return values


class Tracer:
    """A value flowing under an interpreter, standing for an array.

    Not an `abc.ABC`: `isinstance(x, Tracer)` is on the path of every operation, and an abstract base
    class makes it four times slower. Subclasses define `type` and `concrete`.
    """

    __slots__ = ("interpreter",)

    interpreter: Any
    __hash__ = None  # type: ignore[assignment]  # like arrays: == is elementwise, so a hash would lie

    # --- what it stands for ---------------------------------------------------------------------

    @property
    def type(self) -> ArrayType:
        """The shape and dtype of the array this stands for."""
        raise NotImplementedError

    def concrete(self, asked: str) -> Any:
        """The value for Python control flow, or an error saying that `asked` needs one."""
        raise NotImplementedError

    @property
    def beneath(self) -> Any:
        """The value of an interpreter further out that this is made of, a tracer or an array; None if there is none."""
        return None

    def glimpse(self, asked: str) -> Any:
        """The value, without a guard that it stays the same, or an error saying that `asked` needs one."""
        return self.concrete(asked)

    def lift(self, constant: np.ndarray[Any, Any]) -> Array:
        """A plain array that an operation combines with this: an input where jit is recording, else itself.

        Rules compute with constants (1 / y is the partial of x / y); what jit records must compute it anew at
        every call, since the array may have been changed in place in between.
        """
        beneath = self.beneath
        return beneath.lift(constant) if isinstance(beneath, Tracer) else constant

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the entries."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.type.size

    @property
    def weak(self) -> bool:
        """Whether this stands for a Python number, which adapts its dtype to what it meets."""
        return self.type.weak

    def __getattr__(self, name: str) -> Any:
        method = table.methods.get(name)
        if method is not None:
            return partial(method, self)
        attribute = table.attributes.get(name)
        if attribute is not None:
            return attribute(self)
        raise AttributeError(
            f"a traced array has no attribute {name!r}" + ("" if name.startswith("__") else " that covector covers")
        )

    @property
    def described(self) -> str:
        """What this is and where it comes from, for error messages."""
        return f"<{self.type} traced by {self.interpreter.origin}>"

    def __repr__(self) -> str:
        try:
            value = np.asarray(self.concrete(SHOWING))
        except (TracerConversionError, NonlinearError):
            return self.described
        shown = np.array2string(value, precision=6, threshold=6, separator=", ")
        return f"<{self.type} {shown} traced by {self.interpreter.origin}>"

    def __format__(self, spec: str) -> str:
        return format(self.concrete(FORMATTING + spec), spec) if spec else str(self)

    def __copy__(self) -> Any:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TracerConversionError(_conversion_message("pickling", self))

    # --- NumPy's protocols ----------------------------------------------------------------------

    __array_priority__ = 1000.0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """An array of traced entries, for code that says `np.asarray(x)`; it is stacked where it meets a tracer."""
        if self.type.dtype.kind == "c":
            raise TracerConversionError(
                f"np.array was asked to hold {self.described}. NumPy takes arrays of objects for real, so that np.real "
                "and np.imag of it would be wrong without a warning. Join complex values with np.stack or np.block."
            )
        if dtype is not None and np.dtype(dtype) != object:
            raise TracerConversionError(_conversion_message(f"an array of {np.dtype(dtype)}", self))
        entries = np.empty(self.shape, object)
        flat = entries.reshape(-1)
        for i, entry in enumerate(table.iterate(table.methods["ravel"](self)) if self.shape else [self]):
            flat[i] = entry  # one by one: assigning a sequence would ask each entry for its array
        return entries

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Array, **options: Any) -> Any:
        if method == "__call__" and not options:
            function = table.ufuncs.get(ufunc)
            if function is not None:
                return function(*inputs)
        return table.ufunc_fallback(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return table.array_function(function, args, kwargs)

    # --- Python's protocols ---------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self.concrete("bool()"))

    def __int__(self) -> int:
        return int(self.concrete("int()"))

    __trunc__ = __int__

    def __floor__(self) -> int:
        return int(np.floor(self.concrete("math.floor()")))

    def __ceil__(self) -> int:
        return int(np.ceil(self.concrete("math.ceil()")))

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TypeError(f"only integers can be an index; this is {self.described}")
        return int(self.concrete("an index"))

    def __float__(self) -> float:
        raise TracerConversionError(_conversion_message("float()", self))

    def __complex__(self) -> complex:
        raise TracerConversionError(_conversion_message("complex()", self))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced 0-d array")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError(f"iteration over a 0-d array: {self.described}")
        iterator: Iterator[Any] = table.iterate(self)
        return iterator

    def __getitem__(self, key: Any) -> Any:
        return table.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TracerConversionError(
            f"{self.described} cannot be changed in place. Write x = covector.at(x)[index].set(value) for "
            "x[index] = value (also .add, .multiply, .min, .max)."
        )

    # --- operators ------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any: return table.add(self, other)  # fmt: skip
    def __radd__(self, other: Any) -> Any: return table.add(other, self)  # fmt: skip
    def __sub__(self, other: Any) -> Any: return table.subtract(self, other)  # fmt: skip
    def __rsub__(self, other: Any) -> Any: return table.subtract(other, self)  # fmt: skip
    def __mul__(self, other: Any) -> Any:
        try:
            return table.multiply(self, other)
        except DTypeMismatchError:
            if getattr(other, "__array_ufunc__", self) is None:     # such as a norm: NumPy's way to decline
                return NotImplemented
            raise

    def __rmul__(self, other: Any) -> Any: return table.multiply(other, self)  # fmt: skip
    def __truediv__(self, other: Any) -> Any: return table.divide(self, other)  # fmt: skip
    def __rtruediv__(self, other: Any) -> Any: return table.divide(other, self)  # fmt: skip
    def __pow__(self, other: Any) -> Any: return table.power(self, other)  # fmt: skip
    def __rpow__(self, other: Any) -> Any: return table.power(other, self)  # fmt: skip
    def __matmul__(self, other: Any) -> Any: return table.matmul(self, other)  # fmt: skip
    def __rmatmul__(self, other: Any) -> Any: return table.matmul(other, self)  # fmt: skip
    def __floordiv__(self, other: Any) -> Any: return table.floor_divide(self, other)  # fmt: skip
    def __rfloordiv__(self, other: Any) -> Any: return table.floor_divide(other, self)  # fmt: skip
    def __mod__(self, other: Any) -> Any: return table.remainder(self, other)  # fmt: skip
    def __rmod__(self, other: Any) -> Any: return table.remainder(other, self)  # fmt: skip
    def __divmod__(self, other: Any) -> Any: return table.divmod(self, other)  # fmt: skip
    def __rdivmod__(self, other: Any) -> Any: return table.divmod(other, self)  # fmt: skip
    def __neg__(self) -> Any: return table.negative(self)  # fmt: skip
    def __pos__(self) -> Any: return table.positive(self)  # fmt: skip
    def __abs__(self) -> Any: return table.absolute(self)  # fmt: skip
    def __round__(self, digits: int | None = None) -> Any: return table.round(self, digits)  # fmt: skip
    def __invert__(self) -> Any: return table.invert(self)  # fmt: skip
    def __and__(self, other: Any) -> Any: return table.bitwise_and(self, other)  # fmt: skip
    def __rand__(self, other: Any) -> Any: return table.bitwise_and(other, self)  # fmt: skip
    def __or__(self, other: Any) -> Any: return table.bitwise_or(self, other)  # fmt: skip
    def __ror__(self, other: Any) -> Any: return table.bitwise_or(other, self)  # fmt: skip
    def __xor__(self, other: Any) -> Any: return table.bitwise_xor(self, other)  # fmt: skip
    def __rxor__(self, other: Any) -> Any: return table.bitwise_xor(other, self)  # fmt: skip
    def __lshift__(self, other: Any) -> Any: return table.left_shift(self, other)  # fmt: skip
    def __rlshift__(self, other: Any) -> Any: return table.left_shift(other, self)  # fmt: skip
    def __rshift__(self, other: Any) -> Any: return table.right_shift(self, other)  # fmt: skip
    def __rrshift__(self, other: Any) -> Any: return table.right_shift(other, self)  # fmt: skip
    def __lt__(self, other: Any) -> Any: return table.less(self, other)  # fmt: skip
    def __le__(self, other: Any) -> Any: return table.less_equal(self, other)  # fmt: skip
    def __gt__(self, other: Any) -> Any: return table.greater(self, other)  # fmt: skip
    def __ge__(self, other: Any) -> Any: return table.greater_equal(self, other)  # fmt: skip
    def __eq__(self, other: Any) -> Any: return table.equal(self, other)  # fmt: skip
    def __ne__(self, other: Any) -> Any: return table.not_equal(self, other)  # fmt: skip


def _conversion_message(asked: str, tracer: Tracer) -> str:
    return (
        f"{asked} was asked of {tracer.described}, which would lose its derivative. Use NumPy's functions instead of "
        "math's; collect traced values with np.stack or covector.at(x)[i].set(v) instead of storing them into a plain "
        "array, or taking the np.mean, np.var or np.std of np.array([...]); covector.stop_gradient(x) is the value as "
        "a constant."
    )
