"""What main programs and cells do to libraries while they are loaded."""

from __future__ import annotations

import random
import runpy
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from rave_core.versions.version import Version

PROGRAM = """
import random, sys
from rave_core import op
import tools

@op(name="t/drawn")
def drawn(x):
    return x

def setup(seed):
    with open(__file__) as file:
        if file:
            random.seed({inner})
    print("{said}")

random.seed({seed})
if __name__ == "__main__":
    random.{last}
    print(random.choice([{use}]))
    command = "{command}"
    print(eval(command))
    setup({given})
    tools.Tools().prepare()
    version = drawn.resolved().version
"""
TOOLS = """
import random
LIMIT = {limit}
class Tools:
    def prepare(self):
        self.again()
    def again(self):
        random.seed(LIMIT)
        return {result}
"""
CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
SETUP = "def setup():\\n    random.seed(4)"
OPERATION = "from rave_core import op\\n@op\\ndef f(x):\\n    return x"
for cell in ("import random", "random.seed(3)", SETUP, "setup()", OPERATION):
    shell.run_cell(cell).raise_error()
print(shell.user_ns["f"].resolved().version.untracked)
"""


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Version]]:
    """The version of the operation of a main program that differs in some parts."""
    runs = count()
    drawn = random.getstate()

    def run(**parts: object) -> Version:
        directory = tmp_path / str(next(runs))
        directory.mkdir()
        usual = {"seed": 1, "last": "seed(2)", "use": 1, "command": "1", "inner": "seed", "said": "a", "given": 4}
        (directory / "main.py").write_text(PROGRAM.format(**usual | parts))
        (directory / "tools.py").write_text(TOOLS.format(**{"limit": 1, "result": 0} | parts))
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(directory))
            found: Version = runpy.run_path(str(directory / "main.py"), run_name="__main__")["version"]
            sys.modules.pop("tools")
        return found

    yield run
    random.setstate(drawn)


def test_calls_of_a_main_program_that_change_a_library_count_and_uses_do_not(version: Callable[..., Version]) -> None:
    """A program that prints something else, or evaluates another command, keeps its results."""
    first = version().text
    assert version(use=2).text == version(command="2").text == first
    assert version(seed=2).text != first
    assert version(last="seed(3)").text != first


def test_of_functions_that_a_main_program_calls_the_statements_count_that_change_a_library(
    version: Callable[..., Version],
) -> None:
    """Also in methods, in blocks and in other modules, with the constants that they name; and they are listed."""
    first = version()
    assert version(said="b").text == version(result=1).text == first.text
    assert version(inner="seed + 1").text != first.text
    assert version(limit=2).text != first.text
    assert version(given=5).text == first.text  # so it is listed:
    assert list(first.untracked) == ["__main__:setup: random.seed", "tools:Tools.again: random.seed"]


def test_what_cells_do_to_libraries_is_listed(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """It does not count, since which cells ran, and in which order, is not known."""
    (tmp_path / "cells.py").write_text(CELLS)
    printed = run_python("cells.py")
    assert "'random.seed': 'a cell changes a library" in printed
    assert "'setup: random.seed': 'a cell calls it" in printed
