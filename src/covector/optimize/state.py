"""What descent remembers from step to step: a plain tree of arrays and numbers, with the dtypes of the parameters.

    >>> zeros_of({"a": np.ones(2, np.float32), "b": 3.0})
    {'a': array([0., 0.], dtype=float32), 'b': np.float64(0.0)}
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from covector.core.types import Array, typeof
from covector.trees import Tree, map_leaves


class DescentState(NamedTuple):
    """What descent remembers, a plain tree of arrays and numbers.

    count: gradients taken in. memory: of momentum. rule: of the step rule. statistics: of the norm. search: what an
    inexact search for directions begins with. skipped: how many gradients were not finite and passed over.
    """

    count: Array
    memory: Tree
    rule: Any
    statistics: Tree
    search: Any
    skipped: Array


def zeros_of(params: Tree) -> Tree:
    """Zeros of the shapes of the parameters, and of their dtypes where those are floating-point numbers."""
    return map_leaves(_zeros, params)


def _zeros(x: Any) -> Any:
    dtype = typeof(x).dtype
    zeros = np.zeros_like(x, dtype=dtype if dtype.kind == "f" else float)
    return zeros if np.ndim(zeros) else zeros[()]
