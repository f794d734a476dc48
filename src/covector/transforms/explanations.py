"""Notes on errors of NumPy's and SciPy's own, where they met traced values that they could not hand over to covector.

`np.array([x, 2.0])` of a traced x is an array of objects, which NumPy treats by itself. Where that does not work NumPy
complains of objects that the user never made; so the error, which stays what it is, gets a note that says whose they
are.

    >>> import numpy as np
    >>> import covector as cv
    >>> try:
    ...     cv.grad(lambda x: np.sum(np.exp(np.array([x, 2.0]))))(1.0)
    ... except TypeError as error:
    ...     print(error.__notes__[0])
    covector: an array of traced values, np.array([x, 2.0]), is an array of objects until it meets covector,
        and this function cannot compute with objects. np.stack([x, 2.0]) gives a traced array at once; for functions of
        SciPy's see covector.scipy.
"""

from __future__ import annotations

import re

OBJECTS = """covector: an array of traced values, np.array([x, 2.0]), is an array of objects until it meets covector,
    and this function cannot compute with objects. np.stack([x, 2.0]) gives a traced array at once; for functions of
    SciPy's see covector.scipy."""

INDEX = "covector: a plain array cannot be indexed by a traced value; write covector.at(table)[i].get() for table[i]."

ITERATION = "covector: np.nditer goes through plain arrays only; write for entry in x.flat, or np.ndenumerate(x)."

KEY = "covector: a traced value is unhashable, as an array is, so it cannot be a key or an element of a set."

NOTES: dict[re.Pattern[str], str] = {
    re.compile(r"loop of ufunc does not support argument"): OBJECTS,
    re.compile(r"Cannot cast ufunc .*dtype\('O'\)"): OBJECTS,
    re.compile(r"not supported for the input types"): OBJECTS,
    re.compile(r"object arrays are not supported|unsupported dtype object|dtype\('O'\) not supported", re.I): OBJECTS,
    re.compile(r"only integers, slices|an array of u?int\d+ was asked of"): INDEX,
    re.compile(r"NPY_ITER_REFS_OK"): ITERATION,
    re.compile(r"unhashable type: '\w+Tracer'"): KEY,
}
"""By what NumPy and SciPy say."""


def explain(error: Exception) -> None:
    """Adds the note that fits the error, unless it has one."""
    message = str(error)
    for pattern, note in NOTES.items():
        if pattern.search(message) and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
