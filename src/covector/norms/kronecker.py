"""Maps that act on each axis of an array by a symmetric positive definite matrix of its own.

    >>> twice = Kronecker.power((np.diag([4.0, 1.0]), np.eye(3)), 0.5, least=1e-6)      # the rows by 2 and by 1
    >>> twice.apply(np.ones((2, 3)))
    array([[2., 2., 2.],
           [1., 1., 1.]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError
from covector.norms.maps import InvertibleMap
from covector.norms.registration import PARAMETER, registered
from covector.trees import Tree, map_leaves


@registered
@final
@frozen(eq=False)
class Kronecker(InvertibleMap):
    """X -> X with each axis multiplied by V diag(s) V^T, V orthogonal: the Kronecker product of these; symmetric."""

    bases: tuple[Any, ...] = field(metadata=PARAMETER)
    scales: tuple[Any, ...] = field(metadata=PARAMETER)

    @classmethod
    def power(cls, matrices: Sequence[Array], exponent: float, least: float) -> Kronecker:
        """The powers of symmetric matrices, one for each axis, whose eigenvalues are at least a positive number.

        Rounding may make them seem less, above all in float32; then they count as that number.
        """
        values, bases = zip(*(np.linalg.eigh(matrix) for matrix in matrices), strict=True)
        return cls(tuple(bases), tuple(np.maximum(each, least) ** exponent for each in values))

    def apply(self, vector: Tree) -> Tree:
        return map_leaves(lambda x: self._scaled(x, self.scales), vector)

    def solve(self, vector: Tree) -> Tree:
        return map_leaves(lambda x: self._scaled(x, [1.0 / each for each in self.scales]), vector)

    def transpose(self, covector: Tree) -> Tree:
        return self.apply(covector)

    def transpose_solve(self, covector: Tree) -> Tree:
        return self.solve(covector)

    def _scaled(self, x: Array, scales: Sequence[Array]) -> Array:
        shape = typeof(x).shape
        sizes = tuple(typeof(each).shape[0] for each in scales)
        if (shape or (1,)) != sizes:
            raise ShapeMismatchError(f"a map of the axes of arrays of shape {sizes} met one of shape {shape}")
        result = np.reshape(x, sizes)
        for axis, (basis, each) in enumerate(zip(self.bases, scales, strict=True)):
            matrix = (basis * each) @ np.transpose(basis)
            result = np.moveaxis(np.tensordot(matrix, result, axes=(1, axis)), 0, axis)
        return np.reshape(result, shape)
