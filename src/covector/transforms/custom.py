"""Custom derivative rules: a forward rule, a reverse rule, or both, on one function.

    @custom_jvp                        @custom_vjp
    def f(x): ...                      def f(x): ...

    @f.defjvp                          f.defvjp(forward, backward)
    def f_jvp(primals, tangents):      # forward(x) -> (output, residuals)
        return f(x), tangent           # backward(residuals, cotangent) -> (cotangent of x,)

Both decorators make the same kind of object, and either rule can be added to it. With a forward rule alone,
reverse mode transposes it. With a reverse rule alone, forward mode transposes that: the backward function is
linear in its cotangent. With both, each mode uses its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive, as_tuple, moved_to_front
from covector.core.types import Array, ArrayType, typeof, zeros
from covector.errors import ArgumentError, MissingRuleError, NonlinearError, TreeMismatchError
from covector.interpreters.batching import batch_flat
from covector.interpreters.jvp import jvp_flat
from covector.interpreters.linearizing import filled_tangents, keeping_constants, record_linear_flat
from covector.interpreters.staging import record_flat
from covector.interpreters.tape import pull
from covector.transforms.arguments import as_leaf, conforming_leaves
from covector.trees import Tree, TreeDefinition, flatten, leaf_path, unflatten

P = ParamSpec("P")
R = TypeVar("R")
Flat = Callable[[Sequence[Array]], list[Array]]


@final
class CustomFunction(Generic[P, R]):
    """A function with derivative rules of its own; made by `custom_jvp` or `custom_vjp`."""

    def __init__(self, function: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> None:
        self.function = function
        self.nondiff_argnums = tuple(nondiff_argnums)
        self._jvp: Callable[..., Any] | None = None
        self._forward: Callable[..., Any] | None = None
        self._backward: Callable[..., Any] | None = None
        update_wrapper(self, function, updated=())  # the function may carry attributes with the names of ours

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Sets the forward rule: `rule(primals, tangents)` returns (output, tangent of the output).

        Non-differentiated arguments come first: `rule(*nondiff, primals, tangents)`. The tangent must be linear
        in the tangents. Returns the rule, so that this can be used as a decorator.
        """
        self._jvp = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Sets a forward rule per argument: `rule(tangent, output, *primals)` returns its part; None is zero."""

        def combined(primals: tuple[Tree, ...], tangents: tuple[Tree, ...]) -> tuple[Tree, Tree]:
            output = cast(Callable[..., Any], self)(*primals)
            terms = [r(t, output, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            return output, sum(terms[1:], terms[0]) if terms else np.zeros_like(output)

        self._jvp = combined

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Sets the reverse rule.

        `forward(*args)` returns (output, residuals), with residuals any tree; `backward(residuals, cotangent)`
        returns a tuple with one cotangent per differentiated argument, None for zero. Non-differentiated
        arguments go to `forward` in their places, and come first in `backward(*nondiff, residuals, cotangent)`.
        """
        self._forward, self._backward = forward, backward

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's output; under a transformation, with its own derivative."""
        bind = kwargs or getattr(self.function, "__defaults__", None)
        given: Any = _positional(self.function, args, kwargs) if bind else args
        static = {i % len(given) for i in self.nondiff_argnums} if given else set()
        call = _Call(self, given, sorted(static))
        if not any(isinstance(x, Tracer) for x in call.leaves):
            return cast(Callable[..., R], self.function)(*given)
        if self._jvp is None and self._forward is None:
            raise MissingRuleError(f"{_name(self.function)} has no rule yet: set one with .defjvp or .defvjp")
        outputs = CustomCall(call.rules())(*call.leaves)
        result: R = unflatten(call.structures["output"], outputs)
        return result


def custom_jvp(function: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> CustomFunction[P, R]:
    """A function whose derivative is a forward rule of your own, set with `.defjvp`.

    Args:
        function: a function of arrays, numbers or trees of them; closing over traced values is refused.
        nondiff_argnums: positional arguments that are not differentiated and may be anything.

    Example:
        >>> import numpy as np
        >>> from covector import grad
        >>> @custom_jvp
        ... def log1pexp(x):
        ...     return np.log1p(np.exp(x))
        >>> @log1pexp.defjvp
        ... def log1pexp_jvp(primals, tangents):
        ...     (x,), (dx,) = primals, tangents
        ...     return log1pexp(x), dx / (1.0 + np.exp(-x))
        >>> float(grad(log1pexp)(0.0))
        0.5
    """
    return CustomFunction(function, nondiff_argnums)


def custom_vjp(function: Callable[P, R], nondiff_argnums: Sequence[int] = ()) -> CustomFunction[P, R]:
    """A function whose derivative is a reverse rule of your own, set with `.defvjp`. See `custom_jvp`.

    Example:
        >>> import numpy as np
        >>> from covector import grad
        >>> @custom_vjp
        ... def clipped(x):
        ...     return x
        >>> clipped.defvjp(lambda x: (x, None), lambda residuals, cotangent: (np.clip(cotangent, -1.0, 1.0),))
        >>> float(grad(lambda x: 5.0 * clipped(x))(2.0))
        1.0
    """
    return CustomFunction(function, nondiff_argnums)


# --- from trees to leaves -------------------------------------------------------------------------------


@final
class _Call:
    """One call of a custom function: its rules as functions of leaves.

    `structures` is filled as the functions run: the trees of the output and of the residuals.
    """

    def __init__(self, custom: CustomFunction[Any, Any], args: tuple[Tree, ...], static: Sequence[int]) -> None:
        self.custom, self.args, self.static = custom, args, static
        self.dynamic = [i for i in range(len(args)) if i not in static]
        self.leaves, self.structure = flatten(tuple(args[i] for i in self.dynamic))
        self.structures: dict[str, TreeDefinition] = {}

    def rules(self) -> Rules:
        """The rules as functions of leaves."""
        custom = self.custom
        return Rules(
            _name(custom.function),
            self.function,
            self.jvp if custom._jvp is not None else None,
            self.forward if custom._forward is not None else None,
            self.backward if custom._backward is not None else None,
        )

    def function(self, leaves: Sequence[Array]) -> list[Array]:
        return self._outputs(self.custom.function(*self._arguments(leaves)), "output")

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        rule = self.custom._jvp
        assert rule is not None
        pair = rule(*self._static_values(), unflatten(self.structure, primals), unflatten(self.structure, tangents))
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TreeMismatchError(f"the jvp rule of {_name(rule)} must return (output, tangent); found {pair!r}")
        outputs = self._outputs(pair[0], "output")
        kinds = [typeof(x) for x in outputs]
        names = ("the tangent returned by the jvp rule", "the output")
        tangents = conforming_leaves(self.structures["output"], pair[1], kinds, names)
        return outputs, tangents

    def forward(self, leaves: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        rule = self.custom._forward
        assert rule is not None
        pair = rule(*self._arguments(leaves))
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TreeMismatchError(f"the forward rule {_name(rule)} must return (output, residuals); found {pair!r}")
        return self._outputs(pair[0], "output"), self._outputs(pair[1], "residuals")

    def backward(self, residuals: Sequence[Array], cotangents: Sequence[Array]) -> list[Array | None]:
        rule = self.custom._backward
        assert rule is not None
        residual_tree = unflatten(self.structures["residuals"], residuals)
        found = rule(*self._static_values(), residual_tree, unflatten(self.structures["output"], cotangents))
        if not isinstance(found, (tuple, list)) or len(found) != len(self.dynamic):
            raise TreeMismatchError(
                f"the backward rule {_name(rule)} must return a tuple of {len(self.dynamic)} cotangents, one per "
                f"differentiated argument; it returned {found!r}"
            )
        return [x for i, part in zip(self.dynamic, found, strict=True) for x in self._cotangents(i, part)]

    def _cotangents(self, number: int, part: Tree) -> list[Array | None]:
        leaves, structure = flatten(self.args[number])
        if part is None:
            return [None] * len(leaves)
        kinds = [typeof(x) for x in leaves]
        name = f"the cotangent of args[{number}] returned by the backward rule"
        return list(conforming_leaves(structure, part, kinds, (name, f"args[{number}]")))

    def _arguments(self, leaves: Sequence[Array]) -> list[Tree]:
        args = list(self.args)
        for i, value in zip(self.dynamic, unflatten(self.structure, leaves), strict=True):
            args[i] = value
        return args

    def _static_values(self) -> list[Tree]:
        return [self.args[i] for i in self.static]

    def _outputs(self, tree: Tree, what: str) -> list[Array]:
        leaves, self.structures[what] = flatten(tree)
        return [as_leaf(x, partial(leaf_path, tree, what, i)) for i, x in enumerate(leaves)]


def _positional(function: Callable[..., Any], args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> tuple[Tree, ...]:
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    refused = [name for name in bound.kwargs if name in kwargs]
    if refused:
        raise ArgumentError(
            f"{_name(function)} has a custom rule, so its keyword-only arguments {refused} are not supported"
        )
    return bound.args


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


# --- the primitives -------------------------------------------------------------------------------------


@final
@frozen(eq=False)
class Rules:
    """A custom function and its rules, on leaves. At least one of jvp and (forward, backward) is there.

    jvp(primals, tangents) -> (outputs, tangents); forward(inputs) -> (outputs, residuals);
    backward(residuals, cotangents) -> cotangents of the inputs, None for zero.
    """

    name: str
    function: Flat
    jvp: Callable[..., Any] | None
    forward: Callable[..., Any] | None
    backward: Callable[..., Any] | None


@final
@frozen
class CustomCall(Primitive):
    """A call of a function with custom rules."""

    rules: Rules

    @property
    def name(self) -> str:
        return self.rules.name

    @property
    def signature(self) -> str:
        return f"custom[{self.rules.name}]"

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        return tuple(self.rules.function(inputs))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        graph = record_flat(lambda *xs: self.rules.function(xs), inputs, self.rules.name)
        return tuple(atom.type for atom in graph.outputs)

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        with keeping_constants(tangents):
            return self._by_rule(primals, tangents)

    def _by_rule(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        rules = self.rules
        if rules.forward is None:
            assert rules.jvp is not None
            outputs, derivatives = rules.jvp(primals, filled_tangents(tangents, primals))
            return tuple(outputs), tuple(derivatives)
        outputs, residuals = rules.forward(primals)
        kinds = tuple(typeof(x).strong() for x in outputs)
        active = tuple(i for i, t in enumerate(tangents) if t is not None)
        derivative = CustomDerivative(rules, len(residuals), tuple(typeof(p).strong() for p in primals), active, kinds)
        directions = [tangents[i] for i in active]
        return tuple(outputs), as_tuple(derivative(*residuals, *primals, *directions))

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        filled = [moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True)]
        return tuple(CustomCall(batched_rules(self.rules, size))(*filled))


def batched_rules(rules: Rules, size: int) -> Rules:
    """The rules of the function mapped over the leading axis of every input."""
    origin = f"vmap of {rules.name}"

    def mapped(function: Callable[..., list[Array]], *groups: Sequence[Array]) -> list[Array]:
        leaves = [x for group in groups for x in group]

        def flat(*found: Array) -> list[Array]:
            rest = iter(found)
            return function(*([next(rest) for _ in group] for group in groups))

        outputs, flags = batch_flat(flat, leaves, [True] * len(leaves), size, origin)
        return [moved_to_front(x, flag, size) for x, flag in zip(outputs, flags, strict=True)]

    def pair(rule: Callable[..., Any]) -> Callable[..., Any]:
        def mapped_pair(*groups: Sequence[Array]) -> tuple[list[Array], list[Array]]:
            counts: list[int] = []

            def joined(*args: Sequence[Array]) -> list[Array]:
                first, second = rule(*args)
                counts.append(len(first))
                return [*first, *second]

            found = mapped(joined, *groups)
            return found[: counts[-1]], found[counts[-1] :]

        return mapped_pair

    def backward(residuals: Sequence[Array], cotangents: Sequence[Array]) -> list[Array | None]:
        present: list[bool] = []

        def nonzero(*args: Sequence[Array]) -> list[Array]:
            assert rules.backward is not None
            found = rules.backward(*args)
            present[:] = [x is not None for x in found]
            return [x for x in found if x is not None]

        rest = iter(mapped(nonzero, residuals, cotangents))
        return [next(rest) if there else None for there in present]

    return Rules(
        origin,
        lambda leaves: mapped(rules.function, leaves),
        None if rules.jvp is None else pair(rules.jvp),
        None if rules.forward is None else pair(rules.forward),
        None if rules.backward is None else backward,
    )


@final
@frozen
class CustomDerivative(Primitive):
    """The derivative of a function with a reverse rule: of (residuals, primals, tangents), linear in the tangents.

    `kinds` are the types of the primals, `active` those that have a tangent, `outputs` the types of the outputs.
    """

    rules: Rules
    residual_count: int
    kinds: tuple[ArrayType, ...]
    active: tuple[int, ...]
    outputs: tuple[ArrayType, ...]

    @property
    def _constants(self) -> int:
        return self.residual_count + len(self.kinds)

    def evaluate(self, *inputs: Array) -> tuple[Array, ...]:
        residuals, primals = inputs[: self.residual_count], inputs[self.residual_count : self._constants]
        directions: list[Array | None] = [None] * len(self.kinds)
        for i, tangent in zip(self.active, inputs[self._constants :], strict=True):
            directions[i] = tangent
        if self.rules.jvp is not None:
            filled = [zeros(k) if t is None else t for t, k in zip(directions, self.kinds, strict=True)]
            return tuple(self.rules.jvp(primals, filled)[1])
        return self._transposed_backward(residuals, directions)

    def _transposed_backward(self, residuals: Sequence[Array], directions: Sequence[Array | None]) -> tuple[Array, ...]:
        """The jvp as the transpose of the backward rule, which is linear in the cotangents."""

        def backward(*cotangents: Array) -> list[Array]:
            assert self.rules.backward is not None
            found = self.rules.backward(residuals, cotangents)
            return [zeros(k) if c is None else c for c, k in zip(found, self.kinds, strict=True)]

        origin = f"the transposed backward rule of {self.rules.name}"
        tape, indices, _ = record_linear_flat(backward, self.outputs, origin)
        seeds = [(i, t) for i, t in zip(indices, directions, strict=True) if i is not None and t is not None]
        pulled = pull(tape, seeds, len(self.outputs), consume=True)
        return tuple(zeros(k) if t is None else t for t, k in zip(pulled, self.outputs, strict=True))

    def output_type(self, *inputs: ArrayType) -> tuple[ArrayType, ...]:
        return self.outputs

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        outputs, derivatives = jvp_flat(self.evaluate, primals, tangents, f"the rule of {self.rules.name}")
        return tuple(outputs), tuple(derivatives)

    def linear_inputs(self, traced: Sequence[int], count: int) -> Sequence[int]:
        linear = range(self._constants, count)
        if any(i not in linear for i in traced):
            raise NonlinearError(f"the derivative of {self.rules.name} is not linear in its primals")
        return linear

    def transpose(self, cotangent: Any, *inputs: Array | ArrayType) -> tuple[Array, ...]:
        assert self.rules.backward is not None
        found = self.rules.backward(inputs[: self.residual_count], cotangent)
        return tuple(zeros(self.kinds[i]) if found[i] is None else found[i] for i in self.active)

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[Array, ...]:
        filled = [moved_to_front(x, b, size) for x, b in zip(inputs, batched, strict=True)]
        kinds, outputs = (tuple(k.batched(size) for k in group) for group in (self.kinds, self.outputs))
        rules = batched_rules(self.rules, size)
        return as_tuple(CustomDerivative(rules, self.residual_count, kinds, self.active, outputs)(*filled))
