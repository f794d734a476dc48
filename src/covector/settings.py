"""Settings: what is about the machine rather than about a program.

    >>> from covector.settings import config
    >>> with config.using(threads=2):
    ...     config.threads
    2

The environment variable COVECTOR_THREADS says how many threads there are to begin with, otherwise it is one: the
programs around covector often run several processes, or several threads of BLAS, on the same cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import final

from covector.errors import ArgumentError

VARIABLE = "COVECTOR_THREADS"


def checked_threads(value: object, source: str) -> int:
    """The number of threads that a setting asks for."""
    count = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"{source}: a number of threads is a whole number from 1; found {value!r}")
    return count


@final
class Config:
    """The settings; there is one object, `covector.config`.

    Example:
        >>> from covector.settings import config
        >>> config.threads = 2
        >>> config.threads
        2
        >>> config.threads = 1
    """

    def __init__(self) -> None:
        self._threads: int | None = None
        self._override: ContextVar[int | None] = ContextVar("threads", default=None)

    @property
    def threads(self) -> int:
        """How many threads a compiled function runs elementwise work on large arrays on.

        It may be set. Sums over blocks are taken in the order of the blocks, so a result depends on nothing but the
        arguments and the number of threads.

        Raises:
            ArgumentError: a number below one, or no whole number, here or in the environment variable.
        """
        override = self._override.get()
        if override is not None:
            return override
        if self._threads is None:
            self._threads = checked_threads(os.environ.get(VARIABLE, "1"), VARIABLE)
        return self._threads

    @threads.setter
    def threads(self, count: int) -> None:
        self._threads = checked_threads(count, "config.threads")

    @contextmanager
    def using(self, *, threads: int) -> Iterator[None]:
        """Other settings within a `with` block, for this thread or asynchronous task alone.

        Raises:
            ArgumentError: a number below one, or no whole number.
        """
        token = self._override.set(checked_threads(threads, "config.using"))
        try:
            yield
        finally:
            self._override.reset(token)

    def __repr__(self) -> str:
        return f"Config(threads={self.threads})"


config = Config()
"""The settings of this process."""
