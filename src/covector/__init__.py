"""covector: composable derivatives of plain NumPy code.

    >>> import numpy as np
    >>> import covector as cv
    >>> cv.grad(lambda x: np.sum(np.sin(x) * x))(np.array([0.0, 1.0])).round(4)
    array([0.    , 1.3818])

A gradient is a covector; only a norm turns it into a direction to step in.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import covector.numpy as _numpy_protocols  # noqa: F401  # fills the tables that tracers look NumPy up in
from covector.core.types import ArrayType
from covector.numpy.updates import at
from covector.transforms.derivatives import jvp, linear_transpose, linearize, vjp
from covector.transforms.gradient import grad, value_and_grad
from covector.transforms.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from covector.transforms.linear_map import LinearMap
from covector.transforms.vectorize import vmap

if TYPE_CHECKING:
    from covector import norms, optimize, testing
    from covector.graph.graph import Graph
    from covector.numpy.supported import Rules, supported
    from covector.optimize.minimize import minimize
    from covector.optimize.result import MinimizeResult
    from covector.optimize.steepest_descent import SteepestDescent, steepest_descent
    from covector.settings import config
    from covector.testing import check_batching, check_grads, check_jvp, check_vjp
    from covector.trace.evaluation_trace import EvaluationTrace, evaluation_trace
    from covector.transforms.checkpoint import checkpoint
    from covector.transforms.control.associative import associative_scan
    from covector.transforms.control.conditional import cond, switch
    from covector.transforms.control.loops import fori_loop, while_loop
    from covector.transforms.control.scan import Binomial, map, scan
    from covector.transforms.custom import custom_jvp, custom_vjp
    from covector.transforms.debugging import debug_print
    from covector.transforms.export import export
    from covector.transforms.jit import jit
    from covector.transforms.recording import make_graph
    from covector.transforms.stop import stop_gradient

__version__ = "0.1.0"

__all__ = [
    "ArrayType",
    "Binomial",
    "EvaluationTrace",
    "Graph",
    "LinearMap",
    "MinimizeResult",
    "Rules",
    "SteepestDescent",
    "associative_scan",
    "at",
    "check_batching",
    "check_grads",
    "check_jvp",
    "check_vjp",
    "checkpoint",
    "cond",
    "config",
    "custom_jvp",
    "custom_vjp",
    "debug_print",
    "evaluation_trace",
    "export",
    "fori_loop",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linear_transpose",
    "linearize",
    "make_graph",
    "map",
    "minimize",
    "norms",
    "optimize",
    "scan",
    "steepest_descent",
    "stop_gradient",
    "supported",
    "switch",
    "testing",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]

_LOADED_ON_USE = {
    "Binomial": "covector.transforms.control.scan",
    "EvaluationTrace": "covector.trace.evaluation_trace",
    "Graph": "covector.graph.graph",
    "MinimizeResult": "covector.optimize.result",
    "Rules": "covector.numpy.supported",
    "SteepestDescent": "covector.optimize.steepest_descent",
    "associative_scan": "covector.transforms.control.associative",
    "check_batching": "covector.testing",
    "check_grads": "covector.testing",
    "check_jvp": "covector.testing",
    "check_vjp": "covector.testing",
    "checkpoint": "covector.transforms.checkpoint",
    "cond": "covector.transforms.control.conditional",
    "config": "covector.settings",
    "custom_jvp": "covector.transforms.custom",
    "custom_vjp": "covector.transforms.custom",
    "debug_print": "covector.transforms.debugging",
    "evaluation_trace": "covector.trace.evaluation_trace",
    "export": "covector.transforms.export",
    "fori_loop": "covector.transforms.control.loops",
    "jit": "covector.transforms.jit",
    "make_graph": "covector.transforms.recording",
    "map": "covector.transforms.control.scan",
    "minimize": "covector.optimize.minimize",
    "norms": "covector.norms",
    "optimize": "covector.optimize",
    "scan": "covector.transforms.control.scan",
    "steepest_descent": "covector.optimize.steepest_descent",
    "stop_gradient": "covector.transforms.stop",
    "supported": "covector.numpy.supported",
    "switch": "covector.transforms.control.conditional",
    "testing": "covector.testing",
    "while_loop": "covector.transforms.control.loops",
}
"""The module of each public name that is loaded when it is first used, so that importing covector takes little time."""


def __getattr__(name: str) -> Any:
    """Loads a public name on its first use."""
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module 'covector' has no attribute {name!r}")
    module = import_module(_LOADED_ON_USE[name])
    value = module if module.__name__ == f"covector.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_LOADED_ON_USE]
