"""Webhooks: notices are posted as JSON, signed, and again until they are taken; or a writer tells them likewise.

Identifier, time and signature are those of Standard Webhooks, so its libraries verify them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from rave_core import Runtime
from rave_core.errors import describe_error
from rave_monitor.checkpoint import Notice
from rave_monitor.target import Target

Teller = Callable[[dict[str, Any]], None]
_TIMEOUT: Final = 5.0


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
    """Delivers notices, each target's in a thread of its own. One thread uses it, any thread may ask for `trouble`.

    A notice is posted once it is committed, and forgotten with a later commit. If this process is killed between the
    two, the next leader posts it again, under the same ``webhook-id``.
    """

    def __init__(self, runtime: Runtime, key: bytes | None) -> None:
        """Without a ``key``, nothing is signed. Until `use`, there are no writers."""
        self._runtime, self._clock, self._key = runtime, runtime.clock, key
        self._tellers: Mapping[str, Teller] = {}
        import urllib3  # here, so that commands which send nothing do without

        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._targets: dict[str, Target] = {}

    @property
    def trouble(self) -> str | None:
        """Why notices can't be delivered at present; ``None`` while all is well."""
        found = (each.trouble for each in self._targets.copy().values())
        return "; ".join(filter(None, found)) or None

    def use(self, key: bytes | None, tellers: Mapping[str, Teller]) -> None:
        """From now on signs with a key, and lets writers tell what names them."""
        self._key, self._tellers = key, tellers

    def send(self, committed: list[Notice]) -> set[str]:
        """Takes the notices of the latest commit; returns the identifiers of those that are done by now."""
        groups: dict[str, list[Notice]] = {}
        for notice in committed:
            groups.setdefault(notice.url, []).append(notice)
        for name in self._targets.keys() - groups.keys():
            self._targets.pop(name).stop()
        done = set[str]()
        for name, notices in groups.items():
            if name not in self._targets:
                self._targets[name] = Target(name, self._deliver, self._runtime)
            done |= self._targets[name].send(notices)
        return done

    def close(self) -> set[str]:
        """Ends the threads, after what they are delivering; returns the identifiers of what is done.

        The rest is for the next leader.
        """
        for each in self._targets.values():
            each.stop()
        until = self._clock.monotonic() + _TIMEOUT + 1
        done = set[str]()
        for each in self._targets.values():
            done |= each.join(max(until - self._clock.monotonic(), 0.0))
        self._http.clear()
        return done

    def _deliver(self, notice: Notice) -> str | None:
        """Posts a notice, or has a writer tell it; returns why it was not taken, ``None`` if it was."""
        return self._post(notice) if "://" in notice.url else self._let_tell(notice)

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
