"""A progress bar by tqdm or rich, whichever is installed, where somebody can see it.

That is a terminal or a notebook; elsewhere, in a log or a test, there is none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Show = Callable[[int, float, float], None]
"""Called with the number of iterations made, the value, and what is to become zero."""


@contextmanager
def progress_bar(wanted: bool, total: int) -> Iterator[Show]:
    """A function that shows how far a minimization is, while the context lasts."""
    if not (wanted and (sys.stderr.isatty() or in_notebook())):
        yield _nothing
        return
    with _bar(total) as show:
        yield show


def in_notebook() -> bool:
    """Whether this runs in a notebook's kernel."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _nothing(iteration: int, value: float, measure: float) -> None:
    """Shows nothing."""


def _bar(total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        pass
    else:
        return _by_tqdm(tqdm, total)
    try:
        from rich import progress
    except ImportError:
        return _no_bar()
    return _by_rich(progress, total)


@contextmanager
def _no_bar() -> Iterator[Show]:
    yield _nothing


@contextmanager
def _by_tqdm(tqdm: Any, total: int) -> Iterator[Show]:
    with tqdm(total=total, desc="minimize", leave=False) as bar:

        def show(iteration: int, value: float, measure: float) -> None:
            bar.set_postfix_str(described(value, measure), refresh=False)
            bar.update(iteration - bar.n)

        yield show


@contextmanager
def _by_rich(rich: Any, total: int) -> Iterator[Show]:
    with rich.Progress(transient=True) as bar:
        task = bar.add_task("minimize", total=total)

        def show(iteration: int, value: float, measure: float) -> None:
            bar.update(task, completed=iteration, description=f"minimize {described(value, measure)}")

        yield show


def described(value: float, measure: float) -> str:
    """The two numbers as text."""
    return f"f = {value:.6g}, gradient {measure:.2e}"
