"""A namespace whose code changes, for the tests of reloading."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rave_core.operations.catalog import Catalog

ANSWER = """
from rave_core import op
@op
def answer(x=0):
    return {word!r}
__export__ = {{"answer": answer}}
"""


class Code:
    """A directory of code, as its maintainer edits it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def write(self, **modules: str) -> None:
        """Writes modules; ``init`` is the package's ``__init__``."""
        for name, source in modules.items():
            self.file(name).write_text(source)

    def answer(self, word: str) -> None:
        """Exports an operation that gives ``word``."""
        self.write(init=ANSWER.format(word=word))

    def file(self, module: str) -> Path:
        """The file of a module."""
        return self.directory / f"{'__init__' if module == 'init' else module}.py"


class Gate:
    """A place where code stops, until the test lets it on: ``stop`` is the code that does."""

    def __init__(self, path: Path) -> None:
        self.reached, self.opened = f"{path}-reached", f"{path}-opened"
        os.mkfifo(self.reached)
        os.mkfifo(self.opened)
        self.stop = f"open({self.reached!r}, 'w').close(); open({self.opened!r}).close()"

    def wait(self) -> None:
        """Waits until the code is there."""
        open(self.reached).close()

    def open(self) -> None:
        """Lets it on."""
        open(self.opened, "w").close()


class Served:
    """A directory that is served as the namespace ``local``."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.catalog = Catalog.installed({"local": str(code.directory)})
        assert self.problems == []

    @property
    def problems(self) -> list[str]:
        """Of the catalog, in words."""
        return [str(problem) for problem in self.catalog.problems]

    def reload(self) -> bool:
        """Loads the code as it is now; whether it was taken."""
        before = self.catalog
        self.catalog = before.with_namespace("local", str(self.code.directory))
        return self.catalog.namespaces["local"] is not before.namespaces["local"]

    def find(self, name: str = "answer") -> Any:
        """An operation."""
        return self.catalog.find(f"local/{name}")


LAZY = """
from rave_core import op
@op
def inner(x):
    from .words import word
    return word
@op
def answer(x=0):
    {stop}
    return inner(x)
__export__ = {{"answer": answer}}
"""


KEPT = """
from dataclasses import dataclass
from rave_core import op
@dataclass
class Row:
    word: str
@op
def answer(x=0):
    return Row({word!r})
__export__ = {{"answer": answer}}
"""
