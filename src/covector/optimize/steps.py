"""How far to go: step rules.

A rule sees a `Situation`: where the parameters are, the direction d to move in, and the slope s = -<gradient, d> of the
function along it. It answers with a multiple t of d and keeps a state, a number or None, for the next time.

| rule | t | needs |
|---|---|---|
| `constant(t)`, `schedule(f)` | t, f(count); times dual_norm(g) in mode "dual" | |
| `inverse_lipschitz(L)` | s / (L norm(d)^2): the gradient is L-Lipschitz in the norm | L |
| `armijo()` | the first of t, t/2, t/4, ... with f(x + t d) <= f(x) - c t s | the function |
| `exact_quadratic()` | s / <d, H d>: exact if the function is quadratic | Hessian products |
| `polyak(f_min)` | (f(x) - f_min) / s | the minimum |

For a direction of unit norm the slope is the dual norm of the gradient, so that the rules are those of the Euclidean
norm with norms put in their places.

Source: S. Boyd and L. Vandenberghe, Convex Optimization (2004), section 9.2; B. Polyak, Introduction to Optimization
(1987), section 5.3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.layout import combined, pairing, ratio
from covector.trees import Tree

ROUNDING = 4 * float(np.finfo(float).eps)
"""The relative error of a function's value that a line search takes for granted."""


@final
@frozen(eq=False)
class Situation:
    """What a step rule may look at.

    `size` is the norm of the direction, `unit` the dual norm of the gradient in mode "dual" and 1 otherwise, `limit`
    the largest step allowed. `value`, `function` and `product` (v -> H v) are None where the caller has not got them.
    """

    count: Array
    params: Tree
    direction: Tree
    slope: Array
    size: Array
    unit: Array
    limit: float
    value: Array | None = None
    function: Callable[[Tree], Any] | None = None
    product: Callable[[Tree], Tree] | None = None

    def moved(self, step: Array) -> Tree:
        """The parameters after a step."""
        return combined((1.0, self.params), (step, self.direction))


class StepRule(ABC):
    """How far to go along a direction."""

    @abstractmethod
    def initial(self) -> Any:
        """The state before the first step."""

    @abstractmethod
    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        """The multiple of the direction, and the next state."""


@final
@frozen
class Schedule(StepRule):
    """A number, or a function of the number of steps taken."""

    at: Callable[[Array], Any]

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        return self.at(situation.count) * situation.unit, state


@final
@frozen
class Constant(StepRule):
    """Always the same."""

    size: Any

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        return self.size * situation.unit, state


@final
@frozen
class InverseLipschitz(StepRule):
    """The minimizer of the upper bound f - t s + L (t norm(d))^2 / 2."""

    lipschitz: Any

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        return ratio(situation.slope, self.lipschitz * situation.size**2), state


@final
@frozen
class Armijo(StepRule):
    """Backtracking until the function falls by a given part of what its slope promises."""

    start: float
    sufficient: float
    shrink: float
    grow: float
    most: int

    def initial(self) -> Array:
        return np.float64(0.0)

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        """Begins at `grow` times the last step; a step of zero if none is good enough."""
        function = _needed(situation.function, "armijo", "function")
        value = float(function(situation.params)) if situation.value is None else float(situation.value)
        slope, t = float(situation.slope), float(state) * self.grow or self.start * float(situation.unit)
        t = min(t, situation.limit)
        if not slope > 0:
            return np.float64(0.0), state
        allowed = value + ROUNDING * abs(value)
        for _ in range(self.most):
            if float(function(situation.moved(t))) <= allowed - self.sufficient * t * slope:
                return np.float64(t), np.float64(t)
            t *= self.shrink
        return np.float64(0.0), np.float64(0.0)


@final
@frozen
class ExactQuadratic(StepRule):
    """The minimizer along the direction of the second-order model; the longest step where curvature is not positive."""

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        product = _needed(situation.product, "exact_quadratic", "product")
        curvature = float(pairing(product(situation.direction), situation.direction))
        if not float(situation.slope) > 0:
            return np.float64(0.0), state
        if curvature > 0:
            return np.float64(situation.slope / curvature), state
        if np.isfinite(situation.limit):
            return np.float64(situation.limit), state
        raise ArgumentError(
            f"exact_quadratic met a direction of curvature {curvature:.3g}, along which the second-order model has no "
            "minimum. Give max_step, or use armijo()."
        )


@final
@frozen
class Polyak(StepRule):
    """The step to where the linear model reaches the minimum."""

    minimum: Any

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        value = situation.value
        if value is None:
            value = _needed(situation.function, "polyak", "value")(situation.params)
        return ratio(np.maximum(value - self.minimum, 0.0), situation.slope), state


def _needed(given: Any, rule: str, name: str) -> Any:
    if given is None:
        raise ArgumentError(f"the step rule {rule} needs update(..., {name}=...)")
    return given


# --- what users call ------------------------------------------------------------------------------------------


def constant(size: Any) -> Constant:
    """Steps of one size: the length of the step in mode "unit", the learning rate in mode "dual"."""
    return Constant(size)


def schedule(at: Callable[[Array], Any]) -> Schedule:
    """Steps of size at(count), count being the number of steps taken: `schedule(lambda k: 1 / (k + 1))`."""
    return Schedule(at)


def harmonic() -> Schedule:
    """2 / (count + 2), the classical step of Frank and Wolfe.

    Law: for a convex function with L-Lipschitz gradient on a ball of radius r, f - f_min <= 8 L r^2 / (count + 2).

    Source: M. Jaggi, Revisiting Frank-Wolfe (2013), theorem 1.
    """
    return Schedule(_harmonic)


def _harmonic(count: Array) -> Array:
    return 2.0 / (count + 2.0)


def inverse_lipschitz(lipschitz: Any) -> InverseLipschitz:
    """Steps dual_norm(g) / L, for a gradient that is L-Lipschitz: dual_norm(grad f(x) - grad f(y)) <= L norm(x - y).

    Law: each step lowers f by at least dual_norm(g)**2 / (2 L).
    """
    return InverseLipschitz(lipschitz)


def armijo(
    start: float = 1.0, sufficient: float = 0.1, shrink: float = 0.5, grow: float = 2.0, most: int = 60
) -> Armijo:
    """Backtracking: steps t with f(x + t d) <= f(x) - sufficient * t * slope, which needs no constants of f.

    A few units of rounding of f(x) are allowed, so that the last steps before the minimum are not refused.

    Args:
        start: the first step to try.
        sufficient: the part of the promised decrease that is asked for, between 0 and 1.
        shrink: by how much a step that fails is multiplied.
        grow: by how much the last step is multiplied to begin with.
        most: how many steps are tried; then the step is zero.
    """
    if not (0 < sufficient < 1 and 0 < shrink < 1 <= grow and start > 0 and most > 0):
        raise ArgumentError(
            "armijo needs 0 < sufficient < 1, 0 < shrink < 1 <= grow, start > 0 and most > 0; found "
            f"{(sufficient, shrink, grow, start, most)}"
        )
    return Armijo(start, sufficient, shrink, grow, most)


def exact_quadratic() -> ExactQuadratic:
    """The minimizer of the second-order model along the direction, by one Hessian product."""
    return ExactQuadratic()


def polyak(minimum: Any) -> Polyak:
    """(f(x) - minimum) / slope, for a known smallest value of f."""
    return Polyak(minimum)


def as_rule(value: Any) -> StepRule:
    """A step rule, a number (constant) or a function of the count (schedule)."""
    if isinstance(value, StepRule):
        return value
    if callable(value):
        return Schedule(value)
    if isinstance(value, (str, bool)) or np.ndim(value) != 0:
        raise ArgumentError(f"step must be a step rule, a number or a function of the step count; found {value!r}")
    return Constant(value)
