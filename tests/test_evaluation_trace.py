"""The evaluation trace: the textbook's tables, the laws that tie it to jvp and vjp, and its four formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, Literal

import numpy as np
import pytest

import covector as cv
from covector.errors import (
    ArgumentError,
    DTypeMismatchError,
    NotDifferentiableError,
    ShapeMismatchError,
    TreeMismatchError,
    UnsupportedFunctionError,
)
from covector.trace.expressions import Number, Operation, Partial, Symbol, simplified
from covector.trace.notation import HTML, LATEX, PLAIN, literal_text, value_text
from covector.trace.rendering import Step, display_width
from covector.trees import flatten, unflatten
from tests.catalogue.instance import Instance
from tests.collection import catalogue

WITHOUT_DERIVATIVE = {"warm_search"}
"""What is refused under every derivative, by name."""

VECTOR = np.array([0.5, -1.0, 2.0])
MATRIX = np.array([[1.0, 2.0, 0.5], [-1.0, 0.3, 2.0]])


def textbook(x1: Any, x2: Any) -> Any:
    return np.log(x1) + x1 * x2 - np.sin(x2)


TRACE = cv.evaluation_trace(textbook)(2.0, 5.0)


def lines(steps: tuple[Step, ...]) -> list[tuple[str, str, float]]:
    """The name, expression and value of each step, to three decimals."""
    return [(step.name, step.expression, round(float(step.value), 3)) for step in steps]


def marked(text: str, mark: Literal["dot", "bar"]) -> str:
    """The text with a mark above each letter that ' follows."""
    return re.sub("([a-z])'", lambda m: PLAIN.symbol(Symbol(m[1], "", mark)), text)


# --- the textbook: Baydin, Pearlmutter, Radul and Siskind (2018), tables 2 and 3 -------------------------------


def test_forward_primal_trace_of_the_textbook() -> None:
    assert lines(TRACE.primal) == [
        ("v_-1", "x1", 2.0),
        ("v_0", "x2", 5.0),
        ("v_1", "ln v_-1", 0.693),
        ("v_2", "v_-1 × v_0", 10.0),
        ("v_3", "sin v_0", -0.959),
        ("v_4", "v_1 + v_2", 10.693),
        ("v_5", "v_4 - v_3", 11.652),
        ("y", "v_5", 11.652),
    ]


def test_forward_tangent_trace_of_the_textbook() -> None:
    expected = [
        ("v'_-1", "x'1", 1.0),
        ("v'_0", "x'2", 0.0),
        ("v'_1", "v'_-1 / v_-1", 0.5),
        ("v'_2", "v'_-1 × v_0 + v'_0 × v_-1", 5.0),
        ("v'_3", "v'_0 × cos v_0", 0.0),
        ("v'_4", "v'_1 + v'_2", 5.5),
        ("v'_5", "v'_4 - v'_3", 5.5),
        ("y'", "v'_5", 5.5),
    ]
    trace = TRACE.tangent((1.0, 0.0))
    assert trace.mode == "tangent"
    assert lines(trace.primal) == lines(TRACE.primal)
    assert lines(trace.derivative) == [(marked(a, "dot"), marked(b, "dot"), value) for a, b, value in expected]


def test_reverse_adjoint_trace_of_the_textbook() -> None:
    """In the order of evaluation; v_0 receives its contributions from v_3 and then v_2, in two lines."""
    expected = [
        ("v'_5", "y'", 1.0),
        ("v'_4", "v'_5 × 1", 1.0),
        ("v'_3", "v'_5 × (-1)", -1.0),
        ("v'_1", "v'_4 × 1", 1.0),
        ("v'_2", "v'_4 × 1", 1.0),
        ("v'_0", "v'_3 × cos v_0", -0.284),
        ("v'_-1", "v'_2 × v_0", 5.0),
        ("v'_0", "v'_0 + v'_2 × v_-1", 1.716),
        ("v'_-1", "v'_-1 + v'_1 / v_-1", 5.5),
        ("x'1", "v'_-1", 5.5),
        ("x'2", "v'_0", 1.716),
    ]
    trace = TRACE.adjoint()
    assert lines(trace.derivative) == [(marked(a, "bar"), marked(b, "bar"), value) for a, b, value in expected]


def test_adjoint_lines_also_say_which_partial_derivative_they_use() -> None:
    found = [step.expressions[0] for step in TRACE.adjoint().derivative if step.name == marked("v'_0", "bar")]
    assert found == [marked("v'_3 · ∂v_3/∂v_0", "bar"), marked("v'_0 + v'_2 · ∂v_2/∂v_0", "bar")]


def test_each_adjoint_line_stands_beside_the_operation_it_differentiates() -> None:
    rows = TRACE.adjoint().rows
    beside = {row.primal.name: row.derivative.name for row in rows if row.primal and row.derivative}
    unmarked = {name: adjoint.replace(marked("v'", "bar"), "v") for name, adjoint in beside.items()}
    assert unmarked == {
        "v_-1": marked("x'1", "bar"), "v_0": marked("x'2", "bar"),
        "v_1": "v_-1", "v_2": "v_0", "v_3": "v_0", "v_4": "v_2", "v_5": "v_3", "y": "v_5",
    }  # fmt: skip
    assert sum(row.primal is None for row in rows) == 3


def test_operations_in_the_order_of_the_program() -> None:
    trace = cv.evaluation_trace(textbook, order="program")(2.0, 5.0)
    assert [step.expression for step in trace.primal[2:7]] == [
        "ln v_-1", "v_-1 × v_0", "v_1 + v_2", "sin v_0", "v_3 - v_4",
    ]  # fmt: skip
    assert float(trace.adjoint().derivative[-1].value) == float(TRACE.adjoint().derivative[-1].value)


# --- laws ---------------------------------------------------------------------------------------------------


def branching(x: Any) -> Any:
    return np.exp(x) if x > 0.3 else x**3


def looping(x: Any) -> Any:
    for _ in range(5):
        x = np.sin(x) * 2.0 if x < 0.8 else x / (1.0 + x)
    return x


def sine_product(x: Any, y: Any = 1.5) -> Any:
    return np.sin(x) * y * x


def layers(params: Any, x: Any) -> Any:
    hidden = np.tanh(params["hidden"] @ x + params["bias"])
    return {"loss": np.sum(hidden**2), "hidden": hidden}


def entries(x: Any) -> Any:
    return x[0] * x[1] + np.sum(x[1:] ** 2) * x[-1]


FUNCTIONS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (textbook, (2.0, 5.0)),
    (textbook, (np.float32(2.0), VECTOR)),
    (branching, (0.5,)),
    (branching, (0.2,)),
    (looping, (0.4,)),
    (layers, ({"hidden": MATRIX, "bias": np.array([0.1, 0.2])}, VECTOR)),
    (entries, (VECTOR,)),
    (lambda x: x * x * x, (VECTOR,)),
    (lambda x: (x, 2.0 * x, x), (3.0,)),
    (lambda A, B: A.T @ (A @ B), (MATRIX, VECTOR)),
    (lambda x: x * MATRIX + np.broadcast_to(x, (2, 3)), (VECTOR,)),
    (lambda x, y: np.maximum(x, y) ** y / np.where(y > 1.0, x, 2.0), (np.abs(VECTOR), 1.5)),
    (cv.grad(sine_product), (0.7,)),
    (cv.checkpoint(sine_product), (VECTOR,)),
    (lambda z: z * np.exp(z), (1.0 + 2.0j,)),
    (lambda x: 3.0, (1.0,)),
]

each_function = pytest.mark.parametrize(("function", "args"), FUNCTIONS)


def example_tree(tree: Any) -> Any:
    """A tree of the same structure and types, with other numbers."""
    leaves, structure = flatten(tree)
    generator = np.random.default_rng(1)
    made = [np.asarray(generator.normal(size=np.shape(x)), np.result_type(x))[()] for x in leaves]
    return unflatten(structure, made)


@each_function
def test_the_primal_trace_ends_in_the_output(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    trace = cv.evaluation_trace(function)(*args)
    outputs, _ = flatten(function(*args))
    for step, output in zip(trace.primal[-len(outputs) :], outputs, strict=True):
        np.testing.assert_allclose(step.value, output)


@each_function
def test_the_tangent_trace_ends_in_jvp(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    tangents = example_tree(args)
    trace = cv.evaluation_trace(function)(*args).tangent(tangents)
    expected, _ = flatten(cv.jvp(function, args, tangents)[1])
    for step, tangent in zip(trace.derivative[-len(expected) :], expected, strict=True):
        np.testing.assert_allclose(step.value, tangent, rtol=1e-6)


@each_function
def test_the_adjoint_trace_ends_in_vjp(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    output, pullback = cv.vjp(function, *args)
    cotangent = example_tree(output)
    trace = cv.evaluation_trace(function)(*args).adjoint(cotangent)
    expected, _ = flatten(pullback(cotangent))
    for step, adjoint in zip(trace.derivative[-len(expected) :], expected, strict=True):
        assert np.shape(step.value) == np.shape(adjoint)
        np.testing.assert_allclose(step.value, adjoint, rtol=1e-6)


@pytest.mark.parametrize("instance", [i for i in catalogue() if i.name not in WITHOUT_DERIVATIVE], ids=repr)
def test_every_operation_can_be_traced(instance: Instance) -> None:
    """<adjoint of y, tangent of y> = <adjoint of x, tangent of x>, in its real part, and every table can be written."""
    trace = cv.evaluation_trace(instance.primitive)(*instance.inputs)
    tangents = tuple(ones(x) for x in instance.inputs)
    structure = trace.graph.structure
    assert structure is not None
    outputs = [step.value for step in trace.primal[-len(trace.graph.outputs) :]]
    forward, reverse = trace.tangent(tangents), trace.adjoint(unflatten(structure, [ones(y) for y in outputs]))
    for each in (trace, forward, reverse):
        assert all((each.text(), each.markdown(), each.latex(), each.html()))
    pushed = [row.derivative.value for row in forward.rows if row.derivative and row.section == "output"]
    pulled = [row.derivative.value for row in reverse.rows if row.derivative and row.section == "input"]
    found, expected = (np.real(sum(map(np.sum, values))) for values in (pushed, pulled))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def ones(x: Any) -> Any:
    """A tangent of ones, 0 for integers and booleans."""
    dtype = np.asarray(x).dtype
    return np.full(np.shape(x), 1 if dtype.kind in "fc" else 0, dtype)


# --- what is written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (lambda x: x**2, (np.float64(3.0),), "v_0^2"),
        (lambda x: x**2, (3.0,), "v_0 × v_0"),
        (lambda x: np.square(x), (3.0,), "v_0^2"),
        (lambda x: -x, (3.0,), "-v_0"),
        (lambda x: x + -1.0, (3.0,), "v_0 + (-1)"),
        (lambda x: np.reciprocal(x), (3.0,), "1 / v_0"),
        (lambda x: x > 1, (3.0,), "v_0 > 1"),
        (lambda x: np.floor(x), (3.5,), "floor(v_0)"),
        (lambda x: x[1:], (VECTOR,), "v_0[1:]"),
        (lambda x: np.sum(x), (VECTOR,), "sum(v_0)"),
        (lambda x: np.sum(x, axis=0), (MATRIX,), "sum[axes=(0,)](v_0)"),
        (lambda x: x.T, (MATRIX,), "v_0ᵀ"),
        (lambda x, y: x @ y, (MATRIX, VECTOR), "v_-1 @ v_0"),
        (lambda x, y: np.einsum("i,j->ij", x, y), (VECTOR, VECTOR), "outer(v_-1, v_0)"),
        (lambda x, y: np.einsum("ij,ij->i", x, y), (MATRIX, MATRIX), "einsum[ij,ij->i](v_-1, v_0)"),
        (lambda x, y: np.where(True, x, y), (1.0, 2.0), "where(True, v_-1, v_0)"),
    ],
)
def test_operations_are_written_as_mathematics(function: Any, args: tuple[Any, ...], expected: str) -> None:
    assert cv.evaluation_trace(function)(*args).primal[-2].expression == expected


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (lambda x: np.exp(x), (3.0,), ["v'_1 × v_1"]),
        (lambda x: np.cos(x), (3.0,), ["v'_1 × (-sin v_0)"]),
        (lambda x: x**3, (3.0,), ["v'_1 × 3 × v_0^2"]),
        (lambda x: np.sqrt(x), (3.0,), ["v'_1 × 0.5 / v_1"]),
        (lambda x: np.tanh(x), (3.0,), ["v'_1 × (1 - v_1 × v_1)"]),
        (lambda x, y: x / y, (3.0, 2.0), ["v'_1 / v_0", "v'_1 × (-v_1) / v_0"]),
        (lambda x: x * VECTOR, (3.0,), ["sum(v'_1 × c_1)"]),
        (lambda x: np.sum(x), (VECTOR,), ["broadcast_to[shape=(3,)](v'_1)"]),
        (lambda x: x[1], (VECTOR,), ["put[1](v'_1)"]),
        (lambda x, y: x @ y, (MATRIX, VECTOR), ["outer(v'_1, v_0)", "v'_1 @ v_-1"]),
        (lambda x, y: x @ y, (MATRIX, MATRIX.T), ["v'_1 @ v_0ᵀ", "v_-1ᵀ @ v'_1"]),
    ],
)
def test_contributions_are_written_as_mathematics(function: Any, args: tuple[Any, ...], expected: list[str]) -> None:
    trace = cv.evaluation_trace(function)(*args)
    found = trace.adjoint(ones(trace.primal[-1].value)).derivative[1 : 1 + len(expected)]
    assert [step.expression for step in found] == [marked(text, "bar") for text in expected]


def test_a_rule_that_is_a_program_is_written_with_partial_derivatives() -> None:
    trace = cv.evaluation_trace(cv.checkpoint(sine_product))(2.0, 3.0)
    expected = marked("∂v_1/∂v_-1 · v'_-1 + ∂v_1/∂v_0 · v'_0", "dot")
    assert trace.tangent((1.0, 1.0)).derivative[2].expression == expected
    assert trace.adjoint().derivative[1].expressions == (marked("v'_1 · ∂v_1/∂v_-1", "bar"),)


def test_an_argument_that_occurs_twice_contributes_twice() -> None:
    """Then the partial derivatives are told apart by the number of the argument."""
    steps = cv.evaluation_trace(lambda x: x * x)(3.0).adjoint().derivative
    assert [step.expressions[0] for step in steps[1:3]] == [
        marked("v'_1 · ∂_1 v_1", "bar"),
        marked("v'_0 + v'_1 · ∂_2 v_1", "bar"),
    ]
    assert [float(step.value) for step in steps] == [1.0, 3.0, 6.0, 6.0]


def test_inputs_are_named_after_parameters_and_their_paths() -> None:
    def function(params: Any, *rest: Any) -> Any:
        return params["w"][0] * rest[0] * rest[1]

    trace = cv.evaluation_trace(function)({"w": [2.0]}, 3.0, 4.0)
    assert [step.expression for step in trace.primal[:3]] == ["params['w'][0]", "rest[0]", "rest[1]"]
    assert [step.name for step in trace.primal[:3]] == ["v_-2", "v_-1", "v_0"]


def test_several_outputs_are_numbered() -> None:
    trace = cv.evaluation_trace(lambda x: (x, 2.0 * x))(1.0)
    assert [step.name for step in trace.primal[-2:]] == ["y1", "y2"]


def test_the_output_has_another_letter_if_an_input_is_called_y() -> None:
    assert cv.evaluation_trace(lambda x, y: x * y)(1.0, 2.0).primal[-1].name == "z"


def test_constant_arrays_have_lines_and_keyword_arguments_are_constants() -> None:
    trace = cv.evaluation_trace(lambda x, weights: x * weights)(2.0, weights=VECTOR)
    assert [(step.name, step.expression) for step in trace.primal] == [
        ("v_0", "x"), ("c_1", ""), ("v_1", "v_0 × c_1"), ("y", "v_1"),
    ]  # fmt: skip


def test_branches_taken_are_shown_with_what_decided_them() -> None:
    trace = cv.evaluation_trace(branching)(0.5).tangent((1.0,))
    assert [step.expression for step in trace.primal[1:3]] == ["v_0 > 0.3", "exp v_0"]
    assert [row.derivative is None for row in trace.rows] == [False, True, False, False]


def test_a_locally_constant_operation_has_tangent_zero_and_passes_no_adjoint() -> None:
    trace = cv.evaluation_trace(lambda x: np.floor(x) * x)(2.5)
    assert [float(step.value) for step in trace.tangent((1.0,)).derivative] == [1.0, 0.0, 2.0, 2.0]
    assert [step.name for step in trace.adjoint().derivative] == [
        marked(name, "bar") for name in ("v'_2", "v'_0", "x'")
    ]  # fmt: skip


def test_an_input_that_is_not_used_has_adjoint_zero() -> None:
    steps = cv.evaluation_trace(lambda x1, x2: x1)(1.0, VECTOR).adjoint().derivative
    np.testing.assert_array_equal(steps[-1].value, np.zeros(3))


def test_integer_inputs_have_neither_tangent_nor_adjoint() -> None:
    trace = cv.evaluation_trace(lambda x, n: x**n)(2.0, 3)
    assert [step.name for step in trace.adjoint().derivative][-1] == marked("x'", "bar")
    assert float(trace.tangent((1.0, 0)).derivative[-1].value) == 12.0


def test_a_trace_does_not_change_with_the_arrays_it_was_made_from() -> None:
    x, scale = VECTOR.copy(), VECTOR.copy()
    trace = cv.evaluation_trace(lambda x: x * scale)(x)
    before = trace.text()
    x[:], scale[:] = 0.0, 0.0
    assert trace.text() == before
    np.testing.assert_array_equal(trace.adjoint(np.ones(3)).derivative[-1].value, VECTOR)


# --- formulas and numbers -----------------------------------------------------------------------------------

A, B, C = Symbol("v", "1"), Symbol("v", "2"), Symbol("v", "3", "bar")


@pytest.mark.parametrize(
    ("expression", "plain", "latex"),
    [
        (Operation("×", (Operation("+", (A, B)), A)), "(v_1 + v_2) × v_1", r"\left(v_{1} + v_{2}\right) \times v_{1}"),
        (Operation("-", (A, Operation("-", (B, A)))), "v_1 - (v_2 - v_1)", r"v_{1} - \left(v_{2} - v_{1}\right)"),
        (Operation("-", (Operation("-", (A, B)), A)), "v_1 - v_2 - v_1", "v_{1} - v_{2} - v_{1}"),
        (Operation("/", (A, Operation("×", (A, B)))), "v_1 / (v_1 × v_2)", r"\frac{v_{1}}{v_{1} \times v_{2}}"),
        (Operation("^", (Operation("negative", (A,)), Number(2))), "(-v_1)^2", r"{\left(-v_{1}\right)}^{2}"),
        (Operation("^", (A, Number(-1.0))), "v_1^(-1)", "{v_{1}}^{-1}"),
        (Operation("×", (Operation("sin", (A,)), B)), "sin(v_1) × v_2", r"\sin\left(v_{1}\right) \times v_{2}"),
        (Operation("×", (A, Operation("sin", (B,)))), "v_1 × sin v_2", r"v_{1} \times \sin v_{2}"),
        (Operation("ln", (Operation("+", (A, B)),)), "ln(v_1 + v_2)", r"\ln\left(v_{1} + v_{2}\right)"),
        (Operation("sqrt", (A,)), "sqrt v_1", r"\sqrt{v_{1}}"),
        (Operation("absolute", (A,)), "|v_1|", r"\left\lvert v_{1} \right\rvert"),
        (Operation("<=", (A, B)), "v_1 <= v_2", r"v_{1} \le v_{2}"),
        (Partial(A, B), "∂v_1/∂v_2", r"\frac{\partial v_{1}}{\partial v_{2}}"),
        (Symbol("alpha"), "alpha", r"\mathtt{alpha}"),
        (Symbol("x2", "", "bar"), marked("x'2", "bar"), r"\bar{x}_{2}"),
        (Operation("f", (A,), "[a_b]"), "f[a_b](v_1)", r"\operatorname{f}\mathtt{[a\_b]}\left(v_{1}\right)"),
    ],
)
def test_brackets_are_where_they_are_needed(expression: Any, plain: str, latex: str) -> None:
    assert PLAIN.formula(expression) == plain
    assert LATEX.formula(expression) == latex


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Operation("×", (A, Operation("×", (Number(2.0), C)))), "v'_3 × 2 × v_1"),
        (Operation("×", (Operation("/", (Number(1.0), A)), C)), "v'_3 / v_1"),
        (Operation("+", (A, Operation("×", (C, Number(-1.0))))), "v_1 - v'_3"),
        (Operation("×", (Number(1.0), Number(1.0))), "1"),
        (Operation("×", (Number(-1.0), Number(-1.0))), "-(-1)"),
        (Operation("×", (C, Operation("/", (Operation("negative", (A,)), B)))), "v'_3 × (-v_1) / v_2"),
    ],
)
def test_formulas_are_simplified_as_by_hand(expression: Any, expected: str) -> None:
    assert PLAIN.formula(simplified(expression)) == marked(expected, "bar")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (11.6520707, "11.652"),
        (10.0, "10"),
        (0.0, "0"),
        (-0.0123456, "-0.01235"),
        (1234567.0, "1.235e+06"),
        (np.inf, "inf"),
        (np.float32(0.1), "0.1"),
        (3, "3"),
        (True, "True"),
        (1.0 - 2.0j, "1-2j"),
        (np.array([[1.0, 2.5]]), "[[1, 2.5]]"),
        (np.zeros((0, 3)), "[]"),
        (np.arange(100.0), "float64[100], mean 49.5, from 0 to 99"),
        (np.arange(10) > 2, "bool[10], 7 true"),
        (np.zeros(10, complex), "complex128[10]"),
        (np.full(10, np.inf), "float64[10], mean inf, from inf to inf"),
    ],
)
def test_values_are_rounded_and_arrays_summarised(value: Any, expected: str) -> None:
    assert value_text(value, 3) == expected


def test_numbers_in_formulas_keep_six_digits() -> None:
    assert [literal_text(x) for x in (0.1234567, 2.0, np.float64(-0.5), 7)] == ["0.123457", "2", "-0.5", "7"]


def test_more_digits_on_request() -> None:
    assert "11.65207" in TRACE.text(digits=5)


# --- formats ------------------------------------------------------------------------------------------------

TRACES = [
    TRACE,
    TRACE.tangent((1.0, 0.0)),
    TRACE.adjoint(),
    cv.evaluation_trace(layers)({"hidden": MATRIX, "bias": np.array([0.1, 0.2])}, np.ones(3)).adjoint(
        {"loss": 1.0, "hidden": np.ones(2)}
    ),
    cv.evaluation_trace(lambda x, 变量: np.abs(x) * 变量 + 1e-7)(np.arange(1.0, 9.0), 2.0).tangent((np.ones(8), 1.0)),
]  # fmt: skip

each_trace = pytest.mark.parametrize("trace", TRACES)


def column_of(line: str, character: str) -> list[int]:
    """On which columns of a terminal a character stands."""
    return [display_width(line[:i]) for i, c in enumerate(line) if c == character]


@each_trace
def test_text_is_aligned(trace: cv.EvaluationTrace) -> None:
    """Bars and crosses stand in one column, every equal sign in one of a few, and no line ends in a space."""
    text = trace.text()
    table = text.splitlines()
    bars = {tuple(column_of(line.replace("┼", "│"), "│")) for line in table}
    assert len(bars) == 1
    assert len({column for line in table for column in column_of(line.replace(" = ", " ═ "), "═")}) <= 5
    assert not any(line.endswith(" ") for line in table)
    rules = [line for line in table if line.startswith("─")]
    assert len(rules) == 3
    assert max(map(display_width, table)) == display_width(rules[0])


def test_the_textbook_as_text() -> None:
    assert str(TRACE) == (
        "Forward primal trace\n"
        "──────────────────────────\n"
        "v_-1 = x1         = 2\n"
        "v_0  = x2         = 5\n"
        "──────────────────────────\n"
        "v_1  = ln v_-1    = 0.693\n"
        "v_2  = v_-1 × v_0 = 10\n"
        "v_3  = sin v_0    = -0.959\n"
        "v_4  = v_1 + v_2  = 10.693\n"
        "v_5  = v_4 - v_3  = 11.652\n"
        "──────────────────────────\n"
        "y    = v_5        = 11.652"
    )
    assert repr(TRACE) == str(TRACE)


@each_trace
def test_markdown_has_the_same_cells_in_every_row(trace: cv.EvaluationTrace) -> None:
    table = trace.markdown().splitlines()
    assert len(table) == len(trace.rows) + 2
    assert len({len(re.split(r"(?<!\\)\|", line)) for line in table}) == 1
    assert all(line.startswith("| ") and line.endswith(" |") for line in table)
    assert set(table[1]) == set("|- ")
    assert all(line.count("`") % 2 == 0 for line in table)


@each_trace
def test_latex_is_balanced_and_has_the_declared_columns(trace: cv.EvaluationTrace) -> None:
    first, *body, last = trace.latex().splitlines()
    columns = re.fullmatch(r"\\begin\{array\}\{([l|]+)\}", first)
    assert columns is not None
    assert last == r"\end{array}"
    count = columns[1].count("l")
    for line in body:
        assert line == r"\hline" or (line.endswith(r" \\") and line.count(" & ") == count - 1)
        assert_balanced(line)
    assert sum(line == r"\hline" for line in body) == 3


def assert_balanced(latex: str) -> None:
    """Braces nest, every left has its right, and no character outside of the alphabet is left bare."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", latex):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert latex.count(r"\left") == latex.count(r"\right")
    assert not re.search(r"[×·∂ᵀ\u0300-\u036f]", latex)


def test_latex_of_the_textbook() -> None:
    latex = TRACE.adjoint().latex()
    assert r"v_{1} & = \ln v_{-1} & = 0.693" in latex
    assert r"= \bar{v}_{3} \cdot \frac{\partial v_{3}}{\partial v_{0}} & = \bar{v}_{3} \times \cos v_{0}" in latex
    assert r"\bar{x}_{2} & = \bar{v}_{0} &  & = 1.716" in latex
    assert r"\dot{v}_{-1} & = \dot{x}_{1} & = 1" in TRACE.tangent((1.0, 0.0)).latex()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5e-7, r"1.5 \times 10^{-7}"),
        (2e9, r"2 \times 10^{9}"),
        (np.inf, r"\infty"),
        (np.nan, r"\mathrm{nan}"),
        (True, r"\mathrm{True}"),
        (np.array([1.0, 2.0]), r"\left[1, 2\right]"),
        (np.zeros(10, complex), r"\mathtt{complex128[10]}"),
    ],
)
def test_values_in_latex(value: Any, expected: str) -> None:
    assert LATEX.value(value, 3) == expected


class CellCounter(HTMLParser):
    """Counts the cells of each row, and checks that tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append(0)
        elif tag in ("td", "th"):
            self.rows[-1] += int(dict(attrs).get("colspan") or 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@each_trace
def test_html_nests_and_has_the_same_cells_in_every_row(trace: cv.EvaluationTrace) -> None:
    counter = CellCounter()
    counter.feed(trace.html())
    assert counter.open == []
    assert len(counter.rows) == len(trace.rows) + 2
    assert len(set(counter.rows)) == 1


def test_html_escapes() -> None:
    assert HTML.formula(Operation("<", (A, Number(1)))) == "v<sub>1</sub> &lt; 1"
    assert HTML.formula(Symbol("p['<b>']")) == "p[&#x27;&lt;b&gt;&#x27;]"


def test_notebooks_show_the_table() -> None:
    trace: Any = TRACE.adjoint()
    assert trace._repr_html_() == trace.html()
    assert trace._repr_markdown_() == trace.markdown()
    assert trace._repr_latex_() == f"$\\displaystyle {trace.latex()}$"


# --- bad input ----------------------------------------------------------------------------------------------


def test_tangents_must_fit_the_arguments() -> None:
    trace = cv.evaluation_trace(textbook)(2.0, VECTOR)
    with pytest.raises(TreeMismatchError, match="tangents must have the tree structure of the arguments"):
        trace.tangent((1.0,))
    with pytest.raises(ShapeMismatchError, match=r"tangents\[1\]"):
        trace.tangent((1.0, np.ones(2)))
    with pytest.raises(DTypeMismatchError, match=r"tangents\[1\]"):
        trace.tangent((1.0, np.ones(3, np.float32)))


def test_an_integer_argument_has_no_tangent_but_zero() -> None:
    with pytest.raises(NotDifferentiableError, match=r"tangents\[1\] .* must be 0; found 1"):
        cv.evaluation_trace(lambda x, n: x**n)(2.0, 3).tangent((1.0, 1))


def test_adjoints_of_several_numbers_need_a_cotangent() -> None:
    for function in (lambda x: (x, x), lambda x: x * VECTOR, lambda x: x > 1.0):
        with pytest.raises(ArgumentError, match=r"adjoint\(\) needs a cotangent"):
            cv.evaluation_trace(function)(2.0).adjoint()
    with pytest.raises(TreeMismatchError, match="cotangent must have the tree structure of the output"):
        cv.evaluation_trace(lambda x: (x, x))(2.0).adjoint(1.0)


def test_the_order_is_checked() -> None:
    with pytest.raises(ArgumentError, match="'depth' or 'program'"):
        cv.evaluation_trace(textbook, order="width")  # type: ignore[arg-type]


def test_arguments_that_are_not_arrays_are_named() -> None:
    with pytest.raises(DTypeMismatchError, match=r"x2 is a str"):
        cv.evaluation_trace(textbook)(1.0, "two")


def test_a_function_without_a_rule_raises_the_usual_error() -> None:
    with pytest.raises(UnsupportedFunctionError, match=r"covector\.supported"):
        cv.evaluation_trace(lambda x: np.busday_count(x, x))(VECTOR)
