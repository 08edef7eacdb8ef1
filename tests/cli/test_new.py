"""``rave new``: what it writes can be installed, asked and tested."""

from __future__ import annotations

import json
import os
import site
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest


def run(python: Path, *arguments: str, cwd: Path) -> str:
    """The output of a program of an environment."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ |= {"RAVE_DISABLED_PLUGINS": "guestbook dask valkey web http", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run([python, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(directory: Path) -> Path:
    """The Python of a fresh environment, which sees what is installed here."""
    venv.create(directory, symlinks=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / "here.pth").write_text(f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n")
    return directory / "bin/python"


def test_a_new_namespace_is_installed_asked_and_tested(bare_shell: Any, tmp_path: Path) -> None:
    """Its name may have dashes and capitals. Its own test passes, and it is found where it lies."""
    written = json.loads(bare_shell("new", "My-lab", "--json").output)
    assert (written["package"], written["directory"]) == ("rave_my_lab", "My-lab")
    assert sorted(written["files"]) == sorted(
        str(each.relative_to(tmp_path)) for each in (tmp_path / "My-lab").rglob("*") if each.is_file()
    )
    python = environment(tmp_path / "env")
    offline = ("-q", "--no-index", "--no-deps", "--no-build-isolation")
    run(python, "-m", "pip", "install", *offline, "-e", "./My-lab", cwd=tmp_path)
    assert run(python, "-m", "rave_core.cli.main", "run", "My-lab/hello", "name=Ada", cwd=tmp_path) == "Hello, Ada!\n"
    assert "2 passed" in run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "My-lab", cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1st", "begins with a letter"),
        ("lab-", "ends with a letter or a digit"),
        ("../lab", "begins with a letter"),
        ("example", "there is a namespace 'example' already"),
        ("core", "there is a package 'rave_core' already"),
    ],
)
def test_a_name_that_will_not_do_is_refused(bare_shell: Any, tmp_path: Path, name: str, why: str) -> None:
    """It is said why, and nothing is written."""
    before = sorted(tmp_path.iterdir())
    refused = bare_shell("new", name)
    assert refused.exit_code == 2
    assert why in refused.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_there_is_left_alone(bare_shell: Any, tmp_path: Path) -> None:
    """A directory of that name is not written into."""
    (tmp_path / "lab").mkdir()
    refused = bare_shell("new", "lab")
    assert refused.exit_code == 2
    assert "lab exists already" in refused.stderr
    assert not list((tmp_path / "lab").iterdir())
