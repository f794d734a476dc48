"""How far to go: step rules that try steps until one keeps what the slope promises.

| rule | accepts the step t along d, of slope s | tries next |
|---|---|---|
| `armijo()` | f(x + t d) <= f(x) - c t s | t / 2 |
| `adaptive()` | f(x + t d) <= f(x) - t s + M (t norm(d))^2 / 2, where t = s / (M norm(d)^2) | 2 M |
| `trust_region()` | the fall of f is at least a part of that of the second-order model, t <= radius | radius / 4 |

The slope is that along the actual direction, which may be inexact, or be made from momentum. The search is one
`while_loop`, so that under `jit` it is compiled and under `vmap` each run searches for itself. If no step is accepted
the step is zero.

    >>> from covector.optimize import minimize, steepest_descent
    >>> minimize(lambda x: np.sum(np.cosh(x)), np.array([1.0, -2.0]), steepest_descent("linf", armijo())).success
    True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array, typeof
from covector.errors import ArgumentError
from covector.norms.layout import ratio
from covector.optimize.arithmetic import check_count, check_numbers
from covector.optimize.situation import Situation, StepRule
from covector.transforms.control.loops import while_loop

NEAR = 30
"""After how many trials a search takes longer strides, so that it spans all floating-point numbers."""


def rounding(value: Array) -> Array:
    """The error of a function's value that a line search takes for granted: a few units of its dtype."""
    dtype = typeof(value).dtype
    return 4 * float(np.finfo(dtype if dtype.kind == "f" else float).eps) * np.abs(value)


def first_accepted(accepts: Callable[[Array], Array], first: Array, factor: float, most: int) -> tuple[Array, Array]:
    """The first of first, factor * first, factor^2 * first, ... that is accepted, and whether one of `most` is.

    After `NEAR` of them the factor itself grows: factor^2, factor^3, ... times the last.
    """

    def searching(carry: tuple[Array, Array, Array]) -> Array:
        _, accepted, tries = carry
        return np.logical_and(np.logical_not(accepted), tries < most)

    def tried(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        trial, _, tries = carry
        accepted = accepts(trial)
        further = trial * factor ** np.maximum(1.0, tries - NEAR)
        return np.where(accepted, trial, further)[()], accepted, tries + 1

    with np.errstate(all="ignore"):  # far away, and at the ends of the range of numbers, nothing is accepted
        trial, accepted, _ = while_loop(searching, tried, (first * np.float64(1.0), np.False_, np.int64(0)))
    return trial, accepted


@final
@frozen
class Armijo(StepRule):
    """Backtracking until the function falls by a given part of what its slope promises."""

    start: float
    sufficient: float
    shrink: float
    grow: float
    most: int
    restart: bool

    def initial(self) -> Array:
        return np.float64(0.0)

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        """The state is the last step over its slope, an estimate of 1/L; a step of zero if none is good enough."""
        slope, value = situation.slope, situation.value_here()
        error, last = rounding(value), state * slope
        # Where the fall that is asked for is lost in rounding, a longer step could not be told from a good one.
        visible = self.sufficient * last * slope > error
        again = np.logical_and(state > 0, not self.restart)
        least = 0.0 if self.restart else 2.0 * ratio(error, self.sufficient * slope)
        start = np.maximum(self.start * situation.unit, least)
        first = np.minimum(np.where(again, last * np.where(visible, self.grow, 1.0), start), situation.limit)

        def accepts(step: Array) -> Array:
            return situation.value_at(step) <= value + error - self.sufficient * step * slope

        step, accepted = first_accepted(_only_if(slope > 0, accepts), first, self.shrink, self.most)
        step = np.where(np.logical_and(accepted, slope > 0), step, 0.0)[()]
        return step, np.where(slope > 0, step / np.where(slope > 0, slope, 1.0), state)[()]


@final
@frozen
class Adaptive(StepRule):
    """The step 1/L, for an estimate M of L along the direction that is tested at every step."""

    start: float
    grow: float
    shrink: float
    most: int

    def initial(self) -> Array:
        return np.float64(0.0)

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        slope, square, value = situation.slope, situation.size**2, situation.value_here()
        error = rounding(value)
        with np.errstate(over="ignore"):
            # For larger M the fall that is promised, slope^2 / (2 M size^2), is lost in rounding.
            largest = 0.5 * ratio(slope, error) * ratio(slope, square)
        visible = np.where(np.logical_and(error > 0, slope > 0), largest, np.inf)
        again = state * np.where(state < visible, self.shrink, 1.0)
        first = np.where(state > 0, again, np.minimum(self.start, 0.5 * visible))

        def step_for(lipschitz: Array) -> Array:
            return np.minimum(slope / (lipschitz * square), situation.limit)

        def accepts(lipschitz: Array) -> Array:
            step = step_for(lipschitz)
            bound = value + error - step * slope + 0.5 * lipschitz * square * step**2
            return situation.value_at(step) <= bound

        found, accepted = first_accepted(_only_if(slope > 0, accepts), first, self.grow, self.most)
        accepted = np.logical_and(accepted, slope > 0)
        return np.where(accepted, step_for(found), 0.0)[()], np.where(accepted, found, state)[()]


@final
@frozen
class TrustRegion(StepRule):
    """The minimizer of the second-order model along the direction within a radius that follows the model's merit."""

    start: float
    largest: float
    accept: float
    most: int

    def initial(self) -> Array:
        return np.float64(self.start)

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        slope, curvature, value = situation.slope, situation.curvature(), situation.value_here()
        bowl = curvature > 0
        free = np.where(bowl, slope / np.where(bowl, curvature, 1.0), np.inf)

        def merit(radius: Array) -> Array:
            step = np.minimum(free, np.minimum(radius, situation.limit))
            promised = step * slope - 0.5 * step**2 * curvature
            return ratio(value + rounding(value) - situation.value_at(step), promised)

        def accepts(radius: Array) -> Array:
            return merit(radius) > self.accept

        radius, accepted = first_accepted(_only_if(slope > 0, accepts), state, 0.25, self.most)
        accepted = np.logical_and(accepted, slope > 0)
        return np.where(accepted, np.minimum(free, radius), 0.0)[()], self._next(radius, free, merit, slope > 0)

    def _next(self, radius: Array, free: Array, merit: Callable[[Array], Array], downhill: Array) -> Array:
        """A quarter of a radius that promised too much, twice one that was reached and promised little."""
        with np.errstate(over="ignore"):  # a radius next to zero promises next to nothing
            found = np.where(downhill, merit(radius), 0.5)
        grown = np.where(np.logical_and(found > 0.75, free >= radius), 2.0 * radius, radius)
        return np.minimum(np.where(found < 0.25, 0.25 * radius, grown), self.largest)[()]


def _only_if(downhill: Array, accepts: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Accepts at once where there is no way down, so that nothing is searched for."""

    def accepted(trial: Array) -> Array:
        return np.logical_or(np.logical_not(downhill), accepts(trial))

    return accepted


# --- what users call ------------------------------------------------------------------------------------------


def armijo(
    start: float = 1.0,
    sufficient: float = 0.1,
    shrink: float = 0.5,
    grow: float = 2.0,
    most: int = 80,
    restart: bool = False,
) -> Armijo:
    """Backtracking: steps t with f(x + t d) <= f(x) - sufficient * t * slope, which needs no constants of f.

    A few units of rounding of f(x) are allowed, so that the last steps before the minimum are not refused; a first step
    whose fall would be lost in them is lengthened until it is not (unless every search begins with it).

    Args:
        start: the first step to try.
        sufficient: the part of the promised decrease that is asked for, between 0 and 1.
        shrink: by how much a step that fails is multiplied.
        grow: by how much the last step, as a multiple of its slope, is multiplied to begin with.
        most: how many steps are tried; then the step is zero.
        restart: begin every search at `start`, as Newton's method wants, rather than at the last step.

    Source: L. Armijo, Minimization of functions having Lipschitz continuous first partial derivatives (1966).
    """
    check_numbers(start=start, sufficient=sufficient, shrink=shrink, grow=grow)
    check_count("most", most)
    if not (0 < sufficient < 1 and 0 < shrink < 1 <= grow and start > 0 and most > 0):
        raise ArgumentError(
            "armijo needs 0 < sufficient < 1, 0 < shrink < 1 <= grow, start > 0 and most > 0; found "
            f"{(sufficient, shrink, grow, start, most)}"
        )
    return Armijo(start, sufficient, shrink, grow, most, restart)


def adaptive(start: float = 1.0, grow: float = 2.0, shrink: float = 0.5, most: int = 100) -> Adaptive:
    """Steps dual_norm(g) / M, where M estimates the Lipschitz constant of the gradient in the norm.

    Args:
        start: the first M.
        grow: by how much M is multiplied while f(x + t d) <= f(x) - t s + M (t norm(d))^2 / 2 fails.
        shrink: by how much the last M is multiplied to begin with.
        most: how many M are tried; then the step is zero.

    Law: every step lowers f by at least dual_norm(g)^2 / (2 M), and M <= grow * L for an L-Lipschitz gradient (but for
    the first M, if `start` is too small by more than grow^30).

    Source: F. Pedregosa et al., Linearly convergent Frank-Wolfe with backtracking line-search (2020), algorithm 2.
    """
    check_numbers(start=start, grow=grow, shrink=shrink)
    check_count("most", most)
    if not (start > 0 and grow > 1 >= shrink > 0 and most > 0):
        raise ArgumentError(
            f"adaptive needs start > 0, grow > 1 >= shrink > 0, most > 0; found {(start, grow, shrink, most)}"
        )
    return Adaptive(start, grow, shrink, most)


def trust_region(start: float = 1.0, largest: float = 1e3, accept: float = 0.1, most: int = 80) -> TrustRegion:
    """The Cauchy point: t = min(radius, s / <d, H d>), the radius following how well the model predicts.

    Args:
        start: the first radius, in the norm.
        largest: the largest radius.
        accept: the part of the predicted fall that is asked for, between 0 and 1/4.
        most: how many radii are tried; then the step is zero.

    Source: J. Nocedal and S. Wright, Numerical Optimization (2006), algorithm 4.1 with (4.11) and (4.12).
    """
    check_numbers(start=start, largest=largest, accept=accept)
    check_count("most", most)
    if not (0 < start <= largest and 0 <= accept < 0.25 and most > 0):
        raise ArgumentError(
            "trust_region needs 0 < start <= largest, 0 <= accept < 1/4 and most > 0; found "
            f"{(start, largest, accept, most)}"
        )
    return TrustRegion(start, largest, accept, most)
