"""Every Python block of every page is run while the site is built, and the page shows what it printed.

The blocks of one page share one namespace, in order, as in the tests. A block of its own kind needs nothing said:

    >>> np.sin(0.0)       is run; the page shows what it really printed, and the build fails if the page says otherwise
    x = 1.0               without prompts, is run and shown

A block with markdown-exec's `exec="on"` prints Markdown or HTML into the page. This hook turns the first two into
blocks of that third kind, so that one machine runs all.
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from docs.hooks import blocks  # noqa: E402  # the line above makes it importable

LOG = logging.getLogger("mkdocs.hooks.executed")
SESSION = re.compile(r'session="([^"]*)"')
GUARDS: list[AbstractContextManager[None]] = []


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with each Python block made one that is run."""
    guard = blocks.restored_tables()
    guard.__enter__()
    GUARDS.append(guard)
    named = SESSION.search(markdown)
    session, place = named[1] if named else page.file.src_uri, page.file.src_uri
    return blocks.BLOCK.sub(lambda found: _runnable(found, session, place), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """The page as it is; what its blocks registered is forgotten."""
    GUARDS.pop().__exit__(None, None, None)
    return html


def _runnable(found: re.Match[str], session: str, place: str) -> str:
    block, indent = blocks.block_of(found), found[1]
    if block.language != "python":
        return found[0]
    if "exec=" in block.options:
        return found[0] if "session=" in block.options else found[0].replace("exec=", f'session="{session}" exec=', 1)
    if ">>>" in block.code:
        call = f"print(shown({block.code!r}, globals(), {place!r}, {block.line}))"
        lines = [f'```python exec="on" session="{session}"', "from docs.hooks.executed import shown", call, "```"]
        return "\n".join(indent + line for line in lines)
    return found[0].replace("python", f'python exec="on" source="above" session="{session}"', 1)


def shown(code: str, names: dict[str, Any], place: str, line: int) -> str:
    """Runs an interactive block, and gives it with what it printed as a block of the page."""
    printing = names.pop("print")  # markdown-exec's, which would keep the output from us
    session = blocks.run_session(code, names, place, line)
    names["print"] = printing
    for failure in session.failures:
        LOG.warning("%s, line %d, does not print what the page says:\n%s", place, line, failure)
    return f"```pycon\n{session.shown.strip()}\n```"
