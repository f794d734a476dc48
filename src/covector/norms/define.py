"""Norms from what a user has: a function, its dual, a maximizer, a name, or a tree of such.

Any one of the three determines the others, and `define` derives them:

| given | derived |
|---|---|
| `norm` | dual_norm = dualize(norm), maximizer = gradient of it; by optimization if `norm` is not disciplined |
| `dual_norm` | maximizer = gradient of it (exact: the envelope theorem), norm = dualize(dual_norm) |
| `maximizer` | dual_norm(g) = <g, maximizer(g)> |

    >>> import numpy as np
    >>> weighted = define(norm=lambda v: np.max(np.array([1.0, 2.0]) * np.abs(v)))
    >>> weighted.lmo(np.array([3.0, -1.0]))
    array([-1. ,  0.5])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError, MissingRuleError
from covector.norms.calculus import Blockwise, PerLeaf, Product, absolute, product
from covector.norms.dualize import dualize
from covector.norms.layout import magnitude, pairing, ravel
from covector.norms.matrices import nuclear, rms_to_rms, spectral
from covector.norms.norm import Norm, Traits
from covector.norms.registration import registered
from covector.norms.solve import Bracket, attained
from covector.norms.vectors import l1, l2, linf, lp
from covector.transforms.gradient import grad
from covector.trees import Tree

Function = Callable[[Tree], Any]


@registered
@final
@frozen(eq=False)
class Defined(Norm):
    """A norm of which some of the three functions are given; made by `define`."""

    given_norm: Function | None
    given_dual_norm: Function | None
    given_maximizer: Function | None

    def norm(self, vector: Tree) -> Array:
        if self.given_norm is not None:
            return self.given_norm(vector)
        if self.given_dual_norm is None:
            raise MissingRuleError(
                "this norm was defined by its maximizer alone: lengths of steps need norm= or dual_norm= too"
            )
        return dualize(self.given_dual_norm)(vector)

    def dual_norm(self, covector: Tree) -> Array:
        if self.given_dual_norm is not None:
            return self.given_dual_norm(covector)
        if self.given_norm is not None and self.given_maximizer is None:
            try:
                return dualize(self.given_norm)(covector)
            except MissingRuleError:
                pass
        return pairing(covector, self.maximizer(covector))

    def maximizer(self, covector: Tree) -> Tree:
        if self.given_maximizer is not None:
            return self.given_maximizer(covector)
        found = self.searched_dual(covector)
        return gradient_of_norm(self.dual_norm, covector) if found is None else found[0]

    def subgradient(self, vector: Tree) -> Tree:
        return gradient_of_norm(self.norm, vector)

    def searched_dual(self, covector: Tree) -> Bracket | None:
        """By optimization if the norm alone is given, and its program is not that of a disciplined norm."""
        if self.given_norm is None or self.given_dual_norm is not None or self.given_maximizer is not None:
            return None
        try:
            dualize(self.given_norm)(covector)
        except MissingRuleError:
            return attained(self.given_norm, self.subgradient, covector)
        return None

    @property
    def traits(self) -> Traits:
        return Traits()


def gradient_of_norm(norm: Function, vector: Tree) -> Tree:
    """The gradient of a norm, the same at every positive multiple of the vector; zero at zero."""
    flat, restore = ravel(vector)
    nonzero = np.any(flat != 0)
    unit = np.where(nonzero, flat / magnitude(flat), 1.0)
    gradient, _ = ravel(grad(norm)(restore(unit)))
    return restore(np.where(nonzero, gradient, 0.0))


def define(
    norm: Function | None = None, dual_norm: Function | None = None, maximizer: Function | None = None
) -> Defined:
    """A norm of one, two or three of its functions; the others are derived.

    Args:
        norm: the length of a step, a NumPy function of an array or tree of arrays. Given alone, it had better be a
            disciplined norm (see `dualize`): then all is exact. Otherwise directions are searched for, which is slow.
        dual_norm: the steepness of a gradient, a NumPy function that `grad` can differentiate.
        maximizer: a function g -> v with norm(v) = 1 and <g, v> = dual_norm(g).

    Raises:
        ArgumentError: none is given.

    Example:
        >>> euclidean = define(dual_norm=lambda g: np.sqrt(np.sum(g * g)))
        >>> euclidean.maximizer(np.array([3.0, 4.0]))
        array([0.6, 0.8])
        >>> float(euclidean.norm(np.array([3.0, 4.0])))
        5.0
    """
    if norm is None and dual_norm is None and maximizer is None:
        raise ArgumentError("define needs at least one of norm, dual_norm and maximizer")
    return Defined(norm, dual_norm, maximizer)


NAMES: dict[str, Callable[[], Norm]] = {
    "l1": l1, "l2": l2, "linf": linf, "frobenius": l2, "spectral": spectral, "nuclear": nuclear,
    "rms_to_rms": rms_to_rms,
}  # fmt: skip


def as_norm(value: Any) -> Norm:
    """The norm that is meant: a Norm itself, a name, a function that is a norm, or a tree of such for a tree.

    A tree of norms measures a tree of arrays by the largest of the norms of its parts.

    Raises ArgumentError for an unknown name or something else.

    Example:
        >>> as_norm("l1").maximizer(np.array([1.0, -2.0]))
        array([ 0., -1.])
        >>> g = {"bias": np.array([3.0, 4.0]), "weights": 2 * np.eye(2)}
        >>> as_norm({"bias": "l2", "weights": "spectral"}).maximizer(g)
        {'bias': array([0.6, 0.8]), 'weights': array([[1., 0.], [0., 1.]])}
    """
    if isinstance(value, Norm):
        return value
    if isinstance(value, str):
        if value not in NAMES:
            raise ArgumentError(f"there is no norm {value!r}; the names are {', '.join(NAMES)}")
        return NAMES[value]()
    if callable(value):
        return define(norm=value)
    if isinstance(value, (dict, list, tuple)):
        return tree(value)
    raise ArgumentError(f"a norm is a Norm, a name, a function, or a dict, list or tuple of them; found {value!r}")


def tree(norms: Tree, outer: Any = "linf") -> Product:
    """The norm of trees whose parts are measured by different norms, joined by an outer norm of their lengths.

    Args:
        norms: a dict, list or tuple (nested at will) of what `as_norm` takes; a prefix of the trees to measure.
        outer: an absolute norm: "linf" moves every part by a full unit, "l1" only the steepest, "l2" in proportion.

    Example:
        >>> g = {"a": np.array([3.0, 4.0]), "b": np.array([1.0, -1.0])}
        >>> tree({"a": "l2", "b": "linf"}, outer="l1").maximizer(g)
        {'a': array([0.6, 0.8]), 'b': array([ 0., -0.])}
    """
    return product(_norms(norms), as_norm(outer))


def _norms(norms: Tree) -> Tree:
    if isinstance(norms, dict):
        return {key: _norms(x) for key, x in norms.items()}
    if isinstance(norms, (list, tuple)) and not isinstance(norms, Norm):
        parts = [_norms(x) for x in norms]
        return parts if isinstance(norms, list) else type(norms)(*parts) if hasattr(norms, "_fields") else tuple(parts)
    return as_norm(norms)


def per_leaf(norm: Any, outer: Any = "linf") -> PerLeaf:
    """The norm of trees whose leaves are all measured alike, joined by an outer norm of their lengths.

    Example:
        >>> per_leaf("spectral").maximizer([np.diag([2.0, 3.0]), np.diag([5.0, 0.0])])
        [array([[1., 0.], [0., 1.]]), array([[1., 0.], [0., 0.]])]
    """
    return PerLeaf(as_norm(norm), absolute(as_norm(outer)))


def blockwise(inner: Any, outer: Any = "linf", axes: int | Sequence[int] = -1) -> Blockwise:
    """The norm of arrays whose blocks are measured alike, joined by an outer norm of their lengths.

    Args:
        inner: the norm of a block.
        outer: an absolute norm of the lengths of the blocks.
        axes: the axes that a block spans; there is a block for each index of the others.

    Example:
        >>> blockwise("l2", "linf", axes=1).maximizer(np.array([[3.0, 4.0], [0.0, 2.0]]))    # each row by itself
        array([[0.6, 0.8],
               [0. , 1. ]])
    """
    return Blockwise(as_norm(inner), absolute(as_norm(outer)), (axes,) if isinstance(axes, int) else tuple(axes))


def group(inner: Any = 2, outer: Any = 1, axes: int | Sequence[int] = -1) -> Blockwise:
    """The mixed norm l_{p,q}: lp along `axes`, then lq of the results.

    Example:
        >>> float(group(2, 1, axes=1).norm(np.array([[3.0, 4.0], [0.0, 2.0]])))
        7.0
    """
    return blockwise(lp(inner), lp(outer), axes)


def check_norm(norm: Function, like: Tree, probes: int = 4, seed: int = 0) -> None:
    """Raises ArgumentError with the evidence if a function is seen not to be a norm of trees like the example.

    Looks, at random trees, for a length that is not positive, N(2 v) != 2 N(v), N(-v) != N(v), and
    N(u + v) > N(u) + N(v).

    Example:
        >>> check_norm(lambda v: np.sum(v**2), np.zeros(3))
        Traceback (most recent call last):
        covector.errors.ArgumentError: not a norm: N(2 v) is ..., but 2 N(v) is ...
    """
    flat, restore = ravel(like)
    rng = np.random.default_rng(seed)

    def length(vector: Array) -> float:
        return float(norm(restore(vector)))

    for probe in range(probes):
        u, v = rng.standard_normal((2, len(flat)))
        u, v = (np.abs(u), np.abs(v)) if probe % 2 else (u, v)
        one, other = length(u), length(v)
        slack = 1e-6 * (one + other)
        if not one > 0:
            raise ArgumentError(f"not a norm: N(v) is {one:.6g} for the vector {restore(u)!r} other than zero")
        for factor in (2.0, -1.0):
            found, wanted = length(factor * u), abs(factor) * one
            if not abs(found - wanted) <= slack:
                raise ArgumentError(
                    f"not a norm: N({factor:g} v) is {found:.6g}, but {abs(factor):g} N(v) is {wanted:.6g}"
                )
        both = length(u + v)
        if not both <= one + other + slack:
            raise ArgumentError(f"not a norm: N(u + v) is {both:.6g}, more than N(u) + N(v) = {one + other:.6g}")
