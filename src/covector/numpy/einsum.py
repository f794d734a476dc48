"""np.einsum: any sum of products, written by labelling the axes.

The subscripts become a tuple of labels for each operand; labels repeated in one operand become a diagonal;
pairs of operands are contracted in the order that `np.einsum_path` finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from covector.core.broadcasting import Reshape
from covector.core.types import Array, typeof
from covector.errors import ShapeMismatchError, UnsupportedArgumentError
from covector.numpy.operands import operand
from covector.numpy.registry import implements, refuse
from covector.ops.axes import Diagonal
from covector.ops.contraction import Labels, broadcast_product, summed_and_permuted, without_axes
from covector.ops.indexing import moved_axis

Term = tuple[Array, Labels]


@implements(np.einsum)
def einsum(*operands: Any, out: None = None, optimize: Any = False, **kwargs: Any) -> Array:
    """The sum of products that the subscripts describe."""
    refuse(np.einsum, out=out, **{name: value for name, value in kwargs.items() if name not in ("order", "casting")})
    _refuse_layout(kwargs)
    subscripts, arrays = _written_out(operands)
    inputs, output = _parsed(subscripts, [typeof(x).ndim for x in arrays])
    sizes = _sizes(inputs, arrays)
    terms = [_without_units(_diagonal(x, labels), sizes) for x, labels in zip(arrays, inputs, strict=True)]
    for group in _order(inputs, output, arrays, optimize):
        chosen = [terms.pop(i) for i in sorted(group, reverse=True)]
        terms.append(_contracted(chosen[::-1], terms, output))
    ((x, labels),) = terms
    x = summed_and_permuted(x, labels, tuple(label for label in output if label in labels))
    shape = tuple(sizes[label] for label in output)
    return x if typeof(x).shape == shape else Reshape(shape)(x)


def _refuse_layout(kwargs: dict[str, Any]) -> None:
    if kwargs.get("order", "K") != "K" or kwargs.get("casting", "safe") != "safe":
        raise UnsupportedArgumentError("numpy.einsum of a traced array supports order='K' and casting='safe' only")


# --- reading the subscripts -----------------------------------------------------------------------------


def _written_out(operands: Sequence[Any]) -> tuple[str, list[Array]]:
    """The subscripts as a string, also for the form einsum(x, [0, 1], y, [1, 2], [0, 2]), and the arrays."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), [operand(x) for x in operands[1:]]
    arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
    subscripts = ",".join(map(_letters, lists))
    if len(operands) % 2:
        subscripts += "->" + _letters(operands[-1])
    return subscripts, [operand(x) for x in arrays]


def _letters(labels: Iterable[Any]) -> str:
    return "".join("..." if label is Ellipsis else chr(ord("A") + label + 6 * (label >= 26)) for label in labels)


def _parsed(subscripts: str, ndims: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each input and of the output: letters by code, ellipsis axes by -1, -2, ... from the right."""
    left, arrow, right = subscripts.partition("->")
    parts = left.split(",")
    if len(parts) != len(ndims):
        raise ValueError(f"einsum: the subscripts {subscripts!r} name {len(parts)} operands, {len(ndims)} were given")
    inputs = [_labels(part, ndim, subscripts) for part, ndim in zip(parts, ndims, strict=True)]
    hidden = max((-min(labels, default=0) for labels in inputs), default=0)
    ellipsis = tuple(range(-max(hidden, 0), 0))
    if arrow:
        output = _output_labels(right, ellipsis, subscripts)
    else:
        letters = Counter(label for labels in inputs for label in labels if label >= 0)
        output = (*ellipsis, *sorted(label for label, times in letters.items() if times == 1))
    unknown = set(output) - {label for labels in inputs for label in labels}
    if unknown or len(set(output)) < len(output):
        raise ValueError(f"einsum: an output label of {subscripts!r} occurs twice, or in no operand")
    return inputs, output


def _labels(part: str, ndim: int, subscripts: str) -> Labels:
    before, dots, after = part.partition("...")
    hidden = ndim - len(before) - len(after)
    if not (before + after).replace("", "a").isalpha() or hidden < 0 or (hidden and not dots):
        raise ValueError(f"einsum: {part!r} in {subscripts!r} does not label an operand with {ndim} axes")
    return (*map(ord, before), *range(-hidden, 0), *map(ord, after))


def _output_labels(right: str, ellipsis: Labels, subscripts: str) -> Labels:
    before, dots, after = right.partition("...")
    if ellipsis and not dots:
        raise ValueError(f"einsum: the output of {subscripts!r} lacks the '...' of its inputs")
    return (*map(ord, before), *(ellipsis if dots else ()), *map(ord, after))


# --- computing ------------------------------------------------------------------------------------------


def _sizes(inputs: Sequence[Labels], arrays: Sequence[Array]) -> dict[int, int]:
    """The length of each label; a length of 1 gives way to any other."""
    sizes: dict[int, int] = {}
    for labels, x in zip(inputs, arrays, strict=True):
        for label, size in zip(labels, typeof(x).shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known):
                raise ShapeMismatchError(f"einsum: one label stands for axes of lengths {known} and {size}")
    return sizes


def _diagonal(x: Array, labels: Labels) -> Term:
    """The diagonal over axes with the same label, until there are none."""
    for label in labels:
        if labels.count(label) > 1:
            first, second = labels.index(label), labels.index(label, labels.index(label) + 1)
            ndim = len(labels)
            x = moved_axis(moved_axis(x, second, ndim - 1), first, ndim - 2)
            rest = tuple(other for i, other in enumerate(labels) if i not in (first, second))
            return _diagonal(_matched_diagonal(x), (*rest, label))
    return x, labels


def _matched_diagonal(x: Array) -> Array:
    rows, columns = x.shape[-2:]
    if rows != columns:
        raise ShapeMismatchError(f"einsum: a label repeated in an operand stands for axes of lengths {rows}, {columns}")
    return Diagonal()(x)


def _without_units(term: Term, sizes: dict[int, int]) -> Term:
    """The operand without its axes of length 1: they change no product and no sum."""
    x, labels = term
    unit = tuple(i for i, size in enumerate(typeof(x).shape) if size == 1)
    return without_axes(x, unit), tuple(label for i, label in enumerate(labels) if i not in unit)


def _order(inputs: Sequence[Labels], output: Labels, arrays: Sequence[Array], optimize: Any) -> list[tuple[int, ...]]:
    """Which operands to contract, step by step; the result of a step comes last."""
    if len(arrays) <= 2:
        return [tuple(range(len(arrays)))] if len(arrays) == 2 else []
    shapes: list[Any] = []
    for x, labels in zip(arrays, inputs, strict=True):
        shapes += [np.broadcast_to(0.0, typeof(x).shape), _numbered(labels, inputs)]
    strategy = optimize if optimize is not False else True
    path, _ = np.einsum_path(*shapes, _numbered(output, inputs), optimize=strategy)
    return [tuple(step) for step in path[1:]]


def _numbered(labels: Labels, inputs: Sequence[Labels]) -> list[int]:
    """The labels numbered in the order in which they occur in the inputs."""
    order = list(dict.fromkeys(label for each in inputs for label in each))
    return [order.index(label) for label in labels]


def _contracted(chosen: Sequence[Term], others: Sequence[Term], output: Labels) -> Term:
    """The product of some operands, summed over the labels that occur nowhere else."""
    (x, left), *rest = chosen
    for position, (y, right) in enumerate(rest):
        elsewhere = {label for _, labels in [*rest[position + 1 :], *others] for label in labels} | set(output)
        kept = tuple(label for label in dict.fromkeys(left + right) if label in elsewhere)
        last = not others and position == len(rest) - 1
        out = tuple(label for label in output if label in kept) if last else kept
        x, left = broadcast_product(x, y, left, right, out), out
    return x, left
