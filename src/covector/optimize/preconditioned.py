"""Known optimizers with a quadratic norm that changes, from second derivatives or from the gradients so far.

Each is one call of `steepest_descent` in mode "dual", where a step is t times H^-1 g for the norm sqrt(<v, H v>).

| optimizer | H |
|---|---|
| `newton` | the Hessian + damping |
| `gauss_newton` (Levenberg-Marquardt) | J^T J + damping, J the Jacobian of the residuals |
| `natural_gradient` | the Fisher information + damping |
| `adagrad` | diagonal: sqrt(sum g^2) + epsilon |
| `rmsprop` | diagonal: sqrt(mean g^2) + epsilon |
| `adam` | the same, means divided by 1 - beta^k; and momentum |
| `shampoo` | the Kronecker product over the axes of (epsilon + sum G G^T)^(1 / 2k) of arrays with k axes |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError
from covector.norms.calculus import product
from covector.norms.kronecker import Kronecker
from covector.norms.norm import Norm
from covector.norms.quadratic import quadratic
from covector.norms.vectors import l2
from covector.optimize.arithmetic import check_not_negative, check_positive
from covector.optimize.line_search import Armijo
from covector.optimize.momentum import check_weight, ema
from covector.optimize.norm_rules import second_moments, squares, varying
from covector.optimize.state import DescentState
from covector.optimize.steepest_descent import SteepestDescent, steepest_descent
from covector.transforms.jacobian import hessian, jacrev
from covector.trees import Tree, map_leaves


def newton(function: Callable[[Array], Any], damping: float = 0.0, step: Any = 1.0) -> SteepestDescent:
    """x next = x - step * (H + damping)^-1 g, for a function of one vector whose Hessian H is positive definite.

    Args:
        function: the function that is minimized; its Hessian is taken by `covector.hessian`.
        damping: a multiple of the identity to add.
        step: 1, or `armijo()` to be safe far from the minimum; its searches begin at the full step.

    Source: J. Nocedal and S. Wright, Numerical Optimization (2006), sections 3.3 and 3.4.
    """
    return _in_metric(hessian(function), damping, step)


def gauss_newton(residuals: Callable[[Array], Any], damping: float = 0.0, step: Any = 1.0) -> SteepestDescent:
    """x next = x - step * (J^T J + damping)^-1 g for f = |r|^2 / 2, whose gradient g is J^T r.

    Args:
        residuals: a function of one vector that returns the vector r; J is taken by `covector.jacrev`. Minimize
            `lambda x: np.sum(residuals(x)**2) / 2`.
        damping: a multiple of the identity to add, which makes it the method of Levenberg and Marquardt.
        step: 1, or `armijo()` to be safe far from the minimum; its searches begin at the full step.

    Source: K. Levenberg (1944); D. Marquardt, An algorithm for least-squares estimation of nonlinear parameters (1963).
    """
    jacobian = jacrev(residuals)

    def metric(x: Array) -> Array:
        slopes = jacobian(x)
        return np.transpose(slopes) @ slopes

    return _in_metric(metric, damping, step)


def natural_gradient(fisher: Callable[[Array], Any], damping: float = 0.0, step: Any = 1.0) -> SteepestDescent:
    """x next = x - step * (F + damping)^-1 g, with the Fisher information F of a statistical model at x.

    Args:
        fisher: a function of one vector that returns F, the mean of the outer products of the gradients of log p.
        damping: a multiple of the identity to add.
        step: the learning rate, or a rule; searches of `armijo()` begin at the full step.

    Source: S. Amari, Natural gradient works efficiently in learning (1998).
    """
    return _in_metric(fisher, damping, step)


def _in_metric(metric: Callable[[Array], Array], damping: float, step: Any) -> SteepestDescent:
    check_not_negative("damping", damping)

    def norm_at(x: Array) -> Norm:
        matrix = metric(x)
        if typeof(matrix).shape != (np.size(x), np.size(x)) or np.ndim(x) != 1:
            raise ShapeMismatchError(
                f"a metric is a square matrix for one vector; found {typeof(matrix)} for parameters {typeof(x)}"
            )
        return quadratic(matrix + damping * np.eye(np.size(x), dtype=typeof(matrix).dtype))

    rule = evolve(step, restart=True) if isinstance(step, Armijo) else step
    return steepest_descent(varying(norm_at), rule, mode="dual")


def adagrad(step: Any, epsilon: float = 1e-8) -> SteepestDescent:
    """s next = s + g^2, x next = x - step * g / (sqrt(s next) + epsilon), entry by entry.

    Source: J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods (2011), figure 1.
    """
    return steepest_descent(varying(_by_squares(epsilon), squares(1.0, 1.0)), step, mode="dual")


def rmsprop(step: Any, beta: float = 0.9, epsilon: float = 1e-8) -> SteepestDescent:
    """s next = beta s + (1 - beta) g^2, x next = x - step * g / (sqrt(s next) + epsilon), entry by entry.

    Source: T. Tieleman and G. Hinton, Neural networks for machine learning, lecture 6.5 (2012).
    """
    check_weight(beta)
    return steepest_descent(varying(_by_squares(epsilon), squares(beta, 1.0 - beta)), step, mode="dual")


def adam(
    step: Any = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, weight_decay: float = 0.0
) -> SteepestDescent:
    """m next = beta1 m + (1 - beta1) g, s next = beta2 s + (1 - beta2) g^2, and after k gradients
    x next = x - step * (m next / (1 - beta1^k)) / (sqrt(s next / (1 - beta2^k)) + epsilon).

    Args:
        step: the learning rate, or a function of the number of steps taken.
        beta1: the weight of the past in the mean of gradients.
        beta2: that in the mean of their squares.
        epsilon: added to the root.
        weight_decay: also subtract step * weight_decay * x (AdamW).

    Source: D. Kingma and J. Ba, Adam: a method for stochastic optimization (2015), algorithm 1; I. Loshchilov and
    F. Hutter, Decoupled weight decay regularization (2019).
    """
    check_weight(beta2)
    norm = varying(_by_squares(epsilon, beta2), squares(beta2, 1.0 - beta2))
    return steepest_descent(norm, step, mode="dual", momentum=ema(beta1, debiased=True), weight_decay=weight_decay)


def _by_squares(epsilon: float, debiased: float = 0.0) -> Callable[[Tree, DescentState], Norm]:
    """sqrt(<v, (sqrt(s) + epsilon) v>), s divided by 1 - debiased^count."""
    check_positive("epsilon", epsilon)

    def norm_at(params: Tree, state: DescentState) -> Norm:
        return quadratic(diagonal=root_of_squares(state, epsilon, debiased))

    return norm_at


def root_of_squares(state: DescentState, epsilon: float, debiased: float = 0.0) -> Tree:
    """sqrt(s / (1 - debiased^count)) + epsilon for the statistics s of a state."""
    weight = 1.0 / (1.0 - debiased**state.count)
    return map_leaves(lambda s: np.sqrt(s * weight) + epsilon, state.statistics)


def shampoo(step: Any, epsilon: float = 1e-4) -> SteepestDescent:
    """L next = L + G G^T, R next = R + G^T G, X next = X - step * L^(-1/4) G R^(-1/4), from L = R = epsilon.

    Arrays with k axes have k such matrices, with the power -1 / (2 k).

    Args:
        step: the learning rate, or a function of the number of steps taken.
        epsilon: the multiple of the identity to begin with. In float32, what is less than 1e-7 times the sum of squared
            gradients is lost in rounding.

    Source: V. Gupta, T. Koren and Y. Singer, Shampoo: preconditioned stochastic tensor optimization (2018), algorithms
    1 and 2.
    """
    check_positive("epsilon", epsilon)

    def norm_of(leaf: Any, moments: tuple[Array, ...]) -> Norm:
        return l2() @ Kronecker.power(moments, 1.0 / (4 * len(moments)), least=epsilon)

    def norm_at(params: Tree, state: DescentState) -> Norm:
        """The root of the sum over leaves of <V, (M_1^(1/2k) x ... x M_k^(1/2k)) V>: l2 of the axes times M^(1/4k)."""
        return product(map_leaves(norm_of, params, state.statistics), l2())

    return steepest_descent(varying(norm_at, second_moments(1.0, 1.0, epsilon)), step, mode="dual")
