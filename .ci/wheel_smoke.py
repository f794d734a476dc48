"""Use the installed wheel as a newcomer would: no checkout on the path, no optional dependency.

Run as `python wheel_smoke.py CHECKOUT`, where CHECKOUT is the tree that must not be imported.
"""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import covector as cv


def check_origin(checkout: Path) -> None:
    """The package comes from the wheel and declares its types."""
    origin = Path(cv.__file__).resolve()
    assert checkout.resolve() not in origin.parents, f"covector was imported from the checkout: {origin}"
    assert files("covector").joinpath("py.typed").is_file(), "py.typed is missing from the wheel"


def textbook(x: Any) -> Any:
    """Return ln x1 + x1 x2 - sin x2."""
    return np.log(x[0]) + x[0] * x[1] - np.sin(x[1])


def check_use() -> None:
    """A gradient, a nested one, a batch of gradients and an evaluation trace."""
    point = np.array([2.0, 5.0])
    gradient = cv.grad(textbook)
    expected = np.array([0.5 + 5.0, 2.0 - np.cos(5.0)])
    np.testing.assert_allclose(gradient(point), expected, rtol=1e-12)
    np.testing.assert_allclose(cv.grad(cv.grad(np.sin))(1.0), -np.sin(1.0), rtol=1e-12)
    batch = np.stack([point, point + 1.0])
    np.testing.assert_allclose(cv.vmap(gradient)(batch), [gradient(row) for row in batch], rtol=1e-12)
    assert "11.65" in str(cv.evaluation_trace(textbook)(point))


if __name__ == "__main__":
    check_origin(Path(sys.argv[1]))
    check_use()
    print(f"the wheel works: covector from {Path(cv.__file__).parent}")
