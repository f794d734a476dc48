"""The error function of large arrays is that of the C library, entry by entry, however many entries are large."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import special

import covector as cv
from covector.compile.vectorized import MANY, erf, erfc, ndtr

FUNCTIONS = [(erf, math.erf), (erfc, math.erfc), (ndtr, lambda x: 0.5 * math.erfc(-x * math.sqrt(0.5)))]
SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0**-0.5,
    -(2.0**-0.5),
    2.0**0.5,
    5e-324,
    -1e-310,
    1e-30,
    6.0,
    -6.0,
    30.0,
    1e200,
    -1e300,
]


def points(spread: float) -> Any:
    """Normal numbers, and a few that are special, at odd places."""
    x = np.random.default_rng(0).normal(scale=spread, size=MANY + 1001)
    x[7 :: len(x) // len(SPECIAL)][: len(SPECIAL)] = SPECIAL
    return x


@pytest.mark.parametrize("spread", [1e-3, 0.3, 0.7, 3.0])
@pytest.mark.parametrize(("function", "of_one"), FUNCTIONS)
def test_every_entry_is_right(function: Any, of_one: Any, spread: float) -> None:
    """Far out, where erfc is as small as 1e-17, its relative error grows with the argument's square, in any library."""
    x = points(spread)
    found, expected = function(x), np.array([of_one(number) for number in x])
    np.testing.assert_allclose(found, expected, rtol=1e-15 * (2.0 + min(40.0, spread**2 * 20.0)), atol=1e-300)
    np.testing.assert_array_max_ulp(found, getattr(special, function.__name__)(x), 2)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize(("function", "limits"), [(erf, (-1.0, 1.0)), (erfc, (2.0, 0.0)), (ndtr, (0.0, 1.0))])
def test_infinity_and_nan_warn_of_nothing(function: Any, limits: tuple[float, float]) -> None:
    x = points(0.3)
    x[:3] = -np.inf, np.inf, np.nan
    with np.errstate(all="raise"):
        found = function(x)
    np.testing.assert_array_equal(found[:3], [*limits, np.nan])
    np.testing.assert_array_equal(np.isnan(found[3:]), False)


@pytest.mark.parametrize("spread", [0.3, 3.0])
@pytest.mark.parametrize("function", [erf, erfc, ndtr])
def test_the_output_may_be_the_input_and_need_not_be_contiguous(function: Any, spread: float) -> None:
    x = points(spread)
    expected = function(x)
    strided = np.repeat(x, 2)[::2]
    assert function(strided, out=strided) is strided
    np.testing.assert_array_equal(strided, expected)
    rows = np.stack([x, x]).T
    np.testing.assert_array_equal(function(rows, out=np.empty_like(rows)), np.stack([expected, expected]).T)


OTHERS = [np.float32(0.3), np.linspace(-2, 2, 3 * MANY, dtype=np.float32), np.linspace(-2.0, 2.0, 9)]


@pytest.mark.parametrize("x", OTHERS)
def test_other_dtypes_and_few_entries_are_scipys(x: Any) -> None:
    found = erf(x)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, special.erf(x))


@pytest.mark.parametrize("name", ["erf", "erfc", "ndtr"])
def test_programs_on_large_arrays_use_it(name: str) -> None:
    function = getattr(special, name)
    x = np.random.default_rng(1).normal(scale=0.7, size=100_000)
    for program in (function, cv.grad(lambda x: np.sum(function(x) ** 2 * np.sqrt(1.0 + x * x)))):
        fast = cv.jit(program)
        assert f"fast_{name}(" in fast.source(x)
        assert f"special.{name}(" in fast.source(x[:100])
        for _ in range(2):
            np.testing.assert_allclose(fast(x), program(x), rtol=1e-12, atol=1e-15)


def test_an_exported_module_has_its_own(tmp_path: Any) -> None:
    x = np.random.default_rng(1).normal(scale=0.7, size=100_000)
    (tmp_path / "exported.py").write_text(cv.export(special.erf, x))
    np.save(tmp_path / "x.npy", x)
    code = "import numpy, exported, sys; print(exported.erf(numpy.load('x.npy')).sum(), 'covector' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    total, imported = run.stdout.split()
    assert float(total) == pytest.approx(float(np.sum(special.erf(x))), rel=1e-12)
    assert imported == "False"
