"""The paths of documents that users save and share."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rave_http.description.dashboards import Dashboard
from rave_http.description.openapi.answers import answer, problems
from rave_http.description.openapi.schema_parts import TEXT, TEXTS, TIME, record, ref
from rave_http.description.saved_calls import SavedCall

_STATUSES: Final = (400, 401, 403, 404, 500, 503)
_NAME: Final[dict[str, Any]] = {**TEXT, "pattern": r"^[^/?#\u0000-\u001f\u007f]{1,100}$"}
_VERSION: Final[dict[str, Any]] = {
    "name": "version",
    "in": "query",
    "description": "An earlier one.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
}
_KINDS: Final = (("calls", "Call", "SavedCall"), ("dashboards", "Dashboard", "Dashboard"))
"""The last part of the path, the word in names of operations, and the schema."""


def _for_generators(schema: Any) -> Any:
    """A schema without ``items: false``, which generators of clients refuse; ``maxItems`` says the same."""
    if isinstance(schema, dict):
        return {name: _for_generators(part) for name, part in schema.items() if (name, part) != ("items", False)}
    return [_for_generators(part) for part in schema] if isinstance(schema, list) else schema


_MADE: Final = msgspec.json.schema_components((SavedCall, Dashboard), ref_template="#/components/schemas/{name}")[1]
SAVED_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    **{
        name: _for_generators(schema) | {"description": schema["description"].partition("\n")[0]}
        for name, schema in _MADE.items()
    },
    "SavedList": record("Documents, without content.", {"documents": {"type": "array", "items": ref("SavedRecord")}}),
    "SavedRecord": record(
        "A document, without content.",
        {
            "owner": TEXT,
            "name": TEXT,
            "title": TEXT,
            "shared": TEXTS,
            "etag": {**TEXT, "description": "Of the newest version."},
            "by": {**TEXT, "description": "Who saved that."},
            "modified": TIME,
        },
    ),
    "FrozenList": record(
        "What was frozen of a dashboard.", {"frozen": {"type": "array", "items": ref("FrozenRecord")}}
    ),
    "FrozenRecord": record("A frozen dashboard.", {"as_of": TEXT, "by": TEXT, "frozen": TIME}),
}


def saved_paths() -> dict[str, dict[str, Any]]:
    """The path items, by path."""
    return {path: item for kind in _KINDS for path, item in _paths(*kind).items()} | _frozen_paths()


def _frozen_paths() -> dict[str, dict[str, Any]]:
    """The paths of what was frozen of a dashboard."""
    listed = {"200": answer("They.", ref("FrozenList"))}
    one = _path("as_of", "By which the page is asked for.", {**TEXT, "pattern": "^[0-9a-f]{12}$"})
    return {
        "/-/dashboards/{owner}/{name}/frozen": {
            "parameters": _NAMES,
            "get": _operation("listFrozen", "What was frozen of a dashboard, the newest first.", listed),
        },
        "/-/dashboards/{owner}/{name}/frozen/{as_of}": {
            "parameters": [*_NAMES, one],
            "delete": _operation("deleteFrozen", "Removes it.", {"204": answer("It is gone.", None)}),
        },
    }


def _paths(part: str, word: str, schema: str) -> dict[str, dict[str, Any]]:
    found = {"200": answer("The document.", ref(schema)), "304": ref("NotModified", "responses")}
    saved = {"200": answer("What is saved.", ref("SavedRecord"))}
    body = {"required": True, "content": {"application/json": {"schema": ref(schema)}}}
    get = _operation(f"get{word}", "A document.", found) | {"parameters": [_VERSION]}
    return {
        f"/-/{part}": {
            "get": _operation(f"list{word}s", "Those that one may see.", {"200": answer("They.", ref("SavedList"))})
        },
        f"/-/{part}/{{owner}}/{{name}}": {
            "parameters": _NAMES,
            "get": get,
            "put": _operation(f"put{word}", "Saves a document.", saved, 412, 413, 415) | {"requestBody": body},
            "delete": _operation(f"delete{word}", "Removes a document.", {"204": answer("It is gone.", None)}, 412),
        },
    }


def _path(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _operation(identifier: str, summary: str, responses: dict[str, Any], *statuses: int) -> dict[str, Any]:
    found = {**responses, **problems(*_STATUSES, *statuses)}
    return {"operationId": identifier, "summary": summary, "tags": ["-"], "responses": dict(sorted(found.items()))}


_NAMES: Final = [
    _path("owner", "The user whose it is.", {**TEXT, "minLength": 1}),
    _path("name", "Of the document.", _NAME),
]
