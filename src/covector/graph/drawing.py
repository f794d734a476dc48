"""A graph as a picture: nodes and arrows, in the languages of Graphviz (DOT) and Mermaid.

Inputs and constants are round, operations are boxes, and the graphs inside an operation, such as the body of a loop,
are framed beside it:

    flowchart TD
        n0(["a: float64[3]"])
        n1["b = sin<br/>float64[3]"]
        n0 --> n1
        n2(["return"])
        n1 --> n2
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Literal, final

from attrs import frozen

from covector.graph.parts import Atom, Equation, Program, Variable, inner_programs
from covector.graph.showing import atom_name, variable_names

Kind = Literal["input", "constant", "operation", "return"]


@final
@frozen
class Node:
    """A place in the picture: its name in the source, its kind, and the lines that are written in it."""

    name: str
    kind: Kind
    lines: tuple[str, ...]


@final
@frozen
class Arrow:
    """From one node to another; dashed from an operation to the graphs inside it."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@final
@frozen
class Drawing:
    """The nodes and arrows of a graph, and the drawings of graphs inside its operations."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    inner: tuple[Drawing, ...]


def drawing(program: Program, name: str = "n", title: str = "") -> Drawing:
    """What is to be drawn; the names of its nodes start with `name`."""
    names = variable_names(program)
    nodes: list[Node] = []
    arrows: list[Arrow] = []
    inner: list[Drawing] = []
    makers: dict[Atom, tuple[str, str]] = {}  # the node that makes a value, and what an arrow from there is called

    def add(kind: Kind, lines: Sequence[str], inputs: Sequence[Atom]) -> str:
        node = Node(f"{name}{len(nodes)}", kind, tuple(lines))
        nodes.append(node)
        for atom in dict.fromkeys(a for a in inputs if a in makers):
            source, label = makers[atom]
            arrows.append(Arrow(source, node.name, label))
        return node.name

    for variable in program.inputs:
        makers[variable] = add("input", [f"{names[variable]}: {variable.type}"], []), ""
    for variable, _ in program.constants:
        makers[variable] = add("constant", [f"{names[variable]}: {variable.type}"], []), ""
    for equation in program.equations:
        node = add("operation", _equation_lines(equation, names), equation.inputs)
        several = len(equation.outputs) > 1
        makers.update((v, (node, names[v] if several else "")) for v in equation.outputs)
        for label, each in inner_programs(equation.primitive).items():
            inner.append(drawing(each, f"{node}_{len(inner)}_", label))
            arrows.append(Arrow(node, f"{node}_{len(inner) - 1}_0", label, dashed=True))
    add("return", ["return " + ", ".join(atom_name(a, names) for a in program.outputs)], program.outputs)
    return Drawing(name, title, tuple(nodes), tuple(arrows), tuple(inner))


def preformatted(text: str) -> str:
    """The text as HTML that keeps its lines."""
    return f"<pre>{escape(text)}</pre>"


def _equation_lines(equation: Equation, names: dict[Variable, str]) -> list[str]:
    left = ", ".join(names[v] for v in equation.outputs)
    operands = " ".join(atom_name(a, names) for a in equation.inputs)
    right = f"{equation.primitive.signature} {operands}".rstrip()
    return [f"{left} = {right}" if left else right, ", ".join(str(v.type) for v in equation.outputs)]


# --- DOT ------------------------------------------------------------------------------------------------

DOT_STYLES: dict[Kind, str] = {
    "input": "shape=ellipse",
    "constant": "shape=ellipse, style=dashed",
    "operation": "shape=box",
    "return": "shape=box, style=rounded",
}


def dot(picture: Drawing) -> str:
    """The source that Graphviz draws."""
    return "\n".join(["digraph {", *(f"    {line}" for line in _dot_lines(picture)), "}"])


def _dot_lines(picture: Drawing) -> Iterator[str]:
    for node in picture.nodes:
        label = _dot_text("\n".join(filter(None, node.lines)))
        yield f"{node.name} [label={label}, {DOT_STYLES[node.kind]}]"
    for inner in picture.inner:
        yield f"subgraph cluster_{inner.name} {{"
        yield f"    label={_dot_text(inner.title)}"
        yield from (f"    {line}" for line in _dot_lines(inner))
        yield "}"
    for arrow in picture.arrows:
        options = [f"label={_dot_text(arrow.label)}"] * bool(arrow.label) + ["style=dashed"] * arrow.dashed
        yield f"{arrow.source} -> {arrow.target}" + (f" [{', '.join(options)}]" if options else "")


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


# --- Mermaid --------------------------------------------------------------------------------------------

MERMAID_SHAPES: dict[Kind, tuple[str, str]] = {
    "input": ("([", "])"),
    "constant": ("[(", ")]"),
    "operation": ("[", "]"),
    "return": ("([", "])"),
}


def mermaid(picture: Drawing) -> str:
    """The source that Mermaid draws."""
    return "\n".join(["flowchart TD", *(f"    {line}" for line in _mermaid_lines(picture))])


def _mermaid_lines(picture: Drawing) -> Iterator[str]:
    for node in picture.nodes:
        opening, closing = MERMAID_SHAPES[node.kind]
        label = "<br/>".join(map(_mermaid_text, filter(None, node.lines)))
        yield f'{node.name}{opening}"{label}"{closing}'
    for inner in picture.inner:
        yield f'subgraph {inner.name}graph["{_mermaid_text(inner.title)}"]'
        yield from (f"    {line}" for line in _mermaid_lines(inner))
        yield "end"
    for arrow in picture.arrows:
        line = "-.->" if arrow.dashed else "-->"
        label = f'|"{_mermaid_text(arrow.label)}"|' if arrow.label else ""
        yield f"{arrow.source} {line}{label} {arrow.target}"


def _mermaid_text(text: str) -> str:
    """Text inside quotes, in which Mermaid knows entities by number."""
    return "".join(f"#{ord(c)};" if c in '"#<>&`' else c for c in text)
