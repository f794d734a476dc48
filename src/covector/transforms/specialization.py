"""Specializations: what jit keeps of one recording of a function, and makes of it when it is needed.

A function has one for each combination of argument types, and for each branch that Python took on their values. A
recording is simplified, and compiled, when it is first run again; `Lowered` shows what became of it:

    graph         the operations as they were recorded, say five for each step of a Python loop
    simplified    fewer operations, and a scan for the loop
    source        the program that runs, with `for`
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from html import escape
from typing import Any, final

from attrs import field, frozen

from covector.compile.closures import Watched
from covector.compile.compiled import CompiledCall, CompiledGraph
from covector.compile.guards import Guard, GuardFailedError
from covector.compile.prints import has_prints
from covector.compile.programs import Program
from covector.compile.simplify import simplified
from covector.core.types import Array
from covector.graph.graph import Graph
from covector.ops.debugging import printed_unless
from covector.transforms.arguments import LEAF
from covector.transforms.control.rolling import rolled
from covector.transforms.log import logger
from covector.trees import TreeDefinition, unflatten


@final
@frozen
class Lowered:
    """What jit made of a function for arguments of given types.

    `graph` is what was recorded, `simplified` what became of it, and `source` the program that runs; `structure` is
    the tree of the outputs. The seconds are those that recording took, and simplification with emission.
    """

    graph: Graph
    simplified: Graph
    program: Program = field(repr=False)
    structure: TreeDefinition
    recording_seconds: float
    emission_seconds: float

    @property
    def source(self) -> str:
        """The text of the program, with that of the alternative to it, which is written when it is first needed."""
        return self.program.source

    @property
    def summary(self) -> str:
        """How many operations were recorded and kept, and how long that took."""
        counts = len(self.graph.equations), len(self.simplified.equations)
        times = 1e3 * self.recording_seconds, 1e3 * self.emission_seconds
        return f"{counts[0]} operations recorded in {times[0]:.1f} ms, {counts[1]} kept, compiled in {times[1]:.1f} ms"

    def __str__(self) -> str:
        return f"{self.summary}\n\n{self.source}"

    def _repr_html_(self) -> str:
        parts = {"recorded": str(self.graph), "simplified": str(self.simplified), "source": self.source}
        folded = [f"<details><summary>{k}</summary><pre>{escape(text)}</pre></details>" for k, text in parts.items()]
        return f"<p>{self.summary}</p>\n" + "\n".join(folded)


@final
class Specialization:
    """One recording, which is compiled when it is first run again."""

    def __init__(
        self, origin: str, graph: Graph, structure: TreeDefinition, called: tuple[str, list[str]], seconds: float
    ) -> None:
        self.origin, self.graph, self.structure, self.called, self.seconds = origin, graph, structure, called, seconds
        self.watched: Watched = ()
        self.guarded = any(isinstance(e.primitive, Guard) for e in graph.equations)
        self.halting = self.guarded and has_prints(graph)
        """Whether it may print and then find that it is not the one."""

    @cached_property
    def compiled(self) -> CompiledGraph:
        """The simplified graph, to be compiled or differentiated."""
        start = time.perf_counter()
        name, arguments = self.called
        compiled = CompiledGraph(simplified(rolled(self.graph)), name, arguments)
        self.emission_seconds = time.perf_counter() - start
        return compiled

    @cached_property
    def function(self) -> Callable[..., list[Any]]:
        """The compiled program."""
        graph, start = self.compiled.graph, time.perf_counter()
        function = self.compiled.program.function
        self.emission_seconds += time.perf_counter() - start
        numbers = len(self.graph.equations), len(graph.equations), 1e3 * self.emission_seconds
        logger.info("%s: compiled, %d recorded operations became %d, %.1f ms", self.origin, *numbers)
        return function

    @property
    def lowered(self) -> Lowered:
        """The recording with all that was made of it."""
        _ = self.function  # makes it, and takes the time
        stages = self.graph, self.compiled.graph, self.compiled.program
        return Lowered(*stages, self.structure, self.seconds, self.emission_seconds)

    def run(self, leaves: Sequence[Array], traced: bool) -> Sequence[Array]:
        """The outputs; raises GuardFailedError if another specialization is needed."""
        function = CompiledCall(self.compiled) if traced else self.function
        if not self.halting:
            return function(*leaves)
        with printed_unless(GuardFailedError):
            return function(*leaves)

    def pack(self, outputs: Sequence[Array]) -> Any:
        """The output tree."""
        return outputs[0] if self.structure is LEAF else unflatten(self.structure, outputs)
