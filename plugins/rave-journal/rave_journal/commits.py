"""A commit: one version of a document, as Rainer's clients see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

import msgspec

from rave_core.documents import Metadata

_SIGN: Final = "\n"
"""Between an author who was authenticated and the name that they gave; no header can contain it."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a document in a journal.

    Attributes:
        key: the document.
        version: counts from 1.
        author: who made it: the principal if they were authenticated, else whoever they said they were.
        claimed_author: who an authenticated author said they were; ``None`` if nobody was authenticated.
        comment: why; may be empty.
        time: when, in Unix seconds.
        payload: its bytes; ``None`` for a tombstone, and where only the metadata was read.
        empty: whether it is a tombstone.
        sequence: the number of the commit in the store.
    """

    key: str
    version: int
    author: str
    claimed_author: str | None
    comment: str
    time: float
    payload: bytes | None = field(repr=False)
    empty: bool
    sequence: int

    @classmethod
    def of(cls, known: Metadata, payload: bytes | None = None) -> Self:
        """The commit that a store keeps."""
        author, sign, claimed = known.author.partition(_SIGN)
        return cls(
            known.key,
            known.version,
            author,
            claimed if sign else None,
            known.comment,
            known.time,
            payload,
            known.empty,
            known.sequence,
        )

    @property
    def mtime(self) -> str:
        """When it was made, in ISO 8601: UTC, with milliseconds."""
        return iso(self.time)

    def document(self) -> dict[str, Any]:
        """Its metadata, as a JSON object in Rainer's form."""
        known: dict[str, Any] = {
            "key": self.key,
            "version": self.version,
            "author": self.author,
            "comment": self.comment,
            "mtime": self.mtime,
            "empty": self.empty,
        }
        if self.claimed_author is not None:
            known["claimed_author"] = self.claimed_author
        return known


def signed(author: str, claimed: str) -> str:
    """What a store keeps as the author, for an authenticated one who claimed another name."""
    return f"{author}{_SIGN}{claimed}"


@lru_cache(1024)
def iso(time: float) -> str:
    """A time in ISO 8601: UTC, with milliseconds. A time that no calendar has is shown as the nearest it has."""
    try:
        moment = _EPOCH + timedelta(milliseconds=round(time * 1000))
    except OverflowError:
        moment = datetime.max.replace(tzinfo=UTC) if time > 0 else datetime.min.replace(tzinfo=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z".zfill(24)


def seconds_of(text: str) -> float:
    """The Unix time of a time in ISO 8601; without an offset, it is in UTC.

    Raises:
        ValueError: it is not one.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def encoded(document: Any) -> bytes:
    """A document as JSON that ends a line."""
    return msgspec.json.encode(document) + b"\r\n"
