"""``probe``: whether a URL answers."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import urllib3

from rave_core import current_runtime
from rave_core.errors import describe_error
from rave_core.expiry import parse_duration
from rave_monitor.processor import Processor

_MOST: Final = 1 << 20


class Probe(Processor):
    """Asks a URL. Its sample: ``up``, whether it answered with 2xx and the text that is wanted; ``status`` and
    ``seconds``, ``None`` without an answer; ``error``, why it is not up, else empty.
    """

    def __init__(
        self, *, url: str, contains: str = "", timeout: str = "5s", headers: dict[str, str] | None = None
    ) -> None:
        """Asks.

        Args:
            url: what is asked, with GET; redirections are not followed.
            contains: a text that has to be in the first MiB of the answer.
            timeout: how long to wait for the connection, and for each part of the answer.
            headers: sent along.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url is {url!r}: expected http://… or https://…")
        self._url, self._contains, self._headers = url, contains.encode(), headers or {}
        self._http = urllib3.PoolManager(retries=False, timeout=parse_duration(timeout))
        self._clock = current_runtime().clock

    def sample(self) -> dict[str, Any]:
        """Asks once."""
        began = self._clock.monotonic()
        try:
            with self._http.request(
                "GET", self._url, headers=self._headers, redirect=False, preload_content=False
            ) as answer:
                body = answer.read(_MOST)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return {"up": False, "status": None, "seconds": None, "error": describe_error(error)}
        wrong = self._wrong_with(answer.status, body)
        seconds = self._clock.monotonic() - began
        return {"up": not wrong, "status": answer.status, "seconds": seconds, "error": wrong}

    def _wrong_with(self, status: int, body: bytes) -> str:
        if not 200 <= status < 300:
            return f"it answered {status}"
        return "" if self._contains in body else f"the answer lacks {self._contains.decode()!r}"
