"""The rows of an evaluation trace: the primal trace, and the tangents or the adjoints beside it.

    >>> import numpy as np
    >>> from covector.trace.evaluation import evaluated
    >>> from covector.transforms.recording import make_graph
    >>> graph = make_graph(lambda x: np.sin(x) * x)(2.0)
    >>> for row in adjoint_rows(evaluated(graph, [2.0], ["x"], "depth"), [1.0]):
    ...     print(row.derivative.name, "=", row.derivative.expression)
    x̄ = v̄_0
    v̄_0 = v̄_0 + v̄_1 × cos v_0
    v̄_0 = v̄_2 × v_1
    v̄_1 = v̄_2 × v_0
    v̄_2 = ȳ
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import zip_longest

from covector.core.families import Elementwise
from covector.core.types import Array, zeros
from covector.graph.graph import Atom, Equation, Variable
from covector.trace.derivatives import LocalDerivative, local_derivatives
from covector.trace.evaluation import Evaluation
from covector.trace.expressions import Expression, Number, Operation, Partial, Symbol, operation
from covector.trace.rendering import Row, Section, Step

# --- values ---------------------------------------------------------------------------------------------


def primal_rows(evaluation: Evaluation) -> list[Row]:
    """The forward primal trace, from inputs to outputs."""
    rows = [Row("input", step) for step in _input_steps(evaluation)]
    rows += [Row("working", step) for equation in evaluation.equations for step in _steps(evaluation, equation)]
    return rows + [Row("output", step) for step in _output_steps(evaluation)]


def _input_steps(evaluation: Evaluation) -> list[Step]:
    """The inputs, then the constant arrays."""
    named = zip(evaluation.graph.inputs, evaluation.inputs, strict=True)
    steps = [Step(evaluation.symbols[v], (name,), evaluation.values[v]) for v, name in named]
    return steps + [Step(evaluation.symbols[v], (), value) for v, value in evaluation.graph.constants]


def _steps(evaluation: Evaluation, equation: Equation) -> list[Step]:
    arguments = [evaluation.expression(x) for x in equation.inputs]
    return [
        Step(evaluation.symbols[v], (operation(equation, place, arguments),), evaluation.values[v])
        for place, v in enumerate(equation.outputs)
    ]


def _output_steps(evaluation: Evaluation) -> list[Step]:
    named = zip(evaluation.graph.outputs, evaluation.outputs, strict=True)
    return [Step(name, (evaluation.expression(x),), evaluation.value(x)) for x, name in named]


# --- tangents, forwards ---------------------------------------------------------------------------------


def tangent_rows(evaluation: Evaluation, seeds: Sequence[Array | None]) -> list[Row]:
    """The primal trace, and beside each variable its tangent, for tangents of the inputs (None has none)."""
    graph, derivatives = evaluation.graph, local_derivatives(evaluation)
    tangents = {v: seed for v, seed in zip(graph.inputs, seeds, strict=True) if seed is not None}
    for equation, derivative in derivatives.items():
        pushed = derivative.push([tangents.get(source) for source in derivative.sources])
        tangents.update((v, t) for v, t in zip(equation.outputs, pushed, strict=True) if t is not None)
    steps = [
        *_input_tangents(evaluation, tangents),
        *_working_tangents(evaluation, derivatives, tangents),
        *_output_tangents(evaluation, tangents),
    ]
    return [Row(row.section, row.primal, step) for row, step in zip(primal_rows(evaluation), steps, strict=True)]


Tangents = dict[Variable, Array]


def _input_tangents(evaluation: Evaluation, tangents: Tangents) -> Iterator[Step | None]:
    for v, name in zip(evaluation.graph.inputs, evaluation.inputs, strict=True):
        yield _tangent_step(evaluation.symbols[v], v, tangents, name.marked("dot"))
    yield from [None] * len(evaluation.graph.constants)


def _working_tangents(
    evaluation: Evaluation, derivatives: dict[Equation, LocalDerivative], tangents: Tangents
) -> Iterator[Step | None]:
    for equation in evaluation.equations:
        formulas = _tangent_formulas(evaluation, equation, derivatives.get(equation))
        for v, written in zip(equation.outputs, formulas, strict=True):
            yield _tangent_step(evaluation.symbols[v], v, tangents, written)


def _output_tangents(evaluation: Evaluation, tangents: Tangents) -> Iterator[Step | None]:
    for atom, name in zip(evaluation.graph.outputs, evaluation.outputs, strict=True):
        written = evaluation.symbols[atom].marked("dot") if isinstance(atom, Variable) else None
        yield _tangent_step(name, atom, tangents, written)


def _tangent_step(
    symbol: Symbol, atom: Atom, tangents: Tangents, written: Expression | None
) -> Step | None:
    """The tangent of a variable: zero without a formula if it has none, nothing for integers and booleans."""
    if not atom.type.differentiable:
        return None
    tangent = tangents.get(atom) if isinstance(atom, Variable) else None
    if tangent is None:
        return Step(symbol.marked("dot"), (), zeros(atom.type))
    return Step(symbol.marked("dot"), () if written is None else (written,), tangent)


def _tangent_formulas(
    evaluation: Evaluation, equation: Equation, derivative: LocalDerivative | None
) -> list[Expression | None]:
    """What is said of each output's tangent: its formula, or the chain rule."""
    if derivative is None:
        return [None] * len(equation.outputs)
    pairs = zip(equation.outputs, derivative.push_formulas(evaluation), strict=True)
    return [written or _chain_rule(evaluation, derivative, v) for v, written in pairs]


def _chain_rule(evaluation: Evaluation, derivative: LocalDerivative, output: Variable) -> Expression:
    """The sum of partial derivative times tangent."""
    of = evaluation.symbols[output]
    terms: list[Expression] = []
    for place, source in enumerate(derivative.sources):
        partial = _partial(of, evaluation, derivative, place)
        terms.append(Operation("·", (partial, evaluation.symbols[source].marked("dot"))))
    return reduce(_plus, terms)


def _partial(of: Symbol, evaluation: Evaluation, derivative: LocalDerivative, place: int) -> Partial:
    """The partial derivative in an active input; by its position if that variable is an input twice."""
    source = derivative.sources[place]
    repeated = derivative.sources.count(source) > 1
    return Partial(of, evaluation.symbols[source], derivative.positions[place] + 1 if repeated else None)


def _plus(left: Expression, right: Expression) -> Expression:
    return Operation("+", (left, right))


# --- adjoints, backwards --------------------------------------------------------------------------------


def adjoint_rows(evaluation: Evaluation, seeds: Sequence[Array | None]) -> list[Row]:
    """The primal trace, and beside each operation what it contributes to the adjoints, for those of the outputs.

    The rows are in the order of the primal trace, so the adjoints are to be read upwards.
    """
    derivatives = local_derivatives(evaluation)
    adjoints: dict[Variable, Array] = {}
    upwards = list(_output_adjoints(evaluation, seeds, adjoints))
    for equation in reversed(evaluation.equations):
        steps = _equation_adjoints(evaluation, derivatives.get(equation), adjoints)
        upwards += reversed(_beside("working", _steps(evaluation, equation), steps[::-1]))
    inputs = _beside("input", _input_steps(evaluation), _input_adjoints(evaluation, adjoints))
    return [*inputs, *reversed(upwards)]


def _beside(section: Section, primal: Sequence[Step], derivative: Sequence[Step | None]) -> list[Row]:
    return [Row(section, *pair) for pair in zip_longest(primal, derivative)]


def _output_adjoints(
    evaluation: Evaluation, seeds: Sequence[Array | None], adjoints: dict[Variable, Array]
) -> Iterator[Row]:
    """The last row first: each output hands its adjoint to the variable it is."""
    triples = zip(evaluation.graph.outputs, _output_steps(evaluation), seeds, strict=True)
    for atom, primal, seed in reversed(list(triples)):
        if seed is None or not isinstance(atom, Variable):
            yield Row("output", primal)
        else:
            yield Row("output", primal, _accumulated(evaluation, adjoints, atom, seed, [primal.symbol.marked("bar")]))


def _equation_adjoints(
    evaluation: Evaluation, derivative: LocalDerivative | None, adjoints: dict[Variable, Array]
) -> list[Step]:
    """The contributions of each output of an equation to each of its active inputs, in the order they are added."""
    if derivative is None:
        return []
    steps: list[Step] = []
    for place, output in enumerate(derivative.equation.outputs):
        if output not in adjoints:
            continue
        contributions = derivative.pull(place, adjoints[output])
        formulas = derivative.pull_formulas(evaluation, place)
        for i, (contribution, written) in enumerate(zip(contributions, formulas, strict=True)):
            if contribution is not None:
                said = _contribution(evaluation, derivative, (place, i), written)
                steps.append(_accumulated(evaluation, adjoints, derivative.sources[i], contribution, said))
    return steps


def _contribution(
    evaluation: Evaluation, derivative: LocalDerivative, edge: tuple[int, int], written: Expression | None
) -> list[Expression]:
    """The contribution along an edge, from an output to an active input: with ∂, then written out."""
    place, i = edge
    of = evaluation.symbols[derivative.equation.outputs[place]]
    adjoint = of.marked("bar")
    chain_rule = Operation("·", (adjoint, _partial(of, evaluation, derivative, i)))
    if written is None:
        return [chain_rule]
    return [chain_rule, _with_unit(written) if isinstance(derivative.equation.primitive, Elementwise) else written]


def _with_unit(written: Expression) -> Expression:
    """An adjoint times 1 or -1 is written so, to show the partial derivative."""
    match written:
        case Symbol():
            return Operation("×", (written, Number(1)))
        case Operation("negative", (Symbol(),)):
            return Operation("×", (*written.arguments, Number(-1)))
        case _:
            return written


def _accumulated(
    evaluation: Evaluation,
    adjoints: dict[Variable, Array],
    variable: Variable,
    contribution: Array,
    said: Sequence[Expression],
) -> Step:
    """Adds a contribution to the adjoint of a variable, and says so."""
    symbol = evaluation.symbols[variable].marked("bar")
    if variable not in adjoints:
        adjoints[variable] = contribution
        return Step(symbol, tuple(said), contribution)
    adjoints[variable] = adjoints[variable] + contribution
    return Step(symbol, tuple(_plus(symbol, each) for each in said), adjoints[variable])


def _input_adjoints(evaluation: Evaluation, adjoints: dict[Variable, Array]) -> list[Step | None]:
    """The adjoint of each input, zero if nothing contributed to it; nothing for integers and booleans."""
    steps: list[Step | None] = []
    for v, name in zip(evaluation.graph.inputs, evaluation.inputs, strict=True):
        adjoint = adjoints[v] if v in adjoints else zeros(v.type)
        said = (evaluation.symbols[v].marked("bar"),) if v in adjoints else ()
        steps.append(Step(name.marked("bar"), said, adjoint) if v.type.differentiable else None)
    return steps
