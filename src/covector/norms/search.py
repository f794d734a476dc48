"""The dual of a norm that has no closed form, as one operation that is differentiated, batched and recorded as a whole.

All that is asked of the norm N is its value and a subgradient. `solve` finds the direction by the BFGS method, makes it
exact to rounding by Newton steps where the norm is smooth, and bounds the dual norm from both sides by a bundle of
subgradients (see `covector.norms.bundle`). The operation `Search` wraps it:

- its dual norm is differentiated by the envelope theorem: <v, dg> - dual_norm(g) dN(v), dN by what N refers to; where
  N has a kink at v, the functions that meet there count by their shares (see `covector.norms.faces`);
- its direction implicitly. With F = grad(N^2 / 2), J = dual_norm(g) v solves F(J) = g, so that F' dJ = dg - dF, a
  system that conjugate gradients solve. That is meaningful where F is smooth at v. At a kink it raises ArgumentError;
- `vmap` searches for one element after the other; `jit` and `make_graph` record it as one operation.

    >>> g = np.array([3.0, -1.0, 0.5])
    >>> found = search(lambda v: [np.sqrt(v @ v), v / np.sqrt(v @ v)], g)
    >>> round(float(found[1]), 9)
    3.201562119
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.primitive import Deferred, Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, MissingRuleError, TracerConversionError
from covector.interpreters.jvp import jvp_flat
from covector.norms.bundle import Bundle, WarmStart, empty_warm_start
from covector.norms.exposed import settle
from covector.norms.faces import SMOOTH, Face, change_at_kink
from covector.norms.implicit import SymmetricSolve, conjugate_gradients, looped, recorded
from covector.norms.layout import magnitude, ratio
from covector.norms.oracle import (
    Known,
    Oracle,
    Program,
    half_square_gradient,
    half_square_hessian,
    shared_memory,
)
from covector.norms.quasi_newton import quasi_newton

GOAL = 1e-9
"""The relative gap at which a solution is good enough."""

BESIDE = 1e-2
"""How far from the best vector a search begins again that has not closed the gap, relative to its entries.

Equal entries, or zeros, may have kept it on a kink, where a step along a subgradient leads nowhere.
"""

WORTH_MORE = 1e-7
"""The relative gap above which more atoms are looked for."""


# --- numbers ----------------------------------------------------------------------------------------------------


def solve(
    oracle: Oracle, covector: Array, near: Array | None = None, goal: float = GOAL, ties: str = "min_norm"
) -> Bundle:
    """The direction and the bounds of the dual norm for a covector, a vector of floats whose entries are not all zero.

    It is found sooner if another direction is near. Where several are best, `ties` says which is taken.
    """
    bundle = Bundle(oracle, covector, empty_warm_start(len(covector)))
    bundle.visit(covector)
    if near is not None:
        bundle.visit(near)
    start = bundle.lower * bundle.vector

    def half_square(vector: Array) -> tuple[float, Array]:
        length, atom = bundle.visit(vector)
        return 0.5 * length * length - float(np.dot(covector, vector)), length * atom - covector

    for again in (False, True):
        quasi_newton(half_square, bundle.lower * _beside(bundle.vector) if again else start)
        bundle.span()
        _newton(bundle, oracle)
        bundle.close(goal)
        if bundle.gap() <= WORTH_MORE:
            break
    if bundle.gap() > WORTH_MORE:
        bundle.search(goal, len(covector) + 20)
    smooth = _mismatch(bundle.lower, oracle(bundle.vector)[1], covector) < SMOOTH
    settle(bundle, ties, oracle.hessian, smooth)
    return bundle


def _beside(vector: Array) -> Array:
    """A vector near another one, on no kink."""
    size = float(np.linalg.norm(vector)) / len(vector) ** 0.5
    return vector + BESIDE * size * np.random.default_rng(0).uniform(-1.0, 1.0, len(vector))


def _newton(bundle: Bundle, oracle: Oracle) -> None:
    """Newton steps v -> (F')^-1 g while they bring F(v) closer to g, if the norm is smooth at the best vector."""
    covector = bundle.covector
    for _ in range(5):
        vector = bundle.vector
        before = _mismatch(bundle.lower, oracle(vector)[1], covector)
        if not 0 < before < SMOOTH:
            return
        try:
            step = conjugate_gradients(partial(oracle.hessian, vector), covector, 1e-13)
        except ArgumentError:
            return
        length, atom = bundle.visit(step)
        after = _mismatch(float(np.dot(covector, step)) / length, atom, covector)
        if not after < before:
            return
        bundle.vector, bundle.lower, bundle.atom = step / length, float(np.dot(covector, step)) / length, atom


def _mismatch(steepness: float, atom: Array, covector: Array) -> float:
    """How far F(dual_norm(g) v) is from g, relative to g; for a norm that is smooth at the maximizer it is zero."""
    return float(np.linalg.norm(steepness * atom - covector) / np.linalg.norm(covector))


# --- the operations -------------------------------------------------------------------------------------------


@final
@frozen
class Search(Primitive):
    """The vector of norm 1 that is best for a covector, a lower and an upper bound of the dual norm, and the mismatch.

    Inputs are the covector and the values the program refers to.
    """

    program: Program
    ties: str = "min_norm"

    @property
    def signature(self) -> str:
        return self.name

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        covector, *values = inputs
        if not np.any(covector):
            return np.zeros(len(covector)), np.float64(0.0), np.float64(0.0), np.float64(0.0)
        with shared_memory() as memory:
            known = memory.of(self.program, values)
            if known.covector is None or not np.array_equal(covector, known.covector):
                known.found = self._found(covector, known)
                known.covector = np.array(covector)
            found: tuple[Array, ...] = known.found
            return found

    def _found(self, covector: Array, known: Known) -> tuple[Array, ...]:
        unit, oracle = float(magnitude(np.asarray(covector))), known.oracle
        scaled, near = covector / unit, None if known.covector is None else known.found[0] * oracle.unit
        found = solve(oracle, scaled, near, ties=self.ties)
        mismatch = _mismatch(found.lower, oracle(found.vector)[1], scaled)
        return found.vector / oracle.unit, *_numbers(unit, oracle, found), np.float64(mismatch)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        number = ArrayType((), np.dtype(float))
        return (ArrayType(inputs[0].shape, np.dtype(float)), number, number, number)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        outputs = self(*primals)
        vector, steepness, _, mismatch = outputs
        slope = self._slope(outputs, primals, tangents)
        turn = Deferred(self._turn, vector, steepness, mismatch, slope, primals[1:], tangents)
        return outputs, (turn, slope, slope, None)

    def _slope(
        self, outputs: Sequence[Array], primals: Sequence[Array], tangents: Sequence[Array | None]
    ) -> Array | None:
        """<v, dg> - dual_norm(g) dN(v)."""
        change, *moves = tangents
        terms = [] if change is None else [np.dot(outputs[0], change)]
        if any(move is not None for move in moves):
            length = self._change(outputs, primals, moves)
            terms += [] if length is None else [-length]
        return sum(terms[1:], terms[0]) if terms else None

    def _change(
        self, outputs: Sequence[Array], primals: Sequence[Array], moves: Sequence[Array | None]
    ) -> Array | None:
        """dual_norm(g) dN(v)."""
        (vector, steepness, _, mismatch), (covector, *values) = outputs, primals
        if isinstance(mismatch, Tracer) or mismatch > SMOOTH:
            face = Face(self.program)(covector, vector, steepness, mismatch, *values)
            return change_at_kink(self.program, face, vector, values, moves)
        _, (length, _) = jvp_flat(lambda *leaves: self.program(vector, *leaves), values, moves, "a dual norm")
        return None if length is None else steepness * length

    def _turn(
        self, vector: Array, steepness: Array, mismatch: Array, slope: Array | None, values: Sequence[Array],
        tangents: Sequence[Array | None],
    ) -> Array:  # fmt: skip
        """The tangent of v = J / dual_norm(g), with F'(v) dJ = dg - dF."""
        change, *moves = tangents
        target = np.zeros_like(vector) if change is None else change
        if any(move is not None for move in moves):
            _, (moved,) = jvp_flat(
                lambda *leaves: [half_square_gradient(self.program, vector, *leaves)], values, moves, "a direction"
            )
            target = target if moved is None else target - steepness * moved
        image = SymmetricSolve(HalfSquareHessian(self.program), 1e-12)(target, vector, mismatch, *values)
        return ratio(image - (0.0 if slope is None else slope) * vector, steepness)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return looped(self, size, inputs, batched)


@final
@frozen
class HalfSquareHessian:
    """(x, v, mismatch, *values) -> F'(v) x. Raises ArgumentError if the mismatch says that F has a kink at v."""

    program: Program

    def __call__(self, direction: Array, vector: Array, mismatch: Array, *values: Array) -> Sequence[Array]:
        if not isinstance(mismatch, Tracer) and not mismatch <= SMOOTH:
            raise ArgumentError(
                "the derivative of a direction was asked for, but the norm has a kink there, so that its Hessian does "
                f"not determine it (a subgradient misses the covector by {float(mismatch):.1e} of its length). The "
                "dual norm has a derivative; or give the norm in closed form"
            )
        return half_square_hessian(self.program, vector, direction, *values)


@final
@frozen
class WarmSearch(Primitive):
    """The same within a gap, beginning with atoms that earlier searches found, and the atoms for the next one.

    Inputs are the covector, the four arrays of a `WarmStart`, and the values the program refers to; outputs are the
    vector, the lower and the upper bound, and the four arrays.
    """

    program: Program
    gap: float
    budget: int

    @property
    def signature(self) -> str:
        return f"{self.name}[gap={self.gap}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        covector, *rest = inputs
        warm, values = WarmStart(*rest[:4]), rest[4:]
        if not np.any(covector):
            return np.zeros(len(covector)), np.float64(0.0), np.float64(0.0), *(np.asarray(x, float) for x in warm)
        unit = float(magnitude(np.asarray(covector)))
        if np.any(warm.atoms):
            oracle = Oracle(self.program, values, float(magnitude(np.asarray(warm.atoms))))
            start = warm.in_units(oracle.unit)
            bundle = Bundle(oracle, covector / unit, start)
            bundle.approach(self.gap, self.budget - 1)
            bundle.linger(self.gap, start.vector, self.budget - bundle.asked)
        else:
            oracle = Oracle(self.program, values, None)
            bundle = Bundle(oracle, covector / unit, warm)
            bundle.span()
            bundle.approach(self.gap, self.budget + len(covector))
        return bundle.vector / oracle.unit, *_numbers(unit, oracle, bundle), *bundle.warm.in_units(1.0 / oracle.unit)

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        number = ArrayType((), np.dtype(float))
        arrays = (ArrayType(kind.shape, number.dtype) for kind in inputs[1:5])
        return (ArrayType(inputs[0].shape, number.dtype), number, number, *arrays)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        raise MissingRuleError(
            "a direction within a gap has no derivative: it depends on the searches before it. Differentiate "
            "norm.maximizer or norm.dual_norm instead"
        )

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> Any:
        return looped(self, size, inputs, batched)


def _numbers(unit: float, oracle: Oracle, bundle: Bundle) -> tuple[Array, Array]:
    """The bounds, which rounding must not put into the wrong order."""
    lower, upper = bundle.lower / oracle.unit, max(bundle.lower, bundle.upper) / oracle.unit
    return np.float64(unit * lower), np.float64(unit * upper)


def search(
    function: Callable[[Array], Sequence[Array]], covector: Array, ties: str = "min_norm"
) -> Sequence[Array]:
    """The outputs of `Search` for a function v -> (norm, subgradient) that may refer to traced values."""
    return _bound(partial(Search, ties=ties), function, covector)


def warm_search(
    function: Callable[[Array], Sequence[Array]], covector: Array, warm: WarmStart, gap: float, budget: int
) -> Sequence[Array]:
    """The outputs of `WarmSearch`."""
    return _bound(partial(WarmSearch, gap=gap, budget=budget), function, covector, *warm)


def _bound(kind: Callable[[Program], Primitive], function: Program, covector: Array, *warm: Array) -> Sequence[Array]:
    """The operation with the function as it is; if it is, or refers to, something traced, with a recorded program."""
    if not isinstance(covector, Tracer):
        try:
            plain: Sequence[Array] = kind(function)(covector, *warm)
            return plain
        except TracerConversionError:
            pass
    found = recorded(function, [typeof(covector).strong()], "a norm")
    if not any(isinstance(value, Tracer) for value in found.values):
        referring_to_none: Sequence[Array] = kind(function)(covector, *warm)
        return referring_to_none
    outputs: Sequence[Array] = kind(found.program)(covector, *warm, *found.values)
    return outputs
