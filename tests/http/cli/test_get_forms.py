"""The form that ``rave-get`` asks for by the name of its file, and what it says without its packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rave_http.cli.get import run

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)

COMMAND = [sys.executable, "-m", "rave_http.cli.get"]


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs the command in this process, in an empty directory; gives its exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(list(map(str, arguments)))


@pytest.mark.parametrize(("suffix", "form"), [("csv", "csv"), ("CSV", "csv"), ("parquet", "parquet"), ("json", "json")])
def test_the_suffix_of_a_file_asks_for_its_form(
    suffix: str, form: str, stub: StubService, get: Callable[..., int]
) -> None:
    """Unless the user asks for another in any way, or the file has a suffix of no form."""
    stub.make("top", b"a,b\n")
    assert get(f"{stub.url}/lab/top", "-o", f"y.{suffix}") == 0
    assert stub.seen[0].query["rave.f"] == [form]
    for others in (["--accept", "text/csv"], ["--format", "html"], ["rave.f=text"]):
        stub.seen.clear()
        assert get(f"{stub.url}/lab/top", *others, "-o", f"y.{suffix}") == 0
        assert form not in stub.seen[0].query.get("rave.f", [])
    stub.seen.clear()
    assert get(f"{stub.url}/lab/top", "-o", "y.txt") == 0
    assert "rave.f" not in stub.seen[0].query


def test_a_spreadsheet_is_refused(
    stub: StubService, get: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked: it would hold something else under that name."""
    assert get(f"{stub.url}/lab/top", "-o", "out.xlsx") == 2
    assert "no result has the form .xlsx; write to a .csv or .parquet file" in capsys.readouterr().err
    assert not stub.seen
    assert not list(tmp_path.iterdir())


def test_without_its_packages_it_says_what_to_install(tmp_path: Path) -> None:
    """In one line, without a traceback."""
    (tmp_path / "requests.py").write_text("raise ModuleNotFoundError('no requests', name='requests')")
    done = subprocess.run(
        [*COMMAND, "http://127.0.0.1:9/lab/top"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "rave-get: error: the package requests is missing, which rave-get needs: pip install 'rave-framework[http]'\n"
    )
