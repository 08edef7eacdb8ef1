"""Documents as arguments of operations: a document counts by its version, and choices come out of a document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from rave_core import current_runtime
from rave_core.converters import Converter
from rave_core.errors import nearest
from rave_journal.journal import Journal
from rave_journal.settings import JournalSettings

_PINNED: Final = re.compile(r"(.+)@([0-9]{1,9})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JournalDocument:
    """One version of a document, as an argument.

    Attributes:
        journal: the name of the journal.
        key: of the document.
        version: counts from 1.
        payload: its bytes.
    """

    journal: str
    key: str
    version: int
    payload: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The payload as text.

        Raises:
            UnicodeDecodeError: it is not UTF-8.
        """
        return self.payload.decode()

    def json(self) -> Any:
        """The payload as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.payload)

    def __str__(self) -> str:
        return f"{self.key}@{self.version}"

    def __rave_key__(self) -> tuple[object, ...]:
        """What represents it in a key: also its content, since another store may count other versions."""
        return self.journal, self.key, self.version, blake2b(self.payload, digest_size=32).hexdigest()


class JournalConverter(Converter):
    """A document of a journal: ``cfg`` is the newest version of that key, ``cfg@3`` version 3."""

    __slots__ = ("_journal", "name")
    volatile = True
    refers = True

    def __init__(self, journal: str | None = None) -> None:
        """Reads the journal of that name; the default one for ``None``."""
        self._journal = journal
        self.name = "a document" if journal is None else f"a document of {journal!r}"

    def convert(self, value: Any) -> JournalDocument:
        """The document that a text names, in the store of the current runtime; a document as it is.

        Raises:
            TypeError, ValueError: there is no such document or version, or it was deleted.
            StoreAwayError: the store can't be reached.
        """
        if isinstance(value, JournalDocument):
            return value
        if not isinstance(value, str):
            raise TypeError("expected the key of a document, such as 'cfg', or 'cfg@3' for its version 3")
        pinned = _PINNED.fullmatch(value)
        key, version = (value, None) if pinned is None else (pinned[1], int(pinned[2]))
        journal = open_journal(self._journal)
        found = journal.get(key, version)
        if found is None:
            raise ValueError(f"the journal {journal.name!r} has no document {value!r}")
        if found.payload is None:
            raise ValueError(f"{key!r} was deleted in its version {found.version}")
        return JournalDocument(journal.name, key, found.version, found.payload)

    def schema(self) -> dict[str, Any]:
        """A text."""
        return {"type": "string", "description": "The key of a document, such as cfg; cfg@3 for its version 3."}

    def written(self, value: Any) -> str | None:
        """The document with its version: ``cfg@4``."""
        return str(value) if isinstance(value, JournalDocument) else None


class JournalChoice(Converter):
    """One of the choices that a document lists."""

    __slots__ = ("_document", "_journal", "name")
    volatile = True
    refers = True

    def __init__(self, document: str, journal: str | None = None) -> None:
        """The newest version of ``document`` has the choices."""
        self._document, self._journal = document, journal
        self.name = f"one of those in the document {document!r}"

    def convert(self, value: Any) -> str:
        """The choice.

        Raises:
            TypeError, ValueError: it is none, or the document can't be read.
            StoreAwayError: the store can't be reached.
        """
        if not isinstance(value, str):
            raise TypeError("expected a text")
        choices = self.choices()
        if value not in choices:
            raise ValueError(nearest(value, choices))
        return value

    def choices(self) -> list[str]:
        """What can be chosen now, in the order of the document.

        Raises:
            ValueError: there is no such document, or it lists nothing.
            StoreAwayError: the store can't be reached.
        """
        found = open_journal(self._journal).get(self._document)
        if found is None or found.payload is None:
            raise ValueError(f"the document {self._document!r} does not exist")
        return choices_of(found.payload)

    def schema(self) -> dict[str, Any]:
        """A text."""
        return {"type": "string", "description": f"One of those in the document {self._document!r}."}


def one_of_journal(document: str, *, journal: str | None = None) -> Converter:
    """A converter for one of the choices in the newest version of a document.

    The document is a JSON array of texts, a JSON object whose names are the choices, or one choice on each line; blank
    lines, and those that start with ``#``, do not count.

    Args:
        document: its key.
        journal: the name of the journal; the default one for ``None``.
    """
    return JournalChoice(document, journal)


def document_of(journal: str) -> Converter:
    """A converter for a document of the journal of that name; ``@typemap("journal")`` is one of the default journal."""
    return JournalConverter(journal)


def choices_of(payload: bytes) -> list[str]:
    """The choices that a payload lists.

    Raises:
        ValueError: it lists none.
    """
    text = payload.decode()
    if text.lstrip()[:1] in ("[", "{"):
        found = json.loads(text)
        if not all(isinstance(each, str) for each in found):
            raise ValueError("a list of choices holds something other than texts")
        return list(found)
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def open_journal(name: str | None) -> Journal:
    """A journal in the store of the current runtime, the default one for ``None``.

    Raises:
        ValueError: the settings do not name it.
    """
    runtime = current_runtime()
    own = JournalSettings.of(runtime.settings)
    wanted = own.default if name is None else name
    if wanted not in own.journals:
        raise ValueError(f"there is no journal {wanted!r}; {nearest(wanted, own.journals)}")
    return own.journal(wanted, lambda: runtime.documents)
