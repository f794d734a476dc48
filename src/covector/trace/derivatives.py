"""The derivative of each operation of a trace: its values, and the formulas that say what they are.

The derivative of an operation is a tape of one step or a few. Pushing the tangents of the inputs through it
gives the tangents of the outputs; pulling the adjoint of an output gives a contribution to the adjoint of each
input. Doing the same while it is recorded gives a graph, and that is the formula: what is shown is what is done.

    >>> import numpy as np
    >>> from covector.trace.evaluation import evaluated
    >>> from covector.transforms.recording import make_graph
    >>> graph = make_graph(lambda x: np.sin(x) * x)(2.0)
    >>> evaluation = evaluated(graph, [2.0], ["x"], "depth")
    >>> sine, product = local_derivatives(evaluation).values()
    >>> [float(x) for x in product.pull(0, 1.0)]
    [2.0, 0.9092974268256817]
    >>> [PLAIN.formula(x) for x in product.pull_formulas(evaluation, 0)]
    ['v̄_2 × v_0', 'v̄_2 × v_1']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from attrs import field, frozen

from covector.core.families import Bilinear, Elementwise, Linear
from covector.core.primitive import as_tuple
from covector.core.types import Array, ArrayType
from covector.graph.graph import Atom, Equation, Graph, Literal, Variable
from covector.interpreters.linearizing import linearize_flat
from covector.interpreters.staging import record_flat
from covector.interpreters.tape import Tape, pull, push
from covector.trace.evaluation import Evaluation
from covector.trace.expressions import Expression, Symbol, formula, simplified
from covector.trace.notation import PLAIN

ORIGIN = "evaluation_trace"

WRITTEN_OUT = (Elementwise, Linear, Bilinear)
"""The families whose rules are formulas; the rules of other operations are programs."""

LONGEST_FORMULA, MOST_EQUATIONS = 64, 16
"""A formula with more characters, or from a rule with more steps, is not shown."""


Seed = tuple[Symbol, ArrayType]
"""The symbol of a tangent or adjoint that a rule starts from, and its type."""


@final
@frozen(eq=False)
class LocalDerivative:
    """The derivative of an equation in its active inputs: those, at `positions`, that depend on the trace's inputs.

    `vertices` are the outputs' on the tape, None for an output with derivative zero.
    """

    equation: Equation
    positions: tuple[int, ...]
    tape: Tape = field(repr=False)
    vertices: tuple[int | None, ...]

    @property
    def sources(self) -> list[Variable]:
        """The active inputs."""
        atoms = (self.equation.inputs[i] for i in self.positions)
        return [x for x in atoms if isinstance(x, Variable)]

    def push(self, tangents: Sequence[Array | None]) -> list[Array | None]:
        """The tangents of the outputs; None is zero."""
        pushed = iter(push(self.tape, tangents, [i for i in self.vertices if i is not None]))
        return [None if i is None else next(pushed) for i in self.vertices]

    def pull(self, place: int, adjoint: Array) -> list[Array | None]:
        """What the adjoint of the output at `place` contributes to those of the active inputs; None is nothing."""
        vertex = self.vertices[place]
        if vertex is None:
            return [None] * len(self.positions)
        return pull(self.tape, [(vertex, adjoint)], len(self.positions), consume=False)

    def push_formulas(self, evaluation: Evaluation) -> list[Expression | None]:
        """The formulas of the outputs' tangents; None for what is zero or too long to write out."""
        seeds = [(evaluation.symbols[x].marked("dot"), x.type) for x in self.sources]
        return self._formulas(evaluation, seeds, LocalDerivative.push, len(self.equation.outputs))

    def pull_formulas(self, evaluation: Evaluation, place: int) -> list[Expression | None]:
        """The formulas of the contributions of an output; None for what is zero or too long to write out."""
        output = self.equation.outputs[place]

        def rule(derivative: LocalDerivative, seeds: Sequence[Array]) -> list[Array | None]:
            return derivative.pull(place, *seeds)

        seeds = [(evaluation.symbols[output].marked("bar"), output.type)]
        return self._formulas(evaluation, seeds, rule, len(self.positions))

    def _formulas(
        self, evaluation: Evaluation, seeds: Sequence[Seed], rule: Rule, count: int
    ) -> list[Expression | None]:
        """Records what the rule does with the seeds, and reads off its `count` results."""
        equation = self.equation
        if not isinstance(equation.primitive, WRITTEN_OUT):
            return [None] * count
        variables = list(dict.fromkeys(x for x in equation.inputs if isinstance(x, Variable)))
        there: list[bool] = []

        def recorded(*leaves: Array) -> list[Array]:
            values = dict(zip(variables, leaves, strict=False))
            inputs = [x.value if isinstance(x, Literal) else values[x] for x in equation.inputs]
            outputs, derivative = linearized(equation, inputs, self.positions)
            found = rule(derivative, leaves[len(variables) :])
            there.extend(x is not None for x in found)
            return [*outputs, *(x for x in found if x is not None)]

        kinds = [*(v.type for v in variables), *(kind.strong() for _, kind in seeds)]
        graph = record_flat(recorded, kinds, ORIGIN)
        symbols = [*(evaluation.symbols[v] for v in variables), *(symbol for symbol, _ in seeds)]
        known = dict(zip(graph.inputs, symbols, strict=True))
        for atom, variable in zip(graph.outputs, equation.outputs, strict=False):
            if isinstance(atom, Variable):
                known.setdefault(atom, evaluation.symbols[variable])
        results = iter(graph.outputs[len(equation.outputs) :])
        return [_written(graph, next(results), known) if each else None for each in there]


Rule = Callable[[LocalDerivative, Sequence[Array]], Sequence[Array | None]]
"""A push or a pull, as a function of the tangents or adjoints that it starts from."""


def _written(graph: Graph, atom: Atom, known: dict[Variable, Symbol]) -> Expression | None:
    """The formula of a result of a rule, unless it is too long."""
    if len(graph.equations) > MOST_EQUATIONS:
        return None
    expression = simplified(formula(graph, atom, known))
    return expression if len(PLAIN.formula(expression)) <= LONGEST_FORMULA else None


def linearized(
    equation: Equation, inputs: Sequence[Array], positions: tuple[int, ...]
) -> tuple[list[Array], LocalDerivative]:
    """The outputs of an equation for these inputs, and its derivative in those at `positions`."""

    def of_active(*active: Array) -> tuple[Array, ...]:
        filled = list(inputs)
        for position, x in zip(positions, active, strict=True):
            filled[position] = x
        return as_tuple(equation.primitive(*filled))

    outputs, tape, vertices = linearize_flat(of_active, [inputs[i] for i in positions], ORIGIN)
    return outputs, LocalDerivative(equation, positions, tape, tuple(vertices))


def local_derivatives(evaluation: Evaluation) -> dict[Equation, LocalDerivative]:
    """The derivative of each equation that depends on a differentiable input."""
    active = {v for v in evaluation.graph.inputs if v.type.differentiable}
    derivatives = {}
    for equation in evaluation.equations:
        positions = tuple(i for i, x in enumerate(equation.inputs) if isinstance(x, Variable) and x in active)
        if not positions:
            continue
        _, derivative = linearized(equation, [evaluation.value(x) for x in equation.inputs], positions)
        derivatives[equation] = derivative
        active.update(v for v, i in zip(equation.outputs, derivative.vertices, strict=True) if i is not None)
    return derivatives
