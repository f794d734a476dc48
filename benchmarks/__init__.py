"""Speed and memory of covector beside its peers, in one process and one run.

    python -m benchmarks [--quick] [--only NAME ...] [--threads N] [--json FILE]    compiled derivatives
    python -m benchmarks.eager [--quick] [--only NAME ...] [--json FILE]    derivatives without compilation
    python -m benchmarks.loops [--quick] [--json FILE]                      memory of reversing long loops

A benchmark here reports ratios against peers that were measured in the same run, alternating
with covector, and only after every peer's answer has been compared with the others.

    problems.py   what is differentiated, written once for every array library; programs.py the longer ones
    by_hand.py    the same derivatives as a person would write them in NumPy; by_hand_programs.py of the longer ones
    peers.py      who differentiates: covector, autograd, JAX, PyTorch, the hand-written ones
    cases.py      which problems `python -m benchmarks` measures, and what is asked of them
    agreement.py  answers, compared    timing.py     interleaved medians
    threads.py    the large elementwise cases on several threads
    memory.py     peaks                overheads.py  a call, and the import
    scaling.py    growth with the length of a program        loops.py     memory of reversing long loops
    report.py     tables, the machine, the JSON file
    page.py       the page of the documentation, from the results that are saved in results/; plots.py its plots

Importing this package asks every library for a single thread, which has to happen before any of
them is imported; so it is the package that does it.
"""

import os

SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",  # the size of XLA's thread pool
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}

os.environ.update(SINGLE_THREADED)
