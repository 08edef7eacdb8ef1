"""``sse``: server-sent events."""

from __future__ import annotations

from typing import Final

import urllib3

from rave_core.errors import StoreAwayError
from rave_monitor.reader import Event
from rave_monitor.readers.http import checked_url
from rave_monitor.readers.queued_reader import QueuedReader, values_of

_CONNECT: Final = 10.0
_SILENCE: Final = 60.0
"""Seconds without a byte after which it connects again."""
_LONGEST: Final = 1 << 20


class SseReader(QueuedReader):
    """Reads a stream of server-sent events, and goes on after the last one by ``Last-Event-ID``.

    An event whose data are a JSON object is that object, any other ``{"data": text}``; its type stands in ``event``. A
    server that gives no identifiers begins anew after each connection: what it sent meanwhile is lost.
    """

    def __init__(self, *, url: str, headers: dict[str, str] | None = None) -> None:
        """Reads from ``url``; ``headers`` are sent with each request."""
        super().__init__()
        self._url, self._headers = checked_url(url), headers or {}
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=_CONNECT, read=_SILENCE))

    def receive(self) -> None:
        """Reads until the connection ends.

        Raises:
            StoreAwayError: it did not answer with 200, or the connection ended.
            HTTPError: it did not answer.
        """
        since = {"last-event-id": self.mark} if self.mark else {}
        headers = {"accept": "text/event-stream", "cache-control": "no-store", **self._headers, **since}
        answer = self._http.request("GET", self._url, headers=headers, preload_content=False)
        try:
            if answer.status != 200:
                raise StoreAwayError(f"{self._url} answered {answer.status}")
            self.arrived([], self.mark)
            parser = SseParser(self.mark)
            while not self.is_stopped:
                data = answer.read1(1 << 16)
                if not data:
                    raise StoreAwayError(f"{self._url}: the connection ended")
                events = parser.feed(data)
                if events:
                    self.arrived(events, parser.identifier)
        finally:
            answer.close()


class SseParser:
    """The events in a stream of bytes.

    Attributes:
        identifier: of the last event; ``None`` if there was none.
    """

    def __init__(self, identifier: str | None = None) -> None:
        self.identifier = identifier
        self._rest = b""
        self._fields: dict[str, str] = {}
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes.

        Raises:
            StoreAwayError: a line is longer than 1 MiB.
        """
        *lines, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > _LONGEST:
            raise StoreAwayError("a line of the stream is longer than 1 MiB")
        return [event for line in lines if (event := self._take(line.decode("utf-8", "replace"))) is not None]

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._finish()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name in ("event", "id"):
            self._fields[name] = value
        return None

    def _finish(self) -> Event | None:
        """The event that an empty line ends; one without data is none."""
        fields, data = self._fields, "\n".join(self._data)
        is_event, self._fields, self._data = bool(self._data), {}, []
        self.identifier = fields.get("id", self.identifier)
        if not is_event:
            return None
        return {**values_of(data), **({"event": fields["event"]} if "event" in fields else {})}
