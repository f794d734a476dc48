"""The derivatives of the problems as a person would write them in NumPy.

They are the ground to stand on: a peer's time divided by these tells what automation costs, and
their answers are independent of every library. Each takes the arguments of its problem, so
`rosenbrock_gradient(x)` is the derivative of `problems.rosenbrock`.
"""

from collections.abc import Callable
from math import cos, sqrt, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def textbook_gradient(x1: float, x2: float) -> tuple[float, float]:
    """Return the gradient of ln x1 + x1 x2 - sin x2."""
    return 1.0 / x1 + x2, x1 - cos(x2)


def chain_gradient(operations: int) -> Callable[[float], float]:
    """Return the derivative of the chain: 1.05 a multiplication, 1 - tanh^2 a tanh."""

    def gradient(x: float) -> float:
        slope = 1.0
        for step in range(operations):
            if step % 3 == 0:
                x, slope = x * 1.05, slope * 1.05
            elif step % 3 == 1:
                x = x + 0.1
            else:
                x = tanh(x)
                slope *= 1.0 - x * x
        return slope

    return gradient


def rosenbrock_gradient(x: Array) -> Array:
    """Return the gradient; each residual x[i+1] - x[i]^2 reaches two entries."""
    left = x[:-1]
    residual = x[1:] - left * left
    gradient = np.zeros_like(x)
    gradient[:-1] = -400.0 * residual * left - 2.0 * (1.0 - left)
    gradient[1:] += 200.0 * residual
    return gradient


def rosenbrock_product(x: Array, vector: Array) -> Array:
    """Return the Hessian, which is tridiagonal, times a vector."""
    left, ahead = vector[:-1], vector[1:]
    beside = -400.0 * x[:-1]
    product = np.zeros_like(x)
    product[:-1] = (1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0) * left + beside * ahead
    product[1:] += 200.0 * ahead + beside * left
    return product


def rosenbrock_hessian(x: Array) -> Array:
    """Return the Hessian, which is tridiagonal."""
    diagonal = np.zeros_like(x)
    diagonal[:-1] = 1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0
    diagonal[1:] += 200.0
    beside = -400.0 * x[:-1]
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


def sigmoid(score: Array) -> Array:
    """Return 1 / (1 + exp(-score)) without overflow."""
    decay = np.exp(-np.abs(score))
    return np.where(score >= 0.0, 1.0, decay) / (1.0 + decay)


def logistic_regression_gradient(weights: Array, rows: Array, labels: Array) -> Array:
    """Return rows^T (sigmoid(score) - labels) / n."""
    return ((sigmoid(rows @ weights) - labels) / len(labels)) @ rows


def logistic_regression_hessian(weights: Array, rows: Array, labels: Array) -> Array:
    """Return rows^T diag(p (1 - p)) rows / n."""
    probability = sigmoid(rows @ weights)
    curvature = probability * (1.0 - probability) / len(labels)
    hessian: Array = (rows * curvature[:, None]).T @ rows
    return hessian


def perceptron_gradient(rows: Array, labels: Array, *parameters: Array) -> tuple[Array, ...]:
    """Return the gradients of all weights and biases by back-propagation."""
    layers = [rows]
    for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        layers.append(np.tanh(layers[-1] @ weights + bias))
    logits = layers[-1] @ parameters[-2] + parameters[-1]
    likelihood = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = (likelihood / likelihood.sum(axis=1, keepdims=True) - labels) / len(rows)
    gradients: list[Array] = []
    for layer, weights in zip(reversed(layers), reversed(parameters[::2]), strict=True):
        gradients += [error.sum(axis=0), layer.T @ error]
        if layer is not rows:
            error = (error @ weights.T) * (1.0 - layer * layer)
    return tuple(reversed(gradients))


def log_sum_exp_gradient(x: Array) -> Array:
    """Return the softmax."""
    weight: Array = np.exp(x - x.max())
    weight /= weight.sum()
    return weight


def elementwise_gradient(x: Array) -> Array:
    """Return the product of the slopes: y = exp(-0.5 sin x - 0.3)^2 has slope -y cos x."""
    slope = np.ones_like(x)
    for _ in range(4):
        y = np.exp(-(0.5 * np.sin(x) + 0.3)) ** 2
        slope *= -y * np.cos(x)
        x = y
    return slope


def normal_density(d: Array) -> Array:
    """Return the density of the standard normal distribution."""
    density: Array = np.exp(-0.5 * d * d) / sqrt(2.0 * np.pi)
    return density


def black_scholes_greeks(spot: Array, strike: Array, rate: Array, volatility: Array, time: Array) -> Any:
    """Return the derivatives of a call's price in closed form (Hull, Options, chapter on the greeks)."""
    from scipy.special import ndtr

    root = np.sqrt(time)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / (volatility * root)
    delta = ndtr(d1)
    dual_delta = -np.exp(-rate * time) * ndtr(d1 - volatility * root)
    density = spot * normal_density(d1)
    held = -strike * dual_delta
    return delta, dual_delta, held * time, density * root, 0.5 * density * volatility / root + rate * held


def mixing_jacobian(x: Array, matrix: Array) -> Array:
    """Return diag(1 - tanh^2) A diag(cos x)."""
    value = np.tanh(matrix @ np.sin(x))
    jacobian: Array = (1.0 - value * value)[:, None] * matrix * np.cos(x)
    return jacobian
