"""Pictures of a minimization, by Matplotlib, which is imported when one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.norms.define import as_norm
from covector.norms.layout import ravel
from covector.trees import Tree


def new_axes(axes: Any) -> Any:
    """The axes given, or those of a new figure. Raises ImportError, saying what to install, without Matplotlib."""
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plots need Matplotlib, which is not installed: pip install matplotlib") from error
    return pyplot.subplots()[1]


def convergence_plot(history: Sequence[Any], axes: Any) -> Any:
    """The value above the least one met, and the measure, against iterations, on a logarithmic scale."""
    axes = new_axes(axes)
    iterations = np.array([record.iteration for record in history])
    values = np.array([record.value for record in history])
    measures = np.array([record.measure for record in history])
    above = values - np.min(values[np.isfinite(values)], initial=np.inf)
    for numbers, label in ((measures, "dual norm of the gradient"), (above, "value above the least")):
        drawn = np.isfinite(numbers) & (numbers > 0)
        axes.semilogy(iterations[drawn], numbers[drawn], label=label)
    axes.set_xlabel("iteration")
    axes.legend()
    return axes


def path_plot(path: Sequence[Tree], function: Callable[[Tree], Any] | None, norm: Any, balls: int, axes: Any) -> Any:
    """The way through two parameters, level lines of the function, and balls as large as the steps."""
    if not path:
        raise ArgumentError("the path was not kept: minimize(..., keep_path=True)")
    points = np.stack([ravel(params)[0] for params in path])
    if points.shape[1] != 2:
        raise ArgumentError(f"a path can be drawn for two parameters; found {points.shape[1]}")
    _, restore = ravel(path[0])
    axes = new_axes(axes)
    axes.set_aspect("equal")
    axes.plot(points[:, 0], points[:, 1], ".-", label="path")
    for i in np.unique(np.linspace(0, len(points) - 2, min(balls, len(points) - 1)).astype(int)):
        around = ball(as_norm(norm).norm, restore)
        radius = float(as_norm(norm).norm(restore(points[i + 1] - points[i])))
        axes.plot(*(points[i] + radius * around).T, color="gray", linewidth=0.8)
    if function is not None:
        _level_lines(function, restore, axes)
    return axes


def ball(norm: Callable[[Tree], Any], restore: Callable[[Array], Tree], count: int = 361) -> Array:
    """Points around the boundary of the unit ball of a norm of two parameters, one in each row."""
    angles = np.linspace(0.0, 2.0 * np.pi, count)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.stack([d / float(norm(restore(d))) for d in directions])


def _level_lines(function: Callable[[Tree], Any], restore: Callable[[Array], Tree], axes: Any) -> None:
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    across, up = np.linspace(left, right, 60), np.linspace(low, high, 60)
    values = [[float(function(restore(np.array([x, y])))) for x in across] for y in up]
    axes.contour(across, up, np.array(values), levels=20, linewidths=0.5)
