"""Steepest descent in any norm, its step rules, and the known optimizers that it contains.

    >>> import numpy as np
    >>> from covector.optimize import armijo, minimize, steepest_descent
    >>> minimize(lambda x: np.sum(np.cosh(x)), np.array([1.0, -2.0]), steepest_descent("linf", armijo())).success
    True
"""

from covector.optimize.minimize import MinimizeResult, Record, minimize
from covector.optimize.momentum import ema, heavy_ball, nesterov
from covector.optimize.named import (
    coordinate_descent,
    frank_wolfe,
    gradient_descent,
    lion,
    muon,
    newton,
    normalized_gradient,
    sign_descent,
    signum,
    sobolev_descent,
    top_k_sign,
)
from covector.optimize.steepest_descent import DescentState, SteepestDescent, steepest_descent, varying
from covector.optimize.steps import (
    armijo,
    constant,
    exact_quadratic,
    harmonic,
    inverse_lipschitz,
    polyak,
    schedule,
)

__all__ = [
    "DescentState",
    "MinimizeResult",
    "Record",
    "SteepestDescent",
    "armijo",
    "constant",
    "coordinate_descent",
    "ema",
    "exact_quadratic",
    "frank_wolfe",
    "gradient_descent",
    "harmonic",
    "heavy_ball",
    "inverse_lipschitz",
    "lion",
    "minimize",
    "muon",
    "nesterov",
    "newton",
    "normalized_gradient",
    "polyak",
    "schedule",
    "sign_descent",
    "signum",
    "sobolev_descent",
    "steepest_descent",
    "top_k_sign",
    "varying",
]
