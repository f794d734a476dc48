"""Which arrays a program owns, so that it may write into them or return them as they are.

A new array is owned by the variable it was made for; a view shares the array of its input. What other
functions return (those with rules of their own) may be anyone's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

from covector.compile.structured import Structured
from covector.core.broadcasting import Reshape
from covector.graph.graph import Atom, Equation, Graph, Variable
from covector.ops.axes import Permute

REARRANGED = (Permute, Reshape)
"""Views of a whole array, which a caller may write into."""

OWN_MODULES = ("covector.ops.", "covector.core.", "covector.compile.shares")
"""Where the operations are defined that return new arrays, unless they say that they are views."""


@final
class Storage:
    """For each variable the one whose array it shares, and whether the program made that array."""

    def __init__(self, graph: Graph) -> None:
        self.roots: dict[Atom, Variable] = {}
        self.owned: set[Variable] = set()
        self.whole: set[Atom] = set()
        for equation in graph.equations:
            self._add(equation)

    def root(self, atom: Variable) -> Variable:
        """The variable whose array a variable shares."""
        return self.roots.get(atom, atom)

    def _add(self, equation: Equation) -> None:
        if equation.primitive.view:
            source = equation.inputs[0]
            rearranged = isinstance(equation.primitive, REARRANGED)
            for out in equation.outputs:
                if isinstance(source, Variable):
                    self.roots[out] = self.root(source)
                    if rearranged and source in self.whole:
                        self.whole.add(out)
        elif type(equation.primitive).__module__.startswith(OWN_MODULES):
            arrays = [v for v in equation.outputs if v.type.shape]
            self.owned.update(arrays)
            self.whole.update(arrays)
        else:
            self.owned.difference_update(self.root(a) for a in equation.inputs if isinstance(a, Variable))
            if isinstance(equation.primitive, Structured):
                arrays = [v for v in equation.outputs[equation.primitive.shared :] if v.type.shape]
                self.owned.update(arrays)
                self.whole.update(arrays)

    def overwritable(self, atom: Atom) -> bool:
        """Whether the array may be written into once nothing else uses it."""
        return isinstance(atom, Variable) and atom not in self.roots and atom in self.owned

    def returnable(self, atom: Variable) -> bool:
        """Whether the caller may have the array itself."""
        return self.root(atom) in self.owned and atom in self.whole

    def shared(self, outputs: Sequence[Atom]) -> list[bool]:
        """Which outputs are arrays that are not the caller's alone, so that the caller gets copies."""
        counts = Counter(self.root(atom) for atom in outputs if isinstance(atom, Variable))
        return [
            isinstance(atom, Variable)
            and bool(atom.type.shape)
            and not (counts[self.root(atom)] == 1 and self.returnable(atom))
            for atom in outputs
        ]
