"""Sends the documents of the catalog and of products: as JSON, as a page, or in a form that a plugin makes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from falcon.asgi import Request, Response

from rave_core.errors import PluginError
from rave_http.executors.foreign_code import ForeignCode
from rave_http.plugins.discovery import HttpPlugins
from rave_http.protocol.headers import NO_STORE
from rave_http.protocol.problems import Problem
from rave_http.protocol.responses import JSON, Page, prefers, send_json, send_page
from rave_http.representation.document_forms import BUILT_IN, Accept, DocumentForm

FORM: Final = "rave.f"
"""The parameter that names the form."""

MakeDocument: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
MakePage: TypeAlias = Callable[[], Awaitable[Page]]
_HTML: Final = "text/html"
_log = logging.getLogger("rave.http")


class DocumentSender:
    """For the event loop of one worker."""

    def __init__(self, plugins: HttpPlugins, foreign: ForeignCode) -> None:
        self._hook = plugins.hooks.rave_http_represent
        self._is_used = bool(self._hook.get_hookimpls())
        self._foreign = foreign

    async def send(
        self,
        req: Request,
        resp: Response,
        kind: str,
        document: MakeDocument,
        *,
        form: str | None,
        page: MakePage | None = None,
    ) -> None:
        """Answers with a document in the form that the client asks for; JSON if it has no wish.

        Args:
            req, resp: the request and its response.
            kind: ``catalog``, ``namespace``, ``operation`` or ``product``.
            document: makes it.
            form: the value of ``rave.f``.
            page: makes the page of it; ``None`` if there is none.

        Raises:
            Problem: ``not-acceptable``: there is no form of that name.
        """
        resp.append_header("Vary", "Accept")
        name = (form or "").strip().lower()
        if page is not None and name in ("html", _HTML):
            send_page(resp, await page())
        elif name in ("json", JSON):
            send_json(resp, await document())
        elif not await self._send_other(req, resp, kind, document, form):
            if page is not None and prefers(req, *BUILT_IN) == _HTML:
                send_page(resp, await page())
            else:
                send_json(resp, await document())

    async def _send_other(
        self, req: Request, resp: Response, kind: str, document: MakeDocument, form: str | None
    ) -> bool:
        """Answers in the form of a plugin. Returns whether there is one that the client asks for."""
        accept = Accept.of(req, form)
        if not (accept.is_name or (self._is_used and accept.is_other)):
            return False
        made = await self._made(kind, await document(), accept) if self._is_used else None
        if made is not None:
            resp.content_type = made.media_type
            resp.data = made.content
            resp.set_header("Cache-Control", NO_STORE)
        elif accept.is_name:
            detail = f"This document has no form {accept[:80]!r}; it can be json"
            raise Problem("not-acceptable", detail, available=[JSON])
        return made is not None

    async def _made(self, kind: str, document: dict[str, Any], accept: Accept) -> DocumentForm | None:
        """What the plugins make of a document. If one fails, the client gets JSON, unless it named the form.

        Raises:
            Exception: it named the form, and the plugin raised this.
        """
        try:
            made = await self._foreign.call("forms of documents", self._ask, kind, document, accept)
        except Exception:
            if accept.is_name:
                raise
            _log.exception("rave_http_represent failed; the client gets JSON or a page instead")
            return None
        return made

    def _ask(self, kind: str, document: dict[str, Any], accept: Accept) -> DocumentForm | None:
        made = self._hook(kind=kind, document=copy.deepcopy(document), accept=accept)
        if made is not None and not (isinstance(made, DocumentForm) and isinstance(made.content, bytes)):
            raise PluginError(f"rave_http_represent returned {made!r}: expected a DocumentForm with bytes, or None")
        return made
