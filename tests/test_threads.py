"""Loops over blocks on several threads: the same results, the same errors, the caller's error state."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compile.threads import in_blocks
from covector.errors import ArgumentError
from covector.settings import VARIABLE

SIZE = 300_007
COUNTS = [1, 2, 3, 4]


def point(seed: int = 0, shape: tuple[int, ...] = (SIZE,)) -> Any:
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape)


@pytest.fixture(autouse=True)
def _one_thread_outside() -> Iterator[None]:
    with cv.config.using(threads=1):
        yield


def differences(x: Any) -> Any:
    """Slices that share rows, of which blocks of different threads share some."""
    return np.sum(100.0 * (x[2:] - x[:-2] ** 2) ** 2 + np.sin(x[1:-1]) * x[:-2])


def moments(x: Any) -> Any:
    """Sums over rows, small and large, and what they are used for."""
    centred = x - np.mean(x, axis=0)
    return np.sum(np.exp(-centred * centred) / np.max(x)) + np.sum(np.max(centred, axis=1) ** 2)


def interaction(x: Any) -> Any:
    separation = x[:, None, :] - x[None, :, :]
    return np.sum(1.0 / np.sqrt(np.sum(separation * separation, axis=2) + 0.1))


PROGRAMS = [
    (differences, point()),
    (moments, point(1, (SIZE // 50, 50))),
    (interaction, point(2, (900, 3))),
    (lambda x: np.sum(np.exp(np.sin(x) * np.cos(x)) ** 2 / (1.0 + x * x)), point(3)),
]


@pytest.mark.parametrize(("function", "x"), PROGRAMS)
def test_threads_change_nothing_but_rounding(function: Any, x: Any) -> None:
    gradient = cv.jit(cv.grad(function))
    assert "in_blocks(" in gradient.source(x)
    expected = cv.grad(function)(x)
    for count in COUNTS:
        with cv.config.using(threads=count):
            found = gradient(x)
            np.testing.assert_array_equal(found, gradient(x))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11 * np.max(np.abs(expected)))


@pytest.mark.parametrize("count", COUNTS)
def test_callers_on_several_threads_do_not_meet(count: int) -> None:
    gradient = cv.jit(cv.grad(differences))
    points = [point(seed) for seed in range(4)]
    expected = [gradient(x) for x in points]

    def called(x: Any) -> Any:
        with cv.config.using(threads=count):
            return gradient(x)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for found, wanted in zip(pool.map(called, points), expected, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("count", COUNTS)
def test_the_error_state_of_the_caller_counts(count: int) -> None:
    """An entry of the last block divides by zero: ignored, warned of or raised, as the caller wants it."""
    x = point()
    x[-1] = 0.0
    fast = cv.jit(lambda x: np.sum(np.exp(np.sin(1.0 / x)) * np.cos(x) + np.sqrt(x)) + np.sum(1.0 / x))
    assert "in_blocks(" in fast.source(x)
    with cv.config.using(threads=count):
        with np.errstate(divide="raise", invalid="ignore"), pytest.raises(FloatingPointError):
            fast(x)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")
            fast(x)
        with np.errstate(divide="warn", invalid="ignore"), pytest.warns(RuntimeWarning, match="divide by zero"):
            fast(x)


@pytest.mark.parametrize("count", COUNTS)
def test_as_many_threads_as_asked_for_work_at_once(count: int) -> None:
    """Each of them has a range of rows, and the ranges are all rows; another loop takes the same threads."""
    together, ranges, used = threading.Barrier(count, timeout=30.0), list[tuple[int, int]](), set[int]()

    def work(first: int, last: int, _: int) -> None:
        together.wait()
        ranges.append((first, last))
        used.add(threading.get_ident())

    in_blocks(work, 1000, -(-1000 // count), count)
    assert len(used) == count
    ranges.clear()
    before = threading.active_count()
    in_blocks(work, 1000, -(-1000 // count), count)
    assert threading.active_count() == before
    assert sorted(ranges) == list(pairwise([0, *(last for _, last in sorted(ranges))]))
    assert (len(ranges), max(ranges)[1]) == (count, 1000)


def test_few_blocks_take_few_threads() -> None:
    ranges: list[tuple[int, int, int]] = []
    in_blocks(lambda *part: ranges.append(part), 100, 60, 8)
    assert sorted(ranges) == [(0, 50, 50), (50, 100, 50)]


@pytest.mark.parametrize("failing", range(3))
def test_the_error_of_any_thread_is_the_callers(failing: int) -> None:
    """When it is raised, nothing is at work any more, and nothing else will be."""
    finished = []

    def work(first: int, last: int, block: int) -> None:
        if first == 10 * failing:
            raise FloatingPointError(f"rows from {first}")
        finished.append((last, block))

    with pytest.raises(FloatingPointError, match=f"rows from {10 * failing}"):
        in_blocks(work, 30, 10, 3)
    ended = len(finished)
    assert ended <= 2
    in_blocks(lambda *_: None, 30, 10, 3)
    assert len(finished) == ended


def test_a_thread_that_is_free_takes_the_next_rows() -> None:
    """Two threads with four parts each: one is held up in its first part until the other has done all of the rest."""
    held, done = threading.Event(), list[int]()

    def work(first: int, last: int, _: int) -> None:
        done.append(first)
        if len(done) == 8:
            held.set()
        elif first == 0:
            assert held.wait(30.0)

    in_blocks(work, 800, 1, 2)
    assert sorted(done) == list(range(0, 800, 100))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork to survive")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    code = """
import os, covector as cv, numpy as np
x = np.linspace(0.1, 1.0, 500_000)
gradient = cv.jit(cv.grad(lambda x: np.sum(np.sin(x) * np.exp(np.cos(x)) + np.sqrt(x))))
expected = gradient(x), gradient(x)
child = os.fork()
same = np.array_equal(gradient(x), expected[1])
if child == 0:
    os._exit(0 if same else 1)
assert same and os.waitpid(child, 0)[1] == 0
"""
    environment = {**os.environ, VARIABLE: "2"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True, timeout=60.0)


def test_an_export_takes_its_threads_from_the_environment(tmp_path: Any) -> None:
    x = point()
    module = cv.export(cv.grad(differences), x)
    assert "covector" not in module.split('"""', 2)[2].replace("COVECTOR_THREADS", "")
    (tmp_path / "exported.py").write_text(module)
    np.save(tmp_path / "x.npy", x)
    code = "import numpy, exported, hashlib; y = exported.differences(numpy.load('x.npy')); print(repr(float(y.sum())))"
    found = [
        float(
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=tmp_path,
                env={**os.environ, VARIABLE: str(count)},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for count in (1, 3)
    ]
    np.testing.assert_allclose(found, float(np.sum(cv.grad(differences)(x))), rtol=1e-9)


# --- the setting ------------------------------------------------------------------------------------------


def test_a_setting_within_a_block_is_the_threads_own() -> None:
    with cv.config.using(threads=3), ThreadPoolExecutor(1) as pool:
        assert cv.config.threads == 3
        elsewhere = pool.submit(lambda: cv.config.threads).result()
    assert elsewhere != 3
    assert cv.config.threads == 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None])
def test_a_number_of_threads_is_a_whole_number_from_one(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="whole number from 1"), cv.config.using(threads=wrong):
        pass
    with pytest.raises(ArgumentError, match="whole number from 1"):
        cv.config.threads = wrong


@pytest.mark.parametrize(("text", "printed"), [("2", "2"), ("many", "COVECTOR_THREADS")])
def test_the_environment_says_how_many_threads_there_are(text: str, printed: str) -> None:
    code = "import covector as cv; print(cv.config.threads)"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, VARIABLE: text}, capture_output=True, text=True, check=False
    )
    assert printed in run.stdout + run.stderr
    assert (run.returncode == 0) == text.isdecimal()
