"""What the stand-in for the service knows of its products, and how it answers one connection."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.http.stub_service import Server, StubService

PRODUCTS = "/-/products/"


@dataclass
class Seen:
    """A request that came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Work:
    """One operation with one result, and how its answers are to go wrong.

    Attributes:
        body: the product; ``None`` while it is being made.
        problem: in place of a product.
        cuts: bytes after which successive answers are cut.
        stalls: the same for answers that fall silent.
        chunked: whether answers have no length.
        offers_events: whether tickets link to events; ``streams`` are what successive streams do instead of theirs.
    """

    name: str
    changed: threading.Condition
    body: bytes | None = None
    problem: dict[str, Any] | None = None
    media_type: str = "text/csv; charset=utf-8"
    etag: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    progress: dict[str, Any] | None = None
    cuts: deque[int] = field(default_factory=deque)
    stalls: deque[int] = field(default_factory=deque)
    chunked: bool = False
    offers_events: bool = True
    says_done_early: bool = False
    retry_after: str = "0"

    @property
    def key(self) -> str:
        """The text of its key."""
        return f"lab/{self.name}/1/k{self.name}"

    def report(self, done: float, total: float | None, text: str = "") -> None:
        """Reports progress."""
        with self.changed:
            self.progress = {"done": done, "total": total, "text": text}
            self.changed.notify_all()

    def finish(self, body: bytes, etag: str | None = None) -> None:
        """Has the product there."""
        with self.changed:
            self.body, self.etag = body, f'"{hash(body) & 0xFFFFFF:x}"' if etag is None else etag
            self.changed.notify_all()

    def fail(self, slug: str, status: int, detail: str) -> None:
        """Fails."""
        with self.changed:
            self.problem = problem(slug, status, detail)
            self.changed.notify_all()

    @property
    def is_over(self) -> bool:
        """Whether there is a product or a problem."""
        return self.body is not None or self.problem is not None


def problem(slug: str, status: int, detail: str, **more: Any) -> dict[str, Any]:
    """A problem document."""
    kind = {"type": f"/-/problems/{slug}", "title": slug.replace("-", " ").capitalize()}
    return {**kind, "status": status, "detail": detail, **more}


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    @property
    def service(self) -> StubService:
        """Whose connection it is."""
        return self.server.service

    def log_message(self, format: str, *args: Any) -> None:
        """Tells nobody."""

    def do_GET(self) -> None:
        """Answers as it was told, else as the contract says."""
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen = Seen(self.command, parts.path, parse_qs(parts.query), dict(self.headers.items()), body)
        self.service.seen.append(self.seen)
        script = self.service.scripts[parts.path]
        if script:
            script.popleft()(self)
        elif parts.path.startswith(PRODUCTS):
            self._answer_product(parts.path.removeprefix(PRODUCTS))
        else:
            self._answer_operation(parts.path.removeprefix("/lab/"))

    do_POST = do_GET  # noqa: N815  # the name that the server looks for

    def send(self, status: int, body: bytes = b"", media_type: str = "", **headers: str) -> None:
        """Sends a whole answer; of names of headers ``_`` stands for ``-``."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if media_type:
            self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_problem(self, document: dict[str, Any], **headers: str) -> None:
        """Sends a problem."""
        self.send(document["status"], json.dumps(document).encode(), "application/problem+json", **headers)

    def hang_up(self) -> None:
        """Ends the connection."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer_operation(self, name: str) -> None:
        work = self.service.works.get(name)
        if work is None:
            self.send_problem(problem("not-found", 404, f"There is no operation 'lab/{name}'"))
            return
        prefer = self.headers.get("Prefer", "")
        if "wait=" in prefer:
            with self.service.changed:
                self.service.changed.wait_for(lambda: work.is_over, 0.02)  # a stub's patience is short
        if work.body is not None and "minimal" in prefer:
            self.send(303, b"{}", "application/json", Location=f"{self.service.base}{PRODUCTS}{work.key}")
        else:
            self._answer(work)

    def _answer_product(self, path: str) -> None:
        key, slash, view = path.rpartition("/")
        is_stream = view == "events" and bool(slash)
        work = next((each for each in self.service.works.values() if each.key == (key if is_stream else path)), None)
        if work is None:
            self.send_problem(problem("not-found", 404, "There is no such product"))
        elif is_stream:
            self._stream(work)
        else:
            self._answer(work)

    def _answer(self, work: Work) -> None:
        if work.problem is not None:
            self.send_problem(work.problem)
        elif work.body is None:
            self.send_ticket(work)
        else:
            self._send_product(work, work.body)

    def send_ticket(self, work: Work) -> None:
        """Sends a ticket."""
        href = f"{self.service.base}{PRODUCTS}{work.key}"
        document = {"status": "making", "href": href, "key": work.key, "operation": f"lab/{work.name}"}
        document |= {"progress": work.progress, "created": "2026-01-01T00:00:00+00:00", "links": {"product": href}}
        if work.offers_events:
            document["links"]["events"] = f"{href}/events"
        headers = {"Retry-After": work.retry_after, "Location": href, "Cache-Control": "no-store"}
        self.send(202, json.dumps(document).encode(), "application/json", **headers)

    def _send_product(self, work: Work, body: bytes) -> None:
        start = self._range(work)
        if start is not None and start >= len(body):
            self.send_problem(problem("range-not-satisfiable", 416, ""), Content_Range=f"bytes */{len(body)}")
            return
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        part = body[start or 0 :]
        for name, value in {"Content-Type": work.media_type, "ETag": work.etag, **work.headers}.items():
            if value:
                self.send_header(name, value)
        self.send_header(*(("Transfer-Encoding", "chunked") if work.chunked else ("Content-Length", str(len(part)))))
        self.end_headers()
        for faults, is_silent in ((work.cuts, False), (work.stalls, True)):
            if faults:
                self._write(part[: faults.popleft()], work)
                if is_silent:
                    self._be_silent()
                self.hang_up()
                return
        self._write(part, work)
        if work.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _range(self, work: Work) -> int | None:
        text = self.headers.get("Range")
        if text is None or self.headers.get("If-Range", work.etag) != work.etag:
            return None
        return int(text.removeprefix("bytes=").removesuffix("-"))

    def _write(self, part: bytes, work: Work) -> None:
        if work.chunked and part:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        else:
            self.wfile.write(part)
        self.wfile.flush()

    def _be_silent(self) -> None:
        with self.service.changed:
            self.service.changed.wait_for(lambda: self.service.is_stopping, 20)

    def start_stream(self) -> None:
        """Begins an event stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b": here we go\n\n")

    def send_event(self, name: str, document: Any) -> None:
        """Sends an event."""
        self.wfile.write(f"event: {name}\ndata: {json.dumps(document)}\n\n".encode())
        self.wfile.flush()

    def _stream(self, work: Work) -> None:
        self.start_stream()
        last = None
        while not self.service.is_stopping and not work.is_over and not work.says_done_early:
            if work.progress != last:
                last = work.progress
                self.send_event("progress", {"key": work.key, "progress": last})
            if not self._news(work, last):
                self.wfile.write(b": still here\n\n")
        if work.problem is not None:
            self.send_event("failed", work.problem)
        elif work.body is not None or work.says_done_early:
            self.send_event("done", {"key": work.key})
        self.close_connection = True

    def _news(self, work: Work, last: object) -> bool:
        """Waits for a change, no longer than a heart takes to beat."""
        service = self.service
        with service.changed:
            return service.changed.wait_for(
                lambda: service.is_stopping or work.is_over or work.progress != last, service.heartbeat
            )
