"""``http``: what a URL answers, asked again and again."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

import msgspec
import urllib3

from rave_core.errors import StoreAwayError
from rave_core.expiry import parse_duration
from rave_monitor.reader import Event
from rave_monitor.readers.queued_reader import QueuedReader

_TIMEOUT: Final = 10.0
_REMEMBERED: Final = 10_000


def checked_url(url: str) -> str:
    """A URL.

    Raises:
        ValueError: it is not one of HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url is {url!r}: expected http://… or https://…")
    return url


class HttpReader(QueuedReader):
    """Asks a URL each ``every``.

    A JSON object is an event. Of a JSON list, each object is one that was not in the answer before. Any other answer is
    an event ``{"text": …}``. An answer that is the same as before is none.
    """

    def __init__(self, *, url: str, every: str = "10s", headers: dict[str, str] | None = None) -> None:
        """Asks ``url``; ``headers`` are sent with each request."""
        super().__init__()
        self._url, self._every, self._headers = checked_url(url), parse_duration(every), headers or {}
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def receive(self) -> None:
        """Asks once, and waits until it has to ask again.

        Raises:
            StoreAwayError: it answered neither with 2xx nor that nothing changed.
            HTTPError: it did not answer.
        """
        before = self.mark or {"etag": "", "seen": []}
        known = {"if-none-match": before["etag"]} if before["etag"] else {}
        answer = self._http.request("GET", self._url, headers={**self._headers, **known})
        if answer.status == 304:
            self.arrived([], before)
        elif 200 <= answer.status < 300:
            events, seen = _news(answer.data, set(before["seen"]))
            self.arrived(events, {"etag": answer.headers.get("etag", ""), "seen": seen})
        else:
            raise StoreAwayError(f"{self._url} answered {answer.status}")
        self.pause(self._every)


def _news(body: bytes, seen: set[str]) -> tuple[list[Event], list[str]]:
    """The events of an answer that were not seen, and the digests of all of its events."""
    events = _events(body)
    digests = [blake2b(msgspec.json.encode(each, order="sorted"), digest_size=8).hexdigest() for each in events]
    new = dict.fromkeys(digest for digest in digests if digest not in seen)
    first = dict(zip(reversed(digests), reversed(events), strict=True))
    return [first[digest] for digest in new], digests[:_REMEMBERED]


def _events(body: bytes) -> list[Event]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return [{"text": body.decode("utf-8", "backslashreplace")}]
    if isinstance(found, list):
        return [each if isinstance(each, dict) else {"value": each} for each in found]
    return [found if isinstance(found, dict) else {"value": found}]
