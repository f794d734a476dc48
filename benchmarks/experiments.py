"""Steepest descent with one line search and different norms: how many steps each takes to the same value.

Three problems where the norm decides, each with variants where it does not, or decides the other way. What counts is
the number of steps of `steepest_descent(norm, armijo())` from the same start until the value is at most a target, which
does not depend on the machine.

    problem = logistic(seed=0)
    steps(problem, "linf", most=5000), steps(problem, "l2", most=5000)
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from attrs import frozen
from scipy.optimize import minimize as scipy_minimize

import covector as cv
from benchmarks.report import number
from covector import norms, optimize

RESULTS = Path(__file__).parent / "results" / "norms.json"
SEEDS = (0, 1, 2)
MOST = 20_000

Value = Callable[[Any], Any]


@frozen
class Problem:
    """A function, where to begin, and the value to reach."""

    value: Value
    start: Any
    target: float


@frozen
class Steps:
    """How many steps each norm takes in a variant of a problem: one number for each seed."""

    problem: str
    variant: str
    steps: Mapping[str, Sequence[int]]

    def ratio(self, slow: str, fast: str) -> float:
        """The median over seeds of one number of steps divided by the other."""
        return float(median(a / b for a, b in zip(self.steps[slow], self.steps[fast], strict=True)))

    def row(self, slow: str, fast: str) -> str:
        """The variant, the steps of each norm, and the ratio, as a row of a Markdown table."""
        counts = (", ".join(map(str, counts)) for counts in self.steps.values())
        return f"| {self.variant} | {' | '.join(counts)} | {number(self.ratio(slow, fast))} |"


def saved(problem: str) -> list[Steps]:
    """What `python -m benchmarks.norms --json benchmarks/results/norms.json` found for a problem."""
    return [Steps(**record) for record in json.loads(RESULTS.read_text())["steps"] if record["problem"] == problem]


def steps(problem: Problem, norm: Any, most: int = MOST) -> int:
    """The number of steps with a norm until the target is reached, at most `most`."""
    found = cv.minimize(
        problem.value, problem.start, cv.steepest_descent(norm, optimize.armijo()), tol=0.0, max_iterations=most,
        callback=lambda _, record: record.value <= problem.target, progress=False,
    )  # fmt: skip
    return int(found.nit)


# --- logistic regression whose features come in different units -----------------------------------------------


def logistic(seed: int, teacher: str = "signs", rotated: bool = False, scale: float = 30.0) -> Problem:
    """400 rows of 200 features, five of them times 30, to a tenth of the initial gap.

    The label is the sign of the natural features times a teacher: every entry 1 or -1 ("signs"), normal numbers
    ("normal"), or ten of those ("sparse"). Rotated, the same rows are seen in another orthonormal basis.
    """
    random = np.random.default_rng(seed)
    natural = random.normal(size=(400, 200))
    weights = random.normal(size=200)
    kept = {"signs": np.sign(weights), "normal": weights, "sparse": weights * (np.arange(200) % 20 == 0)}[teacher]
    rows = natural * np.where(np.arange(200) < 5, scale, 1.0)
    if rotated:
        rows = rows @ np.linalg.qr(random.normal(size=(200, 200)))[0]
    value = partial(logistic_loss, rows, np.sign(natural @ kept))
    least = float(scipy_minimize(cv.value_and_grad(value), np.zeros(200), jac=True, method="L-BFGS-B").fun)
    return Problem(value, np.zeros(200), least + 0.1 * (float(np.log(2)) - least))


def logistic_loss(rows: Any, labels: Any, weights: Any) -> Any:
    """The mean of log(1 + exp(-label * score))."""
    return np.mean(np.logaddexp(0.0, -labels * (rows @ weights)))


# --- softmax regression whose inputs have a few large directions ----------------------------------------------


def softmax(seed: int, teacher: float = 0.5, spike: float = 1.5, rows: int = 1000) -> Problem:
    """20 classes on 60 inputs, rotated, with standard deviations i^-spike, to 0.3 of the initial loss, log 20.

    The label is the class with the largest score under a teacher whose row for direction i has deviation i^teacher.
    """
    random, place = np.random.default_rng(seed), np.arange(1, 61)
    rotation = np.linalg.qr(random.normal(size=(60, 60)))[0]
    inputs = random.normal(size=(rows, 60)) * place**-spike
    weights = random.normal(size=(60, 20)) * (place**teacher)[:, None]
    labels = np.argmax(inputs @ weights, axis=1)
    return Problem(partial(softmax_loss, inputs @ rotation, labels), np.zeros((60, 20)), 0.3 * float(np.log(20)))


def softmax_loss(inputs: Any, labels: Any, weights: Any) -> Any:
    """The mean of -log softmax(scores)[label]."""
    scores = inputs @ weights
    largest = np.max(scores, axis=1)
    logarithms = largest + np.log(np.sum(np.exp(scores - largest[:, None]), axis=1))
    return np.mean(logarithms - scores[np.arange(len(labels)), labels])


def regression(seed: int) -> Problem:
    """Least squares on 60 inputs that are all alike, for 20 outputs of a teacher of rank one, to 1e-3 of the gap."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(1000, 60))
    outputs = inputs @ np.outer(random.normal(size=60), random.normal(size=20))

    def value(weights: Any) -> Any:
        return 0.5 * np.mean((inputs @ weights - outputs) ** 2)

    start = np.zeros((60, 20))
    return Problem(value, start, 1e-3 * float(value(start)))


# --- functions on a grid --------------------------------------------------------------------------------------

WIDTH = 0.1


def sobolev(size: int) -> norms.Norm:
    """The square root of the integral of u^2 + (WIDTH u')^2 over (0, 1), but for a factor, for u zero at both ends."""
    return norms.sobolev((WIDTH * (size + 1)) ** 2, "dirichlet")


def interface(size: int, gap: float, seed: int) -> Problem:
    """The Ginzburg-Landau energy between -1 and 1, from a straight line, to a part of the initial gap.

    Nothing is random in it; the seed is there for the others' sake.
    """
    start = np.linspace(-1.0, 1.0, size + 2)[1:-1]
    optimizer = cv.steepest_descent(sobolev(size), optimize.armijo())
    least = cv.minimize(interface_energy, start, optimizer, tol=1e-12, max_iterations=300, progress=False).fun
    return Problem(interface_energy, start, least + gap * (float(interface_energy(start)) - least))


def interface_energy(inner: Any) -> Any:
    """The integral of WIDTH^2 u'^2 / 2 + (1 - u^2)^2 / 4 over (0, 1), u(0) = -1, u(1) = 1, for u at inner points."""
    spacing = 1.0 / (np.size(inner) + 1)
    slopes = np.diff(np.concatenate([[-1.0], inner, [1.0]])) / spacing
    return spacing * (0.5 * WIDTH**2 * np.sum(slopes**2) + 0.25 * np.sum((1.0 - inner**2) ** 2))


def denoising(size: int, seed: int, width: float = 1e-4) -> Problem:
    """White noise, smoothed hardly at all, to 1e-2 of the initial gap: the l2 term is nearly everything."""
    data = np.random.default_rng(seed).normal(size=size)

    def energy(u: Any) -> Any:
        slopes = np.diff(np.concatenate([[0.0], u, [0.0]])) * (size + 1)
        return (0.5 * np.sum((u - data) ** 2) + 0.5 * width**2 * np.sum(slopes**2)) / (size + 1)

    start = np.zeros(size)
    least = float(scipy_minimize(cv.value_and_grad(energy), start, jac=True, method="L-BFGS-B").fun)
    return Problem(energy, start, least + 1e-2 * (float(energy(start)) - least))


# --- all of them ----------------------------------------------------------------------------------------------


@frozen
class Case:
    """A variant of a problem, made from a seed, and the norms to compare in it; `small` if it takes about a second."""

    problem: str
    variant: str
    make: Callable[[int], Problem]
    norms: Mapping[str, Any]
    seeds: Sequence[int] = SEEDS
    small: bool = False

    def run(self, most: int = MOST) -> Steps:
        """The steps of every norm for every seed."""
        problems = [self.make(seed) for seed in self.seeds]
        counts = {name: [steps(problem, norm, most) for problem in problems] for name, norm in self.norms.items()}
        return Steps(self.problem, self.variant, counts)


VECTORS = {"linf": "linf", "l2": "l2"}
MATRICES = {"spectral": "spectral", "linf": "linf", "l2": "l2"}


def cases() -> Iterator[Case]:
    """All that is compared."""
    for teacher in ("signs", "normal", "sparse"):
        yield Case("logistic", teacher, partial(logistic, teacher=teacher), VECTORS)
    yield Case("logistic", "rotated", partial(logistic, rotated=True), VECTORS)
    for power in (0.0, 0.25, 0.5, 0.75):
        yield Case("softmax", f"{power:g}", partial(softmax, teacher=power), MATRICES, small=power == 0)
    yield Case("softmax", "alike", partial(softmax, teacher=0.0, spike=0.0), MATRICES, small=True)
    yield Case("regression", "rank one", regression, MATRICES, small=True)
    for size in (50, 100, 200, 400):
        measures = {"H1": sobolev(size), "l2": "l2"}
        for gap in (1e-2, 1e-4):
            variant, make = f"{size}, {gap:g}", partial(interface, size, gap)
            yield Case("interface", variant, make, measures, seeds=SEEDS[:1], small=size == 50)
        yield Case("denoising", str(size), partial(denoising, size), measures, small=size == 50)
