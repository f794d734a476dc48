"""Copies of functions and operations as source that needs nothing but NumPy: what an exported module is made of.

A function is copied without its annotations. An operation becomes a function, too: its method `evaluate`, with the
values of its parameters in the place of `self.parameter`:

    class Triangle(Linear):                                  def operation_1(*inputs):
        def evaluate(self, *inputs):                 =>          return np.tril(inputs[0], 0)
            return np.tril(inputs[0], self.offset)

What they refer to in turn is copied before them, under names of its own.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import pprint
import sys
import textwrap
from collections.abc import Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, final

import numpy as np

from covector.compile import stand_ins
from covector.compile.guards import GuardFailedError
from covector.core.interpreter import Tracer
from covector.core.primitive import Primitive
from covector.core.types import Array, ArrayType, typeof
from covector.errors import UnsupportedFunctionError
from covector.ops import matrices

LARGEST_LIST = 64
"""How many entries an array may have to be written as a list."""

WIDTH = 100

WRITTEN_EXACTLY = "?bBhHiIlLqQefd"
"""The dtypes whose entries are Python numbers that are written and read back without loss."""

IMPORTABLE = {"numpy", "scipy", *sys.stdlib_module_names}

REPLACED: dict[Any, Any] = {
    GuardFailedError: stand_ins.GuardFailedError,
    Tracer: stand_ins.Tracer,
    ArrayType: stand_ins.ArrayType,
    typeof: stand_ins.typeof,
    matrices.optional_scipy: stand_ins.optional_scipy,
    matrices.required_scipy: stand_ins.required_scipy,
}
"""What stands for things of which the module needs less than they are."""


class NotWritableError(Exception):
    """A value has no form in a module that imports NumPy alone; the message says what it is."""


def is_copied(primitive: Primitive) -> bool:
    """Whether an operation can be copied."""
    try:
        Copies(set()).define(primitive.name, primitive.evaluate)
    except NotWritableError:
        return False
    return True


@final
class Copies:
    """The definitions that a module needs, in the order in which they come, and the names they have."""

    def __init__(self, taken: set[str]) -> None:
        self.imports = {"import numpy as np"}
        self.constants: list[str] = []
        self.definitions: list[str] = []
        self._taken = {"np", *taken}
        self._names: dict[Any, str] = {id(np): "np"}
        self._kept: list[Any] = []  # what is known by its id must not be freed

    def define(self, name: str, value: Any) -> None:
        """Defines a value under a name, which is in `taken`."""
        if isinstance(value, ModuleType):
            self.imports.add(_import(name, value))
        elif isinstance(value, MethodType):
            self._operation(name, value)
        elif isinstance(value, Primitive):
            self._operation(name, value.evaluate)
        elif _is_defined(value):
            self._function(name, value)
        else:
            self.constants.append(f"{name} = {self.expression(value, name)}")

    def name(self, name: str, value: Any) -> None:
        """Remembers under which name a function, class or module will be defined."""
        if isinstance(value, ModuleType) or _is_defined(value):
            self._remember(value, name)

    def expression(self, value: Any, wanted: str) -> str:
        """A value as source; what needs a definition gets the wanted name, or one like it."""
        if id(value) in self._names:
            return self._names[id(value)]
        written = _written(value, wanted, self)
        if written is not None:
            return written
        if not (isinstance(value, (ModuleType, Primitive)) or _is_defined(value)):
            raise NotWritableError(f"a {type(value).__name__}")
        name = self._remember(value, self._fresh(wanted))
        self.define(name, value)
        return name

    def method(self, primitive: Primitive, attribute: str, wanted: str) -> str:
        """A method or value of an operation as source."""
        found = inspect.getattr_static(type(primitive), attribute, None)
        if isinstance(found, staticmethod):
            return self.expression(found.__func__, attribute)
        value = getattr(primitive, attribute)
        if not isinstance(value, MethodType):
            return self.expression(value, attribute.upper())
        key = (id(primitive), attribute)
        if key not in self._names:
            self._kept.append(primitive)
            self._names[key] = name = self._fresh(f"{wanted}_{attribute}")
            self._operation(name, value)
        return self._names[key]

    # --- definitions ------------------------------------------------------------------------------------

    def _operation(self, name: str, method: Any) -> None:
        """A method of an operation as a function."""
        primitive = method.__self__
        if not isinstance(primitive, Primitive):
            raise NotWritableError(f"a method of {type(primitive).__name__}")
        try:
            self._copy(name, method.__func__, primitive)
        except (NotWritableError, OSError):
            raise NotWritableError(primitive.name) from None

    def _function(self, name: str, value: Any) -> None:
        value = REPLACED.get(value, value)
        if not isinstance(value, type):
            self._copy(name, value, None)
        elif value.__module__ == stand_ins.__name__:
            methods = [x for x in vars(value).values() if isinstance(x, FunctionType)]
            self._write(name, value, set().union(*(_global_names(x.__code__) for x in methods)), vars(stand_ins), None)
        else:
            self.definitions.append(_error(name, value))

    def _copy(self, name: str, function: Any, primitive: Primitive | None) -> None:
        original = inspect.unwrap(function)
        if original.__code__.co_freevars or original.__name__ == "<lambda>":
            raise NotWritableError(f"{original.__qualname__}, which closes over values")
        self._write(name, original, _global_names(original.__code__), original.__globals__, primitive)

    def _write(
        self, name: str, original: Any, names: set[str], known: Mapping[str, Any], primitive: Primitive | None
    ) -> None:
        """Adds the source of a function or class, after all that it refers to."""
        tree = ast.parse(textwrap.dedent(inspect.getsource(original)))
        definition = tree.body[0]
        assert isinstance(definition, (ast.FunctionDef, ast.ClassDef))
        definition.name = name
        names = names | _names_in(definition.decorator_list)
        renamed = {key: self.expression(known[key], key) for key in sorted(names) if key in known}
        self.definitions.append(ast.unparse(_Specialized(self, name, renamed, primitive).visit(tree)))

    # --- names ------------------------------------------------------------------------------------------

    def _remember(self, value: Any, name: str) -> str:
        self._kept.append(value)
        self._names[id(value)] = name
        return name

    def _fresh(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self._taken or hasattr(builtins, name):
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name)
        return name


@final
class _Specialized(ast.NodeTransformer):
    """Removes annotations, renames what is global, and puts the parameters of an operation in their places."""

    def __init__(self, copies: Copies, name: str, renamed: Mapping[str, str], primitive: Primitive | None) -> None:
        self.copies, self.name, self.renamed, self.primitive = copies, name, renamed, primitive

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        if self.primitive is not None and node.name == self.name:
            node.args.args = node.args.args[1:]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.generic_visit(ast.Assign([node.target], node.value, lineno=node.lineno))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if self.primitive is not None and isinstance(node.value, ast.Name) and node.value.id == "self":
            return _parsed(self.copies.method(self.primitive, node.attr, self.name))
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if self.primitive is not None and node.id == "self":
            return _parsed(self.copies.expression(self.primitive, self.primitive.name))
        return _parsed(self.renamed[node.id]) if node.id in self.renamed else node


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _is_defined(value: Any) -> bool:
    """Whether a value is a function, perhaps a decorated one, or a class."""
    return isinstance(value, (FunctionType, type)) or hasattr(value, "__wrapped__")


# --- what functions refer to ----------------------------------------------------------------------------


def referenced(code: CodeType, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the code of a module refers to and does not define."""
    names = _global_names(code) | {name for name in code.co_names if name not in _stored(code)}
    return {name: known[name] for name in sorted(names - _stored(code)) if name in known}


def _stored(code: CodeType) -> set[str]:
    return {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_NAME"}


def _global_names(code: CodeType) -> set[str]:
    names = {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname == "LOAD_GLOBAL"}
    return names.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _names_in(nodes: list[ast.expr]) -> set[str]:
    return {node.id for expression in nodes for node in ast.walk(expression) if isinstance(node, ast.Name)}


# --- how values are written -----------------------------------------------------------------------------


def _import(key: str, module: ModuleType) -> str:
    if module.__name__.partition(".")[0] not in IMPORTABLE:
        raise NotWritableError(f"the module {module.__name__}")
    parent, _, last = module.__name__.rpartition(".")
    if key == last:
        return f"from {parent} import {last}" if parent else f"import {last}"
    return f"import {module.__name__} as {key}"


def _written(value: Any, wanted: str, copies: Copies) -> str | None:
    """A value that needs no definition; None if it does."""
    if isinstance(value, (np.generic, np.ndarray)):
        return written_array(np.asarray(value)) + ("[()]" if isinstance(value, np.generic) else "")
    if isinstance(value, np.dtype):
        return f"np.dtype({value.str!r})"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float('{value}')"
    if value is None or value is Ellipsis or type(value) in (bool, int, float, complex, str, bytes):
        return "..." if value is Ellipsis else repr(value)
    if type(value) is slice:
        return f"slice({', '.join(copies.expression(x, wanted) for x in (value.start, value.stop, value.step))})"
    if type(value) in (tuple, list):
        items = [copies.expression(x, wanted) for x in value]
        return f"[{', '.join(items)}]" if type(value) is list else f"({', '.join(items)}{',' * (len(items) == 1)})"
    if type(value) in (set, frozenset):
        return f"{type(value).__name__}([{', '.join(sorted(copies.expression(x, wanted) for x in value))}])"
    if type(value) is dict:
        pairs = [f"{copies.expression(k, wanted)}: {copies.expression(x, wanted)}" for k, x in value.items()]
        return f"{{{', '.join(pairs)}}}"
    return _imported(value, copies)


def _imported(value: Any, copies: Copies) -> str | None:
    """A function or class of NumPy, SciPy or Python."""
    if isinstance(value, np.ufunc):
        return _ufunc(value, copies)
    if not isinstance(value, (type, FunctionType, BuiltinFunctionType)) and not hasattr(value, "__wrapped__"):
        return None
    module, name = getattr(value, "__module__", None) or "builtins", getattr(value, "__qualname__", "")
    if module.partition(".")[0] not in IMPORTABLE or not name.isidentifier():
        return None
    if getattr(np, name, None) is value:
        return f"np.{name}"
    if getattr(sys.modules.get(module), name, None) is not value:
        return None
    if module != "builtins":
        copies.imports.add(f"from {module} import {name}")
    return name


def _ufunc(value: np.ufunc, copies: Copies) -> str | None:
    if getattr(np, value.__name__, None) is value:
        return f"np.{value.__name__}"
    if getattr(sys.modules.get("scipy.special"), value.__name__, None) is not value:
        return None
    copies.imports.add("from scipy import special")
    return f"special.{value.__name__}"


def _error(name: str, value: type) -> str:
    """An exception, of the same standard kind; other classes have no copies."""
    if not issubclass(value, Exception):
        raise NotWritableError(f"the class {value.__name__}")
    standard = next(base for base in value.__mro__ if base.__module__ == "builtins")
    return f'class {name}({standard.__name__}):\n    """{(value.__doc__ or "").strip().splitlines()[0]}"""'


def written_array(x: Array) -> str:
    """An array as source: as a list, or as bytes where it is large."""
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
