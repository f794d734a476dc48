"""A double pendulum from its Lagrangian alone: the equations of motion by nested derivatives.

For coordinates q and velocities v, Lagrange's equations d/dt (dL/dv) = dL/dq say, by the chain rule,

    (d²L/dv²) a  +  (d²L/dv dq) v  =  dL/dq.

Every term is a transformation of L: two gradients, a Hessian and a directional derivative. Their solution is
differentiated once more, to see how fast a small difference in the start grows: the motion is chaotic.
"""

import numpy as np

import covector as cv

MASSES, LENGTHS, GRAVITY = (1.0, 1.0), (1.0, 1.0), 9.81


def kinetic_energy(q, v):
    """Of two point masses on massless rods; q are the angles from the vertical."""
    x = np.cumsum(LENGTHS * np.cos(q) * v)  # the velocity of each mass, right and up
    y = np.cumsum(LENGTHS * np.sin(q) * v)
    return 0.5 * np.sum(MASSES * (x**2 + y**2))


def potential_energy(q):
    return -GRAVITY * np.sum(MASSES * np.cumsum(LENGTHS * np.cos(q)))


def lagrangian(q, v):
    return kinetic_energy(q, v) - potential_energy(q)


def acceleration(q, v):
    """Solves Lagrange's equations for the second time derivative of q."""
    momentum = cv.grad(lagrangian, argnums=1)
    mass = cv.jacfwd(momentum, argnums=1)(q, v)
    _, drift = cv.jvp(lambda q: momentum(q, v), (q,), (v,))
    return np.linalg.solve(mass, cv.grad(lagrangian)(q, v) - drift)


def textbook_acceleration(q, v):
    """The same for equal masses and lengths, as printed in textbooks, to compare with."""
    difference = q[0] - q[1]
    sine, cosine, g = np.sin(difference), np.cos(difference), GRAVITY / LENGTHS[0]
    denominator = 2 - cosine**2
    first = -(v[0] ** 2 * sine * cosine + v[1] ** 2 * sine + 2 * g * np.sin(q[0]) - g * np.sin(q[1]) * cosine)
    second = v[1] ** 2 * sine * cosine + 2 * (g * np.sin(q[0]) * cosine + v[0] ** 2 * sine - g * np.sin(q[1]))
    return np.array([first, second]) / denominator


def derivative(state):
    q, v = state
    return np.stack([v, acceleration(q, v)])


def runge_kutta(state, step):
    """One step of the classical fourth-order method."""
    k1 = derivative(state)
    k2 = derivative(state + step / 2 * k1)
    k3 = derivative(state + step / 2 * k2)
    k4 = derivative(state + step * k3)
    return state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def simulate(state, steps, step):
    for _ in range(steps):
        state = runge_kutta(state, step)
    return state


def energy(state):
    q, v = state
    return kinetic_energy(q, v) + potential_energy(q)


q, v = np.array([2.0, 2.5]), np.array([0.3, -0.4])
print(f"accelerations from the Lagrangian     {acceleration(q, v)}")
print(f"accelerations from the textbook       {textbook_acceleration(q, v)}")
assert np.allclose(acceleration(q, v), textbook_acceleration(q, v), rtol=1e-12)

start, step = np.stack([q, np.zeros(2)]), 0.01
print("\n   time   angles                 energy       relative change of energy")
state, before = start, energy(start)
for second in range(3):
    (first, second_angle), change = state[0], energy(state) / before - 1
    print(f"{second:>7d}   {first:>9.5f} {second_angle:>9.5f}   {energy(state):.9f}   {change:+.1e}")
    state = simulate(state, 100, step)
assert abs(energy(state) / before - 1) < 1e-5

tilt = np.array([[1.0, 0.0], [0.0, 0.0]])
_, change = cv.jvp(lambda start: simulate(start, 50, step), (start,), (tilt,))
shifted = [simulate(start + sign * 1e-6 * tilt, 50, step) for sign in (1, -1)]
print(f"\nd(angles after 0.5 s) / d(first angle at the start)   {change[0]}, by one jvp through the simulation")
print(f"the same by finite differences                        {(shifted[0] - shifted[1])[0] / 2e-6}")
assert np.allclose(change, (shifted[0] - shifted[1]) / 2e-6, rtol=1e-4)

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    states, next_state = [start], cv.jit(runge_kutta)
    for _ in range(600):
        states.append(next_state(states[-1], step))
    angles = np.array(states)[:, 0]
    horizontal, vertical = np.cumsum(np.sin(angles), axis=1), np.cumsum(-np.cos(angles), axis=1)
    figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    axes.plot(horizontal, vertical, linewidth=0.8, label=["first mass", "second mass"])
    axes.plot([0, *horizontal[0]], [0, *vertical[0]], "ko-", label="start")
    axes.set(aspect="equal", xlabel="horizontal position", ylabel="height", title="six seconds")
    axes.legend()
    figure.savefig("lagrangian_pendulum.svg")
