"""Known optimizers that measure each array of a tree of parameters by itself, and take the largest.

| optimizer | norm of each array | step |
|---|---|---|
| `muon` | min(1, sqrt(inputs / outputs)) spectral | unit; Nesterov momentum, weight decay |
| `scion` | any, such as the RMS-to-RMS operator norm | unit, or Frank-Wolfe in a ball; moving average |
| `dion` | sqrt(inputs / outputs) max(spectral, nuclear / rank) | unit; error feedback |
| `modular_descent` | of layer k: mass / mass_k times the sensitivities above it | unit |
| `lars` | l2 over the l2 norm of the parameters | unit; moving average |
| `lamb` | Adam's, in the unit in which the direction is as long as the parameters | unit; moving averages |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.calculus import Product, product
from covector.norms.define import as_norm, per_leaf, tree
from covector.norms.matrices import ShapeScaled, low_rank_hull, muon_norm, of_singular_values, rms_to_rms
from covector.norms.norm import Norm, Scaled, positive
from covector.norms.ordered import k_support
from covector.norms.quadratic import quadratic
from covector.norms.vectors import l2, linf
from covector.optimize.arithmetic import check_not_negative, check_positive, is_number, mixture
from covector.optimize.momentum import Penalized, PulledBack, check_weight, ema, error_feedback, nesterov
from covector.optimize.norm_rules import squares, varying
from covector.optimize.preconditioned import root_of_squares
from covector.optimize.state import DescentState
from covector.optimize.steepest_descent import SteepestDescent, steepest_descent
from covector.trees import Tree, map_leaves


def muon(step: Any = 0.02, beta: float = 0.95, weight_decay: float = 0.0) -> SteepestDescent:
    """Every weight matrix moves by step * sqrt(max(1, rows / columns)) U V^T, of the Nesterov momentum U S V^T.

    The polar factor U V^T is exact, where the published algorithm takes five Newton-Schulz steps towards it. The
    parameters are a tree of matrices; give other leaves a norm of their own with `covector.norms.tree`.

    Source: K. Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024).
    """
    norm = per_leaf(muon_norm(), linf())
    return steepest_descent(norm, step, momentum=nesterov(beta), weight_decay=weight_decay)


def scion(step: Any, norm: Any = None, beta: float = 0.9, radius: float | None = None) -> SteepestDescent:
    """m next = beta m + (1 - beta) g, then x next = x + step * lmo(m next), or with a radius
    x next = (1 - step) x + step * radius * lmo(m next), which stays in the ball.

    Args:
        step: the length of a step; with a radius, a part of the way between 0 and 1.
        norm: of the parameters, most often a tree of norms for their arrays, such as `rms_to_rms()` for weights (by
            default for all arrays), each divided by its own radius: `rms_to_rms() / 3`.
        beta: the weight of the past.
        radius: of the ball.

    Source: T. Pethick et al., Training deep learning models with norm-constrained LMOs (2025), algorithms 1 and 2.
    """
    chosen = per_leaf(rms_to_rms(), linf()) if norm is None else norm
    return steepest_descent(chosen, step, momentum=ema(beta), radius=radius)


def dion(rank: int, step: Any = 0.01, beta: float = 0.95, weight_decay: float = 0.0) -> SteepestDescent:
    """With B = m + G = U S V^T: x next = x - step * sqrt(rows / columns) U_r V_r^T, and m next = B - (1 - beta) B_r,
    where r means the part of the largest `rank` singular values.

    That part is exact, where the published algorithm takes one power iteration towards it. The parameters are a tree of
    matrices.

    Source: K. Ahn et al., Dion: distributed orthonormalized updates (2025), algorithm 1.
    """
    kept = per_leaf(of_singular_values(k_support(rank)), l2())
    norm = per_leaf(ShapeScaled(low_rank_hull(rank)), linf())
    return steepest_descent(norm, step, momentum=error_feedback(beta, kept), weight_decay=weight_decay)


def modular_norm(norms: Sequence[Any], masses: Sequence[float], sensitivities: Any = None) -> Product:
    """The modular norm of the weights of a chain of layers, the first one first:
    the largest, over the layers k, of (sum of masses) / mass_k * (product of the sensitivities after k) * norm_k(w_k).

    Args:
        norms: of the weights of each layer, such as `rms_to_rms()`.
        masses: positive; which part of the change of the output each layer may make.
        sensitivities: by how much each layer can enlarge a change of its input; 1 by default.

    Law: chains within chains are chains: modular_norm([modular_norm([a, b], [m, n]), c], [m + n, o]) is
    modular_norm([a, b, c], [m, n, o]), but for the structure of the trees they measure.

    Source: T. Large et al., Scalable optimization in the modular norm (2024), definition 3 and proposition 3.

    Example:
        >>> norm = modular_norm(["l2", "linf"], masses=[1.0, 3.0], sensitivities=[1.0, 2.0])
        >>> float(norm.norm([np.array([3.0, 4.0]), np.array([9.0])]))       # the larger of 4/1 * 2 * 5 and 4/3 * 9
        40.0
    """
    factors = np.ones(len(norms)) if sensitivities is None else np.asarray(sensitivities, dtype=float)
    if not len(norms) == len(masses) == len(factors):
        raise ArgumentError(
            f"a norm, a mass and a sensitivity for each layer; found {len(norms)}, {len(masses)} and {len(factors)}"
        )
    weights = np.asarray(positive(np.asarray(masses, dtype=float), "the masses"))
    positive(factors, "the sensitivities")
    after = np.append(np.cumprod(factors[::-1])[::-1][1:], 1.0)
    scales = np.sum(weights) / weights * after
    return tree([float(scale) * as_norm(norm) for scale, norm in zip(scales, norms, strict=True)])


def modular_descent(
    norms: Sequence[Any], masses: Sequence[float], step: Any, sensitivities: Any = None
) -> SteepestDescent:
    """Steps of one length in the modular norm: layer k moves step * mass_k / (sum of masses) / (sensitivities after k).

    Source: J. Bernstein and L. Newhouse, Modular duality in deep learning (2024).
    """
    return steepest_descent(modular_norm(norms, masses, sensitivities), step)


def lars(
    step: Any, beta: float = 0.9, smallest: float = 1e-3, largest: float = 10.0, weight_decay: float = 0.0
) -> SteepestDescent:
    """m next = beta m + (1 - beta) (g + weight_decay x), and each array
    x next = x - step * clip(|x|) * m next / |m next|.

    Args:
        step: the part of its length by which an array moves.
        beta: the weight of the past.
        smallest: arrays shorter than that move as if they were as long.
        largest: and longer ones too.
        weight_decay: of the gradient, before it is averaged; it turns the step and does not lengthen it.

    Source: Y. You, I. Gitman and B. Ginsburg, Large batch training of convolutional networks (2017), in the form of
    Y. You et al., Large batch optimization for deep learning (2020), algorithm 1.
    """
    trust = _trust(smallest, largest)
    check_not_negative("weight_decay", weight_decay)
    mean = ema(beta)

    def norm_at(params: Tree, state: DescentState) -> Norm:
        return product(map_leaves(lambda x: l2() / trust(x), params), linf())

    momentum = mean if is_number(weight_decay, 0.0) else Penalized(mean, weight_decay)
    return steepest_descent(varying(norm_at), step, momentum=momentum)


def lamb(
    step: Any, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-6, smallest: float = 1e-3,
    largest: float = 10.0, weight_decay: float = 0.0,
) -> SteepestDescent:  # fmt: skip
    """With Adam's direction r, and u = r + weight_decay x: each array x next = x - step * clip(|x|) * u / |u|.

    The norm of each array is Adam's, sqrt(<v, H v>), in the unit in which the direction u = H^-1 m + weight_decay x is
    as long as clip(|x|). It is the direction of the covector m + weight_decay H x.

    Args:
        step: the part of its length by which an array moves.
        beta1: the weight of the past in the mean of gradients.
        beta2: that in the mean of their squares.
        epsilon: added to the root of that.
        smallest: arrays shorter than that move as if they were as long.
        largest: and longer ones too.
        weight_decay: of Adam's direction; it turns the step and does not lengthen it.

    Source: Y. You et al., Large batch optimization for deep learning (2020), algorithm 2.
    """
    trust = _trust(smallest, largest)
    check_not_negative("weight_decay", weight_decay)
    check_weight(beta2)

    def metric(state: DescentState) -> Tree:
        return root_of_squares(state, epsilon, beta2)

    def norm_at(params: Tree, state: DescentState) -> Norm:
        unbias = 1.0 / (1.0 - beta1 ** (1.0 * state.count))

        def norm_of(x: Any, diagonal: Array, mean: Array) -> Norm:
            covector = mixture((unbias, mean), (weight_decay, diagonal * x))
            of_adam = quadratic(diagonal=diagonal)
            length = l2().norm(of_adam.maximizer(covector))
            return Scaled(of_adam, np.where(length > 0, length, 1.0) / trust(x))

        return product(map_leaves(norm_of, params, metric(state), state.memory), linf())

    mean = ema(beta1, debiased=True)
    momentum = mean if is_number(weight_decay, 0.0) else PulledBack(mean, weight_decay, metric)
    return steepest_descent(varying(norm_at, squares(beta2, 1.0 - beta2)), step, momentum=momentum)


def _trust(smallest: float, largest: float) -> Any:
    check_positive("smallest", smallest)
    if not largest >= smallest:
        raise ArgumentError(f"largest must be at least smallest; found {largest!r} and {smallest!r}")

    def trust(x: Array) -> Array:
        return np.clip(l2().norm(x), smallest, largest)

    return trust
