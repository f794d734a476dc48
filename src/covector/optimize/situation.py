"""What a step rule is told, and what it answers.

A rule sees a `Situation`: where the parameters are, the direction d to move in, and the slope s = -<gradient, d> of the
function along it. It answers with a multiple t of d and keeps a state, a tree, for the next time. `covector.optimize`
has rules that need no more than that (`steps`), and rules that look for a step by trying some (`line_search`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.layout import pairing
from covector.norms.norm import Norm
from covector.optimize.arithmetic import mixture
from covector.trees import Tree


@final
@frozen(eq=False)
class Situation:
    """What a step rule may look at.

    The direction is the sum of tree / divisor over `terms`, and is made only if a rule asks for it; `norm` measures it,
    and its length is 1 unless `measured`. `unit` is the dual norm of the covector descended along in mode "dual" and 1
    otherwise, `limit` the largest step allowed. `value`, `function` and `product` (v -> H v) are None where the caller
    has not got them. `rule` is the name of the rule, for messages.
    """

    count: Array
    params: Tree
    gradient: Tree
    terms: tuple[tuple[Array, Tree], ...]
    norm: Norm
    measured: bool
    rule: str
    unit: Array
    limit: float
    value: Array | None = None
    function: Callable[[Tree], Any] | None = None
    product: Callable[[Tree], Tree] | None = None

    @property
    def direction(self) -> Tree:
        """The direction to move in."""
        return mixture(*self.along(1.0))

    def along(self, step: Array) -> tuple[tuple[Array, Tree], ...]:
        """The terms of a step along the direction."""
        return tuple((step / divisor, tree) for divisor, tree in self.terms)

    @property
    def slope(self) -> Array:
        """By how much the function falls per unit of step, to first order."""
        return sum((pairing(self.gradient, tree) / -divisor for divisor, tree in self.terms), np.float64(0.0))

    @property
    def size(self) -> Array:
        """The norm of the direction."""
        return self.norm.norm(self.direction) if self.measured else 1.0

    def moved(self, step: Array) -> Tree:
        """The parameters after a step."""
        return mixture((1.0, self.params), *self.along(step))

    def value_at(self, step: Array) -> Array:
        """The function after a step, for a rule that needs it; overflow far away is no reason to warn."""
        with np.errstate(all="ignore"):
            return self._needed(self.function, "function")(self.moved(step))

    def value_here(self) -> Array:
        """The function at the parameters."""
        return self._needed(self.function, "value or function")(self.params) if self.value is None else self.value

    def curvature(self) -> Array:
        """<d, H d>, by one Hessian product."""
        direction = self.direction
        return pairing(self._needed(self.product, "product")(direction), direction)

    def _needed(self, given: Any, name: str) -> Any:
        if given is None:
            raise ArgumentError(f"the step rule {self.rule} needs update(..., {name}=...), which minimize provides")
        return given


class StepRule(ABC):
    """How far to go along a direction."""

    @abstractmethod
    def initial(self) -> Any:
        """The state before the first step."""

    @abstractmethod
    def step(self, situation: Situation, state: Any) -> tuple[Array, Any]:
        """The multiple of the direction, and the next state."""
