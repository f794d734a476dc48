"""Logistic regression with SciPy's optimizers: what an exact gradient and Hessian product are worth to them.

The negative log posterior of logistic regression with a Gaussian prior is convex, so every optimizer finds the same
weights; they differ in how often they evaluate the function. Without a gradient, SciPy differences the function, once
per weight. With `jac=cv.value_and_grad(f)` one evaluation gives all of them, and with `hessp=cv.hvp(f)` Newton's method
needs a dozen steps. All three run on the same four lines of NumPy.

The curvature at the solution is the inverse covariance of the Laplace approximation of the posterior, and so says how
well each weight is known.
"""

import numpy as np
from scipy.optimize import minimize

import covector as cv

ROWS, WEIGHTS, PRIOR_VARIANCE = 400, 30, 4.0

random = np.random.default_rng(0)
truth = random.normal(size=WEIGHTS) * (random.random(WEIGHTS) < 0.4)
inputs = random.normal(size=(ROWS, WEIGHTS)) @ (np.eye(WEIGHTS) + 0.3 * random.normal(size=(WEIGHTS, WEIGHTS)))
labels = random.random(ROWS) < 1 / (1 + np.exp(-inputs @ truth))


def negative_log_posterior(weights):
    scores = inputs @ weights
    likelihood = np.sum(np.logaddexp(0, scores) - labels * scores)
    return likelihood + np.sum(weights**2) / (2 * PRIOR_VARIANCE)


class Counted:
    """A function that remembers the best value it had after each evaluation."""

    def __init__(self, function):
        self.function, self.best = function, [np.inf]

    def __call__(self, weights):
        found = self.function(weights)
        value = found[0] if isinstance(found, tuple) else found
        self.best.append(min(value, self.best[-1]))
        return found


value_and_gradient = cv.jit(cv.value_and_grad(negative_log_posterior))
hessian_product = cv.jit(lambda w, v: cv.hvp(negative_log_posterior, (w,), (v,)))
start = np.zeros(WEIGHTS)

differenced = Counted(negative_log_posterior)
exact = Counted(value_and_gradient)
newton = Counted(value_and_gradient)
results = {
    "BFGS, differences": (differenced, minimize(differenced, start, method="BFGS")),
    "BFGS, gradient": (exact, minimize(exact, start, jac=True, method="BFGS")),
    "Newton, Hessian products": (
        newton,
        minimize(newton, start, jac=True, hessp=hessian_product, method="trust-ncg", options={"gtol": 1e-9}),
    ),
}

print(f"{ROWS} rows, {WEIGHTS} weights\n\n{'':>26}{'evaluations':>13}{'value':>16}{'largest gradient entry':>25}")
for name, (counted, result) in results.items():
    _, gradient = value_and_gradient(result.x)
    print(f"{name:>26}{len(counted.best) - 1:>13}{result.fun:>16.9f}{np.abs(gradient).max():>25.1e}")

best = results["Newton, Hessian products"][1]
covariance = np.linalg.inv(cv.hessian(negative_log_posterior)(best.x))
deviations = np.sqrt(np.diag(covariance))
print("\n weight   true     found    standard deviation")
for i in range(5):
    print(f"{i:>7d}{truth[i]:>8.2f}{best.x[i]:>9.2f}{deviations[i]:>15.2f}")
within = np.mean(np.abs(best.x - truth) < 2 * deviations)
print(f"{within:.0%} of the weights are within two standard deviations of the truth")

# By hand: the gradient is Xᵀ(p - y) + w / variance.
_, gradient = value_and_gradient(truth)
by_hand = inputs.T @ (1 / (1 + np.exp(-inputs @ truth)) - labels) + truth / PRIOR_VARIANCE
assert np.allclose(gradient, by_hand, rtol=1e-10)
assert np.allclose(results["BFGS, gradient"][1].x, best.x, atol=1e-3)
assert within > 0.8

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, (counted, _) in results.items():
        gaps = np.array(counted.best[1:]) - best.fun
        axes.loglog(np.arange(1, len(gaps) + 1), np.maximum(gaps, 1e-12), label=name)
    axes.set(xlabel="evaluations of the function", ylabel="gap to the smallest value", ylim=(1e-10, None))
    axes.legend()
    figure.savefig("logistic_regression.svg")
