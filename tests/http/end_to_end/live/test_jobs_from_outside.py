"""Jobs as the command line and the Python client list and stop them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rave_http.client import Cancelled, Client, NotFound, Ticket
from tests.http.end_to_end.live.job_lab import ANN, Service, Start, Wait, starts

BIN = Path(sys.executable).parent


@pytest.fixture
def client(start_jobs: Start) -> Iterator[Client]:
    """A client of the service, in the name of ann."""
    with Client(start_jobs().url, headers=ANN) as client:
        yield client


def rave(service: Service, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that finds the service by its settings."""
    return subprocess.run(
        [BIN / arguments[0], *arguments[1:]],
        env={**os.environ, **service.environ, **environ},
        cwd=service.place,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_client_stops_a_ticket(client: Client, start_jobs: Start, wait_until: Wait) -> None:
    """It sees the job in the list before, and not afterwards; who waits for the product learns of it at once."""
    ticket = client.request("lab/reporting", n=31)
    assert isinstance(ticket, Ticket)
    starts(start_jobs(), "reporting 31", wait_until)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, "lab/reporting", n=31)
        [job] = [each for each in client.jobs() if each.key == ticket.key]
        assert (job.operation, job.status, job.user, job.is_yours) == ("lab/reporting", "making", "ann", True)
        assert (job.worker.partition("-")[0], job.began[:2]) == ("worker", "20")
        assert (job.href, job.arguments) == (ticket.href, "n=31")
        assert ticket.cancel() == "ended"
        with pytest.raises(Cancelled) as told:
            waiting.result(20)
    assert told.value.document["by"] == "ann"
    assert ticket.key not in {each.key for each in client.jobs()}
    with pytest.raises(Cancelled):
        ticket.poll()
    with pytest.raises(NotFound, match="No job makes"):
        ticket.cancel()


@pytest.mark.parametrize("form", ["key", "url", "path"])
def test_the_command_lists_and_stops_jobs(form: str, start_jobs: Start, wait_until: Wait) -> None:
    """Those of the service in the settings, by the key or URL of a ticket; with exit code 1 where there is none."""
    service, n = start_jobs(), {"key": 41, "url": 42, "path": 43}[form]
    path = service.get(f"/lab/reporting?n={n}", headers={"Prefer": "respond-async"}).headers["Location"]
    starts(service, f"reporting {n}", wait_until)
    listed: list[dict[str, Any]] = json.loads(rave(service, "rave", "jobs", "list", "--json").stdout)["jobs"]
    [job] = [each for each in listed if each["href"] == service.url + path]
    assert (job["user"], job["is_yours"], job["arguments"]) == ("-", True, f"n={n}")
    assert f"n={n}" in rave(service, "rave", "jobs", "list", "--url", service.url).stdout
    ticket = {"key": job["key"], "url": job["href"], "path": path}[form]
    done = rave(service, "rave", "jobs", "cancel", ticket)
    assert (done.returncode, done.stdout) == (0, "ended\n")
    assert "nothing makes the product any more" in done.stderr
    again = rave(service, "rave", "jobs", "cancel", ticket)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("rave: error: There is nothing here: No job makes the product")
    got = rave(service, "rave-get", service.url + path)
    assert got.returncode == 1
    assert "The job was cancelled: An anonymous user cancelled the job" in got.stderr


def test_the_command_says_what_is_wrong(start_jobs: Start) -> None:
    """With the URL, the key, or the service."""
    service = start_jobs()
    bad = rave(service, "rave", "jobs", "list", "--url", "nowhere")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    away = rave(service, "rave", "jobs", "list", "--url", "http://127.0.0.1:9")
    assert (away.returncode, away.stderr.count("\n")) == (1, 1)
    refused = rave(service, "rave", "jobs", "list", RAVE_KEY="rave_0000")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "the API key is not valid" in refused.stderr
