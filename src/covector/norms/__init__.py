"""Norms: what a step costs, how steep a gradient is, and which way is down.

    >>> import numpy as np
    >>> from covector import norms
    >>> norms.spectral().lmo(np.diag([3.0, 4.0]))
    array([[-1., -0.],
           [-0., -1.]])
"""

from covector.norms import thresholds as thresholds  # enters its rules for sums and maxima
from covector.norms import total_variation as total_variation  # enters its rule for l1 of differences
from covector.norms.checks import check_norm
from covector.norms.constructors import (
    from_dual,
    from_facets,
    from_maximizer,
    from_projection,
    from_prox,
    from_vertices,
)
from covector.norms.define import (
    as_norm,
    blockwise,
    column_rms,
    define,
    group,
    per_leaf,
    row_rms,
    tree,
)
from covector.norms.dualize import dualize
from covector.norms.interpolation import interpolate
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
from covector.norms.norm import Norm
from covector.norms.ordered import k_support, oscar, owl, sparse_sign
from covector.norms.pairs import hypot, infimal_convolution, minkowski
from covector.norms.quadratic import quadratic, sobolev
from covector.norms.reshaping import reshaped
from covector.norms.solve import WarmStart, warm_maximizer, warm_start
from covector.norms.subspaces import image, quotient, restrict
from covector.norms.traits import Traits
from covector.norms.vectors import l1, l2, linf, lp, rms

__all__ = [
    "Diagonal",
    "Difference",
    "InvertibleMap",
    "Matrix",
    "Norm",
    "SobolevRoot",
    "Traits",
    "WarmStart",
    "as_norm",
    "blockwise",
    "check_norm",
    "column_rms",
    "define",
    "dualize",
    "from_dual",
    "from_facets",
    "from_maximizer",
    "from_projection",
    "from_prox",
    "from_vertices",
    "group",
    "hypot",
    "image",
    "infimal_convolution",
    "interpolate",
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
    "quotient",
    "reshaped",
    "restrict",
    "rms",
    "rms_to_rms",
    "row_rms",
    "schatten",
    "sobolev",
    "sparse_sign",
    "spectral",
    "tree",
    "warm_maximizer",
    "warm_start",
]
