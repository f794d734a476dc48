"""Compiled derivatives, beside the peers.

    python -m benchmarks                    all cases, some minutes
    python -m benchmarks --quick            every problem once, small: does it run and agree?
    python -m benchmarks --only rosen gp    the cases whose names start so
    python -m benchmarks --threads 2        the large elementwise cases on two threads as well
    python -m benchmarks --json FILE        write the figures to a file as well

`covector.jit` is `jit` around the whole derivative, called with NumPy arrays or Python floats when it has
been compiled. A ratio is covector's time divided by the peer's, so below one covector is faster. The first
call records the function, emits the program and runs it. Exits with an error if a peer's answer differs
from the others' or if covector has no answer, never because of a speed.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from time import perf_counter
from typing import Any

from attrs import asdict, evolve, field, frozen

from benchmarks.agreement import agreeing_calls, answers
from benchmarks.cases import HAND, JAX, Case, full_size, memory_problems, small_size
from benchmarks.memory import peak_bytes
from benchmarks.overheads import MOST_OVERHEADS, call_overhead, import_overhead
from benchmarks.peers import COMPILED, Covector, Peer, installed_peers, versions
from benchmarks.problems import Problem
from benchmarks.report import machine, number, print_table
from benchmarks.threads import Speedup, measure_speedups, speedup_row
from benchmarks.timing import QUICK, THOROUGH, Effort, interleaved_medians, set_heap_aside

OURS = "covector.jit"
COLUMNS = (JAX, HAND, "autograd", "torch")
TITLES = ("case", "us", *COLUMNS, "first ms", "compile ms", "of jax's")
MEMORY_TITLES = ("problem", OURS, HAND, "ratio")
SPEEDUP_TITLES = ("case", "ms on 1", "ms on N", "speedup")
MOST_OF_JAX = 0.8
MOST_FIRST_SECONDS = 0.010
MOST_OF_JAX_FIRST = 0.1
MOST_OF_HAND_MEMORY = 1.3
PATIENCE = 5.0


@frozen
class Result:
    """What was measured of one case: medians and first calls by peer, and who failed or disagreed and how."""

    name: str
    derivative: str
    at_most: dict[str, float]
    microseconds: float | None
    seconds: dict[str, float] = field(factory=dict)
    first: dict[str, float] = field(factory=dict)
    compiling: float | None = None
    failures: dict[str, str] = field(factory=dict)

    @property
    def ratios(self) -> dict[str, float]:
        """Covector's time divided by the peers'."""
        if OURS not in self.seconds:
            return {}
        return {name: self.seconds[OURS] / time for name, time in self.seconds.items() if name != OURS}

    @property
    def compiling_ratio(self) -> float | None:
        """Covector's recording and emission divided by jax.jit's first call."""
        return self.compiling / self.first[JAX] if self.compiling and JAX in self.first else None

    def shortfalls(self) -> Iterator[str]:
        """Yield what is slower than asked for."""
        for peer, bound in self.at_most.items():
            if self.ratios.get(peer, bound) > bound:
                yield f"{self.name}: {self.ratios[peer]:.2f} of {peer}, asked for at most {bound:g}"
        ours = self.seconds.get(OURS)
        if ours and self.microseconds and ours * 1e6 > self.microseconds:
            yield f"{self.name}: {ours * 1e6:.2f} us, asked for at most {self.microseconds:g}"
        if self.compiling is not None and self.compiling > MOST_FIRST_SECONDS:
            yield (
                f"{self.name}: {self.compiling * 1e3:.0f} ms to record and emit, "
                f"asked for at most {MOST_FIRST_SECONDS * 1e3:.0f}"
            )
        if self.compiling_ratio is not None and self.compiling_ratio > MOST_OF_JAX_FIRST:
            yield (
                f"{self.name}: recording and emission {self.compiling_ratio:.2f} of jax.jit's first call, "
                f"asked for at most {MOST_OF_JAX_FIRST}"
            )


# --- measuring ------------------------------------------------------------------------------


def first_call(peer: Peer, problem: Problem) -> float:
    """Return the seconds from a function that was never seen to its first derivative."""
    set_heap_aside()
    start = perf_counter()
    call = peer.prepare(problem)
    if call is not None:
        call()
    return perf_counter() - start


def compilation(peer: Covector, problem: Problem) -> float:
    """Return the seconds that recording a function that was never seen and emitting its program take."""
    set_heap_aside()
    start = perf_counter()
    peer.compile(peer.derivative(problem)).lower(*problem.arguments)
    return perf_counter() - start


def repeated(measurement: Callable[[], float], effort: Effort) -> float:
    """Return the median of a measurement, which is repeated while it is short."""
    once = measurement()
    return median([once, *(measurement() for _ in range(effort.rounds_for(5.0 * once) - 1))])


def measure(case: Case, peers: Sequence[Peer], effort: Effort) -> Result:
    """Compare the peers' answers in one case, then time them."""
    problem, failures = case.problem, dict[str, str]()
    calls = agreeing_calls(answers(problem, peers, failures), failures)
    by_name = {peer.name: peer for peer in peers}
    first = {name: first_call(by_name[name], problem) for name in (JAX,) if name in calls}
    ours, compiling = by_name[OURS], None
    if OURS in calls and isinstance(ours, Covector):
        first[OURS] = repeated(partial(first_call, ours, problem), effort)
        compiling = repeated(partial(compilation, ours, problem), effort)
    seconds = interleaved_medians(calls, effort)
    return Result(case.name, problem.derivative, case.at_most, case.microseconds, seconds, first, compiling, failures)


@frozen
class Peak:
    """The peak bytes of one problem's gradient, compiled and written by hand."""

    name: str
    bytes: dict[str, int]

    @property
    def ratio(self) -> float:
        """Covector's peak divided by the hand-written one's."""
        return self.bytes[OURS] / self.bytes[HAND]


def measure_peak(problem: Problem, peers: Sequence[Peer]) -> Peak:
    """Return the peaks of covector and of the hand-written derivative."""
    calls = {peer.name: peer.prepare(problem) for peer in peers if peer.name in (OURS, HAND)}
    return Peak(problem.name, {name: peak_bytes(call) for name, call in calls.items() if call is not None})


# --- reporting ------------------------------------------------------------------------------


def speed_row(result: Result) -> list[str]:
    """Return the table's row: covector's microseconds, ratios, and the first call."""
    ours, first, compiling = result.seconds.get(OURS), result.first.get(OURS), result.compiling
    ratios = [result.ratios.get(column) for column in COLUMNS]
    milliseconds = [first and first * 1e3, compiling and compiling * 1e3]
    return [result.name, *map(number, [ours and ours * 1e6, *ratios, *milliseconds, result.compiling_ratio])]


def report_speed(cases: Sequence[Case], peers: Sequence[Peer], effort: Effort) -> list[Result]:
    """Measure and print one case after another."""
    results: list[Result] = []

    def rows() -> Iterator[list[str]]:
        for case in cases:
            results.append(measure(case, peers, effort))
            yield speed_row(results[-1])

    print("\nSpeed: covector.jit's median in microseconds, then (covector's time) / (peer's time);")
    print("covector's first call in milliseconds, of that recording and emission, and this / jax.jit's first call")
    print_table(TITLES, rows())
    return results


def mean_of_jax(results: Sequence[Result]) -> float | None:
    """Return the geometric mean of the ratios to jax.jit."""
    ratios = [result.ratios[JAX] for result in results if JAX in result.ratios]
    return geometric_mean(ratios) if ratios else None


def report_memory(problems: Sequence[Problem], peers: Sequence[Peer]) -> list[Peak]:
    """Measure and print the peaks."""
    peaks = [measure_peak(problem, peers) for problem in problems]
    print("\nPeak memory in megabytes, and covector.jit's divided by the hand-written derivative's")
    print_table(MEMORY_TITLES, map(memory_row, peaks))
    return peaks


def memory_row(peak: Peak) -> list[str]:
    """Return the table's row: megabytes, then their ratio."""
    return [peak.name, *(number(peak.bytes[name] / 1e6) for name in (OURS, HAND)), number(peak.ratio)]


def report_overheads(effort: Effort) -> dict[str, float]:
    """Measure and print the overheads."""
    overheads = {
        "call_microseconds": call_overhead(effort) * 1e6,
        "import_milliseconds": import_overhead(effort.rounds) * 1e3,
    }
    call, loading = overheads.values()
    print(f"\nA call of a jitted function of one array: {call:.2f} us more than the function it computes")
    print(f"import covector: {loading:.0f} ms more than import numpy")
    return overheads


def report_threads(cases: Sequence[Case], peer: Peer, threads: int, effort: Effort) -> list[Speedup]:
    """Measure and print the large elementwise cases on several threads."""
    speedups = measure_speedups(cases, peer, threads, effort) if isinstance(peer, Covector) and threads > 1 else []
    if speedups:
        print(f"\ncovector.jit's milliseconds on 1 thread and on N = {threads}, and their ratio")
        print_table(SPEEDUP_TITLES, map(speedup_row, speedups))
    return speedups


def shortfalls(
    results: Sequence[Result], peaks: Sequence[Peak], overheads: dict[str, float], speedups: Sequence[Speedup] = ()
) -> Iterator[str]:
    """Yield what is slower, or takes more memory, than asked for."""
    mean = mean_of_jax(results)
    if mean is not None and mean > MOST_OF_JAX:
        yield f"geometric mean: {mean:.2f} of {JAX}, asked for at most {MOST_OF_JAX}"
    for result in results:
        yield from result.shortfalls()
    for speedup in speedups:
        yield from speedup.shortfalls()
    for peak in peaks:
        if peak.ratio > MOST_OF_HAND_MEMORY:
            yield f"{peak.name}: {peak.ratio:.2f} of hand-written memory, asked for at most {MOST_OF_HAND_MEMORY}"
    for name, bound in MOST_OVERHEADS.items():
        if overheads.get(name, 0.0) > bound:
            yield f"{name.replace('_', ' in ')}: {overheads[name]:.1f}, asked for at most {bound:g}"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small problems, few rounds")
    only = "only the speed of cases that start with NAME"
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help=only)
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="large elementwise cases on N threads too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser.parse_args()


def run(options: argparse.Namespace, peers: Sequence[Peer]) -> dict[str, Any]:
    """Measure everything, print the tables, and return the figures."""
    effort = evolve(QUICK if options.quick else THOROUGH, longest=PATIENCE)
    cases = small_size() if options.quick else full_size()
    cases = [case for case in cases if case.name.startswith(tuple(options.only))]
    results = report_speed(cases, peers, effort)
    mean = mean_of_jax(results)
    print(f"\nGeometric mean of the ratios to {JAX}: {number(mean)}")
    for result in results:
        for name, failure in result.failures.items():
            print(f"{result.name}: {name}: {failure}")
    speedups = report_threads(cases, peers[0], options.threads, effort)
    peaks: list[Peak] = []
    overheads: dict[str, float] = {}
    if options.only == [""]:
        peaks = report_memory(memory_problems(full=not options.quick), peers)
        overheads = report_overheads(effort)
    missed = [] if options.quick else list(shortfalls(results, peaks, overheads, speedups))
    print("\nFalls short of what is asked for:\n" + "\n".join(missed) if missed else "")
    return {
        "speed": [asdict(result) | {"ratios": result.ratios} for result in results],
        "geometric_mean_of_jax": mean,
        "threads": [asdict(speedup) | {"ratio": speedup.ratio} for speedup in speedups],
        "memory": [asdict(peak) | {"ratio": peak.ratio} for peak in peaks],
        "overheads": overheads,
        "shortfalls": missed,
    }


def main() -> int:
    """Run the benchmark; return nonzero if an answer was wrong or missing."""
    options = arguments()
    peers, missing = installed_peers(partial(Covector, compiled=True), COMPILED)
    for module in missing:
        print(f"skipped: a peer that needs {module}, which is not installed")
    command = " ".join(["python -m benchmarks", *sys.argv[1:]])
    described = {"command": command, "machine": machine(), "versions": versions(peers), "missing": missing}
    print(f"{command}\n{described['machine']}\n{described['versions']}")
    figures = run(options, peers)
    if options.json:
        options.json.write_text(json.dumps(described | figures, indent=2) + "\n")
    return int(any(result["failures"] for result in (*figures["speed"], *figures["threads"])))
