"""Peak memory of reversing a long loop, for each policy of `scan(checkpoint=)`: the memory curve.

    python -m benchmarks.loops [--quick] [--json FILE]

The loop is x -> x + sin(x) / 1000, so a carry is one number of eight bytes. Reversing it needs the carry before
each step. "every" keeps all of them, "sqrt" two times the square root of them, `Binomial(slots)` at most that
many; what is not kept is computed again. The slots are the binary logarithm of the length. Exits with an error if
the policies do not give the same derivative.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from math import isclose
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from attrs import asdict, frozen

import covector as cv
from benchmarks.memory import peak_bytes
from benchmarks.report import machine, number, print_table

FULL_LENGTHS = (10**3, 10**4, 10**5, 10**6)
SMALL_LENGTHS = (10**2, 10**3)
TITLES = ("policy", "steps", "peak kB", "bytes/step", "ms")


@frozen
class Reversal:
    """What the gradient of a loop of some length took under a policy."""

    policy: str
    steps: int
    bytes: int
    seconds: float


def policies(steps: int) -> dict[str, Any]:
    """Return the policies by name."""
    return {"every": "every", "sqrt": "sqrt", "binomial": cv.Binomial(steps.bit_length())}


def gradient(steps: int, policy: Any) -> Callable[[float], Any]:
    """Return the compiled gradient of the last state in the first."""

    def step(x: Any, _: None) -> tuple[Any, None]:
        return x + 1e-3 * np.sin(x), None

    def last(x: Any) -> Any:
        return cv.scan(step, x, length=steps, checkpoint=policy)[0]

    return cv.jit(cv.grad(last))


def reversals(steps: int) -> Iterator[tuple[Reversal, float]]:
    """Yield what each policy took, and the derivative it gave."""
    for name, policy in policies(steps).items():
        function = gradient(steps, policy)
        derivative = float(function(1.0))
        start = perf_counter()
        function(1.0)
        seconds = perf_counter() - start
        yield Reversal(name, steps, peak_bytes(partial(function, 1.0)), seconds), derivative


def row(reversal: Reversal) -> list[str]:
    """Return the table's row."""
    kilobytes, each = reversal.bytes / 1e3, reversal.bytes / reversal.steps
    return [reversal.policy, str(reversal.steps), number(kilobytes), number(each), number(reversal.seconds * 1e3)]


def measure(lengths: Iterable[int]) -> tuple[list[Reversal], bool]:
    """Measure and print the curve; whether the policies agree."""
    found: list[Reversal] = []
    agree = True

    def rows() -> Iterator[list[str]]:
        nonlocal agree
        for steps in lengths:
            derivatives = []
            for reversal, derivative in reversals(steps):
                found.append(reversal)
                derivatives.append(derivative)
                yield row(reversal)
            agree = agree and all(isclose(x, derivatives[0], rel_tol=1e-9) for x in derivatives)

    print_table(TITLES, rows())
    return found, agree


def main() -> int:
    """Run the benchmark; return nonzero if two policies disagree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loops", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short loops")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args()
    command = " ".join(["python -m benchmarks.loops", *sys.argv[1:]])
    print(f"{command}\n{machine()}\n")
    found, agree = measure(SMALL_LENGTHS if options.quick else FULL_LENGTHS)
    if options.json:
        record = {"command": command, "machine": machine(), "memory": [asdict(x) for x in found]}
        options.json.write_text(json.dumps(record, indent=2) + "\n")
    return int(not agree)


if __name__ == "__main__":
    sys.exit(main())
