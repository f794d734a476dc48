"""Norms: what a step costs, how steep a gradient is, and which way is down.

    >>> import numpy as np
    >>> from covector import norms
    >>> norms.spectral().lmo(np.diag([3.0, 4.0]))
    array([[-1., -0.],
           [-0., -1.]])
"""

from covector.norms.calculus import infimal_convolution, minkowski
from covector.norms.define import as_norm, blockwise, check_norm, define, group, per_leaf, tree
from covector.norms.dualize import dualize
from covector.norms.layout import pairing
from covector.norms.maps import Diagonal, Difference, InvertibleMap, Matrix, SobolevRoot
from covector.norms.matrices import (
    ky_fan,
    low_rank_hull,
    muon_norm,
    nuclear,
    of_singular_values,
    rms_to_rms,
    schatten,
    spectral,
)
from covector.norms.norm import Norm, Traits
from covector.norms.ordered import k_support, oscar, owl, sparse_sign
from covector.norms.quadratic import quadratic, sobolev
from covector.norms.vectors import l1, l2, linf, lp

__all__ = [
    "Diagonal",
    "Difference",
    "InvertibleMap",
    "Matrix",
    "Norm",
    "SobolevRoot",
    "Traits",
    "as_norm",
    "blockwise",
    "check_norm",
    "define",
    "dualize",
    "group",
    "infimal_convolution",
    "k_support",
    "ky_fan",
    "l1",
    "l2",
    "linf",
    "low_rank_hull",
    "lp",
    "minkowski",
    "muon_norm",
    "nuclear",
    "of_singular_values",
    "oscar",
    "owl",
    "pairing",
    "per_leaf",
    "quadratic",
    "rms_to_rms",
    "schatten",
    "sobolev",
    "sparse_sign",
    "spectral",
    "tree",
]
