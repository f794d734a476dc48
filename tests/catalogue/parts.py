"""Parts of numbers."""

from __future__ import annotations

import math

import numpy as np

from covector.numpy.elementwise import Unwrap
from covector.ops import parts
from tests.catalogue.instance import Instance

X = np.array([[0.7, -1.4, 2.3], [-5.2, 0.6, -0.8]])
Y = np.array([1.6, -0.9, 0.5])
Z = np.array([0.3 + 0.4j, -0.5 + 0.2j])

INSTANCES: list[Instance] = [
    *(Instance(p, Z) for p in (parts.REAL_PART, parts.IMAGINARY_PART, parts.CONJUGATE, parts.COMPLEX_ABSOLUTE)),
    *(Instance(p, X) for p in (
        parts.ABSOLUTE, parts.FABS, parts.FRACTIONAL_PART, parts.SIGNIFICAND, parts.REAL_PART,
    )),
    *(Instance(p, X, Y) for p in (parts.COPYSIGN, parts.FMOD)),
    Instance(parts.EXPONENT, X, differentiable=()),
    Instance(parts.NEXTAFTER, X, Y, differentiable=()),
    Instance(parts.LDEXP, X, np.array([1, -2, 3])),
    Instance(Unwrap(None, 1, 2 * math.pi), np.array([[0.0, 3.0, 6.0, 9.5], [0.1, 5.0, 0.2, 4.0]])),
]  # fmt: skip
