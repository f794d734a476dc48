"""Navigation entries with a `*` stand for the pages that there are: `course/*.md`, `examples/*.md`.

An index comes first, the others in the order of their names; an entry without pages, and a section without entries,
is left out. Pages that are named in the navigation themselves are not listed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any


def on_files(files: Any, config: Any) -> Any:
    """Writes the pages that exist into the navigation."""
    pages = [file.src_uri for file in files.documentation_pages()]
    named = set(_named(config.nav))
    config.nav = list(_expanded(config.nav, [page for page in pages if page not in named]))
    return files


def _named(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for child in entry.values() if isinstance(entry, dict) else entry:
            yield from _named(child)


def _expanded(entries: list[Any], pages: list[str]) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, str) and "*" in entry:
            yield from sorted((page for page in pages if _matches(page, entry)), key=_place)
        elif isinstance(entry, dict):
            yield from _section(entry, pages)
        else:
            yield entry


def _section(entry: dict[str, Any], pages: list[str]) -> Iterator[Any]:
    ((title, content),) = entry.items()
    children = list(_expanded(content, pages)) if isinstance(content, list) else content
    if children:
        yield {title: children}


def _matches(page: str, entry: str) -> bool:
    return fnmatch(page, entry) and page.count("/") == entry.count("/")


def _place(page: str) -> tuple[bool, str]:
    return not page.endswith("index.md"), page
