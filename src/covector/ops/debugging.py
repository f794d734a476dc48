"""Printing values when they are computed, rather than when the program is recorded.

A print is an operation without outputs that has an effect: simplification keeps it, and derivatives print the primal
once. Whoever may have to run a program twice, because a guard fails halfway, holds the texts back until it is done.

    >>> import numpy as np
    >>> from covector.trees import flatten
    >>> operation = DebugPrint("x = {}", flatten(((0.0,), {}))[1], (None,))
    >>> operation(2.0)
    x = 2.0
    ()
    >>> operation.batch(2, [np.array([1.0, 3.0])], [True])
    x = 1.0
    x = 3.0
    ()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, final

from attrs import evolve, frozen

from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType
from covector.errors import NonlinearError
from covector.trees import TreeDefinition, unflatten

Level = tuple[int, tuple[bool, ...]]
"""A batch: its size, and which inputs have an axis for it."""


@final
@frozen
class DebugPrint(Primitive):
    """Prints `message.format(*args, **kwargs)`; the inputs are the leaves of (args, kwargs), whose tree is `structure`.

    Leaves that are texts are no inputs but stand in `texts`, which has None for all others. In a batch it prints
    once for each element; `levels` are the batches, the outermost first.
    """

    message: str
    structure: TreeDefinition
    texts: tuple[str | None, ...]
    levels: tuple[Level, ...] = ()

    @property
    def effect(self) -> bool:
        return True

    @property
    def signature(self) -> str:
        return f"debug_print[{self.message!r}]"

    def evaluate(self, *inputs: Array) -> tuple[()]:
        for leaves in elements(self.levels, inputs):
            args, kwargs = self.arguments(leaves)
            shown(self.message.format(*args, **kwargs))
        return ()

    def arguments(self, inputs: Sequence[Any]) -> Any:
        """The args and kwargs of the print with these inputs."""
        values = iter(inputs)
        return unflatten(self.structure, [next(values) if text is None else text for text in self.texts])

    def output_type(self, *inputs: ArrayType) -> tuple[()]:
        return ()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return self(*primals), ()

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[()]:
        found: tuple[()] = evolve(self, levels=((size, tuple(batched)), *self.levels))(*inputs)
        return found

    def linear_inputs(self, traced: Sequence[int], count: int) -> NoReturn:
        raise NonlinearError(
            "debug_print was given a tangent that reverse mode is recording, which has no value; print it under jvp, "
            "or print the primal"
        )


def elements(levels: Sequence[Level], inputs: Sequence[Array]) -> Iterator[Sequence[Array]]:
    """The inputs for each element of nested batches."""
    if not levels:
        yield inputs
        return
    size, batched = levels[0]
    for i in range(size):
        yield from elements(levels[1:], [x[i] if flag else x for x, flag in zip(inputs, batched, strict=True)])


# --- holding texts back ---------------------------------------------------------------------------------

_held: ContextVar[list[str] | None] = ContextVar("held", default=None)


def shown(text: str) -> None:
    """Prints the text, or keeps it where prints are held back."""
    held = _held.get()
    if held is None:
        print(text)
    else:
        held.append(text)


def show(texts: Sequence[str]) -> None:
    """Prints texts that were held back."""
    for text in texts:
        shown(text)


@contextmanager
def held_back() -> Iterator[list[str]]:
    """Keeps what is printed instead of showing it; after an exception it is shown."""
    texts: list[str] = []
    try:
        with _holding(texts):
            yield texts
    except BaseException:
        show(texts)
        raise


@contextmanager
def printed_unless(failure: type[Exception]) -> Iterator[None]:
    """Shows what is printed when all is done, or nothing at all after this failure."""
    texts: list[str] = []
    try:
        with _holding(texts):
            yield
    except failure:
        texts.clear()
        raise
    finally:
        show(texts)


@contextmanager
def _holding(texts: list[str]) -> Iterator[None]:
    token = _held.set(texts)
    try:
        yield
    finally:
        _held.reset(token)
