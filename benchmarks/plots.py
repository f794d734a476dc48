"""The plots of the documentation's page of figures, drawn from the saved results while the page is built.

    print(plots.ratios("compiled"))

is a figure as HTML. A record without a peer has no dot for it, and what was not measured is not drawn, so the plots
show whatever the JSON files hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.hooks import figures

RESULTS = Path(__file__).resolve().parent / "results"
PEERS = {
    "jax.jit": (figures.BLUE, "o"),
    "by hand": (figures.GREEN, "s"),
    "autograd": (figures.ORANGE, "^"),
    "torch": (figures.PURPLE, "D"),
    "jax": (figures.RED, "v"),
}
POLICIES = {
    "every": (figures.BLUE, "o", "-"),
    "sqrt": (figures.GREEN, "s", "--"),
    "binomial": (figures.ORANGE, "^", ":"),
}

Record = Mapping[str, Any]


def saved(name: str, part: str) -> Sequence[Record]:
    """Return the records of one part of the saved results."""
    records: Sequence[Record] = json.loads((RESULTS / f"{name}.json").read_text()).get(part, [])
    return records


def ratios(name: str) -> str:
    """Return a dot for each case and peer: the time of covector divided by the peer's, in a logarithmic scale."""
    records = list(reversed(saved(name, "speed")))
    axes = figures.axes(height=1.2 + 0.2 * len(records))
    axes.axvline(1.0, color=figures.GREY, linewidth=1.2)
    for peer, (color, marker) in PEERS.items():
        dots = [(ratio, row) for row, record in enumerate(records) if (ratio := _ratio(record, peer)) is not None]
        if dots:
            axes.plot(*zip(*dots, strict=True), marker, color=color, label=peer, markersize=4.5)
    axes.set(xscale="log", ylim=(-0.8, len(records) - 0.2), xlabel="time of covector / time of the peer")
    axes.set_yticks(range(len(records)), [record["name"] for record in records], fontsize=7.5)
    axes.figure.legend(loc="outside upper center", ncols=len(PEERS))
    return figures.shown(
        axes,
        alt=f"For each of {len(records)} cases, the time of covector divided by that of each peer, in a logarithmic "
        "scale: dots to the left of the line at one are cases in which covector is faster. The table has the numbers.",
        caption="To the left of the line covector is faster.",
    )


def _ratio(record: Record, peer: str) -> float | None:
    seconds = record["seconds"]
    own = seconds.get("covector.jit") or seconds.get("covector")
    other = seconds.get(peer)
    return own / other if own and other else None


def growth() -> str:
    """Return the time and memory that each operation of a chain takes, against the length of the chain."""
    records = saved("eager", "growth")
    left, right = axes = figures.axes(2, height=2.6)
    for peer in dict.fromkeys(record["peer"] for record in records):
        color, marker = PEERS.get(peer, (figures.GREY, "o"))
        chosen = [record for record in records if record["peer"] == peer]
        _line(left, chosen, "operations", "seconds", 1e6, color=color, marker=marker, label=peer)
        _line(right, chosen, "operations", "bytes", 1.0, color=color, marker=marker, label=peer)
    left.set(xscale="log", xlabel="operations", ylabel="µs each", ylim=(0, None))
    right.set(xscale="log", xlabel="operations", ylabel="bytes each", ylim=(0, None))
    left.legend()
    return figures.shown(
        axes,
        alt="Time and memory for each operation of a chain, against the number of operations: flat lines, those of "
        "covector far below those of autograd.",
    )


def loops() -> str:
    """Return the peak memory and the time of a loop's gradient, against its steps, for each policy."""
    records = saved("loops", "memory")
    left, right = axes = figures.axes(2, height=2.8)
    for policy, (color, marker, line) in POLICIES.items():
        chosen = [record for record in records if record["policy"] == policy]
        _line(left, chosen, "steps", "bytes", 1e-3, color=color, marker=marker, linestyle=line, label=policy)
        _line(right, chosen, "steps", "seconds", 1e3, color=color, marker=marker, linestyle=line, label=policy)
    left.set(xscale="log", yscale="log", xlabel="steps", ylabel="peak memory in kB")
    right.set(xscale="log", yscale="log", xlabel="steps", ylabel="milliseconds")
    left.legend()
    return figures.shown(
        axes,
        alt="Peak memory and time of the gradient of a loop against its number of steps, in logarithmic scales. With "
        "every carry kept, memory grows with the steps; with a square root of them, like that root; with binomial "
        "checkpoints it hardly grows, and the time is several times that of the others.",
    )


def _line(axes: Any, records: Iterable[Record], across: str, up: str, scale: float, **style: Any) -> None:
    """Draws one column of the records against another."""
    points = sorted((record[across], scale * record[up]) for record in records if record.get(up) is not None)
    if points:
        axes.plot(*zip(*points, strict=True), markersize=4.5, **style)
