"""The paths of journals, as OpenAPI describes them: what the docstrings do not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

Item: TypeAlias = "dict[str, Any]"

_TEXT: Final[Item] = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"
_PROBLEM: Final = "application/problem+json"
_HTML: Final = "text/html"
_PLAIN: Final = "text/plain"
_STREAM: Final = "text/event-stream"
_VERSION: Final[Item] = {"type": "string", "pattern": "^[0-9]{1,18}$"}

_COMMIT: Final[Item] = {
    "type": "object",
    "required": ["key", "version", "author", "comment", "mtime", "empty"],
    "properties": {
        "key": _TEXT,
        "version": {"type": "integer", "minimum": 1},
        "author": _TEXT,
        "claimed_author": {**_TEXT, "description": "Who an authenticated author said they were."},
        "comment": _TEXT,
        "mtime": {"type": "string", "format": "date-time"},
        "empty": {**_FLAG, "description": "Whether it is a tombstone."},
    },
}
_LISTED: Final[Item] = {
    **_COMMIT,
    "properties": {**_COMMIT["properties"], "payload_utf8": _TEXT, "payload_base64": _TEXT},
}
_CONFLICT: Final = {
    "type": "object",
    "required": ["conflict"],
    "properties": {
        "conflict": {
            "type": "object",
            "properties": {
                "key": _TEXT,
                "expectedVersion": {"type": "integer"},
                "providedVersion": {"type": "integer"},
            },
        }
    },
}


def listing(base: str) -> Item:
    """The newest commit of each key."""
    flags = {
        "all": "Whether tombstones are in the list.",
        "payload_utf8": "Whether payloads are in it, where they are UTF-8.",
        "payload_base64": "Whether payloads are in it, in Base64.",
    }
    commits = {"type": "object", "additionalProperties": _LISTED}
    return {
        "parameters": _in_path(base),
        "get": {
            "parameters": [_parameter(name, "query", told, _FLAG) for name, told in flags.items()],
            "responses": {"200": _answer("The commits, by key.", {_JSON: commits})},
        },
    }


def commit(base: str, *, has_version: bool = False) -> Item:
    """The payload of a commit, and how to make one."""
    read = {
        "200": _answer("The payload.", {_PLAIN: _TEXT, _BYTES: {}}),
        "304": {"description": "You have it already."},
    }
    refused = _answer(
        "The version is not the next one.", {_JSON: _CONFLICT, _PROBLEM: {"$ref": "#/components/schemas/Problem"}}
    )
    made = {"200": _answer("The commit.", {_JSON: _COMMIT}), "409" if has_version else "412": refused}
    return {
        "parameters": _in_path(base, "key", *(["version"] if has_version else [])),
        "get": {"responses": read},
        "post": {"parameters": list(_of_draft(has_version=has_version)), "responses": made},
    }


def events(base: str) -> Item:
    """The commits as they happen; for who asks for no stream, the document of that name."""
    streamed: dict[str, Mapping[str, Any]] = {_STREAM: _TEXT, _PLAIN: _TEXT, _BYTES: {}}
    found = commit(base)
    last = _parameter("Last-Event-ID", "header", "After which event of the stream: its number.", _TEXT)
    responses = {"200": _answer("The commits, or the payload.", streamed), "304": found["get"]["responses"]["304"]}
    reads = {"parameters": [last], "responses": responses}
    return {"parameters": _in_path(base), "get": reads, "post": found["post"]}


def metadata(base: str, *, has_version: bool = False) -> Item:
    """What is known of a commit."""
    return {
        "parameters": _in_path(base, "key", *(["version"] if has_version else [])),
        "get": {"responses": {"200": _answer("The commit.", {_JSON: _COMMIT})}},
    }


def history(base: str) -> Item:
    """The commits of a document."""
    commits = {"type": "object", "properties": {"commits": {"type": "array", "items": _COMMIT}}}
    forms: dict[str, Mapping[str, Any]] = {_PLAIN: _TEXT, _JSON: commits, _HTML: _TEXT}
    return {
        "parameters": _in_path(base, "key"),
        "get": {"responses": {"200": _answer("The commits, the newest first.", forms)}},
    }


def difference(base: str) -> Item:
    """What changed between two versions."""
    span = {"type": "string", "pattern": r"^[0-9]{1,10}\.\.[0-9]{1,10}$"}
    parameters = [*_in_path(base, "key"), _parameter("span", "path", "Two versions, such as 3..4.", span)]
    return {
        "parameters": parameters,
        "get": {"responses": {"200": _answer("A unified diff.", {_PLAIN: _TEXT, _HTML: _TEXT})}},
    }


def _in_path(base: str, *names: str) -> list[Item]:
    known: dict[str, tuple[str, Item]] = {
        "name": ("A journal.", _TEXT),
        "key": ("A document: 1 to 255 bytes.", {"type": "string", "minLength": 1, "maxLength": 255}),
        "version": ("Which commit; they count from 1.", _VERSION),
    }
    found = ["name", *names] if "{name}" in base else names
    return [_parameter(name, "path", *known[name]) for name in found]


def _of_draft(*, has_version: bool) -> Iterable[Item]:
    """The headers of a request that makes a commit."""
    yield _parameter("X-Rainer-Author", "header", "Who makes it.", {"type": "string", "minLength": 1}) | {
        "required": True
    }
    yield _parameter("X-Rainer-Comment", "header", "Why.", _TEXT)
    told = "Whether it is a tombstone, which has no payload."
    yield _parameter("X-Rainer-Empty", "header", told, _FLAG)
    told = "When it was made, as in 2014-02-11T14:01:28.839Z; now by default."
    yield _parameter("X-Rainer-Modified-Time", "header", told, _TEXT)  # generators of clients know no time in a header
    if not has_version:
        told = 'The version that it follows, in quotes, such as "3"; needed unless If-None-Match is given.'
        yield _parameter("If-Match", "header", told, {"type": "string", "pattern": '^"[0-9]{1,18}"$'})
        yield _parameter(
            "If-None-Match",
            "header",
            "That it is the first, instead of If-Match.",
            {"type": "string", "pattern": r"^\*$"},
        )


def _parameter(name: str, where: str, told: str, schema: Mapping[str, Any]) -> Item:
    found: Item = {"name": name, "in": where, "description": told, "schema": dict(schema)}
    return found | {"required": True} if where == "path" else found


def _answer(told: str, forms: Mapping[str, Mapping[str, Any]]) -> Item:
    return {"description": told, "content": {form: {"schema": dict(schema)} for form, schema in forms.items()}}
