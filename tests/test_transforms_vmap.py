"""vmap: axes, trees, sizes, and the functions it maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import covector as cv
from covector.testing import check_batching
from tests import strategies as own
from tests.functions import MATRIX, POINT, counted, each_scalar, each_vector

BATCH = np.random.default_rng(3).standard_normal((4, 3))


@each_scalar
def test_scalar_functions(function: Any) -> None:
    np.testing.assert_allclose(cv.vmap(function)(BATCH), [function(x) for x in BATCH], rtol=1e-12)


@each_vector
def test_vector_functions(function: Any) -> None:
    np.testing.assert_allclose(cv.vmap(function)(BATCH), [function(x) for x in BATCH], rtol=1e-12)


class TestAxes:
    @given(st.data())
    def test_any_input_and_output_axis(self, data: st.DataObject) -> None:
        shape = data.draw(own.shapes(min_dims=1, min_side=1))
        x = data.draw(own.arrays(shape, np.dtype(np.float64)))
        axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
        out_axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
        found = cv.vmap(lambda r: np.sin(r) * 2.0, axis, out_axis)(x)
        expected = np.stack([np.sin(r) * 2.0 for r in np.moveaxis(x, axis, 0)], axis=out_axis)
        np.testing.assert_array_equal(found, expected)

    def test_none_is_not_mapped(self) -> None:
        found = cv.vmap(lambda x, y: x + y, (0, None))(BATCH, POINT)
        np.testing.assert_array_equal(found, BATCH + POINT)
        found = cv.vmap(lambda x, y: x + y, (None, 0))(2.0, POINT)
        np.testing.assert_array_equal(found, 2.0 + POINT)

    def test_tree_prefixes(self) -> None:
        tree = {"a": BATCH, "b": (POINT, BATCH.T)}

        def function(t: Any, s: Any) -> Any:
            return {"sum": t["a"] + t["b"][1], "rest": (t["b"][0], s)}

        found = cv.vmap(function, ({"a": 0, "b": (None, 1)}, None), {"sum": 1, "rest": None})(tree, 5.0)
        np.testing.assert_array_equal(found["sum"], 2.0 * BATCH.T)
        np.testing.assert_array_equal(found["rest"][0], POINT)
        assert found["rest"][1] == 5.0

    def test_one_entry_for_a_whole_argument(self) -> None:
        found = cv.vmap(lambda t, x: t["a"] * t["b"] + x, (1, 0))({"a": BATCH.T, "b": BATCH.T}, np.zeros(4))
        np.testing.assert_array_equal(found, BATCH * BATCH)

    def test_a_list_of_axes(self) -> None:
        np.testing.assert_array_equal(cv.vmap(np.add, [0, None])(BATCH, POINT), BATCH + POINT)

    def test_none_leaves_in_arguments(self) -> None:
        def function(x: Any, options: Any) -> Any:
            assert options["nothing"] is None
            return x * options["scale"]

        options = {"nothing": None, "scale": np.arange(4.0)}
        np.testing.assert_array_equal(cv.vmap(function)(BATCH, options), BATCH * np.arange(4.0)[:, None])
        np.testing.assert_array_equal(cv.vmap(function, (0, None))(BATCH, {"nothing": None, "scale": 2.0}), BATCH * 2.0)

    def test_keyword_arguments_are_mapped_over_their_first_axis(self) -> None:
        found = cv.vmap(lambda x, *, y: x * y)(BATCH, y=np.arange(4.0))
        np.testing.assert_array_equal(found, BATCH * np.arange(4.0)[:, None])

    def test_outputs_that_do_not_depend_on_the_batch_are_repeated(self) -> None:
        found = cv.vmap(lambda x: (x, 1.0, POINT), out_axes=(0, 0, 1))(BATCH)
        np.testing.assert_array_equal(found[1], np.ones(4))
        np.testing.assert_array_equal(found[2], np.stack([POINT] * 4, axis=1))
        assert found[2].flags.writeable

    def test_axis_size(self) -> None:
        np.testing.assert_array_equal(cv.vmap(lambda: 2.0, axis_size=3)(), [2.0, 2.0, 2.0])
        np.testing.assert_array_equal(cv.vmap(np.sin, axis_size=4)(BATCH), np.sin(BATCH))

    @pytest.mark.parametrize("size", [0, 1])
    def test_small_batches(self, size: int) -> None:
        found = cv.vmap(lambda x: MATRIX @ np.sin(x) + np.sum(x))(BATCH[:size])
        assert found.shape == (size, 3)
        np.testing.assert_allclose(found, np.sin(BATCH[:size]) @ MATRIX.T + BATCH[:size].sum(axis=1)[:, None])


class TestFunctions:
    @given(st.data())
    def test_broadcasting_inside_the_batch(self, data: st.DataObject) -> None:
        """Elements of different shapes broadcast as they would alone."""
        first, second = data.draw(own.broadcastable_shapes())
        x = data.draw(own.arrays(first, np.dtype(np.float64)))
        y = data.draw(own.arrays(second, np.dtype(np.float32)))
        check_batching(lambda x, y: (x + y) * np.maximum(x, y), (x, y))

    @given(st.data())
    def test_reductions_inside_the_batch(self, data: st.DataObject) -> None:
        x = data.draw(own.arrays(data.draw(own.shapes(min_side=1)), np.dtype(np.float64)))
        axis, keepdims = data.draw(own.axes(x.ndim)), data.draw(st.booleans())
        check_batching(lambda x: np.sum(x, axis=axis, keepdims=keepdims) + np.max(x), (x,))

    def test_selection(self) -> None:
        np.testing.assert_array_equal(cv.vmap(lambda x: np.where(x > 0, x, -x))(POINT), np.abs(POINT))

    def test_integer_and_boolean_values(self) -> None:
        check_batching(
            lambda n, b: (n + 1, n // 2, np.logical_not(b), n * 1.5), (np.arange(3), np.array([True, False, True]))
        )

    def test_indices_in_the_batch(self) -> None:
        found = cv.vmap(lambda x, i: x[i])(BATCH, np.array([2, 0, 1, 1]))
        np.testing.assert_array_equal(found, BATCH[np.arange(4), [2, 0, 1, 1]])
        found = cv.vmap(lambda x, i: x.at[i].set(0.0))(BATCH, np.array([2, 0, 1, 1]))
        expected = BATCH.copy()
        expected[np.arange(4), [2, 0, 1, 1]] = 0.0
        np.testing.assert_array_equal(found, expected)

    def test_a_plain_array_is_indexed_by_a_mapped_index_with_at(self) -> None:
        """NumPy does not ask the index when it indexes an array of its own."""
        found = cv.vmap(lambda i: cv.at(BATCH)[i].get() * 2.0)(np.array([2, 0]))
        np.testing.assert_array_equal(found, 2.0 * BATCH[[2, 0]])
        with pytest.raises((IndexError, TypeError)):
            cv.vmap(lambda i: BATCH[i])(np.array([2, 0]))

    def test_python_loops_over_elements(self) -> None:
        found = cv.vmap(lambda x: sum(entry**2 for entry in x) / len(x))(BATCH)
        np.testing.assert_allclose(found, np.mean(BATCH**2, axis=1))

    def test_dtypes_are_those_of_one_element(self) -> None:
        assert cv.vmap(lambda x: x * 2.0)(BATCH.astype(np.float32)).dtype == np.float32
        assert cv.vmap(lambda n: n + 1)(np.arange(3)).dtype == np.int64
        assert cv.vmap(lambda x: x > 0)(BATCH).dtype == np.bool_
        assert cv.vmap(lambda x: x * 2)(np.arange(3, dtype=np.uint8)).dtype == np.uint8

    def test_side_effects_happen_once(self) -> None:
        function, calls = counted(np.sin)
        cv.vmap(function)(BATCH)
        assert len(calls) == 1

    def test_the_tracer_looks_like_an_element(self) -> None:
        def function(x: Any) -> Any:
            assert x.shape == (3,)
            assert len(x) == 3
            assert "float64[3]" in repr(x)
            return x

        cv.vmap(function)(BATCH)

    def test_linear_algebra(self) -> None:
        matrices = np.random.default_rng(0).standard_normal((4, 3, 3)) + 3.0 * np.eye(3)
        found = cv.vmap(lambda a, b: np.linalg.solve(a, b))(matrices, BATCH)
        np.testing.assert_allclose(found, [np.linalg.solve(a, b) for a, b in zip(matrices, BATCH, strict=True)])
        found = cv.vmap(np.linalg.det)(matrices)
        np.testing.assert_allclose(found, [np.linalg.det(a) for a in matrices])
