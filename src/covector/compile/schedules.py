"""Visiting the states of a loop from the last to the first, keeping only a few of them.

With s slots for states, a loop of at most C(s + r, s) steps is reversed with each step computed at most r times on the
way forward (Griewank and Walther 2000, algorithm 799): 20 slots and 4 repetitions reverse 10,626 steps.

    >>> [(i, state) for i, state in backward_states(4, 2, 0.0, lambda i, state: state + 1.0)]
    [(3, 3.0), (2, 2.0), (1, 1.0), (0, 0.0)]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

State = TypeVar("State")


def backward_states(
    length: int, slots: int, first: State, advance: Callable[[int, State], State]
) -> Iterator[tuple[int, State]]:
    """The state before each step, the last step first; never more than `slots` states are kept.

    `advance(i, state)` makes step i.
    """
    kept = [(0, first)]
    for last in range(length - 1, -1, -1):
        position, state = kept[-1]
        while position < last:
            free = slots - len(kept)
            target = position + (_jump(last + 1 - position, free + 1) if free else last - position)
            for i in range(position, target):
                state = advance(i, state)
            position = target
            if free:
                kept.append((position, state))
        if kept[-1][0] == last:
            kept.pop()
        yield last, state


def _jump(length: int, slots: int) -> int:
    """How far from the first of `length` states, which takes one of the slots, the next state is kept.

    With r the least number with length <= C(slots + r, slots), the steps before the kept state must be at most
    C(slots + r - 1, slots), so that r - 1 repetitions are enough for them, and those after it at most
    C(slots + r - 1, slots - 1), so that r are enough with one slot less.
    """
    repetitions = 1
    while math.comb(slots + repetitions, slots) < length:
        repetitions += 1
    shortest = math.comb(slots + repetitions - 2, slots) if repetitions > 1 else 1
    return max(1, shortest, length - math.comb(slots + repetitions - 1, slots - 1))
