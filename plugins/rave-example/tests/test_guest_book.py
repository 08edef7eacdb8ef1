"""The guest book in a real service: its resource, its documents, its event, and its service beside the workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from rave_core.testing import free_port
from rave_http.client import Client

SETTINGS = """\
cache = "file://{place}/cache"
products = "file://{place}/products"
[service]
bind = "127.0.0.1:{port}"
workers = 1
anonymous = ["view", "write"]
"""


def wait_until(condition: Callable[[], Any]) -> Any:
    """Waits for ``condition`` to give something true, and gives that."""
    until = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


@pytest.fixture(name="url", scope="module")
def _url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service of the release, that anybody may write to."""
    place = tmp_path_factory.mktemp("guests")
    port = free_port()
    (place / "rave.toml").write_text(SETTINGS.format(place=place, port=port))
    environ = {**os.environ, "RAVE_CONFIG": str(place / "rave.toml"), "HOME": str(place)}
    environ.pop("RAVE_DISABLED_PLUGINS", None)
    shutil.copy(Path(__file__).parents[1] / "release.toml", place)
    with (place / "log").open("wb") as log:
        command = [str(Path(sys.executable).with_name("rave")), "serve", "--release", "release.toml"]
        process = subprocess.Popen(command, env=environ, cwd=place, stdout=log, stderr=log)

    def is_ready() -> bool:
        assert process.poll() is None, (place / "log").read_text()
        try:
            return requests.get(f"http://127.0.0.1:{port}/-/readyz", timeout=10).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(is_ready)
        yield f"http://127.0.0.1:{port}"
        assert (place / "guests.sqlite").exists(), "the release says where documents are"
    finally:
        process.terminate()
        process.wait(60)


def test_an_entry_is_written_changed_and_removed(url: str) -> None:
    """Each change says which version it is based on."""
    ada = f"{url}/-/guestbook/ada"
    written = requests.put(f"{ada}?seen=0", data="Hello!", timeout=30)
    assert (written.status_code, written.json()) == (201, {"version": 1})
    assert requests.put(f"{ada}?seen=1", data="<Bye>", timeout=30).json() == {"version": 2}
    assert requests.get(ada, timeout=30).json() == {"guest": "ada", "text": "<Bye>", "version": 2}
    late = requests.put(f"{ada}?seen=1", data="Me too", timeout=30)
    assert (late.status_code, late.json()["version"]) == (409, 2)
    assert "&lt;Bye&gt;" in requests.get(f"{url}/-/guestbook", headers={"Accept": "text/html"}, timeout=30).text
    assert requests.delete(f"{ada}?seen=2", timeout=30).json() == {"version": 3}
    assert {requests.request(method, ada, timeout=30).status_code for method in ("GET", "DELETE")} == {404}


def test_mistakes_of_a_guest_are_told(url: str) -> None:
    """A version that is no number, a text that is none, a name that is too long."""
    for path, data in (("bob?seen=one", b"x"), ("bob?seen=-1", b"x"), ("bob", b"\xff"), ("b" * 600, b"x")):
        refused = requests.put(f"{url}/-/guestbook/{path}", data=data, timeout=30)
        assert refused.status_code == 400, refused.text
    assert requests.put(f"{url}/-/guestbook/bob", data=b"x" * 10_001, timeout=30).status_code == 413


def test_others_hear_of_an_entry(url: str) -> None:
    """As the event ``guestbook.written``."""
    events = Client(url).events("guestbook.*")
    next(events)  # the stream is open
    requests.put(f"{url}/-/guestbook/eve", data="Hi", timeout=30)
    event = next(events)
    events.close()
    assert (event.topic, event.data) == ("guestbook.written", {"namespace": "example", "guest": "eve", "version": 1})


def test_the_service_beside_the_workers_keeps_the_summary(url: str) -> None:
    """It follows the documents, and writes as the one that leads."""

    def summary() -> dict[str, Any]:
        return dict(requests.get(f"{url}/-/guestbook", timeout=30).json()["summary"])

    requests.put(f"{url}/-/guestbook/kim", data="Hi", timeout=30)
    wait_until(lambda: summary()["latest"] == "kim")
    guests = summary()["guests"]
    requests.put(f"{url}/-/guestbook/lee", data="Hi", timeout=30)
    wait_until(lambda: summary() == {"guests": guests + 1, "latest": "lee"})
