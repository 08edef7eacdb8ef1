"""``http``: samples are posted as JSON."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import urllib3

from rave_core.errors import StoreAwayError
from rave_monitor.checkpoint import Sample
from rave_monitor.writer import Writer

_TIMEOUT: Final = 10.0


class HttpWriter(Writer):
    """Posts samples: ``{"samples": [{"processor", "time", "values"}]}``. Any answer but 2xx has it post them again."""

    def __init__(self, *, url: str, headers: dict[str, str] | None = None) -> None:
        """Posts to ``url``; ``headers`` are sent with each request."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url is {url!r}: expected http://… or https://…")
        self._url, self._headers = url, {"content-type": "application/json", **(headers or {})}
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def write(self, samples: list[Sample]) -> None:
        """Posts samples.

        Raises:
            StoreAwayError: they were not taken.
        """
        self._post({"samples": samples})

    def tell(self, notice: dict[str, Any]) -> None:
        """Posts what a webhook would say, unsigned.

        Raises:
            StoreAwayError: it was not taken.
        """
        self._post(notice)

    def close(self) -> None:
        """Closes its connections."""
        self._http.clear()

    def _post(self, body: dict[str, Any]) -> None:
        payload = msgspec.json.encode(body)
        try:
            answer = self._http.request("POST", self._url, body=payload, headers=self._headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise StoreAwayError(f"{self._url}: {error}") from error
        if not 200 <= answer.status < 300:
            raise StoreAwayError(f"{self._url} answered {answer.status}")
