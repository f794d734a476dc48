"""Graphs as pictures, and what notebooks show: every node is drawn once, and every arrow leads from one to another."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import covector as cv

WEIGHTS = np.ones((2, 3))


def looped(x: Any) -> Any:
    def step(carry: Any, a: Any) -> Any:
        return cv.cond(a > 0.0, np.sin, np.cos, carry) * a, carry

    return cv.scan(step, x, np.ones(4))


def printing(x: Any) -> Any:
    cv.debug_print('"quoted" <b> \\n {}', x)
    return x


FUNCTIONS = [
    pytest.param(np.sin, (1.0,), id="one operation"),
    pytest.param(lambda x: x, (1.0,), id="no operation"),
    pytest.param(lambda: 1.0, (), id="nothing"),
    pytest.param(lambda x: np.linalg.eigh(WEIGHTS.T @ WEIGHTS * x), (np.ones(3),), id="several outputs"),
    pytest.param(cv.grad(lambda x: np.sum(np.tanh(WEIGHTS @ x))), (np.ones(3),), id="gradient"),
    pytest.param(looped, (1.0,), id="nested"),
    pytest.param(printing, (1.0,), id="special characters"),
]

each_graph = pytest.mark.parametrize(("function", "args"), FUNCTIONS)


def size(graph: Any) -> int:
    """The number of nodes to be drawn."""
    inner = [
        g
        for e in graph.equations
        for name in ("body", "branches", "condition")
        for value in [getattr(e.primitive, name, ())]
        for g in (value if isinstance(value, tuple) else (value,))
    ]
    return len(graph.inputs) + len(graph.constants) + len(graph.equations) + 1 + sum(map(size, inner))


@each_graph
def test_dot(function: Any, args: Any) -> None:
    graph = cv.make_graph(function)(*args)
    text = graph.to_dot()
    quoted = r'"(?:[^"\\]|\\.)*"'
    bare = re.sub(quoted, '""', text)
    nodes = re.findall(r"^\s*(\w+) \[label", bare, re.MULTILINE)
    arrows = re.findall(r"(\w+) -> (\w+)", bare)
    assert text.startswith("digraph {")
    assert len(nodes) == len(set(nodes)) == size(graph)
    assert {end for arrow in arrows for end in arrow} <= set(nodes)
    assert bare.count("{") == bare.count("}")
    assert '"' not in bare.replace('""', "")


@each_graph
def test_mermaid(function: Any, args: Any) -> None:
    graph = cv.make_graph(function)(*args)
    text = graph.to_mermaid()
    bare = re.sub(r'"[^"\n]*"', '""', text)
    nodes = re.findall(r'^\s*(\w+)(?:\(\[|\[\(|\[)""', bare, re.MULTILINE)
    arrows = re.findall(r'(\w+) (?:-->|-\.->)(?:\|""\|)? (\w+)', bare)
    assert text.startswith("flowchart TD\n")
    assert len(nodes) == len(set(nodes)) == size(graph)
    assert {end for arrow in arrows for end in arrow} <= set(nodes)
    assert bare.count("subgraph ") == len(re.findall(r"^\s*end$", bare, re.MULTILINE))
    assert not re.search(r"[<>`](?!br/>)", re.sub(r"<br/>|-->|-\.->", "", text))


def test_arrows_follow_the_data() -> None:
    graph = cv.make_graph(lambda x, y: np.sin(x) * y)(1.0, 2.0)
    arrows = set(re.findall(r"(\w+) --> (\w+)", graph.to_mermaid()))
    assert arrows == {("n0", "n2"), ("n2", "n3"), ("n1", "n3"), ("n3", "n4")}


def test_an_operation_without_outputs_prints_without_a_name() -> None:
    lines = str(cv.make_graph(printing)(1.0)).splitlines()
    assert lines[1].strip().startswith("debug_print['\"quoted")


# --- notebooks ----------------------------------------------------------------------------------------


class WellFormed(HTMLParser):
    """Checks that tags are closed in order, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(html: str) -> str:
    """The text of well-formed HTML."""
    parser = WellFormed()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser.text


@each_graph
def test_the_html_of_a_graph_is_its_text(function: Any, args: Any) -> None:
    graph = cv.make_graph(function)(*args)
    assert shown(graph._repr_html_()) == str(graph)


def test_the_html_of_what_jit_made() -> None:
    lowered = cv.jit(cv.grad(lambda x: np.sum(x**2) if x[0] < 2.0 else x[0])).lower(np.ones(3))
    text = shown(lowered._repr_html_())
    for part in (str(lowered.graph), str(lowered.simplified), lowered.source, lowered.summary):
        assert part in text
    assert lowered.source in str(lowered)


def test_a_linear_map_shows_its_spaces_and_a_small_matrix() -> None:
    _, derivative = cv.linearize(lambda x: np.array([x[0] * x[1], x[1]]), np.array([2.0, 3.0]))
    latex = derivative._repr_latex_()
    assert r"\mathbb{R}^{2} \to \mathbb{R}^{2}" in latex
    assert r"3 & 2 \\ 0 & 1" in latex
    _, derivative = cv.linearize(lambda p: p["a"] @ p["b"], {"a": np.ones((9, 9)), "b": 1j * np.ones(9)})
    assert derivative._repr_latex_() == (
        r"$\displaystyle \mathbb{R}^{9 \times 9} \times \mathbb{C}^{9} \to \mathbb{C}^{9}$"
    )
    _, derivative = cv.linearize(np.sin, 0.0)
    assert r"\begin{bmatrix} 1 \end{bmatrix}" in derivative._repr_latex_()
    _, derivative = cv.linearize(np.sin, np.ones(0))
    assert "bmatrix" not in derivative._repr_latex_()


def test_a_traced_linear_map_shows_its_spaces() -> None:
    found = []

    def function(x: Any) -> Any:
        found.append(cv.linearize(np.sin, x)[1]._repr_latex_())
        return x

    cv.grad(function)(1.0)
    assert found == [r"$\displaystyle \mathbb{R} \to \mathbb{R}$"]
