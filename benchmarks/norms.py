"""The kernels behind norms against what they replace, and how many steps of descent a norm saves.

    python -m benchmarks.norms [--quick] [--json FILE]

Kernels take turns with what they replace, after their results have been compared: the polar factor with a singular
value decomposition, a rank-one direction with one too, the projection on the l1 ball with the one that sorts. A ratio
below 1 is faster than that. Times are those of the processor: run it with OMP_NUM_THREADS=1. Steps are those of
`benchmarks.experiments`; they do not depend on the machine.
Exits with an error if a result is wrong.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from attrs import asdict, frozen

import covector as cv
from benchmarks import experiments
from benchmarks.report import machine, number, print_table
from benchmarks.timing import QUICK, Call, Effort, disagreement, interleaved_medians
from covector import norms

TITLES = ("kernel", "ms", "replaced ms", "ratio", "asked for", "error")
STEP_TITLES = ("problem", "variant", "steps of each norm")
LARGEST_ERROR = 1e-9
EFFORT = Effort(rounds=11, seconds=0.1, longest=10.0)


@frozen
class Kernel:
    """A kernel, what it replaces, and the ratio of their times that was asked for."""

    name: str
    call: Call
    replaced: Call
    asked: float | None = None


@frozen
class Figure:
    """Seconds of a kernel and of what it replaces, and the largest difference of their results."""

    name: str
    seconds: float
    replaced: float
    asked: float | None
    error: float

    @property
    def ratio(self) -> float:
        """The kernel's time over the other's."""
        return self.seconds / self.replaced


# --- what kernels replace -------------------------------------------------------------------------------------


def orthogonal_factor(x: Any) -> Any:
    """U V^T by a singular value decomposition, of the values that are not zero to rounding."""
    left, values, right = np.linalg.svd(x, full_matrices=False)
    return (left * (values > 1e-13 * values[0])) @ right


def rank_one_factor(x: Any) -> Any:
    """u v^T of the largest singular value, by a decomposition."""
    left, _, right = np.linalg.svd(x, full_matrices=False)
    return np.outer(left[:, 0], right[0])


def looped(function: Callable[[Any], Any], stack: Any) -> Any:
    """A function of each matrix of a stack, in a Python loop."""
    return np.stack([function(x) for x in stack])


def projected_by_sorting(x: Any, radius: float) -> Any:
    """The projection on the l1 ball by J. Duchi and others (2008), figure 1."""
    sizes = np.flip(np.sort(np.abs(x)))
    excess = (np.cumsum(sizes) - radius) / np.arange(1.0, np.size(x) + 1.0)
    cut = excess[np.count_nonzero(sizes > excess) - 1]
    return np.sign(x) * np.maximum(np.abs(x) - cut, 0.0)


# --- the kernels ----------------------------------------------------------------------------------------------


def with_values(values: Any, seed: int = 0) -> Any:
    """A square matrix with these singular values."""
    random, size = np.random.default_rng(seed), len(values)
    left, right = (np.linalg.qr(random.normal(size=(size, size)))[0] for _ in range(2))
    return (left * values) @ right


def spectra(size: int) -> dict[str, Any]:
    """Singular values that fall: evenly to a thousandth of the largest, as a power, and to zero."""
    return {
        "1 to 1e-3": np.geomspace(1.0, 1e-3, size),
        "i^-1.5": np.arange(1.0, size + 1) ** -1.5,
        "rank 1/8": np.arange(size) < size // 8,
    }


def kernels(quick: bool) -> Iterator[Kernel]:
    """All kernels, or small ones."""
    random, spectral, nuclear = np.random.default_rng(0), norms.spectral(), norms.nuclear()
    for size in (128,) if quick else (128, 256, 512, 1024):
        x = random.normal(size=(size, size))
        plain = partial(np.linalg.svd, x, full_matrices=False)
        yield Kernel(f"polar, normal {size}", partial(spectral.maximizer, x), partial(_and_product, plain), 0.6)
    for size in (128,) if quick else (256, 512):
        for name, values in spectra(size).items():
            x = with_values(values)
            yield Kernel(f"polar, {name}, {size}", partial(spectral.maximizer, x), partial(orthogonal_factor, x))
        x = random.normal(size=(4 * size, size // 4))
        yield Kernel(f"polar, {4 * size} x {size // 4}", partial(spectral.maximizer, x), partial(orthogonal_factor, x))
    stack = random.normal(size=(200, 32, 8))
    each = cv.vmap(spectral.maximizer)
    yield Kernel("polar, 200 of 32 x 8", partial(each, stack), partial(looped, orthogonal_factor, stack))
    for size in (256,) if quick else (256, 512, 1024):
        x = with_values(np.arange(1, size + 1) ** -0.5)
        yield Kernel(f"rank one, {size}", partial(_product_of_factors, nuclear, x), partial(rank_one_factor, x))
    size = 10_000 if quick else 1_000_000
    x, ball = random.normal(size=size), norms.l1()
    for radius in (1.0, 1e-4 * size, 1e-2 * size, 0.1 * size, 0.3 * size):
        other = partial(projected_by_sorting, x, radius)
        yield Kernel(f"l1 ball, radius {radius:g}", partial(ball.project, x, radius), other, 0.25)


def _and_product(decompose: Call) -> Any:
    left, _, right = decompose()
    return left @ right


def _product_of_factors(norm: Any, x: Any) -> Any:
    left, right = norm.factors(x)
    return left @ right


def measure(kernel: Kernel, effort: Effort) -> Figure:
    """Compare the results, then the times."""
    error = disagreement(kernel.call(), kernel.replaced())
    seconds = interleaved_medians({"kernel": kernel.call, "replaced": kernel.replaced}, effort, process_time)
    return Figure(kernel.name, seconds["kernel"], seconds["replaced"], kernel.asked, error)


def row(figure: Figure) -> list[str]:
    """Return the table's row."""
    times = [number(figure.seconds * 1e3), number(figure.replaced * 1e3), number(figure.ratio)]
    return [figure.name, *times, number(figure.asked), f"{figure.error:.0e}"]


def measured_kernels(quick: bool) -> list[Figure]:
    """Measure and print all kernels."""
    found: list[Figure] = []

    def rows() -> Iterator[list[str]]:
        for kernel in kernels(quick):
            found.append(measure(kernel, QUICK if quick else EFFORT))
            yield row(found[-1])

    print_table(TITLES, rows())
    return found


def counted_steps(quick: bool) -> list[experiments.Steps]:
    """Count and print all steps."""
    found: list[experiments.Steps] = []

    def rows() -> Iterator[list[str]]:
        for case in experiments.cases():
            if case.small or not quick:
                found.append(case.run())
                yield [case.problem, case.variant, ", ".join(f"{k} {list(v)}" for k, v in found[-1].steps.items())]

    print_table(STEP_TITLES, rows())
    return found


def main() -> int:
    """Run the benchmark; return nonzero if a kernel's result is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.norms", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small matrices, few steps")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args()
    command = f"python -m benchmarks.norms{' --quick' * options.quick}"
    print(f"{command}\n{machine()}\n")
    figures = measured_kernels(options.quick)
    print()
    counts = counted_steps(options.quick)
    if options.json:
        kernel_records, step_records = [asdict(x) for x in figures], [asdict(x) for x in counts]
        record = {"command": command, "machine": machine(), "kernels": kernel_records, "steps": step_records}
        options.json.write_text(json.dumps(record, indent=2) + "\n")
    return int(any(figure.error > LARGEST_ERROR for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
