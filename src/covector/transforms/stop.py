"""stop_gradient: a value as a constant."""

from __future__ import annotations

from typing import TypeVar, final

import numpy as np

from covector.core.families import LocallyConstant
from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.trees import map_leaves

T = TypeVar("T")


@final
class StopGradient(LocallyConstant):
    """The input itself, with a derivative of zero."""

    __slots__ = ()

    @staticmethod
    def ufunc(x: Array) -> Array:
        """The input; of an array a copy, because derivatives refer to the original and the copy may be written to."""
        return x.copy() if isinstance(x, np.ndarray) else x


STOP_GRADIENT = StopGradient()


def stop_gradient(tree: T) -> T:
    """The same values, constant to every derivative.

    Args:
        tree: an array, a number, or a tree of them; other leaves pass through.

    Law: `jvp(stop_gradient, x, v)[1] = 0`.

    Example:
        >>> from covector import grad
        >>> float(grad(lambda x: x * stop_gradient(x))(3.0))
        3.0
    """
    stopped: T = map_leaves(lambda x: STOP_GRADIENT(x) if isinstance(x, Tracer) else x, tree)
    return stopped
