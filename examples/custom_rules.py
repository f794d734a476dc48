"""Derivative rules of your own: for an iteration, for numerical stability, and for a function covector cannot see.

A rule is mathematics that covector does not know. Here are the three usual reasons to state one.
"""

import math

import numpy as np

import covector as cv

# --- 1. An iteration: differentiate the answer, not the way to it -----------------------------------------------
# Kepler's equation E - e sin E = M is solved by Newton's method. By the implicit function theorem the solution
# changes by dE = (dM + sin E de) / (1 - e cos E): one division instead of a derivative of every iteration.


@cv.custom_jvp
def eccentric_anomaly(mean_anomaly, eccentricity):
    """Solves Kepler's equation for the eccentric anomaly E."""
    E = mean_anomaly
    for _ in range(20):
        E = E - (E - eccentricity * np.sin(E) - mean_anomaly) / (1 - eccentricity * np.cos(E))
    return E


@eccentric_anomaly.defjvp
def eccentric_anomaly_jvp(primals, tangents):
    mean_anomaly, e = primals
    d_mean_anomaly, d_e = tangents
    E = eccentric_anomaly(mean_anomaly, e)  # the rule uses the function itself, so it can be differentiated again
    return E, (d_mean_anomaly + np.sin(E) * d_e) / (1 - e * np.cos(E))


dM, de = cv.grad(eccentric_anomaly, argnums=(0, 1))(1.0, 0.3)
difference = (eccentric_anomaly(1.0, 0.3 + 1e-6) - eccentric_anomaly(1.0, 0.3 - 1e-6)) / 2e-6
print("1. Kepler's equation, by the implicit function theorem")
print(f"   dE/dM = {dM:.8f}, dE/de = {de:.8f}; by differences dE/de = {difference:.8f}")
print(f"   d²E/dM² = {cv.grad(cv.grad(eccentric_anomaly))(1.0, 0.3):.8f}")
assert np.isclose(de, difference, rtol=1e-8)
cv.check_grads(eccentric_anomaly, (1.0, 0.3), order=2)


# --- 2. Reverse mode only: clip what flows backwards ------------------------------------------------------------
# The function is the identity; only its reverse rule is special. `forward` saves what `backward` needs.


@cv.custom_vjp
def limited(x, bound):
    """The value of x; its cotangent is kept within the bound."""
    return x


def limited_forward(x, bound):
    return x, bound  # the output, and the residuals: whatever the backward rule needs


def limited_backward(bound, cotangent):
    return np.clip(cotangent, -bound, bound), None  # one cotangent for each argument, None for zero


limited.defvjp(limited_forward, limited_backward)

steep = cv.grad(lambda x: np.exp(10.0 * x))(1.0)
gentle = cv.grad(lambda x: np.exp(10.0 * limited(x, 5.0)))(1.0)
print("\n2. A clipped cotangent")
print(f"   d exp(10 x)/dx = {steep:.1f}; with the cotangent limited to 5: {gentle:.1f}")
assert gentle == 5.0


# --- 3. A function that only takes plain numbers ------------------------------------------------------------
# math.gamma refuses a traced value, because its result would be a plain number without a derivative. Inside a
# function with a rule it receives plain numbers, and the rule says what the derivative is.


def digamma(x):
    """The derivative of ln gamma(x), by recurrence to x > 6 and Bernoulli's series there; plain NumPy."""
    total = 0.0
    while x < 6:
        total = total - 1 / x
        x = x + 1
    return total + np.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6) + 1 / (240 * x**8)


@cv.custom_jvp
def log_gamma(x):
    return math.lgamma(x)


@log_gamma.defjvp
def log_gamma_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return log_gamma(x), digamma(x) * dx


print("\n3. math.lgamma with a rule")
slope, curvature = cv.grad(log_gamma)(2.5), cv.grad(cv.grad(log_gamma))(2.5)
print(f"   slope of ln gamma at 2.5 = {slope:.8f}, curvature = {curvature:.8f}")
assert np.allclose([slope, curvature], [0.70315664, 0.49035776], rtol=1e-6)

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    mean_anomalies = np.linspace(0.0, 2 * np.pi, 200)
    for e in (0.0, 0.3, 0.6):
        slopes = cv.vmap(cv.grad(eccentric_anomaly), in_axes=(0, None))(mean_anomalies, e)
        axes.plot(mean_anomalies, slopes, label=f"eccentricity {e}")
    axes.set(xlabel="mean anomaly M", ylabel="dE/dM", title="Kepler's equation, differentiated by its rule")
    axes.legend()
    figure.savefig("custom_rules.svg")
