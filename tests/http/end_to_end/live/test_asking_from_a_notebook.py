"""``%rave --server`` asks a real service."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.http.running_service import RunningService

CELLS = """\
answer = %rave --server URL lab/square n=4104
print("FIRST", answer.json()["square"], answer.is_hit)
answer = %rave --server=URL --dry-run lab/square n=4104
print("SECOND", answer.is_hit)
answer = %rave --server URL --refresh lab/square n=4104
answer = %rave --server URL --explain lab/square n=4104
print("WHY", answer)
answer = %rave --server URL --plan lab/square n=4105
print("PLAN", answer, answer.document["to_run"])
%rave --server URL --dry-run lab/square n=4105
%rave --server URL lab/square n=many
%rave --server URL lab/squar n=1
%rave --server URL lab/square 5
%rave --server URL --dry-run --refresh lab/square n=1
%rave lab/square --server
%rave --server http://127.0.0.1:1 lab/square n=1
"""


@pytest.fixture(scope="module")
def said(shared_service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a prompt of IPython says to these lines."""
    place = tmp_path_factory.mktemp("prompt")
    own = {"HOME": str(place), "IPYTHONDIR": str(place), "RAVE_CACHE": "memory://"}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--ext", "rave_core", "--simple-prompt", "--no-banner"],
        input=CELLS.replace("URL", shared_service.url),
        env={**os.environ, **own},
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "FIRST 16842816 False",
        "SECOND True",
        "the permission 'refresh' in the namespace 'lab' is needed",
        "WHY lab/square: hit, a result was made ",
        "PLAN lab/square: about ",
        "UsageError: There is no stored result",
        "argument 'n' is 'many', wanted int",
        "did you mean 'lab/square'?",
        "a service takes arguments by name",
        "a service is asked with one switch at most, not with --dry-run --refresh",
        "--server takes the URL of a service, as in --server http://127.0.0.1:8888",
        "can't connect to http://127.0.0.1:1",
    ],
)
def test_a_service_is_asked(said: str, words: str) -> None:
    """It gives the product, explains and plans; what it refuses is one line, as is a mistake."""
    assert words in said
    assert "Traceback" not in said
