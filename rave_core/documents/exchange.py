"""Documents as a stream of JSON lines: for backups, and to move them to another store.

The first line names the format, and says how many versions collections keep. Each line after it is one version, its
payload in Base64. The last line counts them, so that a stream that was cut off is noticed.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from rave_core.documents.document import Document, Metadata
from rave_core.documents.store import DocumentStore
from rave_core.errors import InvalidDocumentError

_FORMAT = "documents/1"
_END = b'{"versions":'


T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class _Head(msgspec.Struct, frozen=True):
    rave: str
    keep: dict[str, int]


class _Version(msgspec.Struct, frozen=True):
    collection: str
    key: str
    version: int
    author: str
    comment: str
    time: float
    payload: str | None


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    versions: int


def exported(store: DocumentStore) -> Iterator[bytes]:
    """The lines of everything that a store keeps, as of the moment when the first version is read."""
    yield _line(_Head(_FORMAT, store.declared()))
    count = 0
    for document in store.dump():
        known = document.metadata
        payload = None if document.payload is None else b64encode(document.payload).decode()
        yield _line(
            _Version(known.collection, known.key, known.version, known.author, known.comment, known.time, payload)
        )
        count += 1
    yield _line(_End(count))


def import_into(store: DocumentStore, lines: Iterable[bytes]) -> tuple[int, int]:
    """Restores what ``exported`` gave; returns how many versions there were, and how many of them were new.

    Raises:
        Conflict: the store has something else in the place of a version.
        InvalidDocumentError: a line is damaged, or the stream was cut off; the message says what was restored.
    """
    numbered = enumerate(lines, 1)
    head = _read(next(numbered, (1, b"")), _Head)
    if head.rave != _FORMAT:
        raise InvalidDocumentError(f"line 1 names the format {head.rave!r}: expected {_FORMAT!r}, or a later RAVE")
    for name, keep in head.keep.items():
        store.declare(name, keep=keep)
    documents = _Documents(numbered)
    new = store.restore(documents)
    if documents.announced != documents.count:
        raise InvalidDocumentError(
            f"the export was cut off after {documents.count} versions, which are restored ({new} of them were new); "
            "import the whole of it"
        )
    return documents.count, new


class _Documents:
    """The versions in a stream, and whether it was whole."""

    def __init__(self, numbered: Iterable[tuple[int, bytes]]) -> None:
        self._numbered = numbered
        self.count = 0
        self.announced: int | None = None

    def __iter__(self) -> Iterator[Document]:
        for number, line in self._numbered:
            if line.startswith(_END):
                self.announced = _read((number, line), _End).versions
                return
            document = _document(number, _read((number, line), _Version))
            self.count += 1
            yield document


def _document(number: int, found: _Version) -> Document:
    try:
        payload = None if found.payload is None else b64decode(found.payload, validate=True)
    except binascii.Error as error:
        raise InvalidDocumentError(f"line {number}: the payload is no Base64: {error}") from None
    metadata = Metadata(
        found.collection, found.key, found.version, found.author, found.comment, found.time, payload is None, 0
    )
    return Document(metadata, payload)


def _line(value: msgspec.Struct) -> bytes:
    return _encode(value) + b"\n"


def _read(numbered: tuple[int, bytes], kind: type[T]) -> T:
    number, line = numbered
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidDocumentError(
            f"line {number} is not a line of an export of documents: {error}; nothing of it or after it is restored"
        ) from None
