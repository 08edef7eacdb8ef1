"""A journal of a service, by its URL: the same methods as one of a store."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import requests

from rave_core.documents import Conflict
from rave_core.errors import RaveError
from rave_journal.commits import Commit, iso, seconds_of
from rave_journal.journal import Draft, check_key, is_key

_SECONDS: Final = 60.0


class JournalServiceError(RaveError):
    """A service did not do what it was asked; the message has its answer."""


class RemoteJournal:
    """The commits of the journal at a URL, such as ``http://host:8888/-/journal``. For one thread.

    Every method raises `JournalServiceError` if the service can't be reached, or refuses.
    """

    def __init__(self, url: str, api_key: str = "") -> None:
        """Sends ``api_key``, if there is one, with each request."""
        self.name = self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Cache-Control"] = "no-cache"  # what was just written is read, whichever worker answers
        if api_key:
            self._session.headers["Authorization"] = f"Bearer {api_key}"

    def place(self, key: str, version: int | None = None) -> str:
        """The URL of a commit."""
        return f"{self._url}/{quote(key, safe='')}" + ("" if version is None else f"/{version}")

    def get(self, key: str, version: int | None = None) -> Commit | None:
        """A commit with its payload, the newest one by default; ``None`` if there is none."""
        known = self._ask("GET", f"{self.place(key, version)}/meta") if is_key(key) else None
        if known is None or known.status_code == 404:
            return None
        commit = _commit(known.json())
        if commit.empty:
            return commit
        payload = self._ask("GET", self.place(key, commit.version))
        return _commit(known.json(), payload.content) if payload.status_code == 200 else None

    def heads(self, *, deleted: bool = False) -> Iterator[Commit]:
        """The newest commit of each key with its payload, in the order of keys; with ``deleted``, tombstones too."""
        found = self._ask("GET", f"{self._url}?payload_base64=yes&all={'yes' if deleted else 'no'}")
        if found.status_code == 404:
            raise JournalServiceError(f"{self._url}: there is no journal that you may see")
        for _, known in sorted(found.json().items()):
            yield _commit(known, None if known["empty"] else b64decode(known["payload_base64"]))

    def history(self, key: str) -> list[Commit]:
        """The commits of a key that are kept, newest first, without payloads."""
        found: list[Commit] = []
        version: int | None = None
        while version != 0:
            known = self._ask("GET", f"{self.place(key, version)}/meta")
            if known.status_code == 404:
                break
            found.append(_commit(known.json()))
            version = found[-1].version - 1
        return found

    def commit(self, draft: Draft) -> Commit:
        """Makes a commit; returns it without its payload.

        Raises:
            Conflict: its version is not the next one.
            InvalidDocumentError: its key can't be one.
        """
        check_key(draft.key)
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Rainer-Author": draft.author.encode(),
            "X-Rainer-Comment": " ".join(draft.comment.split()).encode(),
            "X-Rainer-Empty": "yes" if draft.payload is None else "no",
        }
        if draft.time is not None:
            headers["X-Rainer-Modified-Time"] = iso(draft.time)
        answer = self._ask("POST", self.place(draft.key, draft.version), data=draft.payload or b"", headers=headers)
        if answer.status_code == 409:
            told = answer.json()["conflict"]
            raise Conflict(self._url, draft.key, told["expectedVersion"] - 1, told["providedVersion"] - 1)
        if answer.status_code == 404:
            raise JournalServiceError(f"{self._url}: there is no journal that you may see")
        return _commit(answer.json())

    def _ask(self, method: str, url: str, **options: Any) -> requests.Response:
        """An answer of 200, 404 or 409."""
        try:
            answer = self._session.request(method, url, timeout=_SECONDS, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise JournalServiceError(f"{url} can't be reached: {type(error).__name__}") from error
        if answer.status_code not in (200, 404, 409):
            raise JournalServiceError(f"{url} answered {answer.status_code}: {answer.text.strip()[:500]}")
        return answer


def _commit(known: dict[str, Any], payload: bytes | None = None) -> Commit:
    return Commit(
        known["key"],
        known["version"],
        known["author"],
        known.get("claimed_author"),
        known["comment"],
        seconds_of(known["mtime"]),
        payload,
        known["empty"],
        0,
    )
