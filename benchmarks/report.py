"""What a run leaves: Markdown tables for people, and a JSON file with the machine for machines."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

WIDTH_OF_NAMES = 26
WIDTH = 10


def table_row(cells: Sequence[str]) -> str:
    """Return one aligned row of a Markdown table."""
    first, *others = cells
    return "| " + " | ".join([first.ljust(WIDTH_OF_NAMES), *(cell.rjust(WIDTH) for cell in others)]) + " |"


def table_head(titles: Sequence[str]) -> str:
    """Return the title row of a Markdown table and the rule under it."""
    rule = ["-" * WIDTH_OF_NAMES, *("-" * (WIDTH - 1) + ":" for _ in titles[1:])]
    return table_row(titles) + "\n" + table_row(rule)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join([table_head(titles), *map(table_row, rows)])


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, each row as soon as it is known."""
    print(table_head(titles), flush=True)
    for row in rows:
        print(table_row(row), flush=True)


def number(value: float | None) -> str:
    """Return three significant digits, or a dash for what was not measured."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def processor() -> str:
    """Return the processor's name, as well as the system knows it."""
    description = Path("/proc/cpuinfo")
    if description.is_file():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_in_bytes() -> int | None:
    """Return the machine's memory if psutil is there to tell."""
    try:
        total: int = import_module("psutil").virtual_memory().total
    except ModuleNotFoundError:
        return None
    return total


def machine() -> Mapping[str, Any]:
    """Return what a reader needs to know to place the figures."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": memory_in_bytes(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "threads": 1,
    }
