"""Mirror descent in a norm: gradients are subtracted in the dual space, and the two duality maps lead there and back.

With J the gradient of norm(x)^2 / 2 and J* that of dual_norm(y)^2 / 2, which is its inverse if the norm is smooth and
strictly convex,

    y next = y - t g,    x next = J*(y next),    from y = J(x).

Steepest descent takes the least step around x; mirror descent measures by the fixed map J. They agree for quadratic
norms only.

Source: A. Nemirovsky and D. Yudin, Problem complexity and method efficiency in optimization (1983); C. Gentile, The
robustness of the p-norm algorithms (2003).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.define import as_norm
from covector.norms.norm import Norm
from covector.optimize.arithmetic import as_arrays, floating, mixture, same
from covector.optimize.state import DescentState
from covector.optimize.steepest_descent import Aim, Optimizer
from covector.optimize.steps import Planned, Schedule, as_rule
from covector.trees import Tree


@final
@frozen(eq=False)
class MirrorDescent(Optimizer):
    """An optimizer whose memory is the dual point y. Made by `mirror_descent`."""

    norm: Norm
    step: Planned

    def init(self, params: Tree) -> DescentState:
        dual_point = self.norm.dual.duality_map(floating(as_arrays(params, "params"), "params"))
        return DescentState(np.int64(0), dual_point, None, None, None, np.int64(0))

    def policy(self) -> str:
        return "raise"

    def stuck(self, before: DescentState, after: DescentState) -> bool:
        return same(before.memory, after.memory) and not isinstance(self.step, Schedule)

    def aim(
        self,
        gradient: Tree,
        state: DescentState,
        params: Tree,
        product: Callable[[Tree], Tree] | None = None,
        spent: bool = False,
    ) -> Aim:
        after = state._replace(count=state.count + 1)
        return Aim(params, gradient, self.norm, 1.0, gradient, None, None, after)

    def measure(self, aim: Aim) -> Array:
        return self.norm.dual_norm(aim.gradient)

    def move(
        self,
        aim: Aim,
        value: Array | None = None,
        function: Callable[[Tree], Any] | None = None,
        product: Callable[[Tree], Tree] | None = None,
    ) -> tuple[Tree, DescentState]:
        step = self.step.at(aim.state.count - 1)
        dual_point = mixture((1.0, aim.state.memory), (-step, aim.gradient))
        updates = mixture((1.0, self.norm.duality_map(dual_point)), (-1.0, aim.params))
        return updates, aim.state._replace(memory=dual_point)


def mirror_descent(norm: Any, step: Any) -> MirrorDescent:
    """x next = J*(J(x) - step * g), with the duality maps of a norm: for lp, p-norm mirror descent.

    Args:
        norm: smooth and strictly convex, such as `lp(p)` for 1 < p < infinity, or a quadratic norm.
        step: a number, or a function of the number of steps taken.

    Raises:
        ArgumentError: the step is a rule that needs a direction, or the ball of the norm has corners.

    Example:
        >>> from covector.norms import lp
        >>> optimizer = mirror_descent(lp(1.5), step=0.5)
        >>> x = np.array([1.0, 0.0])
        >>> optimizer.update(np.array([0.0, -1.0]), optimizer.init(x), x)[0].round(4)
        array([-0.0385,  0.2404])

    Source: A. Beck and M. Teboulle, Mirror descent and nonlinear projected subgradient methods (2003).
    """
    rule = as_rule(step)
    if not isinstance(rule, Planned):
        raise ArgumentError(f"mirror_descent takes a number or a function of the step count as step; found {step!r}")
    chosen = as_norm(norm)
    if chosen.traits.polyhedral:
        raise ArgumentError(f"mirror_descent needs a smooth and strictly convex norm, as lp(1.5) is; found {norm!r}")
    return MirrorDescent(chosen, rule)
