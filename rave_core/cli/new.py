"""``rave new``: the first files of a namespace."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

import click

from rave_core.cli.output import note, print_json, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.plugins.discovery import NAMESPACES, found_entry_points

_NAME: Final = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,60}[A-Za-z0-9])?")
_FILES: Final = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1"
description = "Operations of the namespace $name"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["rave-framework>=$framework"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points."rave.namespaces"]
$name = "$package"

[tool.hatch.build.targets.wheel]
packages = ["$package"]
""",
    "README.md": """\
# $distribution

Operations of the RAVE namespace `$name`:

| name | argument | returns |
|---|---|---|
| `$name/hello` | `name`, a text | a greeting |
| `$name/squares` | `count`, an integer | a table of numbers and their squares |

```console
$$ pip install -e '.[test]'
$$ rave run $name/hello name=Ada
Hello, Ada!
$$ python -m pytest
$$ rave serve
```

Write your own operations in `$package/__init__.py`, and list in `__export__` those that others may call. If you list
modules in `__all__`, RAVE looks for an `__export__` in each.
""",
    "$package/__init__.py": '''\
"""Operations of the namespace $name."""

from rave_core import mime_type, op, typemap


@op
@typemap(str)
@mime_type("text/plain")
def hello(name: str = "world") -> str:
    """A greeting.

    Args:
        name: who is greeted.
    """
    return f"Hello, {name}!"


@op
@typemap(int)
@mime_type("application/json")
def squares(count: int = 10) -> list[dict[str, int]]:
    """The first numbers and their squares, as a table.

    Args:
        count: how many numbers.
    """
    return [{"number": number, "square": number**2} for number in range(count)]


__export__ = {"hello": hello, "squares": squares}
''',
    "$package/py.typed": "",
    "tests/test_$module.py": '''\
"""The operations, on a cache of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from $package import hello, squares
from rave_core import Runtime, Settings, using


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path) -> Iterator[None]:
    """Fresh caches for each test."""
    settings = Settings(cache=[f"file://{tmp_path}/cache"], products=[f"file://{tmp_path}/products"])
    with Runtime(settings) as runtime, using(runtime):
        yield


def test_a_greeting_names_who_is_greeted() -> None:
    """It is a text."""
    assert hello("Ada") == "Hello, Ada!"


def test_a_table_is_kept() -> None:
    """The second answer comes from the cache."""
    assert squares(3)[-1] == {"number": 2, "square": 4}
    assert squares.resolve("3").status == "hit"
''',
}
"""Paths and texts of the files, with the names to fill in."""


@click.command()
@click.argument("name")
@json_option("{name, package, directory, files}")
def new(name: str, as_json: bool) -> None:
    """Write a package for a namespace NAME, which works at once, into a new directory NAME.

    It has two operations, a test and a README. 'pip install -e NAME' installs it; what you change in it then counts at
    the next call.
    """
    names = _names(name)
    _write(Path(name), names)
    files = [f"{name}/{Template(path).substitute(names)}" for path in _FILES]
    if as_json:
        print_json({"name": name, "package": names["package"], "directory": name, "files": files})
        return
    for file in files:
        say(file)
    note(f"next: pip install -e ./{name} && rave run {name}/hello name=Ada")


def _names(name: str) -> dict[str, str]:
    """What the files call things.

    Raises:
        click.BadParameter: the name is none for a namespace, or it is taken.
    """
    if not _NAME.fullmatch(name):
        raise _unfit(
            f"{name!r} can't be the name of a package; it begins with a letter, ends with a letter or a digit, and "
            "has letters, digits, '-' and '_' between"
        )
    module = name.replace("-", "_").lower()
    package = f"rave_{module}"
    taken = {entry.name for entry in found_entry_points(NAMESPACES)} | set(current_session().settings.namespaces)
    if name in taken:
        raise _unfit(f"there is a namespace {name!r} already; choose another name")
    if find_spec(package) is not None:
        raise _unfit(f"there is a package {package!r} already; choose another name")
    distribution = re.sub(r"[-_]+", "-", package)
    return {
        "name": name,
        "module": module,
        "package": package,
        "distribution": distribution,
        "framework": version("rave-framework"),
    }


def _unfit(words: str) -> click.BadParameter:
    return click.BadParameter(words, param_hint="NAME")


def _write(directory: Path, names: Mapping[str, str]) -> None:
    """Writes the files into a new directory; leaves nothing behind if that fails."""
    try:
        directory.mkdir()
    except FileExistsError:
        raise _unfit(f"{directory} exists already; choose another name, or another directory to work in") from None
    try:
        for path, text in _FILES.items():
            file = directory / Template(path).substitute(names)
            file.parent.mkdir(exist_ok=True)
            file.write_text(Template(text).substitute(names), "utf-8")
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
