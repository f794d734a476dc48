"""How time and memory grow with the length of a program.

A reverse pass over a chain of n operations should cost n times what one operation costs, in time
and in memory, without a limit on n: a backward walk that recurses overflows the stack, one that
searches grows faster than n. The table shows the cost per operation, which should stay level.
"""

from collections.abc import Sequence

from attrs import evolve, frozen

from benchmarks.memory import peak_bytes, traced_peers
from benchmarks.peers import Call, Peer
from benchmarks.problems import chain_problem
from benchmarks.timing import Effort, interleaved_medians

FULL_LENGTHS = (10**3, 10**4, 10**5)
SMALL_LENGTHS = (10**2, 10**3)
MOST_ROUNDS = 5  # the long chains take seconds, and a trend needs no more


@frozen
class Growth:
    """Seconds and peak bytes per operation of a chain of some length."""

    peer: str
    operations: int
    seconds: float
    bytes: float


def measure_growth(lengths: Sequence[int], peers: Sequence[Peer], effort: Effort) -> list[Growth]:
    """Return the costs per operation for each length and each peer whose memory can be seen."""
    return [growth for length in lengths for growth in growth_at(length, traced_peers(peers), effort)]


def growth_at(operations: int, peers: Sequence[Peer], effort: Effort) -> list[Growth]:
    """Return the costs per operation of one chain under each peer."""
    problem = chain_problem(operations)
    prepared = {peer.name: peer.prepare(problem) for peer in peers}
    calls: dict[str, Call] = {name: call for name, call in prepared.items() if call is not None}
    peaks = {name: peak_bytes(call) for name, call in calls.items()}
    medians = interleaved_medians(calls, evolve(effort, rounds=min(effort.rounds, MOST_ROUNDS)))
    return [
        Growth(name, operations, medians[name] / operations, peaks[name] / operations) for name in calls
    ]
