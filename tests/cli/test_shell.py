"""``rave shell``: a prompt in which operations are at hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RAVE = str(Path(sys.executable).parent / "rave")
LAB = """
from rave_core import op

@op(version=1)
def add(a, b=10):
    return a + b

@op(version=1)
def deep(a):
    return -a

__export__ = {"add": add, "far/down": deep, "add/more": deep}
"""


def typed(place: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What the prompt answers to lines of input."""
    lab = place / "lab"
    lab.mkdir(exist_ok=True)
    (lab / "__init__.py").write_text(LAB)
    (place / "rave.toml").write_text(f'cache = "file://{place}/cache"\n[namespaces]\nlab = "{lab}"\n')
    command = [RAVE, "--config", str(place / "rave.toml"), "shell", "--plain"]
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=place, timeout=60, check=False)


def test_namespaces_operations_runtime_and_plugins_are_at_hand(tmp_path: Path) -> None:
    """Operations by their names, as attributes too; calls go to the configured cache."""
    done = typed(
        tmp_path,
        "lab.add(1)\nlab.far.down(3)\noperations['lab/add'].resolve(1).status.value\n"
        "runtime.cache.url\n'backends' in plugins\nsorted(operations)\n",
    )
    assert done.returncode == 0, done.stderr
    for expected in (
        "11",
        "-3",
        "'hit'",
        str(tmp_path / "cache"),
        "True",
        "'lab/add', 'lab/add/more', 'lab/far/down'",
    ):
        assert expected in done.stdout
    assert re.search(r"Names: .*lab, .*operations, plugins, runtime", done.stderr)


def test_the_prompt_ends_with_success(tmp_path: Path) -> None:
    """By the end of its input, or by exit(); an error in a line does not end it."""
    done = typed(tmp_path, "1/0\nprint('still here')\nexit()\nprint('not here')\n")
    assert done.returncode == 0
    assert "still here" in done.stdout
    assert "not here" not in done.stdout
    assert "ZeroDivisionError" in done.stderr
