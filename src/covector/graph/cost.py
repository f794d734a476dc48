"""What running a graph takes: arithmetic, memory traffic and peak memory, counted rather than measured.

The graph is taken to run as it stands: one operation after the other, each reading its inputs from memory and writing
its outputs there, every array freed after its last use. Views (a reshape, a slice) read and write nothing. What jit
makes of the graph, block by block and in place, moves less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import final

from attrs import frozen

from covector.core.types import ArrayType
from covector.graph.parts import Atom, Equation, Program, Variable


@final
@frozen
class OperationCost:
    """How often an operation runs, and what all its runs take together."""

    equations: int = 0
    operations: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    def plus(self, other: OperationCost, times: int = 1) -> OperationCost:
        """This, and the other so many times."""
        return OperationCost(
            self.equations + times * other.equations,
            self.operations + times * other.operations,
            self.bytes_read + times * other.bytes_read,
            self.bytes_written + times * other.bytes_written,
        )


@final
@frozen
class Cost:
    """The cost of a graph: of each operation by name, and the peak of the memory that is in use.

    `operations` counts arithmetic on numbers (an exponential is one, a dot product of n entries 2 n - 1); those of
    complex numbers count once, too. A loop counts its steps, a `while_loop` one step, a choice its dearest branch.
    `peak_bytes` includes `resident_bytes`, the inputs and constants.
    """

    by_operation: dict[str, OperationCost]
    peak_bytes: int
    resident_bytes: int

    @property
    def total(self) -> OperationCost:
        """All operations together."""
        total = OperationCost()
        for each in self.by_operation.values():
            total = total.plus(each)
        return total

    @property
    def operations(self) -> int:
        """The arithmetic operations of the whole graph."""
        return self.total.operations

    @property
    def bytes_read(self) -> int:
        """The bytes that the operations read."""
        return self.total.bytes_read

    @property
    def bytes_written(self) -> int:
        """The bytes that the operations write."""
        return self.total.bytes_written

    @property
    def _rows(self) -> list[list[str]]:
        costs = {**self.by_operation, "total": self.total}
        header = ["", "equations", "operations", "bytes read", "bytes written"]
        numbers = {k: (c.equations, c.operations, c.bytes_read, c.bytes_written) for k, c in costs.items()}
        return [header, *([name, *(f"{n:,}" for n in row)] for name, row in numbers.items())]

    @property
    def _peak(self) -> str:
        return f"peak memory: {self.peak_bytes:,} bytes, of which {self.resident_bytes:,} are inputs and constants"

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=True)]
        lines = [
            "  ".join([name.ljust(widths[0]), *(x.rjust(w) for x, w in zip(row, widths[1:], strict=True))])
            for name, *row in self._rows
        ]
        return "\n".join([*lines, self._peak])

    def _repr_html_(self) -> str:
        cells = [[escape(cell) for cell in row] for row in self._rows]
        lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in cells]
        table = "\n".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table>\n{table}\n</table>\n<p>{self._peak}</p>"


def cost(program: Program) -> Cost:
    """The cost of a program."""
    found: dict[str, OperationCost] = {}
    for equation in program.equations:
        for name, each in _equation_cost(equation).items():
            found[name] = found.get(name, OperationCost()).plus(each)
    resident = _bytes([v.type for v in (*program.inputs, *(v for v, _ in program.constants))])
    return Cost(found, resident + _peak_beyond_inputs(program), resident)


def _equation_cost(equation: Equation) -> dict[str, OperationCost]:
    """The cost of one equation; that of the graphs inside, if there are any, instead of its own."""
    inputs, outputs = _types(equation.inputs), _types(equation.outputs)
    inner = equation.primitive.programs(inputs)
    if inner:
        found: dict[str, OperationCost] = {}
        for program, times in inner:
            for name, each in cost(program).by_operation.items():
                found[name] = found.get(name, OperationCost()).plus(each, times)
        return found
    operations = equation.primitive.operations(inputs, outputs)
    free = is_free(equation)
    arrays = [a.type for a in equation.inputs if isinstance(a, Variable)]
    read, written = (0, 0) if free else (_bytes(arrays), _bytes(outputs))
    return {equation.primitive.name: OperationCost(1, operations, read, written)}


def is_free(equation: Equation) -> bool:
    """Whether the output is a view of the first input."""
    primitive = equation.primitive
    return primitive.view and not primitive.operations(_types(equation.inputs), _types(equation.outputs))


def _peak_beyond_inputs(program: Program) -> int:
    """The most bytes in use at once by what the program computes."""
    roots: dict[Atom, Atom] = {}
    for equation in program.equations:
        if is_free(equation):
            source = equation.inputs[0]
            roots.update(dict.fromkeys(equation.outputs, roots.get(source, source)))
    last = _last_uses(program, roots)
    own = {v for e in program.equations for v in e.outputs if v not in roots}
    in_use = peak = 0
    for place, equation in enumerate(program.equations):
        in_use += _bytes(v.type for v in equation.outputs if v in own)
        inside = [_peak_beyond_inputs(inner) for inner, _ in equation.primitive.programs(_types(equation.inputs))]
        peak = max(peak, in_use + max(inside, default=0))
        touched = {roots.get(a, a) for a in (*equation.inputs, *equation.outputs)}
        in_use -= _bytes(a.type for a in touched if a in own and last.get(a, place) == place)
    return peak


def _last_uses(program: Program, roots: dict[Atom, Atom]) -> dict[Atom, int]:
    """For each array the place of the last equation that uses it, through whatever view."""
    last: dict[Atom, int] = {}
    for place, equation in enumerate(program.equations):
        last.update(dict.fromkeys((roots.get(a, a) for a in (*equation.inputs, *equation.outputs)), place))
    last.update(dict.fromkeys((roots.get(a, a) for a in program.outputs), len(program.equations)))
    return last


def _types(atoms: Sequence[Atom]) -> list[ArrayType]:
    return [atom.type for atom in atoms]


def _bytes(kinds: Iterable[ArrayType]) -> int:
    return sum(kind.size * kind.dtype.itemsize for kind in kinds)
