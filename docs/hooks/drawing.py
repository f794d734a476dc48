"""Formulas and diagrams become SVG while the site is built: a page loads no script and no font to show them.

`$x^2$` and `$$ ... $$` are set by ziamath (in STIX Two, as outlines), fenced `mermaid` blocks are drawn by Mermaid in
a small JavaScript engine (mermaidx). Both take the colours of the page, light or dark, from `assets/site.css`.
"""

from __future__ import annotations

import html
import re
from functools import cache
from itertools import count
from typing import Any
from xml.etree import ElementTree

import mermaidx
import ziamath

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
ALPHABET = re.compile(r"\\(math(?:bb|bf|cal|frak|rm|sf)) +([A-Za-z])")
GLYPH = re.compile(r'<symbol id="([^"]*)"[^>]*?(?:/>|>.*?</symbol>)', re.DOTALL)
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
MACROS = {r"\R": r"\mathbb{R}", r"\argmin": r"\operatorname*{arg\,min}", r"\argmax": r"\operatorname*{arg\,max}"}
SIGN = re.compile(r"([=<>(\[,]|\\(?:le|ge|ne|approx|langle|to|mapsto|in)(?![A-Za-z]))(\s*)-")
LENGTH = re.compile(r"\\lVert((?:(?!\\[lr]Vert).)*)\\rVert", re.DOTALL)
RELATION = re.compile(r"\\sim(?![A-Za-z])")
SIZE = 18.0  # of the font, in units that the page does not see
SCALE = 1.12  # STIX is smaller than the text's font at the same size

ziamath.config.svg2 = True
ziamath.config.precision = 2
_drawings = count()


def on_config(config: Any) -> Any:
    """Teaches the fences to draw Mermaid."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "mermaid", "class": "diagram", "format": _diagram})
    return config


def on_page_content(html: str, **_: Any) -> str:
    """The page with its formulas set; each glyph is drawn once, in a part of the page that is not shown."""
    glyphs: dict[str, str] = {}
    page = FORMULA.sub(lambda found: _formula(found, glyphs), html)
    return page + f'<svg style="display:none">{"".join(glyphs.values())}</svg>' if glyphs else page


def _formula(found: re.Match[str], glyphs: dict[str, str]) -> str:
    inline, source = found[1] == "span", html.unescape(found[2]).strip()
    drawing = _svg_of_formula(source, inline)
    glyphs.update((glyph[1], glyph[0]) for glyph in GLYPH.finditer(drawing))
    return f'<{found[1]} class="formula">{GLYPH.sub("", drawing)}</{found[1]}>'


@cache
def _svg_of_formula(source: str, inline: bool) -> str:
    """The formula in lengths relative to the text around it, standing on its baseline, with its source as its text."""
    drawing = ziamath.Latex(_expanded(source), size=SIZE, inline=inline).svgxml()
    left, top, width, height = map(float, drawing.attrib["viewBox"].split())
    lengths = {"width": width, "height": height, "vertical-align": -(top + height)}
    style = ";".join(f"{name}:{SCALE * length / SIZE:.3f}em" for name, length in lengths.items())
    label = html.escape(" ".join(source.split()), quote=True)
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in drawing)
    inside = inside.replace("STIXTwoMathRegular_", "glyph-").replace(' fill="black"', "")
    attributes = f'role="img" aria-label="{label}" viewBox="{left} {top} {width} {height}" style="{style}"'
    return f"<svg {attributes}>{inside}</svg>"


def _expanded(source: str) -> str:
    """The formula in the dialect of ziamath.

    It has no macros; wants braces around the letter of an alphabet; takes a sign after a relation for a difference,
    and the tilde for a letter; and stretches the bars of a norm to what stands beside them.
    """
    for name, meaning in MACROS.items():
        source = re.sub(re.escape(name) + r"(?![A-Za-z])", meaning.replace("\\", r"\\"), source)
    source = RELATION.sub(r"\\;\\sim\\;", SIGN.sub(r"\1\2{-}", source))
    return ALPHABET.sub(r"\\\1{\2}", LENGTH.sub(r"{\\lVert\1\\rVert}", source))


def _diagram(source: str, *_: Any, **__: Any) -> str:
    """The diagram, for Markdown's fences; a line `accTitle: ...` of it is its text for those who do not see it."""
    name = f"diagram-{next(_drawings)}"
    drawing = mermaidx.render(source).svg().replace("my-svg", name)
    return f'<div class="diagram">{STYLE.sub("", drawing)}</div>'
