"""Emitted programs as modules of their own: everything that they refer to is written out beside them.

A program refers to modules, which are imported; to helper functions and operations, of which the module has copies
(see `copies`); and to arrays, which are written as lists, or as bytes where they are large:

    constant_1 = np.array([1.0, 2.0], 'float64')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MethodType
from typing import Any

from covector.compile.copies import Copies, NotWritableError, referenced
from covector.errors import UnsupportedFunctionError


def module_source(name: str, sources: Sequence[str], namespace: Mapping[str, Any]) -> str:
    """The text of a module that offers the function `name`, defined by the sources, which refer to the namespace."""
    program = compile("\n".join(sources), "<export>", "exec")
    used = referenced(program, namespace)
    copies = Copies({*used, *program.co_names})
    _define(copies, used)
    head = [
        f'"""{name}, exported from covector, which this module does not need."""',
        "\n".join(sorted(copies.imports)),
        f"__all__ = [{name!r}]",
        "\n".join(copies.constants),
    ]
    definitions = [*copies.definitions, *(source.strip() for source in sources)]
    return "\n\n\n".join(["\n\n".join(filter(None, head)), *definitions]) + "\n"


def _define(copies: Copies, used: Mapping[str, Any]) -> None:
    """Defines what a program refers to; raises if some of it cannot be."""
    refused = []
    for key, value in used.items():
        copies.name(key, value)
    for key, value in used.items():
        try:
            copies.define(key, value)
        except NotWritableError as error:
            refused.append((str(error), isinstance(value, MethodType)))
    operations = sorted({what for what, operation in refused if operation})
    if operations:
        raise UnsupportedFunctionError(
            f"export writes modules that import NumPy, and these operations have no NumPy form: "
            f"{', '.join(operations)}. Keep them out of the exported function, or install covector where it runs."
        )
    if refused:
        raise UnsupportedFunctionError(f"export cannot write {', '.join(what for what, _ in refused)} into the module")
