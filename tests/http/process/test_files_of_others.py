"""Files that decide what the service runs and whom it lets in, when another user may change them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core.errors import ConfigurationError
from rave_core.settings.trust import trust
from rave_http.auth import api_key_file
from rave_http.namespaces.ini_file import read_namespaces
from rave_http.process.log_setup import Log

OTHER = 50002
LOG = '{"version": 1, "handlers": {"a": {"class": "logging.NullHandler"}}}'


def read_log(path: Path) -> None:
    """Sets the log up as it is now, from a file."""
    Log(str(path)).start()


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of ours, with a list of namespaces, a logging configuration and a file of keys."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory, "etc")
        place.mkdir(0o755)
        (place / "namespaces.ini").write_text("[namespaces]\nlab = ./lab\n")
        (place / "log.json").write_text(LOG)
        api_key_file.write(place / "keys", {})
        (place / "keys").chmod(0o600)
        monkeypatch.setenv("XDG_CONFIG_HOME", f"{directory}/config")
        monkeypatch.setattr("rave_http.process.log_setup.logging.config.dictConfig", lambda _: None)
        monkeypatch.setattr("rave_http.process.log_setup._forget_handlers", lambda: None)
        monkeypatch.setattr("rave_http.process.log_setup.logging.captureWarnings", lambda _: None)
        yield place


FILES: list[tuple[str, Callable[[Path], object]]] = [
    ("namespaces.ini", lambda path: read_namespaces(str(path))),
    ("log.json", read_log),
    ("keys", api_key_file.read),
]


@pytest.mark.parametrize(("name", "read"), FILES)
@pytest.mark.parametrize("whose", ["file", "directory", "mode"])
def test_what_another_user_may_change_is_refused(
    place: Path, name: str, read: Callable[[Path], object], whose: str, as_root: None
) -> None:
    """The file itself, or the directory that it is in; by name, until the directory is trusted."""
    read(place / name)
    if whose == "mode":
        place.chmod(0o777)
    else:
        os.chown(place / name if whose == "file" else place, OTHER, OTHER)
    with pytest.raises(ConfigurationError, match=r"belongs to|may be written to by everybody") as refused:
        read(place / name)
    assert str(place / name) in str(refused.value)
    if name != "keys" or whose != "file":  # whose file must be the service's own, whatever else is trusted
        assert f"rave config trust {place}" in str(refused.value)
        trust(str(place))
        read(place / name)


def test_raved_starts_over_without_the_working_directory(tmp_path: Path) -> None:
    """With a Python that imports nothing from there, and passes this on to the processes that it starts."""
    program = tmp_path / "raved"
    program.write_text(
        "import os, sys\nfrom rave_http.cli import raved\n"
        "os.execv = lambda path, words: (print(words[1:]), sys.exit(0))\nraved.main()\n"
    )
    done = subprocess.run([sys.executable, program, "-h"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "['-P', '-m', 'rave_http.cli.raved', '-h']\n"
