"""What main programs and cells do to libraries while they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

PROGRAM = """
import random, sys
from rave_core import op

@op(name="t/drawn")
def drawn(x):
    return x

random.seed({seed})
if __name__ == "__main__":
    random.{last}
    print(random.choice([{use}]))
    command = "{command}"
    print(eval(command))
    print(drawn.resolved().version.text)
"""
CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in ("import random", "random.seed(3)", "from rave_core import op\\n@op\\ndef f(x):\\n    return x"):
    shell.run_cell(cell).raise_error()
print(shell.user_ns["f"].resolved().version.untracked)
"""


def test_calls_of_a_main_program_that_change_a_library_count_and_uses_do_not(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """A program that prints something else, or evaluates another command, keeps its results."""

    def version(**parts: object) -> str:
        (tmp_path / "main.py").write_text(
            PROGRAM.format(**{"seed": 1, "last": "seed(2)", "use": 1, "command": "1"} | parts)
        )
        return run_python("main.py").split()[-1]

    first = version()
    assert version(use=2) == version(command="2") == first
    assert version(seed=2) != first
    assert version(last="seed(3)") != first


def test_what_cells_do_to_libraries_is_listed(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """It does not count, since which cells ran, and in which order, is not known."""
    (tmp_path / "cells.py").write_text(CELLS)
    assert "'random.seed': 'a cell changes a library" in run_python("cells.py")
