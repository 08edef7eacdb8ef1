"""The paths of users: what they keep, and how they sign in."""

from __future__ import annotations

from typing import Any, Final

from rave_http.description.openapi.answers import HTML, answer, problems
from rave_http.description.openapi.kept_paths import kept_paths
from rave_http.description.openapi.saved_paths import saved_paths
from rave_http.description.openapi.schema_parts import TEXT, ref

_TAGS: Final = ["-"]
_ACCESS: Final = (400, 401, 403, 404, 500, 503)


def user_paths() -> dict[str, dict[str, Any]]:
    """The path items, by path."""
    name = {"name": "name", "in": "path", "required": True, "description": "Of the document.", "schema": _NAME}
    return {
        "/-/me": {"get": _operation("listSlates", "What the user who asks keeps.", {"200": _of("SlateList")})},
        "/-/me/{name}": {
            "parameters": [name],
            "get": _slate(),
            "put": _write("putSlate", "Replaces a document, or makes it.", "application/json"),
            "patch": _write("patchSlate", "Merges changes into a document (RFC 7396).", "application/merge-patch+json"),
            "delete": _operation("deleteSlate", "Removes a document.", {"204": answer("It is gone.", None)}, 412),
        },
        "/-/session": {
            "get": _operation("getSession", "Who asks.", {"200": answer("Who asks.", ref("SignedIn"), HTML)}, 406),
            "post": _sign_in(),
            "delete": _operation("signOut", "Ends the session.", {"200": _of("SignedIn"), **_ELSEWHERE}, 412),
        },
        **kept_paths(),
        **saved_paths(),
    }


_NAME: Final[dict[str, Any]] = {**TEXT, "pattern": r"^[^/\u0000-\u001f\u007f]{1,100}$"}
_ELSEWHERE: Final = {"303": answer("The page to go to, for a browser.", None)}


def _slate() -> dict[str, Any]:
    found = {"200": answer("The document.", {}), "304": ref("NotModified", "responses")}
    return _operation("getSlate", "A document of the user who asks.", found)


def _write(identifier: str, summary: str, kind: str) -> dict[str, Any]:
    body = {"required": True, "content": {kind: {"schema": {}}}}
    return _operation(identifier, summary, {"200": _of("SlateRecord")}, 412, 413, 415) | {"requestBody": body}


def _sign_in() -> dict[str, Any]:
    kinds = ("application/json", "application/x-www-form-urlencoded")
    body = {"required": False, "content": {kind: {"schema": ref("SignIn")} for kind in kinds}}
    found = _operation(
        "signIn", "Gives a token in a cookie for an API key.", {"200": _of("SignedIn"), **_ELSEWHERE}, 412, 413, 415
    )
    return found | {"requestBody": body}


def _of(name: str) -> dict[str, Any]:
    return answer("The document.", ref(name))


def _operation(identifier: str, summary: str, responses: dict[str, Any], *statuses: int) -> dict[str, Any]:
    found = {**responses, **problems(*_ACCESS, *statuses)}
    return {"operationId": identifier, "summary": summary, "tags": _TAGS, "responses": dict(sorted(found.items()))}
