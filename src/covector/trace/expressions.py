"""What an equation of a graph says, as a formula: a small tree that a notation can write down.

    >>> import numpy as np
    >>> from covector.transforms.recording import make_graph
    >>> graph = make_graph(lambda x: 2.0 * np.cos(x))(1.0)
    >>> formula(graph, graph.outputs[0], {graph.inputs[0]: Symbol("x")})
    Operation('×', (Number(2.0), Operation('cos', (Symbol('x'),))))

The primitives with a notation of their own are in `WRITERS`; any other is written as a function call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, final

from attrs import frozen

from covector.core.broadcasting import SumTo
from covector.core.families import MaskedMultiply
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.graph.graph import Literal as LiteralAtom
from covector.ops.arithmetic import Add, Divide, Log, Multiply, Negative, Power, Reciprocal, Square, Subtract
from covector.ops.axes import Permute, Sum
from covector.ops.comparison import Select, StepFunction
from covector.ops.contraction import Contract
from covector.ops.indexing import PutSlice, SetSlice, Slice, shown

Mark = Literal["", "dot", "bar"]
"""What stands above a symbol: nothing for a value, a dot for its tangent, a bar for its adjoint."""


@final
@frozen(eq=False, repr=False)
class Number:
    """A number, or an array of them, written where it is used."""

    value: Any

    def __repr__(self) -> str:
        return f"Number({self.value!r})"


@final
@frozen(repr=False)
class Symbol:
    """A name, possibly with a subscript and a mark: v_1, its tangent, its adjoint."""

    base: str
    subscript: str = ""
    mark: Mark = ""

    def marked(self, mark: Mark) -> Symbol:
        """The same symbol with a mark above it."""
        return Symbol(self.base, self.subscript, mark)

    def __repr__(self) -> str:
        return f"Symbol({', '.join(repr(part) for part in (self.base, self.subscript, self.mark) if part)})"


@final
@frozen
class Partial:
    """The partial derivative of one variable in another, or in the argument at `place` if that occurs twice."""

    of: Symbol
    by: Symbol
    place: int | None = None


@final
@frozen(eq=False, repr=False)
class Operation:
    """An operator, such as ×, or a function of that name, between or of the arguments."""

    operator: str
    arguments: tuple[Expression, ...]
    parameters: str = ""

    def __repr__(self) -> str:
        parameters = f", {self.parameters!r}" if self.parameters else ""
        return f"Operation({self.operator!r}, {self.arguments!r}{parameters})"


Expression = Number | Symbol | Partial | Operation

NEGATIVE, INDEX, TRANSPOSE = "negative", "index", "transpose"

# --- from equations to expressions ----------------------------------------------------------------------


def formula(graph: Graph, atom: Atom, symbols: dict[Variable, Symbol]) -> Expression:
    """What an output of a graph is in terms of the variables that have symbols."""
    definitions = {v: (equation, i) for equation in graph.equations for i, v in enumerate(equation.outputs)}
    constants = dict(graph.constants)

    def expression(atom: Atom) -> Expression:
        if isinstance(atom, LiteralAtom):
            return Number(atom.value)
        if atom in symbols:
            return symbols[atom]
        if atom in constants:
            return Number(constants[atom])
        equation, place = definitions[atom]
        return operation(equation, place, [expression(x) for x in equation.inputs])

    return expression(atom)


def operation(equation: Equation, place: int, arguments: Sequence[Expression]) -> Expression:
    """What an equation says of its output at `place`."""
    writer = WRITERS.get(type(equation.primitive), _call)
    whole = writer(equation, tuple(arguments))
    return whole if len(equation.outputs) == 1 else Operation(INDEX, (whole,), f"[{place}]")


Writer = Callable[[Equation, tuple[Expression, ...]], Expression]

_OPERATORS: dict[type, str] = {
    Add: "+", Subtract: "-", Multiply: "×", MaskedMultiply: "×", Divide: "/", Power: "^", Negative: NEGATIVE,
    Log: "ln", Select: "where",
}  # fmt: skip

_COMPARISONS = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip

_LONGEST_PARAMETERS = 40


def _operator(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    return Operation(_OPERATORS[type(equation.primitive)], arguments)


def _call(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    """A call of the primitive by its name, with its parameters unless they are too long to help."""
    name, signature = equation.primitive.name, equation.primitive.signature
    parameters = signature.removeprefix(name) if signature.startswith(name) else ""
    return Operation(name, arguments, parameters if len(parameters) <= _LONGEST_PARAMETERS else "[...]")


def _comparison(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    name = equation.primitive.name
    return Operation(_COMPARISONS.get(name, name), arguments)


def _square(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    return Operation("^", (*arguments, Number(2)))


def _reciprocal(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    return Operation("/", (Number(1), *arguments))


def _sum(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    """A sum, without parameters if it is over all axes."""
    return Operation("sum", arguments) if not equation.outputs[0].type.shape else _call(equation, arguments)


def _permute(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    """The transpose of a matrix, or a call."""
    primitive = equation.primitive
    assert isinstance(primitive, Permute)
    return Operation(TRANSPOSE, arguments) if primitive.axes == (1, 0) else _call(equation, arguments)


def _indexing(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    """x[key], put[key](x) for zeros with x at the key, set[key](x, y) for x with y at the key."""
    primitive = equation.primitive
    assert isinstance(primitive, (Slice, PutSlice, SetSlice))
    key = shown(primitive.key) if primitive.key else "[()]"
    return Operation(_INDEXING[type(primitive)], arguments, key)


_INDEXING: dict[type, str] = {Slice: INDEX, PutSlice: "put", SetSlice: "set"}


def _product(equation: Equation, arguments: tuple[Expression, ...]) -> Expression:
    """A matrix product, an outer product, or else an einsum."""
    primitive = equation.primitive
    assert isinstance(primitive, Contract)
    (x, y), left, right, out = arguments, primitive.left, primitive.right, primitive.out
    found = _matrix_product((x, left), (y, right), out) or _matrix_product((y, right), (x, left), out)
    if found is not None:
        return found
    words = ("".join(chr(ord("i") + label) for label in labels) for labels in (left, right, out))
    return Operation("einsum", arguments, "[{},{}->{}]".format(*words))


Labelled = tuple[Expression, tuple[int, ...]]


def _matrix_product(x: Labelled, y: Labelled, out: tuple[int, ...]) -> Expression | None:
    """x @ y or outer(x, y), if that is the product with these labels; transposed operands are marked."""
    (first, left), (second, right) = x, y
    summed = tuple(label for label in left if label in right)
    rows = tuple(label for label in left if label not in right)
    columns = tuple(label for label in right if label not in left)
    if rows + columns != out or len(rows) > 1 or len(columns) > 1 or len(summed) > 1:
        return None
    if not summed:
        return Operation("outer", (first, second)) if rows and columns else Operation("×", (first, second))
    first = first if left == rows + summed else Operation(TRANSPOSE, (first,))
    second = second if right == summed + columns else Operation(TRANSPOSE, (second,))
    return Operation("@", (first, second))


WRITERS: dict[type, Writer] = {
    **dict.fromkeys(_OPERATORS, _operator),
    StepFunction: _comparison,
    Square: _square,
    Reciprocal: _reciprocal,
    Sum: _sum,
    SumTo: _sum,
    Permute: _permute,
    **dict.fromkeys(_INDEXING, _indexing),
    Contract: _product,
}
"""How the primitives that have a notation of their own are written."""

# --- simplifying ----------------------------------------------------------------------------------------


def simplified(expression: Expression) -> Expression:
    """The expression as one would write it by hand: factors in a usual order, without those that are one."""
    if not isinstance(expression, Operation):
        return expression
    rebuilt = Operation(expression.operator, tuple(map(simplified, expression.arguments)), expression.parameters)
    match rebuilt:
        case Operation("×" | "/"):
            return _fraction(*_parts(rebuilt))
        case Operation("+", (left, Operation("negative", (right,)))):
            return Operation("-", (left, right))
        case Operation("broadcast_to", (Operation("reshape", arguments),), parameters):
            return Operation("broadcast_to", arguments, parameters)
        case _:
            return rebuilt


Factors = list[Expression]


def _parts(expression: Expression) -> tuple[Factors, Factors]:
    """The factors of the numerator and of the denominator."""
    match expression:
        case Operation("×", arguments):
            parts = [_parts(argument) for argument in arguments]
            return [x for over, _ in parts for x in over], [x for _, under in parts for x in under]
        case Operation("/", (numerator, denominator)):
            over, under = _parts(numerator)
            return over, [*under, denominator]
        case _:
            return [expression], []


def _fraction(over: Factors, under: Factors) -> Expression:
    sign = next((i for i, x in enumerate(over) if _is_number(x, -1)), None)
    if sign is not None and len(over) > 1:
        return Operation(NEGATIVE, (_fraction(over[:sign] + over[sign + 1 :], under),))
    numerator = _joined(sorted((x for x in over if not _is_number(x, 1)), key=_rank) or [Number(1)])
    return Operation("/", (numerator, _joined(under))) if under else numerator


def _joined(factors: Factors) -> Expression:
    return factors[0] if len(factors) == 1 else Operation("×", tuple(factors))


def _rank(expression: Expression) -> int:
    """Derivatives come first, then numbers, then the rest."""
    if _has_derivative(expression):
        return 0
    return 1 if isinstance(expression, Number) else 2


def _has_derivative(expression: Expression) -> bool:
    if isinstance(expression, Operation):
        return any(map(_has_derivative, expression.arguments))
    return isinstance(expression, Symbol) and expression.mark != ""


def _is_number(expression: Expression, value: int) -> bool:
    return isinstance(expression, Number) and not getattr(expression.value, "shape", ()) and expression.value == value
