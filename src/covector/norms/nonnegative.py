"""Least squares over numbers that are not negative: the x >= 0 for which A x is nearest to b.

At the solution some entries are positive, the active ones: on their columns x is the plain least-squares solution, and
no other column has a positive product with what is left, b - A x, its gain. Beginning with any x, the column of the
largest gain joins the active ones, until no gain is worth it; x moves towards the solution on them, and those that it
would make negative leave. A factorization of the active columns, A = Q R, is carried along.

    >>> A = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> nonnegative_least_squares(A, np.array([3.0, -1.0]), np.zeros(3))
    array([3., 0., 0.])

Source: C. Lawson and R. Hanson, Solving least squares problems (1974), chapter 23.
"""

from __future__ import annotations

from typing import final

import numpy as np

from covector.core.types import Array

DEPENDENT = 1e-12
"""The part of a column outside the span of others below which it is taken to be in it."""


def nonnegative_least_squares(matrix: Array, target: Array, start: Array, slack: float = 0.0) -> Array:
    """The x >= 0 for which matrix @ x is nearest to the target, beginning with x = start.

    Gains up to `slack` are left: `matrix.T @ (target - matrix @ x) <= slack` but for rounding.
    """
    active = Active(matrix, target, np.flatnonzero(start > 0))
    x = active.feasible(start)
    noise = 1e-13 * float(np.max(np.abs(matrix)) * np.max(np.abs(target)))
    for _ in range(3 * matrix.shape[1]):
        gain = matrix.T @ (target - matrix @ x)
        gain[active.numbers] = -np.inf
        best = int(np.argmax(gain))
        if not gain[best] > max(noise, slack) or len(active.numbers) >= len(target) or not active.join(best):
            break
        x = active.feasible(x)
    return x


@final
class Active:
    """The active columns of a matrix: their numbers, their orthogonal factor, and the inverse of the triangular one."""

    def __init__(self, matrix: Array, target: Array, numbers: Array) -> None:
        self.matrix, self.target = matrix, target
        self._factorize(numbers)

    def _factorize(self, numbers: Array) -> None:
        """The factors of the columns of these numbers that are independent of those before."""
        orthogonal, triangle = np.linalg.qr(self.matrix[:, numbers])
        sizes = np.abs(np.diag(triangle))
        independent = sizes > DEPENDENT * np.max(sizes, initial=0.0)
        if len(sizes) < len(numbers) or not np.all(independent):
            self._factorize(numbers[: len(sizes)][independent])
            return
        self.numbers, self.orthogonal, self.inverse = numbers, orthogonal, np.linalg.inv(triangle)

    def join(self, number: int) -> bool:
        """Adds a column; whether it was independent of the others, so that this could be done."""
        added = self.matrix[:, number]
        shares = self.orthogonal.T @ added
        rest = added - self.orthogonal @ shares
        again = self.orthogonal.T @ rest      # what rounding left in the span
        rest = rest - self.orthogonal @ again
        size = float(np.linalg.norm(rest))
        if not size > DEPENDENT * float(np.linalg.norm(added)):
            return False
        count = len(self.numbers)
        inverse = np.zeros((count + 1, count + 1))
        inverse[:count, :count] = self.inverse
        inverse[:count, count] = self.inverse @ (shares + again) / -size
        inverse[count, count] = 1.0 / size
        self.numbers = np.append(self.numbers, number)
        self.orthogonal, self.inverse = np.column_stack([self.orthogonal, rest / size]), inverse
        return True

    def feasible(self, x: Array) -> Array:
        """The least-squares solution on the active columns, of which those leave that x cannot follow it with."""
        here = x[self.numbers]
        while len(self.numbers):
            trial = self.inverse @ (self.orthogonal.T @ self.target)
            negative = trial <= 0
            if not np.any(negative):
                here = trial
                break
            shares = np.ones(len(here))      # how far each may move towards the trial before it is zero
            shares[negative] = here[negative] / np.maximum(here[negative] - trial[negative], np.finfo(float).tiny)
            share = float(np.min(shares))
            stay = ~(negative & (shares <= share))
            numbers, moved = self.numbers[stay], (here + share * (trial - here))[stay]
            self._factorize(numbers)
            here = moved if len(moved) == len(self.numbers) else moved[np.isin(numbers, self.numbers)]
        spread = np.zeros(len(x))
        spread[self.numbers] = here
        return spread
