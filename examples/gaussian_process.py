"""Hyper-parameters of a Gaussian process, by the gradient of its marginal likelihood through a Cholesky factor.

A Gaussian process with kernel k, observed with noise, makes the observations y normal with covariance K + s² I. Its
hyper-parameters (the kernel's variance, one length scale per input, the noise) maximize

    log p(y) = -½ yᵀ (K + s² I)⁻¹ y - Σ log L_ii - n/2 log 2π,    L Lᵀ = K + s² I

(Rasmussen and Williams 2006, chapter 5). A large length scale says that an input does not matter: this is automatic
relevance determination. The code states log p; the derivative of the factorization is covector's business.
"""

import numpy as np
from scipy.optimize import minimize

import covector as cv
from covector.scipy.linalg import solve_triangular

random = np.random.default_rng(1)
COUNT, NOISE = 120, 0.1
points = random.uniform(-3, 3, size=(COUNT, 3))  # the third coordinate does not matter


def truth(x):
    return np.sin(2 * x[:, 0]) + 0.3 * x[:, 1] ** 2


observed = truth(points) + NOISE * random.normal(size=COUNT)
mean = observed.mean()
NAMES = ("standard deviation", "length scale 1", "length scale 2", "length scale 3", "noise")


def kernel(logarithms, left, right):
    """The squared-exponential kernel with a length scale for each input."""
    deviation, scales = np.exp(logarithms[0]), np.exp(logarithms[1:4])
    squares = np.sum(((left[:, None] - right[None]) / scales) ** 2, axis=-1)
    return deviation**2 * np.exp(-squares / 2)


def factor_and_solution(logarithms):
    covariance = kernel(logarithms, points, points) + np.exp(2 * logarithms[4]) * np.eye(COUNT)
    factor = np.linalg.cholesky(covariance)
    return factor, solve_triangular(factor, observed - mean, lower=True)


def negative_log_likelihood(logarithms):
    factor, whitened = factor_and_solution(logarithms)
    return np.sum(whitened**2) / 2 + np.sum(np.log(np.diag(factor))) + COUNT / 2 * np.log(2 * np.pi)


def predict(logarithms, new):
    """Mean and standard deviation of the process at new points."""
    factor, whitened = factor_and_solution(logarithms)
    cross = solve_triangular(factor, kernel(logarithms, points, new), lower=True)
    variance = np.exp(2 * logarithms[0]) - np.sum(cross**2, axis=0)
    return mean + cross.T @ whitened, np.sqrt(variance)


start = np.zeros(5)
value_and_gradient = cv.jit(cv.value_and_grad(negative_log_likelihood))
result = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", bounds=[(-5, 5)] * 5)

print(f"{COUNT} observations; {result.nfev} evaluations of the likelihood and its gradient\n")
print(f"{'':>19}{'start':>8}{'found':>10}")
for name, before, after in zip(NAMES, np.exp(start), np.exp(result.x), strict=True):
    print(f"{name:>19}{before:>8.2f}{after:>10.3f}")
print(f"\nnegative log likelihood {negative_log_likelihood(start):.2f} -> {result.fun:.2f}")

grid = np.stack([np.linspace(-3, 3, 200), np.zeros(200), np.zeros(200)], axis=1)
expected, deviation = predict(result.x, grid)
error = np.sqrt(np.mean((expected - truth(grid)) ** 2))
print(f"root mean square error along the first axis {error:.3f}, predicted {np.sqrt(np.mean(deviation**2)):.3f}")

# The gradient against tr((K⁻¹ - a aᵀ) dK) / 2 with a = K⁻¹ y, the formula of the literature, for the noise.
covariance = kernel(start, points, points) + np.eye(COUNT)
inverse = np.linalg.inv(covariance)
solution = inverse @ (observed - mean)
by_hand = np.trace((inverse - np.outer(solution, solution)) @ (2 * np.eye(COUNT))) / 2
assert np.isclose(value_and_gradient(start)[1][4], by_hand, rtol=1e-9)
assert np.exp(result.x[3]) > 5 * np.exp(result.x[1]), "the irrelevant input has a long length scale"
assert abs(np.exp(result.x[4]) / NOISE - 1) < 0.3

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, all_axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for axes, parameters, title in zip(all_axes, (start, result.x), ("start", "most likely"), strict=True):
        expected, deviation = predict(parameters, grid)
        band = expected - 2 * deviation, expected + 2 * deviation
        axes.fill_between(grid[:, 0], *band, alpha=0.3, label="± 2 deviations")
        axes.plot(grid[:, 0], expected, label="mean of the process")
        axes.plot(grid[:, 0], truth(grid), "k--", label="truth")
        axes.set(title=title, xlabel="first input, the others being 0")
    all_axes[1].legend()
    figure.savefig("gaussian_process.svg")
