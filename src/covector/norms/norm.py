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
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, final

import attrs
import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError, MissingRuleError
from covector.norms.calls import called
from covector.norms.layout import combined, either, number_like, pairing, ratio, scaled, typed_like
from covector.norms.maps import Contragredient, Diagonal, InvertibleMap, as_map, is_diagonal
from covector.norms.registration import PARAMETER, registered, same, structural_hash
from covector.norms.solve import Bracket
from covector.norms.tied import settled
from covector.norms.traits import Traits
from covector.trees import Tree, map_leaves

TIES = ("min_norm", "vertex", "split", "random")
"""What `maximizer` returns where several vectors attain the maximum; whichever it is, it attains.

min_norm: the one of least Euclidean norm, which treats equals equally. vertex: an extreme point, by the first index.
split: what the derivative of the dual norm's program is, equal shares. random: an extreme point picked by fixed random
numbers, the same at every call.
"""

JOINING: list[Callable[[Norm, Norm, str], Norm | None]] = []
"""Rules that make the "sum", the larger ("max") or the "hypot" of two norms; the first that has an answer counts.

They are entered where the norms are defined: those that know the dual in closed form first, the general one last.
"""

LEAST: dict[tuple[type, type], Callable[[Any, Any, Tree], Tree]] = {}
"""The least maximizer of norm @ map, from A^-T g, for pairs of a norm and a map of which it is known in closed form."""

DUALS: dict[type, Callable[[Any], Norm]] = {}
"""The dual, for norms whose dual is of a class of its own; entered where the norms are defined."""


class Norm(ABC):
    """A norm of trees of arrays, its dual, and where both are attained.

    Subclasses state the four methods in closed form; `covector.norms.define` makes a norm of any one of them.
    """

    __array_ufunc__ = None      # so that np.float64(2) * norm is a norm, not an array of objects

    fresh: ClassVar[bool] = False
    """Whether maximizers are new arrays, which whoever asked for them may write into."""

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

    def __eq__(self, other: object) -> bool:
        """Whether both are made alike of equal parameters. Law: `l1().dual == linf()`.

        Different formulas of one norm, such as `l2()` and `lp(2.0) @ np.eye(3)`, are not equal.
        """
        return same(self, other) if isinstance(other, Norm) else NotImplemented

    def __hash__(self) -> int:
        return structural_hash(self)

    def __call__(self, vector: Tree) -> Array:
        """The length of a step."""
        return called(self, vector)

    def lmo(self, covector: Tree) -> Tree:
        """The direction of steepest descent: the minimizer of <covector, v> over norm(v) <= 1.

        Law: `<g, lmo(g)> = -dual_norm(g)`.
        """
        return map_leaves(np.negative, self.maximizer(covector))

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        """The maximizer v with the least |scales * v|, if the policy for ties is the least norm; else as it is.

        `scales` gives numbers other than zero, in a tree like the covector, and is called only if they matter.
        """
        found = self.maximizer(covector)
        if self.traits.strictly_convex or not _takes_least("", self):
            return found
        stretched = Contragredient(Diagonal(scales()))      # v -> v / scales, so that its inverse is applied to v
        least = _settled(self, stretched, stretched.transpose(covector), stretched.solve(found))
        return typed_like(covector, stretched.apply(least))

    def single(self, covector: Tree) -> Any:
        """Whether a covector is quickly seen to have one maximizer, with none nearly as good."""
        return self.traits.strictly_convex

    def some_maximizer(self, covector: Tree) -> Tree:
        """A maximizer, whichever it is: what searches, which ask for many, ask for."""
        return self.with_ties("split").maximizer(covector)

    def some_subgradient(self, vector: Tree) -> Tree:
        """The same for the subgradient."""
        return self.with_ties("split").subgradient(vector)

    def as_multiple(self, covector: Tree, wanted: float = 1.0) -> tuple[Array, Tree]:
        """A number and that multiple of the maximizer, which may be the covector itself; for a finite covector.

        A step scales the maximizer anyway, and so saves a pass over memory if a norm need not do so first, or makes
        the multiple that is `wanted`, a number other than zero, at once.
        """
        return 1.0, self.maximizer(covector)

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
        lower = number_like(covector, ratio(pairing(covector, vector), self.bound(vector)))
        return vector, lower, np.maximum(number_like(covector, self.dual_bound(covector)), lower)

    def bound(self, vector: Tree) -> Array:
        """The norm, or a bound from above if it, or that of a part, has to be searched for."""
        found = self.searched_primal(vector)
        return self.norm(vector) if found is None else found[2]

    def dual_bound(self, covector: Tree) -> Array:
        """The same for the dual norm."""
        found = self.searched_dual(covector)
        return self.dual_norm(covector) if found is None else found[2]

    def searched_dual(self, covector: Tree) -> Bracket | None:
        """What `bracket` returns, if the dual norm has no closed form; None if it has."""
        return None

    def searched_primal(self, vector: Tree) -> Bracket | None:
        """The same for the norm itself, with the parts of norm and dual norm exchanged."""
        return None

    @property
    def dual(self) -> Norm:
        """The norm that measures gradients. Law: `N.dual.dual == N`."""
        found: Norm = DUALS.get(type(self), Dual)(self)
        return found

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        """The point of the ball norm(x) <= radius that is nearest to a vector, in the Euclidean distance.

        Raises MissingRuleError for a norm of which it is not known.

        Example:
            >>> from covector.norms.vectors import l1
            >>> l1().project(np.array([3.0, 1.0]), 2.0)
            array([2., 0.])
        """
        raise MissingRuleError(f"the projection on the ball of {type(self).__name__} is not known")

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        """The point of the ball dual_norm(x) <= radius that is nearest to a covector."""
        raise MissingRuleError(f"the projection on the dual ball of {type(self).__name__} is not known")

    def prox(self, vector: Tree, step: Any = 1.0) -> Tree:
        """The minimizer of step * norm(x) + |x - vector|^2 / 2, which is vector - project_dual(vector, step).

        Source: J. J. Moreau, Proximite et dualite dans un espace hilbertien (1965).

        Example:
            >>> from covector.norms.vectors import l1
            >>> l1().prox(np.array([3.0, -0.5]), 1.0)
            array([2., 0.])
        """
        return combined((1.0, vector), (-1.0, self.project_dual(vector, step)))

    def with_ties(self, ties: str) -> Norm:
        """The norm with another policy for ties, one of `TIES`, in all its parts.

        Example:
            >>> from covector.norms.vectors import l1
            >>> (2 * l1()).with_ties("vertex").maximizer(np.array([3.0, 3.0]))
            array([0.5, 0. ])
        """
        fields = _fields(self)
        return type(self)(**{name: _with_ties(name, fields[name], ties) for name in fields}) if fields else self

    def __rmul__(self, factor: Any) -> Norm:
        """The norm multiplied by a positive number."""
        return Scaled(self, _positive_number(factor, "the factor of a norm"))

    def __mul__(self, factor: Any) -> Norm:
        """The same."""
        return Scaled(self, _positive_number(factor, "the factor of a norm"))

    def __truediv__(self, divisor: Any) -> Norm:
        """The norm divided by a positive number."""
        return Scaled(self, 1.0 / _positive_number(divisor, "the divisor of a norm"))

    def __add__(self, other: Norm) -> Norm:
        """The sum of two norms. Law: `(N1 + N2).dual = minkowski(N1.dual, N2.dual)`."""
        return joined(self, other, "sum")

    def __or__(self, other: Norm) -> Norm:
        """The larger of two norms. Law: `(N1 | N2).dual = infimal_convolution(N1.dual, N2.dual)`."""
        return joined(self, other, "max")

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

    def bound(self, vector: Tree) -> Array:
        return self.inner.dual_bound(vector)

    def dual_bound(self, covector: Tree) -> Array:
        return self.inner.bound(covector)

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self.inner.project_dual(vector, radius)

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self.inner.project(covector, radius)

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
        return number_like(vector, self.factor * self.inner.norm(vector))

    def dual_norm(self, covector: Tree) -> Array:
        return number_like(covector, self.inner.dual_norm(covector) / self.factor)

    def maximizer(self, covector: Tree) -> Tree:
        return scaled(1.0 / self.factor, self.inner.maximizer(covector))

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        return scaled(1.0 / self.factor, self.inner.shortest(covector, scales))

    def single(self, covector: Tree) -> Any:
        return self.inner.single(covector)

    def subgradient(self, vector: Tree) -> Tree:
        return scaled(self.factor, self.inner.subgradient(vector))

    def bound(self, vector: Tree) -> Array:
        return self.factor * self.inner.bound(vector)

    def dual_bound(self, covector: Tree) -> Array:
        return self.inner.dual_bound(covector) / self.factor

    def project(self, vector: Tree, radius: Any = 1.0) -> Tree:
        return self.inner.project(vector, radius / self.factor)

    def project_dual(self, covector: Tree, radius: Any = 1.0) -> Tree:
        return self.inner.project_dual(covector, radius * self.factor)

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
        return number_like(vector, self.inner.norm(self.map.apply(vector)))

    def dual_norm(self, covector: Tree) -> Array:
        return number_like(covector, self.inner.dual_norm(self.map.transpose_solve(covector)))

    def maximizer(self, covector: Tree) -> Tree:
        if is_diagonal(self.map):
            return self.shortest(covector, partial(map_leaves, np.ones_like, covector))
        above = self.map.transpose_solve(covector)

        def found(above: Tree) -> Tree:
            return typed_like(covector, self.map.solve(self.inner.maximizer(above)))

        def least(above: Tree) -> Tree:
            return typed_like(covector, LEAST[kinds](self.inner, self.map, above))

        if self.inner.traits.strictly_convex or not _takes_least("", self.inner):
            return found(above)
        kinds = (type(self.inner), type(self.map))
        single = self.inner.single(above)
        if kinds in LEAST:
            return either(single, found, least, above)
        return _settled(self.inner, self.map, covector, found(above), single)

    def single(self, covector: Tree) -> Any:
        return self.inner.single(self.map.transpose_solve(covector))

    def shortest(self, covector: Tree, scales: Callable[[], Tree]) -> Tree:
        if not is_diagonal(self.map):
            return super().shortest(covector, scales)
        found = self.inner.shortest(self.map.transpose_solve(covector), lambda: self.map.solve(scales()))
        return typed_like(covector, self.map.solve(found))

    def subgradient(self, vector: Tree) -> Tree:
        return Precomposed(self.inner.dual, Contragredient(self.map)).maximizer(vector)

    def bound(self, vector: Tree) -> Array:
        return self.inner.bound(self.map.apply(vector))

    def dual_bound(self, covector: Tree) -> Array:
        return self.inner.dual_bound(self.map.transpose_solve(covector))

    @property
    def traits(self) -> Traits:
        absolute = self.inner.traits.absolute and isinstance(self.map, Diagonal)
        return attrs.evolve(self.inner.traits, absolute=absolute, unitarily_invariant=False)


def _settled(norm: Norm, map: InvertibleMap, covector: Tree, found: Tree, single: Any = False) -> Tree:
    """The least maximizer of norm @ map, beginning with any."""

    def steepest(near: Tree) -> Tree:
        return Precomposed(norm.with_ties("split"), map).maximizer(near)

    return settled(Precomposed(norm, map).dual_norm, steepest, covector, found, "min_norm", single)


def _undone(norm: Dual) -> Norm:
    return norm.inner


DUALS[Dual] = _undone


def joined(first: Norm, second: Any, how: str) -> Norm:
    """The "sum", the larger ("max") or the "hypot" of two norms of one variable."""
    if not isinstance(second, Norm):
        raise ArgumentError(f"a norm is joined with a norm; found {second!r}. Use norms.as_norm")
    found = (rule(first, second, how) for rule in JOINING)
    return next(norm for norm in found if norm is not None)


# --- checks ---------------------------------------------------------------------------------------------------


def positive(value: Any, what: str) -> Any:
    """The value, if all its entries are positive and finite; traced values are taken on trust."""
    if isinstance(value, Tracer):
        return value
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiu" or not np.all((numbers > 0) & np.isfinite(numbers)):
        raise ArgumentError(f"{what} must be positive and finite; found {value!r}")
    return value


def _positive_number(value: Any, what: str) -> Any:
    if np.ndim(value) != 0:
        raise ArgumentError(f"{what} is one number; found shape {np.shape(value)}. Weights are norm @ Diagonal(w)")
    return positive(value, what)


def _fields(norm: Norm) -> dict[str, Any]:
    """What a norm is made of; of one that is no attrs class, as every norm of covector is, nothing is known."""
    kind: Any = type(norm)
    return {name: getattr(norm, name) for name in attrs.fields_dict(kind)} if attrs.has(kind) else {}


def _with_ties(name: str, value: Any, ties: str) -> Any:
    if name == "ties":
        return tie_policy(ties)
    if isinstance(value, Norm):
        return value.with_ties(ties)
    return tuple(_with_ties("", part, ties) for part in value) if type(value) is tuple else value


def _takes_least(name: str, value: Any) -> bool:
    """Whether the policy for ties is the least norm, in all parts."""
    if name == "ties":
        return bool(value == "min_norm")
    if isinstance(value, Norm):
        return all(_takes_least(field, part) for field, part in _fields(value).items())
    return all(_takes_least("", part) for part in value) if type(value) is tuple else True


def tie_policy(ties: str) -> str:
    """The policy, checked to be one of `TIES`."""
    if ties not in TIES:
        raise ArgumentError(f"ties must be one of {', '.join(map(repr, TIES))}; found {ties!r}")
    return ties
