"""JSON Schema 2020-12 for people: what a schema asks for, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Schema: TypeAlias = "Mapping[str, Any] | bool"

ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "deprecated", "$schema", "$comment"})
"""Keywords that refuse nothing."""


def accepts_anything(schema: Schema) -> bool:
    """Whether a schema refuses nothing, as far as its keywords tell."""
    return schema is True or (isinstance(schema, Mapping) and ANNOTATIONS.issuperset(schema))


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that the keyword ``type`` allows; empty if it does not stand there."""
    kinds = schema.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def in_words(schema: Schema) -> str:
    """What a schema asks for, in words: ``an integer from 1 to 10``, ``a list of texts``."""
    if isinstance(schema, bool) or accepts_anything(schema):
        return "any value" if schema is not False else "nothing"
    if "enum" in schema:
        return f"one of {', '.join(map(_shown, schema['enum']))}"
    if "const" in schema:
        return _shown(schema["const"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return " or ".join(dict.fromkeys(in_words(inner) for inner in schema[keyword]))
    words = " or ".join(_WORDS[kind] for kind in types_of(schema)) or "a value"
    if "format" in schema:
        words = _FORMATS.get(schema["format"], f"a text of the format {schema['format']!r}")
    return f"{words}{_limits(schema)}{_of_items(schema)}"


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = (("from", "on", least), ("up to", "", most), ("above", "", above), ("below", "", below))
    return "".join(f" {before} {limit} {after}".rstrip() for before, after, limit in words if limit is not None)


def _of_items(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return f" of {', '.join(map(in_words, schema['prefixItems']))}"
    items = schema.get("items", True)
    return "" if accepts_anything(items) else f", each {in_words(items)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:60]}…"


_WORDS: Final = {
    "null": "nothing",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
}
_FORMATS: Final = {
    "date": "a date",
    "date-time": "a date and time",
    "email": "an email address",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "slate": "slate:NAME",
    "time": "a time of day",
    "uuid": "a UUID",
}
