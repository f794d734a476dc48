"""steepest_descent: one optimizer, any norm.

    >>> import numpy as np
    >>> optimizer = steepest_descent("linf", step=0.5)
    >>> x = np.array([3.0, -1.0])
    >>> state = optimizer.init(x)
    >>> updates, state = optimizer.update(np.array([0.2, -7.0]), state, x)
    >>> x + updates
    array([ 2.5, -0.5])

Two pure functions, `init(params) -> state` and `update(gradient, state, params) -> (updates, state)`; the state is a
plain tree. Gradients may come from anywhere. Without momentum, with g the gradient and v = maximizer(g),

    mode "unit":  x next = x - t v                      (a step of length t in the norm)
    mode "dual":  x next = x - t dual_norm(g) v         (t = 1/L minimizes <g, d> + L norm(d)^2 / 2)
    radius r:     x next = (1 - t) x - t r v            (Frank-Wolfe: stays in the ball norm(x) <= r)

Source: S. Boyd and L. Vandenberghe, Convex Optimization (2004), section 9.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.errors import ArgumentError
from covector.norms.define import Defined, as_norm, check_norm
from covector.norms.layout import combined, pairing, ratio, scaled
from covector.norms.norm import Norm
from covector.optimize.momentum import Momentum
from covector.optimize.steps import Constant, Schedule, Situation, StepRule, as_rule
from covector.trees import Tree, flatten, leaf_paths, map_leaves


class DescentState(NamedTuple):
    """What descent remembers: steps taken, the memory of momentum, the state of the step rule."""

    count: Array
    memory: Tree
    rule: Any


@final
@frozen
class Varying:
    """A norm that depends on the parameters; made by `varying`."""

    at: Callable[[Tree], Any]


def varying(norm_at: Callable[[Tree], Any]) -> Varying:
    """A norm that changes with the parameters: a function params -> what `as_norm` takes.

    Example:
        >>> import numpy as np
        >>> from covector.norms import quadratic
        >>> relative = varying(lambda x: quadratic(diagonal=1 / x**2))       # lengths relative to the parameters
        >>> optimizer = steepest_descent(relative, step=0.1)
        >>> x = np.array([100.0, 1.0])
        >>> optimizer.update(np.array([0.01, 1.0]), optimizer.init(x), x)[0].round(3)
        array([-7.071, -0.071])
    """
    return Varying(norm_at)


@final
@frozen(eq=False)
class SteepestDescent:
    """An optimizer: two pure functions over trees. Made by `steepest_descent`."""

    norm: Norm | Varying
    step: StepRule
    mode: str
    momentum: Momentum | None
    weight_decay: float
    radius: float | None
    max_step: float | None

    def init(self, params: Tree) -> DescentState:
        """The state before the first step. Raises ArgumentError if the norm is a function that is not a norm."""
        norm = self.norm_at(params)
        if isinstance(norm, Defined) and norm.given_norm is not None:
            check_norm(norm.given_norm, params)
        memory = None if self.momentum is None else map_leaves(lambda x: np.zeros_like(x, dtype=_real(x)), params)
        return DescentState(np.int64(0), memory, self.step.initial())

    def update(
        self,
        gradient: Tree,
        state: DescentState,
        params: Tree,
        *,
        value: Array | None = None,
        function: Callable[[Tree], Any] | None = None,
        product: Callable[[Tree], Tree] | None = None,
    ) -> tuple[Tree, DescentState]:
        """What to add to the parameters, and the next state.

        Args:
            gradient: a tree of the structure and shapes of the parameters.
            state: from `init` or the last update.
            params: the parameters.
            value: the function's value there, for step rules that need it.
            function: the function, for step rules that search.
            product: the function v -> H v with the Hessian there, for `exact_quadratic`.

        Raises:
            ArgumentError: an entry of the gradient is not finite (the message names the leaf), or the step rule needs
                something that is not given.
        """
        check_finite(gradient)
        used, memory = (gradient, None) if self.momentum is None else self.momentum.apply(gradient, state.memory)
        norm = self.norm_at(params)
        vector = norm.maximizer(used)
        direction, size = self._direction(norm, vector, params)
        situation = Situation(
            count=state.count, params=params, direction=direction, slope=-pairing(gradient, direction), size=size,
            unit=pairing(used, vector) if self.mode == "dual" else 1.0, limit=self._limit(),
            value=value, function=function, product=product,
        )  # fmt: skip
        step, rule = self.step.step(situation, state.rule)
        updates = self._updates(np.minimum(step, situation.limit), situation)
        return updates, DescentState(state.count + 1, memory, rule)

    def norm_at(self, params: Tree) -> Norm:
        """The norm at these parameters."""
        return as_norm(self.norm.at(params)) if isinstance(self.norm, Varying) else self.norm

    def measure(self, gradient: Tree, params: Tree) -> Array:
        """What is zero at a minimum: the dual norm of the gradient, or with a radius the duality gap.

        Law: with a radius, a convex f is at most the gap <g, x> + radius * dual_norm(g) above its minimum in the ball.
        """
        steepness = self.norm_at(params).dual_norm(gradient)
        return steepness if self.radius is None else pairing(gradient, params) + self.radius * steepness

    def _direction(self, norm: Norm, vector: Tree, params: Tree) -> tuple[Tree, Array]:
        if self.radius is None:
            return scaled(-1.0, vector), 1.0
        direction = combined((-self.radius, vector), (-1.0, params))
        return direction, norm.norm(direction) if not isinstance(self.step, (Constant, Schedule)) else 1.0

    def _limit(self) -> float:
        if self.radius is not None:
            return 1.0
        return np.inf if self.max_step is None else self.max_step

    def _updates(self, step: Array, situation: Situation) -> Tree:
        if not self.weight_decay:
            return scaled(step, situation.direction)
        decay = ratio(np.asarray(step), np.asarray(situation.unit)) * self.weight_decay
        return combined((step, situation.direction), (-decay, situation.params))


def _real(x: Any) -> Any:
    dtype = typeof(x).dtype
    return dtype if dtype.kind == "f" else np.dtype(float)


def check_finite(gradient: Tree) -> None:
    """Raises ArgumentError, with the path of the leaf, if an entry of a gradient is not finite; traced ones pass."""
    leaves, _ = flatten(gradient)
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, Tracer) and not np.all(np.isfinite(leaf)):
            count = int(np.sum(~np.isfinite(leaf)))
            path = leaf_paths(gradient, "gradient")[i]
            raise ArgumentError(f"{path} has {count} entries that are not finite; there is no direction of descent")


def steepest_descent(
    norm: Any,
    step: Any,
    mode: str = "unit",
    momentum: Momentum | None = None,
    weight_decay: float = 0.0,
    radius: float | None = None,
    max_step: float | None = None,
) -> SteepestDescent:
    """Descent in the direction that is steepest when steps are measured by a norm.

    Args:
        norm: a Norm, a name ("l1", "l2", "linf", "spectral", ...), a NumPy function that is a norm, a tree of those for
            a tree of parameters, or `varying(...)` for a norm that depends on the parameters.
        step: a number, a function of the number of steps taken, or a rule of `covector.optimize`: `armijo()`,
            `inverse_lipschitz(L)`, `exact_quadratic()`, `polyak(f_min)`.
        mode: "unit": a step of t has length t; "dual": it has length t * dual_norm(gradient).
        momentum: `ema(b)`, `heavy_ball(b)`, `nesterov(b)`, `lion(b1, b2)`; None for the gradient itself.
        weight_decay: decoupled: each step also subtracts step * weight_decay * params.
        radius: stay in the ball norm(params) <= radius, by the method of Frank and Wolfe; begin inside it.
        max_step: the length in the norm that no step exceeds (gradient clipping, in mode "dual").

    Raises:
        ArgumentError: an option is out of its range, or two do not go together.

    Law: without momentum, `norm(updates)` is the length of the step, and `<gradient, updates>` is minus that length
    times `dual_norm(gradient)`, the least that any update of that length can have.

    Example:
        >>> import numpy as np
        >>> optimizer = steepest_descent(lambda v: np.max(np.abs(v) * np.array([1.0, 10.0])), step=1.0)
        >>> x = np.zeros(2)
        >>> optimizer.update(np.array([1.0, 1.0]), optimizer.init(x), x)[0]
        array([-1. , -0.1])
    """
    if mode not in ("unit", "dual"):
        raise ArgumentError(f"mode must be 'unit' or 'dual'; found {mode!r}")
    if radius is not None and (mode == "dual" or weight_decay or max_step is not None):
        raise ArgumentError("radius fixes the form of the step: mode='unit', no weight_decay, no max_step")
    for name, number in (("radius", radius), ("max_step", max_step)):
        if number is not None and not number > 0:
            raise ArgumentError(f"{name} must be positive; found {number!r}")
    if not weight_decay >= 0:
        raise ArgumentError(f"weight_decay must not be negative; found {weight_decay!r}")
    chosen = norm if isinstance(norm, Varying) else as_norm(norm)
    return SteepestDescent(chosen, as_rule(step), mode, momentum, weight_decay, radius, max_step)
