"""The types of the public API, checked by mypy on a program that is only type-checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_the_public_api_has_the_types_it_promises() -> None:
    """`assert_type` states what must hold, an ignored error what must be refused; mypy reports neither."""
    program = HERE / "typing" / "public_api.py"
    command = [sys.executable, "-m", "mypy", "--config-file", str(HERE.parent / "pyproject.toml"), str(program)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
