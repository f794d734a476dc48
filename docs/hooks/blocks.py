r"""The Python blocks of a page: found, run in one namespace, and compared with what the page says they print.

    >>> names = {}
    >>> run_session(">>> x = 1 / 3\n>>> x\n0.33333\n", names, "a page").failures
    []

Both users share this: the tests, which run every page, and the site, which shows what really was printed. Whitespace
does not matter in the comparison, `...` stands for anything, and numbers are compared to five digits.
"""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, NamedTuple, final

from covector.core.protocol import table

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

BLOCK = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.(?!\.)\d*(?:e[-+]?\d+)?|e[-+]?\d+)")


class Block(NamedTuple):
    """A fenced block: its language, the options after it, its text without indentation, and its line."""

    language: str
    options: str
    code: str
    line: int


class Session(NamedTuple):
    """What an interactive block printed, beside its input, and how that differs from what the page says."""

    shown: str
    failures: list[str]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for found in BLOCK.finditer(text):
        yield block_of(found)


def block_of(found: re.Match[str]) -> Block:
    """The block that `BLOCK` has found."""
    indent, language, options, code = found.groups()
    lines = [line.removeprefix(indent) for line in code.splitlines(keepends=True)]
    return Block(language, options.strip(), "".join(lines), found.string.count("\n", 0, found.start()) + 1)


@contextmanager
def restored_tables() -> Iterator[None]:
    """What a page registers for NumPy's ufuncs is forgotten after it, unless it comes from covector, on first use."""
    before = dict(table.ufuncs)
    try:
        yield
    finally:
        for ufunc in [ufunc for ufunc, found in table.ufuncs.items() if not _is_from_covector(found)]:
            table.ufuncs.pop(ufunc)
        table.ufuncs.update(before)


def _is_from_covector(implementation: Any) -> bool:
    return (getattr(implementation, "__module__", None) or type(implementation).__module__).startswith("covector.")


# --- interactive blocks ---------------------------------------------------------------------------------


def run_session(code: str, names: dict[str, Any], place: str, line: int = 0) -> Session:
    """Runs a block with prompts in a namespace, which keeps what it defines."""
    pieces = doctest.DocTestParser().parse(code)
    examples = [piece for piece in pieces if isinstance(piece, doctest.Example)]
    test = doctest.DocTest(examples, {}, place, place, line, code)
    test.globs = names
    runner = _Runner()
    failures: list[str] = []
    runner.run(test, out=failures.append, clear_globs=False)
    return Session("".join(map(runner.shown, pieces)), failures)


@final
class _Checker(doctest.OutputChecker):
    """Compares texts with their numbers rounded to five digits."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(_rounded(want), _rounded(got), optionflags)


def _rounded(text: str) -> str:
    return NUMBER.sub(lambda found: f"{float(found[0]):.5g}", text)


@final
class _Runner(doctest.DocTestRunner):
    """Remembers what each example printed."""

    def __init__(self) -> None:
        super().__init__(_Checker(), verbose=False, optionflags=OPTIONS)
        self.printed: dict[int, str] = {}

    def report_success(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self.printed[id(example)] = got

    def shown(self, piece: doctest.Example | str) -> str:
        """The example with what it printed; what an author abbreviated stays so, and tracebacks always are."""
        if isinstance(piece, str):
            return piece
        output = piece.want if piece.exc_msg or "..." in piece.want else self.printed.get(id(piece), piece.want)
        return _with_prompts(piece.source) + output


def _with_prompts(source: str) -> str:
    out = StringIO()
    for i, line in enumerate(source.splitlines()):
        out.write(f"{'...' if i else '>>>'} {line}".rstrip() + "\n")
    return out.getvalue()
