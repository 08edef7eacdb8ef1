"""A prepared commit: its metadata as lines of YAML, a line of dashes, and the payload, for editors and pipes."""

from __future__ import annotations

import json
import re
from typing import Final

from rave_core.errors import RaveError
from rave_journal.journal import LAST_VERSION, Draft

_END: Final = b"---\n"
_LINE: Final = re.compile(r"(author|comment|empty|key|version):(?: (.*))?")
_PLAIN: Final = re.compile(r"[^\s\"'#&*!|>%@`{}\[\],?:-][^\x00-\x1f\"#:]*")


class PreparedError(RaveError, ValueError):
    """A text is no prepared commit; the message says which line, and what would be right."""


def prepared(draft: Draft) -> bytes:
    """A draft as a text that can be edited, and read again."""
    known = {"author": draft.author, "comment": draft.comment, "version": draft.version}
    if draft.payload is None:
        known["empty"] = "true"
    lines = [f"{name}: {_written(value)}\n" for name, value in known.items()]
    return "".join(lines).encode() + _END + (draft.payload or b"")


def read_prepared(text: bytes, *, key: str) -> Draft:
    """The draft that a text means, for a key.

    Raises:
        PreparedError: it means none.
    """
    head, dashes, payload = text.partition(b"\n" + _END)
    if not dashes:
        raise PreparedError("there is no line '---' between the metadata and the payload")
    found = dict(_pair(line) for line in _lines(head))
    version = found.get("version", "")
    if not version.isdecimal() or not 1 <= int(version) <= LAST_VERSION:
        raise PreparedError(f"version is {version!r}: expected a whole number from 1, as in 'version: 3'")
    if not found.get("author"):
        raise PreparedError("the author is missing: write one, as in 'author: ada'")
    is_empty = found.get("empty", "false").lower() in ("true", "yes")
    if is_empty and payload:
        raise PreparedError("'empty' says that there is no payload, but there is one")
    return Draft(key, int(version), None if is_empty else payload, found["author"], comment=found.get("comment", ""))


def _lines(head: bytes) -> list[str]:
    try:
        return [line for line in head.decode().splitlines() if line.strip() and not line.startswith("#")]
    except UnicodeDecodeError:
        raise PreparedError("the metadata above the line '---' is not UTF-8") from None


def _pair(line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise PreparedError(f"can't read {line!r}: expected author, comment, version or empty, as in 'comment: why'")
    return found[1], _read(found[2] or "")


def _written(value: object) -> str:
    text = str(value)
    return text if not text or _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _read(value: str) -> str:
    """A scalar of YAML on one line: plain, or in single or double quotes."""
    value = value.strip()
    if value.startswith("'") and value.endswith("'") and len(value) > 1:
        return value[1:-1].replace("''", "'")
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        raise PreparedError(f"can't read {value}: expected a text in quotes, on one line") from None
