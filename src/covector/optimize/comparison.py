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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from html import escape
from operator import and_
from typing import Any, final

import numpy as np
from attrs import field, frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.define import as_norm
from covector.norms.layout import pairing, ratio
from covector.norms.norm import Norm
from covector.norms.registration import PARAMETER, registered
from covector.norms.traits import Traits
from covector.optimize.norm_rules import NormRule, Nothing, Statistics
from covector.optimize.state import DescentState
from covector.transforms.control.conditional import switch
from covector.transforms.gradient import grad
from covector.transforms.jacobian import hvp
from covector.trees import Tree

FLOOR = 1e-3
"""The curvature, relative to the largest of all candidates' directions, that less is counted as."""


@final
@frozen
class Candidate:
    """What one norm promises: a fall of the second-order model by `decrease`, after a step of length `step`.

    `curvature` is <v, H v>, which is at most the Lipschitz constant of the gradient in the norm.
    """

    name: str
    norm: Norm
    dual_norm: float
    curvature: float
    step: float
    decrease: float


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
    chosen = named(norms)
    promises = _promised(chosen.values(), grad(function)(x), lambda vector: hvp(function, (x,), (vector,)))
    rows = zip(*(numbers.tolist() for numbers in promises), strict=True)
    return NormReport(tuple(Candidate(*item, *row) for item, row in zip(chosen.items(), rows, strict=True)))


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


def _promised(
    norms: Iterable[Norm], gradient: Tree, product: Callable[[Tree], Tree]
) -> tuple[Array, Array, Array, Array]:
    """For each norm: the dual norm, the curvature, and the step and the decrease it promises."""
    vectors = [norm.maximizer(gradient) for norm in norms]
    dual_norms = np.stack([pairing(gradient, v) for v in vectors])
    curvatures = np.stack([pairing(product(v), v) for v in vectors])
    squares = np.stack([pairing(v, v) for v in vectors])
    counted = np.maximum(curvatures, FLOOR * np.max(np.abs(ratio(curvatures, squares))) * squares)
    steps = np.where(counted > 0, ratio(dual_norms, counted), np.inf)
    return dual_norms, curvatures, steps, 0.5 * dual_norms * np.where(dual_norms > 0, steps, 0.0)


@registered
@final
@frozen(eq=False)
class Chosen(Norm):
    """One of some norms, by a number that may be traced."""

    norms: tuple[Norm, ...] = field(metadata=PARAMETER)
    index: Array = field(metadata=PARAMETER)

    def norm(self, vector: Tree) -> Array:
        return switch(self.index, [norm.norm for norm in self.norms], vector)

    def dual_norm(self, covector: Tree) -> Array:
        return switch(self.index, [norm.dual_norm for norm in self.norms], covector)

    def maximizer(self, covector: Tree) -> Tree:
        return switch(self.index, [norm.maximizer for norm in self.norms], covector)

    def subgradient(self, vector: Tree) -> Tree:
        return switch(self.index, [norm.subgradient for norm in self.norms], vector)

    @property
    def traits(self) -> Traits:
        first, *rest = (norm.traits for norm in self.norms)
        return reduce(and_, rest, first)


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
        norms = tuple(self.norms.values())
        best: Any = np.argmax(_promised(norms, gradient, product)[-1])
        return Chosen(norms, best) if isinstance(best, Tracer) else norms[int(best)]

    def with_ties(self, ties: str) -> BestOf:
        return BestOf({name: norm.with_ties(ties) for name, norm in self.norms.items()})


def best_of(norms: Any) -> BestOf:
    """At each step the norm, of a dict or list of them, along whose direction the second-order model falls most.

    Takes one Hessian product for each. Under `vmap` each run has its own choice.

    Example:
        >>> from covector.optimize import armijo, minimize, steepest_descent
        >>> optimizer = steepest_descent(best_of(["l1", "l2", "linf"]), armijo())
        >>> minimize(lambda x: np.sum(np.cosh(x - 1.0)), np.zeros(3), optimizer).success
        True
    """
    return BestOf(named(norms))
