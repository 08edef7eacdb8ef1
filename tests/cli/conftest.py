"""A namespace and a plugin that look installed, for this process and for those it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rave_core.cli.main import rave
from rave_core.plugins import discovery

LAB = '''
import time
from pathlib import Path
from rave_core import list_of, mime_type, nocache, op, op_file, progress, typemap

@op(tags=["sums"], version=1)
@typemap(int, int)
def add(a, b=10):
    """The sum of two numbers.

    More about it.
    """
    return a + b

@op(version=1)
@typemap(list_of(int))
def total(numbers):
    """The sum of many."""
    return sum(add(number, 0) for number in numbers)

@op(version=1)
def echo(value, *rest, key=None, **others):
    """What it was given."""
    return [value, list(rest), key, others]

@op(version=1)
@typemap(str)
def people(kind):
    """Rows."""
    rows = [{"name": "Ada", "age": 36, "height": 1.65}, {"name": "Grace", "age": 85, "height": None}]
    return rows if kind == "all" else rows[:1]

@op(version=1)
@typemap("slate")
def weighed(config):
    """What it was called with."""
    return config

@op(version=1)
def raw(text):
    """Bytes that are no text."""
    return bytes([0, 255]) + text.encode()

@op(version=1)
def words(text):
    """A text."""
    return text

@op(version=1)
def nothing():
    """None."""

@op(version=1)
def fail(message):
    """Always fails."""
    raise ValueError(message)

@op(version=1)
@typemap(float)
def slow(seconds, mark=None):
    """Takes its time, or until its mark is removed, and says how far it is."""
    if mark:
        Path(mark).touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end and (not mark or Path(mark).exists()):
        progress(seconds - (end - time.monotonic()), seconds, "stirring")
        time.sleep(0.02)
    return seconds

@op(expires=nocache, version=1)
def never():
    """Nothing is kept of it."""
    return 1

@op(expires="1s", version=1)
def brief():
    """Kept for a second."""
    return 1

@op_file(version=1)
@mime_type("text/csv")
@typemap(int)
def sheet(out, rows):
    """A file."""
    Path(out).write_text("n\\n" + "".join(f"{n}\\n" for n in range(rows)))

@op_file(version=1, kind="directory")
@typemap(int)
def sheets(out, number):
    """A directory."""
    for n in range(number):
        Path(out, str(n)).mkdir()
        Path(out, str(n), "sheet.csv").write_text(f"n\\n{n}\\n")
    Path(out, "run").write_text("#!/bin/sh")
    Path(out, "run").chmod(0o755)

@op(version=1)
async def later(n):
    """Made by a coroutine."""
    return n

__export__ = {"add": add, "total": total, "echo": echo, "people": people, "raw": raw, "words": words, "fail": fail,
              "sheets": sheets, "weighed": weighed, "nothing": nothing,
              "slow": slow, "never": never, "brief": brief, "sheet": sheet, "later": later}
'''


def install(directory: Path, name: str, source: str, entry_points: str) -> None:
    """Makes a module that looks like an installed distribution."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.py").write_text(source)
    info = directory / f"{name}-1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))


@dataclass
class Shell:
    """Runs the command line, in this process or in one of its own, over caches of the test's own."""

    directory: Path
    modules: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str, **keywords: Any) -> Result:
        """Runs it in this process."""
        return CliRunner().invoke(rave, list(arguments), **keywords)

    def environment(self, **variables: str) -> dict[str, str]:
        """What a process of its own gets."""
        return {**os.environ, "PYTHONPATH": str(self.directory / "site"), **variables}

    def start(self, *arguments: str, **keywords: Any) -> subprocess.Popen[bytes]:
        """Starts a process of its own."""
        keywords.setdefault("stdout", subprocess.PIPE)
        keywords.setdefault("stderr", subprocess.PIPE)
        keywords.setdefault("env", self.environment())
        return subprocess.Popen(
            [sys.executable, "-m", "rave_core.cli.main", *arguments], cwd=self.directory, **keywords
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs it in a process of its own, to its end."""
        command = [sys.executable, "-m", "rave_core.cli.main", *arguments]
        return subprocess.run(
            command, cwd=self.directory, env=self.environment(**variables), capture_output=True, text=True, timeout=60
        )

    def install(self, name: str, source: str, entry_points: str) -> None:
        """Makes a module that looks installed from now on."""
        install(self.directory / "site", name, source, entry_points)
        self.modules.append(name)
        forget()


def forget() -> None:
    """Lets the next look at what is installed be a fresh one."""
    discovery._installed.cache_clear()
    discovery.namespace_packages.cache_clear()


@pytest.fixture
def bare_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """The command line with what the repository installs, in an empty directory."""
    shell = Shell(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAVE_CACHE", f"memory:// file://{tmp_path}/data")
    monkeypatch.setenv("RAVE_PRODUCTS", f"file://{tmp_path}/products")
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    forget()
    yield shell
    for name in shell.modules:
        sys.modules.pop(name, None)
    forget()


@pytest.fixture
def shell(bare_shell: Shell) -> Shell:
    """The command line with the namespace ``lab``."""
    bare_shell.install("lab", LAB, "[rave.namespaces]\nlab = lab\n")
    return bare_shell


@pytest.fixture
def keys(shell: Shell) -> Callable[[str], list[str]]:
    """Gives the keys that are kept under a prefix."""

    def kept(prefix: str = "") -> list[str]:
        import json

        entries = json.loads(shell("cache", "ls", prefix, "--json").stdout)["entries"]
        return [entry["key"] for entry in entries]

    return kept
