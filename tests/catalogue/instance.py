"""One operation with example inputs, at a point where it is smooth."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.core.primitive import Primitive
from covector.core.types import Array


class Instance:
    """A primitive and inputs for it; `inputs` are NumPy arrays or Python numbers.

    Laws differentiate with respect to the floating-point inputs in `differentiable` (default: all of them).
    """

    def __init__(
        self, primitive: Primitive, *inputs: Array, name: str = "", differentiable: tuple[int, ...] | None = None
    ) -> None:
        self.primitive, self.inputs, self.name = primitive, inputs, name
        floating = tuple(i for i, x in enumerate(inputs) if np.asarray(x).dtype.kind in "fc")
        self.differentiable = floating if differentiable is None else differentiable

    def __repr__(self) -> str:
        shapes = ",".join(f"{np.asarray(x).dtype.char}{list(np.shape(x))}".replace(" ", "") for x in self.inputs)
        return f"{self.name or self.primitive}({shapes})"

    def outputs(self, *inputs: Any) -> Any:
        """The primitive of these inputs."""
        return self.primitive(*inputs)
