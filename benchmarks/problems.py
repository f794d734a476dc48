"""What is differentiated: each problem once, for every array library.

A problem's function is built from a `Library`, which is NumPy itself for covector and a look-alike
for every other peer:

    def log_sum_exp(library):
        np = library.numpy
        def value(x):
            shift = np.max(x)
            return shift + np.log(np.sum(np.exp(x - shift)))
        return value

Its arguments are NumPy arrays or Python floats. Data that is not differentiated (the rows of a
regression, say) is an argument like any other, so that every peer pays for converting it.
"""

from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from typing import Any, Literal

import numpy
from attrs import frozen

from benchmarks import by_hand

Function = Callable[..., Any]
Derivative = Literal["gradient", "jacobian", "hessian", "hvp"]

# The least that is asked of (autograd's time) / (covector's time), by kind of problem.
SCALAR, ARRAY, MILLION, DENSE = 4.0, 1.5, 0.9, 10.0


@frozen
class Library:
    """An array library as the problems see it: NumPy's names, and what NumPy has no name for.

    `solve_lower(L, b)` solves L x = b for a lower triangular L; `loop(step, carry, rows, length)` returns
    the last of carry = step(carry, row), the rows being None if there are none.
    """

    numpy: Any
    erf: Function
    solve_lower: Function
    loop: Function


def python_loop(step: Function, carry: Any, rows: Any, length: int) -> Any:
    """Return the last carry, by a loop in Python."""
    for i in range(length):
        carry = step(carry, None if rows is None else rows[i])
    return carry


@frozen
class Problem:
    """A function at a point, the derivative that is wanted of it, and the speed that is asked for.

    The last argument of a Hessian-vector product ("hvp") is the vector, the first one the point.
    """

    name: str
    build: Callable[[Library], Function]
    arguments: tuple[Any, ...]
    at_least: float = 0.0
    argnums: int | tuple[int, ...] = 0
    derivative: Derivative = "gradient"
    by_hand: Function | None = None


# --- the functions --------------------------------------------------------------------------


def textbook(library: Library) -> Function:
    """Build ln x1 + x1 x2 - sin x2, the example of every introduction."""
    np = library.numpy

    def value(x1: Any, x2: Any) -> Any:
        return np.log(x1) + x1 * x2 - np.sin(x2)

    return value


def chain(operations: int) -> Callable[[Library], Function]:
    """Return the builder of a chain that cycles through x * 1.05, x + 0.1 and tanh x."""

    def build(library: Library) -> Function:
        np = library.numpy

        def value(x: Any) -> Any:
            for step in range(operations):
                if step % 3 == 0:
                    x = x * 1.05
                elif step % 3 == 1:
                    x = x + 0.1
                else:
                    x = np.tanh(x)
            return x

        return value

    return build


def rosenbrock(library: Library) -> Function:
    """Build the chained Rosenbrock function."""
    np = library.numpy

    def value(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return value


def logistic_regression(library: Library) -> Function:
    """Build the mean negative log likelihood of labels in {0, 1}, with a stable softplus."""
    np = library.numpy

    def loss(weights: Any, rows: Any, labels: Any) -> Any:
        score = rows @ weights
        softplus = np.maximum(score, 0.0) + np.log1p(np.exp(-np.abs(score)))
        return np.mean(softplus - labels * score)

    return loss


def perceptron(library: Library) -> Function:
    """Build the softmax cross entropy of a tanh network; its parameters are W1, b1, W2, b2, ..."""
    np = library.numpy

    def loss(rows: Any, labels: Any, *parameters: Any) -> Any:
        hidden = rows
        for weights, bias in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            hidden = np.tanh(hidden @ weights + bias)
        logits = hidden @ parameters[-2] + parameters[-1]
        shifted = logits - np.max(logits, axis=1, keepdims=True)
        log_likelihood = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
        return -np.mean(np.sum(labels * log_likelihood, axis=1))

    return loss


def log_sum_exp(library: Library) -> Function:
    """Build log sum exp x, shifted by the largest entry."""
    np = library.numpy

    def value(x: Any) -> Any:
        shift = np.max(x)
        return shift + np.log(np.sum(np.exp(x - shift)))

    return value


def elementwise(library: Library) -> Function:
    """Build twenty elementwise steps: sin x, 0.5 x, x + 0.3, exp(-x), x^2, four times over, summed."""
    np = library.numpy

    def value(x: Any) -> Any:
        for _ in range(4):
            x = np.exp(-(0.5 * np.sin(x) + 0.3)) ** 2
        return np.sum(x)

    return value


def black_scholes(library: Library) -> Function:
    """Build the summed Black-Scholes price of calls."""
    np, erf = library.numpy, library.erf

    def normal(d: Any) -> Any:
        return 0.5 * (1.0 + erf(d / sqrt(2.0)))

    def price(spot: Any, strike: Any, rate: Any, volatility: Any, time: Any) -> Any:
        spread = volatility * np.sqrt(time)
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / spread
        return np.sum(spot * normal(d1) - strike * np.exp(-rate * time) * normal(d1 - spread))

    return price


def mixing(library: Library) -> Function:
    """Build tanh(A sin x), a map from vectors to vectors."""
    np = library.numpy

    def value(x: Any, matrix: Any) -> Any:
        return np.tanh(matrix @ np.sin(x))

    return value


# --- the problems ---------------------------------------------------------------------------


def seeded(name: str) -> numpy.random.Generator:
    """Return the random numbers of one problem: the same ones in every run."""
    return numpy.random.default_rng(list(name.encode()))


def textbook_problem() -> Problem:
    """Two Python floats and four operations."""
    return Problem(
        "textbook", textbook, (2.0, 5.0), SCALAR, argnums=(0, 1), by_hand=by_hand.textbook_gradient
    )


def chain_problem(operations: int) -> Problem:
    """A chain on one Python float."""
    return Problem(
        f"chain_{operations}", chain(operations), (0.7,), SCALAR, by_hand=by_hand.chain_gradient(operations)
    )


def rosenbrock_problem(size: int) -> Problem:
    """The gradient of the Rosenbrock function."""
    name = f"rosen_{size}"
    point = seeded(name).normal(size=size)
    return Problem(name, rosenbrock, (point,), MILLION, by_hand=by_hand.rosenbrock_gradient)


def regression_data(name: str, rows: int, columns: int) -> tuple[Any, Any, Any]:
    """Return weights, rows and labels of a logistic regression."""
    random = seeded(name)
    labels = (random.random(rows) < 0.5).astype(float)
    return random.normal(size=columns), random.normal(size=(rows, columns)), labels


def regression_problem(rows: int, columns: int) -> Problem:
    """The gradient of a logistic regression."""
    name = f"logreg_{rows}x{columns}"
    data = regression_data(name, rows, columns)
    return Problem(name, logistic_regression, data, ARRAY, by_hand=by_hand.logistic_regression_gradient)


def perceptron_problem(sizes: tuple[int, ...], batch: int) -> Problem:
    """The gradient of a network's loss with respect to all its weights and biases."""
    name = f"mlp_{'_'.join(map(str, sizes))}_b{batch}"
    random = seeded(name)
    parameters: list[Any] = []
    for before, after in pairwise(sizes):
        parameters += [random.normal(size=(before, after)) / sqrt(before), 0.1 * random.normal(size=after)]
    labels = numpy.eye(sizes[-1])[random.integers(sizes[-1], size=batch)]
    return Problem(
        name,
        perceptron,
        (random.normal(size=(batch, sizes[0])), labels, *parameters),
        ARRAY,
        argnums=tuple(range(2, 2 + len(parameters))),
        by_hand=by_hand.perceptron_gradient,
    )


def log_sum_exp_problem(size: int) -> Problem:
    """The gradient of log sum exp, which is the softmax."""
    name = f"lse_{size}"
    point = seeded(name).normal(size=size)
    return Problem(name, log_sum_exp, (point,), MILLION, by_hand=by_hand.log_sum_exp_gradient)


def elementwise_problem(size: int) -> Problem:
    """The gradient of twenty elementwise steps."""
    name = f"ew20_{size}"
    point = seeded(name).normal(size=size)
    return Problem(name, elementwise, (point,), MILLION, by_hand=by_hand.elementwise_gradient)


def black_scholes_problem(size: int) -> Problem:
    """The five first-order greeks."""
    name = f"bs_{size}"
    bounds = [(80.0, 120.0), (80.0, 120.0), (0.01, 0.05), (0.1, 0.4), (0.2, 2.0)]
    random = seeded(name)
    market = tuple(random.uniform(low, high, size) for low, high in bounds)
    return Problem(
        name, black_scholes, market, MILLION, argnums=(0, 1, 2, 3, 4), by_hand=by_hand.black_scholes_greeks
    )


def jacobian_problem(size: int) -> Problem:
    """A dense Jacobian."""
    name = f"jac_{size}x{size}"
    random = seeded(name)
    arguments = (random.normal(size=size), random.normal(size=(size, size)) / sqrt(size))
    return Problem(
        name, mixing, arguments, DENSE, derivative="jacobian", by_hand=by_hand.mixing_jacobian
    )


def rosenbrock_product_problem(size: int) -> Problem:
    """The Hessian of the Rosenbrock function times a vector."""
    name = f"rosen_{size}_hvp"
    random = seeded(name)
    arguments = (random.normal(size=size), random.normal(size=size))
    return Problem(name, rosenbrock, arguments, derivative="hvp", by_hand=by_hand.rosenbrock_product)


def rosenbrock_hessian_problem(size: int) -> Problem:
    """A Hessian that happens to be tridiagonal, computed as a dense one."""
    name = f"hess_rosen_{size}"
    point = seeded(name).normal(size=size)
    return Problem(
        name, rosenbrock, (point,), DENSE, derivative="hessian", by_hand=by_hand.rosenbrock_hessian
    )


def regression_hessian_problem(rows: int, columns: int) -> Problem:
    """The dense Hessian of a logistic regression."""
    name = f"hess_logreg_{rows}x{columns}"
    data = regression_data(name, rows, columns)
    return Problem(
        name,
        logistic_regression,
        data,
        DENSE,
        derivative="hessian",
        by_hand=by_hand.logistic_regression_hessian,
    )


def full_size() -> list[Problem]:
    """Return the problems whose ratios are reported."""
    million = 10**6
    return [
        textbook_problem(),
        chain_problem(300),
        perceptron_problem((20, 32, 10), 32),
        perceptron_problem((784, 128, 64, 10), 256),
        regression_problem(1000, 20),
        regression_problem(10000, 50),
        rosenbrock_problem(million),
        elementwise_problem(million),
        log_sum_exp_problem(million),
        black_scholes_problem(10**5),
        jacobian_problem(100),
        rosenbrock_hessian_problem(100),
        regression_hessian_problem(1000, 100),
    ]


def small_size() -> list[Problem]:
    """Return the same problems at sizes that only show that they run and agree."""
    return [
        textbook_problem(),
        chain_problem(30),
        perceptron_problem((6, 5, 4, 3), 8),
        regression_problem(50, 5),
        rosenbrock_problem(100),
        elementwise_problem(100),
        log_sum_exp_problem(100),
        black_scholes_problem(100),
        jacobian_problem(10),
        rosenbrock_hessian_problem(10),
        regression_hessian_problem(50, 5),
    ]


def memory_problems(full: bool) -> list[Problem]:
    """Return the problems whose peak memory is compared."""
    size = 10**6 if full else 10**4
    network = ((784, 128, 64, 10), 256) if full else ((40, 30, 20, 10), 64)
    return [elementwise_problem(size), perceptron_problem(*network), rosenbrock_problem(size)]
