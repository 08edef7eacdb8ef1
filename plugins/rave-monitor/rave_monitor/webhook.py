"""Webhooks: notices are posted as JSON, signed, and again until they are taken; or a writer tells them likewise.

Identifier, time and signature are those of Standard Webhooks, so its libraries verify them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from rave_core import Runtime, carry
from rave_core.errors import describe_error
from rave_monitor.checkpoint import Notice

Teller = Callable[[dict[str, Any]], None]
_log = logging.getLogger("rave.monitor")
_TIMEOUT: Final = 5.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_GIVEN_UP: Final = 86400.0
"""Seconds after which a notice that nobody takes is dropped."""


def signature(key: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: HMAC-SHA-256 of identifier, time and body."""
    signed = b".".join([identifier.encode(), str(timestamp).encode(), body])
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"


def read_key(path: Path) -> bytes:
    """The key in a file: that of a secret ``whsec_…`` of Standard Webhooks, or the text itself, without blanks around.

    Raises:
        OSError: it can't be read.
        ValueError: others may read it, or it is shorter than 16 bytes.
    """
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others: chmod 600 {path}")
    text = path.read_bytes().strip()
    key = base64.b64decode(text[6:]) if text.startswith(b"whsec_") else text
    if len(key) < 16:
        raise ValueError(f"{path} has a key of {len(key)} bytes: expected at least 16")
    return key


class WebhookSender:
    """Posts notices in a thread of its own. Safe for threads.

    A notice is posted once it is committed, and forgotten with a later commit. If this process is killed between the
    two, the next leader posts it again, under the same ``webhook-id``.

    Attributes:
        trouble: why a notice can't be delivered at present; ``None`` while all is well.
    """

    def __init__(self, runtime: Runtime, key: bytes | None) -> None:
        """Starts its thread; without a ``key``, nothing is signed. Until `use`, there are no writers."""
        self.trouble: str | None = None
        self._clock, self._key = runtime.clock, key
        self._tellers: Mapping[str, Teller] = {}
        import urllib3  # here, so that commands which send nothing do without

        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._waiting: dict[str, Notice] = {}
        self._due: dict[str, tuple[float, float]] = {}
        self._delivered: set[str] = set()
        self._lock, self._wake, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=carry(self._run), name="rave-monitor-webhooks", daemon=True)
        self._thread.start()

    def use(self, key: bytes | None, tellers: Mapping[str, Teller]) -> None:
        """From now on signs with a key, and lets writers tell what names them."""
        self._key, self._tellers = key, tellers

    def send(self, committed: list[Notice]) -> set[str]:
        """Takes the notices of the latest commit; returns the identifiers of those that are done by now."""
        with self._lock:
            self._waiting = {each.id: each for each in committed if each.id not in self._delivered}
            self._delivered &= {each.id for each in committed}
            done = set(self._delivered)
        if self._waiting:
            self._wake.set()
        return done

    def close(self) -> None:
        """Ends the thread, after what it is posting. The rest is for the next leader."""
        self._stop.set()
        self._wake.set()
        self._thread.join(_TIMEOUT + 1)
        self._http.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            now = self._clock.monotonic()
            with self._lock:
                ready = [each for each in self._waiting.values() if self._due.get(each.id, (0.0, 0.0))[0] <= now]
                self._due = {each: due for each, due in self._due.items() if each in self._waiting}
            for notice in ready:
                if self._stop.is_set():
                    return
                self._try(notice)
            self._wake.wait(0.2 if self._waiting else None)
            self._wake.clear()

    def _try(self, notice: Notice) -> None:
        error = self._post(notice) if "://" in notice.url else self._let_tell(notice)
        is_too_old = self._clock.now() - notice.time > _GIVEN_UP
        if error is None or is_too_old:
            if error is not None:
                _log.error("monitor: %s is dropped: %s", notice.id, error)
            self.trouble = None
            with self._lock:
                self._waiting.pop(notice.id, None)
                self._delivered.add(notice.id)
            return
        if self.trouble is None:
            _log.warning("monitor: can't notify of %s: %s; tries again", notice.id, error)
        self.trouble = error
        pause = min(self._due.get(notice.id, (0.0, _FIRST_PAUSE / 2))[1] * 2, _LONGEST_PAUSE)
        self._due[notice.id] = (self._clock.monotonic() + pause, pause)

    def _let_tell(self, notice: Notice) -> str | None:
        """Has a writer tell a notice; returns why it could not."""
        tell = self._tellers.get(notice.url)
        if tell is None:
            return f"there is no writer {notice.url!r} any more"
        try:
            tell(notice.body)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
            return f"writer {notice.url}: {describe_error(error)}"
        return None

    def _post(self, notice: Notice) -> str | None:
        """Posts a notice; returns why it was not taken, ``None`` if it was."""
        from urllib3.exceptions import HTTPError

        body, timestamp = msgspec.json.encode(notice.body), int(self._clock.now())
        headers = {"content-type": "application/json", "webhook-id": notice.id, "webhook-timestamp": str(timestamp)}
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, notice.id, timestamp, body)
        try:
            answer = self._http.request("POST", notice.url, body=body, headers=headers, redirect=False)
        except (HTTPError, OSError, ValueError) as error:
            return f"{notice.url}: {describe_error(error)}"
        return None if 200 <= answer.status < 300 else f"{notice.url} answered {answer.status}"
