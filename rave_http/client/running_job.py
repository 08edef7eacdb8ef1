"""Jobs of the service, as its list shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rave_http.client.credentials import whole_url
from rave_http.client.errors import BadURL
from rave_http.client.progress import NO_PROGRESS, Progress

_WORDS: Final = ("operation", "key", "status", "user", "created", "worker", "began", "arguments")


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that makes a product.

    Attributes:
        operation: ``namespace/operation``.
        key: of the product; empty for a result that is never stored.
        status: ``queued`` or ``making``.
        progress: how far it is.
        user: who asked for it first: ``-`` for an anonymous user, empty if the service did.
        is_yours: whether you wait for it.
        created: when it was first requested, in ISO 8601.
        worker: the one that runs its body; empty while none does.
        began: when it got its place there, in ISO 8601; empty likewise.
        arguments: in a short readable form.
        href: absolute URL of the product; empty for a result that is never stored.
    """

    operation: str
    key: str = ""
    status: str = ""
    progress: Progress = NO_PROGRESS
    user: str = ""
    is_yours: bool = False
    created: str = ""
    worker: str = ""
    began: str = ""
    arguments: str = ""
    href: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any], base: str) -> RunningJob:
        """The job in a list; what is missing or odd is left out.

        Args:
            document: as the service sent it.
            base: the URL that its links are seen from.
        """
        words = {name: _text(document, name) for name in _WORDS}
        href = _href(document, base)
        is_yours = document.get("is_yours") is True
        return cls(**words, href=href, is_yours=is_yours, progress=Progress.of(document.get("progress"), href))


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _href(document: Mapping[str, Any], base: str) -> str:
    links = document.get("links")
    place = links.get("product") if isinstance(links, dict) else None
    try:
        return whole_url(base, place) if isinstance(place, str) and place else ""
    except BadURL:
        return ""
