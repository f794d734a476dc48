"""Each file of `examples/` is a page of the site: its text, its figures, what it printed, and its code.

An example is run in a directory of its own, with its text as it stands; every `.svg` and `.png` file it leaves there
is a figure of its page, whose text for those who do not see it is the first sentence of the example. That sentence up
to its first comma, colon or stop is the title. `examples/index.md` lists the examples where it says `<!-- gallery -->`,
each with its first figure; `FIRST` is where to begin.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
FIGURES = {".svg", ".png"}
FIRST = "quickstart"
SETTINGS = {
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONIOENCODING": "utf-8",
    "PYTHONPATH": str(ROOT / "src"),
}
"""The environment of an example: as many run at a time as there are cores, so each has one thread."""
PAGE = """# {title}

{text}

{figures}

## What it prints

```text
{output}
```

## The program

Run it with `python examples/{name}.py`.

```py
{code}
```
"""


class Run(NamedTuple):
    """What an example printed, and the figures it saved, by file name."""

    output: str
    figures: dict[str, bytes]


def on_files(files: Any, config: Any) -> Any:
    """Adds a page, and the files of its figures, for each example."""
    examples = _examples()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = list(pool.map(lambda example: _run(example, example.read_text()), examples))
    for example, run in zip(examples, runs, strict=True):
        files.append(File.generated(config, f"examples/{example.stem}.md", content=_page(example, run)))
        for figure, content in run.figures.items():
            files.append(File.generated(config, f"examples/{example.stem}/{figure}", content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The index of the examples, where a page asks for it."""
    if "<!-- gallery -->" not in markdown:
        return markdown
    entries = "\n".join(map(_entry, _examples()))
    return markdown.replace("<!-- gallery -->", f'<div class="gallery" markdown>\n\n{entries}\n\n</div>')


def _examples() -> list[Path]:
    return sorted((ROOT / "examples").glob("*.py"), key=_place)


def _place(example: Path) -> tuple[bool, str]:
    return example.stem != FIRST, example.stem


@cache
def _run(example: Path, text: str) -> Run:
    with TemporaryDirectory() as directory:
        options: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "check": False}
        done = subprocess.run([sys.executable, str(example)], cwd=directory, env=os.environ | SETTINGS, **options)
        if done.returncode:
            raise PluginError(f"{example} failed:\n{done.stdout}{done.stderr}")
        saved = sorted(path for path in Path(directory).iterdir() if path.suffix in FIGURES)
        return Run(done.stdout.strip("\n"), {path.name: path.read_bytes() for path in saved})


def _page(example: Path, run: Run) -> str:
    text, code = _parts(example)
    figures = "\n\n".join(f"![{_summary(text)}]({example.stem}/{name})" for name in run.figures)
    return PAGE.format(name=example.stem, title=_title(text), text=text, figures=figures, output=run.output, code=code)


def _parts(example: Path) -> tuple[str, str]:
    """The docstring of an example, and the code after it."""
    source = example.read_text()
    module = ast.parse(source)
    text = ast.get_docstring(module) or ""
    after = module.body[0].end_lineno if text else 0
    return text, "\n".join(source.splitlines()[after:]).strip("\n")


def _entry(example: Path) -> str:
    text, _ = _parts(example)
    title, figures = _title(text), _run(example, example.read_text()).figures
    picture = f"![{title}]({example.stem}/{next(iter(figures))})" if figures else ""
    return f"- {picture}**[{title}]({example.stem}.md)**{_summary(text).removeprefix(title)}"


def _summary(text: str) -> str:
    return text.split("\n\n")[0].replace("\n", " ").partition(": `python")[0]


def _title(text: str) -> str:
    return re.split(r"[:,.]", _summary(text))[0]
