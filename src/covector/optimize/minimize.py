"""minimize: drive an optimizer until the gradient is small in the norm that measures gradients.

    >>> import numpy as np
    >>> from covector.optimize import armijo, steepest_descent
    >>> result = minimize(lambda x: np.sum((x - 1.0) ** 2), np.zeros(3), steepest_descent("l2", armijo()))
    >>> result.x, result.message
    (array([1., 1., 1.]), 'the dual norm of the gradient (with a radius, the duality gap) is at most tol')
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, final

import numpy as np
from attrs import define, field, frozen

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.optimize.arithmetic import all_finite, as_arrays, check_count, check_not_negative, mixture, same
from covector.optimize.progress import progress_bar
from covector.optimize.result import MinimizeResult, Record
from covector.optimize.state import DescentState
from covector.optimize.steepest_descent import Aim, Optimizer
from covector.transforms.gradient import value_and_grad
from covector.transforms.jacobian import hvp
from covector.trees import Tree, map_leaves


@final
class _Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[[Tree], Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, params: Tree) -> Any:
        self.calls += 1
        return self.function(params)


@final
@frozen(eq=False)
class _Point:
    """One iteration: its parameters, the state before its step, and all that was computed there."""

    params: Tree
    state: DescentState
    value: Array
    gradient: Tree
    record: Record
    aim: Aim | None
    """None if the value or the gradient is not finite."""


@final
@define(eq=False)
class _Run:
    """A minimization under way.

    An interrupt may come anywhere. `point` is set last, when all of an iteration is known, and counts.
    """

    function: _Counted
    optimizer: Optimizer
    keep_path: bool
    point: _Point | None = None
    history: list[Record] = field(factory=list)
    path: list[Tree] = field(factory=list)

    def evaluate(self, params: Tree, state: DescentState) -> _Point:
        """The function and the aim at these parameters, which become the current point."""
        value, gradient = value_and_grad(self.function)(params)
        aim, measure = None, np.nan
        if np.isfinite(value) and all_finite(gradient):
            aim = self.optimizer.aim(gradient, state, params, self.product(params))
            measure = float(self.optimizer.measure(aim))
        record = Record(len(self.history), float(value), measure, self.function.calls)
        self.history.append(record)
        if self.keep_path:
            self.path.append(params)
        self.point = _Point(params, state, value, gradient, record, aim)
        return self.point

    def product(self, params: Tree) -> Callable[[Tree], Tree]:
        """Hessian products at the parameters."""
        return partial(_hessian_product, self.function.function, params)

    def advance(self, point: _Point) -> _Point | None:
        """The point that a step from this one leads to; None if it leads nowhere."""
        assert point.aim is not None
        updates, state = self.optimizer.move(
            point.aim, value=point.value, function=self.function, product=self.product(point.params)
        )
        moved = mixture((1.0, point.params), (1.0, updates))
        stuck = same(moved, point.params) and self.optimizer.stuck(point.state, state)
        return None if stuck else self.evaluate(moved, state)

    def result(self, status: int) -> MinimizeResult:
        """What is known at the current point."""
        assert self.point is not None
        point, count = self.point, self.point.record.iteration + 1
        return MinimizeResult(
            x=point.params, fun=point.record.value, jac=point.gradient, measure=point.record.measure, nit=count - 1,
            nfev=self.function.calls, njev=count, status=status, history=tuple(self.history[:count]), state=point.state,
            norm=None if point.aim is None else point.aim.norm, path=tuple(self.path[:count]),
        )  # fmt: skip


def minimize(
    function: Callable[[Tree], Any],
    x0: Tree,
    optimizer: Optimizer,
    tol: float = 1e-8,
    max_iterations: int = 1000,
    callback: Callable[[Tree, Record], Any] | None = None,
    progress: bool = True,
    state: DescentState | None = None,
    keep_path: bool = False,
) -> MinimizeResult:
    """Minimizes a function of an array or a tree of arrays.

    Args:
        function: returns a real number.
        x0: where to begin.
        optimizer: made by `steepest_descent` or one of the named ones in `covector.optimize`.
        tol: the dual norm of the gradient at which to stop; with a radius, the duality gap.
        max_iterations: the number of steps at which to stop.
        callback: called as callback(x, record) before each step; stops if what it returns is true.
        progress: show a progress bar on a terminal or in a notebook, if tqdm or rich is installed.
        state: the `state` of an earlier result, to go on from its `x`: the iterates are those of one long run.
        keep_path: keep the parameters of each iteration in `result.path`, to be drawn by `result.plot_path()`.

    A KeyboardInterrupt (Ctrl-C) ends it with the result so far, from which it can go on in the same way.

    Raises ArgumentError for a tolerance or number of iterations that is negative, and for one that is not whole.

    Example:
        >>> import numpy as np
        >>> from covector.optimize import inverse_lipschitz, steepest_descent
        >>> H = np.array([[2.0, 1.0], [1.0, 3.0]])
        >>> optimizer = steepest_descent("linf", inverse_lipschitz(np.sum(np.abs(H))))
        >>> minimize(lambda x: x @ H @ x / 2 - x[0], np.zeros(2), optimizer).x.round(6)
        array([ 0.6, -0.2])
    """
    check_not_negative("tol", tol)
    check_count("max_iterations", max_iterations)
    if not (callback is None or callable(callback)):
        raise ArgumentError(f"callback must be a function of (x, record); found {callback!r}")
    if not (state is None or isinstance(state, DescentState)):
        raise ArgumentError(f"state must be the state of an earlier result, or None; found {state!r}")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"minimize needs an optimizer, such as steepest_descent('l2', 0.1); found {optimizer!r}")
    run = _Run(_Counted(function), optimizer, keep_path)
    params = map_leaves(_floating, as_arrays(x0, "x0"))
    try:
        with progress_bar(progress, max_iterations) as show:
            point = run.evaluate(params, optimizer.init(params) if state is None else state)
            while (status := _status(point, tol, max_iterations, callback)) is None:
                show(point.record.iteration, point.record.value, point.record.measure)
                following = run.advance(point)
                if following is None:
                    return run.result(2)
                point = following
    except KeyboardInterrupt:
        if run.point is None:
            raise
        status = 5
    return run.result(status)


def _status(
    point: _Point, tol: float, most: int, callback: Callable[[Tree, Record], Any] | None
) -> int | None:
    """Why to stop here, or None."""
    if point.aim is None:
        return 3
    if callback is not None and callback(point.params, point.record):
        return 4
    if point.record.measure <= tol:
        return 0
    return 1 if point.record.iteration >= most else None


def _hessian_product(function: Callable[[Tree], Any], params: Tree, vector: Tree) -> Tree:
    return hvp(function, (params,), (vector,))


def _floating(x: Any) -> Any:
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(float)
    return x if x.ndim else x[()]
