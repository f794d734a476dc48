"""What to do about a gradient that is not finite: raise, skip it, or report and skip it.

Where values are known it is a matter of looking at them. A gradient that is traced may be known (under `vmap` or
`grad`) or not yet (under `jit`): to skip it, zero steps are selected. To raise, the updates are multiplied by the
result of `Certified`, an operation on the flags of the leaves that is 1 or raises when it is run.

    >>> certified = Certified(("gradient",))
    >>> certified(np.array([True]))
    np.float64(1.0)
    >>> certified(np.array([False]))
    Traceback (most recent call last):
    ...
    covector.errors.ArgumentError: gradient has entries that are not finite; there is no direction of descent. ...
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType
from covector.errors import ArgumentError
from covector.norms.layout import scaled
from covector.optimize.arithmetic import all_finite, known, selected
from covector.optimize.state import DescentState, zeros_of
from covector.trees import Tree, flatten, leaf_paths

POLICIES = ("raise", "skip", "report")
"""What `update` does about a gradient with entries that are not finite."""

ADVICE = "there is no direction of descent. nonfinite='skip' passes over such gradients"

Step = tuple[Tree, DescentState]
"""What to add to the parameters, and the next state."""


@final
@frozen
class Certified(Primitive):
    """1 if all flags are set, which say whether the leaves at these paths are finite; else it raises.

    In a batch, one that is not set is enough.
    """

    paths: tuple[str, ...]

    @property
    def signature(self) -> str:
        return self.name

    def evaluate(self, *inputs: Array) -> Array:
        (flags,) = inputs
        bad = [path for path, flag in zip(self.paths, np.moveaxis(flags, -1, 0), strict=True) if not np.all(flag)]
        if bad:
            raise ArgumentError(f"{bad[0]} has entries that are not finite; {ADVICE}")
        return np.float64(1.0)

    def output_type(self, *inputs: ArrayType) -> ArrayType:
        return ArrayType((), np.dtype(float))

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return self(*primals), None

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Array:
        return np.broadcast_to(self(*inputs), (size,))


def finite_step(policy: str, step: Callable[[Tree, bool], Step], gradient: Tree, state: DescentState) -> Step:
    """The step for a gradient of `params`, by the policy if the gradient is not finite.

    `step` takes a gradient in, and whether only the step will look at it.
    """
    if known(gradient):
        problem = not_finite(gradient, "gradient")
        return step(gradient, True) if problem is None else _skipped(policy, problem, gradient, state)
    if policy == "raise":
        one = Certified(tuple(leaf_paths(gradient, "gradient")))(_flags(gradient))
        updates, after = step(gradient, True)
        return scaled(one, updates), after
    good, rest = np.all(_flags(gradient)), zeros_of(gradient)
    found = step(selected(good, gradient, rest), False)
    taken: Step = selected(good, found, (rest, _passed_over(state)))
    return taken


def not_finite(tree: Tree, name: str) -> str | None:
    """None if all entries are finite; else which leaf has how many that are not."""
    if all_finite(tree):
        return None
    for path, leaf in zip(leaf_paths(tree, name), flatten(tree)[0], strict=True):
        count = int(np.sum(~np.isfinite(leaf)))
        if count:
            return f"{path} has {count} entries that are not finite"
    return None


def _flags(tree: Tree) -> Array:
    """For each leaf whether all its entries are finite."""
    return np.stack([np.all(np.isfinite(leaf)) for leaf in flatten(tree)[0]])


def _skipped(policy: str, problem: str, gradient: Tree, state: DescentState) -> Step:
    if policy == "raise":
        raise ArgumentError(f"{problem}; {ADVICE}")
    if policy == "report":
        warnings.warn(f"{problem}; the step is skipped", RuntimeWarning, stacklevel=4)
    return zeros_of(gradient), _passed_over(state)


def _passed_over(state: DescentState) -> DescentState:
    return state._replace(skipped=state.skipped + 1)
