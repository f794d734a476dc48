"""Norms between two norms, by complex interpolation.

For lp norms the result is known: between lp with weights w and lq with weights u, at t, it is lr with weights
w^(1 - t) u^t, where 1 / r = (1 - t) / p + t / q. The same holds of the singular values (Schatten norms) and, level by
level, of mixed norms of blocks.

    >>> from covector.norms.vectors import l1, linf
    >>> float(interpolate(l1(), linf(), 0.5).norm(np.array([3.0, 4.0])))
    5.0

Source: J. Bergh and J. Lofstrom, Interpolation spaces (1976), theorems 5.1.1, 5.1.2 and 5.5.3.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from covector.core.interpreter import Tracer
from covector.errors import ArgumentError
from covector.norms.calculus import Blockwise
from covector.norms.maps import Diagonal
from covector.norms.matrices import SingularValueNorm
from covector.norms.norm import Norm, Precomposed, Scaled
from covector.norms.vectors import L1, L2, LInf, Lp, lp
from covector.trees import map_leaves


def interpolate(first: Norm, second: Norm, share: Any) -> Norm:
    """The norm that is `first` at share 0, `second` at share 1, and between them at shares between.

    Args:
        first: an lp norm, one with weights (`@ Diagonal(w)`, or `quadratic(diagonal=)`), a multiple, a Schatten norm,
            or a mixed norm of blocks along the same axes.
        second: a norm of the same kind.
        share: between 0 and 1.

    Raises:
        ArgumentError: the share is out of its range, or the two norms are not of one such kind.

    Law: `interpolate(N1, N2, t).norm(v) <= N1.norm(v)**(1 - t) * N2.norm(v)**t`.

    Example:
        >>> from covector.norms.matrices import nuclear, spectral
        >>> float(interpolate(nuclear(), spectral(), 0.5).norm(np.diag([3.0, 4.0])).round(12))
        5.0
    """
    if not isinstance(share, Tracer):
        if not 0 <= share <= 1:
            raise ArgumentError(f"the share must be between 0 and 1; found {share!r}")
        if share in (0, 1):
            return second if share else first
    found = _between(first, second, share)
    if found is None:
        raise ArgumentError(
            "interpolation is known between lp norms, weighted lp norms, Schatten norms and mixed norms along the same "
            f"axes; found {type(first).__name__} and {type(second).__name__}"
        )
    return found


def _between(first: Norm, second: Norm, share: Any) -> Norm | None:
    if isinstance(first, Scaled) or isinstance(second, Scaled):
        (a, one), (b, two) = _factored(first), _factored(second)
        inner = _between(one, two, share)
        return None if inner is None else Scaled(inner, a ** (1.0 - share) * b**share)
    if isinstance(first, SingularValueNorm) and isinstance(second, SingularValueNorm):
        inner = _between(first.inner, second.inner, share)
        return None if inner is None else SingularValueNorm(inner)
    if isinstance(first, Blockwise) and isinstance(second, Blockwise) and first.axes == second.axes:
        inner, outer = _between(first.inner, second.inner, share), _between(first.outer, second.outer, share)
        return None if inner is None or outer is None else attrs.evolve(first, inner=inner, outer=outer)
    return _of_vectors(first, second, share)


def _factored(norm: Norm) -> tuple[Any, Norm]:
    return (norm.factor, norm.inner) if isinstance(norm, Scaled) else (1.0, norm)


def _of_vectors(first: Norm, second: Norm, share: Any) -> Norm | None:
    one, two = _weighted(first), _weighted(second)
    if one is None or two is None:
        return None
    (p, left), (q, right) = one, two
    inverse = (1.0 - share) / p + share / q
    norm = lp(1.0 / inverse if isinstance(inverse, Tracer) or inverse > 0 else np.inf)
    if left is None and right is None:
        return norm
    left, right = (1.0 if left is None else left), (1.0 if right is None else right)
    if isinstance(left, float) or isinstance(right, float):
        weights = map_leaves(lambda x: _mean(x, right, share), left) if isinstance(right, float) else map_leaves(
            lambda x: _mean(left, x, share), right
        )  # fmt: skip
    else:
        weights = map_leaves(lambda x, y: _mean(x, y, share), left, right)
    return Precomposed(norm, Diagonal(weights))


def _mean(x: Any, y: Any, share: Any) -> Any:
    return x ** (1.0 - share) * y**share


def _weighted(norm: Norm) -> tuple[Any, Any] | None:
    """The exponent and the weights of an lp norm."""
    if isinstance(norm, Precomposed) and isinstance(norm.map, Diagonal):
        inner = _weighted(norm.inner)
        return None if inner is None or inner[1] is not None else (inner[0], map_leaves(np.abs, norm.map.weights))
    exponents: dict[type[Norm], float] = {L1: 1.0, L2: 2.0, LInf: np.inf}
    exponent = norm.p if isinstance(norm, Lp) else exponents.get(type(norm))
    return None if exponent is None else (exponent, None)
