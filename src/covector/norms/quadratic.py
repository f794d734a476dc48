"""Quadratic norms sqrt(v^T H v): Mahalanobis, Newton, Sobolev. The dual is sqrt(g^T H^-1 g), the direction H^-1 g.

    >>> quadratic(np.diag([1.0, 4.0])).duality_map(np.array([1.0, 4.0])).round(12)
    array([1., 1.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.core.interpreter import Tracer
from covector.core.types import Array
from covector.errors import ArgumentError, ShapeMismatchError
from covector.norms.implicit import solve_symmetric
from covector.norms.layout import magnitude, number_like, ratio, ravel, root
from covector.norms.maps import Diagonal, Matrix, SobolevRoot
from covector.norms.norm import JOINING, Norm, Precomposed, Scaled, positive
from covector.norms.registration import registered
from covector.norms.traits import Traits
from covector.norms.vectors import L2, l2
from covector.trees import Tree, map_leaves


def quadratic(
    matrix: Any = None,
    *,
    cholesky: Any = None,
    diagonal: Any = None,
    product: Callable[[Tree], Tree] | None = None,
    tolerance: float = 1e-12,
) -> Norm:
    """sqrt(v^T H v) for a symmetric positive definite H, given in one of four ways.

    Args:
        matrix: H itself; factored once.
        cholesky: L with H = L L^T.
        diagonal: the diagonal of H, positive, of the shape (or tree) of the vectors.
        product: the function v -> H v, such as `partial(hvp(f), x)`; H^-1 is applied by conjugate gradients.
        tolerance: of the conjugate gradients, relative to the right-hand side.

    Raises:
        ArgumentError: none or several are given; H is not symmetric or not positive definite.

    Example:
        >>> float(quadratic(diagonal=np.array([4.0, 9.0])).norm(np.array([1.0, 0.0])))
        2.0
    """
    given = [x is not None for x in (matrix, cholesky, diagonal, product)]
    if sum(given) != 1:
        raise ArgumentError("quadratic needs exactly one of matrix, cholesky, diagonal and product")
    if product is not None:
        return OperatorNorm(product, tolerance)
    if diagonal is not None:
        roots = map_leaves(lambda x: np.sqrt(positive(x, "the diagonal of H")), diagonal)
        return Precomposed(l2(), Diagonal(roots))
    factor = _factor(matrix) if cholesky is None else _checked_factor(cholesky)
    return Precomposed(l2(), Matrix(np.transpose(factor)))


def _factor(matrix: Any) -> Array:
    if isinstance(matrix, Tracer):
        return np.linalg.cholesky(matrix)
    given = np.asarray(matrix)
    if given.dtype.kind not in "fiu":
        raise ArgumentError(f"a quadratic norm needs a real matrix; found one of dtype {given.dtype}")
    matrix = given.astype(float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ArgumentError(f"a quadratic norm needs a symmetric matrix; found one of shape {matrix.shape}")
    _check_symmetric(matrix, float(np.sqrt(np.finfo(given.dtype if given.dtype.kind == "f" else float).eps)))
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        least = float(np.linalg.eigvalsh(matrix)[0])
        raise ArgumentError(
            f"a quadratic norm needs a positive definite matrix; its least eigenvalue is {least:.3g}. Add a multiple "
            "of the identity"
        ) from None


def _checked_factor(factor: Any) -> Array:
    shape = np.shape(factor)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ArgumentError(f"a quadratic norm needs a square factor of H; found an array of shape {shape}")
    if not isinstance(factor, Tracer) and not np.abs(np.linalg.slogdet(factor)[0]) > 0:
        raise ArgumentError("a quadratic norm needs an invertible factor of H; its determinant is zero or NaN")
    return factor


def _check_symmetric(matrix: Array, tolerance: float) -> None:
    """Entry by entry, relative to sqrt(H_ii H_jj): a Hessian that is computed is symmetric up to a part of that."""
    roots = np.sqrt(np.abs(np.diagonal(matrix)))
    off = ~(np.abs(matrix - matrix.T) <= tolerance * np.outer(roots, roots))
    if np.any(off):
        i, j = np.argwhere(off)[0]
        raise ArgumentError(
            f"a quadratic norm needs a symmetric, finite matrix with a positive diagonal; found {matrix[i, j]:.6g} at "
            f"({i}, {j}) and {matrix[j, i]:.6g} at ({j}, {i})"
        )


def sobolev(alpha: Any = 1.0, boundary: str = "neumann") -> Norm:
    """sqrt(<v, v> + alpha <grad v, grad v>) of grid functions of any dimension: the Sobolev norm H1.

    The gradient is the difference of neighbours; `alpha` is in units of the squared spacing. Directions solve
    (1 - alpha Laplacian) v = g by fast Fourier transforms, which makes descent independent of the grid.

    Args:
        alpha: positive; how much slopes count.
        boundary: "neumann" (free ends), "dirichlet" (zero one step outside), or "periodic".

    Source: J. Neuberger, Sobolev gradients and differential equations (1997).

    Example:
        >>> float(sobolev(2.0).norm(np.array([0.0, 1.0])))      # the root of 1 + 2 (1 - 0)**2
        1.73205080756887...
    """
    if boundary not in ("neumann", "dirichlet", "periodic"):
        raise ArgumentError(f"boundary must be 'neumann', 'dirichlet' or 'periodic'; found {boundary!r}")
    return Precomposed(l2(), SobolevRoot(positive(alpha, "alpha"), boundary))


@registered
@final
@frozen(eq=False)
class OperatorNorm(Norm):
    """sqrt(<v, H v>) for H known by its products."""

    product: Callable[[Tree], Tree]
    tolerance: float = 1e-12

    def norm(self, vector: Tree) -> Array:
        return number_like(vector, self._length(vector)[2])

    def dual_norm(self, covector: Tree) -> Array:
        flat, solution, _, unit = self._solution(covector)
        return number_like(covector, unit * root(np.dot(flat, solution), 2))

    def maximizer(self, covector: Tree) -> Tree:
        flat, solution, restore, _ = self._solution(covector)
        return restore(ratio(solution, root(np.dot(flat, solution), 2)))

    def subgradient(self, vector: Tree) -> Tree:
        image, restore, length = self._length(vector)
        return restore(ratio(image, length))

    @property
    def traits(self) -> Traits:
        return Traits(smooth=True, strictly_convex=True)

    def _length(self, vector: Tree) -> tuple[Array, Callable[[Array], Tree], Array]:
        flat, restore = ravel(vector)
        unit = magnitude(flat)
        image = self._image(flat / unit, restore)
        return unit * image, restore, unit * root(_checked_form(np.dot(flat / unit, image), flat), 2)

    def _solution(self, covector: Tree) -> tuple[Array, Array, Callable[[Array], Tree], Array]:
        flat, restore = ravel(covector)
        unit = magnitude(flat)
        flat = flat / unit
        return flat, solve_symmetric(lambda x: self._image(x, restore), flat, self.tolerance), restore, unit

    def _image(self, flat: Array, restore: Callable[[Array], Tree]) -> Array:
        image = ravel(self.product(restore(flat)))[0]
        if np.shape(image) != np.shape(flat):
            raise ShapeMismatchError(
                f"product must return as many numbers as it is given, {np.size(flat)}; found {np.size(image)}"
            )
        return image


def _checked_form(form: Array, vector: Array) -> Array:
    """<v, H v>, if it is positive for a v other than zero."""
    if not isinstance(form, Tracer) and not form > 0 and np.any(vector != 0):
        raise ArgumentError(f"a quadratic norm needs a positive definite H; <v, H v> is {float(form):.3g} for a v")
    return form


# --- hypot ----------------------------------------------------------------------------------------------------


def hypot_of_quadratics(first: Norm, second: Norm, how: str) -> Norm | None:
    """hypot of sqrt(v^T H1 v) and sqrt(v^T H2 v) is sqrt(v^T (H1 + H2) v), for diagonals and matrices."""
    one, two = _root(first), _root(second)
    if how != "hypot" or one is None or two is None:
        return None
    if isinstance(one, Diagonal) and isinstance(two, Diagonal):
        return Precomposed(l2(), Diagonal(map_leaves(np.hypot, one.weights, two.weights)))
    total = sum(_square(x) if isinstance(x, Matrix) else x.weights**2 * np.eye(_size(one, two)) for x in (one, two))
    return quadratic(total)


def _root(norm: Norm) -> Matrix | Diagonal | None:
    """The A of sqrt(|A v|^2), if it is a matrix or a diagonal one."""
    if isinstance(norm, Scaled):
        inner = _root(norm.inner)
        if isinstance(inner, Matrix):
            return Matrix(norm.factor * inner.matrix)
        return None if inner is None else Diagonal(map_leaves(lambda x: norm.factor * x, inner.weights))
    if isinstance(norm, L2):
        return Diagonal(1.0)
    if not isinstance(norm, Precomposed) or not isinstance(norm.inner, L2):
        return None
    return norm.map if isinstance(norm.map, (Matrix, Diagonal)) else None


def _square(root: Matrix) -> Array:
    return np.transpose(root.matrix) @ root.matrix


def _size(one: Matrix | Diagonal, two: Matrix | Diagonal) -> int:
    return int(next(x.matrix.shape[0] for x in (one, two) if isinstance(x, Matrix)))


JOINING.insert(0, hypot_of_quadratics)
