"""What operators see and do: reloads, metrics, statistics, caches, executors, health, and the command rave-get."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

Service = Any  # RunningService of the conftest
EVERYTHING = ["view", "run", "refresh", "purge", "reload", "metrics", "debug"]


def answers_of_all_workers(service: Service, path: str, count: int = 30) -> list[requests.Response]:
    """Answers over so many connections that every worker gives some."""
    return [requests.get(f"{service.url}{path}", timeout=10) for _ in range(count)]


def edit(service: Service, old: str, new: str) -> None:
    """Changes the code of the namespace."""
    path = service.place / "lab" / "__init__.py"
    path.write_text(path.read_text().replace(old, new))


def test_an_edit_is_served_by_every_worker(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """New code answers without a restart; what the old code kept does not count for it, and comes back with it."""
    service = start_service()
    assert service.get("/lab/square?n=6").json()["square"] == 36
    edit(service, "n * n}", "n * n * n}")
    wait_until(lambda: {a.json()["square"] for a in answers_of_all_workers(service, "/lab/square?n=6", 10)} == {216})
    edit(service, "n * n * n}", "n * n}")
    wait_until(lambda: {a.json()["square"] for a in answers_of_all_workers(service, "/lab/square?n=6", 10)} == {36})
    assert len(service.runs("square 6")) <= 3


def test_a_broken_edit_leaves_the_old_code_serving_and_is_reported(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """The log, `/-/namespaces`, readiness and metrics tell; the mended code is taken."""
    service = start_service(anonymous=EVERYTHING)
    edit(service, "n * n}", "n * }")
    states = wait_until(lambda: [s for s in _namespaces(service) if s["name"] == "lab" and s["error"]])
    assert "__init__.py" in states[0]["error"]
    assert "SyntaxError" in states[0]["error"]
    assert service.get("/lab/square?n=7").json()["square"] == 49
    assert "namespace lab" in service.get("/-/readyz").json()["degraded"]
    assert 'rave_namespace_load_error{namespace="lab"' in service.get("/-/metrics").text
    assert "SyntaxError" in service.log
    edit(service, "n * }", "n + n}")
    wait_until(lambda: {a.json()["square"] for a in answers_of_all_workers(service, "/lab/square?n=7", 10)} == {14})
    wait_until(lambda: not any(s["error"] for s in _namespaces(service)))


def _namespaces(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/-/namespaces").json()["namespaces"]
    return found


def test_a_reload_can_be_asked_for(start_service: Callable[..., Service]) -> None:
    """POST loads a directory anew in every worker, for whoever may; an installed package says how."""
    service = start_service(anonymous=EVERYTHING, reload=False)
    edit(service, "n * n}", "n - n}")
    assert service.get("/lab/square?n=8").json()["square"] == 64
    answer = service.ask("POST", "/-/namespaces/lab/reload")
    assert answer.status_code == 200
    assert len(answer.json()["workers"]) == 2
    assert {a.json()["square"] for a in answers_of_all_workers(service, "/lab/square?n=8", 10)} == {0}
    assert service.ask("POST", "/-/namespaces/example/reload").status_code == 409
    assert service.ask("POST", "/-/namespaces/nothing/reload").status_code == 404


def test_a_reload_needs_permission(shared_service: Service) -> None:
    """Whoever may not gets a 401, and nothing is loaded."""
    assert shared_service.ask("POST", "/-/namespaces/lab/reload").status_code == 401


def test_metrics_are_those_of_all_workers(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """Requests to both workers are counted in one place, and stay counted when a worker dies."""
    service = start_service()
    answers_of_all_workers(service, "/lab/square?n=9", 40)
    before, old = _counted(service), set(service.workers())
    assert before >= 40
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not old & set(service.workers()), seconds=60, what="the end of the old workers")
    answers_of_all_workers(service, "/lab/square?n=9", 5)
    assert _counted(service) >= before + 5


def _counted(service: Service) -> float:
    text = service.get("/-/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("rave_requests_total") and '"operation"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_statistics_can_be_paused_everywhere_and_resumed(start_service: Callable[..., Service]) -> None:
    """A POST stops counting in all workers, also in those that start later; another one goes on."""
    service = start_service(anonymous=EVERYTHING)
    answers_of_all_workers(service, "/lab/square?n=10", 20)
    assert _asked(service) >= 20
    assert service.ask("POST", "/-/statistics", json={"pause": "RAVE"}).status_code == 200
    paused = _asked(service)
    answers_of_all_workers(service, "/lab/square?n=10", 20)
    assert _asked(service) == paused
    assert service.ask("POST", "/-/statistics", data={"resume": "RAVE"}).status_code == 200
    answers_of_all_workers(service, "/lab/square?n=10", 20)
    assert _asked(service) >= paused + 20
    assert service.ask("POST", "/-/statistics", json={"pause": "Nothing"}).status_code == 404
    assert service.ask("POST", "/-/statistics", json={"stop": "RAVE"}).status_code == 400


def _asked(service: Service) -> int:
    record = service.get("/-/statistics").json()["RAVE"]["Operations"]["lab/square"]
    return int(record["Hits"] + record["Misses"])


def test_the_cache_can_be_looked_at_and_purged(start_service: Callable[..., Service]) -> None:
    """`/-/cache` counts entries by operation; a purge removes those that were chosen."""
    service = start_service(workers=1, anonymous=EVERYTHING)
    for n in range(3):
        service.get(f"/lab/square?n={n}")
    service.get("/lab/total?l=1,2")
    assert service.get("/-/cache").json()["operations"]["lab/square"]["entries"] == 3
    purged = service.ask("POST", "/-/cache/purge", json={"operation": "lab/square"})
    assert purged.json()["removed"] == 3
    operations = service.get("/-/cache").json()["operations"]
    assert "lab/square" not in operations
    assert operations["lab/total"]["entries"] == 1
    assert service.ask("POST", "/-/cache/purge", json={"operation": "lab/none"}).status_code == 404
    assert service.ask("POST", "/-/cache/purge", json={"colour": "red"}).status_code == 400
    assert service.ask("POST", "/-/cache/purge", json={"older_than": "1d", "namespace": "lab"}).json()["removed"] == 0
    assert service.ask("POST", "/-/cache/purge").status_code == 200


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_time_limit_ends_the_waiting(start_service: Callable[..., Service], executor: str) -> None:
    """A computation over its limit is a 504 that names the limit, not its result; the service goes on."""
    service = start_service(
        workers=1, operations={"lab/slow": {"time_limit": "1s", "executor": executor}}, failure_time="1s"
    )
    answer = service.get("/lab/slow?name=limit&seconds=15")
    assert answer.status_code == 504
    assert answer.json()["type"].endswith("/time-limit")
    assert service.get("/lab/square?n=1").status_code == 200


def test_processes_compute_report_and_keep_like_threads(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """With the executor `processes` a body runs elsewhere, its progress is told, and its result is kept."""
    service = start_service(workers=1, executor="processes")
    href = service.get("/lab/slow?name=child&seconds=2", headers={"Prefer": "respond-async"}).json()["href"]
    seen = wait_until(lambda: (service.get(href).json() or {}).get("progress") if _is_making(service, href) else None)
    assert seen["total"] == 10
    product = wait_until(lambda: (a := service.get(href)).status_code == 200 and a)
    assert product.text == "child slept"
    assert int(service.runs("slow child")[0].split()[0]) not in (service.process.pid, *service.workers())
    assert service.get("/lab/files/document?size=10").status_code == 200


def _is_making(service: Service, href: str) -> bool:
    return bool(service.get(href).status_code == 202)


def test_health_tells_what_lives_and_what_is_ready(shared_service: Service) -> None:
    """Live and ready are 200; the parts in detail are for whoever may debug."""
    assert shared_service.get("/-/livez").json() == {"status": "ok"}
    ready = shared_service.get("/-/readyz").json()
    assert ready == {"status": "ok", "degraded": [], "parts": None}
    assert "rave" in shared_service.get("/-/version").json()


def test_a_store_in_trouble_is_degraded_and_costs_no_answer(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    """With a cache directory that can't be used, calls are answered all the same, and readiness says what is wrong."""
    (tmp_path / "data").write_text("a file where a directory should be")
    service = start_service(workers=1, anonymous=EVERYTHING)
    assert service.get("/lab/square?n=3").json()["square"] == 9
    assert service.get("/lab/square?n=3").status_code == 200
    ready = service.get("/-/readyz")
    assert ready.status_code == 200
    assert "data" in ready.json()["degraded"]


def test_the_access_log_has_a_line_of_json_for_each_request(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Request ID, operation and cache outcome stand in it; the trace is passed on."""
    service = start_service(workers=1, access_log=f"{tmp_path}/access.log")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    service.get("/lab/square?n=4", headers={"X-Request-ID": "my-request", "traceparent": trace})
    service.get("/lab/square?n=4")

    def lines() -> list[dict[str, Any]]:
        path = tmp_path / "access.log"
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in found if line["operation"] == "lab/square"]

    first, second = wait_until(lambda: len(lines()) == 2 and lines())
    assert (first["request_id"], first["cache"], second["cache"]) == ("my-request", "wait", "hit")
    assert "0af7651916cd43dd8448eb211c80319c" in json.dumps(first)
    assert (first["status"], first["method"], first["path"]) == (200, "GET", "/lab/square")


def test_rave_get_waits_for_a_ticket_and_writes_the_product(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    """The command asks, waits, and writes the file; a failed operation is exit code 1 in one line."""
    service = start_service(wait="0.2s")
    command = [str(Path(sys.executable).parent / "rave-get")]
    target = tmp_path / "out.txt"
    done = subprocess.run(
        [*command, f"{service.url}/lab/slow?name=get&seconds=1.5", "-o", str(target)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, target.read_text()) == (0, "get slept"), done.stderr
    failed = subprocess.run(
        [*command, f"{service.url}/lab/fails?message=sorry"], capture_output=True, text=True, timeout=60, check=False
    )
    assert failed.returncode == 1
    assert "sorry" in failed.stderr
    assert "Traceback" not in failed.stderr
    nothing = subprocess.run(
        [*command, f"{service.url}/lab/square?n=123", "--only-cached"], capture_output=True, timeout=60, check=False
    )
    assert nothing.returncode == 3
    wrong = subprocess.run([*command, f"{service.url}/lab/square?n=x"], capture_output=True, timeout=60, check=False)
    assert wrong.returncode == 2


def test_the_client_does_what_the_command_does(shared_service: Service, tmp_path: Path) -> None:
    """`rave_http.client` gets products, follows tickets, and raises what failed."""
    from rave_http.client import Client, OperationFailed

    client = Client(shared_service.url)
    assert client.get("lab/square", n=11).json()["square"] == 121
    ticket = client.request("lab/slow", name="client", seconds=0.8)
    assert ticket.wait(timeout=20).text == "client slept"
    fetched = client.fetch("lab/files/document", tmp_path / "file.pdf", size=5000)
    assert (tmp_path / "file.pdf").stat().st_size == 5000
    assert fetched.media_type == "application/pdf"
    with pytest.raises(OperationFailed, match="boo"):
        client.get("lab/fails", message="boo")
