"""The dual of a norm that has no closed form, by optimization, with a certificate.

All that is asked of the norm N is its value and a subgradient. The direction for g maximizes <g, v> over N(v) <= 1; up
to its length it minimizes the convex function N(v)^2 / 2 - <g, v>, whose least value is -dual_norm(g)^2 / 2. That is
done by the BFGS method with a weak Wolfe line search, which converges in practice on functions with kinks too.

Two bounds come with the answer. From below, <g, v> / N(v) for the best v met. From above, gradients s_i of N met on
the way, all of dual norm 1: if g = sum of c_i s_i, then dual_norm(g) <= sum of |c_i|. The coefficients are fitted by
least squares, and what they leave is written in the s_i once more. The lower bound is usually good to many digits, the
upper one to fewer: dual norms and directions use the lower.

    >>> from covector.norms.vectors import l1, l2
    >>> g = np.array([3.0, -1.0, 0.5])
    >>> def oracle(v):
    ...     return float(np.sum(np.abs(v)) + np.sqrt(v @ v)), np.sign(v) + v / np.sqrt(v @ v)
    >>> found = solve(oracle, g)
    >>> round(found.lower, 6), bool(found.upper - found.lower < 1e-6)
    (1.5, True)

Source: A. Lewis and M. Overton, Nonsmooth optimization via quasi-Newton methods (2013); C. Lawson and R. Hanson,
Solving least squares problems (1974), chapter 23.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.norms.layout import magnitude, ravel, typed_like
from covector.transforms.stop import stop_gradient
from covector.trees import Tree, map_leaves

Bracket = tuple[Tree, Array, Array]
"""A vector of norm 1, and a lower and an upper bound of the dual norm."""

Oracle = Callable[[Array], tuple[float, Array]]
"""The value of a norm at a vector other than zero, and a gradient or subgradient there."""

GOAL = 1e-9
"""The relative gap at which a solution is good enough."""

RELAXATION = 1e-5
"""By how much, relative to the atoms, the length of a combination counts against what it leaves."""

PATIENCE = 3
"""How many new atoms may be of no use before the search ends."""


@final
@frozen(eq=False)
class Solution:
    """A vector of norm 1, and numbers between which the dual norm lies."""

    vector: Array
    lower: float
    upper: float


@final
class _Search:
    """The oracle, the best vector met, and the subgradients met last."""

    def __init__(self, oracle: Oracle, covector: Array) -> None:
        self.oracle, self.covector = oracle, covector
        self.best, self.lower = np.zeros_like(covector), 0.0
        self.atoms: list[Array] = []
        self.kept = 4 * len(covector) + 20

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """N(v)^2 / 2 - <g, v> and its gradient."""
        length, atom = self.oracle(vector)
        if not length > 0:
            return np.inf, np.zeros_like(vector)
        self.atoms.append(atom)
        del self.atoms[: -self.kept]
        pairing = float(np.dot(self.covector, vector))
        if pairing > self.lower * length:
            self.lower, self.best = pairing / length, vector / length
        return 0.5 * length * length - pairing, length * atom - self.covector


def solve(oracle: Oracle, covector: Array, goal: float = GOAL) -> Solution:
    """The direction and the dual norm for a covector, a vector of floats whose entries are not all zero."""
    search = _Search(oracle, covector)
    length, _ = oracle(covector)
    quasi_newton(search, covector * (float(np.dot(covector, covector)) / length**2))
    return bundle(search, goal)


# --- the method -----------------------------------------------------------------------------------------------


def quasi_newton(function: Callable[[Array], tuple[float, Array]], start: Array) -> None:
    """BFGS steps from a starting point until none lowers the function."""
    size = len(start)
    inverse = np.eye(size)
    point, (value, gradient) = start, function(start)
    for count in range(40 * size + 200):
        direction = -inverse @ gradient
        slope = float(np.dot(gradient, direction))
        if not slope < 0:
            return
        step, after, new = weak_wolfe(function, point, direction, value, slope)
        change, turn = step * direction, new - gradient
        curvature = float(np.dot(change, turn))
        if not after < value or not curvature > 0:
            return
        if count == 0:
            inverse = inverse * (curvature / float(np.dot(turn, turn)))
        image = inverse @ turn
        scale = 1.0 + float(np.dot(turn, image)) / curvature
        cross = np.outer(image, change)
        inverse = inverse + (scale * np.outer(change, change) - cross - cross.T) / curvature
        point, value, gradient = point + change, after, new


def weak_wolfe(
    function: Callable[[Array], tuple[float, Array]], point: Array, direction: Array, value: float, slope: float
) -> tuple[float, float, Array]:
    """A step that lowers the function enough and after which the slope has risen, by bisection and doubling."""
    low, high, step = 0.0, np.inf, 1.0
    after, gradient = function(point + direction)
    for _ in range(60):
        if after > value + 1e-4 * step * slope:
            high = step
        elif float(np.dot(gradient, direction)) < 0.5 * slope:
            low = step
        else:
            break
        step = (low + high) / 2 if high < np.inf else 2 * step
        after, gradient = function(point + step * direction)
    return step, after, gradient


# --- the bound from above -------------------------------------------------------------------------------------


def bundle(search: _Search, goal: float) -> Solution:
    """Bounds from both sides, and better directions until they are close or no longer come closer.

    Over c >= 0, |g - S c|^2 + weight^2 (sum c)^2 is least for an almost shortest combination; what it leaves of g is a
    multiple of the minimizer of the norm that the atoms describe, and gives the next atom.
    """
    covector = search.covector
    directions = np.vstack([np.eye(len(covector)), search.best])
    atoms = np.array([*search.atoms, *(search.oracle(v)[1] for v in directions)]).T
    weight = RELAXATION * float(np.max(np.abs(atoms)))
    upper, active, stalled = np.inf, np.zeros(atoms.shape[1], bool), 0
    for _ in range(len(covector) + 20):
        augmented = np.vstack([atoms, np.full(atoms.shape[1], weight)])
        coefficients = nonnegative_least_squares(augmented, np.append(covector, 0.0), active)
        rest = covector - atoms @ coefficients
        before = search.lower, upper
        upper = min(upper, upper_bound(atoms, coefficients, covector))
        if (upper < np.inf and upper - search.lower <= goal * upper) or not np.any(rest):
            break
        search(rest / float(np.max(np.abs(rest))))
        stalled = 0 if search.lower > before[0] * (1 + goal) or upper < before[1] * (1 - goal) else stalled + 1
        if stalled >= PATIENCE and upper < np.inf:
            break
        atoms = np.column_stack([atoms, search.atoms[-1]])
        active = np.append(coefficients > 0, False)
    return Solution(search.best, search.lower, max(upper, search.lower))


def upper_bound(atoms: Array, coefficients: Array, covector: Array) -> float:
    """A bound of a covector's dual norm by a combination of atoms of dual norm 1; infinite if they do not span.

    The atoms that count are fitted again without regard to signs, since those of the best combination are enough.
    """
    chosen = coefficients > 0
    refined = np.zeros_like(coefficients)
    refined[chosen] = np.linalg.lstsq(atoms[:, chosen], covector, rcond=None)[0]
    bounds = []
    for each in (coefficients, refined):
        fitted, _, rank, _ = np.linalg.lstsq(atoms, covector - atoms @ each, rcond=None)
        bounds.append(float(np.sum(np.abs(each)) + np.sum(np.abs(fitted))) if rank == len(covector) else np.inf)
    return min(bounds)


def nonnegative_least_squares(matrix: Array, target: Array, active: Array) -> Array:
    """The x >= 0 for which matrix @ x is nearest to the target, by active sets, beginning with the given one."""
    count = matrix.shape[1]
    active = active.copy()
    x = _feasible(matrix, target, np.where(active, 1e-3, 0.0), active) if np.any(active) else np.zeros(count)
    tolerance = 1e-13 * float(np.max(np.abs(matrix)) * np.max(np.abs(target)))
    for _ in range(3 * count):
        gain = matrix.T @ (target - matrix @ x)
        gain[active] = -np.inf
        if not np.max(gain, initial=-np.inf) > tolerance or np.sum(active) >= len(target):
            break
        active[int(np.argmax(gain))] = True
        x = _feasible(matrix, target, x, active)
    return x


def _feasible(matrix: Array, target: Array, x: Array, active: Array) -> Array:
    """The least-squares solution on the active columns, giving up columns until none is negative."""
    while True:
        trial = np.zeros_like(x)
        trial[active] = np.linalg.lstsq(matrix[:, active], target, rcond=None)[0]
        negative = active & (trial <= 0)
        if not np.any(negative):
            return trial
        shares = np.ones_like(x)  # how far each may move towards the trial before it is zero
        shares[negative] = x[negative] / np.maximum(x[negative] - trial[negative], np.finfo(float).tiny)
        share = float(np.min(shares))
        x = x + share * (trial - x)
        active &= ~(negative & (shares <= share))
        x[~active] = 0.0
        if not np.any(active):
            return np.zeros_like(x)


# --- trees ------------------------------------------------------------------------------------------------------


def attained(norm: Callable[[Tree], Array], subgradient: Callable[[Tree], Tree], covector: Tree) -> Bracket:
    """The maximizer of a norm known by its value and subgradient, and the bounds of its dual norm, for a tree.

    The derivatives of all three in the covector count as zero: the dual norm's is <maximizer, change>.
    """
    exact = map_leaves(_double, covector)
    flat, restore = ravel(exact)
    unit = float(magnitude(flat))
    if not np.any(flat):
        return covector, 0.0, 0.0

    def oracle(vector: Array) -> tuple[float, Array]:
        tree = restore(vector)
        return float(norm(tree)), ravel(subgradient(tree))[0]

    found = solve(oracle, flat / unit)
    return typed_like(covector, restore(found.vector)), unit * found.lower, unit * found.upper


def _double(leaf: Any) -> Array:
    """The value as an array of doubles. Raises ConcreteValueError under vmap and jit, which have no one value."""
    leaf = stop_gradient(leaf)
    return leaf.concrete("a search for the dual norm") if isinstance(leaf, Tracer) else np.asarray(leaf, dtype=float)
