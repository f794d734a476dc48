"""Norms that are called inside of a function that `dualize` records: kept whole, since their duals are known.

    >>> from covector.norms import dualize, l1, l2
    >>> norm = dualize(lambda v: l1()(v[:1]) + l2()(v[1:]))
    >>> float(norm(np.array([2.0, 3.0, 4.0])))
    5.0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive, moved_to_front
from covector.core.types import Array, ArrayType
from covector.interpreters.batching import batch_flat
from covector.interpreters.jvp import jvp_flat
from covector.trees import Tree, TreeDefinition, flatten, unflatten

if TYPE_CHECKING:
    from covector.norms.norm import Norm

_WHOLE: ContextVar[bool] = ContextVar("whether norms are recorded as one operation", default=False)


@contextmanager
def norms_kept_whole() -> Iterator[None]:
    """Within, a norm called with traced values is recorded as one operation."""
    token = _WHOLE.set(True)
    try:
        yield
    finally:
        _WHOLE.reset(token)


def called(norm: Norm, vector: Tree) -> Array:
    """The norm of a vector."""
    if not _WHOLE.get():
        return norm.norm(vector)
    leaves, structure = flatten(vector)
    if not any(isinstance(leaf, Tracer) for leaf in leaves):
        return norm.norm(vector)
    found: Array = NormCall(norm, structure)(*leaves)
    return found


@final
@frozen(eq=False)
class NormCall(Primitive):
    """A norm of a tree, given by its leaves; recorded to be dualized."""

    norm: Norm
    structure: TreeDefinition

    @property
    def signature(self) -> str:
        return f"{self.name}[{type(self.norm).__name__}]"

    def evaluate(self, *inputs: Array) -> Array:
        (out,) = self._measured(*inputs)
        return out

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType((), np.result_type(*(kind.dtype for kind in inputs)))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        (out,), (derivative,) = jvp_flat(self._measured, primals, tangents, self.name)
        return out, derivative

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        (out,), (flag,) = batch_flat(self._measured, inputs, batched, size, self.name)
        return moved_to_front(out, flag, size)

    def _measured(self, *leaves: Array) -> list[Array]:
        return [self.norm.norm(unflatten(self.structure, leaves))]
