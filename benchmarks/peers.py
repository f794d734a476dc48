"""Who differentiates: covector and the libraries it is compared with, behind one method.

    peer.prepare(problem)() -> the derivative, as NumPy arrays

`prepare` does what a user does once (building the derivative function); calling the result does
what a user does each time, including any conversion of the arguments from NumPy and of the
derivative to NumPy. A peer imports its library when it is instantiated; one that is not installed
is reported, not required.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from benchmarks.problems import Function, Library, Problem, python_loop

Call = Callable[[], Any]


class Peer(ABC):
    """One way to obtain derivatives. A name, the packages behind it, and how it prepares a call."""

    name: str
    packages: tuple[str, ...] = ()

    @abstractmethod
    def prepare(self, problem: Problem) -> Call | None:
        """Return a call that computes the derivative, or None if this peer does not offer it."""


class Covector(Peer):
    """The library in this checkout: the problem's function is plain NumPy, its derivative eager or compiled."""

    packages = ("covector", "numpy", "scipy")

    def __init__(self, compiled: bool = False) -> None:
        module = import_module("covector")
        self.name = "covector.jit" if compiled else "covector"
        self.compile = module.jit if compiled else (lambda function: function)
        solve = partial(import_module("covector.scipy.linalg").solve_triangular, lower=True)
        self.library = Library(np, import_module("scipy.special").erf, solve, self.loop)
        self.operators = {"gradient": module.grad, "jacobian": module.jacrev, "hessian": module.hessian}
        self.module = module

    def prepare(self, problem: Problem) -> Call:
        return partial(self.compile(self.derivative(problem)), *problem.arguments)

    def derivative(self, problem: Problem) -> Function:
        """Return the function that computes the derivative."""
        function = problem.build(self.library)
        if problem.derivative == "hvp":
            hvp = self.module.hvp  # not through the peer: a jitted function watches the arrays of all that it refers to
            return lambda x, vector: hvp(function, (x,), (vector,))
        derivative: Function = self.operators[problem.derivative](function, argnums=problem.argnums)
        return derivative

    def loop(self, step: Function, carry: Any, rows: Any, length: int) -> Any:
        """Return the last carry, by the loop that is one operation."""
        return self.module.scan(lambda state, row: (step(state, row), None), carry, rows, length)[0]


class Autograd(Peer):
    """HIPS autograd."""

    name = "autograd"
    packages = ("autograd",)

    def __init__(self) -> None:
        module = import_module("autograd")
        solve = partial(import_module("autograd.scipy.linalg").solve_triangular, lower=True)
        self.numpy = import_module("autograd.numpy")
        self.library = Library(self.numpy, import_module("autograd.scipy.special").erf, solve, python_loop)
        self.operators = {"gradient": module.grad, "jacobian": module.jacobian, "hessian": module.hessian}
        self.product = module.hessian_vector_product

    def prepare(self, problem: Problem) -> Call:
        function = problem.build(self.library)
        if problem.derivative == "hvp":
            return partial(self.product(function), *problem.arguments)
        if problem.derivative == "jacobian" and isinstance(problem.argnums, tuple):
            return self.of_several(function, problem.arguments)
        return partial(self.operators[problem.derivative](function, problem.argnums), *problem.arguments)

    def of_several(self, function: Function, arguments: Sequence[float]) -> Call:
        """Return a call for the Jacobian of several numbers in several numbers, which autograd takes as vectors."""
        jacobian = self.operators["jacobian"](lambda x: self.numpy.array(function(*x)))
        return lambda: tuple(map(tuple, jacobian(np.array(arguments))))


class Jax(Peer):
    """JAX in double precision, its derivative run operation by operation or compiled as a whole."""

    packages = ("jax", "jaxlib")

    def __init__(self, compiled: bool) -> None:
        jax = import_module("jax")
        jax.config.update("jax_enable_x64", True)
        self.name = "jax.jit" if compiled else "jax"
        self.compile = jax.jit if compiled else (lambda function: function)
        self.jax = jax
        solve = partial(import_module("jax.scipy.linalg").solve_triangular, lower=True)
        self.library = Library(import_module("jax.numpy"), import_module("jax.scipy.special").erf, solve, self.loop)
        self.operators = {"gradient": jax.grad, "jacobian": jax.jacrev, "hessian": jax.hessian}

    def prepare(self, problem: Problem) -> Call:
        derivative = self.compile(self.derivative(problem))
        return lambda: self.jax.tree.map(np.asarray, derivative(*problem.arguments))

    def derivative(self, problem: Problem) -> Function:
        """Return the function that computes the derivative."""
        function = problem.build(self.library)
        if problem.derivative == "hvp":
            return lambda x, vector: self.jax.jvp(self.jax.grad(function), (x,), (vector,))[1]
        derivative: Function = self.operators[problem.derivative](function, argnums=problem.argnums)
        return derivative

    def loop(self, step: Function, carry: Any, rows: Any, length: int) -> Any:
        """Return the last carry, by the loop that XLA compiles."""
        return self.jax.lax.scan(lambda state, row: (step(state, row), None), carry, rows, length)[0]


class TorchNumpy:
    """The NumPy names that the problems use, as PyTorch spells them."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        for name in ("abs", "cos", "diag", "exp", "linalg", "log", "log1p", "mean", "sin", "sqrt", "sum", "tanh"):
            setattr(self, name, getattr(torch, name))

    def eye(self, size: int) -> Any:
        """Return the identity matrix in double precision."""
        return self.torch.eye(size, dtype=self.torch.float64)

    def max(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        """Return the largest entries, without their positions."""
        return self.torch.amax(x, () if axis is None else axis, keepdims)

    def maximum(self, x: Any, bound: float) -> Any:
        """Return the larger of a tensor and a Python number."""
        return self.torch.clamp(x, min=bound)


class Torch(Peer):
    """PyTorch: `torch.autograd.grad` for gradients, `torch.func` for dense derivatives."""

    name = "torch"
    packages = ("torch",)

    def __init__(self) -> None:
        self.torch = import_module("torch")
        self.torch.set_num_threads(1)
        self.library = Library(TorchNumpy(self.torch), self.torch.erf, self.solve_lower, python_loop)
        self.operators = {"jacobian": self.torch.func.jacrev, "hessian": self.torch.func.hessian}

    def prepare(self, problem: Problem) -> Call:
        function = problem.build(self.library)
        if problem.derivative == "gradient":
            return partial(self.gradient, function, problem)
        if problem.derivative == "hvp":
            return partial(self.product, function, *problem.arguments)
        derivative = self.operators[problem.derivative](function, argnums=problem.argnums)
        return lambda: arrays(derivative(*map(self.tensor, problem.arguments)))

    def solve_lower(self, factor: Any, right: Any) -> Any:
        """Solve a lower triangular system for a vector."""
        return self.torch.linalg.solve_triangular(factor, right[:, None], upper=False)[:, 0]

    def product(self, function: Function, x: Any, vector: Any) -> Any:
        """Return the Hessian times a vector, forward over reverse."""
        functional = self.torch.func
        return functional.jvp(functional.grad(function), (self.tensor(x),), (self.tensor(vector),))[1].numpy()

    def tensor(self, argument: Any) -> Any:
        """Return an array as a tensor that shares its memory, or a float as one of no dimensions."""
        return self.torch.as_tensor(argument, dtype=self.torch.float64)

    def gradient(self, function: Function, problem: Problem) -> Any:
        """Differentiate with respect to fresh leaves, as a training loop over NumPy data would."""
        several = isinstance(problem.argnums, tuple)
        argnums: Sequence[int] = problem.argnums if isinstance(problem.argnums, tuple) else (problem.argnums,)
        tensors = [self.tensor(argument) for argument in problem.arguments]
        leaves = [tensors[argnum].requires_grad_(True) for argnum in argnums]
        gradients = tuple(x.numpy() for x in self.torch.autograd.grad(function(*tensors), leaves))
        return gradients if several else gradients[0]


def arrays(tensors: Any) -> Any:
    """Return nested tuples of tensors as nested tuples of arrays."""
    return tuple(map(arrays, tensors)) if isinstance(tensors, tuple) else tensors.numpy()


class ByHand(Peer):
    """The derivative a person wrote in NumPy, where there is one."""

    name = "by hand"

    def prepare(self, problem: Problem) -> Call | None:
        if problem.by_hand is None:
            return None
        return partial(problem.by_hand, *problem.arguments)


OTHERS: tuple[Callable[[], Peer], ...] = (
    Autograd,
    partial(Jax, compiled=False),
    partial(Jax, compiled=True),
    Torch,
    ByHand,
)


COMPILED: tuple[Callable[[], Peer], ...] = (partial(Jax, compiled=True), Autograd, Torch, ByHand)


def installed_peers(
    ours: Callable[[], Peer] = Covector, others: Sequence[Callable[[], Peer]] = OTHERS
) -> tuple[list[Peer], list[str]]:
    """Return covector and the peers that can be imported, and the modules missing for the others."""
    peers: list[Peer] = [ours()]
    missing = []
    for make in others:
        try:
            peers.append(make())
        except ModuleNotFoundError as error:
            missing.append(str(error.name))
    return peers, sorted(set(missing))


def version_of(package: str) -> str:
    """Return a package's version, or say that it runs from its sources."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "from source"


def versions(peers: Sequence[Peer]) -> dict[str, str]:
    """Return the version of every package behind the peers."""
    return {package: version_of(package) for peer in peers for package in peer.packages}
