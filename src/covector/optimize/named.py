"""Known optimizers whose norm does not change: nothing here but calls of `steepest_descent`.

| optimizer | norm | mode and step |
|---|---|---|
| `gradient_descent` | l2 | dual, constant |
| `normalized_gradient` | l2 | unit, constant |
| `sign_descent`, `signum` | linf | unit; moving average |
| `coordinate_descent` (Gauss-Southwell) | l1, or weighted by root L_i | 1/L |
| `block_descent` | l1 of the l2 norms of blocks | 1/L |
| `top_k_sign` | max(linf, l1 / k) | unit |
| `sobolev_descent` | H1 | dual |
| `lion` | linf | unit; two moving averages, weight decay |
| `frank_wolfe` | any | radius, 2 / (count + 2) |
| `kaczmarz` | any | (f - 0) / dual_norm(g), for one equation after the other |
| `cauchy_point` | any | to the minimum of the second-order model in a trust region |

Those whose norm changes are in `covector.optimize.preconditioned`, those for trees of weights in `layerwise`.

    >>> import numpy as np
    >>> optimizer = sign_descent(0.1)
    >>> optimizer.update(np.array([5.0, -0.1]), optimizer.init(np.zeros(2)), np.zeros(2))[0]
    array([-0.1,  0.1])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.norms.define import blockwise, per_leaf
from covector.norms.maps import Diagonal
from covector.norms.norm import Norm, positive
from covector.norms.ordered import sparse_sign
from covector.norms.quadratic import sobolev
from covector.norms.vectors import l1, l2, linf
from covector.optimize.line_search import TrustRegion, trust_region
from covector.optimize.momentum import ema, heavy_ball
from covector.optimize.momentum import lion as lion_momentum
from covector.optimize.steepest_descent import SteepestDescent, steepest_descent
from covector.optimize.steps import harmonic, inverse_lipschitz, polyak


def gradient_descent(step: Any, beta: float | None = None) -> SteepestDescent:
    """x next = x - step * g; with `beta`, heavy-ball momentum."""
    return steepest_descent(l2(), step, mode="dual", momentum=None if beta is None else heavy_ball(beta))


def normalized_gradient(step: Any) -> SteepestDescent:
    """x next = x - step * g / |g|."""
    return steepest_descent(l2(), step)


def sign_descent(step: Any) -> SteepestDescent:
    """x next = x - step * sign(g).

    Source: J. Bernstein et al., signSGD: compressed optimisation for non-convex problems (2018).
    """
    return steepest_descent(linf(), step)


def signum(step: Any, beta: float = 0.9) -> SteepestDescent:
    """m next = beta m + (1 - beta) g, x next = x - step * sign(m next).

    Source: J. Bernstein et al., signSGD (2018), algorithm 2.
    """
    return steepest_descent(linf(), step, momentum=ema(beta))


def coordinate_descent(lipschitz: Any) -> SteepestDescent:
    """x_i next = x_i - g_i / L for the i with the largest |g_i|: the rule of Gauss and Southwell.

    Args:
        lipschitz: L, the largest Lipschitz constant of a partial derivative along its own coordinate; or an array of
            all L_i, and then i has the largest |g_i| / sqrt(L_i) and the step is g_i / L_i (Gauss-Southwell-Lipschitz).

    Source: J. Nutini et al., Coordinate descent converges faster with the Gauss-Southwell rule (2015).
    """
    if np.ndim(lipschitz) == 0:
        return steepest_descent(l1(ties="vertex"), inverse_lipschitz(lipschitz))
    weights = np.sqrt(positive(lipschitz, "the Lipschitz constants"))
    return steepest_descent(l1(ties="vertex") @ Diagonal(weights), inverse_lipschitz(1.0))


def block_descent(lipschitz: Any, axes: Any = None) -> SteepestDescent:
    """x_j next = x_j - g_j / L for the block j with the largest |g_j| (l2).

    Args:
        lipschitz: L, the largest Lipschitz constant of a partial gradient along its own block; or an array of all L_j,
            and then j has the largest |g_j| / sqrt(L_j) and the step is g_j / L_j.
        axes: the axes that a block of an array spans; None if the blocks are the leaves of a tree.

    Source: Y. Nesterov, Efficiency of coordinate descent methods on huge-scale optimization problems (2012), with the
    greedy rule of J. Nutini et al., Let's make block coordinate descent converge faster (2022).
    """
    outer: Norm = l1(ties="vertex")
    bound = lipschitz
    if np.ndim(lipschitz) != 0:
        outer, bound = outer @ Diagonal(np.sqrt(positive(lipschitz, "the Lipschitz constants"))), 1.0
    norm = per_leaf(l2(), outer) if axes is None else blockwise(l2(), outer, axes)
    return steepest_descent(norm, inverse_lipschitz(bound))


def top_k_sign(k: int, step: Any) -> SteepestDescent:
    """x next = x - step * sign(g) on the k largest |g_i|."""
    return steepest_descent(sparse_sign(k), step)


def sobolev_descent(step: Any, alpha: float = 1.0, boundary: str = "neumann") -> SteepestDescent:
    """x next = x - step * (1 - alpha Laplacian)^-1 g, for grid functions.

    Source: J. Neuberger, Sobolev gradients and differential equations (1997).
    """
    return steepest_descent(sobolev(alpha, boundary), step, mode="dual")


def lion(step: Any = 1e-4, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0) -> SteepestDescent:
    """x next = x - step * (sign(beta1 m + (1 - beta1) g) + weight_decay x), m next = beta2 m + (1 - beta2) g.

    Source: X. Chen et al., Symbolic discovery of optimization algorithms (2023), program 1.
    """
    return steepest_descent(linf(), step, momentum=lion_momentum(beta1, beta2), weight_decay=weight_decay)


def frank_wolfe(norm: Any, radius: float, step: Any = None) -> SteepestDescent:
    """x next = (1 - t) x + t radius lmo(g): stays in the ball, and its `measure` bounds f - f_min.

    Args:
        norm: the norm of the ball.
        radius: its radius; begin inside.
        step: 2 / (count + 2) by default.

    Source: M. Frank and P. Wolfe, An algorithm for quadratic programming (1956).
    """
    return steepest_descent(norm, harmonic() if step is None else step, radius=radius)


def kaczmarz(norm: Any = "l2") -> SteepestDescent:
    """x next = x - (a.x - b) / dual_norm(a) * maximizer(a): the nearest point, in the norm, where a.x = b.

    Each update takes one equation: the function |a.x - b|, its value, and its gradient sign(a.x - b) a. It is Polyak's
    step to the minimum zero.

    Source: S. Kaczmarz, Angenaeherte Aufloesung von Systemen linearer Gleichungen (1937).

    Example:
        >>> a, b, x = np.array([3.0, 4.0]), 10.0, np.zeros(2)
        >>> optimizer, residual = kaczmarz(), a @ x - b
        >>> x + optimizer.update(np.sign(residual) * a, optimizer.init(x), x, value=np.abs(residual))[0]
        array([1.2, 1.6])
    """
    return steepest_descent(norm, polyak(0.0))


def cauchy_point(norm: Any = "l2", rule: TrustRegion | None = None) -> SteepestDescent:
    """x next = x - min(radius, s / <v, H v>) v, with s = dual_norm(g) and v = maximizer(g).

    Args:
        norm: of the ball of the trust region.
        rule: how the radius changes; `trust_region()` by default.

    Source: J. Nocedal and S. Wright, Numerical Optimization (2006), algorithm 4.1 with the Cauchy point (4.11).
    """
    return steepest_descent(norm, trust_region() if rule is None else rule)
