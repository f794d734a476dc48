"""Which norm measures a step: always the same one, or one that depends on where descent is and what it has seen.

A norm that changes is a function `norm_at(params, state)`. The state has the gradient of this step taken in: the number
of gradients so far is `state.count`, `state.memory` is the momentum, and `state.statistics` is whatever a `Statistics`
gathers from the gradients. Adam's norm, for one, is sqrt(<v, (sqrt(s) + epsilon) v>) with s the mean of squares:

    >>> from covector.norms import quadratic
    >>> from covector.optimize import steepest_descent
    >>> adagrad = varying(lambda x, state: quadratic(diagonal=np.sqrt(state.statistics)), squares(1.0, 1.0))
    >>> optimizer = steepest_descent(adagrad, step=0.5, mode="dual")
    >>> x = np.zeros(2)
    >>> optimizer.update(np.array([3.0, -0.1]), optimizer.init(x), x)[0]
    array([-0.5,  0.5])
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.core.types import Array, typeof
from covector.errors import ArgumentError
from covector.norms.define import as_norm
from covector.norms.norm import Norm
from covector.optimize.arithmetic import mixture
from covector.optimize.state import DescentState, zeros_of
from covector.trees import Tree, map_leaves

# --- statistics of gradients ------------------------------------------------------------------------------------


class Statistics(ABC):
    """What is gathered from gradients, for a norm to depend on."""

    @abstractmethod
    def initial(self, params: Tree) -> Tree:
        """Before the first gradient."""

    @abstractmethod
    def shaped(self, params: Tree) -> Tree:
        """Arrays of the same shapes, whatever their entries."""

    @abstractmethod
    def after(self, gradient: Tree, statistics: Tree) -> Tree:
        """With one more gradient."""


@final
@frozen
class Nothing(Statistics):
    """None."""

    def initial(self, params: Tree) -> None:
        return None

    def shaped(self, params: Tree) -> None:
        return None

    def after(self, gradient: Tree, statistics: Tree) -> None:
        return None


@final
@frozen
class Squares(Statistics):
    """keep * s + add * g^2, entry by entry."""

    keep: float
    add: float

    def initial(self, params: Tree) -> Tree:
        return zeros_of(params)

    def shaped(self, params: Tree) -> Tree:
        return params

    def after(self, gradient: Tree, statistics: Tree) -> Tree:
        return mixture((self.keep, statistics), (self.add, map_leaves(np.square, gradient)))


@final
@frozen
class SecondMoments(Statistics):
    """keep * M + add * G G^T for each axis of each leaf, G being the gradient with that axis first; begins at start."""

    keep: float
    add: float
    start: float

    def initial(self, params: Tree) -> Tree:
        return map_leaves(self._leaf_initial, params)

    def _leaf_initial(self, leaf: Any) -> tuple[Array, ...]:
        kind = typeof(leaf)
        return tuple(self.start * np.eye(size, dtype=kind.dtype) for size in kind.shape or (1,))

    def shaped(self, params: Tree) -> Tree:
        return map_leaves(_squares_of_axes, params)

    def after(self, gradient: Tree, statistics: Tree) -> Tree:
        return map_leaves(self._leaf_after, gradient, statistics)

    def _leaf_after(self, gradient: Array, moments: tuple[Array, ...]) -> tuple[Array, ...]:
        gradient = np.reshape(gradient, typeof(gradient).shape or (1,))
        return tuple(self.keep * m + self.add * _gram(gradient, axis) for axis, m in enumerate(moments))


def _squares_of_axes(leaf: Any) -> tuple[Array, ...]:
    return tuple(np.broadcast_to(0.0, (size, size)) for size in typeof(leaf).shape or (1,))


def _gram(x: Array, axis: int) -> Array:
    kind = typeof(x)
    rows = np.reshape(np.moveaxis(x, axis, 0), (kind.shape[axis], kind.size // max(kind.shape[axis], 1)))
    return rows @ np.transpose(rows)


def squares(keep: float, add: float) -> Squares:
    """The statistics s next = keep * s + add * g^2, entry by entry, from zero."""
    return Squares(keep, add)


def second_moments(keep: float, add: float, start: float) -> SecondMoments:
    """The statistics M next = keep * M + add * G G^T for each axis of each array, from start times the identity."""
    return SecondMoments(keep, add, start)


# --- rules --------------------------------------------------------------------------------------------------------


class NormRule(ABC):
    """The norm of each step."""

    @abstractmethod
    def statistics(self) -> Statistics:
        """What is to be gathered from gradients."""

    @abstractmethod
    def known(self) -> Norm | None:
        """The norm, if it is known before there is a gradient."""

    @abstractmethod
    def choose(
        self, gradient: Tree, params: Tree, state: DescentState, product: Callable[[Tree], Tree] | None
    ) -> Norm:
        """The norm for this gradient, which the state has taken in, by Hessian products v -> H v if need be."""

    @abstractmethod
    def with_ties(self, ties: str) -> NormRule:
        """The rule with another policy for ties."""


@final
@frozen(eq=False)
class Fixed(NormRule):
    """Always the same norm."""

    norm: Norm

    def statistics(self) -> Statistics:
        return Nothing()

    def known(self) -> Norm:
        return self.norm

    def choose(self, gradient: Tree, params: Tree, state: DescentState, product: Any) -> Norm:
        return self.norm

    def with_ties(self, ties: str) -> Fixed:
        return Fixed(self.norm.with_ties(ties))


@final
@frozen(eq=False)
class Varying(NormRule):
    """A norm that depends on the parameters and the state; made by `varying`."""

    norm_at: Callable[..., Any]
    gathered: Statistics
    takes_state: bool
    ties: str | None = None

    def statistics(self) -> Statistics:
        return self.gathered

    def known(self) -> None:
        return None

    def choose(self, gradient: Tree, params: Tree, state: DescentState, product: Any) -> Norm:
        norm = as_norm(self.norm_at(params, state) if self.takes_state else self.norm_at(params))
        return norm if self.ties is None else norm.with_ties(self.ties)

    def with_ties(self, ties: str) -> Varying:
        return evolve(self, ties=ties)


def varying(norm_at: Callable[..., Any], statistics: Statistics | None = None) -> Varying:
    """A norm that changes: a function of the parameters, or of the parameters and the state, to what `as_norm` takes.

    `steepest_descent` takes a function of two arguments for such a one by itself.

    Args:
        norm_at: params -> norm, or (params, state) -> norm; the state has the gradient of this step taken in.
        statistics: what is to be gathered from the gradients in `state.statistics`: `squares`, `second_moments`.

    Example:
        >>> from covector.norms import quadratic
        >>> from covector.optimize import steepest_descent
        >>> relative = varying(lambda x: quadratic(diagonal=1 / x**2))       # lengths relative to the parameters
        >>> optimizer = steepest_descent(relative, step=0.1)
        >>> x = np.array([100.0, 1.0])
        >>> optimizer.update(np.array([0.01, 1.0]), optimizer.init(x), x)[0].round(3)
        array([-7.071, -0.071])
    """
    return Varying(norm_at, Nothing() if statistics is None else statistics, required_arguments(norm_at) == 2)


def as_norm_rule(norm: Any) -> NormRule:
    """The rule that is meant: a rule itself, a function of (params, state), or what `as_norm` takes."""
    if isinstance(norm, NormRule):
        return norm
    if not isinstance(norm, Norm) and callable(norm) and required_arguments(norm) == 2:
        return varying(norm)
    return Fixed(as_norm(norm))


def required_arguments(function: Callable[..., Any]) -> int:
    """How many arguments a function must be given by position. Raises ArgumentError if it is none or above two."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function in C that does not say
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(p.kind in positional and p.default is inspect.Parameter.empty for p in parameters)
    if count > 2:
        raise ArgumentError(
            f"a norm is a function of a vector, or of (params, state); {function!r} needs {count} arguments"
        )
    return count
