"""Every Python block of the README, of CONTRIBUTING and of the documentation runs and prints what the page says.

The blocks of one page share one namespace, in order. A block with `>>>` prompts is compared with its output:
whitespace does not matter, `...` stands for anything, and numbers are compared to five digits.
"""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import covector as cv
from covector import errors
from covector.core.protocol import table

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.(?!\.)\d*(?:e[-+]?\d+)?|e[-+]?\d+)")
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#)([^)#\s]+)[^)]*\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Checker(doctest.OutputChecker):
    """Compares texts with their numbers rounded to five digits."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(_rounded(want), _rounded(got), optionflags)


def _rounded(text: str) -> str:
    return NUMBER.sub(lambda found: f"{float(found[0]):.5g}", text)


def blocks(page: Path) -> Iterator[tuple[str, str, int]]:
    """The language, text and line number of each fenced block."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        indent, language, code = found.groups()
        lines = [line.removeprefix(indent) for line in code.splitlines(keepends=True)]
        yield language, "".join(lines), text.count("\n", 0, found.start()) + 1


def run_block(code: str, page: Path, line: int, names: dict[str, Any]) -> list[str]:
    """Runs a block in a namespace, which keeps what it defines, and reports what was not as the page says."""
    if ">>>" not in code:
        exec(compile("\n" * line + code, str(page), "exec"), names)
        return []
    test = doctest.DocTest(doctest.DocTestParser().get_examples(code), {}, page.name, str(page), line, code)
    test.globs = names
    report: list[str] = []
    doctest.DocTestRunner(Checker(), verbose=False, optionflags=OPTIONS).run(test, out=report.append, clear_globs=False)
    return report


@pytest.fixture
def restored_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page registers for NumPy functions is forgotten after it."""
    monkeypatch.setattr(table, "ufuncs", dict(table.ufuncs))


@each_page
@pytest.mark.usefixtures("restored_tables")
def test_every_python_block_runs_and_prints_what_the_page_says(page: Path) -> None:
    names: dict[str, Any] = {"__name__": "__page__"}
    reports = [run_block(code, page, line, names) for language, code, line in blocks(page) if language == "python"]
    failures = [failure for report in reports for failure in report]
    assert not failures, "".join(failures)


@each_page
def test_no_example_hides_in_a_block_that_is_not_run(page: Path) -> None:
    assert not [line for language, code, line in blocks(page) if language != "python" and ">>>" in code]


@each_page
def test_links_to_files_lead_somewhere(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text())
    missing = [link for link in LINK.findall(prose) if not (page.parent / link).exists()]
    assert not missing


def test_the_readme_sets_up_in_exactly_two_commands() -> None:
    commands = [code.strip() for _, code, _ in blocks(PAGES[0]) if "python3 -m venv" in code]
    assert len(commands) == 2
    assert all("\n" not in command and command.startswith("python3 -m venv") for command in commands)
    assert "examples/quickstart.py" in commands[0]
    assert "pytest" in commands[1]


def test_the_errors_page_shows_every_error() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    kinds = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    assert not [name for name in kinds if name not in text]


def test_the_transformations_page_shows_every_public_function() -> None:
    text = (ROOT / "docs" / "transformations.md").read_text()
    public = [name for name in cv.__all__ if inspect.isfunction(getattr(cv, name))]
    assert not [name for name in public if f"`{name}" not in text]
