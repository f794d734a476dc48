"""The lines of an evaluation trace, and tables of them as text, Markdown, LaTeX and HTML.

A step is a line of a trace, `variable = formula = value`. A row of the table has a step of the primal trace
and a step of the derivative beside it; either may be missing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal, final

from attrs import field, frozen

from covector.core.types import Array
from covector.trace.expressions import Expression, Symbol
from covector.trace.notation import HTML, LATEX, PLAIN, Notation

Section = Literal["input", "working", "output"]
"""The three parts of a trace: inputs v_(i-n), working variables v_i, outputs y."""

Mode = Literal["primal", "tangent", "adjoint"]


@final
@frozen(eq=False)
class Step:
    """A line of a trace: a variable, the formulas that say what it is, the shortest last, and its value."""

    symbol: Symbol
    formulas: tuple[Expression, ...] = field(repr=False)
    value: Array

    @property
    def name(self) -> str:
        """The variable, as text: "v_1"."""
        return PLAIN.symbol(self.symbol)

    @property
    def expressions(self) -> tuple[str, ...]:
        """The formulas, as text."""
        return tuple(map(PLAIN.formula, self.formulas))

    @property
    def expression(self) -> str:
        """What the value was computed by, as text: "ln v_-1"; empty if nothing is to be said."""
        return self.expressions[-1] if self.formulas else ""


@final
@frozen(eq=False)
class Row:
    """A row of the table: a step of the primal trace, and beside it one of the derivative."""

    section: Section
    primal: Step | None
    derivative: Step | None = None


TITLES: dict[Mode, str] = {
    "primal": "Forward primal trace",
    "tangent": "Forward tangent trace",
    "adjoint": "Reverse adjoint trace (read upwards)",
}
HEADINGS: dict[Mode, tuple[str, ...]] = {
    "primal": ("Variable", "Operation", "Value"),
    "tangent": ("Tangent", "Derivative", "Value"),
    "adjoint": ("Adjoint (read upwards)", "Chain rule", "Contribution", "Value"),
}

# --- from steps to cells --------------------------------------------------------------------------------

Cells = tuple[str, ...]


@final
@frozen
class Side:
    """One of the two halves of a table: a title, headings, and the cells of each line, all of one number."""

    title: str
    headings: Cells
    lines: tuple[Cells, ...]


def sides(rows: Sequence[Row], mode: Mode, notation: Notation, digits: int) -> list[Side]:
    """The primal trace, and the derivative if there is one."""
    primal = _side("primal", [row.primal for row in rows], notation, digits)
    if mode == "primal":
        return [primal]
    return [primal, _side(mode, [row.derivative for row in rows], notation, digits)]


def _side(mode: Mode, steps: Sequence[Step | None], notation: Notation, digits: int) -> Side:
    headings = HEADINGS[mode]
    lines = tuple(_cells(step, len(headings), notation, digits) for step in steps)
    return Side(TITLES[mode], headings, lines)


def _cells(step: Step | None, count: int, notation: Notation, digits: int) -> Cells:
    if step is None:
        return ("",) * count
    formulas = [notation.formula(each) for each in step.formulas]
    formulas += [""] * (count - 2 - len(formulas))
    return (notation.symbol(step.symbol), *formulas, notation.value(step.value, digits))


# --- text -----------------------------------------------------------------------------------------------


def text_table(rows: Sequence[Row], mode: Mode, digits: int) -> str:
    """Columns aligned for a terminal, a rule between the sections."""
    columns = [_aligned(side) for side in sides(rows, mode, PLAIN, digits)]
    rule = "─┼─".join("─" * display_width(column[0]) for column in columns)
    header, *lines = (" │ ".join(parts).rstrip() for parts in zip(*columns, strict=True))
    blocks = ["\n".join(block) for block in _by_section(rows, lines)]
    return f"\n{rule}\n".join([header, *blocks])


def _aligned(side: Side) -> list[str]:
    """The title and the lines of a side, padded to one width."""
    widths = [max(map(display_width, column)) for column in zip(*side.lines, strict=True)]
    lines = [_joined(cells, widths) for cells in side.lines]
    width = max(map(display_width, [side.title, *lines]))
    return [padded(line, width) for line in (side.title, *lines)]


def _joined(cells: Cells, widths: Sequence[int]) -> str:
    """The cells with equal signs between them, without columns that are empty throughout."""
    name, *rest = cells
    parts = [padded(name, widths[0])]
    for cell, width in zip(rest, widths[1:], strict=True):
        if width:
            parts.append(f" {'=' if cell else ' '} {padded(cell, width)}")
    return "".join(parts)


def display_width(text: str) -> int:
    """How many columns of a terminal the text takes: none for a combining mark, two for a wide character."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int) -> str:
    """The text followed by spaces up to a width on the terminal."""
    return text + " " * (width - display_width(text))


def _by_section(rows: Sequence[Row], lines: Sequence[str]) -> list[list[str]]:
    paired = zip(rows, lines, strict=True)
    return [[line for _, line in block] for _, block in groupby(paired, key=_section_of)]


def _section_of(pair: tuple[Row, Any]) -> Section:
    return pair[0].section


# --- Markdown, LaTeX, HTML ------------------------------------------------------------------------------


def markdown_table(rows: Sequence[Row], mode: Mode, digits: int) -> str:
    """A table of the kind GitHub, Jupyter and MkDocs show, its formulas as code."""
    halves = sides(rows, mode, PLAIN, digits)
    headings = [heading for side in halves for heading in side.headings]
    lines = [[_code(cell) for cell in cells] for cells in _whole_lines(halves)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [headings, ["---"] * len(headings), *lines])


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|") if text else ""


def latex_table(rows: Sequence[Row], mode: Mode, digits: int) -> str:
    """An array environment, for mathematics mode."""
    halves = sides(rows, mode, LATEX, digits)
    columns = "|".join("l" * len(side.headings) for side in halves)
    headings = [rf"\text{{{heading}}}" for side in halves for heading in side.headings]
    lines = [_latex_line(cells) for cells in _whole_lines(halves, "= ")]
    blocks = ["\n".join(block) for block in _by_section(rows, lines)]
    body = "\n\\hline\n".join([_latex_line(headings), *blocks])
    return f"\\begin{{array}}{{{columns}}}\n{body}\n\\end{{array}}"


def _latex_line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def html_table(rows: Sequence[Row], mode: Mode, digits: int) -> str:
    """A table element, a body for each section."""
    halves = sides(rows, mode, HTML, digits)
    titles = "".join(f'<th colspan="{len(side.headings)}">{side.title}</th>' for side in halves)
    headings = _html_line("th", [heading for side in halves for heading in side.headings])
    lines = [_html_line("td", cells) for cells in _whole_lines(halves, "= ")]
    bodies = ["<tbody>\n" + "\n".join(block) + "\n</tbody>" for block in _by_section(rows, lines)]
    head = f"<thead>\n<tr>{titles}</tr>\n{headings}\n</thead>"
    return "\n".join(["<table>", head, *bodies, "</table>"])


def _html_line(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def _whole_lines(halves: Sequence[Side], equals: str = "") -> list[list[str]]:
    """The cells of the lines of all sides together, with an equal sign before those after the first."""
    parts = ([_with_equals(cells, equals) for cells in side.lines] for side in halves)
    return [[cell for cells in line for cell in cells] for line in zip(*parts, strict=True)]


def _with_equals(cells: Cells, equals: str) -> list[str]:
    return [cells[0], *(equals + cell if cell else "" for cell in cells[1:])]
