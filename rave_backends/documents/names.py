"""What a document may be called, and what it may hold."""

from __future__ import annotations

import math
from typing import Final

from rave_core.errors import InvalidDocumentError
from rave_core.text.humanize import size

LONGEST_NAME: Final = 512
LONGEST_COMMENT: Final = 64 << 10
MOST_VERSIONS: Final = 2**31 - 1


def check_name(kind: str, name: str) -> None:
    """Refuses what can't be the name of a collection, a key, an author or a leadership.

    Raises:
        InvalidDocumentError: it is empty, too long, or no text that every database keeps.
    """
    check_text(kind, name, LONGEST_NAME)
    if not name:
        raise InvalidDocumentError(f"the {kind} is empty: expected a text of 1 to {LONGEST_NAME} bytes")


def check_text(kind: str, text: str, longest: int) -> None:
    """Refuses a text that is too long, or that some database does not keep.

    Raises:
        InvalidDocumentError: it is.
    """
    if not isinstance(text, str):
        raise InvalidDocumentError(f"the {kind} is {text!r}: expected a text")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidDocumentError(
            f"the {kind} {text!r} has half of a surrogate pair: expected valid Unicode"
        ) from None
    if length > longest or "\0" in text:
        raise InvalidDocumentError(
            f"the {kind} {text[:40]!r} has {length} bytes or a NUL: expected at most {longest} bytes, and no NUL"
        )


def check_payload(collection: str, key: str, payload: bytes | None, most: int) -> None:
    """Refuses a payload that is too large, or no bytes.

    Raises:
        InvalidDocumentError: it is.
    """
    if payload is None:
        return
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise InvalidDocumentError(
            f"the payload of {key!r} in {collection!r} is of type {type(payload).__name__}: expected bytes, or None"
        )
    length = memoryview(payload).nbytes
    if length > most:
        raise InvalidDocumentError(
            f"the payload of {key!r} in {collection!r} has {size(length)}, and the store takes {size(most)} at most: "
            "keep large data as a product, or raise the limit with '?max_payload=…' in the setting 'documents'"
        )


def check_time(time: float) -> None:
    """Refuses what is no time.

    Raises:
        InvalidDocumentError: it is infinite or not a number.
    """
    if not math.isfinite(time):
        raise InvalidDocumentError(f"the time is {time}: expected Unix seconds")


def check_number(kind: str, number: int, least: int, most: int = MOST_VERSIONS) -> None:
    """Refuses a number out of its range.

    Raises:
        InvalidDocumentError: it is, or is no whole number.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise InvalidDocumentError(f"{kind} is {number!r}: expected a whole number from {least} to {most}")
