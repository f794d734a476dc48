"""Matrix products as source: `np.dot`, `np.matmul` or `*` of operands that are transposed and reshaped in place.

    Contract((0, 1), (1, 2), (0, 2)) x y     np.dot(x, y)
    Contract((1, 0), (1, 2), (0, 2)) x y     np.dot(x.T, y)
    Contract((0,), (1,), (0, 1)) x y         x[:, None] * y

All shapes are known when the source is written, so a product over several axes at once, or over a batch of
matrices, is one product of matrices between reshapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from covector.core.types import Shape
from covector.graph.graph import Equation

Labels = tuple[int, ...]


def product(equation: Equation, inputs: Sequence[str]) -> str | None:
    """The source of a product of two operands."""
    primitive: Any = equation.primitive
    sizes = dict(zip(primitive.left, equation.inputs[0].type.shape, strict=True))
    sizes |= dict(zip(primitive.right, equation.inputs[1].type.shape, strict=True))
    left, x = _without_lonely(inputs[0], primitive.left, primitive.right, primitive.out)
    right, y = _without_lonely(inputs[1], primitive.right, primitive.left, primitive.out)
    if (left, right) != (primitive.left, primitive.right) and equation.outputs[0].type.dtype.kind not in "fc":
        return None  # sums of integers are of a wider type
    contracted = tuple(label for label in left if label in right and label not in primitive.out)
    if not contracted:
        return _elementwise(equation, (x, left), (y, right), primitive.out)
    batch = tuple(label for label in primitive.out if label in left and label in right)
    first = next((label for label in primitive.out if label not in batch), None)
    if first is not None and first in right:
        (left, x), (right, y) = (right, y), (left, x)
    rows = tuple(label for label in left if label not in right)
    columns = tuple(label for label in right if label not in left)
    if not batch and len(contracted) == 1 and len(rows) <= 1 and len(columns) <= 1:
        if not columns and left == contracted + rows:  # a vector from the left needs no transposed view of the matrix
            return f"np.dot({y}, {x})"
        operands = (x if left == rows + contracted else f"{x}.T", y if right == contracted + columns else f"{y}.T")
        return f"np.dot({operands[0]}, {operands[1]})"
    groups = (batch, rows, contracted, columns)
    return _of_matrices((x, left), (y, right), groups, primitive.out, sizes)


def _without_lonely(x: str, labels: Labels, other: Labels, out: Labels) -> tuple[Labels, str]:
    """The operand summed over the axes that occur nowhere else."""
    lonely = tuple(i for i, label in enumerate(labels) if label not in other and label not in out)
    if not lonely:
        return labels, x
    kept = tuple(label for i, label in enumerate(labels) if i not in lonely)
    return kept, f"np.add.reduce({x}, axis={lonely})"


def _elementwise(equation: Equation, x: tuple[str, Labels], y: tuple[str, Labels], out: Labels) -> str:
    operands = _arranged(*x, out), _arranged(*y, out)
    if all(atom.type.weak for atom in equation.inputs):
        return f"np.multiply({operands[0]}, {operands[1]})"
    return f"{operands[0]} * {operands[1]}"


def _arranged(x: str, labels: Labels, out: Labels) -> str:
    """An operand in the order of the output's axes, with unit axes where it has none but an earlier one."""
    present = tuple(label for label in out if label in labels)
    index = [":" if label in labels else "None" for label in out]
    while index and index[0] == "None":
        index = index[1:]
    return _permuted(x, labels, present) + (f"[{', '.join(index)}]" if "None" in index else "")


def _permuted(x: str, labels: Labels, wanted: Labels) -> str:
    if labels == wanted:
        return x
    return f"{x}.T" if labels == wanted[::-1] else f"{x}.transpose({tuple(labels.index(label) for label in wanted)})"


def _of_matrices(
    x: tuple[str, Labels],
    y: tuple[str, Labels],
    groups: tuple[Labels, Labels, Labels, Labels],
    out: Labels,
    sizes: dict[int, int],
) -> str:
    """A product of stacks of matrices: each group of axes, other than the batch's, becomes one axis."""
    batch, rows, contracted, columns = groups
    left = _grouped(x, (batch, rows, contracted), sizes)
    right = _grouped(y, (batch, contracted, columns), sizes)
    written = f"np.{'matmul' if batch else 'dot'}({left}, {right})"
    shape = _sizes(batch + rows + columns, sizes)
    if len(rows) != 1 or len(columns) != 1:
        written = f"{written}.reshape({shape})" if shape else f"{written}[0, 0]"
    return _permuted(written, batch + rows + columns, out)


def _grouped(x: tuple[str, Labels], groups: tuple[Labels, Labels, Labels], sizes: dict[int, int]) -> str:
    batch, *grouped = groups
    written = _permuted(*x, batch + groups[1] + groups[2])
    if all(len(group) == 1 for group in grouped):
        return written
    shape = (*_sizes(batch, sizes), *(prod(_sizes(group, sizes)) for group in grouped))
    return f"{written}.reshape({shape})"


def _sizes(labels: Labels, sizes: dict[int, int]) -> Shape:
    return tuple(sizes[label] for label in labels)
