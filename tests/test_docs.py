"""Every Python block of the README, of CONTRIBUTING and of the documentation runs and prints what the page says.

The blocks of one page share one namespace, in order. A block with `>>>` prompts is compared with its output:
whitespace does not matter, `...` stands for anything, and numbers are compared to five digits.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import covector as cv
from covector import errors
from docs.hooks.blocks import BLOCK, blocks, restored_tables, run_session

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()

LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#)([^)#\s]+)[^)]*\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_every_python_block_runs_and_prints_what_the_page_says(page: Path) -> None:
    names: dict[str, Any] = {"__name__": "__page__"}
    failures: list[str] = []
    with restored_tables():
        for block in blocks(page.read_text()):
            if block.language == "python" and ">>>" in block.code:
                failures += run_session(block.code, names, str(page), block.line).failures
            elif block.language == "python":
                exec(compile("\n" * block.line + block.code, str(page), "exec"), names)
    assert not failures, "".join(failures)


@each_page
def test_no_example_hides_in_a_block_that_is_not_run(page: Path) -> None:
    assert not [b.line for b in blocks(page.read_text()) if b.language != "python" and ">>>" in b.code]


@each_page
def test_links_to_files_lead_somewhere(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text())
    assert not [link for link in LINK.findall(prose) if not _exists(page.parent / link)]


def _exists(target: Path) -> bool:
    """Whether there is such a file, or an example of which the site makes a page of this name."""
    example = ROOT / "examples" / f"{target.stem}.py"
    return target.exists() or (target.parent.resolve() == ROOT / "docs" / "examples" and example.exists())


def test_a_block_that_prints_something_else_is_found() -> None:
    session = run_session(">>> 1 / 3\n0.3333333\n>>> 1 / 4\n0.26\n", {}, "a page")
    assert len(session.failures) == 1
    assert "0.25" in session.failures[0]
    assert session.shown.startswith(">>> 1 / 3\n0.333333333333")


def test_the_readme_sets_up_in_exactly_two_commands() -> None:
    commands = [b.code.strip() for b in blocks(PAGES[0].read_text()) if "python3 -m venv" in b.code]
    assert len(commands) == 2
    assert all("\n" not in command and command.startswith("python3 -m venv") for command in commands)
    assert "examples/quickstart.py" in commands[0]
    assert "pytest" in commands[1]


@pytest.mark.parametrize("module", [cv, cv.norms, cv.optimize, errors], ids=lambda module: module.__name__)
def test_the_reference_has_every_public_name(module: ModuleType) -> None:
    documented = [value for path in re.findall(r"^::: (\S+)$", REFERENCE, re.MULTILINE) for value in _documented(path)]
    public = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    values = {name: getattr(module, name) for name in public}
    missing = {n: v for n, v in values.items() if _has_a_docstring(v) and not any(v is each for each in documented)}
    assert not missing


def _has_a_docstring(value: Any) -> bool:
    return inspect.isclass(value) or (callable(value) and hasattr(value, "__name__"))


def _documented(path: str) -> list[Any]:
    """What mkdocstrings shows for a path: an object, or the public ones that a module defines."""
    module, _, name = path.rpartition(".")
    try:
        found = import_module(path)
    except ModuleNotFoundError:
        return [getattr(import_module(module), name)]
    return [v for n, v in vars(found).items() if not n.startswith("_") and getattr(v, "__module__", None) == path]


def test_the_errors_page_shows_every_error() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    kinds = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    assert not [name for name in kinds if name not in text]


def test_the_transformations_page_shows_every_public_function() -> None:
    text = (ROOT / "docs" / "transformations.md").read_text()
    public = [name for name in cv.__all__ if inspect.isfunction(getattr(cv, name))]
    assert not [name for name in public if f"`{name}" not in text]
