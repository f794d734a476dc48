"""Derivatives against difference quotients: one order and mode at a time, and all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from covector.core.types import Array
from covector.errors import ArgumentError
from covector.testing.comparison import Tolerance, check_type, compare
from covector.testing.problems import SEED, Problem, random_like
from covector.transforms.derivatives import jvp, vjp
from covector.trees import Tree

Mode = Literal["fwd", "rev"]

LOCATABLE = 2_000
"""Up to this many entries, the wrong entry of a cotangent is looked for one by one."""


def check_grads(
    function: Callable[..., Tree],
    args: Sequence[Tree],
    order: int = 2,
    modes: Sequence[Mode] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Checks the derivatives of a function up to an order, in forward and reverse mode and their compositions.

    Args:
        function: a function of arrays, numbers or trees of them.
        args: its positional arguments, at a point where it is smooth; integer leaves are held fixed.
        order: up to which order; order 2 in both modes checks the four derivatives of a derivative.
        modes: "fwd", "rev" or both.
        atol: an entry may be off by atol + rtol |expected|; by default what the dtype can do.
        rtol: see atol.
        eps: the largest step of the central differences, about the scale on which the function changes.

    Raises:
        DerivativeMismatchError: a derivative is wrong; the message shows the worst entry.

    Example:
        >>> import numpy as np
        >>> check_grads(lambda p: p["scale"] * np.exp(p["x"]), ({"scale": 2.0, "x": np.array([0.0, 1.0])},))
    """
    unknown = [mode for mode in modes if mode not in ("fwd", "rev")]
    if unknown or order < 1:
        raise ArgumentError(f"order must be at least 1 and modes 'fwd' or 'rev'; found order={order}, modes={modes!r}")
    _check_orders(Problem.of(function, args), order, modes, Tolerance(atol, rtol, eps))


def check_jvp(
    function: Callable[..., Tree],
    args: Sequence[Tree],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Checks that forward mode agrees with the difference quotient along a random direction.

    Args and errors are those of `check_grads`.

    Example:
        >>> import numpy as np
        >>> check_jvp(np.tanh, (np.array([0.5, -1.0]),))
    """
    _check_forward(Problem.of(function, args), Tolerance(atol, rtol, eps))


def check_vjp(
    function: Callable[..., Tree],
    args: Sequence[Tree],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Checks that reverse mode agrees with the difference quotient: <w, D v> = <pullback(w), v>.

    v and w are random, D v is the quotient along v. Args and errors are those of `check_grads`; if the law
    fails, the entry of the pulled-back cotangent that is furthest off is found and shown.

    Example:
        >>> import numpy as np
        >>> check_vjp(lambda x, y: x * y, (np.array([1.0, 2.0]), 3.0))
    """
    _check_reverse(Problem.of(function, args), Tolerance(atol, rtol, eps))


# --- one order and mode --------------------------------------------------------------------------------


def _check_orders(problem: Problem, order: int, modes: Sequence[Mode], tolerance: Tolerance) -> None:
    if "fwd" in modes:
        _check_forward(problem, tolerance)
        if order > 1:
            _check_orders(problem.pushed_forward(), order - 1, modes, tolerance)
    if "rev" in modes:
        _check_reverse(problem, tolerance)
        if order > 1:
            _check_orders(problem.pulled_back(), order - 1, modes, tolerance)


def _check_forward(problem: Problem, tolerance: Tolerance) -> None:
    tangents = problem.directions()
    values, found = jvp(problem, problem.leaves, tangents)
    problem.check_values(values)
    expected, uncertain = problem.quotient(tangents, tolerance.eps)
    what = f"jvp of {problem.name}"
    for x, y, error, path in zip(found, expected, uncertain, problem.output_paths, strict=True):
        compare(x, y, tolerance.allowed(y, problem.dtypes, problem.magnitude), f"{what} at {path}", error)


def _check_reverse(problem: Problem, tolerance: Tolerance) -> None:
    tangents = problem.directions()
    values, pullback = vjp(problem, *problem.leaves)
    problem.check_values(values)
    cotangents = random_like(values, SEED + 1)
    found = pullback(cotangents)
    for x, primal, path in zip(found, problem.leaves, problem.input_paths, strict=True):
        check_type(x, primal, f"the cotangent of {path} that vjp of {problem.name} gives")
    quotient, uncertain = problem.quotient(tangents, tolerance.eps)
    expected, bound = _pairing(cotangents, quotient)
    paired, _ = _pairing(found, tangents)
    allowed = tolerance.allowed(np.asarray(bound), problem.dtypes, problem.magnitude)
    if not abs(paired - expected) <= allowed:
        _locate(problem, cotangents, found, tolerance)
        what = f"vjp of {problem.name}, <w, D v> = <pullback(w), v> for random v and w,"
        compare(paired, expected, allowed, what, max(float(np.max(e, initial=0.0)) for e in uncertain))


def _locate(problem: Problem, cotangents: Sequence[Array], found: Sequence[Array], tolerance: Tolerance) -> None:
    """Raises about the worst entry of the cotangents that `vjp` found, if one is wrong by itself."""
    if sum(np.size(x) for x in found) > LOCATABLE:
        return
    expected = [np.zeros(np.shape(x), np.result_type(x, np.float64)) for x in found]
    for target, unit, index in problem.basis():
        quotient, _ = problem.quotient(unit, tolerance.eps)
        paired, _ = _pairing(cotangents, quotient)
        expected[target][index] += paired / unit[target][index]  # 1/i = -i: the covector df/dx - i df/dy
    for x, y, path in zip(found, expected, problem.input_paths, strict=True):
        what = f"vjp of {problem.name}: the cotangent of {path}"
        compare(x, y, tolerance.allowed(y, problem.dtypes, problem.magnitude), what, 0.0)


def _pairing(cotangents: Sequence[Array], tangents: Sequence[Array]) -> tuple[float, float]:
    """The real part of the sum of products of entries, and the sum of their absolute values."""
    products = [np.multiply(x, y).real for x, y in zip(cotangents, tangents, strict=True)]
    return float(sum(map(np.sum, products))), float(sum(np.sum(np.abs(p)) for p in products))
