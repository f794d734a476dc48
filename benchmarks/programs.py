"""Longer problems: a Gaussian process, bodies that attract each other, loops, and a numerical flux.

Like `problems.py`, which has the short ones and says how a problem is written.
"""

from collections.abc import Callable
from math import log, pi, sqrt
from typing import Any

from benchmarks import by_hand_programs
from benchmarks.problems import Function, Library, Problem, seeded

STEP = 0.01
SOFTENING = 0.1
HEAT_RATIO = 1.4

# --- the functions --------------------------------------------------------------------------


def gaussian_process(library: Library) -> Function:
    """Build the negative log marginal likelihood of targets under a squared exponential covariance.

    The parameters are logarithms: of the variance, of a length for each dimension, of the noise.
    """
    np = library.numpy

    def value(parameters: Any, points: Any, targets: Any) -> Any:
        scaled = points / np.exp(parameters[1:-1])
        squares = np.sum(scaled * scaled, axis=1)
        distances = squares[:, None] + squares[None, :] - 2.0 * (scaled @ scaled.T)
        signal = np.exp(parameters[0]) * np.exp(-0.5 * distances)
        covariance = signal + np.exp(parameters[-1]) * np.eye(len(points))
        factor = np.linalg.cholesky(covariance)
        whitened = library.solve_lower(factor, targets)
        determinant = np.sum(np.log(np.diag(factor)))
        return 0.5 * np.sum(whitened * whitened) + determinant + 0.5 * len(points) * log(2.0 * pi)

    return value


def attraction(library: Library) -> Function:
    """Build minus the softened potential energy of bodies, whose gradient is the forces on them."""
    np = library.numpy

    def value(positions: Any, masses: Any) -> Any:
        difference = positions[:, None, :] - positions[None, :, :]
        distance = np.sqrt(np.sum(difference**2, axis=-1) + SOFTENING**2)
        return 0.5 * np.sum(masses[:, None] * masses[None, :] / distance)

    return value


def predation(steps: int) -> Callable[[Library], Function]:
    """Return the builder of prey plus predators after some Runge-Kutta steps of Lotka and Volterra's equations."""

    def build(library: Library) -> Function:
        def value(prey: Any, predators: Any, birth: Any, catch: Any, growth: Any, death: Any) -> Any:
            def slope(x: Any, y: Any) -> tuple[Any, Any]:
                return birth * x - catch * x * y, growth * x * y - death * y

            def step(state: tuple[Any, Any], _: None) -> tuple[Any, Any]:
                x, y = state
                x1, y1 = slope(x, y)
                x2, y2 = slope(x + 0.5 * STEP * x1, y + 0.5 * STEP * y1)
                x3, y3 = slope(x + 0.5 * STEP * x2, y + 0.5 * STEP * y2)
                x4, y4 = slope(x + STEP * x3, y + STEP * y3)
                return (
                    x + STEP / 6.0 * (x1 + 2.0 * x2 + 2.0 * x3 + x4),
                    y + STEP / 6.0 * (y1 + 2.0 * y2 + 2.0 * y3 + y4),
                )

            x, y = library.loop(step, (prey, predators), None, steps)
            return x + y

        return value

    return build


def recurrence(library: Library) -> Function:
    """Build the sum of squares of the last state of a recurrent network, h = tanh(h W + x U + b)."""
    np = library.numpy

    def value(weights: Any, inputs: Any, bias: Any, state: Any, rows: Any) -> Any:
        def step(hidden: Any, row: Any) -> Any:
            return np.tanh(hidden @ weights + row @ inputs + bias)

        return np.sum(library.loop(step, state, rows, len(rows)) ** 2)

    return value


def roe_flux(library: Library) -> Function:
    """Build Roe's flux between two states of a gas in one dimension: density, momentum, energy.

    Roe, Approximate Riemann solvers, parameter vectors, and difference schemes, J. Comput. Phys. 43 (1981).
    """
    np = library.numpy

    def primitive(density: Any, momentum: Any, energy: Any) -> tuple[Any, Any, Any]:
        velocity = momentum / density
        pressure = (HEAT_RATIO - 1.0) * (energy - 0.5 * momentum * velocity)
        return velocity, pressure, (energy + pressure) / density

    def value(*state: Any) -> Any:
        density_left, momentum_left, energy_left, density_right, momentum_right, energy_right = state
        u_left, p_left, h_left = primitive(density_left, momentum_left, energy_left)
        u_right, p_right, h_right = primitive(density_right, momentum_right, energy_right)
        left, right = np.sqrt(density_left), np.sqrt(density_right)
        density = left * right
        u = (left * u_left + right * u_right) / (left + right)
        h = (left * h_left + right * h_right) / (left + right)
        a = np.sqrt((HEAT_RATIO - 1.0) * (h - 0.5 * u * u))
        jump, push = (p_right - p_left) / (a * a), density * (u_right - u_left) / a
        backward = np.abs(u - a) * 0.5 * (jump - push)
        contact = np.abs(u) * (density_right - density_left - jump)
        forward = np.abs(u + a) * 0.5 * (jump + push)
        mass = momentum_left + momentum_right
        momentum = momentum_left * u_left + p_left + momentum_right * u_right + p_right
        energy = momentum_left * h_left + momentum_right * h_right
        return (
            0.5 * (mass - backward - contact - forward),
            0.5 * (momentum - backward * (u - a) - contact * u - forward * (u + a)),
            0.5 * (energy - backward * (h - u * a) - contact * (0.5 * u * u) - forward * (h + u * a)),
        )

    return value


# --- the problems ---------------------------------------------------------------------------


def process_problem(size: int) -> Problem:
    """The gradient in the five logarithmic parameters."""
    name = f"gp_{size}"
    random = seeded(name)
    points = random.normal(size=(size, 3))
    parameters = random.uniform(-0.5, 0.5, 5)
    parameters[-1] = -2.0
    arguments = (parameters, points, random.normal(size=size))
    return Problem(name, gaussian_process, arguments, by_hand=by_hand_programs.gaussian_process_gradient)


def bodies_problem(size: int) -> Problem:
    """The forces on bodies."""
    name = f"nbody_{size}"
    random = seeded(name)
    arguments = (random.normal(size=(size, 3)), random.uniform(0.5, 1.5, size))
    return Problem(name, attraction, arguments, by_hand=by_hand_programs.forces)


def predation_problem(steps: int) -> Problem:
    """The gradient in the initial populations and the four rates, all Python floats."""
    by_hand = by_hand_programs.predation_gradient(steps)
    arguments = (1.0, 0.8, 1.1, 0.4, 0.1, 0.4)
    return Problem(f"ode_rk4_{steps}", predation(steps), arguments, argnums=tuple(range(6)), by_hand=by_hand)


def recurrence_problem(steps: int, width: int) -> Problem:
    """The gradient in the weights and the bias."""
    name = f"rnn_T{steps}_h{width}"
    random = seeded(name)
    inputs = width // 2
    arguments = (
        random.normal(size=(width, width)) / sqrt(width),
        random.normal(size=(inputs, width)) / sqrt(inputs),
        0.1 * random.normal(size=width),
        random.normal(size=width),
        random.normal(size=(steps, inputs)),
    )
    return Problem(name, recurrence, arguments, argnums=(0, 1, 2), by_hand=by_hand_programs.recurrence_gradient)


def roe_problem() -> Problem:
    """The Jacobian of the three fluxes in the six numbers on both sides, all Python floats."""
    arguments = (1.0, 0.3, 2.5, 0.6, 0.2, 1.9)
    return Problem("roe", roe_flux, arguments, argnums=tuple(range(6)), derivative="jacobian")
