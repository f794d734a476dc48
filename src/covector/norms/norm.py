"""A norm as one object: how long a step is, how steep a gradient is, and which way is down.

Steps are measured by `norm`, gradients by `dual_norm`. They determine each other,

    dual_norm(g) = max <g, v> over norm(v) <= 1,        norm(v) = max <s, v> over dual_norm(s) <= 1,

and each maximum is attained: by `maximizer(g)`, a gradient of the dual norm at g, and by `subgradient(v)`, a gradient
of the norm at v. The direction of steepest descent is `lmo(g) = -maximizer(g)` (a linear minimization oracle).

    >>> from covector.norms.vectors import linf
    >>> g = np.array([3.0, -1.0])
    >>> float(linf().dual_norm(g)), linf().lmo(g)
    (4.0, array([-1.,  1.]))

Norms are frozen, and trees whose leaves are their parameters, so a norm can be learned. They are norms of trees of
real arrays, are exact at every scale, have no NaN at ties or zeros, and give a zero direction for a zero gradient.

Source: S. Boyd and L. Vandenberghe, Convex Optimization (2004), section 9.4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.layout import combined, pairing, scaled, typed_like
from covector.norms.maps import Diagonal, InvertibleMap, as_map
from covector.norms.registration import PARAMETER, registered
from covector.norms.solve import Bracket, attained
from covector.trees import Tree, map_leaves

TIES = ("min_norm", "vertex")
"""What `maximizer` returns where several vectors attain the maximum: the one of least Euclidean norm, or a vertex."""


@final
@frozen
class Traits:
    """What is known of a norm, for the algorithms that can use it.

    smooth: differentiable away from zero. strictly_convex: the ball has no flat parts, so that directions are
    unique and the dual is smooth. polyhedral: the ball is a polytope. absolute: depends on |entries| only.
    unitarily_invariant: depends on singular values only.
    """

    smooth: bool = False
    strictly_convex: bool = False
    polyhedral: bool = False
    absolute: bool = False
    unitarily_invariant: bool = False

    def dual(self) -> Traits:
        """The traits of the dual norm."""
        return attrs.evolve(self, smooth=self.strictly_convex, strictly_convex=self.smooth)

    def __and__(self, other: Traits) -> Traits:
        """What holds of both."""
        return Traits(*(a and b for a, b in zip(attrs.astuple(self), attrs.astuple(other), strict=True)))


class Norm(ABC):
    """A norm of trees of arrays, its dual, and where both are attained.

    Subclasses state the four methods in closed form; `covector.norms.define` makes a norm of any one of them.
    """

    @abstractmethod
    def norm(self, vector: Tree) -> Array:
        """The length of a step."""

    @abstractmethod
    def dual_norm(self, covector: Tree) -> Array:
        """The steepness of a gradient: the largest <covector, v> over norm(v) <= 1."""

    @abstractmethod
    def maximizer(self, covector: Tree) -> Tree:
        """A v with norm(v) = 1 and <covector, v> = dual_norm(covector); zero for a zero covector."""

    @abstractmethod
    def subgradient(self, vector: Tree) -> Tree:
        """An s with dual_norm(s) = 1 and <s, vector> = norm(vector); zero for a zero vector."""

    @property
    @abstractmethod
    def traits(self) -> Traits:
        """What is known of this norm."""

    def __call__(self, vector: Tree) -> Array:
        """The length of a step."""
        return self.norm(vector)

    def lmo(self, covector: Tree) -> Tree:
        """The direction of steepest descent: the minimizer of <covector, v> over norm(v) <= 1.

        Law: `<g, lmo(g)> = -dual_norm(g)`.
        """
        return map_leaves(np.negative, self.maximizer(covector))

    def duality_map(self, covector: Tree) -> Tree:
        """dual_norm(g) * maximizer(g), the minimizer of norm(v)**2 / 2 - <g, v>.

        Law: for J = duality_map(g), `<g, J> = dual_norm(g)**2 = norm(J)**2`.
        """
        vector = self.maximizer(covector)
        return scaled(pairing(covector, vector), vector)

    def bracket(self, covector: Tree) -> tuple[Tree, Array, Array]:
        """A unit vector v and two numbers around the dual norm, `<g, v> / norm(v) <= dual_norm(g) <= upper`.

        The lower bound is a certificate (Hoelder's inequality). The upper bound is the dual norm itself where that
        has a closed form, and a certificate too where it is found by optimization.
        """
        found = self.searched_dual(covector)
        if found is not None:
            return found
        vector = self.maximizer(covector)
        length = self.norm(vector)
        lower = np.where(length > 0, pairing(covector, vector) / np.where(length > 0, length, 1.0), 0.0)
        return vector, lower, np.maximum(self.dual_norm(covector), lower)

    def searched_dual(self, covector: Tree) -> Bracket | None:
        """What `bracket` returns, if the dual norm has no closed form; None if it has."""
        return None

    def searched_primal(self, vector: Tree) -> Bracket | None:
        """The same for the norm itself, with the parts of norm and dual norm exchanged."""
        return None

    @property
    def dual(self) -> Norm:
        """The norm that measures gradients. Law: `N.dual.dual = N`."""
        return self.inner if isinstance(self, Dual) else Dual(self)

    def __rmul__(self, factor: Any) -> Norm:
        """The norm multiplied by a positive number."""
        return Scaled(self, positive(factor, "the factor of a norm"))

    def __truediv__(self, divisor: Any) -> Norm:
        """The norm divided by a positive number."""
        return Scaled(self, 1.0 / positive(divisor, "the divisor of a norm"))

    def __add__(self, other: Norm) -> Norm:
        """The sum of two norms. Law: `(N1 + N2).dual = minkowski(N1.dual, N2.dual)`."""
        return Minkowski(self.dual, other.dual).dual

    def __or__(self, other: Norm) -> Norm:
        """The larger of two norms. Law: `(N1 | N2).dual = infimal_convolution(N1.dual, N2.dual)`."""
        return InfimalConvolution(self.dual, other.dual).dual

    def __matmul__(self, other: Any) -> Norm:
        """The norm in other coordinates, v -> norm(A v), for an invertible map or a square matrix A."""
        return Precomposed(self, as_map(other))


@registered
@final
@frozen(eq=False)
class Dual(Norm):
    """The dual of a norm: the same four methods, exchanged."""

    inner: Norm = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return self.inner.dual_norm(vector)

    def dual_norm(self, covector: Tree) -> Array:
        return self.inner.norm(covector)

    def maximizer(self, covector: Tree) -> Tree:
        return self.inner.subgradient(covector)

    def subgradient(self, vector: Tree) -> Tree:
        return self.inner.maximizer(vector)

    def searched_dual(self, covector: Tree) -> Bracket | None:
        return self.inner.searched_primal(covector)

    def searched_primal(self, vector: Tree) -> Bracket | None:
        return self.inner.searched_dual(vector)

    @property
    def traits(self) -> Traits:
        return self.inner.traits.dual()


@registered
@final
@frozen(eq=False)
class Scaled(Norm):
    """factor * inner; the dual is divided by the factor, the unit ball too."""

    inner: Norm = field(metadata=PARAMETER)
    factor: Any = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return self.factor * self.inner.norm(vector)

    def dual_norm(self, covector: Tree) -> Array:
        return self.inner.dual_norm(covector) / self.factor

    def maximizer(self, covector: Tree) -> Tree:
        return scaled(1.0 / self.factor, self.inner.maximizer(covector))

    def subgradient(self, vector: Tree) -> Tree:
        return scaled(self.factor, self.inner.subgradient(vector))

    @property
    def traits(self) -> Traits:
        return self.inner.traits


@registered
@final
@frozen(eq=False)
class Precomposed(Norm):
    """v -> inner(A v) for an invertible A: steps come back by A^-1, gradients go through A^-T."""

    inner: Norm = field(metadata=PARAMETER)
    map: InvertibleMap = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return self.inner.norm(self.map.apply(vector))

    def dual_norm(self, covector: Tree) -> Array:
        return self.inner.dual_norm(self.map.transpose_solve(covector))

    def maximizer(self, covector: Tree) -> Tree:
        return typed_like(covector, self.map.solve(self.inner.maximizer(self.map.transpose_solve(covector))))

    def subgradient(self, vector: Tree) -> Tree:
        return typed_like(vector, self.map.transpose(self.inner.subgradient(self.map.apply(vector))))

    @property
    def traits(self) -> Traits:
        absolute = self.inner.traits.absolute and isinstance(self.map, Diagonal)
        return attrs.evolve(self.inner.traits, absolute=absolute, unitarily_invariant=False)


# --- two norms of one variable --------------------------------------------------------------------------------


@registered
@final
@frozen(eq=False)
class Minkowski(Norm):
    """The norm whose unit ball is the sum of two unit balls; its dual is the sum of the two duals."""

    first: Norm = field(metadata=PARAMETER)
    second: Norm = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return pairing(vector, self.subgradient(vector))

    def dual_norm(self, covector: Tree) -> Array:
        return self.first.dual_norm(covector) + self.second.dual_norm(covector)

    def maximizer(self, covector: Tree) -> Tree:
        return combined((1.0, self.first.maximizer(covector)), (1.0, self.second.maximizer(covector)))

    def subgradient(self, vector: Tree) -> Tree:
        return self.searched_primal(vector)[0]

    def searched_primal(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self.maximizer, vector)

    @property
    def traits(self) -> Traits:
        one, two = self.first.traits, self.second.traits
        return attrs.evolve(one & two, smooth=one.smooth or two.smooth)


@registered
@final
@frozen(eq=False)
class InfimalConvolution(Norm):
    """The norm whose unit ball is the convex hull of two unit balls; its dual is the larger of the two duals."""

    first: Norm = field(metadata=PARAMETER)
    second: Norm = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return pairing(vector, self.subgradient(vector))

    def dual_norm(self, covector: Tree) -> Array:
        return np.maximum(self.first.dual_norm(covector), self.second.dual_norm(covector))

    def maximizer(self, covector: Tree) -> Tree:
        one, two = self.first.dual_norm(covector), self.second.dual_norm(covector)
        share = np.where(one > two, 1.0, np.where(one == two, 0.5, 0.0))
        return combined((share, self.first.maximizer(covector)), (1.0 - share, self.second.maximizer(covector)))

    def subgradient(self, vector: Tree) -> Tree:
        return self.searched_primal(vector)[0]

    def searched_primal(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self.maximizer, vector)

    @property
    def traits(self) -> Traits:
        return attrs.evolve(self.first.traits & self.second.traits, strictly_convex=False, smooth=False)


# --- checks ---------------------------------------------------------------------------------------------------


def positive(value: Any, what: str) -> Any:
    """The value, if all its entries are positive and finite; traced values are taken on trust."""
    if isinstance(value, Tracer):
        return value
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiu" or not np.all((numbers > 0) & np.isfinite(numbers)):
        raise ArgumentError(f"{what} must be positive and finite; found {value!r}")
    return value


def tie_policy(ties: str) -> str:
    """The policy, checked to be one of `TIES`."""
    if ties not in TIES:
        raise ArgumentError(f"ties must be one of {', '.join(map(repr, TIES))}; found {ties!r}")
    return ties
