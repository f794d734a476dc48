"""Norms from what a user has: a function, its dual, a maximizer, a name, or a tree of such.

Any one of the three determines the others, and `define` derives them:

| given | derived |
|---|---|
| `norm` | dual_norm = dualize(norm), maximizer = gradient of it; by optimization if `norm` is not disciplined |
| `dual_norm` | maximizer = gradient of it (the envelope theorem), norm = dualize(dual_norm), or by optimization |
| `maximizer` | dual_norm(g) = <g, maximizer(g)>, norm by optimization |

    >>> import numpy as np
    >>> weighted = define(norm=lambda v: np.max(np.array([1.0, 2.0]) * np.abs(v)))
    >>> weighted.lmo(np.array([3.0, -1.0]))
    array([-1. ,  0.5])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isfunction
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.core.types import Array
from covector.errors import ArgumentError, ConcreteValueError, MissingRuleError
from covector.norms.calculus import Blockwise, PerLeaf, Product, absolute, product
from covector.norms.checks import check_norm, gradient_of_norm
from covector.norms.dualize import DualProgram, dualize
from covector.norms.layout import magnitude, number_like, pairing, ravel, typed_like
from covector.norms.matrices import nuclear, rms_to_rms, spectral
from covector.norms.norm import Norm
from covector.norms.registration import registered
from covector.norms.solve import Bracket, attained
from covector.norms.tied import settled
from covector.norms.traits import Traits
from covector.norms.vectors import l1, l2, linf, of_exponent, rms
from covector.trees import Tree

Function = Callable[[Tree], Any]


@registered
@final
@frozen(eq=False)
class Defined(Norm):
    """A norm of which some of the three functions are given; made by `define`.

    `search` allows what has no closed form to be found by optimization. `shown_exact` says that the dual of the norm
    has been derived once.
    """

    given_norm: Function | None
    given_dual_norm: Function | None
    given_maximizer: Function | None
    search: bool = True
    shown_exact: bool = False
    ties: str = "min_norm"

    def norm(self, vector: Tree) -> Array:
        if self.given_norm is not None:
            return number_like(vector, homogeneous(self.given_norm, vector))
        found = self._derived(self.given_dual_norm, vector)
        return self._searched_norm(vector)[1] if found is None else number_like(vector, homogeneous(found, vector))

    def dual_norm(self, covector: Tree) -> Array:
        if self.given_dual_norm is not None:
            return number_like(covector, homogeneous(self.given_dual_norm, covector))
        if self.given_maximizer is not None:
            return pairing(covector, self.maximizer(covector))
        found = self._derived(self.given_norm, covector)
        return self._searched(covector)[1] if found is None else number_like(covector, homogeneous(found, covector))

    def maximizer(self, covector: Tree) -> Tree:
        if self.given_maximizer is not None:
            return typed_like(covector, self.given_maximizer(at_scale_one(covector)[0]))
        length = self._steepness(covector)
        if length is None:
            return self._searched(covector)[0]
        steepest = partial(gradient_of_norm, length)
        return settled(length, steepest, covector, steepest(covector), self.ties)

    def subgradient(self, vector: Tree) -> Tree:
        found = self.searched_primal(vector)
        return gradient_of_norm(self.norm, vector) if found is None else found[0]

    def searched_dual(self, covector: Tree) -> Bracket | None:
        """By optimization if the norm alone is given, and its program is not that of a disciplined norm."""
        if self.given_maximizer is not None or self._steepness(covector) is not None:
            return None
        return self._searched(covector)

    def searched_primal(self, vector: Tree) -> Bracket | None:
        """By optimization if the norm is not given, and cannot be derived from the dual norm."""
        if self.given_norm is not None:
            return None
        if self.given_dual_norm is None or self._derived(self.given_dual_norm, vector) is None:
            return self._searched_norm(vector)
        return None

    def _searched(self, covector: Tree) -> Bracket:
        return attained(self.norm, self.subgradient, covector, self.ties)

    def _searched_norm(self, vector: Tree) -> Bracket:
        return attained(self.dual_norm, self._any_maximizer, vector, self.ties)

    def _any_maximizer(self, covector: Tree) -> Tree:
        """A maximizer, whichever it is, where the norm is not given."""
        return self.maximizer(covector) if self.given_dual_norm is None else gradient_of_norm(self.dual_norm, covector)

    def _steepness(self, covector: Tree) -> Function | None:
        """The dual norm of covectors like this one of moderate size, given or by rewriting the norm, or None."""
        return self._derived(self.given_norm, covector) if self.given_dual_norm is None else self.given_dual_norm

    def _derived(self, function: Function | None, argument: Tree) -> Function | None:
        """The dual of one of the two norms, of arguments like this one, by rewriting its program, or None."""
        if function is None:
            return None
        dual = dualize(function)
        near = at_scale_one(argument)[0]
        try:
            found: Function = dual.recorded(near) if isinstance(dual, DualProgram) else dual
            found(near)
        except (MissingRuleError, ConcreteValueError) as error:
            if not self.search:
                raise MissingRuleError(
                    f"{error}\nsearch=False forbids finding it by optimization; allow it with define(..., search=True)"
                ) from None
            return None
        return found

    @property
    def traits(self) -> Traits:
        exact = self.given_dual_norm is not None or self.given_maximizer is not None or self.shown_exact
        return Traits(exact=exact, exact_norm=self.given_norm is not None)


def define(
    norm: Function | None = None,
    dual_norm: Function | None = None,
    maximizer: Function | None = None,
    *,
    like: Tree = None,
    search: bool = True,
) -> Defined:
    """A norm of one, two or three of its functions; the others are derived.

    Args:
        norm: the length of a step, a NumPy function of an array or tree of arrays. Given alone, it had better be a
            disciplined norm (see `dualize`): then all is exact. Otherwise directions are searched for, which is slow.
        dual_norm: the steepness of a gradient, a NumPy function that `grad` can differentiate.
        maximizer: a function g -> v with norm(v) = 1 and <g, v> = dual_norm(g).
        like: an example of what is to be measured. The functions are then checked on it (see `check_norm`), and
            `traits.exact` says whether the dual of the norm could be derived for it.
        search: whether to search for what cannot be derived; if not, MissingRuleError names the operation in the way.

    Raises:
        ArgumentError: none is given, or the norm or dual norm is seen not to be a norm.
        MissingRuleError: the dual is needed, cannot be derived, and `search` is false.

    Example:
        >>> euclidean = define(dual_norm=lambda g: np.sqrt(np.sum(g * g)))
        >>> euclidean.maximizer(np.array([3.0, 4.0]))
        array([0.6, 0.8])
        >>> float(euclidean.norm(np.array([3.0, 4.0])))
        5.0
    """
    if norm is None and dual_norm is None and maximizer is None:
        raise ArgumentError("define needs at least one of norm, dual_norm and maximizer")
    made = Defined(norm, dual_norm, maximizer, search)
    if like is None:
        return made
    for function in (norm, dual_norm):
        if function is not None:
            check_norm(function, like)
    return evolve(made, shown_exact=made.searched_dual(like) is None)


def homogeneous(function: Function, tree: Tree) -> Array:
    """A norm at a tree, by its value where the largest entry is between 1 and 2 and powers stay within range."""
    near, unit = at_scale_one(tree)
    return unit * function(near)


def at_scale_one(tree: Tree) -> tuple[Tree, Array]:
    """A tree divided by the power of two next to its largest entry, and that power."""
    flat, restore = ravel(tree)
    unit = magnitude(flat)
    return restore(flat / unit), unit


NAMES: dict[str, Callable[[], Norm]] = {
    "l1": l1, "l2": l2, "linf": linf, "rms": rms, "frobenius": l2, "spectral": spectral, "nuclear": nuclear,
    "rms_to_rms": rms_to_rms,
}  # fmt: skip

def as_norm(value: Any, like: Tree = None, search: bool = True) -> Norm:
    """The norm that is meant: a Norm itself, a name, a function that is a norm, or a tree of such for a tree.

    A tree of norms measures a tree of arrays by the largest of the norms of its parts. `like` and `search` are those of
    `define`, for a function: with an example, it is checked, and its traits say whether its dual is exact.

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
    if _makes_norms(value):
        raise ArgumentError(f"norms.{value.__name__} makes a norm, and is not one: write norms.{value.__name__}(...)")
    if callable(value):
        return define(norm=value, like=like, search=search)
    if isinstance(value, (dict, list, tuple)):
        return tree(value)
    raise ArgumentError(f"a norm is a Norm, a name, a function, or a dict, list or tuple of them; found {value!r}")


def _makes_norms(value: Any) -> bool:
    """Whether this is a function of covector.norms, given where its result is meant."""
    return isfunction(value) and value.__module__.startswith(__package__ or "covector.norms")


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
    spanned: tuple[Any, ...] = tuple(axes) if isinstance(axes, Sequence) else (axes,)
    if not all(isinstance(axis, (int, np.integer)) for axis in spanned) or len(set(spanned)) < len(spanned):
        raise ArgumentError(f"axes must be an integer or several different ones; found {axes!r}")
    return Blockwise(as_norm(inner), absolute(as_norm(outer)), tuple(int(axis) for axis in spanned))


def group(inner: Any = 2, outer: Any = 1, axes: int | Sequence[int] = -1, ties: str = "min_norm") -> Norm:
    """The mixed norm l_{p,q}: lp along `axes`, then lq of the results.

    Example:
        >>> float(group(2, 1, axes=1).norm(np.array([[3.0, 4.0], [0.0, 2.0]])))
        7.0
    """
    return blockwise(of_exponent(inner, "group"), of_exponent(outer, "group"), axes).with_ties(ties)


def row_rms(outer: Any = "linf") -> Blockwise:
    """The largest root mean square of a row, for embeddings with one row for each token: every row moves by as much.

    Source: J. Bernstein and L. Newhouse, Modular duality in deep learning (2024), section 4.

    Example:
        >>> row_rms().maximizer(np.array([[3.0, 0.0], [0.0, -0.1]])).round(6) + 0.0
        array([[ 1.414214,  0.      ],
               [ 0.      , -1.414214]])
    """
    return blockwise(rms(), outer, -1)


def column_rms(outer: Any = "linf") -> Blockwise:
    """The largest root mean square of a column, for embeddings with one column for each token."""
    return blockwise(rms(), outer, -2)
