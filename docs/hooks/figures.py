"""Figures of the site: drawn by Matplotlib, inline in the page, readable on light and on dark ground.

A block of a page draws on axes and prints what `shown` returns:

    from docs.hooks import figures
    axes = figures.axes()
    axes.plot([0, 1], [0, 1], color=figures.BLUE)
    print(figures.shown(axes, alt="A straight line from 0 to 1."))

What is black in the figure takes the colour of the text around it (`currentColor`); the palette is as far from white
as from the dark theme's ground. Glyphs are outlines, so a figure looks the same whatever fonts there are. As a hook of
mkdocs this file does one thing: it lets the blocks import it.
"""

from __future__ import annotations

import html
import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parents[2]))

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#3a7fd5", "#c96a12", "#1d9163", "#d6475b", "#9460d0", "#7d828c"

INK = "#010203"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "font.size": 10.0,
    "grid.alpha": 0.25,
    "grid.color": GREY,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "mathtext.fontset": "cm",
    "patch.linewidth": 0.8,
    "svg.fonttype": "path",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
matplotlib.rcParams.update(STYLE)
METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])
PREAMBLE = re.compile(r"^.*?<svg[^>]*>.*?</style>\s*</defs>", re.DOTALL)
LAYOUT = "width:100%;height:auto;stroke-linejoin:round;"
XLINK = "http://www.w3.org/1999/xlink"
COORDINATE = re.compile(r"(?<![\w.])(\d{2,}\.\d\d)\d+")
REFERENCE = re.compile(r'(\bid="|href="#|url\(#)')


def axes(columns: int = 1, *, width: float = 7.0, height: float = 3.0, **options: Any) -> Any:
    """The axes of a new figure, or an array of them if there are several columns; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained").subplots(1, columns, **options)


def bare(axes: Axes, *, equal: bool = True) -> Axes:
    """The axes without their frame, ticks and grid: for drawings rather than plots."""
    axes.set_axis_off()
    if equal:
        axes.set_aspect("equal")
    return axes


def shown(axes: Any, *, alt: str, caption: str = "") -> str:
    """The HTML of the figure that the axes belong to, with a text in its place for those who do not see it."""
    first: Any = axes if isinstance(axes, Axes) else axes.flat[0]
    label = html.escape(" ".join(alt.split()), quote=True)
    legend = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{_inline_svg(first.figure, label)}{legend}</figure>"


def _inline_svg(figure: Figure, label: str) -> str:
    """The figure as an svg element that scales with the page, whose names no other figure uses."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=METADATA)
    width, height = figure.get_size_inches()
    start = f'<svg role="img" aria-label="{label}" viewBox="0 0 {72 * width:g} {72 * height:g}" style="{LAYOUT}'
    drawing = PREAMBLE.sub(lambda _: f'{start}max-width:{96 * width:.0f}px" xmlns:xlink="{XLINK}">', buffer.getvalue())
    drawing = REFERENCE.sub(lambda found: f"{found[1]}f{crc32(label.encode()):x}-", drawing)
    drawing = COORDINATE.sub(r"\1", drawing.replace(INK, "currentColor"))
    return re.sub(r"\s*\n\s*", " ", drawing)


def network(
    axes: Axes,
    places: Mapping[Any, tuple[float, float]],
    edges: Iterable[tuple[Any, Any, str]],
    labels: Mapping[Any, str],
    *,
    colors: Mapping[Any, str] | None = None,
    radius: float = 17.0,
    backwards: bool = False,
) -> None:
    """Draws a graph: a disc for each place, an arrow for each edge (from, to, text), the labels beside the discs.

    A place is named by its key, which is drawn inside its disc; the label stands below it. With `backwards` the
    arrows point from the second end to the first.
    """
    colors = colors or {}
    for tail, head, text in edges:
        start, end = (places[head], places[tail]) if backwards else (places[tail], places[head])
        arrow = {"arrowstyle": "-|>", "color": GREY, "shrinkA": radius, "shrinkB": radius, "linewidth": 1.2}
        axes.annotate("", xy=end, xytext=start, arrowprops=arrow)
        if text:
            _edge_text(axes, start, end, text)
    for key, (x, y) in places.items():
        axes.plot([x], [y], "o", markersize=1.6 * radius, color=colors.get(key, BLUE), alpha=0.22, markeredgewidth=0)
        axes.text(x, y, str(key), ha="center", va="center")
        _text_at(axes, labels.get(key, ""), (x, y), (0, -1.35 * radius), ha="center", va="top")
    _margins(axes, list(places.values()))


def _edge_text(axes: Axes, start: Sequence[float], end: Sequence[float], text: str) -> None:
    """Writes above the middle of an arrow, on the side to which it falls."""
    middle = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]))
    rise = (end[1] - start[1]) * (end[0] - start[0])
    side = "center" if rise == 0 else "right" if rise > 0 else "left"
    offset = {"center": 0, "right": -3, "left": 3}[side]
    _text_at(axes, text, middle, (offset, 3), ha=side, va="bottom", color=ORANGE, fontsize=9)


def _text_at(axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], **style: Any) -> None:
    """Writes at so many points from a place."""
    axes.annotate(text, point, offset, textcoords="offset points", **style)


def _margins(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    across, up = zip(*points, strict=True)
    axes.set_xlim(min(across) - 0.5, max(across) + 0.5)
    axes.set_ylim(min(up) - 0.7, max(up) + 0.5)
