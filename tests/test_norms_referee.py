"""Dual norms and directions against a conic solver, on every catalogue member and on random compositions.

The solver (Clarabel, by CVXPY) maximizes <g, v> over the unit ball, of which it is told in its own words. What it finds
is good to about 1e-8, so the dual norm is compared to 2e-7. The direction is a certificate that needs no solver: it is
in the ball, by CVXPY's value of its own expression, and gains what the dual norm says, both to 1e-12. So the dual norm
is at most that much too large, and not too small by more than what the solver would see. That closed forms are not too
small by 1e-12 either is what `test_norms.py` has independent formulas for. Searched norms are held to 1e-6.

Without CVXPY nothing is tested: pip install -e ".[referee]".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
import pytest
from attrs import frozen

from covector import norms
from covector.norms.norm import Norm
from tests.test_norms import (
    CATALOGUE,
    DIFFERENCES,
    FALLING,
    MATRIX,
    POSITIVE,
    SQUARE,
    WEIGHTS,
    drawn,
    singular_values,
)

pytestmark = pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")
"""Which CVXPY says where the tolerances asked for are not quite reached; the results are compared all the same."""

cp = pytest.importorskip("cvxpy", reason='the referee is not installed: pip install -e ".[referee]"')

Expression = Any
Ball = Callable[[Expression], Expression]
"""A norm as an expression; infinite outside its domain."""

PADDED = np.diff(np.eye(8), axis=0)[:, 1:7]
AROUND = np.eye(6) - np.roll(np.eye(6), 1, axis=0)
SOLVER = {"solver": "CLARABEL", "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
TOLERANCE = 2e-7


def solved(problem: Any) -> float:
    """The optimal value; the solver must have found it."""
    problem.solve(**SOLVER)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    return float(problem.value)


def largest_gain(g: Any, ball: Ball) -> float:
    """The largest <g, v> over the ball."""
    v = cp.Variable(g.shape)
    return solved(cp.Problem(cp.Maximize(cp.sum(cp.multiply(g, v))), [ball(v) <= 1]))


def value(ball: Ball, v: Any) -> float:
    """The expression's value, which is a minimum if the expression has variables of its own."""
    expression = ball(cp.Constant(v))
    return solved(cp.Problem(cp.Minimize(expression))) if expression.variables() else float(expression.value)


# --- the catalogue --------------------------------------------------------------------------------------------


def quadratic(root: Any) -> Ball:
    return lambda v: cp.norm2(root @ v)


def ordered(weights: Any) -> Ball:
    """Sums of largest entries, one for each step of the weights."""
    steps = weights - np.append(weights[1:], 0.0)
    return lambda v: sum(float(step) * cp.sum_largest(cp.abs(v), j + 1) for j, step in enumerate(steps))


def ky_fan(v: Expression) -> Expression:
    """The singular values are the positive eigenvalues of this matrix."""
    rows, columns = v.shape
    return cp.lambda_sum_largest(cp.bmat([[np.zeros((rows, rows)), v], [v.T, np.zeros((columns, columns))]]), 2)


def k_support(k: int) -> Ball:
    """inf (sum v_i^2 / t_i + 1) / 2 over 0 <= t <= s, sum t <= k s and s <= 1, as sqrt(a) <= (a / s + s) / 2."""

    def ball(v: Expression) -> Expression:
        size = v.shape[0]
        t, s = cp.Variable(size), cp.Variable()
        inside = cp.transforms.indicator([t >= 0, t <= s, cp.sum(t) <= k * s])
        return 0.5 * sum(cp.quad_over_lin(v[i], t[i]) for i in range(size)) + 0.5 * s + inside

    return ball


BALLS: dict[str, Ball] = {
    "l1": cp.norm1, "l1 vertex": cp.norm1, "l2": cp.norm2, "linf": cp.norm_inf, "linf vertex": cp.norm_inf,
    "l1.5": lambda v: cp.pnorm(v, 1.5), "l3": lambda v: cp.pnorm(v, 3), "l10": lambda v: cp.pnorm(v, 10),
    "weighted l3": lambda v: cp.pnorm(cp.multiply(WEIGHTS, v), 3),
    "quadratic": quadratic(np.linalg.cholesky(POSITIVE).T), "cholesky": quadratic(np.linalg.cholesky(POSITIVE).T),
    "products": quadratic(np.linalg.cholesky(POSITIVE).T), "diagonal": quadratic(np.diag(np.sqrt(WEIGHTS))),
    "group": lambda v: cp.sum(cp.norm(v, 2, axis=1)), "group max": lambda v: cp.max(cp.norm(v, 2, axis=0)),
    "mixed": lambda v: cp.pnorm(cp.hstack([cp.pnorm(v[i], 3) for i in range(MATRIX[0])]), 1.5),
    "spectral": cp.sigma_max, "spectral vertex": cp.sigma_max, "nuclear": cp.normNuc, "ky fan": ky_fan,
    "low-rank hull": lambda v: cp.maximum(cp.sigma_max(v), cp.normNuc(v) / 2),
    "rms to rms": lambda v: np.sqrt(3 / 5) * cp.sigma_max(v), "muon": cp.sigma_max,
    "sparse sign": lambda v: cp.maximum(cp.norm_inf(v), cp.norm1(v) / 3), "k-support": k_support(3),
    "owl": ordered(FALLING), "oscar": ordered(np.arange(6.0, 0.0, -1.0)),
    "differences": lambda v: cp.norm1(DIFFERENCES @ v), "differences 3": lambda v: cp.pnorm(DIFFERENCES @ v, 3),
    "sobolev": quadratic(np.vstack([np.eye(6), np.sqrt(2) * DIFFERENCES[1:]])),
    "sobolev 2-d": lambda v: cp.norm2(
        cp.hstack([cp.vec(x, order="C") for x in (v, 2**0.5 * (v[1:] - v[:-1]), 2**0.5 * (v[:, 1:] - v[:, :-1]))])
    ),
    "sobolev dirichlet": quadratic(np.vstack([np.eye(6), np.sqrt(2) * PADDED])),
    "sobolev periodic": quadratic(np.vstack([np.eye(6), np.sqrt(2) * AROUND])),
    "largest of k": lambda v: cp.sum_largest(cp.abs(v), 2), "defined": lambda v: cp.norm_inf(SQUARE @ v),
    "defined dual": lambda v: cp.norm_inf(cp.multiply(1 / WEIGHTS, v)),
}  # fmt: skip

OF_SINGULAR_VALUES: dict[str, Ball] = {"schatten 3": BALLS["l3"], "singular values": k_support(2)}
"""By J. von Neumann's trace inequality, the largest <g, v> is one of vectors."""


def test_the_referee_knows_every_member_of_the_catalogue() -> None:
    assert set(BALLS) | set(OF_SINGULAR_VALUES) == set(CATALOGUE)


@pytest.mark.parametrize("name", list(BALLS))
def test_the_dual_norm_and_the_direction_of_a_member(name: str) -> None:
    member, ball = CATALOGUE[name], BALLS[name]
    check(member.norm, ball, drawn(member, 3))


@pytest.mark.parametrize("name", list(OF_SINGULAR_VALUES))
def test_the_dual_norm_of_singular_values(name: str) -> None:
    member = CATALOGUE[name]
    g = drawn(member, 3)
    wanted = largest_gain(singular_values(g), OF_SINGULAR_VALUES[name])
    np.testing.assert_allclose(member.norm.dual_norm(g), wanted, rtol=TOLERANCE)


def check(norm: Norm, ball: Ball, g: Any) -> None:
    """The dual norm is the solver's; the direction is in the solver's ball and gains that much."""
    exact = norm.traits.exact
    steepness, v = float(norm.dual_norm(g)), norm.maximizer(g)
    certificate = 1e-12 if exact else 1e-6
    np.testing.assert_allclose(np.sum(g * v), steepness, rtol=certificate)
    own = ball(cp.Constant(v)).variables()
    np.testing.assert_allclose(value(ball, v), 1.0, rtol=TOLERANCE if own else certificate)
    np.testing.assert_allclose(steepness, largest_gain(g, ball), rtol=TOLERANCE if exact else 1e-6)


# --- random compositions --------------------------------------------------------------------------------------


@final
@frozen
class Pair:
    """A norm of vectors of six, and the same for the referee."""

    norm: Norm
    ball: Ball


def member_of(random: Any, size: int) -> Pair:
    """A norm of the catalogue for vectors of some size."""
    k = int(random.integers(1, size + 1))
    weights = random.uniform(0.5, 2.0, size)
    pairs = [
        Pair(norms.l1(), cp.norm1), Pair(norms.l2(), cp.norm2), Pair(norms.linf(), cp.norm_inf),
        Pair(norms.lp(3), lambda v: cp.pnorm(v, 3)), Pair(norms.lp(1.5), lambda v: cp.pnorm(v, 1.5)),
        Pair(norms.sparse_sign(k), lambda v: cp.maximum(cp.norm_inf(v), cp.norm1(v) / k)),
        Pair(norms.sparse_sign(k).dual, lambda v: cp.sum_largest(cp.abs(v), k)),
        Pair(norms.quadratic(diagonal=weights), quadratic(np.diag(np.sqrt(weights)))),
        Pair(norms.owl(np.sort(weights)[::-1].copy()), ordered(np.sort(weights)[::-1])),
    ]  # fmt: skip
    return pairs[int(random.integers(len(pairs)))]


def composition(random: Any, size: int, depth: int) -> Pair:
    """A random norm of vectors of some size, made of others."""
    if depth == 0:
        return member_of(random, size)
    makers = [scaled, precomposed, product, blocks, joined, convolved]
    return makers[int(random.integers(len(makers)))](random, size, depth)


def scaled(random: Any, size: int, depth: int) -> Pair:
    inner, factor = composition(random, size, depth - 1), float(random.uniform(0.2, 5.0))
    return Pair(factor * inner.norm, lambda v: factor * inner.ball(v))


def precomposed(random: Any, size: int, depth: int) -> Pair:
    inner, matrix = composition(random, size, depth - 1), random.normal(size=(size, size)) + 2 * np.eye(size)
    return Pair(inner.norm @ matrix, lambda v: inner.ball(matrix @ v))


def outer_norm(random: Any) -> Pair:
    pairs = [Pair(norms.l1(), cp.norm1), Pair(norms.l2(), cp.norm2), Pair(norms.linf(), cp.norm_inf)]
    return pairs[int(random.integers(3))]


def product(random: Any, size: int, depth: int) -> Pair:
    """Two halves in norms of their own."""
    half, outer = size // 2, outer_norm(random)
    first, second = composition(random, half, depth - 1), composition(random, size - half, depth - 1)
    halves = norms.tree((first.norm, second.norm), outer.norm)
    joint = norms.define(
        dual_norm=lambda g: halves.dual_norm((g[:half], g[half:])), norm=lambda v: halves.norm((v[:half], v[half:]))
    )
    return Pair(joint, lambda v: outer.ball(cp.hstack([first.ball(v[:half]), second.ball(v[half:])])))


def blocks(random: Any, size: int, depth: int) -> Pair:
    """The rows of a matrix with three columns, in another order of the axes."""
    if size % 3:
        return scaled(random, size, depth)
    inner, outer = composition(random, size // 3, 0), outer_norm(random)
    norm = norms.reshaped(norms.blockwise(inner.norm, outer.norm, axes=(0,)), (size // 3, 3))
    return Pair(norm, lambda v: outer.ball(cp.hstack([inner.ball(v[i::3]) for i in range(3)])))


def joined(random: Any, size: int, depth: int) -> Pair:
    """The sum or the larger of two."""
    first, second = composition(random, size, 0), composition(random, size, 0)
    if random.random() < 0.5:
        return Pair(first.norm + second.norm, lambda v: first.ball(v) + second.ball(v))
    return Pair(first.norm | second.norm, lambda v: cp.maximum(first.ball(v), second.ball(v)))


def convolved(random: Any, size: int, depth: int) -> Pair:
    """The infimal convolution or the Minkowski sum of two, which are infima over the ways to split a vector."""
    first, second = composition(random, size, depth - 1), composition(random, size, 0)

    def ball(v: Expression, how: Callable[..., Expression]) -> Expression:
        part = cp.Variable(size)
        return how(first.ball(part), second.ball(v - part))

    if random.random() < 0.5:
        return Pair(norms.infimal_convolution(first.norm, second.norm), lambda v: ball(v, lambda a, b: a + b))
    return Pair(norms.minkowski(first.norm, second.norm), lambda v: ball(v, cp.maximum))


@pytest.mark.parametrize("seed", range(20))
def test_the_dual_norm_and_the_direction_of_a_random_composition(seed: int) -> None:
    random = np.random.default_rng(seed)
    pair = composition(random, 6, 2)
    check(pair.norm, pair.ball, random.normal(size=6))
