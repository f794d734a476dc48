"""Which norm suits a function: what each promises for the next step, by one Hessian product each.

Along the steepest direction v of a norm the second-order model f - t s + t^2 c / 2, with s = dual_norm(g) and
c = <v, H v>, falls by s^2 / (2 c) at t = s / c. That does not depend on how the norm is scaled, so that norms can be
compared by it. `norm_report` prints the comparison; `best_of` makes it at each step.

    >>> import numpy as np
    >>> scales = np.array([1.0, 1.0, 1.0, 100.0])
    >>> print(norm_report(lambda x: np.sum(scales * x**2), np.ones(4), ["l1", "l2", "linf"]))
    norm  dual norm  curvature  decrease  step
    l1        200.0      200.0     100.0   1.0
    l2        200.0      199.9     100.1   1.0
    linf      206.0      206.0     103.0   1.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.errors import ArgumentError
from covector.norms.define import as_norm
from covector.norms.layout import pairing
from covector.norms.norm import Norm
from covector.optimize.norm_rules import DescentState, NormRule, Nothing, Statistics
from covector.transforms.gradient import grad
from covector.transforms.jacobian import hvp
from covector.trees import Tree

FLOOR = 1e-3
"""The curvature, relative to the largest of all candidates' directions, that less is counted as."""


@final
@frozen
class Candidate:
    """What one norm promises: a fall of the second-order model by `decrease`, after a step of length `step`.

    `curvature` is <v, H v>, which is at most the Lipschitz constant of the gradient in the norm; `counted` is the same,
    but at least a small part of the largest among the candidates.
    """

    name: str
    norm: Norm
    dual_norm: float
    curvature: float
    counted: float

    @property
    def step(self) -> float:
        """The length of the step to the minimum of the model."""
        return self.dual_norm / self.counted if self.counted > 0 else np.inf

    @property
    def decrease(self) -> float:
        """By how much the model falls there."""
        return 0.5 * self.dual_norm * self.step if self.dual_norm else 0.0


@final
@frozen
class NormReport:
    """Candidates in the order given; prints as a table, and shows as one in a notebook."""

    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The candidate that promises most."""
        return max(self.candidates, key=lambda candidate: candidate.decrease)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.candidates)

    def _rows(self) -> list[tuple[str, ...]]:
        head = ("norm", "dual norm", "curvature", "decrease", "step")
        return [head, *((c.name, *map(_shown, (c.dual_norm, c.curvature, c.decrease, c.step))) for c in self)]

    def __str__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(x.rjust(w) if i else x.ljust(w) for i, (x, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        )

    def _repr_html_(self) -> str:
        head, *rows = ([escape(x) for x in row] for row in self._rows())
        body = "".join("<tr>" + "".join(f"<td>{x}</td>" for x in row) + "</tr>" for row in rows)
        return "<table><tr>" + "".join(f"<th>{x}</th>" for x in head) + f"</tr>{body}</table>"


def _shown(number: float) -> str:
    return str(float(f"{number:.4g}"))


def norm_report(function: Callable[[Tree], Any], x: Tree, norms: Any) -> NormReport:
    """What each of some norms promises for a step of steepest descent from x, by one Hessian product each.

    Args:
        function: returns a real number.
        x: the parameters.
        norms: a dict of norms by name, or a list; of what `as_norm` takes.

    Raises:
        ArgumentError: there are no norms.

    The curvature is along one direction only: a hint at the Lipschitz constant of the gradient, from below. One that is
    not positive, or less than a thousandth of the largest per Euclidean length, is counted as that thousandth.

    Example:
        >>> report = norm_report(lambda x: np.sum(x**2), np.ones(3), {"all": "linf", "one": "l1"})
        >>> report.best.name
        'all'
    """
    return compared(named(norms), grad(function)(x), lambda vector: hvp(function, (x,), (vector,)))


def named(norms: Any) -> dict[str, Norm]:
    """Norms by name. Raises ArgumentError if there are none."""
    if isinstance(norms, Mapping):
        found = {str(name): as_norm(norm) for name, norm in norms.items()}
    elif isinstance(norms, Sequence) and not isinstance(norms, str):
        found = {_name(norm, i): as_norm(norm) for i, norm in enumerate(norms)}
    else:
        raise ArgumentError(f"norms must be a dict or a list of norms; found {norms!r}")
    if not found:
        raise ArgumentError("there are no norms to choose from")
    return found


def _name(norm: Any, index: int) -> str:
    if isinstance(norm, str):
        return norm
    name = norm.__name__ if callable(norm) and not isinstance(norm, Norm) else type(norm).__name__
    return f"{index}: {name}"


def compared(norms: Mapping[str, Norm], gradient: Tree, product: Callable[[Tree], Tree]) -> NormReport:
    """The report for a gradient and Hessian products v -> H v."""
    vectors = {name: norm.maximizer(gradient) for name, norm in norms.items()}
    lengths = {name: float(pairing(v, v)) for name, v in vectors.items()}
    curvatures = {name: float(pairing(product(v), v)) for name, v in vectors.items()}
    steepest = max((abs(curvatures[n]) / lengths[n] for n in norms if lengths[n] > 0), default=0.0)
    return NormReport(
        tuple(
            Candidate(
                name, norm, float(pairing(gradient, vectors[name])), curvatures[name],
                max(curvatures[name], FLOOR * steepest * lengths[name]),
            )
            for name, norm in norms.items()
        )
    )  # fmt: skip


@final
@frozen(eq=False)
class BestOf(NormRule):
    """Of some norms, at each step the one that promises most; made by `best_of`."""

    norms: Mapping[str, Norm]

    def statistics(self) -> Statistics:
        return Nothing()

    def known(self) -> None:
        return None

    def choose(
        self, gradient: Tree, params: Tree, state: DescentState, product: Callable[[Tree], Tree] | None
    ) -> Norm:
        if product is None:
            raise ArgumentError("best_of needs update(..., product=...), v -> H v, which minimize provides")
        return compared(self.norms, gradient, product).best.norm

    def with_ties(self, ties: str) -> BestOf:
        return BestOf({name: norm.with_ties(ties) for name, norm in self.norms.items()})


def best_of(norms: Any) -> BestOf:
    """At each step the norm, of a dict or list of them, along whose direction the second-order model falls most.

    Takes one Hessian product for each, and compares values: not under `jit` or `vmap`.

    Example:
        >>> from covector.optimize import armijo, minimize, steepest_descent
        >>> optimizer = steepest_descent(best_of(["l1", "l2", "linf"]), armijo())
        >>> minimize(lambda x: np.sum(np.cosh(x - 1.0)), np.zeros(3), optimizer).success
        True
    """
    return BestOf(named(norms))
