"""Steepest descent in any norm, its step rules, and the known optimizers that it contains.

    >>> import numpy as np
    >>> from covector.optimize import armijo, minimize, steepest_descent
    >>> minimize(lambda x: np.sum(np.cosh(x)), np.array([1.0, -2.0]), steepest_descent("linf", armijo())).success
    True
"""

from covector.optimize.comparison import NormReport, best_of, norm_report
from covector.optimize.layerwise import dion, lamb, lars, modular_descent, modular_norm, muon, scion
from covector.optimize.line_search import adaptive, armijo, trust_region
from covector.optimize.minimize import minimize
from covector.optimize.mirror import MirrorDescent, mirror_descent
from covector.optimize.momentum import Momentum, ema, error_feedback, heavy_ball, nesterov
from covector.optimize.named import (
    block_descent,
    cauchy_point,
    coordinate_descent,
    frank_wolfe,
    gradient_descent,
    kaczmarz,
    lion,
    normalized_gradient,
    sign_descent,
    signum,
    sobolev_descent,
    top_k_sign,
)
from covector.optimize.norm_rules import second_moments, squares, varying
from covector.optimize.preconditioned import (
    adagrad,
    adam,
    gauss_newton,
    natural_gradient,
    newton,
    rmsprop,
    shampoo,
)
from covector.optimize.result import MinimizeResult, Record
from covector.optimize.state import DescentState
from covector.optimize.steepest_descent import Optimizer, SteepestDescent, steepest_descent
from covector.optimize.steps import (
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
    "MirrorDescent",
    "Momentum",
    "NormReport",
    "Optimizer",
    "Record",
    "SteepestDescent",
    "adagrad",
    "adam",
    "adaptive",
    "armijo",
    "best_of",
    "block_descent",
    "cauchy_point",
    "constant",
    "coordinate_descent",
    "dion",
    "ema",
    "error_feedback",
    "exact_quadratic",
    "frank_wolfe",
    "gauss_newton",
    "gradient_descent",
    "harmonic",
    "heavy_ball",
    "inverse_lipschitz",
    "kaczmarz",
    "lamb",
    "lars",
    "lion",
    "minimize",
    "mirror_descent",
    "modular_descent",
    "modular_norm",
    "muon",
    "natural_gradient",
    "nesterov",
    "newton",
    "norm_report",
    "normalized_gradient",
    "polyak",
    "rmsprop",
    "schedule",
    "scion",
    "second_moments",
    "shampoo",
    "sign_descent",
    "signum",
    "sobolev_descent",
    "squares",
    "steepest_descent",
    "top_k_sign",
    "trust_region",
    "varying",
]
