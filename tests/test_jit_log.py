"""What jit logs: recordings, guards that fail, compilation and falling back, each with its reason and line."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ArgumentError
from covector.transforms.log import logger, show_log

HERE = Path(__file__).name


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> None:
    """Not here: the first call is what is tested."""


def branching(x: Any) -> Any:
    if x > 0.0:
        return x**2
    return -x


BRANCH = f"bool() at {HERE}:{inspect.getsourcelines(branching)[1] + 1}"


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """The messages and levels since the last time."""

    def found() -> list[tuple[str, str]]:
        taken = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return taken

    with caplog.at_level(logging.DEBUG, "covector"):
        yield found


def messages(records: Any) -> str:
    return "\n".join(text for _, text in records())


def test_a_recording_says_where_why_and_how_long(records: Any) -> None:
    cv.jit(branching)(1.0)
    ((level, text),) = records()
    assert level == "INFO"
    for part in ("jit of branching", HERE, "recording 1 for (float64[])", " ms", "the first call with arguments of"):
        assert part in text


def test_the_second_call_compiles(records: Any) -> None:
    fast = cv.jit(branching)
    fast(1.0)
    records()
    fast(2.0)
    ((level, text),) = records()
    assert level == "INFO"
    assert "compiled, " in text
    fast(3.0)
    assert records() == []


def test_a_failed_guard_is_named_with_its_line(records: Any) -> None:
    fast = cv.jit(branching)
    fast(1.0)
    records()
    fast(-1.0)
    by_level = {level: text for level, text in records() if "compiled" not in text}
    assert by_level["DEBUG"].endswith(f"guard failed, {BRANCH} is not True")
    assert "recording 2" in by_level["INFO"]
    assert by_level["INFO"].endswith(f"a branch that no recording takes, {BRANCH} is not True")


def test_other_types_and_changed_arrays_are_reasons(records: Any) -> None:
    weights = np.ones(2)
    fast = cv.jit(lambda x: x * weights)
    fast(1.0)
    fast(np.ones(2))
    text = messages(records)
    assert "(float64[])" in text
    assert "(float64[2])" in text
    weights[0] = 2.0
    fast(1.0)
    assert "an array that it closes over has changed" in messages(records)


def test_falling_back_warns_with_the_line(records: Any) -> None:
    fast = cv.jit(lambda x: x + int(x))
    for i in range(16):
        fast(float(i))
    records()
    with pytest.warns(RuntimeWarning, match=rf"runs uncompiled.*int\(\) at {HERE}:\d+ is not \d+"):
        assert fast(20.0) == 40.0
    warning = [text for level, text in records() if level == "WARNING"]
    assert len(warning) == 1
    assert "runs uncompiled" in warning[0]


PROGRAM = """
import covector as cv
fast = cv.jit(lambda x: x if x > 0 else -x)
for x in (1.0, 2.0, -1.0):
    fast(x)
"""


def run(level: str | None) -> subprocess.CompletedProcess[str]:
    environment = {} if level is None else {"COVECTOR_LOG": level}
    source = Path(cv.__file__).parents[1]
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(source), **environment}
    )


class TestTheEnvironmentVariable:
    def test_without_it_nothing_is_shown(self) -> None:
        assert run(None).stderr == run("").stderr == ""

    def test_info_shows_recordings_and_debug_shows_guards(self) -> None:
        info, debug = run("info").stderr, run("DEBUG").stderr
        assert info.count("covector.jit: jit of <lambda> (<string>:3): recording") == 2
        assert "guard failed" not in info
        assert debug.count("guard failed, bool() at <string>:3 is not True") == 1

    def test_warning_shows_neither(self) -> None:
        assert run("warning").stderr == ""

    def test_another_level_is_refused(self) -> None:
        assert "COVECTOR_LOG must be one of debug, info, warning; found 'loud'" in run("loud").stderr
        with pytest.raises(ArgumentError, match="found 'loud'"):
            show_log("loud")

    def test_a_handler_is_added_once_asked_for(self) -> None:
        before, level = list(logger.handlers), logger.level
        try:
            show_log("info")
            assert logger.level == logging.INFO
            assert len(logger.handlers) == len(before) + 1
        finally:
            logger.handlers[:] = before
            logger.setLevel(level)
