"""The guest book over HTTP: ``/-/guestbook``, and an entry of each guest below it."""

from __future__ import annotations

import html
from dataclasses import asdict

from falcon.asgi import Request, Response

from rave_example.guest_book import Entry, GuestBook
from rave_example.summary import Summary
from rave_http.hookspecs import ResourceContext, Route, hookimpl


class BookResource:
    """``/-/guestbook``."""

    def __init__(self, context: ResourceContext) -> None:
        self._context = context

    def on_get(self, req: Request, resp: Response) -> None:
        """All entries and their summary, as JSON or as a page."""
        entries = GuestBook(self._context.documents).entries()
        if self._context.prefers(req, "application/json", "text/html") == "text/html":
            items = "".join(f"<li>{html.escape(each.guest)}: {html.escape(each.text)}</li>" for each in entries)
            self._context.send_page(resp, "Guest book", f"<ul>{items}</ul>")
        else:
            summary = asdict(Summary.kept(self._context.documents))
            self._context.send_json(resp, {"entries": [asdict(each) for each in entries], "summary": summary})


class EntryResource:
    """``/-/guestbook/{guest}``. To change an entry, say which version you have seen: ``?seen=2``; 0 for a new one."""

    def __init__(self, context: ResourceContext) -> None:
        self._context = context

    def on_get(self, _req: Request, resp: Response, guest: str) -> None:
        """One entry."""
        self._context.send_json(resp, asdict(self._found(guest)))

    def on_put(self, req: Request, resp: Response, guest: str) -> None:
        """Writes an entry: the body is its text."""
        try:
            text = self._context.read_body(req).decode()
        except UnicodeDecodeError:
            raise self._context.Problem("bad-request", "the body is no text in UTF-8") from None
        self._write(req, resp, guest, text)

    def on_delete(self, req: Request, resp: Response, guest: str) -> None:
        """Removes an entry."""
        self._found(guest)
        self._write(req, resp, guest, None)

    def _found(self, guest: str) -> Entry:
        entry = GuestBook(self._context.documents).entry(guest)
        if entry is None:
            raise self._context.Problem("not-found", f"{guest!r} has written nothing")
        return entry

    def _write(self, req: Request, resp: Response, guest: str, text: str | None) -> None:
        context = self._context
        seen = req.get_param_as_int("seen", min_value=0, default=0)
        version = GuestBook(context.documents).write(guest, text, seen=seen, author=context.principal(req).name)
        context.events.publish("guestbook.written", {"namespace": "example", "guest": guest, "version": version})
        context.send_json(resp, {"version": version}, status="201 Created" if version == 1 else "200 OK")


@hookimpl
def rave_http_resources(context: ResourceContext) -> list[Route]:
    """The two paths."""
    may = {"GET": "view", "PUT": "write", "DELETE": "write"}
    return [
        Route("/-/guestbook", BookResource(context), {"GET": "view"}, namespace="example", title="Guest book"),
        Route("/-/guestbook/{guest}", EntryResource(context), may, namespace="example", max_body=10_000),
    ]
