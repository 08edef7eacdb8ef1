"""Documents as JSON in UTF-8, even where a text has no UTF-8: names of files and docstrings come from anywhere."""

from __future__ import annotations

from typing import Any

import msgspec


def to_json(document: Any) -> bytes:
    """A document as JSON. Each half of a surrogate pair in its texts, which UTF-8 has no form for, becomes ``?``.

    Raises:
        TypeError: JSON has no form for something in it.
    """
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_sound(msgspec.to_builtins(document)))


def to_utf8(text: str) -> bytes:
    """A text as UTF-8, with ``?`` for each half of a surrogate pair."""
    return text.encode("utf-8", "replace")


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return to_utf8(value).decode()
    if isinstance(value, dict):
        return {_sound(name): _sound(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_sound(each) for each in value]
    return value
