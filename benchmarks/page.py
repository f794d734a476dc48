"""The documentation's page of figures, written from the saved results.

    python -m benchmarks --threads 2 --json benchmarks/results/compiled.json
    python -m benchmarks.eager --json benchmarks/results/eager.json
    python -m benchmarks.loops --json benchmarks/results/loops.json
    python -m benchmarks.page

writes `docs/benchmarks.md`, so that the page shows what was measured and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import AttrsInstance, fields_dict

from benchmarks import compiled, eager, loops
from benchmarks.memory import Peak
from benchmarks.report import number, table
from benchmarks.scaling import Growth
from benchmarks.threads import Speedup, speedup_row

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"

T = TypeVar("T", bound=AttrsInstance)

TEMPLATE = """# How fast it is

Two tables: derivatives that `jit` compiled, and derivatives without it. Every peer differentiates the same function;
its answer is compared with the others' to 1e-9, and then they take turns: a figure is a median. Arguments and results
are NumPy arrays or Python floats, and conversions count. JAX runs in double precision with `jax.jit` around the whole
derivative and `lax.scan` for loops; "by hand" is the derivative as a person would write it in NumPy. All on one thread.

{machine}

Targets were set before anything was measured. What misses its target comes first, then all the figures.

## Where it falls short

Compiled:

{compiled_shortfalls}

Without `jit`:

{eager_shortfalls}

Where the time goes, by profile:

- **Recording and emission** take about 5 µs for each recorded operation, and 20 µs for each that is kept. Of the 13
  ms of `roe`, with 481 operations, 3.3 are recording, 1.6 the rules of simplification, 1.0 taking arrays apart into
  numbers, 2.8 rearranging the arithmetic, 0.7 writing and 2.2 Python's compiler. What Python repeats is found in the
  function before it is differentiated: of the 8 to 9 ms of `chain1000` 3 are recording its 1000 operations and 1.5
  finding the loop. A step of `ode_rk4_1000` is worked on as a loop, as its derivative, and as what can be computed
  for all steps at once: of its 16 ms 2.4 are recording, 2.5 deriving steps from steps, 2.2 Python's compiler, and the
  rest some thirty passes over 300 operations.
- **bs_1e5**, in ns for each entry of about 60 in all: two error functions 18, three exponentials 17, a logarithm 8,
  a root 2, and 14 for 47 passes of arithmetic. XLA needs 50 to 55 here. NumPy has vectorized exponentials and
  logarithms in double precision for processors with AVX-512 alone; hand-written NumPy takes as long.
- **rosen_1e6_hvp** makes 13 passes over blocks in cache, 2.9 ms; the rest is the memory of its arguments and result,
  of which other programs that ran in between have left nothing in cache.
- **Two threads** wait for Python's lock between the operations on a block, and on this machine share its memory:
  `rosen_1e6` reads and writes 24 MB in 2.2 ms. What other guests of the machine leave differs: in eleven runs it
  was 1.0 to 1.6 times as fast on two threads, `bs_1e5` 0.8 to 1.5 times.
- **Times to record and emit** vary as much: in the same runs `roe` took 13 to 25 ms, and `gp_500` 9 to 17. They are
  medians of calls in between other work. The least of 25 in a row, on a quiet machine: `chain1000` 8.4 ms, `gp_500`
  9.2, `rnn_T1000_h32` 6.8, `roe` 13, `ode_rk4_1000` 16.5.
- **The import** takes 71 to 76 ms more than NumPy's on a quiet machine, a quarter of it for optree and attrs, a fifth
  for the classes of operations that attrs makes.

## Compiled derivatives

`{compiled_command}`

The first column is the time of a call in microseconds. The next ones are ratios, covector's time divided by the peer's:
**below 1, covector is faster**. Then the first call in milliseconds, recording and emission alone, and these divided by
the first call of `jax.jit`.

```python exec="on" html="on"
from benchmarks import plots

print(plots.ratios("compiled"))
```

{compiled_speed}

The geometric mean of the ratios to `jax.jit` is **{mean}**.

Elementwise work on large arrays on several threads, N = {thread_count} (see
[Several threads](jit.md#several-threads)), and how many times faster that is:

{compiled_threads}

Peak memory of a call, in megabytes, as `tracemalloc` sees it:

{compiled_memory}

A call of a jitted function of one array takes {call:.1f} microseconds more than the function that it computes, and
`import covector` takes {loading:.0f} milliseconds more than `import numpy`.

## Without jit

`{eager_command}`

The first column is the time of a call in microseconds. The others are ratios the other way round, the peer's time
divided by covector's: **above 1, covector is faster**. "Asked for" is the ratio to autograd. In the
plot they are as before: to the left, covector is faster.

```python exec="on" html="on"
from benchmarks import plots

print(plots.ratios("eager"))
```

{eager_speed}

Peak memory of a gradient in megabytes, and covector's divided by autograd's:

{eager_memory}

The gradient of a chain of operations, in cost for each of them, which should not grow with the length:

```python exec="on" html="on"
print(plots.growth())
```

{growth}

## Long loops in little memory

`{loops_command}`

The gradient of a loop of n steps, compiled, whose carry is one number: peak memory in kilobytes and milliseconds, for
each `checkpoint=` of [`scan`](control-flow.md#what-reverse-mode-keeps). "every" keeps all carries, "sqrt" about
2 sqrt(n), "binomial" at most log2(n), each of which is a Python number in a list.

```python exec="on" html="on"
print(plots.loops())
```

{loops}

## Reproduce it

```bash
pip install -e ".[bench]" torch
python -m benchmarks --threads 2 --json benchmarks/results/compiled.json
python -m benchmarks.eager --json benchmarks/results/eager.json
python -m benchmarks.loops --json benchmarks/results/loops.json
python -m benchmarks.page
```

`--quick` runs every case once at a small size, and `--only NAME` the cases whose names start so.
"""


def restored(kind: type[T], record: Mapping[str, Any]) -> T:
    """Return an object from its record, which may also have what is derived from its fields."""
    return kind(**{name: record[name] for name in fields_dict(kind) if name in record})


def described(figures: Mapping[str, Any]) -> str:
    """Return the machine and the versions as a sentence."""
    machine, versions = figures["machine"], figures["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "covector")
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    return (
        f"Measured on a shared virtual machine with {machine['cores']} cores ({machine['processor']}{memory}), "
        f"Python {machine['python']}; {packages}."
    )


def listed(lines: Sequence[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines) or "Nothing."


def page(compiled_figures: Mapping[str, Any], eager_figures: Mapping[str, Any], loop_figures: Mapping[str, Any]) -> str:
    """Return the text of the page."""
    results = [restored(compiled.Result, record) for record in compiled_figures["speed"]]
    peaks = [restored(compiled.Peak, record) for record in compiled_figures["memory"]]
    cases = [restored(eager.Case, record) for record in eager_figures["speed"]]
    eager_peaks = [restored(Peak, record) for record in eager_figures["memory"]]
    growths = [restored(Growth, record) for record in eager_figures["growth"]]
    speedups = [restored(Speedup, record) for record in compiled_figures.get("threads", [])]
    overheads = compiled_figures["overheads"]
    return TEMPLATE.format(
        machine=described(compiled_figures),
        compiled_shortfalls=listed(list(compiled.shortfalls(results, peaks, overheads, speedups))),
        eager_shortfalls=listed(list(eager.shortfalls(cases, eager_peaks))),
        compiled_command=compiled_figures["command"],
        compiled_speed=table(compiled.TITLES, map(compiled.speed_row, results)),
        mean=number(compiled.mean_of_jax(results)),
        thread_count=max((speedup.threads for speedup in speedups), default=1),
        compiled_threads=table(compiled.SPEEDUP_TITLES, map(speedup_row, speedups)),
        compiled_memory=table(compiled.MEMORY_TITLES, map(compiled.memory_row, peaks)),
        call=overheads["call_microseconds"],
        loading=overheads["import_milliseconds"],
        eager_command=eager_figures["command"],
        eager_speed=table(eager.TITLES, map(eager.speed_row, cases)),
        eager_memory=table(eager.MEMORY_TITLES, map(eager.memory_row, eager_peaks)),
        loops_command=loop_figures["command"],
        loops=table(loops.TITLES, [loops.row(restored(loops.Reversal, record)) for record in loop_figures["memory"]]),
        growth=table(eager.GROWTH_TITLES, map(eager.growth_row, sorted(growths, key=lambda growth: growth.peer))),
    )


def saved(name: str) -> Any:
    """Return saved figures."""
    return json.loads((RESULTS / f"{name}.json").read_text())


if __name__ == "__main__":
    PAGE.write_text(page(saved("compiled"), saved("eager"), saved("loops")))
    print(f"wrote {PAGE}")
