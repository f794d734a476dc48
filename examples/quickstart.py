"""A tour of covector in five steps, ending with a fit to real data: `python examples/quickstart.py`.

The data are Misra1a of NIST's Statistical Reference Datasets, which come with certified answers to compare with.
SciPy's optimizer is used if SciPy is installed, a Newton iteration of our own if not.
"""

from pathlib import Path

import numpy as np

import covector as cv

try:
    from scipy.optimize import minimize
except ImportError:
    minimize = None

NAMES = ["b1", "b2", "deviation of b1", "deviation of b2", "sum of squares"]
CERTIFIED = [2.3894212918e02, 5.5015643181e-04, 2.7070075241e00, 7.2668688436e-06, 1.2455138894e-01]  # by NIST


def heading(text):
    print(f"\n{text}\n{'=' * len(text)}")


heading("1. What differentiation does, step by step")


def f(x1, x2):  # plain NumPy
    return np.log(x1) + x1 * x2 - np.sin(x2)


print("On the left f(x1, x2) = ln x1 + x1 x2 - sin x2 is computed at (2, 5), one operation at a time. On the right,")
print("from the bottom up, the adjoints: how much y changes with each value. At the top they are the gradient.\n")
print(cv.evaluation_trace(f)(2.0, 5.0).adjoint())
d1, d2 = cv.grad(f, argnums=(0, 1))(2.0, 5.0)
print(f"\ngrad(f) gives ({d1:.6f}, {d2:.6f}); by hand, 1/x1 + x2 = 5.5 and x1 - cos x2 = {2 - np.cos(5):.6f}.")

heading("2. Transformations compose, to any depth")


def horner(x):  # Python's loops and branches are run, not parsed
    total = 0.0
    for coefficient in (1.0, 2.0, 3.0, 4.0):
        total = total * x + coefficient
    return total


third = cv.grad(cv.grad(cv.grad(np.sin)))(1.0)
cubic = [derivative(2.0) for derivative in (horner, cv.grad(horner), cv.grad(cv.grad(horner)))]
print(f"The third derivative of sin at 1 is {third:.6f}; -cos 1 is {-np.cos(1.0):.6f}.")
print(f"x^3 + 2x^2 + 3x + 4 by a loop, with its first two derivatives, at 2: {', '.join(map(str, cubic))}.")
print(f"d/dx [x d/dy (x + y)] is {cv.grad(lambda x: x * cv.grad(lambda y: x + y)(1.0))(1.0)}, without any confusion.")

heading("3. Real data: Jacobians in both modes, a Hessian in mixed mode")

pressure, volume = np.loadtxt(Path(__file__).parent / "data" / "misra1a.csv", delimiter=",", skiprows=6).T


def model(b, pressure):
    return b[0] * (1 - np.exp(-b[1] * pressure))


def loss(logarithms):  # of the parameters: positive by construction, and of one size
    return np.sum((volume - model(np.exp(logarithms), pressure)) ** 2)


start = np.log([500.0, 1e-4])  # NIST's first starting point, the harder one
columns, rows = cv.jacfwd(model)(np.exp(start), pressure), cv.jacrev(model)(np.exp(start), pressure)
print(f"{len(volume)} measurements of adsorbed volume and pressure; the model is b1 (1 - exp(-b2 pressure)).")
print(f"Forward mode makes the Jacobian's columns, reverse mode its rows; they agree: {np.allclose(columns, rows)}.")
print(f"Hessian of the sum of squares at the start, forward over reverse:\n{cv.hessian(loss)(start)}")

heading("4. An optimizer with exact derivatives, against certified answers")


def newton(function, x, jac, hess):
    """Newton's method with curvatures made positive, and steps halved until they descend."""
    for _ in range(50):
        curvatures, axes = np.linalg.eigh(hess(x))
        step = -axes @ (axes.T @ jac(x) / np.abs(curvatures))
        while np.max(np.abs(step)) > 1e-10 and function(x + step) > function(x):
            step = step / 2
        x = x + step
    return x


gradient, curvature = cv.grad(loss), cv.hessian(loss)
if minimize is None:
    print("SciPy is not installed; a Newton iteration of our own uses the gradient and the Hessian.\n")
    best = newton(loss, start, gradient, curvature)
else:
    result = minimize(loss, start, jac=gradient, hess=curvature, method="trust-exact", options={"gtol": 1e-9})
    print(f"scipy.optimize.minimize(loss, start, jac=cv.grad(loss), hess=cv.hessian(loss)): {result.nit} iterations.\n")
    best = result.x

b = np.exp(best)
jacobian = cv.jacfwd(model)(b, pressure)
deviations = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)) * loss(best) / (len(volume) - len(b)))
for name, certified, computed in zip(NAMES, CERTIFIED, [*b, *deviations, loss(best)], strict=True):
    print(f"{name:>16}{computed:>20.10e}   certified{certified:>19.10e}")
    assert np.isclose(computed, certified, rtol=1e-6), name

heading("5. vmap: the gradient of every observation at once")

one = cv.grad(lambda b, pressure, volume: (volume - model(b, pressure)) ** 2)
gradients = cv.vmap(one, in_axes=(None, 0, 0))(b, pressure, volume)
balance = np.max(np.abs(gradients.sum(0)) / np.abs(gradients).sum(0))
print(f"{len(gradients)} gradients without a loop. At the optimum they sum to {balance:.0e}, relative to their size.")

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    axes.plot(pressure, volume, "o", np.arange(800.0), model(b, np.arange(800.0)))
    axes.set(xlabel="pressure", ylabel="adsorbed volume", title="Misra1a, measured and fitted")
    figure.savefig("quickstart.svg")
