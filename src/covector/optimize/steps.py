"""How far to go: step rules that need no search.

| rule | t | needs |
|---|---|---|
| `constant(t)`, `schedule(f)` | t, f(count); times dual_norm(g) in mode "dual" | |
| `inverse_lipschitz(L)` | s / (L norm(d)^2): the gradient is L-Lipschitz in the norm | L |
| `exact_quadratic()` | s / <d, H d>: exact if the function is quadratic | Hessian products |
| `polyak(f_min)` | (f(x) - f_min) / s | the minimum |
| `armijo()`, `adaptive()`, `trust_region()` | by trial: see `covector.optimize.line_search` | the function |

Here d is the direction, of norm 1 unless there is a radius, and s the slope -<g, d>. For a direction of norm 1 the
slope is the dual norm of the gradient, so that the rules are those of the Euclidean norm with norms in their places.

Source: S. Boyd and L. Vandenberghe, Convex Optimization (2004), section 9.2; B. Polyak, Introduction to Optimization
(1987), section 5.3.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.layout import ratio
from covector.optimize.arithmetic import check_number, check_positive, is_number
from covector.optimize.situation import Situation, StepRule


class Planned(StepRule):
    """A step that is known before there is a gradient: a function of the number of steps taken."""

    @abstractmethod
    def at(self, count: Array) -> Any:
        """The step after so many."""

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        return self.at(situation.count) * situation.unit, state


@final
@frozen
class Schedule(Planned):
    """Any function of the number of steps taken."""

    function: Callable[[Array], Any]

    def at(self, count: Array) -> Any:
        return self.function(count)


@final
@frozen
class Constant(Planned):
    """Always the same."""

    size: Any

    def at(self, count: Array) -> Any:
        return self.size


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
class ExactQuadratic(StepRule):
    """The minimizer along the direction of the second-order model; the longest step where curvature is not positive."""

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        slope, curvature = situation.slope, situation.curvature()
        unlimited = is_number(situation.limit, np.inf)
        if unlimited and not isinstance(curvature, Tracer) and slope > 0 and not curvature > 0:
            raise ArgumentError(
                f"exact_quadratic met a direction of curvature {float(curvature):.3g}, along which the second-order "
                "model has no minimum. Give max_step, or use armijo() or trust_region()."
            )
        bowl = curvature > 0
        step = np.where(bowl, slope / np.where(bowl, curvature, 1.0), situation.limit)
        return np.where(slope > 0, step, 0.0)[()], state


@final
@frozen
class Polyak(StepRule):
    """The step to where the linear model reaches the minimum."""

    minimum: Any

    def initial(self) -> None:
        return None

    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        return ratio(np.maximum(situation.value_here() - self.minimum, 0.0), situation.slope), state


# --- what users call ------------------------------------------------------------------------------------------


def constant(size: Any) -> Constant:
    """Steps of one size: the length of the step in mode "unit", the learning rate in mode "dual".

    Raises ArgumentError for a size that is negative, or not finite.
    """
    check_number("step", size, "a step rule, a number or a function of the step count")
    if not isinstance(size, Tracer) and not np.isfinite(size):
        raise ArgumentError(f"step must be finite; found {size!r}")
    if not isinstance(size, Tracer) and size < 0:
        raise ArgumentError(f"step must not be negative; found {size!r}. To ascend, descend on the negative function")
    return Constant(size)


def schedule(at: Callable[[Array], Any]) -> Schedule:
    """Steps of size at(count), count being the number of steps taken: `schedule(lambda k: 1 / (k + 1))`.

    Any function will do, such as one made by another library, if it takes a NumPy integer.
    """
    if not callable(at):
        raise ArgumentError(f"schedule needs a function of the number of steps taken; found {at!r}")
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

    With a radius, the step of Frank and Wolfe's method that is called short.

    Law: each step lowers f by at least dual_norm(g)**2 / (2 L).
    """
    check_positive("lipschitz", lipschitz)
    return InverseLipschitz(lipschitz)


def exact_quadratic() -> ExactQuadratic:
    """The minimizer of the second-order model along the direction, by one Hessian product."""
    return ExactQuadratic()


def polyak(minimum: Any = 0.0) -> Polyak:
    """(f(x) - minimum) / slope, for a known smallest value of f.

    Raises ArgumentError unless that is a finite number.
    """
    check_number("minimum", minimum)
    if not isinstance(minimum, Tracer) and not np.isfinite(minimum):
        raise ArgumentError(f"minimum must be finite; found {minimum!r}")
    return Polyak(minimum)


def as_rule(value: Any) -> StepRule:
    """A step rule, a number (constant) or a function of the count (schedule)."""
    if isinstance(value, StepRule):
        return value
    if str(getattr(value, "__module__", "")).startswith(__package__):
        raise ArgumentError(f"{value.__name__} makes a step rule, and is not one: write {value.__name__}()")
    if callable(value):
        return Schedule(value)
    return constant(value)
