"""Parameters that many operations have, declared once: making a class with parameters takes a part of every import."""

from __future__ import annotations

from covector.core.primitive import Primitive, parametrized
from covector.core.types import Shape


@parametrized
class AlongAxis(Primitive):
    """An operation along one axis."""

    axis: int


@parametrized
class FromEitherEnd(Primitive):
    """An operation along one axis, from its end if `reverse`."""

    axis: int
    reverse: bool = False


@parametrized
class OverAxes(Primitive):
    """An operation over several axes."""

    axes: tuple[int, ...]


@parametrized
class ToShape(Primitive):
    """An operation with an output of a shape."""

    shape: Shape
