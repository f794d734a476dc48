"""scan and map: loops over the leading axis of arrays, as single operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isqrt
from typing import Any, final

import numpy as np
from attrs import evolve, frozen

from covector.core.interpreter import Tracer, origin_of
from covector.core.types import Array, ArrayType, typeof
from covector.errors import ArgumentError, DTypeMismatchError, ShapeMismatchError, TreeMismatchError
from covector.graph.graph import Graph, run
from covector.interpreters.staging import record_flat
from covector.ops.debugging import held_back, show
from covector.transforms.arguments import LEAF, PLAIN_LEAVES, Results, as_leaf, owned
from covector.transforms.control.bodies import Split, input_types, recorded, retyped
from covector.transforms.control.carrying import Carry
from covector.transforms.control.scanning import Scan
from covector.transforms.vectorize import vmap
from covector.trees import Tree, TreeDefinition, flatten, leaf_path, leaf_paths, map_leaves, unflatten


@final
@frozen
class Binomial:
    """The policy of `scan` that keeps at most `slots` carries and recomputes the others (binomial checkpointing)."""

    slots: int


def scan(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]],
    init: Tree,
    xs: Tree = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
    *,
    checkpoint: Any = "every",
) -> tuple[Tree, Tree]:
    """The last carry and the stacked outputs of `carry, y = f(carry, x)`, for each x along the leading axis of xs.

    Args:
        f: a step: a function of the carry and one x that returns the next carry and an output y.
        init: the first carry; every carry has its tree structure, shapes and dtypes.
        xs: a tree of arrays with one leading axis length, or None.
        length: the number of steps; needed if `xs` is None.
        reverse: from the last x to the first; the outputs are stacked in the order of the xs all the same.
        unroll: how many steps one step of the recorded loop makes.
        checkpoint: what reverse mode keeps: the carry before "every" step, before every k-th step for an int k,
            "sqrt" for k the square root of the length, or at most n of them for `Binomial(n)`. What is not kept
            is computed again.

    Raises:
        ArgumentError: the length is not known, or an option does not fit.
        ShapeMismatchError: the leading axes disagree, or the carry changes its shape.
        DTypeMismatchError: the carry changes its dtype.
        TreeMismatchError: the carry changes its structure, or `f` does not return a pair.

    Law: scan is the loop in Python, and so are its derivatives.

    Example:
        >>> scan(lambda total, x: (total + x, total * x), 0.0, np.arange(4.0))
        (np.float64(6.0), array([0., 0., 2., 9.]))
        >>> from covector import grad
        >>> grad(lambda x: scan(lambda c, x: (c * x, None), 1.0, x)[0])(np.array([2.0, 3.0, 4.0]))
        array([12.,  8.,  6.])
    """
    steps = Steps(xs, length)
    plan = Plan.of(checkpoint, unroll, steps.length)
    return scanned(f, Carry("scan", init), steps, bool(reverse), plan, origin_of("scan", f))


def scanned(
    f: Callable[[Tree, Tree], tuple[Tree, Tree]], carry: Carry, steps: Steps, reverse: bool, plan: Plan, origin: str
) -> tuple[Tree, Tree]:
    """The last carry and the stacked outputs."""
    step = partial(_flat_step, f, carry, steps)
    if not any(isinstance(x, Tracer) for x in (*carry.leaves, *steps.leaves)):
        outputs = _looped(step, carry, steps, reverse)
        if outputs is not None:
            return _trees(carry, steps, outputs)
    graph, constants = _recorded_step(step, carry, steps, origin)
    loop = Loop(graph, len(carry.leaves), len(steps.leaves), reverse)
    return _trees(carry, steps, loop.run([*constants, *carry.leaves, *steps.leaves], steps.length, plan))


def map(f: Callable[..., Tree], xs: Tree, *, batch_size: int | None = None) -> Tree:
    """The function of each element along the leading axis of xs, one after the other, stacked.

    `vmap` does the same for all at once; `batch_size` does it for that many at a time.

    Example:
        >>> map(lambda x: x**2, np.arange(4.0))
        array([0., 1., 4., 9.])
    """
    if batch_size is None:
        return scan(lambda _, x: ((), f(x)), (), xs)[1]
    if batch_size < 1:
        raise ArgumentError(f"map needs a batch_size of at least 1; found {batch_size}")
    steps = Steps(xs, None)
    whole = steps.length // batch_size * batch_size
    chunks = map_leaves(lambda x: x[:whole].reshape(whole // batch_size, batch_size, *typeof(x).shape[1:]), xs)
    found = map(vmap(f), chunks) if whole else None
    joined = map_leaves(lambda y: y.reshape(whole, *typeof(y).shape[2:]), found)
    if whole == steps.length and whole:
        return joined
    rest = vmap(f)(map_leaves(lambda x: x[whole:], xs))
    return rest if not whole else map_leaves(lambda y, z: np.concatenate([y, z]), joined, rest)


# --- what is scanned over -------------------------------------------------------------------------------


@final
class Steps:
    """The xs of a scan, and the structure of its ys once a step has been made.

    With `counting`, a step is given Python integers, so that the dtypes they meet stay what they are.
    """

    y_structure: TreeDefinition

    def __init__(self, xs: Tree, length: int | None, counting: bool = False) -> None:
        self.counting = counting
        found, structure = flatten(xs)
        self.structure = LEAF if structure == LEAF else structure
        self.paths = leaf_paths(xs, "xs")
        self.leaves = [as_leaf(x, partial(self.paths.__getitem__, i)) for i, x in enumerate(found)]
        self.length = self._length(length)

    def _length(self, given: int | None) -> int:
        lengths: dict[str, int] = {}
        if given is not None:
            lengths["length"] = _whole(given)
        for x, path in zip(self.leaves, self.paths, strict=True):
            if not typeof(x).shape:
                raise ShapeMismatchError(f"scan needs arrays to scan over; {path} is {typeof(x)}, which has no axis")
            lengths[path] = typeof(x).shape[0]
        if not lengths:
            raise ArgumentError("scan has nothing that says how many steps to make: pass xs or length=")
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{path} has {n}" for path, n in lengths.items())
            raise ShapeMismatchError(f"scan needs leading axes of one length: {shown}")
        return next(iter(lengths.values()))

    def tree(self, leaves: Sequence[Array]) -> Tree:
        """One x with these leaves."""
        return leaves[0] if self.structure is LEAF else unflatten(self.structure, leaves)

    def flattened(self, y: Tree) -> list[Array]:
        """The leaves of one y."""
        if type(y) in PLAIN_LEAVES:
            self.y_structure = LEAF
            return [y]
        leaves, self.y_structure = flatten(y)
        return [as_leaf(leaf, partial(leaf_path, y, "y", i)) for i, leaf in enumerate(leaves)]

    @property
    def kinds(self) -> list[ArrayType]:
        """The types of one x."""
        return [ArrayType(kind.shape[1:], kind.dtype, self.counting) for kind in (typeof(x) for x in self.leaves)]

    @property
    def slices(self) -> list[Any]:
        """The xs of plain values, as sequences of what a step is given."""
        return [x.tolist() for x in self.leaves] if self.counting else self.leaves


def _whole(length: Any) -> int:
    try:
        number = int(length.__index__())
    except (AttributeError, TypeError):
        raise ArgumentError(f"scan needs an integer length; found {length!r}") from None
    if number < 0:
        raise ArgumentError(f"scan needs a length of at least 0; found {number}")
    return number


def _flat_step(f: Callable[..., Any], carry: Carry, steps: Steps, *leaves: Array) -> list[Array]:
    """One step on leaves: of the carry and of an x, to leaves of the next carry and of y."""
    count = len(carry.leaves)
    pair = f(carry.tree(leaves[:count]), steps.tree(leaves[count:]))
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TreeMismatchError(f"a step of scan must return (carry, y); it returned {pair!r}")
    after, y = pair
    return carry.flattened(after) + steps.flattened(y)


def _trees(carry: Carry, steps: Steps, outputs: Sequence[Array]) -> tuple[Tree, Tree]:
    count = len(carry.leaves)
    return carry.tree(outputs[:count]), unflatten(steps.y_structure, outputs[count:])


# --- in Python ------------------------------------------------------------------------------------------


def _looped(step: Callable[..., list[Array]], carry: Carry, steps: Steps, reverse: bool) -> list[Array] | None:
    """The outputs for plain values, from a loop in Python; None if the step closes over traced ones."""
    if not steps.length:
        return None
    count, xs = len(carry.leaves), steps.slices
    order = range(steps.length - 1, -1, -1) if reverse else range(steps.length)
    with held_back() as texts:
        outputs = step(*map_owned(carry.leaves), *(x[order[0]] for x in xs))
    while not any(isinstance(x, Tracer) for x in outputs) and carry.settle([typeof(x) for x in outputs[:count]]):
        with held_back() as texts:
            outputs = step(*map_owned(carry.leaves), *(x[order[0]] for x in xs))
    kinds = [typeof(y).strong() for y in outputs[count:]]
    stacked = [np.empty((steps.length, *kind.shape), kind.dtype) for kind in kinds]
    current = carry.leaves
    for position, i in enumerate(order):
        if position:
            outputs = step(*current, *(x[i] for x in xs))
        for x in outputs:
            if isinstance(x, Tracer):
                return None
        show(texts)
        texts = []
        current = carry.kept(outputs[:count])
        for buffer, y, kind in zip(stacked, outputs[count:], kinds, strict=True):
            buffer[i] = _same_output(y, kind)
    results = Results([*carry.leaves, *steps.leaves])
    return [*(results.keep(x) for x in current), *stacked]


def map_owned(leaves: Sequence[Array]) -> list[Array]:
    """Copies of the arrays, which a step may write into, as it may when it is compiled."""
    return [owned(x) for x in leaves]


def _same_output(y: Array, kind: ArrayType) -> Array:
    found = typeof(y)
    if found.shape != kind.shape or (found.dtype != kind.dtype and not found.weak):
        error = ShapeMismatchError if found.shape != kind.shape else DTypeMismatchError
        raise error(
            f"scan stacks the outputs, so they must have one type; found {kind} at one step, {found} at another"
        )
    return y


# --- as one operation -----------------------------------------------------------------------------------


def _recorded_step(
    step: Callable[..., list[Array]], carry: Carry, steps: Steps, origin: str
) -> tuple[Graph, list[Array]]:
    """The graph of a step, whose leading inputs are the constants that are returned."""
    count = len(carry.leaves)
    while True:
        graph, constants = recorded(step, [*carry.kinds, *steps.kinds], origin)
        kinds = [atom.type for atom in graph.outputs]
        if not carry.settle(kinds[:count]):
            carry.check(kinds[:count])
            return retyped(graph, [*carry.kinds, *(kind.strong() for kind in kinds[count:])]), constants


@final
@frozen
class Plan:
    """How to run a scan: chunks, as pairs of a length and whether to write it out, and slots for carries."""

    chunks: tuple[tuple[int, bool], ...]
    slots: int = 0

    @staticmethod
    def of(checkpoint: Any, unroll: int, length: int) -> Plan:
        """The plan for what the user asks for."""
        if isinstance(unroll, bool):
            unroll = length if unroll else 1
        if unroll < 1:
            raise ArgumentError(f"scan needs unroll to be at least 1; found {unroll}")
        written_out = ((min(unroll, length), True),) if min(unroll, length) > 1 else ()
        if isinstance(checkpoint, Binomial):
            if checkpoint.slots < 1:
                raise ArgumentError(f"Binomial needs at least 1 slot, for the first carry; found {checkpoint.slots}")
            return Plan(written_out, checkpoint.slots)
        if checkpoint == "every":
            return Plan(written_out)
        chunk = isqrt(length) if checkpoint == "sqrt" else checkpoint
        if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < (checkpoint != "sqrt"):
            known = '"every", "sqrt", an int k >= 1 and Binomial(slots)'
            raise ArgumentError(f"scan knows checkpoint={known}; found {checkpoint!r}")
        return Plan((((chunk, False),) if 1 < chunk < length else ()) + written_out)


@final
@frozen
class Loop:
    """A step as a graph, of constants, carry and xs, and in which direction it is repeated."""

    body: Graph
    carries: int
    scanned: int
    reverse: bool

    @property
    def split(self) -> Split:
        """Constants, carry and xs."""
        return Split((len(self.body.inputs) - self.carries - self.scanned, self.carries, self.scanned))

    def run(self, inputs: Sequence[Array], length: int, plan: Plan) -> list[Array]:
        """The last carry and the stacked ys of that many steps."""
        if not plan.chunks or length < plan.chunks[0][0]:
            operation = Scan(self.body, length, self.carries, self.scanned, self.reverse, plan.slots)
            return list(operation(*inputs))
        (size, written_out), inner = plan.chunks[0], Plan(plan.chunks[1:], plan.slots)
        constants, carry, xs = self.split(inputs)
        count = length // size
        whole = count * size
        first = [x[:whole].reshape(count, size, *typeof(x).shape[1:]) for x in xs]
        rest = [x[whole:] for x in xs]
        chunk = evolve(self, body=self._chunk(size, written_out, Plan(plan.chunks[1:])))
        parts: list[list[Array]] = [[], []]
        for part in (1, 0) if self.reverse else (0, 1):
            if part == 0:
                found = chunk.run([*constants, *carry, *first], count, Plan((), plan.slots))
                ys = [y.reshape(whole, *typeof(y).shape[2:]) for y in found[self.carries :]]
            else:
                found = self.run([*constants, *carry, *rest], length - whole, inner) if whole < length else [*carry]
                ys = found[self.carries :]
            carry, parts[part] = found[: self.carries], ys
        joined = [np.concatenate(pair) for pair in zip(*parts, strict=True)] if whole < length else parts[0]
        return [*carry, *joined]

    def _chunk(self, size: int, written_out: bool, inner: Plan) -> Graph:
        """The graph of several steps, on chunks of the xs."""
        constants, carry, xs = self.split(input_types(self.body))
        kinds = [*constants, *carry, *(kind.batched(size) for kind in xs)]
        steps = partial(self._written_out, size) if written_out else lambda *inputs: self.run(inputs, size, inner)
        graph = record_flat(steps, kinds, "scan")
        return retyped(graph, [atom.type.strong() for atom in graph.outputs])

    def _written_out(self, size: int, *inputs: Array) -> list[Array]:
        constants, carry, xs = self.split(inputs)
        rows: list[Any] = [None] * size
        for i in range(size - 1, -1, -1) if self.reverse else range(size):
            found = run(self.body, [*constants, *carry, *(x[i] for x in xs)])
            carry, rows[i] = found[: self.carries], found[self.carries :]
        return [*carry, *(np.stack(ys) for ys in zip(*rows, strict=True))]
