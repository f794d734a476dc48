"""Batching against a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from covector.core.types import PYTHON_DTYPES, Array, typeof
from covector.errors import BatchingMismatchError
from covector.testing.comparison import Tolerance
from covector.testing.differences import Vector
from covector.testing.problems import SEED
from covector.transforms.vectorize import vmap
from covector.trees import Tree, TreeDefinition, flatten, leaf_paths, unflatten


def check_batching(
    function: Callable[..., Tree],
    args: Sequence[Tree],
    size: int = 3,
    atol: float | None = None,
    rtol: float | None = None,
) -> None:
    """Checks that vmap of a function agrees with a loop, whichever of its argument leaves are batched.

    Args:
        function: a function of arrays, numbers or trees of them.
        args: one example of its positional arguments. A batch is made of slightly changed copies: real and
            complex leaves are scaled entry by entry by up to 3 %, integer and boolean ones rolled.
        size: the size of the batch.
        atol: an entry may be off by atol + rtol |expected|; by default what the dtype can do.
        rtol: see atol.

    Raises:
        BatchingMismatchError: an output has another shape or dtype, or other entries, than the loop gives it.

    Example:
        >>> import numpy as np
        >>> check_batching(lambda x, y: np.sin(x) + y, (np.array([0.5, -1.0]), 2.0))
    """
    leaves, structure = flatten(tuple(args))
    rng = np.random.default_rng(SEED)
    batches = [np.stack([_variant(rng, leaf, i) for i in range(size)]) for leaf in leaves]
    for subset in _subsets(len(leaves)):
        _check_batch(function, structure, leaves, {i: batches[i] for i in subset}, Tolerance(atol, rtol, None))


def _variant(rng: np.random.Generator, leaf: Array, number: int) -> Vector:
    kind = typeof(leaf)
    array = np.asarray(leaf)
    if not kind.differentiable:
        return np.roll(array, number)
    return (array * (1.0 + 0.03 * rng.uniform(-1.0, 1.0, kind.shape))).astype(kind.dtype)


def _subsets(count: int) -> list[tuple[int, ...]]:
    """All nonempty subsets, smallest first; for more than six members only the singletons and the whole."""
    sizes = range(1, count + 1) if count <= 6 else (1, count)
    return [subset for size in sizes for subset in combinations(range(count), size)]


def _check_batch(
    function: Callable[..., Tree],
    structure: TreeDefinition,
    leaves: Sequence[Array],
    batches: dict[int, Vector],
    tolerance: Tolerance,
) -> None:
    def of_leaves(*values: Array) -> Tree:
        return function(*unflatten(structure, values))

    size = len(next(iter(batches.values())))
    inputs = [batches.get(i, x) for i, x in enumerate(leaves)]
    in_axes = tuple(0 if i in batches else None for i in range(len(leaves)))
    found = vmap(of_leaves, in_axes)(*inputs)
    looped = [
        of_leaves(*(_element(batches[i], k, x) if i in batches else x for i, x in enumerate(leaves)))
        for k in range(size)
    ]
    what = f"vmap of {getattr(function, '__qualname__', function)} with in_axes={in_axes}"
    columns = zip(*(flatten(out)[0] for out in looped), strict=True)
    for x, column, path in zip(flatten(found)[0], columns, leaf_paths(looped[0], "output"), strict=True):
        _check_stack(np.asarray(x), np.stack(column), f"{what} at {path}", tolerance)


def _element(batch: Vector, number: int, like: Array) -> Array:
    return type(like)(batch[number]) if type(like) in PYTHON_DTYPES else batch[number]


def _check_stack(found: Vector, expected: Vector, what: str, tolerance: Tolerance) -> None:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise BatchingMismatchError(f"{what} is {typeof(found)}; the loop gives {typeof(expected)}")
    if expected.dtype.kind not in "fc":
        if not np.array_equal(found, expected):
            raise BatchingMismatchError(f"{what} is\n{found}\nthe loop gives\n{expected}")
        return
    size = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    allowed = tolerance.allowed(expected, [expected.dtype], size) * (1e-3 if tolerance.rtol is None else 1.0)
    off = ~((np.abs(found - expected) <= allowed) | (found == expected) | (np.isnan(found) & np.isnan(expected)))
    if np.any(off):
        worst = tuple(int(i) for i in np.argwhere(off)[0])
        raise BatchingMismatchError(
            f"{what}[{', '.join(map(str, worst))}]: found {found[worst]}, the loop gives {expected[worst]}, difference "
            f"{abs(found[worst] - expected[worst]):.3g} ({int(np.sum(off))} of {found.size} entries are off)"
        )
