"""How many operations on numbers an algorithm takes, to leading order, for `Graph.cost`.

Of matrices the counts are those of the textbook algorithms (G. H. Golub, C. F. Van Loan, Matrix Computations, 4th
edition, 2013), which LAPACK's share.

    >>> import numpy as np
    >>> of_matrices(ArrayType((10, 30, 30), np.float64), cubed=2.0)
    540000
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, prod

from covector.core.types import ArrayType, Shape


def reduced(inputs: Sequence[ArrayType], outputs: Sequence[ArrayType]) -> int:
    """Combining entries into fewer: for each that remains, one operation less than there are entries in it."""
    return max(inputs[0].size - outputs[0].size, 0)


def sorting(kind: ArrayType, axis: int) -> int:
    """Comparisons of a sort along an axis: n log2 n."""
    return round(kind.size * log2(max(kind.shape[axis], 1)))


def fourier(shape: Shape, axes: Sequence[int], real: bool) -> int:
    """The usual 5 n log2 n of a fast Fourier transform; half of it if one side is real."""
    whole = 5.0 * prod(shape) * log2(max(prod(shape[i] for i in axes), 1))
    return round(whole / 2 if real else whole)


def of_matrices(kind: ArrayType, wide: float = 0.0, cubed: float = 0.0) -> int:
    """For each m by n matrix of a stack, `wide` m n**2 + `cubed` n**3, with n the smaller side."""
    *stack, rows, columns = kind.shape
    m, n = max(rows, columns), min(rows, columns)
    return round(prod(stack) * (wide * m * n**2 + cubed * n**3))
