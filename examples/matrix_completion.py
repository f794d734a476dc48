"""Matrix completion: what is learned about entries nobody has seen depends on the norm alone.

A third of the entries of a matrix of rank three is known, with noise, and the misfit f(X) = ½ |X - Y|² over the known
entries is minimized. Its gradient is zero at every unknown entry, so gradient descent, which is steepest descent in the
Euclidean norm, never changes them. Measure steps in the nuclear norm instead (the sum of the singular values), and so
gradients in its dual, the spectral norm: the steepest direction is then u vᵀ for the largest singular value of the
gradient. It has rank one and fills in all entries.

Staying in a ball of the nuclear norm (`frank_wolfe`, with the same direction) needs a radius, which a few known entries
that are held out choose; the duality gap says how far the value is from the smallest in the ball.
"""

import sys

import numpy as np

import covector as cv
from covector.optimize import armijo, frank_wolfe

ROWS, COLUMNS, RANK, NOISE, STEPS = 60, 50, 3, 0.1, 150

random = np.random.default_rng(0)
truth = random.normal(size=(ROWS, RANK)) @ random.normal(size=(RANK, COLUMNS))
measured = truth + NOISE * random.normal(size=truth.shape)
chance = random.random(truth.shape)
known, held_out, unknown = chance < 0.35, (chance >= 0.35) & (chance < 0.40), chance >= 0.40


def misfit(x):
    return 0.5 * np.sum(np.where(known, x - measured, 0.0) ** 2)


def relative_error(x, where, target):
    return np.linalg.norm((x - target)[where]) / np.linalg.norm(target[where])


def rank(x):
    singular = np.linalg.svd(x, compute_uv=False)
    return int(np.sum(singular > 1e-6 * singular[0])) if singular[0] else 0


def errors_along(optimizer, steps=STEPS):
    """The last matrix, and the error at the unknown entries before each step."""
    errors = []

    def keep(x, record):
        errors.append(relative_error(x, unknown, truth))

    result = cv.minimize(misfit, np.zeros_like(truth), optimizer, tol=1e-3, max_iterations=steps, callback=keep)
    return result, errors


print(f"{ROWS}x{COLUMNS} matrix of rank {RANK}, {known.mean():.0%} of its entries known, relative noise {NOISE:.0%}\n")
print(f"{'':>30}{'steps':>7}{'misfit':>10}{'error where unknown':>22}{'rank':>6}")
curves = {}
for name in ("l2", "nuclear"):
    result, curves[f"steps in the {name} norm"] = errors_along(cv.steepest_descent(name, armijo()))
    error = relative_error(result.x, unknown, truth)
    print(f"{f'steps in the {name} norm':>30}{result.nit:>7}{result.fun:>10.3f}{error:>22.3f}{rank(result.x):>6}")

results = {}
for radius in (120.0, 140.0, 160.0, 180.0, 200.0):
    if sys.stdout.isatty():
        print(f"  trying the ball of radius {radius:.0f} ...", end="\r", flush=True)
    result, errors = errors_along(frank_wolfe("nuclear", radius, armijo()), 4 * STEPS)
    results[radius] = result, errors, relative_error(result.x, held_out, measured)
best = min(results, key=lambda radius: results[radius][2])
for radius, (result, _, _) in results.items():
    label, error = f"in the ball of radius {radius:.0f}", relative_error(result.x, unknown, truth)
    mark = "  <- smallest error where held out" if radius == best else ""
    print(f"{label:>30}{result.nit:>7}{result.fun:>10.3f}{error:>22.3f}{rank(result.x):>6}{mark}")
result, curves[f"in the ball of radius {best:.0f}"], _ = results[best]
print(f"\nin the chosen ball the misfit is at most {result.measure:.2f} from its smallest, by the duality gap")
print(f"nuclear norm of the truth {np.linalg.svd(truth, compute_uv=False).sum():.1f}")

# The direction is what the theory says: the leading singular vectors of the gradient.
gradient = cv.grad(misfit)(np.zeros_like(truth))
left, singular, right = np.linalg.svd(gradient)
direction = cv.norms.nuclear().maximizer(gradient)
assert np.allclose(direction, np.outer(left[:, 0], right[0]), atol=1e-9)
assert np.isclose(cv.norms.nuclear().dual_norm(gradient), singular[0])
assert np.all(cv.grad(misfit)(truth)[unknown] == 0)
assert relative_error(result.x, unknown, truth) < 0.25 < 0.9 < curves["steps in the l2 norm"][-1]

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, errors in curves.items():
        axes.semilogx(np.arange(1, len(errors) + 1), errors, label=name)
    axes.set(xlabel="step", ylabel="relative error at unknown entries", ylim=(0, 1.1))
    axes.legend()
    figure.savefig("matrix_completion.svg")
