"""Loops over blocks on several threads, as emitted code calls them; NumPy computes without Python's lock.

    def work(first, last, block):
        for start in range(first, last, block):
            ...
    in_blocks(work, 1000000, 24448, threads())

The rows are cut into a few parts for each thread; whoever is free takes the next, so that a thread that starts late,
or shares its processor, does less. The caller's thread works as well. The others are started by the first loop that
needs them and wait for further ones, for starting them takes as long as the work on many blocks; a process that is
forked from this one starts threads of its own. Threads write to rows of their own, and take over the context of the
caller, to which `np.errstate` belongs. What blocks are reduced to is collected by the number of the first row, and
combined in order.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.settings import config

PARTS = 4
"""The most parts of the rows for each thread; a part is half as long as a block, at least."""

LONGER = 8
"""How many times longer blocks are on several threads."""

MOST_THREADS = 256
"""The most threads that wait for work."""


def configured_threads() -> int:
    """How many threads to use, by covector's settings."""
    return config.threads


def environment_threads() -> int:
    """How many threads to use, in a module of its own."""
    return int(os.environ.get("COVECTOR_THREADS", "1"))


def in_blocks(work: Callable[[int, int, int], None], rows: int, block: int, threads: int) -> None:
    """Calls work(first, last, block) for ranges of rows that make up all of them, on so many threads.

    Threads wait for each other, for Python's lock, between the operations on a block; so their blocks are longer.
    """
    blocks = -(-rows // block)
    threads = min(threads, blocks)
    if threads <= 1:
        work(0, rows, block)
        return
    parts, numbers = threads * min(PARTS, -(-blocks // threads)), count()
    longest = -(-rows // parts)
    block = -(-longest // -(-longest // (LONGER * block)))

    def run() -> None:
        while (i := next(numbers)) < parts:
            work(rows * i // parts, rows * (i + 1) // parts, block)

    helpers = [pool().submit(copy_context().run, run) for _ in range(threads - 1)]
    try:
        run()
    finally:
        started = [helper for helper in helpers if not helper.cancel()]
        wait(started)
    for helper in started:
        helper.result()


@cache
def pool() -> ThreadPoolExecutor:
    """The threads that wait for work."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=pool.cache_clear)
    return ThreadPoolExecutor(MOST_THREADS)


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
