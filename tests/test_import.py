"""Importing covector: quick, because what a gradient does not need is loaded when it is first used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import covector

LATER = ("covector.norms", "covector.optimize", "covector.compile", "covector.transforms.control", "covector.testing")
"""Packages that a program which takes gradients does without."""


def loaded_by(program: str) -> set[str]:
    """The modules that a program loads in a Python of its own."""
    command = f"{program}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def names_for_type_checkers() -> dict[str, str]:
    """The module that type checkers are told each name comes from."""
    tree = ast.parse(Path(covector.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


@pytest.mark.parametrize("name", covector.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(covector, name) is not None
    assert name in dir(covector)


def test_what_runs_is_what_type_checkers_see() -> None:
    told = names_for_type_checkers()
    told |= {name: f"covector.{name}" for name, module in told.items() if module == "covector"}
    assert told == covector._LOADED_ON_USE


def test_a_gradient_loads_little() -> None:
    loaded = loaded_by("import covector as cv\nassert cv.grad(lambda x: x * x)(3.0) == 6.0")
    assert not [name for name in loaded if name.startswith(LATER)]
    assert "scipy" not in loaded
    assert "numpy.ma" not in loaded


def test_star_import_loads_everything() -> None:
    loaded = loaded_by("from covector import *\nassert callable(steepest_descent)")
    assert {"covector.norms", "covector.optimize"} <= loaded


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"module 'covector' has no attribute 'gradient'"):
        covector.gradient  # noqa: B018
