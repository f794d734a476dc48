"""Likelihoods, filters and Markov chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as special

import covector as cv
from covector.scipy.linalg import solve_triangular
from covector.scipy.special import logsumexp
from tests.wild import normal, program, uniform

DATA = np.array([[0.0, 1.0], [1.0, 2.0], [-1.0, 0.4], [3.0, 3.0]])
COUNTS = np.array([0, 1, 3, 7, 2])
RETURNS = np.array([0.1, -0.2, 0.3, 0.05])


@program((normal(4),), (normal(4),))
def gaussian_process_evidence(parameters: Any) -> Any:
    x = np.array([[0.0], [0.3], [0.7], [1.1], [2.0]])
    mean, (scale, noise, length) = parameters[0], np.exp(parameters[1:])
    differences = np.expand_dims(x / length, 0) - np.expand_dims(x / length, 1)
    covariance = scale * np.exp(-0.5 * np.sum(differences**2, axis=2)) + (noise + 0.1) * np.eye(len(x))
    residual = np.sin(x[:, 0]) - mean
    half = np.sum(np.log(np.diag(np.linalg.cholesky(covariance))))
    return -0.5 * residual @ np.linalg.solve(covariance, residual) - half


def mixture() -> Any:
    return ({"logits": normal(3), "means": normal(3, 2), "roots": normal(3, 2, 2)},)


@program(mixture(), mixture())
def gaussian_mixture(parameters: Any) -> Any:
    weights = parameters["logits"] - logsumexp(parameters["logits"])
    terms = []
    for weight, mean, root in zip(weights, parameters["means"], parameters["roots"], strict=True):
        covariance = root @ root.T + np.eye(2)
        d = DATA - mean
        distance = np.einsum("ij,jk,ik->i", d, np.linalg.inv(covariance), d)
        terms.append(weight - 0.5 * distance - 0.5 * np.linalg.slogdet(covariance)[1])
    return np.sum(logsumexp(np.vstack(terms), axis=0))


@program((normal(3), normal(3, 3), normal(3)), (normal(3), normal(3, 3), normal(3)))
def hidden_markov_forward(start: Any, transition: Any, means: Any) -> Any:
    transition = transition - logsumexp(transition, axis=1, keepdims=True)
    alpha = start - logsumexp(start) - 0.5 * (0.1 - means) ** 2
    for observed in (-0.3, 0.8, 1.2):
        alpha = logsumexp(alpha[:, None] + transition, axis=0) - 0.5 * (observed - means) ** 2
    return logsumexp(alpha)


IMPOSSIBLE = np.array([[0.0, -np.inf, 0.0], [0.0, 0.0, 0.0], [-np.inf, 0.0, 0.0]])


@program((normal(3, 3) + IMPOSSIBLE, normal(3, 4)), (normal(3, 3) + IMPOSSIBLE.T, normal(3, 4)))
def hidden_markov_with_impossible_transitions(transition: Any, emission: Any) -> Any:
    """The gradient in the logarithms of the probabilities: the expected counts of the E-step."""
    alpha = np.array([0.0, -np.inf, -np.inf])
    for symbol in (0, 2, 1, 3):
        alpha = logsumexp(alpha[:, None] + transition, axis=0) + emission[:, symbol]
    return logsumexp(alpha)


@program((0.3, 0.5, normal(4)), (0.1, 0.9, normal(4)))
def kalman_filter(process: Any, measurement: Any, observed: Any) -> Any:
    motion, look = np.array([[1, 0.1], [0, 1]]), np.array([[1.0, 0.0]])
    state, covariance, total = np.zeros((2, 1)), np.eye(2), 0
    for y in observed:
        state, covariance = motion @ state, motion @ covariance @ motion.T + process * np.eye(2)
        spread = look @ covariance @ look.T + measurement
        gain, error = covariance @ look.T / spread, y - look @ state
        state, covariance = state + gain @ error, (np.eye(2) - gain @ look) @ covariance
        total += -0.5 * np.log(2 * np.pi * spread[0, 0]) - 0.5 * (error**2 / spread)[0, 0]
    return total


@program((0.9, 0.3, normal(7)), (0.5, 0.1, normal(7)))
def filter_by_associative_scan(decay: Any, gain: Any, observed: Any) -> Any:
    def after(first: Any, second: Any) -> Any:
        return second[0] * first[0], second[0] * first[1] + second[1]

    return cv.associative_scan(after, (np.full(observed.shape, 1.0) * decay, gain * observed))[1]


@program((uniform(1.0, 4.0, 5), 0.5), (uniform(1.0, 4.0, 5), 1.5))
def negative_binomial(mean: Any, dispersion: Any) -> Any:
    r = 1.0 / dispersion
    ways = special.gammaln(COUNTS + r) - special.gammaln(COUNTS + 1) - special.gammaln(r)
    return np.sum(ways + r * np.log(r / (r + mean)) + COUNTS * np.log(mean / (r + mean)))


@program((0.3, 2.0, normal(4)), (0.5, 0.4, normal(4)))
def von_mises(mean: Any, concentration: Any, angles: Any) -> Any:
    density = concentration * np.cos(angles - mean) - np.log(2 * np.pi * special.i0(concentration))
    return np.sum(density) + np.log(np.i0(concentration))


@program((3.0, 1.5, normal(4)), (7.0, 0.5, normal(4)))
def student_t(degrees: Any, scale: Any, x: Any) -> Any:
    half = (degrees + 1.0) / 2.0
    normalizer = special.gammaln(half) - special.gammaln(degrees / 2.0) - 0.5 * np.log(np.pi * degrees) - np.log(scale)
    return np.sum(normalizer - half * np.log1p((x / scale) ** 2 / degrees))


@program((uniform(0.5, 3.0, 3),), (uniform(0.5, 3.0, 3),))
def dirichlet(concentration: Any) -> Any:
    log_beta = np.sum(special.gammaln(concentration)) - special.gammaln(np.sum(concentration))
    density = np.sum((concentration - 1.0) * np.log(np.array([0.2, 0.3, 0.5]))) - log_beta
    return density, special.psi(concentration)


@program((normal(3, 3), normal(3)), (normal(3, 3), normal(3)))
def normal_by_cholesky_factor(raw: Any, x: Any) -> Any:
    root = np.tril(raw, -1) + np.diag(np.exp(np.diag(raw)))
    z = solve_triangular(root, x, lower=True)
    return -0.5 * z @ z - np.sum(np.diag(raw))


@program((0.1, 0.1, 0.8), (0.2, 0.5, 0.7), branching=True)
def garch(base: Any, shock: Any, persistence: Any) -> Any:
    variance = base / (1.0 - shock - persistence) if shock + persistence < 1 else base
    total = 0.0
    for x in RETURNS:
        total = total - 0.5 * (np.log(variance) + x * x / variance)
        variance = base + shock * x * x + persistence * variance
    return total


@program((normal(3, 3),), (normal(3, 3),))
def stationary_distribution(scores: Any) -> Any:
    transition = np.exp(scores)
    transition = transition / transition.sum(1, keepdims=True)
    values, vectors = np.linalg.eig(transition.T)
    vector = np.real(vectors[:, np.argmin(np.abs(values - 1.0))])
    return vector / vector.sum()


@program((np.array([1.0, 0.5, 0.1]),), (np.array([2.0, 0.1, -0.1]),))
def robust_fit(p: Any) -> Any:
    t, y = np.linspace(0, 3, 8), np.array([1.0, 0.9, 0.7, 5.0, 0.3, 0.2, 0.1, -4.0])
    z = (p[0] * np.exp(-p[1] * t) + p[2] - y) ** 2
    huber = np.where(z <= 1, z, 2 * z**0.5 - 1)
    return huber.sum(), np.log1p(z).sum(), np.arctan(z).sum(), (2 * ((1 + z) ** 0.5 - 1)).sum()


@program((normal(4, 3),), (normal(4, 3),))
def alignments_in_lists_of_scalars(scores: Any) -> Any:
    """Connectionist temporal classification: the forward recursion on Python lists that hold infinities."""
    scores = scores - logsumexp(scores, axis=1, keepdims=True)
    labels = [0, 1, 0, 2, 0]
    alpha = [scores[0, 0], scores[0, 1], -np.inf, -np.inf, -np.inf]
    for row in scores[1:]:
        now = []
        for s, label in enumerate(labels):
            value = alpha[s] if s == 0 else np.logaddexp(alpha[s], alpha[s - 1])
            if s > 1 and label not in (0, labels[s - 2]):
                value = np.logaddexp(value, alpha[s - 2])
            now.append(value + row[label])
        alpha = now
    return -np.logaddexp(alpha[-1], alpha[-2])


@program((uniform(0.1, 1.0, 3),), (np.array([0.0, 0.5, 1.0]) + 0.2,))
def entropies_with_a_zero(p: Any) -> Any:
    p = np.concatenate([p, [0.0]])
    masked = -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0))
    return masked, np.sum(special.entr(p)), np.sum(special.xlogy(p, p + 0.1))
