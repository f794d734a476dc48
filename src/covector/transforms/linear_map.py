"""The derivative is a linear map: an object that can be applied, transposed, composed, and made a matrix.

    >>> import numpy as np
    >>> from covector.transforms.derivatives import linearize
    >>> y, derivative = linearize(np.square, np.array([1.0, 3.0]))
    >>> derivative
    LinearMap(float64[2] -> float64[2])
    >>> derivative(np.array([1.0, 1.0]))
    array([2., 6.])
    >>> derivative.matrix()
    array([[2., 0.],
           [0., 6.]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final, overload

import numpy as np
from attrs import field, frozen

from covector.core.broadcasting import BroadcastTo, reshaped
from covector.core.types import Array, ArrayType
from covector.errors import ArgumentError, ShapeMismatchError
from covector.interpreters.batching import batch_flat
from covector.transforms.arguments import Results, conforming_leaves
from covector.trees import Tree, TreeDefinition, unflatten

FlatMap = Callable[[Sequence[Array | None]], Sequence[Array | None]]
"""A linear function of flat lists of arrays, in which None is zero."""


LARGEST_SHOWN = 8
"""How many rows and columns the matrix may have that a notebook shows."""


@final
@frozen
class Space:
    """A space of trees of arrays: a structure, and the type of each leaf.

    `spread` says that the tree is a tuple that a map takes as its positional arguments; `scalars` which
    leaves are NumPy scalars.
    """

    structure: TreeDefinition
    types: tuple[ArrayType, ...]
    scalars: tuple[bool, ...]
    spread: bool

    @property
    def dimension(self) -> int:
        """The number of entries of all leaves together."""
        return sum(kind.size for kind in self.types)

    @property
    def is_real(self) -> bool:
        """Whether no leaf is complex."""
        return all(kind.dtype.kind != "c" for kind in self.types)

    @property
    def latex(self) -> str:
        r"""The space in LaTeX: \mathbb{R}^{2 \times 3} for a matrix."""
        return r" \times ".join(map(_latex_space, self.types)) or r"\{0\}"

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.types))
        return inner if len(self.types) == 1 else f"({inner})"


def _latex_space(kind: ArrayType) -> str:
    field = r"\mathbb{C}" if kind.dtype.kind == "c" else r"\mathbb{R}"
    power = r" \times ".join(map(str, kind.shape))
    return f"{field}^{{{power}}}" if power else field


@final
@frozen(repr=False)
class LinearMap:
    """A linear map between spaces of trees of arrays, as `linearize` makes it.

    Called with tangents (one for each primal) it pushes them forward. Its transpose pulls a cotangent back:
    for all v and w, `<w, A(v)> = <A.T(w), v>`, where `<w, v>` is the sum of products of entries, without a
    conjugate. It owns what it needs: changing arrays in place afterwards does not change it.

    Source: C. Elliott, The simple essence of automatic differentiation (2018), section 4.
    """

    domain: Space
    codomain: Space
    forward: FlatMap = field(repr=False)
    backward: FlatMap = field(repr=False)

    def __call__(self, *vectors: Tree) -> Tree:
        """The image of a vector of the domain, given in the structure of the primals.

        Raises TreeMismatchError, ShapeMismatchError or DTypeMismatchError for a vector of another space.
        """
        if not self.domain.spread:
            if len(vectors) != 1:
                raise ArgumentError(f"a transposed linear map takes one cotangent tree; found {len(vectors)} arguments")
            (vector,) = vectors
        else:
            vector = vectors
        names = ("tangents", "the primals") if self.domain.spread else ("cotangent", "the output")
        leaves = conforming_leaves(self.domain.structure, vector, self.domain.types, names)
        results = Results(leaves)
        images = self.forward(leaves)
        codomain = self.codomain
        made = [
            results.make(x, kind.strong(), scalar)
            for x, kind, scalar in zip(images, codomain.types, codomain.scalars, strict=True)
        ]
        return unflatten(codomain.structure, made)

    def transpose(self) -> LinearMap:
        """The transposed map, from cotangents of the codomain to cotangents of the domain."""
        return LinearMap(self.codomain, self.domain, self.backward, self.forward)

    @property
    def T(self) -> LinearMap:
        """The transposed map."""
        return self.transpose()

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix: the dimensions of the codomain and of the domain."""
        return self.codomain.dimension, self.domain.dimension

    @overload
    def __matmul__(self, other: LinearMap) -> LinearMap: ...

    @overload
    def __matmul__(self, other: Tree) -> Tree: ...

    def __matmul__(self, other: Any) -> Any:
        """The composition with another linear map, first `other`, then this; or the image of a vector."""
        if not isinstance(other, LinearMap):
            return self(other)
        if [t.strong() for t in self.domain.types] != [t.strong() for t in other.codomain.types]:
            raise ShapeMismatchError(f"cannot compose {self!r} after {other!r}: the spaces between them differ")

        def forward(vectors: Sequence[Array | None]) -> Sequence[Array | None]:
            return self.forward(other.forward(vectors))

        def backward(vectors: Sequence[Array | None]) -> Sequence[Array | None]:
            return other.backward(self.backward(vectors))

        return LinearMap(other.domain, self.codomain, forward, backward)

    def matrix(self) -> np.ndarray[Any, Any]:
        """The dense matrix, of shape (dimension of codomain, dimension of domain), leaves raveled in order.

        Costs as many pushes or pulls, done at once, as the smaller of the two dimensions. Between a real and a
        complex space the real basis is used, so that the entries are complex.
        """
        by_rows = self._by_rows()
        outer, inner = (self.codomain, self.domain) if by_rows else (self.domain, self.codomain)
        blocks = basis_images(self.backward if by_rows else self.forward, outer, inner)
        matrix = np.concatenate(
            [np.concatenate([np.reshape(x, (kind.size, t.size)) for x, t in zip(row, inner.types, strict=True)], axis=1)
             for row, kind in zip(blocks, outer.types, strict=True)]
        )  # fmt: skip
        return matrix if by_rows else matrix.T

    def _by_rows(self) -> bool:
        if self.domain.is_real != self.codomain.is_real:
            return self.codomain.is_real
        return self.codomain.dimension < self.domain.dimension

    def __repr__(self) -> str:
        return f"LinearMap({self.domain} -> {self.codomain})"

    def _repr_latex_(self) -> str:
        """The spaces, and the matrix if it is small."""
        arrow = rf"{self.domain.latex} \to {self.codomain.latex}"
        return f"$\\displaystyle {arrow}{self._latex_matrix()}$"

    def _latex_matrix(self) -> str:
        if not 0 < max(self.shape) <= LARGEST_SHOWN or not min(self.shape):
            return ""
        matrix = self.matrix()
        if not isinstance(matrix, np.ndarray):  # the derivative of a value that is traced itself
            return ""
        rows = [" & ".join(f"{entry:.4g}" for entry in row) for row in matrix]
        return r", \quad \begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def basis_images(
    function: FlatMap, source: Space, target: Space, chunk_size: int | None = None
) -> list[list[Array]]:
    """The images of all basis vectors, pushed through at once (or `chunk_size` at a time).

    Entry [i][j] has shape (*source.types[i].shape, *target.types[j].shape).
    """
    return [_leaf_images(function, source, i, target, chunk_size) for i in range(len(source.types))]


def _leaf_images(function: FlatMap, source: Space, i: int, target: Space, chunk_size: int | None) -> list[Array]:
    kind = source.types[i]
    step = max(1, kind.size if chunk_size is None else chunk_size)
    count = len(source.types)
    chunks = []
    for start in range(0, max(kind.size, 1), step):
        stop = min(start + step, kind.size)
        basis = np.eye(stop - start, kind.size, start, dtype=kind.dtype)
        basis.flags.writeable = False  # so that a compiled program can rely on its entries
        basis = basis.reshape(stop - start, *kind.shape)

        def images(vector: Array) -> list[Array]:
            return _filled(function([vector if k == i else None for k in range(count)]), target)

        if stop - start == 1:  # one vector needs no batch, and if it is the only one, no axis: numbers stay numbers
            single = images(basis.reshape(kind.shape) if kind.shape else kind.dtype.type(1))
            axis = () if kind.size == 1 else (1,)
            chunks.append([reshaped(x, (*axis, *t.shape)) for x, t in zip(single, target.types, strict=True)])
            continue
        outputs, batched = batch_flat(images, [basis], [True], stop - start, "the basis of a Jacobian")
        chunks.append([
            x if b else BroadcastTo((stop - start, *t.shape))(x)
            for x, b, t in zip(outputs, batched, target.types, strict=True)
        ])  # fmt: skip
    joined = chunks[0] if len(chunks) == 1 else [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
    results = Results()
    kinds = [ArrayType((*kind.shape, *t.shape), t.dtype) for t in target.types]
    scalars = [source.scalars[i] and scalar for scalar in target.scalars]
    return [results.make(reshaped(x, k.shape), k, s) for x, k, s in zip(joined, kinds, scalars, strict=True)]


def _filled(vectors: Sequence[Array | None], space: Space) -> list[Array]:
    results = Results()
    return [results.make(x, kind.strong(), False) for x, kind in zip(vectors, space.types, strict=True)]
