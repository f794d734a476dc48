"""What jit tells about itself: records of the standard logger "covector.jit".

    INFO      a function is recorded, and why; a recording is compiled, and how long that took
    DEBUG     a guard failed, and where Python had asked
    WARNING   a function runs uncompiled, and why

The environment variable COVECTOR_LOG, set to debug, info or warning before jit is first used, shows them on stderr.
"""

from __future__ import annotations

import logging
import os

from covector.errors import ArgumentError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}

logger = logging.getLogger("covector.jit")
logger.addHandler(logging.NullHandler())  # who does not ask sees the warnings of `warnings`, and no others


def show_log(level: str) -> None:
    """Shows records of this level and above on stderr.

    Raises ArgumentError if there is no such level.
    """
    if level.lower() not in LEVELS:
        raise ArgumentError(f"COVECTOR_LOG must be one of {', '.join(LEVELS)}; found {level!r}")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(LEVELS[level.lower()])


if os.environ.get("COVECTOR_LOG"):
    show_log(os.environ["COVECTOR_LOG"])
