"""The content of a ticket: where the product will be, and its progress."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import requests

from rave_http.client.credentials import whole_url
from rave_http.client.errors import BadURL, UnexpectedAnswer
from rave_http.client.progress import NO_PROGRESS, Progress
from rave_http.client.requester import retry_after
from rave_http.client.transport import read_small

READY: Final = "ready"
PRODUCTS: Final = "/-/products/"
_RETRY_AFTER: Final = 1.0


@dataclass(frozen=True, slots=True)
class TicketRecord:
    """The content of a 202 answer.

    Attributes:
        href: absolute URL of the product.
        key: of the product.
        status: in the service's words; `READY` once the product was seen.
        operation: ``namespace/operation``; may be empty.
        progress: how far it is.
        events: absolute URL of the event stream.
        retry_after: seconds after which to ask again.
    """

    href: str
    key: str = ""
    status: str = ""
    operation: str = ""
    progress: Progress = NO_PROGRESS
    events: str = ""
    retry_after: float = _RETRY_AFTER

    @classmethod
    def at(cls, url: str) -> TicketRecord:
        """The ticket for a bare URL, with nothing else known."""
        return cls(url, key=key_in(url), progress=Progress(href=url))

    @classmethod
    def of(cls, response: requests.Response) -> TicketRecord:
        """The record in an answer; reads its body.

        Raises:
            UnexpectedAnswer: it does not say where the product will be.
        """
        document = _document(read_small(response))
        place = document.get("href") or response.headers.get("Location")
        if not isinstance(place, str) or not place:
            raise UnexpectedAnswer(f"{response.url}: a ticket without the product's URL")
        try:
            href = whole_url(response.url, place)
        except BadURL as error:
            raise UnexpectedAnswer(f"{response.url}: a ticket for nowhere: {error}") from error
        pause = retry_after(response)
        return cls(
            href,
            key=_word(document, "key") or key_in(href),
            status=_word(document, "status"),
            operation=_word(document, "operation"),
            progress=Progress.of(document.get("progress"), href),
            events=_events_of(document, href),
            retry_after=_RETRY_AFTER if pause is None else pause,
        )


def key_in(url: str) -> str:
    """The key in a product's URL; empty if there is none."""
    _, found, key = urlsplit(url).path.partition(PRODUCTS)
    return unquote(key) if found else ""


def _events_of(document: Mapping[str, Any], href: str) -> str:
    """The URL of the events. A JSON ticket without the link has none; for other forms it follows from the path."""
    if document:
        links = document.get("links")
        place = links.get("events") if isinstance(links, dict) else None
        try:
            return whole_url(href, place) if isinstance(place, str) and place else ""
        except BadURL:
            return ""
    parts = urlsplit(href)
    return urlunsplit(parts._replace(path=f"{parts.path}/events")) if PRODUCTS in parts.path else ""


def _word(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _document(body: bytes) -> dict[str, Any]:
    """The ticket; empty for other forms, such as a page for a browser, since the headers are enough."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
