"""Norms made of norms.

| made by | norm of v | dual norm of g | maximizer |
|---|---|---|---|
| `2 * N` | 2 N(v) | N*(g) / 2 | vmax(g) / 2 |
| `N.dual` | N*(v) | N(g) | gradient of N |
| `N @ A` | N(A v) | N*(A^-T g) | A^-1 vmax(A^-T g) |
| `tree({"a": N1, "b": N2}, outer)` | outer(N1(v_a), N2(v_b)) | outer*(N1*(g_a), N2*(g_b)) | each part's, shared out |
| `per_leaf(N, outer)` | the same with N for every array | | |
| `blockwise(N, outer, axes)` | the same for the blocks that span some axes of an array | | |
| `minkowski(N1, N2)` | inf over v = a + b of max(N1(a), N2(b)) | N1*(g) + N2*(g) | vmax1(g) + vmax2(g) |
| `infimal_convolution(N1, N2)` | inf over v = a + b of N1(a) + N2(b) | max(N1*(g), N2*(g)) | the steeper of the two |

The unit ball of `minkowski` is the sum of the two balls, that of `infimal_convolution` the convex hull of their union.
Those two know their dual side in closed form; `N1 + N2` and `N1 | N2` (the larger) know their primal side. The other
side is found by optimization, see `covector.norms.solve`: good to many digits, but slow; `bracket` says how good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import attrs
import numpy as np
import optree
from attrs import field, frozen

from covector.core.types import Array, typeof
from covector.errors import ArgumentError, TreeMismatchError
from covector.norms.layout import real_leaf, scaled
from covector.norms.norm import InfimalConvolution, Minkowski, Norm, Traits
from covector.norms.registration import PARAMETER, registered
from covector.transforms.vectorize import vmap
from covector.trees import NAMESPACE, Tree, TreeDefinition, flatten, unflatten

# --- products over trees --------------------------------------------------------------------------------------


@registered
@final
@frozen(eq=False)
class Product(Norm):
    """An absolute norm of the norms of the parts of a tree, each part measured in its own way."""

    parts: tuple[Norm, ...] = field(metadata=PARAMETER)
    outer: Norm = field(metadata=PARAMETER)
    structure: TreeDefinition

    def norm(self, vector: Tree) -> Array:
        return self.outer.norm(self._each("norm", vector))

    def dual_norm(self, covector: Tree) -> Array:
        return self.outer.dual_norm(self._each("dual_norm", covector))

    def maximizer(self, covector: Tree) -> Tree:
        shares = self.outer.maximizer(self._each("dual_norm", covector))
        return self._join(shares, "maximizer", covector)

    def subgradient(self, vector: Tree) -> Tree:
        return self._join(self.outer.subgradient(self._each("norm", vector)), "subgradient", vector)

    @property
    def traits(self) -> Traits:
        traits = self.outer.traits
        for part in self.parts:
            traits = traits & attrs.evolve(part.traits, unitarily_invariant=False)
        return traits

    def _each(self, method: str, tree: Tree) -> Array:
        subtrees = zip(self.parts, self._split(tree), strict=True)
        return np.stack([getattr(part, method)(subtree) for part, subtree in subtrees])

    def _join(self, shares: Array, method: str, tree: Tree) -> Tree:
        subtrees = self._split(tree)
        joined = [
            scaled(shares[i], getattr(part, method)(subtree))
            for i, (part, subtree) in enumerate(zip(self.parts, subtrees, strict=True))
        ]
        return unflatten(self.structure, joined)

    def _split(self, tree: Tree) -> list[Tree]:
        try:
            return self.structure.flatten_up_to(tree)
        except ValueError as error:
            raise TreeMismatchError(f"the norms of a tree must be a prefix of what they measure: {error}") from error


@registered
@final
@frozen(eq=False)
class PerLeaf(Norm):
    """An absolute norm of the norms of all leaves, measured alike."""

    inner: Norm = field(metadata=PARAMETER)
    outer: Norm = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return self._product(vector).norm(vector)

    def dual_norm(self, covector: Tree) -> Array:
        return self._product(covector).dual_norm(covector)

    def maximizer(self, covector: Tree) -> Tree:
        return self._product(covector).maximizer(covector)

    def subgradient(self, vector: Tree) -> Tree:
        return self._product(vector).subgradient(vector)

    @property
    def traits(self) -> Traits:
        return self.outer.traits & attrs.evolve(self.inner.traits, unitarily_invariant=False)

    def _product(self, tree: Tree) -> Product:
        leaves, structure = flatten(tree)
        return Product((self.inner,) * len(leaves), self.outer, structure)


# --- products over the axes of an array -----------------------------------------------------------------------


@registered
@final
@frozen(eq=False)
class Blockwise(Norm):
    """An absolute norm of the norms of the blocks of an array: a block spans `axes`, one for each other index."""

    inner: Norm = field(metadata=PARAMETER)
    outer: Norm = field(metadata=PARAMETER)
    axes: tuple[int, ...]

    def norm(self, vector: Tree) -> Array:
        blocks, _ = self._blocks(vector)
        return self.outer.norm(vmap(self.inner.norm)(blocks))

    def dual_norm(self, covector: Tree) -> Array:
        blocks, _ = self._blocks(covector)
        return self.outer.dual_norm(vmap(self.inner.dual_norm)(blocks))

    def maximizer(self, covector: Tree) -> Tree:
        blocks, restore = self._blocks(covector)
        shares = self.outer.maximizer(vmap(self.inner.dual_norm)(blocks))
        return restore(_times_blocks(shares, vmap(self.inner.maximizer)(blocks)))

    def subgradient(self, vector: Tree) -> Tree:
        blocks, restore = self._blocks(vector)
        shares = self.outer.subgradient(vmap(self.inner.norm)(blocks))
        return restore(_times_blocks(shares, vmap(self.inner.subgradient)(blocks)))

    @property
    def traits(self) -> Traits:
        return self.outer.traits & attrs.evolve(self.inner.traits, unitarily_invariant=False)

    def _blocks(self, tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
        """The blocks along a leading axis, and the way back."""
        leaves, structure = flatten(tree)
        if len(leaves) != 1:
            raise TreeMismatchError(
                f"blockwise measures one array; found {len(leaves)} leaves. Use per_leaf(blockwise(...))"
            )
        x = real_leaf(tree, 0, leaves[0])
        shape = typeof(x).shape
        if not all(-len(shape) <= axis < len(shape) for axis in self.axes):
            raise ArgumentError(f"blockwise has axes {self.axes}, but the array has shape {shape}")
        inner = tuple(axis % len(shape) for axis in self.axes)
        outer = tuple(axis for axis in range(len(shape)) if axis not in inner)
        order = (*outer, *inner)
        blocks = np.reshape(np.transpose(x, order), (-1, *(shape[axis] for axis in inner)))

        def restore(blocks: Array) -> Tree:
            moved = np.reshape(blocks, tuple(shape[axis] for axis in order))
            return unflatten(structure, [np.transpose(moved, tuple(int(i) for i in np.argsort(order)))])

        return blocks, restore


def _times_blocks(shares: Array, blocks: Array) -> Array:
    return np.reshape(shares, (-1,) + (1,) * (typeof(blocks).ndim - 1)) * blocks


# --- what users call ------------------------------------------------------------------------------------------


def product(norms: Tree, outer: Norm) -> Product:
    """The norm of trees that begin as a tree of norms does: an absolute outer norm of the norms of the parts."""
    parts, structure = optree.tree_flatten(norms, is_leaf=lambda x: isinstance(x, Norm), namespace=NAMESPACE)
    return Product(tuple(parts), absolute(outer), structure)


def absolute(outer: Norm) -> Norm:
    """The norm, if it depends on the |entries| only, as the outer norm of a product must."""
    if not outer.traits.absolute:
        raise ArgumentError(
            f"the outer norm of a product must depend on |entries| only, as l1, l2 and linf do; found {outer!r}"
        )
    return outer


def minkowski(first: Norm, second: Norm) -> Norm:
    """The norm whose unit ball is the sum of two unit balls: its directions add up.

    Example:
        >>> from covector.norms.vectors import l2, linf
        >>> minkowski(l2(), linf()).maximizer(np.array([3.0, 4.0]))
        array([1.6, 1.8])
    """
    return Minkowski(first, second)


def infimal_convolution(first: Norm, second: Norm) -> Norm:
    """The norm whose unit ball is the convex hull of two unit balls: its direction is the steeper of the two.

    Example:
        >>> from covector.norms.vectors import l1, l2
        >>> infimal_convolution(2 * l1(), 3 * l2()).maximizer(np.array([3.0, 4.0]))
        array([0. , 0.5])
    """
    return InfimalConvolution(first, second)
