"""Every covered function of the core list, as people call it: forward, reverse, second order, and in a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
import covector.scipy.linalg as scipy_linalg
import covector.scipy.special as scipy_special
from covector.testing import check_batching, check_grads
from covector.trees import flatten

special = pytest.importorskip("scipy.special")

RNG = np.random.default_rng(0)


def real(*shape: int) -> Any:
    """Entries of either sign between a half and two."""
    return RNG.uniform(0.5, 2.0, shape) * RNG.choice([-1.0, 1.0], shape)


def positive(*shape: int) -> Any:
    return RNG.uniform(0.5, 2.0, shape)


def unit(*shape: int) -> Any:
    """Entries between -0.9 and 0.9, not close to 0."""
    return RNG.uniform(0.1, 0.9, shape) * RNG.choice([-1.0, 1.0], shape)


def fraction(*shape: int) -> Any:
    """Entries between 0 and 1."""
    return RNG.uniform(0.1, 0.9, shape)


def complex_(*shape: int) -> Any:
    return real(*shape) + 1j * real(*shape)


def square(n: int = 3, *stack: int) -> Any:
    """Well-conditioned matrices with eigenvalues far apart."""
    return 0.3 * RNG.standard_normal((*stack, n, n)) + np.diag(np.arange(2.0, 2.0 + n))


def symmetric(x: Any) -> Any:
    return (x + np.swapaxes(x, -1, -2)) / 2.0


def definite(x: Any) -> Any:
    return x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-1])


def rebuilt(x: Any) -> Any:
    """The matrix from its singular vectors and values."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    return (u * s) @ v


X, A, B, C = real(3), real(2, 3), real(2, 3), real(2, 3, 4)
BANDED = real(3, 4) + np.array([[0.0], [6.0], [0.0]])

Case = tuple[Callable[..., Any], tuple[Any, ...]]

UFUNCS: dict[str, tuple[Any, ...]] = {
    "absolute": (real(3),), "add": (A, X), "arccos": (unit(3),), "arccosh": (1.0 + positive(3),),
    "arcsin": (unit(3),), "arcsinh": (X,), "arctan": (X,), "arctan2": (A, X), "arctanh": (unit(3),), "cos": (X,),
    "cosh": (X,), "deg2rad": (X,), "degrees": (X,), "divide": (A, X), "exp": (X,), "exp2": (X,), "expm1": (X,),
    "fabs": (X,), "fmax": (A, X), "fmin": (A, X), "hypot": (A, X), "log": (positive(3),), "log10": (positive(3),),
    "log1p": (positive(3),), "log2": (positive(3),), "logaddexp": (A, X), "logaddexp2": (A, X), "maximum": (A, X),
    "minimum": (A, X), "multiply": (A, X), "negative": (X,), "power": (positive(2, 3), X), "rad2deg": (X,),
    "radians": (X,), "reciprocal": (X,), "remainder": (7.3 + positive(3), positive(3)), "sin": (X,), "sinc": (X,),
    "sinh": (X,), "sqrt": (positive(3),), "square": (X,), "subtract": (A, X), "tan": (unit(3),), "tanh": (X,),
}  # fmt: skip

NUMPY: dict[str, list[Case]] = {
    **{name: [(getattr(np, name), args)] for name, args in UFUNCS.items()},
    "amax": [(np.amax, (A,)), (lambda a: np.amax(a, axis=1, keepdims=True), (A,))],
    "amin": [(np.amin, (A,)), (lambda a: np.amin(a, axis=(0, 1), initial=5.0), (A,))],
    "angle": [(np.angle, (complex_(3),))],
    "append": [(np.append, (A, X)), (lambda a, b: np.append(a, b, axis=0), (A, B))],
    "array": [
        (lambda x: np.array([x[0], 1.0, x[1] * x[2]]), (X,)), (lambda x: np.array([[x, x], [x, 2.0 * x]]), (X,)),
    ],
    "array_split": [(lambda x: np.array_split(x, 3), (real(7),)), (lambda a: np.array_split(a, [1], axis=1), (A,))],
    "astype": [(lambda x: np.astype(x, np.complex128) * 1j, (X,))],
    "atleast_1d": [(np.atleast_1d, (1.5,)), (np.atleast_1d, (X, 2.0))],
    "atleast_2d": [(np.atleast_2d, (X,))],
    "atleast_3d": [(np.atleast_3d, (A,))],
    "block": [(lambda a, b: np.block([[a, b], [b, a * 2.0]]), (A, B)), (lambda x: np.block([x, 1.0]), (X,))],
    "broadcast_to": [(lambda x: np.broadcast_to(x, (2, 3)), (X,))],
    "c_": [(lambda x, y: np.c_[x, y, x * y], (X, real(3)))],
    "clip": [(lambda x: np.clip(x, -1.0, 1.0), (X,)), (np.clip, (A, -positive(3), positive(3)))],
    "column_stack": [(lambda x, a: np.column_stack([x, a.T]), (X, A))],
    "concatenate": [
        (lambda a, b: np.concatenate([a, b], axis=-1), (A, B)), (lambda a: np.concatenate([a, a], None), (A,)),
    ],
    "conjugate": [(np.conjugate, (complex_(3),)), (np.conj, (X,))],
    "cross": [(np.cross, (X, real(3))), (np.cross, (real(4, 3), X))],
    "cumsum": [(np.cumsum, (A,)), (lambda a: np.cumsum(a, axis=0), (A,))],
    "diag": [(np.diag, (X,)), (lambda a: np.diag(a, 1), (A,))],
    "diagonal": [(lambda c: np.diagonal(c, 1, 0, 2), (C,))],
    "diff": [(np.diff, (A,)), (lambda x: np.diff(x, 2, prepend=1.0), (X,))],
    "dot": [(np.dot, (A, X)), (np.dot, (X, real(3))), (np.dot, (real(2, 4, 3), real(2, 3, 2))), (np.dot, (A, 2.0))],
    "dsplit": [(lambda c: np.dsplit(c, 2), (C,))],
    "dstack": [(lambda a, b: np.dstack([a, b]), (A, B))],
    "einsum": [
        (lambda a, b: np.einsum("ij,kj->ik", a, b), (A, B)), (lambda a: np.einsum("ii", a), (square(),)),
        (lambda c, x: np.einsum("...jk,j->k...", c, x), (C, X)),
        (lambda a, b, x: np.einsum("ij,ij,j", a, b, x), (A, B, X)),
    ],
    "expand_dims": [(lambda x: np.expand_dims(x, (0, 2)), (X,))],
    "fliplr": [(np.fliplr, (A,))],
    "flipud": [(np.flipud, (A,))],
    "full": [(lambda x: np.full((2, 3), x), (X,)), (lambda x: np.full(3, x), (1.5,))],
    "gradient": [(lambda x: np.gradient(x), (real(5),)), (lambda c: np.gradient(c, 0.5, axis=2, edge_order=2), (C,))],
    "hsplit": [(lambda c: np.hsplit(c, 3), (C,))],
    "hstack": [(lambda a, b: np.hstack([a, b]), (A, B)), (lambda x: np.hstack([x, 1.0]), (X,))],
    "imag": [(np.imag, (complex_(3),)), (np.imag, (X,))],
    "inner": [(np.inner, (A, B)), (np.inner, (A, X)), (np.inner, (X, X))],
    "kron": [(np.kron, (A, real(2, 2))), (np.kron, (X, A))],
    "linspace": [(lambda x, y: np.linspace(x, y, 5), (1.0, 3.0)), (lambda x: np.linspace(x, 2.0, 4, axis=1), (X,))],
    "matmul": [
        (np.matmul, (A, real(3, 2))), (np.matmul, (A, X)), (np.matmul, (X, real(3, 2))), (np.matmul, (X, X)),
        (np.matmul, (real(4, 1, 2, 3), real(2, 3, 2))), (np.matmul, (complex_(2, 3), X)),
    ],
    "max": [(lambda a: np.max(a, axis=0), (A,))],
    "mean": [(np.mean, (A,)), (lambda a: np.mean(a, axis=1, keepdims=True), (A,))],
    "min": [(lambda a: np.min(a, axis=-1), (A,))],
    "moveaxis": [(lambda c: np.moveaxis(c, 0, -1), (C,)), (lambda c: np.moveaxis(c, (0, 1), (2, 0)), (C,))],
    "nan_to_num": [(np.nan_to_num, (X,))],
    "outer": [(np.outer, (X, real(2))), (np.outer, (A, X))],
    "pad": [
        (lambda a: np.pad(a, 1), (A,)), (lambda a: np.pad(a, ((1, 2), (0, 3)), constant_values=2.0), (A,)),
        *[
            (lambda a, mode=mode: np.pad(a, ((1, 4), (2, 0)), mode=mode), (A,))
            for mode in ("edge", "reflect", "symmetric", "wrap", "linear_ramp", "mean", "maximum", "minimum", "median")
        ],
    ],
    "partition": [(lambda a: np.sort(np.partition(a, 1)[..., :2]), (A,))],
    "prod": [(np.prod, (A,)), (lambda a: np.prod(a, axis=0), (A,))],
    "r_": [(lambda x, y: np.r_[x, y[:1], y], (X, real(3)))],
    "ravel": [(np.ravel, (A,)), (lambda a: np.ravel(a, order="F"), (A,))],
    "real": [(np.real, (complex_(3),))],
    "real_if_close": [(np.real_if_close, (complex_(3),))],
    "repeat": [(lambda a: np.repeat(a, 2), (A,)), (lambda a: np.repeat(a, [1, 0, 2], axis=1), (A,))],
    "reshape": [(lambda a: np.reshape(a, (3, -1)), (A,)), (lambda a: np.reshape(a, 6, order="F"), (A,))],
    "roll": [(lambda a: np.roll(a, 2), (A,)), (lambda a: np.roll(a, (1, -1), axis=(0, 1)), (A,))],
    "rollaxis": [(lambda c: np.rollaxis(c, 2), (C,))],
    "rot90": [(np.rot90, (A,)), (lambda c: np.rot90(c, 3, (1, 2)), (C,))],
    "select": [(lambda x, y: np.select([X > 1.0, X > 0.0], [x, y**2], 0.5), (X, real(3)))],
    "sort": [(np.sort, (A,)), (lambda a: np.sort(a, axis=0), (A,)), (lambda a: np.sort(a, axis=None), (A,))],
    "split": [(lambda a: np.split(a, 3, axis=1), (A,)), (lambda x: np.split(x, [1, 1]), (X,))],
    "squeeze": [(np.squeeze, (real(1, 3, 1),)), (lambda a: np.squeeze(a, axis=0), (real(1, 3, 1),))],
    "stack": [(lambda a, b: np.stack([a, b], axis=1), (A, B))],
    "std": [(np.std, (A,)), (lambda a: np.std(a, axis=1, ddof=1), (A,))],
    "sum": [
        (np.sum, (A,)), (lambda c: np.sum(c, axis=(0, 2)), (C,)),
        (lambda a: np.sum(a, where=A > 0.0, initial=1.0), (A,)),
    ],
    "swapaxes": [(lambda c: np.swapaxes(c, 0, 2), (C,))],
    "tensordot": [(np.tensordot, (C, real(3, 4))), (lambda c, a: np.tensordot(c, a, ([1, 0], [1, 0])), (C, A))],
    "tile": [(lambda a: np.tile(a, (2, 1, 2)), (A,))],
    "trace": [(np.trace, (A,)), (lambda c: np.trace(c, 1, 1, 2), (C,))],
    "transpose": [(np.transpose, (A,)), (lambda c: np.transpose(c, (1, 2, 0)), (C,))],
    "tril": [(np.tril, (A,)), (lambda c: np.tril(c, -1), (C,))],
    "triu": [(np.triu, (A,)), (lambda c: np.triu(c, 1), (C,))],
    "var": [(np.var, (A,)), (lambda a: np.var(a, axis=0, keepdims=True), (A,)), (np.var, (complex_(3),))],
    "vectorize": [(np.vectorize(lambda x, y: x * y + 1.0), (A, X))],
    "vsplit": [(lambda a: np.vsplit(a, 2), (A,))],
    "vstack": [(lambda a, x: np.vstack([a, x]), (A, X))],
    "where": [(lambda x, y: np.where(X > 0.0, x, y), (A, X)), (lambda x: np.where(X > 0.0, x, 1.0), (2.0,))],
}  # fmt: skip

FFT: dict[str, list[Case]] = {
    "fft": [(np.fft.fft, (complex_(5),)), (lambda x: np.fft.fft(x, 4, axis=0), (A,))],
    "fft2": [(np.fft.fft2, (A,))],
    "fftn": [(lambda c: np.fft.fftn(c, axes=(0, 2), norm="ortho"), (C,))],
    "fftshift": [(np.fft.fftshift, (A,))],
    "ifft": [(np.fft.ifft, (complex_(3),)), (lambda x: np.fft.ifft(x, 7), (complex_(5),))],
    "ifft2": [(np.fft.ifft2, (complex_(2, 3),))],
    "ifftn": [(np.fft.ifftn, (complex_(2, 3),))],
    "ifftshift": [(lambda a: np.fft.ifftshift(a, axes=1), (A,))],
    "irfft": [(np.fft.irfft, (complex_(4),)), (lambda x: np.fft.irfft(x, 5), (complex_(3),))],
    "irfft2": [(np.fft.irfft2, (complex_(2, 3),))],
    "irfftn": [(lambda x: np.fft.irfftn(x, (2, 3), (0, 1)), (complex_(2, 3),))],
    "rfft": [(np.fft.rfft, (real(5),)), (lambda a: np.fft.rfft(a, 4, norm="forward"), (A,))],
    "rfft2": [(np.fft.rfft2, (A,))],
    "rfftn": [(np.fft.rfftn, (C,))],
}

LINALG: dict[str, list[Case]] = {
    "cholesky": [
        (lambda a: np.linalg.cholesky(definite(a)), (square(),)),
        (lambda a: np.linalg.cholesky(definite(a)), (square(2, 3),)),
    ],
    "det": [(np.linalg.det, (square(),)), (np.linalg.det, (square(2, 4),))],
    "eig": [(lambda a: np.real(np.sum(np.linalg.eig(a)[0] ** 2)), (square(),)),
        (lambda a: np.abs(np.linalg.eig(a)[1]), (square(),)),
    ],
    "eigh": [
        (lambda a: np.linalg.eigh(symmetric(a))[0], (square(),)),
        (lambda a: np.linalg.eigh(symmetric(a))[1] ** 2, (square(2, 2),)),
    ],
    "inv": [(np.linalg.inv, (square(),)), (np.linalg.inv, (square(2, 3),))],
    "multi_dot": [(lambda a, b, x: np.linalg.multi_dot([a, b.T, a, x]), (A, B, X))],
    "norm": [
        (np.linalg.norm, (X,)), (np.linalg.norm, (A,)), (lambda a: np.linalg.norm(a, axis=1), (A,)),
        *[(lambda x, o=o: np.linalg.norm(x, o), (X,)) for o in (1, 2, 3, -1, np.inf, -np.inf, 0.5)],
        *[(lambda a, o=o: np.linalg.norm(a, o), (A,)) for o in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)],
    ],
    "pinv": [(np.linalg.pinv, (A,)), (np.linalg.pinv, (A.T,)), (np.linalg.pinv, (square(),))],
    "slogdet": [
        (lambda a: np.linalg.slogdet(a)[1], (square(),)), (lambda a: np.linalg.slogdet(a).logabsdet, (square(2, 2),)),
    ],
    "solve": [
        (np.linalg.solve, (square(), X)), (np.linalg.solve, (square(), real(3, 2))),
        (np.linalg.solve, (square(2, 3), real(3, 2, 1))),
    ],
    "svd": [
        (lambda a: np.linalg.svd(a, compute_uv=False), (A,)),
        (lambda a: np.linalg.svd(a, full_matrices=False)[1], (A,)),
        (rebuilt, (A,)),
        (lambda a: np.linalg.svd(a, full_matrices=False).U ** 2, (A,)),
    ],
}  # fmt: skip

SCIPY_LINALG: dict[str, list[Case]] = {
    "solve_banded": [(lambda ab, b: scipy_linalg.solve_banded((1, 1), ab, b), (BANDED, real(4)))],
    "solve_sylvester": [(scipy_linalg.solve_sylvester, (square(), square(2), real(3, 2)))],
    "solve_triangular": [
        (scipy_linalg.solve_triangular, (square(), X)),
        (
            lambda a, b: scipy_linalg.solve_triangular(a, b, trans=1, lower=True, unit_diagonal=True),
            (square(), real(3, 2)),
        ),
    ],
    "sqrtm": [(lambda a: scipy_linalg.sqrtm(definite(a)), (square(),))],
}

SPECIAL: dict[str, list[Case]] = {
    "beta": [(special.beta, (positive(3), positive(3)))],
    "betainc": [
        (lambda x: special.betainc(1.5, 2.5, x), (fraction(3),)),
        (special.betainc, (positive(2), positive(2), fraction(2))),
    ],
    "betaln": [(special.betaln, (positive(3), positive(3)))],
    "erf": [(special.erf, (X,))], "erfc": [(special.erfc, (X,))], "erfcinv": [(special.erfcinv, (fraction(3),))],
    "erfinv": [(special.erfinv, (unit(3),))], "expit": [(special.expit, (X,))],
    "gamma": [(special.gamma, (positive(3),))], "gammaln": [(special.gammaln, (positive(3),))],
    "gammainc": [(lambda x: special.gammainc(1.5, x), (positive(3),)), (special.gammainc, (positive(2), positive(2)))],
    "gammaincc": [(lambda x: special.gammaincc(1.5, x), (positive(3),))],
    "i0": [(special.i0, (X,))], "i1": [(special.i1, (X,))], "iv": [(lambda x: special.iv(1.5, x), (positive(3),))],
    "ive": [(lambda x: special.ive(0.5, x), (positive(3),))], "j0": [(special.j0, (X,))], "j1": [(special.j1, (X,))],
    "jv": [(lambda x: special.jv(1.5, x), (positive(3),))], "logit": [(special.logit, (fraction(3),))],
    "logsumexp": [
        (scipy_special.logsumexp, (A,)), (lambda a, b: scipy_special.logsumexp(a, axis=1, b=b), (A, positive(2, 3))),
    ],
    "multigammaln": [(lambda x: scipy_special.multigammaln(x, 2), (2.0 + positive(3),))],
    "polygamma": [(lambda x: scipy_special.polygamma(1, x), (positive(3),))], "psi": [(special.psi, (positive(3),))],
    "rgamma": [(special.rgamma, (positive(3),))],
    "y0": [(special.y0, (positive(3),))], "y1": [(special.y1, (positive(3),))],
    "yn": [(lambda x: special.yn(2, x), (positive(3),))],
}  # fmt: skip

TABLE: dict[str, list[Case]] = {
    f"{module}.{name}": cases
    for module, table in (
        ("numpy", NUMPY), ("numpy.fft", FFT), ("numpy.linalg", LINALG),
        ("scipy.linalg", SCIPY_LINALG), ("scipy.special", SPECIAL),
    )
    for name, cases in table.items()
}  # fmt: skip

each_case = pytest.mark.parametrize(
    ("function", "args"),
    [pytest.param(*case, id=f"{name}-{i}") for name, cases in TABLE.items() for i, case in enumerate(cases)],
)


def test_the_whole_core_list_is_covered() -> None:
    supported = cv.supported()
    assert len(TABLE) == 176
    for name in TABLE:
        assert name in supported, name
        assert supported[name].jvp, name
        assert supported[name].transpose, name
        assert supported[name].batching, name


@each_case
def test_first_and_second_derivatives(function: Any, args: Any) -> None:
    check_grads(function, args, order=2, rtol=1e-5, atol=1e-5)


@each_case
def test_batches(function: Any, args: Any) -> None:
    if function is np.real_if_close:
        pytest.skip("its dtype depends on values, so it is refused for a batch")
    check_batching(function, args, size=2)


@each_case
def test_types_and_values_are_those_of_numpy(function: Any, args: Any) -> None:
    """Under forward mode, reverse mode and recording, from single precision too."""
    for cast in (lambda x: x, lambda x: np.asarray(x, np.complex64 if np.iscomplexobj(x) else np.float32)):
        point = tuple(map(cast, args))
        expected = _leaves(function(*point))
        recorded = cv.make_graph(function, concrete=True)(*point)(*point)
        for found in (cv.jvp(function, point, point)[0], cv.vjp(function, *point)[0], recorded):
            for x, y in zip(_leaves(found), expected, strict=True):
                assert x.dtype == y.dtype
                tolerance = 1e-4 if x.dtype.char in "fF" else 1e-11
                np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def _leaves(tree: Any) -> list[Any]:
    return [np.asarray(x) for x in flatten(tree)[0]]
