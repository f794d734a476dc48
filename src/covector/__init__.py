"""covector: composable derivatives of plain NumPy code.

    >>> import numpy as np
    >>> import covector as cv
    >>> cv.grad(lambda x: np.sum(np.sin(x) * x))(np.array([0.0, 1.0])).round(4)
    array([0.    , 1.3818])

A gradient is a covector; only a norm turns it into a direction to step in.
"""

import covector.numpy as _numpy_protocols  # noqa: F401  # fills the tables that tracers look NumPy up in
from covector import norms, optimize
from covector.core.types import ArrayType
from covector.evaluation_trace import EvaluationTrace, evaluation_trace
from covector.graph.graph import Graph
from covector.numpy.supported import Rules, supported
from covector.numpy.updates import at
from covector.optimize.minimize import MinimizeResult, minimize
from covector.optimize.steepest_descent import SteepestDescent, steepest_descent
from covector.testing import check_batching, check_grads, check_jvp, check_vjp
from covector.transforms.checkpoint import checkpoint
from covector.transforms.control.associative import associative_scan
from covector.transforms.control.conditional import cond, switch
from covector.transforms.control.loops import fori_loop, while_loop
from covector.transforms.control.scan import Binomial, map, scan
from covector.transforms.custom import custom_jvp, custom_vjp
from covector.transforms.derivatives import jvp, linear_transpose, linearize, vjp
from covector.transforms.export import export
from covector.transforms.gradient import grad, value_and_grad
from covector.transforms.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from covector.transforms.jit import jit
from covector.transforms.linear_map import LinearMap
from covector.transforms.recording import make_graph
from covector.transforms.stop import stop_gradient
from covector.transforms.vectorize import vmap

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
    "custom_jvp",
    "custom_vjp",
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
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]
