"""Checking derivatives against difference quotients, and batching against a loop.

A derivative is right if it agrees with what the function does nearby, so that is what these functions compare
it with: forward mode by the quotient along a random direction, reverse mode by pairing that quotient with a
random cotangent, higher orders by checking the derivative of the derivative in the same way.

    >>> import numpy as np
    >>> check_grads(lambda x: np.sin(x) * x, (0.7,), order=3)

The quotients are complex steps where the function is analytic (exact to rounding), central differences
extrapolated to step zero elsewhere; both are computed in double precision, whatever the precision of the
arguments. Directions come from a fixed seed. Integer and boolean arguments are held fixed.
"""

from covector.testing.batching import check_batching
from covector.testing.derivatives import check_grads, check_jvp, check_vjp
from covector.testing.problems import difference_quotient

__all__ = ["check_batching", "check_grads", "check_jvp", "check_vjp", "difference_quotient"]
