"""Known optimizers, each a norm and a step: nothing here but calls of `steepest_descent`.

| optimizer | norm | mode and step |
|---|---|---|
| `gradient_descent` | l2 | dual, constant |
| `normalized_gradient` | l2 | unit, constant |
| `sign_descent`, `signum` | linf | unit; moving average |
| `coordinate_descent` (Gauss-Southwell) | l1, or weighted by root L_i | dual, 1/L |
| `top_k_sign` | max(linf, l1 / k) | unit |
| `newton` | sqrt(v^T H v) with the Hessian at x | dual, 1 |
| `sobolev_descent` | H1 | dual |
| `lion` | linf | unit; two moving averages, weight decay |
| `muon` | largest spectral norm of the weights | unit; Nesterov momentum, weight decay |
| `frank_wolfe` | any | radius, 2 / (count + 2) |

    >>> import numpy as np
    >>> optimizer = sign_descent(0.1)
    >>> optimizer.update(np.array([5.0, -0.1]), optimizer.init(np.zeros(2)), np.zeros(2))[0]
    array([-0.1,  0.1])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.norms.define import per_leaf
from covector.norms.maps import Diagonal
from covector.norms.matrices import muon_norm
from covector.norms.norm import Norm
from covector.norms.ordered import sparse_sign
from covector.norms.quadratic import quadratic, sobolev
from covector.norms.vectors import l1, l2, linf
from covector.optimize.momentum import ema, heavy_ball, nesterov
from covector.optimize.momentum import lion as lion_momentum
from covector.optimize.steepest_descent import SteepestDescent, steepest_descent, varying
from covector.optimize.steps import harmonic, inverse_lipschitz
from covector.transforms.jacobian import hessian


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
    return steepest_descent(l1(ties="vertex") @ Diagonal(np.sqrt(lipschitz)), inverse_lipschitz(1.0))


def top_k_sign(k: int, step: Any) -> SteepestDescent:
    """x next = x - step * sign(g) on the k largest |g_i|."""
    return steepest_descent(sparse_sign(k), step)


def newton(function: Callable[[Array], Any], damping: float = 0.0, step: Any = 1.0) -> SteepestDescent:
    """x next = x - step * (H + damping)^-1 g, for a function of one vector whose Hessian H is positive definite.

    Args:
        function: the function that is minimized; its Hessian is taken by `covector.hessian`.
        damping: a multiple of the identity to add (Levenberg, Marquardt).
        step: 1, or `armijo()` to be safe far from the minimum.
    """
    second = hessian(function)

    def norm_at(x: Array) -> Norm:
        return quadratic(second(x) + damping * np.eye(np.size(x)))

    return steepest_descent(varying(norm_at), step, mode="dual")


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


def muon(step: Any = 0.02, beta: float = 0.95, weight_decay: float = 0.0) -> SteepestDescent:
    """Every weight matrix moves by step * sqrt(max(1, rows / columns)) U V^T, of the Nesterov momentum U S V^T.

    The polar factor U V^T is exact, where the published algorithm takes five Newton-Schulz steps towards it. The
    parameters are a tree of matrices; give other leaves a norm of their own with `covector.norms.tree`.

    Source: K. Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024).
    """
    norm = per_leaf(muon_norm(), linf())
    return steepest_descent(norm, step, momentum=nesterov(beta), weight_decay=weight_decay)


def frank_wolfe(norm: Any, radius: float, step: Any = None) -> SteepestDescent:
    """x next = (1 - t) x + t radius lmo(g): stays in the ball, and its `measure` bounds f - f_min.

    Args:
        norm: the norm of the ball.
        radius: its radius; begin inside.
        step: 2 / (count + 2) by default.

    Source: M. Frank and P. Wolfe, An algorithm for quadratic programming (1956).
    """
    return steepest_descent(norm, harmonic() if step is None else step, radius=radius)
