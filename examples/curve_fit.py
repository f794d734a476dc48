"""Nonlinear least squares: the Gauss-Newton method with damping, then Newton's for the last digits.

To minimize |r(b)|² for residuals r, replace r by its linearization J d + r and solve the linear least squares
problem for the step d, which is kept short by a penalty on its length (Levenberg 1944, Marquardt 1963).
J has many rows and few columns, so pushing the few columns forward (`jacfwd`) is the cheap way to get it.

Leaving out the curvature of the model makes every step safe, but the last ones slow: each gains the same factor. A few
steps with the exact Hessian, which costs one line here, double the number of right digits each.

The data are Thurber's, in the hardest group of NIST's Statistical Reference Datasets: electron mobility in a
semiconductor, to be fitted by a quotient of two cubic polynomials with seven parameters. The answers are certified.
"""

from pathlib import Path

import numpy as np

import covector as cv

DATA = Path(__file__).parent / "data" / "thurber.csv"
START = np.array([1000.0, 1000.0, 400.0, 40.0, 0.7, 0.3, 0.03])
CERTIFIED = np.array(
    [1.2881396800e3, 1.4910792535e3, 5.8323836877e2, 7.5416644291e1, 9.6629502864e-1, 3.9797285797e-1, 4.9727297349e-2]
)
CERTIFIED_SUM_OF_SQUARES = 5.6427082397e3

log_density, mobility = np.loadtxt(DATA, delimiter=",", skiprows=7).T


def model(b, x):
    numerator = b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3
    return numerator / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)


def residuals(b):
    return model(b, log_density) - mobility


def damped_step(jacobian, residual, damping):
    """The d that minimizes |J d + r|² + damping |D d|², with D the lengths of J's columns."""
    scale = np.linalg.norm(jacobian, axis=0)
    rows = np.vstack([jacobian, np.sqrt(damping) * np.diag(scale)])
    right = np.concatenate([-residual, np.zeros_like(scale)])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


def gauss_newton(function, b, damping=1e-2, iterations=100):
    """Steps from b until they gain little; the damping grows after a bad step and shrinks after a good one."""
    jacobian_of = cv.jacfwd(function)
    residual = function(b)
    for iteration in range(iterations):
        jacobian = jacobian_of(b)
        step = damped_step(jacobian, residual, damping)
        tried = function(b + step)
        print(f"{iteration:>5d}{residual @ residual:>20.8f}{np.linalg.norm(step):>14.2e}{damping:>10.0e}")
        if abs(tried @ tried - residual @ residual) <= 1e-8 * (residual @ residual):
            break
        if tried @ tried < residual @ residual:
            b, residual, damping = b + step, tried, damping / 10
        else:
            damping *= 10
    return b


def newton(function, b, iterations=4):
    """Steps with the exact Hessian, from a point that is close already."""
    gradient_of, hessian_of = cv.grad(function), cv.hessian(function)
    for iteration in range(iterations):
        step = np.linalg.solve(hessian_of(b), -gradient_of(b))
        print(f"{iteration:>5d}{function(b):>20.8f}{np.linalg.norm(step):>14.2e}")
        b = b + step
    return b


print(f"{len(mobility)} observations, {len(START)} parameters\n\nGauss-Newton")
print(f"{'step':>5}{'sum of squares':>20}{'length':>14}{'damping':>10}")
b = gauss_newton(residuals, START)
print("\nNewton")
b = newton(lambda b: np.sum(residuals(b) ** 2), b)

sum_of_squares = np.sum(residuals(b) ** 2)
jacobian = cv.jacfwd(residuals)(b)
variance = sum_of_squares / (len(mobility) - len(b))
deviations = np.sqrt(variance * np.diag(np.linalg.inv(jacobian.T @ jacobian)))

print(f"\n{'':>16}{'computed':>18}{'certified':>18}{'standard deviation':>22}")
for i in range(len(b)):
    print(f"{'b' + str(i + 1):>16}{b[i]:>18.9e}{CERTIFIED[i]:>18.9e}{deviations[i]:>22.6e}")
print(f"{'sum of squares':>16}{sum_of_squares:>18.9e}{CERTIFIED_SUM_OF_SQUARES:>18.9e}")
assert np.allclose(b, CERTIFIED, rtol=1e-7)
assert np.isclose(sum_of_squares, CERTIFIED_SUM_OF_SQUARES, rtol=1e-10)

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    layout = {"figsize": (6, 4.5), "sharex": True, "height_ratios": (3, 1), "layout": "constrained"}
    figure, (upper, lower) = plt.subplots(2, 1, **layout)
    densities = np.linspace(log_density.min(), log_density.max(), 200)
    upper.plot(densities, model(START, densities), ":", label="start")
    upper.plot(densities, model(b, densities), label="fit")
    upper.plot(log_density, mobility, "k.", label="measured")
    upper.set(ylabel="electron mobility")
    upper.legend()
    lower.stem(log_density, -residuals(b))
    lower.set(xlabel="logarithm of the density", ylabel="measured - fit")
    figure.savefig("curve_fit.svg")
