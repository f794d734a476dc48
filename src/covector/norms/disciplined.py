"""The dual rules of the operations that come after `abs` or singular values in a disciplined norm.

Each rule takes what the dual program has in the place of its operands, and returns what it has in that of the result:
see `covector.norms.parts`.

Singular values come sorted too, and what is sorted must be treated alike, or by weights that fall with the values:
which of them is which depends on the argument. See `covector.norms.alike`.

    >>> from covector.ops.axes import Sum
    >>> rule_for(Sum((0,)))(None, [Part(np.array([1.0, 3.0]), "gauge")]).value       # the dual of a sum is a maximum
    np.float64(3.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve

from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive, as_tuple
from covector.core.types import typeof
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.alike import Alike, rearranged_alike, reduced_alike, varies_within
from covector.norms.layout import root
from covector.norms.parts import Part, refused, taken_apart
from covector.norms.polar import significant
from covector.trees import unflatten

Rule = Callable[[Any, list[Any]], Any]

def rule_for(primitive: Primitive) -> Rule:
    """The dual rule of an operation; for one outside the grammar, a rule that says so."""
    return RULES.get(primitive.name, _outside)


def _outside(equation: Any, operands: list[Any]) -> Part:
    raise refused(equation, "is not an operation of disciplined norms")


# --- what operands must be ------------------------------------------------------------------------------------


def _only(equation: Any, operands: list[Any]) -> tuple[Part, Any]:
    """The operand that depends on the argument, and the constant beside it, if there is one."""
    parts = [x for x in operands if isinstance(x, Part)]
    others = [x for x in operands if not isinstance(x, Part)]
    if len(parts) != 1 or len(others) > 1:
        raise refused(equation, "of two values that depend on the argument has no dual")
    return parts[0], others[0] if others else None


def _gauge(equation: Any, part: Any) -> Part:
    """A norm, or the norm that a power of one comes from, or all sorted entries if their weights are the same."""
    if isinstance(part, Part) and part.kind == "power":
        return evolve(part, value=root(part.value, part.conjugate), kind="gauge", exponent=1.0)
    if isinstance(part, Part) and part.kind == "sorted":
        return settled(equation, part)
    if not isinstance(part, Part) or part.kind != "gauge":
        found = part.description if isinstance(part, Part) else "a constant"
        raise refused(equation, f"needs norms, and was given {found}")
    return part


def settled(equation: Any, part: Part) -> Part:
    """Sorted entries as an array of norms that are to be treated alike; one of them alone as a norm."""
    if np.size(part.places) == 1:
        found = _ordered_sum(equation, part)
        return evolve(found, value=np.reshape(found.value, np.shape(part.places)))
    if np.shape(part.places) != np.shape(part.value) or varies_within(part.weights, part.places * 0):
        raise refused(equation, "of a part of sorted entries, or of some with other weights, has no dual alone")
    places = np.ravel(part.places)
    return Part(np.take(part.value, places) / part.weights, "gauge", alike=Alike.of(np.shape(part.value)))


def _powered(part: Part, exponent: float) -> Part:
    """The power of a norm."""
    return part if exponent == 1 else evolve(
        part, value=part.value ** (exponent / (exponent - 1.0)), kind="power", exponent=exponent
    )  # fmt: skip


def _positive_weights(equation: Any, weights: Any) -> Any:
    if not isinstance(weights, Tracer) and not np.all((np.asarray(weights) > 0) & np.isfinite(weights)):
        raise ArgumentError(f"dualize: `{equation.primitive.name}` by weights that are not all positive: not a norm")
    return weights


def _same_shape(equation: Any, part: Part) -> None:
    if typeof(part.value).shape != equation.outputs[0].type.shape:
        raise refused(equation, "repeats entries by broadcasting, so that a value is used more than once")


# --- the rules ------------------------------------------------------------------------------------------------


def absolute(equation: Any, operands: list[Any]) -> Part:
    """abs of a linear function is its own dual."""
    part, _ = _only(equation, operands)
    return Part(np.abs(part.value), "gauge") if part.kind == "linear" else _gauge(equation, part)


def singular_values(equation: Any, operands: list[Any]) -> Part:
    """Singular values are their own dual; those that are zero to rounding are constant."""
    part, _ = _only(equation, operands)
    if part.kind != "linear":
        raise refused(equation, f"needs a linear function of the argument, and was given {part.description}")
    values = significant(np.linalg.svd(part.value, compute_uv=False), typeof(part.value).shape[-2:])
    kind = typeof(values)
    if kind.ndim == 1 and kind.size:
        places = np.arange(kind.size)[::-1]
        return Part(np.flip(values), "sorted", weights=np.ones(kind.size, kind.dtype), places=places)
    return Part(values, "gauge", alike=Alike.of(kind.shape))


def power(equation: Any, operands: list[Any]) -> Part:
    """The p-th power of a norm, or the root that undoes one."""
    part, exponent = operands
    if not isinstance(part, Part) or isinstance(exponent, (Part, Tracer)) or np.ndim(exponent) != 0:
        raise refused(equation, "needs a norm and a constant exponent")
    return _raised(equation, part, float(exponent))


def _raised(equation: Any, part: Part, exponent: float) -> Part:
    if part.kind == "linear":
        if exponent % 2 != 0:
            raise refused(equation, f"with the exponent {exponent:g} needs abs first")
        part = Part(np.abs(part.value), "gauge")
    total = exponent * part.exponent
    if abs(total - 1.0) <= 4.0 * float(np.finfo(typeof(part.value).dtype).eps):  # 1 / 3 in single precision, times 3
        return _gauge(equation, part)
    if total < 1:
        raise refused(equation, f"makes the power {total:g} of a norm; below 1 that is not convex")
    return _powered(_gauge(equation, part), total)


def square(equation: Any, operands: list[Any]) -> Part:
    """The second power."""
    return _raised(equation, _only(equation, operands)[0], 2.0)


def square_root(equation: Any, operands: list[Any]) -> Part:
    """The root that undoes a second power."""
    return _raised(equation, _only(equation, operands)[0], 0.5)


def cube_root(equation: Any, operands: list[Any]) -> Part:
    """The root that undoes a third power."""
    return _raised(equation, _only(equation, operands)[0], 1.0 / 3.0)


def multiply(equation: Any, operands: list[Any]) -> Part:
    """A positive weight divides the dual; a product of a value with itself is its square."""
    if _is_square(equation, operands):
        return _raised(equation, operands[0], 2.0)
    part, weights = _only(equation, operands)
    return _weighted(equation, part, weights)


def divide(equation: Any, operands: list[Any]) -> Part:
    """Division by a positive weight."""
    part, weights = _only(equation, operands)
    if operands[0] is not part:
        raise refused(equation, "by a norm is not convex")
    return _weighted(equation, part, 1.0 / _positive_weights(equation, weights))


def _is_square(equation: Any, operands: list[Any]) -> bool:
    left, right = equation.inputs
    return left is right and isinstance(operands[0], Part)


def _weighted(equation: Any, part: Part, weights: Any) -> Part:
    """c N^p = (c^(1/p) N)^p, whose dual is (N* / c^(1/p)), to the power q: N*^q c^(1 - q)."""
    if part.kind == "sorted":
        return evolve(part, weights=part.weights * weights)
    _same_shape(equation, part)
    _weights_alike(equation, part, _positive_weights(equation, weights))
    if part.kind == "power":
        return evolve(part, value=part.value * weights ** (1.0 - part.conjugate))
    return evolve(_gauge(equation, part), value=part.value / weights)


def _weights_alike(equation: Any, part: Part, weights: Any) -> None:
    if part.alike is not None and varies_within(weights, part.alike.groups):
        raise refused(equation, "by different weights of singular values has no dual but in a sum for one matrix")


def contract(equation: Any, operands: list[Any]) -> Part:
    """The sum of squares of a value, or the sum of its entries with positive weights."""
    primitive = equation.primitive
    if _is_square(equation, operands):
        if primitive.left != primitive.right:
            raise refused(equation, "of different entries of one value is not a sum of squares")
        return _kept(_summed(equation, _raised(equation, operands[0], 2.0), primitive.left, primitive.out), primitive)
    part, weights = _only(equation, operands)
    own, other = primitive.left, primitive.right
    if operands[1] is part:
        own, other = other, own
    if not set(other) <= set(own):
        raise refused(equation, "with a matrix of weights uses entries more than once")
    shape = tuple(np.shape(weights)[other.index(label)] if label in other else 1 for label in own)
    order = sorted(range(len(other)), key=lambda i: own.index(other[i]))
    weights = np.reshape(np.transpose(weights, order), shape)
    if part.kind == "sorted":
        weighted = evolve(part, weights=part.weights * weights)
    else:
        norms = _gauge(equation, part)
        _weights_alike(equation, norms, _positive_weights(equation, weights))
        weighted = evolve(norms, value=norms.value / weights)
    return _kept(_summed(equation, weighted, own, primitive.out), primitive, own)


def _summed(equation: Any, part: Part, labels: tuple[int, ...], out: tuple[int, ...]) -> Part:
    axes = tuple(i for i, label in enumerate(labels) if label not in out)
    return _sum_over(equation, part, axes) if axes else part


def _kept(part: Part, primitive: Any, labels: tuple[int, ...] | None = None) -> Part:
    """The remaining axes in the order of the output."""
    left = [label for label in (primitive.left if labels is None else labels) if label in primitive.out]
    return evolve(part, value=np.transpose(part.value, [left.index(label) for label in primitive.out]))


def total(equation: Any, operands: list[Any]) -> Part:
    """The dual of a sum is a maximum; of a sum of powers, the sum of the conjugate powers."""
    axes = equation.primitive.axes if equation is not None else (0,)
    return _sum_over(equation, _only(equation, operands)[0], axes)


def _sum_over(equation: Any, part: Part, axes: tuple[int, ...]) -> Part:
    if part.kind == "sorted":
        return _ordered_sum(equation, part)
    _check_alike(equation, part, axes)
    if part.kind == "power":
        return evolve(part, value=np.sum(part.value, axis=axes), alike=None)
    return Part(np.max(_gauge(equation, part).value, axis=axes), "gauge")


def _check_alike(equation: Any, part: Part, axes: tuple[int, ...]) -> None:
    if part.alike is not None and not reduced_alike(part.alike, axes):
        raise taken_apart(equation)


def _ordered_sum(equation: Any, part: Part) -> Part:
    """The dual of the sum of w_i times the i-th largest: the largest ratio of partial sums of both."""
    count = len(part.value)
    given = np.full(count, np.size(part.places))
    given[part.places] = np.reshape(np.arange(np.size(part.places)), np.shape(part.places))
    entries = np.reshape(part.weights * np.ones(np.shape(part.places), typeof(part.value).dtype), -1)
    weights: Any = np.take(np.concatenate([entries, np.zeros(1, typeof(entries).dtype)]), given)
    if not isinstance(weights, Tracer) and (np.any(np.diff(weights) < 0) or weights[0] < 0 or not weights[-1] > 0):
        raise refused(equation, "of sorted entries needs weights that increase with the entries, as for the k largest")
    if part.unsorted is not None and varies_within(weights, part.unsorted):
        raise refused(equation, "of partitioned entries must weigh those between two of the places alike")
    quotients = np.cumsum(np.flip(part.value)) / np.cumsum(np.flip(weights))
    return Part(np.max(quotients), "gauge")


def extremum(equation: Any, operands: list[Any]) -> Part:
    """The dual of a maximum is a sum."""
    if equation.primitive.ufunc not in (np.maximum, np.fmax):
        raise refused(equation, "is a minimum, which is not convex")
    part = _only(equation, operands)[0]
    norms = _gauge(equation, part)
    _check_alike(equation, norms, equation.primitive.axes)
    return _powered(Part(np.sum(norms.value, axis=equation.primitive.axes), "gauge"), part.exponent)


def add(equation: Any, operands: list[Any]) -> Part:
    """The dual of a sum of two norms of different parts is the larger one; zero may be added."""
    return _joined(equation, operands, np.maximum)


def maximum(equation: Any, operands: list[Any]) -> Part:
    """The dual of the larger of two norms of different parts is the sum."""
    return _joined(equation, operands, np.add)


def hypot(equation: Any, operands: list[Any]) -> Part:
    """The Euclidean norm of two norms of different parts is its own dual."""
    left, right = (_raised(equation, part, 2.0) if isinstance(part, Part) else part for part in operands)
    return _gauge(equation, _joined(equation, [left, right], np.add))


def _joined(equation: Any, operands: list[Any], operation: Any) -> Part:
    parts = [x for x in operands if isinstance(x, Part)]
    if len(parts) == 1:
        part, constant = _only(equation, operands)
        if part.kind != "linear" and not isinstance(constant, Tracer) and np.all(np.asarray(constant) == 0):
            _same_shape(equation, part)
            return part
        raise refused(equation, "of a norm and a constant other than zero is not a norm")
    left, right = parts = [_gauge(equation, part) if part.kind == "sorted" else part for part in parts]
    for part in parts:
        _same_shape(equation, part)
        if part.alike is not None:
            raise taken_apart(equation)
    if left.kind == right.kind == "power" and left.exponent == right.exponent:
        if equation.primitive.name == "maximum":
            sums = Part(_gauge(equation, left).value + _gauge(equation, right).value, "gauge")
            return _powered(sums, left.exponent)
        return evolve(left, value=left.value + right.value)
    if "power" in (left.kind, right.kind):
        raise refused(equation, "of different powers of norms is not a power of a norm")
    return Part(operation(_gauge(equation, left).value, _gauge(equation, right).value), "gauge")


def rearranged(equation: Any, operands: list[Any]) -> Any:
    """An operation that moves entries without losing or repeating any is its own dual."""
    parts = [_gauge(equation, x) if x.kind == "sorted" else x for x in operands if isinstance(x, Part)]
    first, kinds = parts[0], {(part.kind, part.exponent) for part in parts}
    if len(parts) < len(operands) or first.kind not in ("gauge", "power") or len(kinds) > 1:
        raise refused(equation, f"of {', '.join(p.description for p in parts)} and constants has no dual")
    results = equation.primitive(*(p.value for p in parts))
    found = as_tuple(results)
    alike: Sequence[Alike | None] = (None,) * len(found)
    if any(p.alike is not None for p in parts):
        alike = rearranged_alike(equation.primitive, [(p.alike, np.shape(p.value)) for p in parts])
    moved = tuple(evolve(first, value=x, alike=each) for x, each in zip(found, alike, strict=True))
    return moved if isinstance(results, tuple) else moved[0]


def sliced(equation: Any, operands: list[Any]) -> Part:
    """A part of the entries; the others are used elsewhere, or are sorted and count nothing."""
    part, _ = _only(equation, operands)
    if part.kind != "sorted":
        found: Part = rearranged(equation, operands)
        return found
    numbers = equation.primitive.evaluate(np.arange(np.size(part.places)))
    weights = np.take(part.weights * np.ones(np.size(part.places), typeof(part.value).dtype), numbers)
    return evolve(part, places=part.places[numbers], weights=weights)


def sort(equation: Any, operands: list[Any]) -> Part:
    """Sorted norms, with a weight of one for each."""
    part = _gauge(equation, _only(equation, operands)[0])
    if typeof(part.value).ndim != 1:
        raise refused(equation, "has a dual for vectors only")
    places = np.arange(len(part.value))
    return Part(np.sort(part.value), "sorted", weights=np.ones(len(places), typeof(part.value).dtype), places=places)


def partition(equation: Any, operands: list[Any]) -> Part:
    """Norms of which only those at some places are sorted; of those between, no order is known."""
    kth = np.sort(np.reshape(equation.primitive.kth, -1) % max(len(operands[0].value), 1))
    found = sort(equation, operands)
    before, after = (np.searchsorted(kth, found.places, side) for side in ("left", "right"))
    return evolve(found, unsorted=before + after)


def norm_call(equation: Any, operands: list[Any]) -> Part:
    """A norm of the catalogue knows its dual; of norms, it must be absolute."""
    norm = equation.primitive.norm
    if not all(isinstance(x, Part) for x in operands):
        raise refused(equation, f"of {type(norm).__name__}, of the argument beside a constant, is not a norm of it")
    values = [x.value for x in operands]
    if any(x.kind != "linear" for x in operands):
        if not norm.traits.absolute:
            raise refused(equation, f"of {type(norm).__name__}, which is not absolute, needs linear functions")
        parts = [absolute(equation, [x]) for x in operands]
        if any(part.alike is not None for part in parts):
            raise taken_apart(equation)
        values = [part.value for part in parts]
    return Part(norm.dual_norm(unflatten(equation.primitive.structure, values)), "gauge")


def guard(equation: Any, operands: list[Any]) -> Part:
    """`where` that only replaces zeros, or values that are zero to rounding."""
    part, _ = _only(equation, operands[1:])
    return part


def check_shapes(equation: Any, result: Any) -> Any:
    """The result, whose values must have the shapes of the equation's outputs unless they are sorted."""
    for variable, part in zip(equation.outputs, result if isinstance(result, tuple) else (result,), strict=True):
        if part.kind != "sorted" and typeof(part.value).shape != variable.type.shape:
            name = equation.primitive.name
            raise ShapeMismatchError(f"dualize: the dual of `{name}` is {typeof(part.value)}, not {variable.type}")
    return result


RULES: dict[str, Rule] = {
    "absolute": absolute, "singular_values": singular_values, "power": power, "square": square, "sqrt": square_root,
    "root_of_squares": square_root, "cbrt": cube_root, "multiply": multiply, "divide": divide, "contract": contract,
    "sum": total, "extremum": extremum, "add": add, "maximum": maximum, "fmax": maximum, "hypot": hypot, "sort": sort,
    "partition": partition, "norm_call": norm_call, "fabs": absolute,
    "slice": sliced, "flip": sliced, "select": guard,
} | dict.fromkeys(
    ("reshape", "permute", "roll", "split", "unstack", "concatenate", "stack"), rearranged
)  # fmt: skip
