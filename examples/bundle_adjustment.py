"""Bundle adjustment: cameras and points from photographs, by least squares with block Jacobians.

Each observation is where one camera sees one point. Its residual depends on the six numbers of that camera's pose and
the three of that point only, so the Jacobian has one 2x6 and one 2x3 block per observation and zeros elsewhere. `vmap`
of `jacfwd` computes all blocks at once, and the normal equations are solved block by block: eliminating the points
leaves a small system for the cameras, the Schur complement (Triggs et al. 2000).

Poses and points are known only up to a shift, a rotation and a scale of the whole scene; the damping of Levenberg and
Marquardt keeps the step away from those seven directions.
"""

import numpy as np

import covector as cv

CAMERAS, POINTS, PIXEL = 8, 60, 1e-3  # the noise, for a focal length of one
random = np.random.default_rng(0)


def rotated(vector, point):
    """Rodrigues' formula: the rotation by |vector| about vector. Even in |vector|, so smooth where that is zero."""
    square = np.sum(vector**2)
    angle = np.sqrt(np.where(square > 0, square, 1.0))
    sine = np.where(square > 0, np.sin(angle) / angle, 1.0)
    versine = np.where(square > 0, (1 - np.cos(angle)) / angle**2, 0.5)
    cross = np.cross(vector, point)
    return point + sine * cross + versine * np.cross(vector, cross)


def projection(camera, point):
    """Where a pinhole camera of focal length one sees a point; its pose is a rotation vector and a translation."""
    seen = rotated(camera[:3], point) + camera[3:]
    return seen[:2] / seen[2]


def residual(camera, point, observed):
    return projection(camera, point) - observed


angles = np.linspace(-0.6, 0.6, CAMERAS)
true_cameras = np.stack([[0.05 * a, a, 0.02, -0.2 * a, 0.1, 6.0] for a in angles])
true_points = random.uniform(-1, 1, size=(POINTS, 3))
pairs = np.argwhere(random.random((CAMERAS, POINTS)) < 0.7)  # not every camera sees every point
camera_of, point_of = pairs.T
observed = cv.vmap(projection)(true_cameras[camera_of], true_points[point_of])
observed = observed + PIXEL * random.normal(size=observed.shape)

all_residuals = cv.jit(cv.vmap(residual))
all_blocks = cv.jit(cv.vmap(cv.jacfwd(residual, argnums=(0, 1))))


def summed(blocks, index, count):
    """The sum of the blocks with each index."""
    total = np.zeros((count, *blocks.shape[1:]))
    np.add.at(total, index, blocks)
    return total


def damped_step(cameras, points, damping):
    """The step of Levenberg and Marquardt: the points are eliminated, the cameras solved for, the points follow."""
    at = cameras[camera_of], points[point_of], observed
    r, (a, b) = all_residuals(*at), all_blocks(*at)
    left = summed(np.einsum("kri,krj->kij", a, a), camera_of, CAMERAS)
    right = summed(np.einsum("kri,krj->kij", b, b), point_of, POINTS)
    left = left * (1 + damping * np.eye(6))
    inverse = np.linalg.inv(right * (1 + damping * np.eye(3)))
    mixed = np.zeros((CAMERAS, POINTS, 6, 3))
    mixed[camera_of, point_of] = np.einsum("kri,krj->kij", a, b)
    for_cameras = -summed(np.einsum("kri,kr->ki", a, r), camera_of, CAMERAS)
    for_points = -summed(np.einsum("kri,kr->ki", b, r), point_of, POINTS)

    carried = np.einsum("cpij,pjk->cpik", mixed, inverse)
    schur = -np.einsum("cpik,dpjk->cidj", carried, mixed)
    schur[np.arange(CAMERAS), :, np.arange(CAMERAS), :] += left
    reduced = for_cameras - np.einsum("cpik,pk->ci", carried, for_points)
    camera_step = np.linalg.solve(schur.reshape(6 * CAMERAS, -1), reduced.ravel()).reshape(CAMERAS, 6)
    point_step = np.einsum("pjk,pk->pj", inverse, for_points - np.einsum("cpij,ci->pj", mixed, camera_step))
    return camera_step, point_step


def cost(cameras, points):
    return np.sum(all_residuals(cameras[camera_of], points[point_of], observed) ** 2) / 2


cameras = true_cameras + 0.05 * random.normal(size=true_cameras.shape)
points = true_points + 0.2 * random.normal(size=true_points.shape)
parameters = cameras.size + points.size
rows = 2 * len(pairs)
print(f"{CAMERAS} cameras, {POINTS} points, {len(pairs)} observations: {rows} residuals, {parameters} unknowns")
print(f"the Jacobian has {9 * rows} entries that are not zero, of {rows * parameters}\n")
costs, damping = [cost(cameras, points)], 1e-3
for step in range(30):
    camera_step, point_step = damped_step(cameras, points, damping)
    tried = cost(cameras + camera_step, points + point_step)
    if tried < costs[-1]:
        cameras, points, damping = cameras + camera_step, points + point_step, damping / 5
        costs.append(tried)
        pixels = np.sqrt(tried / len(pairs)) / PIXEL
        print(f"step {step:>2d}   root mean square {pixels:>9.4f} pixels   damping {damping:.0e}")
        if costs[-2] - tried < 1e-9 * tried:
            break
    else:
        damping *= 10

freedom = rows - parameters + 7
print(f"\nestimated noise {np.sqrt(2 * costs[-1] / freedom) / PIXEL:.3f} pixels, in truth 1")
assert abs(np.sqrt(2 * costs[-1] / freedom) / PIXEL - 1) < 0.1

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no figure")
else:
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    axes.semilogy(np.sqrt(np.array(costs) / len(pairs)) / PIXEL, "o-")
    axes.set(xlabel="accepted step", ylabel="root mean square residual, pixels")
    figure.savefig("bundle_adjustment.svg")
