"""What a step of descent costs beyond the gradient: `python -m benchmarks.descent`.

Each update is compared with one pass over memory, a product of the gradient with a number written into an array that is
there already, and with the same step by hand. For a machine that is slow to hand out fresh memory, the number of new
arrays (one for each update, and for each step by hand) matters more than the passes.

    norm     by hand      step   passes   of by hand

Where directions are searched for, what counts is how often the norm is asked for a gradient, and how many steps descent
takes along directions within a gap of 0.1, compared with exact ones: see `benchmarks/warm_directions.py`.

    norm   exact steps  warm steps  of exact  gradients/step  most  proved
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import covector as cv
from benchmarks.report import machine
from benchmarks.timing import QUICK, THOROUGH, Effort, interleaved_medians
from benchmarks.warm_directions import TITLE, rows

STEP = 0.1


def one_pass(gradient: Any, buffer: Any) -> Any:
    """Return the gradient times a number, in the buffer."""
    return np.multiply(gradient, STEP, out=buffer)


def signs_by_hand(gradient: Any) -> Any:
    """Return a step of sign descent."""
    signs = np.sign(gradient)
    return np.multiply(signs, -STEP, out=signs)


def normalized_by_hand(gradient: Any) -> Any:
    """Return a step along the normalized gradient."""
    return gradient * (-STEP / np.sqrt(gradient @ gradient))


BY_HAND: dict[str, Callable[[Any], Any]] = {"linf": signs_by_hand, "l2": normalized_by_hand}


def measure(size: int, effort: Effort) -> dict[str, float]:
    """Return the seconds of one pass, of each step by hand, and of each update."""
    gradient = np.random.default_rng(0).normal(size=size)
    params, buffer = 0.5 * gradient, np.empty(size)
    calls: dict[str, Callable[[], Any]] = {"pass": partial(one_pass, gradient, buffer)}
    for norm, by_hand in BY_HAND.items():
        optimizer = cv.steepest_descent(norm, STEP)
        state = optimizer.init(params)
        np.testing.assert_allclose(optimizer.update(gradient, state, params)[0], by_hand(gradient), rtol=1e-12)
        calls[f"{norm} by hand"] = partial(by_hand, gradient)
        calls[norm] = partial(optimizer.update, gradient, state, params)
    return interleaved_medians(calls, effort)


def main() -> int:
    """Print the table; return nonzero if an update is not the step by hand (which raises)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.descent", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few parameters, few rounds")
    options = parser.parse_args()
    seconds = measure(10_000 if options.quick else 1_000_000, QUICK if options.quick else THOROUGH)
    print(f"{machine()}\n\none pass {1e3 * seconds['pass']:.3f} ms\n\nnorm     by hand      step   passes   of by hand")
    for norm in BY_HAND:
        hand, step = seconds[f"{norm} by hand"], seconds[norm]
        print(f"{norm:5} {1e3 * hand:7.3f} ms {1e3 * step:6.3f} ms {step / seconds['pass']:8.1f} {step / hand:12.2f}")
    print(f"\n{TITLE}")
    for row in rows(gap=0.1, seeds=1 if options.quick else 5):
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
