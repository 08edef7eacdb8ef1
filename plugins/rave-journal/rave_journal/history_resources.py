"""What answers for people: the history of a document, and what changed between two versions."""

from __future__ import annotations

import re
from typing import Final

from falcon.asgi import Request, Response

from rave_journal.answers import TEXT, send_document
from rave_journal.histories import STYLE, diff_page, diff_text, log_page, log_text
from rave_journal.resources import JournalDesk

_SPAN: Final = re.compile(r"([0-9]{1,10})\.\.([0-9]{1,10})")
_HTML: Final = "text/html"
_JSON: Final = "application/json"


class CommitLog:
    """The history of a document."""

    def __init__(self, desk: JournalDesk) -> None:
        self._desk = desk

    async def on_get(self, req: Request, resp: Response, key: str, name: str | None = None) -> None:
        """The commits of a document, newest first: as text, as JSON, or as a page."""
        journal = self._desk.journal(name)
        history = await self._desk.apart(lambda: journal.history(key))
        if not history:
            raise self._desk.context.Problem("not-found", "Key not found")
        form = self._desk.context.prefers(req, "text/plain", _JSON, _HTML)
        if form == _JSON:
            send_document(resp, {"commits": [commit.document() for commit in history]})
        elif form == _HTML:
            place = self._desk.context.links.to(f"/-/{journal.collection}")
            self._desk.context.send_page(resp, f"History of {key}", log_page(key, history, place))
        else:
            _send_text(resp, log_text(history))


class CommitDifference:
    """What changed between two versions of a document."""

    def __init__(self, desk: JournalDesk) -> None:
        self._desk = desk

    async def on_get(self, req: Request, resp: Response, key: str, span: str, name: str | None = None) -> None:
        """What changed between two versions, such as ``3..4``, as a unified diff or as a page."""
        context, journal = self._desk.context, self._desk.journal(name)
        found = _SPAN.fullmatch(span)
        if found is None:
            raise context.Problem(
                "bad-request", f"Invalid versions {span[:40]!r} (should be two numbers, such as 3..4)"
            )
        old, _ = await self._desk.found(req, journal, key, found[1])
        new, _ = await self._desk.found(req, journal, key, found[2])
        if context.prefers(req, "text/plain", _HTML) == _HTML:
            title = f"Changes of {key} from {old.version} to {new.version}"
            context.send_page(resp, title, diff_page(old, new), style=STYLE)
        else:
            _send_text(resp, diff_text(old, new))


def _send_text(resp: Response, text: str) -> None:
    resp.content_type = TEXT
    resp.data = text.encode()
    resp.set_headers({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
