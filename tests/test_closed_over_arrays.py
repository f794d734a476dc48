"""Arrays that a jitted function can see, wherever they are, count with the entries that they have at the call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import attrs
import numpy as np
import pytest

import covector as cv


class Layer:
    """An object that is called, with an array of its own and one of its class."""

    shared = np.ones(3)

    def __init__(self) -> None:
        self.weights, self.inner = np.ones(3), Plain(np.ones(3))

    def __call__(self, x: Any) -> Any:
        """Multiplies by what NumPy computes from both arrays."""
        return x * (2.0 * self.weights) * (1.0 * self.shared)

    def deep(self, x: Any) -> Any:
        """Multiplies by what NumPy computes from an array of an object of its own."""
        return x * (2.0 * self.inner.array)


class Plain:
    """An object with a field."""

    def __init__(self, array: Any) -> None:
        self.array = array


class Network:
    """Layers in a list."""

    def __init__(self) -> None:
        self.layers = [Layer(), Layer()]

    def __call__(self, x: Any) -> Any:
        """One layer after the other."""
        for layer in self.layers:
            x = layer(x)
        return x


@attrs.define
class Slotted:
    """An object without a `__dict__`."""

    array: Any


class Holder:
    """A class with an array."""

    array = np.ones(3)


module = ModuleType("elsewhere")
everywhere = np.ones(3)


def helper(x: Any) -> Any:
    """Multiplies by what NumPy computes from a global array."""
    return x * (2.0 * everywhere)


class CallsHelper:
    """An object whose method sees a global array."""

    def __call__(self, x: Any) -> Any:
        """What the helper gives."""
        return helper(x)


Case = tuple[Callable[[Any], Any], Any]


def cases() -> dict[str, Case]:
    """Functions of a vector, and the arrays that they see."""
    layer, network, slotted, array = Layer(), Network(), Slotted(np.ones(3)), np.ones(3)
    outer = Plain(Plain(Plain(np.ones(3))))
    calls = CallsHelper()
    module.array = np.ones(3)  # type: ignore[attr-defined]

    def with_default(x: Any, *, weights: Any = array) -> Any:
        return x * (2.0 * weights)

    return {
        "an object in objects": (lambda x: x * (2.0 * outer.array.array.array), outer.array.array.array),
        "a callable object": (layer, layer.weights),
        "a callable object in a closure": (lambda x: layer(x), layer.weights),
        "an array of its class": (lambda x: layer(x), Layer.shared),
        "an object of a bound object": (layer.deep, layer.inner.array),
        "a list of callable objects": (lambda x: network(x), network.layers[1].weights),
        "slots": (lambda x: x * (2.0 * slotted.array), slotted.array),
        "a class": (lambda x: x * (2.0 * Holder.array), Holder.array),
        "a module": (lambda x: x * (2.0 * module.array), module.array),
        "a function that is called": (lambda x: helper(x), everywhere),
        "a function that a method calls": (lambda x: calls(x), everywhere),
        "partial": (functools.partial(lambda weights, x: x * (2.0 * weights), array), array),
        "a default": (with_default, array),
        "a gradient": (cv.grad(lambda x: np.sum(x * helper(x))), everywhere),
        "a jitted function": ((lambda fast: lambda x: fast(x))(cv.jit(helper)), everywhere),
    }


@pytest.fixture(autouse=True, scope="module")
def compiled_from_the_first_call() -> None:
    """Not here: the first call records, as it does for users."""


@pytest.mark.parametrize("name", cases())
def test_a_change_in_place_is_seen(name: str) -> None:
    function, array = cases()[name]
    x = np.array([1.0, 2.0, 3.0])
    fast = cv.jit(function)
    slope = cv.grad(lambda x: np.sum(fast(x) ** 2))
    for i in range(3):
        for _ in range(2):
            np.testing.assert_allclose(fast(x), function(x))
            np.testing.assert_allclose(slope(x), cv.grad(lambda x: np.sum(function(x) ** 2))(x))
        array[i] += 3.0
        np.testing.assert_allclose(fast(x), function(x))
