"""Motion: differential equations, trajectories, molecules and rotations."""

from __future__ import annotations

from typing import Any

import numpy as np

import covector as cv
from tests.wild import normal, program, uniform

MASSES = np.array([1.0, 0.5, 0.2])
FIRST, SECOND = np.triu_indices(5, 1)
CLUSTER = np.array([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0], [0.0, 1.2, 0.1], [1.0, 1.0, 0.9], [0.2, 0.1, 1.3]])


@program((uniform(0.5, 1.5, 4), np.array([1.0, 0.7])), (uniform(0.5, 1.5, 4), np.array([0.3, 0.9])))
def predators_and_prey(rates: Any, start: Any) -> Any:
    def change(y: Any) -> Any:
        a, b, c, d = rates
        return np.array([a * y[0] - b * y[0] * y[1], -c * y[1] + d * y[0] * y[1]])

    y, path, h = start, [start], 0.1
    for _ in range(4):
        first = change(y)
        second = change(y + h / 2 * first)
        third = change(y + h / 2 * second)
        y = y + h / 6 * (first + 2 * second + 2 * third + change(y + h * third))
        path.append(y)
    return np.array(path)


@program((2.0, 0.5, 0.1), (1.0, 0.2, 0.01))
def epidemic_by_scan(infection: Any, recovery: Any, infected: Any) -> Any:
    def step(state: Any, _: None) -> Any:
        s, i, r = state
        new, healed = 0.1 * infection * s * i, 0.1 * recovery * i
        return (s - new, i + new - healed, r + healed), i

    return cv.scan(step, (1.0 - infected, infected, 0.0), None, length=20)


@program((normal(6), normal(2)), (normal(6), normal(2)))
def control_by_scan(controls: Any, start: Any) -> Any:
    def step(x: Any, u: Any) -> Any:
        x = np.array([[1, 0.1], [0, 1]]) @ x + np.array([0, 0.1]) * u - 0.05 * np.sin(x[::-1])
        return x, np.sum(x**2) + 0.1 * u**2

    end, costs = cv.scan(step, start, controls)
    return np.sum(costs) + 10.0 * np.sum((end - 1.0) ** 2)


@program((normal(3, 2), normal(3, 2)), (normal(3, 2), normal(3, 2)))
def planets_by_leapfrog(x: Any, v: Any) -> Any:
    def pull(x: Any) -> Any:
        d = x[None] - x[:, None]
        distance = np.sqrt((d**2).sum(-1) + 0.05)
        return (MASSES[None, :, None] * d / distance[..., None] ** 3).sum(1)

    for _ in range(3):
        v = v + 0.025 * pull(x)
        x = x + 0.05 * v
        v = v + 0.025 * pull(x)
    return {"places": x, "energy": 0.5 * np.sum(MASSES[:, None] * v**2)}


@program((normal(2), normal(2)), (normal(2), normal(2)))
def double_pendulum_from_its_lagrangian(angles: Any, speeds: Any) -> Any:
    def lagrangian(q: Any, w: Any) -> Any:
        kinetic = w[0] ** 2 + 0.5 * w[1] ** 2 + w[0] * w[1] * np.cos(q[0] - q[1])
        return kinetic + 9.8 * (2.0 * np.cos(q[0]) + np.cos(q[1]))

    for _ in range(2):
        mass = cv.hessian(lagrangian, 1)(angles, speeds)
        mixed = cv.jacfwd(cv.grad(lagrangian, 1), 0)(angles, speeds)
        force = cv.grad(lagrangian, 0)(angles, speeds) - mixed @ speeds
        speeds = speeds + 0.05 * np.linalg.solve(mass, force)
        angles = angles + 0.05 * speeds
    return angles, speeds


@program((normal(3), 1.0, 0.5), (normal(3), 2.0, 0.3))
def bloch_equations(field: Any, longitudinal: Any, transverse: Any) -> Any:
    m = np.array([0.0, 0.0, 1.0])
    for _ in range(4):
        relaxed = np.array([m[0] / transverse, m[1] / transverse, (m[2] - 1) / longitudinal])
        m = m + 0.05 * (np.cross(m, field) - relaxed)
    return m


@program((CLUSTER,), (CLUSTER[::-1] + 0.02,), scale=1e-3)
def lennard_jones_with_a_cutoff(x: Any) -> Any:
    d = x[FIRST] - x[SECOND]
    d = d - 3.0 * np.round(d / 3.0)
    square = np.sum(d * d, axis=-1)
    square = np.where(square < 2.25, square, np.inf)
    sixth = 1.0 / square**3
    return 4.0 * np.sum(sixth**2 - sixth)


@program((normal(4, 3),), (normal(4, 3),))
def dihedral_and_bond_angles(x: Any) -> Any:
    before, axis, after = x[0] - x[1], x[2] - x[1], x[3] - x[2]
    axis = axis / np.linalg.norm(axis)
    v, w = before - np.dot(before, axis) * axis, after - np.dot(after, axis) * axis
    dihedral = np.arctan2(np.dot(np.cross(axis, v), w), np.dot(v, w))
    cosine = np.dot(before, after) / (np.linalg.norm(before) * np.linalg.norm(after))
    return np.array([dihedral, np.arccos(np.clip(cosine, -1.0, 1.0)), np.degrees(dihedral) / 100.0])


def cameras(turn: Any) -> Any:
    return turn, normal(3, 3) + np.array([0.0, 0.0, 9.0]), normal(3, 3)


@program(cameras(normal(3, 3)), cameras(np.array([[0.5, 0.1, 0.2], [0.0, 0.3, 0.0], [1.0, 0.0, 0.0]])))
def reprojection_by_rodrigues(turns: Any, shifts: Any, points: Any) -> Any:
    angle = np.linalg.norm(turns, axis=1)[:, None]
    axis = np.where(angle > 0, turns / angle, 0.0)
    along = np.sum(points * axis, axis=1)[:, None]
    turned = np.cos(angle) * points + np.sin(angle) * np.cross(axis, points) + along * (1 - np.cos(angle)) * axis
    turned += shifts
    seen = -turned[:, :2] / turned[:, 2, np.newaxis]
    square = np.sum(seen**2, axis=1)
    return seen * (1.0 + 0.1 * square + 0.01 * square**2)[:, np.newaxis]


@program((normal(4), normal(5, 3)), (normal(4), normal(5, 3)))
def rotation_by_quaternion(quaternion: Any, vectors: Any) -> Any:
    quaternion = quaternion / np.sqrt(np.sum(quaternion * quaternion))
    w, xyz = quaternion[0], quaternion[1:]
    t = 2.0 * np.cross(xyz, vectors)
    return vectors + w * t + np.cross(xyz, t)


@program((normal(2), 0.1), (normal(2), 0.3))
def hamiltonian_trajectory(q: Any, step: Any) -> Any:
    def potential(q: Any) -> Any:
        return 0.5 * np.sum(q**2) + 0.1 * np.sum(q**4)

    slope, p = cv.grad(potential), np.array([0.3, -0.2])
    for _ in range(2):
        p = p - 0.5 * step * slope(q)
        q = q + step * p
        p = p - 0.5 * step * slope(q)
    return potential(q) + 0.5 * p @ p


@program((normal(5), 0.3), (normal(5), 0.8))
def heat_by_implicit_steps(u: Any, k: Any) -> Any:
    n = len(u)
    matrix = np.eye(n) * (1 + 2 * k) - k * np.eye(n, k=1) - k * np.eye(n, k=-1)
    for _ in range(3):
        u = np.linalg.solve(matrix, u)
    return u


@program((0.3, normal(9)), (0.7, normal(9)))
def wave_on_a_string(speed: Any, start: Any) -> Any:
    before, now = start, start
    for _ in range(4):
        bend = np.concatenate([[0.0], now[2:] - 2 * now[1:-1] + now[:-2], [0.0]])
        before, now = now, 2 * now - before + speed**2 * bend
    return now[::-2]


@program((0.3 * normal(4, 5), 0.3 * normal(4, 5)), (0.3 * normal(4, 5), 0.3 * normal(4, 5)), scale=1e-4)
def fluid_on_a_torus(across: Any, down: Any) -> Any:
    rows, columns = across.shape

    def moved(field: Any) -> Any:
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        x, y = x - across, y - down
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        right_part, lower_part = x - left, y - top
        left, top = np.mod(left, columns), np.mod(top, rows)
        right, bottom = np.mod(left + 1, columns), np.mod(top + 1, rows)
        upper = (1 - right_part) * field[top, left] + right_part * field[top, right]
        lower = (1 - right_part) * field[bottom, left] + right_part * field[bottom, right]
        return (1 - lower_part) * upper + lower_part * lower

    smoke = cv.at(np.sin(np.arange(20.0)).reshape(4, 5) + 0 * across)[0].multiply(2.0)
    for _ in range(2):
        divergence = np.roll(across, -1, axis=1) - np.roll(across, 1, axis=1)
        divergence = 0.1 * (divergence + np.roll(down, -1, axis=0) - np.roll(down, 1, axis=0))
        across, down, smoke = moved(across) - divergence, moved(down) - divergence, moved(smoke)
    return np.mean((smoke - 0.3) ** 2)
