"""Responses and their headers: defined once and referenced wherever they occur."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from rave_http.description.openapi.schema_parts import TEXT, ref
from rave_http.protocol.problems import MEDIA_TYPE, PROBLEMS

JSON: Final = "application/json"
HTML: Final = "text/html"
_PLAIN: Final = "text/plain"

HEADERS: Final[dict[str, dict[str, Any]]] = {
    name: {"description": description, "schema": {"type": kind}}
    for name, kind, description in (
        ("Accept-Ranges", "string", "That one range of bytes can be asked for."),
        ("Allow", "string", "The methods that apply here."),
        ("Cache-Control", "string", "How long the answer is good for others."),
        ("Cache-Status", "string", "Whether the product was stored, or had to be made (RFC 9211)."),
        ("Content-Range", "string", "Which bytes these are, or how many there are."),
        ("ETag", "string", "A strong validator: the digest of these bytes."),
        ("Last-Modified", "string", "When the product was made."),
        ("Location", "string", "The URL of the product."),
        ("Preference-Applied", "string", "The preferences that had an effect (RFC 7240)."),
        ("Retry-After", "integer", "Seconds after which to ask again."),
        ("Vary", "string", "The headers of the request that the answer depends on."),
        ("WWW-Authenticate", "string", "How to show who one is."),
        ("X-Request-ID", "string", "The name of this request in the log of the service."),
    )
}

_PROBLEM_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    416: ("Content-Range",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "text/event-stream": {"type": "object"},
    "application/shoji+json": {"type": "object"},
}
"""The schemas of media types that are no texts; that of a stream is the schema of one event."""
_KEY: Final = {"key": "$response.body#/key"}
_LINKS: Final = {
    "events": {"operationId": "watchProduct", "parameters": _KEY, "description": "How far it is."},
    "meta": {"operationId": "getProductMeta", "parameters": _KEY, "description": "What is known of it."},
    "job": {"operationId": "cancelJob", "parameters": _KEY, "description": "The job that makes it."},
    "product": {"operationId": "getProduct", "parameters": _KEY, "description": "The product itself."},
}
PRODUCT_HEADERS: Final = ("ETag", "Last-Modified", "Cache-Control", "Cache-Status", "Preference-Applied", "Vary")


def responses() -> dict[str, dict[str, Any]]:
    """The components that the functions of this module refer to."""
    ticket = _content({JSON: ref("Ticket"), "text/uri-list": {"type": "string"}, HTML: {"type": "string"}})
    return {
        "Ticket": {
            "links": _LINKS,
            "description": "The product is being made, and will be where the ticket says.",
            "headers": _headers(("Location", "Retry-After", "Cache-Control", "Cache-Status", "Preference-Applied")),
            "content": ticket,
        },
        "SeeProduct": {
            "links": _LINKS,
            "description": "The product is where the ticket says; it was asked for with 'return=minimal'.",
            "headers": _headers(("Location", "Cache-Control", "Cache-Status", "Preference-Applied")),
            "content": ticket,
        },
        "NotModified": {
            "description": "The client has this very product already.",
            "headers": _headers(("ETag", "Last-Modified", "Cache-Control", "Cache-Status", "Vary")),
        },
        **{f"Problem{status}": _problem(status) for status in sorted({kind.status for kind in PROBLEMS.values()})},
    }


def problems(*statuses: int) -> dict[str, dict[str, str]]:
    """The problems of these statuses, by status."""
    return {str(status): ref(f"Problem{status}", "responses") for status in sorted(statuses)}


def plain_problems(*statuses: int) -> dict[str, dict[str, Any]]:
    """The problems of these statuses, by status, where a problem is plain text unless a client wants more."""
    return {str(status): _problem(status, _PLAIN) for status in sorted(statuses)}


def product(description: str, media_types: Iterable[str]) -> dict[str, Any]:
    """A product in one of these media types."""
    headers = _headers((*PRODUCT_HEADERS, "Accept-Ranges"))
    return {"description": description, "headers": headers, "content": _products(media_types)}


def part(media_types: Iterable[str]) -> dict[str, Any]:
    """A range of a product in one of these media types."""
    headers = _headers((*PRODUCT_HEADERS, "Content-Range"))
    return {
        "description": "The range that was asked for.",
        "headers": headers,
        "content": _products(media_types, is_part=True),
    }


def answer(description: str, schema: Mapping[str, Any] | None, *others: str) -> dict[str, Any]:
    """A JSON document, or nothing without one; ``others`` are further media types of it."""
    found: dict[str, Any] = {"description": description, "headers": _headers(("Cache-Control", "X-Request-ID"))}
    if schema is not None or others:
        documents = {} if schema is None else {JSON: dict(schema)}
        found["content"] = _content(documents | {other: _SCHEMAS.get(other, {"type": "string"}) for other in others})
    return found


def _problem(status: int, *others: str) -> dict[str, Any]:
    titles = sorted(kind.title for kind in PROBLEMS.values() if kind.status == status)
    return {
        "description": f"{HTTPStatus(status).phrase}: {'; '.join(titles)}.",
        "headers": _headers((*_PROBLEM_HEADERS.get(status, ()), "Cache-Control", "X-Request-ID")),
        "content": _content({MEDIA_TYPE: ref("Problem"), HTML: {"type": "string"}} | dict.fromkeys(others, TEXT)),
    }


def _products(media_types: Iterable[str], *, is_part: bool = False) -> dict[str, Any]:
    # A part of a JSON document is not JSON; bytes have no schema in OpenAPI 3.1.
    return {name: {"schema": {}} if name == JSON and not is_part else {} for name in media_types}


def _content(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {"schema": dict(schema)} for name, schema in schemas.items()}


def _headers(names: Iterable[str]) -> dict[str, dict[str, str]]:
    return {name: ref(name, "headers") for name in sorted(names)}
