"""Bad input: every refusal is of the error tree and of the built-in class one would expect, and says what to do."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector import errors
from covector.core.types import typeof
from covector.errors import CovectorError
from covector.numpy.registry import FUNCTIONS
from tests.functions import POINT


def refused(compute: Callable[[], Any], kind: type[CovectorError], builtin: type[Exception], *words: str) -> None:
    """Computing raises an error of both classes whose message has all these words."""
    with pytest.raises(CovectorError) as caught:
        compute()
    assert isinstance(caught.value, kind), f"{type(caught.value)}: {caught.value}"
    assert isinstance(caught.value, builtin)
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def tracer(transformation: str = "grad") -> Any:
    """A tracer whose transformation has ended."""
    kept: list[Any] = []

    def keeping(x: Any) -> Any:
        kept.append(x)
        return x

    {"grad": lambda: cv.grad(keeping)(1.0), "vmap": lambda: cv.vmap(keeping)(np.ones(2))}[transformation]()
    return kept[0]


class TestTheTree:
    def test_every_error_is_a_builtin_one_too(self) -> None:
        for _, kind in inspect.getmembers(errors, inspect.isclass):
            assert issubclass(kind, (CovectorError, Warning))
            builtin = [base for base in kind.__mro__ if base.__module__ == "builtins"]
            assert kind is CovectorError or builtin[0] not in (Exception, Warning)
            assert (kind.__doc__ or "").strip()

    def test_the_drawing_in_the_docstring_is_the_tree(self) -> None:
        drawing = errors.__doc__ or ""
        for name, kind in inspect.getmembers(errors, inspect.isclass):
            assert name in drawing
            for base in kind.__bases__:
                if issubclass(base, Exception) and not issubclass(base, CovectorError) and base is not Exception:
                    (line,) = (line for line in drawing.splitlines() if f" {name} " in line)
                    assert base.__name__ in line


class TestNonScalarOutputs:
    def test_an_array(self) -> None:
        refused(
            lambda: cv.grad(lambda x: np.sin(x))(POINT),
            errors.NonScalarOutputError,
            TypeError,
            "grad",
            "float64[3]",
            "np.sum",
            "jacrev",
        )

    def test_several_outputs(self) -> None:
        refused(
            lambda: cv.grad(lambda x: (x, x))(1.0), errors.NonScalarOutputError, TypeError, "has_aux=True", "jacrev"
        )
        refused(lambda: cv.grad(lambda x: {})(1.0), errors.NonScalarOutputError, TypeError, "one scalar output")
        refused(lambda: cv.grad(lambda x: None)(1.0), errors.NonScalarOutputError, TypeError, "one scalar output")

    def test_a_complex_number(self) -> None:
        refused(lambda: cv.grad(np.exp)(1j), errors.NonScalarOutputError, TypeError, "complex128", "holomorphic=True")
        refused(lambda: cv.grad(lambda x: x * 1j)(1.0), errors.NonScalarOutputError, TypeError, "complex128")

    def test_an_integer(self) -> None:
        refused(lambda: cv.grad(np.argmax)(POINT), errors.NotDifferentiableError, TypeError, "int64", "output")

    @pytest.mark.parametrize("output", ["text", object(), [object()]])
    def test_something_that_is_not_a_number(self, output: Any) -> None:
        refused(lambda: cv.grad(lambda x: output)(1.0), errors.DTypeMismatchError, TypeError, "output", "number")


class TestIntegerInputs:
    @pytest.mark.parametrize("x", [1, True, np.int64(1), np.arange(3), np.array([True]), np.uint8(3)])
    @pytest.mark.parametrize(
        "transform",
        [
            lambda x: cv.grad(np.sum)(x), lambda x: cv.jvp(np.sum, (x,), (x,)), lambda x: cv.vjp(np.sum, x),
            lambda x: cv.linearize(np.sum, x), lambda x: cv.jacfwd(np.sum)(x), lambda x: cv.jacrev(np.sum)(x),
            lambda x: cv.hessian(np.sum)(x), lambda x: cv.value_and_grad(np.sum)(x),
            lambda x: cv.linear_transpose(np.sum, x),
        ],
    )  # fmt: skip
    def test_they_are_refused_with_the_cast_to_write(self, transform: Any, x: Any) -> None:
        cast = "float(args[0])" if np.shape(x) == () else "args[0].astype(float)"
        refused(
            lambda: transform(x),
            errors.NotDifferentiableError,
            TypeError,
            cast,
            "args[0]",
            "argnums",
            str(np.asarray(x).dtype),
        )

    def test_the_leaf_is_named(self) -> None:
        tree = {"weights": [1.0, np.arange(2)]}
        refused(
            lambda: cv.grad(lambda t, x: x)(tree, 1.0), errors.NotDifferentiableError, TypeError,
            "args[0]['weights'][1]", "int64[2]", ".astype(float)",
        )  # fmt: skip
        refused(
            lambda: cv.grad(lambda x, y: x, argnums=1)(1.0, 2),
            errors.NotDifferentiableError,
            TypeError,
            "float(args[1])",
        )
        refused(
            lambda: cv.grad(lambda *, scale: scale, argnames="scale")(scale=3),
            errors.NotDifferentiableError,
            TypeError,
            "scale",
        )

    @pytest.mark.parametrize(
        "x", ["text", object(), np.array(["a"]), np.array([object()]), np.datetime64("2020-01-01"), [[1, 2]]]
    )
    def test_other_things_are_refused_too(self, x: Any) -> None:
        with pytest.raises(CovectorError) as caught:
            cv.grad(lambda x: 1.0)(x)
        assert isinstance(caught.value, TypeError)
        assert "args[0]" in str(caught.value)

    @pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
    def test_subclasses_of_arrays_whose_arithmetic_differs(self) -> None:
        refused(
            lambda: cv.grad(np.sum)(np.ma.masked_array([1.0])),
            errors.DTypeMismatchError,
            TypeError,
            "MaskedArray",
            "np.asarray",
        )
        refused(
            lambda: cv.grad(np.sum)(np.matrix([[1.0]])), errors.DTypeMismatchError, TypeError, "matrix", "np.asarray"
        )


class TestMismatchedTangents:
    @pytest.mark.parametrize("push", [
        lambda v: cv.jvp(np.sin, (POINT,), (v,)), lambda v: cv.linearize(np.sin, POINT)[1](v),
        lambda v: cv.vjp(np.sin, POINT)[1](v), lambda v: cv.hvp(np.sum, (POINT,), (v,)),
    ])  # fmt: skip
    def test_shape_and_dtype(self, push: Any) -> None:
        for v in (np.ones(4), np.ones((3, 1)), 1.0, np.ones((1, 3))):
            refused(partial(push, v), errors.ShapeMismatchError, ValueError, "shape", "float64[3]", str(typeof(v)))
        refused(
            lambda: push(np.ones(3, np.float32)), errors.DTypeMismatchError, TypeError, "float32", ".astype('float64')"
        )
        refused(lambda: push(np.ones(3, int)), errors.DTypeMismatchError, TypeError, "int64", ".astype('float64')")
        refused(lambda: push(np.ones(3) + 0j), errors.DTypeMismatchError, TypeError, "complex128")

    def test_tree_structure(self) -> None:
        tree = {"a": POINT, "b": (1.0, 2.0)}

        def function(t: Any) -> Any:
            return t["a"] * t["b"][0]

        for bad in ({"a": POINT}, {"a": POINT, "b": [1.0, 2.0]}, (POINT,), {"a": POINT, "b": (1.0, 2.0, 3.0)}, POINT):
            refused(
                partial(cv.jvp, function, (tree,), (bad,)), errors.TreeMismatchError, ValueError, "tangents", "primals"
            )
        refused(lambda: cv.jvp(function, (tree,), (tree, tree)), errors.TreeMismatchError, ValueError, "tangents")
        refused(lambda: cv.vjp(function, tree)[1]({"a": POINT}), errors.TreeMismatchError, ValueError, "structure")

    def test_the_leaf_is_named(self) -> None:
        tree = {"a": POINT, "b": (1.0, 2.0)}
        bad = {"a": np.ones(2), "b": (1.0, 2.0)}
        refused(
            lambda: cv.jvp(lambda t: t["a"], (tree,), (bad,)), errors.ShapeMismatchError, ValueError,
            "tangents[0]['a']", "float64[3]", "float64[2]",
        )  # fmt: skip

    def test_primals_and_tangents_must_be_tuples(self) -> None:
        refused(lambda: cv.jvp(np.sin, 1.0, (1.0,)), errors.ArgumentError, TypeError, "primals", "tuple", "float")  # type: ignore[call-overload]
        refused(lambda: cv.jvp(np.sin, (1.0,), 1.0), errors.ArgumentError, TypeError, "tangents", "tuple")  # type: ignore[call-overload]
        refused(lambda: cv.jvp(np.sin, (), ()), errors.ArgumentError, TypeError, "no primal")
        refused(lambda: cv.vjp(np.sin), errors.ArgumentError, TypeError, "no primal")

    def test_a_complex_number_for_a_real_tangent(self) -> None:
        refused(lambda: cv.jvp(np.sin, (1.0,), (1j,)), errors.DTypeMismatchError, TypeError, "complex")


class TestArgnums:
    def test_out_of_range(self) -> None:
        refused(
            lambda: cv.grad(np.sin, 1)(1.0), errors.ArgumentError, ValueError, "argnums", "1", "1 positional argument"
        )
        refused(
            lambda: cv.grad(np.add, -3)(1.0, 2.0), errors.ArgumentError, ValueError, "argnums", "-3", "2 positional"
        )
        refused(lambda: cv.grad(lambda *args: args[0])(), errors.ArgumentError, ValueError, "argnums")
        refused(lambda: cv.jacfwd(np.sin, (0, 1))(1.0), errors.ArgumentError, ValueError, "argnums")

    @pytest.mark.parametrize("argnums", ["x", 1.5, (), (0, "x"), [0.5]])
    def test_not_integers(self, argnums: Any) -> None:
        refused(lambda: cv.grad(np.sin, argnums)(1.0), errors.ArgumentError, TypeError, "argnums")

    def test_the_same_one_twice(self) -> None:
        refused(lambda: cv.grad(np.add, (0, 0))(1.0, 2.0), errors.ArgumentError, ValueError, "argnums", "twice")
        refused(lambda: cv.grad(np.add, (0, -2))(1.0, 2.0), errors.ArgumentError, ValueError, "argnums", "twice")

    def test_unknown_argnames(self) -> None:
        refused(
            lambda: cv.grad(lambda *, scale: scale, argnames="size")(scale=1.0), errors.ArgumentError, ValueError,
            "argnames", "'size'", "scale",
        )  # fmt: skip

    @pytest.mark.parametrize("transform", [cv.grad, cv.value_and_grad, cv.jacfwd, cv.jacrev, cv.hessian, cv.vmap])
    def test_something_that_is_not_a_function(self, transform: Any) -> None:
        refused(lambda: transform(3.0)(POINT), errors.ArgumentError, TypeError, "function", "3.0")

    def test_modes_and_chunks_of_jacobians(self) -> None:
        refused(lambda: cv.jacobian(np.sin, mode="backward"), errors.ArgumentError, ValueError, "mode", "backward")  # type: ignore[arg-type]
        refused(lambda: cv.jacfwd(np.sin, chunk_size=0), errors.ArgumentError, ValueError, "chunk_size")

    def test_aux_that_is_missing(self) -> None:
        transform: Any
        for transform in (cv.grad, cv.jacfwd, cv.value_and_grad):
            refused(
                partial(transform(np.sin, has_aux=True), 1.0), errors.TreeMismatchError, TypeError,
                "has_aux", "(output, aux)",
            )  # fmt: skip


class TestComplex:
    def test_jacobians_of_complex_functions_need_holomorphic(self) -> None:
        jacobian: Any
        for jacobian in (cv.jacfwd, cv.jacrev):
            refused(partial(jacobian(np.exp), 1j), errors.NotDifferentiableError, TypeError, "holomorphic", "args[0]")
            refused(
                partial(jacobian(np.exp, holomorphic=True), 1.0),
                errors.NotDifferentiableError,
                TypeError,
                "complex",
                "args[0]",
            )
            refused(
                partial(jacobian(np.abs, holomorphic=True), 1j),
                errors.NotDifferentiableError,
                TypeError,
                "complex outputs",
            )

    def test_reverse_mode_has_no_rows_for_complex_outputs_of_real_inputs(self) -> None:
        refused(lambda: cv.jacrev(lambda x: 1j * x)(POINT), errors.NotDifferentiableError, TypeError, "jacfwd")
        np.testing.assert_array_equal(cv.jacfwd(lambda x: 1j * x)(POINT), 1j * np.eye(3))
        np.testing.assert_array_equal(cv.jacobian(lambda x: 1j * x[:1])(POINT), [[1j, 0.0, 0.0]])

    def test_gradients_of_holomorphic_functions(self) -> None:
        refused(
            lambda: cv.grad(np.exp, holomorphic=True)(1.0), errors.NotDifferentiableError, TypeError, "complex", "+ 0j"
        )
        refused(
            lambda: cv.grad(np.abs, holomorphic=True)(1j), errors.NotDifferentiableError, TypeError, "complex output"
        )


class TestConversions:
    """What would lose the derivative raises, whatever the value."""

    @pytest.mark.parametrize(
        ("name", "convert"),
        [
            ("float()", float), ("float()", math.sin), ("float()", lambda x: math.sqrt(x * x)), ("complex()", complex),
            ("float()", lambda x: [1.0, 2.0, float(x)]),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("transform", ["grad", "jvp", "vmap", "make_graph"])
    def test_python_numbers(self, name: str, convert: Any, transform: str) -> None:
        calls: dict[str, Any] = {
            "grad": lambda: cv.grad(convert)(0.5),
            "jvp": lambda: cv.jvp(convert, (0.5,), (1.0,)),
            "vmap": lambda: cv.vmap(convert)(np.ones(2)),
            "make_graph": lambda: cv.make_graph(convert)(0.5),
        }
        refused(calls[transform], errors.TracerConversionError, TypeError, name, "NumPy", transform, "stop_gradient")

    def test_storing_into_a_plain_array(self) -> None:
        def function(x: Any) -> Any:
            out = np.zeros(3)
            out[0] = x
            return np.sum(out)

        with pytest.raises((CovectorError, ValueError, TypeError)) as caught:
            cv.grad(function)(0.5)
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert any(isinstance(error, errors.TracerConversionError) for error in chain)

    def test_storing_an_array_into_a_plain_array(self) -> None:
        def function(x: Any) -> Any:
            out = np.zeros((2, 3))
            out[0] = x
            return np.sum(out)

        with pytest.raises((CovectorError, ValueError, TypeError)) as caught:
            cv.grad(function)(POINT)
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert any(isinstance(error, errors.TracerConversionError) for error in chain)

    def test_writing_into_a_traced_array(self) -> None:
        def function(x: Any) -> Any:
            x[0] = 1.0
            return np.sum(x)

        refused(
            lambda: cv.grad(function)(POINT),
            errors.TracerConversionError,
            TypeError,
            "covector.at(x)[index].set(value)",
            "in place",
        )

    def test_in_place_operators_of_plain_arrays(self) -> None:
        def function(x: Any) -> Any:
            total = np.zeros(3)
            total += x
            return np.sum(total)

        refused(
            lambda: cv.grad(function)(POINT),
            errors.UnsupportedArgumentError, TypeError, "plain array", "a = a + x",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "convert",
        [
            lambda x: np.asarray(x, dtype=float), lambda x: np.float64(x), lambda x: np.array([x, 1.0], dtype=float),
            lambda x: np.array(x, dtype=np.float32), lambda x: x.tolist(), lambda x: x.item(),
            lambda x: np.fromiter([x], float),
        ],
    )  # fmt: skip
    def test_numpy_conversions_are_right_or_refused(self, convert: Any) -> None:
        """Never a constant in disguise."""
        try:
            gradient = cv.grad(lambda x: np.sum(convert(x * x)))(3.0)
        except (CovectorError, TypeError, ValueError):
            return
        assert gradient == 6.0

    def test_a_traced_integer_is_an_index_and_a_float_is_not(self) -> None:
        with pytest.raises(IndexError):
            cv.grad(lambda x: POINT[x])(1.0)
        assert cv.grad(lambda x: x * POINT[np.argmax(POINT * x)])(1.0) == 1.2


class TestBranches:
    def test_a_branch_on_a_mapped_value(self) -> None:
        refused(
            lambda: cv.vmap(lambda x: x if x > 0 else -x)(POINT),
            errors.ConcreteValueError,
            TypeError,
            "bool()",
            "np.where",
            "vmap",
            "3",
        )
        refused(lambda: cv.vmap(lambda x: max(x, 0.0))(POINT), errors.ConcreteValueError, TypeError, "np.where")
        refused(lambda: cv.vmap(lambda n: range(n))(np.arange(3)), errors.ConcreteValueError, TypeError, "index")
        refused(lambda: cv.vmap(int)(POINT), errors.ConcreteValueError, TypeError, "int()")

    def test_a_branch_inside_grad_inside_vmap(self) -> None:
        refused(
            lambda: cv.vmap(cv.grad(lambda x: x if x > 0 else -x))(POINT),
            errors.ConcreteValueError,
            TypeError,
            "np.where",
        )

    def test_a_branch_on_a_recorded_value(self) -> None:
        refused(
            lambda: cv.make_graph(lambda x: x if x > 0 else -x)(1.0),
            errors.ConcreteValueError,
            TypeError,
            "bool()",
            "make_graph",
            "np.where",
        )

    def test_a_branch_on_a_tangent(self) -> None:
        @cv.custom_jvp
        def function(x: Any) -> Any:
            return x

        function.defjvp(lambda primals, tangents: (primals[0], tangents[0] if tangents[0] > 0 else -tangents[0]))
        with pytest.raises(CovectorError, match="linear"):
            cv.grad(function)(1.0)


class TestLeaks:
    @pytest.mark.parametrize("transformation", ["grad", "vmap"])
    def test_a_leaked_tracer(self, transformation: str) -> None:
        refused(
            lambda: tracer(transformation) + 1.0, errors.LeakedTracerError, TypeError, "add", transformation, "keeping",
            "has_aux", "test_errors.py",
        )  # fmt: skip

    def test_it_can_be_printed(self) -> None:
        assert "traced by grad of" in repr(tracer())
        assert "traced by grad of" in str(tracer())
        assert "keeping" in f"{tracer()}"


class TestVmap:
    def test_sizes_that_disagree(self) -> None:
        refused(
            lambda: cv.vmap(np.add)(np.ones(2), np.ones(3)),
            errors.BatchAxisError,
            ValueError,
            "args[0] has 2",
            "args[1] has 3",
        )
        refused(
            lambda: cv.vmap(lambda t: t["a"])({"a": np.ones(2), "b": np.ones((3, 2))}),
            errors.BatchAxisError, ValueError, "args[0]['a'] has 2", "args[0]['b'] has 3",
        )  # fmt: skip
        refused(
            lambda: cv.vmap(np.sin, axis_size=4)(np.ones(3)), errors.BatchAxisError, ValueError, "axis_size", "4", "3"
        )

    def test_axes_out_of_range(self) -> None:
        refused(lambda: cv.vmap(np.sin, 1)(POINT), errors.BatchAxisError, ValueError, "axis 1", "args[0]", "float64[3]")
        refused(lambda: cv.vmap(np.sin, -2)(POINT), errors.BatchAxisError, ValueError, "axis -2")
        refused(lambda: cv.vmap(np.sin)(1.0), errors.BatchAxisError, ValueError, "axis 0", "args[0]")
        refused(lambda: cv.vmap(np.sin, "0")(POINT), errors.BatchAxisError, ValueError, "'0'")
        refused(lambda: cv.vmap(np.sin, out_axes=1)(POINT), errors.BatchAxisError, ValueError, "out_axes", "1")

    def test_in_axes_of_another_structure(self) -> None:
        refused(
            lambda: cv.vmap(np.add, (0, 0, 0))(POINT, POINT), errors.BatchAxisError, ValueError, "in_axes", "3", "2"
        )
        refused(
            lambda: cv.vmap(lambda t: t["a"], ({"b": 0},))({"a": POINT}),
            errors.TreeMismatchError,
            ValueError,
            "in_axes",
        )

    def test_nothing_to_map(self) -> None:
        refused(lambda: cv.vmap(np.sin, None)(POINT), errors.BatchAxisError, ValueError, "in_axes", "axis_size")
        np.testing.assert_array_equal(cv.vmap(np.sin, None, axis_size=2)(POINT), np.sin([POINT, POINT]))

    def test_an_unmapped_output_that_depends_on_the_batch(self) -> None:
        refused(lambda: cv.vmap(np.sin, out_axes=None)(POINT), errors.BatchAxisError, ValueError, "out_axes", "None")


class TestUncovered:
    def test_a_function_with_no_rule(self) -> None:
        for call, name in ((np.linalg.cond, "cond"), (np.apply_over_axes, "apply_over_axes"), (np.roots, "roots")):
            if call in FUNCTIONS:
                continue
            args: tuple[Any, ...] = (np.sum, np.eye(2), 0) if call is np.apply_over_axes else (np.eye(2),)
            with pytest.raises((CovectorError, TypeError)) as caught:
                cv.grad(lambda x, call=call, args=args: call(*(x if isinstance(a, np.ndarray) else a for a in args)))(
                    np.eye(2)
                )
            assert isinstance(caught.value, CovectorError), caught.value
            assert name in str(caught.value)

    def test_the_message_points_to_the_list(self) -> None:
        refused(
            lambda: cv.grad(lambda x: np.busday_count(x, x))(POINT),
            errors.UnsupportedFunctionError, NotImplementedError,
            "busday_count", "covector.supported()", "custom_jvp", "stop_gradient",
        )  # fmt: skip

    def test_an_option_that_is_not_honoured(self) -> None:
        refused(
            lambda: cv.grad(lambda x: np.sum(np.cumsum(x, out=np.zeros(3))))(POINT),
            errors.UnsupportedArgumentError, TypeError, "cumsum", "out",
        )  # fmt: skip
        for call in (
            lambda x: np.sin(x, out=np.zeros(3)), lambda x: np.add(x, x, out=np.zeros(3)),
            lambda x: np.sin(x, where=np.array([True, False, True])), lambda x: np.add.at(x, [0], 1.0),
            lambda x: np.sin(x, casting="unsafe", dtype=int),
        ):  # fmt: skip
            with pytest.raises((CovectorError, TypeError)):
                cv.grad(lambda x, call=call: np.sum(call(x)))(POINT)

    def test_an_attribute_that_is_not_covered(self) -> None:
        with pytest.raises(AttributeError, match="ctypes"):
            cv.grad(lambda x: x.ctypes)(POINT)


class TestMutation:
    def test_a_large_constant_changed_while_it_was_in_use(self) -> None:
        buffer = np.zeros(50_000)

        def function(x: Any) -> Any:
            result = np.sum(x * buffer)
            buffer[...] = 3.0
            return result

        refused(
            lambda: cv.grad(function)(np.ones(50_000)),
            errors.MutationError,
            ValueError,
            "(50000,)",
            "in place",
            "new array",
        )


class TestCustomRules:
    def test_a_function_without_its_rule(self) -> None:
        refused(lambda: cv.grad(cv.custom_jvp(lambda x: x))(1.0), errors.MissingRuleError, TypeError, "defjvp")

    def test_a_rule_that_returns_something_else(self) -> None:
        function = cv.custom_jvp(lambda x: x)
        function.defjvp(lambda primals, tangents: tangents[0])
        refused(lambda: cv.jvp(function, (1.0,), (1.0,)), errors.TreeMismatchError, TypeError, "(output, tangent)")

    def test_tangents_and_cotangents_of_another_shape(self) -> None:
        function = cv.custom_jvp(lambda x: x)
        function.defjvp(lambda primals, tangents: (primals[0], np.sum(tangents[0])))
        refused(
            lambda: cv.jvp(function, (POINT,), (POINT,)),
            errors.ShapeMismatchError,
            ValueError,
            "float64[3]",
            "jvp rule",
        )
        function = cv.custom_vjp(lambda x: x)
        function.defvjp(lambda x: (x, None), lambda residuals, cotangent: (np.sum(cotangent),))
        refused(
            lambda: cv.vjp(function, POINT)[1](POINT), errors.ShapeMismatchError, ValueError, "args[0]", "backward rule"
        )

    def test_the_wrong_number_of_cotangents(self) -> None:
        function = cv.custom_vjp(lambda x, y: x * y)
        function.defvjp(lambda x, y: (x * y, (x, y)), lambda residuals, cotangent: (cotangent,))
        refused(
            lambda: cv.grad(function)(1.0, 2.0), errors.TreeMismatchError, TypeError, "2 cotangents", "backward rule"
        )


def power(x: Any, n: Any, *, flip: bool = False) -> Any:
    return -(x**n) if flip else x**n


def branching(x: Any) -> Any:
    return x if x > 0 else -x


LINE = f"{__file__}:{inspect.getsourcelines(branching)[1] + 1}"


class TestJit:
    """What jit is given, and what it finds while it records."""

    @pytest.mark.parametrize("call", [lambda fast: fast(2.0, [3]), lambda fast: fast(2.0, n=[3])])
    def test_unhashable_static_arguments_are_named(self, call: Any) -> None:
        refused(
            lambda: call(cv.jit(power, static_argnums=1)), errors.ArgumentError, TypeError,
            "must be hashable", "n is a list, [3]", "tuple",
        )  # fmt: skip

    def test_static_arguments_that_are_no_parameters(self) -> None:
        for number in (2, -3):
            refused(
                lambda number=number: cv.jit(power, static_argnums=number), errors.ArgumentError, ValueError,  # type: ignore[misc]
                "static_argnums", str(number), "2 positional",
            )  # fmt: skip
        refused(
            lambda: cv.jit(power, static_argnames="m"), errors.ArgumentError, ValueError,
            "static_argnames", "'m'", "x, n, flip",
        )  # fmt: skip
        refused(lambda: cv.jit(power, static_argnums=1.5), errors.ArgumentError, TypeError, "static_argnums", "1.5")  # type: ignore[call-overload]
        refused(lambda: cv.jit(power, static_argnames=3), errors.ArgumentError, TypeError, "static_argnames", "3")  # type: ignore[call-overload]

    def test_arguments_that_are_not_arrays_are_named(self) -> None:
        refused(
            lambda: cv.jit(lambda p, q: q)({"a": [1.0, "text"]}, 1.0), errors.DTypeMismatchError, TypeError,
            "p['a'][1] is a str, 'text'", "static_argnums",
        )  # fmt: skip

        class Model:
            @cv.jit
            def value(self, x: Any) -> Any:
                return x

        refused(lambda: Model().value(1.0), errors.DTypeMismatchError, TypeError, "self is a Model", "static")

    def test_outputs_that_are_not_arrays_are_named(self) -> None:
        fast = cv.jit(lambda x: {"a": x, "b": (x, "text")})
        refused(lambda: fast(1.0), errors.DTypeMismatchError, TypeError, "output['b'][1] is a str, 'text'")
        assert fast.cache_info().specializations == 0

    def test_a_leaked_tracer_says_where_it_was_made(self) -> None:
        kept: list[Any] = []

        def leaking(x: Any) -> Any:
            kept.append(np.sin(x))
            return x

        fast = cv.jit(cv.grad(leaking))
        fast(1.0)
        place = f"{__file__}:{inspect.getsourcelines(leaking)[1]}"
        refused(lambda: kept[0] + 1.0, errors.LeakedTracerError, TypeError, "add was given", "grad of", place, "ended")
        kept.clear()
        cv.jit(leaking)(1.0)
        refused(lambda: np.exp(kept[0]), errors.LeakedTracerError, TypeError, "exp", "jit of", place, "has_aux")

    def test_arguments_cannot_be_changed_in_place(self) -> None:
        def writing(x: Any) -> Any:
            x[0] = 1.0
            return x

        def adding(x: Any) -> Any:
            x += 1.0
            return x

        x = np.zeros(2)
        refused(lambda: cv.jit(writing)(x), errors.TracerConversionError, TypeError, "in place", "at(x)[index].set")
        np.testing.assert_array_equal(cv.jit(adding)(x), 1.0)
        np.testing.assert_array_equal(x, 0.0)


class TestTheLineOfABranch:
    """A branch that cannot be taken names its line and what to write instead."""

    @pytest.mark.parametrize(
        ("what", "call"),
        [
            ("make_graph", lambda: cv.make_graph(branching)(cv.ArrayType((), np.dtype(float)))),
            ("vmap", lambda: cv.vmap(branching)(POINT)),
            ("vmap", lambda: cv.vmap(cv.jit(branching))(POINT)),
            ("vmap", lambda: cv.jit(cv.vmap(branching))(POINT)),
            ("vmap", lambda: cv.vmap(cv.grad(branching))(POINT)),
            ("scan", lambda: cv.jit(lambda x: cv.scan(lambda c, _: (branching(c), None), x, None, 3)[0])(1.0)),
        ],
    )
    def test_bool(self, what: str, call: Any) -> None:
        refused(
            call, errors.ConcreteValueError, TypeError,
            "bool()", LINE, what, "np.where", "covector.cond", "covector.while_loop",
        )  # fmt: skip

    def test_an_index(self) -> None:
        for call in (
            lambda: cv.make_graph(lambda n: list(range(n)))(cv.ArrayType((), np.dtype(int))),
            lambda: cv.vmap(lambda n: list(range(n)))(np.arange(3)),
        ):
            refused(call, errors.ConcreteValueError, TypeError, "an index", __file__, "fori_loop", "switch")

    def test_rounding(self) -> None:
        for call in (lambda: cv.make_graph(int)(1.0), lambda: cv.make_graph(math.floor)(1.0)):
            refused(call, errors.ConcreteValueError, TypeError, __file__, "np.floor", "astype")

    def test_printing(self) -> None:
        refused(
            lambda: cv.make_graph(lambda x: f"{x:.3f}")(1.0),
            errors.ConcreteValueError, TypeError, "formatting", "debug_print",
        )  # fmt: skip
