"""Emitted programs as modules of their own: everything that they refer to is written out beside them.

A program refers to modules, which are imported; to helper functions, whose sources are copied without their
annotations; and to arrays, which are written as lists, or as bytes where they are large:

    constant_0 = np.array([1.0, 2.0], 'float64')
"""

from __future__ import annotations

import ast
import dis
import inspect
import pprint
import sys
import textwrap
from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, final

import numpy as np

from covector.compile.guards import GuardFailedError
from covector.core.families import SCALARS
from covector.core.primitive import Primitive
from covector.core.types import Array
from covector.errors import UnsupportedFunctionError

LARGEST_LIST = 64
"""How many entries an array may have to be written as a list."""

WIDTH = 100

WRITTEN_EXACTLY = "?bBhHiIlLqQefd"
"""The dtypes whose entries are Python numbers that are written and read back without loss."""

IMPORTABLE = {"numpy", "scipy", *sys.stdlib_module_names}

GUARD_FAILED_ERROR = '''
class GuardFailedError(Exception):
    """Python would branch differently for these arguments than for those of the export."""

    def __str__(self):
        return self.__doc__
'''.strip()


def module_source(name: str, sources: Sequence[str], namespace: Mapping[str, Any]) -> str:
    """The text of a module that offers the function `name`, defined by the sources, which refer to the namespace."""
    used = _references("\n".join(sources), namespace)
    _refuse_operations(used)
    modules = {key: value for key, value in used.items() if isinstance(value, ModuleType)}
    functions = {key: value for key, value in used.items() if isinstance(value, (FunctionType, type))}
    constants = {key: value for key, value in used.items() if key not in modules and key not in functions}
    paragraphs = [
        f'"""{name}, exported from covector, which this module does not need."""',
        "\n".join(sorted(_import(key, value) for key, value in modules.items())),
        f"__all__ = [{name!r}]",
        "\n".join(f"{key} = {_written(key, value)}" for key, value in constants.items()),
    ]
    definitions = [*map(_definition, functions.values()), *(source.strip() for source in sources)]
    head = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return "\n\n\n".join([head, *definitions]) + "\n"


# --- what a program refers to ---------------------------------------------------------------------------


def _references(source: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What the source refers to and does not define, and what the functions among that refer to, by name."""
    found: dict[str, Any] = {}
    program = compile(source, "<export>", "exec")
    defined = set(program.co_names)
    pending: list[tuple[CodeType, Mapping[str, Any]]] = [(program, namespace)]
    while pending:
        code, known = pending.pop()
        for name in sorted(_global_names(code)):
            if name in known and name not in found and name not in defined:
                found[name] = known[name]
                if isinstance(known[name], FunctionType):
                    pending.append((known[name].__code__, known[name].__globals__))
    return found


def _global_names(code: CodeType) -> set[str]:
    names = {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname == "LOAD_GLOBAL"}
    return names.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _refuse_operations(used: Mapping[str, Any]) -> None:
    """Raises if the program calls operations of covector itself."""
    primitives = (getattr(value, "__self__", None) for value in used.values())
    names = sorted({primitive.name for primitive in primitives if isinstance(primitive, Primitive)})
    if names:
        raise UnsupportedFunctionError(
            f"export writes modules that import NumPy, and these operations have no NumPy form: {', '.join(names)}. "
            "Keep them out of the exported function, or install covector where it runs."
        )


# --- how that is written --------------------------------------------------------------------------------


def _import(key: str, module: ModuleType) -> str:
    if module.__name__.partition(".")[0] not in IMPORTABLE:
        raise UnsupportedFunctionError(
            f"export writes modules that import NumPy alone; this one would import {module.__name__}"
        )
    parent, _, last = module.__name__.rpartition(".")
    if key == last:
        return f"from {parent} import {last}" if parent else f"import {last}"
    return f"import {module.__name__} as {key}"


def _definition(value: Any) -> str:
    """The source of a helper function, without annotations, whose names the module need not know."""
    if value is GuardFailedError:
        return GUARD_FAILED_ERROR
    tree = _WithoutAnnotations().visit(ast.parse(textwrap.dedent(inspect.getsource(value))))
    return ast.unparse(tree)


@final
class _WithoutAnnotations(ast.NodeTransformer):
    """Removes the annotations of arguments, results and variables."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if node.value is None else ast.Assign([node.target], node.value, lineno=node.lineno)


def _written(name: str, value: Any) -> str:
    if isinstance(value, np.generic) or type(value) is np.ndarray:
        return _written_array(np.asarray(value)) + ("[()]" if isinstance(value, np.generic) else "")
    if type(value) in SCALARS or isinstance(value, (str, tuple)):
        return repr(value)
    raise UnsupportedFunctionError(f"export cannot write {name}, a {type(value).__name__}, into the module")


def _written_array(x: Array) -> str:
    if x.dtype.kind not in "biufc":
        raise UnsupportedFunctionError(f"export cannot write an array of dtype {x.dtype} into the module")
    if x.size == 0:
        return f"np.zeros({x.shape}, {x.dtype.name!r})"
    if x.dtype.char in WRITTEN_EXACTLY and np.isfinite(x).all():
        if x.size > 1 and x.tobytes() == x.flat[0].tobytes() * x.size:
            return f"np.full({x.shape}, {x.flat[0].item()!r}, {x.dtype.name!r})"
        if x.size <= LARGEST_LIST:
            return f"np.array({pprint.pformat(x.tolist(), width=WIDTH, compact=True)}, {x.dtype.name!r})"
    entries = textwrap.fill(x.tobytes().hex(), WIDTH)
    return f'np.frombuffer(bytes.fromhex("""\n{entries}\n"""), {x.dtype.str!r}).reshape({x.shape})'
