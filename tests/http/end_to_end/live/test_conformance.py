"""The service does what its own OpenAPI document says, whatever it is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

Service = Any  # RunningService of the conftest

IS_WHOLE = bool(os.environ.get("RAVE_CONFORMANCE"))
"""Whether to ask for much more, which ``make conformance`` does: minutes for each seed."""
SEEDS = (7, 11, 2026) if IS_WHOLE else (7,)
EXAMPLES = 8 if IS_WHOLE else 1
LEFT_OUT = "lab/(slow|gated|fails|rows|files)|flow/"
LIKE_OTHERS = "-/journal:|monitor/.+/svg|monitor/(compare|histogram|plot|scatter)"
"""Paths that the same code answers as other paths; the suite asks only those."""

FEW = """\
[phases.coverage.generation]
mode = "positive"
"""
"""The suite leaves most requests that have to be refused to the whole check: there are three of them for each other."""
PHASES = "examples,coverage,fuzzing,stateful" if IS_WHOLE else "examples,coverage,stateful"

# QUERY is supported, and can't be told in OpenAPI 3.1; every other method that is not documented must be refused.
CONFIG = """\
[checks.unsupported_method]
enabled = true
[phases.coverage]
unexpected-methods = ["PUT", "PATCH", "DELETE", "TRACE"]
[phases.stateful]
max-steps = 4
[[operations]]
include-path-regex = "-/journal"
include-method = "POST"
# Headers of a commit depend on each other and on the body, which OpenAPI can't say.
checks.positive_data_acceptance.enabled = false
[[operations]]
include-path-regex = "-/dashboards/"
include-method = "PUT"
# Whether a panel has what it needs depends on its other members, which the schema leaves to the service.
checks.positive_data_acceptance.enabled = false
[[operations]]
include-path-regex = "^/monitor/"
# A range that ends before it starts is refused, which OpenAPI can't say either.
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]
"""


def test_the_document_is_openapi(shared_service: Service) -> None:
    """A validator of its own takes it."""
    document = shared_service.get("/-/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    validate(document)


@pytest.mark.slow
@pytest.mark.timeout(900 if IS_WHOLE else 300)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_request_breaks_what_the_document_promises(
    seed: int, start_service: Callable[..., Service], tmp_path: Path
) -> None:
    """schemathesis, with all its checks, finds no failure in any path or operation, those of plugins among them.

    Left out are operations that fail, or take as long or grow as large as they are told, and analyses of flows.
    """
    may = ["view", "run", "refresh", "purge", "reload", "metrics", "debug", "write"]
    environ = {"RAVE_DOCUMENTS": f"sqlite:///{tmp_path}/documents.sqlite", "RAVE_DISABLED_PLUGINS": "guestbook"}
    service = start_service(proxy_header="X-User", permissions={"ann": may}, environ=environ)
    (tmp_path / "schemathesis.toml").write_text(CONFIG if IS_WHOLE else f"{FEW}{CONFIG}")
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(tmp_path / "schemathesis.toml"), "run", f"{service.url}/-/openapi.json"),
        *(
            "--phases",
            PHASES,
            "--max-examples",
            str(EXAMPLES),
            "--request-timeout",
            "20",
            "--seed",
            str(seed),
            "--no-color",
        ),
        *("--header", "X-User: ann"),  # what users save is theirs
        *("--warnings", "off"),
        *("--exclude-path-regex", LEFT_OUT if IS_WHOLE else f"{LEFT_OUT}|{LIKE_OTHERS}"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/lab/square?n=" + "9" * 6000, None, 400),
        ("GET", "/lab/square?n=1&n=2", None, 400),
        ("GET", "/lab/square?%00=1", None, 400),
        ("GET", "/lab/square?n=%FF", None, 400),
        ("POST", "/lab/square", b'{"n": 1e400}', 400),
        ("POST", "/lab/square", b'{"n":', 400),
        ("POST", "/lab/square", b"[" * 50_000, 400),
        ("POST", "/lab/square", b'{"n": "x"}', 400),
        ("POST", "/lab/square", b'{"m": 1}', 400),
        ("GET", "/lab/../../etc/passwd", None, 404),
        ("GET", "/lab/%2e%2e/%2e%2e/etc/passwd", None, 404),
        ("GET", "/-/products/..%2f..%2f..%2fetc%2fpasswd", None, 404),
        ("GET", "/-/products/lab/square/../../../x", None, 404),
        ("GET", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd", None, 404),
        ("GET", "/-/ops/..%2f..%2fx", None, 404),
        ("GET", "/-/ui/..%2f..%2fx", None, 404),
        ("GET", "/-/problems/..%2f..%2fx", None, 404),
        ("GET", "/-/none", None, 404),
        ("PUT", "/lab/square?n=1", None, 405),
        ("DELETE", "/-/livez", None, 405),
        ("BREW", "/lab/square?n=1", None, 405),
    ],
)
def test_bad_input_is_a_problem_and_never_a_traceback(
    shared_service: Service, method: str, path: str, body: bytes | None, status: int
) -> None:
    """What is malformed gets a 4xx problem document, whatever it is."""
    import http.client

    host, port = shared_service.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == status, text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = json.loads(text)
    assert document["status"] == status
    assert {"type", "title", "detail", "instance"} <= document.keys()
    assert "Traceback" not in text


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(start_service: Callable[..., Service]) -> None:
    """413 comes for a length that is announced, and for one that is not."""
    service = start_service(workers=1, max_body="10kB")
    headers = {"Content-Type": "application/json"}
    announced = service.ask("POST", "/lab/square", data=b"x" * 20_000, headers=headers)
    unannounced = service.ask("POST", "/lab/square", data=iter([b"x" * 15_000] * 3), headers=headers)
    assert announced.status_code == unannounced.status_code == 413
    assert announced.json()["type"].endswith("/too-large")


def test_every_problem_has_a_page(shared_service: Service) -> None:
    """The type of a problem is a URL that explains it, to programs and to people."""
    from rave_http.protocol.problems import PROBLEMS

    for slug, kind in PROBLEMS.items():
        document = shared_service.get(f"/-/problems/{slug}").json()
        assert (document["title"], document["status"]) == (kind.title, kind.status)
        page = shared_service.get(f"/-/problems/{slug}", headers={"Accept": "text/html"})
        assert page.headers["Content-Type"].startswith("text/html")
        assert kind.title in page.text.replace("&#39;", "'")


def test_other_media_types_are_refused_with_what_there_is(shared_service: Service) -> None:
    """406 lists what the result can be, 415 what a body can be."""
    answer = shared_service.get("/lab/square?n=1", headers={"Accept": "video/mp4"})
    assert answer.status_code == 406
    assert "application/json" in answer.json()["available"]
    body = shared_service.ask("POST", "/lab/square", data=b"n,1", headers={"Content-Type": "text/csv"})
    assert body.status_code == 415
    assert "application/json" in body.headers["Accept-Post"]


@pytest.mark.parametrize("prefer", ["wait=x", "wait=-1", "wait=1e9", "wait=99999999999999999999"])
def test_a_preference_that_can_not_be_understood_is_ignored(shared_service: Service, prefer: str) -> None:
    """As if it had not been said; a wait that is too long is the longest (RFC 7240, 2)."""
    assert shared_service.get("/lab/square?n=31", headers={"Prefer": prefer}).status_code == 200
