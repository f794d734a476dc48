"""Peak memory of a reverse pass, as Python's allocator and NumPy report it.

`tracemalloc` sees the memory of NumPy arrays and of Python objects, so it compares the two
libraries that work with those: covector and autograd. The peak is counted from just before the
call, after a first call has filled every cache.
"""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from benchmarks.peers import Peer
from benchmarks.problems import Problem

AT_MOST = 1.1


@frozen
class Peak:
    """The peak bytes of one problem's gradient, by peer."""

    name: str
    peaks: dict[str, int]

    @property
    def ratio(self) -> float | None:
        """Covector's peak over autograd's, if both were measured."""
        if self.peaks.keys() >= {"covector", "autograd"}:
            return self.peaks["covector"] / self.peaks["autograd"]
        return None


def peak_bytes(call: Callable[[], Any]) -> int:
    """Return the most memory a call held at once, beyond what was held before it."""
    call()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        result = call()
        _, peak = tracemalloc.get_traced_memory()
        del result
    finally:
        tracemalloc.stop()
    return peak - before


def traced_peers(peers: Sequence[Peer]) -> list[Peer]:
    """Return the peers whose memory tracemalloc sees."""
    return [peer for peer in peers if peer.name in ("covector", "autograd")]


def measure_peaks(problems: Sequence[Problem], peers: Sequence[Peer]) -> list[Peak]:
    """Return the peak of each problem's gradient under each peer whose memory can be seen."""
    return [measure_peak(problem, traced_peers(peers)) for problem in problems]


def measure_peak(problem: Problem, peers: Sequence[Peer]) -> Peak:
    """Return the peaks of one problem's gradient."""
    calls = {peer.name: peer.prepare(problem) for peer in peers}
    return Peak(problem.name, {name: peak_bytes(call) for name, call in calls.items() if call is not None})
