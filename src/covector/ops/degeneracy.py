"""Equal eigenvalues: where the vectors are not determined by the matrix, their derivative comes with a warning.

The tangents of eigenvectors and singular vectors divide by the gaps between values. Where a gap is zero within
rounding the quotient is replaced by zero. That is the right derivative for a function that does not depend on the
choice of the vectors, such as the projection on their span. It is not for V f(w) V^H, and not to second order: these
need f' or f'' off the diagonal of the eigenspace, and what is known of f are its values at equal arguments. A linear
rule cannot tell which it is, so `Degenerate` stands where the quotient is formed, and warns.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     quotient = over_gaps(np.ones((2, 2)), np.zeros((2, 2)), np.ones(2), "eigh")
    >>> [warning.category.__name__ for warning in caught]
    ['DegenerateWarning']
    >>> quotient
    array([[0., 0.],
           [0., 0.]])
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import final

import numpy as np

from covector.core.broadcasting import Linear, aligned
from covector.core.primitive import moved_to_front, parametrized
from covector.core.types import Array, ArrayType, typeof
from covector.errors import DegenerateWarning
from covector.ops.arithmetic import RATIO
from covector.ops.comparison import LOGICAL_AND, LOGICAL_NOT, SELECT, PiecewiseConstant
from covector.ops.matrices import SIGNIFICANT

_THROUGH_VECTORS = (
    "{function} was differentiated through the {vectors} of {values}; the derivative is right only for functions that "
    "do not depend on the choice of {vectors}, and only to first order. {such}; {product}, and second derivatives of "
    "functions of the values, lack a part."
)

MESSAGES = {
    "eigh": _THROUGH_VECTORS.format(
        function="eigh", vectors="eigenvectors", values="equal eigenvalues",
        such="The projection on a whole eigenspace is such a function", product="V f(w) V^H",
    ),
    "eig": _THROUGH_VECTORS.format(
        function="eig", vectors="eigenvectors", values="equal eigenvalues",
        such="The projection on a whole eigenspace is such a function", product="V f(w) V^-1",
    ),
    "svd": _THROUGH_VECTORS.format(
        function="svd", vectors="singular vectors", values="equal singular values, or of zeros",
        such="The polar factor U V^H is such a function where no value is zero", product="U f(s) V^H",
    ),
    "defective": (
        "eig or eigvals was differentiated at a defective matrix, which has fewer independent eigenvectors than rows; "
        "its eigenvalues have no derivative, and a function of them that has one is given a wrong one."
    ),
}  # fmt: skip
"""What is said of each situation."""


@final
@parametrized
class Degenerate(Linear):
    """The identity, which warns if what passes depends on vectors that the matrix does not determine.

    The second input says which entries do. A tangent matters there if it is not zero. A cotangent always does: that of
    V f(w) V^H at f(w) = 0 is zero, its derivative is not.
    """

    situation: str
    cotangent: bool = False
    view = True

    def evaluate(self, *inputs: Array) -> Array:
        x, masked = inputs
        if np.any(masked) and (self.cotangent or np.any(masked & _nonzero(x))):
            warnings.warn(MESSAGES[self.situation], DegenerateWarning, stacklevel=_callers_level())
        return x

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return inputs[0].strong()

    def transpose(self, cotangent: Array, *inputs: Array | ArrayType) -> Array:
        return Degenerate(self.situation, not self.cotangent)(cotangent, inputs[1])

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        x, masked = inputs
        if batched[1]:
            masked = aligned(masked, typeof(x).ndim - batched[0])
        return self(moved_to_front(x, batched[0], size), masked)


def _nonzero(x: Array) -> Array:
    """The entries that are more than rounding errors of the largest one of their matrix."""
    magnitudes = np.abs(x)
    relative = 10 * max(x.shape[-2:]) * np.finfo(x.dtype).eps
    return magnitudes > relative * magnitudes.max(axis=(-2, -1), keepdims=True, initial=0.0)


def _callers_level() -> int:
    """The `stacklevel` at which the caller of `evaluate` finds the first frame outside of covector."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "covector":
        level, frame = level + 1, frame.f_back
    return level


def over_gaps(x: Array, gaps: Array, numbers: Array, situation: str, *, diagonal: bool = False) -> Array:
    """x / gaps, and 0 where a gap is a rounding error of the numbers along the last axis, which may warn.

    Without `diagonal`, the diagonal is 0 by convention, and does not warn.
    """
    significant = SIGNIFICANT(gaps, numbers)
    masked = LOGICAL_NOT(significant)
    if not diagonal:
        masked = LOGICAL_AND(masked, ~np.eye(typeof(x).shape[-1], dtype=bool))
    reciprocals = SELECT(significant, RATIO(1.0, SELECT(significant, gaps, 1.0)), 0.0)
    return Degenerate(situation)(x, masked) * reciprocals


@final
class Dependent(PiecewiseConstant):
    """Whether the columns of square matrices are linearly dependent within rounding; 1 x 1 matrices."""

    __slots__ = ()

    def evaluate(self, *inputs: Array) -> Array:
        (v,) = inputs
        s = np.linalg.svd(v, compute_uv=False)
        relative = 4 * v.shape[-1] * np.finfo(v.dtype).eps
        return (s[..., -1:] <= relative * s[..., :1]).any(axis=-1)[..., None, None]

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType((*inputs[0].shape[:-2], 1, 1), np.bool_)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return self(*inputs)


DEPENDENT = Dependent()
