"""numpy.fft: every function, for even and odd lengths, all normalizations, cut and padded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.types import typeof
from covector.errors import DTypeMismatchError, UnsupportedArgumentError
from covector.ops.fft import FourierTransform, RealFourierTransform, resized
from covector.testing import check_grads
from tests.test_contractions import array, assert_same, check, complex_array

Function = Callable[..., Any]
ANY: Any = np.fft  # for calls that the type checker would refuse too

NORMS = [None, "ortho", "forward", "backward"]
OF_COMPLEX = [np.fft.fft, np.fft.ifft, np.fft.irfft, np.fft.hfft]
OF_REAL = [*OF_COMPLEX, np.fft.rfft, np.fft.ihfft]


def name_of(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


@pytest.mark.parametrize("size", [1, 4, 5])
@pytest.mark.parametrize("function", OF_REAL, ids=name_of)
def test_transforms_of_real_arrays(function: Function, size: int) -> None:
    if size > 1 or function not in (np.fft.irfft, np.fft.hfft):
        check(function, array(2, size))


@pytest.mark.parametrize("size", [2, 4, 5])
@pytest.mark.parametrize("function", OF_COMPLEX, ids=name_of)
def test_transforms_of_complex_arrays(function: Function, size: int) -> None:
    check(function, complex_array(size))


@pytest.mark.parametrize("n", [1, 3, 6, 7])
@pytest.mark.parametrize("function", OF_REAL, ids=name_of)
def test_transforms_of_arrays_cut_or_padded_to_a_length(function: Function, n: int) -> None:
    check(lambda x: function(x, n=n, axis=0), array(4, 2), order=1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("function", OF_REAL, ids=name_of)
def test_normalizations(function: Function, norm: Any) -> None:
    x = array(4)
    assert_same(cv.jvp(lambda x: function(x, norm=norm), (x,), (x,))[0], function(x, norm=norm))
    for n in (4, 5):
        check_grads(lambda x, n=n: function(x, n=n, norm=norm), (x,), order=1)


SEVERAL: list[tuple[str, Function, Any]] = [
    ("fftn", np.fft.fftn, array(2, 3)),
    ("fftn lengths", lambda x: np.fft.fftn(x, s=(3, 2), axes=(0, 1)), complex_array(2, 3)),
    ("fftn axes", lambda x: np.fft.fftn(x, axes=(2, 0), norm="ortho"), complex_array(2, 2, 3)),
    ("fftn one axis twice", lambda x: np.fft.fftn(x, axes=(0, 0)), complex_array(3, 2)),
    ("ifftn", np.fft.ifftn, complex_array(2, 3)),
    ("ifftn axis", lambda x: np.fft.ifftn(x, axes=(0,)), array(3, 2)),
    ("fft2", np.fft.fft2, array(2, 3, 2)),
    ("fft2 lengths", lambda x: np.fft.fft2(x, s=(2, -1), axes=(0, 1)), array(3, 3)),
    ("ifft2", lambda x: np.fft.ifft2(x, norm="forward"), complex_array(3, 2)),
    ("rfftn", np.fft.rfftn, array(3, 4)),
    ("rfftn lengths", lambda x: np.fft.rfftn(x, s=(4, 3), axes=(1, 0)), array(3, 3)),
    ("rfft2", np.fft.rfft2, array(2, 3, 5)),
    ("irfftn", np.fft.irfftn, complex_array(3, 3)),
    ("irfftn lengths", lambda x: np.fft.irfftn(x, s=(2, 5), axes=(-1, 0), norm="ortho"), complex_array(3, 3)),
    ("irfft2", np.fft.irfft2, complex_array(2, 2, 3)),
    ("irfft2 lengths", lambda x: np.fft.irfft2(x, s=(2, 3)), array(2, 3)),
    ("fftshift", np.fft.fftshift, array(4, 3)),
    ("fftshift axis", lambda x: np.fft.fftshift(x, axes=1), array(4, 3)),
    ("ifftshift", np.fft.ifftshift, array(5)),
    ("ifftshift axes", lambda x: np.fft.ifftshift(x, axes=(0, -1)), complex_array(3, 2, 3)),
]


@pytest.mark.parametrize(("function", "x"), [(f, x) for _, f, x in SEVERAL], ids=[n for n, _, _ in SEVERAL])
def test_transforms_along_several_axes(function: Function, x: Any) -> None:
    check(function, x)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_the_transpose_of_the_transform_is_the_transform(n: int) -> None:
    matrix = np.fft.fft(np.eye(n))
    weights = complex_array(n)
    transposed = FourierTransform((0,)).transpose(weights, typeof(weights))
    np.testing.assert_allclose(transposed, matrix.T @ weights, atol=1e-12)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_the_transpose_of_the_real_transform(n: int, norm: Any) -> None:
    matrix = np.fft.rfft(np.eye(n), axis=0, norm=norm)
    weights = complex_array(n // 2 + 1)
    transposed = RealFourierTransform(0, norm).transpose(weights, typeof(np.zeros(n)))
    np.testing.assert_allclose(transposed, (matrix.T @ weights).real, atol=1e-12)


def test_parseval_gives_the_gradient() -> None:
    x = array(6)
    gradient = cv.grad(lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2))(x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, 2.0 * x, atol=1e-12)


def test_resizing_cuts_or_pads_with_zeros() -> None:
    x = array(2, 3)
    np.testing.assert_array_equal(resized(x, 1, 2), x[:, :2])
    np.testing.assert_array_equal(resized(x, 0, 3), np.concatenate([x, np.zeros((1, 3))]))


def test_integers_are_transformed_in_double_precision() -> None:
    def function(x: Any) -> Any:
        return np.fft.fft(x), np.fft.rfft(x), np.fft.fftshift(x)

    assert_same(cv.make_graph(function)(np.arange(4))(np.arange(4)), function(np.arange(4)))


REFUSED: list[tuple[str, Function, type[Exception]]] = [
    ("out", lambda x: np.fft.fft(x, out=np.zeros(4, complex)), UnsupportedArgumentError),
    ("rfft of complex numbers", lambda x: np.fft.rfft(x * 1j), DTypeMismatchError),
    ("no length", lambda x: np.fft.fft(x, n=0), ValueError),
    ("negative length", lambda x: np.fft.irfft(x, n=-2), ValueError),
    ("no frequencies", lambda x: np.fft.irfft(x[:1]), ValueError),
    ("norm", lambda x: ANY.fft(x, norm="unitary"), ValueError),
    ("axis", lambda x: np.fft.fft(x, axis=1), np.exceptions.AxisError),
    ("lengths and axes", lambda x: np.fft.fftn(x, s=(2, 2), axes=(0,)), ValueError),
]


@pytest.mark.parametrize(("function", "error"), [(f, e) for _, f, e in REFUSED], ids=[n for n, _, _ in REFUSED])
def test_what_cannot_be_computed_is_refused(function: Function, error: type[Exception]) -> None:
    with pytest.raises(error):
        cv.jvp(function, (np.ones(4),), (np.ones(4),))
