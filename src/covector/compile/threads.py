"""Loops over blocks on several threads, as emitted code calls them; NumPy computes without Python's lock.

    def work(first, last, block):
        for start in range(first, last, block):
            ...
    in_blocks(work, 1000000, 16192, threads())

Each thread works on neighbouring blocks, and writes to rows of its own. The threads are started for the loop and end
with it, so that nothing is shared between calls or left behind by a fork: that takes as long as the work on a few
blocks, and loops that are short are not written so. A thread takes over the context of the caller, to which
`np.errstate` belongs. What blocks are reduced to is collected by the number of the first row, and combined in order.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.settings import config


def configured_threads() -> int:
    """How many threads to use, by covector's settings."""
    return config.threads


def environment_threads() -> int:
    """How many threads to use, in a module of its own."""
    return int(os.environ.get("COVECTOR_THREADS", "1"))


def in_blocks(work: Callable[[int, int, int], None], rows: int, block: int, threads: int) -> None:
    """Calls work(first, last, block) for ranges of rows that make up all of them, each on a thread.

    Threads wait for each other, for Python's lock, between the operations on a block; so their blocks are longer.
    """
    count = min(threads, -(-rows // block))
    if count <= 1:
        work(0, rows, block)
        return
    share = -(-rows // count)
    block = min(share, 8 * block)
    bounds = [min(share * i, rows) for i in range(count + 1)]
    with ThreadPoolExecutor(count - 1) as pool:
        parts = [pool.submit(copy_context().run, work, bounds[i], bounds[i + 1], block) for i in range(1, count)]
        work(bounds[0], bounds[1], block)
    for part in parts:
        part.result()


def combined(ufunc: np.ufunc, parts: dict[int, Array]) -> Array:
    """What the parts reduce to, in the order of their rows."""
    return ufunc.reduce([parts[start] for start in sorted(parts)], axis=0)


def gathered(ufunc: np.ufunc, parts: dict[int, Array], first: int, part: Array) -> None:
    """Combines a part with those before it of the same thread, which all go under the thread's first row."""
    parts[first] = ufunc(parts[first], part, out=parts[first]) if first in parts else part


def added(target: Array, here: slice, x: Array, shared: int, later: list[tuple[Array, Array]]) -> None:
    """target[here] += x, but the `shared` first rows, which another thread writes too, are left for later."""
    if shared:
        later.append((target[here][:shared], x[:shared].copy()))
    target[here][shared:] += x[shared:]


def finish(later: list[tuple[Array, Array]]) -> None:
    """Adds what was left for later."""
    for target, x in later:
        target += x


HELPERS: dict[str, Any] = {
    "threads": configured_threads,
    "in_blocks": in_blocks,
    "combined": combined,
    "gathered": gathered,
    "added": added,
    "finish": finish,
}
"""What loops over blocks call, by name."""
