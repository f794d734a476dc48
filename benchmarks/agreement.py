"""Whether the peers agree: every answer is compared with every other one before anything is timed."""

from collections.abc import Sequence
from typing import Any

from benchmarks.peers import Call, Peer
from benchmarks.problems import Problem
from benchmarks.timing import TOLERANCE, disagreement


def answers(problem: Problem, peers: Sequence[Peer], failures: dict[str, str]) -> dict[str, tuple[Call, Any]]:
    """Return each peer's call and its answer; a peer that raises is noted among the failures."""
    found: dict[str, tuple[Call, Any]] = {}
    for peer in peers:
        try:
            call = peer.prepare(problem)
            if call is not None:
                call()  # which only records, under jit; what is compiled runs from the second call on
                found[peer.name] = (call, call())
        except Exception as error:
            failures[peer.name] = f"{type(error).__name__}: {error}"
    return found


def agreeing_calls(found: dict[str, tuple[Call, Any]], failures: dict[str, str]) -> dict[str, Call]:
    """Return the calls of peers whose answers agree with those of most others; note the odd ones."""
    for name, (_, answer) in found.items():
        gaps = {other: disagreement(answer, theirs) for other, (_, theirs) in found.items() if other != name}
        differing = [f"{other} by {gap:.1e}" for other, gap in gaps.items() if not gap <= TOLERANCE]
        if differing and 2 * len(differing) >= len(gaps):
            failures[name] = "differs from " + ", ".join(differing)
    return {name: call for name, (call, _) in found.items() if name not in failures}
