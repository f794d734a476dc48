"""A small neural network on handwritten digits, trained by steepest descent under several norms.

The same network, batches and schedule; only the norm that measures a step differs. In the Euclidean norm this is
gradient descent with normalized gradients, in the largest entry sign descent, and in the spectral norm of each layer's
weights (the largest of them over the layers) it is Muon without its momentum (Jordan 2024; Bernstein and Newhouse
2024). Each norm is tried with the same six step sizes, and the best is shown, so that none is favoured.

The data are 1797 digits of 8x8 pixels that come with scikit-learn, the last third for testing.
"""

import sys
from itertools import pairwise

import numpy as np

import covector as cv
from covector.norms import per_leaf, spectral

try:
    from sklearn.datasets import load_digits
except ImportError:
    raise SystemExit("scikit-learn is not installed, and with it come the digits") from None

SIZES, EPOCHS, BATCH, STEPS = (64, 64, 64, 10), 12, 64, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
NORMS = {"l2": "l2", "linf": "linf", "spectral": per_leaf(spectral())}

images, labels = load_digits(return_X_y=True)
images = np.hstack([images / 16, np.ones((len(images), 1))])  # the constant stands for a bias
count = 1200
train, test = (images[:count], labels[:count]), (images[count:], labels[count:])


def initial(random):
    """One matrix for each layer; the first has a row more, for the bias."""
    shapes = [(m + (i == 0), n) for i, (m, n) in enumerate(pairwise(SIZES))]
    return [random.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes]


def scores(layers, x):
    for weights in layers[:-1]:
        x = np.tanh(x @ weights)
    return x @ layers[-1]


def cross_entropy(layers, x, y):
    s = scores(layers, x)
    shift = np.max(s, axis=1, keepdims=True)
    logarithms = s - shift - np.log(np.sum(np.exp(s - shift), axis=1, keepdims=True))
    return -np.mean(np.take_along_axis(logarithms, y[:, None], axis=1))


def accuracy(layers, x, y):
    return np.mean(np.argmax(scores(layers, x), axis=1) == y)


value_and_gradient = cv.jit(cv.value_and_grad(cross_entropy))


def trained(norm, step):
    """The layers after training, and the loss over all training data after each epoch."""
    random = np.random.default_rng(0)
    layers, losses = initial(random), []
    total = EPOCHS * (count // BATCH)
    optimizer = cv.steepest_descent(norm, lambda n: step * (1 - n / total), mode="unit")
    state = optimizer.init(layers)
    for _ in range(EPOCHS):
        for rows in random.permutation(count)[: count // BATCH * BATCH].reshape(-1, BATCH):
            _, gradient = value_and_gradient(layers, train[0][rows], train[1][rows])
            updates, state = optimizer.update(gradient, state, layers)
            layers = [weights + update for weights, update in zip(layers, updates, strict=True)]
        losses.append(cross_entropy(layers, *train))
    return layers, losses


print(f"{count} digits for training, {len(labels) - count} for testing; {EPOCHS} epochs of batches of {BATCH}\n")
print(f"{'norm':>10}{'best step':>12}{'loss':>12}{'errors on test':>17}")
curves = {}
for name, norm in NORMS.items():
    runs = {}
    for i, step in enumerate(STEPS):
        if sys.stdout.isatty():
            print(f"{name:>10}  training {i + 1} of {len(STEPS)}", end="\r", flush=True)
        runs[step] = trained(norm, step)
    best = min(runs, key=lambda step: runs[step][1][-1])
    layers, curves[name] = runs[best]
    print(f"{name:>10}{best:>12}{curves[name][-1]:>12.5f}{1 - accuracy(layers, *test):>17.1%}")

assert min(losses[-1] for losses in curves.values()) < 0.01
gradient = value_and_gradient(initial(np.random.default_rng(1)), *train)[1]
moved = [u.copy() for u in initial(np.random.default_rng(1))]
moved[1][3, 4] += 1e-5
difference = cross_entropy(moved, *train) - cross_entropy(initial(np.random.default_rng(1)), *train)
assert np.isclose(gradient[1][3, 4], difference / 1e-5, rtol=1e-3, atol=1e-7)

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, losses in curves.items():
        axes.semilogy(np.arange(1, EPOCHS + 1), losses, "o-", markersize=3, label=name)
    axes.set(xlabel="epoch", ylabel="cross entropy on the training data")
    axes.legend()
    figure.savefig("digits.svg")
