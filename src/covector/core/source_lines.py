"""Where in the user's code something happened, for error messages and logs."""

from __future__ import annotations

import sys
from types import FrameType

LIBRARIES = ("covector", "numpy")
"""Packages whose own code is not what a message should point at."""

TRACED_ROUNDING = "Round with np.floor, np.ceil or x.astype(int), which work on traced values."

ADVICE = {
    "bool()": "Select with np.where(condition, a, b), or choose with covector.cond or covector.while_loop, instead of "
    "branching in Python.",
    "an index": "Index with x[i] or np.take, which take traced integers; loop with covector.fori_loop instead of "
    "range, choose with covector.switch.",
    "int()": TRACED_ROUNDING,
    "math.floor()": TRACED_ROUNDING,
    "math.ceil()": TRACED_ROUNDING,
    "repr()": "covector.debug_print prints values when there are some.",
}
"""What to write instead of asking for a value that there is not, by what was asked."""

SHOWING = "repr()"
"""The question that shows a value to somebody, whose answer a program does not act on."""

FORMATTING = "formatting as "
"""What the question begins with for the text of a value, which a program may act on; the format follows."""

SHAPE_DEPENDS = "whose answer's shape depends"
"""What the questions have in their name that choose entries, such as those of `np.nonzero`."""


def instead_of(asked: str) -> str:
    """What to write instead of asking for a value."""
    if SHAPE_DEPENDS in asked:
        return "Keep the shape, and select entries with np.where(condition, x, 0), or compute the answer outside."
    if asked.startswith(FORMATTING):
        return ADVICE[SHOWING]
    return ADVICE.get(asked, "Compute it outside of the transformed function, and pass it as a constant.")


def user_line() -> str:
    """The file and line, as `model.py:12`, of the innermost call that is neither covector's nor NumPy's."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and _in_library(frame):
        frame = frame.f_back
    return "an unknown line" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _in_library(frame: FrameType) -> bool:
    name: str = frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in LIBRARIES
