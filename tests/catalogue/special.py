"""SciPy's special functions."""

from __future__ import annotations

import numpy as np

from covector.ops import bessel, gamma, hypergeometric, incomplete, special
from covector.ops.incomplete import IncompleteBeta, IncompleteGamma
from tests.catalogue.instance import Instance

WIDE = np.array([-2.3, 0.7, 3.1])
INSIDE = np.array([0.4, 0.8, 0.15])
POSITIVE = np.array([0.6, 1.9, 4.2])
OTHER = np.array([1.4, 0.7, 2.2])

ON_THE_LINE = [
    special.ERF, special.ERFC, special.ERFCX, special.ERFI, special.DAWSN, special.NDTR, special.LOG_NDTR,
    special.EXPIT, special.LOG_EXPIT, special.SINE_INTEGRAL, special.FRESNEL_SINE, special.FRESNEL_COSINE, special.EXPI,
    hypergeometric.EXPREL, gamma.GAMMA, gamma.GAMMALN, gamma.RGAMMA, gamma.PSI, bessel.J0, bessel.J1, bessel.I0,
    bessel.I1, bessel.I0E, bessel.I1E,
]  # fmt: skip
ON_POSITIVE = [
    special.ENTR, special.EXP1, special.COSINE_INTEGRAL, hypergeometric.SPENCE, gamma.LOGGAMMA, bessel.Y0, bessel.Y1,
    bessel.K0, bessel.K1, bessel.K0E, bessel.K1E,
]  # fmt: skip
OF_TWO = [
    special.OWENS_T, special.XLOGY, special.XLOG1PY, special.REL_ENTR, special.KL_DIV, hypergeometric.BOXCOX,
    hypergeometric.BOXCOX1P, gamma.BETA, gamma.BETALN, gamma.POCH, incomplete.LOWER_GAMMA, incomplete.UPPER_GAMMA,
    IncompleteGamma(upper=False, order=2), IncompleteGamma(upper=True, order=1),
]  # fmt: skip
BESSEL = [
    bessel.JV, bessel.YV, bessel.YN, bessel.IV, bessel.KV, bessel.KN, bessel.IVE, bessel.KVE, bessel.HANKEL1,
    bessel.HANKEL2,
]  # fmt: skip

INSTANCES: list[Instance] = [
    *(Instance(primitive, WIDE) for primitive in ON_THE_LINE),
    *(Instance(primitive, POSITIVE) for primitive in ON_POSITIVE),
    *(Instance(p, INSIDE) for p in (special.ERFINV, special.ERFCINV, special.NDTRI, special.LOGIT)),
    *(Instance(primitive, POSITIVE, OTHER) for primitive in OF_TWO),
    *(Instance(primitive, 2, POSITIVE) for primitive in [*BESSEL, special.EXPN, gamma.POLYGAMMA]),
    *(Instance(p, POSITIVE, INSIDE) for p in (incomplete.LOWER_GAMMA_INVERSE, incomplete.UPPER_GAMMA_INVERSE)),
    *(Instance(p, POSITIVE, OTHER, INSIDE) for p in (
        incomplete.LOWER_BETA, incomplete.UPPER_BETA, incomplete.LOWER_BETA_INVERSE, incomplete.UPPER_BETA_INVERSE,
        IncompleteBeta(upper=False, orders=(1, 0)), IncompleteBeta(upper=True, orders=(1, 1)),
    )),
    Instance(special.WOFZ, np.array([0.4 + 0.3j, 1.2 - 0.8j])),
    Instance(special.ERF, np.array([0.4 + 0.3j, 1.2 - 0.8j])),
    Instance(bessel.SPHERICAL_HARMONIC, 3, -2, INSIDE, WIDE),
    Instance(gamma.BINOM, POSITIVE + 2, INSIDE),
    Instance(gamma.ZETA, 3, POSITIVE),
    Instance(hypergeometric.HYP0F1, 2, WIDE),
    Instance(hypergeometric.HYP1F1, 1, 3, WIDE),
    Instance(hypergeometric.HYP2F1, 1, 2, 3, INSIDE),
]  # fmt: skip
