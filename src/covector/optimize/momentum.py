"""Momentum: which covector a direction is taken for, when it is not the last gradient alone.

A momentum rule keeps one tree, m, that begins at zero. From it and the gradient g it makes the covector u to descend
along, and the next m.

| rule | m next | u |
|---|---|---|
| `ema(b)` | b m + (1 - b) g | m next |
| `heavy_ball(b)` | b m + g | m next |
| `nesterov(b)` | b m + g | g + b (m next) |
| `lion(b1, b2)` | b2 m + (1 - b2) g | b1 m + (1 - b1) g |

    >>> import numpy as np
    >>> nesterov(0.5).apply(np.array([4.0]), np.array([2.0]))
    (array([6.5]), array([5.]))
"""

from __future__ import annotations

from typing import final

from attrs import frozen

from covector.errors import ArgumentError
from covector.norms.layout import combined
from covector.trees import Tree


@final
@frozen
class Momentum:
    """m next = keep m + add g; u = mix m + share g (with the old m)."""

    keep: float
    add: float
    mix: float
    share: float

    def apply(self, gradient: Tree, memory: Tree) -> tuple[Tree, Tree]:
        """The covector to descend along, and the next memory."""
        return (
            combined((self.share, gradient), (self.mix, memory)),
            combined((self.add, gradient), (self.keep, memory)),
        )


def ema(beta: float) -> Momentum:
    """The exponential moving average of gradients."""
    _check(beta)
    return Momentum(keep=beta, add=1.0 - beta, mix=beta, share=1.0 - beta)


def heavy_ball(beta: float) -> Momentum:
    """The discounted sum of gradients.

    Source: B. Polyak, Some methods of speeding up the convergence of iteration methods (1964).
    """
    _check(beta)
    return Momentum(keep=beta, add=1.0, mix=beta, share=1.0)


def nesterov(beta: float) -> Momentum:
    """The discounted sum of gradients as it will be after the next one, if that is like this one."""
    _check(beta)
    return Momentum(keep=beta, add=1.0, mix=beta * beta, share=1.0 + beta)


def lion(beta1: float, beta2: float) -> Momentum:
    """One average to descend along, a slower one to remember.

    Source: X. Chen et al., Symbolic discovery of optimization algorithms (2023).
    """
    _check(beta1)
    _check(beta2)
    return Momentum(keep=beta2, add=1.0 - beta2, mix=beta1, share=1.0 - beta1)


def _check(beta: float) -> None:
    if not 0 <= beta < 1:
        raise ArgumentError(f"a momentum coefficient must be in [0, 1); found {beta!r}")
