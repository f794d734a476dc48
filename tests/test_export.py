"""export: the module computes what the jitted function computes, in an interpreter that cannot import covector."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import covector as cv
from covector.core.primitive import as_tuple
from covector.errors import UnsupportedFunctionError
from covector.scipy import special
from covector.trees import flatten
from tests.collection import catalogue

X = np.linspace(0.3, 1.7, 5)
WEIGHTS = np.linspace(-1.0, 1.0, 25).reshape(5, 5)
MANY = np.random.default_rng(0).normal(size=(9, 9))


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def textbook(x: Any, y: Any) -> Any:
    return np.log(x) + x * y - np.sin(y)


def loss(parameters: Any, *, rows: Any) -> Any:
    return np.mean((np.tanh(rows @ parameters["w"]) + parameters["b"][0]) ** 2)


PROGRAMS = [
    pytest.param(cv.grad(rosenbrock), (X,), id="gradient"),
    pytest.param(cv.hessian(rosenbrock), (X,), id="hessian"),
    pytest.param(cv.grad(textbook, (0, 1)), (2.0, 5.0), id="scalars"),
    pytest.param(cv.value_and_grad(textbook), (np.float64(2.0), 5.0), id="numpy scalars"),
    pytest.param(cv.jacrev(lambda x: np.tanh(WEIGHTS @ np.sin(x))), (X,), id="a small constant"),
    pytest.param(cv.grad(lambda x: np.sum(np.sin(MANY @ x))), (np.ones(9),), id="a large constant"),
    pytest.param(cv.grad(lambda p: loss(p, rows=WEIGHTS)), ({"w": X, "b": (0.5, None)},), id="trees"),
    pytest.param(cv.vmap(cv.grad(textbook)), (X, X), id="vmap"),
    pytest.param(lambda x: [x.T, (2 * x,)], (WEIGHTS.astype(np.float32),), id="views of arguments"),
    pytest.param(lambda z: np.exp(z) * np.array([1j, -0.0 - 0.0j, 2.0, 3.0, 4.0]), (X + 1j,), id="complex"),
    pytest.param(lambda x: x * np.array([np.inf, np.nan, -0.0, 5e-324, 0.1]), (X,), id="constants of all kinds"),
]

RUN = """
import sys, pickle
sys.modules["covector"] = None
sys.path.insert(0, sys.argv[1])
import exported
with open(sys.argv[1] + "/arguments", "rb") as file:
    arguments = pickle.load(file)
with open(sys.argv[1] + "/results", "wb") as file:
    pickle.dump(getattr(exported, exported.__all__[0])(*arguments), file)
foreign = {name.partition(".")[0] for name in sys.modules} & {"attrs", "optree", "scipy"}
assert not foreign, foreign
"""


def in_another_interpreter(source: str, arguments: Any, directory: Path) -> Any:
    """The results of an exported function in an isolated interpreter without covector."""
    (directory / "exported.py").write_text(source)
    (directory / "arguments").write_bytes(pickle.dumps(arguments))
    subprocess.run([sys.executable, "-I", "-W", "error", "-c", RUN, str(directory)], check=True)
    return pickle.loads((directory / "results").read_bytes())


def loaded(source: str) -> Callable[..., Any]:
    """The public function of an exported module."""
    module: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), module)
    function: Callable[..., Any] = module[module["__all__"][0]]
    return function


def identical(found: Any, expected: Any) -> None:
    found, expected = flatten(found), flatten(expected)
    assert found[1] == expected[1]
    for a, b in zip(found[0], expected[0], strict=True):
        assert type(a) is type(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("function", "args"), PROGRAMS)
def test_the_module_computes_what_jit_computes_without_covector(function: Any, args: Any, tmp_path: Path) -> None:
    jitted = cv.jit(function)
    found = in_another_interpreter(cv.export(jitted, *args), args, tmp_path)
    identical(found, jitted(*args))


REFUSED = {
    "unrolled_derivative": "differentiates a loop when it runs",
    "unrolled_pullback": "differentiates a loop when it runs",
    "matrix_exponential_change": "computes with operations, and calls SciPy",
    "face": "searches the faces of a dual ball",
    "settled": "asks for other maximizers",
    "product_of_others": "computes with operations, and branches on values",
}
"""The primitives that have no copy in a module, and why."""


def is_refused(instance: Any) -> bool:
    """Whether there is no copy: of these, and of a norm that is found by a search of covector's own."""
    return instance.primitive.name in REFUSED or type(instance.primitive).__module__ == "covector.norms.search"


def exported_alone(instance: Any) -> tuple[str, Any]:
    """The module of a single operation, and what jit gives."""

    def function(*inputs: Any) -> Any:
        return as_tuple(instance.primitive(*inputs))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jitted = cv.jit(function)
        return cv.export(jitted, *instance.inputs), jitted(*instance.inputs)


@pytest.mark.parametrize("instance", [x for x in catalogue() if is_refused(x)], ids=str)
def test_a_primitive_without_numpy_form_is_named(instance: Any) -> None:
    with pytest.raises(UnsupportedFunctionError, match=f"no NumPy form: {instance.primitive.name}"):
        exported_alone(instance)


RUN_ALL = """
import sys, pickle, warnings
import numpy as np
sys.modules["covector"] = None
warnings.simplefilter("ignore")
with open(sys.argv[1], "rb") as file:
    cases = pickle.load(file)
for name, source, inputs, expected in cases:
    module = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), module)
    found = module[module["__all__"][0]](*inputs)
    assert [type(x) for x in found] == [type(x) for x in expected], name
    assert [np.asarray(x).dtype for x in found] == [np.asarray(x).dtype for x in expected], name
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13, err_msg=name)
print(len(cases))
"""


def test_every_other_primitive_is_what_it_is_without_covector(tmp_path: Path) -> None:
    """All of them in one interpreter that cannot import covector, each from a module of its own."""
    instances = [instance for instance in catalogue() if not is_refused(instance)]
    cases = [
        (str(instance), source, instance.inputs, found)
        for instance in instances
        for source, found in [exported_alone(instance)]
    ]
    (tmp_path / "cases").write_bytes(pickle.dumps(cases))
    command = [sys.executable, "-I", "-c", RUN_ALL, str(tmp_path / "cases")]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(result.stdout) == len(instances)


def test_the_module_imports_only_numpy_and_math() -> None:
    def masked(x: Any) -> Any:
        return np.sum(np.where(x > 0.0, np.sqrt(x), 0.0))

    source = cv.export(cv.grad(masked), X)
    imports = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert set(imports) <= {"import math", "import numpy as np"}


def test_special_functions_that_the_function_calls_come_from_scipy() -> None:
    gradient = cv.grad(lambda x: np.sum(special.erf(x)))
    source = cv.export(gradient, X)
    assert "from scipy import special" not in source or "special." in source
    np.testing.assert_allclose(loaded(source)(X), gradient(X), rtol=1e-15)


def test_scalars_have_numpys_results_where_python_would_raise() -> None:
    exported = loaded(cv.export(np.log, 2.0))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert exported(0.0) == -np.inf


def test_the_function_has_the_name_and_parameters_of_the_original() -> None:
    source = cv.export(cv.jit(cv.grad(loss)), {"w": X, "b": (0.5, None)}, rows=WEIGHTS)
    assert "def loss(parameters, *, rows):" in source
    found = loaded(source)({"w": X, "b": (0.5, None)}, rows=WEIGHTS)
    jitted = cv.jit(cv.grad(loss))
    jitted.lower({"w": X, "b": (0.5, None)}, rows=WEIGHTS)  # so that the first call runs compiled code, too
    identical(found, jitted({"w": X, "b": (0.5, None)}, rows=WEIGHTS))


def test_parameters_that_the_module_needs_the_names_of_are_renamed() -> None:
    def awkward(np: Any, outputs: Any) -> Any:
        return np * outputs

    assert loaded(cv.export(awkward, 2.0, 3.0))(2.0, 3.0) == 6.0


def test_static_arguments_are_compiled_in() -> None:
    jitted = cv.jit(lambda x, n, flag: x**n if flag else x, static_argnums=1, static_argnames="flag")
    exported = loaded(cv.export(jitted, X, 3, flag=True))
    np.testing.assert_allclose(exported(X), X**3)


def test_a_closed_over_array_has_the_entries_of_the_export() -> None:
    weights = X.copy()
    exported = loaded(cv.export(lambda x: weights * x, X))
    weights[:] = 0.0
    np.testing.assert_array_equal(exported(X), X * X)


def test_constant_arrays_of_equal_entries_are_short() -> None:
    assert len(cv.export(cv.grad(np.sum), np.ones(100_000))) < 2000


@pytest.mark.parametrize("wrong", [np.ones(4), np.ones((5, 1)), np.ones(5, np.float32), [1.0, 2.0], 1.0])
def test_an_array_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"x must have shape \(5,\) and dtype float64; found"):
        loaded(cv.export(cv.grad(rosenbrock), X))(wrong)


@pytest.mark.parametrize("wrong", [np.ones(1), 1j, "1"])
def test_something_else_than_a_number_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="y must be a number of type float; found"):
        loaded(cv.export(cv.grad(textbook), 2.0, 5.0))(2.0, wrong)


def test_a_number_that_numpy_would_cast_is_cast() -> None:
    exported = loaded(cv.export(cv.grad(textbook), 2.0, 5.0))
    assert exported(2, np.float32(5.0)) == 5.5


def test_another_branch_than_the_exported_one_is_refused() -> None:
    exported = loaded(cv.export(lambda x: x**2 if x > 0 else -x, 2.0))
    assert exported(3.0) == 9.0
    with pytest.raises(Exception, match="branch differently") as caught:
        exported(-3.0)
    assert type(caught.value).__name__ == "GuardFailedError"


def gradient_of_covariance(x: Any) -> Any:
    factor = np.linalg.cholesky(x @ x.T + 5.0 * np.eye(5))
    return (
        np.sum(np.log(np.diag(factor))) + np.sum(np.linalg.solve(factor, x)) + np.sum(np.linalg.eigvalsh(x + x.T)[:2])
    )


@cv.custom_jvp
def doubled(x: Any) -> Any:
    return 2.0 * x


doubled.defjvp(lambda primals, tangents: (doubled(*primals), 3.0 * tangents[0]))


def structured(x: Any, n: Any) -> Any:
    def step(c: Any, row: Any) -> Any:
        c = cv.cond(c[0] > 0.5, np.sin, lambda c: c * 0.9, c) + row
        return c, np.sum(c)

    last, sums = cv.scan(step, x[0], x)
    root = cv.while_loop(lambda y: abs(y * y - n) > 1e-10, lambda y: 0.5 * (y + n / y), n)
    chosen = cv.switch(np.asarray(np.floor(n)).astype(int), [np.cos, np.exp, np.square], last)
    few = cv.scan(lambda c, _: (c * np.cos(c), None), root, None, 30, checkpoint=cv.Binomial(4))[0]
    return np.sum(chosen) + np.sum(sums**2) + root + cv.fori_loop(0, 40, lambda i, c: c * root + i, n) * 1e-9 + few


@pytest.mark.parametrize(
    ("function", "args"),
    [
        pytest.param(cv.grad(gradient_of_covariance), (WEIGHTS,), id="linear algebra"),
        pytest.param(structured, (WEIGHTS, 1.5), id="loops and branches"),
        pytest.param(cv.grad(structured, (0, 1)), (WEIGHTS, 1.5), id="gradient of loops and branches"),
        pytest.param(
            cv.vmap(cv.grad(structured), (0, None)), (np.stack([WEIGHTS, X * WEIGHTS]), 1.5), id="batch of loops"
        ),
        pytest.param(cv.grad(cv.checkpoint(lambda x: np.sum(np.sin(x) ** 2))), (X,), id="checkpoint"),
        pytest.param(cv.grad(lambda x: np.sum(doubled(x) * x)), (X,), id="custom rule"),
        pytest.param(cv.grad(lambda x: np.sum(np.sort(x)[::2] ** 2) + np.median(x)), (X,), id="sorting"),
        pytest.param(cv.grad(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2)), (X,), id="fourier transform"),
    ],
)
def test_structured_and_composite_programs_run_without_covector(function: Any, args: Any, tmp_path: Path) -> None:
    """To rounding: triangular systems are solved by NumPy in the module, and by SciPy, if it is there, in covector."""
    jitted = cv.jit(function)
    found, expected = in_another_interpreter(cv.export(jitted, *args), args, tmp_path), jitted(*args)
    assert flatten(found)[1] == flatten(expected)[1]
    for a, b in zip(flatten(found)[0], flatten(expected)[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_an_operation_without_numpy_form_is_named() -> None:
    with pytest.raises(UnsupportedFunctionError, match=r"no NumPy form: product_of_others"):
        cv.export(cv.grad(np.prod), X)


class Pair(NamedTuple):
    first: Any
    second: Any


def test_containers_that_would_have_to_be_imported_are_refused_as_outputs_only() -> None:
    assert loaded(cv.export(lambda p: p.first * p.second, Pair(2.0, 3.0)))(Pair(4.0, 5.0)) == 20.0
    with pytest.raises(UnsupportedFunctionError, match="returns a Pair"):
        cv.export(lambda x: Pair(x, x), 2.0)


def test_a_function_without_a_name_of_its_own_is_called_function() -> None:
    assert "def function(x):" in cv.export(lambda x: 2.0 * x, 3.0)
    assert loaded(cv.export(partial(np.multiply, 2.0), 3.0))(4.0) == 8.0


def test_a_function_that_catches_an_error_at_the_given_arguments_is_refused() -> None:
    """The program would be that of the branch that raises."""

    def total_inverse(a: Any) -> Any:
        try:
            return np.sum(np.linalg.inv(a))
        except np.linalg.LinAlgError:
            return np.sum(a)

    with pytest.raises(UnsupportedFunctionError, match=r"Singular matrix.*which the function catches"):
        cv.export(total_inverse, np.ones((2, 2)))
    namespace: dict[str, Any] = {}
    exec(cv.export(total_inverse, np.eye(2)), namespace)
    assert namespace["total_inverse"](2.0 * np.eye(2)) == 1.0
    assert "def inv" in cv.export(np.linalg.inv, np.ones((2, 2)))  # which raises by itself as well
