r"""How formulas and values are written: as a line of text, as HTML, as LaTeX.

    >>> from covector.trace.expressions import Number, Operation, Symbol
    >>> formula = Operation("/", (Operation("+", (Symbol("v", "1"), Number(1.0))), Symbol("v", "2", "dot")))
    >>> PLAIN.formula(formula)
    '(v_1 + 1) / v̇_2'
    >>> LATEX.formula(formula)
    '\\frac{v_{1} + 1}{\\dot{v}_{2}}'

A notation is asked for a formula at a level, and puts brackets around what binds more loosely.
"""

from __future__ import annotations

import html
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, final

import numpy as np

from covector.core.interpreter import Tracer
from covector.core.types import Array, typeof
from covector.trace.expressions import INDEX, NEGATIVE, TRANSPOSE, Expression, Mark, Number, Operation, Partial, Symbol

COMPARISON, SUM, PRODUCT, FUNCTION, POWER, ATOM = range(6)
"""How tightly things bind."""

LEVELS = {
    "==": COMPARISON, "!=": COMPARISON, "<": COMPARISON, "<=": COMPARISON, ">": COMPARISON, ">=": COMPARISON,
    "+": SUM, "-": SUM, "@": PRODUCT, "·": PRODUCT,
}  # fmt: skip

FUNCTIONS = frozenset({
    "ln", "log2", "log10", "exp", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
    "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf",
})  # fmt: skip
"""The functions whose argument needs no brackets."""

COMBINING: dict[Mark, str] = {"": "", "dot": "\N{COMBINING DOT ABOVE}", "bar": "\N{COMBINING MACRON}"}

SMALL = 6
"""Up to this many entries, an array is written out."""

# --- numbers and values ---------------------------------------------------------------------------------


def literal_text(value: Any) -> str:
    """A number in a formula, with up to six digits."""
    if typeof(value).shape:
        return value_text(value, 3)
    return f"{value:.6g}" if typeof(value).dtype.kind == "f" else str(value)


def value_text(value: Array, digits: int) -> str:
    """A value: numbers and small arrays written out, others summarised."""
    kind = typeof(value)
    if isinstance(value, Tracer) or not isinstance(value, (bool, int, float, complex, np.generic, np.ndarray)):
        return str(kind)
    if kind.size <= SMALL:
        return _nested_text(np.asarray(value).tolist(), digits)
    return f"{kind}{_statistics(np.asarray(value), digits)}"


def number_text(x: Any, digits: int) -> str:
    """Up to `digits` decimals for numbers of ordinary size, one more significant digit for others."""
    if isinstance(x, complex):
        imaginary = number_text(x.imag, digits)
        return f"{number_text(x.real, digits)}{'' if imaginary.startswith('-') else '+'}{imaginary}j"
    if not isinstance(x, float):
        return str(x)
    if 0.1 <= abs(x) < 1e6:
        return f"{x:.{digits}f}".rstrip("0").removesuffix(".")
    return f"{x:.{digits + 1}g}"


def _nested_text(entries: Any, digits: int) -> str:
    if not isinstance(entries, list):
        return number_text(entries, digits)
    return f"[{', '.join(_nested_text(x, digits) for x in entries)}]"


def _statistics(value: np.ndarray[Any, Any], digits: int) -> str:
    if value.dtype.kind == "b":
        return f", {np.count_nonzero(value)} true"
    if value.dtype.kind not in "fiu":
        return ""
    with np.errstate(all="ignore"):
        mean, low, high = (number_text(float(f(value)), digits) for f in (np.mean, np.min, np.max))
    return f", mean {mean}, from {low} to {high}"


# --- notations ------------------------------------------------------------------------------------------


class Notation(ABC):
    """A way to write formulas and values."""

    enclosing: ClassVar[dict[str, str]]
    """The functions that are written around their argument."""

    def formula(self, expression: Expression, level: int = COMPARISON) -> str:
        """The formula, in brackets if it binds more loosely than `level`."""
        if isinstance(expression, Symbol):
            return self.symbol(expression)
        if isinstance(expression, Partial):
            return self.partial(expression)
        if isinstance(expression, Number):
            text = literal_text(expression.value)
            return self._closed(self.literal(text), SUM if text.startswith("-") else ATOM, level)
        return self._operation(expression, level)

    def value(self, value: Array, digits: int) -> str:
        """A value, with so many digits."""
        return self.literal(value_text(value, digits))

    def _operation(self, operation: Operation, level: int) -> str:
        operator, arguments = operation.operator, operation.arguments
        match operator:
            case "×":
                return self._closed(self._product(arguments, FUNCTION), PRODUCT, level)
            case "/":
                return self._closed(self.fraction(*arguments), PRODUCT, level)
            case "^":
                return self._closed(self.power(*arguments), POWER, level)
            case _ if operator == NEGATIVE:
                return self._closed(f"-{self.formula(arguments[0], PRODUCT)}", SUM, level)
            case _ if operator == INDEX:
                return self.formula(arguments[0], ATOM) + self.parameters(operation.parameters)
            case _ if operator == TRANSPOSE:
                return self.transposed(arguments[0])
            case _ if operator in LEVELS:
                return self._closed(self._infix(operator, *arguments), LEVELS[operator], level)
            case _:
                return self._call(operation, level)

    def _product(self, factors: Sequence[Expression], last: int) -> str:
        *others, final_factor = factors
        written = [*(self.formula(x, POWER) for x in others), self.formula(final_factor, last)]
        return f" {self.operator('×')} ".join(written)

    def _infix(self, operator: str, left: Expression, right: Expression) -> str:
        loosest = LEVELS[operator]
        if loosest == PRODUCT:
            return f"{self.formula(left, POWER)} {self.operator(operator)} {self.formula(right, POWER)}"
        return f"{self.formula(left, max(loosest, SUM))} {self.operator(operator)} {self.formula(right, PRODUCT)}"

    def _call(self, operation: Operation, level: int) -> str:
        name, arguments = operation.operator, operation.arguments
        if name in self.enclosing:
            return self.enclosing[name].format(self.formula(arguments[0]))
        function = self.function(name)
        if name in FUNCTIONS and level <= FUNCTION and not isinstance(arguments[0], Operation):
            return f"{function} {self.formula(arguments[0], ATOM)}"
        listed = ", ".join(map(self.formula, arguments))
        return f"{function}{self.parameters(operation.parameters)}{self.bracketed(listed)}"

    def _closed(self, text: str, own: int, level: int) -> str:
        return text if own >= level else self.bracketed(text)

    @abstractmethod
    def symbol(self, symbol: Symbol) -> str:
        """A variable, possibly marked."""

    @abstractmethod
    def partial(self, partial: Partial) -> str:
        """A partial derivative."""

    @abstractmethod
    def literal(self, text: str) -> str:
        """A number, or the summary of an array."""

    @abstractmethod
    def operator(self, operator: str) -> str:
        """The sign of an operator."""

    @abstractmethod
    def function(self, name: str) -> str:
        """The name of a function."""

    @abstractmethod
    def parameters(self, text: str) -> str:
        """The static parameters of a function, or an index, with their brackets."""

    @abstractmethod
    def bracketed(self, text: str) -> str:
        """In round brackets."""

    @abstractmethod
    def power(self, base: Expression, exponent: Expression) -> str:
        """A power."""

    @abstractmethod
    def fraction(self, numerator: Expression, denominator: Expression) -> str:
        """A quotient."""

    @abstractmethod
    def transposed(self, matrix: Expression) -> str:
        """The transpose."""


class LineNotation(Notation):
    """A notation in which a formula is a line of characters."""

    enclosing: ClassVar[dict[str, str]] = {"absolute": "|{}|"}

    def partial(self, partial: Partial) -> str:
        of = self.symbol(partial.of)
        return f"∂_{partial.place} {of}" if partial.place else f"∂{of}/∂{self.symbol(partial.by)}"

    def operator(self, operator: str) -> str:
        return self.literal(operator)

    def function(self, name: str) -> str:
        return self.literal(name)

    def parameters(self, text: str) -> str:
        return self.literal(text)

    def bracketed(self, text: str) -> str:
        return f"({text})"

    def fraction(self, numerator: Expression, denominator: Expression) -> str:
        match numerator:
            case Operation("×", factors):
                over = self._product(factors, POWER)
            case _:
                over = self.formula(numerator, POWER)
        return f"{over} / {self.formula(denominator, POWER)}"


@final
class Plain(LineNotation):
    """Text: v_-1, and v̇_-1 and v̄_-1, whose marks take no room of their own."""

    def symbol(self, symbol: Symbol) -> str:
        base = _marked(symbol.base, symbol.mark)
        return f"{base}_{symbol.subscript}" if symbol.subscript else base

    def literal(self, text: str) -> str:
        return text

    def power(self, base: Expression, exponent: Expression) -> str:
        return f"{self.formula(base, ATOM)}^{self.formula(exponent, ATOM)}"

    def transposed(self, matrix: Expression) -> str:
        return f"{self.formula(matrix, ATOM)}ᵀ"


@final
class Html(LineNotation):
    """HTML, with subscripts and superscripts."""

    def symbol(self, symbol: Symbol) -> str:
        letter, digits = _indexed_name(symbol)
        return html.escape(_marked(letter, symbol.mark)) + (f"<sub>{html.escape(digits)}</sub>" if digits else "")

    def literal(self, text: str) -> str:
        return html.escape(text)

    def power(self, base: Expression, exponent: Expression) -> str:
        return f"{self.formula(base, ATOM)}<sup>{self.formula(exponent)}</sup>"

    def transposed(self, matrix: Expression) -> str:
        return f"{self.formula(matrix, ATOM)}<sup>T</sup>"


@final
class Latex(Notation):
    """LaTeX for mathematics mode, of the kind that MathJax and KaTeX understand."""

    enclosing: ClassVar[dict[str, str]] = {
        "absolute": r"\left\lvert {} \right\rvert",
        "sqrt": r"\sqrt{{{}}}",
    }
    _OPERATORS: ClassVar[dict[str, str]] = {
        "×": r"\times", "·": r"\cdot", "@": r"\,", "==": "=", "!=": r"\ne", "<=": r"\le", ">=": r"\ge",
    }  # fmt: skip
    _KNOWN = frozenset(
        {"ln", "exp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"}
    )
    _MARKS: ClassVar[dict[Mark, str]] = {"": "", "dot": r"\dot", "bar": r"\bar"}

    def symbol(self, symbol: Symbol) -> str:
        letter, digits = _indexed_name(symbol)
        name = letter if len(letter) == 1 and letter.isalpha() else _typewritten(letter)
        marked = f"{self._MARKS[symbol.mark]}{{{name}}}" if symbol.mark else name
        return f"{marked}_{{{digits}}}" if digits else marked

    def partial(self, partial: Partial) -> str:
        of = self.symbol(partial.of)
        if partial.place:
            return rf"\partial_{{{partial.place}}} {of}"
        return rf"\frac{{\partial {of}}}{{\partial {self.symbol(partial.by)}}}"

    def literal(self, text: str) -> str:
        if re.search(r"[a-z]{3}[0-9]", text):  # a type, so the summary of an array
            return _typewritten(text)
        text = re.sub(r"e([+-])0*([0-9]+)", lambda m: rf" \times 10^{{{m[1].strip('+')}{m[2]}}}", text)
        text = re.sub(r"\b(True|False|nan)\b", r"\\mathrm{\1}", text)
        return text.replace("inf", r"\infty").replace("[", r"\left[").replace("]", r"\right]")

    def operator(self, operator: str) -> str:
        return self._OPERATORS.get(operator, operator)

    def function(self, name: str) -> str:
        return f"\\{name}" if name in self._KNOWN else rf"\operatorname{{{_escaped(name)}}}"

    def parameters(self, text: str) -> str:
        return _typewritten(text) if text else ""

    def bracketed(self, text: str) -> str:
        return rf"\left({text}\right)"

    def power(self, base: Expression, exponent: Expression) -> str:
        return f"{{{self.formula(base, ATOM)}}}^{{{self.formula(exponent)}}}"

    def fraction(self, numerator: Expression, denominator: Expression) -> str:
        return rf"\frac{{{self.formula(numerator)}}}{{{self.formula(denominator)}}}"

    def transposed(self, matrix: Expression) -> str:
        return rf"{{{self.formula(matrix, ATOM)}}}^{{\mathsf{{T}}}}"


PLAIN, HTML, LATEX = Plain(), Html(), Latex()


def _marked(name: str, mark: Mark) -> str:
    """The name with the mark above its first letter, as one character where there is one: ẏ."""
    return unicodedata.normalize("NFC", name[0] + COMBINING[mark]) + name[1:]


def _indexed_name(symbol: Symbol) -> tuple[str, str]:
    """The letter and its subscript, which for a name such as x1 is its number."""
    number = re.fullmatch(r"([^\W\d_])(\d+)", symbol.base)
    if number and not symbol.subscript:
        return number[1], number[2]
    return symbol.base, symbol.subscript


_ESCAPES = {**{c: f"\\{c}" for c in "_&%$#{}"}, "\\": r"\backslash ", " ": r"\ ", "^": r"\wedge ", "~": r"\sim "}


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in text)


def _typewritten(text: str) -> str:
    return rf"\mathtt{{{_escaped(text)}}}"
