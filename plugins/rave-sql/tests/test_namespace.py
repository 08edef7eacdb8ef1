"""The namespace ``sql`` of a configured directory: on the command line, and over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from rave_core.testing import free_port

TOP = """
/*
title = "The first by number"
expires = "1h"

[parameters]
most = { type = "int", default = 2, description = "how many" }
*/
SELECT id, name FROM people ORDER BY id LIMIT :most
"""
RAVE = str(Path(sys.executable).parent / "rave")


@pytest.fixture
def home(tmp_path: Path, sqlite: Any) -> Path:
    """A directory with settings, and with queries, one of which is wrong."""
    queries = tmp_path / "queries"
    (queries / "team").mkdir(parents=True)
    (queries / "top.sql").write_text(TOP)
    (queries / "team" / "gone.sql").write_text("DELETE FROM people")
    (queries / ".draft.sql").write_text("nonsense")
    (tmp_path / "rave.toml").write_text(
        f'cache = ["file://{tmp_path}/cache"]\nproducts = "file://{tmp_path}/products"\n'
        f'[plugins.sql]\ndirectory = "{queries}"\ndatabase = "{sqlite.url}"\n'
        f'[plugins.sql.databases]\nlost = "sqlite:///{tmp_path}/lost.db"\n'
    )
    return tmp_path


@pytest.fixture
def rave(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAVE_")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([RAVE, *arguments], cwd=home, env=environment, capture_output=True, text=True)

    return run


def test_queries_are_run_by_name(rave: Callable[..., Any]) -> None:
    """Those that are right; what is wrong with another is told, and it is no operation."""
    listed = rave("list", "sql")
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ["sql/databases", "sql/top"]
    assert "team/gone.sql: DELETE: expected a query that only reads" in listed.stderr
    assert rave("run", "sql/top", "--format", "csv").stdout.split() == ["id,name", "1,ada", "2,bob"]
    assert json.loads(rave("run", "sql/top", "most=1", "--format", "json").stdout) == [{"id": 1, "name": "ada"}]
    assert rave("run", "sql/top", "most=1", "--dry-run", "--format", "csv").returncode == 0
    assert rave("run", "sql/top", "most=3", "--dry-run").returncode == 3
    assert rave("run", "sql/top", "most=x").returncode == 2


def test_a_query_is_described(rave: Callable[..., Any]) -> None:
    """By its title, and its parameters with what they mean."""
    told = rave("describe", "sql/top").stdout
    assert "The first by number" in told
    assert "most: how many" in told
    assert "1h" in told


def test_databases_are_looked_at(rave: Callable[..., Any]) -> None:
    """Each with what is wrong with it."""
    found = json.loads(rave("run", "sql/databases", "--format", "json").stdout)
    assert [(row["name"], row["kind"]) for row in found] == [("default", "sqlite"), ("lost", "sqlite")]
    assert found[0]["problem"] is None
    assert "there is no file" in found[1]["problem"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('directry = "/x"', "unknown setting 'directry': did you mean 'directory'?"),
        ("database = 5", "'database' is 5: write a text"),
        (
            "[plugins.sql.databases]\narchive = {password = 'wer7'}",
            "databases.archive is not a URL: write",
        ),
        ('directory = "/nowhere/at/all"', "/nowhere/at/all is not a directory"),
    ],
)
def test_wrong_settings_are_told(home: Path, rave: Callable[..., Any], line: str, words: str) -> None:
    """Where the namespace is loaded."""
    (home / "rave.toml").write_text(f"[plugins.sql]\n{line}\n")
    told = rave("list", "sql").stderr
    assert words in told
    assert "wer7" not in told


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """The address of a real service."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAVE_")}
    command = [RAVE, "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    process = subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            urlopen(f"{url}/-/livez", timeout=5).close()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            break
    yield url
    process.terminate()
    process.wait()


def test_queries_are_served(served: str, home: Path, sqlite: Any) -> None:
    """As CSV and JSON; a changed table shows at once; what is wrong is a problem of the right kind."""

    def get(path: str) -> str:
        with urlopen(f"{served}/{path}", timeout=30) as answer:
            return str(answer.read().decode())

    assert get("sql/top?rave.f=csv").split() == ["id,name", "1,ada", "2,bob"]
    assert json.loads(get("sql/top?most=1&rave.f=json")) == [{"id": 1, "name": "ada"}]
    sqlite.change("UPDATE people SET name = 'zoe' WHERE id = 1")
    assert json.loads(get("sql/top?most=1&rave.f=json")) == [{"id": 1, "name": "zoe"}]
    assert "The first by number" in get("-/openapi.json")
    for path, code in (("sql/top?most=x", 400), ("sql/team/gone", 404)):
        with pytest.raises(HTTPError) as caught:
            get(path)
        assert caught.value.code == code
        caught.value.close()
    shutil.move(home / "people.sqlite", home / "elsewhere.sqlite")
    with pytest.raises(HTTPError) as caught:
        get("sql/top?most=2&rave.f=json")
    assert caught.value.code >= 500
    caught.value.close()
