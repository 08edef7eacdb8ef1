"""Ctrl-C while a command is still being imported."""

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
