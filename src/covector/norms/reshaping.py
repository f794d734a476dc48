"""The norm of an array that is measured in another shape: fused weights in parts, a convolution's kernel as a matrix.

    >>> from covector.norms.matrices import spectral
    >>> float(reshaped(spectral(), (2, 2)).norm(np.array([3.0, 0.0, 0.0, 4.0])))
    4.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.types import Array, ArrayType, typeof
from covector.errors import ShapeMismatchError, TreeMismatchError
from covector.norms.layout import real_leaf
from covector.norms.norm import DUALS, Norm
from covector.norms.registration import PARAMETER, registered
from covector.norms.solve import Bracket
from covector.norms.traits import Traits
from covector.trees import Tree, flatten, unflatten


@registered
@final
@frozen(eq=False)
class Reshaped(Norm):
    """The norm of an array in another shape, its axes moved before."""

    inner: Norm = field(metadata=PARAMETER)
    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None

    def norm(self, vector: Tree) -> Array:
        return self.inner.norm(self._forth(vector)[0])

    def dual_norm(self, covector: Tree) -> Array:
        return self.inner.dual_norm(self._forth(covector)[0])

    def maximizer(self, covector: Tree) -> Tree:
        x, back = self._forth(covector)
        return back(self.inner.maximizer(x))

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        x, back = self._forth(covector)
        return back(self.inner.shortest(x, lambda: self._forth(scales())[0]))

    def single(self, covector: Tree) -> Any:
        return self.inner.single(self._forth(covector)[0])

    def subgradient(self, vector: Tree) -> Tree:
        x, back = self._forth(vector)
        return back(self.inner.subgradient(x))

    def searched_dual(self, covector: Tree) -> Bracket | None:
        x, back = self._forth(covector)
        found = self.inner.searched_dual(x)
        return None if found is None else (back(found[0]), *found[1:])

    def bound(self, vector: Tree) -> Array:
        return self.inner.bound(self._forth(vector)[0])

    def dual_bound(self, covector: Tree) -> Array:
        return self.inner.dual_bound(self._forth(covector)[0])

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        x, back = self._forth(vector)
        return back(self.inner.project(x, radius))

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        x, back = self._forth(covector)
        return back(self.inner.project_dual(x, radius))

    @property
    def traits(self) -> Traits:
        return attrs.evolve(self.inner.traits, unitarily_invariant=False)

    def _forth(self, tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
        """The array in its other shape, and the way back."""
        leaves, structure = flatten(tree)
        if len(leaves) != 1:
            raise TreeMismatchError(f"reshaped measures one array; found {len(leaves)}. Use per_leaf(reshaped(...))")
        x = real_leaf(tree, 0, leaves[0])
        order = tuple(range(typeof(x).ndim)) if self.order is None else self.order
        moved = np.transpose(x, order)
        between = typeof(moved).shape
        self._check(typeof(moved))

        def back(y: Array) -> Tree:
            places = tuple(int(i) for i in np.argsort(order))
            return unflatten(structure, [np.transpose(np.reshape(y, between), places)])

        return np.reshape(moved, self.shape), back

    def _check(self, kind: ArrayType) -> None:
        known = prod(n for n in self.shape if n >= 0)
        if kind.size % max(known, 1) if -1 in self.shape else kind.size != known:
            raise ShapeMismatchError(f"reshaped cannot give the shape {self.shape} to an array of shape {kind.shape}")


def _dual(norm: Reshaped) -> Reshaped:
    return attrs.evolve(norm, inner=norm.inner.dual)


DUALS[Reshaped] = _dual


def reshaped(norm: Norm, shape: Sequence[int], order: Sequence[int] | None = None) -> Reshaped:
    """The norm of an array in another shape: of the parts of fused weights, of a convolution's kernel as a matrix.

    Args:
        norm: what measures the array in its new shape.
        shape: the new shape; one entry may be -1.
        order: the order to bring the axes in before, as for `np.transpose`.

    Law: `reshaped(N, shape).norm(v) = N.norm(v.reshape(shape))`.

    Example:
        >>> from covector.norms import blockwise, spectral
        >>> heads = reshaped(blockwise("spectral", "linf", axes=(1, 2)), (2, 2, 3))       # two heads of shape (2, 3)
        >>> heads.maximizer(np.ones((4, 3))).shape
        (4, 3)
        >>> kernel = reshaped(spectral(), (8, -1))                                    # a kernel of shape (8, 3, 5, 5)
        >>> float(kernel.norm(np.ones((8, 3, 5, 5))).round(9))
        24.494897428
    """
    return Reshaped(norm, tuple(shape), None if order is None else tuple(order))
