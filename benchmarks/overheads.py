"""What covector costs before it computes anything: a call of a jitted function, and the import.

    call_overhead(QUICK)     seconds that jit adds to a NumPy function of one small array
    import_overhead(3)       seconds that `import covector` takes beyond `import numpy`
"""

import os
import subprocess
import sys
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import covector as cv
from benchmarks.timing import Effort, interleaved_medians

MOST_OVERHEADS = {"call_microseconds": 2.0, "import_milliseconds": 80.0}

PROGRAM = "from time import perf_counter as now; start = now(); import {module}; print(now() - start)"


def negative(x: Any) -> Any:
    """Return -x."""
    return np.negative(x)


def call_overhead(effort: Effort) -> float:
    """Return the seconds between a jitted function of one array and the same function called directly."""
    point = np.ones(1)
    jitted = cv.jit(negative)
    jitted(point)
    seconds = interleaved_medians({"jit": partial(jitted, point), "numpy": partial(negative, point)}, effort)
    return seconds["jit"] - seconds["numpy"]


def import_seconds(module: str, bytecode: str) -> float:
    """Return how long a new interpreter takes to import a module, with a directory for bytecode."""
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    environment = os.environ | {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def import_overhead(rounds: int) -> float:
    """Return the median difference between importing covector and importing NumPy, both compiled to bytecode."""
    with TemporaryDirectory() as bytecode:
        import_seconds("covector", bytecode)
        pairs = [(import_seconds("covector", bytecode), import_seconds("numpy", bytecode)) for _ in range(rounds)]
    return median(covector - numpy for covector, numpy in pairs)
