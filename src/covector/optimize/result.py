"""What a minimization returns: where it ended and why, its history, its state, and pictures of them."""

from __future__ import annotations

from html import escape
from typing import Any, final

from attrs import field, frozen

from covector.norms.norm import Norm
from covector.optimize.plots import convergence_plot, path_plot
from covector.optimize.state import DescentState
from covector.trees import Tree

MESSAGES = {
    0: "the dual norm of the gradient (with a radius, the duality gap) is at most tol",
    1: "max_iterations were made",
    2: "the step rule found no step that lowers the function",
    3: "the value or the gradient is not finite",
    4: "the callback asked to stop",
    5: "interrupted; minimize(function, result.x, optimizer, state=result.state) goes on",
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
    iteration, `path` the parameters at each if `keep_path` was asked for, and `state` lets `minimize` go on from here.
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
    norm: Norm | None = field(repr=False)
    path: tuple[Tree, ...] = field(repr=False, default=())

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

    def keys(self) -> list[str]:
        """The names that `result[name]` knows, as of SciPy's results."""
        return ["x", "fun", "jac", "measure", "nit", "nfev", "njev", "status", "success", "message", "history", "state"]

    def plot_convergence(self, axes: Any = None) -> Any:
        """Draws the value, and what is to become zero, at each iteration; returns Matplotlib's axes.

        Raises ImportError if Matplotlib is not installed.
        """
        return convergence_plot(self.history, axes)

    def plot_path(self, function: Any = None, norm: Any = None, balls: int = 6, axes: Any = None) -> Any:
        """Draws the way through two parameters, with balls of the norm, each as large as the step made there.

        Args:
            function: draws its level lines.
            norm: the norm of the balls; that of the last step by default.
            balls: how many to draw.
            axes: Matplotlib's axes to draw into.

        Raises:
            ArgumentError: the path was not kept, or there are not two parameters.
            ImportError: Matplotlib is not installed.
        """
        return path_plot(self.path, function, self.norm if norm is None else norm, balls, axes)

    def _repr_html_(self) -> str:
        shown = {
            "ended": self.message, "fun": f"{self.fun:.10g}", "measure": f"{self.measure:.3g}",
            "iterations": str(self.nit), "evaluations": str(self.nfev), "x": repr(self.x),
        }  # fmt: skip
        rows = "".join(f"<tr><th>{name}</th><td><code>{escape(text)}</code></td></tr>" for name, text in shown.items())
        return f"<table>{rows}</table>"
