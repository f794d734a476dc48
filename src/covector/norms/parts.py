"""What the dual program of a norm has in the place of each value of the norm's program.

Each value of a disciplined norm is an array of norms of disjoint parts of the argument. A `Part` stands in its place:
the array of their dual norms ("gauge"), or of its powers while a root is still to come ("power": for the p-th powers of
norms, the q-th powers of their duals), or sorted ("sorted": with the weight of each place).

    >>> import numpy as np
    >>> cubes = Part(np.array([1.0, 8.0]), "power", exponent=3.0)
    >>> cubes.description, cubes.conjugate
    ('a power of a norm', 1.5)
"""

from __future__ import annotations

from typing import Any, final

from attrs import frozen

from covector.core.types import Array
from covector.errors import MissingRuleError
from covector.norms.alike import Alike

MEANINGS = {
    "linear": "a linear function of the argument",
    "power": "a power of a norm",
    "sorted": "an array of sorted entries",
}


@final
@frozen(eq=False)
class Part:
    """The dual of a value of a norm's program: an array, what it is, and the exponent or the weights that go with it.

    For sorted entries, in increasing order, `places` says which of them the value consists of; of those with the same
    number in `unsorted` no order is known. `alike` says which entries have lost their identity by sorting.
    """

    value: Array
    kind: str
    exponent: float = 1.0
    weights: Any = None
    places: Any = None
    unsorted: Any = None
    alike: Alike | None = None

    @property
    def description(self) -> str:
        """What the value is, for messages."""
        return MEANINGS.get(self.kind, "a norm")

    @property
    def conjugate(self) -> float:
        """The q with 1/p + 1/q = 1."""
        return self.exponent / (self.exponent - 1.0)


def refused(equation: Any, reason: str) -> MissingRuleError:
    """The error for an operation that leaves the grammar."""
    return MissingRuleError(
        f"dualize: `{equation.primitive.name}` {reason}. A norm is built of invertible linear maps, then abs or "
        "singular values, then sums, maxima, powers with their roots and positive weights, each value used once; or "
        "give its dual with norms.define(dual_norm=...)."
    )


def taken_apart(equation: Any) -> MissingRuleError:
    """The error for an operation that does not treat the singular values of one matrix alike."""
    return refused(equation, "takes singular values of one matrix apart; they are sorted, and must be treated alike")
