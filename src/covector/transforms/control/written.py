"""Loops and branches as source, in the program around them: see `covector.compile.structured`.

A scan is a `for` over the rows of its arrays; a while loop is a `while`; a branch is an `if`. On Python's numbers
arrays are gone through, and made, as lists:

    carry_1 = float(x)
    ys_1 = []
    for x_1 in xs.tolist():
        ys_1.append(carry_1)
        sin_1 = math.sin(carry_1)
        carry_1 = sin_1 + x_1
    ys_1 = np.array(ys_1, np.float64)
    scan_1, scan_2 = np.float64(carry_1), ys_1
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from covector.compile.expressions import dtype_name
from covector.compile.on_numbers import assigned, in_one_way, indented, strong_operand, to_numpy, to_python
from covector.compile.structured import Lines, Scope
from covector.core.types import ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.transforms.control.bodies import output_types
from covector.transforms.control.stages import block_of

Written = tuple[Lines, list[str]]
"""Statements, and the outputs as source."""


# --- values that enter a loop ---------------------------------------------------------------------------


def entered(scope: Scope, atom: Atom, numbers: bool, weak: bool) -> str:
    """A value from outside as a loop on Python's numbers, or on NumPy's, needs it."""
    if scope.numbers or (numbers and isinstance(atom, Literal)):
        return scope.operand(atom)
    if numbers:
        return to_python(scope.operand(atom), atom.type)
    if weak and not atom.type.weak:
        return f"{strong_operand(scope, atom)}.item()"
    return scope.operand(atom) if weak else strong_operand(scope, atom)


def singles(scope: Scope, atoms: Sequence[Atom], variables: Sequence[Variable], numbers: bool) -> Written:
    """The values that are the same at each step: under their own names where they are what the loop needs."""
    lines: Lines = []
    names = []
    for atom, variable in zip(atoms, variables, strict=True):
        text = entered(scope, atom, numbers, variable.type.weak)
        if text != scope.operand(atom):
            name = scope.fresh("constant")
            lines, text = [*lines, f"{name} = {text}"], name
        names.append(text)
    return lines, names


def carried(scope: Scope, atoms: Sequence[Atom], variables: Sequence[Variable], numbers: bool, stem: str) -> Written:
    """Variables of the loop, with their first values."""
    names = [scope.fresh(stem) for _ in atoms]
    first = [entered(scope, a, numbers, v.type.weak) for a, v in zip(atoms, variables, strict=True)]
    return assigned(names, first), names


def stored(scope: Scope, kinds: Sequence[ArrayType], length: int) -> Written:
    """New arrays of rows of these types."""
    names = [scope.fresh("ys") for _ in kinds]
    return [f"{y} = {new_array(kind.batched(length))}" for y, kind in zip(names, kinds, strict=True)], names


def new_array(kind: ArrayType, made: str = "empty") -> str:
    """A new array of a type."""
    shape = str(kind.shape[0]) if len(kind.shape) == 1 else str(kind.shape)
    return f"np.{made}({shape})" if kind.dtype == np.float64 else f"np.{made}({shape}, {dtype_name(kind.dtype)})"


def counted(scope: Scope, text: str) -> range | None:
    """The range that a constant array of the program's own counts."""
    value = scope.known(text)
    if not isinstance(value, np.ndarray) or value.flags.writeable or value.ndim != 1 or value.dtype != np.int64:
        return None
    start = int(value[0]) if value.size else 0
    found = range(start, start + value.size)
    return found if np.array_equal(value, found) else None


# --- scans ----------------------------------------------------------------------------------------------


def written_scan(scope: Scope, equation: Equation) -> Written:
    """The statements of a scan."""
    scan: Any = equation.primitive
    block = block_of(scan.body, scan.constants, scan.carries)
    if block is not None and scan.length > block:
        return _in_blocks(scope, scan, equation.inputs, block)
    return in_one_way(scope, equation, scan.graphs, partial(_loop, scope, scan, equation.inputs))


def _in_blocks(scope: Scope, scan: Any, atoms: Sequence[Atom], block: int) -> Written:
    """The steps of one block after the other, each in three stages."""
    constants, carry, xs = scan.split_inputs(atoms)
    of_carry = scan.split_inputs(scan.body.inputs)[1]
    fixed = [strong_operand(scope, atom) for atom in constants]
    first, names = carried(scope, carry, of_carry, False, "carry")
    made, ys = stored(scope, output_types(scan.body)[scan.carries :], scan.length)
    start, here = scope.fresh("start"), scope.fresh("here")
    whole = scan.length - scan.length % block

    def steps(size: int) -> Lines:
        columns = [scope.fresh("x") for _ in xs]
        lines = [f"{x} = {scope.operand(atom)}[{here}]" for x, atom in zip(columns, xs, strict=True)]
        inner, outputs = scope.block(scan.in_stages(size), [*fixed, *names, *columns], False)
        lines += [*inner, *(f"{y}[{here}] = {row}" for y, row in zip(ys, outputs[scan.carries :], strict=True))]
        return [*lines, *assigned(names, outputs[: scan.carries]), *([f"del {', '.join(columns)}"] if columns else [])]

    starts = range(whole - block, -1, -block) if scan.reverse else range(0, whole, block)
    head = [f"for {start} in {_counting(starts)}:", f"    {here} = slice({start}, {start} + {block})"]
    loop = [*head, *indented(steps(block))]
    rest = [f"{here} = slice({whole}, {scan.length})", *steps(scan.length - whole)] if whole < scan.length else []
    return [*first, *made, *(rest + loop if scan.reverse else loop + rest)], [*names, *ys]


def _loop(scope: Scope, scan: Any, atoms: Sequence[Atom], numbers: bool) -> Written:
    (step,) = scan.graphs
    constants, carry, xs = scan.split_inputs(atoms)
    of_constants, of_carry, of_xs = scan.split_inputs(step.inputs)
    before, fixed = singles(scope, constants, of_constants, numbers)
    first, names = carried(scope, carry, of_carry, numbers, "carry")
    kinds = output_types(step)[scan.carries :]
    columns = [scope.fresh("x") for _ in xs]
    body, outputs = scope.block(step, [*fixed, *names, *columns], numbers)
    rows = outputs[scan.carries :]
    if numbers:
        ys = [scope.fresh("ys") for _ in kinds]
        made, places = [f"{y} = []" for y in ys], []
        body += [f"{y}.append({row})" for y, row in zip(ys, rows, strict=True)]
    else:
        made, ys = stored(scope, kinds, scan.length)
        places = [scope.fresh("i")] if ys else []
        body += [f"{y}[{places[0]}] = {row}" for y, row in zip(ys, rows, strict=True)]
    body += assigned(names, outputs[: scan.carries])
    used = {a for e in step.equations for a in e.inputs} | set(step.outputs)
    over = [
        (name, _column(scope, x, v, scan.reverse, numbers))
        for name, x, v in zip(columns, xs, of_xs, strict=True)
        if v in used
    ]
    head = _head([*((i, str(_counting(scan.order))) for i in places), *over], scan.length)
    views = [name for name, variable in zip(columns, of_xs, strict=True) if variable in used and variable.type.shape]
    released = [f"del {', '.join(views)}"] if views and scan.length else []
    if numbers:
        turned = "[::-1]" * scan.reverse
        arrays = zip(ys, kinds, strict=True)
        released = [f"{y} = np.array({y}{turned}, {dtype_name(kind.dtype)})" for y, kind in arrays]
    loop = [head, *indented(body), *released]
    return [*before, *first, *made, *loop], [*names, *ys]


def _column(scope: Scope, atom: Atom, variable: Variable, reverse: bool, numbers: bool) -> str:
    """What a step takes its input from: an array, or a list of Python's numbers."""
    text = scope.operand(atom)
    if numbers or variable.type.weak:
        whole = counted(scope, text)
        if whole is not None:
            return _counting(whole[::-1] if reverse else whole)
        return f"{text}{'[::-1]' * reverse}.tolist()"
    return f"{text}{'[::-1]' * reverse}"


def _counting(numbers: range) -> str:
    if numbers.step != 1:
        return f"range({numbers.start}, {numbers.stop}, {numbers.step})"
    return f"range({numbers.start}, {numbers.stop})" if numbers.start else f"range({numbers.stop})"


def _head(over: Sequence[tuple[str, str]], length: int) -> str:
    """The first line of a loop."""
    if not over:
        return f"for _ in range({length}):"
    names, sources = zip(*over, strict=True)
    source = sources[0] if len(over) == 1 else f"zip({', '.join(sources)})"
    return f"for {', '.join(names)} in {source}:"


# --- while loops ----------------------------------------------------------------------------------------


def written_while(scope: Scope, equation: Equation) -> Written:
    """The statements of a while loop, which keeps its carries if its reverse comes later."""
    loop: Any = equation.primitive
    pullback: Any = next((e.primitive for e in scope.equations if _reverses(e, equation)), None)
    kept = ""
    if pullback is not None:
        kept = scope.kept[loop, equation.inputs] = scope.fresh("count" if loop.slots else "kept")

    def write(numbers: bool) -> Written:
        return while_statement(scope, loop, equation.inputs, numbers, kept)

    return in_one_way(scope, equation, (loop if pullback is None else pullback).graphs, write)


def _reverses(later: Equation, equation: Equation) -> bool:
    """Whether an equation is the pullback of a loop."""
    primitive: Any = later.primitive
    same = primitive.name == "while_pullback" and primitive.loop == equation.primitive
    return same and later.inputs[: len(equation.inputs)] == equation.inputs


def while_statement(scope: Scope, loop: Any, atoms: Sequence[Atom], numbers: bool, kept: str) -> Written:
    """The loop; `kept` is the list of its carries, or the number of its steps, if its reverse needs that."""
    before, fixed = singles(scope, atoms[: loop.constants], loop.body.inputs[: loop.constants], numbers)
    first, names = carried(scope, atoms[loop.constants :], loop.body.inputs[loop.constants :], numbers, "carry")
    body, outputs = scope.block(loop.graphs[1], [*fixed, *names], numbers)
    head: Lines = []
    if kept:
        head = [f"{kept} = {0 if loop.slots else []}"]
        body = [f"{kept} += 1" if loop.slots else f"{kept}.append({tupled(names)})", *body]
    body += assigned(names, outputs)
    return [*before, *first, *head, *while_lines(scope, loop, [*fixed, *names], numbers, body)], names


def while_lines(scope: Scope, loop: Any, arguments: Sequence[str], numbers: bool, body: Lines) -> Lines:
    """The body while the condition holds."""
    question, (holds,) = scope.block(loop.graphs[0], arguments, numbers)
    if not question:
        return [f"while {holds}:", *indented(body)]
    if len(question) == 1 and question[0].startswith(f"{holds} = "):
        return [f"while {question[0].removeprefix(f'{holds} = ')}:", *indented(body)]
    return ["while True:", *indented([*question, f"if not {holds}:", "    break", *body])]


def tupled(names: Sequence[str]) -> str:
    """A tuple as source."""
    return f"({', '.join(names)}{',' * (len(names) == 1)})"


# --- branches -------------------------------------------------------------------------------------------


def written_cond(scope: Scope, equation: Equation) -> Written:
    """The statements of a branch."""
    primitive: Any = equation.primitive
    chosen, *operands = equation.inputs
    arguments = [strong_operand(scope, atom) for atom in operands]
    names = [scope.fresh("cond") for _ in equation.outputs]
    index, branches = scope.operand(chosen), primitive.graphs
    if len(branches) == 1:
        return _branch(scope, branches[0], arguments, names), names
    if chosen.type.dtype == np.bool_:
        questions, branches = [f"if {index}:", "else:"], branches[::-1]
    else:
        questions = [f"{'elif' if k else 'if'} {index} == {k}:" for k in range(len(branches) - 1)] + ["else:"]
    lines: Lines = []
    for question, branch in zip(questions, branches, strict=True):
        lines += [question, *indented(_branch(scope, branch, arguments, names))]
    return lines, names


def _branch(scope: Scope, graph: Graph, arguments: Sequence[str], names: Sequence[str]) -> Lines:
    lines, outputs = scope.block(graph, arguments, scope.numbers)
    if not scope.numbers:
        outputs = [
            to_numpy(text, a.type.strong()) if isinstance(a, Literal) or a.type.weak else text
            for text, a in zip(outputs, graph.outputs, strict=True)
        ]
    return [*lines, *assigned(names, outputs)]
