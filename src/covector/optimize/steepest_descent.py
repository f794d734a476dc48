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

An update has two parts. `aim` takes the gradient in and finds the norm and the direction; `move` finds the step.

Source: S. Boyd and L. Vandenberghe, Convex Optimization (2004), section 9.4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.checks import check_norm
from covector.norms.define import Defined
from covector.norms.layout import pairing, ratio
from covector.norms.norm import Norm, tie_policy
from covector.optimize.arithmetic import (
    alike,
    as_arrays,
    check_fits,
    check_measures,
    check_not_negative,
    check_positive,
    floating,
    is_number,
    known,
    mixture,
    same,
)
from covector.optimize.directions import Directions, exactness
from covector.optimize.momentum import Momentum
from covector.optimize.nonfinite import POLICIES, finite_step
from covector.optimize.norm_rules import NormRule, as_norm_rule
from covector.optimize.situation import Situation, StepRule
from covector.optimize.state import DescentState, zeros_of
from covector.optimize.steps import Planned, Schedule, as_rule
from covector.trees import Tree, flatten


@final
@frozen(eq=False)
class Aim:
    """A gradient taken in: the norm, the direction vector / multiple of norm 1 along which the function rises most.

    `steepness` is <u, direction> for the covector u descended along, None unless the mode is "dual"; `upper` a bound of
    the dual norm of the gradient, None if that is <gradient, direction>. The state has the gradient taken in. `fresh`
    and `spent` together tell that the arrays of the vector may be written into: nobody else has them, nor looks again.
    """

    params: Tree
    gradient: Tree
    norm: Norm
    multiple: Array
    vector: Tree
    steepness: Array | None
    upper: Array | None
    state: DescentState
    fresh: bool = False
    spent: bool = False


class Optimizer(ABC):
    """Two pure functions, and the two parts of the second."""

    @abstractmethod
    def init(self, params: Tree) -> DescentState:
        """The state before the first step."""

    @abstractmethod
    def aim(
        self,
        gradient: Tree,
        state: DescentState,
        params: Tree,
        product: Callable[[Tree], Tree] | None = None,
        spent: bool = False,
    ) -> Aim:
        """Takes in a finite gradient: the first part of `update`. If it is `spent`, only `move` will look at it."""

    @abstractmethod
    def measure(self, aim: Aim) -> Array:
        """What is zero at a minimum."""

    @abstractmethod
    def move(
        self,
        aim: Aim,
        value: Array | None = None,
        function: Callable[[Tree], Any] | None = None,
        product: Callable[[Tree], Tree] | None = None,
    ) -> tuple[Tree, DescentState]:
        """What to add to the parameters, and the next state: the second part of `update`."""

    @abstractmethod
    def stuck(self, before: DescentState, after: DescentState) -> bool:
        """Whether a step of zero, between these states, will be followed by steps of zero only."""

    @abstractmethod
    def policy(self) -> str:
        """What to do about a gradient that is not finite, one of `POLICIES`."""

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
            gradient: a tree of the structure and shapes of the parameters; arrays of NumPy, JAX, PyTorch. Its dtypes
                become those of the parameters.
            state: from `init` or the last update.
            params: the parameters.
            value: the function's value there, for step rules that need it.
            function: the function, for step rules that search.
            product: the function v -> H v with the Hessian there, for `exact_quadratic` and `best_of`.

        Raises:
            ArgumentError: an entry of the gradient is not finite (the message names the leaf; see `nonfinite`), or the
                step rule needs something that is not given.
            TreeMismatchError, ShapeMismatchError: the gradient, or the state, does not fit the parameters.
            NotDifferentiableError: the parameters, or the gradient, are not real numbers, or the parameters integers.
        """
        params = floating(as_arrays(params, "params"), "params")
        gradient = alike(as_arrays(gradient, "gradient"), params)
        if not isinstance(state, DescentState):
            raise ArgumentError(f"state must be what init(params), or the last update, returned; found {state!r}")

        def step(gradient: Tree, spent: bool) -> tuple[Tree, DescentState]:
            return self.move(self.aim(gradient, state, params, product, spent), value, function, product)

        return finite_step(self.policy(), step, gradient, state)


@final
@frozen(eq=False)
class SteepestDescent(Optimizer):
    """An optimizer: two pure functions over trees. Made by `steepest_descent`."""

    norm: NormRule
    step: StepRule
    mode: str
    momentum: Momentum | None
    weight_decay: Any
    radius: Any
    max_step: Any
    directions: Directions
    nonfinite: str

    def init(self, params: Tree) -> DescentState:
        """The state before the first step.

        Raises:
            ArgumentError: the norm is a function that is not a norm, or there is a radius and `params` are outside.
            NotDifferentiableError: the parameters are integers, or no real numbers.
            TreeMismatchError: the norm is a tree that does not fit the parameters.
        """
        params = floating(as_arrays(params, "params"), "params")
        state = DescentState(
            count=np.int64(0), memory=None if self.momentum is None else zeros_of(params), rule=self.step.initial(),
            statistics=self.norm.statistics().initial(params), search=None, skipped=np.int64(0),
        )  # fmt: skip
        norm = self.norm.known()
        if norm is None:
            return state
        if known(params):
            self._check(norm, params)
        return state._replace(search=self.directions.initial(norm, params))

    def policy(self) -> str:
        return self.nonfinite

    def stuck(self, before: DescentState, after: DescentState) -> bool:
        """Momentum may turn the direction; the norm may change with statistics, and a schedule with the count."""
        same_again = same((before.memory, before.statistics), (after.memory, after.statistics))
        return same_again and not isinstance(self.step, Schedule)

    def _check(self, norm: Norm, params: Tree) -> None:
        check_measures(norm, params)
        # What refers to traced values, such as weights that are learned, cannot be checked.
        if isinstance(norm, Defined) and norm.given_norm is not None and known(norm.given_norm(params)):
            check_norm(norm.given_norm, params)
        length = 0.0 if self.radius is None or not known(self.radius) else float(norm.norm(params))
        if length and not length <= self.radius * (1 + 1e-6):
            raise ArgumentError(
                f"with radius={self.radius:g} descent begins inside the ball; the parameters have norm {length:.6g}. "
                "Begin with params * radius / norm(params), or zeros"
            )

    def aim(
        self,
        gradient: Tree,
        state: DescentState,
        params: Tree,
        product: Callable[[Tree], Tree] | None = None,
        spent: bool = False,
    ) -> Aim:
        """Takes in a finite gradient: the first part of `update`."""
        gathered = self.norm.statistics()
        check_fits("state.statistics", state.statistics, "init(params).statistics", gathered.shaped(params))
        used, statistics = gradient, gathered.after(gradient, state.statistics)
        seen = state._replace(count=state.count + 1, statistics=statistics)
        if self.momentum is not None:
            if state.memory is None and flatten(params)[0]:
                raise ArgumentError("the state has no memory for momentum; begin with init(params) of this optimizer")
            check_fits("state.memory", state.memory, "params", params)
            used, memory = self.momentum.apply(gradient, seen, params)
            seen = seen._replace(memory=memory)
        norm = self.norm.choose(gradient, params, seen, product)
        wanted = -self._planned(state.count) if spent else 1.0
        found = self.directions.find(norm, used, state.search, wanted)
        steepness = pairing(used, found.vector) / found.multiple if self.mode == "dual" else None
        after = seen._replace(search=found.search)
        return Aim(
            params, gradient, norm, found.multiple, found.vector, steepness, found.upper, after, found.fresh, spent
        )  # fmt: skip

    def move(
        self,
        aim: Aim,
        value: Array | None = None,
        function: Callable[[Tree], Any] | None = None,
        product: Callable[[Tree], Tree] | None = None,
    ) -> tuple[Tree, DescentState]:
        """What to add to the parameters, and the next state: the second part of `update`."""
        terms: tuple[tuple[Array, Tree], ...] = ((-aim.multiple, aim.vector),)
        if self.radius is not None:
            terms = ((-aim.multiple / self.radius, aim.vector), (-1.0, aim.params))
        situation = Situation(
            count=aim.state.count - 1, params=aim.params, gradient=aim.gradient, terms=terms, norm=aim.norm,
            measured=self.radius is not None, rule=type(self.step).__name__, limit=self._limit(),
            unit=1.0 if aim.steepness is None else aim.steepness, value=value, function=function, product=product,
        )  # fmt: skip
        step, rule = self.step.step(situation, aim.state.rule)
        if not is_number(situation.limit, np.inf):
            step = np.minimum(step, situation.limit)
        return self._updates(step, situation, aim.fresh and aim.spent), aim.state._replace(rule=rule)

    def measure(self, aim: Aim) -> Array:
        """What is zero at a minimum: the dual norm of the gradient, or with a radius the duality gap.

        Law: with a radius, a convex f is at most the gap <g, x> + radius * dual_norm(g) above its minimum in the ball.
        """
        multiple, vector, upper = aim.multiple, aim.vector, aim.upper
        if self.momentum is not None:  # the direction is that of another covector
            found = self.directions.find(aim.norm, aim.gradient, aim.state.search)
            multiple, vector, upper = found.multiple, found.vector, found.upper
        steepness = pairing(aim.gradient, vector) / multiple if upper is None else upper
        return steepness if self.radius is None else pairing(aim.gradient, aim.params) + self.radius * steepness

    def _planned(self, count: Array) -> float:
        """The length of the next step if it is known before the direction, else 1."""
        size = self.step.at(count) if self.mode == "unit" and isinstance(self.step, Planned) else 1.0
        return float(size) if known(size) and 0 < size < np.inf else 1.0

    def _limit(self) -> float:
        if self.radius is not None:
            return 1.0
        return np.inf if self.max_step is None else self.max_step

    def _updates(self, step: Array, situation: Situation, reuse: bool) -> Tree:
        if is_number(self.weight_decay, 0.0):
            return mixture(*situation.along(step), reuse=reuse)
        # A step that is planned is one of the decay too, however small or clipped the step of the gradient.
        rule = self.step
        size = rule.at(situation.count) if isinstance(rule, Planned) else ratio(step, situation.unit)
        return mixture(*situation.along(step), (-self.weight_decay * size, situation.params), reuse=reuse)


def steepest_descent(
    norm: Any,
    step: Any,
    mode: str = "unit",
    momentum: Momentum | None = None,
    weight_decay: float = 0.0,
    radius: float | None = None,
    max_step: float | None = None,
    lmo_gap: float = 0.0,
    ties: str | None = None,
    nonfinite: str = "raise",
) -> SteepestDescent:
    """Descent in the direction that is steepest when steps are measured by a norm.

    Args:
        norm: a Norm, a name ("l1", "l2", "linf", "spectral", ...), a NumPy function that is a norm, a tree of those for
            a tree of parameters, a function (params, state) -> norm for one that changes (see `varying`), or `best_of`.
        step: a number, a function of the number of steps taken, or a rule of `covector.optimize`: `armijo()`,
            `adaptive()`, `trust_region()`, `inverse_lipschitz(L)`, `exact_quadratic()`, `polyak(f_min)`.
        mode: "unit": a step of t has length t; "dual": it has length t * dual_norm(gradient).
        momentum: `ema(b)`, `heavy_ball(b)`, `nesterov(b)`, `lion(b1, b2)`; None for the gradient itself.
        weight_decay: decoupled: each step also subtracts step * weight_decay * params. A number or function as step
            counts as it is, even where the gradient is zero or `max_step` clips; of a rule, what it found counts.
        radius: stay in the ball norm(params) <= radius, by the method of Frank and Wolfe; begin inside it.
        max_step: the length in the norm that no step exceeds (gradient clipping, in mode "dual").
        lmo_gap: for a norm, or parts of a tree of norms, whose directions are searched for, the part of the dual norm
            that they may miss: 0.1 takes a few evaluations of the norm a step, 0 finds the best it can, and so does a
            norm that changes, whatever the gap.
        ties: the direction where several are steepest, for all parts of the norm: "min_norm", "vertex", ...; None to
            leave the norm as it is.
        nonfinite: what to do about a gradient that is not finite: "raise" an ArgumentError, "skip" it (a step of zero,
            counted in `state.skipped`), or "report" it, which is to skip it with a RuntimeWarning. Under `jit` and
            `vmap` "raise" raises when the step is taken, if one run of a batch is not finite; "report" skips.

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
    for name, found, known_values in (("mode", mode, ("unit", "dual")), ("nonfinite", nonfinite, POLICIES)):
        if found not in known_values:
            raise ArgumentError(f"{name} must be one of {', '.join(map(repr, known_values))}; found {found!r}")
    if radius is not None and (mode == "dual" or not is_number(weight_decay, 0.0) or max_step is not None):
        raise ArgumentError("radius fixes the form of the step: mode='unit', no weight_decay, no max_step")
    check_positive("radius", radius)
    check_positive("max_step", max_step)
    check_not_negative("weight_decay", weight_decay)
    if not (momentum is None or isinstance(momentum, Momentum)):
        raise ArgumentError(f"momentum must be a rule such as ema(0.9) or heavy_ball(0.9); found {momentum!r}")
    rule = as_norm_rule(norm) if ties is None else as_norm_rule(norm).with_ties(tie_policy(ties))
    return SteepestDescent(
        rule, as_rule(step), mode, momentum, weight_decay, radius, max_step, exactness(lmo_gap), nonfinite
    )  # fmt: skip
