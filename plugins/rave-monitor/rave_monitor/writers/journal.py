"""``journal``: alarms as documents with a history."""

from __future__ import annotations

from typing import Any

import msgspec

from rave_core import current_runtime
from rave_monitor.writer import Writer


class JournalWriter(Writer):
    """Keeps each alarm that names it in ``notify`` as a document: its key is the name of the alarm.

    Each firing and clearing is a version: the history of the document is that of the alarm.
    """

    def __init__(self, *, journal: str = "alarm-log") -> None:
        """Keeps them in the collection of a journal, in the documents of the settings."""
        self._collection = f"journal:{journal}"
        self._runtime = current_runtime()

    def tell(self, notice: dict[str, Any]) -> None:
        """Saves it as the next version, unless it is the newest already."""
        documents, key, payload = self._runtime.documents, notice["alarm"], msgspec.json.encode(notice)
        newest = documents.get(self._collection, key)
        if newest is not None and newest.payload == payload:
            return
        version = 0 if newest is None else newest.metadata.version
        comment = f"{notice['alarm']} {notice['state']}"
        documents.save(self._collection, key, payload, expect=version, author="rave-monitor", comment=comment)
