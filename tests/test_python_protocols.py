"""What Python code does with numbers and arrays: on traced values it has the right derivative, or is refused."""

from __future__ import annotations

import copy
import functools
import math
import operator
import pickle
from array import array
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import CovectorError
from tests.functions import POINT, numerical_jacobian

OF_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: sum(x) ** 2,
    "max": lambda x: max(x) * min(x),
    "sorted": lambda x: sorted(x)[1] ** 2,
    "sorted by key": lambda x: sorted(x, key=abs)[0] ** 3,
    "reduce": lambda x: functools.reduce(operator.mul, x),
    "math.prod": lambda x: math.prod(x),
    "accumulate": lambda x: sum(a * a for a in accumulate(x)),
    "zip": lambda x: sum(a * b for a, b in pairwise(x)),
    "enumerate": lambda x: sum(i * a**2 for i, a in enumerate(x)),
    "reversed": lambda x: sum(i * a for i, a in enumerate(reversed(x))) * x[0],
    "unpacking": lambda x: (lambda a, *rest: a * rest[-1])(*x),
    "slices": lambda x: np.sum(x[1:] * x[:-1]) + x[-1] ** 2,
    "in": lambda x: x[0] ** 2 if 5.0 not in x else x[1],
    "all and any": lambda x: x[0] ** 2 if any(x < 0) and not all(x < 0) else x[1],
    "len": lambda x: np.sum(x**2) / len(x),
    "list plus array": lambda x: np.sum(np.array([1.0, 2.0]) * [x[0], x[1] * x[2]]),
    "array of arrays": lambda x: np.sum(np.array([x, 2.0 * x, POINT]) ** 2),
    "array of rows of numbers": lambda x: np.sum(np.array([[x[0], 1.0], [2.0, x[1]]]) @ [x[2], 1.0]),
    "asarray": lambda x: np.sum(np.asarray(x) * x),
    "array": lambda x: np.sum(np.array(x) ** 2),
    "copy": lambda x: np.sum(x.copy() * np.copy(x) * copy.copy(x) * copy.deepcopy(x)),
    "deepcopy of a tree": lambda x: np.sum(copy.deepcopy({"x": [x]})["x"][0] ** 2),
    "float32 array": lambda x: np.sum(x * np.float32(2.0)),
    "integer array": lambda x: np.sum(x ** np.array([1, 2, 3])),
    "boolean mask": lambda x: np.sum(x[x > 0] ** 2),
    "boolean product": lambda x: np.sum(x**2 * (x > 0)),
    "memoryview": lambda x: np.sum(x * memoryview(array("d", [1.0, 2.0, 3.0]))),
    "nested lists": lambda x: np.sum(x * [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    "iteration over flat": lambda x: sum(a**2 for a in x.reshape(3, 1).flat),
    "string formatting": lambda x: np.sum(x**2) if f"{x[0]:.1f}" == "0.3" else 0.0,
}

OF_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "pow": lambda x: pow(x, 3),
    "powers": lambda x: x**2 + x**-1.5 + 2.0**x + x**x,
    "abs": lambda x: abs(-x * 2.0),
    "divmod": lambda x: divmod(x, 0.5)[1] * x + divmod(x, 0.5)[0],
    "floor division": lambda x: (x // 0.5) * x,
    "remainder": lambda x: x % 0.5 + 2.2 % x,
    "round": lambda x: round(x, 1) * x,
    "int": lambda x: int(x) * x,
    "trunc": lambda x: math.trunc(x) * x + math.floor(x) * x + math.ceil(x) * x,
    "max": lambda x: max(x, 0.5) * min(x, 5.0),
    "comparisons": lambda x: x**2 if 1.0 < x <= 2.0 and x != 3.0 and x != 4.0 else x,
    "list multiplication": lambda x: sum([x * x] * 3),
    "sum of a list": lambda x: np.sum([x, x * x, 1.0]),
    "dot of lists": lambda x: np.dot([x, x * x], [1, 2]),
    "ufunc of a list": lambda x: np.sin([x, x * x])[1],
    "big integers": lambda x: x * 10**30 * 1e-30,
    "booleans": lambda x: x * True + x**2 * np.True_,
    "small integers": lambda x: x * np.int8(100) * np.int8(100),
    "isclose": lambda x: x**2 if not np.isclose(x, 1.5) else x,
    "index": lambda x: [x, 2.0].index(x) + x * x,
    "dictionary values": lambda x: {"a": x, "b": x * x}["b"],
    "closures": lambda x: (lambda y: y * x)(x),
    "generators": lambda x: sum(x * k for k in range(4)),
    "exceptions": lambda x: x**2 if _raises(lambda: 1 / 0) else x,
    "ternary chains": lambda x: x and x * x,
    "operator module": lambda x: operator.mul(x, operator.add(x, 1.0)),
    "in-place operators": lambda x: _in_place(x),
    "numpy numbers on the left": lambda x: np.float64(2.0) * x + np.float64(1.0) / x - np.int64(2) ** x,
    "0-d arrays": lambda x: np.array(2.0) * x * np.array(x),
}


def _raises(compute: Callable[[], Any]) -> bool:
    try:
        compute()
    except ZeroDivisionError:
        return True
    return False


def _in_place(x: Any) -> Any:
    y = x
    y += 1.0
    y *= x
    y -= 2.0
    y /= x
    y **= 2
    y %= 5.0
    return y


@pytest.mark.parametrize("name", OF_ARRAYS)
def test_of_arrays(name: str) -> None:
    function = OF_ARRAYS[name]
    expected = numerical_jacobian(function, POINT)
    np.testing.assert_allclose(cv.grad(function)(POINT), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(cv.jacfwd(function)(POINT), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_of_numbers(name: str) -> None:
    function = OF_NUMBERS[name]
    expected = numerical_jacobian(lambda x: function(float(x)), np.array(1.3))
    assert cv.grad(function)(1.3) == pytest.approx(float(expected), rel=1e-6)
    assert cv.jvp(function, (1.3,), (1.0,))[1] == pytest.approx(float(expected), rel=1e-6)
    assert cv.value_and_grad(function)(1.3)[0] == pytest.approx(function(1.3), rel=1e-14)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "refused",
    [
        lambda x: math.fsum([x, x]), lambda x: math.hypot(x, x), lambda x: pickle.loads(pickle.dumps(x)),
        lambda x: x * "a", lambda x: x * None, lambda x: x * Fraction(1, 2), lambda x: {x: 1.0}[x],
        lambda x: x * np.ma.masked_array([1.0]), lambda x: np.matrix([[1.0]]) * x, lambda x: x @ x, lambda x: x[0],
        lambda x: len(x), lambda x: list(x), lambda x: x(), lambda x: x.nonsense, lambda x: np.frombuffer(x),
        lambda x: range(x), lambda x: "a" * x, lambda x: x << 1, lambda x: x & 1, lambda x: ~x, lambda x: float(x),
        lambda x: x.__array_interface__,
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(refused: Any) -> None:
    """With an error of covector, or the one that Python or NumPy raises for an ordinary number."""
    with pytest.raises((CovectorError, TypeError, ValueError, AttributeError, IndexError)):
        cv.grad(lambda x: np.sum(refused(x)))(1.3)


def test_inputs_of_every_layout() -> None:
    """Views, reversed, transposed, read-only and broadcast arrays as inputs."""
    base = np.linspace(0.1, 1.2, 12)
    layouts = [
        base[::2], base[::-1], base.reshape(3, 4).T, base.reshape(3, 4)[:, 1:3], np.asfortranarray(base.reshape(3, 4)),
        np.broadcast_to(base[:3], (2, 3)), np.broadcast_to(0.5, (2, 2)), base.reshape(2, 3, 2)[::-1, :, ::-1],
        base.astype(">f8"), base.view(np.recarray), base[3:4], base[:0],
    ]  # fmt: skip
    for x in layouts:
        found = cv.grad(lambda x: np.sum(np.sin(x) * x))(x)
        np.testing.assert_allclose(found, np.cos(x) * x + np.sin(x))
        assert found.flags.writeable
        assert type(found) is np.ndarray
        _, pullback = cv.vjp(lambda x: x * x, x)
        np.testing.assert_allclose(pullback(np.ones_like(x))[0], 2.0 * x)
        np.testing.assert_allclose(cv.vmap(np.sin)(x), np.sin(x))


def test_extended_precision() -> None:
    x = POINT.astype(np.longdouble)
    found = cv.grad(lambda x: np.sum(np.exp(x) * x))(x)
    assert found.dtype == np.longdouble
    np.testing.assert_allclose(found, np.exp(x) * (x + 1), rtol=1e-17 if np.finfo(np.longdouble).eps < 1e-17 else 1e-15)
