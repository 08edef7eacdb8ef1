"""The start of a command: Ctrl-C while it is being imported, and standard streams that are closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPT = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
"""
"""Sends what Ctrl-C sends when a certain module is about to be imported."""


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("rave serve", "rave_core.errors"),
        ("rave serve", "rave_core.cli.session"),
        ("rave serve", "rave_http.cli.serve"),
        ("rave serve", "rave_http.process.pid_file"),
        ("raved --no-daemon", "rave_core.errors"),
        ("raved --no-daemon", "rave_http.process.pid_file"),
        ("rave-get http://localhost:1/a/b", "rave_http.cli.get_bar"),
    ],
)
def test_ctrl_c_during_the_first_imports_ends_in_one_line(tmp_path: Path, command: str, module: str) -> None:
    """Without a traceback, in the process that was started and in the one that it makes of itself."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    program, *arguments = command.split()
    script = Path(sys.executable).parent / program
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "INTERRUPT_AT": module, "HOME": str(tmp_path)}
    done = subprocess.run(
        [script, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", f"{program}: interrupted")


LIST_STREAMS = """
import os, sys
sys.path.insert(0, os.path.dirname(__file__))
from rave_http.cli import entry

def main():
    file = open(__file__)
    print([os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)], file=open("seen", "w"))
    print("lost"), sys.stdout.flush(), sys.exit(file.fileno())

sys.modules["lister"] = sys.modules["__main__"]
entry._run("lister", "lister")
"""


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """It would get what belongs there; a command says what is lost, and goes on."""
    (tmp_path / "lister.py").write_text(LIST_STREAMS)
    run = f'exec "{sys.executable}" lister.py <&- >&-'
    done = subprocess.run(["sh", "-c", run], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode > 2, done.stderr
    assert done.stderr == "lister: warning: standard output is closed; what belongs there is lost\n"
    assert (tmp_path / "seen").read_text().count("/dev/null") == 2
