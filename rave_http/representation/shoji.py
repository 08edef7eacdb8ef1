"""Shoji: the catalog as documents that link to each other, for clients that follow names rather than build URLs.

Catalogs are objects from names to references, entities are arrays of references, and templates are those of RFC 6570.
References are relative to ``self``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

FORM: Final = "shoji"
MEDIA_TYPE: Final = "application/shoji+json"


def root_catalog(place: str, namespaces: Iterable[str], *, base: str, updated: str | None) -> dict[str, Any]:
    """The catalog of the service.

    Args:
        place: its own URL.
        namespaces: those that the client may see.
        updated: when the latest code of theirs was loaded; ``None`` if there is none.
        base: the prefix of every URL.
    """
    return {
        "element": "shoji:catalog",
        "self": place,
        "title": "RAVE",
        **_updated(updated),
        "description": "The namespaces of this service.",
        "catalogs": {
            **{name: f"{base}/{quote(name)}" for name in sorted(namespaces)},
            "operations by text": f"{base}/-/ops{{?text,tag}}",
        },
        "views": {"openapi": f"{base}/-/openapi.json"},
    }


def operation_catalog(
    place: str,
    title: str,
    listing: Mapping[str, Any],
    *,
    base: str,
    asked: Mapping[str, str],
    updated: str | None,
) -> dict[str, Any]:
    """Some operations: ``entities`` has the reference of each, and ``catalogs`` that of the next page, if there is one.

    Args:
        place: its own URL.
        title: what they are.
        listing: the operations, as JSON has them.
        base: the prefix of every URL.
        asked: the parameters of the request.
        updated: when the latest of their code was loaded; ``None`` if there is none.
    """
    catalogs = {"operations by text": f"{base}/-/ops{{?text,tag}}"}
    if listing["next"] is not None:
        catalogs["next"] = f"?{urlencode({**asked, 'cursor': listing['next']})}"
    return {
        "element": "shoji:catalog",
        "self": place,
        "title": title,
        **_updated(updated),
        "entities": [operation["links"]["self"] for operation in listing["operations"]],
        "catalogs": catalogs,
    }


def operation_entity(place: str, description: Mapping[str, Any], *, updated: str | None) -> dict[str, Any]:
    """An operation; ``run`` is the template of the URL of its results.

    Args:
        place: its own URL.
        description: what a client gets as JSON.
        updated: when its code was loaded.
    """
    names = ",".join(quote(name, safe="") for name in description["parameters"]["properties"])
    return {
        "element": "shoji:entity",
        "self": place,
        "title": description["name"],
        **_updated(updated),
        "description": description["summary"],
        "body": {
            "doc": description["doc"],
            "parameters": description["parameters"],
            "mime_type": description["mime_type"],
            "version": description["version"],
            "run": description["links"]["run"] + (f"{{?{names}}}" if names else ""),
        },
    }


def _updated(moment: str | None) -> dict[str, str]:
    return {} if moment is None else {"updated": moment}
