"""A real service whose operations run in a real cluster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from rave_core.testing import free_port

CODE = '''\
"""A namespace for tests."""

import os
import time
from pathlib import Path

from rave_core import op, op_file, typemap, mime_type

NOTES = Path(__file__).parents[1] / "notes"  # a file beside the code would have the service load it anew


@op
@typemap(int)
@mime_type("text/plain")
def where(n):
    """Who computed it."""
    with open(NOTES / "runs", "a") as note:
        note.write(f"{n} ")
    time.sleep(0.2)
    return f"first {n} by {os.getppid()}"


@op_file
@typemap(int)
@mime_type("text/csv")
def sheet(path, n):
    """A file."""
    Path(path).write_text("n\\n" * n)


@op
@typemap(str)
def endless(name):
    """Notes its process, and sleeps on until it may end."""
    (NOTES / name).write_text(str(os.getpid()))
    while not (NOTES / f"{name}.end").exists():
        time.sleep(0.05)
    return f"{name} by {os.getpid()}"


@op
@typemap(str)
def queued(name):
    """Notes its turn; a held one goes on once it may."""
    with open(NOTES / "turns", "a") as note:
        note.write(f"{name} ")
    while name.startswith("held") and not (NOTES / name).exists():
        time.sleep(0.02)
    return name


@op
@typemap(str)
def urgent(name):
    """Notes its turn."""
    return queued.function(name)


__export__ = {"where": where, "sheet": sheet, "endless": endless, "queued": queued, "urgent": urgent}
'''
SETTINGS = """\
cache = "file://{place}/data"
products = "file://{place}/products"
disabled_plugins = "example flow guestbook journal monitor sql valkey web"
[namespaces]
lab = "{place}/lab"
[service]
bind = "127.0.0.1:{port}"
workers = 1
wait = "60s"
anonymous = ["view", "run", "debug", "metrics"]
executor = "dask"
failure_time = 0
[plugins.dask]
scheduler = "{scheduler}"
patience = "60s"
[plugins.dask.operations]
"lab/queued" = {{resources = {{PLACE = 1}}}}
"lab/urgent" = {{resources = {{PLACE = 1}}, priority = 5}}
"""


@dataclass
class Running:
    """A service that runs, and the files of its namespace."""

    url: str
    code: Path
    cluster: Any
    process: Any = None

    @property
    def notes(self) -> Path:
        """Where bodies leave notes, and look for such as let them end."""
        return self.code.parents[1] / "notes"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        place = self.code.parents[1]
        environ = {**os.environ, "RAVE_CONFIG": str(place / "rave.toml"), "HOME": str(place)}
        with open(place / "log", "ab") as log:
            command = [str(Path(sys.executable).parent / "rave"), "serve"]
            self.process = subprocess.Popen(command, cwd=place, env=environ, stdout=log, stderr=log)
        wait_for(lambda: is_up(self), "the service")

    def get(self, path: str) -> requests.Response:
        """A GET."""
        return requests.get(f"{self.url}{path}", timeout=60)

    def workers(self) -> set[str]:
        """The names of its workers."""
        return set(self.get("/-/statistics").json()["workers"])

    def noted(self, name: str) -> int:
        """The process of the body ``endless``."""
        note = self.notes / name
        return int(wait_for(lambda: note.exists() and note.read_text(), "the body"))

    def turns(self) -> list[str]:
        """Who had a turn in ``queued`` so far."""
        note = self.notes / "turns"
        return note.read_text().split() if note.exists() else []

    def trouble(self) -> str:
        """What ``/-/readyz`` says of the executor."""
        return str(self.get("/-/readyz").json()["parts"]["executor dask"])


@pytest.fixture(scope="module")
def own_cluster(make_cluster: Callable[[], Any]) -> Any:
    """A scheduler and a worker that the tests here may end."""
    cluster = make_cluster()
    cluster.scheduler = cluster.start_scheduler()
    cluster.start_workers(1, nanny=False)
    return cluster


@pytest.fixture(scope="module")
def service(own_cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service."""
    place = tmp_path_factory.mktemp("service")
    (place / "lab").mkdir()
    (place / "notes").mkdir()
    code = place / "lab" / "__init__.py"
    code.write_text(CODE)
    port = free_port()
    (place / "rave.toml").write_text(SETTINGS.format(place=place, port=port, scheduler=own_cluster.address))
    running = Running(f"http://127.0.0.1:{port}", code, own_cluster)
    try:
        running.start()
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(40)


def is_up(running: Running) -> bool:
    """Whether a service answers."""
    assert running.process.poll() is None
    try:
        return running.get("/-/livez").ok
    except requests.ConnectionError:
        return False


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Waits until a condition holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return found


def test_a_hundred_clients_get_the_result_of_one_run(service: Running) -> None:
    """It was computed below the Dask worker, not below the service."""
    with ThreadPoolExecutor(100) as clients:
        answers = set(clients.map(lambda _: service.get("/lab/where?n=1").text, range(100)))
    assert len(answers) == 1
    (answer,) = answers
    assert re.fullmatch(r"(first|second) 1 by \d+", answer)
    assert int(answer.split()[-1]) not in {each.pid for each in service.cluster.below(service.process)}
    assert (service.notes / "runs").read_text().split().count("1") == 1


def test_metrics_and_the_status_page_tell_of_the_cluster(service: Running) -> None:
    """How large it is, and what runs there for the service."""
    service.get("/lab/where?n=4")
    wait_for(lambda: service.trouble() == "ok", "the cluster")
    found = dict(line.rsplit(" ", 1) for line in service.get("/-/metrics").text.splitlines() if line[0] != "#")
    counted = [found[f'rave_executor_{name}{{executor="dask"}}'] for name in ("workers", "threads", "bodies")]
    assert counted == ["1.0", "1.0", "0.0"]
    assert float(found['rave_executor_bodies_started_total{executor="dask"}']) >= 1
    page = service.get("/-/ui/status").text
    assert "<h2>Executors</h2>" in page
    assert "<td>dask</td>" in page


def test_a_file_is_made_in_the_cluster(service: Running) -> None:
    """It lands where the service keeps its products."""
    assert service.get("/lab/sheet?n=3").text == "n\nn\nn\n"


def test_a_cancelled_job_ends_its_body(service: Running) -> None:
    """Its process is gone within two seconds, and the answer says that it ended."""
    ticket = requests.get(f"{service.url}/lab/endless?name=cancelled", headers={"Prefer": "respond-async"}, timeout=30)
    assert ticket.status_code == 202
    own = service.noted("cancelled")
    started = time.monotonic()
    ended = requests.delete(f"{service.url}{ticket.headers['Location']}/job", timeout=30)
    assert (ended.status_code, ended.json()["done"]) == (200, "ended")
    wait_for(lambda: not service.cluster.is_running(own), "the end of the body", 5)
    assert time.monotonic() - started < 4


def test_a_change_of_the_code_reaches_the_workers(service: Running) -> None:
    """The next call is of the new code, in the cluster as well."""
    code = service.code.read_text()
    now, then = ("first", "second") if "first" in code else ("second", "first")
    wait_for(lambda: service.get("/lab/where?n=2").text.startswith(f"{now} 2"), "the code as it is")
    service.code.write_text(code.replace(now, then))
    wait_for(lambda: service.get("/lab/where?n=2").text.startswith(f"{then} 2"), "the new code")


def test_bodies_wait_for_their_resources_and_those_with_a_higher_priority_come_first(service: Running) -> None:
    """There is one ``PLACE``: while a body has it, others wait, and the urgent one is next, although it came last."""

    def ask(path: str) -> None:
        assert requests.get(service.url + path, headers={"Prefer": "respond-async"}, timeout=30).status_code == 202

    ask("/lab/queued?name=held")
    try:
        wait_for(lambda: "held" in service.turns(), "the first body")
        ask("/lab/queued?name=second")
        ask("/lab/urgent?name=third")
        waiting = {"executing": 1, "constrained": 2}
        wait_for(lambda: service.cluster.task_counts() == waiting, "both to be at the worker")
    finally:
        (service.notes / "held").touch()  # else it would keep the one ``PLACE`` from all other tests
    wait_for(lambda: {"second", "third"} < set(service.turns()), "all three")
    assert [name for name in service.turns() if name in ("second", "third")] == ["third", "second"]


def test_a_killed_worker_of_the_service_takes_its_body_with_it(service: Running) -> None:
    """Within two seconds; the next request for the ticket starts it again, in the worker that took its place."""
    ticket = requests.get(f"{service.url}/lab/endless?name=killed", headers={"Prefer": "respond-async"}, timeout=30)
    own = service.noted("killed")
    (worker,) = service.workers()
    (service.notes / "killed").unlink()
    os.kill(int(worker.removeprefix("worker-")), signal.SIGKILL)
    wait_for(lambda: not service.cluster.is_running(own), "the end of the body", 4)
    assert requests.get(f"{service.url}{ticket.headers['Location']}", timeout=60).status_code == 202
    assert service.noted("killed") != own
    assert requests.delete(f"{service.url}{ticket.headers['Location']}/job", timeout=30).status_code == 200


def test_a_killed_service_leaves_nothing_behind_and_the_next_one_computes_once(service: Running) -> None:
    """After ``kill -9`` of its first process, the others and the body end; the body runs again for the next service."""
    ticket = requests.get(f"{service.url}/lab/endless?name=orphan", headers={"Prefer": "respond-async"}, timeout=30)
    own = service.noted("orphan")
    gone = [own, *(each.pid for each in service.cluster.below(service.process))]
    (service.notes / "orphan").unlink()
    service.process.kill()
    service.process.wait()
    wait_for(lambda: not any(map(service.cluster.is_running, gone)), "the end of the service and its body")
    service.start()
    with ThreadPoolExecutor(2) as clients:
        answers = [clients.submit(service.get, "/lab/endless?name=orphan") for _ in range(2)]
        again = service.noted("orphan")
        (service.notes / "orphan.end").touch()
        texts = {each.result().text for each in answers}
    assert again != own
    assert texts == {f"orphan by {again}"}
    assert service.get(ticket.headers["Location"]).text == f"orphan by {again}"


def test_a_body_under_way_finishes_while_workers_of_the_service_are_replaced(service: Running) -> None:
    """It runs once, and the client that waits for it gets its value; the next worker is connected, too."""
    (worker,) = service.workers()
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(service.get, "/lab/queued?name=held-on")
        wait_for(lambda: "held-on" in service.turns(), "the body")
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: service.workers() - {worker}, "the next worker")
        (service.notes / "held-on").touch()
        assert waiting.result().text == "held-on"
    assert service.turns().count("held-on") == 1
    wait_for(lambda: worker not in service.workers(), "the end of the old worker")
    wait_for(lambda: service.trouble() == "ok", "the connection of the next worker")


def test_the_service_uses_a_scheduler_again_once_it_is_back(service: Running) -> None:
    """Within ten seconds. Meanwhile ``/-/readyz`` is degraded and says why; the service is not restarted."""
    cluster = service.cluster
    wait_for(lambda: service.trouble() == "ok", "the cluster")
    cluster.end(cluster.scheduler)
    wait_for(lambda: "no scheduler at tcp://" in service.trouble(), "the loss of the scheduler")
    assert service.get("/-/readyz").json()["status"] == "degraded"
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(service.get, "/lab/where?n=3")
        cluster.scheduler = cluster.start_scheduler(int(cluster.address.rpartition(":")[2]))
        wait_for(lambda: "no scheduler" not in service.trouble(), "the connection", 10)
        cluster.start_workers(1, nanny=False)
        assert waiting.result().text.split()[1] == "3"
    assert service.trouble() == "ok"
    (counted,) = service.get("/-/statistics").json()["workers"].values()
    assert {"Workers": 1, "Threads": 1, "Scheduler": cluster.address, "Trouble": "", "Lost": 0}.items() <= counted[
        "Dask"
    ].items()
    assert counted["Dask"]["Started"] >= 1
