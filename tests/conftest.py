"""Settings of the whole test run.

Hypothesis draws the same examples every time, without a time limit on each. And a jitted function runs compiled code
from its first call on, which would compute while it records, so that a test that calls it once tests what was compiled.
Every graph that source is written for is checked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from covector.compile.emit import Writer
from covector.compile.numbers import NumberWriter
from covector.core.interpreter import Tracer
from covector.core.primitive import as_tuple
from covector.core.types import typeof
from covector.graph.graph import Graph
from covector.ops.debugging import held_back
from covector.transforms.jit import JittedFunction

settings.register_profile(
    "covector",
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("covector")


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> Iterator[None]:
    """Runs a recording compiled at once, and compares the types of what that gives with what recording gave.

    A module that tests the first call has a fixture of this name that does nothing.
    """
    first: Any = JittedFunction._first

    def compiled(self: Any, args: Any, kwargs: Any, leaves: Any, traced: bool) -> tuple[Any, Sequence[Any]]:
        specialization, outputs = first(self, args, kwargs, leaves, traced)
        if any(isinstance(value, Tracer) for _, value in specialization.graph.constants):
            return specialization, outputs
        with held_back():
            again = specialization.run(leaves, traced)
        assert list(map(typeof, again)) == list(map(typeof, outputs)), f"{self} gives other types when it is compiled"
        return specialization, again

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JittedFunction, "_first", compiled)
        yield


@pytest.fixture(autouse=True, scope="session")
def types_of_what_is_written() -> Iterator[None]:
    """Compares the types in each graph that source is written for with what the operations declare.

    Numbers may be Python's where NumPy's are declared, and the other way round.
    """
    with pytest.MonkeyPatch.context() as patch:
        for writer in (Writer, NumberWriter):
            patch.setattr(writer, "__init__", _checking(writer.__init__))
        yield


def _checking(init: Any) -> Any:
    def checked(self: Any, graph: Graph, *args: Any, **kwargs: Any) -> None:
        for equation in graph.equations:
            declared = as_tuple(equation.primitive.output_type(*[atom.type for atom in equation.inputs]))
            found = [variable.type.strong() for variable in equation.outputs]
            assert [kind.strong() for kind in declared] == found, f"{equation.primitive} is written as {found}"
        init(self, graph, *args, **kwargs)

    return checked
