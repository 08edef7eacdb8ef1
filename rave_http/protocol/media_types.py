"""Media types and their short names, for the parameter ``rave.f``."""

from __future__ import annotations

from typing import Final

from rave_core.storage.written import suffix_of

_NAMES: Final = {
    "application/octet-stream": "bin",
    "application/vnd.apache.arrow.file": "arrow-file",
    "application/vnd.apache.arrow.stream": "arrow",
    "text/plain": "text",
}
_NAMELESS: Final = ".bin"


def kind_of(media_type: str) -> str:
    """A media type without its parameters, in small letters."""
    return media_type.partition(";")[0].strip().lower()


def short_name(media_type: str) -> str:
    """The short name of a media type: the usual one, else that of its file suffix, else the part after the slash."""
    kind = kind_of(media_type)
    if kind in _NAMES:
        return _NAMES[kind]
    suffix = suffix_of(kind)
    return suffix.removeprefix(".") if suffix != _NAMELESS else kind.partition("/")[2] or kind
