"""Known optimizers, each against the published algorithm written out here in plain NumPy, for fifty steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power, polar
from scipy.optimize import minimize as scipy_minimize

import covector as cv
from covector import norms, optimize
from covector.errors import ArgumentError, ShapeMismatchError
from covector.optimize import Optimizer
from covector.trees import flatten
from tests.descent import HESSIAN, RNG, ROOT, START, TARGET, bowl, close, trajectory

SHAPES = [(6, 3), (3, 5), (4, 4)]


# --- known optimizers, written out ----------------------------------------------------------------------------

Step = Callable[[Any, Any, Any], tuple[Any, Any]]


def plain_gradient(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.01 * g, m


def plain_heavy_ball(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    m = 0.9 * m + g
    return x - 0.005 * m, m


def plain_normalized(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.05 * g / np.sqrt(np.sum(g * g)), m


def plain_sign(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.05 * np.sign(g), m


def plain_signum(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    m = 0.8 * m + 0.2 * g
    return x - 0.05 * np.sign(m), m


def plain_lion(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    """Program 1 of Chen et al. (2023): update = sign(interp(g, m, beta1)); m = interp(g, m, beta2)."""
    update = np.sign(0.9 * m + 0.1 * g)
    m = 0.99 * m + 0.01 * g
    return x - 0.02 * (update + 0.3 * x), m


def plain_coordinate(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    i = max(range(len(g)), key=lambda j: abs(g[j]))
    x = x.copy()
    x[i] -= g[i] / max(HESSIAN.diagonal())
    return x, m


def plain_weighted_coordinate(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    lipschitz = HESSIAN.diagonal()
    i = max(range(len(g)), key=lambda j: abs(g[j]) / lipschitz[j] ** 0.5)
    x = x.copy()
    x[i] -= g[i] / lipschitz[i]
    return x, m


def plain_top_k(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    x = x.copy()
    for i in np.argsort(-np.abs(g))[:2]:
        x[i] -= 0.05 * (1.0 if g[i] > 0 else -1.0)
    return x, m


def plain_adagrad(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    m = m + g * g
    return x - 0.3 * g / (np.sqrt(m) + 1e-8), m


def plain_rmsprop(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    m = 0.9 * m + 0.1 * g * g
    return x - 0.005 * g / (np.sqrt(m) + 1e-8), m


def plain_adam(x: Any, g: Any, memory: Any) -> tuple[Any, Any]:
    """Algorithm 1 of Kingma and Ba (2015)."""
    m, v, t = memory if isinstance(memory, tuple) else (memory, memory, 0)
    t = t + 1
    m = 0.9 * m + (1 - 0.9) * g
    v = 0.95 * v + (1 - 0.95) * g**2
    m_hat = m / (1 - 0.9**t)
    v_hat = v / (1 - 0.95**t)
    return x - 0.02 * m_hat / (np.sqrt(v_hat) + 1e-6), (m, v, t)


def plain_adamw(x: Any, g: Any, memory: Any) -> tuple[Any, Any]:
    """Algorithm 2 of Loshchilov and Hutter (2019), with a constant schedule."""
    after, memory = plain_adam(x, g, memory)
    return after - 0.02 * 0.3 * x, memory


def plain_sobolev(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    difference = np.diff(np.eye(6), axis=0)
    return x - 0.05 * np.linalg.solve(np.eye(6) + 2.0 * difference.T @ difference, g), m


def plain_p_norm(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    """Gentile (2003): theta = f(x), f the gradient of the squared p-norm over 2; x = f^-1(theta - eta g)."""

    def link(z: Any, p: float) -> Any:
        return np.sign(z) * np.abs(z) ** (p - 1) / np.sum(np.abs(z) ** p) ** ((p - 2) / p)

    return link(link(x, 1.5) - 0.02 * g, 3.0), m


def plain_newton(x: Any, g: Any, m: Any) -> tuple[Any, Any]:
    return x - 0.3 * np.linalg.solve(HESSIAN + 0.5 * np.eye(6), g), m


OPTIMIZERS: dict[str, tuple[Optimizer, Step]] = {
    "gradient descent": (optimize.gradient_descent(0.01), plain_gradient),
    "heavy ball": (optimize.gradient_descent(0.005, beta=0.9), plain_heavy_ball),
    "normalized gradient": (optimize.normalized_gradient(0.05), plain_normalized),
    "sign descent": (optimize.sign_descent(0.05), plain_sign),
    "signum": (optimize.signum(0.05, beta=0.8), plain_signum),
    "lion": (optimize.lion(0.02, 0.9, 0.99, weight_decay=0.3), plain_lion),
    "Gauss-Southwell": (optimize.coordinate_descent(float(np.max(np.diag(HESSIAN)))), plain_coordinate),
    "Gauss-Southwell-Lipschitz": (optimize.coordinate_descent(np.diag(HESSIAN).copy()), plain_weighted_coordinate),
    "top-k sign": (optimize.top_k_sign(2, 0.05), plain_top_k),
    "AdaGrad": (optimize.adagrad(0.3), plain_adagrad),
    "RMSProp": (optimize.rmsprop(0.005, beta=0.9), plain_rmsprop),
    "Adam": (optimize.adam(0.02, 0.9, 0.95, 1e-6), plain_adam),
    "AdamW": (optimize.adam(0.02, 0.9, 0.95, 1e-6, weight_decay=0.3), plain_adamw),
    "Sobolev gradient": (optimize.sobolev_descent(0.05, alpha=2.0), plain_sobolev),
    "p-norm mirror descent": (optimize.mirror_descent(norms.lp(1.5), 0.02), plain_p_norm),
    "damped Newton": (optimize.newton(bowl, damping=0.5, step=0.3), plain_newton),
}


@pytest.mark.parametrize(("optimizer", "step"), OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_fifty_steps_of_the_published_algorithm(optimizer: Optimizer, step: Step) -> None:
    x, memory = START.copy(), np.zeros(6)
    for found in trajectory(optimizer, bowl, START):
        x, memory = step(x, HESSIAN @ x - TARGET, memory)
        close(found, x, 1e-9)


@pytest.mark.parametrize("silent", [(), (0, 1), (7, 8)], ids=["all", "late", "with a pause"])
def test_fifty_steps_of_pytorchs_optimizers(silent: tuple[int, ...]) -> None:
    """Also where gradients are zero, at first or in between: momentum and weight decay go on."""
    torch = pytest.importorskip("torch", reason="a peer, installed for benchmarks only")
    pairs: dict[str, tuple[Optimizer, dict[str, Any]]] = {
        "SGD": (optimize.gradient_descent(0.005, beta=0.9), {"lr": 0.005, "momentum": 0.9}),
        "Adam": (optimize.adam(0.02, 0.9, 0.99, 1e-3), {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-3}),
        "AdamW": (
            optimize.adam(0.02, 0.9, 0.99, 1e-3, weight_decay=0.2),
            {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-3, "weight_decay": 0.2},
        ),
        "RMSprop": (optimize.rmsprop(0.02, 0.95, 1e-3), {"lr": 0.02, "alpha": 0.95, "eps": 1e-3}),
        "Adagrad": (optimize.adagrad(0.2, 1e-3), {"lr": 0.2, "eps": 1e-3}),
    }  # fmt: skip
    for name, (mine, options) in pairs.items():
        theirs = torch.tensor(START, requires_grad=True)
        peer, x, state = getattr(torch.optim, name)([theirs], **options), START, mine.init(START)
        for k in range(50):
            gradient = 0.0 * START if k in silent else HESSIAN @ x - TARGET
            theirs.grad = torch.tensor(gradient)
            peer.step()
            updates, state = mine.update(gradient, state, x)
            x = x + updates
            close(x, theirs.detach().numpy(), 1e-9)


# --- for weight matrices ---------------------------------------------------------------------------------------

TARGETS = [RNG.normal(size=s) for s in SHAPES]
MIXING = [RNG.normal(size=(s[0], s[0])) for s in SHAPES]
WEIGHTS = [RNG.normal(size=s) for s in SHAPES]

Memory = dict[str, Any]
MatrixStep = Callable[[Any, Any, Memory, int], Any]


def loss(weights: Any) -> Any:
    return sum(np.sum((m @ w - t) ** 2) for m, w, t in zip(MIXING, weights, TARGETS, strict=True))


def plain_muon(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """K. Jordan's code, with SciPy's polar decomposition in place of the Newton-Schulz steps."""
    memory["buffer"] = 0.95 * memory.get("buffer", 0.0) + g
    update = polar(g + 0.95 * memory["buffer"])[0] * max(1, g.shape[0] / g.shape[1]) ** 0.5
    return w * (1 - 0.02 * 0.1) - 0.02 * update


def spectral_lmo(m: Any) -> Any:
    """Table 2 of Pethick et al. (2025): -sqrt(d_out / d_in) U V^T."""
    u, _, vt = np.linalg.svd(m, full_matrices=False)
    return -((m.shape[0] / m.shape[1]) ** 0.5) * u @ vt


def plain_unconstrained_scion(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 1 of Pethick et al. (2025), with alpha = 0.3 and gamma = 0.05."""
    memory["d"] = (1 - 0.3) * memory.get("d", 0.0) + 0.3 * g
    return w + 0.05 * spectral_lmo(memory["d"])


def plain_scion(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 2: the same in a ball of radius rho = 20."""
    memory["d"] = (1 - 0.3) * memory.get("d", 0.0) + 0.3 * g
    return (1 - 0.05) * w + 0.05 * 20.0 * spectral_lmo(memory["d"])


def plain_dion(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 1 of Ahn et al. (2025), an exact factorization of rank 2 in place of the power iteration."""
    buffer = memory.get("m", 0.0) + g
    u, s, vt = np.linalg.svd(buffer, full_matrices=False)
    p, r = u[:, :2], vt[:2].T * s[:2]
    memory["m"] = buffer - (1 - 0.9) * p @ r.T
    q = r / np.linalg.norm(r, axis=0)
    return w * (1 - 0.02 * 0.1) - 0.02 * np.sqrt(w.shape[0] / w.shape[1]) * p @ q.T


def plain_shampoo(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 1 of Gupta et al. (2018)."""
    memory["L"] = memory.get("L", 0.01 * np.eye(w.shape[0])) + g @ g.T
    memory["R"] = memory.get("R", 0.01 * np.eye(w.shape[1])) + g.T @ g
    left, right = (fractional_matrix_power(memory[side], -0.25) for side in "LR")
    return w - 0.3 * left @ g @ right


def plain_lars(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 1 of You et al. (2020), phi clipping to [0.001, 2]."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    trust = np.clip(np.linalg.norm(w), 0.001, 2.0)
    return w - 0.05 * trust / np.linalg.norm(memory["m"]) * memory["m"]


def plain_decayed_lars(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 1 of You et al. (2020) in full: the decay lambda = 0.3 is part of the gradient."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + (1 - 0.9) * (g + 0.3 * w)
    trust = np.clip(np.linalg.norm(w), 0.001, 2.0)
    return w - 0.05 * trust * memory["m"] / np.linalg.norm(memory["m"])


def plain_decayed_lamb(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 2 of You et al. (2020) in full: phi(|x|) / |r + lambda x| times r + lambda x, with lambda = 0.3."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + (1 - 0.9) * g
    memory["v"] = 0.99 * memory.get("v", 0.0) + (1 - 0.99) * g**2
    ratio = memory["m"] / (1 - 0.9**k) / (np.sqrt(memory["v"] / (1 - 0.99**k)) + 1e-6)
    update = ratio + 0.3 * w
    return w - 0.05 * np.clip(np.linalg.norm(w), 0.001, 2.0) / np.linalg.norm(update) * update


def plain_lamb(w: Any, g: Any, memory: Memory, k: int) -> Any:
    """Algorithm 2 of You et al. (2020), phi clipping to [0.001, 2]."""
    memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    memory["v"] = 0.99 * memory.get("v", 0.0) + 0.01 * g**2
    r = memory["m"] / (1 - 0.9**k) / (np.sqrt(memory["v"] / (1 - 0.99**k)) + 1e-6)
    trust = np.clip(np.linalg.norm(w), 0.001, 2.0)
    return w - 0.05 * trust / np.linalg.norm(r) * r


MATRIX_OPTIMIZERS: dict[str, tuple[Optimizer, MatrixStep]] = {
    "Muon": (optimize.muon(0.02, 0.95, 0.1), plain_muon),
    "unconstrained Scion": (optimize.scion(0.05, beta=0.7), plain_unconstrained_scion),
    "Scion": (optimize.scion(0.05, beta=0.7, radius=20.0), plain_scion),
    "Dion": (optimize.dion(2, 0.02, 0.9, 0.1), plain_dion),
    "Shampoo": (optimize.shampoo(0.3, epsilon=0.01), plain_shampoo),
    "LARS": (optimize.lars(0.05, largest=2.0), plain_lars),
    "LAMB": (optimize.lamb(0.05, 0.9, 0.99, 1e-6, largest=2.0), plain_lamb),
    "LARS with decay": (optimize.lars(0.05, largest=2.0, weight_decay=0.3), plain_decayed_lars),
    "LAMB with decay": (optimize.lamb(0.05, 0.9, 0.99, 1e-6, largest=2.0, weight_decay=0.3), plain_decayed_lamb),
}


@pytest.mark.parametrize(("optimizer", "step"), MATRIX_OPTIMIZERS.values(), ids=list(MATRIX_OPTIMIZERS))
def test_fifty_steps_of_the_published_algorithm_for_matrices(optimizer: Optimizer, step: MatrixStep) -> None:
    weights: list[Any] = list(WEIGHTS)
    memories: list[Memory] = [{} for _ in SHAPES]
    for k, found in enumerate(trajectory(optimizer, loss, WEIGHTS)):
        for i, (mixing, target) in enumerate(zip(MIXING, TARGETS, strict=True)):
            gradient = 2 * mixing.T @ (mixing @ weights[i] - target)
            weights[i] = step(weights[i], gradient, memories[i], k + 1)
            close(found[i], weights[i], 1e-7)


def test_shampoo_takes_arrays_of_any_number_of_axes() -> None:
    """Algorithm 2: the power is -1 / (2 k) for k axes; here for k = 1 and 3, by SciPy's matrix powers."""
    rng = np.random.default_rng(0)
    for shape in ((4,), (2, 3, 2)):
        g, x = rng.normal(size=shape), rng.normal(size=shape)
        optimizer = optimize.shampoo(0.1, epsilon=0.5)
        updates, _ = optimizer.update(g, optimizer.init(x), x)
        wanted = g
        for axis, size in enumerate(shape):
            rows = np.moveaxis(g, axis, 0).reshape(size, -1)
            power = fractional_matrix_power(0.5 * np.eye(size) + rows @ rows.T, -1 / (2 * len(shape)))
            wanted = np.moveaxis(np.tensordot(power, wanted, (1, axis)), 0, axis)
        close(updates, -0.1 * wanted)


def modula_dualize(module: Any, gradients: list[Any], length: float) -> list[Any]:
    """Bernstein and Newhouse (2024), section 3.3: a module is (mass, sensitivity) of one matrix, or a pair of modules
    (first, second) of which the second is applied to what the first returns.
    """
    if not isinstance(module[0], tuple):
        (gradient,) = gradients
        u, _, vt = np.linalg.svd(gradient, full_matrices=False)
        return [length * np.sqrt(gradient.shape[0] / gradient.shape[1]) * u @ vt]
    first, second = module
    size = leaves(first)
    total = mass(module)
    return [
        *modula_dualize(first, gradients[:size], length * mass(first) / total / sensitivity(second)),
        *modula_dualize(second, gradients[size:], length * mass(second) / total),
    ]


def leaves(module: Any) -> int:
    return 1 if not isinstance(module[0], tuple) else leaves(module[0]) + leaves(module[1])


def mass(module: Any) -> float:
    return module[0] if not isinstance(module[0], tuple) else mass(module[0]) + mass(module[1])


def sensitivity(module: Any) -> float:
    return module[1] if not isinstance(module[0], tuple) else sensitivity(module[0]) * sensitivity(module[1])


def test_fifty_steps_in_the_modular_norm() -> None:
    """The recursion over nested modules and the formula for a chain agree, however the chain is nested."""
    masses, sensitivities = [1.0, 0.5, 3.0], [2.0, 1.5, 0.7]
    one, two, three = zip(masses, sensitivities, strict=True)
    optimizer = optimize.modular_descent([norms.rms_to_rms()] * 3, masses, 0.05, sensitivities)
    for module in (((one, two), three), (one, (two, three))):
        weights: list[Any] = list(WEIGHTS)
        for found in trajectory(optimizer, loss, WEIGHTS):
            gradients = [
                2 * m.T @ (m @ w - t) for m, w, t in zip(MIXING, weights, TARGETS, strict=True)
            ]
            steps = modula_dualize(module, gradients, 0.05)
            weights = [w - d for w, d in zip(weights, steps, strict=True)]
            for x, w in zip(found, weights, strict=True):
                close(x, w, 1e-7)


# --- with functions of their own ---------------------------------------------------------------------------------


def residuals(x: Any) -> Any:
    return np.tanh(ROOT @ x) - np.linspace(-0.5, 0.5, 8)


def test_fifty_steps_of_levenberg_and_marquardt() -> None:
    optimizer = optimize.gauss_newton(residuals, damping=0.3)
    x = 0.1 * START
    for found in trajectory(optimizer, lambda x: np.sum(residuals(x) ** 2) / 2, x):
        jacobian = (1 - np.tanh(ROOT @ x) ** 2)[:, None] * ROOT
        step = np.linalg.lstsq(  # the damped least squares problem itself, not its normal equations
            np.vstack([jacobian, np.sqrt(0.3) * np.eye(6)]), np.concatenate([residuals(x), np.zeros(6)]), rcond=None
        )[0]
        x = x - step
        close(found, x)


def test_fifty_steps_of_the_natural_gradient() -> None:
    """Of logistic regression; its Fisher information is the sum of p (1 - p) a a^T."""
    labels = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0])

    def likelihood(x: Any) -> Any:
        return np.sum(np.logaddexp(0.0, -labels * (ROOT @ x)))

    def fisher(x: Any) -> Any:
        p = 1 / (1 + np.exp(-ROOT @ x))
        return (ROOT.T * (p * (1 - p))) @ ROOT

    x = np.zeros(6)
    for found in trajectory(optimize.natural_gradient(fisher, damping=1e-2, step=0.1), likelihood, x):
        p = 1 / (1 + np.exp(-ROOT @ x))
        score = ROOT.T @ (p - (labels + 1) / 2)
        information = sum((q * (1 - q) * np.outer(a, a) for q, a in zip(p, ROOT, strict=True)), 0.01 * np.eye(6))
        x = x - 0.1 * np.linalg.solve(information, score)
        close(found, x, 1e-8)


@pytest.mark.parametrize("scaled", [False, True])
def test_fifty_steps_of_greedy_block_descent(scaled: bool) -> None:
    """Blocks are the rows of an array, or the leaves of a tree."""
    blocks = [slice(0, 2), slice(2, 4), slice(4, 6)]
    bounds = np.array([np.linalg.eigvalsh(HESSIAN[b, b])[-1] for b in blocks])
    lipschitz = bounds if scaled else float(np.max(bounds))
    by_rows = trajectory(optimize.block_descent(lipschitz, axes=1), lambda x: bowl(x.reshape(6)), START.reshape(3, 2))
    by_leaves = trajectory(
        optimize.block_descent(lipschitz), lambda x: bowl(np.concatenate(x)), [START[b] for b in blocks]
    )
    x = START.copy()
    for rows, parts in zip(by_rows, by_leaves, strict=True):
        g = HESSIAN @ x - TARGET
        merits = [np.linalg.norm(g[b]) / (bounds[j] ** 0.5 if scaled else 1.0) for j, b in enumerate(blocks)]
        j = int(np.argmax(merits))
        x[blocks[j]] -= g[blocks[j]] / (bounds[j] if scaled else np.max(bounds))
        close(rows.reshape(6), x)
        close(np.concatenate(parts), x)


@pytest.mark.parametrize("name", ["l2", "l1", "linf"])
def test_fifty_steps_of_kaczmarz(name: str) -> None:
    """Cyclic projections onto the equations of a system; in l1 and linf the nearest point has a closed form too."""
    solution = np.array([1.0, -2.0, 0.5, 3.0, 0.0, 1.0])
    right = ROOT @ solution
    optimizer = optimize.kaczmarz(norms.l1("vertex") if name == "l1" else name)
    x, state = START, optimizer.init(START)
    mine = START.copy()
    for k in range(50):
        a, b = ROOT[k % 8], right[k % 8]
        value, gradient = cv.value_and_grad(lambda x, a=a, b=b: np.abs(a @ x - b))(x)
        updates, state = optimizer.update(gradient, state, x, value=value)
        x = x + updates
        r = a @ mine - b
        if name == "l2":
            mine = mine - r / (a @ a) * a
        elif name == "linf":
            mine = mine - r / np.abs(a).sum() * np.sign(a)
        else:
            i = int(np.argmax(np.abs(a)))
            mine[i] -= r / a[i]
        close(x, mine, 1e-8)


def test_fifty_accepted_steps_of_the_cauchy_point_method() -> None:
    """Algorithm 4.1 of Nocedal and Wright with (4.11) and (4.12); a rejected step leaves x where it is."""
    optimizer = optimize.cauchy_point("l2", optimize.trust_region(start=1.0, largest=4.0, accept=0.1))
    found = trajectory(optimizer, valley, np.array([-1.2, 1.0]))
    x, radius, accepted = np.array([-1.2, 1.0]), 1.0, 0
    while accepted < 50:
        g = np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)])
        b = np.array([[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])
        curvature, length = g @ b @ g, np.linalg.norm(g)
        share = 1.0 if curvature <= 0 else min(length**3 / (radius * curvature), 1.0)
        p = -share * radius / length * g
        merit = (valley(x) - valley(x + p)) / -(g @ p + 0.5 * p @ b @ p)
        if merit > 0.1:
            x = x + p
            close(found[accepted], x, 1e-7)
            accepted += 1
        if merit < 0.25:
            radius = 0.25 * radius
        elif merit > 0.75 and share == 1.0:
            radius = min(2 * radius, 4.0)


def valley(x: Any) -> Any:
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def test_fifty_steps_of_frank_wolfe_on_the_l1_ball() -> None:
    """The textbook algorithm, and a gap that bounds the distance to the minimum in the ball."""
    radius = 0.5
    x = np.zeros(6)
    optimizer = optimize.frank_wolfe("l1", radius)
    for k, found in enumerate(trajectory(optimizer, bowl, np.zeros(6))):
        g = HESSIAN @ x - TARGET
        vertex = np.zeros(6)
        i = int(np.argmax(np.abs(g)))
        vertex[i] = -radius * np.sign(g[i])
        x = x + 2.0 / (k + 2.0) * (vertex - x)
        close(found, x, 1e-10)
        assert np.abs(found).sum() <= radius * (1 + 1e-12)
    split = scipy_minimize(
        lambda z: bowl(z[:6] - z[6:]), np.full(12, 0.01), method="SLSQP", bounds=[(0, None)] * 12,
        constraints={"type": "ineq", "fun": lambda z: radius - z.sum()}, options={"ftol": 1e-12},
    )  # fmt: skip
    gap = float(optimizer.measure(optimizer.aim(HESSIAN @ x - TARGET, optimizer.init(x), x)))
    assert -1e-9 <= bowl(x) - split.fun <= gap * (1 + 1e-6)


def test_lion_with_weight_decay_stays_in_the_ball() -> None:
    """Decoupled weight decay w bounds the parameters by 1 / w in linf."""
    for x in trajectory(optimize.lion(0.1, weight_decay=2.0), bowl, 0.1 * START, 200):
        assert np.max(np.abs(x)) <= 0.5 * (1 + 1e-12)


OF_ANY_TREE: dict[str, Optimizer] = {
    **{name: optimizer for name, (optimizer, _) in OPTIMIZERS.items() if name not in ("damped Newton",)},
    "block descent": optimize.block_descent(20.0), "Frank-Wolfe": optimize.frank_wolfe("l1", 10.0),
    "Kaczmarz": optimize.kaczmarz(), "Cauchy point": optimize.cauchy_point(), "Shampoo": optimize.shampoo(0.1),
    "LARS": optimize.lars(0.1, weight_decay=0.1), "LAMB": optimize.lamb(0.1, weight_decay=0.1),
    "best of": optimize.steepest_descent(optimize.best_of(["l1", "linf"]), optimize.armijo()),
    "adaptive": optimize.steepest_descent("l2", optimize.adaptive(), momentum=optimize.nesterov(0.5)),
}  # fmt: skip
del OF_ANY_TREE["Gauss-Southwell-Lipschitz"]  # has weights for six entries


@pytest.mark.parametrize("optimizer", OF_ANY_TREE.values(), ids=list(OF_ANY_TREE))
def test_leaves_may_be_numbers_empty_or_missing_and_states_keep_their_dtypes(optimizer: Optimizer) -> None:
    """The entries that are there move as they would alone, in float32 too; a zero gradient gives no nan."""

    def moved(params: Any, gradient: Any) -> tuple[Any, Any]:
        state = optimizer.init(params)
        for _ in range(2):
            updates, state = optimizer.update(
                gradient, state, params, value=10.0, function=lambda p: 10.0 - sum_of(p), product=lambda v: v
            )
        return updates, state

    full, gradient = np.arange(1.0, 4.0), np.array([3.0, -1.0, 2.0])
    alone, _ = moved([full], [gradient])
    empty = np.zeros((0, 3))
    among, _ = moved({"a": None, "b": full, "c": (empty, None)}, {"a": None, "b": gradient, "c": (empty, None)})
    close(among["b"], alone[0])
    assert among["c"][0].shape == (0, 3)
    number, _ = moved(2.0, 3.0)
    assert np.shape(number) == ()
    still, _ = moved([full], [0 * gradient])
    assert np.all(np.isfinite(still[0]))
    narrow, state = moved([full.astype(np.float32)], [gradient.astype(np.float32)])
    close(narrow[0], alone[0], 1e-5)
    assert narrow[0].dtype == np.float32
    kept = [np.asarray(x).dtype for x in flatten((state.memory, state.statistics))[0]]
    assert all(dtype == np.float32 for dtype in kept)


def sum_of(params: Any) -> Any:
    return sum(np.sum(leaf) for leaf in flatten(params)[0])


def test_shampoo_in_float32_survives_gradients_of_rank_one() -> None:
    """The least eigenvalue of their moments is lost in rounding; the updates turn by a few parts of 100."""
    optimizer, x = optimize.shampoo(0.1), np.zeros((30, 20), np.float32)
    double = optimizer.init(x.astype(float))
    single = optimizer.init(x)
    for _ in range(3):
        g = (1e3 * np.outer(RNG.normal(size=30), RNG.normal(size=20))).astype(np.float32)
        found, single = optimizer.update(g, single, x)
        wanted, double = optimizer.update(g.astype(float), double, x.astype(float))
        assert found.dtype == np.float32
        assert np.sum(found * wanted) > 0.97 * np.linalg.norm(found) * np.linalg.norm(wanted)


def test_newton_in_float32_takes_a_hessian_that_is_symmetric_to_rounding() -> None:
    rows = RNG.normal(size=(20, 8)).astype(np.float32)

    def fit(w: Any) -> Any:
        return np.mean(np.logaddexp(np.float32(0), -(rows @ w))) + np.float32(0.01) * np.sum(w * w)

    result = cv.minimize(fit, np.zeros(8, np.float32), optimize.newton(fit, step=optimize.armijo()), tol=1e-4)
    assert result.success
    assert result.x.dtype == np.float32


def test_options_of_the_known_optimizers_are_checked() -> None:
    for make in (
        lambda: optimize.adam(epsilon=0.0),
        lambda: optimize.adam(beta1=1.0),
        lambda: optimize.shampoo(0.1, epsilon=-1.0),
        lambda: optimize.gauss_newton(residuals, damping=-1.0),
        lambda: optimize.lars(0.1, smallest=2.0, largest=1.0),
        lambda: optimize.lars(0.1, weight_decay=-0.1),
        lambda: optimize.lamb(0.1, weight_decay=-0.1),
        lambda: optimize.modular_norm(["l2", "l2"], [1.0, 0.0]),
        lambda: optimize.modular_norm(["l2", "l2"], [1.0]),
        lambda: optimize.coordinate_descent(np.array([1.0, -1.0])),
        lambda: optimize.block_descent(np.array([1.0, 0.0])),
        lambda: optimize.mirror_descent("l2", optimize.armijo()),
        lambda: optimize.mirror_descent("linf", 0.1),
        lambda: optimize.adam(beta2=1.0),
        lambda: optimize.rmsprop(0.1, beta=2.0),
        lambda: optimize.lamb(0.1, beta2=-0.1),
    ):
        with pytest.raises(ArgumentError):
            make()


def test_a_metric_is_a_square_matrix_for_one_vector() -> None:
    def metric_of(shape: tuple[int, ...]) -> Callable[[Any], Any]:
        return lambda x: np.ones(shape)

    for shape in ((2, 3), (2,), (3, 3)):
        optimizer = optimize.natural_gradient(metric_of(shape))
        with pytest.raises(ShapeMismatchError, match="square matrix"):
            optimizer.update(np.ones(2), optimizer.init(np.ones(2)), np.ones(2))
