"""The step of a loop with fewer calls: those on small arrays take the same time, whatever they do.

    [x, h] @ W            =  x @ W[:m] + h @ W[m:]      the first product is made for all steps before the loop
    (g @ W)[m:]           =  g @ W[:, m:]               what comes back to h, where nobody asks for that to x
    h @ U, h @ V          =  parts of h @ [U, V]        functions of them are computed together: see `neighbours`
    slices put into zeros =  [a, b, c]                  if they fill the array
    [a u, b v, c w]       =  [a, b, c] [u, v, w]        the second factor is made for all steps before the loop

Recurrent networks are of this kind, and what comes back through their gates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, final

from covector.compile.dead_code import without_dead_code
from covector.compile.expansion import applied
from covector.compile.neighbours import MOST_ENTRIES, with_neighbours_joined
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.arithmetic import ADD, MULTIPLY, Add, Multiply
from covector.ops.axes import Concatenate, Split
from covector.ops.contraction import Contract
from covector.ops.indexing import PutSlice, Slice, key_of, places_of

MOST_JOINED = 16_384
"""Entries of matrices up to which they are joined, which copies them at every call of the program."""


def with_fewer_calls(body: Graph, constants: int, carries: int) -> Graph:
    """The step of a scan, rearranged."""
    kinds = {type(equation.primitive) for equation in body.equations}
    if not kinds.isdisjoint(APART):
        body = without_dead_code(_Step(body, constants, carries).rewritten(TAKING_APART))
    if Contract in kinds:
        body = without_dead_code(_Step(body, constants, carries).rewritten({Contract: _products_with_one_vector}))
    joined = with_neighbours_joined(body)
    return body if joined is body else without_dead_code(joined)


def with_products_of_joins(body: Graph, constants: int, carries: int) -> Graph:
    """The step with products of joins in place of joins of products that are ready but for one factor."""
    if not any(type(equation.primitive) is Concatenate for equation in body.equations):
        return body
    return without_dead_code(_Step(body, constants, carries).rewritten({Concatenate: _join_of_products}))


@final
class _Step:
    """A step, and what is known of its values: how they are made, how often used, and whether they wait for the loop.

    What is the same in all steps is computed first.
    """

    def __init__(self, body: Graph, constants: int, carries: int) -> None:
        varying = _dependent(body.equations, body.inputs[constants:])
        self.body, self.varying = body, varying
        self.equations = sorted(body.equations, key=lambda e: not varying.isdisjoint(e.outputs))
        self.late = _dependent(body.equations, body.inputs[constants : constants + carries])
        self.makers: dict[Atom, Equation] = {v: e for e in body.equations for v in e.outputs}
        self.uses = Counter[Atom]([*(atom for e in body.equations for atom in e.inputs), *body.outputs])
        self.bundles: dict[Any, list[Equation]] = {}
        for equation in self.equations:
            self.bundles.setdefault(self.vector_of(equation), []).append(equation)

    def rewritten(self, rules: Mapping[type, Rule]) -> Graph:
        """The step with what the rules give in the place of equations."""
        equations: list[Equation] = []
        for equation in self.equations:
            rule = rules.get(type(equation.primitive))
            found = None if rule is None else rule(self, equation)
            equations += [equation] if found is None else found
        return Graph(self.body.inputs, tuple(equations), self.body.outputs, self.body.constants)

    def maker(self, atom: Atom, kind: type, once: bool = True) -> Equation | None:
        """The operation of a kind that makes a value; `once` if it must be used nowhere else."""
        maker = self.makers.get(atom)
        if maker is None or type(maker.primitive) is not kind or (once and self.uses[atom] != 1):
            return None
        return maker

    def vector_of(self, equation: Equation) -> tuple[Atom, int, Contract, Any] | None:
        """What products of one vector with matrices, which are the same in all steps, have in common.

        The vector, whether it is the left (0) or the right operand, the product, and the dtype of the matrices.
        """
        product = equation.primitive
        if type(product) is not Contract or len(product.out) != 1:
            return None
        for vector, matrix, labels in ((0, 1, product.left), (1, 0, product.right)):
            atom, other = equation.inputs[vector], equation.inputs[matrix]
            fixed = other not in self.varying and other.type.ndim == 2
            if fixed and atom in self.varying and len(labels) == 1 and labels != product.out:
                return atom, vector, product, other.type.dtype
        return None


Rule = Callable[[_Step, Equation], Sequence[Equation] | None]
"""The equations in the place of one; None if it stays."""


def _dependent(equations: Sequence[Equation], variables: Iterable[Variable]) -> set[Atom]:
    """What depends on these variables, and they."""
    found: set[Atom] = set(variables)
    for equation in equations:
        if not found.isdisjoint(equation.inputs):
            found.update(equation.outputs)
    return found


def _part(atom: Atom, axis: int, begin: int, end: int, equations: list[Equation]) -> Variable:
    """The places from `begin` to `end` of an array along an axis."""
    shape = atom.type.shape
    places: list[int | range] = [range(begin, end) if i == axis else range(n) for i, n in enumerate(shape)]
    return applied(Slice(key_of(places, shape)), [atom], equations)[0]


def _in_order(side: int, first: Atom, second: Atom) -> tuple[Atom, Atom]:
    """Two operands, of which the first is the left one if `side` is 0, else the right one."""
    return (first, second) if side == 0 else (second, first)


# --- taking apart -------------------------------------------------------------------------------------------


def _product_with_join(step: _Step, equation: Equation) -> Sequence[Equation] | None:
    """Two products in the place of one with a joined array of which one part, but not the other, waits."""
    product: Any = equation.primitive
    for side, labels, others in ((0, product.left, product.right), (1, product.right, product.left)):
        maker, other = step.maker(equation.inputs[side], Concatenate, once=False), equation.inputs[1 - side]
        if maker is None or other in step.late:
            continue
        join: Any = maker.primitive
        label = labels[join.axis]
        parts = [list(run) for _, run in groupby(maker.inputs, step.late.__contains__)]
        if label in product.out or label not in others or len(parts) != 2:
            continue
        found: list[Equation] = []
        begin, terms = 0, []
        for run in parts:
            end = begin + sum(atom.type.shape[join.axis] for atom in run)
            whole = run[0] if len(run) == 1 else applied(join, run, found)[0]
            operands = _in_order(side, whole, _part(other, others.index(label), begin, end, found))
            terms.append(applied(product, operands, found)[0])
            begin = end
        return [*found, Equation(ADD, tuple(terms), equation.outputs)]
    return None


def _used_part(step: _Step, equation: Equation) -> Sequence[Equation] | None:
    """What makes the only part that is used of products that are split."""
    split: Any = equation.primitive
    used = [i for i, variable in enumerate(equation.outputs) if step.uses[variable]]
    if len(used) != 1:
        return None
    begin = sum(split.sizes[: used[0]])
    found: list[Equation] = []
    atom = _part_of_product(step, equation.inputs[0], (split.axis, begin, begin + split.sizes[used[0]]), found)
    if atom is None:
        return None
    return [*found[:-1], Equation(found[-1].primitive, found[-1].inputs, (equation.outputs[used[0]],))]


def _part_of_product(
    step: _Step, atom: Atom, place: tuple[int, int, int], equations: list[Equation]
) -> Variable | None:
    """The places along an axis of a product, or of a sum of products, made of parts of the operands."""
    axis, begin, end = place
    if (total := step.maker(atom, Add)) is not None:
        terms = [_part_of_product(step, x, place, equations) for x in total.inputs if x.type == atom.type]
        return applied(ADD, [x for x in terms if x is not None], equations)[0] if _is_pair(terms) else None
    maker = step.maker(atom, Contract)
    if maker is None:
        return None
    product: Any = maker.primitive
    label = product.out[axis]
    for side, labels, others in ((0, product.left, product.right), (1, product.right, product.left)):
        if label in labels and label not in others and maker.inputs[side] not in step.varying:
            part = _part(maker.inputs[side], labels.index(label), begin, end, equations)
            return applied(product, _in_order(side, part, maker.inputs[1 - side]), equations)[0]
    return None


def _is_pair(terms: Sequence[Variable | None]) -> bool:
    return len(terms) == 2 and None not in terms


def _filled_by_puts(step: _Step, equation: Equation) -> Sequence[Equation] | None:
    """The join of what is put into the places of an array, one beside the other, and added up."""
    puts = _put_terms(step, equation)
    (out,) = equation.outputs
    if len(puts) < 2 or out.type.size > MOST_ENTRIES or any(e.inputs[0].type.dtype != out.type.dtype for e in puts):
        return None
    places = {tuple(x) if (x := places_of(_key(e), out.type.shape)) is not None else None: e.inputs[0] for e in puts}
    parts = _along_one_axis([x for x in places if x is not None], out.type.shape)
    if parts is None or len(places) < len(puts):
        return None
    axis, order = parts
    return [Equation(Concatenate(axis), tuple(places[x] for x in order), equation.outputs)]


def _put_terms(step: _Step, equation: Equation) -> list[Equation]:
    """The terms of a sum, if all of them are puts."""
    found: list[Equation] = []
    for atom in equation.inputs:
        inner, put = step.maker(atom, Add), step.maker(atom, PutSlice)
        terms = [put] if put is not None else _put_terms(step, inner) if inner is not None else []
        if not terms or atom.type != equation.outputs[0].type:
            return []
        found += terms
    return found


def _key(equation: Equation) -> Any:
    put: Any = equation.primitive
    return put.key


Ranges = tuple[int | range, ...]


def _along_one_axis(places: Sequence[Ranges], shape: Sequence[int]) -> tuple[int, Sequence[Ranges]] | None:
    """The axis along which ranges fill an array, one after the other, and their order."""
    whole = [range(n) for n in shape]
    axes = {i for x in places for i, (place, n) in enumerate(zip(x, whole, strict=True)) if place != n}
    if len(axes) != 1:
        return None
    (axis,) = axes
    order = sorted(places, key=lambda x: x[axis].start if isinstance(x[axis], range) else -1)  # type: ignore[union-attr]
    end = 0
    for x in order:
        place = x[axis]
        if isinstance(place, int) or place.step != 1 or place.start != end:
            return None
        end = place.stop
    return (axis, order) if end == shape[axis] else None


TAKING_APART: dict[type, Rule] = {Contract: _product_with_join, Split: _used_part, Add: _filled_by_puts}

APART = frozenset({Contract, Split, PutSlice})
"""The operations without which nothing can be taken apart."""


# --- joining ------------------------------------------------------------------------------------------------


def _products_with_one_vector(step: _Step, equation: Equation) -> Sequence[Equation] | None:
    """The product of a vector with all its matrices at once, in the place of the first of them, and its parts."""
    key = step.vector_of(equation)
    bundle = [] if key is None else step.bundles[key]
    if key is None or len(bundle) < 2 or sum(atom.type.size for e in bundle for atom in e.inputs) > MOST_JOINED:
        return None
    if bundle[0] is not equation:
        return []
    vector, side, product, _ = key
    found: list[Equation] = []
    axis = (product.right, product.left)[side].index(product.out[0])
    (joined,) = applied(Concatenate(axis), [e.inputs[1 - side] for e in bundle], found)
    (whole,) = applied(product, _in_order(side, vector, joined), found)
    begin = 0
    for member in bundle:
        end = begin + member.outputs[0].type.size
        key = key_of([range(begin, end)], whole.type.shape)
        found.append(Equation(Slice(key), (whole,), member.outputs))
        begin = end
    return found


def _join_of_products(step: _Step, equation: Equation) -> Sequence[Equation] | None:
    """The product of joins, if each part is one of what waits and what does not."""
    makers = [step.maker(atom, Multiply) for atom in equation.inputs]
    pairs = [_waiting_first(step, maker) for maker in makers if maker is not None]
    factors = [pair for pair in pairs if pair is not None]
    if len(factors) < max(2, len(makers)):
        return None
    found: list[Equation] = []
    waiting, ready = (applied(equation.primitive, atoms, found)[0] for atoms in zip(*factors, strict=True))
    return [*found, Equation(MULTIPLY, (waiting, ready), equation.outputs)]


def _waiting_first(step: _Step, product: Equation) -> tuple[Atom, Atom] | None:
    """The factor that waits for the loop and the one that does not, of the type of their product."""
    x, y = product.inputs
    waiting, ready = (x, y) if x in step.late else (y, x)
    alike = x.type == y.type == product.outputs[0].type
    return (waiting, ready) if alike and waiting in step.late and ready not in step.late else None
