"""Lynx and hares: parameters of a differential equation, fitted by differentiating through its solver.

The Hudson's Bay Company counted the pelts of snowshoe hares and of the lynx that eat them. Lotka (1925) and Volterra
(1926) describe the populations u and v by

    du/dt = (a - b v) u,        dv/dt = (c u - d) v.

The data are fitted by least squares on logarithms over the four rates and both initial populations. The solver is a
`scan` of Runge-Kutta steps, so its Jacobian in the six parameters is six tangents pushed through one loop; SciPy's
`least_squares` does the rest.
"""

import numpy as np
from scipy.optimize import least_squares

import covector as cv

YEARS = np.arange(1900, 1921)
COUNTS = """
    30 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22 25.4 27.1 40.3 57 76.6 52.3 19.5 11.2 7.6 14.6 16.2 24.7
    4 6.1 9.8 35.2 59.4 41.7 19 13 8.3 9.1 7.4 8 12.3 19.5 45.7 51.1 29.7 15.8 9.7 10.1 8.6
"""
HARES, LYNX = np.array(COUNTS.split(), dtype=float).reshape(2, -1)
COUNTED = np.log(np.stack([HARES, LYNX], axis=1))
STEPS_PER_YEAR = 20
NAMES = ("a", "b", "c", "d", "hares in 1900", "lynx in 1900")


def growth(logarithms, rates):
    """The time derivative of the logarithms of both populations."""
    hares, lynx = np.exp(logarithms)
    a, b, c, d = rates
    return np.stack([a - b * lynx, c * hares - d])


def runge_kutta(logarithms, rates, step):
    """One step of the classical fourth-order method."""
    k1 = growth(logarithms, rates)
    k2 = growth(logarithms + step / 2 * k1, rates)
    k3 = growth(logarithms + step / 2 * k2, rates)
    k4 = growth(logarithms + step * k3, rates)
    return logarithms + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def populations(parameters, steps_per_year=STEPS_PER_YEAR):
    """The logarithms of both populations in each year; the parameters are logarithms too, so that all are positive."""
    rates, first = np.exp(parameters[:4]), parameters[4:]

    def year(logarithms, _):
        for _ in range(steps_per_year):
            logarithms = runge_kutta(logarithms, rates, 1 / steps_per_year)
        return logarithms, logarithms

    _, later = cv.scan(year, first, None, length=len(YEARS) - 1)
    return np.concatenate([first[None], later])


def residuals(parameters):
    return (populations(parameters) - COUNTED).ravel()


start = np.log([0.5, 0.03, 0.03, 0.8, 30.0, 4.0])
fast_residuals, jacobian = cv.jit(residuals), cv.jit(cv.jacfwd(residuals))
fit = least_squares(fast_residuals, start, jac=jacobian, x_scale="jac")
differenced = least_squares(fast_residuals, start, x_scale="jac")

variance = 2 * fit.cost / (len(fit.fun) - len(start))
covariance = variance * np.linalg.inv(fit.jac.T @ fit.jac)
evaluations = differenced.nfev + len(start) * differenced.njev
print(f"{fit.nfev} evaluations and {fit.njev} Jacobians; by differences, {evaluations} evaluations\n")
print(f"{'':>15}{'found':>10}{'relative standard deviation':>30}")
for name, value, deviation in zip(NAMES, np.exp(fit.x), np.sqrt(np.diag(covariance)), strict=True):
    print(f"{name:>15}{value:>10.4f}{deviation:>30.1%}")
a, _, _, d = np.exp(fit.x[:4])
print(f"\nperiod of small oscillations, 2 pi / sqrt(a d): {2 * np.pi / np.sqrt(a * d):.2f} years")

directions = np.eye(len(start))
differences = [(residuals(start + 1e-6 * e) - residuals(start - 1e-6 * e)) / 2e-6 for e in directions]
assert np.allclose(jacobian(start), np.stack(differences, axis=1), atol=1e-6)
assert np.allclose(populations(fit.x), populations(fit.x, 2 * STEPS_PER_YEAR), atol=1e-4)
assert np.isclose(fit.cost, differenced.cost, rtol=1e-5)

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    fitted = np.exp(populations(fit.x))
    for column, (name, counts) in enumerate({"hares": HARES, "lynx": LYNX}.items()):
        (line,) = axes.plot(YEARS, fitted[:, column], label=name)
        axes.plot(YEARS, counts, "o", color=line.get_color())
    axes.set(xlabel="year", ylabel="thousands of pelts", xticks=YEARS[::4])
    axes.legend()
    figure.savefig("ode_fit.svg")
