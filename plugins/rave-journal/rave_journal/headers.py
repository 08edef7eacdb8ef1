"""The headers ``X-Rainer-*``: what a request says of a commit, and what an answer says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from rave_core.errors import RaveError
from rave_journal.commits import Commit, seconds_of
from rave_journal.journal import Draft

RawHeaders: TypeAlias = "Mapping[str, str]"
"""By name in lower case, as they came: each character is one byte."""

YES: Final = "Yes"
NO: Final = "No"
_TRUE: Final = frozenset({"yes", "true", "1"})
_FALSE: Final = frozenset({"no", "false", "0"})
_LONGEST: Final = 2000
"""Characters of an author or a comment in a header of an answer."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class HeaderError(RaveError, ValueError):
    """A header of a commit is missing, or can't be read; the message is for the client."""


def flag_of(text: str) -> bool:
    """What a yes or no means, in any case.

    Raises:
        ValueError: it is neither.
    """
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("should be boolean")
    return word in _TRUE


def draft_of(headers: RawHeaders, body: bytes, *, key: str, version: int, principal: str | None) -> Draft:
    """The commit that a request asks for.

    Args:
        headers: of the request.
        body: the payload.
        key, version: of the URL, which the headers must not contradict.
        principal: who asks; ``None`` if nobody authenticated them.

    Raises:
        HeaderError: a header is missing, or contradicts the rest.
    """
    author = _text(headers, "X-Rainer-Author")
    if not author:
        raise HeaderError("Missing header: X-Rainer-Author")
    _check_equal(headers, "X-Rainer-Key", key)
    _check_equal(headers, "X-Rainer-Version", str(version))
    if _is_empty(headers) and body:
        raise HeaderError("Malformed header: X-Rainer-Empty says that there is no payload, but there is one")
    payload = None if _is_empty(headers) else body
    return Draft(key, version, payload, author, principal, _text(headers, "X-Rainer-Comment"), _time(headers))


def headers_of(commit: Commit) -> list[tuple[str, str]]:
    """What an answer says of a commit. Texts are in UTF-8, one character for each byte, on one line."""
    found = [
        ("X-Rainer-Key", _line(commit.key)),
        ("X-Rainer-Version", str(commit.version)),
        ("X-Rainer-Author", _line(commit.author)),
        ("X-Rainer-Comment", _line(commit.comment)),
        ("X-Rainer-Modified-Time", commit.mtime),
        ("X-Rainer-Empty", YES if commit.empty else NO),
    ]
    if commit.claimed_author is not None:
        found.append(("X-Rainer-Claimed-Author", _line(commit.claimed_author)))
    return found


def _text(headers: RawHeaders, name: str) -> str:
    """The text of a header: UTF-8 where it is, as some clients send it, else Latin-1; empty if it is missing."""
    raw = headers.get(name.lower(), "").encode("latin-1")
    try:
        return raw.decode().strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()


def _check_equal(headers: RawHeaders, name: str, wanted: str) -> None:
    given = _text(headers, name)
    if given and given != wanted:
        raise HeaderError(f"Malformed header: {name} is {given!r}, and the URL says {wanted!r}")


def _is_empty(headers: RawHeaders) -> bool:
    text = _text(headers, "X-Rainer-Empty")
    try:
        return bool(text) and flag_of(text)
    except ValueError as error:
        raise HeaderError(f"Malformed header: X-Rainer-Empty {error}") from None


def _time(headers: RawHeaders) -> float | None:
    text = _text(headers, "X-Rainer-Modified-Time")
    try:
        return seconds_of(text) if text else None
    except (ValueError, OverflowError):
        raise HeaderError(
            f"Malformed header: X-Rainer-Modified-Time is {text!r}, expected a time such as 2014-02-11T14:01:28.839Z"
        ) from None


@lru_cache(256)  # the same few heads are read again and again
def _line(text: str) -> str:
    """A text as the value of a header, which has no line ends and is not too long for clients."""
    return _CONTROL.sub(" ", text)[:_LONGEST].strip().encode().decode("latin-1")
