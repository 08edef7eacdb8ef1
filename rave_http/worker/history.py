"""History: the calls whose results a user looked at last, as a document of theirs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from rave_core.clock import Clock
from rave_core.documents import Conflict, DocumentStore
from rave_core.documents.slates import SLATES
from rave_core.errors import RaveError
from rave_http.description.saved_calls import AskedCall

NAME: Final = "history"
"""The name of the document among what a user keeps."""
MOST: Final = 100
"""Calls in a history."""
_MOST_TRIES: Final = 20
_log = logging.getLogger("rave.http")


class PastCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call that a user made.

    Attributes:
        call: the call.
        at: when its result was last shown, in Unix seconds.
    """

    call: AskedCall
    at: float


class HistoryDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of a user, the last one first.

    Attributes:
        format: of the document.
        calls: each call once.
    """

    format: Literal["rave.history/1"] = "rave.history/1"
    calls: list[PastCall] = msgspec.field(default_factory=list)


class History:
    """The histories of all users. For the event loop of one worker."""

    def __init__(self, documents: Callable[[], DocumentStore], clock: Clock) -> None:
        """Keeps them in what ``documents`` gives, in the slates of the users."""
        self._documents = documents
        self._clock = clock
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, user: str, call: AskedCall) -> None:
        """Puts a call at the start of a user's history, soon. A store in trouble costs the entry and nothing else."""
        past = PastCall(call=call, at=self._clock.now())
        task = asyncio.create_task(asyncio.to_thread(self._put, user, past))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def of(self, user: str) -> list[PastCall]:
        """The calls of a user, the last one first. It waits for the store."""
        found = self._documents().get(SLATES + user, NAME)
        return [] if found is None else _read(found.payload)

    def forget(self, user: str) -> None:
        """Removes a user's history. It waits for the store."""
        self._change(user, lambda _: None)

    def _put(self, user: str, past: PastCall) -> None:
        def added(calls: list[PastCall]) -> list[PastCall]:
            return [past, *(each for each in calls if each.call != past.call)][:MOST]

        try:
            self._change(user, added)
        except (RaveError, OSError) as error:
            _log.warning("the history of %s misses a call of %s: %s", user, past.call.operation, error)

    def _change(self, user: str, change: Callable[[list[PastCall]], list[PastCall] | None]) -> None:
        store, collection = self._documents(), SLATES + user
        store.declare(collection, keep=1)
        for _ in range(_MOST_TRIES):
            found = store.get(collection, NAME)
            version, payload = (0, None) if found is None else (found.metadata.version, found.payload)
            calls = change(_read(payload))
            if calls is None and payload is None:
                return
            new = None if calls is None else msgspec.json.encode(HistoryDocument(calls=calls))
            try:
                store.save(collection, NAME, new, expect=version, author=user)
            except Conflict:
                continue  # another worker was faster
            return


def _read(payload: bytes | None) -> list[PastCall]:
    """The calls in a document; none in one that a user wrote in another form."""
    try:
        return msgspec.json.decode(payload or b"{}", type=HistoryDocument).calls
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
