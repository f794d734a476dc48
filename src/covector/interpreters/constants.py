"""Keeping constants: a derivative must not change when an array it used is changed in place afterwards.

`x * weights` needs `weights` again when cotangents are pulled back. NumPy arrays are mutable, so by then
the caller may have written into it. What outlives the call (a pullback, a `LinearMap`) therefore keeps
copies. Within a call (`grad`) small constants are copied too, which costs less than the operation that uses
them; a large one is kept by reference with a fingerprint (its bits, added up in columns, at a fraction of the
cost of a copy), and if that has changed when the function ends, the derivative is refused instead of being
silently wrong.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

from covector.core.types import Array
from covector.errors import MutationError

TINY, SMALL = 2_048, 262_144
"""Bytes up to which a constant is copied at every use, and once."""

COLUMNS = 1021
"""How many columns a fingerprint has: a prime, so that rows of an array do not line up with them."""

Fingerprint = bytes


@final
class ConstantKeeper:
    """Keeps the constant arrays that a tape refers to: as copies, or as references that are checked."""

    __slots__ = ("copies", "fingerprints", "own")

    def __init__(self, own: bool) -> None:
        self.own = own
        self.copies: dict[int, tuple[Array, Array]] = {}
        self.fingerprints: dict[int, tuple[Array, Fingerprint]] = {}

    def keep(self, constant: np.ndarray[Any, Any]) -> Array:
        """The array to refer to instead of `constant`, with the entries it has now."""
        size = constant.nbytes
        if size <= TINY:
            return constant.copy()
        return self.copy(constant) if self.own or size <= SMALL else self._referred(constant)

    def copy(self, constant: Array) -> Array:
        """A copy of the array; the same copy as before if it has not changed since."""
        known = self.copies.get(id(constant))
        if known is not None and np.array_equal(known[1], constant, equal_nan=constant.dtype.kind in "fc"):
            return known[1]
        copied = constant.copy()
        self.copies[id(constant)] = (constant, copied)
        return copied

    def check(self) -> None:
        """Raises MutationError if a constant kept by reference has been changed since."""
        for constant, expected in self.fingerprints.values():
            if fingerprint(constant) != expected:
                raise MutationError(
                    f"an array of shape {constant.shape} was changed in place after a traced operation had used "
                    "it, so its derivative can no longer be computed; use a new array instead of writing into it"
                )

    def _referred(self, constant: Array) -> Array:
        known = self.fingerprints.get(id(constant))
        if known is None:
            self.fingerprints[id(constant)] = (constant, fingerprint(constant))
        elif known[1] != fingerprint(constant):
            self.check()
        return constant


def fingerprint(constant: Array) -> Fingerprint:
    """The bits of the entries, added up in columns: changed by a change of one entry, and by almost any reordering."""
    if constant.dtype.kind not in "biufc":  # texts and records, which jit may find in a closure
        return bytes(constant.tobytes())
    if constant.dtype.kind == "c":
        return fingerprint(constant.real) + fingerprint(constant.imag)
    if constant.dtype.itemsize not in (1, 2, 4, 8):
        constant = constant.astype(np.float64)
    bits = np.ascontiguousarray(constant).reshape(-1).view(f"i{constant.dtype.itemsize}")
    whole = bits.size - bits.size % COLUMNS
    sums = np.add.reduce(bits[:whole].reshape(-1, COLUMNS), axis=0, dtype=np.int64)
    return bytes(sums.tobytes() + bits[whole:].tobytes())
