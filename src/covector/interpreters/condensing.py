"""Condensing a tape: eliminates the vertices that are a coefficient times one other vertex.

Where v = c * u and w = d * v elementwise, w = (c d) * u. The product c d is computed once, while a basis of n
tangents would be multiplied by c and by d, so before a whole basis is pushed or pulled the vertices v between
are eliminated. This is vertex elimination (Griewank and Walther 2008, chapter 9) restricted to the case that
never costs more: a chain of diagonal Jacobians.

    sin(exp(x)):   v_1 = exp(x) * v_0,  v_2 = cos(exp(x)) * v_1     becomes     v_2 = (cos(exp(x)) exp(x)) * v_0
"""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.families import MaskingFactor
from covector.core.types import Array
from covector.interpreters.tape import Masked, Tape

Edges = list[tuple[int, Any]]

MASKS = (Masked, MaskingFactor)
"""Pieces that cannot be multiplied out: where a zero wins depends on what they meet."""


def condensed(tape: Tape) -> Tape:
    """The same linear map on a tape with the same vertices, most of which may no longer be needed."""
    result = Tape([])
    result.types = tape.types
    multiples: dict[int, tuple[int, Any]] = {}  # the vertices that are a coefficient times another one
    for index, entry in enumerate(tape.entries):
        if type(entry) is tuple and entry:
            edges = _merged(tape, index, _through(multiples, tape, index, entry))
            if len(edges) == 1 and tape.types[edges[0][0]] == tape.types[index] and _is_product(edges[0][1]):
                multiples[index] = edges[0]
            entry = tuple(x for edge in edges for x in edge)
        result.entries.append(entry)
    return result


def _through(multiples: dict[int, tuple[int, Any]], tape: Tape, index: int, entry: tuple[Any, ...]) -> Edges:
    """The edges of an entry, from the sources of its sources where these are multiples."""
    edges = []
    for source, piece in zip(entry[::2], entry[1::2], strict=True):
        piece = _coefficient(piece)
        if source in multiples and _is_product(piece) and tape.types[source] == tape.types[index]:
            source, coefficient = multiples[source]
            piece = _product(coefficient, piece)
        edges.append((source, piece))
    return edges


def _merged(tape: Tape, index: int, edges: Edges) -> Edges:
    """The edges, with those from one source added up."""
    merged: dict[int, Any] = {}
    apart: Edges = []
    for source, piece in edges:
        if not _is_product(piece) or tape.types[source] != tape.types[index]:
            apart.append((source, piece))
        elif source in merged:
            merged[source] = _number(merged[source]) + _number(piece)
        else:
            merged[source] = piece
    return [*merged.items(), *apart]


def _coefficient(piece: Any) -> Any:
    """A tuple of factors multiplied out, unless one of them is a mask."""
    if type(piece) is not tuple or not _is_product(piece):
        return piece
    product = piece[0]
    for factor in piece[1:]:
        product = product * factor
    return product


def _is_product(piece: Any) -> bool:
    """Whether a piece multiplies plainly."""
    return not any(isinstance(factor, MASKS) for factor in (piece if type(piece) is tuple else (piece,)))


def _product(left: Any, right: Any) -> Any:
    if left is None or right is None:
        return right if left is None else left
    return left * right


def _number(piece: Any) -> Array:
    """A coefficient that can be added to another one: the sum of two booleans would be a boolean."""
    if piece is None:
        return 1.0
    return piece * 1.0 if getattr(piece, "dtype", None) == np.bool_ else piece
