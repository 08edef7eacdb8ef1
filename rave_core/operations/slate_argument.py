"""Slates as arguments: ``slate:NAME`` is what the user who asks keeps under that name, at the time of the call."""

from __future__ import annotations

import json
from typing import Any, Final

from rave_core.converters import Converter
from rave_core.converters.named import to_json
from rave_core.documents.slates import SLATES, asker, is_slate_name
from rave_core.engine.context import current
from rave_core.runtime.runtime import current_runtime

_SIGN: Final = "slate:"
_BRANCHES: Final = ("object", "array", "number", "boolean", "null")


class SlateConverter(Converter):
    """JSON, or the name of a slate, which stands for the JSON in it. The name never is a part of the call."""

    __slots__ = ()
    name = "slate:NAME or JSON"
    takes_none = True
    volatile = True
    refers = True

    def convert(self, value: Any) -> Any:
        """The content of the slate that ``slate:NAME`` names; the value of any other JSON text; other values as JSON.

        Raises:
            TypeError, ValueError: there is no such slate, nobody asks, or it is no JSON.
            StoreAwayError: the store can't be reached.
        """
        found = value if _is_reference(value) else _json(value)
        return _content(found.removeprefix(_SIGN)) if _is_reference(found) else found

    def schema(self) -> dict[str, Any]:
        """A text that names a slate or is JSON, or any other value."""
        text = {"type": "string", "format": "slate"}
        return {"anyOf": [text, *({"type": kind} for kind in _BRANCHES)], "examples": ["slate:settings"]}

    def written(self, value: Any) -> str:
        """The content, as JSON: what a slate holds may be another tomorrow, and belongs to one user."""
        return json.dumps(value, separators=(",", ":"))


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_SIGN)


def _json(value: Any) -> Any:
    try:
        return to_json(value)
    except ValueError as error:
        raise ValueError(f"it is neither slate:NAME nor JSON ({error})") from error


def _content(name: str) -> Any:
    """What the user who asks keeps under a name.

    Raises:
        ValueError: nobody asks, or they keep nothing under it.
    """
    context, user = current.get(), asker()
    if context is not None and context.is_computing:
        raise ValueError("a body has no user; let it take what the slate holds as an argument")
    if user is None:
        raise ValueError("nobody is signed in whose slate it could be; sign in, or send an API key")
    found = current_runtime().documents.get(SLATES + user, name) if is_slate_name(name) else None
    if found is None or found.payload is None:
        raise ValueError(f"you keep nothing under the name {name[:100]!r}")
    content = to_json(found.payload.decode())
    if _is_reference(content):
        raise ValueError(f"what you keep under the name {name!r} is itself the name of a slate; keep its content there")
    return content
