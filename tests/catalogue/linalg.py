"""Equations, determinants, decompositions and functions of matrices, at well-conditioned matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from covector.ops import (
    degeneracy,
    determinants,
    elimination,
    linalg_decompositions,
    linalg_solve,
    matrices,
    matrix_functions,
)
from covector.ops.degeneracy import Degenerate
from covector.ops.linalg_decompositions import (
    QR,
    HermitianEigen,
    HermitianEigenvalues,
    SingularValueDecomposition,
)
from covector.ops.linalg_solve import BandedSolve, PseudoInverse, TriangularSolve
from tests.catalogue.instance import Instance

_RNG = np.random.default_rng(5)


def _array(*shape: int) -> np.ndarray[Any, Any]:
    return _RNG.standard_normal(shape)


def _complex(*shape: int) -> np.ndarray[Any, Any]:
    return _array(*shape) + 1j * _array(*shape)


def _regular(*shape: int) -> np.ndarray[Any, Any]:
    """Matrices far from singular ones."""
    return np.add(0.4 * _array(*shape), 2.0 * np.eye(shape[-2], shape[-1]))


def _regular_complex(*shape: int) -> np.ndarray[Any, Any]:
    return np.asarray(0.3 * _complex(*shape) + (2.0 + 0.5j) * np.eye(shape[-2], shape[-1]))


def _positive(*shape: int) -> np.ndarray[Any, Any]:
    """Positive definite matrices with eigenvalues far from each other."""
    m = 0.1 * _array(*shape)
    return np.add(np.diag(1.5 * np.arange(1.0, shape[-1] + 1.0)), m + np.swapaxes(m, -1, -2))


def _positive_complex(n: int) -> np.ndarray[Any, Any]:
    m = 0.3 * _complex(n, n)
    return np.add(m + m.conj().T, 3.0 * np.eye(n))


def _banded(lower: int, upper: int, n: int) -> np.ndarray[Any, Any]:
    band = _array(lower + upper + 1, n)
    band[upper] += 5.0
    return band


INSTANCES: list[Instance] = [
    # equations and inverses
    Instance(linalg_solve.SOLVE, _regular(3, 3), _array(3, 2)),
    Instance(linalg_solve.SOLVE, _regular(2, 3, 3), _array(3, 1), name="solve_stack_of_matrices"),
    Instance(linalg_solve.SOLVE, _regular(2, 2), _array(3, 2, 1), name="solve_stack_of_columns"),
    Instance(linalg_solve.SOLVE, _regular_complex(2, 2), _array(2, 1), name="solve_complex"),
    Instance(linalg_solve.SOLVE, _array(0, 0), _array(0, 2), name="solve_empty"),
    Instance(TriangularSolve(lower=True), _regular(3, 3), _array(3, 2)),
    Instance(TriangularSolve(lower=False), _regular(2, 2, 2), _array(2, 2, 1)),
    Instance(TriangularSolve(lower=False, unit=True), _regular(3, 3), _array(3, 1)),
    Instance(TriangularSolve(lower=True), _regular_complex(2, 2), _complex(2, 1)),
    Instance(BandedSolve(1, 2), _banded(1, 2, 4), _array(4, 2)),
    Instance(BandedSolve(1, 0), _banded(1, 0, 3), _array(2, 3, 1), name="banded_solve_stack"),
    Instance(linalg_solve.INVERSE, _regular(3, 3)),
    Instance(linalg_solve.INVERSE, _regular_complex(2, 2, 2)),
    Instance(linalg_solve.GRAM_INVERSE, _regular(3, 3)),
    Instance(linalg_solve.GRAM_INVERSE, _regular(2, 2, 2)),
    Instance(linalg_solve.GRAM_INVERSE, _regular_complex(2, 2)),
    Instance(PseudoInverse(1e-6), _array(3, 2)),
    Instance(PseudoInverse(1e-6), _complex(2, 3)),
    # determinants
    Instance(determinants.DETERMINANT, _regular(3, 3)),
    Instance(determinants.DETERMINANT, _regular_complex(2, 2, 2)),
    Instance(determinants.DETERMINANT, np.outer([1.0, 2.0, -1.0], [0.5, 1.0, 3.0]), name="determinant_of_rank_one"),
    Instance(determinants.SLOGDET, _regular(3, 3)),
    Instance(determinants.SLOGDET, _regular_complex(2, 2)),
    Instance(determinants.ADJUGATE, _regular(3, 3)),
    Instance(determinants.ADJUGATE_CHANGE, _regular(3, 3), _array(3, 3)),
    Instance(determinants.ADJUGATE_CHANGE, _regular_complex(2, 2), _complex(2, 2, 2)),
    # decompositions
    Instance(linalg_decompositions.CHOLESKY, _positive(3, 3)),
    Instance(linalg_decompositions.CHOLESKY, _positive(2, 2, 2)),
    Instance(linalg_decompositions.CHOLESKY, _positive_complex(2)),
    Instance(HermitianEigen(lower=True), _positive(3, 3)),
    Instance(HermitianEigen(lower=False), _positive(2, 2, 2)),
    Instance(HermitianEigenvalues(lower=True), _positive(3, 3)),
    Instance(HermitianEigenvalues(lower=False), _positive_complex(2)),
    Instance(linalg_decompositions.EIGEN, np.array([[1.0, 0.3, 0.2], [0.1, 2.5, 0.4], [-0.2, 0.3, 4.0]])),
    Instance(linalg_decompositions.EIGEN, np.array([[0.5, 1.0], [-2.0, 1.0]]), name="eigen_complex_pair"),
    Instance(linalg_decompositions.EIGENVALUES, np.array([[0.5, 1.0], [-2.0, 1.0]])),
    Instance(linalg_decompositions.EIGENVALUES, np.diag([1.0, 3.0]) + 0.2 * _complex(2, 2)),
    Instance(linalg_decompositions.LARGEST_ENTRY, _array(3, 2)),
    Instance(matrices.SIGNIFICANT, _array(3, 3), _array(3), differentiable=()),
    Instance(Degenerate("eigh"), _array(2, 3, 3), np.zeros((2, 3, 3), np.bool_)),
    Instance(Degenerate("svd", cotangent=True), _complex(3, 2), np.zeros((1, 2), np.bool_)),
    Instance(degeneracy.DEPENDENT, np.stack([np.eye(2), np.ones((2, 2))]), differentiable=()),
    Instance(SingularValueDecomposition(full=False), np.diag([3.0, 2.0, 1.0]) + 0.2 * _array(3, 3)),
    Instance(SingularValueDecomposition(full=False), np.eye(3, 2) * [3.0, 1.0] + 0.2 * _array(3, 2)),
    Instance(SingularValueDecomposition(full=True), np.eye(2, 3) * [[3.0], [1.0]] + 0.2 * _array(2, 3)),
    Instance(linalg_decompositions.SINGULAR_VALUES, np.eye(3, 2) * [3.0, 1.0] + 0.2 * _array(3, 2)),
    Instance(linalg_decompositions.SINGULAR_VALUES, np.diag([3.0, 1.0]) + 0.2 * _complex(2, 2)),
    Instance(QR(complete=False), _array(4, 2)),
    Instance(QR(complete=False), _regular(2, 3)),
    Instance(QR(complete=False), _regular_complex(2, 2)),
    Instance(QR(complete=True), _regular(3, 2)),
    Instance(elimination.LU_FACTORS, _regular(3, 3), name="lu_square"),
    Instance(elimination.LU_FACTORS, _regular(3, 2), name="lu_tall"),
    Instance(elimination.LU_FACTORS, _regular(2, 3), name="lu_wide"),
    Instance(elimination.PivotsOfPermutation(3), np.array([2, 0, 1])),
    Instance(elimination.ORDER_OF_PIVOTS, np.array([2, 1, 2])),
    # functions of matrices
    Instance(matrix_functions.SYLVESTER_SOLVE, _regular(3, 3), _regular(2, 2), _array(3, 2)),
    Instance(matrix_functions.MATRIX_SQUARE_ROOT, _regular(3, 3)),
    Instance(matrix_functions.MATRIX_SQUARE_ROOT, _regular_complex(2, 2)),
    Instance(matrix_functions.MATRIX_EXPONENTIAL, 0.4 * _array(3, 3)),
    Instance(matrix_functions.MATRIX_EXPONENTIAL_CHANGE, 0.4 * _array(2, 2), _array(2, 2)),
]
