"""What the theme leaves to say for readers who use a screen reader: the search is a dialog, and has a name."""

from __future__ import annotations

from typing import Any


def on_post_page(output: str, **_: Any) -> str:
    """The page with a name for its search."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)
