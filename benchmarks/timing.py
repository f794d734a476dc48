"""Medians of interleaved rounds, after the answers have been compared.

Calls that are compared take turns: each round runs every call once (or often enough to fill a
few milliseconds), so that a machine that slows down slows all of them. The median over rounds
forgets the odd interruption.

    interleaved_medians({"a": call_a, "b": call_b}, Effort(rounds=15, seconds=0.02))
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from math import ceil, inf
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from attrs import frozen

Call = Callable[[], Any]

TOLERANCE = 1e-9
LEAST_ROUNDS = 3


@frozen
class Effort:
    """How many rounds, how long one sample of one call lasts at least, and all samples of one call at most.

    A call that would last longer sits out the later rounds, but is sampled `LEAST_ROUNDS` times.
    """

    rounds: int
    seconds: float
    longest: float = inf

    def rounds_for(self, seconds: float) -> int:
        """Return how many rounds a call takes part in whose samples last so long."""
        affordable = self.longest / max(seconds, 1e-7)
        return self.rounds if affordable >= self.rounds else min(self.rounds, max(LEAST_ROUNDS, int(affordable)))


THOROUGH = Effort(rounds=15, seconds=0.02)
QUICK = Effort(rounds=3, seconds=0.001)


def set_heap_aside() -> None:
    """Exempt what exists from garbage collection: no call should pay for what the peers have loaded."""
    gc.collect()
    gc.freeze()


def sample(call: Call, repetitions: int, clock: Callable[[], float] = perf_counter) -> float:
    """Return the mean time of a call over some repetitions, starting without garbage."""
    gc.collect()
    start = clock()
    for _ in range(repetitions):
        call()
    return (clock() - start) / repetitions


def repetitions_for(once: float, seconds: float) -> int:
    """Return how often to run a call that lasts `once` to fill the given time."""
    return max(1, ceil(seconds / max(once, 1e-7)))


def interleaved_medians(
    calls: Mapping[str, Call], effort: Effort, clock: Callable[[], float] = perf_counter
) -> dict[str, float]:
    """Return the median seconds of each call; every call must have been run once before.

    The clock may be `time.process_time`, which is not disturbed by other programs, but counts every thread.
    """
    set_heap_aside()
    once = {name: min(sample(call, 1) for _ in range(2)) for name, call in calls.items()}
    repetitions = {name: repetitions_for(seconds, effort.seconds) for name, seconds in once.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for done in range(effort.rounds):
        for name, call in calls.items():
            if done < effort.rounds_for(once[name]):
                samples[name].append(sample(call, repetitions[name], clock))
    return {name: median(times) for name, times in samples.items()}


def leaves(answer: Any) -> Iterator[Any]:
    """Yield the arrays of an answer, which is an array or a tuple of arrays."""
    if isinstance(answer, tuple | list):
        for part in answer:
            yield from leaves(part)
    else:
        yield np.asarray(answer)


def disagreement(answer: Any, reference: Any) -> float:
    """Return the largest difference, relative to the largest entry of each array; inf for other shapes."""
    ours, theirs = list(leaves(answer)), list(leaves(reference))
    if [x.shape for x in ours] != [x.shape for x in theirs]:
        return float("inf")
    return max(array_disagreement(x, y) for x, y in zip(ours, theirs, strict=True))


def array_disagreement(x: Any, y: Any) -> float:
    """Return max |x - y| / max |y|, or max |x - y| where y vanishes; inf if anything is not finite."""
    difference, scale = float(np.max(np.abs(x - y))), float(np.max(np.abs(y)))
    if not np.isfinite(difference):
        return float("inf")
    return difference / (scale or 1.0)
