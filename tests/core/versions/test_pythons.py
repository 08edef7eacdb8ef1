"""Python 3.11 and later share one cache: versions and keys are those of the code, not of the interpreter."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHONS = ["3.11", "3.12", "3.13"]
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
SHARED = """
import sys
from rave_core import op
print('Python %s.%s' % sys.version_info[:2])
@op
def squares(n, by=None):
    print('computing')
    return {each: each**2 for each in range(n)}
print(squares(3), squares(4, by=[{'a': 1.5}, ('b', None)]))
"""


def interpreter(version: str) -> str | None:
    """The path of a Python of that version: on the path, or of pyenv; ``None`` if there is none."""
    named = shutil.which(f"python{version}")
    places = os.environ.get("PYENV_ROOT", os.path.expanduser("~root/.pyenv")), os.path.expanduser("~/.pyenv")
    found = [path for place in places for path in sorted(glob.glob(f"{place}/versions/{version}.*/bin/python"))]
    for path in [*found, *([named] if named else [])]:
        done = subprocess.run([path, "-c", "import sys; print('%s.%s' % sys.version_info[:2])"], capture_output=True)
        if done.stdout.decode().strip() == version:
            return path
    return None


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Gives the path of a Python of a version in which RAVE's core is installed."""
    made: dict[str, str] = {OWN: sys.executable}

    def of(version: str) -> str:
        if version not in made:
            made[version] = _environment(version, tmp_path_factory.mktemp(f"python{version}"))
        return made[version]

    return of


def _environment(version: str, place: Path) -> str:
    base, uv = interpreter(version), Path(sys.executable).with_name("uv")
    if base is None:
        pytest.skip(f"there is no Python {version} here, neither on the path nor of pyenv")
    if not uv.exists():
        pytest.skip("uv is not installed here, which makes environments for other Pythons")
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True
    ).stdout.strip()
    environ = {**os.environ, **({"UV_DEFAULT_INDEX": index} if index else {})}
    for command in (["venv", "-q", "--python", base, place], ["pip", "install", "-q", "--python", place, "-e", ROOT]):
        done = subprocess.run([uv, *command], env=environ, capture_output=True, text=True)
        if done.returncode != 0:
            refuse = pytest.fail if os.environ.get("CI") else pytest.skip
            refuse(f"no environment for Python {version} can be made here: {done.stderr.strip()[-200:]}")
    return str(place / "bin" / "python")


def _run(python: str, *arguments: str, **environment: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run([python, *arguments], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def own_keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What this Python says."""
    return _keys(sys.executable, tmp_path_factory.mktemp("own"), "1")


def _keys(python: str, place: Path, seed: str) -> dict[str, str]:
    text = _run(python, str(Path(__file__).with_name("program_keys.py")), str(place), PYTHONHASHSEED=seed)
    found: dict[str, str] = json.loads(text)
    return found


@pytest.mark.parametrize("version", PYTHONS)
def test_versions_and_keys_are_equal_under_all_pythons(
    python: Callable[[str], str], own_keys: dict[str, str], tmp_path: Path, version: str
) -> None:
    """And whatever the order of sets in a process."""
    found = _keys(python(version), tmp_path, "2")
    assert {name: key for name, key in found.items() if own_keys[name] != key} == {}
    assert found.keys() == own_keys.keys()


@pytest.mark.parametrize("version", [each for each in PYTHONS if each != OWN])
def test_what_one_python_computed_the_others_find(python: Callable[[str], str], tmp_path: Path, version: str) -> None:
    """In one directory, also back again."""
    script = tmp_path / "squares.py"
    script.write_text(SHARED)
    ran = []
    for each in (sys.executable, python(version), sys.executable):
        ran.append(_run(each, str(script), RAVE_CACHE=f"file://{tmp_path}/cache").splitlines())
    assert ran[0].count("computing") == 2
    assert ran[1] == [f"Python {version}", ran[0][-1]]
    assert ran[2] == [f"Python {OWN}", ran[0][-1]]
