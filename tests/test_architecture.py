"""The layers, read from the imports: a file imports only from its own layer and lower ones, and there are no cycles."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import covector

ROOT = Path(covector.__file__).parent
LONGEST_FUNCTION = 40

LAYERS: list[tuple[str, ...]] = [
    ("errors",),
    ("trees", "settings", "core"),
    ("graph",),
    ("ops",),
    ("interpreters",),
    ("compile",),
    ("transforms",),
    ("numpy", "scipy", "norms", "optimize", "trace"),
    ("testing",),
    ("",),
]
"""DESIGN, section 3, lowest first; a name stands for the file and for the package."""

OPTIONAL = {"matplotlib", "rich", "scipy", "tqdm"}
"""Packages that may be imported inside functions, because they may be missing."""


@cache
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """The syntax tree of every module, by name without the leading `covector.`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = (path, ast.parse(path.read_text()))
    return found


def layer(module: str) -> int:
    """The number of a module's layer."""
    top = module.split(".")[0]
    (number,) = (i for i, names in enumerate(LAYERS) if top in names)
    return number


def imported_modules(node: ast.AST, module: str) -> set[str]:
    """The full names of what one import statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom):
        return set()
    assert node.level == 0, f"{module}: relative imports are not used here"
    return {f"{node.module}.{alias.name}" for alias in node.names}


def for_type_checking(tree: ast.Module) -> set[ast.AST]:
    """The statements that only type checkers run."""
    return {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and isinstance(branch.test, ast.Name) and branch.test.id == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }


def dependencies(module: str) -> set[str]:
    """The modules of covector that a module imports when it is imported."""
    _, tree = sources()[module]
    skipped = for_type_checking(tree)
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        for name in imported_modules(node, module):
            found |= {m for m in (_own_module(name),) if m is not None and m != module}
    return found


def _own_module(name: str) -> str | None:
    """The module of covector that a dotted name is, or is defined in."""
    if name.split(".")[0] != "covector":
        return None
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in sources():
        parts.pop()
    return ".".join(parts)


each_module = pytest.mark.parametrize("module", list(sources()))


@each_module
def test_a_module_imports_only_from_its_layer_and_lower_ones(module: str) -> None:
    higher = sorted(other for other in dependencies(module) if layer(other) > layer(module))
    assert not higher, f"covector.{module} imports {higher} from a higher layer"


def test_there_are_no_import_cycles() -> None:
    graph = {module: dependencies(module) for module in sources()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


@each_module
def test_imports_are_at_the_top(module: str) -> None:
    """Except those of optional dependencies."""
    _, tree = sources()[module]
    hidden = {
        name
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
        for name in imported_modules(node, module)
        if name.split(".")[0] not in OPTIONAL
    }
    assert not hidden, f"covector.{module} imports {sorted(hidden)} inside a function"


@each_module
def test_functions_are_short(module: str) -> None:
    path, tree = sources()[module]
    lines = path.read_text().splitlines()
    long = {
        function.name: count
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (count := _code_lines(function, lines)) > LONGEST_FUNCTION
    }
    assert not long, f"functions of covector.{module} with more than {LONGEST_FUNCTION} lines of code: {long}"


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """Lines that are neither blank, nor comments, nor the docstring."""
    documented: range = range(0)
    if ast.get_docstring(function) is not None:
        documented = range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1)
    numbers = (i for i in range(function.lineno, (function.end_lineno or 0) + 1) if i not in documented)
    return sum(1 for i in numbers if lines[i - 1].strip() and not lines[i - 1].strip().startswith("#"))


@each_module
def test_every_module_explains_itself(module: str) -> None:
    path, tree = sources()[module]
    assert ast.get_docstring(tree), f"{path.name} has no docstring"


@each_module
def test_public_definitions_have_docstrings(module: str) -> None:
    _, tree = sources()[module]
    missing = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)
    ]
    assert not missing


def test_only_the_numpy_layer_fills_the_protocol_table() -> None:
    """The one inversion of the layers is declared: tracers look functions up in a table that one layer fills."""
    writers = {module for module, (path, _) in sources().items() if _writes_table(path.read_text())}
    assert writers <= {m for m in sources() if m.split(".")[0] in ("numpy", "scipy")}, writers


def _writes_table(text: str) -> bool:
    targets: list[ast.expr] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AugAssign):
            targets.append(node.target)
    names = [
        t.value.id for t in targets if isinstance(t, (ast.Attribute, ast.Subscript)) and isinstance(t.value, ast.Name)
    ]
    return "table" in names


def test_the_kernel_knows_no_operation() -> None:
    """core/ imports nothing of covector but core and errors."""
    for module in sources():
        if module.split(".")[0] == "core":
            assert {m.split(".")[0] for m in dependencies(module)} <= {"core", "errors"}, module
