"""The operations behind norms: searches for a dual norm, systems known by their products, polar factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from covector.norms import lp
from covector.norms.bundle import empty_warm_start
from covector.norms.calls import NormCall
from covector.norms.faces import Face, Smooth
from covector.norms.implicit import SymmetricSolve
from covector.norms.polar import PolarFactor
from covector.norms.search import Search, WarmSearch
from covector.norms.tied import Settled
from covector.optimize.nonfinite import Certified
from covector.trees import flatten
from tests.catalogue.instance import Instance

TALL = np.array([[2.0, 0.3], [-0.4, 1.5], [0.7, 0.2]])
WIDE_STACK = np.stack([TALL.T, TALL[::-1].T - 0.5])
G, WEIGHTS = np.array([3.0, -1.0, 0.5]), np.array([1.0, 2.0, 4.0])


def product(x: Any, weights: Any) -> Sequence[Any]:
    """A positive definite matrix times a vector."""
    return [weights * x + 0.1 * np.sum(x)]


def weighted(v: Any, weights: Any) -> Sequence[Any]:
    """A weighted l2 norm and its gradient."""
    length = np.sqrt(np.sum(weights * v * v))
    return [length, weights * v / length]


# Bounds are not differentiable functions, since they depend on the path of a search; tests/test_norm_search.py has the
# derivatives of what they bound, and faces at kinks.
INSTANCES: list[Instance] = [
    Instance(Certified(("gradient[0]", "gradient[1]")), np.array([True, True]), differentiable=()),
    Instance(SymmetricSolve(product, 1e-14), G, WEIGHTS, name="symmetric_solve"),
    Instance(PolarFactor(), TALL, name="polar_factor"),
    Instance(PolarFactor(), WIDE_STACK, name="polar_factor_of_a_stack"),
    Instance(NormCall(lp(3.0), flatten(G)[1]), G, name="norm_call"),
    Instance(Search(weighted), G, WEIGHTS, name="search", differentiable=()),
    Instance(Face(weighted), G, G, np.float64(1.0), np.float64(0.0), WEIGHTS, name="face", differentiable=()),
    Instance(Smooth(), np.float64(0.0), name="smooth", differentiable=()),
    Instance(
        Settled(weighted, "min_norm"), G, G, np.float64(0.0), WEIGHTS, name="settled", differentiable=(0,)
    ),
    Instance(WarmSearch(weighted, 0.1, 10), G, *empty_warm_start(3), WEIGHTS, name="warm_search", differentiable=()),
]
