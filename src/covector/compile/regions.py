"""Regions: the parts of a graph that work on large arrays row by row, so that they can run a block of rows at a time.

An operation is *row-wise* if rows [i:j] of its output need only rows [i:j] of its inputs: elementwise operations
(other operands may be broadcast along the rows), and reductions over the other axes. A region is made of row-wise
operations over one number of rows, and of reductions over the rows of their results, or of any long array, which take
blocks in turn. One operation alone is a region if it is worth several threads.

Every operation has a level, one more than that of the regions it needs whole results of. What is at the same level,
over the same number of rows, is one region: no operation between two of its members lies outside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import chain
from math import ceil
from typing import Any, final

from attrs import define, field

from covector.compile.accumulators import Accumulator
from covector.compile.expressions import array_expression
from covector.compile.lowering import LARGE
from covector.compile.prints import has_prints
from covector.compile.reductions import sum_to_axes
from covector.core.broadcasting import Cast, Reshape, SumTo
from covector.core.families import Elementwise
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.axes import Sum, Triangle
from covector.ops.comparison import Select, ToInteger
from covector.ops.contraction import Contract
from covector.ops.indexing import PutSlice
from covector.ops.reduction import Extremum

BLOCK = 24_576
"""Entries of a block: a handful of them fit into a processor's second-level cache."""

LINE = 64
"""Blocks of more rows are a multiple of this, so that they start where cache lines do."""

WORTH_THREADS = 2**19
"""Entries to compute from which a loop may run on several threads: some hundreds of microseconds."""

COMPUTING = (Elementwise, Extremum, Sum)
"""Operations of which one alone is worth several threads."""

Key = tuple[int, int]
"""What makes a region: its number of rows and its level."""


@final
@define(eq=False, slots=False)
class Region:
    """Equations to run block by block: `rows` of `inner` are computed, `inputs` are read from outside."""

    rows: int
    equations: list[Equation] = field(factory=list)
    inner: set[Atom] = field(factory=set)

    @cached_property
    def inputs(self) -> tuple[Atom, ...]:
        """The variables from outside, in order."""
        read = dict.fromkeys(atom for equation in self.equations for atom in equation.inputs)
        return tuple(atom for atom in read if isinstance(atom, Variable) and atom not in self.inner)

    @cached_property
    def widest(self) -> int:
        """The most entries that an array has in a row."""
        kinds = [a.type for e in self.equations for a in (*rowwise_inputs(e), *e.outputs) if a.type.shape]
        return max((k.size // self.rows for k in kinds if k.shape[0] == self.rows), default=1)

    @property
    def block(self) -> int:
        """The most rows of a block."""
        return self.even_block(max(1, BLOCK // max(1, self.widest)))

    def even_block(self, most: int) -> int:
        """The rows of blocks of about the same length, of so many rows at most."""
        even = ceil(self.rows / ceil(self.rows / most))
        return even if even < LINE else ceil(even / LINE) * LINE

    @property
    def work(self) -> int:
        """The entries that are computed, in all."""
        return self.rows * self.widest * len(self.equations)

    @property
    def worth_threads(self) -> bool:
        """Whether several threads may be faster."""
        return self.work >= WORTH_THREADS

    def pays(self) -> bool:
        """Whether the arrays are large, the blocks many, and anything is saved: whole arrays, or time by threads."""
        if not self.rows or self.rows * self.widest < LARGE or self.rows < 2 * self.block or self.widest > 2 * BLOCK:
            return False
        return len(self.equations) > 1 or (self.worth_threads and isinstance(self.equations[0].primitive, COMPUTING))


Step = Equation | Region

NOT_BROADCASTING = frozenset({Cast, Contract, Extremum, PutSlice, Reshape, Sum, SumTo, ToInteger})
"""Operations in regions that are not elementwise in inputs of different shapes."""


# --- which operations -----------------------------------------------------------------------------------


def is_rowwise(equation: Equation) -> bool:
    """Whether rows of the only output need the same rows of inputs only."""
    if len(equation.outputs) != 1 or not equation.outputs[0].type.shape or not equation.inputs:
        return False
    primitive: Any = equation.primitive
    shape, source = equation.outputs[0].type.shape, equation.inputs[0].type.shape
    if type(primitive) in (Select, Cast, ToInteger) or isinstance(primitive, Elementwise):
        return bool(rowwise_inputs(equation)) and array_expression(equation, ["x"] * len(equation.inputs)) is not None
    if isinstance(primitive, Triangle):
        return len(shape) == 2 and shape[0] != 1
    if isinstance(primitive, (Sum, Extremum)):
        return 0 not in primitive.axes and len(primitive.axes) > 0
    if isinstance(primitive, SumTo):
        extra, unit = sum_to_axes(source, shape)
        return not extra and 0 not in unit and bool(unit)
    return isinstance(primitive, Reshape) and source[:1] == shape[:1]


def reduces_rows(equation: Equation) -> bool:
    """Whether the output is a combination of what blocks of rows give, or made of blocks of rows."""
    primitive: Any = equation.primitive
    if isinstance(primitive, (Sum, Extremum)):
        return 0 in primitive.axes
    if isinstance(primitive, SumTo):
        extra, unit = sum_to_axes(equation.inputs[0].type.shape, equation.outputs[0].type.shape)
        return bool(extra) or 0 in unit
    if isinstance(primitive, Contract):
        floating = equation.outputs[0].type.differentiable
        return floating and primitive.left == primitive.right == (0,) and not primitive.out
    return isinstance(primitive, PutSlice) and bool(equation.inputs[0].type.shape)


def rowwise_inputs(equation: Equation) -> list[Atom]:
    """The inputs of which a row is needed for a row of the output; others are needed whole."""
    if type(equation.primitive) in NOT_BROADCASTING or not equation.outputs[0].type.shape:
        return [a for a in equation.inputs if isinstance(a, Variable) and a.type.shape]
    shape = equation.outputs[0].type.shape
    return [a for a in equation.inputs if a.type.ndim == len(shape) and a.type.shape[0] == shape[0] and shape[0] != 1]


# --- which regions --------------------------------------------------------------------------------------


def scheduled(graph: Graph, accumulated: dict[Variable, Accumulator]) -> Sequence[Step]:
    """The equations of the graph, in an order in which those of a region are next to each other.

    A graph that prints keeps its order, and has no regions.
    """
    computed = (v for equation in graph.equations for v in equation.outputs)
    if all(v.type.size < LARGE for v in chain(graph.inputs, computed)) or has_prints(graph):
        return graph.equations
    regions = _regions(graph, accumulated)
    return _in_order(graph, regions) if regions else graph.equations


def _regions(graph: Graph, accumulated: dict[Variable, Accumulator]) -> dict[Equation, Region]:
    """The region of each equation that is in one."""
    keys: dict[Atom, Key] = {}
    level: defaultdict[Atom, int] = defaultdict(int)  # from which the whole value can be used
    chosen: dict[Equation, Key] = {}
    for equation in graph.equations:
        key = _key(equation, keys, level, accumulated)
        if key is None:
            after = max((level[a] for a in equation.inputs), default=0)
        else:
            chosen[equation] = key
            after = key[1] + 1
            if is_rowwise(equation):
                keys[equation.outputs[0]] = key
        level.update(dict.fromkeys(equation.outputs, after))
    _delay(graph, chosen, keys)
    found: dict[Key, Region] = {}
    for equation, key in chosen.items():
        region = found.setdefault(key, Region(key[0]))
        region.equations.append(equation)
        if equation.outputs[0] in keys:
            region.inner.add(equation.outputs[0])
    return {e: region for region in found.values() if region.pays() for e in region.equations}


def _delay(graph: Graph, chosen: dict[Equation, Key], keys: dict[Atom, Key]) -> None:
    """Moves what only a later region uses there, if its inputs are there anyway, so that it is not kept whole."""
    users: defaultdict[Atom, set[Key | None]] = defaultdict(set)
    for output in graph.outputs:
        users[output].add(None)
    for equation in reversed(graph.equations):
        key = chosen.get(equation)
        if key is not None and equation.outputs[0] in keys:
            wanted = users[equation.outputs[0]]
            whole = all(a not in keys or keys[a] != key or users[a] - {key} for a in equation.inputs)
            if whole and None not in wanted and all(k is not None and k[0] == key[0] for k in wanted):
                key = min(k for k in wanted if k is not None)
                chosen[equation] = keys[equation.outputs[0]] = key
        sliced = set(rowwise_inputs(equation)) if key is not None else ()
        for atom in equation.inputs:
            users[atom].add(key if atom in sliced else None)


def _key(
    equation: Equation, keys: dict[Atom, Key], level: defaultdict[Atom, int], accumulated: dict[Variable, Accumulator]
) -> Key | None:
    """The region that an equation belongs to."""
    if not equation.outputs or (equation.outputs[0] in accumulated and not isinstance(equation.primitive, PutSlice)):
        return None
    starts = is_rowwise(equation) or _is_long_reduction(equation)
    if not starts and not (reduces_rows(equation) and any(a in keys for a in equation.inputs)):
        return None
    inputs = rowwise_inputs(equation)
    rows = inputs[0].type.shape[0]
    own = [keys[a][1] for a in inputs if a in keys and keys[a][0] == rows]
    if not starts and not own:
        return None
    others = [level[a] for a in equation.inputs if not (a in inputs and a in keys and keys[a][0] == rows)]
    least = max([*own, *others], default=0)
    return (rows, least) if starts or least in own else None


def _is_long_reduction(equation: Equation) -> bool:
    """Whether an operation reduces rows, so many that several threads may be faster, wherever they come from."""
    if not isinstance(equation.primitive, (Extremum, Sum)) or equation.inputs[0].type.size < WORTH_THREADS:
        return False
    return reduces_rows(equation)


def _in_order(graph: Graph, regions: dict[Equation, Region]) -> list[Step]:
    """Topological order, otherwise that of the graph; a region comes where its last equation was."""
    steps: list[Step] = [regions.get(e, e) for e in graph.equations]
    place = {step: i for i, step in enumerate(steps)}
    makers = {v: place[step] for e, step in zip(graph.equations, steps, strict=True) for v in e.outputs}
    waiting: dict[int, int] = {}
    users: defaultdict[int, list[int]] = defaultdict(list)
    for step, i in place.items():
        needed = {makers[a] for a in step.inputs if a in makers} - {i}
        waiting[i] = len(needed)
        for j in needed:
            users[j].append(i)
    ready = [i for i, count in waiting.items() if not count]
    heapify(ready)
    ordered: list[Step] = []
    while ready:
        i = heappop(ready)
        ordered.append(steps[i])
        for j in users[i]:
            waiting[j] -= 1
            if not waiting[j]:
                heappush(ready, j)
    return ordered
