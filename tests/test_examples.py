"""Every example runs by itself, without warnings, and stays short; each checks its own result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import covector

SOURCES = str(Path(covector.__file__).resolve().parents[1])
EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))

WITHOUT_SCIPY = "import runpy, sys; sys.modules['scipy'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


def run(*arguments: str, directory: Path) -> str:
    """What Python prints, given these arguments, with warnings turned into errors."""
    command = [sys.executable, "-W", "error", *arguments]
    environment = os.environ | {"PYTHONPATH": SOURCES, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@each_example
def test_runs_alone_from_any_directory(example: Path, tmp_path: Path) -> None:
    assert run(str(example), directory=tmp_path)


@each_example
def test_is_short(example: Path) -> None:
    assert len(example.read_text().splitlines()) < 120


def test_quickstart_needs_no_scipy(tmp_path: Path) -> None:
    quickstart = next(example for example in EXAMPLES if example.name == "quickstart.py")
    assert "SciPy is not installed" in run("-c", WITHOUT_SCIPY, str(quickstart), directory=tmp_path)
