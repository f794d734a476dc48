"""Descent along directions that are searched for, beside descent along exact ones: how many steps, at what cost.

The searches know nothing of a norm but its values and subgradients; they are within a gap, and begin with what earlier
ones found. Both descents minimize the same loss, with the same Armijo search by the actual slope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from scipy.optimize import minimize

import covector as cv
from covector import norms
from covector.norms.norm import Norm

Loss = Callable[[Any], Any]
Direction = Callable[[Any], Any]

SAMPLES, FEATURES = 80, 40

RESTS = (0.1, 0.05, 0.01)
"""Steps are counted until so much of the first gap is left."""


@final
class Counted(Norm):
    """A norm of which nothing is known but its value and subgradients, which are counted."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function, self.calls = function, 0

    def norm(self, vector: Any) -> Any:
        """Return its value."""
        return self.function(vector)

    def subgradient(self, vector: Any) -> Any:
        """Return its gradient, and count."""
        self.calls += 1
        return cv.grad(self.function)(vector)

    def dual_norm(self, covector: Any) -> Any:
        """Raise, for a black box has none."""
        raise AssertionError("the dual norm of a black box was asked for")

    maximizer = dual_norm

    @property
    def traits(self) -> norms.Traits:
        """Return that it is not exact."""
        return norms.Traits(exact=False)


def largest(v: Any) -> Any:
    """Return the largest |entry|."""
    return np.max(np.abs(v))


def largest_group(v: Any) -> Any:
    """Return the largest length of a row."""
    return np.max(np.sqrt(np.sum(v**2, axis=1)))


def larger_of_two(v: Any) -> Any:
    """Return the larger of a third of the length and the largest |entry|."""
    return np.maximum(np.sqrt(np.sum(v**2)) / 3, np.max(np.abs(v)))


BOXES: dict[str, tuple[Callable[[Any], Any], Norm, tuple[int, ...]]] = {
    "linf": (largest, norms.linf(), (FEATURES,)),
    "group": (largest_group, norms.group(2, np.inf, axes=1), (8, FEATURES // 8)),
    "max": (larger_of_two, norms.l2() / 3 | norms.linf(), (FEATURES,)),
}
"""Norms as functions, as they are known in closed form, and the shapes of what they measure."""


def logistic_regression(seed: int, shape: tuple[int, ...]) -> tuple[Loss, Loss, list[float]]:
    """Return a loss with five large features, its gradient, and its least value plus those parts of the first gap."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(SAMPLES, FEATURES))
    labels = np.sign(features @ rng.normal(size=FEATURES) + 0.1 * rng.normal(size=SAMPLES))
    features[:, :5] *= 10.0

    def loss(w: Any) -> Any:
        return np.mean(np.logaddexp(0.0, -labels * (features @ w.ravel()))) + 0.001 * np.sum(w * w)

    def gradient(w: Any) -> Any:
        shares = -labels / (1.0 + np.exp(labels * (features @ w.ravel())))
        return np.reshape(shares @ features / SAMPLES, np.shape(w)) + 0.002 * w

    start = np.zeros(FEATURES)
    least = float(minimize(loss, start, jac=gradient, method="BFGS", options={"gtol": 1e-8}).fun)
    return loss, gradient, [least + rest * (float(loss(np.zeros(shape))) - least) for rest in RESTS]


def steps_of_descent(
    loss: Loss, gradient: Loss, goals: Sequence[float], shape: tuple[int, ...], direction: Direction
) -> list[int]:
    """Return how many steps with an Armijo search descent takes to values below falling goals."""
    w, step, steps = np.zeros(shape), 1.0, [0] * len(goals)
    for _ in range(2000):
        value = loss(w)
        if value < goals[-1]:
            return steps
        steps = [taken + (value >= goal) for taken, goal in zip(steps, goals, strict=True)]
        g = gradient(w)
        v, step = direction(g), 2.0 * step
        while loss(w - step * v) > value - 0.1 * step * np.sum(g * v):
            step /= 2
        w = w - step * v
    raise AssertionError("no descent")


@final
class WarmDirections:
    """Directions within a gap, how many norm gradients each took, and their bounds."""

    def __init__(self, function: Callable[[Any], Any], shape: tuple[int, ...], gap: float) -> None:
        self.box, self.gap, self.warm = Counted(function), gap, norms.warm_start(np.zeros(shape))
        self.gradients: list[int] = []
        self.found: list[tuple[Any, Any, Any, Any]] = []

    def __call__(self, gradient: Any) -> Any:
        """Return the next direction."""
        before = self.box.calls
        vector, lower, upper, self.warm = norms.warm_maximizer(self.box, gradient, self.warm, self.gap)
        self.gradients.append(self.box.calls - before)
        self.found.append((gradient, vector, lower, upper))
        return vector

    def proved(self) -> float:
        """Return the share of directions whose gap is proved."""
        return float(np.mean([upper - lower <= self.gap * upper for _, _, lower, upper in self.found]))


def descents(name: str, seed: int, gap: float) -> tuple[list[int], list[int], WarmDirections]:
    """Return how many steps descent takes along exact and along warm directions to each goal, and those directions."""
    function, norm, shape = BOXES[name]
    problem, warm = logistic_regression(seed, shape), WarmDirections(function, shape, gap)
    exact = steps_of_descent(*problem, shape, norm.maximizer)
    return exact, steps_of_descent(*problem, shape, warm), warm


def rows(gap: float, seeds: int) -> list[str]:
    """Return a line for each norm: medians over seeds of the steps, norm gradients a step, and what is proved.

    The steps are those to a hundredth of the first gap; of their ratio there is one for each of `RESTS`.
    """
    lines = []
    for name in BOXES:
        exact, steps, warm = zip(*(descents(name, seed, gap) for seed in range(seeds)), strict=True)
        shares = " ".join(f"{x:5.2f}" for x in np.median(np.array(steps) / np.array(exact), axis=0))
        taken = np.concatenate([w.gradients[1:] for w in warm])
        proved = np.mean([w.proved() for w in warm])
        lines.append(
            f"{name:5} {np.median(exact, axis=0)[-1]:12.0f} {np.median(steps, axis=0)[-1]:11.0f}  {shares} "
            f"{np.mean(taken):15.1f} {np.max(taken):5} {proved:7.2f}"
        )
    return lines


TITLE = "norm   exact steps  warm steps  of exact: 10, 5, 1 %  gradients/step  most  proved"
