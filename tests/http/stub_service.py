"""A stand-in for the service that speaks its contract, and misbehaves as it is told. Loaded as a plugin of pytest."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from rave_http.client import Client, deadline
from tests.http.stub_handler import Handler, Seen, Work


class StubService:
    """The service. It can be stopped and started again, at the same address."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.works: dict[str, Work] = {}
        self.seen: list[Seen] = []
        self.scripts: dict[str, deque[Callable[[Handler], object]]] = defaultdict(deque)
        self.heartbeat = 10.0
        self.base = ""
        self.port = 0
        self.is_stopping = False
        self._server: Server | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listens."""
        self.is_stopping = False
        self._server = Server(("127.0.0.1", self.port), Handler)
        self._server.service = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Hangs up on everybody, and listens no more."""
        server, self._server = self._server, None
        if server is None:
            return
        self.is_stopping = True
        server.shutdown()
        with self.changed:
            self.changed.notify_all()
        server.cut()
        server.server_close()

    def hang_up(self) -> None:
        """Cuts every connection, as if the worker had died."""
        assert self._server is not None
        self._server.cut()

    def make(self, name: str, body: bytes | None = None, **settings: Any) -> Work:
        """An operation ``lab/name``; without a body it is being made."""
        work = self.works[name] = Work(name, self.changed, **settings)
        if body is not None:
            work.finish(body, settings.get("etag"))
        return work

    def script(self, path: str, *answers: Callable[[Handler], object]) -> None:
        """Has the next requests for ``path`` answered like this, each once."""
        self.scripts[path].extend(answers)

    def asked(self, path: str) -> list[Seen]:
        """The requests for ``path``."""
        return [each for each in self.seen if each.path == path]


class Server(ThreadingHTTPServer):
    """Remembers its connections, so that they can be cut."""

    daemon_threads = False
    service: StubService

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Remembers a new connection."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forgets one that ends."""
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """Cuts all of them."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client went away, which is its right."""


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubService]:
    """A stand-in for the service."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "RAVE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(deadline, "_FIRST_PAUSE", 0.01)
    service = StubService()
    yield service
    service.stop()


@pytest.fixture
def service_url(stub: StubService) -> str:
    """The URL of a service."""
    return stub.url


@pytest.fixture
def client(service_url: str) -> Iterator[Client]:
    """A client of the service."""
    with Client(service_url, outage=5) as client:
        yield client
