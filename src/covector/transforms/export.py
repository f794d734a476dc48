"""export: a jitted function as a module of its own, which imports NumPy and math, and not covector.

The module holds the emitted program, copies of the functions and operations that it calls, the arrays that the
function closed over, and one public function, which checks the types of its arguments:

    def rosenbrock(x):
        '''x: float64[3]'''
        outputs = _rosenbrock(checked_array('x', x, (3,), 'float64'))
        return outputs[0]
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, final

import numpy as np
from attrs import frozen

from covector.compile.copies import is_copied
from covector.compile.emit import RESERVED
from covector.compile.expansion import spliced
from covector.compile.programs import emitted
from covector.compile.simplify import simplified
from covector.compile.standalone import module_source
from covector.compile.structured import Composite
from covector.compile.threads import environment_threads
from covector.core.primitive import as_tuple
from covector.core.types import Array, ArrayType, typeof
from covector.errors import CovectorError, UnsupportedFunctionError
from covector.graph.graph import Atom, Equation, Graph, run
from covector.interpreters.staging import CATCHABLE, record_flat
from covector.ops.debugging import held_back
from covector.transforms.jit import JittedFunction, jit, usable_name
from covector.trees import Tree, flatten, leaf_paths, unflatten


def export(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The source of a module that computes the function for arguments like these, without covector.

    Args:
        function: a function of arrays, numbers or trees of them, jitted or not.
        *args: arguments of the types for which to export it; static arguments of a jitted function are compiled in.
        **kwargs: the same by keyword.

    Returns:
        The text of a module with one public function, of the name and parameters of `function` without the static
        ones. It imports NumPy and Python's own modules; SciPy only for what NumPy has not, if `function` calls that.
        Arrays that `function` closes over have the entries that they have now. For arguments of other types it
        raises TypeError, and where Python would branch differently than for `args`, the module's GuardFailedError.

    Raises:
        UnsupportedFunctionError: an operation cannot be written in NumPy, or raises for these arguments and the
            function goes on, or the output has a container that the module would have to import.

    Law: the module's function gives what `jit(function)` gives, to rounding where covector uses SciPy and the module
    does not.

    Example:
        >>> from covector import grad
        >>> module = {}
        >>> exec(export(grad(lambda x: np.sum(x**3)), np.ones(2)), module)
        >>> module["function"](np.array([1.0, 2.0]))
        array([ 3., 12.])
    """
    jitted = function if isinstance(function, JittedFunction) else jit(function)
    lowered = jitted.lower(*args, **kwargs)
    parameters = _parameters(jitted, args, kwargs)
    leaves = [leaf for parameter in parameters for leaf in parameter.leaves()]
    _check_uncaught(lowered.graph, [leaf.example for leaf in leaves], partial(jitted.function, *args, **kwargs))
    name = usable_name(jitted.function, CALLED)
    program = emitted(_written_out(lowered.simplified), f"_{name}", _program_arguments(leaves))
    outputs = [_Output(i) for i in range(len(lowered.graph.outputs))]
    public = _public_function(name, parameters, leaves, unflatten(lowered.structure, outputs))
    source = program.source  # which adds to what the program knows
    known = {key: value for key, value in program.function.__globals__.items() if key != "print"}
    known["threads"] = environment_threads
    namespace = {**known, "checked_array": checked_array, "checked_number": checked_number}
    return module_source(name, [source, public], namespace)


def _check_uncaught(graph: Graph, examples: Sequence[Array], call: Callable[[], Any]) -> None:
    """Raises if an operation raises for these arguments and the function goes on: what it does then is not recorded."""
    if any(isinstance(x, ArrayType) for x in examples):
        return
    with held_back(), np.errstate(all="ignore"):
        try:
            run(graph, examples)
        except CATCHABLE as failure:
            try:
                call()
            except type(failure):
                return
            raise UnsupportedFunctionError(
                f"export writes the operations that the function goes through, and for these arguments one of them "
                f"raises {failure!r}, which the function catches. Export it for arguments for which none raises, or "
                "test the values before instead."
            ) from failure


# --- operations that cannot be copied -------------------------------------------------------------------


def _written_out(graph: Graph) -> Graph:
    """The graph with operations that call functions of the user's or of covector as the graphs of what these do."""
    equations: list[Equation] = []
    replaced: dict[Atom, Atom] = {}
    constants = list(graph.constants)
    for equation in graph.equations:
        inputs = tuple(replaced.get(atom, atom) for atom in equation.inputs)
        inner = _recorded(equation, [atom.type for atom in inputs])
        if inner is None:
            equations.append(Equation(equation.primitive, inputs, equation.outputs))
            continue
        replaced |= zip(equation.outputs, spliced(inner, inputs, equations), strict=True)
        constants += inner.constants
    outputs = tuple(replaced.get(atom, atom) for atom in graph.outputs)
    return simplified(Graph(graph.inputs, tuple(equations), outputs, tuple(constants), graph.structure))


def _recorded(equation: Equation, kinds: Sequence[ArrayType]) -> Graph | None:
    """What an operation computes as a graph, if that is needed, and possible."""
    primitive = equation.primitive
    if isinstance(primitive, Composite) or primitive.effect or is_copied(primitive):
        return None
    try:
        graph = record_flat(lambda *xs: as_tuple(primitive.evaluate(*xs)), kinds, primitive.name)
    except (CovectorError, ArithmeticError, TypeError, ValueError):
        return None
    outputs = [atom.type for atom in graph.outputs]
    return _written_out(graph) if outputs == [v.type for v in equation.outputs] else None


# --- what the module's function calls -------------------------------------------------------------------


def checked_array(name: str, x: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """The array x, if it has the shape and dtype for which this module was exported."""
    found = np.asarray(x)
    if found.shape != shape or found.dtype != dtype:
        raise TypeError(f"{name} must have shape {shape} and dtype {dtype}; found {found.shape} and {found.dtype}")
    return found


def checked_number(name: str, x: Any, kind: Any) -> Any:
    """The number x as one of this kind, if NumPy would cast it."""
    found = np.asarray(x)
    if found.shape or not np.can_cast(found.dtype, kind, "same_kind"):
        raise TypeError(f"{name} must be a number of type {kind.__name__}; found {x!r}")
    return kind(x)


CALLED = RESERVED | {"checked_array", "checked_number", "outputs"}
"""Names that the module's function uses, which its parameters must not have."""


# --- the module's function ------------------------------------------------------------------------------


@final
@frozen
class _Leaf:
    """An array or number among the arguments: the expression for it, and an example."""

    expression: str
    example: Array

    def checked(self) -> str:
        """The expression, checked to have the type of the example."""
        text, kind = self.expression, type(self.example)
        if isinstance(self.example, np.ndarray):
            dtype = self.example.dtype
            name = dtype.name if np.dtype(dtype.name) == dtype else dtype.str  # the latter says the byte order
            return f"checked_array({text!r}, {text}, {self.example.shape}, {name!r})"
        written = kind.__name__ if kind.__module__ == "builtins" else f"np.{kind.__name__}"
        return f"checked_number({text!r}, {text}, {written})"


@final
@frozen
class _Parameter:
    """A parameter of the module's function, with an example of its argument."""

    name: str
    example: Tree
    by_keyword: bool

    def leaves(self) -> Iterator[_Leaf]:
        """The leaves of the argument."""
        yield from map(_Leaf, leaf_paths(self.example, self.name), flatten(self.example)[0])


@final
@frozen
class _Output:
    """The place of an output of the program in the tree that the function returns."""

    index: int


def _parameters(jitted: JittedFunction[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[_Parameter]:
    """The parameters in the order in which jit flattens them: keywords are sorted, like the keys of a dictionary."""
    positional, named = jitted.recorded_arguments(args, kwargs)
    names = _positional_names(jitted.function, positional, named)
    found = [_Parameter(name, x, by_keyword=False) for name, x in zip(names, positional.values(), strict=True)]
    return [*found, *(_Parameter(name, named[name], by_keyword=True) for name in sorted(named))]


def _positional_names(function: Callable[..., Any], positions: Iterable[int], taken: Iterable[str]) -> list[str]:
    try:
        known = [p.name for p in inspect.signature(function).parameters.values() if p.kind in (0, 1)]
    except (TypeError, ValueError):
        known = []
    positions = list(positions)
    names = [known[i] for i in positions if i < len(known)]
    usable = len(names) == len(positions) and CALLED.isdisjoint(names) and set(names).isdisjoint(taken)
    return names if usable else [f"x{i + 1}" for i in positions]


def _program_arguments(leaves: Sequence[_Leaf]) -> list[str]:
    names = [leaf.expression for leaf in leaves]
    usable = all(map(str.isidentifier, names)) and RESERVED.isdisjoint(names)
    return names if usable else [f"x{i + 1}" for i in range(len(names))]


def _public_function(name: str, parameters: Sequence[_Parameter], leaves: Sequence[_Leaf], output: Tree) -> str:
    keywords = [p.name for p in parameters if p.by_keyword]
    signature = [*(p.name for p in parameters if not p.by_keyword), *(["*", *keywords] if keywords else [])]
    types = ", ".join(f"{leaf.expression}: {typeof(leaf.example)}" for leaf in leaves)
    lines = [
        f"def {name}({', '.join(signature)}):",
        f'    """{types}"""',
        f"    outputs = _{name}({', '.join(leaf.checked() for leaf in leaves)})",
        f"    return {_packed(output)}",
    ]
    return "\n".join(lines)


def _packed(tree: Tree) -> str:
    """The expression that packs the outputs of the program."""
    if isinstance(tree, _Output):
        return f"outputs[{tree.index}]"
    if tree is None:
        return "None"
    if type(tree) is list:
        return f"[{', '.join(map(_packed, tree))}]"
    if type(tree) is tuple:
        return f"({', '.join(map(_packed, tree))}{',' if len(tree) == 1 else ''})"
    if type(tree) is dict and all(type(key) in (str, int) for key in tree):
        return f"{{{', '.join(f'{key!r}: {_packed(x)}' for key, x in tree.items())}}}"
    raise UnsupportedFunctionError(
        f"an exported function can return tuples, lists, dicts and None; this one returns a {type(tree).__name__}, "
        "which the module would have to import. Return a tuple or a dict."
    )
