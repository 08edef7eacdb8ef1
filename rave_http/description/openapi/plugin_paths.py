"""The paths of plugins in the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rave_http.description.docstrings import prose
from rave_http.description.openapi.answers import answer, plain_problems, problems
from rave_http.description.openapi.schema_parts import TEXT
from rave_http.description.openapi.system import TAG

_FIELD: Final = re.compile(r"\{(\w+)(:path)?\}")
_PROBLEMS: Final = (400, 401, 403, 404, 429, 500, 503, 504)
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def plugin_path(
    path: str, docs: Mapping[str, str], given: Mapping[str, Any], *, has_plain_problems: bool = False
) -> tuple[str, dict[str, Any]]:
    """A path as OpenAPI writes it, and its path item.

    Args:
        path: with fields, as Falcon writes them.
        docs: the docstring of what answers each method.
        given: the plugin's own path item. What is missing in it is made from the docstrings; the problems that the
            service makes itself are added to its responses.
        has_plain_problems: whether a problem is plain text for clients that accept it.
    """
    item: dict[str, Any] = {name: each for name, each in given.items() if name.upper() not in docs}
    fields = _FIELD.findall(path)
    if fields and "parameters" not in item:
        item["parameters"] = [_parameter(name, spans=bool(spans)) for name, spans in fields]
    for method, doc in docs.items():
        own = given.get(method.lower(), {})
        answers = own.get("responses") or {"200": answer(prose(doc).returns or "The answer.", None)}
        failures = _failures(method, is_plain=has_plain_problems)
        responses = {"responses": dict(sorted({**failures, **answers}.items()))}
        item[method.lower()] = _operation(path, method, doc) | own | responses
    return _FIELD.sub(r"{\1}", path), item


def _operation(path: str, method: str, doc: str) -> dict[str, Any]:
    known = prose(doc)
    words = re.findall(r"\w+", path)
    found: dict[str, Any] = {"operationId": ".".join([method.lower(), *words]), "tags": [TAG]}
    if known.summary:
        found["summary"] = known.summary
    if method in _WITH_BODY:
        found["requestBody"] = {"content": {"application/octet-stream": {"schema": {}}}}
    return found


def _failures(method: str, *, is_plain: bool) -> dict[str, Any]:
    """The problems that the service makes of a request itself, and those that most answers may be."""
    statuses = (*_PROBLEMS, 413) if method in _WITH_BODY else _PROBLEMS
    return plain_problems(*statuses) if is_plain else dict(problems(*statuses))


def _parameter(name: str, *, spans: bool) -> dict[str, Any]:
    found = {"name": name, "in": "path", "required": True, "schema": TEXT}
    return found | ({"description": "It may hold slashes, which stand in the path as they are."} if spans else {})
