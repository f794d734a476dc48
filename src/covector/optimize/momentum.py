"""Momentum: which covector a direction is taken for, when it is not the last gradient alone.

A momentum rule keeps one tree, m, that begins at zero. From it and the gradient g it makes the covector u to descend
along, and the next m.

| rule | m next | u |
|---|---|---|
| `ema(b)` | b m + (1 - b) g | m next; with `debiased`, m next / (1 - b^k) after k gradients |
| `heavy_ball(b)` | b m + g | m next |
| `nesterov(b)` | b m + g | g + b (m next) |
| `lion(b1, b2)` | b2 m + (1 - b2) g | b1 m + (1 - b1) g |
| `error_feedback(b, N)` | u - (1 - b) J(u), J the duality map of the norm N | m + g |

What LARS and LAMB mean by weight decay is of this kind too: `Penalized` adds weight x to the gradient before it is
averaged, `PulledBack` adds it, as the metric of the step sees it, to the average.

    >>> state = DescentState(np.int64(1), np.array([2.0]), None, None, None, np.int64(0))
    >>> nesterov(0.5).apply(np.array([4.0]), state, params=None)
    (array([6.5]), array([5.]))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.errors import ArgumentError
from covector.norms.define import as_norm
from covector.norms.norm import Norm
from covector.optimize.arithmetic import check_number, mixture
from covector.optimize.state import DescentState
from covector.trees import Tree, map_leaves


class Momentum(ABC):
    """From the gradient and a memory: the covector to descend along, and the next memory."""

    @abstractmethod
    def apply(self, gradient: Tree, state: DescentState, params: Tree) -> tuple[Tree, Tree]:
        """The covector to descend along, and the next memory.

        The state has the last memory, but its count and statistics have this gradient taken in.
        """


@final
@frozen
class Averaged(Momentum):
    """m next = keep m + add g; u = mix m + share g (with the old m), over 1 - keep^count if debiased."""

    keep: Any
    add: Any
    mix: Any
    share: Any
    debiased: bool = False

    def apply(self, gradient: Tree, state: DescentState, params: Tree) -> tuple[Tree, Tree]:
        weight = 1.0 / (1.0 - self.keep ** (1.0 * state.count)) if self.debiased else 1.0
        after = mixture((self.add, gradient), (self.keep, state.memory))
        if not self.debiased and self.mix is self.keep and self.share is self.add:
            return after, after  # u is the next m: no need to compute it twice
        return mixture((self.share * weight, gradient), (self.mix * weight, state.memory)), after


@final
@frozen
class ErrorFeedback(Momentum):
    """What a direction leaves out of the covector is remembered whole, what it takes is kept in part."""

    beta: Any
    norm: Norm

    def apply(self, gradient: Tree, state: DescentState, params: Tree) -> tuple[Tree, Tree]:
        covector = mixture((1.0, gradient), (1.0, state.memory))
        return covector, mixture((1.0, covector), (self.beta - 1.0, self.norm.duality_map(covector)))


@final
@frozen
class Penalized(Momentum):
    """The gradient of f + weight |x|^2 / 2 in the place of that of f."""

    inner: Momentum
    weight: Any

    def apply(self, gradient: Tree, state: DescentState, params: Tree) -> tuple[Tree, Tree]:
        return self.inner.apply(mixture((1.0, gradient), (self.weight, params)), state, params)


@final
@frozen(eq=False)
class PulledBack(Momentum):
    """weight H x added to the covector, for the metric H of the step: its direction then has weight x added to it."""

    inner: Momentum
    weight: Any
    metric: Callable[[DescentState], Tree]
    """The diagonal of H."""

    def apply(self, gradient: Tree, state: DescentState, params: Tree) -> tuple[Tree, Tree]:
        covector, memory = self.inner.apply(gradient, state, params)
        pull = map_leaves(np.multiply, self.metric(state), params)
        return mixture((1.0, covector), (self.weight, pull)), memory


def ema(beta: Any, debiased: bool = False) -> Averaged:
    """The exponential moving average of gradients.

    Args:
        beta: the weight of the past.
        debiased: divide by the sum of the weights so far, 1 - beta^k, since the average begins at zero.
    """
    check_weight(beta)
    rest = 1.0 - beta
    return Averaged(keep=beta, add=rest, mix=beta, share=rest, debiased=debiased)


def heavy_ball(beta: Any) -> Averaged:
    """The discounted sum of gradients.

    Source: B. Polyak, Some methods of speeding up the convergence of iteration methods (1964).
    """
    check_weight(beta)
    one = 1.0
    return Averaged(keep=beta, add=one, mix=beta, share=one)


def nesterov(beta: Any) -> Averaged:
    """The discounted sum of gradients as it will be after the next one, if that is like this one.

    Source: Y. Nesterov (1983), in the form of I. Sutskever et al., On the importance of initialization and momentum in
    deep learning (2013).
    """
    check_weight(beta)
    return Averaged(keep=beta, add=1.0, mix=beta * beta, share=1.0 + beta)


def lion(beta1: Any, beta2: Any) -> Averaged:
    """One average to descend along, a slower one to remember.

    Source: X. Chen et al., Symbolic discovery of optimization algorithms (2023).
    """
    check_weight(beta1)
    check_weight(beta2)
    return Averaged(keep=beta2, add=1.0 - beta2, mix=beta1, share=1.0 - beta1)


def error_feedback(beta: Any, norm: Any) -> ErrorFeedback:
    """The sum of gradients, from which the part a direction makes use of is taken away.

    Args:
        beta: the part of it that stays.
        norm: its duality map J says what a direction makes use of. For the k-support norm (of singular values) J keeps
            the k largest entries (singular values).

    Source: K. Ahn et al., Dion: distributed orthonormalized updates (2025), algorithm 1.
    """
    check_weight(beta)
    return ErrorFeedback(beta, as_norm(norm))


def check_weight(beta: Any) -> None:
    """Raises ArgumentError unless the weight of the past is at least 0 and less than 1."""
    check_number("a momentum coefficient", beta)
    if not isinstance(beta, Tracer) and not 0 <= beta < 1:
        raise ArgumentError(f"a momentum coefficient must be in [0, 1); found {beta!r}")
