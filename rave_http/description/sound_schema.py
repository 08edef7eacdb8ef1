"""Repairs the schemas of plugins, so that one broken schema does not spoil the whole document."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_ONE: Final = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_SEVERAL: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_OTHERS: Final = frozenset(
    {"const", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "maxContains"}
    | {"maxItems", "maxLength", "maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties"}
    | {"minimum", "multipleOf", "pattern", "required", "type", "uniqueItems"}
    | {"$comment", "contentEncoding", "contentMediaType", "default", "deprecated", "description", "examples"}
    | {"readOnly", "title", "writeOnly"}
)

_GONE: Final = object()


def sound(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as read from JSON, without keywords that are malformed or not expressible in JSON.

    References within it (``#/$defs/…``) are replaced by their targets, since the schema becomes a part of larger
    documents. A reference to itself accepts anything from there on; so does a reference to another document.
    """
    return _shaped(_plain(schema), ())


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a schema that JSON can express."""
    try:
        whole: dict[str, Any] = _through_json(schema)
    except (TypeError, ValueError, RecursionError):
        return {str(keyword): value for keyword, inner in schema.items() for value in _plain_values(inner)}
    return whole


def _plain_values(value: Any) -> Iterator[Any]:
    """A value as it comes out of JSON, or nothing."""
    if isinstance(value, Mapping):
        yield _plain(value)
        return
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        yield _through_json(value)


def _through_json(value: Any) -> Any:
    """A value as JSON carries it: without NaN, and with texts that UTF-8 can spell."""
    return json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())


def _shaped(schema: dict[str, Any], around: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """The keywords of a schema that are well-formed.

    Args:
        schema: as it was written.
        around: the schemas that it is part of, or that referred to it, the innermost last.
    """
    inside = (*around, schema)
    shaped: dict[str, Any] = {}
    for keyword, value in schema.items():
        found = _inner(keyword, value, inside)
        if found is not _GONE and _is_well_formed(keyword, json.dumps(found)):
            shaped[keyword] = found
    return _with_referred(shaped, schema.get("$ref"), inside)


def _inner(keyword: str, value: Any, inside: tuple[dict[str, Any], ...]) -> Any:
    """The value of a keyword, with the schemas in it made sound; `_GONE` for a keyword that is not kept."""
    if keyword in _ONE and _is_schema(value):
        return _one(value, inside)
    if keyword in _SEVERAL and isinstance(value, list):
        return [_one(each, inside) for each in value if _is_schema(each)]
    if keyword in _NAMED and isinstance(value, dict):
        return {name: _one(each, inside) for name, each in value.items() if _is_schema(each)}
    return value if keyword in _OTHERS else _GONE


def _one(value: dict[str, Any] | bool, inside: tuple[dict[str, Any], ...]) -> dict[str, Any] | bool:
    return value if isinstance(value, bool) else _shaped(value, inside)


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _with_referred(shaped: dict[str, Any], reference: Any, inside: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """A schema together with the one that it refers to."""
    target = _referred(reference, inside) if isinstance(reference, str) else None
    if target is None or any(target is each for each in inside):
        return shaped
    found = _shaped(target, inside)
    if shaped.keys().isdisjoint(found):
        return found | shaped
    return shaped | {"allOf": [*shaped.get("allOf", ()), found]}


def _referred(reference: str, inside: tuple[dict[str, Any], ...]) -> dict[str, Any] | None:
    """The schema at a JSON Pointer in the nearest of these schemas that has one there."""
    start, *steps = unquote(reference).split("/")
    if start != "#" or not steps:
        return None
    for root in reversed(inside):
        found: Any = root
        for step in steps:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if isinstance(found, dict):
            return found
    return None


@lru_cache(maxsize=4096)
def _is_well_formed(keyword: str, text: str) -> bool:
    """Whether a keyword may have the value that the JSON ``text`` holds."""
    return _metaschema().is_valid({keyword: json.loads(text)})


@cache
def _metaschema() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    # Only one format matters here: a pattern has to be a valid regex.
    return Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
