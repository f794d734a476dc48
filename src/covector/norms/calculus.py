"""Norms made of norms.

| made by | norm of v | dual norm of g | maximizer |
|---|---|---|---|
| `2 * N` | 2 N(v) | N*(g) / 2 | vmax(g) / 2 |
| `N.dual` | N*(v) | N(g) | gradient of N |
| `N @ A` | N(A v) | N*(A^-T g) | A^-1 vmax(A^-T g) |
| `tree({"a": N1, "b": N2}, outer)` | outer(N1(v_a), N2(v_b)) | outer*(N1*(g_a), N2*(g_b)) | each part's, shared out |
| `per_leaf(N, outer)` | the same with N for every array | | |
| `blockwise(N, outer, axes)` | the same for the blocks that span some axes of an array | | |

`N1 + N2`, `N1 | N2`, `hypot` and what is dual to them are in `covector.norms.pairs`, images, restrictions and quotients
in `covector.norms.subspaces`, other shapes in `reshaping`, what lies between two norms in `interpolation`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod
from typing import Any, final

import attrs
import numpy as np
import optree
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError, MissingRuleError, ShapeMismatchError, TreeMismatchError
from covector.norms.layout import ratio, real_leaf, scaled
from covector.norms.matrices import SingularValueNorm
from covector.norms.norm import DUALS, Norm
from covector.norms.registration import PARAMETER, registered
from covector.norms.traits import Traits
from covector.norms.vectors import L2, RMS, LInf
from covector.transforms.vectorize import vmap
from covector.trees import NAMESPACE, Tree, TreeDefinition, flatten, leaf_path, map_leaves, unflatten

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
        return self.outer.norm(self._numbers("norm", vector))

    def dual_norm(self, covector: Tree) -> Array:
        return self.outer.dual_norm(self._numbers("dual_norm", covector))

    def maximizer(self, covector: Tree) -> Tree:
        vectors = self._each("maximizer", [(x,) for x in self._split(covector)])
        return self._shared_out(covector, vectors, lambda: vectors)

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        units = cache(lambda: self._split(scales()))
        each = enumerate(self._split(covector))
        vectors = self._each("shortest", [(x, partial(_item, units, i)) for i, x in each])
        return self._shared_out(
            covector, vectors, lambda: [map_leaves(np.multiply, *pair) for pair in zip(units(), vectors, strict=True)]
        )

    def subgradient(self, vector: Tree) -> Tree:
        return self.dual.maximizer(vector)

    def bound(self, vector: Tree) -> Array:
        return self.outer.bound(self._numbers("bound", vector))

    def dual_bound(self, covector: Tree) -> Array:
        return self.outer.dual_bound(self._numbers("dual_bound", covector))

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self._projected("project", self.outer, vector, radius)

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self._projected("project_dual", self.outer.dual, covector, radius)

    def _projected(self, method: str, outer: Norm, tree: Tree, radius: Any) -> Tree:
        """Each part by itself if the largest counts; Euclidean parts by their lengths."""
        subtrees = self._split(tree)
        radii = radius * np.ones(len(self.parts))
        if not is_largest(outer):
            if not all(isinstance(part, L2) for part in self.parts):
                raise MissingRuleError("the ball of a tree is projected on if the largest part counts or all are l2")
            radii = outer.project(self._numbers("norm", tree), radius)
        parts = [getattr(p, method)(x, radii[i]) for i, (p, x) in enumerate(zip(self.parts, subtrees, strict=True))]
        return unflatten(self.structure, parts)

    @property
    def traits(self) -> Traits:
        traits = self.outer.traits
        for part in self.parts:
            traits = traits & attrs.evolve(part.traits, unitarily_invariant=False)
        return traits

    def _numbers(self, method: str, tree: Tree) -> Array:
        found = self._each(method, [(x,) for x in self._split(tree)])
        return np.stack(found) if found else np.zeros(0)

    def _each(self, method: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
        """What a method of each part returns for arguments of its own."""
        found = []
        for i, (part, own) in enumerate(zip(self.parts, arguments, strict=True)):
            try:
                found.append(getattr(part, method)(*own))
            except (ArgumentError, ShapeMismatchError) as error:
                raise type(error)(f"in {_name(self.structure, i)}: {error}") from error
        return found

    def _shared_out(self, covector: Tree, vectors: list[Tree], stretched: Callable[[], list[Tree]]) -> Tree:
        """The parts' maximizers times their shares, by their lengths when stretched if several shares are best."""
        lengths = self._numbers("dual_norm", covector)
        shares = self.outer.shortest(lengths, lambda: np.stack([_or_one(L2().norm(x)) for x in stretched()]))
        return unflatten(self.structure, [scaled(shares[i], x) for i, x in enumerate(vectors)])

    def _split(self, tree: Tree) -> list[Tree]:
        try:
            return self.structure.flatten_up_to(tree)
        except ValueError as error:
            problems = "; ".join(mismatches(self.structure, tree, "argument")) or str(error)
            raise TreeMismatchError(f"the norms of a tree must be a prefix of what they measure: {problems}") from error


def _item(parts: Callable[[], list[Tree]], index: int) -> Tree:
    return parts()[index]


def mismatches(norms: TreeDefinition, tree: Any, path: str) -> list[str]:
    """Where a tree does not begin as a tree of norms does, by paths into it."""
    kind = norms.type
    if kind is None:
        return []
    wanted = f"{kind.__name__} of {norms.num_children}"
    leaf = optree.tree_is_leaf(tree, namespace=NAMESPACE)
    if leaf or not (type(tree) is kind or (isinstance(tree, dict) and issubclass(kind, dict))):
        found = typeof(tree) if isinstance(tree, (np.ndarray, np.generic, Tracer)) else f"a {type(tree).__name__}"
        return [f"{path} is {found}, where the norms are a {wanted}"]
    node: Any = tree
    children, _, entries, _ = optree.tree_flatten_one_level(node, namespace=NAMESPACE)
    own, parts = dict(zip(norms.entries(), norms.children(), strict=True)), dict(zip(entries, children, strict=True))
    problems = [f"{path}[{key!r}] is missing" for key in own if key not in parts]
    problems += [f"{path}[{key!r}] has no norm" for key in parts if key not in own]
    inner = (mismatches(own[key], parts[key], f"{path}[{key!r}]") for key in own if key in parts)
    return [*problems, *(problem for each in inner for problem in each)]


def _name(norms: TreeDefinition, index: int) -> str:
    """The path of one part of what a tree of norms measures."""
    return leaf_path(unflatten(norms, range(norms.num_leaves)), "argument", index)


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

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        return self._product(covector).shortest(covector, scales)

    def subgradient(self, vector: Tree) -> Tree:
        return self._product(vector).subgradient(vector)

    def bound(self, vector: Tree) -> Array:
        return self._product(vector).bound(vector)

    def dual_bound(self, covector: Tree) -> Array:
        return self._product(covector).dual_bound(covector)

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self._product(vector).project(vector, radius)

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self._product(covector).project_dual(covector, radius)

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
        vectors, lengths = vmap(self.inner.maximizer)(blocks), vmap(self.inner.dual_norm)(blocks)
        alike = isinstance(self.inner, (L2, RMS))      # whose maximizers are equally long
        shares = self.outer.shortest(lengths, lambda: np.ones_like(lengths) if alike else _lengths_of_blocks(vectors))
        return restore(_times_blocks(shares, vectors))

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        blocks, restore = self._blocks(covector)
        units = self._blocks(scales())[0]
        vectors = vmap(lambda block, unit: self.inner.shortest(block, lambda: unit))(blocks, units)
        lengths = vmap(self.inner.dual_norm)(blocks)
        shares = self.outer.shortest(lengths, lambda: _lengths_of_blocks(units * vectors))
        return restore(_times_blocks(shares, vectors))

    def subgradient(self, vector: Tree) -> Tree:
        return self.dual.maximizer(vector)

    def bound(self, vector: Tree) -> Array:
        blocks, _ = self._blocks(vector)
        return self.outer.bound(vmap(self.inner.bound)(blocks))

    def dual_bound(self, covector: Tree) -> Array:
        blocks, _ = self._blocks(covector)
        return self.outer.dual_bound(vmap(self.inner.dual_bound)(blocks))

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self._projected(self.inner, self.outer, vector, radius)

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self._projected(self.inner.dual, self.outer.dual, covector, radius)

    def _projected(self, inner: Norm, outer: Norm, tree: Tree, radius: Any) -> Tree:
        """Each block by itself if the largest counts; Euclidean blocks by their lengths."""
        blocks, restore = self._blocks(tree)
        if is_largest(outer):
            return restore(vmap(lambda block: inner.project(block, radius))(blocks))
        if not isinstance(self.inner, L2):
            raise MissingRuleError("the projection on the ball of blocks needs the largest of them, or l2 blocks")
        lengths = vmap(inner.norm)(blocks)
        return restore(_times_blocks(ratio(outer.project(lengths, radius), lengths), blocks))

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
        if len(set(inner)) < len(inner):
            raise ArgumentError(f"blockwise has axes {self.axes}, of which two are the same of shape {shape}")
        outer = tuple(axis for axis in range(len(shape)) if axis not in inner)
        order = (*outer, *inner)
        count = prod(shape[axis] for axis in outer)
        blocks = np.reshape(np.transpose(x, order), (count, *(shape[axis] for axis in inner)))

        def restore(blocks: Array) -> Tree:
            moved = np.reshape(blocks, tuple(shape[axis] for axis in order))
            return unflatten(structure, [np.transpose(moved, tuple(int(i) for i in np.argsort(order)))])

        return blocks, restore


def is_largest(norm: Norm) -> bool:
    """Whether this is the largest |entry|."""
    return isinstance(norm, LInf)


def _times_blocks(shares: Array, blocks: Array) -> Array:
    return np.reshape(shares, (-1,) + (1,) * (typeof(blocks).ndim - 1)) * blocks


def _lengths_of_blocks(blocks: Array) -> Array:
    return _or_one(vmap(L2().norm)(blocks))


def _or_one(length: Array) -> Array:
    """A Euclidean length, or 1 for a part that is zero, whose share does not matter."""
    return np.where(length > 0, length, 1.0)


# --- De Morgan ------------------------------------------------------------------------------------------------


def _dual_product(norm: Product) -> Product:
    return attrs.evolve(norm, parts=tuple(part.dual for part in norm.parts), outer=norm.outer.dual)


def _dual_of_parts(norm: Any) -> Any:
    return attrs.evolve(norm, inner=norm.inner.dual, outer=norm.outer.dual)


def _dual_of_inner(norm: SingularValueNorm) -> SingularValueNorm:
    return attrs.evolve(norm, inner=norm.inner.dual)


DUALS.update({
    Product: _dual_product, PerLeaf: _dual_of_parts, Blockwise: _dual_of_parts, SingularValueNorm: _dual_of_inner,
})  # fmt: skip


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
