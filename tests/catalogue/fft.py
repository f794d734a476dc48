"""Fourier transforms of even and odd lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.ops.fft import FourierTransform, InverseRealFourierTransform, RealFourierTransform
from tests.catalogue.instance import Instance

_RNG = np.random.default_rng(6)


def _array(*shape: int) -> np.ndarray[Any, Any]:
    return _RNG.standard_normal(shape)


def _complex(*shape: int) -> np.ndarray[Any, Any]:
    return _array(*shape) + 1j * _array(*shape)


INSTANCES: list[Instance] = [
    Instance(FourierTransform((0,)), _array(5)),
    Instance(FourierTransform((0,)), _complex(4)),
    Instance(FourierTransform((2, 0), inverse=True, norm="ortho"), _complex(2, 2, 3)),
    Instance(FourierTransform((1,), norm="forward"), _array(2, 1), name="transform_of_length_one"),
    Instance(RealFourierTransform(0), _array(5)),
    Instance(RealFourierTransform(1, "ortho"), _array(2, 4, 2)),
    Instance(RealFourierTransform(0, "forward"), _array(1), name="real_transform_of_length_one"),
    Instance(InverseRealFourierTransform(0, 5), _complex(3)),
    Instance(InverseRealFourierTransform(1, 4, "ortho"), _complex(2, 3, 2)),
    Instance(InverseRealFourierTransform(0, 2, "forward"), _array(2), name="inverse_of_real_frequencies"),
]
