"""Derivatives without compilation, beside the peers.

    python -m benchmarks.eager                    all problems, a few minutes
    python -m benchmarks.eager --quick            every problem once, small: does it run and agree?
    python -m benchmarks.eager --only chain mlp   the speed of problems whose names start so
    python -m benchmarks.eager --json FILE        write the figures to a file as well

Prints three tables: speed, peak memory, and growth with the length of a chain. A ratio is the
peer's time divided by covector's, so above one covector is faster. Exits with an error if a peer's
answer differs from the others' or if covector has no answer, never because of a speed.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from benchmarks.agreement import agreeing_calls, answers
from benchmarks.memory import AT_MOST, Peak, measure_peaks
from benchmarks.peers import Peer, installed_peers, versions
from benchmarks.problems import Problem, full_size, memory_problems, small_size
from benchmarks.report import machine, number, print_table
from benchmarks.scaling import FULL_LENGTHS, SMALL_LENGTHS, Growth, measure_growth
from benchmarks.timing import QUICK, THOROUGH, Effort, interleaved_medians

OURS = "covector"
COLUMNS = ("autograd", "jax", "jax.jit", "torch", "by hand")
TITLES = ("problem", "covector", "asked for", *COLUMNS)
MEMORY_TITLES = ("problem", OURS, "autograd", "ratio", "asked for")
GROWTH_TITLES = ("peer", "operations", "us each", "bytes each")


@frozen
class Case:
    """What was measured of one problem: medians by peer, and who failed or disagreed and how."""

    name: str
    derivative: str
    at_least: float
    seconds: dict[str, float] = field(factory=dict)
    failures: dict[str, str] = field(factory=dict)

    @property
    def ratios(self) -> dict[str, float]:
        """The peers' times divided by covector's."""
        if OURS not in self.seconds:
            return {}
        return {name: time / self.seconds[OURS] for name, time in self.seconds.items() if name != OURS}

    @property
    def falls_short(self) -> bool:
        """Whether the ratio to autograd was measured and is below what is asked for."""
        return self.ratios.get("autograd", self.at_least) < self.at_least


def measure(problem: Problem, peers: Sequence[Peer], effort: Effort) -> Case:
    """Compare the peers' answers to one problem, then time them."""
    failures: dict[str, str] = {}
    calls = agreeing_calls(answers(problem, peers, failures), failures)
    seconds = interleaved_medians(calls, effort)
    return Case(problem.name, problem.derivative, problem.at_least, seconds, failures)


def speed_row(case: Case) -> list[str]:
    """Return the table's row: covector's microseconds, then ratios."""
    ours = case.seconds.get(OURS)
    ratios = [number(case.ratios.get(column)) for column in COLUMNS]
    return [case.name, number(ours and ours * 1e6), f">= {case.at_least:g}", *ratios]


def report_speed(problems: Sequence[Problem], peers: Sequence[Peer], effort: Effort) -> list[Case]:
    """Measure and print one problem after another."""
    cases: list[Case] = []

    def rows() -> Iterator[list[str]]:
        for problem in problems:
            cases.append(measure(problem, peers, effort))
            yield speed_row(cases[-1])

    print("\nSpeed: covector's median in microseconds, then (peer's time) / (covector's time)")
    print_table(TITLES, rows())
    return cases


def memory_row(peak: Peak) -> list[str]:
    """Return the table's row: megabytes by peer, then their ratio."""
    peaks = [peak.peaks.get(name) for name in (OURS, "autograd")]
    megabytes = [number(size and size / 1e6) for size in peaks]
    return [peak.name, *megabytes, number(peak.ratio), f"<= {AT_MOST}"]


def report_memory(problems: Sequence[Problem], peers: Sequence[Peer]) -> list[Peak]:
    """Measure and print the peaks."""
    peaks = measure_peaks(problems, peers)
    print("\nPeak memory of a gradient, in megabytes, and covector's over autograd's")
    print_table(MEMORY_TITLES, map(memory_row, peaks))
    return peaks


def report_growth(lengths: Sequence[int], peers: Sequence[Peer], effort: Effort) -> list[Growth]:
    """Measure and print the costs per operation."""
    growths = measure_growth(lengths, peers, effort)
    print("\nGrowth: cost per operation of the gradient of a chain, which should stay level")
    print_table(GROWTH_TITLES, map(growth_row, sorted(growths, key=lambda growth: growth.peer)))
    return growths


def growth_row(growth: Growth) -> list[str]:
    """Return the table's row: the costs per operation."""
    return [growth.peer, str(growth.operations), number(growth.seconds * 1e6), number(growth.bytes)]


def print_failures(cases: Sequence[Case]) -> None:
    """Print who had no answer or a different one."""
    for case in cases:
        for name, failure in case.failures.items():
            print(f"{case.name}: {name}: {failure}")


def shortfalls(cases: Sequence[Case], peaks: Sequence[Peak]) -> Iterator[str]:
    """Yield what is slower, or takes more memory, than asked for."""
    for case in cases:
        if case.falls_short:
            yield f"{case.name}: {case.ratios['autograd']:.2f} times as fast as autograd, asked for {case.at_least:g}"
    for peak in peaks:
        if peak.ratio is not None and peak.ratio > AT_MOST:
            yield f"{peak.name}: {peak.ratio:.2f} of autograd's peak memory, asked for at most {AT_MOST}"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eager", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small problems, few rounds")
    only = "only the speed of problems that start with NAME"
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help=only)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser.parse_args()


def run(options: argparse.Namespace, peers: Sequence[Peer]) -> dict[str, Any]:
    """Measure everything, print the tables, and return the figures."""
    effort = QUICK if options.quick else THOROUGH
    chosen = small_size() if options.quick else full_size()
    problems = [problem for problem in chosen if problem.name.startswith(tuple(options.only))]
    cases = report_speed(problems, peers, effort)
    print_failures(cases)
    peaks: list[Peak] = []
    growths: list[Growth] = []
    if options.only == [""]:
        peaks = report_memory(memory_problems(full=not options.quick), peers)
        growths = report_growth(SMALL_LENGTHS if options.quick else FULL_LENGTHS, peers, effort)
    missed = [] if options.quick else list(shortfalls(cases, peaks))  # small problems say nothing
    print("", *missed, sep="\n")
    return {
        "speed": [asdict(case) | {"ratios": case.ratios} for case in cases],
        "memory": [asdict(peak) | {"ratio": peak.ratio} for peak in peaks],
        "growth": [asdict(growth) for growth in growths],
        "shortfalls": missed,
    }


def main() -> int:
    """Run the benchmark; return nonzero if an answer was wrong or missing."""
    options = arguments()
    peers, missing = installed_peers()
    for module in missing:
        print(f"skipped: a peer that needs {module}, which is not installed")
    command = " ".join(["python -m benchmarks.eager", *sys.argv[1:]])
    described = {"command": command, "machine": machine(), "versions": versions(peers), "missing": missing}
    print(f"{command}\n{described['machine']}\n{described['versions']}")
    figures = run(options, peers)
    if options.json:
        options.json.write_text(json.dumps(described | figures, indent=2) + "\n")
    return int(any(case["failures"] for case in figures["speed"]))


if __name__ == "__main__":
    sys.exit(main())
