"""The cases that are elementwise work on large arrays, compiled, on several threads beside one.

    measure_speedups(cases, Covector(compiled=True), 2, effort)

The answers are compared before they are timed, the two take turns, and every round runs both.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import field, frozen

from benchmarks.cases import Case
from benchmarks.peers import Call, Covector
from benchmarks.timing import TOLERANCE, Effort, disagreement, interleaved_medians

LARGE_ELEMENTWISE = ("rosen_1e6", "rosen_1e6_hvp", "ew20_1e6", "lse_1e6", "bs_1e5", "nbody_1000")
"""The cases whose time is that of loops over blocks."""

LEAST_SPEEDUP = 1.5
"""What is asked of two threads."""


@frozen
class Speedup:
    """The seconds of one case on one thread and on several."""

    name: str
    threads: int
    single: float
    several: float
    failures: dict[str, str] = field(factory=dict)

    @property
    def ratio(self) -> float:
        """How many times faster several threads are."""
        return self.single / self.several

    def shortfalls(self) -> Iterator[str]:
        """Yield what is slower than asked for, on two threads."""
        if self.threads == 2 and self.ratio < LEAST_SPEEDUP:
            yield f"{self.name}: {self.ratio:.2f} times faster on 2 threads, asked for at least {LEAST_SPEEDUP:g}"


def on_threads(peer: Covector, call: Call, threads: int) -> Call:
    """Return the call on so many threads."""

    def with_threads() -> Any:
        with peer.module.config.using(threads=threads):
            return call()

    return with_threads


def measure_speedup(case: Case, peer: Covector, threads: int, effort: Effort) -> Speedup:
    """Compare the answers on one and on several threads, then time them."""
    call = peer.prepare(case.problem)
    calls = {"single": on_threads(peer, call, 1), "several": on_threads(peer, call, threads)}
    answers = [run() for _ in range(2) for run in calls.values()]
    difference = max(disagreement(answer, answers[0]) for answer in answers)
    failures = {} if difference <= TOLERANCE else {f"{threads} threads": f"differs by {difference:.1e}"}
    return Speedup(case.name, threads, **interleaved_medians(calls, effort), failures=failures)


def measure_speedups(cases: Sequence[Case], peer: Covector, threads: int, effort: Effort) -> list[Speedup]:
    """Measure the cases that are elementwise work on large arrays."""
    return [measure_speedup(case, peer, threads, effort) for case in cases if case.name in LARGE_ELEMENTWISE]


def speedup_row(speedup: Speedup) -> list[str]:
    """Return the table's row: milliseconds, then their ratio."""
    times = [f"{seconds * 1e3:.2f}" for seconds in (speedup.single, speedup.several)]
    return [speedup.name, *times, f"{speedup.ratio:.2f}"]
