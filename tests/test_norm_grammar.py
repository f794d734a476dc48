"""Which programs `dualize` rewrites, exactly, and which it refuses, by name: as people write norms in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector import norms
from covector.errors import ArgumentError, ConcreteValueError, CovectorError, MissingRuleError, TracerConversionError
from covector.norms.layout import ravel
from covector.trees import map_leaves

RNG = np.random.default_rng(11)
SQUARE = RNG.normal(size=(5, 5)) + 3 * np.eye(5)
SMALL = RNG.normal(size=(4, 4)) + 3 * np.eye(4)
POSITIVE = SQUARE @ SQUARE.T + np.eye(5)
WEIGHTS = RNG.uniform(0.5, 2.0, 5)
FALLING = np.array([3.0, 2.0, 1.0])
VECTOR, MATRIX, STACK = np.zeros(5), np.zeros((3, 4)), np.zeros((2, 3, 4))
TREE = {"a": np.zeros(5), "b": (np.zeros((3, 4)), 0.0)}


def values(x: Any) -> Any:
    return np.linalg.svd(x, compute_uv=False)


INSIDE: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "builtin sum": (lambda v: sum(abs(v)), VECTOR),
    "python sums of linear values": (
        lambda v: np.abs(np.stack([sum(SQUARE[i, j] * v[j] for j in range(5)) for i in range(5)])).max(), VECTOR
    ),
    "zero added, taken away, and a plus": (lambda v: np.abs(0 + (+v) - 0.0).sum() + 0, VECTOR),
    "python loop": (lambda v: sum(abs(v[i]) for i in range(5)), VECTOR),
    "parts by hand": (lambda v: abs(v[0]) + np.maximum(abs(v[1]), abs(v[2])) + np.hypot(v[3], v[4]), VECTOR),
    "norm": (np.linalg.norm, VECTOR),
    "norm 1": (lambda v: np.linalg.norm(v, 1), VECTOR),
    "norm inf": (lambda v: np.linalg.norm(v, np.inf), VECTOR),
    "norm 3": (lambda v: np.linalg.norm(v, 3), VECTOR),
    "norms of rows": (lambda m: np.linalg.norm(m, axis=1).sum(), MATRIX),
    "norms of columns": (lambda m: np.linalg.norm(m, ord=3, axis=0).max(), MATRIX),
    "frobenius": (lambda m: np.linalg.norm(m, "fro"), MATRIX),
    "nuclear": (lambda m: np.linalg.norm(m, "nuc"), MATRIX),
    "spectral": (lambda m: np.linalg.norm(m, 2), MATRIX),
    "largest column sum": (lambda m: np.linalg.norm(m, 1), MATRIX),
    "vector norm": (lambda v: np.linalg.vector_norm(v, ord=1), VECTOR),
    "matrix norm": (lambda m: np.linalg.matrix_norm(m, ord="nuc"), MATRIX),
    "root of product": (lambda v: np.sqrt(v @ v), VECTOR),
    "product of two images": (lambda v: np.sqrt((SQUARE @ v) @ (SQUARE @ v)), VECTOR),
    "vdot": (lambda v: np.sqrt(np.vdot(v, v)), VECTOR),
    "quadratic form": (lambda v: np.sqrt(v @ POSITIVE @ v), VECTOR),
    "quadratic form by einsum": (lambda v: np.sqrt(np.einsum("i,ij,j->", v, POSITIVE, v)), VECTOR),
    "quadratic form by entries": (lambda v: np.sqrt(np.sum(v * (POSITIVE @ v))), VECTOR),
    "quadratic form of a part": (lambda v: np.sqrt(v[:4] @ POSITIVE[:4, :4] @ v[:4]) + abs(v[4]), VECTOR),
    "quadratic form of a matrix": (
        lambda m: np.sqrt(np.sum(m * (POSITIVE[:3, :3] @ m @ POSITIVE[:4, :4]))), MATRIX
    ),
    "norms of the catalogue": (lambda v: norms.l1()(v[:2]) + norms.l2()(v[2:]), VECTOR),
    "a norm of norms": (lambda v: norms.lp(3)(np.stack([np.abs(v[0]), norms.l2()(v[1:])])), VECTOR),
    "a norm of a tree": (
        lambda t: np.hypot(norms.tree((norms.l1(), "spectral"), "l2")((t["a"], t["b"][0])), 2 * t["b"][1]), TREE
    ),
    "fabs": (lambda v: np.sum(np.fabs(v)), VECTOR),
    "partitioned": (lambda v: np.partition(np.abs(v), 2)[2:].sum(), VECTOR),
    "the largest by partition": (lambda v: np.partition(np.abs(v), -1)[-1], VECTOR),
    "root of einsum": (lambda m: np.sqrt(np.einsum("ij,ij->", m, m)), MATRIX),
    "mean": (lambda v: np.abs(v).mean(), VECTOR),
    "root mean square": (lambda v: np.sqrt(np.mean(v**2)), VECTOR),
    "odd power": (lambda v: (np.abs(v) ** 1.5).sum() ** (1 / 1.5), VECTOR),
    "matrix": (lambda v: np.abs(SQUARE @ v).max(), VECTOR),
    "matrix from the right": (lambda v: np.abs(v @ SQUARE).sum(), VECTOR),
    "matrices": (lambda t: np.abs(t @ SMALL).sum(), STACK),
    "einsum": (lambda m: values(np.einsum("ij,jk->ik", m, SMALL)).max(), MATRIX),
    "solve": (lambda v: np.abs(np.linalg.solve(SQUARE, v)).sum(), VECTOR),
    "weights": (lambda v: np.max(WEIGHTS * np.abs(v)), VECTOR),
    "inner product": (lambda v: WEIGHTS @ np.abs(v), VECTOR),
    "rolled": (lambda v: np.abs(np.roll(v[::-1], 2)).max(), VECTOR),
    "swapped": (lambda t: np.abs(np.swapaxes(t, 0, 2)).max(axis=1).sum(), STACK),
    "reshaped": (lambda t: values(t.reshape(6, 4)).sum(), STACK),
    "differences": (lambda v: np.abs(np.diff(v, prepend=0)).sum(), VECTOR),
    "sums": (lambda v: np.abs(np.cumsum(v)).max(), VECTOR),
    "indices": (lambda v: np.abs(v[[4, 3, 2, 1, 0]]).max(), VECTOR),
    "tree": (lambda t: np.abs(t["a"]).sum() + values(t["b"][0]).max() + abs(t["b"][1]), TREE),
    "tree l2": (lambda t: np.sqrt(np.sum(t["a"] ** 2) + np.abs(t["b"][0]).sum() ** 2 + t["b"][1] ** 2), TREE),
    "tree stacked": (
        lambda t: np.linalg.norm(np.array([np.abs(t["a"]).max(), values(t["b"][0]).sum(), abs(t["b"][1])]), 3), TREE
    ),
    "three largest": (lambda v: np.sort(np.abs(v))[-3:].sum(), VECTOR),
    "flipped": (lambda v: np.flip(np.sort(np.abs(v)))[:2].sum(), VECTOR),
    "last": (lambda v: np.sort(np.abs(v))[-1], VECTOR),
    "norm of sorted": (lambda v: np.linalg.norm(np.sort(np.abs(v))), VECTOR),
    "ordered": (lambda v: np.sort(np.abs(v)) @ np.arange(1.0, 6.0), VECTOR),
    "number": (lambda x: 3 * abs(2 * x), 0.0),
    "one entry": (lambda v: np.abs(v).max(), np.zeros(1)),
    "ky fan": (lambda m: values(m)[:2].sum(), MATRIX),
    "first value": (lambda m: values(m)[0], MATRIX),
    "falling weights": (lambda m: values(m) @ FALLING, MATRIX),
    "weighted values": (lambda m: (FALLING * values(m)).sum(), MATRIX),
    "schatten": (lambda m: np.linalg.norm(values(m), 3), MATRIX),
    "sorted values": (lambda m: np.sort(values(m))[-2:].sum(), MATRIX),
    "values of each": (lambda t: np.linalg.norm(values(t), axis=1).sum(), STACK),
    "values of all": (lambda t: np.ravel(values(t)).max(), STACK),
    "a weight for each": (lambda t: (np.array([1.0, 3.0])[:, None] * values(t)).sum(), STACK),
    "values joined": (
        lambda t: np.linalg.norm(np.concatenate([values(t["a"]), values(t["b"])]), 3), {"a": MATRIX, "b": MATRIX[:2]}
    ),
    "values stacked": (lambda t: np.stack([values(t[0]), values(t[1])]).max(axis=1).sum(), [MATRIX, MATRIX]),
    "values of a decomposition": (lambda m: np.linalg.svd(m)[1][0], MATRIX),
    "values of a thin one": (lambda m: np.linalg.svd(m, full_matrices=False)[1][:2].sum(), MATRIX),
    "values of decompositions": (lambda t: np.linalg.svd(t)[1].sum(axis=1).max(), STACK),
    "values and entries": (lambda t: np.concatenate([values(t[0]), np.abs(t[1])]).sum(), [MATRIX, VECTOR]),
    "nested": (lambda m: np.sum(np.sqrt(np.sum((m @ SMALL) ** 2, axis=1)) ** 3) ** (1 / 3), MATRIX),
    "batched inside": (lambda m: cv.vmap(lambda row: np.abs(row).sum())(m).max(), MATRIX),
    "compiled inside": (lambda v: cv.jit(lambda u: np.abs(u).sum())(v), VECTOR),
}  # fmt: skip

each_inside = pytest.mark.parametrize(("norm", "like"), INSIDE.values(), ids=list(INSIDE))


def flat(tree: Any) -> Any:
    return np.asarray(ravel(tree)[0])


def drawn(like: Any, seed: int) -> Any:
    """A tree like the example; every second one has integers, with ties and zeros."""
    entries, restore = ravel(map_leaves(np.asarray, like))
    found = np.random.default_rng(seed).normal(size=len(entries))
    return restore(np.round(found) + 0.0 if seed % 2 else found)


@each_inside
@pytest.mark.parametrize("seed", [0, 1])
def test_a_dual_program_is_attained_and_no_vector_does_better(norm: Any, like: Any, seed: int) -> None:
    """A vector that is best among those around it is best, the pairing being linear and the ball convex."""
    covector = drawn(like, seed)
    dual_norm = norms.dualize(norm)
    best = flat(cv.grad(dual_norm)(covector))
    if not np.any(flat(covector)):
        return
    steepness = float(dual_norm(covector))
    assert float(norm(ravel(covector)[1](best))) == pytest.approx(1.0, abs=1e-12)
    assert flat(covector) @ best == pytest.approx(steepness, rel=1e-12)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(40):
            other = best + size * np.max(np.abs(best)) * rng.normal(size=best.shape)
            assert flat(covector) @ other <= steepness * float(norm(ravel(covector)[1](other))) * (1 + 1e-12)


@each_inside
def test_a_dual_program_is_recorded_batched_and_twice_differentiated(norm: Any, like: Any) -> None:
    covector = drawn(like, 4)
    dual_norm = norms.dualize(norm)
    steepness = dual_norm(covector)
    assert cv.jit(dual_norm)(covector) == pytest.approx(float(steepness), rel=1e-13)
    pair = map_leaves(lambda x: np.stack([x, -2 * x]), covector)
    np.testing.assert_allclose(cv.vmap(dual_norm)(pair), [steepness, 2 * steepness], rtol=1e-12)
    entries, restore = ravel(covector)

    def half_square(x: Any) -> Any:
        return dual_norm(restore(x)) ** 2 / 2

    step = 1e-5 * np.random.default_rng(0).normal(size=len(entries))
    change = cv.grad(half_square)(entries + step) - cv.grad(half_square)(entries - step)
    np.testing.assert_allclose(cv.hvp(half_square, (entries,), (2 * step,)), change, atol=1e-8 * float(steepness))


@each_inside
def test_a_dual_program_at_any_scale_at_zero_and_in_single_precision(norm: Any, like: Any) -> None:
    covector = drawn(like, 4)
    dual_norm = norms.dualize(norm)
    for scale in (1e-150, 1e150):
        assert dual_norm(map_leaves(lambda x, s=scale: x * s, covector)) / scale == pytest.approx(dual_norm(covector))
    zero = map_leaves(np.zeros_like, covector)
    assert dual_norm(zero) == 0
    assert not np.any(flat(cv.grad(dual_norm)(zero)))
    single = map_leaves(lambda x: np.float32(x) if np.ndim(x) == 0 else x.astype(np.float32), covector)
    assert dual_norm(single).dtype == norm(single).dtype
    assert flat(cv.grad(dual_norm)(single)).dtype == np.float32


OUTSIDE: dict[str, tuple[Callable[[Any], Any], Any, type[CovectorError], str]] = {
    "weights that rise with the values": (lambda m: values(m) @ FALLING[::-1], MATRIX, MissingRuleError, "`contract`"),
    "the second value": (lambda m: values(m)[1], MATRIX, MissingRuleError, "`slice`"),
    "all but the first": (lambda m: values(m)[1:].sum(), MATRIX, MissingRuleError, "`sum`"),
    "the first and the others": (
        lambda m: (lambda s: s[0] + 2 * np.sqrt(np.sum(s[1:] ** 2)))(values(m)), MATRIX, MissingRuleError, "`square`"
    ),
    "values one by one": (lambda m: (lambda a, b, c: a + 2 * b + c)(*values(m)), MATRIX, MissingRuleError, "`add`"),
    "weighted squares": (lambda m: np.sqrt((FALLING * values(m) ** 2).sum()), MATRIX, MissingRuleError, "`multiply`"),
    "weighted maximum": (lambda m: (FALLING * values(m)).max(), MATRIX, MissingRuleError, "`extremum`"),
    "values across matrices": (lambda t: values(t).sum(axis=0).max(), STACK, MissingRuleError, "`sum`"),
    "values across stacked": (
        lambda t: np.stack([values(t[0]), values(t[1])]).max(axis=0).sum(), [MATRIX, MATRIX], MissingRuleError,
        "`extremum`",
    ),
    "values taken apart": (lambda t: values(t).reshape(3, 2).max(axis=0).sum(), STACK, MissingRuleError, "`extremum`"),
    "weights in a stack": (lambda t: (values(t) * FALLING).sum(), STACK, MissingRuleError, "`multiply`"),
    "values plus entries": (
        lambda t: (values(t[0]) + np.abs(t[1])).max(), [MATRIX, np.zeros(3)], MissingRuleError, "`add`"
    ),
    "the first of each": (lambda t: values(t)[:, 0].max(), STACK, MissingRuleError, "must be treated alike"),
    "the first of each, turned": (lambda t: values(t).T[0].sum(), STACK, MissingRuleError, "must be treated alike"),
    "singular vectors": (lambda m: np.linalg.svd(m)[0][0, 0], MATRIX, MissingRuleError, "`singular_value_decomposit"),
    "the largest eigenvalue": (
        lambda m: np.sqrt(np.linalg.eigvalsh(m.T @ m)[-1]), MATRIX, MissingRuleError, "`permute` and `contract`"
    ),
    "inlined": (lambda v: norms.l1().norm(v), VECTOR, MissingRuleError, r"write norm\(v\), not norm.norm\(v\)"),
    "left out": (lambda v: np.abs(v)[:3].sum(), VECTOR, ArgumentError, "leaves entries unused"),
    "strided": (
        lambda v: (lambda s: s[::2].sum() + s[1::2].sum())(np.sort(np.abs(v))), VECTOR, MissingRuleError, "`sum`"
    ),
    "the smallest": (lambda v: np.sort(np.abs(v))[:3].sum(), VECTOR, MissingRuleError, "`sum`"),
    "exponential": (lambda v: np.exp(np.abs(v)).sum(), VECTOR, MissingRuleError, "`exp`"),
    "smoothed": (lambda v: np.sqrt(v**2 + 1e-6).sum(), VECTOR, MissingRuleError, "`add`"),
    "product of norms": (lambda v: np.prod(np.abs(v)) ** 0.2, VECTOR, MissingRuleError, "`product`"),
    "minimum": (lambda v: np.min(np.abs(v)), VECTOR, MissingRuleError, "minimum"),
    "below one": (lambda v: (np.abs(v) ** 0.5).sum() ** 2, VECTOR, MissingRuleError, "`power`"),
    "negative": (lambda v: np.sum(-np.abs(v)), VECTOR, MissingRuleError, "`negative`"),
    "no abs": (np.max, VECTOR, MissingRuleError, "linear function of the argument"),
    "used twice": (lambda v: np.abs(v).sum() + np.abs(v).max(), VECTOR, MissingRuleError, "used by"),
    "added to itself": (
        lambda v: (lambda a: np.sum(a + a))(np.abs(v)), VECTOR, MissingRuleError, "used by `add` and `add`"
    ),
    "the larger of itself": (
        lambda v: (lambda a: np.sum(np.maximum(a, a)))(np.abs(v)), VECTOR, MissingRuleError, "used by"
    ),
    "hypot of itself": (lambda v: np.sum(np.hypot(v, v)), VECTOR, MissingRuleError, "used by"),
    "joined with itself": (
        lambda v: (lambda a: np.sum(np.concatenate([a, a])))(np.abs(v)), VECTOR, MissingRuleError, "used by"
    ),
    "two norms of one variable": (lambda v: norms.l1()(v) + norms.l2()(v), VECTOR, MissingRuleError, "`norm_call`"),
    "a norm beside a constant": (
        lambda v: norms.tree(("l1", "l1"))((v, np.ones(2))), VECTOR, MissingRuleError, "of Product"
    ),
    "a norm of norms that is not absolute": (
        lambda v: norms.quadratic(POSITIVE)(np.abs(v)), VECTOR, MissingRuleError, "not absolute"
    ),
    "part of a partition": (
        lambda v: np.sum(np.partition(np.abs(v), 4)[2:]), VECTOR, MissingRuleError, "between two of the places"
    ),
    "indefinite": (
        lambda v: np.sqrt(v @ np.diag([1.0, -1.0, 2.0, 1.0, 1.0]) @ v), VECTOR, ArgumentError, "eigenvalue -1"
    ),
    "tall": (lambda v: np.abs(np.ones((7, 5)) @ v).max(), VECTOR, MissingRuleError, "maps 5 numbers to 7"),
    "fourier": (lambda v: np.abs(np.fft.rfft(v)).sum(), VECTOR, MissingRuleError, "complex"),
    "too large": (lambda v: np.abs(np.diff(v, prepend=0)).sum(), np.zeros(6000), MissingRuleError, "Difference"),
    "chosen": (lambda v: np.where(v > 1, v, -v).sum(), VECTOR, MissingRuleError, "`select`"),
    "linear": (np.sum, VECTOR, ArgumentError, "linear function of the argument"),
    "wide": (lambda v: np.abs(np.ones((3, 5)) @ v).max(), VECTOR, ArgumentError, "seminorm"),
    "singular": (lambda v: np.abs(np.ones((5, 5)) @ v).max(), VECTOR, ArgumentError, "rank 1"),
    "zero weight": (lambda v: np.sum(np.arange(5.0) * np.abs(v)), VECTOR, ArgumentError, "not all positive"),
    "not a root": (lambda v: (v**2).sum(), VECTOR, ArgumentError, "a power of a norm"),
    "a vector": (np.abs, VECTOR, ArgumentError, "one number"),
    "builtin max": (lambda v: max(abs(x) for x in v), VECTOR, ConcreteValueError, r"np\.maximum"),
    "float": (lambda v: float(np.abs(v).sum()), VECTOR, TracerConversionError, "records the program"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "like", "error", "named"), OUTSIDE.values(), ids=list(OUTSIDE))
def test_what_leaves_the_grammar_is_named(function: Any, like: Any, error: type[CovectorError], named: str) -> None:
    with pytest.raises(error, match=named):
        norms.dualize(function)(drawn(like, 0))


@pytest.mark.parametrize(
    ("norm", "known"),
    [
        (lambda m: np.sqrt(np.linalg.eigvalsh(m.T @ m)[-1]), norms.spectral()),
        (lambda m: (lambda s: s[0] + s[1])(np.linalg.svd(m)[1]), norms.ky_fan(2)),
    ],
    ids=["eigenvalue", "two values"],
)
def test_a_norm_outside_the_grammar_that_slices_is_searched(norm: Any, known: Any) -> None:
    found = norms.as_norm(norm, like=MATRIX)
    assert not found.traits.exact
    assert float(found.dual_norm(MATRIX)) == pytest.approx(float(known.dual_norm(MATRIX)), rel=1e-9)


def test_weights_of_sorted_entries_are_learned() -> None:
    """The dual of the norm with weights w is max of partial sums over partial sums of w; its derivative in w."""
    covector = np.array([3.0, -2.0, 0.5])

    def dual_norm(weights: Any) -> Any:
        return norms.dualize(lambda v: np.sort(np.abs(v)) @ weights)(covector)

    # The largest ratio is (3 + 2) / (w_3 + w_2) = 5 / 1.9, and not 3 / 1 or 5.5 / 2.7.
    weights = np.array([0.4, 0.5, 1.2])
    assert dual_norm(weights) == pytest.approx(5 / 1.7)
    np.testing.assert_allclose(cv.grad(dual_norm)(weights), [0.0, -5 / 1.7**2, -5 / 1.7**2])
