"""The paths of kept results."""

from __future__ import annotations

from typing import Any, Final

from rave_http.description.openapi.answers import HTML, answer, problems
from rave_http.description.openapi.schema_parts import TEXT, ref

_STATUSES: Final = (400, 401, 403, 404, 500, 503)
_KINDS: Final = ("application/json", "application/x-www-form-urlencoded")


def kept_paths() -> dict[str, dict[str, Any]]:
    """The path items, by path."""
    name = {"name": "name", "in": "path", "required": True, "description": "The 'id' of a kept result.", "schema": TEXT}
    page = {"303": answer("The page to go to, for a browser.", None)}
    found = {"200": answer("They.", ref("KeptList"), HTML)}
    gone = {"204": answer("It is not kept any more.", None), **page}
    keep = _operation("keepResult", "Keeps a result as it is.", {"200": answer("It.", ref("KeptResult")), **page}, 409)
    there = {"302": answer("Its product.", None), **page}
    return {
        "/-/compare": {"get": _comparison()},
        "/-/kept": {
            "get": _operation("listKept", "The kept results.", found),
            "post": keep
            | {"requestBody": {"required": True, "content": {kind: {"schema": ref("KeepRequest")} for kind in _KINDS}}},
        },
        "/-/kept/{name}": {
            "parameters": [name],
            "get": _operation("getKept", "Where a kept result is.", there),
            "delete": _operation("removeKept", "Keeps a result no longer.", gone),
            "post": _operation("removeKeptByForm", "The same, for a form.", gone),
        },
    }


def _comparison() -> dict[str, Any]:
    texts = {"type": "array", "items": TEXT}
    asked = [
        ("a", True, "The key of a product, or the ID of a kept result.", TEXT),
        ("b", True, "Another one.", TEXT),
        ("by", False, "Columns that identify a row.", texts),
    ]
    parameters = [
        {"name": name, "in": "query", "required": is_required, "description": words, "schema": schema}
        for name, is_required, words, schema in asked
    ]
    found = {"200": answer("What differs.", ref("Comparison"), HTML)}
    return _operation("compareResults", "Compares two products.", found, 409, 410, 422, 504) | {
        "parameters": parameters
    }


def _operation(identifier: str, summary: str, responses: dict[str, Any], *statuses: int) -> dict[str, Any]:
    found = {**responses, **problems(*_STATUSES, 412, 413, 415, *statuses)}
    return {"operationId": identifier, "summary": summary, "tags": ["-"], "responses": dict(sorted(found.items()))}
