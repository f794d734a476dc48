"""Variational inference on eight schools: a gradient of an expectation, by moving the randomness out of the way.

Eight schools report the effect y_j of coaching on test scores, with known standard errors s_j (Rubin 1981). The
hierarchical model (Gelman et al., Bayesian Data Analysis, section 5.5) is, in its non-centred form,

    mean ~ Normal(0, 5),   deviation ~ HalfCauchy(5),   e_j ~ Normal(0, 1),   y_j ~ Normal(mean + deviation e_j, s_j).

The posterior is approximated by independent normals q, as near as possible in the Kullback-Leibler divergence: the
evidence lower bound E_q[log p(z, y) - log q(z)] is maximized in their means and deviations. With z = m + exp(l) * noise
the gradient passes through the sample (Kingma and Welling 2014), so `vmap` over noise and `grad` are all it takes
(Kucukelbir et al. 2017).
"""

import numpy as np

import covector as cv

EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
SCHOOLS, LATENT, SAMPLES, STEPS = "ABCDEFGH", 10, 20, 2000


def log_normal(x, mean, deviation):
    return -0.5 * ((x - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)


def effects_of(latent):
    """The effects of the schools, from (mean, log deviation, e_1, ..., e_8)."""
    return latent[0] + np.exp(latent[1]) * latent[2:]


def log_joint(latent):
    deviation = np.exp(latent[1])
    prior = log_normal(latent[0], 0.0, 5.0) + np.log(2 / (5 * np.pi)) - np.log1p((deviation / 5) ** 2) + latent[1]
    return prior + np.sum(log_normal(latent[2:], 0.0, 1.0)) + np.sum(log_normal(EFFECTS, effects_of(latent), ERRORS))


def negative_bound(parameters, noise):
    """Minus the evidence lower bound; q's entropy is known, the rest is the mean over the noise."""
    mean, logarithm = parameters["mean"], parameters["logarithm"]
    entropy = np.sum(logarithm) + LATENT / 2 * (1 + np.log(2 * np.pi))
    return -np.mean(cv.vmap(lambda e: log_joint(mean + np.exp(logarithm) * e))(noise)) - entropy


random = np.random.default_rng(3)
parameters = {"mean": np.zeros(LATENT), "logarithm": np.full(LATENT, -1.0)}
value_and_gradient = cv.jit(cv.value_and_grad(negative_bound))
squares = {name: np.ones(LATENT) for name in parameters}
bounds = []
for step in range(STEPS):
    value, gradient = value_and_gradient(parameters, random.normal(size=(SAMPLES, LATENT)))
    bounds.append(-value)
    for name, slope in gradient.items():  # AdaGrad: each parameter's step shrinks with the gradients it has seen
        squares[name] += slope**2
        parameters[name] = parameters[name] - 0.3 * slope / np.sqrt(squares[name])
    if (step + 1) % 400 == 0:
        print(f"step {step + 1:>5d} of {STEPS}   evidence lower bound {np.mean(bounds[-200:]):.3f}")

draws = parameters["mean"] + np.exp(parameters["logarithm"]) * random.normal(size=(20_000, LATENT))
schools = cv.vmap(effects_of)(draws)

# Compare with the exact posterior: given (mean, deviation) the schools are independent, so importance sampling is easy.
means, deviations = random.normal(0, 5, 200_000), np.abs(5 * random.standard_cauchy(200_000))
log_weights = np.sum(log_normal(EFFECTS, means[:, None], np.sqrt(deviations[:, None] ** 2 + ERRORS**2)), axis=1)
weights = np.exp(log_weights - log_weights.max())
weights /= weights.sum()
precision = 1 / ERRORS**2 + 1 / deviations[:, None] ** 2
given = (EFFECTS / ERRORS**2 + means[:, None] / deviations[:, None] ** 2) / precision
exact = weights @ given
evidence = np.log(np.mean(np.exp(log_weights - log_weights.max()))) + log_weights.max()
print(f"log evidence by importance sampling     {evidence:.3f}\n")

print("school   reported   standard error   variational mean   deviation   exact mean")
for j, school in enumerate(SCHOOLS):
    found = f"{schools[:, j].mean():>19.1f}{schools[:, j].std():>12.1f}"
    print(f"{school:>6}{EFFECTS[j]:>11.0f}{ERRORS[j]:>17.0f}{found}{exact[j]:>13.1f}")
assert np.mean(bounds[-200:]) < evidence + 0.05, "the bound is a lower one"
assert np.abs(schools.mean(axis=0) - exact).max() < 2.0

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(bounds, linewidth=0.5)
    left.axhline(evidence, color="black", linestyle="--", label="log evidence")
    left.set(xlabel="step", ylabel="evidence lower bound", ylim=(evidence - 5, evidence + 1))
    left.legend()
    places = np.arange(8)
    right.errorbar(places - 0.1, EFFECTS, ERRORS, fmt="o", label="reported")
    right.errorbar(places + 0.1, schools.mean(axis=0), schools.std(axis=0), fmt="s", label="variational")
    right.plot(places + 0.1, exact, "k_", markersize=12, label="exact mean")
    right.set(xticks=places, xticklabels=list(SCHOOLS), ylabel="effect of coaching")
    right.legend()
    figure.savefig("eight_schools.svg")
