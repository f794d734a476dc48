"""minimize: drive an optimizer until the gradient is small in the norm that measures gradients.

    >>> import numpy as np
    >>> from covector.optimize import armijo, steepest_descent
    >>> result = minimize(lambda x: np.sum((x - 1.0) ** 2), np.zeros(3), steepest_descent("l2", armijo()))
    >>> result.x, result.message
    (array([1., 1., 1.]), 'the dual norm of the gradient is at most tol')
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.errors import ArgumentError
from covector.norms.layout import combined
from covector.optimize.steepest_descent import DescentState, SteepestDescent
from covector.transforms.gradient import value_and_grad
from covector.transforms.jacobian import hvp
from covector.trees import Tree, flatten, map_leaves

MESSAGES = {
    0: "the dual norm of the gradient is at most tol",
    1: "max_iterations were made",
    2: "the step rule found no step that lowers the function",
    3: "the value or the gradient is not finite",
    4: "the callback asked to stop",
}


@final
@frozen
class Record:
    """One iteration: its number, the function's value, what is to become zero, and the evaluations so far."""

    iteration: int
    value: float
    measure: float
    evaluations: int


@final
@frozen(eq=False)
class MinimizeResult:
    """Where a minimization ended, under the names that SciPy's `OptimizeResult` uses; `result["x"]` works too.

    `measure` is the dual norm of the gradient (with a radius, the duality gap), `history` has a `Record` for each
    iteration, and `state` lets `minimize` go on from here.
    """

    x: Tree
    fun: float
    jac: Tree = field(repr=False)
    measure: float
    nit: int
    nfev: int
    njev: int
    status: int
    history: tuple[Record, ...] = field(repr=False)
    state: DescentState = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether the tolerance was reached."""
        return self.status == 0

    @property
    def message(self) -> str:
        """Why it ended."""
        return MESSAGES[self.status]

    def __getitem__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(self, name):
            raise KeyError(name)
        return getattr(self, name)


@final
class _Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[[Tree], Any]) -> None:
        self.function, self.calls = function, 0

    def __call__(self, params: Tree) -> Any:
        self.calls += 1
        return self.function(params)


def minimize(
    function: Callable[[Tree], Any],
    x0: Tree,
    optimizer: SteepestDescent,
    tol: float = 1e-8,
    max_iterations: int = 1000,
    callback: Callable[[Tree, Record], Any] | None = None,
    state: DescentState | None = None,
) -> MinimizeResult:
    """Minimizes a function of an array or a tree of arrays.

    Args:
        function: returns a real number.
        x0: where to begin.
        optimizer: made by `steepest_descent` or one of the named ones in `covector.optimize`.
        tol: the dual norm of the gradient at which to stop; with a radius, the duality gap.
        max_iterations: the number of steps at which to stop.
        callback: called as callback(x, record) before each step; stops if what it returns is true.
        state: the `state` of an earlier result, to go on from its `x`.

    Raises ArgumentError for a tolerance or number of iterations that is negative.

    Example:
        >>> import numpy as np
        >>> from covector.optimize import inverse_lipschitz, steepest_descent
        >>> H = np.array([[2.0, 1.0], [1.0, 3.0]])
        >>> optimizer = steepest_descent("linf", inverse_lipschitz(np.sum(np.abs(H))))
        >>> minimize(lambda x: x @ H @ x / 2 - x[0], np.zeros(2), optimizer).x.round(6)
        array([ 0.6, -0.2])
    """
    if not tol >= 0 or max_iterations < 0:
        raise ArgumentError(f"tol and max_iterations must not be negative; found {tol!r} and {max_iterations!r}")
    counted = _Counted(function)
    derivative = value_and_grad(counted)
    params = map_leaves(_floating, x0)
    state = optimizer.init(params) if state is None else state
    history: list[Record] = []
    while True:
        value, gradient = derivative(params)
        finite = _all_finite(value, gradient)
        measure = float(optimizer.measure(gradient, params)) if finite else np.nan
        history.append(Record(len(history), float(value), measure, counted.calls))
        status = _status(history[-1], finite, tol, max_iterations, params, callback)
        if status is None:
            product = partial(_hessian_product, function, params)
            updates, state = optimizer.update(
                gradient, state, params, value=value, function=counted, product=product
            )
            moved = combined((1.0, params), (1.0, updates))
            status = 2 if _same(moved, params) else None
            params = params if status == 2 else moved
        if status is not None:
            return MinimizeResult(
                params, float(value), gradient, measure, len(history) - 1, counted.calls, len(history), status,
                tuple(history), state,
            )  # fmt: skip


def _status(
    record: Record, finite: bool, tol: float, most: int, params: Tree, callback: Callable[[Tree, Record], Any] | None
) -> int | None:
    """Why to stop here, or None."""
    if not finite:
        return 3
    if callback is not None and callback(params, record):
        return 4
    if record.measure <= tol:
        return 0
    return 1 if record.iteration >= most else None


def _hessian_product(function: Callable[[Tree], Any], params: Tree, vector: Tree) -> Tree:
    return hvp(function, (params,), (vector,))


def _floating(x: Any) -> Any:
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(float)
    return x if x.ndim else x[()]


def _all_finite(value: Any, gradient: Tree) -> bool:
    return bool(np.isfinite(value)) and all(bool(np.all(np.isfinite(x))) for x in flatten(gradient)[0])


def _same(first: Tree, second: Tree) -> bool:
    return all(bool(np.array_equal(x, y)) for x, y in zip(flatten(first)[0], flatten(second)[0], strict=True))
