"""while_loop and fori_loop: loops whose number of steps may depend on traced values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from covector.core.interpreter import Tracer, origin_of
from covector.core.types import Array, typeof
from covector.errors import ArgumentError
from covector.graph.graph import Graph, Literal
from covector.ops.debugging import held_back, show
from covector.transforms.arguments import Results, as_leaf
from covector.transforms.control.bodies import known_value, recorded, retyped, strengthened, with_all_constants
from covector.transforms.control.carrying import Carry
from covector.transforms.control.conditional import scalar
from covector.transforms.control.looping import While
from covector.transforms.control.scan import Binomial, Plan, Steps, map_owned, scanned
from covector.trees import Tree


def while_loop(
    cond_fun: Callable[[Tree], Any], body_fun: Callable[[Tree], Tree], init_val: Tree, *, checkpoint: Any = "every"
) -> Tree:
    """The first of init_val, body_fun(init_val), body_fun(body_fun(init_val)), ... for which cond_fun does not hold.

    Args:
        cond_fun: a function of the carry that returns a boolean scalar.
        body_fun: a function from the carry to the next one, of the same tree structure, shapes and dtypes.
        init_val: the first carry: an array, a number or a tree of them.
        checkpoint: what reverse mode keeps: "every" carry, or at most n of them for `Binomial(n)`.

    Raises:
        ArgumentError: `cond_fun` does not return a boolean scalar, or never a false one because a step changes nothing
            that it reads; or `checkpoint` is not known.
        TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the carry changes its type.

    Under `vmap` the loop runs until it has ended for each element; those for which it has keep their carry.

    Law: while_loop is the loop in Python, and so are its derivatives, at a fixed number of steps.

    Example:
        >>> from covector import grad, vmap
        >>> root = lambda a: while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)
        >>> root(4.0).round(6), grad(root)(4.0).round(6), vmap(root)(np.array([4.0, 9.0])).round(6)
        (np.float64(2.0), np.float64(0.25), array([2., 3.]))
    """
    return _run(cond_fun, body_fun, Carry("while_loop", init_val), _slots(checkpoint))


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Tree], Tree],
    init_val: Tree,
    *,
    unroll: int | None = None,
    checkpoint: Any = "every",
) -> Tree:
    """The carry after `carry = body_fun(i, carry)` for i in range(lower, upper).

    Args:
        lower: the first index, an integer.
        upper: the end of the indices. If both bounds are known the loop is a `scan`, else a `while_loop`.
        body_fun: a function of the index and the carry that returns the next carry.
        init_val: the first carry.
        unroll: how many steps one step of the recorded loop makes; of known bounds only.
        checkpoint: what reverse mode keeps; see `scan`, or `while_loop` for bounds that are not known.

    Raises:
        ArgumentError: a bound is not an integer scalar, or an option does not fit.
        TreeMismatchError, ShapeMismatchError, DTypeMismatchError: the carry changes its type.

    Example:
        >>> from covector import grad
        >>> power = lambda x: fori_loop(0, 3, lambda i, c: c * x, 1.0)
        >>> power(2.0), grad(power)(2.0)
        (np.float64(8.0), np.float64(12.0))
    """
    first, last = (_bound(x, name) for x, name in ((lower, "lower"), (upper, "upper")))
    start, stop = known_value(first), known_value(last)
    if not isinstance(start, Tracer) and not isinstance(stop, Tracer):
        indices = np.arange(int(start), int(stop))
        indices.flags.writeable = False  # so that compiled code can write them as a range
        steps = Steps(indices, None, counting=True)
        origin = origin_of("fori_loop", body_fun)
        carry = Carry("fori_loop", init_val)
        plan = Plan.of(checkpoint, 1 if unroll is None else unroll, steps.length)
        return scanned(lambda c, i: (body_fun(i, c), None), carry, steps, False, plan, origin)[0]
    if unroll is not None:
        raise ArgumentError("fori_loop can unroll only loops whose bounds are known; these are traced")
    carry = Carry("fori_loop", (first, init_val), counters=1)
    return _run(lambda c: c[0] < last, lambda c: (c[0] + 1, body_fun(c[0], c[1])), carry, _slots(checkpoint))[1]


def _bound(value: Any, name: str) -> Array:
    bound = scalar(value, "fori_loop", name)
    if typeof(bound).dtype.kind not in "iu":
        raise ArgumentError(f"fori_loop needs integer bounds; {name} is {typeof(bound)}")
    return bound


def _slots(checkpoint: Any) -> int:
    if isinstance(checkpoint, Binomial):
        return checkpoint.slots
    if checkpoint == "every":
        return 0
    raise ArgumentError(
        f'while_loop knows checkpoint="every" and Binomial(slots), for its length is not known; found {checkpoint!r}'
    )


def _run(cond_fun: Callable[..., Any], body_fun: Callable[..., Tree], carry: Carry, slots: int) -> Tree:
    if not any(isinstance(x, Tracer) for x in carry.leaves):
        found = _looped(cond_fun, body_fun, carry)
        if found is not None:
            return carry.tree(found)
    condition, body, constants = _recorded_loop(cond_fun, body_fun, carry)
    return carry.tree(While(condition, body, slots)(*constants, *carry.leaves))


# --- in Python ------------------------------------------------------------------------------------------


def _looped(cond_fun: Callable[..., Any], body_fun: Callable[..., Tree], carry: Carry) -> list[Array] | None:
    """The last carry for plain values, from a loop in Python; None if a function closes over traced ones."""
    current = map_owned(carry.leaves)
    still: list[Array] = []
    steps = 0
    while True:
        holds = _condition(cond_fun(carry.tree(current)))
        if isinstance(holds, Tracer):
            return None
        if not holds:
            return list(map(Results(carry.leaves).keep, _strong(carry, current)))
        # the first step may have to be made again
        trial: AbstractContextManager[list[str]] = nullcontext([]) if steps else held_back()
        with trial as texts:
            outputs = carry.flattened(body_fun(carry.tree(current)))
        if any(isinstance(x, Tracer) for x in outputs):
            return None
        if not steps and carry.settle(list(map(typeof, outputs))):
            current = map_owned(carry.leaves)
            continue
        show(texts)
        if all(x is y for x, y in zip(outputs, current, strict=True)):  # unless the step writes into arrays
            arrays = any(isinstance(x, np.ndarray) for x in outputs)
            if not arrays or (still and all(map(_same, still, outputs))):
                raise ArgumentError(_ENDLESS)
            still = map_owned(outputs)
        current = carry.kept(outputs)
        steps += 1


def _same(x: Array, y: Array) -> bool:
    return np.array_equal(x, y, equal_nan=True)


def _strong(carry: Carry, leaves: Sequence[Array]) -> list[Array]:
    """The leaves, with NumPy's scalars for Python's numbers."""
    return [strengthened(x, kind.strong()) for x, kind in zip(leaves, carry.kinds, strict=True)]


def _condition(value: Any) -> Array:
    """What a condition returned, checked to be a boolean scalar."""
    leaf = as_leaf(value, lambda: "the condition of while_loop")
    kind = typeof(leaf)
    if kind.shape or kind.dtype != bool:
        raise ArgumentError(f"the condition of while_loop must be a boolean scalar; found {kind}")
    return leaf


# --- as one operation -----------------------------------------------------------------------------------


def _recorded_loop(
    cond_fun: Callable[..., Any], body_fun: Callable[..., Tree], carry: Carry
) -> tuple[Graph, Graph, list[Array]]:
    """The graphs of the condition and of a step, and the constants that are the leading inputs of both."""

    def step(*leaves: Array) -> list[Array]:
        return carry.flattened(body_fun(carry.tree(leaves)))

    def holds(*leaves: Array) -> list[Array]:
        return [_condition(cond_fun(carry.tree(leaves)))]

    while True:
        body, of_body = recorded(step, carry.kinds, origin_of(carry.what, body_fun))
        kinds = [atom.type for atom in body.outputs]
        if not carry.settle(kinds):
            break
    carry.check(kinds)
    condition, of_condition = recorded(holds, carry.kinds, origin_of(carry.what, cond_fun))
    closed = [len(of_condition), len(of_body)]
    condition, body = with_all_constants([condition, retyped(body, carry.kinds)], closed)
    _check_that_it_can_end(condition, body)
    return condition, body, [*of_condition, *of_body]


_ENDLESS = (
    "while_loop would never end: its condition holds, and a step changes nothing that the condition reads. Carry what "
    "the condition depends on, and return its next value from body_fun."
)


def _check_that_it_can_end(condition: Graph, body: Graph) -> None:
    """Raises if no carry that the condition reads is changed by a step; where nothing is done, `cond` does that."""
    (answer,) = condition.outputs
    read = {atom for equation in condition.equations for atom in equation.inputs} | {answer}
    constants = len(body.inputs) - len(body.outputs)
    triples = zip(condition.inputs[constants:], body.inputs[constants:], body.outputs, strict=True)
    never = isinstance(answer, Literal) and not answer.value
    if not never and not any(asked in read and after is not before for asked, before, after in triples):
        raise ArgumentError(_ENDLESS)
