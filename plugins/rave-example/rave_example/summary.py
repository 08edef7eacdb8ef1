"""The summary of the guest book: one document, which one process at a time keeps up to date."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from queue import SimpleQueue

from rave_core import current_runtime
from rave_core.documents import Conflict, DocumentStore
from rave_core.errors import FenceError
from rave_core.leadership import Leadership
from rave_example.guest_book import COLLECTION

_PLACE = ("guestbook.summary", "all")


@dataclass(frozen=True)
class Summary:
    """How many guests there are, and who wrote last; empty if nobody did."""

    guests: int = 0
    latest: str = ""

    @classmethod
    def kept(cls, documents: DocumentStore) -> Summary:
        """The one that was saved last."""
        found = documents.get(*_PLACE)
        return cls() if found is None or found.payload is None else cls(**json.loads(found.payload))

    @classmethod
    def of(cls, documents: DocumentStore) -> Summary:
        """That of the entries as they are now."""
        heads = sorted(documents.heads(COLLECTION), key=lambda head: head.sequence)
        return cls(len(heads), heads[-1].key) if heads else cls()


class Summarizer:
    """The service: each ``rave serve`` runs one of these, and the one that leads writes."""

    def __init__(self) -> None:
        self._due = SimpleQueue[bool]()

    def start(self) -> None:
        """Runs until it is asked to end. If the store goes away, it fails, and RAVE starts it again."""
        due = self._due = SimpleQueue()
        runtime = current_runtime()
        documents = runtime.documents
        with (
            Leadership(runtime, "guestbook") as leadership,
            documents.watch(documents.sequence(), lambda _: due.put(True)),
        ):
            leadership.on_change(lambda _: due.put(True))
            while due.get():
                if leadership.is_leader:
                    _summarize(documents, leadership)

    def stop(self) -> None:
        """Asks it to end."""
        self._due.put(False)


def _summarize(documents: DocumentStore, leadership: Leadership) -> None:
    summary = Summary.of(documents)
    if summary == Summary.kept(documents):
        return
    newest = documents.get(*_PLACE)
    payload = json.dumps(asdict(summary)).encode()
    seen = 0 if newest is None else newest.metadata.version
    with suppress(Conflict, FenceError):  # another process leads by now, and writes it
        documents.save(*_PLACE, payload, expect=seen, author="guestbook", fence=leadership.fence)
