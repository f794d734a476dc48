"""Guards: what a recorded branch assumed, as equations without outputs that the compiled code checks.

When Python asks `bool(x > 0)` of a recorded value, the branch it takes becomes part of the recording. The
guard says so: the graph is the function's only for inputs on which the question has the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, final

from attrs import field, frozen

from covector.core.primitive import Primitive
from covector.core.source_lines import FORMATTING, SHOWING, user_line
from covector.core.types import Array, ArrayType
from covector.errors import ConcreteValueError
from covector.graph.graph import Equation, Variable

QUESTIONS: dict[str, Callable[[Any], int]] = {
    "bool()": bool,
    "int()": int,
    "an index": int,
    "math.floor()": math.floor,
    "math.ceil()": math.ceil,
}
"""What Python can ask of a recorded value, by the name it has in error messages."""

SHOW_INSTEAD = "covector.debug_print prints a value without the program depending on it"

WHOLE_FROM = 2**52
"""From here on all numbers of float64 are whole."""


@final
@frozen
class Text:
    """The question for the text of a value in some format."""

    form: str
    __name__ = "format"

    def __call__(self, value: Any) -> str:
        return format(value, self.form)


class GuardFailedError(Exception):
    """The inputs are not among those that a graph was recorded for: another specialization is needed."""


@final
@frozen
class Guard(Primitive):
    """Asks whether a question about the input has the answer it had when the graph was recorded."""

    question: Callable[[Any], Any] = field(repr=lambda question: question.__name__)
    answer: Any
    line: str = field(default="", eq=False, repr=False)
    """Where the question was asked."""

    @property
    def effect(self) -> bool:
        return True

    @property
    def complaint(self) -> str:
        """What is the matter if the guard fails."""
        asked = self.question.__name__
        if isinstance(self.question, Text):
            return f"the text of a value at {PurePath(self.line).name} is not {self.answer!r} ({SHOW_INSTEAD})"
        return f"{asked}() at {PurePath(self.line).name} is not {_shown(self.question, self.answer)}"

    @property
    def signature(self) -> str:
        return f"guard {self.question.__name__} is {self.answer} of"

    @property
    def condition(self) -> str:
        """What holds of `{0}` if the answer is the same, as source; it raises for no number, infinite or not."""
        if self.question is bool:
            return f"bool({{0}}) == {self.answer}"
        if isinstance(self.question, Text):
            form, text = (repr(x).replace("{", "{{").replace("}", "}}") for x in (self.question.form, self.answer))
            return f"format({{0}}, {form}) == {text}"
        if abs(self.answer) >= WHOLE_FROM:
            return f"{{0}} == {self.answer}"
        downward = self.question is math.floor or (self.question is int and self.answer > 0)
        upward = self.question is math.ceil or (self.question is int and self.answer < 0)
        least = f"{self.answer} <=" if downward else f"{self.answer - 1} <"
        return f"{least} {{0}} {f'<= {self.answer}' if upward else f'< {self.answer + 1}'}"

    def evaluate(self, *inputs: Array) -> tuple[()]:
        try:
            same = self.question(inputs[0]) == self.answer
        except (OverflowError, ValueError):  # there is no whole number for an infinite one
            same = False
        if not same:
            raise GuardFailedError(self.complaint)
        return ()

    def output_type(self, *inputs: ArrayType) -> tuple[()]:
        return ()

    def jvp(self, primals: Sequence[Array], tangents: Sequence[Array | None]) -> tuple[Any, Any]:
        return self(*primals), ()

    def batch(self, size: int, inputs: Sequence[Array], batched: Sequence[bool]) -> tuple[()]:
        raise ConcreteValueError("a branch that was recorded for one value cannot be taken for a batch of values")


def guarding(variable: Variable, asked: str, compute: Callable[[], Array]) -> tuple[Array, list[Equation]]:
    """A recorded value of which Python asks something, and the guard for the question."""
    if asked == SHOWING:
        return compute(), []
    if asked.startswith(FORMATTING):
        text, value = Text(asked.removeprefix(FORMATTING)), compute()
        return value, [Equation(Guard(text, text(value), user_line()), (variable,), ())]
    if asked not in QUESTIONS:
        raise ConcreteValueError(
            f"{asked} was asked at {user_line()} of a value that jit is recording, and compiled code cannot depend on "
            "the answer. Compute it outside of the jitted function, and pass it as a static argument."
        )
    question, value = QUESTIONS[asked], compute()
    return value, [Equation(Guard(question, int(question(value)), user_line()), (variable,), ())]


def _shown(question: Callable[[Any], int], answer: int) -> str:
    return str(bool(answer) if question is bool else answer)
