"""How plain NumPy code reaches the primitives: ufuncs, array functions, operators and array methods.

Importing this package fills `covector.core.protocol.table`, which tracers look everything up in.
"""

from covector.numpy import (  # noqa: F401  # imported for the implementations they register
    contractions,
    creation,
    differences,
    einsum,
    elementwise,
    fft,
    indexing,
    inquiries,
    joining,
    linalg,
    nan_reductions,
    norms,
    operands,
    operators,
    padding,
    piecewise,
    places,
    polynomials,
    reductions,
    registry,
    shapes,
    sorting,
    statistics,
    supported,
    ufunc_methods,
    ufuncs,
    updates,
)
