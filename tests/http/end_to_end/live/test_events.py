"""``/-/events``: what happens in any worker, for everybody who may see it."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from rave_http.client import Client, ServiceEvent

Service = Any  # RunningService of the conftest
RAVE = str(Path(sys.executable).parent / "rave")

STORM = '''

import threading
import rave_core


@op
@expires(nocache)
@typemap(int, str, str)
@mime_type("text/plain")
def storm(count="100000", topic="storm.n", hidden="") -> str:
    """Publishes events as quickly as it can, in another thread."""
    events = rave_core.current_runtime().events

    def publish():
        for number in range(int(count)):
            events.publish(topic, {"namespace": "secret" if hidden else "lab", "n": number})

    threading.Thread(target=publish).start()
    return str(os.getpid())


@op
@typemap(int)
@mime_type("text/plain")
def double_storm(n: int) -> str:
    """Calls an operation that is not exported."""
    return str(inner(n))


@op
def inner(n):
    return n


__export__ |= {"storm": storm, "double_storm": double_storm}
'''


class Follower:
    """Follows the events of a service in a thread."""

    def __init__(self, url: str, *topics: str, key: str | None = None) -> None:
        self.events: list[ServiceEvent] = []
        self.client = Client(url, key)
        self._opened = threading.Event()
        self.error: Exception | None = None
        threading.Thread(target=self._follow, args=(topics,), daemon=True).start()
        assert self._opened.wait(20), self.error

    def _follow(self, topics: tuple[str, ...]) -> None:
        try:
            for event in self.client.events(*topics):
                self.events.append(event)
                self._opened.set()
        except Exception as error:
            self.error = error

    def of(self, topic: str) -> list[ServiceEvent]:
        """Those of one topic."""
        return [event for event in self.events if event.topic == topic]


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    """Follows events until the end of the test."""
    made: list[Follower] = []

    def start(*args: Any, **options: Any) -> Follower:
        made.append(Follower(*args, **options))
        return made[-1]

    yield start
    for each in made:
        each.client.close()


def test_what_any_worker_does_reaches_a_stream_of_one(
    start_service: Callable[..., Service], wait_until: Callable[..., Any], follow: Callable[..., Follower]
) -> None:
    """Jobs with their ends, entries, and namespaces; each event once, from whichever worker."""
    service = start_service(workers=3, more=STORM)
    follower = follow(service.url)
    assert follower.events[0].topic == "events.open"
    for n in range(30):
        assert service.get(f"/lab/square?n={n}").status_code == 200
    wait_until(lambda: len(follower.of("job.finished")) == 30)
    finished = follower.of("job.finished")
    assert {event.data["operation"] for event in finished} == {"lab/square"}
    assert {event.data["namespace"] for event in finished} == {"lab"}
    assert len({event.data["key"] for event in finished}) == 30
    assert len({event.origin for event in finished}) > 1
    assert len(follower.of("job.started")) == 30
    assert len(follower.of("entry.stored")) == 30
    assert service.get("/lab/fails").status_code == 500
    (failed,) = wait_until(lambda: follower.of("job.failed"))
    assert failed.data["problem"] == "operation-failed"
    assert failed.data["detail"] == "ValueError: no luck"
    source = service.place / "lab" / "__init__.py"
    source.write_text(source.read_text() + "\n# changed\n")
    wait_until(lambda: len(follower.of("namespace.loaded")) == 3)
    source.write_text("raise ValueError('broken')\n")
    wait_until(lambda: len(follower.of("namespace.failed")) == 3)
    assert "broken" in follower.of("namespace.failed")[0].data["error"]
    assert not follower.of("events.lost")


def test_only_what_a_client_may_view_is_sent(
    start_service: Callable[..., Service],
    tmp_path: Path,
    wait_until: Callable[..., Any],
    follow: Callable[..., Follower],
) -> None:
    """Events of a hidden namespace, and those of none, go to those who may view all."""
    keys = {user: _key(tmp_path, user) for user in ("carol", "boss")}
    service = start_service(
        more=STORM,
        anonymous=[],
        permissions={"carol": {"lab": ["view"]}, "boss": ["view", "run"]},
        keys_file=str(tmp_path / "keys.json"),
    )
    carol, boss = (follow(service.url, key=keys[user]) for user in ("carol", "boss"))
    run = {"X-API-Key": keys["boss"]}
    assert service.get("/lab/storm?count=5&hidden=true&topic=lab.hidden", headers=run).status_code == 200
    assert service.get("/lab/storm?count=5&topic=lab.open", headers=run).status_code == 200
    assert service.get("/lab/double_storm?n=1", headers=run).status_code == 200
    assert service.get("/-/events").status_code == 404
    wait_until(lambda: len(boss.of("entry.stored")) == 2)
    wait_until(lambda: len(boss.of("lab.hidden")) == 5 and len(boss.of("lab.open")) == 5)
    wait_until(lambda: len(carol.of("lab.open")) == 5 and carol.of("entry.stored"))
    assert not carol.of("lab.hidden")
    assert [event.data["operation"].rpartition(":")[2] for event in carol.of("entry.stored")] != ["inner"]
    assert len(carol.of("entry.stored")) == 1


def _key(place: Path, user: str) -> str:
    command = [RAVE, "key", "create", user, "--keys-file", f"{place}/keys.json"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("topic=A", "'A' is not a pattern of topics"),
        ("topics=a", "the parameter 'topics' is unknown"),
        ("topic=", "'' is not a pattern of topics"),
    ],
)
def test_a_wrong_topic_is_refused(shared_service: Service, query: str, detail: str) -> None:
    """With what would be right."""
    answer = shared_service.get(f"/-/events?{query}")
    assert answer.status_code == 400
    assert detail in answer.json()["detail"]


def test_streams_are_limited(start_service: Callable[..., Service]) -> None:
    """Like those of products, and together with them."""
    service = start_service(workers=1, max_events=2)
    with requests.get(f"{service.url}/-/events", stream=True, timeout=10) as first:
        assert first.status_code == 200
        answer = service.get("/-/events")
        assert answer.status_code == 429
        assert "You have 1 event streams open" in answer.json()["detail"]
        assert answer.headers["Retry-After"] == "5"


def test_a_client_follows_across_a_restart(
    start_service: Callable[..., Service],
    free_port: Callable[[], int],
    wait_until: Callable[..., Any],
    follow: Callable[..., Follower],
) -> None:
    """It says that something may be missing; a reload ends streams in order, and a worker that stops is no obstacle."""
    service = start_service(port=free_port())
    follower = follow(service.url, "job.*")
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: follower.of("events.lost"))
    wait_until(lambda: len(follower.of("events.open")) == 2)
    wait_until(lambda: (service.get(f"/lab/square?n={time.monotonic_ns() % 100_000}"), follower.of("job.finished"))[1])


def test_the_command_prints_events(start_service: Callable[..., Service]) -> None:
    """One line each, or JSON; it says when it listens."""
    service = start_service()
    command = [RAVE, "events", "job.finished", "--url", service.url, "--json", "--count", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=service.place) as run:
        assert run.stderr is not None
        assert f"listening to job.finished at {service.url}" in run.stderr.readline()
        assert service.get("/lab/square?n=3").status_code == 200
        output, _ = run.communicate(timeout=30)
    document = json.loads(output)
    assert document["topic"] == "job.finished"
    assert document["data"]["operation"] == "lab/square"
    wrong = subprocess.run([RAVE, "events", "A", "--url", service.url], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "'A' is not a pattern of topics" in wrong.stderr


@pytest.mark.slow
def test_a_storm_slows_no_request_and_loses_only_what_it_says(
    start_service: Callable[..., Service], wait_until: Callable[..., Any], follow: Callable[..., Follower]
) -> None:
    """A hundred thousand events, with a stream open, while cached results are asked for."""
    service = start_service(workers=2, more=STORM)
    follower = follow(service.url, "storm.*")
    session = requests.Session()
    assert session.get(f"{service.url}/lab/square?n=1", timeout=10).status_code == 200

    def median() -> float:
        taken = []
        for _ in range(200):
            started = time.monotonic()
            assert session.get(f"{service.url}/lab/square?n=1", timeout=10).status_code == 200
            taken.append(time.monotonic() - started)
        return statistics.median(taken)

    quiet = median()
    service.get("/lab/storm?count=100000")
    stormy = median()
    wait_until(lambda: follower.events[-1].data.get("n") == 99_999, seconds=60)
    got = len(follower.of("storm.n"))
    lost = sum(event.data["count"] for event in follower.of("events.lost"))
    assert got + lost >= 100_000
    assert stormy < max(quiet * 3, 0.02)
